//! Digests that stand for known values: all algorithms over all spellings, plain, salted and keyed with what else is known.
//!
//! They are computed once and looked for as bytes; hexadecimal and base64 are peeled off before. Digests of 32 bits meet
//! unrelated numbers by chance: they are kept apart, as *weak*. Refused: digests that are cut short.

use ahash::{HashMap, HashSet};
use blake2::{Blake2b256, Blake2b512, Blake2s256};
use hmac::{Hmac, KeyInit, Mac, SimpleHmac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512, Sha512_256};
use sha3::{Keccak256, Sha3_224, Sha3_256, Sha3_384, Sha3_512};

use super::super::forms::unhex;
use super::super::known::Known;
use super::murmur;
use super::spellings::{Preimage, preimages};

/// Spellings of a value that are salted: as it is, and in either case.
const SALTED_SPELLINGS: usize = 3;

/// What stands between a value and its salt.
const JOINTS: [&str; 5] = ["", ":", "|", "-", "_"];

/// Kinds of known values that are made to be keys: with them everything is salted first.
const KEYS: [&str; 5] = ["key", "salt", "pepper", "secret", "credential"];

type Compute = fn(&[u8]) -> Vec<u8>;

/// Digests long enough to be no accident.
const STRONG: &[(&str, Compute)] = &[
    ("md5", of::<Md5>),
    ("sha1", of::<Sha1>),
    ("sha224", of::<Sha224>),
    ("sha256", of::<Sha256>),
    ("sha384", of::<Sha384>),
    ("sha512", of::<Sha512>),
    ("sha512-256", of::<Sha512_256>),
    ("sha3-224", of::<Sha3_224>),
    ("sha3-256", of::<Sha3_256>),
    ("sha3-384", of::<Sha3_384>),
    ("sha3-512", of::<Sha3_512>),
    ("keccak256", of::<Keccak256>),
    ("blake2b-256", of::<Blake2b256>),
    ("blake2b-512", of::<Blake2b512>),
    ("blake2s-256", of::<Blake2s256>),
    ("blake3", |bytes| blake3::hash(bytes).as_bytes().to_vec()),
    // Two numbers of 64 bits: as they lie in memory, and as they are printed.
    ("murmur3-128", |bytes| {
        murmur::murmur3_128(bytes).iter().flat_map(|it| it.to_le_bytes()).collect()
    }),
    ("murmur3-128", |bytes| {
        murmur::murmur3_128(bytes).iter().flat_map(|it| it.to_be_bytes()).collect()
    }),
];

/// Those that are salted in practice.
const SALTED: &[&str] = &["md5", "sha1", "sha256", "sha512", "sha3-256", "blake2b-512", "blake3"];

/// HMAC (RFC 2104) with a key.
type Keyed = fn(&[u8], &[u8]) -> Vec<u8>;
const KEYED: &[(&str, Keyed)] = &[
    ("hmac-md5", |key, bytes| hmac::<Hmac<Md5>>(key, bytes)),
    ("hmac-sha1", |key, bytes| hmac::<Hmac<Sha1>>(key, bytes)),
    ("hmac-sha224", |key, bytes| hmac::<Hmac<Sha224>>(key, bytes)),
    ("hmac-sha256", |key, bytes| hmac::<Hmac<Sha256>>(key, bytes)),
    ("hmac-sha384", |key, bytes| hmac::<Hmac<Sha384>>(key, bytes)),
    ("hmac-sha512", |key, bytes| hmac::<Hmac<Sha512>>(key, bytes)),
    ("hmac-sha3-256", |key, bytes| hmac::<SimpleHmac<Sha3_256>>(key, bytes)),
];

/// 32 bits are met by chance.
type ComputeWeak = fn(&[u8]) -> u32;
const WEAK: &[(&str, ComputeWeak)] = &[
    ("crc32 (weak)", |bytes| {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        crc.sum()
    }),
    ("murmur3-32 (weak)", murmur::murmur3_32),
];

