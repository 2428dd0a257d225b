//! The audit as Markdown, for an issue or a mail: the story of the terminal under headings, each finding with its frame.
//!
//! It reads as text as well. It refuses to let a name become markup, a link, or a mention of somebody.

use std::io::{Result, Write};

use farshore_model::Audit;

use crate::escape::markdown;
use crate::findings::{Item, Part, Story, Tone, bytes, count, judged_order, long, matters, name, replies, standing};
use crate::{Options, Output};

/// Lines a clause takes for what stands against it.
const SHOWN: usize = 6;

/// `markdown`.
pub struct Markdown;

impl Output for Markdown {
    fn id(&self) -> &'static str {
        "markdown"
    }

    fn render(&self, audit: &Audit, _: &Options<'_>, out: &mut dyn Write) -> Result<()> {
        let story = Story::of(audit);
        let text = [std::slice::from_ref(&story.headline.title), &story.headline.details]
            .concat()
            .join(" ");
        let frame = story.headline.frame.map_or(String::new(), |it| format!(" ({})", it.text(audit)));
        writeln!(out, "# farshore audit\n\n**{}**{}\n", markdown(&text), markdown(&frame))?;
        inputs(audit, out)?;
        judged(audit, out)?;
        part(
            audit,
            "Waived",
            "Somebody answers for it until a day. It is not met.",
            &story.waived,
            usize::MAX,
            out,
        )?;
        part(
            audit,
            "Replies",
            "What others say, in their words; nothing was weighed by it.",
            &story.replies,
            usize::MAX,
            out,
        )?;
        part(audit, "Seen", "On the wire, and who can read it.", &story.seen, 12, out)?;
        part(audit, "Found", "Identifiers that nobody named.", &story.found, 8, out)?;
        part(
            audit,
            "Unasked",
            "Sent in a state other than active, as inputs are labelled.",
            &story.talk,
            8,
            out,
        )?;
        part(audit, "Undeclared", "There, and not in the declaration.", &story.undeclared, 8, out)?;
        part(
            audit,
            "Linked",
            "Who carried the same identifier, and to whom.",
            &story.linked,
            8,
            out,
        )?;
        part(
            audit,
            "Inferred",
            "Who receives it: claims with their sources, not proof.",
            &story.inferred,
            12,
            out,
        )?;
        part(audit, "Not seen", "And so neither good nor bad.", &story.unseen, 12, out)?;
        foot(audit, out)
    }
}

fn inputs(audit: &Audit, out: &mut dyn Write) -> Result<()> {
    for it in audit.inputs.iter().take(SHOWN) {
        let world = it.world.as_ref().map_or(String::new(), |world| {
            format!(" · simulated world “{}”: its parties are fictional", name(world.as_str()))
        });
        let facts = format!(
            "{} · {} · {} · {}{world} · SHA-256 {}",
            name(&it.name),
            it.format,
            count(it.frames, crate::v1::unit(it.format)),
            bytes(it.file_bytes),
            crate::escape::visible(&it.sha256)
        );
        writeln!(out, "- {}", markdown(&facts))?;
    }
    match audit.inputs.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        rest => writeln!(out, "- … and {}", count(rest, "more input")),
    }
}

fn judged(audit: &Audit, out: &mut dyn Write) -> Result<()> {
    if audit.verdicts.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n## Judged\n\nMet takes a declared scope; what was not seen is undetermined.\n"
    )?;
    for it in judged_order(audit) {
        let title = if it.title.is_empty() {
            String::new()
        } else {
            format!(": {}", long(&it.title))
        };
        let head = format!("{}/{}{title}", name(&it.pack), name(&it.clause));
        writeln!(out, "- **{}** {}", markdown(&standing(it)), markdown(&head))?;
        writeln!(out, "  - {}", markdown(&long(&it.because)))?;
        for reply in replies(audit, it) {
            writeln!(out, "  - {}", markdown(&reply))?;
        }
        let mut matters = matters(audit, it);
        matters.retain(|it| it.about.counts() && !it.is_coverage());
        for matter in matters.iter().take(SHOWN) {
            let item = matter.item(audit, it);
            writeln!(out, "  - {}", markdown(&with_frame(audit, &item)))?;
        }
        if let Some(rest) = matters.len().checked_sub(SHOWN).filter(|rest| *rest > 0) {
            writeln!(out, "  - … and {rest} more")?;
        }
        for settled in &it.settled_by {
            writeln!(out, "  - settled by: {}", markdown(&long(settled)))?;
        }
        writeln!(out, "  - {}", markdown(&long(&it.citation)))?;
    }
    Ok(())
}

fn with_frame(audit: &Audit, item: &Item) -> String {
    let frame = item.frame.map_or(String::new(), |it| format!(" ({})", it.text(audit)));
    format!("{}{frame}", item.title)
}

fn part(audit: &Audit, head: &str, gloss: &str, part: &Part, most: usize, out: &mut dyn Write) -> Result<()> {
    if part.items.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## {head}\n\n{gloss}\n")?;
    for it in part.items.iter().take(most) {
        let mark = match it.tone {
            Tone::Bad => "**!** ",
            Tone::Doubt => "**?** ",
            Tone::Plain | Tone::Good => "",
        };
        writeln!(out, "- {mark}{}", markdown(&with_frame(audit, it)))?;
        for detail in &it.details {
            writeln!(out, "  - {}", markdown(detail))?;
        }
    }
    match part.total.saturating_sub(part.items.len().min(most)) {
        0 => Ok(()),
        rest => writeln!(out, "- … and {rest} more"),
    }
}

fn foot(audit: &Audit, out: &mut dyn Write) -> Result<()> {
    writeln!(
        out,
        "\n---\n\nWritten by farshore {}. What was not seen is not thereby absent. An audit is no legal advice.",
        markdown(&name(&audit.tool.version))
    )?;
    let named: Vec<String> = audit
        .tool
        .data
        .iter()
        .map(|it| it.attribution.as_str())
        .filter(|it| !it.is_empty())
        .map(long)
        .collect();
    if named.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nData: {}", markdown(&named.join(" · ")))
}
