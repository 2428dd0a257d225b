//! What was sent while nobody asked for anything, or after consent was refused; and what is there and was not declared.

use crate::party::Rhythm;
use crate::{InputId, Locus, Text};

/// What a destination was sent in the inputs that were labelled with one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Talk {
    /// The state, as it was labelled: `idle`, `consent-refused`.
    pub state: Text,
    /// Index of the destination in the audit.
    pub destination: usize,
    /// The inputs of that state in which it was sent something.
    pub inputs: Vec<InputId>,
    /// Conversations in which it was sent something.
    pub flows: u64,
    /// Bytes to it on the wire.
    pub bytes_up: u64,
    /// Connections that came round by the clock, if they did.
    pub rhythm: Option<Rhythm>,
    /// The fields of data that went there, sorted.
    pub fields: Vec<Text>,
    /// The exposures, by index.
    pub exposures: Vec<usize>,
    /// What no input that was labelled `active` shows; `None` where none was.
    pub beyond: Option<Beyond>,
    /// Where the first of those conversations begin.
    pub evidence: Vec<Locus>,
}

/// What is in one state and not in another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beyond {
    /// The destination itself was sent nothing while active.
    pub destination: bool,
    /// Fields that it was not sent while active.
    pub fields: Vec<Text>,
}

/// What a declaration leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undeclared {
    /// What sort of thing.
    pub what: Omission,
    /// Who, where, or what kind of datum.
    pub subject: Text,
    /// Index of the destination in the audit.
    pub destination: usize,
    /// The exposures, by index.
    pub exposures: Vec<usize>,
    /// Why it is said.
    pub because: Text,
    /// Where.
    pub evidence: Vec<Locus>,
}

/// What may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Omission {
    /// A party that was sent something.
    Recipient,
    /// A country in which a machine stands.
    Country,
    /// A kind of datum.
    Field,
}
