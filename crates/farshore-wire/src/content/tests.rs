//! Values in each coding and form, inside each other, and what is made to cost.

use std::io::Write;

use farshore_model::Span;

use super::{About, Text, tell};
use crate::limits::Limits;
use crate::protocols::notebook::Notebook;

fn read_with(kind: &str, coding: &str, bytes: &[u8], limits: &Limits) -> Notebook {
    let mut out = Notebook::default();
    let about = About {
        path: "b",
        kind: kind.as_bytes(),
        coding: coding.as_bytes(),
        packed: &[],
    };
    let place = |range: std::ops::Range<usize>| Span::in_frame(1, range.start as u64, range.len() as u64);
    tell(Text { bytes, place: &place }, &about, limits, &mut out);
    out
}

fn read(kind: &str, coding: &str, bytes: &[u8]) -> Notebook {
    read_with(kind, coding, bytes, &Limits::default())
}

/// Path, value, what was undone.
fn told(out: &Notebook) -> Vec<(&str, String, String)> {
    let mut decoded = out.decoded.iter();
    let each = out.fields.iter().map(|(path, value, _)| {
        let by = decoded.clone().next().filter(|(it, _)| it == path).map(|(_, by)| by.join(" "));
        if by.is_some() {
            decoded.next();
        }
        (path.as_str(), String::from_utf8_lossy(value).into_owned(), by.unwrap_or_default())
    });
    each.collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut it = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    it.write_all(bytes).unwrap();
    it.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut it = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    it.write_all(bytes).unwrap();
    it.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// "alice@rooms.example, alice@rooms.example\n" by brotli 1.0.
const BR: &[u8] = &[
    0x1b, 0x28, 0x00, 0xf8, 0xc5, 0x6d, 0xec, 0xfb, 0x86, 0x63, 0xb7, 0xae, 0x44, 0x23, 0x28, 0x84, 0x4a, 0x45, 0x96, 0x29, 0xa8, 0x48,
    0x20, 0x69, 0x35, 0x9d, 0x15, 0x67, 0xef, 0x33, 0x8c, 0x21, 0x00,
];

#[test]
fn codings_are_undone_the_last_first() {
    let text = br#"{"mail":"alice@rooms.example"}"#;
    let whole = String::from_utf8_lossy(text).into_owned();
    for (coding, bytes, by) in [
        ("gzip", gzip(text), "gzip"),
        ("X-GZIP", gzip(text), "gzip"),
        ("deflate", zlib(text), "deflate"),
        ("deflate", zlib(text)[2..].to_vec(), "deflate"),
        ("zstd", zstd(text), "zstd"),
        ("deflate, gzip", gzip(&zlib(text)), "gzip deflate"),
        ("identity", text.to_vec(), ""),
        ("gzip, identity", gzip(text), "gzip"),
    ] {
        let out = read("application/json", coding, &bytes);
        assert_eq!(told(&out), [("b", whole.clone(), by.to_owned())], "{coding}");
        assert_eq!(out.fields[0].2.length, bytes.len() as u64, "placed at what was captured");
    }
    let out = read("text/plain", "br", BR);
    assert_eq!(
        told(&out),
        [("b", "alice@rooms.example, alice@rooms.example\n".to_owned(), "br".to_owned())]
    );
    assert!(read("text/plain", "compress", text).fields.is_empty(), "a coding nobody undoes");
    let cut = gzip(&text.repeat(40));
    assert!(
        read("text/plain", "gzip", &cut[..cut.len() - 9]).fields[0].1.starts_with(text),
        "what came before the cut"
    );
}

#[test]
fn strings_with_escapes_are_told_apart() {
    let text = br#"{"plain":"a b","mail":"first\nalice\u0040rooms.example","in":[{"deep":"{\"id\":\"x\\ty\"}"}],"k\n":1}"#;
    let out = read("application/json", "", text);
    assert_eq!(
        told(&out),
        [
            ("b.mail", "first\nalice@rooms.example".to_owned(), "json".to_owned()),
            ("b.in.deep.id", "x\ty".to_owned(), "json json".to_owned()),
            ("b.in.deep", format!(r#"{{"id":"{}"}}"#, " ".repeat(4)), "json".to_owned()),
            (
                "b",
                format!(
                    r#"{{"plain":"a b","mail":"{}","in":[{{"deep":"{}"}}],"k\n":1}}"#,
                    " ".repeat(31),
                    " ".repeat(18)
                ),
                String::new()
            ),
        ]
    );
    let mail = out.fields[0].2;
    assert_eq!(
        &text[mail.offset as usize..][..mail.length as usize],
        br"first\nalice\u0040rooms.example"
    );
    let sniffed = read("", "", br#" {"a":"\/x"}"#);
    assert_eq!(told(&sniffed)[0], ("b.a", "/x".to_owned(), "json".to_owned()));
}

#[test]
fn parts_of_forms_go_under_their_names() {
    let body = b"--xyz\r\nContent-Disposition: form-data; name=\"E-Mail\"\r\n\r\nalice@rooms.example\r\n--xyz\r\n\
        Content-Disposition: form-data; name=\"doc\"; filename=\"a.json\"\r\nContent-Type: application/json\r\n\r\n{\"u\":\"a\\/b\"}\r\n--xyz--\r\n";
    let out = read("multipart/form-data; boundary=xyz", "", body);
    let paths: Vec<_> = told(&out).into_iter().map(|it| (it.0.to_owned(), it.1)).collect();
    assert_eq!(
        paths,
        [
            ("b.e-mail".to_owned(), "alice@rooms.example".to_owned()),
            ("b.doc.filename".to_owned(), "a.json".to_owned()),
            ("b.doc.u".to_owned(), "a/b".to_owned()),
            ("b.doc".to_owned(), "{\"u\":\"    \"}".to_owned()),
        ]
    );
    let mail = out.fields[0].2;
    assert_eq!(&body[mail.offset as usize..][..mail.length as usize], b"alice@rooms.example");
    assert_eq!(
        told(&read("multipart/form-data", "", body)).len(),
        1,
        "without a boundary it is text"
    );
}

/// A field with a length.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
}

#[test]
fn protobuf_goes_by_its_numbers() {
    let inner = [field(1, b"alice@rooms.example"), vec![2 << 3, 0xba, 0xdb, 0xc5, 0xfd, 0x0e]].concat();
    let place = [vec![4 << 3 | 1], 48.137_154_f64.to_le_bytes().to_vec()].concat();
    let message = [field(3, &inner), place, field(5, br#"{"a":"\/"}"#), vec![6 << 3 | 5, 1, 0, 0, 0]].concat();
    let out = read("application/x-protobuf", "", &message);
    assert_eq!(
        told(&out),
        [
            ("b.3.1", "alice@rooms.example".to_owned(), "protobuf protobuf".to_owned()),
            ("b.3.2", "4021382586".to_owned(), "protobuf protobuf varint".to_owned()),
            ("b.4", "48.137154".to_owned(), "protobuf fixed64".to_owned()),
            ("b.5.a", "/".to_owned(), "protobuf json".to_owned()),
            ("b.5", "{\"a\":\"  \"}".to_owned(), "protobuf".to_owned()),
            ("b.6", "1".to_owned(), "protobuf fixed32".to_owned()),
        ]
    );
    let mail = out.fields[0].2;
    assert_eq!(&message[mail.offset as usize..][..mail.length as usize], b"alice@rooms.example");
    assert_eq!(
        told(&read("application/x-protobuf", "", b"no message")),
        [("b", "no message".to_owned(), String::new())]
    );
}

#[test]
fn calls_are_messages_one_after_the_other() {
    let message = field(1, b"alice@rooms.example");
    let packed = gzip(&message);
    let call = |flag: u8, it: &[u8]| [&[flag][..], &(it.len() as u32).to_be_bytes(), it].concat();
    let body = [call(0, &message), call(1, &packed), call(0x80, b"grpc-status: 0\r\n"), call(0, b"")].concat();
    let out = read("application/grpc+proto", "gzip", &body);
    assert_eq!(
        told(&out),
        [
            ("b.1", "alice@rooms.example".to_owned(), "grpc protobuf".to_owned()),
            ("b.1", "alice@rooms.example".to_owned(), "grpc gzip protobuf".to_owned()),
        ]
    );
}

#[test]
fn message_pack_and_cbor_go_by_their_keys() {
    // {"mail": "a@b.example", "ids": [-2, 3.5, {"n": 4021382586}], 7: bin(gzip("deep"))}
    let deep = gzip(b"deep value");
    let packed = [
        &b"\x83\xa4mail\xaba@b.example\xa3ids\x93\xfe\xcb\x40\x0c\0\0\0\0\0\0\x81\xa1n\xce\xef\xb1\x6d\xba\x07\xc4"[..],
        &[deep.len() as u8],
        &deep,
    ]
    .concat();
    let concise = [
        &b"\xbf\x64mail\x6ba@b.example\x63ids\x9f\x21\xfb\x40\x0c\0\0\0\0\0\0\xa1\x61n\x1a\xef\xb1\x6d\xba\xff\x07\xc2\x58"[..],
        &[deep.len() as u8],
        &deep,
        b"\xff",
    ]
    .concat();
    for (kind, name, bytes) in [
        ("application/msgpack", "msgpack", packed),
        ("application/senml+cbor", "cbor", concise),
    ] {
        let out = read(kind, "", &bytes);
        let expected = [
            ("b.mail", "a@b.example", ""),
            ("b.ids", "-2", ""),
            ("b.ids", "3.5", ""),
            ("b.ids.n", "4021382586", ""),
            ("b.7", "deep value", " gzip"),
        ]
        .map(|(path, value, more)| (path, value.to_owned(), format!("{name}{more}")));
        assert_eq!(told(&out), expected, "{kind}");
        for cut in 0..bytes.len() {
            assert!(read(kind, "", &bytes[..cut]).fields.len() <= 6);
        }
    }
}

/// A list of these objects, the last of them on top.
fn bplist(objects: &[&[u8]]) -> Vec<u8> {
    let mut list = b"bplist00".to_vec();
    let mut places = Vec::new();
    for it in objects {
        places.push(list.len() as u8);
        list.extend_from_slice(it);
    }
    let table = list.len() as u64;
    list.extend(places);
    list.extend([0, 0, 0, 0, 0, 0, 1, 1]);
    for number in [objects.len() as u64, objects.len() as u64 - 1, table] {
        list.extend(number.to_be_bytes());
    }
    list
}

#[test]
fn property_lists_go_by_their_keys() {
    let list = bplist(&[
        b"\x54mail",
        b"\x5f\x10\x13alice@rooms.example",
        b"\x52id",
        b"\x12\x00\x00\x10\x01",
        b"\x64\0J\0\xf6\0r\0g",
        b"\xa2\x03\x04",
        b"\xd2\x00\x02\x01\x05",
    ]);
    let out = read("application/octet-stream", "", &list);
    assert_eq!(
        told(&out),
        [
            ("b.mail", "alice@rooms.example".to_owned(), "plist".to_owned()),
            ("b.id", "4097".to_owned(), "plist".to_owned()),
            ("b.id", "Jörg".to_owned(), "plist utf-16".to_owned()),
        ]
    );
    let text = b"<?xml version=\"1.0\"?><plist><dict><key>E-Mail</key><string>alice@rooms.example</string><key>n</key><string>a&amp;b&#x21;</string></dict></plist>";
    assert_eq!(
        told(&read("", "", text)),
        [
            ("b.e-mail", "alice@rooms.example".to_owned(), String::new()),
            ("b.n", "a&b!".to_owned(), "xml".to_owned()),
        ]
    );
    // A list that holds itself.
    let round = bplist(&[b"\xa2\x00\x00"]);
    assert!(read("", "", &round).limits.contains(&"content-depth"));
}

#[test]
fn xml_is_text_but_for_its_entities() {
    let text = b"<a><!-- & --><m x=\"1\">alice&#64;rooms.example</m><n>plain</n></a>";
    assert_eq!(
        told(&read("text/xml; charset=utf-8", "", text)),
        [
            ("b.a.m", "alice@rooms.example".to_owned(), "xml".to_owned()),
            (
                "b",
                format!("<a><!-- & --><m x=\"1\">{}</m><n>plain</n></a>", " ".repeat(23)),
                String::new()
            ),
        ]
    );
}

#[test]
fn a_bomb_is_inflated_to_the_ceiling_and_no_further() {
    // Ten thousand to one: gzip in gzip.
    let bomb = gzip(&gzip(&vec![b'a'; 64 << 20]));
    assert!(bomb.len() * 10_000 < 64 << 20);
    for (kind, coding) in [("text/plain", "gzip, gzip"), ("application/octet-stream", "")] {
        let out = read(kind, coding, &bomb);
        assert_eq!(out.limits, ["inflated-bytes"], "{kind}");
        let most = out.fields.iter().map(|it| it.1.len()).max().unwrap();
        assert!(most <= Limits::default().inflated_bytes, "{most}");
    }
    let parts: Vec<u8> = (0..2_000).flat_map(|_| [&b"--x\r\n\r\n"[..], &bomb, b"\r\n"].concat()).collect();
    let out = read("multipart/mixed; boundary=x", "", &parts);
    let all: usize = out.fields.iter().map(|it| it.1.len()).sum();
    assert!(
        all <= Limits::default().inflated_bytes + parts.len(),
        "one budget for all parts: {all}"
    );
}

#[test]
fn depth_and_values_have_ceilings() {
    let nested = (0..40).fold(b"x".to_vec(), |inside, _| field(1, &inside));
    assert!(read("application/x-protobuf", "", &nested).limits.contains(&"content-depth"));
    let many: Vec<u8> = (0..10_000).flat_map(|_| [8, 1]).collect();
    let out = read("application/x-protobuf", "", &many);
    assert_eq!(
        (out.fields.len(), out.limits.contains(&"content-values")),
        (Limits::default().content_values, true)
    );
    for (kind, bytes) in [
        ("application/cbor", vec![0x81; 200_000]),
        ("application/msgpack", vec![0x91; 200_000]),
        ("application/json", b"[".repeat(200_000)),
        ("application/json", b"{\"a\\n\":".repeat(30_000)),
        ("text/xml", b"<a>&".repeat(60_000)),
        (
            "multipart/mixed; boundary=x",
            b"--x\ncontent-type: multipart/mixed; boundary=x\n\n".repeat(5_000),
        ),
    ] {
        let _ = read(kind, "", &bytes);
    }
}

#[test]
fn no_damage_makes_it_panic() {
    let samples: Vec<(&str, &str, Vec<u8>)> = vec![
        (
            "application/json",
            "",
            br#"{"a":["\u00e9\ud83d\ude00",{"b":"{\"c\":\"\\n\"}"}]}"#.to_vec(),
        ),
        (
            "application/x-protobuf",
            "",
            [field(1, &field(2, b"text")), vec![3 << 3 | 1, 1, 2, 3, 4, 5, 6, 7, 8]].concat(),
        ),
        (
            "application/cbor",
            "",
            b"\xd9\xd9\xf7\xa2\x61a\x82\x01\x20\x61b\x5f\x41x\xff".to_vec(),
        ),
        (
            "application/msgpack",
            "",
            b"\x82\xa1a\xd6\x01abcd\xa1b\xdc\0\x02\xd0\xff\xca\0\0\0\0".to_vec(),
        ),
        ("", "", bplist(&[b"\x51a", b"\x51b", b"\xd1\x00\x01"])),
        ("text/xml", "", b"<a b='c'>&amp;<![CDATA[x]]></a>".to_vec()),
        ("multipart/mixed; boundary=x", "", b"--x\r\na: b; name=c\r\n\r\nd\r\n--x--".to_vec()),
        ("application/grpc", "gzip", [&[1, 0, 0, 0, 40][..], &gzip(&field(1, b"a"))].concat()),
        ("text/plain", "br", BR.to_vec()),
        ("text/plain", "zstd", zstd(b"some text that is long enough")),
    ];
    for (kind, coding, sample) in samples {
        let mut changed = sample.clone();
        for at in 0..sample.len() {
            let _ = read(kind, coding, &sample[..at]);
            for mask in [0x01, 0x04, 0x20, 0x80, 0xff] {
                changed[at] ^= mask;
                let _ = read(kind, coding, &changed);
                changed[at] ^= mask;
            }
        }
    }
}
