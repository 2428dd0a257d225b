//! The frames of a capture that are read, copied to a capture of their own. Owns which they are; refuses what has no frames.

use std::io::{self, Read, Write};

use farshore_model::InputId;
use farshore_sources::{Copied, Copier, OpenError, Opened, Origin, Unneeded};

use crate::auditor::{Reading, without_frames};

/// Why nothing, or not all, was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The input is not what is copied.
    #[error(transparent)]
    Input(#[from] OpenError),
    /// It could not be written.
    #[error("{0}")]
    Output(#[from] io::Error),
}

/// Copies the frames that `how` reads to a pcapng. Tells how many could not be written: those without a time, or of a link type without a
/// number.
pub fn copy(reader: impl Read, how: &Reading, out: impl Write, origin: Origin<'_>) -> Result<u64, CopyError> {
    let mut capture = match farshore_sources::open_any(InputId(0), reader, how.source, Unneeded)? {
        Opened::Capture(capture) => capture,
        Opened::Records(_) | Opened::Rows(_) => return Err(without_frames("there are no frames to copy").into()),
    };
    let mut copier = Copier::new(out, origin)?;
    let mut unfit = 0_u64;
    while capture.advance().map_err(OpenError::from)? {
        let frame = capture.frame();
        if how.takes(&frame) && copier.frame(&frame)? == Copied::Unfit {
            unfit = unfit.saturating_add(1);
        }
    }
    copier.finish()?;
    Ok(unfit)
}
