//! GTP-C: the signalling between the nodes of mobile packet cores, versions 1 (3GPP TS 29.060) and 2 (TS 29.274), over
//! UDP.
//!
//! # What is extracted, and why it matters
//! Whoever is on a roaming link can read who attaches and with what: `gtp.imsi`, `gtp.msisdn` (digits packed two in a
//! byte), the device as `gtp.imei` or `gtp.imeisv`, the network asked for as `gtp.apn`, and a user and password handed to
//! it by PAP as `gtp.pap.user`, `gtp.pap.password` (TS 24.008, section 10.5.6.3; RFC 1334).
//!
//! # What is not
//! Contexts handed over between nodes, user traffic (GTP-U), charging records (GTP').
//!
//! # How it is told
//! A version, a kind of message and a length that fits the datagram, and elements that fill it to its last byte. On
//! ports other than 2123 an IMSI or a tunnel's end must be among them.

use std::ops::Range;

use farshore_model::{Direction, Protection, Transport};

use super::digits::digits;
use super::{Begins, Dissector, Field, FirstBytes, Match, Opening, Piece, Progress, Protocol, Segment, Sink, Start};
use crate::cursor::{Cursor, Stop};
use crate::limits::Limits;

/// GTP-C.
pub static GTP_C: GtpC = GtpC;

/// GTP-C, as a [`Protocol`].
#[derive(Debug)]
pub struct GtpC;

const PORT: u16 = 2123;

impl Protocol for GtpC {
    fn id(&self) -> &'static str {
        "gtp-c"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        let own = [opening.client_port, opening.server_port].contains(&PORT);
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Datagrams(list) if opening.transport == Transport::Udp && list.last().is_some_and(|(_, bytes)| told(bytes, own)) => {
                Match::Yes
            }
            Start::Datagrams(_) | Start::Stream { .. } => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        // The first byte of version 1, and of version 2.
        Begins::datagram(FirstBytes::range(0x30, 0x37).and(0x40, 0x5f))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, _: &Limits) -> Box<dyn Dissector> {
        Box::new(Signalling)
    }
}

/// An information element that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Imsi,
    Msisdn,
    Device,
    AccessPoint,
    Options,
    /// A tunnel's end.
    Tunnel,
    Other,
}

/// An element and where its value stands.
type Found = (Element, Range<usize>);

fn told(bytes: &[u8], own: bool) -> bool {
    let Ok((found, whole)) = read(bytes) else { return false };
    let telling = found.iter().any(|(it, _)| matches!(it, Element::Imsi | Element::Tunnel));
    whole && (telling || own && !found.is_empty())
}

/// The elements of a message, and whether they fill it to its last byte.
fn read(bytes: &[u8]) -> Result<(Vec<Found>, bool), Stop> {
    let mut it = Cursor::new("gtp-c", bytes);
    let start = it;
    let flags = it.u8()?;
    let kind = it.u8()?;
    let length = usize::from(it.u16()?);
    match flags >> 5 {
        1 if flags & 0x18 == 0x10 && is_kind_of_1(kind) => {
            it.skip(4)?;
            if it.left() != length {
                return Err(start.forbidden());
            }
            if flags & 7 != 0 {
                it.skip(3)?;
                let mut extension = it.u8()?;
                while extension != 0 {
                    let units = usize::from(it.u8()?);
                    let more = units.saturating_mul(4).checked_sub(2).ok_or_else(|| it.forbidden())?;
                    it.skip(more)?;
                    extension = it.u8()?;
                }
            }
            Ok(elements(it, element_of_1))
        }
        2 if flags & 7 == 0 && is_kind_of_2(kind) => {
            // A second message may ride behind the first.
            let mut body = if flags & 0x10 == 0 && it.left() != length {
                return Err(start.forbidden());
            } else {
                it.sub(length)?
            };
            body.skip(if flags & 8 == 0 { 4 } else { 8 })?;
            Ok(elements(body, element_of_2))
        }
        _ => Err(start.forbidden()),
    }
}

fn elements(mut it: Cursor<'_>, next: fn(&mut Cursor<'_>) -> Result<Found, Stop>) -> (Vec<Found>, bool) {
    let mut found = Vec::new();
    while !it.is_empty() {
        match next(&mut it) {
            Ok(element) => found.push(element),
            Err(_) => return (found, false),
        }
    }
    (found, true)
}

/// TS 29.060, table 1: path, tunnel, location and mobility management.
const fn is_kind_of_1(kind: u8) -> bool {
    matches!(kind, 1..=3 | 16..=23 | 26..=31 | 32..=37 | 48..=62 | 70 | 96..=105 | 112..=121 | 128 | 129)
}

/// TS 29.274, table 6.1-1.
const fn is_kind_of_2(kind: u8) -> bool {
    matches!(kind, 1..=3 | 25..=41 | 64..=73 | 95..=103 | 128..=142 | 149..=171 | 176..=180 | 200 | 201 | 211 | 212 | 231..=236)
}

