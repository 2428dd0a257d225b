//! Whether somebody on the path spoke in the name of one side of a TCP connection: data that differs from other data for
//! the same place, and resets that the one who is said to have sent them knew nothing of.
//!
//! The heads of the latest segments of all flows, and the latest resets, are kept in one ring, so what it takes does not grow
//! with the number of flows. That is its ceiling too: two copies with more segments between them are not compared, nor bytes
//! behind the head. It decides nothing about the stream: which copy is read is told where streams are put in order.
//!
//! A TTL that changes within a stream proves nothing by itself (routes change, middleboxes answer): it only tells which of two
//! packets that contradict each other is the odd one. Retransmission brings the same bytes and contradicts nothing.

use farshore_model::ledger::{Anomaly, Severity};
use farshore_model::{Direction, Few, FlowId, Locus, Span};

use super::live::{Arrival, Track};
use crate::packet::{Ip, Mark};
use crate::transport::Tcp;

/// Segments and resets kept, of all flows together.
const KEPT: usize = 4096;
/// Flows and directions whose latest packet is known: more than the ring holds.
const WAYS: usize = 4 * KEPT;
/// Bytes kept of each.
const HEAD: usize = 128;
/// How far back a connection's own segments are searched.
const BACK: usize = 4;
/// Fewer bytes that differ prove nothing: a probe for a silent peer brings one octet of garbage (RFC 1122, section 4.2.3.6).
const LEAST: usize = 2;
/// A reset with a number farther from the stream's front than any window is of another connection.
const FARTHEST: u32 = 1 << 20;

/// A TCP packet, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) flow: FlowId,
    pub(crate) direction: Direction,
    pub(crate) ip: &'a Ip,
    pub(crate) tcp: &'a Tcp,
    pub(crate) payload: &'a [u8],
    /// Where the payload stands.
    pub(crate) offset: u32,
    pub(crate) in_frame: bool,
    pub(crate) frame: Arrival,
    /// The client said something, and the server nothing yet.
    pub(crate) unanswered: bool,
}

impl Seen<'_> {
    /// Where its payload stands.
    pub(crate) const fn span(&self) -> Span {
        Span {
            first_frame: self.frame.number,
            frame: self.frame.number,
            offset: self.offset as u64,
            length: self.payload.len() as u64,
            in_frame: self.in_frame,
        }
    }

    /// The number of the first byte: a SYN takes one of its own.
    fn sequence(&self) -> u32 {
        self.tcp.sequence.wrapping_add(u32::from(self.tcp.flags.syn()))
    }
}

/// What is kept of a packet.
#[derive(Clone, Copy)]
struct Kept {
    /// Its number, counted from 1 over all flows.
    number: u32,
    /// The one before it of the same flow and direction; 0: none.
    before: u32,
    flow: FlowId,
    direction: Direction,
    reset: bool,
    sequence: u32,
    acknowledgement: u32,
    length: u32,
    mark: Mark,
    span: Span,
}

/// The latest segments and resets.
#[derive(Default)]
pub(crate) struct Watch {
    ring: Vec<Kept>,
    /// What each brought first, beside the ring: seldom looked at.
    heads: Vec<[u8; HEAD]>,
    count: u32,
    /// The latest of each flow and direction, by number; flows far apart share a place, and the later one has it.
    latest: Vec<u32>,
}

impl Watch {
    /// Takes the next packet of a flow; tells what it contradicts.
    pub(crate) fn packet(&mut self, it: &Seen<'_>, track: &mut Track) -> Option<Anomaly> {
        let reset = it.tcp.flags.rst();
        let usual = it.direction.of_mut(&mut track.ttl);
        if !reset && *usual == 0 {
            *usual = it.ip.ttl;
        }
        let (usual, way) = (*usual, way(it));
        let latest = self.latest.get(way).copied().unwrap_or_default();
        let refused = reset && it.direction == Direction::Down && it.unanswered && !*it.direction.of(&track.closed);
        let refused = if refused { self.refused(it, usual) } else { None };
        // Whoever refused a connection may accept it when asked again: many ask a second time.
        if it.tcp.flags.syn() && !it.tcp.flags.ack() && !reset {
            self.asked_again(it);
        }
        // Whoever reset a connection has no more to say in it.
        let goes_on = !reset && *it.direction.of(&track.closed);
        let found = if it.payload.is_empty() && !goes_on || latest == 0 {
            None
        } else {
            self.contradicted(it, latest, usual)
        };
        if reset || !it.payload.is_empty() {
            let number = self.keep(it, latest);
            if self.latest.is_empty() {
                self.latest = vec![0; WAYS];
            }
            if let Some(latest) = self.latest.get_mut(way) {
                *latest = number;
            }
        }
        found.or(refused)
    }

