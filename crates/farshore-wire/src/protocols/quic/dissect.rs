//! Datagrams into handshake bytes. It owns connections, their public keys and their ids, and refuses to read the handshake:
//! whole messages go to the TLS reader; packets under keys of a key log to `sealed`.

use std::ops::Range;

use farshore_model::{Direction, Observation, Span, WireText};

use super::crypto_stream::{Added, CryptoStream};
use super::google;
use super::initial::Keys;
use super::packet::{self, Dialect, Id, Kind, Long};
use super::sealed::{Level, Packet, Sealed};
use crate::cursor::Cursor;
use crate::limits::Limits;
use crate::protocols::hexadecimal::spelled;
use crate::protocols::{Dissector, Field, Milestone, Origin, Path, Piece, Progress, Segment, Session, Sink};

/// Connections remembered per flow: a client that comes back from the same port has one or two.
const CONNECTIONS: usize = 16;
/// Packets of unknown connections that are tried per flow before no more are.
const ATTEMPTS: u32 = 64;
/// Versions of one connection: its first, and the one it was moved to (RFC 9368).
const VERSIONS: usize = 3;

/// Reads QUIC on one flow.
pub(super) struct Connections {
    known: Vec<Connection>,
    /// How many began.
    begun: u64,
    failed: u32,
    limits: Limits,
    /// Holds one packet while it is opened; kept for its room.
    room: Vec<u8>,
    /// The id of Google's QUIC that was named already.
    google: Option<Vec<u8>>,
    /// Packets under keys went by of a connection whose client's hello did not.
    headless: bool,
}

/// Where a packet came from.
#[derive(Clone, Copy)]
struct Arrival {
    direction: Direction,
    /// Of its datagram.
    origin: Origin,
    /// Where it begins in the datagram.
    at: usize,
}

struct Connection {
    /// Counted from 0, in this flow.
    number: u64,
    client: Direction,
    /// The version the client speaks.
    version: u32,
    /// The id the client chose for the server, from which the keys come.
    first_id: Id,
    client_id: Id,
    server_id: Option<Id>,
    /// The id a Retry gave: the next Initial has keys from it.
    retry_id: Option<Id>,
    keys: Vec<(u32, Keys)>,
    up: CryptoStream,
    down: CryptoStream,
    /// The whole ClientHello went by.
    sent: bool,
    /// Part of it came twice before it was whole.
    repeated: bool,
    /// The ServerHello went by: nothing readable follows.
    answered: bool,
    /// The server went on with the handshake, so there was a whole ClientHello: a part of it was not captured.
    cut: bool,
    /// What keys of a key log may open.
    sealed: Option<Box<Sealed>>,
    /// Its handshake is over: from here on its packets may come from elsewhere, and its ids were told.
    may_move: bool,
    /// What the client says when it begins again. After a Retry it has to be the same (RFC 9000 section 17.2.5.2), and not every client
    /// holds to that.
    again: Option<CryptoStream>,
}

impl Connection {
    /// Whether a packet that goes this way to that id is of this connection.
    fn is_addressed(&self, direction: Direction, to: &Id) -> bool {
        if direction == self.client {
            *to == self.first_id || Some(*to) == self.server_id
        } else {
            *to == self.client_id
        }
    }

    /// The id that packets which go this way are addressed to once the handshake is over.
    fn receiver(&self, direction: Direction) -> Option<&[u8]> {
        if direction == self.client {
            self.server_id.as_ref().map(Id::bytes)
        } else {
            Some(self.client_id.bytes())
        }
    }

    /// The client says its hello once more, and it may be another: after a Retry, or under a version that the server speaks (RFC 9000
    /// section 6.2).
    fn begin_again(&mut self, version: u32) {
        self.version = version;
        self.again = self.sealed.is_some().then(CryptoStream::default);
    }

    /// The length of the id that a packet names which goes this way, if that is known.
    fn named(&self, direction: Direction, receiver: &[u8]) -> Option<usize> {
        let first = self.receiver(direction).filter(|id| receiver.starts_with(id));
        let later = || self.sealed.as_ref()?.named(direction, receiver).map(Id::bytes);
        first.or_else(later).map(<[u8]>::len)
    }

