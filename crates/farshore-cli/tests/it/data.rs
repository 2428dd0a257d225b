//! Newer editions of data that users import: what is taken, what is refused, and what later audits make of it.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::command::{Run, example, farshore, finish, folder, names, run, write};

/// `farshore` for a user whose data is in that folder.
fn with(data: &Path, arguments: &[&str]) -> Run {
    finish(farshore().env("FARSHORE_DATA", data).args(arguments))
}

/// A location database that says one country of 15.128.0.0/9, made on a day (in seconds).
fn mmdb(name: &str, country: &str, built: u32) -> Vec<u8> {
    let nodes = 9_u32;
    let text = |it: &str| [&[0x40 | u8::try_from(it.len()).unwrap()][..], it.as_bytes()].concat();
    let mut file = Vec::new();
    for (depth, bit) in [0_u8, 0, 0, 0, 1, 1, 1, 1, 1].into_iter().enumerate() {
        let on = if depth == 8 {
            nodes + 16
        } else {
            u32::try_from(depth).unwrap() + 1
        };
        let pair = if bit == 1 { [nodes, on] } else { [on, nodes] };
        pair.iter().for_each(|value| file.extend_from_slice(&value.to_be_bytes()[1..]));
    }
    file.extend_from_slice(&[0; 16]);
    file.extend([&b"\xe1"[..], &text("country"), b"\xe1", &text("iso_code"), &text(country)].concat());
    file.extend_from_slice(b"\xab\xcd\xefMaxMind.com\xe9");
    let epoch = [&[0x04, 0x02][..], &built.to_be_bytes()].concat();
    for (key, value) in [
        ("binary_format_major_version", vec![0xa1, 2]),
        ("binary_format_minor_version", vec![0xa0]),
        ("build_epoch", epoch),
        ("database_type", text(name)),
        ("description", [&b"\xe1"[..], &text("en"), &text("made for a test")].concat()),
        ("ip_version", vec![0xa1, 4]),
        ("languages", vec![0x00, 0x04]),
        ("node_count", vec![0xc1, 9]),
        ("record_size", vec![0xa1, 24]),
    ] {
        file.extend(text(key));
        file.extend(value);
    }
    file
}

/// 2026-11-01, 2026-12-01 and 2024-03-01.
const NOVEMBER: u32 = 1_793_491_200;
const DECEMBER: u32 = 1_796_083_200;
const LONG_AGO: u32 = 1_709_251_200;

/// Amazon's list of a day, with one range.
fn ranges(day: &str, region: &str) -> String {
    format!(
        "{{\"createDate\":\"{day}-01-02-03\",\n\"prefixes\":[{{\"ip_prefix\":\"15.160.0.0/15\",\"region\":\"{region}\",\"network_border_group\":\"{region}\"}}],\n\"ipv6_prefixes\":[]}}\n"
    )
}

/// Sources and countries that place an address, and the state they come to.
fn placed(root: &Value) -> (Vec<String>, String) {
    let location = &root["destinations"][0]["location"];
    let claims = location["claims"].as_array().unwrap().iter();
    let claims = claims.filter(|it| it["kind"] != "registration" && it["kind"] != "name");
    let claims = claims.map(|it| format!("{} {}", it["source"].as_str().unwrap(), it["country"].as_str().unwrap()));
    (claims.collect(), location["state"].as_str().unwrap().to_owned())
}

