//! Frames in, facts out: routes each frame to its flow, each flow's bytes to its dissector.

use std::collections::HashMap;

use farshore_model::flow::App;
use farshore_model::ledger::{Anomaly, Severity};
use farshore_model::observation::Observed;
use farshore_model::{Coverage, Direction, Flow, FlowId, Frame, InputId, Locus, Span, Timestamp, Transport, WireText};

use crate::flow::live::{Arrival, Key, Live, pick_mut};
use crate::flow::reading::{Scene, transport_name};
use crate::limits::Limits;
use crate::net::fragments::{Datagram, Fragments, Place, Within};
use crate::packet::{Descent, Header, Packet, Reason};
use crate::protocols::{Protocol as _, ipsec};
use crate::stream::tcp::Receipt;
use crate::stream::{Origin, Piece, Segment};
use crate::transport::sctp::{self, Chunk};

/// A readable value with where it stands. It lives for one call.
#[derive(Clone, Copy, Debug)]
pub struct Readable<'a> {
    /// The flow.
    pub flow: FlowId,
    /// The input.
    pub input: InputId,
    /// Layers crossed, outermost first.
    pub layers: &'a [&'static str],
    /// Dotted path.
    pub path: &'a str,
    /// The bytes.
    pub value: &'a [u8],
    /// Where they stand.
    pub at: Span,
    /// Raw payload that no protocol reads, rather than a field of one.
    pub payload: bool,
}

/// Whoever keeps what is found.
pub trait Recorder {
    /// A flow has ended. Flows come in the order of their ids, after everything else.
    fn flow(&mut self, id: FlowId, it: Flow);
    /// A fact.
    fn observe(&mut self, it: Observed);
    /// A readable value.
    fn field(&mut self, it: Readable<'_>);
    /// An oddity.
    fn anomaly(&mut self, it: Anomaly);
    /// A ceiling was hit.
    fn limit(&mut self, name: &'static str);
    /// Whether all raw payload of unrecognised flows is of use, beyond the first bytes each way.
    fn wants_payload(&self) -> bool;
}

/// Reads the frames of one input.
pub struct Engine {
    limits: Limits,
    /// Looked up, never walked: the order of a hash table must not reach an output.
    table: HashMap<Key, u32>,
    flows: Vec<Live>,
    fragments: Fragments,
    coverage: Coverage,
    input: InputId,
}

impl Engine {
    /// Ready for the first frame.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            table: HashMap::new(),
            flows: Vec::new(),
            fragments: Fragments::default(),
            coverage: Coverage::default(),
            input: InputId(0),
        }
    }

    /// Takes the next frame.
    pub fn frame(&mut self, frame: &Frame<'_>, out: &mut dyn Recorder) {
        self.input = frame.input;
        let frames = &mut self.coverage.frames;
        frames.total = frames.total.saturating_add(1);
        if (frame.bytes.len() as u64) < u64::from(frame.wire_length) {
            frames.truncated = frames.truncated.saturating_add(1);
        }
        let packet = Packet::decode(frame, &self.limits);
        let arrivals = [Arrival::of(frame)];
        let place = Place {
            arrivals: &arrivals,
            carrier: frame.number,
            in_frame: true,
            space: (0, 0),
            within: None,
            verdict: None,
        };
        self.packet(packet, place, out);
    }

