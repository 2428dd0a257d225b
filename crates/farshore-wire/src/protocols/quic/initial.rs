//! Opening Initial packets: their keys come from the client's first connection id, which everyone on the path sees
//! (RFC 9001 section 5). It owns the key schedule and refuses any packet whose tag does not fit.

use std::ops::Range;

use aes::Aes128;
use aes::cipher::BlockCipherEncrypt;
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes128Gcm, Nonce, Tag};
use hkdf::Hkdf;
use sha2::Sha256;

use super::packet::Dialect;

/// The keys of both directions.
pub(super) struct Keys {
    pub(super) client: Opener,
    pub(super) server: Opener,
}

/// The keys of one direction.
pub(super) struct Opener {
    packets: Aes128Gcm,
    headers: Aes128,
    iv: [u8; 12],
}

impl Keys {
    /// Derives them (RFC 9001 section 5.2). `None` only if a length were wrong, which it is not.
    pub(super) fn derive(salt: &[u8; 20], dialect: &Dialect, destination: &[u8]) -> Option<Self> {
        let initial = Hkdf::<Sha256>::new(Some(salt), destination);
        Some(Self {
            client: Opener::derive(&initial, b"client in", dialect)?,
            server: Opener::derive(&initial, b"server in", dialect)?,
        })
    }
}

impl Opener {
    fn derive(initial: &Hkdf<Sha256>, label: &[u8], dialect: &Dialect) -> Option<Self> {
        let secret: [u8; 32] = expand(initial, label)?;
        let secret = Hkdf::<Sha256>::from_prk(&secret).ok()?;
        // RFC 9369 section 3.3.2 renamed the labels.
        let [key, iv, headers]: [&[u8]; 3] = if dialect.version_2 {
            [b"quicv2 key", b"quicv2 iv", b"quicv2 hp"]
        } else {
            [b"quic key", b"quic iv", b"quic hp"]
        };
        Some(Self {
            packets: Aes128Gcm::new(&expand::<16>(&secret, key)?.into()),
            headers: Aes128::new(&expand::<16>(&secret, headers)?.into()),
            iv: expand(&secret, iv)?,
        })
    }

    /// Takes the protection off a packet; says where its frames then stand in `room`. `None`: the tag does not fit.
    pub(super) fn open(&self, packet: &[u8], number_at: usize, room: &mut Vec<u8>) -> Option<Range<usize>> {
        // Header protection (RFC 9001 section 5.4): the sample stands where a number of four bytes would end.
        let (first, numbered) = (packet.first()?, packet.get(number_at..)?);
        let sample: [u8; 16] = *numbered.get(4..)?.first_chunk()?;
        let mut mask = sample.into();
        self.headers.encrypt_block(&mut mask);
        let [first_mask, number_mask @ ..]: [u8; 16] = mask.into();
        let first = first ^ (first_mask & 0x0f);
        let number_length = usize::from(first & 3).saturating_add(1);
        let header_length = number_at.checked_add(number_length)?;

        room.clear();
        room.extend_from_slice(packet);
        let (header, sealed) = room.split_at_mut_checked(header_length)?;
        *header.first_mut()? = first;
        let mut number = 0_u64;
        for (byte, mask) in header.get_mut(number_at..)?.iter_mut().zip(number_mask) {
            *byte ^= mask;
            number = number << 8 | u64::from(*byte);
        }

        // The packet number is not expanded: an Initial's is small, and sent whole before anything is acknowledged.
        let mut nonce = self.iv;
        for (place, byte) in nonce.iter_mut().skip(4).zip(number.to_be_bytes()) {
            *place ^= byte;
        }
        let (body, tag) = sealed.split_last_chunk_mut::<16>()?;
        let tag: Tag = (*tag).into();
        let nonce: Nonce<_> = nonce.into();
        let frames = header_length..header_length.checked_add(body.len())?;
        let opened = self.packets.decrypt_inout_detached(&nonce, header, body.into(), &tag);
        opened.is_ok().then_some(frames)
    }

    /// One of the derived values, for the vectors of the RFCs.
    #[cfg(test)]
    pub(super) const fn iv(&self) -> [u8; 12] {
        self.iv
    }

    /// Puts the protection on, for tests that need packets of their own. The header ends with the packet number.
    #[cfg(test)]
    pub(super) fn seal(&self, header: &[u8], number_length: usize, frames: &[u8]) -> Vec<u8> {
        let (fixed, number) = header.split_at(header.len() - number_length);
        let mut nonce = self.iv;
        for (place, byte) in nonce.iter_mut().rev().zip(number.iter().rev()) {
            *place ^= byte;
        }
        let mut body = frames.to_vec();
        let tag = self
            .packets
            .encrypt_inout_detached(&nonce.into(), header, body.as_mut_slice().into())
            .unwrap();
        body.extend_from_slice(&tag);
        let sample: [u8; 16] = body[4 - number_length..][..16].try_into().unwrap();
        let mut mask = sample.into();
        self.headers.encrypt_block(&mut mask);
        let mut packet = fixed.to_vec();
        packet[0] ^= mask[0] & 0x0f;
        packet.extend(number.iter().zip(&mask[1..]).map(|(byte, mask)| byte ^ mask));
        packet.extend_from_slice(&body);
        packet
    }
}

/// HKDF-Expand-Label with an empty context (RFC 8446 section 7.1).
fn expand<const N: usize>(secret: &Hkdf<Sha256>, label: &[u8]) -> Option<[u8; N]> {
    const PREFIX: &[u8] = b"tls13 ";
    let length = u16::try_from(N).ok()?.to_be_bytes();
    let label_length = [u8::try_from(PREFIX.len().checked_add(label.len())?).ok()?];
    let mut key = [0; N];
    secret
        .expand_multi_info(&[&length, &label_length, PREFIX, label, &[0]], &mut key)
        .ok()?;
    Some(key)
}
