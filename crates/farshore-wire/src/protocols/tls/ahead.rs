//! A server's answer that was captured before the hello it answers, as happens where the two directions come by different ways to whoever
//! captures. It owns what is held back until that hello comes, and refuses to hold more than a flight.

use farshore_model::Direction;

use super::kept::{Kept, Said};
use crate::protocols::{Piece, Segment};

/// Bytes that are held back: what a server says before it hears from its client again, unless its certificates are many.
const MOST: usize = 1 << 15;

/// One direction that is ahead of the other.
#[derive(Debug)]
pub(super) struct Ahead {
    direction: Direction,
    kept: Kept,
}

/// What to do with a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is held back.
    Held,
    /// It is read, before what is held back.
    First,
    /// It is read, behind what is held back.
    Last,
}

impl Ahead {
    /// Whether the first segment of a conversation is a server's answer.
    pub(super) fn begins(direction: Direction, it: &Segment<'_>) -> Option<Self> {
        matches!(it, Segment::Bytes(piece) if says(piece.bytes, 2)).then(|| Self {
            direction,
            kept: Kept::default(),
        })
    }

    /// Takes the next segment of either direction; `begun` when the other side's first bytes were read already.
    pub(super) fn turn(&mut self, direction: Direction, it: Segment<'_>, begun: bool) -> Turn {
        if direction != self.direction {
            let hello = matches!(it, Segment::Bytes(piece) if begun || says(piece.bytes, 1));
            return if hello { Turn::First } else { Turn::Last };
        }
        self.kept.push(direction, it, MOST);
        if self.kept.clipped { Turn::Last } else { Turn::Held }
    }

    /// What was held back.
    pub(super) fn held(&self) -> impl Iterator<Item = (Direction, Segment<'_>)> {
        self.kept.segments.iter().map(|(direction, said)| match said {
            Said::Bytes(bytes, origin) => {
                let piece = Piece {
                    bytes,
                    missing: 0,
                    origin: *origin,
                };
                (*direction, Segment::Bytes(piece))
            }
            Said::Missing(length) => (*direction, Segment::Gap(*length)),
        })
    }
}

/// Whether it begins with a record that begins with a handshake message of that type.
const fn says(bytes: &[u8], kind: u8) -> bool {
    matches!(bytes, [22, 3, _, _, _, it, ..] if *it == kind)
}
