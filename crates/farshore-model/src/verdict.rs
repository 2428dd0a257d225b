//! Clauses and their outcomes.

use std::net::IpAddr;

use crate::{Date, Locus, Text};

/// Four outcomes. "Not seen" is `Undetermined`, with the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The clause holds for everything in a declared scope.
    Met,
    /// Positive evidence against it.
    Breached,
    /// A needed fact is missing or too weak.
    Undetermined,
    /// The clause does not speak of this.
    NotApplicable,
}

/// The outcome of one clause.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The pack.
    pub pack: String,
    /// The clause.
    pub clause: String,
    /// What it asks for.
    pub title: String,
    /// Where its words can be read.
    pub citation: String,
    /// The outcome.
    pub outcome: Outcome,
    /// Why, and on what coverage it rests.
    pub because: String,
    /// The wording was not read at its source: a note, nothing more.
    pub note: bool,
    /// Indices of exposures in the audit.
    pub exposures: Vec<usize>,
    /// Indices of destinations in the audit.
    pub destinations: Vec<usize>,
    /// Where.
    pub evidence: Vec<Locus>,
    /// All that stands against it or could not be told, one by one, in the order of the audit.
    pub findings: Vec<Finding>,
    /// What would settle it, of one that is undetermined.
    pub settled_by: Vec<Text>,
}

/// One thing that stands against a clause, or may.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Whether it stands against the clause or could not be told.
    pub outcome: Outcome,
    /// What was judged.
    pub subject: Subject,
    /// Why, where that is no property of the exposure itself.
    pub because: Text,
    /// The waiver that covers it, by its index in the audit.
    pub waived: Option<usize>,
    /// It was there before, as an earlier audit tells.
    pub before: bool,
}

impl Finding {
    /// Whether it counts: nobody answers for it, and it is new where only that is asked for.
    pub const fn counts(&self) -> bool {
        self.waived.is_none() && !self.before
    }
}

/// What a clause judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// An exposure, by its index in the audit.
    Exposure(usize),
    /// An address of a destination; `None`: one that was not recorded.
    Address {
        /// Index of the destination in the audit.
        destination: usize,
        /// The address.
        address: Option<IpAddr>,
    },
    /// What the capture does not show: nothing against the clause was seen, which proves nothing.
    Coverage,
}

/// What a clause counts as once what is waived is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counting {
    /// That outcome: its own, or what is left of it.
    As(Outcome),
    /// All that stands against it is waived. That is never met.
    Waived,
    /// All that stands against it was there before, or is waived. That is never met.
    Before,
    /// A note, which counts for nothing.
    Note,
}

impl Verdict {
    /// What it counts as.
    pub fn counting(&self) -> Counting {
        let left = || self.findings.iter().filter(|it| it.counts()).map(|it| it.outcome);
        let any = |outcome| left().any(|it| it == outcome);
        match self.outcome {
            _ if self.note => Counting::Note,
            Outcome::Met | Outcome::NotApplicable => Counting::As(self.outcome),
            // One that does not say what it rests on counts as it stands.
            _ if self.findings.is_empty() => Counting::As(self.outcome),
            _ if any(Outcome::Breached) => Counting::As(Outcome::Breached),
            _ if left().next().is_some() => Counting::As(Outcome::Undetermined),
            _ if self.findings.iter().any(|it| it.waived.is_none()) => Counting::Before,
            _ => Counting::Waived,
        }
    }

    /// The outcome that counts, if any does.
    pub fn counts(&self) -> Option<Outcome> {
        match self.counting() {
            Counting::As(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// How much of what stands against it was there before.
    pub fn before(&self) -> usize {
        self.findings.iter().filter(|it| it.before).count()
    }

    /// How much of what stands against it is waived.
    pub fn waived(&self) -> usize {
        self.findings.iter().filter(|it| it.waived.is_some()).count()
    }
}

/// How an audit stands to one that was made before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    /// Findings that were there before.
    pub before: usize,
    /// Packs that were not judged then, or in another version, and what follows.
    pub apart: Vec<Text>,
}

/// What somebody answers for although a clause speaks against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    /// The pack.
    pub pack: String,
    /// The clause.
    pub clause: String,
    /// What it covers, as whoever wrote it names it.
    pub subject: String,
    /// Why.
    pub reason: String,
    /// The last day on which it holds.
    pub until: Date,
    /// What became of it.
    pub state: WaiverState,
}

/// What became of a waiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaiverState {
    /// It covers so many findings.
    Applied(usize),
    /// It did not hold any more on that day.
    Expired(Date),
    /// It covers nothing, and why.
    Unused(Text),
}
