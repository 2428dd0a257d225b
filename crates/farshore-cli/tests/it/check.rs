//! `farshore check`: the exit code is the answer, and what is printed says why.

use std::ffi::OsString;
use std::path::Path;

use crate::command::{Run, example, folder, names, repository, run, write};

fn check<const N: usize>(input: &Path, arguments: [&str; N]) -> Run {
    let mut all: Vec<OsString> = vec!["check".into(), input.into()];
    all.extend(arguments.map(Into::into));
    run(all)
}

/// What was printed, however it was broken into lines.
fn in_a_row(it: &Run) -> String {
    it.text().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The example after its repair, which no default clause is breached by.
fn fixed() -> std::path::PathBuf {
    repository().join("examples/clubhouse.fixed.pcapng")
}

const HOME: &str =
    "id = \"home\"\nversion = \"1\"\ntitle = \"t\"\n[[clause]]\nid = \"asked\"\ntitle = \"t\"\ncitation = \"ours\"\nverified = true\n";

#[test]
fn the_exit_code_is_the_answer() {
    let breached = check(&example(), []);
    breached.ends(1);
    assert!(breached.text().starts_with("clubhouse.pcapng"), "{}", breached.text());
    assert!(
        breached.text().contains("\n3 clauses: 3 breached, 0 undetermined, 0 met.\n"),
        "{}",
        breached.text()
    );

    let open = check(&fixed(), []);
    open.ends(3);
    assert!(
        open.text()
            .contains("\n3 clauses: 0 breached, 3 undetermined, 0 met.\nWhat is undetermined")
    );
    assert!(open.text().contains("- a declared scope: --scope FILE"), "{}", open.text());
}

#[test]
fn what_could_not_run_goes_before_any_verdict() {
    let folder = folder();
    check(&example(), ["--format=html"]).ends(2).says("--format");
    check(&example(), ["--policy=nothing-there"]).ends(2).says("nothing-there");
    check(&folder.path().join("absent.pcap"), []).ends(2).says("absent.pcap");
    let bad = write(&folder, "bad.pcap", "no capture");
    let among = check(&example(), [bad.to_str().unwrap()]);
    among.ends(2).says("bad.pcap");
    assert!(among.text().contains("3 breached"), "the rest is audited: {}", among.text());
}

#[test]
fn its_json_is_the_audit() {
    let checked = check(&example(), ["--format=json"]);
    checked.ends(1);
    let audited = run(["audit".as_ref(), example().as_os_str(), "--format=json".as_ref()]);
    assert_eq!(checked.out, audited.out);
    let folder = folder();
    let out = folder.path().join("audit.json");
    check(&example(), ["--format=json", "-o", out.to_str().unwrap()]).ends(1);
    assert_eq!((std::fs::read(out).unwrap(), names(&folder).len()), (audited.out, 1));
}

#[test]
fn breaches_come_first_and_each_says_where() {
    let folder = folder();
    let policy = write(&folder, "p.toml", "use = \"countries\"\n[params]\ncountries = [\"DE\"]\n");
    let done = check(
        &example(),
        [
            "--policy",
            policy.to_str().unwrap(),
            "--policy=no-plaintext-identifiers",
            "--keys",
            "/dev/null",
        ],
    );
    done.ends(1);
    let text = done.text();
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what} in {text}"));
    assert!(
        at("! breached no-plaintext-identifiers/identifiers-in-clear: ") < at("? undetermined countries/place: "),
        "{text}"
    );
    assert!(text.contains("    farshore rule; cf. RFC 7258"), "{text}");
    assert!(text.contains(" frame 47\n"), "{text}");
    assert!(in_a_row(&done).ends_with("what you know better (--overrides)"), "{text}");
}

#[test]
fn a_note_changes_no_exit_code() {
    let folder = folder();
    let pack = HOME.replace("verified = true", "verified = false");
    let pack = format!("{pack}applies = []\nwhen = [{{ readable-by = \"on-path\" }}]\n");
    let pack = write(&folder, "note.toml", pack);
    let done = check(&example(), ["--policy", pack.to_str().unwrap()]);
    done.ends(0);
    assert!(done.text().contains("· undetermined (note) home/asked"), "{}", done.text());
    assert!(done.text().contains("1 clause: 0 breached, 0 undetermined, 0 met, 1 note."));
}

#[test]
fn a_pack_without_clauses_checks_nothing_and_is_refused() {
    let folder = folder();
    let pack = write(&folder, "empty.toml", "id = \"x\"\nversion = \"1\"\ntitle = \"t\"\nclause = []\n");
    check(&example(), ["--policy", pack.to_str().unwrap()])
        .ends(2)
        .says("empty.toml")
        .says("clause");
}

fn waive(clause: &str, subject: &str, until: &str) -> String {
    format!(
        "[[waive]]\npack = \"no-plaintext-identifiers\"\nclause = \"{clause}\"\nsubject = \"{subject}\"\nreason = \"accepted, TICKET-7\"\nuntil = {until}\n"
    )
}

