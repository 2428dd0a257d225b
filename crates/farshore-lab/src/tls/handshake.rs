//! Owns handshake messages of TLS 1.3 (RFC 8446 section 4) and TLS 1.2 (RFC 5246 section 7.4) and their order.
//!
//! Refuses to negotiate: the world has said what the outcome is, and both ends offer so that it comes out.

use x25519_dalek::{PublicKey, StaticSecret};

use super::certificate::Credential;
use super::record::{self, CHANGE_CIPHER_SPEC, HANDSHAKE, Protector};
use super::schedule::{derive, extract, finished, hash, prf, protector};
use super::{Flights, Session, Suite};
use crate::client::Direction::{Down, Up};
use crate::random::Random;

pub(super) const X25519: u16 = 0x001d;
pub(super) const ECDSA_P256_SHA256: u16 = 0x0403;

/// A TLS 1.3 handshake with the compatibility messages middleboxes want (appendix D.4).
pub(super) fn tls13(asked: &Asked<'_>, suite: Suite, credential: &Credential, random: &mut Random) -> (Flights, Session) {
    let (client_random, server_random) = (random.bytes::<32>(), random.bytes::<32>());
    let session_id = random.bytes::<32>();
    let (client_secret, server_secret) = (StaticSecret::from(random.bytes::<32>()), StaticSecret::from(random.bytes::<32>()));
    let (client_share, server_share) = (PublicKey::from(&client_secret), PublicKey::from(&server_secret));
    let shared = client_secret.diffie_hellman(&server_share);

    let hello = client_hello(asked, suite, &client_random, &session_id, &client_share);
    let share = [&X25519.to_be_bytes()[..], &vector16(server_share.as_bytes())].concat();
    let answer = server_hello(suite, &server_random, &session_id, &[(43, vec![3, 4]), (51, share)]);
    let mut transcript = [hello.clone(), answer.clone()].concat();

    // Section 7.1, top to bottom.
    let nothing = hash(&[]);
    let early = extract(&[], &[0; 32]);
    let handshake = extract(&derive(&early, "derived", &nothing), shared.as_bytes());
    let at_hello = hash(&transcript);
    let client_handshake = derive(&handshake, "c hs traffic", &at_hello);
    let server_handshake = derive(&handshake, "s hs traffic", &at_hello);
    let master = extract(&derive(&handshake, "derived", &nothing), &[0; 32]);

    let mut server = protector(suite, &server_handshake);
    let mut down = record::plain(HANDSHAKE, 0x0303, &answer);
    down.extend(record::plain(CHANGE_CIPHER_SPEC, 0x0303, &[1]));
    let agreed = asked.speaks.map(|it| extension(16, &vector16(&vector8(it)))).unwrap_or_default();
    let mut flight = message(8, &vector16(&agreed));
    flight.extend(certificate13(credential));
    transcript.extend(&flight);
    // Section 4.4.3: 64 spaces, a context string, a zero, the hash so far.
    let signed = [&[0x20; 64][..], b"TLS 1.3, server CertificateVerify\0", &hash(&transcript)].concat();
    let mut verify = ECDSA_P256_SHA256.to_be_bytes().to_vec();
    verify.extend(vector16(&credential.sign(&signed)));
    let verify = message(15, &verify);
    transcript.extend(&verify);
    let server_finished = message(20, &finished(&server_handshake, &hash(&transcript)));
    transcript.extend(&server_finished);
    flight.extend(verify);
    flight.extend(server_finished);
    down.extend(server.seal(HANDSHAKE, &flight));

    let at_finished = hash(&transcript);
    let client_traffic = derive(&master, "c ap traffic", &at_finished);
    let server_traffic = derive(&master, "s ap traffic", &at_finished);
    let exporter = derive(&master, "exp master", &at_finished);
    let mut up = record::plain(CHANGE_CIPHER_SPEC, 0x0303, &[1]);
    let client_finished = message(20, &finished(&client_handshake, &at_finished));
    up.extend(protector(suite, &client_handshake).seal(HANDSHAKE, &client_finished));

    // One session ticket under the application keys, as servers send it (section 4.6.1).
    let mut server = protector(suite, &server_traffic);
    let mut ticket = 7200_u32.to_be_bytes().to_vec();
    ticket.extend(random.bytes::<4>());
    ticket.extend(vector8(&[0; 8]));
    ticket.extend(vector16(&random.bytes::<160>()));
    ticket.extend(vector16(&[]));
    let ticket = server.seal(HANDSHAKE, &message(4, &ticket));

    let secrets = [
        ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", &client_handshake),
        ("SERVER_HANDSHAKE_TRAFFIC_SECRET", &server_handshake),
        ("CLIENT_TRAFFIC_SECRET_0", &client_traffic),
        ("SERVER_TRAFFIC_SECRET_0", &server_traffic),
        ("EXPORTER_SECRET", &exporter),
    ];
    let keylog = secrets
        .map(|(label, secret)| format!("{label} {} {}", hex(&client_random), hex(secret)))
        .to_vec();
    let client = protector(suite, &client_traffic);
    let flights = vec![
        (Up, record::plain(HANDSHAKE, 0x0301, &hello)),
        (Down, down),
        (Up, up),
        (Down, ticket),
    ];
    (
        flights,
        Session {
            client_random,
            keylog,
            suite,
            client,
            server,
            sent: [0; 2],
        },
    )
}

