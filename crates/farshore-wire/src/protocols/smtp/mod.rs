//! SMTP (RFC 5321), with AUTH (RFC 4954), STARTTLS (RFC 3207) and BDAT (RFC 3030).
//!
//! # What is extracted, and why it matters
//! The envelope tells every relay and everyone on the path who writes to whom: `smtp.mail-from`, `smtp.rcpt-to`; the
//! login is base64, which is no protection: `smtp.auth.user`, `smtp.auth.password`, `smtp.auth.token`, each placed at
//! its encoded text; the client's name for itself is `smtp.client-name`. The message follows as
//! `smtp.mail.header.<name>` and `smtp.mail.body`. After STARTTLS, TLS is handed on.
//!
//! # What is not
//! Attachments are not unpacked; what the server says is read for its refusals only.
//!
//! # How it is told
//! A client's `EHLO`, `HELO` or `LHLO` with a name; or a server's `220` with the word SMTP in it.

use farshore_model::Protection;

use super::lines::{Conversation, Line, Talk, Then, Who, client_of, either_way, first};
use super::mail::Mail;
use super::sasl::Sasl;
use super::{Begins, Dissector, FirstBytes, Match, Opening, Protocol, Sink};
use crate::limits::Limits;

/// SMTP.
pub static SMTP: Smtp = Smtp;

/// SMTP, as a [`Protocol`].
#[derive(Debug)]
pub struct Smtp;

impl Protocol for Smtp {
    fn id(&self) -> &'static str {
        "smtp"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        either_way(opening, told)
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::of(b"2EHLehl"))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        let client = client_of(opening, told);
        let talk = Relay {
            sasl: None,
            mail: None,
            room: limits.body_bytes,
            chunk: false,
        };
        Box::new(Conversation::new(talk, client, limits))
    }
}

fn told(client: &[u8], server: &[u8], _: u16) -> Match {
    if !matches!(server.first(), None | Some(b'2')) {
        return Match::No;
    }
    let greeting = b"220";
    let common = server.len().min(greeting.len());
    if server.get(..common) != greeting.get(..common) || !matches!(server.get(3), None | Some(b' ' | b'-')) {
        return Match::No;
    }
    if first(server).is_some_and(|it| it.windows(4).any(|it| it.eq_ignore_ascii_case(b"smtp"))) {
        return Match::Yes;
    }
    match first(client) {
        Some(line) if greets(line) => Match::Yes,
        None if !server.is_empty() => Match::Maybe,
        None if !client.is_empty() && begins_greeting(client) => Match::Maybe,
        _ => Match::No,
    }
}

const GREETINGS: [&[u8]; 3] = [b"EHLO ", b"HELO ", b"LHLO "];

fn begins_greeting(bytes: &[u8]) -> bool {
    GREETINGS.iter().any(|it| {
        let common = bytes.len().min(it.len());
        bytes.len() < 512
            && bytes
                .get(..common)
                .is_some_and(|bytes| it.get(..common).is_some_and(|it| it.eq_ignore_ascii_case(bytes)))
    })
}

/// A greeting with a domain or an address behind it (RFC 5321, section 4.1.1.1).
fn greets(line: &[u8]) -> bool {
    let Some((word, name)) = line.split_at_checked(5) else {
        return false;
    };
    let name = name.trim_ascii_end();
    GREETINGS.iter().any(|it| it.eq_ignore_ascii_case(word))
        && !name.is_empty()
        && name.len() <= 255
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(byte))
}

/// One session.
#[derive(Debug)]
struct Relay {
    /// What the client's next line is, if no command.
    sasl: Option<Sasl>,
    /// The message being sent.
    mail: Option<Mail>,
    room: usize,
    /// What comes next are the bytes of a BDAT.
    chunk: bool,
}

