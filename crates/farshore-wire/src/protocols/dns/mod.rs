//! DNS: names asked for and what they were bound to, over UDP and TCP (RFC 1035, RFC 7766), and its two relatives on
//! the local link, multicast DNS (RFC 6762) and LLMNR (RFC 4795), under names of their own.
//!
//! # What is extracted, and why it matters
//! Every question of a query is an [`Observation::NameAsked`]: whoever is on the path to the resolver, and the
//! resolver, learn which services are about to be used. Every answer record is an [`Observation::NameBound`]: it
//! ties the addresses of later flows to a name. The names asked are fields (`dns.question`) because tunnels and
//! telemetry put data in them, and so are strings in answers (`dns.answer.txt`) and the client's network where a
//! resolver passes it on (`dns.edns.client-subnet`, RFC 7871). A device that answers for its own address on the local
//! link tells its name: `mdns.host-name`. The zone of an UPDATE or NOTIFY counts as asked.
//!
//! # What is not
//! Authority and additional records, signatures, NetBIOS names. A response's questions are not asked by anyone: only
//! queries make [`Observation::NameAsked`].
//!
//! # How it is told
//! On port 53 (or the relatives' ports): a header that a DNS speaker could have sent, and a first question or record
//! without a flaw. On any other port: an everyday query or response, whole and consumed to its last byte.
//!
//! # Two answers to one query
//! An answer forged on the path comes before the genuine one: two that differ are told as `interference-dns-answer`
//! (`answers.rs` says when).
//!
//! # Other carriers
//! Inside TLS, QUIC or HTTP another protocol has to say so; the names are then told as `dot`, `doq`, `doh`.

mod answers;
mod message;
mod name;
mod record;
mod service;

use std::ops::Range;

use farshore_model::ledger::Severity;
use farshore_model::{Direction, Observation, Protection, Span, Transport};

use self::answers::Answers;
use self::message::{Header, Message, Section};
use self::name::Flaw;
use super::lane::Lane;
use super::{Begins, Dissector, Field, Gathered, Match, Opening, Piece, Progress, Protocol, Segment, Sink, Start};
use crate::cursor::Cursor;
use crate::limits::Limits;

/// Unicast DNS.
pub static DNS: Resolver = Resolver { id: "dns", port: 53 };

/// Link-local multicast name resolution.
pub static LLMNR: Resolver = Resolver { id: "llmnr", port: 5355 };

/// Multicast DNS.
pub static MDNS: Resolver = Resolver { id: "mdns", port: 5353 };

/// Ports whose messages look like DNS and are not: NetBIOS names, multicast DNS, LLMNR.
const RELATIVES: [u16; 3] = [137, 5353, 5355];

/// DNS or a relative, as a [`Protocol`].
#[derive(Debug)]
pub struct Resolver {
    id: &'static str,
    port: u16,
}

impl Protocol for Resolver {
    fn id(&self) -> &'static str {
        self.id
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        let ports = [opening.client_port, opening.server_port];
        // Multicast goes by datagrams: over TCP its port is like any other.
        let stream = opening.transport == Transport::Tcp;
        let own = ports.contains(&self.port) && !(stream && self.port == MDNS.port);
        let relative = |port: &u16| RELATIVES.contains(port) && !(stream && *port == MDNS.port);
        if !own && (self.port != DNS.port || ports.iter().any(relative)) {
            return if matches!(opening.start, Start::Hinted) {
                Match::Yes
            } else {
                Match::No
            };
        }
        let told = |bytes: &[u8]| {
            let header = Header::read(&mut Cursor::new("dns", bytes)).is_ok_and(|it| if own { it.is_plausible() } else { it.is_strict() });
            header && Message::read(bytes).is_some_and(|it| if own { it.is_plausible() } else { it.is_strict() })
        };
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Datagrams(list) if opening.transport == Transport::Udp => {
                if list.last().is_some_and(|(_, bytes)| told(bytes)) {
                    Match::Yes
                } else {
                    Match::No
                }
            }
            Start::Datagrams(_) => Match::No,
            Start::Stream { up, down } => match (framed(up, own), framed(down, own)) {
                (Match::Yes, Match::Yes | Match::Maybe) | (Match::Maybe, Match::Yes) => Match::Yes,
                (Match::No, _) | (_, Match::No) => Match::No,
                (Match::Maybe, Match::Maybe) => Match::Maybe,
            },
        }
    }

    fn begins(&self) -> Begins {
        Begins::ANYHOW
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        let inside = |layer| opening.layers.contains(&layer);
        let (protocol, framed) = match opening.start {
            Start::Datagrams(_) => (self.id, false),
            Start::Stream { .. } => (self.id, true),
            Start::Hinted if ["http", "http2", "http3"].into_iter().any(inside) => ("doh", false),
            Start::Hinted if inside("quic") => ("doq", true),
            Start::Hinted if inside("tls") => ("dot", true),
            Start::Hinted => (self.id, opening.transport == Transport::Tcp),
        };
        Box::new(Conversation {
            id: self.id,
            protocol,
            framed,
            message_bytes: limits.message_bytes,
            lanes: None,
            told: Flaws::default(),
            answers: Answers::default(),
        })
    }
}

