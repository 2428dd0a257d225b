//! What is read of a flow's payload: finding its protocol, feeding the dissector, and a byte-spread reading of
//! what no protocol claims. Opaque is an honest answer: nothing here guesses.

use std::collections::VecDeque;
use std::sync::Arc;

use farshore_model::flow::Randomness;
use farshore_model::ledger::{Anomaly, Severity};
use farshore_model::observation::Observed;
use farshore_model::{Direction, FlowId, InputId, Locus, Observation, Protection, Span, Timestamp, Transport};

use crate::engine::{Readable, Recorder};
use crate::limits::Limits;
use crate::protocols::{Dissector, Field, Match, Milestone, Opening, PROTOCOLS, Progress, Protocol, Sink, Start};
use crate::stream::{Origin, Piece, Segment};
use crate::transport::sctp;

/// Payload bytes sampled per direction for the byte-spread reading.
const SAMPLE: usize = 4096;
/// Segments of an unrecognised stream that are still looked at for the beginning of something known.
const RETRIES: u32 = 32;

/// The circumstances of one call.
pub(crate) struct Scene<'a> {
    pub(crate) flow: FlowId,
    pub(crate) input: InputId,
    pub(crate) time: Option<Timestamp>,
    pub(crate) transport: Transport,
    /// The layers of the tunnels it runs in, if any, outermost first.
    pub(crate) within: Option<Arc<[&'static str]>>,
    pub(crate) client_port: u16,
    pub(crate) server_port: u16,
    pub(crate) limits: &'a Limits,
    pub(crate) recorder: &'a mut dyn Recorder,
}

impl Scene<'_> {
    fn tunnels(&self) -> &[&'static str] {
        self.within.as_deref().unwrap_or_default()
    }
}

/// What is read of a flow.
#[derive(Default)]
pub(crate) struct Reading {
    state: State,
    talk: Talk,
    /// First payload bytes of each direction that no protocol read.
    samples: [Vec<u8>; 2],
}

/// What reading came to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) protocols: Vec<&'static str>,
    pub(crate) protection: Option<Protection>,
    pub(crate) round_trip: Option<u64>,
    pub(crate) randomness: Option<Box<[Option<Randomness>; 2]>>,
    pub(crate) client_confirmed: bool,
    pub(crate) server_spoke_first_as_client: bool,
}

#[derive(Default)]
enum State {
    /// Nothing was sent yet.
    #[default]
    Silent,
    /// No protocol has recognised it so far.
    Undecided(Box<Undecided>),
    /// Being read.
    Read(Box<Chain>),
    /// No protocol recognises it.
    Opaque { looked: u32 },
    /// Its dissector has what it came for, or lost the thread.
    Counted,
}

#[derive(Default)]
struct Undecided {
    kept: VecDeque<(Direction, Vec<u8>, Origin, usize)>,
    bytes: usize,
    seen: u64,
}

/// A dissector and those it handed inner bytes to.
struct Chain {
    hint: &'static str,
    dissector: Box<dyn Dissector>,
    layers: Arc<[&'static str]>,
    inner: Vec<Chain>,
}

/// What dissectors said about the flow as a whole.
#[derive(Default)]
struct Talk {
    protocols: Vec<&'static str>,
    protection: Option<Protection>,
    hello: Hello,
    client: Option<Direction>,
}

/// The end-to-end round trip in the making.
#[derive(Clone, Copy, Default)]
struct Hello {
    sent: Option<Timestamp>,
    void: bool,
    answered: bool,
    round_trip: Option<u64>,
}

impl Reading {
    /// Takes the next segment.
    pub(crate) fn segment(&mut self, direction: Direction, it: Segment<'_>, scene: &mut Scene<'_>) {
        match &mut self.state {
            State::Silent | State::Undecided(_) => self.decide(direction, it, scene),
            State::Read(chain) => {
                if take(chain, direction, it, &mut self.talk, &mut self.samples, scene) != Progress::More {
                    self.state = State::Counted;
                }
            }
            State::Opaque { looked } => {
                let Segment::Bytes(piece) = it else { return };
                if is_stream(scene.transport) && *looked < RETRIES {
                    *looked = looked.saturating_add(1);
                    let (up, down): (&[u8], &[u8]) = match direction {
                        Direction::Up => (piece.bytes, &[]),
                        Direction::Down => (&[], piece.bytes),
                    };
                    if let Recognised::Yes(protocol) = recognise(Start::Stream { up, down }, scene) {
                        self.start(protocol, Start::Stream { up, down }, [(direction, it)], scene);
                        return;
                    }
                }
                opaque(direction, &piece, &mut self.samples, scene);
            }
            State::Counted => {}
        }
    }

