//! Tests of the whole dissector, on the handshakes in `samples/` (two endpoints of OpenSSL talking to each other, with
//! a certificate made for it) and on messages put together here. Nothing else.

use farshore_model::Direction::{self, Down, Up};
use farshore_model::observation::{ChannelSecrecy, Ech, EchKey};
use farshore_model::{Observation, Protection, Span, Transport, WireText};

use super::TLS;
use crate::limits::Limits;
use crate::protocols::notebook::{Notebook, damage, feed, piece, read_stream, stream};
use crate::protocols::{Match, Opening, Progress, Protocol, Segment, Start};

const TLS12: &[u8] = include_bytes!("samples/tls12.bin");
const TLS13: &[u8] = include_bytes!("samples/tls13.bin");

/// A sample's flights: a direction, a length, the bytes.
fn flights(mut sample: &[u8]) -> Vec<(Direction, &[u8])> {
    let mut flights = Vec::new();
    while let [direction, high, low, rest @ ..] = sample {
        let (flight, rest) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        flights.push((if *direction == 0 { Up } else { Down }, flight));
        sample = rest;
    }
    flights
}

fn vector(length_bytes: usize, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    [&length[length.len() - length_bytes..], content].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind], vector(3, body).as_slice()].concat()
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3], vector(2, body).as_slice()].concat()
}

fn extension(number: u16, body: &[u8]) -> Vec<u8> {
    [&number.to_be_bytes(), vector(2, body).as_slice()].concat()
}

fn server_name(name: &str) -> Vec<u8> {
    let entry = [&[0], vector(2, name.as_bytes()).as_slice()].concat();
    extension(0, &vector(2, &entry))
}

fn client_hello(extensions: &[Vec<u8>]) -> Vec<u8> {
    let suites = vector(2, &[0x13, 0x01, 0xc0, 0x2f]);
    let body = [&[3, 3], &[7; 32][..], &[0], &suites, &[1, 0], &vector(2, &extensions.concat())].concat();
    message(1, &body)
}

fn server_hello(random: [u8; 32], suite: u16, extensions: &[Vec<u8>]) -> Vec<u8> {
    let body = [
        &[3, 3],
        &random[..],
        &[0],
        &suite.to_be_bytes(),
        &[0],
        &vector(2, &extensions.concat()),
    ]
    .concat();
    message(2, &body)
}

fn names(out: &Notebook) -> Vec<&str> {
    let names = out.observed.iter().filter_map(|(it, _)| match it {
        Observation::PeerNamed { name, .. } => Some(name.as_str()),
        _ => None,
    });
    names.collect()
}

/// Version, suite and secrecy of each hello.
fn channels(out: &Notebook) -> Vec<(&str, Option<&str>, ChannelSecrecy)> {
    let channels = out.observed.iter().filter_map(|(it, _)| match it {
        Observation::Channel {
            version, cipher, readable, ..
        } => Some((version.as_str(), cipher.as_deref(), *readable)),
        _ => None,
    });
    channels.collect()
}

fn fingerprints(out: &Notebook) -> Vec<(&str, &str)> {
    let found = out.observed.iter().filter_map(|(it, _)| match it {
        Observation::Channel {
            ja3: Some(ja3),
            ja4: Some(ja4),
            ..
        } => Some((ja3.as_str(), ja4.as_str())),
        _ => None,
    });
    found.collect()
}

