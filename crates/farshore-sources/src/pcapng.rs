//! The capture file with blocks: several sections, interfaces, clocks, and what the capturing system said.
//!
//! Reference: <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html>. Read: section headers,
//! interfaces, enhanced, simple and obsolete packet blocks, statistics. Stepped over: name resolution, custom
//! and unknown blocks. Key logs in decryption secrets blocks are handed over as they are; secrets of other kinds are counted.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use farshore_model::ledger::InputRecord;
use farshore_model::{Frame, InputId, LinkType, Timestamp, WireText};

use crate::bytes::Order;
use crate::clock::{self, Clock};
use crate::{Capture, Format, Latest, OpenError, Opened, ReadError, Summary, Window};

pub(crate) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
pub(crate) const INTERFACE: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const STATISTICS: u32 = 5;
pub(crate) const ENHANCED_PACKET: u32 = 6;
const SECRETS: u32 = 10;
/// The kind of secrets that a TLS key log is: `TLSK`.
const KEY_LOG: u32 = 0x544c_534b;

/// Options of blocks, as far as they are written as well.
pub(crate) mod option {
    /// `opt_comment`, of any block.
    pub(crate) const COMMENT: u16 = 1;
    /// `shb_userappl`.
    pub(crate) const APPLICATION: u16 = 4;
    /// `if_tsresol`.
    pub(crate) const RESOLUTION: u16 = 9;
    /// `if_filter`.
    pub(crate) const FILTER: u16 = 11;
}

/// Type, length, the shortest body, length again.
const BLOCK_FRAME: usize = 12;
/// A section header without options.
const SECTION_LEAST: usize = 28;
/// Notes kept from what a file says of itself: a hostile one could say it a million times.
const NOTES: usize = 32;

/// pcapng.
pub(crate) struct Pcapng;

impl Format for Pcapng {
    fn id(&self) -> &'static str {
        "pcapng"
    }

    fn claims(&self, head: &[u8]) -> bool {
        head.starts_with(&SECTION_HEADER.to_be_bytes())
    }

    fn open<'r>(&self, input: InputId, mut window: Window<'r>) -> Result<Opened<'r>, OpenError> {
        let whole = window.fill(SECTION_LEAST)?;
        let head = window.bytes();
        if !whole {
            return Err(OpenError::HeaderCut {
                format: "pcapng",
                have: head.len() as u64,
                expected: SECTION_LEAST as u64,
            });
        }
        let Some(order) = section_order(head) else {
            return Err(OpenError::Header {
                offset: 8,
                expected: "expected the byte-order magic 1a2b3c4d in either order".to_owned(),
            });
        };
        let record = InputRecord {
            format: "pcapng",
            ..Default::default()
        };
        let mut file = PcapngFile {
            input,
            window,
            order,
            section: 0,
            interfaces: Vec::new(),
            coarsest: 0,
            record,
            damage: None,
            drops: Drops::default(),
            secrets: [0; 2],
            keys: Vec::new(),
            latest: Latest::NONE,
        };
        let length = order.u32(file.window.bytes(), 4).unwrap_or_default();
        if (length as usize) < SECTION_LEAST || !length.is_multiple_of(4) {
            return Err(OpenError::Header {
                offset: 4,
                expected: format!("expected a section header of at least {SECTION_LEAST} bytes in steps of 4, found {length}"),
            });
        }
        if !file.window.fill((length as usize).min(file.window.limits.block_bytes))? {
            let have = file.window.bytes().len() as u64;
            return Err(OpenError::HeaderCut {
                format: "pcapng",
                have,
                expected: u64::from(length),
            });
        }
        Ok(Opened::Capture(Box::new(file)))
    }
}

fn section_order(block: &[u8]) -> Option<Order> {
    match block.get(8..12)? {
        [0x4d, 0x3c, 0x2b, 0x1a] => Some(Order::Little),
        [0x1a, 0x2b, 0x3c, 0x4d] => Some(Order::Big),
        _ => None,
    }
}

