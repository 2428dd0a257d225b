//! Syslog over UDP (RFC 3164, RFC 5424, RFC 5426).
//!
//! # What is extracted, and why it matters
//! What a machine says about itself and its users: `syslog.host`, and all behind the header as `syslog.message`, where
//! names, addresses and tokens stand in free text.
//!
//! # What is not
//! Syslog over TCP. Structured data is part of the message.
//!
//! # How it is told
//! A priority in angle brackets, and behind it a date as either RFC writes it; on port 514, text that can be read.

use std::ops::Range;

use farshore_model::{Direction, Protection, Transport};

use super::{Begins, Dissector, Field, FirstBytes, Match, Opening, Progress, Protocol, Segment, Sink, Start};
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
            Start::Datagrams(_) | Start::Stream { .. } => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins::datagram(FirstBytes::of(b"<"))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, _: &Limits) -> Box<dyn Dissector> {
        Box::new(Log)
    }
}

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

/// Messages, each in its datagram.
#[derive(Debug)]
struct Log;

impl Dissector for Log {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let Segment::Bytes(piece) = it else { return Progress::More };
        let Some(entry) = read(piece.bytes) else {
            return Progress::More;
        };
        out.client_speaks(direction);
        let mut tell = |path: &str, range: Range<usize>| {
            let value = piece.bytes.get(range.clone()).unwrap_or_default();
            // A dash stands for nothing (RFC 5424, section 6).
            if !value.is_empty() && value != b"-" {
                let at = piece.origin.span(range);
                out.field(Field { path, value, at });
            }
        };
        if let Some(host) = entry.host {
            tell("syslog.host", host);
        }
        tell("syslog.message", entry.message);
        Progress::More
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::Span;

    use super::super::notebook::{damage, datagrams, read_datagrams};
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
    }
}
