//! The nouns of farshore, and nothing else: what was seen (a [`Ledger`]) and what it means (an [`Audit`]).
//!
//! This crate depends on nothing. It refuses I/O, clocks and serialisation: every serialised form is a
//! versioned promise with its own types at the rim, so these stay free to change.
//!
//! Beside them stands how ceilings are declared ([`mod@ceilings`]), as every crate has some.
//!
//! Read in this order: [`frame`] (what was captured) and [`exchange`] (what was written down) and [`row`] (what was counted), [`flow`] (who talked to whom), [`observation`] and
//! [`sighting`] (what was said), [`ledger`] (all of it), then [`party`], [`exposure`], [`verdict`] and
//! [`audit`] (what it means).

#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

pub mod audit;
pub mod ceilings;
pub mod country;
pub mod coverage;
pub mod diff;
pub mod exchange;
pub mod exposure;
pub mod few;
pub mod flow;
pub mod frame;
pub mod identifier;
pub mod ledger;
pub mod link;
pub mod locus;
pub mod observation;
pub mod party;
pub mod reply;
pub mod row;
pub mod rows;
pub mod rules;
pub mod runs;
pub mod sighting;
pub mod talk;
pub mod text;
pub mod time;
pub mod verdict;

pub use audit::Audit;
pub use country::Country;
pub use coverage::Coverage;
pub use exchange::Exchange;
pub use exposure::{Answer, Exposure, Reader, ReaderRole};
pub use few::Few;
pub use flow::{Direction, Endpoint, Flow, FlowId, Protection, Transport};
pub use frame::{Frame, InputId, LinkType};
pub use identifier::{Discovery, Identifier, Role, Specimen};
pub use ledger::Ledger;
pub use link::Link;
pub use locus::{Locus, Span};
pub use observation::Observation;
pub use reply::Reply;
pub use row::Row;
pub use rows::Rows;
pub use runs::Runs;
pub use sighting::{DatumKind, Sighting};
pub use talk::{Talk, Undeclared};
pub use text::{Text, WireText};
pub use time::{Date, Timestamp};
pub use verdict::{Finding, Outcome, Subject, Verdict, Waiver};
