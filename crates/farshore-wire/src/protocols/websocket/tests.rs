//! Messages in frames of all kinds; compression that refers to messages before; gaps and damage.

use farshore_model::Direction::{self, Down, Up};
use flate2::{Compress, Compression, FlushCompress};

use super::WEBSOCKET;
use crate::limits::Limits;
use crate::protocols::notebook::{Notebook, datagrams, feed, piece, stream};
use crate::protocols::{Match, Protocol, Segment};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame; from a client it is masked.
fn frame(first: u8, direction: Direction, payload: &[u8]) -> Vec<u8> {
    let mask = if direction == Up { 0x80 } else { 0 };
    let mut it = vec![first];
    match payload.len() {
        short @ 0..=125 => it.push(mask | short as u8),
        length @ 126..=0xffff => {
            it.push(mask | 126);
            it.extend((length as u16).to_be_bytes());
        }
        length => {
            it.push(mask | 127);
            it.extend((length as u64).to_be_bytes());
        }
    }
    if direction == Up {
        it.extend(KEY);
        it.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    } else {
        it.extend(payload);
    }
    it
}

/// A message as its sender compresses it (RFC 7692, section 7.2.1).
fn deflated(with: &mut Compress, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() * 2 + 64);
    with.compress_vec(text, &mut out, FlushCompress::Sync).unwrap();
    let body = out.strip_suffix(&[0, 0, 0xff, 0xff]).unwrap();
    body.to_vec()
}

fn read(chunks: &[(Direction, &[u8])]) -> Notebook {
    feed(WEBSOCKET.start(&stream(1, 80, b"", b""), &Limits::default()).as_mut(), chunks)
}

#[test]
fn messages_are_told_whole_and_unmasked() {
    let up = [
        frame(0x81, Up, b"{\"user\":\"alice\"}"),
        frame(0x01, Up, b"first, "),
        frame(0x89, Up, b"ping"),
        frame(0x80, Up, b"second"),
        frame(0x88, Up, &[3, 0xe8]),
    ]
    .concat();
    let down = [frame(0x81, Down, &[b'a'; 300]), frame(0x82, Down, &[b'b'; 70_000])].concat();
    for size in [1, 3, 7, 1_000_000] {
        let mut chunks: Vec<_> = up.chunks(size).map(|it| (Up, it)).collect();
        chunks.extend(down.chunks(size.max(50)).map(|it| (Down, it)));
        let out = read(&chunks);
        assert_eq!(out.values("websocket.sent"), ["{\"user\":\"alice\"}", "first, second"]);
        let lengths: Vec<_> = out.values("websocket.received").iter().map(String::len).collect();
        assert_eq!(lengths, [300, 70_000]);
        assert!(out.decoded.iter().all(|(path, by)| path == "websocket.sent" && by == &["mask"]));
        assert_eq!((out.anomalies.len(), out.limits.len()), (0, 0));
    }
    let span = read(&[(Up, &up)]).fields[0].2;
    assert_eq!((span.offset, span.length, span.in_frame), (42 + 6, 16, true));
}

#[test]
fn compressed_messages_lean_on_those_before() {
    let text = b"{\"mail\":\"alice@rooms.example\",\"room\":\"blue-4021\"}";
    let mut sender = Compress::new(Compression::best(), false);
    let [first, second] = [0, 1].map(|_| deflated(&mut sender, text));
    assert!(second.len() < first.len() / 2, "the second refers to the first");
    let chunks = [
        frame(0xc1, Up, &first),
        frame(0x81, Up, b"as it is"),
        frame(0x41, Up, &second[..3]),
        frame(0x80, Up, &second[3..]),
    ];
    let out = read(&chunks.iter().map(|it| (Up, &it[..])).collect::<Vec<_>>());
    let whole = String::from_utf8_lossy(text).into_owned();
    assert_eq!(out.values("websocket.sent"), [whole.clone(), "as it is".to_owned(), whole]);
    assert_eq!(out.decoded[0].1, ["mask", "permessage-deflate"]);
    // A sender that begins anew with each message is read as well.
    let [one, two] = [0, 1].map(|_| deflated(&mut Compress::new(Compression::best(), false), text));
    let out = read(&[(Down, &frame(0xc1, Down, &one)), (Down, &frame(0xc1, Down, &two))]);
    assert_eq!(out.values("websocket.received").len(), 2);
    // RFC 7692, section 7.2.3.2: the same text twice.
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let again = [0xf2, 0x00, 0x11, 0x00, 0x00];
    let out = read(&[(Down, &frame(0xc1, Down, &hello)), (Down, &frame(0xc1, Down, &again))]);
    assert_eq!(out.values("websocket.received"), ["Hello", "Hello"]);
    // Section 7.2.3.4: a message that ends its stream, followed by one more.
    let ended = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    let out = read(&[(Down, &frame(0xc1, Down, &ended)), (Down, &frame(0xc1, Down, &hello))]);
    assert_eq!(out.values("websocket.received"), ["Hello", "Hello"]);
}

