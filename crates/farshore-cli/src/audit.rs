//! `farshore audit`: reads the inputs side by side, merges them in the order given, judges, writes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::Context;
use farshore::model::Date;
use farshore::policy::{self, Scope, pack::Pack};
use farshore::{
    Audit, Circumstances, Datasets, Detecting, DetectingLimits, Detectors, DigestKey, Ledger, Limits, Reading, Secrets, keys, known,
};
use farshore_report::{BorderShape, Options, Sections};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::{self, Format, Section};
use crate::inputs::{self, Source};
use crate::{diagnose, message, output};

/// Runs the verb.
pub(crate) fn run(args: &args::Audit) -> anyhow::Result<ExitCode> {
    output::check(args.output.as_deref(), args.force)?;
    let paths: Vec<_> = args.read.iter().chain(&args.inputs).cloned().collect();
    let sources = inputs::sources(&paths, args.labels.as_deref(), &args.label)?;
    let (limits, detecting) = limits(&args.limit)?;
    let detectors = detectors(args, detecting)?;
    let packs = packs(&args.policy)?;
    let scope = args.scope.as_deref().map(read_scope).transpose()?;
    let as_of = args
        .as_of
        .as_deref()
        .map(|it| Date::parse(it).with_context(|| format!("--as-of {it}: expected YYYY-MM-DD")))
        .transpose()?;

    let secrets = secrets(&args.keys)?;
    let (mut ledger, unreadable) = read_all(&sources, (&limits, &secrets), &detectors, args)?;
    // Once, however many inputs they were offered for.
    ledger.coverage.keys.offered = ledger.coverage.keys.offered.saturating_add(secrets.sessions());
    let fictional = ledger.inputs.iter().any(|it| it.world.is_some());
    let data = if fictional {
        Datasets::with_fictional()
    } else {
        Datasets::embedded()
    };
    let audit = farshore::judge(
        ledger,
        &Circumstances {
            data,
            packs: &packs,
            scope: scope.as_ref(),
            as_of,
            version: env!("CARGO_PKG_VERSION"),
            show_pii: args.show_pii,
        },
    );
    write(&audit, args)?;
    // The process ends here: handing millions of small pieces back one by one would only take time.
    std::mem::forget(audit);
    Ok(if unreadable > 0 { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

/// Reads all inputs; those that cannot be read are named, the rest stands.
fn read_all(
    sources: &[Source],
    (limits, secrets): (&Limits, &Arc<Secrets>),
    detectors: &Detectors,
    args: &args::Audit,
) -> anyhow::Result<(Ledger, usize)> {
    let jobs = args
        .jobs
        .or_else(|| std::thread::available_parallelism().ok())
        .map_or(1, std::num::NonZeroUsize::get);
    // Inputs side by side while there are enough of them, else the flows of each.
    let (side_by_side, shards) = (jobs.min(sources.len()), jobs.checked_div(sources.len()).unwrap_or(1));
    let bars = MultiProgress::with_draw_target(if args.quiet {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    });
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<anyhow::Result<Ledger>>>> = sources.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..side_by_side {
            scope.spawn(|| {
                while let Some((source, slot)) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    sources.get(at).zip(results.get(at))
                } {
                    let how = Reading {
                        limits: limits.clone(),
                        secrets: Arc::clone(secrets),
                        labels: source.labels.clone(),
                        every_fact: args.with.contains(&Section::Observations),
                        jobs: shards,
                        ..Reading::default()
                    };
                    let read = read_one(source, &how, detectors, &bars);
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
            Some(Ok(part)) => {
                if !args.quiet {
                    warn(source, &part);
                }
                if args.verbose > 0 {
                    let (frames, flows, facts) = (part.coverage.frames.total, part.flows.len(), part.observations.len());
                    message::say(&format!("{}: {frames} frames, {flows} flows, {facts} facts", source.shown()));
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
    Ok((ledger, failed.len()))
}

fn read_one(source: &Source, how: &Reading, detectors: &Detectors, bars: &MultiProgress) -> anyhow::Result<Ledger> {
    let reader = source.open()?;
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

/// What was lost is said at once, not only in the report.
fn warn(source: &Source, ledger: &Ledger) {
    for anomaly in ledger.anomalies.iter().filter(|it| it.flow.is_none()) {
        let frames = ledger.coverage.frames.total;
        message::say(&format!(
            "warning: {}: {}; the {frames} frames before it were read",
            source.shown(),
            anomaly.because
        ));
    }
    for (name, times) in &ledger.coverage.limits {
        let raise = if limit_names().any(|it| it == *name) {
            format!("; --limit {name}=N raises it")
        } else {
            String::new()
        };
        message::say(&format!(
            "warning: {}: the ceiling {name} was hit {times} times{raise}",
            source.shown()
        ));
    }
}

fn detectors(args: &args::Audit, limits: DetectingLimits) -> anyhow::Result<Detectors> {
    let mut values = Vec::new();
    let mut last = None;
    for path in &args.known {
        let text = read_text(path)?;
        values.extend(known::read(&text).map_err(|it| diagnose::mistake(path, &text, &it.problem, it.span))?);
        last = Some(path);
    }
    let digest_key = match &args.digest_key {
        Some(path) => Some(DigestKey::new(fs::read(path).with_context(|| message::shown(path))?)),
        None => None,
    };
    let options = Detecting {
        show_pii: args.show_pii,
        digest_key,
        limits,
    };
    let built = Detectors::new(&values, options);
    match last {
        Some(path) => built.with_context(|| message::shown(path)),
        None => Ok(built?),
    }
}

/// The secrets in all key logs named. A file of which no line is one is no key log.
fn secrets(paths: &[PathBuf]) -> anyhow::Result<Arc<Secrets>> {
    let mut secrets = Secrets::new();
    for path in paths {
        let file = fs::File::open(path).with_context(|| message::shown(path))?;
        let lines = keys::read(file, &mut secrets).with_context(|| message::shown(path))?;
        anyhow::ensure!(
            lines.rows > 0 || lines.others == 0,
            "{}: no line of it is one of a key log; expected a label, a client random and a secret in hexadecimal digits",
            message::shown(path)
        );
    }
    Ok(Arc::new(secrets))
}

/// The packs named, by id or file; the default one if none is.
fn packs(named: &[String]) -> anyhow::Result<Vec<Pack>> {
    let default = [policy::DEFAULT.to_owned()];
    let named = if named.is_empty() { &default } else { named };
    named
        .iter()
        .map(|name| {
            if let Some(pack) = policy::built_in(name) {
                return Ok(pack?);
            }
            let path = Path::new(name);
            let built_in = || policy::ids().collect::<Vec<_>>().join(", ");
            let text = fs::read_to_string(path)
                .with_context(|| format!("--policy {name}: neither a built-in pack ({}) nor a file", built_in()))?;
            Pack::read(&text).map_err(|it| diagnose::mistake(path, &text, &it.message, it.span))
        })
        .collect()
}

fn read_scope(path: &Path) -> anyhow::Result<Scope> {
    let text = read_text(path)?;
    Scope::read(&text).map_err(|it| diagnose::mistake(path, &text, &it.message, it.span))
}

/// The ceilings of reading and those of the detectors, by one flag: no two have one name.
fn limits(settings: &[String]) -> anyhow::Result<(Limits, DetectingLimits)> {
    let (mut reading, mut detecting) = (Limits::default(), DetectingLimits::default());
    for setting in settings {
        let (name, value) = setting
            .split_once('=')
            .with_context(|| format!("--limit {setting}: expected NAME=VALUE"))?;
        let value = value
            .parse()
            .with_context(|| format!("--limit {setting}: expected a whole number"))?;
        let set = if Limits::NAMES.contains(&name) {
            reading.set(name, value).map_err(anyhow::Error::from)
        } else if DetectingLimits::NAMES.contains(&name) {
            detecting.set(name, value).map_err(anyhow::Error::from)
        } else {
            let names: BTreeSet<_> = limit_names().collect();
            let names: Vec<_> = names.into_iter().collect();
            Err(anyhow::anyhow!("no limit is named `{name}`; there are: {}", names.join(", ")))
        };
        set.with_context(|| format!("--limit {setting}"))?;
    }
    Ok((reading, detecting))
}

fn limit_names() -> impl Iterator<Item = &'static str> {
    Limits::NAMES.iter().chain(DetectingLimits::NAMES).copied()
}

fn read_text(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| message::shown(path))
}

fn write(audit: &Audit, args: &args::Audit) -> anyhow::Result<()> {
    let renderer = farshore_report::output(args.format.id()).context("no such format")?;
    let borders = if args.format == Format::Html { borders() } else { Vec::new() };
    let to_file = args.output.is_some();
    let options = Options {
        sections: Sections {
            flows: args.with.contains(&Section::Flows),
            observations: args.with.contains(&Section::Observations),
        },
        color: output::color(args.color, to_file),
        width: output::width(),
        borders: &borders,
    };
    output::write(args.output.as_deref(), args.force, &mut |out| renderer.render(audit, &options, out))
}

/// The outlines of the data set, as the report takes them.
fn borders() -> Vec<BorderShape> {
    let degrees = |it: i32| i16::try_from(it).unwrap_or_default();
    farshore::parties::borders::outlines()
        .iter()
        .map(|it| BorderShape {
            country: it.country,
            rings: it
                .rings
                .iter()
                .map(|ring| ring.iter().map(|p| (degrees(p.longitude), degrees(p.latitude))).collect())
                .collect(),
        })
        .collect()
}
