//! Capture filters: which frames are audited, and what is said of the others.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::command::{Run, example, folder, run, write};

fn audit(filter: &str, more: &[&str]) -> Run {
    let example = example().display().to_string();
    run(["audit", &example, "--format=json", "-f", filter]
        .into_iter()
        .chain(more.iter().copied()))
}

fn frames(audit: &Value) -> BTreeSet<u64> {
    let evidence = audit["exposures"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|it| it["evidence"].as_array().unwrap());
    evidence.map(|it| it["frame"].as_u64().unwrap()).collect()
}

#[test]
fn what_does_not_fit_is_left_out_and_counted() {
    let whole = run(["audit".as_ref(), example().as_os_str(), "--format=json".as_ref()]).json();
    assert!(whole["coverage"]["frames"].get("filtered").is_none());
    let dns = audit("udp port 53", &[]).json();
    let count = &dns["coverage"]["frames"];
    assert_eq!(count["total"], whole["coverage"]["frames"]["total"]);
    let filtered = count["filtered"].as_u64().unwrap();
    assert_eq!(count["total"].as_u64().unwrap() - filtered, count["decoded"].as_u64().unwrap());
    assert!(filtered > 0);
    let names: Vec<&str> = dns["destinations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["192.0.2.53"]);
    // Frames keep their numbers.
    let found = frames(&dns);
    assert!(!found.is_empty() && found.is_subset(&frames(&whole)), "{found:?}");
    let one = audit("udp port 53", &["--jobs=1"]);
    let four = audit("udp port 53", &["--jobs=4"]);
    assert_eq!(one.out, four.out);
    // Nothing is left out by a filter that all fit.
    let all = audit("ip or not ip", &[]).json();
    assert_eq!(all, whole);
}

#[test]
fn what_was_left_out_is_never_met() {
    let folder = folder();
    let scope = "interfaces = [\"wlan0\"]\nfeatures = [\"speak\"]\nfrom = 2021-02-11T00:00:00Z\nuntil = 2021-02-12T00:00:00Z\n";
    let scope = write(&folder, "scope.toml", scope);
    let done = audit("arp", &[&format!("--scope={}", scope.display())]);
    done.ends(0);
    let audit = done.json();
    for it in audit["verdicts"].as_array().unwrap() {
        assert_eq!(it["outcome"], "undetermined", "{it}");
        assert!(it["because"].as_str().unwrap().contains("left out by a capture filter"), "{it}");
        assert!(it["settled_by"].to_string().contains("without -f"), "{it}");
    }
    let screen = run(["audit".as_ref(), example().as_os_str(), "-farp".as_ref()]);
    assert!(screen.text().contains("that the capture filter left out"), "{}", screen.text());
}

#[test]
fn a_mistake_is_drawn_where_it_stands() {
    audit("tcp port 443 and host www.example.com", &[])
        .ends(2)
        .says("names are not looked up")
        .says("^^^^^^^^^^^^^^^");
    audit("tcp and (udp", &[]).ends(2).says("expected `)`");
    let folder = folder();
    let har = r#"{"log":{"version":"1.2","entries":[{"request":{"method":"GET","url":"http://a.example/"},"response":{"status":204}}]}}"#;
    let har = write(&folder, "a.har", har);
    run(["audit".as_ref(), har.as_os_str(), "-ftcp".as_ref()])
        .ends(2)
        .says("a.har")
        .says("a capture filter chooses frames");
}

#[test]
fn a_discovery_compares_what_fits() {
    let example = example().display().to_string();
    let discover = |more: &[&str]| run(["discover", &example].into_iter().chain(more.iter().copied()));
    let conversations = |it: &Run| it.json()["discovery"]["sessions"].as_u64().unwrap();
    let (all, some) = (discover(&["--format=json"]), discover(&["--format=json", "-f", "udp"]));
    assert!(conversations(&some) < conversations(&all), "{}", some.text());
    assert!(some.json()["coverage"]["frames"]["filtered"].as_u64().unwrap() > 0);
    let screen = discover(&["-f", "udp"]);
    assert!(screen.text().contains("that the capture filter left out"), "{}", screen.text());
    discover(&["-f", "udp port"]).ends(2).says("-f");
}

/// What an audit says, but for the file and for what names frames.
fn said(audit: &Value) -> Value {
    let destinations = audit["destinations"].as_array().unwrap().iter();
    let names: Vec<_> = destinations
        .map(|it| [&it["name"], &it["organisation"], &it["location"], &it["traffic"]])
        .collect();
    let exposures = audit["exposures"].as_array().unwrap().iter();
    let kinds: Vec<_> = exposures
        .map(|it| [&it["kind"], &it["value"], &it["field"], &it["protection"], &it["count"]])
        .collect();
    serde_json::json!([names, kinds])
}

#[test]
fn what_fits_is_written_as_it_was() {
    let folder = folder();
    let copy = folder.path().join("copy.pcapng");
    let to = format!("-w{}", copy.display());
    let whole = audit("udp port 53 or tcp port 80", &[&to]);
    whole.ends(0);
    let whole = whole.json();
    let again = run(["audit".as_ref(), copy.as_os_str(), "--format=json".as_ref()]).json();
    assert_eq!(said(&again), said(&whole));
    let frames = |it: &Value| it["coverage"]["frames"]["decoded"].as_u64().unwrap();
    assert_eq!(
        (frames(&again), again["coverage"]["frames"]["total"].as_u64()),
        (frames(&whole), Some(frames(&whole)))
    );
    assert_eq!(again["inputs"][0]["first"], whole["inputs"][0]["first"]);
    // It says that frames are missing.
    assert_eq!(again["inputs"][0]["filter"], "udp port 53 or tcp port 80");
    let screen = run(["audit".as_ref(), copy.as_os_str()]);
    assert!(
        screen.text().contains("the filter it was captured through: udp port 53"),
        "{}",
        screen.text()
    );
    // It is not written over, nor in place of the answer, nor of what has no frames or is several.
    audit("udp", &[&to]).ends(2).says("--force");
    audit("udp", &["-w-"]).ends(2).says("name a file");
    audit(
        "udp",
        &[&format!("-w{}", folder.path().join("two").display()), &copy.display().to_string()],
    )
    .ends(2)
    .says("several inputs");
    let har = write(&folder, "a.har", r#"{"log": {"version": "1.2", "creator": {}, "entries": []}}"#);
    let none = folder.path().join("none");
    run(["audit".as_ref(), har.as_os_str(), "-w".as_ref(), none.as_os_str()])
        .ends(2)
        .says("no frames to copy");
    assert!(!none.exists());
}

#[test]
fn what_the_filter_of_a_capture_kept_out_is_not_fixed() {
    let folder = folder();
    let copy = folder.path().join("copy.pcapng");
    audit("not port 80", &[&format!("-w{}", copy.display())]).ends(0);
    let diff = |before: &std::path::Path| {
        let done = run(["diff".as_ref(), before.as_os_str(), copy.as_os_str(), "--format=json".as_ref()]);
        let done: Value = serde_json::from_str(done.ends(1).text()).unwrap();
        done["changes"].as_array().unwrap().clone()
    };
    let changes = diff(&example());
    assert!(changes.iter().all(|it| it["outcome"] != "fixed"), "{changes:?}");
    let told = |it: &Value| it["because"].as_str().unwrap().contains("made through a filter (not port 80)");
    assert!(changes.iter().any(|it| it["outcome"] == "not-exercised" && told(it)), "{changes:?}");
    // Captured alike, both sides miss the same.
    assert!(!diff(&copy).iter().any(told));
}
