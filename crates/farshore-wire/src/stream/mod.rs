//! Bytes in order, and where they came from.

mod gathered;
pub(crate) mod tcp;

use std::ops::Range;

use farshore_model::Span;

pub use gathered::Gathered;

/// Where bytes handed to a dissector came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The frame that held them (the first of them, when several did).
    pub carrier: u64,
    /// The frame with which they could be read; later than `carrier` when an earlier gap had to be filled first.
    pub frame: u64,
    /// Where the first byte stands: in the captured frame if `in_frame`, else in the layer above.
    pub offset: u64,
    /// Whether the bytes are a range of one captured frame, untouched.
    pub in_frame: bool,
}

impl Origin {
    /// Of so many bytes that stand there. Where others lie between them, they are no range of the frame.
    pub const fn of(at: &Span, length: usize) -> Self {
        Self {
            carrier: at.first_frame,
            frame: at.frame,
            offset: at.offset,
            in_frame: at.in_frame && at.length == length as u64,
        }
    }

    /// Of what begins so many bytes further on.
    pub const fn further(self, by: usize) -> Self {
        Self {
            offset: self.offset.saturating_add(by as u64),
            ..self
        }
    }

    /// Where a range of the bytes stands in the input.
    pub const fn span(&self, range: Range<usize>) -> Span {
        let offset = self.offset.saturating_add(range.start as u64);
        let length = range.end.saturating_sub(range.start) as u64;
        Span {
            first_frame: self.carrier,
            frame: self.frame,
            offset,
            length,
            in_frame: self.in_frame && self.carrier == self.frame,
        }
    }
}

/// A run of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// The bytes. For datagram transports one piece is one datagram.
    pub bytes: &'a [u8],
    /// Bytes of the same datagram that were on the wire but not captured.
    pub missing: usize,
    /// Where they came from.
    pub origin: Origin,
}

impl<'a> Piece<'a> {
    /// Bytes that stand there, all of them captured.
    pub const fn at(bytes: &'a [u8], at: &Span) -> Self {
        Self {
            bytes,
            missing: 0,
            origin: Origin::of(at, bytes.len()),
        }
    }

    /// Without so many bytes at its front.
    pub fn behind(&self, skip: usize) -> Self {
        let skip = skip.min(self.bytes.len());
        Self {
            bytes: self.bytes.get(skip..).unwrap_or_default(),
            missing: self.missing,
            origin: self.origin.further(skip),
        }
    }

    /// Its last bytes, so many of them.
    pub fn last(&self, length: usize) -> Self {
        self.behind(self.bytes.len().saturating_sub(length))
    }

    /// A range of it, without what of it was not captured.
    pub fn part(&self, range: Range<usize>) -> Self {
        Self {
            bytes: self.bytes.get(range.clone()).unwrap_or_default(),
            missing: 0,
            origin: self.origin.further(range.start),
        }
    }
}

/// The next thing in one direction.
#[derive(Clone, Copy, Debug)]
pub enum Segment<'a> {
    /// Bytes.
    Bytes(Piece<'a>),
    /// So many bytes were never captured.
    Gap(u64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_piece_know_where_they_stand() {
        let origin = Origin {
            carrier: 3,
            frame: 3,
            offset: 54,
            in_frame: true,
        };
        let all = Piece {
            bytes: b"abcdef",
            missing: 2,
            origin,
        };
        for (part, bytes, missing, offset) in [
            (all.behind(2), &b"cdef"[..], 2, 56),
            (all.behind(9), b"", 2, 60),
            (all.last(1), b"f", 2, 59),
            (all.last(9), b"abcdef", 2, 54),
            (all.part(1..3), b"bc", 0, 55),
        ] {
            assert_eq!(
                (part.bytes, part.missing, part.origin),
                (bytes, missing, Origin { offset, ..origin })
            );
        }
    }

    #[test]
    fn bytes_with_others_between_them_are_no_range_of_their_frame() {
        let at = Span::in_frame(3, 54, 6);
        assert!(Piece::at(b"abcdef", &at).origin.in_frame);
        assert!(!Piece::at(b"abc", &at).origin.in_frame);
        assert!(!Piece::at(b"abcdef", &Span::in_layer(3, 3, 54, 6)).origin.in_frame);
    }
}
