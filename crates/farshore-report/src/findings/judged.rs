//! Clauses and their outcomes, breached first.

use farshore_model::{Audit, Outcome, Verdict};

use super::phrase::{long, name};
use super::{FrameRef, Item, KEPT, Part, Tone};
use crate::words::Word;

pub fn part(audit: &Audit) -> Part {
    let order = judged_order(audit);
    Part {
        total: order.len(),
        items: order.into_iter().take(KEPT).map(|it| item(audit, it)).collect(),
    }
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

fn item(audit: &Audit, it: &Verdict) -> Item {
    let tone = match it.outcome {
        Outcome::Breached => Tone::Bad,
        Outcome::Undetermined => Tone::Doubt,
        Outcome::Met => Tone::Good,
        Outcome::NotApplicable => Tone::Plain,
    };
    let note = if it.note { " (note)" } else { "" };
    let title = format!(
        "{}{note} {}/{}: {}",
        it.outcome.word(),
        name(&it.pack),
        name(&it.clause),
        long(&it.because)
    );
    let shown = it
        .exposures
        .iter()
        .filter_map(|index| audit.exposures.get(*index))
        .flat_map(|it| &it.evidence);
    Item::new(tone, title).at(it.evidence.first().or_else(|| shown.into_iter().next()).map(FrameRef::of))
}
