//! MySQL and MariaDB: a database's clients, over TCP.
//!
//! # What is extracted, and why it matters
//! Who logs in and where, `mysql.user`, `mysql.database`, and, as long as the ends did not turn to TLS, every statement with
//! the values in it: `mysql.query`. What follows a turn to TLS is handed on.
//!
//! # What is not
//! Passwords, which are proven and not sent; what statements bring back, and what is compressed.
//!
//! # How it is told
//! The server's greeting: its length, its number, version 10 of the protocol, and a version of the server in digits.
//!
//! **Read after** "MySQL Client/Server Protocol" (MySQL 8.0 Source Code Documentation).

use std::ops::Range;

use farshore_model::{Direction, Protection};

use super::lines::{self, Line};
use super::{Begins, Dissector, FirstBytes, Gathered, Match, Opening, Progress, Protocol, Segment, Sink};
use crate::cursor::{Cursor, Stop};
use crate::limits::Limits;

/// MySQL.
pub static MYSQL: MySql = MySql;

/// MySQL, as a [`Protocol`].
#[derive(Debug)]
pub struct MySql;

impl Protocol for MySql {
    fn id(&self) -> &'static str {
        "mysql"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        lines::either_way(opening, |_, server, _| greets(server))
    }

    fn begins(&self) -> Begins {
        // The length of a greeting, of which the first byte may be anything.
        Begins::stream(FirstBytes::ANY)
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        let client = lines::client_of(opening, |_, server, _| greets(server));
        Box::new(Session {
            client,
            told: false,
            longest: limits.message_bytes,
            gathered: Gathered::default(),
            logged_in: false,
            upgraded: [false; 2],
        })
    }
}

/// Bytes before each packet: its length, the low byte first, and its number.
const HEAD: usize = 4;
/// What a client can do, by bit.
const WITH_DATABASE: u32 = 0x08;
const COMPRESSED: u32 = 0x20;
const PROTOCOL_41: u32 = 0x0200;
const TLS: u32 = 0x0800;
const MEASURED: u32 = 0x0020_0000;
/// A statement.
const QUERY: u8 = 3;
/// A statement to be prepared.
const PREPARE: u8 = 0x16;

fn head(it: &mut Cursor<'_>) -> Result<(usize, u8), Stop> {
    let [low, middle, high, number] = it.array::<4>()?;
    Ok((u32::from_le_bytes([low, middle, high, 0]) as usize, number))
}

/// Whether a side begins with a server's greeting.
fn greets(bytes: &[u8]) -> Match {
    let mut it = Cursor::new("mysql", bytes);
    let Ok((length, number)) = head(&mut it) else {
        let plausible = bytes.get(1).is_none_or(|it| *it <= 3) && bytes.get(2).is_none_or(|it| *it == 0);
        return if bytes.is_empty() || !plausible { Match::No } else { Match::Maybe };
    };
    if !(32..=1023).contains(&length) || number != 0 || it.peek(0).is_some_and(|it| it != 10) {
        return Match::No;
    }
    let Some((10, rest)) = it.rest().split_first().map(|(first, rest)| (*first, rest)) else {
        return Match::Maybe;
    };
    let end = rest.iter().position(|byte| *byte == 0);
    let version = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
    let readable = version.iter().all(u8::is_ascii_graphic) && version.len() <= 128;
    let dotted = version.first().is_none_or(u8::is_ascii_digit) && (end.is_none() || version.contains(&b'.'));
    match end {
        _ if !(readable && dotted) => Match::No,
        // Number of the connection, eight bytes of a challenge, a zero.
        Some(end) => match rest.get(end.saturating_add(13)) {
            Some(0) if it.left() >= length => Match::Yes,
            Some(0) | None => Match::Maybe,
            Some(_) => Match::No,
        },
        None => Match::Maybe,
    }
}

/// One flow.
#[derive(Debug)]
struct Session {
    client: Direction,
    told: bool,
    longest: usize,
    /// What the client says.
    gathered: Gathered,
    logged_in: bool,
    /// TLS has begun: here, and there.
    upgraded: [bool; 2],
}

