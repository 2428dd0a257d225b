//! Link layers: from the first captured byte to a network header.
//!
//! Ethernet II and 802.3 with LLC/SNAP, VLAN and QinQ tags (IEEE 802.1Q), Cisco's of security groups and of virtual interfaces, port extenders' (IEEE 802.1BR), MAC in MAC (IEEE 802.1ah), raw IP, Linux cooked v1 and v2, null and
//! loopback, and the older networks on which LLC stands, here; PPP and its kin in `ppp`, label stacks in `mpls`, 802.11 in
//! `wireless`, headers that capturing machines put in front or behind in `pseudo`. References: <https://www.tcpdump.org/linktypes.html> and the pages it
//! links. What is encrypted on the link is not opened.

mod mpls;
mod ppp;
mod pseudo;
mod wireless;

use farshore_model::LinkType;

use crate::cursor::Cursor;
use crate::packet::{Descent, Reason};

pub(crate) use ppp::ppp;
pub(crate) use pseudo::trailer;
pub(crate) use wireless::carried as wireless;

/// EtherTypes that lead on.
pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const IPV6: u16 = 0x86dd;
const MPLS: [u16; 2] = [0x8847, 0x8848];
const PPPOE_SESSION: u16 = 0x8864;
/// Transparent Ethernet bridging (RFC 1701's registry).
const BRIDGED: u16 = 0x6558;
/// Cisco's tag of security groups: version, how many words of options follow, then the EtherType proper.
const SECURITY_GROUP: u16 = 0x8909;
/// The tag of virtual interfaces that servers and switches share (Cisco's VN-Tag): two words, and the EtherType proper.
const VIRTUAL_INTERFACE: u16 = 0x8926;
/// The tag of port extenders (IEEE 802.1BR): three words, and the EtherType proper.
const EXTENDED_PORT: u16 = 0x893f;
/// Backbone bridges (IEEE 802.1ah): a service's number, and the customer's frame.
const BACKBONE: u16 = 0x88e7;
/// A network service header (RFC 8300): two words, context, and a number for what follows.
const SERVICE: u16 = 0x894f;
/// A length, behind which LLC stands.
const LOGICAL: u16 = 0;
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
pub fn read<'a>(link: LinkType, cursor: &mut Cursor<'a>, descent: &mut Descent<'a>) -> Result<Next, Reason> {
    match link.0 {
        1 => ethernet(cursor, descent),
        // The registered value, and two that systems wrote for it.
        101 | 12 | 14 => Ok(Next::Either),
        228 => Ok(Next::V4),
        229 => Ok(Next::V6),
        // Linux cooked, v1 and v2.
        113 => {
            cursor.skip(14)?;
            let kind = cursor.u16()?;
            ethertype(kind, cursor, descent)
        }
        276 => {
            let kind = cursor.u16()?;
            cursor.skip(18)?;
            ethertype(kind, cursor, descent)
        }
        0 => {
            // Written in the byte order of the capturing machine, which the file does not tell: all values fit one byte or two.
            let raw = cursor.array::<4>()?;
            family(u32::from_le_bytes(raw).min(u32::from_be_bytes(raw)), cursor, descent)
        }
        108 => {
            let value = cursor.u32()?;
            family(value, cursor, descent)
        }
        // PPP, PPP in HDLC-like framing (RFC 1662), PPPoE without its Ethernet header, PPP after a byte of direction.
        9 | 50 => ppp::serial(cursor, descent),
        51 => ppp::session(cursor, descent),
        204 => {
            cursor.skip(1)?;
            ppp::serial(cursor, descent)
        }
        104 => ppp::cisco(cursor, descent),
        107 => ppp::frame_relay(cursor, descent),
        // LLC alone (RFC 2684), behind SunATM's header, behind FDDI's, and behind that of a token ring.
        11 => ethertype(LOGICAL, cursor, descent),
        123 => {
            cursor.skip(4)?;
            ethertype(LOGICAL, cursor, descent)
        }
        10 => {
            cursor.skip(13)?;
            ethertype(LOGICAL, cursor, descent)
        }
        6 => token_ring(cursor, descent),
        105 => wireless::data(cursor, false, descent),
        119 => wireless::prism(cursor, descent),
        163 => wireless::avs(cursor, descent),
        127 => wireless::radiotap(cursor, descent),
        109 => pseudo::enc(cursor, descent),
        117 => pseudo::pflog(cursor, descent),
        192 => pseudo::ppi(cursor, descent),
        // Solaris: version, family, and what the machine knows of the interface.
        226 => {
            cursor.skip(24)?;
            Ok(Next::Either)
        }
        239 => pseudo::nflog(cursor),
        258 => pseudo::pktap(cursor, descent),
        other => Err(Reason::Link(other)),
    }
}