#[test]
fn what_is_imported_is_asked_as_if_it_were_named_until_it_is_removed() {
    let folder = folder();
    let data = folder.path().join("data");
    let list = write(&folder, "ip-ranges.json", ranges("2026-08-22", "eu-south-1"));
    let base = write(&folder, "own.mmdb", mmdb("Own-Country", "IT", NOVEMBER));
    let (list, base) = (list.to_str().unwrap(), base.to_str().unwrap());
    let example = example();
    let example = example.to_str().unwrap();

    let told = with(&data, &["data", "import", list]);
    told.ends(0);
    for said in [
        "aws-ranges",
        "of 2026-08-22",
        "1 with a country",
        "cloud-ranges",
        "sha256",
        "does not tell",
    ] {
        assert!(told.text().contains(said), "{said}: {}", told.text());
    }
    let told = with(&data, &["data", "import", base, "--licence", "CC-BY-4.0"]);
    assert!(
        told.text().contains("CC-BY-4.0") && told.text().contains("of 2026-11-01"),
        "{}",
        told.text()
    );

    let commands: [&[&str]; 5] = [
        &["who", "15.160.3.4", "--format=json"],
        &["audit", example, "--format=json", "--jobs=1"],
        &["check", example, "--format=json"],
        &["rules", example, "--deny", "country=IT", "--format=nftables"],
        &["diff", example, example, "--format=json"],
    ];
    for command in commands {
        let named = run(command.iter().copied().chain(["--ranges", list, "--mmdb", base]));
        let imported = with(&data, command);
        assert_eq!((imported.code, &imported.out), (named.code, &named.out), "{command:?}");
        let alone: Vec<&str> = command.iter().copied().chain(["--no-imported"]).collect();
        let (alone, built_in) = (with(&data, &alone), run(command));
        assert_eq!((alone.code, &alone.out), (built_in.code, &built_in.out), "{command:?}");
        if command.contains(&"--format=json") && command[0] != "diff" {
            assert_ne!(imported.out, built_in.out, "{command:?}");
        }
    }

    let listed = with(&data, &["data", "list", "--format=json"]).json();
    let rows = listed["imported"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!((&rows[0]["name"], &rows[0]["form"]), (&"aws-ranges".into(), &"ranges".into()));
    assert_eq!(
        (&rows[1]["edition"], &rows[1]["licence"]),
        (&"2026-11-01".into(), &"CC-BY-4.0".into())
    );
    let all = with(&data, &["list", "data", "--format=json"]).json();
    let own = all["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["name"] == "Own-Country")
        .unwrap();
    assert_eq!((&own["sha256"], &own["licence"]), (&rows[1]["sha256"], &"CC-BY-4.0".into()));
    assert_eq!(own["source"], "imported as own-country");
    let without = with(&data, &["list", "data", "--format=json", "--no-imported"]);
    assert_eq!(without.out, run(["list", "data", "--format=json"]).out);

    with(&data, &["data", "remove", "nobody"]).ends(2).says("aws-ranges, own-country");
    with(&data, &["data", "remove", "aws-ranges", "own-country"]).ends(0);
    assert_eq!(with(&data, commands[0]).out, run(commands[0]).out);
    let left: Vec<_> = std::fs::read_dir(data.join("imported/files")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_newer_edition_replaces_the_one_that_is_built_in_and_agrees_with_nobody() {
    let folder = folder();
    let data = folder.path().join("data");
    let who = ["who", "15.160.3.4", "--format=json"];
    let (before, _) = placed(&run(who).json());
    assert!(
        before.contains(&"cloud-ranges IT".to_owned()) && before.contains(&"dbip-country IT".to_owned()),
        "{before:?}"
    );

    // DB-IP's own newer word stands instead of its older one.
    let base = write(&folder, "dbip.mmdb", mmdb("DBIP-Country-Lite", "FR", NOVEMBER));
    with(&data, &["data", "import", base.to_str().unwrap()]).ends(0);
    let (after, state) = placed(&with(&data, &who).json());
    assert!(after.contains(&"DBIP-Country-Lite FR".to_owned()), "{after:?}");
    assert!(!after.iter().any(|it| it.starts_with("dbip-country")), "{after:?}");
    assert_eq!((after.len(), state.as_str()), (before.len(), "disputed"));

    // So it is of an operator's list; each edition has captures it is nearer to.
    let list = write(&folder, "ip-ranges.json", ranges("2026-08-22", "eu-west-3"));
    with(&data, &["data", "import", list.to_str().unwrap()]).ends(0);
    let (after, _) = placed(&with(&data, &who).json());
    assert!(
        after.contains(&"aws-ranges FR".to_owned()) && !after.contains(&"cloud-ranges IT".to_owned()),
        "{after:?}"
    );
    let then: Vec<&str> = who.into_iter().chain(["--as-of", "2023-12-01"]).collect();
    let (then, _) = placed(&with(&data, &then).json());
    assert!(
        then.contains(&"cloud-ranges IT".to_owned()) && then.contains(&"dbip-country IT".to_owned()),
        "{then:?}"
    );
    assert!(!then.iter().any(|it| it.ends_with("FR")), "{then:?}");
}

#[test]
fn an_older_edition_and_what_does_not_read_whole_are_refused() {
    let folder = folder();
    let data = folder.path().join("data");
    let import = |name: &str, bytes: &[u8], more: &[&str]| {
        let path = write(&folder, name, bytes);
        let arguments: Vec<&str> = ["data", "import", path.to_str().unwrap()]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        with(&data, &arguments)
    };
    let kept = || with(&data, &["data", "list", "--format=json"]).json()["imported"].clone();

    import("own.mmdb", &mmdb("Own-Country", "IT", DECEMBER), &[]).ends(0);
    let one = kept();
    import("own.mmdb", &mmdb("Own-Country", "DE", NOVEMBER), &[])
        .ends(2)
        .says("of 2026-11-01, older than `own-country` of 2026-12-01");
    assert_eq!(kept(), one);
    import("own.mmdb", &mmdb("Own-Country", "DE", NOVEMBER), &["--force"]).ends(0);
    assert_eq!(kept()[0]["edition"], "2026-11-01");
    let again = import("own.mmdb", &mmdb("Own-Country", "DE", NOVEMBER), &[]);
    assert!(again.ends(0).text().contains("the same file"), "{}", again.text());
    import("own.mmdb", &mmdb("Other-Country", "DE", DECEMBER), &["--name", "own-country"])
        .ends(2)
        .says("there is Own-Country");
    // Several editions of a set, for captures of several times.
    import("own.mmdb", &mmdb("Own-Country", "IT", DECEMBER), &["--name", "own-december"]).ends(0);
    assert_eq!(kept().as_array().unwrap().len(), 2);
    import("old.mmdb", &mmdb("DBIP-Country-Lite", "DE", LONG_AGO), &[])
        .ends(2)
        .says("older than dbip-country");

    let before = kept();
    let whole = mmdb("Own-Country", "IT", DECEMBER);
    let mut bent = whole.clone();
    bent[3] = 0xff;
    let list = ranges("2026-08-22", "eu-south-1");
    for (name, bytes, says) in [
        ("cut.mmdb", &whole[..whole.len() / 3], "cut.mmdb"),
        ("bent.mmdb", &bent, "bent.mmdb"),
        ("ip-ranges.json", &list.as_bytes()[..90], "line 2, column"),
        ("feed.csv", b"192.0.2.0/24,DE,,,\n192.0.2,DE,,,\n", "feed.csv:2"),
        ("own.mmdb.gz", b"\x1f\x8b\x08\x00", "unpack it first"),
        ("asn.csv", b"", "geofeed"),
    ] {
        let refused = import(name, bytes, &[]);
        refused.ends(2).says(says);
        assert!(refused.out.is_empty());
    }
    with(&data, &["data", "import", folder.path().to_str().unwrap()]).ends(2);
    with(&data, &["data", "import", "no-such-file"]).ends(2).says("no-such-file");
    import("own.mmdb", &whole, &["--name", "../own"]).ends(2).says("--name");
    assert_eq!(kept(), before);
}

#[test]
fn what_was_damaged_since_is_refused_by_its_name() {
    let folder = folder();
    let data = folder.path().join("data");
    let list = write(&folder, "ip-ranges.json", ranges("2026-08-22", "eu-south-1"));
    let list = list.to_str().unwrap();
    with(&data, &["data", "import", list]).ends(0);
    let files = data.join("imported/files");
    let file = std::fs::read_dir(&files).unwrap().next().unwrap().unwrap().path();
    let who = ["who", "15.160.3.4", "--format=json"];
    let whole = std::fs::read(&file).unwrap();
    assert_eq!(whole, std::fs::read(list).unwrap());

    // One byte, and it would say another country.
    std::fs::write(&file, ranges("2026-08-22", "eu-north-1")).unwrap();
    for command in [&who[..], &["audit", example().to_str().unwrap()], &["list", "data"]] {
        with(&data, command)
            .ends(2)
            .says("imported `aws-ranges`")
            .says("data remove aws-ranges");
    }
    with(&data, &[&who[..], &["--no-imported"]].concat()).ends(0);
    std::fs::remove_file(&file).unwrap();
    with(&data, &who).ends(2).says("imported `aws-ranges`");
    with(&data, &["data", "import", list]).ends(0);
    with(&data, &who).ends(0);

    let entry = data.join("imported/aws-ranges.json");
    let text = std::fs::read_to_string(&entry).unwrap();
    for bad in ["", "{}", &text[..text.len() / 2], &text.replace("\"ranges\"", "\"charts\"")] {
        std::fs::write(&entry, bad).unwrap();
        with(&data, &who).ends(2).says("aws-ranges.json").says("--no-imported");
    }
    with(&data, &["data", "import", list]).ends(0);
    with(&data, &who).ends(0);
}

#[test]
fn two_imports_at_once_do_no_harm() {
    let folder = folder();
    let data = folder.path().join("data");
    let list = |day: &str| write(&folder, &format!("{day}.json"), ranges(day, "eu-south-1"));
    let lists: Vec<_> = (1..9).map(|day| list(&format!("2026-08-{:02}", 10 + day))).collect();
    let running: Vec<_> = lists
        .iter()
        .map(|it| {
            let mut command = farshore();
            command.env("FARSHORE_DATA", &data).args(["data", "import", "--quiet"]).arg(it);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    // An older one that comes late is refused; nothing else is.
    for it in running {
        let done = it.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success() || said.contains("older than"), "{said}");
    }
    let kept = with(&data, &["data", "list", "--format=json"]).json();
    assert_eq!(kept["imported"][0]["edition"], "2026-08-18");
    with(&data, &["who", "15.160.3.4"]).ends(0);
    assert_eq!(std::fs::read_dir(data.join("imported/files")).unwrap().count(), 1);
}

#[test]
fn the_folder_is_the_users_own_and_the_file_is_all_that_is_written() {
    let folder = folder();
    let list = write(&folder, "ip-ranges.json", ranges("2026-08-22", "eu-south-1"));
    let home = folder.path().join("home");
    let import = |change: &dyn Fn(&mut std::process::Command)| {
        let mut command = farshore();
        command.env_remove("FARSHORE_DATA").env_remove("XDG_DATA_HOME").env("HOME", &home);
        change(&mut command);
        finish(command.args(["data", "import"]).arg(&list))
    };
    import(&|_| {}).ends(0);
    assert!(home.join(".local/share/farshore/imported/aws-ranges.json").is_file());
    let xdg = folder.path().join("xdg");
    import(&|it| {
        it.env("XDG_DATA_HOME", &xdg);
    })
    .ends(0);
    let text = std::fs::read_to_string(xdg.join("farshore/imported/aws-ranges.json")).unwrap();
    assert!(!text.contains("ip-ranges") && !text.contains(home.to_str().unwrap()), "{text}");
    import(&|it| {
        it.env("HOME", "").env("XDG_DATA_HOME", "relative").env("FARSHORE_DATA", "");
    });
    assert_eq!(names(&folder), ["home", "ip-ranges.json", "xdg"]);
}

#[test]
fn a_bundle_names_what_was_imported() {
    let folder = folder();
    let data = folder.path().join("data");
    let list = write(&folder, "ip-ranges.json", ranges("2026-08-22", "eu-south-1"));
    let list = list.to_str().unwrap();
    with(&data, &["data", "import", list]).ends(0);
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys");
    let (secret, public) = (keys.join("test-only-ed25519"), keys.join("test-only-ed25519.pub"));
    let bundle = folder.path().join("bundle.tar");
    let (secret, public, bundle) = (secret.to_str().unwrap(), public.to_str().unwrap(), bundle.to_str().unwrap());
    let example = example();
    let example = example.to_str().unwrap();
    with(&data, &["bundle", "make", example, "--key", secret, "-o", bundle]).ends(0);
    // Whoever verifies has imported something else, or nothing: the file is asked for, and no other is taken.
    let verify = ["bundle", "verify", bundle, "--signer", public, example];
    for folder in [data.clone(), data.join("nothing")] {
        let told = with(&folder, &verify);
        told.ends(3);
        assert!(told.text().contains("--ranges `aws-ranges-"), "{}", told.text());
        with(&folder, &[&verify[..], &["--ranges", list]].concat()).ends(0);
    }
}
