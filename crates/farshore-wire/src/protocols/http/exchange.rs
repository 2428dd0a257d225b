//! Messages in a stream: where each ends (RFC 9112, section 6), and what becomes of its head and body.
//!
//! Refuses to guess: bytes that begin no message are dropped until a segment begins with a start line.

use std::collections::{BTreeSet, VecDeque};

use farshore_model::ledger::Severity;
use farshore_model::{Direction, Observation, Span, WireText};

use super::body::{Body, Use};
use super::head::{self, Head, Look, Search, StartLine, at};
use super::values;
use crate::limits::Limits;
use crate::protocols::{Dissector, Gathered, Piece, Progress, Segment, Sink};

/// Requests that wait for an answer; beyond this many the pairing is not worth its memory.
const MOST_ASKED: usize = 1024;

/// Longest line that says a chunk's size, its extensions included.
const LONGEST_SIZE_LINE: usize = 4096;

/// What matters of a request for reading the response to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Head,
    Connect,
    Other,
}

/// What follows a `CONNECT` that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tunnel {
    Unknown,
    Of(&'static str),
}

/// What comes next in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// A head.
    #[default]
    Head,
    /// Nobody knows.
    Adrift,
    /// So many bytes of body.
    Length(u64),
    /// A chunk's size line (RFC 9112, section 7.1).
    ChunkSize,
    /// So many bytes of a chunk.
    Chunk(u64),
    /// The line end behind a chunk.
    ChunkEnd,
    /// Trailer lines.
    Trailer,
    /// Body until the connection ends.
    UntilClose,
}

/// What one step of reading led to.
enum Step {
    /// More bytes are needed.
    Wait,
    Next(State),
    /// Another protocol follows that is not read.
    Switched,
    /// HTTP/2 follows (RFC 7540, section 3.2).
    Upgraded,
    /// WebSocket follows (RFC 6455, section 4).
    Socket,
    /// A tunnel follows.
    Through,
}

/// One direction.
#[derive(Debug, Default)]
struct Lane {
    gathered: Gathered,
    search: Search,
    state: State,
    body: Body,
    /// A request whose body is not over, where its head stands, and that in the stream.
    request: Option<(Observation, Span, u64)>,
    /// The latest frame.
    frame: u64,
}

/// Requests one way, responses the other.
#[derive(Debug)]
pub struct Exchange {
    limits: Limits,
    /// Nothing until something comes that way.
    lanes: [Option<Box<Lane>>; 2],
    asked: VecDeque<Asked>,
    tunnel: Option<Tunnel>,
    /// Kinds of anomaly already told: one of a kind tells as much as a thousand.
    oddities: BTreeSet<&'static str>,
    /// It was told that the server is asked as a proxy.
    proxied: bool,
}

impl Exchange {
    /// Starts reading.
    pub fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            lanes: Default::default(),
            asked: VecDeque::new(),
            tunnel: None,
            oddities: BTreeSet::new(),
            proxied: false,
        }
    }
}

impl Dissector for Exchange {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        if self.tunnel.is_some() {
            return self.through(direction, it, out);
        }
        let mut lane = self.lane(direction).take().unwrap_or_default();
        let progress = match it {
            Segment::Gap(missing) => self.gap(direction, &mut lane, missing, out),
            Segment::Bytes(piece) => self.bytes(direction, &mut lane, &piece, out),
        };
        *self.lane(direction) = Some(lane);
        progress
    }

    fn finish(&mut self, out: &mut dyn Sink) {
        for direction in [Direction::Up, Direction::Down] {
            if let Some(mut lane) = self.lane(direction).take() {
                self.cut(direction, &mut lane, out);
            }
        }
    }
}

impl Exchange {
    const fn lane(&mut self, direction: Direction) -> &mut Option<Box<Lane>> {
        direction.of_mut(&mut self.lanes)
    }

    fn bytes(&mut self, direction: Direction, lane: &mut Lane, piece: &Piece<'_>, out: &mut dyn Sink) -> Progress {
        if lane.state == State::Adrift {
            if head::look(piece.bytes) == Look::Other {
                return Progress::More;
            }
            lane.state = State::Head;
            lane.search = Search::default();
        }
        lane.frame = lane.frame.max(piece.origin.frame);
        let taken = self.body_alone(lane, piece, out);
        lane.gathered.push(&piece.behind(taken));
        loop {
            match self.step(direction, lane, piece, out) {
                Step::Wait => return Progress::More,
                Step::Next(State::Adrift) => {
                    lane.request_over(out);
                    lane.gathered.clear();
                    lane.state = State::Adrift;
                    return Progress::More;
                }
                Step::Next(state) => {
                    if state == State::Head {
                        lane.request_over(out);
                    }
                    lane.state = state;
                }
                Step::Switched => {
                    self.other_is_over(direction, out);
                    return Progress::Done;
                }
                step @ (Step::Through | Step::Upgraded | Step::Socket) => {
                    self.other_is_over(direction, out);
                    self.tunnel = Some(match step {
                        Step::Upgraded => Tunnel::Of("http2"),
                        Step::Socket => Tunnel::Of("websocket"),
                        _ => Tunnel::Unknown,
                    });
                    let left = lane.gathered.bytes().to_vec();
                    lane.gathered.clear();
                    let rest = Piece {
                        bytes: &left,
                        missing: 0,
                        origin: piece.last(left.len()).origin,
                    };
                    return self.through(direction, Segment::Bytes(rest), out);
                }
            }
        }
    }