    fn keep(&mut self, it: &Seen<'_>, before: u32) -> u32 {
        self.count = self.count.checked_add(1).unwrap_or(1);
        let length = it.payload.len();
        let kept = Kept {
            number: self.count,
            before,
            flow: it.flow,
            direction: it.direction,
            reset: it.tcp.flags.rst(),
            sequence: it.sequence(),
            acknowledgement: it.tcp.acknowledgement,
            length: u32::try_from(length).unwrap_or(u32::MAX),
            mark: it.ip.mark(),
            span: it.span(),
        };
        if self.ring.len() < KEPT {
            self.ring.push(kept);
            self.heads.push([0; HEAD]);
        } else if let Some(place) = self.ring.get_mut(place(self.count)) {
            *place = kept;
        }
        // What stands behind them is an earlier packet's.
        let head = it.payload.get(..HEAD).unwrap_or(it.payload);
        if let Some(place) = self.heads.get_mut(place(self.count)).and_then(|it| it.get_mut(..head.len())) {
            place.copy_from_slice(head);
        }
        self.count
    }

    /// Forgets the latest resets of the other side.
    fn asked_again(&mut self, it: &Seen<'_>) {
        let other = it.direction.reverse();
        let Some(latest) = self.latest.get_mut(way_of(it.flow, other)) else {
            return;
        };
        while let Some(kept) = self.ring.get(place(*latest)) {
            if kept.number != *latest || kept.flow != it.flow || kept.direction != other || !kept.reset {
                break;
            }
            *latest = kept.before;
        }
    }

    fn kept(&self, number: u32, it: &Seen<'_>) -> Option<&Kept> {
        let kept = self.ring.get(place(number))?;
        (kept.number == number && kept.flow == it.flow && kept.direction == it.direction).then_some(kept)
    }

    /// The first bytes of what it brought.
    fn head(&self, of: &Kept) -> &[u8] {
        let head = self.heads.get(place(of.number));
        head.and_then(|it| it.get(..(of.length as usize).min(HEAD))).unwrap_or_default()
    }

    /// A reset in the name of a server that had said nothing, right behind what the client said.
    fn refused(&self, it: &Seen<'_>, usual: u8) -> Option<Anomaly> {
        let latest = *self.latest.get(way_of(it.flow, Direction::Up))?;
        let kept = self.ring.get(place(latest))?;
        let said = kept.number == latest && kept.flow == it.flow && kept.direction == Direction::Up && !kept.reset;
        if latest == 0 || !said {
            return None;
        }
        let mark = it.ip.mark();
        let other = match usual {
            0 => String::new(),
            usual if usual == mark.ttl => format!("; the answer to the SYN had TTL {usual} too"),
            usual => format!("; the answer to the SYN had TTL {usual}, so this may be another sender"),
        };
        let because = format!(
            "frame {} ({mark}) resets the connection behind frame {}, before the server said anything{other}",
            it.frame.number, kept.span.frame
        );
        Some(told("reset-after-request", because, it, kept.span))
    }

    fn contradicted(&self, it: &Seen<'_>, latest: u32, usual: u8) -> Option<Anomaly> {
        let mut number = latest;
        for _ in 0..BACK {
            let kept = self.kept(number, it)?;
            if kept.reset {
                if let Some(told) = survived(kept, it, usual) {
                    return Some(told);
                }
            } else if it.sequence().wrapping_sub(kept.sequence).cast_signed() >= kept.length.cast_signed() {
                // Nothing before it reaches as far, but what was sent again.
                return None;
            } else if differs(kept, self.head(kept), it) {
                return Some(rewritten(kept, it, usual));
            }
            number = kept.before;
        }
        None
    }
}

