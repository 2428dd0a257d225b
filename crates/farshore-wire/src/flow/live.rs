//! A flow while it lasts: what makes packets one flow, what is counted of them, and what their headers say. It reads no
//! payload.

use std::hash::BuildHasher;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use farshore_model::flow::{Counter, InitiatorBasis, RoundTrips};
use farshore_model::{Direction, Endpoint, Flow, FlowId, Frame, InputId, Protection, Timestamp, Transport};

use super::layers::Layers;
use crate::packet::{Header, Ip};
use crate::shard::Ended;
use crate::transport::Tcp;

/// What makes two packets one flow, whichever way they go: as the packet at hand has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    source: Endpoint,
    destination: Endpoint,
    transport: Transport,
    space: Space,
}

/// How many tunnels deep, and in which network: the same addresses elsewhere are other machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Space {
    pub(crate) depth: u8,
    pub(crate) network: u32,
}

impl Key {
    pub(crate) const fn new(ip: &Ip, header: &Header, space: Space) -> Self {
        Self {
            source: Endpoint {
                ip: ip.source,
                port: header.source,
            },
            destination: Endpoint {
                ip: ip.destination,
                port: header.destination,
            },
            transport: header.transport,
            space,
        }
    }

    /// The same for both directions.
    pub(crate) fn hash(&self, by: &impl BuildHasher) -> u64 {
        let ends = [self.source, self.destination].map(|it| (number(it.ip), it.port));
        let [from, to] = ends;
        let ends = if from <= to { (from, to) } else { (to, from) };
        let [.., a, b, c, d] = by.hash_one((ends, self.transport.number(), self.space)).to_be_bytes();
        spread(u32::from_be_bytes([a, b, c, d]))
    }

    /// Whether a packet of that key belongs to the flow.
    pub(crate) fn is_of(&self, flow: &Flow, track: &Track) -> bool {
        // An ICMP message without an answer is a flow of its own in each direction.
        let ends = (self.source, self.destination);
        let same = ends == (flow.client, flow.server) || ends == (flow.server, flow.client) && !self.transport.is_one_way(self.source.port);
        same && self.transport == flow.transport && self.space == track.space
    }
}

/// A hash over both ends of a word, where tables look: half of it is kept for each flow.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// What is counted of a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) input: InputId,
    pub(crate) number: u64,
    pub(crate) time: Option<Timestamp>,
    pub(crate) wire_length: u32,
    /// The flow that counted it before the packet it is a part of was whole.
    pub(crate) counted: Option<u32>,
}

impl Arrival {
    pub(crate) const fn of(frame: &Frame<'_>) -> Self {
        Self {
            input: frame.input,
            number: frame.number,
            time: frame.time,
            wire_length: frame.wire_length,
            counted: None,
        }
    }
}

/// What is remembered of a flow beside its record, to route its next packet.
#[derive(Clone, Default)]
pub(crate) struct Track {
    /// The hash of its key, without what is said twice.
    hash: u32,
    space: Space,
    /// The time of the latest frame in the file's order, to notice a clock that steps back.
    clock: Option<Timestamp>,
    clock_stepped_back: bool,
    /// When the SYN was sent, for the transport round trip.
    syn: Option<Timestamp>,
    /// What became of it: [`REPEATED`], [`ANSWERED`]; in the bits above, how often the client's first bytes were then sent unheard.
    syn_marks: u8,
    /// TCP only.
    sequence: Sequence,
    /// TCP only, each way: FIN or RST was seen.
    pub(crate) closed: [bool; 2],
    /// TCP only, each way: the TTL of the first packet that is no reset; 0: none was seen.
    pub(crate) ttl: [u8; 2],
    /// Some of its payload was handed on.
    pub(crate) begun: bool,
    /// Nobody waits for more of it.
    pub(crate) set_aside: bool,
    /// Its record is complete.
    pub(crate) complete: bool,
    /// What is seldom there.
    pub(crate) rare: Option<Box<Rare>>,
}

