//! What a fix changed: absence is never a fix, another spelling is none, and what differs from run to run by itself does not matter.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::command::{Run, folder, repository, run, write};

const IMEI: &str = "490154203237518";
/// The same in base64.
const ENCODED: &str = "NDkwMTU0MjAzMjM3NTE4";

/// A request to a host, and what came back.
#[derive(Clone)]
struct Talk {
    host: &'static str,
    path: String,
    answered: bool,
}

fn talk(host: &'static str, path: &str) -> Talk {
    Talk {
        host,
        path: path.to_owned(),
        answered: true,
    }
}

fn leaky() -> Vec<Talk> {
    vec![
        talk("api.one.example", &format!("/join?imei={IMEI}")),
        talk("cdn.two.example", "/logo.png"),
    ]
}

fn repaired() -> Vec<Talk> {
    vec![talk("api.one.example", "/join?ok=yes"), talk("cdn.two.example", "/logo.png")]
}

/// Each talk is a connection of its own, from its own port, some seconds after the one before.
fn capture(talks: &[Talk], first_port: u16, start: u32) -> Vec<u8> {
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 101] {
        out.extend(word.to_le_bytes());
    }
    for (number, it) in talks.iter().enumerate() {
        let number = u16::try_from(number).unwrap();
        let server = if it.host.starts_with("api") { 9 } else { 10 };
        let request = format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", it.path, it.host);
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        let (client, server) = ([10, 0, 0, 2], [192, 0, 2, server]);
        let at = start + 7 * u32::from(number);
        let ends = ((client, first_port + number), (server, 80));
        out.extend(packet(at, ends, (1, 1), request.as_bytes()));
        if it.answered {
            let asked = 1 + u32::try_from(request.len()).unwrap();
            out.extend(packet(at + 1, (ends.1, ends.0), (1, asked), answer.as_bytes()));
        }
    }
    out
}

type End = ([u8; 4], u16);

fn packet(at: u32, (from, to): (End, End), (sequence, acknowledged): (u32, u32), payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(40 + payload.len()).unwrap();
    let mut it = vec![0x45, 0];
    it.extend(length.to_be_bytes());
    it.extend([0, 0, 0, 0, 64, 6, 0, 0]);
    it.extend(from.0);
    it.extend(to.0);
    it.extend(from.1.to_be_bytes());
    it.extend(to.1.to_be_bytes());
    it.extend(sequence.to_be_bytes());
    it.extend(acknowledged.to_be_bytes());
    it.extend([0x50, 0x18, 1, 0, 0, 0, 0, 0]);
    it.extend(payload);
    let size = u32::try_from(it.len()).unwrap();
    let mut record: Vec<u8> = [at, 0, size, size].into_iter().flat_map(u32::to_le_bytes).collect();
    record.extend(it);
    record
}

fn before(talks: &[Talk]) -> Vec<u8> {
    capture(talks, 40_000, 1_600_000_000)
}

fn after(talks: &[Talk]) -> Vec<u8> {
    capture(talks, 51_000, 1_600_100_000)
}

fn compared(before: &Path, after: &Path, more: &[&str]) -> (Run, Value) {
    let mut arguments = vec!["diff", before.to_str().unwrap(), after.to_str().unwrap(), "--format", "json"];
    arguments.extend(more);
    let done = run(&arguments);
    let told = serde_json::from_slice(&done.out).unwrap_or_else(|_| panic!("{}", done.err));
    (done, told)
}

fn of_bytes(before: &[u8], after: &[u8]) -> (Run, Value) {
    let folder = folder();
    let (a, b) = (write(&folder, "before.pcap", before), write(&folder, "after.pcap", after));
    compared(&a, &b, &[])
}

/// What became of everything that has these words in its subject.
fn outcomes(told: &Value, words: &str) -> Vec<String> {
    let all = told["changes"].as_array().unwrap().iter();
    let those = all.filter(|it| it["subject"].as_str().unwrap().contains(words));
    those.map(|it| it["outcome"].as_str().unwrap().to_owned()).collect()
}

fn change<'a>(told: &'a Value, words: &str) -> &'a Value {
    let mut all = told["changes"].as_array().unwrap().iter();
    all.find(|it| it["subject"].as_str().unwrap().contains(words))
        .unwrap_or_else(|| panic!("{words}: {told:#}"))
}

