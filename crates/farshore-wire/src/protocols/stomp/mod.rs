//! STOMP: clients of a broker of messages, in frames of text (versions 1.0 to 1.2), over TCP.
//!
//! # What is extracted, and why it matters
//! Logins go as they are: `stomp.user`, `stomp.password`, and to which host, `stomp.host`. Then every message: `stomp.body`, with what
//! stands in its head under `stomp.header.<name>`, such as where it goes.
//!
//! # What is not
//! STOMP within WebSockets, of which each message is shown whole.
//!
//! # How it is told
//! A client that begins with `CONNECT` or `STOMP` on a line of its own and a header under it, or a server with `CONNECTED`.
//!
//! **Read after** "STOMP Protocol Specification, Version 1.2".

use farshore_model::{Direction, Protection};

use super::lane::Lane;
use super::lines::{Line, client_of, either_way, path};
use super::{Begins, Dissector, FirstBytes, Match, Opening, Progress, Protocol, Segment, Sink};
use crate::content::{self, About, Text};
use crate::limits::Limits;

/// STOMP.
pub static STOMP: Stomp = Stomp;

/// STOMP, as a [`Protocol`].
#[derive(Debug)]
pub struct Stomp;

impl Protocol for Stomp {
    fn id(&self) -> &'static str {
        "stomp"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        either_way(opening, told)
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::of(b"CS"))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        Box::new(Session {
            client: client_of(opening, told),
            told: false,
            lanes: Default::default(),
            limits: limits.clone(),
        })
    }
}

fn told(client: &[u8], server: &[u8], _: u16) -> Match {
    let mut verdict = Match::No;
    for (bytes, commands) in [(client, &[&b"CONNECT"[..], b"STOMP"][..]), (server, &[b"CONNECTED"])] {
        for command in commands {
            match begins(bytes, command) {
                Match::Yes => return Match::Yes,
                Match::Maybe => verdict = Match::Maybe,
                Match::No => {}
            }
        }
    }
    verdict
}

/// Whether bytes begin with a command on a line of its own, and a header under it.
fn begins(bytes: &[u8], command: &[u8]) -> Match {
    let common = bytes.len().min(command.len());
    if bytes.is_empty() || bytes.get(..common) != command.get(..common) {
        return Match::No;
    }
    let rest = bytes.get(common..).unwrap_or_default();
    let header = match rest {
        [] | [b'\r'] => return Match::Maybe,
        [b'\n', header @ ..] | [b'\r', b'\n', header @ ..] => header,
        _ => return Match::No,
    };
    // A name in letters, a colon.
    match header.iter().take(64).position(|it| !(it.is_ascii_alphanumeric() || *it == b'-')) {
        Some(end) if end > 0 && header.get(end) == Some(&b':') => Match::Yes,
        None if header.len() < 64 => Match::Maybe,
        _ => Match::No,
    }
}

/// Whether a chunk begins with a frame: a word in capitals on a line of its own.
fn takes_up(bytes: &[u8]) -> bool {
    let word = bytes.iter().take(16).take_while(|it| it.is_ascii_uppercase()).count();
    word > 2 && matches!(bytes.get(word), Some(b'\r' | b'\n'))
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    lane: Lane,
    /// Where the body of the frame begins, once that is known, and its length, if the head says.
    head: Option<(usize, Option<usize>)>,
    /// Bytes already searched for the end of the head, or of the body.
    seen: usize,
    /// All is passed over up to a zero byte.
    skipping: bool,
}

/// One flow.
#[derive(Debug)]
struct Session {
    client: Direction,
    told: bool,
    lanes: [Side; 2],
    limits: Limits,
}

impl Dissector for Session {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        if !std::mem::replace(&mut self.told, true) {
            out.client_speaks(self.client);
        }
        let side = direction.of_mut(&mut self.lanes);
        if matches!(it, Segment::Gap(_)) {
            (side.head, side.seen, side.skipping) = (None, 0, false);
        }
        if !side.lane.take(&it, takes_up) {
            return Progress::More;
        }
        while side.frame(&self.limits, out) {}
        Progress::More
    }
}