fn of<D: Digest>(bytes: &[u8]) -> Vec<u8> {
    D::digest(bytes).to_vec()
}

fn hmac<M: Mac + KeyInit>(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    // A key of any length will do (RFC 2104 section 2): this never fails.
    let Ok(mut mac) = M::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(bytes);
    mac.finalize().into_bytes().to_vec()
}

/// What a digest stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Meaning {
    /// Index of the known value.
    pub known: usize,
    /// The steps back to it, such as `sha256`, `lower-case`.
    pub steps: Vec<&'static str>,
}

/// All digests of all known values.
#[derive(Debug, Default)]
pub(in super::super) struct Digests {
    /// Those of 128 bits and more, each with what it stands for.
    pub strong: Vec<(Vec<u8>, Meaning)>,
    weak: HashMap<u32, Vec<Meaning>>,
    /// Salted and keyed digests that were left out: there were too many pairs of values.
    pub left_out: u64,
}

impl Digests {
    /// At most so many salted and keyed digests are looked for.
    pub fn new(known: &[Known], most_salted: usize) -> Self {
        let mut made = Made::default();
        let mut weak: HashMap<u32, Vec<Meaning>> = HashMap::default();
        for (number, it) in known.iter().enumerate() {
            for preimage in preimages(it) {
                for (name, compute) in STRONG {
                    made.add(compute(&preimage.bytes), number, &[name, preimage.step]);
                }
                for (name, compute) in WEAK {
                    let digest = compute(&preimage.bytes);
                    let meaning = Meaning {
                        known: number,
                        steps: steps(&[name, preimage.step]),
                    };
                    weak.entry(digest).or_default().push(meaning);
                }
            }
        }
        let plain = made.digests.len();
        let left_out = made.with_others(known, plain.saturating_add(most_salted));
        Self {
            strong: made.digests,
            weak,
            left_out,
        }
    }

    /// What a number of 32 bits stands for, if it is no accident.
    pub fn weak(&self, digest: u32) -> &[Meaning] {
        self.weak.get(&digest).map_or(&[], Vec::as_slice)
    }
}

