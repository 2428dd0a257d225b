//! Sessions made by hand: a login, a message each way, a text in UCS-2.

use farshore_model::{Span, Transport};

use super::super::notebook::{damage, read_stream, stream};
use super::*;
use Direction::{Down, Up};

fn message(command: u32, number: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 16).unwrap();
    let words = [length, command, 0, number];
    [&words.iter().flat_map(|it| it.to_be_bytes()).collect::<Vec<_>>()[..], body].concat()
}

fn login() -> Vec<u8> {
    message(2, 1, b"rooms-sms\x00w4tch\x00VMA\x00\x34\x00\x00\x00")
}

fn answer() -> Vec<u8> {
    message(0x8000_0002, 1, b"centre\x00")
}

/// From a name of letters to a number; class, alphabet, text.
fn submit(class: u8, alphabet: u8, text: &[u8]) -> Vec<u8> {
    let head = [
        &b"\x00\x05\x00Rooms\x00\x01\x014915123456789\x00"[..],
        &[class, 0, 0, 0, 0, 1, 0, alphabet, 0],
    ]
    .concat();
    message(4, 2, &[&head[..], &[text.len() as u8], text].concat())
}

const LOGIN: [(&str, &str); 2] = [("smpp.user", "rooms-sms"), ("smpp.password", "w4tch")];
const SENT: [(&str, &str); 3] = [
    ("smpp.source", "Rooms"),
    ("smpp.destination.msisdn", "4915123456789"),
    ("smpp.message", "Your code is 402133"),
];

#[test]
fn logins_and_messages_are_told_in_place() {
    let (login, submit) = (login(), submit(0, 0, b"Your code is 402133"));
    let out = read_stream(&SMPP, (50_000, 2775), &[(Up, &login), (Down, &answer()), (Up, &submit)]);
    assert_eq!(out.told(), [&LOGIN[..], &SENT].concat());
    assert_eq!(out.fields[0].2, Span::in_frame(1, 42 + 16, 9));
    for (path, value, at) in &out.fields {
        let stands = if at.frame == 1 { &login } else { &submit };
        let place = usize::try_from(at.offset).unwrap() - 42;
        assert_eq!(&stands[place..place + value.len()], &value[..], "{path}");
    }
    assert_eq!(out.client, Some(Up));
}

#[test]
fn texts_are_read_in_their_alphabets() {
    let heard = |class, alphabet, text: &[u8]| {
        let out = read_stream(&SMPP, (1, 2), &[(Up, &submit(class, alphabet, text))]);
        out.values("smpp.message")
    };
    assert_eq!(heard(0, 8, b"\x4f\x60\x59\x7d\x00!"), ["你好!"]);
    assert_eq!(heard(0, 3, b"caf\xe9"), ["café"]);
    assert_eq!(heard(0x40, 0, b"\x05\x00\x03\x07\x02\x01part one"), ["part one"]);
    assert!(heard(0, 4, b"\x01\x02").is_empty(), "binary");
    // A text too long for the body stands among what is optional.
    let mut long = submit(0, 0, b"");
    long.extend(b"\x04\x24\x00\x04text");
    long[3] += 8;
    assert_eq!(read_stream(&SMPP, (1, 2), &[(Up, &long)]).values("smpp.message"), ["text"]);
}

#[test]
fn any_segmentation_over_tcp_tells_the_same() {
    let alive = message(0x15, 9, b"");
    let up = [alive.clone(), login(), submit(0, 0, b"Your code is 402133"), alive].concat();
    let down = answer();
    for size in 1..up.len() {
        let chunks: Vec<_> = up
            .chunks(size)
            .map(|it| (Up, it))
            .chain(down.chunks(size).map(|it| (Down, it)))
            .collect();
        let out = read_stream(&SMPP, (50_000, 2775), &chunks);
        assert_eq!(out.told(), [&LOGIN[..], &SENT].concat(), "chunks of {size}");
    }
}

#[test]
fn what_does_not_fit_is_not_it() {
    let verdict = |up: &[u8]| SMPP.matches(&stream(50_000, 2775, up, b""));
    for whole in [login(), answer(), submit(0, 0, b"hello")] {
        assert_eq!(verdict(&whole), Match::Yes);
        for cut in 1..whole.len() {
            assert_eq!(verdict(&whole[..cut]), Match::Maybe, "cut at {cut}");
        }
        let mut longer = whole.clone();
        longer[3] += 1;
        longer.push(7);
        assert_eq!(verdict(&longer), Match::No);
    }
    let alive = message(0x15, 9, b"");
    assert_eq!(verdict(&alive), Match::Maybe);
    assert_eq!(verdict(&alive.repeat(3)), Match::Maybe);
    for at in [0, 5, 7, 8, 12] {
        let mut wrong = login();
        wrong[at] ^= 0xf8;
        assert_eq!(verdict(&wrong), Match::No, "byte {at}");
    }
    assert_eq!(verdict(b""), Match::No);
}

#[test]
fn damage_never_panics() {
    for message in [login(), answer(), submit(0x40, 8, b"\x05\x00\x03\x07\x02\x01\x4f\x60")] {
        damage(&SMPP, (50_000, 2775), Transport::Tcp, Up, &message);
    }
}