#[test]
fn a_handshake_of_version_1_2_tells_name_suite_and_chain() {
    let out = read_stream(&TLS, (40_000, 443), &flights(TLS12));
    assert_eq!(names(&out), ["voice.example"]);
    assert_eq!(out.values("tls.sni"), ["voice.example"]);
    assert_eq!(out.client, Some(Up));
    // JA3 as tshark computes it on the same bytes.
    assert_eq!(
        fingerprints(&out),
        [("104774240db569f8f87b1a28206b25e5", "t12d1508h2_d68b136fe8d9_e7e480e5a997")]
    );
    assert_eq!(
        channels(&out),
        [
            ("1.2", None, ChannelSecrecy::Unknown),
            ("1.2", Some("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"), ChannelSecrecy::Sealed)
        ]
    );
    let certificates: Vec<_> = out
        .facts()
        .into_iter()
        .filter(|it| matches!(it, Observation::Certificate { .. }))
        .collect();
    let names = ["voice.example", "*.voice.example", "192.0.2.7", "2001:db8::7"].map(WireText::from);
    assert_eq!(
        certificates,
        [
            &Observation::Certificate {
                subject: "voice.example".into(),
                names: names.to_vec(),
                sha256: "5c71f8b7f22786ac7cbab32472549e351c3089ceedb80809e6244f891ff2bace".to_owned(),
                leaf: true,
            },
            &Observation::Certificate {
                subject: "Example Root".into(),
                names: Vec::new(),
                sha256: "5dad95e75089d1792fedce4db06d9d6c239c9872a969a5fa2bc370c703db425d".to_owned(),
                leaf: false,
            }
        ]
    );
    assert_eq!(out.protection, None);
}

#[test]
fn a_handshake_of_version_1_3_tells_name_and_suite() {
    let out = read_stream(&TLS, (40_000, 443), &flights(TLS13));
    assert_eq!(names(&out), ["voice.example"]);
    // The second and third parts are the ones published for the default list of OpenSSL 3.
    assert_eq!(
        fingerprints(&out),
        [("304734bb1c086c3453b387400cf83f11", "t13d1812h2_85036bcba153_d41ae481755e")]
    );
    assert_eq!(
        channels(&out),
        [
            ("1.3", None, ChannelSecrecy::Unknown),
            ("1.3", Some("TLS_AES_256_GCM_SHA384"), ChannelSecrecy::Sealed)
        ]
    );
}

#[test]
fn a_handshake_ends_when_both_sides_have_turned_to_ciphertext() {
    for sample in [TLS12, TLS13] {
        let mut dissector = TLS.start(&stream(40_000, 443, &[], &[]), &Limits::default());
        let mut out = Notebook::default();
        let mut told = Vec::new();
        for (frame, (direction, bytes)) in (1..).zip(flights(sample)) {
            told.push(dissector.segment(direction, Segment::Bytes(piece(frame, bytes)), &mut out));
        }
        assert_eq!(
            told.iter().position(|it| *it == Progress::Done),
            Some(if sample == TLS12 { 3 } else { 2 })
        );
    }
}

#[test]
fn any_cut_of_the_stream_tells_the_same() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for sample in [TLS12, TLS13] {
        let flights = flights(sample);
        let whole = feed(TLS.start(&stream(1, 443, &[], &[]), &Limits::default()).as_mut(), &flights);
        for most in [1, 2, 3, 5, 7, 64, 600] {
            let mut chunks = Vec::new();
            for (direction, bytes) in &flights {
                let mut rest = *bytes;
                while !rest.is_empty() {
                    let (chunk, after) = rest.split_at(random.below(most).min(rest.len() - 1) + 1);
                    chunks.push((*direction, chunk));
                    rest = after;
                }
            }
            let parts = feed(TLS.start(&stream(1, 443, &[], &[]), &Limits::default()).as_mut(), &chunks);
            assert_eq!(parts.facts(), whole.facts());
        }
    }
}

#[test]
fn no_damage_makes_it_panic() {
    let hello = record(22, &client_hello(&[server_name("voice.example"), extension(0xfe0d, &[1])]));
    damage(&TLS, (40_000, 443), Transport::Tcp, Up, &hello);
    for (direction, flight) in flights(TLS12).into_iter().take(2) {
        damage(&TLS, (40_000, 443), Transport::Tcp, direction, flight);
    }
}

#[test]
fn a_name_in_a_hello_of_two_frames_stands_in_both() {
    let hello = record(22, &client_hello(&[server_name("voice.example"), extension(0x0015, &[0; 40])]));
    let (first, second) = hello.split_at(hello.len() - 20);
    let out = read_stream(&TLS, (40_000, 443), &[(Up, first), (Up, second)]);
    let at: Vec<Span> = out.observed.iter().map(|(_, at)| *at).collect();
    assert_eq!(at.len(), 2);
    assert!(at.iter().all(|at| (at.first_frame, at.frame) == (1, 2)));
    let whole = read_stream(&TLS, (40_000, 443), &[(Up, &hello)]);
    let (_, at) = whole.observed[0];
    let start = usize::try_from(at.offset).unwrap() - 42;
    assert_eq!(&hello[start..][..13], b"voice.example");
}

