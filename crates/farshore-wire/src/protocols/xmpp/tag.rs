//! Tags in a stream of markup, as they come: where one ends, its name and its attributes. No parser of XML: it knows
//! neither nesting nor entities, and refuses nothing.

use std::ops::Range;

/// Looks for the end of the next tag, each byte once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    at: usize,
    open: Option<usize>,
    quote: Option<u8>,
}

/// A tag and the text before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) text: Range<usize>,
    /// From `<` to `>`.
    pub(super) tag: Range<usize>,
}

impl Scan {
    /// Whether nothing of the next tag was looked at.
    pub(super) const fn is_fresh(&self) -> bool {
        self.at == 0
    }

    /// The next tag, counted from the front of `bytes`; what was looked at must still be there at the next call, unless a
    /// tag was found: then it must be gone.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Option<Found> {
        while let Some(&byte) = bytes.get(self.at) {
            let here = self.at;
            self.at = here.saturating_add(1);
            match (self.open, self.quote, byte) {
                (None, _, b'<') => self.open = Some(here),
                (Some(_), None, b'\'' | b'"') => self.quote = Some(byte),
                (Some(_), Some(quote), _) if quote == byte => self.quote = None,
                (Some(open), None, b'>') => {
                    let tag = open..self.at;
                    *self = Self::default();
                    return Some(Found { text: 0..open, tag });
                }
                _ => {}
            }
        }
        None
    }
}

/// A tag taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    /// Its name without the namespace's.
    pub(super) name: Range<usize>,
    /// It ends an element.
    pub(super) closes: bool,
    /// It is an element by itself.
    pub(super) empty: bool,
    /// Names, and values without their quotes.
    pub(super) attributes: Vec<(Range<usize>, Range<usize>)>,
}

impl Tag {
    /// Reads the tag at `range`, from `<` to `>`.
    pub(super) fn read(bytes: &[u8], range: Range<usize>) -> Self {
        let mut walk = Walk {
            bytes: bytes.get(..range.end.saturating_sub(1)).unwrap_or(bytes),
            at: range.start.saturating_add(1),
        };
        let closes = walk.skip(b'/');
        let whole = walk.word();
        let colon = bytes.get(whole.clone()).and_then(|it| it.iter().position(|byte| *byte == b':'));
        let mut tag = Self {
            name: colon.map_or(whole.start, |it| whole.start.saturating_add(it).saturating_add(1))..whole.end,
            closes,
            empty: walk.bytes.last() == Some(&b'/'),
            attributes: Vec::new(),
        };
        loop {
            walk.blanks();
            let name = walk.word();
            if name.is_empty() {
                return tag;
            }
            walk.blanks();
            if !walk.skip(b'=') {
                continue;
            }
            walk.blanks();
            let Some(value) = walk.quoted() else { return tag };
            tag.attributes.push((name, value));
        }
    }
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Walk<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn those(&mut self, wanted: impl Fn(u8) -> bool) -> Range<usize> {
        let from = self.at;
        while self.peek().is_some_and(&wanted) {
            self.at = self.at.saturating_add(1);
        }
        from..self.at
    }

    fn word(&mut self) -> Range<usize> {
        self.those(|it| !it.is_ascii_whitespace() && !matches!(it, b'=' | b'/' | b'>' | b'\'' | b'"'))
    }

    fn blanks(&mut self) {
        self.those(|it| it.is_ascii_whitespace());
    }

    fn skip(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at = self.at.saturating_add(usize::from(there));
        there
    }

    fn quoted(&mut self) -> Option<Range<usize>> {
        let quote = self.peek().filter(|it| matches!(it, b'\'' | b'"'))?;
        self.skip(quote);
        let value = self.those(|it| it != quote);
        self.skip(quote);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, bool, bool, Vec<(String, String)>) {
        let bytes = text.as_bytes();
        let found = Scan::default().next(bytes).unwrap();
        let tag = Tag::read(bytes, found.tag);
        let part = |it: &Range<usize>| text[it.clone()].to_owned();
        let attributes = tag.attributes.iter().map(|(name, value)| (part(name), part(value))).collect();
        (part(&tag.name), tag.closes, tag.empty, attributes)
    }

    #[test]
    fn tags_are_taken_apart() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            read("text <stream:stream to='a>b' x = \"c'd\">"),
            ("stream".to_owned(), false, false, vec![pair("to", "a>b"), pair("x", "c'd")])
        );
        assert_eq!(read("</ns:body >"), ("body".to_owned(), true, false, vec![]));
        assert_eq!(read("<a b='c'/>"), ("a".to_owned(), false, true, vec![pair("b", "c")]));
        assert_eq!(read("<a b c=d e='f'>").3, vec![], "a value without quotes ends it");
        assert_eq!(read("<>").0, "");
    }

    #[test]
    fn a_tag_is_found_however_it_comes() {
        let text = b"x<a b='>'>y</a>";
        for cut in 0..10 {
            let mut scan = Scan::default();
            assert_eq!(scan.next(&text[..cut]), None);
            assert_eq!(scan.next(text), Some(Found { text: 0..1, tag: 1..10 }));
        }
    }
}
