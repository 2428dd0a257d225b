//! Where answers go: whole files or none, pipes that close, colours on request.

use std::ffi::OsStr;
use std::io::Read;
use std::process::Stdio;

use crate::command::{example, farshore, finish, folder, names, run, write};

#[test]
fn a_file_is_never_overwritten_unasked() {
    let folder = folder();
    let out = write(&folder, "report.json", "mine");
    let arguments = |more: &[&str]| {
        let mut all = vec![
            "audit".into(),
            example().into_os_string(),
            "--format=json".into(),
            "-o".into(),
            out.clone().into_os_string(),
        ];
        all.extend(more.iter().map(Into::into));
        all
    };
    run(arguments(&[])).ends(2).says("report.json").says("--force");
    assert_eq!(std::fs::read(&out).unwrap(), b"mine");
    let done = run(arguments(&["--force"]));
    done.ends(0);
    assert!(done.out.is_empty() && done.err.is_empty());
    assert_eq!(names(&folder), ["report.json"], "nothing is left beside it");
    let direct = run([OsStr::new("audit"), example().as_os_str(), "--format=json".as_ref()]);
    assert_eq!(std::fs::read(&out).unwrap(), direct.out);
}

#[test]
fn a_dash_is_standard_output_and_no_file() {
    let folder = folder();
    let example = example();
    let example = example.to_str().unwrap();
    let in_folder = |arguments: &[&str]| {
        let mut command = farshore();
        command.current_dir(folder.path()).args(arguments);
        finish(&mut command)
    };
    for verb in [&["audit", example][..], &["who", "8.8.8.8"], &["diff", example, example]] {
        let verb = [verb, &["--format=json"]].concat();
        let plain = in_folder(&verb);
        let dashed = in_folder(&[&verb[..], &["-o", "-"]].concat());
        assert_eq!((dashed.code, dashed.out), (plain.code, plain.out), "{verb:?}");
    }
    in_folder(&["audit", example, "--links", "-"]).ends(2).says("--links -");
    let rules = [
        "rules",
        example,
        "--deny",
        "country=CN",
        "--format",
        "hosts",
        "--simulate",
        "-o",
        "-",
    ];
    in_folder(&rules).ends(2).says("-o -");
    assert!(names(&folder).is_empty(), "{:?}", names(&folder));
}

#[test]
fn a_run_that_fails_leaves_no_file() {
    let folder = folder();
    let bad = write(&folder, "bad.pcap", "text");
    for (input, out) in [
        (bad.clone(), folder.path().join("report.html")),
        (example(), folder.path().join("no-such-folder").join("report.html")),
    ] {
        let done = run([
            OsStr::new("audit"),
            input.as_os_str(),
            "--format=html".as_ref(),
            "-o".as_ref(),
            out.as_os_str(),
        ]);
        done.ends(2);
        assert_eq!(names(&folder), ["bad.pcap"]);
    }
    // To a folder it cannot become.
    let done = run([
        OsStr::new("audit"),
        example().as_os_str(),
        "--force".as_ref(),
        "-o".as_ref(),
        folder.path().as_os_str(),
    ]);
    done.ends(2);
    assert_eq!(names(&folder), ["bad.pcap"]);
}

