//! `farshore audit`: reads the inputs side by side, merges them in the order given, judges, writes. Other verbs that audit do it
//! through here.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use farshore::model::Date;
use farshore::model::verdict::WaiverState;
use farshore::parties::globe::Vantage;
use farshore::policy::{self, Baseline, Scope, Waivers, pack::Pack};
use farshore::{Audit, Circumstances, Datasets, Declared, Detecting, DetectingLimits, Detectors, DigestKey, Known, Ledger, known};
use farshore_report::{BorderShape, Options, Sections};

use crate::args::{self, Format, Section};
use crate::extract::Extraction;
use crate::reading::{self, How, limits, read_text, warn_of_judging};
use crate::{atlas, diagnose, inputs, message, output};

/// Runs the verb.
pub(crate) fn run(args: &args::Audit) -> anyhow::Result<ExitCode> {
    let judged = judged(&args.audited, None)?;
    judged.write(&args.audited, args.format.id())?;
    let code = judged.unread();
    judged.leave();
    Ok(code.unwrap_or(ExitCode::SUCCESS))
}

/// What was asked for, judged.
pub(crate) struct Judged {
    pub(crate) audit: Audit,
    /// How many inputs could not be read.
    pub(crate) unreadable: usize,
}

impl Judged {
    /// The exit code if an input could not be read, which goes before any other.
    pub(crate) fn unread(&self) -> Option<ExitCode> {
        (self.unreadable > 0).then(|| ExitCode::from(2))
    }

    /// Writes it in that format.
    pub(crate) fn write(&self, args: &args::Audited, format: &str) -> anyhow::Result<()> {
        write(&self.audit, args, format)
    }

    /// The process ends here: handing millions of small pieces back one by one would only take time.
    pub(crate) fn leave(self) {
        std::mem::forget(self.audit);
    }
}

/// From arguments to a judged audit. Of what a baseline holds only what is new counts.
pub(crate) fn judged(args: &args::Audited, baseline: Option<&Baseline>) -> anyhow::Result<Judged> {
    output::check(args.out.output.as_deref(), args.out.force)?;
    output::check(args.links.as_deref(), args.out.force)?;
    let judged = make(args, baseline, &[])?;
    if let Some(path) = &args.links {
        output::write(Some(path), args.out.force, &mut |out| {
            farshore_report::graphml::render(&judged.audit, out)
        })?;
    }
    Ok(judged)
}

/// Reads and judges, looking for these values too. Nothing is written.
pub(crate) fn make(args: &args::Audited, baseline: Option<&Baseline>, more: &[Known]) -> anyhow::Result<Judged> {
    let paths = args.input.paths();
    let sources = inputs::sources(&paths, args.input.labels.as_deref(), &args.input.label)?;
    let ceilings = limits(&args.effort.limit)?;
    let detectors = detectors(args, more, ceilings.detecting)?;
    let packs = packs(&args.policy)?;
    let scope = args.scope.as_deref().map(read_scope).transpose()?;
    let declared = args.declared.as_deref().map(read_declared).transpose()?;
    let waivers = args.waivers.as_deref().map(read_waivers).transpose()?;
    let as_of = args
        .as_of
        .as_deref()
        .map(|it| Date::parse(it).with_context(|| format!("--as-of {it}: expected YYYY-MM-DD")))
        .transpose()?;

    let extraction = extraction(args)?;
    let taken_at = args.vantage.as_deref().map(|it| vantage("--vantage", it)).transpose()?;
    for source in &sources {
        if let Some(label) = source.labels.get("vantage").filter(|it| !it.is_empty()) {
            vantage(&format!("{}: label vantage", source.shown()), label)?;
        }
    }
    let how = How {
        extraction: extraction.as_ref(),
        limits: &ceilings.reading,
        keys: &args.input.keys,
        every_fact: args.with.contains(&Section::Observations),
        specimens: sources.len() > 1,
        jobs: args.effort.jobs(),
        verbose: args.voice.verbose,
        quiet: args.voice.quiet,
    };
    let (ledger, unreadable) = reading::read(&sources, &how, &detectors)?;
    if let Some(app) = &args.app {
        check_app(&ledger, app)?;
    }
    if let Some(extraction) = &extraction {
        extraction.write(args.app.as_deref().map(|app| ledger.of_app(app)).as_deref(), args.voice.quiet)?;
    }
    let fictional = ledger.inputs.iter().any(|it| it.world.is_some());
    let data = if fictional {
        Datasets::with_fictional()
    } else {
        Datasets::embedded()
    };
    let data = &atlas::with(data, &args.atlas)?;
    let mut audit = farshore::judge(
        ledger,
        &Circumstances {
            data,
            packs: &packs,
            scope: scope.as_ref(),
            waivers: waivers.as_ref(),
            baseline,
            as_of,
            vantage: taken_at.as_ref(),
            app: args.app.as_deref(),
            limits: ceilings.judging,
            version: env!("CARGO_PKG_VERSION"),
            show_pii: args.show_pii,
            jobs: args.effort.jobs(),
        },
    );
    warn_of_judging(&audit.coverage);
    if !args.voice.quiet {
        warn_of_waivers(&audit, args.waivers.as_deref());
        for why in audit.baseline.iter().flat_map(|it| &it.apart) {
            message::say(&format!("warning: --baseline: {why}"));
        }
    }
    audit.undeclared = declared.map(|it| it.omissions(&audit));
    let key = args.digest_key.as_deref().map(digest_key).transpose()?;
    audit.tool.digest_key = key.and_then(|it| it.fingerprint());
    Ok(Judged { audit, unreadable })
}

