//! What is read of a flow's payload: finding its protocol, feeding the dissector, and a byte-spread reading of
//! what no protocol claims. Opaque is an honest answer: nothing here guesses.

use std::sync::Arc;

use farshore_model::flow::{KeyUse, Randomness};
use farshore_model::ledger::{Anomaly, Severity};
use farshore_model::{Direction, Protection, Timestamp, Transport};

use super::headless;
use super::inside::Inside;
use super::opaque::{self, Opaque};
use super::opening::{Beginning, Recognised, Window, recognise};
use super::sample::{self, Sample};
use super::scene::Scene;
use crate::protocols::tls::{self, late::Late};
use crate::protocols::{Dissector, Opening, Progress, Protocol, Sink, Start};
use crate::stream::{Piece, Segment};
use crate::transport::sctp;

/// Segments of an unrecognised stream that are still looked at for the beginning of something known.
const RETRIES: u32 = 32;

/// What is read of a flow. Most flows never carry payload: what only some of them need is asked for when they do.
#[derive(Default)]
pub(crate) struct Reading {
    pub(super) state: State,
    pub(super) talk: Option<Box<Talk>>,
    pub(super) samples: Samples,
}

/// First payload bytes of each direction that no protocol read.
type Samples = Option<Box<Opaque>>;

/// What reading came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) protocols: Vec<&'static str>,
    pub(crate) protection: Option<Protection>,
    pub(crate) round_trip: Option<u64>,
    pub(crate) randomness: Option<Box<[Option<Randomness>; 2]>>,
    pub(crate) client_confirmed: bool,
    pub(crate) server_spoke_first_as_client: bool,
    pub(crate) sealed: bool,
    pub(crate) keys: Option<Box<KeyUse>>,
}

impl Outcome {
    /// Whether it says nothing.
    pub(crate) const fn is_empty(&self) -> bool {
        let Self {
            protocols,
            protection,
            round_trip,
            randomness,
            client_confirmed,
            server_spoke_first_as_client,
            sealed,
            keys,
        } = self;
        let unknown = protocols.is_empty() && protection.is_none() && round_trip.is_none();
        unknown && randomness.is_none() && !*client_confirmed && !*server_spoke_first_as_client && !*sealed && keys.is_none()
    }
}

#[derive(Default)]
pub(super) enum State {
    /// Nothing was sent yet, or nothing that leads on.
    #[default]
    Silent,
    /// A stream that no protocol has recognised so far.
    Stream(Box<Beginning>),
    /// Datagrams that no protocol has recognised so far.
    Datagrams(Box<Window>),
    /// Being read.
    Read(Box<Chain>),
    /// No protocol recognises it.
    Opaque { looked: u32, late: Option<Box<[Late; 2]>> },
    /// Its dissector has what it came for, or lost the thread.
    Counted,
}

/// A dissector and those it handed inner bytes to.
pub(super) struct Chain {
    pub(super) hint: &'static str,
    pub(super) dissector: Box<dyn Dissector>,
    pub(super) layers: Arc<[&'static str]>,
    /// Which stream it reads, of those that run side by side, and which directions of it are over.
    pub(super) number: Option<(u64, [bool; 2])>,
    /// How its bytes stood on the wire.
    pub(super) protection: Protection,
    pub(super) inner: Inside,
}

/// What dissectors said about the flow as a whole.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Talk {
    pub(super) protocols: Vec<&'static str>,
    pub(super) protection: Option<Protection>,
    pub(super) hello: Hello,
    pub(super) client: Option<Direction>,
    /// The client went on under the keys that were agreed on.
    pub(super) sealed: bool,
    pub(super) keys: Option<Box<KeyUse>>,
}

impl Talk {
    /// A protocol is spoken here.
    pub(super) fn names(&mut self, protocol: &'static str) {
        if !self.protocols.contains(&protocol) {
            // Most flows speak one.
            if self.protocols.is_empty() {
                self.protocols.reserve_exact(1);
            }
            self.protocols.push(protocol);
        }
    }
}

