//! Tests on the handshake in `samples/` (two endpoints of OpenSSL over datagrams of 256 bytes, with a certificate made for
//! it), and on datagrams put together here.

use farshore_model::observation::{ChannelSecrecy, Ech};
use farshore_model::{Direction, Observation};

use super::super::notebook::{Notebook, damage, datagrams, feed, piece, read_datagrams};
use super::super::tls::TLS;
use super::*;

use Direction::{Down, Up};

const SAMPLE: &[u8] = include_bytes!("samples/dtls12.bin");

/// SHA-256 of the certificate, as `openssl dgst` gives it.
const CERTIFICATE: &str = "d08e3def8fb53fb0899a10ab9585715364c8cb625c38695971a15e7e7a392d1f";

fn flights() -> Vec<(Direction, &'static [u8])> {
    let mut rest = SAMPLE;
    let mut list = Vec::new();
    while let [direction, high, low, after @ ..] = rest {
        let (datagram, after) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        list.push((if *direction == 0 { Up } else { Down }, datagram));
        rest = after;
    }
    list
}

/// What the reader of TLS makes of the messages that were handed to it.
fn inside(out: &Notebook) -> Notebook {
    let opening = Opening {
        layers: &["udp", "dtls"],
        start: Start::Hinted,
        ..datagrams(50_000, 3478, &[])
    };
    let mut it = TLS.start(&opening, &Limits::default());
    let mut told = Notebook::default();
    for (direction, hint, bytes) in &out.inner {
        assert_eq!(*hint, "tls");
        it.segment(*direction, Segment::Bytes(piece(1, bytes)), &mut told);
    }
    told
}

fn read(list: &[(Direction, &[u8])]) -> Notebook {
    read_datagrams(&DTLS, (50_000, 3478), list)
}

#[test]
fn a_handshake_in_fragments_is_told() {
    let out = read(&flights());
    assert_eq!((out.anomalies.len(), out.limits.len()), (0, 0));
    let told = inside(&out);
    assert_eq!(told.client, Some(Up));
    assert_eq!(
        told.values("tls.sni"),
        ["voice.example"; 2],
        "the hello came twice: the second with a cookie"
    );
    let certificate = told.facts().into_iter().find_map(|it| match it {
        Observation::Certificate {
            subject,
            names,
            sha256,
            leaf,
        } => Some((subject.to_string(), names.len(), sha256.clone(), *leaf)),
        _ => None,
    });
    assert_eq!(certificate, Some(("voice.example".to_owned(), 2, CERTIFICATE.to_owned(), true)));
    let channels: Vec<_> = told
        .facts()
        .into_iter()
        .filter_map(|it| match it {
            Observation::Channel {
                protocol,
                version,
                cipher,
                readable,
                ja3,
                ja4,
                ech,
            } => Some((
                *protocol,
                version.clone(),
                cipher.clone(),
                *readable,
                ja3.clone(),
                ja4.clone(),
                *ech,
            )),
            _ => None,
        })
        .collect();
    assert_eq!(channels.len(), 3);
    let (protocol, version, cipher, readable, ja3, ja4, ech) = &channels[0];
    assert_eq!(
        (*protocol, version.as_str(), cipher, *readable, *ech),
        ("dtls", "1.2", &None, ChannelSecrecy::Unknown, Ech::None)
    );
    assert_eq!(ja3, &None, "JA3 is of TLS");
    assert!(
        ja4.as_ref().is_some_and(|it| it.starts_with("dd2d") && it.contains("wc_")),
        "{ja4:?}"
    );
    assert_eq!(&channels[1], &channels[0], "the cookie changes no fingerprint");
    assert_eq!(channels[2].2.as_deref(), Some("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"));
    assert_eq!(channels[2].3, ChannelSecrecy::Sealed);
}

#[test]
fn pieces_in_any_order_and_again_make_the_same_messages() {
    let list = flights();
    let sorted = |out: &Notebook| {
        let mut told: Vec<String> = inside(out).facts().iter().map(|it| format!("{it:?}")).collect();
        told.sort();
        told
    };
    let expected = sorted(&read(&list));
    for turn in 1..list.len() {
        let mut other = list.clone();
        other.swap(turn - 1, turn);
        other.insert(turn, list[turn]);
        assert_eq!(sorted(&read(&other)), expected, "{turn}");
    }
    let reversed: Vec<_> = list.iter().rev().copied().collect();
    assert_eq!(sorted(&read(&reversed)).len(), expected.len());
}

