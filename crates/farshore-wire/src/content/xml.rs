//! XML (W3C, fifth edition), property lists in it among them: the text as it stands, but for values with entities in them, which
//! are told apart under the elements that lead to them, and for property lists, whose values are told under their keys.
//!
//! Lenient: nothing is checked, no entity is fetched, none is defined but the five of the standard and characters by number.

use std::ops::Range;

use super::{Teller, Text};

/// Open elements that are followed.
const DEEPEST: usize = 256;

/// Tells the text, and what is spelled with entities in it.
pub(super) fn tell(teller: &mut Teller<'_>, text: Text<'_>) {
    let list = contains(text.bytes.get(..1_024).unwrap_or(text.bytes), b"<plist");
    if !list && !text.bytes.contains(&b'&') {
        teller.leaf(text, 0..text.bytes.len());
        return;
    }
    let mut blanked = text.bytes.to_vec();
    let mut open: Vec<Range<usize>> = Vec::new();
    let mut key: Option<Range<usize>> = None;
    let mut at = 0_usize;
    while at < text.bytes.len() {
        let rest = text.bytes.get(at..).unwrap_or_default();
        if rest.first() != Some(&b'<') {
            let end = at.saturating_add(rest.iter().position(|it| *it == b'<').unwrap_or(rest.len()));
            let in_key = list && open.last().is_some_and(|it| text.bytes.get(it.clone()) == Some(b"key"));
            let range = trimmed(text.bytes, at..end);
            let value = text.bytes.get(range.clone()).unwrap_or_default();
            if in_key {
                key = Some(range);
            } else if !value.is_empty() && (list || value.contains(&b'&')) {
                if !teller.may() {
                    break;
                }
                if let Some(place) = blanked.get_mut(range.clone()) {
                    place.fill(b' ');
                }
                let names: Vec<&[u8]> = match (&key, list) {
                    (Some(key), true) => text.bytes.get(key.clone()).into_iter().collect(),
                    _ => open
                        .iter()
                        .rev()
                        .take(2)
                        .rev()
                        .filter_map(|it| text.bytes.get(it.clone()))
                        .collect(),
                };
                told(teller, text, range, &names);
            }
            at = end;
            continue;
        }
        let (end, element) = markup(text.bytes, at);
        match element {
            Markup::Open(name) if open.len() < DEEPEST => open.push(name),
            Markup::Close => {
                open.pop();
            }
            _ => {}
        }
        at = end;
    }
    if !list {
        let whole = (text.place)(0..text.bytes.len());
        teller.value(&blanked, whole);
    }
}

fn told(teller: &mut Teller<'_>, text: Text<'_>, range: Range<usize>, names: &[&[u8]]) {
    match names.split_first() {
        Some((first, rest)) => teller.named(first, |teller| told(teller, text, range, rest)),
        None => {
            let value = text.bytes.get(range.clone()).unwrap_or_default();
            if value.contains(&b'&') {
                let value = decoded(value);
                teller.under("xml", |teller| teller.value(&value, (text.place)(range)));
            } else {
                teller.leaf(text, range);
            }
        }
    }
}

enum Markup {
    Open(Range<usize>),
    Close,
    /// Comments, declarations, elements that are empty.
    Other,
}

/// What begins at `<`, and where it ends.
fn markup(bytes: &[u8], at: usize) -> (usize, Markup) {
    let rest = bytes.get(at..).unwrap_or_default();
    let until = |mark: &[u8]| {
        let found = rest.windows(mark.len()).position(|it| it == mark);
        at.saturating_add(found.map_or(rest.len(), |it| it.saturating_add(mark.len())))
    };
    if rest.starts_with(b"<!--") {
        return (until(b"-->"), Markup::Other);
    }
    if rest.starts_with(b"<![CDATA[") {
        // What it holds is text as it stands.
        return (until(b"]]>"), Markup::Other);
    }
    let end = until(b">");
    let inside = bytes.get(at.saturating_add(1)..end.saturating_sub(1)).unwrap_or_default();
    match inside.first() {
        Some(b'/') => (end, Markup::Close),
        Some(b'?' | b'!') | None => (end, Markup::Other),
        Some(_) if inside.last() == Some(&b'/') => (end, Markup::Other),
        Some(_) => {
            let length = inside.iter().position(u8::is_ascii_whitespace).unwrap_or(inside.len());
            let start = at.saturating_add(1);
            (end, Markup::Open(start..start.saturating_add(length)))
        }
    }
}

/// Undoes entities (section 4.1).
fn decoded(text: &[u8]) -> Vec<u8> {
    let mut told = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(mark) = rest.iter().position(|it| *it == b'&') {
        let (before, entity) = rest.split_at(mark);
        told.extend_from_slice(before);
        // The longest of those that are known has ten characters.
        let end = entity.iter().take(12).position(|it| *it == b';');
        let character = end.and_then(|end| character(entity.get(1..end)?));
        match (end, character) {
            (Some(end), Some(it)) => {
                let mut buffer = [0; 4];
                told.extend_from_slice(it.encode_utf8(&mut buffer).as_bytes());
                rest = entity.get(end.saturating_add(1)..).unwrap_or_default();
            }
            _ => {
                told.push(b'&');
                rest = entity.get(1..).unwrap_or_default();
            }
        }
    }
    told.extend_from_slice(rest);
    told
}

fn character(name: &[u8]) -> Option<char> {
    match name {
        b"amp" => Some('&'),
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        [b'#', b'x' | b'X', digits @ ..] => char::from_u32(u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?),
        [b'#', digits @ ..] => char::from_u32(std::str::from_utf8(digits).ok()?.parse().ok()?),
        _ => None,
    }
}

fn contains(text: &[u8], mark: &[u8]) -> bool {
    text.windows(mark.len()).any(|it| it == mark)
}

fn trimmed(bytes: &[u8], range: Range<usize>) -> Range<usize> {
    let text = bytes.get(range.clone()).unwrap_or_default();
    let start = range.start.saturating_add(text.len().saturating_sub(text.trim_ascii_start().len()));
    start..start.saturating_add(text.trim_ascii().len())
}
