//! Owns one user's device and the tap on it: what it sends and receives becomes timed frames of one capture.
//!
//! Refuses to know what the frames are for; a world says that when it opens a flow.

use std::net::Ipv4Addr;

use crate::net::{self, Built, Mac, Path, Segment};
use crate::payload::{Mark, Payload};
use crate::random::Random;
use crate::truth;

/// Nanoseconds: the unit of all times, counted from 1970.
pub type Nanos = u64;

/// One millisecond.
pub const MS: Nanos = 1_000_000;

/// One second.
pub const SECOND: Nanos = 1000 * MS;

/// Which way a frame goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From the device.
    Up,
    /// To the device.
    Down,
}

/// A host the device talks to, as reached from that device.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Name it was reached by; empty if by address alone.
    pub name: String,
    /// Address.
    pub address: Ipv4Addr,
    /// Id of the party that runs it.
    pub party: &'static str,
    /// Country it stands in.
    pub country: &'static str,
    /// Round trip without jitter.
    pub rtt: Nanos,
    /// Routers between.
    pub hops: u8,
}

/// What a flow carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// User datagrams.
    Udp,
    /// A byte stream.
    Tcp,
    /// Echo requests and replies.
    Icmp,
}

/// A flow of one device.
#[derive(Debug, Clone)]
pub struct Flow {
    /// Transport.
    pub transport: Transport,
    /// The device's port (ICMP: the echo identifier).
    pub client_port: u16,
    /// The peer's port (ICMP: 0).
    pub server_port: u16,
    /// What the flow is for, as the truth tells it.
    pub role: &'static str,
    /// The other end.
    pub peer: Peer,
}

/// Which flow of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlowId(pub usize);

/// A frame the tap saw.
#[derive(Debug, Clone)]
pub struct Frame {
    /// When.
    pub at: Nanos,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What was planted in it, by offset in the frame.
    pub marks: Vec<Mark>,
    /// Its flow.
    pub flow: FlowId,
    /// Its direction.
    pub direction: Direction,
    /// Its RTP source, if it carries speech.
    pub ssrc: Option<u32>,
}

/// A device with a tap on its only interface.
#[derive(Debug)]
pub struct Client {
    /// Its address.
    pub address: Ipv4Addr,
    /// Frames in the order they were made; the capture sorts them by time.
    pub frames: Vec<Frame>,
    /// Its flows.
    pub flows: Vec<Flow>,
    /// TLS sessions, as the truth tells them.
    pub sessions: Vec<truth::TlsSession>,
    /// What travelled within them.
    pub protected: Vec<truth::Protected>,
    /// Lines for the key log.
    pub keylog: Vec<String>,
    /// Numbers for everything that has no label of its own.
    pub random: Random,
    mac: Mac,
    gateway: Mac,
    next_port: u16,
    next_id: u16,
}

impl Client {
    /// A device at `address`; `label` names its random stream.
    #[must_use]
    pub fn new(label: &str, address: Ipv4Addr) -> Self {
        let mut random = Random::named(label);
        let mut mac = random.bytes::<6>();
        let mut gateway = random.bytes::<6>();
        // Locally administered, unicast: no maker's prefix can be meant (IEEE 802, the U/L bit).
        for first in [&mut mac, &mut gateway] {
            first[0] = 0x02;
        }
        let next_port = 49_152 + random.below(8_000) as u16;
        let next_id = random.word() as u16;
        Self {
            address,
            frames: Vec::new(),
            flows: Vec::new(),
            sessions: Vec::new(),
            protected: Vec::new(),
            keylog: Vec::new(),
            random,
            mac,
            gateway,
            next_port,
            next_id,
        }
    }

    /// Opens a flow from a fresh port.
    pub fn open(&mut self, transport: Transport, role: &'static str, peer: &Peer, server_port: u16) -> FlowId {
        self.next_port += 1 + self.random.below(5) as u16;
        self.flows.push(Flow {
            transport,
            client_port: self.next_port,
            server_port,
            role,
            peer: peer.clone(),
        });
        FlowId(self.flows.len() - 1)
    }

