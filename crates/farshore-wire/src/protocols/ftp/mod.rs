//! FTP's control connection (RFC 959), with AUTH TLS (RFC 4217).
//!
//! # What is extracted, and why it matters
//! Whoever is on the path can read the login: `ftp.user`, `ftp.password`, `ftp.account`; and the names of folders and
//! files that are asked for: `ftp.path`. A guest's password is by custom an address or a program's name and opens
//! nothing (RFC 1635): it is `ftp.guest`. After AUTH TLS, TLS is handed on.
//!
//! # What is not
//! Data connections: what the files hold.
//!
//! # How it is told
//! A server that greets with `220` and names FTP, or meets a client that answers in FTP's words. Of the client alone:
//! `USER` to port 21.

use farshore_model::Protection;

use super::lines::{Conversation, Line, Talk, Then, Who, client_of, command, either_way, first};
use super::{Begins, Dissector, FirstBytes, Match, Opening, Protocol, Sink};
use crate::limits::Limits;

/// FTP.
pub static FTP: Ftp = Ftp;

/// FTP, as a [`Protocol`].
#[derive(Debug)]
pub struct Ftp;

const COMMANDS: &[&[u8]] = &[
    b"USER", b"PASS", b"ACCT", b"AUTH", b"FEAT", b"SYST", b"OPTS", b"CLNT", b"HOST", b"PBSZ", b"PROT", b"PASV", b"EPSV", b"PORT", b"EPRT",
    b"TYPE", b"CWD", b"PWD",
];

impl Protocol for Ftp {
    fn id(&self) -> &'static str {
        "ftp"
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
        Box::new(Conversation::new(Login::default(), client, limits))
    }
}

/// The port of the conversation (RFC 959, section 8).
const PORT: u16 = 21;

fn told(client: &[u8], server: &[u8], server_port: u16) -> Match {
    match server.first() {
        Some(b'1' | b'2') => {}
        // Of a client alone the port must tell.
        None if server_port == PORT => {}
        Some(_) | None => return Match::No,
    }
    let greets = |it: &[u8]| {
        let common = server.len().min(it.len());
        server.get(..common) == it.get(..common) && matches!(server.get(3), None | Some(b' ' | b'-'))
    };
    if !greets(b"220") && !greets(b"120") {
        return Match::No;
    }
    let (greeting, command) = (first(server), first(client).map(|it| command(it, COMMANDS)));
    let named = greeting.is_some_and(|it| it.windows(3).any(|it| it.eq_ignore_ascii_case(b"ftp")));
    match (command, server.is_empty()) {
        (Some(Some(_)), false) if greeting.is_some() => Match::Yes,
        (Some(Some(b"USER")), true) => Match::Yes,
        (None, false) if named => Match::Yes,
        (None, false) | (Some(Some(_)), false) => Match::Maybe,
        (None, true) if !client.is_empty() => Match::Maybe,
        _ => Match::No,
    }
}

/// One session.
#[derive(Debug, Default)]
struct Login {
    guest: bool,
}

impl Talk for Login {
    fn line(&mut self, who: Who, line: &Line<'_>, out: &mut dyn Sink) -> Then {
        if who == Who::Server {
            return Then::Line;
        }
        let (command, end) = line.command();
        let value = line.rest(end);
        match &command[..] {
            b"USER" => {
                let name = line.get(value.clone());
                self.guest = name.eq_ignore_ascii_case(b"anonymous") || name.eq_ignore_ascii_case(b"ftp");
                line.tell("ftp.user", value, out);
            }
            b"PASS" => line.tell(if self.guest { "ftp.guest" } else { "ftp.password" }, value, out),
            b"ACCT" => line.tell("ftp.account", value, out),
            b"CWD" | b"RETR" | b"STOR" | b"APPE" | b"DELE" | b"RNFR" | b"RNTO" | b"MKD" | b"RMD" | b"LIST" | b"NLST" | b"SIZE"
            | b"MDTM" | b"MLSD" | b"MLST" | b"STOU" => line.tell("ftp.path", value, out),
            _ => {}
        }
        Then::Line
    }

    fn lost(&mut self, _: Who) {}
}

#[cfg(test)]
mod tests {
    use farshore_model::{Direction, Span, Transport};

    use super::super::notebook::{damage, read_stream, stream};
    use super::*;
    use Direction::{Down, Up};

    const TALK: &[(Direction, &[u8])] = &[
        (Down, b"220 hello\r\n"),
        (Up, b"USER bob\r\n"),
        (Down, b"331 word?\r\n"),
        (Up, b"PASS hunter2\r\n"),
        (Down, b"230 in\r\n"),
        (Up, b"RETR /home/bob/a b.txt\r\n"),
    ];

    #[test]
    fn a_session_in_any_segmentation_tells_the_same() {
        for size in 1..40 {
            let chunks: Vec<_> = TALK.iter().flat_map(|(d, it)| it.chunks(size).map(|it| (*d, it))).collect();
            let out = read_stream(&FTP, (50_000, 2_121), &chunks);
            assert_eq!(out.values("ftp.user"), ["bob"], "chunks of {size}");
            assert_eq!(out.values("ftp.password"), ["hunter2"], "chunks of {size}");
            assert_eq!(out.values("ftp.path"), ["/home/bob/a b.txt"], "chunks of {size}");
            assert_eq!((out.fields.len(), out.client), (3, Some(Up)));
        }
        let out = read_stream(&FTP, (50_000, 2_121), TALK);
        assert_eq!(out.fields[1].2, Span::in_frame(4, 42 + 5, 7));
    }

    #[test]
    fn a_guest_has_no_password() {
        let list: &[(Direction, &[u8])] = &[(Down, b"220 FTP\r\n"), (Up, b"USER anonymous\r\n"), (Up, b"PASS someone@\r\n")];
        let out = read_stream(&FTP, (50_000, 21), list);
        assert_eq!((out.values("ftp.guest").len(), out.values("ftp.password").len()), (1, 0));
    }

    #[test]
    fn auth_tls_hands_on_tls() {
        let list: &[(Direction, &[u8])] = &[
            (Down, b"220 x\r\n"),
            (Up, b"AUTH TLS\r\n"),
            (Down, b"234 go\r\n"),
            (Up, b"\x16\x03\x01\0\x05hello"),
        ];
        assert_eq!(read_stream(&FTP, (50_000, 21), list).inner.len(), 1);
    }

    #[test]
    fn other_conversations_are_not_it() {
        let verdict = |up: &[u8], down: &[u8], port| FTP.matches(&stream(50_000, port, up, down));
        assert_eq!(verdict(b"EHLO a\r\n", b"220 hello\r\n", 21), Match::No);
        assert_eq!(verdict(b"USER a\r\n", b"+OK\r\n", 21), Match::No);
        assert_eq!(verdict(b"USER a\r\n", b"", 6_667), Match::No);
        assert_eq!(verdict(b"", b"220 hello\r\n", 21), Match::Maybe);
        assert_eq!(verdict(b"", b"2200 ftp\r\n", 21), Match::No);
    }

    #[test]
    fn damage_never_panics() {
        for way in [Up, Down] {
            let side: Vec<u8> = TALK.iter().filter(|(d, _)| *d == way).flat_map(|(_, it)| it.to_vec()).collect();
            damage(&FTP, (50_000, 21), Transport::Tcp, way, &side);
        }
    }
}
