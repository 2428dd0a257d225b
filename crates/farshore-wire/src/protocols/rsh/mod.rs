//! The remote commands of BSD, over TCP: `rsh`, `rlogin` (RFC 1282) and `rexec`.
//!
//! # What is extracted, and why it matters
//! Everything, in clear: who asks and as whom, `rsh.local-user`, `rsh.user`; what is done, `rsh.command`; and for `rexec` the
//! password, `rexec.password`. The same under `rlogin` and `rexec`.
//!
//! # What is not
//! What comes back, and the keys that are typed once logged in.
//!
//! # How it is told
//! The port of each, since nothing but words between zeros is sent, and as many such words as each has.

use std::ops::Range;

use farshore_model::{Direction, Protection, Transport};

use super::lines::Line;
use super::{Begins, Dissector, FirstBytes, Gathered, Match, Opening, Progress, Protocol, Segment, Sink, Start};
use crate::limits::Limits;

/// Logins by name and password.
pub static REXEC: Remote = Remote {
    id: "rexec",
    port: 512,
    words: &[
        Word::Port,
        Word::Told("rexec.user"),
        Word::Told("rexec.password"),
        Word::Told("rexec.command"),
    ],
};

/// Logins by name.
pub static RLOGIN: Remote = Remote {
    id: "rlogin",
    port: 513,
    words: &[
        Word::Nothing,
        Word::Told("rlogin.local-user"),
        Word::Told("rlogin.user"),
        Word::Terminal,
    ],
};

/// Single commands.
pub static RSH: Remote = Remote {
    id: "rsh",
    port: 514,
    words: &[
        Word::Port,
        Word::Told("rsh.local-user"),
        Word::Told("rsh.user"),
        Word::Told("rsh.command"),
    ],
};

/// One of the three, as a [`Protocol`].
#[derive(Debug)]
pub struct Remote {
    id: &'static str,
    port: u16,
    words: &'static [Word],
}

/// What a client sends before a zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// Where errors are to go: digits, or nothing.
    Port,
    Nothing,
    Told(&'static str),
    /// A kind of terminal, a slash, a speed.
    Terminal,
}

/// Longer words are not typed.
const LONGEST: usize = 1024;

impl Word {
    fn fits(self, text: &[u8]) -> bool {
        let readable = text.iter().all(|byte| !byte.is_ascii_control());
        match self {
            Self::Port => text.len() <= 5 && text.iter().all(u8::is_ascii_digit),
            Self::Nothing => text.is_empty(),
            Self::Told(_) => readable && (1..=LONGEST).contains(&text.len()),
            Self::Terminal => readable && text.contains(&b'/') && text.last().is_some_and(u8::is_ascii_digit),
        }
    }
}

impl Protocol for Remote {
    fn id(&self) -> &'static str {
        self.id
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Stream { up, .. } if opening.transport == Transport::Tcp && opening.server_port == self.port && !up.is_empty() => {
                match self.read(up) {
                    Some(it) if it.len() == self.words.len() => Match::Yes,
                    Some(_) => Match::Maybe,
                    None => Match::No,
                }
            }
            Start::Stream { .. } | Start::Datagrams(_) => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::range(b'0', b'9').and(0, 0))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, _: &Limits) -> Box<dyn Dissector> {
        Box::new(Request {
            remote: Self { ..*self },
            gathered: Gathered::default(),
        })
    }
}

impl Remote {
    /// The words that are whole; `None` if one of them, or what is there of the next, does not fit.
    fn read(&self, bytes: &[u8]) -> Option<Vec<Range<usize>>> {
        let (mut words, mut from) = (Vec::new(), 0_usize);
        for word in self.words {
            let rest = bytes.get(from..)?;
            let Some(length) = rest.iter().position(|byte| *byte == 0) else {
                let may = match word {
                    Word::Port => word.fits(rest),
                    Word::Nothing => rest.is_empty(),
                    Word::Told(_) | Word::Terminal => rest.len() <= LONGEST && rest.iter().all(|byte| !byte.is_ascii_control()),
                };
                return may.then_some(words);
            };
            let range = from..from.saturating_add(length);
            if !word.fits(bytes.get(range.clone())?) {
                return None;
            }
            from = range.end.saturating_add(1);
            words.push(range);
        }
        Some(words)
    }
}

