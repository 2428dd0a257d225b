//! What became of what an audit showed, in a later one.

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It was not there before.
    New,
    /// It is still there.
    NotFixed,
    /// It is not seen, and whether it is gone cannot be told.
    NotExercised,
    /// It is gone although it would have been seen.
    Fixed,
}

/// What a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// The outcome of a clause.
    Verdict,
    /// A datum and who can read it.
    Exposure,
    /// A party that data went to.
    Destination,
}

/// Two numbers, one for each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Both {
    /// Before.
    pub before: u64,
    /// After.
    pub after: u64,
}

/// One thing, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What became of it.
    pub outcome: Outcome,
    /// What it is.
    pub what: What,
    /// It, in words of no run.
    pub subject: String,
    /// Why that is said.
    pub because: String,
    /// Its indices in the audit before: exposures, or destinations where it is one.
    pub before: Vec<usize>,
    /// Those in the audit after.
    pub after: Vec<usize>,
    /// The runs in which it could have been seen.
    pub runs: Both,
    /// Of those, the runs in which it was seen.
    pub seen: Both,
    /// The probability to see it in none of the runs after had nothing changed; `None` where it was seen, or could not be.
    pub miss_probability: Option<f64>,
}

/// All changes, the worst first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diff {
    /// The changes.
    pub changes: Vec<Change>,
    /// What could not be compared at all, and why.
    pub limits: Vec<String>,
}
