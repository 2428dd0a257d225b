//! What is set aside in version 1: waivers, and what was there before.

use serde::{Serialize, Serializer};

use farshore_model::Date;
use farshore_model::verdict::{self, WaiverState};

/// One of `waivers`.
#[derive(Serialize)]
pub struct Waiver<'a> {
    pack: &'a str,
    clause: &'a str,
    subject: &'a str,
    reason: &'a str,
    until: Day,
    state: &'static str,
    /// What it covers.
    findings: usize,
    /// The day on which it does not hold any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<Day>,
    /// Why it covers nothing.
    because: Option<String>,
}

pub(super) struct Day(pub(super) Date);

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'a> Waiver<'a> {
    /// As it stands in an audit.
    pub fn new(it: &'a verdict::Waiver) -> Self {
        let as_of = match &it.state {
            WaiverState::Expired(day) => Some(Day(*day)),
            _ => None,
        };
        let (state, findings, because) = match &it.state {
            WaiverState::Applied(findings) => ("applied", *findings, None),
            WaiverState::Expired(day) => ("expired", 0, Some(format!("it held until {}, and {day} is judged", it.until))),
            WaiverState::Unused(why) => ("unused", 0, Some(why.to_string())),
        };
        Self {
            pack: &it.pack,
            clause: &it.clause,
            subject: &it.subject,
            reason: &it.reason,
            until: Day(it.until),
            state,
            findings,
            as_of,
            because,
        }
    }
}

/// `baseline`: how the audit stands to one made before.
#[derive(Serialize)]
pub struct Baseline<'a> {
    /// Findings that were there before.
    before: usize,
    /// Packs that could not be compared.
    apart: Vec<&'a str>,
}

impl<'a> Baseline<'a> {
    /// As it stands in an audit.
    pub fn new(it: &'a verdict::Baseline) -> Self {
        Self {
            before: it.before,
            apart: it.apart.iter().map(|it| &**it).collect(),
        }
    }
}
