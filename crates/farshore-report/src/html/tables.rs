//! Everything the story rests on: verdicts, destinations, exposures with their readers, evidence, coverage, inputs, data.

use std::collections::BTreeMap;

use maud::{Markup, html};

use farshore_model::ledger::Anomaly;
use farshore_model::party::{Destination, Place, Reach};
use farshore_model::{Answer, Audit, Exposure, Locus, Outcome, Reader, ReaderRole, Verdict};

use super::tone;
use crate::findings::{
    age, answer, bytes, claimed_and_out, count, judged_order, laws, long, name, organisation, owner, places, replies, standing, tone_of,
    worst_first,
};
use crate::words::{self, Word};

/// Rows beyond which a table tells only how many more there are.
const MOST: usize = 200;
/// Rows beyond which a table is folded away at first.
const OPEN: usize = 24;
/// The roles, in the order of the matrix.
const ROLES: [ReaderRole; 6] = [
    ReaderRole::OnPath,
    ReaderRole::DnsResolver,
    ReaderRole::Hosting,
    ReaderRole::Relay,
    ReaderRole::Endpoint,
    ReaderRole::Owner,
];

/// A table with a caption; a long one is folded. `total` counts the rows that were left out, too.
fn table(id: &str, head: &str, gloss: &str, columns: &[&str], rows: &[Markup], total: usize) -> Markup {
    html! {
        section id=(id) {
            h2 { (head) }
            @if !gloss.is_empty() { p.gloss { (gloss) } }
            @if rows.is_empty() { p { "None." } } @else {
                details open[total <= OPEN] {
                    summary { (count(total, "row")) }
                    div.wide {
                        table {
                            caption { (head) }
                            thead { tr { @for column in columns { th scope="col" { (column) } } } }
                            tbody { @for row in rows { (row) } }
                        }
                    }
                    @if total > rows.len() { p.more { "… and " (total.saturating_sub(rows.len())) " more: " code { "--format json" } "." } }
                }
            }
        }
    }
}

/// A cell that says which column it belongs to, for screens too narrow for columns.
fn cell(label: &str, content: Markup) -> Markup {
    html! { td data-label=(label) { (content) } }
}

pub fn verdicts(audit: &Audit) -> Markup {
    let row = |it: &Verdict| {
        let class = tone_of(it);
        let sign = match it.outcome {
            Outcome::Breached => "!",
            Outcome::Undetermined => "?",
            Outcome::Met => "✓",
            Outcome::NotApplicable => "–",
        };
        html! {
            tr {
                th scope="row" data-label="Clause" { (name(&it.clause)) span.sub { (name(&it.pack)) } }
                (cell("Outcome", html! { span class={ "outcome " (tone(class)) } { (sign) " " (it.outcome.word()) } @if it.note { span.sub { "note: does not count" } } @if it.waived() > 0 { span.sub { (standing(it)) } } }))
                (cell("Because", html! { (long(&it.because)) @for reply in replies(audit, it) { span.sub { (reply) } } }))
                (cell("Concerns", html! { (links('x', &it.exposures)) " " (links('d', &it.destinations)) }))
                (cell("Citation", html! { (long(&it.citation)) }))
            }
        }
    };
    // No verdict may go missing from a page: these rows are never cut.
    let rows: Vec<Markup> = judged_order(audit).into_iter().map(row).collect();
    table(
        "verdicts",
        "Judged",
        "Met takes a declared scope; what was not seen is undetermined.",
        &["Clause", "Outcome", "Because", "Concerns", "Citation"],
        &rows,
        rows.len(),
    )
}

pub fn destinations(audit: &Audit) -> Markup {
    let rows: Vec<Markup> = audit
        .destinations
        .iter()
        .enumerate()
        .take(MOST)
        .map(|(index, it)| destination(index, it))
        .collect();
    table(
        "destinations",
        "Destinations",
        "A network's holder is where a machine is hosted, not who receives. Registrations are listed and never count as a place.",
        &[
            "",
            "Destination",
            "Organisation and owners",
            "Where",
            "Law that could order",
            "Traffic",
        ],
        &rows,
        audit.destinations.len(),
    )
}

