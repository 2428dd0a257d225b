//! IP fragments put together (RFC 791 section 3.2, RFC 8200 section 4.5).
//!
//! Where parts overlap, the bytes that came first stand, and the overlap is told: systems differ in what they do (RFC
//! 5722 forbids it in IPv6). A datagram that is not whole within a minute, or at the end, or for want of room, is given
//! up: its first bytes are read, the rest counts as not captured.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use farshore_model::{FlowId, Span};

use crate::flow::live::{Arrival, Space};
use crate::limits::Limits;
use crate::net::Fragment;
use crate::packet::{Ip, Reason};

/// Nanoseconds after which parts no longer belong together (RFC 8200 section 4.5: 60 seconds).
const PATIENCE: u64 = 60_000_000_000;
/// What a part takes beside its bytes.
const OVERHEAD: usize = 64;

/// Where a packet came from.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The frames that brought it, the latest last.
    pub(crate) arrivals: &'a [Arrival],
    /// The frame that holds its first byte.
    pub(crate) carrier: u64,
    /// Whether it stands in one frame as it is.
    pub(crate) in_frame: bool,
    /// Where it runs.
    pub(crate) space: Space,
    /// The tunnel it came in.
    pub(crate) within: Option<Within>,
    /// What is told of its frames, if that is known already.
    pub(crate) verdict: Option<Reason>,
}

/// A tunnel that a packet came in.
#[derive(Clone, Copy)]
pub(crate) struct Within {
    /// Its flow.
    pub(crate) flow: FlowId,
    /// Its name.
    pub(crate) by: &'static str,
}

/// What all parts of a datagram have in common.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    id: u32,
    /// IPv4 only (RFC 791 section 3.2).
    protocol: Option<u8>,
    space: Space,
}

/// A datagram in the making.
pub(crate) struct Datagram {
    key: Key,
    /// Its IP header: the first part's, once that is there.
    pub(crate) ip: Ip,
    /// Parts by where they belong; they do not overlap.
    parts: BTreeMap<usize, Part>,
    /// Where it ends, once the last part was seen.
    end: Option<usize>,
    arrivals: Vec<Arrival>,
    carrier: u64,
    within: Option<Within>,
}

struct Part {
    bytes: Vec<u8>,
    /// Its length on the wire.
    extent: usize,
}

impl Datagram {
    /// The bytes from the first on without a gap, and how many are missing behind them.
    pub(crate) fn bytes(&self) -> (Vec<u8>, usize) {
        let mut bytes = Vec::new();
        for (at, part) in &self.parts {
            if *at != bytes.len() {
                break;
            }
            bytes.extend_from_slice(&part.bytes);
        }
        let missing = self.end.unwrap_or_default().saturating_sub(bytes.len());
        (bytes, missing)
    }

    /// Where it came from.
    pub(crate) fn place(&self) -> Place<'_> {
        Place {
            arrivals: &self.arrivals,
            carrier: self.carrier,
            in_frame: false,
            space: self.key.space,
            within: self.within,
            verdict: None,
        }
    }

    fn is_whole(&self) -> bool {
        let mut until = 0;
        for (at, part) in &self.parts {
            if *at != until {
                return false;
            }
            until = until.saturating_add(part.extent);
        }
        self.end.is_some_and(|end| until >= end)
    }

    fn room(&self) -> usize {
        let parts = self.parts.values().map(|part| part.bytes.len().saturating_add(OVERHEAD));
        parts.fold(self.arrivals.len().saturating_mul(OVERHEAD), usize::saturating_add)
    }

    /// Puts a part in its place as far as that is free; whether it overlaps others otherwise than by repeating one.
    fn put(&mut self, part: &Fragment<'_>, extent: usize) -> bool {
        let stop = part.offset.saturating_add(extent);
        let (mut at, mut odd, mut free) = (part.offset, false, Vec::new());
        for (begin, other) in &self.parts {
            let end = begin.saturating_add(other.extent);
            if end <= at || *begin >= stop {
                continue;
            }
            odd |= (*begin, end) != (part.offset, stop) || other.bytes != part.bytes;
            if *begin > at {
                free.push(at..*begin);
            }
            at = at.max(end);
        }
        if at < stop {
            free.push(at..stop);
        }
        for range in free {
            let (from, until) = (range.start.saturating_sub(part.offset), range.end.saturating_sub(part.offset));
            let bytes = part.bytes.get(from..until.min(part.bytes.len())).unwrap_or_default();
            self.parts.insert(
                range.start,
                Part {
                    bytes: bytes.to_vec(),
                    extent: range.len(),
                },
            );
        }
        if !part.more {
            odd |= self.end.is_some_and(|end| end != stop);
            self.end.get_or_insert(stop);
        }
        odd
    }
}

