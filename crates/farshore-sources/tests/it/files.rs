//! Writes capture files in either byte order, and reads them back through the library.

use std::io::Read;

use farshore_model::{InputId, LinkType, Timestamp};
use farshore_sources::{Limits, OpenError, Summary, open};

/// Byte order of a file or section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Little,
    Big,
}

pub const ORDERS: [Order; 2] = [Order::Little, Order::Big];

impl Order {
    pub fn u16(self, it: u16) -> [u8; 2] {
        if self == Self::Little { it.to_le_bytes() } else { it.to_be_bytes() }
    }
    pub fn u32(self, it: u32) -> [u8; 4] {
        if self == Self::Little { it.to_le_bytes() } else { it.to_be_bytes() }
    }
    pub fn u64(self, it: u64) -> [u8; 8] {
        if self == Self::Little { it.to_le_bytes() } else { it.to_be_bytes() }
    }
}

/// A frame as it came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    pub number: u64,
    pub nanos: Option<i64>,
    pub tick: u64,
    pub link: u32,
    pub interface: u32,
    pub wire_length: u32,
    pub bytes: Vec<u8>,
}

/// Reads everything there is.
pub fn read(file: impl Read, limits: Limits) -> Result<(Vec<Got>, Summary), OpenError> {
    let mut capture = open(InputId(3), file, limits)?;
    let mut frames = Vec::new();
    while let Some(frame) = capture.next()? {
        assert_eq!(frame.input, InputId(3));
        let LinkType(link) = frame.link;
        frames.push(Got {
            number: frame.number,
            nanos: frame.time.map(Timestamp::as_nanos),
            tick: frame.tick,
            link,
            interface: frame.interface,
            wire_length: frame.wire_length,
            bytes: frame.bytes.to_vec(),
        });
    }
    // The end is the end, however often it is asked for.
    assert!(capture.next()?.is_none());
    let summary = capture.finish()?;
    assert_eq!(summary.record.frames, frames.len() as u64);
    assert_eq!(summary.record.cut_short, summary.damage.is_some());
    Ok((frames, summary))
}

pub fn whole(file: &[u8]) -> (Vec<Got>, Summary) {
    read(file, Limits::default()).unwrap()
}

/// Bytes that differ from frame to frame.
pub fn body(seed: u32, length: usize) -> Vec<u8> {
    (0..length as u32)
        .map(|at| (seed.wrapping_mul(97).wrapping_add(at.wrapping_mul(31)) >> 1) as u8)
        .collect()
}

/// A classic file: header, and where each record ends.
pub fn pcap(order: Order, nanoseconds: bool, link: u32, records: &[Record]) -> (Vec<u8>, Vec<usize>) {
    let magic = if nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
    variant(order, (magic, 0, 0), link, records)
}

/// Seconds, fraction, bytes, length on the wire.
pub type Record = (u32, u32, Vec<u8>, u32);

/// Magic number, further bytes of the file header, further bytes of each record header.
pub type Variant = (u32, usize, usize);

/// Kuznetzov's, and IXIA's two.
pub const VARIANTS: [Variant; 3] = [(0xa1b2_cd34, 0, 8), (0x1c00_01ac, 4, 0), (0x1c00_01ab, 4, 0)];

/// A classic file with longer headers.
pub fn variant(order: Order, (magic, of_file, of_record): Variant, link: u32, records: &[Record]) -> (Vec<u8>, Vec<usize>) {
    let mut out = Vec::new();
    out.extend(order.u32(magic));
    out.extend([order.u16(2), order.u16(4)].concat());
    out.extend([0, 0, 65_535, link].map(|word| order.u32(word)).concat());
    out.extend(vec![0xee; of_file]);
    let mut ends = Vec::new();
    for (seconds, fraction, bytes, wire_length) in records {
        out.extend(
            [*seconds, *fraction, bytes.len() as u32, *wire_length]
                .map(|word| order.u32(word))
                .concat(),
        );
        out.extend(vec![0xdd; of_record]);
        out.extend(bytes);
        ends.push(out.len());
    }
    (out, ends)
}

/// A pcapng file under construction.
pub struct Blocks {
    pub order: Order,
    pub bytes: Vec<u8>,
    /// Where the blocks end that hold a packet.
    pub ends: Vec<usize>,
}

pub type Options<'a> = &'a [(u16, Vec<u8>)];

impl Blocks {
    pub fn new(order: Order) -> Self {
        let mut it = Self {
            order,
            bytes: Vec::new(),
            ends: Vec::new(),
        };
        it.section(order, &[]);
        it
    }

