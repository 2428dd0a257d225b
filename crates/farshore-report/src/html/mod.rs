//! The audit as one page: no script, no request, readable on paper.
//!
//! It tells the story of the terminal and then everything the story rests on. Text from the wire is made visible where
//! it is spliced in, escaped by the template, and the finished page passes one last gate ([`escape::page`]).

mod links;
mod map;
mod tables;

use std::io::{Result, Write};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use farshore_model::verdict::Counting;
use farshore_model::{Answer, Audit, DatumKind, Outcome, ReaderRole};

use crate::escape;
use crate::findings::{Part, Story, Tone, bytes, count, long, name};
use crate::{Options, Output};

/// Nothing but the page's own style may be loaded.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// `html`.
pub struct Html;

impl Output for Html {
    fn id(&self) -> &'static str {
        "html"
    }

    fn render(&self, audit: &Audit, options: &Options<'_>, out: &mut dyn Write) -> Result<()> {
        let page = page(audit, options).into_string();
        out.write_all(escape::page(&page).as_bytes())?;
        out.write_all(b"\n")
    }
}

fn page(audit: &Audit, options: &Options<'_>) -> Markup {
    let story = Story::of(audit);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                meta name="color-scheme" content="light dark";
                title { "farshore: " (title(audit)) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                (top(audit, &story))
                main {
                    (figures(audit))
                    (part(audit, "seen", "Seen", "What stands readable on the wire, and who can read it.", &story.seen, 20))
                    (part(audit, "inferred", "Inferred", "Who receives it. Claims with their sources, not proof; a law is named where it could order somebody, never because anybody did.", &story.inferred, 8))
                    @if story.linked.total > 0 { (part(audit, "linked", "Who can be linked", "Clients that carried the same identifier, and identifiers that several parties were sent.", &story.linked, 12)) }
                    (links::section(audit))
                    (map::section(audit, options.borders))
                    (part(audit, "unseen", "Not seen", "And so neither good nor bad.", &story.unseen, 40))
                    (tables::verdicts(audit))
                    @if audit.waivers.is_some() { (part(audit, "waived", "Waived", "What somebody answers for, for a reason and until a day. It is not met.", &story.waived, story.waived.total)) }
                    @if story.replies.total > 0 { (part(audit, "replies", "Replies", "What others say, in their words; nothing was weighed by it.", &story.replies, story.replies.total)) }
                    (tables::destinations(audit))
                    (tables::exposures(audit))
                    (tables::evidence(audit))
                    (tables::coverage(audit))
                    (tables::inputs(audit))
                    (tables::data(audit))
                }
                (foot(audit))
            }
        }
    }
}

fn title(audit: &Audit) -> String {
    match audit.inputs.as_slice() {
        [] => "nothing was read".to_owned(),
        [one] => name(&one.name),
        [first, rest @ ..] => format!("{} and {} more", name(&first.name), rest.len()),
    }
}

fn top(audit: &Audit, story: &Story) -> Markup {
    // What one of several inputs holds says nothing of the audit.
    let input = audit.inputs.first().filter(|_| audit.inputs.len() == 1);
    html! {
        header {
            p.mark { strong { "farshore" } " audit" }
            h1 class=(tone(story.headline.tone)) { (story.headline.title) }
            p.judged {
                @for detail in &story.headline.details { (detail) " " }
                @if let Some(frame) = story.headline.frame { span.frame { (frame.text(audit)) } }
            }
            p.source {
                (title(audit))
                @if let Some(input) = input {
                    " · " (input.format) " · " (count(input.frames, crate::v1::unit(input.format))) " · " (bytes(input.file_bytes))
                    @if let Some(first) = input.first { " · from " time { (first.to_string().get(..19).unwrap_or_default().replace('T', " ")) " UTC" } }
                }
            }
            @for world in audit.inputs.iter().filter_map(|input| input.world.as_ref()).take(1) {
                p.notice { "Simulated world “" (name(world.as_str())) "”: its parties are fictional." }
            }
            nav aria-label="Sections" {
                @for (id, text) in [("seen", "Seen"), ("inferred", "Inferred"), ("map", "Where"), ("unseen", "Not seen"), ("verdicts", "Judged"), ("destinations", "Destinations"), ("exposures", "Exposures"), ("evidence", "Evidence"), ("coverage", "Coverage"), ("data", "Data")] {
                    a href={ "#" (id) } { (text) }
                }
            }
        }
    }
}

