//! Foreign formats to inputs. Each format reads an `impl Read` through one bounded [`Window`]; memory does not
//! grow with the input, and the digest of the input is taken on the way.
//!
//! This crate opens no file and interprets no payload: it tells frames apart, [records] of exchanges, or [rows] of flow logs, and keeps what the
//! file says of itself. What is damaged ends the reading there and is said in the record; what was readable stands.

#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::todo
)]
// Tests count freely; the code under test is checked in the build without them.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

mod bytes;
mod clock;
mod container;
mod copy;
mod digest;
mod instant;
mod json;
pub mod keylog;
mod pcap;
mod pcapng;
mod records;
mod rows;
mod window;

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use farshore_model::ledger::InputRecord;
use farshore_model::{Frame, InputId, LinkType, Timestamp};

pub use copy::{Copied, Copier, Origin};
pub use digest::{AtOnce, Digester, Unneeded};
pub use records::Records;
pub use rows::{FlowLog, Sheet, Templates};
pub use window::Window;

/// All formats, sorted by id. Each sample file is claimed by exactly one.
pub static FORMATS: &[&dyn Format] = &[
    &rows::aws::AwsVpc,
    &rows::azure::AzureVnet,
    &rows::gcp::GcpVpc,
    &records::har::Har,
    &records::mitmproxy::Mitmproxy,
    &rows::netflow::Netflow,
    &pcap::Pcap,
    &pcapng::Pcapng,
];

/// A format of inputs: of captures, or of records.
pub trait Format: Sync {
    /// Its name, as it stands in `inputs[].format`.
    fn id(&self) -> &'static str;
    /// Whether a file that begins with these bytes is of this format.
    fn claims(&self, head: &[u8]) -> bool;
    /// Starts reading, right at the first byte.
    fn open<'r>(&self, input: InputId, window: Window<'r>) -> Result<Opened<'r>, OpenError>;
}

/// An input that is ready to be read, through the door it came by.
pub enum Opened<'r> {
    /// Frames.
    Capture(Box<dyn Capture + 'r>),
    /// Exchanges that somebody wrote down.
    Records(Box<dyn Records + 'r>),
    /// Rows of a flow log.
    Rows(Box<dyn FlowLog + 'r>),
}

/// A capture being read.
pub trait Capture {
    /// Goes on to the next frame; `false` at the end, be it the file's or the last readable frame's.
    fn advance(&mut self) -> Result<bool, ReadError>;
    /// The frame gone on to; an empty one before the first.
    fn frame(&self) -> Frame<'_>;
    /// The chunk that frame lies in, and where. Its bytes stay what they are for as long as it is held.
    fn held(&self) -> (&Arc<Vec<u8>>, Range<usize>);
    /// Whether key logs may stand in such a file, wherever in it.
    fn may_hold_keys(&self) -> bool {
        false
    }
    /// Text of key logs that stands in the file between the frame gone on to and the one before it, once.
    fn keys(&mut self) -> Vec<u8> {
        Vec::new()
    }
    /// The next frame; `None` at the end.
    fn next(&mut self) -> Result<Option<Frame<'_>>, ReadError> {
        Ok(if self.advance()? { Some(self.frame()) } else { None })
    }
    /// How far reading has come, in bytes of the file.
    fn position(&self) -> u64;
    /// What the file says of itself as far as it was read.
    fn record(&self) -> &InputRecord;
    /// What the file says of itself, once all frames are read.
    fn finish(self: Box<Self>) -> Result<Summary, ReadError>;
}

/// What a format tells of the frame it has gone on to.
#[derive(Clone, Copy, Debug)]
struct Latest {
    number: u64,
    time: Option<Timestamp>,
    tick: u64,
    link: LinkType,
    interface: u32,
    wire_length: u32,
    /// Its bytes: so many, that end so many before the end of what was consumed.
    length: usize,
    behind: usize,
}

impl Latest {
    const NONE: Self = Self {
        number: 0,
        time: None,
        tick: 1,
        link: LinkType(u32::MAX),
        interface: 0,
        wire_length: 0,
        length: 0,
        behind: 0,
    };

    fn frame<'a>(&self, input: InputId, window: &'a Window<'_>) -> Frame<'a> {
        let (chunk, range) = self.held(window);
        Frame {
            input,
            number: self.number,
            time: self.time,
            tick: self.tick,
            link: self.link,
            interface: self.interface,
            wire_length: self.wire_length,
            bytes: chunk.get(range).unwrap_or_default(),
        }
    }

    fn held<'a>(&self, window: &'a Window<'_>) -> (&'a Arc<Vec<u8>>, Range<usize>) {
        let (chunk, range) = window.held(self.length.saturating_add(self.behind));
        (chunk, range.start..range.end.saturating_sub(self.behind))
    }
}

/// What is known of an input when it has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Everything but the name and the labels, which only the edge knows.
    pub record: InputRecord,
    /// Frames the capturing machine lost; `None`: the file does not tell.
    pub dropped: Option<u64>,
    /// Why reading ended before the file did.
    pub damage: Option<String>,
    /// Ceilings of reading that were hit, by name, once for each time.
    pub limits: Vec<&'static str>,
}

