//! The quick way through a field held against a plain one: byte by byte, every anchor, every key, every run.

use std::borrow::Cow;
use std::io::Write as _;
use std::ops::Range;
use std::sync::LazyLock;

use ::base64::Engine as _;
use ::base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use aho_corasick::AhoCorasick;

use super::super::base64::{self as sextets, Alphabet};
use super::super::marks::{Marks, PackSet};
use super::super::pack::Ready;
use super::super::scan::{Marked, Rules, Search};
use super::super::unpacking::{self, Budget, Unpacked};
use super::super::{Limits, hints, pack};
use super::*;

/// The plain way.
struct Plain;

/// Of all anchors and keys, and what each is: the pack, and whether it is a key.
struct Words {
    automaton: AhoCorasick,
    meanings: Vec<(usize, bool)>,
}

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let packs = pack::builtin().unwrap().into_iter().map(|it| Ready::new(it).unwrap());
    let mut words = Vec::new();
    for (number, ready) in packs.enumerate() {
        words.extend(ready.pack.anchors.iter().map(|it| (it.clone(), (number, false))));
        words.extend(ready.key_spellings().into_iter().map(|it| (it, (number, true))));
    }
    Words {
        automaton: AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(words.iter().map(|(word, _)| word))
            .unwrap(),
        meanings: words.into_iter().map(|(_, meaning)| meaning).collect(),
    }
});

impl Search for Plain {
    fn marks(_: &Rules, text: &[u8]) -> Marks {
        let plain = |b: &u8| *b >= 0x20 && *b != 0x7f || matches!(b, b'\t' | b'\r' | b'\n');
        let mut marks = Marks {
            textual: text.iter().all(plain) && str::from_utf8(text).is_ok(),
            ..Marks::default()
        };
        for it in WORDS.automaton.find_overlapping_iter(text) {
            match WORDS.meanings[it.pattern().as_usize()] {
                (pack, false) => marks.anchored.add(pack),
                (pack, true) if hints::begins_name(text, it.start()) => marks.keys.push((pack, it.range())),
                _ => {}
            }
        }
        marks
    }

    fn named(rules: &Rules, path: &str) -> PackSet {
        let mut named = PackSet::default();
        for it in WORDS.automaton.find_overlapping_iter(path) {
            let (pack, key) = WORDS.meanings[it.pattern().as_usize()];
            if key && it.end() == path.len() && hints::begins_name(path.as_bytes(), it.start()) {
                named.add(pack);
            }
        }
        for (number, ready) in rules.packs.iter().enumerate() {
            let fits = |pattern: &String| match pattern.strip_suffix('*') {
                Some(start) => path.starts_with(start),
                None => path == pattern,
            };
            if ready.pack.paths.iter().any(fits) {
                named.add(number);
            }
        }
        named
    }

    fn anchored_run(_: &Rules, text: &[u8], _: &Marks, from: usize, _: usize) -> Option<Range<usize>> {
        let mut start = from;
        for part in text[from..].split(|b| !(b.is_ascii_graphic() || *b == b' ')) {
            if part.len() >= 6 {
                return Some(start..start + part.len());
            }
            start += part.len() + 1;
        }
        None
    }

    fn unpack(text: &[u8], _: &Marks, limits: &Limits, budget: &mut Budget) -> Vec<Unpacked> {
        if let Some((name, bytes)) = unpacking::inflate(text, limits, budget) {
            return vec![Unpacked {
                range: 0..text.len(),
                decoded_by: vec![name],
                bytes,
            }];
        }
        let mut all = Vec::new();
        for (range, chars, encoded) in runs(text) {
            if let Some((mut decoded_by, bytes)) = unpack_run(&chars, limits, budget) {
                if encoded {
                    decoded_by.insert(0, "url");
                }
                all.push(Unpacked { range, decoded_by, bytes });
            }
            if budget.is_spent() {
                break;
            }
        }
        all
    }
}

fn is_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// Runs of sixteen and more, with their padding; and whether there were triplets to decode in them.
fn runs(text: &[u8]) -> Vec<(Range<usize>, Cow<'_, [u8]>, bool)> {
    let triplet = |at: usize, digits: &[&[u8]]| {
        let three = text.get(at..at + 3);
        three.is_some_and(|three| three[0] == b'%' && digits.contains(&&three[1..]))
    };
    let mut runs = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if !is_char(text[at]) {
            at += 1;
            continue;
        }
        let (start, mut encoded) = (at, false);
        loop {
            if text.get(at).copied().is_some_and(is_char) {
                at += 1;
            } else if triplet(at, &[b"2B", b"2b", b"2F", b"2f"]) {
                at += 3;
                encoded = true;
            } else {
                break;
            }
        }
        if at - start < 16 {
            continue;
        }
        let mut end = at;
        let width = if triplet(end, &[b"3D", b"3d"]) { 3 } else { 1 };
        for _ in 0..2 {
            if width == 3 && triplet(end, &[b"3D", b"3d"]) || width == 1 && text.get(end) == Some(&b'=') {
                end += width;
            }
        }
        let chars = match hints::percent_decoded(&text[start..at]) {
            Some(decoded) if encoded => Cow::Owned(decoded),
            _ => Cow::Borrowed(&text[start..at]),
        };
        runs.push((start..end, chars, encoded));
    }
    runs
}

