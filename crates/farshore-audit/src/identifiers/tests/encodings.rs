//! Known values in every encoding, at exact ranges, and nothing by chance.

use std::io::Write as _;
use std::ops::Range;

use ::base64::Engine as _;
use ::base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use super::*;

fn only(detectors: &mut Detectors, path: &str, value: &[u8], name: &str, range: Range<usize>, decoded_by: &[&str]) {
    let found = scan(detectors, path, value);
    let mine: Vec<_> = found.iter().filter(|f| f.known_as.as_deref() == Some(name)).collect();
    assert_eq!(mine.len(), 1, "{name} in {:?}: {found:?}", String::from_utf8_lossy(value));
    assert_eq!(
        (mine[0].range.clone(), mine[0].decoded_by.as_slice()),
        (range, decoded_by),
        "{:?}",
        String::from_utf8_lossy(value)
    );
}

const VALUES: &[(&str, &str, &str)] = &[
    ("number", "user-id", "1009431"),
    ("small", "user-id", "4711"),
    ("word", "user-id", "grace"),
    ("mail", "email", "Grace+x@example.org"),
    ("uuid", "device-id", "6d92078a-8246-4ba4-ae5b-76104861e7dc"),
    ("hex", "device-id", "9774d56d682e549c"),
    ("mac", "mac", "3c:5a:b4:01:02:03"),
    ("long", "user-id", "184467440737095"),
    ("text", "user-id", "Łucja & Zoë/1"),
];

fn detectors() -> Detectors {
    let all: Vec<Known> = VALUES.iter().map(|(name, kind, value)| known(name, kind, value)).collect();
    Detectors::new(&all, shown()).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn each_value_is_found_as_text_percent_hex() {
    let mut detectors = detectors();
    let once = |value: &str| {
        value
            .bytes()
            .map(|b| {
                if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
                    char::from(b).to_string()
                } else {
                    format!("%{b:02X}")
                }
            })
            .collect::<String>()
    };
    for (name, _, value) in VALUES {
        let n = value.len();
        let mut check = |text: String, length: usize, decoded_by: &[&str]| {
            let all = format!("q=\u{e9} {text}&x");
            only(&mut detectors, "http.request.body", all.as_bytes(), name, 5..5 + length, decoded_by);
        };
        check(value.to_string(), n, &[]);
        let percent = once(value);
        if percent != *value {
            check(percent.clone(), percent.len(), &["url"]);
            let twice = once(&percent);
            check(twice.clone(), twice.len(), &["url", "url"]);
        }
        let every: String = value.bytes().map(|b| format!("%{b:02x}")).collect();
        check(every.clone(), every.len(), &["url"]);
        check(hex(value.as_bytes()), 2 * n, &["hex"]);
        check(hex(value.as_bytes()).to_uppercase(), 2 * n, &["hex"]);
    }
}

#[test]
fn each_value_is_found_in_base64_at_each_alignment() {
    let mut detectors = detectors();
    for (name, _, value) in VALUES {
        for before in 0..7_usize {
            for after in 0..4_usize {
                let inner = format!("{}{value}{}", &"ab;d-f "[7 - before..], &";xyz"[..after]);
                let inner = if before == 0 { inner } else { inner.replacen(' ', "#", 1) };
                let from = before * 8 / 6;
                let to = ((before + value.len()) * 8).div_ceil(6);
                for text in [
                    STANDARD.encode(&inner),
                    STANDARD_NO_PAD.encode(&inner),
                    URL_SAFE.encode(&inner),
                    URL_SAFE_NO_PAD.encode(&inner),
                ] {
                    let all = format!("{{\"t\":\"{text}\"}}");
                    only(
                        &mut detectors,
                        "http.request.body",
                        all.as_bytes(),
                        name,
                        6 + from..6 + to,
                        &["base64"],
                    );
                }
            }
        }
    }
}

