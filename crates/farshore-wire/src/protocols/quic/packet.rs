//! Long headers (RFC 9000 section 17.2, RFC 8999) and the versions whose Initial packets can be opened. It owns the
//! layout and the published salts; short headers have none that could be read without keys.

use crate::cursor::{Cursor, Stop};

/// A packet with a long header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Long<'a> {
    /// The version, 0 for version negotiation.
    pub(super) version: u32,
    /// The receiver's connection id.
    pub(super) destination: Id,
    /// The sender's connection id.
    pub(super) source: Id,
    /// What kind of packet.
    pub(super) kind: Kind,
    /// The packet from its first byte to the end its length field gives.
    pub(super) bytes: &'a [u8],
    /// Where the packet number begins in `bytes`.
    pub(super) number_at: usize,
}

/// Kinds of long-header packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Handshake bytes under keys that anyone can derive; `token` tells whether it repeats a server's token.
    Initial { token: bool },
    /// Sealed: the client's early data.
    Early,
    /// Sealed: the rest of the handshake.
    Handshake,
    /// The server wants the client to come again.
    Retry,
    /// The server speaks other versions; `known` tells whether one of them is known here.
    Negotiation { known: bool },
}

/// A connection id: at most 20 bytes (RFC 9000 section 17.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Id {
    length: usize,
    bytes: [u8; 20],
}

impl Id {
    pub(super) fn read(at: &mut Cursor<'_>) -> Result<Self, Stop> {
        let length = usize::from(at.u8()?);
        let mut it = Self { length, ..Self::default() };
        let Some(place) = it.bytes.get_mut(..length) else {
            return Err(at.forbidden());
        };
        place.copy_from_slice(at.take(length)?);
        Ok(it)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl<'a> Long<'a> {
    /// Where the destination's id stands in a packet.
    pub(super) const DESTINATION_AT: u64 = 6;

    /// Whether a first byte belongs to a long header.
    pub(super) const fn is_long(first: u8) -> bool {
        first & 0x80 != 0
    }

    /// Reads the packet at the front of a datagram, and what follows it there.
    pub(super) fn read(datagram: &'a [u8]) -> Result<(Self, &'a [u8]), Stop> {
        let mut at = Cursor::new("quic", datagram);
        let first = at.u8()?;
        let version = at.u32()?;
        if !Self::is_long(first) {
            return Err(at.forbidden());
        }
        let destination = Id::read(&mut at)?;
        let source = Id::read(&mut at)?;
        let (kind, end) = if version == 0 {
            (read_versions(at)?, datagram.len())
        } else {
            read_kind(&mut at, first, version)?
        };
        let number_at = at.offset();
        let Some((bytes, rest)) = datagram.split_at_checked(end) else {
            return Err(at.forbidden());
        };
        let it = Self {
            version,
            destination,
            source,
            kind,
            bytes,
            number_at,
        };
        Ok((it, rest))
    }
}

/// The kind of a packet, and where in the datagram it ends.
fn read_kind(at: &mut Cursor<'_>, first: u8, version: u32) -> Result<(Kind, usize), Stop> {
    let to_the_end = at.offset().saturating_add(at.left());
    let Some(dialect) = dialect(version) else {
        return Err(at.forbidden());
    };
    // RFC 9369 section 3.2 turned the types by one.
    let kind = match (first >> 4 & 3).wrapping_sub(u8::from(dialect.version_2)) & 3 {
        0 => {
            let length = variable(at)?;
            at.skip(length)?;
            Kind::Initial { token: length > 0 }
        }
        1 => Kind::Early,
        2 => Kind::Handshake,
        _ => return Ok((Kind::Retry, to_the_end)),
    };
    let length = variable(at)?;
    // A packet number, and enough after it for the sample of header protection.
    if length < 20 || length > at.left() {
        return Err(at.forbidden());
    }
    Ok((kind, at.offset().saturating_add(length)))
}

fn read_versions(mut at: Cursor<'_>) -> Result<Kind, Stop> {
    let mut known = false;
    if at.is_empty() {
        return Err(at.forbidden());
    }
    while !at.is_empty() {
        // Servers list versions that do not exist as well, to keep clients from relying on the list.
        let version = at.u32()?;
        known |= !is_reserved(version) && dialect(version).is_some();
    }
    Ok(Kind::Negotiation { known })
}

/// A variable-length integer (RFC 9000 section 16), as a size.
pub(super) fn variable(at: &mut Cursor<'_>) -> Result<usize, Stop> {
    let value = variable_u64(at)?;
    usize::try_from(value).map_err(|_| at.forbidden())
}

/// A variable-length integer.
pub(super) fn variable_u64(at: &mut Cursor<'_>) -> Result<u64, Stop> {
    let first = at.u8()?;
    let mut value = u64::from(first & 0x3f);
    let more = (1_u32 << (first >> 6)).saturating_sub(1);
    for _ in 0..more {
        value = value << 8 | u64::from(at.u8()?);
    }
    Ok(value)
}

/// Steps over an ACK frame (RFC 9000 section 19.3).
pub(super) fn skip_acknowledgement(at: &mut Cursor<'_>, with_counts: bool) -> Result<(), Stop> {
    variable_u64(at)?;
    variable_u64(at)?;
    let ranges = variable_u64(at)?;
    variable_u64(at)?;
    for _ in 0..ranges {
        variable_u64(at)?;
        variable_u64(at)?;
    }
    if with_counts {
        for _ in 0..3 {
            variable_u64(at)?;
        }
    }
    Ok(())
}

/// The id for the address that a server prefers, of its transport parameters (RFC 9000 section 18.2).
pub(super) fn preferred_id(parameters: &[u8]) -> Option<Id> {
    let mut at = Cursor::new("quic", parameters);
    while !at.is_empty() {
        let kind = variable_u64(&mut at).ok()?;
        let length = variable(&mut at).ok()?;
        let mut body = at.sub(length).ok()?;
        if kind == 0x0d {
            // An address and a port of each family.
            body.skip(24).ok()?;
            return Id::read(&mut body).ok();
        }
    }
    None
}

/// How a version protects its Initial packets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialect {
    /// The salts to try: a version whose draft is not known for certain has several.
    pub(super) salts: &'static [[u8; 20]],
    /// Whether types and labels are those of version 2.
    pub(super) version_2: bool,
    /// The number of CRYPTO frames.
    pub(super) crypto_frame: u8,
}

/// Whether a version is one of those that will never be (RFC 9000 section 15).
const fn is_reserved(version: u32) -> bool {
    version & 0x0f0f_0f0f == 0x0a0a_0a0a
}

/// How that version protects its Initial packets; `None` for versions that are not known.
pub(super) fn dialect(version: u32) -> Option<Dialect> {
    let salts: &'static [[u8; 20]] = match version {
        // RFC 9000, and the last two drafts.
        0x0000_0001 | 0xff00_0021 | 0xff00_0022 => &[VERSION_1],
        // RFC 9369.
        0x6b33_43cf => &[VERSION_2],
        // Drafts 29 to 32, 23 to 28, and 22.
        0xff00_001d..=0xff00_0020 => &[DRAFT_29],
        0xff00_0017..=0xff00_001c => &[DRAFT_23],
        0xff00_0016 => &[DRAFT_22],
        // mvfst numbers its own versions; which draft one follows is told by what opens.
        0xface_b000..=0xface_b0ff => &[DRAFT_22, DRAFT_23, DRAFT_29, VERSION_1],
        // Asking which versions there are (RFC 9000 section 6): the client seals with what it would rather speak.
        it if is_reserved(it) => &[VERSION_1, DRAFT_29, DRAFT_23, DRAFT_22],
        // Google's Q050, T050 and T051.
        0x5130_3530 => &[GOOGLE_Q050],
        0x5430_3530 => &[GOOGLE_T050],
        0x5430_3531 => &[GOOGLE_T051],
        _ => return None,
    };
    Some(Dialect {
        salts,
        version_2: version == 0x6b33_43cf,
        crypto_frame: match version {
            0x5130_3530 | 0x5430_3530 | 0x5430_3531 => 0x08,
            _ => 0x06,
        },
    })
}

