//! VPC Flow Logs of Google Cloud (<https://cloud.google.com/vpc/docs/about-flow-logs-records>): entries of Cloud Logging, or what
//! their `jsonPayload` holds, one after the other, in an array, or in a list of entries.
//!
//! A row tells one direction of a connection, as one side of it saw it; where both sides are in the log, both tell. Google
//! documents that packets are sampled, and that what a firewall rejects on the way out is told like all else.

use farshore_model::ledger::InputRecord;
use farshore_model::row::{LogRecord, Opening, Row, Sampling, Tally};
use farshore_model::{Endpoint, InputId, Transport};

use super::documents::{self, Dialect, Documents, member};
use super::{FlowLog, PART, Sheet, fields};
use crate::json::Value;
use crate::{Format, OpenError, Opened, ReadError, Summary, Window, instant};

/// VPC Flow Logs of Google Cloud.
pub(crate) struct GcpVpc;

const NAME: &str = "gcp-vpc";

impl Format for GcpVpc {
    fn id(&self) -> &'static str {
        NAME
    }

    fn claims(&self, head: &[u8]) -> bool {
        documents::dialect(head) == Some(Dialect::Gcp)
    }

    fn open<'r>(&self, _: InputId, window: Window<'r>) -> Result<Opened<'r>, OpenError> {
        Ok(Opened::Rows(Box::new(Entries {
            documents: Documents::new(window)?,
            record: InputRecord {
                format: NAME,
                tick: 1_000_000,
                ..InputRecord::default()
            },
            log: LogRecord {
                sampling: Sampling::Part,
                ..LogRecord::default()
            },
        })))
    }
}

struct Entries<'r> {
    documents: Documents<'r>,
    record: InputRecord,
    log: LogRecord,
}

impl FlowLog for Entries<'_> {
    fn advance(&mut self, out: &mut dyn Sheet) -> Result<bool, ReadError> {
        let Some((record, whole)) = self.documents.next()? else {
            return Ok(false);
        };
        for entry in documents::records(record) {
            self.record.frames = self.record.frames.saturating_add(1);
            // Of an entry that is cut the counts may be missing: it is no row.
            match row(entry).filter(|_| whole) {
                Some(row) => {
                    super::clock(&mut self.record, &mut self.log, row.first, row.last);
                    out.flow(self.record.frames, &row);
                }
                None => out.unreadable(if whole { "an entry without a connection" } else { PART }),
            }
        }
        Ok(true)
    }

    fn position(&self) -> u64 {
        self.documents.window.file_position()
    }

    fn finish(mut self: Box<Self>) -> Result<Summary, ReadError> {
        self.record.cut_short |= self.documents.damage.is_some();
        let mut summary = super::summary(self.record, self.log, self.documents.window.finish()?, self.documents.damage);
        summary.limits = (0..self.documents.clipped).map(|_| "record-bytes").collect();
        Ok(summary)
    }
}

fn row(entry: Value<'_>) -> Option<Row> {
    let payload = member(entry, b"jsonPayload").unwrap_or(entry);
    let (mut ends, mut ports, mut protocol) = ([None, None], [0, 0], None);
    let (mut first, mut last, mut rtt) = (None, None, None);
    let (mut sent, mut observer) = (Tally::default(), 0);
    for (name, value) in payload.members() {
        match &*name {
            b"connection" => {
                for (name, value) in value.members() {
                    let address = || value.string().and_then(|it| fields::address(&it.bytes));
                    match &*name {
                        b"src_ip" => ends[0] = address(),
                        b"dest_ip" => ends[1] = address(),
                        b"src_port" => ports[0] = value.count().and_then(|it| u16::try_from(it).ok())?,
                        b"dest_port" => ports[1] = value.count().and_then(|it| u16::try_from(it).ok())?,
                        b"protocol" => protocol = value.count().and_then(|it| u8::try_from(it).ok()),
                        _ => {}
                    }
                }
            }
            b"bytes_sent" => sent.bytes = whole(value)?,
            b"packets_sent" => sent.packets = whole(value)?,
            b"start_time" => first = value.string().and_then(|it| instant::iso(&it.bytes)),
            b"end_time" => last = value.string().and_then(|it| instant::iso(&it.bytes)),
            // From a segment to its acknowledgement; whole milliseconds, so that 0 says nothing.
            b"rtt_msec" => rtt = whole(value).filter(|it| *it > 0).map(|it| it.saturating_mul(1_000_000)),
            b"reporter" => observer = value.string().map_or(0, |it| fields::observer(&it.bytes)),
            _ => {}
        }
    }
    let [source, destination] = [ends[0].zip(Some(ports[0])), ends[1].zip(Some(ports[1]))];
    let end = |(ip, port)| Endpoint { ip, port };
    Some(Row {
        transport: Transport::of(protocol?),
        source: source.map(end)?,
        destination: destination.map(end)?,
        first,
        last,
        sent,
        returned: Tally::default(),
        refused: false,
        opening: Opening::Untold,
        observer,
        rtt,
    })
}

/// A whole number, which entries spell as a string lest it lose digits.
fn whole(value: Value<'_>) -> Option<u64> {
    let word = value.word()?;
    fields::number(&word.bytes).or_else(|| value.count())
}