struct Interface {
    link: LinkType,
    snap: u32,
    resolution: Resolution,
    /// Seconds to add to every time (if_tsoffset).
    shift: i64,
    clock: Clock,
}

/// Units of a timestamp in one second (if_tsresol).
#[derive(Clone, Copy)]
struct Resolution {
    per_second: u128,
}

impl Resolution {
    const MICROSECONDS: Self = Self { per_second: 1_000_000 };

    fn from_option(byte: u8) -> Option<Self> {
        let exponent = u32::from(byte & 0x7f);
        let base: u128 = if byte & 0x80 == 0 { 10 } else { 2 };
        base.checked_pow(exponent)
            .filter(|units| *units <= 1 << 64)
            .map(|per_second| Self { per_second })
    }

    fn time(self, units: u64, shift: i64) -> Timestamp {
        let units = u128::from(units);
        let seconds = units.checked_div(self.per_second).unwrap_or_default();
        let rest = units.checked_rem(self.per_second).unwrap_or_default();
        let nanos = rest.saturating_mul(1_000_000_000).checked_div(self.per_second).unwrap_or_default();
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_add(shift);
        Timestamp::from_parts(seconds, u64::try_from(nanos).unwrap_or_default())
    }

    fn tick(self) -> u64 {
        u64::try_from(1_000_000_000_u128.checked_div(self.per_second).unwrap_or_default())
            .unwrap_or(u64::MAX)
            .max(1)
    }
}

/// Frames lost, as the file tells: by interface statistics, else summed over packets.
#[derive(Default)]
struct Drops {
    by_interface: BTreeMap<(u32, u32), u64>,
    by_packet: Option<u64>,
}

impl Drops {
    fn total(&self) -> Option<u64> {
        if self.by_interface.is_empty() {
            return self.by_packet;
        }
        Some(self.by_interface.values().fold(0, |sum, drops| sum.saturating_add(*drops)))
    }
}

struct PcapngFile<'r> {
    input: InputId,
    window: Window<'r>,
    order: Order,
    section: u32,
    interfaces: Vec<Interface>,
    /// The coarsest clock of earlier sections, in nanoseconds.
    coarsest: u64,
    record: InputRecord,
    damage: Option<String>,
    drops: Drops,
    /// Blocks with key logs, and with secrets of other kinds.
    secrets: [u64; 2],
    /// Text of key logs that nobody has asked for yet.
    keys: Vec<u8>,
    latest: Latest,
}

/// A packet block, told apart from its bytes so that the borrow can end.
struct Packet {
    interface: u32,
    units: Option<u64>,
    /// Where the bytes stand in the block.
    offset: usize,
    captured: usize,
    wire_length: u32,
}

impl Capture for PcapngFile<'_> {
    fn advance(&mut self) -> Result<bool, ReadError> {
        loop {
            let at = self.window.position();
            let Some((kind, length)) = self.block(at)? else { return Ok(false) };
            let Some(packet) = self.read(kind, length, at) else {
                self.window.consume(length);
                continue;
            };
            self.window.consume(length);
            let interface = self.interfaces.get_mut(packet.interface as usize);
            let time = packet
                .units
                .zip(interface.as_ref())
                .map(|(units, it)| it.resolution.time(units, it.shift));
            let interface = interface.map(|it| {
                clock::count(&mut self.record, &mut it.clock, time);
                &*it
            });
            if interface.is_none() {
                clock::count(&mut self.record, &mut Clock::default(), time);
            }
            self.latest = Latest {
                number: self.record.frames,
                time,
                tick: interface.map_or(1_000, |it| it.resolution.tick()),
                link: interface.map_or(LinkType(u32::MAX), |it| it.link),
                interface: packet.interface,
                wire_length: packet.wire_length,
                length: packet.captured,
                behind: length.saturating_sub(packet.offset).saturating_sub(packet.captured),
            };
            return Ok(true);
        }
    }

    fn frame(&self) -> Frame<'_> {
        self.latest.frame(self.input, &self.window)
    }

    fn held(&self) -> (&Arc<Vec<u8>>, Range<usize>) {
        self.latest.held(&self.window)
    }

    fn may_hold_keys(&self) -> bool {
        true
    }

    fn keys(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.keys)
    }

    fn position(&self) -> u64 {
        self.window.file_position()
    }

    fn record(&self) -> &InputRecord {
        &self.record
    }

    fn finish(self: Box<Self>) -> Result<Summary, ReadError> {
        let tick = self.tick();
        let mut record = self.record;
        record.tick = tick;
        for (blocks, what) in self
            .secrets
            .iter()
            .zip(["key logs in the file", "secrets in the file that are not read"])
        {
            if *blocks > 0 {
                record.notes.push(format!("{what}: {blocks}").into());
            }
        }
        Ok(Summary::of(record, self.window.finish()?, self.drops.total(), self.damage))
    }
}

