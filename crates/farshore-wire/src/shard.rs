//! Payload in, facts out: reads the flows it is given, whichever those are. A packet comes as a [`Parcel`], decoded and
//! assigned by the [`Router`](crate::router::Router); what one flow says never depends on another, so shards can work side
//! by side.
//!
//! It decodes no header, counts no frame, and numbers nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use farshore_model::{Direction, FlowId, InputId, Rows, Timestamp, Transport};

use crate::engine::Recorder;
use crate::flow::reading::{Outcome, Reading};
use crate::flow::resting::Resting;
use crate::flow::scene::{Known, Scene, Told};
use crate::limits::Limits;
use crate::media_keys::MediaKeys;
use crate::packet::Mark;
use crate::protocols::{Protocol as _, Tried, ipsec};
use crate::resumption::Resumptions;
use crate::secrets::Secrets;
use crate::stream::tcp::{Half, Receipt};
use crate::stream::{Origin, Piece, Segment};
use crate::transport::sctp::{self, Chunk};

/// What one packet brings to its flow. The bytes come beside it.
#[derive(Clone, Copy, Debug)]
pub struct Parcel {
    /// The flow.
    pub flow: FlowId,
    /// Which way it goes.
    pub direction: Direction,
    /// Whether the bytes stand in the frame as they are, at `offset`; otherwise they were put together from several.
    pub in_frame: bool,
    /// Where they stand.
    pub offset: u32,
    /// Bytes behind them that were on the wire but not captured.
    pub missing: u32,
    /// The frame with which they could be read.
    pub frame: u64,
    /// The frame that holds the first of them.
    pub carrier: u64,
    /// When that frame was captured.
    pub time: Option<Timestamp>,
    /// What its IP header tells of the sender.
    pub mark: Mark,
    /// Of TCP: the number of the first byte, and what else is known of the numbers of this direction.
    pub numbers: Option<Numbers>,
}

impl Parcel {
    /// Its bytes, with where they stand.
    const fn piece<'a>(&self, bytes: &'a [u8]) -> Piece<'a> {
        Piece {
            bytes,
            missing: self.missing as usize,
            origin: Origin {
                carrier: self.carrier,
                frame: self.frame,
                offset: self.offset as u64,
                in_frame: self.in_frame,
            },
        }
    }
}

/// TCP sequence numbers, as seen so far.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    /// Of the first byte of payload.
    pub sequence: u32,
    /// The initial one, if the SYN was seen.
    pub initial: Option<u32>,
    /// The farthest that the other side acknowledged.
    pub acknowledged: Option<u32>,
    /// Nothing comes behind this packet's payload, if it has any: it is a FIN.
    pub last: bool,
}

/// What a shard is told of a flow before its first parcel.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// The input it is seen in.
    pub input: InputId,
    /// TCP, UDP, …
    pub transport: Transport,
    /// The client's port.
    pub client_port: u16,
    /// The server's port.
    pub server_port: u16,
    /// The layers of the tunnels it runs in, if any, outermost first.
    pub within: Option<Arc<[&'static str]>>,
}

/// What reading a flow came to.
#[derive(Debug)]
pub struct Ended {
    /// The flow.
    pub flow: FlowId,
    pub(crate) gaps: u64,
    pub(crate) outcome: Outcome,
    /// It was read as the continuation of another: what reading it alone came to does not count.
    pub(crate) followed: bool,
}

/// Stream bytes that were never captured, over all flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// How many runs of them.
    pub count: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// Reads its share of the flows.
pub struct Shard {
    known: Known,
    told: Told,
    /// Which of how many: flows are dealt round.
    number: u32,
    of: u32,
    flows: Rows<Slot>,
    gaps: Gaps,
}

/// Where a flow stands.
#[derive(Default)]
enum Slot {
    /// It has not begun.
    #[default]
    Vacant,
    /// It is read.
    Live(Box<Live>),
    /// It was read, and no more is known of it than this; if it goes on, it is read as before.
    Resting(Resting),
    /// Both sides have said all they had to say, or the capture has ended.
    Ended(Box<Ended>),
    /// The capture has ended, and it tells more when all flows have.
    Waiting(Box<Live>),
}

