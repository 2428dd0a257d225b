//! Runs the binary and keeps what it said.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub out: Vec<u8>,
    pub err: String,
}

impl Run {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.out).expect("output is UTF-8")
    }

    pub fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}", self.err);
        serde_json::from_slice(&self.out).unwrap()
    }

    /// Fails unless it ended with this code; a panic or a signal is never right.
    #[track_caller]
    pub fn ends(&self, code: i32) -> &Self {
        assert!(
            !self.err.contains("panicked") && !self.err.contains("internal fault"),
            "{}",
            self.err
        );
        assert_eq!(self.code, code, "{}", self.err);
        self
    }

    #[track_caller]
    pub fn says(&self, what: &str) -> &Self {
        assert!(self.err.contains(what), "{what:?} is not in:\n{}", self.err);
        self
    }
}

pub fn farshore() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farshore"));
    command.env_remove("NO_COLOR").env_remove("COLUMNS").stdin(Stdio::null());
    // What whoever runs the tests has imported is none of their affair.
    command.env("FARSHORE_DATA", Path::new(env!("CARGO_TARGET_TMPDIR")).join("nothing-imported"));
    command
}

pub fn finish(command: &mut Command) -> Run {
    let done = command.output().unwrap();
    Run {
        code: done.status.code().expect("not ended by a signal"),
        out: done.stdout,
        err: String::from_utf8(done.stderr).expect("messages are UTF-8"),
    }
}

/// `farshore` with these arguments.
pub fn run<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Run {
    finish(farshore().args(arguments))
}

/// The same, fed through standard input.
pub fn fed(arguments: &[&str], input: &[u8]) -> Run {
    let mut command = farshore();
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_vec();
    // It may stop reading early; then the rest is of no use to it.
    let feeder = std::thread::spawn(move || drop(pipe.write_all(&input)));
    let done = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    Run {
        code: done.status.code().expect("not ended by a signal"),
        out: done.stdout,
        err: String::from_utf8(done.stderr).expect("messages are UTF-8"),
    }
}

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub fn example() -> PathBuf {
    repository().join("examples/clubhouse.pcapng")
}

/// A folder of one's own, gone when dropped.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

pub fn write(folder: &tempfile::TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

pub fn names(folder: &tempfile::TempDir) -> Vec<String> {
    let files = std::fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<String> = files.map(|it| it.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Frames that the coverage of an audit counts.
pub fn frames(audit: &Value) -> u64 {
    audit["coverage"]["frames"]["total"].as_u64().unwrap()
}
