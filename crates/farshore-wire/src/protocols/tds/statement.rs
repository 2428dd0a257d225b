//! Statements of TDS: batches (MS-TDS, section 2.2.6.7), and calls with values bound to them (section 2.2.6.6).

use std::ops::Range;

use super::tell_wide;
use crate::cursor::{Cursor, Stop};
use crate::protocols::Sink;
use crate::protocols::lines::{Line, path};
use crate::protocols::ntlm::{little, little_32, widened};

/// Tells a batch.
pub(super) fn batch(all: &Line<'_>, out: &mut dyn Sink) -> Result<(), Stop> {
    let mut it = Cursor::new("tds", all.text());
    headers(&mut it)?;
    tell_wide("tds.query", all, place(&it), out);
    Ok(())
}

/// Steps over what stands before a statement since version 7.2: headers behind the length of them all (section 2.2.5.3).
fn headers(it: &mut Cursor<'_>) -> Result<(), Stop> {
    let mut ahead = *it;
    let (Ok(all), Ok(first)) = (little_32(&mut ahead), little_32(&mut ahead)) else {
        return Ok(());
    };
    let (all, first) = (all as usize, first as usize);
    if (10..=it.left()).contains(&all) && (6..=all.saturating_sub(4)).contains(&first) {
        it.skip(all)?;
    }
    Ok(())
}

/// Calls of procedures that execute a statement, or prepare it, by number: their first text is it.
const STATEMENTS: std::ops::RangeInclusive<u16> = 1..=13;

/// Tells a call.
pub(super) fn call(all: &Line<'_>, out: &mut dyn Sink) -> Result<(), Stop> {
    let mut it = Cursor::new("tds", all.text());
    headers(&mut it)?;
    let mut statement = match little(&mut it)? {
        0xffff => STATEMENTS.contains(&little(&mut it)?),
        length => {
            let name = it.sub(usize::from(length).saturating_mul(2))?;
            tell_wide("tds.procedure", all, place(&name), out);
            false
        }
    };
    it.skip(2)?;
    while !it.is_empty() {
        let length = usize::from(it.u8()?).saturating_mul(2);
        let name = it.sub(length)?;
        it.skip(1)?;
        let value = value(&mut it)?;
        if statement && matches!(value, Value::Wide(_)) {
            statement = false;
            tell(all, "tds.query", value, out);
            continue;
        }
        let name = widened(name.rest()).unwrap_or_default();
        tell(all, &path("tds.parameter", name.strip_prefix(b"@").unwrap_or(&name)), value, out);
    }
    Ok(())
}

/// A bound value.
enum Value {
    Wide(Range<usize>),
    Narrow(Range<usize>),
    /// None, or one that is no text.
    Other,
}

fn tell(all: &Line<'_>, path: &str, it: Value, out: &mut dyn Sink) {
    match it {
        Value::Wide(at) => tell_wide(path, all, at, out),
        Value::Narrow(at) => all.tell(path, at, out),
        Value::Other => {}
    }
}

/// A kind of data, and a value of it (section 2.2.5.4).
fn value(it: &mut Cursor<'_>) -> Result<Value, Stop> {
    let start = *it;
    let kind = it.u8()?;
    match kind {
        0x1f => {}
        0x30 | 0x32 => it.skip(1)?,
        0x34 => it.skip(2)?,
        0x38 | 0x3a | 0x3b | 0x7a => it.skip(4)?,
        0x3c | 0x3d | 0x3e | 0x7f => it.skip(8)?,
        // A day, and times with so many digits behind the second; numbers with digits and places.
        0x24 | 0x26 | 0x68 | 0x6d | 0x6e | 0x6f | 0x29..=0x2b => {
            it.skip(1)?;
            short(it)?;
        }
        0x28 => short(it)?,
        0x6a | 0x6c => {
            it.skip(3)?;
            short(it)?;
        }
        0xa5 | 0xad | 0xa7 | 0xaf | 0xe7 | 0xef => {
            let most = little(it)?;
            let text = !matches!(kind, 0xa5 | 0xad);
            if text {
                it.skip(5)?;
            }
            let at = if most == 0xffff { chunks(it)? } else { counted(it)? };
            return Ok(match at {
                Some(at) if kind >= 0xe7 => Value::Wide(at),
                Some(at) if text => Value::Narrow(at),
                _ => Value::Other,
            });
        }
        _ => return Err(start.forbidden()),
    }
    Ok(Value::Other)
}

fn short(it: &mut Cursor<'_>) -> Result<(), Stop> {
    let length = it.u8()?.into();
    it.skip(length)
}

/// Bytes behind their length, if there are any.
fn counted(it: &mut Cursor<'_>) -> Result<Option<Range<usize>>, Stop> {
    match little(it)? {
        0xffff => Ok(None),
        length => Ok(Some(place(&it.sub(length.into())?))),
    }
}

/// Bytes in chunks behind the length of them all; where there are several, the first.
fn chunks(it: &mut Cursor<'_>) -> Result<Option<Range<usize>>, Stop> {
    let mut first = None;
    if it.array::<8>()? == [0xff; 8] {
        return Ok(None);
    }
    loop {
        match little_32(it)? {
            0 => return Ok(first),
            length => {
                let chunk = place(&it.sub(length as usize)?);
                first = first.or(Some(chunk));
            }
        }
    }
}

fn place(it: &Cursor<'_>) -> Range<usize> {
    it.offset()..it.offset().saturating_add(it.left())
}
