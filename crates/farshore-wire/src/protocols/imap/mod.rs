//! IMAP4 (RFC 9051, RFC 3501), with AUTHENTICATE and initial responses (RFC 4959), STARTTLS and ID (RFC 2971).
//!
//! # What is extracted, and why it matters
//! Whoever is on the path can read the login: `imap.user`, `imap.password`, from SASL `imap.auth.user`,
//! `imap.auth.password`, `imap.auth.token`; what program and device the client says it is: `imap.id`; and the messages
//! fetched: `imap.mail.header.<name>`, `imap.mail.body`. After STARTTLS, TLS is handed on.
//!
//! # What is not
//! Search terms, names of folders, envelopes written as lists. Quoted values with a backslash are told as they stand.
//!
//! # How it is told
//! A server that greets with `* OK`, `* PREAUTH` or `* BYE` and names IMAP or meets a client's tagged command; or a
//! client's tagged LOGIN or CAPABILITY.

use farshore_model::Protection;

use super::lines::{Conversation, Line, Talk, Then, Who, client_of, either_way, first};
use super::mail::Mail;
use super::sasl::Sasl;
use super::{Begins, Dissector, FirstBytes, Match, Opening, Protocol, Sink};
use crate::limits::Limits;

/// IMAP.
pub static IMAP: Imap = Imap;

/// IMAP, as a [`Protocol`].
#[derive(Debug)]
pub struct Imap;

const COMMANDS: &[&[u8]] = &[
    b"CAPABILITY",
    b"NOOP",
    b"LOGOUT",
    b"STARTTLS",
    b"AUTHENTICATE",
    b"LOGIN",
    b"ENABLE",
    b"SELECT",
    b"EXAMINE",
    b"LIST",
    b"LSUB",
    b"STATUS",
    b"ID",
    b"NAMESPACE",
    b"COMPRESS",
    b"UID",
    b"FETCH",
];

impl Protocol for Imap {
    fn id(&self) -> &'static str {
        "imap"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        either_way(opening, told)
    }

    fn begins(&self) -> Begins {
        // A greeting; a tag.
        Begins::stream(FirstBytes::of(b"*.").and(b'0', b'9').and(b'A', b'Z').and(b'a', b'z'))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        let client = client_of(opening, told);
        let talk = Mailboxes {
            sasl: None,
            argument: None,
            announced: [false; 2],
            room: limits.body_bytes,
        };
        Box::new(Conversation::new(talk, client, limits))
    }
}

fn told(client: &[u8], server: &[u8], _: u16) -> Match {
    if !matches!(server.first(), None | Some(b'*')) {
        return Match::No;
    }
    let greets = [&b"* OK"[..], b"* PREAUTH", b"* BYE"].iter().any(|it| {
        let common = server.len().min(it.len());
        server.get(..common) == it.get(..common)
    });
    if !greets {
        return Match::No;
    }
    let named = |line: &[u8]| line.windows(4).any(|it| it.eq_ignore_ascii_case(b"imap"));
    match (first(client), first(server)) {
        (_, Some(line)) if named(line) => Match::Yes,
        (Some(line), Some(_)) if tagged(line).is_some() => Match::Yes,
        // The client alone: its words must be IMAP's own.
        (Some(line), None) if server.is_empty() && stands_alone(line) => Match::Yes,
        (Some(_), None) if server.is_empty() => Match::No,
        (None, _) if !server.is_empty() => Match::Maybe,
        (Some(line), None) if tagged(line).is_some() => Match::Maybe,
        _ => Match::No,
    }
}

/// The command behind a tag.
fn tagged(line: &[u8]) -> Option<&'static [u8]> {
    let mut words = line.split(|byte| *byte == b' ');
    let (tag, command) = (words.next()?, words.next()?);
    let tag = !tag.is_empty() && tag.len() <= 16 && tag.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'.');
    COMMANDS.iter().find(|it| tag && it.eq_ignore_ascii_case(command)).copied()
}

/// Whether a line is IMAP's without another beside it: the sentences of other servers speak of logins too (`530 Login incorrect.`,
/// `Anonymous login succeeded for …`), but have not just the arguments of the command (RFC 9051, section 9).
fn stands_alone(line: &[u8]) -> bool {
    let mut words = line.split(|byte| *byte == b' ');
    let tag = words.next().unwrap_or_default();
    // The reply codes of FTP and SMTP (RFC 959, section 4.2).
    let reply = tag.len() == 3 && tag.iter().all(u8::is_ascii_digit) && matches!(tag.first(), Some(b'1'..=b'5'));
    let arguments = words.skip(1).filter(|word| !word.is_empty()).count();
    let quoted = line.contains(&b'"') || literal_length(line).is_some();
    match tagged(line) {
        Some(b"LOGIN") => !reply && (arguments == 2 || quoted),
        Some(b"CAPABILITY") => !reply && arguments == 0,
        Some(b"AUTHENTICATE") => !reply && (1..=2).contains(&arguments),
        _ => false,
    }
}