/// TS 29.060, section 7.7 and table 37: below 128 the type tells the length.
fn element_of_1(it: &mut Cursor<'_>) -> Result<Found, Stop> {
    let start = *it;
    let kind = it.u8()?;
    let length = match kind {
        1 | 8 | 11 | 13..=15 | 19..=21 | 23 | 24 | 29 => 1,
        2 => 8,
        3 => 6,
        4 | 5 | 16 | 17 | 127 => 4,
        9 => 28,
        12 => 3,
        18 => 5,
        22 => 9,
        25..=28 => 2,
        128.. => usize::from(it.u16()?),
        _ => return Err(start.forbidden()),
    };
    let from = it.offset();
    it.skip(length)?;
    let element = match kind {
        2 => Element::Imsi,
        16 | 17 => Element::Tunnel,
        131 => Element::AccessPoint,
        132 => Element::Options,
        134 => Element::Msisdn,
        154 => Element::Device,
        _ => Element::Other,
    };
    // An MSISDN begins with its numbering plan (TS 29.002, ISDN-AddressString).
    let from = from.saturating_add(usize::from(element == Element::Msisdn && length > 0));
    Ok((element, from..it.offset()))
}

/// TS 29.274, section 8.1.
fn element_of_2(it: &mut Cursor<'_>) -> Result<Found, Stop> {
    let kind = it.u8()?;
    let length = usize::from(it.u16()?);
    it.skip(1)?;
    let from = it.offset();
    it.skip(length)?;
    let element = match kind {
        1 => Element::Imsi,
        71 => Element::AccessPoint,
        75 => Element::Device,
        76 => Element::Msisdn,
        78 => Element::Options,
        87 => Element::Tunnel,
        _ => Element::Other,
    };
    Ok((element, from..it.offset()))
}

/// Messages, each in its datagram.
#[derive(Debug)]
struct Signalling;

impl Dissector for Signalling {
    fn segment(&mut self, _: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let Segment::Bytes(piece) = it else { return Progress::More };
        if let Ok((found, _)) = read(piece.bytes) {
            for (element, range) in found {
                tell(element, range, &piece, out);
            }
        }
        Progress::More
    }
}

fn tell(element: Element, range: Range<usize>, piece: &Piece<'_>, out: &mut dyn Sink) {
    let bytes = piece.bytes.get(range.clone()).unwrap_or_default();
    let (path, value) = match element {
        Element::Imsi => ("gtp.imsi", digits(bytes)),
        Element::Msisdn => ("gtp.msisdn", digits(bytes)),
        Element::Device => {
            let value = digits(bytes);
            (
                if value.as_ref().is_some_and(|it| it.len() == 16) {
                    "gtp.imeisv"
                } else {
                    "gtp.imei"
                },
                value,
            )
        }
        Element::AccessPoint => ("gtp.apn", access_point(bytes)),
        Element::Options => return options(range, piece, out),
        Element::Tunnel | Element::Other => return,
    };
    if let Some(value) = value.filter(|it| !it.is_empty()) {
        let at = piece.origin.span(range);
        out.field(Field { path, value: &value, at });
    }
}

/// Labels behind their lengths (TS 23.003, section 9.1).
fn access_point(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut it = Cursor::new("gtp-c", bytes);
    let mut name = Vec::new();
    while let Ok(length) = it.u8() {
        if !name.is_empty() {
            name.push(b'.');
        }
        name.extend_from_slice(it.take(usize::from(length)).ok()?);
    }
    Some(name)
}

/// PAP's request among the protocol configuration options.
fn options(range: Range<usize>, piece: &Piece<'_>, out: &mut dyn Sink) {
    let bytes = piece.bytes.get(range.clone()).unwrap_or_default();
    let mut it = Cursor::new("gtp-c", bytes);
    if it.skip(1).is_err() {
        return;
    }
    while let Ok((protocol, mut inside)) = option(&mut it) {
        if protocol != 0xc023 {
            continue;
        }
        let mut tell = |path: &str, it: &Cursor<'_>| {
            let from = range.start.saturating_add(it.offset());
            let at = piece.origin.span(from..from.saturating_add(it.left()));
            if !it.is_empty() {
                out.field(Field {
                    path,
                    value: it.rest(),
                    at,
                });
            }
        };
        // Authenticate-Request, an identifier, a length; then both names behind their lengths (RFC 1334, section 2.2.1).
        let Ok([1, _, _, _]) = inside.array() else { continue };
        for path in ["gtp.pap.user", "gtp.pap.password"] {
            let Ok(length) = inside.u8() else { break };
            let Ok(value) = inside.sub(usize::from(length)) else { break };
            tell(path, &value);
        }
    }
}

fn option<'a>(it: &mut Cursor<'a>) -> Result<(u16, Cursor<'a>), Stop> {
    let protocol = it.u16()?;
    let length = it.u8()?;
    Ok((protocol, it.sub(usize::from(length))?))
}

#[cfg(test)]
mod tests {
    use farshore_model::Span;

    use super::super::notebook::{damage, datagrams, read_datagrams};
    use super::*;
    use Direction::Up;

    fn put_1(it: &mut Vec<u8>, kind: u8, value: &[u8]) {
        it.push(kind);
        if kind >= 128 {
            it.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        }
        it.extend_from_slice(value);
    }