/// What the client sends first.
#[derive(Debug)]
struct Request {
    remote: Remote,
    gathered: Gathered,
}

impl Dissector for Request {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        if direction == Direction::Down {
            return Progress::More;
        }
        let Segment::Bytes(piece) = it else { return Progress::Lost };
        self.gathered.push(&piece);
        let Some(words) = self.remote.read(self.gathered.bytes()) else {
            return Progress::Lost;
        };
        if words.len() < self.remote.words.len() {
            return Progress::More;
        }
        out.client_speaks(direction);
        let all = Line::all(&self.gathered);
        for (word, range) in self.remote.words.iter().zip(words) {
            if let Word::Told(path) = word {
                all.tell(path, range, out);
            }
        }
        Progress::Done
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::Span;

    use super::super::notebook::{damage, read_stream, stream};
    use super::*;
    use Direction::{Down, Up};

    #[test]
    fn who_does_what_as_whom_is_told_in_place() {
        let out = read_stream(&RSH, (1022, 514), &[(Up, b"1021\0ann\0root\0mkdir rooms\0"), (Down, b"\0")]);
        assert_eq!(
            out.told(),
            [("rsh.local-user", "ann"), ("rsh.user", "root"), ("rsh.command", "mkdir rooms")]
        );
        assert_eq!(out.fields[0].2, Span::in_frame(1, 42 + 5, 3));
        let out = read_stream(&REXEC, (50_000, 512), &[(Up, b"0\0ann\0w4tch\0ls\0")]);
        assert_eq!(
            out.told(),
            [("rexec.user", "ann"), ("rexec.password", "w4tch"), ("rexec.command", "ls")]
        );
        let out = read_stream(&RLOGIN, (1023, 513), &[(Up, b"\0ann\0root\0xterm/38400\0")]);
        assert_eq!(out.told(), [("rlogin.local-user", "ann"), ("rlogin.user", "root")]);
    }

    #[test]
    fn any_segmentation_over_tcp_tells_the_same() {
        let up = b"1021\0ann\0root\0mkdir rooms\0";
        for size in 1..up.len() {
            let chunks: Vec<_> = up.chunks(size).map(|it| (Up, it)).collect();
            assert_eq!(read_stream(&RSH, (1022, 514), &chunks).told().len(), 3, "chunks of {size}");
        }
    }

    #[test]
    fn other_words_and_other_ports_are_not_it() {
        let verdict = |remote: &'static Remote, port, up: &[u8]| remote.matches(&stream(1022, port, up, b""));
        assert_eq!(verdict(&RSH, 514, b"1021\0ann\0root\0ls\0"), Match::Yes);
        assert_eq!(verdict(&RSH, 9_514, b"1021\0ann\0root\0ls\0"), Match::No);
        for up in [&b"1"[..], b"1021\0", b"1021\0an", b"1021\0ann\0root\0l"] {
            assert_eq!(verdict(&RSH, 514, up), Match::Maybe, "{}", up.escape_ascii());
        }
        for up in [
            &b""[..],
            b"\x16\x03\x01\x02",
            b"102134\0ann\0root\0ls\0",
            b"1021\0\0root\0ls\0",
            b"<14>Nov 22 10:00:00\n",
        ] {
            assert_eq!(verdict(&RSH, 514, up), Match::No, "{}", up.escape_ascii());
        }
        assert_eq!(verdict(&RLOGIN, 513, b"\0ann\0root\0xterm\0"), Match::No);
        assert_eq!(verdict(&RLOGIN, 513, b"x\0ann\0root\0xterm/9600\0"), Match::No);
    }

    #[test]
    fn damage_never_panics() {
        damage(&RSH, (1022, 514), Transport::Tcp, Up, b"1021\0ann\0root\0mkdir rooms\0");
        damage(&REXEC, (50_000, 512), Transport::Tcp, Up, b"0\0ann\0w4tch\0ls\0");
    }
}
