//! Packets of SRTP under a master key (RFC 3711, RFC 6188, RFC 7714). It owns the suites, the session keys of one master key and the
//! layout of a packet, and refuses any whose tag does not fit.

use aes::{Aes128, Aes192, Aes256};
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::aead::Aead;
use super::suite::Cipher;

/// A suite, as signalling names it (RFC 4568 section 6.2, RFC 6188, RFC 7714).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Suite {
    /// Its name.
    pub(crate) name: &'static str,
    /// Bytes of the key, of the salt and of a packet's tag.
    pub(crate) key: usize,
    pub(crate) salt: usize,
    pub(crate) tag: usize,
}

impl Suite {
    const fn counter(name: &'static str, key: usize, tag: usize) -> Self {
        Self { name, key, salt: 14, tag }
    }

    const fn galois(name: &'static str, key: usize) -> Self {
        Self {
            name,
            key,
            salt: 12,
            tag: 16,
        }
    }

    /// All that are read.
    pub(crate) const ALL: [Self; 8] = [
        Self::counter("AES_CM_128_HMAC_SHA1_80", 16, 10),
        Self::counter("AES_CM_128_HMAC_SHA1_32", 16, 4),
        Self::counter("AES_192_CM_HMAC_SHA1_80", 24, 10),
        Self::counter("AES_192_CM_HMAC_SHA1_32", 24, 4),
        Self::counter("AES_256_CM_HMAC_SHA1_80", 32, 10),
        Self::counter("AES_256_CM_HMAC_SHA1_32", 32, 4),
        Self::galois("AEAD_AES_128_GCM", 16),
        Self::galois("AEAD_AES_256_GCM", 32),
    ];

    /// The suite of a profile that DTLS agrees on (RFC 5764 section 4.1.2, RFC 7714 section 14.2).
    pub(crate) fn of_profile(profile: u16) -> Option<Self> {
        Self::named(match profile {
            1 => b"AES_CM_128_HMAC_SHA1_80",
            2 => b"AES_CM_128_HMAC_SHA1_32",
            7 => b"AEAD_AES_128_GCM",
            8 => b"AEAD_AES_256_GCM",
            _ => return None,
        })
    }

    /// The master keys of both sides in what DTLS exports: both keys, then both salts, the client's before the server's (RFC 5764
    /// section 4.2).
    pub(crate) fn split(self, exported: &[u8]) -> Option<[Vec<u8>; 2]> {
        let (keys, salts) = exported.split_at_checked(self.key.saturating_mul(2))?;
        let (client, server) = keys.split_at_checked(self.key)?;
        let (client_salt, server_salt) = salts.split_at_checked(self.salt)?;
        Some([[client, client_salt].concat(), [server, server_salt].concat()])
    }

    /// Bytes that DTLS exports for it.
    pub(crate) const fn exported(self) -> usize {
        self.key.saturating_add(self.salt).saturating_mul(2)
    }

    /// The suite of that name.
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name.as_bytes() == name)
    }
}

/// The session keys of one master key. They serve all sources and both directions, as far as the master key does.
pub(crate) struct Keys {
    suite: Suite,
    salt: Vec<u8>,
    cipher: Session,
}

enum Session {
    Counter { key: Vec<u8>, tag: Box<Hmac<Sha1>> },
    Galois(Aead),
}

/// A packet: its header, what stands behind, and the parts of its number that stand in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'a> {
    /// Header with all its extensions.
    pub(crate) header: &'a [u8],
    /// Payload, index of the master key and tag.
    pub(crate) rest: &'a [u8],
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
}

impl Keys {
    /// Derives the keys of packets from a master key with its salt behind it (RFC 3711 section 4.3); `None` when they are not as long as
    /// the suite says.
    pub(crate) fn new(suite: Suite, master: &[u8]) -> Option<Self> {
        let (key, salt) = master.split_at_checked(suite.key)?;
        if salt.len() != suite.salt {
            return None;
        }
        let derive = |label: u8, length: usize| {
            // The salt counts from the left, whatever its length (RFC 7714 section 11).
            let mut block = [0; 16];
            block.get_mut(..salt.len())?.copy_from_slice(salt);
            *block.get_mut(7)? ^= label;
            let mut out = vec![0; length];
            stream(key, &block, &mut out)?;
            Some(out)
        };
        let session = derive(0, suite.key)?;
        let cipher = match suite.salt {
            12 => Session::Galois(Aead::new(
                if suite.key == 16 { Cipher::Aes128Gcm } else { Cipher::Aes256Gcm },
                &session,
            )?),
            _ => Session::Counter {
                key: session,
                tag: Box::new(Hmac::new_from_slice(&derive(1, 20)?).ok()?),
            },
        };
        Some(Self {
            suite,
            salt: derive(2, suite.salt)?,
            cipher,
        })
    }

