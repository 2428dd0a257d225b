//! DHCP for IPv6 (RFC 8415), over UDP.
//!
//! # What is extracted, and why it matters
//! What a device tells everybody on the link when it comes there: the number it goes by, which mostly is a hardware address
//! that outlives every change of network address: `dhcpv6.mac`, else `dhcpv6.client-id`; its name `dhcpv6.fqdn`
//! (RFC 4704), its make `dhcpv6.vendor-class`, `dhcpv6.user-class`. Relays add the line and the subscriber:
//! `dhcpv6.interface-id`, `dhcpv6.remote-id` (RFC 4649), `dhcpv6.subscriber-id` (RFC 4580).
//!
//! # What is not
//! The addresses handed out, and what servers say of themselves.
//!
//! # How it is told
//! A kind of message and options that fill it to its last byte, on the ports kept for it.

use std::ops::Range;

use farshore_model::{Direction, Protection, Transport};

use super::{Begins, Dissector, Field, FirstBytes, Match, Opening, Piece, Progress, Protocol, Segment, Sink, Start};
use crate::cursor::{Cursor, Stop};
use crate::limits::Limits;

/// DHCP for IPv6.
pub static DHCPV6: Dhcpv6 = Dhcpv6;

/// DHCP for IPv6, as a [`Protocol`].
#[derive(Debug)]
pub struct Dhcpv6;

/// Of clients, and of servers and relays.
const PORTS: [u16; 2] = [546, 547];

impl Protocol for Dhcpv6 {
    fn id(&self) -> &'static str {
        "dhcpv6"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        let own = PORTS.contains(&opening.server_port) || PORTS.contains(&opening.client_port);
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Datagrams(list) if opening.transport == Transport::Udp && own => {
                let told = |bytes: &[u8]| read(bytes, 0..bytes.len(), 0).is_ok_and(|it| it.whole && !it.options.is_empty());
                if list.last().is_some_and(|(_, bytes)| told(bytes)) {
                    Match::Yes
                } else {
                    Match::No
                }
            }
            Start::Datagrams(_) | Start::Stream { .. } => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins::datagram(FirstBytes::range(1, LAST_KIND))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, _: &Limits) -> Box<dyn Dissector> {
        Box::new(Leases)
    }
}

/// The last kind of message that was given out (IANA "DHCPv6 Message Types").
const LAST_KIND: u8 = 36;
const RELAY_FORWARD: u8 = 12;
const RELAY_REPLY: u8 = 13;
/// Solicit, request, confirm, renew, rebind, release, decline, information-request, and what a relay passes on.
const ASKING: [u8; 9] = [1, 3, 4, 5, 6, 8, 9, 11, RELAY_FORWARD];
/// Relays in a row (RFC 8415, section 7.6: `HOP_COUNT_LIMIT`).
const MOST_RELAYS: u8 = 8;

/// A message: its kind, and its options with those of the messages it relays.
struct Message {
    kind: u8,
    options: Vec<(u16, Range<usize>)>,
    whole: bool,
}

fn read(bytes: &[u8], range: Range<usize>, depth: u8) -> Result<Message, Stop> {
    let mut it = Cursor::new("dhcpv6", bytes.get(..range.end).unwrap_or(bytes));
    it.skip(range.start)?;
    let start = it;
    let kind = it.u8()?;
    // Hops and two addresses, or a number.
    it.skip(if matches!(kind, RELAY_FORWARD | RELAY_REPLY) { 33 } else { 3 })?;
    if !(1..=LAST_KIND).contains(&kind) {
        return Err(start.forbidden());
    }
    let mut message = Message {
        kind,
        options: Vec::new(),
        whole: true,
    };
    while !it.is_empty() {
        let Ok((code, body)) = option(&mut it) else {
            message.whole = false;
            return Ok(message);
        };
        if code == RELAYED
            && depth < MOST_RELAYS
            && let Ok(inner) = read(bytes, body.clone(), depth.saturating_add(1))
        {
            message.options.extend(inner.options);
        }
        message.options.push((code, body));
    }
    Ok(message)
}

fn option(it: &mut Cursor<'_>) -> Result<(u16, Range<usize>), Stop> {
    let (code, length) = (it.u16()?, it.u16()?);
    let from = it.offset();
    it.skip(length.into())?;
    Ok((code, from..it.offset()))
}

