//! SOCKS 4, 4a and 5 (RFC 1928, RFC 1929, and Ying-Da Lee's notes on version 4): a client asks a proxy to connect it.
//!
//! # What is extracted, and why it matters
//! `socks.destination`, where the client really wants to go, which the flow's own addresses do not show, and, if it is a name,
//! [`Observation::PeerNamed`]; `socks.username` and
//! `socks.password`, in clear to everyone on the path. What then runs through the connection is recognised anew and handed on.
//!
//! # What is not
//! Datagrams that a proxy passes on; logins other than by name and password (GSS-API).
//!
//! # The test a flow must pass
//! Version 5: an offer of methods, the proxy's choice of one of them, and the beginning of what must follow that choice. Version
//! 4: a request that is whole, and the beginning of its answer.

mod message;

use std::net::IpAddr;

use farshore_model::{Direction, Observation, Protection, Transport, WireText};

use self::message::{Ask, Part};
use super::{
    Begins, Dissector, Field, FirstBytes, Gathered, Match, Opening, Origin, PROTOCOLS, Piece, Progress, Protocol, Segment, Sink, Start,
};
use crate::limits::Limits;

/// SOCKS.
pub static SOCKS: Socks = Socks;

/// SOCKS, as a [`Protocol`].
#[derive(Debug)]
pub struct Socks;

impl Protocol for Socks {
    fn id(&self) -> &'static str {
        "socks"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Stream { up, down } if opening.transport == Transport::Tcp => message::begins(up, down),
            Start::Datagrams(_) | Start::Stream { .. } => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::of(&[4, 5]))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        Box::new(Connection {
            ports: (opening.client_port, opening.server_port),
            most: limits.opening_bytes,
            step: Step::Open,
            up: Gathered::default(),
            down: Gathered::default(),
            kept: Vec::new(),
        })
    }
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The client's first message.
    Open,
    /// The choice of a method.
    Choice,
    Login,
    Verdict,
    Ask,
    Answer,
    /// The answer of version 4.
    Answer4,
    /// The connection itself, not recognised yet.
    Through,
    Of(&'static str),
}

/// One flow.
struct Connection {
    ports: (u16, u16),
    most: usize,
    step: Step,
    up: Gathered,
    down: Gathered,
    /// What went through and is not recognised yet.
    kept: Vec<(Direction, Vec<u8>, Origin)>,
}

impl Dissector for Connection {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        match (self.step, it) {
            (Step::Of(hint), it) => {
                out.inner(direction, hint, it);
                Progress::More
            }
            (_, Segment::Gap(_)) => Progress::Lost,
            (Step::Through, Segment::Bytes(piece)) => self.through(direction, piece.bytes.to_vec(), piece.origin, out),
            (_, Segment::Bytes(piece)) => {
                match direction {
                    Direction::Up => self.up.push(&piece),
                    Direction::Down => self.down.push(&piece),
                }
                self.talk(out)
            }
        }
    }

    fn finish(&mut self, out: &mut dyn Sink) {
        if !self.kept.is_empty() {
            out.protection(Protection::Opaque);
        }
    }
}

impl Connection {
    /// Reads what has become whole.
    fn talk(&mut self, out: &mut dyn Sink) -> Progress {
        loop {
            let part = match self.step {
                Step::Open => message::open(self.up.bytes()),
                Step::Choice => message::choice(self.down.bytes()),
                Step::Login => message::login(self.up.bytes()),
                Step::Verdict => message::verdict(self.down.bytes()),
                Step::Ask => message::ask(self.up.bytes()),
                Step::Answer => message::answer(self.down.bytes()),
                Step::Answer4 => message::answer_4(self.down.bytes()),
                Step::Through | Step::Of(_) => return self.rest(out),
            };
            let (it, length) = match part {
                Part::Open => return Progress::More,
                Part::Broken => return Progress::Lost,
                Part::Whole(it, length) => (it, length),
            };
            let client = matches!(self.step, Step::Open | Step::Login | Step::Ask);
            if client {
                out.client_speaks(Direction::Up);
            }
            let lane = if client { &mut self.up } else { &mut self.down };
            for (path, (range, shown)) in &it.values {
                let value = shown.as_deref().or_else(|| lane.bytes().get(range.clone())).unwrap_or_default();
                if !value.is_empty() {
                    let at = lane.span(range.clone());
                    out.field(Field { path, value, at });
                    let name = WireText::from_bytes(value);
                    if *path == "socks.destination" && name.as_str().parse::<IpAddr>().is_err() {
                        out.observe(Observation::PeerNamed { protocol: "socks", name }, at);
                    }
                }
            }
            lane.consume(length);
            self.step = match (self.step, it.next) {
                (_, Ask::Refused) => return Progress::Done,
                (Step::Open, Ask::Version4) => Step::Answer4,
                (Step::Open, _) => Step::Choice,
                (Step::Choice, Ask::Login) => Step::Login,
                (Step::Choice | Step::Verdict, _) => Step::Ask,
                (Step::Login, _) => Step::Verdict,
                (Step::Ask, _) => Step::Answer,
                _ => Step::Through,
            };
        }
    }

    /// What came behind the last answer in the same segments.
    fn rest(&mut self, out: &mut dyn Sink) -> Progress {
        for direction in [Direction::Up, Direction::Down] {
            let lane = match direction {
                Direction::Up => &mut self.up,
                Direction::Down => &mut self.down,
            };
            if lane.is_empty() {
                continue;
            }
            let bytes = lane.bytes().to_vec();
            let at = lane.span(0..bytes.len());
            lane.clear();
            let origin = Origin::of(&at, bytes.len());
            if self.through(direction, bytes, origin, out) != Progress::More {
                return Progress::Done;
            }
        }
        Progress::More
    }

    /// Finds out what runs through.
    fn through(&mut self, direction: Direction, bytes: Vec<u8>, origin: Origin, out: &mut dyn Sink) -> Progress {
        if let Step::Of(hint) = self.step {
            let bytes = &bytes[..];
            out.inner(direction, hint, Segment::Bytes(Piece { bytes, missing: 0, origin }));
            return Progress::More;
        }
        self.kept.push((direction, bytes, origin));
        let side = |wanted: Direction| -> Vec<u8> {
            let list = self.kept.iter().filter(|(direction, ..)| *direction == wanted);
            list.flat_map(|(_, bytes, _)| bytes.iter().copied()).collect()
        };
        let (up, down) = (side(Direction::Up), side(Direction::Down));
        let opening = Opening {
            transport: Transport::Tcp,
            client_port: self.ports.0,
            server_port: self.ports.1,
            layers: &["tcp", "socks"],
            start: Start::Stream { up: &up, down: &down },
        };
        let others = || PROTOCOLS.iter().filter(|it| it.id() != "socks");
        if let Some(protocol) = others().find(|it| it.matches(&opening) == Match::Yes) {
            self.step = Step::Of(protocol.id());
            out.protection(protocol.protection());
            for (direction, bytes, origin) in std::mem::take(&mut self.kept) {
                let piece = Piece {
                    bytes: &bytes,
                    missing: 0,
                    origin,
                };
                out.inner(direction, protocol.id(), Segment::Bytes(piece));
            }
            return Progress::More;
        }
        let open = up.len().saturating_add(down.len()) <= self.most && others().any(|it| it.matches(&opening) == Match::Maybe);
        if open {
            return Progress::More;
        }
        out.protection(Protection::Opaque);
        Progress::Done
    }
}

#[cfg(test)]
mod tests;
