//! Frames to messages (RFC 6455, section 5): put together, unmasked, inflated.
//!
//! Refuses to guess where a frame begins: bytes that break the framing end their direction.

use farshore_model::ledger::Severity;
use farshore_model::{Direction, Span};
use flate2::{Decompress, FlushDecompress, Status};

use crate::content::{self, About, Text};
use crate::limits::Limits;
use crate::protocols::{Dissector, Gathered, Piece, Progress, Segment, Sink, sip};

/// The longest head of a frame: two bytes, eight of length, four of mask.
const LONGEST_HEAD: usize = 14;

/// What a message that was compressed ends with, taken off by its sender (RFC 7692, section 7.2.2).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// One conversation.
pub struct Messages {
    limits: Limits,
    up: Lane,
    down: Lane,
    /// What was odd was said.
    said: bool,
}

/// One direction.
#[derive(Default)]
struct Lane {
    /// The head of a frame, until it is whole.
    head: Gathered,
    /// The frame whose payload comes.
    frame: Option<Frame>,
    /// The message so far, unmasked, and where it stands.
    message: Gathered,
    /// What its first frame said.
    compressed: bool,
    masked: bool,
    /// Some of it is missing, or more than is kept.
    clipped: bool,
    inflater: Inflater,
    lost: bool,
}

/// The compression of one direction.
#[derive(Default)]
enum Inflater {
    /// Nothing was compressed so far.
    #[default]
    Unused,
    Used(Box<Decompress>),
    /// It refers to what is missing.
    Broken,
}

/// A frame whose head was read.
#[derive(Clone, Copy, Debug)]
struct Frame {
    last: bool,
    control: bool,
    left: u64,
    mask: Option<[u8; 4]>,
    /// Bytes of payload before what comes, as far as the mask goes.
    turn: usize,
}

impl Messages {
    pub fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            up: Lane::default(),
            down: Lane::default(),
            said: false,
        }
    }
}

impl std::fmt::Debug for Messages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Messages").finish_non_exhaustive()
    }
}

impl Dissector for Messages {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let lane = match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        };
        let before = lane.lost;
        match it {
            Segment::Bytes(piece) => lane.bytes(direction, piece, &self.limits, out),
            Segment::Gap(missing) => lane.gap(missing),
        }
        if lane.lost && !before && !self.said {
            self.said = true;
            if let Segment::Bytes(piece) = it {
                let because = "frames of a WebSocket that break its framing; the rest of this direction was not read".to_owned();
                out.anomaly("websocket-frame", Severity::Note, because, piece.origin.span(0..piece.bytes.len()));
            }
        }
        if self.up.lost && self.down.lost {
            return Progress::Lost;
        }
        Progress::More
    }

    fn finish(&mut self, out: &mut dyn Sink) {
        for (direction, lane) in [(Direction::Up, &mut self.up), (Direction::Down, &mut self.down)] {
            lane.clipped = true;
            lane.tell(direction, &self.limits, out);
        }
    }
}

impl Lane {
    fn bytes(&mut self, direction: Direction, piece: Piece<'_>, limits: &Limits, out: &mut dyn Sink) {
        let mut rest = piece;
        while !rest.bytes.is_empty() && !self.lost {
            match self.frame {
                None => self.head(&mut rest),
                Some(_) => self.payload(&mut rest, limits, out),
            }
            if let Some(frame) = self.frame
                && frame.left == 0
            {
                self.frame = None;
                if frame.last && !frame.control {
                    self.tell(direction, limits, out);
                }
            }
        }
    }

