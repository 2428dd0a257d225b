//! Link layers: from the first captured byte to a network header.
//!
//! Ethernet II and 802.3 with LLC/SNAP, VLAN and QinQ tags (IEEE 802.1Q), raw IP, Linux cooked v1 and v2, null and
//! loopback. References: <https://www.tcpdump.org/linktypes.html> and the pages it links.

use farshore_model::LinkType;

use crate::cursor::Cursor;
use crate::limits::Limits;
use crate::packet::Reason;

/// EtherTypes that lead on.
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// 802.1Q, 802.1ad, and the values used before it was agreed.
const TAGS: [u16; 4] = [0x8100, 0x88a8, 0x9100, 0x9200];

/// What comes after the link header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// IPv4, as the link says.
    V4,
    /// IPv6, as the link says.
    V6,
    /// IP, version in the first nibble.
    Either,
}

/// Reads the link header.
pub fn read(link: LinkType, cursor: &mut Cursor<'_>, limits: &Limits) -> Result<Next, Reason> {
    match link {
        LinkType::ETHERNET => {
            cursor.skip(12)?;
            let kind = cursor.u16()?;
            ethertype(kind, cursor, limits)
        }
        LinkType::RAW => Ok(Next::Either),
        LinkType::IPV4 => Ok(Next::V4),
        LinkType::IPV6 => Ok(Next::V6),
        LinkType::LINUX_SLL => {
            cursor.skip(14)?;
            let kind = cursor.u16()?;
            ethertype(kind, cursor, limits)
        }
        LinkType::LINUX_SLL2 => {
            let kind = cursor.u16()?;
            cursor.skip(18)?;
            ethertype(kind, cursor, limits)
        }
        LinkType::NULL => {
            // Written in the byte order of the capturing machine, which the file does not tell: all values fit one byte.
            let raw = cursor.array::<4>()?;
            family(u32::from_le_bytes(raw).min(u32::from_be_bytes(raw)), cursor)
        }
        LinkType::LOOP => {
            let value = cursor.u32()?;
            family(value, cursor)
        }
        LinkType(other) => Err(Reason::Link(other)),
    }
}

fn ethertype(mut kind: u16, cursor: &mut Cursor<'_>, limits: &Limits) -> Result<Next, Reason> {
    for _ in 0..=limits.encapsulations {
        match kind {
            IPV4 => return Ok(Next::V4),
            IPV6 => return Ok(Next::V6),
            _ if TAGS.contains(&kind) => {
                cursor.skip(2)?;
                kind = cursor.u16()?;
            }
            // A length, not a type (IEEE 802.3): LLC follows, and SNAP if it says so (RFC 1042).
            0..=1500 => {
                if cursor.rest().starts_with(&[0xaa, 0xaa, 0x03, 0, 0, 0]) {
                    cursor.skip(6)?;
                    kind = cursor.u16()?;
                    if kind <= 1500 {
                        return Err(Reason::NotIp(kind));
                    }
                } else if cursor.rest().starts_with(&[0x06, 0x06, 0x03]) {
                    cursor.skip(3)?;
                    return Ok(Next::V4);
                } else {
                    return Err(Reason::NotIp(kind));
                }
            }
            _ => return Err(Reason::NotIp(kind)),
        }
    }
    Err(Reason::Nesting)
}

/// Address families: AF_INET is 2 everywhere, AF_INET6 differs by system (10, 24, 28, 30).
fn family(value: u32, cursor: &Cursor<'_>) -> Result<Next, Reason> {
    match value {
        2 => Ok(Next::V4),
        10 | 24 | 28 | 30 => Ok(Next::V6),
        _ => Err(Reason::Stop(cursor.forbidden())),
    }
}
