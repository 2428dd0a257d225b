//! Syslog (RFC 3164, RFC 5424) over UDP (RFC 5426) and over TCP (RFC 6587).
//!
//! # What is extracted, and why it matters
//! What a machine says about itself and its users: `syslog.host`, and all behind the header as `syslog.message`, where
//! names, addresses and tokens stand in free text.
//!
//! # What is not
//! Structured data is part of the message.
//!
//! # How it is told
//! A priority in angle brackets, and behind it a date as either RFC writes it; in datagrams on port 514, text that can be
//! read. In a stream a message has its length before it, or ends with its line.

use std::ops::Range;

use farshore_model::{Direction, Protection, Span, Transport};

use super::{Begins, Dissector, Field, FirstBytes, Gathered, Match, Opening, Progress, Protocol, Segment, Sink, Start};
use crate::limits::Limits;

/// Syslog.
pub static SYSLOG: Syslog = Syslog;

/// Syslog, as a [`Protocol`].
#[derive(Debug)]
pub struct Syslog;

const PORT: u16 = 514;

impl Protocol for Syslog {
    fn id(&self) -> &'static str {
        "syslog"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        let own = opening.server_port == PORT || opening.client_port == PORT;
        let told = |bytes: &[u8]| {
            read(bytes).is_some_and(|it| {
                let text = bytes.get(it.message.clone()).unwrap_or_default();
                it.dated
                    || own
                        && text.len() >= 4
                        && text
                            .iter()
                            .all(|byte| !byte.is_ascii_control() || byte.is_ascii_whitespace() || *byte == 0)
            })
        };
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Datagrams(list) if opening.transport == Transport::Udp && list.last().is_some_and(|(_, bytes)| told(bytes)) => {
                Match::Yes
            }
            Start::Stream { .. } => opening.by_either_side(streamed),
            Start::Datagrams(_) => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins {
            stream: FirstBytes::of(b"<").and(b'1', b'9'),
            datagram: FirstBytes::of(b"<"),
        }
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        match opening.transport {
            Transport::Tcp => Box::new(Stream {
                lanes: Default::default(),
                longest: limits.message_bytes,
            }),
            _ => Box::new(Log),
        }
    }
}

/// Whether a side of a stream begins with a message that has a date.
fn streamed(bytes: &[u8]) -> Match {
    /// A header of the longest priority and date is shorter by far.
    const ENOUGH: usize = 320;
    let digits = bytes.iter().take(COUNT).take_while(|byte| byte.is_ascii_digit()).count();
    if bytes.first() == Some(&b'0') {
        return Match::No;
    }
    let message = match bytes.get(digits..) {
        Some([b' ', message @ ..]) if digits > 0 => message,
        Some(message) if digits == 0 => message,
        Some([]) if digits > 0 => return Match::Maybe,
        _ => return Match::No,
    };
    if read(message).is_some_and(|it| it.dated) {
        return Match::Yes;
    }
    let (priority, rest) = match message.iter().take(5).position(|byte| *byte == b'>') {
        Some(close) => message.split_at(close),
        None => (message, &[][..]),
    };
    // A priority that begins so, and behind it what may become a month's name, or a version and a year.
    let begun = match priority {
        [] => digits > 0,
        [b'<'] => true,
        [b'<', number @ ..] => {
            let number = std::str::from_utf8(number)
                .ok()
                .filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()));
            number.and_then(|it| it.parse::<u8>().ok()).is_some_and(|it| it <= 191)
        }
        _ => false,
    };
    let behind = rest.get(1..).unwrap_or_default();
    let dated = match behind {
        [] => true,
        [b'1', rest @ ..] => rest.first().is_none_or(|it| *it == b' ') && rest.get(1).is_none_or(u8::is_ascii_digit),
        _ => MONTHS.iter().any(|it| it.starts_with(behind.get(..3).unwrap_or(behind))),
    };
    match begun && dated && bytes.len() < ENOUGH && !message.contains(&b'\n') {
        true if !bytes.is_empty() => Match::Maybe,
        _ => Match::No,
    }
}

/// Digits of a length.
const COUNT: usize = 6;

/// A message taken apart.
struct Entry {
    dated: bool,
    host: Option<Range<usize>>,
    message: Range<usize>,
}

const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// Bytes of a date as RFC 3164 writes it: `Mmm dd hh:mm:ss `.
const DATE: usize = 16;