/// Reads an Ethernet header.
pub(crate) fn ethernet<'a>(cursor: &mut Cursor<'a>, descent: &mut Descent<'a>) -> Result<Next, Reason> {
    cursor.skip(12)?;
    let kind = cursor.u16()?;
    ethertype(kind, cursor, descent)
}

/// Goes on behind an EtherType.
pub(crate) fn ethertype<'a>(mut kind: u16, cursor: &mut Cursor<'a>, descent: &mut Descent<'a>) -> Result<Next, Reason> {
    loop {
        match kind {
            IPV4 => return Ok(Next::V4),
            IPV6 => return Ok(Next::V6),
            // A length, not a type (IEEE 802.3): LLC follows, and SNAP if it says so (RFC 1042).
            0..=1500 => match logical(cursor)? {
                Some(Next::V4) => return Ok(Next::V4),
                Some(_) => {
                    kind = cursor.u16()?;
                    if kind <= 1500 {
                        return Err(Reason::NotIp(kind));
                    }
                }
                None => return Err(Reason::NotIp(kind)),
            },
            PPPOE_SESSION => return ppp::session(cursor, descent),
            _ if MPLS.contains(&kind) => return mpls::labels(cursor, descent),
            SECURITY_GROUP => {
                descent.step()?;
                cursor.skip(1)?;
                let words = usize::from(cursor.u8()?);
                cursor.skip(words.saturating_mul(4))?;
                kind = cursor.u16()?;
            }
            SERVICE => {
                descent.step()?;
                let [_, words, _, next] = cursor.array::<4>()?;
                cursor.skip(usize::from(words & 0x3f).saturating_mul(4).saturating_sub(4))?;
                kind = match next {
                    1 => IPV4,
                    2 => IPV6,
                    3 => {
                        cursor.skip(12)?;
                        cursor.u16()?
                    }
                    4 => SERVICE,
                    5 => 0x8847,
                    other => return Err(Reason::NotIp(u16::from(other))),
                };
            }
            _ => {
                let length = before_the_next(kind).ok_or(Reason::NotIp(kind))?;
                descent.step()?;
                cursor.skip(length)?;
                kind = cursor.u16()?;
            }
        }
    }
}

/// Bytes between an EtherType and the next, of tags and headers that say nothing but that one.
fn before_the_next(kind: u16) -> Option<usize> {
    Some(match kind {
        BRIDGED => 12,
        VIRTUAL_INTERFACE => 4,
        EXTENDED_PORT => 6,
        // A tag of four bytes, and the addresses of the frame inside.
        BACKBONE => 16,
        _ if TAGS.contains(&kind) => 2,
        _ => return None,
    })
}

/// Reads the header of a token ring (IEEE 802.5): control, addresses, and the route if the sender's address says there is one.
fn token_ring<'a>(cursor: &mut Cursor<'a>, descent: &mut Descent<'a>) -> Result<Next, Reason> {
    cursor.skip(8)?;
    let routed = cursor.peek(0).is_some_and(|byte| byte & 0x80 != 0);
    cursor.skip(6)?;
    if routed {
        let length = usize::from(cursor.peek(0).unwrap_or_default() & 0x1f);
        cursor.skip(length)?;
    }
    ethertype(LOGICAL, cursor, descent)
}

/// Steps over an LLC header (IEEE 802.2): IP by its own service point, or SNAP with an EtherType to come.
fn logical(cursor: &mut Cursor<'_>) -> Result<Option<Next>, Reason> {
    if cursor.rest().starts_with(&[0xaa, 0xaa, 0x03, 0, 0, 0]) {
        cursor.skip(6)?;
        Ok(Some(Next::Either))
    } else if cursor.rest().starts_with(&[0x06, 0x06, 0x03]) {
        cursor.skip(3)?;
        Ok(Some(Next::V4))
    } else {
        Ok(None)
    }
}

/// Address families: AF_INET is 2 everywhere, AF_INET6 differs by system (10, 24, 28, 30). Some drivers write an EtherType.
fn family<'a>(value: u32, cursor: &mut Cursor<'a>, descent: &mut Descent<'a>) -> Result<Next, Reason> {
    match (value, u16::try_from(value)) {
        (2, _) => Ok(Next::V4),
        (10 | 24 | 28 | 30, _) => Ok(Next::V6),
        (0x600.., Ok(kind)) => ethertype(kind, cursor, descent),
        _ => Err(Reason::Stop(cursor.forbidden())),
    }
}