#[test]
fn identifiers_are_found_in_their_other_spellings_and_as_bytes() {
    let mut detectors = detectors();
    let uuid = "6d92078a82464ba4ae5b76104861e7dc";
    let raw: Vec<u8> = (0..16).map(|i| u8::from_str_radix(&uuid[2 * i..2 * i + 2], 16).unwrap()).collect();
    only(&mut detectors, "http.query.x", uuid.as_bytes(), "uuid", 0..32, &[]);
    only(&mut detectors, "http.query.x", uuid.to_uppercase().as_bytes(), "uuid", 0..32, &[]);
    only(
        &mut detectors,
        "http.query.x",
        b"[6D92078A-8246-4BA4-AE5B-76104861E7DC]",
        "uuid",
        1..37,
        &[],
    );
    only(&mut detectors, "http.query.x", b"9774D56D682E549C", "hex", 0..16, &[]);
    only(&mut detectors, "http.query.x", b"3C-5A-B4-01-02-03", "mac", 0..17, &[]);
    only(&mut detectors, "http.query.x", b"m=3c5ab4010203;", "mac", 2..14, &[]);
    only(&mut detectors, "http.query.x", b"<grace+X@EXAMPLE.org>", "mail", 1..20, &[]);
    only(
        &mut detectors,
        "http.query.x",
        format!("t={}", STANDARD.encode(&raw)).as_bytes(),
        "uuid",
        2..24,
        &["base64", "uuid"],
    );
    let payload = [&[1, 2, 0xff][..], &raw, &[0]].concat();
    only(&mut detectors, "udp.payload", &payload, "uuid", 3..19, &["uuid"]);
    let guid = [
        &raw[..4].iter().rev().copied().collect::<Vec<_>>()[..],
        &[raw[5], raw[4], raw[7], raw[6]],
        &raw[8..],
    ]
    .concat();
    only(&mut detectors, "udp.payload", &guid, "uuid", 0..16, &["guid"]);
    let payload = [&[0, 1][..], b"\x97\x74\xd5\x6d\x68\x2e\x54\x9c", &[0]].concat();
    only(&mut detectors, "udp.payload", &payload, "hex", 2..10, &["bytes"]);
    let payload = [&[9, 9, 9][..], &[0x3c, 0x5a, 0xb4, 1, 2, 3], &[0]].concat();
    only(&mut detectors, "udp.payload", &payload, "mac", 3..9, &["bytes"]);
    let escaped = br#"{"n":"\u0141ucja & Zo\u00EB/1"}"#;
    only(
        &mut detectors,
        "http.request.body",
        escaped,
        "text",
        6..escaped.len() - 2,
        &["json"],
    );
}

#[test]
fn numbers_are_found_in_binary() {
    let mut detectors = detectors();
    let n = 1_009_431_u32;
    let around = |bytes: &[u8]| [&[0xfe, 0xdc, 0x01][..], bytes, &[0x99, 0x88]].concat();
    for (bytes, name) in [
        (n.to_be_bytes().to_vec(), "u32be"),
        (n.to_le_bytes().to_vec(), "u32le"),
        (u64::from(n).to_be_bytes().to_vec(), "u64be"),
        (u64::from(n).to_le_bytes().to_vec(), "u64le"),
    ] {
        only(
            &mut detectors,
            "udp.payload",
            &around(&bytes),
            "number",
            3..3 + bytes.len(),
            &[name],
        );
        let found = scan(&mut detectors, "udp.payload", &around(&bytes));
        assert!(found.iter().all(|f| f.weak.is_some()), "{found:?}");
    }
    for bytes in [184_467_440_737_095_u64.to_be_bytes(), 184_467_440_737_095_u64.to_le_bytes()] {
        let name = if bytes[0] == 0 { "u64be" } else { "u64le" };
        only(&mut detectors, "udp.payload", &around(&bytes), "long", 3..11, &[name]);
    }
    // Too small for binary.
    assert_eq!(scan(&mut detectors, "udp.payload", &around(&4711_u32.to_be_bytes())), []);
    assert_eq!(scan(&mut detectors, "udp.payload", &around(&4711_u16.to_be_bytes())), []);
    // Text holds no binary numbers: these are the characters of 0x2a2b2c2d.
    let mut text = Detectors::new(&[known("n", "user-id", &0x2a2b_2c2d_u32.to_string())], shown()).unwrap();
    assert_eq!(scan(&mut text, "http.query.x", b"*+,-"), []);
}

#[test]
fn values_are_found_in_tokens() {
    let mut detectors = detectors();
    for (name, _, value) in VALUES {
        let inner = format!("\0\x07{value}\0\x01{}", "so that it shrinks ".repeat(9));
        for (prefix, text) in [
            ("", STANDARD.encode(zlib(inner.as_bytes()))),
            ("007", STANDARD.encode(zlib(inner.as_bytes()))),
            ("v1", URL_SAFE_NO_PAD.encode(zlib(inner.as_bytes()))),
            ("api/v2/", URL_SAFE.encode(zlib(inner.as_bytes()))),
        ] {
            let all = format!("token={prefix}{text}&x=1");
            only(
                &mut detectors,
                "http.request.body",
                all.as_bytes(),
                name,
                6..6 + prefix.len() + text.len(),
                &["base64", "zlib"],
            );
        }
        // As a query string carries it: `+`, `/` and `=` percent-encoded.
        let text = STANDARD.encode(zlib(inner.as_bytes()));
        let encoded = text.replace('+', "%2B").replace('/', "%2f").replace('=', "%3D");
        let mut decoded_by = vec!["url", "base64", "zlib"];
        decoded_by.retain(|step| *step != "url" || text.contains(['+', '/']));
        only(
            &mut detectors,
            "http.query.sig",
            encoded.as_bytes(),
            name,
            0..encoded.len(),
            &decoded_by,
        );
        // Three deep.
        let mut packed = inner.clone().into_bytes();
        for _ in 0..3 {
            packed = STANDARD.encode(zlib(&packed)).into_bytes();
        }
        only(
            &mut detectors,
            "http.request.body",
            &packed,
            name,
            0..packed.len(),
            &["base64", "zlib", "base64", "zlib", "base64", "zlib"],
        );
    }
}

