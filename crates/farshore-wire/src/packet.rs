//! A frame decoded as far as it goes: addresses, ports, payload, and why it went no further.

use std::net::IpAddr;

use farshore_model::{Frame, Transport};

use crate::cursor::{Cursor, Stop};
use crate::limits::Limits;
use crate::{link, net, transport};

/// What one frame says about who talks to whom.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The innermost IP header that was read.
    pub ip: Option<Ip>,
    /// The transport above it.
    pub transport: Option<Header>,
    /// Transport payload.
    pub payload: &'a [u8],
    /// Where the payload begins in the frame.
    pub payload_offset: usize,
    /// Payload bytes that were on the wire but not captured.
    pub payload_missing: usize,
    /// Why decoding ended early.
    pub stop: Option<Reason>,
}

/// Why a frame was not decoded to its transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Too short, or a forbidden value.
    Stop(Stop),
    /// The link type is not read.
    Link(u32),
    /// No IP: ARP, LLDP and the like, by EtherType.
    NotIp(u16),
    /// A later fragment of an IP datagram.
    Fragment,
    /// More nesting than the limit allows.
    Nesting,
}

/// What is needed of an IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ip {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// The payload's protocol number, past all extension headers.
    pub protocol: u8,
}

/// What is needed of a transport header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Which.
    pub transport: Transport,
    /// Source port; for ICMP see [`crate::flow::community`].
    pub source: u16,
    /// Destination port.
    pub destination: u16,
    /// TCP only.
    pub tcp: Option<transport::Tcp>,
}

impl<'a> Packet<'a> {
    /// Decodes a frame.
    pub fn decode(frame: &Frame<'a>, limits: &Limits) -> Self {
        let mut packet = Self {
            ip: None,
            transport: None,
            payload: &[],
            payload_offset: 0,
            payload_missing: 0,
            stop: None,
        };
        let mut cursor = Cursor::new("frame", frame.bytes);
        if let Err(reason) = packet.layers(frame, &mut cursor, limits) {
            packet.stop = Some(reason);
        }
        packet
    }

    fn layers(&mut self, frame: &Frame<'a>, cursor: &mut Cursor<'a>, limits: &Limits) -> Result<(), Reason> {
        let next = link::read(frame.link, cursor, limits)?;
        let net = net::read(next, cursor)?;
        self.ip = Some(net.ip);
        if net.later_fragment {
            return Err(Reason::Fragment);
        }
        let mut body = net.body;
        let (header, fault) = transport::read(net.ip.protocol, &mut body)?;
        self.transport = Some(header);
        self.payload = body.rest();
        self.payload_offset = body.offset();
        self.payload_missing = net.missing;
        if header.transport == Transport::Udp
            && let Some(length) = transport::udp_length(frame.bytes, body.offset())
        {
            // The shorter of the two lengths rules; a longer one means bytes that were not captured.
            let announced = length.saturating_sub(8);
            if announced < self.payload.len() {
                self.payload = self.payload.get(..announced).unwrap_or_default();
                self.payload_missing = 0;
            } else {
                self.payload_missing = announced.saturating_sub(self.payload.len());
            }
        }
        match fault {
            Some(stop) => Err(Reason::Stop(stop)),
            None => Ok(()),
        }
    }
}

impl From<Stop> for Reason {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stop(stop) => write!(
                f,
                "{}: {} in the header",
                stop.layer,
                if stop.needed == 0 { "forbidden value" } else { "too short" }
            ),
            Self::Link(link) => write!(f, "link type {link} is not read"),
            Self::NotIp(ethertype) => write!(f, "no IP inside (EtherType 0x{ethertype:04x})"),
            Self::Fragment => f.write_str("later fragment of an IP datagram"),
            Self::Nesting => f.write_str("nested deeper than the limit"),
        }
    }
}
