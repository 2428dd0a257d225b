//! IPsec: its key exchange, versions 1 and 2 (RFC 2408, RFC 7296), and what it seals, in UDP (RFC 3948) or in IP
//! (RFC 4303).
//!
//! # What is extracted, and why it matters
//! That a flow is a tunnel, and which end began: what went through it went somewhere else than the capture shows. What the
//! ends say of themselves before there are keys: `ike.vendor-id` where it is text, and in version 1's aggressive mode
//! `ike.id`, the user, group or machine that logs in, readable by everyone on the way.
//!
//! # What is not
//! Everything under keys: payloads marked as encrypted, identities in version 2 and in main mode, all of ESP. A flow is
//! [`Protection::Opaque`]: ESP may go without encryption (RFC 2410), and nothing in its header says so. The authentication
//! header (RFC 4302) hides nothing and is stepped over where IP is read. Exchanges over TCP (RFC 8229) are not recognised.
//!
//! # The test a flow must pass
//! A key exchange: an initiator, a version and a kind of exchange that exist, a length that is the datagram's, and
//! payloads that fill it; sealed ones are believed on the ports of IKE only. ESP in UDP: on port 4500, two packets of one
//! direction under one number of security association whose sequence numbers follow one another. ESP in IP: the protocol
//! number of IP, which is no port but says how its payload is read.

mod ike;

use farshore_model::{Direction, Protection, Transport};

use self::ike::Message;
use super::{Begins, Dissector, Field, FirstBytes, Match, Opening, Piece, Progress, Protocol, Segment, Sink, Start};
use crate::cursor::Cursor;
use crate::limits::Limits;

/// The key exchange.
pub static IKE: Ipsec = Ipsec { id: "ike" };

/// What is sealed, where it is carried by UDP.
pub static ESP: Ipsec = Ipsec { id: "esp" };

/// The number of ESP as a protocol of IP.
pub(crate) const ESP_NUMBER: u8 = 50;

/// One of the two, as a [`Protocol`].
#[derive(Debug)]
pub struct Ipsec {
    id: &'static str,
}

/// IKE, and GDOI beside it (RFC 6407).
const IKE_PORTS: [u16; 2] = [500, 848];
/// Where both come together: ESP as it is, and a message of IKE behind a number that is none of ESP's (RFC 3948, section 2).
const SHARED_PORT: u16 = 4500;
/// The number that none of ESP's packets has.
const MARKER: [u8; 4] = [0; 4];
/// Numbers of security associations below this are reserved (RFC 4303, section 2.1).
const LEAST_ASSOCIATION: u32 = 256;
/// Sequence numbers farther apart than this are not neighbours: captures lose and reorder a little.
const NEIGHBOURS: u32 = 1 << 10;

impl Protocol for Ipsec {
    fn id(&self) -> &'static str {
        self.id
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        let ports = [opening.client_port, opening.server_port];
        let shared = ports.contains(&SHARED_PORT);
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Datagrams(list) if opening.transport == Transport::Udp => {
                let Some(((direction, latest), before)) = list.split_last() else {
                    return Match::No;
                };
                if self.id == IKE.id {
                    let own = shared || IKE_PORTS.iter().any(|it| ports.contains(it));
                    let body = if shared { latest.strip_prefix(&MARKER) } else { Some(*latest) };
                    return match body.and_then(Message::read) {
                        Some(it) if it.is_whole(own) => Match::Yes,
                        _ => Match::No,
                    };
                }
                match sealed(latest).filter(|_| shared) {
                    Some((association, number)) => {
                        let follows = |(from, bytes): &(Direction, &[u8])| {
                            from == direction
                                && sealed(bytes).is_some_and(|(same, other)| {
                                    same == association && (1..NEIGHBOURS).contains(&number.wrapping_sub(other))
                                })
                        };
                        if before.iter().any(follows) { Match::Yes } else { Match::Maybe }
                    }
                    None => Match::No,
                }
            }
            Start::Datagrams(_) | Start::Stream { .. } => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        // A number of the peers' own stands first.
        Begins::datagram(FirstBytes::ANY)
    }

    fn protection(&self) -> Protection {
        Protection::Opaque
    }

    fn start(&self, opening: &Opening<'_>, _: &Limits) -> Box<dyn Dissector> {
        Box::new(Association {
            id: self.id,
            // What another reader hands on comes without the marker.
            shared: [opening.client_port, opening.server_port].contains(&SHARED_PORT) && !matches!(opening.start, Start::Hinted),
        })
    }
}

/// Association and sequence number of a packet of ESP in UDP.
fn sealed(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut it = Cursor::new("esp", bytes);
    let (association, number) = (it.u32().ok()?, it.u32().ok()?);
    // Payload data, padding and its length are aligned to fours, and so are the checks that are in use.
    let fits = association >= LEAST_ASSOCIATION && number != 0 && it.left() >= 12 && it.left().is_multiple_of(4);
    fits.then_some((association, number))
}

/// One flow.
#[derive(Debug)]
struct Association {
    id: &'static str,
    shared: bool,
}

impl Dissector for Association {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let Segment::Bytes(piece) = it else { return Progress::More };
        let marked = self.shared && piece.bytes.starts_with(&MARKER);
        // One byte keeps a way through address translation open (RFC 3948, section 2.3).
        if self.shared && piece.bytes == [0xff] {
            return Progress::More;
        }
        let kind = match (self.shared, marked) {
            (true, true) => IKE.id,
            (true, false) => ESP.id,
            (false, _) => self.id,
        };
        let from = if marked { MARKER.len() } else { 0 };
        let body = piece.behind(from);
        if kind != self.id {
            out.inner(direction, kind, Segment::Bytes(body));
        } else if kind == IKE.id
            && let Some(message) = Message::read(body.bytes)
        {
            tell(&message, direction, &body, out);
        }
        Progress::More
    }
}

fn tell(message: &Message, direction: Direction, piece: &Piece<'_>, out: &mut dyn Sink) {
    if let Some(asks) = message.asks {
        out.client_speaks(if asks { direction } else { direction.reverse() });
    }
    for (path, range) in message.named(piece.bytes) {
        let value = piece.bytes.get(range.clone()).unwrap_or_default();
        let at = piece.origin.span(range);
        out.field(Field { path, value, at });
    }
}

#[cfg(test)]
mod tests;