/// RFC 9001 section 5.2.
const VERSION_1: [u8; 20] = *b"\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a";
/// RFC 9369 section 3.3.1.
const VERSION_2: [u8; 20] = *b"\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9";
/// draft-ietf-quic-tls-29 section 5.2.
const DRAFT_29: [u8; 20] = *b"\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99";
/// draft-ietf-quic-tls-23 section 5.2.
const DRAFT_23: [u8; 20] = *b"\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02";
/// draft-ietf-quic-tls-22 section 5.2.
const DRAFT_22: [u8; 20] = *b"\x7f\xbc\xdb\x0e\x7c\x66\xbb\xe9\x19\x3a\x96\xcd\x21\x51\x9e\xbd\x7a\x02\x64\x4a";
/// Chromium's own salts, as its sources have them.
const GOOGLE_Q050: [u8; 20] = *b"\x50\x45\x74\xef\xd0\x66\xfe\x2f\x9d\x94\x5c\xfc\xdb\xd3\xa7\xf0\xd3\xb5\x6b\x45";
const GOOGLE_T050: [u8; 20] = *b"\x7f\xf5\x79\xe5\xac\xd0\x72\x91\x55\x80\x30\x4c\x43\xa2\x36\x7c\x60\x48\x83\x10";
const GOOGLE_T051: [u8; 20] = *b"\x7a\x4e\xde\xf4\xe7\xcc\xee\x5f\xa4\x50\x6c\x19\x12\x4f\xc8\xcc\xda\x6e\x03\x3d";
