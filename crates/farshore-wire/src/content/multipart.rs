//! Multipart bodies (RFC 2046, section 5.1; forms: RFC 7578): each part under its name, by its own type.

use super::{Teller, Text};

/// Tells the parts; without a boundary, or if it is nowhere, the text as it is.
pub(super) fn tell(teller: &mut Teller<'_>, text: Text<'_>, kind: &[u8]) {
    let mark = parameter(kind, b"boundary").map(|it| [b"--", it].concat());
    let Some(mark) = mark.filter(|mark| mark.len() > 2 && find(text.bytes, mark, 0).is_some()) else {
        teller.leaf(text, 0..text.bytes.len());
        return;
    };
    let mut at = find(text.bytes, &mark, 0);
    while let Some(start) = at {
        let inside = start.saturating_add(mark.len());
        if text.bytes.get(inside..).is_none_or(|it| it.starts_with(b"--")) {
            return;
        }
        let next = find(text.bytes, &mark, inside);
        if !teller.may() {
            return;
        }
        part(teller, text, inside, next.unwrap_or(text.bytes.len()));
        at = next;
    }
}

fn part(teller: &mut Teller<'_>, text: Text<'_>, start: usize, end: usize) {
    let all = text.bytes.get(..end).unwrap_or_default();
    let (mut kind, mut disposition, mut coding) = (&[][..], &[][..], &[][..]);
    // The rest of the line of the mark, then header lines up to an empty one.
    let mut at = start;
    let mut first = true;
    let body = loop {
        let Some(length) = all.get(at..).and_then(|it| it.iter().position(|it| *it == b'\n')) else {
            return;
        };
        let line = all.get(at..at.saturating_add(length)).unwrap_or_default().trim_ascii();
        at = at.saturating_add(length).saturating_add(1);
        if std::mem::take(&mut first) {
            continue;
        }
        if line.is_empty() {
            break at;
        }
        let Some(mark) = line.iter().position(|it| *it == b':') else {
            continue;
        };
        let (name, value) = line.split_at(mark);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        match &*name.to_ascii_lowercase() {
            b"content-type" => kind = value,
            b"content-disposition" => disposition = value,
            b"content-transfer-encoding" => coding = value,
            _ => {}
        }
    };
    // The line end before the next mark belongs to the mark.
    let last = all.get(body..).unwrap_or_default();
    let trimmed = last.strip_suffix(b"\n").map_or(last, |it| it.strip_suffix(b"\r").unwrap_or(it));
    let range = body..body.saturating_add(trimmed.len());
    let name = parameter(disposition, b"name").unwrap_or_default();
    let file = parameter(disposition, b"filename");
    teller.named(name, |teller| {
        if let Some(file) = file {
            let at = (text.place)(range.start..range.start);
            teller.named(b"filename", |teller| teller.value(file, at));
        }
        let place = |inner: std::ops::Range<usize>| {
            (text.place)(range.start.saturating_add(inner.start)..range.start.saturating_add(inner.end).min(range.end))
        };
        let inside = Text {
            bytes: trimmed,
            place: &place,
        };
        if coding.eq_ignore_ascii_case(b"base64") && (kind.is_empty() || kind.starts_with(b"text/")) {
            // Detectors read base64 by themselves.
            teller.leaf(inside, 0..trimmed.len());
        } else {
            teller.formed(inside, kind);
        }
    });
}

/// The value of a parameter, without quotes.
fn parameter<'a>(value: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    value.split(|it| *it == b';').skip(1).find_map(|it| {
        let it = it.trim_ascii();
        let mark = it.iter().position(|it| *it == b'=')?;
        let (key, value) = it.split_at(mark);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let bare = value.strip_prefix(b"\"").and_then(|it| it.strip_suffix(b"\"")).unwrap_or(value);
        key.trim_ascii().eq_ignore_ascii_case(name).then_some(bare)
    })
}

/// Where the mark stands next, at the start of a line.
fn find(text: &[u8], mark: &[u8], from: usize) -> Option<usize> {
    let mut from = from;
    loop {
        let rest = text.get(from..)?;
        if rest.starts_with(mark) && (from == 0 || text.get(from.saturating_sub(1)) == Some(&b'\n')) {
            return Some(from);
        }
        let line = rest.iter().position(|it| *it == b'\n')?;
        from = from.saturating_add(line).saturating_add(1);
    }
}