/// More values than are looked for in every encoding: what was not looked for so is not called fixed.
#[test]
fn what_was_not_tried_in_every_encoding_is_never_fixed() {
    for (crowd, outcome) in [(1, "fixed"), (2_100, "not-exercised")] {
        let addresses: Vec<String> = (0..crowd).map(|it| format!("email=1user{it:05}@mail.example")).collect();
        let crowd: Vec<Talk> = addresses
            .chunks(100)
            .map(|some| talk("cdn.two.example", &format!("/list?{}", some.join("&"))))
            .collect();
        let (a, b) = ([leaky(), crowd.clone()].concat(), [repaired(), crowd].concat());
        let (done, told) = of_bytes(&before(&a), &after(&b));
        assert_eq!(outcomes(&told, "imei"), [outcome], "{}", done.err);
        assert_eq!(
            done.err.contains("no other is called fixed"),
            outcome == "not-exercised",
            "{}",
            done.err
        );
    }
}

#[test]
fn the_same_capture_twice_is_not_fixed_and_nothing_is_new() {
    let capture = before(&leaky());
    let (done, told) = of_bytes(&capture, &capture);
    done.ends(1);
    assert_eq!(told["schema"], "farshore.diff/1");
    let all = outcomes(&told, "");
    assert!(!all.is_empty() && all.iter().all(|it| it == "not-fixed"), "{told:#}");
    assert_eq!(outcomes(&told, "imei"), ["not-fixed"]);
}

#[test]
fn other_ports_times_and_orders_change_nothing() {
    let mut turned = leaky();
    turned.reverse();
    for other in [after(&leaky()), after(&turned)] {
        let (_, told) = of_bytes(&before(&leaky()), &other);
        assert!(outcomes(&told, "").iter().all(|it| it == "not-fixed"), "{told:#}");
    }
}

#[test]
fn what_is_gone_although_its_recipient_was_reached_again_is_fixed() {
    let (_, told) = of_bytes(&before(&leaky()), &after(&repaired()));
    let it = change(&told, "imei");
    assert_eq!((&it["outcome"], &it["what"]), (&"fixed".into(), &"exposure".into()), "{told:#}");
    assert_eq!(it["runs"], serde_json::json!({"before": 1, "after": 1}));
    assert_eq!(it["after"], serde_json::json!([]));
    assert!((it["miss_probability"].as_f64().unwrap() - 1.0 / 3.0).abs() < 1e-9);
    assert!(told["coverage"]["before"]["frames"]["total"] == 4 && told["coverage"]["after"]["frames"]["total"] == 4);
    // A clause that is undetermined after is not fixed by that.
    assert!(
        !outcomes(&told, "no-plaintext-identifiers").contains(&"fixed".to_owned()),
        "{told:#}"
    );
    // The other way round it is new.
    let (done, told) = of_bytes(&before(&repaired()), &after(&leaky()));
    done.ends(1);
    assert_eq!(outcomes(&told, "imei"), ["new"]);
}

#[test]
fn what_was_not_exercised_is_never_fixed() {
    let silent = Talk {
        answered: false,
        ..talk("api.one.example", "/join?ok=yes")
    };
    let whole = after(&repaired());
    for (name, other) in [
        ("dropped", after(&repaired()[1..])),
        ("no answer", after(&[silent, talk("cdn.two.example", "/logo.png")])),
        ("cut short", whole[..whole.len() - 5].to_vec()),
        ("nothing at all", after(&[])),
    ] {
        let (done, told) = of_bytes(&before(&leaky()), &other);
        assert_eq!(outcomes(&told, "imei"), ["not-exercised"], "{name}: {told:#}");
        assert!(!outcomes(&told, "").contains(&"fixed".to_owned()), "{name}: {told:#}");
        assert!(!change(&told, "imei")["because"].as_str().unwrap().is_empty());
        done.ends(if name == "nothing at all" { 3 } else { 1 });
    }
}

#[test]
fn another_spelling_or_field_is_no_fix() {
    for path in [
        format!("/join?d={ENCODED}"),
        format!("/join/{IMEI}"),
        // Another device does as this one did.
        "/join?imei=352099001761481".to_owned(),
    ] {
        let spelled = [talk("api.one.example", &path), talk("cdn.two.example", "/logo.png")];
        let (done, told) = of_bytes(&before(&leaky()), &after(&spelled));
        done.ends(1);
        assert_eq!(outcomes(&told, "imei"), ["not-fixed"], "{path}: {told:#}");
    }
}

