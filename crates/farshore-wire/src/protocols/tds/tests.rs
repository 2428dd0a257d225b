//! TDS: logins, statements and TLS, whole and in pieces, and what only looks like one.

use farshore_model::{Span, Transport};

use super::super::notebook::{Notebook, damage, in_chunks, read_stream, stream};
use super::*;
use Direction::{Down, Up};

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A message in packets of so many bytes.
fn packets(kind: u8, body: &[u8], size: usize) -> Vec<u8> {
    let count = body.chunks(size).count();
    let packet = |(number, part): (usize, &[u8])| {
        let length = (part.len() as u16 + 8).to_be_bytes();
        [&[kind, u8::from(number + 1 == count)][..], &length, &[0, 0, 1, 0], part].concat()
    };
    body.chunks(size).enumerate().flat_map(packet).collect()
}

/// The example of section 4.1: a version, whether to encrypt, an instance, a thread.
fn negotiation() -> Vec<u8> {
    let list = b"\0\0\x1a\0\x06\x01\0\x20\0\x01\x02\0\x21\0\x01\x03\0\x22\0\x04\x04\0\x26\0\x01\xff";
    packets(NEGOTIATION, &[&list[..], b"\x09\0\0\0\0\0\x01\0\xb8\x0d\0\0\x01"].concat(), 4088)
}

/// As section 2.2.6.4 has it: nine names, a number, a proof, a file, a new password, a length.
fn login(names: [&str; 9], proof: &[u8]) -> Vec<u8> {
    let mut fixed = vec![0; 36];
    fixed[4..8].copy_from_slice(&0x7400_0004_u32.to_le_bytes());
    let (mut places, mut data, from) = (Vec::new(), Vec::new(), 36 + 36 + 6 + 16);
    let mut put = |places: &mut Vec<u8>, bytes: &[u8], unit: usize| {
        places.extend((from as u16 + data.len() as u16).to_le_bytes());
        places.extend(((bytes.len() / unit) as u16).to_le_bytes());
        data.extend(bytes);
    };
    for (number, name) in names.iter().enumerate() {
        let mut bytes = wide(name);
        if number == 2 {
            bytes.iter_mut().for_each(|it| *it = it.rotate_left(4) ^ 0xa5);
        }
        put(&mut places, &bytes, 2);
    }
    places.extend([0x02, 0x50, 0x8b, 0xe2, 0xb7, 0x8f]);
    put(&mut places, proof, 1);
    for _ in 0..2 {
        put(&mut places, b"", 2);
    }
    places.extend([0; 4]);
    let mut all = [fixed, places, data].concat();
    let length = (all.len() as u32).to_le_bytes();
    all[..4].copy_from_slice(&length);
    all
}

const NAMES: [&str; 9] = [
    "GRACE-PC",
    "sa",
    "w4tch\u{e9}",
    "Desk",
    "db.rooms.example",
    "",
    "ODBC",
    "",
    "guests",
];

fn headed(rest: &[u8]) -> Vec<u8> {
    [&b"\x16\0\0\0\x12\0\0\0\x02\0\0\0\0\0\0\0\0\0\x01\0\0\0"[..], rest].concat()
}

/// A value of NVARCHAR.
fn bound(name: &str, text: &str) -> Vec<u8> {
    let (name, text) = (wide(name), wide(text));
    let length = (text.len() as u16).to_le_bytes();
    [
        &[(name.len() / 2) as u8][..],
        &name,
        b"\0\xe7\x40\x1f\x09\x04\xd0\0\x34",
        &length,
        &text,
    ]
    .concat()
}

fn conversation() -> Vec<(Direction, Vec<u8>)> {
    let plp = wide("ann@rooms.example");
    let long = [
        &b"\x01l\0\0\xe7\xff\xff\x09\x04\xd0\0\x34"[..],
        &(plp.len() as u64).to_le_bytes(),
        &(plp.len() as u32).to_le_bytes(),
        &plp,
        &[0; 4],
    ]
    .concat();
    let call = [
        &b"\xff\xff\x0a\0\0\0"[..],
        &bound("", "SELECT * FROM guests WHERE mail=@m AND n=@n"),
        &bound("", "@m nvarchar(99), @n int"),
        b"\x02@\0n\0\0\x26\x04\x04\x07\0\0\0",
        &bound("@m", "bob@rooms.example"),
        &long,
    ]
    .concat();
    vec![
        (Up, negotiation()),
        (Down, packets(4, &negotiation()[8..], 4088)),
        (Up, packets(LOGIN, &login(NAMES, b""), 100)),
        (Down, packets(4, &[0xad, 0, 0], 4088)),
        (Up, packets(BATCH, &headed(&wide("SELECT 1")), 4088)),
        (Up, packets(CALL, &headed(&call), 60)),
        (Up, packets(BATCH, &wide("SELECT 2"), 4088)),
    ]
}

