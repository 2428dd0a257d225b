//! Tests of the whole dissector: the packets of RFC 9001 appendix A (in `samples/`, made from the plaintext printed
//! there and equal to the packets printed there), and packets sealed here. Nothing else.

use farshore_model::Direction::{self, Down, Up};
use farshore_model::{Observation, Span, Transport};

use super::initial::Keys;
use super::packet::{self, Id, Kind, Long};
use super::{QUIC, crypto_stream::CryptoStream, dissect, google};
use crate::limits::Limits;
use crate::protocols::notebook::{Notebook, damage, datagrams, feed, piece, read_datagrams};
use crate::protocols::{Dissector, Field, Match, Milestone, Protocol, Segment, Sink};

const CLIENT: &[u8] = include_bytes!("samples/rfc9001-client.bin");
const SERVER: &[u8] = include_bytes!("samples/rfc9001-server.bin");
const ID: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];

fn keys(version: u32, id: &[u8]) -> Keys {
    let dialect = packet::dialect(version).unwrap();
    Keys::derive(&dialect.salts[0], &dialect, id).unwrap()
}

fn frame(offset: usize, bytes: &[u8]) -> Vec<u8> {
    let number = |value: usize| (u32::try_from(value).unwrap() | 0x8000_0000).to_be_bytes();
    [&[6][..], &number(offset), &number(bytes.len()), bytes].concat()
}

/// A connection whose packets are sealed here.
#[derive(Clone)]
struct Peer {
    version: u32,
    /// Where the keys come from.
    key_id: Vec<u8>,
    destination: Vec<u8>,
    source: Vec<u8>,
    token: Vec<u8>,
}

impl Peer {
    fn new(id: &[u8]) -> Self {
        Self {
            version: 1,
            key_id: id.to_vec(),
            destination: id.to_vec(),
            source: vec![1, 2, 3],
            token: Vec::new(),
        }
    }

    fn seal(&self, from: Direction, number: u8, frames: &[u8]) -> Vec<u8> {
        let keys = keys(self.version, &self.key_id);
        let opener = if from == Up { &keys.client } else { &keys.server };
        let kind = if self.version == 0x6b33_43cf { 0xd0 } else { 0xc0 };
        let padded = [frames, &vec![0; 40_usize.saturating_sub(frames.len())]].concat();
        let length = u16::try_from(padded.len() + 1 + 16).unwrap() | 0x4000;
        let header = [
            &[kind][..],
            &self.version.to_be_bytes(),
            &[u8::try_from(self.destination.len()).unwrap()],
            &self.destination,
            &[u8::try_from(self.source.len()).unwrap()],
            &self.source,
            &[u8::try_from(self.token.len()).unwrap()],
            &self.token,
            &length.to_be_bytes(),
            &[number],
        ]
        .concat();
        opener.seal(&header, 1, &padded)
    }

    /// The same connection from the server's side, answering under an id of its own.
    fn answering(&self, own: &[u8]) -> Self {
        Self {
            destination: self.source.clone(),
            source: own.to_vec(),
            token: Vec::new(),
            ..self.clone()
        }
    }
}

/// A message that looks like a ClientHello of that length.
fn hello(length: usize) -> Vec<u8> {
    let body: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let length = u32::try_from(length).unwrap().to_be_bytes();
    [&[1, length[1], length[2], length[3]], body.as_slice()].concat()
}

fn answer() -> Vec<u8> {
    [&[2, 0, 0, 60, 3, 3][..], &[9; 58]].concat()
}

fn handed_on(out: &Notebook) -> Vec<(Direction, Vec<u8>)> {
    let inner = out.inner.iter().inspect(|(_, hint, _)| assert_eq!(*hint, "tls"));
    inner.map(|(direction, _, bytes)| (*direction, bytes.clone())).collect()
}

fn sessions(out: &Notebook) -> Vec<(&str, Span)> {
    let named = out.observed.iter().filter_map(|(it, at)| match it {
        Observation::SessionNamed { protocol: "quic", id } => Some((id.as_str(), *at)),
        _ => None,
    });
    named.collect()
}