/// What stands against each clause of the example, by the ids of its exposures.
fn standing() -> Vec<(String, Vec<String>)> {
    let audit: serde_json::Value = serde_json::from_slice(&check(&example(), ["--format=json"]).out).unwrap();
    let of = |it: &serde_json::Value| {
        let ids = it["exposures"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned());
        (it["clause"].as_str().unwrap().to_owned(), ids.collect())
    };
    audit["verdicts"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn a_waiver_covers_what_it_names_and_no_more() {
    let folder = folder();
    let all = |but: usize, until: &str| {
        let mut text = String::new();
        for (clause, ids) in standing() {
            ids.iter().skip(but).for_each(|id| text += &waive(&clause, id, until));
        }
        write(&folder, &format!("w{but}{until}.toml"), text)
    };
    assert!(standing().iter().all(|(_, ids)| !ids.is_empty()));
    let with = |path: &Path| check(&example(), ["--waivers", path.to_str().unwrap()]);
    let whole = with(&all(0, "2021-02-11"));
    whole.ends(0);
    assert!(
        whole.text().contains("\n3 clauses: 0 breached, 0 undetermined, 0 met, 3 waived.\n"),
        "{}",
        whole.text()
    );
    assert!(in_a_row(&whole).contains("waived until 2021-02-11, and not met: accepted, TICKET-7"));
    let one_left = with(&all(1, "2021-02-11"));
    one_left.ends(1);
    assert!(one_left.text().contains("3 breached, 0 undetermined"), "{}", one_left.text());
    // The day after its last one it does not count, and that is said.
    let late = with(&all(0, "2021-02-10"));
    late.ends(1).says("it held until 2021-02-10 and does not count on 2021-02-11");
    let path = all(0, "2021-02-11");
    let moved = check(&example(), ["--waivers", path.to_str().unwrap(), "--as-of=2021-02-12"]);
    moved.ends(1).says("does not count on 2021-02-12");
}

#[test]
fn a_waiver_that_fits_nothing_is_told() {
    let folder = folder();
    let text = [
        waive("identifiers-in-clear", "d999", "2099-01-01"),
        waive("identifiers-in-clear", "nobody.example", "2099-01-01"),
        waive("no-such-clause", "imei", "2099-01-01"),
        waive("identifiers-in-clear", "coverage", "2099-01-01").replace("no-plaintext-identifiers", "other-pack"),
    ];
    let path = write(&folder, "w.toml", text.concat());
    let done = check(&example(), ["--waivers", path.to_str().unwrap()]);
    done.ends(1)
        .says("w.toml: waiver of no-plaintext-identifiers/identifiers-in-clear, d999: it fits nothing: nothing that stands")
        .says("nobody.example: it fits nothing")
        .says("no-plaintext-identifiers has no clause no-such-clause")
        .says("no pack other-pack was judged");
    assert!(done.text().contains("3 breached"));
}

#[test]
fn subjects_go_by_names_that_hold_for_another_capture() {
    let folder = folder();
    let left = |subject: &str| {
        let path = write(&folder, "w.toml", waive("identifiers-in-clear", subject, "2099-01-01"));
        let done = check(&example(), ["--waivers", path.to_str().unwrap(), "--format=json"]);
        let audit: serde_json::Value = serde_json::from_slice(&done.ends(1).out).unwrap();
        assert_eq!(audit["verdicts"][0]["outcome"], "breached", "what is waived stays what it is");
        let findings = audit["verdicts"][0]["findings"].as_array().unwrap().iter();
        let ids = findings.filter(|it| it["waived"] == 0).map(|it| it["exposure"].clone());
        let of = |id: serde_json::Value| {
            audit["exposures"]
                .as_array()
                .unwrap()
                .iter()
                .find(|it| it["id"] == id)
                .unwrap()
                .clone()
        };
        ids.map(of).collect::<Vec<_>>()
    };
    for (subject, key, value) in [
        ("device-id", "kind", "device-id"),
        ("kind=device-id", "kind", "device-id"),
        ("field=http.query.device_id", "field", "http.query.device_id"),
    ] {
        let covered = left(subject);
        assert!(
            !covered.is_empty() && covered.iter().all(|it| it[key] == value),
            "{subject}: {covered:?}"
        );
    }
    assert!(!left("cdn.parlour.example").is_empty());
    assert!(!left("host=*.parlour.example kind=device-id").is_empty());
    assert!(left("host=*.parlour.example kind=imei").is_empty());
    assert!(!left("org=parlour").is_empty());
    assert!(left("coverage").is_empty(), "what was seen is not covered by what was not");
}

#[test]
fn what_the_capture_does_not_show_can_be_waived_clause_by_clause() {
    let folder = folder();
    let clauses = ["identifiers-in-clear", "credentials-in-clear", "speech-in-clear"];
    let with = |some: &[&str]| {
        let text: String = some
            .iter()
            .map(|it| waive(it, if *it == "speech-in-clear" { "audio" } else { "coverage" }, "2021-12-31"))
            .collect();
        check(&fixed(), ["--waivers", write(&folder, "w.toml", text).to_str().unwrap()])
    };
    with(&clauses).ends(0);
    assert!(with(&clauses).text().contains("undetermined, waived"));
    with(&clauses[1..]).ends(3);
}

#[test]
fn mistakes_in_a_file_of_waivers_are_drawn() {
    let folder = folder();
    let path = write(&folder, "w.toml", waive("identifiers-in-clear", "*", "2099-01-01"));
    check(&example(), ["--waivers", path.to_str().unwrap()])
        .ends(2)
        .says("w.toml:4")
        .says("subject = \"*\"")
        .says("^^^");
    check(&example(), ["--waivers=absent.toml"]).ends(2).says("absent.toml");
}

#[test]
fn an_audit_lists_what_is_waived() {
    let folder = folder();
    let path = write(&folder, "w.toml", waive("identifiers-in-clear", "device-id", "2099-01-01"));
    for format in ["terminal", "json", "ndjson", "html"] {
        let done = run([
            "audit".as_ref(),
            example().as_os_str(),
            "--waivers".as_ref(),
            path.as_os_str(),
            "--format".as_ref(),
            format.as_ref(),
        ]);
        done.ends(0);
        assert!(done.text().contains("TICKET-7"), "{format}");
    }
}

#[test]
fn only_what_is_new_counts_against_a_baseline() {
    let folder = folder();
    let saved = |input: &Path, name: &str, arguments: &[&str]| {
        let mut all: Vec<OsString> = vec!["audit".into(), input.into(), "--format=json".into()];
        all.extend(arguments.iter().map(Into::into));
        write(&folder, name, run(all).out)
    };
    let before = saved(&example(), "before.json", &[]);
    let same = check(&example(), ["--baseline", before.to_str().unwrap()]);
    same.ends(0);
    assert!(same.text().contains("breached, as before"), "{}", same.text());
    assert!(same.text().contains(", 3 as before.\n"), "{}", same.text());
    // Less is known of the repaired one, which is nothing new.
    let repaired = check(&fixed(), ["--baseline", before.to_str().unwrap()]);
    assert!(repaired.text().contains("0 breached"), "{}", repaired.text());
    // A clause that was open and is breached now is new, and so is all of a pack that was not judged, or in other words.
    let open = saved(&fixed(), "open.json", &[]);
    check(&fixed(), ["--baseline", open.to_str().unwrap()]).ends(0);
    check(&example(), ["--baseline", open.to_str().unwrap()]).ends(1);
    let policy = write(&folder, "p.toml", "use = \"countries\"\n[params]\ncountries = [\"DE\"]\n");
    let other = check(
        &fixed(),
        ["--baseline", open.to_str().unwrap(), "--policy", policy.to_str().unwrap()],
    );
    other
        .ends(3)
        .says("countries was not judged: all that stands against it counts as new");
    let renamed = std::fs::read_to_string(&before)
        .unwrap()
        .replace("\"version\":\"1\"", "\"version\":\"0\"");
    let older = write(&folder, "older.json", renamed);
    let told = check(&example(), ["--baseline", older.to_str().unwrap()]);
    told.ends(1).says("was judged by version 0, and now by 1");
}

#[test]
fn a_value_that_is_known_to_be_another_is_new() {
    let folder = folder();
    let key = write(&folder, "key", b"Jefe");
    let key = format!("--digest-key={}", key.display());
    let audit = run([
        "audit".into(),
        example().into_os_string(),
        "--format=json".into(),
        key.clone().into(),
    ]);
    let before = write(&folder, "before.json", &audit.out);
    check(&example(), [&key, "--baseline", before.to_str().unwrap()]).ends(0);
    let mut changed: serde_json::Value = serde_json::from_slice(&audit.out).unwrap();
    for it in changed["exposures"].as_array_mut().unwrap() {
        if it["kind"] == "device-id" {
            it["digest"] = "00".repeat(32).into();
        }
    }
    let before = write(&folder, "other.json", changed.to_string());
    check(&example(), [&key, "--baseline", before.to_str().unwrap()]).ends(1);
    // Where one of the two carries no digest, nothing says that they differ.
    check(&example(), ["--baseline", before.to_str().unwrap()]).ends(0);
}

#[test]
fn a_baseline_that_is_none_is_refused() {
    let folder = folder();
    let bad = write(&folder, "bad.json", "{\"schema\":\"farshore.who/1\"}");
    check(&example(), ["--baseline", bad.to_str().unwrap()])
        .ends(2)
        .says("bad.json")
        .says("farshore.audit/1");
    check(&example(), ["--baseline=absent.json"]).ends(2).says("absent.json");
}
