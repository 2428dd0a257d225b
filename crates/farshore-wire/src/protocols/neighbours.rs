//! What shares two ports with another protocol: STUN, DTLS and RTP on one path, told apart by the first byte (RFC 7983).
//!
//! A first byte proves nothing: each is handed on once the protocol itself recognises what was kept of it. Refuses to
//! know any of them: it asks [`PROTOCOLS`](super::PROTOCOLS).

use std::collections::VecDeque;

use farshore_model::{Direction, Protection, Transport};

use super::{Match, Opening, Origin, PROTOCOLS, Piece, Segment, Sink, Start};
use crate::limits::Limits;

/// What came of one of them so far.
#[derive(Debug)]
enum Standing {
    /// The latest datagrams, and how many there were.
    Undecided(VecDeque<(Direction, Vec<u8>, Origin)>, u64),
    Recognised,
    /// Too many went by without being recognised.
    Unknown,
}

/// The protocols beside one that was recognised first.
#[derive(Debug)]
pub struct Neighbours {
    ports: (u16, u16),
    kept: usize,
    most: u64,
    known: [(&'static str, Standing); 3],
}

impl Neighbours {
    /// Begins for a flow that was opened thus.
    pub fn new(opening: &Opening<'_>, limits: &Limits) -> Self {
        let standing = || Standing::Undecided(VecDeque::new(), 0);
        Self {
            ports: (opening.client_port, opening.server_port),
            kept: limits.opening_datagrams,
            most: limits.undecided_datagrams,
            known: [("dtls", standing()), ("rtp", standing()), ("stun", standing())],
        }
    }

    /// Takes a datagram that is not the first protocol's own.
    pub fn datagram(&mut self, direction: Direction, piece: Piece<'_>, out: &mut dyn Sink) {
        let hint = match piece.bytes.first() {
            Some(0..=3) => "stun",
            Some(20..=63) => "dtls",
            Some(128..=191) => "rtp",
            _ => {
                self.unread(out);
                return;
            }
        };
        let Some((_, standing)) = self.known.iter_mut().find(|(id, _)| *id == hint) else {
            return;
        };
        let (window, seen) = match standing {
            Standing::Recognised => {
                out.inner(direction, hint, Segment::Bytes(piece));
                return;
            }
            Standing::Unknown => {
                self.unread(out);
                return;
            }
            Standing::Undecided(window, seen) => (window, seen),
        };
        *seen = seen.saturating_add(1);
        window.push_back((direction, piece.bytes.to_vec(), piece.origin));
        if window.len() > self.kept {
            window.pop_front();
        }
        let list: Vec<_> = window.iter().map(|(direction, bytes, _)| (*direction, bytes.as_slice())).collect();
        let opening = Opening {
            transport: Transport::Udp,
            client_port: self.ports.0,
            server_port: self.ports.1,
            layers: &["udp"],
            start: Start::Datagrams(&list),
        };
        let protocol = PROTOCOLS.iter().find(|it| it.id() == hint);
        if protocol.is_some_and(|it| it.matches(&opening) == Match::Yes) {
            let window = std::mem::take(window);
            *standing = Standing::Recognised;
            match hint {
                "dtls" => out.protection(Protection::Dtls),
                "rtp" => self.unread(out),
                _ => {}
            }
            for (direction, bytes, origin) in &window {
                let piece = Piece {
                    bytes,
                    missing: 0,
                    origin: *origin,
                };
                out.inner(*direction, hint, Segment::Bytes(piece));
            }
            return;
        }
        if *seen >= self.most {
            *standing = Standing::Unknown;
        }
        self.unread(out);
    }

    /// The flow carries what nobody reads: unless a handshake was seen that explains it, it is opaque.
    fn unread(&self, out: &mut dyn Sink) {
        let handshake = self
            .known
            .iter()
            .any(|(id, standing)| *id == "dtls" && matches!(standing, Standing::Recognised));
        if !handshake {
            out.protection(Protection::Opaque);
        }
    }

    /// The same for a protocol that was recognised by itself.
    pub fn beside(mut self, own: &'static str) -> Self {
        for (id, standing) in &mut self.known {
            if *id == own {
                *standing = Standing::Recognised;
            }
        }
        self
    }
}
