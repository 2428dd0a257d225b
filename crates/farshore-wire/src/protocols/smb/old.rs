//! Messages of version 1 (MS-CIFS, MS-SMB): logins, shares, files.

use std::ops::Range;

use super::Text;
use super::ntlm::little;
use crate::cursor::{Cursor, Stop};
use crate::protocols::Sink;

/// Bytes of a header (MS-CIFS section 2.2.3.1).
pub(super) const HEADER: usize = 32;

/// Commands that are read.
const SESSION_SETUP: u8 = 0x73;
const TREE_CONNECT: u8 = 0x75;
const CREATE: u8 = 0xa2;

/// Bytes of what answers a challenge, or more.
const ANSWER: u16 = 24;

/// Messages in one packet that are read.
const MOST: usize = 8;

/// Whether a message is one of those that are read. Such that carry others begin with one.
pub(super) fn is_wanted(message: &[u8]) -> bool {
    matches!(message.get(4), Some(&(SESSION_SETUP | TREE_CONNECT | CREATE)))
}

/// Tells what a packet's messages say; whether they are a client's.
pub(super) fn read(text: &Text<'_>, out: &mut dyn Sink) -> Result<bool, Stop> {
    let mut it = Cursor::new("smb", text.bytes);
    it.skip(4)?;
    let mut command = it.u8()?;
    it.skip(4)?;
    let response = it.u8()? & 0x80 != 0;
    let wide = little(&mut it)? & 0x8000 != 0;
    let mut at = HEADER;
    for _ in 0..MOST {
        let mut it = Cursor::new("smb", text.bytes);
        it.skip(at)?;
        let words = usize::from(it.u8()?).saturating_mul(2);
        let words = it.sub(words)?;
        let length = usize::from(little(&mut it)?);
        let data = it.sub(length.min(it.left()))?;
        let mut chain = words;
        one(text, command, response, words, data, wide, out)?;
        // What follows in the same packet (section 2.2.3.4).
        (command, _) = (chain.u8()?, chain.u8()?);
        at = match usize::from(little(&mut chain)?) {
            next if next > at && command != 0xff => next,
            _ => break,
        };
    }
    Ok(!response)
}

fn one(
    text: &Text<'_>,
    command: u8,
    response: bool,
    mut words: Cursor<'_>,
    mut data: Cursor<'_>,
    wide: bool,
    out: &mut dyn Sink,
) -> Result<(), Stop> {
    let count = words.left() / 2;
    match (command, response, count) {
        // With a token: MS-SMB section 2.2.4.6.
        (SESSION_SETUP, false, 12) => {
            words.skip(14)?;
            token(text, little(&mut words)?, &data, out);
        }
        (SESSION_SETUP, true, 4) => {
            words.skip(6)?;
            token(text, little(&mut words)?, &data, out);
        }
        // Without: MS-CIFS section 2.2.4.53.1.
        (SESSION_SETUP, false, 13) => {
            words.skip(14)?;
            let (short, long) = (little(&mut words)?, little(&mut words)?);
            let passwords = [range(&mut data, short)?, range(&mut data, long)?];
            // Without a challenge to answer, they stand there as they are.
            if short < ANSWER && long < ANSWER {
                for (at, wide) in passwords.into_iter().zip([false, true]) {
                    text.tell("smb.password", trimmed(text, at, wide), wide, out);
                }
            }
            for path in ["smb.user", "smb.domain"] {
                let at = string(&mut data, wide)?;
                text.tell(path, at, wide, out);
            }
        }
        (TREE_CONNECT, false, 4) => {
            words.skip(6)?;
            let password = little(&mut words)?;
            let at = range(&mut data, password)?;
            if password < ANSWER {
                text.tell("smb.password", trimmed(text, at, false), false, out);
            }
            let at = string(&mut data, wide)?;
            text.tell("smb.share", at, wide, out);
        }
        (CREATE, false, 24) => {
            let at = string(&mut data, wide)?;
            text.tell("smb.file", at, wide, out);
        }
        _ => {}
    }
    Ok(())
}

fn token(text: &Text<'_>, length: u16, data: &Cursor<'_>, out: &mut dyn Sink) {
    let from = data.offset();
    text.tell_login(from..from.saturating_add(length.into()), out);
}

fn range(data: &mut Cursor<'_>, length: u16) -> Result<Range<usize>, Stop> {
    let from = data.offset();
    data.skip(length.into())?;
    Ok(from..data.offset())
}

/// Without the zeros at its end.
fn trimmed(text: &Text<'_>, at: Range<usize>, wide: bool) -> Range<usize> {
    let bytes = text.bytes.get(at.clone()).unwrap_or_default();
    let kept = if wide {
        let (units, _) = bytes.as_chunks::<2>();
        units.iter().take_while(|it| **it != [0; 2]).count().saturating_mul(2)
    } else {
        bytes.iter().take_while(|it| **it != 0).count()
    };
    at.start..at.start.saturating_add(kept)
}

/// Text that ends with a zero; in UTF-16 it begins at an even place of the message.
fn string(data: &mut Cursor<'_>, wide: bool) -> Result<Range<usize>, Stop> {
    if wide && !data.offset().is_multiple_of(2) {
        data.skip(1)?;
    }
    let from = data.offset();
    let (length, end) = if wide {
        let (units, rest) = data.rest().as_chunks::<2>();
        let end = units.iter().position(|it| *it == [0; 2]);
        let length = end.unwrap_or(units.len()).saturating_mul(2);
        (
            length,
            end.map_or_else(|| length.saturating_add(rest.len()), |_| length.saturating_add(2)),
        )
    } else {
        let end = data.rest().iter().position(|it| *it == 0);
        let length = end.unwrap_or_else(|| data.left());
        (length, end.map_or(length, |_| length.saturating_add(1)))
    };
    data.skip(end)?;
    Ok(from..from.saturating_add(length))
}
