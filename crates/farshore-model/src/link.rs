//! Who can be linked to whom, by whom, and by what.

use crate::{DatumKind, Locus, ReaderRole, Text};

/// Two clients that carried the same identifier where one observer can read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Who can tell.
    pub observer: ReaderRole,
    /// Who that is; empty for whoever is on the path.
    pub party: Text,
    /// A client: the user it was labelled with, else its address and input; where two apps of one client are linked, with the
    /// app.
    pub a: Text,
    /// The other.
    pub b: Text,
    /// What both carried.
    pub kind: DatumKind,
    /// Its number within its kind, as exposures count.
    pub number: u32,
    /// Clients among which each of the two is one: all that this observer saw carry the value.
    pub anonymity_set: usize,
    /// A place with the one and a place with the other.
    pub evidence: Vec<Locus>,
}

impl Link {
    /// Kind and number of what both carried: `room-id#1`.
    pub fn label(&self) -> String {
        format!("{}#{}", self.kind.as_str(), self.number)
    }
}
