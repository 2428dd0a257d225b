//! The identification protocol (RFC 1413), over TCP: a server asks a client's machine who opened a connection.
//!
//! # What is extracted, and why it matters
//! The account of who opened it: `ident.user`, and what runs there: `ident.system`. The ports of the connection stand before it.
//!
//! # What is not
//! Errors.
//!
//! # How it is told
//! Two ports in digits, a comma between them, on a line of their own, and the same two in an answer (sections 3 and 6); of one side alone,
//! the answer.

use farshore_model::Protection;

use super::lines::{Conversation, Line, Talk, Then, Who, client_of, either_way, first};
use super::{Begins, Dissector, FirstBytes, Match, Opening, Protocol, Sink};
use crate::limits::Limits;

/// Identification.
pub static IDENT: Ident = Ident;

/// Identification, as a [`Protocol`].
#[derive(Debug)]
pub struct Ident;

impl Protocol for Ident {
    fn id(&self) -> &'static str {
        "ident"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        either_way(opening, told)
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::range(b'1', b'9'))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        Box::new(Conversation::new(Inquiry, client_of(opening, told), limits))
    }
}

/// Longer questions are not asked.
const LONGEST_QUESTION: usize = 32;

fn told(client: &[u8], server: &[u8], _: u16) -> Match {
    let asked = match first(client) {
        Some(line) => match ports(line) {
            Some((ports, b"")) => Some(ports),
            _ => return Match::No,
        },
        None if could_be_ports(client) => None,
        None => return Match::No,
    };
    match first(server) {
        Some(line) => match answer(line) {
            Some((_, ports)) if asked.is_none_or(|it| it == ports) => {
                if asked.is_some() || client.is_empty() {
                    Match::Yes
                } else {
                    Match::Maybe
                }
            }
            _ => Match::No,
        },
        None if server.len() < 512 && could_be_ports(server.get(..server.len().min(6)).unwrap_or_default()) => {
            if client.is_empty() && server.is_empty() {
                Match::No
            } else {
                Match::Maybe
            }
        }
        None => Match::No,
    }
}

/// Whether bytes may be the beginning of two ports.
fn could_be_ports(bytes: &[u8]) -> bool {
    let digits = bytes.iter().take_while(|it| it.is_ascii_digit()).count();
    let fits = |it: &u8| it.is_ascii_digit() || matches!(it, b' ' | b',' | b'\r');
    bytes.len() <= LONGEST_QUESTION
        && digits <= 5
        && bytes.iter().all(fits)
        && matches!(bytes.get(digits), None | Some(b',' | b' '))
        && bytes.first().is_none_or(|it| (b'1'..=b'9').contains(it))
}

/// Two ports, a comma between them, and what follows.
fn ports(line: &[u8]) -> Option<((u16, u16), &[u8])> {
    line.first().filter(|it| (b'1'..=b'9').contains(*it))?;
    let (one, rest) = port(line)?;
    let (other, rest) = port(rest.strip_prefix(b",")?)?;
    Some(((one, other), rest))
}

/// A port, with white space around it, and what follows.
fn port(text: &[u8]) -> Option<(u16, &[u8])> {
    let text = text.trim_ascii_start();
    let digits = text.iter().take_while(|it| it.is_ascii_digit()).count();
    let (number, rest) = text.split_at_checked(digits)?;
    let number = str::from_utf8(number).ok()?.parse().ok().filter(|it| *it > 0)?;
    Some((number, rest.trim_ascii_start()))
}

/// What is behind the kind of an answer (section 4), and of which ports.
fn answer(line: &[u8]) -> Option<(bool, (u16, u16))> {
    let (ports, rest) = ports(line)?;
    let mut parts = rest.strip_prefix(b":")?.splitn(3, |it| *it == b':').map(<[u8]>::trim_ascii);
    let (kind, what) = (parts.next()?, parts.next()?);
    let named = kind.eq_ignore_ascii_case(b"USERID") && parts.next().is_some();
    (named || kind.eq_ignore_ascii_case(b"ERROR") && !what.is_empty()).then_some((named, ports))
}

/// One session.
#[derive(Debug)]
struct Inquiry;

