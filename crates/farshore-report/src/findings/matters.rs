//! What stands against a clause, or may, told one by one: findings of one kind, field and receiver together. Refuses to leave
//! out any that counts.

use std::collections::BTreeMap;

use farshore_model::{Audit, Exposure, Finding, Locus, Outcome, Protection, Subject, Verdict};

use super::phrase::{count, long, name, some};
use super::{FrameRef, Item, Tone, seen};

/// Findings of a clause that are told together.
pub struct Matter<'a> {
    /// What they are about.
    pub about: About<'a>,
    /// The findings, in the order of the audit.
    pub findings: Vec<&'a Finding>,
}

/// What findings are about, in words that hold for another capture of the same app: ids and addresses shift, names stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct About<'a> {
    /// Breached, or could not be told.
    pub outcome: Outcome,
    /// What was judged.
    pub what: What<'a>,
    /// The waiver that covers it, by its index.
    pub waived: Option<usize>,
    /// Whether it was there before.
    pub before: bool,
}

impl About<'_> {
    /// Whether it counts.
    pub const fn counts(&self) -> bool {
        self.waived.is_none() && !self.before
    }
}

/// What was judged, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What<'a> {
    /// A datum that reached somebody.
    Exposure {
        kind: &'a str,
        field: &'a str,
        protection: Protection,
        destination: &'a str,
    },
    /// The machines of a party.
    Address { destination: &'a str },
    /// What the capture does not show.
    Coverage,
}

/// What stands against a clause: what counts first, of that what is breached, then in the order of the audit.
pub fn matters<'a>(audit: &'a Audit, verdict: &'a Verdict) -> Vec<Matter<'a>> {
    let mut places: BTreeMap<About<'_>, usize> = BTreeMap::new();
    let mut matters: Vec<Matter<'_>> = Vec::new();
    for finding in &verdict.findings {
        let about = About {
            outcome: finding.outcome,
            what: what(audit, finding),
            waived: finding.waived,
            before: finding.before,
        };
        let at = *places.entry(about).or_insert(matters.len());
        match matters.get_mut(at) {
            Some(matter) => matter.findings.push(finding),
            None => matters.push(Matter {
                about,
                findings: vec![finding],
            }),
        }
    }
    matters.sort_by_key(|it| (!it.about.counts(), it.about.outcome != Outcome::Breached));
    matters
}

fn what<'a>(audit: &'a Audit, finding: &'a Finding) -> What<'a> {
    let named = |index: usize| audit.destinations.get(index).map_or("", |it| &*it.name);
    match finding.subject {
        Subject::Exposure(index) => match audit.exposures.get(index) {
            Some(it) => What::Exposure {
                kind: it.kind.as_str(),
                field: &it.field,
                protection: it.protection,
                destination: named(it.destination),
            },
            None => What::Coverage,
        },
        Subject::Address { destination, .. } => What::Address {
            destination: named(destination),
        },
        Subject::Coverage => What::Coverage,
    }
}

impl<'a> Matter<'a> {
    /// The exposures among them.
    pub fn exposures(&self, audit: &'a Audit) -> Vec<&'a Exposure> {
        let of = |it: &&Finding| match it.subject {
            Subject::Exposure(index) => audit.exposures.get(index),
            _ => None,
        };
        self.findings.iter().filter_map(of).collect()
    }

    /// Whether it is what the capture does not show, and not something in it.
    pub fn is_coverage(&self) -> bool {
        self.about.what == What::Coverage
    }

    /// In words, with the first frame.
    pub fn item(&self, audit: &'a Audit, verdict: &'a Verdict) -> Item {
        let tone = match self.about.outcome {
            Outcome::Breached => Tone::Bad,
            _ => Tone::Doubt,
        };
        let exposures = self.exposures(audit);
        if !exposures.is_empty() {
            return Item {
                tone,
                ..seen::of(audit, &exposures)
            };
        }
        let because = self.findings.first().map_or("", |it| &*it.because);
        let title = match self.about.what {
            What::Address { destination } => {
                let addresses: Vec<String> = self.findings.iter().filter_map(|it| address(it)).collect();
                let at = match addresses.as_slice() {
                    [] => String::new(),
                    [one] if one == destination => String::new(),
                    several => format!(" ({})", some(several, 2)),
                };
                let others = match addresses.len() {
                    0 | 1 => String::new(),
                    many => format!(", of {}", count(many, "address")),
                };
                format!("{}{at}: {}{others}", name(destination), long(because))
            }
            _ => long(because),
        };
        Item::new(tone, title).at(self.locus(audit, verdict).map(|it| FrameRef::of(&it)))
    }

    /// Where it is first seen.
    pub fn locus(&self, audit: &'a Audit, verdict: &'a Verdict) -> Option<Locus> {
        self.findings.iter().find_map(|it| locus(audit, verdict, it))
    }
}

/// The address that was judged.
fn address(finding: &Finding) -> Option<String> {
    match finding.subject {
        Subject::Address { address: Some(it), .. } => Some(it.to_string()),
        _ => None,
    }
}

/// Where a finding is seen: the datum, or the first frame of a flow to that address.
pub fn locus(audit: &Audit, verdict: &Verdict, finding: &Finding) -> Option<Locus> {
    match finding.subject {
        Subject::Exposure(index) => audit.exposures.get(index)?.evidence.first().cloned(),
        Subject::Address { destination, address } => {
            let flows = audit.destinations.get(destination)?.flows.iter();
            let flows = flows.filter_map(|id| audit.flows.get(usize::try_from(id.0).ok()?));
            let here = flows.filter(|it| address.is_none_or(|address| it.server.ip == address));
            let flow = here.min_by_key(|it| (it.input, it.first_frame))?;
            Some(flow.beginning())
        }
        Subject::Coverage => verdict.evidence.first().cloned(),
    }
}
