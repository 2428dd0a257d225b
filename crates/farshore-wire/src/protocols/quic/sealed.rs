//! Packets under keys that only the two ends know, opened with those of a key log: 0-RTT, Handshake and 1-RTT (RFC 9000 section 12,
//! RFC 9001). It owns levels, phases and frames of one connection, and refuses to read its handshake and its streams: messages go to
//! the TLS reader, streams to whatever ALPN names.

use std::borrow::Cow;
use std::collections::VecDeque;

use farshore_model::flow::{KeyUse, SessionPrint};
use farshore_model::{Direction, Protection};

use super::crypto_stream::{Added, CryptoStream};
use super::packet::{self, Id};
use super::streams::{Part, Streams, To};
use crate::crypto::hello::{Answer, Offer, encrypted_alpn, transport_parameters};
use crate::crypto::{Packets, Suite, suites};
use crate::cursor::{Cursor, Stop};
use crate::limits::Limits;
use crate::protocols::{Origin, Path, Piece, Segment, Session, Sink};
use crate::secrets::{Known, Purpose, Secrets};

/// Packets kept until the keys for them are there: those that overtake a ServerHello.
const WAITING: usize = 16;
/// Ids of both ends that are known of a connection: of many it gave, few are in use (RFC 9000 section 5.1.1).
const IDS: usize = 64;
/// Packets that fit no key, one after another, before a connection is given up.
const PATIENCE: u32 = 256;

/// What a packet is protected by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Early,
    Handshake,
    Traffic,
}

/// A packet as it stands in its datagram.
#[derive(Clone, Copy)]
pub(super) struct Packet<'a> {
    pub(super) level: Level,
    pub(super) direction: Direction,
    pub(super) bytes: &'a [u8],
    /// Where its number begins.
    pub(super) number_at: usize,
    pub(super) origin: Origin,
}

/// One connection, from its hellos on.
pub(super) struct Sealed {
    /// Which of the connections in its flow it is.
    number: u64,
    client: Direction,
    offer: Offer,
    answer: Option<Answer>,
    version_2: bool,
    known: Option<Known>,
    /// The client's early data, under each of the suites that may be meant until one opened.
    early: Vec<Packets>,
    up: Way,
    down: Way,
    alpn: Option<Vec<u8>>,
    waiting: Vec<(Level, Direction, Vec<u8>, usize, Origin)>,
    /// The ids that the ends gave each other since, each with the way that packets to it go; the latest last.
    ids: VecDeque<(Direction, Id)>,
    opened: bool,
    /// A protected packet went by; some of them did not open, the latest so many one after another.
    sealed: bool,
    closed: bool,
    failed: u32,
}

/// One direction.
#[derive(Default)]
struct Way {
    handshake: Option<Packets>,
    handshake_largest: Option<u64>,
    traffic: Option<Phases>,
    /// 0-RTT and 1-RTT packets share their numbers.
    traffic_largest: Option<u64>,
    crypto: CryptoStream,
    streams: Streams,
}

/// Keys that follow each other (RFC 9001 section 6).
struct Phases {
    bit: bool,
    current: Packets,
    before: Option<Packets>,
}

impl Sealed {
    /// A ClientHello went by.
    pub(super) fn new(number: u64, client: Direction, message: &[u8], version_2: bool, secrets: &Secrets) -> Option<Self> {
        let offer = Offer::read(message).ok()?;
        let known = secrets.of_random(&offer.random);
        let mut it = Self {
            number,
            client,
            offer,
            answer: None,
            version_2,
            known,
            early: Vec::new(),
            up: Way::default(),
            down: Way::default(),
            alpn: None,
            waiting: Vec::new(),
            ids: VecDeque::new(),
            opened: false,
            sealed: false,
            closed: false,
            failed: 0,
        };
        if let Some(early) = known.and_then(|it| it.client_early).filter(|_| it.offer.early_data) {
            let suites = it.offer.suites.iter().filter_map(|suite| Suite::named(&suites::name(*suite)));
            it.early = suites.filter_map(|suite| Packets::new(suite, version_2, early.bytes())).collect();
        }
        it.alpn.clone_from(&it.offer.alpn);
        Some(it)
    }