/// Whether there is anything of an app to be audited; if not, of which there is.
fn check_app(ledger: &Ledger, app: &str) -> anyhow::Result<()> {
    let apps = ledger.flows.iter().filter_map(|it| it.app());
    let names: BTreeSet<_> = apps.map(|it| it.name.as_str()).collect();
    anyhow::ensure!(
        !names.is_empty(),
        "--app {app}: no input tells which app sent what, as captures of PCAPdroid and those of macOS with PKTAP headers do"
    );
    let others: Vec<_> = names.iter().map(|it| format!("`{}`", it.escape_debug())).collect();
    anyhow::ensure!(
        names.contains(app),
        "--app {app}: no flow is of it; there are flows of {}",
        others.join(", ")
    );
    Ok(())
}

/// What is to be extracted, if anything.
fn extraction(args: &args::Audited) -> anyhow::Result<Option<Extraction>> {
    let [what, folder] = &args.extract[..] else { return Ok(None) };
    anyhow::ensure!(
        what.as_os_str() == "audio",
        "--extract {}: there is `audio` only",
        message::shown(what)
    );
    Extraction::new(folder, args.out.force).map(Some)
}

fn vantage(flag: &str, text: &str) -> anyhow::Result<Vantage> {
    text.parse().with_context(|| format!("{flag} {text}"))
}

fn detectors(args: &args::Audited, more: &[Known], limits: DetectingLimits) -> anyhow::Result<Detectors> {
    let mut values = Vec::new();
    let mut last = None;
    for path in &args.known {
        let text = read_text(path)?;
        values.extend(known::read(&text).map_err(|it| diagnose::mistake(path, &text, &it.problem, it.span))?);
        last = Some(path);
    }
    for it in more {
        // What the user named goes by that name.
        if values.iter().all(|other: &Known| other.value != it.value) {
            values.push(it.clone());
        }
    }
    let digest_key = match &args.digest_key {
        Some(path) => Some(digest_key(path)?),
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

/// The key of digests: under none, a table of all telephone numbers reads them.
fn digest_key(path: &Path) -> anyhow::Result<DigestKey> {
    let key = fs::read(path).with_context(|| message::shown(path))?;
    anyhow::ensure!(
        !key.trim_ascii().is_empty(),
        "{}: the file is empty; expected the bytes of a secret key, such as `head -c 32 /dev/urandom` gives",
        message::shown(path)
    );
    Ok(DigestKey::new(key))
}

/// The packs named, by id or file; the default one if none is.
fn packs(named: &[String]) -> anyhow::Result<Vec<Pack>> {
    let default = [policy::DEFAULT.to_owned()];
    let named = if named.is_empty() { &default } else { named };
    named
        .iter()
        .map(|name| {
            if let Some(pack) = policy::built_in(name) {
                return Ok(policy::complete(pack?)?);
            }
            let path = Path::new(name);
            let built_in = || policy::ids().collect::<Vec<_>>().join(", ");
            let text = fs::read_to_string(path)
                .with_context(|| format!("--policy {name}: neither a built-in pack ({}) nor a file", built_in()))?;
            policy::read(&text).map_err(|it| diagnose::mistake(path, &text, &it.message, it.span))
        })
        .collect()
}

fn read_scope(path: &Path) -> anyhow::Result<Scope> {
    let text = read_text(path)?;
    Scope::read(&text).map_err(|it| diagnose::mistake(path, &text, &it.message, it.span))
}

fn read_waivers(path: &Path) -> anyhow::Result<Waivers> {
    let text = read_text(path)?;
    Waivers::read(&text).map_err(|it| diagnose::mistake(path, &text, &it.message, it.span))
}

/// A waiver that covers nothing is one that somebody forgot, or that covers less than they think.
fn warn_of_waivers(audit: &Audit, path: Option<&Path>) {
    let file = path.map(message::shown).unwrap_or_default();
    for it in audit.waivers.iter().flatten() {
        let why = match &it.state {
            WaiverState::Applied(_) => continue,
            WaiverState::Expired(day) => format!("it held until {} and does not count on {day}", it.until),
            WaiverState::Unused(why) => format!("it fits nothing: {why}"),
        };
        message::say(&format!(
            "warning: {file}: waiver of {}/{}, {}: {why}",
            it.pack, it.clause, it.subject
        ));
    }
}

fn read_declared(path: &Path) -> anyhow::Result<Declared> {
    let text = read_text(path)?;
    Declared::read(&text).map_err(|it| diagnose::mistake(path, &text, &it.message, it.span))
}

fn write(audit: &Audit, args: &args::Audited, format: &str) -> anyhow::Result<()> {
    let renderer = farshore_report::output(format).context("no such format")?;
    let borders = if format == Format::Html.id() { borders() } else { Vec::new() };
    let to_file = args.out.output.is_some();
    let options = Options {
        sections: Sections {
            flows: args.with.contains(&Section::Flows),
            observations: args.with.contains(&Section::Observations),
        },
        color: output::color(args.out.color, to_file),
        width: output::width(),
        borders: &borders,
        jobs: args.effort.jobs(),
    };
    output::write(args.out.output.as_deref(), args.out.force, &mut |out| {
        renderer.render(audit, &options, out)
    })
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
