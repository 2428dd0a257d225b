//! SMPP: short messages between those who send them in numbers and the centres that deliver them (SMPP 3.4 and 5.0), over
//! TCP.
//!
//! # What is extracted, and why it matters
//! Logins, in clear: `smpp.user`, `smpp.password`. Every message with its sender, its receiver and its text:
//! `smpp.source.msisdn`, `smpp.destination.msisdn` (`smpp.source`, `smpp.destination` where the address is no telephone
//! number), `smpp.message`. One-time passwords travel thus.
//!
//! # What is not
//! Texts in packed or binary alphabets; parts of long messages are not joined; reports of delivery are told as the
//! messages they are.
//!
//! # How it is told
//! A login or a message whose every field ends where its format says, filling the length before it; or the answer to a login.

mod body;

use std::ops::Range;

use farshore_model::{Direction, Protection};

use self::body::Value;
use super::lane::Lane;
use super::{Begins, Dissector, Field, FirstBytes, Gathered, Match, Opening, Progress, Protocol, Segment, Sink};
use crate::cursor::{Cursor, Stop};
use crate::limits::Limits;

/// SMPP.
pub static SMPP: Smpp = Smpp;

/// SMPP, as a [`Protocol`].
#[derive(Debug)]
pub struct Smpp;

impl Protocol for Smpp {
    fn id(&self) -> &'static str {
        "smpp"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        opening.by_either_side(told)
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::of(&[0]))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, _: &Limits) -> Box<dyn Dissector> {
        Box::new(Session { lanes: Default::default() })
    }
}

/// Bytes of a header: length, command, status, number (SMPP 3.4, section 3.2).
const HEADER: usize = 16;
/// No message is longer: a text of 64 KiB in one optional parameter, and the rest.
const LONGEST: usize = 1 << 17;
/// An answer to a command.
const ANSWER: u32 = 1 << 31;

/// A header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    length: usize,
    command: u32,
}

impl Header {
    fn read(it: &mut Cursor<'_>) -> Result<Self, Stop> {
        let start = *it;
        let (length, command, status, number) = (it.u32()? as usize, it.u32()?, it.u32()?, it.u32()?);
        let known = matches!(command & !ANSWER, 0 | 1..=9 | 0x0b | 0x15 | 0x21 | 0x0102 | 0x0103 | 0x0111..=0x0113);
        let answers = command & ANSWER != 0;
        let fits = (HEADER..=LONGEST).contains(&length) && (answers || status == 0) && number & ANSWER == 0;
        if !(known && fits) {
            return Err(start.forbidden());
        }
        Ok(Self { length, command })
    }
}

/// Whether a side begins with a message that proves it. A check that the line is alive has no body, and proves nothing:
/// what follows it does.
fn told(mut bytes: &[u8]) -> Match {
    let mut verdict = Match::No;
    loop {
        let mut it = Cursor::new("smpp", bytes);
        let Ok(header) = Header::read(&mut it) else {
            let short = bytes.len() < HEADER && !bytes.is_empty();
            let begins = short && bytes.iter().take(2).all(|it| *it == 0) && bytes.get(4).is_none_or(|it| matches!(it, 0 | 0x80));
            return if begins || bytes.is_empty() && verdict == Match::Maybe {
                Match::Maybe
            } else {
                Match::No
            };
        };
        if header.length > HEADER {
            return match it.sub(header.length.saturating_sub(HEADER)) {
                Ok(body) if body::read(header.command, body).is_ok() => Match::Yes,
                Ok(_) => Match::No,
                Err(_) if bytes.len() < 512 => Match::Maybe,
                Err(_) => Match::No,
            };
        }
        verdict = Match::Maybe;
        bytes = it.rest();
    }
}

/// One flow.
#[derive(Debug)]
struct Session {
    lanes: [Lane; 2],
}

impl Dissector for Session {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let lane = direction.of_mut(&mut self.lanes);
        if !lane.take(&it, |bytes| told(bytes) == Match::Yes) {
            return Progress::More;
        }
        loop {
            let bytes = lane.gathered.bytes();
            let mut it = Cursor::new("smpp", bytes);
            let header = match Header::read(&mut it) {
                Ok(header) => header,
                Err(_) if bytes.len() < HEADER => return Progress::More,
                Err(_) => return Progress::Lost,
            };
            let Ok(body) = it.sub(header.length.saturating_sub(HEADER)) else {
                return Progress::More;
            };
            // Whoever logs in is the client; messages go both ways.
            match header.command {
                1 | 2 | 9 => out.client_speaks(direction),
                0x8000_0001 | 0x8000_0002 | 0x8000_0009 => out.client_speaks(direction.reverse()),
                _ => {}
            }
            for it in body::read(header.command, body).unwrap_or_default() {
                tell(bytes, &it, &lane.gathered, out);
            }
            lane.gathered.consume(header.length);
        }
    }
}

fn tell(bytes: &[u8], it: &Value, gathered: &Gathered, out: &mut dyn Sink) {
    let range: Range<usize> = it.range.clone();
    let stands = bytes.get(range.clone()).unwrap_or_default();
    let value = it.spelled.as_deref().unwrap_or(stands);
    if !value.is_empty() {
        let at = gathered.span(range);
        out.field(Field { path: it.path, value, at });
    }
}

#[cfg(test)]
mod tests;
