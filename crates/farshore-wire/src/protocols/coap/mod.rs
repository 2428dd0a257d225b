//! CoAP: HTTP for small devices (RFC 7252), over UDP.
//!
//! # What is extracted, and why it matters
//! What a device asks for and tells, in clear: `coap.host`, `coap.path`, each `coap.query.…` (devices register under their
//! IMEI or serial number), and text that is carried, `coap.body`.
//!
//! # What is not
//! Bodies in binary formats; parts of larger ones are told one by one (RFC 7959). CoAP over TCP (RFC 8323), and over DTLS
//! without keys.
//!
//! # How it is told
//! A version, a code that exists and options that lead to the end or to a body; and CoAP's own port with a path among the
//! options, or an answer with the number and the token of what it answers.

use std::ops::Range;

use farshore_model::{Direction, Protection, Transport};

use super::{Begins, Dissector, Field, FirstBytes, Match, Opening, Piece, Progress, Protocol, Segment, Sink, Start, lines};
use crate::cursor::{Cursor, Stop};
use crate::limits::Limits;

/// CoAP.
pub static COAP: Coap = Coap;

/// CoAP, as a [`Protocol`].
#[derive(Debug)]
pub struct Coap;

const PORT: u16 = 5683;

impl Protocol for Coap {
    fn id(&self) -> &'static str {
        "coap"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Datagrams(list) if opening.transport == Transport::Udp => {
                let own = [opening.client_port, opening.server_port].contains(&PORT);
                let Some(((direction, latest), before)) = list.split_last() else {
                    return Match::No;
                };
                let Ok(message) = Message::read(latest) else { return Match::No };
                let answers = |(from, bytes): &(Direction, &[u8])| {
                    let asked = Message::read(bytes).is_ok_and(|it| it.asks() && it.number == message.number && it.token == message.token);
                    from != direction && asked && !message.asks() && !message.token.is_empty()
                };
                let named = own && (message.asks() && message.options.iter().any(|(number, _)| *number == PATH) || message.answers());
                if named || before.iter().any(answers) {
                    Match::Yes
                } else {
                    Match::Maybe
                }
            }
            Start::Datagrams(_) | Start::Stream { .. } => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        // Version 1, four types, a token of up to eight bytes.
        let types = [0x40, 0x50, 0x60, 0x70].map(|it: u8| FirstBytes::range(it, it | 8));
        Begins::datagram(types.into_iter().fold(FirstBytes::NONE, FirstBytes::with))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, _: &Limits) -> Box<dyn Dissector> {
        Box::new(Exchange)
    }
}

/// Options that are read (RFC 7252, section 5.10).
const HOST: u32 = 3;
const PATH: u32 = 11;
const FORMAT: u32 = 12;
const QUERY: u32 = 15;
/// The last option given out for now, with room: numbers beyond are for experiments.
const LAST_OPTION: u32 = 65_535;

/// A message.
struct Message<'a> {
    code: u8,
    number: u16,
    token: &'a [u8],
    options: Vec<(u32, Range<usize>)>,
    body: Range<usize>,
}

impl<'a> Message<'a> {
    /// RFC 7252, section 3.
    fn read(bytes: &'a [u8]) -> Result<Self, Stop> {
        let mut it = Cursor::new("coap", bytes);
        let start = it;
        let [first, code] = it.array::<2>()?;
        let number = it.u16()?;
        let length = first & 0x0f;
        let known = matches!(code, 0x01..=0x07 | 0x41..=0x45 | 0x5f | 0x80..=0x9d | 0xa0..=0xa8);
        if first >> 6 != 1 || length > 8 || !known {
            return Err(start.forbidden());
        }
        let token = it.take(length.into())?;
        let (mut options, mut option) = (Vec::new(), 0_u32);
        while let Some(head) = it.peek(0) {
            it.skip(1)?;
            if head == 0xff {
                break;
            }
            option = option.saturating_add(extended(head >> 4, &mut it)?);
            let length = extended(head & 0x0f, &mut it)?;
            let from = it.offset();
            it.skip(length as usize)?;
            if option > LAST_OPTION {
                return Err(start.forbidden());
            }
            options.push((option, from..it.offset()));
        }
        // A marker without a body is an error (section 3.1).
        if it.is_empty() && bytes.last() == Some(&0xff) && options.last().is_none_or(|(_, it)| it.end != bytes.len()) {
            return Err(start.forbidden());
        }
        Ok(Self {
            code,
            number,
            token,
            options,
            body: it.offset()..bytes.len(),
        })
    }

