//! What was sent while nobody asked for anything, and what was not declared, in plain words.

use std::collections::BTreeSet;

use farshore_model::party::Destination;
use farshore_model::talk::{Omission, Talk, Undeclared};
use farshore_model::{Audit, DatumKind};

use super::phrase::{bytes, count, long, name, span};
use super::{FrameRef, Item, Part, Tone};
use crate::words::Word;

/// Kinds or fields that are named in a line.
const NAMED: usize = 6;

/// What was sent in which state, the gravest first.
pub fn talk(audit: &Audit) -> Part {
    let mut items: Vec<Item> = audit.talk.iter().map(|it| said(it, audit)).collect();
    items.sort_by_key(|it| it.tone);
    Part::of(items.into_iter())
}

fn said(it: &Talk, audit: &Audit) -> Item {
    let kinds: BTreeSet<&str> = it
        .exposures
        .iter()
        .filter_map(|index| audit.exposures.get(*index))
        .filter(|it| ![DatumKind::HOSTNAME, DatumKind::CONTENT].contains(&it.kind))
        .map(|it| it.kind.as_str())
        .collect();
    let kinds: Vec<&str> = kinds.into_iter().collect();
    let what = if kinds.is_empty() {
        String::new()
    } else {
        format!("{} ", long(&some(&kinds)))
    };
    let tone = match kinds.as_slice() {
        [] => Tone::Plain,
        _ if it.state.as_str() == "consent-refused" => Tone::Bad,
        _ => Tone::Doubt,
    };
    let title = format!("{}: {what}to {}", name(&it.state), whom(it.destination, audit));
    let rhythm = it
        .rhythm
        .map(|it| format!(", {} times by the clock, every {} ± {}", it.times, span(it.period), span(it.jitter)));
    let mut item = Item::new(tone, title).detail(format!(
        "{}, {} up{}",
        count(it.flows, "conversation"),
        bytes(it.bytes_up),
        rhythm.unwrap_or_default()
    ));
    if let Some(beyond) = &it.beyond {
        let fields: Vec<&str> = beyond.fields.iter().map(|it| it.as_str()).collect();
        item = match (beyond.destination, fields.is_empty()) {
            (true, _) => item.detail("not a destination in what was captured while active"),
            (false, true) => item,
            (false, false) => item.detail(long(&format!("fields not seen while active: {}", some(&fields)))),
        };
    }
    item.at(it.evidence.first().map(FrameRef::of))
}

/// What is there beside what was declared: of each sort a line.
pub fn undeclared(audit: &Audit) -> Part {
    let all = || audit.undeclared.iter().flatten();
    let sorts = [Omission::Recipient, Omission::Country, Omission::Field];
    Part::of(sorts.into_iter().filter_map(|sort| {
        let of_sort: Vec<&Undeclared> = all().filter(|it| it.what == sort).collect();
        let first = of_sort.first()?;
        let mut subjects: Vec<String> = of_sort.iter().map(|it| omitted(it, audit)).collect();
        subjects.dedup();
        let subjects: Vec<&str> = subjects.iter().map(String::as_str).collect();
        let title = format!("{}: {}", count(of_sort.len(), sort.word()), long(&some(&subjects)));
        Some(Item::new(Tone::Bad, title).at(first.evidence.first().map(FrameRef::of)))
    }))
}

fn omitted(it: &Undeclared, audit: &Audit) -> String {
    let whom = whom(it.destination, audit);
    match it.what {
        Omission::Recipient => whom,
        Omission::Country | Omission::Field => format!("{} to {whom}", name(&it.subject)),
    }
}

fn whom(index: usize, audit: &Audit) -> String {
    let Some(it): Option<&Destination> = audit.destinations.get(index) else {
        return String::new();
    };
    match &it.organisation {
        Some(organisation) => format!("{} ({})", name(&it.name), name(&organisation.name)),
        None => name(&it.name),
    }
}

fn some(all: &[&str]) -> String {
    let mut named: Vec<&str> = all.iter().take(NAMED).copied().collect();
    if all.len() > NAMED {
        named.push("…");
    }
    named.join(", ")
}
