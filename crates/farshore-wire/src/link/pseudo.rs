//! What capturing machines put before or behind a frame: PPI, NFLOG, PKTAP, the logs of BSD's filter and of its IPsec, the
//! PCAPdroid trailer.
//!
//! Two of them name the application that sent the frame; that name is kept as it stands.

use farshore_model::LinkType;

use super::{Next, family, read};
use crate::cursor::Cursor;
use crate::packet::{AppName, Descent, Reason};

/// Per-Packet Information: version, flags, length, link type, all little-endian.
pub(super) fn ppi<'a>(cursor: &mut Cursor<'a>, descent: &mut Descent<'a>) -> Result<Next, Reason> {
    let start = *cursor;
    cursor.skip(2)?;
    let length = usize::from(u16::from_le_bytes(cursor.array()?));
    let link = u32::from_le_bytes(cursor.array()?);
    cursor.skip(length.checked_sub(8).ok_or(Reason::Stop(start.forbidden()))?)?;
    descent.step()?;
    read(LinkType(link), cursor, descent)
}

/// BSD's IPsec device: the address family in the capturing machine's byte order, an index, flags.
pub(super) fn enc<'a>(cursor: &mut Cursor<'a>, descent: &mut Descent<'a>) -> Result<Next, Reason> {
    let raw = cursor.array::<4>()?;
    cursor.skip(8)?;
    family(u32::from_le_bytes(raw).min(u32::from_be_bytes(raw)), cursor, descent)
}

/// The log of BSD's packet filter: its length but for padding to four bytes, the address family, what was decided.
pub(super) fn pflog<'a>(cursor: &mut Cursor<'a>, descent: &mut Descent<'a>) -> Result<Next, Reason> {
    let [length, kind] = cursor.array::<2>()?;
    cursor.skip(usize::from(length).next_multiple_of(4).saturating_sub(2))?;
    family(u32::from(kind), cursor, descent)
}

/// Linux netfilter log: a header, then typed values, of which one is the packet.
pub(super) fn nflog(cursor: &mut Cursor<'_>) -> Result<Next, Reason> {
    /// The value that is the packet (`NFULA_PAYLOAD`).
    const PACKET: u16 = 9;
    cursor.skip(4)?;
    loop {
        let start = *cursor;
        let (length, kind) = (cursor.array::<2>()?, cursor.array::<2>()?);
        // In the byte order of the capturing machine: types are small, so the order is the one that makes them so.
        let little = u16::from_le_bytes(kind) < 0x100;
        let order = |raw| if little { u16::from_le_bytes(raw) } else { u16::from_be_bytes(raw) };
        let body = usize::from(order(length)).checked_sub(4).ok_or(Reason::Stop(start.forbidden()))?;
        if order(kind) & 0x7fff == PACKET {
            return Ok(Next::Either);
        }
        // Values are padded to four bytes.
        cursor.skip(body.next_multiple_of(4))?;
    }
}

/// Apple's packet tap: a header in the capturing machine's byte order with the name of the process, then a link of its own.
pub(super) fn pktap<'a>(cursor: &mut Cursor<'a>, descent: &mut Descent<'a>) -> Result<Next, Reason> {
    /// Length, type of record, link type; then to the process name (`pth_comm`); its room; from there to `pth_ecomm`.
    const TO_NAME: usize = 44;
    const NAME: usize = 20;
    const BETWEEN: usize = 12;
    const SHORTEST: usize = 108;
    let start = *cursor;
    let raw = cursor.array::<4>()?;
    let little = u32::from_le_bytes(raw) <= u32::from_be_bytes(raw);
    let order = |raw| if little { u32::from_le_bytes(raw) } else { u32::from_be_bytes(raw) };
    let length = usize::try_from(order(raw)).unwrap_or(usize::MAX);
    if length < SHORTEST {
        return Err(Reason::Stop(start.forbidden()));
    }
    let mut header = start;
    let mut header = header.sub(length)?;
    header.skip(8)?;
    let link = order(header.array::<4>()?);
    header.skip(TO_NAME)?;
    let name = text(header.take(NAME)?);
    header.skip(BETWEEN)?;
    // The effective process is the one on whose behalf another sent.
    let effective = text(header.take(NAME)?);
    let name = if effective.is_empty() { name } else { effective };
    if !name.is_empty() {
        descent.app = Some(AppName { name, via: "pktap" });
    }
    *cursor = start;
    cursor.skip(length)?;
    descent.step()?;
    read(LinkType(link), cursor, descent)
}

/// The trailer PCAPdroid appends to its frames, given what stands behind the datagram: magic number, user id, app name
/// of at most 20 bytes, frame check sequence.
pub(crate) fn trailer(behind: &[u8]) -> Option<AppName<'_>> {
    let (_, trailer) = behind.split_at_checked(behind.len().checked_sub(32)?)?;
    let name = trailer.strip_prefix(&[0x01, 0x07, 0x20, 0x21])?.get(4..24)?;
    Some(AppName {
        name: text(name),
        via: "pcapdroid",
    })
    .filter(|app| !app.name.is_empty())
}

/// Text up to its closing zero.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}
