//! `farshore audit`: reads the inputs side by side, merges them in the order given, judges, writes. Other verbs that audit do it
//! through here.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use farshore::model::Date;
use farshore::model::verdict::WaiverState;
use farshore::parties::{Brought, globe::Vantage};
use farshore::policy::{self, Baseline, Basis, DataSubject, Scope, Waivers, pack::Pack};
use farshore::{
    Audit, Circumstances, Datasets, Declared, Detecting, DetectingLimits, Detectors, DigestKey, Known, Ledger, Mistake, Replies, known,
};
use farshore_report::{BorderShape, Options, Sections};

use crate::args::{self, Format, Section};
use crate::copying::Copying;
use crate::extract::Extraction;
use crate::inputs::Source;
use crate::reading::{self, How, limits, warn_of_judging};
use crate::shelf::Shelf;
use crate::{atlas, diagnose, inputs, message, output};

/// Runs the verb.
pub(crate) fn run(args: &args::Audit) -> anyhow::Result<ExitCode> {
    let judged = judged(&args.audited, &args.beside, None)?;
    judged.write(&args.audited, &args.beside, args.format.id())?;
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
    pub(crate) fn write(&self, args: &args::Audited, beside: &args::Beside, format: &str) -> anyhow::Result<()> {
        write(&self.audit, args, beside, format)
    }

    /// The process ends here: handing millions of small pieces back one by one would only take time.
    pub(crate) fn leave(self) {
        std::mem::forget(self.audit);
    }
}

/// From arguments to a judged audit, with what is written beside it. Of what a baseline holds only what is new counts.
pub(crate) fn judged(args: &args::Audited, beside: &args::Beside, baseline: Option<&Baseline>) -> anyhow::Result<Judged> {
    output::check(beside.out.file(), beside.out.force)?;
    output::check(beside.links.as_deref(), beside.out.force)?;
    anyhow::ensure!(
        !output::is_dash(beside.links.as_deref()) || beside.out.file().is_some(),
        "--links -: the answer goes to standard output; name a file for one of the two"
    );
    let sources = inputs::named(&args.input, &Shelf::Disk)?;
    let copy = beside
        .write
        .as_deref()
        .map(|to| Copying::new(to, &sources, args, beside))
        .transpose()?;
    let extraction = extraction(beside)?;
    let asked = Asked {
        every_fact: beside.with.contains(&Section::Observations),
        extraction: extraction.as_ref(),
        baseline,
        ..Asked::default()
    };
    let judged = judge(args, &sources, &asked)?;
    if let Some(path) = &beside.links {
        output::write(Some(path), beside.out.force, &mut |out| {
            farshore_report::graphml::render(&judged.audit, out)
        })?;
    }
    if let Some(copy) = copy {
        copy.write(&judged.audit)?;
    }
    Ok(judged)
}

/// What an audit is made of beside its flags and inputs.
pub(crate) struct Asked<'a> {
    /// Where the files are read from that flags name.
    pub(crate) files: &'a Shelf,
    /// Keep every fact.
    pub(crate) every_fact: bool,
    /// What of the media is to be written to files.
    pub(crate) extraction: Option<&'a Extraction>,
    /// What was there before.
    pub(crate) baseline: Option<&'a Baseline>,
    /// Values to look for beside those that `--known` names.
    pub(crate) more: &'a [Known],
}

impl Default for Asked<'_> {
    fn default() -> Self {
        static DISK: Shelf = Shelf::Disk;
        Self {
            files: &DISK,
            every_fact: false,
            extraction: None,
            baseline: None,
            more: &[],
        }
    }
}

/// Reads the inputs that the flags name, and judges them.
pub(crate) fn of_disk(args: &args::Audited, asked: &Asked<'_>) -> anyhow::Result<Judged> {
    judge(args, &inputs::named(&args.input, asked.files)?, asked)
}

/// Reads these inputs and judges them.
pub(crate) fn judge(args: &args::Audited, sources: &[Source], asked: &Asked<'_>) -> anyhow::Result<Judged> {
    let judging = Judging::new(args, sources, asked)?;
    let how = How {
        filter: args.frames.filter()?,
        extraction: asked.extraction,
        limits: &judging.ceilings.reading,
        keys: &args.input.keys,
        files: asked.files,
        every_fact: asked.every_fact,
        specimens: sources.len() > 1,
        jobs: args.effort.jobs(),
        verbose: args.voice.verbose,
        quiet: args.voice.quiet,
    };
    let (ledger, unreadable) = reading::read(sources, &how, &judging.detectors)?;
    if let Some(app) = &args.app {
        check_app(&ledger, app)?;
    }
    if let Some(extraction) = asked.extraction {
        extraction.write(args.app.as_deref().map(|app| ledger.of_app(app)).as_deref(), args.voice.quiet)?;
    }
    let audit = judging.audit(ledger);
    judging.warn(&audit);
    Ok(Judged { audit, unreadable })
}

