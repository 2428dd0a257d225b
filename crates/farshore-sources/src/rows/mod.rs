//! Flow logs to rows: a third door beside those of frames and of exchanges.
//!
//! A row says who sent how much to whom, and is told as it stands; which rows make one flow, and which side began it, is for
//! whoever reads on. Nothing is kept of a row that was told, so that memory does not follow their number, and no row costs
//! an allocation where the format is one of lines or of fixed fields.

pub(crate) mod aws;
pub(crate) mod azure;
mod documents;
mod fields;
pub(crate) mod gcp;
pub(crate) mod netflow;

use farshore_model::ledger::InputRecord;
use farshore_model::row::LogRecord;
use farshore_model::{Row, Timestamp};

use crate::window::Whole;
use crate::{ReadError, Summary};

pub use netflow::Templates;

/// A flow log being read.
pub trait FlowLog {
    /// Templates that inputs before this one brought, for data that comes without.
    fn know(&mut self, _templates: &Templates) {}
    /// Those that are known by now, to be passed on; `None` for a format that has none.
    fn templates(&mut self) -> Option<Templates> {
        None
    }
    /// Reads on, and tells what it finds; `false` at the end, be it the file's or the last readable row's.
    fn advance(&mut self, out: &mut dyn Sheet) -> Result<bool, ReadError>;
    /// How far reading has come, in bytes of the file.
    fn position(&self) -> u64;
    /// What the file says of itself, once all rows are read.
    fn finish(self: Box<Self>) -> Result<Summary, ReadError>;
}

/// Whoever takes what rows tell.
pub trait Sheet {
    /// The row of that number tells of a flow.
    fn flow(&mut self, number: u64, it: &Row);
    /// A row tells nothing that can be read.
    fn unreadable(&mut self, why: &'static str);
}

/// Why a record that was cut, or is larger than is read, tells nothing.
const PART: &str = "a record that is not whole, or larger than is read";

/// Counts the time that a row tells of.
fn clock(record: &mut InputRecord, log: &mut LogRecord, first: Option<Timestamp>, last: Option<Timestamp>) {
    if let Some(time) = first.or(last) {
        record.first = Some(record.first.map_or(time, |first| first.min(time)));
    }
    if let Some(time) = last.or(first) {
        record.last = Some(record.last.map_or(time, |last| last.max(time)));
    }
    if let Some((first, last)) = first.zip(last) {
        log.longest = log.longest.max(last.since(first).unwrap_or_default());
    }
}

/// What a log says of itself.
fn summary(mut record: InputRecord, log: LogRecord, whole: Whole, damage: Option<String>) -> Summary {
    record.log = Some(log);
    // No log tells how many rows were lost on the way to it.
    Summary::of(record, whole, None, damage)
}
