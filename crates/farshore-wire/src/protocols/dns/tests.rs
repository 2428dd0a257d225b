//! Whole messages, made by hand. Nothing here leaves the tests.

use farshore_model::WireText;
use farshore_model::observation::BoundValue;

use super::super::notebook::{Notebook, damage, datagrams, feed, read_datagrams, read_stream, stream};
use super::*;

use Direction::{Down, Up};

const QUERY: &[u8] = include_bytes!("samples/query.bin");
const RESPONSE: &[u8] = include_bytes!("samples/response.bin");

fn asked(protocol: &'static str, name: &str, record: &str) -> Observation {
    Observation::NameAsked {
        protocol,
        name: name.into(),
        record: record.to_owned(),
    }
}

fn bound(name: &str, record: &str, value: BoundValue) -> Observation {
    Observation::NameBound {
        protocol: "dns",
        question: "Api.rooms.example".into(),
        name: name.into(),
        record: record.to_owned(),
        value,
        ttl: 300,
    }
}

fn facts_of_the_sample() -> Vec<Observation> {
    let text = |it: &str| BoundValue::Text(WireText::from(it));
    vec![
        asked("dns", "Api.rooms.example", "A"),
        bound("Api.rooms.example", "CNAME", text("edge.rooms.example")),
        bound("edge.rooms.example", "A", BoundValue::Address([192, 0, 2, 33].into())),
    ]
}

