//! Reading inputs, whichever verb asks: side by side, merged in the order given, what was lost said at once. It refuses to
//! judge.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Seek as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::Context;
use farshore::model::Coverage;
use farshore::model::ledger::Severity;
use farshore::{DetectingLimits, Detectors, Filter, JudgingLimits, Ledger, Limits, Reading, Secrets, Templates, keys};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::extract::{Extraction, Spools};
use crate::inputs::Source;
use crate::message;
use crate::shelf::Shelf;

/// How inputs are read.
pub(crate) struct How<'a> {
    /// Ceilings.
    pub(crate) limits: &'a Limits,
    /// Key logs.
    pub(crate) keys: &'a [PathBuf],
    /// Where they are read from.
    pub(crate) files: &'a Shelf,
    /// Which frames are read.
    pub(crate) filter: Option<Arc<Filter>>,
    /// What of the media is to be written to files.
    pub(crate) extraction: Option<&'a Extraction>,
    /// Keep every fact.
    pub(crate) every_fact: bool,
    /// Keep the openings of conversations, to compare them.
    pub(crate) specimens: bool,
    /// Threads.
    pub(crate) jobs: usize,
    /// Say more.
    pub(crate) verbose: u8,
    /// Say nothing but errors.
    pub(crate) quiet: bool,
}

/// Reads all inputs; those that cannot be read are named, the rest stands.
///
/// Says how many could not.
pub(crate) fn read(sources: &[Source], with: &How<'_>, detectors: &Detectors) -> anyhow::Result<(Ledger, usize)> {
    let secrets = secrets(with.keys, with.files)?;
    // Inputs side by side while there are enough of them, else the flows of each.
    let (side_by_side, shards) = (with.jobs.min(sources.len()), with.jobs.checked_div(sources.len()).unwrap_or(1));
    let bars = MultiProgress::with_draw_target(if with.quiet {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    });
    let templates = templates(sources, with);
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<anyhow::Result<Read>>>> = sources.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..side_by_side {
            scope.spawn(|| {
                while let Some(((source, slot), templates)) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    sources.get(at).zip(results.get(at)).zip(templates.get(at))
                } {
                    let how = Reading {
                        limits: with.limits.clone(),
                        secrets: Arc::clone(&secrets),
                        labels: source.labels.clone(),
                        templates: Arc::clone(templates),
                        every_fact: with.every_fact,
                        specimens: with.specimens,
                        filter: with.filter.clone(),
                        jobs: shards,
                        ..Reading::default()
                    };
                    let read = match with.extraction {
                        None => source
                            .open()
                            .map_err(Into::into)
                            .and_then(|reader| read_one(source, reader, &how, detectors, &bars))
                            .map(|ledger| (ledger, None)),
                        Some(extraction) => read_twice(source, how, extraction, detectors, &bars),
                    };
                    if let Ok(mut slot) = slot.lock() {
                        *slot = Some(read);
                    }
                }
            });
        }
    });
    let mut ledger = Ledger::default();
    let mut failed = Vec::new();
    for (source, slot) in sources.iter().zip(results) {
        match slot.into_inner().ok().flatten() {
            Some(Ok((part, sounds))) => {
                if let Some((extraction, sounds)) = with.extraction.zip(sounds) {
                    extraction.add(&sounds, ledger.flows.len(), &part.moved)?;
                }
                if !with.quiet {
                    warn(source, &part);
                }
                if with.verbose > 0 {
                    let (frames, flows, facts) = (part.coverage.frames.total, part.flows.len(), part.observations.len());
                    message::say(&format!(
                        "{}: {frames} {}, {flows} flows, {facts} facts",
                        source.shown(),
                        unit(&part)
                    ));
                }
                ledger.merge(part);
            }
            Some(Err(error)) => failed.push(format!("{}: {error:#}", source.shown())),
            None => failed.push(format!("{}: was not read", source.shown())),
        }
    }
    anyhow::ensure!(!ledger.inputs.is_empty(), "{}", failed.join("\n"));
    for line in &failed {
        message::say(line);
    }
    // Once, however many inputs they were offered for.
    ledger.coverage.keys.offered = ledger.coverage.keys.offered.saturating_add(secrets.sessions());
    Ok((ledger, failed.len()))
}

/// For each input the templates that those before it brought: exports of flows may have them in a file of their own. What comes by a
/// pipe is read but once, and brings none to others.
fn templates(sources: &[Source], with: &How<'_>) -> Vec<Arc<Templates>> {
    let mut known = Arc::new(Templates::default());
    let mut all = Vec::with_capacity(sources.len());
    for (at, source) in sources.iter().enumerate() {
        all.push(Arc::clone(&known));
        let is_last = at.saturating_add(1) == sources.len();
        if is_last || source.bytes().is_none() {
            continue;
        }
        let how = Reading {
            limits: with.limits.clone(),
            templates: Arc::clone(&known),
            ..Reading::default()
        };
        // What cannot be read is named by whoever reads it.
        if let Some(further) = source.open().ok().and_then(|it| farshore::templates(it, &how).ok()) {
            known = further;
        }
    }
    all
}

/// What an input holds, and its sound where that is wanted.
type Read = (Ledger, Option<Spools>);