fn read(bytes: &[u8]) -> Option<Entry> {
    let close = bytes.iter().take(5).position(|byte| *byte == b'>')?;
    let digits = bytes.get(1..close)?;
    let priority = std::str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_digit))?;
    if bytes.first() != Some(&b'<') || priority.parse::<u8>().ok()? > 191 {
        return None;
    }
    let start = close.saturating_add(1);
    let rest = bytes.get(start..)?;
    let end = bytes.len().saturating_sub(rest.len()).saturating_add(rest.trim_ascii_end().len());
    if rest.get(..3).is_some_and(|it| MONTHS.contains(&it)) && matches!(rest.get(..DATE), Some([_, _, _, b' ', .., b':', _, _, b' '])) {
        let from = start.saturating_add(DATE);
        let host = word(bytes, from)?;
        return Some(Entry {
            dated: true,
            message: host.end.saturating_add(1).min(end)..end,
            host: Some(host),
        });
    }
    // `1 2003-10-11T22:14:15.003Z host app proc id …`
    if let [b'1', b' ', y1, y2, y3, y4, b'-', ..] = rest
        && [y1, y2, y3, y4].iter().all(|byte| byte.is_ascii_digit())
    {
        let time = word(bytes, start.saturating_add(2))?;
        let host = word(bytes, time.end.saturating_add(1))?;
        return Some(Entry {
            dated: true,
            message: host.end.saturating_add(1).min(end)..end,
            host: Some(host),
        });
    }
    Some(Entry {
        dated: false,
        host: None,
        message: start..end.max(start),
    })
}

fn word(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let length = bytes
        .get(from..)?
        .iter()
        .take(256)
        .position(|byte| *byte == b' ')
        .filter(|it| *it > 0)?;
    Some(from..from.saturating_add(length))
}

/// Tells what a message holds.
fn tell(bytes: &[u8], span: impl Fn(Range<usize>) -> Span, out: &mut dyn Sink) {
    let Some(entry) = read(bytes) else { return };
    let mut tell = |path: &str, range: Range<usize>| {
        let value = bytes.get(range.clone()).unwrap_or_default();
        // A dash stands for nothing (RFC 5424, section 6).
        if !value.is_empty() && value != b"-" {
            let at = span(range);
            out.field(Field { path, value, at });
        }
    };
    if let Some(host) = entry.host {
        tell("syslog.host", host);
    }
    tell("syslog.message", entry.message);
}

/// Messages, each in its datagram.
#[derive(Debug)]
struct Log;

impl Dissector for Log {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let Segment::Bytes(piece) = it else { return Progress::More };
        if read(piece.bytes).is_some() {
            out.client_speaks(direction);
            tell(piece.bytes, |range| piece.origin.span(range), out);
        }
        Progress::More
    }
}

/// Messages one behind the other.
#[derive(Debug)]
struct Stream {
    lanes: [Lane; 2],
    longest: usize,
}

/// One direction.
#[derive(Debug, Default)]
struct Lane {
    gathered: Gathered,
    /// Bytes already searched for the end of a line.
    seen: usize,
}

impl Dissector for Stream {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let lane = direction.of_mut(&mut self.lanes);
        let Segment::Bytes(piece) = it else {
            *lane = Lane::default();
            return Progress::More;
        };
        lane.gathered.push(&piece);
        lane.messages(self.longest, direction, out)
    }

    fn finish(&mut self, out: &mut dyn Sink) {
        // The last line may have no end.
        for lane in &mut self.lanes {
            if lane.gathered.bytes().first() == Some(&b'<') {
                lane.tell(0..lane.gathered.len(), out);
            }
            lane.gathered.clear();
        }
    }
}

impl Lane {
    fn messages(&mut self, longest: usize, direction: Direction, out: &mut dyn Sink) -> Progress {
        loop {
            let bytes = self.gathered.bytes();
            match bytes.first() {
                None => return Progress::More,
                Some(b'<') => {
                    let new = bytes.get(self.seen..).unwrap_or_default();
                    let Some(length) = new.iter().position(|byte| matches!(byte, b'\n' | 0)) else {
                        self.seen = bytes.len();
                        if self.seen > longest {
                            out.limit("message-bytes");
                            return Progress::Lost;
                        }
                        return Progress::More;
                    };
                    let end = self.seen.saturating_add(length);
                    out.client_speaks(direction);
                    self.tell(0..end, out);
                    self.gathered.consume(end.saturating_add(1));
                    self.seen = 0;
                }
                Some(b'1'..=b'9') => {
                    let Some(space) = bytes.iter().take(COUNT.saturating_add(1)).position(|byte| *byte == b' ') else {
                        return if bytes.len() <= COUNT { Progress::More } else { Progress::Lost };
                    };
                    let digits = bytes.get(..space).unwrap_or_default();
                    let Some(length) = std::str::from_utf8(digits).ok().and_then(|it| it.parse::<usize>().ok()) else {
                        return Progress::Lost;
                    };
                    let start = space.saturating_add(1);
                    let end = start.saturating_add(length);
                    if length > longest {
                        out.limit("message-bytes");
                        self.gathered.skip(end);
                        continue;
                    }
                    if bytes.len() < end {
                        return Progress::More;
                    }
                    out.client_speaks(direction);
                    self.tell(start..end, out);
                    self.gathered.consume(end);
                }
                // What separates messages that need no separation.
                Some(b'\r' | b'\n' | 0) => self.gathered.consume(1),
                Some(_) => return Progress::Lost,
            }
        }
    }

