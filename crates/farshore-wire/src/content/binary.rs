//! MessagePack (<https://github.com/msgpack/msgpack/blob/master/spec.md>) and CBOR (RFC 8949): keys make the path, strings are told
//! as they stand, numbers in digits.
//!
//! Both are read by one walker over items; it keeps the open containers in a list, so that no depth costs stack, and trusts no count.

use std::ops::Range;

use super::{Teller, Text};

/// Open containers that are followed.
const DEEPEST: usize = 256;

/// One item.
enum Item {
    Text(Range<usize>),
    Bytes(Range<usize>),
    Number(String),
    /// Truth values, nothing, and what means nothing by itself.
    Other,
    /// So many items follow that belong to it.
    Array(Option<u64>),
    /// So many pairs follow that belong to it.
    Map(Option<u64>),
    /// One item follows, which it says something about.
    Tag,
    /// The end of a container that did not say how long it is.
    Break,
}

/// How the next item is read: the item, and where the next begins.
type Next = fn(&[u8], usize) -> Option<(Item, usize)>;

/// Tells MessagePack; `false` where it is none.
pub(super) fn message_pack(teller: &mut Teller<'_>, text: Text<'_>) -> bool {
    walk(teller, text, packed)
}

/// Tells CBOR; `false` where it is none.
pub(super) fn cbor(teller: &mut Teller<'_>, text: Text<'_>) -> bool {
    walk(teller, text, concise)
}

/// A container that is open.
struct Open {
    /// Items that are still to come; `None`: until a break.
    left: Option<u64>,
    map: bool,
    /// In a map: the key of the value that comes, once it was read.
    key: Option<String>,
    /// That key was the latest item.
    fresh: bool,
}

/// Follows all items. What breaks the form ends it; a text without a whole item in it is none of the form.
fn walk(teller: &mut Teller<'_>, text: Text<'_>, next: Next) -> bool {
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0_usize;
    let mut read = false;
    while at < text.bytes.len() {
        let Some((item, after)) = next(text.bytes, at) else { return read };
        let start = at;
        at = after;
        read = true;
        let key_expected = open.last().is_some_and(|it| it.map && it.key.is_none());
        match item {
            Item::Tag => continue,
            Item::Break => {
                if open.pop().is_none_or(|it| it.left.is_some()) {
                    return read;
                }
            }
            Item::Array(_) | Item::Map(_) if open.len() >= DEEPEST => {
                teller.out.limit("content-depth");
                return read;
            }
            Item::Array(left) => {
                open.push(Open {
                    left,
                    map: false,
                    key: None,
                    fresh: false,
                });
                close(&mut open);
                continue;
            }
            Item::Map(left) => {
                open.push(Open {
                    left: left.map(|it| it.saturating_mul(2)),
                    map: true,
                    key: None,
                    fresh: false,
                });
                close(&mut open);
                continue;
            }
            Item::Text(range) if key_expected => key(&mut open, text.bytes.get(range).unwrap_or_default()),
            Item::Bytes(range) if key_expected => key(&mut open, text.bytes.get(range).unwrap_or_default()),
            Item::Number(digits) if key_expected => key(&mut open, digits.as_bytes()),
            Item::Other if key_expected => key(&mut open, b"_"),
            Item::Other => {}
            item => {
                if !teller.may() {
                    return read;
                }
                let names: Vec<String> = open.iter().filter_map(|it| it.key.clone()).collect();
                nest(teller, &names, &mut |teller| match &item {
                    Item::Text(range) | Item::Bytes(range) => teller.look_into(text, range.clone()),
                    Item::Number(digits) => teller.value(digits.as_bytes(), (text.place)(start..after)),
                    _ => {}
                });
            }
        }
        taken(&mut open);
        close(&mut open);
    }
    read
}

fn nest(teller: &mut Teller<'_>, names: &[String], go_on: &mut dyn FnMut(&mut Teller<'_>)) {
    match names.split_first() {
        Some((first, rest)) => teller.named(first.as_bytes(), |teller| nest(teller, rest, go_on)),
        None => go_on(teller),
    }
}

fn key(open: &mut [Open], name: &[u8]) {
    if let Some(last) = open.last_mut() {
        last.fresh = true;
        last.key = Some(String::from_utf8_lossy(name.get(..super::LONGEST_NAME).unwrap_or(name)).into_owned());
    }
}

/// One more item of the innermost container is over.
fn taken(open: &mut [Open]) {
    if let Some(last) = open.last_mut() {
        if let Some(left) = &mut last.left {
            *left = left.saturating_sub(1);
        }
        // Behind a key comes its value, behind that the next key.
        if !std::mem::take(&mut last.fresh) {
            last.key = None;
        }
    }
}

