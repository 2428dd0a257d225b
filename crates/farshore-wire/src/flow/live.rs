//! A flow while it lasts.

use std::net::IpAddr;
use std::sync::Arc;

use farshore_model::flow::App;
use farshore_model::flow::{Counter, InitiatorBasis, RoundTrips};
use farshore_model::{Direction, Endpoint, Flow, FlowId, Frame, InputId, Protection, Timestamp, Transport};

use super::community;
use super::reading::Reading;
use crate::packet::{Header, Ip};
use crate::stream::tcp::Half;
use crate::transport::{Tcp, sctp};

/// What makes two packets one flow, whichever way they go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// How many tunnels deep, and in which network: the same addresses elsewhere are other machines.
    space: (u8, u32),
    transport: u8,
    low: (IpAddr, u16),
    high: (IpAddr, u16),
}

impl Key {
    pub(crate) fn new(ip: &Ip, header: &Header, space: (u8, u32)) -> Self {
        let (source, destination) = ((ip.source, header.source), (ip.destination, header.destination));
        let ends = (
            Endpoint {
                ip: ip.source,
                port: header.source,
            },
            Endpoint {
                ip: ip.destination,
                port: header.destination,
            },
        );
        // An ICMP message without an answer is a flow of its own in each direction.
        let icmp = matches!(header.transport, Transport::Icmp | Transport::Icmp6);
        let directed = icmp && community::is_one_way(header.transport, ends.0, ends.1);
        let (low, high) = if directed || source <= destination {
            (source, destination)
        } else {
            (destination, source)
        };
        Self {
            space,
            transport: header.transport.number(),
            low,
            high,
        }
    }
}

/// What is counted of a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) input: InputId,
    pub(crate) number: u64,
    pub(crate) time: Option<Timestamp>,
    pub(crate) wire_length: u32,
}

impl Arrival {
    pub(crate) const fn of(frame: &Frame<'_>) -> Self {
        Self {
            input: frame.input,
            number: frame.number,
            time: frame.time,
            wire_length: frame.wire_length,
        }
    }
}

/// A flow while it lasts.
pub(crate) struct Live {
    input: InputId,
    pub(crate) transport: Transport,
    pub(crate) client: Endpoint,
    pub(crate) server: Endpoint,
    initiator: InitiatorBasis,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    /// The time of the latest frame in the file's order, to notice a clock that steps back.
    clock: Option<Timestamp>,
    pub(crate) clock_stepped_back: bool,
    first_frame: u64,
    up: Counter,
    down: Counter,
    /// TCP only: the two directions.
    pub(crate) halves: Option<Box<[Half; 2]>>,
    /// SCTP only: the same.
    pub(crate) chunks: Option<Box<[sctp::Half; 2]>>,
    syn: Syn,
    pub(crate) reading: Reading,
    pub(crate) gaps: u64,
    pub(crate) app: Option<App>,
    inside: Option<FlowId>,
    /// The layers of the tunnels it runs in, outermost first.
    pub(crate) within: Option<Arc<[&'static str]>>,
}

/// The transport round trip in the making.
#[derive(Clone, Copy, Debug, Default)]
struct Syn {
    sent: Option<Timestamp>,
    repeated: bool,
    round_trip: Option<u64>,
    answered: bool,
}

impl Live {
    pub(crate) fn new(frame: &Arrival, ip: &Ip, header: &Header, inside: Option<FlowId>) -> Self {
        let source = Endpoint {
            ip: ip.source,
            port: header.source,
        };
        let destination = Endpoint {
            ip: ip.destination,
            port: header.destination,
        };
        let (client, server, initiator) = roles(source, destination, header);
        let halves = (header.transport == Transport::Tcp).then(Box::default);
        Self {
            input: frame.input,
            transport: header.transport,
            client,
            server,
            initiator,
            first: frame.time,
            last: frame.time,
            clock: frame.time,
            clock_stepped_back: false,
            first_frame: frame.number,
            up: Counter::default(),
            down: Counter::default(),
            halves,
            chunks: (header.transport == Transport::Other(sctp::NUMBER)).then(Box::default),
            syn: Syn::default(),
            reading: Reading::default(),
            gaps: 0,
            app: None,
            inside,
            within: None,
        }
    }

    /// Which way a packet goes.
    pub(crate) fn direction(&self, ip: &Ip, header: &Header) -> Direction {
        if (ip.source, header.source) == (self.client.ip, self.client.port) {
            Direction::Up
        } else {
            Direction::Down
        }
    }

    /// Counts a packet that came in this frame.
    pub(crate) fn count(&mut self, frame: &Arrival, direction: Direction, payload: usize) {
        if let Some(now) = frame.time {
            self.clock_stepped_back |= self.clock.is_some_and(|before| now < before);
            self.clock = Some(now);
        }
        self.count_part(frame, direction);
        let counter = self.counter(direction);
        counter.payload = counter.payload.saturating_add(payload as u64);
    }

    /// Counts a frame that brought a part of a packet, some time ago.
    pub(crate) fn count_part(&mut self, frame: &Arrival, direction: Direction) {
        let counter = self.counter(direction);
        counter.frames = counter.frames.saturating_add(1);
        counter.bytes = counter.bytes.saturating_add(u64::from(frame.wire_length));
        if let Some(now) = frame.time {
            self.first = Some(self.first.map_or(now, |first| first.min(now)));
            self.last = Some(self.last.map_or(now, |last| last.max(now)));
        }
    }

    const fn counter(&mut self, direction: Direction) -> &mut Counter {
        match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        }
    }

