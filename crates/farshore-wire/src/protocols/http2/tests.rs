//! Whole connections, made by hand. Nothing here leaves the tests.

use farshore_model::{Direction, Observation, Span};

use super::super::http::HTTP;
use super::super::notebook::{Notebook, damage, feed, piece, read_stream, stream};
use super::super::{Progress, Segment};
use super::frame::PREFACE;
use super::*;

use Direction::{Down, Up};

fn frame(kind: u8, flags: u8, stream: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], content].concat()
}

/// Literals without index and without Huffman.
fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let string = |it: &str| [&[u8::try_from(it.len()).unwrap()], it.as_bytes()].concat();
    let literal = |(name, value): &(&str, &str)| [&[0x10], &string(name)[..], &string(value)].concat();
    headers.iter().flat_map(literal).collect()
}

fn settings() -> Vec<u8> {
    frame(4, 0, 0, &[0, 3, 0, 0, 0, 100])
}

fn request(method: &str, host: &str, path: &str) -> Observation {
    Observation::Request {
        version: "2",
        method: method.into(),
        host: Some(host.into()),
        path: path.into(),
    }
}

/// What the server promises.
fn promised() -> Observation {
    Observation::Request {
        version: "2",
        method: "GET".into(),
        host: None,
        path: "/pushed".into(),
    }
}

/// The first request is the one of RFC 7541, appendix C.4.1; the second has a body and goes over CONTINUATION, padding and
/// priority; a third, gRPC, stays open.
fn client() -> Vec<u8> {
    let huffman = [
        0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff,
    ];
    let post = block(&[
        (":method", "POST"),
        (":path", "/v1/join?imei=490154203237518&flag"),
        (":authority", "api.rooms.example"),
        ("host", "api.rooms.example"),
        ("cookie", "sid=abc; u=7"),
        ("authorization", "Basic dTpw"),
        ("X-Device", "a1b2"),
        ("content-type", "application/x-www-form-urlencoded"),
    ]);
    let (one, two) = post.split_at(40);
    let grpc = block(&[
        (":method", "POST"),
        (":path", "/rooms.Voice/Join"),
        (":authority", "rpc.example:50051"),
        ("content-type", "application/grpc"),
    ]);
    let padded = [&[3, 0, 0, 0, 0, 15][..], one, b"\0\0\0"].concat();
    [
        PREFACE.to_vec(),
        settings(),
        frame(1, 0x05, 1, &huffman),
        frame(1, 0x28, 3, &padded),
        frame(9, 0x00, 3, two.split_at(7).0),
        frame(9, 0x04, 3, two.split_at(7).1),
        frame(8, 0, 0, &[0, 0, 1, 0]),
        frame(0, 0x08, 3, b"\x02user=al\0\0"),
        frame(1, 0x04, 5, &grpc),
        frame(0, 0x01, 3, b"ice&room=blue"),
        frame(0, 0x00, 5, b"\0\0\0\0\x05hello"),
    ]
    .concat()
}

fn server() -> Vec<u8> {
    let answer = block(&[
        (":status", "200"),
        ("set-cookie", "sid=xyz; path=/"),
        ("content-type", "text/plain"),
        ("server", "test"),
    ]);
    [
        settings(),
        frame(4, 1, 0, b""),
        frame(
            5,
            0x04,
            1,
            &[&[0, 0, 0, 2][..], &block(&[(":method", "GET"), (":path", "/pushed")])].concat(),
        ),
        frame(1, 0x04, 1, &block(&[(":status", "103"), ("link", "x")])),
        frame(1, 0x04, 1, &answer),
        frame(0, 0x00, 1, b"you"),
        frame(0, 0x01, 1, b"rs"),
        frame(1, 0x05, 3, &block(&[(":status", "204")])),
    ]
    .concat()
}

