//! Redis: clients of a store of keys and values, over TCP (RESP, versions 2 and 3).
//!
//! # What is extracted, and why it matters
//! Logins go as they are: `redis.user`, `redis.password`, by `AUTH`, by `HELLO`, and where a client sets them for others (`CONFIG SET`,
//! `ACL SETUSER`); `redis.client-name` by which a client goes. Keys and values, which often are whole sessions of web sites:
//! `redis.argument` of every other command, `redis.value` of what servers answer.
//!
//! # What is not
//! Commands written as plain words, as people at a terminal do; strings of which a server does not know the length beforehand.
//!
//! # How it is told
//! The client's first command: an array of strings with their lengths, the first of them a command that connections begin with.
//!
//! **Read after** "Redis serialization protocol specification" and the commands' pages (Redis documentation).

use std::ops::Range;

use farshore_model::{Direction, Protection};

use super::lane::Lane;
use super::lines::{self, Line};
use super::{Begins, Dissector, FirstBytes, Match, Opening, Progress, Protocol, Segment, Sink};
use crate::limits::Limits;

/// Redis.
pub static REDIS: Redis = Redis;

/// Redis, as a [`Protocol`].
#[derive(Debug)]
pub struct Redis;

impl Protocol for Redis {
    fn id(&self) -> &'static str {
        "redis"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        lines::either_way(opening, |client, _, _| commands(client))
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::of(b"*"))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        Box::new(Session {
            client: lines::client_of(opening, |client, _, _| commands(client)),
            told: false,
            lanes: Default::default(),
            command: Command::default(),
            longest: limits.message_bytes,
        })
    }
}

/// Commands that connections begin with.
const COMMANDS: &[&[u8]] = &[
    b"AUTH",
    b"HELLO",
    b"CLIENT",
    b"SELECT",
    b"PING",
    b"COMMAND",
    b"INFO",
    b"GET",
    b"SET",
    b"SETEX",
    b"MGET",
    b"MSET",
    b"DEL",
    b"EXISTS",
    b"EXPIRE",
    b"TTL",
    b"KEYS",
    b"SCAN",
    b"INCR",
    b"HGET",
    b"HSET",
    b"HMSET",
    b"HMGET",
    b"HGETALL",
    b"HDEL",
    b"LPUSH",
    b"RPUSH",
    b"LPOP",
    b"RPOP",
    b"BLPOP",
    b"BRPOP",
    b"LRANGE",
    b"LLEN",
    b"SADD",
    b"SMEMBERS",
    b"SISMEMBER",
    b"ZADD",
    b"ZRANGE",
    b"ZRANGEBYSCORE",
    b"PUBLISH",
    b"SUBSCRIBE",
    b"PSUBSCRIBE",
    b"MULTI",
    b"EVAL",
    b"EVALSHA",
    b"SCRIPT",
    b"CONFIG",
    b"ACL",
    b"ROLE",
    b"SENTINEL",
    b"CLUSTER",
    b"READONLY",
    b"MONITOR",
    b"REPLCONF",
    b"PSYNC",
    b"XADD",
    b"XREAD",
    b"XREADGROUP",
    b"TYPE",
    b"ECHO",
    b"QUIT",
];

/// A header's number, and how many bytes the header takes.
enum Head {
    Whole(i64, usize),
    Part,
    Wrong,
}

/// A mark, a number in digits, and the end of the line.
fn head(bytes: &[u8], mark: u8) -> Head {
    let Some((first, rest)) = bytes.split_first() else {
        return Head::Part;
    };
    if *first != mark {
        return Head::Wrong;
    }
    // No string is so long that its length has more digits.
    let end = rest.iter().take(12).position(|it| !(it.is_ascii_digit() || *it == b'-'));
    let Some(end) = end else {
        return if rest.len() < 12 { Head::Part } else { Head::Wrong };
    };
    match rest.get(end..).unwrap_or_default() {
        [b'\r'] if end > 0 => Head::Part,
        [b'\r', b'\n', ..] => match rest.get(..end).and_then(|it| str::from_utf8(it).ok()?.parse().ok()) {
            Some(number) => Head::Whole(number, end.saturating_add(3)),
            None => Head::Wrong,
        },
        _ => Head::Wrong,
    }
}

/// Whether a side begins with a command.
fn commands(bytes: &[u8]) -> Match {
    if bytes.is_empty() {
        return Match::No;
    }
    let strings = match head(bytes, b'*') {
        Head::Whole(1..=1_048_576, size) => bytes.get(size..).unwrap_or_default(),
        Head::Whole(..) | Head::Wrong => return Match::No,
        Head::Part => return Match::Maybe,
    };
    match head(strings, b'$') {
        Head::Whole(length @ 3..=16, size) => {
            let word = strings.get(size..).unwrap_or_default();
            let length = usize::try_from(length).unwrap_or_default();
            match word.get(..length) {
                Some(word) if COMMANDS.iter().any(|it| it.eq_ignore_ascii_case(word)) => Match::Yes,
                None if COMMANDS
                    .iter()
                    .any(|it| it.len() == length && it.get(..word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word))) =>
                {
                    Match::Maybe
                }
                _ => Match::No,
            }
        }
        Head::Whole(..) | Head::Wrong => Match::No,
        Head::Part => Match::Maybe,
    }
}

