//! Messages made by hand and the published one. Nothing here leaves the tests.

use super::super::notebook::{Notebook, damage, datagrams, feed, read_datagrams, read_stream, stream};
use super::*;

use Direction::{Down, Up};

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

fn attribute(number: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap().to_be_bytes();
    let mut it = [&number.to_be_bytes()[..], &length, value].concat();
    it.resize(it.len().next_multiple_of(4), 0);
    it
}

fn message(kind: u16, attributes: &[Vec<u8>]) -> Vec<u8> {
    let body = attributes.concat();
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&kind.to_be_bytes()[..], &length, &COOKIE, b"transaction!", &body].concat()
}

/// 203.0.113.5, port 4660, as XOR-*-ADDRESS.
fn hidden(address: [u8; 4]) -> Vec<u8> {
    let [a, b, c, d] = address;
    vec![0, 1, 0x33, 0x26, a ^ 0x21, b ^ 0x12, c ^ 0xa4, d ^ 0x42]
}

fn allocate() -> Vec<u8> {
    message(
        0x0003,
        &[
            attribute(0x0006, b"alice"),
            attribute(0x0014, b"rooms.example"),
            attribute(0x8022, b"Voice 1.0"),
            attribute(0x0019, &[17, 0, 0, 0]),
        ],
    )
}

fn allocated() -> Vec<u8> {
    message(
        0x0103,
        &[
            attribute(0x0016, &hidden([192, 0, 2, 15])),
            attribute(0x0020, &hidden([203, 0, 113, 5])),
        ],
    )
}

fn texts(out: &Notebook) -> Vec<(&str, String)> {
    out.fields
        .iter()
        .map(|(path, value, _)| (path.as_str(), String::from_utf8_lossy(value).into_owned()))
        .collect()
}

const TOLD: [(&str, &str); 5] = [
    ("stun.username", "alice"),
    ("stun.realm", "rooms.example"),
    ("stun.software", "Voice 1.0"),
    ("stun.relayed-address", "192.0.2.15"),
    ("stun.mapped-address", "203.0.113.5"),
];

fn check(out: &Notebook) {
    assert_eq!(texts(out), TOLD.map(|(path, value)| (path, value.to_owned())));
    assert_eq!(out.client, Some(Up));
}

#[test]
fn a_relay_is_asked_and_answers() {
    let (up, down) = (allocate(), allocated());
    let out = read_datagrams(&STUN, (50_000, 3478), &[(Up, &up), (Down, &down)]);
    check(&out);
    assert_eq!(out.protection, None);
    let name = up.windows(5).position(|it| it == b"alice").unwrap() as u64;
    assert_eq!(out.fields[0].2, farshore_model::Span::in_frame(1, 42 + name, 5));
}

/// The IPv6 answer of RFC 5769, section 2.3.
#[test]
fn the_published_answer() {
    let text = "0101004821 12a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c";
    let digits: Vec<u8> = text.bytes().filter(|it| *it != b' ').collect();
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|it| u8::from_str_radix(std::str::from_utf8(it).unwrap(), 16).unwrap())
        .collect();
    let out = read_datagrams(&STUN, (3478, 50_000), &[(Down, &bytes)]);
    let expected = [
        ("stun.software", "test vector"),
        ("stun.mapped-address", "2001:db8:1234:5678:11:2233:4455:6677"),
    ];
    assert_eq!(texts(&out), expected.map(|(path, value)| (path, value.to_owned())));
}

#[test]
fn any_segmentation_over_tcp_tells_the_same() {
    let channel = [&[0x40, 1, 0, 5][..], b"\x01\x02\x03\x04\x05\0\0\0"].concat();
    let (up, down) = ([allocate(), channel].concat(), allocated());
    let frame = |it: Vec<u8>| [&u16::try_from(it.len()).unwrap().to_be_bytes()[..], &it].concat();
    for (up, down) in [(up, down), (frame(allocate()), frame(allocated()))] {
        for size in 1..up.len() {
            let chunks: Vec<_> = up
                .chunks(size)
                .map(|it| (Up, it))
                .chain(down.chunks(size).map(|it| (Down, it)))
                .collect();
            check(&read_stream(&STUN, (50_000, 3478), &chunks));
        }
    }
}

#[test]
fn after_a_gap_the_next_message_is_awaited() {
    let up = allocate();
    let mut it = STUN.start(&stream(1, 3478, &up, b""), &Limits::default());
    let mut out = Notebook::default();
    let piece = super::super::notebook::piece;
    it.segment(Up, Segment::Bytes(piece(1, &up[..30])), &mut out);
    it.segment(Up, Segment::Gap(10), &mut out);
    it.segment(Up, Segment::Bytes(piece(2, &up[40..])), &mut out);
    it.segment(Up, Segment::Bytes(piece(3, &up)), &mut out);
    assert_eq!(out.values("stun.username"), ["alice"]);
}

