//! Scenes in which the other end spoke, but not behind the datum: what it said before tells nothing of what was sent after. Owns what is
//! said in them and what may be behind it.

use super::web::{ALL, ARRIVED, ENDED, HOST, LOST, api, content, datum, get, name, ok};
use super::{Behind, Play, START, Stage, Told};
use crate::client::{Direction, MS, Transport};
use crate::http::message;
use crate::payload::{Encoding, Payload};
use crate::tcp::Connection;
use crate::tls::{HTTP, Session, Suite};

pub(super) static PLAYS: &[Play] = &[
    ("late-second-request", second_request),
    ("late-behind-a-greeting", behind_a_greeting),
    ("late-publication", publication),
    ("late-datagram", datagram),
    ("late-refused-certificate", refused),
];

/// Whoever it is for got it, or it was lost.
const EITHER: &[Behind] = &[ARRIVED, LOST];

/// A connection that was used before: the last request has no answer.
fn second_request(stage: &mut Stage) -> Told {
    let peer = api(stage);
    let flow = stage.client.open(Transport::Tcp, "api", &peer, 80);
    let mut connection = Connection::open(&mut stage.client, flow, START);
    let first = Payload::new().put(format!("GET /news HTTP/1.1\r\nHost: {HOST}\r\n"));
    connection.send(&mut stage.client, Direction::Up, MS, &message(first, &Payload::new()));
    connection.send(&mut stage.client, Direction::Down, MS, &ok("none"));
    let second = get(stage, "/rooms", HOST);
    connection.send(&mut stage.client, Direction::Up, MS, &second);
    Told {
        server: peer.address,
        data: vec![datum(&stage.user, &[], ALL, EITHER), name(HOST, "http.host", &[], ALL, &[ARRIVED])],
        keys: false,
    }
}

/// A server of mail speaks first.
fn behind_a_greeting(stage: &mut Stage) -> Told {
    let peer = stage.peer("mail.parlour.example", [198, 51, 100, 20], "parlour");
    let flow = stage.client.open(Transport::Tcp, "mail", &peer, 587);
    let mut connection = Connection::open(&mut stage.client, flow, START);
    let greeting = Payload::new().put("220 mail.parlour.example ESMTP\r\n");
    connection.send(&mut stage.client, Direction::Down, MS, &greeting);
    let said = Payload::new()
        .put("EHLO phone\r\nMAIL FROM:<")
        .plant(&stage.email, Encoding::Ascii)
        .put(">\r\n");
    connection.send(&mut stage.client, Direction::Up, MS, &said);
    Told {
        server: peer.address,
        data: vec![datum(&stage.email, &[], ALL, EITHER)],
        keys: false,
    }
}

/// MQTT 3.1.1 of quality of service 0: nobody acknowledges what is published.
fn publication(stage: &mut Stage) -> Told {
    const BEHIND: &[Behind] = &[ARRIVED, &[("on-path", &[]), ("hosting", &[]), ("relay", &[])], LOST];
    let text = |it: &str| [&(it.len() as u16).to_be_bytes()[..], it.as_bytes()].concat();
    let packet = |kind: u8, body: Vec<u8>| Payload::from([&[kind, body.len() as u8][..], &body].concat());
    let host = "broker.cumulus.example";
    let peer = stage.peer(host, [198, 51, 100, 42], "cumulus");
    let flow = stage.client.open(Transport::Tcp, "broker", &peer, 1883);
    let mut connection = Connection::open(&mut stage.client, flow, START);
    let login = packet(0x10, [&b"\0\x04MQTT\x04\x02\0\x3c"[..], &text(&stage.user.value)].concat());
    connection.send(&mut stage.client, Direction::Up, MS, &login);
    connection.send(&mut stage.client, Direction::Down, MS, &packet(0x20, vec![0, 0]));
    let said = [text("rooms/news"), format!("{{\"mail\":\"{}\"}}", stage.email.value).into_bytes()].concat();
    connection.send(&mut stage.client, Direction::Up, MS, &packet(0x30, said));
    connection.close(&mut stage.client);
    let roles = &["on-path", "hosting", "relay", "endpoint"];
    Told {
        server: peer.address,
        data: vec![datum(&stage.user, &[], roles, &[ARRIVED]), datum(&stage.email, &[], roles, BEHIND)],
        keys: false,
    }
}

/// Datagrams that were answered once.
fn datagram(stage: &mut Stage) -> Told {
    let peer = api(stage);
    let flow = stage.client.open(Transport::Udp, "beacon", &peer, 9000);
    let hello = Payload::new().put("{\"state\":\"are you there\"}");
    stage.client.udp(flow, START, Direction::Up, &hello);
    stage.client.udp(flow, START + 30 * MS, Direction::Down, &hello);
    let said = Payload::new().put("{\"uid\":").plant(&stage.user, Encoding::AsciiDecimal).put("}");
    stage.client.udp(flow, START + 60 * MS, Direction::Up, &said);
    Told {
        server: peer.address,
        data: vec![datum(&stage.user, &[], ALL, EITHER)],
        keys: false,
    }
}

/// TLS 1.2 whose client does not take the certificate: it says so in clear, and no keys come of it.
fn refused(stage: &mut Stage) -> Told {
    const BEHIND: &[Behind] = &[ENDED[0], ENDED[1], LOST];
    let peer = api(stage);
    let flow = stage.client.open(Transport::Tcp, "api", &peer, 443);
    let credential = stage.authority.credential(HOST);
    let (flights, _) = Session::open_with(HOST, Suite::Tls12Aes128Gcm, &credential, Some(HTTP), &mut stage.random);
    let mut connection = Connection::open(&mut stage.client, flow, START);
    for (direction, bytes) in flights.into_iter().take(2) {
        connection.send(&mut stage.client, direction, MS, &Payload::from(bytes));
    }
    // unknown_ca (RFC 5246, section 7.2).
    let alert = Payload::from(vec![21, 3, 3, 0, 2, 2, 48]);
    connection.send(&mut stage.client, Direction::Up, MS, &alert);
    connection.close(&mut stage.client);
    Told {
        server: peer.address,
        data: vec![content(&["tls"], ALL, BEHIND), name(HOST, "tls.sni", &[], ALL, &[ARRIVED])],
        keys: false,
    }
}
