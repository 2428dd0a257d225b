//! Owns speech on the wire: RTP (RFC 3550) with payload type 0 (RFC 3551), plain or as SRTP (RFC 3711).
//!
//! Refuses control packets: no world sends RTCP.

use aes::Aes128;
use aes::cipher::{Block, BlockCipherEncrypt, KeyInit};
use hmac::{Hmac, Mac};
use sha1::Sha1;

/// One packet of a speaker before protection.
#[derive(Debug, Clone)]
pub struct Packet {
    /// First of a talk spurt (RFC 3551 section 4.1).
    pub marker: bool,
    /// What the payload is, by number; 0 is G.711 µ-law (RFC 3551 section 6).
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// In samples.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// What is sent.
    pub payload: Vec<u8>,
}

impl Packet {
    /// In clear.
    #[must_use]
    pub fn plain(&self) -> Vec<u8> {
        let mut out = vec![0x80, u8::from(self.marker) << 7 | self.payload_type];
        out.extend(self.sequence.to_be_bytes());
        out.extend(self.timestamp.to_be_bytes());
        out.extend(self.ssrc.to_be_bytes());
        out.extend(&self.payload);
        out
    }
}

/// Session keys of AES_CM_128_HMAC_SHA1_80.
#[derive(Debug, Clone)]
pub struct Protection {
    cipher: [u8; 16],
    salt: [u8; 14],
    authentication: [u8; 20],
}

impl Protection {
    /// Derives them from master key and salt (section 4.3; key derivation rate zero).
    #[must_use]
    pub fn new(master: &[u8; 16], salt: &[u8; 14]) -> Self {
        let derive = |label: u8, out: &mut [u8]| {
            let mut block = [0; 16];
            block[..14].copy_from_slice(salt);
            block[7] ^= label;
            counter_mode(master, &block, out);
        };
        let mut it = Self {
            cipher: [0; 16],
            salt: [0; 14],
            authentication: [0; 20],
        };
        derive(0, &mut it.cipher);
        derive(1, &mut it.authentication);
        derive(2, &mut it.salt);
        it
    }

    /// Encrypts the payload and adds the tag; the roll-over counter is zero, as no stream here runs that long.
    #[must_use]
    pub fn protect(&self, packet: &Packet) -> Vec<u8> {
        let mut out = packet.plain();
        // Section 4.1.1: IV = salt * 2^16 ^ ssrc * 2^64 ^ index * 2^16.
        let mut block = [0; 16];
        block[..14].copy_from_slice(&self.salt);
        for (byte, ssrc) in block[4..8].iter_mut().zip(packet.ssrc.to_be_bytes()) {
            *byte ^= ssrc;
        }
        for (byte, sequence) in block[12..14].iter_mut().zip(packet.sequence.to_be_bytes()) {
            *byte ^= sequence;
        }
        counter_mode(&self.cipher, &block, &mut out[12..]);
        let mut tag = Hmac::<Sha1>::new_from_slice(&self.authentication).expect("HMAC takes keys of any length");
        tag.update(&out);
        tag.update(&[0; 4]);
        out.extend(&tag.finalize().into_bytes()[..10]);
        out
    }
}

/// XORs `out` with AES in counter mode; the last two bytes of `block` count.
fn counter_mode(key: &[u8; 16], block: &[u8; 16], out: &mut [u8]) {
    let cipher = Aes128::new(&(*key).into());
    for (counter, chunk) in out.chunks_mut(16).enumerate() {
        let mut block = *block;
        block[14..].copy_from_slice(&(counter as u16).to_be_bytes());
        let mut stream: Block<Aes128> = block.into();
        cipher.encrypt_block(&mut stream);
        for (byte, key) in chunk.iter_mut().zip(stream) {
            *byte ^= key;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn key_derivation_of_rfc_3711_b_3() {
        let master = hex("E1F97A0D3E018BE0D64FA32C06DE4139").try_into().unwrap();
        let salt = hex("0EC675AD498AFEEBB6960B3AABE6").try_into().unwrap();
        let keys = Protection::new(&master, &salt);
        assert_eq!(keys.cipher.to_vec(), hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(keys.salt.to_vec(), hex("30CBBC08863D8C85D49DB34A9AE1"));
        assert_eq!(keys.authentication.to_vec(), hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
    }

    #[test]
    fn a_protected_packet_keeps_its_header_and_grows_by_the_tag() {
        let packet = Packet {
            marker: true,
            payload_type: 0,
            sequence: 7,
            timestamp: 160,
            ssrc: 1,
            payload: vec![0xff; 160],
        };
        let (plain, protected) = (packet.plain(), Protection::new(&[1; 16], &[2; 14]).protect(&packet));
        assert_eq!(plain[..12], protected[..12]);
        assert_eq!(plain.len() + 10, protected.len());
        assert_ne!(plain[12..], protected[12..172]);
    }
}
