//! One conversation through one dissector, driven by hand: a panic in it, or in those it hands inner bytes to, ends the run.
//!
//! Layout: the protocol by its place in `PROTOCOLS`; options (bit 0: datagrams, bit 1: another protocol named it, bit 2:
//! low ceilings, bits 4 to 6: the server's port by its place in [`PORTS`]); then segments, each behind a big-endian word:
//! bit 15 from the server, bit 14 a gap of that length (of datagrams: bytes missing at the end), the rest its length.

use farshore_model::ledger::Severity;
use farshore_model::{Direction, Observation, Protection, Span, Transport};
use farshore_wire::Limits;
use farshore_wire::protocols::{Dissector, Field, Milestone, Opening, Origin, PROTOCOLS, Piece, Progress, Protocol, Segment, Sink, Start};

use crate::Script;

/// Server ports that mean something to somebody, and one that does not.
pub const PORTS: [u16; 8] = [443, 53, 80, 5353, 1900, 25, 8130, 40_000];

const DOWN: u16 = 0x8000;
const MISSING: u16 = 0x4000;
const LENGTH: u16 = 0x3fff;
/// Where the payload begins in each frame.
const PAYLOAD: u64 = 42;
/// No protocol leads deeper: HTTP over TLS after STARTTLS in a tunnel would be four.
const DEEPEST: usize = 8;

/// Puts a conversation into the layout; `None` when there is no protocol of that id. Longer segments are cut in two.
pub fn seed(id: &str, datagrams: bool, port: u16, segments: &[(Direction, &[u8])]) -> Option<Vec<u8>> {
    let place = PROTOCOLS.iter().position(|it| it.id() == id)?;
    let port = PORTS.iter().position(|it| *it == port).unwrap_or(PORTS.len() - 1);
    let mut out = vec![u8::try_from(place).ok()?, u8::from(datagrams) | u8::try_from(port).ok()? << 4];
    for (direction, bytes) in segments {
        for part in bytes.chunks(usize::from(LENGTH)) {
            let side = if *direction == Direction::Down { DOWN } else { 0 };
            out.extend_from_slice(&(part.len() as u16 | side).to_be_bytes());
            out.extend_from_slice(part);
        }
    }
    Some(out)
}

/// Holds the conversation and checks all that is said of it.
pub fn run(bytes: &[u8]) {
    let mut script = Script(bytes);
    let protocol = PROTOCOLS[usize::from(script.byte()) % PROTOCOLS.len()];
    let options = script.byte();
    let (datagrams, hinted) = (options & 1 == 1, options & 2 == 2);
    let limits = crate::limits(options & 4 == 4);
    let mut segments = Vec::new();
    while let Some(control) = script.control() {
        let direction = if control & DOWN == 0 { Direction::Up } else { Direction::Down };
        let missing = control & MISSING != 0;
        let bytes = match missing && !datagrams {
            true => None,
            false => Some(script.bytes(usize::from(control & LENGTH))),
        };
        segments.push((direction, bytes, missing, u64::from(control & LENGTH)));
    }

    let payload: Vec<(Direction, &[u8])> = segments.iter().filter_map(|(side, bytes, ..)| Some((*side, (*bytes)?))).collect();
    let side = |side: Direction| -> Vec<u8> {
        let one = payload.iter().filter(|(direction, _)| *direction == side);
        one.flat_map(|(_, bytes)| bytes.iter().copied()).collect()
    };
    let (up, down) = (side(Direction::Up), side(Direction::Down));
    let latest = &payload[payload.len().saturating_sub(limits.opening_datagrams)..];
    let first = |bytes: &[u8]| bytes.len().min(limits.opening_bytes);
    let opening = Opening {
        transport: if datagrams { Transport::Udp } else { Transport::Tcp },
        client_port: 50_000,
        server_port: PORTS[usize::from(options >> 4) % PORTS.len()],
        layers: if datagrams { &["udp"] } else { &["tcp"] },
        start: match (hinted, datagrams) {
            (true, _) => Start::Hinted,
            (_, true) => Start::Datagrams(latest),
            (_, false) => Start::Stream {
                up: &up[..first(&up)],
                down: &down[..first(&down)],
            },
        },
    };
    // Whatever it answers: a flow may be handed over on any bytes.
    let _ = protocol.matches(&opening);

    let mut talk = Talk {
        limits,
        transport: opening.transport,
        lengths: Vec::new(),
    };
    let mut chain = Chain::new(protocol, &opening, &talk.limits);
    for (direction, bytes, missing, length) in segments {
        talk.lengths.push(bytes.map_or(0, |it| it.len() as u64));
        let number = talk.lengths.len() as u64;
        let segment = match bytes {
            None => Segment::Gap(length),
            Some(bytes) => Segment::Bytes(Piece {
                bytes,
                missing: if missing { 100 } else { 0 },
                origin: Origin {
                    carrier: number,
                    frame: number,
                    offset: PAYLOAD,
                    in_frame: true,
                },
            }),
        };
        if chain.segment(direction, segment, &mut talk, 0) != Progress::More {
            return;
        }
    }
    chain.finish(&mut talk, 0);
}