    /// Whether this SYN begins another connection between the same two ports.
    pub(crate) fn is_reused_by(&self, direction: Direction, tcp: &Tcp) -> bool {
        if !tcp.flags.syn() || tcp.flags.ack() {
            return false;
        }
        let Some(halves) = &self.halves else { return false };
        let mine = pick(halves, direction);
        match mine.initial {
            Some(initial) => initial != tcp.sequence,
            // Data without a SYN came first: only a finished connection makes room for another.
            None => mine.closed && self.up.frames.saturating_add(self.down.frames) > 0,
        }
    }

    /// Notes what the TCP flags say about roles and round trips.
    pub(crate) fn handshake(&mut self, direction: Direction, tcp: &Tcp, now: Option<Timestamp>) {
        let Some(halves) = &mut self.halves else { return };
        if tcp.flags.syn() {
            let half = pick_mut(halves, direction);
            if !tcp.flags.ack() {
                self.syn.repeated |= half.initial.is_some();
                self.syn.sent = self.syn.sent.or(now);
            } else if !self.syn.answered {
                self.syn.answered = true;
                self.syn.round_trip = self.syn.sent.zip(now).and_then(|(sent, now)| now.since(sent));
            }
            half.open(tcp.sequence);
        }
        if tcp.flags.ack() {
            pick_mut(halves, direction.reverse()).acknowledge(tcp.acknowledgement);
        }
        if tcp.flags.fin() || tcp.flags.rst() {
            pick_mut(halves, direction).closed = true;
        }
    }

    /// The flow as it goes into the ledger.
    pub(crate) fn close(self) -> Flow {
        let outcome = self.reading.outcome();
        let payload = self.up.payload.saturating_add(self.down.payload);
        let mut flow = Flow {
            input: self.input,
            community_id: community::id(self.transport, self.client, self.server),
            transport: self.transport,
            client: self.client,
            server: self.server,
            initiator: self.initiator,
            first: self.first,
            last: self.last,
            first_frame: self.first_frame,
            up: self.up,
            down: self.down,
            protocols: outcome.protocols,
            protection: match outcome.protection {
                _ if payload == 0 => Protection::Empty,
                Some(protection) => protection,
                None if matches!(self.transport, Transport::Icmp | Transport::Icmp6) => Protection::Plaintext,
                None => Protection::Opaque,
            },
            rtt: RoundTrips {
                transport: self.syn.round_trip.filter(|_| !self.syn.repeated && !self.clock_stepped_back),
                end_to_end: outcome.round_trip.filter(|_| !self.clock_stepped_back),
            },
            randomness: outcome.randomness,
            gaps: self.gaps,
            app: self.app,
            inside: self.inside,
        };
        if outcome.server_spoke_first_as_client && self.initiator != InitiatorBasis::Handshake {
            std::mem::swap(&mut flow.client, &mut flow.server);
            std::mem::swap(&mut flow.up, &mut flow.down);
            flow.randomness.reverse();
            flow.initiator = InitiatorBasis::Protocol;
        } else if outcome.client_confirmed && self.initiator != InitiatorBasis::Handshake {
            flow.initiator = InitiatorBasis::Protocol;
        }
        flow
    }
}

pub(crate) fn pick(halves: &[Half; 2], direction: Direction) -> &Half {
    let [up, down] = halves;
    match direction {
        Direction::Up => up,
        Direction::Down => down,
    }
}

pub(crate) const fn pick_mut<T>(halves: &mut [T; 2], direction: Direction) -> &mut T {
    let [up, down] = halves;
    match direction {
        Direction::Up => up,
        Direction::Down => down,
    }
}

/// Client, server, and how they were told apart.
fn roles(source: Endpoint, destination: Endpoint, header: &Header) -> (Endpoint, Endpoint, InitiatorBasis) {
    if let Some(tcp) = header.tcp
        && tcp.flags.syn()
    {
        return if tcp.flags.ack() {
            (destination, source, InitiatorBasis::Handshake)
        } else {
            (source, destination, InitiatorBasis::Handshake)
        };
    }
    match header.transport {
        Transport::Tcp | Transport::Udp | Transport::Other(sctp::NUMBER) => {
            // System ports (RFC 6335) belong to servers; otherwise the ephemeral range to clients: in TCP from 49152 on,
            // in UDP only against a port that no system gives out by itself (Linux begins at 32768), since media servers
            // have ports up there too.
            let system = (source.port < 1024, destination.port < 1024);
            let dynamic = |own: u16, other: u16| own >= 49_152 && (header.transport == Transport::Tcp || other < 32_768);
            let ephemeral = (dynamic(source.port, destination.port), dynamic(destination.port, source.port));
            match (system, ephemeral) {
                ((true, false), _) => (destination, source, InitiatorBasis::Port),
                ((false, true), _) => (source, destination, InitiatorBasis::Port),
                (_, (false, true)) => (destination, source, InitiatorBasis::Port),
                (_, (true, false)) => (source, destination, InitiatorBasis::Port),
                _ => (source, destination, InitiatorBasis::FirstPacket),
            }
        }
        // An answer seen first: whoever it goes to has asked.
        Transport::Icmp if matches!(header.source, 0 | 14 | 16 | 18) => (destination, source, InitiatorBasis::Protocol),
        Transport::Icmp6 if matches!(header.source, 129 | 136) => (destination, source, InitiatorBasis::Protocol),
        _ => (source, destination, InitiatorBasis::FirstPacket),
    }
}
