//! An input that still comes: read as it comes, while others ask what was read so far.

use std::io::Read;
use std::sync::{Mutex, PoisonError};

use farshore_audit::identifiers::Detectors;
use farshore_model::ledger::InputRecord;
use farshore_model::{InputId, Ledger};
use farshore_sources::OpenError;

use crate::auditor::{Feed, Reading, describe};

/// A capture that is read by one thread, and looked at from others.
pub struct Live<'a> {
    name: &'a str,
    how: &'a Reading,
    so_far: Mutex<Option<(Feed<'a>, InputRecord)>>,
}

impl<'a> Live<'a> {
    /// Ready to be read.
    pub fn new(name: &'a str, how: &'a Reading) -> Self {
        Self {
            name,
            how,
            so_far: Mutex::new(None),
        }
    }

    /// Reads it to its end. What has no frames is refused: a recording or a log is written when all is over.
    pub fn read(&self, reader: impl Read, detectors: &Detectors) -> Result<Ledger, OpenError> {
        let mut capture = farshore_sources::follow(InputId(0), reader, self.how.source)?;
        let feed = Feed::new(&*capture, self.how, detectors);
        *self.lock() = Some((feed, capture.record().clone()));
        while capture.advance()? {
            if let Some((feed, record)) = &mut *self.lock() {
                feed.take(&mut *capture);
                let told = capture.record();
                // What the file says of itself stands before its first frame.
                if told.frames <= 1 {
                    record.clone_from(told);
                }
                (record.frames, record.first, record.last) = (told.frames, told.first, told.last);
            }
        }
        // Nobody looks at it any more: what comes now is the whole.
        let feed = self.lock().take();
        let summary = capture.finish()?;
        let mut ledger = feed.map(|(feed, _)| feed.finish(summary)).unwrap_or_default();
        describe(&mut ledger, self.name, self.how);
        Ok(ledger)
    }

    /// What was read so far: without what flows tell only as they end, and without the digest of the input. `None`: nothing has come, or all.
    pub fn so_far(&self) -> Option<Ledger> {
        let mut ledger = self
            .lock()
            .as_ref()
            .filter(|(_, record)| record.frames > 0)
            .map(|(feed, record)| feed.so_far(record))?;
        describe(&mut ledger, self.name, self.how);
        Some(ledger)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Feed<'a>, InputRecord)>> {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
