//! IRC (RFC 2812), with SASL as IRCv3 writes it.
//!
//! # What is extracted, and why it matters
//! Whoever is on the path can read who somebody is and what they say: `irc.nick`, `irc.user`, `irc.real-name`,
//! `irc.password` (of the server, of an operator, and as told to NickServ), from SASL `irc.auth.user` and
//! `irc.auth.password`, the rooms entered as `irc.channel`, what is said
//! and set as a topic as `irc.text`, and by whom as `irc.prefix`.
//!
//! # What is not
//! Lists and modes. SASL responses over 400 bytes come in several lines and are not put together.
//!
//! # How it is told
//! A client that registers with two of `CAP`, `PASS`, `NICK`, `USER` in IRC's grammar, or a server that greets with a
//! notice or a numeric and meets one of them.

use farshore_model::Protection;

use super::lines::{Conversation, Line, Talk, Then, Who, client_of, either_way, first, whole};
use super::sasl::Sasl;
use super::{Begins, Dissector, FirstBytes, Match, Opening, Protocol, Sink};
use crate::limits::Limits;

/// IRC.
pub static IRC: Irc = Irc;

/// IRC, as a [`Protocol`].
#[derive(Debug)]
pub struct Irc;

impl Protocol for Irc {
    fn id(&self) -> &'static str {
        "irc"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        either_way(opening, told)
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::of(b" :CNPUcnpu"))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        let client = client_of(opening, told);
        Box::new(Conversation::new(Chat::default(), client, limits))
    }
}

fn told(client: &[u8], server: &[u8], _: u16) -> Match {
    // A line that is none of theirs ends the matter, before the others are looked for.
    if first(client).is_some_and(|line| registers(line).is_none()) {
        return Match::No;
    }
    let ((lines, more), answer) = (whole(client), first(server));
    let mut kinds: Vec<&[u8]> = Vec::new();
    for line in &lines {
        match registers(line) {
            Some(kind) if !kinds.contains(&kind) => kinds.push(kind),
            Some(_) => {}
            // Once registered, anything may follow.
            None if kinds.len() >= 2 => break,
            None => return Match::No,
        }
    }
    let greeted = answer.is_some_and(greets);
    match kinds.len() {
        _ if !server.is_empty() && answer.is_some() && !greeted => Match::No,
        2.. => Match::Yes,
        1 if greeted => Match::Yes,
        1 => Match::Maybe,
        _ if more && begins(client) => Match::Maybe,
        _ if client.is_empty() && greeted => Match::Maybe,
        _ => Match::No,
    }
}

/// `NICK name`, `USER name mode unused :real name`, `PASS word`, `CAP LS …` (RFC 2812, section 3.1).
fn registers(line: &[u8]) -> Option<&'static [u8]> {
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').filter(|it| !it.is_empty()).take(5).collect();
    let (command, arguments) = words.split_first()?;
    let is = |name: &[u8]| command.eq_ignore_ascii_case(name);
    match arguments {
        [name] if is(b"NICK") && name.len() <= 64 => Some(b"NICK"),
        [_] if is(b"PASS") => Some(b"PASS"),
        [_, _, _, ..] if is(b"USER") && line.contains(&b':') || is(b"USER") && arguments.len() >= 4 => Some(b"USER"),
        [what, ..] if is(b"CAP") && [&b"LS"[..], b"REQ", b"END", b"LIST"].iter().any(|it| it.eq_ignore_ascii_case(what)) => Some(b"CAP"),
        _ => None,
    }
}

fn begins(client: &[u8]) -> bool {
    [&b"NICK "[..], b"USER ", b"PASS ", b"CAP "].iter().any(|it| {
        let common = client.len().min(it.len());
        client.len() < 512
            && client
                .get(..common)
                .is_some_and(|have| it.get(..common).is_some_and(|it| it.eq_ignore_ascii_case(have)))
    })
}

/// `NOTICE AUTH :…`, `:server NOTICE …`, `:server 001 …`, `:server CAP …`, `PING :…`.
fn greets(line: &[u8]) -> bool {
    let mut words = line.split(|byte| *byte == b' ');
    let first = words.next().unwrap_or_default();
    if first == b"NOTICE" || first == b"PING" {
        return words.next().is_some();
    }
    let second = words.next().unwrap_or_default();
    first.len() > 1
        && first.starts_with(b":")
        && (second == b"NOTICE" || second == b"CAP" || second.len() == 3 && second.iter().all(u8::is_ascii_digit))
}