impl Side {
    /// Reads a frame; whether another may follow.
    fn frame(&mut self, limits: &Limits, out: &mut dyn Sink) -> bool {
        let gathered = &mut self.lane.gathered;
        if self.skipping {
            let Some(end) = memchr::memchr(0, gathered.bytes()) else {
                gathered.clear();
                return false;
            };
            gathered.consume(end.saturating_add(1));
            self.skipping = false;
        }
        // Ends of lines between frames are heart-beats.
        let beats = gathered.bytes().iter().take_while(|it| matches!(it, b'\r' | b'\n')).count();
        gathered.consume(beats);
        let bytes = gathered.bytes();
        if self.head.is_none() {
            match head_ends(bytes, self.seen) {
                Some(body) => (self.head, self.seen) = (Some((body, announced(bytes.get(..body).unwrap_or_default()))), body),
                None if bytes.len() > LONGEST_HEAD => {
                    out.limit("message-bytes");
                    (self.seen, self.skipping) = (0, true);
                    return true;
                }
                None => self.seen = bytes.len().saturating_sub(3),
            }
        }
        let Some((body, length)) = self.head else { return false };
        let end = match length {
            Some(length) => body.saturating_add(length),
            None => match bytes.get(self.seen..).and_then(|it| memchr::memchr(0, it)) {
                Some(at) => self.seen.saturating_add(at),
                None => bytes.len(),
            },
        };
        let whole = end.saturating_sub(body) <= limits.message_bytes;
        if whole && bytes.len() <= end {
            self.seen = bytes.len().max(body);
            return false;
        }
        self.head = None;
        self.seen = 0;
        let all = Line::all(gathered);
        let kind = tell_head(&all, body, out);
        if whole {
            let text = bytes.get(body..end).unwrap_or_default();
            let place = |range: std::ops::Range<usize>| all.span(range.start.saturating_add(body)..range.end.saturating_add(body));
            let about = About {
                path: "stomp.body",
                kind,
                ..About::default()
            };
            if !text.is_empty() {
                content::tell(
                    Text {
                        bytes: text,
                        place: &place,
                    },
                    &about,
                    limits,
                    out,
                );
            }
            gathered.consume(end.saturating_add(1));
        } else {
            out.limit("message-bytes");
            if length.is_some() {
                gathered.skip(end.saturating_add(1));
            } else {
                self.skipping = true;
            }
        }
        true
    }
}

/// No frame has a longer head.
const LONGEST_HEAD: usize = 1 << 16;

/// Where the head ends that bytes begin with, and the body begins; what was searched before is not searched again.
fn head_ends(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from.saturating_sub(3);
    loop {
        let line = memchr::memchr(b'\n', bytes.get(at..)?)?;
        at = at.saturating_add(line).saturating_add(1);
        match bytes.get(at..)? {
            [b'\n', ..] => return Some(at.saturating_add(1)),
            [b'\r', b'\n', ..] => return Some(at.saturating_add(2)),
            _ => {}
        }
    }
}

/// Where names and values of a head stand; the line of the command has none.
fn headers(head: &[u8]) -> impl Iterator<Item = (std::ops::Range<usize>, std::ops::Range<usize>)> + '_ {
    let mut next = 0_usize;
    head.split_inclusive(|it| *it == b'\n').filter_map(move |line| {
        let start = next;
        next = start.saturating_add(line.len());
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let colon = line.iter().position(|it| *it == b':')?;
        let colon = start.saturating_add(colon);
        Some((start..colon, colon.saturating_add(1)..start.saturating_add(line.len())))
    })
}

/// How long the body behind a head is, if the head says.
fn announced(head: &[u8]) -> Option<usize> {
    let (_, length) = headers(head).find(|(name, _)| head.get(name.clone()) == Some(b"content-length"))?;
    str::from_utf8(head.get(length)?).ok()?.parse().ok()
}

/// Tells a head; comes back with the form of the body that follows.
fn tell_head<'a>(all: &Line<'a>, body: usize, out: &mut dyn Sink) -> &'a [u8] {
    let head = all.get(0..body);
    let connects = head.starts_with(b"CONNECT\n") || head.starts_with(b"CONNECT\r") || head.starts_with(b"STOMP");
    let mut kind: &[u8] = b"";
    for (name, value) in headers(head) {
        match all.get(name) {
            b"login" if connects => all.tell("stomp.user", value, out),
            b"passcode" if connects => all.tell("stomp.password", value, out),
            b"host" if connects => all.tell("stomp.host", value, out),
            b"content-length" => {}
            b"content-type" => kind = all.get(value),
            name => all.tell(&path("stomp.header", name), value, out),
        }
    }
    kind
}

#[cfg(test)]
mod tests {
    use farshore_model::{Span, Transport};

