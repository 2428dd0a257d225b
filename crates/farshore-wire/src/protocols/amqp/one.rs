//! Frames of AMQP 1.0: who a client is (part 5), how a connection opens (part 2), and messages (part 3).

use super::Talk;
use crate::cursor::{Cursor, Stop};
use crate::protocols::lines::path;

/// Performatives and sections, by their descriptors.
const OPEN: u64 = 0x10;
const ATTACH: u64 = 0x12;
const TRANSFER: u64 = 0x14;
const SOURCE: u64 = 0x28;
const TARGET: u64 = 0x29;
const SASL_INIT: u64 = 0x41;
const PROPERTIES: u64 = 0x73;
const APPLICATION: u64 = 0x74;
const DATA: u64 = 0x75;
const VALUE: u64 = 0x77;

/// Takes one frame's body.
pub(super) fn read(_: u8, mut it: Cursor<'_>, talk: &mut Talk<'_>) -> Result<(), Stop> {
    // A frame with nothing in it keeps a connection open.
    if it.is_empty() {
        return Ok(());
    }
    let (kind, mut list) = described(&mut it)?;
    match kind {
        SASL_INIT => {
            let mechanism = text(&mut list)?;
            let response = text(&mut list)?;
            talk.proves(&mechanism, &response);
            let host = text(&mut list)?;
            talk.tell("amqp.host", &host);
        }
        OPEN => {
            for path in ["amqp.container", "amqp.host"] {
                let word = text(&mut list)?;
                talk.tell(path, &word);
            }
        }
        // A name, a number, a role, two ways to settle; then where from and where to.
        ATTACH => {
            for _ in 0..5 {
                item(&mut list)?;
            }
            for _ in 0..2 {
                // Either may be missing.
                if list.peek(0) != Some(0) {
                    item(&mut list)?;
                    continue;
                }
                let (kind, mut end) = described(&mut list)?;
                if matches!(kind, SOURCE | TARGET) && !end.is_empty() {
                    let address = text(&mut end)?;
                    talk.tell("amqp.address", &address);
                }
            }
        }
        TRANSFER => {
            while !it.is_empty() {
                section(&mut it, talk)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// A section of a message (part 3, section 3.2).
fn section(it: &mut Cursor<'_>, talk: &mut Talk<'_>) -> Result<(), Stop> {
    let start = *it;
    let kind = descriptor(it)?;
    let mut value = *it;
    match kind {
        PROPERTIES => {
            let (_, mut list) = described(&mut { start })?;
            talk.form.clear();
            // Its number, on whose behalf, where to, about what, where answers go; a mark to match answers by, its form.
            let names = [
                "amqp.header.message-id",
                "amqp.message.user",
                "amqp.address",
                "amqp.header.subject",
                "amqp.address",
                "amqp.header.correlation-id",
            ];
            for path in names {
                if list.is_empty() {
                    break;
                }
                let word = text(&mut list)?;
                talk.tell(path, &word);
            }
            if !list.is_empty() {
                talk.form.extend_from_slice(text(&mut list)?.rest());
            }
        }
        APPLICATION => {
            let (_, mut map) = described(&mut { start })?;
            while !map.is_empty() {
                let name = text(&mut map)?;
                let value = text(&mut map)?;
                talk.tell(&path("amqp.header", name.rest()), &value);
            }
        }
        DATA | VALUE => {
            let body = text(&mut value)?;
            talk.body(&body);
        }
        _ => {}
    }
    item(it)?;
    Ok(())
}

/// A descriptor in numbers.
fn descriptor(it: &mut Cursor<'_>) -> Result<u64, Stop> {
    let start = *it;
    if it.u8()? != 0 {
        return Err(start.forbidden());
    }
    match it.u8()? {
        0x53 => Ok(it.u8()?.into()),
        0x80 => it.u64(),
        0x44 => Ok(0),
        _ => Err(start.forbidden()),
    }
}

/// A described list or map: its descriptor, and what is in it.
fn described<'a>(it: &mut Cursor<'a>) -> Result<(u64, Cursor<'a>), Stop> {
    let kind = descriptor(it)?;
    let start = *it;
    let (code, mut inside) = item(it)?;
    match code {
        // The number of things in it is told by its end as well.
        0xc0 | 0xc1 => inside.skip(1)?,
        0xd0 | 0xd1 => inside.skip(4)?,
        0x45 => {}
        _ => return Err(start.forbidden()),
    }
    Ok((kind, inside))
}

/// Words, or bytes; nothing, if it is something else.
fn text<'a>(it: &mut Cursor<'a>) -> Result<Cursor<'a>, Stop> {
    let (code, mut inside) = item(it)?;
    if !matches!(code, 0xa0 | 0xa1 | 0xa3 | 0xb0 | 0xb1 | 0xb3) {
        inside.skip(inside.left())?;
    }
    Ok(inside)
}

/// The next thing: its kind, and its bytes (part 1, section 1.2).
fn item<'a>(it: &mut Cursor<'a>) -> Result<(u8, Cursor<'a>), Stop> {
    let start = *it;
    let mut code = it.u8()?;
    if code == 0 {
        // What is described within is stepped over with its descriptor.
        let of = it.u8()?;
        value(it, of)?;
        code = it.u8()?;
        // No descriptor describes another.
        if code == 0 {
            return Err(start.forbidden());
        }
    }
    Ok((code, value(it, code)?))
}

/// How long what follows a code is, by its upper half.
fn value<'a>(it: &mut Cursor<'a>, code: u8) -> Result<Cursor<'a>, Stop> {
    let start = *it;
    let length = match code >> 4 {
        4 => 0,
        5 => 1,
        6 => 2,
        7 => 4,
        8 => 8,
        9 => 16,
        0xa | 0xc | 0xe => it.u8()?.into(),
        0xb | 0xd | 0xf => it.u32()? as usize,
        _ => return Err(start.forbidden()),
    };
    it.sub(length)
}
