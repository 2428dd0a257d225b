//! POP3 (RFC 1939), with SASL (RFC 5034) and STLS (RFC 2595).
//!
//! # What is extracted, and why it matters
//! Whoever is on the path can read the mailbox's name and password: `pop3.user`, `pop3.password`, from SASL
//! `pop3.auth.user`, `pop3.auth.password`, `pop3.auth.token`; and every message fetched: `pop3.mail.header.<name>`,
//! `pop3.mail.body`. After STLS, TLS is handed on.
//!
//! # What is not
//! Lists and digests; the digest of APOP proves the password without telling it.
//!
//! # How it is told
//! A server that greets with `+OK`, and a client that answers in POP3's words. Of one side alone: `+OK` with a word of
//! mail in it, or a client's `USER` followed by `PASS` to port 110.

use std::collections::VecDeque;

use farshore_model::Protection;

use super::lines::{Conversation, Line, Talk, Then, Who, client_of, command, either_way, first, whole};
use super::mail::Mail;
use super::sasl::Sasl;
use super::{Begins, Dissector, FirstBytes, Match, Opening, Protocol, Sink};
use crate::limits::Limits;

/// POP3.
pub static POP3: Pop3 = Pop3;

/// POP3, as a [`Protocol`].
#[derive(Debug)]
pub struct Pop3;

const COMMANDS: &[&[u8]] = &[
    b"USER", b"PASS", b"APOP", b"AUTH", b"CAPA", b"STLS", b"STAT", b"LIST", b"UIDL", b"RETR", b"TOP", b"QUIT", b"NOOP", b"DELE", b"RSET",
    b"LANG", b"UTF8",
];

impl Protocol for Pop3 {
    fn id(&self) -> &'static str {
        "pop3"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        either_way(opening, told)
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::ANY)
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        let client = client_of(opening, told);
        Box::new(Conversation::new(Mailbox::new(limits), client, limits))
    }
}

/// The port of the conversation (RFC 1939, section 3).
const PORT: u16 = 110;

fn told(client: &[u8], server: &[u8], server_port: u16) -> Match {
    match server.first() {
        Some(b'+') => {}
        // Of a client alone the port must tell.
        None if server_port == PORT => {}
        Some(_) | None => return Match::No,
    }
    let greeting = b"+OK";
    let common = server.len().min(greeting.len());
    if server.get(..common) != greeting.get(..common) || !matches!(server.get(3), None | Some(b' ' | b'\r' | b'\n')) {
        return Match::No;
    }
    match (server.is_empty(), first(client).map(|it| command(it, COMMANDS))) {
        (false, Some(Some(_))) => match first(server) {
            Some(_) => Match::Yes,
            None => Match::Maybe,
        },
        (false, None) if server.windows(3).any(|it| it.eq_ignore_ascii_case(b"pop")) && server.ends_with(b"\n") => Match::Yes,
        (true, Some(Some(b"USER"))) => match whole(client).0.get(1).map(|line| command(line, COMMANDS)) {
            Some(Some(b"PASS")) => Match::Yes,
            None => Match::Maybe,
            Some(_) => Match::No,
        },
        (true, None) if !client.is_empty() => Match::Maybe,
        (false, None) => Match::Maybe,
        _ => Match::No,
    }
}

/// One session.
#[derive(Debug)]
struct Mailbox {
    /// What the client's next line is, if no command.
    sasl: Option<Sasl>,
    /// For each command not yet answered, whether its answer is a message.
    asked: VecDeque<bool>,
    /// The message being fetched.
    mail: Option<Mail>,
    room: usize,
}

/// Commands sent ahead of their answers that are kept count of.
const MOST_ASKED: usize = 1024;

impl Mailbox {
    const fn new(limits: &Limits) -> Self {
        Self {
            sasl: None,
            asked: VecDeque::new(),
            mail: None,
            room: limits.body_bytes,
        }
    }

    fn client(&mut self, line: &Line<'_>, out: &mut dyn Sink) {
        if let Some(sasl) = self.sasl.take() {
            self.sasl = sasl.response("pop3.auth", line, line.rest(0), out);
            return;
        }
        let (command, end) = line.command();
        let value = line.rest(end);
        match &command[..] {
            b"USER" => line.tell("pop3.user", value, out),
            b"PASS" => line.tell("pop3.password", value, out),
            b"APOP" => {
                if let Some(user) = line.word(end) {
                    line.tell("pop3.user", user, out);
                }
            }
            b"AUTH" => {
                if let Some(mechanism) = line.word(end) {
                    self.sasl = Sasl::begin(line.get(mechanism.clone()));
                    if let (Some(sasl), Some(first)) = (self.sasl, line.word(mechanism.end)) {
                        self.sasl = sasl.response("pop3.auth", line, first, out);
                    }
                }
            }
            _ => {}
        }
        if self.asked.len() < MOST_ASKED {
            self.asked.push_back(matches!(&command[..], b"RETR" | b"TOP"));
        }
    }

    fn server(&mut self, line: &Line<'_>, out: &mut dyn Sink) {
        if let Some(mail) = &mut self.mail {
            if line.text() == b"." {
                self.mail = None;
            } else {
                mail.line("pop3", line, out);
            }
            return;
        }
        if line.text().starts_with(b"+OK") {
            // `+OK mailbox "bob@mail.example" has 3 messages`: servers greet by the name of the mailbox.
            if line.text().contains(&b'@') {
                line.tell("pop3.status", line.rest(3), out);
            }
            if self.asked.pop_front() == Some(true) {
                self.mail = Some(Mail::new(self.room));
            }
        } else if line.text().starts_with(b"-ERR") {
            self.asked.pop_front();
            self.sasl = None;
        }
    }
}

