//! IP: IPv4 with options (RFC 791), IPv6 with extension headers (RFC 8200).
//!
//! Checksums are not judged: capturing machines offload them. Fragments are put together in `fragments`.

pub(crate) mod fragments;

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::cursor::{Cursor, Stop};
use crate::link::Next;
use crate::packet::{Ip, Reason};

/// An IP header, and what it leaves to the transport.
pub struct Net<'a> {
    /// The header; its protocol is that of the body's first bytes.
    pub ip: Ip,
    /// What follows: further headers ([`extensions`]) and the transport, padding cut off.
    pub body: Cursor<'a>,
    /// Payload bytes beyond what was captured.
    pub missing: usize,
    /// The body is but a part of a datagram's.
    pub fragment: Option<Fragment<'a>>,
}

/// A part of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// What all parts of the datagram have in common, besides addresses and, in IPv4, protocol.
    pub id: u32,
    /// Where the part belongs, in bytes.
    pub offset: usize,
    /// Others follow.
    pub more: bool,
    /// The protocol of the datagram's first bytes, as this part says.
    pub protocol: u8,
    /// The bytes.
    pub bytes: &'a [u8],
    /// Where they stand in the frame.
    pub at: usize,
    /// Bytes of this part beyond what was captured.
    pub missing: usize,
}

/// Reads one IP header with everything up to the transport.
pub fn read<'a>(next: Next, cursor: &mut Cursor<'a>) -> Result<Net<'a>, Reason> {
    let version = cursor.peek(0).map(|byte| byte >> 4);
    match (next, version) {
        (Next::V4 | Next::Either, Some(4)) => v4(cursor),
        (Next::V6 | Next::Either, Some(6)) => v6(cursor),
        // Some drivers mislabel; the version nibble is what the machines themselves go by.
        (Next::V4, Some(6)) => v6(cursor),
        (Next::V6, Some(4)) => v4(cursor),
        (_, None) => cursor.u8().map_err(Reason::Stop).and(Err(Reason::Nesting)),
        (_, Some(_)) => Err(Reason::Stop(cursor.forbidden())),
    }
}

fn v4<'a>(cursor: &mut Cursor<'a>) -> Result<Net<'a>, Reason> {
    let start = *cursor;
    let [version_length, _, total_high, total_low] = cursor.array::<4>()?;
    let id = cursor.array::<2>()?;
    let [fragment_high, fragment_low, ttl, protocol, _, _] = cursor.array::<6>()?;
    let addresses_at = cursor.offset();
    let (source, destination) = (Ipv4Addr::from(cursor.array::<4>()?), Ipv4Addr::from(cursor.array::<4>()?));
    let header = usize::from(version_length & 0x0f).saturating_mul(4);
    let options = header.checked_sub(20).ok_or(Reason::Stop(start.forbidden()))?;
    cursor.skip(options)?;
    let total = usize::from(u16::from_be_bytes([total_high, total_low]));
    // Zero: the capturing machine left segmentation to the card and had no length yet.
    let announced = if total == 0 {
        cursor.left()
    } else {
        total.checked_sub(header).ok_or(Reason::Stop(start.forbidden()))?
    };
    let field = u16::from_be_bytes([fragment_high, fragment_low]);
    let ip = Ip {
        source: source.into(),
        destination: destination.into(),
        ttl,
        id: Some(u16::from_be_bytes(id)),
        protocol,
        addresses_at,
    };
    let missing = announced.saturating_sub(cursor.left());
    let body = cursor.sub(announced.min(cursor.left()))?;
    let part = Fragment {
        id: u32::from(u16::from_be_bytes(id)),
        offset: usize::from(field & 0x1fff).saturating_mul(8),
        more: field & 0x2000 != 0,
        protocol,
        bytes: body.rest(),
        at: body.offset(),
        missing,
    };
    Ok(Net {
        ip,
        body,
        missing,
        fragment: (part.more || part.offset != 0).then_some(part),
    })
}

fn v6<'a>(cursor: &mut Cursor<'a>) -> Result<Net<'a>, Reason> {
    cursor.skip(4)?;
    let length = usize::from(cursor.u16()?);
    let (protocol, ttl) = (cursor.u8()?, cursor.u8()?);
    let addresses_at = cursor.offset();
    let (source, destination) = (Ipv6Addr::from(cursor.array::<16>()?), Ipv6Addr::from(cursor.array::<16>()?));
    // Zero: a jumbogram (RFC 2675) or a length left to the card.
    let announced = if length == 0 { cursor.left() } else { length };
    let missing = announced.saturating_sub(cursor.left());
    let mut body = cursor.sub(announced.min(cursor.left()))?;
    let mut ip = Ip {
        source: source.into(),
        destination: destination.into(),
        ttl,
        id: None,
        protocol,
        addresses_at,
    };
    loop {
        extensions(&mut ip, &mut body)?;
        if ip.protocol != 44 {
            break;
        }
        // Fragment (section 4.5). Both fields zero: an "atomic" fragment is the whole (RFC 6946).
        let [next, _] = body.array::<2>()?;
        let field = body.u16()?;
        let id = body.u32()?;
        ip.protocol = next;
        if field & 0xfff9 != 0 {
            let part = Fragment {
                id,
                offset: usize::from(field & 0xfff8),
                more: field & 1 != 0,
                protocol: next,
                bytes: body.rest(),
                at: body.offset(),
                missing,
            };
            return Ok(Net {
                ip,
                body,
                missing,
                fragment: Some(part),
            });
        }
    }
    Ok(Net {
        ip,
        body,
        missing,
        fragment: None,
    })
}

/// Steps over the headers between IP and the transport; stops at a fragment header. The protocol is then that of what
/// comes first.
pub fn extensions(ip: &mut Ip, body: &mut Cursor<'_>) -> Result<(), Stop> {
    let six = ip.source.is_ipv6();
    // Each step consumes at least eight bytes, so the loop ends with the frame.
    loop {
        ip.protocol = match ip.protocol {
            // Hop-by-hop, routing, destination options, mobility, HIP, shim6: length in eights beyond the first eight.
            0 | 43 | 60 | 135 | 139 | 140 if six => {
                let [next, length] = body.array::<2>()?;
                body.skip(usize::from(length).saturating_mul(8).saturating_add(6))?;
                next
            }
            // Authentication header (RFC 4302): length in fours, minus two.
            51 => {
                let [next, length] = body.array::<2>()?;
                body.skip(usize::from(length).saturating_add(2).saturating_mul(4).saturating_sub(2))?;
                next
            }
            _ => return Ok(()),
        };
    }
}

/// Whether these bytes begin with an IP header whose lengths fit into so many bytes: evidence that a tunnel is one.
pub(crate) fn is_plausible(bytes: &[u8], room: usize) -> bool {
    match bytes {
        [first, _, high, low, ..] if first >> 4 == 4 => {
            let header = usize::from(first & 0x0f).saturating_mul(4);
            let total = usize::from(u16::from_be_bytes([*high, *low]));
            header >= 20 && (total == 0 || (header..=room).contains(&total))
        }
        [first, _, _, _, high, low, ..] if first >> 4 == 6 => usize::from(u16::from_be_bytes([*high, *low])).saturating_add(40) <= room,
        _ => false,
    }
}
