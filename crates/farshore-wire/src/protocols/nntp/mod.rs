//! NNTP: readers of news and their servers (RFC 3977), with logins (RFC 4643) and STARTTLS (RFC 4642).
//!
//! # What is extracted, and why it matters
//! Logins go as they are: `nntp.user`, `nntp.password`, from SASL `nntp.auth.user`, `nntp.auth.password`; the server as it greets,
//! `nntp.greeting`; which groups somebody reads, `nntp.group`; and every article that is fetched or posted, with who wrote it:
//! `nntp.mail.header.<name>`, `nntp.mail.body`. After STARTTLS, TLS is handed on.
//!
//! # What is not
//! Lists of groups and overviews of articles.
//!
//! # How it is told
//! A server that greets with `200` or `201`, and a client that answers in NNTP's words; or a client alone that logs in by `AUTHINFO`.

use std::collections::VecDeque;

use farshore_model::Protection;

use super::lines::{Conversation, Line, Talk, Then, Who, client_of, command, either_way, first};
use super::mail::Mail;
use super::sasl::Sasl;
use super::{Begins, Dissector, FirstBytes, Match, Opening, Protocol, Sink};
use crate::limits::Limits;

/// NNTP.
pub static NNTP: Nntp = Nntp;

/// NNTP, as a [`Protocol`].
#[derive(Debug)]
pub struct Nntp;

impl Protocol for Nntp {
    fn id(&self) -> &'static str {
        "nntp"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        either_way(opening, told)
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::of(b"2Aa"))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        let client = client_of(opening, told);
        Box::new(Conversation::new(News::new(limits), client, limits))
    }
}

/// What clients begin with, once greeted.
const COMMANDS: &[&[u8]] = &[
    b"CAPABILITIES",
    b"MODE",
    b"AUTHINFO",
    b"STARTTLS",
    b"GROUP",
    b"LISTGROUP",
    b"LIST",
    b"XOVER",
    b"OVER",
    b"ARTICLE",
    b"HEAD",
    b"BODY",
    b"POST",
    b"IHAVE",
    b"NEWGROUPS",
    b"NEWNEWS",
    b"CHECK",
    b"TAKETHIS",
    b"XHDR",
    b"HDR",
    b"DATE",
    b"HELP",
    b"XFEATURE",
];

fn told(client: &[u8], server: &[u8], _: u16) -> Match {
    let logs_in = logs_in(client);
    if server.is_empty() {
        return logs_in;
    }
    let common = server.len().min(4);
    let greets = [b"200 ", b"201 "].iter().any(|it| server.get(..common) == it.get(..common));
    if !greets {
        return Match::No;
    }
    match first(client).map(|line| command(line.trim_ascii_end(), COMMANDS)) {
        Some(Some(_)) if first(server).is_some() => Match::Yes,
        Some(Some(_)) => Match::Maybe,
        Some(None) => Match::No,
        None if client.len() < 512 => Match::Maybe,
        None => Match::No,
    }
}

/// Whether a client begins with `AUTHINFO USER` and a name, or with `AUTHINFO SASL` and a mechanism.
fn logs_in(client: &[u8]) -> Match {
    let word = b"AUTHINFO ";
    let common = client.len().min(word.len());
    let begins = client
        .get(..common)
        .is_some_and(|it| word.get(..common).is_some_and(|word| word.eq_ignore_ascii_case(it)));
    if client.is_empty() || !begins {
        return Match::No;
    }
    match first(client) {
        Some(line) => match command(line.get(word.len()..).unwrap_or_default(), &[b"USER", b"SASL"]) {
            Some(_) => Match::Yes,
            None => Match::No,
        },
        None if client.len() < 512 => Match::Maybe,
        None => Match::No,
    }
}

/// One session.
#[derive(Debug)]
struct News {
    greeted: bool,
    /// What the client's next line is, if no command.
    sasl: Option<Sasl>,
    /// For each command not yet answered, whether its answer is an article, or asks for one.
    asked: VecDeque<Asked>,
    /// The article that is fetched, and the one that is posted.
    mail: [Option<Mail>; 2],
    room: usize,
}

