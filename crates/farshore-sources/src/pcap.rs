//! The classic capture file: libpcap's own, both byte orders, micro- and nanoseconds.
//!
//! Reference: <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html>. Modified variants (Kuznetzov,
//! Navtel, IXIA) and compression are not read here.

use farshore_model::ledger::InputRecord;
use farshore_model::{Frame, InputId, LinkType, Timestamp};

use crate::bytes::Order;
use crate::{Capture, Format, OpenError, ReadError, Summary, Window};

const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;

/// pcap.
pub(crate) struct Pcap;

impl Format for Pcap {
    fn id(&self) -> &'static str {
        "pcap"
    }

    fn claims(&self, head: &[u8]) -> bool {
        magic(head).is_some()
    }

    fn open<'r>(&self, input: InputId, mut window: Window<'r>) -> Result<Box<dyn Capture + 'r>, OpenError> {
        let whole = window.fill(FILE_HEADER)?;
        let head = window.bytes();
        let (Some((order, tick)), true) = (magic(head), whole) else {
            return Err(OpenError::HeaderCut {
                format: "pcap",
                have: head.len() as u64,
                expected: FILE_HEADER as u64,
            });
        };
        let major = order.u16(head, 4).unwrap_or_default();
        if major != 2 {
            return Err(OpenError::Header {
                offset: 4,
                expected: format!("expected pcap version 2, found {major}"),
            });
        }
        // The upper half tells of a frame check sequence, or nothing: the link is the lower (section 4 of the draft).
        let link = LinkType(order.u32(head, 20).unwrap_or_default() & 0xffff);
        window.consume(FILE_HEADER);
        Ok(Box::new(PcapFile {
            input,
            window,
            order,
            tick,
            link,
            record: InputRecord {
                format: "pcap",
                ..Default::default()
            },
            damage: None,
        }))
    }
}

/// Byte order and clock tick in nanoseconds, from the magic number.
fn magic(head: &[u8]) -> Option<(Order, u64)> {
    match head.first_chunk()? {
        [0xd4, 0xc3, 0xb2, 0xa1] => Some((Order::Little, 1_000)),
        [0xa1, 0xb2, 0xc3, 0xd4] => Some((Order::Big, 1_000)),
        [0x4d, 0x3c, 0xb2, 0xa1] => Some((Order::Little, 1)),
        [0xa1, 0xb2, 0x3c, 0x4d] => Some((Order::Big, 1)),
        _ => None,
    }
}

struct PcapFile<'r> {
    input: InputId,
    window: Window<'r>,
    order: Order,
    tick: u64,
    link: LinkType,
    record: InputRecord,
    damage: Option<String>,
}

impl Capture for PcapFile<'_> {
    fn next(&mut self) -> Result<Option<Frame<'_>>, ReadError> {
        if self.damage.is_some() {
            return Ok(None);
        }
        let at = self.window.position();
        if !self.window.fill(RECORD_HEADER)? {
            let left = self.window.bytes().len();
            if left > 0 {
                self.record.cut_short = true;
                self.damage = Some(format!(
                    "offset {at}: the file ends {left} bytes into a record header of {RECORD_HEADER}"
                ));
            }
            return Ok(None);
        }
        let head = self.window.bytes();
        let word = |at| self.order.u32(head, at).unwrap_or_default();
        let (seconds, fraction, captured, wire_length) = (word(0), word(4), word(8), word(12));
        let length = usize::try_from(captured).unwrap_or(usize::MAX);
        if length > self.window.limits.frame_bytes {
            let most = self.window.limits.frame_bytes;
            self.record.cut_short = true;
            self.damage = Some(format!(
                "offset {at}: the record claims {captured} captured bytes; expected at most {most}"
            ));
            return Ok(None);
        }
        if !self.window.fill(RECORD_HEADER.saturating_add(length))? {
            let have = self.window.bytes().len().saturating_sub(RECORD_HEADER);
            self.record.cut_short = true;
            self.damage = Some(format!("offset {at}: the file ends {have} bytes into a frame of {captured}"));
            return Ok(None);
        }
        self.window.consume(RECORD_HEADER);
        self.window.consume(length);
        let time = Timestamp::from_parts(i64::from(seconds), u64::from(fraction).saturating_mul(self.tick));
        crate::pcapng::count(&mut self.record, Some(time));
        Ok(Some(Frame {
            input: self.input,
            number: self.record.frames,
            time: Some(time),
            tick: self.tick,
            link: self.link,
            interface: 0,
            wire_length,
            bytes: self.window.consumed(length),
        }))
    }

    fn position(&self) -> u64 {
        self.window.file_position()
    }

    fn finish(self: Box<Self>) -> Result<Summary, ReadError> {
        Ok(Summary::of(self.record, self.window.finish()?, None, self.damage))
    }
}