/// A dissector and those it handed inner bytes to.
struct Chain {
    id: &'static str,
    dissector: Box<dyn Dissector>,
    inner: Vec<Chain>,
}

impl Chain {
    fn new(protocol: &'static dyn Protocol, opening: &Opening<'_>, limits: &Limits) -> Self {
        Self {
            id: protocol.id(),
            dissector: protocol.start(opening, limits),
            inner: Vec::new(),
        }
    }

    fn segment(&mut self, direction: Direction, it: Segment<'_>, talk: &mut Talk, depth: usize) -> Progress {
        let inner = &mut self.inner;
        self.dissector.segment(direction, it, &mut Ear { inner, talk, depth })
    }

    fn finish(&mut self, talk: &mut Talk, depth: usize) {
        let inner = &mut self.inner;
        let mut ear = Ear { inner, talk, depth };
        self.dissector.finish(&mut ear);
        if self.dissector.waits() {
            self.dissector.conclude(&mut ear);
        }
        for chain in &mut self.inner {
            chain.finish(talk, depth + 1);
        }
    }
}

/// What the whole conversation has in common.
struct Talk {
    limits: Limits,
    transport: Transport,
    /// Payload bytes of each frame so far.
    lengths: Vec<u64>,
}

/// Hears what one dissector says.
struct Ear<'a> {
    inner: &'a mut Vec<Chain>,
    talk: &'a mut Talk,
    depth: usize,
}

impl Ear<'_> {
    fn place(&self, at: Span, of: &str) {
        let so_far = self.talk.lengths.len() as u64;
        assert!(
            1 <= at.first_frame && at.first_frame <= at.frame && at.frame <= so_far,
            "{of}: {at:?} names a frame that was not there, of {so_far}"
        );
        if at.in_frame {
            assert_eq!(at.first_frame, at.frame, "{of}: {at:?} lies in one frame");
            let end = PAYLOAD + self.talk.lengths[at.frame as usize - 1];
            assert!(
                PAYLOAD <= at.offset && at.offset + at.length <= end,
                "{of}: {at:?} leaves the payload of its frame, {PAYLOAD} to {end}"
            );
        }
    }
}

impl Sink for Ear<'_> {
    fn observe(&mut self, it: Observation, at: Span) {
        self.place(at, &format!("{it:?}"));
    }

    fn field(&mut self, it: Field<'_>) {
        crate::frame::path(it.path);
        self.place(it.at, it.path);
    }

    fn anomaly(&mut self, kind: &'static str, _: Severity, because: String, at: Span) {
        assert!(kind.contains('-') && !because.is_empty(), "{kind}: {because}");
        self.place(at, kind);
    }

    fn inner(&mut self, direction: Direction, hint: &'static str, it: Segment<'_>) {
        let depth = self.depth + 1;
        assert!(depth < DEEPEST, "dissectors {depth} deep, the last {hint}");
        let at = match self.inner.iter().position(|chain| chain.id == hint) {
            Some(at) => at,
            None => {
                let protocol = PROTOCOLS
                    .iter()
                    .find(|it| it.id() == hint)
                    .unwrap_or_else(|| panic!("no protocol {hint}"));
                let opening = Opening {
                    transport: self.talk.transport,
                    client_port: 50_000,
                    server_port: 443,
                    layers: &["tcp", "outer"],
                    start: Start::Hinted,
                };
                self.inner.push(Chain::new(*protocol, &opening, &self.talk.limits));
                self.inner.len() - 1
            }
        };
        self.inner[at].segment(direction, it, self.talk, depth);
    }

    fn carries(&mut self, _: &'static str) {}

    fn protection(&mut self, _: Protection) {}

    fn milestone(&mut self, _: Milestone) {}

    fn client_speaks(&mut self, _: Direction) {}

    fn limit(&mut self, name: &'static str) {
        assert!(Limits::NAMES.contains(&name), "no ceiling is named {name}");
    }
}
