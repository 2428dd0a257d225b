//! Messages made by hand: a login, its refusal, a reply.

use super::super::notebook::{damage, datagrams, read_datagrams, read_stream, stream};
use super::*;
use Direction::{Down, Up};

fn tagged(tag: u8, body: &[u8]) -> Vec<u8> {
    match body.len() {
        length @ 0..=0x7f => [&[tag, length as u8][..], body].concat(),
        length => [&[tag, 0x82, (length >> 8) as u8, length as u8][..], body].concat(),
    }
}

fn number(it: u8) -> Vec<u8> {
    vec![2, 1, it]
}

fn part(number: u8, body: &[u8]) -> Vec<u8> {
    tagged(0xa0 | number, body)
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tagged(0x30, &parts.concat())
}

fn text(it: &str) -> Vec<u8> {
    tagged(0x1b, it.as_bytes())
}

fn principal(kind: u8, parts: &[&str]) -> Vec<u8> {
    let parts: Vec<_> = parts.iter().map(|it| text(it)).collect();
    sequence(&[part(0, &number(kind)), part(1, &sequence(&parts))])
}

/// AS-REQ: alice logs in to ROOMS.EXAMPLE from the machine ANNS-DESK.
fn request() -> Vec<u8> {
    let address = sequence(&[part(0, &number(20)), part(1, &tagged(4, b"ANNS-DESK       "))]);
    let body = sequence(&[
        part(0, &[3, 5, 0, 0x40, 0x81, 0, 0x10]),
        part(1, &principal(1, &["alice"])),
        part(2, &text("ROOMS.EXAMPLE")),
        part(3, &principal(2, &["krbtgt", "ROOMS.EXAMPLE"])),
        part(5, &tagged(0x18, b"20370913024805Z")),
        part(7, &number(9)),
        part(8, &sequence(&[number(18)])),
        part(9, &sequence(&[address])),
    ]);
    let padata = sequence(&[sequence(&[part(1, &number(2)), part(2, &tagged(4, &[0xd1; 40]))])]);
    let it = sequence(&[part(1, &number(5)), part(2, &number(10)), part(3, &padata), part(4, &body)]);
    tagged(0x6a, &it)
}

/// KRB-ERROR: more is wanted of alice.
fn refusal() -> Vec<u8> {
    let it = sequence(&[
        part(0, &number(5)),
        part(1, &number(30)),
        part(4, &tagged(0x18, b"20261122100000Z")),
        part(5, &number(7)),
        part(6, &number(25)),
        part(7, &text("ROOMS.EXAMPLE")),
        part(8, &principal(1, &["alice"])),
        part(9, &text("ROOMS.EXAMPLE")),
        part(10, &principal(2, &["krbtgt", "ROOMS.EXAMPLE"])),
    ]);
    tagged(0x7e, &it)
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&u32::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
}

const LOGIN: [(&str, &str); 4] = [
    ("kerberos.user-name", "alice"),
    ("kerberos.realm", "ROOMS.EXAMPLE"),
    ("kerberos.service", "krbtgt/ROOMS.EXAMPLE"),
    ("kerberos.host", "ANNS-DESK"),
];

#[test]
fn who_logs_in_and_from_where_is_told_in_place() {
    let request = request();
    let out = read_datagrams(&KERBEROS, (50_000, 88), &[(Up, &request)]);
    assert_eq!(out.told(), LOGIN);
    assert_eq!(out.client, Some(Up));
    for (path, value, at) in out.fields.iter().filter(|(path, ..)| path != "kerberos.service") {
        let place = usize::try_from(at.offset).unwrap() - 42;
        assert_eq!(&request[place..place + value.len()], &value[..], "{path}");
    }
    let refusal = refusal();
    let out = read_datagrams(&KERBEROS, (88, 50_000), &[(Up, &refusal)]);
    assert_eq!(
        (out.values("kerberos.user-name"), out.client),
        (vec!["alice".to_owned()], Some(Down))
    );
}

#[test]
fn any_segmentation_over_tcp_tells_the_same() {
    let (up, down) = (framed(&request()).repeat(2), framed(&refusal()));
    for size in 1..up.len() {
        let chunks: Vec<_> = up
            .chunks(size)
            .map(|it| (Up, it))
            .chain(down.chunks(size).map(|it| (Down, it)))
            .collect();
        let out = read_stream(&KERBEROS, (50_000, 88), &chunks);
        assert_eq!(out.told()[..8], [LOGIN, LOGIN].concat(), "chunks of {size}");
        assert_eq!(out.values("kerberos.user-name").len(), 3);
    }
}

#[test]
fn what_does_not_fit_is_not_it() {
    let datagram = |bytes: &[u8]| KERBEROS.matches(&datagrams(50_000, 88, &[(Up, bytes)]));
    let whole = request();
    assert_eq!(datagram(&whole), Match::Yes);
    assert_eq!(datagram(&whole[..whole.len() - 1]), Match::No);
    assert_eq!(datagram(&[&whole[..], &[0]].concat()), Match::No);
    // Outer tag, its length, sequence, version, kind.
    for at in [0, 3, 4, 7, 8, 12, 17] {
        let mut wrong = whole.clone();
        wrong[at] ^= 1;
        assert_eq!(datagram(&wrong), Match::No, "byte {at}");
    }
    let framed = framed(&whole);
    let verdict = |up: &[u8]| KERBEROS.matches(&stream(50_000, 88, up, b""));
    for cut in 1..framed.len() {
        assert_ne!(verdict(&framed[..cut]), Match::No, "cut at {cut}");
    }
    assert_eq!(verdict(&framed), Match::Yes);
    assert_eq!(verdict(&[&framed[..3], &[9], &framed[4..]].concat()), Match::No, "another length");
    assert_eq!(verdict(b"\x00\x00\x00\x40GET / HTTP/1.1"), Match::No);
}

#[test]
fn damage_never_panics() {
    damage(&KERBEROS, (50_000, 88), Transport::Udp, Up, &request());
    damage(&KERBEROS, (50_000, 88), Transport::Tcp, Up, &framed(&refusal()));
}