    /// The payload of a packet, given how often its sequence numbers had begun anew; `None` when its tag does not fit. `index` is what
    /// names the master key in each packet (MKI).
    pub(crate) fn open(&self, packet: &Packet<'_>, rollover: u32, index: &[u8]) -> Option<Vec<u8>> {
        match &self.cipher {
            Session::Counter { key, .. } => {
                let tagged = self.tagged(packet, index)?;
                if !tagged.fits(rollover) {
                    return None;
                }
                // Section 4.1.1: salt, source and number, each where it stands in a block.
                let mut block = [0; 16];
                block.get_mut(..14)?.copy_from_slice(&self.salt);
                mix(&mut block, 4, packet, rollover);
                let mut out = tagged.sealed.to_vec();
                stream(key, &block, &mut out)?;
                Some(out)
            }
            Session::Galois(aead) => {
                // The index stands behind the tag (RFC 7714 section 7).
                let mut out = packet.rest.strip_suffix(index)?.to_vec();
                let mut nonce: [u8; 12] = self.salt.as_slice().try_into().ok()?;
                mix(&mut nonce, 2, packet, rollover);
                let length = aead.open(&nonce, packet.header, &mut out)?;
                out.truncate(length);
                Some(out)
            }
        }
    }

    /// The first of some numbers with which the tag of a packet fits, as how often its sequence numbers had begun anew.
    pub(crate) fn rollover(&self, packet: &Packet<'_>, mut tried: impl Iterator<Item = u32>, index: &[u8]) -> Option<u32> {
        match &self.cipher {
            // The number is the last that a tag is taken of: what stands before it is read once.
            Session::Counter { .. } => {
                let tagged = self.tagged(packet, index)?;
                tried.find(|rollover| tagged.fits(*rollover))
            }
            Session::Galois(_) => tried.find(|rollover| self.open(packet, *rollover, index).is_some()),
        }
    }

    fn tagged<'a>(&self, packet: &Packet<'a>, index: &[u8]) -> Option<Tagged<'a>> {
        let Session::Counter { tag, .. } = &self.cipher else { return None };
        let (rest, expected) = packet.rest.split_at_checked(packet.rest.len().checked_sub(self.suite.tag)?)?;
        let sealed = rest.strip_suffix(index)?;
        let mut tag = Hmac::clone(tag);
        tag.update(packet.header);
        tag.update(sealed);
        Some(Tagged { sealed, expected, tag })
    }
}

/// A packet whose tag is looked at.
struct Tagged<'a> {
    sealed: &'a [u8],
    expected: &'a [u8],
    /// Of all that stands before the number.
    tag: Hmac<Sha1>,
}

impl Tagged<'_> {
    fn fits(&self, rollover: u32) -> bool {
        let mut tag = self.tag.clone();
        tag.update(&rollover.to_be_bytes());
        tag.verify_truncated_left(self.expected).is_ok()
    }
}

#[cfg(test)]
impl Keys {
    /// Seals a packet, for tests; the cipher is its own inverse.
    pub(crate) fn seal(&self, header: &[u8], payload: &[u8], (ssrc, sequence, rollover): (u32, u16, u32), index: &[u8]) -> Vec<u8> {
        let Session::Counter { key, tag } = &self.cipher else { panic!() };
        let packet = Packet {
            header,
            rest: &[],
            ssrc,
            sequence,
        };
        let mut block = [0; 16];
        block[..14].copy_from_slice(&self.salt);
        mix(&mut block, 4, &packet, rollover);
        let mut sealed = payload.to_vec();
        stream(key, &block, &mut sealed).unwrap();
        let mut tag = Hmac::clone(tag);
        [header, &sealed, &rollover.to_be_bytes()].iter().for_each(|part| tag.update(part));
        let tag = tag.finalize().into_bytes();
        [header, &sealed, index, &tag[..self.suite.tag]].concat()
    }
}

