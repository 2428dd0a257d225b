//! Values the user asks to look for, and the file they stand in. Refuses what would be found everywhere.

use std::collections::BTreeMap;
use std::ops::Range;

use farshore_model::DatumKind;
use serde::Deserialize;

/// Fewer characters than this are found in any capture by chance: such a value is refused.
pub const SHORTEST: usize = 4;
/// More bytes than this are no identifier.
pub const LONGEST: usize = 1024;

/// A value to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// What the user calls it, such as `alice`.
    pub name: String,
    /// What it is.
    pub kind: DatumKind,
    /// The value, as text.
    pub value: String,
}

/// A known value, or the file of them, that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct KnownError {
    /// What is wrong, and what was expected.
    pub problem: String,
    /// The bytes of the file it is about; `None` when the value came from no file.
    pub span: Option<Range<usize>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    known: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: toml::Spanned<String>,
    kind: toml::Spanned<String>,
    value: toml::Spanned<String>,
}

/// Reads a file of `[[known]]` entries (TOML: `name`, `kind`, `value`), no other keys.
pub fn read(text: &str) -> Result<Vec<Known>, KnownError> {
    let file: File = toml::from_str(text).map_err(|error| KnownError {
        problem: error.message().to_owned(),
        span: error.span(),
    })?;
    if file.known.is_empty() {
        return Err(KnownError {
            problem: "no `[[known]]` entry: there is nothing to look for".to_owned(),
            span: None,
        });
    }
    let mut seen = BTreeMap::new();
    let mut all = Vec::with_capacity(file.known.len());
    for entry in file.known {
        let fail = |problem: String, span: Range<usize>| KnownError { problem, span: Some(span) };
        if entry.name.get_ref().trim().is_empty() {
            return Err(fail("`name` is empty".to_owned(), entry.name.span()));
        }
        if !is_kind(entry.kind.get_ref()) {
            let problem = format!(
                "kind `{}` is not of the form `user-id`: lower-case letters, digits, dashes",
                entry.kind.get_ref()
            );
            return Err(fail(problem, entry.kind.span()));
        }
        let known = Known {
            name: entry.name.get_ref().clone(),
            kind: DatumKind::named(entry.kind.get_ref()),
            value: entry.value.get_ref().clone(),
        };
        check(&known).map_err(|problem| fail(problem, entry.value.span()))?;
        if let Some(first) = seen.insert(known.value.clone(), known.name.clone()) {
            let problem = format!("`{first}` has this value already: a finding could not say which of the two it is");
            return Err(fail(problem, entry.value.span()));
        }
        all.push(known);
    }
    Ok(all)
}

/// Whether a value can be told from chance at all.
pub(super) fn check(known: &Known) -> Result<(), String> {
    let count = known.value.chars().count();
    if count < SHORTEST {
        return Err(format!(
            "the value of `{}` has {count} characters; fewer than {SHORTEST} would be found everywhere by chance",
            known.name
        ));
    }
    if known.value.len() > LONGEST {
        return Err(format!(
            "the value of `{}` has {} bytes; {LONGEST} is the most",
            known.name,
            known.value.len()
        ));
    }
    let mut chars = known.value.chars();
    let first = chars.next();
    if chars.all(|c| Some(c) == first) {
        return Err(format!(
            "the value of `{}` is one character repeated: it would be found by chance",
            known.name
        ));
    }
    if known.value.trim() != known.value {
        return Err(format!("the value of `{}` begins or ends with white space", known.name));
    }
    Ok(())
}

/// Whether that is the form in which kinds of data are named.
pub(crate) fn is_kind(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_contract_shows() {
        let text = "[[known]]\nname = \"alice\"; kind = \"user-id\"; value = \"1009431\"\n".replace("; ", "\n");
        let known = read(&text).unwrap();
        assert_eq!(known.len(), 1);
        assert_eq!(
            (known[0].name.as_str(), known[0].kind.as_str(), known[0].value.as_str()),
            ("alice", "user-id", "1009431")
        );
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let entry = |kind: &str, value: &str| format!("[[known]]\nname = \"a\"\nkind = \"{kind}\"\nvalue = {value}\n");
        let two = entry("user-id", "\"10094\"") + &entry("room-id", "\"10094\"");
        for (text, says, about) in [
            (entry("user-id", "\"abc\""), "fewer than 4", "\"abc\""),
            (entry("user-id", "\"0000000\""), "repeated", "\"0000000\""),
            (entry("user-id", "\" 10094\""), "white space", "\" 10094\""),
            (entry("user-id", "1009431"), "expected a string", "1009431"),
            (entry("User Id", "\"10094\""), "lower-case", "\"User Id\""),
            (entry("user-id", "\"10094\"\nroom = 1"), "unknown field `room`", "room"),
            (two, "already", "\"10094\""),
            ("[known]\n".to_owned(), "", "[known]"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
            let span = error.span.clone().unwrap();
            assert_eq!(text.get(span.clone()).map(str::trim), Some(about), "{error} at {span:?}");
        }
        assert!(read("").unwrap_err().to_string().contains("nothing to look for"));
    }
}
