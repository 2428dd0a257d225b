//! Whole conversations, made by hand. Nothing here leaves the tests.

use base64::Engine as _;
use farshore_model::{Direction, Observation, Span};

use super::super::notebook::{Notebook, damage, datagrams, feed, piece, read_stream, stream};
use super::super::{Progress, Segment};
use super::*;

use Direction::{Down, Up};

const UP: &[u8] = include_bytes!("samples/client.bin");
const DOWN: &[u8] = include_bytes!("samples/server.bin");

fn request(method: &str, host: Option<&str>, path: &str) -> Observation {
    Observation::Request {
        version: "1.1",
        method: method.into(),
        host: host.map(Into::into),
        path: path.into(),
    }
}

fn requests_of_the_sample() -> Vec<Observation> {
    vec![
        request(
            "GET",
            Some("api.rooms.example:8080"),
            "/v1/join?imei=490154203237518&Name=J%C3%B6rg&flag",
        ),
        request("POST", Some("api.rooms.example"), "/form"),
        request("HEAD", Some("proxied.example"), "http://proxied.example/a?b=c"),
        request("POST", Some("api.rooms.example"), "/json"),
    ]
}

const FIELDS_UP: &[(&str, &str)] = &[
    ("http.path", "/v1/join"),
    ("http.query.imei", "490154203237518"),
    ("http.query.name", "J%C3%B6rg"),
    ("http.query", "flag"),
    ("http.host", "api.rooms.example:8080"),
    ("http.request.header.user-agent", "Voice/1.0 (folded line)"),
    ("http.cookie.sid", "abc=="),
    ("http.cookie.u", "7"),
    ("http.authorization", "Basic dTpw"),
    ("http.path", "/form"),
    ("http.host", "api.rooms.example"),
    ("http.request.header.content-type", "application/x-www-form-urlencoded"),
    ("http.request.header.content-length", "25"),
    ("http.form.user", "alice"),
    ("http.form.room", "blue+door"),
    ("http.path", "/a"),
    ("http.query.b", "c"),
    ("http.path", "/json"),
    ("http.host", "api.rooms.example"),
    ("http.request.header.content-type", "application/json"),
    ("http.request.header.transfer-encoding", "chunked"),
    ("http.request.body", "{\"id\":\"a1b2\"}"),
];

const FIELDS_DOWN: &[(&str, &str)] = &[
    ("http.response.header.content-length", "5"),
    ("http.set-cookie.sid", "xyz"),
    ("http.response.body", "hello"),
    ("http.response.header.content-type", "image/png"),
    ("http.response.header.content-length", "4"),
    ("http.response.header.content-length", "999"),
    ("http.response.header.server", "last"),
    ("http.response.body", "until the end"),
];

type Told<'a> = Vec<(&'a str, String)>;

/// Fields told of one sample, of requests and of responses.
fn told(out: &Notebook) -> (Told<'_>, Told<'_>) {
    let all = out
        .fields
        .iter()
        .map(|(path, value, _)| (path.as_str(), String::from_utf8_lossy(value).into_owned()));
    all.partition(|(path, _)| !path.starts_with("http.response") && !path.starts_with("http.set-cookie"))
}

