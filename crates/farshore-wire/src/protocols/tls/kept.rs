//! What two sides say under ciphers whose secret is known only once all flows have told theirs (`resumption.rs` at the root). It owns the
//! bound of it, and refuses to read any.

use farshore_model::Direction;

use crate::protocols::{Origin, Segment};

/// What a side said after it changed its ciphers, in the order in which it came.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Which sides have changed them.
    pub(super) changed: [bool; 2],
    pub(super) segments: Vec<(Direction, Said)>,
    bytes: usize,
    /// There was more than may be kept.
    pub(super) clipped: bool,
}

/// The next of a side.
#[derive(Debug)]
pub(super) enum Said {
    Bytes(Vec<u8>, Origin),
    Missing(u64),
}

impl Kept {
    /// Takes the next of a side, while there is room.
    pub(super) fn push(&mut self, direction: Direction, it: Segment<'_>, most: usize) {
        let (said, bytes) = match it {
            Segment::Bytes(piece) => (Said::Bytes(piece.bytes.to_vec(), piece.origin), piece.bytes.len()),
            Segment::Gap(missing) => (Said::Missing(missing), 0),
        };
        // A piece without bytes takes room as well.
        self.bytes = self.bytes.saturating_add(bytes).saturating_add(size_of::<Said>());
        self.clipped |= self.bytes > most;
        if !self.clipped {
            self.segments.push((direction, said));
        }
    }
}