/// All that an audit is judged by, read from the files that the flags name before the first input is opened.
pub(crate) struct Judging<'a> {
    args: &'a args::Audited,
    baseline: Option<&'a Baseline>,
    pub(crate) ceilings: reading::Ceilings,
    pub(crate) detectors: Detectors,
    fingerprint: Option<String>,
    packs: Vec<Pack>,
    scope: Option<Scope>,
    subject: Option<DataSubject>,
    basis: Option<Basis>,
    declared: Option<Declared>,
    waivers: Option<Waivers>,
    replies: Option<Replies>,
    as_of: Option<Date>,
    vantage: Option<Vantage>,
    brought: Brought,
}

impl<'a> Judging<'a> {
    pub(crate) fn new(args: &'a args::Audited, sources: &[Source], asked: &Asked<'a>) -> anyhow::Result<Self> {
        let files = asked.files;
        let ceilings = limits(&args.effort.limit)?;
        let key = args.digest_key.as_deref().map(|it| digest_key(it, files)).transpose()?;
        let fingerprint = key.as_ref().and_then(DigestKey::fingerprint);
        let detectors = detectors(args, key, ceilings.detecting.clone(), asked)?;
        let packs = packs(&args.policy, files)?;
        let scope = told("scope", args.scope.as_deref(), files, Scope::read)?;
        let subject = told("subject", args.subject.as_deref(), files, DataSubject::read)?;
        let basis = told("basis", args.basis.as_deref(), files, Basis::read)?;
        let declared = told("declared", args.declared.as_deref(), files, Declared::read)?;
        let waivers = told("waivers", args.waivers.as_deref(), files, Waivers::read)?;
        let replies = told("replies", args.replies.as_deref(), files, Replies::read)?;
        let as_of = args
            .as_of
            .as_deref()
            .map(|it| Date::parse(it).with_context(|| format!("--as-of {it}: expected YYYY-MM-DD")))
            .transpose()?;
        let taken_at = args.vantage.as_deref().map(|it| vantage("--vantage", it)).transpose()?;
        for source in sources {
            if let Some(label) = source.labels.get("vantage").filter(|it| !it.is_empty()) {
                vantage(&format!("{}: label vantage", source.shown()), label)?;
            }
        }
        Ok(Self {
            args,
            baseline: asked.baseline,
            ceilings,
            detectors,
            fingerprint,
            packs,
            scope,
            subject,
            basis,
            declared,
            waivers,
            replies,
            as_of,
            vantage: taken_at,
            brought: atlas::brought(&args.atlas, files)?,
        })
    }

    /// What was read, judged.
    pub(crate) fn audit(&self, ledger: Ledger) -> Audit {
        let fictional = ledger.inputs.iter().any(|it| it.world.is_some());
        let data = if fictional {
            Datasets::with_fictional()
        } else {
            Datasets::embedded()
        };
        // Of several editions that of the capture's days is heard, whatever day dated facts are judged by.
        let data = &data.bringing(self.brought.clone(), ledger.days());
        let mut audit = farshore::judge(
            ledger,
            &Circumstances {
                data,
                packs: &self.packs,
                scope: self.scope.as_ref(),
                subject: self.subject.as_ref(),
                basis: self.basis.as_ref(),
                waivers: self.waivers.as_ref(),
                baseline: self.baseline,
                as_of: self.as_of,
                vantage: self.vantage.as_ref(),
                app: self.args.app.as_deref(),
                limits: self.ceilings.judging,
                version: env!("CARGO_PKG_VERSION"),
                show_pii: self.args.show_pii,
                jobs: self.args.effort.jobs(),
            },
        );
        audit.undeclared = self.declared.as_ref().map(|it| it.omissions(&audit));
        audit.replies = self.replies.as_ref().map(|it| it.about(&audit));
        audit.tool.digest_key.clone_from(&self.fingerprint);
        audit
    }

