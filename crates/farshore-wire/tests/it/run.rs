//! Runs frames through the engine and keeps what comes out.

use farshore_model::ledger::Anomaly;
use farshore_model::observation::Observed;
use farshore_model::{Coverage, Flow, FlowId, Frame, InputId, LinkType, Timestamp};
use farshore_wire::packet::Packet;
use farshore_wire::{Engine, Limits, Readable, Recorder};

use crate::build::{End, ethernet, ip, tcp, udp};

/// What came out.
#[derive(Default)]
pub struct Kept {
    pub flows: Vec<Flow>,
    pub facts: Vec<Observed>,
    /// Path and value of what could be read.
    pub fields: Vec<(String, Vec<u8>)>,
    pub anomalies: Vec<Anomaly>,
    pub limits: Vec<&'static str>,
    pub coverage: Coverage,
}

impl Recorder for Kept {
    fn flow(&mut self, id: FlowId, it: Flow) {
        assert_eq!(id.0 as usize, self.flows.len(), "in the order of their ids");
        self.flows.push(it);
    }
    fn observe(&mut self, it: Observed) {
        self.facts.push(it);
    }
    fn field(&mut self, it: Readable<'_>) {
        self.fields.push((it.path.to_owned(), it.value.to_vec()));
    }
    fn anomaly(&mut self, it: Anomaly) {
        self.anomalies.push(it);
    }
    fn limit(&mut self, name: &'static str) {
        self.limits.push(name);
    }
    fn wants_payload(&self) -> bool {
        true
    }
}

impl Kept {
    /// All facts and fields as text, sorted: what was learnt, whatever the order of learning.
    pub fn learnt(&self) -> Vec<String> {
        let facts = self.facts.iter().map(|it| format!("{:?}", it.what));
        let fields = self.fields.iter().map(|(path, value)| format!("{path} = {}", value.escape_ascii()));
        let mut all: Vec<String> = facts.chain(fields).collect();
        all.sort();
        all
    }
}

/// Frames with their times in milliseconds.
#[derive(Clone, Default)]
pub struct Tape {
    pub frames: Vec<(i64, Vec<u8>)>,
}

impl Tape {
    pub fn frame(&mut self, at: i64, bytes: Vec<u8>) -> &mut Self {
        self.frames.push((at, bytes));
        self
    }

    pub fn ip(&mut self, at: i64, from: End, to: End, protocol: u8, body: &[u8]) -> &mut Self {
        let kind = if from.ip().is_ipv4() { 0x0800 } else { 0x86dd };
        self.frame(at, ethernet(kind, &ip(from.ip(), to.ip(), protocol, body)))
    }

    pub fn udp(&mut self, at: i64, from: End, to: End, payload: &[u8]) -> &mut Self {
        self.ip(at, from, to, 17, &udp(from.1, to.1, payload))
    }

    pub fn tcp(&mut self, at: i64, from: End, to: End, (sequence, acknowledged): (u32, u32), flags: u8, payload: &[u8]) -> &mut Self {
        self.ip(at, from, to, 6, &tcp(from.1, to.1, sequence, acknowledged, flags, payload))
    }

    pub fn run(&self) -> Kept {
        self.run_with(Limits::default())
    }

    pub fn run_with(&self, limits: Limits) -> Kept {
        let mut kept = Kept::default();
        let mut engine = Engine::new(limits);
        for (number, (at, bytes)) in (1..).zip(&self.frames) {
            engine.frame(&frame(number, *at, LinkType::ETHERNET, bytes), &mut kept);
        }
        kept.coverage = engine.finish(&mut kept);
        kept
    }
}

pub fn frame(number: u64, milliseconds: i64, link: LinkType, bytes: &[u8]) -> Frame<'_> {
    Frame {
        input: InputId(0),
        number,
        time: Some(Timestamp::from_nanos(milliseconds * 1_000_000)),
        tick: 1,
        link,
        interface: 0,
        wire_length: bytes.len() as u32,
        bytes,
    }
}

pub fn decode(link: LinkType, bytes: &[u8]) -> Packet<'_> {
    Packet::decode(&frame(1, 0, link, bytes), &Limits::default())
}