    /// The ServerHello went by.
    pub(super) fn answered(&mut self, message: &[u8], version_2: bool, limits: &Limits, room: &mut Vec<u8>, out: &mut dyn Sink) {
        let Ok(answer) = Answer::read(message) else { return };
        self.version_2 = version_2;
        self.answer = Some(answer);
        self.refresh(out.secrets());
        for (level, direction, bytes, number_at, origin) in std::mem::take(&mut self.waiting) {
            let packet = Packet {
                level,
                direction,
                bytes: &bytes,
                number_at,
                origin,
            };
            self.packet(packet, limits, room, out);
        }
    }

    /// Takes up what is known by now.
    fn refresh(&mut self, secrets: &Secrets) {
        let Some(answer) = &self.answer else { return };
        let Some(suite) = Suite::named(&suites::name(answer.suite)) else {
            return;
        };
        self.known = secrets.of_random(&self.offer.random).or(self.known);
        let Some(known) = self.known else { return };
        let client = self.client;
        for (direction, handshake, traffic) in [
            (client, known.client_handshake, known.client_traffic),
            (client.reverse(), known.server_handshake, known.server_traffic),
        ] {
            let version_2 = self.version_2;
            let way = self.way(direction);
            if let (None, Some(secret)) = (&way.handshake, handshake) {
                way.handshake = Packets::new(suite, version_2, secret.bytes());
            }
            if let (None, Some(secret)) = (&way.traffic, traffic) {
                way.traffic = Packets::new(suite, version_2, secret.bytes()).map(|current| Phases {
                    bit: false,
                    current,
                    before: None,
                });
            }
        }
    }

