//! Streams of both directions into requests, headers and bodies. It owns the frames of each stream and what waits for the table, and
//! refuses to know how a header is packed (`qpack`) or what becomes of a stream's headers and bodies (`http2::half`).

use std::collections::{BTreeMap, BTreeSet};

use farshore_model::ledger::Severity;
use farshore_model::{Direction, Span};

use super::qpack::{Section, Table};
use crate::cursor::{Cursor, Stop};
use crate::limits::Limits;
use crate::protocols::http2::half::{Half, Scene};
use crate::protocols::{Dissector, Gathered, Origin, Piece, Progress, Segment, Sink};

/// Streams followed at once in one direction.
const MOST_STREAMS: usize = 1024;

/// Bytes of a stream kept while its headers wait for the table.
const WAITING: usize = 1 << 16;

/// Bytes of settings that are read.
const SETTINGS: usize = 1 << 10;

/// What a frame's head and a stream's type take at most: two integers of eight bytes.
const HEAD: usize = 16;

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Of one direction only: its first integer tells (RFC 9114 section 6.2).
    Untold,
    /// A request one way, its answer the other.
    Exchange,
    Control,
    Encoder,
    /// Pushes, acknowledgements, and what nobody knows.
    Passed,
}

/// What comes next in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    /// So many bytes of a frame of that type.
    Content(u64, u64),
    /// Headers are there that wait for the table; what follows them waits too.
    Blocked,
    /// Nothing that could be read.
    Adrift,
}

/// One stream in one direction.
#[derive(Debug)]
struct Stream {
    number: u64,
    purpose: Purpose,
    state: State,
    /// Bytes of a head, of a section or of settings that are not whole; of the table's instructions likewise.
    kept: Gathered,
    waiting: Vec<(Vec<u8>, Origin)>,
    waiting_bytes: usize,
    ended: bool,
    half: Half,
    /// The latest frame of the capture.
    frame: u64,
}

impl Stream {
    fn new(number: u64) -> Self {
        Self {
            number,
            purpose: if number & 2 == 0 { Purpose::Exchange } else { Purpose::Untold },
            state: State::Head,
            kept: Gathered::default(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            ended: false,
            half: Half::default(),
            frame: 0,
        }
    }
}

/// One direction.
#[derive(Debug)]
struct Lane {
    table: Table,
    streams: BTreeMap<u64, Stream>,
}

/// Both directions of a connection.
#[derive(Debug)]
pub struct Conversation {
    limits: Limits,
    up: Lane,
    down: Lane,
    /// Streams whose client asked for a WebSocket.
    sockets: BTreeSet<u64>,
    /// Kinds of anomaly already told.
    oddities: BTreeSet<&'static str>,
}

impl Conversation {
    /// Starts reading.
    pub fn new(limits: &Limits) -> Self {
        let lane = || Lane {
            table: Table::new(limits.header_bytes),
            streams: BTreeMap::new(),
        };
        Self {
            limits: limits.clone(),
            up: lane(),
            down: lane(),
            sockets: BTreeSet::new(),
            oddities: BTreeSet::new(),
        }
    }

    const fn lane(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        }
    }
}

impl Dissector for Conversation {
    /// Streams come by their numbers: bytes without one are of none.
    fn segment(&mut self, _: Direction, _: Segment<'_>, _: &mut dyn Sink) -> Progress {
        Progress::Lost
    }

    fn substream(&mut self, number: u64, direction: Direction, it: Segment<'_>, end: bool, out: &mut dyn Sink) -> Progress {
        let lane = self.lane(direction);
        if lane.streams.len() >= MOST_STREAMS && !lane.streams.contains_key(&number) {
            let at = Span::in_layer(0, 0, 0, 0);
            self.odd(
                "http3-streams-many",
                "more streams at once than are followed; some were not read",
                at,
                out,
            );
            return Progress::More;
        }
        let mut stream = lane.streams.remove(&number).unwrap_or_else(|| Stream::new(number));
        match it {
            Segment::Bytes(piece) => {
                stream.frame = stream.frame.max(piece.origin.frame);
                self.bytes(direction, &mut stream, piece, out);
            }
            Segment::Gap(missing) => self.gap(direction, &mut stream, missing, out),
        }
        let grew = stream.purpose == Purpose::Encoder;
        stream.ended |= end;
        self.put_back(number, direction, stream, out);
        if grew {
            self.unblock(direction, out);
        }
        Progress::More
    }

    fn finish(&mut self, out: &mut dyn Sink) {
        for direction in [Direction::Up, Direction::Down] {
            for (_, stream) in std::mem::take(&mut self.lane(direction).streams) {
                stream.half.end(false, &mut self.scene(direction, stream.frame, out));
            }
        }
    }
}

