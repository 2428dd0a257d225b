//! A sweep of the captures' payload by broad patterns: what a person would call an identifier must be found in its frame.
//!
//! The sweep's rows are not here. `corpus/patterns.tsv` lists those that are not found, each with its verdict and reason:
//! `no-identifier` by whoever looked at the bytes, `elsewhere` where it stands in another frame, or `missed`. A row that is neither found nor listed is wrong, and so is
//! one that is listed and found after all.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::audits::{Audits, Exposure};
use crate::tidy::root;

/// The rows that are not found.
const LISTED: &str = "corpus/patterns.tsv";
/// The rows of which an identifier is found, at least, of those that are one.
const LEAST: f64 = 0.95;

/// A row of the sweep.
#[derive(Debug, Deserialize)]
struct Row {
    file: String,
    frame: u64,
    field: String,
    value: String,
    class: String,
}

/// Rows of the sweep that are not found: of one place and field there can be several.
#[derive(Debug, Deserialize)]
struct Listed {
    file: String,
    frame: u64,
    field: String,
    class: String,
    rows: usize,
    verdict: String,
    reason: String,
}

/// What is wrong with the sweep.
pub(super) fn check(audits: &mut Audits) -> anyhow::Result<Vec<String>> {
    let mut listed = BTreeMap::new();
    let mut rows = csv::ReaderBuilder::new()
        .delimiter(b'\t')
        .quoting(false)
        .from_path(root().join(LISTED))
        .context(LISTED)?;
    for row in rows.deserialize() {
        let it: Listed = row.context(LISTED)?;
        ensure!(
            matches!(it.verdict.as_str(), "no-identifier" | "elsewhere" | "missed") && !it.reason.is_empty() && !it.class.is_empty(),
            "{LISTED}: {} frame {} {}: neither verdict nor reason",
            it.file,
            it.frame,
            it.field
        );
        listed.insert((it.file, it.frame, it.field), (it.rows, it.verdict));
    }
    let mut unfound: BTreeMap<(String, u64, String), Vec<String>> = BTreeMap::new();
    let mut found = 0_usize;
    let path = audits.corpus.join("pii_sweep.tsv");
    let mut rows = csv::ReaderBuilder::new().delimiter(b'\t').quoting(false).from_path(path)?;
    for row in rows.deserialize() {
        let it: Row = row?;
        // Names of algorithms, and a line that only counts others.
        if it.class.starts_with("noise") || it.field == "(more)" {
            continue;
        }
        let audit = audits.of_file(&it.file)?;
        let (value, frame) = it.meant();
        // A whole address of a resource is no identifier found in it.
        let identifier = |exposure: &&Exposure| !["url", "hostname", "content"].contains(&exposure.kind.as_str());
        let mut identifiers = audit.exposures.iter().filter(identifier);
        if identifiers.any(|exposure| exposure.is_in(frame) && says(exposure, &value)) {
            found += 1;
        } else {
            unfound.entry((it.file, it.frame, it.field)).or_default().push(it.value);
        }
    }
    let mut wrong = Vec::new();
    let (mut missed, mut none) = (0_usize, 0_usize);
    for ((file, frame, field), values) in &unfound {
        match listed.remove(&(file.clone(), *frame, field.clone())) {
            Some((rows, verdict)) if rows == values.len() => *(if verdict == "missed" { &mut missed } else { &mut none }) += rows,
            Some((rows, _)) => wrong.push(format!(
                "{file} frame {frame}: {field}: {} rows not found, {rows} listed",
                values.len()
            )),
            None => wrong.push(format!("{file} frame {frame}: {field}: not found: {}", values.join(" "))),
        }
    }
    wrong.extend(
        listed
            .keys()
            .map(|(file, frame, field)| format!("{file} frame {frame}: {field}: listed in {LISTED}, and found")),
    );
    let identifiers = found + missed;
    println!("sweep: {found} of {identifiers} identifiers found in their frames; {none} rows are none, by their reasons");
    if (found as f64) < LEAST * identifiers as f64 {
        wrong.push(format!("less than {LEAST} of the sweep's identifiers are found"));
    }
    Ok(wrong)
}

impl Row {
    /// The value a row means, as far as the sweep wrote it down, and the frame it stands in.
    fn meant(&self) -> (String, u64) {
        // `NAME (Username in packet: 6)`, as tshark lists log-ins by the frame of the password.
        if let Some((name, rest)) = self.value.split_once(" (Username in packet") {
            let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
            return (name.to_owned(), digits.parse().unwrap_or(self.frame));
        }
        // `BEGINNING…(LENGTH)`.
        let value = self.value.rsplit_once('…').map_or(self.value.as_str(), |(head, _)| head);
        if let Some(encoded) = value.strip_prefix("Basic ") {
            let plain = STANDARD.decode(encoded.trim()).unwrap_or_default();
            return (String::from_utf8_lossy(&plain).into_owned(), self.frame);
        }
        (of_hex(value).unwrap_or_else(|| value.to_owned()), self.frame)
    }
}

/// Digits as their ASCII codes in hex, as gateways of mobile networks write them.
fn of_hex(text: &str) -> Option<String> {
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [b'3', digit] if digit.is_ascii_digit() => Some(char::from(*digit)),
        _ => None,
    });
    if text.len() < 16 { None } else { pairs.collect() }
}

/// Whether a finding is what the sweep saw. Both may hold more than the other: a whole header, the rest of a cut value, a
/// spelling of its own.
fn says(exposure: &Exposure, swept: &str) -> bool {
    let (found, swept) = (plain(&exposure.value), plain(swept));
    // A fault of one letter in a name is another name: short texts must be equal.
    let holds = |whole: &str, part: &str| part.len() >= 4 && whole.contains(part);
    found == swept || holds(&found, &swept) || holds(&swept, &found) || named(&found, &swept)
}

/// `name=value` or `Scheme value`, cut somewhere in a value.
fn named(found: &str, swept: &str) -> bool {
    let tails = swept.char_indices().filter(|(_, c)| matches!(c, '=' | ' '));
    tails
        .filter_map(|(at, c)| swept.get(at.saturating_add(c.len_utf8())..))
        .any(|tail| tail.len() >= 4 && found.starts_with(tail))
}

/// One spelling: percent-decoded, lower case, without what separates digits.
fn plain(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let triplet = after.get(..2).filter(|_| *first == b'%');
        let byte = triplet.and_then(|two| u8::from_str_radix(str::from_utf8(two).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() {
            after.get(2..).unwrap_or_default()
        } else {
            after
        };
    }
    let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
    // `+1.2013775952` and `+12013775952`.
    let number = text.starts_with('+') && text.chars().all(|c| c.is_ascii_digit() || "+. ()-".contains(c));
    text.chars().filter(|c| !number || c.is_ascii_digit()).collect()
}
