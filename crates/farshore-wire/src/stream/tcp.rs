//! One direction of a TCP connection, put in order.
//!
//! Overlap policy: the bytes seen first stand; a later copy, equal or not, is dropped. Sequence numbers wrap.
//! A hole is given up (and told as a gap) when the other side acknowledged past it and more data keeps coming,
//! when the buffers' ceilings are reached, or when the flow ends.

use std::collections::BTreeMap;

use crate::limits::Limits;
use crate::stream::{Origin, Piece, Segment};

/// Segments that must wait behind an acknowledged hole before it is given up: captures reorder a little.
const PATIENCE: usize = 8;
/// A jump farther than this is no reordering: the numbers belong to another connection.
const FARTHEST: i64 = 1 << 30;

/// One direction.
#[derive(Debug, Default)]
pub(crate) struct Half {
    /// The sequence number expected next, and its place in the stream.
    next: Option<u32>,
    position: u64,
    /// Bytes that came too early, by place.
    pending: BTreeMap<u64, (Vec<u8>, Origin)>,
    pending_bytes: usize,
    /// The farthest place the other side acknowledged.
    acknowledged: u64,
    /// The initial sequence number, if the SYN was seen.
    pub(crate) initial: Option<u32>,
    /// FIN or RST was seen.
    pub(crate) closed: bool,
}

/// What became of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receipt {
    /// Some of it was new.
    New,
    /// All of it had been seen before.
    Repeated,
}

impl Half {
    /// A SYN was seen.
    pub(crate) fn open(&mut self, sequence: u32) {
        self.initial = Some(sequence);
        if self.next.is_none() {
            self.next = Some(sequence.wrapping_add(1));
        }
    }

    /// The other side acknowledged everything before this number.
    pub(crate) fn acknowledge(&mut self, number: u32) {
        if let Some(place) = self.place(number) {
            self.acknowledged = self.acknowledged.max(place);
        }
    }