fn fresh() -> Box<dyn Dissector> {
    QUIC.start(&datagrams(40_000, 443, &[]), &Limits::default())
}

#[test]
fn keys_of_rfc_9001_a_1() {
    let keys = keys(1, &ID);
    assert_eq!(keys.client.iv(), *b"\xfa\x04\x4b\x2f\x42\xa3\xfd\x3b\x46\xfb\x25\x5c");
    assert_eq!(keys.server.iv(), *b"\x0a\xc1\x49\x3c\xa1\x90\x58\x53\xb0\xbb\xa0\x3e");
}

#[test]
fn keys_of_rfc_9369_a_1() {
    let keys = keys(0x6b33_43cf, &ID);
    assert_eq!(keys.client.iv(), *b"\x91\xf7\x3e\x23\x51\xd8\xfa\x91\x66\x0e\x90\x9f");
    assert_eq!(keys.server.iv(), *b"\xdd\x13\xc2\x76\x49\x9c\x02\x49\xd3\x31\x06\x52");
}

#[test]
fn the_client_initial_of_rfc_9001_a_2_opens() {
    let (it, rest) = Long::read(CLIENT).unwrap();
    assert_eq!(
        (it.version, it.kind, it.destination.bytes()),
        (1, Kind::Initial { token: false }, &ID[..])
    );
    assert!(rest.is_empty());
    let mut room = Vec::new();
    let (_, frames) = dissect::open_first(&it, &mut room).unwrap();
    assert_eq!(frames.len(), 1162);
    assert!(frames.starts_with(b"\x06\x00\x40\xf1\x01\x00\x00\xed\x03\x03\xeb\xf8\xfa\x56"));
    assert!(frames.windows(11).any(|it| it == b"example.com"));
}

#[test]
fn the_handshake_of_rfc_9001_is_handed_on() {
    let out = read_datagrams(&QUIC, (40_000, 443), &[(Up, CLIENT), (Down, SERVER)]);
    let inner = handed_on(&out);
    assert_eq!(inner.len(), 2);
    assert_eq!((inner[0].0, inner[0].1.len(), inner[0].1[0]), (Up, 241, 1));
    assert_eq!((inner[1].0, inner[1].1.len(), inner[1].1[0]), (Down, 90, 2));
    assert_eq!(sessions(&out), [("8394c8f03e515708", Span::in_frame(1, 48, 8))]);
    assert_eq!(out.client, Some(Up));
}

#[test]
fn every_version_opens_its_own_packets() {
    for version in [
        1,
        0x6b33_43cf,
        0xff00_0016,
        0xff00_0017,
        0xff00_001b,
        0xff00_001d,
        0xff00_0022,
        0xface_b002,
        0x0a0a_0a0a,
        0x8a3a_ca1a,
    ] {
        let peer = Peer { version, ..Peer::new(&ID) };
        let out = read_datagrams(&QUIC, (40_000, 443), &[(Up, &peer.seal(Up, 0, &frame(0, &hello(100))))]);
        assert_eq!(handed_on(&out), [(Up, hello(100))], "{version:08x}");
    }
}

#[test]
fn pieces_in_any_order_and_any_packet_make_the_same_hello() {
    let (whole, peer) = (hello(700), Peer::new(&ID));
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for _ in 0..60 {
        let mut pieces = Vec::new();
        let mut at = 0;
        while at < whole.len() {
            let end = (at + 1 + random.below(120)).min(whole.len());
            // Some overlap what came before.
            let start = at - random.below(at.min(9) + 1);
            pieces.push(frame(start, &whole[start..end]));
            at = end;
        }
        for place in (1..pieces.len()).rev() {
            pieces.swap(place, random.below(place + 1));
        }
        let mut packets = Vec::new();
        while !pieces.is_empty() {
            let part = pieces.split_off(pieces.len() - (1 + random.below(4)).min(pieces.len()));
            packets.push(peer.seal(Up, u8::try_from(packets.len()).unwrap(), &part.concat()));
        }
        let list: Vec<(Direction, &[u8])> = packets.iter().map(|packet| (Up, packet.as_slice())).collect();
        let out = feed(fresh().as_mut(), &list);
        assert_eq!(handed_on(&out), [(Up, whole.clone())]);
        assert_eq!(sessions(&out).len(), 1);
    }
}

