//! Speed that may not be lost unseen: instructions counted by callgrind, held to `corpus/instructions.toml`.
//!
//! Counts are compared only with counts of the same compiler, valgrind, C library and kind of processor; under any other it
//! says that it cannot tell. It measures no time. docs/ci.md tells how to raise a count.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::tidy::root;

/// Where the counts stand.
const BASELINE: &str = "corpus/instructions.toml";
/// By how many percent a count may grow, and may shrink before the baseline ought to follow.
const HEAD_ROOM: u64 = 5;
/// The function of `benches/instructions.rs` inside which is counted.
const COUNTED: &str = "*counted*";
/// A capture of no frames: the header of a file in the classic format.
const EMPTY: &[u8] = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\xff\xff\0\0\x01\0\0\0";

/// `gate`, `gate --ready`, `gate --raise [CASE…]`.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let file = root().join(BASELINE);
    match words.as_slice() {
        ["--ready"] => {
            if let Some(reason) = unable(&file) {
                println!("{reason}");
            }
            Ok(())
        }
        [] => {
            if let Some(reason) = unable(&file) {
                println!("gate: cannot tell: {reason}");
                return Ok(());
            }
            judge(&Baseline::read(&file)?.counts, &count()?)
        }
        ["--raise", cases @ ..] => raise(&file, cases),
        _ => bail!("usage: cargo xtask gate [--ready | --raise [CASE]...]"),
    }
}

/// The counts, and under what they were taken.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Baseline {
    taken_with: Surroundings,
    counts: BTreeMap<String, u64>,
}

/// What moves counts without any change of ours.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
struct Surroundings {
    rustc: String,
    valgrind: String,
    libc: String,
    machine: String,
}

impl Baseline {
    fn read(file: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        toml::from_str(&text).with_context(|| file.display().to_string())
    }

    fn write(&self, file: &Path) -> anyhow::Result<()> {
        let Surroundings {
            rustc,
            valgrind,
            libc,
            machine,
        } = &self.taken_with;
        let mut text = format!(
            "# Instructions as callgrind counts them; no count may grow by more than {HEAD_ROOM} %. Written by `cargo xtask gate --raise`:\n\
             # docs/ci.md, step \"instructions\", says when.\n\n\
             [taken_with]\nrustc = {rustc:?}\nvalgrind = {valgrind:?}\nlibc = {libc:?}\nmachine = {machine:?}\n\n[counts]\n"
        );
        for (name, count) in &self.counts {
            text.push_str(&format!("{name:?} = {count}\n"));
        }
        fs::write(file, text).with_context(|| file.display().to_string())
    }
}

impl Surroundings {
    fn here() -> anyhow::Result<Self> {
        let first_line = |program: &str, argument: &str| -> anyhow::Result<String> {
            let output = Command::new(program)
                .arg(argument)
                .output()
                .with_context(|| format!("{program} cannot be run"))?;
            ensure!(output.status.success(), "{program} {argument} failed");
            Ok(String::from_utf8_lossy(&output.stdout)
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned())
        };
        // Libraries choose other instructions where a processor has them, and valgrind shows those it knows itself.
        let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let flags = processor.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
        let known = ["avx2", "aes", "pclmulqdq", "bmi2"]
            .into_iter()
            .filter(|flag| flags.split(' ').any(|it| it == *flag));
        Ok(Self {
            rustc: first_line("rustc", "--version")?,
            valgrind: first_line("valgrind", "--version")?,
            libc: first_line("getconf", "GNU_LIBC_VERSION")?,
            machine: std::iter::once(std::env::consts::ARCH).chain(known).collect::<Vec<_>>().join(" "),
        })
    }
}

/// Why counts cannot be compared here, if they cannot.
fn unable(file: &Path) -> Option<String> {
    let (here, then) = match (Surroundings::here(), Baseline::read(file)) {
        (Err(why), _) => return Some(format!("{why:#}")),
        // A file that is missing or damaged is no excuse: it fails when it is read again.
        (_, Err(_)) => return None,
        (Ok(here), Ok(baseline)) => (here, baseline.taken_with),
    };
    let pairs = [
        (&then.rustc, &here.rustc),
        (&then.valgrind, &here.valgrind),
        (&then.libc, &here.libc),
        (&then.machine, &here.machine),
    ];
    let other: Vec<String> = pairs
        .iter()
        .filter(|(then, here)| then != here)
        .map(|(then, here)| format!("counts were taken with {then}, here is {here}"))
        .collect();
    (!other.is_empty()).then(|| other.join("; "))
}