/// The end-to-end round trip in the making.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) sent: Option<Timestamp>,
    pub(super) void: bool,
    pub(super) answered: bool,
    pub(super) round_trip: Option<u64>,
}

impl Reading {
    /// Takes the next segment.
    pub(crate) fn segment(&mut self, direction: Direction, it: Segment<'_>, scene: &mut Scene<'_>) {
        if !self.wants(direction, scene) {
            return;
        }
        match &mut self.state {
            State::Silent | State::Stream(_) | State::Datagrams(_) => {
                if is_stream(scene.transport) {
                    self.stream(direction, it, scene);
                } else {
                    self.datagram(direction, it, scene);
                }
            }
            State::Read(chain) => {
                let talk = self.talk.get_or_insert_default();
                if take(chain, direction, it, talk, &mut self.samples, scene) != Progress::More {
                    self.state = State::Counted;
                }
            }
            State::Opaque { looked, late } => {
                let piece = match it {
                    Segment::Bytes(piece) => piece,
                    Segment::Gap(length) => {
                        if let Some(late) = late {
                            direction.of_mut(late).gap(length);
                        }
                        opaque::gap(direction, length, &mut self.samples, scene);
                        return;
                    }
                };
                if is_stream(scene.transport) && *looked < RETRIES {
                    *looked = looked.saturating_add(1);
                    let start = alone(direction, piece.bytes);
                    if let Recognised::Yes(protocol) = ask(start, scene) {
                        self.start(protocol, start, [(direction, piece)], scene);
                        return;
                    }
                }
                self.nobodys(direction, piece, scene);
            }
            State::Counted => {}
        }
    }

    /// Whether more bytes of a direction can still change what is told of the flow; when they cannot, its counters alone
    /// go on, and nobody misses its segments.
    pub(crate) fn wants(&self, direction: Direction, scene: &Scene<'_>) -> bool {
        match &self.state {
            State::Counted => false,
            State::Opaque { looked, late } => {
                let [up, down] = match &self.samples {
                    Some(samples) => samples.of.each_ref().map(|it| it.room() > 0),
                    None => [true; 2],
                };
                let room = match direction {
                    Direction::Up => up,
                    Direction::Down => down,
                };
                let searched = |late: &[Late; 2]| direction.of(late).searches(scene.known.limits.late_bytes);
                let may_tell = *looked < RETRIES || late.as_deref().is_some_and(searched);
                room || is_stream(scene.transport) && may_tell || scene.recorder.wants_payload()
            }
            State::Silent | State::Stream(_) | State::Datagrams(_) | State::Read(_) => true,
        }
    }

    /// Takes payload of a transport that no protocol here runs on, such as the data of a ping.
    pub(crate) fn unread(&mut self, direction: Direction, piece: &Piece<'_>, scene: &mut Scene<'_>) {
        opaque::show(direction, piece, &mut self.samples, scene);
    }

    /// IP itself says what this is, and that nobody without keys reads it.
    pub(crate) fn sealed(&mut self, carrier: &'static str) {
        self.talk.get_or_insert_default().names(carrier);
    }

    /// The client's bytes were sent again before the answer: no round trip can be read from them.
    pub(crate) fn repeated(&mut self, direction: Direction) {
        if let Some(talk) = &mut self.talk
            && direction == talk.client.unwrap_or(Direction::Up)
            && talk.hello.sent.is_some()
            && !talk.hello.answered
        {
            talk.hello.void = true;
        }
    }

    /// Whether it does nothing but wait for a protocol to claim a few bytes: if it ended here, nothing would be told of it.
    pub(crate) fn only_waits(&self) -> bool {
        let few = matches!(&self.state, State::Datagrams(window) if window.seen == 1 && window.len() < sample::LEAST);
        few && self.talk.is_none() && self.samples.is_none()
    }

