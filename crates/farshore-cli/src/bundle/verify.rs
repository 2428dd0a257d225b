//! `farshore bundle verify`: the checks, one by one, each told. Nothing of a bundle is written anywhere or used as a path, and no
//! file is opened that the command line of `verify` does not name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use farshore::Datasets;
use farshore_report::bundle::archive::{self, Contents, ReadError};
use farshore_report::bundle::envelope::{Envelope, signed_bytes};
use farshore_report::bundle::statement::{Statement, Tool};
use farshore_report::bundle::{Check, Refusal, hex};
use farshore_report::escape;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::keys::{self, Public};
use crate::audit::{self, Asked};
use crate::inputs::{self, Source};
use crate::shelf::Shelf;
use crate::{args, message, output};

/// Runs the verb.
pub(super) fn run(args: &args::BundleVerify) -> anyhow::Result<ExitCode> {
    output::check(args.output.as_deref(), args.force)?;
    // What the user got wrong is no fault of the bundle: it is told before anything is checked.
    let signers = args.signer.as_deref().map(keys::signers).transpose()?;
    let given = Given::of(args)?;
    let mut told = Told::default();
    let end = check(args, signers.as_deref(), &given, &mut told)?;
    output::write(args.output.as_deref(), args.force, &mut |out| match args.format {
        args::ListFormat::Terminal => told.lines(args, end.as_ref(), out),
        args::ListFormat::Json => told.object(end.as_ref(), out),
    })?;
    Ok(ExitCode::from(match end {
        None => 0,
        Some(End::Failed(_)) => 1,
        Some(End::CannotRerun(_)) => 3,
    }))
}

/// What is given to do the audit again with.
struct Given {
    inputs: Vec<(Source, String)>,
    files: Vec<(PathBuf, Vec<u8>, String)>,
}

impl Given {
    fn of(args: &args::BundleVerify) -> anyhow::Result<Self> {
        let mut all = Vec::new();
        for source in inputs::sources(&args.inputs, None, &[], &Shelf::Disk)? {
            let digest = source.digest().with_context(|| source.shown())?;
            all.push((source, digest));
        }
        let mut files = Vec::new();
        let named = [
            &args.known,
            &args.keys,
            &args.digest_key,
            &args.subject,
            &args.basis,
            &args.mmdb,
            &args.ranges,
        ];
        for path in named.into_iter().flatten() {
            let bytes = std::fs::read(path).with_context(|| message::shown(path))?;
            let digest = hex(&Sha256::digest(&bytes));
            files.push((path.clone(), bytes, digest));
        }
        Ok(Self { inputs: all, files })
    }
}

/// Why it is not all well.
enum End {
    /// The bundle does not stand.
    Failed(Refusal),
    /// What can be checked without the audit stands; the audit cannot be done again.
    CannotRerun(Refusal),
}

impl From<Refusal> for End {
    fn from(it: Refusal) -> Self {
        Self::Failed(it)
    }
}

