//! SNMP, versions 1, 2c (RFC 1157, RFC 1901) and 3 (RFC 3412, RFC 3414), over UDP.
//!
//! # What is extracted, and why it matters
//! The community is all the password versions 1 and 2c have, and stands in clear in every message: `snmp.community`.
//! Version 3 has users, whose names cross in clear however the rest is protected: `snmp.user-name`. Machines number
//! themselves, often by their hardware address: `snmp.engine-id`, `snmp.mac` (RFC 3411, section 5). Text among the values says who keeps a machine and where it
//! stands: `snmp.value` (RFC 3418, `sysContact`, `sysLocation`).
//!
//! # What is not
//! Values that are no text. Where version 3 encrypts them the flow is [`Protection::Opaque`].
//!
//! # How it is told
//! A sequence that fills the datagram: a version, and what that version has: a community and one of the kinds of request,
//! or a header, the parameters of the user model, and a request in clear or not.

use std::ops::Range;

use farshore_model::{Direction, Protection, Transport};

use super::ber::{self, OCTETS, SEQUENCE};
use super::{Begins, Dissector, Field, FirstBytes, Match, Opening, Piece, Progress, Protocol, Segment, Sink, Start};
use crate::cursor::{Cursor, Stop};
use crate::limits::Limits;

/// SNMP.
pub static SNMP: Snmp = Snmp;

/// SNMP, as a [`Protocol`].
#[derive(Debug)]
pub struct Snmp;

impl Protocol for Snmp {
    fn id(&self) -> &'static str {
        "snmp"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Datagrams(list) if opening.transport == Transport::Udp && list.last().is_some_and(|(_, bytes)| read(bytes).is_ok()) => {
                Match::Yes
            }
            Start::Datagrams(_) | Start::Stream { .. } => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins::datagram(FirstBytes::of(&[SEQUENCE]))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, _: &Limits) -> Box<dyn Dissector> {
        Box::new(Management)
    }
}

/// A message taken apart.
struct Message {
    /// Values in clear, by path.
    named: Vec<(&'static str, Range<usize>)>,
    /// The kind of request, if it can be read.
    kind: Option<u8>,
    /// The engine that answers, by its own number.
    engine: Range<usize>,
    encrypted: bool,
}

/// Kinds of request, by their tag (RFC 3416, section 3).
const REQUESTS: std::ops::RangeInclusive<u8> = 0xa0..=0xa8;
/// Name of a value (ITU-T X.690, section 8.19).
const OBJECT: u8 = 0x06;
/// Texts shorter than this are numbers and flags in practice.
const SHORTEST_TEXT: usize = 4;
/// Answers among them.
const ANSWERS: [u8; 2] = [0xa2, 0xa8];

fn place(it: Cursor<'_>) -> Range<usize> {
    it.offset()..it.offset().saturating_add(it.left())
}

fn read(bytes: &[u8]) -> Result<Message, Stop> {
    let mut it = Cursor::new("snmp", bytes);
    let start = it;
    let mut inside = ber::value(&mut it, SEQUENCE)?;
    if !it.is_empty() {
        return Err(start.forbidden());
    }
    let message = match ber::number(&mut inside)? {
        0 | 1 => {
            let community = place(ber::value(&mut inside, OCTETS)?);
            let mut named = vec![("snmp.community", community)];
            Message {
                kind: Some(request(&mut inside, &mut named)?),
                named,
                engine: 0..0,
                encrypted: false,
            }
        }
        3 => version_3(&mut inside)?,
        _ => return Err(start.forbidden()),
    };
    if inside.is_empty() { Ok(message) } else { Err(start.forbidden()) }
}

fn request(it: &mut Cursor<'_>, named: &mut Vec<(&'static str, Range<usize>)>) -> Result<u8, Stop> {
    let kind = it.peek(0).filter(|it| REQUESTS.contains(it)).ok_or_else(|| it.forbidden())?;
    // Of a kind that is built otherwise (the older trap) there is nothing to tell.
    let _ = values(ber::value(it, kind)?, named);
    Ok(kind)
}

