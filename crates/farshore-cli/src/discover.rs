//! `farshore discover`: reads the inputs, compares their conversations, writes what was found and the argument for it.

use std::process::ExitCode;

use anyhow::Context;
use farshore::model::audit::{Audit, Tool};
use farshore::{Detecting, Detectors};
use farshore_report::Options;

use crate::args;
use crate::reading::{self, How, limits};
use crate::shelf::Shelf;
use crate::{inputs, output};

/// Runs the verb.
pub(crate) fn run(args: &args::Discover) -> anyhow::Result<ExitCode> {
    output::check(args.out.file(), args.out.force)?;
    let sources = inputs::named(&args.input, &Shelf::Disk)?;
    let mut ceilings = limits(&args.effort.limit)?;
    ceilings.reading.opaque = args.opaque;
    let detectors = Detectors::new(
        &[],
        Detecting {
            limits: ceilings.detecting,
            ..Detecting::default()
        },
    )?;
    let how = How {
        filter: args.frames.filter()?,
        extraction: None,
        limits: &ceilings.reading,
        keys: &args.input.keys,
        files: &Shelf::Disk,
        every_fact: false,
        specimens: true,
        jobs: args.effort.jobs(),
        verbose: args.voice.verbose,
        quiet: args.voice.quiet,
    };
    let (ledger, unreadable) = reading::read(&sources, &how, &detectors)?;
    let discovery = farshore::discover(&ledger);
    let audit = Audit {
        tool: Tool {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Tool::default()
        },
        inputs: ledger.inputs,
        coverage: ledger.coverage,
        discovery: Some(discovery),
        ..Audit::default()
    };
    let options = Options {
        color: output::color(args.out.color, args.out.file().is_some()),
        width: output::width(),
        jobs: args.effort.jobs(),
        ..Options::default()
    };
    let renderer = farshore_report::output(args.format.id()).context("no such format")?;
    output::write(args.out.file(), args.out.force, &mut |out| match args.format {
        args::DiscoverFormat::Terminal => farshore_report::terminal::discovery(&audit, &options, out),
        _ => renderer.render(&audit, &options, out),
    })?;
    Ok(if unreadable > 0 { ExitCode::from(2) } else { ExitCode::SUCCESS })
}