    fn tell(&self, message: Range<usize>, out: &mut dyn Sink) {
        let start = message.start;
        let place = |range: Range<usize>| {
            let from = start.saturating_add(range.start);
            self.gathered.span(from..start.saturating_add(range.end))
        };
        tell(self.gathered.bytes().get(message).unwrap_or_default(), place, out);
    }
}

#[cfg(test)]
mod tests {
    use super::super::notebook::{damage, datagrams, read_datagrams, read_stream, stream};
    use super::*;
    use Direction::Up;

    const OLD: &[u8] = b"<34>Oct 11 22:14:15 gate su: 'su root' failed for ann@mail.example\n";
    const NEW: &[u8] = b"<165>1 2003-10-11T22:14:15.003Z gate.example evntslog - ID47 [x y=\"1\"] hello";

    #[test]
    fn both_forms_are_read() {
        let out = read_datagrams(&SYSLOG, (50_000, 1_514), &[(Up, OLD), (Up, NEW)]);
        assert_eq!(out.values("syslog.host"), ["gate", "gate.example"]);
        assert_eq!(
            out.values("syslog.message"),
            ["su: 'su root' failed for ann@mail.example", "evntslog - ID47 [x y=\"1\"] hello"]
        );
        assert_eq!(out.fields[0].2, Span::in_frame(1, 42 + 20, 4));
        assert_eq!(out.fields[1].2, Span::in_frame(1, 42 + 25, 41));
    }

    #[test]
    fn a_stream_is_read_in_any_segmentation_and_either_framing() {
        let counted = [format!("{} ", NEW.len()).as_bytes(), NEW, format!("{} ", OLD.len()).as_bytes(), OLD].concat();
        let lines = [NEW, b"\n", OLD].concat();
        for text in [counted, lines] {
            for size in 1..text.len() {
                let chunks: Vec<_> = text.chunks(size).map(|it| (Up, it)).collect();
                let out = read_stream(&SYSLOG, (50_000, 1_514), &chunks);
                assert_eq!(out.values("syslog.host"), ["gate.example", "gate"], "chunks of {size}");
                assert_eq!(out.values("syslog.message")[1], "su: 'su root' failed for ann@mail.example");
                assert_eq!((out.fields.len(), out.client), (4, Some(Up)));
            }
        }
        let out = read_stream(&SYSLOG, (50_000, 514), &[(Up, b"76 "), (Up, NEW)]);
        assert_eq!(out.fields[0].2, Span::in_frame(2, 42 + 32, 12));
    }

    #[test]
    fn other_streams_are_not_it() {
        let verdict = |bytes: &[u8]| SYSLOG.matches(&stream(50_000, 514, bytes, b""));
        for cut in 1..24 {
            assert_eq!(verdict(&OLD[..cut]), Match::Maybe, "{cut}");
        }
        for other in [
            &b"<html>"[..],
            b"<?xml",
            b"220 mx ready\r\n",
            b"<34>hello there",
            b"12345678 <3",
            b"<192>Oct 11 22:14:15 a b",
            b"<34>\n",
        ] {
            assert_eq!(verdict(other), Match::No, "{}", other.escape_ascii());
        }
    }

    #[test]
    fn other_text_is_not_it() {
        let verdict = |bytes: &[u8], port| SYSLOG.matches(&datagrams(50_000, port, &[(Up, bytes)]));
        assert_eq!(
            (verdict(b"<30>hello there", 514), verdict(b"<30>hello there", 9)),
            (Match::Yes, Match::No)
        );
        assert_eq!(verdict(b"<192>Oct 11 22:14:15 gate su: x", 514), Match::No);
        assert_eq!(verdict(b"<a>hello there", 514), Match::No);
        assert_eq!(verdict(b"<30>\x01\x02\x03\x04", 514), Match::No);
        assert_eq!(verdict(b"<?xml version=\"1.0\"?>", 514), Match::No);
    }

    #[test]
    fn damage_never_panics() {
        damage(&SYSLOG, (50_000, 514), Transport::Udp, Up, OLD);
        damage(&SYSLOG, (50_000, 514), Transport::Udp, Up, NEW);
        damage(&SYSLOG, (50_000, 514), Transport::Tcp, Up, OLD);
        damage(&SYSLOG, (50_000, 514), Transport::Tcp, Up, &[b"76 ", NEW].concat());
    }
}
