//! Compression around a capture: gzip (RFC 1952), zlib (RFC 1950) and zstd (RFC 8878), told by their first bytes.
//!
//! The digest and the length of an input are those of the file as it lies there, not of what it inflates to.

use std::cell::RefCell;
use std::io::{self, Read};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use crate::digest::Digester;

/// The file itself: what goes through is counted and digested.
pub(crate) struct File<'r> {
    inner: Box<dyn Read + 'r>,
    /// First bytes, read ahead to tell the compression.
    head: Vec<u8>,
    digest: Box<dyn Digester + 'r>,
    /// What is read is digested by whoever reads, who holds it anyway.
    digested_elsewhere: bool,
    bytes: u64,
}

/// The file, shared between the decoder that reads it and the window that reports on it.
#[derive(Clone)]
pub(crate) struct Shared<'r>(Rc<RefCell<File<'r>>>);

/// What is around a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zlib,
    Zstd,
}

impl Compression {
    /// As it is told in the notes of an input.
    pub(crate) const fn name(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("gzip"),
            Self::Zlib => Some("zlib"),
            Self::Zstd => Some("zstd"),
        }
    }
}

impl<'r> Shared<'r> {
    pub(crate) fn new(inner: Box<dyn Read + 'r>, digest: Box<dyn Digester + 'r>) -> Self {
        Self(Rc::new(RefCell::new(File {
            inner,
            head: Vec::new(),
            digest,
            digested_elsewhere: false,
            bytes: 0,
        })))
    }

    /// Looks at the first bytes and gives a reader of what is inside.
    pub(crate) fn inside(&self) -> io::Result<(Compression, Box<dyn Read + 'r>)> {
        let head = self.peek()?;
        let compression = match head.as_slice() {
            [0x1f, 0x8b, 8, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] => Compression::Zstd,
            // Deflate with its usual window, of each degree of care, and without a dictionary; proxies write recordings so.
            [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => Compression::Zlib,
            _ => Compression::None,
        };
        let inner: Box<dyn Read + 'r> = match compression {
            Compression::None => Box::new(Again(self.clone())),
            Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(Again(self.clone()))),
            Compression::Zlib => Box::new(flate2::read::ZlibDecoder::new(Again(self.clone()))),
            Compression::Zstd => Box::new(ZstdFrames {
                file: self.clone(),
                frame: None,
            }),
        };
        Ok((compression, inner))
    }

    /// The next four bytes, or as many as there are; they are read again afterwards.
    fn peek(&self) -> io::Result<Vec<u8>> {
        let mut head = self.0.borrow().head.clone();
        let missing = 4_u64.saturating_sub(head.len() as u64);
        self.clone().take(missing).read_to_end(&mut head)?;
        self.0.borrow_mut().head.clone_from(&head);
        Ok(head)
    }

    /// From here on, what is read comes back by [`Shared::digest`]; gives how many bytes were digested before, and will
    /// be read again.
    pub(crate) fn digest_elsewhere(&self) -> usize {
        let mut file = self.0.borrow_mut();
        file.digested_elsewhere = true;
        file.head.len()
    }

    /// Digests the next bytes of the file, that were read from here.
    pub(crate) fn digest(&self, chunk: &Arc<Vec<u8>>, range: Range<usize>) {
        self.0.borrow_mut().digest.held(chunk, range);
    }

    /// Bytes read of the file so far.
    pub(crate) fn seen(&self) -> u64 {
        self.0.borrow().bytes
    }

    /// Reads the rest: length and SHA-256 of the whole file, in hex.
    pub(crate) fn finish(mut self) -> io::Result<(u64, String)> {
        self.0.borrow_mut().digested_elsewhere = false;
        let mut scratch = vec![0; 1 << 16];
        while self.read(&mut scratch)? > 0 {}
        let mut file = self.0.borrow_mut();
        let hex = file.digest.finish().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((file.bytes, hex))
    }
}

impl Read for Shared<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = self.0.borrow_mut();
        let got = loop {
            match file.inner.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        if !file.digested_elsewhere {
            file.digest.bytes(buffer.get(..got).unwrap_or_default());
        }
        file.bytes = file.bytes.saturating_add(got as u64);
        Ok(got)
    }
}

/// The file on from what was peeked at: those bytes again, then the rest.
struct Again<'r>(Shared<'r>);

impl Read for Again<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        {
            let mut file = self.0.0.borrow_mut();
            if !file.head.is_empty() {
                let n = file.head.as_slice().read(buffer)?;
                file.head.drain(..n);
                return Ok(n);
            }
        }
        self.0.read(buffer)
    }
}

/// One zstd frame after the other (RFC 8878, section 3.1), those to be skipped left out.
struct ZstdFrames<'r> {
    file: Shared<'r>,
    frame: Option<Box<ruzstd::decoding::StreamingDecoder<Again<'r>, ruzstd::decoding::FrameDecoder>>>,
}

impl Read for ZstdFrames<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                match frame.read(buffer)? {
                    0 => self.frame = None,
                    got => return Ok(got),
                }
            }
            match self.file.peek()?.as_slice() {
                [] => return Ok(0),
                // Skippable: magic 0x184d2a50 to 0x184d2a5f, a length, so many bytes (section 3.1.2).
                [low, 0x2a, 0x4d, 0x18] if low & 0xf0 == 0x50 => {
                    let mut rest = Again(self.file.clone());
                    let mut head = [0; 8];
                    rest.read_exact(&mut head)?;
                    let [_, _, _, _, length @ ..] = head;
                    io::copy(&mut rest.take(u64::from(u32::from_le_bytes(length))), &mut io::sink())?;
                }
                _ => {
                    let frame = ruzstd::decoding::StreamingDecoder::new(Again(self.file.clone())).map_err(io::Error::other)?;
                    self.frame = Some(Box::new(frame));
                }
            }
        }
    }
}