const TOLD: &[(&str, &str)] = &[
    ("tds.workstation", "GRACE-PC"),
    ("tds.user", "sa"),
    ("tds.password", "w4tch\u{e9}"),
    ("tds.application", "Desk"),
    ("tds.server", "db.rooms.example"),
    ("tds.library", "ODBC"),
    ("tds.database", "guests"),
    ("tds.mac", "02:50:8b:e2:b7:8f"),
    ("tds.query", "SELECT 1"),
    ("tds.query", "SELECT * FROM guests WHERE mail=@m AND n=@n"),
    ("tds.parameter.", "@m nvarchar(99), @n int"),
    ("tds.parameter.m", "bob@rooms.example"),
    ("tds.parameter.l", "ann@rooms.example"),
    ("tds.query", "SELECT 2"),
];

fn read(list: &[(Direction, Vec<u8>)]) -> Notebook {
    read_cut(list, usize::MAX)
}

/// In chunks of so many bytes.
fn read_cut(list: &[(Direction, Vec<u8>)], size: usize) -> Notebook {
    read_stream(&TDS, (50_000, 1433), &in_chunks(list, size))
}

#[test]
fn any_segmentation_over_tcp_tells_the_same() {
    for size in 1..120 {
        let out = read_cut(&conversation(), size);
        assert_eq!((out.told(), out.client), (TOLD.to_vec(), Some(Up)), "chunks of {size}");
    }
    let out = read(&conversation());
    assert_eq!(out.fields[8].2, Span::in_frame(5, 42 + 8 + 22, 16));
    assert_eq!(out.decoded[2], ("tds.password".to_owned(), vec!["mask", "utf-16"]));
}

#[test]
fn a_login_by_ntlm_names_who_and_from_where() {
    let proof = crate::protocols::ntlm::tests::answer();
    let out = read(&[(Up, packets(LOGIN, &login(["PC", "", "", "", "", "", "", "", ""], &proof), 4088))]);
    assert_eq!(
        (out.values("tds.user"), out.values("tds.domain")),
        (vec!["grace.h".into()], vec!["ROOMS".into()])
    );
    // The answer to a challenge goes in a message of its own.
    let out = read(&[(Up, [negotiation(), packets(PROOF, &proof, 4088)].concat())]);
    assert_eq!(out.values("tds.workstation"), ["GRACE-PC"]);
}

#[test]
fn tls_within_packets_and_beside_them_is_handed_on_and_what_follows_read() {
    let hello = [&b"\x16\x03\x01\0\x64"[..], &[7; 100]].concat();
    let record = [&b"\x17\x03\x03\0\x32"[..], &[9; 50]].concat();
    let all = [
        negotiation(),
        packets(NEGOTIATION, &hello, 60),
        record.clone(),
        packets(BATCH, &wide("SELECT 2"), 4088),
    ]
    .concat();
    for size in 1..200 {
        let cut: Vec<_> = all.chunks(size).map(|it| (Up, it.to_vec())).collect();
        let out = read(&cut);
        let inner: Vec<u8> = out.inner.iter().flat_map(|(_, _, bytes)| bytes.clone()).collect();
        assert_eq!(
            (inner, out.told()),
            ([&hello[..], &record].concat(), vec![("tds.query", "SELECT 2")]),
            "chunks of {size}"
        );
    }
}

#[test]
fn other_beginnings_are_not_it() {
    let verdict = |up: &[u8]| TDS.matches(&stream(50_000, 1433, up, b""));
    for (whole, enough) in [(negotiation(), 13), (packets(LOGIN, &login(NAMES, b""), 4088), 16)] {
        for cut in 1..whole.len() {
            assert_eq!(
                verdict(&whole[..cut]),
                if cut < enough { Match::Maybe } else { Match::Yes },
                "cut at {cut}"
            );
        }
    }
    for wrong in [
        &b"\x10\x26\0\x04MQTT\x04\xc2\0\x3c\0\x07"[..],
        b"\x12\x01\0\x09\0\0\0\0\0",
        b"\x16\x03\x01",
        b"\x12\x09",
        b"\x10\x01\0\x90\0\0\x01\0\x90\0\0\0\x04\0\0\x03",
        b"",
    ] {
        assert_eq!(verdict(wrong), Match::No, "{}", wrong.escape_ascii());
    }
}

#[test]
fn damage_never_panics() {
    damage(
        &TDS,
        (50_000, 1433),
        Transport::Tcp,
        Up,
        &[negotiation(), packets(LOGIN, &login(NAMES, b""), 4088)].concat(),
    );
    let calls = conversation().into_iter().skip(4).flat_map(|(_, it)| it);
    damage(
        &TDS,
        (50_000, 1433),
        Transport::Tcp,
        Up,
        &negotiation().into_iter().chain(calls).collect::<Vec<_>>(),
    );
}
