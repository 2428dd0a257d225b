//! HTTP/2 (RFC 9113) in clear: with prior knowledge, after an upgrade from HTTP/1, or handed on by whoever holds keys.
//!
//! # What is extracted, and why it matters
//! The same as of HTTP/1, in the same words: every request as an
//! [`Observation::Request`](farshore_model::Observation::Request) of version `2`, host from `:authority`, path and query
//! from `:path`; every header, cookie, form and body under the paths that `http` lists. gRPC in clear is this protocol.
//! A WebSocket on a stream (RFC 8441) is read as one on a connection of its own.
//! A value that stands as it is in the capture is placed at its bytes; one that was Huffman-coded or named by an index, at the
//! representation in the header block that said it.
//!
//! A request that the server promises is told with its answer, in the server's direction: no client sent it.
//!
//! # What is not
//! Pictures, sound, video and fonts; what runs through a `CONNECT`, but for a WebSocket; a flow whose beginning was not captured, because the header table is built up from there.
//!
//! # Gaps
//! A gap inside a body's frame is counted off. Any other ends the reading of its direction.

mod conversation;
pub(super) mod fields;
mod frame;
pub(super) mod half;
pub(super) mod hpack;
pub(super) mod huffman;

use farshore_model::{Protection, Transport};

use self::conversation::Conversation;
use super::{Begins, Dissector, FirstBytes, Match, Opening, Protocol, Start};
use crate::limits::Limits;

/// HTTP/2.
pub static HTTP2: Http2 = Http2;

/// HTTP/2, as a [`Protocol`].
#[derive(Debug)]
pub struct Http2;

impl Protocol for Http2 {
    fn id(&self) -> &'static str {
        "http2"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Stream { up: [], down: [] } if opening.transport == Transport::Tcp => Match::Maybe,
            Start::Stream { up, down } if opening.transport == Transport::Tcp => {
                // Of a silent side nothing follows.
                let sides = [up, down].map(|side| if side.is_empty() { Match::No } else { begins(side) });
                match sides {
                    [Match::Yes, _] | [_, Match::Yes] => Match::Yes,
                    [Match::Maybe, _] | [_, Match::Maybe] => Match::Maybe,
                    [Match::No, Match::No] => Match::No,
                }
            }
            Start::Stream { .. } | Start::Datagrams(_) => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::of(b"\0P"))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        Box::new(Conversation::new(limits))
    }
}

/// Whether a direction begins with the client's preface, or with the server's: settings that are known.
fn begins(stream: &[u8]) -> Match {
    let common = stream.len().min(frame::PREFACE.len());
    if stream.get(..common) == frame::PREFACE.get(..common) {
        return if common == frame::PREFACE.len() { Match::Yes } else { Match::Maybe };
    }
    frame::begins_with_settings(stream)
}

#[cfg(test)]
mod tests;