/// What a command asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Article,
    /// To post one.
    ToPost,
    Other,
}

/// Commands sent ahead of their answers that are kept count of.
const MOST_ASKED: usize = 1024;

impl News {
    const fn new(limits: &Limits) -> Self {
        Self {
            greeted: false,
            sasl: None,
            asked: VecDeque::new(),
            mail: [None, None],
            room: limits.body_bytes,
        }
    }

    fn client(&mut self, line: &Line<'_>, out: &mut dyn Sink) {
        if let Some(sasl) = self.sasl.take() {
            self.sasl = sasl.response("nntp.auth", line, line.rest(0), out);
            return;
        }
        let (command, end) = line.command();
        let asked = match &command[..] {
            b"AUTHINFO" => {
                self.logs_in(line, end, out);
                Asked::Other
            }
            b"GROUP" | b"LISTGROUP" => {
                if let Some(group) = line.word(end) {
                    line.tell("nntp.group", group, out);
                }
                Asked::Other
            }
            b"ARTICLE" | b"HEAD" | b"BODY" => Asked::Article,
            b"POST" | b"IHAVE" => Asked::ToPost,
            _ => Asked::Other,
        };
        if self.asked.len() < MOST_ASKED {
            self.asked.push_back(asked);
        }
    }

    /// RFC 4643, sections 2.3 and 2.4.
    fn logs_in(&mut self, line: &Line<'_>, from: usize, out: &mut dyn Sink) {
        let Some(how) = line.word(from) else { return };
        match &line.get(how.clone()).to_ascii_uppercase()[..] {
            b"USER" => line.tell("nntp.user", line.rest(how.end), out),
            b"PASS" => line.tell("nntp.password", line.rest(how.end), out),
            b"SASL" => {
                let Some(mechanism) = line.word(how.end.saturating_add(1)) else {
                    return;
                };
                self.sasl = Sasl::begin(line.get(mechanism.clone()));
                if let (Some(sasl), Some(first)) = (self.sasl, line.word(mechanism.end.saturating_add(1))) {
                    self.sasl = sasl.response("nntp.auth", line, first, out);
                }
            }
            _ => {}
        }
    }

    fn server(&mut self, line: &Line<'_>, out: &mut dyn Sink) {
        if !std::mem::replace(&mut self.greeted, true) && matches!(line.text(), [b'2', b'0', b'0' | b'1', b' ', ..]) {
            line.tell("nntp.greeting", line.rest(4), out);
            return;
        }
        let answer = line.text().get(..3).unwrap_or_default();
        if !answer.iter().all(u8::is_ascii_digit) || answer.is_empty() {
            return;
        }
        let asked = match answer {
            // SASL goes on, and an article is awaited: the command is not answered yet.
            b"383" => return,
            b"340" | b"335" => {
                if self.asked.front() == Some(&Asked::ToPost) {
                    self.mail[1] = Some(Mail::new(self.room));
                }
                return;
            }
            _ => self.asked.pop_front(),
        };
        match answer {
            b"220" | b"221" if asked == Some(Asked::Article) => self.mail[0] = Some(Mail::new(self.room)),
            b"222" if asked == Some(Asked::Article) => {
                let mut mail = Mail::new(self.room);
                mail.headless();
                self.mail[0] = Some(mail);
            }
            b"481" | b"482" | b"502" => self.sasl = None,
            _ => {}
        }
    }
}

impl Talk for News {
    fn line(&mut self, who: Who, line: &Line<'_>, out: &mut dyn Sink) -> Then {
        let [fetched, posted] = &mut self.mail;
        let passing = if who == Who::Server { fetched } else { posted };
        match (passing, who) {
            (done @ Some(_), _) if line.text() == b"." => *done = None,
            (Some(mail), _) => mail.line("nntp", line, out),
            (None, Who::Client) => self.client(line, out),
            (None, Who::Server) => self.server(line, out),
        }
        Then::Line
    }