/// Compares, prints every case, and fails on those that grew.
fn judge(baseline: &BTreeMap<String, u64>, counts: &BTreeMap<String, u64>) -> anyhow::Result<()> {
    let (mut grown, mut shrunk) = (Vec::new(), Vec::new());
    for (name, count) in counts {
        let line = match baseline.get(name) {
            Some(before) => {
                let line = told(name, Some(*before), *count);
                let hundredths = count.saturating_mul(100);
                if hundredths > before.saturating_mul(100 + HEAD_ROOM) {
                    grown.push(line.clone());
                } else if hundredths < before.saturating_mul(100 - HEAD_ROOM) {
                    shrunk.push(line.clone());
                }
                line
            }
            None => {
                grown.push(format!("{name}: stands not in {BASELINE}"));
                told(name, None, *count)
            }
        };
        println!("{line}");
    }
    let gone = baseline.keys().filter(|name| !counts.contains_key(*name));
    grown.extend(gone.map(|name| format!("{name}: stands in {BASELINE} and is not counted any more")));
    if !shrunk.is_empty() {
        println!("\nfaster by more than {HEAD_ROOM} %: write the counts down, so that it stays (cargo xtask gate --raise)");
        shrunk.iter().for_each(|line| println!("  {line}"));
    }
    ensure!(
        grown.is_empty(),
        "more instructions than the head-room of {HEAD_ROOM} % allows; docs/ci.md says what to do:\n  {}",
        grown.join("\n  ")
    );
    println!("\n{} cases within {HEAD_ROOM} %", counts.len());
    Ok(())
}

fn told(name: &str, before: Option<u64>, now: u64) -> String {
    match before {
        Some(before) => format!(
            "{name}: {before} → {now} ({:+.1} %)",
            (now as f64 / before.max(1) as f64 - 1.0) * 100.0
        ),
        None => format!("{name}: {now} (new)"),
    }
}

/// Writes the counts of all cases, or of those named, into the baseline.
fn raise(file: &Path, cases: &[&str]) -> anyhow::Result<()> {
    let here = Surroundings::here()?;
    let before = if file.exists() { Some(Baseline::read(file)?) } else { None };
    let counts = count()?;
    let mut after = Baseline {
        taken_with: here.clone(),
        counts: counts.clone(),
    };
    if !cases.is_empty() {
        let Some(before) = &before else {
            bail!("{BASELINE} is not there: write all cases")
        };
        ensure!(
            before.taken_with == here,
            "counts in {BASELINE} were taken elsewhere: write all cases"
        );
        after.counts.clone_from(&before.counts);
        for case in cases {
            let count = counts.get(*case).with_context(|| format!("no case is named {case}"))?;
            after.counts.insert((*case).to_owned(), *count);
        }
    }
    let old = before.map(|it| it.counts).unwrap_or_default();
    for (name, count) in &after.counts {
        println!("{}", told(name, old.get(name).copied(), *count));
    }
    after.write(file)
}

/// Builds what is to be counted, and counts all cases.
fn count() -> anyhow::Result<BTreeMap<String, u64>> {
    let (bench, program) = build()?;
    let listed = output(Command::new(&bench))?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let empty = bench.with_file_name("empty.pcap");
    fs::write(&empty, EMPTY)?;

    let audit = |inputs: &[&Path]| {
        let mut command = valgrind();
        command
            .arg(&program)
            .args(["audit", "--jobs", "1", "--format", "json"])
            .args(inputs);
        command
    };
    let examples = [
        root().join("examples/clubhouse.pcapng"),
        root().join("examples/clubhouse.fixed.pcapng"),
    ];
    let mut work = vec![
        ("program.start".to_owned(), audit(&[&empty])),
        ("program.examples".to_owned(), audit(&examples.each_ref().map(PathBuf::as_path))),
    ];
    for case in listed.lines() {
        let mut command = valgrind();
        command.arg(format!("--toggle-collect={COUNTED}")).arg(&bench).arg(case);
        work.push((case.to_owned(), command));
    }
    let mut counts = side_by_side(work)?;
    // What the examples take beyond starting: reading, judging, writing.
    let start = counts.get("program.start").copied().unwrap_or_default();
    if let Some(examples) = counts.get_mut("program.examples") {
        *examples = examples.saturating_sub(start);
    }
    Ok(counts)
}