/// A flow while it is read.
struct Live {
    beginning: Beginning,
    order: Order,
    reading: Reading,
    gaps: u64,
}

/// How payload is put in order.
enum Order {
    /// TCP, by sequence number.
    Bytes(Box<[Half; 2]>),
    /// SCTP, by chunk.
    Chunks(Box<[sctp::Half; 2]>),
    /// Each packet stands for itself.
    Datagrams,
    /// As datagrams, of a transport that no protocol here runs on.
    Unread,
    /// The same, and what it carries is encrypted by its own definition.
    Sealed(&'static str),
}

impl Order {
    fn of(transport: Transport) -> Self {
        match transport {
            Transport::Tcp => Self::Bytes(Box::default()),
            Transport::Other(sctp::NUMBER) => Self::Chunks(Box::default()),
            Transport::Udp => Self::Datagrams,
            Transport::Other(ipsec::ESP_NUMBER) => Self::Sealed(ipsec::ESP.id()),
            _ => Self::Unread,
        }
    }
}

impl Shard {
    /// Shard `number` of `of`, counted from 0.
    pub fn new(limits: Limits, number: usize, of: usize) -> Self {
        Self {
            known: Known::new(limits),
            told: Told::default(),
            number: u32::try_from(number).unwrap_or(u32::MAX),
            of: u32::try_from(of.max(1)).unwrap_or(u32::MAX),
            flows: Rows::default(),
            gaps: Gaps::default(),
        }
    }

    /// Which of so many shards reads a flow.
    pub fn of(flow: FlowId, shards: usize) -> usize {
        (flow.0 as usize).checked_rem(shards).unwrap_or_default()
    }

    /// From the next parcel on, these secrets are known: those so far and more.
    pub fn learn(&mut self, secrets: Arc<Secrets>) {
        self.known.secrets = secrets;
    }

    /// These master keys of media are known from here on. Said before the first parcel, or after [all were read](Self::settle).
    pub fn know(&mut self, keys: Arc<MediaKeys>) {
        self.known.media_keys = keys;
    }

    /// What is tried of media is shared with other shards: none tries what another has.
    pub fn share(&mut self, tried: Arc<Tried>) {
        self.known.tried = tried;
    }

    /// The master keys of media that were told so far.
    pub fn media_keys(&mut self) -> MediaKeys {
        MediaKeys::pool([std::mem::take(&mut self.told.media_keys)], self.known.limits.media_keys)
    }

    /// What the flows told so far of sessions that may go on in others.
    pub fn resumptions(&mut self) -> Resumptions {
        std::mem::take(&mut self.told.resumptions)
    }

    /// What all flows told of them. Said after [all were read](Self::settle).
    pub fn recall(&mut self, resumptions: Arc<Resumptions>) {
        self.known.resumptions = resumptions;
    }

    /// A flow begins: said before its first parcel, and again after it was [set aside](Self::set_aside).
    pub fn begin(&mut self, flow: FlowId, it: Beginning, out: &mut dyn Recorder) {
        let place = self.place(flow);
        while self.flows.len() <= place {
            self.flows.push(Slot::default());
        }
        let Some(slot) = self.flows.get_mut(place) else { return };
        let reading = match slot {
            Slot::Vacant => Reading::default(),
            Slot::Resting(before) => {
                // What its reader remembered is not there any more.
                if before.owed {
                    out.limit("waiting-flows");
                }
                Reading::from(*before)
            }
            Slot::Live(_) | Slot::Ended(_) | Slot::Waiting(_) => return,
        };
        *slot = Slot::Live(Box::new(Live {
            order: Order::of(it.transport),
            beginning: it,
            reading,
            gaps: 0,
        }));
    }

