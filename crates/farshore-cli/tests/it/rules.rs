//! `farshore rules`: what is written stops what was denied or says that it does not, of captures and of saved audits.

use serde_json::Value;

use crate::command::{Run, example, folder, run};

const FORMATS: [&str; 5] = ["cilium", "hosts", "nftables", "rpz", "suricata"];

fn clubhouse() -> String {
    example().display().to_string()
}

fn simulated(input: &str, format: &str, denies: &[&str]) -> Value {
    let format = format!("--format={format}");
    let all = ["rules", input, &format, "--simulate=json", "--deny"];
    run(all.iter().chain(denies)).json()
}

fn destinations() -> Vec<Value> {
    let audit = run(["audit", &clubhouse(), "--format=json"]).json();
    audit["destinations"].as_array().unwrap().clone()
}

fn fates(of: &Value) -> Vec<&Value> {
    of["simulation"]["destinations"].as_array().unwrap().iter().collect()
}

/// Each destination, in each format: it stops, or the answer says what gets through and why.
#[test]
fn rules_from_an_audit_stop_what_was_denied_or_say_what_they_cannot() {
    let count = destinations().len();
    assert!(count > 3);
    let mut stopped = 0;
    for format in FORMATS {
        let all: Vec<String> = (1..=count).map(|it| format!("destination=d{it}")).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let told = simulated(&clubhouse(), format, &all);
        assert_eq!(told["schema"], "farshore.rules/1");
        let fates = fates(&told);
        assert_eq!(fates.len(), count, "{format}");
        for fate in fates {
            assert_eq!(fate["denied"], "yes");
            match fate["outcome"].as_str().unwrap() {
                "stops" => {
                    assert_eq!(fate["flows"]["stopped"], fate["flows"]["total"], "{format}: {fate}");
                    stopped += 1;
                }
                outcome => {
                    assert!(["partly", "does-not-stop", "cannot-tell"].contains(&outcome), "{fate}");
                    assert!(!fate["because"].as_array().unwrap().is_empty(), "{format}: {fate}");
                }
            }
        }
        // A packet filter sees every address.
        if format == "nftables" {
            assert!(fates_all(&told, "stops"), "{told}");
        }
    }
    assert!(stopped > count, "rules stop something");
}

fn fates_all(of: &Value, outcome: &str) -> bool {
    fates(of).iter().all(|it| it["outcome"] == outcome)
}

#[test]
fn what_is_written_names_its_reasons_and_its_sources() {
    let found = destinations();
    let with = found.iter().find(|it| !it["organisation"].is_null()).unwrap();
    let id = with["organisation"]["id"].as_str().unwrap();
    let deny = format!("org={id}");
    let done = run(["rules", &clubhouse(), "--format=suricata", "--deny", &deny]);
    done.ends(0);
    for wanted in [
        "written by farshore",
        "from clubhouse.pcapng (SHA-256 ",
        "data: ",
        &format!("denied: {deny}"),
        with["name"].as_str().unwrap(),
        with["organisation"]["basis"].as_str().unwrap(),
        "from frame ",
    ] {
        assert!(done.text().contains(wanted), "{wanted}:\n{}", done.text());
    }
    let again = run(["rules", &clubhouse(), "--format=suricata", "--jobs=1", "--deny", &deny]);
    assert_eq!(done.out, again.out, "the same input gives the same rules");
}

/// Whose it is, nobody knows: it is neither blocked nor passed over.
#[test]
fn doubt_is_told_aloud_and_is_no_reason_to_block() {
    let input = clubhouse();
    let asked = |more: &[&str]| -> Run {
        let all = ["rules", input.as_str(), "--format=nftables", "--deny=country=US"];
        run(all.iter().chain(more))
    };
    let told = run(["rules", &input, "--format=nftables", "--simulate=json", "--deny=country=US"]).json();
    let doubtful = told["doubtful"].as_array().unwrap();
    assert!(!doubtful.is_empty());
    let let_be = asked(&[]);
    let_be.ends(0).says("--in-doubt deny");
    assert!(let_be.text().contains("NOT BLOCKED, as it cannot be told"));
    let denied = asked(&["--in-doubt=deny"]);
    denied.ends(0).says("blocked, though it cannot be told");
    let elements = |of: &Run| {
        of.text()
            .lines()
            .filter(|it| it.trim_start().starts_with(|c: char| c.is_ascii_digit()))
            .count()
    };
    assert!(elements(&denied) > elements(&let_be));
    asked(&["--quiet"]).ends(0);
    assert!(asked(&["--quiet"]).err.is_empty());
}

