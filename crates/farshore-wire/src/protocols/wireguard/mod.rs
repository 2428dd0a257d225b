//! WireGuard, a tunnel over UDP.
//!
//! # What is extracted, and why it matters
//! That it is one, and which end began: what went through it went somewhere else than the capture shows.
//!
//! # What is not
//! Everything within. Who the ends are is sealed as well: the initiator's key crosses encrypted, and the check of a
//! message is keyed with the other end's. The flow is [`Protection::Opaque`]. Variants that fill the reserved bytes or pad
//! the handshake are not recognised.
//!
//! # The test a flow must pass
//! A handshake whose answer names the index of what it answers; or a lone initiation, of the very length, without a cookie
//! and with bytes as even as keys are; or two data packets to one index whose counters follow one another. Reserved bytes
//! are zero, lengths as they must be. A port is not asked for: there is none that all use.
//!
//! **Read after** "WireGuard: Next Generation Kernel Network Tunnel" (Donenfeld, 2017), section 5.4.

use farshore_model::{Direction, Protection, Transport};

use super::{Begins, Dissector, FirstBytes, Match, Opening, Progress, Protocol, Segment, Sink, Start};
use crate::cursor::Cursor;
use crate::limits::Limits;

/// WireGuard.
pub static WIREGUARD: WireGuard = WireGuard;

/// WireGuard, as a [`Protocol`].
#[derive(Debug)]
pub struct WireGuard;

impl Protocol for WireGuard {
    fn id(&self) -> &'static str {
        "wireguard"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Datagrams(list) if opening.transport == Transport::Udp => recognise(list),
            Start::Datagrams(_) | Start::Stream { .. } => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins::datagram(FirstBytes::range(1, 4))
    }

    fn protection(&self) -> Protection {
        Protection::Opaque
    }

    fn start(&self, _: &Opening<'_>, _: &Limits) -> Box<dyn Dissector> {
        Box::new(Tunnel { begun: false })
    }
}

/// Lengths of the three messages of a handshake.
const INITIATION: usize = 148;
const RESPONSE: usize = 92;
const COOKIE: usize = 64;
/// A data packet: its header, and the tag of what may be nothing.
const SHORTEST_DATA: usize = 32;
/// Counters farther apart than this are not neighbours: captures lose and reorder a little.
const NEIGHBOURS: u64 = 1 << 10;
/// Different values among the 124 bytes of keys and sealed bytes in an initiation. Random ones have about 98; not one
/// in a billion has fewer than 70.
const EVEN: usize = 70;

/// A message by its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    /// Asks, under an index of its own; `bare` tells whether no cookie is in it and its bytes are even.
    Initiation { sender: u32, bare: bool },
    /// Answers an initiation, by index.
    Response { receiver: u32 },
    /// Asks for another initiation, by index.
    Cookie { receiver: u32 },
    /// Carries a packet, or keeps the way open.
    Data { receiver: u32, counter: u64 },
}

impl Message {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut it = Cursor::new("wireguard", bytes);
        let [kind, 0, 0, 0] = it.array::<4>().ok()? else { return None };
        let index = u32::from_le_bytes(it.array().ok()?);
        Some(match (kind, bytes.len()) {
            (1, INITIATION) => {
                let sealed = it.take(INITIATION.saturating_sub(24)).ok()?;
                let mut seen = [false; 256];
                for byte in sealed {
                    if let Some(it) = seen.get_mut(usize::from(*byte)) {
                        *it = true;
                    }
                }
                let even = seen.iter().filter(|it| **it).count() >= EVEN;
                Self::Initiation {
                    sender: index,
                    bare: even && it.rest() == [0; 16],
                }
            }
            (2, RESPONSE) => Self::Response {
                receiver: u32::from_le_bytes(it.array().ok()?),
            },
            (3, COOKIE) => Self::Cookie { receiver: index },
            // Packets are padded to sixteens before they are sealed (section 5.4.6).
            (4, SHORTEST_DATA..) if bytes.len().is_multiple_of(16) => Self::Data {
                receiver: index,
                counter: u64::from_le_bytes(it.array().ok()?),
            },
            _ => return None,
        })
    }
}

/// The latest message is judged against those before it: each was the latest once.
fn recognise(list: &[(Direction, &[u8])]) -> Match {
    let Some(((direction, latest), before)) = list.split_last() else {
        return Match::No;
    };
    let Some(message) = Message::read(latest) else { return Match::No };
    let mut earlier = before
        .iter()
        .filter_map(|(direction, bytes)| Some((*direction, Message::read(bytes)?)));
    let told = match message {
        Message::Initiation { bare, .. } => bare,
        Message::Response { receiver } | Message::Cookie { receiver } => {
            earlier.any(|(from, it)| from != *direction && matches!(it, Message::Initiation { sender, .. } if sender == receiver))
        }
        Message::Data { receiver, counter } => earlier.any(|(from, it)| match it {
            Message::Data {
                receiver: same,
                counter: other,
            } => from == *direction && same == receiver && (1..NEIGHBOURS).contains(&counter.abs_diff(other)),
            _ => false,
        }),
    };
    if told { Match::Yes } else { Match::Maybe }
}

