//! Frames in, parcels out: decodes each frame, finds the flow of each packet in it, counts it there, and hands its payload
//! to whoever reads that flow.
//!
//! All that flows share is kept here, in one thread: their table and their numbers, fragments, tunnels, coverage. No payload
//! is read here; heads of it are compared, to notice who else speaks in a side's name.

use ahash::RandomState;
use farshore_model::flow::App;
use farshore_model::ledger::{Anomaly, Severity};
use farshore_model::{Coverage, Direction, Few, Flow, FlowId, Frame, InputId, Locus, Rows, Transport, WireText};
use hashbrown::HashTable;

use crate::flow::interference::{Seen, Watch};
use crate::flow::layers::Layers;
use crate::flow::live::{self, Arrival, Key, Rare, Space, Track};
use crate::flow::reading::transport_name;
use crate::flow::silence::{self, Silent};
use crate::limits::Limits;
use crate::net::fragments::{Datagram, Fragments, Place, Within};
use crate::packet::{Descent, Header, Packet, Reason};
use crate::paths::Ends;
use crate::shard::{Beginning, Ended, Gaps, Numbers, Parcel};
use crate::transport::sctp::{self, Chunk};

/// How much earlier than flows are no longer waited for their readers may rest: a query is answered in a moment, if at all.
const EARLIER: u32 = 4;