    /// Takes a packet, and those it carries.
    fn packet<'a>(&mut self, mut packet: Packet<'a>, mut place: Place<'a>, out: &mut dyn Recorder) {
        loop {
            if packet.fragment.is_some() {
                self.fragment(&packet, place, out);
                return;
            }
            let slot = self.slot(&packet, &place);
            if let Some(slot) = slot {
                self.deliver(slot, &packet, &place, out);
            }
            let Some(tunnel) = packet.carried.filter(|_| place.verdict.is_none()) else {
                break;
            };
            let (depth, network) = place.space;
            place.space = (depth.saturating_add(1), if tunnel.network == 0 { network } else { tunnel.network });
            place.within = slot.map(|slot| Within {
                flow: FlowId(slot),
                by: tunnel.by,
            });
            packet = Packet {
                app: packet.app,
                ..Packet::inside(&tunnel)
            };
        }
        self.tell(place.verdict.or(packet.stop), place.arrivals.len());
    }

    /// Counts how far so many frames were read.
    fn tell(&mut self, stop: Option<Reason>, times: usize) {
        let (frames, times) = (&mut self.coverage.frames, times as u64);
        match stop {
            None => frames.decoded = frames.decoded.saturating_add(times),
            Some(reason) => {
                frames.stopped = frames.stopped.saturating_add(times);
                let told = self.coverage.stops.entry(reason.to_string()).or_default();
                *told = told.saturating_add(times);
            }
        }
    }

    /// Keeps a part of a datagram; goes on with the whole when it was the last that was missing.
    fn fragment(&mut self, packet: &Packet<'_>, place: Place<'_>, out: &mut dyn Recorder) {
        let (Some(ip), Some(part)) = (packet.ip, packet.fragment) else {
            return;
        };
        // The flow begins here, where its ports are told, so that flows keep the order of their frames.
        let slot = self.slot(packet, &place);
        let taken = self.fragments.take(ip, &part, &place, &self.limits);
        for limit in taken.limits {
            out.limit(limit);
        }
        for datagram in taken.given_up {
            self.incomplete(&datagram, out);
        }
        if let Some(odd) = taken.odd {
            out.anomaly(Anomaly {
                kind: "ip-fragment-overlap",
                severity: Severity::Warning,
                because: "fragments of one datagram overlap; the bytes that came first were read, a receiver may read the others"
                    .to_owned(),
                flow: slot.map(FlowId),
                evidence: vec![Locus {
                    input: self.input,
                    span: odd,
                    layers: ["ip"].into(),
                    decoded_by: Vec::new(),
                }],
            });
        }
        if let Some(datagram) = taken.whole {
            let (bytes, missing) = datagram.bytes();
            let whole = Packet::datagram(datagram.ip, &bytes, missing, Descent::with(packet.left));
            let app = packet.app;
            self.packet(Packet { app, ..whole }, datagram.place(), out);
        }
    }

    /// What came of a datagram that is not going to be whole: its flow, and its first bytes.
    fn incomplete(&mut self, datagram: &Datagram, out: &mut dyn Recorder) {
        let (bytes, missing) = datagram.bytes();
        let mut place = datagram.place();
        place.verdict = Some(Reason::Incomplete);
        let packet = Packet::datagram(datagram.ip, &bytes, missing, Descent::with(0));
        self.packet(packet, place, out);
    }

    /// The capture has ended: closes all flows, in their order.
    pub fn finish(mut self, out: &mut dyn Recorder) -> Coverage {
        for datagram in self.fragments.drain() {
            self.incomplete(&datagram, out);
        }
        for (index, mut live) in std::mem::take(&mut self.flows).into_iter().enumerate() {
            let id = FlowId(u32::try_from(index).unwrap_or(u32::MAX));
            let mut coverage = std::mem::take(&mut self.coverage);
            let mut scene = scene(id, &live, self.input, None, &self.limits, out);
            if let Some(mut halves) = live.halves.take() {
                for direction in [Direction::Up, Direction::Down] {
                    pick_mut(&mut halves, direction).flush(&mut |segment| {
                        gap(&segment, &mut live.gaps, &mut coverage);
                        live.reading.segment(direction, segment, &mut scene);
                    });
                }
            }
            if let Some(mut chunks) = live.chunks.take() {
                for direction in [Direction::Up, Direction::Down] {
                    pick_mut(&mut chunks, direction).flush(&mut |segment| {
                        gap(&segment, &mut live.gaps, &mut coverage);
                        live.reading.segment(direction, segment, &mut scene);
                    });
                }
            }
            live.reading.finish(&mut scene);
            self.coverage = coverage;
            out.flow(id, live.close());
        }
        self.coverage
    }

    /// The flow a packet belongs to; a new one if need be.
    fn slot(&mut self, packet: &Packet<'_>, place: &Place<'_>) -> Option<u32> {
        let (ip, header) = (packet.ip.as_ref()?, packet.transport.as_ref()?);
        let key = Key::new(ip, header, place.space);
        if let Some(slot) = self.table.get(&key) {
            let live = self.flows.get(*slot as usize)?;
            if !header.tcp.is_some_and(|tcp| live.is_reused_by(live.direction(ip, header), &tcp)) {
                return Some(*slot);
            }
        }
        if self.flows.len() >= self.limits.flows {
            let times = self.coverage.limits.entry("flows").or_default();
            *times = times.saturating_add(1);
            return None;
        }
        let slot = u32::try_from(self.flows.len()).ok()?;
        let mut live = Live::new(place.arrivals.last()?, ip, header, place.within.map(|tunnel| tunnel.flow));
        live.within = place.within.and_then(|tunnel| {
            let outer = self.flows.get(tunnel.flow.0 as usize)?;
            let further = outer.within.iter().flat_map(|it| it.iter().copied());
            Some(further.chain([transport_name(outer.transport), tunnel.by]).collect())
        });
        self.flows.push(live);
        self.table.insert(key, slot);
        Some(slot)
    }

    fn deliver(&mut self, slot: u32, packet: &Packet<'_>, place: &Place<'_>, out: &mut dyn Recorder) {
        let (Some(ip), Some(header), Some(live)) = (&packet.ip, &packet.transport, self.flows.get_mut(slot as usize)) else {
            return;
        };
        let direction = live.direction(ip, header);
        let Some((frame, earlier)) = place.arrivals.split_last() else {
            return;
        };
        for part in earlier {
            live.count_part(part, direction);
        }
        live.count(frame, direction, payload(packet, header));
        if let (Some(app), None) = (packet.app, &live.app) {
            live.app = Some(App {
                name: WireText::from_bytes(app.name).to_string(),
                via: app.via,
            });
        }
        if let Some(tcp) = &header.tcp {
            live.handshake(direction, tcp, frame.time);
        }
        if let Some(tunnel) = &packet.carried {
            live.reading.carries(tunnel.by);
            return;
        }
        if packet.payload.is_empty() && packet.payload_missing == 0 {
            return;
        }
        let origin = Origin {
            carrier: place.carrier,
            frame: frame.number,
            // What was put together from several frames is counted in itself.
            offset: if place.in_frame { packet.payload_offset as u64 } else { 0 },
            in_frame: place.in_frame,
        };
        let piece = Piece {
            bytes: packet.payload,
            missing: packet.payload_missing,
            origin,
        };
        let mut scene = scene(FlowId(slot), live, self.input, frame.time, &self.limits, out);
        match (header.transport, &header.tcp, &mut live.halves) {
            (Transport::Tcp, Some(tcp), Some(halves)) => {
                // A SYN takes a number of its own; data may ride on it (RFC 7413).
                let sequence = if tcp.flags.syn() {
                    tcp.sequence.wrapping_add(1)
                } else {
                    tcp.sequence
                };
                let (reading, gaps, coverage) = (&mut live.reading, &mut live.gaps, &mut self.coverage);
                let mut limits_hit = Vec::new();
                let receipt = pick_mut(halves, direction).receive(
                    sequence,
                    &piece,
                    &self.limits,
                    &mut |name| limits_hit.push(name),
                    &mut |segment| {
                        gap(&segment, gaps, coverage);
                        reading.segment(direction, segment, &mut scene);
                    },
                );
                if receipt == Receipt::Repeated {
                    reading.repeated(direction);
                }
                for name in limits_hit {
                    out.limit(name);
                }
            }
            (Transport::Other(sctp::NUMBER), ..) => {
                let Some(chunks) = &mut live.chunks else { return };
                let (reading, gaps, coverage) = (&mut live.reading, &mut live.gaps, &mut self.coverage);
                let mut limits_hit = Vec::new();
                for chunk in sctp::chunks(packet.payload) {
                    match chunk {
                        Chunk::Begins(number) => pick_mut(chunks, direction).open(number),
                        Chunk::Acknowledged(number) => pick_mut(chunks, direction.reverse()).acknowledge(number),
                        Chunk::Abandoned(number) => pick_mut(chunks, direction).acknowledge(number),
                        Chunk::Data(number, bytes, at, missing) => {
                            let origin = Origin {
                                offset: origin.offset.saturating_add(at as u64),
                                ..origin
                            };
                            let piece = Piece { bytes, missing, origin };
                            let mut hit = |name| limits_hit.push(name);
                            pick_mut(chunks, direction).receive(number, &piece, &self.limits, &mut hit, &mut |segment| {
                                gap(&segment, gaps, coverage);
                                reading.segment(direction, segment, &mut scene);
                            });
                        }
                    }
                }
                for name in limits_hit {
                    out.limit(name);
                }
            }
            (Transport::Udp, ..) => live.reading.segment(direction, Segment::Bytes(piece), &mut scene),
            (Transport::Other(ipsec::ESP_NUMBER), ..) => {
                live.reading.sealed(ipsec::ESP.id());
                live.reading.unread(direction, &piece, &mut scene);
            }
            _ => live.reading.unread(direction, &piece, &mut scene),
        }
    }
}

