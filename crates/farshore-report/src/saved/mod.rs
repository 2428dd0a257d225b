//! Saved audits: what `--format json` wrote, read back as the [`Audit`] it was written from.
//!
//! `farshore.audit/1` of older programs is read too: what was added later may be missing, and is then told apart from what is
//! not there. It refuses every other form and version, anything that contradicts itself, and to guess. Facts (`observations`) are
//! passed over: nothing is compared by them.

mod audit;
mod shapes;
mod time;
mod words;

use std::fmt;
use std::io::Read;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use farshore_model::{Audit, Runs};

use crate::v1;

/// Bytes of the largest file that is read. What is made of it is a small multiple of that.
pub const LARGEST: u64 = 1 << 30;

/// An audit that was written down.
#[derive(Debug)]
pub struct Saved {
    /// The audit. Values cannot be compared with those of another by their prints, only by their digests; its flows are there if
    /// they were written.
    pub audit: Audit,
    /// In which input what was seen; `None` where an older program did not tell.
    pub runs: Option<Runs>,
    /// Whether flows were written. Where they were not, ids of flows lead nowhere.
    pub has_flows: bool,
}

/// Why a file is no saved audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1; 0 where it concerns the whole.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What is wrong, and what was expected.
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { line: 0, problem, .. } => f.write_str(problem),
            Self { line, column, problem } => write!(f, "line {line}, column {column}: {problem}"),
        }
    }
}

impl std::error::Error for Mistake {}

impl Mistake {
    fn whole(problem: impl Into<String>) -> Self {
        Self {
            line: 0,
            column: 0,
            problem: problem.into(),
        }
    }
}

impl From<serde_json::Error> for Mistake {
    fn from(it: serde_json::Error) -> Self {
        let said = it.to_string();
        // The place stands at the end, and is told by itself.
        let place = format!(" at line {} column {}", it.line(), it.column());
        let said = said.strip_suffix(&place).unwrap_or(&said);
        let problem = if it.is_eof() {
            format!("the file ends inside the audit ({said}): it was cut short, expected the whole of what --format json writes")
        } else {
            said.to_owned()
        };
        Self {
            line: it.line(),
            column: it.column(),
            problem,
        }
    }
}

