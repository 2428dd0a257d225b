//! PostgreSQL: a database's clients, over TCP.
//!
//! # What is extracted, and why it matters
//! Who logs in and where, `postgres.user`, `postgres.database`, with what program, `postgres.application`, a password where
//! the server asks for it in clear, `postgres.password`, and, as long as the ends did not turn to TLS, every statement with
//! the values in it: `postgres.query`. What follows a turn to TLS is handed on.
//!
//! # What is not
//! Passwords that are proven and not sent; what statements bring back, and values bound to prepared ones.
//!
//! # How it is told
//! The client's first message: a length, version 3 of the protocol, and pairs of words that fill it, a user among them;
//! whether or not TLS was asked for before it and refused.
//!
//! **Read after** "Frontend/Backend Protocol" (PostgreSQL documentation, chapter 55).

use std::ops::Range;

use farshore_model::{Direction, Protection};

use super::lines::{self, Line};
use super::{Begins, Dissector, FirstBytes, Gathered, Match, Opening, Progress, Protocol, Segment, Sink};
use crate::cursor::{Cursor, Stop};
use crate::limits::Limits;

/// PostgreSQL.
pub static POSTGRES: Postgres = Postgres;

/// PostgreSQL, as a [`Protocol`].
#[derive(Debug)]
pub struct Postgres;

impl Protocol for Postgres {
    fn id(&self) -> &'static str {
        "postgres"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        lines::either_way(opening, |client, _, _| begins(client))
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::of(&[0]))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        let client = lines::client_of(opening, |client, _, _| begins(client));
        Box::new(Session {
            client,
            told: false,
            longest: limits.message_bytes,
            gathered: Gathered::default(),
            answers: Gathered::default(),
            begun: false,
            clear: false,
            ready: false,
        })
    }
}

/// Asks for TLS, or for the encryption of GSSAPI, before anything else.
const ASKS: [[u8; 8]; 2] = [[0, 0, 0, 8, 4, 210, 22, 47], [0, 0, 0, 8, 4, 210, 22, 48]];
/// Version 3 of the protocol, whatever comes behind the dot.
const VERSION: u16 = 3;
/// Longer beginnings are refused by servers.
const LONGEST_BEGINNING: usize = 10_000;

/// Whether a client begins thus.
fn begins(bytes: &[u8]) -> Match {
    if bytes.is_empty() {
        return Match::No;
    }
    let mut rest = bytes;
    while let Some(after) = ASKS.iter().find_map(|it| rest.strip_prefix(it)) {
        rest = after;
    }
    if ASKS.iter().any(|it| it.starts_with(rest)) {
        return Match::Maybe;
    }
    match beginning(Cursor::new("postgres", rest)) {
        Ok(pairs) if pairs.iter().any(|(name, _)| rest.get(name.clone()) == Some(b"user")) => Match::Yes,
        Ok(_) => Match::No,
        Err(_) => {
            let mut it = Cursor::new("postgres", rest);
            let plausible = match (it.u32(), it.u16()) {
                (Ok(length), Ok(version)) => {
                    (16..=LONGEST_BEGINNING).contains(&(length as usize)) && version == VERSION && rest.len() < length as usize
                }
                (Ok(length), Err(_)) => (16..=LONGEST_BEGINNING).contains(&(length as usize)),
                (Err(_), _) => rest.iter().take(2).all(|it| *it == 0),
            };
            if plausible { Match::Maybe } else { Match::No }
        }
    }
}

/// Where a name and its value are in a first message.
type Pair = (Range<usize>, Range<usize>);

/// Names and values of a first message; an error if it is not whole or not one.
fn beginning(mut it: Cursor<'_>) -> Result<Vec<Pair>, Stop> {
    let start = it;
    let length = it.u32()? as usize;
    let inside = length
        .checked_sub(4)
        .filter(|_| length <= LONGEST_BEGINNING)
        .ok_or_else(|| start.forbidden())?;
    let mut it = it.sub(inside)?;
    if it.u16()? != VERSION {
        return Err(start.forbidden());
    }
    it.skip(2)?;
    let mut pairs = Vec::new();
    loop {
        let name = word(&mut it)?;
        if name.is_empty() {
            return if it.is_empty() { Ok(pairs) } else { Err(start.forbidden()) };
        }
        pairs.push((name, word(&mut it)?));
    }
}

