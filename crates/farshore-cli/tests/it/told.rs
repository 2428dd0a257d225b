//! What users tell of whose data it is and of what it may go on: `--subject`, `--basis`, and packs that ask for them.

use std::path::{Path, PathBuf};

use crate::command::{Run, example, folder, run, write};

/// The example's device ids, taken for sensitive; its relay stands in the United States by an override.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let it = Self { folder: folder() };
        it.file("p.toml", "use = \"pledge-2015\"\n[params]\nsensitive = [\"device-id\"]\n");
        it
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        write(&self.folder, name, text)
    }

    fn audit(&self, overrides: &str, files: &[(&str, &str)]) -> serde_json::Value {
        let done = self.run("audit", overrides, files);
        done.ends(0);
        done.json()
    }

    fn run(&self, verb: &str, overrides: &str, files: &[(&str, &str)]) -> Run {
        let mut all = vec![verb.to_owned(), example().display().to_string(), "--format=json".to_owned()];
        all.push(format!("--policy={}", self.folder.path().join("p.toml").display()));
        if !overrides.is_empty() {
            all.push(format!("--overrides={}", self.file("o.toml", overrides).display()));
        }
        for (flag, text) in files {
            all.push(format!("--{flag}={}", self.file(&format!("{flag}.toml"), text).display()));
        }
        run(all)
    }
}

fn clause<'a>(audit: &'a serde_json::Value, id: &str) -> &'a serde_json::Value {
    let all = audit["verdicts"].as_array().unwrap();
    all.iter().find(|it| it["clause"] == id).unwrap_or_else(|| panic!("no {id}"))
}

/// Every address that a device id of the example went to, moved to the United States.
fn abroad(world: &World) -> String {
    let audit = world.audit("", &[]);
    let exposures = audit["exposures"].as_array().unwrap().iter();
    let ids: Vec<&serde_json::Value> = exposures
        .filter(|it| it["kind"] == "device-id")
        .map(|it| &it["destination"])
        .collect();
    assert!(!ids.is_empty());
    let to = audit["destinations"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| ids.contains(&&it["id"]));
    let addresses = to.flat_map(|it| it["addresses"].as_array().unwrap());
    let entry = |it: &serde_json::Value| format!("[[override]]\naddress = {it}\ncountry = \"US\"\nreason = \"told\"\n");
    addresses.map(entry).collect()
}

const CHINA: (&str, &str) = ("subject", "market = \"CN\"\n");

#[test]
fn a_pledge_is_judged_by_what_is_told() {
    let world = World::new();
    let abroad = abroad(&world);
    let outcome = |files: &[(&str, &str)]| {
        let audit = world.audit(&abroad, files);
        let it = clause(&audit, "5-localise").clone();
        (it["outcome"].as_str().unwrap().to_owned(), it)
    };
    let none = ("basis", "complete = true\n");
    let (breached, it) = outcome(&[CHINA, none]);
    assert_eq!(breached, "breached", "{it}");
    assert!(it["because"].as_str().unwrap().contains("there is said to be none at all"), "{it}");
    assert!(!it["evidence"].as_array().unwrap().is_empty());
    // Whatever is not told leaves it open.
    for files in [&[CHINA][..], &[none], &[]] {
        let (open, it) = outcome(files);
        assert_eq!(open, "undetermined", "{it}");
        let settled_by = it["settled_by"].to_string();
        for (flag, _) in [CHINA, none].iter().filter(|it| !files.contains(it)) {
            assert!(settled_by.contains(&format!("--{flag} FILE")), "{settled_by}");
        }
    }
    let (other, it) = outcome(&[("subject", "market = \"DE\"\n"), none]);
    assert_eq!(other, "not-applicable", "{it}");
    let consent = "complete = true\n[[basis]]\nkind = \"consent\"\nfields = [\"device-id\"]\n";
    let (covered, it) = outcome(&[CHINA, ("basis", consent)]);
    assert_eq!(covered, "undetermined", "no scope was declared: {it}");
    assert!(it["findings"][0]["because"].as_str().unwrap().contains("proves nothing"), "{it}");
    let other = consent.replace("device-id", "email");
    assert_eq!(outcome(&[CHINA, ("basis", &other)]).0, "breached");
    // The capture is of 2021-02-11.
    for (day, wanted) in [("2021-02-10", "breached"), ("2021-02-11", "undetermined")] {
        let until = format!("{consent}until = {day}\n");
        assert_eq!(outcome(&[CHINA, ("basis", &until)]).0, wanted, "{day}");
    }
}

