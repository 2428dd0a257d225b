//! What exporters of flows send to collectors: NetFlow 5, NetFlow 9 (RFC 3954) and IPFIX (RFC 7011), as a file of the payloads of
//! their datagrams, one after the other.
//!
//! Records of 9 and IPFIX are read by [templates](template) that were sent before. Data whose template is in no input before
//! it is counted and never guessed at. Each record is a row; what options tell of sampling is kept. Nothing here knows which
//! exporter sent a datagram: that stood in headers which such a file does not hold.

mod record;
mod template;

use farshore_model::ledger::InputRecord;
use farshore_model::row::{LogRecord, Sampling};
use farshore_model::{InputId, Timestamp};

use self::record::{Clock, Kind};
pub use self::template::Templates;
use super::{FlowLog, Sheet};
use crate::bytes::Order;
use crate::{Format, OpenError, Opened, ReadError, Summary, Window};

/// NetFlow 5, 9 and IPFIX.
pub(crate) struct Netflow;

const NAME: &str = "netflow";

const V5: u16 = 5;
const V9: u16 = 9;
const IPFIX: u16 = 10;

const V5_HEADER: usize = 24;
const V5_RECORD: usize = 48;
const V9_HEADER: usize = 20;
const IPFIX_HEADER: usize = 16;
const SET_HEADER: usize = 4;

/// Sets of data have numbers from here on.
const FIRST_DATA: u16 = 256;

impl Format for Netflow {
    fn id(&self) -> &'static str {
        NAME
    }

    fn claims(&self, head: &[u8]) -> bool {
        begins(head)
    }

    fn open<'r>(&self, _: InputId, window: Window<'r>) -> Result<Opened<'r>, OpenError> {
        let head = window.bytes().len() as u64;
        let expected = [V5_HEADER, V9_HEADER, IPFIX_HEADER]
            .get(match Order::Big.u16(window.bytes(), 0) {
                Some(V5) => 0,
                Some(V9) => 1,
                _ => 2,
            })
            .map_or(0, |it| *it as u64);
        if head < expected {
            return Err(OpenError::HeaderCut {
                format: NAME,
                have: head,
                expected,
            });
        }
        Ok(Opened::Rows(Box::new(Exports {
            window,
            record: InputRecord {
                format: NAME,
                tick: 1_000_000,
                ..InputRecord::default()
            },
            log: LogRecord {
                sampling: Sampling::Untold,
                ..LogRecord::default()
            },
            templates: Templates::default(),
            borrowed: 0,
            over: false,
            damage: None,
        })))
    }
}

/// Whether an export begins here: its version, and behind the header what such a one begins with.
fn begins(head: &[u8]) -> bool {
    let at = |at| Order::Big.u16(head, at);
    let set = |offset: usize, templates: [u16; 2]| match (at(offset), at(offset.saturating_add(2))) {
        (Some(id), Some(length)) => (templates.contains(&id) || id >= FIRST_DATA) && usize::from(length) >= SET_HEADER,
        _ => head.len() <= offset.saturating_add(SET_HEADER),
    };
    match at(0) {
        // As many records as fit a datagram, and behind them another export or nothing.
        Some(V5) => at(2).is_some_and(|count| {
            let end = V5_HEADER.saturating_add(V5_RECORD.saturating_mul(count.into()));
            (1..=1_364).contains(&count) && (head.len() <= end || matches!(at(end), Some(V5 | V9 | IPFIX)))
        }),
        Some(V9) => at(2).is_some_and(|count| count > 0) && set(V9_HEADER, [0, 1]),
        Some(IPFIX) => at(2).is_some_and(|length| usize::from(length) >= IPFIX_HEADER) && (at(2) == Some(16) || set(IPFIX_HEADER, [2, 3])),
        _ => false,
    }
}

struct Exports<'r> {
    window: Window<'r>,
    record: InputRecord,
    log: LogRecord,
    templates: Templates,
    /// Sets that were read by a template of another input.
    borrowed: u64,
    over: bool,
    damage: Option<String>,
}

