//! A frame decoded as far as it goes: addresses, ports, payload, and why it went no further.

use std::net::IpAddr;

use farshore_model::{Frame, LinkType, Transport};

use crate::cursor::{Cursor, Stop};
use crate::limits::Limits;
use crate::net::Fragment;
use crate::{link, net, transport};

/// What one frame, or a packet inside it, says about who talks to whom.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The IP header.
    pub ip: Option<Ip>,
    /// The transport above it.
    pub transport: Option<Header>,
    /// Transport payload; of a fragment other than the first, its data.
    pub payload: &'a [u8],
    /// Where the payload begins in the frame.
    pub payload_offset: usize,
    /// Payload bytes that were on the wire but not captured.
    pub payload_missing: usize,
    /// Which part of a datagram this is, if it is not all of it.
    pub fragment: Option<Fragment<'a>>,
    /// The packet that this one carries, if it is a tunnel's.
    pub carried: Option<Carried<'a>>,
    /// The application that sent the frame, if the capturing machine says so.
    pub app: Option<AppName<'a>>,
    /// Why decoding ended early.
    pub stop: Option<Reason>,
    /// How much deeper a datagram that this is a part of may be followed.
    pub(crate) left: usize,
}

/// The name of an application, as the capture has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppName<'a> {
    /// The name.
    pub name: &'a [u8],
    /// What told.
    pub via: &'static str,
}

/// How much deeper a frame may be followed, and what was learnt on the way.
#[derive(Clone, Copy, Debug)]
pub struct Descent<'a> {
    left: usize,
    /// The application that sent it.
    pub app: Option<AppName<'a>>,
}

impl<'a> Descent<'a> {
    /// However much a limit allows: reading goes as deep as the packets do.
    const DEEPEST: usize = 128;

    /// At the outside of a frame.
    pub fn new(limits: &Limits) -> Self {
        Self::with(limits.encapsulations.min(Self::DEEPEST))
    }

    /// So many steps from the end.
    pub(crate) const fn with(left: usize) -> Self {
        Self { left, app: None }
    }

    /// One tag, label or tunnel deeper.
    pub fn step(&mut self) -> Result<(), Reason> {
        self.left = self.left.checked_sub(1).ok_or(Reason::Nesting)?;
        Ok(())
    }
}

/// A packet found in a tunnel, not read yet.
#[derive(Clone, Copy, Debug)]
pub struct Carried<'a> {
    /// The tunnel, as it stands in `flows[].protocols`.
    pub by: &'static str,
    /// The number of the network inside, where the tunnel has such: the same addresses in two networks are not one.
    pub network: u32,
    /// How its first bytes are to be read.
    pub begins: Begins,
    /// The bytes.
    pub cursor: Cursor<'a>,
    /// How much deeper the packet may be followed.
    pub(crate) descent: Descent<'a>,
}

/// What the packet in a tunnel begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    /// An IP header.
    Ip,
    /// An Ethernet header.
    Ethernet,
    /// What this EtherType says.
    Kind(u16),
    /// A PPP header.
    Ppp,
    /// An 802.11 header.
    Wireless,
}

/// A tunnel header that was recognised: name, network, what follows, and the bytes.
pub(crate) type Tunnel<'a> = (&'static str, u32, Begins, Cursor<'a>);

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
    /// PPP that carries no IP, by protocol number.
    NotPpp(u16),
    /// Upkeep of the link, no data.
    NotData(&'static str),
    /// Encrypted on the link.
    Encrypted(&'static str),
    /// A fragment of an IP datagram whose other parts are not there.
    Incomplete,
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
    /// Identification; IPv6 has one only in fragments.
    pub id: Option<u16>,
    /// The payload's protocol number, past all extension headers.
    pub protocol: u8,
    /// Where the source address stands in what was decoded; the destination's follows it.
    pub addresses_at: usize,
}

impl Ip {
    /// What the header tells of its sender.
    pub const fn mark(&self) -> Mark {
        Mark {
            ttl: self.ttl,
            id: self.id,
        }
    }
}

/// What an IP header tells of whoever sent it: two machines seldom agree in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Time to live, or hop limit, as far as it has come.
    pub ttl: u8,
    /// Identification; IPv6 has one only in fragments.
    pub id: Option<u16>,
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TTL {}", self.ttl)?;
        self.id.map_or(Ok(()), |id| write!(f, ", IP id {id:#06x}"))
    }
}

/// What is needed of a transport header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Which.
    pub transport: Transport,
    /// Source port; for ICMP see [`Transport::counterpart`].
    pub source: u16,
    /// Destination port.
    pub destination: u16,
    /// TCP only.
    pub tcp: Option<transport::Tcp>,
}

