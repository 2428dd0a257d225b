//! One direction of a TCP connection, put in order.
//!
//! Overlap policy: the bytes seen first stand, also while they wait; a later copy, equal or not, is dropped. What the
//! capture cut off a segment is no hole that is waited for: it is told as a gap when its turn comes, unless a copy with
//! the bytes was there before. Sequence numbers wrap.
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
    /// What came too early, by place; none overlaps another.
    pending: BTreeMap<u64, Waiting>,
    pending_bytes: usize,
    /// The farthest place the other side acknowledged.
    acknowledged: u64,
    /// Where the FIN said that the stream ends.
    end: Option<u64>,
    /// Nobody wants the bytes any more: they are not delivered, nor kept when they come too early. Holes are told as before.
    pub(crate) counts_only: bool,
}

/// Bytes that came too early.
#[derive(Debug)]
struct Waiting {
    /// How many, at least one.
    length: usize,
    /// So many, or none: nobody wanted them.
    bytes: Vec<u8>,
    /// Bytes behind them that were not captured.
    missing: u64,
    origin: Origin,
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
        if self.next.is_none() {
            self.next = Some(sequence.wrapping_add(1));
        }
    }

    /// A FIN was seen: nothing comes from this number on.
    pub(crate) fn close(&mut self, number: u32) {
        self.next.get_or_insert(number);
        self.end = self.place(number);
    }

    /// Whether all there is up to the FIN was delivered.
    pub(crate) fn is_complete(&self) -> bool {
        self.end.is_some_and(|end| self.position >= end) && self.pending.is_empty()
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
        // Where the capture begins in mid-stream, this is as early as it gets.
        let next = *self.next.get_or_insert(sequence);
        let distance = i64::from(sequence.wrapping_sub(next).cast_signed());
        if distance.abs() >= FARTHEST {
            self.flush(deliver);
            self.next = Some(sequence);
            deliver(Segment::Gap(0));
            return self.receive(sequence, piece, limits, hit, deliver);
        }
        let Some(early) = u64::try_from(distance).ok().filter(|it| *it > 0) else {
            let skip = usize::try_from(distance.unsigned_abs()).unwrap_or(usize::MAX);
            if skip >= piece.bytes.len().saturating_add(piece.missing) {
                return Receipt::Repeated;
            }
            self.front(&tail(piece, skip), deliver);
            return Receipt::New;
        };
        let receipt = self.keep(self.position.saturating_add(early), piece);
        self.relieve(piece.origin.frame, limits, hit, deliver);
        receipt
    }

    /// The flow has ended: delivers everything that waits, holes told as gaps.
    pub(crate) fn flush(&mut self, deliver: &mut dyn FnMut(Segment<'_>)) {
        while !self.pending.is_empty() {
            self.give_up(deliver);
            self.drain(0, deliver);
        }
    }

    fn place(&self, sequence: u32) -> Option<u64> {
        let distance = i64::from(sequence.wrapping_sub(self.next?).cast_signed());
        self.position.checked_add_signed(distance).filter(|_| distance.abs() < FARTHEST)
    }

    /// Takes what stands at the stream's front, as far as nothing waits there that came earlier.
    fn front(&mut self, piece: &Piece<'_>, deliver: &mut dyn FnMut(Segment<'_>)) {
        let first = self.pending.keys().next().copied();
        let room = first.map_or(u64::MAX, |first| first.saturating_sub(self.position));
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let now = head(piece, room);
        if let Some(first) = first
            && room < piece.bytes.len()
        {
            self.keep(first, &tail(piece, room));
        }
        self.accept(&now, deliver);
        self.drain(piece.origin.frame, deliver);
    }

    /// Delivers bytes that stand at the stream's front, and a gap for those not captured.
    fn accept(&mut self, piece: &Piece<'_>, deliver: &mut dyn FnMut(Segment<'_>)) {
        self.step((piece.bytes.len() as u64).saturating_add(piece.missing as u64));
        if !piece.bytes.is_empty() && !self.counts_only {
            deliver(Segment::Bytes(Piece { missing: 0, ..*piece }));
        }
        if piece.missing > 0 {
            deliver(Segment::Gap(piece.missing as u64));
        }
    }

    /// The stream's front is so many bytes farther.
    fn step(&mut self, bytes: u64) {
        self.position = self.position.saturating_add(bytes);
        self.next = self.next.map(|next| next.wrapping_add(bytes as u32));
    }

    /// Puts early bytes aside, without those already there.
    fn keep(&mut self, start: u64, piece: &Piece<'_>) -> Receipt {
        let (mut at, mut rest, mut origin) = (start, piece.bytes, piece.origin);
        let mut receipt = Receipt::Repeated;
        while !rest.is_empty() {
            let next = self.pending.range(at.saturating_add(1)..).next().map(|(from, _)| *from);
            // Up to here bytes are known to be missing; those there now are not.
            let mut lost = at;
            if let Some((from, before)) = self.pending.range_mut(..=at).next_back() {
                let end = from.saturating_add(before.length as u64);
                if end > at {
                    let skip = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
                    (rest, origin, at) = advance(rest, origin, at, skip.min(rest.len()));
                    continue;
                }
                lost = end.saturating_add(before.missing);
                before.missing = before.missing.min(at.saturating_sub(end));
            }
            let size = next.map_or(u64::MAX, |next| next.saturating_sub(at));
            let size = usize::try_from(size).unwrap_or(usize::MAX).min(rest.len());
            let waiting = Waiting {
                length: size,
                bytes: if self.counts_only {
                    Vec::new()
                } else {
                    rest.get(..size).unwrap_or_default().to_vec()
                },
                missing: lost.saturating_sub(at.saturating_add(size as u64)),
                origin,
            };
            self.pending_bytes = self.pending_bytes.saturating_add(size);
            self.pending.insert(at, waiting);
            receipt = Receipt::New;
            (rest, origin, at) = advance(rest, origin, at, size);
        }
        if !piece.bytes.is_empty() && piece.missing > 0 {
            self.lose(at, piece.missing as u64);
        }
        receipt
    }

    /// Notes that bytes are missing behind those that end here, as far as nothing waits there.
    fn lose(&mut self, at: u64, missing: u64) {
        let next = self.pending.range(at..).next().map(|(from, _)| *from);
        let until = at.saturating_add(missing).min(next.unwrap_or(u64::MAX));
        if let Some((from, before)) = self.pending.range_mut(..at).next_back()
            && from.saturating_add(before.length as u64) == at
        {
            before.missing = before.missing.max(until.saturating_sub(at));
        }
    }

    /// Gives holes up while too much waits, or while enough waits behind one that the other side acknowledged past.
    fn relieve(&mut self, frame: u64, limits: &Limits, hit: &mut dyn FnMut(&'static str), deliver: &mut dyn FnMut(Segment<'_>)) {
        let mut told = None;
        loop {
            let ceiling = if self.pending_bytes > limits.reorder_bytes {
                Some("reorder-bytes")
            } else if self.pending.len() > limits.reorder_segments {
                Some("reorder-segments")
            } else {
                None
            };
            if let Some(name) = ceiling
                && told != ceiling
            {
                hit(name);
                told = ceiling;
            }
            if ceiling.is_none() && (self.acknowledged <= self.position || self.pending.len() < PATIENCE) {
                return;
            }
            self.give_up(deliver);
            self.drain(frame, deliver);
        }
    }

    /// Delivers pending bytes that have become contiguous.
    fn drain(&mut self, frame: u64, deliver: &mut dyn FnMut(Segment<'_>)) {
        while let Some(entry) = self.pending.first_entry() {
            if *entry.key() > self.position {
                return;
            }
            let Waiting {
                length,
                bytes,
                missing,
                mut origin,
            } = entry.remove();
            self.pending_bytes = self.pending_bytes.saturating_sub(length);
            origin.frame = origin.frame.max(frame);
            let missing = usize::try_from(missing).unwrap_or(usize::MAX);
            if bytes.is_empty() {
                self.step(length as u64);
            }
            self.accept(
                &Piece {
                    bytes: &bytes,
                    missing,
                    origin,
                },
                deliver,
            );
        }
    }

    /// Steps over the hole in front of the first pending bytes.
    fn give_up(&mut self, deliver: &mut dyn FnMut(Segment<'_>)) {
        let Some(start) = self.pending.keys().next().copied() else { return };
        let hole = start.saturating_sub(self.position);
        if hole > 0 {
            self.step(hole);
            deliver(Segment::Gap(hole));
        }
    }
}

/// The first bytes of a piece, there or missing.
fn head<'a>(piece: &Piece<'a>, size: usize) -> Piece<'a> {
    let bytes = piece.bytes.get(..size).unwrap_or(piece.bytes);
    let missing = piece.missing.min(size.saturating_sub(bytes.len()));
    Piece { bytes, missing, ..*piece }
}

