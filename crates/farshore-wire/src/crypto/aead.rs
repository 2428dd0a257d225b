//! The ciphers that seal and authenticate at once (RFC 5116), behind one door. It owns which library does which, and refuses to say
//! anything of bytes whose tag does not fit.

use aes::{Aes128, Aes256};
use aes_gcm::AesGcm;
use aes_gcm::aead::array::typenum::Unsigned;
use aes_gcm::aead::consts::{U8, U12, U16};
use aes_gcm::aead::{AeadInOut, KeyInit, Nonce, Tag};
use aria::{Aria128, Aria256};
use camellia::{Camellia128, Camellia256};
use ccm::Ccm;
#[cfg(any(test, not(feature = "aws-lc")))]
use chacha20poly1305::ChaCha20Poly1305;

use super::suite::Cipher;

/// A key in use.
pub(crate) struct Aead {
    inner: Box<dyn Opens>,
}

impl Aead {
    /// `None` when the key is not as long as the cipher's, or the cipher is none of these.
    pub(crate) fn new(cipher: Cipher, key: &[u8]) -> Option<Self> {
        let inner: Box<dyn Opens> = match cipher {
            #[cfg(feature = "aws-lc")]
            Cipher::Aes128Gcm => assembled::new(&aws_lc_rs::aead::AES_128_GCM, key)?,
            #[cfg(feature = "aws-lc")]
            Cipher::Aes256Gcm => assembled::new(&aws_lc_rs::aead::AES_256_GCM, key)?,
            #[cfg(feature = "aws-lc")]
            Cipher::ChaCha20Poly1305 => assembled::new(&aws_lc_rs::aead::CHACHA20_POLY1305, key)?,
            #[cfg(not(feature = "aws-lc"))]
            Cipher::Aes128Gcm => boxed::<AesGcm<Aes128, U12>>(key)?,
            #[cfg(not(feature = "aws-lc"))]
            Cipher::Aes256Gcm => boxed::<AesGcm<Aes256, U12>>(key)?,
            #[cfg(not(feature = "aws-lc"))]
            Cipher::ChaCha20Poly1305 => boxed::<ChaCha20Poly1305>(key)?,
            Cipher::Camellia128Gcm => boxed::<AesGcm<Camellia128, U12>>(key)?,
            Cipher::Camellia256Gcm => boxed::<AesGcm<Camellia256, U12>>(key)?,
            Cipher::Aria128Gcm => boxed::<AesGcm<Aria128, U12>>(key)?,
            Cipher::Aria256Gcm => boxed::<AesGcm<Aria256, U12>>(key)?,
            Cipher::Aes128Ccm => boxed::<Restored<Ccm<Aes128, U16, U12>>>(key)?,
            Cipher::Aes256Ccm => boxed::<Restored<Ccm<Aes256, U16, U12>>>(key)?,
            Cipher::Aes128Ccm8 => boxed::<Restored<Ccm<Aes128, U8, U12>>>(key)?,
            Cipher::Aes256Ccm8 => boxed::<Restored<Ccm<Aes256, U8, U12>>>(key)?,
            _ => return None,
        };
        Some(Self { inner })
    }

    /// Opens bytes in place, tag last; says how many are left without it. Bytes whose tag does not fit stay as they are.
    pub(crate) fn open(&self, nonce: &[u8; 12], beside: &[u8], sealed: &mut [u8]) -> Option<usize> {
        self.inner.open(nonce, beside, sealed)
    }

    /// Bytes of the tag.
    pub(crate) fn tag_length(&self) -> usize {
        self.inner.tag_length()
    }
}

trait Opens: Send + Sync {
    fn open(&self, nonce: &[u8; 12], beside: &[u8], sealed: &mut [u8]) -> Option<usize>;
    fn tag_length(&self) -> usize;
}

trait FromKey: Sized {
    fn from_key(key: &[u8]) -> Option<Self>;
}

fn boxed<A: FromKey + Opens + 'static>(key: &[u8]) -> Option<Box<dyn Opens>> {
    Some(Box::new(A::from_key(key)?))
}

impl<A: KeyInit> FromKey for A {
    fn from_key(key: &[u8]) -> Option<Self> {
        A::new_from_slice(key).ok()
    }
}

impl<A: AeadInOut<NonceSize = U12> + Send + Sync> Opens for A {
    fn open(&self, nonce: &[u8; 12], beside: &[u8], sealed: &mut [u8]) -> Option<usize> {
        let length = sealed.len().checked_sub(self.tag_length())?;
        let (body, tag) = sealed.split_at_mut_checked(length)?;
        let tag = Tag::<A>::try_from(&*tag).ok()?;
        let nonce = Nonce::<A>::from(*nonce);
        self.decrypt_inout_detached(&nonce, beside, body.into(), &tag).ok()?;
        Some(length)
    }