/// Where the router puts what it has.
pub trait Outlet {
    /// A flow's payload begins to come: said once, before its first parcel.
    fn begin(&mut self, flow: FlowId, it: Beginning);
    /// Little is waited for of a flow, whose reader may be let go if it can do without: its next payload is announced as if it were the first.
    fn rest(&mut self, flow: FlowId);
    /// Nobody waits for more of a flow: the same.
    fn set_aside(&mut self, flow: FlowId, frame: u64);
    /// Payload. If it stands [in the frame](Parcel::in_frame), it is a part of the frame handed in.
    fn parcel(&mut self, it: Parcel, bytes: &[u8]);
    /// The same once more, of a flow in which a connection may go on that began in another: for whoever reads that.
    fn stray(&mut self, it: Parcel, bytes: &[u8]);
    /// An oddity.
    fn anomaly(&mut self, it: Anomaly);
    /// A ceiling was hit.
    fn limit(&mut self, name: &'static str);
}

/// Routes the frames of one input.
pub struct Router {
    limits: Limits,
    /// The latest flow of each key, by its number: the key itself is the flow's. Looked up, never walked: the order of a
    /// hash table must not reach an output.
    table: HashTable<u32>,
    hashes: RandomState,
    flows: Rows<Flow>,
    /// By flow.
    tracks: Rows<Track>,
    /// The flow of the latest packet, in tunnels of an even and of an odd depth: the next one is likely to be its, too.
    recent: [u32; 2],
    /// Flows below these numbers may rest, and are no longer waited for.
    rested: u32,
    settled: u32,
    fragments: Fragments,
    watch: Watch,
    ends: Ends,
    /// Connections whose server did not answer for long.
    silent: Vec<Silent>,
    coverage: Coverage,
    input: InputId,
}

impl Router {
    /// Ready for the first frame.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            table: HashTable::new(),
            hashes: RandomState::new(),
            flows: Rows::default(),
            tracks: Rows::default(),
            recent: [0; 2],
            rested: 0,
            settled: 0,
            fragments: Fragments::default(),
            watch: Watch::default(),
            ends: Ends::default(),
            silent: Vec::new(),
            coverage: Coverage::default(),
            input: InputId(0),
        }
    }

    /// Takes the next frame.
    pub fn frame(&mut self, frame: &Frame<'_>, out: &mut dyn Outlet) {
        self.input = frame.input;
        let frames = &mut self.coverage.frames;
        frames.total = frames.total.saturating_add(1);
        frames.bytes = frames.bytes.saturating_add(u64::from(frame.wire_length));
        if (frame.bytes.len() as u64) < u64::from(frame.wire_length) {
            frames.truncated = frames.truncated.saturating_add(1);
        }
        let packet = Packet::decode(frame, &self.limits);
        let arrivals = [Arrival::of(frame)];
        let place = Place {
            arrivals: &arrivals,
            carrier: frame.number,
            in_frame: true,
            space: Space::default(),
            within: None,
            verdict: None,
        };
        self.packet(&packet, place, out);
    }

    /// The capture has ended: lets go of what was kept back.
    pub fn drain(&mut self, out: &mut dyn Outlet) {
        for datagram in self.fragments.drain() {
            self.incomplete(&datagram, out);
        }
        for silent in &self.silent {
            let at = silent.flow().0 as usize;
            let told = self.flows.get(at).zip(self.tracks.get(at));
            if let Some(it) = told.and_then(|(flow, track)| silent.told(flow, track, flow.input)) {
                out.anomaly(it);
            }
        }
    }

    /// Completes the records of all flows with what reading them came to.
    pub fn close(self, ended: impl IntoIterator<Item = Ended>, gaps: Gaps) -> (Rows<Flow>, Coverage) {
        close(self.flows, self.tracks, self.coverage, ended, gaps)
    }

    /// The records of all flows as they would be if the capture ended here; it goes on.
    pub fn so_far(&self, ended: impl IntoIterator<Item = Ended>, gaps: Gaps) -> (Rows<Flow>, Coverage) {
        close(self.flows.clone(), self.tracks.clone(), self.coverage.clone(), ended, gaps)
    }

    /// Takes a packet, and those it carries.
    fn packet<'a>(&mut self, outermost: &Packet<'a>, mut place: Place<'a>, out: &mut dyn Outlet) {
        let (mut packet, mut inside);
        packet = outermost;
        loop {
            if packet.fragment.is_some() {
                self.fragment(packet, place, out);
                return;
            }
            let slot = self.slot(packet, &place);
            if let Some(slot) = slot {
                self.deliver(slot, packet, &place, out);
            }
            let Some(tunnel) = packet.carried.filter(|_| place.verdict.is_none()) else {
                break;
            };
            let Space { depth, network } = place.space;
            place.space = Space {
                depth: depth.saturating_add(1),
                network: if tunnel.network == 0 { network } else { tunnel.network },
            };
            place.within = slot.map(|slot| Within {
                flow: FlowId(slot),
                by: tunnel.by,
            });
            inside = Packet {
                app: packet.app,
                ..Packet::inside(&tunnel)
            };
            packet = &inside;
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
    fn fragment(&mut self, packet: &Packet<'_>, place: Place<'_>, out: &mut dyn Outlet) {
        let (Some(ip), Some(part)) = (packet.ip, packet.fragment) else {
            return;
        };
        // The flow begins here, where its ports are told, so that flows keep the order of their frames.
        let slot = self.slot(packet, &place);
        // And it counts the frame here: the bytes that stand in the end may be others, with other ports.
        if let (Some(slot), Some(header)) = (slot, &packet.transport)
            && let Some(flow) = self.flows.get_mut(slot as usize)
        {
            let direction = live::direction(flow, &ip, header);
            place.arrivals.iter().for_each(|it| live::count(flow, it, direction));
        }
        let taken = self.fragments.take(ip, &part, &place, slot, &self.limits);
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
                    decoded_by: Few::none(),
                }],
            });
        }
        if let Some(datagram) = taken.whole {
            let (bytes, missing) = datagram.bytes();
            let whole = Packet::datagram(datagram.ip, &bytes, missing, Descent::with(packet.left));
            let app = packet.app;
            self.packet(&Packet { app, ..whole }, datagram.place(), out);
        }
    }

    /// What came of a datagram that is not going to be whole: its flow, and its first bytes.
    fn incomplete(&mut self, datagram: &Datagram, out: &mut dyn Outlet) {
        let (bytes, missing) = datagram.bytes();
        let mut place = datagram.place();
        place.verdict = Some(Reason::Incomplete);
        let packet = Packet::datagram(datagram.ip, &bytes, missing, Descent::with(0));
        self.packet(&packet, place, out);
    }

    /// The flow a packet belongs to; a new one if need be.
    fn slot(&mut self, packet: &Packet<'_>, place: &Place<'_>) -> Option<u32> {
        let (ip, header) = (packet.ip.as_ref()?, packet.transport.as_ref()?);
        let key = Key::new(ip, header, place.space);
        let of = |slot: u32| self.flows.get(slot as usize).zip(self.tracks.get(slot as usize));
        let is_its = |slot: u32| of(slot).is_some_and(|(flow, track)| key.is_of(flow, track));
        let parity = usize::from(place.space.depth & 1);
        // No later flow has its key, or that would be the latest.
        let recent = self.recent.get(parity).copied().filter(|slot| is_its(*slot));
        let hash = recent.is_none().then(|| key.hash(&self.hashes));
        let known = recent.or_else(|| self.table.find(hash?, |slot| is_its(*slot)).copied());
        if let Some(slot) = known {
            let (flow, track) = of(slot)?;
            if !header
                .tcp
                .is_some_and(|tcp| track.is_reused_by(live::direction(flow, ip, header), &tcp))
            {
                if let Some(recent) = self.recent.get_mut(parity) {
                    *recent = slot;
                }
                return Some(slot);
            }
        }
        let hash = hash.unwrap_or_else(|| key.hash(&self.hashes));
        if self.flows.len() >= self.limits.flows {
            let times = self.coverage.limits.entry("flows").or_default();
            *times = times.saturating_add(1);
            return None;
        }
        let slot = u32::try_from(self.flows.len()).ok()?;
        let (mut flow, mut track) = live::begin(place.arrivals.last()?, &key, hash, header, place.within.map(|tunnel| tunnel.flow));
        flow.client_at = live::client_at(&flow, ip, header).filter(|_| place.in_frame);
        if let Some(tunnel) = place.within
            && let Some((outer, track_of_outer)) = self.flows.get(tunnel.flow.0 as usize).zip(self.tracks.get(tunnel.flow.0 as usize))
        {
            let further = track_of_outer.rare.as_ref().and_then(|it| it.within.as_deref()).unwrap_or_default();
            let layers = further.iter().copied().chain([transport_name(outer.transport), tunnel.by]);
            track.rare = Some(Box::new(Rare {
                within: Some(layers.collect()),
                ..Rare::default()
            }));
        }
        let of = |slot: &u32| self.flows.get(*slot as usize).zip(self.tracks.get(*slot as usize));
        match self
            .table
            .find_mut(hash, |slot| of(slot).is_some_and(|(flow, track)| key.is_of(flow, track)))
        {
            Some(before) => *before = slot,
            None => {
                let tracks = &self.tracks;
                self.table
                    .insert_unique(hash, slot, |slot| tracks.get(*slot as usize).map_or(0, Track::hash));
            }
        }
        self.flows.push(flow);
        self.tracks.push(track);
        if let Some(recent) = self.recent.get_mut(parity) {
            *recent = slot;
        }
        Some(slot)
    }

    /// Counts a packet in its flow, and hands its payload on.
    fn deliver(&mut self, slot: u32, packet: &Packet<'_>, place: &Place<'_>, out: &mut dyn Outlet) {
        let (Some(ip), Some(header)) = (&packet.ip, &packet.transport) else {
            return;
        };
        let (Some(flow), Some(track)) = (self.flows.get_mut(slot as usize), self.tracks.get_mut(slot as usize)) else {
            return;
        };
        let direction = live::direction(flow, ip, header);
        let Some(frame) = place.arrivals.last() else {
            return;
        };
        let before = track.latest();
        track.tick(frame.time);
        for part in place.arrivals.iter().filter(|it| it.counted != Some(slot)) {
            live::count(flow, part, direction);
        }
        let said = payload(packet, header);
        live::count_payload(flow, direction, said);
        live::note_speech(flow, track, direction, header, said, frame.number);
        if let (Some(app), None) = (packet.app, flow.app()) {
            flow.rare_mut().app = Some(Box::new(App {
                name: WireText::from_bytes(app.name).to_string(),
                via: app.via,
            }));
        }
        let small = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
        // What was put together from several frames is counted in itself.
        let offset = if place.in_frame { small(packet.payload_offset) } else { 0 };
        if let Some(tcp) = &header.tcp {
            let seen = Seen {
                flow: FlowId(slot),
                direction,
                ip,
                tcp,
                payload: packet.payload,
                offset,
                in_frame: place.in_frame,
                frame: *frame,
                unanswered: flow.up.payload > 0 && flow.down.payload == 0,
            };
            if let Some(odd) = self.watch.packet(&seen, track) {
                out.anomaly(odd);
            }
            track.handshake(flow, direction, tcp, frame.time);
            if seen.unanswered && direction == Direction::Up && !seen.payload.is_empty() {
                let silent = silence::packet(flow, track, seen.flow, tcp.sequence, before, seen.span());
                self.silent.extend(silent);
            }
        }
        if let Some(tunnel) = &packet.carried {
            track.carries(tunnel.by);
            return;
        }
        // A FIN alone tells whoever reads the flow that all was said.
        let last = header.tcp.is_some_and(|tcp| tcp.flags.fin());
        if packet.payload.is_empty() && packet.payload_missing == 0 && !(last && track.begun) {
            return;
        }
        if !track.begun {
            track.begun = true;
            let beginning = Beginning {
                input: flow.input,
                transport: flow.transport,
                client_port: flow.client.port,
                server_port: flow.server.port,
                within: track.rare.as_ref().and_then(|it| it.within.clone()),
            };
            out.begin(FlowId(slot), beginning);
            let ends = [flow.client, flow.server];
            let first = flow.transport == Transport::Udp && !track.set_aside;
            if first && self.ends.begin(ends, packet.payload, packet.payload_missing) {
                track.rare.get_or_insert_default().stray = true;
            }
            self.settle(slot, frame.number, out);
        }
        let Some(track) = self.tracks.get(slot as usize) else {
            return;
        };
        let stray = track.rare.as_ref().is_some_and(|it| it.stray);
        let numbers = header.tcp.map(|tcp| {
            let (initial, acknowledged) = track.numbers(direction);
            Numbers {
                // A SYN takes a number of its own; data may ride on it (RFC 7413).
                sequence: tcp.sequence.wrapping_add(u32::from(tcp.flags.syn())),
                initial,
                acknowledged,
                last,
            }
        });
        let parcel = Parcel {
            flow: FlowId(slot),
            direction,
            in_frame: place.in_frame,
            offset,
            missing: small(packet.payload_missing),
            frame: frame.number,
            carrier: place.carrier,
            time: frame.time,
            mark: ip.mark(),
            numbers,
        };
        out.parcel(parcel, packet.payload);
        if stray {
            out.stray(parcel, packet.payload);
        }
    }

    /// No longer waits for flows that began so many flows ago, if their reader can do without what came so far.
    fn settle(&mut self, newest: u32, frame: u64, out: &mut dyn Outlet) {
        let waiting = u32::try_from(self.limits.waiting_flows).unwrap_or(u32::MAX);
        while self.rested.saturating_add(waiting / EARLIER) < newest {
            if self.leave(self.rested) {
                out.rest(FlowId(self.rested));
            }
            self.rested = self.rested.saturating_add(1);
        }
        while self.settled.saturating_add(waiting) < newest {
            if self.leave(self.settled) {
                out.set_aside(FlowId(self.settled), frame);
            }
            self.settled = self.settled.saturating_add(1);
        }
    }

    /// Has the next payload of a flow announced, if some was and it is of a kind that may be left; whether it is so.
    fn leave(&mut self, slot: u32) -> bool {
        let at = slot as usize;
        let (Some(flow), Some(track)) = (self.flows.get(at), self.tracks.get_mut(at)) else {
            return false;
        };
        let left = flow.transport == Transport::Udp && (track.begun || track.set_aside);
        if left {
            (track.begun, track.set_aside) = (false, true);
        }
        left
    }
}

/// The records of flows, completed with what reading them came to.
fn close(
    mut flows: Rows<Flow>,
    mut tracks: Rows<Track>,
    mut coverage: Coverage,
    ended: impl IntoIterator<Item = Ended>,
    gaps: Gaps,
) -> (Rows<Flow>, Coverage) {
    let mut layers = Layers::default();
    // A flow that was followed was also read by itself: that is closed first, whichever shard it comes from.
    let mut followed = Vec::new();
    let mut close = |it: Ended| {
        let at = it.flow.0 as usize;
        if let (Some(flow), Some(track)) = (flows.get_mut(at), tracks.get_mut(at)) {
            track.close(flow, Some(it), &mut layers);
        }
    };
    for it in ended {
        if it.followed {
            followed.push(it);
        } else {
            close(it);
        }
    }
    followed.into_iter().for_each(close);
    for (flow, track) in flows.iter_mut().zip(tracks.iter_mut()).filter(|(_, track)| !track.complete) {
        track.close(flow, None, &mut layers);
    }
    coverage.gaps.count = coverage.gaps.count.saturating_add(gaps.count);
    coverage.gaps.bytes = coverage.gaps.bytes.saturating_add(gaps.bytes);
    (flows, coverage)
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