/// Readable bytes before a zero.
fn word(it: &mut Cursor<'_>) -> Result<Range<usize>, Stop> {
    let from = it.offset();
    loop {
        match it.u8()? {
            0 => return Ok(from..it.offset().saturating_sub(1)),
            byte if byte.is_ascii_control() => return Err(it.forbidden()),
            _ => {}
        }
    }
}

/// One flow.
#[derive(Debug)]
struct Session {
    client: Direction,
    told: bool,
    longest: usize,
    /// What the client says, and the server until the client is let in.
    gathered: Gathered,
    answers: Gathered,
    /// The first message went by.
    begun: bool,
    /// The server asked for the password in clear.
    clear: bool,
    ready: bool,
}

impl Dissector for Session {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        if !std::mem::replace(&mut self.told, true) {
            out.client_speaks(self.client);
        }
        let Segment::Bytes(piece) = it else {
            // Where the next message begins can no longer be told.
            return if direction == self.client { Progress::Lost } else { Progress::More };
        };
        if direction != self.client {
            if !self.ready {
                self.answers.push(&piece);
                self.server(out);
            }
            return Progress::More;
        }
        self.gathered.push(&piece);
        self.client(out)
    }
}

impl Session {
    /// The server's messages, until it is ready.
    fn server(&mut self, out: &mut dyn Sink) {
        loop {
            let bytes = self.answers.bytes();
            // No to TLS is one letter.
            if matches!(bytes.first(), Some(b'N')) && !self.begun {
                self.answers.consume(1);
                continue;
            }
            let mut it = Cursor::new("postgres", bytes);
            let (Ok(kind), Ok(length)) = (it.u8(), it.u32()) else { return };
            let length = length as usize;
            if length < 4 || length > self.longest {
                self.ready = true;
                if length > self.longest {
                    out.limit("message-bytes");
                }
                return;
            }
            let Ok(mut body) = it.sub(length.saturating_sub(4)) else { return };
            match kind {
                // Three asks for the password as it is.
                b'R' => self.clear = body.u32() == Ok(3),
                b'Z' => self.ready = true,
                _ => {}
            }
            self.answers.consume(length.saturating_add(1));
            if self.ready {
                self.answers.clear();
                return;
            }
        }
    }

    fn client(&mut self, out: &mut dyn Sink) -> Progress {
        loop {
            let bytes = self.gathered.bytes();
            if !self.begun {
                if ASKS.iter().any(|it| bytes.starts_with(it)) {
                    self.gathered.consume(8);
                    continue;
                }
                let Some(length) = bytes.first_chunk::<4>().map(|it| u32::from_be_bytes(*it) as usize) else {
                    return Progress::More;
                };
                if bytes.len() < length.min(LONGEST_BEGINNING) {
                    return Progress::More;
                }
                let Ok(pairs) = beginning(Cursor::new("postgres", bytes)) else {
                    return Progress::Lost;
                };
                let all = Line::all(&self.gathered);
                for (name, value) in pairs {
                    let path = match all.get(name) {
                        b"user" => "postgres.user",
                        b"database" => "postgres.database",
                        b"application_name" => "postgres.application",
                        _ => continue,
                    };
                    all.tell(path, value, out);
                }
                self.begun = true;
                self.gathered.consume(length);
                continue;
            }
            let mut it = Cursor::new("postgres", bytes);
            let (Ok(kind), Ok(length)) = (it.u8(), it.u32()) else {
                return Progress::More;
            };
            let length = length as usize;
            if length > self.longest {
                out.limit("message-bytes");
                return Progress::Lost;
            }
            let Some(inside) = length.checked_sub(4) else {
                return Progress::Lost;
            };
            let Ok(body) = it.sub(inside) else { return Progress::More };
            self.message(kind, body, out);
            self.gathered.consume(length.saturating_add(1));
        }
    }

