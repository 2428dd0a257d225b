//! `-w`: the frames of a capture that were read, in a file of their own. The capture is read once more for it, when the audit was made.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use farshore::{Audit, Filter, Origin, Reading};

use crate::inputs::{self, Source};
use crate::shelf::Shelf;
use crate::{args, message, output};

/// What is to be copied, and where.
pub(crate) struct Copying {
    source: Source,
    filter: Option<Arc<Filter>>,
    /// Its words.
    words: Option<String>,
    to: PathBuf,
    force: bool,
    quiet: bool,
}

impl Copying {
    /// Refuses early what would be refused late.
    pub(crate) fn new(to: &Path, args: &args::Audited, beside: &args::Beside) -> anyhow::Result<Self> {
        output::check(Some(to), beside.out.force)?;
        anyhow::ensure!(
            !output::is_dash(Some(to)),
            "-w -: the answer goes to standard output; name a file for the frames"
        );
        let input = &args.input;
        let mut sources = inputs::sources(&input.paths(), input.labels.as_deref(), &input.label, &Shelf::Disk)?;
        let (Some(source), true) = (sources.pop(), sources.is_empty()) else {
            anyhow::bail!(
                "-w {}: the frames of one capture are written; there are several inputs",
                message::shown(to)
            );
        };
        anyhow::ensure!(
            source.bytes().is_some(),
            "-w {}: {} is read more than once for it; expected a file",
            message::shown(to),
            source.shown()
        );
        Ok(Self {
            source,
            filter: args.frames.filter()?,
            words: args.frames.words().map(str::to_owned),
            to: to.to_owned(),
            force: beside.out.force,
            quiet: args.voice.quiet,
        })
    }

    /// Writes it, whole or not at all. What came of a simulated world says so still.
    pub(crate) fn write(&self, audit: &Audit) -> anyhow::Result<()> {
        let how = Reading {
            filter: self.filter.clone(),
            ..Reading::default()
        };
        let own = concat!("farshore ", env!("CARGO_PKG_VERSION"));
        let application = match audit.inputs.iter().find_map(|it| it.world.as_ref()) {
            Some(world) => format!("farshore-lab world={world} copied by {own}"),
            None => own.to_owned(),
        };
        let comment = match &self.filter {
            Some(_) => format!("frames of {} that fit a capture filter", self.source.name()),
            None => format!("frames of {}", self.source.name()),
        };
        // Whoever reads it must know that frames are missing, be it by this filter or by that of the capture.
        let own = audit.inputs.iter().find_map(|it| it.filter.as_ref()).map(|it| it.as_str());
        let both = match (own, self.words.as_deref()) {
            (Some(own), Some(words)) => Some(format!("({own}) and ({words})")),
            (own, words) => own.or(words).map(str::to_owned),
        };
        let origin = Origin {
            application: &application,
            comment: &comment,
            filter: both.as_deref(),
        };
        let mut unfit = 0;
        output::write(Some(&self.to), self.force, &mut |out| {
            let copied = farshore::copy(self.source.open()?, &how, out, origin);
            unfit = copied.map_err(io::Error::other)?.unfit;
            Ok(())
        })?;
        if unfit > 0 && !self.quiet {
            message::say(&format!(
                "warning: -w {}: {unfit} frames without a time or a link type were not written",
                message::shown(&self.to)
            ));
        }
        Ok(())
    }
}
