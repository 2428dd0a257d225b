//! Conversations: who talked to whom, when, how much.

use std::borrow::Cow;
use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

use crate::row::Tally;
use crate::{Few, InputId, Locus, Span, Timestamp};

/// Index of a flow in its ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u32);

/// Which way bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the client (the initiator) to the server.
    Up,
    /// From the server to the client.
    Down,
}

impl Direction {
    /// The other way.
    pub const fn reverse(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }

    /// Of two things, one for each direction and up first, the one for this direction.
    pub const fn of<T>(self, both: &[T; 2]) -> &T {
        let [up, down] = both;
        match self {
            Self::Up => up,
            Self::Down => down,
        }
    }

    /// The same, to be changed.
    pub const fn of_mut<T>(self, both: &mut [T; 2]) -> &mut T {
        let [up, down] = both;
        match self {
            Self::Up => up,
            Self::Down => down,
        }
    }
}

/// One end of a conversation. For ICMP the ports are type and code, or their counterpart, as Community ID maps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The address.
    pub ip: IpAddr,
    /// The port, 0 for transports that have none.
    pub port: u16,
}

/// What carries the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// TCP (RFC 9293).
    Tcp,
    /// UDP (RFC 768).
    Udp,
    /// ICMP (RFC 792).
    Icmp,
    /// ICMPv6 (RFC 4443).
    Icmp6,
    /// Any other IP protocol, by number.
    Other(u8),
}

impl Transport {
    /// What goes by an IP protocol number.
    pub const fn of(number: u8) -> Self {
        match number {
            6 => Self::Tcp,
            17 => Self::Udp,
            1 => Self::Icmp,
            58 => Self::Icmp6,
            other => Self::Other(other),
        }
    }

    /// The IP protocol number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Icmp => 1,
            Self::Icmp6 => 58,
            Self::Other(number) => number,
        }
    }

    /// The ICMP message type that answers a type, or that it answers; of other transports none.
    ///
    /// The table is Community ID's (<https://github.com/corelight/community-id-spec>): a request and its answer are one
    /// conversation, and stand in the place of its two ports.
    pub fn counterpart(self, kind: u8) -> Option<u8> {
        let pairs: &[(u8, u8)] = match self {
            // Echo, timestamp, information, router solicitation/advertisement, address mask.
            Self::Icmp => &[(8, 0), (13, 14), (15, 16), (10, 9), (17, 18)],
            // Echo, router, neighbour, multicast listener, node information (139/140), home agent (144/145).
            Self::Icmp6 => &[(128, 129), (133, 134), (135, 136), (130, 131), (139, 140), (144, 145)],
            _ => &[],
        };
        pairs.iter().find_map(|(a, b)| match kind {
            _ if kind == *a => Some(*b),
            _ if kind == *b => Some(*a),
            _ => None,
        })
    }

    /// Whether whoever sent is the client, `Up`, or the server, `Down`, by the ports alone; `None` where these do not tell.
    ///
    /// System ports (RFC 6335) belong to servers; otherwise the ephemeral range to clients: in TCP from 49152 on, in UDP only
    /// against a port that no system gives out by itself (Linux begins at 32768), since media servers have ports up there too.
    pub const fn client_by_port(self, source: u16, destination: u16) -> Option<Direction> {
        const SCTP: u8 = 132;
        if !matches!(self, Self::Tcp | Self::Udp | Self::Other(SCTP)) {
            return None;
        }
        let tcp = matches!(self, Self::Tcp);
        let dynamic = [
            source >= 49_152 && (tcp || destination < 32_768),
            destination >= 49_152 && (tcp || source < 32_768),
        ];
        match ([source < 1024, destination < 1024], dynamic) {
            ([true, false], _) => Some(Direction::Down),
            ([false, true], _) => Some(Direction::Up),
            (_, [false, true]) => Some(Direction::Down),
            (_, [true, false]) => Some(Direction::Up),
            _ => None,
        }
    }

    /// Whether a message with this number in the place of its source port has no answer: then its direction is part of
    /// what makes it a flow.
    pub fn is_one_way(self, source_port: u16) -> bool {
        let kind = u8::try_from(source_port).ok();
        matches!(self, Self::Icmp | Self::Icmp6) && kind.and_then(|kind| self.counterpart(kind)).is_none()
    }
}