    fn step(&mut self, direction: Direction, lane: &mut Lane, piece: &Piece<'_>, out: &mut dyn Sink) -> Step {
        match lane.state {
            State::Head => self.head(direction, lane, out),
            State::Adrift => Step::Next(State::Adrift),
            State::Length(0) => {
                lane.body.tell(out, direction, &self.limits);
                Step::Next(State::Head)
            }
            State::Chunk(0) => Step::Next(State::ChunkEnd),
            State::Length(_) | State::Chunk(_) | State::UntilClose if lane.gathered.is_empty() => Step::Wait,
            State::Length(left) => Step::Next(State::Length(left.saturating_sub(self.body(lane, left, piece, out)))),
            State::Chunk(left) => Step::Next(State::Chunk(left.saturating_sub(self.body(lane, left, piece, out)))),
            State::UntilClose => {
                self.body(lane, u64::MAX, piece, out);
                Step::Wait
            }
            State::ChunkSize => self.chunk_size(lane, out),
            State::ChunkEnd => match lane.gathered.bytes() {
                [b'\r', b'\n', ..] => lane.after(2, State::ChunkSize),
                [b'\n', ..] => lane.after(1, State::ChunkSize),
                [] | [b'\r'] => Step::Wait,
                _ => self.bad_chunk(lane, out),
            },
            State::Trailer => match head::line(lane.gathered.bytes(), 0) {
                Some((line, next)) if line.is_empty() => {
                    lane.body.tell(out, direction, &self.limits);
                    lane.after(next, State::Head)
                }
                Some((_, next)) => lane.after(next, State::Trailer),
                None if lane.gathered.len() > LONGEST_SIZE_LINE => self.bad_chunk(lane, out),
                None => Step::Wait,
            },
        }
    }

    /// Looks for a whole head and reads it.
    fn head(&mut self, direction: Direction, lane: &mut Lane, out: &mut dyn Sink) -> Step {
        if lane.search.end() == 0 {
            let blank = head::blank(lane.gathered.bytes());
            if blank > 0 {
                lane.gathered.consume(blank);
                lane.search = Search::default();
            }
        }
        // What begins with no token begins no message: waiting for its first line could take for ever.
        if lane.gathered.bytes().first().is_some_and(|byte| !head::is_token(*byte)) {
            return Step::Next(State::Adrift);
        }
        loop {
            let first = lane.search.end() == 0;
            let Some(line) = lane.search.line(lane.gathered.bytes()) else {
                if lane.gathered.len() <= self.limits.header_bytes {
                    return Step::Wait;
                }
                out.limit("header-bytes");
                self.odd(
                    "http-head-long",
                    "a head is longer than is read; the rest of it was skipped",
                    lane.whole(),
                    out,
                );
                if let Some(head) = head::read(lane.gathered.bytes()) {
                    let _ = self.message(direction, lane, &head, lane.gathered.len(), out);
                }
                return Step::Next(State::Adrift);
            };
            if first && head::read(at(lane.gathered.bytes(), &(0..lane.search.end()))).is_none() {
                return Step::Next(State::Adrift);
            }
            if line.is_empty() {
                break;
            }
        }
        let end = lane.search.end();
        lane.search = Search::default();
        let Some(head) = head::read(lane.gathered.bytes()) else {
            return Step::Next(State::Adrift);
        };
        let step = self.message(direction, lane, &head, end, out);
        lane.gathered.consume(end);
        step
    }