    /// Takes payload of a transport that no protocol here runs on, such as the data of a ping.
    pub(crate) fn unread(&mut self, direction: Direction, piece: &Piece<'_>, scene: &mut Scene<'_>) {
        opaque(direction, piece, &mut self.samples, scene);
    }

    /// IP itself says what this is, and that nobody without keys reads it.
    pub(crate) fn sealed(&mut self, carrier: &'static str) {
        if !self.talk.protocols.contains(&carrier) {
            self.talk.protocols.push(carrier);
        }
    }

    /// Whether further segments say nothing more.
    pub(crate) const fn is_counted(&self) -> bool {
        matches!(self.state, State::Counted)
    }

    /// The client's bytes were sent again before the answer: no round trip can be read from them.
    pub(crate) fn repeated(&mut self, direction: Direction) {
        if direction == self.talk.client.unwrap_or(Direction::Up) && self.talk.hello.sent.is_some() && !self.talk.hello.answered {
            self.talk.hello.void = true;
        }
    }

    /// The flow has ended.
    pub(crate) fn finish(&mut self, scene: &mut Scene<'_>) {
        match std::mem::replace(&mut self.state, State::Counted) {
            State::Read(mut chain) => finish(&mut chain, &mut self.talk, scene),
            State::Undecided(undecided) => {
                for (direction, bytes, origin, missing) in &undecided.kept {
                    opaque(
                        *direction,
                        &Piece {
                            bytes,
                            missing: *missing,
                            origin: *origin,
                        },
                        &mut self.samples,
                        scene,
                    );
                }
            }
            State::Silent | State::Opaque { .. } | State::Counted => {}
        }
    }

    /// What it all came to.
    pub(crate) fn outcome(&self) -> Outcome {
        let [up, down] = &self.samples;
        Outcome {
            protocols: self.talk.protocols.clone(),
            protection: self.talk.protection,
            round_trip: self.talk.hello.round_trip.filter(|_| !self.talk.hello.void),
            randomness: match [randomness(up), randomness(down)] {
                [None, None] => None,
                both => Some(Box::new(both)),
            },
            client_confirmed: self.talk.client == Some(Direction::Up),
            server_spoke_first_as_client: self.talk.client == Some(Direction::Down),
        }
    }

