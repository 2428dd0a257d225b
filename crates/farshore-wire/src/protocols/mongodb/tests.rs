//! MongoDB: a conversation, whole and in pieces, ceilings, and what only looks like one.

use farshore_model::{Span, Transport};

use super::super::notebook::{Notebook, damage, in_chunks, read_stream, stream};
use super::*;
use Direction::{Down, Up};

enum Of<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
    Int(i32),
    Long(i64),
    Double(f64),
    Yes,
    Document(Vec<u8>),
    List(Vec<u8>),
}

/// A document (BSON specification): its length, its elements, a zero.
fn document(elements: &[(&str, Of<'_>)]) -> Vec<u8> {
    let mut inside = Vec::new();
    for (name, of) in elements {
        let (kind, value) = match of {
            Of::Text(text) => (2, [&(text.len() as u32 + 1).to_le_bytes(), text.as_bytes(), b"\0"].concat()),
            Of::Bytes(bytes) => (5, [&(bytes.len() as u32).to_le_bytes(), &b"\0"[..], bytes].concat()),
            Of::Int(it) => (0x10, it.to_le_bytes().to_vec()),
            Of::Long(it) => (0x12, it.to_le_bytes().to_vec()),
            Of::Double(it) => (1, it.to_le_bytes().to_vec()),
            Of::Yes => (8, vec![1]),
            Of::Document(it) => (3, it.clone()),
            Of::List(it) => (4, it.clone()),
        };
        inside.extend([&[kind][..], name.as_bytes(), b"\0", &value].concat());
    }
    [&(inside.len() as u32 + 5).to_le_bytes()[..], &inside, b"\0"].concat()
}

fn message(answers: u32, code: u32, body: &[u8]) -> Vec<u8> {
    let length = (HEAD + body.len()) as u32;
    [
        &length.to_le_bytes()[..],
        &[7, 1, 0, 0],
        &answers.to_le_bytes(),
        &code.to_le_bytes(),
        body,
    ]
    .concat()
}

fn said(answers: u32, it: &[u8]) -> Vec<u8> {
    message(answers, MESSAGE, &[&[0; 5], it].concat())
}

fn conversation() -> Vec<(Direction, Vec<u8>)> {
    let desk = document(&[("application", Of::Document(document(&[("name", Of::Text("desk"))])))]);
    let hello = document(&[
        ("isMaster", Of::Int(1)),
        ("saslSupportedMechs", Of::Text("admin.alice")),
        ("client", Of::Document(desk)),
    ]);
    let scram = document(&[
        ("saslStart", Of::Int(1)),
        ("mechanism", Of::Text("SCRAM-SHA-256")),
        ("payload", Of::Bytes(b"n,,n=alice,r=abcd")),
        ("$db", Of::Text("admin")),
    ]);
    let guest = document(&[
        ("mail", Of::Text("bob@rooms.example")),
        ("room", Of::Long(1_009_431)),
        ("lat", Of::Double(52.5)),
    ]);
    let list = [&b"documents\0"[..], &guest].concat();
    let insert = [
        &[0; 5][..],
        &document(&[("insert", Of::Text("guests")), ("ordered", Of::Yes)]),
        b"\x01",
        &(list.len() as u32 + 4).to_le_bytes(),
        &list,
    ]
    .concat();
    let answer = document(&[(
        "cursor",
        Of::Document(document(&[("firstBatch", Of::List(document(&[("0", Of::Document(guest))])))])),
    )]);
    vec![
        (
            Up,
            message(0, QUERY, &[&b"\0\0\0\0admin.$cmd\0\0\0\0\0\xff\xff\xff\xff"[..], &hello].concat()),
        ),
        (
            Down,
            message(
                263,
                REPLY,
                &[
                    &[8, 0, 0, 0][..],
                    &[0; 12],
                    &[1, 0, 0, 0],
                    &document(&[("setName", Of::Text("rs0"))]),
                ]
                .concat(),
            ),
        ),
        (Up, said(0, &scram)),
        (Down, said(263, &document(&[("ok", Of::Double(1.0))]))),
        (Up, [message(0, COMPRESSED, b"anything"), message(0, MESSAGE, &insert)].concat()),
        (Down, said(263, &answer)),
        (
            Up,
            said(0, &document(&[("createUser", Of::Text("carol")), ("pwd", Of::Text("w4tch"))])),
        ),
    ]
}

const TOLD: &[(&str, &str)] = &[
    ("mongodb.database", "admin"),
    ("mongodb.ismaster", "1"),
    ("mongodb.user", "alice"),
    ("mongodb.client.application.name", "desk"),
    ("mongodb.setname", "rs0"),
    ("mongodb.saslstart", "1"),
    ("mongodb.mechanism", "SCRAM-SHA-256"),
    ("mongodb.auth.user", "alice"),
    ("mongodb.database", "admin"),
    ("mongodb.ok", "1"),
    ("mongodb.insert", "guests"),
    ("mongodb.documents.mail", "bob@rooms.example"),
    ("mongodb.documents.room", "1009431"),
    ("mongodb.documents.lat", "52.5"),
    ("mongodb.cursor.firstbatch.mail", "bob@rooms.example"),
    ("mongodb.cursor.firstbatch.room", "1009431"),
    ("mongodb.cursor.firstbatch.lat", "52.5"),
    ("mongodb.user", "carol"),
    ("mongodb.password", "w4tch"),
];

fn read(list: &[(Direction, Vec<u8>)]) -> Notebook {
    read_cut(list, usize::MAX)
}

/// In chunks of so many bytes.
fn read_cut(list: &[(Direction, Vec<u8>)], size: usize) -> Notebook {
    read_stream(&MONGODB, (50_000, 27_017), &in_chunks(list, size))
}

#[test]
fn any_segmentation_over_tcp_tells_the_same() {
    for size in 1..120 {
        let out = read_cut(&conversation(), size);
        assert_eq!((out.told(), out.client), (TOLD.to_vec(), Some(Up)), "chunks of {size}");
    }
    let out = read(&conversation());
    assert_eq!(out.fields[0].2, Span::in_frame(1, 42 + 20, 5));
    assert_eq!(
        out.decoded.last().unwrap(),
        &("mongodb.cursor.firstbatch.lat".to_owned(), vec!["double"])
    );
}

#[test]
fn a_password_by_plain_is_told() {
    let login = document(&[("mechanism", Of::Text("PLAIN")), ("payload", Of::Bytes(b"\0alice\0w4tch"))]);
    let hello = document(&[("hello", Of::Int(1)), ("speculativeAuthenticate", Of::Document(login))]);
    assert_eq!(read(&[(Up, said(0, &hello))]).values("mongodb.auth.password"), ["w4tch"]);
}

#[test]
fn depth_and_values_have_ceilings() {
    let mut deep = document(&[("a", Of::Text("too deep"))]);
    for _ in 0..40 {
        deep = document(&[("a", Of::Document(deep))]);
    }
    let out = read(&[(Up, said(0, &deep))]);
    assert_eq!((out.fields.len(), out.limits), (0, vec!["content-depth"]));
    let many: Vec<_> = (0..5_000).map(|it| ("n", Of::Int(it))).collect();
    let out = read(&[(Up, said(0, &document(&many)))]);
    assert_eq!((out.fields.len(), out.limits), (4_096, vec!["content-values"]));
}

#[test]
fn other_beginnings_are_not_it() {
    let verdict = |up: &[u8]| MONGODB.matches(&stream(50_000, 27_017, up, b""));
    for (place, enough) in [(0, 50), (1, 40), (2, 25)] {
        let whole = &conversation()[place].1;
        for cut in 1..whole.len() {
            let wanted = if cut < enough { Match::Maybe } else { Match::Yes };
            if cut + 12 < enough || cut >= enough {
                assert_eq!(verdict(&whole[..cut]), wanted, "{place} cut at {cut}");
            }
        }
    }
    for wrong in [
        &b"\x16\x03\x01\x02"[..],
        b"\x40\0\0\0\0\0\0\0\0\0\0\0\x0a",
        b"\x30\0\0\0\0\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\x09\0",
        b"GET / HTTP/1.1\r\n",
        b"",
    ] {
        assert_eq!(verdict(wrong), Match::No, "{}", wrong.escape_ascii());
    }
}

#[test]
fn damage_never_panics() {
    for way in [Up, Down] {
        let side: Vec<u8> = conversation()
            .into_iter()
            .filter(|(it, _)| *it == way)
            .flat_map(|(_, it)| it)
            .collect();
        damage(&MONGODB, (50_000, 27_017), Transport::Tcp, way, &side);
    }
}
