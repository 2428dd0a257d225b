//! Transport headers: TCP (RFC 9293), UDP (RFC 768), ICMP (RFC 792, RFC 4443), SCTP (RFC 9260).

pub(crate) mod sctp;
pub(crate) mod tunnel;

use farshore_model::Transport;

use crate::cursor::{Cursor, Stop};
use crate::flow::icmp as messages;
use crate::packet::Header;

/// What is needed of a TCP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// Sequence number of the first payload byte (of the SYN itself, if set).
    pub sequence: u32,
    /// Acknowledgement number.
    pub acknowledgement: u32,
    /// The flags.
    pub flags: Flags,
}

/// TCP control bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// FIN.
    pub const fn fin(self) -> bool {
        self.0 & 0x01 != 0
    }
    /// SYN.
    pub const fn syn(self) -> bool {
        self.0 & 0x02 != 0
    }
    /// RST.
    pub const fn rst(self) -> bool {
        self.0 & 0x04 != 0
    }
    /// ACK.
    pub const fn ack(self) -> bool {
        self.0 & 0x10 != 0
    }
}

/// Reads a transport header. Ports come first in all of them, so a cut header still tells who talks to whom.
pub fn read(protocol: u8, cursor: &mut Cursor<'_>) -> Result<(Header, Option<Stop>), Stop> {
    match protocol {
        6 => tcp(cursor),
        17 => udp(cursor),
        1 => icmp(Transport::Icmp, cursor),
        58 => icmp(Transport::Icmp6, cursor),
        sctp::NUMBER => {
            let (source, destination) = (cursor.u16()?, cursor.u16()?);
            let header = Header {
                transport: Transport::Other(sctp::NUMBER),
                source,
                destination,
                tcp: None,
            };
            Ok((header, cursor.skip(8).err()))
        }
        other => Ok((
            Header {
                transport: Transport::Other(other),
                source: 0,
                destination: 0,
                tcp: None,
            },
            None,
        )),
    }
}

/// The length a UDP header announces; `None` for a length left to the card.
pub fn udp_length(datagram: &[u8]) -> Option<usize> {
    let raw = datagram.get(4..8)?.first_chunk::<2>()?;
    Some(usize::from(u16::from_be_bytes(*raw))).filter(|length| *length != 0)
}

fn tcp(cursor: &mut Cursor<'_>) -> Result<(Header, Option<Stop>), Stop> {
    let start = *cursor;
    let (source, destination) = (cursor.u16()?, cursor.u16()?);
    let header = |tcp| Header {
        transport: Transport::Tcp,
        source,
        destination,
        tcp,
    };
    let mut rest = || {
        let (sequence, acknowledgement) = (cursor.u32()?, cursor.u32()?);
        let [offset, flags] = cursor.array::<2>()?;
        cursor.skip(6)?;
        let options = usize::from(offset >> 4)
            .saturating_mul(4)
            .checked_sub(20)
            .ok_or(start.forbidden())?;
        cursor.skip(options)?;
        Ok(Tcp {
            sequence,
            acknowledgement,
            flags: Flags(flags),
        })
    };
    match rest() {
        Ok(tcp) => Ok((header(Some(tcp)), None)),
        Err(stop) => {
            cursor.skip(cursor.left())?;
            Ok((header(None), Some(stop)))
        }
    }
}

fn udp(cursor: &mut Cursor<'_>) -> Result<(Header, Option<Stop>), Stop> {
    let start = *cursor;
    let (source, destination) = (cursor.u16()?, cursor.u16()?);
    let header = Header {
        transport: Transport::Udp,
        source,
        destination,
        tcp: None,
    };
    match cursor.array::<4>() {
        Ok([high, low, _, _]) if u16::from_be_bytes([high, low]) != 0 && u16::from_be_bytes([high, low]) < 8 => {
            cursor.skip(cursor.left())?;
            Ok((header, Some(start.forbidden())))
        }
        Ok(_) => Ok((header, None)),
        Err(stop) => {
            cursor.skip(cursor.left())?;
            Ok((header, Some(stop)))
        }
    }
}

fn icmp(transport: Transport, cursor: &mut Cursor<'_>) -> Result<(Header, Option<Stop>), Stop> {
    let [kind, code] = cursor.array::<2>()?;
    let (source, destination) = messages::ports(transport, kind, code);
    let stop = cursor.skip(2).err();
    Ok((
        Header {
            transport,
            source,
            destination,
            tcp: None,
        },
        stop,
    ))
}
