//! Records up to TLS 1.2 and DTLS 1.2 (RFC 5246 section 6.2.3, RFC 4346, RFC 2246, RFC 7366, RFC 5288, RFC 6655, RFC 7905): keys from a
//! master secret, and the many ways a record was sealed. It owns layouts of records and refuses SSL 3.0, whose codes are its own.

use std::ops::{Range, RangeInclusive};

use aes::{Aes128, Aes256};
use camellia::{Camellia128, Camellia256};
use cbc::Decryptor;
use cbc::cipher::{Array, BlockCipherDecrypt, BlockModeDecrypt, InnerIvInit, KeyInit, StreamCipher};
use des::TdesEde3;
use hmac::{Hmac, Mac};
use md5::Md5;
use rc4::Rc4;
use sha1::Sha1;
use sha2::{Sha256, Sha384};

use super::aead::Aead;
use super::modern::nonce;
use super::schedule::{Hash, Randoms, stretch};
use super::suite::{Cipher, Suite};

/// What both hellos agreed on, as far as records go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) suite: Suite,
    /// 0x0301 to 0x0303; DTLS by the version of TLS it is made of.
    pub(crate) version: u16,
    /// The code stands over what is encrypted (RFC 7366), rather than inside.
    pub(crate) encrypt_then_mac: bool,
}

impl Terms {
    /// The hash of the key schedule; `None` for the two of 1.0 and 1.1.
    pub(crate) fn schedule(&self) -> Option<Hash> {
        (self.version >= 0x0303).then(|| self.suite.schedule())
    }

    /// What a session exports under a label (RFC 5705 section 4, without a context).
    pub(crate) fn export(&self, master: &[u8], label: &[u8], randoms: Randoms<'_>, length: usize) -> Vec<u8> {
        stretch(self.schedule(), master, label, &[randoms.client, randoms.server], length)
    }
}

/// Which record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) kind: u8,
    pub(crate) version: [u8; 2],
}

/// Both directions under one master secret, until they are taken.
pub(crate) struct Ends {
    client: Option<Classic>,
    server: Option<Classic>,
}

/// One direction.
pub(crate) struct Classic {
    form: Form,
    code: Option<Code>,
    encrypt_then_mac: bool,
}

enum Form {
    Null,
    /// The nonce is four secret bytes and eight that stand in the record (RFC 5288 section 3, RFC 6655 section 3).
    Explicit(Aead, [u8; 4]),
    /// The nonce is twelve secret bytes and the number (RFC 7905 section 2).
    Implicit(Aead, [u8; 12]),
    Chained {
        cipher: Box<dyn Unchains>,
        /// The last block of the record before, for versions that chain records; empty where it was lost. `None` for versions whose
        /// records begin with a block of their own.
        carried: Option<Vec<u8>>,
    },
    Stream(Box<Rc4>),
}

impl Ends {
    /// Derives the keys (RFC 5246 section 6.3). `None` for suites that cannot be opened here.
    pub(crate) fn derive(terms: Terms, master: &[u8], randoms: Randoms<'_>) -> Option<Self> {
        let cipher = terms.suite.cipher;
        let sealed = Aead::new(cipher, &vec![0; cipher.key_length()]).is_some();
        let code_length = if sealed { 0 } else { terms.suite.hash.length() };
        let iv_length = match cipher {
            Cipher::ChaCha20Poly1305 => 12,
            _ if sealed => 4,
            _ if terms.version < 0x0302 => cipher.block_length().unwrap_or(0),
            _ => 0,
        };
        let lengths = [code_length, cipher.key_length(), iv_length];
        let whole = lengths.iter().fold(0_usize, |sum, it| sum.saturating_add(it.saturating_mul(2)));
        let seed = [&randoms.server[..], &randoms.client[..]];
        let block = stretch(terms.schedule(), master, b"key expansion", &seed, whole);
        let mut rest = block.as_slice();
        let mut take = |length: usize| {
            let (front, back) = rest.split_at_checked(length)?;
            rest = back;
            Some(front)
        };
        let codes = (take(code_length)?, take(code_length)?);
        let keys = (take(cipher.key_length())?, take(cipher.key_length())?);
        let ivs = (take(iv_length)?, take(iv_length)?);
        Some(Self {
            client: Some(Classic::new(terms, codes.0, keys.0, ivs.0)?),
            server: Some(Classic::new(terms, codes.1, keys.1, ivs.1)?),
        })
    }

    /// The keys for what the client, or the server, sends.
    pub(crate) const fn take(&mut self, of_client: bool) -> Option<Classic> {
        if of_client { self.client.take() } else { self.server.take() }
    }
}

impl Classic {
    /// A direction under a suite that hides nothing: only the code is taken off, and not checked.
    pub(crate) fn open_to_all(suite: Suite) -> Option<Self> {
        (suite.cipher == Cipher::Null).then(|| Self {
            form: Form::Null,
            code: Some(Code::Unchecked(suite.hash.length())),
            encrypt_then_mac: false,
        })
    }

