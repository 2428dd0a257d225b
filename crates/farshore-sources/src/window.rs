//! A bounded window onto an input: the only place that calls `read`.
//!
//! Bytes lie in chunks that are never changed once they are read, so that others may hold on to them: nothing is copied but
//! what straddles two chunks. A chunk that nobody holds any more is read into again.

use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::sync::Arc;

use crate::container::{Compression, Shared};
use crate::digest::Digester;
use crate::{Limits, ReadError};

/// Bytes of one chunk, unless more are needed at once.
const CHUNK: usize = 1 << 20;
/// Chunks kept to be read into again.
const SPARE: usize = 32;
/// Inflated bytes below which no ratio is suspicious.
const SMALL: u64 = 1 << 26;

/// A bounded window onto an input, decompressed if need be.
pub struct Window<'r> {
    file: Shared<'r>,
    inner: Box<dyn Read + 'r>,
    compression: Compression,
    chunk: Arc<Vec<u8>>,
    /// Chunks read before, some of them held by others.
    spare: Vec<Arc<Vec<u8>>>,
    start: usize,
    end: usize,
    /// Bytes that come again and were digested before.
    digested: usize,
    /// Bytes consumed so far.
    position: u64,
    ended: bool,
    /// What has come is read before more is waited for.
    as_it_comes: bool,
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
    pub(crate) fn new(reader: Box<dyn Read + 'r>, limits: Limits, digest: Box<dyn Digester + 'r>) -> Result<Self, ReadError> {
        let file = Shared::new(reader, digest);
        let (compression, inner) = file.inside().map_err(|source| ReadError {
            offset: file.seen(),
            source,
        })?;
        let digested = if compression == Compression::None {
            file.digest_elsewhere()
        } else {
            0
        };
        Ok(Self {
            file,
            inner,
            compression,
            chunk: Arc::default(),
            spare: Vec::new(),
            start: 0,
            end: 0,
            digested,
            position: 0,
            ended: false,
            as_it_comes: false,
            fault: None,
            limits,
        })
    }

    /// From here on what has come is read before more is waited for: in a pipe, that may be for ever.
    pub(crate) const fn read_as_it_comes(&mut self) {
        self.as_it_comes = true;
    }

    /// Makes at least `n` bytes available, if the input has them. `n` must have been checked against a limit.
    #[inline]
    pub(crate) fn fill(&mut self, n: usize) -> Result<bool, ReadError> {
        if self.end.saturating_sub(self.start) < n && !self.ended {
            self.turn(n)?;
        }
        Ok(self.end.saturating_sub(self.start) >= n)
    }

    /// Goes on to the next chunk: the rest of this one, and as much of the input as there is room for, or as has come where that is enough.
    fn turn(&mut self, n: usize) -> Result<(), ReadError> {
        let room = n.max(CHUNK);
        let mut next = self.fresh(room);
        let Some(bytes) = Arc::get_mut(&mut next) else { return Ok(()) };
        let left = self.bytes();
        let mut end = left.len();
        if let Some(front) = bytes.get_mut(..end) {
            front.copy_from_slice(left);
        }
        let kept = end;
        let mut failure = None;
        while end < room && !self.ended {
            let free = bytes.get_mut(end..).unwrap_or_default();
            let asked = free.len();
            match self.inner.read(free) {
                Ok(0) => self.ended = true,
                Ok(got) => {
                    end = end.saturating_add(got);
                    self.watch_inflation(end);
                    // Decompressors give as little as they like.
                    if self.as_it_comes && got < asked && end >= n && self.compression == Compression::None {
                        break;
                    }
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
                    failure = Some(ReadError {
                        offset: self.position.saturating_add(end as u64),
                        source,
                    });
                    break;
                }
            }
        }
        let before = std::mem::replace(&mut self.chunk, next);
        self.spare.push(before);
        (self.start, self.end) = (0, end);
        if self.compression == Compression::None {
            let known = self.digested.min(end.saturating_sub(kept));
            self.digested = self.digested.saturating_sub(known);
            self.file.digest(&self.chunk, kept.saturating_add(known)..end);
        }
        failure.map_or(Ok(()), Err)
    }

    /// A chunk that nobody holds, with room for so many bytes.
    fn fresh(&mut self, room: usize) -> Arc<Vec<u8>> {
        let free = self.spare.iter_mut().position(|chunk| Arc::get_mut(chunk).is_some());
        let mut chunk = free.map_or_else(Arc::default, |at| self.spare.swap_remove(at));
        if self.spare.len() > SPARE {
            self.spare.remove(0);
        }
        if let Some(bytes) = Arc::get_mut(&mut chunk)
            && bytes.len() != room
        {
            bytes.resize(room, 0);
        }
        chunk
    }

    /// What is available.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.chunk.get(self.start..self.end).unwrap_or_default()
    }

    /// Steps over `n` available bytes.
    pub(crate) fn consume(&mut self, n: usize) {
        let n = n.min(self.bytes().len());
        self.start = self.start.saturating_add(n);
        self.position = self.position.saturating_add(n as u64);
    }

    /// The chunk that the bytes just consumed lie in, and where: the last `n` of them.
    pub(crate) fn held(&self, n: usize) -> (&Arc<Vec<u8>>, Range<usize>) {
        (&self.chunk, self.start.saturating_sub(n)..self.start)
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
    fn watch_inflation(&mut self, available: usize) {
        let inflated = self.position.saturating_add(available as u64);
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