    fn decide(&mut self, direction: Direction, it: Segment<'_>, scene: &mut Scene<'_>) {
        let mut undecided = match std::mem::take(&mut self.state) {
            State::Undecided(undecided) => undecided,
            _ => Box::default(),
        };
        let Segment::Bytes(piece) = it else {
            // What came before a gap no longer leads on.
            for (direction, bytes, origin, missing) in undecided.kept.drain(..) {
                opaque(
                    direction,
                    &Piece {
                        bytes: &bytes,
                        missing,
                        origin,
                    },
                    &mut self.samples,
                    scene,
                );
            }
            undecided.bytes = 0;
            self.state = State::Undecided(undecided);
            return;
        };
        undecided.seen = undecided.seen.saturating_add(1);
        undecided.bytes = undecided.bytes.saturating_add(piece.bytes.len());
        undecided
            .kept
            .push_back((direction, piece.bytes.to_vec(), piece.origin, piece.missing));
        let stream = is_stream(scene.transport);
        let mut datagrams = Vec::new();
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for (direction, bytes, ..) in &undecided.kept {
            match direction {
                _ if !stream => datagrams.push((*direction, bytes.as_slice())),
                Direction::Up => up.extend_from_slice(bytes),
                Direction::Down => down.extend_from_slice(bytes),
            }
        }
        let start = if stream {
            Start::Stream { up: &up, down: &down }
        } else {
            Start::Datagrams(&datagrams)
        };
        let recognised = recognise(start, scene);
        if let Recognised::Yes(protocol) = recognised {
            let replay = undecided.kept.iter().map(|(direction, bytes, origin, missing)| {
                (
                    *direction,
                    Segment::Bytes(Piece {
                        bytes,
                        missing: *missing,
                        origin: *origin,
                    }),
                )
            });
            self.start(protocol, start, replay, scene);
            return;
        }
        let spent = if stream {
            matches!(recognised, Recognised::No) || undecided.bytes > scene.limits.opening_bytes
        } else {
            undecided.seen >= scene.limits.undecided_datagrams
        };
        while undecided.kept.len()
            > if spent {
                0
            } else if stream {
                usize::MAX
            } else {
                scene.limits.opening_datagrams
            }
        {
            if let Some((direction, bytes, origin, missing)) = undecided.kept.pop_front() {
                opaque(
                    direction,
                    &Piece {
                        bytes: &bytes,
                        missing,
                        origin,
                    },
                    &mut self.samples,
                    scene,
                );
            }
        }
        self.state = if spent {
            State::Opaque { looked: 0 }
        } else {
            State::Undecided(undecided)
        };
    }

    fn start<'s>(
        &mut self,
        protocol: &'static dyn Protocol,
        start: Start<'_>,
        replay: impl IntoIterator<Item = (Direction, Segment<'s>)>,
        scene: &mut Scene<'_>,
    ) {
        let outer = transport_name(scene.transport);
        let dissector = protocol.start(&opening(start, &[outer], scene), scene.limits);
        let mut chain = Chain {
            hint: protocol.id(),
            dissector,
            layers: scene.tunnels().iter().copied().chain([outer, protocol.id()]).collect(),
            inner: Vec::new(),
        };
        if !self.talk.protocols.contains(&protocol.id()) {
            self.talk.protocols.push(protocol.id());
        }
        self.talk.protection = Some(protocol.protection());
        for (direction, segment) in replay {
            if take(&mut chain, direction, segment, &mut self.talk, &mut self.samples, scene) != Progress::More {
                self.state = State::Counted;
                return;
            }
        }
        self.state = State::Read(Box::new(chain));
    }
}

enum Recognised {
    Yes(&'static dyn Protocol),
    Maybe,
    No,
}

fn recognise(start: Start<'_>, scene: &Scene<'_>) -> Recognised {
    let layers = [transport_name(scene.transport)];
    let opening = opening(start, &layers, scene);
    let mut best = Recognised::No;
    for protocol in PROTOCOLS {
        match protocol.matches(&opening) {
            Match::Yes => return Recognised::Yes(*protocol),
            Match::Maybe => best = Recognised::Maybe,
            Match::No => {}
        }
    }
    best
}

fn opening<'a>(start: Start<'a>, layers: &'a [&'static str], scene: &Scene<'_>) -> Opening<'a> {
    Opening {
        // A stream is a stream, whichever transport put it in order; the layers tell which.
        transport: if is_stream(scene.transport) {
            Transport::Tcp
        } else {
            scene.transport
        },
        client_port: scene.client_port,
        server_port: scene.server_port,
        layers,
        start,
    }
}

const fn is_stream(transport: Transport) -> bool {
    matches!(transport, Transport::Tcp | Transport::Other(sctp::NUMBER))
}

pub(crate) const fn transport_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
        Transport::Icmp => "icmp",
        Transport::Icmp6 => "icmpv6",
        Transport::Other(sctp::NUMBER) => "sctp",
        Transport::Other(_) => "ip",
    }
}