#[test]
fn another_app_is_no_exercise() {
    let folder = folder();
    let (a, b) = (
        write(&folder, "a.pcap", before(&leaky())),
        write(&folder, "b.pcap", after(&repaired())),
    );
    let labels = write(&folder, "labels.csv", "input,app\na.pcap,voice\nb.pcap,other\n");
    let (_, told) = compared(&a, &b, &["--labels", labels.to_str().unwrap()]);
    assert_eq!(outcomes(&told, "imei"), ["not-exercised"], "{told:#}");
    let labels = write(&folder, "same.csv", "input,app\na.pcap,voice\nb.pcap,voice\n");
    let (_, told) = compared(&a, &b, &["--labels", labels.to_str().unwrap()]);
    assert_eq!(outcomes(&told, "imei"), ["fixed"], "{told:#}");
}

fn saved(capture: &Path, key: Option<&Path>, name: &str) -> PathBuf {
    let to = capture.with_file_name(name);
    let known = capture.with_file_name("known.toml");
    std::fs::write(
        &known,
        format!("[[known]]\nname = \"phone\"\nkind = \"imei\"\nvalue = \"{IMEI}\"\n"),
    )
    .unwrap();
    let mut arguments = vec![
        "audit",
        capture.to_str().unwrap(),
        "--format",
        "json",
        "-o",
        to.to_str().unwrap(),
        "--known",
        known.to_str().unwrap(),
    ];
    if let Some(key) = key {
        arguments.extend(["--digest-key", key.to_str().unwrap()]);
    }
    run(&arguments).ends(0);
    to
}

#[test]
fn saved_audits_are_compared_by_digests_of_one_key_or_nothing_is_fixed() {
    let folder = folder();
    let (a, b) = (
        write(&folder, "a.pcap", before(&leaky())),
        write(&folder, "b.pcap", after(&repaired())),
    );
    let (one, two) = (write(&folder, "one.key", "secret one"), write(&folder, "two.key", "secret two"));
    let outcome = |before: &Path, after: &Path, more: &[&str]| outcomes(&compared(before, after, more).1, "imei");
    let keyed = (saved(&a, Some(&one), "ka.json"), saved(&b, Some(&one), "kb.json"));
    assert_eq!(outcome(&keyed.0, &keyed.1, &[]), ["fixed"]);
    assert_eq!(outcome(&keyed.0, &keyed.0, &[]), ["not-fixed"]);
    assert_eq!(outcome(&keyed.0, &b, &["--digest-key", one.to_str().unwrap()]), ["fixed"]);
    let other = saved(&b, Some(&two), "other.json");
    let plain = (saved(&a, None, "pa.json"), saved(&b, None, "pb.json"));
    for (before, after) in [(&keyed.0, &other), (&plain.0, &plain.1), (&keyed.0, &plain.1), (&keyed.0, &b)] {
        let (done, told) = compared(before, after, &[]);
        assert_eq!(outcomes(&told, "imei"), ["not-exercised"], "{told:#}");
        assert!(!outcomes(&told, "").contains(&"fixed".to_owned()), "{told:#}");
        assert!(told["limits"][0].as_str().unwrap().contains("--digest-key"));
        done.ends(1);
    }
    // Another spelling is seen by its digest.
    let spelled = after(&[talk("api.one.example", &format!("/join?d={ENCODED}"))]);
    let spelled = saved(&write(&folder, "s.pcap", spelled), Some(&one), "s.json");
    assert_eq!(outcome(&keyed.0, &spelled, &[]), ["not-fixed"]);
}

#[test]
fn a_folder_is_several_runs_in_any_order() {
    let folder = folder();
    let side = |name: &str, runs: &[&[Talk]]| {
        let to = folder.path().join(name);
        std::fs::create_dir(&to).unwrap();
        for (number, talks) in (0_u16..).zip(runs) {
            let bytes = capture(talks, 40_000 + 100 * number, 1_600_000_000 + 1_000 * u32::from(number));
            std::fs::write(to.join(format!("{number}.pcap")), bytes).unwrap();
        }
        to
    };
    let (leaky, repaired) = (&leaky()[..], &repaired()[..]);
    let always = side("always", &[leaky, leaky, leaky]);
    let (first, last) = (
        side("first", &[leaky, repaired, repaired]),
        side("last", &[repaired, repaired, leaky]),
    );
    let never = side("never", &[repaired, repaired]);

    let (_, told) = compared(&always, &never, &[]);
    let it = change(&told, "imei");
    assert_eq!(it["outcome"], "fixed", "{told:#}");
    assert_eq!(it["runs"], serde_json::json!({"before": 3, "after": 2}));
    assert!((it["miss_probability"].as_f64().unwrap() - (1.0 / 5.0) * (2.0 / 6.0)).abs() < 1e-9);

    // Seen in one of three: two more without it tell little.
    let (_, told) = compared(&first, &never, &[]);
    let it = change(&told, "imei");
    assert_eq!(it["outcome"], "not-exercised", "{told:#}");
    assert_eq!(it["seen"], serde_json::json!({"before": 1, "after": 0}));
    let (_, turned) = compared(&last, &never, &[]);
    let bare = |told: &Value| {
        let all = told["changes"].as_array().unwrap().iter();
        all.map(|it| format!("{} {} {} {}", it["outcome"], it["subject"], it["because"], it["runs"]))
            .collect::<Vec<_>>()
    };
    assert_eq!(bare(&told), bare(&turned));
}

