//! Google's own QUIC, before TLS came into it: versions Q0xx, whose hello is in clear up to Q046 and under public
//! keys in Q050. It owns the hello's tags and refuses all that follows it.
//!
//! Read after "QUIC Crypto" and "QUIC Wire Layout Specification" (Google, 2016) and the captures of those versions.

use std::ops::Range;

use crate::cursor::{Cursor, Stop};

/// A datagram that names a version of Google's QUIC in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Where the connection id stands.
    pub(super) id: Range<usize>,
    /// Where its packet number, hash and frames begin.
    pub(super) body_at: usize,
}

impl Header {
    /// Reads the header of a client's packet: the public header up to Q043, or the long one of Q044 to Q049.
    pub(super) fn read(datagram: &[u8]) -> Option<Self> {
        let mut at = Cursor::new("gquic", datagram);
        let flags = at.u8().ok()?;
        let id_length = if flags & 0x80 == 0 {
            // Version flag, no reset, an id of 8 bytes.
            if flags & 0x0b != 0x09 {
                return None;
            }
            8
        } else {
            if !is_google(at.u32().ok()?) {
                return None;
            }
            // Two nibbles: the destination's length less 3, and the source's, which clients leave out.
            match at.u8().ok()? {
                0x50 => 8,
                _ => return None,
            }
        };
        let start = at.offset();
        at.skip(id_length).ok()?;
        let id = start..at.offset();
        if flags & 0x80 == 0 && !is_google(at.u32().ok()?) {
            return None;
        }
        Some(Self { id, body_at: at.offset() })
    }
}

/// `Q` and three digits.
const fn is_google(version: u32) -> bool {
    matches!(version.to_be_bytes(), [b'Q', b'0', b'0'..=b'9', b'0'..=b'9'])
}

/// A hello: a count of tags, each with the end of its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hello {
    /// Where the server's name stands.
    pub(super) name: Option<Range<usize>>,
    /// Where the name of the client's software stands.
    pub(super) agent: Option<Range<usize>>,
}

impl Hello {
    const TAG: &[u8] = b"CHLO";
    /// More tags than any client sends; the format itself allows no more than 128.
    const TAGS: usize = 128;

    /// Whether bytes are, or may become, a hello.
    pub(super) fn is_begun(bytes: &[u8]) -> bool {
        bytes.starts_with(Self::TAG)
    }

    /// Finds the hello in the body of a packet whose frames are in clear.
    pub(super) fn find(body: &[u8]) -> Option<(Self, Range<usize>)> {
        let at = body.windows(Self::TAG.len()).position(|window| window == Self::TAG)?;
        let (it, length) = Self::read(body.get(at..)?).ok()?;
        let place = |range: Range<usize>| at.saturating_add(range.start)..at.saturating_add(range.end);
        let it = Self {
            name: it.name.map(place),
            agent: it.agent.map(place),
        };
        Some((it, place(0..length)))
    }

    /// Reads a hello from its tag on; also says how long it is.
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, usize), Stop> {
        let mut at = Cursor::new("gquic", bytes);
        let forbidden = at.forbidden();
        if at.take(Self::TAG.len())? != Self::TAG {
            return Err(forbidden);
        }
        let tags = usize::from(u16::from_le_bytes(at.array()?));
        let padding = at.u16()?;
        if padding != 0 || tags > Self::TAGS {
            return Err(forbidden);
        }
        let mut index = at.sub(tags.saturating_mul(8))?;
        let values = at.offset();
        let (mut it, mut start) = (Self::default(), 0_usize);
        while !index.is_empty() {
            let tag: [u8; 4] = index.array()?;
            let end = u32::from_le_bytes(index.array()?) as usize;
            at.skip(end.checked_sub(start).ok_or(forbidden)?)?;
            let place = Some(values.saturating_add(start)..at.offset());
            match &tag {
                b"SNI\0" => it.name = place,
                b"UAID" => it.agent = place,
                _ => {}
            }
            start = end;
        }
        Ok((it, at.offset()))
    }
}
