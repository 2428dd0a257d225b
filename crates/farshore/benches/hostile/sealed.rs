//! Initial packets of QUIC, sealed with the keys that everyone on the path can derive (RFC 9001 section 5).

use aes::Aes128;
use aes::cipher::BlockCipherEncrypt;
use aes_gcm::Aes128Gcm;
use aes_gcm::aead::{AeadInOut, KeyInit};
use hkdf::Hkdf;
use sha2::Sha256;

const SALT: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a,
];

/// A client that chose this id for its server.
#[derive(Clone)]
pub struct Client {
    id: [u8; 8],
    packets: Aes128Gcm,
    headers: Aes128,
    iv: [u8; 12],
}

impl Client {
    pub fn new(id: u64) -> Self {
        let id = id.to_be_bytes();
        let secret = expand(&Hkdf::new(Some(&SALT), &id), b"client in");
        let secret = Hkdf::<Sha256>::from_prk(&secret as &[u8; 32]).unwrap();
        Self {
            id,
            packets: Aes128Gcm::new(&expand::<16>(&secret, b"quic key").into()),
            headers: Aes128::new(&expand::<16>(&secret, b"quic hp").into()),
            iv: expand(&secret, b"quic iv"),
        }
    }

    /// One packet of these frames, its number in four bytes.
    pub fn seal(&self, number: u32, frames: &[u8]) -> Vec<u8> {
        let length = (frames.len().max(4) + 4 + 16) as u16 | 0x4000;
        let mut header = [&[0xc3, 0, 0, 0, 1, 8][..], &self.id, &[0, 0], &length.to_be_bytes()].concat();
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
        header[0] ^= mask[0] & 0x0f;
        header[number_at..]
            .iter_mut()
            .zip(&mask[1..])
            .for_each(|(byte, mask)| *byte ^= mask);
        [header, body].concat()
    }
}

/// A CRYPTO frame (RFC 9000 section 19.6).
pub fn crypto(offset: u64, bytes: &[u8]) -> Vec<u8> {
    let number = |value: u64| (value as u32 | 0x8000_0000).to_be_bytes();
    [&[6][..], &number(offset), &number(bytes.len() as u64), bytes].concat()
}

fn expand<const N: usize>(secret: &Hkdf<Sha256>, label: &[u8]) -> [u8; N] {
    let (mut key, length) = ([0; N], [label.len() as u8 + 6]);
    secret
        .expand_multi_info(&[&(N as u16).to_be_bytes(), &length, b"tls13 ", label, &[0]], &mut key)
        .unwrap();
    key
}