/// First for the keys of its media, then for all: streams whose keys are told late are opened whole.
fn read_twice(
    source: &Source,
    mut how: Reading,
    extraction: &Extraction,
    detectors: &Detectors,
    bars: &MultiProgress,
) -> anyhow::Result<Read> {
    let spools = extraction.studio();
    how.studio = Some(Arc::new(spools.clone()));
    let ledger = if source.bytes().is_some() {
        how.media_keys = farshore::media_keys(source.open()?, &how)?;
        read_one(source, source.open()?, &how, detectors, bars)?
    } else {
        let mut spooled = extraction.spool(source.open()?)?;
        how.media_keys = farshore::media_keys(&spooled, &how)?;
        spooled.rewind()?;
        read_one(source, Box::new(spooled), &how, detectors, bars)?
    };
    Ok((ledger, Some(spools)))
}

fn read_one(
    source: &Source,
    reader: Box<dyn io::Read + Send>,
    how: &Reading,
    detectors: &Detectors,
    bars: &MultiProgress,
) -> anyhow::Result<Ledger> {
    let bar = bars.add(ProgressBar::new(source.bytes().unwrap_or_default()));
    let style = if source.bytes().is_some() {
        "{msg} {wide_bar} {bytes}/{total_bytes}"
    } else {
        "{msg} {spinner} {bytes}"
    };
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar.set_message(farshore_report::escape::visible(&source.name()));
    let ledger = farshore::read(reader, &source.name(), how, detectors, &mut |bytes| bar.set_position(bytes));
    bar.finish_and_clear();
    Ok(ledger?)
}

/// What is counted of an input.
fn unit(ledger: &Ledger) -> &'static str {
    if ledger.inputs.iter().any(|it| it.log.is_some()) {
        "rows"
    } else {
        "frames"
    }
}

/// What was lost is said at once, not only in the report.
pub(crate) fn warn(source: &Source, ledger: &Ledger) {
    let unit = unit(ledger);
    // The same happens many times over in some captures; it is said once.
    let mut told: BTreeMap<(&str, Severity), u64> = BTreeMap::new();
    for it in ledger.anomalies.iter().filter(|it| it.flow.is_none()) {
        let times = told.entry((&it.because, it.severity)).or_default();
        *times = times.saturating_add(1);
    }
    for ((because, severity), times) in told {
        let times = if times > 1 { format!(", {times} times") } else { String::new() };
        // What was lost ended the reading.
        let read = match severity {
            Severity::Loss => format!("; the {} {unit} before it were read", ledger.coverage.frames.total),
            Severity::Note | Severity::Warning => String::new(),
        };
        message::say(&format!("warning: {}: {because}{times}{read}", source.shown()));
    }
    for (name, times) in &ledger.coverage.limits {
        message::say(&format!("warning: {}: {}", source.shown(), hit(name, *times)));
    }
}

/// Says which ceilings of judging were hit.
pub(crate) fn warn_of_judging(coverage: &Coverage) {
    for (name, times) in &coverage.limits {
        if JudgingLimits::NAMES.contains(name) {
            message::say(&format!("warning: {}", hit(name, *times)));
        }
    }
}

fn hit(name: &str, times: u64) -> String {
    let raise = if limit_names().any(|it| it == name) {
        format!("; --limit {name}=N raises it")
    } else {
        String::new()
    };
    format!("the ceiling {name} was hit {times} times{raise}")
}

/// The secrets in all key logs named. A file of which no line is one is no key log.
pub(crate) fn secrets(paths: &[PathBuf], files: &Shelf) -> anyhow::Result<Arc<Secrets>> {
    let mut secrets = Secrets::new();
    for path in paths {
        let file = files.open("keys", path).with_context(|| message::shown(path))?;
        let lines = keys::read(file, &mut secrets).with_context(|| message::shown(path))?;
        anyhow::ensure!(
            lines.rows > 0 || lines.others == 0,
            "{}: no line of it is one of a key log; expected a label, a client random and a secret in hexadecimal digits",
            message::shown(path)
        );
    }
    Ok(Arc::new(secrets))
}

/// All ceilings, by one flag: no two have one name.
#[derive(Default)]
pub(crate) struct Ceilings {
    pub(crate) reading: Limits,
    pub(crate) detecting: DetectingLimits,
    pub(crate) judging: JudgingLimits,
}

/// The ceilings, with those that a user sets.
pub(crate) fn limits(settings: &[String]) -> anyhow::Result<Ceilings> {
    let mut ceilings = Ceilings::default();
    for setting in settings {
        let (name, value) = setting
            .split_once('=')
            .with_context(|| format!("--limit {setting}: expected NAME=VALUE"))?;
        let value = value
            .parse()
            .with_context(|| format!("--limit {setting}: expected a whole number"))?;
        let set = if Limits::NAMES.contains(&name) {
            ceilings.reading.set(name, value)
        } else if DetectingLimits::NAMES.contains(&name) {
            ceilings.detecting.set(name, value)
        } else if JudgingLimits::NAMES.contains(&name) {
            ceilings.judging.set(name, value)
        } else {
            let names: BTreeSet<_> = limit_names().collect();
            let names: Vec<_> = names.into_iter().collect();
            anyhow::bail!("--limit {setting}: no limit is named `{name}`; there are: {}", names.join(", "));
        };
        set.with_context(|| format!("--limit {setting}"))?;
    }
    Ok(ceilings)
}

fn limit_names() -> impl Iterator<Item = &'static str> {
    let all = [Limits::NAMES, DetectingLimits::NAMES, JudgingLimits::NAMES];
    all.into_iter().flatten().copied()
}
