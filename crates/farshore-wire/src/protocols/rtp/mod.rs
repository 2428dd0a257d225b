//! RTP found without signalling (RFC 3550, RFC 3551), and whether it can be heard.
//!
//! # What is extracted, and why it matters
//! Each source of a flow is one [`Observation::Media`](farshore_model::Observation::Media): SSRC, payload type, codec
//! where the type is static or the payloads show it, packets, and whether anyone on the path can turn it back into sound. G.711, G.722, L16 and
//! Opus are decoded, hashed (with silence where packets are missing), and put to a test that cipher
//! text fails (stated in `g711.rs` and `trial.rs`, with its error), because their decoders make something of any bytes. A voice that can be heard is the
//! gravest thing a capture of a call can show, so it is said only when shown. A dynamic payload type is taken for Opus when its packets
//! last, by their own framing (RFC 6716, section 3), as long as the clock says, too often for chance.
//!
//! Payloads that repeat block by block, as only a cipher without chaining makes them repeat, are the anomaly `media-repeated-blocks`
//! (`blocks.rs`).
//!
//! # What is not
//! Other codecs are not decoded: `cannot-tell`, never `no`: statistics alone do not show encryption. So it is with media whose
//! frames are encrypted below their framing, as conferences do it: it is named and not heard. Streams
//! of telephone events alone, of SSRC 0. RTCP on the same port is handed on to its own reader. Under SRTP (RFC 3711) the header is in clear as well, so this finds SRTP too; a payload longer
//! than its samples by what a tag takes is said to be that.
//!
//! # The test a flow must pass
//! Among its latest 16 datagrams, some 5 of one direction with version 2, one SSRC other than 0 and one payload type
//! (not 64 to 95, RFC 5761; headers with CSRCs and extensions that fit the datagram), in sequence with steps of 1 to 8, copies
//! aside, and either
//! - *like audio*: the timestamp goes on by one same step per packet, 40 to 11520 ticks and not 256, but where the marker
//!   says that a talk spurt begins; or
//! - *like video*: packets of one picture share their timestamp, the last alone carries the marker, pictures are 10 ms
//!   to 10 s apart at 90 kHz; two pictures begin and one has several packets; or
//! - *like samples*: each payload takes the same number of bytes, 1 to 12, for each tick until the next, whatever it lasts.
//!
//! For PCMU, PCMA, G.722, GSM and G.729 four packets are enough, whose steps may differ, but each payload must be as long as the
//! step behind it takes, or longer by one same tag of at most 20 bytes; else the flow is not RTP, however it counts.
//!
//! *Error*. Independent even bytes: each packet after the first agrees with it in version, type and SSRC at 2^-41, is in
//! sequence at 2^-13 and in time at 2^-18 or less: three such packets 2^-216, times the 2^11 ways to choose 4 of 16. What
//! remains are formats with the same
//! shape: a constant first byte from 0x80 to 0xbf, a counter at byte 2, at byte 4 a clock in even steps and a constant at byte 8.
//! A packet header in which the clock is wall time does not pass, nor one whose counter is little-endian, of 32 bits, or moves
//! by packets of both directions more than 8 apart.

mod blocks;
mod g711;
mod g722;
mod kept;
mod opus;
mod packet;
mod pictures;
mod recognition;
mod sealed;
mod sound;
mod streams;
mod trial;

pub use self::trial::Tried;

use farshore_model::{Protection, Transport};

use self::streams::Streams;
use super::{Begins, Dissector, FirstBytes, Match, Opening, Protocol, Start};
use crate::limits::Limits;

/// RTP.
pub static RTP: Rtp = Rtp;

/// RTP, as a [`Protocol`].
#[derive(Debug)]
pub struct Rtp;

impl Protocol for Rtp {
    fn id(&self) -> &'static str {
        "rtp"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Datagrams(window) if opening.transport == Transport::Udp && recognition::is_rtp(window) => Match::Yes,
            Start::Datagrams(_) if opening.transport == Transport::Udp => Match::Maybe,
            Start::Datagrams(_) | Start::Stream { .. } => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins::datagram(FirstBytes::range(0x80, 0xbf))
    }

    fn protection(&self) -> Protection {
        Protection::Opaque
    }

    fn start(&self, opening: &Opening<'_>, _: &Limits) -> Box<dyn Dissector> {
        Box::new(Streams::new(opening.client_port, opening.server_port))
    }
}

#[cfg(test)]
mod tests;
