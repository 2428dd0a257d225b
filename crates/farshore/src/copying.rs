//! The frames of a capture that are read, copied to a capture of their own. Owns which they are; refuses what has no frames.

use std::io::{self, Read, Write};

use farshore_model::InputId;
use farshore_sources::{AtOnce, Copied, Copier, OpenError, Opened};

use crate::auditor::{Reading, without_frames};

/// How many frames were copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    /// Those that were written.
    pub written: u64,
    /// Those that could not be: without a time, or of a link type without a number.
    pub unfit: u64,
}

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

/// What a copy says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// What wrote it.
    pub application: &'a str,
    /// Of what.
    pub comment: &'a str,
    /// The filter that its frames fit, if there is one.
    pub filter: Option<&'a str>,
}

/// Copies the frames that `how` reads to a pcapng.
pub fn copy(reader: impl Read, how: &Reading, out: impl Write, origin: Origin<'_>) -> Result<Copies, CopyError> {
    let mut capture = match farshore_sources::open_any(InputId(0), reader, how.source, AtOnce::default())? {
        Opened::Capture(capture) => capture,
        Opened::Records(_) | Opened::Rows(_) => return Err(without_frames("there are no frames to copy").into()),
    };
    let mut copier = Copier::new(out, origin.application, origin.comment, origin.filter)?;
    let mut copies = Copies::default();
    while capture.advance().map_err(OpenError::from)? {
        let frame = capture.frame();
        if !how.takes(&frame) {
            continue;
        }
        let count = match copier.frame(&frame)? {
            Copied::Written => &mut copies.written,
            Copied::Unfit => &mut copies.unfit,
        };
        *count = count.saturating_add(1);
    }
    copier.finish()?;
    Ok(copies)
}