    /// Takes payload; delivers what has become readable.
    pub(crate) fn receive(
        &mut self,
        sequence: u32,
        piece: &Piece<'_>,
        limits: &Limits,
        hit: &mut dyn FnMut(&'static str),
        deliver: &mut dyn FnMut(Segment<'_>),
    ) -> Receipt {
        if self.next.is_none() {
            // The capture begins in mid-stream: this is as early as it gets.
            self.next = Some(sequence);
        }
        let length = piece.bytes.len().saturating_add(piece.missing);
        let Some(start) = self.place(sequence) else {
            // Before the stream's start, or far out of any window.
            if self.distance(sequence).is_some_and(|d| d.abs() >= FARTHEST) {
                self.flush(deliver);
                self.next = Some(sequence);
                deliver(Segment::Gap(0));
                return self.receive(sequence, piece, limits, hit, deliver);
            }
            let before = self.distance(sequence).map_or(0, i64::unsigned_abs);
            let skip = usize::try_from(before).unwrap_or(usize::MAX);
            if skip >= length {
                return Receipt::Repeated;
            }
            self.accept(self.position, &tail(piece, skip), deliver);
            return Receipt::New;
        };
        if start.saturating_add(length as u64) <= self.position {
            return Receipt::Repeated;
        }
        if start <= self.position {
            let skip = usize::try_from(self.position.saturating_sub(start)).unwrap_or(usize::MAX);
            self.accept(self.position, &tail(piece, skip), deliver);
            self.drain(piece.origin.frame, deliver);
            return Receipt::New;
        }
        let receipt = self.keep(start, piece);
        let full = self.pending_bytes > limits.reorder_bytes || self.pending.len() > limits.reorder_segments;
        if full {
            hit(if self.pending_bytes > limits.reorder_bytes {
                "reorder-bytes"
            } else {
                "reorder-segments"
            });
        }
        if full || (self.acknowledged > self.position && self.pending.len() >= PATIENCE) {
            self.give_up(deliver);
            self.drain(piece.origin.frame, deliver);
        }
        receipt
    }

    /// The flow has ended: delivers everything that waits, holes told as gaps.
    pub(crate) fn flush(&mut self, deliver: &mut dyn FnMut(Segment<'_>)) {
        while !self.pending.is_empty() {
            self.give_up(deliver);
            self.drain(0, deliver);
        }
    }

    fn distance(&self, sequence: u32) -> Option<i64> {
        self.next.map(|next| i64::from(sequence.wrapping_sub(next).cast_signed()))
    }

    fn place(&self, sequence: u32) -> Option<u64> {
        let distance = self.distance(sequence).filter(|d| d.abs() < FARTHEST)?;
        self.position.checked_add_signed(distance)
    }

    /// Delivers bytes that stand at the stream's front, and a gap for those not captured.
    fn accept(&mut self, position: u64, piece: &Piece<'_>, deliver: &mut dyn FnMut(Segment<'_>)) {
        let length = (piece.bytes.len() as u64).saturating_add(piece.missing as u64);
        self.position = position.saturating_add(length);
        self.next = self.next.map(|next| next.wrapping_add(length as u32));
        if !piece.bytes.is_empty() {
            deliver(Segment::Bytes(Piece { missing: 0, ..*piece }));
        }
        if piece.missing > 0 {
            deliver(Segment::Gap(piece.missing as u64));
        }
    }

    /// Puts early bytes aside, without those already there.
    fn keep(&mut self, start: u64, piece: &Piece<'_>) -> Receipt {
        let (mut at, mut rest, mut origin) = (start, piece.bytes, piece.origin);
        let mut receipt = Receipt::Repeated;
        while !rest.is_empty() {
            let covered = self
                .pending
                .range(..=at)
                .next_back()
                .map(|(from, (bytes, _))| from.saturating_add(bytes.len() as u64));
            let skip = covered.map_or(0, |end| end.saturating_sub(at)).min(rest.len() as u64);
            let next = self.pending.range(at.saturating_add(1)..).next().map(|(from, _)| *from);
            let (skip, gap) = (skip as usize, next.map_or(u64::MAX, |next| next.saturating_sub(at)));
            if skip > 0 {
                (rest, origin, at) = advance(rest, origin, at, skip);
                continue;
            }
            let size = usize::try_from(gap).unwrap_or(usize::MAX).min(rest.len());
            let fresh = rest.get(..size).unwrap_or_default();
            self.pending_bytes = self.pending_bytes.saturating_add(size);
            self.pending.insert(at, (fresh.to_vec(), origin));
            receipt = Receipt::New;
            (rest, origin, at) = advance(rest, origin, at, size);
        }
        receipt
    }

    /// Delivers pending bytes that have become contiguous.
    fn drain(&mut self, frame: u64, deliver: &mut dyn FnMut(Segment<'_>)) {
        while let Some(entry) = self.pending.first_entry() {
            if *entry.key() > self.position {
                return;
            }
            let (start, (bytes, mut origin)) = entry.remove_entry();
            self.pending_bytes = self.pending_bytes.saturating_sub(bytes.len());
            let skip = usize::try_from(self.position.saturating_sub(start)).unwrap_or(usize::MAX);
            origin.frame = origin.frame.max(frame);
            let piece = Piece {
                bytes: &bytes,
                missing: 0,
                origin,
            };
            if skip < bytes.len() {
                self.accept(self.position, &tail(&piece, skip), deliver);
            }
        }
    }

    /// Steps over the hole in front of the first pending bytes.
    fn give_up(&mut self, deliver: &mut dyn FnMut(Segment<'_>)) {
        let Some(start) = self.pending.keys().next().copied() else { return };
        let hole = start.saturating_sub(self.position);
        if hole > 0 {
            self.position = start;
            self.next = self.next.map(|next| next.wrapping_add(hole as u32));
            deliver(Segment::Gap(hole));
        }
    }
}

fn tail<'a>(piece: &Piece<'a>, skip: usize) -> Piece<'a> {
    let (bytes, origin, _) = advance(piece.bytes, piece.origin, 0, skip.min(piece.bytes.len()));
    let beyond = skip.saturating_sub(piece.bytes.len());
    Piece {
        bytes,
        missing: piece.missing.saturating_sub(beyond),
        origin,
    }
}

fn advance(bytes: &[u8], origin: Origin, at: u64, by: usize) -> (&[u8], Origin, u64) {
    let rest = bytes.get(by..).unwrap_or_default();
    let origin = Origin {
        offset: origin.offset.saturating_add(by as u64),
        ..origin
    };
    (rest, origin, at.saturating_add(by as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds segments (place, bytes) from a start near the wrap-around and returns what comes out; `_` is a gap byte.
    fn run(segments: &[(u32, &[u8])], finish: bool) -> String {
        let base = u32::MAX - 5;
        let mut half = Half::default();
        half.open(base.wrapping_sub(1));
        let mut text = String::new();
        let mut deliver = |segment: Segment<'_>| match segment {
            Segment::Bytes(piece) => text.push_str(std::str::from_utf8(piece.bytes).unwrap()),
            Segment::Gap(n) => text.push_str(&"_".repeat(n as usize)),
        };
        for (frame, (place, bytes)) in segments.iter().enumerate() {
            let origin = Origin {
                carrier: frame as u64 + 1,
                frame: frame as u64 + 1,
                offset: 54,
                in_frame: true,
            };
            let piece = Piece { bytes, missing: 0, origin };
            half.receive(base.wrapping_add(*place), &piece, &Limits::default(), &mut |_| {}, &mut deliver);
        }
        if finish {
            half.flush(&mut deliver);
        }
        text
    }

    #[test]
    fn order_overlap_and_holes() {
        assert_eq!(run(&[(0, b"abc"), (3, b"def"), (6, b"ghi")], false), "abcdefghi");
        assert_eq!(run(&[(6, b"ghi"), (3, b"def"), (0, b"abc")], false), "abcdefghi");
        assert_eq!(
            run(&[(0, b"abc"), (0, b"abc"), (1, b"XXdef")], false),
            "abcdef",
            "what was seen first stands"
        );
        assert_eq!(
            run(&[(2, b"cd"), (1, b"XXX"), (0, b"a"), (5, b"f")], true),
            "aXcd_f",
            "early bytes too"
        );
        assert_eq!(run(&[(0, b"ab"), (4, b"ef")], false), "ab");
        assert_eq!(run(&[(0, b"ab"), (4, b"ef")], true), "ab__ef");
    }

    /// Any order of any cut of a text, with repeats, comes out as the text: against the dumbest oracle there is.
    #[test]
    fn any_segmentation_gives_the_text() {
        let text: Vec<u8> = (0..200_u32).map(|i| b'a' + (i * i % 26) as u8).collect();
        let mut seed = 7_u64;
        let mut random = move |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        for round in 0..500 {
            let mut segments: Vec<(u32, &[u8])> = Vec::new();
            let mut at = 0;
            while at < text.len() {
                let size = 1 + random(20).min(text.len() - at - 1);
                segments.push((at as u32, &text[at..at + size]));
                at += size;
            }
            for _ in 0..random(10) {
                let from = random(text.len());
                let size = 1 + random(text.len() - from);
                segments.push((from as u32, &text[from..from + size]));
            }
            for i in (1..segments.len()).rev() {
                segments.swap(i, random(i + 1));
            }
            assert_eq!(run(&segments, true).as_bytes(), &text[..], "round {round}");
        }
    }
}
