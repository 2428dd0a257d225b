//! Keys in OpenSSH's files: one that signs, those a signer is known by. Ed25519 and ECDSA on P-256; both sign without chance, so
//! that the same bundle has the same bytes. Refuses keys it would have to ask something for.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use ed25519_dalek::Signer as _;
use p256::ecdsa::signature::Verifier as _;
use ssh_key::private::KeypairData;
use ssh_key::public::{EcdsaPublicKey, KeyData};
use ssh_key::{HashAlg, PrivateKey, PublicKey};

use crate::message;

/// Bytes of a file of keys that are read.
const MOST: u64 = 1 << 20;
/// Words by which a line of `allowed_signers` says when, or for whom, its key counts.
const CONDITIONS: [&str; 5] = ["cert-authority", "valid-after", "valid-before", "expiry-time", "namespaces"];

/// A key that signs.
pub(crate) struct Secret {
    half: Half,
    public: Public,
}

enum Half {
    Ed25519(Box<ed25519_dalek::SigningKey>),
    P256(p256::ecdsa::SigningKey),
}

impl Secret {
    /// Of an OpenSSH private key file.
    pub(crate) fn read(path: &Path, quiet: bool) -> anyhow::Result<Self> {
        let shown = message::shown(path);
        let text = read(path)?;
        if PublicKey::from_openssh(&text).is_ok() {
            bail!("{shown}: a public key; expected the private one, the file without `.pub`");
        }
        let expected = "an OpenSSH private key (`ssh-keygen -t ed25519` makes one)";
        let key = PrivateKey::from_openssh(&text).with_context(|| format!("{shown}: expected {expected}"))?;
        ensure!(
            !key.is_encrypted(),
            "{shown}: the key has a passphrase, which is not asked for here; `ssh-keygen -p` on a copy takes it off"
        );
        let half = match key.key_data() {
            KeypairData::Ed25519(it) => Half::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(&it.private.to_bytes()))),
            KeypairData::Ecdsa(it) if it.algorithm().as_str() == "ecdsa-sha2-nistp256" => {
                let read = p256::ecdsa::SigningKey::from_slice(it.private_key_bytes());
                Half::P256(read.with_context(|| format!("{shown}: no key of P-256"))?)
            }
            _ => bail!("{shown}: a key of type {}; {TYPES}", key.algorithm()),
        };
        let public = Public::new(key.public_key().key_data().clone()).with_context(|| shown.clone())?;
        let it = Self { half, public };
        // A file whose halves are of two keys would sign what nobody can check.
        ensure!(
            it.public.verifies(b"", &it.sign(b"")),
            "{shown}: its private half does not belong to its public one"
        );
        if !quiet {
            warn_of_readers(path);
        }
        Ok(it)
    }

    /// Its public half.
    pub(crate) const fn public(&self) -> &Public {
        &self.public
    }

    /// Signs: 64 bytes of Ed25519, or the DER of ECDSA over SHA-256 with the nonce of RFC 6979.
    pub(crate) fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        match &self.half {
            Half::Ed25519(key) => key.sign(bytes).to_bytes().to_vec(),
            Half::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(bytes);
                signature.to_der().as_bytes().to_vec()
            }
        }
    }
}

const TYPES: &str = "bundles are signed by Ed25519 or ECDSA P-256";

/// The public half of a key, without the comment: that is what its owner likes to be called.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Public(PublicKey);

impl Public {
    fn new(key: KeyData) -> anyhow::Result<Self> {
        match &key {
            KeyData::Ed25519(_) | KeyData::Ecdsa(EcdsaPublicKey::NistP256(_)) => Ok(Self(PublicKey::new(key, ""))),
            _ => bail!("a key of type {}; {TYPES}", key.algorithm()),
        }
    }

    /// Of a line as [`Public::line`] writes it, and no other.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let it = Self::new(PublicKey::from_openssh(line).ok()?.key_data().clone()).ok()?;
        (it.line() == line).then_some(it)
    }

    /// Type and key, as OpenSSH writes them.
    pub(crate) fn line(&self) -> String {
        self.0.to_openssh().unwrap_or_default()
    }

    /// The name of its type.
    pub(crate) fn kind(&self) -> String {
        self.0.algorithm().as_str().to_owned()
    }

    /// SHA-256, as OpenSSH writes it.
    pub(crate) fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// Whether the signature over these bytes is this key's.
    pub(crate) fn verifies(&self, bytes: &[u8], signature: &[u8]) -> bool {
        match self.0.key_data() {
            KeyData::Ed25519(key) => ed25519_dalek::VerifyingKey::from_bytes(&key.0)
                .ok()
                .zip(ed25519_dalek::Signature::from_slice(signature).ok())
                .is_some_and(|(key, signature)| key.verify_strict(bytes, &signature).is_ok()),
            KeyData::Ecdsa(key) => p256::ecdsa::VerifyingKey::from_sec1_bytes(key.as_sec1_bytes())
                .ok()
                .zip(p256::ecdsa::Signature::from_der(signature).ok())
                .is_some_and(|(key, signature)| key.verify(bytes, &signature).is_ok()),
            _ => false,
        }
    }
}

