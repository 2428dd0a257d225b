//! SIP (RFC 3261) over UDP, TCP and WebSocket (RFC 7118): the text of its messages.
//!
//! # What is extracted, and why it matters
//! Who calls whom stands in clear: `sip.from`, `sip.to`, `sip.contact`, `sip.request-uri`, `sip.call-id`,
//! `sip.p-asserted-identity`, the device as `sip.user-agent`, what a client proves itself with as `sip.authorization`,
//! every other header as `sip.header.<name>`, and the body as `sip.body`, where a description of media may hold its keys.
//! Each message that names its call is one [`Observation::Call`]: method, code of an answer, both addresses, the call's name.
//! Of TCP, TLS that follows is handed on.
//!
//! # What is not
//! Dialogues and calls put together; headers that go over several lines are told line by line.
//!
//! # How it is told
//! A request line or a status line with SIP's version, to its end.

use farshore_model::{Direction, Observation, Protection, Span, Transport, WireText};

use super::lines::{Conversation, Line, Talk, Then, Who, first, path};
use super::{Begins, Dissector, FirstBytes, Gathered, Match, Opening, Progress, Protocol, Segment, Sink, Start};
use crate::limits::Limits;

/// SIP.
pub static SIP: Sip = Sip;

/// SIP, as a [`Protocol`].
#[derive(Debug)]
pub struct Sip;

impl Protocol for Sip {
    fn id(&self) -> &'static str {
        "sip"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Datagrams(list) if opening.transport == Transport::Udp => {
                if list.last().is_some_and(|(_, bytes)| told(bytes) == Match::Yes) {
                    Match::Yes
                } else {
                    Match::No
                }
            }
            Start::Stream { up, down } if opening.transport == Transport::Tcp => match (told(up), told(down)) {
                (Match::Yes, _) | (_, Match::Yes) => Match::Yes,
                (Match::Maybe, _) | (_, Match::Maybe) => Match::Maybe,
                _ => Match::No,
            },
            Start::Stream { .. } | Start::Datagrams(_) => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins {
            stream: FirstBytes::range(b'A', b'U'),
            datagram: FirstBytes::range(b'A', b'U'),
        }
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        let carried = opening.layers.contains(&"websocket");
        if opening.transport == Transport::Udp || carried {
            return Box::new(Datagrams {
                carried,
                body_bytes: limits.body_bytes,
            });
        }
        let talk = Dialogue {
            sides: Default::default(),
            body_bytes: limits.body_bytes,
        };
        let client = match opening.start {
            Start::Stream { up, down } if is_status(up) && !is_status(down) => Direction::Down,
            _ => Direction::Up,
        };
        Box::new(Conversation::new(talk, client, limits))
    }
}

const VERSION: &[u8] = b"SIP/2.0";

/// Methods of RFC 3261 and of those that add to it (IANA, SIP Methods).
const METHODS: [&[u8]; 14] = [
    b"ACK",
    b"BYE",
    b"CANCEL",
    b"INFO",
    b"INVITE",
    b"MESSAGE",
    b"NOTIFY",
    b"OPTIONS",
    b"PRACK",
    b"PUBLISH",
    b"REFER",
    b"REGISTER",
    b"SUBSCRIBE",
    b"UPDATE",
];

/// Whether all of it is a message, or as much as was captured.
pub(super) fn is_message(bytes: &[u8]) -> bool {
    told(bytes) == Match::Yes
}

