//! Facts to meaning: identifiers, parties, exposures, verdicts.
//!
//! [`judge::judge`] is a pure function of the ledger, the data sets and the packs; [`identifiers`] runs while the
//! ledger is written, since raw values are not kept. This crate sees no packets and writes no JSON.

#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::todo
)]
// Tests count freely; the code under test is checked in the build without them.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

pub mod declared;
pub mod destinations;
pub mod diff;
pub mod discover;
pub mod ech;
pub mod exposure;
mod handshakes;
pub mod identifiers;
pub mod inquiry;
pub mod judge;
mod keys;
pub mod limits;
pub mod links;
pub mod naming;
pub mod parties;
pub mod physics;
pub mod policy;
pub mod recipients;
pub mod replies;
mod rhythm;
pub mod rules;
mod sides;
mod talk;
pub mod written;
