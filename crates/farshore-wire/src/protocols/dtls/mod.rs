//! DTLS 1.0, 1.2 and the hellos of 1.3: TLS over datagrams (RFC 6347, RFC 9147), as calls in browsers and VPNs use it.
//!
//! # What is extracted, and why it matters
//! The same as of TLS, read by the same code under the name `dtls`: server name, version and suite, certificates (in a call they
//! name the other side's browser), JA3 and JA4, the times of the hellos. Messages that were cut into fragments, came out of
//! order or twice are put together.
//!
//! With keys of a key log, what runs inside, up to 1.2, and the keys of the media beside it (RFC 5764).
//!
//! # What is not
//! Records that no keys open; the handshake of 1.3 after its hellos; records with connection ids (RFC 9146). A message of which a
//! fragment was not captured is not told.
//!
//! # Beside it
//! STUN and SRTP share the ports of a call (RFC 7983). They are handed on once they are recognised as such.

mod reassembly;
mod record;
mod sealed;

use std::ops::Range;

use farshore_model::{Direction, Protection, Transport};

use self::reassembly::Side;
use self::record::{Evidence, Record, Records};
use self::sealed::Sealed;
use super::neighbours::Neighbours;
use super::{Begins, Dissector, FirstBytes, Match, Milestone, Opening, Origin, Piece, Progress, Protocol, Segment, Sink, Start};
use crate::limits::Limits;

/// DTLS.
pub static DTLS: Dtls = Dtls;

/// DTLS, as a [`Protocol`].
#[derive(Debug)]
pub struct Dtls;

impl Protocol for Dtls {
    fn id(&self) -> &'static str {
        "dtls"
    }

    /// Yes: a handshake record in clear whose every length fits; or three datagrams of protected records, each 40 bits of
    /// agreement.
    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Datagrams(list) if opening.transport == Transport::Udp => {
                let mut protected = 0_usize;
                for (_, bytes) in list {
                    match record::evidence(bytes) {
                        Evidence::Handshake => return Match::Yes,
                        Evidence::Protected => protected = protected.saturating_add(1),
                        Evidence::None => {}
                    }
                }
                match protected {
                    0 => Match::No,
                    1 | 2 => Match::Maybe,
                    _ => Match::Yes,
                }
            }
            Start::Datagrams(_) | Start::Stream { .. } => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins::datagram(FirstBytes::range(20, 24))
    }

    fn protection(&self) -> Protection {
        Protection::Dtls
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        // Inside another protocol, that one sees to what is beside.
        let alone = matches!(opening.start, Start::Datagrams(_));
        Box::new(Flow {
            neighbours: alone.then(|| Neighbours::new(opening, limits).beside("dtls")),
            up: Side::new(limits),
            down: Side::new(limits),
            sealed: Sealed::default(),
            positions: [0; 2],
            room: Vec::new(),
        })
    }
}

/// One flow.
struct Flow {
    neighbours: Option<Neighbours>,
    up: Side,
    down: Side,
    sealed: Sealed,
    /// Bytes inside so far, each way.
    positions: [u64; 2],
    /// Holds one record while it is opened; kept for its room.
    room: Vec<u8>,
}

impl Dissector for Flow {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let Segment::Bytes(piece) = it else { return Progress::More };
        if !record::may_begin(piece.bytes) {
            if let Some(neighbours) = &mut self.neighbours {
                neighbours.datagram(direction, piece, out);
            }
            return Progress::More;
        }
        for record in Records::new(piece.bytes) {
            if record.is_clear_handshake() {
                self.fragments(direction, &piece, record.at, out);
            } else if record.epoch > 0 {
                self.opened(direction, &piece, &record, out);
            }
        }
        Progress::More
    }

    fn finish(&mut self, out: &mut dyn Sink) {
        self.sealed.close(out);
    }
}

impl Flow {
    /// A record under keys.
    fn opened(&mut self, direction: Direction, piece: &Piece<'_>, record: &Record, out: &mut dyn Sink) {
        let mut room = std::mem::take(&mut self.room);
        if let Some(content) = self.sealed.open(direction, piece.bytes, record, &mut room, out) {
            if self.sealed.hides(direction) {
                out.under(Protection::Dtls);
            }
            let position = direction.of_mut(&mut self.positions);
            let inside = Piece {
                bytes: room.get(content).unwrap_or_default(),
                missing: 0,
                origin: Origin {
                    offset: *position,
                    in_frame: false,
                    ..piece.origin
                },
            };
            match record.kind {
                22 => self.fragments(direction, &inside, 0..inside.bytes.len(), out),
                23 if !inside.bytes.is_empty() => {
                    *position = position.saturating_add(inside.bytes.len() as u64);
                    out.stream(direction, None, Segment::Bytes(inside));
                }
                _ => {}
            }
            out.under(Protection::Plaintext);
        }
        self.room = room;
    }

    /// Fragments of messages, in clear or opened.
    fn fragments(&mut self, direction: Direction, piece: &Piece<'_>, part: Range<usize>, out: &mut dyn Sink) {
        let mut at = part.start;
        while let Some(fragment) = record::Fragment::read(piece.bytes, at..part.end) {
            at = fragment.body.end;
            if self.is_another_hello(direction, &fragment, piece.bytes) {
                self.up.forget();
                self.down.forget();
            }
            let side = match direction {
                Direction::Up => &mut self.up,
                Direction::Down => &mut self.down,
            };
            if side.has_told(&fragment) {
                if fragment.kind == 1 {
                    out.milestone(Milestone::HelloRepeated);
                }
                continue;
            }
            let kept = Sealed::wants(fragment.kind, out.secrets());
            if let Some(hello) = side.fragment(direction, &fragment, piece, kept, out) {
                self.sealed.hello(direction, &hello, out.secrets());
                for (suite, master) in self.sealed.media_keys() {
                    out.media_key(suite.name, master, piece.origin.frame);
                }
            }
        }
    }

    /// Whether this begins another handshake on the same ports: a hello numbered like one told before, but another.
    fn is_another_hello(&self, direction: Direction, fragment: &record::Fragment, bytes: &[u8]) -> bool {
        let side = match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        };
        fragment.kind == 1 && fragment.offset == 0 && side.has_told(fragment) && side.is_other_random(fragment, bytes)
    }
}

#[cfg(test)]
mod tests;
