//! 802.11 data frames (IEEE 802.11 clause 9), bare and behind a header of radiotap, Prism or AVS.
//!
//! Frames that are encrypted on the air say so and go no further; management and control frames carry no data. Of an
//! aggregate (A-MSDU) the first part is read.

use super::{Next, ethertype, logical};
use crate::cursor::Cursor;
use crate::packet::{Descent, Reason};

/// Radiotap: version, length, what is present; of its fields only the flags are of use (<https://www.radiotap.org>).
pub(super) fn radiotap<'a>(cursor: &mut Cursor<'a>, descent: &mut Descent<'a>) -> Result<Next, Reason> {
    let start = *cursor;
    let [version, _] = cursor.array::<2>()?;
    let length = usize::from(u16::from_le_bytes(cursor.array()?));
    if version != 0 {
        return Err(Reason::Stop(start.forbidden()));
    }
    let mut header = start;
    let mut header = header.sub(length)?;
    header.skip(4)?;
    let present = u32::from_le_bytes(header.array()?);
    let mut more = present;
    while more & 0x8000_0000 != 0 {
        more = u32::from_le_bytes(header.array()?);
    }
    // The clock comes first, on a multiple of eight.
    if present & 1 != 0 {
        let at = header.offset().saturating_sub(start.offset());
        header.skip(at.next_multiple_of(8).saturating_sub(at).saturating_add(8))?;
    }
    let flags = if present & 2 != 0 { header.u8()? } else { 0 };
    *cursor = start;
    cursor.skip(length)?;
    data(cursor, flags & 0x20 != 0, descent)
}

/// Prism: message code and length in the byte order of the capturing machine; some of its drivers wrote AVS under its number.
pub(super) fn prism<'a>(cursor: &mut Cursor<'a>, descent: &mut Descent<'a>) -> Result<Next, Reason> {
    let start = *cursor;
    let code = cursor.u32()?;
    if code & 0xffff_f000 == 0x8021_1000 {
        *cursor = start;
        return avs(cursor, descent);
    }
    let raw = cursor.array::<4>()?;
    let length = u32::from_le_bytes(raw).min(u32::from_be_bytes(raw));
    behind(start, length, cursor, descent)
}

/// AVS: a magic number with the version, and the length.
pub(super) fn avs<'a>(cursor: &mut Cursor<'a>, descent: &mut Descent<'a>) -> Result<Next, Reason> {
    let start = *cursor;
    cursor.skip(4)?;
    let length = cursor.u32()?;
    behind(start, length, cursor, descent)
}

fn behind<'a>(start: Cursor<'a>, length: u32, cursor: &mut Cursor<'a>, descent: &mut Descent<'a>) -> Result<Next, Reason> {
    let length = usize::try_from(length).ok().filter(|it| *it >= 8);
    *cursor = start;
    cursor.skip(length.ok_or(Reason::Stop(start.forbidden()))?)?;
    data(cursor, false, descent)
}

/// An 802.11 frame that access points hand to their controller. Some write the first two bytes the other way round, which no frame begins
/// with: one that goes to or from an access point would be of a version there is none of.
pub(crate) fn carried<'a>(cursor: &mut Cursor<'a>, descent: &mut Descent<'a>) -> Result<Next, Reason> {
    let [control, flags] = cursor.array::<2>()?;
    let turned = control & 3 != 0;
    let control = if turned { [flags, control] } else { [control, flags] };
    behind_control(control, cursor, Air::Handed, descent)
}

/// An 802.11 frame; `padded` if the header was filled up to a multiple of four.
pub(super) fn data<'a>(cursor: &mut Cursor<'a>, padded: bool, descent: &mut Descent<'a>) -> Result<Next, Reason> {
    let control = cursor.array::<2>()?;
    behind_control(control, cursor, Air::Heard { padded }, descent)
}

/// How an 802.11 frame came here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Air {
    /// As it was in the air, maybe with its header filled up.
    Heard { padded: bool },
    /// Put together by the access point, whose number of the fragment means nothing any more.
    Handed,
}

fn behind_control<'a>([control, flags]: [u8; 2], cursor: &mut Cursor<'a>, air: Air, descent: &mut Descent<'a>) -> Result<Next, Reason> {
    let (version, kind, subtype) = (control & 3, (control >> 2) & 3, control >> 4);
    // Type 2 is data; bit 2 of its subtype says that there is none.
    if version != 0 || kind != 2 || subtype & 4 != 0 {
        return Err(Reason::NotData("802.11 management or control"));
    }
    let mut length = 24_usize;
    // From one access point to another: a fourth address.
    if flags & 3 == 3 {
        length = length.saturating_add(6);
    }
    let quality = subtype & 8 != 0;
    let quality_at = length;
    if quality {
        length = length.saturating_add(2);
        if flags & 0x80 != 0 {
            length = length.saturating_add(4);
        }
    }
    let aggregate = quality && cursor.peek(quality_at.saturating_sub(2)).is_some_and(|byte| byte & 0x80 != 0);
    if air == (Air::Heard { padded: true }) {
        length = length.next_multiple_of(4);
    }
    // A later fragment begins in the middle of something.
    let fragment = air != Air::Handed && cursor.peek(20).is_some_and(|byte| byte & 0x0f != 0);
    cursor.skip(length.saturating_sub(2))?;
    if flags & 0x40 != 0 {
        return Err(Reason::Encrypted("802.11"));
    }
    if fragment {
        return Err(Reason::Fragment);
    }
    if aggregate {
        // Addresses and length of the first part.
        cursor.skip(14)?;
    }
    match logical(cursor)? {
        Some(Next::V4) => Ok(Next::V4),
        Some(_) => match cursor.u16()? {
            short @ 0..=1500 => Err(Reason::NotIp(short)),
            kind => ethertype(kind, cursor, descent),
        },
        None => Err(Reason::NotData("802.11 data without SNAP")),
    }
}
