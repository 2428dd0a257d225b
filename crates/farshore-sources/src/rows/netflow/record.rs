//! Records of flows, by the elements that IANA numbers for IPFIX (<https://www.iana.org/assignments/ipfix>): those of NetFlow 9 are
//! the same as far as they go. What a record has in a length it cannot have is not read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use farshore_model::row::{Opening, Row, Tally};
use farshore_model::{Endpoint, Timestamp, Transport};

use super::template::{Template, VARIABLE};
use crate::bytes::Order;

/// Numbers of who counts the way back (RFC 5103).
const REVERSE: u32 = 29_305;

/// The clock of an exporter, as its export tells it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// Milliseconds since it began.
    pub(super) uptime: u32,
    /// Its time.
    pub(super) seconds: u32,
    pub(super) nanoseconds: u32,
}

impl Clock {
    /// The time at which it had been up for so many milliseconds; that number begins anew after 49 days.
    fn at(self, uptime: u32) -> Option<Timestamp> {
        let now = self.now()?;
        let ago = self.uptime.wrapping_sub(uptime).cast_signed();
        let nanos = i64::from(ago).saturating_mul(1_000_000);
        Some(Timestamp::from_nanos(now.as_nanos().saturating_sub(nanos)))
    }
}

/// What a record tells.
pub(super) enum Kind {
    /// Of a flow, if it can be read.
    Flow(Option<Told>),
    /// Of the exporter: that it looks at one packet in so many.
    Sampling(u32),
    /// Something else of the exporter.
    Other,
}

/// A flow, and what its record says besides.
#[derive(Clone, Copy)]
pub(super) struct Told {
    pub(super) row: Row,
    pub(super) sampling: u32,
    pub(super) tells_refusal: bool,
}

/// How many bytes the record takes that begins here; `None` where they are not there.
pub(super) fn length(template: &Template, bytes: &[u8]) -> Option<usize> {
    let mut at = 0_usize;
    for field in &template.fields {
        let (before, length) = extent(field.length, bytes.get(at..)?)?;
        at = at.checked_add(before)?.checked_add(length)?;
    }
    (at <= bytes.len()).then_some(at)
}

/// Bytes before a value, and of it (RFC 7011, section 7).
fn extent(length: u16, bytes: &[u8]) -> Option<(usize, usize)> {
    match length {
        VARIABLE => match *bytes.first()? {
            u8::MAX => Some((3, Order::Big.u16(bytes, 1)?.into())),
            short => Some((1, short.into())),
        },
        fixed => Some((0, fixed.into())),
    }
}