impl Talk for Inquiry {
    fn line(&mut self, who: Who, line: &Line<'_>, out: &mut dyn Sink) -> Then {
        let text = line.text();
        if who == Who::Client || !answer(text).is_some_and(|(named, _)| named) {
            return Then::Line;
        }
        // Ports, kind, system and its alphabet, then the user: which may hold colons, and begins behind the one space that is customary.
        let mut colons = text
            .iter()
            .enumerate()
            .filter(|(_, it)| **it == b':')
            .map(|(at, _)| at.saturating_add(1));
        if let (Some(_), Some(system), Some(user)) = (colons.next(), colons.next(), colons.next()) {
            let part = line.rest(system);
            line.tell(
                "ident.system",
                part.start..part.start.max(trimmed(text, user.saturating_sub(1))),
                out,
            );
            line.tell("ident.user", line.rest(user), out);
        }
        Then::Line
    }

    fn lost(&mut self, _: Who) {}
}

/// Where what stands before `end` ends, without white space.
fn trimmed(text: &[u8], end: usize) -> usize {
    text.get(..end).unwrap_or_default().trim_ascii_end().len()
}

#[cfg(test)]
mod tests {
    use farshore_model::{Direction, Span, Transport};

    use super::super::notebook::{damage, read_stream, stream};
    use super::*;
    use Direction::{Down, Up};

    /// The examples of section 5.
    const ANSWERS: [(&str, &str, &str, &str); 3] = [
        ("6193, 23\r\n", "6193, 23 : USERID : UNIX :stjohns\r\n", "UNIX", "stjohns"),
        (
            "6195, 23\r\n",
            "6195, 23 : USERID : UNIX , US-ASCII :ab:c d\r\n",
            "UNIX , US-ASCII",
            "ab:c d",
        ),
        ("6191,23\r\n", "6191,23:userid:OTHER:wewqeqwe\r\n", "OTHER", "wewqeqwe"),
    ];

    #[test]
    fn answers_tell_a_user_in_any_segmentation() {
        for (asked, answer, system, user) in ANSWERS {
            for size in 1..40 {
                let cut = |way, text: &'static str| text.as_bytes().chunks(size).map(move |it| (way, it));
                let chunks: Vec<_> = cut(Up, asked).chain(cut(Down, answer)).collect();
                let out = read_stream(&IDENT, (50_000, 113), &chunks);
                assert_eq!(
                    (out.values("ident.system"), out.values("ident.user")),
                    (vec![system.into()], vec![user.into()])
                );
                assert_eq!(out.client, Some(Up));
            }
        }
        let out = read_stream(&IDENT, (50_000, 113), &[(Down, ANSWERS[0].1.as_bytes())]);
        assert_eq!(out.fields[1].2, Span::in_frame(1, 42 + 26, 7));
    }

    #[test]
    fn errors_name_nobody_and_other_words_are_not_it() {
        let out = read_stream(
            &IDENT,
            (50_000, 113),
            &[(Up, b"6195, 23\r\n"), (Down, b"6195, 23 : ERROR : NO-USER\r\n")],
        );
        assert!(out.fields.is_empty());
        let verdict = |up: &[u8], down: &[u8]| IDENT.matches(&stream(50_000, 113, up, down));
        let whole = ANSWERS[0];
        assert_eq!(verdict(whole.0.as_bytes(), b""), Match::Maybe);
        assert_eq!(verdict(b"61", b""), Match::Maybe);
        assert_eq!(verdict(whole.0.as_bytes(), whole.1.as_bytes()), Match::Yes);
        for (up, down) in [
            ("6195, 23\r\n", ANSWERS[0].1),
            ("6193, 23\r\n", "220 ftp\r\n"),
            ("6193, 23\r\n", "6193, 23\r\n"),
            ("6193, 70000\r\n", ANSWERS[0].1),
            ("200 ok\r\n", ""),
            ("0, 0\r\n", ""),
            ("123456", ""),
            ("", "220 mail.example\r\n"),
            ("", ""),
        ] {
            assert_eq!(verdict(up.as_bytes(), down.as_bytes()), Match::No, "{up:?} {down:?}");
        }
    }

    #[test]
    fn damage_never_panics() {
        damage(&IDENT, (50_000, 113), Transport::Tcp, Up, ANSWERS[0].0.as_bytes());
        damage(&IDENT, (113, 50_000), Transport::Tcp, Down, ANSWERS[1].1.as_bytes());
    }
}
