//! What would settle an open question: the next thing to bring, for whoever meets "undetermined" first. Refuses to promise
//! which way it would be settled.

use std::collections::BTreeSet;

use farshore_model::Text;

use super::asking::Want;
use super::scope::Gap;

/// What would settle a clause that is undetermined: what could not be told if anything, else what the capture does not show.
pub(super) fn of(wants: &BTreeSet<Want>, doubtful: bool, gaps: &[Gap]) -> Vec<Text> {
    let mut told: Vec<Text> = wants.iter().map(words).collect();
    if !doubtful {
        for gap in gaps.iter().filter(|it| !it.closed_by.is_empty()) {
            if !told.iter().any(|it| it.as_str() == gap.closed_by) {
                told.push(gap.closed_by.into());
            }
        }
    }
    told
}

fn words(want: &Want) -> Text {
    match want {
        Want::Keys => "whether others can read it: the keys of its session (--keys FILE), or payload in a known format".into(),
        Want::Reach => "what the laws in question ask of the recipient: its `reach` names what is `missing`".into(),
        Want::Places => {
            "where the machines stand: round trips (--vantage), the operator's list of the capture's time (--ranges), what you know better (--overrides)".into()
        }
        Want::Addresses => "a capture that records the addresses".into(),
        Want::Recipient => "who receives: a capture that shows their names, or hosts and addresses on the list beside organisations".into(),
        Want::Owner => "who owns the recipient, and how much of it, of the capture's time: a register, or its own reports".into(),
        Want::Subject => "whose data it is: --subject FILE, with residence, market, us_person".into(),
        Want::Basis => "what it may go on: --basis FILE, with complete = true if these are all the records there are".into(),
        Want::People(what) => format!("the word of those who know, as no capture shows {what}").as_str().into(),
        Want::Day => "a capture of days on which the rule holds throughout, or the day that counts (--as-of)".into(),
    }
}
