//! Hostile captures: `cargo bench -p farshore --bench hostile [-- NAME...]`. Each attack is read in full, at half and at a quarter
//! of its size, every time by a process of its own, which tells its processor time and the most memory it held.
//!
//! Fails when one takes a gibibyte, or when time grew by more than 2.6 at both doublings: twice is linear. Refuses to hold times
//! themselves to anything: machines differ.

mod attacks;
mod bombs;
#[path = "../../../farshore-wire/tests/it/build.rs"]
#[allow(dead_code, reason = "conversations need some of it")]
mod build;
mod headers;
mod made;
mod multiplexed;
mod sealed;
#[path = "../../../farshore-wire/tests/it/talk.rs"]
#[allow(dead_code, reason = "what is said is enough")]
mod talk;

use std::fs;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use attacks::{Attack, attacks};
use farshore::{Detecting, Detectors, Reading, Secrets, keys, read};
use made::capture;

/// The most memory that reading may take, in KiB.
const CEILING: u64 = 1 << 20;
/// What time may grow by when there is twice as much to read.
const GROWTH: f64 = 2.6;
/// Shorter than this says nothing of growth: in seconds.
const SHORTEST: f64 = 0.05;

fn main() -> ExitCode {
    let all = attacks();
    // `cargo bench` adds arguments of its own.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with("--")).collect();
    if let [child, name, number] = wanted.as_slice()
        && child == "read"
    {
        let attack = all.iter().find(|it| it.name == *name).expect("an attack of that name");
        println!("{}", carry_out(attack, number.parse().expect("a number")));
        return ExitCode::SUCCESS;
    }
    let chosen = all
        .iter()
        .filter(|it| wanted.is_empty() || wanted.iter().any(|name| it.name.starts_with(name.as_str())));
    let mut failed = Vec::new();
    println!("| attack | in full | s at ¼ | s at ½ | s in full | µs each | peak MiB | told |\n|---|---|---|---|---|---|---|---|");
    for attack in chosen {
        let runs = [4, 2, 1].map(|part| Run::of(attack, attack.full / part));
        let [quarter, half, full] = &runs;
        let peak = runs.iter().map(|it| it.peak).max().unwrap_or_default();
        println!(
            "| {} | {} {} | {:.2} | {:.2} | {:.2} | {:.2} | {} | {} |",
            attack.name,
            attack.full,
            attack.of,
            quarter.seconds,
            half.seconds,
            full.seconds,
            full.seconds * 1e6 / attack.full as f64,
            peak >> 10,
            full.told
        );
        if peak >= CEILING {
            failed.push(format!("{}: {} MiB", attack.name, peak >> 10));
        }
        let grows = |from: &Run, to: &Run| to.seconds / from.seconds.max(SHORTEST) > GROWTH;
        if grows(quarter, half) && grows(half, full) {
            failed.push(format!("{}: time is not linear", attack.name));
        }
    }
    for line in &failed {
        eprintln!("{line}");
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What one process told of itself.
struct Run {
    seconds: f64,
    peak: u64,
    told: String,
}

impl Run {
    fn of(attack: &Attack, number: u64) -> Self {
        let own = std::env::current_exe().expect("a process knows its program");
        let output = Command::new(own)
            .args(["read", &attack.name, &number.to_string()])
            .output()
            .expect("it can be run again");
        assert!(
            output.status.success(),
            "{}: {}",
            attack.name,
            String::from_utf8_lossy(&output.stderr)
        );
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut words = said.trim().splitn(3, '\t');
        let mut word = || words.next().unwrap_or_default();
        Self {
            seconds: word().parse().expect("seconds"),
            peak: word().parse().expect("KiB"),
            told: word().to_owned(),
        }
    }
}

/// Reads one attack; tells seconds, KiB, and what was seen of it.
fn carry_out(attack: &Attack, number: u64) -> String {
    let detectors = Detectors::new(&[], Detecting::default()).expect("detectors");
    let began = seconds();
    // What making the frames takes is not the reader's.
    std::io::copy(&mut capture((attack.frames)(number)), &mut std::io::sink()).expect("nothing can fail");
    let making = seconds() - began;
    let began = seconds();
    let mut secrets = Secrets::default();
    keys::read((attack.keylog)(number), &mut secrets).expect("nothing can fail");
    let how = Reading {
        secrets: Arc::new(secrets),
        ..Reading::default()
    };
    let file = capture((attack.frames)(number));
    let ledger = read(file, &attack.name, &how, &detectors, &mut |_| {}).expect("a capture");
    let reading = (seconds() - began - making).max(0.0);
    let limits: Vec<String> = ledger
        .coverage
        .limits
        .iter()
        .map(|(name, times)| format!("{name} ×{times}"))
        .collect();
    format!(
        "{reading}\t{}\t{} flows, {} facts, {} sightings, {} anomalies; {}",
        peak(),
        ledger.flows.len(),
        ledger.observations.len(),
        ledger.sightings.len(),
        ledger.anomalies.len(),
        if limits.is_empty() {
            "no ceiling".to_owned()
        } else {
            limits.join(", ")
        }
    )
}

/// Processor time of this process so far: the scheduler's own count, in nanoseconds.
fn seconds() -> f64 {
    let counts = fs::read_to_string("/proc/self/schedstat").expect("a kernel that keeps count");
    let nanoseconds: f64 = counts.split(' ').next().and_then(|it| it.parse().ok()).expect("a count");
    nanoseconds / 1e9
}

/// The most memory this process held, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("a kernel that tells");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|it| it.parse().ok()).expect("a number")
}
