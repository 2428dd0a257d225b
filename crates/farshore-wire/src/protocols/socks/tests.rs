//! Conversations made by hand. Nothing here leaves the tests.

use super::super::notebook::{Notebook, damage, feed, read_stream, stream};
use super::*;

use Direction::{Down, Up};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

type Talk = Vec<(Direction, Vec<u8>)>;

fn version_5() -> Talk {
    vec![
        (Up, vec![5, 2, 0, 2]),
        (Down, vec![5, 2]),
        (Up, b"\x01\x05alice\x03pw!".to_vec()),
        (Down, vec![1, 0]),
        (Up, b"\x05\x01\x00\x03\x09a.example\x00\x50".to_vec()),
        (Down, vec![5, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
        (Up, GET.to_vec()),
        (Down, b"HTTP/1.1 204 No\r\n\r\n".to_vec()),
    ]
}

fn version_4a() -> Talk {
    vec![
        (Up, b"\x04\x01\x00\x50\x00\x00\x00\x01alice\0a.example\0".to_vec()),
        (Down, vec![0, 0x5a, 0, 0, 0, 0, 0, 0]),
        (Up, GET.to_vec()),
    ]
}

fn read(talk: &Talk) -> Notebook {
    let list: Vec<_> = talk.iter().map(|(direction, bytes)| (*direction, &bytes[..])).collect();
    read_stream(&SOCKS, (50_000, 1080), &list)
}

fn check(out: &Notebook, fields: &[(&str, &str)]) {
    let told: Vec<_> = out
        .fields
        .iter()
        .map(|(path, value, _)| (path.as_str(), std::str::from_utf8(value).unwrap()))
        .collect();
    assert_eq!(told, fields);
    assert_eq!(out.client, Some(Up));
    let up: Vec<u8> = out
        .inner
        .iter()
        .filter(|(direction, hint, _)| *direction == Up && *hint == "http")
        .flat_map(|it| it.2.clone())
        .collect();
    assert_eq!(up, GET);
}

const TOLD_5: [(&str, &str); 3] = [
    ("socks.username", "alice"),
    ("socks.password", "pw!"),
    ("socks.destination", "a.example"),
];

const TOLD_4A: [(&str, &str); 2] = [("socks.username", "alice"), ("socks.destination", "a.example")];

#[test]
fn a_proxy_is_asked_and_what_runs_through_is_handed_on() {
    let out = read(&version_5());
    check(&out, &TOLD_5);
    assert_eq!(out.inner.last().map(|it| (it.0, it.1)), Some((Down, "http")));
    assert_eq!(out.fields[2].2, farshore_model::Span::in_frame(5, 42 + 5, 9));
    check(&read(&version_4a()), &TOLD_4A);
}

#[test]
fn a_conversation_in_any_segmentation_tells_the_same() {
    for (talk, fields) in [(version_5(), &TOLD_5[..]), (version_4a(), &TOLD_4A[..])] {
        for size in 1..20 {
            let cut: Talk = talk
                .iter()
                .flat_map(|(direction, bytes)| bytes.chunks(size).map(|it| (*direction, it.to_vec())))
                .collect();
            check(&read(&cut), fields);
        }
    }
}

#[test]
fn addresses_are_told_as_text() {
    for (ask, told) in [
        (&[5, 1, 0, 1, 192, 0, 2, 1, 0, 80][..], "192.0.2.1"),
        (
            &[5, 1, 0, 4, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 80],
            "2001:db8::1",
        ),
    ] {
        let out = read(&vec![(Up, vec![5, 1, 0]), (Down, vec![5, 0]), (Up, ask.to_vec())]);
        assert_eq!(out.values("socks.destination"), [told]);
    }
    let out = read(&vec![(Up, vec![4, 1, 0, 80, 192, 0, 2, 1, 0]), (Down, vec![0, 0x5a])]);
    assert_eq!(out.values("socks.destination"), ["192.0.2.1"]);
}

#[test]
fn a_refusal_ends_it_and_what_nobody_knows_is_opaque() {
    let mut talk = version_5();
    talk[5].1[1] = 4;
    assert_eq!(read(&talk).inner.len(), 0);
    let mut talk = version_5();
    talk.truncate(6);
    talk.push((Up, vec![0xff; 100]));
    let out = read(&talk);
    assert_eq!((out.inner.len(), out.protection), (0, Some(Protection::Opaque)));
}

#[test]
fn only_what_both_sides_say_is_recognised() {
    let verdict = |up: &[u8], down: &[u8]| SOCKS.matches(&stream(1, 1080, up, down));
    assert_eq!(verdict(&[5, 1, 0], b""), Match::Maybe);
    assert_eq!(verdict(&[5, 1, 0], &[5, 0]), Match::Maybe);
    assert_eq!(verdict(&[5, 1, 0, 5, 1, 0, 1], &[5, 0]), Match::Yes);
    assert_eq!(verdict(&[5, 1, 0, 5, 1, 0, 1], &[5, 2]), Match::No);
    assert_eq!(verdict(&[5, 1, 0, 9], &[5, 0]), Match::No);
    assert_eq!(verdict(&[5, 0], b""), Match::No);
    assert_eq!(verdict(&[4, 1, 0, 80, 1, 2, 3, 4, 0], b""), Match::Maybe);
    assert_eq!(verdict(&[4, 1, 0, 80, 1, 2, 3, 4, 0], &[0, 0x5b]), Match::Yes);
    assert_eq!(verdict(&[4, 1, 0, 80, 1, 2, 3, 4, 7, 0], b""), Match::No);
    assert_eq!(verdict(b"GET", b""), Match::No);
}

#[test]
fn damage_never_panics() {
    let limits = Limits::default();
    for talk in [version_5(), version_4a()] {
        for turn in 0..talk.len() {
            for at in 0..talk[turn].1.len() {
                for mask in [0x01, 0x04, 0x80, 0xff] {
                    let mut other = talk.clone();
                    other[turn].1[at] ^= mask;
                    let list: Vec<_> = other.iter().map(|(direction, bytes)| (*direction, &bytes[..])).collect();
                    let _ = feed(SOCKS.start(&stream(1, 2, b"", b""), &limits).as_mut(), &list);
                }
                let cut = &talk[turn].1[..at];
                damage(&SOCKS, (1, 2), Transport::Tcp, talk[turn].0, cut);
            }
        }
    }
}
