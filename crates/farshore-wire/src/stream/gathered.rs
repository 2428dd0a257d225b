//! Bytes gathered until a message is whole, with the frame each of them came from.

use std::collections::VecDeque;
use std::ops::Range;

use farshore_model::Span;

use super::{Origin, Piece};

/// In-order bytes of one direction, from which whole messages are taken off the front.
#[derive(Debug, Default)]
pub struct Gathered {
    bytes: Vec<u8>,
    /// Bytes of `bytes` already consumed; compacted now and then.
    head: usize,
    /// Stream position of `bytes[head]`.
    position: u64,
    /// Start position of each piece, and its origin.
    pieces: VecDeque<(u64, Origin)>,
    /// Bytes that nobody needs and that are still to come.
    unwanted: usize,
}

impl Gathered {
    /// Adds a piece at the end.
    pub fn push(&mut self, piece: &Piece<'_>) {
        if piece.bytes.is_empty() {
            return;
        }
        self.pieces.push_back((self.end(), piece.origin));
        self.bytes.extend_from_slice(piece.bytes);
        self.skip(0);
    }

    /// What is gathered and not yet consumed.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(self.head..).unwrap_or_default()
    }

    /// Bytes that were gathered before that.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// How much that is.
    pub fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.head)
    }

    /// Whether that is nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes `n` bytes off the front.
    pub fn consume(&mut self, n: usize) {
        let n = n.min(self.len());
        self.head = self.head.saturating_add(n);
        self.position = self.position.saturating_add(n as u64);
        while self.pieces.get(1).is_some_and(|(start, _)| *start <= self.position) {
            self.pieces.pop_front();
        }
        // Most messages end with a segment: the room goes back then, since many flows say nothing more.
        if self.head == self.bytes.len() {
            (self.bytes, self.head) = (Vec::new(), 0);
        }
        // Shift only when at least half is spent, so that each byte moves a bounded number of times.
        if self.head >= self.bytes.len().saturating_sub(self.head) {
            self.bytes.drain(..self.head);
            self.head = 0;
        }
    }

    /// Steps over `n` bytes that follow and are not gathered; what is gathered before them goes.
    pub fn pass(&mut self, n: usize) {
        self.clear();
        self.position = self.position.saturating_add(n as u64);
    }

    /// Forgets everything gathered, as after a gap.
    pub fn clear(&mut self) {
        self.position = self.end();
        self.bytes.clear();
        self.head = 0;
        self.pieces.clear();
        self.unwanted = 0;
    }

    /// Takes `n` bytes off the front: what of them has not come yet, when it comes.
    pub fn skip(&mut self, n: usize) {
        self.unwanted = self.unwanted.saturating_add(n);
        let here = self.len().min(self.unwanted);
        self.consume(here);
        self.unwanted = self.unwanted.saturating_sub(here);
    }

    /// Where a range of [`Gathered::bytes`] stands in the input.
    pub fn span(&self, range: Range<usize>) -> Span {
        let start = self.position.saturating_add(range.start as u64);
        let end = self.position.saturating_add(range.end.max(range.start) as u64);
        let length = end.saturating_sub(start);
        let after = self.pieces.partition_point(|(at, _)| *at <= start);
        let before_end = self.pieces.partition_point(|(at, _)| *at < end).max(after);
        let touched = || self.pieces.range(after.saturating_sub(1)..before_end);
        let Some((at, origin)) = touched().next() else {
            return Span::in_layer(0, 0, start, length);
        };
        // Pieces of one frame with other bytes between them, as the chunks of an HTTP body: the range that holds them.
        let here = |it: &Origin| it.in_frame && it.carrier == it.frame && it.frame == origin.frame;
        let from = origin.offset.saturating_add(start.saturating_sub(*at));
        let (last_at, last) = touched().next_back().copied().unwrap_or((*at, *origin));
        let until = last.offset.saturating_add(end.saturating_sub(last_at));
        if touched().all(|(_, it)| here(it)) {
            return Span::in_frame(origin.frame, from, until.saturating_sub(from));
        }
        let first_frame = touched().map(|(_, o)| o.carrier).min().unwrap_or(origin.carrier);
        let frame = touched().map(|(_, o)| o.frame).max().unwrap_or(origin.frame);
        // Likewise pieces of a stream inside: they know where in it they stand.
        if from <= until && touched().all(|(_, it)| !it.in_frame) {
            return Span::in_layer(first_frame, frame, from, until.saturating_sub(from));
        }
        Span::in_layer(first_frame, frame, start, length)
    }

    fn end(&self) -> u64 {
        self.position.saturating_add(self.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(bytes: &[u8], carrier: u64, frame: u64, offset: u64) -> Piece<'_> {
        Piece {
            bytes,
            missing: 0,
            origin: Origin {
                carrier,
                frame,
                offset,
                in_frame: true,
            },
        }
    }

    #[test]
    fn a_range_in_one_frame_counts_from_that_frame() {
        let mut it = Gathered::default();
        it.push(&piece(b"abcd", 3, 3, 54));
        it.push(&piece(b"efgh", 5, 5, 54));
        assert_eq!(it.span(1..3), Span::in_frame(3, 55, 2));
        assert_eq!(it.span(4..8), Span::in_frame(5, 54, 4));
        assert_eq!(it.span(2..6), Span::in_layer(3, 5, 2, 4));
        it.consume(5);
        assert_eq!(it.bytes(), b"fgh");
        assert_eq!(it.span(0..1), Span::in_frame(5, 55, 1));
        it.push(&piece(b"ij", 4, 6, 54));
        assert_eq!(it.span(3..5), Span::in_layer(4, 6, 8, 2));
        it.clear();
        it.push(&piece(b"k", 9, 9, 60));
        assert_eq!(it.span(0..1), Span::in_frame(9, 60, 1));
        it.push(&piece(b"lm", 9, 9, 70));
        assert_eq!(it.span(0..2), Span::in_frame(9, 60, 11));
        assert_eq!(it.span(1..3), Span::in_frame(9, 70, 2));
    }

    #[test]
    fn what_is_skipped_goes_as_it_comes_and_a_gap_ends_it() {
        let mut it = Gathered::default();
        it.push(&piece(b"abcd", 3, 3, 54));
        it.skip(2);
        assert_eq!((it.bytes(), it.position()), (&b"cd"[..], 2));
        it.skip(7);
        it.push(&piece(b"efgh", 4, 4, 54));
        assert_eq!((it.bytes(), it.position()), (&b""[..], 8));
        it.push(&piece(b"ijkl", 5, 5, 54));
        assert_eq!((it.bytes(), it.position()), (&b"jkl"[..], 9));
        assert_eq!(it.span(0..3), Span::in_frame(5, 55, 3));
        it.skip(5);
        it.clear();
        it.push(&piece(b"m", 7, 7, 54));
        assert_eq!(it.bytes(), b"m");
    }
}