impl Relay {
    fn client(&mut self, line: &Line<'_>, out: &mut dyn Sink) -> Then {
        if std::mem::take(&mut self.chunk) {
            let mut mail = Mail::new(self.room);
            for line in line.lines() {
                mail.line("smtp", &line, out);
            }
            return Then::Line;
        }
        if let Some(mail) = &mut self.mail {
            if line.text() == b"." {
                self.mail = None;
            } else {
                mail.line("smtp", line, out);
            }
            return Then::Line;
        }
        if let Some(sasl) = self.sasl.take() {
            self.sasl = sasl.response("smtp.auth", line, line.rest(0), out);
            return Then::Line;
        }
        let (command, end) = line.command();
        match &command[..] {
            b"EHLO" | b"HELO" | b"LHLO" => line.tell("smtp.client-name", line.rest(end), out),
            b"MAIL" | b"RCPT" => address(&command, line, out),
            b"DATA" if line.rest(end).is_empty() => self.mail = Some(Mail::new(self.room)),
            b"AUTH" => {
                if let Some(mechanism) = line.word(end) {
                    self.sasl = Sasl::begin(line.get(mechanism.clone()));
                    if let (Some(sasl), Some(first)) = (self.sasl, line.word(mechanism.end)) {
                        self.sasl = sasl.response("smtp.auth", line, first, out);
                    }
                }
            }
            b"BDAT" => {
                let length = line.word(end).and_then(|it| std::str::from_utf8(line.get(it)).ok()?.parse().ok());
                if let Some(length) = length.filter(|it| *it > 0) {
                    self.chunk = true;
                    return Then::Bytes(length);
                }
            }
            _ => {}
        }
        Then::Line
    }
}

/// `MAIL FROM:<path>` and `RCPT TO:<path>` (RFC 5321, sections 4.1.1.2 and 4.1.1.3).
fn address(command: &[u8], line: &Line<'_>, out: &mut dyn Sink) {
    let text = line.text();
    let Some(mark) = text.iter().position(|byte| *byte == b':') else {
        return;
    };
    let rest = line.rest(mark.saturating_add(1));
    let range = if text.get(rest.start) == Some(&b'<') {
        let start = rest.start.saturating_add(1);
        let length = line.get(start..rest.end).iter().position(|byte| *byte == b'>');
        start..length.map_or(rest.end, |it| start.saturating_add(it))
    } else {
        line.word(rest.start).unwrap_or(rest)
    };
    line.tell(if command == b"MAIL" { "smtp.mail-from" } else { "smtp.rcpt-to" }, range, out);
}

impl Talk for Relay {
    fn line(&mut self, who: Who, line: &Line<'_>, out: &mut dyn Sink) -> Then {
        match who {
            Who::Client => self.client(line, out),
            Who::Server => {
                if matches!(line.text().first(), Some(b'4' | b'5')) {
                    self.sasl = None;
                }
                Then::Line
            }
        }
    }