impl Dissector for Session {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        if !std::mem::replace(&mut self.told, true) {
            out.client_speaks(self.client);
        }
        let upgraded = direction.of_mut(&mut self.upgraded);
        if *upgraded {
            out.inner(direction, "tls", it);
            return Progress::More;
        }
        if direction != self.client {
            // The server's greeting is all that it says before TLS.
            return Progress::More;
        }
        // Where the next packet begins can no longer be told.
        let Segment::Bytes(piece) = it else { return Progress::Lost };
        self.gathered.push(&piece);
        loop {
            let bytes = self.gathered.bytes();
            let mut it = Cursor::new("mysql", bytes);
            let Ok((length, number)) = head(&mut it) else {
                return Progress::More;
            };
            if length > self.longest {
                out.limit("message-bytes");
                return Progress::Lost;
            }
            let Ok(body) = it.sub(length) else { return Progress::More };
            let end = length.saturating_add(HEAD);
            if self.logged_in {
                query(&Line::all(&self.gathered), number, body, out);
                self.gathered.consume(end);
                continue;
            }
            let Ok(abilities) = login(&Line::all(&self.gathered), body, out) else {
                return Progress::Lost;
            };
            self.gathered.consume(end);
            if abilities & TLS != 0 {
                // A login cut short where TLS begins; the whole one follows inside.
                self.upgraded = [true; 2];
                out.protection(Protection::Tls);
                let rest = piece.last(self.gathered.len().min(piece.bytes.len()));
                if !rest.bytes.is_empty() {
                    out.inner(direction, "tls", Segment::Bytes(rest));
                }
                self.gathered.clear();
                return Progress::More;
            }
            if abilities & COMPRESSED != 0 {
                return Progress::Done;
            }
            self.logged_in = true;
        }
    }
}

/// A client's first packet: what it can do, and who it is.
fn login(all: &Line<'_>, mut it: Cursor<'_>, out: &mut dyn Sink) -> Result<u32, Stop> {
    let start = it;
    let abilities = u32::from_le_bytes(it.array()?);
    // Clients from before version 4.1 of 2004 put other things here.
    if abilities & PROTOCOL_41 == 0 {
        return Err(start.forbidden());
    }
    // The longest packet, a set of characters, and room.
    it.skip(28)?;
    if abilities & TLS != 0 && it.is_empty() {
        return Ok(abilities);
    }
    all.tell("mysql.user", word(&mut it)?, out);
    // The proof: behind its length in one of two forms, both of which are one byte for what is sent.
    let length = it.u8()?;
    if abilities & MEASURED != 0 && length > 250 {
        return Err(start.forbidden());
    }
    it.skip(length.into())?;
    if abilities & WITH_DATABASE != 0 {
        all.tell("mysql.database", word(&mut it)?, out);
    }
    // A client that asks for TLS has asked in a packet of its own.
    Ok(abilities & !TLS)
}

/// Bytes before a zero.
fn word(it: &mut Cursor<'_>) -> Result<Range<usize>, Stop> {
    let from = it.offset();
    while it.u8()? != 0 {}
    Ok(from..it.offset().saturating_sub(1))
}

