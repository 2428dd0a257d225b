//! Records of a datagram and the fragments of messages in them (RFC 6347, sections 4.1 and 4.2.2). Refuses what does not
//! fit its own lengths.

use std::ops::Range;

use crate::cursor::Cursor;

/// Longest record: 2^14 bytes and what ciphers may add (RFC 6347, section 4.1; RFC 5246, section 6.2.3).
const LONGEST: usize = (1 << 14) + 2048;

/// A record: its kind, its epoch, and where its content stands in the datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub kind: u8,
    pub version: [u8; 2],
    pub epoch: u16,
    /// Its number, begun with the epoch (RFC 6347, section 4.1).
    pub number: u64,
    pub at: Range<usize>,
    /// The content goes on beyond the captured bytes.
    pub cut: bool,
}

impl Record {
    /// Before the first change of keys nothing is encrypted.
    pub const fn is_clear_handshake(&self) -> bool {
        self.kind == 22 && self.epoch == 0
    }
}

/// The records of a datagram, up to the first that is none.
pub struct Records<'a> {
    it: Cursor<'a>,
}

impl<'a> Records<'a> {
    pub const fn new(datagram: &'a [u8]) -> Self {
        Self {
            it: Cursor::new("dtls", datagram),
        }
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let kind = self.it.u8().ok()?;
        let version = self.it.u16().ok()?;
        let number = u64::from_be_bytes(self.it.array().ok()?);
        let [high, low, ..] = number.to_be_bytes();
        let epoch = u16::from_be_bytes([high, low]);
        let length = usize::from(self.it.u16().ok()?);
        if !matches!(kind, 20..=24) || !is_version(version) || length == 0 || length > LONGEST {
            return None;
        }
        let start = self.it.offset();
        let cut = length > self.it.left();
        let _ = self.it.skip(length.min(self.it.left()));
        let at = start..self.it.offset();
        Some(Record {
            kind,
            version: version.to_be_bytes(),
            epoch,
            number,
            at,
            cut,
        })
    }
}

/// Versions on the wire; 0x0100 is OpenSSL's from before RFC 4347.
const fn is_version(version: u16) -> bool {
    matches!(version, 0x0100 | 0xfefc..=0xfeff)
}

/// Whether a datagram may begin with a record, or with one of 1.3 under keys (RFC 9147, section 4).
pub fn may_begin(datagram: &[u8]) -> bool {
    matches!(datagram, [20..=26, 1 | 0xfe, ..] | [0x20..=0x3f, ..])
}

/// A fragment of a message, and where its body stands in the datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    pub kind: u8,
    /// Of the whole message, without its header.
    pub length: usize,
    pub number: u16,
    pub offset: usize,
    pub header: Range<usize>,
    pub body: Range<usize>,
}

impl Fragment {
    /// Bytes of a header that are the same in TLS: kind and length.
    const SHARED: usize = 4;

    /// Reads the fragment at the front of a part of a datagram; `None` for what is cut or cannot be one.
    pub fn read(datagram: &[u8], part: Range<usize>) -> Option<Self> {
        let mut it = Cursor::new("dtls", datagram.get(..part.end)?);
        it.skip(part.start).ok()?;
        let kind = it.u8().ok()?;
        let length = it.u24().ok()? as usize;
        let number = it.u16().ok()?;
        let offset = it.u24().ok()? as usize;
        let here = it.u24().ok()? as usize;
        let known = matches!(kind, 0..=5 | 8 | 11..=16 | 20..=25);
        if !known || offset.checked_add(here)? > length || (here == 0 && length > 0) {
            return None;
        }
        let start = it.offset();
        it.skip(here).ok()?;
        Some(Self {
            kind,
            length,
            number,
            offset,
            header: part.start..part.start.checked_add(Self::SHARED)?,
            body: start..it.offset(),
        })
    }
}

/// What a datagram shows by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    None,
    /// Nothing but records that fit, the first of them under keys.
    Protected,
    /// A message, or its fragment, in clear.
    Handshake,
}

/// What a datagram shows by itself.
pub fn evidence(datagram: &[u8]) -> Evidence {
    let mut records = Records::new(datagram);
    let Some(first) = records.next() else { return Evidence::None };
    let (mut end, mut cut) = (first.at.end, first.cut);
    for record in records {
        (end, cut) = (record.at.end, record.cut);
    }
    let whole = end == datagram.len() && !cut;
    if first.is_clear_handshake() {
        let fragment = Fragment::read(datagram, first.at.clone()).is_some_and(|it| it.length > 0 || it.kind == 14);
        let part = datagram.get(first.at).unwrap_or_default();
        // A hello whose datagram was captured in part: kind, the first fragment, and the version in the message.
        let hello = matches!(part, [1, 0, _, _, 0, _, 0, 0, 0, 0, _, _, 0xfe, 0xfd | 0xff, ..]) && cut;
        return if (fragment && whole) || hello {
            Evidence::Handshake
        } else {
            Evidence::None
        };
    }
    // Sixteen bytes are the shortest a cipher of 1.2 leaves behind.
    let long = first.at.len() >= 16;
    if whole && long && first.epoch == 1 && first.kind >= 21 {
        Evidence::Protected
    } else {
        Evidence::None
    }
}