    /// Tells a head of `length` bytes at the front, and what follows it.
    fn message(&mut self, direction: Direction, lane: &mut Lane, head: &Head, length: usize, out: &mut dyn Sink) -> Step {
        let bytes = lane.gathered.bytes();
        let span = lane.gathered.span(0..length);
        let framing = Framing::of(head, bytes);
        if head.many {
            self.odd("http-headers-many", "a head has more header lines than are read", span, out);
        }
        let next = match &head.start {
            StartLine::Request { method, target, version } => {
                let method = at(bytes, method);
                let named = head.value(bytes, b"host").next().map(|host| values::host_of(bytes, &host));
                let named = named.filter(|host| !host.is_empty());
                let absolute = (bytes.get(target.start) != Some(&b'/'))
                    .then(|| values::authority(bytes, target))
                    .flatten();
                let asked_whole = absolute.is_some();
                let absolute = absolute.filter(|host| !host.is_empty());
                // The forms in which proxies are asked (RFC 9112, sections 3.2.2 and 3.2.3).
                if !self.proxied && (asked_whole || method == b"CONNECT") {
                    self.proxied = true;
                    out.carries("http-proxy");
                }
                let asked = || (method == b"CONNECT").then(|| values::host_and_port(bytes, target)).flatten();
                let host = named.or(absolute).or_else(asked);
                out.client_speaks(direction);
                let request = Observation::Request {
                    version,
                    method: WireText::from_bytes(method),
                    host: host.map(|range| WireText::from_bytes(at(bytes, &range))),
                    path: WireText::from_bytes(at(bytes, target)),
                };
                lane.request = Some((request, span, lane.gathered.position()));
                if self.asked.len() < MOST_ASKED {
                    self.asked.push_back(match method {
                        b"HEAD" => Asked::Head,
                        b"CONNECT" => Asked::Connect,
                        _ => Asked::Other,
                    });
                }
                Step::Next(framing.of_request())
            }
            StartLine::Response { status } => self.response(*status, &framing),
        };
        values::head(&lane.gathered, head, out);
        lane.body = Body {
            what: Use::of(head, bytes),
            ..Body::default()
        };
        next
    }

    fn response(&mut self, status: u16, framing: &Framing) -> Step {
        match status {
            101 if framing.upgraded => return Step::Upgraded,
            101 if framing.socket => return Step::Socket,
            101 => return Step::Switched,
            100..200 => return Step::Next(State::Head),
            _ => {}
        }
        match (self.asked.pop_front(), status) {
            (Some(Asked::Connect), 200..300) => Step::Through,
            (Some(Asked::Head), _) | (_, 204 | 304) => Step::Next(State::Head),
            _ => Step::Next(framing.of_response()),
        }
    }

    /// Nothing more is read of the other direction either.
    fn other_is_over(&mut self, direction: Direction, out: &mut dyn Sink) {
        if let Some(lane) = self.lane(direction.reverse()) {
            lane.request_over(out);
        }
    }

    /// Takes body off the front of a piece that nothing waits before, most often all of it; says how much.
    fn body_alone(&self, lane: &mut Lane, piece: &Piece<'_>, out: &mut dyn Sink) -> usize {
        let left = match lane.state {
            State::Length(left) | State::Chunk(left) if lane.gathered.is_empty() => left,
            State::UntilClose if lane.gathered.is_empty() => u64::MAX,
            _ => return 0,
        };
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(piece.bytes.len());
        if let State::Length(left) | State::Chunk(left) = &mut lane.state {
            *left = left.saturating_sub(length as u64);
        }
        lane.body.keep(at(piece.bytes, &(0..length)), piece.origin, &self.limits, out);
        lane.gathered.pass(length);
        length
    }

    /// Takes up to `left` bytes of body off the front. They all lie in the latest piece: whatever was gathered before
    /// it was a line that the piece completed.
    fn body(&self, lane: &mut Lane, left: u64, piece: &Piece<'_>, out: &mut dyn Sink) -> u64 {
        let bytes = lane.gathered.bytes();
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        lane.body
            .keep(at(bytes, &(0..length)), piece.last(bytes.len()).origin, &self.limits, out);
        lane.gathered.consume(length);
        length as u64
    }

    fn chunk_size(&mut self, lane: &mut Lane, out: &mut dyn Sink) -> Step {
        let bytes = lane.gathered.bytes();
        let Some((line, next)) = head::line(bytes, 0) else {
            return if bytes.len() > LONGEST_SIZE_LINE {
                self.bad_chunk(lane, out)
            } else {
                Step::Wait
            };
        };
        let digits = at(bytes, &line).split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        match std::str::from_utf8(digits)
            .ok()
            .filter(|it| !it.starts_with('+'))
            .and_then(|it| u64::from_str_radix(it, 16).ok())
        {
            Some(0) => lane.after(next, State::Trailer),
            Some(size) => lane.after(next, State::Chunk(size)),
            None => self.bad_chunk(lane, out),
        }
    }

    fn bad_chunk(&mut self, lane: &Lane, out: &mut dyn Sink) -> Step {
        self.odd(
            "http-chunk",
            "a chunked body breaks its own framing; the rest of it was skipped",
            lane.whole(),
            out,
        );
        Step::Next(State::Adrift)
    }

