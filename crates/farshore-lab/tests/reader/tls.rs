//! Opens recorded TLS sessions with a key log, written from the RFCs without any code of the lab.

use std::collections::BTreeMap;

use aes_gcm::Aes128Gcm;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::ChaCha20Poly1305;
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

use super::{hex, unhex};

type Keys = BTreeMap<(String, String), Vec<u8>>;

/// What a session said once opened.
pub struct Opened {
    /// Application data from the client.
    pub up: Vec<u8>,
    /// Application data from the server.
    pub down: Vec<u8>,
}

/// Opens a session and checks its server's signature and its Finished messages.
pub fn open(up: &[u8], down: &[u8], keys: &Keys) -> Opened {
    let (ups, downs) = (records(up), records(down));
    let (client_hello, server_hello) = (ups[0].2, downs[0].2);
    let client_random = hex(&client_hello[6..38]);
    let session = usize::from(server_hello[38]);
    let suite = u16::from_be_bytes([server_hello[39 + session], server_hello[40 + session]]);
    let secret = |label: &str| {
        keys.get(&(label.to_owned(), client_random.clone()))
            .unwrap_or_else(|| panic!("{label}"))
            .clone()
    };
    match suite {
        0xc02b => tls12(&ups, &downs, &secret("CLIENT_RANDOM")),
        0x1301 | 0x1303 => {
            let mut transcript = [client_hello, server_hello].concat();
            let server_secret = secret("SERVER_HANDSHAKE_TRAFFIC_SECRET");
            let (kind, flight) = open13(suite, &server_secret, 0, &downs[2]);
            assert_eq!(kind, 22);
            let mut leaf = None;
            for (kind, message) in messages(&flight) {
                match kind {
                    11 => leaf = Some(public_key(&message[11..])),
                    15 => {
                        let signed = [&[32; 64][..], b"TLS 1.3, server CertificateVerify\0", &Sha256::digest(&transcript)].concat();
                        verify(leaf.as_ref().unwrap(), &signed, &message[8..]);
                    }
                    20 => assert_eq!(message[4..], finished(&server_secret, &transcript)),
                    other => assert_eq!(other, 8),
                }
                transcript.extend(message);
            }
            let client_secret = secret("CLIENT_HANDSHAKE_TRAFFIC_SECRET");
            let (_, message) = open13(suite, &client_secret, 0, &ups[2]);
            assert_eq!(message[4..], finished(&client_secret, &transcript));
            let data = |secret: &[u8], records: &[Record<'_>]| {
                let opened = records
                    .iter()
                    .enumerate()
                    .map(|(at, record)| open13(suite, secret, at as u64, record));
                opened.filter(|(kind, _)| *kind == 23).flat_map(|(_, data)| data).collect()
            };
            Opened {
                up: data(&secret("CLIENT_TRAFFIC_SECRET_0"), &ups[3..]),
                down: data(&secret("SERVER_TRAFFIC_SECRET_0"), &downs[3..]),
            }
        }
        other => panic!("suite {other:#x}"),
    }
}

fn tls12(ups: &[Record<'_>], downs: &[Record<'_>], master: &[u8]) -> Opened {
    let (client_random, server_random) = (&ups[0].2[6..38], &downs[0].2[6..38]);
    let certificate = downs[1].2;
    let exchange = downs[2].2;
    let signed = [client_random, server_random, &exchange[4..40]].concat();
    verify(&public_key(&certificate[10..]), &signed, &exchange[44..]);

    let block = prf(master, b"key expansion", &[server_random, client_random].concat(), 40);
    let open = |key: &[u8], iv: &[u8], counter: u64, (kind, _, body): &Record<'_>| {
        let nonce: [u8; 12] = [iv, &body[..8]].concat().try_into().unwrap();
        let mut aad = counter.to_be_bytes().to_vec();
        aad.extend([*kind, 3, 3]);
        aad.extend((body.len() as u16 - 24).to_be_bytes());
        let payload = Payload {
            msg: &body[8..],
            aad: &aad,
        };
        Aes128Gcm::new_from_slice(key)
            .unwrap()
            .decrypt(&nonce.into(), payload)
            .expect("the record opens")
    };
    let mut transcript: Vec<u8> = [ups[0].2, downs[0].2, downs[1].2, downs[2].2, downs[3].2, ups[1].2].concat();
    let client = open(&block[..16], &block[32..36], 0, &ups[3]);
    assert_eq!(client[4..], prf(master, b"client finished", &Sha256::digest(&transcript), 12));
    transcript.extend(&client);
    let server = open(&block[16..32], &block[36..], 0, &downs[5]);
    assert_eq!(server[4..], prf(master, b"server finished", &Sha256::digest(&transcript), 12));
    let data = |key: &[u8], iv: &[u8], records: &[Record<'_>]| {
        let records = records.iter().zip(1..);
        records
            .map(|(record, at)| (record.0, open(key, iv, at, record)))
            .filter(|it| it.0 == 23)
            .flat_map(|it| it.1)
            .collect()
    };
    Opened {
        up: data(&block[..16], &block[32..36], &ups[4..]),
        down: data(&block[16..32], &block[36..], &downs[6..]),
    }
}

