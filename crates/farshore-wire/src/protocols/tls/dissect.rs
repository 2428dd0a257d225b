//! Bytes of a stream into records, and those in clear into handshake messages. It owns the record layer, its gaps and its way back into
//! step; it refuses to read what the messages say, and leaves records under keys to `opened`.

use std::ops::Range;

use farshore_model::Direction;

use super::ahead::{Ahead, Turn};
use super::handshake::{Handshake, Message};
use super::kept::{Kept, Said};
use super::keys::Lost;
use super::opened::{Opened, Sealed};
use super::parse;
use crate::limits::Limits;
use crate::protocols::{Dissector, Gathered, Milestone, Origin, Piece, Progress, Segment, Sink};

/// Bytes of a record header (RFC 8446 section 5.1).
const HEADER: usize = 5;

/// Longest record that is sent: 2^14 bytes, and what compression and ciphers of older versions may add
/// (RFC 5246 section 6.2.3).
const LONGEST_RECORD: usize = (1 << 14) + 2048;

/// A record header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) kind: Kind,
    pub(super) length: usize,
}

/// What a record carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    ChangeCipherSpec,
    Handshake,
    ApplicationData,
    /// Alerts and heartbeats.
    Other,
}

impl Record {
    /// Reads a header; `None` for what cannot be one. Under keys a change of ciphers may be as long as anything.
    pub(super) fn read(header: [u8; HEADER], sealed: bool) -> Option<Self> {
        let [kind, major, minor, high, low] = header;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let kind = match kind {
            20 if length == 1 || sealed => Kind::ChangeCipherSpec,
            21 | 24 => Kind::Other,
            22 => Kind::Handshake,
            23 => Kind::ApplicationData,
            _ => return None,
        };
        // Only application data may be empty (RFC 8446 section 5.1).
        let fits = length <= LONGEST_RECORD && (length > 0 || kind == Kind::ApplicationData);
        (major == 3 && minor <= 4 && fits).then_some(Self { kind, length })
    }
}

/// Whether bytes begin with a ClientHello in the format of SSL version 2 (RFC 5246 appendix E.2).
pub(super) fn is_version_2_hello(start: [u8; HEADER]) -> bool {
    let [high, low, kind, major, minor] = start;
    let length = u16::from_be_bytes([high & 0x7f, low]);
    // Nine bytes of fixed fields, one suite, the shortest challenge.
    high & 0x80 != 0 && kind == 1 && matches!((major, minor), (0, 2) | (3, 0..=3)) && (28..=0x0fff).contains(&length)
}

/// Reads TLS over a stream.
#[derive(Debug)]
pub(super) struct Records {
    up: Side,
    down: Side,
    handshake: Handshake,
    opened: Opened,
    /// What may be opened once it is known which session goes on here; whether there was no room for it.
    kept: Option<Kept>,
    refused: bool,
    /// A server's answer whose hello has not come yet.
    ahead: Option<Box<Ahead>>,
    longest_message: usize,
    most_kept: usize,
}

/// One direction.
#[derive(Debug)]
struct Side {
    reading: Reading,
    /// The last bytes taken for a header: while searching, a window that slides.
    window: Window,
    /// Handshake bytes not yet taken as messages.
    messages: Gathered,
    /// Handshake bytes may be ciphertext, or begin inside a message: only evident messages are believed.
    doubtful: bool,
    /// ChangeCipherSpec or application data went by.
    past: bool,
    /// Some of it was captured.
    begun: bool,
    /// Bytes passed while looking for a header.
    searched: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// The next byte belongs to a header.
    Header,
    /// Looking for a header, byte by byte.
    Search,
    /// Inside a record: so many bytes are left.
    Body { left: usize, what: What },
    /// Inside a hello of version 2: so many bytes are left.
    Version2 { left: usize },
}

/// What is done with the content of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// Read as handshake.
    Handshake,
    /// Gathered, and opened when it is whole.
    Sealed,
    /// Passed over.
    Pass,
}

#[derive(Debug, Default)]
struct Window {
    bytes: [u8; HEADER],
    filled: usize,
    /// Where the first byte came from, for the one message that begins in its header.
    origin: Option<Origin>,
}

impl Window {
    /// Adds a byte at the end; the first one falls out when all places are taken.
    fn push(&mut self, byte: u8) {
        if self.filled == HEADER {
            self.bytes.rotate_left(1);
        } else {
            self.filled = self.filled.saturating_add(1);
        }
        if let Some(place) = self.bytes.get_mut(self.filled.saturating_sub(1)) {
            *place = byte;
        }
    }

