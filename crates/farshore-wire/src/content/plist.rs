//! Apple's binary property lists, version 00 (the layout stands in CFBinaryPList.c of Apple's CF): objects that name each other by
//! number, reached through a table of their places.
//!
//! Keys make the path. Objects may name each other in circles: each that is told counts against the ceiling of values, and no
//! deeper than [`DEEPEST`] is gone.

use std::ops::Range;

use super::{Teller, Text};

/// Dictionaries and lists inside each other.
const DEEPEST: usize = 24;
const TRAILER: usize = 32;

/// Where things stand in a list.
struct Layout<'a> {
    bytes: &'a [u8],
    offset_size: usize,
    number_size: usize,
    objects: u64,
    table: usize,
}

/// Tells a list; `false` where it is none.
pub(super) fn tell(teller: &mut Teller<'_>, text: Text<'_>) -> bool {
    let Some((layout, top)) = layout(text.bytes) else { return false };
    object(teller, text, &layout, top, 0);
    true
}

fn layout(bytes: &[u8]) -> Option<(Layout<'_>, u64)> {
    let at = bytes.len().checked_sub(TRAILER)?;
    let trailer = bytes.get(at..)?;
    let long = |from: usize| Some(u64::from_be_bytes(*trailer.get(from..)?.first_chunk()?));
    let (offset_size, number_size) = (usize::from(*trailer.get(6)?), usize::from(*trailer.get(7)?));
    if !bytes.starts_with(b"bplist00") || !(1..=8).contains(&offset_size) || !(1..=8).contains(&number_size) {
        return None;
    }
    let layout = Layout {
        bytes,
        offset_size,
        number_size,
        objects: long(8)?,
        table: usize::try_from(long(24)?).ok().filter(|it| *it < at)?,
    };
    Some((layout, long(16)?))
}

impl Layout<'_> {
    fn number(&self, at: usize, length: usize) -> Option<u64> {
        let raw = self.bytes.get(at..at.checked_add(length)?)?;
        Some(raw.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    /// Where an object begins.
    fn place(&self, number: u64) -> Option<usize> {
        if number >= self.objects {
            return None;
        }
        let at = self
            .table
            .checked_add(usize::try_from(number).ok()?.checked_mul(self.offset_size)?)?;
        usize::try_from(self.number(at, self.offset_size)?).ok()
    }

    /// The kind of an object, its count, and where what it holds begins.
    fn head(&self, number: u64) -> Option<(u8, u64, usize)> {
        let at = self.place(number)?;
        let mark = *self.bytes.get(at)?;
        let after = at.checked_add(1)?;
        if mark & 0x0f != 0x0f || mark >> 4 < 4 {
            return Some((mark >> 4, u64::from(mark & 0x0f), after));
        }
        // The count follows as an integer.
        let power = u32::from(*self.bytes.get(after)? & 0x0f);
        let length = 1_usize.checked_shl(power).filter(|it| *it <= 8)?;
        let from = after.checked_add(1)?;
        Some((mark >> 4, self.number(from, length)?, from.checked_add(length)?))
    }

    /// The number of the object that stands at that place of a list of numbers.
    fn named(&self, from: usize, index: u64) -> Option<u64> {
        let step = usize::try_from(index).ok()?.checked_mul(self.number_size)?;
        self.number(from.checked_add(step)?, self.number_size)
    }

    fn range(&self, from: usize, length: u64) -> Option<Range<usize>> {
        let end = from.checked_add(usize::try_from(length).ok()?)?;
        (end <= self.bytes.len()).then_some(from..end)
    }

    /// The text of a string, with where it stands.
    fn string(&self, number: u64) -> Option<(Vec<u8>, Range<usize>, bool)> {
        let (kind, count, from) = self.head(number)?;
        match kind {
            5 | 7 => {
                let range = self.range(from, count)?;
                Some((self.bytes.get(range.clone())?.to_vec(), range, true))
            }
            // UTF-16.
            6 => {
                let range = self.range(from, count.checked_mul(2)?)?;
                let (pairs, _) = self.bytes.get(range.clone())?.as_chunks::<2>();
                let units = pairs.iter().map(|it| u16::from_be_bytes(*it));
                let told: String = char::decode_utf16(units)
                    .map(|it| it.unwrap_or(char::REPLACEMENT_CHARACTER))
                    .collect();
                Some((told.into_bytes(), range, false))
            }
            _ => None,
        }
    }
}

fn object(teller: &mut Teller<'_>, text: Text<'_>, layout: &Layout<'_>, number: u64, depth: usize) {
    let Some((kind, count, from)) = layout.head(number) else { return };
    if depth > DEEPEST {
        teller.out.limit("content-depth");
        return;
    }
    if !teller.may() {
        return;
    }
    match kind {
        1 => {
            let length = 1_usize.checked_shl(u32::try_from(count).unwrap_or(u32::MAX)).filter(|it| *it <= 8);
            if let Some((length, value)) = length.and_then(|it| Some((it, layout.number(from, it)?))) {
                let place = (text.place)(from..from.saturating_add(length));
                teller.value(value.to_string().as_bytes(), place);
            }
        }
        2 => {
            let told = match count {
                2 => layout
                    .number(from, 4)
                    .and_then(|it| Some((4, f32::from_bits(u32::try_from(it).ok()?).to_string()))),
                3 => layout.number(from, 8).map(|it| (8, f64::from_bits(it).to_string())),
                _ => None,
            };
            if let Some((length, told)) = told {
                teller.value(told.as_bytes(), (text.place)(from..from.saturating_add(length)));
            }
        }
        4 => {
            if let Some(range) = layout.range(from, count) {
                teller.look_into(text, range);
            }
        }
        5..=7 => match layout.string(number) {
            Some((_, range, true)) => teller.look_into(text, range),
            Some((told, range, false)) => teller.under("utf-16", |teller| teller.value(&told, (text.place)(range))),
            None => {}
        },
        10 | 12 => {
            for index in 0..count {
                let Some(inner) = layout.named(from, index) else { return };
                if teller.values == 0 {
                    return;
                }
                object(teller, text, layout, inner, depth.saturating_add(1));
            }
        }
        13 => {
            for index in 0..count {
                let (Some(key), Some(value)) = (layout.named(from, index), layout.named(from, index.saturating_add(count))) else {
                    return;
                };
                if teller.values == 0 {
                    return;
                }
                let name = layout.string(key).map(|it| it.0).unwrap_or_default();
                teller.named(&name, |teller| object(teller, text, layout, value, depth.saturating_add(1)));
            }
        }
        _ => {}
    }
}