/// Whether a stream begins with a message behind its length (RFC 1035, section 4.2.2). On other ports the first
/// message must be there whole: waiting for it would hold up the search for what else the flow may be.
fn framed(bytes: &[u8], own: bool) -> Match {
    let mut it = Cursor::new("dns", bytes);
    let Ok(length) = it.u16() else { return Match::Maybe };
    if length < 12 {
        return Match::No;
    }
    let have = it.left().min(usize::from(length));
    let whole = have == usize::from(length);
    if have == 0 {
        return Match::Maybe;
    }
    if !own && !whole {
        return Match::No;
    }
    let Ok(bytes) = it.take(have) else { return Match::Maybe };
    let Ok(header) = Header::read(&mut Cursor::new("dns", bytes)) else {
        return Match::Maybe;
    };
    let told = Message::read(bytes).is_some_and(|it| if own { it.is_plausible() } else { it.is_strict() });
    match told {
        true => Match::Yes,
        false if whole || !header.is_plausible() => Match::No,
        false => Match::Maybe,
    }
}

/// A message as far as it was captured.
struct Part<'a> {
    bytes: &'a [u8],
    missing: usize,
}

impl<'a> Part<'a> {
    const fn of(piece: &Piece<'a>) -> Self {
        Self {
            bytes: piece.bytes,
            missing: piece.missing,
        }
    }
}

/// A flow of messages.
#[derive(Debug)]
struct Conversation {
    /// First part of every path.
    id: &'static str,
    /// Name in observations.
    protocol: &'static str,
    /// Whether a length stands before each message.
    framed: bool,
    message_bytes: usize,
    /// Of a stream alone: datagrams need none, and are what millions of flows consist of.
    lanes: Option<Box<[Lane; 2]>>,
    told: Flaws,
    answers: Answers,
}

/// Flaws already told: one of a kind tells as much as a thousand. By number in [`ODD`].
#[derive(Debug, Default)]
struct Flaws([bool; ODD.len()]);

/// What may be odd about a message, and in which words that is told.
const ODD: [(&str, &str); 5] = [
    ("dns-cut", "the message ends before its counts and lengths say"),
    ("dns-name-long", "a name is longer than 255 bytes and was clipped"),
    (
        "dns-name-pointer",
        "a compression pointer does not point back; the name was clipped there",
    ),
    ("dns-name-label", "a label is of a type nobody uses; the name was clipped there"),
    ("dns-record", "a record's data does not fit its type"),
];

impl Dissector for Conversation {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        if !self.framed {
            if let Segment::Bytes(piece) = it {
                self.message(direction, &Part::of(&piece), &|range| piece.origin.span(range), out);
            }
            return Progress::More;
        }
        let lane = direction.of_mut(self.lanes.get_or_insert_default());
        if !lane.take(&it, |bytes| framed(bytes, true) == Match::Yes) {
            return Progress::More;
        }
        let mut gathered = std::mem::take(&mut lane.gathered);
        let progress = self.messages(direction, &mut gathered, out);
        direction.of_mut(self.lanes.get_or_insert_default()).gathered = gathered;
        progress
    }

    /// Of a datagram nothing is remembered but what it asked: an answer that comes much later is read without.
    fn may_rest(&self) -> bool {
        !self.framed && self.told.0 == Flaws::default().0
    }

    fn is_owed(&self) -> bool {
        self.answers.are_owed()
    }
}

impl Conversation {
    /// Takes every whole message off the front.
    fn messages(&mut self, direction: Direction, gathered: &mut Gathered, out: &mut dyn Sink) -> Progress {
        loop {
            let bytes = gathered.bytes();
            let Some((&[high, low], rest)) = bytes.split_first_chunk::<2>() else {
                return Progress::More;
            };
            let length = usize::from(u16::from_be_bytes([high, low]));
            if length > self.message_bytes {
                out.limit("message-bytes");
                return Progress::Lost;
            }
            let Some(message) = rest.get(..length) else {
                return Progress::More;
            };
            let shifted = |range: Range<usize>| gathered.span(range.start.saturating_add(2)..range.end.saturating_add(2));
            let message = Part {
                bytes: message,
                missing: 0,
            };
            self.message(direction, &message, &shifted, out);
            gathered.consume(length.saturating_add(2));
        }
    }