    /// The flow has ended. Says whether more is told when [all have](Self::conclude).
    pub(crate) fn finish(&mut self, scene: &mut Scene<'_>) -> bool {
        self.decide(scene);
        let waits = self.close(scene);
        opaque::end(&mut self.samples, scene);
        waits
    }

    fn close(&mut self, scene: &mut Scene<'_>) -> bool {
        match std::mem::replace(&mut self.state, State::Counted) {
            State::Read(mut chain) => {
                finish(&mut chain, self.talk.get_or_insert_default(), scene);
                if waits(&mut chain) {
                    self.state = State::Read(chain);
                    return true;
                }
            }
            State::Datagrams(window) => {
                self.untied(&window, scene);
                self.unclaimed(window.datagrams(), scene);
            }
            State::Silent | State::Stream(_) | State::Opaque { .. } | State::Counted => {}
        }
        false
    }

    /// No more comes of a stream that a protocol might still have recognised.
    fn decide(&mut self, scene: &mut Scene<'_>) {
        let State::Stream(begun) = &mut self.state else { return };
        let begun = std::mem::take(begun);
        self.state = State::Opaque { looked: 0, late: None };
        begun
            .segments()
            .for_each(|(direction, piece)| self.nobodys(direction, piece, scene));
    }

    /// All flows have ended.
    pub(crate) fn conclude(&mut self, scene: &mut Scene<'_>) {
        if let State::Read(mut chain) = std::mem::replace(&mut self.state, State::Counted) {
            conclude(&mut chain, self.talk.get_or_insert_default(), scene);
        }
    }

    /// What it came to so far; it goes on.
    pub(crate) fn so_far(&self) -> Outcome {
        outcome(self.talk.as_deref().cloned().unwrap_or_default(), &self.samples)
    }

    /// What it all came to.
    pub(crate) fn outcome(self) -> Outcome {
        outcome(self.talk.map_or_else(Talk::default, |it| *it), &self.samples)
    }

    /// Looks for the protocol of a stream. What is recognised, or nobody's, at the first segment is never copied.
    fn stream(&mut self, direction: Direction, it: Segment<'_>, scene: &mut Scene<'_>) {
        let mut begun = match std::mem::take(&mut self.state) {
            State::Stream(begun) => Some(begun),
            _ => None,
        };
        let Segment::Bytes(piece) = it else {
            // What came before a gap no longer leads on.
            if let Some(begun) = begun {
                self.unclaimed(begun.segments(), scene);
            }
            return;
        };
        if let Some(begun) = &mut begun {
            begun.push(direction, &piece);
        }
        let lone = alone(direction, piece.bytes);
        let (recognised, length) = match &begun {
            Some(begun) => (ask(begun.start(), scene), begun.len()),
            None => (ask(lone, scene), piece.bytes.len()),
        };
        match (recognised, begun) {
            (Recognised::Yes(protocol), None) => self.start(protocol, lone, [(direction, piece)], scene),
            (Recognised::Yes(protocol), Some(begun)) => self.start(protocol, begun.start(), begun.segments(), scene),
            (Recognised::Maybe, begun) if length <= scene.known.limits.opening_bytes => {
                self.state = State::Stream(begun.unwrap_or_else(|| {
                    let mut begun = Box::<Beginning>::default();
                    begun.push(direction, &piece);
                    begun
                }));
            }
            (_, begun) => {
                let begun = begun.map(State::Stream);
                self.state = begun.unwrap_or(State::Opaque { looked: 0, late: None });
                match &self.state {
                    State::Stream(_) => self.decide(scene),
                    _ => self.nobodys(direction, piece, scene),
                }
            }
        }
    }

