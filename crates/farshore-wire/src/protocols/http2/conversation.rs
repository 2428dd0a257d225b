//! Frames of both directions into requests, headers and bodies. It owns the frames' order and their padding, and refuses
//! to know how a header is packed (`hpack`) or what becomes of a stream's headers and bodies (`half`).

use std::collections::{BTreeMap, BTreeSet};

use farshore_model::ledger::Severity;
use farshore_model::{Direction, Span};

use super::fields;
use super::frame::{HEAD, Head, Kind, PREFACE};
use super::half::{Half, Scene};
use super::hpack::Decoder;
use crate::limits::Limits;
use crate::protocols::{Dissector, Gathered, Origin, Piece, Progress, Segment, Sink};

/// Streams followed at once in one direction; servers allow a hundred or so.
const MOST_STREAMS: usize = 1024;

/// What comes next in one direction.
#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// Three bytes that tell a preface from a frame.
    #[default]
    Opening,
    /// So many bytes of the preface.
    Preface(usize),
    Head,
    Content(Content),
    /// Nothing that could be read.
    Adrift,
}

/// A frame whose head was read.
#[derive(Clone, Copy, Debug)]
struct Content {
    head: Head,
    /// Bytes to go.
    left: usize,
    /// Of these, before the content.
    before: usize,
    /// Of these, behind the content.
    padding: usize,
}

/// A header block in the making.
#[derive(Debug)]
struct Block {
    head: Head,
    kept: Gathered,
    /// Where it begins in the direction.
    position: u64,
}

/// One direction.
#[derive(Debug)]
struct Lane {
    state: State,
    /// Bytes of a head that is not whole.
    start: Vec<u8>,
    block: Option<Block>,
    table: Decoder,
    streams: BTreeMap<u32, Half>,
    /// The latest frame of the capture, and bytes passed.
    frame: u64,
    position: u64,
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
            state: State::Opening,
            start: Vec::new(),
            block: None,
            table: Decoder::new(limits.header_bytes),
            streams: BTreeMap::new(),
            frame: 0,
            position: 0,
        };
        Self {
            limits: limits.clone(),
            up: lane(),
            down: lane(),
            sockets: BTreeSet::new(),
            oddities: BTreeSet::new(),
        }
    }
}

impl Dissector for Conversation {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let mut reading = self.reading(direction, out);
        match it {
            Segment::Bytes(piece) => reading.bytes(piece),
            Segment::Gap(missing) => reading.gap(missing),
        }
        if matches!((self.up.state, self.down.state), (State::Adrift, State::Adrift)) {
            return Progress::Lost;
        }
        Progress::More
    }

    fn finish(&mut self, out: &mut dyn Sink) {
        for direction in [Direction::Up, Direction::Down] {
            self.reading(direction, out).give_up();
        }
    }
}

impl Conversation {
    fn reading<'a>(&'a mut self, direction: Direction, out: &'a mut dyn Sink) -> Reading<'a> {
        Reading {
            lane: match direction {
                Direction::Up => &mut self.up,
                Direction::Down => &mut self.down,
            },
            direction,
            limits: &self.limits,
            sockets: &mut self.sockets,
            oddities: &mut self.oddities,
            out,
        }
    }
}

/// One direction, for one call.
struct Reading<'a> {
    lane: &'a mut Lane,
    direction: Direction,
    limits: &'a Limits,
    sockets: &'a mut BTreeSet<u64>,
    oddities: &'a mut BTreeSet<&'static str>,
    out: &'a mut dyn Sink,
}