    /// The keys for a version: others than the first are derived from the same id (RFC 9369 section 4).
    fn open<'r>(&mut self, direction: Direction, it: &Long<'_>, room: &'r mut Vec<u8>) -> Option<&'r [u8]> {
        let known = self.keys.iter().position(|(version, _)| *version == it.version);
        let at = match known {
            Some(at) => at,
            None if self.keys.len() < VERSIONS => {
                let dialect = packet::dialect(it.version)?;
                let keys = Keys::derive(dialect.salts.first()?, &dialect, self.first_id.bytes())?;
                self.keys.push((it.version, keys));
                self.keys.len().checked_sub(1)?
            }
            None => return None,
        };
        let (_, keys) = self.keys.get(at)?;
        let opener = if direction == self.client { &keys.client } else { &keys.server };
        let frames = opener.open(it.bytes, it.number_at, room)?;
        room.get(frames)
    }
}

/// Opens a client's first Initial under keys made of its own destination id.
pub(super) fn open_first<'r>(it: &Long<'_>, room: &'r mut Vec<u8>) -> Option<(Keys, &'r [u8])> {
    let dialect = packet::dialect(it.version)?;
    let (keys, frames) = dialect.salts.iter().find_map(|salt| {
        let keys = Keys::derive(salt, &dialect, it.destination.bytes())?;
        let frames = keys.client.open(it.bytes, it.number_at, room)?;
        Some((keys, frames))
    })?;
    Some((keys, room.get(frames)?))
}

