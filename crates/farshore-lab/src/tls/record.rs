//! Owns TLS records: plain ones and sealed ones of both versions (RFC 8446 section 5, RFC 5246 section 6.2, RFC 5288).
//!
//! Refuses to open what it sealed: the tests do that on their own.

use aes_gcm::Aes128Gcm;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::ChaCha20Poly1305;
use hmac::{Hmac, Mac};
use sha1::Sha1;

use super::Suite;

pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;

/// A record in clear.
pub(super) fn plain(kind: u8, version: u16, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend(version.to_be_bytes());
    out.extend((body.len() as u16).to_be_bytes());
    out.extend(body);
    out
}

/// One direction's keys and counter.
#[derive(Debug)]
pub(super) struct Protector {
    suite: Suite,
    key: Vec<u8>,
    /// 12 bytes in TLS 1.3; the 4 implicit ones in TLS 1.2.
    iv: Vec<u8>,
    sequence: u64,
}

impl Protector {
    pub(super) fn new(suite: Suite, key: Vec<u8>, iv: Vec<u8>) -> Self {
        Self {
            suite,
            key,
            iv,
            sequence: 0,
        }
    }

    /// Seals one record.
    pub(super) fn seal(&mut self, kind: u8, body: &[u8]) -> Vec<u8> {
        let sequence = self.sequence.to_be_bytes();
        self.sequence += 1;
        if self.suite == Suite::Tls12Null {
            // RFC 5246 section 6.2.3.1: what is said, and a code that vouches for it.
            let mut mac = <Hmac<Sha1> as KeyInit>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
            mac.update(&sequence);
            mac.update(&plain(kind, 0x0303, body));
            return plain(kind, 0x0303, &[body, &mac.finalize().into_bytes()].concat());
        }
        let mut nonce = [0; 12];
        let mut out = Vec::with_capacity(body.len() + 40);
        if self.suite == Suite::Tls12Aes128Gcm {
            // RFC 5288 section 3: salt, then an explicit part that may be the sequence number.
            nonce[..4].copy_from_slice(&self.iv);
            nonce[4..].copy_from_slice(&sequence);
            let mut aad = sequence.to_vec();
            aad.extend([kind, 3, 3]);
            aad.extend((body.len() as u16).to_be_bytes());
            let sealed = self.encrypt(&nonce, body, &aad);
            out.extend([kind, 3, 3]);
            out.extend((sealed.len() as u16 + 8).to_be_bytes());
            out.extend(sequence);
            out.extend(sealed);
        } else {
            // RFC 8446 section 5.2 and 5.3: the true kind rides behind the content.
            nonce.copy_from_slice(&self.iv);
            for (byte, counter) in nonce[4..].iter_mut().zip(sequence) {
                *byte ^= counter;
            }
            let mut inner = body.to_vec();
            inner.push(kind);
            out.extend([APPLICATION_DATA, 3, 3]);
            out.extend((inner.len() as u16 + 16).to_be_bytes());
            let sealed = self.encrypt(&nonce, &inner, &out);
            out.extend(sealed);
        }
        out
    }

    fn encrypt(&self, nonce: &[u8; 12], msg: &[u8], aad: &[u8]) -> Vec<u8> {
        let payload = Payload { msg, aad };
        let nonce = (*nonce).into();
        let sealed = match self.suite {
            // There is nothing to encrypt with.
            Suite::Tls12Null => return msg.to_vec(),
            Suite::Tls13Aes128Gcm | Suite::Tls12Aes128Gcm => Aes128Gcm::new_from_slice(&self.key)
                .expect("a key of 16 bytes")
                .encrypt(&nonce, payload),
            Suite::Tls13ChaCha20Poly1305 => ChaCha20Poly1305::new_from_slice(&self.key)
                .expect("a key of 32 bytes")
                .encrypt(&nonce, payload),
        };
        sealed.expect("a record is far below the cipher's limit")
    }
}