/// The keys of a `.pub` file, or of lines as `allowed_signers` and `authorized_keys` have them.
pub(crate) fn signers(path: &Path) -> anyhow::Result<Vec<Public>> {
    let shown = message::shown(path);
    let text = read(path)?;
    ensure!(
        !text.contains("PRIVATE KEY-----"),
        "{shown}: a private key; expected the public one, the file with `.pub`"
    );
    let mut keys = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key = signer(line).with_context(|| format!("{shown}: line {}", number + 1))?;
        keys.push(key);
    }
    ensure!(!keys.is_empty(), "{shown}: no key; expected an OpenSSH public key");
    Ok(keys)
}

fn signer(line: &str) -> anyhow::Result<Public> {
    let words = words(line);
    let at = words.iter().position(|it| is_type(it));
    let at = at.context("no key; expected an OpenSSH public key (`ssh-ed25519 AAAA…`)")?;
    let before = words.get(..at).unwrap_or_default().iter().flat_map(|it| options(it));
    for option in before {
        let name = option.split('=').next().unwrap_or_default().to_ascii_lowercase();
        ensure!(
            !CONDITIONS.contains(&name.as_str()),
            "`{name}` makes the key count under a condition that is not judged here; give the key alone"
        );
    }
    let key = words
        .get(at..)
        .unwrap_or_default()
        .iter()
        .take(2)
        .copied()
        .collect::<Vec<_>>()
        .join(" ");
    let key = PublicKey::from_openssh(&key).context("no OpenSSH public key")?;
    Public::new(key.key_data().clone())
}

/// Whether a word is the type of a key.
fn is_type(word: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"]
        .iter()
        .any(|it| word.starts_with(it))
}

/// Words of a line; blanks within quotes part nothing.
fn words(line: &str) -> Vec<&str> {
    apart(line, char::is_whitespace)
}

/// Options of a word.
fn options(word: &str) -> Vec<&str> {
    apart(word, |it| it == ',')
}

fn apart(text: &str, parts: fn(char) -> bool) -> Vec<&str> {
    let mut quoted = false;
    let pieces = text.split(|it| {
        quoted ^= it == '"';
        !quoted && parts(it)
    });
    pieces.filter(|it| !it.is_empty()).collect()
}

fn read(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let file = File::open(path).with_context(|| message::shown(path))?;
    file.take(MOST).read_to_string(&mut text).with_context(|| message::shown(path))?;
    Ok(text)
}

/// A key that others can read is no longer its owner's alone.
fn warn_of_readers(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if let Ok(mode) = std::fs::metadata(path).map(|it| it.permissions().mode())
            && mode & 0o077 != 0
        {
            let mode = mode & 0o777;
            message::say(&format!(
                "warning: {}: others can use this key (mode {mode:o}); `chmod 600` keeps it yours",
                message::shown(path)
            ));
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    #[test]
    fn a_signer_is_known_by_any_line_openssh_writes() {
        for line in [
            KEY.to_owned(),
            format!("{KEY} somebody@example.org"),
            format!("somebody@example.org {KEY}"),
            format!("somebody@example.org,other@example.org {KEY} a comment"),
            format!("no-pty,command=\"echo ssh-ed25519 x\" {KEY}"),
        ] {
            assert_eq!(signer(&line).unwrap().line(), KEY, "{line}");
        }
        for line in [
            format!("somebody@example.org cert-authority {KEY}"),
            format!("somebody@example.org namespaces=\"git\",valid-before=\"20200101\" {KEY}"),
            format!("expiry-time=\"20200101\" {KEY}"),
            "ssh-ed25519 AAAA".to_owned(),
            "ssh-ed25519".to_owned(),
            "hello".to_owned(),
            "ssh-dss AAAAB3NzaC1kc3MAAAAA".to_owned(),
        ] {
            assert!(signer(&line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_line_in_a_bundle_has_one_spelling() {
        assert!(Public::parse(KEY).is_some());
        for line in [format!("{KEY} comment"), format!("{KEY} "), KEY.replace(' ', "  "), String::new()] {
            assert!(Public::parse(&line).is_none(), "{line}");
        }
    }
}