/// One session.
#[derive(Debug)]
struct Mailboxes {
    /// What the client's next line is, if no command.
    sasl: Option<Sasl>,
    /// The number of the next argument of the LOGIN that is being sent.
    argument: Option<usize>,
    /// Whether what comes next from the client, from the server, are announced bytes.
    announced: [bool; 2],
    room: usize,
}

const ARGUMENTS: [&str; 2] = ["imap.user", "imap.password"];

impl Mailboxes {
    fn client(&mut self, line: &Line<'_>, out: &mut dyn Sink) -> Then {
        let [literal, _] = &mut self.announced;
        if std::mem::take(literal) {
            if let Some(number) = self.argument {
                if let Some(path) = ARGUMENTS.get(number) {
                    line.tell(path, 0..line.text().len(), out);
                }
                self.argument = Some(number.saturating_add(1));
            }
            return Then::Line;
        }
        if let Some(number) = self.argument.take() {
            self.login(line, 0, number, out);
        } else if let Some(sasl) = self.sasl.take() {
            self.sasl = sasl.response("imap.auth", line, line.rest(0), out);
            return Then::Line;
        } else {
            self.command(line, out);
        }
        let length = literal_length(line.text());
        let [literal, _] = &mut self.announced;
        *literal = length.is_some();
        length.map_or(Then::Line, Then::Bytes)
    }

    fn command(&mut self, line: &Line<'_>, out: &mut dyn Sink) {
        let Some(word) = line.word(0).and_then(|tag| line.word(tag.end)) else {
            return;
        };
        match &line.get(word.clone()).to_ascii_uppercase()[..] {
            b"LOGIN" => self.login(line, word.end, 0, out),
            b"ID" => line.tell("imap.id", line.rest(word.end), out),
            b"AUTHENTICATE" => {
                if let Some(mechanism) = line.word(word.end) {
                    self.sasl = Sasl::begin(line.get(mechanism.clone()));
                    if let (Some(sasl), Some(first)) = (self.sasl, line.word(mechanism.end)) {
                        self.sasl = sasl.response("imap.auth", line, first, out);
                    }
                }
            }
            _ => {}
        }
    }

    /// The arguments of LOGIN from the one of that number on: atoms, quoted strings, announced bytes.
    fn login(&mut self, line: &Line<'_>, mut from: usize, number: usize, out: &mut dyn Sink) {
        for (number, path) in ARGUMENTS.iter().enumerate().skip(number) {
            let rest = line.rest(from);
            let text = line.get(rest.clone());
            match text {
                [] => return,
                [b'{', ..] => {
                    self.argument = literal_length(text).map(|_| number);
                    return;
                }
                [b'"', quoted @ ..] => {
                    let mut escaped = false;
                    let length = quoted.iter().position(|byte| {
                        let ends = *byte == b'"' && !escaped;
                        escaped = *byte == b'\\' && !escaped;
                        ends
                    });
                    let start = rest.start.saturating_add(1);
                    let end = length.map_or(rest.end, |it| start.saturating_add(it));
                    line.tell(path, start..end, out);
                    from = end.saturating_add(1);
                }
                _ => {
                    let Some(word) = line.word(from) else { return };
                    from = word.end;
                    line.tell(path, word, out);
                }
            }
        }
    }

    fn server(&mut self, line: &Line<'_>, out: &mut dyn Sink) -> Then {
        let [_, literal] = &mut self.announced;
        if std::mem::take(literal) {
            let mut mail = Mail::new(self.room);
            for line in line.lines() {
                mail.line("imap", &line, out);
            }
            return Then::Line;
        }
        let refused = line.word(0).and_then(|tag| line.word(tag.end)).map(|it| line.get(it));
        if matches!(refused, Some(b"NO" | b"BAD")) {
            (self.sasl, self.argument) = (None, None);
        }
        let length = literal_length(line.text());
        let [_, literal] = &mut self.announced;
        *literal = length.is_some();
        length.map_or(Then::Line, Then::Bytes)
    }
}

/// The length of the literal a line announces at its end (RFC 9051, section 4.3; RFC 7888).
fn literal_length(line: &[u8]) -> Option<u64> {
    let inside = line.strip_suffix(b"}")?;
    let start = inside.iter().rposition(|byte| *byte == b'{')?.checked_add(1)?;
    let digits = inside.get(start..)?;
    let digits = digits.strip_suffix(b"+").or_else(|| digits.strip_suffix(b"-")).unwrap_or(digits);
    let told = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| told)?.parse().ok()
}

impl Talk for Mailboxes {
    fn line(&mut self, who: Who, line: &Line<'_>, out: &mut dyn Sink) -> Then {
        match who {
            Who::Client => self.client(line, out),
            Who::Server => self.server(line, out),
        }
    }