/// Hands a segment to the dissector; what its protocol leaves opaque is sampled as well.
fn take(
    chain: &mut Chain,
    direction: Direction,
    it: Segment<'_>,
    talk: &mut Talk,
    samples: &mut [Vec<u8>; 2],
    scene: &mut Scene<'_>,
) -> Progress {
    if let (Segment::Bytes(piece), Some(Protection::Opaque)) = (it, talk.protection) {
        opaque(direction, &piece, samples, scene);
    }
    guarded(chain, talk, scene, |chain, sink| chain.segment(direction, it, sink)).unwrap_or(Progress::Lost)
}

/// Tells a dissector and those inside it that the flow has ended.
fn finish(chain: &mut Chain, talk: &mut Talk, scene: &mut Scene<'_>) {
    guarded(chain, talk, scene, |dissector, sink| dissector.finish(sink));
    for inner in &mut chain.inner {
        finish(inner, talk, scene);
    }
}

/// Calls a dissector. A bug in one of them costs its flow, not the audit.
fn guarded<R>(
    chain: &mut Chain,
    talk: &mut Talk,
    scene: &mut Scene<'_>,
    call: impl FnOnce(&mut dyn Dissector, &mut dyn Sink) -> R,
) -> Option<R> {
    let (dissector, layers, inner) = (&mut chain.dissector, &chain.layers, &mut chain.inner);
    let attempt = std::panic::AssertUnwindSafe(|| {
        call(
            &mut **dissector,
            &mut FlowSink {
                layers,
                inner,
                talk,
                scene,
            },
        )
    });
    match std::panic::catch_unwind(attempt) {
        Ok(result) => Some(result),
        Err(_) => {
            scene.recorder.anomaly(Anomaly {
                kind: "reader-fault",
                severity: Severity::Loss,
                because: format!("the reader of {} failed on this flow; the rest of it was not read", chain.hint),
                flow: Some(scene.flow),
                evidence: Vec::new(),
            });
            None
        }
    }
}

/// Bytes that no protocol reads: sampled, and shown to detectors that look for values byte by byte.
fn opaque(direction: Direction, piece: &Piece<'_>, samples: &mut [Vec<u8>; 2], scene: &mut Scene<'_>) {
    let [up, down] = samples;
    let sample = match direction {
        Direction::Up => up,
        Direction::Down => down,
    };
    let room = SAMPLE.saturating_sub(sample.len());
    sample.extend_from_slice(piece.bytes.get(..room).unwrap_or(piece.bytes));
    // Logins and registrations come first: the opening is always shown, the rest when somebody looks for known values.
    if room > 0 || scene.recorder.wants_payload() {
        let outer = [transport_name(scene.transport)];
        let tunnels = scene.within.as_ref().map(|it| it.iter().copied().chain(outer).collect::<Vec<_>>());
        scene.recorder.field(Readable {
            flow: scene.flow,
            input: scene.input,
            layers: tunnels.as_deref().unwrap_or(&outer),
            path: match scene.transport {
                Transport::Tcp => "tcp.payload",
                Transport::Udp => "udp.payload",
                Transport::Icmp | Transport::Icmp6 => "icmp.payload",
                Transport::Other(sctp::NUMBER) => "sctp.payload",
                Transport::Other(_) => "ip.payload",
            },
            value: piece.bytes,
            at: piece.origin.span(0..piece.bytes.len()),
            payload: true,
        });
    }
}

/// Entropy and chi-square of single bytes. Too few bytes say nothing.
fn randomness(sample: &[u8]) -> Option<Randomness> {
    if sample.len() < 256 {
        return None;
    }
    let mut counts = [0_u32; 256];
    for byte in sample {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count = count.saturating_add(1);
        }
    }
    let total = sample.len() as f64;
    let expected = total / 256.0;
    let (mut entropy, mut chi_square) = (0.0, 0.0);
    for count in counts {
        let count = f64::from(count);
        if count > 0.0 {
            entropy -= count / total * (count / total).log2();
        }
        chi_square += (count - expected).powi(2) / expected;
    }
    Some(Randomness {
        sampled: sample.len() as u64,
        entropy,
        chi_square,
    })
}