    /// Lets go of the reader of a flow that can do without, and may begin again. Others stay as they are.
    pub fn rest(&mut self, flow: FlowId) {
        let place = self.place(flow);
        if let Some(slot) = self.flows.get_mut(place)
            && let Slot::Live(live) = slot
            && let Some(it) = live.reading.at_rest()
        {
            *slot = Slot::Resting(it);
        }
    }

    /// Forgets a flow that only waits for a protocol to claim it, and the reader of one that can do without; either may begin again. Others
    /// stay as they are.
    pub fn set_aside(&mut self, flow: FlowId, out: &mut dyn Recorder) {
        let place = self.place(flow);
        let Some(slot) = self.flows.get_mut(place) else { return };
        let Slot::Live(live) = slot else { return };
        if let Some(it) = live.reading.at_rest() {
            *slot = Slot::Resting(it);
        } else if live.reading.only_waits() {
            live.reading
                .finish(&mut scene(flow, &live.beginning, None, &self.known, &mut self.told, out));
            *slot = Slot::Vacant;
            out.limit("waiting-flows");
        }
    }

    /// Takes the payload of a packet.
    pub fn take(&mut self, parcel: &Parcel, bytes: &[u8], out: &mut dyn Recorder) {
        let place = self.place(parcel.flow);
        let Some(slot) = self.flows.get_mut(place) else { return };
        let Slot::Live(live) = slot else { return };
        let piece = parcel.piece(bytes);
        let origin = piece.origin;
        let (direction, limits) = (parcel.direction, &self.known.limits);
        let Live {
            beginning,
            order,
            reading,
            gaps,
        } = &mut **live;
        let mut scene = scene(parcel.flow, beginning, Some(parcel), &self.known, &mut self.told, out);
        match order {
            Order::Datagrams => reading.segment(direction, Segment::Bytes(piece), &mut scene),
            Order::Unread => reading.unread(direction, &piece, &mut scene),
            Order::Sealed(carrier) => {
                reading.sealed(carrier);
                reading.unread(direction, &piece, &mut scene);
            }
            Order::Bytes(halves) => {
                let Some(numbers) = parcel.numbers else { return };
                let half = direction.of_mut(halves);
                if let Some(initial) = numbers.initial {
                    half.open(initial);
                }
                if let Some(acknowledged) = numbers.acknowledged {
                    half.acknowledge(acknowledged);
                }
                // Of a flow that nobody reads any more, only the numbers are of use.
                half.counts_only = !reading.wants(direction, &scene);
                let length = u32::try_from(bytes.len().saturating_add(piece.missing)).unwrap_or(u32::MAX);
                let (mut hits, sum) = (Vec::new(), &mut self.gaps);
                if length > 0 {
                    let receipt = half.receive(numbers.sequence, &piece, limits, &mut |name| hits.push(name), &mut |segment| {
                        gap(&segment, gaps, sum);
                        reading.segment(direction, segment, &mut scene);
                    });
                    if receipt == Receipt::Repeated {
                        reading.repeated(direction);
                    }
                }
                if numbers.last {
                    half.close(numbers.sequence.wrapping_add(length));
                }
                if halves.iter().all(Half::is_complete) {
                    let waits = reading.finish(&mut scene);
                    if !waits {
                        *slot = Slot::Ended(Box::new(Ended {
                            flow: parcel.flow,
                            gaps: *gaps,
                            outcome: std::mem::take(reading).outcome(),
                            followed: false,
                        }));
                    } else if let Slot::Live(live) = std::mem::take(slot) {
                        *slot = Slot::Waiting(live);
                    }
                }
                for name in hits {
                    out.limit(name);
                }
            }
            Order::Chunks(halves) => {
                let (mut hits, sum) = (Vec::new(), &mut self.gaps);
                for chunk in sctp::chunks(bytes) {
                    match chunk {
                        Chunk::Begins(number) => direction.of_mut(halves).open(number),
                        Chunk::Acknowledged(number) => direction.reverse().of_mut(halves).acknowledge(number),
                        Chunk::Abandoned(number) => direction.of_mut(halves).acknowledge(number),
                        Chunk::Data(number, bytes, at, missing) => {
                            let origin = Origin {
                                offset: origin.offset.saturating_add(at as u64),
                                ..origin
                            };
                            let piece = Piece { bytes, missing, origin };
                            let mut hit = |name| hits.push(name);
                            direction.of_mut(halves).receive(number, &piece, limits, &mut hit, &mut |segment| {
                                gap(&segment, gaps, sum);
                                reading.segment(direction, segment, &mut scene);
                            });
                        }
                    }
                }
                for name in hits {
                    out.limit(name);
                }
            }
        }
    }

