//! Typed netstrings (<https://tnetstrings.info/>) walked where they stand: `length:bytes` and a letter for the type.
//!
//! Lenient: what is cut is read up to the cut. Nothing is built, and nothing here calls itself.

use farshore_model::exchange::Excerpt;

/// Digits of a length; nine hold a gigabyte.
const DIGITS: usize = 12;

/// A value in a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'a> {
    text: &'a [u8],
    start: usize,
    end: usize,
    kind: u8,
}

/// Where the bytes of a value begin that begins here, and how many there are.
pub(super) fn head(text: &[u8]) -> Option<(usize, u64)> {
    let digits = text.iter().take(DIGITS).take_while(|it| it.is_ascii_digit()).count();
    let number = std::str::from_utf8(text.get(..digits)?).ok()?.parse().ok()?;
    (text.get(digits) == Some(&b':')).then_some((digits.saturating_add(1), number))
}

impl<'a> Value<'a> {
    /// A dictionary that is all of the text, or as much of it as there is.
    pub(super) const fn dictionary(text: &'a [u8]) -> Self {
        Self {
            text,
            start: 0,
            end: text.len(),
            kind: b'}',
        }
    }

    fn bytes(self) -> &'a [u8] {
        self.text.get(self.start..self.end).unwrap_or_default()
    }

    /// Its members, if it is a dictionary.
    pub(super) fn members(self) -> Members<'a> {
        Members(self.parts(b'}'))
    }

    /// The member of that name.
    pub(super) fn get(self, name: &str) -> Option<Self> {
        self.members().find(|(key, _)| *key == name.as_bytes()).map(|(_, value)| value)
    }

    /// Its items, if it is a list.
    pub(super) fn items(self) -> Items<'a> {
        Items(self.parts(b']'))
    }

    const fn parts(self, kind: u8) -> Parts<'a> {
        Parts {
            text: self.text,
            at: self.start,
            end: if self.kind == kind { self.end } else { self.start },
        }
    }

    /// Bytes or text, and where they stand.
    pub(super) fn excerpt(self) -> Option<Excerpt<'a>> {
        matches!(self.kind, b',' | b';').then(|| Excerpt::plain(self.bytes(), self.start as u64))
    }

    /// Text, for comparisons.
    pub(super) fn text(self) -> Option<&'a str> {
        matches!(self.kind, b',' | b';')
            .then(|| std::str::from_utf8(self.bytes()).ok())
            .flatten()
    }

    /// A whole number or one with a fraction.
    pub(super) fn number(self) -> Option<f64> {
        matches!(self.kind, b'#' | b'^')
            .then(|| std::str::from_utf8(self.bytes()).ok()?.parse().ok())
            .flatten()
    }

    /// A truth value, or a number that stands for one.
    pub(super) fn truth(self) -> Option<bool> {
        match self.kind {
            b'!' => Some(self.bytes() == b"true"),
            b'#' => Some(self.bytes() != b"0"),
            _ => None,
        }
    }
}

struct Parts<'a> {
    text: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Parts<'a> {
    /// The next value. One that is cut is there as far as it goes if it holds others.
    fn value(&mut self) -> Option<Value<'a>> {
        let rest = self.text.get(self.at..self.end)?;
        let (before, length) = head(rest)?;
        let start = self.at.saturating_add(before);
        let whole = start.saturating_add(usize::try_from(length).ok()?);
        self.at = whole.saturating_add(1);
        let kind = self.text.get(whole).copied().filter(|_| whole < self.end);
        // Cut: what it is can be told by what it holds.
        let cut = |inside: &[u8]| {
            head(inside).is_some_and(|(before, length)| {
                let mark = before.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
                matches!(inside.get(mark), Some(b',' | b';'))
            })
        };
        let inside = self.text.get(start..self.end).unwrap_or_default();
        Some(Value {
            text: self.text,
            start,
            end: whole.min(self.end),
            kind: match kind {
                Some(kind) => kind,
                None if cut(inside) => b'}',
                None => return None,
            },
        })
    }
}

/// The members of a dictionary.
pub(super) struct Members<'a>(Parts<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.0.value()?;
        let key = matches!(key.kind, b',' | b';').then(|| key.bytes())?;
        Some((key, self.0.value()?))
    }
}

/// The items of a list.
pub(super) struct Items<'a>(Parts<'a>);

impl<'a> Iterator for Items<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_ranges_of_the_text() {
        let text = b"1:a,5:hello;1:b;10:1:1#3:0.5^]1:c,4:true!1:d,0:~1:e,8:1:f,1:2#}";
        let it = Value::dictionary(text);
        let said = it.get("a").and_then(Value::excerpt).unwrap();
        assert_eq!((&*said.bytes, said.offset, said.length), (&b"hello"[..], 6, 5));
        let items: Vec<_> = it.get("b").unwrap().items().map(Value::number).collect();
        assert_eq!(items, [Some(1.0), Some(0.5)]);
        assert_eq!(it.get("c").and_then(Value::truth), Some(true));
        assert_eq!(it.get("d").and_then(Value::excerpt), None);
        assert_eq!(it.get("e").and_then(|it| it.get("f")).and_then(Value::number), Some(2.0));
        assert_eq!(it.members().count(), 5);
        for cut in 0..text.len() {
            assert!(Value::dictionary(&text[..cut]).members().count() <= 5);
        }
        let cut = Value::dictionary(b"7:request;90:4:host,3:a.b,4:path,9:/long");
        assert_eq!(cut.get("request").and_then(|it| it.get("host")).and_then(Value::text), Some("a.b"));
    }

    #[test]
    fn lengths_that_lead_nowhere_end_it() {
        for text in [&b"999999999999:a"[..], b"9999999999999999:a", b":a,", b"1", b"3:a", b"-1:a,"] {
            assert_eq!(Value::dictionary(text).members().count(), 0, "{text:?}");
        }
    }
}