    fn lost(&mut self, _: Who) {
        (self.sasl, self.mail, self.chunk) = (None, None, false);
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use farshore_model::Span;

    use super::super::notebook::{Notebook, damage, read_stream, stream};
    use super::*;
    use farshore_model::Direction::{self, Down, Up};
    use farshore_model::Transport;

    const TALK: &[(Direction, &[u8])] = &[
        (Down, b"220 mx.example at your service\r\n"),
        (Up, b"EHLO desk-7.example\r\n"),
        (Down, b"250-mx.example\r\n250 AUTH LOGIN PLAIN\r\n"),
        (Up, b"AUTH LOGIN\r\n"),
        (Down, b"334 VXNlcm5hbWU6\r\n"),
        (Up, b"Ym9iQG1haWwuZXhhbXBsZQ==\r\n"),
        (Down, b"334 UGFzc3dvcmQ6\r\n"),
        (Up, b"aHVudGVyMg==\r\n"),
        (Down, b"535 no\r\n"),
        (Up, b"auth plain AGJvYgBzM2NyZXQ=\r\n"),
        (Down, b"235 ok\r\n"),
        (Up, b"MAIL FROM:<bob@mail.example> SIZE=100\r\n"),
        (Down, b"250 ok\r\n"),
        (Up, b"rcpt to: <ann@mail.example>\r\n"),
        (Down, b"250 ok\r\n"),
        (Up, b"DATA\r\n"),
        (Down, b"354 go\r\n"),
        (
            Up,
            b"Subject: tea\r\n\r\nMAIL FROM:<not@an.envelope>\r\n.\r\nBDAT 13 LAST\r\nTo: x\r\n\r\nhi\r\nQUIT\r\n",
        ),
    ];

    const TOLD: &[(&str, &str)] = &[
        ("smtp.client-name", "desk-7.example"),
        ("smtp.auth.user", "bob@mail.example"),
        ("smtp.auth.password", "hunter2"),
        ("smtp.auth.user", "bob"),
        ("smtp.auth.password", "s3cret"),
        ("smtp.mail-from", "bob@mail.example"),
        ("smtp.rcpt-to", "ann@mail.example"),
        ("smtp.mail.header.subject", "tea"),
        ("smtp.mail.body", "MAIL FROM:<not@an.envelope>"),
        ("smtp.mail.header.to", "x"),
        ("smtp.mail.body", "hi"),
    ];

    fn told(out: &Notebook) -> Vec<(String, String)> {
        let text = |it: &[u8]| String::from_utf8_lossy(it).into_owned();
        out.fields.iter().map(|(path, value, _)| (path.clone(), text(value))).collect()
    }

    #[test]
    fn a_login_by_ntlm_names_who_and_from_where() {
        let token = STANDARD.encode(crate::protocols::ntlm::tests::answer());
        let answer = format!("{token}\r\n");
        let talk: &[(Direction, &[u8])] = &[
            (Down, b"220 mx.example at your service\r\n"),
            (Up, b"EHLO desk-7.example\r\n"),
            (Down, b"250-mx.example\r\n250 AUTH NTLM\r\n"),
            (Up, b"AUTH NTLM TlRMTVNTUAABAAAAB4IIAAAAAAAAAAAAAAAAAAAAAAA=\r\n"),
            (Down, b"334 TlRMTVNTUAACAAAA\r\n"),
            (Up, answer.as_bytes()),
            (Down, b"235 ok\r\n"),
        ];
        let out = read_stream(&SMTP, (50_000, 25), talk);
        let told = ["domain", "user", "workstation"].map(|it| out.values(&format!("smtp.auth.{it}")));
        assert_eq!(told, [["ROOMS"], ["grace.h"], ["GRACE-PC"]]);
    }

    #[test]
    fn a_session_in_any_segmentation_tells_the_same() {
        for size in 1..100 {
            let chunks: Vec<_> = TALK.iter().flat_map(|(d, it)| it.chunks(size).map(|it| (*d, it))).collect();
            let out = read_stream(&SMTP, (50_000, 2_525), &chunks);
            let expected: Vec<_> = TOLD.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            assert_eq!((told(&out), out.client), (expected, Some(Up)), "chunks of {size}");
        }
    }

    #[test]
    fn values_are_where_their_spans_say() {
        let out = read_stream(&SMTP, (50_000, 2_525), TALK);
        let spans: Vec<Span> = out.fields.iter().map(|(_, _, at)| *at).collect();
        assert_eq!(spans[2], Span::in_frame(8, 42, 12), "the encoded text");
        assert_eq!(spans[4], Span::in_frame(10, 42 + 11, 16));
        assert_eq!(spans[5], Span::in_frame(12, 42 + 11, 16));
        let turned: Vec<_> = TALK.iter().map(|(d, it)| (d.reverse(), *it)).collect();
        assert_eq!(read_stream(&SMTP, (2_525, 50_000), &turned).client, Some(Down));
    }

    #[test]
    fn a_refused_login_leaves_the_next_command_a_command() {
        let list: &[(Direction, &[u8])] = &[
            (Down, b"220 x ESMTP\r\n"),
            (Up, b"AUTH LOGIN\r\n"),
            (Down, b"503 no\r\n"),
            (Up, b"QUIT\r\n"),
        ];
        assert_eq!(read_stream(&SMTP, (50_000, 25), list).fields, vec![]);
    }

    #[test]
    fn starttls_hands_on_tls() {
        let list: &[(Direction, &[u8])] = &[
            (Down, b"220 x ESMTP\r\n"),
            (Up, b"STARTTLS\r\n"),
            (Down, b"220 go\r\n"),
            (Up, b"\x16\x03\x01\0\x05hello"),
            (Down, b"\x16\x03\x03\0\x02ab"),
        ];
        assert_eq!(read_stream(&SMTP, (50_000, 25), list).inner.len(), 2);
    }

    #[test]
    fn other_conversations_are_not_it() {
        let verdict = |up: &[u8], down: &[u8]| SMTP.matches(&stream(50_000, 25, up, down));
        assert_eq!(verdict(b"USER a\r\n", b"220 hello\r\n"), Match::No);
        assert_eq!(verdict(b"", b"220 hello\r\n"), Match::Maybe);
        assert_eq!(verdict(b"EHLO a b\r\n", b""), Match::No);
        assert_eq!(verdict(b"EHLO a\r\n", b""), Match::Yes);
        assert_eq!(verdict(b"EHLO a\r\n", b"HTTP/1.1 200 OK\r\n"), Match::No);
    }

    #[test]
    fn damage_never_panics() {
        for way in [Up, Down] {
            let side: Vec<u8> = TALK.iter().filter(|(d, _)| *d == way).flat_map(|(_, it)| it.to_vec()).collect();
            damage(&SMTP, (50_000, 25), Transport::Tcp, way, &side);
        }
    }
}
