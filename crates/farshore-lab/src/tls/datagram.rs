//! Owns both ends of DTLS 1.2 handshakes (RFC 6347) that agree on keys of media (RFC 5764): X25519 with ECDSA P-256, and
//! AES_CM_128_HMAC_SHA1_80 for what follows.
//!
//! Refuses cookies, fragments and data of applications: a call needs none of them.

use aes_gcm::Aes128Gcm;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use x25519_dalek::{PublicKey, StaticSecret};

use super::certificate::Credential;
use super::handshake::{ECDSA_P256_SHA256, X25519, extension, hex, vector8, vector16, vector24};
use super::schedule::{hash, prf};
use crate::client::Direction::{self, Down, Up};
use crate::random::Random;
use crate::rtp::Protection;

const SUITE: u16 = 0xc02b;
const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;

/// A handshake and what it led to.
#[derive(Debug)]
pub struct Agreement {
    /// Its datagrams.
    pub datagrams: Vec<(Direction, Vec<u8>)>,
    /// Its line for an NSS key log.
    pub keylog: String,
    /// The keys of what the client sends, and of what the server sends.
    pub media: [Protection; 2],
}

/// One end: its next record and message.
#[derive(Default)]
struct End {
    record: u64,
    message: u16,
}

impl End {
    /// A message of the handshake, whole in one fragment (section 4.2.2).
    fn message(&mut self, kind: u8, body: &[u8]) -> Vec<u8> {
        let length = vector24(body);
        let mut out = vec![kind];
        out.extend(&length[..3]);
        out.extend(self.message.to_be_bytes());
        out.extend([0, 0, 0]);
        out.extend(&length[..3]);
        out.extend(body);
        self.message += 1;
        out
    }

    /// A record in clear (section 4.1).
    fn plain(&mut self, kind: u8, body: &[u8]) -> Vec<u8> {
        let mut out = vec![kind, 0xfe, 0xfd];
        out.extend(self.record.to_be_bytes());
        out.extend((body.len() as u16).to_be_bytes());
        out.extend(body);
        self.record += 1;
        out
    }

    /// The first record of epoch 1.
    fn sealed(kind: u8, body: &[u8], key: &[u8], salt: &[u8]) -> Vec<u8> {
        let number = (1_u64 << 48).to_be_bytes();
        let mut nonce = [0; 12];
        nonce[..4].copy_from_slice(salt);
        nonce[4..].copy_from_slice(&number);
        let mut aad = number.to_vec();
        aad.extend([kind, 0xfe, 0xfd]);
        aad.extend((body.len() as u16).to_be_bytes());
        let sealed = Aes128Gcm::new_from_slice(key)
            .expect("a key of 16 bytes")
            .encrypt(&nonce.into(), Payload { msg: body, aad: &aad })
            .expect("a short record");
        let mut out = vec![kind, 0xfe, 0xfd];
        out.extend(number);
        out.extend((sealed.len() as u16 + 8).to_be_bytes());
        out.extend(number);
        out.extend(sealed);
        out
    }
}