impl Connections {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            known: Vec::new(),
            begun: 0,
            failed: 0,
            limits: limits.clone(),
            room: Vec::new(),
            google: None,
            headless: false,
        }
    }

    fn datagram(&mut self, direction: Direction, piece: &Piece<'_>, out: &mut dyn Sink) {
        let mut rest = piece.bytes;
        while rest.first().is_some_and(|first| Long::is_long(*first)) {
            let Ok((it, after)) = Long::read(rest) else { break };
            let at = piece.bytes.len().saturating_sub(rest.len());
            match it.kind {
                Kind::Initial { token } => {
                    let arrival = Arrival {
                        direction,
                        origin: piece.origin,
                        at,
                    };
                    self.initial(&it, token, arrival, out);
                }
                Kind::Retry => self.retry(direction, &it),
                Kind::Early => self.sealed(Level::Early, direction, &it, piece.origin, out),
                Kind::Handshake => self.sealed(Level::Handshake, direction, &it, piece.origin, out),
                Kind::Negotiation { .. } => {}
            }
            rest = after;
        }
        // A packet with a short header may follow in the same datagram (RFC 9000 section 12.2).
        if rest.len() < piece.bytes.len() && rest.first().is_some_and(|first| !Long::is_long(*first)) {
            self.short(direction, rest, piece.origin, out);
        }
    }

    /// A packet with a long header, under keys of the connection.
    fn sealed(&mut self, level: Level, direction: Direction, it: &Long<'_>, origin: Origin, out: &mut dyn Sink) {
        self.headless |= self.known.is_empty() && level == Level::Handshake;
        let Self { known, limits, room, .. } = self;
        let addressed = known
            .iter_mut()
            .rev()
            .filter(|known| known.is_addressed(direction, &it.destination));
        for sealed in addressed.filter_map(|known| {
            // The hello is told by now if all of it was captured.
            known.cut |= !known.sent && level == Level::Handshake;
            known.sealed.as_mut()
        }) {
            let packet = Packet {
                level,
                direction,
                bytes: it.bytes,
                number_at: it.number_at,
                origin,
            };
            if sealed.packet(packet, limits, room, out) {
                return;
            }
        }
    }

    /// A packet with a short header: it names the receiver's id, without its length.
    fn short(&mut self, direction: Direction, bytes: &[u8], origin: Origin, out: &mut dyn Sink) {
        let Self { known, limits, room, .. } = self;
        let receiver = bytes.get(1..).unwrap_or_default();
        // By an id that is known; else by one that was given in a packet nobody saw, as long as that of the handshake. The bit that is fixed may be any where both
        // sides agreed on it (RFC 9287): then only an id tells a packet.
        let fixed = bytes.first().is_some_and(|first| first & 0x40 != 0);
        for by_name in [true, false].into_iter().filter(|by_name| *by_name || fixed) {
            for known in known.iter_mut().rev() {
                let named = known.named(direction, receiver);
                if named.is_some() != by_name {
                    continue;
                }
                let Some(length) = named.or_else(|| known.receiver(direction).map(<[u8]>::len)) else {
                    continue;
                };
                let number_at = length.saturating_add(1);
                let (client, ids) = (known.client, [known.server_id, Some(known.client_id)]);
                let Some(sealed) = &mut known.sealed else { continue };
                let packet = Packet {
                    level: Level::Traffic,
                    direction,
                    bytes,
                    number_at,
                    origin,
                };
                if sealed.packet(packet, limits, room, out) {
                    if !std::mem::replace(&mut known.may_move, true) {
                        for (id, direction) in ids.iter().zip([client, client.reverse()]) {
                            let id = id.as_ref().map(Id::bytes).unwrap_or_default();
                            out.path(Path::Issued(id, direction));
                        }
                    }
                    if let Some(print) = sealed.print() {
                        out.path(Path::Opened(print, client));
                    }
                    return;
                }
            }
        }
    }

    fn retry(&mut self, direction: Direction, it: &Long<'_>) {
        let asked = |known: &&mut Connection| known.client != direction && !known.answered && known.client_id == it.destination;
        if let Some(known) = self.known.iter_mut().rev().find(asked) {
            known.retry_id = Some(it.source);
        }
    }

    fn initial(&mut self, it: &Long<'_>, token: bool, arrival: Arrival, out: &mut dyn Sink) {
        let Arrival { direction, origin, .. } = arrival;
        let Some(dialect) = packet::dialect(it.version) else { return };
        let mut room = std::mem::take(&mut self.room);
        for known in self.known.iter_mut().rev() {
            if !known.is_addressed(direction, &it.destination) {
                continue;
            }
            if known.answered {
                // A late copy, or another connection with an id of no bytes: the latter is found below.
                if it.destination.bytes().is_empty() {
                    continue;
                }
                self.room = room;
                return;
            }
            if let Some(frames) = known.open(direction, it, &mut room) {
                if direction != known.client {
                    known.server_id = Some(it.source);
                } else if it.version != known.version {
                    known.begin_again(it.version);
                }
                known.frames(direction, frames, &dialect, origin, &self.limits, out);
                self.room = room;
                return;
            }
        }
        if !it.destination.bytes().is_empty() && self.failed < ATTEMPTS {
            if let Some((keys, frames)) = open_first(it, &mut room) {
                let place = self.admit(it, token, keys, arrival, out);
                if let Some(known) = self.known.get_mut(place) {
                    known.frames(direction, frames, &dialect, origin, &self.limits, out);
                }
            } else {
                self.failed = self.failed.saturating_add(1);
            }
        }
        self.room = room;
    }

    /// A connection that was not known under this id: a new one, or one that a Retry sent round again.
    fn admit(&mut self, it: &Long<'_>, token: bool, keys: Keys, arrival: Arrival, out: &mut dyn Sink) -> usize {
        let Arrival { direction, origin, at } = arrival;
        out.client_speaks(direction);
        let again = self.known.iter().rposition(|known| {
            known.client == direction
                && !known.answered
                && (known.retry_id == Some(it.destination) || token && known.client_id == it.source && !it.source.bytes().is_empty())
        });
        if let Some((place, known)) = again.and_then(|place| Some((place, self.known.get_mut(place)?))) {
            known.first_id = it.destination;
            known.client_id = it.source;
            known.server_id = None;
            known.retry_id = None;
            known.keys = vec![(it.version, keys)];
            known.begin_again(it.version);
            return place;
        }
        let id = it.destination.bytes();
        let offset = (at as u64).saturating_add(Long::DESTINATION_AT);
        name_session(id, &origin, offset, out);
        if self.known.len() >= CONNECTIONS {
            let mut oldest = self.known.remove(0);
            if let Some(sealed) = &mut oldest.sealed {
                sealed.close(out);
            }
        }
        let number = self.begun;
        self.begun = self.begun.saturating_add(1);
        self.known.push(Connection {
            number,
            client: direction,
            version: it.version,
            first_id: it.destination,
            client_id: it.source,
            server_id: None,
            retry_id: None,
            keys: vec![(it.version, keys)],
            up: CryptoStream::default(),
            down: CryptoStream::default(),
            sent: false,
            repeated: false,
            answered: false,
            cut: false,
            sealed: None,
            may_move: false,
            again: None,
        });
        self.known.len().saturating_sub(1)
    }

    /// Google's QUIC up to Q049: the hello is in clear in the datagram.
    fn google(&mut self, direction: Direction, piece: &Piece<'_>, out: &mut dyn Sink) {
        let Some(header) = google::Header::read(piece.bytes) else { return };
        let Some((hello, _)) = piece.bytes.get(header.body_at..).and_then(google::Hello::find) else {
            return;
        };
        out.client_speaks(direction);
        let id = piece.bytes.get(header.id.clone()).unwrap_or_default();
        if self.google.as_deref() != Some(id) {
            name_session(id, &piece.origin, header.id.start as u64, out);
            self.google = Some(id.to_vec());
        }
        let base = header.body_at as u64;
        let body = piece.bytes.get(header.body_at..).unwrap_or_default();
        let place = |part: Range<usize>| place(&piece.origin, base.saturating_add(part.start as u64), part.len());
        tell_google_hello(&hello, body, &place, out);
    }
}

