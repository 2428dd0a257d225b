//! Facts to meaning: identifiers, parties, exposures, verdicts.

pub mod parties;
