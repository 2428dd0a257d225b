//! DHCP for IPv4 (RFC 2131, options of RFC 2132), over UDP.
//!
//! # What is extracted, and why it matters
//! A device that comes onto a network tells everybody there what it is: its hardware address `dhcp.mac`, its name
//! `dhcp.host-name` and `dhcp.fqdn`, its make `dhcp.vendor-class`, `dhcp.user-class`, `dhcp.client-id`; relays add the
//! line and the subscriber: `dhcp.circuit-id`, `dhcp.remote-id`, `dhcp.subscriber-id` (RFC 3046, RFC 3993).
//!
//! # What is not
//! The addresses handed out; DHCP for IPv6; options that run over into the fixed fields (option 52).
//!
//! # How it is told
//! The fixed part of BOOTP with its magic cookie behind it.

use std::ops::Range;

use farshore_model::{Direction, Protection, Transport};

use super::{Begins, Dissector, Field, FirstBytes, Match, Opening, Piece, Progress, Protocol, Segment, Sink, Start};
use crate::cursor::{Cursor, Stop};
use crate::limits::Limits;

/// DHCP.
pub static DHCP: Dhcp = Dhcp;

/// DHCP, as a [`Protocol`].
#[derive(Debug)]
pub struct Dhcp;

impl Protocol for Dhcp {
    fn id(&self) -> &'static str {
        "dhcp"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Datagrams(list) if opening.transport == Transport::Udp && list.last().is_some_and(|(_, bytes)| head(bytes).is_ok()) => {
                Match::Yes
            }
            Start::Datagrams(_) | Start::Stream { .. } => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins::datagram(FirstBytes::of(&[1, 2]))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, _: &Limits) -> Box<dyn Dissector> {
        Box::new(Leases)
    }
}

const REQUEST: u8 = 1;
const ETHERNET: u8 = 1;
const HARDWARE_ADDRESS: Range<usize> = 28..34;
const COOKIE: u32 = 0x6382_5363;

/// The fixed part: who speaks, and what follows.
struct Head<'a> {
    op: u8,
    /// The hardware address, if it is one of Ethernet.
    mac: Option<[u8; 6]>,
    options: Cursor<'a>,
}

fn head(bytes: &[u8]) -> Result<Head<'_>, Stop> {
    let mut it = Cursor::new("dhcp", bytes);
    let start = it;
    let [op, kind, length, _] = it.array()?;
    it.skip(24)?;
    let mac = it.array::<6>()?;
    it.skip(202)?;
    if !matches!(op, 1 | 2) || length > 16 || it.u32()? != COOKIE {
        return Err(start.forbidden());
    }
    Ok(Head {
        op,
        mac: (kind == ETHERNET && length == 6).then_some(mac),
        options: it,
    })
}

/// Messages, each in its datagram.
#[derive(Debug)]
struct Leases;

impl Dissector for Leases {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let Segment::Bytes(piece) = it else { return Progress::More };
        let Ok(mut head) = head(piece.bytes) else {
            return Progress::More;
        };
        out.client_speaks(if head.op == REQUEST { direction } else { direction.reverse() });
        if let Some(mac) = head.mac {
            tell("dhcp.mac", written(&mac).as_bytes(), HARDWARE_ADDRESS, &piece, out);
        }
        while let Ok((code, range)) = option(&mut head.options) {
            if code == END {
                break;
            }
            told(code, range, &piece, out);
        }
        Progress::More
    }
}

const PAD: u8 = 0;
const END: u8 = 255;

fn option(it: &mut Cursor<'_>) -> Result<(u8, Range<usize>), Stop> {
    let mut code = it.u8()?;
    while code == PAD {
        code = it.u8()?;
    }
    let length = if code == END { 0 } else { usize::from(it.u8()?) };
    let from = it.offset();
    it.skip(length)?;
    Ok((code, from..it.offset()))
}

fn told(code: u8, range: Range<usize>, piece: &Piece<'_>, out: &mut dyn Sink) {
    let value = piece.bytes.get(range.clone()).unwrap_or_default();
    let path = match code {
        12 => "dhcp.host-name",
        60 => "dhcp.vendor-class",
        77 => "dhcp.user-class",
        // A kind of hardware and its address, or any name (RFC 2132, section 9.14).
        61 => match value {
            [1, mac @ ..] if mac.len() == 6 => {
                let mac = written(mac);
                return tell("dhcp.mac", mac.as_bytes(), range.start.saturating_add(1)..range.end, piece, out);
            }
            [0, ..] => return text("dhcp.client-id", range.start.saturating_add(1)..range.end, piece, out),
            _ => "dhcp.client-id",
        },
        // Flags and two codes of no use, then the name (RFC 4702, section 2).
        81 if value.len() > 3 => return text("dhcp.fqdn", range.start.saturating_add(3)..range.end, piece, out),
        82 => return relayed(range, piece, out),
        _ => return,
    };
    text(path, range, piece, out);
}

