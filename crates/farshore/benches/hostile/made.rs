//! Inputs that are made while they are read, so that they may have any length.

use std::io::{self, Read};

/// Pieces, one behind the other.
pub struct Made<I> {
    pieces: I,
    waiting: Vec<u8>,
    at: usize,
}

impl<I: Iterator<Item = Vec<u8>>> Made<I> {
    pub fn new(pieces: I) -> Self {
        Self {
            pieces,
            waiting: Vec::new(),
            at: 0,
        }
    }
}

impl<I: Iterator<Item = Vec<u8>>> Read for Made<I> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.waiting.len() {
            self.waiting.clear();
            self.at = 0;
            while self.waiting.len() < 1 << 16 {
                let Some(piece) = self.pieces.next() else { break };
                self.waiting.extend(piece);
            }
        }
        let size = into.len().min(self.waiting.len() - self.at);
        into[..size].copy_from_slice(&self.waiting[self.at..self.at + size]);
        self.at += size;
        Ok(size)
    }
}

/// Frames as a capture file in the classic format, a microsecond apart.
pub fn capture(frames: impl Iterator<Item = Vec<u8>>) -> Made<impl Iterator<Item = Vec<u8>>> {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let head = words(&[0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, 1]);
    let records = (0_u32..).zip(frames).map(move |(number, frame)| {
        let length = frame.len() as u32;
        [words(&[number / 1_000_000, number % 1_000_000, length, length]), frame].concat()
    });
    Made::new(std::iter::once(head).chain(records))
}
