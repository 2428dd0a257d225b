//! JSON (RFC 8259), also several values one after the other: the text as it stands, but for strings with escapes, which are told
//! apart under the names that lead to them.
//!
//! In the text such strings are blanked, so that no value is told with half an escape before it. Lenient: whatever breaks the
//! grammar is text.

use std::ops::Range;

use farshore_model::text::json_unescaped;

use super::{Teller, Text};

/// Nested containers that are followed; what lies deeper goes under the names so far.
const DEEPEST: usize = 256;

/// Tells the text, and what is escaped in it.
pub(super) fn tell(teller: &mut Teller<'_>, text: Text<'_>) {
    if !text.bytes.contains(&b'\\') {
        teller.leaf(text, 0..text.bytes.len());
        return;
    }
    let mut blanked = text.bytes.to_vec();
    let mut strings = Strings::new(text.bytes);
    while let Some(string) = strings.next() {
        let raw = text.bytes.get(string.clone()).unwrap_or_default();
        if !raw.contains(&b'\\') || strings.is_key(string.end) {
            continue;
        }
        if !teller.may() {
            break;
        }
        if let Some(place) = blanked.get_mut(string.clone()) {
            place.fill(b' ');
        }
        let value = json_unescaped(raw);
        let at = (text.place)(string.clone());
        let names = strings.names(text.bytes);
        teller.under("json", |teller| nest(teller, &names, &mut |teller| inner(teller, &value, at)));
    }
    let whole = (text.place)(0..text.bytes.len());
    teller.value(&blanked, whole);
}

/// A string may hold another document.
fn inner(teller: &mut Teller<'_>, value: &[u8], at: farshore_model::Span) {
    let place = |_: Range<usize>| at;
    let text = Text {
        bytes: value,
        place: &place,
    };
    match value.trim_ascii_start().first() {
        Some(b'{' | b'[') if value.contains(&b'\\') => tell(teller, text),
        _ => teller.value(value, at),
    }
}

/// Calls with all these names in the path.
fn nest(teller: &mut Teller<'_>, names: &[&[u8]], go_on: &mut dyn FnMut(&mut Teller<'_>)) {
    match names.split_first() {
        Some((first, rest)) => teller.named(first, |teller| nest(teller, rest, go_on)),
        None => go_on(teller),
    }
}

/// The strings of a text, one after the other, and where among names they stand.
struct Strings<'a> {
    text: &'a [u8],
    at: usize,
    /// The key that each open container stands under, or none.
    open: Vec<Option<Range<usize>>>,
    /// Containers open beyond those.
    deeper: usize,
    /// The key that the next value stands under.
    key: Option<Range<usize>>,
}

impl<'a> Strings<'a> {
    const fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            at: 0,
            open: Vec::new(),
            deeper: 0,
            key: None,
        }
    }

    /// The inside of the next string.
    fn next(&mut self) -> Option<Range<usize>> {
        loop {
            let byte = self.text.get(self.at)?;
            self.at = self.at.saturating_add(1);
            match byte {
                b'"' => {
                    let start = self.at;
                    let end = self.end(start)?;
                    self.at = end.saturating_add(1);
                    if self.is_key(end) {
                        self.key = Some(start..end);
                    }
                    return Some(start..end);
                }
                b'{' | b'[' if self.open.len() >= DEEPEST => self.deeper = self.deeper.saturating_add(1),
                b'{' | b'[' => self.open.push(self.key.take()),
                b'}' | b']' if self.deeper > 0 => self.deeper = self.deeper.saturating_sub(1),
                b'}' | b']' => self.key = self.open.pop().flatten(),
                b',' if self.open.is_empty() => self.key = None,
                _ => {}
            }
        }
    }

    /// Where a string that begins here ends.
    fn end(&self, start: usize) -> Option<usize> {
        let mut at = start;
        loop {
            match self.text.get(at)? {
                b'"' => return Some(at),
                b'\\' => at = at.saturating_add(2),
                _ => at = at.saturating_add(1),
            }
        }
    }

    /// Whether the string that ends here names a value.
    fn is_key(&self, end: usize) -> bool {
        let after = self.text.get(end.saturating_add(1)..).unwrap_or_default();
        after.iter().find(|it| !it.is_ascii_whitespace()) == Some(&b':')
    }

    /// The names that lead to the latest string.
    fn names<'t>(&self, text: &'t [u8]) -> Vec<&'t [u8]> {
        let keys = self.open.iter().chain(std::iter::once(&self.key)).flatten();
        keys.filter_map(|it| text.get(it.clone())).collect()
    }
}
