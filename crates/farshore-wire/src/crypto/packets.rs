//! Packets of QUIC under a traffic secret (RFC 9001 section 5, RFC 9369 section 3.3): header protection, numbers, one cipher that
//! seals. It owns keys and nonces of one direction at one level, and refuses any packet whose tag does not fit.

use std::ops::Range;

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes256};
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher, StreamCipherSeek};

use super::aead::Aead;
use super::modern::nonce;
use super::schedule::expand_label;
use super::suite::{Cipher, Suite};

/// The keys of one direction at one level.
pub(crate) struct Packets {
    suite: Suite,
    version_2: bool,
    secret: Vec<u8>,
    aead: Aead,
    iv: [u8; 12],
    mask: Mask,
}

#[derive(Clone)]
enum Mask {
    Aes128(Box<Aes128>),
    Aes256(Box<Aes256>),
    ChaCha(Box<[u8; 32]>),
}

/// A packet without its header protection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unmasked {
    /// The first byte.
    pub(crate) first: u8,
    /// The packet number, whole.
    pub(crate) number: u64,
    number_bytes: [u8; 4],
    number_length: usize,
}

impl Packets {
    /// `None` when the secret is not as long as the suite's hash, or the suite is none of QUIC's (RFC 9001 section 5.3).
    pub(crate) fn new(suite: Suite, version_2: bool, secret: &[u8]) -> Option<Self> {
        let key = Self::expand(suite, version_2, secret, "hp", suite.cipher.key_length())?;
        let mask = match suite.cipher {
            Cipher::Aes128Gcm | Cipher::Aes128Ccm => Mask::Aes128(Box::new(Aes128::new_from_slice(&key).ok()?)),
            Cipher::Aes256Gcm => Mask::Aes256(Box::new(Aes256::new_from_slice(&key).ok()?)),
            Cipher::ChaCha20Poly1305 => Mask::ChaCha(Box::new(key.try_into().ok()?)),
            _ => return None,
        };
        Self::with(suite, version_2, secret, mask)
    }

    fn with(suite: Suite, version_2: bool, secret: &[u8], mask: Mask) -> Option<Self> {
        let hash = suite.schedule();
        if secret.len() != hash.length() {
            return None;
        }
        let key = Self::expand(suite, version_2, secret, "key", suite.cipher.key_length())?;
        Some(Self {
            suite,
            version_2,
            secret: secret.to_vec(),
            aead: Aead::new(suite.cipher, &key)?,
            iv: Self::expand(suite, version_2, secret, "iv", 12)?.try_into().ok()?,
            mask,
        })
    }

    fn expand(suite: Suite, version_2: bool, secret: &[u8], what: &str, length: usize) -> Option<Vec<u8>> {
        let prefix = if version_2 { "quicv2" } else { "quic" };
        expand_label(suite.schedule(), secret, format!("{prefix} {what}").as_bytes(), length)
    }

    /// The keys of the next phase; headers stay under the same one (RFC 9001 section 6.1).
    pub(crate) fn update(&self) -> Option<Self> {
        let length = self.suite.schedule().length();
        let secret = Self::expand(self.suite, self.version_2, &self.secret, "ku", length)?;
        Self::with(self.suite, self.version_2, &secret, self.mask.clone())
    }

    /// Takes the protection off a header whose packet number begins there; `largest` is that of the space so far.
    pub(crate) fn unmask(&self, packet: &[u8], number_at: usize, largest: Option<u64>) -> Option<Unmasked> {
        let (first, numbered) = (packet.first()?, packet.get(number_at..)?);
        // The sample stands where a number of four bytes would end (RFC 9001 section 5.4.2).
        let (number, rest) = numbered.split_first_chunk::<4>()?;
        let [first_mask, number_mask @ ..] = self.mask.of(rest.first_chunk()?)?;
        let long = first & 0x80 != 0;
        let first = first ^ first_mask & if long { 0x0f } else { 0x1f };
        let number_length = usize::from(first & 3).saturating_add(1);
        let mut number_bytes = *number;
        let mut truncated = 0_u64;
        for (byte, mask) in number_bytes.iter_mut().zip(number_mask).take(number_length) {
            *byte ^= mask;
            truncated = truncated << 8 | u64::from(*byte);
        }
        Some(Unmasked {
            first,
            number: expand_number(truncated, number_length, largest),
            number_bytes,
            number_length,
        })
    }

    /// Opens a packet; says where its frames then stand in `room`.
    pub(crate) fn open(&self, packet: &[u8], number_at: usize, header: &Unmasked, room: &mut Vec<u8>) -> Option<Range<usize>> {
        let header_length = number_at.checked_add(header.number_length)?;
        room.clear();
        room.extend_from_slice(packet);
        let (plain, sealed) = room.split_at_mut_checked(header_length)?;
        *plain.first_mut()? = header.first;
        let number = header.number_bytes.get(..header.number_length)?;
        plain.get_mut(number_at..)?.copy_from_slice(number);
        let length = self.aead.open(&nonce(&self.iv, header.number), plain, sealed)?;
        Some(header_length..header_length.checked_add(length)?)
    }
}