/// Options that are read (RFC 8415, section 21; RFC 4704; RFC 4649; RFC 4580; RFC 6939).
const CLIENT: u16 = 1;
const RELAYED: u16 = 9;
const USER_CLASS: u16 = 15;
const VENDOR_CLASS: u16 = 16;
const INTERFACE: u16 = 18;
const REMOTE: u16 = 37;
const SUBSCRIBER: u16 = 38;
const NAME: u16 = 39;
const LINK_ADDRESS: u16 = 79;

/// Messages, each in its datagram.
#[derive(Debug)]
struct Leases;

impl Dissector for Leases {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let Segment::Bytes(piece) = it else { return Progress::More };
        if let Ok(message) = read(piece.bytes, 0..piece.bytes.len(), 0) {
            let asks = ASKING.contains(&message.kind);
            out.client_speaks(if asks { direction } else { direction.reverse() });
            for (code, range) in message.options {
                told(code, range, &piece, out);
            }
        }
        Progress::More
    }
}

fn told(code: u16, range: Range<usize>, piece: &Piece<'_>, out: &mut dyn Sink) {
    let from = |skipped: usize| range.start.saturating_add(skipped).min(range.end)..range.end;
    match code {
        CLIENT => client(range, piece, out),
        USER_CLASS => each("dhcpv6.user-class", range, piece, out),
        // Behind the number of an enterprise.
        VENDOR_CLASS => each("dhcpv6.vendor-class", from(4), piece, out),
        INTERFACE => text("dhcpv6.interface-id", range, piece, out),
        REMOTE => text("dhcpv6.remote-id", from(4), piece, out),
        SUBSCRIBER => text("dhcpv6.subscriber-id", range, piece, out),
        NAME => name(from(1), piece, out),
        LINK_ADDRESS if range.len() == 8 => mac(from(2), piece, out),
        _ => {}
    }
}

/// The client's number for itself (RFC 8415, section 11): with a hardware address of Ethernet at its end, or another.
fn client(range: Range<usize>, piece: &Piece<'_>, out: &mut dyn Sink) {
    let from = |skipped: usize| range.start.saturating_add(skipped)..range.end;
    match piece.bytes.get(range.clone()) {
        Some([0, 1, 0, 1, _, _, _, _, address @ ..]) if address.len() == 6 => mac(from(8), piece, out),
        Some([0, 3, 0, 1, address @ ..]) if address.len() == 6 => mac(from(4), piece, out),
        // Of a manufacturer's choice, or a UUID (RFC 6355).
        Some([0, 2 | 4, id @ ..]) if !id.is_empty() => {
            let value = written(id, "");
            let at = piece.origin.span(from(2));
            out.field(Field {
                path: "dhcpv6.client-id",
                value: value.as_bytes(),
                at,
            });
        }
        _ => {}
    }
}

fn written(bytes: &[u8], between: &str) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect::<Vec<_>>().join(between)
}

fn mac(range: Range<usize>, piece: &Piece<'_>, out: &mut dyn Sink) {
    let address = piece.bytes.get(range.clone()).unwrap_or_default();
    out.field(Field {
        path: "dhcpv6.mac",
        value: written(address, ":").as_bytes(),
        at: piece.origin.span(range),
    });
}

fn text(path: &str, range: Range<usize>, piece: &Piece<'_>, out: &mut dyn Sink) {
    let value = piece.bytes.get(range.clone()).unwrap_or_default();
    if !value.is_empty() {
        let at = piece.origin.span(range);
        out.field(Field { path, value, at });
    }
}

/// Values, each behind its length.
fn each(path: &str, range: Range<usize>, piece: &Piece<'_>, out: &mut dyn Sink) {
    let mut it = Cursor::new("dhcpv6", piece.bytes.get(range.clone()).unwrap_or_default());
    while let Ok(length) = it.u16() {
        let from = range.start.saturating_add(it.offset());
        if it.skip(length.into()).is_err() {
            break;
        }
        text(path, from..range.start.saturating_add(it.offset()), piece, out);
    }
}