/// A handshake record with one fragment.
fn fragment(kind: u8, length: u32, number: u16, offset: u32, body: &[u8]) -> Vec<u8> {
    let head = [
        &[kind],
        &length.to_be_bytes()[1..],
        &number.to_be_bytes(),
        &offset.to_be_bytes()[1..],
        &u32::try_from(body.len()).unwrap().to_be_bytes()[1..],
        body,
    ]
    .concat();
    let size = u16::try_from(head.len()).unwrap().to_be_bytes();
    [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0][..], &size, &head].concat()
}

#[test]
fn fragments_may_overlap() {
    let parts = [
        fragment(11, 9, 1, 4, b"efg"),
        fragment(11, 9, 1, 0, b"abcdX"),
        fragment(11, 8, 1, 0, b"other!!!"),
        fragment(11, 9, 1, 6, b"Yhi"),
    ];
    let list: Vec<_> = parts.iter().map(|it| (Down, &it[..])).collect();
    let bytes: Vec<u8> = read(&list).inner.iter().flat_map(|(_, _, bytes)| bytes.clone()).collect();
    assert_eq!(bytes, [&[11, 0, 0, 9], &b"abcdXfghi"[..]].concat());
}

#[test]
fn another_handshake_on_the_same_ports_is_told_too() {
    let hello = |random: u8| {
        let body = [&[0xfe, 0xfd], &[random; 32][..], &[0, 0, 0, 2, 0xc0, 0x2b, 1, 0]].concat();
        fragment(1, u32::try_from(body.len()).unwrap(), 0, 0, &body)
    };
    let (one, two) = (hello(1), hello(2));
    let out = read(&[(Up, &one), (Up, &one), (Up, &two), (Up, &two)]);
    assert_eq!(inside(&out).observed.len(), 2);
}

#[test]
fn ceilings_hold() {
    let limits = Limits {
        message_bytes: 1000,
        ..Limits::default()
    };
    let run = |list: &[Vec<u8>]| {
        let list: Vec<_> = list.iter().map(|it| (Up, &it[..])).collect();
        feed(DTLS.start(&datagrams(1, 2, &list), &limits).as_mut(), &list)
    };
    assert_eq!(run(&[fragment(11, 5000, 0, 0, b"abc")]).limits, ["message-bytes"]);
    let many: Vec<_> = (0..40).map(|number| fragment(11, 500, number, 0, b"abc")).collect();
    assert_eq!(run(&many).limits, ["message-bytes"]);
    let again: Vec<_> = (0..2000).map(|_| fragment(11, 500, 0, 0, b"a")).collect();
    assert_eq!(run(&again).inner.len(), 0);
}

#[test]
fn only_what_fits_is_recognised() {
    let list = flights();
    let verdict = |list: &[(Direction, &[u8])]| DTLS.matches(&datagrams(1, 2, list));
    for (direction, datagram) in &list[..11] {
        assert_eq!(verdict(&[(*direction, datagram)]), Match::Yes);
        // Of what is cut, only the beginning of a hello speaks for itself.
        let cut = verdict(&[(*direction, &datagram[..datagram.len() - 1])]);
        assert_eq!(cut == Match::Yes, datagram[13] == 1 && datagram[19..22] == [0; 3], "{datagram:?}");
    }
    let data = list[12];
    assert_eq!(verdict(&[data, data]), Match::Maybe);
    assert_eq!(verdict(&[data, data, data]), Match::Yes);
    assert_eq!(verdict(&[(Up, &[22, 3, 3, 0, 1, 1])]), Match::No);
    assert_eq!(verdict(&[]), Match::No);
}

#[test]
fn what_is_beside_is_handed_on() {
    let packet = |number: u16| {
        [
            &[0x80, 0][..],
            &number.to_be_bytes(),
            &(u32::from(number) * 160).to_be_bytes(),
            &[1, 2, 3, 4],
            &[9; 160],
        ]
        .concat()
    };
    let packets: Vec<_> = (0..9).map(packet).collect();
    let mut list = flights();
    list.extend(packets.iter().map(|it| (Up, &it[..])));
    let out = read(&list);
    let handed = out.inner.iter().filter(|(_, hint, _)| *hint == "rtp").count();
    assert_eq!((handed, out.protection), (9, None), "the handshake explains what follows");
}

#[test]
fn damage_never_panics() {
    for (direction, datagram) in flights() {
        damage(&DTLS, (1, 2), Transport::Udp, direction, datagram);
    }
}