impl Conversation {
    /// Keeps a stream that goes on, and tells what one came to that is over.
    fn put_back(&mut self, number: u64, direction: Direction, stream: Stream, out: &mut dyn Sink) {
        if !stream.ended || stream.state == State::Blocked {
            self.lane(direction).streams.insert(number, stream);
            return;
        }
        stream.half.end(true, &mut self.scene(direction, stream.frame, out));
    }

    fn scene<'a>(&'a mut self, direction: Direction, frame: u64, out: &'a mut dyn Sink) -> Scene<'a> {
        Scene {
            version: "3",
            direction,
            frame,
            limits: &self.limits,
            sockets: &mut self.sockets,
            out,
        }
    }

    /// The table has grown: what waited for it may be readable.
    fn unblock(&mut self, direction: Direction, out: &mut dyn Sink) {
        let lane = self.lane(direction);
        let blocked = lane.streams.iter().filter(|(_, stream)| stream.state == State::Blocked);
        let blocked: Vec<u64> = blocked.map(|(number, _)| *number).collect();
        for number in blocked {
            let Some(mut stream) = self.lane(direction).streams.remove(&number) else {
                continue;
            };
            self.section(direction, &mut stream, out);
            if stream.state != State::Blocked {
                stream.waiting_bytes = 0;
                for (bytes, origin) in std::mem::take(&mut stream.waiting) {
                    let piece = Piece {
                        bytes: &bytes,
                        missing: 0,
                        origin,
                    };
                    self.bytes(direction, &mut stream, piece, out);
                }
            }
            self.put_back(number, direction, stream, out);
        }
    }

    fn bytes(&mut self, direction: Direction, stream: &mut Stream, piece: Piece<'_>, out: &mut dyn Sink) {
        let mut rest = piece;
        while !rest.bytes.is_empty() {
            match (stream.purpose, stream.state) {
                (Purpose::Passed, _) | (_, State::Adrift) => return,
                (Purpose::Untold, _) => self.kind(stream, &mut rest),
                (Purpose::Encoder, _) => {
                    stream.kept.push(&rest);
                    self.instructions(direction, stream, out);
                    return;
                }
                (_, State::Blocked) => {
                    stream.waiting_bytes = stream.waiting_bytes.saturating_add(rest.bytes.len());
                    if stream.waiting_bytes > WAITING {
                        stream.state = State::Adrift;
                        stream.waiting.clear();
                        return;
                    }
                    stream.waiting.push((rest.bytes.to_vec(), rest.origin));
                    return;
                }
                (_, State::Head) => self.head(direction, stream, &mut rest, out),
                (_, State::Content(kind, left)) => {
                    let part = split_off(&mut rest, left);
                    let left = left.saturating_sub(part.bytes.len() as u64);
                    stream.state = State::Content(kind, left);
                    match (stream.purpose, kind) {
                        (Purpose::Exchange, 0) => stream.half.data(&part, &mut self.scene(direction, stream.frame, out)),
                        (Purpose::Exchange, 1) | (Purpose::Control, 4) => stream.kept.push(&part),
                        _ => {}
                    }
                    if left == 0 {
                        self.over(direction, stream, kind, out);
                    }
                }
            }
        }
    }

    /// The first integer of a stream of one direction.
    fn kind(&self, stream: &mut Stream, rest: &mut Piece<'_>) {
        let part = split_off(rest, 1);
        stream.kept.push(&part);
        let mut it = Cursor::new("http3", stream.kept.bytes());
        let Ok(kind) = integer(&mut it) else { return };
        stream.purpose = match kind {
            0 => Purpose::Control,
            2 => Purpose::Encoder,
            _ => Purpose::Passed,
        };
        stream.kept.clear();
    }

    /// Type and length of a frame (section 7.1).
    fn head(&mut self, direction: Direction, stream: &mut Stream, rest: &mut Piece<'_>, out: &mut dyn Sink) {
        let part = split_off(rest, 1);
        stream.kept.push(&part);
        let mut it = Cursor::new("http3", stream.kept.bytes());
        let (Ok(kind), Ok(length)) = (integer(&mut it), integer(&mut it)) else {
            if stream.kept.len() >= HEAD {
                stream.state = State::Adrift;
            }
            return;
        };
        stream.kept.clear();
        let most = match (stream.purpose, kind) {
            (Purpose::Exchange, 1) => self.limits.header_bytes,
            (Purpose::Control, 4) => SETTINGS,
            _ => usize::MAX,
        };
        if length > most as u64 {
            out.limit("header-bytes");
            stream.state = State::Adrift;
            return;
        }
        stream.state = State::Content(kind, length);
        if length == 0 {
            self.over(direction, stream, kind, out);
        }
    }