/// How the client was told from the server, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InitiatorBasis {
    /// Whoever wrote the exchange down, which is known from that rather than from frames. Then an address that was not written
    /// down is the unspecified one, frames are messages, and bytes are those of messages.
    Recorded,
    /// A SYN without ACK, or a SYN-ACK, was seen.
    Handshake,
    /// The protocol's own words: a ClientHello, a request, a query.
    Protocol,
    /// One port is well-known (below 1024) or plainly the lower, registered one.
    Port,
    /// Whoever sent the first captured packet.
    FirstPacket,
    /// A flow log names it: the source of its rows is whoever began.
    Logged,
    /// Whoever is the source of the first row that tells of it; which side began is not told.
    FirstRow,
}

/// How the content of a conversation is protected, as far as it could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protection {
    /// Read as it is, without keys.
    Plaintext,
    /// TLS over TCP.
    Tls,
    /// QUIC.
    Quic,
    /// DTLS.
    Dtls,
    /// SRTP.
    Srtp,
    /// Payload in no format that is known: it may be encrypted, compressed, or merely undocumented.
    Opaque,
    /// No payload was seen.
    Empty,
    /// Only a flow log tells of it: nobody looked at what was sent.
    Unknown,
}

/// Frames and bytes of one direction. Bytes are frame lengths on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counter {
    /// Frames.
    pub frames: u64,
    /// Bytes on the wire, link headers included.
    pub bytes: u64,
    /// Bytes of transport payload.
    pub payload: u64,
}

/// Two readings of the time a request takes, kept apart because they place different machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct RoundTrips {
    /// Each with one more, so that none takes no room.
    transport: Option<NonZeroU64>,
    end_to_end: Option<NonZeroU64>,
}

impl RoundTrips {
    /// Of these nanoseconds.
    pub fn new(transport: Option<u64>, end_to_end: Option<u64>) -> Self {
        let [transport, end_to_end] = [transport, end_to_end].map(|it| NonZeroU64::new(it?.saturating_add(1)));
        Self { transport, end_to_end }
    }

    /// SYN to SYN-ACK, in nanoseconds. Capture apps and carriers may answer the SYN themselves.
    pub fn transport(self) -> Option<u64> {
        self.transport.map(|it| it.get().saturating_sub(1))
    }

    /// ClientHello to ServerHello, in nanoseconds.
    pub fn end_to_end(self) -> Option<u64> {
        self.end_to_end.map(|it| it.get().saturating_sub(1))
    }
}

/// How evenly the payload bytes of one direction are spread. A reading, never a verdict.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Randomness {
    /// Bytes counted.
    pub sampled: u64,
    /// Shannon entropy of single bytes, 0 to 8 bits.
    pub entropy: f64,
    /// Pearson's chi-square against even spread, 255 degrees of freedom (mean 255 for random bytes).
    pub chi_square: f64,
}

/// The application that sent the flow, where the capture says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// As the capture names it.
    pub name: String,
    /// What told: `pktap`, `pcapdroid`, …
    pub via: &'static str,
}

/// What became of the sessions in a flow, when keys were offered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyUse {
    /// Those that were opened, by the first bytes of the client's random.
    pub opened: Vec<SessionPrint>,
    /// Why one of them, or one of its directions, stayed closed.
    pub missed: Option<Cow<'static, str>>,
}

impl KeyUse {
    /// Why a session stays closed of which no key log tells.
    pub const NO_SUCH_SESSION: &'static str = "no such client random";
}

/// What tells sessions apart: the first bytes of the client's random.
pub type SessionPrint = [u8; 8];

