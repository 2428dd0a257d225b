//! Clauses and their outcomes, breached first.

use farshore_model::{Audit, Outcome, Verdict};

use super::phrase::{long, name};
use super::{FrameRef, Item, KEPT, Part, Tone};
use crate::words::Word;

pub fn part(audit: &Audit) -> Part {
    let groups = judged_groups(audit);
    Part {
        total: groups.len(),
        items: groups.iter().take(KEPT).filter_map(|it| item(audit, it)).collect(),
    }
}

/// Verdicts as they are told, those that say the same of neighbouring clauses together.
pub fn judged_groups(audit: &Audit) -> Vec<Vec<&Verdict>> {
    let mut groups: Vec<Vec<&Verdict>> = vec![];
    for it in judged_order(audit) {
        match groups.last_mut() {
            Some(group) if group.first().is_some_and(|first| says_the_same(first, it)) => group.push(it),
            _ => groups.push(vec![it]),
        }
    }
    groups
}

fn says_the_same(a: &Verdict, b: &Verdict) -> bool {
    let bare = |it: &Verdict| it.exposures.is_empty() && it.destinations.is_empty() && it.evidence.is_empty();
    bare(a) && bare(b) && (a.outcome, a.note, &a.pack, &a.because) == (b.outcome, b.note, &b.pack, &b.because)
}

/// Verdicts as they are told.
pub fn judged_order(audit: &Audit) -> Vec<&Verdict> {
    let mut order: Vec<&Verdict> = audit.verdicts.iter().collect();
    order.sort_by_key(|it| match (it.outcome, it.note) {
        (Outcome::Breached, _) => 0,
        (Outcome::Undetermined, false) => 1,
        (Outcome::Met, _) => 2,
        (Outcome::Undetermined, true) => 3,
        (Outcome::NotApplicable, _) => 4,
    });
    order
}

fn item(audit: &Audit, group: &[&Verdict]) -> Option<Item> {
    let it = group.first()?;
    let clauses: Vec<String> = group.iter().map(|it| name(&it.clause)).collect();
    let tone = match it.outcome {
        Outcome::Breached => Tone::Bad,
        Outcome::Undetermined => Tone::Doubt,
        Outcome::Met => Tone::Good,
        Outcome::NotApplicable => Tone::Plain,
    };
    let note = if it.note { " (note)" } else { "" };
    let title = format!(
        "{}{note} {} ({}): {}",
        it.outcome.word(),
        clauses.join(", "),
        name(&it.pack),
        long(&it.because)
    );
    let shown = it
        .exposures
        .iter()
        .filter_map(|index| audit.exposures.get(*index))
        .flat_map(|it| &it.evidence);
    Some(Item::new(tone, title).at(it.evidence.first().or_else(|| shown.into_iter().next()).map(FrameRef::of)))
}
