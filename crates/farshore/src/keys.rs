//! Key logs as they are given, and those that stand in an input: text to the table that sessions are opened with.

use std::io::{ErrorKind, Read};
use std::sync::Arc;

use farshore_sources::keylog::{Keylog, Lines, Row};
use farshore_wire::Secrets;

/// Bytes read at once.
const CHUNK: usize = 1 << 16;

/// Reads a key log in the NSS format into a table; tells what lines it has.
///
/// Memory grows with the secrets, not with the text.
pub fn read(mut text: impl Read, into: &mut Secrets) -> std::io::Result<Lines> {
    let mut log = Keylog::new();
    let mut each = |row: Row<'_>| {
        into.add(row.label, row.of, row.secret);
    };
    let mut chunk = vec![0; CHUNK];
    loop {
        match text.read(&mut chunk) {
            Ok(0) => return Ok(log.end(&mut each)),
            Ok(length) => log.push(chunk.get(..length).unwrap_or_default(), &mut each),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// What an input tells of keys while it is read.
pub(crate) struct Learnt {
    secrets: Secrets,
    /// Sessions there were secrets for before.
    given: u64,
}

impl Learnt {
    pub(crate) fn new(given: &Secrets) -> Self {
        Self {
            secrets: given.clone(),
            given: given.sessions(),
        }
    }

    /// Nothing will be added.
    pub(crate) fn settle(&mut self) -> Arc<Secrets> {
        self.secrets.settle();
        Arc::new(self.secrets.clone())
    }

    /// Adds the text of a key log; what is known now.
    pub(crate) fn add(&mut self, text: &[u8]) -> Arc<Secrets> {
        let mut log = Keylog::new();
        let mut each = |row: Row<'_>| {
            self.secrets.add(row.label, row.of, row.secret);
        };
        log.push(text, &mut each);
        log.end(&mut each);
        Arc::new(self.secrets.clone())
    }

    /// Sessions that nobody but the input told of.
    pub(crate) const fn sessions(&self) -> u64 {
        self.secrets.sessions().saturating_sub(self.given)
    }
}