    /// Takes the next of a stream that no protocol recognises by how it begins; unless records of TLS stand in it, it is nobody's.
    fn nobodys(&mut self, direction: Direction, piece: Piece<'_>, scene: &mut Scene<'_>) {
        let State::Opaque { late, .. } = &mut self.state else {
            self.segment(direction, Segment::Bytes(piece), scene);
            return;
        };
        let found = if is_stream(scene.transport) && !scene.known.limits.opaque {
            let late = direction.of_mut(late.get_or_insert_default());
            let searches = late.searches(scene.known.limits.late_bytes);
            searches.then(|| late.segment(piece.bytes, piece.missing == 0)).flatten()
        } else {
            None
        };
        let Some(found) = found else {
            opaque::show(direction, &piece, &mut self.samples, scene);
            return;
        };
        let rest = piece.behind(found.at);
        let header = Piece {
            bytes: &found.header,
            missing: 0,
            origin: piece.origin,
        };
        // Nor was the other side's beginning lost: it was not captured either.
        let other = Piece { bytes: &[], ..header };
        let replay = [(direction.reverse(), other), (direction, header)];
        self.start(&tls::TLS, alone(direction, &found.header), replay, scene);
        if found.passed > 0 {
            self.segment(direction, Segment::Gap(found.passed as u64), scene);
        }
        if !rest.bytes.is_empty() {
            self.segment(direction, Segment::Bytes(rest), scene);
        }
    }

    /// Looks for the protocol of datagrams.
    fn datagram(&mut self, direction: Direction, it: Segment<'_>, scene: &mut Scene<'_>) {
        let window = match std::mem::take(&mut self.state) {
            State::Datagrams(window) => Some(window),
            _ => None,
        };
        let Segment::Bytes(piece) = it else {
            if let Some(window) = window {
                self.unclaimed(window.datagrams(), scene);
            }
            return;
        };
        let latest = [(direction, piece.bytes)];
        let recognised = match &window {
            None => ask(Start::Datagrams(&latest), scene),
            Some(window) => window.with(direction, piece.bytes, |start| ask(start, scene)),
        };
        if let Recognised::Yes(protocol) = recognised {
            match window {
                None => self.start(protocol, Start::Datagrams(&latest), [(direction, piece)], scene),
                Some(window) => {
                    let replay = window.datagrams().chain([(direction, piece)]);
                    window.with(direction, piece.bytes, |start| self.start(protocol, start, replay, scene));
                }
            }
            return;
        }
        let mut window = window.unwrap_or_default();
        window.push(direction, &piece);
        let spent = window.seen >= scene.known.limits.undecided_datagrams;
        let most = if spent { 0 } else { scene.known.limits.opening_datagrams };
        for (kept, bytes) in window.shed(most) {
            let (direction, piece) = kept.with(&bytes);
            opaque::show(direction, &piece, &mut self.samples, scene);
        }
        self.state = if spent {
            self.untied(&window, scene);
            State::Opaque { looked: 0, late: None }
        } else {
            State::Datagrams(window)
        };
    }

    /// Says why keys open nothing of datagrams that no protocol claims, if they may be sealed packets of a connection begun elsewhere.
    fn untied(&mut self, window: &Window, scene: &Scene<'_>) {
        if !scene.known.secrets.is_empty() && window.looks.are_headless() {
            let keys = self.talk.get_or_insert_default().keys.get_or_insert_default();
            keys.missed.get_or_insert(headless::UNTIED.into());
        }
    }

    /// No protocol claimed these.
    fn unclaimed<'s>(&mut self, segments: impl Iterator<Item = (Direction, Piece<'s>)>, scene: &mut Scene<'_>) {
        for (direction, piece) in segments {
            opaque::show(direction, &piece, &mut self.samples, scene);
        }
    }

    fn start<'s>(
        &mut self,
        protocol: &'static dyn Protocol,
        start: Start<'_>,
        replay: impl IntoIterator<Item = (Direction, Piece<'s>)>,
        scene: &mut Scene<'_>,
    ) {
        opaque::end(&mut self.samples, scene);
        let outer = transport_name(scene.transport);
        let dissector = protocol.start(&opening(start, &[outer], scene), &scene.known.limits);
        let tunnels = scene.within.as_deref().unwrap_or_default();
        let mut chain = Chain {
            hint: protocol.id(),
            dissector,
            layers: scene.told.layers.of(tunnels.iter().copied().chain([outer, protocol.id()])),
            number: None,
            protection: Protection::Plaintext,
            inner: Inside::default(),
        };
        let talk = self.talk.get_or_insert_default();
        talk.names(protocol.id());
        talk.protection = Some(protocol.protection());
        for (direction, piece) in replay {
            let segment = Segment::Bytes(piece);
            if take(&mut chain, direction, segment, talk, &mut self.samples, scene) != Progress::More {
                self.state = State::Counted;
                return;
            }
        }
        self.state = State::Read(Box::new(chain));
    }
}

