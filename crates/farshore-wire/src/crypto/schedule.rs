//! Key schedules: HKDF-Expand-Label of TLS 1.3 (RFC 8446 section 7.1), the pseudorandom functions of TLS 1.2 (RFC 5246 section 5) and
//! of 1.0 and 1.1 (RFC 2246 section 5). It owns labels and lengths; the hashes are the libraries'.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha384};

/// A hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Md5,
    Sha1,
    Sha256,
    Sha384,
}

impl Hash {
    /// Bytes of its output.
    pub(crate) const fn length(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

/// HKDF-Expand-Label with an empty context; `None` when the secret or the output cannot be that long.
pub(crate) fn expand_label(hash: Hash, secret: &[u8], label: &[u8], length: usize) -> Option<Vec<u8>> {
    const PREFIX: &[u8] = b"tls13 ";
    let length_bytes = u16::try_from(length).ok()?.to_be_bytes();
    let label_length = [u8::try_from(PREFIX.len().checked_add(label.len())?).ok()?];
    let info = [&length_bytes[..], &label_length, PREFIX, label, &[0]];
    let mut out = vec![0; length];
    match hash {
        Hash::Sha256 => Hkdf::<Sha256>::from_prk(secret).ok()?.expand_multi_info(&info, &mut out).ok()?,
        Hash::Sha384 => Hkdf::<Sha384>::from_prk(secret).ok()?.expand_multi_info(&info, &mut out).ok()?,
        Hash::Md5 | Hash::Sha1 => return None,
    }
    Some(out)
}

/// What both sides put into a session up to TLS 1.2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Randoms<'a> {
    pub(crate) client: &'a [u8; 32],
    pub(crate) server: &'a [u8; 32],
}

/// The function that makes secrets longer. `hash` is that of the suite under TLS 1.2, and `None` before.
pub(super) fn stretch(hash: Option<Hash>, secret: &[u8], label: &[u8], seed: &[&[u8]], length: usize) -> Vec<u8> {
    let mut out = vec![0; length];
    match hash {
        Some(Hash::Sha384) => xor_stream::<Hmac<Sha384>>(secret, label, seed, &mut out),
        Some(_) => xor_stream::<Hmac<Sha256>>(secret, label, seed, &mut out),
        None => {
            // Both halves share the middle byte of a secret of odd length.
            let half = secret.len().div_ceil(2);
            let (first, second) = (secret.get(..half), secret.get(secret.len().saturating_sub(half)..));
            xor_stream::<Hmac<Md5>>(first.unwrap_or_default(), label, seed, &mut out);
            xor_stream::<Hmac<Sha1>>(second.unwrap_or_default(), label, seed, &mut out);
        }
    }
    out
}

/// P_hash (RFC 5246 section 5), laid over what is there.
fn xor_stream<M: Mac + KeyInit>(secret: &[u8], label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
    let code = |parts: &[&[u8]]| {
        let mut code = <M as KeyInit>::new_from_slice(secret).ok()?;
        parts.iter().for_each(|part| code.update(part));
        Some(code.finalize().into_bytes().to_vec())
    };
    let whole: Vec<u8> = std::iter::once(label).chain(seed.iter().copied()).flatten().copied().collect();
    let mut link = whole.clone();
    let mut rest = out;
    while !rest.is_empty() {
        let Some(next) = code(&[&link]) else { return };
        let Some(block) = code(&[&next, &whole]) else { return };
        link = next;
        let (now, later) = rest.split_at_mut(block.len().min(rest.len()));
        now.iter_mut().zip(&block).for_each(|(place, byte)| *place ^= byte);
        rest = later;
    }
}

/// The master secret made of a premaster secret (RFC 5246 section 8.1).
pub(crate) fn master(hash: Option<Hash>, premaster: &[u8], randoms: Randoms<'_>) -> Vec<u8> {
    stretch(hash, premaster, b"master secret", &[randoms.client, randoms.server], 48)
}

/// The same, bound to the handshake by the digest of its messages (RFC 7627 section 4).
pub(crate) fn extended_master(hash: Option<Hash>, premaster: &[u8], handshake: &[u8]) -> Vec<u8> {
    stretch(hash, premaster, b"extended master secret", &[handshake], 48)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    /// RFC 8448 section 3: the server's handshake keys.
    #[test]
    fn the_published_keys_of_1_3() {
        let secret = bytes("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38");
        let key = expand_label(Hash::Sha256, &secret, b"key", 16).unwrap();
        let iv = expand_label(Hash::Sha256, &secret, b"iv", 12).unwrap();
        assert_eq!(key, bytes("3fce516009c21727d0f2e4e86ee403bc"));
        assert_eq!(iv, bytes("5d313eb2671276ee13000b30"));
        assert!(
            expand_label(Hash::Sha384, &secret, b"key", 16).is_none(),
            "a secret too short for its hash"
        );
    }

    /// The test vectors that the TLS working group passed round; and 40 bytes of 1.0 worked out with another library.
    #[test]
    fn the_published_streams() {
        let secret = bytes("9bbe436ba940f017b17652849a71db35");
        let seed = bytes("a0ba9f936cda311827a6f796ffd5198c");
        let out = stretch(Some(Hash::Sha256), &secret, b"test label", &[&seed[..5], &seed[5..]], 100);
        assert_eq!(out[..20], bytes("e3f229ba727be17b8d122620557cd453c2aab21d"));
        assert_eq!(out[95..], bytes("0187347b66"));
        let secret = bytes("b80b733d6ceefcdc71566ea48e5567df");
        let seed = bytes("cd665cf6a8447dd6ff8b27555edb7465");
        let out = stretch(Some(Hash::Sha384), &secret, b"test label", &[&seed], 148);
        assert_eq!(out[..20], bytes("7b0c18e9ced410ed1804f2cfa34a336a1c14dffb"));
        assert_eq!(out[144..], bytes("3d73e56f"));
        let secret: Vec<u8> = (0..48).collect();
        let out = stretch(None, &secret, b"key expansion", &[&[0; 32], &[0; 32]], 40);
        assert_eq!(
            out,
            bytes("2494f75cff2c6335eec558956b3c33c5ed8e2cf390c6760a08f6776f3a4f62e24256f39fc86e490c")
        );
    }
}
