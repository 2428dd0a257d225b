//! Facts to meaning: identifiers, parties, exposures, verdicts.
