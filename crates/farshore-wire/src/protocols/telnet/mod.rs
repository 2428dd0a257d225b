//! Telnet (RFC 854), and the logins typed into it.
//!
//! # What is extracted, and why it matters
//! Every keystroke travels in clear: what is typed at a prompt that ends in `login:`, `username:` or the like is
//! `telnet.user`, at one that ends in `password:` or `passcode:` it is `telnet.password`; every other line typed is
//! `telnet.typed`. Keys may come one by one: the place of a value reaches from its first key to its last.
//!
//! # What is not
//! What the screen shows is read for its prompts only. Options are stepped over.
//!
//! # How it is told
//! Two option negotiations at the beginning of a stream, or one alone to or from port 23.

use std::ops::Range;

use farshore_model::{Direction, Protection, Transport};

use super::{Begins, Dissector, Field, FirstBytes, Gathered, Match, Opening, Progress, Protocol, Segment, Sink, Start};
use crate::limits::Limits;

/// Telnet.
pub static TELNET: Telnet = Telnet;

/// Telnet, as a [`Protocol`].
#[derive(Debug)]
pub struct Telnet;

/// Interpret as command (RFC 854).
const IAC: u8 = 0xff;
const SUBNEGOTIATION: u8 = 0xfa;
const SUBNEGOTIATION_END: u8 = 0xf0;
const PORT: u16 = 23;

impl Protocol for Telnet {
    fn id(&self) -> &'static str {
        "telnet"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        let own = [opening.client_port, opening.server_port].contains(&PORT);
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Stream { up, down } if opening.transport == Transport::Tcp => match (told(up, own), told(down, own)) {
                (Match::Yes, _) | (_, Match::Yes) => Match::Yes,
                (Match::Maybe, _) | (_, Match::Maybe) => Match::Maybe,
                _ => Match::No,
            },
            Start::Stream { .. } | Start::Datagrams(_) => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::of(&[IAC]))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        let turned = opening.client_port == PORT && opening.server_port != PORT;
        Box::new(Terminal {
            client: if turned { Direction::Down } else { Direction::Up },
            keys: Gathered::default(),
            seen: 0,
            screen: Vec::new(),
            longest: limits.header_bytes,
            commands: Default::default(),
        })
    }
}

fn told(bytes: &[u8], own: bool) -> Match {
    let mut rest = bytes;
    for count in 0..2 {
        match rest {
            // WILL, WONT, DO, DONT an option that is assigned (IANA, Telnet Options).
            [IAC, 0xfb..=0xfe, 0..=49 | 138..=140 | 255, tail @ ..] => rest = tail,
            [] if count == 1 && own => return Match::Yes,
            [] if bytes.is_empty() => return Match::No,
            [] | [IAC] | [IAC, 0xfb..=0xfe] => return Match::Maybe,
            _ if count == 1 && own => return Match::Yes,
            _ => return Match::No,
        }
    }
    Match::Yes
}

/// Where in a command of the protocol a direction stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Command {
    #[default]
    None,
    Begun,
    Option,
    Inside,
    InsideBegun,
}

impl Command {
    /// Takes a byte; text comes back.
    const fn step(&mut self, byte: u8) -> bool {
        let (next, text) = match (*self, byte) {
            (Self::None, IAC) => (Self::Begun, false),
            (Self::None, _) => (Self::None, true),
            (Self::Begun, 0xfb..=0xfe) => (Self::Option, false),
            (Self::Begun, SUBNEGOTIATION) => (Self::Inside, false),
            // A doubled IAC is the byte itself.
            (Self::Begun, IAC) => (Self::None, true),
            (Self::Begun | Self::Option, _) | (Self::InsideBegun, SUBNEGOTIATION_END) => (Self::None, false),
            (Self::Inside, IAC) => (Self::InsideBegun, false),
            (Self::Inside | Self::InsideBegun, _) => (Self::Inside, false),
        };
        *self = next;
        text
    }
}

/// Bytes of the screen's last line that are kept.
const SCREEN: usize = 128;

/// One session.
#[derive(Debug)]
struct Terminal {
    client: Direction,
    /// What was typed since the last line.
    keys: Gathered,
    seen: usize,
    /// The last line the server wrote, without what the client's keys echoed since the prompt.
    screen: Vec<u8>,
    longest: usize,
    /// Of keys, of the screen.
    commands: [Command; 2],
}