/// Texts among the values (RFC 3416, section 3): three numbers, then pairs of a name and a value.
fn values(mut it: Cursor<'_>, named: &mut Vec<(&'static str, Range<usize>)>) -> Result<(), Stop> {
    for _ in 0..3 {
        ber::number(&mut it)?;
    }
    let mut list = ber::value(&mut it, SEQUENCE)?;
    while !list.is_empty() {
        let mut pair = ber::value(&mut list, SEQUENCE)?;
        ber::value(&mut pair, OBJECT)?;
        if pair.peek(0) != Some(OCTETS) {
            continue;
        }
        let text = ber::value(&mut pair, OCTETS)?;
        let plain = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
        if text.rest().len() >= SHORTEST_TEXT && text.rest().iter().all(plain) {
            named.push(("snmp.value", place(text)));
        }
    }
    Ok(())
}

/// What follows the version: header (RFC 3412, section 6), user model (RFC 3414, section 2.4), request.
fn version_3(it: &mut Cursor<'_>) -> Result<Message, Stop> {
    let mut header = ber::value(it, SEQUENCE)?;
    ber::number(&mut header)?;
    ber::number(&mut header)?;
    let flags = ber::value(&mut header, OCTETS)?;
    let encrypted = match flags.rest() {
        [flags] => flags & 2 != 0,
        _ => return Err(flags.forbidden()),
    };
    // The one security model there is in use.
    if ber::number(&mut header)? != 3 || !header.is_empty() {
        return Err(header.forbidden());
    }
    let mut model = ber::value(it, OCTETS)?;
    let mut model = ber::value(&mut model, SEQUENCE)?;
    let engine = place(ber::value(&mut model, OCTETS)?);
    ber::number(&mut model)?;
    ber::number(&mut model)?;
    let user = place(ber::value(&mut model, OCTETS)?);
    ber::value(&mut model, OCTETS)?;
    ber::value(&mut model, OCTETS)?;
    let mut named = vec![("snmp.user-name", user)];
    let kind = if encrypted {
        ber::value(it, OCTETS)?;
        None
    } else {
        let mut scoped = ber::value(it, SEQUENCE)?;
        ber::value(&mut scoped, OCTETS)?;
        named.push(("snmp.context-name", place(ber::value(&mut scoped, OCTETS)?)));
        Some(request(&mut scoped, &mut named)?)
    };
    Ok(Message {
        named,
        kind,
        engine,
        encrypted,
    })
}

/// Messages, each in its datagram.
#[derive(Debug)]
struct Management;

impl Dissector for Management {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let Segment::Bytes(piece) = it else { return Progress::More };
        let Ok(message) = read(piece.bytes) else {
            return Progress::More;
        };
        if let Some(kind) = message.kind {
            out.client_speaks(if ANSWERS.contains(&kind) { direction.reverse() } else { direction });
        }
        if message.encrypted {
            out.protection(Protection::Opaque);
        }
        for (path, range) in message.named {
            let value = piece.bytes.get(range.clone()).unwrap_or_default();
            if !value.is_empty() {
                let at = piece.origin.span(range);
                out.field(Field { path, value, at });
            }
        }
        engine(&piece, message.engine, out);
        Progress::More
    }
}