/// What is behind them.
fn tail<'a>(piece: &Piece<'a>, skip: usize) -> Piece<'a> {
    let beyond = skip.saturating_sub(piece.bytes.len());
    Piece {
        missing: piece.missing.saturating_sub(beyond),
        ..piece.behind(skip)
    }
}

fn advance(bytes: &[u8], origin: Origin, at: u64, by: usize) -> (&[u8], Origin, u64) {
    let rest = bytes.get(by..).unwrap_or_default();
    (rest, origin.further(by), at.saturating_add(by as u64))
}

#[cfg(test)]
mod model;

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
        assert_eq!(
            run(&[(2, b"cd"), (0, b"XXXXef")], false),
            "XXcdef",
            "what waits is not written over by what closes the hole"
        );
        assert_eq!(run(&[(0, b"ab"), (4, b"ef")], false), "ab");
        assert_eq!(run(&[(0, b"ab"), (4, b"ef")], true), "ab__ef");
    }

    fn piece(bytes: &[u8], missing: usize, frame: u64) -> Piece<'_> {
        let origin = Origin {
            carrier: frame,
            frame,
            offset: 54,
            in_frame: true,
        };
        Piece { bytes, missing, origin }
    }

    /// One hole given up may free a byte where a whole segment came in: holes are given up until the ceiling holds.
    #[test]
    fn large_segments_behind_small_ones_keep_to_the_ceiling() {
        let mut half = Half::default();
        half.open(0);
        let (limits, large) = (Limits::default(), vec![0_u8; 60_000]);
        let mut told = 0;
        for number in 0..2_000_u32 {
            let (at, bytes) = if number < 1_000 {
                (3 + number * 2, &large[..1])
            } else {
                (10_000 + number * 60_001, &large[..])
            };
            half.receive(at, &piece(bytes, 0, 1), &limits, &mut |_| told += 1, &mut |_| {});
            assert!(half.pending_bytes <= limits.reorder_bytes, "after segment {number}");
        }
        assert!(told > 0);
    }

    /// Frames cut short by the capture, two of them exchanged: nothing waits for bytes that nobody has.
    #[test]
    fn what_a_capture_cut_off_is_not_waited_for() {
        let mut half = Half::default();
        half.open(99);
        let mut told = Vec::new();
        for (frame, at) in (1..).zip([0, 200, 100, 300]) {
            half.receive(
                100 + at,
                &piece(b"abcd", 96, frame),
                &Limits::default(),
                &mut |_| {},
                &mut |segment| {
                    told.push(match segment {
                        Segment::Bytes(piece) => (piece.bytes.len() as u64, piece.origin.carrier, piece.origin.frame),
                        Segment::Gap(size) => (size, 0, 0),
                    });
                },
            );
        }
        let gap = (96, 0, 0);
        assert_eq!(told, [(4, 1, 1), gap, (4, 3, 3), gap, (4, 2, 3), gap, (4, 4, 4), gap]);
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

    /// What is only counted has the same holes as what is read, whenever reading ended.
    #[test]
    fn holes_are_the_same_when_nobody_wants_the_bytes() {
        let mut seed = 11_u64;
        let mut random = move |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        let mut holes = 0;
        for round in 0..500 {
            let segments: Vec<(u32, usize, usize)> = (0..60)
                .map(|i| ((i * 20 + random(60)) as u32, 1 + random(30), random(8) / 7 * random(20)))
                .collect();
            let told = |from: usize| {
                let mut half = Half::default();
                half.open(u32::MAX - 200);
                let (mut gaps, mut taken) = (Vec::new(), 0);
                for (i, (place, length, missing)) in segments.iter().enumerate() {
                    half.counts_only = i >= from;
                    let origin = Origin {
                        carrier: 1,
                        frame: 1,
                        offset: 0,
                        in_frame: true,
                    };
                    let piece = Piece {
                        bytes: &[7; 64][..*length],
                        missing: *missing,
                        origin,
                    };
                    half.acknowledge((u32::MAX - 199).wrapping_add((i * 15) as u32));
                    half.receive(
                        (u32::MAX - 199).wrapping_add(*place),
                        &piece,
                        &Limits::default(),
                        &mut |_| {},
                        &mut |segment| match segment {
                            Segment::Gap(n) => gaps.push(n),
                            Segment::Bytes(piece) => taken += piece.bytes.len(),
                        },
                    );
                }
                half.flush(&mut |segment| {
                    if let Segment::Gap(n) = segment {
                        gaps.push(n);
                    }
                });
                (gaps, half.position, half.pending_bytes, taken)
            };
            let (gaps, position, pending, _) = told(usize::MAX);
            holes += gaps.len();
            for from in [0, 20, 40] {
                let (some, there, kept, taken) = told(from);
                assert_eq!((&some, there, kept), (&gaps, position, pending), "round {round} from {from}");
                assert!(from > 0 || taken == 0);
            }
        }
        assert!(holes > 500, "{holes}");
    }
}
