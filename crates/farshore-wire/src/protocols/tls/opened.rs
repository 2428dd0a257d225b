//! Records under keys: gathered, opened, and handed on as handshake messages or as bytes of the protocol inside. It owns where opened
//! bytes stand and what is told when some are missing; which keys open them is `keys`' business.

use farshore_model::{Direction, Protection};

use super::handshake::{Handshake, Message};
use super::keys::{Keys, LOSS, Lost};
use super::parse;
use crate::limits::Limits;
use crate::protocols::{Gathered, Origin, PROTOCOLS, Piece, Progress, Segment, Sink};
use crate::secrets::Secrets;

/// What becomes of a record that begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sealed {
    /// It is gathered and opened.
    Opens,
    /// It stands in clear, or stays closed.
    No,
}

/// Both directions.
pub(super) struct Opened {
    keys: Option<Box<Keys>>,
    up: Lane,
    down: Lane,
    below: Option<&'static str>,
    longest_message: usize,
    /// Whoever reads what is inside wants no more.
    over: bool,
    lost: Lost,
}

/// One direction.
#[derive(Debug, Default)]
struct Lane {
    /// The header of the record in the making.
    header: [u8; 5],
    bytes: Vec<u8>,
    /// The first and the last frame of it.
    frames: Option<(u64, u64)>,
    /// Handshake bytes not yet taken as messages.
    messages: Gathered,
    /// Bytes of the stream inside so far.
    position: u64,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}

impl Opened {
    pub(super) fn new(below: Option<&'static str>, limits: &Limits) -> Self {
        Self {
            keys: None,
            up: Lane::default(),
            down: Lane::default(),
            below,
            longest_message: limits.message_bytes,
            over: false,
            lost: Lost::Nothing,
        }
    }

