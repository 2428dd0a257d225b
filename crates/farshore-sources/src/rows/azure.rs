//! Flow logs of Azure: of virtual networks, version 4
//! (<https://learn.microsoft.com/azure/network-watcher/vnet-flow-logs-overview>), and of network security groups, versions 1 and 2
//! (<https://learn.microsoft.com/azure/network-watcher/nsg-flow-logs-overview>).
//!
//! A row is a record: what one network interface had in one minute, as lists of flows spelled with commas. The source of each is
//! whoever began it. Counts are of both directions, since the record before: they add up. Version 1 has none.

use farshore_model::exchange::Excerpt;
use farshore_model::ledger::InputRecord;
use farshore_model::row::{LogRecord, Opening, Row, Sampling, Tally};
use farshore_model::{Endpoint, InputId, Timestamp, Transport};

use super::documents::{self, Dialect, Documents, member};
use super::{FlowLog, PART, Sheet, fields};
use crate::json::Value;
use crate::{Format, OpenError, Opened, ReadError, Summary, Window};

/// Flow logs of Azure.
pub(crate) struct AzureVnet;

const NAME: &str = "azure-vnet";

impl Format for AzureVnet {
    fn id(&self) -> &'static str {
        NAME
    }

    fn claims(&self, head: &[u8]) -> bool {
        documents::dialect(head) == Some(Dialect::Azure)
    }

    fn open<'r>(&self, _: InputId, window: Window<'r>) -> Result<Opened<'r>, OpenError> {
        Ok(Opened::Rows(Box::new(Records {
            documents: Documents::new(window)?,
            record: InputRecord {
                format: NAME,
                tick: 1_000_000,
                ..InputRecord::default()
            },
            log: LogRecord {
                sampling: Sampling::Whole,
                tells_refusal: true,
                ..LogRecord::default()
            },
            sealed: Sealed::default(),
            uncounted: false,
        })))
    }
}

struct Records<'r> {
    documents: Documents<'r>,
    record: InputRecord,
    log: LogRecord,
    sealed: Sealed,
    /// Some of it was of version 1.
    uncounted: bool,
}

/// What flows say of the encryption of the virtual network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sealed {
    yes: u64,
    no: u64,
}

/// How the flows of a record are spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
    Four,
}

impl FlowLog for Records<'_> {
    fn advance(&mut self, out: &mut dyn Sheet) -> Result<bool, ReadError> {
        let Some((text, whole)) = self.documents.next()? else {
            return Ok(false);
        };
        let mut told = Told {
            record: &mut self.record,
            log: &mut self.log,
            sealed: &mut self.sealed,
            uncounted: &mut self.uncounted,
            out,
        };
        for record in documents::records(text) {
            told.record.frames = told.record.frames.saturating_add(1);
            // Flows that stand whole in a record that is cut are told; that some are missing, too.
            let fault = match told.flows(record) {
                _ if !whole => Some(PART),
                Read { misfit: true, .. } => Some("a record with flows that fit no version"),
                Read { lists: 0, .. } => Some("a record without lists of flows"),
                Read { .. } => None,
            };
            if let Some(fault) = fault {
                told.out.unreadable(fault);
            }
        }
        Ok(true)
    }

    fn position(&self) -> u64 {
        self.documents.window.file_position()
    }

    fn finish(mut self: Box<Self>) -> Result<Summary, ReadError> {
        let Sealed { yes, no } = self.sealed;
        if yes > 0 {
            let all = yes.saturating_add(no);
            let words = format!(
                "encryption of the virtual network was on for {yes} of {all} reports; it covers the way between its machines, and says nothing of what they sent"
            );
            self.record.notes.push(words.into());
        }
        if self.uncounted {
            self.record
                .notes
                .push("version 1 tells of flows without counting them".to_owned().into());
        }
        self.record.cut_short |= self.documents.damage.is_some();
        let mut summary = super::summary(self.record, self.log, self.documents.window.finish()?, self.documents.damage);
        summary.limits = (0..self.documents.clipped).map(|_| "record-bytes").collect();
        Ok(summary)
    }
}

/// Where what a record tells goes.
struct Told<'a> {
    record: &'a mut InputRecord,
    log: &'a mut LogRecord,
    sealed: &'a mut Sealed,
    uncounted: &'a mut bool,
    out: &'a mut dyn Sheet,
}

/// What became of the flows of a record.
#[derive(Clone, Copy, Default)]
struct Read {
    lists: usize,
    misfit: bool,
}