    fn tag_length(&self) -> usize {
        A::TagSize::USIZE
    }
}

/// AWS-LC's.
#[cfg(feature = "aws-lc")]
mod assembled {
    use aws_lc_rs::aead::{Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};

    use super::{Opens, Restored};

    pub(super) fn new(algorithm: &'static Algorithm, key: &[u8]) -> Option<Box<dyn Opens>> {
        let key = UnboundKey::new(algorithm, key).ok()?;
        Some(Box::new(Restored(Assembled(LessSafeKey::new(key)))))
    }

    struct Assembled(LessSafeKey);

    impl Opens for Assembled {
        fn open(&self, nonce: &[u8; 12], beside: &[u8], sealed: &mut [u8]) -> Option<usize> {
            let nonce = Nonce::assume_unique_for_key(*nonce);
            Some(self.0.open_in_place(nonce, Aad::from(beside), sealed).ok()?.len())
        }

        fn tag_length(&self) -> usize {
            self.0.algorithm().tag_len()
        }
    }
}

/// A cipher that has to open bytes before it can tell whether the tag fits: what it spoilt is put back.
struct Restored<A>(A);

impl<A: KeyInit> FromKey for Restored<A> {
    fn from_key(key: &[u8]) -> Option<Self> {
        A::from_key(key).map(Self)
    }
}

impl<A: Opens> Opens for Restored<A> {
    fn open(&self, nonce: &[u8; 12], beside: &[u8], sealed: &mut [u8]) -> Option<usize> {
        let before = sealed.to_vec();
        let opened = self.0.open(nonce, beside, sealed);
        if opened.is_none() {
            sealed.copy_from_slice(&before);
        }
        opened
    }

    fn tag_length(&self) -> usize {
        self.0.tag_length()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CIPHERS: [Cipher; 3] = [Cipher::Aes128Gcm, Cipher::Aes256Gcm, Cipher::ChaCha20Poly1305];

    fn sealed(cipher: Cipher, key: &[u8], nonce: &[u8; 12], beside: &[u8], content: &[u8]) -> Vec<u8> {
        fn seal<A: KeyInit + AeadInOut<NonceSize = U12>>(key: &[u8], nonce: &[u8; 12], beside: &[u8], content: &[u8]) -> Vec<u8> {
            let mut bytes = content.to_vec();
            let key = A::new_from_slice(key).expect("a key of that length");
            let tag = key
                .encrypt_inout_detached(&Nonce::<A>::from(*nonce), beside, bytes.as_mut_slice().into())
                .expect("short enough");
            bytes.extend_from_slice(&tag);
            bytes
        }
        match cipher {
            Cipher::Aes128Gcm => seal::<AesGcm<Aes128, U12>>(key, nonce, beside, content),
            Cipher::Aes256Gcm => seal::<AesGcm<Aes256, U12>>(key, nonce, beside, content),
            _ => seal::<ChaCha20Poly1305>(key, nonce, beside, content),
        }
    }

    #[test]
    fn what_one_library_sealed_opens_whole_and_what_does_not_fit_stays_as_it_is() {
        for cipher in CIPHERS {
            for length in [0_u8, 1, 15, 16, 17, 31, 64, 255]
                .map(usize::from)
                .into_iter()
                .chain([1200, 16_384])
            {
                let key: Vec<u8> = (0..cipher.key_length()).map(|n| (n * 7 + length) as u8).collect();
                let nonce = [length as u8; 12];
                let content: Vec<u8> = (0..length).map(|n| (n * 31) as u8).collect();
                let bytes = sealed(cipher, &key, &nonce, b"beside", &content);
                let aead = Aead::new(cipher, &key).expect("a cipher of these");
                assert_eq!(aead.tag_length(), 16);

                let mut opened = bytes.clone();
                let left = aead.open(&nonce, b"beside", &mut opened).expect("its own tag");
                assert_eq!(opened.get(..left), Some(content.as_slice()), "{cipher:?}, {length} bytes");

                for (beside, flipped) in [(&b"besides"[..], None), (b"beside", Some(0)), (b"beside", Some(bytes.len() - 1))] {
                    let mut spoilt = bytes.clone();
                    if let Some(at) = flipped {
                        spoilt[at] ^= 1;
                    }
                    let before = spoilt.clone();
                    assert_eq!(aead.open(&nonce, beside, &mut spoilt), None);
                    assert_eq!(spoilt, before, "{cipher:?}, {length} bytes");
                }
            }
            let aead = Aead::new(cipher, &vec![1; cipher.key_length()]).expect("a cipher of these");
            for length in 0..16 {
                assert_eq!(aead.open(&[0; 12], b"", &mut vec![0; length]), None, "no room for a tag");
            }
            assert!(Aead::new(cipher, &vec![1; cipher.key_length() + 1]).is_none(), "a key too long");
        }
    }
}
