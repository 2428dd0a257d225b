//! Messages of version 2 and 3 (MS-SMB2): logins, shares, files.

use super::Text;
use super::ntlm::{little, little_32};
use crate::cursor::{Cursor, Stop};
use crate::protocols::Sink;

/// Bytes of a header (section 2.2.1).
pub(super) const HEADER: usize = 64;

/// Commands that are read.
const SESSION_SETUP: u16 = 1;
const TREE_CONNECT: u16 = 3;
const CREATE: u16 = 5;

/// Set in what a server sends.
const RESPONSE: u32 = 1;

/// Messages in one packet that are read.
const MOST: usize = 64;

struct Header {
    command: u16,
    response: bool,
    /// Where the next message of the packet begins, counted from this one; 0 for the last.
    next: usize,
}

fn header(it: &mut Cursor<'_>) -> Result<Header, Stop> {
    it.skip(12)?;
    let command = little(it)?;
    it.skip(2)?;
    let flags = little_32(it)?;
    let next = little_32(it)? as usize;
    it.skip(HEADER.saturating_sub(24))?;
    Ok(Header {
        command,
        response: flags & RESPONSE != 0,
        next,
    })
}

/// Whether a message is one of those that are read, or such may follow it in its packet.
pub(super) fn is_wanted(message: &[u8]) -> bool {
    header(&mut Cursor::new("smb", message)).is_ok_and(|it| it.next != 0 || matches!(it.command, SESSION_SETUP | TREE_CONNECT | CREATE))
}

/// Tells what a packet's messages say; whether they are a client's.
pub(super) fn read(text: &Text<'_>, out: &mut dyn Sink) -> Result<bool, Stop> {
    let mut start = 0_usize;
    let mut asked = true;
    for _ in 0..MOST {
        let mut it = Cursor::new("smb", text.bytes);
        it.skip(start)?;
        let header = header(&mut it)?;
        asked = !header.response;
        one(text, start, &header, it, out)?;
        match header.next {
            0 => break,
            next => start = start.saturating_add(next.max(HEADER)),
        }
    }
    Ok(asked)
}

fn one(text: &Text<'_>, start: usize, header: &Header, mut it: Cursor<'_>, out: &mut dyn Sink) -> Result<(), Stop> {
    // What comes before the place of the name, or of the token.
    let before = match (header.command, header.response) {
        (SESSION_SETUP, false) => 12,
        (SESSION_SETUP, true) | (TREE_CONNECT, false) => 4,
        (CREATE, false) => 44,
        _ => return Ok(()),
    };
    it.skip(before)?;
    let (offset, length) = (usize::from(little(&mut it)?), usize::from(little(&mut it)?));
    let from = start.saturating_add(offset);
    let at = from..from.saturating_add(length);
    match header.command {
        SESSION_SETUP => text.tell_login(at, out),
        TREE_CONNECT => text.tell("smb.share", at, true, out),
        _ => text.tell("smb.file", at, true, out),
    }
    Ok(())
}