impl FlowLog for Exports<'_> {
    fn know(&mut self, templates: &Templates) {
        self.templates = templates.lent();
    }

    fn templates(&mut self) -> Option<Templates> {
        Some(self.templates.clone())
    }

    fn advance(&mut self, out: &mut dyn Sheet) -> Result<bool, ReadError> {
        if self.over || !self.window.fill(2)? {
            if !self.over && !self.window.bytes().is_empty() {
                self.cut("the file ends inside a header");
            }
            return Ok(false);
        }
        match Order::Big.u16(self.window.bytes(), 0) {
            Some(V5) => self.version_5(out)?,
            Some(V9) => self.version_9(out)?,
            Some(IPFIX) => self.ipfix(out)?,
            found => {
                let found = found.unwrap_or_default();
                self.cut(&format!(
                    "found {found:#06x}; expected an export of NetFlow 5 or 9 or of IPFIX, or the end of the file"
                ));
            }
        }
        Ok(!self.over)
    }

    fn position(&self) -> u64 {
        self.window.file_position()
    }

    fn finish(mut self: Box<Self>) -> Result<Summary, ReadError> {
        if self.borrowed > 0 {
            let words = format!(
                "{} of data read by templates of an input before this one; another exporter's template of the same number would read them wrongly",
                if self.borrowed == 1 {
                    "1 set".to_owned()
                } else {
                    format!("{} sets", self.borrowed)
                }
            );
            self.record.notes.push(words.into());
        }
        let limits = self.templates.hits();
        let mut summary = super::summary(self.record, self.log, self.window.finish()?, self.damage);
        summary.limits = limits;
        Ok(summary)
    }
}

