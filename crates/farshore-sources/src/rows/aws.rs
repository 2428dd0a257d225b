//! Flow logs of Amazon VPC, versions 2 to 10, and those of transit gateways
//! (<https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html>).
//!
//! Text, one row a line, as S3 and CloudWatch Logs keep it, or JSON in which CloudWatch Logs hands out such lines. A header line
//! names the columns, also in the middle of a file, where files were put together; without one a row is of the default
//! format or of none that can be known. Addresses are those of packets where the log has them (`pkt-srcaddr`): what an
//! interface in between was addressed by is no end of the flow. Parquet is not read.

use std::net::{IpAddr, Ipv4Addr};

use farshore_model::ledger::InputRecord;
use farshore_model::row::{LogRecord, Opening, Row, Sampling, Tally};
use farshore_model::{Endpoint, InputId, Transport};

use super::documents::{self, Dialect, Documents};
use super::{FlowLog, Sheet, fields};
use crate::{Format, OpenError, Opened, ReadError, Summary, Window, instant, json};

/// Flow logs of Amazon VPC.
pub(crate) struct AwsVpc;

const NAME: &str = "aws-vpc";

/// Bytes of one line: all fields of version 10 take some 1,500.
const LINE: usize = 1 << 14;

/// Columns of a header that are kept in mind: version 10 has some 60.
const COLUMNS: usize = 256;

const NO_FLOW: &str = "a line that is no row";
const MISFIT: &str = "a row whose fields do not fit the columns";
const NO_COLUMNS: &str = "a row under a header that names no addresses or no protocol";
const NO_ENDS: &str = "a row without addresses or protocol";

impl Format for AwsVpc {
    fn id(&self) -> &'static str {
        NAME
    }

    fn claims(&self, head: &[u8]) -> bool {
        if documents::dialect(head) == Some(Dialect::Aws) {
            return true;
        }
        let line = first_line(head);
        Columns::of(line).is_some() || (!line.first().is_some_and(|it| matches!(it, b'{' | b'[')) && looks_like_row(line))
    }

    fn open<'r>(&self, _: InputId, mut window: Window<'r>) -> Result<Opened<'r>, OpenError> {
        let told = Told::default();
        if documents::dialect(window.bytes()) == Some(Dialect::Aws) {
            return Ok(Opened::Rows(Box::new(Wrapped {
                documents: Documents::new(window)?,
                told,
            })));
        }
        window.fill(LINE)?;
        let head = window.bytes();
        let line = first_line(head);
        let offset = (line.as_ptr() as usize).saturating_sub(head.as_ptr() as usize) as u64;
        match Columns::of(line) {
            Some(columns) => {
                let lacking = columns.lacking();
                if !lacking.is_empty() {
                    return Err(OpenError::Header {
                        offset,
                        expected: format!(
                            "the header line names no column {}; who talked to whom cannot be read without",
                            lacking.join(" and no ")
                        ),
                    });
                }
            }
            None if told.is_default(line) => {}
            None => {
                return Err(OpenError::Header {
                    offset,
                    expected: format!(
                        "this row has {} fields and no header line names them; expected the 14 fields of the default format, or a header line before it such as `version account-id interface-id srcaddr dstaddr …`",
                        words(line).count()
                    ),
                });
            }
        }
        Ok(Opened::Rows(Box::new(Lines {
            window,
            told,
            damage: None,
        })))
    }
}

/// What a row is made of, in the order of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Interface,
    Source,
    Destination,
    PacketSource,
    PacketDestination,
    SourcePort,
    DestinationPort,
    Protocol,
    Packets,
    Bytes,
    Start,
    End,
    Action,
    Flags,
    Direction,
    Status,
    /// One that tells nothing of who sent how much to whom.
    Other,
}

/// The columns of version 2, which is the default format.
const DEFAULT: [Column; 14] = [
    Column::Other,
    Column::Other,
    Column::Interface,
    Column::Source,
    Column::Destination,
    Column::SourcePort,
    Column::DestinationPort,
    Column::Protocol,
    Column::Packets,
    Column::Bytes,
    Column::Start,
    Column::End,
    Column::Action,
    Column::Status,
];

struct Columns(Vec<Column>);

