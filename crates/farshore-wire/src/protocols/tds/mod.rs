//! TDS: clients of Microsoft SQL Server, Sybase's heir, over TCP (MS-TDS, version 7).
//!
//! # What is extracted, and why it matters
//! Who logs in, with what, from where to where: `tds.user`, `tds.password` (its bits are turned round and a constant is added to them, for
//! which anybody has the recipe: section 2.2.6.4), `tds.workstation` and `tds.mac` of the machine, `tds.application`, `tds.server`,
//! `tds.database`; by NTLM `tds.user`, `tds.domain`, `tds.workstation`. Where neither end asked for encryption of all, every statement:
//! `tds.query`, and values bound to it, `tds.parameter.<name>`. TLS, in packets of its own and beside them, is handed on.
//!
//! # What is not
//! What statements bring back, tables that are sent in bulk, and bound values of kinds that stand behind one of an unknown kind.
//!
//! # How it is told
//! A client's first packet: one that begins to negotiate (section 2.2.6.5) with a version, or a login of version 7.

mod login;
mod statement;

use std::ops::Range;

use farshore_model::{Direction, Protection};

use super::lines::Line;
use super::{Begins, Dissector, FirstBytes, Gathered, Match, Opening, Piece, Progress, Protocol, Segment, Sink, Start, ntlm};
use crate::limits::Limits;

/// TDS.
pub static TDS: Tds = Tds;

/// TDS, as a [`Protocol`].
#[derive(Debug)]
pub struct Tds;

impl Protocol for Tds {
    fn id(&self) -> &'static str {
        "tds"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        opening.by_either_side(told)
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::of(&[LOGIN, NEGOTIATION]))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        let turned = matches!(opening.start, Start::Stream { up, down } if told(up) != Match::Yes && told(down) == Match::Yes);
        Box::new(Session {
            client: if turned { Direction::Down } else { Direction::Up },
            told: false,
            sides: Default::default(),
            longest: limits.message_bytes,
        })
    }
}

/// Kinds of packets (section 2.2.3.1.1).
const BATCH: u8 = 0x01;
const CALL: u8 = 0x03;
const LOGIN: u8 = 0x10;
/// What proves who somebody is, where one message does not do.
const PROOF: u8 = 0x11;
const NEGOTIATION: u8 = 0x12;
/// Contents of TLS records (RFC 8446, section 5.1): no packet is of such a kind.
const RECORDS: std::ops::RangeInclusive<u8> = 0x14..=0x17;
/// Bytes before what a packet holds, and before what a record holds.
const HEAD: usize = 8;
const RECORD_HEAD: usize = 5;

/// Whether a client begins thus.
fn told(bytes: &[u8]) -> Match {
    let at = |place: usize, fits: &dyn Fn(u8) -> bool| bytes.get(place).is_none_or(|it| fits(*it));
    let zero = |it: u8| it == 0;
    // A status, a length, the process (which is the server's to say), a number, and a byte for later.
    let head = at(1, &|it| it <= 1) && at(4, &zero) && at(5, &zero) && at(6, &|it| it <= 1) && at(7, &zero);
    let length = match *bytes {
        [_, _, high, low, ..] => usize::from(u16::from_be_bytes([high, low])),
        _ => HEAD + 26,
    };
    let (fits, enough) = match bytes.first() {
        // The first of what is negotiated is the version, in six bytes; places are counted from the list, the low ones.
        Some(&NEGOTIATION) => (
            length < 4096 && at(8, &zero) && at(9, &zero) && at(11, &zero) && at(12, &|it| it == 6),
            13,
        ),
        // A length, low byte first, and the version of the protocol.
        Some(&LOGIN) => (
            at(15, &|it| (0x70..=0x7f).contains(&it)) && at(11, &zero) && bytes.len().min(length) <= 1 << 16,
            16,
        ),
        _ => return Match::No,
    };
    match head && fits && length >= HEAD + 26 {
        true if bytes.len() >= enough => Match::Yes,
        true => Match::Maybe,
        false => Match::No,
    }
}

/// What bytes that are passing belong to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Unit {
    /// A packet that nobody needs.
    #[default]
    Idle,
    /// A packet of this kind, the last of its message or not.
    Packet(u8, bool),
    /// One that negotiates: what it holds is not known before its first byte.
    Negotiation,
    /// TLS.
    Tls,
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    /// The head of the packet, as far as it is there.
    head: [u8; HEAD],
    have: usize,
    /// Bytes of the packet still to come.
    left: usize,
    unit: Unit,
    /// What negotiates is TLS by now.
    upgraded: bool,
    /// What packets of one message hold.
    message: Gathered,
    clipped: bool,
}