fn check(out: &Notebook) {
    // Of literals the bytes stand there; what Huffman's code or an index stands for has to be unpacked.
    let packed: Vec<_> = out
        .decoded
        .iter()
        .filter(|(_, by)| by == &["hpack"])
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(packed[..2], ["http.path", "http.host"], "the first request");
    assert!(
        out.decoded
            .iter()
            .all(|(path, _)| path != "http.cookie.sid" && path != "http.query.imei")
    );
    assert_eq!(
        out.facts(),
        [
            &request("GET", "www.example.com", "/"),
            &request("POST", "api.rooms.example", "/v1/join?imei=490154203237518&flag"),
            &promised(),
            &request("POST", "rpc.example:50051", "/rooms.Voice/Join"),
        ]
    );
    let fields: Vec<_> = out
        .fields
        .iter()
        .map(|(path, value, _)| (path.as_str(), std::str::from_utf8(value).unwrap()))
        .collect();
    let (up, down) = fields.split_at(fields.len() - 7);
    assert_eq!(
        up,
        [
            ("http.path", "/"),
            ("http.host", "www.example.com"),
            ("http.path", "/v1/join"),
            ("http.query.imei", "490154203237518"),
            ("http.query", "flag"),
            ("http.host", "api.rooms.example"),
            ("http.cookie.sid", "abc"),
            ("http.cookie.u", "7"),
            ("http.authorization", "Basic dTpw"),
            ("http.request.header.x-device", "a1b2"),
            ("http.request.header.content-type", "application/x-www-form-urlencoded"),
            ("http.path", "/rooms.Voice/Join"),
            ("http.host", "rpc.example:50051"),
            ("http.request.header.content-type", "application/grpc"),
            ("http.form.user", "alice"),
            ("http.form.room", "blue"),
        ]
    );
    assert_eq!(
        down,
        [
            ("http.path", "/pushed"),
            ("http.response.header.link", "x"),
            ("http.set-cookie.sid", "xyz"),
            ("http.response.header.content-type", "text/plain"),
            ("http.response.header.server", "test"),
            ("http.response.body", "yours"),
            ("http.request.body", "hello"),
        ]
    );
    assert_eq!((out.client, out.anomalies.len(), out.limits.len()), (Some(Up), 0, 0));
}

#[test]
fn a_connection_is_told() {
    check(&read_stream(&HTTP2, (50_000, 80), &[(Up, &client()), (Down, &server())]));
}

#[test]
fn any_segmentation_over_tcp_tells_the_same() {
    let (up, down) = (client(), server());
    for size in 1..60 {
        let chunks: Vec<_> = up
            .chunks(size)
            .map(|it| (Up, it))
            .chain(down.chunks(size).map(|it| (Down, it)))
            .collect();
        check(&read_stream(&HTTP2, (50_000, 80), &chunks));
    }
}

#[test]
fn values_are_placed_at_their_bytes_or_at_what_said_them() {
    let up = client();
    let out = read_stream(&HTTP2, (50_000, 80), &[(Up, &up)]);
    let place = |wanted: &[u8]| out.fields.iter().find(|(_, value, _)| value == wanted).unwrap().2;
    // The value goes over two frames of one captured frame: the range holds the head between them.
    let at = 42 + 5 + up.windows(9).position(|it| it == b"imei=4901").unwrap() as u64;
    let span = place(b"490154203237518");
    assert!(span.in_frame && span.offset == at && span.length > 15, "{span:?}");
    let index = up.windows(2).position(|it| it == [0x41, 0x8c]).unwrap() as u64;
    assert_eq!(place(b"www.example.com"), Span::in_frame(1, 42 + index, 14));
    let device = up.windows(4).position(|it| it == b"a1b2").unwrap() as u64;
    assert_eq!(place(b"a1b2"), Span::in_frame(1, 42 + device, 4));
}

