//! Owns the made-up certification authority: X.509 v3 certificates (RFC 5280) in DER, signed with ECDSA P-256.
//!
//! Signatures are deterministic (RFC 6979), so a world is the same each time. Refuses to be trusted: the keys follow
//! from a public seed.

use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use sha1::{Digest, Sha1};

use crate::random::Random;

/// A root and the intermediate that signs for servers.
#[derive(Debug)]
pub struct Authority {
    label: String,
    intermediate: Vec<u8>,
    intermediate_key: SigningKey,
    intermediate_name: Vec<u8>,
    root: Vec<u8>,
}

/// A server's key and its chain.
#[derive(Debug)]
pub struct Credential {
    key: SigningKey,
    chain: Vec<Vec<u8>>,
}

impl Authority {
    /// The authority of one world.
    #[must_use]
    pub fn new(world: &str, organisation: &str) -> Self {
        let label = format!("{world}/authority");
        let root_key = key(&format!("{label}/root"));
        let intermediate_key = key(&format!("{label}/intermediate"));
        let root_name = name(organisation, &format!("{organisation} Root"));
        let intermediate_name = name(organisation, &format!("{organisation} E1"));
        let ca = [
            critical(&[0x55, 0x1d, 0x13], &sequence(&[&[1, 1, 0xff]])),
            critical(&[0x55, 0x1d, 0x0f], &[3, 2, 1, 6]),
        ];
        let root = certificate(&label, &root_name, &root_name, &root_key, &root_key, &ca.concat());
        let intermediate = certificate(&label, &root_name, &intermediate_name, &root_key, &intermediate_key, &ca.concat());
        Self {
            label,
            intermediate,
            intermediate_key,
            intermediate_name,
            root,
        }
    }

    /// The root certificate, which no server sends.
    #[must_use]
    pub fn root(&self) -> &[u8] {
        &self.root
    }

    /// The key and chain of the server `host`.
    #[must_use]
    pub fn credential(&self, host: &str) -> Credential {
        self.shared(&[host])
    }

    /// The key and chain of a server of all these hosts; the first is the subject.
    #[must_use]
    pub fn shared(&self, hosts: &[&str]) -> Credential {
        let host = hosts.first().copied().unwrap_or_default();
        let key = key(&format!("{}/server/{}", self.label, hosts.join(",")));
        let names: Vec<Vec<u8>> = hosts.iter().map(|it| tlv(0x82, it.as_bytes())).collect();
        let alternative = sequence(&names.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let server_auth = sequence(&[&tlv(6, &[0x2b, 6, 1, 5, 5, 7, 3, 1])]);
        let extensions = [
            critical(&[0x55, 0x1d, 0x0f], &[3, 2, 7, 0x80]),
            sequence(&[&tlv(6, &[0x55, 0x1d, 0x25]), &tlv(4, &server_auth)]),
            sequence(&[&tlv(6, &[0x55, 0x1d, 0x11]), &tlv(4, &alternative)]),
        ];
        let subject = name("", host);
        let issuer = &self.intermediate_name;
        let leaf = certificate(&self.label, issuer, &subject, &self.intermediate_key, &key, &extensions.concat());
        Credential {
            key,
            chain: vec![leaf, self.intermediate.clone()],
        }
    }
}

impl Credential {
    /// Certificates, the server's first.
    #[must_use]
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// A signature over `message` in DER.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        sign(&self.key, message)
    }
}

fn key(label: &str) -> SigningKey {
    let mut random = Random::named(label);
    loop {
        // All but one in 2^32 numbers are below the group's order.
        if let Ok(key) = SigningKey::from_slice(&random.bytes::<32>()) {
            return key;
        }
    }
}

fn sign(key: &SigningKey, message: &[u8]) -> Vec<u8> {
    let signature: Signature = key.sign(message);
    signature.to_der().as_bytes().to_vec()
}

fn certificate(
    label: &str,
    issuer: &[u8],
    subject: &[u8],
    issuer_key: &SigningKey,
    subject_key: &SigningKey,
    extensions: &[u8],
) -> Vec<u8> {
    let ecdsa_sha256 = sequence(&[&tlv(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2])]);
    let mut serial = Random::named(&format!("{label}/serial/{}", String::from_utf8_lossy(subject))).bytes::<16>();
    serial[0] = serial[0] & 0x7f | 0x40; // positive, without leading zeros
    let validity = sequence(&[&tlv(0x17, b"210101000000Z"), &tlv(0x17, b"211231235959Z")]);
    let algorithm = sequence(&[
        &tlv(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]),
        &tlv(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]),
    ]);
    let point = subject_key.verifying_key().to_sec1_point(false);
    let public = sequence(&[&algorithm, &tlv(3, &[&[0], point.as_bytes()].concat())]);
    let body = sequence(&[
        &tlv(0xa0, &[2, 1, 2]),
        &tlv(2, &serial),
        &ecdsa_sha256,
        issuer,
        &validity,
        subject,
        &public,
        &tlv(0xa3, &sequence(&[extensions, &key_identifiers(subject_key, issuer_key)])),
    ]);
    let signature = tlv(3, &[&[0][..], &sign(issuer_key, &body)].concat());
    sequence(&[&body, &ecdsa_sha256, &signature])
}

/// Subject and authority key identifiers (RFC 5280 section 4.2.1): SHA-1 of the public point.
fn key_identifiers(subject: &SigningKey, issuer: &SigningKey) -> Vec<u8> {
    let identifier = |key: &SigningKey| Sha1::digest(key.verifying_key().to_sec1_point(false).as_bytes());
    let authority = sequence(&[&tlv(0x80, &identifier(issuer))]);
    let extensions = [
        sequence(&[&tlv(6, &[0x55, 0x1d, 0x0e]), &tlv(4, &tlv(4, &identifier(subject)))]),
        sequence(&[&tlv(6, &[0x55, 0x1d, 0x23]), &tlv(4, &authority)]),
    ];
    extensions.concat()
}

/// A distinguished name of organisation, if any, and common name.
fn name(organisation: &str, common: &str) -> Vec<u8> {
    let part = |kind: u8, text: &str| tlv(0x31, &sequence(&[&tlv(6, &[0x55, 4, kind]), &tlv(0x0c, text.as_bytes())]));
    let mut parts = Vec::new();
    if !organisation.is_empty() {
        parts.extend(part(10, organisation));
    }
    parts.extend(part(3, common));
    sequence(&[&parts])
}

fn critical(oid: &[u8], value: &[u8]) -> Vec<u8> {
    sequence(&[&tlv(6, oid), &[1, 1, 0xff], &tlv(4, value)])
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match value.len() {
        length @ 0..0x80 => out.push(length as u8),
        length @ 0x80..0x100 => out.extend([0x81, length as u8]),
        length => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend(value);
    out
}