    /// Takes bytes of a head, one at a time: few are needed.
    fn head(&mut self, rest: &mut Piece<'_>) {
        let part = split_off(rest, 1);
        self.head.push(&part);
        let bytes = self.head.bytes();
        let [first, second, ..] = *bytes else { return };
        let (length_bytes, short) = match second & 0x7f {
            126 => (2, None),
            127 => (8, None),
            short => (0, Some(u64::from(short))),
        };
        let masked = second & 0x80 != 0;
        let length_end = 2_usize.saturating_add(length_bytes);
        let end = length_end.saturating_add(if masked { 4 } else { 0 });
        if bytes.len() < end {
            self.lost = bytes.len() > LONGEST_HEAD;
            return;
        }
        let length = bytes.get(2..length_end).unwrap_or_default();
        let length = short.unwrap_or_else(|| length.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
        let mask = bytes
            .get(length_end..)
            .and_then(<[u8]>::first_chunk::<4>)
            .copied()
            .filter(|_| masked);
        let opcode = first & 0x0f;
        let control = opcode >= 8;
        let begins = matches!(opcode, 1 | 2);
        // The other two reserved bits mean nothing that is known; controls are short and whole (sections 5.2 and 5.5).
        let odd = first & 0x30 != 0 || matches!(opcode, 3..=7 | 11..) || length >> 63 != 0;
        if odd || (control && (length > 125 || first & 0x80 == 0)) {
            self.lost = true;
            return;
        }
        if begins {
            self.message.clear();
            (self.compressed, self.masked, self.clipped) = (first & 0x40 != 0, masked, false);
        }
        self.head = Gathered::default();
        self.frame = Some(Frame {
            last: first & 0x80 != 0,
            control,
            left: length,
            mask,
            turn: 0,
        });
    }

    fn payload(&mut self, rest: &mut Piece<'_>, limits: &Limits, out: &mut dyn Sink) {
        let Some(frame) = &mut self.frame else { return };
        let part = split_off(rest, usize::try_from(frame.left).unwrap_or(usize::MAX));
        frame.left = frame.left.saturating_sub(part.bytes.len() as u64);
        let turn = frame.turn;
        frame.turn = frame.turn.wrapping_add(part.bytes.len()) & 3;
        if frame.control || self.clipped {
            return;
        }
        let room = limits.message_bytes.saturating_sub(self.message.len()).min(part.bytes.len());
        if room < part.bytes.len() {
            self.clipped = true;
            out.limit("message-bytes");
        }
        let bytes = part.bytes.get(..room).unwrap_or_default();
        let unmasked: Vec<u8> = match frame.mask {
            Some(mask) => bytes
                .iter()
                .zip(mask.iter().cycle().skip(turn))
                .map(|(byte, mask)| byte ^ mask)
                .collect(),
            None => bytes.to_vec(),
        };
        self.message.push(&Piece { bytes: &unmasked, ..part });
    }

    fn gap(&mut self, missing: u64) {
        match &mut self.frame {
            Some(frame) if missing <= frame.left => {
                frame.left = frame.left.saturating_sub(missing);
                frame.turn = frame.turn.wrapping_add(usize::try_from(missing & 3).unwrap_or_default()) & 3;
                if frame.control {
                    if frame.left == 0 {
                        self.frame = None;
                    }
                    return;
                }
                self.clipped = true;
                if self.compressed {
                    self.inflater = Inflater::Broken;
                }
                if frame.left == 0 {
                    // Of a message with a hole only what stands before it is known, and that is no more than a part.
                    self.message.clear();
                    self.frame = None;
                }
            }
            _ => self.lost = true,
        }
    }

    /// A message is over.
    fn tell(&mut self, direction: Direction, limits: &Limits, out: &mut dyn Sink) {
        let message = std::mem::take(&mut self.message);
        let clipped = std::mem::take(&mut self.clipped);
        if message.is_empty() {
            return;
        }
        let path = match direction {
            Direction::Up => "websocket.sent",
            Direction::Down => "websocket.received",
        };
        let bytes = message.bytes();
        let whole = 0..bytes.len();
        let place = |range| message.span(range);
        if !self.compressed {
            let about = About {
                path,
                packed: if self.masked { &["mask"] } else { &[] },
                ..About::default()
            };
            if !call(direction, bytes, message.span(whole), about.packed, out) {
                content::tell(Text { bytes, place: &place }, &about, limits, out);
            }
            return;
        }
        let most = bytes
            .len()
            .saturating_mul(limits.content_ratio)
            .max(1 << 16)
            .min(limits.inflated_bytes);
        let Some((inflated, more)) = self.inflate(bytes, clipped, most) else {
            return;
        };
        if more {
            out.limit("inflated-bytes");
        }
        let place = |_| message.span(whole.clone());
        let about = About {
            path,
            packed: if self.masked {
                &["mask", "permessage-deflate"]
            } else {
                &["permessage-deflate"]
            },
            ..About::default()
        };
        let text = Text {
            bytes: &inflated,
            place: &place,
        };
        if !call(direction, &inflated, message.span(whole.clone()), about.packed, out) {
            content::tell(text, &about, limits, out);
            out.decoded(&[]);
        }
    }

    /// Undoes the compression of a message, in the context of those before; tells also whether there was more than is allowed.
    fn inflate(&mut self, bytes: &[u8], clipped: bool, most: usize) -> Option<(Vec<u8>, bool)> {
        let inflater = match &mut self.inflater {
            Inflater::Broken => return None,
            Inflater::Used(it) => it,
            unused @ Inflater::Unused => {
                *unused = Inflater::Used(Box::new(Decompress::new(false)));
                let Inflater::Used(it) = unused else { return None };
                it
            }
        };
        let mut told = Vec::new();
        let mut broken = clipped;
        for part in [bytes, &TAIL] {
            broken |= !run(inflater, part, &mut told, most);
            if broken {
                break;
            }
        }
        let more = told.len() >= most;
        if broken {
            self.inflater = Inflater::Broken;
        }
        Some((told, more)).filter(|it| !it.0.is_empty())
    }
}

/// Hands on a message of SIP, each of which is one of WebSocket's (RFC 7118, section 5); says whether it was one.
fn call(direction: Direction, bytes: &[u8], at: Span, undone: &[&'static str], out: &mut dyn Sink) -> bool {
    if !sip::is_message(bytes) {
        return false;
    }
    let mut piece = Piece::at(bytes, &at);
    piece.origin.in_frame &= undone.is_empty();
    out.decoded(undone);
    out.inner(direction, "sip", Segment::Bytes(piece));
    out.decoded(&[]);
    true
}

/// Runs bytes through a decoder, up to a ceiling; `false` where it cannot go on.
fn run(inflater: &mut Decompress, mut bytes: &[u8], told: &mut Vec<u8>, most: usize) -> bool {
    let mut chunk = [0; 1 << 12];
    while !bytes.is_empty() {
        let (before_in, before_out) = (inflater.total_in(), inflater.total_out());
        let status = inflater.decompress(bytes, &mut chunk, FlushDecompress::Sync);
        let taken = usize::try_from(inflater.total_in().saturating_sub(before_in)).unwrap_or(usize::MAX);
        let given = usize::try_from(inflater.total_out().saturating_sub(before_out)).unwrap_or(usize::MAX);
        let room = most.saturating_sub(told.len());
        let part = chunk.get(..given).unwrap_or_default();
        told.extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
        bytes = bytes.get(taken..).unwrap_or_default();
        match status {
            _ if told.len() >= most => return false,
            Ok(Status::Ok) => {}
            // A sender may end the stream with a message (section 7.2.3.4); the next begins anew.
            Ok(Status::StreamEnd) => inflater.reset(false),
            Ok(Status::BufError) if given == 0 && taken == 0 => return bytes.is_empty(),
            Ok(Status::BufError) => {}
            Err(_) => return false,
        }
    }
    // What the window still holds back.
    loop {
        let before = inflater.total_out();
        let status = inflater.decompress(&[], &mut chunk, FlushDecompress::Sync);
        let given = usize::try_from(inflater.total_out().saturating_sub(before)).unwrap_or(usize::MAX);
        let room = most.saturating_sub(told.len());
        let part = chunk.get(..given).unwrap_or_default();
        told.extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
        match status {
            Ok(_) if given > 0 && told.len() < most => {}
            _ => return told.len() < most,
        }
    }
}

/// Takes up to `n` bytes off the front.
fn split_off<'p>(piece: &mut Piece<'p>, n: usize) -> Piece<'p> {
    let (head, tail) = piece.bytes.split_at(n.min(piece.bytes.len()));
    let front = Piece { bytes: head, ..*piece };
    piece.bytes = tail;
    piece.origin.offset = piece.origin.offset.saturating_add(head.len() as u64);
    front
}
