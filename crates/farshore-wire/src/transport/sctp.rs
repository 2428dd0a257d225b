//! SCTP (RFC 9260): the chunks of a packet, and the data of one direction put in order.
//!
//! User messages are handed on in the order of their transmission numbers, as one stream: numbers within a message are
//! consecutive (section 6.9), so messages never mix, but which of the association's streams they were on is not kept.
//! Bundled control chunks other than those that move the numbers are stepped over; nothing is encrypted or checked here.

use std::collections::BTreeMap;

use crate::cursor::Cursor;
use crate::limits::Limits;
use crate::stream::{Origin, Piece, Segment};

/// SCTP's protocol number.
pub(crate) const NUMBER: u8 = 132;
/// Chunks that must wait behind an acknowledged hole before it is given up: captures reorder a little.
const PATIENCE: usize = 8;
/// A jump farther than this is no reordering: the numbers belong to another association.
const FARTHEST: u32 = 1 << 16;
/// What a chunk that waits takes beside its bytes.
const OVERHEAD: usize = 64;

/// What is of use in a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunk<'a> {
    /// A piece of a user message: its number, its bytes, where they stand in the payload, and how many were not captured.
    Data(u32, &'a [u8], usize, usize),
    /// The sender's numbers begin here.
    Begins(u32),
    /// The sender has all of the other side up to this number.
    Acknowledged(u32),
    /// The sender will not send what it has not, up to this number (RFC 3758).
    Abandoned(u32),
}

/// The chunks of a packet, given what follows its common header.
pub(crate) fn chunks(payload: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let mut cursor = Cursor::new("sctp", payload);
    std::iter::from_fn(move || {
        // Each chunk takes four bytes at least.
        loop {
            let [kind, _] = cursor.array::<2>().ok()?;
            let length = usize::from(cursor.u16().ok()?).checked_sub(4)?;
            let have = length.min(cursor.left());
            let mut body = cursor.sub(have).ok()?;
            let padding = length.next_multiple_of(4).saturating_sub(length);
            cursor.skip(padding.min(cursor.left())).ok()?;
            let chunk = match kind {
                // DATA, and I-DATA with its longer header (RFC 8260).
                0 | 64 => {
                    let number = body.u32().ok()?;
                    body.skip(if kind == 0 { 8 } else { 12 }).ok()?;
                    Chunk::Data(number, body.rest(), body.offset(), length.saturating_sub(have))
                }
                // INIT and its acknowledgement: tag, window, streams each way, first number.
                1 | 2 => {
                    body.skip(12).ok()?;
                    Chunk::Begins(body.u32().ok()?)
                }
                3 => Chunk::Acknowledged(body.u32().ok()?),
                192 => Chunk::Abandoned(body.u32().ok()?),
                _ => continue,
            };
            return Some(chunk);
        }
    })
}

/// One direction.
#[derive(Debug, Default)]
pub(crate) struct Half {
    /// The number expected next, and how many came before it.
    next: Option<u32>,
    position: u64,
    /// Chunks that came too early, by place.
    pending: BTreeMap<u64, (Vec<u8>, usize, Origin)>,
    pending_bytes: usize,
    /// How many the other side acknowledged.
    acknowledged: u64,
}

impl Half {
    /// The numbers begin here.
    pub(crate) fn open(&mut self, number: u32) {
        self.next.get_or_insert(number);
    }

    /// The other side has everything up to this number.
    pub(crate) fn acknowledge(&mut self, number: u32) {
        if let Some(place) = self.place(number) {
            self.acknowledged = self.acknowledged.max(place.saturating_add(1));
        }
    }

    /// Takes a chunk's data; delivers what has become readable.
    pub(crate) fn receive(
        &mut self,
        number: u32,
        piece: &Piece<'_>,
        limits: &Limits,
        hit: &mut dyn FnMut(&'static str),
        deliver: &mut dyn FnMut(Segment<'_>),
    ) {
        let ahead = number.wrapping_sub(*self.next.get_or_insert(number));
        if ahead.min(ahead.wrapping_neg()) > FARTHEST {
            self.flush(deliver);
            self.next = Some(number);
            deliver(Segment::Gap(0));
        }
        // Before the next one: seen already.
        let Some(place) = self.place(number) else { return };
        if place == self.position {
            self.accept(piece, deliver);
        } else if !self.pending.contains_key(&place) {
            self.pending_bytes = self.pending_bytes.saturating_add(piece.bytes.len()).saturating_add(OVERHEAD);
            self.pending.insert(place, (piece.bytes.to_vec(), piece.missing, piece.origin));
        }
        let full = if self.pending_bytes > limits.reorder_bytes {
            Some("reorder-bytes")
        } else if self.pending.len() > limits.reorder_segments {
            Some("reorder-segments")
        } else {
            None
        };
        if let Some(name) = full {
            hit(name);
        }
        if full.is_some() || (self.acknowledged > self.position && self.pending.len() >= PATIENCE) {
            self.give_up(deliver);
        }
        self.drain(piece.origin.frame, deliver);
    }

    /// The flow has ended: delivers everything that waits, holes told as gaps.
    pub(crate) fn flush(&mut self, deliver: &mut dyn FnMut(Segment<'_>)) {
        while !self.pending.is_empty() {
            self.give_up(deliver);
            self.drain(0, deliver);
        }
    }

    fn place(&self, number: u32) -> Option<u64> {
        let ahead = number.wrapping_sub(self.next?).cast_signed();
        u64::try_from(ahead).ok().map(|ahead| self.position.saturating_add(ahead))
    }

    fn step(&mut self, by: u64) {
        self.position = self.position.saturating_add(by);
        self.next = self.next.map(|next| next.wrapping_add(by as u32));
    }

    fn accept(&mut self, piece: &Piece<'_>, deliver: &mut dyn FnMut(Segment<'_>)) {
        self.step(1);
        deliver(Segment::Bytes(Piece { missing: 0, ..*piece }));
        if piece.missing > 0 {
            deliver(Segment::Gap(piece.missing as u64));
        }
    }

    fn drain(&mut self, frame: u64, deliver: &mut dyn FnMut(Segment<'_>)) {
        while let Some(entry) = self.pending.first_entry().filter(|entry| *entry.key() <= self.position) {
            let (bytes, missing, mut origin) = entry.remove();
            self.pending_bytes = self.pending_bytes.saturating_sub(bytes.len().saturating_add(OVERHEAD));
            origin.frame = origin.frame.max(frame);
            let piece = Piece {
                bytes: &bytes,
                missing,
                origin,
            };
            self.accept(&piece, deliver);
        }
    }

    /// Steps over the hole in front of the first chunk that waits. How much was in it is not known: a byte each at least.
    fn give_up(&mut self, deliver: &mut dyn FnMut(Segment<'_>)) {
        let Some(start) = self.pending.keys().next().copied() else { return };
        let hole = start.saturating_sub(self.position);
        if hole > 0 {
            self.step(hole);
            deliver(Segment::Gap(hole));
        }
    }
}