/// One session.
#[derive(Debug, Default)]
struct Chat {
    sasl: Option<Sasl>,
}

impl Chat {
    fn client(&mut self, line: &Line<'_>, from: usize, command: &[u8], out: &mut dyn Sink) {
        match command {
            b"NICK" => tell_word("irc.nick", line, from, out),
            b"PASS" => line.tell("irc.password", unmarked(line, line.rest(from)), out),
            b"USER" => {
                tell_word("irc.user", line, from, out);
                if let Some(real) = trailing(line, from) {
                    line.tell("irc.real-name", real, out);
                }
            }
            b"OPER" => {
                if let Some(name) = line.word(from) {
                    line.tell("irc.password", line.rest(name.end), out);
                    line.tell("irc.user", name, out);
                }
            }
            b"JOIN" => {
                if let Some(rooms) = line.word(from) {
                    line.tell("irc.channel", rooms, out);
                }
            }
            b"NICKSERV" | b"NS" => identify(line, unmarked(line, line.rest(from)), out),
            b"AUTHENTICATE" => {
                if let Some(word) = line.word(from) {
                    self.sasl = match self.sasl.take() {
                        Some(sasl) => sasl.response("irc.auth", line, word, out),
                        None => Sasl::begin(line.get(word)),
                    };
                }
            }
            _ => {}
        }
    }
}

fn tell_word(path: &str, line: &Line<'_>, from: usize, out: &mut dyn Sink) {
    if let Some(word) = line.word(from) {
        line.tell(path, unmarked(line, word), out);
    }
}

/// Without the colon before a last parameter.
fn unmarked(line: &Line<'_>, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
    match line.get(range.clone()) {
        [b':', ..] => range.start.saturating_add(1)..range.end,
        _ => range,
    }
}

/// The last parameter, behind ` :`.
fn trailing(line: &Line<'_>, from: usize) -> Option<std::ops::Range<usize>> {
    let rest = line.rest(from);
    let mark = line.get(rest.clone()).windows(2).position(|it| it == b" :")?;
    Some(rest.start.saturating_add(mark).saturating_add(2)..rest.end)
}

/// `IDENTIFY [nick] password`, as services take it.
fn identify(line: &Line<'_>, range: std::ops::Range<usize>, out: &mut dyn Sink) {
    let Some(word) = line.word(range.start) else { return };
    if !line.get(word.clone()).eq_ignore_ascii_case(b"IDENTIFY") {
        return;
    }
    let Some(first) = line.word(word.end) else { return };
    match line.word(first.end) {
        Some(password) => {
            line.tell("irc.user", first, out);
            line.tell("irc.password", password, out);
        }
        None => line.tell("irc.password", first, out),
    }
}

impl Talk for Chat {
    fn line(&mut self, who: Who, line: &Line<'_>, out: &mut dyn Sink) -> Then {
        let (mut command, mut from) = line.command();
        if command.starts_with(b":") || command.starts_with(b"@") {
            let Some(word) = line.word(from) else { return Then::Line };
            // `:nick!user@host`: who a server says it is from (RFC 2812 section 2.3.1).
            if who == Who::Server && command.starts_with(b":") && command.contains(&b'!') {
                line.tell("irc.prefix", 1..from, out);
            }
            command = line.get(word.clone()).to_ascii_uppercase();
            from = word.end;
        }
        match &command[..] {
            // What servers notify is no conversation.
            b"NOTICE" if who == Who::Server => {}
            b"PRIVMSG" | b"NOTICE" => {
                let Some(text) = trailing(line, from) else { return Then::Line };
                let to = line.word(from).map(|it| line.get(it)).unwrap_or_default();
                if who == Who::Client && to.eq_ignore_ascii_case(b"nickserv") {
                    identify(line, text, out);
                } else {
                    line.tell("irc.text", text, out);
                }
            }
            _ if who == Who::Client => self.client(line, from, &command, out),
            // Topics, and who set them (RFC 2812 section 5.1; 333 by ircu).
            b"332" => {
                if let Some(text) = trailing(line, from) {
                    line.tell("irc.text", text, out);
                }
            }
            b"333" => {
                let setter = line.word(from).and_then(|it| line.word(it.end)).and_then(|it| line.word(it.end));
                if let Some(setter) = setter {
                    line.tell("irc.prefix", setter, out);
                }
            }
            // SASL failed, was given up, or is unknown (IRCv3 SASL 3.1).
            b"904" | b"905" | b"906" | b"908" => self.sasl = None,
            _ => {}
        }
        Then::Line
    }