#[test]
fn a_bomb_ends_at_the_ceiling() {
    let bomb = deflated(&mut Compress::new(Compression::best(), false), &vec![b'a'; 32 << 20]);
    let out = read(&[(Down, &frame(0xc2, Down, &bomb)), (Down, &frame(0x81, Down, b"after"))]);
    assert_eq!(out.limits, ["inflated-bytes"]);
    let told = out.values("websocket.received");
    assert_eq!((told[0].len(), &*told[1]), (Limits::default().inflated_bytes, "after"));
}

#[test]
fn a_gap_in_a_payload_costs_its_message() {
    let mut it = WEBSOCKET.start(&stream(1, 80, b"", b""), &Limits::default());
    let mut out = Notebook::default();
    let whole = [frame(0x81, Up, b"lost and gone"), frame(0x81, Up, b"kept")].concat();
    let mut give = |segment: Segment<'_>| it.segment(Up, segment, &mut out);
    give(Segment::Bytes(piece(1, &whole[..10])));
    give(Segment::Gap(5));
    give(Segment::Bytes(piece(3, &whole[15..])));
    give(Segment::Gap(1));
    give(Segment::Bytes(piece(5, &whole)));
    it.finish(&mut out);
    assert_eq!(out.values("websocket.sent").last().map(String::as_str), Some("kept"));
    assert!(out.values("websocket.sent").len() <= 2);
}

#[test]
fn what_breaks_the_framing_is_said_once() {
    for bytes in [
        &[0xa1, 1, b'x'][..],
        &[0x83, 0],
        &[0x09, 0],
        &[0x89, 126, 1, 0],
        &[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0],
    ] {
        let out = read(&[(Down, bytes), (Down, bytes)]);
        assert_eq!(
            out.anomalies.iter().map(|it| it.0).collect::<Vec<_>>(),
            ["websocket-frame"],
            "{bytes:x?}"
        );
    }
}

#[test]
fn nothing_but_a_handshake_makes_one() {
    let bytes = frame(0x81, Up, b"x");
    assert_eq!(WEBSOCKET.matches(&stream(1, 80, &bytes, b"")), Match::No);
    assert_eq!(WEBSOCKET.matches(&datagrams(1, 80, &[(Up, &bytes)])), Match::No);
}

#[test]
fn damage_never_panics() {
    let text = b"{\"a\":\"b\\n\"} and so on";
    let body = deflated(&mut Compress::new(Compression::best(), false), text);
    let sample = [
        frame(0x01, Up, b"ab"),
        frame(0xc1, Up, &body),
        frame(0x8a, Up, b""),
        frame(0x80, Up, b"cd"),
    ]
    .concat();
    let mut changed = sample.clone();
    for at in 0..sample.len() {
        read(&[(Up, &sample[..at]), (Down, &sample[at..])]);
        for mask in [0x01, 0x04, 0x20, 0x80, 0xff] {
            changed[at] ^= mask;
            read(&[(Up, &changed)]);
            changed[at] ^= mask;
        }
    }
}

/// RFC 7118, section 5: each message of SIP is one of WebSocket's. Its body needs no length.
#[test]
fn messages_of_sip_are_handed_on() {
    let invite = b"INVITE sip:bob@rooms.example SIP/2.0\r\nCall-ID: 7c1\r\n\r\nv=0\r\n";
    let mut sender = Compress::new(Compression::best(), false);
    let up = [
        frame(0x81, Up, invite),
        frame(0x81, Up, b"INVITE me in"),
        frame(0xc1, Up, &deflated(&mut sender, invite)),
    ]
    .concat();
    let out = read(&[(Up, &up)]);
    assert_eq!(out.inner, [(Up, "sip", invite.to_vec()), (Up, "sip", invite.to_vec())]);
    assert_eq!(out.values("websocket.sent"), ["INVITE me in"]);
}
