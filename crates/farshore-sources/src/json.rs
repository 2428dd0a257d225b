//! JSON (RFC 8259) walked where it stands: values are ranges of the text, nothing is built but the strings that are asked for.
//!
//! Lenient: what is cut is read up to the cut, and a value that breaks the grammar ends its object. No depth is too deep, since
//! nothing here calls itself.

use std::borrow::Cow;

use farshore_model::exchange::Excerpt;
use farshore_model::text::json_unescaped;

use crate::{ReadError, Window};

/// Follows a value through the bytes of a file, chunk by chunk, to find where it ends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extent {
    depth: u64,
    in_string: bool,
    escaped: bool,
    begun: bool,
}

impl Extent {
    /// Takes the next bytes; gives how many of them belong to the value if it ends among them.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0_usize;
        while let Some(byte) = bytes.get(at) {
            if self.in_string {
                if self.escaped {
                    self.escaped = false;
                } else if *byte == b'\\' {
                    self.escaped = true;
                } else if *byte == b'"' {
                    self.in_string = false;
                    if self.depth == 0 {
                        return Some(at.saturating_add(1));
                    }
                }
                at = at.saturating_add(1);
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' | b',' if self.depth == 0 => return Some(at),
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at.saturating_add(1));
                    }
                }
                b' ' | b'\t' | b'\r' | b'\n' if self.depth == 0 && self.begun => return Some(at),
                _ => {}
            }
            self.begun = true;
            at = at.saturating_add(1);
        }
        None
    }
}

/// What became of a value that was taken out of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    Whole,
    /// More than may be kept; the rest was stepped over.
    Clipped,
    /// The file ended inside it.
    Cut,
}

/// The next byte of a file that is no white space.
pub(crate) fn peek(window: &mut Window<'_>) -> Result<Option<u8>, ReadError> {
    loop {
        let bytes = window.bytes();
        let white = bytes.iter().take_while(|it| it.is_ascii_whitespace()).count();
        let found = bytes.get(white).copied();
        window.consume(white);
        if found.is_some() {
            return Ok(found);
        }
        if !window.fill(1)? {
            return Ok(None);
        }
    }
}

/// Steps over that byte if it is the next one.
pub(crate) fn pass(window: &mut Window<'_>, mark: u8) -> Result<bool, ReadError> {
    let there = peek(window)? == Some(mark);
    if there {
        window.consume(1);
    }
    Ok(there)
}

/// Takes the next value out of a file, up to so many bytes of it.
pub(crate) fn take(window: &mut Window<'_>, most: usize, kept: &mut Vec<u8>) -> Result<Taken, ReadError> {
    kept.clear();
    let mut extent = Extent::default();
    let mut clipped = false;
    loop {
        let bytes = window.bytes();
        let end = extent.feed(bytes);
        let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        let room = most.saturating_sub(kept.len()).min(part.len());
        clipped |= room < part.len();
        kept.extend_from_slice(part.get(..room).unwrap_or_default());
        let length = part.len();
        window.consume(length);
        match end {
            Some(_) if clipped => return Ok(Taken::Clipped),
            Some(_) => return Ok(Taken::Whole),
            None if window.fill(1)? => {}
            None => return Ok(Taken::Cut),
        }
    }
}

/// A value in a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'a> {
    text: &'a [u8],
    start: usize,
    end: usize,
}

impl<'a> Value<'a> {
    /// The first value of a text.
    pub(crate) fn first(text: &'a [u8]) -> Option<Self> {
        let start = space(text, 0);
        let rest = text.get(start..).filter(|it| !it.is_empty())?;
        let length = Extent::default().feed(rest).unwrap_or(rest.len());
        Some(Self {
            text,
            start,
            end: start.saturating_add(length),
        })
    }

    fn bytes(self) -> &'a [u8] {
        self.text.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether it is an array.
    pub(crate) fn is_array(self) -> bool {
        self.bytes().first() == Some(&b'[')
    }

    /// Its members, if it is an object.
    pub(crate) fn members(self) -> Members<'a> {
        let object = self.bytes().first() == Some(&b'{');
        Members(Parts::of(self, object))
    }

    /// Its items, if it is an array.
    pub(crate) fn items(self) -> Items<'a> {
        let array = self.bytes().first() == Some(&b'[');
        Items(Parts::of(self, array))
    }

    /// The text of a whole string, and where it stands.
    pub(crate) fn string(self) -> Option<Excerpt<'a>> {
        let inside = self.bytes().strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        let offset = self.start.saturating_add(1) as u64;
        if !inside.contains(&b'\\') {
            return Some(Excerpt::plain(inside, offset));
        }
        Some(Excerpt {
            bytes: Cow::Owned(json_unescaped(inside)),
            offset,
            length: inside.len() as u64,
            packed: Some("json"),
        })
    }

    /// A number, also one that was written as a string.
    pub(crate) fn number(self) -> Option<f64> {
        let bytes = self.bytes();
        let bare = bytes.strip_prefix(b"\"").and_then(|it| it.strip_suffix(b"\"")).unwrap_or(bytes);
        std::str::from_utf8(bare).ok()?.trim().parse().ok()
    }

    /// A number of bytes or a status: nothing below 0 is one.
    pub(crate) fn count(self) -> Option<u64> {
        let number = self.number().filter(|it| it.is_finite() && *it >= 0.0)?;
        Some(number as u64)
    }

    /// A string or a number, as it stands.
    pub(crate) fn word(self) -> Option<Excerpt<'a>> {
        let bytes = self.bytes();
        match bytes.first()? {
            b'"' => self.string(),
            b'0'..=b'9' | b'-' => Some(Excerpt::plain(bytes, self.start as u64)),
            _ => None,
        }
    }

    /// Whether it says anything: not `null`, `false`, or nothing between quotes.
    pub(crate) fn says_something(self) -> bool {
        !matches!(self.bytes(), b"" | b"null" | b"false" | b"\"\"")
    }
}