    fn message(&self, kind: u8, mut body: Cursor<'_>, out: &mut dyn Sink) {
        let all = Line::all(&self.gathered);
        let path = match kind {
            b'p' if self.clear => "postgres.password",
            b'Q' => "postgres.query",
            // A name, then the statement.
            b'P' => {
                while body.u8().is_ok_and(|it| it != 0) {}
                "postgres.query"
            }
            _ => return,
        };
        let length = body.rest().iter().position(|byte| *byte == 0).unwrap_or(body.left());
        let from = body.offset();
        all.tell(path, from..from.saturating_add(length), out);
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::{Span, Transport};

    use super::super::notebook::{Notebook, damage, in_chunks, read_stream, stream};
    use super::*;
    use Direction::{Down, Up};

    fn beginning(parameters: &[u8]) -> Vec<u8> {
        let length = u32::try_from(parameters.len() + 8).unwrap().to_be_bytes();
        [&length[..], &[0, 3, 0, 0], parameters].concat()
    }

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind][..], &length, body].concat()
    }

    fn first() -> Vec<u8> {
        beginning(b"user\0alice\0database\0rooms\0application_name\0psql\0\0")
    }

    const SAID: [(&str, &str); 6] = [
        ("postgres.user", "alice"),
        ("postgres.database", "rooms"),
        ("postgres.application", "psql"),
        ("postgres.password", "w4tch"),
        ("postgres.query", "SELECT 1"),
        ("postgres.query", "SELECT name FROM guests"),
    ];

    fn conversation() -> Vec<(Direction, Vec<u8>)> {
        vec![
            (Up, ASKS[0].to_vec()),
            (Down, b"N".to_vec()),
            (Up, first()),
            (Down, message(b'R', &[0, 0, 0, 3])),
            (Up, message(b'p', b"w4tch\0")),
            (Down, [message(b'R', &[0, 0, 0, 0]), message(b'Z', b"I")].concat()),
            (Up, message(b'Q', b"SELECT 1\0")),
            (
                Up,
                [message(b'P', b"s1\0SELECT name FROM guests\0\0\0"), message(b'B', b"\0s1\0")].concat(),
            ),
        ]
    }

    fn read(list: &[(Direction, Vec<u8>)]) -> Notebook {
        read_cut(list, usize::MAX)
    }

    /// In chunks of so many bytes.
    fn read_cut(list: &[(Direction, Vec<u8>)], size: usize) -> Notebook {
        read_stream(&POSTGRES, (50_000, 5432), &in_chunks(list, size))
    }

    #[test]
    fn logins_and_statements_are_told_in_place() {
        let out = read(&conversation());
        assert_eq!(out.told(), SAID);
        assert_eq!(out.fields[0].2, Span::in_frame(3, 42 + 13, 5));
        assert_eq!(out.client, Some(Up));
        // A password that is proven rather than sent.
        let mut proven = conversation();
        proven[3].1 = message(b'R', &[0, 0, 0, 5, 1, 2, 3, 4]);
        proven[4].1 = message(b'p', b"md5d41d8cd98f00b204e9800998ecf8427e\0");
        assert!(read(&proven).values("postgres.password").is_empty());
    }

    #[test]
    fn any_segmentation_over_tcp_tells_the_same() {
        for size in 1..80 {
            assert_eq!(read_cut(&conversation(), size).told(), SAID, "chunks of {size}");
        }
    }

    #[test]
    fn other_beginnings_are_not_it() {
        let verdict = |up: &[u8]| POSTGRES.matches(&stream(50_000, 5432, up, b""));
        for whole in [first(), [&ASKS[0][..], &first()].concat()] {
            assert_eq!(verdict(&whole), Match::Yes);
            for cut in 1..whole.len() {
                assert_eq!(verdict(&whole[..cut]), Match::Maybe, "cut at {cut}");
            }
        }
        for wrong in [
            beginning(b"database\0rooms\0\0"),
            beginning(b"user\0alice\0\0x"),
            beginning(b"user\0al\x07ce\0\0"),
            [&ASKS[0][..], b"\x16\x03\x01\x02\x00\x01"].concat(),
            vec![0, 0, 0, 40, 0, 2, 0, 0],
            vec![0, 9],
            Vec::new(),
        ] {
            assert_eq!(verdict(&wrong), Match::No, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn damage_never_panics() {
        damage(&POSTGRES, (50_000, 5432), Transport::Tcp, Up, &first());
        damage(
            &POSTGRES,
            (50_000, 5432),
            Transport::Tcp,
            Up,
            &[first(), message(b'Q', b"SELECT 1\0")].concat(),
        );
    }
}
