//! rsync's own protocol, as its daemon speaks it over TCP: who copies what.
//!
//! # What is extracted, and why it matters
//! Which collection of files is asked for, `rsync.module`, by whom, `rsync.user`, and with which words, the paths of files among them:
//! `rsync.argument`; what the daemon tells whoever comes, `rsync.text`. What follows, lists of files and what is in them, is shown as
//! payload that nobody reads.
//!
//! # What is not
//! Passwords, which are proven and not sent.
//!
//! # How it is told
//! Either side begins with `@RSYNCD: `, a version and the end of a line.
//!
//! **Read after** rsync's `rsyncd.conf(5)` and its notes on the daemon's protocol (`csprotocol.txt`).

use farshore_model::{Direction, Protection};

use super::lines::Line;
use super::{Begins, Dissector, FirstBytes, Gathered, Match, Opening, Progress, Protocol, Segment, Sink};
use crate::limits::Limits;

/// rsync.
pub static RSYNC: Rsync = Rsync;

/// rsync, as a [`Protocol`].
#[derive(Debug)]
pub struct Rsync;

impl Protocol for Rsync {
    fn id(&self) -> &'static str {
        "rsync"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        opening.by_either_side(greets)
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::of(b"@"))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, _: &Limits) -> Box<dyn Dissector> {
        Box::new(Session {
            client: Direction::Up,
            sides: Default::default(),
        })
    }
}

const MARK: &[u8] = b"@RSYNCD: ";
/// No line is longer, nor any path.
const LONGEST: usize = 4096;

/// Whether a side begins with a greeting.
fn greets(bytes: &[u8]) -> Match {
    if bytes.is_empty() {
        return Match::No;
    }
    let common = bytes.len().min(MARK.len());
    if bytes.get(..common) != MARK.get(..common) {
        return Match::No;
    }
    let version = bytes.get(common..).unwrap_or_default();
    match version.iter().take(128).position(|it| *it == b'\n') {
        Some(1..) if version.first().is_some_and(u8::is_ascii_digit) => Match::Yes,
        None if version.len() < 128 && version.iter().all(|it| it.is_ascii_graphic() || *it == b' ') => Match::Maybe,
        _ => Match::No,
    }
}

/// What a side says next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Next {
    #[default]
    Greeting,
    /// Of the client: what it wants.
    Module,
    /// Who it is, where that is asked; then its arguments.
    User,
    Arguments,
    /// Of the server.
    Text,
    /// No words any more.
    Files,
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    gathered: Gathered,
    next: Next,
}

/// One flow.
#[derive(Debug)]
struct Session {
    client: Direction,
    sides: [Side; 2],
}

impl Dissector for Session {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let client = direction == self.client;
        let side = direction.of_mut(&mut self.sides);
        if side.next == Next::Files {
            return out.stream(direction, None, it);
        }
        let Segment::Bytes(piece) = it else { return Progress::Lost };
        side.gathered.push(&piece);
        loop {
            let bytes = side.gathered.bytes();
            let ends = |it: &u8| *it == b'\n' || *it == 0 && client;
            let Some(end) = bytes.iter().take(LONGEST).position(ends) else {
                return if bytes.len() < LONGEST { Progress::More } else { Progress::Lost };
            };
            let line = Line::all(&side.gathered);
            side.next = if client {
                said(side.next, &line, end, out)
            } else {
                let text = line.get(0..end);
                if text == b"@RSYNCD: OK" || text.starts_with(b"@RSYNCD: AUTHREQD ") {
                    out.client_speaks(self.client);
                } else if !text.starts_with(b"@") {
                    line.tell("rsync.text", 0..end, out);
                }
                if text == b"@RSYNCD: OK" { Next::Files } else { Next::Text }
            };
            side.gathered.consume(end.saturating_add(1));
            if side.next == Next::Files {
                let rest = piece.last(side.gathered.len());
                side.gathered.clear();
                return if rest.bytes.is_empty() {
                    Progress::More
                } else {
                    out.stream(direction, None, Segment::Bytes(rest))
                };
            }
        }
    }
}

