//! A second opinion on captures: reads pcapng, Ethernet, IPv4, UDP and TCP without any code of the lab.
//!
//! Refuses anything it does not expect: in a test that is a failure.

use std::collections::BTreeMap;

pub mod tls;

/// Frames in the order of a file: when, in nanoseconds since 1970, and their bytes.
pub type Frames = Vec<(u64, Vec<u8>)>;

/// Frames of a pcapng file with one interface. Checks block lengths on the way.
pub fn frames(file: &[u8]) -> Frames {
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let (mut at, mut out, mut kinds) = (0, Vec::new(), Vec::new());
    while at < file.len() {
        let (kind, length) = (word(at), word(at + 4) as usize);
        assert_eq!(length % 4, 0);
        assert_eq!(word(at + length - 4) as usize, length, "both lengths of the block at {at}");
        kinds.push(kind);
        if kind == 6 {
            let time = u64::from(word(at + 12)) << 32 | u64::from(word(at + 16));
            let (captured, original) = (word(at + 20) as usize, word(at + 24) as usize);
            assert_eq!(captured, original);
            out.push((time, file[at + 28..at + 28 + captured].to_vec()));
        }
        at += length;
    }
    assert_eq!((kinds[0], kinds[1], kinds[kinds.len() - 1]), (0x0a0d_0d0a, 1, 5));
    out
}

/// A decoded frame.
pub struct Packet<'a> {
    pub protocol: u8,
    pub from: ([u8; 4], u16),
    pub to: ([u8; 4], u16),
    /// TCP only.
    pub sequence: u32,
    pub flags: u8,
    pub payload: &'a [u8],
}

/// Decodes a frame and checks every checksum in it.
pub fn packet(frame: &[u8]) -> Packet<'_> {
    assert_eq!(frame[12..14], [8, 0], "IPv4");
    let ip = &frame[14..];
    assert_eq!(ip[0], 0x45);
    assert_eq!(usize::from(u16::from_be_bytes([ip[2], ip[3]])), ip.len());
    assert!(ip.len() <= 1500);
    assert_eq!(sum(&ip[..20], 0), 0xffff, "IP header checksum");
    let (source, destination): ([u8; 4], [u8; 4]) = (ip[12..16].try_into().unwrap(), ip[16..20].try_into().unwrap());
    let body = &ip[20..];
    let pseudo = u32::from(sum(&ip[12..20], 0)) + u32::from(ip[9]) + body.len() as u32;
    let port = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
    let (from, to, sequence, flags, payload) = match ip[9] {
        1 => {
            assert_eq!(sum(body, 0), 0xffff, "ICMP checksum");
            (port(4), port(4), 0, 0, &body[8..])
        }
        6 => {
            assert_eq!(sum(body, pseudo), 0xffff, "TCP checksum");
            let header = usize::from(body[12] >> 4) * 4;
            let sequence = u32::from_be_bytes(body[4..8].try_into().unwrap());
            (port(0), port(2), sequence, body[13], &body[header..])
        }
        17 => {
            assert_eq!(usize::from(port(4)), body.len());
            assert_ne!(port(6), 0, "a UDP checksum is given");
            assert_eq!(sum(body, pseudo), 0xffff, "UDP checksum");
            (port(0), port(2), 0, 0, &body[8..])
        }
        other => panic!("protocol {other}"),
    };
    Packet {
        protocol: ip[9],
        from: (source, from),
        to: (destination, to),
        sequence,
        flags,
        payload,
    }
}

/// Ones' complement sum (RFC 1071), not inverted.
fn sum(bytes: &[u8], start: u32) -> u16 {
    let mut total = start;
    for pair in bytes.chunks(2) {
        total += u32::from(pair[0]) * 256 + u32::from(pair.get(1).copied().unwrap_or(0));
    }
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

/// Bytes of one direction of a TCP connection; every byte must be there once, in order.
pub fn stream(frames: &[(u64, Vec<u8>)], from: ([u8; 4], u16), to: ([u8; 4], u16)) -> Vec<u8> {
    let (mut next, mut out) = (None, Vec::new());
    for (_, frame) in frames {
        let it = packet(frame);
        if it.protocol != 6 || it.from != from || it.to != to {
            continue;
        }
        assert_eq!(*next.get_or_insert(it.sequence), it.sequence, "no byte is missing or sent twice");
        let control = u32::from(it.flags & 3 != 0);
        next = Some(it.sequence.wrapping_add(it.payload.len() as u32 + control));
        out.extend(it.payload);
    }
    out
}

/// Lines of an NSS key log: (label, client random in hex) to secret.
pub fn keylog(text: &str) -> BTreeMap<(String, String), Vec<u8>> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!(words.len(), 3, "{line}");
            ((words[0].to_owned(), words[1].to_owned()), unhex(words[2]))
        })
        .collect()
}

/// Bytes of hexadecimal digits.
pub fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// Hexadecimal digits of bytes.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether `bytes` hold `wanted`.
pub fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|it| it == wanted)
}