/// What came of a flow: of what was said in it, and of how the bytes that nobody read are spread.
fn outcome(talk: Talk, samples: &Samples) -> Outcome {
    Outcome {
        protocols: talk.protocols,
        protection: talk.protection,
        round_trip: talk.hello.round_trip.filter(|_| !talk.hello.void),
        randomness: match samples.as_ref().map(|it| it.of.each_ref().map(Sample::randomness)) {
            None | Some([None, None]) => None,
            Some(both) => Some(Box::new(both)),
        },
        client_confirmed: talk.client == Some(Direction::Up),
        server_spoke_first_as_client: talk.client == Some(Direction::Down),
        sealed: talk.sealed,
        keys: talk.keys,
    }
}

/// Asks the protocols whose this beginning is.
fn ask(start: Start<'_>, scene: &Scene<'_>) -> Recognised {
    if scene.known.limits.opaque {
        return Recognised::No;
    }
    recognise(&opening(start, &[transport_name(scene.transport)], scene))
}

/// A stream of which one segment is known.
fn alone(direction: Direction, bytes: &[u8]) -> Start<'_> {
    match direction {
        Direction::Up => Start::Stream { up: bytes, down: &[] },
        Direction::Down => Start::Stream { up: &[], down: bytes },
    }
}

pub(super) fn opening<'a>(start: Start<'a>, layers: &'a [&'static str], scene: &Scene<'_>) -> Opening<'a> {
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
    samples: &mut Samples,
    scene: &mut Scene<'_>,
) -> Progress {
    if let (Segment::Bytes(piece), Some(Protection::Opaque)) = (it, talk.protection) {
        opaque::show(direction, &piece, samples, scene);
    }
    guarded(chain, talk, scene, |chain, sink| chain.segment(direction, it, sink)).unwrap_or(Progress::Lost)
}

/// Tells a dissector and those inside it that the flow has ended.
pub(super) fn finish(chain: &mut Chain, talk: &mut Talk, scene: &mut Scene<'_>) {
    guarded(chain, talk, scene, |dissector, sink| dissector.finish(sink));
    for inner in chain.inner.chains() {
        finish(inner, talk, scene);
    }
}

fn waits(chain: &mut Chain) -> bool {
    chain.dissector.waits() || chain.inner.chains().iter_mut().any(waits)
}

/// Tells those who waited that all flows have ended.
pub(super) fn conclude(chain: &mut Chain, talk: &mut Talk, scene: &mut Scene<'_>) {
    if chain.dissector.waits() {
        let before = chain.inner.chains().len();
        guarded(chain, talk, scene, |dissector, sink| dissector.conclude(sink));
        // What began only now is over as well.
        for inner in chain.inner.chains().iter_mut().skip(before) {
            finish(inner, talk, scene);
        }
    }
    for inner in chain.inner.chains() {
        conclude(inner, talk, scene);
    }
}

/// Calls a dissector. A bug in one of them costs its flow, not the audit.
pub(super) fn guarded<R>(
    chain: &mut Chain,
    talk: &mut Talk,
    scene: &mut Scene<'_>,
    call: impl FnOnce(&mut dyn Dissector, &mut dyn Sink) -> R,
) -> Option<R> {
    let attempt = std::panic::AssertUnwindSafe(|| {
        let (dissector, mut sink) = chain.sink(talk, scene);
        call(dissector, &mut sink)
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

#[cfg(test)]
mod tests;
