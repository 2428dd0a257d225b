//! `farshore who`: the forms of the answer, one line for each line asked, and nothing known about nobody.

use serde_json::Value;

use crate::command::{fed, folder, run};

const KEYS: [&str; 11] = [
    "id",
    "name",
    "domain",
    "addresses",
    "network",
    "organisation",
    "owners",
    "places",
    "location",
    "reach",
    "candidates",
];

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_promised_keys_are_there_and_no_traffic_is() {
    let root = run(["who", "8.8.8.8", "web.agora.io", "AS21859", "8.8.8.0/24", "--format=json"]).json();
    assert_eq!(root["schema"], "farshore.who/1");
    let found = root["destinations"].as_array().unwrap();
    assert_eq!(found.len(), 4);
    for it in found {
        assert!(KEYS.iter().all(|key| it.get(*key).is_some()), "{it}");
        assert!(it.get("traffic").is_none() && it.get("flows").is_none(), "{it}");
    }
    assert_eq!(
        (&found[0]["location"]["state"], &found[0]["network"]["asn"]),
        (&"anycast".into(), &15169.into())
    );
    assert_eq!(found[1]["organisation"]["id"], "agora");
    assert_eq!(found[2]["network"]["asn"], 21859);
    assert_eq!(found[3]["places"][0]["address"], "8.8.8.0");
}

#[test]
fn the_screen_tells_the_claims_the_owner_and_who_could_order() {
    let done = run(["who", "199.190.44.135", "--as-of=2026-11-01"]);
    done.ends(0);
    for wanted in [
        "199.190.44.135",
        "AS21859",
        "Zenlayer",
        "HK or US – disputed",
        "dbip-country",
        "no place",
        "legal reach",
    ] {
        assert!(done.text().contains(wanted), "{wanted}:\n{}", done.text());
    }
    let named = run(["who", "web.agora.io", "--as-of=2026-11-01"]);
    for wanted in ["Agora", "seat CN", "could be ordered under", "no address is known"] {
        assert!(named.text().contains(wanted), "{wanted}:\n{}", named.text());
    }
    assert!(!done.text().contains('\x1b'));
    assert!(run(["who", "8.8.8.8", "--color=always"]).text().contains("\x1b[1m8.8.8.8"));
}

#[test]
fn every_line_gets_a_line_in_order() {
    let asked = "8.8.8.8\nweb.agora.io\r\n\n8.8.8\n2001:db8::1\nAS15169\n10.0.0.1:80";
    let done = fed(&["who", "-"], asked.as_bytes());
    done.ends(0).says("2 lines").says("line 3");
    let names: Vec<_> = lines(done.text())
        .into_iter()
        .map(|it| it["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        ["8.8.8.8", "web.agora.io", "", "8.8.8", "2001:db8::1", "AS15169", "10.0.0.1"]
    );
    let tsv = fed(&["who", "-", "--format=tsv", "-q"], asked.as_bytes());
    assert_eq!((tsv.err.as_str(), tsv.text().lines().count()), ("", 7));
    let rows: Vec<Vec<&str>> = tsv.text().lines().map(|line| line.split('\t').collect()).collect();
    assert!(rows.iter().all(|row| row.len() == 5), "{rows:?}");
    assert_eq!(rows[0][2..], ["anycast", "AS15169", "Google LLC"]);
    assert_eq!(rows[2], ["", "", "undetermined", "", ""]);
    assert_eq!(rows[6], ["10.0.0.1", "", "local", "", ""]);
}

#[test]
fn a_line_says_what_the_same_name_says_when_it_is_named() {
    let mut asked = vec![
        "::ffff:8.8.8.8".to_owned(),
        "2001:7fd::1".to_owned(),
        "10.0.0.1".to_owned(),
        "::1".to_owned(),
    ];
    for a in 1..260_u32 {
        asked.push(format!("{}.{}.{}.{}", 1 + a % 220, a * 7 % 256, a * 31 % 256, a * 13 % 256));
        asked.push(format!("2a{:02x}:{:x}::{a:x}", a % 32, a * 97));
    }
    // More than are answered one by one, and each once again from what was kept.
    let thrice = [asked.clone(), asked.clone(), asked].concat();
    for format in ["ndjson", "tsv"] {
        let fed = fed(&["who", "-", "--format", format], thrice.join("\n").as_bytes());
        let arguments = ["who", "--format", format].map(str::to_owned);
        let named = run(arguments.into_iter().chain(thrice.iter().cloned()));
        assert_eq!(fed.text().lines().count(), thrice.len());
        for (line, wanted) in fed.text().lines().zip(named.text().lines()) {
            assert_eq!(line, wanted);
        }
    }
}

#[test]
fn hostile_names_are_spelled_out() {
    let hostile = "\x1b[31mred\u{202e}\t<script>\u{feff}\nx\tAS1\n\u{202e}".to_owned() + &"a".repeat(10_000) + "\n8.8.8.8\n";
    for format in ["ndjson", "tsv"] {
        let done = fed(&["who", "-", "--format", format], hostile.as_bytes());
        done.ends(0);
        let harmless = |c: char| c == '\n' || c == '\t' && format == "tsv" || (' '..='~').contains(&c) && c != '<';
        assert!(done.text().chars().all(harmless), "{}", done.text());
        assert!(done.err.chars().all(|c| c == '\n' || !c.is_control()), "{}", done.err);
        assert_eq!(done.text().lines().count(), 4, "a long line is one line");
        assert!(done.text().lines().last().unwrap().contains("8.8.8.8"));
        assert!(format == "ndjson" || done.text().lines().all(|line| line.matches('\t').count() == 4));
    }
}

#[test]
fn what_is_no_question_ends_with_the_next_step() {
    run(["who"]).ends(2).says("ADDR|HOST");
    run(["who", "8.8.8.256"]).ends(2).says("8.8.8.256").says("192.0.2.1");
    run(["who", "https://example.com/x"]).ends(2).says("host alone");
    run(["who", "0.0.0.0/0"]).ends(2).says("longer prefix");
    run(["who", "-", "8.8.8.8"]).ends(2).says("stands alone");
    run(["who", "-", "--format=terminal"]).ends(2).says("ndjson");
    run(["who", "8.8.8.8", "--as-of=yesterday"]).ends(2).says("YYYY-MM-DD");
}

#[test]
fn what_nobody_knows_stays_unknown() {
    let root = run(["who", "nobody-knows.example", "--format=json"]).json();
    let found = &root["destinations"][0];
    assert!(found["organisation"].is_null() && found["network"].is_null(), "{found}");
    assert_eq!(
        (&found["location"]["state"], found["reach"].as_array().unwrap().len()),
        (&"undetermined".into(), 0)
    );
}

#[test]
fn a_file_is_written_whole_and_never_over_another() {
    let folder = folder();
    let out = folder.path().join("who.json");
    let arguments = ["who", "8.8.8.8", "--format=json", "-o", out.to_str().unwrap()];
    run(arguments).ends(0);
    assert!(std::fs::read_to_string(&out).unwrap().starts_with("{\"schema\":\"farshore.who/1\""));
    run(arguments).ends(2).says("--force");
}