    fn lost(&mut self, _: Who) {
        (self.sasl, self.mail) = (None, [None, None]);
        self.asked.clear();
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::{Direction, Span, Transport};

    use super::super::notebook::{damage, read_stream, stream};
    use super::*;
    use Direction::{Down, Up};

    const TALK: &[(Direction, &[u8])] = &[
        (Down, b"201 news.rooms.example ready, posting prohibited\r\n"),
        (Up, b"MODE READER\r\n"),
        (Down, b"201 still\r\n"),
        (Up, b"authinfo user bob\r\n"),
        (Down, b"381 more\r\n"),
        (Up, b"AUTHINFO PASS hunter2 x\r\n"),
        (Down, b"481 no\r\n"),
        (Up, b"AUTHINFO SASL PLAIN AGJvYgBzM2NyZXQ=\r\n"),
        (Down, b"281 welcome\r\n"),
        (Up, b"GROUP alt.tea\r\nHEAD 7\r\nBODY 7\r\n"),
        (
            Down,
            b"211 1 7 7 alt.tea\r\n221 7 <a@b>\r\nFrom: ann@rooms.example\r\n.\r\n222 7 <a@b>\r\nhello\r\n.\r\n",
        ),
        (Up, b"POST\r\n"),
        (Down, b"340 go\r\n"),
        (Up, b"From: bob@rooms.example\r\n\r\nwords\r\n.\r\nSTARTTLS\r\n"),
        (Down, b"240 ok\r\n382 begin\r\n"),
        (Up, b"\x16\x03\x01\x00\x05"),
    ];

    const TOLD: &[(&str, &str)] = &[
        ("nntp.greeting", "news.rooms.example ready, posting prohibited"),
        ("nntp.user", "bob"),
        ("nntp.password", "hunter2 x"),
        ("nntp.auth.user", "bob"),
        ("nntp.auth.password", "s3cret"),
        ("nntp.group", "alt.tea"),
        ("nntp.mail.header.from", "ann@rooms.example"),
        ("nntp.mail.body", "hello"),
        ("nntp.mail.header.from", "bob@rooms.example"),
        ("nntp.mail.body", "words"),
    ];

    #[test]
    fn a_session_in_any_segmentation_tells_the_same() {
        for size in 1..80 {
            let chunks: Vec<_> = TALK.iter().flat_map(|(d, it)| it.chunks(size).map(|it| (*d, it))).collect();
            let out = read_stream(&NNTP, (50_000, 119), &chunks);
            assert_eq!((out.told(), out.client), (TOLD.to_vec(), Some(Up)), "chunks of {size}");
            assert!(out.inner.iter().all(|(way, hint, _)| (*way, *hint) == (Up, "tls")) && !out.inner.is_empty());
        }
        let out = read_stream(&NNTP, (50_000, 119), TALK);
        assert_eq!(out.fields[2].2, Span::in_frame(6, 42 + 14, 9));
    }

    #[test]
    fn other_conversations_are_not_it() {
        let verdict = |up: &[u8], down: &[u8]| NNTP.matches(&stream(50_000, 119, up, down));
        assert_eq!(verdict(b"", b"200 news\r\n"), Match::Maybe);
        assert_eq!(verdict(b"MODE READER\r\n", b"200 news\r\n"), Match::Yes);
        assert_eq!(verdict(b"AUTHINFO USER bob\r\n", b""), Match::Yes);
        assert_eq!(verdict(b"AUTHINFO USER b", b""), Match::Maybe);
        assert_eq!(verdict(b"AUTH PLAIN\r\n", b""), Match::No);
        assert_eq!(verdict(b"USER bob\r\n", b"200 ftp\r\n"), Match::No);
        assert_eq!(verdict(b"MODE READER\r\n", b"220 news\r\n"), Match::No);
        assert_eq!(verdict(b"", b""), Match::No);
    }

    #[test]
    fn damage_never_panics() {
        for way in [Up, Down] {
            let side: Vec<u8> = TALK.iter().filter(|(d, _)| *d == way).flat_map(|(_, it)| it.to_vec()).collect();
            damage(&NNTP, (50_000, 119), Transport::Tcp, way, &side);
        }
    }
}