#[test]
fn a_message_says_in_which_frames_it_stood() {
    let (whole, peer) = (hello(200), Peer::new(&ID));
    let packets = [
        peer.seal(Up, 0, &frame(100, &whole[100..])),
        peer.seal(Up, 1, &frame(0, &whole[..100])),
    ];
    let mut out = Places::default();
    let mut dissector = fresh();
    for (number, packet) in (7..).zip(&packets) {
        dissector.segment(Up, Segment::Bytes(piece(number, packet)), &mut out);
    }
    assert_eq!(out.places, [(7, 8, 0, false)]);
}

#[test]
fn the_answer_is_read_whatever_ids_are_chosen() {
    let peer = Peer::new(&ID);
    let second = Peer {
        destination: vec![0xaa; 5],
        ..peer.clone()
    };
    let whole = hello(300);
    let server = peer.answering(&[0xaa; 5]);
    // Coalesced: what follows in the datagram is a Handshake packet.
    let sealed = [&[0xe0, 0, 0, 0, 1, 3, 1, 2, 3, 5][..], &[0xaa; 5], &[30], &[7; 30]].concat();
    let down = [server.seal(Down, 0, &[&[2, 0, 0, 0, 0][..], &frame(0, &answer())].concat()), sealed].concat();
    let out = read_datagrams(
        &QUIC,
        (40_000, 443),
        &[
            (Up, &peer.seal(Up, 0, &frame(0, &whole[..100]))),
            (Down, &server.seal(Down, 9, &[2, 0, 0, 0, 0])),
            (Up, &second.seal(Up, 1, &frame(100, &whole[100..]))),
            (Down, &down),
        ],
    );
    assert_eq!(handed_on(&out), [(Up, whole), (Down, answer())]);
    assert_eq!(sessions(&out).len(), 1);
}

#[test]
fn a_retry_does_not_make_a_second_connection() {
    let peer = Peer::new(&ID);
    let retry = [&[0xf0, 0, 0, 0, 1, 3, 1, 2, 3, 4, 9, 9, 9, 9][..], b"token", &[0; 16]].concat();
    let again = Peer {
        key_id: vec![9; 4],
        destination: vec![9; 4],
        token: b"token".to_vec(),
        ..peer.clone()
    };
    let first = peer.seal(Up, 0, &frame(0, &hello(100)));
    let second = again.seal(Up, 1, &frame(0, &hello(100)));
    let down = again.answering(&[9; 4]).seal(Down, 0, &frame(0, &answer()));
    let all: [(Direction, &[u8]); 4] = [(Up, &first), (Down, &retry), (Up, &second), (Down, &down)];
    // Also when the Retry itself was not captured: the token tells.
    for list in [&all[..], &[all[0], all[2], all[3]]] {
        let out = feed(fresh().as_mut(), list);
        assert_eq!(handed_on(&out), [(Up, hello(100)), (Down, answer())]);
        assert_eq!(sessions(&out).len(), 1);
    }
}

#[test]
fn a_second_connection_on_the_same_ports_is_told() {
    let (one, two) = (Peer::new(&ID), Peer::new(&[4; 8]));
    let down = one.answering(&[7; 8]).seal(Down, 0, &frame(0, &answer()));
    let out = read_datagrams(
        &QUIC,
        (40_000, 443),
        &[
            (Up, &one.seal(Up, 0, &frame(0, &hello(100)))),
            (Down, &down),
            (Up, &[0x40; 60]),
            (Up, &two.seal(Up, 0, &frame(0, &hello(120)))),
        ],
    );
    assert_eq!(handed_on(&out), [(Up, hello(100)), (Down, answer()), (Up, hello(120))]);
    let ids: Vec<&str> = sessions(&out).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["8394c8f03e515708", "0404040404040404"]);
}