impl Columns {
    /// Of a header line, if it is one: words in lower case, some of which are known.
    fn of(line: &[u8]) -> Option<Self> {
        let is_name = |it: &[u8]| {
            it.first().is_some_and(u8::is_ascii_lowercase)
                && it
                    .iter()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
        };
        let mut known = 0_usize;
        let mut columns = Vec::new();
        for word in words(line) {
            if !is_name(word) || columns.len() >= COLUMNS {
                return None;
            }
            let column = match word {
                b"interface-id" | b"tgw-attachment-id" => Column::Interface,
                b"srcaddr" => Column::Source,
                b"dstaddr" => Column::Destination,
                b"pkt-srcaddr" => Column::PacketSource,
                b"pkt-dstaddr" => Column::PacketDestination,
                b"srcport" => Column::SourcePort,
                b"dstport" => Column::DestinationPort,
                b"protocol" => Column::Protocol,
                b"packets" => Column::Packets,
                b"bytes" => Column::Bytes,
                b"start" => Column::Start,
                b"end" => Column::End,
                b"action" => Column::Action,
                b"tcp-flags" => Column::Flags,
                b"flow-direction" => Column::Direction,
                b"log-status" => Column::Status,
                _ => Column::Other,
            };
            let told = column != Column::Other || matches!(word, b"version" | b"account-id" | b"vpc-id" | b"subnet-id" | b"instance-id");
            known = known.saturating_add(usize::from(told));
            columns.push(column);
        }
        (known >= 2).then_some(Self(columns))
    }

    /// What no flow can be told without.
    fn lacking(&self) -> Vec<&'static str> {
        let has = |some: &[Column]| some.iter().any(|it| self.0.contains(it));
        let mut lacking = Vec::new();
        for (some, name) in [
            (&[Column::Source, Column::PacketSource][..], "`srcaddr`"),
            (&[Column::Destination, Column::PacketDestination][..], "`dstaddr`"),
            (&[Column::Protocol][..], "`protocol`"),
        ] {
            if !has(some) {
                lacking.push(name);
            }
        }
        lacking
    }
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|it| !it.is_empty())
}

/// The first line that is not empty.
fn first_line(head: &[u8]) -> &[u8] {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let head = head.get(..LINE.min(head.len())).unwrap_or_default();
    head.split(|it| *it == b'\n').next().unwrap_or_default().trim_ascii_end()
}

/// A line without a header above it, as it seems: a version or a time first, and somewhere what became of it.
fn looks_like_row(line: &[u8]) -> bool {
    let begins = words(line)
        .next()
        .is_some_and(|it| matches!(it, [b'2'..=b'9'] | b"10") || instant::iso(it).is_some());
    let said = |it: &[u8]| matches!(it, b"ACCEPT" | b"REJECT" | b"NODATA" | b"SKIPDATA");
    begins && words(line).count() >= 4 && words(line).any(said)
}

/// What rows told so far, whichever way they came.
struct Told {
    record: InputRecord,
    log: LogRecord,
    columns: Vec<Column>,
    usable: bool,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            record: InputRecord {
                format: NAME,
                ..InputRecord::default()
            },
            log: LogRecord {
                sampling: Sampling::Whole,
                tells_refusal: true,
                ..LogRecord::default()
            },
            columns: DEFAULT.to_vec(),
            usable: true,
        }
    }
}

/// A row as its fields are met.
struct Draft {
    row: Row,
    ends: [Option<IpAddr>; 2],
    packet_ends: [Option<IpAddr>; 2],
    protocol: Option<u8>,
    status: Status,
    direction: u64,
    fits: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Fine,
    Quiet,
    Skipped,
}

const NOWHERE: Endpoint = Endpoint {
    ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    port: 0,
};

impl Draft {
    const EMPTY: Self = Self {
        row: Row {
            transport: Transport::Tcp,
            source: NOWHERE,
            destination: NOWHERE,
            first: None,
            last: None,
            sent: Tally { packets: 0, bytes: 0 },
            returned: Tally { packets: 0, bytes: 0 },
            refused: false,
            opening: Opening::Untold,
            observer: 0,
            rtt: None,
        },
        ends: [None; 2],
        packet_ends: [None; 2],
        protocol: None,
        status: Status::Fine,
        direction: 0,
        fits: true,
    };