/// What was checked, and what it gave.
#[derive(Default)]
struct Told {
    passed: Vec<(Check, String)>,
    left_out: Vec<(Check, &'static str)>,
    signer: Option<Public>,
}

/// Does all that can be done. The outer error: a file could not be read.
fn check(args: &args::BundleVerify, signers: Option<&[Public]>, given: &Given, told: &mut Told) -> anyhow::Result<Option<End>> {
    let read = File::open(&args.bundle).and_then(|file| {
        let folder = file.metadata()?.is_dir();
        if folder { Err(io::Error::other("is a folder")) } else { Ok(file) }
    });
    let mut file = BufReader::new(read.with_context(|| message::shown(&args.bundle))?);
    let contents = match archive::read(&mut file) {
        Ok(it) => it,
        Err(ReadError::Refused(it)) => return Ok(Some(it.into())),
        Err(ReadError::Io(error)) => return Err(error).with_context(|| message::shown(&args.bundle)),
    };
    let bytes: u64 = contents.members.iter().map(|it| it.size).sum();
    told.pass(
        Check::Archive,
        format!("an envelope and {}, {bytes} bytes", count(contents.members.len(), "member")),
    );
    let statement = match signed(&contents, signers, told) {
        Ok(it) => it,
        Err(it) => return Ok(Some(it.into())),
    };
    if given.inputs.is_empty() {
        for check in [Check::Inputs, Check::Files, Check::Tool, Check::Report] {
            told.left_out.push((check, "no inputs were given: the audit was not re-run"));
        }
        return Ok(None);
    }
    rerun(args, &contents, &statement, given, told)
}

/// Who states what, and whether the members are those stated.
fn signed(contents: &Contents, signers: Option<&[Public]>, told: &mut Told) -> Result<Statement, Refusal> {
    let envelope = Envelope::read(&contents.envelope)?;
    told.pass(Check::Envelope, "DSSE, one signature".to_owned());
    let statement = Statement::read(&envelope.payload)?;
    let predicate = &statement.predicate;
    let again = Again::of(&statement)?;
    if again.audited.show_pii != predicate.show_pii || again.audited.effort.limits() != predicate.limits {
        return Err(Refusal::new(
            Check::Statement,
            "its command line is not of the limits or the masking that it tells",
        ));
    }
    told.pass(
        Check::Statement,
        format!(
            "{} {}, {}, {}",
            predicate.tool.name,
            predicate.tool.version,
            count(predicate.inputs.len(), "input"),
            if predicate.show_pii {
                "values shown as they are"
            } else {
                "values masked"
            }
        ),
    );
    let refused = |check, because: &str| Err(Refusal::new(check, because));
    let Some(key) = Public::parse(&predicate.signer.key) else {
        return refused(Check::Signature, "the statement names no key of a type that signs bundles");
    };
    if envelope.keyid != key.fingerprint() || predicate.signer.fingerprint != key.fingerprint() {
        return refused(Check::Signature, "envelope and statement name different keys");
    }
    if !key.verifies(&signed_bytes(&envelope.payload), &envelope.signature) {
        return refused(Check::Signature, "it is not the stated key's over these bytes");
    }
    told.pass(Check::Signature, format!("{} {}", key.kind(), key.fingerprint()));
    told.signer = Some(key.clone());
    match signers {
        None => {
            let because = format!(
                "signed with the key {} ({}), which the bundle itself names; --signer FILE says whose it should be",
                key.fingerprint(),
                key.kind()
            );
            return Err(Refusal::new(Check::Signer, because));
        }
        Some(signers) if !signers.contains(&key) => {
            let expected: Vec<_> = signers.iter().map(Public::fingerprint).collect();
            let because = format!("signed with the key {}; expected {}", key.fingerprint(), expected.join(" or "));
            return Err(Refusal::new(Check::Signer, because));
        }
        Some(_) => told.pass(Check::Signer, "the key of --signer".to_owned()),
    }
    statement.agrees(&contents.members)?;
    let names: Vec<_> = contents.members.iter().map(|it| it.name.as_str()).collect();
    told.pass(Check::Members, format!("as stated: {}", names.join(", ")));
    Ok(statement)
}

/// The command line of a bundle, as this version understands it.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true, color = clap::ColorChoice::Never)]
struct Again {
    #[command(flatten)]
    audited: args::Audited,
}

impl Again {
    fn of(statement: &Statement) -> Result<Self, Refusal> {
        let refused = |because: String| Refusal::new(Check::Statement, because);
        let Some(["farshore", "bundle", "make"]) = statement
            .predicate
            .command
            .first_chunk::<3>()
            .map(|it| it.each_ref().map(String::as_str))
        else {
            return Err(refused("its command line is none of `farshore bundle make`".to_owned()));
        };
        let flags = statement.predicate.command.iter().skip(3);
        let mut again = Self::try_parse_from(flags).map_err(|it| {
            let what = it.to_string();
            refused(format!(
                "its command line is not understood here: {}",
                what.lines().next().unwrap_or_default()
            ))
        })?;
        let inputs: Vec<_> = statement.inputs().map(|(subject, _)| PathBuf::from(&subject.name)).collect();
        if again.audited.input.paths() != inputs {
            return Err(refused("its command line is not of its inputs".to_owned()));
        }
        // How many threads read is the verifier's own affair.
        again.audited.effort.jobs = None;
        Ok(again)
    }
}

/// Does the audit again, with what the statement names and nothing else.
fn rerun(
    args: &args::BundleVerify,
    contents: &Contents,
    statement: &Statement,
    given: &Given,
    told: &mut Told,
) -> anyhow::Result<Option<End>> {
    let predicate = &statement.predicate;
    let failed = |check, because: String| Ok(Some(End::Failed(Refusal::new(check, because))));
    let cannot = |check, because: String| Ok(Some(End::CannotRerun(Refusal::new(check, because))));

    // Each input given is one of those stated, whatever its name is here.
    let mut left: Vec<&(Source, String)> = given.inputs.iter().collect();
    let mut sources = Vec::new();
    let mut missing = Vec::new();
    for (subject, input) in statement.inputs() {
        match left.iter().position(|(_, digest)| *digest == subject.digest.sha256) {
            Some(at) => sources.push(left.remove(at).0.known_as(&input.path, &input.labels)),
            None => missing.push(format!("`{}`", subject.name)),
        }
    }
    if let Some((source, digest)) = left.first() {
        let because = format!("{} is none of those stated: its SHA-256 is {digest}", source.shown());
        return failed(Check::Inputs, because);
    }
    if !missing.is_empty() {
        return cannot(Check::Inputs, format!("not given: {}", missing.join(", ")));
    }
    told.pass(Check::Inputs, format!("as stated: {}", count(sources.len(), "input")));

    let mut held = BTreeMap::new();
    let mut used = BTreeSet::new();
    let mut missing = Vec::new();
    for file in predicate.files.iter().filter(|it| it.needed) {
        let member = file
            .member
            .as_ref()
            .and_then(|name| contents.members.iter().find(|it| it.name == *name));
        let brought = given.files.iter().find(|(_, _, digest)| *digest == file.sha256);
        if let Some(bytes) = member.and_then(|it| it.kept.as_ref()) {
            held.insert(PathBuf::from(&file.name), bytes.clone());
        } else if let Some((_, bytes, digest)) = brought {
            used.insert(digest);
            held.insert(PathBuf::from(&file.name), bytes.clone());
        } else {
            missing.push(format!("--{} `{}`", file.flag, file.name));
        }
    }
    if let Some((path, _, digest)) = given.files.iter().find(|(_, _, digest)| !used.contains(digest)) {
        let because = format!("{} is none of those stated: its SHA-256 is {digest}", message::shown(path));
        return failed(Check::Files, because);
    }
    if !missing.is_empty() {
        let because = format!("not given, and not in the bundle: {}", missing.join(", "));
        return cannot(Check::Files, because);
    }
    told.pass(Check::Files, format!("as stated: {}", count(held.len(), "file")));

    let version = env!("CARGO_PKG_VERSION");
    if predicate.tool.version != version {
        let because = format!("the bundle is of farshore {}, this is {version}", predicate.tool.version);
        return cannot(Check::Tool, because);
    }
    if let Some(because) = other_data(&predicate.tool) {
        return cannot(Check::Tool, because);
    }
    let mut again = match Again::of(statement) {
        Ok(it) => it.audited,
        Err(it) => return Ok(Some(it.into())),
    };
    again.effort.jobs = args.jobs;
    again.voice = args::Voice {
        verbose: 0,
        quiet: args.quiet,
    };
    let files = Shelf::Holding(held);
    let asked = Asked {
        files: &files,
        every_fact: true,
        ..Asked::default()
    };
    let judged = match audit::judge(&again, &sources, &asked) {
        Ok(it) => it,
        Err(error) => return failed(Check::Report, format!("the audit could not be done again: {error:#}")),
    };
    let tool = Tool::of(&judged.audit.tool);
    if tool != predicate.tool {
        return cannot(Check::Tool, "data sets or packs are others than the bundle's".to_owned());
    }
    told.pass(Check::Tool, format!("farshore {version}, data and packs as stated"));
    for (name, format) in super::RENDERINGS {
        let (bytes, digest) = super::render(&judged.audit, format, again.effort.jobs(), &mut io::sink())?;
        let stated = contents.members.iter().find(|it| it.name == name);
        if stated.is_none_or(|it| it.sha256 != digest || it.size != bytes) {
            let because = format!("the audit done again gives another `{name}`: {bytes} bytes, SHA-256 {digest}");
            return failed(Check::Report, because);
        }
    }
    let names = super::RENDERINGS.map(|(name, _)| name);
    told.pass(Check::Report, format!("reproduced byte for byte: {}", names.join(", ")));
    judged.leave();
    Ok(None)
}

/// Which data set is built in here in another edition than stated, before hours of work are spent.
fn other_data(tool: &Tool) -> Option<String> {
    let here: Vec<_> = Datasets::embedded()
        .describe()
        .into_iter()
        .chain(Datasets::with_fictional().describe())
        .collect();
    let other = tool.data.iter().find(|stated| {
        let mut same_name = here.iter().filter(|it| it.name == stated.name).peekable();
        same_name.peek().is_some() && !same_name.any(|it| it.sha256 == stated.sha256 && it.edition == stated.edition)
    })?;
    Some(format!(
        "the data set `{}` of the bundle, edition {}, is another than the one built in here",
        other.name, other.edition
    ))
}

fn count(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        all => format!("{all} {what}s"),
    }
}

