//! What was there before: an audit that was kept, compared by names that hold for another capture of the same app. Refuses to compare by
//! ids, which shift, by addresses where there is a name, and what other words were judged by.

use std::collections::{BTreeMap, BTreeSet};

use farshore_model::{Audit, Exposure, Finding, Outcome, Subject, Text, Verdict, verdict};

use farshore_model::audit::PackEdition;
use farshore_model::party::Destination;

/// Clauses and what stood against them.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    /// Packs with their versions.
    packs: BTreeMap<String, String>,
    found: BTreeMap<Key, Before>,
}

/// What was judged, by pack, clause, and what of whom.
type Key = (String, String, What);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// A kind of datum in a field, at a destination.
    Exposure(String, String, String),
    /// The machines of a destination.
    Address(String),
    /// What the capture does not show.
    Coverage,
}

/// What it came to.
#[derive(Clone, Debug, Default)]
struct Before {
    /// Breached, by values: their digests, and whether one had none.
    breached: Option<Values>,
    /// Breached or undetermined.
    any: Values,
}

#[derive(Clone, Debug, Default)]
struct Values {
    digests: BTreeSet<String>,
    /// One of them may be any value.
    unknown: bool,
}

impl Values {
    fn add(&mut self, digest: Option<&str>) {
        match digest {
            Some(digest) => {
                self.digests.insert(digest.to_owned());
            }
            None => self.unknown = true,
        }
    }

    /// Values differ only where both are known.
    fn may_hold(&self, digest: Option<&str>) -> bool {
        digest.is_none_or(|digest| self.unknown || self.digests.contains(digest))
    }
}

impl Baseline {
    /// Of an audit that was kept.
    pub fn of(audit: &Audit) -> Self {
        let packs = audit.tool.packs.iter().map(|it| (it.id.clone(), it.version.clone())).collect();
        let mut found: BTreeMap<Key, Before> = BTreeMap::new();
        for verdict in audit.verdicts.iter().filter(|it| !it.note) {
            for finding in &verdict.findings {
                let (what, digest) = what(finding, &audit.exposures, &audit.destinations);
                let before = found.entry((verdict.pack.clone(), verdict.clause.clone(), what)).or_default();
                before.any.add(digest);
                if finding.outcome == Outcome::Breached {
                    before.breached.get_or_insert_default().add(digest);
                }
            }
            // A clause that was open or worse was no better known then.
            if matches!(verdict.outcome, Outcome::Breached | Outcome::Undetermined) {
                let before = found
                    .entry((verdict.pack.clone(), verdict.clause.clone(), What::Coverage))
                    .or_default();
                before.any.add(None);
            }
        }
        Self { packs, found }
    }

    /// Marks what was there before.
    pub(crate) fn apply(
        &self,
        verdicts: &mut [Verdict],
        exposures: &[Exposure],
        destinations: &[Destination],
        packs: &[PackEdition],
    ) -> verdict::Baseline {
        let mut apart = Vec::new();
        for pack in packs {
            let why = match self.packs.get(&pack.id) {
                Some(version) if *version == pack.version => continue,
                Some(version) => format!(
                    "{} was judged by version {version}, and now by {}: all that stands against it counts as new",
                    pack.id, pack.version
                ),
                None => format!("{} was not judged: all that stands against it counts as new", pack.id),
            };
            apart.push((pack.id.as_str(), Text::from(why.as_str())));
        }
        let mut before = 0_usize;
        let comparable = |it: &&mut Verdict| !apart.iter().any(|(id, _)| *id == it.pack);
        for verdict in verdicts.iter_mut().filter(comparable) {
            for finding in &mut verdict.findings {
                let (what, digest) = what(finding, exposures, destinations);
                let known = self.found.get(&(verdict.pack.clone(), verdict.clause.clone(), what));
                finding.before = known.is_some_and(|known| match finding.outcome {
                    // What could not be told before and stands against it now is new.
                    Outcome::Breached => known.breached.as_ref().is_some_and(|it| it.may_hold(digest)),
                    _ => known.any.may_hold(digest),
                });
                before = before.saturating_add(usize::from(finding.before));
            }
        }
        verdict::Baseline {
            before,
            apart: apart.into_iter().map(|(_, why)| why).collect(),
        }
    }
}

fn what<'a>(finding: &Finding, exposures: &'a [Exposure], destinations: &[Destination]) -> (What, Option<&'a str>) {
    let name = |index: usize| destinations.get(index).map_or_else(String::new, |it| it.name.as_str().to_owned());
    match finding.subject {
        Subject::Exposure(index) => match exposures.get(index) {
            Some(it) => (
                What::Exposure(it.kind.as_str().to_owned(), it.field.as_str().to_owned(), name(it.destination)),
                it.value.digest.as_deref(),
            ),
            None => (What::Coverage, None),
        },
        Subject::Address { destination, .. } => (What::Address(name(destination)), None),
        Subject::Coverage => (What::Coverage, None),
    }
}