    fn message(&mut self, direction: Direction, it: &Part<'_>, place: &dyn Fn(Range<usize>) -> Span, out: &mut dyn Sink) {
        let bytes = it.bytes;
        let Some(message) = Message::read(bytes).filter(|it| it.header.is_plausible()) else {
            return;
        };
        let whole = || place(0..bytes.len());
        // What the capture cut short is no fault of the message.
        let own = |flaw: &Flaw| *flaw != Flaw::Cut || it.missing == 0;
        if let Some(flaw) = message
            .flaw
            .or_else(|| message.questions.iter().find_map(|it| it.name.flaw))
            .filter(own)
        {
            self.flaw(flaw, whole(), out);
        }
        let response = message.header.is_response();
        // Multicast answers go to everybody, so they do not tell who opened the flow.
        if self.id != MDNS.id && !message.questions.is_empty() {
            out.client_speaks(if response { direction.reverse() } else { direction });
        }
        if !response {
            self.questions(&message, place, out);
        }
        self.records(&message, bytes, response, place, out);
        // Over the local link several may answer, and in a stream nobody else can.
        if self.protocol == DNS.id
            && !self.framed
            && it.missing == 0
            && let Some(it) = self.answers.message(&message, bytes, out.mark(), whole())
        {
            out.interference("interference-dns-answer", it.because, it.places);
        }
    }

    fn questions(&self, message: &Message, place: &dyn Fn(Range<usize>) -> Span, out: &mut dyn Sink) {
        for question in &message.questions {
            let at = place(question.name.text_place());
            out.observe(
                Observation::NameAsked {
                    protocol: self.protocol,
                    name: question.name.text(),
                    record: record::type_name(question.kind),
                },
                at,
            );
            out.field(Field {
                path: &format!("{}.question", self.id),
                value: &question.name.dotted,
                at,
            });
        }
    }

    fn records(&mut self, message: &Message, bytes: &[u8], response: bool, place: &dyn Fn(Range<usize>) -> Span, out: &mut dyn Sink) {
        let asked = message.questions.first().map(|it| &it.name);
        for it in &message.records {
            let at = place(it.name.place.start..it.data.end);
            // On the link everyone answers for itself, and shows beforehand what it is going to (RFC 6762, sections 6 and 8.1).
            let own = if response {
                it.section != Section::Authority
            } else {
                it.section == Section::Authority
            };
            if self.id == MDNS.id && own && matches!(it.kind, record::A | record::AAAA) && it.name.flaw.is_none() {
                out.field(Field {
                    path: "mdns.host-name",
                    value: &it.name.dotted,
                    at: place(it.name.text_place()),
                });
            }
            match (it.section, it.kind) {
                (Section::Additional, record::OPT) => {
                    if let Some((subnet, range)) = record::client_subnet(bytes, &it.data) {
                        out.field(Field {
                            path: &format!("{}.edns.client-subnet", self.id),
                            value: subnet.as_bytes(),
                            at: place(range),
                        });
                    }
                }
                (Section::Answer, kind) if response => {
                    if let Some(flaw) = it.name.flaw {
                        self.flaw(flaw, at, out);
                    }
                    let Some(value) = record::value(bytes, kind, &it.data) else {
                        self.odd(4, at, out);
                        continue;
                    };
                    out.observe(
                        Observation::NameBound {
                            protocol: self.protocol,
                            question: asked.unwrap_or(&it.name).text(),
                            name: it.name.text(),
                            record: record::type_name(kind),
                            value,
                            ttl: it.ttl,
                        },
                        at,
                    );
                    if kind == 16 {
                        self.strings(bytes, &it.data, place, out);
                    }
                }
                _ => {}
            }
        }
    }

    /// The strings of a TXT record.
    fn strings(&self, bytes: &[u8], data: &Range<usize>, place: &dyn Fn(Range<usize>) -> Span, out: &mut dyn Sink) {
        let mut it = Cursor::new("dns", bytes.get(data.clone()).unwrap_or_default());
        while let Ok(value) = record::string(&mut it) {
            let end = data.start.saturating_add(it.offset());
            out.field(Field {
                path: &format!("{}.answer.txt", self.id),
                value,
                at: place(end.saturating_sub(value.len())..end),
            });
        }
    }

    fn flaw(&mut self, flaw: Flaw, at: Span, out: &mut dyn Sink) {
        let number = match flaw {
            Flaw::Cut => 0,
            Flaw::Long => 1,
            Flaw::Pointer => 2,
            Flaw::Label => 3,
        };
        self.odd(number, at, out);
    }

    fn odd(&mut self, number: usize, at: Span, out: &mut dyn Sink) {
        if let (Some((kind, because)), Some(told)) = (ODD.get(number), self.told.0.get_mut(number))
            && !std::mem::replace(told, true)
        {
            out.anomaly(kind, Severity::Warning, (*because).to_owned(), at);
        }
    }
}

#[cfg(test)]
mod tests;