    fn full(&self) -> Option<[u8; HEADER]> {
        (self.filled == HEADER).then_some(self.bytes)
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Side {
    fn new() -> Self {
        Self {
            reading: Reading::Header,
            window: Window::default(),
            messages: Gathered::default(),
            doubtful: false,
            past: false,
            begun: false,
            searched: 0,
        }
    }

    fn enter(&mut self, record: Record, sealed: bool) {
        self.window.clear();
        self.searched = 0;
        match record.kind {
            _ if sealed => self.past = true,
            Kind::ChangeCipherSpec => {
                self.past = true;
                self.doubtful = true;
                self.messages.clear();
            }
            Kind::ApplicationData => self.past = true,
            Kind::Handshake | Kind::Other => {}
        }
        self.reading = Reading::Body {
            left: record.length,
            what: match record.kind {
                _ if sealed => What::Sealed,
                Kind::Handshake => What::Handshake,
                _ => What::Pass,
            },
        };
    }

    /// Where the reading stands after `n` bytes of a body with `left` to go.
    fn advance(&mut self, left: usize, n: usize, what: What) {
        self.reading = match left.saturating_sub(n) {
            0 => Reading::Header,
            left => Reading::Body { left, what },
        };
    }
}

impl Records {
    /// `below` names the layer the records run in.
    pub(super) fn new(protocol: &'static str, below: Option<&'static str>, limits: &Limits) -> Self {
        Self {
            up: Side::new(),
            down: Side::new(),
            handshake: Handshake::new(protocol),
            opened: Opened::new(below, limits),
            kept: None,
            refused: false,
            ahead: None,
            longest_message: limits.message_bytes,
            most_kept: limits.resumed_bytes,
        }
    }

    /// The same on a port where names are asked for.
    pub(super) fn with_resolver(mut self, it: bool) -> Self {
        self.handshake.resolver_port = it;
        self
    }

    fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        }
    }

    fn bytes(&mut self, direction: Direction, piece: Piece<'_>, out: &mut dyn Sink) {
        let mut rest = piece;
        self.side(direction).begun = true;
        while !rest.bytes.is_empty() {
            if self.keeps(direction) {
                self.keep(direction, Segment::Bytes(rest));
                return;
            }
            let side = self.side(direction);
            match side.reading {
                Reading::Header | Reading::Search => {
                    let n = self.header(direction, &rest, out);
                    split_off(&mut rest, n);
                }
                Reading::Body { left, what } => {
                    let part = split_off(&mut rest, left);
                    side.advance(left, part.bytes.len(), what);
                    match what {
                        What::Handshake => {
                            side.messages.push(&part);
                            self.take_messages(direction, out);
                        }
                        What::Sealed => {
                            let whole = side.reading == Reading::Header;
                            self.opened.part(direction, &part);
                            if whole {
                                self.opened.record(direction, &mut self.handshake, out);
                            }
                        }
                        What::Pass => {}
                    }
                }
                Reading::Version2 { left } => {
                    let part = split_off(&mut rest, left);
                    side.messages.push(&part);
                    match left.saturating_sub(part.bytes.len()) {
                        0 => self.take_version_2_hello(direction, out),
                        left => side.reading = Reading::Version2 { left },
                    }
                }
            }
        }
    }

    /// Whether what comes next of a side is kept: it has changed its ciphers.
    fn keeps(&self, direction: Direction) -> bool {
        let reading = match direction {
            Direction::Up => self.up.reading,
            Direction::Down => self.down.reading,
        };
        reading == Reading::Header && self.kept.as_ref().is_some_and(|kept| *direction.of(&kept.changed))
    }

    fn keep(&mut self, direction: Direction, it: Segment<'_>) {
        if let Some(kept) = &mut self.kept {
            kept.push(direction, it, self.most_kept);
        }
    }

