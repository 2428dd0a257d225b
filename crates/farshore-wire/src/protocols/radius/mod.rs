//! RADIUS (RFC 2865, RFC 2866, RFC 5176) over UDP.
//!
//! # What is extracted, and why it matters
//! Between an access network and its operator everyone on the path can read who comes on line, from where and with what:
//! `radius.user-name`, `radius.calling-station-id` (a telephone number or a hardware address), `radius.called-station-id`,
//! `radius.nas-identifier`, `radius.nas-port-id`, and what mobile networks add (3GPP TS 29.061, section 16.4.7):
//! `radius.imsi`, `radius.imei` or `radius.imeisv`.
//!
//! # What is not
//! Passwords: they are hidden with the shared secret, if weakly.
//!
//! # How it is told
//! A code, a length that fits the datagram and attributes that fill it; on ports other than RADIUS' own, three
//! attributes with a user's name in text among them.

use std::ops::Range;

use farshore_model::{Direction, Protection, Transport};

use super::{Begins, Dissector, Field, FirstBytes, Match, Opening, Progress, Protocol, Segment, Sink, Start};
use crate::cursor::{Cursor, Stop};
use crate::limits::Limits;

/// RADIUS.
pub static RADIUS: Radius = Radius;

/// RADIUS, as a [`Protocol`].
#[derive(Debug)]
pub struct Radius;

/// Authentication, accounting, their earlier numbers, and changes (RFC 2865, RFC 2866, RFC 5176).
const PORTS: [u16; 5] = [1812, 1813, 1645, 1646, 3799];

impl Protocol for Radius {
    fn id(&self) -> &'static str {
        "radius"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        let own = PORTS.iter().any(|it| [opening.client_port, opening.server_port].contains(it));
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Datagrams(list) if opening.transport == Transport::Udp && list.last().is_some_and(|(_, bytes)| told(bytes, own)) => {
                Match::Yes
            }
            Start::Datagrams(_) | Start::Stream { .. } => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins::datagram(FirstBytes::range(1, 5).and(11, 11).and(40, 45))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, _: &Limits) -> Box<dyn Dissector> {
        Box::new(Accounting)
    }
}

const USER_NAME: u8 = 1;
const VENDOR: u8 = 26;
const VENDOR_3GPP: u32 = 10_415;

/// A message's code, and its attributes.
struct Message {
    code: u8,
    attributes: Vec<(u8, Range<usize>)>,
    whole: bool,
}

fn told(bytes: &[u8], own: bool) -> bool {
    let Ok(message) = read(bytes) else { return false };
    let named = |(kind, range): &(u8, Range<usize>)| {
        let value = bytes.get(range.clone()).unwrap_or_default();
        *kind == USER_NAME && !value.is_empty() && value.iter().all(|byte| byte.is_ascii_graphic())
    };
    message.whole && (own || matches!(message.code, 1 | 4) && message.attributes.len() >= 3 && message.attributes.iter().any(named))
}

fn read(bytes: &[u8]) -> Result<Message, Stop> {
    let mut it = Cursor::new("radius", bytes);
    let start = it;
    let code = it.u8()?;
    it.skip(1)?;
    let length = usize::from(it.u16()?);
    if !matches!(code, 1..=5 | 11 | 40..=45) || length < 20 || length > bytes.len() || length > 4096 {
        return Err(start.forbidden());
    }
    it.skip(16)?;
    // What follows the length is padding (RFC 2865, section 3).
    let mut it = it.sub(length.saturating_sub(20))?;
    let mut attributes = Vec::new();
    while !it.is_empty() {
        match attribute(&mut it) {
            Ok(attribute) => attributes.push(attribute),
            Err(_) => {
                return Ok(Message {
                    code,
                    attributes,
                    whole: false,
                });
            }
        }
    }
    Ok(Message {
        code,
        attributes,
        whole: true,
    })
}

fn attribute(it: &mut Cursor<'_>) -> Result<(u8, Range<usize>), Stop> {
    let kind = it.u8()?;
    let length = usize::from(it.u8()?)
        .checked_sub(2)
        .filter(|_| kind != 0)
        .ok_or_else(|| it.forbidden())?;
    let from = it.offset();
    it.skip(length)?;
    Ok((kind, from..it.offset()))
}

/// Messages, each in its datagram.
#[derive(Debug)]
struct Accounting;

