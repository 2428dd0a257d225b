//! What others say against what was found.

use crate::Date;

/// A dated statement of somebody, and what it is about. It moves no verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Whose words.
    pub by: String,
    /// The day on which they were said.
    pub date: Date,
    /// The words.
    pub statement: String,
    /// Where they can be read.
    pub source: Option<String>,
    /// The pack it speaks of.
    pub pack: Option<String>,
    /// The clause of it.
    pub clause: Option<String>,
    /// What it speaks of, as whoever handed it in names it.
    pub subject: Option<String>,
    /// Indices of the verdicts it is shown beside.
    pub verdicts: Vec<usize>,
    /// Indices of the destinations it speaks of.
    pub destinations: Vec<usize>,
}

impl Reply {
    /// Whether it is about nothing in the audit.
    pub const fn fits_nothing(&self) -> bool {
        self.verdicts.is_empty() && self.destinations.is_empty()
    }
}
