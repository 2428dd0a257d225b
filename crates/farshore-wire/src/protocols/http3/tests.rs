//! Tests of the whole dissector, on streams put together here.

use farshore_model::Direction::{Down, Up};
use farshore_model::{Direction, Observation, WireText};

use super::HTTP3;
use crate::limits::Limits;
use crate::protocols::notebook::{Notebook, stream};
use crate::protocols::{Opening, Origin, Piece, Protocol, Segment, Start};

/// Bytes of a stream: its number, the direction, and whether they are the last.
type Part<'a> = (u64, Direction, &'a [u8], bool);

fn read(parts: &[Part<'_>]) -> Notebook {
    let opening = Opening {
        layers: &["udp", "quic"],
        start: Start::Hinted,
        ..stream(1, 443, b"", b"")
    };
    let mut it = HTTP3.start(&opening, &Limits::default());
    let mut out = Notebook::default();
    let mut offsets = std::collections::BTreeMap::new();
    for (frame, (number, direction, bytes, end)) in (1..).zip(parts) {
        let offset = offsets.entry((*number, *direction)).or_insert(0);
        let origin = Origin {
            carrier: frame,
            frame,
            offset: *offset,
            in_frame: false,
        };
        *offset += bytes.len() as u64;
        let piece = Piece { bytes, missing: 0, origin };
        it.substream(*number, *direction, Segment::Bytes(piece), *end, &mut out);
    }
    it.finish(&mut out);
    out
}

fn frame(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind, u8::try_from(content.len()).unwrap()][..], content].concat()
}

/// POST, the authority and path of RFC 9204 appendix B.2, which rest on the table; a form of ten bytes.
fn request() -> Vec<u8> {
    let section = [0x03, 0x81, 0xd4, 0x10, 0x11, 0x5f, 0x1d, 0x21]
        .iter()
        .copied()
        .chain(*b"application/x-www-form-urlencoded")
        .collect::<Vec<u8>>();
    [frame(1, &section), frame(0x21, b"grease"), frame(0, b"user=alice")].concat()
}

const INSTRUCTIONS: &[u8] = b"\x02\x3f\xbd\x01\xc0\x0fwww.example.com\xc1\x0c/sample/path";
const SETTINGS: &[u8] = b"\x00\x04\x04\x01\x40\xdc\x06";

fn told(out: &Notebook) -> Vec<String> {
    let mut all: Vec<String> = out
        .fields
        .iter()
        .map(|(path, value, _)| format!("{path}={}", value.escape_ascii()))
        .collect();
    all.extend(out.observed.iter().map(|(it, at)| format!("{it:?} {at:?}")));
    all
}

#[test]
fn a_request_that_rests_on_the_table_is_read_before_and_after_it() {
    let request = request();
    let settings: Part<'_> = (3, Down, SETTINGS, false);
    let table: Part<'_> = (2, Up, INSTRUCTIONS, false);
    let asked: Part<'_> = (0, Up, &request, true);
    for parts in [[settings, table, asked], [settings, asked, table]] {
        let out = read(&parts);
        let expected = Observation::Request {
            version: "3",
            method: WireText::from("POST"),
            host: Some(WireText::from("www.example.com")),
            path: WireText::from("/sample/path"),
        };
        assert_eq!(out.facts(), [&expected], "{:?}", out.anomalies);
        assert_eq!(out.values("http.host"), ["www.example.com"]);
        assert_eq!(out.values("http.form.user"), ["alice"]);
        assert_eq!(out.client, Some(Up));
    }
}

#[test]
fn any_cut_of_the_streams_tells_the_same() {
    let request = request();
    let whole = read(&[(3, Down, SETTINGS, false), (2, Up, INSTRUCTIONS, false), (0, Up, &request, true)]);
    let fields = |out: &Notebook| -> Vec<String> { told(out).into_iter().filter(|it| !it.contains("Span")).collect() };
    for size in 1..20 {
        let mut parts: Vec<Part<'_>> = Vec::new();
        for (number, direction, bytes) in [(3, Down, SETTINGS), (2, Up, INSTRUCTIONS), (0, Up, &request[..])] {
            parts.extend(bytes.chunks(size).map(|chunk| (number, direction, chunk, false)));
        }
        parts.push((0, Up, &[], true));
        let cut = read(&parts);
        assert_eq!(fields(&cut), fields(&whole), "in pieces of {size}");
        assert_eq!(cut.facts(), whole.facts());
    }
}

#[test]
fn answers_and_other_streams_are_told_apart() {
    // :status 200, content-type application/json, as constants; pushes and streams of unknown kinds are passed over.
    let answer = [frame(1, &[0, 0, 0xd9, 0xee]), frame(0, b"{\"id\":7}")].concat();
    let out = read(&[
        (7, Down, b"\x01\x00junk", false),
        (11, Down, b"\x40\x54more", true),
        (0, Down, &answer, true),
    ]);
    assert_eq!(out.values("http.response.body"), ["{\"id\":7}"]);
    assert!(out.facts().is_empty() && out.anomalies.is_empty());
}