    /// Says what of the user's files did not come to bear, and which ceilings were hit.
    pub(crate) fn warn(&self, audit: &Audit) {
        warn_of_judging(&audit.coverage);
        if self.args.voice.quiet {
            return;
        }
        warn_of_waivers(audit, self.args.waivers.as_deref());
        for why in audit.baseline.iter().flat_map(|it| &it.apart) {
            message::say(&format!("warning: --baseline: {why}"));
        }
        warn_of_replies(audit, self.args.replies.as_deref());
    }
}

/// Whether there is anything of an app to be audited; if not, of which there is.
pub(crate) fn check_app(ledger: &Ledger, app: &str) -> anyhow::Result<()> {
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
fn extraction(args: &args::Beside) -> anyhow::Result<Option<Extraction>> {
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

fn detectors(args: &args::Audited, digest_key: Option<DigestKey>, limits: DetectingLimits, asked: &Asked<'_>) -> anyhow::Result<Detectors> {
    let mut values = Vec::new();
    let mut last = None;
    for path in &args.known {
        let text = asked.files.text("known", path)?;
        values.extend(known::read(&text).map_err(|it| diagnose::mistake(path, &text, &it.problem, it.span))?);
        last = Some(path);
    }
    for it in asked.more {
        // What the user named goes by that name.
        if values.iter().all(|other: &Known| other.value != it.value) {
            values.push(it.clone());
        }
    }
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
fn digest_key(path: &Path, files: &Shelf) -> anyhow::Result<DigestKey> {
    let key = files.bytes("digest-key", path).with_context(|| message::shown(path))?;
    anyhow::ensure!(
        !key.trim_ascii().is_empty(),
        "{}: the file is empty; expected the bytes of a secret key, such as `head -c 32 /dev/urandom` gives",
        message::shown(path)
    );
    Ok(DigestKey::new(key))
}

/// The packs named, by id or file; the default one if none is.
fn packs(named: &[String], files: &Shelf) -> anyhow::Result<Vec<Pack>> {
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
            let text = files
                .read_text("policy", path)
                .with_context(|| format!("--policy {name}: neither a built-in pack ({}) nor a file", built_in()))?;
            policy::read(&text).map_err(|it| diagnose::mistake(path, &text, &it.message, it.span))
        })
        .collect()
}

/// A pack that somebody wrote, or the parameters of a built-in one; else all its mistakes.
pub(crate) fn pack_of(path: &Path) -> anyhow::Result<Pack> {
    let text = Shelf::Disk.text("policy", path)?;
    policy::read(&text).map_err(|_| {
        let all = policy::mistakes(&text).into_iter();
        let drawn = all.map(|it| diagnose::mistake(path, &text, &it.message, it.span).to_string());
        anyhow::anyhow!("{}", drawn.collect::<Vec<_>>().join("\n\n"))
    })
}

/// A file that a user wrote, if a flag names one; a mistake in it is drawn where it stands.
fn told<T>(flag: &'static str, path: Option<&Path>, files: &Shelf, read: fn(&str) -> Result<T, Mistake>) -> anyhow::Result<Option<T>> {
    let Some(path) = path else { return Ok(None) };
    let text = files.text(flag, path)?;
    let it = read(&text).map_err(|it| diagnose::mistake(path, &text, &it.message, it.span))?;
    Ok(Some(it))
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

/// A reply that is about nothing here may be of another capture, or misspelt.
fn warn_of_replies(audit: &Audit, path: Option<&Path>) {
    let file = path.map(message::shown).unwrap_or_default();
    for it in audit.replies.iter().flatten().filter(|it| it.fits_nothing()) {
        message::say(&format!("warning: {file}: reply of {}, {}: it fits nothing here", it.by, it.date));
    }
}

fn write(audit: &Audit, args: &args::Audited, beside: &args::Beside, format: &str) -> anyhow::Result<()> {
    let renderer = farshore_report::output(format).context("no such format")?;
    let borders = if format == Format::Html.id() { borders() } else { Vec::new() };
    let to_file = beside.out.file().is_some();
    let options = Options {
        sections: Sections {
            flows: beside.with.contains(&Section::Flows),
            observations: beside.with.contains(&Section::Observations),
        },
        color: output::color(beside.out.color, to_file),
        width: output::width(),
        borders: &borders,
        jobs: args.effort.jobs(),
    };
    output::write(beside.out.file(), beside.out.force, &mut |out| {
        renderer.render(audit, &options, out)
    })
}

/// The outlines of the data set, as the report takes them.
pub(crate) fn borders() -> Vec<BorderShape> {
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
