//! What comes is told while it comes, and the report at the end is that of an audit.

#![cfg(unix)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use crate::command::{example, farshore, fed, finish, folder, repository, run};

/// A program of that name that does this, in a folder where programs are looked for.
fn program(folder: &Path, name: &str, does: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{does}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The path with that folder in front of all others.
fn before_all(folder: &Path) -> std::ffi::OsString {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths([folder.to_owned()].into_iter().chain(std::env::split_paths(&rest))).unwrap()
}

#[test]
fn what_is_new_is_told_before_the_rest_has_come() {
    let capture = fs::read(example()).unwrap();
    let (first, rest) = capture.split_at(capture.len() / 2);
    let mut watch = farshore();
    watch
        .args(["watch", "-r", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = watch.spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    to.write_all(first).unwrap();
    // Nothing more is written until something was told: this waits for ever where nothing is.
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert!(line.contains("frames so far"), "{line}");
    let mut told = String::new();
    while !told.contains("device-id") {
        assert!(out.read_line(&mut told).unwrap() > 0, "{told}");
    }
    to.write_all(rest).unwrap();
    drop(to);
    let mut report = String::new();
    out.read_to_string(&mut report).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let piped = fed(&["audit", "-"], &capture);
    assert!(report.ends_with(piped.text()), "{report}");
}

#[test]
fn the_end_is_the_audit_byte_for_byte() {
    let capture = fs::read(example()).unwrap();
    for format in ["json", "ndjson", "markdown"] {
        let keys = format!("--keys={}", repository().join("examples/clubhouse.keylog").display());
        let known = format!("--known={}", repository().join("examples/clubhouse.known.toml").display());
        let how = [
            "--format",
            format,
            "--with",
            "flows,observations",
            &keys,
            &known,
            "--label=user=alice",
        ];
        let audit = fed(&[&["audit", "-"], &how[..]].concat(), &capture);
        let watch = fed(&[&["watch", "-r", "-"], &how[..]].concat(), &capture);
        watch.ends(0);
        assert!(watch.out == audit.out, "{format}");
    }
}

#[test]
fn what_an_interface_gives_is_kept_as_it_came() {
    let folder = folder();
    let kept = folder.path().join("kept.pcapng");
    let example = example();
    program(
        folder.path(),
        "dumpcap",
        &format!("echo \"$@\" > {}; cat {}", folder.path().join("asked").display(), example.display()),
    );
    let mut watch = farshore();
    watch.env("PATH", before_all(folder.path()));
    watch.args(["watch", "-i", "wlan0", "--format=json", "-w"]).arg(&kept);
    let told = finish(&mut watch).json();
    assert_eq!(told["inputs"][0]["path"], "wlan0");
    assert!(fs::read_to_string(folder.path().join("asked")).unwrap().contains("-i wlan0"));
    assert!(fs::read(&kept).unwrap() == fs::read(&example).unwrap());
    let again = run(["audit", "--format=json", kept.to_str().unwrap()]).json();
    assert_eq!(told["inputs"][0]["sha256"], again["inputs"][0]["sha256"]);
    assert_eq!(told["exposures"], again["exposures"]);
    assert_eq!(told["verdicts"], again["verdicts"]);
}

#[test]
fn a_capture_ends_when_its_time_is_over() {
    let folder = folder();
    // It goes on until it is told to end, and has a last word then.
    let does = format!(
        "trap 'echo ended > {}; exit 0' INT; cat {}; while :; do sleep 0.1; done",
        folder.path().join("ended").display(),
        example().display()
    );
    program(folder.path(), "dumpcap", &does);
    let mut watch = farshore();
    watch.env("PATH", before_all(folder.path()));
    watch.args(["watch", "-i", "wlan0", "--for", "1s", "--format=json", "-q"]);
    let told = finish(&mut watch).json();
    assert_eq!(told["inputs"][0]["frames"], 824);
    assert_eq!(told["inputs"][0]["cut_short"], false);
    assert!(folder.path().join("ended").exists(), "it was not asked to end");
}

#[test]
fn who_cannot_capture_says_so_in_the_words_of_the_program() {
    let folder = folder();
    program(folder.path(), "dumpcap", "echo 'no right to capture' >&2; exit 2");
    let mut watch = farshore();
    let kept = folder.path().join("kept");
    watch
        .env("PATH", before_all(folder.path()))
        .args(["watch", "-i", "wlan0", "-w"])
        .arg(&kept);
    finish(&mut watch).ends(2).says("dumpcap ended with").says("no right to capture");
    assert!(!kept.exists(), "nothing came");
    // Without either program.
    let empty = self::folder();
    let mut watch = farshore();
    watch.env("PATH", empty.path()).args(["watch", "-i", "wlan0"]);
    finish(&mut watch)
        .ends(2)
        .says("neither dumpcap (of Wireshark) nor tcpdump")
        .says("farshore watch -r -");
}

#[test]
fn what_is_no_interface_and_no_single_capture_is_refused() {
    for name in ["-w/tmp/x", "a@b", "../x", "|id", "a b", ""] {
        let told = run(["watch", &format!("--interface={name}")]);
        told.ends(2).says("expected the name of an interface");
    }
    run(["watch"]).ends(2).says("<INPUT>");
    run(["watch", "-i", "lo", "-r", "-"]).ends(2).says("cannot be used with");
    let example = example();
    let example = example.to_str().unwrap();
    run(["watch", example, example]).ends(2).says("one capture is watched at a time");
    for time in ["0s", "10", "s", "1d", "-1s", "99999999999999999999h"] {
        run(["watch", example, &format!("--for={time}")]).ends(2).says("30s, 10m, 2h");
    }
    run(["watch", example, "-f", "tcp", "-w", "/nonexistent/x"])
        .ends(2)
        .says("farshore audit -f");
    run(["watch", example, "--extract", "audio", "x"])
        .ends(2)
        .says("keep the capture with -w");
}
