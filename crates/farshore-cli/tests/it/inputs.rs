//! What may be read, and what is said of the rest: the file, the offset, what was expected there.

use std::ffi::OsStr;

use crate::command::{example, fed, folder, frames, names, run, write};

#[test]
fn what_is_no_capture_is_refused_with_file_offset_and_expectation() {
    let folder = folder();
    let gzip = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &[7; 64]].concat();
    for (name, bytes, says) in [
        ("empty.pcap", &b""[..], "the input is empty"),
        ("notes.txt", b"Minutes of the meeting\n", "this looks like text"),
        ("trace.json", b"{\"log\": {}}", "this looks like JSON"),
        ("list.json", b"[1, 2]", "this looks like JSON"),
        ("old.pcap.gz", &gzip, "gzip data cannot be inflated"),
        ("picture.png", b"\x89PNG\r\n\x1a\n", "found 89504e47"),
        (
            "kuznetzov.pcap",
            b"\x34\xcd\xb2\xa1aaaaaaaaaaaaaaaaaaaaaaaa",
            "expected pcap version 2",
        ),
        ("short.pcap", b"\xd4\xc3\xb2\xa1\x02\0\x04\0", "ends inside its pcap header"),
    ] {
        let path = write(&folder, name, bytes);
        let done = run([OsStr::new("audit"), path.as_os_str()]);
        done.ends(2).says(name).says("offset ").says("expected ").says(says);
        assert!(done.out.is_empty(), "{name}: nothing was audited");
    }
}

#[test]
fn a_compressed_capture_is_the_capture() {
    use std::io::Write;
    let capture = std::fs::read(example()).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&capture).unwrap();
    let gzip = gzip.finish().unwrap();
    let (plain, packed) = (
        fed(&["audit", "-", "--format=json"], &capture),
        fed(&["audit", "-", "--format=json"], &gzip),
    );
    let (plain, packed) = (plain.json(), packed.json());
    assert_eq!(plain["exposures"], packed["exposures"]);
    assert_eq!(plain["coverage"], packed["coverage"]);
    assert_eq!(plain["inputs"][0]["bytes"], packed["inputs"][0]["bytes"]);
    // What the user has is the compressed file: its length and digest are told.
    assert_eq!(packed["inputs"][0]["file_bytes"], gzip.len());
    let half = fed(&["audit", "-", "--format=json"], &gzip[..gzip.len() / 2]);
    half.ends(0).says("warning");
    let half = half.json();
    assert_eq!(half["inputs"][0]["cut_short"], true);
    assert!(frames(&half) > 0 && frames(&half) < frames(&plain));
}

#[test]
fn what_is_not_there_is_named() {
    let folder = folder();
    let missing = folder.path().join("gone.pcapng");
    run([OsStr::new("audit"), missing.as_os_str()])
        .ends(2)
        .says("gone.pcapng")
        .says("No such file");
    run([OsStr::new("audit"), folder.path().as_os_str()]).ends(2).says("holds no files");
}