/// Tells a machine's number for itself, and the hardware address in it (RFC 3411, section 5: `SnmpEngineID`).
fn engine(piece: &Piece<'_>, range: Range<usize>, out: &mut dyn Sink) {
    let bytes = piece.bytes.get(range.clone()).unwrap_or_default();
    if !(5..=32).contains(&bytes.len()) {
        return;
    }
    let spelled = |bytes: &[u8], between: &str| bytes.iter().map(|it| format!("{it:02x}")).collect::<Vec<_>>().join(between);
    let (id, at) = (spelled(bytes, ""), piece.origin.span(range.clone()));
    out.field(Field {
        path: "snmp.engine-id",
        value: id.as_bytes(),
        at,
    });
    // The first bit says that the fifth byte tells the kind; the third kind is a hardware address.
    if let [0x80..=0xff, _, _, _, 3, address @ ..] = bytes
        && let Some(address) = address.get(..6)
    {
        let from = range.start.saturating_add(5);
        out.field(Field {
            path: "snmp.mac",
            value: spelled(address, ":").as_bytes(),
            at: piece.origin.span(from..from.saturating_add(6)),
        });
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::Span;

    use super::super::notebook::{damage, datagrams, read_datagrams};
    use super::*;
    use Direction::Up;

    const GET: &[u8] = b"\x30\x26\x02\x01\x01\x04\x06s3cret\xa0\x19\x02\x01\x07\x02\x01\x00\x02\x01\x00\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x02\x00\x05\x00";

    #[test]
    fn the_community_is_told_where_it_stands() {
        let out = read_datagrams(&SNMP, (50_000, 161), &[(Up, GET)]);
        assert_eq!(
            out.fields,
            [("snmp.community".to_owned(), b"s3cret".to_vec(), Span::in_frame(1, 42 + 7, 6))]
        );
        assert_eq!(out.client, Some(Up));
    }

    /// A request of version 3 by `alice`, from the engine of 3c:5a:b4:01:02:03; `encrypted` tells whether it is sealed.
    fn version_3(encrypted: bool) -> Vec<u8> {
        let tagged = |tag: u8, body: &[u8]| [&[tag, body.len() as u8][..], body].concat();
        let header = tagged(SEQUENCE, &[2, 1, 7, 2, 2, 5, 0xdc, 4, 1, if encrypted { 7 } else { 5 }, 2, 1, 3]);
        let engine = [&[0x80, 0, 0, 9, 3][..], &[0x3c, 0x5a, 0xb4, 1, 2, 3]].concat();
        let model = [
            tagged(OCTETS, &engine),
            vec![2, 1, 1, 2, 2, 9, 9],
            tagged(OCTETS, b"alice"),
            tagged(OCTETS, &[0xa5; 12]),
            tagged(OCTETS, &[0x5a; 8]),
        ];
        let model = tagged(OCTETS, &tagged(SEQUENCE, &model.concat()));
        let request = tagged(0xa0, &[2, 1, 7, 2, 1, 0, 2, 1, 0, 0x30, 0]);
        let scoped = if encrypted {
            tagged(OCTETS, &[0xd1; 24])
        } else {
            tagged(SEQUENCE, &[tagged(OCTETS, &engine), tagged(OCTETS, b"rooms"), request].concat())
        };
        tagged(SEQUENCE, &[&[2, 1, 3][..], &header, &model, &scoped].concat())
    }

    #[test]
    fn users_and_machines_are_told_however_the_rest_is_protected() {
        let clear = version_3(false);
        let out = read_datagrams(&SNMP, (50_000, 161), &[(Up, &clear)]);
        assert_eq!(out.values("snmp.user-name"), ["alice"]);
        assert_eq!(out.values("snmp.context-name"), ["rooms"]);
        assert_eq!(out.values("snmp.mac"), ["3c:5a:b4:01:02:03"]);
        assert_eq!(out.values("snmp.engine-id"), ["80000009033c5ab4010203"]);
        assert_eq!((out.client, out.protection), (Some(Up), None));
        for (path, value, at) in &out.fields {
            let place = usize::try_from(at.offset).unwrap() - 42;
            let stands = &clear[place..place + usize::try_from(at.length).unwrap()];
            assert!(stands == &value[..] || path == "snmp.mac" || path == "snmp.engine-id", "{path}");
        }
        let sealed = version_3(true);
        let out = read_datagrams(&SNMP, (50_000, 161), &[(Up, &sealed)]);
        assert_eq!(out.values("snmp.user-name"), ["alice"]);
        assert_eq!((out.client, out.protection), (None, Some(Protection::Opaque)));
        assert!(out.values("snmp.context-name").is_empty());
    }

    #[test]
    fn lengths_that_do_not_add_up_are_not_it() {
        let verdict = |bytes: &[u8]| SNMP.matches(&datagrams(50_000, 161, &[(Up, bytes)]));
        assert_eq!(verdict(&GET[..GET.len() - 1]), Match::No);
        assert_eq!(verdict(&[GET, &[0]].concat()), Match::No);
        for at in [0, 1, 2, 3, 4, 5, 6, 13, 14] {
            let mut wrong = GET.to_vec();
            wrong[at] ^= 0x42;
            assert_eq!(verdict(&wrong), Match::No, "byte {at}");
        }
    }

    #[test]
    fn damage_never_panics() {
        for message in [GET, &version_3(false), &version_3(true)] {
            damage(&SNMP, (50_000, 161), Transport::Udp, Up, message);
        }
    }
}