impl Talk for Mailbox {
    fn line(&mut self, who: Who, line: &Line<'_>, out: &mut dyn Sink) -> Then {
        match who {
            Who::Client => self.client(line, out),
            Who::Server => self.server(line, out),
        }
        Then::Line
    }

    fn lost(&mut self, _: Who) {
        *self = Self {
            room: self.room,
            sasl: None,
            asked: VecDeque::new(),
            mail: None,
        };
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::{Direction, Span, Transport};

    use super::super::notebook::{Notebook, damage, read_stream, stream};
    use super::*;
    use Direction::{Down, Up};

    const TALK: &[(Direction, &[u8])] = &[
        (Down, b"+OK ready\r\n"),
        (Up, b"user bob@mail.example\r\n"),
        (Down, b"+OK\r\n"),
        (Up, b"pass hunter2 x\r\n"),
        (Down, b"-ERR no\r\n"),
        (Up, b"AUTH PLAIN\r\n"),
        (Down, b"+ \r\n"),
        (Up, b"AGJvYgBzM2NyZXQ=\r\n"),
        (Down, b"+OK mailbox \"bob@mail.example\" has 1 message\r\n"),
        (Up, b"RETR 1\r\n"),
        (
            Down,
            b"+OK 120 octets\r\nFrom: Ann <ann@mail.example>\r\nTo: bob@mail.example,\r\n c@mail.example\r\n\r\nhello\r\n.\r\n",
        ),
        (Up, b"QUIT\r\n"),
    ];

    fn fields(out: &Notebook) -> Vec<(String, String)> {
        let text = |it: &[u8]| String::from_utf8_lossy(it).into_owned();
        out.fields.iter().map(|(path, value, _)| (path.clone(), text(value))).collect()
    }

    const TOLD: &[(&str, &str)] = &[
        ("pop3.user", "bob@mail.example"),
        ("pop3.password", "hunter2 x"),
        ("pop3.auth.user", "bob"),
        ("pop3.auth.password", "s3cret"),
        ("pop3.status", "mailbox \"bob@mail.example\" has 1 message"),
        ("pop3.mail.header.from", "Ann <ann@mail.example>"),
        ("pop3.mail.header.to", "bob@mail.example,"),
        ("pop3.mail.header.to", "c@mail.example"),
        ("pop3.mail.body", "hello"),
    ];

    #[test]
    fn a_session_in_any_segmentation_tells_the_same() {
        for size in 1..100 {
            let chunks: Vec<_> = TALK.iter().flat_map(|(d, it)| it.chunks(size).map(|it| (*d, it))).collect();
            let out = read_stream(&POP3, (50_000, 1_110), &chunks);
            let told: Vec<_> = TOLD.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            assert_eq!((fields(&out), out.client), (told, Some(Up)), "chunks of {size}");
        }
    }

    #[test]
    fn a_password_is_where_its_span_says_whoever_opened_the_flow() {
        let out = read_stream(&POP3, (50_000, 1_110), TALK);
        assert_eq!(out.fields[1].2, Span::in_frame(4, 42 + 5, 9));
        assert_eq!(out.fields[3].2, Span::in_frame(8, 42, 16), "the encoded text");
        let encoded = ["pop3.auth.user", "pop3.auth.password"].map(|path| (path.to_owned(), vec!["base64"]));
        assert_eq!(out.decoded, encoded);
        let turned: Vec<_> = TALK.iter().map(|(d, it)| (d.reverse(), *it)).collect();
        let out = read_stream(&POP3, (1_110, 50_000), &turned);
        assert_eq!((out.fields.len(), out.client), (TOLD.len(), Some(Down)));
    }

    #[test]
    fn stls_hands_on_tls() {
        let list: &[(Direction, &[u8])] = &[
            (Down, b"+OK\r\n"),
            (Up, b"STLS\r\n"),
            (Down, b"+OK\r\n"),
            (Up, b"\x16\x03\x01\0\x05hello"),
            (Down, b"\x16\x03\x03\0\x02ab"),
            (Up, b"\x17\x03\x03\0\x02PASS x\r\n"),
        ];
        let out = read_stream(&POP3, (50_000, 110), list);
        assert_eq!((out.fields.len(), out.inner.len()), (0, 3));
        assert!(out.inner.iter().all(|(_, hint, _)| *hint == "tls"));
    }

    #[test]
    fn other_conversations_are_not_it() {
        let verdict = |up: &[u8], down: &[u8], port| POP3.matches(&stream(50_000, port, up, down));
        assert_eq!(verdict(b"USER a\r\nPASS b\r\n", b"", 21), Match::No);
        assert_eq!(verdict(b"USER a\r\nPASS b\r\n", b"", 110), Match::Yes);
        assert_eq!(verdict(b"USER a\r\n", b"220 hello\r\n", 110), Match::No);
        assert_eq!(verdict(b"GET / HTTP/1.1\r\n", b"+OK\r\n", 110), Match::No);
        assert_eq!(verdict(b"GET x\r\n", b"+OK\r\n", 6_379), Match::No);
        assert_eq!(verdict(b"", b"+OK\r\n", 6_379), Match::Maybe);
        assert_eq!(verdict(b"", b"+OKAY\r\n", 110), Match::No);
    }

    #[test]
    fn damage_never_panics() {
        let up: Vec<u8> = TALK.iter().filter(|(d, _)| *d == Up).flat_map(|(_, it)| it.to_vec()).collect();
        let down: Vec<u8> = TALK.iter().filter(|(d, _)| *d == Down).flat_map(|(_, it)| it.to_vec()).collect();
        damage(&POP3, (50_000, 110), Transport::Tcp, Up, &up);
        damage(&POP3, (50_000, 110), Transport::Tcp, Down, &down);
    }
}