    /// Reads a header, or searches for one; says how many bytes that took.
    fn header(&mut self, direction: Direction, piece: &Piece<'_>, out: &mut dyn Sink) -> usize {
        let fresh = !self.handshake.begun();
        let sealing = self.opened.seals(direction, 20);
        let side = match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        };
        for (n, byte) in (1_usize..).zip(piece.bytes) {
            if side.window.filled == 0 {
                side.window.origin = Some(piece.origin.further(n.saturating_sub(1)));
            }
            side.window.push(*byte);
            let Some(header) = side.window.full() else { continue };
            if let Some(record) = Record::read(header, sealing) {
                if self.handshake.agreed_with(direction) && matches!(record.kind, Kind::ChangeCipherSpec | Kind::ApplicationData) {
                    out.milestone(Milestone::ClientSealed);
                }
                if record.kind == Kind::ChangeCipherSpec && !sealing {
                    self.opened.change(direction, out);
                    side.enter(record, false);
                    if self.kept.is_none() && !self.refused && self.opened.goes_on() {
                        self.refused = !out.may_keep();
                        if self.refused {
                            out.limit("resumed-sessions");
                        } else {
                            self.kept = Some(Kept::default());
                        }
                    }
                    if let Some(kept) = &mut self.kept {
                        *direction.of_mut(&mut kept.changed) = true;
                    }
                    return n;
                }
                let sealed = self.opened.begin(direction, header, side.past, out.secrets());
                side.enter(record, sealed == Sealed::Opens);
                return n;
            }
            if fresh && side.reading == Reading::Header && side.searched == 0 && is_version_2_hello(header) {
                let [high, low, ..] = header;
                let length = usize::from(u16::from_be_bytes([high & 0x7f, low]));
                if let Some(origin) = side.window.origin {
                    side.messages.push(&Piece {
                        bytes: &header,
                        missing: 0,
                        origin,
                    });
                }
                side.window.clear();
                side.reading = Reading::Version2 {
                    left: length.saturating_sub(3),
                };
                return n;
            }
            if side.reading == Reading::Header {
                side.reading = Reading::Search;
                side.messages.clear();
            }
            side.searched = side.searched.saturating_add(1);
        }
        piece.bytes.len()
    }

    fn take_messages(&mut self, direction: Direction, out: &mut dyn Sink) {
        let longest = self.longest_message;
        let side = match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        };
        loop {
            let bytes = side.messages.bytes();
            let believed = if side.doubtful {
                parse::is_evident(bytes)
            } else {
                bytes.first().map(|kind| parse::is_handshake_type(*kind))
            };
            match believed {
                None => return,
                Some(true) => {}
                Some(false) => {
                    // Ciphertext: the rest of the record is passed over.
                    side.doubtful = true;
                    side.messages.clear();
                    if let Reading::Body { left, .. } = side.reading {
                        side.reading = Reading::Body { left, what: What::Pass };
                    }
                    return;
                }
            }
            let Some([_, a, b, c]) = bytes.first_chunk::<{ parse::HEADER }>() else {
                return;
            };
            let length = (u32::from_be_bytes([0, *a, *b, *c]) as usize).saturating_add(parse::HEADER);
            if length > longest {
                out.limit("message-bytes");
                side.doubtful = true;
                side.messages.clear();
                return;
            }
            let Some(message) = bytes.get(..length) else {
                return;
            };
            let message = Message {
                bytes: message,
                at: &|range| side.messages.span(range),
            };
            self.handshake.message(direction, &message, out);
            self.opened.message(direction, message.bytes, out.secrets());
            side.messages.consume(length);
        }
    }

    fn take_version_2_hello(&mut self, direction: Direction, out: &mut dyn Sink) {
        let side = match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        };
        let message = Message {
            bytes: side.messages.bytes(),
            at: &|range| side.messages.span(range),
        };
        self.handshake.version_2_hello(direction, &message, out);
        side.messages.clear();
        side.reading = Reading::Header;
    }

    /// What was gathered of a message whose end is missing.
    fn take_cut_message(&mut self, direction: Direction, out: &mut dyn Sink) {
        let side = match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        };
        if !side.doubtful || parse::is_evident(side.messages.bytes()) == Some(true) {
            let message = Message {
                bytes: side.messages.bytes(),
                at: &|range| side.messages.span(range),
            };
            self.handshake.cut_message(direction, &message, out);
            if message.bytes.first() == Some(&1) {
                self.opened.message(direction, message.bytes, out.secrets());
            }
        }
        side.messages.clear();
    }

    fn gap(&mut self, direction: Direction, length: u64, out: &mut dyn Sink) {
        self.take_cut_message(direction, out);
        if !self.side(direction).begun && length > 0 {
            self.opened.note(Lost::Beginning);
        }
        let side = self.side(direction);
        side.window.clear();
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length == 0 {
            return;
        }
        let whole_records = match side.reading {
            Reading::Body { left, what } if length <= left => {
                side.advance(left, length, What::Pass);
                if what == What::Sealed {
                    self.opened.lose(direction, out);
                }
                // A message that ran on into the next record has lost its beginning.
                true
            }
            _ => false,
        };
        let side = self.side(direction);
        side.doubtful = true;
        if !whole_records {
            side.reading = Reading::Search;
            side.searched = 0;
            self.opened.lose_bytes(direction, length as u64, out);
        }
    }

    fn read(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) {
        match it {
            Segment::Bytes(piece) => self.bytes(direction, piece, out),
            Segment::Gap(_) if self.keeps(direction) => self.keep(direction, it),
            Segment::Gap(length) => self.gap(direction, length, out),
        }
    }

    /// Takes a segment of a conversation in which the server's answer came before the hello.
    fn read_ahead(&mut self, mut ahead: Box<Ahead>, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) {
        let begun = self.side(direction).begun;
        let turn = ahead.turn(direction, it, begun);
        if turn == Turn::First {
            self.read(direction, it, out);
        }
        if turn == Turn::Last || self.handshake.begun() {
            self.read_held(&ahead, out);
        } else {
            self.ahead = Some(ahead);
        }
        if turn == Turn::Last {
            self.read(direction, it, out);
        }
    }

    fn read_held(&mut self, ahead: &Ahead, out: &mut dyn Sink) {
        // What was captured in another order than it was sent tells no round trip.
        out.milestone(Milestone::HelloRepeated);
        ahead.held().for_each(|(direction, it)| self.read(direction, it, out));
    }

    fn progress(&mut self, out: &mut dyn Sink) -> Progress {
        if self.kept.is_some() {
            return Progress::More;
        }
        let agreed = self.handshake.agreed() && self.up.past && self.down.past;
        let stays_closed = agreed && !self.opened.is_live();
        if stays_closed {
            self.opened.pass();
        }
        if stays_closed || self.opened.is_over() {
            self.opened.close(out);
            return Progress::Done;
        }
        if self.opened.is_live() {
            return Progress::More;
        }
        let lost = |side: &Side| side.reading == Reading::Search && side.searched > self.longest_message;
        let begun = |side: &Side| side.past || side.searched > 0 || !matches!(side.reading, Reading::Header);
        if (lost(&self.up) || !begun(&self.up)) && (lost(&self.down) || !begun(&self.down)) && (lost(&self.up) || lost(&self.down)) {
            self.opened.close(out);
            return Progress::Lost;
        }
        Progress::More
    }
}

