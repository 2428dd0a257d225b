//! QUIC versions 1 and 2, the drafts from 22 on, mvfst's numbers for them, and the hellos of Google's own QUIC.
//!
//! **Extracted, and why.** The handshake of Initial packets, opened with the keys that the client's first connection
//! id gives to anyone on the path, and handed to the TLS reader: server name, version, suite, fingerprints. The
//! connection id itself (a session, never a person). The server's name and the client's software from Google's
//! hello. A hello that was sent again, because it voids the reading of the round trip. With keys of a key log, 0-RTT, Handshake and 1-RTT
//! packets of all phases: the certificates, and what runs in the streams; also where a connection moved to other addresses, in
//! the flow in which it went on, by the ids that its ends gave each other (`paths.rs`).
//!
//! **Not extracted.** Packets under keys that are not public, where there is no key log; datagrams inside (RFC 9221). Of a
//! connection that moved to where none of its ends was before it is told, where keys are offered, that its packets look so
//! (`flow/headless.rs`). Drafts before the 22nd, whose headers differ. The server's
//! side of Google's versions, whose acknowledgements differ.
//!
//! **Read after** RFC 8999, RFC 9000, RFC 9001, RFC 9368, RFC 9369, the drafts of those, and for Google's QUIC what
//! `google.rs` names.

mod crypto_stream;
mod dissect;
mod google;
mod initial;
mod packet;
mod sealed;
mod streams;
#[cfg(test)]
mod tests;

use farshore_model::{Direction, Protection};

use self::packet::{Kind, Long};
use super::{Begins, Dissector, FirstBytes, Match, Opening, Protocol, Start};
use crate::limits::Limits;

/// The protocol.
pub static QUIC: Quic = Quic;

/// QUIC, as a [`Protocol`].
#[derive(Debug)]
pub struct Quic;

impl Protocol for Quic {
    fn id(&self) -> &'static str {
        "quic"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Datagrams(datagrams) => recognise(datagrams),
            Start::Stream { .. } => Match::No,
            Start::Hinted => Match::Yes,
        }
    }

    fn begins(&self) -> Begins {
        // A long header; a public one of Google's with a version in it.
        Begins::datagram(FirstBytes::range(0x80, 0xff).with(PUBLIC))
    }

    fn protection(&self) -> Protection {
        Protection::Quic
    }

    fn start(&self, _: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        Box::new(dissect::Connections::new(limits))
    }
}

/// Flags of Google's packets that name a version: an id of 8 bytes behind them, any length of the packet number.
const PUBLIC: FirstBytes = FirstBytes::of(&[
    0x09, 0x0d, 0x19, 0x1d, 0x29, 0x2d, 0x39, 0x3d, 0x49, 0x4d, 0x59, 0x5d, 0x69, 0x6d, 0x79, 0x7d,
]);

/// Packets of a datagram that are tried: opening one costs more than all other tests together.
const TRIED: u32 = 2;

/// What a datagram shows by itself, without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Evidence {
    None,
    /// It may lead to more.
    Conceivable,
    /// A packet of a known version whose lengths fit.
    Fits,
    /// Versions are negotiated, known ones among them.
    Negotiates,
}

fn evidence(datagram: &[u8]) -> Evidence {
    let mut found = if google::Header::read(datagram).is_some() {
        Evidence::Conceivable
    } else {
        Evidence::None
    };
    if !datagram.first().is_some_and(|first| Long::is_long(*first)) {
        return found;
    }
    let mut rest = datagram;
    while let Ok((it, after)) = Long::read(rest) {
        found = found.max(match it.kind {
            Kind::Negotiation { known: true } => return Evidence::Negotiates,
            Kind::Negotiation { known: false } => Evidence::Conceivable,
            // The bit that is fixed may be any where both sides agreed on it (RFC 9287): the version and the lengths tell.
            Kind::Initial { .. } | Kind::Early | Kind::Handshake | Kind::Retry => Evidence::Fits,
        });
        rest = after;
    }
    if is_reserved_version(datagram) {
        found.max(Evidence::Conceivable)
    } else {
        found
    }
}

/// An Initial that opens proves it. Else two packets of a known version whose lengths fit, each in its place. The latest
/// datagram must bring something new: those before it were the latest before.
fn recognise(datagrams: &[(Direction, &[u8])]) -> Match {
    let Some(((_, latest), before)) = datagrams.split_last() else {
        return Match::No;
    };
    match evidence(latest) {
        Evidence::Negotiates => Match::Yes,
        _ if is_google_hello(latest) || opens(latest) => Match::Yes,
        Evidence::Fits if before.iter().any(|(_, it)| evidence(it) >= Evidence::Fits) => Match::Yes,
        Evidence::Fits | Evidence::Conceivable => Match::Maybe,
        Evidence::None => Match::No,
    }
}

/// Whether one of its packets is an Initial that opens.
fn opens(datagram: &[u8]) -> bool {
    let (mut rest, mut room, mut tried) = (datagram, Vec::new(), 0);
    while tried < TRIED && rest.first().is_some_and(|first| Long::is_long(*first)) {
        let Ok((it, after)) = Long::read(rest) else { break };
        if matches!(it.kind, Kind::Initial { .. }) {
            tried = tried.saturating_add(1);
            if dissect::open_first(&it, &mut room).is_some() {
                return true;
            }
        }
        rest = after;
    }
    false
}

fn is_google_hello(datagram: &[u8]) -> bool {
    google::Header::read(datagram)
        .and_then(|header| datagram.get(header.body_at..))
        .is_some_and(|body| google::Hello::find(body).is_some())
}

/// Versions that exist to be refused (RFC 9000 section 15): a client that sends one comes back with another.
fn is_reserved_version(datagram: &[u8]) -> bool {
    matches!(datagram, [0xc0..=0xff, a, b, c, d, ..] if [a, b, c, d].iter().all(|byte| *byte & 0x0f == 0x0a))
}