impl Summary {
    /// Puts together what the format and the file tell.
    fn of(mut record: InputRecord, whole: window::Whole, dropped: Option<u64>, damage: Option<String>) -> Self {
        (record.file_bytes, record.sha256) = (whole.bytes, whole.sha256);
        if let Some(name) = whole.compression {
            record
                .notes
                .push(format!("compressed with {name}; offsets count in what it inflates to").into());
        }
        record.cut_short |= whole.fault.is_some();
        Self {
            record,
            dropped,
            damage: whole.fault.or(damage),
            limits: Vec::new(),
        }
    }
}

/// Ceilings of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one captured frame. Wireshark refuses larger ones too (256 KiB).
    pub frame_bytes: usize,
    /// Bytes of one pcapng block that must be held at once; larger ones are stepped over.
    pub block_bytes: usize,
    /// Bytes of one record that are held at once: a request and its answer with all they carried. The rest of a larger one is
    /// stepped over.
    pub record_bytes: usize,
    /// How many times its size a compressed file may inflate to: gzip cannot exceed 1032 (RFC 1951), captures stay
    /// far below.
    pub inflation_ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes: 1 << 18,
            block_bytes: 1 << 22,
            record_bytes: 1 << 25,
            inflation_ratio: 1_100,
        }
    }
}

/// The input cannot be read at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is empty.
    #[error("offset 0: the input is empty; expected a pcap or pcapng header, a HAR, a mitmproxy dump or a flow log")]
    Empty,
    /// It ends inside its own header.
    #[error("offset {have}: the input ends inside its {format} header; expected at least {expected} bytes")]
    HeaderCut {
        /// The format its first bytes speak of.
        format: &'static str,
        /// Bytes there are.
        have: u64,
        /// Bytes a header takes.
        expected: u64,
    },
    /// Nothing of it inflates.
    #[error("offset 0: {0}; expected a compressed capture")]
    Compressed(String),
    /// Its first bytes are no format that is known.
    #[error(
        "offset 0: {found}; expected a pcap magic number (a1b2c3d4, a1b23c4d, a1b2cd34, 1c0001ac or 1c0001ab, either byte order) a pcapng section header (0a0d0d0a), a HAR (an object with `log`), a mitmproxy dump or a flow log (of AWS, Google Cloud or Azure, NetFlow or IPFIX)"
    )]
    Unrecognised {
        /// What stands there instead.
        found: String,
    },
    /// A header field has a value that the format forbids.
    #[error("offset {offset}: {expected}")]
    Header {
        /// Where.
        offset: u64,
        /// What was expected and found.
        expected: String,
    },
    /// Reading failed.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// The machine could not read the input.
#[derive(Debug, thiserror::Error)]
#[error("offset {offset}: {source}")]
pub struct ReadError {
    /// How far reading had come.
    pub offset: u64,
    /// What went wrong.
    pub source: std::io::Error,
}

/// Recognises the format of a capture and starts reading. What is no capture is refused: see [`open_any`].
pub fn open<'r>(input: InputId, reader: impl Read + 'r, limits: Limits) -> Result<Box<dyn Capture + 'r>, OpenError> {
    with_frames(open_any(input, reader, limits, AtOnce::default())?)
}

/// The same of a capture that somebody still writes: a frame is told before more has come. That takes more room and time than to read by
/// the megabyte.
pub fn follow<'r>(input: InputId, reader: impl Read + 'r, limits: Limits) -> Result<Box<dyn Capture + 'r>, OpenError> {
    let mut window = Window::new(Box::new(reader), limits, Box::new(AtOnce::default()))?;
    window.read_as_it_comes();
    with_frames(recognise(input, window)?)
}

fn with_frames(opened: Opened<'_>) -> Result<Box<dyn Capture + '_>, OpenError> {
    match opened {
        Opened::Capture(capture) => Ok(capture),
        Opened::Records(_) => Err(OpenError::Header {
            offset: 0,
            expected: "found records of exchanges; expected frames".to_owned(),
        }),
        Opened::Rows(_) => Err(OpenError::Header {
            offset: 0,
            expected: "found rows of a flow log; expected frames".to_owned(),
        }),
    }
}

/// Recognises the format, whatever door it comes by, and starts reading; somebody else may take the digest.
pub fn open_any<'r>(input: InputId, reader: impl Read + 'r, limits: Limits, digest: impl Digester + 'r) -> Result<Opened<'r>, OpenError> {
    recognise(input, Window::new(Box::new(reader), limits, Box::new(digest))?)
}

fn recognise(input: InputId, mut window: Window<'_>) -> Result<Opened<'_>, OpenError> {
    window.fill(4)?;
    let head = window.bytes();
    if head.is_empty() {
        return Err(window
            .fault()
            .map_or(OpenError::Empty, |fault| OpenError::Compressed(fault.to_owned())));
    }
    match FORMATS.iter().find(|format| format.claims(head)) {
        Some(format) => format.open(input, window),
        None => Err(OpenError::Unrecognised { found: describe(head) }),
    }
}

fn describe(head: &[u8]) -> String {
    match head {
        [b'{' | b'[', ..] => "this looks like JSON".to_owned(),
        [b'P', b'A', b'R', b'1', ..] => "this is Parquet, which is not read".to_owned(),
        _ if head.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) => "this looks like text".to_owned(),
        _ => {
            let hex: Vec<String> = head.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            format!("found {}", hex.join(""))
        }
    }
}
