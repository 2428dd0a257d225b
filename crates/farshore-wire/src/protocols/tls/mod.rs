//! TLS 1.0 to 1.3 and SSL 3.0 over TCP, with the hello of SSL 2.0; and their handshakes inside other protocols.
//!
//! **Extracted, and why.** The server name and whether an encrypted hello is there (where the client goes, as
//! everyone on the path sees it); version and suite (whether content can be read); certificates up to TLS 1.2 and, with keys, of
//! TLS 1.3 (who answers); what runs inside, where there are keys for it or the suite hides nothing; that names are asked for within, by ALPN or by the port that is kept for it; JA3 and JA4 of the client (the same software in two captures); the times of the hellos (how far the
//! answering machine can be).
//!
//! **Not extracted.** Records that no keys open: those of SSL 3.0, compressed ones, those of ciphers that `crypto` does not know;
//! alerts; tickets; the server's fingerprint. The handshake of pure SSL 2.0 is recognised by its hello alone. Whether an encrypted hello is meant or mere GREASE
//! needs other flows and is decided elsewhere.
//!
//! **Read after** RFC 8446 (TLS 1.3), RFC 5246 (TLS 1.2, appendix E.2 for the old hello), RFC 6101 (SSL 3.0),
//! RFC 6066 section 3 (server name), RFC 7301 (ALPN), RFC 8701 (GREASE), RFC 9849 (encrypted hello), RFC 7366 (encrypt-then-MAC),
//! RFC 7627 (extended master secret), and for what differs in DTLS RFC 6347 and RFC 9147.
//! A handshake that starts after clear text (STARTTLS and its kin) is found by its ClientHello; records of a stream whose beginning was not
//! captured by their lengths (`late.rs`).

mod ahead;
mod certificate;
mod dissect;
mod handshake;
mod ja;
mod kept;
mod keys;
pub(crate) mod late;
mod opened;
mod opener;
mod parse;
#[cfg(test)]
mod tests;

use farshore_model::Protection;

use self::dissect::{Bare, Kind, Record, Records};
use super::{Begins, Dissector, FirstBytes, Match, Opening, Protocol, Start};
use crate::limits::Limits;

/// The protocol.
pub static TLS: Tls = Tls;

/// TLS, as a [`Protocol`].
#[derive(Debug)]
pub struct Tls;

impl Protocol for Tls {
    fn id(&self) -> &'static str {
        "tls"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Stream { up, down } => match (begins(up), begins(down)) {
                (Match::Yes, _) | (_, Match::Yes) => Match::Yes,
                _ if upgrades(up) || upgrades(down) => Match::Yes,
                (Match::Maybe, _) | (_, Match::Maybe) => Match::Maybe,
                (Match::No, Match::No) => Match::No,
            },
            Start::Datagrams(_) => Match::No,
            Start::Hinted => Match::Yes,
        }
    }

    fn begins(&self) -> Begins {
        // Behind words in clear, too, and of a silent side nothing follows.
        Begins::stream(FirstBytes::ANY)
    }

    fn protection(&self) -> Protection {
        Protection::Tls
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        match (opening.start, opening.layers.last()) {
            (Start::Hinted, Some(&"quic")) => Box::new(Bare::new("quic", limits)),
            (Start::Hinted, Some(&"dtls")) => Box::new(Bare::new("dtls", limits)),
            _ => {
                let by_port = opening.layers == ["tcp"] && [opening.client_port, opening.server_port].contains(&RESOLVER_PORT);
                Box::new(Records::new("tls", opening.layers.last().copied(), limits).with_resolver(by_port))
            }
        }
    }
}

/// DNS over TLS (RFC 7858).
const RESOLVER_PORT: u16 = 853;

/// Whether a direction begins with records, or with a hello of version 2.
fn begins(stream: &[u8]) -> Match {
    let Some((header, rest)) = stream.split_first_chunk::<5>() else {
        // Five bytes make a header; fewer may still become one.
        let may = matches!(stream, [] | [20..=24] | [20..=24, 3, ..] | [0x80..=0xff, ..]);
        return if may { Match::Maybe } else { Match::No };
    };
    if dissect::is_version_2_hello(*header) {
        return Match::Yes;
    }
    let Some(record) = Record::read(*header, false) else {
        return Match::No;
    };
    if record.kind == Kind::Handshake && rest.first().is_some_and(|kind| parse::is_handshake_type(*kind)) {
        return Match::Yes;
    }
    // A capture that began later: five bytes prove little, a second header in its place proves it.
    let Some(after) = rest.get(record.length..) else {
        return Match::Maybe;
    };
    match after.first_chunk::<5>() {
        Some(next) if Record::read(*next, false).is_some() => Match::Yes,
        Some(_) => Match::No,
        None if after.is_empty() => Match::Yes,
        None => Match::Maybe,
    }
}

/// Whether a hello in a record stands behind words in clear (RFC 3207 and its kin), or behind the one request in
/// binary that is as plain (PostgreSQL's SSLRequest).
fn upgrades(stream: &[u8]) -> bool {
    const SSL_REQUEST: &[u8] = &[0, 0, 0, 8, 4, 210, 22, 47];
    let words = stream
        .iter()
        .position(|byte| !(byte.is_ascii_graphic() || byte.is_ascii_whitespace()))
        .unwrap_or(stream.len());
    let before = if stream.starts_with(SSL_REQUEST) {
        SSL_REQUEST.len()
    } else {
        words
    };
    let Some((header, message)) = stream.get(before..).and_then(<[u8]>::split_first_chunk::<5>) else {
        return false;
    };
    Record::read(*header, false).is_some_and(|record| record.kind == Kind::Handshake) && parse::is_evident(message) == Some(true)
}