#[test]
fn a_version_agreed_on_later_has_keys_from_the_same_id() {
    let peer = Peer::new(&ID);
    let server = Peer {
        version: 0x6b33_43cf,
        ..peer.answering(&[7; 8])
    };
    let out = read_datagrams(
        &QUIC,
        (40_000, 443),
        &[
            (Up, &peer.seal(Up, 0, &frame(0, &hello(100)))),
            (Down, &server.seal(Down, 0, &frame(0, &answer()))),
        ],
    );
    assert_eq!(handed_on(&out), [(Up, hello(100)), (Down, answer())]);
}

#[test]
fn a_hello_sent_again_voids_the_round_trip() {
    let peer = Peer::new(&ID);
    let packet = peer.seal(Up, 0, &frame(0, &hello(100)));
    let down = peer.answering(&[7; 8]).seal(Down, 0, &frame(0, &answer()));
    let mut out = Places::default();
    let mut dissector = fresh();
    let list: [(Direction, &[u8]); 4] = [(Up, &packet), (Up, &packet), (Down, &down), (Up, &packet)];
    for (number, (direction, bytes)) in (1..).zip(list) {
        dissector.segment(direction, Segment::Bytes(piece(number, bytes)), &mut out);
    }
    assert_eq!(out.milestones, [Milestone::HelloRepeated]);
}

#[test]
fn bounds_hold() {
    let peer = Peer::new(&ID);
    let limits = Limits {
        crypto_bytes: 150,
        ..Limits::default()
    };
    let packet = peer.seal(Up, 0, &frame(0, &hello(400)));
    let out = feed(QUIC.start(&datagrams(1, 443, &[]), &limits).as_mut(), &[(Up, &packet)]);
    assert_eq!((out.limits.as_slice(), out.inner.len()), (&["crypto-bytes"][..], 0));
    let mut stream = CryptoStream::default();
    let refused = (1..2_000_u64).filter(|at| stream.add(at * 2, &[0], 1, 1 << 16) == super::crypto_stream::Added::Refused);
    assert_eq!(refused.count(), 1_999 - 256);
}

#[test]
fn no_damage_makes_it_panic() {
    damage(&QUIC, (40_000, 443), Transport::Udp, Up, &CLIENT[..60]);
    damage(&QUIC, (40_000, 443), Transport::Udp, Down, SERVER);
    damage(&QUIC, (40_000, 443), Transport::Udp, Up, &google_hello());
    // Frames whose tags fit but whose content is nonsense.
    let mut random = Random(7);
    for _ in 0..500 {
        let noise: Vec<u8> = (0..random.below(80))
            .map(|_| u8::try_from(random.below(256)).unwrap() & 0x87)
            .collect();
        feed(fresh().as_mut(), &[(Up, &Peer::new(&ID).seal(Up, 0, &noise))]);
    }
}

#[test]
fn only_evidence_in_the_bytes_makes_it_quic() {
    let verdict = |list: &[(Direction, &[u8])]| QUIC.matches(&datagrams(40_000, 443, list));
    assert_eq!(verdict(&[(Up, CLIENT)]), Match::Yes);
    let mut broken = CLIENT.to_vec();
    broken[600] ^= 1;
    assert_eq!(verdict(&[(Up, &broken)]), Match::Maybe, "the tag does not fit");
    assert_eq!(verdict(&[(Up, &broken), (Down, SERVER)]), Match::Yes, "two packets in good shape");
    assert_eq!(
        verdict(&[(Up, &[0x40; 60]), (Down, &[0x55; 40])]),
        Match::No,
        "short headers say nothing"
    );
    assert_eq!(verdict(&[(Up, &[0xc0, 1, 2, 3, 4, 0, 0, 0, 0])]), Match::No, "an unknown version");
    let refused = [&[0xca, 0x1a, 0x2a, 0x3a, 0x4a, 8][..], &[1; 1190]].concat();
    assert_eq!(verdict(&[(Up, &refused)]), Match::Maybe);
    let negotiation = [&[0x80, 0, 0, 0, 0, 0, 8][..], &[1; 8], &[0, 0, 0, 1]].concat();
    assert_eq!(verdict(&[(Up, &refused), (Down, &negotiation)]), Match::Yes);
}

