//! Builds headers by hand. Checksums are left zero: the reader does not judge them.

use std::net::IpAddr;

pub const CLIENT: &str = "192.0.2.10";
pub const SERVER: &str = "198.51.100.20";

pub const SYN: u8 = 2;
pub const ACK: u8 = 16;
pub const SYN_ACK: u8 = SYN | ACK;

/// One side of a conversation.
#[derive(Clone, Copy)]
pub struct End(pub &'static str, pub u16);

impl End {
    pub fn ip(self) -> IpAddr {
        self.0.parse().unwrap()
    }
}

pub fn ethernet(kind: u16, rest: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1][..], &kind.to_be_bytes(), rest].concat()
}

pub fn udp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let words = [from, to, payload.len() as u16 + 8, 0];
    [&words.map(u16::to_be_bytes).concat()[..], payload].concat()
}

pub fn tcp(from: u16, to: u16, sequence: u32, acknowledged: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = [from, to].map(u16::to_be_bytes).concat();
    out.extend([sequence, acknowledged].map(u32::to_be_bytes).concat());
    out.extend([5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
    out.extend(payload);
    out
}

/// IPv4 with options, an identification word's worth of fragment bits, and the total length it is told to claim.
pub struct V4<'a> {
    pub options: &'a [u8],
    pub fragment: u16,
    pub total: Option<u16>,
}

pub const PLAIN: V4<'static> = V4 {
    options: &[],
    fragment: 0,
    total: None,
};

impl V4<'_> {
    pub fn packet(&self, from: IpAddr, to: IpAddr, protocol: u8, body: &[u8]) -> Vec<u8> {
        let (IpAddr::V4(from), IpAddr::V4(to)) = (from, to) else {
            panic!("IPv4 addresses");
        };
        let header = 20 + self.options.len();
        assert_eq!(header % 4, 0);
        let total = self.total.unwrap_or((header + body.len()) as u16);
        let mut out = vec![0x40 | (header / 4) as u8, 0];
        out.extend([total, 7, self.fragment].map(u16::to_be_bytes).concat());
        out.extend([64, protocol, 0, 0]);
        out.extend([from.octets(), to.octets()].concat());
        out.extend(self.options);
        out.extend(body);
        out
    }
}

/// IPv6; `next` names what `body` begins with.
pub fn v6(from: IpAddr, to: IpAddr, next: u8, body: &[u8]) -> Vec<u8> {
    let (IpAddr::V6(from), IpAddr::V6(to)) = (from, to) else {
        panic!("IPv6 addresses");
    };
    let mut out = vec![0x60, 0, 0, 0];
    out.extend((body.len() as u16).to_be_bytes());
    out.extend([next, 64]);
    out.extend([from.octets(), to.octets()].concat());
    out.extend(body);
    out
}

/// IP of either version, as the addresses are.
pub fn ip(from: IpAddr, to: IpAddr, protocol: u8, body: &[u8]) -> Vec<u8> {
    if from.is_ipv4() {
        PLAIN.packet(from, to, protocol, body)
    } else {
        v6(from, to, protocol, body)
    }
}

/// A name as DNS writes it.
fn labels(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.') {
        out.push(label.len() as u8);
        out.extend(label.as_bytes());
    }
    out.push(0);
    out
}

pub fn dns_query(id: u16, name: &str) -> Vec<u8> {
    [
        &[id, 0x0100, 1, 0, 0, 0].map(u16::to_be_bytes).concat()[..],
        &labels(name),
        &[0, 1, 0, 1],
    ]
    .concat()
}

pub fn dns_answer(id: u16, name: &str, address: [u8; 4]) -> Vec<u8> {
    let mut out = [id, 0x8180, 1, 1, 0, 0].map(u16::to_be_bytes).concat();
    out.extend(
        [
            labels(name),
            vec![0, 1, 0, 1, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4],
            address.to_vec(),
        ]
        .concat(),
    );
    out
}

/// A handshake record (RFC 8446 sections 4.1.2, 5.1) that asks for a server name.
pub fn client_hello(name: &str) -> Vec<u8> {
    let wide = |length: usize| (length as u16).to_be_bytes();
    let entry = [&[0][..], &wide(name.len()), name.as_bytes()].concat();
    let list = [&wide(entry.len())[..], &entry].concat();
    let extension = [&[0, 0][..], &wide(list.len()), &list].concat();
    let mut body = vec![3, 3];
    body.extend([0x5a; 32]);
    body.extend([0, 0, 2, 0x13, 0x01, 1, 0]);
    body.extend([&wide(extension.len())[..], &extension].concat());
    handshake(1, &body)
}

pub fn server_hello() -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([0xa5; 32]);
    // TLS_AES_128_GCM_SHA256, and TLS 1.3 by its extension.
    body.extend([0, 0x13, 0x01, 0, 0, 6, 0, 43, 0, 2, 3, 4]);
    handshake(2, &body)
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_be_bytes();
    let message = [&[kind][..], &length[1..], body].concat();
    [&[22, 3, 1][..], &(message.len() as u16).to_be_bytes(), &message].concat()
}
