//! RTSP 1.0 and 2.0 over TCP (RFC 2326, RFC 7826).
//!
//! # What is extracted, and why it matters
//! Cameras are watched through it: `rtsp.url`, often with user and password in it, `rtsp.authorization`, the program as
//! `rtsp.user-agent`, every other header as `rtsp.header.<name>`, and descriptions as `rtsp.body`.
//!
//! Sound and pictures between the messages (RFC 2326, section 10.12) are read as RTP.
//!
//! # What is not
//! Sound and pictures in datagrams are flows of their own.
//!
//! # How it is told
//! A request line or a status line with RTSP's version.

use farshore_model::{Direction, Protection};

use super::lines::{Conversation, Line, Talk, Then, Who, first, path};
use super::{Begins, Dissector, FirstBytes, Match, Opening, Piece, Protocol, Segment, Sink, Start};
use crate::limits::Limits;

/// RTSP.
pub static RTSP: Rtsp = Rtsp;

/// RTSP, as a [`Protocol`].
#[derive(Debug)]
pub struct Rtsp;

impl Protocol for Rtsp {
    fn id(&self) -> &'static str {
        "rtsp"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        opening.by_either_side(told)
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::range(b'A', b'T'))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        let turned = matches!(opening.start, Start::Stream { up, down } if is_status(up) || first(down).is_some_and(is_request));
        let talk = Player {
            sides: Default::default(),
            body_bytes: limits.body_bytes,
        };
        Box::new(Conversation::new(
            talk,
            if turned { Direction::Down } else { Direction::Up },
            limits,
        ))
    }
}

const METHODS: [&[u8]; 11] = [
    b"ANNOUNCE",
    b"DESCRIBE",
    b"GET_PARAMETER",
    b"OPTIONS",
    b"PAUSE",
    b"PLAY",
    b"RECORD",
    b"REDIRECT",
    b"SETUP",
    b"SET_PARAMETER",
    b"TEARDOWN",
];

const VERSIONS: [&[u8]; 2] = [b"RTSP/1.0", b"RTSP/2.0"];

fn told(bytes: &[u8]) -> Match {
    if bytes.is_empty() || !begins(bytes) {
        return Match::No;
    }
    match first(bytes) {
        Some(line) if is_request(line) || is_status(line) => Match::Yes,
        Some(_) => Match::No,
        None if bytes.len() < 512 => Match::Maybe,
        None => Match::No,
    }
}

fn is_request(line: &[u8]) -> bool {
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').take(4).collect();
    matches!(words[..], [method, _, version] if METHODS.contains(&method) && VERSIONS.contains(&version))
}

fn is_status(line: &[u8]) -> bool {
    let code = VERSIONS.iter().find_map(|it| line.strip_prefix(*it)?.strip_prefix(b" "));
    matches!(code, Some([b'1'..=b'5', b'0'..=b'9', b'0'..=b'9', ..]))
}

fn begins(bytes: &[u8]) -> bool {
    METHODS.iter().chain([&b"RTSP/"[..]].iter()).any(|it| {
        let common = bytes.len().min(it.len());
        bytes.get(..common) == it.get(..common)
    })
}

/// One direction: where in a message it stands.
#[derive(Debug, Default)]
struct Side {
    inside: bool,
    length: u64,
    /// What comes next is the body.
    body: bool,
}

/// One session.
#[derive(Debug)]
struct Player {
    sides: [Side; 2],
    body_bytes: usize,
}

impl Talk for Player {
    fn line(&mut self, who: Who, line: &Line<'_>, out: &mut dyn Sink) -> Then {
        let most = self.body_bytes;
        let side = who.of_mut(&mut self.sides);
        let text = line.text();
        if std::mem::take(&mut side.body) {
            if text.len() > most {
                out.limit("body-bytes");
            }
            line.tell("rtsp.body", 0..text.len().min(most), out);
            return Then::Line;
        }
        if !side.inside {
            side.inside = is_request(text) || is_status(text);
            side.length = 0;
            if let (true, Some(method)) = (is_request(text), line.word(0)) {
                line.word(method.end).into_iter().for_each(|it| line.tell("rtsp.url", it, out));
            }
            return Then::Line;
        }
        if text.is_empty() {
            side.inside = false;
            side.body = side.length > 0;
            return if side.body { Then::Bytes(side.length) } else { Then::Line };
        }
        let Some(mark) = text.iter().position(|byte| *byte == b':') else {
            return Then::Line;
        };
        let name = text.get(..mark).unwrap_or_default().trim_ascii_end().to_ascii_lowercase();
        let value = line.rest(mark.saturating_add(1));
        match &name[..] {
            b"content-length" => {
                side.length = std::str::from_utf8(line.get(value))
                    .ok()
                    .and_then(|it| it.parse().ok())
                    .unwrap_or(0);
            }
            b"authorization" | b"proxy-authorization" => line.tell("rtsp.authorization", value, out),
            b"user-agent" => line.tell("rtsp.user-agent", value, out),
            _ => line.tell(&path("rtsp.header", &name), value, out),
        }
        Then::Line
    }

