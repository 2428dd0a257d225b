//! Where the files are read from that flags name beside the inputs: the disk, and then perhaps noting what was read; or a table,
//! so that an audit is done again with the files it was done with and no other.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::Context;

use crate::message;

/// Where they are read from.
pub(crate) enum Shelf {
    /// The disk.
    Disk,
    /// The disk; each file is read once, and what was read is what is noted.
    Noting(Mutex<Vec<Noted>>),
    /// These and no others, by the name in the command line.
    Holding(BTreeMap<PathBuf, Vec<u8>>),
}

/// A file that was read.
pub(crate) struct Noted {
    /// The flag that named it, without its dashes.
    pub(crate) flag: &'static str,
    /// Its path as given.
    pub(crate) path: PathBuf,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
}

impl Shelf {
    /// All bytes of a file.
    pub(crate) fn bytes(&self, flag: &'static str, path: &Path) -> io::Result<Vec<u8>> {
        match self {
            Self::Disk => fs::read(path),
            Self::Noting(noted) => {
                let mut noted = noted.lock().map_err(|_| io::Error::other("was not read"))?;
                if let Some(it) = noted.iter().find(|it| it.flag == flag && it.path == path) {
                    return Ok(it.bytes.clone());
                }
                let bytes = fs::read(path)?;
                noted.push(Noted {
                    flag,
                    path: path.to_owned(),
                    bytes: bytes.clone(),
                });
                Ok(bytes)
            }
            Self::Holding(held) => held.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into()),
        }
    }

    /// A file of text.
    pub(crate) fn text(&self, flag: &'static str, path: &Path) -> anyhow::Result<String> {
        self.read_text(flag, path).with_context(|| message::shown(path))
    }

    /// The same, for whoever has more to say of what goes wrong.
    pub(crate) fn read_text(&self, flag: &'static str, path: &Path) -> io::Result<String> {
        String::from_utf8(self.bytes(flag, path)?)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "stream did not contain valid UTF-8"))
    }

    /// A file to be read from its beginning; of the disk it may be as long as it likes.
    pub(crate) fn open(&self, flag: &'static str, path: &Path) -> io::Result<Box<dyn Read>> {
        Ok(match self {
            Self::Disk => Box::new(File::open(path)?),
            Self::Noting(_) | Self::Holding(_) => Box::new(Cursor::new(self.bytes(flag, path)?)),
        })
    }
}