fn told(bytes: &[u8]) -> Match {
    if !begins(bytes) {
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
    matches!(words[..], [method, target, VERSION] if METHODS.contains(&method) && target.contains(&b':'))
}

fn is_status(line: &[u8]) -> bool {
    let code = line.strip_prefix(VERSION).and_then(|it| it.strip_prefix(b" "));
    matches!(code, Some([b'1'..=b'6', b'0'..=b'9', b'0'..=b'9', ..]))
}

fn begins(bytes: &[u8]) -> bool {
    METHODS.iter().filter(|method| method.first() == bytes.first()).any(|method| {
        let common = bytes.len().min(method.len());
        common > 0 && bytes.get(..common) == method.get(..common) && matches!(bytes.get(method.len()), None | Some(b' '))
    }) || !bytes.is_empty() && bytes.get(..bytes.len().min(VERSION.len())) == VERSION.get(..bytes.len().min(VERSION.len()))
}

/// One direction: where in a message it stands.
#[derive(Debug, Default)]
struct Side {
    /// The path of the latest header, once a message has begun.
    header: Option<String>,
    length: u64,
    /// What comes next is the body.
    body: bool,
    message: Message,
}

/// What the head of a message says of its call.
#[derive(Debug, Default)]
struct Message {
    method: WireText,
    status: Option<u16>,
    from: WireText,
    to: WireText,
    /// The call's name, and where it stands.
    call: Option<(WireText, Span)>,
}

impl Message {
    fn begin(line: &Line<'_>) -> Self {
        let text = line.text();
        if is_request(text) {
            let method = line.word(0).map(|it| line.get(it)).unwrap_or_default();
            return Self {
                method: WireText::from_bytes(method),
                ..Self::default()
            };
        }
        let code = line.word(VERSION.len()).map(|it| line.get(it));
        Self {
            status: code.and_then(number),
            ..Self::default()
        }
    }

    /// Takes a header that is known by `path`; the first of a kind counts.
    fn header(&mut self, path: &str, line: &Line<'_>, value: std::ops::Range<usize>) {
        let bytes = line.get(value.clone());
        let fill = |place: &mut WireText, it: &[u8]| {
            if place.as_str().is_empty() {
                *place = WireText::from_bytes(it);
            }
        };
        match path {
            "sip.from" => fill(&mut self.from, address(bytes)),
            "sip.to" => fill(&mut self.to, address(bytes)),
            // An answer says what it answers behind the number (RFC 3261, section 20.16).
            "sip.header.cseq" => fill(
                &mut self.method,
                bytes.split(u8::is_ascii_whitespace).next_back().unwrap_or_default(),
            ),
            "sip.call-id" if self.call.is_none() && !bytes.is_empty() => {
                self.call = Some((WireText::from_bytes(bytes), line.span(value)));
            }
            _ => {}
        }
    }

    fn tell(self, out: &mut dyn Sink) {
        let Some((call_id, at)) = self.call else { return };
        let it = Observation::Call {
            protocol: "sip",
            method: self.method,
            status: self.status,
            from: self.from,
            to: self.to,
            call_id,
        };
        out.observe(it, at);
    }
}

/// The address in a header such as `"Bob" <sip:bob@voice.example>;tag=1`, without name and parameters (RFC 3261, section 20.10).
fn address(value: &[u8]) -> &[u8] {
    // A name in quotes may hold any character, `<` too.
    let unquoted = match value {
        [b'"', rest @ ..] => {
            let mut escaped = false;
            let end = rest.iter().position(|byte| match byte {
                b'"' => !escaped,
                it => {
                    escaped = *it == b'\\' && !escaped;
                    false
                }
            });
            end.and_then(|it| rest.get(it.saturating_add(1)..)).unwrap_or_default()
        }
        _ => value,
    };
    let until = |it: &'_ [u8], ends: &[u8]| it.iter().position(|byte| ends.contains(byte)).unwrap_or(it.len());
    let inner = match unquoted.iter().position(|byte| *byte == b'<') {
        Some(at) => {
            let rest = unquoted.get(at.saturating_add(1)..).unwrap_or_default();
            rest.get(..until(rest, b">")).unwrap_or_default()
        }
        None => unquoted,
    };
    inner.get(..until(inner, b";?")).unwrap_or_default().trim_ascii()
}

fn number<N: std::str::FromStr>(text: &[u8]) -> Option<N> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

impl Side {
    /// Takes a line of a head; the length of the body once the head is over.
    fn line(&mut self, line: &Line<'_>, out: &mut dyn Sink) -> Option<u64> {
        let text = line.text();
        let Some(header) = &mut self.header else {
            if is_request(text) || is_status(text) {
                (self.header, self.length) = (Some(String::new()), 0);
                self.message = Message::begin(line);
                if let (true, Some(method)) = (is_request(text), line.word(0)) {
                    line.word(method.end)
                        .into_iter()
                        .for_each(|it| line.tell("sip.request-uri", it, out));
                }
            }
            return None;
        };
        match text {
            [] => {
                self.header = None;
                std::mem::take(&mut self.message).tell(out);
                return Some(std::mem::take(&mut self.length));
            }
            [b' ' | b'\t', ..] if !header.is_empty() => line.tell(header, line.rest(0), out),
            _ => {
                let mark = text.iter().position(|byte| *byte == b':')?;
                let name = text.get(..mark).unwrap_or_default().trim_ascii_end().to_ascii_lowercase();
                let value = line.rest(mark.saturating_add(1));
                if matches!(&name[..], b"content-length" | b"l") {
                    self.length = number(line.get(value.clone())).unwrap_or(0);
                }
                *header = known(&name).map_or_else(|| path("sip.header", &name), str::to_owned);
                self.message.header(header, line, value.clone());
                line.tell(header, value, out);
            }
        }
        None
    }
}

/// Headers with paths of their own, short names too (RFC 3261, section 7.3.3).
fn known(name: &[u8]) -> Option<&'static str> {
    Some(match name {
        b"from" | b"f" => "sip.from",
        b"to" | b"t" => "sip.to",
        b"contact" | b"m" => "sip.contact",
        b"call-id" | b"i" => "sip.call-id",
        b"user-agent" | b"server" => "sip.user-agent",
        b"authorization" | b"proxy-authorization" => "sip.authorization",
        b"p-asserted-identity" | b"p-preferred-identity" | b"remote-party-id" => "sip.p-asserted-identity",
        b"v" => "sip.header.via",
        b"s" => "sip.header.subject",
        b"c" => "sip.header.content-type",
        b"l" => "sip.header.content-length",
        _ => return None,
    })
}