/// Bytes of payload, on the wire.
fn payload(packet: &Packet<'_>, header: &Header) -> usize {
    if header.transport != Transport::Other(sctp::NUMBER) {
        return packet.payload.len().saturating_add(packet.payload_missing);
    }
    let data = sctp::chunks(packet.payload).map(|chunk| match chunk {
        Chunk::Data(_, bytes, _, missing) => bytes.len().saturating_add(missing),
        _ => 0,
    });
    data.fold(0, usize::saturating_add)
}

fn gap(segment: &Segment<'_>, gaps: &mut u64, coverage: &mut Coverage) {
    if let Segment::Gap(bytes) = segment
        && *bytes > 0
    {
        *gaps = gaps.saturating_add(*bytes);
        coverage.gaps.count = coverage.gaps.count.saturating_add(1);
        coverage.gaps.bytes = coverage.gaps.bytes.saturating_add(*bytes);
    }
}

fn scene<'a>(
    flow: FlowId,
    live: &Live,
    input: InputId,
    time: Option<Timestamp>,
    limits: &'a Limits,
    recorder: &'a mut dyn Recorder,
) -> Scene<'a> {
    let (client_port, server_port) = (live.client.port, live.server.port);
    Scene {
        flow,
        input,
        time,
        transport: live.transport,
        within: live.within.clone(),
        client_port,
        server_port,
        limits,
        recorder,
    }
}
