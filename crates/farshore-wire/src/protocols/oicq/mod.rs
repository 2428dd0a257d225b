//! OICQ: how QQ's older clients reach Tencent's servers, over UDP.
//!
//! # What is extracted, and why it matters
//! The number that is the account, and names its user for life, stands in clear in every packet: `oicq.user-id`.
//!
//! # What is not
//! What is said: it is encrypted under keys of Tencent's. The flow is [`Protection::Opaque`] but for its header.
//!
//! # How it is told
//! A first and a last byte that never change, a command that exists and a number as long as accounts are; and either
//! Tencent's port 8000, or a second packet of the same version and account.
//!
//! **Read after** what others published of it (libqq, pidgin's sources, Wireshark): Tencent describes it nowhere.

use std::ops::Range;

use farshore_model::{Direction, Protection, Transport};

use super::{Begins, Dissector, Field, FirstBytes, Match, Opening, Progress, Protocol, Segment, Sink, Start};
use crate::cursor::Cursor;
use crate::limits::Limits;

/// OICQ.
pub static OICQ: Oicq = Oicq;

/// OICQ, as a [`Protocol`].
#[derive(Debug)]
pub struct Oicq;

const PORT: u16 = 8000;
const FIRST: u8 = 2;
const LAST: u8 = 3;
/// The shortest packet: header and last byte.
const SHORTEST: usize = 12;
/// Where the account's number stands.
const NUMBER: Range<usize> = 7..11;
/// Accounts have five digits at least.
const LEAST_NUMBER: u32 = 10_000;

impl Protocol for Oicq {
    fn id(&self) -> &'static str {
        "oicq"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Datagrams(list) if opening.transport == Transport::Udp => {
                let own = [opening.client_port, opening.server_port].contains(&PORT);
                let Some(((_, latest), before)) = list.split_last() else {
                    return Match::No;
                };
                let Some(packet) = Packet::read(latest) else { return Match::No };
                let again =
                    |(_, bytes): &(Direction, &[u8])| Packet::read(bytes).is_some_and(|it| it.is_like(&packet) && *bytes != *latest);
                if own || before.iter().any(again) {
                    Match::Yes
                } else {
                    Match::Maybe
                }
            }
            Start::Datagrams(_) | Start::Stream { .. } => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins::datagram(FirstBytes::of(&[FIRST]))
    }

    fn protection(&self) -> Protection {
        Protection::Opaque
    }

    fn start(&self, _: &Opening<'_>, _: &Limits) -> Box<dyn Dissector> {
        Box::new(Account)
    }
}

/// A packet's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packet {
    version: u16,
    number: u32,
}

impl Packet {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut it = Cursor::new("oicq", bytes);
        let first = it.u8().ok()?;
        let (version, command, _) = (it.u16().ok()?, it.u16().ok()?, it.u16().ok()?);
        let number = it.u32().ok()?;
        let framed = first == FIRST && bytes.last() == Some(&LAST) && bytes.len() >= SHORTEST;
        (framed && version != 0 && is_command(command) && number >= LEAST_NUMBER).then_some(Self { version, number })
    }

    /// Of the same program and the same account.
    fn is_like(&self, other: &Self) -> bool {
        self.version == other.version && self.number == other.number
    }
}

/// Commands that were seen in use.
const fn is_command(it: u16) -> bool {
    matches!(
        it,
        0x01 | 0x02 | 0x04..=0x06 | 0x09..=0x0b | 0x0d | 0x12 | 0x16..=0x18 | 0x1a | 0x1c | 0x1d | 0x21 | 0x22 | 0x26 | 0x27 | 0x29
            | 0x30 | 0x31 | 0x3c..=0x3e | 0x58 | 0x5c | 0x62 | 0x65 | 0x67 | 0x80 | 0x81 | 0xb5 | 0x0825..=0x0828 | 0x0836
    )
}

/// One flow.
#[derive(Debug)]
struct Account;

impl Dissector for Account {
    fn segment(&mut self, _: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        if let Segment::Bytes(piece) = it
            && let Some(packet) = Packet::read(piece.bytes)
        {
            out.field(Field {
                path: "oicq.user-id",
                value: packet.number.to_string().as_bytes(),
                at: piece.origin.span(NUMBER),
            });
        }
        Progress::More
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::Span;

    use super::super::notebook::{damage, datagrams, read_datagrams};
    use super::*;
    use Direction::{Down, Up};

    fn packet(command: u16, number: u32) -> Vec<u8> {
        let mut it = vec![FIRST, 0x3b, 0x0b];
        it.extend(command.to_be_bytes());
        it.extend([0, 9]);
        it.extend(number.to_be_bytes());
        it.extend([0xd1; 32]);
        it.push(LAST);
        it
    }

    #[test]
    fn the_account_is_told_in_every_packet() {
        let (one, two) = (packet(2, 1_000_200_300), packet(0x17, 1_000_200_300));
        for port in [8000, 9999] {
            let out = read_datagrams(&OICQ, (50_000, port), &[(Up, &one), (Down, &two)]);
            let told = |frame| ("oicq.user-id".to_owned(), b"1000200300".to_vec(), Span::in_frame(frame, 42 + 7, 4));
            assert_eq!(out.fields, [told(1), told(2)]);
        }
    }

    #[test]
    fn elsewhere_a_second_packet_must_be_of_the_same_account() {
        let verdict = |port, list: &[(Direction, &[u8])]| OICQ.matches(&datagrams(50_000, port, list));
        let (one, other) = (packet(2, 1_000_200_300), packet(2, 1_000_200_301));
        assert_eq!(verdict(8000, &[(Up, &one)]), Match::Yes);
        assert_eq!(verdict(9999, &[(Up, &one)]), Match::Maybe);
        assert_eq!(verdict(9999, &[(Up, &one), (Up, &one)]), Match::Maybe, "the same once more");
        assert_eq!(verdict(9999, &[(Up, &one), (Down, &other)]), Match::Maybe);
        for wrong in [&one[..20], &packet(0x7777, 1_000_200_300), &packet(2, 9_999), &[2; 40], &[0; 40]] {
            assert_eq!(verdict(8000, &[(Up, wrong)]), Match::No);
        }
    }

    #[test]
    fn damage_never_panics() {
        damage(&OICQ, (50_000, 8000), Transport::Udp, Up, &packet(2, 1_000_200_300));
    }
}