impl Dissector for Terminal {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let typed = direction == self.client;
        let Segment::Bytes(piece) = it else {
            self.keys.clear();
            self.seen = 0;
            self.commands = Default::default();
            self.screen.clear();
            return Progress::More;
        };
        if typed {
            self.keys.push(&piece);
            self.lines(out);
        } else {
            self.shown(piece.bytes);
        }
        Progress::More
    }

    fn finish(&mut self, _: &mut dyn Sink) {
        self.keys.clear();
    }
}

impl Terminal {
    fn shown(&mut self, bytes: &[u8]) {
        let [_, command] = &mut self.commands;
        for byte in bytes {
            if !command.step(*byte) || *byte == 0 {
                continue;
            }
            if *byte == 0x08 {
                // The cursor goes back: what is written next stands in that place.
                self.screen.pop();
            } else if matches!(byte, b'\r' | b'\n') {
                // A prompt stands until something else is written on a line of its own.
                if self.screen.last() != Some(&b'\n') {
                    self.screen.push(b'\n');
                }
            } else {
                if self.screen.last() == Some(&b'\n') {
                    self.screen.clear();
                }
                self.screen.push(*byte);
            }
            if self.screen.len() > SCREEN {
                self.screen.remove(0);
            }
        }
    }

    /// Takes every line that was ended with the return key.
    fn lines(&mut self, out: &mut dyn Sink) {
        loop {
            let bytes = self.keys.bytes();
            let new = bytes.get(self.seen..).unwrap_or_default();
            let Some(length) = new.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
                self.seen = bytes.len();
                if self.seen > self.longest {
                    out.limit("header-bytes");
                    self.keys.clear();
                    self.seen = 0;
                }
                return;
            };
            let end = self.seen.saturating_add(length);
            self.line(end, out);
            self.keys.consume(end.saturating_add(1));
            self.seen = 0;
        }
    }

    fn line(&mut self, end: usize, out: &mut dyn Sink) {
        let (value, range) = self.typed(end);
        if value.is_empty() {
            return;
        }
        let path = prompt(&self.screen, &value).unwrap_or("telnet.typed");
        let at = self.keys.span(range);
        out.field(Field { path, value: &value, at });
        self.screen.clear();
    }

    /// What a row of keys comes to, and the keys it reaches over.
    fn typed(&mut self, end: usize) -> (Vec<u8>, Range<usize>) {
        let [command, _] = &mut self.commands;
        let (mut value, mut places) = (Vec::new(), Vec::new());
        for (place, byte) in self.keys.bytes().iter().take(end).enumerate() {
            if !command.step(*byte) {
                continue;
            }
            match byte {
                // The return key sends CR LF or CR NUL.
                0 | b'\n' => {}
                // Backspace and delete.
                0x08 | 0x7f => {
                    value.pop();
                    places.pop();
                }
                // Control-U: the line anew.
                0x15 => {
                    value.clear();
                    places.clear();
                }
                _ => {
                    value.push(*byte);
                    places.push(place);
                }
            }
        }
        let start = places.first().copied().unwrap_or(end);
        let end = places.last().map_or(end, |it| it.saturating_add(1));
        (value, start..end)
    }
}

/// What a prompt asks for. The terminal may have echoed some of the answer already, or all of it.
fn prompt(screen: &[u8], value: &[u8]) -> Option<&'static str> {
    let shown = screen.trim_ascii_end().to_ascii_lowercase();
    let echo = value.to_ascii_lowercase();
    let asks = |shown: &[u8]| {
        let shown = shown.trim_ascii_end();
        let ends = |words: &[&[u8]]| words.iter().any(|it| shown.ends_with(it));
        if ends(&[b"password:", b"passcode:", b"passwd:", b"pin:"]) || shown.ends_with(b":") && shown.starts_with(b"password for") {
            Some("telnet.password")
        } else if ends(&[b"login:", b"username:", b"user name:", b"user:", b"login name:", b"account:"]) {
            Some("telnet.user")
        } else {
            None
        }
    };
    // What the server echoes is the beginning of the value, stars, or nothing.
    let longest = echo.len().min(shown.len());
    (0..=longest).find_map(|length| {
        let (before, echoed) = shown.split_at_checked(shown.len().saturating_sub(length))?;
        let is_echo = echo.starts_with(echoed) || echoed.iter().all(|byte| *byte == b'*');
        if is_echo { asks(before) } else { None }
    })
}

#[cfg(test)]
mod tests {
    use farshore_model::Span;