impl Connection {
    /// Takes the frames of an Initial packet (RFC 9000 section 17.2.2 lists what may be in it).
    fn frames(&mut self, direction: Direction, frames: &[u8], dialect: &Dialect, origin: Origin, limits: &Limits, out: &mut dyn Sink) {
        let mut at = Cursor::new("quic", frames);
        while let Ok(kind) = at.u8() {
            if kind == dialect.crypto_frame {
                let Ok(offset) = packet::variable_u64(&mut at) else { return };
                let Ok(bytes) = packet::variable(&mut at).and_then(|length| at.take(length)) else {
                    return;
                };
                self.crypto(direction, (offset, bytes), dialect, &origin, limits, out);
                continue;
            }
            match kind {
                // PADDING and PING.
                0 | 1 => {}
                2 | 3 if packet::skip_acknowledgement(&mut at, kind == 3).is_ok() => {}
                _ => return,
            }
        }
    }

    fn crypto(
        &mut self,
        direction: Direction,
        (offset, bytes): (u64, &[u8]),
        dialect: &Dialect,
        origin: &Origin,
        limits: &Limits,
        out: &mut dyn Sink,
    ) {
        let limit = limits.crypto_bytes;
        let from_client = direction == self.client;
        if let Some(again) = self.again.as_mut().filter(|_| from_client)
            && again.add(offset, bytes, origin.frame, limit) == Added::New
            && let Some(Ok(message)) = again.next(limit)
        {
            self.sealed = Sealed::new(self.number, direction, &message.bytes, dialect.version_2, out.secrets()).map(Box::new);
            self.again = None;
        }
        let stream = if from_client { &mut self.up } else { &mut self.down };
        match stream.add(offset, bytes, origin.frame, limit) {
            Added::New => {}
            Added::Repeated if from_client && !bytes.is_empty() => {
                self.repeated = true;
                if self.sent {
                    out.milestone(Milestone::HelloRepeated);
                }
                return;
            }
            Added::Repeated => return,
            Added::Refused => {
                out.limit("crypto-bytes");
                return;
            }
        }
        if from_client && google::Hello::is_begun(stream.ready()) {
            self.google_hello(origin, out);
            return;
        }
        while let Some(message) = stream.next(limit) {
            let Ok(message) = message else {
                out.limit("crypto-bytes");
                self.answered = true;
                break;
            };
            let answer = !from_client && is_final_answer(&message.bytes);
            out.inner(
                direction,
                "tls",
                Segment::Bytes(Piece {
                    bytes: &message.bytes,
                    missing: 0,
                    origin: Origin {
                        carrier: message.first_frame,
                        frame: origin.frame,
                        offset: message.offset,
                        in_frame: false,
                    },
                }),
            );
            if from_client && !out.secrets().is_empty() && message.bytes.first() == Some(&1) {
                self.sealed = Sealed::new(self.number, direction, &message.bytes, dialect.version_2, out.secrets()).map(Box::new);
            }
            if let Some(sealed) = self.sealed.as_mut().filter(|_| answer) {
                sealed.answered(&message.bytes, dialect.version_2, limits, &mut Vec::new(), out);
            }
            if from_client {
                if self.repeated && !self.sent {
                    out.milestone(Milestone::HelloRepeated);
                }
                self.sent = true;
            }
            self.answered |= answer;
        }
        if self.answered {
            // Nothing more can be read of this connection: only its ids are kept.
            self.keys = Vec::new();
            self.up = CryptoStream::default();
            self.down = CryptoStream::default();
        }
    }