/// Numbers of TCP, each way. Those that are known are marked beside them, as millions of flows have them.
#[derive(Clone, Copy, Default)]
struct Sequence {
    /// The initial one, if the SYN was seen; and the farthest that the other side acknowledged.
    initial: [u32; 2],
    acknowledged: [u32; 2],
    has_initial: [bool; 2],
    has_acknowledged: [bool; 2],
}

impl Sequence {
    fn initial(&self, direction: Direction) -> Option<u32> {
        direction.of(&self.has_initial).then_some(*direction.of(&self.initial))
    }

    fn begin(&mut self, direction: Direction, number: u32) {
        (*direction.of_mut(&mut self.initial), *direction.of_mut(&mut self.has_initial)) = (number, true);
    }

    fn acknowledged(&self, direction: Direction) -> Option<u32> {
        direction.of(&self.has_acknowledged).then_some(*direction.of(&self.acknowledged))
    }

    fn acknowledge(&mut self, direction: Direction, number: u32) {
        (
            *direction.of_mut(&mut self.acknowledged),
            *direction.of_mut(&mut self.has_acknowledged),
        ) = (number, true);
    }
}

/// The SYN was sent again: who can tell which of them was answered.
const REPEATED: u8 = 1;
/// The SYN was answered.
const ANSWERED: u8 = 2;
/// Bits that those take.
const MARKS: u32 = 2;

/// What few flows have.
#[derive(Clone, Default)]
pub(crate) struct Rare {
    /// The layers of the tunnels it runs in, outermost first.
    pub(crate) within: Option<Arc<[&'static str]>>,
    /// The tunnels it is, by name.
    pub(crate) carries: Vec<&'static str>,
    /// A connection may go on here that began in another flow.
    pub(crate) stray: bool,
}

/// A flow that begins with this frame.
pub(crate) fn begin(frame: &Arrival, key: &Key, hash: u64, header: &Header, inside: Option<FlowId>) -> (Flow, Track) {
    let (client, server, initiator) = roles(key.source, key.destination, header);
    let flow = Flow {
        input: frame.input,
        initiator,
        first: frame.time,
        last: frame.time,
        first_frame: frame.number,
        inside,
        ..Flow::between(header.transport, client, server)
    };
    let track = Track {
        hash: u32::try_from(hash & u64::from(u32::MAX)).unwrap_or_default(),
        space: key.space,
        clock: frame.time,
        ..Track::default()
    };
    (flow, track)
}

/// Which way a packet goes.
pub(crate) fn direction(flow: &Flow, ip: &Ip, header: &Header) -> Direction {
    if (ip.source, header.source) == (flow.client.ip, flow.client.port) {
        Direction::Up
    } else {
        Direction::Down
    }
}

/// Where the client's address stands in a frame of the flow.
pub(crate) fn client_at(flow: &Flow, ip: &Ip, header: &Header) -> Option<NonZeroU32> {
    let behind = match direction(flow, ip, header) {
        Direction::Up => 0,
        Direction::Down if ip.source.is_ipv4() => 4,
        Direction::Down => 16,
    };
    NonZeroU32::new(u32::try_from(ip.addresses_at.checked_add(behind)?).ok()?)
}

/// Counts a frame that brought a packet, or a part of one.
pub(crate) fn count(flow: &mut Flow, frame: &Arrival, direction: Direction) {
    let counter = counter(flow, direction);
    counter.frames = counter.frames.saturating_add(1);
    counter.bytes = counter.bytes.saturating_add(u64::from(frame.wire_length));
    if let Some(now) = frame.time {
        flow.first = Some(flow.first.map_or(now, |first| first.min(now)));
        flow.last = Some(flow.last.map_or(now, |last| last.max(now)));
    }
}

/// Counts what a whole packet carried.
pub(crate) fn count_payload(flow: &mut Flow, direction: Direction, payload: usize) {
    let counter = counter(flow, direction);
    counter.payload = counter.payload.saturating_add(payload as u64);
}

/// Notes that a side said something in that frame, unless what it says is not new.
pub(crate) fn note_speech(flow: &mut Flow, track: &Track, direction: Direction, header: &Header, payload: usize, frame: u64) {
    if let Some(tcp) = &header.tcp {
        if payload == 0 || tcp.flags.rst() {
            return;
        }
        let length = u32::try_from(payload).unwrap_or(u32::MAX);
        let end = tcp.sequence.wrapping_add(length);
        // A keep-alive repeats the last byte, or makes one up (RFC 9293, section 3.8.4).
        let repeats = |known: u32| end.wrapping_sub(known).cast_signed() <= 0;
        if track.sequence.acknowledged(direction).is_some_and(repeats) {
            return;
        }
    }
    *direction.of_mut(&mut flow.spoke) = u32::try_from(frame).unwrap_or(u32::MAX);
}

const fn counter(flow: &mut Flow, direction: Direction) -> &mut Counter {
    match direction {
        Direction::Up => &mut flow.up,
        Direction::Down => &mut flow.down,
    }
}

impl Track {
    /// A packet arrived at this time.
    pub(crate) fn tick(&mut self, now: Option<Timestamp>) {
        if let Some(now) = now {
            self.clock_stepped_back |= self.clock.is_some_and(|before| now < before);
            self.clock = Some(now);
        }
    }