/// Mixes source and number of a packet into a block from `at` on.
fn mix(block: &mut [u8], at: usize, packet: &Packet<'_>, rollover: u32) {
    let number = packet
        .ssrc
        .to_be_bytes()
        .into_iter()
        .chain(rollover.to_be_bytes())
        .chain(packet.sequence.to_be_bytes());
    for (place, byte) in block.iter_mut().skip(at).zip(number) {
        *place ^= byte;
    }
}

/// AES in counter mode.
fn stream(key: &[u8], block: &[u8; 16], bytes: &mut [u8]) -> Option<()> {
    match key.len() {
        16 => Ctr128BE::<Aes128>::new_from_slices(key, block).ok()?.apply_keystream(bytes),
        24 => Ctr128BE::<Aes192>::new_from_slices(key, block).ok()?.apply_keystream(bytes),
        32 => Ctr128BE::<Aes256>::new_from_slices(key, block).ok()?.apply_keystream(bytes),
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|it| u8::from_str_radix(std::str::from_utf8(it).unwrap(), 16).unwrap())
            .collect()
    }

    /// RFC 3711, appendix B.3.
    #[test]
    fn session_keys_are_those_of_the_standard() {
        let master = bytes("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6");
        let keys = Keys::new(Suite::ALL[0], &master).unwrap();
        assert_eq!(keys.salt, bytes("30CBBC08863D8C85D49DB34A9AE1"));
        let Session::Counter { key, .. } = &keys.cipher else { panic!() };
        assert_eq!(key, &bytes("C61E7A93744F39EE10734AFE3FF7A087"));
    }

    /// RFC 6188, section 7.4, with 256 bits.
    #[test]
    fn long_session_keys_are_those_of_the_standard() {
        let master = bytes(
            "f0f04914b513f2763a1b1fa130f10e29 98f6f6e43e4309d1e622a0e332b9f1b6
             3b04803de51ee7c96423ab5b78d2",
        );
        let keys = Keys::new(Suite::ALL[4], &master).unwrap();
        assert_eq!(keys.salt, bytes("fa31791685ca444a9e07c6c64e93"));
        let Session::Counter { key, .. } = &keys.cipher else { panic!() };
        assert_eq!(key, &bytes("5ba1064e30ec51613cad926c5a28ef73 1ec7fb397f70a960653caf06554cd8c4"));
    }

    /// The packet and the keys that libsrtp's own tests use (`srtp_validate`): RFC 3711 names no whole packet.
    #[test]
    fn a_packet_of_another_implementation_opens() {
        let master = bytes("e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6");
        let packet = bytes(
            "800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402
             b78d6acc99ea179b8dbb",
        );
        let (header, rest) = packet.split_at(12);
        let packet = Packet {
            header,
            rest,
            ssrc: 0xcafe_babe,
            sequence: 0x1234,
        };
        let keys = Keys::new(Suite::ALL[0], &master).unwrap();
        assert_eq!(keys.open(&packet, 0, &[]), Some(vec![0xab; 16]));
        assert_eq!(
            (keys.rollover(&packet, 0..4, &[]), keys.rollover(&packet, 1..4, &[])),
            (Some(0), None)
        );
        assert_eq!(keys.open(&packet, 1, &[]), None);
        assert_eq!(keys.open(&packet, 0, &[1]), None);
    }

    /// The same of `srtp_validate_gcm`.
    #[test]
    fn a_packet_sealed_at_once_opens() {
        let master = bytes("000102030405060708090a0b0c0d0e0f a0a1a2a3a4a5a6a7a8a9aaab");
        let packet = bytes("800f1234decafbadcafebabe c5002ede04cfdd2eb91159e0880aa06e d2976826f796b201df3131a127e8a392");
        let (header, rest) = packet.split_at(12);
        let packet = Packet {
            header,
            rest,
            ssrc: 0xcafe_babe,
            sequence: 0x1234,
        };
        let keys = Keys::new(Suite::ALL[6], &master).unwrap();
        assert_eq!(keys.open(&packet, 0, &[]), Some(vec![0xab; 16]));
        assert_eq!(
            (keys.rollover(&packet, 0..4, &[]), keys.rollover(&packet, 1..4, &[])),
            (Some(0), None)
        );
    }

    #[test]
    fn keys_of_another_length_are_refused() {
        for suite in Suite::ALL {
            assert!(Keys::new(suite, &vec![0; suite.key + suite.salt]).is_some(), "{}", suite.name);
            assert!(Keys::new(suite, &vec![0; suite.key + suite.salt - 1]).is_none());
            assert_eq!(Suite::named(suite.name.as_bytes()), Some(suite));
        }
    }
}