#[test]
fn the_example_is_repaired_for_whoever_is_on_the_path() {
    let at = |name: &str| repository().join("examples").join(name);
    let known = at("clubhouse.known.toml");
    let keys = [at("clubhouse.keylog"), at("clubhouse.fixed.keylog")];
    let more = [
        "--known",
        known.to_str().unwrap(),
        "--keys",
        keys[0].to_str().unwrap(),
        "--keys",
        keys[1].to_str().unwrap(),
    ];
    let (done, told) = compared(&at("clubhouse.pcapng"), &at("clubhouse.fixed.pcapng"), &more);
    done.ends(1);
    let all = told["changes"].as_array().unwrap();
    assert!(
        !all.iter().any(|it| it["what"] == "exposure"
            && it["outcome"] == "new"
            && it["subject"].as_str().unwrap().contains("in the clear, ")
            && !it["subject"].as_str().unwrap().starts_with("hostname")),
        "{told:#}"
    );
    assert!(all.iter().any(|it| it["outcome"] == "fixed"), "{told:#}");
    let text = run([
        "diff",
        at("clubhouse.pcapng").to_str().unwrap(),
        at("clubhouse.fixed.pcapng").to_str().unwrap(),
    ]);
    assert!(text.ends(1).text().lines().count() < 100, "{}", text.text());
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = folder();
    let capture = write(&folder, "a.pcap", before(&leaky()));
    for (name, bytes, wanted) in [
        (
            "who.json",
            &b"{\"schema\":\"farshore.who/1\",\"destinations\":[]}"[..],
            "the answer to `farshore who`",
        ),
        (
            "later.json",
            b"{\"schema\":\"farshore.audit/2\"}",
            "a version this program does not read",
        ),
        ("cut.json", b"{\"schema\":\"farshore.audit/1\",\"tool\":{", "was cut short"),
        ("empty.pcap", b"", "empty.pcap"),
    ] {
        let other = write(&folder, name, bytes);
        let done = run(["diff", capture.to_str().unwrap(), other.to_str().unwrap()]);
        done.ends(2).says(name).says(wanted);
        assert!(done.out.is_empty());
    }
    run(["diff", capture.to_str().unwrap()]).ends(2);
}

/// A recording is JSON too, and no saved audit.
#[test]
fn a_recording_is_read_as_one() {
    let folder = folder();
    let har = format!(
        "{{\"log\":{{\"version\":\"1.2\",\"creator\":{{\"name\":\"a\",\"version\":\"1\"}},\"entries\":[{{\"startedDateTime\":\"2026-01-01T00:00:00.000Z\",\
         \"time\":5,\"request\":{{\"method\":\"GET\",\"url\":\"http://api.one.example/join?imei={IMEI}\",\"httpVersion\":\"HTTP/1.1\",\"headers\":[],\
         \"queryString\":[],\"cookies\":[],\"headersSize\":-1,\"bodySize\":0}},\"response\":{{\"status\":200,\"statusText\":\"OK\",\"httpVersion\":\"HTTP/1.1\",\
         \"headers\":[],\"cookies\":[],\"content\":{{\"size\":2,\"mimeType\":\"text/plain\",\"text\":\"ok\"}},\"redirectURL\":\"\",\"headersSize\":-1,\"bodySize\":2}},\
         \"cache\":{{}},\"timings\":{{\"send\":1,\"wait\":1,\"receive\":1}}}}]}}}}"
    );
    let path = write(&folder, "a.har", har);
    let (_, told) = compared(&path, &path, &[]);
    assert!(
        outcomes(&told, "imei").iter().all(|it| it == "not-fixed") && !outcomes(&told, "imei").is_empty(),
        "{told:#}"
    );
}