/// Whether a chunk begins with something that a server, or a client, begins with.
fn takes_up(bytes: &[u8]) -> bool {
    commands(bytes) == Match::Yes || matches!(head(bytes, b'$'), Head::Whole(..))
}

/// A command whose strings are passing.
#[derive(Debug, Default)]
struct Command {
    kind: Kind,
    /// How many strings it has, and which comes next.
    count: i64,
    at: i64,
    /// What the next string is, where another said so.
    next: Option<&'static str>,
}

/// Commands that hold more than keys and values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    Auth,
    Hello,
    Client,
    Config,
    Acl,
    #[default]
    Other,
}

const USER: &str = "redis.user";
const PASSWORD: &str = "redis.password";
const NAME: &str = "redis.client-name";

impl Command {
    /// Takes its next string; says under which path which part of it is told.
    fn string(&mut self, text: &[u8]) -> Option<(&'static str, Range<usize>)> {
        let at = self.at;
        self.at = at.saturating_add(1);
        let is = |word: &[u8]| text.eq_ignore_ascii_case(word);
        if at == 0 {
            let kinds: [(&[u8], Kind); 5] = [
                (b"AUTH", Kind::Auth),
                (b"HELLO", Kind::Hello),
                (b"CLIENT", Kind::Client),
                (b"CONFIG", Kind::Config),
                (b"ACL", Kind::Acl),
            ];
            self.kind = kinds.into_iter().find(|(name, _)| is(name)).map_or(Kind::Other, |(_, kind)| kind);
            return None;
        }
        let whole = 0..text.len();
        if let Some(path) = self.next.take() {
            if path == USER && self.kind != Kind::Acl {
                self.next = Some(PASSWORD);
            }
            return Some((path, whole));
        }
        match self.kind {
            Kind::Auth if self.count == 2 => return Some((PASSWORD, whole)),
            Kind::Auth => return Some((if at == 1 { USER } else { PASSWORD }, whole)),
            Kind::Hello if is(b"AUTH") => self.next = Some(USER),
            Kind::Hello | Kind::Client if is(b"SETNAME") => self.next = Some(NAME),
            Kind::Config if is(b"requirepass") || is(b"masterauth") => self.next = Some(PASSWORD),
            Kind::Config if is(b"masteruser") => self.next = Some("redis.argument"),
            Kind::Acl if at == 1 && is(b"SETUSER") => self.next = Some(USER),
            Kind::Acl if at > 2 && text.starts_with(b">") => return Some((PASSWORD, 1..text.len())),
            Kind::Other => return Some(("redis.argument", whole)),
            _ => {}
        }
        None
    }
}

/// One flow.
#[derive(Debug)]
struct Session {
    client: Direction,
    told: bool,
    lanes: [Lane; 2],
    command: Command,
    longest: usize,
}

impl Dissector for Session {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        if !std::mem::replace(&mut self.told, true) {
            out.client_speaks(self.client);
        }
        let lane = direction.of_mut(&mut self.lanes);
        let client = direction == self.client;
        if client && matches!(it, Segment::Gap(_)) {
            self.command = Command::default();
        }
        if !lane.take(&it, takes_up) {
            return Progress::More;
        }
        let gathered = &mut lane.gathered;
        loop {
            let bytes = gathered.bytes();
            let Some(mark) = bytes.first() else { return Progress::More };
            let length = match mark {
                // A string, an error with a length, and a string that tells its form.
                b'$' | b'!' | b'=' => match head(bytes, *mark) {
                    Head::Whole(length, size) => (length, size),
                    Head::Part => return Progress::More,
                    Head::Wrong => return Progress::Lost,
                },
                _ => {
                    let Some(end) = bytes.iter().take(LONGEST_LINE).position(|it| *it == b'\n') else {
                        return if bytes.len() < LONGEST_LINE {
                            Progress::More
                        } else {
                            Progress::Lost
                        };
                    };
                    if client && *mark == b'*' {
                        let Head::Whole(count, _) = head(bytes, b'*') else {
                            return Progress::Lost;
                        };
                        self.command = Command {
                            count,
                            ..Command::default()
                        };
                    }
                    gathered.consume(end.saturating_add(1));
                    continue;
                }
            };
            let (length, head) = length;
            // Of a string that is not there, the length is -1.
            let Ok(length) = usize::try_from(length) else {
                gathered.consume(head);
                continue;
            };
            let end = head.saturating_add(length);
            if length > self.longest {
                out.limit("message-bytes");
                gathered.skip(end.saturating_add(2));
                if client {
                    self.command.string(b"");
                }
                continue;
            }
            let Some(text) = bytes.get(head..end) else { return Progress::More };
            if bytes.len() < end.saturating_add(2) {
                return Progress::More;
            }
            let told = if client {
                self.command.string(text)
            } else {
                Some(("redis.value", 0..text.len()))
            };
            if let Some((path, part)) = told {
                Line::all(gathered).tell(path, part.start.saturating_add(head)..part.end.saturating_add(head), out);
            }
            gathered.consume(end.saturating_add(2));
        }
    }
}