    const fn way(&mut self, direction: Direction) -> &mut Way {
        match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        }
    }

    /// Whether packets may still open.
    pub(super) const fn is_live(&self) -> bool {
        self.failed < PATIENCE
    }

    /// Takes a packet; says whether it opened.
    pub(super) fn packet(&mut self, it: Packet<'_>, limits: &Limits, room: &mut Vec<u8>, out: &mut dyn Sink) -> bool {
        self.sealed = true;
        if !self.is_live() {
            return false;
        }
        let way = match it.direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        };
        let there = match it.level {
            Level::Early => !self.early.is_empty(),
            Level::Handshake => way.handshake.is_some(),
            Level::Traffic => way.traffic.is_some(),
        };
        if !there {
            self.refresh(out.secrets());
            if self.answer.is_none() && self.known.is_some() && it.level != Level::Early && self.waiting.len() < WAITING {
                let waits = (it.level, it.direction, it.bytes.to_vec(), it.number_at, it.origin);
                self.waiting.push(waits);
                return false;
            }
        }
        let Some(frames) = self.open(&it, room) else {
            self.failed = self.failed.saturating_add(1);
            self.closed = true;
            return false;
        };
        self.failed = 0;
        if !self.opened {
            self.opened = true;
            if let Some(print) = self.print() {
                out.session(Session::Opened(print));
            }
        }
        let frames = room.get(frames).unwrap_or_default();
        out.under(Protection::Quic);
        out.connection(self.number);
        // What a frame of a kind that is not known is followed by cannot be told.
        let _ = self.frames(&it, frames, limits, out);
        out.connection(0);
        out.under(Protection::Plaintext);
        true
    }

    fn open(&mut self, it: &Packet<'_>, room: &mut Vec<u8>) -> Option<std::ops::Range<usize>> {
        let way = match it.direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        };
        let (bytes, number_at) = (it.bytes, it.number_at);
        match it.level {
            Level::Handshake => {
                let keys = way.handshake.as_ref()?;
                let header = keys.unmask(bytes, number_at, way.handshake_largest)?;
                let frames = keys.open(bytes, number_at, &header, room)?;
                way.handshake_largest = way.handshake_largest.max(Some(header.number));
                Some(frames)
            }
            Level::Early => {
                let (at, number, frames) = self.early.iter().enumerate().find_map(|(at, keys)| {
                    let header = keys.unmask(bytes, number_at, way.traffic_largest)?;
                    Some((at, header.number, keys.open(bytes, number_at, &header, room)?))
                })?;
                way.traffic_largest = way.traffic_largest.max(Some(number));
                // Which of the suites it is, is known now.
                self.early.truncate(at.saturating_add(1));
                self.early.drain(..at);
                Some(frames)
            }
            Level::Traffic => {
                let phases = way.traffic.as_mut()?;
                let header = phases.current.unmask(bytes, number_at, way.traffic_largest)?;
                let bit = header.first & 0x04 != 0;
                let frames = if bit == phases.bit {
                    phases.current.open(bytes, number_at, &header, room)?
                } else {
                    // Either a late packet of the phase before, or the first of the next.
                    let before = phases.before.as_ref().and_then(|keys| keys.open(bytes, number_at, &header, room));
                    match before {
                        Some(frames) => frames,
                        None => {
                            let next = phases.current.update()?;
                            let frames = next.open(bytes, number_at, &header, room)?;
                            phases.before = Some(std::mem::replace(&mut phases.current, next));
                            phases.bit = bit;
                            frames
                        }
                    }
                };
                way.traffic_largest = way.traffic_largest.max(Some(header.number));
                Some(frames)
            }
        }
    }

    /// Takes the frames of a packet (RFC 9000 section 19).
    fn frames(&mut self, it: &Packet<'_>, frames: &[u8], limits: &Limits, out: &mut dyn Sink) -> Result<(), Stop> {
        let mut at = Cursor::new("quic", frames);
        while !at.is_empty() {
            let kind = packet::variable_u64(&mut at)?;
            let skip = |integers: usize, at: &mut Cursor<'_>| (0..integers).try_for_each(|_| packet::variable_u64(at).map(|_| ()));
            match kind {
                // PADDING, PING, HANDSHAKE_DONE.
                0x00 | 0x01 | 0x1e => {}
                0x02 | 0x03 => packet::skip_acknowledgement(&mut at, kind == 3)?,
                // RESET_STREAM.
                0x04 => {
                    let stream = packet::variable_u64(&mut at)?;
                    skip(2, &mut at)?;
                    let to = self.to(it.direction);
                    self.way(it.direction).streams.reset(stream, to, out);
                }
                0x06 => {
                    let offset = packet::variable_u64(&mut at)?;
                    let length = packet::variable(&mut at)?;
                    let bytes = at.take(length)?;
                    if it.level == Level::Handshake {
                        self.crypto(it, offset, bytes, limits, out);
                    }
                }
                // NEW_TOKEN.
                0x07 => {
                    let length = packet::variable(&mut at)?;
                    at.skip(length)?;
                }
                0x08..=0x0f => {
                    let stream = packet::variable_u64(&mut at)?;
                    let offset = if kind & 0x04 == 0 { 0 } else { packet::variable_u64(&mut at)? };
                    let length = if kind & 0x02 == 0 { at.left() } else { packet::variable(&mut at)? };
                    let part = Part {
                        stream,
                        offset,
                        bytes: at.take(length)?,
                        last: kind & 0x01 != 0,
                        frame: it.origin.frame,
                    };
                    let to = self.to(it.direction);
                    self.way(it.direction).streams.add(part, limits, to, out);
                }
                // STOP_SENDING, MAX_STREAM_DATA, STREAM_DATA_BLOCKED.
                0x05 | 0x11 | 0x15 => skip(2, &mut at)?,
                // MAX_DATA, MAX_STREAMS, DATA_BLOCKED, STREAMS_BLOCKED, RETIRE_CONNECTION_ID.
                0x10 | 0x12..=0x14 | 0x16 | 0x17 | 0x19 => skip(1, &mut at)?,
                // NEW_CONNECTION_ID.
                0x18 => {
                    skip(2, &mut at)?;
                    let id = Id::read(&mut at)?;
                    at.skip(16)?;
                    self.issued(it.direction.reverse(), id, out);
                }
                // PATH_CHALLENGE, PATH_RESPONSE.
                0x1a | 0x1b => at.skip(8)?,
                // CONNECTION_CLOSE.
                0x1c | 0x1d => {
                    skip(if kind == 0x1c { 2 } else { 1 }, &mut at)?;
                    let length = packet::variable(&mut at)?;
                    at.skip(length)?;
                }
                // DATAGRAM (RFC 9221).
                0x30 | 0x31 => {
                    let length = if kind == 0x30 { at.left() } else { packet::variable(&mut at)? };
                    at.skip(length)?;
                }
                _ => return Err(at.forbidden()),
            }
        }
        Ok(())
    }

    /// Packets that go this way may name that id from here on.
    fn issued(&mut self, direction: Direction, id: Id, out: &mut dyn Sink) {
        if self.ids.contains(&(direction, id)) {
            return;
        }
        if self.ids.len() >= IDS
            && let Some((_, oldest)) = self.ids.pop_front()
        {
            out.path(Path::Retired(oldest.bytes()));
        }
        self.ids.push_back((direction, id));
        out.path(Path::Issued(id.bytes(), direction));
    }

    /// The id that a packet names, of those given since the handshake.
    pub(super) fn named(&self, direction: Direction, receiver: &[u8]) -> Option<&Id> {
        let ids = self.ids.iter().rev().filter(|(way, _)| *way == direction);
        ids.map(|(_, id)| id).find(|id| receiver.starts_with(id.bytes()))
    }

    /// What the session goes by.
    pub(super) fn print(&self) -> Option<SessionPrint> {
        self.offer.random.first_chunk().copied()
    }

    fn crypto(&mut self, it: &Packet<'_>, offset: u64, bytes: &[u8], limits: &Limits, out: &mut dyn Sink) {
        let way = match it.direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        };
        match way.crypto.add(offset, bytes, it.origin.frame, limits.crypto_bytes) {
            Added::New => {}
            Added::Repeated => return,
            Added::Refused => {
                out.limit("crypto-bytes");
                return;
            }
        }
        let mut preferred = None;
        while let Some(message) = way.crypto.next(limits.crypto_bytes) {
            let Ok(message) = message else {
                out.limit("crypto-bytes");
                break;
            };
            if message.bytes.first() == Some(&8) {
                self.alpn = encrypted_alpn(&message.bytes).or(self.alpn.take());
                preferred = transport_parameters(&message.bytes).and_then(|it| packet::preferred_id(&it));
            }
            let origin = Origin {
                carrier: message.first_frame,
                frame: it.origin.frame,
                offset: message.offset,
                in_frame: false,
            };
            let piece = Piece {
                bytes: &message.bytes,
                missing: 0,
                origin,
            };
            out.inner(it.direction, "tls", Segment::Bytes(piece));
        }
        if let Some(id) = preferred {
            self.issued(it.direction.reverse(), id, out);
        }
    }

    fn to(&self, direction: Direction) -> To {
        let hint = match self.alpn.as_deref() {
            Some([b'h', b'3'] | [b'h', b'3', b'-', ..]) => Some("http3"),
            Some(b"doq") => Some("dns"),
            _ => None,
        };
        To { direction, hint }
    }

    /// Nothing more comes.
    pub(super) fn close(&mut self, out: &mut dyn Sink) {
        out.under(Protection::Quic);
        out.connection(self.number);
        for direction in [Direction::Up, Direction::Down] {
            let to = self.to(direction);
            self.way(direction).streams.flush(to, out);
        }
        out.connection(0);
        out.under(Protection::Plaintext);
        if let Some(because) = self.reason() {
            out.session(Session::Missed(because));
        }
    }

    fn reason(&self) -> Option<Cow<'static, str>> {
        if !self.sealed || (self.opened && !self.closed) {
            return None;
        }
        let Some(known) = self.known else {
            return Some(KeyUse::NO_SUCH_SESSION.into());
        };
        let Some(answer) = &self.answer else {
            return Some("no answer of the server was captured".into());
        };
        let name = suites::name(answer.suite);
        let is_missing = |it: Purpose| Cow::Owned(format!("the key log has no {} for the session", it.label()));
        let purposes = [
            (Purpose::ClientTraffic, known.client_traffic),
            (Purpose::ServerTraffic, known.server_traffic),
            (Purpose::ClientHandshake, known.client_handshake),
            (Purpose::ServerHandshake, known.server_handshake),
        ];
        match purposes.iter().find(|(_, secret)| secret.is_none()) {
            _ if Suite::named(&name).is_none() => Some(format!("unsupported suite {name}").into()),
            Some((purpose, _)) => Some(is_missing(*purpose)),
            None if self.opened => None,
            None => Some("the keys do not fit the records".into()),
        }
    }
}