/// One flow.
#[derive(Debug)]
struct Tunnel {
    begun: bool,
}

impl Dissector for Tunnel {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let Segment::Bytes(piece) = it else { return Progress::More };
        // The ends may change places when keys are renewed: the first to begin is the client.
        if !self.begun {
            let client = match Message::read(piece.bytes) {
                Some(Message::Initiation { .. }) => Some(direction),
                Some(Message::Response { .. } | Message::Cookie { .. }) => Some(direction.reverse()),
                _ => None,
            };
            if let Some(client) = client {
                self.begun = true;
                out.client_speaks(client);
            }
        }
        Progress::More
    }
}

#[cfg(test)]
mod tests {
    use super::super::notebook::{damage, datagrams, read_datagrams};
    use super::*;
    use Direction::{Down, Up};

    const INITIATED: &[u8] = include_bytes!("samples/initiation.bin");
    const ANSWERED: &[u8] = include_bytes!("samples/response.bin");
    const DATA: &[u8] = include_bytes!("samples/data.bin");

    fn verdict(list: &[(Direction, &[u8])]) -> Match {
        WIREGUARD.matches(&datagrams(50_000, 51_820, list))
    }

    /// The sample's data packet under another counter.
    fn data(counter: u64) -> Vec<u8> {
        let mut it = DATA.to_vec();
        it[8..16].copy_from_slice(&counter.to_le_bytes());
        it
    }

    /// An initiation that carries the answer to a cookie, so that nothing but an answer tells it.
    fn with_cookie() -> Vec<u8> {
        let mut it = INITIATED.to_vec();
        it[132..].copy_from_slice(&[0x5a; 16]);
        it
    }

    #[test]
    fn who_began_is_the_client() {
        let out = read_datagrams(&WIREGUARD, (50_000, 51_820), &[(Down, INITIATED), (Up, ANSWERED)]);
        assert_eq!((out.client, out.fields.len(), out.observed.len()), (Some(Down), 0, 0));
        // Answered only: the other end had asked.
        let (lone, cookie) = (with_cookie(), cookie());
        for answer in [ANSWERED, &cookie] {
            let out = read_datagrams(&WIREGUARD, (50_000, 51_820), &[(Up, &lone), (Down, answer)]);
            assert_eq!(out.client, Some(Up));
        }
    }

    fn cookie() -> Vec<u8> {
        let mut it = vec![3, 0, 0, 0];
        it.extend(&INITIATED[4..8]);
        it.extend([0xa5; 56]);
        it
    }

    #[test]
    fn an_answer_must_name_what_it_answers() {
        let lone = with_cookie();
        assert_eq!(verdict(&[(Up, &lone)]), Match::Maybe);
        assert_eq!(verdict(&[(Up, &lone), (Down, ANSWERED)]), Match::Yes);
        assert_eq!(verdict(&[(Up, &lone), (Up, ANSWERED)]), Match::Maybe, "nobody answers himself");
        let mut other = ANSWERED.to_vec();
        other[8] ^= 1;
        assert_eq!(verdict(&[(Up, &lone), (Down, &other)]), Match::Maybe);
        assert_eq!(verdict(&[(Up, &lone), (Down, &cookie())]), Match::Yes);
    }

    #[test]
    fn a_lone_initiation_must_look_like_keys() {
        assert_eq!(verdict(&[(Up, INITIATED)]), Match::Yes);
        let mut flat = vec![1, 0, 0, 0];
        flat.resize(INITIATION, 0);
        assert_eq!(verdict(&[(Up, &flat)]), Match::Maybe);
        for wrong in [&INITIATED[..147], &[INITIATED, &[0]].concat()] {
            assert_eq!(verdict(&[(Up, wrong)]), Match::No);
        }
        let mut reserved = INITIATED.to_vec();
        reserved[2] = 1;
        assert_eq!(verdict(&[(Up, &reserved)]), Match::No);
    }

    #[test]
    fn data_must_go_on_to_one_index() {
        assert_eq!(verdict(&[(Up, &data(7))]), Match::Maybe);
        assert_eq!(verdict(&[(Up, &data(7)), (Up, &data(8))]), Match::Yes);
        assert_eq!(verdict(&[(Up, &data(8)), (Up, &data(7))]), Match::Yes, "out of order");
        assert_eq!(verdict(&[(Up, &data(7)), (Up, &data(7))]), Match::Maybe, "a copy");
        assert_eq!(verdict(&[(Up, &data(7)), (Down, &data(8))]), Match::Maybe);
        assert_eq!(verdict(&[(Up, &data(7)), (Up, &data(1 << 40))]), Match::Maybe);
        let mut other = data(8);
        other[4] ^= 1;
        assert_eq!(verdict(&[(Up, &data(7)), (Up, &other)]), Match::Maybe);
        assert_eq!(verdict(&[(Up, &data(7)[..40])]), Match::No, "no multiple of sixteen");
    }

    #[test]
    fn damage_never_panics() {
        for message in [INITIATED, ANSWERED, DATA] {
            damage(&WIREGUARD, (50_000, 51_820), Transport::Udp, Up, message);
        }
    }
}