    pub fn block(&mut self, kind: u32, body: &[u8]) -> &mut Self {
        let padded = body.len().next_multiple_of(4);
        let length = self.order.u32(padded as u32 + 12);
        self.bytes.extend(self.order.u32(kind));
        self.bytes.extend(length);
        self.bytes.extend(body);
        self.bytes.resize(self.bytes.len() + padded - body.len(), 0);
        self.bytes.extend(length);
        self
    }

    fn options(&self, options: Options<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        for (code, value) in options {
            out.extend(self.order.u16(*code));
            out.extend(self.order.u16(value.len() as u16));
            out.extend(value);
            out.resize(out.len().next_multiple_of(4), 0);
        }
        if !out.is_empty() {
            out.extend([0; 4]);
        }
        out
    }

    /// From here on in this byte order.
    pub fn section(&mut self, order: Order, options: Options<'_>) -> &mut Self {
        self.order = order;
        let head = [&order.u32(0x1a2b_3c4d)[..], &order.u16(1), &order.u16(0), &order.u64(u64::MAX)].concat();
        let body = [head, self.options(options)].concat();
        self.block(0x0a0d_0d0a, &body)
    }

    pub fn interface(&mut self, link: u16, snap: u32, options: Options<'_>) -> &mut Self {
        let head = [&self.order.u16(link)[..], &[0, 0], &self.order.u32(snap)].concat();
        let body = [head, self.options(options)].concat();
        self.block(1, &body)
    }

    fn packet(&mut self, kind: u32, head: &[[u8; 4]], bytes: &[u8], options: Options<'_>) -> &mut Self {
        let mut body = head.concat();
        body.extend(bytes);
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend(self.options(options));
        self.block(kind, &body);
        self.ends.push(self.bytes.len());
        self
    }

    pub fn enhanced(&mut self, interface: u32, units: u64, bytes: &[u8], wire_length: u32, options: Options<'_>) -> &mut Self {
        let words = [interface, (units >> 32) as u32, units as u32, bytes.len() as u32, wire_length];
        let order = self.order;
        self.packet(6, &words.map(|word| order.u32(word)), bytes, options)
    }

    pub fn simple(&mut self, bytes: &[u8], wire_length: u32) -> &mut Self {
        let head = [self.order.u32(wire_length)];
        self.packet(3, &head, bytes, &[])
    }

    pub fn obsolete(&mut self, interface: u16, units: u64, bytes: &[u8], wire_length: u32) -> &mut Self {
        let order = self.order;
        let mut first = [0; 4];
        first[..2].copy_from_slice(&order.u16(interface));
        first[2..].copy_from_slice(&order.u16(u16::MAX));
        let words = [(units >> 32) as u32, units as u32, bytes.len() as u32, wire_length].map(|word| order.u32(word));
        let head = [&[first][..], &words].concat();
        self.packet(2, &head, bytes, &[])
    }

    pub fn statistics(&mut self, interface: u32, options: Options<'_>) -> &mut Self {
        let head = [interface, 0, 0].map(|word| self.order.u32(word)).concat();
        let body = [head, self.options(options)].concat();
        self.block(5, &body)
    }
}

/// Three sections in both orders, interfaces of every kind of clock, packets of every kind of block.
pub fn medley() -> Blocks {
    let mut it = Blocks::new(Order::Little);
    it.interface(1, 0, &[(2, b"eth0".to_vec()), (9, vec![9])]);
    it.interface(101, 96, &[(9, vec![0x80 | 20]), (14, Order::Little.u64(1_000).to_vec())]);
    it.enhanced(0, 1_613_066_400_000_000_005, &body(1, 60), 60, &[]);
    it.block(0x8000_0bad, &body(2, 17));
    it.enhanced(1, 3 << 19, &body(3, 33), 140, &[(4, Order::Little.u64(2).to_vec())]);
    it.simple(&body(4, 41), 41);
    it.section(Order::Big, &[(4, b"a test".to_vec())]);
    it.interface(113, 0, &[]);
    it.obsolete(0, 1_700_000_000_000_001, &body(5, 20), 20);
    it.block(4, &[0; 8]);
    it.enhanced(0, 1_700_000_000_000_002, &[], 0, &[]);
    it.statistics(0, &[(5, Order::Big.u64(3).to_vec()), (7, Order::Big.u64(4).to_vec())]);
    it.section(Order::Little, &[]);
    it.interface(276, 24, &[(9, vec![6])]);
    it.simple(&body(6, 24), 90);
    it.enhanced(0, 1_700_000_001_000_000, &body(7, 24), 90, &[(1, b"a comment".to_vec())]);
    it
}
