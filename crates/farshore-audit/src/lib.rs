//! Facts to meaning: identifiers, parties, exposures, verdicts.
//!
//! [`judge::judge`] is a pure function of the ledger, the data sets and the packs; [`identifiers`] runs while the
//! ledger is written, since raw values are not kept. This crate sees no packets and no JSON.

#![forbid(unsafe_code)]

pub mod destinations;
pub mod exposure;
pub mod identifiers;
pub mod judge;
pub mod naming;
pub mod parties;
pub mod policy;
