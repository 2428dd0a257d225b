//! The head of a frame (RFC 9113, section 4.1). It refuses frames on a stream they cannot be on.

use crate::protocols::Match;

/// What a client says first (section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of a frame's head.
pub const HEAD: usize = 9;

/// What a frame carries, as far as it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Data,
    Headers,
    Reset,
    Promise,
    Continuation,
    /// Stepped over.
    Other,
}

/// A frame's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub kind: Kind,
    pub length: usize,
    pub stream: u32,
    flags: u8,
}

impl Head {
    /// Reads a head; `None` for what cannot be one.
    pub fn read(bytes: [u8; HEAD]) -> Option<Self> {
        let [a, b, c, kind, flags, d, e, f, g] = bytes;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let stream = u32::from_be_bytes([d & 0x7f, e, f, g]);
        let (kind, fits) = match kind {
            0 => (Kind::Data, stream != 0),
            1 => (Kind::Headers, stream != 0),
            2 => (Kind::Other, stream != 0 && length == 5),
            3 => (Kind::Reset, stream != 0 && length == 4),
            4 => (Kind::Other, stream == 0 && length.is_multiple_of(6)),
            5 => (Kind::Promise, stream != 0),
            6 => (Kind::Other, stream == 0 && length == 8),
            7 => (Kind::Other, stream == 0 && length >= 8),
            8 => (Kind::Other, length == 4),
            9 => (Kind::Continuation, stream != 0),
            _ => (Kind::Other, true),
        };
        fits.then_some(Self {
            kind,
            length,
            stream,
            flags,
        })
    }

    pub const fn ends_stream(self) -> bool {
        matches!(self.kind, Kind::Data | Kind::Headers) && self.flags & 0x01 != 0
    }

    pub const fn ends_headers(self) -> bool {
        self.flags & 0x04 != 0
    }

    pub const fn padded(self) -> bool {
        matches!(self.kind, Kind::Data | Kind::Headers | Kind::Promise) && self.flags & 0x08 != 0
    }

    /// Bytes before the content: length of the padding, priority, promised stream.
    pub const fn before(self) -> usize {
        let padding = if self.padded() { 1 } else { 0 };
        match self.kind {
            Kind::Headers if self.flags & 0x20 != 0 => 5_usize.saturating_add(padding),
            Kind::Promise => 4_usize.saturating_add(padding),
            _ => padding,
        }
    }
}

/// Whether bytes begin with a server's preface: one SETTINGS frame with at least one setting that is known
/// (section 6.5.2, RFC 8441, RFC 9218). Nine bytes of head and two of a setting leave little to chance.
pub fn begins_with_settings(bytes: &[u8]) -> Match {
    const HEAD_OF_SETTINGS: [Option<u8>; HEAD + 2] = [
        Some(0),
        Some(0),
        None,
        Some(4),
        Some(0),
        Some(0),
        Some(0),
        Some(0),
        Some(0),
        Some(0),
        None,
    ];
    if HEAD_OF_SETTINGS
        .iter()
        .zip(bytes)
        .any(|(wanted, byte)| wanted.is_some_and(|it| it != *byte))
    {
        return Match::No;
    }
    match bytes {
        [_, _, 0 | 61.., ..] => Match::No,
        [_, _, length, ..] if !length.is_multiple_of(6) => Match::No,
        [_, _, _, _, _, _, _, _, _, _, 1..=6 | 8 | 9, ..] => Match::Yes,
        [_, _, _, _, _, _, _, _, _, _, _, ..] => Match::No,
        _ => Match::Maybe,
    }
}
