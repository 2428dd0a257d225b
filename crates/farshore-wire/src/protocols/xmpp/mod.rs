//! XMPP: presence and messages (RFC 6120, RFC 6121), over TCP.
//!
//! # What is extracted, and why it matters
//! Where TLS is not begun everything is text: the server wanted `xmpp.server`, logins `xmpp.user`, `xmpp.password` (SASL, and
//! the older way of XEP-0078), who writes to whom `xmpp.from`, `xmpp.to`, addresses `xmpp.jid`, the list of contacts
//! `xmpp.contact`, devices `xmpp.resource`, and what is written `xmpp.body`. TLS behind STARTTLS is handed on.
//!
//! # What is not
//! Rooms, files, and of cards all but name, mail address and telephone number (`xmpp.card.…`); entities in text stay as they are written.
//!
//! # How it is told
//! The opening tag of a stream with one of the two namespaces such streams have; where that was missed, a stanza that holds
//! something of their namespaces.

mod tag;

use std::ops::Range;

use farshore_model::{Direction, Protection};

use self::tag::{Scan, Tag};
use super::lines::{self, Line};
use super::sasl::Sasl;
use super::{Begins, Dissector, FirstBytes, Gathered, Match, Opening, Progress, Protocol, Segment, Sink};
use crate::limits::Limits;

/// XMPP.
pub static XMPP: Xmpp = Xmpp;

/// XMPP, as a [`Protocol`].
#[derive(Debug)]
pub struct Xmpp;

impl Protocol for Xmpp {
    fn id(&self) -> &'static str {
        "xmpp"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        lines::either_way(opening, |up, _, _| told(up))
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::of(b"< \r\n\t\x0c"))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        Box::new(Conversation {
            longest: limits.message_bytes,
            lanes: Default::default(),
        })
    }
}

/// Bytes in which a stream has opened, if it is one.
const OPENING: usize = 512;

fn told(bytes: &[u8]) -> Match {
    let text = bytes.trim_ascii_start();
    let head = text.get(..OPENING).unwrap_or(text);
    let begins = |with: &[u8]| head.starts_with(with) || with.starts_with(head);
    let stanza = STANZAS.iter().any(|it| begins(it));
    if bytes.is_empty() || !(stanza || begins(b"<?xml") || begins(b"<stream:stream")) {
        return Match::No;
    }
    let holds = |what: &[u8]| head.windows(what.len()).any(|it| it == what);
    // A stream whose opening was before the capture.
    if stanza {
        return match NAMESPACES.iter().any(|it| holds(it)) {
            true => Match::Yes,
            false if text.len() < OPENING => Match::Maybe,
            false => Match::No,
        };
    }
    if holds(b"<stream:stream") && (holds(b"http://etherx.jabber.org/streams") || holds(b"jabber:")) {
        return Match::Yes;
    }
    if text.len() < OPENING { Match::Maybe } else { Match::No }
}

/// What streams consist of (RFC 6120, section 8), as far as a word tells.
const STANZAS: &[&[u8]] = &[b"<presence ", b"<message ", b"<iq "];
/// What stanzas hold is of these namespaces (XEP-0001 and the registry of the XMPP Registrar).
const NAMESPACES: &[&[u8]] = &[b"='jabber:", b"=\"jabber:", b"http://jabber.org/", b"urn:xmpp:", b"vcard-temp"];

/// One direction.
#[derive(Debug, Default)]
struct Lane {
    gathered: Gathered,
    scan: Scan,
    /// The element that began last: what follows is its text.
    element: Vec<u8>,
    /// What the next proof holds.
    sasl: Option<Sasl>,
    /// TLS has begun.
    upgraded: bool,
}

/// One flow.
#[derive(Debug)]
struct Conversation {
    longest: usize,
    lanes: [Lane; 2],
}

