//! Scenes with speech: who can listen? RTP in clear, under keys told in clear or within TLS, under keys that DTLS agreed on, with another
//! layer beneath; straight, through a TURN server, or to a vendor that passes it on.

use aes::Aes128;
use aes::cipher::{Block, BlockCipherEncrypt, KeyInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Behind, Datum, Play, START, Stage, Told};
use crate::client::{Direction, FlowId, MS, Nanos, Peer, Transport};
use crate::dns::{self, Record};
use crate::g711::{HARBOUR, LANTERNS};
use crate::http::Http;
use crate::payload::Payload;
use crate::rtp::{Packet, Protection};
use crate::tls::{Session, Suite, datagram};

pub(super) static PLAYS: &[Play] = &[
    ("rtp", |it| call(it, &CALL)),
    ("rtp-turn", |it| call(it, &Call { path: Path::Turn, ..CALL })),
    ("rtp-vendor", |it| {
        call(
            it,
            &Call {
                path: Path::Vendor,
                ..CALL
            },
        )
    }),
    ("ecb", |it| call(it, &Call { inner: Inner::Ecb, ..CALL })),
    ("sdes", |it| call(it, &Call { keys: Keys::Told, ..CALL })),
    ("sdes-turn", |it| {
        call(
            it,
            &Call {
                keys: Keys::Told,
                path: Path::Turn,
                ..CALL
            },
        )
    }),
    ("sdes-tls", |it| {
        call(
            it,
            &Call {
                keys: Keys::ToldInTls,
                ..CALL
            },
        )
    }),
    ("sdes-tls-keys", |it| {
        call(
            it,
            &Call {
                keys: Keys::ToldInTls,
                given: true,
                ..CALL
            },
        )
    }),
    ("sdes-tls-turn-keys", |it| {
        call(
            it,
            &Call {
                keys: Keys::ToldInTls,
                path: Path::Turn,
                given: true,
                ..CALL
            },
        )
    }),
    ("dtls", |it| {
        call(
            it,
            &Call {
                keys: Keys::Agreed,
                ..CALL
            },
        )
    }),
    ("dtls-keys", |it| {
        call(
            it,
            &Call {
                keys: Keys::Agreed,
                given: true,
                ..CALL
            },
        )
    }),
    ("dtls-turn", |it| {
        call(
            it,
            &Call {
                keys: Keys::Agreed,
                path: Path::Turn,
                ..CALL
            },
        )
    }),
    ("dtls-turn-keys", |it| {
        call(
            it,
            &Call {
                keys: Keys::Agreed,
                path: Path::Turn,
                given: true,
                ..CALL
            },
        )
    }),
    ("dtls-turn-sframe-keys", |it| {
        call(
            it,
            &Call {
                keys: Keys::Agreed,
                path: Path::Turn,
                inner: Inner::Sframe,
                given: true,
            },
        )
    }),
    ("dtls-vendor", |it| {
        call(
            it,
            &Call {
                keys: Keys::Agreed,
                path: Path::Vendor,
                ..CALL
            },
        )
    }),
    ("dtls-vendor-keys", |it| {
        call(
            it,
            &Call {
                keys: Keys::Agreed,
                path: Path::Vendor,
                given: true,
                ..CALL
            },
        )
    }),
    ("dtls-vendor-sframe", |it| {
        call(
            it,
            &Call {
                keys: Keys::Agreed,
                path: Path::Vendor,
                inner: Inner::Sframe,
                ..CALL
            },
        )
    }),
    ("dtls-vendor-sframe-keys", |it| {
        call(
            it,
            &Call {
                keys: Keys::Agreed,
                path: Path::Vendor,
                inner: Inner::Sframe,
                given: true,
            },
        )
    }),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    None,
    /// In signalling in clear.
    Told,
    /// In signalling within TLS.
    ToldInTls,
    /// By DTLS on the same ports.
    Agreed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Path {
    /// To an address that signalling told.
    Straight,
    /// In channels of a TURN server.
    Turn,
    /// To a vendor's server, which DTLS asks for by its name.
    Vendor,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Inner {
    None,
    /// Each block for itself.
    Ecb,
    /// Frames sealed by one user for the others (RFC 9605).
    Sframe,
}

struct Call {
    keys: Keys,
    path: Path,
    inner: Inner,
    /// Whether the keys of sessions are given.
    given: bool,
}

const CALL: Call = Call {
    keys: Keys::None,
    path: Path::Straight,
    inner: Inner::None,
    given: false,
};

const STRAIGHT: &[&str] = &["on-path", "hosting", "endpoint"];
const PASSED: &[&str] = &["on-path", "hosting", "relay", "endpoint"];

/// The speech, the layers around it, and all that may be behind its bytes.
fn speech(it: &Call) -> Datum {
    /// Passed on, or not.
    const CLEAR: &[Behind] = &[
        &[("on-path", &[]), ("hosting", &[]), ("relay", &[]), ("endpoint", &[])],
        &[("on-path", &[]), ("hosting", &[]), ("relay", &[])],
    ];
    /// The key went over the captured path too; whether others saw it is not shown.
    const TOLD: &[Behind] = &[
        &[("on-path", &["srtp"]), ("hosting", &[]), ("relay", &[]), ("endpoint", &["srtp"])],
        &[("on-path", &["srtp"]), ("hosting", &["srtp"]), ("relay", &["srtp"])],
    ];
    /// The key went over another server.
    const TOLD_APART: &[Behind] = &[
        &[("on-path", &[]), ("hosting", &[]), ("relay", &[]), ("endpoint", &["srtp"])],
        &[("on-path", &[]), ("hosting", &["srtp"]), ("relay", &["srtp"])],
    ];
    /// Nothing shows that there is any secret about these bytes.
    const UNKNOWN: &[Behind] = &[
        &[("on-path", &[]), ("hosting", &[]), ("relay", &[]), ("endpoint", &["srtp", "inner"])],
        &[
            ("on-path", &["srtp", "inner"]),
            ("hosting", &["srtp", "inner"]),
            ("relay", &["srtp"]),
            ("endpoint", &[]),
        ],
    ];
    /// DTLS ends at the address, or behind it.
    const AGREED: &[Behind] = &[
        &[("on-path", &[]), ("hosting", &[]), ("relay", &["dtls"]), ("endpoint", &["dtls"])],
        &[("on-path", &[]), ("hosting", &["dtls", "inner"]), ("relay", &[])],
        &[
            ("on-path", &[]),
            ("hosting", &[]),
            ("relay", &["dtls", "inner"]),
            ("endpoint", &["dtls", "inner"]),
        ],
    ];
    /// DTLS was asked for the server by its name, and ends there.
    const NAMED: &[Behind] = &[
        &[("on-path", &[]), ("hosting", &[]), ("relay", &["dtls"]), ("endpoint", &["dtls"])],
        &[("on-path", &[]), ("hosting", &["dtls"]), ("relay", &["dtls"])],
    ];
    let (layers, behind): (&[&str], &[Behind]) = match (it.keys, it.inner) {
        (Keys::None, Inner::None) if it.path == Path::Straight => (&[], &CLEAR[..1]),
        (Keys::None, Inner::None) => (&[], CLEAR),
        (Keys::None, _) => (&["inner"], UNKNOWN),
        (Keys::Told, _) => (&["srtp"], TOLD),
        (Keys::ToldInTls, _) if it.given => (&["srtp"], TOLD_APART),
        (Keys::ToldInTls, _) => (&["srtp"], UNKNOWN),
        (Keys::Agreed, Inner::None) if it.given && it.path == Path::Vendor => (&["dtls"], NAMED),
        (Keys::Agreed, Inner::None) => (&["dtls"], AGREED),
        (Keys::Agreed, _) => (&["dtls", "inner"], AGREED),
    };
    Datum {
        kind: "audio",
        value: None,
        field: None,
        layers,
        roles: if it.path == Path::Straight { STRAIGHT } else { PASSED },
        behind,
    }
}

/// Two people who speak for three seconds.
fn call(stage: &mut Stage, it: &Call) -> Told {
    let vendor = "sfu-2.relaywright.example";
    let (peer, port) = match it.path {
        Path::Straight => (stage.peer("", [203, 0, 113, 52], "tally"), 40_002),
        Path::Turn => (stage.peer("", [198, 51, 100, 42], "cumulus"), 3478),
        Path::Vendor => (stage.peer(vendor, [198, 51, 100, 42], "relaywright"), 5004),
    };
    let mut at = START;
    if it.path == Path::Vendor {
        let resolver = stage.resolver();
        let record = Record {
            name: vendor,
            alias: None,
            address: peer.address,
        };
        at = dns::resolve(&mut stage.client, &resolver, at, &record);
    }
    let flow = stage.client.open(Transport::Udp, "media", &peer, port);
    let mut line = Line {
        flow,
        turn: it.path == Path::Turn,
    };
    if line.turn {
        at = allocate(stage, flow, at);
    }
    let masters: [([u8; 16], [u8; 14]); 2] = [0, 1].map(|_| (stage.random.bytes(), stage.random.bytes()));
    let media = match it.keys {
        Keys::None => None,
        Keys::Told | Keys::ToldInTls => {
            at = signal(stage, it.keys == Keys::ToldInTls, at, &masters);
            Some(masters.map(|(key, salt)| Protection::new(&key, &salt)))
        }
        Keys::Agreed => {
            let credential = stage.authority.credential(vendor);
            let named = (it.path == Path::Vendor).then_some(vendor);
            let agreement = datagram::agree(named, &credential, &mut stage.random);
            for (direction, bytes) in agreement.datagrams {
                line.say(stage, at, direction, &bytes, None);
                at += 15 * MS;
            }
            stage.client.keylog.push(agreement.keylog);
            Some(agreement.media)
        }
    };
    talk(stage, &mut line, at, media.as_ref(), it.inner);
    Told {
        server: peer.address,
        data: vec![speech(it)],
        keys: it.given,
    }
}

/// A path for datagrams.
struct Line {
    flow: FlowId,
    turn: bool,
}

/// The first channel (RFC 8656, section 12).
const CHANNEL: u16 = 0x4000;

impl Line {
    fn say(&mut self, stage: &mut Stage, at: Nanos, direction: Direction, bytes: &[u8], ssrc: Option<u32>) {
        let payload = if self.turn {
            let mut framed = CHANNEL.to_be_bytes().to_vec();
            framed.extend((bytes.len() as u16).to_be_bytes());
            framed.extend(bytes);
            Payload::from(framed)
        } else {
            Payload::from(bytes.to_vec())
        };
        match ssrc {
            Some(ssrc) => stage.client.speech(self.flow, at, direction, &payload, ssrc),
            None => stage.client.udp(self.flow, at, direction, &payload),
        }
    }
}

fn talk(stage: &mut Stage, line: &mut Line, at: Nanos, media: Option<&[Protection; 2]>, inner: Inner) {
    let key = stage.random.bytes::<16>();
    for (side, (direction, voice)) in [(Direction::Up, HARBOUR), (Direction::Down, LANTERNS)].into_iter().enumerate() {
        let ssrc = stage.random.word() as u32 | 1;
        let first = stage.random.below(0x4000) as u16;
        for (number, frame) in (0_u16..150).zip(voice.frames()) {
            let packet = Packet {
                marker: number == 0,
                // Of another layer it is not said what is beneath.
                payload_type: if inner == Inner::Sframe { 96 } else { 0 },
                sequence: first.wrapping_add(number),
                timestamp: u32::from(number) * 160,
                ssrc,
                payload: beneath(&frame, inner, &key, number),
            };
            let bytes = media.map_or_else(|| packet.plain(), |keys| keys[side].protect(&packet));
            // Whoever calls speaks first.
            let late = stage.random.below(MS) + side as u64 * 7 * MS;
            line.say(stage, at + u64::from(number) * 20 * MS + late, direction, &bytes, Some(ssrc));
        }
    }
}

/// A frame of speech, as a user seals it for the others.
fn beneath(frame: &[u8], inner: Inner, key: &[u8; 16], number: u16) -> Vec<u8> {
    let cipher = Aes128::new(&(*key).into());
    match inner {
        Inner::None => frame.to_vec(),
        Inner::Ecb => frame
            .chunks_exact(16)
            .flat_map(|it| {
                let mut block: Block<Aes128> = [0; 16].into();
                block.copy_from_slice(it);
                cipher.encrypt_block(&mut block);
                block.to_vec()
            })
            .collect(),
        Inner::Sframe => {
            // RFC 9605, section 4.3: a key number of 3 bits and a counter of two bytes.
            let mut out = vec![0x09];
            out.extend(number.to_be_bytes());
            for (index, chunk) in frame.chunks(16).enumerate() {
                let mut block: Block<Aes128> = [0; 16].into();
                block[..2].copy_from_slice(&number.to_be_bytes());
                block[15] = index as u8;
                cipher.encrypt_block(&mut block);
                out.extend(chunk.iter().zip(block).map(|(a, b)| a ^ b));
            }
            let mut tag: Block<Aes128> = [0x5f; 16].into();
            tag[..2].copy_from_slice(&number.to_be_bytes());
            cipher.encrypt_block(&mut tag);
            out.extend(&tag[..8]);
            out
        }
    }
}

/// An invitation and its answer, each with a key (RFC 4568).
fn signal(stage: &mut Stage, sealed: bool, at: Nanos, masters: &[([u8; 16], [u8; 14]); 2]) -> Nanos {
    let server: Peer = stage.peer("sip.parlour.example", [198, 51, 100, 20], "parlour");
    let describe = |(key, salt): &([u8; 16], [u8; 14]), address: &str| {
        let inline = STANDARD.encode([&key[..], &salt[..]].concat());
        format!(
            "v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\nm=audio 40002 RTP/SAVP 0\r\n\
             a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{inline}\r\n"
        )
    };
    let head = |first: &str, body: &str| {
        format!(
            "{first}\r\nVia: SIP/2.0/TCP 192.0.2.10:5060;branch=z9hG4bK7\r\nFrom: <sip:ann@parlour.example>;tag=1\r\n\
             To: <sip:bo@parlour.example>;tag=2\r\nCall-ID: 7@parlour.example\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let invitation = head("INVITE sip:bo@parlour.example SIP/2.0", &describe(&masters[0], "192.0.2.10"));
    let accepted = head("SIP/2.0 200 OK", &describe(&masters[1], "203.0.113.52"));
    let (up, down) = (Payload::new().put(invitation), Payload::new().put(accepted));
    if sealed {
        let flow = stage.client.open(Transport::Tcp, "sip", &server, 5061);
        let credential = stage.authority.credential(&server.name);
        let opened = Session::open_with(&server.name, Suite::Tls13Aes128Gcm, &credential, None, &mut stage.random);
        let client = &mut stage.client;
        let mut session = Http::within(client, flow, at, opened);
        session.exchange(client, at, &up, 30 * MS, &down);
        session.close(client, at)
    } else {
        let flow = stage.client.open(Transport::Udp, "sip", &server, 5060);
        stage.client.udp(flow, at, Direction::Up, &up);
        stage.client.udp(flow, at + 60 * MS, Direction::Down, &down);
        at + 80 * MS
    }
}

/// Asks a TURN server for an address, and binds a channel to a peer (RFC 8656, sections 7 and 12), without the integrity that no reader checks.
fn allocate(stage: &mut Stage, flow: FlowId, at: Nanos) -> Nanos {
    const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
    let xor = |address: [u8; 4], port: u16| {
        let mut it = vec![0, 1];
        it.extend((port ^ 0x2112).to_be_bytes());
        it.extend(address.iter().zip(COOKIE).map(|(a, b)| a ^ b));
        it
    };
    let attribute = |kind: u16, value: &[u8]| {
        let mut it = kind.to_be_bytes().to_vec();
        it.extend((value.len() as u16).to_be_bytes());
        it.extend(value);
        it
    };
    let mapped = xor(stage.client.address.octets(), 50_000);
    let peer = xor([192, 0, 2, 77], 50_010);
    let channel = [CHANNEL.to_be_bytes(), [0, 0]].concat();
    let said = [
        (Direction::Up, 0x0003, attribute(0x0019, &[17, 0, 0, 0])),
        (
            Direction::Down,
            0x0103,
            [
                attribute(0x0016, &xor([198, 51, 100, 42], 49_500)),
                attribute(0x0020, &mapped),
                attribute(0x000d, &600_u32.to_be_bytes()),
            ]
            .concat(),
        ),
        (
            Direction::Up,
            0x0009,
            [attribute(0x000c, &channel), attribute(0x0012, &peer)].concat(),
        ),
        (Direction::Down, 0x0109, Vec::new()),
    ];
    let mut now = at;
    let mut transaction = [0; 12];
    for (direction, kind, attributes) in said {
        if direction == Direction::Up {
            transaction = stage.random.bytes::<12>();
        }
        let mut message = (kind as u16).to_be_bytes().to_vec();
        message.extend((attributes.len() as u16).to_be_bytes());
        message.extend(COOKIE);
        message.extend(transaction);
        message.extend(attributes);
        stage.client.udp(flow, now, direction, &Payload::from(message));
        now += 20 * MS;
    }
    now
}