fn tell_body(line: &Line<'_>, most: usize, out: &mut dyn Sink) {
    let length = line.text().len();
    if length > most {
        out.limit("body-bytes");
    }
    line.tell("sip.body", 0..length.min(most), out);
}

/// Messages, each in its datagram, or in a message of what carries it.
#[derive(Debug)]
struct Datagrams {
    /// What carries it knows who its client is, whoever calls.
    carried: bool,
    body_bytes: usize,
}

impl Dissector for Datagrams {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let Segment::Bytes(piece) = it else { return Progress::More };
        let mut gathered = Gathered::default();
        gathered.push(&piece);
        let all = Line::all(&gathered);
        let (mut side, mut at) = (Side::default(), 0_usize);
        for line in all.lines() {
            let text = line.text();
            if at == 0 && is_request(text) {
                if !self.carried {
                    out.client_speaks(direction);
                }
            } else if at == 0 && !is_status(text) {
                // A message with a fault in its first line is still readable to whoever looks.
                if all.text().windows(VERSION.len()).any(|it| it == VERSION) {
                    all.tell("sip.unread", 0..all.text().len().min(self.body_bytes), out);
                }
                break;
            }
            let rest = all.get(at..all.text().len());
            let ended = rest
                .iter()
                .position(|byte| *byte == b'\n')
                .map_or(rest.len(), |it| it.saturating_add(1));
            // A line that the capture cut says half of what it said: half an address is another's.
            if piece.missing > 0 && !rest.get(..ended).is_some_and(|it| it.ends_with(b"\n")) {
                break;
            }
            at = at.saturating_add(ended);
            if side.line(&line, out).is_some() {
                let body = all.get(at..all.text().len());
                let whole = match piece.missing {
                    0 => body.len(),
                    _ => body.iter().rposition(|byte| *byte == b'\n').map_or(0, |it| it.saturating_add(1)),
                };
                if whole > 0 {
                    tell_body(&all.part(at..at.saturating_add(whole)), self.body_bytes, out);
                }
                break;
            }
        }
        // The capture may have cut the head short.
        side.message.tell(out);
        Progress::More
    }
}

/// Messages one behind the other.
#[derive(Debug)]
struct Dialogue {
    sides: [Side; 2],
    body_bytes: usize,
}

impl Talk for Dialogue {
    fn line(&mut self, who: Who, line: &Line<'_>, out: &mut dyn Sink) -> Then {
        let most = self.body_bytes;
        let side = who.of_mut(&mut self.sides);
        if std::mem::take(&mut side.body) {
            tell_body(line, most, out);
            return Then::Line;
        }
        match side.line(line, out) {
            Some(length @ 1..) => {
                side.body = true;
                Then::Bytes(length)
            }
            _ => Then::Line,
        }
    }

