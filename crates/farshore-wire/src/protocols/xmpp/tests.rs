//! Streams made by hand: a login, a message, contacts, an upgrade.

use super::super::notebook::{Notebook, damage, read_stream, stream};
use farshore_model::Transport;

use super::*;
use Direction::{Down, Up};

const OPEN: &[u8] = b"<?xml version='1.0'?><stream:stream to='rooms.example' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
const LOGIN: &[u8] = b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGFsaWNlAHc0dGNo</auth>";
const MESSAGE: &[u8] = b"<message from=\"alice@rooms.example/desk\" to='bob@rooms.example'><body>\n meet at 5? </body></message>";
const ROSTER: &[u8] = b"<iq type='result'><query xmlns='jabber:iq:roster'><item jid='carol@rooms.example' name='C'/></query></iq>";

const SAID: [(&str, &str); 7] = [
    ("xmpp.server", "rooms.example"),
    ("xmpp.user", "alice"),
    ("xmpp.password", "w4tch"),
    ("xmpp.from", "alice@rooms.example"),
    ("xmpp.to", "bob@rooms.example"),
    ("xmpp.body", "meet at 5?"),
    ("xmpp.contact", "carol@rooms.example"),
];

#[test]
fn logins_messages_and_contacts_are_told() {
    let up = [OPEN, LOGIN, MESSAGE].concat();
    let out = read_stream(&XMPP, (50_000, 5222), &[(Up, &up), (Down, ROSTER)]);
    assert_eq!(out.told(), SAID);
    assert_eq!(out.client, Some(Up));
    for (path, value, at) in out
        .fields
        .iter()
        .filter(|(path, _, at)| at.frame == 1 && path != "xmpp.user" && path != "xmpp.password")
    {
        let place = usize::try_from(at.offset).unwrap() - 42;
        assert_eq!(&up[place..place + value.len()], &value[..], "{path}");
    }
}

#[test]
fn the_older_login_and_other_proofs_are_read() {
    let old = b"<iq type='set'><query xmlns='jabber:iq:auth'><username>alice</username><password>w4tch</password><resource>desk</resource></query></iq>";
    let out = read_stream(&XMPP, (1, 2), &[(Up, OPEN), (Up, old)]);
    assert_eq!(
        out.told()[1..],
        [("xmpp.user", "alice"), ("xmpp.password", "w4tch"), ("xmpp.resource", "desk")]
    );
    for (mechanism, proof) in [
        // n,,n=alice,r=abc
        ("SCRAM-SHA-1", "biwsbj1hbGljZSxyPWFiYw=="),
        // username="alice",realm="rooms.example",nonce="9"
        ("DIGEST-MD5", "dXNlcm5hbWU9ImFsaWNlIixyZWFsbT0icm9vbXMuZXhhbXBsZSIsbm9uY2U9Ijki"),
    ] {
        let text = format!("<auth mechanism='{mechanism}'/><response xmlns='x'>{proof}</response>");
        let out = read_stream(&XMPP, (1, 2), &[(Up, OPEN), (Up, text.as_bytes())]);
        assert_eq!(out.values("xmpp.user"), ["alice"], "{mechanism}");
    }
}

#[test]
fn tls_behind_an_upgrade_is_handed_on() {
    let hello = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00";
    let (ask, proceed) = (&b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"[..], b"<proceed xmlns='x'/>");
    let out = read_stream(
        &XMPP,
        (1, 2),
        &[(Up, OPEN), (Up, ask), (Down, proceed), (Up, hello), (Down, hello), (Up, b"more")],
    );
    let handed: Vec<_> = out
        .inner
        .iter()
        .map(|(direction, hint, bytes)| (*direction, *hint, bytes.len()))
        .collect();
    assert_eq!(handed, [(Up, "tls", 10), (Down, "tls", 10), (Up, "tls", 4)]);
    assert_eq!(out.protection, Some(Protection::Tls));
}

#[test]
fn any_segmentation_over_tcp_tells_the_same() {
    let (up, down) = ([OPEN, LOGIN, MESSAGE].concat(), ROSTER);
    for size in 1..up.len() {
        let chunks: Vec<_> = up
            .chunks(size)
            .map(|it| (Up, it))
            .chain(down.chunks(size).map(|it| (Down, it)))
            .collect();
        assert_eq!(read_stream(&XMPP, (50_000, 5222), &chunks).told(), SAID, "chunks of {size}");
    }
}

#[test]
fn a_stream_whose_opening_was_missed_is_told_by_a_stanza_of_its_namespaces() {
    let verdict = |bytes: &[u8]| XMPP.matches(&stream(50_000, 5_222, bytes, b""));
    let stanza = b"<iq type='set' id='7'><query xmlns='jabber:iq:roster'><item jid='bob@rooms.lan'/></query></iq>";
    assert_eq!(verdict(stanza), Match::Yes);
    assert_eq!(verdict(&stanza[..20]), Match::Maybe);
    let other = [&b"<message to='x'>"[..], &[b'a'; 600]].concat();
    assert_eq!(verdict(&other), Match::No);
    let card = b"<iq type='set'><vCard xmlns='vcard-temp'><FN>Bob Smith</FN><EMAIL><USERID>bob@mail.example</USERID></EMAIL></vCard></iq>";
    let out = read_stream(&XMPP, (50_000, 5_222), &[(Up, card)]);
    assert_eq!(out.values("xmpp.card.email"), ["bob@mail.example"]);
    assert_eq!(out.values("xmpp.card.name"), ["Bob Smith"]);
}

#[test]
fn other_markup_is_not_it() {
    let verdict = |up: &[u8]| XMPP.matches(&stream(50_000, 5222, up, b""));
    for cut in 1..OPEN.len() {
        assert_ne!(verdict(&OPEN[..cut]), Match::No, "cut at {cut}");
    }
    assert_eq!(verdict(OPEN), Match::Yes);
    let long = [&b"<?xml version='1.0'?><rooms>"[..], &[b'x'; 600]].concat();
    assert_eq!(verdict(&long), Match::No);
    for wrong in [&b""[..], b"<html>", b"GET / HTTP/1.1\r\n"] {
        assert_eq!(verdict(wrong), Match::No);
    }
}

#[test]
fn what_never_ends_is_given_up_and_said() {
    let limits = Limits {
        message_bytes: 1_000,
        ..Limits::default()
    };
    let mut conversation = XMPP.start(&stream(1, 2, OPEN, b""), &limits);
    let mut out = Notebook::default();
    for frame in 1..=20 {
        let piece = super::super::notebook::piece(frame, &[b'x'; 100]);
        conversation.segment(Up, Segment::Bytes(piece), &mut out);
    }
    assert_eq!(out.limits, ["message-bytes"]);
}

#[test]
fn damage_never_panics() {
    damage(&XMPP, (50_000, 5222), Transport::Tcp, Up, &[OPEN, LOGIN, MESSAGE].concat());
}