#[test]
fn a_note_of_the_pledge_counts_for_nothing() {
    let world = World::new();
    let audit = world.audit("", &[CHINA]);
    for id in ["1-know", "2-control", "3-choice"] {
        let it = clause(&audit, id);
        assert_eq!((&it["outcome"], &it["note"]), (&"undetermined".into(), &true.into()), "{it}");
    }
    let it = clause(&audit, "6-supervision");
    assert_eq!((&it["outcome"], &it["note"]), (&"undetermined".into(), &false.into()), "{it}");
    assert!(it["settled_by"].to_string().contains("the word of those who know"), "{it}");
}

#[test]
fn mistakes_in_what_is_told_are_drawn() {
    let world = World::new();
    world
        .run("audit", "", &[("subject", "residence = \"Germany\"\n")])
        .ends(2)
        .says("subject.toml:1")
        .says("^^^^")
        .says("such as \"DE\"");
    world
        .run("audit", "", &[("basis", "[[basis]]\nkind = \"consnt\"\n")])
        .ends(2)
        .says("basis.toml:2")
        .says("expected one of");
    run(["audit".as_ref(), example().as_os_str(), "--basis=nothing-there".as_ref()])
        .ends(2)
        .says("nothing-there");
}

#[test]
fn a_comparison_is_judged_by_what_is_told_too() {
    let world = World::new();
    let abroad = world.file("o.toml", &abroad(&world));
    let fixed = crate::command::repository().join("examples/clubhouse.fixed.pcapng");
    let diff = |files: &[(&str, &str)]| {
        let mut all = vec!["diff".to_owned(), example().display().to_string(), fixed.display().to_string()];
        all.push("--format=json".to_owned());
        all.push(format!("--policy={}", world.folder.path().join("p.toml").display()));
        all.push(format!("--overrides={}", abroad.display()));
        for (flag, text) in files {
            all.push(format!("--{flag}={}", world.file(&format!("{flag}.toml"), text).display()));
        }
        let done = run(all);
        done.ends(1);
        let changes: serde_json::Value = serde_json::from_slice(&done.out).unwrap();
        let of = |it: &&serde_json::Value| it["what"] == "verdict" && it["subject"].as_str().unwrap().contains("5-localise");
        changes["changes"]
            .as_array()
            .unwrap()
            .iter()
            .filter(of)
            .cloned()
            .collect::<Vec<_>>()
    };
    let told = diff(&[CHINA, ("basis", "complete = true\n")]);
    assert!(
        told.iter().any(|it| it["because"].as_str().unwrap().starts_with("breached before")),
        "{told:?}"
    );
    // Undetermined on both sides is no change.
    assert!(diff(&[]).is_empty());
}

#[test]
fn a_pack_is_checked_before_it_is_used() {
    let folder = folder();
    let check = |path: &Path| run(["list".as_ref(), "packs".as_ref(), "--check".as_ref(), path.as_os_str()]);
    let head = "id = \"own\"\nversion = \"1\"\ntitle = \"t\"\n[[clause]]\nid = \"c\"\ntitle = \"what it asks\"\ncitation = \"ours\"\nverified = true\n";
    let good = "applies = []\nwhen = [{ outside = [\"DE\"] }]\nunless = [{ basis-covers = [\"consent\"] }]\n";
    let done = check(&write(&folder, "good.toml", format!("{head}{good}")));
    done.ends(0);
    assert!(
        done.text().contains("own") && done.text().contains("what it asks"),
        "{}",
        done.text()
    );
    let bad = "applies = [{ kind-in = [] }]\nwhen = [{ outside = [\"UK\"] }]\n";
    let done = check(&write(&folder, "bad.toml", format!("{head}{bad}")));
    done.ends(2)
        .says("bad.toml:9")
        .says("name one at least")
        .says("bad.toml:10")
        .says("`UK` is no country code");
    assert!(done.out.is_empty());
    check(&folder.path().join("absent.toml")).ends(2).says("absent.toml");
    run(["list", "data", "--check", "x"]).ends(2).says("list packs --check");
}