/// Takes what the client says, up to the end of a line or of a word.
fn said(it: Next, line: &Line<'_>, end: usize, out: &mut dyn Sink) -> Next {
    let text = line.get(0..end);
    match it {
        Next::Greeting => Next::Module,
        Next::Module => {
            line.tell("rsync.module", 0..end, out);
            Next::User
        }
        Next::User if !text.starts_with(b"-") => {
            let user = text.iter().position(|it| *it == b' ');
            line.tell("rsync.user", 0..user.unwrap_or(end), out);
            Next::Arguments
        }
        Next::User | Next::Arguments if end > 0 => {
            line.tell("rsync.argument", 0..end, out);
            Next::Arguments
        }
        Next::User | Next::Arguments | Next::Text | Next::Files => Next::Files,
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::{Span, Transport};

    use super::super::notebook::{damage, read_stream, stream};
    use super::*;
    use Direction::{Down, Up};

    const TALK: &[(Direction, &[u8])] = &[
        (Down, b"@RSYNCD: 31.0 sha512 md5\n"),
        (Up, b"@RSYNCD: 31.0 md5\nbackup\n"),
        (Down, b"Copies of the rooms\n@RSYNCD: AUTHREQD Zm9vYmFy\n"),
        (Up, b"alice 3VN1aW0vQTTk\n"),
        (Down, b"@RSYNCD: OK\n"),
        (Up, b"--server\0--sender\0.\0backup/guests.csv\0\0\x01\x02files"),
    ];

    const TOLD: &[(&str, &str)] = &[
        ("rsync.module", "backup"),
        ("rsync.text", "Copies of the rooms"),
        ("rsync.user", "alice"),
        ("rsync.argument", "--server"),
        ("rsync.argument", "--sender"),
        ("rsync.argument", "."),
        ("rsync.argument", "backup/guests.csv"),
    ];

    #[test]
    fn any_segmentation_over_tcp_tells_the_same() {
        for size in 1..60 {
            let chunks: Vec<_> = TALK.iter().flat_map(|(d, it)| it.chunks(size).map(|it| (*d, it))).collect();
            let out = read_stream(&RSYNC, (50_000, 873), &chunks);
            assert_eq!((out.told(), out.client), (TOLD.to_vec(), Some(Up)), "chunks of {size}");
        }
        let out = read_stream(&RSYNC, (50_000, 873), TALK);
        assert_eq!(out.fields[2].2, Span::in_frame(4, 42, 5));
    }

    #[test]
    fn older_clients_end_their_words_with_lines_and_nobody_need_log_in() {
        let talk: &[(Direction, &[u8])] = &[
            (Down, b"@RSYNCD: 29\n"),
            (Up, b"@RSYNCD: 29\npublic\n"),
            (Down, b"@RSYNCD: OK\n"),
            (Up, b"--server\n.\npublic/\n\n\0\0"),
        ];
        let out = read_stream(&RSYNC, (50_000, 873), talk);
        assert_eq!(
            (out.values("rsync.argument"), out.values("rsync.user")),
            (vec!["--server".into(), ".".into(), "public/".into()], vec![])
        );
    }

    #[test]
    fn other_beginnings_are_not_it() {
        let verdict = |up: &[u8], down: &[u8]| RSYNC.matches(&stream(50_000, 873, up, down));
        assert_eq!(verdict(b"", b"@RSYNCD: 31.0\n"), Match::Yes);
        assert_eq!(verdict(b"", b"@RSYNCD: 3"), Match::Maybe);
        assert_eq!(verdict(b"@", b""), Match::Maybe);
        for wrong in ["@RSYNCD: \n", "@RSYNCD: x\n", "@echo off\n", ""] {
            assert_eq!(verdict(wrong.as_bytes(), b""), Match::No, "{wrong:?}");
        }
    }

    #[test]
    fn damage_never_panics() {
        for way in [Up, Down] {
            let side: Vec<u8> = TALK.iter().filter(|(d, _)| *d == way).flat_map(|(_, it)| it.to_vec()).collect();
            damage(&RSYNC, (50_000, 873), Transport::Tcp, way, &side);
        }
    }
}