    fn lost(&mut self, _: Who) {
        self.sasl = None;
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
        (Down, b":irc.example NOTICE AUTH :*** Looking up\r\n"),
        (Up, b"PASS s3rver\r\nNICK bob7\r\nUSER bob 0 * :Bob B.\r\n"),
        (Down, b":irc.example 001 bob7 :Welcome bob7!bob@host.example\r\n"),
        (Up, b"AUTHENTICATE PLAIN\r\n"),
        (Down, b"AUTHENTICATE +\r\n"),
        (Up, b"AUTHENTICATE AGJvYgBzM2NyZXQ=\r\n"),
        (Up, b"PRIVMSG NickServ :IDENTIFY hunter2\r\n"),
        (Up, b"JOIN #tea key\r\nPRIVMSG #tea :write to ann@mail.example\r\n"),
        (
            Down,
            b":irc.example 332 bob7 #tea :ask for the key\r\n:irc.example 333 bob7 #tea eve!~e@host 1366472593\r\n",
        ),
        (Down, b":ann!a@host PRIVMSG #tea :hello\r\n"),
    ];

    const TOLD: &[(&str, &str)] = &[
        ("irc.password", "s3rver"),
        ("irc.nick", "bob7"),
        ("irc.user", "bob"),
        ("irc.real-name", "Bob B."),
        ("irc.auth.user", "bob"),
        ("irc.auth.password", "s3cret"),
        ("irc.password", "hunter2"),
        ("irc.channel", "#tea"),
        ("irc.text", "write to ann@mail.example"),
        ("irc.text", "ask for the key"),
        ("irc.prefix", "eve!~e@host"),
        ("irc.prefix", "ann!a@host"),
        ("irc.text", "hello"),
    ];

    fn told(out: &Notebook) -> Vec<(String, String)> {
        let text = |it: &[u8]| String::from_utf8_lossy(it).into_owned();
        out.fields.iter().map(|(path, value, _)| (path.clone(), text(value))).collect()
    }

    #[test]
    fn a_session_in_any_segmentation_tells_the_same() {
        for size in 1..80 {
            let chunks: Vec<_> = TALK.iter().flat_map(|(d, it)| it.chunks(size).map(|it| (*d, it))).collect();
            let out = read_stream(&IRC, (50_000, 6_667), &chunks);
            let expected: Vec<_> = TOLD.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            assert_eq!((self::told(&out), out.client), (expected, Some(Up)), "chunks of {size}");
        }
        let out = read_stream(&IRC, (50_000, 6_667), TALK);
        assert_eq!(out.fields[6].2, Span::in_frame(7, 42 + 27, 7));
    }

    #[test]
    fn other_conversations_are_not_it() {
        let verdict = |up: &[u8], down: &[u8]| IRC.matches(&stream(50_000, 6_667, up, down));
        assert_eq!(verdict(b"USER a\r\nPASS b\r\n", b""), Match::No);
        assert_eq!(verdict(b"USER a\r\n", b"220 x\r\n"), Match::No);
        assert_eq!(verdict(b"NICK a\r\n", b""), Match::Maybe);
        assert_eq!(verdict(b"NICK a\r\nUSER a 0 * :b\r\n", b""), Match::Yes);
        assert_eq!(verdict(b"PASS a\r\nNICK b\r\n", b"+OK\r\n"), Match::No);
        assert_eq!(verdict(b"GET / HTTP/1.1\r\n", b""), Match::No);
    }

    #[test]
    fn damage_never_panics() {
        for way in [Up, Down] {
            let side: Vec<u8> = TALK.iter().filter(|(d, _)| *d == way).flat_map(|(_, it)| it.to_vec()).collect();
            damage(&IRC, (50_000, 6_667), Transport::Tcp, way, &side);
        }
    }
}