    /// It is a request.
    const fn asks(&self) -> bool {
        self.code < 0x20
    }

    /// It is an answer with content or an error with an explanation.
    fn answers(&self) -> bool {
        !self.asks() && !self.body.is_empty() && self.options.iter().any(|(number, _)| *number == FORMAT)
    }

    /// Whether the body is text: plain, links, XML, JSON (section 12.3).
    fn is_text(&self, bytes: &[u8]) -> bool {
        let format = self.options.iter().find(|(number, _)| *number == FORMAT);
        match format.map(|(_, range)| bytes.get(range.clone()).unwrap_or_default()) {
            Some([] | [0 | 40 | 41 | 50]) => true,
            Some(_) => false,
            None => bytes.get(self.body.clone()).is_some_and(|it| str::from_utf8(it).is_ok()),
        }
    }
}

/// A delta or a length that may go on in further bytes.
fn extended(nibble: u8, it: &mut Cursor<'_>) -> Result<u32, Stop> {
    Ok(match nibble {
        13 => u32::from(it.u8()?).saturating_add(13),
        14 => u32::from(it.u16()?).saturating_add(269),
        15 => return Err(it.forbidden()),
        small => small.into(),
    })
}

/// Messages, each in its datagram.
#[derive(Debug)]
struct Exchange;

impl Dissector for Exchange {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let Segment::Bytes(piece) = it else { return Progress::More };
        let Ok(message) = Message::read(piece.bytes) else {
            return Progress::More;
        };
        out.client_speaks(if message.asks() { direction } else { direction.reverse() });
        for (number, range) in &message.options {
            match *number {
                HOST => tell("coap.host", range.clone(), &piece, out),
                QUERY => query(range.clone(), &piece, out),
                _ => {}
            }
        }
        path(&message, &piece, out);
        if message.is_text(piece.bytes) {
            tell("coap.body", message.body.clone(), &piece, out);
        }
        Progress::More
    }
}

fn tell(path: &str, range: Range<usize>, piece: &Piece<'_>, out: &mut dyn Sink) {
    let value = piece.bytes.get(range.clone()).unwrap_or_default();
    if !value.is_empty() {
        let at = piece.origin.span(range);
        out.field(Field { path, value, at });
    }
}

/// The parts of a path with slashes between.
fn path(message: &Message<'_>, piece: &Piece<'_>, out: &mut dyn Sink) {
    let parts = || {
        message
            .options
            .iter()
            .filter(|(number, _)| *number == PATH)
            .map(|(_, range)| range.clone())
    };
    let (Some(first), Some(last)) = (parts().next(), parts().next_back()) else {
        return;
    };
    let mut value = Vec::new();
    for part in parts() {
        value.push(b'/');
        value.extend_from_slice(piece.bytes.get(part).unwrap_or_default());
    }
    let at = piece.origin.span(first.start..last.end);
    out.field(Field {
        path: "coap.path",
        value: &value,
        at,
    });
}

