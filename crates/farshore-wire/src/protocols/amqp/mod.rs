//! AMQP: clients of a broker of messages, over TCP, in its two kinds: 0-9-1 (and 0-9) and 1.0 (ISO/IEC 19464).
//!
//! # What is extracted, and why it matters
//! Logins by PLAIN and AMQPLAIN go as they are: `amqp.auth.user`, `amqp.auth.password`, and who else SASL names; ANONYMOUS tells
//! `amqp.trace` (RFC 4505). Where a client goes, `amqp.virtual-host`, `amqp.host`, and what it is, `amqp.client.<name>`,
//! `amqp.container`; what the server is, `amqp.server.<name>`. Every message: `amqp.body`, with what stands in its head under
//! `amqp.header.<name>`, on whose behalf, `amqp.message.user`, and where it goes: `amqp.queue`, `amqp.exchange`, `amqp.routing-key`,
//! `amqp.address`. After TLS is agreed on, TLS is handed on.
//!
//! # What is not
//! A message's parts are shown one by one: what stands across two of them is not found. Version 0-10 is told apart and not read.
//!
//! # How it is told
//! The client's first eight bytes: `AMQP`, and a version.
//!
//! **Read after** "AMQP, Protocol Specification 0-9-1"; "OASIS AMQP Version 1.0", parts 1 to 5.

mod nine;
mod one;

use std::ops::Range;

use farshore_model::{Direction, Protection};

use super::lines::{Line, client_of, either_way};
use super::{Begins, Dissector, FirstBytes, Gathered, Match, Opening, Progress, Protocol, Segment, Sink};
use crate::content::{self, About, Text};
use crate::cursor::{Cursor, Stop};
use crate::limits::Limits;

/// AMQP.
pub static AMQP: Amqp = Amqp;

/// AMQP, as a [`Protocol`].
#[derive(Debug)]
pub struct Amqp;

impl Protocol for Amqp {
    fn id(&self) -> &'static str {
        "amqp"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        either_way(opening, |client, _, _| told(client))
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::of(b"A"))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        Box::new(Session {
            client: client_of(opening, |client, _, _| told(client)),
            told: false,
            kind: Kind::Nine,
            sides: Default::default(),
            limits: limits.clone(),
        })
    }
}

/// Whether a client begins thus.
fn told(client: &[u8]) -> Match {
    match version(client) {
        Some(_) => Match::Yes,
        None if client.is_empty() || client.len() >= BEGINNING => Match::No,
        None if MARK.starts_with(client.get(..client.len().min(4)).unwrap_or_default()) => Match::Maybe,
        None => Match::No,
    }
}

const MARK: &[u8] = b"AMQP";
/// Bytes of the mark and the version behind it.
const BEGINNING: usize = 8;

/// Which AMQP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// 0-9-1, and those like it.
    Nine,
    /// 1.0.
    One,
    /// 0-10.
    Ten,
}

/// What a beginning says.
fn version(bytes: &[u8]) -> Option<Kind> {
    match bytes.strip_prefix(MARK)?.first_chunk::<4>()? {
        [0, 0, 9, 1] | [1, 1, 0, 9] | [1, 1, 9, 1] | [1, 1, 8, 0] => Some(Kind::Nine),
        [1, 1, 0, 10] => Some(Kind::Ten),
        // Messages, TLS, or SASL follow.
        [0 | 2 | 3, 1, 0, 0] => Some(Kind::One),
        _ => None,
    }
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    gathered: Gathered,
    upgraded: bool,
    /// The form of the message that is passing.
    form: Vec<u8>,
}

/// One flow.
#[derive(Debug)]
struct Session {
    client: Direction,
    told: bool,
    kind: Kind,
    sides: [Side; 2],
    limits: Limits,
}

/// What a frame is, and how long, with what stands around it.
struct Frame {
    kind: u8,
    body: Range<usize>,
    size: usize,
}

