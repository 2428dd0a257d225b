//! MPLS label stacks (RFC 3032), and what they carry: IP, or Ethernet on a pseudowire (RFC 4448).
//!
//! Nothing in a label says what it carries; routers know by agreement. The first nibble tells IP (RFC 4928), a known
//! EtherType at its place tells Ethernet.

use super::{Next, TAGS, ethernet};
use crate::cursor::Cursor;
use crate::packet::{Descent, Reason};

/// Reads a label stack and finds what it carries.
pub(super) fn labels<'a>(cursor: &mut Cursor<'a>, descent: &mut Descent<'a>) -> Result<Next, Reason> {
    loop {
        descent.step()?;
        let [_, _, bottom, _] = cursor.array::<4>()?;
        if bottom & 1 != 0 {
            break;
        }
    }
    match cursor.peek(0).map(|byte| byte >> 4) {
        // An address on the wire may begin with these nibbles too; an IP header has a length that fits besides.
        Some(4 | 6) if crate::net::is_plausible(cursor.rest(), usize::MAX) => Ok(Next::Either),
        // The associated channel (RFC 5586) carries upkeep.
        Some(1) if !ethernet_at(cursor, 12) => Err(Reason::NotData("MPLS associated channel")),
        Some(0) if !ethernet_at(cursor, 12) => {
            // The control word (RFC 4448 section 4.6).
            cursor.skip(4)?;
            ethernet(cursor, descent)
        }
        _ => ethernet(cursor, descent),
    }
}

/// Whether an EtherType that leads on stands here.
fn ethernet_at(cursor: &Cursor<'_>, at: usize) -> bool {
    let kind = cursor.rest().get(at..).and_then(<[u8]>::first_chunk::<2>).copied();
    kind.map(u16::from_be_bytes)
        .is_some_and(|kind| matches!(kind, 0x0800 | 0x0806 | 0x86dd | 0x8847 | 0x8848 | 0x8863 | 0x8864) || TAGS.contains(&kind))
}
