//! STREAM frames put in order (RFC 9000 sections 2 and 19.8). It owns the bounds of what waits for a missing part, and refuses to read
//! what a stream says.

use std::collections::{BTreeMap, BTreeSet};

use farshore_model::Direction;

use crate::limits::Limits;
use crate::protocols::{Origin, Piece, Segment, Sink};

/// Streams followed at once in one direction, and those remembered as over behind the first that is not.
const MOST: usize = 1024;

/// The streams of one direction.
#[derive(Default)]
pub(super) struct Streams {
    live: BTreeMap<u64, Stream>,
    /// Bytes that wait.
    held: usize,
    /// Of each of the four kinds: streams with a lower number are over.
    below: [u64; 4],
    over: BTreeSet<u64>,
}

/// One stream in one direction.
#[derive(Default)]
struct Stream {
    next: u64,
    /// Parts that came too early, by offset, each with its frame.
    early: BTreeMap<u64, (Vec<u8>, u64)>,
    length: Option<u64>,
}

/// What a STREAM frame brings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    pub(super) stream: u64,
    pub(super) offset: u64,
    pub(super) bytes: &'a [u8],
    pub(super) last: bool,
    /// The frame of the capture.
    pub(super) frame: u64,
}

/// Which way, and to whom.
#[derive(Clone, Copy)]
pub(super) struct To {
    pub(super) direction: Direction,
    pub(super) hint: Option<&'static str>,
}

impl To {
    fn give(self, number: u64, it: Segment<'_>, end: bool, out: &mut dyn Sink) {
        out.substream(number, self.direction, self.hint, it, end);
    }
}

impl Streams {
    /// Takes a part, and hands on what it puts in order.
    pub(super) fn add(&mut self, part: Part<'_>, limits: &Limits, to: To, out: &mut dyn Sink) {
        let number = part.stream;
        if self.is_over(number) {
            return;
        }
        if self.live.len() >= MOST && !self.live.contains_key(&number) {
            out.limit("reorder-segments");
            return;
        }
        let stream = self.live.entry(number).or_default();
        let end = part.offset.saturating_add(part.bytes.len() as u64);
        if part.last {
            stream.length = Some(end);
        }
        if part.offset > stream.next {
            if stream
                .early
                .get(&part.offset)
                .is_none_or(|(there, _)| there.len() < part.bytes.len())
            {
                self.held = self.held.saturating_add(part.bytes.len());
                if let Some((old, _)) = stream.early.insert(part.offset, (part.bytes.to_vec(), part.frame)) {
                    self.held = self.held.saturating_sub(old.len());
                }
            }
            let many = stream.early.len() > limits.reorder_segments;
            if many || self.held > limits.reorder_bytes {
                out.limit(if many { "reorder-segments" } else { "reorder-bytes" });
                self.give_up(number, part.frame, to, out);
            }
            return;
        }
        let known = usize::try_from(stream.next.saturating_sub(part.offset)).unwrap_or(usize::MAX);
        let fresh = part.bytes.get(known..).unwrap_or_default();
        let over = stream.length.is_some_and(|length| length <= end.max(stream.next));
        if !fresh.is_empty() || over {
            let piece = Piece {
                bytes: fresh,
                missing: 0,
                origin: origin(stream.next, part.frame, part.frame),
            };
            stream.next = stream.next.max(end);
            to.give(number, Segment::Bytes(piece), over, out);
            if over {
                self.end(number);
            } else {
                self.drain(number, part.frame, to, out);
            }
        }
    }

    /// Hands on what has come into order.
    fn drain(&mut self, number: u64, frame: u64, to: To, out: &mut dyn Sink) {
        let Some(stream) = self.live.get_mut(&number) else { return };
        while let Some(entry) = stream.early.first_entry().filter(|it| *it.key() <= stream.next) {
            let (offset, (bytes, carrier)) = entry.remove_entry();
            self.held = self.held.saturating_sub(bytes.len());
            let known = usize::try_from(stream.next.saturating_sub(offset)).unwrap_or(usize::MAX);
            let fresh = bytes.get(known..).unwrap_or_default();
            let at = stream.next;
            stream.next = stream.next.max(offset.saturating_add(bytes.len() as u64));
            let over = stream.length.is_some_and(|length| length <= stream.next);
            if fresh.is_empty() && !over {
                continue;
            }
            let piece = Piece {
                bytes: fresh,
                missing: 0,
                origin: origin(at, carrier, frame.max(carrier)),
            };
            to.give(number, Segment::Bytes(piece), over, out);
            if over {
                self.end(number);
                return;
            }
        }
    }

    /// A part will not come: it is told as missing, and what waits behind it is handed on.
    fn give_up(&mut self, number: u64, frame: u64, to: To, out: &mut dyn Sink) {
        let Some(stream) = self.live.get_mut(&number) else { return };
        let Some((offset, _)) = stream.early.first_key_value() else {
            return;
        };
        let missing = offset.saturating_sub(stream.next);
        stream.next = *offset;
        to.give(number, Segment::Gap(missing), false, out);
        self.drain(number, frame, to, out);
    }