/// What came of taking a part.
#[derive(Default)]
pub(crate) struct Taken {
    /// The datagram, if this part made it whole.
    pub(crate) whole: Option<Datagram>,
    /// Datagrams there is no more waiting for.
    pub(crate) given_up: Vec<Datagram>,
    /// Where a part overlaps others.
    pub(crate) odd: Option<Span>,
    /// Ceilings that were hit.
    pub(crate) limits: Vec<&'static str>,
}

/// All datagrams in the making.
#[derive(Default)]
pub(crate) struct Fragments {
    /// Looked up, never walked.
    open: HashMap<Key, u64>,
    /// By the order of their beginning.
    datagrams: BTreeMap<u64, Datagram>,
    begun: u64,
    room: usize,
}

impl Fragments {
    /// Takes a part of a datagram, and the flow that counted its frames already, if one did.
    pub(crate) fn take(&mut self, ip: Ip, part: &Fragment<'_>, place: &Place<'_>, counted: Option<u32>, limits: &Limits) -> Taken {
        let mut taken = Taken::default();
        let Some(now) = place.arrivals.last() else { return taken };
        let key = Key {
            source: ip.source,
            destination: ip.destination,
            id: part.id,
            protocol: ip.source.is_ipv4().then_some(part.protocol),
            space: place.space,
        };
        if let Some(serial) = self.open.get(&key).copied()
            && let Some(since) = self
                .datagrams
                .get(&serial)
                .and_then(|it| it.arrivals.first())
                .and_then(|it| it.time)
            && now.time.and_then(|now| now.since(since)).is_some_and(|age| age > PATIENCE)
        {
            taken.given_up.extend(self.remove(serial));
        }
        let serial = *self.open.entry(key).or_insert_with(|| {
            self.begun = self.begun.saturating_add(1);
            self.begun
        });
        let datagram = self.datagrams.entry(serial).or_insert_with(|| Datagram {
            key,
            ip: Ip {
                protocol: part.protocol,
                ..ip
            },
            parts: BTreeMap::new(),
            end: None,
            arrivals: Vec::new(),
            carrier: place.carrier,
            within: place.within,
        });
        let before = datagram.room();
        let arrivals = place.arrivals.iter().map(|it| Arrival { counted, ..*it });
        datagram.arrivals.extend(arrivals);
        if part.offset == 0 && !datagram.parts.contains_key(&0) {
            datagram.ip = Ip {
                protocol: part.protocol,
                ..ip
            };
            datagram.carrier = place.carrier;
        }
        if datagram.put(part, part.bytes.len().saturating_add(part.missing)) {
            taken.odd = Some(Span {
                first_frame: place.carrier,
                frame: now.number,
                offset: part.at as u64,
                length: part.bytes.len() as u64,
                in_frame: place.in_frame,
            });
        }
        let (whole, crowded) = (datagram.is_whole(), datagram.arrivals.len() >= limits.fragments);
        self.room = self.room.saturating_sub(before).saturating_add(datagram.room());
        if whole {
            taken.whole = self.remove(serial);
        } else if crowded {
            taken.limits.push("fragments");
            taken.given_up.extend(self.remove(serial));
        }
        while self.room > limits.fragment_bytes
            && let Some(oldest) = self.datagrams.keys().next().copied()
        {
            taken.limits.push("fragment-bytes");
            taken.given_up.extend(self.remove(oldest));
        }
        taken
    }

    /// Gives up what is left, in the order of its beginning.
    pub(crate) fn drain(&mut self) -> Vec<Datagram> {
        self.open.clear();
        self.room = 0;
        std::mem::take(&mut self.datagrams).into_values().collect()
    }

    fn remove(&mut self, serial: u64) -> Option<Datagram> {
        let datagram = self.datagrams.remove(&serial)?;
        self.open.remove(&datagram.key);
        self.room = self.room.saturating_sub(datagram.room());
        Some(datagram)
    }
}
