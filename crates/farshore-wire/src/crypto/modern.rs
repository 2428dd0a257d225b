//! Records of TLS 1.3 (RFC 8446 section 5.2): one traffic secret, one counter, one cipher that seals. It owns keys and nonces, and
//! refuses to know whose turn it is to change them.

use super::aead::Aead;
use super::schedule::expand_label;
use super::suite::{Cipher, Suite};

/// One direction under one traffic secret.
pub(crate) struct Modern {
    seal: Seal,
    iv: [u8; 12],
    suite: Suite,
    secret: Vec<u8>,
}

enum Seal {
    Aead(Aead),
    /// Integrity only (RFC 9150): so many bytes of code, which are not checked.
    Code(usize),
}

impl Modern {
    /// `None` when the secret is not as long as the suite's hash, or the suite is none of TLS 1.3.
    pub(crate) fn new(suite: Suite, secret: &[u8]) -> Option<Self> {
        let hash = suite.schedule();
        if secret.len() != hash.length() {
            return None;
        }
        let seal = match suite.cipher {
            Cipher::Null => Seal::Code(hash.length()),
            cipher => Seal::Aead(Aead::new(cipher, &expand_label(hash, secret, b"key", cipher.key_length())?)?),
        };
        Some(Self {
            seal,
            iv: expand_label(hash, secret, b"iv", 12)?.try_into().ok()?,
            suite,
            secret: secret.to_vec(),
        })
    }

    /// The keys that follow these (RFC 8446 section 7.2).
    pub(crate) fn update(&self) -> Option<Self> {
        let hash = self.suite.schedule();
        Self::new(self.suite, &expand_label(hash, &self.secret, b"traffic upd", hash.length())?)
    }

    /// Opens the record with that number; `header` is its five bytes. Says how many are left without the tag.
    pub(crate) fn open(&self, number: u64, header: [u8; 5], sealed: &mut [u8]) -> Option<usize> {
        match &self.seal {
            Seal::Aead(aead) => aead.open(&nonce(&self.iv, number), &header, sealed),
            Seal::Code(length) => sealed.len().checked_sub(*length),
        }
    }

    /// Whether what it opens is known to be right.
    pub(crate) const fn proves(&self) -> bool {
        matches!(self.seal, Seal::Aead(_))
    }

    /// Bytes that protection adds to a record, but for padding: the tag and the inner type.
    pub(crate) fn overhead(&self) -> usize {
        let code = match &self.seal {
            Seal::Aead(aead) => aead.tag_length(),
            Seal::Code(length) => *length,
        };
        code.saturating_add(1)
    }
}

/// RFC 8446 section 5.3.
pub(super) fn nonce(iv: &[u8; 12], number: u64) -> [u8; 12] {
    let mut nonce = *iv;
    for (place, byte) in nonce.iter_mut().skip(4).zip(number.to_be_bytes()) {
        *place ^= byte;
    }
    nonce
}
