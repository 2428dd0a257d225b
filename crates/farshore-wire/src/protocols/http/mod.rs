//! HTTP/1.0 and HTTP/1.1 in clear (RFC 9110, RFC 9112), and what leaves inside it.
//!
//! # What is extracted, and why it matters
//! Every request is an [`Observation::Request`](farshore_model::Observation::Request): placed at its head, told when its
//! last byte was seen. Every value anyone on the path can read is a field: `http.host`, `http.path`, each
//! `http.query.<name>`, `http.cookie.<name>`, `http.authorization`, each `http.request.header.<name>` (cookies and
//! authorization only under their own paths; the names in a login by NTLM as `http.authorization.user` and its like, those of
//! the server in its challenge as `http.challenge.server`), each `http.form.<name>` of a form, the body as `http.request.body`
//! otherwise; likewise `http.response.header.<name>`, `http.set-cookie.<name>` and `http.response.body`. Values are as
//! sent: not percent-decoded. This is where identifiers, accounts and positions most often leave in clear. A request also
//! tells who the client is.
//!
//! # What is not
//! Pictures, sound, video and fonts; HTTP/0.9. HTTP/2 is read by its own folder, which tells its
//! values through `values` and `body` here. After `101 Switching Protocols` HTTP/2 is handed on when the answer names `h2c`
//! (RFC 7540, section 3.2), WebSocket when it names that, anything else is left alone. After a `CONNECT` that succeeded, TLS or HTTP inside is handed on, anything else
//! is left alone.
//!
//! # Gaps
//! A gap inside a body of known length is counted off; after any other, reading goes on where a captured segment
//! begins with a start line. What a cut head or body held before the cut is told.

pub(super) mod body;
mod exchange;
mod head;
pub(crate) mod recorded;
mod ssdp;
pub(super) mod values;

use farshore_model::{Protection, Transport};

use self::exchange::Exchange;
use self::head::Look;
pub(crate) use self::head::is_token;
pub use self::ssdp::SSDP;
use super::{Begins, Dissector, FirstBytes, Match, Opening, Protocol, Start};
use crate::limits::Limits;

/// HTTP/1.
pub static HTTP: Http = Http;

/// HTTP/1, as a [`Protocol`].
#[derive(Debug)]
pub struct Http;

impl Protocol for Http {
    fn id(&self) -> &'static str {
        "http"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Stream { up, down } if opening.transport == Transport::Tcp => {
                let looks = [up, down].map(|side| (!side.is_empty()).then(|| head::look(side)));
                match looks {
                    [Some(Look::Request | Look::Response), _] | [_, Some(Look::Request | Look::Response)] => Match::Yes,
                    [Some(Look::Open), _] | [_, Some(Look::Open)] | [None, None] => Match::Maybe,
                    [None | Some(Look::Other), None | Some(Look::Other)] => Match::No,
                }
            }
            Start::Stream { .. } | Start::Datagrams(_) => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::range(b'A', b'Z').and(b'\n', b'\n').and(b'\r', b'\r'))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        Box::new(Exchange::new(limits))
    }
}

#[cfg(test)]
mod tests;