/// A saved audit with flows says the same; without, it says what cannot be told.
#[test]
fn a_saved_audit_gives_the_rules_of_its_capture() {
    let folder = folder();
    let (with, without) = (folder.path().join("with.json"), folder.path().join("without.json"));
    let (with, without) = (with.display().to_string(), without.display().to_string());
    run(["audit", &clubhouse(), "--format=json", "--with=flows", "-o", &with, "--force"]).ends(0);
    run(["audit", &clubhouse(), "--format=json", "-o", &without, "--force"]).ends(0);
    for format in FORMATS {
        let format = format!("--format={format}");
        let written = |input: &str| {
            let done = run(["rules", input, &format, "--deny", "destination=d1", "destination=d3"]);
            done.ends(0);
            done.text().to_owned()
        };
        assert_eq!(written(&clubhouse()), written(&with), "{format}");
        assert!(!written(&without).is_empty());
    }
    let (made, saved) = (
        simulated(&clubhouse(), "nftables", &["destination=d1"]),
        simulated(&with, "nftables", &["destination=d1"]),
    );
    assert_eq!(made["simulation"], saved["simulation"]);
    let bare = simulated(&without, "hosts", &["destination=d3"]);
    assert_eq!(bare["simulation"]["has_flows"], false);
    assert!(fates(&bare).iter().all(|it| it["flows"]["stopped"].is_null()), "{bare}");
    run(["rules", &with, &clubhouse(), "--format=hosts", "--deny", "destination=d1"])
        .ends(2)
        .says("stands alone");
    run(["rules", &with, "--format=hosts", "--app=x", "--deny", "destination=d1"])
        .ends(2)
        .says("is a saved audit");
}

#[test]
fn a_mistake_ends_with_what_was_expected() {
    let input = clubhouse();
    for (more, wanted) in [
        (&["--format=hosts"][..], "--deny"),
        (&["--deny", "org=x"], "--format"),
        (&["--format=hosts", "--deny", "agora"], "expected country=CC"),
        (&["--format=hosts", "--deny", "country=China"], "two letters"),
        (&["--format=hosts", "--deny", "org=x", "other.pcap"], "inputs stand before --deny"),
        (
            &["--format=hosts", "--action=reject", "--deny", "org=x"],
            "rules of hosts cannot do that",
        ),
        (&["--format=iptables", "--deny", "org=x"], "possible values"),
    ] {
        let all = ["rules", input.as_str()];
        run(all.iter().chain(more)).ends(2).says(wanted);
    }
    run(["rules", "no-such-file.pcap", "--format=hosts", "--deny", "org=x"])
        .ends(2)
        .says("no-such-file.pcap");
    // What fits nothing is told, and is no failure.
    run(["rules", &input, "--format=hosts", "--deny", "destination=d999"])
        .ends(0)
        .says("the audit has d1 to d")
        .says("no rule is written");
}

#[test]
fn rules_go_to_a_file_whole_and_never_over_another_while_the_screen_tells_what_they_do() {
    let folder = folder();
    let path = folder.path().join("farshore.nft");
    let shown = path.display().to_string();
    let input = clubhouse();
    let asked = [
        "rules",
        &input,
        "--format=nftables",
        "-o",
        &shown,
        "--simulate",
        "--deny",
        "destination=d3",
    ];
    let done = run(asked);
    done.ends(0);
    assert!(
        done.text().contains("Denied") && done.text().lines().count() < 40,
        "{}",
        done.text()
    );
    assert!(!done.text().contains("table inet"));
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written.starts_with("#!/usr/sbin/nft -f\n") && written.ends_with("}\n"));
    run(asked).ends(2).says("--force");
}
