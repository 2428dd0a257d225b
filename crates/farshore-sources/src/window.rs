//! A bounded window onto an input: the only place that calls `read`.

use std::io::{ErrorKind, Read};

use crate::container::{Compression, Shared};
use crate::{Limits, ReadError};

/// Bytes asked of the reader at once.
const CHUNK: usize = 1 << 18;
/// Inflated bytes below which no ratio is suspicious.
const SMALL: u64 = 1 << 26;

/// A bounded window onto an input, decompressed if need be.
pub struct Window<'r> {
    file: Shared<'r>,
    inner: Box<dyn Read + 'r>,
    compression: Compression,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes consumed so far.
    position: u64,
    ended: bool,
    /// Why the decompressor gave up.
    fault: Option<String>,
    pub(crate) limits: Limits,
}

/// What is known of a file when it has been read.
pub(crate) struct Whole {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    /// The name of the compression around it.
    pub(crate) compression: Option<&'static str>,
    pub(crate) fault: Option<String>,
}

impl<'r> Window<'r> {
    pub(crate) fn new(reader: Box<dyn Read + 'r>, limits: Limits) -> Result<Self, ReadError> {
        let file = Shared::new(reader);
        let (compression, inner) = file.inside().map_err(|source| ReadError {
            offset: file.seen(),
            source,
        })?;
        Ok(Self {
            file,
            inner,
            compression,
            buffer: vec![0; CHUNK],
            start: 0,
            end: 0,
            position: 0,
            ended: false,
            fault: None,
            limits,
        })
    }

    /// Makes at least `n` bytes available, if the input has them. `n` must have been checked against a limit.
    pub(crate) fn fill(&mut self, n: usize) -> Result<bool, ReadError> {
        while self.bytes().len() < n && !self.ended {
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end = self.end.saturating_sub(self.start);
                self.start = 0;
            }
            let room = n.max(CHUNK);
            if self.buffer.len() < room {
                self.buffer.resize(room, 0);
            }
            match self.inner.read(self.buffer.get_mut(self.end..).unwrap_or_default()) {
                Ok(0) => self.ended = true,
                Ok(got) => {
                    self.end = self.end.saturating_add(got);
                    self.watch_inflation();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A compressed file that is cut or damaged is read as far as it inflates.
                Err(error) if self.compression != Compression::None => {
                    self.stop(format!(
                        "the {} data cannot be inflated further: {error}",
                        self.compression.name().unwrap_or_default()
                    ));
                }
                Err(source) => {
                    return Err(ReadError {
                        offset: self.position.saturating_add(self.bytes().len() as u64),
                        source,
                    });
                }
            }
        }
        Ok(self.bytes().len() >= n)
    }

    /// What is available.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Steps over `n` available bytes.
    pub(crate) fn consume(&mut self, n: usize) {
        let n = n.min(self.bytes().len());
        self.start = self.start.saturating_add(n);
        self.position = self.position.saturating_add(n as u64);
    }

    /// The `n` bytes just consumed: they stay in place until the next [`Window::fill`].
    pub(crate) fn consumed(&self, n: usize) -> &[u8] {
        self.start
            .checked_sub(n)
            .and_then(|from| self.buffer.get(from..self.start))
            .unwrap_or_default()
    }

    /// Steps over `n` bytes without holding them at once; tells whether there were so many.
    pub(crate) fn skip(&mut self, mut n: u64) -> Result<bool, ReadError> {
        while n > 0 {
            if self.bytes().is_empty() && !self.fill(1)? {
                return Ok(false);
            }
            let step = usize::try_from(n).unwrap_or(usize::MAX).min(self.bytes().len());
            self.consume(step);
            n = n.saturating_sub(step as u64);
        }
        Ok(true)
    }

    /// Bytes consumed so far, decompressed: what offsets in messages count.
    pub(crate) const fn position(&self) -> u64 {
        self.position
    }

    /// Bytes of the file read so far: what progress counts.
    pub(crate) fn file_position(&self) -> u64 {
        self.file.seen()
    }

    /// Why the decompressor gave up, if it did.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// Reads the file to its end.
    pub(crate) fn finish(self) -> Result<Whole, ReadError> {
        let offset = self.file.seen();
        let (bytes, sha256) = self.file.finish().map_err(|source| ReadError { offset, source })?;
        Ok(Whole {
            bytes,
            sha256,
            compression: self.compression.name(),
            fault: self.fault,
        })
    }

    /// A few bytes can inflate to days of work: beyond the ceiling the rest is left alone, and that is said.
    fn watch_inflation(&mut self) {
        let inflated = self.position.saturating_add(self.bytes().len() as u64);
        let most = self.file.seen().saturating_mul(self.limits.inflation_ratio);
        if self.compression != Compression::None && inflated > SMALL && inflated > most {
            self.stop(format!(
                "the file inflates to more than {} times its size; the rest was not read",
                self.limits.inflation_ratio
            ));
        }
    }

    fn stop(&mut self, fault: String) {
        self.ended = true;
        self.fault = Some(fault);
    }
}
