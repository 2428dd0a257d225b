//! Point-to-point links: PPP (RFC 1661, RFC 1662), PPPoE sessions (RFC 2516), Cisco HDLC, frame relay (RFC 2427).
//!
//! Control protocols, compressed headers and multilink fragments are not read.

use super::{Next, ethertype, mpls};
use crate::cursor::Cursor;
use crate::packet::{Descent, Reason};

/// A serial line: PPP, with address and control bytes or without, or Cisco HDLC by its address byte.
pub(super) fn serial<'a>(cursor: &mut Cursor<'a>, descent: &mut Descent<'a>) -> Result<Next, Reason> {
    match cursor.peek(0) {
        Some(0x0f | 0x8f) => cisco(cursor, descent),
        _ => ppp(cursor, descent),
    }
}

/// A PPP frame.
pub(crate) fn ppp<'a>(cursor: &mut Cursor<'a>, descent: &mut Descent<'a>) -> Result<Next, Reason> {
    if cursor.rest().starts_with(&[0xff, 0x03]) {
        cursor.skip(2)?;
    }
    // An odd first byte: the protocol field is compressed to one (RFC 1661 section 6.5).
    let first = cursor.u8()?;
    let protocol = if first & 1 == 1 {
        u16::from(first)
    } else {
        u16::from_be_bytes([first, cursor.u8()?])
    };
    match protocol {
        0x0021 => Ok(Next::V4),
        0x0057 => Ok(Next::V6),
        0x0281 | 0x0283 => mpls::labels(cursor, descent),
        other => Err(Reason::NotPpp(other)),
    }
}

/// A PPPoE session frame.
pub(super) fn session<'a>(cursor: &mut Cursor<'a>, descent: &mut Descent<'a>) -> Result<Next, Reason> {
    let start = *cursor;
    let [version_type, code, _, _] = cursor.array::<4>()?;
    cursor.skip(2)?;
    if version_type != 0x11 || code != 0 {
        return Err(Reason::Stop(start.forbidden()));
    }
    ppp(cursor, descent)
}

/// Cisco HDLC: address, control, EtherType.
pub(super) fn cisco<'a>(cursor: &mut Cursor<'a>, descent: &mut Descent<'a>) -> Result<Next, Reason> {
    cursor.skip(2)?;
    match cursor.u16()? {
        short @ 0..=1500 => Err(Reason::NotIp(short)),
        kind => ethertype(kind, cursor, descent),
    }
}

/// Frame relay: a Q.922 address, then a network layer id (RFC 2427 section 4) or, as Cisco has it, an EtherType.
pub(super) fn frame_relay<'a>(cursor: &mut Cursor<'a>, descent: &mut Descent<'a>) -> Result<Next, Reason> {
    // The last address byte has its lowest bit set; there are two to four.
    for at in 0..4_u8 {
        if cursor.u8()? & 1 != 0 {
            break;
        } else if at == 3 {
            return Err(Reason::Stop(cursor.forbidden()));
        }
    }
    if cursor.peek(0) != Some(0x03) {
        return match cursor.u16()? {
            short @ 0..=1500 => Err(Reason::NotIp(short)),
            kind => ethertype(kind, cursor, descent),
        };
    }
    cursor.skip(1)?;
    if cursor.peek(0) == Some(0) {
        cursor.skip(1)?;
    }
    match cursor.u8()? {
        0xcc => Ok(Next::V4),
        0x8e => Ok(Next::V6),
        0x80 => {
            let owner = cursor.u24()?;
            let kind = cursor.u16()?;
            match (owner, kind) {
                (0, 1501..) => ethertype(kind, cursor, descent),
                // Bridged Ethernet, with its check sequence or without (section 4.2).
                (0x0080c2, 1 | 7) => {
                    descent.step()?;
                    super::ethernet(cursor, descent)
                }
                _ => Err(Reason::NotIp(kind)),
            }
        }
        other => Err(Reason::NotIp(u16::from(other))),
    }
}
