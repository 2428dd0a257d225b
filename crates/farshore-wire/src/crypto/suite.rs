//! What a cipher suite is made of, read off its IANA name: RFC 5246 appendix C, RFC 8446 appendix B.4 and the documents that added
//! further suites spell all of them alike. It refuses suites whose keys are weakened for export and ciphers there is no library for.

use super::schedule::Hash;

/// How records are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cipher {
    /// Not at all, but for a code that tells changes.
    Null,
    Rc4,
    Aes128Cbc,
    Aes256Cbc,
    Camellia128Cbc,
    Camellia256Cbc,
    TripleDesCbc,
    Aes128Gcm,
    Aes256Gcm,
    Camellia128Gcm,
    Camellia256Gcm,
    Aria128Gcm,
    Aria256Gcm,
    Aes128Ccm,
    Aes256Ccm,
    Aes128Ccm8,
    Aes256Ccm8,
    ChaCha20Poly1305,
}

impl Cipher {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("NULL", Self::Null),
        ("RC4_128", Self::Rc4),
        ("AES_128_CBC", Self::Aes128Cbc),
        ("AES_256_CBC", Self::Aes256Cbc),
        ("CAMELLIA_128_CBC", Self::Camellia128Cbc),
        ("CAMELLIA_256_CBC", Self::Camellia256Cbc),
        ("3DES_EDE_CBC", Self::TripleDesCbc),
        ("AES_128_GCM", Self::Aes128Gcm),
        ("AES_256_GCM", Self::Aes256Gcm),
        ("CAMELLIA_128_GCM", Self::Camellia128Gcm),
        ("CAMELLIA_256_GCM", Self::Camellia256Gcm),
        ("ARIA_128_GCM", Self::Aria128Gcm),
        ("ARIA_256_GCM", Self::Aria256Gcm),
        ("AES_128_CCM", Self::Aes128Ccm),
        ("AES_256_CCM", Self::Aes256Ccm),
        ("AES_128_CCM_8", Self::Aes128Ccm8),
        ("AES_256_CCM_8", Self::Aes256Ccm8),
        ("CHACHA20_POLY1305", Self::ChaCha20Poly1305),
    ];

    /// Bytes of the key.
    pub(crate) const fn key_length(self) -> usize {
        match self {
            Self::Null => 0,
            Self::Rc4
            | Self::Aes128Cbc
            | Self::Camellia128Cbc
            | Self::Aes128Gcm
            | Self::Camellia128Gcm
            | Self::Aria128Gcm
            | Self::Aes128Ccm
            | Self::Aes128Ccm8 => 16,
            Self::TripleDesCbc => 24,
            Self::Aes256Cbc
            | Self::Camellia256Cbc
            | Self::Aes256Gcm
            | Self::Camellia256Gcm
            | Self::Aria256Gcm
            | Self::Aes256Ccm
            | Self::Aes256Ccm8
            | Self::ChaCha20Poly1305 => 32,
        }
    }

    /// Bytes of a block, for ciphers that are chained.
    pub(crate) const fn block_length(self) -> Option<usize> {
        match self {
            Self::TripleDesCbc => Some(8),
            Self::Aes128Cbc | Self::Aes256Cbc | Self::Camellia128Cbc | Self::Camellia256Cbc => Some(16),
            _ => None,
        }
    }
}

/// A suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Suite {
    pub(crate) cipher: Cipher,
    /// The hash in its name: of the code for ciphers that need one, else of the key schedule.
    pub(crate) hash: Hash,
}

impl Suite {
    /// The suite of that name; `None` for those that cannot be opened here.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let protection = match name.split_once("_WITH_") {
            Some((exchange, _)) if exchange.contains("EXPORT") => return None,
            Some((_, protection)) => protection,
            None => name.strip_prefix("TLS_")?,
        };
        // RFC 6655: the suites of CCM name no hash; it is SHA-256.
        let hashes = [
            ("_SHA384", Hash::Sha384),
            ("_SHA256", Hash::Sha256),
            ("_SHA", Hash::Sha1),
            ("_MD5", Hash::Md5),
            ("", Hash::Sha256),
        ];
        let (cipher, hash) = hashes.iter().find_map(|(end, hash)| Some((protection.strip_suffix(end)?, *hash)))?;
        let (_, cipher) = Cipher::NAMES.iter().find(|(name, _)| *name == cipher)?;
        Some(Self::of(*cipher, hash))
    }

    const fn of(cipher: Cipher, hash: Hash) -> Self {
        Self { cipher, hash }
    }

    /// The hash of the key schedule of TLS 1.2 and 1.3 (RFC 5246 section 5: SHA-256 but for suites that say otherwise).
    pub(crate) const fn schedule(self) -> Hash {
        match self.hash {
            Hash::Sha384 => Hash::Sha384,
            _ => Hash::Sha256,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_what_a_suite_is_made_of() {
        for (name, cipher, hash) in [
            ("TLS_RSA_WITH_NULL_SHA", Cipher::Null, Hash::Sha1),
            ("TLS_RSA_WITH_RC4_128_MD5", Cipher::Rc4, Hash::Md5),
            ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", Cipher::TripleDesCbc, Hash::Sha1),
            ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", Cipher::Aes256Cbc, Hash::Sha384),
            ("TLS_RSA_WITH_AES_256_CCM_8", Cipher::Aes256Ccm8, Hash::Sha256),
            ("TLS_AES_128_CCM_8_SHA256", Cipher::Aes128Ccm8, Hash::Sha256),
            ("TLS_CHACHA20_POLY1305_SHA256", Cipher::ChaCha20Poly1305, Hash::Sha256),
            ("TLS_AES_256_GCM_SHA384", Cipher::Aes256Gcm, Hash::Sha384),
            ("TLS_DH_anon_WITH_AES_128_GCM_SHA256", Cipher::Aes128Gcm, Hash::Sha256),
        ] {
            assert_eq!(Suite::named(name), Some(Suite::of(cipher, hash)), "{name}");
        }
        for name in [
            "TLS_RSA_EXPORT_WITH_RC4_40_MD5",
            "TLS_RSA_WITH_IDEA_CBC_SHA",
            "TLS_RSA_WITH_SEED_CBC_SHA",
            "TLS_RSA_WITH_DES_CBC_SHA",
            "TLS_SHA384_SHA384",
            "TLS_NULL_WITH_NULL_NULL",
            "ECC_SM4_CBC_SM3",
            "0x1234",
            "",
        ] {
            assert_eq!(Suite::named(name), None, "{name}");
        }
    }
}