    /// A flow of this client.
    #[must_use]
    pub fn flow(&self, flow: FlowId) -> &Flow {
        &self.flows[flow.0]
    }

    /// One round trip now: the base and up to a tenth of it or 4 ms more, mostly little.
    pub fn round_trip(&mut self, flow: FlowId) -> Nanos {
        let base = self.flow(flow).peer.rtt;
        let bound = (base / 10).clamp(MS / 5, 4 * MS);
        base + self.random.below(bound).min(self.random.below(bound))
    }

    /// Sends or receives one datagram.
    pub fn udp(&mut self, flow: FlowId, at: Nanos, direction: Direction, payload: &Payload) {
        self.datagram(flow, at, direction, payload, None);
    }

    /// Sends or receives one datagram of speech.
    pub fn speech(&mut self, flow: FlowId, at: Nanos, direction: Direction, payload: &Payload, ssrc: u32) {
        self.datagram(flow, at, direction, payload, Some(ssrc));
    }

    fn datagram(&mut self, flow: FlowId, at: Nanos, direction: Direction, payload: &Payload, ssrc: Option<u32>) {
        let (from, to) = self.ports(flow, direction);
        let dscp = if ssrc.is_some() { 0xb8 } else { 0 };
        let path = self.path(flow, direction, dscp);
        let built = net::udp(&path, from, to, payload.bytes());
        self.keep(built, at, flow, direction, payload, ssrc);
    }

    /// Sends or receives one TCP segment; ports are filled in here.
    pub fn tcp(&mut self, flow: FlowId, at: Nanos, direction: Direction, segment: Segment<'_>, payload: &Payload) {
        let (from, to) = self.ports(flow, direction);
        let path = self.path(flow, direction, 0);
        let built = net::tcp(&path, &Segment { from, to, ..segment }, payload.bytes());
        self.keep(built, at, flow, direction, payload, None);
    }

    /// Sends an echo request or receives its reply.
    pub fn icmp_echo(&mut self, flow: FlowId, at: Nanos, direction: Direction, sequence: u16, payload: &Payload) {
        let kind = if direction == Direction::Up { 8 } else { 0 };
        let id = self.flow(flow).client_port;
        let path = self.path(flow, direction, 0);
        let built = net::icmp_echo(&path, kind, id, sequence, payload.bytes());
        self.keep(built, at, flow, direction, payload, None);
    }

    fn keep(&mut self, (bytes, headers): Built, at: Nanos, flow: FlowId, direction: Direction, payload: &Payload, ssrc: Option<u32>) {
        let marks = payload.marks().iter().map(|mark| mark.shifted(headers)).collect();
        self.frames.push(Frame {
            at,
            bytes,
            marks,
            flow,
            direction,
            ssrc,
        });
    }

    fn ports(&self, flow: FlowId, direction: Direction) -> (u16, u16) {
        let flow = self.flow(flow);
        match direction {
            Direction::Up => (flow.client_port, flow.server_port),
            Direction::Down => (flow.server_port, flow.client_port),
        }
    }

    fn path(&mut self, flow: FlowId, direction: Direction, dscp: u8) -> Path {
        let peer = &self.flows[flow.0].peer;
        match direction {
            Direction::Up => {
                self.next_id = self.next_id.wrapping_add(1);
                let (from, to) = (self.address, peer.address);
                Path {
                    from_mac: self.mac,
                    to_mac: self.gateway,
                    from,
                    to,
                    ttl: 64,
                    dscp,
                    id: self.next_id,
                }
            }
            Direction::Down => {
                let (from, to, ttl) = (peer.address, self.address, 64 - peer.hops);
                let id = self.random.word() as u16;
                Path {
                    from_mac: self.gateway,
                    to_mac: self.mac,
                    from,
                    to,
                    ttl,
                    dscp,
                    id,
                }
            }
        }
    }
}