fn steps(all: &[&'static str]) -> Vec<&'static str> {
    all.iter().copied().filter(|it| !it.is_empty()).collect()
}

#[derive(Default)]
struct Made {
    digests: Vec<(Vec<u8>, Meaning)>,
    seen: HashSet<Vec<u8>>,
}

impl Made {
    fn add(&mut self, digest: Vec<u8>, known: usize, all: &[&'static str]) {
        if digest.is_empty() || !self.seen.insert(digest.clone()) {
            return;
        }
        self.digests.push((digest, Meaning { known, steps: steps(all) }));
    }

    /// Salted and keyed with each other value, those made to be keys first. Gives how many were left out.
    fn with_others(&mut self, known: &[Known], most: usize) -> u64 {
        let is_key = |it: &Known| KEYS.contains(&it.kind.as_str());
        let (mut keys, others): (Vec<usize>, Vec<usize>) = (0..known.len()).partition(|at| known.get(*at).is_some_and(is_key));
        keys.extend(others);
        let salted: Vec<_> = STRONG.iter().filter(|(name, _)| SALTED.contains(name)).collect();
        let each = salted.len().saturating_mul(JOINTS.len()).saturating_mul(2);
        let each = each.saturating_add(KEYED.len()).saturating_mul(SALTED_SPELLINGS);
        let mut left_out = 0_u64;
        for key in keys {
            let Some(key_value) = known.get(key) else { continue };
            for (number, it) in known.iter().enumerate().filter(|(number, _)| *number != key) {
                if self.digests.len().saturating_add(each) > most {
                    left_out = left_out.saturating_add(u64::try_from(each).unwrap_or(u64::MAX));
                    continue;
                }
                self.pair(number, it, key_value, &salted);
            }
        }
        left_out
    }

    fn pair(&mut self, number: usize, it: &Known, key: &Known, salted: &[&(&'static str, Compute)]) {
        let salt = key.value.as_bytes();
        let raw = unhex(&key.value).filter(|raw| raw.len() >= 8);
        for Preimage { bytes, step } in preimages(it).into_iter().take(SALTED_SPELLINGS) {
            for (name, compute) in salted {
                for joint in JOINTS {
                    let joint = joint.as_bytes();
                    self.add(compute(&[salt, joint, &bytes].concat()), number, &[name, "salt", step]);
                    self.add(compute(&[&bytes, joint, salt].concat()), number, &[name, "salt", step]);
                }
            }
            for (name, compute) in KEYED {
                for key in std::iter::once(salt).chain(raw.as_deref()) {
                    self.add(compute(key, &bytes), number, &[name, step]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::DatumKind;

    use super::*;

    fn known(kind: &str, value: &str) -> Known {
        Known {
            name: value.to_owned(),
            kind: DatumKind::named(kind),
            value: value.to_owned(),
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|it| format!("{it:02x}")).collect()
    }

    /// Digests of `abcd`, `The quick brown fox jumps over the lazy dog` and the like as other programs give them (coreutils, OpenSSL, b3sum).
    #[test]
    fn agree_with_other_programs() {
        let fox = b"The quick brown fox jumps over the lazy dog";
        let name = |name: &str| STRONG.iter().find(|it| it.0 == name).unwrap().1;
        for (algorithm, digest) in [
            ("md5", "9e107d9d372bb6826bd81d3542a419d6"),
            ("sha1", "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"),
            ("sha256", "d7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592"),
            ("sha3-256", "69070dda01975c8c120c3aada1b282394e7f032fa9cf32f4cb2259a0897dfc04"),
            ("keccak256", "4d741b6f1eb29cb2a9b9911c82f56fa8d73b04959d3d9d222895df6c0b28aa15"),
            ("blake2s-256", "606beeec743ccbeff6cbcdf5d5302aa855c256c29b88c8ed331ea1a6bf3c8812"),
            ("blake3", "2f1514181aadccd913abd94cfa592701a5686ab23f8df1dff1b74710febc6d4a"),
        ] {
            assert_eq!(hex(&name(algorithm)(fox)), digest, "{algorithm}");
        }
        assert_eq!(WEAK[0].1(fox), 0x414f_a339);
        let keyed = KEYED.iter().find(|it| it.0 == "hmac-sha256").unwrap().1;
        assert_eq!(
            hex(&keyed(b"key", fox)),
            "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
        );
    }

    #[test]
    fn each_digest_is_told_with_the_way_back() {
        let all = [known("email", "Grace@example.org"), known("key", "saltsalt")];
        let digests = Digests::new(&all, 1 << 12);
        let told = |bytes: &[u8]| {
            let here = digests.strong.iter().filter(|(digest, _)| digest == bytes);
            here.map(|(_, it)| (it.known, it.steps.clone())).collect::<Vec<_>>()
        };
        assert_eq!(told(&of::<Sha256>(b"Grace@example.org")), [(0, vec!["sha256"])]);
        assert_eq!(told(&of::<Sha256>(b"grace@example.org")), [(0, vec!["sha256", "lower-case"])]);
        assert_eq!(told(&of::<Md5>(b"saltsalt:Grace@example.org")), [(0, vec!["md5", "salt"])]);
        assert_eq!(
            told(&hmac::<Hmac<Sha256>>(b"saltsalt", b"Grace@example.org")),
            [(0, vec!["hmac-sha256"])]
        );
        assert_eq!(told(&of::<Sha256>(b"grace@example.com")), []);
        assert_eq!(digests.left_out, 0);
        assert!(Digests::new(&all, 10).left_out > 0);
    }
}
