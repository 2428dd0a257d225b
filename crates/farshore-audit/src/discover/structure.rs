//! Elements that carry their own lengths: tag, length, value; length, value; and protobuf. Messages of a group are taken to be
//! of such a form when nearly all of them end just where their lengths say. It refuses forms that a few messages fit by chance.

use std::collections::BTreeMap;
use std::ops::Range;

use super::groups::{Group, Message};

/// Bytes a header may have before the first element.
const HEADER: usize = 32;
/// The same, where a mask is looked for.
const MASKED_HEADER: usize = 8;
/// Bytes that may follow the last element: a checksum.
const TRAILERS: [usize; 4] = [0, 2, 4, 8];
/// Messages below which a form proves nothing.
const LEAST: usize = 8;
/// Elements that messages of one length must have, and how long each may be.
const ALIKE: usize = 4;
const SMALL: usize = 40;
/// Elements of one message.
const ELEMENTS: usize = 64;
/// Messages inside messages, of protobuf.
const DEEPEST: usize = 3;

/// How elements are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Bytes of the tag, of the length, and whether numbers are little-endian.
    Tagged(usize, usize, bool),
    /// Bytes of the length, and whether it is little-endian.
    Lengths(usize, bool),
    /// Protocol Buffers.
    Protobuf,
}

const FORMS: [Form; 10] = [
    Form::Protobuf,
    Form::Tagged(1, 1, false),
    Form::Tagged(2, 2, false),
    Form::Tagged(2, 2, true),
    Form::Tagged(1, 2, false),
    Form::Tagged(1, 2, true),
    Form::Tagged(2, 1, false),
    Form::Lengths(2, false),
    Form::Lengths(2, true),
    Form::Lengths(1, false),
];

/// An element: its name among its like, and its value.
pub(super) type Element = (String, Range<usize>);

/// The elements of each message of a group that has such a form, with the message; none if it has not.
pub(super) fn elements<'a>(group: &Group<'a>) -> Vec<(Message<'a>, Vec<Element>)> {
    let whole: Vec<Message<'a>> = group
        .messages
        .iter()
        .filter(|it| it.specimen.length == it.bytes().len() as u64)
        .copied()
        .collect();
    let mut lengths: Vec<usize> = whole.iter().map(|it| it.bytes().len()).collect();
    lengths.sort_unstable();
    lengths.dedup();
    if whole.len() < LEAST {
        return Vec::new();
    }
    // Messages of one length all end alike: the form has to show in more elements, and small ones.
    let alike = lengths.len() < 2;
    let shortest = lengths.first().copied().unwrap_or(0);
    for form in FORMS {
        for header in 0..=HEADER.min(shortest) {
            for trailer in TRAILERS {
                if let Some(found) = fits((form, header, trailer), &whole, alike) {
                    return found;
                }
            }
        }
    }
    Vec::new()
}

/// The elements, if nearly all messages have this form, and most of them more than one element.
fn fits<'a>(
    (form, header, trailer): (Form, usize, usize),
    messages: &[Message<'a>],
    alike: bool,
) -> Option<Vec<(Message<'a>, Vec<Element>)>> {
    let allowed = messages.len() / 20;
    let least = if alike { ALIKE } else { 1 };
    let (mut missed, mut several, mut empty, mut all) = (0_usize, 0_usize, 0_usize, 0_usize);
    let mut found = Vec::new();
    for message in messages {
        let end = message.bytes().len().checked_sub(trailer);
        let body = end.and_then(|end| message.bytes().get(header..end));
        match body.and_then(|body| read(form, body, header, "", 0)) {
            Some(elements) if elements.len() >= least && (!alike || elements.iter().all(|it| it.1.len() <= SMALL)) => {
                several = several.saturating_add(usize::from(elements.len() > 1));
                all = all.saturating_add(elements.len());
                empty = empty.saturating_add(elements.iter().filter(|it| it.1.is_empty()).count());
                found.push((*message, elements));
            }
            _ => {
                missed = missed.saturating_add(1);
                if missed > allowed {
                    return None;
                }
            }
        }
    }
    // Zeros are elements of no length in any form.
    let few_empty = empty.saturating_mul(if alike { 8 } else { 2 }) <= all;
    (several.saturating_mul(2) >= found.len() && few_empty).then_some(found)
}

/// Whether all of these are of one form, with no fewer elements in each and three in most: the masks of payload are told by
/// that.
pub(super) fn is_formed(messages: &[Vec<u8>], least: usize) -> bool {
    let mut lengths: Vec<usize> = messages.iter().map(Vec::len).collect();
    lengths.sort_unstable();
    lengths.dedup();
    let shortest = lengths.first().copied().unwrap_or(0);
    let fits = |form: Form, header: usize| {
        let mut sum = 0_usize;
        let all = messages.iter().all(|it| {
            let elements = it.get(header..).and_then(|it| count(form, it)).unwrap_or(0);
            sum = sum.saturating_add(elements);
            elements >= least
        });
        all && sum >= messages.len().saturating_mul(3)
    };
    lengths.len() > 2
        && FORMS
            .into_iter()
            .any(|form| (0..=MASKED_HEADER.min(shortest)).any(|header| fits(form, header)))
}

