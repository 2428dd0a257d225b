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

/// The next thing in one direction.
#[derive(Clone, Copy, Debug)]
pub enum Segment<'a> {
    /// Bytes.
    Bytes(Piece<'a>),
    /// So many bytes were never captured.
    Gap(u64),
}
