//! IP: IPv4 with options (RFC 791), IPv6 with extension headers (RFC 8200).
//!
//! Checksums are not judged: capturing machines offload them. Fragments are told apart, not put together.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::cursor::{Cursor, Stop};
use crate::link::Next;
use crate::packet::{Ip, Reason};

/// An IP header, and what it leaves to the transport.
pub struct Net<'a> {
    /// The header.
    pub ip: Ip,
    /// The transport header and payload, padding cut off.
    pub body: Cursor<'a>,
    /// Payload bytes beyond what was captured.
    pub missing: usize,
    /// A fragment other than the first: there is no transport header in it.
    pub later_fragment: bool,
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
    let [version_length, _, total_high, total_low, ..] = cursor.array::<6>()?;
    let [fragment_high, fragment_low, ttl, protocol, _, _] = cursor.array::<6>()?;
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
    let fragment = u16::from_be_bytes([fragment_high, fragment_low]);
    let offset = fragment & 0x1fff;
    let ip = Ip {
        source: source.into(),
        destination: destination.into(),
        ttl,
        protocol,
    };
    Ok(finish(ip, cursor, announced, offset != 0)?)
}

fn v6<'a>(cursor: &mut Cursor<'a>) -> Result<Net<'a>, Reason> {
    cursor.skip(4)?;
    let length = usize::from(cursor.u16()?);
    let (mut protocol, ttl) = (cursor.u8()?, cursor.u8()?);
    let (source, destination) = (Ipv6Addr::from(cursor.array::<16>()?), Ipv6Addr::from(cursor.array::<16>()?));
    // Zero: a jumbogram (RFC 2675) or a length left to the card.
    let announced = if length == 0 { cursor.left() } else { length };
    let missing = announced.saturating_sub(cursor.left());
    let mut body = cursor.sub(announced.min(cursor.left()))?;
    let mut later_fragment = false;
    // Each step consumes at least eight bytes, so the loop ends with the frame.
    loop {
        let header = match protocol {
            // Hop-by-hop, routing, destination options, mobility, HIP, shim6: length in eights beyond the first eight.
            0 | 43 | 60 | 135 | 139 | 140 => {
                let [next, length] = body.array::<2>()?;
                body.skip(usize::from(length).saturating_mul(8).saturating_add(6))?;
                next
            }
            // Fragment (section 4.5).
            44 => {
                let [next, _] = body.array::<2>()?;
                let field = body.u16()?;
                body.skip(4)?;
                later_fragment = field & 0xfff8 != 0;
                next
            }
            // Authentication header (RFC 4302): length in fours, minus two.
            51 => {
                let [next, length] = body.array::<2>()?;
                body.skip(usize::from(length).saturating_add(2).saturating_mul(4).saturating_sub(2))?;
                next
            }
            _ => break,
        };
        protocol = header;
        if later_fragment {
            break;
        }
    }
    let ip = Ip {
        source: source.into(),
        destination: destination.into(),
        ttl,
        protocol,
    };
    Ok(Net {
        ip,
        body,
        missing,
        later_fragment,
    })
}

fn finish<'a>(ip: Ip, cursor: &mut Cursor<'a>, announced: usize, later_fragment: bool) -> Result<Net<'a>, Stop> {
    let missing = announced.saturating_sub(cursor.left());
    let mut body = cursor.sub(announced.min(cursor.left()))?;
    if ip.protocol == 51 && !later_fragment {
        let [next, length] = body.array::<2>()?;
        body.skip(usize::from(length).saturating_add(2).saturating_mul(4).saturating_sub(2))?;
        return Ok(Net {
            ip: Ip { protocol: next, ..ip },
            body,
            missing,
            later_fragment,
        });
    }
    Ok(Net {
        ip,
        body,
        missing,
        later_fragment,
    })
}
