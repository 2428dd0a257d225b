//! Sessions recorded between programs that know nothing of farshore (`record.py` says how), opened with their key logs: every
//! version, suite and feature that is said to be supported has its row here.
//!
//! Refuses to know ciphers: what comes out is what was said. Why a session stays closed is `misses`' business.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use farshore_model::Direction::{Down, Up};
use farshore_model::{Direction, Observation, Protection};
use farshore_wire::{Engine, Limits, Secrets};

mod misses;

use crate::build::{ACK, SYN, SYN_ACK, ethernet, ip, tcp, udp};
use crate::run::{Kept, frame};

/// A recording.
struct Session {
    name: &'static str,
    said: Vec<(Direction, usize, Vec<u8>)>,
    keys: Vec<(String, Vec<u8>, Vec<u8>)>,
}

fn beside(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/sessions").join(name)
}

fn bytes(digits: &str) -> Vec<u8> {
    let pairs = (0..digits.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

impl Session {
    #[allow(clippy::disallowed_methods, reason = "recordings are files")]
    fn read(name: &'static str) -> Self {
        let flights = std::fs::read(beside(&format!("{name}.bin"))).unwrap();
        let (mut said, mut rest) = (Vec::new(), &flights[..]);
        while let [side, high, low, after @ ..] = rest {
            let (flight, after) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])));
            said.push((if side & 1 == 0 { Up } else { Down }, usize::from(side / 2), flight.to_vec()));
            rest = after;
        }
        let log = std::fs::read_to_string(beside(&format!("{name}.keys"))).unwrap();
        let keys = log.lines().map(|line| {
            let mut words = line.split(' ');
            let mut next = || words.next().unwrap();
            (next().to_owned(), bytes(next()), bytes(next()))
        });
        Self {
            name,
            said,
            keys: keys.collect(),
        }
    }

    fn datagrams(&self) -> bool {
        !self.name.starts_with("tls")
    }

    /// As it looks on Ethernet; streams in segments of that size, with their handshake.
    fn frames(&self, segment: usize) -> Vec<Vec<u8>> {
        self.frames_of(50_000, segment)
    }

    /// The same of a client at another port.
    fn frames_of(&self, port: u16, segment: usize) -> Vec<Vec<u8>> {
        let (client, server) = ("192.0.2.10".parse().unwrap(), "198.51.100.20".parse().unwrap());
        let framed = |side: Direction, protocol: u8, body: Vec<u8>| match side {
            Up => ethernet(0x0800, &ip(client, server, protocol, &body)),
            Down => ethernet(0x0800, &ip(server, client, protocol, &body)),
        };
        let ports = |side: Direction, client: u16| if side == Up { (client, 443) } else { (443, client) };
        if self.datagrams() {
            let datagram = |(side, which, bytes): &(Direction, usize, Vec<u8>)| {
                let (from, to) = ports(*side, port + *which as u16);
                framed(*side, 17, udp(from, to, bytes))
            };
            return self.said.iter().map(datagram).collect();
        }
        let mut next = [1_000_u32, 9_000];
        let mut frames = Vec::new();
        let mut push = |side: Direction, flags: u8, bytes: &[u8]| {
            let (mine, theirs) = if side == Up { (0, 1) } else { (1, 0) };
            let (from, to) = ports(side, port);
            let acknowledged = if flags & ACK == 0 { 0 } else { next[theirs] };
            frames.push(framed(side, 6, tcp(from, to, next[mine], acknowledged, flags, bytes)));
            next[mine] += bytes.len() as u32 + u32::from(flags & SYN != 0);
        };
        push(Up, SYN, b"");
        push(Down, SYN_ACK, b"");
        push(Up, ACK, b"");
        for (side, _, bytes) in &self.said {
            bytes.chunks(segment).for_each(|part| push(*side, ACK, part));
        }
        frames
    }

    fn secrets(&self) -> Arc<Secrets> {
        let mut secrets = Secrets::new();
        for (label, of, secret) in &self.keys {
            secrets.add(label, of, secret);
        }
        Arc::new(secrets)
    }
}