impl Dissector for Accounting {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let Segment::Bytes(piece) = it else { return Progress::More };
        let Ok(message) = read(piece.bytes) else {
            return Progress::More;
        };
        match message.code {
            1 | 4 => out.client_speaks(direction),
            2 | 3 | 5 | 11 => out.client_speaks(direction.reverse()),
            _ => {}
        }
        let mut tell = |path: &str, range: Range<usize>| {
            let value = piece.bytes.get(range.clone()).unwrap_or_default();
            if !value.is_empty() {
                let at = piece.origin.span(range);
                out.field(Field { path, value, at });
            }
        };
        for (kind, range) in message.attributes {
            let path = match kind {
                USER_NAME => "radius.user-name",
                30 => "radius.called-station-id",
                31 => "radius.calling-station-id",
                32 => "radius.nas-identifier",
                87 => "radius.nas-port-id",
                VENDOR => {
                    mobile(piece.bytes, range, &mut tell);
                    continue;
                }
                _ => continue,
            };
            tell(path, range);
        }
        Progress::More
    }
}

/// What 3GPP's networks add.
fn mobile(bytes: &[u8], range: Range<usize>, tell: &mut dyn FnMut(&str, Range<usize>)) {
    let mut it = Cursor::new("radius", bytes.get(range.clone()).unwrap_or_default());
    if it.u32() != Ok(VENDOR_3GPP) {
        return;
    }
    while let Ok((kind, inside)) = attribute(&mut it) {
        let inside = range.start.saturating_add(inside.start)..range.start.saturating_add(inside.end);
        match kind {
            1 => tell("radius.imsi", inside),
            20 if inside.len() == 16 => tell("radius.imeisv", inside),
            20 => tell("radius.imei", inside),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::Span;

    use super::super::notebook::{damage, datagrams, read_datagrams};
    use super::*;
    use Direction::{Down, Up};

    fn message(code: u8, attributes: &[(u8, &[u8])]) -> Vec<u8> {
        let mut it = vec![code, 7, 0, 0];
        it.extend_from_slice(&[0x5a; 16]);
        for (kind, value) in attributes {
            it.push(*kind);
            it.push(u8::try_from(value.len() + 2).unwrap());
            it.extend_from_slice(value);
        }
        let length = u16::try_from(it.len()).unwrap().to_be_bytes();
        it[2..4].copy_from_slice(&length);
        it
    }

    fn request() -> Vec<u8> {
        message(
            4,
            &[
                (1, b"bob@isp.example"),
                (31, b"4915123456789"),
                (32, b"ggsn-7"),
                (26, b"\x00\x00\x28\xaf\x01\x11262019876543210\x14\x124901542032375101"),
            ],
        )
    }

    #[test]
    fn who_comes_on_line_is_told_in_place() {
        let it = request();
        let out = read_datagrams(&RADIUS, (50_000, 1_813), &[(Up, &it)]);
        let told: Vec<(&str, String)> = out
            .fields
            .iter()
            .map(|(path, value, _)| (path.as_str(), String::from_utf8(value.clone()).unwrap()))
            .collect();
        assert_eq!(
            told,
            [
                ("radius.user-name", "bob@isp.example".to_owned()),
                ("radius.calling-station-id", "4915123456789".to_owned()),
                ("radius.nas-identifier", "ggsn-7".to_owned()),
                ("radius.imsi", "262019876543210".to_owned()),
                ("radius.imeisv", "4901542032375101".to_owned()),
            ]
        );
        assert_eq!(out.fields[0].2, Span::in_frame(1, 42 + 22, 15));
        for (_, value, at) in &out.fields {
            let start = usize::try_from(at.offset).unwrap() - 42;
            assert_eq!(&it[start..start + value.len()], &value[..]);
        }
        assert_eq!(out.client, Some(Up));
        let answer = message(5, &[]);
        assert_eq!(read_datagrams(&RADIUS, (1_813, 50_000), &[(Up, &answer)]).client, Some(Down));
    }

    #[test]
    fn lengths_that_do_not_add_up_are_not_it() {
        let verdict = |bytes: &[u8], port| RADIUS.matches(&datagrams(50_000, port, &[(Up, bytes)]));
        let whole = request();
        assert_eq!((verdict(&whole, 9), verdict(&whole, 1_812)), (Match::Yes, Match::Yes));
        assert_eq!(verdict(&whole[..whole.len() - 1], 1_812), Match::No);
        let mut wrong = whole.clone();
        wrong[21] = 1;
        assert_eq!(verdict(&wrong, 1_812), Match::No);
        wrong[0] = 99;
        assert_eq!(verdict(&wrong, 1_812), Match::No);
        assert_eq!(verdict(&message(2, &[(25, b"x")]), 9), Match::No);
    }

    #[test]
    fn damage_never_panics() {
        damage(&RADIUS, (50_000, 1_813), Transport::Udp, Up, &request());
    }
}
