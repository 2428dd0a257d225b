//! The classic capture file: libpcap's own, both byte orders, micro- and nanoseconds; with Alexey Kuznetzov's longer
//! record headers, as home routers write it; and IXIA's, with a longer file header.
//!
//! Reference: <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html>; for the variants the readers of libpcap
//! (`sf-pcap.c`) and Wireshark (`wiretap/libpcap.c`). Compression is not read here.

use std::ops::Range;
use std::sync::Arc;

use farshore_model::ledger::InputRecord;
use farshore_model::{Frame, InputId, LinkType, Timestamp};

use crate::bytes::Order;
use crate::clock::{self, Clock};
use crate::{Capture, Format, Latest, OpenError, Opened, ReadError, Summary, Window};

const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;
/// Behind each record header of the Kuznetzov variant: interface, protocol, packet type.
const MORE_OF_RECORD: usize = 8;
/// Behind the file header of IXIA's variant: the size of all records.
const MORE_OF_FILE: usize = 4;

/// pcap.
pub(crate) struct Pcap;

impl Format for Pcap {
    fn id(&self) -> &'static str {
        "pcap"
    }

    fn claims(&self, head: &[u8]) -> bool {
        magic(head).is_some()
    }

    fn open<'r>(&self, input: InputId, mut window: Window<'r>) -> Result<Opened<'r>, OpenError> {
        let header = FILE_HEADER.saturating_add(magic(window.bytes()).map_or(0, |variant| variant.more_of_file));
        let whole = window.fill(header)?;
        let head = window.bytes();
        let (
            Some(Variant {
                order,
                tick,
                more_of_record,
                ..
            }),
            true,
        ) = (magic(head), whole)
        else {
            return Err(OpenError::HeaderCut {
                format: "pcap",
                have: head.len() as u64,
                expected: header as u64,
            });
        };
        let (major, minor) = (order.u16(head, 4).unwrap_or_default(), order.u16(head, 6).unwrap_or_default());
        // Some writers know one byte order for the magic number and another for the version.
        let lengths = match (major, minor) {
            (2, minor) => Lengths::of(minor),
            (_, minor) if major.swap_bytes() == 2 => Lengths::of(minor.swap_bytes()),
            (DG_UX, 0) => Lengths::WireFirst,
            _ => {
                return Err(OpenError::Header {
                    offset: 4,
                    expected: format!("expected pcap version 2, found {major}"),
                });
            }
        };
        // The upper half tells of a frame check sequence, or nothing: the link is the lower (section 4 of the draft).
        let link = LinkType(order.u32(head, 20).unwrap_or_default() & 0xffff);
        window.consume(header);
        Ok(Opened::Capture(Box::new(PcapFile {
            input,
            window,
            order,
            tick,
            record_header: RECORD_HEADER.saturating_add(more_of_record),
            lengths,
            link,
            record: InputRecord {
                format: "pcap",
                ..Default::default()
            },
            damage: None,
            latest: Latest::NONE,
            clock: Clock::default(),
        })))
    }
}

/// What a magic number says.
struct Variant {
    order: Order,
    /// Of the clock, in nanoseconds.
    tick: u64,
    more_of_file: usize,
    more_of_record: usize,
}

fn magic(head: &[u8]) -> Option<Variant> {
    [Order::Little, Order::Big].into_iter().find_map(|order| {
        let (tick, more_of_file, more_of_record) = match order.u32(head, 0)? {
            0xa1b2_c3d4 => (1_000, 0, 0),
            0xa1b2_3c4d => (1, 0, 0),
            0xa1b2_cd34 => (1_000, 0, MORE_OF_RECORD),
            0x1c00_01ac => (1, MORE_OF_FILE, 0),
            0x1c00_01ab => (1_000, MORE_OF_FILE, 0),
            _ => return None,
        };
        Some(Variant {
            order,
            tick,
            more_of_file,
            more_of_record,
        })
    })
}

/// The version that the tcpdump of DG/UX wrote.
const DG_UX: u16 = 543;

/// Which of its two lengths a record tells first: before version 2.3 that was the one on the wire, and some that call themselves 2.3
/// still do so (libpcap, `sf-pcap.c`).
#[derive(Clone, Copy, Debug)]
enum Lengths {
    CapturedFirst,
    WireFirst,
    /// What was captured is never longer than what was sent.
    ShorterIsCaptured,
}

impl Lengths {
    const fn of(minor: u16) -> Self {
        match minor {
            0..=2 => Self::WireFirst,
            3 => Self::ShorterIsCaptured,
            _ => Self::CapturedFirst,
        }
    }

    /// What was captured, and what was sent.
    fn told(self, first: u32, second: u32) -> (u32, u32) {
        match self {
            Self::CapturedFirst => (first, second),
            Self::WireFirst => (second, first),
            Self::ShorterIsCaptured => (first.min(second), first.max(second)),
        }
    }
}

struct PcapFile<'r> {
    input: InputId,
    window: Window<'r>,
    order: Order,
    tick: u64,
    record_header: usize,
    lengths: Lengths,
    link: LinkType,
    record: InputRecord,
    damage: Option<String>,
    latest: Latest,
    clock: Clock,
}

impl Capture for PcapFile<'_> {
    fn advance(&mut self) -> Result<bool, ReadError> {
        if self.damage.is_some() {
            return Ok(false);
        }
        let at = self.window.position();
        let header = self.record_header;
        if !self.window.fill(header)? {
            let left = self.window.bytes().len();
            if left > 0 {
                self.record.cut_short = true;
                self.damage = Some(format!("offset {at}: the file ends {left} bytes into a record header of {header}"));
            }
            return Ok(false);
        }
        let head = self.window.bytes();
        let word = |at| self.order.u32(head, at).unwrap_or_default();
        let (seconds, fraction) = (word(0), word(4));
        let (captured, wire_length) = self.lengths.told(word(8), word(12));
        let length = usize::try_from(captured).unwrap_or(usize::MAX);
        if length > self.window.limits.frame_bytes {
            let most = self.window.limits.frame_bytes;
            self.record.cut_short = true;
            self.damage = Some(format!(
                "offset {at}: the record claims {captured} captured bytes; expected at most {most}"
            ));
            return Ok(false);
        }
        if !self.window.fill(header.saturating_add(length))? {
            let have = self.window.bytes().len().saturating_sub(header);
            self.record.cut_short = true;
            self.damage = Some(format!("offset {at}: the file ends {have} bytes into a frame of {captured}"));
            return Ok(false);
        }
        self.window.consume(header);
        self.window.consume(length);
        let time = Timestamp::from_parts(i64::from(seconds), u64::from(fraction).saturating_mul(self.tick));
        clock::count(&mut self.record, &mut self.clock, Some(time));
        self.latest = Latest {
            number: self.record.frames,
            time: Some(time),
            tick: self.tick,
            link: self.link,
            interface: 0,
            wire_length,
            length,
            behind: 0,
        };
        Ok(true)
    }

    fn frame(&self) -> Frame<'_> {
        self.latest.frame(self.input, &self.window)
    }

    fn held(&self) -> (&Arc<Vec<u8>>, Range<usize>) {
        self.latest.held(&self.window)
    }

    fn position(&self) -> u64 {
        self.window.file_position()
    }

    fn record(&self) -> &InputRecord {
        &self.record
    }

    fn finish(mut self: Box<Self>) -> Result<Summary, ReadError> {
        self.record.tick = Clock::tick(std::iter::once(&self.clock));
        Ok(Summary::of(self.record, self.window.finish()?, None, self.damage))
    }
}