/// The example's relay says something, somebody says something of a clause, and somebody of what is not here.
const REPLIES: &str = r#"
[[reply]]
by = "Relaywright"
date = 2021-02-13
statement = "Our relays keep nothing."
source = "https://relaywright.example/statement"
subject = "host=198-51-100-42.edge.relaywright.example kind=audio"
[[reply]]
by = "Parlour"
date = 2021-02-14
statement = "The next version encrypts speech."
pack = "no-plaintext-identifiers"
clause = "speech-in-clear"
[[reply]]
by = "Tally"
date = 2021-02-15
statement = "We count and forget."
subject = "host=events.tally.example"
[[reply]]
by = "Nobody"
date = 2021-02-16
statement = "We are not in this."
subject = "org=nobody"
"#;

#[test]
fn a_reply_stands_beside_what_it_speaks_of_and_moves_nothing() {
    let folder = folder();
    let file = write(&folder, "replies.toml", REPLIES);
    let of = |verb: &str, format: &str, replies: bool| {
        let mut all = vec![verb.to_owned(), example().display().to_string(), format!("--format={format}")];
        all.extend(replies.then(|| format!("--replies={}", file.display())));
        run(all)
    };
    let (mut with, without) = (of("audit", "json", true).json(), of("audit", "json", false).json());
    let told = with["replies"].as_array().unwrap().clone();
    let speech = |audit: &serde_json::Value| {
        let all = audit["verdicts"].as_array().unwrap();
        all.iter().position(|it| it["clause"] == "speech-in-clear").unwrap()
    };
    let at = speech(&with);
    assert_eq!(with["verdicts"][at]["replies"], serde_json::json!([0, 1]));
    assert_eq!(
        (&told[0]["verdicts"], &told[1]["verdicts"]),
        (&serde_json::json!([at]), &serde_json::json!([at]))
    );
    let tally = with["destinations"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["name"] == "events.tally.example");
    assert_eq!(told[2]["destinations"], serde_json::json!([tally.unwrap()["id"]]));
    assert!(told[3]["destinations"].as_array().unwrap().is_empty());
    assert_eq!(told[0]["date"], "2021-02-13");
    // Without the words it is the audit that it was.
    with.as_object_mut().unwrap().remove("replies");
    for it in with["verdicts"].as_array_mut().unwrap() {
        it.as_object_mut().unwrap().remove("replies");
    }
    assert_eq!(with, without);
    // Each stands in every output, the one that fits nothing too.
    for (verb, formats) in [
        ("audit", ["terminal", "markdown", "html", "ndjson", "sarif"]),
        ("check", ["terminal", "json", "sarif", "github", "junit"]),
    ] {
        for format in formats {
            let done = of(verb, format, true);
            let text = done.text().split_whitespace().collect::<Vec<_>>().join(" ");
            for words in ["Our relays keep nothing.", "The next version encrypts speech."] {
                assert!(text.contains(words), "{verb} {format}: {text}");
            }
            if format != "junit" {
                for words in ["We count and forget.", "We are not in this."] {
                    assert!(text.contains(words), "{verb} {format}: {text}");
                }
            }
        }
    }
}

#[test]
fn a_reply_that_fits_nothing_is_said_aloud() {
    let folder = folder();
    let file = write(&folder, "replies.toml", REPLIES);
    let done = run([
        "audit".to_owned(),
        example().display().to_string(),
        format!("--replies={}", file.display()),
    ]);
    done.ends(0).says("reply of Nobody").says("fits nothing");
    assert!(!done.err.contains("Relaywright"), "{}", done.err);
    let bad = write(&folder, "bad.toml", "[[reply]]\nby = \"X\"\ndate = 2021-02-13\nstatement = \"y\"\n");
    run([
        "audit".to_owned(),
        example().display().to_string(),
        format!("--replies={}", bad.display()),
    ])
    .ends(2)
    .says("bad.toml:1")
    .says("what it is about");
}