/// A TLS 1.2 handshake with an ephemeral key and the extended master secret (RFC 8422, RFC 7627).
pub(super) fn tls12(name: &str, suite: Suite, credential: &Credential, speaks: Option<&[u8]>, random: &mut Random) -> (Flights, Session) {
    let (client_random, server_random) = (random.bytes::<32>(), random.bytes::<32>());
    let (offered, given) = (random.bytes::<32>(), random.bytes::<32>());
    let (client_secret, server_secret) = (StaticSecret::from(random.bytes::<32>()), StaticSecret::from(random.bytes::<32>()));
    let (client_share, server_share) = (PublicKey::from(&client_secret), PublicKey::from(&server_secret));
    let shared = client_secret.diffie_hellman(&server_share);

    // The client would do 1.3 as well, with a share of its own for that.
    let asked = Asked { name, speaks, more: &[] };
    let hello = client_hello(&asked, suite, &client_random, &offered, &PublicKey::from(random.bytes::<32>()));
    let mut extensions = vec![(23, vec![]), (0xff01, vec![0]), (11, vec![1, 0])];
    extensions.extend(speaks.map(|it| (16, vector16(&vector8(it)))));
    let mut flight = vec![server_hello(suite, &server_random, &given, &extensions)];
    let chain: Vec<u8> = credential.chain().iter().flat_map(|it| vector24(it)).collect();
    flight.push(message(11, &vector24(&chain)));
    let mut parameters = vec![3];
    parameters.extend(X25519.to_be_bytes());
    parameters.extend(vector8(server_share.as_bytes()));
    let signature = credential.sign(&[&client_random[..], &server_random, &parameters].concat());
    let mut exchange = parameters;
    exchange.extend(ECDSA_P256_SHA256.to_be_bytes());
    exchange.extend(vector16(&signature));
    flight.push(message(12, &exchange));
    flight.push(message(14, &[]));
    let down: Vec<u8> = flight.iter().flat_map(|it| record::plain(HANDSHAKE, 0x0303, it)).collect();

    let client_exchange = message(16, &vector8(client_share.as_bytes()));
    let mut transcript = [hello.clone(), flight.concat(), client_exchange.clone()].concat();
    let master = prf(shared.as_bytes(), "extended master secret", &hash(&transcript), 48);
    // RFC 5246 section 6.3; AEAD suites have no MAC keys, and those that hide nothing have no others.
    let block = prf(&master, "key expansion", &[server_random, client_random].concat(), 40);
    let (mut client, mut server) = if suite == Suite::Tls12Null {
        let keyed = |key: &[u8]| Protector::new(suite, key.to_vec(), Vec::new());
        (keyed(&block[..20]), keyed(&block[20..]))
    } else {
        (
            Protector::new(suite, block[..16].to_vec(), block[32..36].to_vec()),
            Protector::new(suite, block[16..32].to_vec(), block[36..].to_vec()),
        )
    };

    let client_finished = message(20, &prf(&master, "client finished", &hash(&transcript), 12));
    let mut up = record::plain(HANDSHAKE, 0x0303, &client_exchange);
    up.extend(record::plain(CHANGE_CIPHER_SPEC, 0x0303, &[1]));
    up.extend(client.seal(HANDSHAKE, &client_finished));
    transcript.extend(&client_finished);
    let mut last = record::plain(CHANGE_CIPHER_SPEC, 0x0303, &[1]);
    last.extend(server.seal(HANDSHAKE, &message(20, &prf(&master, "server finished", &hash(&transcript), 12))));

    let keylog = vec![format!("CLIENT_RANDOM {} {}", hex(&client_random), hex(&master))];
    let flights = vec![(Up, record::plain(HANDSHAKE, 0x0301, &hello)), (Down, down), (Up, up), (Down, last)];
    (
        flights,
        Session {
            client_random,
            keylog,
            suite,
            client,
            server,
            sent: [0; 2],
        },
    )
}