impl Reading<'_> {
    fn bytes(&mut self, piece: Piece<'_>) {
        self.lane.frame = self.lane.frame.max(piece.origin.frame);
        let mut rest = piece;
        while !rest.bytes.is_empty() {
            match self.lane.state {
                State::Opening => {
                    let part = self.split_off(&mut rest, 3_usize.saturating_sub(self.lane.start.len()));
                    self.lane.start.extend_from_slice(part.bytes);
                    if self.lane.start.len() == 3 {
                        // As a length this would be five million: no first frame.
                        let preface = PREFACE.starts_with(&self.lane.start);
                        self.lane.state = if preface {
                            self.lane.start.clear();
                            self.out.client_speaks(self.direction);
                            State::Preface(PREFACE.len().saturating_sub(3))
                        } else {
                            State::Head
                        };
                    }
                }
                State::Preface(left) => {
                    let part = self.split_off(&mut rest, left);
                    self.lane.state = match left.saturating_sub(part.bytes.len()) {
                        0 => State::Head,
                        left => State::Preface(left),
                    };
                }
                State::Head => {
                    let part = self.split_off(&mut rest, HEAD.saturating_sub(self.lane.start.len()));
                    self.lane.start.extend_from_slice(part.bytes);
                    if let Some(head) = self.lane.start.first_chunk::<HEAD>().copied() {
                        self.lane.start.clear();
                        self.head(head, &part.origin);
                    }
                }
                State::Content(content) => self.content(content, &mut rest),
                State::Adrift => return,
            }
        }
    }

    fn head(&mut self, head: [u8; HEAD], origin: &Origin) {
        // Between the parts of a block nothing may stand (section 6.10).
        let expected = self.lane.block.as_ref().map(|block| block.head.stream);
        let head = Head::read(head).filter(|head| (head.kind == Kind::Continuation).then_some(head.stream) == expected);
        let Some(head) = head else {
            self.lost("http2-frame", "frames that cannot follow each other", origin.span(0..0));
            return;
        };
        if matches!(head.kind, Kind::Headers | Kind::Promise) {
            self.lane.block = Some(Block {
                head,
                kept: Gathered::default(),
                position: self.lane.position,
            });
        }
        if let Some(block) = &self.lane.block
            && block.kept.len().saturating_add(head.length) > self.limits.header_bytes
        {
            self.out.limit("header-bytes");
            self.lost("http2-headers-long", "a header block longer than is read", origin.span(0..0));
            return;
        }
        if head.before() > head.length {
            self.lost("http2-frame", "a frame too short for what it says", origin.span(0..0));
            return;
        }
        let content = Content {
            head,
            left: head.length,
            before: head.before(),
            padding: 0,
        };
        self.lane.state = State::Content(content);
        if content.left == 0 {
            self.over(head);
        }
    }

    /// Takes the next part of a frame.
    fn content(&mut self, mut it: Content, rest: &mut Piece<'_>) {
        let inside = it.left.saturating_sub(it.padding);
        let most = match (it.before, inside) {
            (1.., _) => 1,
            (0, 0) => it.left,
            (0, inside) => inside,
        };
        let part = self.split_off(rest, most);
        it.left = it.left.saturating_sub(part.bytes.len());
        if it.before > 0 {
            if it.head.padded() && it.before == it.head.before() {
                it.padding = part.bytes.first().copied().unwrap_or(0).into();
            }
            it.before = it.before.saturating_sub(1);
            if it.padding > it.left.saturating_sub(it.before) {
                self.lost("http2-frame", "more padding than frame", part.origin.span(0..1));
                return;
            }
        } else if inside > 0 {
            match it.head.kind {
                Kind::Headers | Kind::Promise | Kind::Continuation => {
                    if let Some(block) = &mut self.lane.block {
                        block.kept.push(&part);
                    }
                }
                Kind::Data => self.data(it.head.stream, &part),
                Kind::Reset | Kind::Other => {}
            }
        }
        self.lane.state = State::Content(it);
        if it.left == 0 {
            self.over(it.head);
        }
    }

    /// A frame has ended.
    fn over(&mut self, head: Head) {
        self.lane.state = State::Head;
        match head.kind {
            Kind::Headers | Kind::Promise | Kind::Continuation if head.ends_headers() => {
                if let Some(block) = self.lane.block.take() {
                    self.block(&block);
                    if block.head.ends_stream() {
                        self.stream_over(block.head.stream);
                    }
                }
            }
            Kind::Data if head.ends_stream() => self.stream_over(head.stream),
            Kind::Reset => self.stream_over(head.stream),
            _ => {}
        }
    }

    /// A whole header block.
    fn block(&mut self, block: &Block) {
        let bytes = block.kept.bytes();
        let whole = block.kept.span(0..bytes.len());
        let list = match self.lane.table.block(bytes) {
            Ok(list) => list,
            Err(why) => {
                self.lost("http2-headers", &why.to_string(), whole);
                return;
            }
        };
        if list.clipped {
            self.out.limit("header-bytes");
        }
        if block.head.kind == Kind::Promise {
            // The server makes the request itself, and answers it on another stream (section 8.4.1): it is told in its direction, whole
            // as it stands, and nobody is a client for it.
            if let Some(request) = fields::request("2", &list) {
                fields::headers(&list, true, "hpack", &block.kept, self.out);
                fields::tell((request, whole, block.position), whole.frame, "hpack", self.out);
            }
            return;
        }
        let number = block.head.stream;
        if self.lane.streams.len() >= MOST_STREAMS && !self.lane.streams.contains_key(&number) {
            self.odd(
                "http2-streams-many",
                "more streams at once than are followed; some were not read",
                whole,
            );
            return;
        }
        let mut half = self.lane.streams.remove(&number).unwrap_or_default();
        half.headers(number.into(), &list, &block.kept, block.position, &mut self.scene());
        self.lane.streams.insert(number, half);
    }

    fn scene(&mut self) -> Scene<'_> {
        Scene {
            version: "2",
            direction: self.direction,
            frame: self.lane.frame,
            limits: self.limits,
            sockets: self.sockets,
            out: self.out,
        }
    }

    fn data(&mut self, number: u32, part: &Piece<'_>) {
        let Some(half) = self.lane.streams.get_mut(&number) else { return };
        let mut scene = Scene {
            version: "2",
            direction: self.direction,
            frame: self.lane.frame,
            limits: self.limits,
            sockets: self.sockets,
            out: self.out,
        };
        half.data(part, &mut scene);
    }

    /// Nothing more comes on a stream in this direction.
    fn stream_over(&mut self, number: u32) {
        if let Some(half) = self.lane.streams.remove(&number) {
            half.end(true, &mut self.scene());
        }
    }

    fn gap(&mut self, missing: u64) {
        let missing = usize::try_from(missing).unwrap_or(usize::MAX);
        match self.lane.state {
            State::Content(mut it)
                if it.before == 0 && missing <= it.left && matches!(it.head.kind, Kind::Data | Kind::Reset | Kind::Other) =>
            {
                if let Some(mut half) = self.lane.streams.remove(&it.head.stream) {
                    half.gap(missing as u64, &mut self.scene());
                    self.lane.streams.insert(it.head.stream, half);
                }
                self.lane.position = self.lane.position.saturating_add(missing as u64);
                it.left = it.left.saturating_sub(missing);
                it.padding = it.padding.min(it.left);
                self.lane.state = State::Content(it);
                if it.left == 0 {
                    self.over(it.head);
                }
            }
            _ => self.give_up(),
        }
    }

    fn lost(&mut self, kind: &'static str, because: &str, at: Span) {
        self.odd(kind, &format!("{because}; the rest of this direction was not read"), at);
        self.give_up();
    }

    /// Tells what there is, and reads no further.
    fn give_up(&mut self) {
        self.lane.state = State::Adrift;
        self.lane.block = None;
        for (_, half) in std::mem::take(&mut self.lane.streams) {
            half.end(false, &mut self.scene());
        }
    }

    fn odd(&mut self, kind: &'static str, because: &str, at: Span) {
        if self.oddities.insert(kind) {
            self.out.anomaly(kind, Severity::Note, because.to_owned(), at);
        }
    }

    /// Takes up to `n` bytes off the front.
    fn split_off<'p>(&mut self, piece: &mut Piece<'p>, n: usize) -> Piece<'p> {
        let (head, tail) = piece.bytes.split_at(n.min(piece.bytes.len()));
        self.lane.position = self.lane.position.saturating_add(head.len() as u64);
        let front = Piece { bytes: head, ..*piece };
        piece.bytes = tail;
        piece.origin.offset = piece.origin.offset.saturating_add(head.len() as u64);
        front
    }
}