impl Dissector for Records {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        if !self.up.begun && !self.down.begun && self.ahead.is_none() {
            self.ahead = Ahead::begins(direction, &it).map(Box::new);
        }
        match self.ahead.take() {
            None => self.read(direction, it, out),
            Some(ahead) => self.read_ahead(ahead, direction, it, out),
        }
        self.progress(out)
    }

    fn finish(&mut self, out: &mut dyn Sink) {
        if let Some(ahead) = self.ahead.take() {
            self.read_held(&ahead, out);
        }
        if self.kept.is_some() {
            return;
        }
        self.take_cut_message(Direction::Up, out);
        self.take_cut_message(Direction::Down, out);
        self.opened.close(out);
    }

    fn waits(&self) -> bool {
        self.kept.is_some()
    }

    fn conclude(&mut self, out: &mut dyn Sink) {
        let Some(kept) = self.kept.take() else { return };
        let (counts, opens) = self.opened.resume(kept.changed, out);
        if !counts {
            out.limit("resumed-sessions");
        } else if kept.clipped {
            out.limit("resumed-bytes");
        }
        if !opens {
            self.opened.pass();
        }
        for (direction, said) in kept.segments.iter().filter(|_| opens) {
            match said {
                Said::Bytes(bytes, origin) => {
                    let piece = Piece {
                        bytes,
                        missing: 0,
                        origin: *origin,
                    };
                    self.bytes(*direction, piece, out);
                }
                Said::Missing(length) => self.gap(*direction, *length, out),
            }
        }
        self.finish(out);
    }
}

/// Reads handshake messages that come without records (RFC 9001 section 4; DTLS, put together), each whole in its piece or in several
/// that follow each other. One tuple may carry several connections, so there is no end before the flow's own.
#[derive(Debug)]
pub(super) struct Bare {
    up: Gathered,
    down: Gathered,
    handshake: Handshake,
    longest_message: usize,
}

impl Bare {
    pub(super) fn new(protocol: &'static str, limits: &Limits) -> Self {
        Self {
            up: Gathered::default(),
            down: Gathered::default(),
            handshake: Handshake::new(protocol),
            longest_message: limits.message_bytes,
        }
    }
}

impl Dissector for Bare {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let messages = match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        };
        let Segment::Bytes(piece) = it else {
            *messages = Gathered::default();
            return Progress::More;
        };
        if messages.is_empty() {
            *messages = Gathered::default();
        }
        messages.push(&piece);
        loop {
            let bytes = messages.bytes();
            let Some([kind, a, b, c]) = bytes.first_chunk::<{ parse::HEADER }>() else {
                break;
            };
            let length = (u32::from_be_bytes([0, *a, *b, *c]) as usize).saturating_add(parse::HEADER);
            if length > self.longest_message || !parse::is_handshake_type(*kind) {
                *messages = Gathered::default();
                break;
            }
            let Some(message) = bytes.get(..length) else { break };
            let at = |range: Range<usize>| messages.span(range);
            self.handshake.message(direction, &Message { bytes: message, at: &at }, out);
            messages.consume(length);
        }
        Progress::More
    }
}

/// Takes up to `n` bytes off the front of a piece.
fn split_off<'a>(piece: &mut Piece<'a>, n: usize) -> Piece<'a> {
    let head = piece.bytes.get(..n).unwrap_or(piece.bytes);
    let front = Piece { bytes: head, ..*piece };
    *piece = piece.behind(n);
    front
}