    /// A field that the row has no value for is `-`.
    fn field(&mut self, column: Column, text: &[u8]) {
        if matches!(column, Column::Other) || text == b"-" {
            return;
        }
        let row = &mut self.row;
        let fits = match column {
            Column::Interface => {
                row.observer = fields::observer(text);
                true
            }
            Column::Source => put(&mut self.ends[0], fields::address(text)),
            Column::Destination => put(&mut self.ends[1], fields::address(text)),
            Column::PacketSource => put(&mut self.packet_ends[0], fields::address(text)),
            Column::PacketDestination => put(&mut self.packet_ends[1], fields::address(text)),
            Column::SourcePort => set(&mut row.source.port, fields::small(text)),
            Column::DestinationPort => set(&mut row.destination.port, fields::small(text)),
            Column::Protocol => put(&mut self.protocol, fields::small(text)),
            Column::Packets => set(&mut row.sent.packets, fields::number(text)),
            Column::Bytes => set(&mut row.sent.bytes, fields::number(text)),
            Column::Start => put(&mut row.first, fields::seconds(text)),
            Column::End => put(&mut row.last, fields::seconds(text)),
            Column::Action => match text {
                b"ACCEPT" => true,
                b"REJECT" => {
                    row.refused = true;
                    true
                }
                _ => false,
            },
            Column::Flags => match fields::small::<u8>(text) {
                // Both stand in one row where a connection took less time than the row sums up.
                Some(flags) => {
                    row.opening = match flags & 0b1_0010 {
                        0b0_0010 => Opening::Source,
                        0b1_0010 => Opening::Destination,
                        _ => Opening::Untold,
                    };
                    true
                }
                None => false,
            },
            Column::Direction => {
                self.direction = fields::observer(text);
                true
            }
            Column::Status => {
                self.status = match text {
                    b"NODATA" => Status::Quiet,
                    b"SKIPDATA" => Status::Skipped,
                    _ => Status::Fine,
                };
                matches!(text, b"OK" | b"NODATA" | b"SKIPDATA")
            }
            Column::Other => true,
        };
        self.fits &= fits;
    }

    fn finish(mut self) -> Option<Row> {
        let [source, destination] = [0, 1].map(|it: usize| {
            let of = |ends: &[Option<IpAddr>; 2]| ends.get(it).copied().flatten();
            of(&self.packet_ends).or_else(|| of(&self.ends))
        });
        self.row.source.ip = source?;
        self.row.destination.ip = destination?;
        self.row.transport = Transport::of(self.protocol?);
        if self.row.transport != Transport::Tcp {
            self.row.opening = Opening::Untold;
        }
        if self.row.observer == 0 {
            self.row.observer = self.direction;
        }
        Some(self.row)
    }
}

fn put<T>(into: &mut Option<T>, value: Option<T>) -> bool {
    let fits = value.is_some();
    *into = value;
    fits
}

fn set<T>(into: &mut T, value: Option<T>) -> bool {
    match value {
        Some(value) => {
            *into = value;
            true
        }
        None => false,
    }
}

impl Told {
    /// Whether a row without a header is of the default format.
    fn is_default(&self, line: &[u8]) -> bool {
        let line = stamped(line);
        words(line).next() == Some(b"2") && words(line).count() == DEFAULT.len() && self.draft(line).is_some_and(|it| it.fits)
    }

    /// The fields of a line by the columns; `None` where there are more or fewer.
    fn draft(&self, line: &[u8]) -> Option<Draft> {
        let mut draft = Draft::EMPTY;
        let mut columns = self.columns.iter();
        for word in words(line) {
            draft.field(*columns.next()?, word);
        }
        columns.next().is_none().then_some(draft)
    }

    /// Takes a line; `false` if it fits nothing.
    fn line(&mut self, line: &[u8], out: &mut dyn Sheet) -> bool {
        match line.first() {
            None => return true,
            Some(b'a'..=b'z') => {
                if let Some(columns) = Columns::of(line) {
                    self.usable = columns.lacking().is_empty();
                    self.columns = columns.0;
                    return true;
                }
            }
            _ => {}
        }
        let draft = match self.draft(line) {
            // CloudWatch Logs puts its own time before a line when it exports to S3.
            None => self.draft(stamped(line)),
            fitting => fitting,
        };
        let Some(draft) = draft else {
            self.count();
            out.unreadable(if words(line).nth(3).is_some() { MISFIT } else { NO_FLOW });
            return false;
        };
        self.count();
        self.clock(&draft.row);
        if !self.usable {
            out.unreadable(NO_COLUMNS);
            return true;
        }
        match draft.status {
            Status::Quiet => self.log.quiet = self.log.quiet.saturating_add(1),
            Status::Skipped => self.log.skipped = self.log.skipped.saturating_add(1),
            Status::Fine if !draft.fits => out.unreadable(MISFIT),
            Status::Fine => match draft.finish() {
                Some(row) => out.flow(self.record.frames, &row),
                None => out.unreadable(NO_ENDS),
            },
        }
        true
    }