/// Kind, head and body.
type Record<'a> = (u8, &'a [u8], &'a [u8]);

fn records(mut stream: &[u8]) -> Vec<Record<'_>> {
    let mut out = Vec::new();
    while let Some((head, rest)) = stream.split_first_chunk::<5>() {
        let (body, rest) = rest.split_at(usize::from(u16::from_be_bytes([head[3], head[4]])));
        out.push((head[0], &head[..], body));
        stream = rest;
    }
    assert!(stream.is_empty());
    out
}

fn messages(mut flight: &[u8]) -> Vec<(u8, &[u8])> {
    let mut out = Vec::new();
    while let Some(head) = flight.first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([head[2], head[3]])) + 4;
        out.push((head[0], &flight[..length]));
        flight = &flight[length..];
    }
    out
}

fn open13(suite: u16, secret: &[u8], counter: u64, (_, head, body): &Record<'_>) -> (u8, Vec<u8>) {
    let key = expand(secret, "key", if suite == 0x1303 { 32 } else { 16 });
    let mut nonce: [u8; 12] = expand(secret, "iv", 12).try_into().unwrap();
    for (byte, count) in nonce[4..].iter_mut().zip(counter.to_be_bytes()) {
        *byte ^= count;
    }
    let payload = Payload { msg: body, aad: head };
    let opened = if suite == 0x1303 {
        ChaCha20Poly1305::new_from_slice(&key).unwrap().decrypt(&nonce.into(), payload)
    } else {
        Aes128Gcm::new_from_slice(&key).unwrap().decrypt(&nonce.into(), payload)
    };
    let mut opened = opened.expect("the record opens");
    (opened.pop().unwrap(), opened)
}

fn expand(secret: &[u8], label: &str, length: u16) -> Vec<u8> {
    let label = format!("tls13 {label}");
    let info = [&length.to_be_bytes()[..], &[label.len() as u8], label.as_bytes(), &[0]].concat();
    let mut out = vec![0; usize::from(length)];
    Hkdf::<Sha256>::from_prk(secret).unwrap().expand(&info, &mut out).unwrap();
    out
}

fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

fn finished(secret: &[u8], transcript: &[u8]) -> Vec<u8> {
    mac(&expand(secret, "finished", 32), &Sha256::digest(transcript))
}

fn prf(secret: &[u8], label: &[u8], seed: &[u8], length: usize) -> Vec<u8> {
    let seed = [label, seed].concat();
    let one = mac(secret, &seed);
    let two = mac(secret, &one);
    let mut out = [mac(secret, &[&one[..], &seed].concat()), mac(secret, &[&two[..], &seed].concat())].concat();
    out.truncate(length);
    out
}

/// The P-256 point of the first certificate at hand: it follows the curve's name and a bit string's head.
fn public_key(certificate: &[u8]) -> VerifyingKey {
    let mark = unhex("2a8648ce3d030107034200");
    let at = certificate.windows(mark.len()).position(|it| it == mark).unwrap() + mark.len();
    VerifyingKey::from_sec1_bytes(&certificate[at..at + 65]).unwrap()
}

fn verify(key: &VerifyingKey, message: &[u8], der: &[u8]) {
    key.verify(message, &Signature::from_der(der).unwrap())
        .expect("the server's signature holds");
}