    fn lost(&mut self, who: Who) {
        let [client, server] = &mut self.announced;
        match who {
            Who::Client => (self.sasl, self.argument, *client) = (None, None, false),
            Who::Server => *server = false,
        }
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::Span;

    use super::super::notebook::{Notebook, damage, read_stream, stream};
    use super::*;
    use farshore_model::Direction::{self, Down, Up};
    use farshore_model::Transport;

    const TALK: &[(Direction, &[u8])] = &[
        (Down, b"* OK ready\r\n"),
        (Up, b"a1 ID (\"name\" \"Post\")\r\n"),
        (Down, b"a1 OK\r\n"),
        (Up, b"a2 LOGIN bob@mail.example \"hunter 2\"\r\n"),
        (Down, b"a2 NO wrong\r\n"),
        (Up, b"a3 login {3}\r\n"),
        (Down, b"+ go\r\n"),
        (Up, b"bob {6+}\r\ns3cret\r\n"),
        (Down, b"a3 OK\r\n"),
        (Up, b"a4 AUTHENTICATE PLAIN\r\n"),
        (Down, b"+\r\n"),
        (Up, b"AGFubgBwYXNzNzc=\r\n"),
        (Down, b"a4 OK\r\n"),
        (Up, b"a5 FETCH 1 BODY[]\r\n"),
        (Down, b"* 1 FETCH (BODY[] {23}\r\nFrom: c@d.example\r\n\r\nhi)\r\na5 OK\r\n"),
    ];

    const TOLD: &[(&str, &str)] = &[
        ("imap.id", "(\"name\" \"Post\")"),
        ("imap.user", "bob@mail.example"),
        ("imap.password", "hunter 2"),
        ("imap.user", "bob"),
        ("imap.password", "s3cret"),
        ("imap.auth.user", "ann"),
        ("imap.auth.password", "pass77"),
        ("imap.mail.header.from", "c@d.example"),
        ("imap.mail.body", "hi"),
    ];

    fn told(out: &Notebook) -> Vec<(String, String)> {
        let text = |it: &[u8]| String::from_utf8_lossy(it).into_owned();
        out.fields.iter().map(|(path, value, _)| (path.clone(), text(value))).collect()
    }

    #[test]
    fn a_session_in_any_segmentation_tells_the_same() {
        for size in 1..80 {
            let chunks: Vec<_> = TALK.iter().flat_map(|(d, it)| it.chunks(size).map(|it| (*d, it))).collect();
            let out = read_stream(&IMAP, (50_000, 1_143), &chunks);
            let expected: Vec<_> = TOLD.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            assert_eq!((told(&out), out.client), (expected, Some(Up)), "chunks of {size}");
        }
    }

    #[test]
    fn values_are_where_their_spans_say() {
        let out = read_stream(&IMAP, (50_000, 1_143), TALK);
        assert_eq!(out.fields[2].2, Span::in_frame(4, 42 + 27, 8));
        assert_eq!(out.fields[4].2, Span::in_frame(8, 42 + 10, 6));
    }

    #[test]
    fn starttls_hands_on_tls() {
        let list: &[(Direction, &[u8])] = &[
            (Down, b"* OK IMAP4rev1\r\n"),
            (Up, b"1 STARTTLS\r\n"),
            (Down, b"1 OK\r\n"),
            (Up, b"\x16\x03\x01\0\x05hello"),
        ];
        assert_eq!(read_stream(&IMAP, (50_000, 143), list).inner.len(), 1);
    }

    #[test]
    fn other_conversations_are_not_it() {
        let verdict = |up: &[u8], down: &[u8]| IMAP.matches(&stream(50_000, 143, up, down));
        assert_eq!(verdict(b"GET / HTTP/1.1\r\n", b"* OK\r\n"), Match::No);
        assert_eq!(verdict(b"", b"* OK hello\r\n"), Match::Maybe);
        assert_eq!(verdict(b"a1 LOGIN b c\r\n", b""), Match::Yes);
        assert_eq!(verdict(b"a1 UID b c\r\n", b""), Match::No);
        for sentence in [
            &b"530 Login incorrect.\r\n"[..],
            b"331 login now please\r\n",
            b"Anonymous login succeeded for ann@host\r\n",
        ] {
            assert_eq!(verdict(sentence, b""), Match::No);
        }
        for command in [
            &b"7 LOGIN {3}\r\n"[..],
            b"a1 login \"b c\" \"d e\"\r\n",
            b"x capability\r\n",
            b"1 AUTHENTICATE PLAIN\r\n",
        ] {
            assert_eq!(verdict(command, b""), Match::Yes);
        }
        assert_eq!(verdict(b"a1 LOGIN b c\r\n", b"220 x\r\n"), Match::No);
    }

    #[test]
    fn damage_never_panics() {
        for way in [Up, Down] {
            let side: Vec<u8> = TALK.iter().filter(|(d, _)| *d == way).flat_map(|(_, it)| it.to_vec()).collect();
            damage(&IMAP, (50_000, 143), Transport::Tcp, way, &side);
        }
    }
}
