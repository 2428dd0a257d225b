//! Where a fact stands: the pointer from every claim back to captured bytes.

use std::ops::Range;
use std::sync::Arc;

use crate::{Few, InputId};

/// A byte range in one input's frames, as a dissector knows it.
///
/// `offset` counts from the frame's first captured byte if `in_frame`; what was put together from several frames, or
/// decrypted, is counted in the layer named last in the [`Locus`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The frame that holds the first byte.
    pub first_frame: u64,
    /// The frame with which the datum was complete.
    pub frame: u64,
    /// Bytes before the datum.
    pub offset: u64,
    /// Bytes of the datum.
    pub length: u64,
    /// Whether the datum is a range of one captured frame, as it stands there.
    pub in_frame: bool,
}

impl Span {
    /// A range inside one frame.
    pub const fn in_frame(frame: u64, offset: u64, length: u64) -> Self {
        Self {
            first_frame: frame,
            frame,
            offset,
            length,
            in_frame: true,
        }
    }

    /// A range of the layer named last, put together from these frames or decrypted.
    pub const fn in_layer(first_frame: u64, frame: u64, offset: u64, length: u64) -> Self {
        Self {
            first_frame,
            frame,
            offset,
            length,
            in_frame: false,
        }
    }

    /// The place of a part of a value of so many bytes. One that was decoded, or lies scattered, is longer or shorter than its place and
    /// cannot be cut: the whole place stands.
    pub fn part(self, range: &Range<usize>, of: u64) -> Self {
        if self.length != of {
            return self;
        }
        Self {
            offset: self.offset.saturating_add(range.start as u64),
            length: range.len() as u64,
            ..self
        }
    }
}

/// A [`Span`] with its input, the layers crossed to get there, and the decodings applied to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locus {
    /// The input.
    pub input: InputId,
    /// The range.
    pub span: Span,
    /// Layers from the outside in, such as `udp`, `sd-rtn`.
    pub layers: Arc<[&'static str]>,
    /// Decodings applied to the range, in order, such as `base64`, `zlib`.
    pub decoded_by: Few<&'static str>,
}
