//! One input of exchanges that somebody wrote down, from its first record to its ledger, in one thread.

use farshore_audit::identifiers::Detectors;
use farshore_model::Ledger;
use farshore_sources::{ReadError, Records as Source};
use farshore_wire::{Recorder, Records};

use crate::Reading;
use crate::auditor::conclude;
use crate::notebook::{self, Notebook};

/// Records after which progress is told.
const TOLD_EVERY: u64 = 64;

/// Reads all records; also tells how many bytes the input had.
pub(crate) fn read(
    mut source: Box<dyn Source + '_>,
    how: &Reading,
    detectors: &Detectors,
    progress: &mut dyn FnMut(u64),
) -> Result<(Ledger, u64), ReadError> {
    let mut notebook = Notebook::new(how, detectors.fork());
    let mut records = Records::new(how.limits.clone());
    let mut number = 0_u64;
    while source.advance()? {
        number = number.saturating_add(1);
        notebook.turn_to(number);
        match source.exchange() {
            Some(exchange) => records.exchange(&exchange, &mut notebook),
            None => records.unreadable("a record that is none of an exchange"),
        }
        if number.is_multiple_of(TOLD_EVERY) {
            progress(source.position());
        }
    }
    let summary = source.finish()?;
    for name in &summary.limits {
        notebook.limit(name);
    }
    let (flows, coverage) = records.finish();
    let mut ledger = notebook::join(vec![notebook]).with(flows);
    ledger.coverage.merge(coverage);
    let bytes = summary.record.file_bytes;
    conclude(&mut ledger, summary);
    Ok((ledger, bytes))
}