    fn lost(&mut self, who: Who) {
        *who.of_mut(&mut self.sides) = Side::default();
    }
}

#[cfg(test)]
mod tests {
    use super::super::notebook::{Notebook, damage, datagrams, read_datagrams, read_stream, stream};
    use super::*;
    use Direction::{Down, Up};

    const CALL: &[u8] = b"INVITE sip:ann@voice.example SIP/2.0\r\nVia: SIP/2.0/UDP a.example\r\nf: Bob <sip:bob@voice.example>;tag=1\r\n\
        To: <sip:ann@voice.example>\r\nCall-ID: 7@a.example\r\nAuthorization: Digest username=\"bob\",\r\n realm=\"x\"\r\n\
        Content-Type: application/sdp\r\nContent-Length: 14\r\n\r\nv=0\r\no=- 1 2\r\n";
    const ANSWER: &[u8] = b"SIP/2.0 200 OK\r\nTo: <sip:ann@voice.example>\r\nl: 0\r\n\r\n";

    const TOLD: &[(&str, &str)] = &[
        ("sip.request-uri", "sip:ann@voice.example"),
        ("sip.header.via", "SIP/2.0/UDP a.example"),
        ("sip.from", "Bob <sip:bob@voice.example>;tag=1"),
        ("sip.to", "<sip:ann@voice.example>"),
        ("sip.call-id", "7@a.example"),
        ("sip.authorization", "Digest username=\"bob\","),
        ("sip.authorization", "realm=\"x\""),
        ("sip.header.content-type", "application/sdp"),
        ("sip.header.content-length", "14"),
        ("sip.body", "v=0\r\no=- 1 2\r\n"),
        ("sip.to", "<sip:ann@voice.example>"),
        ("sip.header.content-length", "0"),
    ];

    fn in_place(out: &Notebook, messages: &[&[u8]]) {
        for (path, value, at) in &out.fields {
            let bytes = messages[usize::try_from(at.frame).unwrap() - 1];
            let start = usize::try_from(at.offset).unwrap() - 42;
            assert_eq!(&bytes[start..start + value.len()], &value[..], "{path}");
        }
    }

    fn told(out: &Notebook) -> Vec<(&str, &str)> {
        let text = |it| std::str::from_utf8(it).unwrap();
        out.fields.iter().map(|(path, value, _)| (path.as_str(), text(value))).collect()
    }

    fn calls(out: &Notebook) -> Vec<(&str, Option<u16>, &str, &str, &str)> {
        let call = |it: &&Observation| matches!(it, Observation::Call { .. });
        let told = out.facts().into_iter().filter(call).map(|it| match it {
            Observation::Call {
                method,
                status,
                from,
                to,
                call_id,
                ..
            } => (method.as_str(), *status, from.as_str(), to.as_str(), call_id.as_str()),
            other => unreachable!("{other:?}"),
        });
        told.collect()
    }

    #[test]
    fn who_calls_whom_is_told_of_requests_and_answers() {
        let ringing = b"SIP/2.0 180 Ringing\r\nFrom: \"B \\\" <x>\" <sip:bob@voice.example;transport=udp>;tag=1\r\nTo: sip:ann@voice.example;tag=2\r\n\
            i: 7@a.example\r\nCSeq: 4711 INVITE\r\nContent-Length: 0\r\n\r\n";
        let told = [
            ("INVITE", None, "sip:bob@voice.example", "sip:ann@voice.example", "7@a.example"),
            ("INVITE", Some(180), "sip:bob@voice.example", "sip:ann@voice.example", "7@a.example"),
        ];
        let out = read_datagrams(&SIP, (5_060, 5_060), &[(Up, CALL), (Down, ringing), (Down, ANSWER)]);
        assert_eq!(calls(&out), told, "an answer without the call's name is of no call");
        for size in [1, 7, 64, 1_000] {
            let up = CALL.chunks(size).map(|it| (Up, it));
            let chunks: Vec<_> = up.chain(ringing.chunks(size).map(|it| (Down, it))).collect();
            assert_eq!(calls(&read_stream(&SIP, (50_000, 5_060), &chunks)), told, "chunks of {size}");
        }
        let cut = read_datagrams(&SIP, (5_060, 5_060), &[(Up, &CALL[..170])]);
        assert_eq!(calls(&cut), told[..1], "the head is cut behind the call's name");
    }