#[test]
fn one_bad_among_several_is_named_and_the_rest_audited() {
    let folder = folder();
    let capture = std::fs::read(example()).unwrap();
    for name in ["a.pcapng", "c.pcapng"] {
        write(&folder, name, &capture);
    }
    write(&folder, "b.txt", "no capture");
    std::fs::create_dir(folder.path().join("within")).unwrap();
    let alone = run([OsStr::new("audit"), example().as_os_str(), "--format=json".as_ref()]).json();
    let one_by_one = ["c.pcapng", "b.txt", "a.pcapng"].map(|it| folder.path().join(it).into_os_string());
    for (inputs, order) in [
        // A folder is its files, by name.
        (vec![folder.path().as_os_str().to_owned()], ["a.pcapng", "c.pcapng"]),
        (one_by_one.to_vec(), ["c.pcapng", "a.pcapng"]),
    ] {
        let mut arguments = vec!["audit".into(), "--format=json".into()];
        arguments.extend(inputs);
        let done = run(&arguments);
        done.ends(2).says("b.txt").says("this looks like text");
        assert!(!done.err.contains("a.pcapng:") && !done.err.contains("c.pcapng:"), "{}", done.err);
        let audit: serde_json::Value = serde_json::from_slice(&done.out).unwrap();
        let read: Vec<_> = audit["inputs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["path"].as_str().unwrap())
            .collect();
        assert_eq!(read, order);
        assert_eq!(frames(&audit), 2 * frames(&alone));
    }
}

#[test]
fn standard_input_is_read_once() {
    let capture = std::fs::read(example()).unwrap();
    let mut piped = fed(&["audit", "-", "--format=json"], &capture).json();
    let mut file = run([OsStr::new("audit"), example().as_os_str(), "--format=json".as_ref()]).json();
    assert_eq!(piped["inputs"][0]["path"], "-");
    for audit in [&mut piped, &mut file] {
        audit["inputs"][0]["path"].take();
    }
    assert_eq!(piped, file);
    fed(&["audit", "-", "-"], &capture).ends(2).says("once only");
    fed(&["audit", "-r", "-", "--format=json"], &capture).ends(0);
}

#[test]
fn flags_that_make_no_sense_are_refused() {
    let example = example().into_os_string().into_string().unwrap();
    for (arguments, says) in [
        (vec!["audit"], "INPUT"),
        (vec!["audit", &example, "--format", "pdf"], "pdf"),
        (vec!["audit", &example, "--jobs", "0"], "0"),
        (vec!["audit", &example, "--limit", "speed=1"], "body-bytes"),
        (vec!["audit", &example, "--limit", "body-bytes"], "NAME=VALUE"),
        (vec!["audit", &example, "--limit", "body-bytes=many"], "whole number"),
        (vec!["audit", &example, "--limit", "unpack-depth=65"], "64 is the most"),
        (vec!["audit", &example, "--as-of", "yesterday"], "YYYY-MM-DD"),
        (vec!["audit", &example, "--label", "alice"], "KEY=VALUE"),
        (vec!["audit", &example, "--policy", "no-such-pack"], "no-plaintext-identifiers"),
        (vec!["audit", &example, "--quiet", "--verbose"], "cannot be used with"),
        (vec!["audit", &example, "--online"], "--online"),
        (vec!["serve", &example], "serve"),
        (vec!["list", "everything"], "packs"),
    ] {
        let done = run(&arguments);
        done.ends(2).says(says);
        assert!(done.out.is_empty(), "{arguments:?}");
    }
    // All the names there are, when one is not among them.
    let done = run(["audit", &example, "--limit", "speed=1"]);
    for name in ["flows", "reorder-bytes", "observations", "undecided-datagrams", "unpacked-bytes"] {
        done.says(name);
    }
}

#[test]
fn a_ceiling_of_the_detectors_is_set_and_told_when_it_is_hit() {
    let example = example().into_os_string().into_string().unwrap();
    let all = run(["audit", &example, "--format=json"]).json();
    let done = run(["audit", &example, "--format=json", "--limit", "findings=0"]);
    done.ends(0)
        .says("the ceiling findings was hit")
        .says("--limit findings=N raises it");
    let none = done.json();
    assert!(none["coverage"]["limits"]["findings"].as_u64() > Some(0), "{}", none["coverage"]);
    let found = |audit: &serde_json::Value| audit["exposures"].as_array().unwrap().len();
    assert!(found(&none) < found(&all));
}

#[test]
fn destinations_beyond_the_ceiling_are_put_together_and_in_doubt() {
    let example = example().into_os_string().into_string().unwrap();
    let folder = folder();
    let policy = write(&folder, "countries.toml", "use = \"countries\"\n[params]\ncountries = [\"DE\"]\n");
    let policy = policy.into_os_string().into_string().unwrap();
    let arguments = ["audit", &example, "--format=json", "--with=flows", "--policy", &policy];
    let all = run(arguments).json();
    let done = run(arguments.into_iter().chain(["--limit", "destinations=1"]));
    done.ends(0).says("--limit destinations=N raises it");
    let few = done.json();
    let destinations = |of: &serde_json::Value| of["destinations"].as_array().unwrap().clone();
    let [first, further] = &destinations(&few)[..] else {
        panic!("{few}")
    };
    assert_eq!(*first, all["destinations"][0]);
    assert_eq!(
        (&further["name"], &further["location"]["state"]),
        (&"further destinations".into(), &"undetermined".into())
    );
    assert_eq!(
        (further["addresses"].as_array().unwrap().len(), &further["traffic"]["rhythm"]),
        (0, &serde_json::Value::Null)
    );
    let flows = |of: &serde_json::Value| {
        destinations(of)
            .iter()
            .map(|it| it["traffic"]["flows"].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!(flows(&few), flows(&all));
    assert_eq!(few["coverage"]["limits"]["destinations"], further["traffic"]["flows"]);
    assert_eq!(few["flows"], all["flows"]);
    let verdict = &few["verdicts"][0];
    assert_eq!(verdict["outcome"], "undetermined");
    assert!(
        verdict["because"]
            .as_str()
            .unwrap()
            .contains("further destinations: its address was not recorded")
    );
    assert!(verdict["destinations"].as_array().unwrap().contains(&further["id"]));
}

#[test]
fn a_mistake_in_a_users_file_is_shown_with_its_line() {
    let folder = folder();
    let known = write(
        &folder,
        "who.toml",
        "[[known]]\nname = \"alice\"\nkind = \"user-id\"\nvalue = 1009431\n",
    );
    let done = run([OsStr::new("audit"), example().as_os_str(), "--known".as_ref(), known.as_os_str()]);
    done.ends(2).says("who.toml:4").says("value = 1009431").says("expected a string");

    let scope = write(
        &folder,
        "scope.toml",
        "interfaces = [\"wlan0\"]\nfeatures = [\"talk\"]\nfrom = 2026-11-20\nhours = 3\n",
    );
    let done = run([OsStr::new("audit"), example().as_os_str(), "--scope".as_ref(), scope.as_os_str()]);
    done.ends(2).says("scope.toml:4").says("hours");

    let pack = write(&folder, "pack.toml", "id = \"p\"\nversion = \"1\"\ntitle = \"t\"\nclauses = []\n");
    let done = run([OsStr::new("audit"), example().as_os_str(), "--policy".as_ref(), pack.as_os_str()]);
    done.ends(2).says("pack.toml").says("clause");

    let labels = write(&folder, "labels.csv", "file,user\na.pcapng,alice\n");
    let done = run([OsStr::new("audit"), example().as_os_str(), "--labels".as_ref(), labels.as_os_str()]);
    done.ends(2).says("labels.csv").says("`input`");

    let done = run([
        OsStr::new("audit"),
        example().as_os_str(),
        "--known".as_ref(),
        "nowhere.toml".as_ref(),
    ]);
    done.ends(2).says("nowhere.toml");
}

#[test]
fn labels_are_matched_by_path_or_name_and_empty_cells_say_nothing() {
    let folder = folder();
    let capture = write(&folder, "a.pcapng", std::fs::read(example()).unwrap());
    let labels = write(&folder, "labels.csv", "input,user,room\na.pcapng,alice,\nb.pcapng,bob,\n");
    let done = run([
        OsStr::new("audit"),
        capture.as_os_str(),
        "--format=json".as_ref(),
        "--label".as_ref(),
        "vantage=US".as_ref(),
        "--labels".as_ref(),
        labels.as_os_str(),
    ]);
    assert_eq!(
        done.json()["inputs"][0]["labels"],
        serde_json::json!({ "user": "alice", "vantage": "US" })
    );
    assert_eq!(names(&folder), ["a.pcapng", "labels.csv"]);
}

#[test]
fn states_and_declarations_are_told_where_they_are_given() {
    let folder = folder();
    let labels = write(&folder, "labels.csv", b"input,state\nclubhouse.pcapng,consent-refused\n");
    let declared = write(&folder, "declared.toml", b"recipients = [\"parlour\"]\ncountries = [\"US\"]\n");
    let capture = example();
    let plain = run([OsStr::new("audit"), capture.as_os_str(), OsStr::new("--format=json")]);
    let plain = plain.json();
    assert!(plain.get("talk").is_none() && plain.get("undeclared").is_none());
    let told = run([
        OsStr::new("audit"),
        capture.as_os_str(),
        OsStr::new("--format=json"),
        OsStr::new("--labels"),
        labels.as_os_str(),
        OsStr::new("--declared"),
        declared.as_os_str(),
    ]);
    let told = told.json();
    assert!(told["talk"].as_array().unwrap().iter().all(|it| it["state"] == "consent-refused"));
    let undeclared = told["undeclared"].as_array().unwrap();
    assert!(
        undeclared.iter().any(|it| it["what"] == "country" && it["subject"] == "CN"),
        "{undeclared:?}"
    );
    assert!(undeclared.iter().all(|it| it["subject"] != "api.parlour.example"));
    let wrong = write(&folder, "wrong.toml", b"countries = [\"Germany\"]\n");
    let refused = run([
        OsStr::new("audit"),
        capture.as_os_str(),
        OsStr::new("--declared"),
        wrong.as_os_str(),
    ]);
    refused.ends(2).says("Germany").says("wrong.toml");
}
