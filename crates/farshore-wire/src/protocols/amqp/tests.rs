//! AMQP: conversations of both kinds, whole and in pieces, and what only looks like one.

use farshore_model::{Span, Transport};

use super::super::notebook::{Notebook, damage, in_chunks, read_stream, stream};
use super::*;
use Direction::{Down, Up};

fn short(text: &str) -> Vec<u8> {
    [&[text.len() as u8], text.as_bytes()].concat()
}

fn long(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes(), bytes].concat()
}

fn entry(name: &str, value: &str) -> Vec<u8> {
    [short(name), b"S".to_vec(), long(value.as_bytes())].concat()
}

fn frame(kind: u8, body: &[Vec<u8>]) -> Vec<u8> {
    [&[kind, 0, 1][..], &long(&body.concat()), b"\xce"].concat()
}

fn method(class: u8, number: u8, body: &[Vec<u8>]) -> Vec<u8> {
    frame(1, &[vec![0, class, 0, number], body.concat()])
}

/// As clients of RabbitMQ begin, log in, and say something.
fn nine(login: &[Vec<u8>]) -> Vec<(Direction, Vec<u8>)> {
    let is = [entry("product", "rooms"), short("capabilities"), b"F".to_vec(), long(&[])].concat();
    let head = [
        &[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 25, 0xb0, 0x18][..],
        &short("application/json"),
        &long(&entry("trace", "t7")),
        &[2],
    ]
    .concat();
    vec![
        (Up, b"AMQP\0\0\x09\x01".to_vec()),
        (
            Down,
            method(
                10,
                10,
                &[
                    vec![0, 9],
                    long(&entry("cluster_name", "rabbit@rooms")),
                    long(b"PLAIN"),
                    long(b"en_US"),
                ],
            ),
        ),
        (Up, method(10, 11, &[long(&is), login.concat(), short("en_US")])),
        (
            Up,
            [
                method(10, 40, &[short("guests"), vec![0, 0]]),
                method(50, 10, &[vec![0, 0], short("mail"), vec![0; 5]]),
            ]
            .concat(),
        ),
        (Up, method(60, 40, &[vec![0, 0], short("post"), short("mail.out"), vec![0]])),
        (
            Up,
            [
                frame(2, &[head, short("bob"), short("desk")]),
                frame(3, &[br#"{"to":"bob@rooms.example"}"#.to_vec()]),
                frame(8, &[]),
            ]
            .concat(),
        ),
        (Down, method(60, 60, &[short("c1"), vec![0; 9], short("post"), short("mail.in")])),
    ]
}

const NINE: &[(&str, &str)] = &[
    ("amqp.server.cluster_name", "rabbit@rooms"),
    ("amqp.client.product", "rooms"),
    ("amqp.auth.user", "alice"),
    ("amqp.auth.password", "w4tch"),
    ("amqp.virtual-host", "guests"),
    ("amqp.queue", "mail"),
    ("amqp.exchange", "post"),
    ("amqp.routing-key", "mail.out"),
    ("amqp.header.trace", "t7"),
    ("amqp.message.user", "bob"),
    ("amqp.message.app", "desk"),
    ("amqp.body", "{\"to\":\"bob@rooms.example\"}"),
    ("amqp.exchange", "post"),
    ("amqp.routing-key", "mail.in"),
];

fn plain() -> Vec<Vec<u8>> {
    vec![short("PLAIN"), long(b"\0alice\0w4tch")]
}

/// A frame of 1.0, with a described list in it.
fn one(kind: u8, descriptor: u8, list: &[&[u8]], behind: &[u8]) -> Vec<u8> {
    let list = list.concat();
    let body = [&[0, 0x53, descriptor, 0xc0, list.len() as u8 + 1, 9][..], &list, behind].concat();
    [&(body.len() as u32 + 8).to_be_bytes()[..], &[2, kind, 0, 0], &body].concat()
}

fn modern() -> Vec<(Direction, Vec<u8>)> {
    let message: &[&[u8]] = &[
        b"\0\x53\x70\xc0\x02\x01\x41",
        b"\0\x53\x73\xc0\x14\x04\xa1\x02m7\xa0\x03bob\xa1\x07guests/\x40",
        b"\0\x53\x74\xc1\x0c\x04\xa1\x01k\xa1\x01v\xa1\x01n\x54\x05",
        b"\0\x80\0\0\0\0\0\0\0\x75\xb0\0\0\0\x11bob@rooms.example",
    ];
    vec![
        (Up, b"AMQP\x03\x01\0\0".to_vec()),
        (Down, b"AMQP\x03\x01\0\0".to_vec()),
        (Down, one(1, 0x40, &[b"\xf0\0\0\0\x0b\0\0\0\x01\xb3\0\0\0\x05PLAIN"], b"")),
        (
            Up,
            one(
                1,
                0x41,
                &[b"\xa3\x05PLAIN", b"\xa0\x0c\0alice\0w4tch", b"\xa1\x0drooms.example"],
                b"",
            ),
        ),
        (Down, one(1, 0x44, &[b"\x50\0"], b"")),
        (
            Up,
            [
                b"AMQP\0\x01\0\0".to_vec(),
                one(0, 0x10, &[b"\xa1\x06desk-7", b"\xa1\x0drooms.example"], b""),
            ]
            .concat(),
        ),
        (Down, [b"AMQP\0\x01\0\0".to_vec(), one(0, 0x10, &[b"\xa1\x06broker"], b"")].concat()),
        (
            Up,
            one(
                0,
                0x12,
                &[
                    b"\xa1\x01s",
                    b"\x43",
                    b"\x42",
                    b"\x50\x02",
                    b"\x50\0",
                    b"\0\x53\x28\x45",
                    b"\0\x53\x29\xc0\x07\x01\xa1\x04mail",
                ],
                b"",
            ),
        ),
        (
            Up,
            [
                one(0, 0x14, &[b"\x43", b"\x52\x01"], &message.concat()),
                b"\0\0\0\x08\x02\0\0\0".to_vec(),
            ]
            .concat(),
        ),
    ]
}

const ONE: &[(&str, &str)] = &[
    ("amqp.auth.user", "alice"),
    ("amqp.auth.password", "w4tch"),
    ("amqp.host", "rooms.example"),
    ("amqp.container", "desk-7"),
    ("amqp.host", "rooms.example"),
    ("amqp.container", "broker"),
    ("amqp.address", "mail"),
    ("amqp.header.message-id", "m7"),
    ("amqp.message.user", "bob"),
    ("amqp.address", "guests/"),
    ("amqp.header.k", "v"),
    ("amqp.body", "bob@rooms.example"),
];

fn read(list: &[(Direction, Vec<u8>)]) -> Notebook {
    read_cut(list, usize::MAX)
}

/// In chunks of so many bytes.
fn read_cut(list: &[(Direction, Vec<u8>)], size: usize) -> Notebook {
    read_stream(&AMQP, (50_000, 5672), &in_chunks(list, size))
}

#[test]
fn any_segmentation_over_tcp_tells_the_same() {
    for (talk, wanted) in [(nine(&plain()), NINE), (modern(), ONE)] {
        for size in 1..80 {
            let out = read_cut(&talk, size);
            assert_eq!((out.told(), out.client), (wanted.to_vec(), Some(Up)), "chunks of {size}");
        }
    }
    let out = read(&modern());
    assert_eq!(out.fields[1].2, Span::in_frame(4, 42 + 30, 5));
}

#[test]
fn logins_go_in_other_ways_too() {
    let table = [entry("LOGIN", "alice"), entry("PASSWORD", "w4tch")].concat();
    let out = read(&nine(&[short("AMQPLAIN"), long(&table)]));
    assert_eq!(out.told(), NINE);
    let mut other = modern();
    other[3].1 = one(1, 0x41, &[b"\xa3\x09ANONYMOUS", b"\xa0\x11alice@rooms.tests", b"\x40"], b"");
    assert_eq!(read(&other).told()[0], ("amqp.trace", "alice@rooms.tests"));
    other[3].1 = one(1, 0x41, &[b"\xa3\x0bSCRAM-SHA-1", b"\xa0\x11n,,n=alice,r=abcd"], b"");
    assert_eq!(read(&other).told()[0], ("amqp.auth.user", "alice"));
}

#[test]
fn tls_is_handed_on() {
    let out = read(&[
        (Up, b"AMQP\x02\x01\0\0".to_vec()),
        (Down, b"AMQP\x02\x01\0\0".to_vec()),
        (Up, b"\x16\x03\x01\0\x05hello".to_vec()),
    ]);
    assert_eq!(out.inner, [(Up, "tls", b"\x16\x03\x01\0\x05hello".to_vec())]);
}

#[test]
fn other_beginnings_are_not_it() {
    let verdict = |up: &[u8]| AMQP.matches(&stream(50_000, 5672, up, b""));
    for cut in 1..8 {
        assert_eq!(verdict(&b"AMQP\0\0\x09\x01"[..cut]), Match::Maybe, "cut at {cut}");
    }
    assert_eq!(verdict(b"AMQP\0\0\x09\x01"), Match::Yes);
    for wrong in ["AUTH\r\n", "AMQP/1.0\r\n", "AMQPLAIN", ""] {
        assert_eq!(verdict(wrong.as_bytes()), Match::No, "{wrong:?}");
    }
}

#[test]
fn damage_never_panics() {
    for talk in [nine(&plain()), modern()] {
        for way in [Up, Down] {
            let side: Vec<u8> = talk.iter().filter(|(it, _)| *it == way).flat_map(|(_, it)| it.clone()).collect();
            damage(&AMQP, (50_000, 5672), Transport::Tcp, way, &side);
        }
    }
}