    /// A frame has ended.
    fn over(&mut self, direction: Direction, stream: &mut Stream, kind: u64, out: &mut dyn Sink) {
        stream.state = State::Head;
        match (stream.purpose, kind) {
            (Purpose::Exchange, 1) => self.section(direction, stream, out),
            (Purpose::Control, 4) => {
                // What one side allows is what the other one's table may hold.
                let allowed = table_allowed(stream.kept.bytes());
                self.lane(direction.reverse()).table.allowed = Some(allowed);
                stream.kept.clear();
            }
            _ => {}
        }
    }

    /// A whole field section.
    fn section(&mut self, direction: Direction, stream: &mut Stream, out: &mut dyn Sink) {
        let bytes = stream.kept.bytes();
        let whole = stream.kept.span(0..bytes.len());
        let list = match self.lane(direction).table.section(bytes) {
            Ok(Section::Blocked) => {
                stream.state = State::Blocked;
                return;
            }
            Ok(Section::List(list)) => list,
            Err(why) => {
                let because = format!("{why}; the rest of this stream was not read");
                self.odd("http3-headers", &because, whole, out);
                stream.state = State::Adrift;
                return;
            }
        };
        stream.state = State::Head;
        if list.clipped {
            out.limit("header-bytes");
        }
        let mut scene = self.scene(direction, stream.frame, out);
        stream.half.headers(stream.number, &list, &stream.kept, whole.offset, &mut scene);
        stream.kept.clear();
    }

    fn instructions(&mut self, direction: Direction, stream: &mut Stream, out: &mut dyn Sink) {
        match self.lane(direction).table.instructions(stream.kept.bytes()) {
            Ok(taken) => stream.kept.consume(taken),
            Err(why) => {
                let at = stream.kept.span(0..stream.kept.len());
                let because = format!("{why}; headers that rest on what follows were not read");
                self.odd("http3-headers", &because, at, out);
                stream.state = State::Adrift;
            }
        }
        if stream.kept.len() > self.limits.header_bytes {
            out.limit("header-bytes");
            stream.state = State::Adrift;
        }
        if stream.state == State::Adrift {
            stream.purpose = Purpose::Passed;
            stream.kept.clear();
        }
    }

    fn gap(&mut self, direction: Direction, stream: &mut Stream, missing: u64, out: &mut dyn Sink) {
        match (stream.purpose, stream.state) {
            (Purpose::Exchange, State::Content(kind, left)) if kind != 1 && missing <= left => {
                stream.half.gap(missing, &mut self.scene(direction, stream.frame, out));
                let left = left.saturating_sub(missing);
                stream.state = State::Content(kind, left);
                if left == 0 {
                    stream.state = State::Head;
                }
            }
            _ => {
                let half = std::mem::take(&mut stream.half);
                half.end(false, &mut self.scene(direction, stream.frame, out));
                stream.state = State::Adrift;
                stream.waiting.clear();
                stream.kept.clear();
            }
        }
    }

    fn odd(&mut self, kind: &'static str, because: &str, at: Span, out: &mut dyn Sink) {
        if self.oddities.insert(kind) {
            out.anomaly(kind, Severity::Note, because.to_owned(), at);
        }
    }
}

/// SETTINGS_QPACK_MAX_TABLE_CAPACITY (RFC 9204 section 5): none, unless said.
fn table_allowed(settings: &[u8]) -> usize {
    let mut it = Cursor::new("http3", settings);
    while let (Ok(setting), Ok(value)) = (integer(&mut it), integer(&mut it)) {
        if setting == 1 {
            return usize::try_from(value).unwrap_or(usize::MAX);
        }
    }
    0
}

/// A variable-length integer (RFC 9000 section 16).
fn integer(at: &mut Cursor<'_>) -> Result<u64, Stop> {
    let first = at.u8()?;
    let more = (1_u32 << (first >> 6)).saturating_sub(1);
    let mut value = u64::from(first & 0x3f);
    for _ in 0..more {
        value = value << 8 | u64::from(at.u8()?);
    }
    Ok(value)
}

/// Takes up to `n` bytes off the front of a piece.
fn split_off<'p>(piece: &mut Piece<'p>, n: u64) -> Piece<'p> {
    let n = usize::try_from(n).unwrap_or(usize::MAX).min(piece.bytes.len());
    let (head, tail) = piece.bytes.split_at(n);
    let front = Piece { bytes: head, ..*piece };
    piece.bytes = tail;
    piece.origin.offset = piece.origin.offset.saturating_add(head.len() as u64);
    front
}