    fn count(&mut self) {
        self.record.frames = self.record.frames.saturating_add(1);
    }

    fn clock(&mut self, row: &Row) {
        super::clock(&mut self.record, &mut self.log, row.first, row.last);
    }

    fn summary(mut self, whole: crate::window::Whole, damage: Option<String>) -> Summary {
        self.log.tells_refusal = self.columns.contains(&Column::Action);
        self.record.tick = 1_000_000_000;
        super::summary(self.record, self.log, whole, damage)
    }
}

/// A line without the time that an export puts before it.
fn stamped(line: &[u8]) -> &[u8] {
    let (stamp, rest) = line
        .split_at_checked(line.iter().position(|it| *it == b' ').unwrap_or_default())
        .unwrap_or_default();
    if instant::iso(stamp).is_some() {
        rest.trim_ascii_start()
    } else {
        line
    }
}

/// A file of lines.
struct Lines<'r> {
    window: Window<'r>,
    told: Told,
    damage: Option<String>,
}

impl FlowLog for Lines<'_> {
    fn advance(&mut self, out: &mut dyn Sheet) -> Result<bool, ReadError> {
        let bytes = self.window.bytes();
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, behind) = rest.split_at_checked(end).unwrap_or_default();
            self.told.line(line.trim_ascii(), out);
            rest = behind.get(1..).unwrap_or_default();
        }
        let (length, left) = (bytes.len().saturating_sub(rest.len()), rest.len());
        self.window.consume(length);
        if self.window.fill(left.saturating_add(1))? {
            if left >= LINE {
                self.told.count();
                out.unreadable(NO_FLOW);
                return self.step_over();
            }
            return Ok(true);
        }
        let last = self.window.bytes().trim_ascii();
        if !last.is_empty() && !self.told.line(last, out) {
            self.told.record.cut_short = true;
            self.damage = Some(format!(
                "offset {}: the file ends inside the row that begins here",
                self.window.position()
            ));
        }
        let length = self.window.bytes().len();
        self.window.consume(length);
        Ok(false)
    }

    fn position(&self) -> u64 {
        self.window.file_position()
    }

    fn finish(self: Box<Self>) -> Result<Summary, ReadError> {
        Ok(self.told.summary(self.window.finish()?, self.damage))
    }
}

impl Lines<'_> {
    /// Steps over the rest of a line that is longer than any row.
    fn step_over(&mut self) -> Result<bool, ReadError> {
        loop {
            let bytes = self.window.bytes();
            let end = memchr::memchr(b'\n', bytes);
            let length = end.map_or(bytes.len(), |end| end.saturating_add(1));
            self.window.consume(length);
            if end.is_some() {
                return Ok(true);
            }
            if !self.window.fill(1)? {
                return Ok(false);
            }
        }
    }
}

/// Lines inside JSON of CloudWatch Logs.
struct Wrapped<'r> {
    documents: Documents<'r>,
    told: Told,
}

impl FlowLog for Wrapped<'_> {
    fn advance(&mut self, out: &mut dyn Sheet) -> Result<bool, ReadError> {
        let Some((record, whole)) = self.documents.next()? else {
            return Ok(false);
        };
        if !whole {
            self.told.count();
            out.unreadable(super::PART);
            return Ok(true);
        }
        for event in documents::records(record) {
            match documents::member(event, b"message").and_then(json::Value::string) {
                Some(message) => {
                    self.told.line(message.bytes.trim_ascii(), out);
                }
                None => {
                    self.told.count();
                    out.unreadable("a record without a message");
                }
            }
        }
        Ok(true)
    }

    fn position(&self) -> u64 {
        self.documents.window.file_position()
    }

    fn finish(mut self: Box<Self>) -> Result<Summary, ReadError> {
        self.told.record.cut_short |= self.documents.damage.is_some();
        let mut summary = self.told.summary(self.documents.window.finish()?, self.documents.damage);
        summary.limits = (0..self.documents.clipped).map(|_| "record-bytes").collect();
        Ok(summary)
    }
}