fn destination(index: usize, it: &Destination) -> Markup {
    let claims = it
        .places
        .iter()
        .map(|place| place.location.claims.len())
        .max()
        .unwrap_or(0)
        .max(it.location.claims.len());
    html! {
        tr id={ "d" (index.saturating_add(1)) } {
            td.id data-label="Id" { "d" (index.saturating_add(1)) }
            th scope="row" data-label="Destination" {
                (name(&it.name))
                @if let Some(domain) = &it.domain { @if it.name != *domain { span.sub { (name(domain)) } } }
                @for place in it.places.iter().filter(|place| it.name != place.address.to_string()).take(4) { span.sub { (place.address) @if let Some(special) = place.special { " " (special) } } }
                @if it.places.len() > 4 { span.sub { "and " (it.places.len().saturating_sub(4)) " more addresses" } }
                @if !it.candidates.is_empty() { span.sub { "perhaps " (it.candidates.iter().take(3).map(|it| name(it)).collect::<Vec<_>>().join(", ")) } }
            }
            (cell("Organisation", html! {
                @match &it.organisation {
                    None => { "not known" }
                    Some(it) => { (organisation(it)) span.sub { (source(&it.source)) @if !it.as_of.is_empty() { ", " (name(&it.as_of)) } } }
                }
                @for it in &it.owners { span.sub { (it.relation.word()) ": " (owner(it)) ", " (name(&it.as_of)) } }
            }))
            (cell("Where", html! {
                (places(&it.location))
                @if claims > 0 || it.places.len() > 1 {
                    details { summary { "claims" } ul.claims {
                        @for place in it.places.iter().take(8) { (claimed(place)) }
                        @for out in claimed_and_out(&it.location) { li { "not " (out.country) ": " (out.because) ", at most " (out.max_km) " km away, its nearest point is " (out.nearest_km) " km" } }
                        @let rest = it.location.excluded.len().saturating_sub(claimed_and_out(&it.location).count());
                        @if rest > 0 { li { "and " (rest) " further countries are too far away, which no source names" } }
                    } }
                }
            }))
            (cell("Law", html! { @if it.reach.is_empty() { "none read" } @else { (laws(&it.reach)) (reaches(&it.reach)) } }))
            (cell("Traffic", html! { span.nowrap { "↑ " (bytes(it.traffic.bytes_up)) } " " span.nowrap { "↓ " (bytes(it.traffic.bytes_down)) } span.sub { (count(it.traffic.flows, "flow")) @if !it.traffic.refused.is_empty() { ", " (bytes(it.traffic.refused.bytes)) " rejected" } } }))
        }
    }
}

fn claimed(place: &Place) -> Markup {
    html! {
        li {
            (place.address) ": "
            @for (index, claim) in place.location.claims.iter().take(8).enumerate() {
                @if index > 0 { "; " }
                (claim.country) " by " (name(&claim.source)) " (" (claim.kind.word()) @if claim.refuted { ", refuted by a round trip" } @if !claim.edition.is_empty() { ", " (name(&claim.edition)) } ")"
            }
            @if place.location.claims.is_empty() { "no claim" }
            @if let Some(network) = &place.network { "; AS" (network.asn) " " (name(&network.name)) }
        }
    }
}

fn reaches(reach: &[Reach]) -> Markup {
    html! {
        details { summary { "by which road" } ul.claims { @for it in reach.iter().take(24) { li {
            (it.state) " through " (it.via.word()) " (" (it.basis.word()) "), " (it.standing.word()) ": " (answer(it.answer))
            @if let Some(law) = &it.law { ", " (name(&law.title)) ", " (name(&law.citation)) " " (source(&law.source)) }
            @if !it.missing.is_empty() { "; missing: " (it.missing.iter().take(4).map(|it| long(it)).collect::<Vec<_>>().join("; ")) }
        } } } }
    }
}

/// A link where it is plainly one; anything else is text.
fn source(text: &str) -> Markup {
    let plain = text.starts_with("https://") && text.len() < 512 && text.chars().all(|c| c.is_ascii_graphic());
    html! { @if plain { a href=(text) rel="noreferrer noopener" { (name(text)) } } @else { (name(text)) } }
}

fn links(letter: char, indices: &[usize]) -> Markup {
    html! {
        @for index in indices.iter().take(12) { @let id = format!("{letter}{}", index.saturating_add(1)); a href={ "#" (id) } { (id) } " " }
        @if indices.len() > 12 { "and " (indices.len().saturating_sub(12)) " more" }
    }
}