    /// The time of the latest frame so far.
    pub(crate) const fn latest(&self) -> Option<Timestamp> {
        self.clock
    }

    /// How often the client's first bytes were sent while the server said nothing.
    pub(crate) const fn unheard(&self) -> u8 {
        self.syn_marks >> MARKS
    }

    /// Sets that; it counts to 63.
    pub(crate) const fn set_unheard(&mut self, times: u8) {
        self.syn_marks = self.syn_marks & (REPEATED | ANSWERED) | times << MARKS;
    }

    /// The number of the client's first byte, if the server accepted the connection and acknowledged nothing behind that.
    pub(crate) fn unheard_from(&self) -> Option<u32> {
        let first = self.sequence.initial(Direction::Up).map(|it| it.wrapping_add(1));
        first.filter(|_| self.syn_marks & ANSWERED != 0 && first == self.sequence.acknowledged(Direction::Up))
    }

    /// Whether this SYN begins another connection between the same two ports.
    pub(crate) fn is_reused_by(&self, direction: Direction, tcp: &Tcp) -> bool {
        if !tcp.flags.syn() || tcp.flags.ack() {
            return false;
        }
        match self.sequence.initial(direction) {
            Some(initial) => initial != tcp.sequence,
            // Data without a SYN came first: only a finished connection makes room for another.
            None => *direction.of(&self.closed),
        }
    }

    /// Notes what the TCP flags say about roles and round trips.
    pub(crate) fn handshake(&mut self, flow: &mut Flow, direction: Direction, tcp: &Tcp, now: Option<Timestamp>) {
        if tcp.flags.syn() {
            if !tcp.flags.ack() {
                self.syn_marks |= if self.sequence.initial(direction).is_some() { REPEATED } else { 0 };
                self.syn = self.syn.or(now);
            } else if self.syn_marks & ANSWERED == 0 {
                self.syn_marks |= ANSWERED;
                flow.rtt = RoundTrips::new(self.syn.zip(now).and_then(|(sent, now)| now.since(sent)), None);
            }
            self.sequence.begin(direction, tcp.sequence);
        }
        if tcp.flags.ack() {
            let farthest = self.sequence.acknowledged(direction.reverse());
            let newer = farthest.is_none_or(|before| tcp.acknowledgement.wrapping_sub(before).cast_signed() > 0);
            if newer {
                self.sequence.acknowledge(direction.reverse(), tcp.acknowledgement);
            }
        }
        if tcp.flags.fin() || tcp.flags.rst() {
            *direction.of_mut(&mut self.closed) = true;
        }
    }

