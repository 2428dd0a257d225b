//! WebSocket (RFC 6455) with its compression (permessage-deflate, RFC 7692), once HTTP has handed a connection over.
//!
//! # What is extracted, and why it matters
//! Every message as `websocket.sent` or `websocket.received`, and what it holds under it, as of a body: signalling of calls, chat and
//! telemetry of apps run here, long after the one request that is in the log of a proxy. Masking, which hides nothing (section 10.3),
//! is undone and told as a step, and so is the compression, with the context of the messages before. Messages of SIP (RFC 7118) are
//! handed on.
//!
//! # What is not
//! Control frames, extensions other than that compression, other protocols inside messages.
//!
//! # Gaps
//! A gap inside a payload is counted off and costs its message; in a direction that compresses, those after it as well, as they refer to
//! what is missing. Any other ends the reading of its direction.

mod messages;

use farshore_model::Protection;

pub(super) use self::messages::Messages;
use super::{Begins, Dissector, FirstBytes, Match, Opening, Protocol, Start};
use crate::limits::Limits;

/// WebSocket.
pub static WEBSOCKET: WebSocket = WebSocket;

/// WebSocket, as a [`Protocol`].
#[derive(Debug)]
pub struct WebSocket;

impl Protocol for WebSocket {
    fn id(&self) -> &'static str {
        "websocket"
    }

    /// Frames have no beginning of their own: only the handshake tells.
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

    fn start(&self, _: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        Box::new(Messages::new(limits))
    }
}

#[cfg(test)]
mod tests;