/// Closes what is full; each is an item of what it lies in.
fn close(open: &mut Vec<Open>) {
    while open.last().is_some_and(|it| it.left == Some(0)) {
        open.pop();
        taken(open);
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<([u8; N], usize)> {
    Some((*bytes.get(at..)?.first_chunk()?, at.checked_add(N)?))
}

/// An unsigned number of so many bytes.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<(u64, usize)> {
    let end = at.checked_add(length)?;
    let value = bytes.get(at..end)?.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    Some((value, end))
}

fn run(bytes: &[u8], at: usize, length: u64) -> Option<Range<usize>> {
    let end = at.checked_add(usize::try_from(length).ok()?)?;
    (end <= bytes.len()).then_some(at..end)
}

fn text(bytes: &[u8], at: usize, length: u64) -> Option<(Item, usize)> {
    let range = run(bytes, at, length)?;
    let end = range.end;
    Some((Item::Text(range), end))
}

fn blob(bytes: &[u8], at: usize, length: u64) -> Option<(Item, usize)> {
    let range = run(bytes, at, length)?;
    let end = range.end;
    Some((Item::Bytes(range), end))
}

/// An item of MessagePack.
fn packed(bytes: &[u8], at: usize) -> Option<(Item, usize)> {
    let (&[first], at) = (&array::<1>(bytes, at)?.0, at.checked_add(1)?);
    let low = u64::from(first & 0x0f);
    let unsigned = |length| number(bytes, at, length).map(|(value, end)| (Item::Number(value.to_string()), end));
    let signed = |length: usize| {
        let (value, end) = number(bytes, at, length)?;
        // Shifted up and down again, the sign goes along.
        let unused = u32::try_from(8_usize.checked_sub(length)?.checked_mul(8)?).ok()?;
        let value = value.checked_shl(unused)?.cast_signed().checked_shr(unused)?;
        Some((Item::Number(value.to_string()), end))
    };
    let counted = |length| number(bytes, at, length);
    Some(match first {
        0x00..=0x7f => (Item::Number(first.to_string()), at),
        0x80..=0x8f => (Item::Map(Some(low)), at),
        0x90..=0x9f => (Item::Array(Some(low)), at),
        0xa0..=0xbf => return text(bytes, at, u64::from(first & 0x1f)),
        0xc0..=0xc3 => (Item::Other, at),
        0xc4..=0xc6 => {
            let (length, at) = counted(1 << (first & 3))?;
            return blob(bytes, at, length);
        }
        0xc7..=0xc9 => {
            let (length, at) = counted(1 << (first.wrapping_sub(0xc7) & 3))?;
            return blob(bytes, at.checked_add(1)?, length);
        }
        0xca => {
            let (raw, end) = array::<4>(bytes, at)?;
            (Item::Number(f32::from_be_bytes(raw).to_string()), end)
        }
        0xcb => {
            let (raw, end) = array::<8>(bytes, at)?;
            (Item::Number(f64::from_be_bytes(raw).to_string()), end)
        }
        0xcc..=0xcf => return unsigned(1 << (first & 3)),
        0xd0..=0xd3 => return signed(1 << (first & 3)),
        0xd4..=0xd8 => return blob(bytes, at.checked_add(1)?, 1 << (first.wrapping_sub(0xd4) & 7)),
        0xd9..=0xdb => {
            let (length, at) = counted(1 << (first.wrapping_sub(0xd9) & 3))?;
            return text(bytes, at, length);
        }
        0xdc | 0xdd => {
            let (length, at) = counted(if first == 0xdc { 2 } else { 4 })?;
            (Item::Array(Some(length)), at)
        }
        0xde | 0xdf => {
            let (length, at) = counted(if first == 0xde { 2 } else { 4 })?;
            (Item::Map(Some(length)), at)
        }
        0xe0..=0xff => (Item::Number(first.cast_signed().to_string()), at),
    })
}

/// An item of CBOR (section 3).
fn concise(bytes: &[u8], at: usize) -> Option<(Item, usize)> {
    let (&[first], at) = (&array::<1>(bytes, at)?.0, at.checked_add(1)?);
    let (major, detail) = (first >> 5, first & 0x1f);
    if first == 0xff {
        return Some((Item::Break, at));
    }
    let (argument, at) = match detail {
        0..=23 => (Some(u64::from(detail)), at),
        24..=27 => {
            let (value, end) = number(bytes, at, 1 << (detail & 3))?;
            (Some(value), end)
        }
        31 if matches!(major, 2..=5) => (None, at),
        _ => return None,
    };
    Some(match (major, argument) {
        (0, Some(value)) => (Item::Number(value.to_string()), at),
        (1, Some(value)) => (Item::Number(i128::from(value).saturating_neg().saturating_sub(1).to_string()), at),
        (2, Some(length)) => return blob(bytes, at, length),
        (3, Some(length)) => return text(bytes, at, length),
        // A string in parts: they follow as items of their own.
        (2 | 3, None) => (Item::Array(None), at),
        (4, length) => (Item::Array(length), at),
        (5, length) => (Item::Map(length), at),
        (6, _) => (Item::Tag, at),
        (7, Some(bits)) => match detail {
            26 => (Item::Number(f32::from_bits(u32::try_from(bits).ok()?).to_string()), at),
            27 => (Item::Number(f64::from_bits(bits).to_string()), at),
            _ => (Item::Other, at),
        },
        _ => return None,
    })
}