impl PcapngFile<'_> {
    fn tick(&self) -> u64 {
        self.coarsest.max(Clock::tick(self.interfaces.iter().map(|it| &it.clock)))
    }

    /// Brings the next block into the window; its type and its whole length.
    fn block(&mut self, at: u64) -> Result<Option<(u32, usize)>, ReadError> {
        if self.damage.is_some() {
            return Ok(None);
        }
        loop {
            if !self.window.fill(BLOCK_FRAME)? {
                let left = self.window.bytes().len();
                if left > 0 {
                    self.damaged(format!(
                        "offset {at}: the file ends {left} bytes into a block header of {BLOCK_FRAME}"
                    ));
                }
                return Ok(None);
            }
            let head = self.window.bytes();
            if head.starts_with(&SECTION_HEADER.to_be_bytes()) {
                match section_order(head) {
                    Some(order) => self.order = order,
                    None => {
                        self.damaged(format!(
                            "offset {}: expected the byte-order magic 1a2b3c4d in either order",
                            at.saturating_add(8)
                        ));
                        return Ok(None);
                    }
                }
            }
            let head = self.window.bytes();
            let kind = self.order.u32(head, 0).unwrap_or_default();
            let length = self.order.u32(head, 4).unwrap_or_default();
            // Early writers left out what fills a block up, though it was there (draft-ietf-opsawg-pcapng, section 3.1).
            let size = usize::try_from(length)
                .unwrap_or(usize::MAX)
                .checked_next_multiple_of(4)
                .unwrap_or(usize::MAX);
            if size < BLOCK_FRAME {
                self.damaged(format!(
                    "offset {at}: expected a block length of at least {BLOCK_FRAME}, found {length}"
                ));
                return Ok(None);
            }
            if size > self.window.limits.block_bytes && kind == SECRETS {
                if !self.long_secrets(size)? {
                    self.damaged(format!("offset {at}: the file ends inside a block of {length}"));
                    return Ok(None);
                }
                continue;
            }
            if size > self.window.limits.block_bytes {
                // Too large to hold. Packets of that size are beyond the frame limit; other blocks are stepped over.
                if matches!(kind, ENHANCED_PACKET | SIMPLE_PACKET | PACKET) || !self.window.skip(size as u64)? {
                    self.damaged(format!(
                        "offset {at}: the block claims {length} bytes; expected at most {}",
                        self.window.limits.block_bytes
                    ));
                    return Ok(None);
                }
                self.note(format!("a block of type {kind} with {length} bytes was stepped over"));
                continue;
            }
            if !self.window.fill(size)? {
                let have = self.window.bytes().len();
                self.damaged(format!("offset {at}: the file ends {have} bytes into a block of {length}"));
                return Ok(None);
            }
            let again = self.order.u32(self.window.bytes(), size.saturating_sub(4)).unwrap_or_default();
            if again != length {
                self.damaged(format!(
                    "offset {at}: a block begins with length {length} and ends with {again}; expected the same twice"
                ));
                return Ok(None);
            }
            return Ok(Some((kind, size)));
        }
    }

    /// Keeps a key log too long to be held as one block. Says whether all of the block was there.
    fn long_secrets(&mut self, size: usize) -> Result<bool, ReadError> {
        const HEAD: usize = 16;
        if !self.window.fill(HEAD)? {
            return Ok(false);
        }
        let kind = self.order.u32(self.window.bytes(), 8);
        let told = self.order.u32(self.window.bytes(), 12).unwrap_or_default() as usize;
        self.window.consume(HEAD);
        let room = size.saturating_sub(HEAD);
        let mut text = if kind == Some(KEY_LOG) { told.min(room) } else { 0 };
        let rest = room.saturating_sub(text);
        self.count_secrets(text > 0);
        while text > 0 {
            if self.window.bytes().is_empty() && !self.window.fill(1)? {
                return Ok(false);
            }
            let piece = self.window.bytes();
            let piece = piece.get(..text).unwrap_or(piece);
            self.keys.extend_from_slice(piece);
            let length = piece.len();
            text = text.saturating_sub(length);
            self.window.consume(length);
        }
        self.keys.push(b'\n');
        self.window.skip(rest as u64)
    }

    const fn count_secrets(&mut self, read: bool) {
        let [keys, others] = &mut self.secrets;
        let blocks = if read { keys } else { others };
        *blocks = blocks.saturating_add(1);
    }

    /// Reads the block in the window; a packet if it is one.
    fn read(&mut self, kind: u32, length: usize, at: u64) -> Option<Packet> {
        let order = self.order;
        let body = self.window.bytes().get(8..length.saturating_sub(4)).unwrap_or_default();
        let word = |at| order.u32(body, at);
        let packet = match kind {
            SECTION_HEADER => {
                let told = options(
                    order,
                    body.get(16..).unwrap_or_default(),
                    &[(2, "hardware"), (3, "system"), (option::APPLICATION, "application")],
                );
                self.section = self.section.saturating_add(1);
                self.coarsest = self.tick();
                self.interfaces.clear();
                for (what, text) in told {
                    if what == "application" {
                        self.record.world = world(text.as_str());
                    }
                    self.note(format!("{what}: {text}"));
                }
                return None;
            }
            INTERFACE => {
                let list = body.get(8..).unwrap_or_default();
                let resolution = raw_option(order, list, option::RESOLUTION).and_then(|v| v.first().copied());
                let shift = raw_option(order, list, 14).and_then(|v| order.u64(v, 0));
                let interface = Interface {
                    link: LinkType(u32::from(order.u16(body, 0).unwrap_or(u16::MAX))),
                    snap: word(4).unwrap_or_default(),
                    resolution: resolution
                        .map_or(Some(Resolution::MICROSECONDS), Resolution::from_option)
                        .unwrap_or(Resolution::MICROSECONDS),
                    shift: shift.map_or(0, u64::cast_signed),
                    clock: Clock::default(),
                };
                if self.record.filter.is_none() {
                    self.record.filter = raw_option(order, list, option::FILTER).and_then(capture_filter);
                }
                let number = self.interfaces.len();
                let told = options(
                    order,
                    list,
                    &[
                        (2, "device"),
                        (3, "description"),
                        (option::FILTER, "filter"),
                        (12, "system"),
                        (15, "hardware"),
                    ],
                );
                self.interfaces.push(interface);
                for (what, text) in told {
                    self.note(format!("interface {number} {what}: {text}"));
                }
                return None;
            }
            STATISTICS => {
                let lost = |code| raw_option(order, body.get(12..).unwrap_or_default(), code).and_then(|v| order.u64(v, 0));
                // isb_ifdrop and isb_osdrop: lost for want of buffers, and by the operating system.
                if let Some(drops) = [lost(5), lost(7)].into_iter().flatten().reduce(u64::saturating_add) {
                    let interface = word(0).unwrap_or_default();
                    self.drops.by_interface.insert((self.section, interface), drops);
                }
                return None;
            }
            SECRETS => {
                let text = word(4).and_then(|length| body.get(8..)?.get(..length as usize));
                let text = text.filter(|_| word(0) == Some(KEY_LOG));
                if let Some(text) = text {
                    self.keys.extend_from_slice(text);
                    self.keys.push(b'\n');
                }
                let read = text.is_some();
                self.count_secrets(read);
                return None;
            }
            ENHANCED_PACKET => {
                let captured = word(12)? as usize;
                let after = 20_usize.saturating_add(captured.checked_next_multiple_of(4)?);
                if let Some(drops) = body
                    .get(after..)
                    .and_then(|rest| raw_option(order, rest, 4))
                    .and_then(|v| order.u64(v, 0))
                {
                    self.drops.by_packet = Some(self.drops.by_packet.unwrap_or_default().saturating_add(drops));
                }
                Packet {
                    interface: word(0)?,
                    units: Some(u64::from(word(4)?) << 32 | u64::from(word(8)?)),
                    offset: 28,
                    captured,
                    wire_length: word(16)?,
                }
            }
            PACKET => Packet {
                interface: u32::from(order.u16(body, 0)?),
                units: Some(u64::from(word(4)?) << 32 | u64::from(word(8)?)),
                offset: 28,
                captured: word(12)? as usize,
                wire_length: word(16)?,
            },
            SIMPLE_PACKET => {
                let wire_length = word(0)?;
                let snap = self.interfaces.first().map_or(0, |it| it.snap);
                let room = length.saturating_sub(16);
                let captured = if snap == 0 { wire_length } else { wire_length.min(snap) } as usize;
                Packet {
                    interface: 0,
                    units: None,
                    offset: 12,
                    captured: captured.min(room),
                    wire_length,
                }
            }
            _ => return None,
        };
        let room = length.saturating_sub(4).saturating_sub(packet.offset);
        if packet.captured > room || packet.captured > self.window.limits.frame_bytes {
            let captured = packet.captured;
            self.damaged(format!(
                "offset {at}: the packet claims {captured} captured bytes in a block with room for {room}"
            ));
            return None;
        }
        Some(packet)
    }

    fn note(&mut self, text: String) {
        if self.record.notes.len() < NOTES {
            self.record.notes.push(WireText::from(text));
        }
    }

    fn damaged(&mut self, what: String) {
        self.record.cut_short = true;
        self.damage = Some(what);
    }
}

