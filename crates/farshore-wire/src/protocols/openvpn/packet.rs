//! The layout of control packets, and how a flow's own is found. Refuses what does not fit its own lengths.

use std::ops::Range;

use farshore_model::Direction;

use crate::cursor::Cursor;

/// Acknowledgements one packet may carry.
const MOST_ACKNOWLEDGED: u8 = 8;

/// What stands between the session and the acknowledgements: the digest of `tls-auth`, a packet number and a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wrap {
    digest: usize,
}

/// None, MD5, SHA-1, SHA-256, SHA-512.
const WRAPS: [Wrap; 5] = [
    Wrap { digest: 0 },
    Wrap { digest: 16 },
    Wrap { digest: 20 },
    Wrap { digest: 32 },
    Wrap { digest: 64 },
];

/// What a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    ClientReset,
    ServerReset,
    Control,
    Acknowledgement,
}

impl Kind {
    const fn of(opcode: u8) -> Option<Self> {
        Some(match opcode {
            1 | 7 => Self::ClientReset,
            2 | 8 => Self::ServerReset,
            4 => Self::Control,
            5 => Self::Acknowledgement,
            _ => return None,
        })
    }
}

/// A control packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub kind: Kind,
    /// Which of the session's keys, counted from 0.
    pub key: u8,
    pub session: [u8; 8],
    /// The session that is answered, where something is acknowledged.
    pub peer: Option<[u8; 8]>,
    /// The message's number; an acknowledgement has none.
    pub number: Option<u32>,
    /// Where its payload stands.
    pub payload: Range<usize>,
}

impl Packet {
    /// Reads a packet.
    pub fn read(bytes: &[u8], wrap: Wrap) -> Option<Self> {
        let mut it = Cursor::new("openvpn", bytes);
        let first = it.u8().ok()?;
        let kind = Kind::of(first >> 3)?;
        let session: [u8; 8] = it.array().ok()?;
        if wrap.digest > 0 {
            it.skip(wrap.digest).ok()?;
            // Both count from one: a packet number, and seconds since 1970.
            if it.u32().ok()? == 0 || it.u32().ok()? == 0 {
                return None;
            }
        }
        let acknowledged = it.u8().ok()?;
        if acknowledged > MOST_ACKNOWLEDGED {
            return None;
        }
        it.skip(usize::from(acknowledged).saturating_mul(4)).ok()?;
        let peer = if acknowledged > 0 { Some(it.array().ok()?) } else { None };
        let number = match kind {
            Kind::Acknowledgement => None,
            _ => Some(it.u32().ok()?),
        };
        let fits = match kind {
            // Nothing else is in these.
            Kind::Acknowledgement => it.is_empty() && acknowledged > 0,
            Kind::ClientReset => it.is_empty() && number == Some(0) && acknowledged == 0,
            Kind::ServerReset => it.is_empty() && number == Some(0),
            Kind::Control => true,
        };
        (fits && session != [0; 8]).then(|| Self {
            kind,
            key: first & 0x07,
            session,
            peer,
            number,
            payload: it.offset()..bytes.len(),
        })
    }
}

/// Whether this may be a first packet.
pub fn is_reset(bytes: &[u8]) -> bool {
    // The kind in the high bits, key 0 in the others.
    if !matches!(bytes.first(), Some(0x08 | 0x10 | 0x38 | 0x40)) {
        return false;
    }
    let resets =
        |wrap: &Wrap| Packet::read(bytes, *wrap).is_some_and(|it| matches!(it.kind, Kind::ClientReset | Kind::ServerReset) && it.key == 0);
    WRAPS.iter().any(resets)
}

/// Whether this may be a control packet under some wrap.
pub fn is_control(bytes: &[u8]) -> bool {
    WRAPS.iter().any(|wrap| Packet::read(bytes, *wrap).is_some())
}

/// The wrap under which one packet answers another's session.
pub fn agreed(list: &[(Direction, &[u8])]) -> Option<Wrap> {
    let speaks = |wanted: Direction| {
        let mut packets = list.iter().filter(|(direction, _)| *direction == wanted);
        packets.any(|(_, bytes)| bytes.first().is_some_and(|first| Kind::of(first >> 3).is_some()))
    };
    if !speaks(Direction::Up) || !speaks(Direction::Down) {
        return None;
    }
    WRAPS.into_iter().find(|wrap| {
        let read = |(direction, bytes): &(Direction, &[u8])| Some((*direction, Packet::read(bytes, *wrap)?));
        let packets: Vec<_> = list.iter().filter_map(read).collect();
        let answered = |(direction, packet): &(Direction, Packet)| {
            let mut others = packets.iter().filter(|(other, _)| other != direction);
            packet.peer.is_some_and(|peer| others.any(|(_, it)| it.session == peer))
        };
        packets.iter().any(answered)
    })
}

/// The packet at the front of a stream, and what follows.
pub fn framed(stream: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = stream.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    rest.split_at_checked(length).filter(|_| length > 0)
}
