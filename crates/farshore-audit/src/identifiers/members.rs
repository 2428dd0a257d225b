//! Which member of a JSON text a place is in: the names that lead there. It refuses to judge the text: whatever is no JSON gives no
//! names, and what breaks the grammar later gives those that were read so far.

use std::ops::Range;

/// Bytes of a name that stand in a path.
const LONGEST_NAME: usize = 64;
/// Names of one path; what lies deeper goes under the last.
const MOST_NAMES: usize = 6;
/// Containers that are kept apart.
const DEEPEST: usize = 256;

/// Reads a text once, from place to place.
pub(super) struct Members<'a> {
    /// Nothing where it is no JSON.
    text: &'a [u8],
    at: usize,
    /// The name that each open container stands under, or none.
    open: Vec<Option<Range<usize>>>,
    /// Containers open beyond those.
    deeper: usize,
    /// The name that the next value stands under.
    name: Option<Range<usize>>,
    /// The latest string, if it is a name: a place in it stands under those around it.
    latest: Range<usize>,
}

impl<'a> Members<'a> {
    pub fn of(text: &'a [u8]) -> Self {
        Self {
            text: if is_json(text) { text } else { &[] },
            at: 0,
            open: Vec::new(),
            deeper: 0,
            name: None,
            latest: 0..0,
        }
    }

    /// The names that lead to a place, joined by dots; places come in order.
    pub fn at(&mut self, place: usize) -> String {
        while self.at <= place && self.step().is_some() {}
        if self.text.is_empty() {
            return String::new();
        }
        let own = self.name.as_ref().filter(|_| !self.latest.contains(&place));
        let names = self.open.iter().flatten().chain(own).take(MOST_NAMES);
        let names = names.filter_map(|it| self.text.get(it.clone()));
        names.map(spelled).collect::<Vec<_>>().join(".")
    }

    /// Passes a byte that matters, and the string it begins.
    fn step(&mut self) -> Option<()> {
        let byte = self.text.get(self.at)?;
        self.at = self.at.saturating_add(1);
        match byte {
            b'"' => {
                let start = self.at;
                let end = self.end(start)?;
                self.at = end.saturating_add(1);
                if self.names_a_value(end) {
                    self.name = Some(start..end);
                    self.latest = start..end;
                }
            }
            b'{' | b'[' if self.open.len() >= DEEPEST => self.deeper = self.deeper.saturating_add(1),
            b'{' | b'[' => self.open.push(self.name.take()),
            b'}' | b']' if self.deeper > 0 => self.deeper = self.deeper.saturating_sub(1),
            b'}' | b']' => self.name = self.open.pop().flatten(),
            b',' if self.open.is_empty() => self.name = None,
            _ => {}
        }
        Some(())
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

    fn names_a_value(&self, end: usize) -> bool {
        let after = self.text.get(end.saturating_add(1)..).unwrap_or_default();
        after.iter().find(|it| !it.is_ascii_whitespace()) == Some(&b':')
    }
}

/// Whether a text begins as an object or array does (RFC 8259, sections 4 and 5).
fn is_json(text: &[u8]) -> bool {
    match text.trim_ascii_start().split_first() {
        Some((b'{', rest)) => matches!(rest.trim_ascii_start().first(), Some(b'"')),
        Some((b'[', rest)) => matches!(rest.trim_ascii_start().first(), Some(b'"' | b'{' | b'[' | b'-' | b'0'..=b'9')),
        _ => false,
    }
}

/// A name as it stands in a path: characters of tokens (RFC 9110, section 5.6.2) in lower case, others as `_`.
fn spelled(name: &[u8]) -> String {
    let safe = |it: &u8| match it {
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~' => char::from(*it),
        it if it.is_ascii_alphanumeric() => char::from(it.to_ascii_lowercase()),
        _ => '_',
    };
    name.iter().take(LONGEST_NAME).map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str, values: &[&str]) -> Vec<String> {
        let mut members = Members::of(text.as_bytes());
        values.iter().map(|it| members.at(text.find(it).unwrap())).collect()
    }

    #[test]
    fn a_place_is_named_by_what_leads_there() {
        let text = r#"{"a":1,"Device":{"imei" : "353","list":[{"x y":true},"two",3.5]},"e@f":{"g":null}, "z":9}"#;
        assert_eq!(
            names(text, &["1", "353", "true", "two", "3.5", "e@f", "null", "9"]),
            [
                "a",
                "device.imei",
                "device.list.x_y",
                "device.list",
                "device.list",
                "",
                "e_f.g",
                "z"
            ]
        );
        // One document after the other, and names in escapes.
        assert_eq!(names("{\"a\":\"q\\\"\\\\\",\"b\":1}\n{\"c\":2}", &["1", "2"]), ["b", "c"]);
        assert_eq!(names(r#"[{"a":5},{"b":6}]"#, &["5", "6"]), ["a", "b"]);
        assert_eq!(names(r#"{"a":{"b":{"c":{"d":{"e":{"f":{"g":7}}}}}}}"#, &["7"]), ["a.b.c.d.e.f"]);
    }

    #[test]
    fn what_is_no_json_has_no_names() {
        for text in ["{a:1}", "a=1&b={\"c\":1}", "[x]", "", "{}", "{ color: 1 }"] {
            assert_eq!(Members::of(text.as_bytes()).at(text.len().saturating_sub(2)), "", "{text}");
        }
        for cut in 0..20 {
            let text = r#"{"a":{"b":["c","d"]}}"#.get(..cut).unwrap();
            Members::of(text.as_bytes()).at(cut);
        }
    }
}