#[test]
fn a_value_has_one_print_in_all_its_shapes() {
    let mut detectors = detectors();
    let texts = [
        b"1009431".to_vec(),
        hex(b"1009431").into_bytes(),
        STANDARD.encode("uid:1009431;").into_bytes(),
    ];
    let mut found: Vec<_> = texts.iter().flat_map(|text| scan(&mut detectors, "http.query.z", text)).collect();
    found.extend(scan(&mut detectors, "udp.payload", &[0xfe, 0, 0x0f, 0x67, 0x17, 0x80]));
    let mut prints: Vec<_> = found.into_iter().map(|it| it.value).collect();
    assert_eq!(prints.len(), 4);
    prints.dedup();
    assert_eq!(prints.len(), 1);
}

#[test]
fn no_value_is_found_inside_another() {
    let mut detectors = detectors();
    for text in [
        "21009431",
        "10094310",
        "graceful",
        "disgrace",
        "47110",
        "6d92078a-8246-4ba4-ae5b-76104861e7dd",
        "GRACE",
    ] {
        assert_eq!(scan(&mut detectors, "http.query.z", text.as_bytes()), [], "{text}");
        assert_eq!(
            scan(&mut detectors, "http.query.z", hex(text.as_bytes()).as_bytes()),
            [],
            "hex of {text}"
        );
        for before in ["", "a", "ab"] {
            let packed = STANDARD.encode(format!("{before}{text}"));
            assert_eq!(
                scan(&mut detectors, "http.query.z", packed.as_bytes()),
                [],
                "base64 of {before}{text}"
            );
        }
    }
}

#[test]
fn random_bytes_confirm_nothing() {
    let mut random = Random(5);
    let mut all = vec![
        known("word", "user-id", "gr4ce"),
        known("small", "user-id", "4711"),
        known("mac", "mac", "3c:5a:b4:01:02:03"),
    ];
    for i in 0..40 {
        let n = 65_536 + random.next() % if i % 2 == 0 { 1 << 24 } else { 1 << 32 };
        all.push(known(&format!("n{i}"), "user-id", &n.to_string()));
    }
    let mut detectors = Detectors::new(&all, shown()).unwrap();
    let mut found = Vec::new();
    for _ in 0..10_000 {
        let payload = random.bytes(1000);
        detectors.scan(
            FieldView {
                path: "udp.payload",
                value: &payload,
                payload: true,
            },
            &mut |it| found.push(it.clone()),
        );
    }
    let confirmed = detectors.finish();
    let kept: Vec<_> = found.iter().filter(|it| confirmed.keeps(it)).collect();
    assert!(kept.is_empty(), "{kept:?}");
}

#[test]
fn a_number_sent_in_every_packet_is_confirmed_and_one_by_accident_is_not() {
    let value = known("n", "user-id", "1009431");
    let other = known("m", "user-id", "2882400001");
    let (mut one, mut two) = (Detectors::new(&[value.clone(), other.clone()], shown()).unwrap(), None::<Detectors>);
    let mut random = Random(77);
    let mut found = Vec::new();
    for round in 0..400 {
        let mut payload = random.bytes(300);
        if round % 40 == 0 {
            payload[8..12].copy_from_slice(&1_009_431_u32.to_be_bytes());
        }
        if round == 3 {
            payload[100..104].copy_from_slice(&2_882_400_001_u32.to_le_bytes());
        }
        // Half of it by a fork, as another thread would.
        let side = if round % 2 == 0 {
            &mut one
        } else {
            two.get_or_insert_with(|| Detectors::new(&[value.clone(), other.clone()], shown()).unwrap())
        };
        found.extend(scan(side, "udp.payload", &payload));
    }
    one.absorb(two.unwrap());
    let confirmed = one.finish();
    let kept: Vec<_> = found
        .iter()
        .filter(|it| confirmed.keeps(it))
        .map(|it| it.known_as.as_deref().unwrap())
        .collect();
    assert_eq!(kept, ["n"; 10]);
    assert_eq!(found.len(), 11);
    let chance = *confirmed.chance(&found[0].weak.unwrap()).unwrap();
    assert_eq!(chance.seen, 10);
    assert!(chance.p_value < 1e-6 && chance.expected < 0.01);
}

#[test]
fn short_text_in_a_payload_of_text_is_no_accident() {
    let mut detectors = detectors();
    let found = scan(&mut detectors, "tcp.payload", b"\x01\x02LOGIN user 4711 from harbour\0\x03");
    assert_eq!(
        found
            .iter()
            .filter(|f| f.known_as.as_deref() == Some("small") && f.weak.is_none())
            .count(),
        1,
        "{found:?}"
    );
    let found = scan(&mut detectors, "tcp.payload", b"\x01\x024711\xff\xfe\x03");
    assert!(found.len() == 1 && found[0].weak.is_some(), "{found:?}");
}
