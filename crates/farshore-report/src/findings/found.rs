//! Identifiers nobody named, in plain words: what the captures could tell, what was found, and how sure it is.

use farshore_model::identifier::{Firmness, Identifier, Role};
use farshore_model::{Audit, Discovery};

use super::phrase::{count, long, name};
use super::{FrameRef, Item, Part, Tone};

/// Captures whose values are listed.
const TABLE: usize = 32;

/// What was found, claims first: in brief.
pub fn part(audit: &Audit) -> Part {
    Part::of(found(audit).map(|it| {
        title(it)
            .detail(format!("p {}: {}", p(it.p_value), long(&it.because)))
            .at(frame(it))
    }))
}

/// What was found, with the whole argument.
pub fn argued(audit: &Audit) -> Part {
    Part::of(found(audit).map(argument))
}

fn found(audit: &Audit) -> impl Iterator<Item = &Identifier> {
    audit.discovery.iter().flat_map(|it| &it.identifiers)
}

fn frame(it: &Identifier) -> Option<FrameRef> {
    it.evidence.first().map(FrameRef::of)
}

/// What was compared.
pub fn design(it: &Discovery) -> Vec<Item> {
    let it = &it.design;
    let aside = if it.aside > 0 {
        format!(", {} of them kept aside for confirmation", it.aside)
    } else {
        String::new()
    };
    let mut items = vec![
        Item::new(
            Tone::Plain,
            format!("{}{aside}, {}", count(it.captures, "capture"), count(it.sessions, "conversation")),
        ),
        Item::new(
            Tone::Plain,
            format!(
                "{} looked at, {} of them steady within each capture; p is corrected for {} (Holm)",
                count(it.places, "place"),
                it.steady,
                if it.hypotheses == 1 {
                    "1 hypothesis".to_owned()
                } else {
                    format!("{} hypotheses", it.hypotheses)
                },
            ),
        ),
    ];
    for role in &it.roles {
        items.push(Item::new(
            Tone::Plain,
            format!(
                "{}: the least p these captures could reach is {}",
                count(role.distinct, role.role.word()),
                p(role.least_p)
            ),
        ));
    }
    items.extend(
        it.cannot_tell
            .iter()
            .map(|it| Item::new(Tone::Doubt, format!("cannot tell: {}", long(it)))),
    );
    items
}

fn title(it: &Identifier) -> Item {
    let roles: Vec<&str> = it.roles.iter().map(|it: &Role| it.word()).collect();
    let (tone, sure) = match it.firmness {
        // Every connection has one: no alarm by itself.
        Firmness::Claim if it.roles == [Role::Session] => (Tone::Plain, "identifier"),
        Firmness::Claim => (Tone::Bad, "identifier"),
        Firmness::Candidate => (Tone::Doubt, "candidate"),
    };
    let title = format!("{sure} of {}: {}, {}", roles.join(" or "), long(&it.place), name(&it.encoding));
    Item::new(tone, title)
}

fn argument(it: &Identifier) -> Item {
    let value = |it: &Option<u64>| it.map_or("–".to_owned(), |it| it.to_string());
    let mut row: Vec<String> = it.table.iter().take(TABLE).map(value).collect();
    if it.table.len() > TABLE {
        row.push("…".to_owned());
    }
    title(it)
        .detail(long(&it.because))
        .detail(format!(
            "p {} (single {}, least possible {}), confirmed on {}",
            p(it.p_value),
            p(it.p_single),
            p(it.least_p),
            count(it.confirmed_on, "other capture"),
        ))
        .detail(format!("value by capture: {}", row.join(" ")))
        .at(frame(it))
}

/// Two digits are enough.
fn p(it: f64) -> String {
    if it >= 0.001 { format!("{it:.3}") } else { format!("{it:.1e}") }
}