    /// RFC 7118, section 5: whoever calls, the browser stays the client; what is behind the head is the body.
    #[test]
    fn over_websocket_a_message_needs_no_length() {
        let opening = Opening {
            layers: &["tcp", "http", "websocket"],
            start: Start::Hinted,
            ..stream(50_000, 80, b"", b"")
        };
        let mut reader = SIP.start(&opening, &Limits::default());
        let message = b"INVITE sip:ann@voice.example SIP/2.0\r\nCall-ID: 7c1\r\n\r\nv=0\r\n";
        let out = super::super::notebook::feed(reader.as_mut(), &[(Down, &message[..]), (Down, &message[..])]);
        assert_eq!(
            (out.values("sip.body"), calls(&out).len(), out.client),
            (vec!["v=0\r\n".to_owned(); 2], 2, None)
        );
    }

    #[test]
    fn a_call_in_datagrams_tells_who_and_where() {
        let out = read_datagrams(&SIP, (5_060, 5_060), &[(Up, CALL), (Down, ANSWER)]);
        assert_eq!(self::told(&out), TOLD);
        assert_eq!(out.client, Some(Up));
        in_place(&out, &[CALL, ANSWER]);
    }

    #[test]
    fn a_call_in_any_segmentation_tells_the_same() {
        for size in 1..CALL.len() {
            let chunks: Vec<_> = CALL
                .chunks(size)
                .map(|it| (Up, it))
                .chain(ANSWER.chunks(size).map(|it| (Down, it)))
                .collect();
            let out = read_stream(&SIP, (50_000, 5_060), &chunks);
            assert_eq!((self::told(&out), out.client), (TOLD.to_vec(), Some(Up)), "chunks of {size}");
        }
        in_place(&read_stream(&SIP, (50_000, 5_060), &[(Up, CALL), (Down, ANSWER)]), &[CALL, ANSWER]);
    }

    #[test]
    fn a_call_cut_by_the_capture_tells_its_whole_lines() {
        let out = read_datagrams(&SIP, (5_060, 5_060), &[(Up, &CALL[..120])]);
        assert_eq!(self::told(&out)[..3], TOLD[..3]);
    }

    #[test]
    fn half_a_line_is_not_told() {
        let call = |bytes: &[u8], missing: usize| {
            let mut reader = SIP.start(&datagrams(5_060, 5_060, &[]), &Limits::default());
            let mut out = Notebook::default();
            let whole = super::super::notebook::piece(1, bytes);
            reader.segment(Up, Segment::Bytes(super::super::Piece { missing, ..whole }), &mut out);
            out.fields
                .into_iter()
                .map(|(path, value, _)| (path, value.len()))
                .collect::<Vec<_>>()
        };
        let to = CALL.windows(5).position(|it| it == b"\r\nCal").unwrap();
        assert_eq!(call(&CALL[..to - 4], 200).last().map(|it| &it.0[..]), Some("sip.from"));
        assert_eq!(call(&CALL[..to - 4], 0).last().map(|it| &it.0[..]), Some("sip.to"));
        let cut = CALL.len() - 3;
        assert_eq!(
            call(&CALL[..cut], 3).last(),
            Some(&("sip.body".to_owned(), 5)),
            "the line that is whole"
        );
    }

    #[test]
    fn http_and_other_text_are_not_it() {
        let verdict = |bytes: &[u8]| {
            let list = [(Up, bytes)];
            let both = [
                SIP.matches(&datagrams(5_060, 5_060, &list)),
                SIP.matches(&stream(50_000, 5_060, bytes, b"")),
            ];
            both.contains(&Match::Yes)
        };
        assert!(verdict(CALL) && verdict(ANSWER));
        assert!(!verdict(b"OPTIONS / HTTP/1.1\r\n\r\n"));
        assert!(!verdict(b"HTTP/1.1 200 OK\r\n\r\n"));
        assert!(!verdict(b"SIP/2.0 999 OK\r\n"));
        assert!(!verdict(b"INVITE ann SIP/2.0\r\n"));
    }

    #[test]
    fn damage_never_panics() {
        damage(&SIP, (5_060, 5_060), Transport::Udp, Up, CALL);
        damage(&SIP, (50_000, 5_060), Transport::Tcp, Up, CALL);
    }
}
