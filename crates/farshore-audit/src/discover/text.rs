//! Words of text that no protocol reads: what stands behind a key, and the n-th word of a line that begins alike. It refuses
//! to know any grammar: a key is what stands before `=` or `:`.

use std::collections::BTreeMap;
use std::ops::Range;

use super::structure::Element;

/// Words of one message.
const WORDS: usize = 96;
/// Bytes of a key.
const KEY: usize = 40;

/// Whether bytes are text as people's protocols have it.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    let plain = |it: &&u8| it.is_ascii_graphic() || matches!(it, b' ' | b'\t' | b'\r' | b'\n');
    bytes.len() >= 4 && bytes.iter().filter(plain).count() == bytes.len()
}

/// The words of a text, by the key before them, and by their number behind the first one.
pub(super) fn words(text: &[u8]) -> Vec<Element> {
    let mut found: Vec<Element> = Vec::new();
    let mut keys: BTreeMap<String, usize> = BTreeMap::new();
    let (mut at, mut number) = (0_usize, 0_usize);
    let mut first: Option<String> = None;
    let mut before: Option<Range<usize>> = None;
    while let Some(word) = next_word(text, at) {
        if number >= WORDS {
            break;
        }
        let gap = before
            .as_ref()
            .and_then(|before| text.get(before.end..word.start))
            .unwrap_or_default();
        let key = before
            .as_ref()
            .filter(|it| it.len() <= KEY && gap.iter().any(|it| matches!(it, b'=' | b':')));
        if let Some(key) = key.and_then(|it| text.get(it.clone())) {
            let key = String::from_utf8_lossy(key).into_owned();
            let times = keys.entry(key.clone()).or_default();
            *times = times.saturating_add(1);
            let again = if *times > 1 { format!(" ({times})") } else { String::new() };
            found.push((format!("key {key}{again}"), word.clone()));
        }
        let head = first.get_or_insert_with(|| {
            text.get(word.clone())
                .map(|it| String::from_utf8_lossy(it).into_owned())
                .unwrap_or_default()
        });
        if number > 0 && head.len() <= KEY {
            found.push((format!("word {} behind {head}", number.saturating_add(1)), word.clone()));
        }
        number = number.saturating_add(1);
        at = word.end;
        before = Some(word);
    }
    found
}

/// The next run of bytes that are no delimiters.
fn next_word(text: &[u8], at: usize) -> Option<Range<usize>> {
    let start = text.iter().skip(at).position(|it| !is_delimiter(*it))?.checked_add(at)?;
    let length = text.iter().skip(start).position(|it| is_delimiter(*it));
    let mut end = length.map_or(text.len(), |it| it.saturating_add(start));
    // The padding of base64 belongs to it; a key's sign does not.
    let padding = text.iter().skip(end).take_while(|it| **it == b'=').count();
    let behind = text.get(end.saturating_add(padding));
    if padding > 0 && padding <= 2 && end.saturating_sub(start) >= 4 && behind.is_none_or(|it| is_delimiter(*it)) {
        end = end.saturating_add(padding);
    }
    Some(start..end)
}

fn is_delimiter(it: u8) -> bool {
    it.is_ascii_whitespace() || b",;&|=:?\"'{}[]<>()".contains(&it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_named_by_key_and_by_number() {
        let text = b"JOIN uid=1009431&room=cm9vbS03Nw== {\"device\": \"a-b-c\"}";
        let found = words(text);
        let value = |name: &str| {
            let at = found
                .iter()
                .find(|it| it.0 == name)
                .unwrap_or_else(|| panic!("no {name} in {found:?}"));
            std::str::from_utf8(&text[at.1.clone()]).unwrap()
        };
        assert_eq!(value("key uid"), "1009431");
        assert_eq!(value("key room"), "cm9vbS03Nw==");
        assert_eq!(value("key device"), "a-b-c");
        assert_eq!(value("word 3 behind JOIN"), "1009431");
        assert!(is_text(text) && !is_text(b"\x00abc") && words(b" ;; ").is_empty());
    }
}
