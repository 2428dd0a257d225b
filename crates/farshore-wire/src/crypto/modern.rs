//! Records of TLS 1.3 (RFC 8446 section 5.2): one traffic secret, one counter, one cipher that seals. It owns keys and nonces, and
//! refuses to know whose turn it is to change them.

use super::aead::Aead;
use super::schedule::expand_label;
use super::suite::Suite;

/// One direction under one traffic secret.
pub(crate) struct Modern {
    aead: Aead,
    iv: [u8; 12],
    suite: Suite,
    secret: Vec<u8>,
}

impl Modern {
    /// `None` when the secret is not as long as the suite's hash, or the suite is none of TLS 1.3.
    pub(crate) fn new(suite: Suite, secret: &[u8]) -> Option<Self> {
        let hash = suite.schedule();
        if secret.len() != hash.length() {
            return None;
        }
        let key = expand_label(hash, secret, b"key", suite.cipher.key_length())?;
        Some(Self {
            aead: Aead::new(suite.cipher, &key)?,
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
        self.aead.open(&nonce(&self.iv, number), &header, sealed)
    }

    /// Bytes that protection adds to a record, but for padding: the tag and the inner type.
    pub(crate) fn overhead(&self) -> usize {
        self.aead.tag_length().saturating_add(1)
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
