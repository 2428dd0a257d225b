//! Exchanges that somebody wrote down become flows and facts, by the same readers as what was captured.
//!
//! One conversation is what went to one host at one port and address under one protection and, where the record tells
//! connections apart, over one connection. Its frames are messages, its bytes those of messages. What is encrypted was read by
//! whoever recorded it: it is told under the protection it had on the wire, never as plaintext.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ahash::HashMap;
use farshore_model::exchange::{Exchange, MessageKind};
use farshore_model::flow::{Counter, InitiatorBasis};
use farshore_model::{Coverage, Direction, Endpoint, Flow, FlowId, Protection, Rows, Transport};

use super::inside::Inside;
use super::reading::{Chain, Talk, guarded, transport_name};
use super::scene::{Known, Scene, Told};
use crate::engine::Recorder;
use crate::limits::Limits;
use crate::protocols::{Dissector, Progress, Segment, Sink, http};

/// Reads the exchanges of one input.
pub struct Records {
    known: Known,
    flows: Rows<Flow>,
    conversations: HashMap<Key, FlowId>,
    /// The latest flow over each connection that a record names.
    connections: HashMap<Vec<u8>, FlowId>,
    coverage: Coverage,
    stops: BTreeMap<String, u64>,
}

/// What makes exchanges one conversation.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    host: Vec<u8>,
    connection: Vec<u8>,
    server: Option<IpAddr>,
    port: u16,
    transport: Transport,
    protection: Protection,
}

impl Records {
    /// Ready for the first exchange.
    pub fn new(limits: Limits) -> Self {
        Self {
            known: Known::new(limits),
            flows: Rows::default(),
            conversations: HashMap::default(),
            connections: HashMap::default(),
            coverage: Coverage::default(),
            stops: BTreeMap::new(),
        }
    }

    /// A record that tells of no exchange.
    pub fn unreadable(&mut self, reason: &str) {
        let frames = &mut self.coverage.frames;
        frames.total = frames.total.saturating_add(1);
        frames.stopped = frames.stopped.saturating_add(1);
        let times = self.stops.entry(reason.to_owned()).or_default();
        *times = times.saturating_add(1);
    }

    /// Takes the next exchange.
    pub fn exchange(&mut self, it: &Exchange<'_>, out: &mut dyn Recorder) {
        let asked = it.request.as_ref().and_then(http::recorded::host);
        let spoken = it.request.is_some() || it.response.is_some() || !it.messages.is_empty();
        if !it.sent || !spoken {
            self.unreadable(it.fault.unwrap_or("a record without an exchange"));
            return;
        }
        let protection = it.channel.sealed.as_ref().map_or(Protection::Plaintext, |it| it.protection);
        let key = Key {
            host: asked.as_ref().map(|it| it.bytes.to_ascii_lowercase()).unwrap_or_default(),
            connection: it.channel.connection.to_vec(),
            server: it.channel.server,
            port: it.channel.port,
            transport: it.channel.transport,
            protection,
        };
        // Messages without a request go on where the connection was.
        let going_on = if it.request.is_none() {
            self.connections.get(&key.connection)
        } else {
            None
        };
        let id = match going_on.or_else(|| self.conversations.get(&key)) {
            Some(flow) => *flow,
            None if self.flows.len() >= self.known.limits.flows => {
                out.limit("flows");
                self.unreadable("more flows than are followed");
                return;
            }
            None => {
                let id = FlowId(u32::try_from(self.flows.len()).unwrap_or(u32::MAX));
                self.flows.push(begin(it, protection));
                self.conversations.insert(key, id);
                id
            }
        };
        let connection = &it.channel.connection;
        if !connection.is_empty() && self.connections.get(&**connection) != Some(&id) {
            self.connections.insert(connection.to_vec(), id);
        }
        let Some(flow) = self.flows.get_mut(id.0 as usize) else { return };
        let frames = &mut self.coverage.frames;
        frames.total = frames.total.saturating_add(1);
        if let Some(fault) = it.fault {
            frames.truncated = frames.truncated.saturating_add(1);
            let times = self.stops.entry(fault.to_owned()).or_default();
            *times = times.saturating_add(1);
        }
        frames.decoded = frames.decoded.saturating_add(1);
        count(flow, it);
        tell(flow, id, it, &self.known, out);
    }

    /// The input has ended: all flows, in their order, and what could be seen.
    pub fn finish(mut self) -> (Rows<Flow>, Coverage) {
        self.coverage.stops = self.stops;
        let bytes = self.flows.iter().map(|it| it.up.bytes.saturating_add(it.down.bytes));
        self.coverage.frames.bytes = bytes.fold(0, u64::saturating_add);
        (self.flows, self.coverage)
    }
}