/// Reads a frame's head.
fn frame(kind: Kind, bytes: &[u8]) -> Result<Frame, Stop> {
    let mut it = Cursor::new("amqp", bytes);
    let start = it;
    match kind {
        // A kind, a channel, a length, and a byte that ends it (0-9-1, section 2.3.5).
        Kind::Nine | Kind::Ten => {
            let kind = it.u8()?;
            it.skip(2)?;
            let length = it.u32()? as usize;
            if !matches!(kind, 1..=4 | 8) {
                return Err(start.forbidden());
            }
            let body = it.offset()..it.offset().saturating_add(length);
            let size = body.end.saturating_add(1);
            Ok(Frame { kind, body, size })
        }
        // A length, where the body begins in words of four bytes, a kind, a channel (1.0, section 2.3.1).
        Kind::One => {
            let size = it.u32()? as usize;
            let from = usize::from(it.u8()?).saturating_mul(4);
            let kind = it.u8()?;
            if kind > 1 || from < 8 || from > size {
                return Err(start.forbidden());
            }
            Ok(Frame {
                kind,
                body: from..size,
                size,
            })
        }
    }
}

impl Dissector for Session {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        if !std::mem::replace(&mut self.told, true) {
            out.client_speaks(self.client);
        }
        let side = direction.of_mut(&mut self.sides);
        if side.upgraded {
            out.inner(direction, "tls", it);
            return Progress::More;
        }
        // Lengths lead from frame to frame: after a loss nothing is certain any more.
        let Segment::Bytes(piece) = it else { return Progress::Lost };
        side.gathered.push(&piece);
        loop {
            let bytes = side.gathered.bytes();
            match bytes.first() {
                None => return Progress::More,
                // A TLS handshake record (RFC 8446, section 5.1): no frame begins so.
                Some(0x16) => {
                    side.upgraded = true;
                    let rest = piece.last(bytes.len());
                    side.gathered.clear();
                    out.inner(direction, "tls", Segment::Bytes(rest));
                    return Progress::More;
                }
                Some(b'A') => {
                    if bytes.len() < BEGINNING {
                        return Progress::More;
                    }
                    match version(bytes) {
                        Some(Kind::Ten) => return Progress::Done,
                        Some(kind) => self.kind = kind,
                        // A server tells what it speaks instead.
                        None => return Progress::Lost,
                    }
                    side.gathered.consume(BEGINNING);
                    continue;
                }
                Some(_) => {}
            }
            let Ok(frame) = frame(self.kind, bytes) else {
                return if bytes.len() < BEGINNING { Progress::More } else { Progress::Lost };
            };
            if frame.size > self.limits.message_bytes {
                out.limit("message-bytes");
                side.gathered.skip(frame.size);
                continue;
            }
            if bytes.len() < frame.size {
                return Progress::More;
            }
            let all = Line::all(&side.gathered);
            let mut body = Cursor::new("amqp", all.get(0..frame.body.end));
            let mut talk = Talk {
                all: &all,
                form: &mut side.form,
                limits: &self.limits,
                out,
            };
            // A frame that breaks off has told what it held.
            let _ = body.skip(frame.body.start).and_then(|()| match self.kind {
                Kind::One => one::read(frame.kind, body, &mut talk),
                _ => nine::read(frame.kind, body, &mut talk),
            });
            side.gathered.consume(frame.size);
        }
    }
}

/// Where frames tell what they hold.
struct Talk<'t> {
    all: &'t Line<'t>,
    /// The form of the message that is passing.
    form: &'t mut Vec<u8>,
    limits: &'t Limits,
    out: &'t mut dyn Sink,
}

impl Talk<'_> {
    fn tell(&mut self, path: &str, it: &Cursor<'_>) {
        self.all.tell(path, place(it), self.out);
    }

    fn body(&mut self, it: &Cursor<'_>) {
        let at = it.offset();
        let place = |range: Range<usize>| self.all.span(range.start.saturating_add(at)..range.end.saturating_add(at));
        let about = About {
            path: "amqp.body",
            kind: self.form,
            ..About::default()
        };
        if !it.is_empty() {
            let text = Text {
                bytes: it.rest(),
                place: &place,
            };
            content::tell(text, &about, self.limits, self.out);
        }
    }

    /// What a client proves itself with, by some mechanism of SASL.
    fn proves(&mut self, mechanism: &Cursor<'_>, response: &Cursor<'_>) {
        if mechanism.rest() == b"ANONYMOUS" {
            self.tell("amqp.trace", response);
        } else if let Some(sasl) = super::sasl::Sasl::begin(mechanism.rest()) {
            sasl.plainly("amqp.auth", self.all, place(response), self.out);
        }
    }
}

/// Where what is left of a cursor stands.
fn place(it: &Cursor<'_>) -> Range<usize> {
    it.offset()..it.offset().saturating_add(it.left())
}

#[cfg(test)]
mod tests;
