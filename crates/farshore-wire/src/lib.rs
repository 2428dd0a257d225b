//! Bytes to facts: frames are decoded, flows told apart, streams put in order, protocols read.
//!
//! From the outside in: [`link`] → [`net`] → [`transport`] → [`flow`] → [`stream`] → [`protocols`], driven by
//! [`Engine`]. Pure computation: no files, no clock, no sockets; hostile bytes are the normal input, and what
//! cannot be read ends in a [`Stop`] or an anomaly, never in a panic. It knows no law and no party.

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

mod content;
mod crypto;
pub mod cursor;
pub mod engine;
pub mod filter;
pub mod flow;
pub mod limits;
pub mod link;
pub mod media_keys;
mod media_names;
pub mod net;
pub mod packet;
mod paths;
pub mod protocols;
pub mod recording;
pub mod resumption;
pub mod router;
pub mod secrets;
pub mod shard;
pub mod stream;
pub mod transport;

pub use cursor::{Cursor, LimitSource, Stop};
pub use engine::{Engine, Readable, Recorder};
pub use filter::{Filter, FilterError};
pub use flow::recorded::Records;
pub use limits::Limits;
pub use media_keys::MediaKeys;
pub use protocols::Tried;
pub use resumption::Resumptions;
pub use router::Router;
pub use secrets::Secrets;
pub use shard::Shard;