/// A hello of Q043: public header, hash, padding and stream frames, tags.
fn google_hello() -> Vec<u8> {
    let tags = [&b"SNI\0"[..], &13_u32.to_le_bytes(), b"UAID", &19_u32.to_le_bytes()].concat();
    let message = [&b"CHLO"[..], &[2, 0, 0, 0], &tags, b"voice.example", b"Chrome"].concat();
    let stream = [&[0xa0, 1, u8::try_from(message.len()).unwrap(), 0][..], &message].concat();
    [&[0x09][..], &ID, b"Q043", &[1], &[0x5a; 12], &stream].concat()
}

#[test]
fn googles_hello_names_server_and_software() {
    let packet = google_hello();
    let out = read_datagrams(&QUIC, (40_000, 443), &[(Up, &packet), (Up, &packet)]);
    assert_eq!(out.values("gquic.sni"), ["voice.example"; 2]);
    assert_eq!(out.values("gquic.user-agent"), ["Chrome"; 2]);
    assert_eq!(sessions(&out).len(), 1);
    let (named, at) = &out.observed[1];
    assert!(matches!(named, Observation::PeerNamed { protocol: "gquic", name } if name.as_str() == "voice.example"));
    let start = usize::try_from(at.offset).unwrap() - 42;
    assert_eq!(&packet[start..][..13], b"voice.example");
}

#[test]
fn googles_last_hello_is_sealed_with_public_keys() {
    let message = google_hello()[30..].to_vec();
    assert!(google::Hello::is_begun(&message));
    let mut sealed = frame(0, &message);
    sealed[0] = 8;
    let peer = Peer {
        version: 0x5130_3530,
        ..Peer::new(&ID)
    };
    let out = read_datagrams(&QUIC, (40_000, 443), &[(Up, &peer.seal(Up, 1, &sealed))]);
    assert_eq!(out.values("gquic.sni"), ["voice.example"]);
}

#[test]
fn ids_are_at_most_twenty_bytes() {
    let packet = [&[0xc0, 0, 0, 0, 1, 21][..], &[1; 60]].concat();
    assert!(Long::read(&packet).is_err());
    assert_eq!(Id::default().bytes(), b"");
}

/// A sink that keeps what the notebook leaves out.
#[derive(Default)]
struct Places {
    /// Carrier, frame, offset and whether it is a range of the frame.
    places: Vec<(u64, u64, u64, bool)>,
    milestones: Vec<Milestone>,
}

impl Sink for Places {
    fn inner(&mut self, _: Direction, _: &'static str, it: Segment<'_>) {
        if let Segment::Bytes(piece) = it {
            let origin = piece.origin;
            self.places.push((origin.carrier, origin.frame, origin.offset, origin.in_frame));
        }
    }

    fn milestone(&mut self, it: Milestone) {
        self.milestones.push(it);
    }

    fn observe(&mut self, _: Observation, _: Span) {}
    fn field(&mut self, _: Field<'_>) {}
    fn anomaly(&mut self, _: &'static str, _: farshore_model::ledger::Severity, _: String, _: Span) {}
    fn carries(&mut self, _: &'static str) {}
    fn protection(&mut self, _: farshore_model::Protection) {}
    fn client_speaks(&mut self, _: Direction) {}
    fn limit(&mut self, _: &'static str) {}
}

/// A small generator (xorshift), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }
}