impl<'a> Packet<'a> {
    /// Nothing decoded yet. Made in place: a constant would be copied, with all the room for what is not there.
    #[inline(always)]
    fn nothing() -> Self {
        Self {
            ip: None,
            transport: None,
            payload: &[],
            payload_offset: 0,
            payload_missing: 0,
            fragment: None,
            carried: None,
            app: None,
            stop: None,
            left: 0,
        }
    }

    /// Decodes a frame to its outermost transport.
    pub fn decode(frame: &Frame<'a>, limits: &Limits) -> Self {
        let mut descent = Descent::new(limits);
        let mut cursor = Cursor::new("frame", frame.bytes);
        let next = link::read(frame.link, &mut cursor, &mut descent);
        let mut packet = Self::nothing();
        packet.above(next, cursor, descent);
        packet.app = descent.app;
        if frame.link == LinkType::ETHERNET && packet.app.is_none() {
            let end = packet.payload_offset.saturating_add(packet.payload.len());
            packet.app = frame.bytes.get(end..).and_then(link::trailer);
        }
        packet
    }

    /// Decodes the packet in a tunnel.
    pub fn inside(tunnel: &Carried<'a>) -> Self {
        let (mut cursor, mut descent) = (tunnel.cursor, tunnel.descent);
        let next = descent.step().and_then(|()| match tunnel.begins {
            Begins::Ip => Ok(link::Next::Either),
            Begins::Ethernet => link::ethernet(&mut cursor, &mut descent),
            Begins::Kind(kind) => link::ethertype(kind, &mut cursor, &mut descent),
            Begins::Ppp => link::ppp(&mut cursor, &mut descent),
            Begins::Wireless => link::wireless(&mut cursor, &mut descent),
        });
        let mut packet = Self::nothing();
        packet.above(next, cursor, descent);
        packet
    }

    /// Decodes a datagram put together from fragments. Offsets count in its payload.
    pub fn datagram(ip: Ip, bytes: &'a [u8], missing: usize, descent: Descent<'a>) -> Self {
        let mut packet = Self::nothing();
        packet.ip = Some(ip);
        let body = Cursor::new("datagram", bytes);
        packet.stop = packet.transport(body, missing, descent).err();
        packet
    }

    /// Goes on behind the link's header.
    fn above(&mut self, next: Result<link::Next, Reason>, mut cursor: Cursor<'a>, descent: Descent<'a>) {
        let read = next.and_then(|next| net::read(next, &mut cursor)).and_then(|net| {
            self.ip = Some(net.ip);
            self.fragment = net.fragment;
            self.left = descent.left;
            if net.fragment.is_some_and(|it| it.offset != 0) {
                (self.payload, self.payload_offset) = (net.body.rest(), net.body.offset());
                self.payload_missing = net.missing;
                return Err(Reason::Fragment);
            }
            self.transport(net.body, net.missing, descent)
        });
        self.stop = read.err();
    }

    /// Goes on behind the IP header, which was read.
    fn transport(&mut self, mut body: Cursor<'a>, missing: usize, descent: Descent<'a>) -> Result<(), Reason> {
        let Some(ip) = &mut self.ip else { return Ok(()) };
        net::extensions(ip, &mut body)?;
        let start = body;
        let (header, fault) = transport::read(ip.protocol, &mut body)?;
        self.transport = Some(header);
        self.payload = body.rest();
        self.payload_offset = body.offset();
        self.payload_missing = missing;
        if header.transport == Transport::Udp
            && let Some(length) = transport::udp_length(start.rest())
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
        if let Some(stop) = fault {
            return Err(Reason::Stop(stop));
        }
        let tunnel = match header.transport {
            Transport::Udp => {
                let payload = body.sub(self.payload.len())?;
                transport::tunnel::over_udp(header, payload, self.payload_missing)
            }
            Transport::Other(protocol) => transport::tunnel::over_ip(protocol, body, self.payload_missing),
            _ => None,
        };
        self.carried = tunnel.map(|(by, network, begins, cursor)| Carried {
            by,
            network,
            begins,
            cursor,
            descent,
        });
        Ok(())
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
            Self::NotPpp(protocol) => write!(f, "no IP inside (PPP protocol 0x{protocol:04x})"),
            Self::NotData(what) => write!(f, "no IP inside ({what})"),
            Self::Encrypted(link) => write!(f, "encrypted on the link ({link})"),
            Self::Incomplete => f.write_str("fragment of an IP datagram that was never whole"),
        }
    }
}
