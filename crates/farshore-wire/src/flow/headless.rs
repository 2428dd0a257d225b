//! Datagrams that no protocol claims, held against what packets of QUIC look like once their handshake is over. It owns that test and
//! its error, and refuses to call a flow QUIC: without a hello nothing names the connection, and nothing ties it to a key.
//!
//! Such a packet (RFC 9000 section 17.3.1) begins with the bits 01, then one that may spin and five that are masked (RFC 9001 section
//! 5.4), so that they are even; it ends with the tag of its cipher, even as well. Datagrams of even bytes begin with those bits, all of
//! them, at 4^-24. Text has no bytes above 127; channels of TURN (RFC 8656 section 12.4) and counters have few first bytes.

/// Why nothing of it was opened: nobody who reads the packets alone can say more.
pub(super) const UNTIED: &str =
    "the capture begins after the handshake, or the connection moved here, if this is QUIC, as its packets look";

/// Datagrams that it takes.
const LEAST: u32 = 24;
/// Of 32 values those that have to be met: 24 even ones meet fewer than this once in fifty thousand times.
const DIFFERENT: u32 = 11;
/// Of the upper half of them: fewer are met once in a thousand times.
const DIFFERENT_UPPER: u32 = 4;
/// Bytes of the shortest packet: a stateless reset that looks like one has no fewer (RFC 9000 section 10.3).
const SHORTEST: usize = 21;

/// What was seen of a flow's datagrams.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Looks {
    datagrams: u32,
    /// One of them is something else.
    other: bool,
    /// Which values the five masked bits of first bytes had, and the five upper bits of last bytes.
    first: u32,
    last: u32,
}

impl Looks {
    pub(super) fn add(&mut self, datagram: &[u8]) {
        let [first @ 0x40..=0x7f, .., last] = datagram else {
            self.other = true;
            return;
        };
        self.other |= datagram.len() < SHORTEST;
        self.datagrams = self.datagrams.saturating_add(1);
        self.first |= 1 << (first & 0x1f);
        self.last |= 1 << (last >> 3);
    }

    /// Whether they may be packets of QUIC behind its handshake, and hardly anything else.
    pub(super) const fn are_headless(&self) -> bool {
        let spread = self.first.count_ones() >= DIFFERENT && self.last.count_ones() >= DIFFERENT;
        let upper = (self.last >> 16).count_ones() >= DIFFERENT_UPPER;
        !self.other && self.datagrams >= LEAST && spread && upper
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(datagrams: impl IntoIterator<Item = Vec<u8>>) -> bool {
        let mut it = Looks::default();
        datagrams.into_iter().for_each(|datagram| it.add(&datagram));
        it.are_headless()
    }

    /// Even bytes from a seed (xorshift64).
    fn even(seed: u64, length: usize) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_be_bytes()[0]
        };
        (0..8).for_each(|_| {
            next();
        });
        (0..length).map(|_| next()).collect()
    }

    fn short(seed: u64) -> Vec<u8> {
        let mut it = even(seed, 30 + seed as usize % 900);
        it[0] = it[0] & 0x3f | 0x40;
        it
    }

    #[test]
    fn packets_behind_a_handshake_look_like_nothing_else() {
        let found = (0..1_000).filter(|flow| looks((0..24).map(|at| short(flow * 1_000 + at)))).count();
        assert!(found >= 995, "{found} of 1000");
        assert!(looks((0..256).map(short)));
        assert!(!looks((0..23).map(short)), "too few");
        assert!(!looks((0..40).map(short).chain([vec![0x41; 20]])), "one is too short");
        assert!(!looks((0..40).map(short).chain([even(7, 40)].map(|mut it| {
            it[0] = 0x80;
            it
        }))));
    }

    #[test]
    fn what_else_begins_with_these_bits_is_not_taken_for_it() {
        assert!(
            (0..1_000).all(|flow| !looks((0..24).map(|at| even(flow * 1_000 + at, 60)))),
            "even bytes"
        );
        let with_head = |head: u8, at: u64| [vec![head], even(at, 40)].concat();
        // ChannelData of a few channels; a type that stands first; a counter that has begun.
        assert!(!looks((0..200).map(|at| with_head(0x40 + at as u8 % 8, at))));
        assert!(!looks((0..200).map(|at| with_head(0x60, at))));
        assert!(!looks((0..10).map(|at| with_head(0x40 + at as u8, at))));
        // Lines of text, capitals and small letters alike.
        assert!(!looks((0..200_u64).map(|at| {
            format!("{}{:>40}{}", (b'A' + at as u8 % 58) as char, at, (b' ' + at as u8 % 90) as char).into_bytes()
        })));
        assert!(!looks([]));
    }
}
