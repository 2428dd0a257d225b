//! Words of text that no protocol reads: what stands behind a key, the n-th word of a line that begins alike, and the parts of
//! a path. It refuses to know any grammar: a key is what stands before `=` or `:`, and a path has slashes.

use std::collections::BTreeMap;
use std::ops::Range;

use super::structure::Element;

/// Words of one message.
const WORDS: usize = 96;
/// Bytes of a key.
const KEY: usize = 40;
/// Words among which the one is looked for that tells what a line is: tags and times stand before it.
const HEADS: usize = 4;
/// Bytes before a text that frame it: a length, a kind.
const FRAMING: usize = 6;
/// Bytes of a text behind such.
const FRAMED: usize = 8;

/// Whether bytes are text as people's protocols have it.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    bytes.len() >= 4 && bytes.iter().all(is_plain)
}

fn is_plain(it: &u8) -> bool {
    it.is_ascii_graphic() || matches!(it, b' ' | b'\t' | b'\r' | b'\n')
}

/// Where text begins that a few bytes frame, and goes on to the end; 0 where all is text.
pub(super) fn framed(bytes: &[u8]) -> Option<usize> {
    let framing = bytes.get(..FRAMING.min(bytes.len())).unwrap_or_default();
    let start = framing.iter().rposition(|it| !is_plain(it)).map_or(0, |it| it.saturating_add(1));
    let text = bytes.get(start..).unwrap_or_default();
    // A word of one letter is one; behind other bytes it may be a number that looks so.
    (text.iter().all(is_plain) && (start == 0 || text.len() >= FRAMED)).then_some(start)
}

/// The words of a text that begins there, by the key before them, and by their number behind the first that is no number.
pub(super) fn words(text: &[u8], begins: usize) -> Vec<Element> {
    let mut found: Vec<Element> = Vec::new();
    let mut keys: BTreeMap<String, usize> = BTreeMap::new();
    let (mut at, mut number) = (begins, 0_usize);
    let head = head(text, begins);
    let mut kind: Option<String> = None;
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
        // A number before a colon is a length, an hour or a port; before a sign of equality it is a tag.
        let is_named = |it: &&[u8]| !it.iter().all(u8::is_ascii_digit) || gap.contains(&b'=');
        if let Some(key) = key.and_then(|it| text.get(it.clone())).filter(is_named) {
            let key = String::from_utf8_lossy(key).into_owned();
            let times = keys.entry(key.clone()).or_default();
            *times = times.saturating_add(1);
            let again = if *times > 1 { format!(" ({times})") } else { String::new() };
            found.push((format!("key {key}{again}"), word.clone()));
            // What the first key says may be the kind of message, and the same key another thing in each.
            match kind.as_deref() {
                Some("") => {}
                Some(kind) => found.push((format!("key {key}{again} of {kind}"), word.clone())),
                None => kind = Some(text.get(word.clone()).and_then(name).unwrap_or_default()),
            }
        }
        if word != head && head.len() <= KEY {
            let head = String::from_utf8_lossy(text.get(head.clone()).unwrap_or_default());
            found.push((format!("word {} behind {head}", number.saturating_add(1)), word.clone()));
        }
        if key.is_none() {
            parts(text, &word, &mut found);
        }
        number = number.saturating_add(1);
        at = word.end;
        before = Some(word);
    }
    found
}

/// The word that tells what a line is: the first that is no number, if one stands near the beginning.
fn head(text: &[u8], begins: usize) -> Range<usize> {
    let mut words = std::iter::successors(next_word(text, begins), |it| next_word(text, it.end));
    let first = words.clone().next().unwrap_or_default();
    let is_number = |it: &Range<usize>| text.get(it.clone()).is_some_and(|it| it.iter().all(u8::is_ascii_digit));
    words.by_ref().take(HEADS).find(|it| !is_number(it)).unwrap_or(first)
}

/// A word that may name something.
fn name(word: &[u8]) -> Option<String> {
    let letters = |it: &u8| it.is_ascii_alphabetic() || b"-_.".contains(it);
    let is_name = (1..=KEY).contains(&word.len()) && word.iter().all(letters);
    is_name.then(|| String::from_utf8_lossy(word).into_owned())
}

/// The parts of a path, by the word before them and by their number.
fn parts(text: &[u8], word: &Range<usize>, found: &mut Vec<Element>) {
    let path = text.get(word.clone()).unwrap_or_default();
    let slashes = path.iter().filter(|it| **it == b'/').count();
    // One slash may be a letter of base64, or part of a version.
    if slashes == 0 || slashes == 1 && path.first() != Some(&b'/') {
        return;
    }
    let (mut start, mut before): (usize, Option<String>) = (word.start, None);
    let parts = path.split(|it| *it == b'/');
    for (number, part) in (1_usize..).zip(parts).take(WORDS) {
        let range = start..start.saturating_add(part.len());
        start = range.end.saturating_add(1);
        let behind = std::mem::replace(&mut before, name(part));
        if part.is_empty() {
            continue;
        }
        if let Some(behind) = behind {
            found.push((format!("part behind {behind}"), range.clone()));
        }
        if number > 1 {
            found.push((format!("path, part {number}"), range));
        }
    }
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
        let found = words(text, 0);
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
        assert!(is_text(text) && !is_text(b"\x00abc") && words(b" ;; ", 0).is_empty());
    }
    #[test]
    fn a_line_is_told_by_its_first_word_that_is_no_number() {
        let named = |text: &[u8], name: &str| {
            let found = words(text, 0).into_iter().find(|it| it.0 == name);
            found.map(|it| String::from_utf8_lossy(&text[it.1]).into_owned())
        };
        assert_eq!(named(b"5:login,9:430298321,", "word 4 behind login").as_deref(), Some("430298321"));
        assert_eq!(named(b"001 77 Welcome", "word 1 behind Welcome").as_deref(), Some("001"));
        assert_eq!(named(b"17 18 19 20 21", "word 3 behind 17").as_deref(), Some("19"));
        assert_eq!(
            (
                named(b"5:login,9:430298321,", "key 9"),
                named(b"35=D|49=ALICE", "key 49").as_deref()
            ),
            (None, Some("ALICE"))
        );
    }

    #[test]
    fn paths_have_parts_and_base64_has_none() {
        let named = |text: &[u8]| -> Vec<(String, String)> {
            let of_paths = words(text, 0).into_iter().filter(|it| it.0.starts_with("pa"));
            of_paths
                .map(|it| (it.0, String::from_utf8_lossy(&text[it.1]).into_owned()))
                .collect()
        };
        let part = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            named(b"/rooms/77/join"),
            [
                part("path, part 2", "rooms"),
                part("part behind rooms", "77"),
                part("path, part 3", "77"),
                part("path, part 4", "join")
            ]
        );
        assert_eq!(named(b"HELLO cm9v/S03Nw== room=a/b/c"), []);
    }

    #[test]
    fn text_is_seen_behind_the_bytes_that_frame_it() {
        assert_eq!(framed(b"{\"op\":\"join\"}"), Some(0));
        assert_eq!(framed(b"\x9b\x01{\"op\":\"join\"}"), Some(2));
        assert_eq!(framed(b"\x00\x00\x00\x0e{\"op\":\"join\"}"), Some(4));
        assert_eq!(framed(b"*"), Some(0));
        assert_eq!((framed(b"\x00\x03abc"), framed(b"{\"op\":\"\x01oin\"}")), (None, None));
    }
}