/// The program of cases, and farshore itself, as it is released.
fn build() -> anyhow::Result<(PathBuf, PathBuf)> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(["build", "--locked", "--release"]);
    command.args([
        "-p",
        "farshore-wire",
        "--bench",
        "instructions",
        "-p",
        "farshore-cli",
        "--bin",
        "farshore",
    ]);
    command.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
    let built = command.output().context("cargo cannot be run")?;
    ensure!(built.status.success(), "what is to be counted does not build");
    let executable = |name: &str| {
        let lines = built.stdout.split(|byte| *byte == b'\n');
        let mut artifacts = lines.filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok());
        let found = artifacts.find_map(|it| (it["target"]["name"] == name).then(|| it["executable"].as_str().map(PathBuf::from))?);
        found.with_context(|| format!("cargo did not say where it put {name}"))
    };
    Ok((executable("instructions")?, executable("farshore")?))
}

/// Callgrind, ready for a program and its arguments.
fn valgrind() -> Command {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command
}

fn output(mut command: Command) -> anyhow::Result<Output> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(output)
}

/// Runs all, as many at once as there are processors.
fn side_by_side(work: Vec<(String, Command)>) -> anyhow::Result<BTreeMap<String, u64>> {
    let (next, counts) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work: Vec<Mutex<Option<(String, Command)>>> = work.into_iter().map(|it| Mutex::new(Some(it))).collect();
    let runner = || -> anyhow::Result<()> {
        while let Some(it) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            let taken = it.lock().ok().and_then(|mut it| it.take());
            let Some((name, command)) = taken else { continue };
            let said = output(command)?;
            let collected =
                collected(&String::from_utf8_lossy(&said.stderr)).with_context(|| format!("{name}: callgrind told no count"))?;
            ensure!(collected > 0, "{name}: nothing was counted");
            if let Ok(mut counts) = counts.lock() {
                counts.insert(name, collected);
            }
        }
        Ok(())
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let runners: Vec<_> = (0..processors).map(|_| scope.spawn(runner)).collect();
        runners
            .into_iter()
            .try_for_each(|it| it.join().map_err(|_| anyhow::anyhow!("a runner panicked"))?)
    })?;
    Ok(counts.into_inner().unwrap_or_default())
}

/// The count that callgrind prints at its end.
fn collected(said: &str) -> Option<u64> {
    let (_, count) = said.lines().find_map(|line| line.split_once("Collected : "))?;
    count.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(list: &[(&str, u64)]) -> BTreeMap<String, u64> {
        list.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn what_grows_by_more_than_the_head_room_is_named_with_both_counts() {
        let before = counts(&[("decode", 1_000), ("other", 1_000)]);
        assert!(judge(&before, &counts(&[("decode", 1_050), ("other", 10)])).is_ok());
        let why = judge(&before, &counts(&[("decode", 1_051), ("other", 1_000)]))
            .unwrap_err()
            .to_string();
        assert!(why.contains("decode: 1000 → 1051 (+5.1 %)") && !why.contains("other"), "{why}");
    }

    #[test]
    fn cases_come_and_go_by_name_only() {
        let before = counts(&[("decode", 1_000)]);
        let why = judge(&before, &counts(&[("new", 1)])).unwrap_err().to_string();
        assert!(why.contains("new: stands not") && why.contains("decode: stands in"), "{why}");
    }

    #[test]
    fn the_count_is_read_from_what_callgrind_says() {
        let said = "==1== Events    : Ir\n==1== Collected : 1466531\n==1== \n";
        assert_eq!(collected(said), Some(1_466_531));
        assert_eq!(collected("==1== Killed"), None);
    }

    #[test]
    fn the_baseline_reads_as_it_was_written() {
        let file = std::env::temp_dir().join(format!("farshore-gate-{}.toml", std::process::id()));
        let baseline = Baseline {
            taken_with: Surroundings {
                rustc: "rustc 1".to_owned(),
                valgrind: "valgrind-3".to_owned(),
                libc: "glibc 2".to_owned(),
                machine: "x86_64 avx2".to_owned(),
            },
            counts: counts(&[("protocol.dns", 7), ("decode", 3)]),
        };
        baseline.write(&file).unwrap();
        let read = Baseline::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        assert_eq!((read.taken_with, read.counts), (baseline.taken_with, baseline.counts));
    }

    #[test]
    fn the_baseline_in_the_tree_can_be_read() {
        let baseline = Baseline::read(&root().join(BASELINE)).unwrap();
        assert!(
            ["decode", "program.examples", "protocol.tls", "reassembly.reordered"]
                .iter()
                .all(|it| baseline.counts.contains_key(*it))
        );
    }
}