/// The exposures with one column a reader. A reason stands once, below, under its number.
pub fn exposures(audit: &Audit) -> Markup {
    let mut reasons = Reasons::default();
    let rows: Vec<Markup> = worst_first(audit)
        .into_iter()
        .take(MOST)
        .map(|(index, it)| exposure(audit, index, it, &mut reasons))
        .collect();
    let mut columns = vec!["", "What", "To", "How"];
    columns.extend(ROLES.iter().map(Word::word));
    html! {
        (table("exposures", "Exposures", "One row a value, its field and who received it. Each reader: yes, no, or cannot tell; a dash where that role plays no part.", &columns, &rows, audit.exposures.len()))
        @if !reasons.0.is_empty() {
            details.reasons open[reasons.0.len() <= OPEN] {
                summary { "Why: " (count(reasons.0.len(), "reason")) }
                ol { @for reason in reasons.in_order() { li id={ "r" (reason.1) } { (reason.0) } } }
            }
        }
    }
}

/// Reasons by their text, numbered as they come.
#[derive(Default)]
struct Reasons(BTreeMap<String, usize>);

impl Reasons {
    fn number(&mut self, reader: &Reader) -> usize {
        let party = if reader.party.is_empty() {
            String::new()
        } else {
            format!(" ({})", name(&reader.party))
        };
        let text = format!(
            "{}{party} {}: {}",
            reader.role.word(),
            answer(reader.answer),
            long(&reader.because.to_string())
        );
        let next = self.0.len().saturating_add(1);
        *self.0.entry(text).or_insert(next)
    }

    fn in_order(&self) -> Vec<(&str, usize)> {
        let mut order: Vec<(&str, usize)> = self.0.iter().map(|(text, number)| (text.as_str(), *number)).collect();
        order.sort_by_key(|(_, number)| *number);
        order
    }
}

fn exposure(audit: &Audit, index: usize, it: &Exposure, reasons: &mut Reasons) -> Markup {
    let to = audit.destinations.get(it.destination);
    html! {
        tr id={ "x" (index.saturating_add(1)) } {
            td.id data-label="Id" { "x" (index.saturating_add(1)) }
            th scope="row" data-label="What" {
                (name(it.kind.as_str())) span.sub { (name(words::value(it, audit.show_pii))) @if let Some(known) = &it.known_as { " “" (name(known)) "”" } }
                span.sub { (name(&it.label())) }
            }
            td.name data-label="To" { @if let Some(to) = to { (links('d', &[it.destination])) (name(&to.name)) } }
            td.name data-label="How" { (it.protection.word()) span.sub { (name(&it.field)) ", " (count(it.count, "time")) } }
            @for role in ROLES { (reader(it, role, reasons)) }
        }
    }
}

fn reader(it: &Exposure, role: ReaderRole, reasons: &mut Reasons) -> Markup {
    let mut of_role: Vec<&Reader> = it.readers.iter().filter(|reader| reader.role == role).collect();
    of_role.sort_by_key(|reader| reader.answer);
    html! {
        td.reader data-label=(role.word()) {
            @if of_role.is_empty() { span.none { "–" } }
            @for reader in of_role.iter().take(3) {
                @let number = reasons.number(reader);
                span class={ "answer " (match reader.answer { Answer::Yes => "yes", Answer::No => "no", Answer::CannotTell => "unknown" }) } {
                    (match reader.answer { Answer::Yes => "● ", Answer::No => "○ ", Answer::CannotTell => "◐ " }) (answer(reader.answer))
                }
                sup { a href={ "#r" (number) } { (number) } }
                " "
            }
        }
    }
}

pub fn evidence(audit: &Audit) -> Markup {
    let exposures = worst_first(audit).into_iter().map(|(index, it)| Finding::Exposure(index, it));
    let verdicts = judged_order(audit).into_iter().map(Finding::Verdict);
    let anomalies = audit.anomalies.iter().map(Finding::Anomaly);
    // What was judged first; oddities are many in a bad capture and must push nothing out.
    let found = verdicts.chain(exposures).chain(anomalies);
    let mut rows = vec![];
    let mut total = 0_usize;
    for it in found {
        total = total.saturating_add(inputs_of(it.evidence()));
        let room = MOST.saturating_sub(rows.len());
        if room > 0 {
            let shown = by_input(it.evidence()).into_iter().take(room);
            rows.extend(shown.map(|(input, loci)| proof(audit, &it.title(), input, &loci)));
        }
    }
    table(
        "evidence",
        "Evidence",
        "Paste the filter into Wireshark's display filter bar. Offsets count bytes in the captured frame, or in the layer named last where the datum was put together from several.",
        &["Finding", "Input", "Display filter", "Bytes", "Layers"],
        &rows,
        total,
    )
}

