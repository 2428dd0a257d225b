//! Owns TCP conversations: handshake, data with acknowledgments, close (RFC 9293), as seen at the client.
//!
//! Refuses loss and reordering: the lab's links are good, so whatever an auditor loses it lost itself.

use crate::client::{Client, Direction, FlowId, MS, Nanos};
use crate::net::{SEGMENT, Segment};
use crate::payload::Payload;

const FIN: u8 = 1;
const SYN: u8 = 2;
const PSH: u8 = 8;
const ACK: u8 = 16;

/// Maximum segment size 1460, selective acknowledgments permitted, window scale 7, in the order phones send them.
const SYN_OPTIONS: [u8; 12] = [2, 4, 0x05, 0xb4, 1, 3, 3, 7, 4, 2, 1, 1];

/// Nanoseconds between two full segments of a burst: about 100 Mbit/s.
const SERIALISATION: Nanos = 120_000;

/// An open connection; `now` moves with what it carries.
#[derive(Debug)]
pub struct Connection {
    flow: FlowId,
    /// Next sequence number of the client.
    client: u32,
    /// Next sequence number of the server.
    server: u32,
    /// Time of the last frame the next one may have to wait for.
    now: Nanos,
    /// Time of the last frame from the server: its frames never overtake each other.
    last_down: Nanos,
}

impl Connection {
    /// Three-way handshake, begun at `at`.
    pub fn open(client: &mut Client, flow: FlowId, at: Nanos) -> Self {
        let up = client.random.word() as u32;
        let down = client.random.word() as u32;
        let nothing = Payload::new();
        let syn = Segment {
            seq: up,
            flags: SYN,
            window: 65_535,
            options: &SYN_OPTIONS,
            ..Segment::default()
        };
        client.tcp(flow, at, Direction::Up, syn, &nothing);
        let answered = at + client.round_trip(flow);
        let syn = Segment {
            seq: down,
            ack: up.wrapping_add(1),
            flags: SYN | ACK,
            window: 64_240,
            ..syn
        };
        client.tcp(flow, answered, Direction::Down, syn, &nothing);
        let mut it = Self {
            flow,
            client: up.wrapping_add(1),
            server: down.wrapping_add(1),
            now: answered + 45_000,
            last_down: answered,
        };
        it.segment(client, it.now, Direction::Up, ACK, &nothing);
        it
    }

    /// The time of the last frame.
    #[must_use]
    pub fn now(&self) -> Nanos {
        self.now
    }

    /// Its flow.
    #[must_use]
    pub fn flow(&self) -> FlowId {
        self.flow
    }

    /// Sends `payload` after `pause`; the client's bytes are acknowledged one round trip later, the server's at once.
    pub fn send(&mut self, client: &mut Client, direction: Direction, pause: Nanos, payload: &Payload) {
        let pieces = payload.pieces(SEGMENT);
        let last = pieces.len().saturating_sub(1);
        match direction {
            Direction::Up => self.now += pause,
            Direction::Down => {
                let arrival = self.now + pause + client.round_trip(self.flow);
                self.now = arrival.max(self.last_down + SERIALISATION);
            }
        }
        for (index, piece) in pieces.iter().enumerate() {
            if index > 0 {
                self.now += SERIALISATION;
            }
            let flags = if index == last { ACK | PSH } else { ACK };
            self.segment(client, self.now, direction, flags, piece);
            // Every second segment and the last are acknowledged (RFC 9293 section 3.8.6.3).
            if index % 2 == 1 || index == last {
                match direction {
                    Direction::Up => {
                        let trip = client.round_trip(self.flow);
                        let at = (self.now + trip).max(self.last_down + 1000);
                        self.segment(client, at, Direction::Down, ACK, &Payload::new());
                    }
                    Direction::Down => self.segment(client, self.now + 40_000, Direction::Up, ACK, &Payload::new()),
                }
            }
        }
    }

    /// Waits until `at`, if that is still to come.
    pub fn wait_until(&mut self, at: Nanos) {
        self.now = self.now.max(at);
    }

    /// The client closes, the server follows.
    pub fn close(mut self, client: &mut Client) -> Nanos {
        let nothing = Payload::new();
        let at = (self.now + MS / 2).max(self.last_down + MS / 2);
        self.segment(client, at, Direction::Up, FIN | ACK, &nothing);
        let at = (at + client.round_trip(self.flow)).max(self.last_down + 1000);
        self.segment(client, at, Direction::Down, FIN | ACK, &nothing);
        self.segment(client, at + 40_000, Direction::Up, ACK, &nothing);
        at + 40_000
    }

    fn segment(&mut self, client: &mut Client, at: Nanos, direction: Direction, flags: u8, payload: &Payload) {
        let (seq, ack) = match direction {
            Direction::Up => (self.client, self.server),
            Direction::Down => (self.server, self.client),
        };
        let header = Segment {
            seq,
            ack,
            flags,
            window: 2_048,
            ..Segment::default()
        };
        client.tcp(self.flow, at, direction, header, payload);
        let advance = payload.len() as u32 + u32::from(flags & FIN != 0);
        match direction {
            Direction::Up => self.client = self.client.wrapping_add(advance),
            Direction::Down => {
                self.server = self.server.wrapping_add(advance);
                self.last_down = at;
            }
        }
    }
}