/// `name=value`.
fn query(range: Range<usize>, piece: &Piece<'_>, out: &mut dyn Sink) {
    let text = piece.bytes.get(range.clone()).unwrap_or_default();
    match text.iter().position(|byte| *byte == b'=') {
        Some(equals) => {
            let name = text.get(..equals).unwrap_or_default();
            let from = range.start.saturating_add(equals).saturating_add(1);
            tell(&lines::path("coap.query", name), from..range.end, piece, out);
        }
        None => tell("coap.query", range, piece, out),
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::Span;

    use super::super::notebook::{damage, datagrams, read_datagrams};
    use super::*;
    use Direction::{Down, Up};

    /// A registration at `/rd?ep=urn:imei:490154203237518&lt=86400`, host and format beside.
    const REGISTER: &[u8] =
        b"\x42\x02\x00\x07ab\x3drooms.example\x00\x82rd\x11\x28\x3d\x11ep=urn:imei:490154203237518\x08lt=86400\xff</1/0>";
    const ANSWER: &[u8] = b"\x62\x41\x00\x07ab";

    fn register() -> Vec<u8> {
        let mut it = vec![0x42, 0x02, 0x00, 0x07, b'a', b'b'];
        let mut last = 0;
        for (number, value) in [
            (3, &b"rooms.example"[..]),
            (11, b"rd"),
            (11, b"x"),
            (12, &[40]),
            (15, b"ep=urn:imei:490154203237518"),
            (15, b"flag"),
        ] {
            let delta: u8 = number - last;
            last = number;
            if value.len() < 13 {
                it.push(delta << 4 | value.len() as u8);
            } else {
                it.extend([delta << 4 | 13, value.len() as u8 - 13]);
            }
            it.extend(value);
        }
        it.push(0xff);
        it.extend(b"</1/0>");
        it
    }

    #[test]
    fn what_a_device_asks_for_and_tells_is_told_in_place() {
        let it = register();
        let out = read_datagrams(&COAP, (50_000, 5683), &[(Up, &it)]);
        let told: Vec<(&str, &str)> = out
            .fields
            .iter()
            .map(|(path, value, _)| (path.as_str(), str::from_utf8(value).unwrap()))
            .collect();
        assert_eq!(
            told,
            [
                ("coap.host", "rooms.example"),
                ("coap.query.ep", "urn:imei:490154203237518"),
                ("coap.query", "flag"),
                ("coap.path", "/rd/x"),
                ("coap.body", "</1/0>"),
            ]
        );
        let place = it.windows(3).position(|it| it == b"urn").unwrap() as u64;
        assert_eq!(out.fields[1].2, Span::in_frame(1, 42 + place, 24));
        assert_eq!(out.client, Some(Up));
    }

    #[test]
    fn elsewhere_an_answer_must_know_its_question() {
        let verdict = |port, list: &[(Direction, &[u8])]| COAP.matches(&datagrams(50_000, port, list));
        let it = register();
        assert_eq!(verdict(5683, &[(Up, &it)]), Match::Yes);
        assert_eq!(verdict(9_999, &[(Up, &it)]), Match::Maybe);
        assert_eq!(verdict(9_999, &[(Up, &it), (Down, ANSWER)]), Match::Yes);
        assert_eq!(verdict(9_999, &[(Up, &it), (Up, ANSWER)]), Match::Maybe);
        assert_eq!(verdict(9_999, &[(Up, &it), (Down, b"\x62\x41\x00\x08ab")]), Match::Maybe);
        assert_eq!(verdict(5683, &[(Up, b"\x40\x01\x00\x07")]), Match::Maybe, "asks for nothing");
        for wrong in [
            &it[..12],
            &[&it[..], &[0xff]].concat()[..6],
            b"\x4f\x01\x00\x07",
            b"\x40\x08\x00\x07",
            b"\x40\x01\x00\x07\xff",
            b"",
        ] {
            assert_ne!(verdict(5683, &[(Up, wrong)]), Match::Yes, "{}", wrong.escape_ascii());
        }
        assert!(Message::read(REGISTER).is_err(), "an option longer than the message");
    }

    #[test]
    fn bodies_in_binary_are_left_alone() {
        let it = b"\x50\x45\x00\x07\xc1\x3c\xff\xa1\x61a\x01";
        assert!(read_datagrams(&COAP, (5683, 50_000), &[(Up, it)]).fields.is_empty());
    }

    #[test]
    fn damage_never_panics() {
        damage(&COAP, (50_000, 5683), Transport::Udp, Up, &register());
    }
}
