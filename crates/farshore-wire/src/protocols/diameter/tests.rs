//! Messages made by hand: nodes meet, a subscriber attaches abroad (TS 29.272) and is charged (RFC 8506).

use super::super::notebook::{Notebook, damage, read_stream, stream};
use super::*;
use Direction::{Down, Up};

const CER: &[u8] = include_bytes!("samples/cer.bin");
const CEA: &[u8] = include_bytes!("samples/cea.bin");
const ULR: &[u8] = include_bytes!("samples/ulr.bin");
const ULA: &[u8] = include_bytes!("samples/ula.bin");
const CCR: &[u8] = include_bytes!("samples/ccr.bin");

#[test]
fn who_attaches_and_with_what_is_told_in_place() {
    let out = read_stream(&DIAMETER, (50_000, 3868), &[(Up, ULR), (Down, ULA)]);
    assert_eq!(
        out.told(),
        [
            ("diameter.session-id", "mme1.visited.example;1;7"),
            ("diameter.origin-host", "mme1.visited.example"),
            ("diameter.origin-realm", "visited.example"),
            ("diameter.destination-realm", "home.example"),
            ("diameter.imsi", "262019876543210"),
            ("diameter.imei", "490154203237518"),
            ("diameter.session-id", "mme1.visited.example;1;7"),
            ("diameter.origin-host", "hss1.home.example"),
            ("diameter.origin-realm", "home.example"),
            ("diameter.msisdn", "49151234567"),
        ]
    );
    let (_, imsi, at) = &out.fields[4];
    let place = ULR.windows(imsi.len()).position(|it| it == imsi).unwrap();
    assert_eq!(*at, Span::in_frame(1, 42 + place as u64, 15));
    // Packed digits stand in the bytes they are packed in.
    let place = ULA.windows(6).position(|it| it == [0x94, 0x51, 0x21, 0x43, 0x65, 0xf7]).unwrap();
    assert_eq!(out.fields[9].2, Span::in_frame(2, 42 + place as u64, 6));
}

#[test]
fn who_is_charged_is_told_by_kind() {
    let out = read_stream(&DIAMETER, (50_000, 3868), &[(Up, CCR)]);
    let all = out.told();
    for expected in [
        ("diameter.msisdn", "4915123456789"),
        ("diameter.imsi", "262019876543210"),
        ("diameter.imeisv", "4901542032375101"),
        ("diameter.mac", "3c:5a:b4:01:02:03"),
        ("diameter.calling-station-id", "4915123456789"),
        ("diameter.called-station-id", "rooms.apn"),
        ("diameter.destination-host", "ocs1.home.example"),
    ] {
        assert!(all.contains(&expected), "{expected:?} in {all:?}");
    }
    // In a group of groups, and as a subscription's equipment.
    assert_eq!(out.values("diameter.imeisv").len(), 2);
}

#[test]
fn whoever_asks_for_capabilities_is_the_client() {
    assert_eq!(read_stream(&DIAMETER, (1, 2), &[(Down, CER), (Up, CEA)]).client, Some(Down));
    assert_eq!(read_stream(&DIAMETER, (1, 2), &[(Down, CEA)]).client, Some(Up));
}

#[test]
fn any_segmentation_over_tcp_tells_the_same() {
    let (up, down) = ([CER, ULR, CCR].concat(), [CEA, ULA].concat());
    let whole = read_stream(&DIAMETER, (50_000, 3868), &[(Up, &up), (Down, &down)]);
    let values = |out: &Notebook| {
        out.told()
            .into_iter()
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .collect::<Vec<_>>()
    };
    for size in 1..up.len() {
        let chunks: Vec<_> = up
            .chunks(size)
            .map(|it| (Up, it))
            .chain(down.chunks(size).map(|it| (Down, it)))
            .collect();
        let out = read_stream(&DIAMETER, (50_000, 3868), &chunks);
        assert_eq!(values(&out), values(&whole), "chunks of {size}");
    }
}

#[test]
fn after_a_gap_reading_goes_on_with_the_next_message() {
    let opening = stream(50_000, 3868, CER, &[]);
    let mut peers = DIAMETER.start(&opening, &Limits::default());
    let mut out = Notebook::default();
    let piece = super::super::notebook::piece;
    for (frame, part) in [(1, &CER[..30]), (2, &CER[60..]), (3, ULR)] {
        assert_eq!(peers.segment(Up, Segment::Bytes(piece(frame, part)), &mut out), Progress::More);
        peers.segment(Up, Segment::Gap(30), &mut out);
    }
    assert_eq!(out.values("diameter.imsi"), ["262019876543210"]);
}

#[test]
fn what_does_not_fit_is_not_it() {
    let verdict = |up: &[u8]| DIAMETER.matches(&stream(50_000, 3868, up, &[]));
    assert_eq!(verdict(CER), Match::Yes);
    for cut in 1..CER.len() {
        assert_ne!(verdict(&CER[..cut]), Match::No, "cut at {cut}");
    }
    for (at, byte) in [(0, 2), (3, 0x81), (4, 0xcf), (23, 9), (24, 0x5f), (27, 4), (28, 0)] {
        let mut wrong = CER.to_vec();
        wrong[at] = byte;
        assert_eq!(verdict(&wrong), Match::No, "byte {at}");
    }
    assert_eq!(verdict(b""), Match::No);
    assert_eq!(verdict(&[1; 600]), Match::No);
}

#[test]
fn groups_in_groups_end_somewhere() {
    // A hundred groups, each around the next.
    let mut inner = CCR[20..].to_vec();
    for _ in 0..100 {
        let length = u32::try_from(inner.len() + 12).unwrap();
        let mut group = 873_u32.to_be_bytes().to_vec();
        group.extend((0xc0 << 24 | length).to_be_bytes());
        group.extend(10_415_u32.to_be_bytes());
        group.extend(&inner);
        inner = group;
    }
    let mut message = CCR[..20].to_vec();
    message.extend(&ULR[20..52]);
    message.extend(inner);
    let length = u32::try_from(message.len()).unwrap() | 1 << 24;
    message[..4].copy_from_slice(&length.to_be_bytes());
    let out = read_stream(&DIAMETER, (1, 2), &[(Up, &message)]);
    assert_eq!(out.told(), [("diameter.session-id", "mme1.visited.example;1;7")]);
}

#[test]
fn damage_never_panics() {
    for message in [CER, ULR, ULA, CCR] {
        damage(&DIAMETER, (50_000, 3868), Transport::Tcp, Up, message);
    }
}
