//! A sample of what patterns report over all captures, each checked by hand from the bytes.
//!
//! Drawn by digest of the place, so that nobody chose: `cargo xtask captures --draw` prints it, with room for a verdict. What
//! was checked stands in `corpus/exposures.tsv`; the share of what is true among what is still reported may not fall below
//! [`LEAST`], and of what is true nothing may be lost.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::audits::Audits;
use crate::tidy::root;

/// What was checked.
const FACTS: &str = "corpus/exposures.tsv";
/// As many are drawn.
const SIZE: usize = 300;
/// The least precision.
const LEAST: f64 = 0.95;
/// Of one file and kind, not more than so many are drawn: a file of mails would be the whole sample.
const MOST_ALIKE: usize = 3;
/// Kinds that no pattern finds.
const OTHERS: &[&str] = &["content", "hostname", "url", "audio", "video"];

/// An exposure at its first place.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Place {
    file: String,
    frame: u64,
    offset: u64,
    kind: String,
    field: String,
    /// `true`, or `false`.
    verdict: String,
    /// Why it is what it is said to be, or is not.
    reason: String,
}

/// What is wrong with the sample.
pub(super) fn check(audits: &mut Audits) -> anyhow::Result<Vec<String>> {
    let path = root().join(FACTS);
    let mut wrong = Vec::new();
    let (mut right, mut false_ones, mut gone) = (0_usize, 0_usize, 0_usize);
    let mut rows = csv::ReaderBuilder::new()
        .delimiter(b'\t')
        .quoting(false)
        .from_path(path)
        .context(FACTS)?;
    for row in rows.deserialize() {
        let it: Place = row.context(FACTS)?;
        ensure!(
            matches!(it.verdict.as_str(), "true" | "false") && !it.reason.is_empty(),
            "{FACTS}: {} frame {}: neither verdict nor reason",
            it.file,
            it.frame
        );
        let audit = audits.of_file(&it.file)?;
        let reported = audit.exposures.iter().any(|exposure| {
            exposure.kind == it.kind
                && exposure
                    .evidence
                    .iter()
                    .any(|place| place.frame == it.frame && place.offset == it.offset)
        });
        match (it.verdict == "true", reported) {
            (true, true) => right += 1,
            (false, true) => false_ones += 1,
            (false, false) => gone += 1,
            (true, false) => wrong.push(format!("{} frame {} offset {}: {} is lost", it.file, it.frame, it.offset, it.kind)),
        }
    }
    let reported = right + false_ones;
    let precision = right as f64 / reported.max(1) as f64;
    println!("sample: {right} of {reported} reported exposures are true ({precision:.3}); {gone} false ones are no longer reported");
    if reported > 0 && precision < LEAST {
        wrong.push(format!("precision of the sample is below {LEAST}"));
    }
    Ok(wrong)
}

/// Prints a sample to be checked.
pub(super) fn draw(audits: &mut Audits) -> anyhow::Result<()> {
    let mut all: BTreeMap<[u8; 32], Place> = BTreeMap::new();
    for path in captures(&audits.corpus.join("dev")) {
        let file = path.strip_prefix(&audits.corpus).unwrap_or(&path).display().to_string();
        let Ok(audit) = audits.of_file(&file) else { continue };
        for it in &audit.exposures {
            let Some(first) = it.evidence.first() else { continue };
            if OTHERS.contains(&it.kind.as_str()) {
                continue;
            }
            let place = Place {
                file: file.clone(),
                frame: first.frame,
                offset: first.offset,
                kind: it.kind.clone(),
                field: it.field.clone(),
                verdict: String::new(),
                reason: it.value.clone(),
            };
            let digest = Sha256::digest(format!("{file}\0{}\0{}\0{}", place.frame, place.offset, place.kind));
            all.insert(digest.into(), place);
        }
    }
    let mut alike: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut writer = csv::WriterBuilder::new()
        .delimiter(b'\t')
        .quote_style(csv::QuoteStyle::Never)
        .from_writer(std::io::stdout());
    let fresh = all.into_values().filter(|it| {
        let drawn = alike.entry((it.file.clone(), it.kind.clone())).or_default();
        *drawn += 1;
        *drawn <= MOST_ALIKE
    });
    for it in fresh.take(SIZE) {
        writer.serialize(it)?;
    }
    writer.flush()?;
    Ok(())
}

/// All files under a folder, sorted.
fn captures(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
