//! NTP: the time of day (RFC 5905), over UDP.
//!
//! # What is extracted, and why it matters
//! That it is the time that is asked for: a flow that needs no further question.
//!
//! # What is not
//! The times themselves, and which clock a server goes by. Queries of a daemon's state are not recognised.
//!
//! # How it is told
//! An answer that holds the very time its question was sent at; or, on port 123, a message of the right length whose
//! version, mode, stratum, interval and precision are all such as are sent, with a time.

use farshore_model::{Direction, Protection, Transport};

use super::{Begins, Dissector, FirstBytes, Match, Opening, Progress, Protocol, Segment, Sink, Start};
use crate::cursor::{Cursor, Stop};
use crate::limits::Limits;

/// NTP.
pub static NTP: Ntp = Ntp;

/// NTP, as a [`Protocol`].
#[derive(Debug)]
pub struct Ntp;

const PORT: u16 = 123;
/// Bytes of a message without extensions and check.
const LENGTH: usize = 48;

/// A message, as far as it tells who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Message {
    mode: u8,
    /// The time the question was sent at, in an answer.
    originated: u64,
    /// The time this was sent at.
    sent: u64,
}

impl Protocol for Ntp {
    fn id(&self) -> &'static str {
        "ntp"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Datagrams(list) if opening.transport == Transport::Udp => {
                let own = [opening.client_port, opening.server_port].contains(&PORT);
                let Some(((direction, latest), before)) = list.split_last() else {
                    return Match::No;
                };
                let Ok(message) = read(latest) else { return Match::No };
                let asked = |(from, bytes): &(Direction, &[u8])| {
                    from != direction && read(bytes).is_ok_and(|it| it.mode == CLIENT && it.sent == message.originated && it.sent != 0)
                };
                if own || message.mode == SERVER && before.iter().any(asked) {
                    Match::Yes
                } else {
                    Match::Maybe
                }
            }
            Start::Datagrams(_) | Start::Stream { .. } => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        // The leap indicator, versions 1 to 4, modes 1 to 5.
        let version = |leap: u8| {
            FirstBytes::range(leap | 0x09, leap | 0x0d)
                .and(leap | 0x11, leap | 0x15)
                .and(leap | 0x19, leap | 0x1d)
                .and(leap | 0x21, leap | 0x25)
        };
        Begins::datagram(version(0).with(version(0x40)).with(version(0x80)).with(version(0xc0)))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, _: &Limits) -> Box<dyn Dissector> {
        Box::new(Clock)
    }
}

/// Modes of those who ask and of those who answer (RFC 5905, figure 10).
const CLIENT: u8 = 3;
const SERVER: u8 = 4;

fn read(bytes: &[u8]) -> Result<Message, Stop> {
    let mut it = Cursor::new("ntp", bytes);
    let start = it;
    let [first, stratum, interval, precision] = it.array::<4>()?;
    let (version, mode) = (first >> 3 & 7, first & 7);
    // Delay, dispersion, reference and its time.
    it.skip(20)?;
    let (originated, _, sent) = (it.u64()?, it.u64()?, it.u64()?);
    // With a check of 16 or 20 bytes and its key's number, or extensions in fours (RFC 7822).
    let length = bytes.len() == LENGTH || bytes.len() >= LENGTH.saturating_add(20) && bytes.len().is_multiple_of(4);
    let fits = (1..=4).contains(&version) && (1..=5).contains(&mode) && stratum <= 16;
    // Simple clients leave these two out (RFC 4330); the time of a message is left out by nobody who answers.
    let plausible = interval <= 17 && matches!(precision, 0 | 0xe0..=0xff) && (sent != 0 || mode == CLIENT && stratum == 0);
    if !(length && fits && plausible) {
        return Err(start.forbidden());
    }
    Ok(Message { mode, originated, sent })
}

/// Messages, each in its datagram.
#[derive(Debug)]
struct Clock;

impl Dissector for Clock {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let Segment::Bytes(piece) = it else { return Progress::More };
        match read(piece.bytes).map(|it| it.mode) {
            Ok(CLIENT) => out.client_speaks(direction),
            Ok(SERVER) => out.client_speaks(direction.reverse()),
            _ => {}
        }
        Progress::More
    }
}

#[cfg(test)]
mod tests {
    use super::super::notebook::{damage, datagrams, read_datagrams};
    use super::*;
    use Direction::{Down, Up};

    fn message(first: u8, stratum: u8, originated: u64, sent: u64) -> Vec<u8> {
        let mut it = vec![first, stratum, 6, 0xec];
        it.extend([0; 20]);
        for time in [originated, 0, sent] {
            it.extend(time.to_be_bytes());
        }
        it
    }

    const NOW: u64 = 0xe9f3_1c42_8000_0000;

    #[test]
    fn whoever_asks_is_the_client() {
        let (question, answer) = (message(0x23, 0, 0, NOW), message(0x24, 2, NOW, NOW + 9));
        let out = read_datagrams(&NTP, (40_000, 50_000), &[(Down, &question), (Up, &answer)]);
        assert_eq!((out.client, out.fields.len()), (Some(Down), 0));
        assert_eq!(read_datagrams(&NTP, (123, 123), &[(Up, &answer)]).client, Some(Down));
    }

    #[test]
    fn elsewhere_an_answer_must_know_its_question() {
        let verdict = |port, list: &[(Direction, &[u8])]| NTP.matches(&datagrams(50_000, port, list));
        let (question, answer) = (message(0x23, 0, 0, NOW), message(0x24, 2, NOW, NOW + 9));
        assert_eq!(verdict(123, &[(Up, &question)]), Match::Yes);
        assert_eq!(verdict(9_123, &[(Up, &question)]), Match::Maybe);
        assert_eq!(verdict(9_123, &[(Up, &question), (Down, &answer)]), Match::Yes);
        assert_eq!(verdict(9_123, &[(Up, &question), (Up, &answer)]), Match::Maybe);
        assert_eq!(verdict(9_123, &[(Up, &message(0x23, 0, 0, 7)), (Down, &answer)]), Match::Maybe);
        for wrong in [
            &question[..47],
            &message(0x2b, 0, 0, NOW),
            &message(0x23, 17, 0, NOW),
            &message(0x24, 2, NOW, 0),
            &[0; 48],
        ] {
            assert_eq!(verdict(123, &[(Up, wrong)]), Match::No);
        }
    }

    #[test]
    fn damage_never_panics() {
        damage(&NTP, (50_000, 123), Transport::Udp, Up, &message(0x23, 0, 0, NOW));
    }
}
