//! Clauses and their outcomes, breached first.

use farshore_model::verdict::{Counting, WaiverState};
use farshore_model::{Audit, Outcome, Verdict, Waiver};

use super::phrase::{count, long, name};
use super::replied::replies;
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
    bare(a) && bare(b) && (a.outcome, a.counting(), &a.pack, &a.because) == (b.outcome, b.counting(), &b.pack, &b.because)
}

/// Verdicts as they are told.
pub fn judged_order(audit: &Audit) -> Vec<&Verdict> {
    let mut order: Vec<&Verdict> = audit.verdicts.iter().collect();
    order.sort_by_key(|it| match it.counting() {
        Counting::As(Outcome::Breached) => 0,
        Counting::As(Outcome::Undetermined) => 1,
        Counting::Waived => 2,
        Counting::Before => 3,
        Counting::As(Outcome::Met) => 4,
        Counting::Note => 5,
        Counting::As(Outcome::NotApplicable) => 6,
    });
    order
}

/// What is told of one clause.
pub fn of(audit: &Audit, it: &Verdict) -> Option<Item> {
    item(audit, &[it])
}

fn item(audit: &Audit, group: &[&Verdict]) -> Option<Item> {
    let it = group.first()?;
    let clauses: Vec<String> = group.iter().map(|it| name(&it.clause)).collect();
    let title = format!(
        "{} {} ({}): {}",
        standing(it),
        clauses.join(", "),
        name(&it.pack),
        long(&it.because)
    );
    let shown = it
        .exposures
        .iter()
        .filter_map(|index| audit.exposures.get(*index))
        .flat_map(|it| &it.evidence);
    let item = Item::new(tone(it), title).at(it.evidence.first().or_else(|| shown.into_iter().next()).map(FrameRef::of));
    let mut said: Vec<String> = group.iter().flat_map(|it| replies(audit, it)).collect();
    said.dedup();
    Some(Item { replies: said, ..item })
}

/// How the outcome of a clause is to be taken.
pub fn tone(it: &Verdict) -> Tone {
    match it.counting() {
        Counting::As(Outcome::Breached) => Tone::Bad,
        Counting::As(Outcome::Undetermined) => Tone::Doubt,
        Counting::As(Outcome::Met) => Tone::Good,
        Counting::Note => Tone::Doubt,
        Counting::Waived | Counting::Before | Counting::As(Outcome::NotApplicable) => Tone::Plain,
    }
}

/// The outcome of a clause, and whether it counts: `breached`, `breached, waived`, `breached, 1 of 7 waived`, `undetermined (note)`.
pub fn standing(it: &Verdict) -> String {
    let word = it.outcome.word();
    match (it.counting(), it.waived()) {
        (Counting::Note, _) => format!("{word} (note)"),
        (Counting::Waived, _) => format!("{word}, waived"),
        (Counting::Before, 0) => format!("{word}, as before"),
        (Counting::Before, _) => format!("{word}, as before or waived"),
        (Counting::As(Outcome::Undetermined), _) if it.outcome == Outcome::Breached => {
            format!(
                "{word}, {} but for what could not be told",
                if it.before() == 0 { "waived" } else { "as before or waived" }
            )
        }
        (_, 0) if it.before() == 0 => word.to_owned(),
        (_, 0) => format!("{word}, {} of {} as before", it.before(), it.findings.len()),
        (_, some) if it.before() == 0 => format!("{word}, {some} of {} waived", it.findings.len()),
        (_, some) => format!("{word}, {some} of {} waived, {} as before", it.findings.len(), it.before()),
    }
}

/// What an audit made before leaves of this one.
pub fn baseline(audit: &Audit) -> Vec<String> {
    let Some(it) = &audit.baseline else { return Vec::new() };
    let same = match it.before {
        1 => "1 finding was there before and does not count as new".to_owned(),
        some => format!("{} were there before and do not count as new", count(some, "finding")),
    };
    std::iter::once(same).chain(it.apart.iter().map(|it| long(it))).collect()
}

/// What was waived, and what was meant to be: those that do not hold are told too.
pub fn waived(audit: &Audit) -> Part {
    // Somebody wrote them one by one: none may go missing from an output.
    let items: Vec<Item> = audit.waivers.iter().flatten().map(waiver).collect();
    Part { total: items.len(), items }
}

fn waiver(it: &Waiver) -> Item {
    let what = format!("{}/{}, {}", name(&it.pack), name(&it.clause), name(&it.subject));
    let (tone, title) = match &it.state {
        WaiverState::Applied(findings) => (
            Tone::Plain,
            format!(
                "{what}: {}, waived until {}, and not met: {}",
                count(*findings, "finding"),
                it.until,
                long(&it.reason)
            ),
        ),
        WaiverState::Expired(day) => (
            Tone::Doubt,
            format!(
                "{what}: it held until {} and does not count on {day}: {}",
                it.until,
                long(&it.reason)
            ),
        ),
        WaiverState::Unused(why) => (
            Tone::Doubt,
            format!("{what}: it fits nothing: {} (until {}: {})", long(why), it.until, long(&it.reason)),
        ),
    };
    Item::new(tone, title)
}