impl Mask {
    /// Five bytes of mask from a sample (RFC 9001 sections 5.4.3 and 5.4.4).
    fn of(&self, sample: &[u8; 16]) -> Option<[u8; 5]> {
        match self {
            Self::Aes128(cipher) => {
                let mut block = (*sample).into();
                cipher.encrypt_block(&mut block);
                block.first_chunk().copied()
            }
            Self::Aes256(cipher) => {
                let mut block = (*sample).into();
                cipher.encrypt_block(&mut block);
                block.first_chunk().copied()
            }
            Self::ChaCha(key) => {
                let (counter, nonce) = sample.split_first_chunk::<4>()?;
                let nonce: [u8; 12] = nonce.try_into().ok()?;
                let mut cipher = ChaCha20::new(&(**key).into(), &nonce.into());
                cipher.try_seek(u64::from(u32::from_le_bytes(*counter)).checked_mul(64)?).ok()?;
                let mut mask = [0; 5];
                cipher.try_apply_keystream(&mut mask).ok()?;
                Some(mask)
            }
        }
    }
}

/// The number nearest to the next one that ends in those bytes (RFC 9000 appendix A.3).
fn expand_number(truncated: u64, length: usize, largest: Option<u64>) -> u64 {
    let expected = largest.map_or(0, |largest| largest.saturating_add(1));
    let window = 1_u64 << u32::try_from(length.saturating_mul(8)).unwrap_or(32).min(32);
    let candidate = expected & !window.saturating_sub(1) | truncated;
    let half = window / 2;
    if candidate.saturating_add(half) <= expected && candidate < (1_u64 << 62).saturating_sub(window) {
        candidate.saturating_add(window)
    } else if candidate > expected.saturating_add(half) && candidate >= window {
        candidate.saturating_sub(window)
    } else {
        candidate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Hash;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    const CHACHA: Suite = Suite {
        cipher: Cipher::ChaCha20Poly1305,
        hash: Hash::Sha256,
    };

    /// RFC 9001 appendix A.5 and RFC 9369 appendix A.5: a packet with a short header.
    #[test]
    fn the_published_short_packets() {
        for (version_2, secret, packet, number) in [
            (
                false,
                "9ac312a7f877468ebe69422748ad00a15443f18203a07d6060f688f30f21632b",
                "4cfe4189655e5cd55c41f69080575d7999c25a5bfb",
                654_360_564,
            ),
            (
                true,
                "9ac312a7f877468ebe69422748ad00a15443f18203a07d6060f688f30f21632b",
                "5558b1c60ae7b6b932bc27d786f4bc2bb20f2162ba",
                654_360_564,
            ),
        ] {
            let keys = Packets::new(CHACHA, version_2, &bytes(secret)).unwrap();
            let packet = bytes(packet);
            let header = keys.unmask(&packet, 1, Some(654_360_560)).unwrap();
            assert_eq!((header.first, header.number), (0x42, number));
            let mut room = Vec::new();
            let frames = keys.open(&packet, 1, &header, &mut room).unwrap();
            assert_eq!(room[frames], [1], "a PING");
            for at in 0..packet.len() {
                let mut changed = packet.clone();
                changed[at] ^= 0x10;
                let header = keys.unmask(&changed, 1, Some(654_360_560)).unwrap();
                assert_eq!(keys.open(&changed, 1, &header, &mut room), None);
            }
            assert!(keys.update().is_some());
        }
    }

    /// RFC 9000 appendix A.3, and its corners.
    #[test]
    fn numbers_are_expanded() {
        assert_eq!(expand_number(0x9b32, 2, Some(0xa82f_30ea)), 0xa82f_9b32);
        assert_eq!(expand_number(0, 1, None), 0);
        assert_eq!(expand_number(1, 1, Some(254)), 257);
        assert_eq!(expand_number(0xff, 1, Some(0x1_01)), 0xff);
        assert_eq!(expand_number(0xff, 1, Some(0)), 0xff);
        assert_eq!(expand_number(u64::from(u32::MAX), 4, Some(u64::MAX)), u64::MAX);
    }

    #[test]
    fn no_damage_makes_it_panic() {
        let keys = Packets::new(CHACHA, false, &[7; 32]).unwrap();
        let mut room = Vec::new();
        for length in 0..64 {
            let packet = vec![0x45; length];
            for number_at in 0..70 {
                if let Some(header) = keys.unmask(&packet, number_at, Some(3)) {
                    assert_eq!(keys.open(&packet, number_at, &header, &mut room), None);
                }
            }
        }
        assert!(Packets::new(CHACHA, false, &[7; 31]).is_none());
    }
}