#[test]
fn several_messages_share_a_record_and_one_runs_over_several() {
    let hello = client_hello(&[server_name("voice.example")]);
    let up: Vec<u8> = hello.chunks(30).flat_map(|part| record(22, part)).collect();
    let down = record(22, &[server_hello([9; 32], 0xc02f, &[]), message(14, &[])].concat());
    let out = read_stream(&TLS, (40_000, 443), &[(Up, &up), (Down, &down)]);
    assert_eq!(names(&out), ["voice.example"]);
    assert_eq!(channels(&out).len(), 2);
}

#[test]
fn null_suites_are_readable_and_anonymous_ones_are_named() {
    for (suite, readable, protection) in [
        (0x003b, ChannelSecrecy::Readable, Some(Protection::Plaintext)),
        (0x0018, ChannelSecrecy::Anonymous, None),
        (0x1301, ChannelSecrecy::Sealed, None),
    ] {
        let down = record(22, &server_hello([9; 32], suite, &[]));
        let out = read_stream(&TLS, (40_000, 443), &[(Down, &down)]);
        assert_eq!(channels(&out)[0].2, readable);
        assert_eq!(out.protection, protection);
        assert_eq!(out.client, Some(Up));
    }
}

#[test]
fn a_retry_asks_for_a_second_hello_which_is_read_in_spite_of_change_cipher_spec() {
    let up = record(22, &client_hello(&[server_name("voice.example")]));
    let retry: [u8; 32] = *b"\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91\
        \xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c";
    let version = extension(0x002b, &[3, 4]);
    let change = record(20, &[1]);
    let flights = [
        (Up, up.clone()),
        (
            Down,
            [
                record(22, &server_hello(retry, 0x1301, std::slice::from_ref(&version))),
                change.clone(),
            ]
            .concat(),
        ),
        (Up, [change, up].concat()),
        (
            Down,
            [record(22, &server_hello([9; 32], 0x1301, &[version])), record(23, &[0; 60])].concat(),
        ),
    ];
    let flights: Vec<_> = flights.iter().map(|(direction, bytes)| (*direction, bytes.as_slice())).collect();
    let out = read_stream(&TLS, (40_000, 443), &flights);
    assert_eq!(names(&out), ["voice.example"; 2]);
    assert_eq!(channels(&out).iter().filter(|(version, ..)| *version == "1.3").count(), 2);
}

#[test]
fn names_are_asked_for_by_alpn_or_on_the_port_kept_for_it() {
    let alpn = |values: &[&[u8]]| {
        let list: Vec<u8> = values.iter().flat_map(|it| [&[it.len() as u8][..], it].concat()).collect();
        extension(0x0010, &[&(list.len() as u16).to_be_bytes()[..], &list].concat())
    };
    for (port, offered, expected) in [
        (853, vec![], vec!["dot"]),
        (443, vec![], vec![]),
        (443, vec![alpn(&[b"dot"])], vec!["dot"]),
        (443, vec![alpn(&[b"http/1.1", b"dot"])], vec!["dot"]),
        (853, vec![alpn(&[b"h2"])], vec![]),
        (443, vec![alpn(&[b"doq-i02"])], vec!["doq"]),
        (443, vec![alpn(&[b"doq-i"])], vec![]),
    ] {
        let hello = record(22, &client_hello(&offered));
        let out = read_stream(&TLS, (40_000, port), &[(Up, &hello)]);
        assert_eq!(out.carried, expected, "port {port}, {} extensions", offered.len());
    }
    // Cut inside the extensions: what was not seen may have said otherwise.
    let whole = record(22, &client_hello(&[alpn(&[b"h2"])]));
    let out = read_stream(&TLS, (40_000, 853), &[(Up, &whole[..whole.len() - 4])]);
    assert!(out.carried.is_empty());
}