    fn new(terms: Terms, code: &[u8], key: &[u8], iv: &[u8]) -> Option<Self> {
        let carried = (terms.version < 0x0302).then(|| iv.to_vec());
        let chained = |cipher| Form::Chained { cipher, carried };
        let form = match terms.suite.cipher {
            Cipher::Null => Form::Null,
            Cipher::Rc4 => Form::Stream(Box::new(Rc4::new_from_slice(key).ok()?)),
            Cipher::Aes128Cbc => chained(unchains::<Aes128>(key)?),
            Cipher::Aes256Cbc => chained(unchains::<Aes256>(key)?),
            Cipher::Camellia128Cbc => chained(unchains::<Camellia128>(key)?),
            Cipher::Camellia256Cbc => chained(unchains::<Camellia256>(key)?),
            Cipher::TripleDesCbc => chained(unchains::<TdesEde3>(key)?),
            Cipher::ChaCha20Poly1305 => Form::Implicit(Aead::new(terms.suite.cipher, key)?, iv.try_into().ok()?),
            cipher => Form::Explicit(Aead::new(cipher, key)?, iv.try_into().ok()?),
        };
        let sealed = matches!(form, Form::Explicit(..) | Form::Implicit(..));
        Some(Self {
            encrypt_then_mac: terms.encrypt_then_mac && matches!(form, Form::Chained { .. }),
            form,
            code: if sealed { None } else { Some(Code::new(terms.suite.hash, code)?) },
        })
    }

    /// Opens a record in place under the first of the numbers that fits; says where its content then stands, and the number.
    pub(crate) fn open(&mut self, header: Header, numbers: RangeInclusive<u64>, sealed: &mut [u8]) -> Option<(Range<usize>, u64)> {
        let Self {
            form,
            code,
            encrypt_then_mac,
        } = self;
        match form {
            Form::Explicit(aead, secret) => {
                let (explicit, body) = sealed.split_first_chunk_mut::<8>()?;
                let mut nonce = [0; 12];
                let (front, back) = nonce.split_first_chunk_mut::<4>()?;
                *front = *secret;
                back.copy_from_slice(explicit);
                let content = body.len().checked_sub(aead.tag_length())?;
                let mut numbers = numbers;
                let number = numbers.find(|it| aead.open(&nonce, &beside(*it, header, content), body).is_some())?;
                Some((8..content.saturating_add(8), number))
            }
            Form::Implicit(aead, iv) => {
                let content = sealed.len().checked_sub(aead.tag_length())?;
                let mut numbers = numbers;
                let number = numbers.find(|it| aead.open(&nonce(iv, *it), &beside(*it, header, content), sealed).is_some())?;
                Some((0..content, number))
            }
            Form::Null => code.as_ref()?.check(header, numbers, sealed, 0..sealed.len()),
            Form::Stream(stream) => {
                stream.try_apply_keystream(sealed).ok()?;
                code.as_ref()?.check(header, numbers, sealed, 0..sealed.len())
            }
            Form::Chained { cipher, carried } => unchain(&**cipher, carried, code.as_ref()?, *encrypt_then_mac, header, numbers, sealed),
        }
    }

    /// Bytes that protection adds to a record, as far as that is the same for all.
    pub(crate) fn overhead(&self) -> Option<usize> {
        match &self.form {
            Form::Explicit(aead, _) => Some(aead.tag_length().saturating_add(8)),
            Form::Implicit(aead, _) => Some(aead.tag_length()),
            Form::Null | Form::Stream(_) => self.code.as_ref().map(Code::length),
            Form::Chained { .. } => None,
        }
    }

    /// So many sealed bytes of a record will not come. Says whether reading can go on behind them.
    pub(crate) fn lose(&mut self, bytes: Option<usize>) -> bool {
        match &mut self.form {
            Form::Chained { carried: Some(block), .. } => {
                block.clear();
                true
            }
            Form::Stream(stream) => {
                let Some(bytes) = bytes else { return false };
                stream.try_apply_keystream(&mut vec![0; bytes]).is_ok()
            }
            _ => true,
        }
    }

    /// Whether nobody without keys reads what it opens.
    pub(crate) const fn hides(&self) -> bool {
        !matches!(self.form, Form::Null)
    }
}