    fn lost(&mut self, who: Who) {
        *who.of_mut(&mut self.sides) = Side::default();
    }

    fn interleaves(&self) -> bool {
        true
    }

    /// Media by RTP's own headers; control messages share the connection, and RTP leaves them aside.
    fn interleaved(&mut self, direction: Direction, _: u8, it: &Line<'_>, out: &mut dyn Sink) {
        let bytes = it.text();
        let at = it.span(0..bytes.len());
        out.inner(direction, "rtp", Segment::Bytes(Piece::at(bytes, &at)));
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::Transport;

    use super::super::notebook::{damage, read_stream, stream};
    use super::*;
    use Direction::{Down, Up};

    const UP: &[u8] = b"DESCRIBE rtsp://bob:hunter2@cam.example/1 RTSP/1.0\r\nCSeq: 1\r\nAuthorization: Basic Ym9iOmh1bnRlcjI=\r\n\r\n\
        $\0\0\x05a\nb\ncPLAY rtsp://cam.example/1 RTSP/1.0\r\n\r\n";
    const DOWN: &[u8] = b"RTSP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nv=0\r\n$\0\0\x03\n\n\nRTSP/1.0 200 OK\r\nSession: 77\r\n\r\n";

    #[test]
    fn a_session_in_any_segmentation_tells_the_same() {
        for size in 1..UP.len() {
            let chunks: Vec<_> = UP
                .chunks(size)
                .map(|it| (Up, it))
                .chain(DOWN.chunks(size).map(|it| (Down, it)))
                .collect();
            let out = read_stream(&RTSP, (50_000, 8_554), &chunks);
            let told: Vec<(&str, &str)> = out
                .fields
                .iter()
                .map(|(path, value, _)| (path.as_str(), std::str::from_utf8(value).unwrap()))
                .collect();
            let expected = [
                ("rtsp.url", "rtsp://bob:hunter2@cam.example/1"),
                ("rtsp.header.cseq", "1"),
                ("rtsp.authorization", "Basic Ym9iOmh1bnRlcjI="),
                ("rtsp.url", "rtsp://cam.example/1"),
                ("rtsp.body", "v=0\r\n"),
                ("rtsp.header.session", "77"),
            ];
            assert_eq!(told, expected, "chunks of {size}");
            let media = [(Up, "rtp", b"a\nb\nc".to_vec()), (Down, "rtp", b"\n\n\n".to_vec())];
            assert_eq!(out.inner, media, "chunks of {size}");
            assert_eq!(out.client, Some(Up));
        }
    }

    #[test]
    fn values_are_where_their_spans_say() {
        let out = read_stream(&RTSP, (8_554, 50_000), &[(Down, UP), (Up, DOWN)]);
        assert_eq!(out.client, Some(Down));
        for (path, value, at) in &out.fields {
            let bytes = if at.frame == 1 { UP } else { DOWN };
            let start = usize::try_from(at.offset).unwrap() - 42;
            assert_eq!(&bytes[start..start + value.len()], &value[..], "{path}");
        }
    }

    #[test]
    fn other_text_is_not_it() {
        let verdict = |up: &[u8]| RTSP.matches(&stream(50_000, 554, up, b""));
        assert_eq!(verdict(b"OPTIONS / HTTP/1.1\r\n"), Match::No);
        assert_eq!(verdict(b"OPTIONS sip:a@b.example SIP/2.0\r\n"), Match::No);
        assert_eq!(verdict(b"OPTIONS "), Match::Maybe);
        assert_eq!(verdict(b"OPTIONS * RTSP/1.0\r\n"), Match::Yes);
    }

    #[test]
    fn damage_never_panics() {
        damage(&RTSP, (50_000, 554), Transport::Tcp, Up, UP);
    }
}
