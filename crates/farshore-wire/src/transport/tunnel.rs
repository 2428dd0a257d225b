//! Tunnels: packets that carry packets, over IP or over UDP.
//!
//! IP in IP (RFC 2003, RFC 2473, RFC 4213), GRE (RFC 2784, RFC 2890, RFC 2637) with ERSPAN, EtherIP (RFC 3378), MPLS in
//! IP (RFC 4023) and in UDP (RFC 7510); VXLAN (RFC 7348) and its generic extension, LISP (RFC 9300), TZSP, GENEVE (RFC 8926), GRE in UDP (RFC 8086), AYIYA, CAPWAP's data (RFC 5415), GTP-U (TS 29.281), Teredo (RFC 4380), L2TP (RFC 2661, RFC 3931).
//! Over UDP a port is never enough: the packet inside must have headers that fit.

use crate::cursor::{Cursor, Stop};
use crate::net::is_plausible;
use crate::packet::{Begins, Header, Tunnel};

/// The tunnel that this IP protocol is, if it can be followed.
pub(crate) fn over_ip(protocol: u8, body: Cursor<'_>, missing: usize) -> Option<Tunnel<'_>> {
    match protocol {
        4 | 41 => {
            let room = body.left().saturating_add(missing);
            let named = if body.peek(0)? >> 4 == 4 { "ipv4" } else { "ipv6" };
            is_plausible(body.rest(), room).then_some((named, 0, Begins::Ip, body))
        }
        47 => gre(body).ok(),
        // Version 3, then zeros.
        97 => body
            .rest()
            .starts_with(&[0x30, 0])
            .then(|| past(body, 2))
            .flatten()
            .map(|it| ("etherip", 0, Begins::Ethernet, it)),
        137 => Some(("mpls", 0, Begins::Kind(0x8847), body)),
        _ => None,
    }
}

/// The tunnel whose packets this UDP datagram holds one of.
pub(crate) fn over_udp(header: Header, payload: Cursor<'_>, missing: usize) -> Option<Tunnel<'_>> {
    let either = |port| header.source == port || header.destination == port;
    match (header.source, header.destination) {
        // 8472 is the port of Linux from before one was assigned.
        (_, 4789 | 8472) => vxlan(payload, missing),
        (_, 4790) => vxlan_gpe(payload, missing),
        (_, 6081) => geneve(payload, missing),
        (_, 4754) => gre_in_udp(payload, missing),
        (_, 6635) => mpls(payload, missing),
        (_, 4341) => lisp(payload, missing),
        (_, 37008) => tzsp(payload, missing),
        _ if either(2152) => gtp(payload, missing),
        _ if either(3544) => teredo(payload, missing),
        _ if either(1701) => l2tp(payload, missing),
        _ if either(5072) => ayiya(payload, missing),
        _ if either(5247) => capwap(payload, missing),
        // Between two Teredo hosts any port will do; their addresses tell (RFC 4380 section 2.6).
        _ if payload.peek(0).is_some_and(|byte| byte >> 4 == 6) => {
            let prefixed = |at: usize| payload.rest().get(at..).is_some_and(|rest| rest.starts_with(&[0x20, 1, 0, 0]));
            let told = usize::from(u16::from_be_bytes([payload.peek(4)?, payload.peek(5)?])).saturating_add(40);
            let fits = told == payload.left().saturating_add(missing);
            (fits && (prefixed(8) || prefixed(24))).then_some(("teredo", 0, Begins::Ip, payload))
        }
        _ => None,
    }
}

fn past(mut cursor: Cursor<'_>, bytes: usize) -> Option<Cursor<'_>> {
    cursor.skip(bytes).ok()?;
    Some(cursor)
}

fn gre(mut cursor: Cursor<'_>) -> Result<Tunnel<'_>, Stop> {
    let start = cursor;
    let (flags, kind) = (cursor.u16()?, cursor.u16()?);
    match flags & 7 {
        0 => {}
        // PPTP: key always, then sequence and acknowledgement numbers (RFC 2637 section 4.1).
        1 if kind == 0x880b && flags & 0x2000 != 0 => {
            cursor.skip(4)?;
            for bit in [0x1000, 0x0080] {
                if flags & bit != 0 {
                    cursor.skip(4)?;
                }
            }
            // An acknowledgement alone carries nothing.
            if flags & 0x1000 == 0 {
                return Err(start.forbidden());
            }
            return Ok(("gre", 0, Begins::Ppp, cursor));
        }
        _ => return Err(start.forbidden()),
    }
    // Checksum or routing: both fields are there (RFC 1701).
    if flags & 0xc000 != 0 {
        cursor.skip(4)?;
    }
    // The key, then the sequence number.
    for bit in [0x2000, 0x1000] {
        if flags & bit != 0 {
            cursor.skip(4)?;
        }
    }
    if flags & 0x4000 != 0 {
        // Source routes, closed by one of length zero.
        loop {
            let [_, _, _, length] = cursor.array::<4>()?;
            if length == 0 {
                break;
            }
            cursor.skip(usize::from(length))?;
        }
    }
    Ok(match kind {
        0x6558 => ("gre", 0, Begins::Ethernet, cursor),
        0x880b => ("gre", 0, Begins::Ppp, cursor),
        // ERSPAN type I has no header of its own, and no sequence number before it.
        0x88be if flags & 0x1000 == 0 => ("erspan", 0, Begins::Ethernet, cursor),
        0x88be => {
            cursor.skip(8)?;
            ("erspan", 0, Begins::Ethernet, cursor)
        }
        0x22eb => {
            let [.., kind, last] = cursor.array::<12>()?;
            // A further header, platform-specific.
            if last & 1 != 0 {
                cursor.skip(8)?;
            }
            // Frame type 2 is IP, 0 Ethernet.
            let begins = if (kind >> 2) & 0x1f == 2 { Begins::Ip } else { Begins::Ethernet };
            ("erspan", 0, begins, cursor)
        }
        // Redirected by WCCP: version 2 puts four bytes before the IP header.
        0x883e => {
            if cursor.peek(0).is_some_and(|byte| byte >> 4 != 4) {
                cursor.skip(4)?;
            }
            ("gre", 0, Begins::Ip, cursor)
        }
        // Access points of Aruba to their controller: a number for each kind of tunnel.
        0x8200..=0x8370 if kind & 0x0f == 0 => ("gre", 0, Begins::Wireless, cursor),
        kind if kind > 1500 => ("gre", 0, Begins::Kind(kind), cursor),
        _ => return Err(start.forbidden()),
    })
}

/// GRE in UDP (RFC 8086): of what it may carry, that which can be told from noise.
fn gre_in_udp(cursor: Cursor<'_>, missing: usize) -> Option<Tunnel<'_>> {
    let it = gre(cursor).ok()?;
    let (_, _, begins, inner) = it;
    let room = inner.left().saturating_add(missing);
    let fits = match begins {
        Begins::Ip | Begins::Kind(0x0800 | 0x86dd) => is_plausible(inner.rest(), room),
        Begins::Ethernet => is_ethernet(inner, missing),
        Begins::Kind(0x8847) => mpls(inner, missing).is_some(),
        _ => false,
    };
    fits.then_some(it)
}

/// Anything in anything (draft-massar-v6ops-ayiya-02): identity and signature of lengths that powers and words of it tell.
fn ayiya(mut cursor: Cursor<'_>, missing: usize) -> Option<Tunnel<'_>> {
    /// The operation that carries a packet.
    const FORWARD: u8 = 1;
    let [identity, signature, operation, next] = cursor.array::<4>().ok()?;
    // The time of sending.
    cursor.skip(4).ok()?;
    cursor.skip(1 << (identity >> 4)).ok()?;
    cursor.skip(usize::from(signature >> 4).saturating_mul(4)).ok()?;
    let room = cursor.left().saturating_add(missing);
    let carries = operation & 0x0f == FORWARD && matches!(next, 4 | 41);
    (carries && is_plausible(cursor.rest(), room)).then_some(("ayiya", 0, Begins::Ip, cursor))
}

/// What access points hand to their controller and back (RFC 5415, data), where DTLS does not hide it.
fn capwap(mut cursor: Cursor<'_>, missing: usize) -> Option<Tunnel<'_>> {
    /// The binding of 802.11 (RFC 5416).
    const WIRELESS: u32 = 1;
    let start = cursor;
    let preamble = cursor.u8().ok()?;
    let bits = cursor.u24().ok()?;
    let (words, binding) = (usize::try_from(bits >> 19).ok()?, bits >> 9 & 0x1f);
    let (native, fragment, keeps_alive) = (bits & 0x100 != 0, bits & 0x80 != 0, bits & 0x08 != 0);
    // Version 0 without DTLS; the first two words are always there.
    if preamble != 0 || words < 2 || fragment || keeps_alive {
        return None;
    }
    let inner = past(start, words.saturating_mul(4))?;
    if !native {
        return is_ethernet(inner, missing).then_some(("capwap", 0, Begins::Ethernet, inner));
    }
    let [control, flags] = [inner.peek(0)?, inner.peek(1)?];
    // A data frame, the bytes of its control field in either order.
    let data = [control, flags].iter().any(|it| it & 0x0f == 0x08);
    (binding == WIRELESS && data).then_some(("capwap", 0, Begins::Wireless, inner))
}

/// Whether an Ethernet frame stands here that carries what networks carry.
fn is_ethernet(cursor: Cursor<'_>, missing: usize) -> bool {
    let Some(mut rest) = past(cursor, 12) else { return false };
    let Ok(kind) = rest.u16() else { return false };
    let room = rest.left().saturating_add(missing);
    match kind {
        0x0800 | 0x86dd => is_plausible(rest.rest(), room),
        0x0806 => rest.rest().starts_with(&[0, 1, 8, 0]),
        0x8100 | 0x88a8 | 0x8847 | 0x8848 | 0x8863 | 0x8864 | 0x88cc => true,
        _ => false,
    }
}

fn vxlan(mut cursor: Cursor<'_>, missing: usize) -> Option<Tunnel<'_>> {
    let flags = cursor.u8().ok()?;
    cursor.skip(3).ok()?;
    let network = cursor.u24().ok()?;
    cursor.skip(1).ok()?;
    (flags & 0x08 != 0 && is_ethernet(cursor, missing)).then_some(("vxlan", network, Begins::Ethernet, cursor))
}

/// VXLAN that says what it carries (draft-ietf-nvo3-vxlan-gpe).
fn vxlan_gpe(mut cursor: Cursor<'_>, missing: usize) -> Option<Tunnel<'_>> {
    let [flags, _, _, next] = cursor.array::<4>().ok()?;
    let network = cursor.u24().ok()?;
    cursor.skip(1).ok()?;
    let room = cursor.left().saturating_add(missing);
    let begins = match if flags & 0x04 == 0 { 3 } else { next } {
        1 | 2 if is_plausible(cursor.rest(), room) => Begins::Ip,
        3 if is_ethernet(cursor, missing) => Begins::Ethernet,
        4 if cursor.peek(0)? >> 6 == 0 => Begins::Kind(0x894f),
        _ => return None,
    };
    (flags & 0x08 != 0).then_some(("vxlan-gpe", network, begins, cursor))
}

fn mpls(cursor: Cursor<'_>, missing: usize) -> Option<Tunnel<'_>> {
    let mut behind = cursor;
    loop {
        let [_, _, bottom, _] = behind.array::<4>().ok()?;
        if bottom & 1 != 0 {
            break;
        }
    }
    let room = behind.left().saturating_add(missing);
    is_plausible(behind.rest(), room).then_some(("mpls", 0, Begins::Kind(0x8847), cursor))
}

fn lisp(mut cursor: Cursor<'_>, missing: usize) -> Option<Tunnel<'_>> {
    cursor.skip(8).ok()?;
    let room = cursor.left().saturating_add(missing);
    is_plausible(cursor.rest(), room).then_some(("lisp", 0, Begins::Ip, cursor))
}

/// The TaZmen Sniffer Protocol: frames that a router sends to whoever captures elsewhere.
fn tzsp(mut cursor: Cursor<'_>, missing: usize) -> Option<Tunnel<'_>> {
    /// The tag that ends the list, and the one that fills it.
    const END: u8 = 1;
    const PADDING: u8 = 0;
    // Version 1, a frame received or sent, Ethernet.
    let [1, 0 | 1, 0, 1] = cursor.array::<4>().ok()? else { return None };
    loop {
        match cursor.u8().ok()? {
            END => break,
            PADDING => {}
            _ => {
                let length = cursor.u8().ok()?;
                cursor.skip(usize::from(length)).ok()?;
            }
        }
    }
    is_ethernet(cursor, missing).then_some(("tzsp", 0, Begins::Ethernet, cursor))
}

fn geneve(mut cursor: Cursor<'_>, missing: usize) -> Option<Tunnel<'_>> {
    let [version_length, _] = cursor.array::<2>().ok()?;
    let kind = cursor.u16().ok()?;
    let network = cursor.u24().ok()?;
    cursor.skip(1).ok()?;
    cursor.skip(usize::from(version_length & 0x3f).saturating_mul(4)).ok()?;
    let room = cursor.left().saturating_add(missing);
    let begins = match kind {
        0x6558 if is_ethernet(cursor, missing) => Begins::Ethernet,
        0x0800 | 0x86dd if is_plausible(cursor.rest(), room) => Begins::Ip,
        _ => return None,
    };
    (version_length >> 6 == 0).then_some(("geneve", network, begins, cursor))
}

fn gtp(mut cursor: Cursor<'_>, missing: usize) -> Option<Tunnel<'_>> {
    /// The message that carries a packet.
    const PACKET: u8 = 255;
    let [flags, message] = cursor.array::<2>().ok()?;
    let length = usize::from(cursor.u16().ok()?);
    cursor.skip(4).ok()?;
    // Version 1, GTP and not its charging cousin.
    if flags & 0xf0 != 0x30 || message != PACKET || length > cursor.left().saturating_add(missing) {
        return None;
    }
    if flags & 7 != 0 {
        cursor.skip(3).ok()?;
        let mut next = cursor.u8().ok()?;
        // Extension headers: length in fours, the last byte names the next.
        while next != 0 {
            let body = usize::from(cursor.u8().ok()?).checked_mul(4)?.checked_sub(2)?;
            cursor.skip(body).ok()?;
            next = cursor.u8().ok()?;
        }
    }
    let room = cursor.left().saturating_add(missing);
    is_plausible(cursor.rest(), room).then_some(("gtp-u", 0, Begins::Ip, cursor))
}

fn teredo(mut cursor: Cursor<'_>, missing: usize) -> Option<Tunnel<'_>> {
    // Authentication, then origin, each at most once (RFC 4380 section 5.1.1).
    if cursor.rest().starts_with(&[0, 1]) {
        cursor.skip(2).ok()?;
        let [id, value] = cursor.array::<2>().ok()?;
        cursor
            .skip(usize::from(id).saturating_add(usize::from(value)).saturating_add(9))
            .ok()?;
    }
    if cursor.rest().starts_with(&[0, 0]) {
        cursor.skip(8).ok()?;
    }
    let room = cursor.left().saturating_add(missing);
    let six = cursor.peek(0)? >> 4 == 6;
    (six && is_plausible(cursor.rest(), room)).then_some(("teredo", 0, Begins::Ip, cursor))
}

fn l2tp(mut cursor: Cursor<'_>, missing: usize) -> Option<Tunnel<'_>> {
    let flags = cursor.u16().ok()?;
    // Version 2, and data rather than control.
    if flags & 0x800f != 2 {
        return None;
    }
    // Length; tunnel and session; sequence numbers; offset and as many bytes.
    cursor.skip(if flags & 0x4000 != 0 { 2 } else { 0 }).ok()?;
    cursor.skip(4).ok()?;
    cursor.skip(if flags & 0x0800 != 0 { 4 } else { 0 }).ok()?;
    if flags & 0x0200 != 0 {
        let offset = cursor.u16().ok()?;
        cursor.skip(usize::from(offset)).ok()?;
    }
    let mut inner = cursor;
    if inner.rest().starts_with(&[0xff, 3]) {
        inner.skip(2).ok()?;
    }
    let kind = if inner.peek(0)? & 1 == 1 {
        u16::from(inner.u8().ok()?)
    } else {
        inner.u16().ok()?
    };
    let room = inner.left().saturating_add(missing);
    (matches!(kind, 0x21 | 0x57) && is_plausible(inner.rest(), room)).then_some(("l2tp", 0, Begins::Ppp, cursor))
}