/// Labels as DNS writes them, without pointers.
fn name(range: Range<usize>, piece: &Piece<'_>, out: &mut dyn Sink) {
    let mut it = Cursor::new("dhcpv6", piece.bytes.get(range.clone()).unwrap_or_default());
    let mut labels: Vec<&[u8]> = Vec::new();
    while let Ok(length @ 1..=63) = it.u8() {
        let Ok(label) = it.take(length.into()) else { break };
        labels.push(label);
    }
    let value = labels.join(&b'.');
    if !value.is_empty() {
        let at = piece.origin.span(range);
        out.field(Field {
            path: "dhcpv6.fqdn",
            value: &value,
            at,
        });
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::Span;

    use super::super::notebook::{damage, datagrams, read_datagrams};
    use super::*;
    use Direction::{Down, Up};

    fn option(code: u16, body: &[u8]) -> Vec<u8> {
        [&code.to_be_bytes()[..], &u16::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
    }

    fn solicit() -> Vec<u8> {
        let id = [&[0, 1, 0, 1, 9, 9, 9, 9][..], &[0x3c, 0x5a, 0xb4, 1, 2, 3]].concat();
        [
            vec![1, 7, 7, 7],
            option(1, &id),
            option(8, &[0, 0]),
            option(39, b"\x00\x0aanns-phone\x05rooms\x00"),
            option(16, b"\x00\x00\x01\x37\x00\x08MSFT 5.0"),
        ]
        .concat()
    }

    #[test]
    fn what_a_device_says_of_itself_is_told() {
        let it = solicit();
        let out = read_datagrams(&DHCPV6, (546, 547), &[(Up, &it)]);
        let told: Vec<(&str, &[u8])> = out.fields.iter().map(|(path, value, _)| (path.as_str(), &value[..])).collect();
        assert_eq!(
            told,
            [
                ("dhcpv6.mac", &b"3c:5a:b4:01:02:03"[..]),
                ("dhcpv6.fqdn", b"anns-phone.rooms"),
                ("dhcpv6.vendor-class", b"MSFT 5.0"),
            ]
        );
        assert_eq!(out.fields[0].2, Span::in_frame(1, 42 + 16, 6));
        assert_eq!(out.client, Some(Up));
        let advertised = [&[2][..], &it[1..]].concat();
        assert_eq!(read_datagrams(&DHCPV6, (547, 546), &[(Up, &advertised)]).client, Some(Down));
    }

    #[test]
    fn what_a_relay_adds_is_told_with_what_it_passes_on() {
        let relayed = [
            vec![12, 0],
            vec![0x20; 32],
            option(9, &solicit()),
            option(18, b"port-7"),
            option(37, b"\x00\x00\x00\x09line-402"),
            option(38, b"customer-1009431"),
        ]
        .concat();
        let out = read_datagrams(&DHCPV6, (547, 547), &[(Up, &relayed)]);
        assert_eq!(out.values("dhcpv6.mac"), ["3c:5a:b4:01:02:03"]);
        assert_eq!(out.values("dhcpv6.interface-id"), ["port-7"]);
        assert_eq!(out.values("dhcpv6.remote-id"), ["line-402"]);
        assert_eq!(out.values("dhcpv6.subscriber-id"), ["customer-1009431"]);
    }

    #[test]
    fn other_numbers_are_spelled() {
        let it = [vec![11, 7, 7, 7], option(1, &[&[0, 4][..], &[0xab; 16]].concat())].concat();
        assert_eq!(
            read_datagrams(&DHCPV6, (546, 547), &[(Up, &it)]).values("dhcpv6.client-id"),
            ["ab".repeat(16)]
        );
    }

    #[test]
    fn what_does_not_fit_is_not_it() {
        let verdict = |port, bytes: &[u8]| DHCPV6.matches(&datagrams(50_000, port, &[(Up, bytes)]));
        let whole = solicit();
        assert_eq!((verdict(547, &whole), verdict(9_547, &whole)), (Match::Yes, Match::No));
        assert_eq!(verdict(547, &whole[..whole.len() - 1]), Match::No);
        assert_eq!(verdict(547, &[whole.clone(), vec![0]].concat()), Match::No);
        assert_eq!(verdict(547, &whole[..4]), Match::No, "without an option");
        assert_eq!(verdict(547, &[&[99][..], &whole[1..]].concat()), Match::No);
    }

    #[test]
    fn damage_never_panics() {
        damage(&DHCPV6, (546, 547), Transport::Udp, Up, &solicit());
        let relayed = [vec![12, 0], vec![0x20; 32], option(9, &solicit())].concat();
        damage(&DHCPV6, (547, 547), Transport::Udp, Up, &relayed);
    }
}