fn read(frames: &[Vec<u8>], secrets: &Arc<Secrets>) -> Kept {
    read_within(frames, secrets, Limits::default())
}

fn read_within(frames: &[Vec<u8>], secrets: &Arc<Secrets>, limits: Limits) -> Kept {
    let mut kept = Kept::default();
    let mut engine = Engine::new(limits);
    engine.learn(Arc::clone(secrets));
    for (number, bytes) in (1..).zip(frames) {
        engine.frame(&frame(number, number as i64, farshore_model::LinkType::ETHERNET, bytes), &mut kept);
    }
    kept.coverage = engine.finish(&mut kept);
    kept
}

/// Name, version, suite, and what the content was protected by. A name tells what is special: `mte` for MAC-then-encrypt.
const ROWS: &[(&str, &str, &str, Protection)] = &[
    ("dtls10-aes128-cbc", "1.0", "TLS_RSA_WITH_AES_128_CBC_SHA", Protection::Dtls),
    ("dtls12-aes128-cbc", "1.2", "TLS_RSA_WITH_AES_128_CBC_SHA", Protection::Dtls),
    ("dtls12-aes128-ccm8", "1.2", "TLS_RSA_WITH_AES_128_CCM_8", Protection::Dtls),
    (
        "dtls12-aes128-gcm",
        "1.2",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        Protection::Dtls,
    ),
    (
        "dtls12-aes256-cbc-mte",
        "1.2",
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",
        Protection::Dtls,
    ),
    (
        "dtls12-aes256-gcm",
        "1.2",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        Protection::Dtls,
    ),
    (
        "dtls12-chacha20",
        "1.2",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        Protection::Dtls,
    ),
    ("dtls12-gnutls", "1.2", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", Protection::Dtls),
    ("quic1-aes128-gcm", "1.3", "TLS_AES_128_GCM_SHA256", Protection::Quic),
    ("quic1-aes256-gcm", "1.3", "TLS_AES_256_GCM_SHA384", Protection::Quic),
    ("quic1-chacha20", "1.3", "TLS_CHACHA20_POLY1305_SHA256", Protection::Quic),
    ("quic1-early-data", "1.3", "TLS_AES_256_GCM_SHA384", Protection::Quic),
    ("quic1-greased", "1.3", "TLS_AES_128_GCM_SHA256", Protection::Quic),
    ("quic1-key-update", "1.3", "TLS_AES_256_GCM_SHA384", Protection::Quic),
    ("quic1-moved", "1.3", "TLS_AES_256_GCM_SHA384", Protection::Quic),
    ("quic1-refused", "1.3", "TLS_AES_256_GCM_SHA384", Protection::Quic),
    ("quic1-retry", "1.3", "TLS_AES_256_GCM_SHA384", Protection::Quic),
    ("quic1-wanders", "1.3", "TLS_AES_256_GCM_SHA384", Protection::Quic),
    ("quic2-aes128-gcm", "1.3", "TLS_AES_128_GCM_SHA256", Protection::Quic),
    ("quic2-chacha20-key-update", "1.3", "TLS_CHACHA20_POLY1305_SHA256", Protection::Quic),
    ("quic2-negotiated", "1.3", "TLS_AES_256_GCM_SHA384", Protection::Quic),
    ("tls10-3des-cbc", "1.0", "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", Protection::Tls),
    ("tls10-aes128-cbc", "1.0", "TLS_RSA_WITH_AES_128_CBC_SHA", Protection::Tls),
    ("tls10-aes256-cbc-mte", "1.0", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", Protection::Tls),
    ("tls10-premaster", "1.0", "TLS_RSA_WITH_AES_128_CBC_SHA", Protection::Tls),
    ("tls10-rc4", "1.0", "TLS_ECDHE_RSA_WITH_RC4_128_SHA", Protection::Tls),
    ("tls11-aes128-cbc", "1.1", "TLS_RSA_WITH_AES_128_CBC_SHA", Protection::Tls),
    ("tls11-aes256-cbc-mte", "1.1", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", Protection::Tls),
    ("tls12-3des-cbc-mte", "1.2", "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", Protection::Tls),
    ("tls12-3des-cbc", "1.2", "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", Protection::Tls),
    ("tls12-aes128-cbc-sha-mte", "1.2", "TLS_RSA_WITH_AES_128_CBC_SHA", Protection::Tls),
    ("tls12-aes128-cbc-sha", "1.2", "TLS_RSA_WITH_AES_128_CBC_SHA", Protection::Tls),
    (
        "tls12-aes128-cbc-sha256-mte",
        "1.2",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
        Protection::Tls,
    ),
    (
        "tls12-aes128-cbc-sha256",
        "1.2",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
        Protection::Tls,
    ),
    ("tls12-aes128-ccm", "1.2", "TLS_RSA_WITH_AES_128_CCM", Protection::Tls),
    ("tls12-aes128-ccm8", "1.2", "TLS_RSA_WITH_AES_128_CCM_8", Protection::Tls),
    ("tls12-aes256-cbc-sha-mte", "1.2", "TLS_RSA_WITH_AES_256_CBC_SHA", Protection::Tls),
    ("tls12-aes256-cbc-sha", "1.2", "TLS_RSA_WITH_AES_256_CBC_SHA", Protection::Tls),
    (
        "tls12-aes256-cbc-sha384-mte",
        "1.2",
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",
        Protection::Tls,
    ),
    (
        "tls12-aes256-cbc-sha384",
        "1.2",
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",
        Protection::Tls,
    ),
    ("tls12-aes256-ccm", "1.2", "TLS_RSA_WITH_AES_256_CCM", Protection::Tls),
    ("tls12-aes256-ccm8", "1.2", "TLS_RSA_WITH_AES_256_CCM_8", Protection::Tls),
    (
        "tls12-anonymous-aes128-gcm",
        "1.2",
        "TLS_DH_anon_WITH_AES_128_GCM_SHA256",
        Protection::Tls,
    ),
    ("tls12-aria128-gcm", "1.2", "TLS_RSA_WITH_ARIA_128_GCM_SHA256", Protection::Tls),
    ("tls12-aria256-gcm", "1.2", "TLS_RSA_WITH_ARIA_256_GCM_SHA384", Protection::Tls),
    (
        "tls12-camellia128-cbc",
        "1.2",
        "TLS_RSA_WITH_CAMELLIA_128_CBC_SHA256",
        Protection::Tls,
    ),
    (
        "tls12-camellia128-gcm",
        "1.2",
        "TLS_ECDHE_RSA_WITH_CAMELLIA_128_GCM_SHA256",
        Protection::Tls,
    ),
    (
        "tls12-camellia256-cbc-mte",
        "1.2",
        "TLS_RSA_WITH_CAMELLIA_256_CBC_SHA",
        Protection::Tls,
    ),
    (
        "tls12-camellia256-gcm",
        "1.2",
        "TLS_ECDHE_RSA_WITH_CAMELLIA_256_GCM_SHA384",
        Protection::Tls,
    ),
    (
        "tls12-chacha20",
        "1.2",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        Protection::Tls,
    ),
    (
        "tls12-client-certificate",
        "1.2",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        Protection::Tls,
    ),
    (
        "tls12-dhe-rsa-aes128-gcm",
        "1.2",
        "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
        Protection::Tls,
    ),
    (
        "tls12-ecdhe-ecdsa-aes256-gcm",
        "1.2",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        Protection::Tls,
    ),
    (
        "tls12-ecdhe-rsa-aes128-gcm",
        "1.2",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        Protection::Tls,
    ),
    (
        "tls12-goes-on-id-begun",
        "1.2",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        Protection::Tls,
    ),
    (
        "tls12-goes-on-ticket-begun",
        "1.2",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        Protection::Tls,
    ),
    ("tls12-null-md5", "1.2", "TLS_RSA_WITH_NULL_MD5", Protection::Plaintext),
    ("tls12-null-sha", "1.2", "TLS_RSA_WITH_NULL_SHA", Protection::Plaintext),
    ("tls12-null-sha256", "1.2", "TLS_RSA_WITH_NULL_SHA256", Protection::Plaintext),
    ("tls12-premaster-plain", "1.2", "TLS_RSA_WITH_AES_128_CBC_SHA", Protection::Tls),
    ("tls12-premaster", "1.2", "TLS_RSA_WITH_AES_128_CBC_SHA", Protection::Tls),
    ("tls12-psk-aes128-gcm", "1.2", "TLS_PSK_WITH_AES_128_GCM_SHA256", Protection::Tls),
    ("tls12-rc4-md5", "1.2", "TLS_RSA_WITH_RC4_128_MD5", Protection::Tls),
    ("tls12-rc4", "1.2", "TLS_ECDHE_RSA_WITH_RC4_128_SHA", Protection::Tls),
    ("tls12-renegotiation-cbc", "1.2", "TLS_RSA_WITH_AES_128_CBC_SHA", Protection::Tls),
    (
        "tls12-renegotiation",
        "1.2",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        Protection::Tls,
    ),
    (
        "tls12-resumed-id",
        "1.2",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        Protection::Tls,
    ),
    (
        "tls12-resumed-ticket",
        "1.2",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        Protection::Tls,
    ),
    ("tls12-rsa-aes128-gcm", "1.2", "TLS_RSA_WITH_AES_128_GCM_SHA256", Protection::Tls),
    ("tls12-rsa-aes256-gcm", "1.2", "TLS_RSA_WITH_AES_256_GCM_SHA384", Protection::Tls),
    (
        "tls12-small-records",
        "1.2",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        Protection::Tls,
    ),
    ("tls13-aes128-ccm", "1.3", "TLS_AES_128_CCM_SHA256", Protection::Tls),
    ("tls13-aes128-ccm8", "1.3", "TLS_AES_128_CCM_8_SHA256", Protection::Tls),
    ("tls13-aes128-gcm", "1.3", "TLS_AES_128_GCM_SHA256", Protection::Tls),
    ("tls13-aes256-gcm", "1.3", "TLS_AES_256_GCM_SHA384", Protection::Tls),
    ("tls13-chacha20", "1.3", "TLS_CHACHA20_POLY1305_SHA256", Protection::Tls),
    ("tls13-client-certificate", "1.3", "TLS_AES_128_GCM_SHA256", Protection::Tls),
    ("tls13-early-data", "1.3", "TLS_AES_256_GCM_SHA384", Protection::Tls),
    ("tls13-external-psk", "1.3", "TLS_AES_128_GCM_SHA256", Protection::Tls),
    ("tls13-gnutls", "1.3", "TLS_AES_256_GCM_SHA384", Protection::Tls),
    ("tls13-http2", "1.3", "TLS_AES_256_GCM_SHA384", Protection::Tls),
    ("tls13-key-update", "1.3", "TLS_AES_256_GCM_SHA384", Protection::Tls),
    ("tls13-no-compatibility", "1.3", "TLS_AES_256_GCM_SHA384", Protection::Tls),
    ("tls13-padded", "1.3", "TLS_AES_128_GCM_SHA256", Protection::Tls),
    ("tls13-resumed", "1.3", "TLS_AES_256_GCM_SHA384", Protection::Tls),
    ("tls13-retry", "1.3", "TLS_AES_128_GCM_SHA256", Protection::Tls),
    ("tls13-small-records", "1.3", "TLS_AES_128_GCM_SHA256", Protection::Tls),
];

/// A recording under a suite that nothing here opens, and its suite.
const CLOSED: (&str, &str) = ("tls12-gost", "TLS_GOSTR341112_256_WITH_28147_CNT_IMIT");

/// Connections that go on with the session of another, which the key log tells alone.
const GOING_ON: [(&str, &str); 2] = [
    ("tls12-goes-on-id", "tls12-goes-on-id-begun"),
    ("tls12-goes-on-ticket", "tls12-goes-on-ticket-begun"),
];

static SESSIONS: LazyLock<Vec<Session>> = LazyLock::new(|| ROWS.iter().map(|row| Session::read(row.0)).collect());

/// Requests with the protection of what they stood in.
fn requests(kept: &Kept) -> Vec<(String, Protection)> {
    let requests = kept.facts.iter().filter_map(|it| match &it.what {
        Observation::Request {
            host: Some(host), path, ..
        } => Some((format!("{host}{path}"), it.protection)),
        _ => None,
    });
    requests.collect()
}

/// Whether a session of that name asks for that, and where it moves, for that as well.
fn is_said(name: &str, what: &str) -> bool {
    let path = what.strip_prefix(name).and_then(|rest| rest.strip_prefix(".example"));
    path.is_some_and(|path| {
        path == "/hello"
            || WAYS
                .iter()
                .any(|(moved, ways)| *moved == name && ways.iter().any(|(_, it)| *it == path))
    })
}

/// Connections that move: the flows they take and what they ask for there, in this order.
const WAYS: [(&str, &[(u32, &str)]); 2] = [
    ("quic1-moved", &[(0, "/hello"), (1, "/moved")]),
    (
        "quic1-wanders",
        &[(0, "/hello"), (1, "/moved"), (2, "/rebound"), (3, "/again"), (0, "/returned")],
    ),
];

/// Facts and fields, for comparisons that leave places out.
fn learnt(kept: &Kept) -> Vec<String> {
    let facts = kept.facts.iter().map(|it| format!("{:?} {:?}", it.what, it.protection));
    let fields = kept.fields.iter().map(|(path, value)| format!("{path}={}", value.escape_ascii()));
    let mut all: Vec<String> = facts.chain(fields).collect();
    all.sort();
    all
}

fn missed(kept: &Kept) -> Vec<String> {
    let keys = kept.flows.iter().filter_map(|flow| flow.keys());
    keys.filter_map(|it| it.missed.as_ref()).map(ToString::to_string).collect()
}

#[test]
fn every_recording_has_its_row() {
    let mut there: Vec<String> = std::fs::read_dir(beside(""))
        .unwrap()
        .filter_map(|it| {
            it.unwrap()
                .file_name()
                .into_string()
                .unwrap()
                .strip_suffix(".bin")
                .map(str::to_owned)
        })
        .collect();
    there.sort();
    let mut rows: Vec<&str> = ROWS
        .iter()
        .map(|row| row.0)
        .chain([CLOSED.0])
        .chain(GOING_ON.map(|it| it.0))
        .collect();
    rows.sort();
    assert_eq!(there, rows);
}

#[test]
fn every_session_is_opened() {
    // All key logs at once, the latest line first: other sessions are mixed in.
    let mut all = Secrets::new();
    for (label, of, secret) in SESSIONS.iter().flat_map(|it| &it.keys).rev() {
        all.add(label, of, secret);
    }
    let all = Arc::new(all);
    for (session, (name, version, suite, protection)) in SESSIONS.iter().zip(ROWS) {
        let kept = read(&session.frames(1_440), &all);
        let found = requests(&kept);
        let expected = |(what, under): &(String, Protection)| is_said(name, what) && under == protection;
        assert!(!found.is_empty() && found.iter().all(expected), "{name}: {found:?}");
        let heard = kept
            .fields
            .iter()
            .any(|(path, value)| path == "http.response.body" && value.starts_with(b"heard"));
        let echoed = found.len() > 1;
        assert!(heard || echoed, "{name}: the answer was not read");
        let chosen = kept.facts.iter().find_map(|it| match &it.what {
            Observation::Channel {
                version,
                cipher: Some(suite),
                ..
            } => Some((version.as_str(), suite.as_str())),
            _ => None,
        });
        assert_eq!(chosen, Some((*version, *suite)), "{name}");
        let hidden = *protection != Protection::Plaintext;
        assert_eq!(kept.flows[0].is_opened(), hidden, "{name}");
        assert_eq!(missed(&kept), [""; 0], "{name}");
        assert!(kept.anomalies.is_empty(), "{name}: {:?}", kept.anomalies);
        // The sessions of TLS 1.3 show their certificates to whoever has keys, unless a secret of before stood for them.
        let secret = ["resumed", "early", "psk"].iter().any(|it| name.contains(it));
        if *version == "1.3" && !secret {
            let shown = kept
                .facts
                .iter()
                .filter(|it| matches!(it.what, Observation::Certificate { leaf: true, .. }));
            let shown: Vec<Protection> = shown.map(|it| it.protection).collect();
            assert_eq!(shown, [*protection], "{name}");
        }
    }
}

/// To another port under another id or under the same, and back: each request stands in the flow and the frame in which it was made.
#[test]
fn a_connection_that_moves_is_read_where_it_goes_on() {
    for (name, ways) in WAYS {
        let session = SESSIONS.iter().find(|it| it.name == name).unwrap();
        let kept = read(&session.frames(1_440), &session.secrets());
        let asked = kept.facts.iter().filter_map(|it| match &it.what {
            Observation::Request { path, .. } => Some(((it.flow.0, path.as_str()), it.locus.span.frame)),
            _ => None,
        });
        let (asked, frames): (Vec<_>, Vec<u64>) = asked.unzip();
        assert_eq!(asked, ways, "{name}");
        assert!(frames.is_sorted(), "{name}: {frames:?}");
        for ((flow, _), frame) in asked.iter().zip(frames) {
            let (side, which, _) = &session.said[frame as usize - 1];
            assert_eq!((*side, *which as u32), (Up, *flow), "{name}: frame {frame}");
        }
        let answers = kept.fields.iter().filter(|(path, _)| path == "http.response.body").count();
        assert_eq!(answers, ways.len(), "{name}");
        for flow in &kept.flows {
            assert_eq!((flow.protection, flow.is_opened()), (Protection::Quic, true), "{name}");
            assert_eq!(flow.protocols.first(), Some(&"quic"), "{name}");
            assert!(flow.protocols.contains(&"http3"), "{name}: {:?}", flow.protocols);
        }
        // Without keys nobody can tell where it went.
        let blind = read(&session.frames(1_440), &Arc::default());
        assert!(
            blind.flows.iter().skip(1).all(|flow| flow.protection == Protection::Opaque),
            "{name}"
        );
    }
}

/// An id or a ticket leads to the secret of the session, whichever connection comes first and however few are kept.
#[test]
fn a_session_that_goes_on_is_opened_with_the_keys_of_its_beginning() {
    for (name, begun) in GOING_ON {
        let (begun, going_on) = (Session::read(begun), Session::read(name));
        assert!(going_on.keys.is_empty(), "{name}");
        let (first, second) = (begun.frames_of(50_000, 1_440), going_on.frames_of(50_001, 1_440));
        for size in [1, 17, 1_440] {
            let frames = [begun.frames_of(50_000, size), going_on.frames_of(50_001, size)].concat();
            let kept = read(&frames, &begun.secrets());
            let asked: Vec<String> = requests(&kept).into_iter().map(|(what, _)| what).collect();
            assert_eq!(
                asked,
                [format!("{name}-begun.example/hello"), format!("{name}.example/hello")],
                "in pieces of {size}"
            );
            // It is one session, and so it counts.
            let prints = |flow: &farshore_model::Flow| flow.keys().map(|it| it.opened.clone());
            assert_eq!(prints(&kept.flows[0]), prints(&kept.flows[1]), "{name}");
            let [one, two] = &kept.flows[..] else { panic!("{name}: two flows") };
            assert!(
                one.is_opened() && two.is_opened() && missed(&kept).is_empty(),
                "{name}: {:?}",
                missed(&kept)
            );
            assert!(
                kept.anomalies.is_empty() && kept.limits.is_empty(),
                "{name}: {:?} {:?}",
                kept.anomalies,
                kept.limits
            );
            let place = kept
                .facts
                .iter()
                .rfind(|it| matches!(it.what, Observation::Request { .. }))
                .unwrap();
            assert_eq!((place.flow.0, place.protection), (1, Protection::Tls), "{name}");
            assert!(
                place.locus.span.frame as usize > frames.len() - going_on.frames(size).len(),
                "{name}"
            );
            let answers = kept.fields.iter().filter(|(path, _)| path == "http.response.body").count();
            assert_eq!(answers, 2, "{name}");
        }
        // Captured the other way round; and without its beginning.
        let turned = read(&[second.clone(), first.clone()].concat(), &begun.secrets());
        assert_eq!(requests(&turned).len(), 2, "{name}");
        let alone = read(&second, &begun.secrets());
        assert!(requests(&alone).is_empty() && !alone.flows[0].is_opened(), "{name}");
        assert_eq!(missed(&alone), [misses::NO_SUCH], "{name}");
        // Ceilings are told: no room for any connection, and for the first bytes of one alone.
        let both = [first, second].concat();
        for (limit, opened) in [("resumed-sessions", false), ("resumed-bytes", true)] {
            let mut limits = Limits::default();
            limits.set(limit, if opened { 200 } else { 0 }).unwrap();
            let kept = read_within(&both, &begun.secrets(), limits);
            assert_eq!((requests(&kept).len(), &kept.limits[..]), (1, &[limit][..]), "{name}");
            assert_eq!(kept.flows[1].is_opened(), opened, "{name} under {limit}");
        }
    }
}

/// A client that comes back from the same port has another connection, with tables of its own.
#[test]
fn connections_of_one_port_are_not_mixed() {
    let [one, two] = ["quic1-aes128-gcm", "quic1-aes256-gcm"].map(|name| SESSIONS.iter().find(|it| it.name == name).unwrap());
    let mut all = Secrets::new();
    for (label, of, secret) in one.keys.iter().chain(&two.keys) {
        all.add(label, of, secret);
    }
    let kept = read(&[one.frames(1_440), two.frames(1_440)].concat(), &Arc::new(all));
    let asked: Vec<String> = requests(&kept).into_iter().map(|(what, _)| what).collect();
    assert_eq!(asked, ["quic1-aes128-gcm.example/hello", "quic1-aes256-gcm.example/hello"]);
    assert_eq!((kept.flows.len(), kept.anomalies.len()), (1, 0), "{:?}", kept.anomalies);
    assert_eq!(kept.flows[0].keys().unwrap().opened.len(), 2);
    assert_eq!(kept.fields.iter().filter(|(path, _)| path == "http.response.body").count(), 2);
}

/// Captured at two places, or brought twice by the network.
#[test]
fn what_comes_twice_is_told_once() {
    for session in SESSIONS.iter().filter(|it| it.datagrams()) {
        let frames = session.frames(1_440);
        // But for what stays opaque: each datagram of that is shown.
        let told = |frames: &[Vec<u8>]| {
            let mut all = learnt(&read(frames, &session.secrets()));
            all.retain(|it| !it.starts_with("udp.payload"));
            all
        };
        let once = told(&frames);
        let twice: Vec<Vec<u8>> = frames.iter().flat_map(|it| [it.clone(), it.clone()]).collect();
        assert_eq!(told(&twice), once, "{}", session.name);
    }
}

#[test]
fn how_often_requests_were_made_is_told() {
    for (name, times) in [
        ("tls13-key-update", 3),
        ("tls13-early-data", 2),
        ("tls12-renegotiation", 2),
        ("tls12-renegotiation-cbc", 2),
        ("quic1-key-update", 4),
    ] {
        let session = SESSIONS.iter().find(|it| it.name == name).unwrap();
        assert_eq!(requests(&read(&session.frames(1_440), &session.secrets())).len(), times, "{name}");
    }
}

#[test]
fn any_segmentation_tells_the_same() {
    for session in SESSIONS.iter().filter(|it| !it.datagrams()) {
        let secrets = session.secrets();
        let whole = learnt(&read(&session.frames(1_440), &secrets));
        for size in [1, 5, 17, 300] {
            assert_eq!(
                learnt(&read(&session.frames(size), &secrets)),
                whole,
                "{} in pieces of {size}",
                session.name
            );
        }
    }
}

#[test]
fn without_keys_nothing_inside_is_told() {
    for (session, row) in SESSIONS.iter().zip(ROWS) {
        let kept = read(&session.frames(1_440), &Arc::default());
        assert!(
            kept.facts.iter().all(|it| it.protection == Protection::Plaintext),
            "{}",
            session.name
        );
        assert_eq!(requests(&kept).is_empty(), row.3 != Protection::Plaintext, "{}", session.name);
        assert!(kept.flows.iter().all(|flow| flow.keys().is_none()), "{}", session.name);
    }
}

/// Whatever frame is missing, what is told is true, and where something stayed closed for it, that is told as well.
#[test]
fn a_lost_frame_costs_no_more_than_it_must() {
    for (session, row) in SESSIONS.iter().zip(ROWS) {
        let (secrets, frames) = (session.secrets(), session.frames(1_440));
        let whole = requests(&read(&frames, &secrets)).len();
        for lost in 0..frames.len() {
            let mut rest = frames.clone();
            rest.remove(lost);
            let kept = read(&rest, &secrets);
            let found = requests(&kept);
            assert!(found.iter().all(|(what, _)| is_said(row.0, what)), "{}: {found:?}", row.0);
            assert!(found.len() <= whole);
        }
    }
    // Of three requests under three generations of keys, one is lost: the others are read. So with records that are numbered otherwise.
    for (name, others) in [("tls13-key-update", 2), ("tls12-renegotiation", 1), ("quic1-key-update", 3)] {
        let session = SESSIONS.iter().find(|it| it.name == name).unwrap();
        let (secrets, frames) = (session.secrets(), session.frames(1_440));
        let counts: Vec<usize> = (0..frames.len())
            .map(|lost| {
                let mut rest = frames.clone();
                rest.remove(lost);
                requests(&read(&rest, &secrets)).len()
            })
            .collect();
        assert!(counts.iter().filter(|it| **it == others).count() >= 2, "{name}: {counts:?}");
    }
}

/// Keys prove what they open: a changed byte hides something, and never makes something up.
#[test]
fn a_changed_byte_makes_nothing_up() {
    for name in [
        "tls13-aes128-gcm",
        "tls12-aes128-cbc-sha",
        "tls12-aes256-cbc-sha384-mte",
        "tls12-aes128-ccm",
        "dtls12-aes128-gcm",
        "quic1-chacha20",
    ] {
        let session = SESSIONS.iter().find(|it| it.name == name).unwrap();
        let (secrets, frames) = (session.secrets(), session.frames(1_440));
        for which in 0..frames.len() {
            for at in (54..frames[which].len()).step_by(7) {
                let mut changed = frames.clone();
                changed[which][at] ^= 0x21;
                let kept = read(&changed, &secrets);
                let sealed = kept.facts.iter().filter(|it| it.protection != Protection::Plaintext);
                for it in sealed {
                    if let Observation::Request { host, path, .. } = &it.what {
                        assert_eq!(format!("{}{path}", host.as_ref().unwrap()), format!("{name}.example/hello"));
                    }
                }
            }
        }
    }
}