impl Told {
    fn pass(&mut self, check: Check, how: String) {
        self.passed.push((check, how));
    }

    /// Each check with its answer, in their order.
    fn answers<'a>(&'a self, end: Option<&'a End>) -> impl Iterator<Item = (Check, &'static str, &'a str)> {
        let ended = match end {
            Some(End::Failed(it)) => Some((it, "failed")),
            Some(End::CannotRerun(it)) => Some((it, "cannot-tell")),
            None => None,
        };
        Check::ALL.into_iter().map(move |check| {
            let passed = self
                .passed
                .iter()
                .find(|(it, _)| *it == check)
                .map(|(_, how)| (check, "ok", how.as_str()));
            let end = ended
                .filter(|(it, _)| it.check == check)
                .map(|(it, how)| (check, how, it.because.as_str()));
            let left_out = self.left_out.iter().find(|(it, _)| *it == check).map(|(_, why)| *why);
            let rest = (check, "not-checked", left_out.unwrap_or("a check before it did not pass"));
            end.or(passed).unwrap_or(rest)
        })
    }

    fn lines(&self, args: &args::BundleVerify, end: Option<&End>, out: &mut dyn Write) -> io::Result<()> {
        for (check, answer, how) in self.answers(end) {
            let answer = answer.replace('-', " ");
            writeln!(out, "{:<9}  {answer:<11}  {}", check.id(), escape::visible(how))?;
        }
        let bundle = message::shown(&args.bundle);
        match end {
            None if self.left_out.is_empty() => writeln!(out, "{bundle}: genuine, and reproduced"),
            None => writeln!(out, "{bundle}: genuine; not re-run, which takes its inputs"),
            Some(End::Failed(it)) => writeln!(out, "{bundle}: not verified: {}", it.check.id()),
            Some(End::CannotRerun(it)) => writeln!(
                out,
                "{bundle}: cannot re-run: {}; signature and members were checked and stand",
                it.check.id()
            ),
        }
    }

    fn object(&self, end: Option<&End>, out: &mut dyn Write) -> io::Result<()> {
        let outcome = match end {
            None => "genuine",
            Some(End::Failed(_)) => "not-verified",
            Some(End::CannotRerun(_)) => "cannot-re-run",
        };
        let checks: Vec<_> = self
            .answers(end)
            .map(|(check, answer, because)| json!({ "check": check.id(), "answer": answer, "because": escape::visible(because) }))
            .collect();
        let signer = self
            .signer
            .as_ref()
            .map(|it| json!({ "type": it.kind(), "fingerprint": it.fingerprint() }));
        let reproduced = self.passed.iter().any(|(it, _)| *it == Check::Report);
        let all =
            json!({ "schema": "farshore.bundle/1", "outcome": outcome, "reproduced": reproduced, "signer": signer, "checks": checks });
        serde_json::to_writer(&mut *out, &all)?;
        writeln!(out)
    }
}