    /// The numbers of one direction, for whoever puts its bytes in order.
    pub(crate) fn numbers(&self, direction: Direction) -> (Option<u32>, Option<u32>) {
        (self.sequence.initial(direction), self.sequence.acknowledged(direction))
    }

    /// The hash of its key.
    pub(crate) fn hash(&self) -> u64 {
        spread(self.hash)
    }

    /// Marks the flow as a tunnel of that name.
    pub(crate) fn carries(&mut self, tunnel: &'static str) {
        let rare = self.rare.get_or_insert_default();
        if !rare.carries.contains(&tunnel) {
            rare.carries.push(tunnel);
        }
    }

    /// Completes the record of a flow with what was read of it, if it was read.
    pub(crate) fn close(&mut self, flow: &mut Flow, read: Option<Ended>, layers: &mut Layers) {
        self.complete = true;
        let outcome = read.map(|it| {
            if it.gaps > 0 {
                flow.rare_mut().gaps = it.gaps;
            }
            it.outcome
        });
        let outcome = outcome.unwrap_or_default();
        let carries = self.rare.take().map(|it| it.carries).unwrap_or_default();
        let protection = outcome.protection.or((!carries.is_empty()).then_some(Protection::Plaintext));
        let payload = flow.up.payload.saturating_add(flow.down.payload);
        flow.protection = match protection {
            _ if payload == 0 => Protection::Empty,
            Some(protection) => protection,
            None if matches!(flow.transport, Transport::Icmp | Transport::Icmp6) => Protection::Plaintext,
            None => Protection::Opaque,
        };
        flow.protocols = layers.of(carries.into_iter().chain(outcome.protocols));
        flow.rtt = RoundTrips::new(
            flow.rtt
                .transport()
                .filter(|_| self.syn_marks & REPEATED == 0 && !self.clock_stepped_back),
            outcome.round_trip.filter(|_| !self.clock_stepped_back),
        );
        flow.ttl = *Direction::Down.of(&self.ttl);
        flow.sealed = outcome.sealed;
        if outcome.randomness.is_some() || outcome.keys.is_some() {
            let rare = flow.rare_mut();
            (rare.randomness, rare.keys) = (outcome.randomness, outcome.keys);
        }
        if outcome.server_spoke_first_as_client && flow.initiator != InitiatorBasis::Handshake {
            std::mem::swap(&mut flow.client, &mut flow.server);
            std::mem::swap(&mut flow.up, &mut flow.down);
            flow.spoke.reverse();
            flow.ttl = *Direction::Up.of(&self.ttl);
            if let Some(randomness) = flow.rare.as_mut().and_then(|it| it.randomness.as_mut()) {
                randomness.reverse();
            }
            flow.initiator = InitiatorBasis::Protocol;
        } else if outcome.client_confirmed && flow.initiator != InitiatorBasis::Handshake {
            flow.initiator = InitiatorBasis::Protocol;
        }
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
    match header.transport.client_by_port(source.port, destination.port) {
        Some(Direction::Up) => return (source, destination, InitiatorBasis::Port),
        Some(Direction::Down) => return (destination, source, InitiatorBasis::Port),
        None => {}
    }
    match header.transport {
        // An answer seen first: whoever it goes to has asked.
        Transport::Icmp if matches!(header.source, 0 | 14 | 16 | 18) => (destination, source, InitiatorBasis::Protocol),
        Transport::Icmp6 if matches!(header.source, 129 | 136) => (destination, source, InitiatorBasis::Protocol),
        _ => (source, destination, InitiatorBasis::FirstPacket),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scans and floods make millions of flows of one packet each.
    #[test]
    fn a_flow_takes_little_room() {
        assert!(
            size_of::<Flow>() + size_of::<Track>() <= 344,
            "{} and {}",
            size_of::<Flow>(),
            size_of::<Track>()
        );
    }
}