#[test]
fn an_encrypted_hello_is_seen() {
    // Outside: a suite, a configuration's number, an encapsulated key, what is sealed. Inside: nothing (RFC 9849, section 5).
    let outside = [0, 0, 1, 0, 3, 42, 0, 1, 9, 0, 2, 9, 9];
    let key = EchKey { config: 42, suite: (1, 3) };
    for (extended, expected) in [(&outside[..], Some(key)), (&[1], None), (&outside[..4], None), (&[], None)] {
        let hello = record(22, &client_hello(&[server_name("front.example"), extension(0xfe0d, extended)]));
        let out = read_stream(&TLS, (40_000, 443), &[(Up, &hello)]);
        let seen = out.facts().into_iter().find_map(|it| match it {
            Observation::Channel { ech, .. } => Some(*ech),
            _ => None,
        });
        assert_eq!(seen, Some(Ech::Present(expected)), "{extended:?}");
    }
}

#[test]
fn a_hello_of_version_2_tells_its_version() {
    let hello = [&[0x80, 46, 1, 3, 1, 0, 21, 0, 0, 0, 16][..], &[0, 0, 0x39].repeat(7), &[5; 16]].concat();
    let out = read_stream(&TLS, (40_000, 443), &[(Up, &hello)]);
    assert_eq!(channels(&out), [("1.0", None, ChannelSecrecy::Unknown)]);
    assert_eq!(fingerprints(&out), []);
    assert_eq!(out.observed[0].1, Span::in_frame(1, 42, 48));
}

#[test]
fn a_gap_inside_a_record_keeps_step_and_one_across_records_finds_it_again() {
    let hello = record(22, &client_hello(&[server_name("voice.example")]));
    let answer = record(22, &server_hello([9; 32], 0xc02f, &[]));
    let data = record(23, &[0xaa; 900]);
    let (start, end) = data.split_at(300);
    // The first gap ends in the middle of application data, the second in the middle of the record after it.
    for (gap, rest) in [(400, &end[400..]), (700, &[&[0x55; 200][..], &data].concat())] {
        let mut dissector = TLS.start(&stream(1, 443, &[], &[]), &Limits::default());
        let mut out = Notebook::default();
        dissector.segment(Down, Segment::Bytes(piece(1, start)), &mut out);
        dissector.segment(Down, Segment::Gap(gap), &mut out);
        dissector.segment(Down, Segment::Bytes(piece(2, rest)), &mut out);
        dissector.segment(Down, Segment::Bytes(piece(3, &answer)), &mut out);
        dissector.segment(Up, Segment::Bytes(piece(4, &hello)), &mut out);
        assert_eq!(names(&out), ["voice.example"]);
        assert_eq!(channels(&out)[0].1, Some("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"));
    }
}

#[test]
fn a_name_survives_when_the_end_of_its_hello_was_not_captured() {
    let hello = record(22, &client_hello(&[server_name("voice.example"), extension(0x0015, &[0; 400])]));
    let mut dissector = TLS.start(&stream(1, 443, &[], &[]), &Limits::default());
    let out = feed(dissector.as_mut(), &[(Up, &hello[..160])]);
    assert_eq!(names(&out), ["voice.example"]);
    assert_eq!(fingerprints(&out), [], "no fingerprint of half a hello");
}

#[test]
fn a_certificate_that_is_none_still_has_a_digest() {
    let list = vector(3, b"no certificate");
    let down = record(22, &[server_hello([9; 32], 0xc02f, &[]), message(11, &vector(3, &list))].concat());
    let out = read_stream(&TLS, (40_000, 443), &[(Down, &down)]);
    let Observation::Certificate {
        subject, names, sha256, ..
    } = &out.observed[1].0
    else {
        panic!("no certificate: {:?}", out.observed);
    };
    assert_eq!((subject.as_str(), names.len()), ("", 0));
    assert_eq!(sha256, "de826f9e5acba22f80b95e447f9a1a29db2441d3f8dee9d83dfbb0e52370dfc0");
}

#[test]
fn a_stream_that_loses_all_sense_is_given_up() {
    let hello = record(22, &client_hello(&[]));
    let noise = vec![0xff; Limits::default().message_bytes + 10];
    let mut dissector = TLS.start(&stream(1, 443, &[], &[]), &Limits::default());
    let mut out = Notebook::default();
    assert_eq!(dissector.segment(Up, Segment::Bytes(piece(1, &hello)), &mut out), Progress::More);
    assert_eq!(dissector.segment(Up, Segment::Bytes(piece(2, &noise)), &mut out), Progress::Lost);
}