fn owned(list: &[(&'static str, &str)]) -> Told<'static> {
    list.iter().map(|(path, value)| (*path, (*value).to_owned())).collect()
}

#[test]
fn a_conversation_in_any_segmentation_tells_the_same() {
    let longest = UP.len().max(DOWN.len());
    for size in 1..=longest {
        let chunks: Vec<_> = UP
            .chunks(size)
            .map(|it| (Up, it))
            .chain(DOWN.chunks(size).map(|it| (Down, it)))
            .collect();
        let out = read_stream(&HTTP, (50_000, 8_080), &chunks);
        assert_eq!(out.facts(), requests_of_the_sample().iter().collect::<Vec<_>>(), "chunks of {size}");
        assert_eq!(told(&out), (owned(FIELDS_UP), owned(FIELDS_DOWN)), "chunks of {size}");
        assert_eq!((out.client, out.anomalies.len()), (Some(Up), 0));
    }
}

#[test]
fn every_value_is_where_its_span_says() {
    let out = read_stream(&HTTP, (50_000, 8_080), &[(Up, UP), (Down, DOWN)]);
    // The empty line before the request is no part of it.
    let end = UP.windows(4).position(|it| it == b"\r\n\r\n").unwrap() as u64 + 4;
    assert_eq!(out.observed[0].1, Span::in_frame(1, 44, end - 2));
    for (path, value, at) in &out.fields {
        let bytes = if at.frame == 1 { UP } else { DOWN };
        let start = usize::try_from(at.offset).unwrap() - 42;
        let held = &bytes[start..start + usize::try_from(at.length).unwrap()];
        match path.as_str() {
            // A folded value and a chunked body are put together from what the span holds.
            "http.request.header.user-agent" => assert!(held.starts_with(b"Voice/1.0") && held.ends_with(b"line)")),
            "http.request.body" => assert!(held.starts_with(b"{\"id") && held.ends_with(b"\"}")),
            _ => assert_eq!(held, value, "{path}"),
        }
    }
}

#[test]
fn a_value_over_two_frames_names_both() {
    let at = UP.windows(4).position(|it| it == b"4901").unwrap() + 4;
    let out = read_stream(&HTTP, (50_000, 80), &[(Up, &UP[..at]), (Up, &UP[at..])]);
    let (_, value, span) = out.fields.iter().find(|(path, ..)| path == "http.query.imei").unwrap();
    assert_eq!(value, b"490154203237518");
    assert_eq!((span.first_frame, span.frame, span.offset), (1, 2, at as u64 - 4));
}

#[test]
fn a_request_is_told_with_its_last_byte() {
    let head = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n";
    let out = read_stream(
        &HTTP,
        (50_000, 80),
        &[(Up, head), (Down, b"HTTP/1.1 100 Continue\r\n\r\n"), (Up, b"ab"), (Up, b"cd")],
    );
    let span = Span::in_layer(1, 4, 0, head.len() as u64);
    assert_eq!(out.observed, [(request("POST", Some("h"), "/a"), span)]);
    let out = read_stream(&HTTP, (50_000, 80), &[(Up, head), (Up, b"ab")]);
    assert_eq!(
        out.observed,
        [(request("POST", Some("h"), "/a"), Span { frame: 2, ..span })],
        "the body was cut"
    );
}

/// Reads segments and gaps of one direction.
fn with_gaps(direction: Direction, list: &[Result<&[u8], u64>]) -> Notebook {
    let mut it = HTTP.start(&stream(1, 80, b"", b""), &Limits::default());
    let mut out = Notebook::default();
    for (frame, part) in (1..).zip(list) {
        let segment = match part {
            Ok(bytes) => Segment::Bytes(piece(frame, bytes)),
            Err(missing) => Segment::Gap(*missing),
        };
        assert_eq!(it.segment(direction, segment, &mut out), Progress::More);
    }
    it.finish(&mut out);
    out
}

#[test]
fn a_gap_in_a_body_of_known_length_is_counted_off() {
    let out = with_gaps(
        Up,
        &[
            Ok(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nab"),
            Err(5),
            Ok(b"xyzGET /b HTTP/1.1\r\nHost: h\r\n\r\n"),
        ],
    );
    assert_eq!(out.facts(), [&request("POST", Some("h"), "/a"), &request("GET", Some("h"), "/b")]);
    assert_eq!(out.values("http.request.body"), ["ab"]);
}

#[test]
fn after_any_other_gap_the_next_start_line_is_awaited() {
    let out = with_gaps(
        Up,
        &[
            Ok(b"GET /a HTTP/1.1\r\nHost: h\r\nX-Cut: y"),
            Err(100),
            Ok(b"tail of something\r\n\r\n"),
            Ok(b"GET /b HTTP/1.1\r\nHost: h\r\n\r\n"),
        ],
    );
    assert_eq!(out.facts(), [&request("GET", Some("h"), "/a"), &request("GET", Some("h"), "/b")]);
    assert_eq!(out.anomalies.iter().map(|it| it.0).collect::<Vec<_>>(), ["http-head-cut"]);
    assert_eq!(out.values("http.request.header.x-cut").len(), 0, "half a value is not told");
}

#[test]
fn a_capture_that_begins_with_the_answer() {
    let down = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 204 No\r\n\r\n";
    let out = read_stream(&HTTP, (50_000, 80), &[(Down, down), (Up, b"GET / HTTP/1.0\r\n\r\n")]);
    assert_eq!(out.values("http.response.body"), ["ok"]);
    let Observation::Request { version, host, .. } = &out.observed[0].0 else {
        panic!()
    };
    assert_eq!((*version, host), ("1.0", &None));
}

/// A host is never masked: what proves who asks has no place in it.
#[test]
fn a_user_before_the_host_is_told_apart() {
    let head = b"GET http://ann:s3cret@a.example/x HTTP/1.1\r\nHost: bob:pw@b.example:8080\r\n\r\n";
    let out = read_stream(&HTTP, (1, 80), &[(Up, head)]);
    let Observation::Request { host, .. } = &out.observed[0].0 else {
        panic!()
    };
    assert_eq!(host.as_ref().map(|it| it.as_str()), Some("b.example:8080"));
    assert_eq!(out.values("http.userinfo.user"), ["ann", "bob"]);
    assert_eq!(out.values("http.userinfo.password"), ["s3cret", "pw"]);
    assert_eq!(out.values("http.host"), ["b.example:8080"]);
    assert_eq!(out.values("http.path"), ["/x"]);
}

/// Whoever writes a password as it is into a URL ends the authority where the password has a `/`, a `?` or a `#`.
#[test]
fn half_a_password_is_no_host() {
    for (target, header) in [
        ("http://ann:s3cret/x@a.example/y", ""),
        ("http://ann:s3cret?x@a.example/y", ""),
        ("/y", "ann:s3cret#x"),
    ] {
        let head = format!("GET {target} HTTP/1.1\r\nHost: {header}\r\n\r\n");
        let out = read_stream(&HTTP, (1, 80), &[(Up, head.as_bytes())]);
        let Observation::Request { host, .. } = &out.observed[0].0 else {
            panic!()
        };
        assert_eq!(host, &None, "{head}");
        assert!(out.values("http.host").is_empty(), "{head}");
    }
    let head = b"GET http://ann:s3cret/x@a.example/y HTTP/1.1\r\nHost: a.example\r\n\r\n";
    let out = read_stream(&HTTP, (1, 80), &[(Up, head)]);
    assert_eq!(out.values("http.host"), ["a.example"]);
}

#[test]
fn whom_a_tunnel_is_asked_for_is_a_host() {
    for (asked, wanted) in [
        ("mail.example:25", Some("mail.example:25")),
        ("mail.example:25 /", Some("mail.example:25")),
        ("/", None),
        ("ann:s3cret@mail.example:25", Some("mail.example:25")),
    ] {
        let head = format!("CONNECT {asked} HTTP/1.0\r\n\r\n");
        let out = read_stream(&HTTP, (1, 3_128), &[(Up, head.as_bytes())]);
        let Observation::Request { host, .. } = &out.observed[0].0 else {
            panic!()
        };
        assert_eq!(host.as_ref().map(|it| it.as_str()), wanted, "{asked}");
        let password: &[&str] = if asked.contains('@') { &["s3cret"] } else { &[] };
        assert_eq!(out.values("http.userinfo.password"), password, "{asked}");
        assert!(out.values("http.path").iter().all(|it| !it.contains('@')), "{asked}");
    }
}

#[test]
fn a_tunnel_hands_on_what_it_carries() {
    let connect = b"CONNECT mail.example:443 HTTP/1.1\r\n\r\n";
    let yes = b"HTTP/1.1 200 Connection established\r\n\r\n";
    let out = read_stream(
        &HTTP,
        (1, 3_128),
        &[(Up, connect), (Down, yes), (Up, b"\x16\x03\x01hello"), (Down, b"\x16\x03\x03back")],
    );
    assert_eq!(out.facts(), [&request("CONNECT", Some("mail.example:443"), "mail.example:443")]);
    assert_eq!(
        out.inner,
        [
            (Up, "tls", b"\x16\x03\x01hello".to_vec()),
            (Down, "tls", b"\x16\x03\x03back".to_vec())
        ]
    );
    let out = read_stream(
        &HTTP,
        (1, 3_128),
        &[
            (Up, connect),
            (Down, b"HTTP/1.1 403 No\r\nContent-Length: 1\r\n\r\nx"),
            (Up, connect),
        ],
    );
    assert_eq!((out.observed.len(), out.inner.len()), (2, 0));
    let out = read_stream(
        &HTTP,
        (1, 3_128),
        &[(Up, connect), (Down, yes), (Down, b"SSH-2.0-x\r\n"), (Up, b"\x16\x03\x01")],
    );
    assert_eq!(out.inner.len(), 0);
}

#[test]
fn an_upgrade_hands_on_or_ends_it() {
    let up = b"GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n";
    let down = b"HTTP/1.1 101 Switching\r\nUpgrade: WebSocket\r\n\r\n\x81\x05hello";
    let out = read_stream(&HTTP, (1, 80), &[(Up, up), (Down, down), (Up, b"\x81\x80")]);
    assert_eq!(out.observed.len(), 1);
    assert_eq!(
        out.inner,
        [
            (Down, "websocket", b"\x81\x05hello".to_vec()),
            (Up, "websocket", b"\x81\x80".to_vec())
        ]
    );
    let out = read_stream(
        &HTTP,
        (1, 80),
        &[(Up, up), (Down, b"HTTP/1.1 101 Switching\r\n\r\n\x81\x05hello"), (Up, up)],
    );
    assert_eq!((out.observed.len(), out.inner.len()), (1, 0));
}

#[test]
fn compressed_and_seen_bodies_are_not_told_and_long_ones_are_clipped() {
    for header in ["Content-Type: video/mp4", "Content-Encoding: gzip", "Content-Type: Image/PNG; x=y"] {
        let text = format!("POST / HTTP/1.1\r\n{header}\r\nContent-Length: 3\r\n\r\nabc");
        assert_eq!(
            read_stream(&HTTP, (1, 80), &[(Up, text.as_bytes())])
                .values("http.request.body")
                .len(),
            0,
            "{header}"
        );
    }
    let limits = Limits {
        body_bytes: 9,
        ..Limits::default()
    };
    let text = b"POST / HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 14\r\n\r\na=1&b=2&c=3456";
    let out = feed(HTTP.start(&stream(1, 80, b"", b""), &limits).as_mut(), &[(Up, text)]);
    assert_eq!(
        (out.values("http.form.a"), out.values("http.form.c").len()),
        (vec!["1".to_owned()], 0)
    );
    assert_eq!(out.limits, ["body-bytes"]);
}

#[test]
fn a_head_without_an_end_is_given_up() {
    let limits = Limits {
        header_bytes: 100,
        ..Limits::default()
    };
    let text = [&b"GET /a HTTP/1.1\r\nHost: h\r\n"[..], &b"X: y\r\n".repeat(20)].concat();
    let out = feed(HTTP.start(&stream(1, 80, b"", b""), &limits).as_mut(), &[(Up, &text)]);
    assert_eq!(out.facts(), [&request("GET", Some("h"), "/a")]);
    assert_eq!((out.limits, out.anomalies[0].0), (vec!["header-bytes"], "http-head-long"));
}

#[test]
fn a_broken_chunk_is_said() {
    let out = with_gaps(
        Down,
        &[
            Ok(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n"),
            Ok(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
        ],
    );
    assert_eq!(out.anomalies[0].0, "http-chunk");
    assert_eq!(out.values("http.response.body"), ["x"]);
}

#[test]
fn dns_in_a_body_is_handed_on() {
    let text = b"POST /dns-query HTTP/1.1\r\nContent-Type: application/dns-message\r\nContent-Length: 3\r\n\r\n\x01\x02\x03";
    assert_eq!(read_stream(&HTTP, (1, 80), &[(Up, text)]).inner, [(Up, "dns", vec![1, 2, 3])]);
}

#[test]
fn logins_by_ntlm_name_who_and_from_where() {
    let token = base64::engine::general_purpose::STANDARD.encode(crate::protocols::ntlm::tests::answer());
    for scheme in ["NTLM", "Negotiate"] {
        let text = format!("GET / HTTP/1.1\r\nHost: files.example\r\nAuthorization: {scheme} {token}\r\n\r\n");
        let out = read_stream(&HTTP, (1, 80), &[(Up, text.as_bytes())]);
        let told = |of: &str| out.values(&format!("http.authorization.{of}"));
        assert_eq!([told("user"), told("workstation")], [["grace.h"], ["GRACE-PC"]]);
        assert_eq!(out.values("http.authorization"), [format!("{scheme} {token}")]);
        assert!(out.decoded.iter().all(|(_, by)| *by == ["base64", "utf-16"]));
    }
    let other = format!("GET / HTTP/1.1\r\nHost: files.example\r\nAuthorization: Basic {token}\r\n\r\n");
    assert_eq!(read_stream(&HTTP, (1, 80), &[(Up, other.as_bytes())]).decoded, []);
}

#[test]
fn only_messages_are_recognised() {
    let verdict = |up: &[u8], down: &[u8]| HTTP.matches(&stream(1, 80, up, down));
    assert_eq!(verdict(b"GET / HTTP/1.1\r\n", b""), Match::Yes);
    assert_eq!(verdict(b"", b"HTTP/1.1 200 OK\r\n"), Match::Yes);
    assert_eq!(verdict(b"HTTP/1.1 200 OK\r\n", b""), Match::Yes, "the ends may have been mistaken");
    assert_eq!(verdict(b"POST /a", b""), Match::Maybe);
    assert_eq!(verdict(b"\x16\x03\x01", b"\x16\x03\x03"), Match::No);
    assert_eq!(verdict(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0\0\0"), Match::No);
    assert_eq!(verdict(b"OPTIONS rtsp://h/ RTSP/1.0\r\n", b"RTSP/1.0 200 OK\r\n"), Match::No);
    assert_eq!(HTTP.matches(&datagrams(1, 80, &[(Up, b"GET / HTTP/1.1\r\n\r\n")])), Match::No);
}

#[test]
fn damage_never_panics() {
    damage(&HTTP, (50_000, 80), Transport::Tcp, Up, UP);
    damage(&HTTP, (50_000, 80), Transport::Tcp, Down, DOWN);
}

#[test]
fn one_byte_segments_cost_no_more_than_their_bytes() {
    // A head of 64 kB without a line end, in one-byte segments: searched once, not once per segment.
    let text = [&b"GET /"[..], &vec![b'a'; 65_000]].concat();
    let chunks: Vec<_> = text.chunks(1).map(|it| (Up, it)).collect();
    let out = feed(HTTP.start(&stream(1, 80, b"", b""), &Limits::default()).as_mut(), &chunks);
    assert_eq!(out.observed.len(), 0);
}