fn unpack_run(chars: &[u8], limits: &Limits, budget: &mut Budget) -> Option<(Vec<&'static str>, Vec<u8>)> {
    let special = |b: &u8| matches!(b, b'/' | b'-' | b'_' | b'+');
    let behind = (0..chars.len()).filter(|i| special(&chars[*i])).map(|i| i + 1).take(256);
    for start in (0..4).chain(behind) {
        let Some(chars) = chars.get(start..).filter(|chars| chars.len() >= 16) else {
            continue;
        };
        for alphabet in alphabets(chars) {
            let head = sextets::decode_prefix(&chars[..8], alphabet);
            if !unpacking::is_zlib(&head) && !unpacking::is_gzip(&head) {
                continue;
            }
            let Some(bytes) = unpacking::decode(chars, alphabet, budget) else {
                continue;
            };
            if let Some((name, bytes)) = unpacking::inflate(&bytes, limits, budget) {
                return Some((vec!["base64", name], bytes));
            }
        }
    }
    let alphabet = alphabets(chars)[0];
    let head = sextets::decode_prefix(&chars[..chars.len().min(64)], alphabet);
    let whole = match str::from_utf8(&head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => str::from_utf8(&head[..error.valid_up_to()]).unwrap(),
        Err(_) => return None,
    };
    let textual = whole.chars().all(|c| !c.is_control() || matches!(c, '\t' | '\r' | '\n'));
    if whole.len() < 8 || !textual {
        return None;
    }
    Some((vec!["base64"], unpacking::decode(chars, alphabet, budget)?))
}

fn alphabets(chars: &[u8]) -> Vec<Alphabet> {
    let standard = chars.iter().any(|b| matches!(b, b'+' | b'/'));
    let url = chars.iter().any(|b| matches!(b, b'-' | b'_'));
    match (standard, url) {
        (_, false) => vec![Alphabet::Standard],
        (false, true) => vec![Alphabet::Url],
        (true, true) => vec![Alphabet::Url, Alphabet::Standard],
    }
}

fn scan_plainly(detectors: &mut Detectors, field: FieldView<'_>) -> Vec<Found> {
    let mut all = Vec::new();
    let hit = detectors
        .rules
        .scan::<Plain>(field, &mut detectors.tally, &mut detectors.room, &mut |found| all.push(found));
    super::super::add(&mut detectors.limits_hit, &hit);
    all
}

/// The keys that have a value behind them.
fn valued<S: Search>(detectors: &Detectors, text: &[u8]) -> Vec<(usize, Range<usize>)> {
    let keys = S::marks(&detectors.rules, text).keys;
    let has_value = |(_, key): &(usize, Range<usize>)| [true, false].iter().any(|spaces| hints::value_after(text, key, *spaces).is_some());
    keys.into_iter().filter(has_value).collect()
}

/// What fields are made of: words, separators, anchors, values, and things packed.
fn pieces(random: &mut Random) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = [
        "uid",
        "IMEI",
        "device_id",
        "deviceId",
        "x-api-key",
        "access.token",
        "password",
        "myMac",
        "lat",
        "lng",
        "location",
        "user",
        "channel",
        "authorization",
        "inline",
        "email",
        "did",
        "kid",
        "=",
        "=",
        ":",
        ": ",
        "  :",
        "\t= ",
        "%3d",
        "%3A",
        "%3",
        "\"",
        "\\\"",
        "'",
        "\\",
        "<",
        "<imei>",
        "<uid>",
        ">",
        "</",
        "&",
        ";",
        ",",
        " ",
        "\r\n",
        "/",
        "//",
        "://",
        "?",
        "@",
        "%40",
        "+",
        "%2B",
        "%2f",
        "-",
        "_",
        ".",
        "%",
        "1009431",
        "490154203237518",
        "262019876543210",
        "6d92078a-8246-4ba4-ae5b-76104861e7dc",
        "3c:5a:b4:01:02:03",
        "3c-5a-b4-01-02-03",
        "3c:5a:b4:",
        "48.85837",
        "2.29448,48.1",
        "+4915123456789",
        "%2b4915123456789",
        "carol@example.org",
        "carol%40example.org",
        "ssh://bob:hunter2@host.example",
        "bob:pw@h",
        "hunter22",
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        "Bearer mF_9.B5f-4.1JqM",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMDA5NDMxIn0.c2lnbmF0dXJl",
        "EYJ",
        "eyJ",
        "room5521",
        "31d4d96e407aad42",
        "äö",
        "\u{202e}",
        "\0",
        "\u{7f}",
        "connectivitycheck",
        "HTTP/1.1 200 OK",
        "true",
    ]
    .iter()
    .map(|it| it.as_bytes().to_vec())
    .collect();
    for text in [
        "uid=1009431&imei=490154203237518&and=more".to_owned(),
        r#"{"mail":"grace@example.org","token":"aB3dE6gH9jK2"}"#.to_owned(),
        "x".repeat(90),
    ] {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(text.as_bytes()).unwrap();
        let zlib = encoder.finish().unwrap();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        let gzip = encoder.finish().unwrap();
        for bytes in [text.as_bytes(), &zlib, &gzip] {
            all.push(STANDARD.encode(bytes).into_bytes());
            all.push(URL_SAFE_NO_PAD.encode(bytes).into_bytes());
            all.push(
                STANDARD
                    .encode(bytes)
                    .replace('+', "%2B")
                    .replace('/', "%2F")
                    .replace('=', "%3D")
                    .into_bytes(),
            );
        }
        all.push(zlib);
    }
    for length in [3, 17, 40, 70] {
        let noise = random.bytes(length);
        all.push(STANDARD.encode(&noise).into_bytes());
        all.push(URL_SAFE_NO_PAD.encode(&noise).into_bytes());
        all.push(noise);
    }
    all
}

