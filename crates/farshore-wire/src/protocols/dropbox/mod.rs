//! Dropbox's search for other computers on the local network, over UDP.
//!
//! # What is extracted, and why it matters
//! Every half minute each computer tells everybody a number that it keeps for ever, wherever it is taken:
//! `dropbox.device-id`; and the numbers of the folders it shares, by which accounts that know each other are told:
//! `dropbox.namespace`.
//!
//! # What is not
//! The transfer between computers, which is TLS.
//!
//! # How it is told
//! One object of JSON with the number of the computer and the list of folders.

use std::ops::Range;

use farshore_model::{Direction, Protection, Transport};

use super::{Begins, Dissector, Field, FirstBytes, Match, Opening, Progress, Protocol, Segment, Sink, Start};
use crate::limits::Limits;

/// Dropbox's search.
pub static DROPBOX: Dropbox = Dropbox;

/// Dropbox's search, as a [`Protocol`].
#[derive(Debug)]
pub struct Dropbox;

impl Protocol for Dropbox {
    fn id(&self) -> &'static str {
        "dropbox"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Datagrams(list) if opening.transport == Transport::Udp => {
                if list.last().is_some_and(|(_, bytes)| read(bytes).is_some()) {
                    Match::Yes
                } else {
                    Match::No
                }
            }
            Start::Datagrams(_) | Start::Stream { .. } => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins::datagram(FirstBytes::of(b"{"))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, _: &Limits) -> Box<dyn Dissector> {
        Box::new(Search)
    }
}

/// Folders told of one message; nobody shares so many that all are needed.
const MOST_FOLDERS: usize = 64;

/// Where the computer's number stands, and those of its folders.
fn read(bytes: &[u8]) -> Option<(Range<usize>, Vec<Range<usize>>)> {
    if bytes.first() != Some(&b'{') || bytes.trim_ascii_end().last() != Some(&b'}') {
        return None;
    }
    let device = number(bytes, behind(bytes, b"\"host_int\"")?)?;
    let mut next = behind(bytes, b"\"namespaces\"")?;
    let mut folders = Vec::new();
    if bytes.get(next) != Some(&b'[') {
        return None;
    }
    while folders.len() < MOST_FOLDERS {
        let from = blanks(bytes, next.saturating_add(1));
        let Some(folder) = number(bytes, from) else { break };
        next = blanks(bytes, folder.end);
        folders.push(folder);
        if bytes.get(next) != Some(&b',') {
            break;
        }
    }
    Some((device, folders))
}

/// Where the value behind a key begins.
fn behind(bytes: &[u8], key: &[u8]) -> Option<usize> {
    let at = bytes.windows(key.len()).position(|it| it == key)?;
    let colon = blanks(bytes, at.saturating_add(key.len()));
    (bytes.get(colon) == Some(&b':')).then(|| blanks(bytes, colon.saturating_add(1)))
}

fn blanks(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from.saturating_add(rest.iter().take_while(|it| it.is_ascii_whitespace()).count())
}

fn number(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let digits = bytes.get(from..)?.iter().take_while(|it| it.is_ascii_digit()).count();
    (digits > 0).then_some(from..from.saturating_add(digits))
}

/// Messages, each in its datagram.
#[derive(Debug)]
struct Search;

impl Dissector for Search {
    fn segment(&mut self, _: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let Segment::Bytes(piece) = it else { return Progress::More };
        if let Some((device, folders)) = read(piece.bytes) {
            let named = folders.into_iter().map(|it| ("dropbox.namespace", it));
            for (path, range) in std::iter::once(("dropbox.device-id", device)).chain(named) {
                let value = piece.bytes.get(range.clone()).unwrap_or_default();
                let at = piece.origin.span(range);
                out.field(Field { path, value, at });
            }
        }
        Progress::More
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::Span;

    use super::super::notebook::{damage, datagrams, read_datagrams};
    use super::*;
    use Direction::Up;

    const SEARCH: &[u8] =
        br#"{"host_int": 227304029318467201, "version": [2, 0], "displayname": "", "port": 17500, "namespaces": [402133, 1009431 ]}"#;

    #[test]
    fn the_computer_and_its_folders_are_told_in_place() {
        let out = read_datagrams(&DROPBOX, (17_500, 17_500), &[(Up, SEARCH)]);
        assert_eq!(out.values("dropbox.device-id"), ["227304029318467201"]);
        assert_eq!(out.values("dropbox.namespace"), ["402133", "1009431"]);
        assert_eq!(out.fields[0].2, Span::in_frame(1, 42 + 13, 18));
    }

    #[test]
    fn other_objects_are_not_it() {
        let verdict = |bytes: &[u8]| DROPBOX.matches(&datagrams(17_500, 17_500, &[(Up, bytes)]));
        assert_eq!(verdict(SEARCH), Match::Yes);
        for wrong in [
            &SEARCH[..SEARCH.len() - 1],
            br#"{"host_int": "x", "namespaces": []}"#,
            br#"{"host_int": 7}"#,
            br#"{"host_int": 7, "namespaces": 7}"#,
            b"{}",
            b"",
        ] {
            assert_eq!(verdict(wrong), Match::No, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn damage_never_panics() {
        damage(&DROPBOX, (17_500, 17_500), Transport::Udp, Up, SEARCH);
    }
}
