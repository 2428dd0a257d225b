//! No network, ever: neither while it runs nor in what it is linked with.

#![cfg(target_os = "linux")]

use std::process::Command;

use crate::command::example;

/// Calls that open a way to somewhere else.
const CALLS: &[&str] = &[
    "socket",
    "socketpair",
    "connect",
    "bind",
    "listen",
    "accept",
    "accept4",
    "sendto",
    "sendmsg",
    "getaddrinfo",
];

/// Of these the standard library has, to start another program (`farshore watch`), the pair that leads from a process to itself, and speaks over
/// it. No audit does, and neither is a way to somewhere else without one of the others.
const WITHIN: &[&str] = &["socketpair", "sendmsg"];

/// The system calls of an audit, if this machine lets one process watch another.
fn traced() -> Option<String> {
    let folder = crate::command::folder();
    let log = folder.path().join("calls");
    let mut watcher = Command::new("strace");
    watcher.env("FARSHORE_DATA", folder.path());
    watcher.args(["-f", "-qq", "-e", "trace=network,openat", "-o"]).arg(&log);
    watcher
        .arg(env!("CARGO_BIN_EXE_farshore"))
        .arg("audit")
        .arg(example())
        .arg("--format=json");
    let done = watcher.output().ok()?;
    let calls = std::fs::read_to_string(&log).ok()?;
    // It must have seen the audit itself: the capture was opened under its eyes.
    (done.status.success() && calls.contains("clubhouse.pcapng")).then_some(calls)
}

/// Functions the binary takes from shared libraries, if there is a tool to list them.
fn imported() -> Option<Vec<String>> {
    let binary = env!("CARGO_BIN_EXE_farshore");
    let tools = [("nm", vec!["-D", "--undefined-only"]), ("readelf", vec!["-W", "--dyn-syms"])];
    tools.into_iter().find_map(|(tool, arguments)| {
        let done = Command::new(tool).args(arguments).arg(binary).output().ok()?;
        let names = String::from_utf8_lossy(&done.stdout)
            .split_whitespace()
            .map(|word| word.split('@').next().unwrap_or_default().to_owned())
            .collect::<Vec<_>>();
        // Any program takes memory.
        (done.status.success() && names.iter().any(|it| it == "malloc")).then_some(names)
    })
}

#[test]
fn an_audit_opens_no_socket() {
    let (traced, imported) = (traced(), imported());
    assert!(
        traced.is_some() || imported.is_some(),
        "neither strace nor nm nor readelf works here: nothing was shown"
    );
    for call in CALLS {
        if let Some(calls) = &traced {
            assert!(!calls.contains(&format!("{call}(")), "{calls}");
        }
        if let Some(names) = imported.as_ref().filter(|_| !WITHIN.contains(call)) {
            assert!(!names.iter().any(|it| it == call), "{call} is linked in");
        }
    }
}