/// What a relay adds: options of its own inside.
fn relayed(range: Range<usize>, piece: &Piece<'_>, out: &mut dyn Sink) {
    let mut it = Cursor::new("dhcp", piece.bytes.get(range.clone()).unwrap_or_default());
    while let Ok((code, length)) = it.array().map(|[code, length]| (code, usize::from(length))) {
        let from = range.start.saturating_add(it.offset());
        if it.skip(length).is_err() {
            return;
        }
        let inside = from..from.saturating_add(length);
        match code {
            1 => text("dhcp.circuit-id", inside, piece, out),
            2 => text("dhcp.remote-id", inside, piece, out),
            6 => text("dhcp.subscriber-id", inside, piece, out),
            _ => {}
        }
    }
}

/// Hands on a value that is text.
fn text(path: &str, range: Range<usize>, piece: &Piece<'_>, out: &mut dyn Sink) {
    let value = piece.bytes.get(range.clone()).unwrap_or_default();
    let value = value.strip_suffix(&[0]).unwrap_or(value);
    if !value.is_empty() && value.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ' || *byte >= 0x80) {
        tell(path, value, range.start..range.start.saturating_add(value.len()), piece, out);
    }
}

fn tell(path: &str, value: &[u8], range: Range<usize>, piece: &Piece<'_>, out: &mut dyn Sink) {
    let at = piece.origin.span(range);
    out.field(Field { path, value, at });
}

/// As hardware addresses are written.
fn written(mac: &[u8]) -> String {
    let parts: Vec<String> = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    parts.join(":")
}

#[cfg(test)]
mod tests {
    use farshore_model::Span;

    use super::super::notebook::{damage, datagrams, read_datagrams};
    use super::*;
    use Direction::{Down, Up};

    fn message(op: u8) -> Vec<u8> {
        let mut it = vec![op, 1, 6, 0];
        it.extend_from_slice(&[0; 24]);
        it.extend_from_slice(&[0x3c, 0x5a, 0xb4, 1, 2, 3]);
        it.extend_from_slice(&[0; 202]);
        it.extend_from_slice(&COOKIE.to_be_bytes());
        for (code, value) in [
            (53, &[1][..]),
            (61, &[1, 0x3c, 0x5a, 0xb4, 1, 2, 3]),
            (12, b"anns-phone"),
            (60, b"android-dhcp-14"),
            (81, b"\x00\x00\x00anns-phone.example"),
            (82, b"\x01\x05eth 7\x06\x06sub-42"),
        ] {
            it.push(code);
            it.push(u8::try_from(value.len()).unwrap());
            it.extend_from_slice(value);
            it.push(PAD);
        }
        it.push(END);
        it
    }

    #[test]
    fn a_device_tells_what_it_is() {
        let it = message(1);
        let out = read_datagrams(&DHCP, (68, 67), &[(Up, &it)]);
        assert_eq!(out.values("dhcp.mac"), ["3c:5a:b4:01:02:03"; 2]);
        assert_eq!(out.fields[0].2, Span::in_frame(1, 42 + 28, 6));
        assert_eq!(out.values("dhcp.host-name"), ["anns-phone"]);
        assert_eq!(out.values("dhcp.vendor-class"), ["android-dhcp-14"]);
        assert_eq!(out.values("dhcp.fqdn"), ["anns-phone.example"]);
        assert_eq!(
            (out.values("dhcp.circuit-id"), out.values("dhcp.subscriber-id")),
            (vec!["eth 7".into()], vec!["sub-42".into()])
        );
        for (path, value, at) in out.fields.iter().filter(|(path, ..)| path != "dhcp.mac") {
            let start = usize::try_from(at.offset).unwrap() - 42;
            assert_eq!(&it[start..start + value.len()], &value[..], "{path}");
        }
        assert_eq!(out.client, Some(Up));
        assert_eq!(read_datagrams(&DHCP, (67, 68), &[(Up, &message(2))]).client, Some(Down));
    }

    #[test]
    fn without_its_cookie_it_is_not_it() {
        let verdict = |bytes: &[u8]| DHCP.matches(&datagrams(68, 67, &[(Up, bytes)]));
        let mut it = message(1);
        assert_eq!(verdict(&it), Match::Yes);
        assert_eq!(verdict(&it[..239]), Match::No);
        it[236] ^= 1;
        assert_eq!(verdict(&it), Match::No);
    }

    #[test]
    fn damage_never_panics() {
        damage(&DHCP, (68, 67), Transport::Udp, Up, &message(1));
    }
}