/// RTP in even steps.
fn voice() -> Vec<Vec<u8>> {
    (0_u16..9)
        .map(|number| {
            [
                &[0x80, 0][..],
                &number.to_be_bytes(),
                &(u32::from(number) * 160).to_be_bytes(),
                &[1, 2, 3, 4],
                &[9; 160],
            ]
            .concat()
        })
        .collect()
}

#[test]
fn media_beside_it_and_in_channels_is_handed_on() {
    let ask = allocate();
    let packets = voice();
    let channels: Vec<_> = packets.iter().map(|it| [&[0x40, 0, 0, 172][..], it].concat()).collect();
    let indications: Vec<_> = packets
        .iter()
        .map(|it| message(0x0016, &[attribute(0x0012, &hidden([198, 51, 100, 7])), attribute(0x0013, it)]))
        .collect();
    for list in [&packets, &channels, &indications] {
        let list: Vec<_> = std::iter::once(&ask).chain(list).map(|it| (Up, &it[..])).collect();
        let out = read_datagrams(&STUN, (50_000, 3478), &list);
        let handed: Vec<_> = out.inner.iter().map(|(_, hint, bytes)| (*hint, bytes)).collect();
        assert_eq!(handed, packets.iter().map(|it| ("rtp", it)).collect::<Vec<_>>());
        assert_eq!(out.protection, Some(Protection::Opaque));
    }
    let list: Vec<_> = indications.iter().map(|it| (Up, &it[..])).collect();
    assert_eq!(read_datagrams(&STUN, (1, 2), &list).values("stun.peer-address").len(), 9);
}

#[test]
fn what_nobody_knows_leaves_the_flow_opaque() {
    let ask = allocate();
    let out = read_datagrams(&STUN, (1, 2), &[(Up, &ask), (Up, b"\xf0what is this"), (Up, b"\x80\x81")]);
    assert_eq!((out.protection, out.inner.len()), (Some(Protection::Opaque), 0));
}

#[test]
fn the_oldest_form_is_read_once_it_has_answered() {
    let ask = [&[0, 1, 0, 0][..], &[7; 16]].concat();
    let answer = [&[1, 1, 0, 12][..], &[7; 16], &[0, 1, 0, 8, 0, 1, 0x12, 0x34, 203, 0, 113, 5]].concat();
    assert_eq!(STUN.matches(&datagrams(1, 2, &[(Up, &ask)])), Match::No);
    let out = read_datagrams(&STUN, (1, 2), &[(Up, &ask), (Down, &answer)]);
    assert_eq!(texts(&out), [("stun.mapped-address", "203.0.113.5".to_owned())]);
}

#[test]
fn only_messages_that_fit_are_recognised() {
    let ask = allocate();
    for cut in 0..ask.len() {
        assert_eq!(STUN.matches(&datagrams(1, 2, &[(Up, &ask[..cut])])), Match::No, "{cut}");
    }
    let longer = [&ask[..], &[0; 4]].concat();
    assert_eq!(STUN.matches(&datagrams(1, 2, &[(Up, &longer)])), Match::No);
    assert_eq!(STUN.matches(&stream(1, 2, &ask[..7], b"")), Match::Maybe);
    assert_eq!(STUN.matches(&stream(1, 2, &ask[..8], b"")), Match::Yes);
    assert_eq!(STUN.matches(&stream(1, 2, b"GET / HTTP/1.1", b"")), Match::No);
}

#[test]
fn damage_never_panics() {
    for transport in [Transport::Udp, Transport::Tcp] {
        damage(&STUN, (50_000, 3478), transport, Up, &allocate());
        damage(&STUN, (50_000, 3478), transport, Down, &allocated());
    }
    let _ = feed(
        STUN.start(&stream(1, 2, b"", b""), &Limits::default()).as_mut(),
        &[(Up, &[0xff; 300])],
    );
}

#[test]
fn the_words_of_a_connectivity_check_are_no_account() {
    let check = message(0x0001, &[attribute(0x0006, b"XpJs:kSty")]);
    let out = read_datagrams(&STUN, (50_000, 50_002), &[(Up, &check)]);
    assert_eq!(out.values("stun.username"), Vec::<&str>::new());
    assert_eq!(out.values("stun.ice.ufrag"), ["XpJs:kSty"]);
}