/// Where the latest of this flow and direction is told.
const fn way(it: &Seen<'_>) -> usize {
    way_of(it.flow, it.direction)
}

const fn way_of(flow: FlowId, direction: Direction) -> usize {
    (flow.0 as usize)
        .wrapping_mul(2)
        .wrapping_add(matches!(direction, Direction::Down) as usize)
        % WAYS
}

/// Where in the ring: the first packet has number 1.
fn place(number: u32) -> usize {
    number.saturating_sub(1) as usize % KEPT
}

/// Whether both bring bytes for the same place, and other ones.
fn differs(kept: &Kept, known: &[u8], it: &Seen<'_>) -> bool {
    let ahead = it.sequence().wrapping_sub(kept.sequence).cast_signed();
    let skip = ahead.unsigned_abs() as usize;
    let (old, new) = if ahead >= 0 {
        (known.get(skip..).unwrap_or_default(), it.payload)
    } else {
        (known, it.payload.get(skip..).unwrap_or_default())
    };
    old.iter().zip(new).filter(|(old, new)| old != new).count() >= LEAST
}

/// Two copies of one part of a stream that differ.
fn rewritten(kept: &Kept, it: &Seen<'_>, usual: u8) -> Anomaly {
    let (first, second) = (kept.mark, it.ip.mark());
    let (one, two) = (kept.span.frame, it.frame.number);
    let forged = |forged: u64, genuine: u64| {
        format!("frame {forged} is the forged one and frame {genuine} the genuine: only the TTL of the latter is that side's own")
    };
    let (kind, verdict) = match (first.ttl == usual, second.ttl == usual) {
        (false, true) => ("interference-data", forged(one, two)),
        (true, false) => ("interference-data", forged(two, one)),
        _ if first.ttl != second.ttl => (
            "interference-data",
            "their TTL tell of two senders, neither of them as before, so which is the forged one cannot be told".to_owned(),
        ),
        // Programs that relay a telephone's packets to itself do it, so that alone proves nobody else.
        _ => (
            "tcp-overlap-differs",
            "their TTL does not tell two senders apart, so it may be the sender's own fault".to_owned(),
        ),
    };
    let because = format!(
        "frames {one} ({first}) and {two} ({second}) bring different bytes for the same place of the stream, which no retransmission \
         does: {verdict}"
    );
    told(kind, because, it, kept.span)
}

/// A reset that its sender went on after.
fn survived(kept: &Kept, it: &Seen<'_>, usual: u8) -> Option<Anomaly> {
    let second = it.ip.mark();
    if second.ttl == kept.mark.ttl || second.ttl != usual {
        return None;
    }
    let ahead = it.sequence().wrapping_sub(kept.sequence).cast_signed();
    // Forgers have been seen to acknowledge one byte too few.
    let answered = it.tcp.flags.syn() && it.tcp.flags.ack() && it.tcp.acknowledgement.wrapping_sub(kept.acknowledgement) <= 1;
    let farther = ahead.unsigned_abs() < FARTHEST && !it.tcp.flags.syn() && {
        let acknowledged = it.tcp.acknowledgement.wrapping_sub(kept.acknowledgement).cast_signed();
        let end = ahead.saturating_add(i32::try_from(it.payload.len()).unwrap_or(i32::MAX));
        !it.payload.is_empty() && end > 0 || kept.acknowledgement != 0 && (1..FARTHEST.cast_signed()).contains(&acknowledged)
    };
    if !answered && !farther {
        return None;
    }
    let does = if answered { "accepts the connection" } else { "goes on with it" };
    let because = format!(
        "frame {} ({}) resets the connection, and frame {} ({second}) of the same side {does} as if it knew of none: the reset is forged, \
         frame {} is genuine",
        kept.span.frame, kept.mark, it.frame.number, it.frame.number
    );
    Some(told("interference-reset", because, it, kept.span))
}

fn told(kind: &'static str, because: String, it: &Seen<'_>, before: Span) -> Anomaly {
    let locus = |span| Locus {
        input: it.frame.input,
        span,
        layers: ["tcp"].into(),
        decoded_by: Few::none(),
    };
    Anomaly {
        kind,
        severity: Severity::Warning,
        because,
        flow: Some(it.flow),
        evidence: vec![locus(before), locus(it.span())],
    }
}