fn begin(it: &Exchange<'_>, protection: Protection) -> Flow {
    let unknown = Endpoint {
        ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        port: 0,
    };
    Flow {
        input: it.input,
        initiator: InitiatorBasis::Recorded,
        first: it.time,
        last: it.time,
        first_frame: it.number,
        protection,
        ..Flow::between(
            it.channel.transport,
            it.channel.client.unwrap_or(unknown),
            Endpoint {
                ip: it.channel.server.unwrap_or(unknown.ip),
                port: it.channel.port,
            },
        )
    }
}

/// Adds an exchange to what its flow carried.
fn count(flow: &mut Flow, it: &Exchange<'_>) {
    for time in [it.time, it.ended]
        .into_iter()
        .flatten()
        .chain(it.messages.iter().filter_map(|it| it.time))
    {
        flow.first = Some(flow.first.map_or(time, |first| first.min(time)));
        flow.last = Some(flow.last.map_or(time, |last| last.max(time)));
    }
    let add = |counter: &mut Counter, bytes: u64, payload: u64| {
        counter.frames = counter.frames.saturating_add(1);
        counter.bytes = counter.bytes.saturating_add(bytes);
        counter.payload = counter.payload.saturating_add(payload);
    };
    if let Some(request) = &it.request {
        let size = http::recorded::request_size(request);
        add(&mut flow.up, size, size);
    }
    if let Some(response) = &it.response
        && response.status.is_some_and(|it| it > 0)
    {
        let size = http::recorded::response_size(response);
        add(&mut flow.down, size, size);
    }
    for message in &it.messages {
        let size = message.bytes.bytes.len() as u64;
        match message.direction {
            Direction::Up => add(&mut flow.up, size, size),
            Direction::Down => add(&mut flow.down, size, size),
        }
    }
}

/// Tells what an exchange says, through the sink that dissectors write to.
fn tell(flow: &mut Flow, id: FlowId, it: &Exchange<'_>, known: &Known, out: &mut dyn Recorder) {
    let sealed = match flow.protection {
        Protection::Tls => Some("tls"),
        Protection::Quic => Some("quic"),
        Protection::Dtls => Some("dtls"),
        _ => None,
    };
    let http = it.request.as_ref().map(|it| match it.version {
        "2" => "http2",
        "3" => "http3",
        _ => "http",
    });
    let outer = transport_name(it.channel.transport);
    let mut talk = Talk::default();
    for protocol in [sealed, http].into_iter().flatten() {
        talk.names(protocol);
    }
    // No media stands in a record, and no packet: the keys it may tell open nothing.
    let mut told = Told::default();
    let mut scene = Scene {
        flow: id,
        home: id,
        input: it.input,
        time: it.time,
        mark: None,
        transport: it.channel.transport,
        within: None,
        client_port: flow.client.port,
        server_port: flow.server.port,
        reading: it.number,
        known,
        told: &mut told,
        recorder: out,
    };
    let mut chain = Chain {
        hint: http.unwrap_or(outer),
        dissector: Box::new(Silent),
        layers: [Some(outer), sealed, http].into_iter().flatten().collect(),
        number: None,
        protection: flow.protection,
        inner: Inside::default(),
    };
    guarded(&mut chain, &mut talk, &mut scene, |_, sink| {
        http::recorded::tell(it, &known.limits, sink);
        for message in it.messages.iter().filter(|it| it.kind == MessageKind::Raw) {
            let piece = http::recorded::piece(&message.bytes, it.number);
            sink.stream(message.direction, None, Segment::Bytes(piece));
        }
    });
    super::reading::finish(&mut chain, &mut talk, &mut scene);
    super::reading::conclude(&mut chain, &mut talk, &mut scene);
    let spoken = |flow: &Flow, it: &str| flow.protocols.contains(&it);
    if !talk.protocols.iter().all(|it| spoken(flow, it)) {
        let further = talk.protocols.iter().copied().filter(|it| !spoken(flow, it));
        flow.protocols = flow.protocols.iter().copied().chain(further).collect();
    }
    if flow.protocols.is_empty() && flow.protection == Protection::Plaintext {
        flow.protection = Protection::Opaque;
    }
}

/// Stands where a dissector would: what it would read was read by whoever wrote it down.
struct Silent;

impl Dissector for Silent {
    fn segment(&mut self, _: Direction, _: Segment<'_>, _: &mut dyn Sink) -> Progress {
        Progress::Done
    }
}
