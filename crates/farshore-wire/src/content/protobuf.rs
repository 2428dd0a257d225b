//! Protocol Buffers without their schema (<https://protobuf.dev/programming-guides/encoding/>): field numbers make the path.
//!
//! Whether bytes are text, a message or just bytes is not on the wire: what is printable is text, what reads as a message to its
//! last byte is one. Numbers are told in digits; eight bytes that make a plausible fraction are told as one.

use std::ops::Range;

use super::{Teller, Text};

/// A field of a message.
struct Found {
    number: u64,
    value: Value,
}

enum Value {
    Varint(u64, Range<usize>),
    Fixed64(u64, Range<usize>),
    Fixed32(u32, Range<usize>),
    Bytes(Range<usize>),
}

/// Tells a whole message; `false` where it is none.
pub(super) fn tell(teller: &mut Teller<'_>, text: Text<'_>) -> bool {
    if !looks(text.bytes) {
        return false;
    }
    message(teller, text, 0..text.bytes.len());
    true
}

/// Whether bytes read as a message to the last one.
fn looks(bytes: &[u8]) -> bool {
    let mut at = 0;
    while at < bytes.len() {
        match field(bytes, at, bytes.len()) {
            Some((_, next)) => at = next,
            None => return false,
        }
    }
    !bytes.is_empty()
}

fn message(teller: &mut Teller<'_>, text: Text<'_>, range: Range<usize>) {
    let mut at = range.start;
    while at < range.end {
        let Some((found, next)) = field(text.bytes, at, range.end) else {
            return;
        };
        at = next;
        if !teller.may() {
            return;
        }
        let name = found.number.to_string();
        teller.named(name.as_bytes(), |teller| match found.value {
            Value::Varint(number, range) => digits(teller, text, "varint", number.to_string(), range),
            Value::Fixed64(bits, range) => digits(teller, text, "fixed64", fraction(bits), range),
            Value::Fixed32(number, range) => digits(teller, text, "fixed32", number.to_string(), range),
            Value::Bytes(range) => bytes(teller, text, range),
        });
    }
}

fn bytes(teller: &mut Teller<'_>, text: Text<'_>, range: Range<usize>) {
    let value = text.bytes.get(range.clone()).unwrap_or_default();
    // A line feed is also the tag of field 1: what reads as a message then is one.
    let first_field = matches!(value.first(), Some(b'\n')) && looks(value);
    if !first_field && is_text(value) {
        teller.look_into(text, range);
    } else if looks(value) {
        teller.under("protobuf", |teller| message(teller, text, range));
    } else {
        teller.look_into(text, range);
    }
}

fn digits(teller: &mut Teller<'_>, text: Text<'_>, how: &'static str, told: String, range: Range<usize>) {
    teller.under(how, |teller| teller.value(told.as_bytes(), (text.place)(range)));
}

/// Whether it can be shown as it is.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|it| it.chars().all(|it| !it.is_control() || matches!(it, '\t' | '\n' | '\r')))
}

/// Eight bytes as a fraction if that is plausible, else as a whole number.
pub(super) fn fraction(bits: u64) -> String {
    let fraction = f64::from_bits(bits);
    if fraction.is_finite() && (1e-9..1e15).contains(&fraction.abs()) {
        fraction.to_string()
    } else {
        bits.to_string()
    }
}

/// The field at a place, and where the next begins.
fn field(bytes: &[u8], at: usize, end: usize) -> Option<(Found, usize)> {
    let (tag, at) = varint(bytes, at, end)?;
    let number = tag >> 3;
    // Field numbers have 29 bits, and none is 0.
    if number == 0 || number >= 1 << 29 {
        return None;
    }
    let (value, next) = match tag & 7 {
        0 => {
            let (value, next) = varint(bytes, at, end)?;
            (Value::Varint(value, at..next), next)
        }
        1 => {
            let next = at.checked_add(8).filter(|it| *it <= end)?;
            let raw = *bytes.get(at..next)?.first_chunk()?;
            (Value::Fixed64(u64::from_le_bytes(raw), at..next), next)
        }
        5 => {
            let next = at.checked_add(4).filter(|it| *it <= end)?;
            let raw = *bytes.get(at..next)?.first_chunk()?;
            (Value::Fixed32(u32::from_le_bytes(raw), at..next), next)
        }
        2 => {
            let (length, start) = varint(bytes, at, end)?;
            let next = start.checked_add(usize::try_from(length).ok()?).filter(|it| *it <= end)?;
            (Value::Bytes(start..next), next)
        }
        // Groups have been out of use since version 2, and anything would read as one.
        _ => return None,
    };
    Some((Found { number, value }, next))
}

fn varint(bytes: &[u8], at: usize, end: usize) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for (index, byte) in (0_u32..10).zip(bytes.get(at..end)?) {
        let bits = u64::from(byte & 0x7f);
        let shift = index.saturating_mul(7);
        // The tenth byte holds the 64th bit alone.
        if shift == 63 && bits > 1 {
            return None;
        }
        value |= bits.checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some((value, at.saturating_add(index as usize).saturating_add(1)));
        }
    }
    None
}