/// One flow.
#[derive(Debug)]
struct Session {
    client: Direction,
    told: bool,
    sides: [Side; 2],
    longest: usize,
}

impl Dissector for Session {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        if !std::mem::replace(&mut self.told, true) {
            out.client_speaks(self.client);
        }
        // Lengths lead from packet to packet: after a loss nothing is certain any more.
        let Segment::Bytes(piece) = it else { return Progress::Lost };
        let client = direction == self.client;
        let side = direction.of_mut(&mut self.sides);
        let mut at = 0_usize;
        while at < piece.bytes.len() {
            let Some(end) = side.step(&piece, at, direction, client, self.longest, out) else {
                return Progress::Lost;
            };
            at = end;
        }
        Progress::More
    }
}

impl Side {
    /// Takes what belongs together of a piece; where the next begins.
    fn step(
        &mut self,
        piece: &Piece<'_>,
        at: usize,
        direction: Direction,
        client: bool,
        longest: usize,
        out: &mut dyn Sink,
    ) -> Option<usize> {
        if self.left == 0 {
            return self.begin(piece, at, direction, out);
        }
        let end = at.saturating_add(self.left).min(piece.bytes.len());
        self.left = self.left.saturating_sub(end.saturating_sub(at));
        let part = piece.part(at..end);
        if self.unit == Unit::Negotiation {
            self.upgraded |= part.bytes.first().is_some_and(|it| RECORDS.contains(it));
            self.unit = if self.upgraded { Unit::Tls } else { Unit::Idle };
        }
        match self.unit {
            Unit::Tls => out.inner(direction, "tls", Segment::Bytes(part)),
            Unit::Packet(kind, last) if client => {
                if self.message.len().saturating_add(part.bytes.len()) > longest {
                    if !std::mem::replace(&mut self.clipped, true) {
                        out.limit("message-bytes");
                    }
                } else if !self.clipped {
                    self.message.push(&part);
                }
                if self.left == 0 && last {
                    if !std::mem::take(&mut self.clipped) {
                        read(kind, &Line::all(&self.message), out);
                    }
                    self.message.clear();
                }
            }
            Unit::Packet(..) | Unit::Idle | Unit::Negotiation => {}
        }
        Some(end)
    }

    /// Takes a byte of a head.
    fn begin(&mut self, piece: &Piece<'_>, at: usize, direction: Direction, out: &mut dyn Sink) -> Option<usize> {
        let end = at.saturating_add(1);
        *self.head.get_mut(self.have)? = *piece.bytes.get(at)?;
        self.have = self.have.saturating_add(1);
        let [kind, status, high, low, low_record, ..] = self.head;
        let sealed = RECORDS.contains(&kind);
        if sealed {
            out.inner(direction, "tls", Segment::Bytes(piece.part(at..end)));
        }
        if self.have < if sealed { RECORD_HEAD } else { HEAD } {
            return Some(end);
        }
        self.have = 0;
        if sealed {
            self.left = usize::from(u16::from_be_bytes([low, low_record]));
            self.unit = Unit::Tls;
            return Some(end);
        }
        self.left = usize::from(u16::from_be_bytes([high, low])).checked_sub(HEAD)?;
        self.unit = match kind {
            NEGOTIATION => Unit::Negotiation,
            BATCH | CALL | LOGIN | PROOF => Unit::Packet(kind, status & 1 != 0),
            0x02..=0x0f => Unit::Idle,
            _ => return None,
        };
        Some(end)
    }
}

/// Tells a client's message.
fn read(kind: u8, all: &Line<'_>, out: &mut dyn Sink) {
    // What could be read before a message breaks off stands.
    let _ = match kind {
        LOGIN => login::read(all, out),
        CALL => statement::call(all, out),
        BATCH => statement::batch(all, out),
        _ => {
            login::names(all, 0..all.text().len(), out);
            Ok(())
        }
    };
}

/// Tells text that stands in UTF-16.
fn tell_wide(path: &str, all: &Line<'_>, at: Range<usize>, out: &mut dyn Sink) {
    if let Some(text) = ntlm::widened(all.get(at.clone())) {
        out.decoded(ntlm::WIDE);
        all.tell_as(path, &text, at, out);
        out.decoded(&[]);
    }
}

#[cfg(test)]
mod tests;
