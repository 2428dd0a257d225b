//! Worlds with known truth: captures of a simulated world and what is true of them.
//!
//! A [`worlds::World`] has editions (before and after a fix). Recording one gives packet captures, a TLS key log and a
//! truth file that names every flow, stream and planted identifier by frame and offset. All of it follows from the
//! edition alone. Everything in a world is fictional: addresses are documentation ranges (RFC 5737), names end in
//! `.example` (RFC 2606). Refuses files, clocks and real randomness; the binary alone touches files.

#![allow(
    clippy::cast_possible_truncation,
    reason = "lengths and counters here are of our own making and far below their fields' limits"
)]

pub mod cells;
pub mod client;
pub mod clock;
pub mod crowd;
pub mod dns;
pub mod g711;
pub mod http;
pub mod net;
pub mod payload;
pub mod pcapng;
pub mod phone;
pub mod quic;
pub mod random;
pub mod relay;
pub mod rtp;
pub mod tcp;
pub mod tls;
pub mod token;
pub mod truth;
pub mod worlds;

pub use worlds::{Capture, Edition, Recording, WORLDS, World};
