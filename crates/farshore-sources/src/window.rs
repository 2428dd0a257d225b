//! A bounded window onto an input: the only place that calls `read`.

use std::io::{ErrorKind, Read};

use sha2::{Digest, Sha256};

use crate::{Limits, ReadError};

/// Bytes asked of the reader at once.
const CHUNK: usize = 1 << 18;

/// A bounded window onto an input, with the digest of everything that went through.
pub struct Window<'r> {
    inner: Box<dyn Read + 'r>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes consumed so far.
    position: u64,
    digest: Sha256,
    ended: bool,
    pub(crate) limits: Limits,
}

impl<'r> Window<'r> {
    pub(crate) fn new(inner: Box<dyn Read + 'r>, limits: Limits) -> Self {
        Self {
            inner,
            buffer: vec![0; CHUNK],
            start: 0,
            end: 0,
            position: 0,
            digest: Sha256::new(),
            ended: false,
            limits,
        }
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
                    let filled = self.end.saturating_add(got);
                    self.digest.update(self.buffer.get(self.end..filled).unwrap_or_default());
                    self.end = filled;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
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

    /// Bytes consumed so far.
    pub(crate) const fn position(&self) -> u64 {
        self.position
    }

    /// Reads to the end: its length, and its SHA-256 in hex.
    pub(crate) fn finish(mut self) -> Result<(u64, String), ReadError> {
        self.skip(u64::MAX)?;
        let hex = self.digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((self.position, hex))
    }
}