/// A whole handshake; the client may ask for the server by `name`.
#[must_use]
pub fn agree(name: Option<&str>, credential: &Credential, random: &mut Random) -> Agreement {
    let (client_random, server_random) = (random.bytes::<32>(), random.bytes::<32>());
    let (client_secret, server_secret) = (StaticSecret::from(random.bytes::<32>()), StaticSecret::from(random.bytes::<32>()));
    let (client_share, server_share) = (PublicKey::from(&client_secret), PublicKey::from(&server_secret));
    let shared = client_secret.diffie_hellman(&server_share);
    let (mut client, mut server) = (End::default(), End::default());

    let hello = client.message(1, &client_hello(name, &client_random));
    let mut answer = vec![0xfe, 0xfd];
    answer.extend(server_random);
    answer.extend(vector8(&random.bytes::<32>()));
    answer.extend(SUITE.to_be_bytes());
    answer.push(0);
    let extensions = [
        extension(23, &[]),
        extension(0xff01, &[0]),
        extension(11, &[1, 0]),
        // One profile and no key identifier (RFC 5764, section 4.1.1).
        extension(14, &[0, 2, 0, 1, 0]),
    ];
    answer.extend(vector16(&extensions.concat()));
    let chain: Vec<u8> = credential.chain().iter().flat_map(|it| vector24(it)).collect();
    let mut parameters = vec![3];
    parameters.extend(X25519.to_be_bytes());
    parameters.extend(vector8(server_share.as_bytes()));
    let signature = credential.sign(&[&client_random[..], &server_random, &parameters].concat());
    let mut exchange = parameters;
    exchange.extend(ECDSA_P256_SHA256.to_be_bytes());
    exchange.extend(vector16(&signature));
    let flight = [
        server.message(2, &answer),
        server.message(11, &vector24(&chain)),
        server.message(12, &exchange),
        server.message(14, &[]),
    ];
    let client_exchange = client.message(16, &vector8(client_share.as_bytes()));

    let mut transcript = [hello.clone(), flight.concat(), client_exchange.clone()].concat();
    let master = prf(shared.as_bytes(), "extended master secret", &hash(&transcript), 48);
    let block = prf(&master, "key expansion", &[server_random, client_random].concat(), 40);
    let client_finished = client.message(20, &prf(&master, "client finished", &hash(&transcript), 12));
    transcript.extend(&client_finished);
    let server_finished = server.message(20, &prf(&master, "server finished", &hash(&transcript), 12));

    let mut datagrams = vec![(Up, client.plain(HANDSHAKE, &hello))];
    datagrams.extend(flight.iter().map(|it| (Down, server.plain(HANDSHAKE, it))));
    let mut last = client.plain(HANDSHAKE, &client_exchange);
    last.extend(client.plain(CHANGE_CIPHER_SPEC, &[1]));
    last.extend(End::sealed(HANDSHAKE, &client_finished, &block[..16], &block[32..36]));
    datagrams.push((Up, last));
    let mut last = server.plain(CHANGE_CIPHER_SPEC, &[1]);
    last.extend(End::sealed(HANDSHAKE, &server_finished, &block[16..32], &block[36..]));
    datagrams.push((Down, last));

    // RFC 5764, section 4.2: keys of both, then salts of both.
    let keys = prf(&master, "EXTRACTOR-dtls_srtp", &[client_random, server_random].concat(), 60);
    let media = [(0, 32), (16, 46)].map(|(key, salt)| {
        let (mut master, mut salting) = ([0; 16], [0; 14]);
        master.copy_from_slice(&keys[key..key + 16]);
        salting.copy_from_slice(&keys[salt..salt + 14]);
        Protection::new(&master, &salting)
    });
    Agreement {
        datagrams,
        keylog: format!("CLIENT_RANDOM {} {}", hex(&client_random), hex(&master)),
        media,
    }
}

fn client_hello(name: Option<&str>, random: &[u8; 32]) -> Vec<u8> {
    let mut body = vec![0xfe, 0xfd];
    body.extend(random);
    // No session, no cookie.
    body.extend([0, 0]);
    body.extend(vector16(&SUITE.to_be_bytes()));
    body.extend([1, 0]);
    let mut extensions = Vec::new();
    if let Some(name) = name {
        extensions.extend(extension(0, &vector16(&[&[0][..], &vector16(name.as_bytes())].concat())));
    }
    extensions.extend(extension(23, &[]));
    extensions.extend(extension(0xff01, &[0]));
    extensions.extend(extension(10, &vector16(&X25519.to_be_bytes())));
    extensions.extend(extension(11, &[1, 0]));
    extensions.extend(extension(13, &vector16(&ECDSA_P256_SHA256.to_be_bytes())));
    extensions.extend(extension(14, &[0, 2, 0, 1, 0]));
    body.extend(vector16(&extensions));
    body
}
