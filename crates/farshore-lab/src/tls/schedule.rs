//! Owns key derivation: the TLS 1.3 key schedule (RFC 8446 section 7) and the TLS 1.2 PRF (RFC 5246 section 5).
//!
//! Refuses hashes other than SHA-256, which all suites here use.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::Suite;
use super::record::Protector;

pub(super) type Secret = [u8; 32];

/// SHA-256 of a transcript.
pub(super) fn hash(transcript: &[u8]) -> Secret {
    Sha256::digest(transcript).into()
}

/// HMAC-SHA-256.
pub(super) fn hmac(key: &[u8], data: &[u8]) -> Secret {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(data);
    mac.finalize().into_bytes().into()
}

/// HKDF-Extract.
pub(super) fn extract(salt: &[u8], input: &[u8]) -> Secret {
    Hkdf::<Sha256>::extract(Some(salt), input).0.into()
}

/// HKDF-Expand-Label (section 7.1).
pub(super) fn expand_label(secret: &Secret, label: &str, context: &[u8], length: usize) -> Vec<u8> {
    let mut info = (length as u16).to_be_bytes().to_vec();
    info.push(label.len() as u8 + 6);
    info.extend(b"tls13 ");
    info.extend(label.as_bytes());
    info.push(context.len() as u8);
    info.extend(context);
    let mut out = vec![0; length];
    Hkdf::<Sha256>::from_prk(secret)
        .expect("a secret of 32 bytes")
        .expand(&info, &mut out)
        .expect("a short output");
    out
}

/// Derive-Secret (section 7.1), with the transcript's hash.
pub(super) fn derive(secret: &Secret, label: &str, transcript_hash: &Secret) -> Secret {
    let mut out = [0; 32];
    out.copy_from_slice(&expand_label(secret, label, transcript_hash, 32));
    out
}

/// Traffic keys (section 7.3).
pub(super) fn protector(suite: Suite, secret: &Secret) -> Protector {
    let key = if suite == Suite::Tls13ChaCha20Poly1305 { 32 } else { 16 };
    Protector::new(suite, expand_label(secret, "key", &[], key), expand_label(secret, "iv", &[], 12))
}

/// The contents of a Finished message (section 4.4.4).
pub(super) fn finished(secret: &Secret, transcript_hash: &Secret) -> Secret {
    hmac(&expand_label(secret, "finished", &[], 32), transcript_hash)
}

/// P_SHA256 (RFC 5246 section 5).
pub(super) fn prf(secret: &[u8], label: &str, seed: &[u8], length: usize) -> Vec<u8> {
    let seed = [label.as_bytes(), seed].concat();
    let mut out = Vec::with_capacity(length + 32);
    let mut a = hmac(secret, &seed);
    while out.len() < length {
        out.extend(hmac(secret, &[&a[..], &seed].concat()));
        a = hmac(secret, &a);
    }
    out.truncate(length);
    out
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
    fn the_early_secret_of_rfc_8448() {
        // RFC 8448 section 3, "extract secret early" and "derive secret for handshake".
        let early = extract(&[], &[0; 32]);
        assert_eq!(
            early.to_vec(),
            hex("33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a")
        );
        let derived = derive(&early, "derived", &hash(&[]));
        assert_eq!(
            derived.to_vec(),
            hex("6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba")
        );
    }
}
