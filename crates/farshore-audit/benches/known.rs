//! Known values beneath layers, measured: how many chains are found, and how fast what holds none is passed.
//!
//! `cargo bench -p farshore-audit --bench known -- [--speed] [FILE...]`; files are cut into fields of 16 KiB and must hold none of the
//! values. Refuses nothing: it prints figures, and fails where the tests' promises do not hold.

#![expect(clippy::disallowed_methods, reason = "a measurement reads files and clocks")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, ExitCode};
use std::time::Instant;

use farshore_audit::identifiers::{Detectors, FieldView, Found, Known, Options};
use farshore_model::DatumKind;
use farshore_model::sighting::Disguise;

#[path = "../src/identifiers/tests/embeddings.rs"]
mod embeddings;

use embeddings::{Dice, LAYERS, embedded, value, written};

const SALT: &str = "pepper-and-salt-71";
/// Embeddings of each length of chain.
const EMBEDDINGS: usize = 20_000;
/// Values in the search for chains, and in that for speed.
const VALUES: usize = 1000;

fn main() -> ExitCode {
    let files: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with("--")).collect();
    let (mut detectors, values) = detectors(1000);
    let fits = std::env::args().any(|it| it == "--speed") || chains(&mut detectors, &values);
    let text = plaintext(64 << 20);
    speed("made-up requests in plain text", &mut detectors, &text, &values);
    for file in files {
        match std::fs::read(&file) {
            Ok(bytes) => speed(&file, &mut detectors, &bytes, &values),
            Err(error) => println!("{file}: {error}"),
        }
    }
    if fits { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn detectors(count: usize) -> (Detectors, Vec<String>) {
    let mut dice = Dice(11);
    let mut known = Vec::new();
    let mut values: Vec<String> = Vec::new();
    while values.len() < count {
        let (kind, value) = value(&mut dice);
        if values.contains(&value) {
            continue;
        }
        known.push(Known {
            name: format!("v{}", values.len()),
            kind: DatumKind::named(kind),
            value: value.clone(),
        });
        values.push(value);
    }
    known.push(Known {
        name: "salt".to_owned(),
        kind: DatumKind::named("salt"),
        value: SALT.to_owned(),
    });
    let began = Instant::now();
    let detectors = Detectors::new(&known, Options::default()).expect("values that can be looked for");
    println!("{count} values and a salt: built in {:.2} s", began.elapsed().as_secs_f64());
    (detectors, values)
}

fn scan(detectors: &mut Detectors, path: &str, value: &[u8], found: &mut dyn FnMut(&Found)) {
    let payload = path.ends_with(".payload");
    detectors.scan(FieldView { path, value, payload }, found);
}

/// Whether as many chains are found as is promised.
fn chains(detectors: &mut Detectors, values: &[String]) -> bool {
    let mut fits = true;
    for (length, least) in [(1, 1.0), (2, 1.0), (3, 0.95)] {
        let mut dice = Dice(1000 + length as u64);
        let (mut tried, mut found, mut others) = (0, 0, 0);
        let mut missed: BTreeMap<String, (usize, String)> = BTreeMap::new();
        while tried < EMBEDDINGS {
            let chain: Vec<_> = (0..length).map(|_| *dice.pick(LAYERS)).collect();
            let number = dice.below(VALUES.min(values.len()));
            let Some(bytes) = written(&values[number], &chain, SALT, &mut dice) else {
                continue;
            };
            let it = embedded(&bytes, &mut dice);
            let name = format!("v{number}");
            let mut seen = false;
            scan(detectors, it.path, &it.body, &mut |found| match &found.known_as {
                Some(known) if *known == name => seen = true,
                Some(_) if found.disguise != Disguise::WeakDigest => others += 1,
                _ => {}
            });
            tried += 1;
            if seen {
                found += 1;
            } else {
                let entry = missed.entry(format!("{chain:?}")).or_default();
                let bytes: String = it.body.iter().take(400).map(|it| format!("{it:02x}")).collect();
                *entry = (entry.0 + 1, format!("{} in {} {bytes}", values[number], it.path));
            }
        }
        let share = found as f64 / tried as f64;
        println!(
            "chains of {length}: {found} of {tried} found ({:.2} %), {others} of other values",
            share * 100.0
        );
        let mut most: Vec<_> = missed.iter().map(|(chain, (count, value))| (count, chain, value)).collect();
        most.sort_by(|a, b| b.cmp(a));
        for (count, chain, value) in most.iter().take(12) {
            println!("    missed {count} times {chain}, such as {value}");
        }
        fits &= share >= least && others == 0;
    }
    fits
}

fn speed(name: &str, detectors: &mut Detectors, bytes: &[u8], values: &[String]) {
    let began = clock();
    let mut known: Vec<Found> = Vec::new();
    for field in bytes.chunks(1 << 14) {
        scan(detectors, "http.response.body", field, &mut |it| {
            if it.known_as.is_some() {
                known.push(it.clone());
            }
        });
    }
    let ours = rate(bytes, began);
    // What chance explains is none.
    let confirmed = detectors.finish();
    let mut found: BTreeMap<(Disguise, Vec<&'static str>), usize> = BTreeMap::new();
    for it in known.into_iter().filter(|it| confirmed.keeps(it)) {
        *found.entry((it.disguise, it.decoded_by)).or_default() += 1;
    }
    let mut patterns = Detectors::new(&[], Options::default()).expect("built-in patterns");
    let began = clock();
    for field in bytes.chunks(1 << 14) {
        scan(&mut patterns, "http.response.body", field, &mut |_| ());
    }
    let without = rate(bytes, began);
    let alone = 1.0 / (1.0 / ours - 1.0 / without);
    println!(
        "{name}: {} MB, known values {alone:.0} MB/s, patterns {without:.0} MB/s, both {ours:.0} MB/s; found {found:?}",
        bytes.len() / 1_000_000
    );
    if let Some(theirs) = ripgrep(bytes, values) {
        println!("    rg -F -f with the plain values: {theirs:.0} MB/s, ratio {:.2}", alone / theirs);
    }
}

/// Time that this program had a core to itself, where the system tells (Linux): others are at work here too.
fn clock() -> f64 {
    let told = std::fs::read_to_string("/proc/self/schedstat").ok();
    let nanos = told.and_then(|it| it.split(' ').next()?.parse::<f64>().ok());
    nanos.map_or_else(|| START.elapsed().as_secs_f64(), |it| it / 1e9)
}

static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);

fn rate(bytes: &[u8], began: f64) -> f64 {
    bytes.len() as f64 / 1e6 / (clock() - began)
}

/// What ripgrep takes for the plain values alone, if it is there.
fn ripgrep(bytes: &[u8], values: &[String]) -> Option<f64> {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (patterns, text) = (folder.join("known.patterns"), folder.join("known.text"));
    std::fs::write(&patterns, values.join("\n")).ok()?;
    std::fs::File::create(&text).ok()?.write_all(bytes).ok()?;
    // The time of children is told apart, once they have ended.
    let children = || {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(13);
        let ticks = fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?;
        Some(ticks / 100.0)
    };
    let began = children()?;
    let ran = Command::new("rg")
        .args(["-j1", "-a", "-c", "-F", "-f"])
        .arg(&patterns)
        .arg(&text)
        .output()
        .ok();
    let taken = children()? - began;
    let _ = std::fs::remove_file(&text);
    ran.map(|_| bytes.len() as f64 / 1e6 / taken.max(0.01))
}

/// Requests and answers as apps send them, with values of nobody.
fn plaintext(size: usize) -> Vec<u8> {
    let mut dice = Dice(77);
    let mut text = String::new();
    let words = "the of channel speaker listener created updated value items count name title description user room event";
    let words: Vec<&str> = words.split(' ').collect();
    while text.len() < size {
        let (_, one) = value(&mut dice);
        let (_, other) = value(&mut dice);
        let _ = write!(
            text,
            "POST /api/v2/{}/{} HTTP/1.1\r\nHost: api.parlour.example\r\nUser-Agent: parlour/434 (iPhone; iOS 14.4)\r\nAccept: \
             application/json\r\nAuthorization: Token {:032x}\r\n\r\n{{\"userId\":\"{one}\",\"attributionSource\":\"{other}\",\"sessionToken\":\"{}\",\"at\":{}",
            dice.pick(&words),
            dice.below(1_000_000),
            u128::from(dice.next()) << 64 | u128::from(dice.next()),
            String::from_utf8_lossy(&written(&other, &[embeddings::Layer::Base64], SALT, &mut dice).unwrap_or_default()),
            1_613_066_400 + dice.below(100_000),
        );
        for _ in 0..30 {
            let _ = write!(
                text,
                ",\"{}\":\"{} {} {}\"",
                dice.pick(&words),
                dice.pick(&words),
                dice.pick(&words),
                dice.pick(&words)
            );
        }
        text.push_str("}\r\n");
    }
    text.into_bytes()
}