    use super::super::notebook::{damage, read_stream, stream};
    use super::*;
    use Direction::{Down, Up};

    const TALK: &[(Direction, &[u8])] = &[
        (
            Up,
            b"CONNECT\naccept-version:1.1,1.2\nhost:rooms.example\nlogin:alice\npasscode:w4tch\n\n\0",
        ),
        (Down, b"CONNECTED\r\nversion:1.2\r\nuser-name:alice\r\n\r\n\0\n\n"),
        (
            Up,
            b"\nSEND\ndestination:/queue/guests\ncontent-type:text/plain\n\nbob@rooms.example\0",
        ),
        (
            Down,
            b"MESSAGE\nmessage-id:7\ncontent-length:6\n\nab\0cde\0\r\nRECEIPT\nreceipt-id:8\n\n\0",
        ),
    ];

    const TOLD: &[(&str, &str)] = &[
        ("stomp.header.accept-version", "1.1,1.2"),
        ("stomp.host", "rooms.example"),
        ("stomp.user", "alice"),
        ("stomp.password", "w4tch"),
        ("stomp.header.version", "1.2"),
        ("stomp.header.user-name", "alice"),
        ("stomp.header.destination", "/queue/guests"),
        ("stomp.body", "bob@rooms.example"),
        ("stomp.header.message-id", "7"),
        ("stomp.body", "ab\0cde"),
        ("stomp.header.receipt-id", "8"),
    ];

    #[test]
    fn any_segmentation_over_tcp_tells_the_same() {
        for size in 1..90 {
            let chunks: Vec<_> = TALK.iter().flat_map(|(d, it)| it.chunks(size).map(|it| (*d, it))).collect();
            let out = read_stream(&STOMP, (50_000, 61_613), &chunks);
            assert_eq!((out.told(), out.client), (TOLD.to_vec(), Some(Up)), "chunks of {size}");
        }
        let out = read_stream(&STOMP, (50_000, 61_613), TALK);
        assert_eq!(out.fields[3].2, Span::in_frame(1, 42 + 71, 5));
    }

    #[test]
    fn what_is_too_long_is_passed_over_and_the_next_is_told() {
        let most = Limits::default().message_bytes;
        let long = vec![b'x'; most + 1];
        let next = b"SEND\nreceipt:9\n\n\0";
        for head in [
            format!("SEND\ncontent-length:{}\n\n", long.len()),
            "SEND\na:b\n\n".to_owned(),
            format!("SEND\nb:{}", "y".repeat(most)),
        ] {
            let all = [TALK[0].1, head.as_bytes(), &long, b"\0", next].concat();
            let chunks: Vec<_> = all.chunks(1_400).map(|it| (Up, it)).collect();
            let out = read_stream(&STOMP, (50_000, 61_613), &chunks);
            assert_eq!(out.values("stomp.header.receipt"), ["9"], "{head:.20}");
            assert!(out.values("stomp.body").is_empty() && !out.limits.is_empty(), "{head:.20}");
        }
    }

    #[test]
    fn other_beginnings_are_not_it() {
        let verdict = |up: &[u8], down: &[u8]| STOMP.matches(&stream(50_000, 61_613, up, down));
        assert_eq!(verdict(b"CONNECT\nlogin:a\n", b""), Match::Yes);
        assert_eq!(verdict(b"STOMP\r\nlogin:a\n", b""), Match::Yes);
        assert_eq!(verdict(b"", b"CONNECTED\nversion:1.2\n"), Match::Yes);
        for cut in 1..14 {
            assert_eq!(
                verdict(&b"CONNECT\nlogin:a\n"[..cut], b""),
                if cut < 14 { Match::Maybe } else { Match::Yes },
                "{cut}"
            );
        }
        for wrong in [
            "CONNECT rooms.example:443 HTTP/1.1\r\n",
            "CONNECTION\n",
            "STOMP 1\n",
            "SETUP",
            "CONNECT\n\n",
            "",
        ] {
            assert_eq!(verdict(wrong.as_bytes(), b""), Match::No, "{wrong:?}");
        }
    }

    #[test]
    fn damage_never_panics() {
        for way in [Up, Down] {
            let side: Vec<u8> = TALK.iter().filter(|(d, _)| *d == way).flat_map(|(_, it)| it.to_vec()).collect();
            damage(&STOMP, (50_000, 61_613), Transport::Tcp, way, &side);
        }
    }
}