/// Four numbers and a bar: how much there is of everything.
fn figures(audit: &Audit) -> Markup {
    let strangers = |it: &&farshore_model::Exposure| {
        it.kind != DatumKind::HOSTNAME
            && it
                .readers
                .iter()
                .any(|reader| reader.role == ReaderRole::OnPath && reader.answer == Answer::Yes)
    };
    let outcome = |outcome| audit.verdicts.iter().filter(|it| it.counts() == Some(outcome)).count();
    let waived = audit.verdicts.iter().filter(|it| it.counting() == Counting::Waived).count();
    let readable = audit.exposures.iter().filter(strangers).count();
    html! {
        section.figures aria-label="In numbers" {
            dl {
                (figure(readable, "readable on the path", if readable > 0 { Tone::Bad } else { Tone::Plain }))
                (figure(audit.destinations.len(), if audit.destinations.len() == 1 { "destination" } else { "destinations" }, Tone::Plain))
                (figure(outcome(Outcome::Breached), if outcome(Outcome::Breached) == 1 { "clause breached" } else { "clauses breached" }, if outcome(Outcome::Breached) > 0 { Tone::Bad } else { Tone::Plain }))
                (figure(outcome(Outcome::Undetermined), "undetermined", if outcome(Outcome::Undetermined) > 0 { Tone::Doubt } else { Tone::Plain }))
                @if waived > 0 { (figure(waived, "waived", Tone::Plain)) }
                (figure(outcome(Outcome::Met), "met", if outcome(Outcome::Met) > 0 { Tone::Good } else { Tone::Plain }))
            }
            (bar(audit))
        }
    }
}

fn figure(number: usize, text: &str, it: Tone) -> Markup {
    html! { div class=(tone(it)) { dt { (text) } dd { (number) } } }
}

/// Flows by how their content stood, as a stacked bar with its legend in words.
fn bar(audit: &Audit) -> Markup {
    let it = audit.flow_coverage;
    let parts = [
        ("plaintext", "in the clear", it.plaintext),
        ("encrypted", "encrypted", it.encrypted),
        ("decrypted", "opened with keys", it.decrypted),
        ("opaque", "no known format", it.opaque),
        ("empty", "no payload", it.empty),
        ("empty", "in a flow log alone", it.unknown),
    ];
    let parts: Vec<_> = parts.into_iter().filter(|(_, _, flows)| *flows > 0).collect();
    let total = parts.iter().fold(0_u64, |sum, (_, _, flows)| sum.saturating_add(*flows)).max(1);
    let mut at = 0_u64;
    html! {
        @if !parts.is_empty() {
            figure.bar {
                figcaption { (count(it.total, "flow")) ", by how their content stood" }
                svg viewBox="0 0 1000 24" preserveAspectRatio="none" role="img" aria-labelledby="bar-title" {
                    title id="bar-title" { @for (index, (_, text, flows)) in parts.iter().enumerate() { @if index > 0 { ", " } (flows) " " (text) } }
                    (hatch("bar-hatch", 10))
                    @for (class, _, flows) in &parts {
                        @let start = at.saturating_mul(1000) / total;
                        @let end = { at = at.saturating_add(*flows); at.saturating_mul(1000) / total };
                        rect class=(class) x=(start) y="0" width=(end.saturating_sub(start).max(3)) height="24" {}
                    }
                }
                ul { @for (class, text, flows) in &parts { li { span class={ "swatch " (class) } {} (flows) " " (text) } } }
            }
        }
    }
}

/// Stripes, for what is in doubt.
fn hatch(id: &str, size: u32) -> Markup {
    html! {
        defs {
            pattern id=(id) width=(size) height=(size) patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                rect.ground width=(size) height=(size) {}
                rect.stripe width=(size / 2) height=(size) {}
            }
        }
    }
}

fn part(audit: &Audit, id: &str, head: &str, gloss: &str, it: &Part, most: usize) -> Markup {
    html! {
        section id=(id) {
            h2 { (head) }
            p.gloss { (gloss) }
            @if it.items.is_empty() { p { "Nothing." } }
            ul.findings {
                @for it in it.items.iter().take(most) {
                    li class=(tone(it.tone)) {
                        span.sign aria-hidden="true" { (sign(it.tone)) }
                        div {
                            p { (it.title) }
                            @for detail in &it.details { p.detail { (detail) } }
                        }
                        @if let Some(frame) = it.frame { span.frame { (frame.text(audit)) } }
                    }
                }
            }
            @if it.total > most { p.more { "… and " (it.total.saturating_sub(most)) " more, in the tables below or with " code { "--format json" } "." } }
        }
    }
}

fn foot(audit: &Audit) -> Markup {
    html! {
        footer {
            p { "Written by farshore " (name(&audit.tool.version)) ". What was not seen is not thereby absent. An audit is no legal advice." }
            @if audit.tool.data.iter().any(is_dbip) {
                p { a href="https://db-ip.com" rel="noreferrer" { "IP Geolocation by DB-IP" } }
            }
            ul { @for it in audit.tool.data.iter().filter(|it| !it.attribution.is_empty() && !is_dbip(it)) { li { (long(&it.attribution)) } } }
        }
    }
}

/// DB-IP's licence asks for a link back on every page that shows its data.
fn is_dbip(it: &farshore_model::audit::DataEdition) -> bool {
    let name = it.name.to_lowercase();
    name.contains("dbip") || name.contains("db-ip") || it.attribution.to_lowercase().contains("db-ip")
}

fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Bad => "bad",
        Tone::Doubt => "doubt",
        Tone::Plain => "plain",
        Tone::Good => "good",
    }
}

fn sign(tone: Tone) -> &'static str {
    match tone {
        Tone::Bad => "!",
        Tone::Doubt => "?",
        Tone::Plain => "·",
        Tone::Good => "✓",
    }
}
