//! The only place that splits slices: checking a length and using it is one act.

use std::fmt;

/// Why reading ended before the layer did. The layers read so far stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{layer}: {needed} bytes needed at offset {offset}, {have} left in the {limit}")]
pub struct Stop {
    /// The layer that was being read.
    pub layer: &'static str,
    /// Where in that layer.
    pub offset: usize,
    /// How many bytes it asked for.
    pub needed: usize,
    /// How many were left.
    pub have: usize,
    /// What set the end.
    pub limit: LimitSource,
}

/// Who says where the bytes end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitSource {
    /// The captured bytes.
    Capture,
    /// A length field of this layer or of one outside it.
    LengthField,
    /// A value the format forbids: nothing was too short, it was wrong.
    Format,
}

impl fmt::Display for LimitSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Capture => "captured bytes",
            Self::LengthField => "length field",
            Self::Format => "format",
        })
    }
}

/// Reads big-endian values from the front of a slice, within its bounds.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
    offset: usize,
    layer: &'static str,
    limit: LimitSource,
}

impl<'a> Cursor<'a> {
    /// Starts at the front of `bytes`, which end where the capture ends.
    pub const fn new(layer: &'static str, bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            offset: 0,
            layer,
            limit: LimitSource::Capture,
        }
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let Some((head, tail)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.stop(N));
        };
        self.rest = tail;
        self.offset = self.offset.saturating_add(N);
        Ok(*head)
    }

    /// The next `n` bytes.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], Stop> {
        let Some((head, tail)) = self.rest.split_at_checked(n) else {
            return Err(self.stop(n));
        };
        self.rest = tail;
        self.offset = self.offset.saturating_add(n);
        Ok(head)
    }

    /// The next `n` bytes as a cursor of their own: a nested structure cannot read past its length field.
    pub fn sub(&mut self, n: usize) -> Result<Self, Stop> {
        let offset = self.offset;
        let rest = self.take(n)?;
        Ok(Self {
            rest,
            offset,
            layer: self.layer,
            limit: LimitSource::LengthField,
        })
    }

    /// Steps over `n` bytes.
    pub fn skip(&mut self, n: usize) -> Result<(), Stop> {
        self.take(n).map(drop)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, Stop> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Two bytes, big-endian.
    pub fn u16(&mut self) -> Result<u16, Stop> {
        self.array().map(u16::from_be_bytes)
    }

    /// Three bytes, big-endian.
    pub fn u24(&mut self) -> Result<u32, Stop> {
        self.array().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    /// Four bytes, big-endian.
    pub fn u32(&mut self) -> Result<u32, Stop> {
        self.array().map(u32::from_be_bytes)
    }

    /// Eight bytes, big-endian.
    pub fn u64(&mut self) -> Result<u64, Stop> {
        self.array().map(u64::from_be_bytes)
    }

    /// The byte `at` bytes ahead, without stepping.
    pub fn peek(&self, at: usize) -> Option<u8> {
        self.rest.get(at).copied()
    }

    /// All that is left.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Bytes left.
    pub const fn left(&self) -> usize {
        self.rest.len()
    }

    /// Bytes from the start of the outermost cursor to here.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// The stop for a value the format forbids, here.
    pub const fn forbidden(&self) -> Stop {
        Stop {
            layer: self.layer,
            offset: self.offset,
            needed: 0,
            have: self.rest.len(),
            limit: LimitSource::Format,
        }
    }

    const fn stop(&self, needed: usize) -> Stop {
        Stop {
            layer: self.layer,
            offset: self.offset,
            needed,
            have: self.rest.len(),
            limit: self.limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sub_cursor_ends_at_its_length() {
        let mut outer = Cursor::new("test", &[1, 2, 3, 4, 5]);
        assert_eq!(outer.u8(), Ok(1));
        let mut inner = outer.sub(2).unwrap();
        assert_eq!(inner.u16(), Ok(0x0203));
        let stop = inner.u8().unwrap_err();
        assert_eq!(
            (stop.offset, stop.needed, stop.have, stop.limit),
            (3, 1, 0, LimitSource::LengthField)
        );
        assert_eq!(outer.rest(), &[4, 5]);
        assert_eq!(outer.take(3).unwrap_err().limit, LimitSource::Capture);
    }
}