#[test]
fn the_quick_way_finds_what_the_plain_one_does() {
    let some = [
        known("n", "user-id", "1009431"),
        known("m", "email", "grace@example.org"),
        known("u", "device-id", "6d92078a-8246-4ba4-ae5b-76104861e7dc"),
    ];
    let mut random = Random(11);
    let pieces = pieces(&mut random);
    let paths = [
        "",
        "http.query.x",
        "http.query.imei",
        "http.request.body",
        "http.cookie.sid",
        "http.authorization",
        "http.request.header.x-device-id",
        "sip.call-id",
        "smtp.rcpt-to",
        "tcp.payload",
        "udp.payload",
        "http.query.myUserId",
        "http.query.kid",
        "\u{e9}imei",
    ];
    let tight = Options {
        limits: Limits {
            unpacked_bytes: 200,
            unpack_attempts: 2,
            unpack_depth: 1,
            findings: 3,
            weak_places: 2,
            ..Limits::default()
        },
        ..shown()
    };
    for (known, options, rounds) in [(&[] as &[Known], shown(), 6_000), (&some, shown(), 4_000), (&some, tight, 4_000)] {
        let mut quick = Detectors::new(known, options).unwrap();
        let mut plain = quick.fork();
        let mut count = 0;
        for _ in 0..rounds {
            let most = [4, 12, 40][(random.next() % 3) as usize];
            let mut value = Vec::new();
            for _ in 0..random.next() % most {
                value.extend_from_slice(&pieces[(random.next() % pieces.len() as u64) as usize]);
                if random.next().is_multiple_of(16) {
                    value.extend(random.bytes(5));
                }
            }
            let path = paths[(random.next() % paths.len() as u64) as usize];
            let field = FieldView {
                path,
                value: &value,
                payload: path.ends_with(".payload"),
            };
            assert_eq!(
                valued::<Marked>(&quick, &value),
                valued::<Plain>(&plain, &value),
                "{}",
                value.escape_ascii()
            );
            let expected = scan_plainly(&mut plain, field);
            let mut found = Vec::new();
            quick.scan(field, &mut |it| found.push(it.clone()));
            assert_eq!(found, expected, "{path}: {}", value.escape_ascii());
            count += found.len();
        }
        assert!(count > rounds / 2, "{count} findings in {rounds} fields");
        assert_eq!(quick.limits_hit(), plain.limits_hit());
        assert_eq!(quick.finish(), plain.finish());
    }
}

/// More anchors than are remembered, across the width of what is looked at together.
#[test]
fn many_anchors_in_bytes_that_are_no_text_are_all_found() {
    let mut quick = Detectors::new(&[], shown()).unwrap();
    let mut plain = quick.fork();
    for count in [1, 255, 256, 257, 700] {
        for gap in [1, 29, 64] {
            let mut value = b"\0\xff".to_vec();
            for number in 0..count {
                value.extend(format!("u{number}@example.org").into_bytes());
                value.extend(std::iter::repeat_n(0, gap));
                value.extend(b"a@b \x01 +1 \x02");
            }
            value.extend(b"\0eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMDA5NDMxIn0.c2ln\0 3c:5a:b4:01:02:03");
            let field = FieldView {
                path: "tcp.payload",
                value: &value,
                payload: true,
            };
            let mut found = Vec::new();
            quick.scan(field, &mut |it| found.push(it.clone()));
            assert_eq!(found, scan_plainly(&mut plain, field));
            assert_eq!(found.len(), count + 2);
        }
    }
}
