//! The sink that protocol tests write to: it keeps what was said, and drives a dissector by hand. Tests only.

use farshore_model::ledger::Severity;
use farshore_model::{Direction, Observation, Protection, Span, Transport};

use super::{Dissector, Field, Match, Milestone, Opening, Piece, Progress, Protocol, Segment, Session, Sink, Start, candidates};
use crate::limits::Limits;
use crate::media_keys::MediaKeys;
use crate::recording::{self, Label, Next};
use crate::stream::Origin;

/// Everything a dissector said.
#[derive(Debug, Default, PartialEq)]
pub struct Notebook {
    pub observed: Vec<(Observation, Span)>,
    /// Path, value, place.
    pub fields: Vec<(String, Vec<u8>, Span)>,
    /// The path of each value that was decoded, and how.
    pub decoded: Vec<(String, Vec<&'static str>)>,
    /// What was undone to read what comes.
    pub by: Vec<&'static str>,
    pub anomalies: Vec<(&'static str, String)>,
    pub inner: Vec<(Direction, &'static str, Vec<u8>)>,
    pub carried: Vec<&'static str>,
    pub protection: Option<Protection>,
    pub client: Option<Direction>,
    pub limits: Vec<&'static str>,
    /// What is lent to those who ask.
    pub media_keys: MediaKeys,
    /// What was said last of how things stood on the wire.
    pub under: Option<Protection>,
    /// Why sessions stayed closed.
    pub missed: Vec<String>,
    /// Recordings that are sound, whole.
    pub recordings: Vec<(Label, Vec<i16>)>,
    tapes: Vec<(u32, Vec<i16>)>,
}

impl Sink for Notebook {
    fn observe(&mut self, it: Observation, at: Span) {
        self.observed.push((it, at));
    }

    fn field(&mut self, it: Field<'_>) {
        self.fields.push((it.path.to_owned(), it.value.to_vec(), it.at));
        if !self.by.is_empty() {
            self.decoded.push((it.path.to_owned(), self.by.clone()));
        }
    }

    fn decoded(&mut self, by: &[&'static str]) {
        self.by = by.to_vec();
    }

    fn anomaly(&mut self, kind: &'static str, _: Severity, because: String, _: Span) {
        self.anomalies.push((kind, because));
    }

    fn inner(&mut self, direction: Direction, hint: &'static str, it: Segment<'_>) {
        if let Segment::Bytes(piece) = it {
            self.inner.push((direction, hint, piece.bytes.to_vec()));
        }
    }

    fn carries(&mut self, it: &'static str) {
        self.carried.push(it);
    }

    fn protection(&mut self, it: Protection) {
        self.protection = Some(it);
    }

    fn milestone(&mut self, _: Milestone) {}

    fn client_speaks(&mut self, direction: Direction) {
        self.client = Some(direction);
    }

    fn limit(&mut self, name: &'static str) {
        self.limits.push(name);
    }

    fn media_keys(&self) -> &MediaKeys {
        &self.media_keys
    }

    fn under(&mut self, it: Protection) {
        self.under = Some(it);
    }

    fn session(&mut self, it: Session) {
        if let Session::Missed(because) = it {
            self.missed.push(because.into_owned());
        }
    }

    fn wants_sound(&self) -> bool {
        true
    }

    fn sound(&mut self, it: recording::Piece<'_>) {
        if !self.tapes.iter().any(|(number, _)| *number == it.recording) {
            self.tapes.push((it.recording, Vec::new()));
        }
        let (_, tape) = self.tapes.iter_mut().find(|(number, _)| *number == it.recording).unwrap();
        match it.next {
            Next::Samples(samples) => tape.extend(samples),
            Next::Silence(samples) => tape.resize(tape.len() + usize::try_from(samples).unwrap(), 0),
            Next::Recovered(label) => self.recordings.push((label.clone(), std::mem::take(tape))),
        }
    }
}

impl Notebook {
    /// All fields by path and value, which must be text.
    pub fn told(&self) -> Vec<(&str, &str)> {
        let fields = self.fields.iter();
        fields
            .map(|(path, value, _)| (path.as_str(), str::from_utf8(value).unwrap()))
            .collect()
    }

    /// The values told under one path, as text.
    pub fn values(&self, path: &str) -> Vec<String> {
        let told = self.fields.iter().filter(|(p, _, _)| p == path);
        told.map(|(_, value, _)| String::from_utf8_lossy(value).into_owned()).collect()
    }

    /// The kinds of observations alone, for comparisons that leave places out.
    pub fn facts(&self) -> Vec<&Observation> {
        self.observed.iter().map(|(it, _)| it).collect()
    }
}

/// One datagram or stream chunk in a frame of its own; payload begins at byte 42, frames count from 1.
pub fn piece(frame: u64, bytes: &[u8]) -> Piece<'_> {
    Piece {
        bytes,
        missing: 0,
        origin: Origin {
            carrier: frame,
            frame,
            offset: 42,
            in_frame: true,
        },
    }
}

/// An opening made of datagrams.
pub fn datagrams<'a>(client_port: u16, server_port: u16, list: &'a [(Direction, &'a [u8])]) -> Opening<'a> {
    Opening {
        transport: Transport::Udp,
        client_port,
        server_port,
        layers: &["udp"],
        start: Start::Datagrams(list),
    }
}

/// An opening of a stream.
pub fn stream<'a>(client_port: u16, server_port: u16, up: &'a [u8], down: &'a [u8]) -> Opening<'a> {
    Opening {
        transport: Transport::Tcp,
        client_port,
        server_port,
        layers: &["tcp"],
        start: Start::Stream { up, down },
    }
}

/// Hands `chunks` to a dissector, one frame each, and ends the flow.
pub fn feed(dissector: &mut dyn Dissector, chunks: &[(Direction, &[u8])]) -> Notebook {
    feed_with(dissector, chunks, MediaKeys::default(), MediaKeys::default())
}

/// The same, with master keys of media that are known beforehand, and at the end.
pub fn feed_with(dissector: &mut dyn Dissector, chunks: &[(Direction, &[u8])], before: MediaKeys, at_the_end: MediaKeys) -> Notebook {
    let mut out = Notebook {
        media_keys: before,
        ..Notebook::default()
    };
    for (frame, (direction, bytes)) in (1..).zip(chunks) {
        if dissector.segment(*direction, Segment::Bytes(piece(frame, bytes)), &mut out) != Progress::More {
            break;
        }
    }
    dissector.finish(&mut out);
    out.media_keys = at_the_end;
    if dissector.waits() {
        dissector.conclude(&mut out);
    }
    out
}

/// What a protocol says of an opening, which its first bytes must not rule out if it says so.
pub fn asked(protocol: &dyn Protocol, opening: &Opening<'_>) -> Match {
    let left = |it: &Opening<'_>| {
        let left = candidates(it.start).any(|it| it.id() == protocol.id());
        assert!(left, "{} rules out {:?}", protocol.id(), it.start);
    };
    let Start::Datagrams(list) = opening.start else {
        let verdict = protocol.matches(opening);
        if verdict != Match::No {
            left(opening);
        }
        return verdict;
    };
    // It is asked at each datagram, until one is recognised.
    for count in 1..=list.len() {
        let start = Start::Datagrams(&list[..count]);
        let so_far = Opening { start, ..*opening };
        if protocol.matches(&so_far) == Match::Yes {
            left(&so_far);
            return Match::Yes;
        }
    }
    protocol.matches(opening)
}

/// Reads datagrams from first to last under the default limits, once `protocol` said yes to them.
pub fn read_datagrams(protocol: &dyn Protocol, ports: (u16, u16), list: &[(Direction, &[u8])]) -> Notebook {
    let opening = datagrams(ports.0, ports.1, list);
    assert_eq!(asked(protocol, &opening), Match::Yes, "not recognised");
    feed(protocol.start(&opening, &Limits::default()).as_mut(), list)
}

/// Reads stream chunks likewise; the opening is all of them.
pub fn read_stream(protocol: &dyn Protocol, ports: (u16, u16), list: &[(Direction, &[u8])]) -> Notebook {
    let side = |wanted: Direction| -> Vec<u8> { list.iter().filter(|(d, _)| *d == wanted).flat_map(|(_, b)| b.to_vec()).collect() };
    let (up, down) = (side(Direction::Up), side(Direction::Down));
    let opening = stream(ports.0, ports.1, &up, &down);
    assert_eq!(asked(protocol, &opening), Match::Yes, "not recognised");
    feed(protocol.start(&opening, &Limits::default()).as_mut(), list)
}

/// The same chunks, cut where they are longer than `size`.
pub fn in_chunks(list: &[(Direction, Vec<u8>)], size: usize) -> Vec<(Direction, &[u8])> {
    list.iter()
        .flat_map(|(direction, bytes)| bytes.chunks(size).map(|it| (*direction, it)))
        .collect()
}

/// Hands every truncation of one message, and every one-byte change of it, to `matches` and to a fresh dissector.
/// What comes out does not matter here, only that reading ends without a panic.
pub fn damage(protocol: &dyn Protocol, ports: (u16, u16), transport: Transport, direction: Direction, message: &[u8]) {
    let attempt = |bytes: &[u8]| {
        let list = [(direction, bytes)];
        let opening = match transport {
            Transport::Udp => datagrams(ports.0, ports.1, &list),
            _ => stream(ports.0, ports.1, bytes, &[]),
        };
        let _ = asked(protocol, &opening);
        let _ = feed(protocol.start(&opening, &Limits::default()).as_mut(), &list);
    };
    for cut in 0..message.len() {
        attempt(&message[..cut]);
        attempt(&message[cut..]);
    }
    let mut changed = message.to_vec();
    for at in 0..message.len() {
        for mask in [0x01, 0x04, 0x20, 0x80, 0xff] {
            changed[at] ^= mask;
            attempt(&changed);
            changed[at] ^= mask;
        }
    }
}
