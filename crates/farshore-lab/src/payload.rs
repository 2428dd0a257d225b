//! Owns bytes under construction together with what was planted in them.
//!
//! An identifier can enter a payload only through [`Payload::plant`] and [`Payload::mark_since`], so the truth
//! file and the bytes cannot drift apart. Refuses to know where a payload travels.

use std::ops::Range;

/// A value that says who or where: what an audit should find.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identifier {
    /// Its kind, in the words of the audit's output: `user-id`, `room-id`, `device-id`, …
    pub kind: &'static str,
    /// Its value as a person writes it.
    pub value: String,
}

impl Identifier {
    /// An identifier of a kind.
    pub fn new(kind: &'static str, value: impl Into<String>) -> Self {
        Self { kind, value: value.into() }
    }
}

/// How an identifier's value became bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encoding {
    /// The value's own characters.
    Ascii,
    /// A number's decimal digits.
    AsciiDecimal,
    /// A number in four bytes, most significant first.
    U32Be,
    /// A number in eight bytes, least significant first.
    U64Le,
    /// Characters, within zlib, within base64.
    Base64ZlibAscii,
    /// Decimal digits, within zlib, within base64.
    Base64ZlibAsciiDecimal,
}

impl Encoding {
    /// The name in truth files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ascii => "ascii",
            Self::AsciiDecimal => "ascii-decimal",
            Self::U32Be => "u32be",
            Self::U64Le => "u64le",
            Self::Base64ZlibAscii => "base64>zlib>ascii",
            Self::Base64ZlibAsciiDecimal => "base64>zlib>ascii-decimal",
        }
    }

    /// The bytes of `value`, or nothing if the value is no such number or the encoding no plain one.
    #[must_use]
    pub fn encode(self, value: &str) -> Option<Vec<u8>> {
        match self {
            Self::Ascii => Some(value.as_bytes().to_vec()),
            Self::AsciiDecimal => value.parse::<u64>().ok().map(|number| number.to_string().into_bytes()),
            Self::U32Be => value.parse::<u32>().ok().map(|number| number.to_be_bytes().to_vec()),
            Self::U64Le => value.parse::<u64>().ok().map(|number| number.to_le_bytes().to_vec()),
            Self::Base64ZlibAscii | Self::Base64ZlibAsciiDecimal => None,
        }
    }
}

/// One planted identifier and the bytes that carry it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// What was planted.
    pub identifier: Identifier,
    /// How.
    pub encoding: Encoding,
    /// Where, in the bytes that own this mark.
    pub range: Range<usize>,
}

impl Mark {
    /// The same mark, seen from bytes that start `by` earlier.
    #[must_use]
    pub fn shifted(&self, by: usize) -> Self {
        Self {
            range: self.range.start + by..self.range.end + by,
            ..self.clone()
        }
    }
}

/// Bytes and the marks in them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payload {
    bytes: Vec<u8>,
    marks: Vec<Mark>,
}

impl Payload {
    /// No bytes yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes without meaning to the truth.
    #[must_use]
    pub fn put(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.bytes.extend_from_slice(bytes.as_ref());
        self
    }

    /// Adds an identifier and marks it.
    ///
    /// # Panics
    /// If the value cannot be written in that encoding: a mistake in the world's table.
    #[must_use]
    pub fn plant(mut self, identifier: &Identifier, encoding: Encoding) -> Self {
        let bytes = encoding
            .encode(&identifier.value)
            .unwrap_or_else(|| panic!("{} {:?} is not {}", identifier.kind, identifier.value, encoding.name()));
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&bytes);
        let range = start..self.bytes.len();
        self.marks.push(Mark {
            identifier: identifier.clone(),
            encoding,
            range,
        });
        self
    }

    /// Marks all bytes from `start` on: for values that lie inside a further coding.
    #[must_use]
    pub fn mark_since(mut self, start: usize, identifier: &Identifier, encoding: Encoding) -> Self {
        let range = start..self.bytes.len();
        self.marks.push(Mark {
            identifier: identifier.clone(),
            encoding,
            range,
        });
        self
    }

    /// Adds another payload with its marks.
    #[must_use]
    pub fn append(mut self, other: &Self) -> Self {
        let by = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.marks.extend(other.marks.iter().map(|mark| mark.shifted(by)));
        self
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The marks.
    #[must_use]
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Cuts into pieces of at most `size` bytes.
    ///
    /// # Panics
    /// If a cut falls into a mark: the truth could no longer name one frame for it.
    #[must_use]
    pub fn pieces(&self, size: usize) -> Vec<Self> {
        let mut left = self.marks.len();
        let pieces = self
            .bytes
            .chunks(size)
            .enumerate()
            .map(|(index, chunk)| {
                let start = index * size;
                let marks: Vec<Mark> = self
                    .marks
                    .iter()
                    .filter(|mark| start <= mark.range.start && mark.range.end <= start + chunk.len())
                    .map(|mark| Mark {
                        range: mark.range.start - start..mark.range.end - start,
                        ..mark.clone()
                    })
                    .collect();
                left -= marks.len();
                Self {
                    bytes: chunk.to_vec(),
                    marks,
                }
            })
            .collect();
        assert_eq!(left, 0, "a planted value would be split over two segments");
        pieces
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, marks: Vec::new() }
    }
}
