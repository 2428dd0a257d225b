//! STUN and TURN (RFC 8489, RFC 8656; before them RFC 3489): how the two ends of a call find each other.
//!
//! # What is extracted, and why it matters
//! Fields: `stun.username` (`stun.ice.ufrag` where it names a session), `stun.realm` and `stun.software`, which name an account at a relay and the product;
//! `stun.mapped-address`, the client's own address as the world sees it; `stun.peer-address`, who it talks to through a relay;
//! `stun.relayed-address`, where the relay speaks for it. Addresses are told as text, at the place of their coded form.
//! A flow whose other end is asked to relay, or does, carries `turn`: whoever runs that end is not who the content is for.
//!
//! # What is not
//! Integrity and fingerprints are not checked. Tickets and passwords are not sent in STUN, only digests of them.
//!
//! # Beside it, and inside
//! DTLS and RTP share the ports (RFC 7983), and a relay carries them in channels, Send and Data indications: they are handed on
//! once they are recognised as such. What is not recognised leaves the flow opaque.
//!
//! # The test a flow must pass
//! A message with the magic cookie whose length fits the datagram to the byte; over TCP its first twenty bytes, with or without
//! the length that RFC 4571 puts before them. Without a cookie: an answer that holds an address, all of whose attributes fit.

mod message;

use std::net::IpAddr;

use farshore_model::{Direction, Protection, Transport};

use self::message::{Attribute, Message};
use super::neighbours::Neighbours;
use super::{Begins, Dissector, Field, FirstBytes, Gathered, Match, Opening, Piece, Progress, Protocol, Segment, Sink, Start};
use crate::limits::Limits;

/// STUN.
pub static STUN: Stun = Stun;

/// STUN, as a [`Protocol`].
#[derive(Debug)]
pub struct Stun;

impl Protocol for Stun {
    fn id(&self) -> &'static str {
        "stun"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Datagrams(list) if opening.transport == Transport::Udp => {
                let evident = list.last().is_some_and(|(_, bytes)| Message::is_evident(bytes));
                if evident { Match::Yes } else { Match::No }
            }
            Start::Stream { up, down } if opening.transport == Transport::Tcp => {
                let sides = [up, down].map(message::begins);
                if sides.contains(&Match::Yes) {
                    Match::Yes
                } else if sides.contains(&Match::Maybe) {
                    Match::Maybe
                } else {
                    Match::No
                }
            }
            Start::Datagrams(_) | Start::Stream { .. } => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        // On a stream a length may stand before it.
        Begins {
            stream: FirstBytes::ANY,
            datagram: FirstBytes::range(0, 0x3f),
        }
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        // Inside another protocol, that one sees to what is beside.
        let alone = !matches!(opening.start, Start::Hinted);
        Box::new(Path {
            stream: opening.transport == Transport::Tcp && alone,
            neighbours: alone.then(|| Neighbours::new(opening, limits).beside("stun")),
            up: Lane::default(),
            down: Lane::default(),
            relayed: false,
        })
    }
}

/// One flow.
struct Path {
    stream: bool,
    neighbours: Option<Neighbours>,
    up: Lane,
    down: Lane,
    /// It was told that this goes through a relay.
    relayed: bool,
}

/// One direction of a stream.
#[derive(Default)]
struct Lane {
    gathered: Gathered,
    /// Nobody knows where the next message begins.
    adrift: bool,
}

impl Dissector for Path {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        match it {
            Segment::Bytes(piece) if self.stream => self.stream(direction, &piece, out),
            Segment::Bytes(piece) => self.datagram(direction, piece, out),
            Segment::Gap(_) => {
                let lane = self.lane(direction);
                lane.gathered.clear();
                lane.adrift = true;
            }
        }
        Progress::More
    }
}

