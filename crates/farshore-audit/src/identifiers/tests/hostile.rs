//! What is sent to break the detectors: bombs, nests, endless runs, bytes that are no text.

use std::io::Write as _;
use std::time::{Duration, Instant};

use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;

use super::*;

fn detectors() -> Detectors {
    let all = [
        known("n", "user-id", "1009431"),
        known("m", "email", "grace@example.org"),
        known("u", "device-id", "6d92078a-8246-4ba4-ae5b-76104861e7dc"),
    ];
    Detectors::new(&all, shown()).unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_bomb_is_cut_off_and_told() {
    let mut detectors = detectors();
    let bomb = STANDARD.encode(zlib(&vec![b'a'; 50 << 20]));
    assert_eq!(scan(&mut detectors, "http.request.body", bomb.as_bytes()), []);
    let hit = detectors.limits_hit();
    assert!(hit.contains_key("unpacked-bytes") || hit.contains_key("inflation-ratio"), "{hit:?}");
    // What comes before the ceiling is found all the same.
    let mut start = b"uid 1009431 ".to_vec();
    start.resize(20 << 20, b' ');
    let bomb = STANDARD.encode(zlib(&start));
    let found = scan(&mut detectors, "http.request.body", bomb.as_bytes());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].decoded_by, ["base64", "zlib"]);
}

#[test]
fn a_deep_nest_is_left_at_some_depth_and_told() {
    let mut detectors = detectors();
    let mut packed = b"uid=1009431&and&some&more&text".to_vec();
    for _ in 0..10 {
        packed = STANDARD.encode(zlib(&packed)).into_bytes();
    }
    assert_eq!(scan(&mut detectors, "http.request.body", &packed), []);
    assert!(detectors.limits_hit().contains_key("unpack-depth"), "{:?}", detectors.limits_hit());
}

/// How long this thread has been at work, whoever else is; where the system does not tell, the time that went by.
fn at_work(since: Instant) -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|it| it.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| since.elapsed(), Duration::from_nanos)
}

/// Eight times the input may cost about eight times the work, not sixty-four: a ratio, which does not depend on the machine.
#[test]
#[expect(clippy::disallowed_methods, reason = "what it takes is what is tested")]
fn cost_is_linear_on_the_worst_that_was_thought_of() {
    let (mut detectors, started) = (detectors(), Instant::now());
    let header = STANDARD.encode(zlib(b"")).chars().take(8).collect::<String>();
    for piece in [
        "QUJD".to_owned(),
        "/eJx".to_owned(),
        format!("/{header}"),
        "eJyrVkrOSCxSslIqSy0qzszPU9JRKkstKs4E8gA=/".to_owned(),
        "uid=".to_owned(),
        "\"token\":\"".to_owned(),
        "@".to_owned(),
        "a@b.".to_owned(),
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@".to_owned(),
        "+1".to_owned(),
        "eyJhbGci.".to_owned(),
        "://a:b".to_owned(),
        "3c:5a:".to_owned(),
        "1009431".to_owned(),
        "1009431 ".to_owned(),
        "MTAwOTQzMQ".to_owned(),
        "%40".to_owned(),
        "\0".to_owned(),
        "uid=1009431&".to_owned(),
    ] {
        let mut time = |size: usize| {
            let text: Vec<u8> = piece.bytes().cycle().take(size).collect();
            let before = at_work(started);
            for path in ["http.request.body", "http.cookie.session", "udp.payload"] {
                let found = scan(&mut detectors, path, &text);
                assert!(found.len() <= 1 << 10);
            }
            at_work(started).saturating_sub(before)
        };
        // Whoever else is at work here takes of the caches, and stops at some time.
        let fits = (0..3).any(|_| {
            let small = time(1 << 15).max(Duration::from_millis(20));
            time(1 << 18) < small * 32
        });
        assert!(
            fits,
            "{piece:?}: more than 32 times as much for eight times the text, three times over"
        );
    }
}

#[test]
fn nothing_panics() {
    let mut detectors = detectors();
    let mut random = Random(3);
    let pieces: Vec<Vec<u8>> = vec![
        b"\xff\xfe\0\0".to_vec(),
        b"eJx".to_vec(),
        b"H4sI".to_vec(),
        b"uid=".to_vec(),
        b"\"imei\":\"".to_vec(),
        b"\\\"".to_vec(),
        b"%".to_vec(),
        b"%4".to_vec(),
        b"@example.org".to_vec(),
        b"grace".to_vec(),
        b"1009431".to_vec(),
        b"Basic ".to_vec(),
        b"authorization: ".to_vec(),
        b"://:".to_vec(),
        b"\xe2\x80".to_vec(),
        b"lat=48.".to_vec(),
        b"MTAwOTQzMQ==".to_vec(),
        b"\0".to_vec(),
        b"=".to_vec(),
        b"+49".to_vec(),
        b"<imei>".to_vec(),
    ];
    for path in [
        "",
        ".",
        "http.query.",
        "http.query.imei",
        "http.cookie.x",
        "http.authorization",
        "udp.payload",
        "\u{e9}imei",
    ] {
        for _ in 0..1500 {
            let count = random.next() % 12;
            let mut text = Vec::new();
            for _ in 0..count {
                let piece = &pieces[(random.next() % pieces.len() as u64) as usize];
                text.extend_from_slice(piece);
                if random.next().is_multiple_of(4) {
                    let noise = (random.next() % 6) as usize;
                    text.extend(random.bytes(noise));
                }
            }
            for found in scan(&mut detectors, path, &text) {
                assert!(found.range.end <= text.len() && found.range.start < found.range.end, "{found:?}");
            }
        }
    }
}