fn query(all: &Line<'_>, number: u8, body: Cursor<'_>, out: &mut dyn Sink) {
    if number == 0 && matches!(body.peek(0), Some(QUERY | PREPARE)) {
        let from = body.offset().saturating_add(1);
        let end = body.offset().saturating_add(body.left());
        all.tell("mysql.query", from..end, out);
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::{Span, Transport};

    use super::super::notebook::{damage, read_stream, stream};
    use super::*;
    use Direction::{Down, Up};

    fn packet(number: u8, body: &[u8]) -> Vec<u8> {
        let [low, middle, ..] = u32::try_from(body.len()).unwrap().to_le_bytes();
        [&[low, middle, 0, number][..], body].concat()
    }

    fn greeting() -> Vec<u8> {
        let body = [&b"\x0a8.0.36-rooms\0\x07\0\0\0"[..], b"challeng\0", &[0xff; 30]].concat();
        packet(0, &body)
    }

    fn login(abilities: u32) -> Vec<u8> {
        let head = [&abilities.to_le_bytes()[..], &[0; 28]].concat();
        packet(1, &[&head[..], b"alice\0\x04abcdrooms\0mysql_native_password\0"].concat())
    }

    const SAID: [(&str, &str); 3] = [
        ("mysql.user", "alice"),
        ("mysql.database", "rooms"),
        ("mysql.query", "SELECT * FROM guests WHERE email='bob@rooms.example'"),
    ];

    fn statement() -> Vec<u8> {
        packet(0, format!("\x03{}", SAID[2].1).as_bytes())
    }

    #[test]
    fn logins_and_statements_are_told_in_place() {
        let (greeting, login, statement) = (greeting(), login(0x0020_8208), statement());
        let out = read_stream(
            &MYSQL,
            (50_000, 3306),
            &[(Down, &greeting), (Up, &login), (Down, b"\x07\0\0\x02"), (Up, &statement)],
        );
        assert_eq!(out.told(), SAID);
        assert_eq!(out.fields[0].2, Span::in_frame(2, 42 + 36, 5));
        assert_eq!(out.client, Some(Up));
        // The other way round, where the greeting tells who the server is.
        let out = read_stream(&MYSQL, (3306, 50_000), &[(Up, &greeting), (Down, &login)]);
        assert_eq!((out.told().len(), out.client), (2, Some(Down)));
    }

    #[test]
    fn tls_behind_a_login_cut_short_is_handed_on() {
        let short = packet(1, &[&0x0000_aa00_u32.to_le_bytes()[..], &[0; 28]].concat());
        let hello = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00";
        for (first, second) in [(short.clone(), hello.to_vec()), ([&short[..], hello].concat(), Vec::new())] {
            let list = [(Down, greeting()), (Up, first), (Up, second), (Down, hello.to_vec())];
            let list: Vec<_> = list.iter().filter(|(_, it)| !it.is_empty()).map(|(d, it)| (*d, &it[..])).collect();
            let out = read_stream(&MYSQL, (50_000, 3306), &list);
            assert_eq!(out.inner.len(), 2);
            assert!(out.inner.iter().all(|(_, hint, bytes)| *hint == "tls" && bytes == hello));
            assert_eq!((out.protection, out.fields.len()), (Some(Protection::Tls), 0));
        }
    }

    #[test]
    fn what_is_compressed_is_left_alone() {
        let out = read_stream(&MYSQL, (1, 2), &[(Down, &greeting()), (Up, &login(0x8228)), (Up, &statement())]);
        assert_eq!(out.told(), SAID[..2]);
    }

    #[test]
    fn any_segmentation_over_tcp_tells_the_same() {
        let (up, down) = ([login(0x8208), statement()].concat(), greeting());
        for size in 1..up.len() {
            let chunks: Vec<_> = down
                .chunks(size)
                .map(|it| (Down, it))
                .chain(up.chunks(size).map(|it| (Up, it)))
                .collect();
            assert_eq!(read_stream(&MYSQL, (50_000, 3306), &chunks).told(), SAID, "chunks of {size}");
        }
    }

    #[test]
    fn other_greetings_are_not_it() {
        let verdict = |down: &[u8]| MYSQL.matches(&stream(50_000, 3306, b"", down));
        let whole = greeting();
        assert_eq!(verdict(&whole), Match::Yes);
        for cut in 1..whole.len() {
            assert_eq!(verdict(&whole[..cut]), Match::Maybe, "cut at {cut}");
        }
        for (at, byte) in [(1, 4), (3, 1), (4, 9), (5, b'x'), (8, 7), (30, 1)] {
            let mut wrong = whole.clone();
            wrong[at] = byte;
            assert_eq!(verdict(&wrong), Match::No, "byte {at}");
        }
        assert_eq!(verdict(b""), Match::No);
    }

    #[test]
    fn damage_never_panics() {
        damage(&MYSQL, (3306, 50_000), Transport::Tcp, Up, &greeting());
        damage(&MYSQL, (50_000, 3306), Transport::Tcp, Up, &[login(0x8208), statement()].concat());
    }
}