/// The simulated world a capture says it was written by: `farshore-lab 0.1.0 world=clubhouse …`.
fn world(application: &str) -> Option<WireText> {
    let rest = application.strip_prefix("farshore-lab ")?;
    rest.split(' ').find_map(|word| word.strip_prefix("world=")).map(WireText::from)
}

/// The filter of an interface (`if_filter`): its first byte tells whether it is text.
fn capture_filter(option: &[u8]) -> Option<WireText> {
    match option.split_first()? {
        (0, []) => None,
        (0, text) => Some(WireText::from_bytes(text.get(..256).unwrap_or(text))),
        _ => Some("a compiled filter".into()),
    }
}

/// The texts of the options named, in their order.
fn options(order: Order, list: &[u8], named: &[(u16, &'static str)]) -> Vec<(&'static str, WireText)> {
    named
        .iter()
        .filter_map(|(code, what)| raw_option(order, list, *code).map(|text| (*what, text)))
        .map(|(what, text)| (what, WireText::from_bytes(text.get(..256).unwrap_or(text))))
        .collect()
}

/// The value of the first option with that code.
fn raw_option(order: Order, mut list: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let (code, length) = (order.u16(list, 0)?, usize::from(order.u16(list, 2)?));
        if code == 0 {
            return None;
        }
        let value = list.get(4..)?.get(..length)?;
        if code == wanted {
            return Some(value);
        }
        list = list.get(4_usize.saturating_add(length.checked_next_multiple_of(4)?)..)?;
    }
}
