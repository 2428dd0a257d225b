//! Compression around a capture: gzip (RFC 1952) and zstd (RFC 8878), told by their first bytes.
//!
//! The digest and the length of an input are those of the file as it lies there, not of what it inflates to.

use std::cell::RefCell;
use std::io::{self, Read};
use std::rc::Rc;

use sha2::{Digest, Sha256};

/// The file itself: what goes through is counted and digested.
pub(crate) struct File<'r> {
    inner: Box<dyn Read + 'r>,
    /// First bytes, read ahead to tell the compression.
    head: Vec<u8>,
    digest: Sha256,
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
    Zstd,
}

impl Compression {
    /// As it is told in the notes of an input.
    pub(crate) const fn name(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }
}

impl<'r> Shared<'r> {
    pub(crate) fn new(inner: Box<dyn Read + 'r>) -> Self {
        Self(Rc::new(RefCell::new(File {
            inner,
            head: Vec::new(),
            digest: Sha256::new(),
            bytes: 0,
        })))
    }

    /// Looks at the first bytes and gives a reader of what is inside.
    pub(crate) fn inside(&self) -> io::Result<(Compression, Box<dyn Read + 'r>)> {
        let mut head = Vec::new();
        self.clone().take(4).read_to_end(&mut head)?;
        let compression = match head.as_slice() {
            [0x1f, 0x8b, 8, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] => Compression::Zstd,
            _ => Compression::None,
        };
        self.0.borrow_mut().head = head;
        let inner: Box<dyn Read + 'r> = match compression {
            Compression::None => Box::new(Again(self.clone())),
            Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(Again(self.clone()))),
            Compression::Zstd => Box::new(ruzstd::decoding::StreamingDecoder::new(Again(self.clone())).map_err(io::Error::other)?),
        };
        Ok((compression, inner))
    }

    /// Bytes read of the file so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.borrow().bytes
    }

    /// Reads the rest: length and SHA-256 of the whole file, in hex.
    pub(crate) fn finish(mut self) -> io::Result<(u64, String)> {
        let mut scratch = vec![0; 1 << 16];
        while self.read(&mut scratch)? > 0 {}
        let file = self.0.borrow();
        let hex = file.digest.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect();
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
        let File { digest, bytes, .. } = &mut *file;
        digest.update(buffer.get(..got).unwrap_or_default());
        *bytes = bytes.saturating_add(got as u64);
        Ok(got)
    }
}

/// The file from its first byte: the bytes read ahead, then the rest.
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