    /// Takes a datagram of a flow of whatever shard, in which a connection may go on that began in one of this.
    pub fn stray(&mut self, parcel: &Parcel, bytes: &[u8], out: &mut dyn Recorder) {
        let Some(home) = self.told.paths.home(parcel.flow, parcel.direction, bytes) else {
            return;
        };
        let place = self.place(home.flow);
        let Some(Slot::Live(live)) = self.flows.get_mut(place) else {
            return;
        };
        self.told.paths.forget();
        let mut scene = Scene {
            home: home.flow,
            ..scene(parcel.flow, &live.beginning, Some(parcel), &self.known, &mut self.told, out)
        };
        live.reading
            .segment(home.direction, Segment::Bytes(parcel.piece(bytes)), &mut scene);
        self.told.paths.follow(parcel.flow, parcel.direction, home);
    }

    /// The capture has ended: reads what still waits, in the order of the flows.
    pub fn settle(&mut self, out: &mut dyn Recorder) {
        let (number, of, sum) = (self.number, self.of, &mut self.gaps);
        for place in 0..self.flows.len() {
            let Some(slot) = self.flows.get_mut(place) else { continue };
            if !matches!(slot, Slot::Live(_)) {
                continue;
            }
            let Slot::Live(mut live) = std::mem::take(slot) else { continue };
            let flow = flow_at(place, number, of);
            let Live {
                beginning,
                order,
                reading,
                gaps,
            } = &mut *live;
            let mut scene = scene(flow, beginning, None, &self.known, &mut self.told, out);
            let mut deliver = |direction, segment: Segment<'_>| {
                gap(&segment, gaps, sum);
                reading.segment(direction, segment, &mut scene);
            };
            match order {
                Order::Bytes(halves) => {
                    for direction in [Direction::Up, Direction::Down] {
                        direction.of_mut(halves).flush(&mut |segment| deliver(direction, segment));
                    }
                }
                Order::Chunks(halves) => {
                    for direction in [Direction::Up, Direction::Down] {
                        direction.of_mut(halves).flush(&mut |segment| deliver(direction, segment));
                    }
                }
                Order::Datagrams | Order::Unread | Order::Sealed(_) => {}
            }
            if reading.finish(&mut scene) {
                *slot = Slot::Waiting(live);
                continue;
            }
            // Floods make millions of flows of which little is told, or nothing.
            let Live { gaps, reading, .. } = *live;
            *slot = match reading.in_short().filter(|_| gaps == 0) {
                Some(it) => Slot::Resting(it),
                None => match reading.outcome() {
                    outcome if gaps == 0 && outcome.is_empty() => Slot::Vacant,
                    outcome => Slot::Ended(Box::new(Ended {
                        flow,
                        gaps,
                        outcome,
                        followed: false,
                    })),
                },
            };
        }
    }

    /// What reading came to so far, while more may come. What flows tell only as they end, or of the connection they go on with, is not told.
    pub fn so_far(&self) -> (impl Iterator<Item = Ended>, Gaps) {
        let ended = self.flows.iter().enumerate().filter_map(|(place, slot)| {
            let flow = flow_at(place, self.number, self.of);
            let (gaps, outcome) = match slot {
                Slot::Vacant => return None,
                Slot::Live(it) | Slot::Waiting(it) => (it.gaps, it.reading.so_far()),
                Slot::Resting(it) => (0, it.outcome()),
                Slot::Ended(it) => (it.gaps, it.outcome.clone()),
            };
            Some(Ended {
                flow,
                gaps,
                outcome,
                followed: false,
            })
        });
        (ended, self.gaps)
    }