/// How many elements a message has to its very end.
fn count(form: Form, body: &[u8]) -> Option<usize> {
    let (mut at, mut count) = (0_usize, 0_usize);
    while at < body.len() {
        at = match form {
            Form::Tagged(tag, length, little) => {
                let behind = at.checked_add(tag)?;
                let size = usize::try_from(number(body, behind, length, little)?).ok()?;
                behind.checked_add(length)?.checked_add(size)?
            }
            Form::Lengths(length, little) => {
                let size = usize::try_from(number(body, at, length, little)?).ok()?;
                at.checked_add(length)?.checked_add(size)?
            }
            Form::Protobuf => {
                let (key, after) = varint(body, at)?;
                if key >> 3 == 0 || key >> 3 > 200 {
                    return None;
                }
                match key & 7 {
                    0 => varint(body, after)?.1,
                    1 => after.checked_add(8)?,
                    2 => {
                        let (size, behind) = varint(body, after)?;
                        behind.checked_add(usize::try_from(size).ok()?)?
                    }
                    5 => after.checked_add(4)?,
                    _ => return None,
                }
            }
        };
        count = count.saturating_add(1);
    }
    (at == body.len()).then_some(count)
}

/// Reads the elements of one message to its very end.
fn read(form: Form, body: &[u8], shift: usize, within: &str, depth: usize) -> Option<Vec<Element>> {
    let mut found: Vec<Element> = Vec::new();
    let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
    let mut at = 0;
    while at < body.len() {
        if found.len() >= ELEMENTS {
            return None;
        }
        let (tag, range) = match form {
            Form::Tagged(tag, length, little) => {
                let name = number(body, at, tag, little)?;
                at = at.checked_add(tag)?;
                let size = usize::try_from(number(body, at, length, little)?).ok()?;
                at = at.checked_add(length)?;
                (name, at..at.checked_add(size)?)
            }
            Form::Lengths(length, little) => {
                let size = usize::try_from(number(body, at, length, little)?).ok()?;
                at = at.checked_add(length)?;
                (found.len() as u64, at..at.checked_add(size)?)
            }
            Form::Protobuf => {
                let (key, after) = varint(body, at)?;
                let size = match key & 7 {
                    0 => varint(body, after)?.1.checked_sub(after)?,
                    1 => 8,
                    2 => {
                        let (size, behind) = varint(body, after)?;
                        at = behind;
                        usize::try_from(size).ok()?
                    }
                    5 => 4,
                    _ => return None,
                };
                if key >> 3 == 0 || key >> 3 > 10_000 {
                    return None;
                }
                if key & 7 != 2 {
                    at = after;
                }
                let range = at..at.checked_add(size)?;
                if key & 7 == 2 && depth < DEEPEST && size > 1 {
                    let inside = format!("{within}{}.", key >> 3);
                    let start = shift.saturating_add(range.start);
                    if let Some(inner) = read(form, body.get(range.clone())?, start, &inside, depth.saturating_add(1)) {
                        found.extend(inner);
                    }
                }
                (key >> 3, range)
            }
        };
        body.get(range.clone())?;
        at = range.end;
        // Of several alike the second is another place.
        let times = seen.entry(tag).or_default();
        let again = if *times > 0 {
            format!(" ({})", times.saturating_add(1))
        } else {
            String::new()
        };
        *times = times.saturating_add(1);
        let name = match form {
            Form::Tagged(width, ..) => format!("tag 0x{tag:0width$x}{again}", width = width.saturating_mul(2)),
            Form::Lengths(..) => format!("length-prefixed item {}", tag.saturating_add(1)),
            Form::Protobuf => format!("protobuf field {within}{tag}{again}"),
        };
        found.push((name, shift.saturating_add(range.start)..shift.saturating_add(range.end)));
    }
    Some(found)
}

fn number(body: &[u8], at: usize, width: usize, little: bool) -> Option<u64> {
    let bytes = body.get(at..at.checked_add(width)?)?;
    let join = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    Some(if little {
        bytes.iter().rev().fold(0, join)
    } else {
        bytes.iter().fold(0, join)
    })
}

/// A number of seven bits a byte, and where it ends.
pub(super) fn varint(body: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for (step, byte) in body.get(at..)?.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(u32::try_from(step).ok()?.checked_mul(7)?)?;
        if *byte < 0x80 {
            return Some((value, at.checked_add(step)?.checked_add(1)?));
        }
    }
    None
}