#[test]
fn an_upgrade_from_http_1_goes_on_here() {
    let ask = b"GET /first HTTP/1.1\r\nHost: h.example\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n";
    let yes = [&b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"[..], &server()].concat();
    let out = read_stream(&HTTP, (50_000, 80), &[(Up, ask), (Down, &yes), (Up, &client())]);
    assert_eq!(out.inner, [(Down, "http2", server()), (Up, "http2", client())]);
    let opening = Opening {
        layers: &["tcp", "http"],
        start: Start::Hinted,
        ..stream(1, 80, b"", b"")
    };
    let inner: Vec<_> = out.inner.iter().map(|(direction, _, bytes)| (*direction, &bytes[..])).collect();
    let out = feed(HTTP2.start(&opening, &Limits::default()).as_mut(), &inner);
    assert_eq!(out.observed.len(), 4);
}

#[test]
fn a_gap_in_a_body_is_counted_off_and_any_other_ends_the_direction() {
    let head = [
        PREFACE.to_vec(),
        frame(1, 0x04, 1, &block(&[(":method", "PUT"), (":path", "/a"), (":authority", "h")])),
        frame(0, 0x01, 1, &[b'x'; 20]),
    ]
    .concat();
    let next = frame(1, 0x05, 3, &block(&[(":method", "GET"), (":path", "/b"), (":authority", "h")]));
    for (missing, told) in [(10_u64, 2), (11, 1)] {
        let mut it = HTTP2.start(&stream(1, 80, b"", b""), &Limits::default());
        let mut out = Notebook::default();
        let parts = [
            Segment::Bytes(piece(1, &head[..head.len() - 10])),
            Segment::Gap(missing),
            Segment::Bytes(piece(2, &next)),
        ];
        for part in parts {
            assert_eq!(it.segment(Up, part, &mut out), Progress::More);
        }
        assert_eq!(out.observed.len(), told);
        assert_eq!(out.values("http.request.body"), ["x".repeat(10)]);
    }
}

#[test]
fn a_user_before_the_host_is_told_apart() {
    let asked = block(&[(":method", "GET"), (":path", "/"), (":authority", "ann:s3cret@b.example:8443")]);
    let whole = [PREFACE, &frame(1, 0x05, 1, &asked)].concat();
    let out = feed(HTTP2.start(&stream(1, 80, b"", b""), &Limits::default()).as_mut(), &[(Up, &whole)]);
    let Observation::Request { host, .. } = &out.observed[0].0 else {
        panic!()
    };
    assert_eq!(host.as_ref().map(|it| it.as_str()), Some("b.example:8443"));
    assert_eq!(out.values("http.userinfo.password"), ["s3cret"]);
    assert_eq!(out.values("http.host"), ["b.example:8443"]);
    // A `CONNECT` has no path (RFC 9113, section 8.5).
    let asked = block(&[(":method", "CONNECT"), (":authority", "ann:s3cret@b.example:8443")]);
    let whole = [PREFACE, &frame(1, 0x05, 1, &asked)].concat();
    let out = feed(HTTP2.start(&stream(1, 80, b"", b""), &Limits::default()).as_mut(), &[(Up, &whole)]);
    let Observation::Request { path, .. } = &out.observed[0].0 else {
        panic!()
    };
    assert_eq!(path.as_str(), "b.example:8443");
    // A password of which nothing tells the end.
    let asked = block(&[(":method", "CONNECT"), (":authority", "ann:s3cret/x")]);
    let whole = [PREFACE, &frame(1, 0x05, 1, &asked)].concat();
    let out = feed(HTTP2.start(&stream(1, 80, b"", b""), &Limits::default()).as_mut(), &[(Up, &whole)]);
    let Observation::Request { host, path, .. } = &out.observed[0].0 else {
        panic!()
    };
    assert_eq!((host, path.as_str()), (&None, ""));
    assert!(out.values("http.host").is_empty());
}

#[test]
fn ceilings_hold() {
    let limits = Limits {
        header_bytes: 5000,
        body_bytes: 4,
        ..Limits::default()
    };
    let run = |bytes: &[u8]| {
        let whole = [PREFACE, bytes].concat();
        feed(HTTP2.start(&stream(1, 80, b"", b""), &limits).as_mut(), &[(Up, &whole)])
    };
    let get = block(&[(":method", "GET"), (":path", "/a"), (":authority", "h")]);
    // One entry of four kilobytes, named a thousand times by one byte each.
    let mut bomb = [&get[..], &[0x40, 1, b'a', 0x7f, 0x81, 0x1e]].concat();
    bomb.extend([b'x'; 127 + 1 + (0x1e << 7)]);
    bomb.extend([0xbe; 500]);
    let out = run(&frame(1, 0x05, 1, &bomb));
    assert_eq!((out.observed.len(), out.limits.clone()), (1, vec!["header-bytes"]));
    assert!(out.fields.iter().map(|it| it.1.len()).sum::<usize>() < 5000);
    // A block without an end.
    let out = run(&[frame(1, 0, 1, &get), frame(9, 0, 1, &[0; 2500]), frame(9, 0, 1, &[0; 2500])].concat());
    assert_eq!((out.observed.len(), out.limits.clone()), (0, vec!["header-bytes"]));
    // A body longer than is kept.
    let out = run(&[frame(1, 0x04, 1, &get), frame(0, 0x01, 1, b"abcdef")].concat());
    assert_eq!(
        (out.values("http.request.body"), out.limits),
        (vec!["abcd".to_owned()], vec!["body-bytes"])
    );
    // Streams without end.
    let many: Vec<u8> = (0..2000_u16)
        .flat_map(|number| {
            let mut it = frame(1, 0x04, 0, &get);
            it[7..9].copy_from_slice(&(number * 2 + 1).to_be_bytes());
            it
        })
        .collect();
    let out = run(&many);
    assert_eq!((out.observed.len(), out.anomalies[0].0), (1024, "http2-streams-many"));
}

#[test]
fn what_breaks_the_framing_is_said() {
    for (bytes, kind) in [
        (frame(0, 0, 0, b"x"), "http2-frame"),
        (frame(9, 4, 1, b"x"), "http2-frame"),
        (frame(1, 0x0c, 1, &[9, 0x82]), "http2-frame"),
        (frame(1, 0x04, 1, &[0xff]), "http2-headers"),
        ([frame(1, 0x00, 1, &[0x82]), frame(0, 0, 1, b"x")].concat(), "http2-frame"),
    ] {
        let whole = [PREFACE, &bytes].concat();
        let out = read_stream(&HTTP2, (1, 80), &[(Up, &whole)]);
        assert_eq!(out.anomalies.iter().map(|it| it.0).collect::<Vec<_>>(), [kind]);
    }
}

#[test]
fn only_a_preface_is_recognised() {
    let verdict = |up: &[u8], down: &[u8]| HTTP2.matches(&stream(1, 80, up, down));
    assert_eq!(verdict(PREFACE, b""), Match::Yes);
    assert_eq!(verdict(&PREFACE[..10], b""), Match::Maybe);
    assert_eq!(verdict(b"", &settings()), Match::Yes);
    assert_eq!(verdict(b"", &settings()[..9]), Match::Maybe);
    assert_eq!(verdict(b"", &frame(4, 0, 0, &[0, 0x70, 0, 0, 0, 1])), Match::No);
    assert_eq!(verdict(b"", &[0; 40]), Match::No);
    assert_eq!(verdict(b"PRINT", b""), Match::No);
    assert_eq!(verdict(b"", b""), Match::Maybe);
}

#[test]
fn damage_never_panics() {
    damage(&HTTP2, (50_000, 80), Transport::Tcp, Up, &client());
    damage(&HTTP2, (50_000, 80), Transport::Tcp, Down, &server());
}

/// A stream asked for as a WebSocket (RFC 8441 section 5.1), and what is told of it; messages of RFC 6455 section 5.7 and RFC 7692
/// section 7.2.3.1.
fn socket(asked: &[(&str, &str)], status: &str, direct: &[u8]) -> Vec<(String, String)> {
    let target = [(":scheme", "https"), (":path", "/chat"), (":authority", "rooms.example")];
    let asked = frame(1, 0x04, 1, &block(&[asked, &target].concat()));
    let client = [PREFACE.to_vec(), settings(), asked].concat();
    let server = [settings(), frame(1, 0x04, 1, &block(&[(":status", status)]))].concat();
    let (sent, received) = (
        b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
        b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00",
    );
    let out = read_stream(
        &HTTP2,
        (50_000, 443),
        &[
            (Up, &client),
            (Down, &server),
            (Up, &frame(0, 0, 1, sent.split_at(5).0)),
            (Down, &[frame(0, 0, 1, received), frame(0, 1, 1, direct)].concat()),
            (Up, &frame(0, 1, 1, sent.split_at(5).1)),
        ],
    );
    let told = out
        .fields
        .iter()
        .map(|(path, value, _)| (path.clone(), value.escape_ascii().to_string()));
    told.filter(|(path, _)| path.starts_with("websocket") || path.contains("body"))
        .collect()
}

#[test]
fn a_websocket_on_a_stream_is_read() {
    let asked = [(":method", "CONNECT"), (":protocol", "websocket"), ("sec-websocket-version", "13")];
    let told = |path: &str, value: &str| (path.to_owned(), value.to_owned());
    let received = told("websocket.received", "Hello");
    assert_eq!(
        socket(&asked, "200", b"\x81\x03yes"),
        [received, told("websocket.received", "yes"), told("websocket.sent", "Hello")]
    );
    // Refused: what comes back is a body. The client is not heard to speak.
    let refused = socket(&asked, "403", b"no");
    assert!(refused.iter().all(|(path, _)| path != "websocket.received"), "{refused:?}");
    assert!(
        refused
            .iter()
            .any(|(path, value)| path == "http.response.body" && value.ends_with("no")),
        "{refused:?}"
    );
    // Another tunnel: its bytes are nobody's.
    let tunnel = socket(&[(":method", "CONNECT")], "200", b"");
    assert!(tunnel.iter().all(|(path, _)| !path.starts_with("websocket")), "{tunnel:?}");
}

/// RFC 9113, section 8.4: the server makes a request, and answers it on a stream of its own.
#[test]
fn a_promised_request_is_the_servers_own() {
    let asked = block(&[(":method", "GET"), (":path", "/room"), (":authority", "rooms.example")]);
    let promised = block(&[
        (":method", "GET"),
        (":path", "/members?user_id=1009431"),
        (":authority", "rooms.example"),
        ("x-device", "a1b2"),
    ]);
    let answer = block(&[(":status", "200"), ("content-type", "text/plain")]);
    let up = [PREFACE.to_vec(), settings(), frame(1, 0x05, 1, &asked)].concat();
    let padded = [&[2, 0, 0, 0, 2][..], &promised, b"\0\0"].concat();
    for promise in [
        frame(5, 0x04, 1, &[&[0, 0, 0, 2][..], &promised].concat()),
        frame(5, 0x0c, 1, &padded),
    ] {
        let down = [
            settings(),
            frame(1, 0x04, 1, &answer),
            promise,
            frame(0, 0x01, 1, b"blue door"),
            frame(1, 0x04, 2, &answer),
            frame(0, 0x01, 2, b"alice, bob"),
        ]
        .concat();
        let out = read_stream(&HTTP2, (50_000, 80), &[(Up, &up), (Down, &down)]);
        assert_eq!(out.client, Some(Up));
        let requests: Vec<_> = out.observed.iter().map(|(it, at)| (it, at.first_frame)).collect();
        assert!(
            requests.contains(&(&request("GET", "rooms.example", "/members?user_id=1009431"), 2)),
            "{requests:?}"
        );
        assert!(requests.contains(&(&request("GET", "rooms.example", "/room"), 1)), "{requests:?}");
        assert_eq!(requests.len(), 2);
        assert_eq!(out.values("http.request.header.x-device"), ["a1b2"]);
        assert_eq!(out.values("http.query.user_id"), ["1009431"]);
        assert_eq!(out.values("http.response.body"), ["blue door", "alice, bob"]);
        assert!(out.anomalies.is_empty(), "{:?}", out.anomalies);
    }
}
