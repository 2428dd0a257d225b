//! The sound of media, on its way to whoever writes it down: in pieces, as it is decoded, and at the end whether it is sound at all.
//! It owns the words for that, and refuses to keep any of it.

use farshore_model::Direction;

/// A piece of a recording. Those of one flow are told apart by number.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// Which of the flow's recordings.
    pub recording: u32,
    /// What comes next in it.
    pub next: Next<'a>,
}

/// What comes next in a recording.
#[derive(Clone, Copy, Debug)]
pub enum Next<'a> {
    /// Samples of 16 bits, channels in turn.
    Samples(&'a [i16]),
    /// So many of them of silence, where nothing was sent or captured.
    Silence(u64),
    /// The end, and that it was shown to be sound. A recording of which that is never said is none.
    Recovered(&'a Label),
}

/// What a recording is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Which way it went.
    pub direction: Direction,
    /// Synchronisation source.
    pub ssrc: u32,
    /// The codec it was sent in.
    pub codec: String,
    /// Samples of a channel in a second.
    pub rate: u32,
    /// Channels.
    pub channels: u16,
    /// SHA-256 of the samples, little-endian, in hex.
    pub sound: String,
}
