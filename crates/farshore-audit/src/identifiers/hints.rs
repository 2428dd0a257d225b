//! Where the value behind a key name stands: `key=value`, `"key":"value"`, `key: value`, `<key>value<`.
//!
//! A light scanner, not a parser: it works on fragments of forms, JSON, headers and XML alike, and refuses
//! nothing but what has no separator.

use std::ops::Range;

/// More bytes than this are no value of a key.
pub(super) const LONGEST_VALUE: usize = 4096;

/// Whether the key that begins here is a name of its own, not the end of a longer word.
pub(super) fn begins_name(text: &[u8], start: usize) -> bool {
    let before = start.checked_sub(1).and_then(|i| text.get(i));
    match before {
        None => true,
        // `myDeviceId`: an inner capital begins a word.
        Some(before) if before.is_ascii_lowercase() => text.get(start).is_some_and(u8::is_ascii_uppercase),
        Some(before) => !before.is_ascii_alphanumeric(),
    }
}

/// The value behind the key that ends at `end`; `spaces`: unquoted, it may hold spaces.
pub(super) fn value_after(text: &[u8], key: &Range<usize>, spaces: bool) -> Option<Range<usize>> {
    let xml = key.start.checked_sub(1).and_then(|i| text.get(i)) == Some(&b'<') && text.get(key.end) == Some(&b'>');
    let mut at = Walk { text, at: key.end };
    if xml {
        at.skip(1);
        return at.until(|b| b == b'<');
    }
    let quoted = at.quote().is_some();
    at.blanks();
    if !matches!(at.peek()?, b'=' | b':') {
        // A percent-encoded separator: a form inside a form.
        let triplet = text.get(at.at..at.at.saturating_add(3))?;
        if !triplet.eq_ignore_ascii_case(b"%3d") && !triplet.eq_ignore_ascii_case(b"%3a") {
            return None;
        }
        at.skip(2);
    }
    at.skip(1);
    // `"password"==kind`: a comparison.
    if matches!(text.get(at.at.saturating_sub(1)..at.at.saturating_add(1)), Some(b"==")) {
        return None;
    }
    at.blanks();
    match at.quote() {
        Some(quote) => at.until(|b| b == quote || b == b'\\'),
        // Behind a key in quotes stands a number, or a word of the language: JSON (RFC 8259, section 3).
        None if spaces && !quoted => at.until(|b| matches!(b, b'\r' | b'\n' | b'&' | b'"' | b'<')),
        None => at.until(|b| b.is_ascii_whitespace() || b"&;,\"'<>(){}[]|\\".contains(&b)),
    }
}

/// Where a key ends whose separator begins at `at`: the way back of [`value_after`], over blanks and a quote.
pub(super) fn end_of_key(text: &[u8], at: usize) -> Option<usize> {
    let before = text.get(..at)?;
    match text.get(at)? {
        b'%' => {
            let triplet = text.get(at..at.saturating_add(3))?;
            if !triplet.eq_ignore_ascii_case(b"%3d") && !triplet.eq_ignore_ascii_case(b"%3a") {
                return None;
            }
        }
        b'>' => return before.last().filter(|b| b.is_ascii_alphanumeric()).map(|_| at),
        _ => {}
    }
    let blank = |text: &[u8]| matches!(text.last(), Some(b' ' | b'\t'));
    let mut key = before;
    for _ in 0..2 {
        if blank(key) {
            key = key.split_last().map_or(key, |(_, rest)| rest);
        }
    }
    if let Some((b'"' | b'\'', rest)) = key.split_last() {
        key = rest.strip_suffix(b"\\").unwrap_or(rest);
    }
    key.last().filter(|b| b.is_ascii_alphanumeric()).map(|_| key.len())
}

/// Whether a value can follow a separator, of which the first byte is given, that has this byte next.
pub(super) fn may_go_on(separator: u8, next: u8) -> bool {
    match separator {
        b'%' => next == b'3',
        b'>' => !next.is_ascii_control() && next != b'<',
        _ => next == b'\t' || !(next.is_ascii_control() || matches!(next, b'&' | b'<')),
    }
}

struct Walk<'a> {
    text: &'a [u8],
    at: usize,
}

impl Walk<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip(&mut self, count: usize) {
        self.at = self.at.saturating_add(count);
    }

    fn blanks(&mut self) {
        for _ in 0..2 {
            if matches!(self.peek(), Some(b' ' | b'\t')) {
                self.skip(1);
            }
        }
    }

    /// Passes a quote, which may itself be escaped (JSON inside JSON).
    fn quote(&mut self) -> Option<u8> {
        let escaped = self.peek() == Some(b'\\');
        let place = if escaped { self.at.saturating_add(1) } else { self.at };
        let quote = self.text.get(place).copied().filter(|b| matches!(b, b'"' | b'\''))?;
        self.at = place.saturating_add(1);
        Some(quote)
    }

    /// The bytes up to the first that ends the value, a control character, or the end.
    fn until(&self, ends: impl Fn(u8) -> bool) -> Option<Range<usize>> {
        let rest = self.text.get(self.at..)?;
        let length = rest
            .iter()
            .take(LONGEST_VALUE)
            .take_while(|b| !ends(**b) && !b.is_ascii_control())
            .count();
        (length > 0).then_some(self.at..self.at.saturating_add(length))
    }
}

/// Percent-decoded (RFC 3986 §2.1); `None` when there is nothing to decode.
pub(super) fn percent_decoded(text: &[u8]) -> Option<Vec<u8>> {
    if !text.contains(&b'%') {
        return None;
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut changed = false;
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..2).filter(|two| two.iter().all(u8::is_ascii_hexdigit));
        let byte = digits
            .and_then(|two| str::from_utf8(two).ok())
            .and_then(|two| u8::from_str_radix(two, 16).ok());
        match byte {
            Some(byte) if *first == b'%' => {
                decoded.push(byte);
                rest = tail.get(2..).unwrap_or(&[]);
                changed = true;
            }
            _ => {
                decoded.push(*first);
                rest = tail;
            }
        }
    }
    changed.then_some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_value_in_every_notation() {
        for text in [
            "imei=490154203237518&x=1",
            "x=1;IMEI=490154203237518; y",
            "{\"imei\":\"490154203237518\"}",
            "{\"imei\" : 490154203237518 }",
            r#"{"body":"{\"imei\":\"490154203237518\"}"}"#,
            "{'imei': '490154203237518'}",
            "IMEI: 490154203237518\r\nHost: x",
            "<imei>490154203237518</imei>",
            "p=imei%3D490154203237518",
        ] {
            let start = text.to_ascii_lowercase().find("imei").unwrap();
            let range = value_after(text.as_bytes(), &(start..start + 4), false).unwrap();
            assert_eq!(&text[range], "490154203237518", "{text}");
        }
        assert_eq!(value_after(b"imei", &(0..4), false), None);
        assert_eq!(value_after(b"imei_count=3", &(0..4), false), None);
        assert_eq!(value_after(b"imei=", &(0..4), false), None);
        assert_eq!(value_after(b"imei==490154203237518", &(0..4), false), None);
        assert!(begins_name(b"myImei", 2) && begins_name(b"x_imei", 2) && !begins_name(b"ximei", 1));
    }

    #[test]
    fn decodes_percent_only_where_there_is_any() {
        assert_eq!(percent_decoded(b"a+b"), None);
        assert_eq!(percent_decoded(b"100%"), None);
        assert_eq!(percent_decoded(b"a%40b%zz%").as_deref(), Some(b"a@b%zz%".as_slice()));
    }
}