    /// The hello of Q050.
    fn google_hello(&mut self, origin: &Origin, out: &mut dyn Sink) {
        let Ok((hello, _)) = google::Hello::read(self.up.ready()) else {
            return;
        };
        let span = |part: Range<usize>| Span::in_layer(self.up.first_frame(), origin.frame, part.start as u64, part.len() as u64);
        tell_google_hello(&hello, self.up.ready(), &span, out);
        self.sent = true;
        self.up = CryptoStream::default();
    }
}

impl Dissector for Connections {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let Segment::Bytes(piece) = it else {
            return Progress::More;
        };
        match piece.bytes.first() {
            Some(first) if Long::is_long(*first) && google::Header::read(piece.bytes).is_none() => self.datagram(direction, &piece, out),
            Some(first) if !Long::is_long(*first) && self.known.iter().any(|known| known.sealed.is_some()) => {
                self.short(direction, piece.bytes, piece.origin, out);
            }
            // Short headers are the bulk of a flow: one test, nothing else.
            Some(first) if first & 0x89 == 0x09 || Long::is_long(*first) => self.google(direction, &piece, out),
            _ => {}
        }
        Progress::More
    }

    fn finish(&mut self, out: &mut dyn Sink) {
        for sealed in self.known.iter_mut().filter_map(|known| known.sealed.as_mut()) {
            sealed.close(out);
        }
        if out.secrets().is_empty() {
            return;
        }
        if self.known.iter().any(|known| known.cut && known.sealed.is_none()) {
            out.session(Session::Missed("packet loss".into()));
        } else if self.headless {
            out.session(Session::Missed("the client's hello was not captured".into()));
        }
    }
}

fn tell_google_hello(hello: &google::Hello, bytes: &[u8], at: &dyn Fn(Range<usize>) -> Span, out: &mut dyn Sink) {
    if let Some(agent) = hello.agent.clone() {
        out.field(Field {
            path: "gquic.user-agent",
            value: bytes.get(agent.clone()).unwrap_or_default(),
            at: at(agent),
        });
    }
    if let Some(range) = hello.name.clone().filter(|range| !range.is_empty()) {
        let (name, at) = (bytes.get(range.clone()).unwrap_or_default(), at(range));
        out.field(Field {
            path: "gquic.sni",
            value: name,
            at,
        });
        out.observe(
            Observation::PeerNamed {
                protocol: "gquic",
                name: WireText::from_bytes(name),
            },
            at,
        );
    }
    out.milestone(Milestone::HelloSent);
}

fn name_session(id: &[u8], origin: &Origin, offset: u64, out: &mut dyn Sink) {
    out.observe(
        Observation::SessionNamed {
            protocol: "quic",
            id: spelled(id),
        },
        place(origin, offset, id.len()),
    );
}

/// A range of a datagram.
fn place(origin: &Origin, offset: u64, length: usize) -> Span {
    Span {
        first_frame: origin.carrier,
        frame: origin.frame,
        offset: origin.offset.saturating_add(offset),
        length: length as u64,
        in_frame: origin.in_frame && origin.carrier == origin.frame,
    }
}

/// Whether a message is a ServerHello that is no request to try again (RFC 8446 section 4.1.3).
fn is_final_answer(message: &[u8]) -> bool {
    const RETRY: &[u8] = b"\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91";
    message.first() == Some(&2) && message.get(6..).is_some_and(|random| !random.starts_with(RETRY))
}