fn behind_length(message: &[u8]) -> Vec<u8> {
    [&u16::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
}

#[test]
fn a_query_and_its_answer_over_udp() {
    let out = read_datagrams(&DNS, (50_000, 53), &[(Up, QUERY), (Down, RESPONSE)]);
    assert_eq!(out.facts(), facts_of_the_sample().iter().collect::<Vec<_>>());
    // 12 header bytes and the first length byte stand before the name.
    assert_eq!(out.observed[0].1, Span::in_frame(1, 42 + 13, 17));
    assert_eq!(out.values("dns.question"), ["Api.rooms.example"]);
    assert_eq!(out.values("dns.edns.client-subnet"), ["198.51.100.0/24"]);
    assert_eq!((out.client, out.anomalies.len()), (Some(Up), 0));
}

#[test]
fn any_segmentation_over_tcp_tells_the_same() {
    let (up, down) = (
        [behind_length(QUERY), behind_length(QUERY)].concat(),
        [behind_length(RESPONSE), behind_length(RESPONSE)].concat(),
    );
    let [question, rest @ ..] = &facts_of_the_sample()[..] else {
        unreachable!()
    };
    let expected: Vec<_> = [question, question].into_iter().chain(rest).chain(rest).collect();
    for size in 1..=up.len().max(down.len()) {
        let chunks: Vec<_> = up
            .chunks(size)
            .map(|it| (Up, it))
            .chain(down.chunks(size).map(|it| (Down, it)))
            .collect();
        assert_eq!(read_stream(&DNS, (50_000, 53), &chunks).facts(), expected, "chunks of {size}");
    }
}

#[test]
fn after_a_gap_reading_goes_on_with_the_next_whole_message() {
    let whole = behind_length(QUERY);
    let opening = stream(50_000, 53, &whole, &[]);
    let mut conversation = DNS.start(&opening, &Limits::default());
    let mut out = Notebook::default();
    for (frame, part) in [(1, &whole[..9]), (2, &whole[20..]), (3, &whole[..])] {
        conversation.segment(Up, Segment::Bytes(super::super::notebook::piece(frame, part)), &mut out);
        conversation.segment(Up, Segment::Gap(11), &mut out);
    }
    assert_eq!(out.facts(), [&asked("dns", "Api.rooms.example", "A")]);
    assert_eq!(out.observed[0].1, Span::in_frame(3, 42 + 15, 17));
}

#[test]
fn the_port_decides_how_strict_the_test_is() {
    let verdict = |client, server, bytes: &[u8]| DNS.matches(&datagrams(client, server, &[(Up, bytes)]));
    assert_eq!(verdict(50_000, 53, QUERY), Match::Yes);
    assert_eq!(verdict(50_000, 9_953, QUERY), Match::Yes);
    assert_eq!(verdict(50_000, 9_953, RESPONSE), Match::Yes);
    assert_eq!(
        verdict(50_000, 9_953, &[QUERY, &[0]].concat()),
        Match::No,
        "bytes behind the message"
    );
    assert_eq!(verdict(50_000, 53, &[QUERY, &[0]].concat()), Match::Yes);
    assert_eq!(verdict(50_000, 9_953, &QUERY[..QUERY.len() - 1]), Match::No);
    for relative in RELATIVES {
        assert_eq!(verdict(50_000, relative, QUERY), Match::No);
    }
    for port in [53, 9_953] {
        assert_eq!(verdict(50_000, port, &[0; 40]), Match::No);
        assert_eq!(verdict(50_000, port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Match::No);
        assert_eq!(verdict(50_000, port, b""), Match::No);
    }
}

/// Multicast goes by datagrams: over TCP it is a resolver on an odd port.
#[test]
fn over_tcp_the_port_of_multicast_is_any_port() {
    let message = [&u16::try_from(QUERY.len()).unwrap().to_be_bytes()[..], QUERY].concat();
    let opening = stream(50_000, 5_353, &message, b"");
    assert_eq!((MDNS.matches(&opening), DNS.matches(&opening)), (Match::No, Match::Yes));
}

#[test]
fn on_the_local_link_names_go_under_their_own_protocol() {
    for (resolver, port) in [(&MDNS, 5_353), (&LLMNR, 5_355)] {
        let out = read_datagrams(resolver, (port, port), &[(Up, QUERY)]);
        assert_eq!(out.facts(), [&asked(resolver.id, "Api.rooms.example", "A")]);
        assert_eq!(out.fields[0].0, format!("{}.question", resolver.id));
    }
}

#[test]
fn a_device_that_answers_on_the_link_tells_its_name() {
    let names = |resolver, bytes: &[u8]| read_datagrams(resolver, (5_353, 5_353), &[(Up, bytes)]).values("mdns.host-name");
    assert_eq!(names(&MDNS, RESPONSE), ["edge.rooms.example"]);
    assert!(names(&MDNS, QUERY).is_empty(), "whoever asks for a name does not have it");
    // What it is going to answer, before it does: a question, and the record in the section of authorities.
    let probe = [
        &QUERY[..12 + 19 + 4],
        b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x78\x00\x04\xc0\x00\x02\x21",
    ]
    .concat();
    let probe = [&probe[..8], &[0, 1, 0, 0], &probe[12..]].concat();
    assert_eq!(names(&MDNS, &probe), ["Api.rooms.example"]);
}

#[test]
fn inside_another_protocol_the_name_says_so() {
    let hinted = |layers: &'static [&'static str]| Opening {
        transport: Transport::Tcp,
        client_port: 50_000,
        server_port: 853,
        layers,
        start: Start::Hinted,
    };
    for (layers, protocol, bytes) in [
        (&["tcp", "tls"][..], "dot", behind_length(QUERY)),
        (&["udp", "quic"][..], "doq", behind_length(QUERY)),
        (&["tcp", "tls", "http"][..], "doh", QUERY.to_vec()),
        (&["tcp", "tls", "http2"], "doh", QUERY.to_vec()),
        (&["udp", "quic", "http3"], "doh", QUERY.to_vec()),
    ] {
        assert_eq!(DNS.matches(&hinted(layers)), Match::Yes);
        let out = feed(DNS.start(&hinted(layers), &Limits::default()).as_mut(), &[(Up, &bytes)]);
        assert_eq!(out.facts(), [&asked(protocol, "Api.rooms.example", "A")]);
    }
}

#[test]
fn a_stream_is_awaited_until_it_tells() {
    let whole = behind_length(QUERY);
    let verdict = |port, up: &[u8]| DNS.matches(&stream(50_000, port, up, &[]));
    for port in [53, 9_953] {
        assert_eq!(verdict(port, &whole[..10]), if port == 53 { Match::Maybe } else { Match::No });
        assert_eq!(verdict(port, &whole[..2]), Match::Maybe);
        assert_eq!(verdict(port, &whole), Match::Yes);
        assert_eq!(
            verdict(
                port,
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x8a\x9b\x8c\x8d\x8e\x8f\x90\x91"
            ),
            Match::No
        );
        assert_eq!(verdict(port, b"SSH-2.0-OpenSSH_9.2\r\n"), Match::No);
    }
}

#[test]
fn what_is_wrong_is_said_once_and_what_was_read_stands() {
    // Two questions are promised, the second is a name that points at itself.
    let mut message = QUERY[..12 + 19 + 4].to_vec();
    (message[5], message[11]) = (2, 0);
    message.extend_from_slice(&[1, b'x', 0xc0, 35, 0, 1, 0, 1]);
    let out = read_datagrams(&DNS, (50_000, 53), &[(Up, &message), (Up, &message)]);
    assert_eq!(out.values("dns.question"), ["Api.rooms.example", "x", "Api.rooms.example", "x"]);
    assert_eq!(out.anomalies.iter().map(|it| it.0).collect::<Vec<_>>(), ["dns-name-pointer"]);

    let out = read_datagrams(&DNS, (50_000, 53), &[(Up, &QUERY[..QUERY.len() - 9])]);
    assert_eq!(out.values("dns.question"), ["Api.rooms.example"]);
    assert_eq!(out.anomalies[0].0, "dns-cut");
}

#[test]
fn damage_never_panics() {
    for message in [QUERY, RESPONSE] {
        damage(&DNS, (50_000, 53), Transport::Udp, Up, message);
        damage(&DNS, (50_000, 53), Transport::Tcp, Up, &behind_length(message));
    }
}

#[test]
fn compression_cannot_make_a_message_expensive() {
    // The first record's data is a chain of pointers down to the root at byte 12; every further owner is its last link.
    let links = 120_u16;
    let mut whole = vec![0, 0, 0x80, 0, 0, 0, 0x14, 0, 0, 0, 0, 0];
    whole.extend_from_slice(&[0, 0, 10, 0, 1, 0, 0, 0, 0, 0, 240]);
    let first = u16::try_from(whole.len()).unwrap();
    for link in 0..links {
        let target = if link == 0 { 12 } else { first + 2 * (link - 1) };
        whole.extend_from_slice(&(0xc000 | target).to_be_bytes());
    }
    while whole.len() < 65_000 {
        whole.extend_from_slice(&(0xc000 | (first + 2 * (links - 1))).to_be_bytes());
        whole.extend_from_slice(&[0, 10, 0, 1, 0, 0, 0, 0, 0, 0]);
    }
    let read = Message::read(&whole).unwrap();
    // The header promises 5120 records and all are read: the work per record is what `name::JUMPS` allows.
    assert_eq!((read.records.len(), read.flaw), (5_120, None));
    assert!(read.records.iter().all(|it| it.name.flaw.is_none() && it.name.dotted.is_empty()));
}
