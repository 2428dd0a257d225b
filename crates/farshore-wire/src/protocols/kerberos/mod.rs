//! Kerberos (RFC 4120): logins to Windows domains and their like, over UDP and TCP.
//!
//! # What is extracted, and why it matters
//! Who logs in, to what, from which machine, though no password is ever sent: `kerberos.user-name`, `kerberos.realm`,
//! `kerberos.service`, and the name of the client's machine where it is told as an address, `kerberos.host`.
//!
//! # What is not
//! Tickets, their authenticators, and all that is encrypted in them.
//!
//! # How it is told
//! A kind of message as its outermost tag and again inside, beside version 5, with a length that fills the datagram, or is
//! the one before it in a stream.

mod message;

use std::ops::Range;

use farshore_model::{Direction, Protection, Span, Transport};

use self::message::{Kind, Message, Named};
use super::lane::Lane;
use super::{Begins, Dissector, Field, FirstBytes, Match, Opening, Progress, Protocol, Segment, Sink, Start};
use crate::cursor::Cursor;
use crate::limits::Limits;

/// Kerberos.
pub static KERBEROS: Kerberos = Kerberos;

/// Kerberos, as a [`Protocol`].
#[derive(Debug)]
pub struct Kerberos;

impl Protocol for Kerberos {
    fn id(&self) -> &'static str {
        "kerberos"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Datagrams(list) if opening.transport == Transport::Udp => {
                let told = list.last().is_some_and(|(_, bytes)| Message::read(bytes).is_ok_and(|it| it.whole));
                if told { Match::Yes } else { Match::No }
            }
            Start::Stream { up, down } if opening.transport == Transport::Tcp => match (framed(up), framed(down)) {
                (Match::Yes, _) | (_, Match::Yes) => Match::Yes,
                (Match::Maybe, _) | (_, Match::Maybe) => Match::Maybe,
                _ => Match::No,
            },
            Start::Datagrams(_) | Start::Stream { .. } => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins {
            // The length of a message, of which the first byte says little.
            stream: FirstBytes::of(&[0]),
            datagram: FirstBytes::of(&Kind::TAGS),
        }
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        Box::new(Login {
            framed: opening.transport == Transport::Tcp,
            message_bytes: limits.message_bytes,
            lanes: Default::default(),
        })
    }
}

/// Bytes of the length before each message of a stream (RFC 4120, section 7.2.2).
const HEAD: usize = 4;

/// Whether a stream begins with a message behind its length.
fn framed(bytes: &[u8]) -> Match {
    let mut it = Cursor::new("kerberos", bytes);
    let Ok(length) = it.u32() else {
        return if !bytes.is_empty() && bytes.iter().all(|it| *it == 0) {
            Match::Maybe
        } else {
            Match::No
        };
    };
    // Tickets with all that Windows puts in them have a few tens of thousands of bytes.
    if !(16..=0x000f_ffff).contains(&length) {
        return Match::No;
    }
    match it.peek(0) {
        None => Match::Maybe,
        Some(tag) if !Kind::TAGS.contains(&tag) => Match::No,
        Some(_) if it.left() < 32.min(length as usize) => Match::Maybe,
        Some(_) => match message::begins(it.rest(), length as usize) {
            true => Match::Yes,
            false => Match::No,
        },
    }
}

/// One flow.
#[derive(Debug)]
struct Login {
    framed: bool,
    message_bytes: usize,
    lanes: [Lane; 2],
}

impl Dissector for Login {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        if !self.framed {
            if let Segment::Bytes(piece) = it {
                tell(direction, piece.bytes, &|range| piece.origin.span(range), out);
            }
            return Progress::More;
        }
        let lane = direction.of_mut(&mut self.lanes);
        if !lane.take(&it, |bytes| framed(bytes) == Match::Yes) {
            return Progress::More;
        }
        loop {
            let Some((head, rest)) = lane.gathered.bytes().split_first_chunk::<HEAD>() else {
                return Progress::More;
            };
            let length = u32::from_be_bytes(*head) as usize;
            if length > self.message_bytes {
                out.limit("message-bytes");
                return Progress::Lost;
            }
            let Some(message) = rest.get(..length) else {
                return Progress::More;
            };
            let place = |range: Range<usize>| lane.gathered.span(range.start.saturating_add(HEAD)..range.end.saturating_add(HEAD));
            tell(direction, message, &place, out);
            lane.gathered.consume(length.saturating_add(HEAD));
        }
    }
}

fn tell(direction: Direction, bytes: &[u8], place: &dyn Fn(Range<usize>) -> Span, out: &mut dyn Sink) {
    let Ok(message) = Message::read(bytes) else { return };
    out.client_speaks(if message.kind.asks() { direction } else { direction.reverse() });
    for Named { path, text, range } in message.named {
        out.field(Field {
            path,
            value: &text,
            at: place(range),
        });
    }
}

#[cfg(test)]
mod tests;
