//! Conversations written down beside the readers of their protocols: `samples/<protocol>.talk`, or
//! `samples/<protocol>.<what>.talk` where there are several.
//!
//! A line is `# …` (a remark), `udp CLIENT-PORT SERVER-PORT` or `tcp …`, `> …` (the client says) or `< …` (the server says)
//! with the escapes of a Rust byte string, `> @FILE` for the bytes of a file beside it, or `@FILE` for a file of flights (a
//! byte for the side, two for the length, the bytes). In TCP a line is a segment, in UDP a datagram.

use std::fs;
use std::path::{Path, PathBuf};

use farshore_model::Direction::{self, Down, Up};

use super::build::{ACK, SERVER, SYN, SYN_ACK, ethernet, ip, tcp, udp};

/// No segment of a link of 1500 bytes is larger.
const SEGMENT: usize = 1_440;

/// A conversation.
pub struct Talk {
    /// The protocol, by the name of the file.
    pub protocol: String,
    /// The whole name of the file, without `.talk`.
    pub name: String,
    pub datagrams: bool,
    /// Of client and server.
    pub ports: (u16, u16),
    pub said: Vec<(Direction, Vec<u8>)>,
}

/// All that stand in the folders of these readers, by name.
pub fn talks(readers: &Path) -> Vec<Talk> {
    let folders = entries(readers).into_iter().flat_map(|folder| entries(&folder.join("samples")));
    let mut all: Vec<Talk> = folders
        .filter(|path| path.extension().is_some_and(|it| it == "talk"))
        .map(|path| Talk::read(&path))
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|it| it.path()).collect()
}

impl Talk {
    #[allow(clippy::disallowed_methods, reason = "samples are files")]
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let beside = |name: &str| fs::read(path.with_file_name(name)).unwrap_or_else(|why| panic!("{}: {name}: {why}", path.display()));
        let name = path.file_stem().unwrap().to_str().unwrap();
        let mut talk = Self {
            protocol: name.split('.').next().unwrap().to_owned(),
            name: name.to_owned(),
            datagrams: false,
            ports: (0, 0),
            said: Vec::new(),
        };
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("#", _)) => {}
                Some((transport @ ("udp" | "tcp"), ports)) => {
                    let (client, server) = ports.split_once(' ').unwrap();
                    talk.datagrams = transport == "udp";
                    talk.ports = (client.parse().unwrap(), server.parse().unwrap());
                }
                Some((side @ (">" | "<"), what)) => {
                    let bytes = what.strip_prefix('@').map_or_else(|| unescaped(what), beside);
                    talk.said.push((if side == ">" { Up } else { Down }, bytes));
                }
                None if line.starts_with('@') => talk.flights(&beside(&line[1..])),
                _ => panic!("{}: {line}", path.display()),
            }
        }
        assert!(talk.ports != (0, 0) && !talk.said.is_empty(), "{}", path.display());
        talk
    }

    fn flights(&mut self, mut rest: &[u8]) {
        while let [side, high, low, after @ ..] = rest {
            let (flight, after) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])));
            self.said.push((if *side == 0 { Up } else { Down }, flight.to_vec()));
            rest = after;
        }
    }

    /// As it looks on Ethernet when the client has this address. Streams have their handshake.
    pub fn frames(&self, client: &str) -> Vec<Vec<u8>> {
        let (client, server) = (client.parse().unwrap(), SERVER.parse().unwrap());
        let framed = |side: Direction, protocol: u8, body: Vec<u8>| match side {
            Up => ethernet(0x0800, &ip(client, server, protocol, &body)),
            Down => ethernet(0x0800, &ip(server, client, protocol, &body)),
        };
        let ports = |side: Direction| match side {
            Up => self.ports,
            Down => (self.ports.1, self.ports.0),
        };
        if self.datagrams {
            let datagram = |(side, bytes): &(Direction, Vec<u8>)| framed(*side, 17, udp(ports(*side).0, ports(*side).1, bytes));
            return self.said.iter().map(datagram).collect();
        }
        let mut next = [1_000_u32, 9_000];
        let mut frames = Vec::new();
        let mut push = |side: Direction, flags: u8, bytes: &[u8]| {
            let (mine, theirs) = if side == Up { (0, 1) } else { (1, 0) };
            let acknowledged = if flags & ACK == 0 { 0 } else { next[theirs] };
            let (from, to) = ports(side);
            frames.push(framed(side, 6, tcp(from, to, next[mine], acknowledged, flags, bytes)));
            next[mine] += bytes.len() as u32 + u32::from(flags & SYN != 0);
        };
        push(Up, SYN, b"");
        push(Down, SYN_ACK, b"");
        push(Up, ACK, b"");
        for (side, bytes) in &self.said {
            for part in bytes.chunks(SEGMENT) {
                push(*side, ACK, part);
            }
        }
        frames
    }
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let next = |rest: &mut std::str::Bytes<'_>| rest.next().unwrap_or_else(|| panic!("{text}: ends in an escape"));
        bytes.push(match (byte, byte == b'\\') {
            (_, false) => byte,
            (_, true) => match next(&mut rest) {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'0' => 0,
                b'\\' => b'\\',
                b'x' => {
                    let digits = [next(&mut rest), next(&mut rest)];
                    let digits = std::str::from_utf8(&digits).unwrap();
                    u8::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("{text}: \\x{digits}"))
                }
                other => panic!("{text}: \\{}", other.escape_ascii()),
            },
        });
    }
    bytes
}