impl Dissector for Conversation {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let lane = direction.of_mut(&mut self.lanes);
        if lane.upgraded {
            out.inner(direction, "tls", it);
            return Progress::More;
        }
        let Segment::Bytes(piece) = it else {
            *lane = Lane::default();
            return Progress::More;
        };
        lane.gathered.push(&piece);
        loop {
            let bytes = lane.gathered.bytes();
            // No markup begins with the type of a TLS record; what stood before it was a whole tag.
            if bytes.first() == Some(&0x16) && lane.scan.is_fresh() {
                let rest = piece.last(bytes.len());
                lane.upgraded = true;
                out.protection(Protection::Tls);
                out.inner(direction, "tls", Segment::Bytes(rest));
                lane.gathered.clear();
                return Progress::More;
            }
            let Some(found) = lane.scan.next(bytes) else {
                if bytes.len() > self.longest {
                    out.limit("message-bytes");
                    *lane = Lane::default();
                }
                return Progress::More;
            };
            let end = found.tag.end;
            lane.take(direction, &found, out);
            lane.gathered.consume(end);
        }
    }
}

impl Lane {
    /// A tag, and the text before it.
    fn take(&mut self, direction: Direction, found: &tag::Found, out: &mut dyn Sink) {
        let all = Line::all(&self.gathered);
        let tag = Tag::read(all.text(), found.tag.clone());
        let name = all.get(tag.name.clone()).to_vec();
        if tag.closes {
            if self.element == name {
                let text = all.rest(found.text.start);
                let text = text.start..found.text.end.max(text.start);
                let trimmed = text.start..text.start.saturating_add(all.get(text.clone()).trim_ascii_end().len());
                text_of(&name, &all, trimmed, &mut self.sasl, out);
            }
            self.element.clear();
            return;
        }
        let attribute = |wanted: &[u8]| {
            tag.attributes
                .iter()
                .find(|(name, _)| all.get(name.clone()) == wanted)
                .map(|(_, value)| value.clone())
        };
        let mut tell = |path: &str, wanted: &[u8]| {
            if let Some(value) = attribute(wanted) {
                all.tell(path, bare(&all, value), out);
            }
        };
        match &name[..] {
            b"stream" => {
                tell("xmpp.server", b"to");
                tell("xmpp.from", b"from");
            }
            b"message" | b"presence" | b"iq" => {
                tell("xmpp.from", b"from");
                tell("xmpp.to", b"to");
            }
            b"item" => tell("xmpp.contact", b"jid"),
            b"auth" => {
                out.client_speaks(direction);
                self.sasl = attribute(b"mechanism").and_then(|it| Sasl::begin(all.get(it)));
            }
            _ => {}
        }
        self.element = if tag.empty { Vec::new() } else { name };
    }
}

/// An address without the device behind it (RFC 7622, section 3.1).
fn bare(all: &Line<'_>, address: Range<usize>) -> Range<usize> {
    let slash = all.get(address.clone()).iter().position(|byte| *byte == b'/');
    address.start..slash.map_or(address.end, |it| address.start.saturating_add(it))
}

/// The text of an element.
fn text_of(element: &[u8], all: &Line<'_>, range: Range<usize>, sasl: &mut Option<Sasl>, out: &mut dyn Sink) {
    let path = match element {
        b"jid" => return all.tell("xmpp.jid", bare(all, range), out),
        b"username" => "xmpp.user",
        b"password" => "xmpp.password",
        b"resource" => "xmpp.resource",
        b"body" => "xmpp.body",
        b"subject" => "xmpp.subject",
        // Cards (XEP-0054).
        b"USERID" => "xmpp.card.email",
        b"NUMBER" => "xmpp.card.phone",
        b"FN" => "xmpp.card.name",
        b"NICKNAME" => "xmpp.card.nickname",
        b"auth" | b"response" => {
            if let Some(it) = sasl.take() {
                *sasl = it.response("xmpp", all, range, out);
            }
            return;
        }
        _ => return,
    };
    all.tell(path, range, out);
}

#[cfg(test)]
mod tests;
