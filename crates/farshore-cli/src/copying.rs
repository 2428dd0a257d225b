//! `-w`: the frames of a capture that were read, in a file of their own. The capture is read once more for it, when the audit was made.

use std::io;
use std::path::Path;

use farshore::{Audit, Origin, Reading};

use crate::inputs::Source;
use crate::{args, message, output};

/// What is to be copied, and where.
pub(crate) struct Copying<'a> {
    source: &'a Source,
    frames: &'a args::Frames,
    to: &'a Path,
    force: bool,
    quiet: bool,
}

impl<'a> Copying<'a> {
    /// Refuses early what would be refused late.
    pub(crate) fn new(to: &'a Path, sources: &'a [Source], args: &'a args::Audited, beside: &args::Beside) -> anyhow::Result<Self> {
        output::check(Some(to), beside.out.force)?;
        anyhow::ensure!(
            !output::is_dash(Some(to)),
            "-w -: the answer goes to standard output; name a file for the frames"
        );
        let [source] = sources else {
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
            frames: &args.frames,
            to,
            force: beside.out.force,
            quiet: args.voice.quiet,
        })
    }

    /// Writes it, whole or not at all. What came of a simulated world says so still.
    pub(crate) fn write(&self, audit: &Audit) -> anyhow::Result<()> {
        let how = Reading {
            filter: self.frames.filter()?,
            ..Reading::default()
        };
        let own = concat!("farshore ", env!("CARGO_PKG_VERSION"));
        let application = match audit.inputs.iter().find_map(|it| it.world.as_ref()) {
            Some(world) => format!("farshore-lab world={world} copied by {own}"),
            None => own.to_owned(),
        };
        let words = self.frames.words();
        let comment = match words {
            Some(_) => format!("frames of {} that fit a capture filter", self.source.name()),
            None => format!("frames of {}", self.source.name()),
        };
        // Whoever reads it must know that frames are missing, be it by this filter or by that of the capture.
        let before = audit.inputs.iter().find_map(|it| it.filter.as_ref()).map(|it| it.as_str());
        let both = match (before, words) {
            (Some(before), Some(words)) => Some(format!("({before}) and ({words})")),
            (before, words) => before.or(words).map(str::to_owned),
        };
        let origin = Origin {
            application: &application,
            comment: &comment,
            filter: both.as_deref(),
        };
        let mut unfit = 0;
        output::write(Some(self.to), self.force, &mut |out| {
            unfit = farshore::copy(self.source.open()?, &how, out, origin).map_err(io::Error::other)?;
            Ok(())
        })?;
        if unfit > 0 && !self.quiet {
            message::say(&format!(
                "warning: -w {}: {unfit} frames without a time or a link type were not written",
                message::shown(self.to)
            ));
        }
        Ok(())
    }
}
