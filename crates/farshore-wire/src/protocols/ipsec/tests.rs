//! Messages made by hand: version 1's aggressive mode, version 2's first two, and a sealed packet.

use farshore_model::Span;

use super::super::notebook::{Notebook, damage, datagrams, feed, read_datagrams};
use super::*;
use Direction::{Down, Up};

const AGGRESSIVE: &[u8] = include_bytes!("samples/aggressive.bin");
const INIT: &[u8] = include_bytes!("samples/init.bin");
const AUTH: &[u8] = include_bytes!("samples/auth.bin");
const SEALED: &[u8] = include_bytes!("samples/esp.bin");

fn marked(message: &[u8]) -> Vec<u8> {
    [&MARKER, message].concat()
}

/// The sealed sample under another sequence number.
fn numbered(number: u32) -> Vec<u8> {
    let mut it = SEALED.to_vec();
    it[4..8].copy_from_slice(&number.to_be_bytes());
    it
}

fn told(out: &Notebook) -> Vec<(&str, &str, Span)> {
    let fields = out.fields.iter();
    fields
        .map(|(path, value, at)| (path.as_str(), str::from_utf8(value).unwrap(), *at))
        .collect()
}

#[test]
fn who_logs_in_is_told_in_place() {
    let out = read_datagrams(&IKE, (500, 500), &[(Up, AGGRESSIVE)]);
    let place = |text: &str| {
        let at = AGGRESSIVE.windows(text.len()).position(|it| it == text.as_bytes()).unwrap();
        Span::in_frame(1, 42 + at as u64, text.len() as u64)
    };
    let (user, vendor) = ("alice@rooms.example", "Rooms VPN 4.2");
    assert_eq!(
        told(&out),
        [("ike.id", user, place(user)), ("ike.vendor-id", vendor, place(vendor))]
    );
    assert_eq!((out.client, IKE.protection()), (Some(Up), Protection::Opaque));
}

#[test]
fn on_the_shared_port_the_exchange_and_the_sealed_packets_are_told_apart() {
    let (init, auth) = (marked(INIT), marked(AUTH));
    let list: [(Direction, &[u8]); 4] = [(Down, &init), (Down, &auth), (Up, &[0xff]), (Up, SEALED)];
    let opening = datagrams(4500, 50_000, &list[..1]);
    assert_eq!(IKE.matches(&opening), Match::Yes);
    let out = feed(IKE.start(&opening, &Limits::default()).as_mut(), &list);
    assert_eq!(told(&out).iter().map(|it| it.1).collect::<Vec<_>>(), ["strongSwan"]);
    assert_eq!(out.client, Some(Down));
    assert_eq!(out.inner, [(Up, "esp", SEALED.to_vec())]);

    // The other way round: the exchange comes into a flow that was told by its sealed packets.
    let (one, two) = (numbered(7), numbered(8));
    let out = read_datagrams(&ESP, (50_000, 4500), &[(Up, &one), (Up, &two)]);
    assert_eq!((out.inner.len(), out.fields.len()), (0, 0));
    let opening = datagrams(50_000, 4500, &[]);
    let out = feed(ESP.start(&opening, &Limits::default()).as_mut(), &[(Up, &one), (Up, &init)]);
    assert_eq!(out.inner, [(Up, "ike", INIT.to_vec())]);
}

#[test]
fn a_port_alone_tells_nothing() {
    let ike = |port, bytes: &[u8]| IKE.matches(&datagrams(50_000, port, &[(Up, bytes)]));
    for (port, message, expected) in [
        (500, INIT, Match::Yes),
        (9_999, INIT, Match::Yes),
        (9_999, AGGRESSIVE, Match::Yes),
        (500, AUTH, Match::Yes),
        (9_999, AUTH, Match::No),
        (4500, INIT, Match::No),
        (500, SEALED, Match::No),
        (500, &[0; 60], Match::No),
    ] {
        assert_eq!(ike(port, message), expected, "{port}: {} bytes", message.len());
    }
    for at in [16, 17, 18, 19, 27, 28 + 3] {
        let mut wrong = INIT.to_vec();
        wrong[at] ^= 0x42;
        assert_eq!(ike(500, &wrong), Match::No, "byte {at}");
    }
    let (seventh, eighth, far) = (numbered(7), numbered(8), numbered(1 << 20));
    let esp = |port, list: &[(Direction, &[u8])]| ESP.matches(&datagrams(50_000, port, list));
    assert_eq!(esp(4500, &[(Up, &seventh)]), Match::Maybe);
    assert_eq!(esp(4500, &[(Up, &seventh), (Up, &eighth)]), Match::Yes);
    assert_eq!(esp(9_999, &[(Up, &seventh), (Up, &eighth)]), Match::No);
    assert_eq!(esp(4500, &[(Up, &seventh), (Up, &far)]), Match::Maybe);
    assert_eq!(esp(4500, &[(Up, &seventh), (Down, &eighth)]), Match::Maybe);
    assert_eq!(esp(4500, &[(Up, &seventh[..30]), (Up, &eighth[..30])]), Match::No);
}

#[test]
fn damage_never_panics() {
    for message in [AGGRESSIVE, INIT, AUTH] {
        damage(&IKE, (500, 500), Transport::Udp, Up, message);
        damage(&IKE, (50_000, 4500), Transport::Udp, Up, &marked(message));
    }
    damage(&ESP, (50_000, 4500), Transport::Udp, Up, SEALED);
}