    use super::super::notebook::{damage, feed, read_stream, stream};
    use super::*;
    use Direction::{Down, Up};

    const TALK: &[(Direction, &[u8])] = &[
        (Down, b"\xff\xfd\x18\xff\xfd\x20"),
        (Up, b"\xff\xfb\x18\xff\xfa\x18\x00xterm\xff\xf0"),
        (Down, b"\r\nhost login: "),
        (Up, b"bo"),
        (Down, b"bo"),
        (Up, b"xb"),
        (Up, b"\x7f\x7fb\r\0"),
        (Down, b"\r\nPassword: "),
        (Up, b"hunter2\r\0"),
        (Down, b"\r\nWelcome\r\n$ "),
        (Up, b"ls -l\r\n"),
    ];

    #[test]
    fn keys_in_any_segmentation_are_the_same_login() {
        for size in 1..20 {
            let chunks: Vec<_> = TALK.iter().flat_map(|(d, it)| it.chunks(size).map(|it| (*d, it))).collect();
            let out = read_stream(&TELNET, (50_000, 2_323), &chunks);
            assert_eq!(out.values("telnet.user"), ["bob"], "chunks of {size}");
            assert_eq!(out.values("telnet.password"), ["hunter2"], "chunks of {size}");
            assert_eq!(out.values("telnet.typed"), ["ls -l"], "chunks of {size}");
            assert_eq!(out.fields.len(), 3);
        }
    }

    #[test]
    fn a_key_that_is_taken_back_is_taken_back_from_the_screen_too() {
        let list: &[(Direction, &[u8])] = &[
            (Down, b"\xff\xfd\x18host login: "),
            (Up, b"bx"),
            (Down, b"bx"),
            (Up, b"\x7f"),
            (Down, b"\x08 \x08"),
            (Up, b"ob\r"),
            (Down, b"ob\r\n"),
        ];
        let out = read_stream(&TELNET, (50_000, 23), list);
        assert_eq!((out.values("telnet.user"), out.fields.len()), (vec!["bob".into()], 1));
    }

    #[test]
    fn a_value_reaches_from_its_first_key_to_its_last() {
        let out = read_stream(&TELNET, (50_000, 23), TALK);
        let name = out.fields[0].2;
        assert_eq!((name.first_frame, name.frame, name.in_frame), (4, 7, false));
        assert_eq!(out.fields[1].2, Span::in_frame(9, 42, 7));
    }

    #[test]
    fn prompts_are_told_with_and_without_echo() {
        assert_eq!(prompt(b"host login: bob", b"bob"), Some("telnet.user"));
        assert_eq!(prompt(b"Password: *****", b"hunter2"), Some("telnet.password"));
        assert_eq!(prompt(b"Last login: Tuesday", b"ls"), None);
        assert_eq!(prompt(b"$ ", b"ls"), None);
    }

    #[test]
    fn other_streams_are_not_it() {
        let verdict = |up: &[u8], port| TELNET.matches(&stream(50_000, port, up, b""));
        assert_eq!(verdict(b"\xff\xfb\x18", 80), Match::Maybe);
        assert_eq!(verdict(b"\xff\xfb\x18", 23), Match::Yes);
        assert_eq!(verdict(b"\xff\xfb\x18hello", 80), Match::No);
        assert_eq!(verdict(b"\xff\xfb\x18\xff\xfd\x99", 80), Match::No);
        assert_eq!(verdict(b"\xff\xd8\xff\xe0", 23), Match::No);
        assert_eq!(verdict(b"hello", 23), Match::No);
    }

    /// Each key is looked at twice at most: a quadratic search would take minutes here.
    #[test]
    fn a_long_line_key_by_key_takes_no_time() {
        let keys = [&vec![b'x'; (1 << 16) - 1][..], b"\r"].concat();
        let chunks: Vec<_> = keys.chunks(1).map(|it| (Up, it)).collect();
        let mut it = TELNET.start(&stream(50_000, 23, b"", b""), &Limits::default());
        assert_eq!(feed(it.as_mut(), &chunks).values("telnet.typed")[0].len(), (1 << 16) - 1);
    }

    #[test]
    fn damage_never_panics() {
        for way in [Up, Down] {
            let side: Vec<u8> = TALK.iter().filter(|(d, _)| *d == way).flat_map(|(_, it)| it.to_vec()).collect();
            damage(&TELNET, (50_000, 23), Transport::Tcp, way, &side);
        }
    }
}
