//! Inputs that are saved audits: `--format json` of an audit made before. Whether a file is one, its own words decide, never its name.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context;
use farshore_report::escape;
use farshore_report::saved::{self, LARGEST, Mistake, Saved};

use crate::message;

/// The saved audit in a file; `None` where it is something else, such as a capture, a recording, a folder, or standard input.
///
/// Of a file that says it is an output of this program and cannot be read as an audit, the mistake is told.
pub(crate) fn if_saved(path: &Path) -> anyhow::Result<Option<Saved>> {
    if !path.is_file() {
        return Ok(None);
    }
    let file = File::open(path).with_context(|| message::shown(path))?;
    if !saved::is_saved(file) {
        return Ok(None);
    }
    read(path).map(Some)
}

/// The saved audit in a file, which has to be one.
pub(crate) fn read(path: &Path) -> anyhow::Result<Saved> {
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(|| message::shown(path))?;
    // One byte more than may be there tells that it is too long.
    file.take(LARGEST.saturating_add(1))
        .read_to_end(&mut bytes)
        .with_context(|| message::shown(path))?;
    saved::read(&bytes).map_err(|it| anyhow::anyhow!("{}: {it}{}", message::shown(path), drawn(&bytes, &it)))
}

/// Bytes shown on either side of a mistake: an audit is one long line, which nobody wants to see whole.
const AROUND: usize = 40;

/// What stands where the mistake is.
fn drawn(bytes: &[u8], it: &Mistake) -> String {
    let Some(line) = it.line.checked_sub(1).and_then(|it| bytes.split(|it| *it == b'\n').nth(it)) else {
        return String::new();
    };
    let at = it.column.min(line.len());
    let before = line.get(at.saturating_sub(AROUND)..at).unwrap_or_default();
    let after = line.get(at..at.saturating_add(AROUND).min(line.len())).unwrap_or_default();
    let shown = |it| escape::visible(&String::from_utf8_lossy(it));
    let (before, after) = (shown(before), shown(after));
    let margin = " ".repeat(escape::columns(&before).saturating_sub(1));
    format!("\n  | {before}{after}\n  | {margin}^")
}
