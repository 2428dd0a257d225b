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
            Cipher::Aes128Gcm => boxed::<AesGcm<Aes128, U12>>(key)?,
            Cipher::Aes256Gcm => boxed::<AesGcm<Aes256, U12>>(key)?,
            Cipher::Camellia128Gcm => boxed::<AesGcm<Camellia128, U12>>(key)?,
            Cipher::Camellia256Gcm => boxed::<AesGcm<Camellia256, U12>>(key)?,
            Cipher::Aria128Gcm => boxed::<AesGcm<Aria128, U12>>(key)?,
            Cipher::Aria256Gcm => boxed::<AesGcm<Aria256, U12>>(key)?,
            Cipher::ChaCha20Poly1305 => boxed::<ChaCha20Poly1305>(key)?,
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