    /// Create PDP Context Request.
    fn version_1() -> Vec<u8> {
        let mut body = vec![0, 7, 0, 0];
        put_1(&mut body, 2, &[0x62, 0x02, 0x91, 0x78, 0x56, 0x34, 0x12, 0xf0]);
        put_1(&mut body, 15, &[0xfc]);
        put_1(&mut body, 16, &[0, 0, 0, 1]);
        put_1(&mut body, 131, b"\x08internet\x07example");
        put_1(&mut body, 132, b"\x80\xc0\x23\x0e\x01\x01\x00\x0e\x03bob\x05hunt2\x00\x0d\x00");
        put_1(&mut body, 134, &[0x91, 0x94, 0x51, 0x21, 0x43, 0x65, 0xf7]);
        put_1(&mut body, 154, &[0x94, 0x10, 0x45, 0x02, 0x23, 0x73, 0x15, 0xf8]);
        let mut it = vec![0x32, 16];
        it.extend_from_slice(&u16::try_from(body.len()).unwrap().to_be_bytes());
        it.extend_from_slice(&[0; 4]);
        it.extend(body);
        it
    }

    /// Create Session Request.
    fn version_2() -> Vec<u8> {
        let mut body = vec![0, 0, 0, 0, 0, 0, 7, 0];
        let mut put = |kind: u8, value: &[u8]| {
            body.push(kind);
            body.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
            body.push(0);
            body.extend_from_slice(value);
        };
        put(1, &[0x62, 0x02, 0x91, 0x78, 0x56, 0x34, 0x12, 0xf0]);
        put(76, &[0x94, 0x51, 0x21, 0x43, 0x65, 0xf7]);
        put(75, &[0x94, 0x10, 0x45, 0x02, 0x23, 0x73, 0x15, 0x10]);
        put(71, b"\x08internet");
        let mut it = vec![0x48, 32];
        it.extend_from_slice(&u16::try_from(body.len()).unwrap().to_be_bytes());
        it.extend(body);
        it
    }

    #[test]
    fn packed_digits_are_told_where_they_stand() {
        let message = version_1();
        let out = read_datagrams(&GTP_C, (34_273, 2_123), &[(Up, &message)]);
        assert_eq!(out.values("gtp.imsi"), ["262019876543210"]);
        assert_eq!(out.fields[0].2, Span::in_frame(1, 42 + 13, 8));
        assert_eq!(
            out.values("gtp.msisdn"),
            ["4915123456".chars().chain("7".chars()).collect::<String>()]
        );
        assert_eq!(out.values("gtp.imei"), ["490154203237518"]);
        assert_eq!(out.values("gtp.apn"), ["internet.example"]);
        assert_eq!(
            (out.values("gtp.pap.user"), out.values("gtp.pap.password")),
            (vec!["bob".into()], vec!["hunt2".into()])
        );
        let (_, value, at) = out.fields.iter().find(|(path, ..)| path == "gtp.pap.password").unwrap();
        let start = usize::try_from(at.offset).unwrap() - 42;
        assert_eq!(&message[start..start + 5], &value[..]);
    }

    #[test]
    fn version_2_tells_the_same() {
        let message = version_2();
        let out = read_datagrams(&GTP_C, (34_273, 2_123), &[(Up, &message)]);
        let told: Vec<&str> = out.fields.iter().map(|(path, ..)| path.as_str()).collect();
        assert_eq!(told, ["gtp.imsi", "gtp.msisdn", "gtp.imeisv", "gtp.apn"]);
        assert_eq!(out.values("gtp.imeisv"), ["4901542032375101"]);
        assert_eq!(out.values("gtp.msisdn"), ["49151234567"]);
    }

    #[test]
    fn lengths_that_do_not_add_up_are_not_it() {
        let verdict = |bytes: &[u8], port| GTP_C.matches(&datagrams(50_000, port, &[(Up, bytes)]));
        for whole in [version_1(), version_2()] {
            assert_eq!(verdict(&whole, 9), Match::Yes);
            assert_eq!(verdict(&whole[..whole.len() - 1], 2_123), Match::No);
            assert_eq!(verdict(&[&whole[..], &[0]].concat(), 2_123), Match::No);
            let mut wrong = whole.clone();
            wrong[1] = 255;
            assert_eq!(verdict(&wrong, 2_123), Match::No);
        }
        // An echo says nothing but its number.
        let echo = [0x32, 1, 0, 6, 0, 0, 0, 0, 0, 1, 0, 0, 14, 3];
        assert_eq!((verdict(&echo, 2_123), verdict(&echo, 9)), (Match::Yes, Match::No));
        assert_eq!(verdict(&[0x30, 16, 0, 0, 0, 0, 0, 0], 2_123), Match::No);
        assert_eq!(verdict(&[], 2_123), Match::No);
    }

    #[test]
    fn damage_never_panics() {
        damage(&GTP_C, (50_000, 2_123), Transport::Udp, Up, &version_1());
        damage(&GTP_C, (50_000, 2_123), Transport::Udp, Up, &version_2());
    }
}