    fn gap(&mut self, direction: Direction, lane: &mut Lane, missing: u64, out: &mut dyn Sink) -> Progress {
        match lane.state {
            State::Length(left) if missing <= left => {
                lane.body.tell_part(out, direction, &self.limits);
                lane.state = State::Length(left.saturating_sub(missing));
            }
            State::Chunk(left) if missing <= left => {
                lane.body.tell_part(out, direction, &self.limits);
                lane.state = State::Chunk(left.saturating_sub(missing));
            }
            State::UntilClose => lane.body.tell_part(out, direction, &self.limits),
            _ => {
                self.cut(direction, lane, out);
                lane.state = State::Adrift;
                self.asked.clear();
            }
        }
        Progress::More
    }

    /// Tells what is there of a message that will not be completed.
    fn cut(&mut self, direction: Direction, lane: &mut Lane, out: &mut dyn Sink) {
        if lane.state == State::Head {
            if let Some(head) = head::read(lane.gathered.bytes()) {
                self.odd(
                    "http-head-cut",
                    "a head was cut short; its whole lines were read",
                    lane.whole(),
                    out,
                );
                let _ = self.message(direction, lane, &head, lane.gathered.len(), out);
            }
        } else {
            lane.body.tell_part(out, direction, &self.limits);
        }
        lane.request_over(out);
        lane.gathered.clear();
        lane.search = Search::default();
    }

    /// Hands on what runs through a tunnel, once its first bytes tell what it is.
    fn through(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let hint = match (self.tunnel, &it) {
            (Some(Tunnel::Of(hint)), _) => hint,
            (_, Segment::Gap(_)) => return Progress::Done,
            (_, Segment::Bytes(piece)) => match piece.bytes {
                [] => return Progress::More,
                // A TLS handshake record (RFC 8446, section 5.1).
                [0x16, 0x03, ..] | [0x16] => "tls",
                bytes if head::look(bytes) != Look::Other => "http",
                _ => return Progress::Done,
            },
        };
        self.tunnel = Some(Tunnel::Of(hint));
        out.inner(direction, hint, it);
        Progress::More
    }

    fn odd(&mut self, kind: &'static str, because: &str, at: Span, out: &mut dyn Sink) {
        if self.oddities.insert(kind) {
            out.anomaly(kind, Severity::Note, because.to_owned(), at);
        }
    }
}

impl Lane {
    fn after(&mut self, bytes: usize, next: State) -> Step {
        self.gathered.consume(bytes);
        Step::Next(next)
    }

    fn whole(&self) -> Span {
        self.gathered.span(0..self.gathered.len())
    }

    /// Tells the request whose last byte has been seen, or will not be. The place is its head's; the frame is the one
    /// with which the whole request was there.
    fn request_over(&mut self, out: &mut dyn Sink) {
        let Some((request, head, position)) = self.request.take() else {
            return;
        };
        // Where several frames were needed, offsets count in the stream.
        let whole = if self.frame > head.frame {
            Span {
                frame: self.frame,
                offset: position,
                in_frame: false,
                ..head
            }
        } else {
            head
        };
        out.observe(request, whole);
    }
}

/// How long a body is (RFC 9112, section 6.3).
#[derive(Debug)]
struct Framing {
    /// An upgrade to HTTP/2 is named.
    upgraded: bool,
    /// An upgrade to WebSocket is named.
    socket: bool,
    chunked: bool,
    length: Option<u64>,
}

impl Framing {
    fn of(head: &Head, bytes: &[u8]) -> Self {
        let last_coding = head.value(bytes, b"transfer-encoding").last();
        let length = head.value(bytes, b"content-length").next();
        Self {
            upgraded: head.value(bytes, b"upgrade").any(|it| at(bytes, &it).eq_ignore_ascii_case(b"h2c")),
            socket: head
                .value(bytes, b"upgrade")
                .any(|it| at(bytes, &it).eq_ignore_ascii_case(b"websocket")),
            chunked: last_coding.is_some_and(|it| at(bytes, &it).to_ascii_lowercase().ends_with(b"chunked")),
            length: length.and_then(|it| std::str::from_utf8(at(bytes, &it)).ok()?.parse().ok()),
        }
    }

    const fn of_request(&self) -> State {
        match (self.chunked, self.length) {
            (true, _) => State::ChunkSize,
            (false, Some(length)) => State::Length(length),
            (false, None) => State::Head,
        }
    }

    const fn of_response(&self) -> State {
        match (self.chunked, self.length) {
            (true, _) => State::ChunkSize,
            (false, Some(length)) => State::Length(length),
            (false, None) => State::UntilClose,
        }
    }
}

impl Head {
    /// The values of the headers of that name.
    pub fn value<'a>(&'a self, bytes: &'a [u8], name: &'a [u8]) -> impl Iterator<Item = std::ops::Range<usize>> + 'a {
        let named = self.headers.iter().filter(move |it| at(bytes, &it.name).eq_ignore_ascii_case(name));
        named.map(|it| it.value.clone())
    }
}
