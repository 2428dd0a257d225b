//! OpenVPN's control channel over UDP and TCP, without a wrapper or under `tls-auth`.
//!
//! # What is extracted, and why it matters
//! Its TLS handshake, handed on as `tls`: who answers, under which certificate and suite, and the client's fingerprint. That a
//! flow is a tunnel says that what went through it went somewhere else than the capture shows.
//!
//! # What is not
//! Data packets: the flow is [`Protection::Opaque`]. Under `tls-crypt` the control channel is encrypted as well and not
//! recognised. Handshakes after the first of a session (soft resets) are left alone.
//!
//! # The test a flow must pass
//! Two control packets of opposite directions, one of which names the other's session of 64 bits as the one it answers, all
//! lengths fitting. `tls-auth` puts a digest between: its length (16, 20, 32, 64) is the one under which they agree.
//!
//! **Read after** OpenVPN's own description of its protocol (`doxygen/network_protocol.h` in its sources).

mod packet;

use std::collections::BTreeMap;

use farshore_model::{Direction, Protection, Transport};

use self::packet::{Kind, Packet, Wrap};
use super::{Begins, Dissector, FirstBytes, Gathered, Match, Opening, Origin, Piece, Progress, Protocol, Segment, Sink, Start};
use crate::limits::Limits;

/// OpenVPN.
pub static OPENVPN: OpenVpn = OpenVpn;

/// OpenVPN, as a [`Protocol`].
#[derive(Debug)]
pub struct OpenVpn;

impl Protocol for OpenVpn {
    fn id(&self) -> &'static str {
        "openvpn"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Hinted => Match::Yes,
            // The latest must bring something new: those before it were the latest before.
            Start::Datagrams(list) if opening.transport == Transport::Udp => match list.last() {
                Some((_, latest)) if packet::is_control(latest) => recognise(list),
                _ => Match::No,
            },
            Start::Stream { up, down } if opening.transport == Transport::Tcp => recognise(&of_streams(up, down)),
            Start::Datagrams(_) | Start::Stream { .. } => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        // The kind of a control packet stands in the high bits; on a stream its length stands before it.
        Begins {
            stream: FirstBytes::ANY,
            datagram: FirstBytes::range(0x08, 0x17).and(0x20, 0x2f).and(0x38, 0x47),
        }
    }

    fn protection(&self) -> Protection {
        Protection::Opaque
    }

    fn start(&self, opening: &Opening<'_>, _: &Limits) -> Box<dyn Dissector> {
        let wrap = match opening.start {
            Start::Datagrams(list) => packet::agreed(list),
            Start::Stream { up, down } => packet::agreed(&of_streams(up, down)),
            Start::Hinted => None,
        };
        Box::new(Tunnel {
            stream: opening.transport == Transport::Tcp,
            wrap: wrap.unwrap_or_default(),
            up: Lane::default(),
            down: Lane::default(),
        })
    }
}

fn recognise(list: &[(Direction, &[u8])]) -> Match {
    if packet::agreed(list).is_some() {
        return Match::Yes;
    }
    // A lone reset may yet be answered.
    let reset = list.iter().any(|(_, bytes)| packet::is_reset(bytes));
    if reset { Match::Maybe } else { Match::No }
}

/// The packets at the beginning of both streams.
fn of_streams<'a>(up: &'a [u8], down: &'a [u8]) -> Vec<(Direction, &'a [u8])> {
    let mut list = Vec::new();
    for (direction, mut rest) in [(Direction::Up, up), (Direction::Down, down)] {
        while let Some((bytes, after)) = packet::framed(rest) {
            list.push((direction, bytes));
            rest = after;
        }
    }
    list
}

/// Packets that wait for one before them; OpenVPN itself keeps eight.
const MOST_WAITING: usize = 32;

/// One flow.
#[derive(Debug)]
struct Tunnel {
    stream: bool,
    wrap: Wrap,
    up: Lane,
    down: Lane,
}

/// One direction.
#[derive(Debug, Default)]
struct Lane {
    gathered: Gathered,
    adrift: bool,
    session: Option<[u8; 8]>,
    /// The number of the message expected next.
    next: Option<u32>,
    waiting: BTreeMap<u32, (Vec<u8>, Origin)>,
}

impl Dissector for Tunnel {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let wrap = self.wrap;
        let stream = self.stream;
        let lane = match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        };
        match it {
            Segment::Bytes(piece) if stream => lane.stream(wrap, direction, &piece, out),
            Segment::Bytes(piece) => lane.packet(wrap, direction, &piece, out),
            Segment::Gap(_) => {
                lane.gathered.clear();
                lane.adrift = true;
            }
        }
        let done = |lane: &Lane| lane.adrift;
        if done(&self.up) && done(&self.down) {
            return Progress::Lost;
        }
        Progress::More
    }
}

impl Lane {
    /// Cuts a stream into packets, each behind its length.
    fn stream(&mut self, wrap: Wrap, direction: Direction, piece: &Piece<'_>, out: &mut dyn Sink) {
        if self.adrift {
            return;
        }
        self.gathered.push(piece);
        while let Some((bytes, _)) = packet::framed(self.gathered.bytes()) {
            let bytes = bytes.to_vec();
            let length = bytes.len().saturating_add(2);
            let at = self.gathered.span(2..length);
            self.gathered.consume(length);
            self.packet(wrap, direction, &Piece::at(&bytes, &at), out);
        }
        // No packet is empty.
        self.adrift = self.gathered.bytes().starts_with(&[0, 0]);
    }

    fn packet(&mut self, wrap: Wrap, direction: Direction, piece: &Piece<'_>, out: &mut dyn Sink) {
        let Some(packet) = Packet::read(piece.bytes, wrap) else { return };
        match packet.kind {
            Kind::ClientReset | Kind::ServerReset => {
                if packet.kind == Kind::ClientReset {
                    out.client_speaks(direction);
                } else {
                    out.client_speaks(direction.reverse());
                }
                // The same one again is a repetition.
                if self.session != Some(packet.session) {
                    self.session = Some(packet.session);
                    self.next = packet.number.map(|it| it.saturating_add(1));
                    self.waiting.clear();
                }
            }
            Kind::Control if packet.key == 0 => {
                if *self.session.get_or_insert(packet.session) != packet.session {
                    return;
                }
                let Some(number) = packet.number else { return };
                let part = piece.part(packet.payload.clone());
                let next = *self.next.get_or_insert(number);
                if number < next || part.bytes.is_empty() {
                    return;
                }
                self.waiting.entry(number).or_insert_with(|| (part.bytes.to_vec(), part.origin));
                if self.waiting.len() > MOST_WAITING {
                    // The missing one was not captured; how long it was, nobody knows.
                    self.next = self.waiting.keys().next().copied();
                    out.inner(direction, "tls", Segment::Gap(1));
                }
                self.drain(direction, piece.origin.frame, out);
            }
            Kind::Control | Kind::Acknowledgement => {}
        }
    }

    /// Hands on what has become whole.
    fn drain(&mut self, direction: Direction, frame: u64, out: &mut dyn Sink) {
        while let Some((bytes, mut origin)) = self.next.and_then(|next| self.waiting.remove(&next)) {
            origin.frame = origin.frame.max(frame);
            self.next = self.next.and_then(|it| it.checked_add(1));
            let piece = Piece {
                bytes: &bytes,
                missing: 0,
                origin,
            };
            out.inner(direction, "tls", Segment::Bytes(piece));
        }
    }
}

#[cfg(test)]
mod tests;