/// A dissector's sink: adds what only the engine knows.
struct FlowSink<'a, 's> {
    layers: &'a Arc<[&'static str]>,
    inner: &'a mut Vec<Chain>,
    talk: &'a mut Talk,
    scene: &'a mut Scene<'s>,
}

impl FlowSink<'_, '_> {
    fn locus(&self, span: Span) -> Locus {
        Locus {
            input: self.scene.input,
            span,
            layers: Arc::clone(self.layers),
            decoded_by: Vec::new(),
        }
    }
}

impl Sink for FlowSink<'_, '_> {
    fn observe(&mut self, it: Observation, at: Span) {
        let locus = self.locus(at);
        self.scene.recorder.observe(Observed {
            flow: self.scene.flow,
            time: self.scene.time,
            locus,
            what: it,
            again: Vec::new(),
            count: 1,
        });
    }

    fn field(&mut self, it: Field<'_>) {
        self.scene.recorder.field(Readable {
            flow: self.scene.flow,
            input: self.scene.input,
            layers: self.layers,
            path: it.path,
            value: it.value,
            at: it.at,
            payload: false,
        });
    }

    fn anomaly(&mut self, kind: &'static str, severity: Severity, because: String, at: Span) {
        let evidence = vec![self.locus(at)];
        self.scene.recorder.anomaly(Anomaly {
            kind,
            severity,
            because,
            flow: Some(self.scene.flow),
            evidence,
        });
    }

    fn inner(&mut self, direction: Direction, hint: &'static str, it: Segment<'_>) {
        let at = match self.inner.iter().position(|chain| chain.hint == hint) {
            Some(at) => at,
            None => {
                let Some(protocol) = PROTOCOLS.iter().find(|protocol| protocol.id() == hint) else {
                    return;
                };
                let dissector = protocol.start(&opening(Start::Hinted, self.layers, self.scene), self.scene.limits);
                let layers = self.layers.iter().copied().chain([hint]).collect();
                if !self.talk.protocols.contains(&hint) {
                    self.talk.protocols.push(hint);
                }
                self.inner.push(Chain {
                    hint,
                    dissector,
                    layers,
                    inner: Vec::new(),
                });
                self.inner.len().saturating_sub(1)
            }
        };
        let Some(chain) = self.inner.get_mut(at) else { return };
        let (dissector, layers, inner) = (&mut chain.dissector, &chain.layers, &mut chain.inner);
        dissector.segment(
            direction,
            it,
            &mut FlowSink {
                layers,
                inner,
                talk: self.talk,
                scene: self.scene,
            },
        );
    }

    fn carries(&mut self, it: &'static str) {
        if !self.talk.protocols.contains(&it) {
            self.talk.protocols.push(it);
        }
    }

    fn protection(&mut self, it: Protection) {
        self.talk.protection = Some(it);
    }

    fn milestone(&mut self, it: Milestone) {
        let hello = &mut self.talk.hello;
        match it {
            Milestone::HelloSent if !hello.answered => {
                hello.void |= hello.sent.is_some();
                hello.sent = self.scene.time;
            }
            Milestone::HelloRepeated if !hello.answered => hello.void = true,
            Milestone::HelloAnswered if !hello.answered => {
                hello.answered = true;
                hello.round_trip = hello.sent.zip(self.scene.time).and_then(|(sent, now)| now.since(sent));
            }
            _ => {}
        }
    }

    fn client_speaks(&mut self, direction: Direction) {
        self.talk.client.get_or_insert(direction);
    }

    fn limit(&mut self, name: &'static str) {
        self.scene.recorder.limit(name);
    }
}