/// A number of up to eight bytes: exporters may leave out leading ones (RFC 7011, section 6.2).
fn number(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || bytes.len() > 8 {
        return None;
    }
    Some(bytes.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
}

fn small<T: TryFrom<u64>>(bytes: &[u8]) -> Option<T> {
    T::try_from(number(bytes)?).ok()
}

/// Seconds since 1900 and a fraction in 32 bits each.
fn ntp(bytes: &[u8]) -> Option<Timestamp> {
    let (seconds, fraction) = (Order::Big.u32(bytes, 0)?, Order::Big.u32(bytes, 4)?);
    let nanos = (u64::from(fraction).checked_mul(1_000_000_000)?) >> 32;
    Some(Timestamp::from_parts(i64::from(seconds).checked_sub(2_208_988_800)?, nanos))
}

fn parts(number: u64, per_second: u64) -> Option<Timestamp> {
    let nanos = number
        .checked_rem(per_second)?
        .checked_mul(1_000_000_000_u64.checked_div(per_second)?)?;
    Some(Timestamp::from_parts(i64::try_from(number.checked_div(per_second)?).ok()?, nanos))
}

/// A record of NetFlow 5, which has always the same fields.
pub(super) fn version_5(bytes: &[u8], clock: Clock, engine: u16) -> Option<Told> {
    let word = |at| Order::Big.u32(bytes, at);
    let port = |at| Order::Big.u16(bytes, at);
    let ip = |at| word(at).map(|it| IpAddr::V4(Ipv4Addr::from_bits(it)));
    let mut draft = Draft {
        ends: [ip(0), ip(4)],
        ports: [port(32)?, port(34)?],
        protocol: bytes.get(38).copied(),
        flags: bytes.get(37).copied(),
        first: clock.at(word(24)?),
        last: clock.at(word(28)?),
        sent: [word(16).map(u64::from), word(20).map(u64::from)],
        ..Draft::default()
    };
    if draft.protocol == Some(1) {
        draft.icmp = port(34);
    }
    draft.finish(engine.into())
}

/// A record as its template has it.
pub(super) fn read(template: &Template, bytes: &[u8], clock: Clock, domain: u32) -> Kind {
    let mut draft = Draft::default();
    let mut at = 0_usize;
    for field in &template.fields {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some((before, length)) = extent(field.length, rest) else {
            break;
        };
        let value = rest.get(before..before.saturating_add(length)).unwrap_or_default();
        at = at.saturating_add(before).saturating_add(length);
        match field.enterprise {
            0 => draft.field(field.element, value, clock),
            REVERSE => draft.reverse(field.element, value),
            _ => {}
        }
    }
    if template.options {
        return match draft.sampling {
            0 => Kind::Other,
            interval => Kind::Sampling(interval),
        };
    }
    Kind::Flow(draft.finish(domain))
}

/// A flow as its fields are met.
#[derive(Default)]
struct Draft {
    ends: [Option<IpAddr>; 2],
    ports: [u16; 2],
    protocol: Option<u8>,
    flags: Option<u8>,
    /// Type and code.
    icmp: Option<u16>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    /// Packets, and bytes.
    sent: [Option<u64>; 2],
    /// The same since the flow began, for exporters that count so.
    since_begin: [Option<u64>; 2],
    returned: [Option<u64>; 2],
    direction: u8,
    opened: bool,
    refused: Option<bool>,
    sampling: u32,
    sampled: [u32; 2],
}

impl Draft {
    fn field(&mut self, element: u16, value: &[u8], clock: Clock) {
        let four = || Some(IpAddr::V4(Ipv4Addr::from(*value.first_chunk()?)));
        let sixteen = || Some(IpAddr::V6(Ipv6Addr::from(*value.first_chunk::<16>()?)));
        let count = || number(value);
        let uptime = || small(value).and_then(|it| clock.at(it));
        // Of a flow between two addresses of one version the fields of the other are zero, if they are there at all.
        let end = |known: &mut Option<IpAddr>, ip: Option<IpAddr>| {
            if known.is_none_or(|it| it.is_unspecified()) {
                *known = ip;
            }
        };
        match element {
            1 => self.sent[1] = count(),
            2 => self.sent[0] = count(),
            4 => self.protocol = small(value),
            // Of two bytes the lower has the flags of old.
            6 => self.flags = value.last().copied(),
            7 => self.ports[0] = small(value).unwrap_or_default(),
            8 => end(&mut self.ends[0], four()),
            11 => self.ports[1] = small(value).unwrap_or_default(),
            12 => end(&mut self.ends[1], four()),
            21 => self.last = uptime(),
            22 => self.first = uptime(),
            27 => end(&mut self.ends[0], sixteen()),
            28 => end(&mut self.ends[1], sixteen()),
            // Some write type and code where there are none.
            32 | 139 => self.icmp = small(value),
            34 | 50 => self.sampling = small(value).unwrap_or_default(),
            61 => self.direction = small(value).unwrap_or_default(),
            85 => self.since_begin[1] = count(),
            86 => self.since_begin[0] = count(),
            // Its two highest bits: unknown, forwarded, dropped, consumed.
            89 => self.refused = value.first().map(|it| it >> 6 == 2),
            150 => self.first = count().and_then(|it| parts(it, 1)),
            151 => self.last = count().and_then(|it| parts(it, 1)),
            152 => self.first = count().and_then(|it| parts(it, 1_000)),
            153 => self.last = count().and_then(|it| parts(it, 1_000)),
            154 | 156 => self.first = ntp(value),
            155 | 157 => self.last = ntp(value),
            176 | 178 => self.icmp = small::<u8>(value).map(|it| u16::from_be_bytes([it, self.code()])),
            177 | 179 => self.icmp = small::<u8>(value).map(|it| u16::from_be_bytes([self.kind(), it])),
            // Counts of an initiator and a responder: then the source is the initiator.
            231 => (self.sent[1], self.opened) = (count(), true),
            232 => self.returned[1] = count(),
            // Flow created, deleted, denied, alert, updated.
            233 => self.refused = small::<u8>(value).map(|it| it == 3),
            239 => self.opened = small(value) == Some(1_u8),
            298 => (self.sent[0], self.opened) = (count(), true),
            299 => self.returned[0] = count(),
            305 => self.sampled[0] = small(value).unwrap_or_default(),
            306 => self.sampled[1] = small(value).unwrap_or_default(),
            323 if self.last.is_none() => self.last = count().and_then(|it| parts(it, 1_000)),
            _ => {}
        }
        // So many packets in a row are looked at, and so many after them are not.
        if self.sampled[0] > 0 && self.sampled[1] > 0 {
            let all = self.sampled[0].saturating_add(self.sampled[1]);
            self.sampling = all.checked_div(self.sampled[0]).unwrap_or_default();
        }
    }

    fn reverse(&mut self, element: u16, value: &[u8]) {
        match element {
            1 | 85 => self.returned[1] = number(value),
            2 | 86 => self.returned[0] = number(value),
            _ => {}
        }
    }

    fn kind(&self) -> u8 {
        self.icmp.map_or(0, |it| it.to_be_bytes()[0])
    }

    fn code(&self) -> u8 {
        self.icmp.map_or(0, |it| it.to_be_bytes()[1])
    }

    fn finish(self, domain: u32) -> Option<Told> {
        let transport = Transport::of(self.protocol?);
        let mut ports = self.ports;
        if matches!(transport, Transport::Icmp | Transport::Icmp6) {
            // NetFlow 5 has them in the place of the destination's port, and some exporters of later ones as well.
            let told = self.icmp.or((ports[0] == 0 && ports[1] != 0).then_some(ports[1]));
            let [kind, code] = told.unwrap_or_default().to_be_bytes();
            ports = match transport.counterpart(kind) {
                _ if told.is_none() => [0, 0],
                Some(answer) => [kind.into(), answer.into()],
                None => [kind.into(), code.into()],
            };
        }
        let counts = |both: [Option<u64>; 2]| Tally {
            packets: both[0].unwrap_or_default(),
            bytes: both[1].unwrap_or_default(),
        };
        let opening = match self.flags {
            _ if self.opened => Opening::Named,
            // Flags are gathered over the flow: with an ACK among them both sides have the same.
            Some(flags) if transport == Transport::Tcp && flags & 0b1_0010 == 0b0_0010 => Opening::Source,
            _ => Opening::Untold,
        };
        Some(Told {
            row: Row {
                transport,
                source: Endpoint {
                    ip: self.ends[0]?,
                    port: ports[0],
                },
                destination: Endpoint {
                    ip: self.ends[1]?,
                    port: ports[1],
                },
                first: self.first,
                last: self.last,
                sent: counts([self.sent[0].or(self.since_begin[0]), self.sent[1].or(self.since_begin[1])]),
                returned: counts(self.returned),
                refused: self.refused == Some(true),
                opening,
                // By which exporter, and on the way in or out of it.
                observer: (u64::from(domain) << 8) | u64::from(self.direction).saturating_add(1),
                rtt: None,
            },
            sampling: self.sampling,
            tells_refusal: self.refused.is_some(),
        })
    }
}