/// Lines without a length: what is done, what went wrong, numbers.
const LONGEST_LINE: usize = 4096;

#[cfg(test)]
mod tests {
    use farshore_model::{Span, Transport};

    use super::super::notebook::{Notebook, damage, in_chunks, read_stream, stream};
    use super::*;
    use Direction::{Down, Up};

    /// An array of strings.
    fn said(words: &[&str]) -> Vec<u8> {
        let strings = words.iter().map(|it| format!("${}\r\n{it}\r\n", it.len()));
        format!("*{}\r\n{}", words.len(), strings.collect::<String>()).into_bytes()
    }

    fn conversation() -> Vec<(Direction, Vec<u8>)> {
        vec![
            (Up, said(&["AUTH", "w4tch"])),
            (Down, b"+OK\r\n".to_vec()),
            (Up, said(&["hello", "3", "AUTH", "alice", "hunter2", "SETNAME", "rooms-web-1"])),
            (Down, b"%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n".to_vec()),
            (Up, said(&["CLIENT", "SETNAME", "rooms-web-2"])),
            (Up, said(&["CONFIG", "SET", "requirepass", "blue door"])),
            (Up, said(&["ACL", "SETUSER", "bob", "on", ">w4tch2", "~*"])),
            (Up, [said(&["AUTH", "carol", "s3cret"]), said(&["GET", "session:7"])].concat()),
            (
                Down,
                b"-WRONGPASS no\r\n$24\r\n{\"mail\":\"bob@rooms.lan\"}\r\n$-1\r\n_\r\n".to_vec(),
            ),
        ]
    }

    const TOLD: &[(&str, &str)] = &[
        ("redis.password", "w4tch"),
        ("redis.user", "alice"),
        ("redis.password", "hunter2"),
        ("redis.client-name", "rooms-web-1"),
        ("redis.value", "server"),
        ("redis.value", "redis"),
        ("redis.value", "proto"),
        ("redis.client-name", "rooms-web-2"),
        ("redis.password", "blue door"),
        ("redis.user", "bob"),
        ("redis.password", "w4tch2"),
        ("redis.user", "carol"),
        ("redis.password", "s3cret"),
        ("redis.argument", "session:7"),
        ("redis.value", "{\"mail\":\"bob@rooms.lan\"}"),
    ];

    fn read(list: &[(Direction, Vec<u8>)]) -> Notebook {
        read_cut(list, usize::MAX)
    }

    /// In chunks of so many bytes.
    fn read_cut(list: &[(Direction, Vec<u8>)], size: usize) -> Notebook {
        read_stream(&REDIS, (50_000, 6379), &in_chunks(list, size))
    }

    #[test]
    fn any_segmentation_over_tcp_tells_the_same() {
        for size in 1..60 {
            let out = read_cut(&conversation(), size);
            assert_eq!((out.told(), out.client), (TOLD.to_vec(), Some(Up)), "chunks of {size}");
        }
        assert_eq!(read(&conversation()).fields[0].2, Span::in_frame(1, 42 + 18, 5));
    }

    #[test]
    fn a_string_too_long_is_passed_over_and_the_next_command_is_read() {
        let long = "x".repeat(Limits::default().message_bytes + 1);
        let out = read(&[(Up, [said(&["SET", "k", &long]), said(&["AUTH", "w4tch"])].concat())]);
        assert_eq!(out.told(), [("redis.argument", "k"), ("redis.password", "w4tch")]);
        assert_eq!(out.limits, ["message-bytes"]);
    }

    #[test]
    fn other_beginnings_are_not_it() {
        let verdict = |up: &[u8], down: &[u8]| REDIS.matches(&stream(50_000, 6379, up, down));
        let whole = said(&["AUTH", "w4tch"]);
        assert_eq!(verdict(&whole, b""), Match::Yes);
        for cut in 1..12 {
            assert_eq!(verdict(&whole[..cut], b""), Match::Maybe, "cut at {cut}");
        }
        for wrong in [
            "* OK IMAP4rev1 ready\r\n",
            "*2\r\n:1\r\n",
            "*1\r\n$4\r\nGRAB\r\n",
            "*0\r\n",
            "*2\r\n$900\r\n",
            "*x\r\n",
            "+OK\r\n",
        ] {
            assert_eq!(verdict(wrong.as_bytes(), b""), Match::No, "{wrong:?}");
        }
        assert_eq!(verdict(b"", b""), Match::No);
    }

    #[test]
    fn damage_never_panics() {
        for way in [Up, Down] {
            let side: Vec<u8> = conversation()
                .into_iter()
                .filter(|(it, _)| *it == way)
                .flat_map(|(_, it)| it)
                .collect();
            damage(&REDIS, (50_000, 6379), Transport::Tcp, way, &side);
        }
    }
}
