//! Packets of QUIC: Initial ones, sealed with the keys that everyone on the path can derive, and those behind the handshake, with
//! the secrets of a session (RFC 9001 section 5). AES-128-GCM alone.
#![allow(dead_code, reason = "each bench has its own use for it")]

use aes::Aes128;
use aes::cipher::BlockCipherEncrypt;
use aes_gcm::Aes128Gcm;
use aes_gcm::aead::{AeadInOut, KeyInit};
use farshore_lab::client::Direction;
use farshore_lab::random::Random;
use farshore_lab::tls::certificate::Authority;
use farshore_lab::tls::{Session, Suite};
use hkdf::Hkdf;
use sha2::Sha256;

const SALT: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a,
];

/// Bytes of a stream in a packet, so that a datagram fits a frame.
pub const ROOM: usize = 1180;

/// Who sends Initial packets, by the id that the client chose for the server.
#[derive(Clone)]
pub struct Client {
    /// The id that packets go to.
    to: Vec<u8>,
    packets: Packets,
}

impl Client {
    pub fn new(id: u64) -> Self {
        Self::side(id, b"client in", &id.to_be_bytes())
    }

    /// The server that this client chose the id for. Both go by an empty one of their own.
    pub fn answering(id: u64) -> Self {
        Self::side(id, b"server in", &[])
    }

    fn side(id: u64, label: &[u8], to: &[u8]) -> Self {
        let secret = expand(&Hkdf::new(Some(&SALT), &id.to_be_bytes()), label);
        Self {
            to: to.to_vec(),
            packets: Packets::new(&secret),
        }
    }

    /// One packet of these frames, its number in four bytes.
    pub fn seal(&self, number: u32, frames: &[u8]) -> Vec<u8> {
        let length = (frames.len().max(4) + 4 + 16) as u16 | 0x4000;
        let ids = [&[self.to.len() as u8][..], &self.to, &[0]].concat();
        let header = [&[0xc3, 0, 0, 0, 1][..], &ids, &[0], &length.to_be_bytes()].concat();
        self.packets.seal(header, number, frames, 0x0f)
    }
}

/// The keys of one side.
#[derive(Clone)]
pub struct Packets {
    packets: Aes128Gcm,
    headers: Aes128,
    iv: [u8; 12],
}

impl Packets {
    pub fn new(secret: &[u8; 32]) -> Self {
        let secret = Hkdf::<Sha256>::from_prk(secret).unwrap();
        Self {
            packets: Aes128Gcm::new(&expand::<16>(&secret, b"quic key").into()),
            headers: Aes128::new(&expand::<16>(&secret, b"quic hp").into()),
            iv: expand(&secret, b"quic iv"),
        }
    }

    /// A packet behind the handshake, to the one who goes by this id.
    pub fn short(&self, id: &[u8], number: u32, frames: &[u8]) -> Vec<u8> {
        self.seal([&[0x43][..], id].concat(), number, frames, 0x1f)
    }

    /// `hidden`: the bits of the first byte that are masked.
    fn seal(&self, mut header: Vec<u8>, number: u32, frames: &[u8], hidden: u8) -> Vec<u8> {
        let number_at = header.len();
        header.extend(number.to_be_bytes());
        let mut nonce = self.iv;
        nonce
            .iter_mut()
            .skip(8)
            .zip(number.to_be_bytes())
            .for_each(|(place, byte)| *place ^= byte);
        let mut body = frames.to_vec();
        body.resize(frames.len().max(4), 0);
        let tag = self
            .packets
            .encrypt_inout_detached(&nonce.into(), &header, body.as_mut_slice().into())
            .unwrap();
        body.extend_from_slice(&tag);
        let mut mask = <[u8; 16]>::try_from(&body[..16]).unwrap().into();
        self.headers.encrypt_block(&mut mask);
        header[0] ^= mask[0] & hidden;
        header[number_at..]
            .iter_mut()
            .zip(&mask[1..])
            .for_each(|(byte, mask)| *byte ^= mask);
        [header, body].concat()
    }
}

/// A session whose handshake is done: what a handshake says in QUIC is what it says in TLS, without the records.
pub struct Opened {
    /// The client's first packet, and the server's.
    pub hellos: [Vec<u8>; 2],
    pub client: Packets,
    pub server: Packets,
    /// Lines of a key log.
    pub keylog: Vec<String>,
}

impl Opened {
    /// One that speaks HTTP/3.
    pub fn new(name: &str) -> Self {
        const ID: u64 = 0x1122_3344_5566_7788;
        let authority = Authority::new("quic", "Bench");
        let (flights, session) = Session::open(name, Suite::Tls13Aes128Gcm, &authority, &mut Random::named("quic"));
        let hello = |direction| {
            let (_, records) = flights.iter().find(|(it, _)| *it == direction).unwrap();
            let length = usize::from(u16::from_be_bytes([records[3], records[4]]));
            let mut hello = records[5..5 + length].to_vec();
            // The same length, and another protocol first.
            if let Some(at) = hello.windows(9).position(|it| it == b"\x08http/1.1") {
                hello[at..at + 9].copy_from_slice(b"\x02h3\x05spare");
            }
            crypto(0, &hello)
        };
        let secret = |label: &str| {
            let line = session.keylog.iter().find(|line| line.starts_with(label)).unwrap();
            let hex = line.rsplit(' ').next().unwrap().as_bytes();
            let digit = |it: u8| char::from(it).to_digit(16).unwrap() as u8;
            std::array::from_fn(|at| digit(hex[2 * at]) << 4 | digit(hex[2 * at + 1]))
        };
        Self {
            hellos: [
                Client::new(ID).seal(0, &hello(Direction::Up)),
                Client::answering(ID).seal(0, &hello(Direction::Down)),
            ],
            client: Packets::new(&secret("CLIENT_TRAFFIC_SECRET_0")),
            server: Packets::new(&secret("SERVER_TRAFFIC_SECRET_0")),
            keylog: session.keylog,
        }
    }
}

/// A CRYPTO frame (RFC 9000 section 19.6).
pub fn crypto(offset: u64, bytes: &[u8]) -> Vec<u8> {
    [&[6][..], &number(offset), &number(bytes.len() as u64), bytes].concat()
}

/// A STREAM frame that goes to the end of its packet (RFC 9000 section 19.8).
pub fn stream(id: u64, offset: u64, bytes: &[u8]) -> Vec<u8> {
    [&[0x0c][..], &number(id), &number(offset), bytes].concat()
}

fn number(value: u64) -> [u8; 4] {
    (value as u32 | 0x8000_0000).to_be_bytes()
}

fn expand<const N: usize>(secret: &Hkdf<Sha256>, label: &[u8]) -> [u8; N] {
    let (mut key, length) = ([0; N], [label.len() as u8 + 6]);
    secret
        .expand_multi_info(&[&(N as u16).to_be_bytes(), &length, b"tls13 ", label, &[0]], &mut key)
        .unwrap();
    key
}