/// Records of chained ciphers.
fn unchain(
    cipher: &dyn Unchains,
    carried: &mut Option<Vec<u8>>,
    code: &Code,
    encrypt_then_mac: bool,
    header: Header,
    numbers: RangeInclusive<u64>,
    sealed: &mut [u8],
) -> Option<(Range<usize>, u64)> {
    let block = cipher.block_length();
    let (encrypted, number) = if encrypt_then_mac {
        let (range, number) = code.check(header, numbers.clone(), sealed, 0..sealed.len())?;
        (range.end, Some(number))
    } else {
        (sealed.len(), None)
    };
    let (first, body) = match carried {
        // The first block is there for the sake of the second (RFC 4346 section 6.2.3.2).
        None => (sealed.get(..block)?.to_vec(), block..encrypted),
        Some(carried) => {
            let next = sealed.get(encrypted.checked_sub(block)?..encrypted)?.to_vec();
            (std::mem::replace(carried, next), 0..encrypted)
        }
    };
    // What stood before it was lost: this record only tells how the next one begins.
    if first.len() != block {
        return None;
    }
    cipher.unchain(&first, sealed.get_mut(body.clone())?)?;
    // The last byte says how many like it stand before it.
    let padding = usize::from(*sealed.get(encrypted.checked_sub(1)?)?).saturating_add(1);
    let end = encrypted.checked_sub(padding).filter(|end| *end >= body.start)?;
    let alike = sealed
        .get(end..encrypted)?
        .iter()
        .all(|byte| usize::from(*byte).saturating_add(1) == padding);
    match number {
        _ if !alike => None,
        Some(number) => Some((body.start..end, number)),
        None => code.check(header, numbers, sealed, body.start..end),
    }
}

/// Number, kind, version and length: what is authenticated beside the content.
fn beside(number: u64, header: Header, content: usize) -> [u8; 13] {
    let mut beside = [0; 13];
    let length = u16::try_from(content).unwrap_or(u16::MAX).to_be_bytes();
    let number = number.to_be_bytes();
    let bytes = number.iter().chain([&header.kind]).chain(&header.version).chain(&length);
    beside.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
    beside
}

/// A code over number, header and content (RFC 5246 section 6.2.3.1).
enum Code {
    Md5(Hmac<Md5>),
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
    /// So many bytes, of which nobody knows whether they are right.
    Unchecked(usize),
}

impl Code {
    fn new(hash: Hash, key: &[u8]) -> Option<Self> {
        Some(match hash {
            Hash::Md5 => Self::Md5(Hmac::new_from_slice(key).ok()?),
            Hash::Sha1 => Self::Sha1(Hmac::new_from_slice(key).ok()?),
            Hash::Sha256 => Self::Sha256(Hmac::new_from_slice(key).ok()?),
            Hash::Sha384 => Self::Sha384(Hmac::new_from_slice(key).ok()?),
        })
    }

    fn length(&self) -> usize {
        match self {
            Self::Md5(_) => 16,
            Self::Sha1(_) => 20,
            Self::Sha256(_) => 32,
            Self::Sha384(_) => 48,
            Self::Unchecked(length) => *length,
        }
    }

    /// Takes the code off the end of a range, if it fits one of the numbers.
    fn check(&self, header: Header, mut numbers: RangeInclusive<u64>, bytes: &[u8], range: Range<usize>) -> Option<(Range<usize>, u64)> {
        let end = range.end.checked_sub(self.length()).filter(|end| *end >= range.start)?;
        let (content, code) = (bytes.get(range.start..end)?, bytes.get(end..range.end)?);
        let number = numbers.find(|number| {
            let beside = beside(*number, header, content.len());
            match self {
                Self::Md5(it) => fits(it, &beside, content, code),
                Self::Sha1(it) => fits(it, &beside, content, code),
                Self::Sha256(it) => fits(it, &beside, content, code),
                Self::Sha384(it) => fits(it, &beside, content, code),
                Self::Unchecked(_) => true,
            }
        })?;
        Some((range.start..end, number))
    }
}

fn fits<M: Mac + Clone>(keyed: &M, beside: &[u8], content: &[u8], code: &[u8]) -> bool {
    keyed.clone().chain_update(beside).chain_update(content).verify_slice(code).is_ok()
}

/// A block cipher to be undone in chains.
trait Unchains: Send + Sync {
    fn block_length(&self) -> usize;
    /// Undoes whole blocks in place, the one before them given; `None` when they are not whole.
    fn unchain(&self, first: &[u8], bytes: &mut [u8]) -> Option<()>;
}

fn unchains<C: BlockCipherDecrypt + KeyInit + Clone + Send + Sync + 'static>(key: &[u8]) -> Option<Box<dyn Unchains>> {
    Some(Box::new(C::new_from_slice(key).ok()?))
}

impl<C: BlockCipherDecrypt + Clone + Send + Sync> Unchains for C {
    fn block_length(&self) -> usize {
        C::block_size()
    }

    fn unchain(&self, first: &[u8], bytes: &mut [u8]) -> Option<()> {
        let (blocks, rest) = Array::slice_as_chunks_mut(bytes);
        if !rest.is_empty() {
            return None;
        }
        Decryptor::inner_iv_init(self.clone(), first.try_into().ok()?).decrypt_blocks(blocks);
        Some(())
    }
}