    /// The sender breaks a stream off (RFC 9000 section 19.4).
    pub(super) fn reset(&mut self, number: u64, to: To, out: &mut dyn Sink) {
        if let Some(stream) = self.live.get(&number) {
            let piece = Piece {
                bytes: &[],
                missing: 0,
                origin: origin(stream.next, 0, 0),
            };
            to.give(number, Segment::Bytes(piece), true, out);
        }
        if !self.is_over(number) {
            self.end(number);
        }
    }

    /// Nothing more comes: what waits is handed on, what is missing before it told.
    pub(super) fn flush(&mut self, to: To, out: &mut dyn Sink) {
        let numbers: Vec<u64> = self.live.keys().copied().collect();
        for number in numbers {
            while self.live.get(&number).is_some_and(|stream| !stream.early.is_empty()) {
                self.give_up(number, 0, to, out);
            }
        }
    }

    fn end(&mut self, number: u64) {
        if let Some(stream) = self.live.remove(&number) {
            let held: usize = stream.early.values().map(|(bytes, _)| bytes.len()).sum();
            self.held = self.held.saturating_sub(held);
        }
        self.over.insert(number);
        // Streams of a kind are opened in order, and most end so: few need to be remembered one by one.
        for kind in 0..4_u64 {
            let Some(below) = self.below.get_mut(kind as usize) else { continue };
            while self.over.remove(&below.saturating_mul(4).saturating_add(kind)) {
                *below = below.saturating_add(1);
            }
        }
        if self.over.len() > MOST {
            self.over.pop_first();
        }
    }

    fn is_over(&self, number: u64) -> bool {
        let below = self.below.get((number & 3) as usize).copied().unwrap_or_default();
        number >> 2 < below || self.over.contains(&number)
    }
}

fn origin(offset: u64, carrier: u64, frame: u64) -> Origin {
    Origin {
        carrier,
        frame,
        offset,
        in_frame: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocols::notebook::Notebook;

    const TO: To = To {
        direction: Direction::Up,
        hint: Some("test"),
    };

    fn part(stream: u64, offset: u64, bytes: &[u8], last: bool) -> Part<'_> {
        Part {
            stream,
            offset,
            bytes,
            last,
            frame: 1,
        }
    }

    fn text(out: &Notebook) -> Vec<u8> {
        out.inner.iter().flat_map(|(_, _, bytes)| bytes.clone()).collect()
    }

    #[test]
    fn parts_in_any_order_and_overlapping_make_the_stream() {
        let whole = b"a stream that is told in parts";
        let cuts = [(0, 5), (3, 12), (20, 30), (10, 20), (12, 14), (0, 30)];
        for turn in 0..cuts.len() {
            let (mut streams, mut out) = (Streams::default(), Notebook::default());
            for (from, until) in cuts.iter().cycle().skip(turn).take(cuts.len()) {
                let it = part(4, *from as u64, &whole[*from..*until], *until == whole.len());
                streams.add(it, &Limits::default(), TO, &mut out);
            }
            assert_eq!(text(&out), whole, "begun with part {turn}");
            assert!(streams.live.is_empty() && streams.held == 0 && streams.is_over(4));
        }
    }

    #[test]
    fn what_is_missing_is_told_at_the_end_or_when_too_much_waits() {
        let (mut streams, mut out) = (Streams::default(), Notebook::default());
        streams.add(part(0, 2, b"cd", false), &Limits::default(), TO, &mut out);
        assert_eq!(text(&out), b"");
        streams.flush(TO, &mut out);
        assert_eq!(text(&out), b"cd");
        let few = Limits {
            reorder_bytes: 3,
            ..Limits::default()
        };
        streams.add(part(0, 10, b"wxyz", true), &few, TO, &mut out);
        assert_eq!((text(&out), out.limits.as_slice()), (b"cdwxyz".to_vec(), &["reorder-bytes"][..]));
        streams.add(part(0, 0, b"again", false), &few, TO, &mut out);
        assert_eq!(text(&out), b"cdwxyz", "it is over");
    }

    /// A million streams, each with one byte, leave nothing behind.
    #[test]
    fn streams_that_are_over_take_no_room() {
        let (mut streams, mut out) = (Streams::default(), Notebook::default());
        for number in 0..10_000 {
            streams.add(part(number, 0, b"x", true), &Limits::default(), TO, &mut out);
            out.inner.clear();
        }
        assert!(streams.live.is_empty() && streams.over.is_empty());
        // Nor does one that never begins.
        for number in 0..5_000 {
            streams.reset(40_000 + number * 4 + 4, TO, &mut out);
        }
        assert!(streams.over.len() <= MOST);
    }
}
