//! HTTP/3 (RFC 9114): the streams of a QUIC connection that keys opened.
//!
//! # What is extracted, and why it matters
//! The same as of HTTP/1 and HTTP/2, in the same words: every request as an
//! [`Observation::Request`](farshore_model::Observation::Request) of version `3`, host from `:authority`, path and query from
//! `:path`; every header, cookie, form and body under the paths that `http` lists. Places count in the stream that said it.
//!
//! # What is not
//! Pictures, sound, video and fonts; promised requests, which nobody sent; what runs through a `CONNECT`, but for a WebSocket (RFC 9220); datagrams
//! (RFC 9297). Headers that rest on a part of the table that was not captured.
//!
//! # Gaps
//! A gap inside a body's frame is counted off. Any other ends the reading of its stream; on the stream that builds the table, it ends
//! the reading of all headers that rest on what comes after it.

mod conversation;
mod qpack;
mod tables;

use farshore_model::Protection;

use self::conversation::Conversation;
use super::{Begins, Dissector, FirstBytes, Match, Opening, Protocol, Start};
use crate::limits::Limits;

/// HTTP/3.
pub static HTTP3: Http3 = Http3;

/// HTTP/3, as a [`Protocol`].
#[derive(Debug)]
pub struct Http3;

impl Protocol for Http3 {
    fn id(&self) -> &'static str {
        "http3"
    }

    /// Only whoever knows the streams apart can hand them over.
    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Stream { .. } | Start::Datagrams(_) => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::NONE)
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn is_multiplexed(&self) -> bool {
        true
    }

    fn start(&self, _: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        Box::new(Conversation::new(limits))
    }
}

#[cfg(test)]
mod tests;
