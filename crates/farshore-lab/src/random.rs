//! Owns the lab's pseudo-random numbers: SplitMix64 streams, each named by a label.
//!
//! Refuses any other source: no operating system, no clock. A stream depends on its label alone, so a new
//! consumer in a world does not shift the numbers of the others. Not for secrets outside a simulated world.

use sha2::{Digest, Sha256};

/// Mixed into every label; a change here changes every byte of every world.
const SEED: &[u8] = b"farshore-lab 1";

/// One stream of pseudo-random numbers (SplitMix64, Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The stream named `label`: it starts at the first eight bytes of SHA-256 over seed and label.
    #[must_use]
    pub fn named(label: &str) -> Self {
        let digest = Sha256::new().chain_update(SEED).chain_update([0]).chain_update(label).finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        Self {
            state: u64::from_be_bytes(first),
        }
    }

    /// The next 64 bits.
    pub fn word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound` (by multiplication; the bias is far below anything a capture shows).
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.word()) * u128::from(bound)) >> 64) as u64
    }

    /// `N` bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        for chunk in out.chunks_mut(8) {
            let word = self.word().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix64_gives_the_published_sequence() {
        // First outputs for state 1234567, as printed beside the reference code and in the Java and Rosetta tests.
        let mut random = Random { state: 1_234_567 };
        let first: Vec<u64> = (0..5).map(|_| random.word()).collect();
        assert_eq!(
            first,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821
            ]
        );
    }

    #[test]
    fn streams_differ_by_label_and_repeat() {
        assert_eq!(Random::named("a").word(), Random::named("a").word());
        assert_ne!(Random::named("a").word(), Random::named("b").word());
        let mut random = Random::named("bounds");
        assert!((0..1000).all(|_| random.below(7) < 7));
    }
}