    /// All flows have ended, and what they told each other is [known](Self::know): tells what it all came to.
    pub fn finish(mut self, out: &mut dyn Recorder) -> (impl Iterator<Item = Ended> + Send + use<>, Gaps) {
        self.settle(out);
        let (number, of) = (self.number, self.of);
        let (paths, mut flows) = (self.told.paths, self.flows);
        let mut told = Told { paths, ..Told::default() };
        for (place, slot) in flows.iter_mut().enumerate() {
            if !matches!(slot, Slot::Waiting(_)) {
                continue;
            }
            let Slot::Waiting(live) = std::mem::take(slot) else { continue };
            let flow = flow_at(place, number, of);
            let Live {
                beginning,
                mut reading,
                gaps,
                ..
            } = *live;
            reading.conclude(&mut scene(flow, &beginning, None, &self.known, &mut told, out));
            let outcome = reading.outcome();
            *slot = Slot::Ended(Box::new(Ended {
                flow,
                gaps,
                outcome,
                followed: false,
            }));
        }
        // What is spoken in a flow was agreed on where its connection began.
        let homes = flows.iter().filter_map(|slot| match slot {
            // Keys opened it, which is told in full.
            Slot::Ended(it) if told.paths.is_home(it.flow) => Some(it),
            _ => None,
        });
        let spoken: BTreeMap<FlowId, Vec<&'static str>> = homes.map(|it| (it.flow, it.outcome.protocols.clone())).collect();
        let followed = told.paths.outcomes(|home| {
            let spoken = spoken.get(&home).into_iter().flatten();
            spoken.copied().filter(|it| *it != "tls").collect()
        });
        let followed: Vec<Ended> = followed
            .into_iter()
            .map(|(flow, outcome)| Ended {
                flow,
                gaps: 0,
                outcome,
                followed: true,
            })
            .collect();
        let ended = flows.into_iter().enumerate().filter_map(move |(place, slot)| match slot {
            Slot::Ended(it) => Some(*it),
            Slot::Resting(it) => Some(Ended {
                flow: flow_at(place, number, of),
                gaps: 0,
                outcome: it.outcome(),
                followed: false,
            }),
            Slot::Vacant | Slot::Live(_) | Slot::Waiting(_) => None,
        });
        (ended.chain(followed), self.gaps)
    }

    fn place(&self, flow: FlowId) -> usize {
        flow.0.checked_div(self.of).unwrap_or_default() as usize
    }
}

/// The flow that a shard of so many keeps at a place.
fn flow_at(place: usize, number: u32, of: u32) -> FlowId {
    let place = u32::try_from(place).unwrap_or(u32::MAX);
    FlowId(place.saturating_mul(of).saturating_add(number))
}

fn gap(segment: &Segment<'_>, of_flow: &mut u64, sum: &mut Gaps) {
    if let Segment::Gap(bytes) = segment
        && *bytes > 0
    {
        *of_flow = of_flow.saturating_add(*bytes);
        sum.count = sum.count.saturating_add(1);
        sum.bytes = sum.bytes.saturating_add(*bytes);
    }
}

/// The circumstances of reading a flow: a parcel of it, or what is left of it once the capture has ended.
fn scene<'a>(
    flow: FlowId,
    beginning: &Beginning,
    parcel: Option<&Parcel>,
    known: &'a Known,
    told: &'a mut Told,
    recorder: &'a mut dyn Recorder,
) -> Scene<'a> {
    Scene {
        flow,
        home: flow,
        input: beginning.input,
        time: parcel.and_then(|it| it.time),
        mark: parcel.map(|it| it.mark),
        transport: beginning.transport,
        within: beginning.within.clone(),
        client_port: beginning.client_port,
        server_port: beginning.server_port,
        reading: parcel.map_or(u64::MAX, |it| it.frame),
        known,
        told,
        recorder,
    }
}
