//! Owns connections of QUIC version 1 (RFC 9000) as far as anybody on the path can follow them: Initial packets that open with what the
//! client chose (RFC 9001, section 5.2), and behind them packets of random bytes, as those are to whoever has no key.
//!
//! Refuses loss, retries, tokens, and keys: nothing behind the hellos can be opened.

use aes::Aes128;
use aes::cipher::{Block, BlockCipherEncrypt};
use aes_gcm::Aes128Gcm;
use aes_gcm::aead::{Aead, KeyInit, Payload};

use crate::client::Direction::{self, Down, Up};
use crate::random::Random;
use crate::tls;

/// RFC 9001, section 5.2.
const SALT: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a,
];
/// A datagram with an Initial packet of the client is that long (RFC 9000, section 14.1).
const SHORTEST: usize = 1200;

/// The names of both ends of a connection.
struct Ids {
    /// What the client called the server first.
    first: [u8; 8],
    client: [u8; 8],
    server: [u8; 8],
}

/// How far a connection gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reaches {
    /// The client asks, and nothing comes back.
    Asked,
    /// The server chooses a suite, and the client says no more.
    Chosen,
    /// Both go on.
    Open,
}

/// The datagrams of a connection to `name`, with further extensions in the client's hello.
#[must_use]
pub fn open(name: &str, more: &[u8], reaches: Reaches, random: &mut Random) -> Vec<(Direction, Vec<u8>)> {
    let ids = Ids {
        first: random.bytes(),
        client: random.bytes(),
        server: random.bytes(),
    };
    let [asks, chooses] = tls::hellos_over_quic(name, more, &ids.client, random);
    let mut all = vec![(Up, ids.initial(Up, &asks, SHORTEST))];
    if reaches == Reaches::Asked {
        return all;
    }
    let mut answer = ids.initial(Down, &chooses, 0);
    answer.extend(ids.handshake(Down, random));
    all.push((Down, answer));
    if reaches == Reaches::Chosen {
        return all;
    }
    all.push((Up, [ids.handshake(Up, random), ids.short(Up, random)].concat()));
    for _ in 0..4 {
        all.push((Down, ids.short(Down, random)));
        all.push((Up, ids.short(Up, random)));
    }
    all
}

impl Ids {
    /// A packet with a CRYPTO frame, padded until the datagram has so many bytes.
    fn initial(&self, direction: Direction, hello: &[u8], shortest: usize) -> Vec<u8> {
        let (to, from, label) = match direction {
            Up => (&self.first, &self.client, "client in"),
            Down => (&self.client, &self.server, "server in"),
        };
        let secret = tls::initial_secret(&SALT, &self.first, label);
        let [key, iv, mask] =
            [("quic key", 16), ("quic iv", 12), ("quic hp", 16)].map(|(label, length)| tls::expand(&secret, label, length));
        let mut frames = vec![6, 0];
        frames.extend((0x4000 | hello.len() as u16).to_be_bytes());
        frames.extend(hello);
        // 26 bytes of header and number, 16 of the seal.
        frames.resize(frames.len().max(shortest.saturating_sub(26 + 16)), 0);
        let mut header = vec![0xc1, 0, 0, 0, 1, 8];
        header.extend(to);
        header.push(8);
        header.extend(from);
        header.push(0);
        header.extend((0x4000 | (2 + frames.len() as u16 + 16)).to_be_bytes());
        // The packet's number is 0: the nonce is the vector itself.
        header.extend([0, 0]);
        let nonce: [u8; 12] = iv.as_slice().try_into().expect("12 bytes");
        let sealed = Aes128Gcm::new_from_slice(&key)
            .expect("a key of 16 bytes")
            .encrypt(
                &nonce.into(),
                Payload {
                    msg: &frames,
                    aad: &header,
                },
            )
            .expect("a short packet");
        // Section 5.4: the first byte and the number are masked by a sample of what was sealed.
        let mut sample = Block::<Aes128>::try_from(&sealed[2..18]).expect("16 bytes");
        Aes128::new_from_slice(&mask).expect("a key of 16 bytes").encrypt_block(&mut sample);
        header[0] ^= sample[0] & 0x0f;
        let number = header.len() - 2;
        header[number] ^= sample[1];
        header[number + 1] ^= sample[2];
        [header, sealed].concat()
    }

    fn handshake(&self, direction: Direction, random: &mut Random) -> Vec<u8> {
        let (to, from) = match direction {
            Up => (&self.server, &self.client),
            Down => (&self.client, &self.server),
        };
        let mut out = vec![0xe0 | random.below(16) as u8, 0, 0, 0, 1, 8];
        out.extend(to);
        out.push(8);
        out.extend(from);
        let body = random.bytes::<300>();
        out.extend((0x4000 | body.len() as u16).to_be_bytes());
        out.extend(body);
        out
    }

    fn short(&self, direction: Direction, random: &mut Random) -> Vec<u8> {
        let to = match direction {
            Up => &self.server,
            Down => &self.client,
        };
        let mut out = vec![0x40 | random.below(64) as u8];
        out.extend(to);
        out.extend(random.bytes::<240>());
        out
    }
}