/// What evidence is for.
enum Finding<'a> {
    Verdict(&'a Verdict),
    Exposure(usize, &'a Exposure),
    Anomaly(&'a Anomaly),
}

impl<'a> Finding<'a> {
    fn evidence(&self) -> &'a [Locus] {
        match self {
            Self::Verdict(it) => &it.evidence,
            Self::Exposure(_, it) => &it.evidence,
            Self::Anomaly(it) => &it.evidence,
        }
    }

    fn title(&self) -> Markup {
        match self {
            Self::Verdict(it) => html! { (name(&it.clause)) " " (it.outcome.word()) },
            Self::Exposure(index, it) => {
                html! { a href={ "#x" (index.saturating_add(1)) } { "x" (index.saturating_add(1)) } " " (name(it.kind.as_str())) }
            }
            Self::Anomaly(it) => html! { (it.kind) span.sub { (it.severity.word()) ": " (long(&it.because)) } },
        }
    }
}

/// In how many inputs evidence stands.
fn inputs_of(evidence: &[Locus]) -> usize {
    let first = evidence.first().map(|it| it.input);
    if evidence.iter().all(|it| Some(it.input) == first) {
        return usize::from(first.is_some());
    }
    by_input(evidence).len()
}

fn by_input(evidence: &[Locus]) -> BTreeMap<u32, Vec<&Locus>> {
    let mut inputs: BTreeMap<u32, Vec<&Locus>> = BTreeMap::new();
    for locus in evidence {
        inputs.entry(locus.input.0).or_default().push(locus);
    }
    inputs
}

fn proof(audit: &Audit, what: &Markup, input: u32, loci: &[&Locus]) -> Markup {
    let record = usize::try_from(input).ok().and_then(|index| audit.inputs.get(index));
    let unit = record.map_or("frame", |record| crate::v1::unit(record.format));
    let mut frames: Vec<u64> = loci.iter().flat_map(|it| [it.span.first_frame, it.span.frame]).collect();
    frames.sort_unstable();
    frames.dedup();
    let list = frames.iter().take(20).map(u64::to_string).collect::<Vec<_>>().join(", ");
    let filter = match frames.as_slice() {
        // Nothing else filters by these.
        _ if unit != "frame" => format!("{unit} {list}"),
        [one] => format!("frame.number == {one}"),
        _ => format!("frame.number in {{{list}}}"),
    };
    let first = loci.first();
    html! {
        tr {
            th scope="row" data-label="Finding" { (what) }
            (cell("Input", html! { @if let Some(record) = record { (name(&record.name)) } }))
            (cell("Display filter", html! { code { (filter) } }))
            (cell("Bytes", html! { @if let Some(it) = first { @if it.span.length > 0 { (it.span.offset) " to " (it.span.offset.saturating_add(it.span.length).saturating_sub(1)) @if !it.span.in_frame { " of the layer" } } } }))
            (cell("Layers", html! { @if let Some(it) = first { (it.layers.join(" › ")) @if !it.decoded_by.is_empty() { span.sub { "decoded: " (it.decoded_by.join(", ")) } } } }))
        }
    }
}

pub fn coverage(audit: &Audit) -> Markup {
    let it = &audit.coverage;
    let dropped = it
        .frames
        .dropped
        .map_or_else(|| "not told by the file".to_owned(), |lost| lost.to_string());
    let [units, decoded, stopped, lost] = match crate::v1::units(audit) {
        "frame" => [
            "Frames",
            "… decoded to a transport or control message",
            "… given up at some layer",
            "Frames lost while capturing",
        ],
        "row" => ["Rows", "… read", "… that tell nothing", "Rows lost before they were written"],
        _ => [
            "Frames and rows",
            "… decoded to a transport or control message, or read",
            "… given up at some layer, or telling nothing",
            "Frames lost while capturing, rows before they were written",
        ],
    };
    let mut facts: Vec<(String, String)> = vec![
        (units.into(), it.frames.total.to_string()),
        (decoded.into(), it.frames.decoded.to_string()),
        (stopped.into(), it.frames.stopped.to_string()),
        ("… captured shorter than on the wire".into(), it.frames.truncated.to_string()),
        (lost.into(), dropped),
        ("Flows".into(), audit.flow_coverage.total.to_string()),
        ("Gaps in streams".into(), format!("{}, {}", it.gaps.count, bytes(it.gaps.bytes))),
        (
            "Sessions with keys offered, opened".into(),
            format!("{}, {}", it.keys.offered, it.keys.matched),
        ),
    ];
    if it.frames.filtered > 0 {
        facts.push(("Frames left out by the capture filter".into(), it.frames.filtered.to_string()));
    }
    facts.extend(
        it.keys
            .unmatched
            .iter()
            .take(40)
            .map(|(why, flows)| (format!("Stayed closed: {}", long(why)), count(*flows, "flow"))),
    );
    facts.extend(
        it.stops
            .iter()
            .take(40)
            .map(|(why, frames)| (format!("Not read on: {}", long(why)), count(*frames, crate::v1::units(audit)))),
    );
    facts.extend(
        it.limits
            .iter()
            .map(|(limit, times)| (format!("Ceiling hit: {limit}"), count(*times, "time"))),
    );
    if audit.flow_coverage.unknown > 0 {
        facts.push(("Flows known from flow logs alone".into(), audit.flow_coverage.unknown.to_string()));
    }
    let not_searched = crate::findings::not_searched(audit);
    if !not_searched.is_empty() {
        facts.push(("Not searched for by this version".into(), not_searched.join(", ")));
    }
    let rows: Vec<Markup> = facts
        .into_iter()
        .map(|(what, value)| html! { tr { th scope="row" data-label="What" { (what) } (cell("Count", html! { (value) })) } })
        .collect();
    table(
        "coverage",
        "Coverage",
        "What this audit rests on.",
        &["What", "Count"],
        &rows,
        rows.len(),
    )
}

pub fn inputs(audit: &Audit) -> Markup {
    let row = |it: &farshore_model::ledger::InputRecord| {
        html! {
            tr {
                th scope="row" data-label="Input" { (name(&it.name)) @if it.cut_short { span.sub { "cut short" } } }
                (cell("Format", html! { (it.format) }))
                (cell("Size", html! { (count(it.frames, crate::v1::unit(it.format))) span.sub { (bytes(it.file_bytes)) } }))
                (cell("Time", html! { @if let Some(first) = it.first { (first) } @if let Some(last) = it.last { span.sub { "to " (last) } } }))
                (cell("Labels and notes", html! {
                    @for (key, value) in it.labels.iter().take(12) { span.sub { (name(key)) " = " (name(value)) } }
                    @for note in it.notes.iter().take(6) { span.sub { (long(note.as_str())) } }
                }))
                (cell("SHA-256", html! { code.digest { (long(&it.sha256)) } }))
            }
        }
    };
    let rows: Vec<Markup> = audit.inputs.iter().take(MOST).map(row).collect();
    table(
        "inputs",
        "Inputs",
        "",
        &["Input", "Format", "Size", "Time", "Labels and notes", "SHA-256"],
        &rows,
        audit.inputs.len(),
    )
}

pub fn data(audit: &Audit) -> Markup {
    let data = audit.tool.data.iter().map(|it| {
        html! {
            tr {
                th scope="row" data-label="Name" { (name(&it.name)) }
                (cell("Edition", html! { (name(&it.edition)) @if let Some(stale) = it.stale { ", " (age(stale)) " than the capture" } }))
                (cell("Licence", html! { (name(&it.licence)) }))
                (cell("Attribution", html! { (long(&it.attribution)) }))
                (cell("SHA-256", html! { code.digest { (long(&it.sha256)) } }))
            }
        }
    });
    let packs = audit.tool.packs.iter().map(|it| {
        html! {
            tr {
                th scope="row" data-label="Name" { (name(&it.id)) }
                (cell("Edition", html! { (name(&it.version)) }))
                (cell("Licence", html! { "policy pack" }))
                (cell("Attribution", html! {}))
                (cell("SHA-256", html! {}))
            }
        }
    });
    let rows: Vec<Markup> = data.chain(packs).collect();
    table(
        "data",
        "Data and packs",
        "With other editions the answers may differ.",
        &["Name", "Edition", "Licence", "Attribution", "SHA-256"],
        &rows,
        rows.len(),
    )
}
