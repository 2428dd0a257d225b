//! Clauses and their outcomes.

use crate::Locus;

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
}