/// The parts of a container, one after the other.
struct Parts<'a> {
    text: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Parts<'a> {
    fn of(value: Value<'a>, fits: bool) -> Self {
        Self {
            text: value.text,
            at: value.start.saturating_add(1),
            end: if fits { value.end } else { 0 },
        }
    }

    fn within(&self) -> &'a [u8] {
        self.text.get(..self.end).unwrap_or_default()
    }

    /// The next value, which must be whole unless it is a container.
    fn value(&mut self) -> Option<Value<'a>> {
        let text = self.within();
        let start = space(text, self.at);
        let rest = text.get(start..)?;
        let first = rest.first().filter(|it| !matches!(it, b'}' | b']' | b',' | b':'))?;
        let length = match Extent::default().feed(rest) {
            Some(length) => length,
            None if matches!(first, b'{' | b'[') => rest.len(),
            None => return None,
        };
        let end = start.saturating_add(length);
        self.at = end;
        Some(Value {
            text: self.text,
            start,
            end,
        })
    }

    /// Steps over one of these bytes.
    fn pass(&mut self, mark: u8) -> bool {
        let at = space(self.within(), self.at);
        let there = self.within().get(at) == Some(&mark);
        if there {
            self.at = at.saturating_add(1);
        }
        there
    }
}

/// The members of an object.
pub(crate) struct Members<'a>(Parts<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, [u8]>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let parts = &mut self.0;
        parts.pass(b',');
        let key = parts.value()?.string()?.bytes;
        if !parts.pass(b':') {
            return None;
        }
        Some((key, parts.value()?))
    }
}

/// The items of an array.
pub(crate) struct Items<'a>(Parts<'a>);

impl<'a> Iterator for Items<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.pass(b',');
        self.0.value()
    }
}

/// Where the white space that begins here ends.
fn space(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let length = rest.iter().take_while(|it| matches!(it, b' ' | b'\t' | b'\r' | b'\n')).count();
    at.saturating_add(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_ranges_of_the_text() {
        let text = br#" {"a": "x", "b" : [1, {"c":"\u00e9\n"}, null], "d": -2.5e1 } tail"#;
        let value = Value::first(text).unwrap();
        let members: Vec<_> = value.members().collect();
        assert_eq!(members.iter().map(|it| &*it.0).collect::<Vec<_>>(), [b"a", b"b", b"d"]);
        let plain = members[0].1.string().unwrap();
        assert_eq!(
            (&*plain.bytes, &text[plain.offset as usize..][..plain.length as usize]),
            (&b"x"[..], &b"x"[..])
        );
        let items: Vec<_> = members[1].1.items().collect();
        assert_eq!((items.len(), items[0].count(), items[2].says_something()), (3, Some(1), false));
        let (_, inner) = items[1].members().next().unwrap();
        let inner = inner.string().unwrap();
        assert_eq!((&*inner.bytes, inner.packed, inner.length), ("é\n".as_bytes(), Some("json"), 8));
        assert_eq!(members[2].1.number(), Some(-25.0));
        assert_eq!(members[0].1.members().count() + members[2].1.items().count(), 0);
    }

    #[test]
    fn what_is_cut_is_read_up_to_the_cut() {
        let text = br#"{"a":{"b":1,"c":"d"},"e":[{"f":"g"#;
        for cut in 0..text.len() {
            let Some(value) = Value::first(&text[..cut]) else { continue };
            let keys = value.members().count();
            assert!(keys <= 2 && (cut < 21 || keys >= 1), "{cut}: {keys}");
        }
        assert_eq!(Value::first(br#"{"a":1 "b":2"#).unwrap().members().count(), 1);
    }

    #[test]
    fn escapes() {
        for (text, told) in [
            (r"a\/b\\\t", &b"a/b\\\t"[..]),
            (r"\ud83d\ude00!", "😀!".as_bytes()),
            (r"\ud83dx", b"\xed\xa0\xbdx"),
            (r"\ud83d\u0041", b"\xed\xa0\xbdA"),
            (r"\u12", b"u12"),
            (r"\", b"\\"),
        ] {
            assert_eq!(json_unescaped(text.as_bytes()), told, "{text}");
        }
    }

    #[test]
    fn depth_costs_nothing() {
        let text = [b"[".repeat(1_000_000), b"]".repeat(1_000_000)].concat();
        let value = Value::first(&text).unwrap();
        assert_eq!((value.bytes().len(), value.items().count()), (2_000_000, 1));
    }
}