/// Reads a saved audit.
pub fn read(bytes: &[u8]) -> Result<Saved, Mistake> {
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LARGEST {
        return Err(Mistake::whole(format!(
            "it is larger than {LARGEST} bytes, the most that is read of a saved audit"
        )));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match schema(bytes) {
        Some(Schema::Named(name)) if name == v1::SCHEMA => {}
        Some(Schema::Named(name)) => return Err(Mistake::whole(other(&name))),
        Some(Schema::Line) => {
            return Err(Mistake::whole(
                "it is an audit in NDJSON, one object a line; expected one object, as --format json writes it",
            ));
        }
        None => {
            // Either no JSON, and then that is said with its place, or some other.
            serde_json::from_slice::<IgnoredAny>(bytes)?;
            return Err(Mistake::whole(format!(
                "it is JSON and no saved audit: expected an object with \"schema\": \"{}\", as `farshore audit --format json` writes it",
                v1::SCHEMA
            )));
        }
    }
    let shape: shapes::Audit = serde_json::from_slice(bytes)?;
    audit::of(shape).map_err(Mistake::whole)
}

/// What to do about another form.
fn other(name: &str) -> String {
    let shown = words::quoted(name);
    let audit = format!(
        "expected \"schema\": \"{}\", as `farshore audit --format json` writes it",
        v1::SCHEMA
    );
    match name.split_once('/') {
        Some(("farshore.audit", _)) => format!("it is {shown}, an audit in a version this program does not read; {audit}"),
        Some(("farshore.who", _)) => format!("it is {shown}, the answer to `farshore who`, which is about no capture; {audit}"),
        Some((family, _)) if family.starts_with("farshore.") => format!("it is {shown}, another output of farshore; {audit}"),
        _ => format!("it is {shown}; {audit}"),
    }
}

/// Whether a file means to be a saved audit or another output of this program: JSON whose `schema` says so, in whatever version.
/// A recording is JSON too, and is none. Of a saved audit no more is read than stands before its schema.
pub fn is_saved(reader: impl Read) -> bool {
    matches!(of_reader(reader), Some(Schema::Named(name)) if name.starts_with("farshore."))
}

/// What an object says it is.
#[derive(Debug, PartialEq, Eq)]
enum Schema {
    Named(String),
    /// One line of several.
    Line,
}

fn schema(bytes: &[u8]) -> Option<Schema> {
    let mut it = serde_json::Deserializer::from_slice(bytes);
    found(|seed| drop(seed.deserialize(&mut it)))
}

fn of_reader(mut reader: impl Read) -> Option<Schema> {
    // A mark of the byte order is no JSON. What follows is read byte by byte, from a buffer.
    let mut start = [0; 3];
    let mut had = 0;
    while let Some(room) = start.get_mut(had..).filter(|it| !it.is_empty()) {
        match reader.read(room) {
            Ok(0) => break,
            Ok(more) => had = had.saturating_add(more),
            Err(it) if it.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    let start = start.get(..had).unwrap_or_default();
    let start = if start == b"\xef\xbb\xbf" { &[][..] } else { start };
    // Captures are told by their first byte.
    if start.iter().find(|it| !it.is_ascii_whitespace()).is_some_and(|it| *it != b'{') {
        return None;
    }
    let whole = std::io::BufReader::new(start.chain(reader.take(LARGEST)));
    let mut it = serde_json::Deserializer::from_reader(whole);
    found(|seed| drop(seed.deserialize(&mut it)))
}

/// What the search comes upon. It stops there: what the rest is like does not matter, nor that it was not read.
fn found(search: impl FnOnce(Search<'_>)) -> Option<Schema> {
    let mut found = None;
    search(Search(&mut found));
    found
}

/// Looks for the schema of an object.
struct Search<'f>(&'f mut Option<Schema>);

impl<'de> DeserializeSeed<'de> for Search<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Search<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "schema" => {
                    *self.0 = Some(Schema::Named(map.next_value()?));
                    return Ok(());
                }
                "type" => {
                    if map.next_value::<String>()? == "audit" {
                        *self.0 = Some(Schema::Line);
                        return Ok(());
                    }
                }
                // The one key of a recording (HAR), which can be long.
                "log" => return Ok(()),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_to_be_an_audit_is_told_from_other_json() {
        let is = |text: &str| is_saved(text.as_bytes());
        assert!(is(r#"{"schema":"farshore.audit/1","#));
        assert!(is("\u{feff}  {\"anomalies\":[{\"schema\":1}], \"schema\" : \"farshore.who/1\"}"));
        assert!(is("{ }".replace(' ', "\"a\":1,\n\"schema\":\"farshore.audit/9\"").as_str()));
        for other in [
            r#"{"log":{"version":"1.2","schema":"farshore.audit/1"},"schema":"farshore.audit/1"}"#,
            r#"{"schema":1}"#,
            r#"{"schema":"https://json-schema.org"}"#,
            r#"[{"schema":"farshore.audit/1"}]"#,
            r#"{"a":{"schema":"farshore.audit/1"}}"#,
            "\u{0}\u{1}{\"schema\":\"farshore.audit/1\"}",
            "",
            "{",
        ] {
            assert!(!is(other), "{other}");
        }
    }

    #[test]
    fn what_is_none_is_refused_with_words_that_help() {
        for (text, wanted) in [
            ("", "line 1, column 0: the file ends inside the audit"),
            (
                "{\"schema\":\"farshore.audit/1\",\"tool\"",
                "line 1, column 35: the file ends inside the audit",
            ),
            (
                "{\n \"schema\": \"farshore.audit/1\",\n \"tool\": 7}",
                "line 3, column 10: invalid type: integer `7`, expected struct Tool",
            ),
            ("{\"schema\":\"farshore.audit/1\"}", "line 1, column 29: missing field `tool`"),
            (
                "{\"schema\":\"farshore.audit/2\"}",
                "a version this program does not read; expected \"schema\": \"farshore.audit/1\"",
            ),
            ("{\"schema\":\"farshore.who/1\"}", "the answer to `farshore who`"),
            ("{\"schema\":\"farshore.diff/1\"}", "another output of farshore"),
            ("{\"schema\":\"\u{1b}[2J\"}", "line 1, column 11: control character"),
            ("{\"schema\":\"\\u001b[2J\"}", "it is `\\u{1b}[2J`"),
            ("{\"type\":\"audit\",\"audit\":{}}\n{}", "NDJSON"),
            ("{\"log\":{}}", "it is JSON and no saved audit"),
            ("[1,]", "line 1, column 4: expected value"),
            ("pcap", "line 1, column 1: expected value"),
        ] {
            let said = read(text.as_bytes()).unwrap_err().to_string();
            assert!(said.contains(wanted), "{text:?}: {said}");
        }
    }
}