#[test]
fn a_reader_that_has_had_enough_is_no_error() {
    for format in ["json", "ndjson", "html", "terminal"] {
        let mut command = farshore();
        command
            .arg("audit")
            .arg(example())
            .args(["--format", format, "--with=flows,observations"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut pipe = child.stdout.take().unwrap();
        let mut first = [0; 16];
        pipe.read_exact(&mut first).unwrap();
        drop(pipe);
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "", "{format}");
        assert_eq!(child.wait().unwrap().code(), Some(0), "{format}");
    }
    // The answer is larger than a pipe holds, so that the writer does meet the closed end.
    let whole = run([
        OsStr::new("audit"),
        example().as_os_str(),
        "--format=json".as_ref(),
        "--with=flows,observations".as_ref(),
    ]);
    assert!(whole.out.len() > 1 << 16, "{}", whole.out.len());
}

#[test]
fn colours_come_on_request_only() {
    let colours = |arguments: &[&str], no_color: Option<&str>| {
        let mut command = farshore();
        command.arg("audit").arg(example()).args(arguments);
        if let Some(value) = no_color {
            command.env("NO_COLOR", value);
        }
        let done = finish(&mut command);
        done.ends(0);
        done.out.contains(&0x1b)
    };
    assert!(!colours(&[], None), "not into a pipe");
    assert!(colours(&["--color=always"], None));
    assert!(!colours(&["--color=never"], None));
    assert!(!colours(&["--color=auto"], Some("1")));
    assert!(
        colours(&["--color=always"], Some("1")),
        "the flag was typed, the variable is a habit"
    );
    assert!(!colours(&["--color=always", "--format=json"], None), "JSON has none");
}

#[test]
fn values_are_masked_unless_asked_for() {
    let known = crate::command::repository().join("examples/clubhouse.known.toml");
    let with = |arguments: &[&str]| {
        let mut command = farshore();
        command.arg("audit").arg(example()).arg("--known").arg(&known).args(arguments);
        let done = finish(&mut command);
        done.ends(0);
        done.text().to_owned()
    };
    let secrets = [
        "104729331",
        "3f0c9a52-7d1e-4b86-9c44-e1a7d2f05b61",
        "M7pqZ4x1",
        "7310582946017",
        "2cb4bcae04c62785f53bf3e200ece4fa",
    ];
    for format in ["terminal", "json", "ndjson", "html"] {
        let format = format!("--format={format}");
        let masked = with(&[&format]);
        for secret in secrets {
            assert!(!masked.contains(secret), "{secret} in {format}");
        }
        // Nor where facts are listed one by one.
        let listed = with(&[&format, "--with=flows,observations"]);
        for secret in secrets {
            assert!(!listed.contains(secret), "{secret} in {format} with observations");
        }
        assert!(with(&[&format, "--show-pii"]).contains("104729331"), "{format}");
    }
}

#[test]
fn digests_are_those_of_the_key() {
    let folder = folder();
    let key = write(&folder, "key", b"Jefe");
    let known = write(
        &folder,
        "known.toml",
        "[[known]]\nname = \"alice\"\nkind = \"user-id\"\nvalue = \"104729331\"\n",
    );
    let digest = |with_key: bool| {
        let mut command = farshore();
        command.arg("audit").arg(example()).arg("--known").arg(&known).arg("--format=json");
        if with_key {
            command.arg("--digest-key").arg(&key);
        }
        let audit = finish(&mut command).json();
        let found = audit["exposures"]
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["kind"] == "user-id")
            .unwrap()
            .clone();
        found["digest"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(digest(false), "");
    // `printf 104729331 | openssl dgst -sha256 -hmac Jefe`
    assert_eq!(digest(true), hmac(b"Jefe", b"104729331"));
}

/// HMAC-SHA-256 by its definition (RFC 2104), for keys of up to a block.
fn hmac(key: &[u8], text: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::new().chain_update(block.map(|it| it ^ 0x36)).chain_update(text).finalize();
    let outer = Sha256::new().chain_update(block.map(|it| it ^ 0x5c)).chain_update(inner).finalize();
    outer.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn what_is_built_in_is_listed() {
    for (what, some) in [
        ("packs", "no-plaintext-identifiers"),
        ("data", "organisations"),
        ("protocols", "sd-rtn"),
        ("formats", "pcapng"),
    ] {
        assert!(run(["list", what]).ends(0).text().contains(some), "{what}");
        let json = run(["list", what, "--format=json"]).json();
        assert_eq!(json["schema"], "farshore.list/1");
        assert!(!json[what].as_array().unwrap().is_empty());
    }
    let help = run(["--help"]);
    help.ends(0);
    assert!(help.text().contains("watch"));
    assert!(!help.text().contains("serve"), "it is not built, so it is not shown");
    assert!(run(["--version"]).ends(0).text().starts_with("farshore "));
}

/// A pipe with a name stands for every device: what is there stays there, and gets the answer.
#[cfg(unix)]
#[test]
fn a_pipe_is_written_to_and_a_link_is_followed() {
    use std::os::unix::fs::FileTypeExt;
    let folder = folder();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::read(pipe).unwrap()
    });
    let audit = |to: &std::path::Path, more: &str| {
        let example = example();
        let arguments = ["audit".as_ref(), example.as_os_str(), more.as_ref(), "-o".as_ref(), to.as_os_str()];
        run(arguments.map(OsStr::to_owned))
    };
    audit(&pipe, "--force").ends(0);
    assert!(!reader.join().unwrap().is_empty());
    assert!(std::fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());

    let (file, link) = (write(&folder, "report.txt", "old"), folder.path().join("link"));
    std::os::unix::fs::symlink(&file, &link).unwrap();
    audit(&link, "--force").ends(0);
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_ne!(std::fs::read(&file).unwrap(), b"old");
}