/// What a client asks for.
pub(super) struct Asked<'a> {
    /// The server's name.
    pub(super) name: &'a str,
    /// What is to be spoken inside.
    pub(super) speaks: Option<&'a [u8]>,
    /// Further extensions, as they go on the wire.
    pub(super) more: &'a [u8],
}

/// The two hellos of a handshake over QUIC (RFC 9001, section 8), of which no more is needed here.
pub(super) fn hellos(asked: &Asked<'_>, suite: Suite, random: &mut Random) -> [Vec<u8>; 2] {
    let mut share = || PublicKey::from(&StaticSecret::from(random.bytes::<32>()));
    let (ours, theirs) = (share(), share());
    let key = [&X25519.to_be_bytes()[..], &vector16(theirs.as_bytes())].concat();
    [
        client_hello(asked, suite, &random.bytes::<32>(), &[], &ours),
        server_hello(suite, &random.bytes::<32>(), &[], &[(43, vec![3, 4]), (51, key)]),
    ]
}

fn client_hello(asked: &Asked<'_>, suite: Suite, random: &[u8; 32], session_id: &[u8], share: &PublicKey) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend(random);
    body.extend(vector8(session_id));
    // The world's suite comes first; the others are what a phone of 2021 offers as well.
    let mut suites = vec![suite.number()];
    suites.extend(
        [0x1301, 0x1302, 0x1303, 0xc02b, 0xc02c, 0xcca9]
            .iter()
            .filter(|it| **it != suite.number()),
    );
    body.extend(vector16(&suites.iter().flat_map(|it| it.to_be_bytes()).collect::<Vec<_>>()));
    body.extend([1, 0]);
    let server_name = [&[0][..], &vector16(asked.name.as_bytes())].concat();
    let groups: Vec<u8> = [X25519, 0x0017, 0x0018].iter().flat_map(|it| it.to_be_bytes()).collect();
    let schemes: Vec<u8> = [ECDSA_P256_SHA256, 0x0804, 0x0401, 0x0503]
        .iter()
        .flat_map(|it| it.to_be_bytes())
        .collect();
    let key_share = [&X25519.to_be_bytes()[..], &vector16(share.as_bytes())].concat();
    let extensions = [
        extension(0, &vector16(&server_name)),
        extension(23, &[]),
        extension(0xff01, &[0]),
        extension(10, &vector16(&groups)),
        extension(11, &[1, 0]),
        asked.speaks.map(|it| extension(16, &vector16(&vector8(it)))).unwrap_or_default(),
        extension(13, &vector16(&schemes)),
        extension(51, &vector16(&key_share)),
        extension(45, &[1, 1]),
        extension(43, &[4, 3, 4, 3, 3]),
        asked.more.to_vec(),
    ];
    body.extend(vector16(&extensions.concat()));
    message(1, &body)
}

fn server_hello(suite: Suite, random: &[u8; 32], session_id: &[u8], extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend(random);
    body.extend(vector8(session_id));
    body.extend(suite.number().to_be_bytes());
    body.push(0);
    let extensions: Vec<u8> = extensions.iter().flat_map(|(kind, data)| extension(*kind, data)).collect();
    body.extend(vector16(&extensions));
    message(2, &body)
}

fn certificate13(credential: &Credential) -> Vec<u8> {
    let chain: Vec<u8> = credential
        .chain()
        .iter()
        .flat_map(|it| [vector24(it), vector16(&[])].concat())
        .collect();
    message(11, &[&[0][..], &vector24(&chain)].concat())
}

pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &vector24(body)].concat()
}

pub(super) fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &vector16(data)].concat()
}

pub(super) fn vector8(data: &[u8]) -> Vec<u8> {
    [&[data.len() as u8][..], data].concat()
}

pub(super) fn vector16(data: &[u8]) -> Vec<u8> {
    [&(data.len() as u16).to_be_bytes()[..], data].concat()
}

pub(super) fn vector24(data: &[u8]) -> Vec<u8> {
    [&(data.len() as u32).to_be_bytes()[1..], data].concat()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
