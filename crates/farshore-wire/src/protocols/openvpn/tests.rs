//! Packets made by hand. Nothing here leaves the tests.

use super::super::notebook::{Notebook, damage, datagrams, read_datagrams, read_stream, stream};
use super::*;

use Direction::{Down, Up};

const CLIENT: &[u8; 8] = b"client!!";
const SERVER: &[u8; 8] = b"server!!";

/// A control packet under a digest of that many bytes.
fn packet(
    opcode: u8,
    session: &[u8; 8],
    digest: usize,
    acknowledged: &[u32],
    peer: &[u8; 8],
    number: Option<u32>,
    payload: &[u8],
) -> Vec<u8> {
    let mut it = vec![opcode << 3];
    it.extend(session);
    if digest > 0 {
        it.extend(vec![0xd1; digest]);
        it.extend([0, 0, 0, 1, 0x65, 0, 0, 1]);
    }
    it.push(u8::try_from(acknowledged.len()).unwrap());
    it.extend(acknowledged.iter().flat_map(|it| it.to_be_bytes()));
    if !acknowledged.is_empty() {
        it.extend(peer);
    }
    it.extend(number.iter().flat_map(|it| it.to_be_bytes()));
    it.extend(payload);
    it
}

/// A handshake in which the client's second and third message change places, and one comes twice.
fn conversation(digest: usize) -> Vec<(Direction, Vec<u8>)> {
    let data = [&[6 << 3][..], &[0x5a; 60]].concat();
    vec![
        (Up, packet(7, CLIENT, digest, &[], SERVER, Some(0), b"")),
        (Down, packet(8, SERVER, digest, &[0], CLIENT, Some(0), b"")),
        (Up, packet(5, CLIENT, digest, &[0], SERVER, None, b"")),
        (Up, packet(4, CLIENT, digest, &[], SERVER, Some(1), b"one ")),
        (Up, packet(4, CLIENT, digest, &[], SERVER, Some(3), b"three")),
        (Up, packet(4, CLIENT, digest, &[], SERVER, Some(2), b"two ")),
        (Up, packet(4, CLIENT, digest, &[], SERVER, Some(2), b"two ")),
        (Down, packet(4, SERVER, digest, &[1, 2, 3], CLIENT, Some(1), b"answer")),
        (Up, data),
    ]
}

fn borrowed(list: &[(Direction, Vec<u8>)]) -> Vec<(Direction, &[u8])> {
    list.iter().map(|(direction, bytes)| (*direction, &bytes[..])).collect()
}

fn check(out: &Notebook) {
    let side = |wanted: Direction| -> Vec<u8> {
        let told = out
            .inner
            .iter()
            .filter(|(direction, hint, _)| *direction == wanted && *hint == "tls");
        told.flat_map(|(_, _, bytes)| bytes.clone()).collect()
    };
    assert_eq!((side(Up), side(Down)), (b"one two three".to_vec(), b"answer".to_vec()));
    assert_eq!(out.client, Some(Up));
}

#[test]
fn the_handshake_inside_is_handed_on_under_any_digest() {
    for digest in [0, 16, 20, 32, 64] {
        check(&read_datagrams(&OPENVPN, (50_000, 1194), &borrowed(&conversation(digest))));
    }
}

#[test]
fn any_segmentation_over_tcp_tells_the_same() {
    for digest in [0, 20] {
        let side = |wanted: Direction| -> Vec<u8> {
            let list = conversation(digest).into_iter().filter(|(direction, _)| *direction == wanted);
            list.flat_map(|(_, it)| [&u16::try_from(it.len()).unwrap().to_be_bytes()[..], &it].concat())
                .collect()
        };
        let (up, down) = (side(Up), side(Down));
        for size in 1..up.len() {
            let chunks: Vec<_> = up
                .chunks(size)
                .map(|it| (Up, it))
                .chain(down.chunks(size).map(|it| (Down, it)))
                .collect();
            check(&read_stream(&OPENVPN, (50_000, 1194), &chunks));
        }
    }
}

#[test]
fn a_message_that_never_came_leaves_a_gap() {
    let mut list = conversation(0);
    list.truncate(3);
    list.extend((2..60).map(|number| (Up, packet(4, CLIENT, 0, &[], SERVER, Some(number), b"x"))));
    let out = read_datagrams(&OPENVPN, (50_000, 1194), &borrowed(&list));
    assert_eq!(out.inner.len(), 58);
}

#[test]
fn only_a_session_that_is_answered_is_recognised() {
    let list = conversation(0);
    let verdict = |list: &[(Direction, &[u8])]| OPENVPN.matches(&datagrams(1, 1194, list));
    assert_eq!(verdict(&[(Up, &list[0].1)]), Match::Maybe);
    assert_eq!(verdict(&[(Up, &list[0].1), (Down, &list[1].1)]), Match::Yes);
    let other = packet(8, SERVER, 0, &[0], b"somebody", Some(0), b"");
    assert_eq!(verdict(&[(Up, &list[0].1), (Down, &other)]), Match::Maybe);
    assert_eq!(
        verdict(&[(Up, &list[0].1), (Up, &list[1].1)]),
        Match::Maybe,
        "nobody answers himself"
    );
    assert_eq!(verdict(&[(Up, &[0; 40]), (Down, &[0; 40])]), Match::No);
    assert_eq!(verdict(&[(Up, &[0x20; 60]), (Down, &[0x20; 60])]), Match::No);
    assert_eq!(OPENVPN.matches(&stream(1, 1194, b"", b"")), Match::No);
}

#[test]
fn damage_never_panics() {
    for digest in [0, 20] {
        for (direction, bytes) in conversation(digest) {
            damage(&OPENVPN, (1, 1194), Transport::Udp, direction, &bytes);
            let framed = [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], &bytes].concat();
            damage(&OPENVPN, (1, 1194), Transport::Tcp, direction, &framed);
        }
    }
}