impl Told<'_> {
    fn flows(&mut self, record: Value<'_>) -> Read {
        let mut read = Read::default();
        // The same flow is told by each group that decided on it: by interface and group they are told apart.
        let resource = text(record, b"resourceId").or_else(|| text(record, b"flowLogResourceID"));
        let resource = resource.map_or(0, |it| fields::observer(&it.bytes));
        let network = member(record, b"flowRecords");
        let properties = member(record, b"properties");
        let version = match (network, properties.and_then(|it| member(it, b"Version")).and_then(Value::count)) {
            (Some(_), _) => Version::Four,
            (None, Some(1)) => Version::One,
            _ => Version::Two,
        };
        let lists = network.or(properties).and_then(|it| member(it, b"flows"));
        for list in lists.into_iter().flat_map(Value::items) {
            let groups = member(list, b"flowGroups").or_else(|| member(list, b"flows"));
            let decided = text(list, b"aclID").map_or(0, |it| fields::observer(&it.bytes));
            for group in groups.into_iter().flat_map(Value::items) {
                let interface = text(group, b"mac").or_else(|| text(record, b"macAddress"));
                let interface = interface.map_or(0, |it| fields::observer(&it.bytes));
                let observer = resource ^ decided.rotate_left(21) ^ interface.rotate_left(42);
                let Some(tuples) = member(group, b"flowTuples") else { continue };
                read.lists = read.lists.saturating_add(1);
                for tuple in tuples.items() {
                    match tuple.string().and_then(|it| flow(&it.bytes, version, self.sealed)) {
                        Some(row) => {
                            super::clock(self.record, self.log, row.first, row.last);
                            *self.uncounted |= version == Version::One;
                            self.out.flow(self.record.frames, &Row { observer, ..row });
                        }
                        None => read.misfit = true,
                    }
                }
            }
        }
        read
    }
}

fn text<'a>(of: Value<'a>, name: &[u8]) -> Option<Excerpt<'a>> {
    member(of, name).and_then(Value::string)
}

/// A flow as it is spelled: `1663146003606,216.160.83.56,81.2.69.142,36776,443,6,O,E,NX,22,2217,33,0`.
fn flow(text: &[u8], version: Version, sealed: &mut Sealed) -> Option<Row> {
    let mut parts = text.split(|it| *it == b',');
    let time = fields::number(parts.next()?)?;
    let (source, destination) = (fields::address(parts.next()?)?, fields::address(parts.next()?)?);
    let (from, to) = (fields::small(parts.next()?)?, fields::small(parts.next()?)?);
    let protocol = match parts.next()? {
        b"T" => 6,
        b"U" => 17,
        number => fields::small(number)?,
    };
    if !matches!(parts.next()?, b"I" | b"O") {
        return None;
    }
    // Version 4 counts milliseconds and tells of rejection as a state; those before count seconds and tell of it apart.
    let time = match version {
        Version::Four => i64::try_from(time).ok()?.checked_mul(1_000_000).map(Timestamp::from_nanos)?,
        _ => Timestamp::from_parts(i64::from(u32::try_from(time).ok()?), 0),
    };
    let decision = parts.next()?;
    let refused = match (version, decision) {
        (Version::Four, b"B" | b"C" | b"E") | (Version::One | Version::Two, b"A") => false,
        (_, b"D") => true,
        _ => return None,
    };
    let mut counts = [0_u64; 4];
    if version != Version::One {
        let further = parts.next()?;
        match version {
            Version::Four if further == b"X" => sealed.yes = sealed.yes.saturating_add(1),
            Version::Four => sealed.no = sealed.no.saturating_add(1),
            _ if !matches!(further, b"B" | b"C" | b"E") => return None,
            _ => {}
        }
        for count in &mut counts {
            // Where a flow begins there is nothing to count, and nothing stands there.
            *count = match parts.next()? {
                b"" => 0,
                text => fields::number(text)?,
            };
        }
    }
    let [packets, bytes, packets_back, bytes_back] = counts;
    Some(Row {
        transport: Transport::of(protocol),
        source: Endpoint { ip: source, port: from },
        destination: Endpoint { ip: destination, port: to },
        first: Some(time),
        last: Some(time),
        sent: Tally { packets, bytes },
        returned: Tally {
            packets: packets_back,
            bytes: bytes_back,
        },
        refused,
        opening: Opening::Named,
        observer: 0,
        rtt: None,
    })
}