    const fn lane(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        }
    }

    /// Whether any record may still be opened.
    pub(super) fn is_live(&self) -> bool {
        self.keys.as_ref().is_some_and(|keys| keys.is_live())
    }

    /// Whether whoever reads what is inside wants no more.
    pub(super) const fn is_over(&self) -> bool {
        self.over
    }

    /// Whether records of that kind are sealed and opened, in that direction.
    pub(super) fn seals(&self, direction: Direction, kind: u8) -> bool {
        self.keys.as_ref().is_some_and(|keys| keys.seals(direction, kind))
    }

    /// A handshake message went by in clear.
    pub(super) fn message(&mut self, direction: Direction, message: &[u8], secrets: &Secrets) {
        if secrets.are_none() {
            return;
        }
        self.keys
            .get_or_insert_with(|| Box::new(Keys::new()))
            .message(direction, message, secrets);
    }

    /// A change of ciphers went by in clear.
    pub(super) fn change(&mut self, direction: Direction, out: &mut dyn Sink) {
        if let Some(keys) = &mut self.keys {
            keys.change(direction, out.secrets());
            keys.tell(out);
        }
    }

    /// Whether another session goes on whose secret is not known here.
    pub(super) fn goes_on(&self) -> bool {
        self.keys.as_ref().is_some_and(|keys| keys.goes_on())
    }

    /// All flows have told theirs: see [`Keys::resume`].
    pub(super) fn resume(&mut self, changed: [bool; 2], out: &dyn Sink) -> (bool, bool) {
        self.keys.as_mut().map_or((false, false), |keys| keys.resume(changed, out))
    }

    /// A record begins; `past` when what comes now is protected whatever its kind.
    pub(super) fn begin(&mut self, direction: Direction, header: [u8; 5], past: bool, secrets: &Secrets) -> Sealed {
        let [kind, ..] = header;
        if kind == 23 && !secrets.is_empty() {
            let keys = self.keys.get_or_insert_with(|| Box::new(Keys::new()));
            if !keys.seals(direction, kind) {
                keys.refresh(secrets);
            }
        }
        if self.seals(direction, kind) {
            let lane = self.lane(direction);
            lane.header = header;
            lane.bytes.clear();
            lane.frames = None;
            return Sealed::Opens;
        }
        if let Some(keys) = self.keys.as_mut().filter(|_| kind == 23 || past) {
            keys.passed(direction);
        }
        Sealed::No
    }

    /// The next bytes of the record.
    pub(super) fn part(&mut self, direction: Direction, part: &Piece<'_>) {
        let lane = self.lane(direction);
        lane.bytes.extend_from_slice(part.bytes);
        let Origin { carrier, frame, .. } = part.origin;
        lane.frames = Some(
            lane.frames
                .map_or((carrier, frame), |(first, last)| (first.min(carrier), last.max(frame))),
        );
    }

    /// The record is whole.
    pub(super) fn record(&mut self, direction: Direction, handshake: &mut Handshake, out: &mut dyn Sink) {
        let Some(keys) = &mut self.keys else { return };
        let lane = match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        };
        let mut bytes = std::mem::take(&mut lane.bytes);
        let header = lane.header;
        let mut record = keys.opener(direction).and_then(|opener| opener.open(header, &mut bytes));
        if record.is_none() && keys.refresh(out.secrets()) {
            record = keys.opener(direction).and_then(|opener| opener.open(header, &mut bytes));
        }
        let Some(record) = record else {
            lane.bytes = bytes;
            self.failed(direction, out);
            return;
        };
        if keys.opener(direction).is_some_and(|opener| opener.hides()) {
            keys.opened(out);
            out.under(Protection::Tls);
        }
        let (carrier, frame) = lane.frames.unwrap_or_default();
        let piece = Piece {
            bytes: bytes.get(record.content).unwrap_or_default(),
            missing: 0,
            origin: Origin {
                carrier,
                frame,
                offset: lane.position,
                in_frame: false,
            },
        };
        match record.kind {
            22 => {
                lane.messages.push(&piece);
                self.take_messages(direction, handshake, out);
            }
            23 if !piece.bytes.is_empty() => {
                lane.position = lane.position.saturating_add(piece.bytes.len() as u64);
                self.hand(direction, Segment::Bytes(piece), out);
            }
            20 => {
                keys.change(direction, out.secrets());
                keys.tell(out);
            }
            _ => {}
        }
        out.under(Protection::Plaintext);
        self.lane(direction).bytes = bytes;
    }

    fn take_messages(&mut self, direction: Direction, handshake: &mut Handshake, out: &mut dyn Sink) {
        let Some(keys) = &mut self.keys else { return };
        let lane = match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        };
        loop {
            let bytes = lane.messages.bytes();
            let Some([kind, a, b, c]) = bytes.first_chunk::<{ parse::HEADER }>() else {
                return;
            };
            let length = (u32::from_be_bytes([0, *a, *b, *c]) as usize).saturating_add(parse::HEADER);
            if length > self.longest_message || !parse::is_handshake_type(*kind) {
                if length > self.longest_message {
                    out.limit("message-bytes");
                }
                lane.messages.clear();
                return;
            }
            let Some(message) = bytes.get(..length) else { return };
            let message = Message {
                bytes: message,
                at: &|range| lane.messages.span(range),
            };
            handshake.message(direction, &message, out);
            keys.message(direction, message.bytes, out.secrets());
            lane.messages.consume(length);
        }
    }

    /// Hands the stream inside on.
    fn hand(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) {
        let alpn = self.keys.as_ref().and_then(|keys| keys.alpn());
        let hint = alpn.and_then(named).or_else(|| self.below.and_then(upgraded));
        self.over |= out.stream(direction, hint, it) != Progress::More;
    }

    /// A record did not open.
    fn failed(&mut self, direction: Direction, out: &mut dyn Sink) {
        let Some(keys) = &mut self.keys else { return };
        let Some(opener) = keys.opener(direction) else { return };
        if let Some(because) = opener.reason(self.lost).filter(|_| opener.is_spent()) {
            keys.give_up(direction, because);
        }
        self.gap(direction, u64::MAX, out);
    }

    /// The record in the making will not be whole; what follows it is known to begin a record.
    pub(super) fn lose(&mut self, direction: Direction, out: &mut dyn Sink) {
        self.note(Lost::Bytes);
        let [_, _, _, high, low] = self.lane(direction).header;
        self.lane(direction).bytes.clear();
        let Some(keys) = &mut self.keys else { return };
        let Some(opener) = keys.opener(direction) else { return };
        let lost = opener.lose(u16::from_be_bytes([high, low]).into());
        if lost.is_none() {
            keys.give_up(direction, LOSS);
        }
        self.gap(direction, lost.flatten().unwrap_or(u64::MAX), out);
    }

    /// Bytes are missing, and nobody knows how many records they were.
    pub(super) fn lose_bytes(&mut self, direction: Direction, bytes: u64, out: &mut dyn Sink) {
        self.note(Lost::Bytes);
        self.lane(direction).bytes.clear();
        let Some(keys) = &mut self.keys else { return };
        let Some(opener) = keys.opener(direction) else { return };
        if !opener.lose_bytes(bytes) {
            keys.give_up(direction, LOSS);
        }
        self.gap(direction, u64::MAX, out);
    }

    /// What is missing of the conversation, whether or not anything in it is opened.
    pub(super) fn note(&mut self, lost: Lost) {
        if self.lost != Lost::Beginning {
            self.lost = lost;
        }
    }

    /// Bytes inside are missing; of a stream that has not begun nothing is.
    fn gap(&mut self, direction: Direction, bytes: u64, out: &mut dyn Sink) {
        let lane = self.lane(direction);
        lane.messages.clear();
        if lane.position > 0 {
            lane.position = lane.position.saturating_add(if bytes == u64::MAX { 0 } else { bytes });
            out.under(Protection::Tls);
            self.hand(direction, Segment::Gap(bytes), out);
            out.under(Protection::Plaintext);
        }
    }

    /// Both sides have turned to ciphers that nothing opens: what follows is sealed, and need not be waited for.
    pub(super) fn pass(&mut self) {
        if let Some(keys) = &mut self.keys {
            keys.passed(Direction::Up);
            keys.passed(Direction::Down);
        }
    }

    /// Nothing more will be read.
    pub(super) fn close(&mut self, out: &mut dyn Sink) {
        if let Some(keys) = &mut self.keys {
            keys.close(self.lost, out);
        }
    }
}

/// The protocol that a name of ALPN stands for, where it has another name here (IANA, "TLS ALPN Protocol IDs").
fn named(alpn: &[u8]) -> Option<&'static str> {
    match alpn {
        b"http/1.1" | b"http/1.0" => Some("http"),
        b"h2" | b"grpc-exp" => Some("http2"),
        b"dot" => Some("dns"),
        b"stun.turn" | b"stun.nat-discovery" => Some("stun"),
        _ => PROTOCOLS.iter().map(|it| it.id()).find(|id| id.as_bytes() == alpn),
    }
}

/// What a conversation goes on as once it has turned to TLS: as what it was (RFC 3207, RFC 2595, RFC 4217 and their kin).
fn upgraded(below: &'static str) -> Option<&'static str> {
    matches!(below, "ftp" | "imap" | "irc" | "ldap" | "pop3" | "smtp").then_some(below)
}
