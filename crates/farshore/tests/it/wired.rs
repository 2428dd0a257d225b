//! Frames built here, pushed through the auditor: Ethernet and IPv4 by the lab, what they carry by hand.

use std::net::Ipv4Addr;

use farshore::model::{Audit, Frame, InputId, Ledger, LinkType, Timestamp};
use farshore::{Auditor, Circumstances, Datasets, Detecting, Detectors, Reading, judge};
use farshore_lab::net::{self, Path, Segment};

pub const SECOND: i64 = 1_000_000_000;
pub const CLIENT: [u8; 4] = [192, 0, 2, 10];
pub const RESOLVER: [u8; 4] = [192, 0, 2, 53];

/// A capture in the making: (time, frame).
#[derive(Default)]
pub struct Wire {
    frames: Vec<(i64, Vec<u8>)>,
}

fn path(from: [u8; 4], to: [u8; 4]) -> Path {
    Path {
        from_mac: [2, 0, 0, 0, 0, 1],
        to_mac: [2, 0, 0, 0, 0, 2],
        from: Ipv4Addr::from(from),
        to: Ipv4Addr::from(to),
        ttl: 64,
        dscp: 0,
        id: 7,
    }
}

impl Wire {
    pub fn udp(&mut self, at: i64, from: ([u8; 4], u16), to: ([u8; 4], u16), payload: &[u8]) -> &mut Self {
        self.frames.push((at, net::udp(&path(from.0, to.0), from.1, to.1, payload).0));
        self
    }

    /// A SYN.
    pub fn knock(&mut self, at: i64, from: ([u8; 4], u16), to: ([u8; 4], u16)) -> &mut Self {
        let segment = Segment {
            from: from.1,
            to: to.1,
            seq: 1,
            flags: 2,
            window: 1024,
            ..Segment::default()
        };
        self.frames.push((at, net::tcp(&path(from.0, to.0), &segment, &[]).0));
        self
    }

    /// The answer to a SYN that had number 1.
    pub fn accept(&mut self, at: i64, from: ([u8; 4], u16), to: ([u8; 4], u16)) -> &mut Self {
        let segment = Segment {
            from: from.1,
            to: to.1,
            seq: 1,
            ack: 2,
            flags: 18,
            window: 1024,
            ..Segment::default()
        };
        self.frames.push((at, net::tcp(&path(from.0, to.0), &segment, &[]).0));
        self
    }

    /// Data of a connection whose SYN had number 1.
    pub fn data(&mut self, at: i64, from: ([u8; 4], u16), to: ([u8; 4], u16), payload: &[u8]) -> &mut Self {
        let segment = Segment {
            from: from.1,
            to: to.1,
            seq: 2,
            flags: 24,
            window: 1024,
            ..Segment::default()
        };
        self.frames.push((at, net::tcp(&path(from.0, to.0), &segment, payload).0));
        self
    }

    /// Payload behind so many bytes that `data` brought.
    pub fn further(&mut self, at: i64, from: ([u8; 4], u16), to: ([u8; 4], u16), behind: usize, payload: &[u8]) -> &mut Self {
        let segment = Segment {
            from: from.1,
            to: to.1,
            seq: 2 + behind as u32,
            flags: 24,
            window: 1024,
            ..Segment::default()
        };
        self.frames.push((at, net::tcp(&path(from.0, to.0), &segment, payload).0));
        self
    }

    /// A reset, behind what `data` may have brought.
    pub fn reset(&mut self, at: i64, from: ([u8; 4], u16), to: ([u8; 4], u16)) -> &mut Self {
        let segment = Segment {
            from: from.1,
            to: to.1,
            seq: 2,
            flags: 20,
            ..Segment::default()
        };
        self.frames.push((at, net::tcp(&path(from.0, to.0), &segment, &[]).0));
        self
    }

    pub fn audit(&self, data: &'static Datasets) -> Audit {
        judged(self.ledger(), data)
    }

    /// What was seen, before it is judged.
    pub fn ledger(&self) -> Ledger {
        let detectors = Detectors::new(&[], Detecting::default()).unwrap();
        let mut auditor = Auditor::new(&Reading::default(), detectors);
        for (number, (at, bytes)) in (1..).zip(&self.frames) {
            auditor.push(&Frame {
                input: InputId(0),
                number,
                time: Some(Timestamp::from_nanos(*at)),
                tick: 1,
                link: LinkType::ETHERNET,
                interface: 0,
                wire_length: bytes.len() as u32,
                bytes,
            });
        }
        auditor.finish(farshore_sources::Summary::default())
    }
}

/// What it comes to, without policies.
pub fn judged(ledger: Ledger, data: &'static Datasets) -> Audit {
    let with = Circumstances {
        data,
        packs: &[],
        scope: None,
        subject: None,
        basis: None,
        waivers: None,
        baseline: None,
        as_of: None,
        vantage: None,
        app: None,
        limits: farshore::JudgingLimits::default(),
        version: "test",
        show_pii: false,
        jobs: 1,
    };
    judge(ledger, &with)
}

/// A name as DNS writes it (RFC 1035 section 3.1).
pub fn labels(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.') {
        out.push(label.len() as u8);
        out.extend(label.as_bytes());
    }
    out.push(0);
    out
}

/// A query for the address of `name`.
pub fn query(id: u16, name: &str) -> Vec<u8> {
    let mut out: Vec<u8> = [id, 0x0100, 1, 0, 0, 0].iter().flat_map(|word| word.to_be_bytes()).collect();
    out.extend(labels(name));
    out.extend([0, 1, 0, 1]);
    out
}

/// The answer to it: over `alias`, if there is one, to the addresses.
pub fn answer(id: u16, name: &str, alias: Option<&str>, ttl: u32, addresses: &[[u8; 4]]) -> Vec<u8> {
    let count = addresses.len() as u16 + u16::from(alias.is_some());
    let mut out: Vec<u8> = [id, 0x8180, 1, count, 0, 0].iter().flat_map(|word| word.to_be_bytes()).collect();
    out.extend(labels(name));
    out.extend([0, 1, 0, 1]);
    let mut record = |owner: &str, kind: u16, value: &[u8]| {
        out.extend(labels(owner));
        out.extend(kind.to_be_bytes());
        out.extend(1_u16.to_be_bytes());
        out.extend(ttl.to_be_bytes());
        out.extend((value.len() as u16).to_be_bytes());
        out.extend(value);
    };
    if let Some(alias) = alias {
        record(name, 5, &labels(alias));
    }
    for address in addresses {
        record(alias.unwrap_or(name), 1, address);
    }
    out
}

/// Bytes behind their length in two.
pub fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

/// A ClientHello to that server, with further extensions, in a record (RFC 8446 section 4.1.2).
pub fn client_hello(name: &str, further: &[u8]) -> Vec<u8> {
    let server_name = [&[0, 0][..], &sized(&sized(&[&[0][..], &sized(name.as_bytes())].concat()))].concat();
    let extensions = sized(&[&server_name, further].concat());
    let body = [&[3, 3][..], &[1; 32], &[0, 0, 2, 0x13, 1, 1, 0], &extensions].concat();
    handshake(1, &body)
}

/// The answer to it, under TLS 1.3.
pub fn server_hello() -> Vec<u8> {
    let body = [&[3, 3][..], &[2; 32], &[0, 0x13, 1, 0, 0, 6, 0, 43, 0, 2, 3, 4]].concat();
    handshake(2, &body)
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let message = [&[kind, 0][..], &sized(body)].concat();
    [&[22, 3, 3][..], &sized(&message)].concat()
}