#[test]
fn a_message_beyond_the_ceiling_is_told() {
    let limits = Limits {
        message_bytes: 100,
        ..Limits::default()
    };
    let hello = record(22, &client_hello(&[extension(0x0015, &[0; 200])]));
    let out = feed(TLS.start(&stream(1, 443, &[], &[]), &limits).as_mut(), &[(Up, &hello)]);
    assert_eq!(out.limits, ["message-bytes"]);
}

#[test]
fn hinted_bytes_of_quic_are_messages_without_records() {
    let opening = Opening {
        transport: Transport::Udp,
        client_port: 40_000,
        server_port: 443,
        layers: &["udp", "quic"],
        start: Start::Hinted,
    };
    assert_eq!(TLS.matches(&opening), Match::Yes);
    let up = client_hello(&[server_name("voice.example")]);
    let down = server_hello([9; 32], 0x1301, &[extension(0x002b, &[3, 4])]);
    let list: Vec<(Direction, &[u8])> = vec![(Up, &up), (Down, &down), (Up, &up)];
    let out = feed(TLS.start(&opening, &Limits::default()).as_mut(), &list);
    assert_eq!(names(&out), ["voice.example"; 2], "each connection names its server");
    assert!(out.facts().iter().all(|it| match it {
        Observation::PeerNamed { protocol, .. } | Observation::Channel { protocol, .. } => *protocol == "quic",
        _ => false,
    }));
    assert!(fingerprints(&out)[0].1.starts_with("q12d"));
}

#[test]
fn only_evidence_in_the_bytes_makes_it_tls() {
    let verdict = |up: &[u8], down: &[u8]| TLS.matches(&stream(40_000, 443, up, down));
    let hello = record(22, &client_hello(&[]));
    assert_eq!(verdict(&hello, &[]), Match::Yes);
    assert_eq!(verdict(&[], &record(22, &server_hello([9; 32], 0x1301, &[]))), Match::Yes);
    assert_eq!(verdict(&hello[..3], &[]), Match::Maybe);
    assert_eq!(verdict(&[], &[]), Match::Maybe);
    assert_eq!(verdict(b"GET / HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n"), Match::No);
    assert_eq!(verdict(&[22, 3, 9, 0, 10, 1], b"x"), Match::No);
    // A capture that began later: one header proves nothing, a second one where it must stand does.
    let data = record(23, &[0xaa; 50]);
    assert_eq!(verdict(&data[..30], b"x"), Match::Maybe);
    assert_eq!(verdict(&data, b"x"), Match::Yes);
    assert_eq!(verdict(&[data.as_slice(), &data].concat(), b"x"), Match::Yes);
    assert_eq!(verdict(&[data.as_slice(), b"hello"].concat(), b"x"), Match::No);
    assert_eq!(verdict(&[23, 3, 3, 0xff, 0xff, 1], b"x"), Match::No);
}

#[test]
fn mail_turns_to_tls_after_words_in_clear() {
    let hello = record(22, &client_hello(&[server_name("mail.example")]));
    let answer = record(22, &server_hello([9; 32], 0xc02f, &[]));
    let out = read_stream(
        &TLS,
        (40_000, 25),
        &[
            (Down, b"220 mail.example ESMTP\r\n"),
            (Up, b"STARTTLS\r\n"),
            (Down, b"220 go ahead\r\n"),
            (Up, &hello),
            (Down, &answer),
        ],
    );
    assert_eq!(names(&out), ["mail.example"]);
    assert_eq!(channels(&out).len(), 2);
    let database = read_stream(
        &TLS,
        (40_000, 5432),
        &[(Up, &[0, 0, 0, 8, 4, 210, 22, 47]), (Down, b"S"), (Up, &hello), (Down, &answer)],
    );
    assert_eq!(channels(&database).len(), 2);
    let buried = [&[0x00, 0x8e, 0x20][..], &hello].concat();
    assert_eq!(TLS.matches(&stream(1, 1194, &buried, b"x")), Match::No);
}

/// A small generator (xorshift), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}