#[test]
fn a_gap_in_a_body_is_counted_off_and_any_other_ends_the_stream() {
    let opening = Opening {
        layers: &["udp", "quic"],
        start: Start::Hinted,
        ..stream(1, 443, b"", b"")
    };
    let head = frame(1, &[0, 0, 0xd4, 0xc1, 0x5f, 0x1d, 0x01, b'x']);
    for (missing, follows) in [(6, true), (7, false)] {
        let mut it = HTTP3.start(&opening, &Limits::default());
        let mut out = Notebook::default();
        let part = |bytes: &'static [u8]| {
            let origin = Origin {
                carrier: 1,
                frame: 1,
                offset: 0,
                in_frame: false,
            };
            Segment::Bytes(Piece { bytes, missing: 0, origin })
        };
        let head: &'static [u8] = Box::leak(head.clone().into_boxed_slice());
        it.substream(0, Up, part(head), false, &mut out);
        it.substream(0, Up, part(b"\x00\x0aabcd"), false, &mut out);
        it.substream(0, Up, Segment::Gap(missing), false, &mut out);
        it.substream(0, Up, part(head), true, &mut out);
        assert_eq!(out.facts().len(), if follows { 2 } else { 1 });
        assert_eq!(out.values("http.request.body"), ["abcd"]);
    }
}

#[test]
fn no_damage_makes_it_panic() {
    let request = request();
    let parts: [Part<'_>; 3] = [(3, Down, SETTINGS, false), (2, Up, INSTRUCTIONS, false), (0, Up, &request, true)];
    for which in 0..parts.len() {
        for at in 0..parts[which].2.len() {
            for mask in [0x01, 0x40, 0x80, 0xff] {
                let mut changed = parts[which].2.to_vec();
                changed[at] ^= mask;
                let mut damaged = parts;
                damaged[which].2 = &changed;
                read(&damaged);
                damaged[which].2 = &parts[which].2[..at];
                read(&damaged);
            }
        }
    }
}

/// RFC 9220: as in HTTP/2, on a stream.
#[test]
fn a_websocket_on_a_stream_is_read() {
    // Literals with names of their own (RFC 9204 section 4.5.6).
    let literal = |name: &str, value: &str| {
        let length = [0x27, u8::try_from(name.len() - 7).unwrap()];
        [
            &length[..],
            name.as_bytes(),
            &[u8::try_from(value.len()).unwrap()],
            value.as_bytes(),
        ]
        .concat()
    };
    let lines = [
        literal(":method", "CONNECT"),
        literal(":protocol", "websocket"),
        literal(":authority", "a.example"),
    ];
    let asked = [
        frame(1, &[&[0, 0][..], &lines.concat()].concat()),
        frame(0, b"\x81\x85\0\0\0\0hello"),
    ]
    .concat();
    // 200 by its place in the static table.
    let answered = [frame(1, &[0, 0, 0xd9]), frame(0, b"\x81\x03yes")].concat();
    let out = read(&[(3, Down, SETTINGS, false), (0, Up, &asked, true), (0, Down, &answered, true)]);
    let sockets = out.fields.iter().filter(|(path, ..)| path.starts_with("websocket"));
    let sockets: Vec<_> = sockets.map(|(path, value, _)| (path.as_str(), &value[..])).collect();
    assert_eq!(
        sockets,
        [("websocket.sent", &b"hello"[..]), ("websocket.received", b"yes")],
        "{:?}",
        out.anomalies
    );
}

/// A host is never masked: what proves who asks has no place in it.
#[test]
fn a_user_before_the_host_is_told_apart() {
    let literal = |name: &str, value: &str| {
        let sizes = [u8::try_from(name.len() - 7).unwrap(), u8::try_from(value.len()).unwrap()];
        [&[0x27, sizes[0]][..], name.as_bytes(), &sizes[1..], value.as_bytes()].concat()
    };
    for (authority, wanted) in [("ann:s3cret@b.example:8443", Some("b.example:8443")), ("ann:s3cret/x", None)] {
        let lines = [literal(":method", "CONNECT"), literal(":authority", authority)].concat();
        let asked = frame(1, &[&[0, 0][..], &lines].concat());
        let out = read(&[(3, Down, SETTINGS, false), (0, Up, &asked, true)]);
        let Observation::Request { host, path, .. } = &out.observed[0].0 else {
            panic!()
        };
        assert_eq!(host.as_ref().map(|it| it.as_str()), wanted, "{authority}");
        assert_eq!(path.as_str(), wanted.unwrap_or_default(), "{authority}");
        let hosts = out.values("http.host");
        assert_eq!(hosts.first().map(String::as_str), wanted, "{authority}");
        let password: &[&str] = if authority.contains('@') { &["s3cret"] } else { &[] };
        assert_eq!(out.values("http.userinfo.password"), password, "{authority}");
    }
}
