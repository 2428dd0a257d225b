//! farshore as a library: push frames, finish, judge.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use farshore::{Circumstances, Detecting, Reading, judge, read};
//!
//! let capture = std::fs::File::open("capture.pcapng")?;
//! let detectors = farshore::Detectors::new(&[], Detecting::default())?;
//! let ledger = read(capture, "capture.pcapng", &Reading::default(), &detectors, &mut |_| {})?;
//! let pack = farshore::policy::built_in(farshore::policy::DEFAULT).expect("built in")?;
//! let audit = judge(ledger, &Circumstances {
//!     data: farshore::Datasets::embedded(),
//!     packs: &[pack],
//!     scope: None,
//!     subject: None,
//!     basis: None,
//!     waivers: None,
//!     baseline: None,
//!     as_of: None,
//!     vantage: None,
//!     app: None,
//!     limits: farshore::JudgingLimits::default(),
//!     version: "0.1.0",
//!     show_pii: false,
//!     jobs: 1,
//! });
//! println!("{} destinations", audit.destinations.len());
//! # Ok(()) }
//! ```
//!
//! One input is one [`Auditor`]; ledgers of several inputs are joined with [`Ledger::merge`] in the order given, so
//! that inputs may be read side by side and the answer stays the same. No I/O happens here but reading what is
//! passed in.

#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod auditor;
mod copying;
pub mod keys;
mod live;
mod media;
mod notebook;
mod records;
mod rows;
mod shards;

pub use auditor::{Auditor, Reading, read};
pub use copying::{CopyError, copy};
pub use live::Live;
pub use media::{Studio, Tape, media_keys};
pub use rows::templates;

pub use farshore_audit::declared::{self, Declared};
pub use farshore_audit::diff;
pub use farshore_audit::discover::discover;
pub use farshore_audit::identifiers::{
    Detectors, DetectorsError, DigestKey, Known, KnownError, Limits as DetectingLimits, Options as Detecting, known,
};
pub use farshore_audit::inquiry::{self, Inquirer, Inquiry};
pub use farshore_audit::judge::{Circumstances, judge};
pub use farshore_audit::limits::Limits as JudgingLimits;
pub use farshore_audit::parties::{self, Datasets};
pub use farshore_audit::policy;
pub use farshore_audit::replies::Replies;
pub use farshore_audit::rules;
pub use farshore_audit::written::Mistake;
pub use farshore_model as model;
pub use farshore_model::{Audit, Ledger};
pub use farshore_sources::{FORMATS, Limits as SourceLimits, OpenError, Origin, ReadError, Templates};
pub use farshore_wire::protocols::PROTOCOLS;
pub use farshore_wire::recording;
pub use farshore_wire::{Filter, FilterError};
pub use farshore_wire::{Limits, MediaKeys, Secrets, limits};