/// One conversation.
#[derive(Clone, Debug)]
pub struct Flow {
    /// The input it was seen in.
    pub input: InputId,
    /// TCP, UDP, …
    pub transport: Transport,
    /// The initiator.
    pub client: Endpoint,
    /// The other end.
    pub server: Endpoint,
    /// How the two were told apart.
    pub initiator: InitiatorBasis,
    /// Earliest time of any of its frames.
    pub first: Option<Timestamp>,
    /// Latest time of any of its frames.
    pub last: Option<Timestamp>,
    /// Its first frame in the order of the file.
    pub first_frame: u64,
    /// Where the client's address stands in that frame; `None` where nothing stands for it as it is.
    pub client_at: Option<NonZeroU32>,
    /// Client to server.
    pub up: Counter,
    /// Server to client.
    pub down: Counter,
    /// Protocols recognised, outermost first: `quic`, `tls`. Shared: millions of flows speak one of a few.
    pub protocols: Arc<[&'static str]>,
    /// How its content is protected.
    pub protection: Protection,
    /// Times a request took.
    pub rtt: RoundTrips,
    /// The last frame with which each side said something new, up first; 0: it said nothing. Of TCP what was acknowledged before is
    /// not new (a probe of a keep-alive may carry a byte), nor is what a reset says. `u32::MAX`: a frame beyond that.
    pub spoke: [u32; 2],
    /// Whether the client sent something under the keys of a TLS session after its suite was chosen.
    pub sealed: bool,
    /// The TTL of the server's first packet that is no reset, of TCP alone; 0 where none was seen.
    pub ttl: u8,
    /// The tunnel it ran in.
    pub inside: Option<FlowId>,
    /// What few flows have.
    pub rare: Option<Box<Rare>>,
}

/// What few flows have.
#[derive(Clone, Debug, Default)]
pub struct Rare {
    /// Byte spread of what could not be read, client to server and back.
    pub randomness: Option<Box<[Option<Randomness>; 2]>>,
    /// Stream bytes that were never captured.
    pub gaps: u64,
    /// The sending application; `None`: this device.
    pub app: Option<Box<App>>,
    /// What became of the sessions in it; `None` where no keys were offered, or none were of use.
    pub keys: Option<Box<KeyUse>>,
    /// What was rejected, client to server and back, as a flow log tells.
    pub refused: Option<Box<[Tally; 2]>>,
}

impl Flow {
    /// A flow of which no more is known than its ends: the first frame of the first input.
    pub fn between(transport: Transport, client: Endpoint, server: Endpoint) -> Self {
        Self {
            input: InputId(0),
            transport,
            client,
            server,
            initiator: InitiatorBasis::FirstPacket,
            first: None,
            last: None,
            first_frame: 1,
            client_at: None,
            up: Counter::default(),
            down: Counter::default(),
            protocols: Arc::default(),
            protection: Protection::Empty,
            rtt: RoundTrips::default(),
            spoke: [0; 2],
            sealed: false,
            ttl: 0,
            inside: None,
            rare: None,
        }
    }

    /// Its first frame, as evidence that something went there.
    pub fn beginning(&self) -> Locus {
        Locus {
            input: self.input,
            span: Span::in_frame(self.first_frame, 0, 0),
            layers: [].into(),
            decoded_by: Few::none(),
        }
    }

    /// What few flows have, to change it.
    pub fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Byte spread of what could not be read, client to server and back.
    pub fn randomness(&self) -> [Option<&Randomness>; 2] {
        let both = self.rare.as_ref().and_then(|it| it.randomness.as_deref());
        both.map_or([None; 2], |both| both.each_ref().map(Option::as_ref))
    }

    /// Stream bytes that were never captured.
    pub fn gaps(&self) -> u64 {
        self.rare.as_ref().map_or(0, |it| it.gaps)
    }

    /// The sending application; `None`: this device.
    pub fn app(&self) -> Option<&App> {
        self.rare.as_ref()?.app.as_deref()
    }

    /// What became of the sessions in it; `None` where no keys were offered, or none were of use.
    pub fn keys(&self) -> Option<&KeyUse> {
        self.rare.as_ref()?.keys.as_deref()
    }

    /// Whether something in it could be read although it was encrypted: with keys, or by whoever wrote it down.
    pub fn is_opened(&self) -> bool {
        let sealed = matches!(self.protection, Protection::Tls | Protection::Quic | Protection::Dtls);
        (self.is_recorded() && sealed) || self.keys().is_some_and(|it| !it.opened.is_empty())
    }

    /// What was rejected in both directions, as a flow log tells.
    pub fn refused(&self) -> Tally {
        let both = self.rare.as_ref().and_then(|it| it.refused.as_deref());
        both.map_or_else(Tally::default, |[up, down]| up.plus(*down))
    }

    /// Whether all that is known of it is that somebody was kept from it: nothing arrived, either way.
    pub fn is_only_tried(&self) -> bool {
        let arrived = [self.up, self.down].iter().any(|it| it.frames > 0 || it.bytes > 0);
        !arrived && self.rare.as_ref().is_some_and(|it| it.refused.is_some())
    }

    /// Whether a flow log tells of it, and nothing else.
    pub const fn is_logged(&self) -> bool {
        matches!(self.protection, Protection::Unknown)
    }

    /// Whether the capture says that this app sent it.
    pub fn is_of(&self, app: &str) -> bool {
        self.app().is_some_and(|it| it.name == app)
    }

    /// Whether one of its ends, or a proxy, wrote it down.
    pub const fn is_recorded(&self) -> bool {
        matches!(self.initiator, InitiatorBasis::Recorded)
    }

    /// Whether the server said something new after the client had sent that frame, or with it.
    pub fn is_answered_after(&self, frame: u64) -> bool {
        let [_, down] = self.spoke;
        down != u32::MAX && frame <= u64::from(down)
    }

    /// Whether the address of that end is known.
    pub const fn tells(&self, end: Endpoint) -> bool {
        !(self.is_recorded() && end.ip.is_unspecified())
    }
}