impl Exports<'_> {
    fn cut(&mut self, why: &str) {
        self.over = true;
        self.record.cut_short = true;
        self.damage = Some(format!("offset {}: {why}", self.window.position()));
    }

    /// So many bytes, if the file has them; what it has of them otherwise.
    fn hold(&mut self, length: usize) -> Result<Vec<u8>, ReadError> {
        let whole = self.window.fill(length)?;
        let bytes = self.window.bytes();
        let held = bytes.get(..length.min(bytes.len())).unwrap_or_default().to_vec();
        if !whole {
            self.cut("the file ends inside the export that begins here");
        }
        self.window.consume(held.len());
        Ok(held)
    }

    fn version_5(&mut self, out: &mut dyn Sheet) -> Result<(), ReadError> {
        self.window.fill(V5_HEADER)?;
        let count = Order::Big.u16(self.window.bytes(), 2).unwrap_or_default();
        let held = self.hold(V5_HEADER.saturating_add(V5_RECORD.saturating_mul(count.into())))?;
        let (Some(header), Some(records)) = (held.get(..V5_HEADER), held.get(V5_HEADER..)) else {
            return Ok(());
        };
        let at = |at| Order::Big.u32(header, at).unwrap_or_default();
        let clock = Clock {
            uptime: at(4),
            seconds: at(8),
            nanoseconds: at(12),
        };
        let engine = Order::Big.u16(header, 20).unwrap_or_default();
        // The two highest bits are its mode.
        let interval = Order::Big.u16(header, 22).unwrap_or_default() & 0x3fff;
        self.sample(interval.into());
        for bytes in records.chunks_exact(V5_RECORD) {
            let row = record::version_5(bytes, clock, engine);
            self.row(row, out);
        }
        Ok(())
    }

    /// A header that does not tell where the export ends: a set with the number of a version is the next one's.
    fn version_9(&mut self, out: &mut dyn Sheet) -> Result<(), ReadError> {
        let header = self.hold(V9_HEADER)?;
        if self.over {
            return Ok(());
        }
        let at = |at| Order::Big.u32(&header, at).unwrap_or_default();
        let clock = Clock {
            uptime: at(4),
            seconds: at(8),
            nanoseconds: 0,
        };
        let domain = at(16);
        while self.window.fill(SET_HEADER)? {
            let at = |at| Order::Big.u16(self.window.bytes(), at).unwrap_or_default();
            let (id, length) = (at(0), usize::from(at(2)));
            if matches!(id, V5 | V9 | IPFIX) {
                return Ok(());
            }
            if id == 0 && length == 0 {
                // Padding between exports.
                self.window.consume(SET_HEADER);
                continue;
            }
            if length < SET_HEADER {
                self.cut(&format!("a set of {length} bytes; expected at least {SET_HEADER}"));
                return Ok(());
            }
            let set = self.hold(length)?;
            self.set(V9, domain, id, set.get(SET_HEADER..).unwrap_or_default(), clock, out);
        }
        if !self.window.bytes().is_empty() {
            self.cut("the file ends inside a set");
        }
        Ok(())
    }

    fn ipfix(&mut self, out: &mut dyn Sheet) -> Result<(), ReadError> {
        self.window.fill(SET_HEADER)?;
        let length = usize::from(Order::Big.u16(self.window.bytes(), 2).unwrap_or_default());
        if length < IPFIX_HEADER {
            self.cut(&format!("a message of {length} bytes; expected at least {IPFIX_HEADER}"));
            return Ok(());
        }
        let held = self.hold(length)?;
        let at = |at| Order::Big.u32(&held, at).unwrap_or_default();
        let (seconds, domain) = (at(4), at(12));
        let clock = Clock {
            uptime: 0,
            seconds,
            nanoseconds: 0,
        };
        let mut rest = held.get(IPFIX_HEADER..).unwrap_or_default();
        while let (Some(id), Some(length)) = (Order::Big.u16(rest, 0), Order::Big.u16(rest, 2)) {
            let length = usize::from(length);
            if length < SET_HEADER {
                break;
            }
            let (set, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            self.set(IPFIX, domain, id, set.get(SET_HEADER..).unwrap_or_default(), clock, out);
            rest = behind;
        }
        Ok(())
    }

    fn set(&mut self, version: u16, domain: u32, id: u16, body: &[u8], clock: Clock, out: &mut dyn Sheet) {
        let kind = match (version, id) {
            (V9, 0) | (IPFIX, 2) => Some(false),
            (V9, 1) | (IPFIX, 3) => Some(true),
            _ => None,
        };
        if let Some(options) = kind {
            self.templates.read(version, domain, options, body);
            return;
        }
        if id < FIRST_DATA {
            return;
        }
        let Some((template, lent)) = self.templates.of(version, domain, id) else {
            self.record.frames = self.record.frames.saturating_add(1);
            out.unreadable("sets of data whose template is in no input before them");
            return;
        };
        self.borrowed = self.borrowed.saturating_add(u64::from(lent));
        let mut rest = body;
        // What is left and shorter than any record is padding.
        while !rest.is_empty() && rest.len() >= template.least() {
            let Some(length) = record::length(&template, rest) else {
                self.row(None, out);
                break;
            };
            let (bytes, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            match record::read(&template, bytes, clock, domain) {
                Kind::Flow(row) => self.row(row, out),
                Kind::Sampling(interval) => self.sample(interval),
                Kind::Other => {}
            }
            rest = behind;
        }
    }

    fn row(&mut self, row: Option<record::Told>, out: &mut dyn Sheet) {
        self.record.frames = self.record.frames.saturating_add(1);
        let Some(told) = row else {
            out.unreadable("a record of no flow between two addresses");
            return;
        };
        let row = told.row;
        self.sample(told.sampling);
        self.log.tells_refusal |= told.tells_refusal;
        super::clock(&mut self.record, &mut self.log, row.first, row.last);
        out.flow(self.record.frames, &row);
    }

    /// One packet in so many was looked at; 0 says nothing.
    fn sample(&mut self, interval: u32) {
        if interval > 1 {
            self.log.sampling = self.log.sampling.max(Sampling::OneIn(interval));
        }
    }
}

impl Clock {
    /// When an export was sent.
    fn now(self) -> Option<Timestamp> {
        (self.seconds > 0).then(|| Timestamp::from_parts(self.seconds.into(), self.nanoseconds.into()))
    }
}
