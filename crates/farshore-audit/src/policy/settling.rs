//! What would settle an open question: the next thing to bring, for whoever meets "undetermined" first. Refuses to promise
//! which way it would be settled.

use farshore_model::verdict::Subject as Judged;
use farshore_model::{Finding, Outcome, Text};

use super::pack::Subject;
use super::scope::Gap;

/// What would settle a clause that is undetermined: what could not be told if anything, else what the capture does not show.
pub(super) fn of(judges: Subject, findings: &[Finding], gaps: &[Gap]) -> Vec<Text> {
    let doubtful = || findings.iter().filter(|it| it.outcome == Outcome::Undetermined);
    let mut told: Vec<&'static str> = Vec::new();
    match judges {
        Subject::Exposures if doubtful().next().is_some() => {
            told.push("whether others can read it: the keys of its session (--keys FILE), or payload in a known format");
            // Of an exposure a reason of its own is that of a law.
            if doubtful().any(|it| !it.because.as_str().is_empty()) {
                told.push("what the laws in question ask of the recipient: its `reach` names what is `missing`");
            }
        }
        Subject::Exposures => {}
        Subject::Addresses => {
            let unrecorded = |it: &Finding| matches!(it.subject, Judged::Address { address: None, .. });
            if doubtful().any(|it| !unrecorded(it)) {
                told.push(
                    "where the machines stand: round trips (--vantage), the operator's list of the capture's time (--ranges), what you know better (--overrides)",
                );
            }
            if doubtful().any(unrecorded) {
                told.push("a capture that records the addresses");
            }
        }
    }
    if told.is_empty() {
        for gap in gaps {
            if !told.contains(&gap.closed_by) {
                told.push(gap.closed_by);
            }
        }
    }
    told.into_iter().map(Text::from).collect()
}