impl Path {
    const fn lane(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        }
    }

    /// Cuts a stream into what would be datagrams.
    fn stream(&mut self, direction: Direction, piece: &Piece<'_>, out: &mut dyn Sink) {
        let mut lane = std::mem::take(self.lane(direction));
        if lane.adrift && message::begins(piece.bytes) == Match::Yes {
            lane.adrift = false;
        }
        if !lane.adrift {
            lane.gathered.push(piece);
        }
        while let Some(unit) = message::unit(lane.gathered.bytes()) {
            let Ok(unit) = unit else {
                lane.gathered.clear();
                lane.adrift = true;
                out.protection(Protection::Opaque);
                break;
            };
            let Some(bytes) = lane.gathered.bytes().get(unit.content.clone()).map(<[u8]>::to_vec) else {
                break;
            };
            let at = lane.gathered.span(unit.content.clone());
            lane.gathered.consume(unit.length);
            self.datagram(direction, Piece::at(&bytes, &at), out);
        }
        *self.lane(direction) = lane;
    }

    fn datagram(&mut self, direction: Direction, piece: Piece<'_>, out: &mut dyn Sink) {
        if let Some(message) = Message::read(piece.bytes) {
            self.message(direction, &message, &piece, out);
        } else if let Some(data) = message::channel_data(piece.bytes) {
            self.relayed(out);
            self.carried(direction, &piece, data, out);
        } else if let Some(neighbours) = &mut self.neighbours {
            neighbours.datagram(direction, piece, out);
        }
    }

    fn message(&mut self, direction: Direction, message: &Message<'_>, piece: &Piece<'_>, out: &mut dyn Sink) {
        if message.is_of_relay_client() {
            out.client_speaks(direction);
            self.relayed(out);
        }
        // With a realm the name is of an account at the relay (RFC 8489, section 9.2); without one it is two words drawn for
        // this session (RFC 8445, section 7.2.2).
        let attributes = message.attributes();
        let long_term = attributes.iter().any(|(it, _)| matches!(it, Attribute::Realm));
        for (attribute, range) in attributes {
            let value = piece.bytes.get(range.clone()).unwrap_or_default();
            let at = piece.origin.span(range.clone());
            let (path, address) = match attribute {
                Attribute::Username if long_term => ("stun.username", None),
                Attribute::Username => ("stun.ice.ufrag", None),
                Attribute::Realm => ("stun.realm", None),
                Attribute::Software => ("stun.software", None),
                Attribute::MappedAddress => ("stun.mapped-address", Some(message.address(value, false))),
                Attribute::XorMappedAddress => ("stun.mapped-address", Some(message.address(value, true))),
                Attribute::XorPeerAddress => ("stun.peer-address", Some(message.address(value, true))),
                Attribute::XorRelayedAddress => ("stun.relayed-address", Some(message.address(value, true))),
                Attribute::Data => {
                    self.relayed(out);
                    self.carried(direction, piece, range, out);
                    continue;
                }
            };
            let text = match address {
                Some(address) => address.map(|it: IpAddr| it.to_string().into_bytes()),
                // Text ends where padding begins: senders that count it in are many.
                None => Some(value.trim_ascii_end().to_vec()).map(|it| it.strip_suffix(&[0]).map(<[u8]>::to_vec).unwrap_or(it)),
            };
            if let Some(value) = text.filter(|it| !it.is_empty()) {
                out.field(Field { path, value: &value, at });
            }
        }
    }

    /// The other end is a relay: what it carries is meant for somebody else.
    fn relayed(&mut self, out: &mut dyn Sink) {
        if !std::mem::replace(&mut self.relayed, true) {
            out.carries("turn");
        }
    }

    /// What a relay carries.
    fn carried(&mut self, direction: Direction, piece: &Piece<'_>, data: std::ops::Range<usize>, out: &mut dyn Sink) {
        let part = piece.part(data);
        if let Some(neighbours) = &mut self.neighbours
            && !part.bytes.is_empty()
        {
            neighbours.datagram(direction, part, out);
        }
    }
}

#[cfg(test)]
mod tests;
