//! BitTorrent between peers, over TCP (BEP 3).
//!
//! # What is extracted, and why it matters
//! A handshake names what is exchanged, `bittorrent.info-hash` (written in hexadecimal), and the program that does it
//! with its name for itself: `bittorrent.peer-id`. Who sees both sees who has which content.
//!
//! # What is not
//! Everything after the handshakes; the distributed table and trackers over UDP. Trackers over HTTP are read as HTTP.
//!
//! # How it is told
//! The twenty bytes every handshake begins with.

use farshore_model::Protection;

use super::greetings::Greetings;
use super::{Begins, Dissector, Field, FirstBytes, Gathered, Match, Opening, Protocol, Sink};
use crate::cursor::Cursor;
use crate::limits::Limits;

/// BitTorrent.
pub static BITTORRENT: BitTorrent = BitTorrent;

/// BitTorrent, as a [`Protocol`].
#[derive(Debug)]
pub struct BitTorrent;

const BEGINNING: &[u8] = b"\x13BitTorrent protocol";

impl Protocol for BitTorrent {
    fn id(&self) -> &'static str {
        "bittorrent"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        let told = |bytes: &[u8]| {
            let common = bytes.len().min(BEGINNING.len());
            match bytes.get(..common) == BEGINNING.get(..common) {
                true if common == BEGINNING.len() => Match::Yes,
                true if common > 0 => Match::Maybe,
                _ => Match::No,
            }
        };
        opening.by_either_side(told)
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::of(&[19]))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, _: &Limits) -> Box<dyn Dissector> {
        Box::new(Greetings::new(handshake, None))
    }
}

/// Whether the handshake is there, or never will be.
fn handshake(gathered: &Gathered, out: &mut dyn Sink) -> bool {
    let bytes = gathered.bytes();
    let common = bytes.len().min(BEGINNING.len());
    if bytes.get(..common) != BEGINNING.get(..common) {
        return true;
    }
    let mut it = Cursor::new("bittorrent", bytes);
    let (Ok(()), Ok(hash), Ok(peer)) = (it.skip(28), it.take(20), it.take(20)) else {
        return false;
    };
    let written: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    out.field(Field {
        path: "bittorrent.info-hash",
        value: written.as_bytes(),
        at: gathered.span(28..48),
    });
    out.field(Field {
        path: "bittorrent.peer-id",
        value: peer,
        at: gathered.span(48..68),
    });
    true
}

#[cfg(test)]
mod tests {
    use farshore_model::Transport;

    use farshore_model::Direction::{Down, Up};
    use farshore_model::Span;

    use super::super::notebook::{damage, read_stream, stream};
    use super::*;

    fn sample(peer: &[u8; 20]) -> Vec<u8> {
        [BEGINNING, &[0; 8], &[0xab; 20], peer, b"\0\0\0\x01\x02"].concat()
    }

    #[test]
    fn handshakes_in_any_segmentation_tell_the_same() {
        let (one, two) = (sample(b"-XX0001-123456789012"), sample(b"-YY0002-abcdefghijkl"));
        for size in 1..one.len() {
            let chunks: Vec<_> = one
                .chunks(size)
                .map(|it| (Up, it))
                .chain(two.chunks(size).map(|it| (Down, it)))
                .collect();
            let out = read_stream(&BITTORRENT, (50_000, 6_881), &chunks);
            assert_eq!(out.values("bittorrent.peer-id"), ["-XX0001-123456789012", "-YY0002-abcdefghijkl"]);
            assert_eq!(out.values("bittorrent.info-hash"), ["ab".repeat(20), "ab".repeat(20)]);
        }
        let out = read_stream(&BITTORRENT, (50_000, 6_881), &[(Up, &one)]);
        assert_eq!(out.fields[1].2, Span::in_frame(1, 42 + 48, 20));
    }

    #[test]
    fn only_the_whole_beginning_is_it() {
        let verdict = |up: &[u8]| BITTORRENT.matches(&stream(50_000, 6_881, up, b""));
        assert_eq!(verdict(b"\x13BitTorrent"), Match::Maybe);
        assert_eq!(verdict(b"\x13BitTorrent protoco1"), Match::No);
        assert_eq!(verdict(b""), Match::No);
    }

    #[test]
    fn damage_never_panics() {
        damage(&BITTORRENT, (50_000, 6_881), Transport::Tcp, Up, &sample(b"-XX0001-123456789012"));
    }
}
