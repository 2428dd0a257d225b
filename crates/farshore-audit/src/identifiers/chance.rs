//! Whether a few bytes mean anything: short encodings turn up in opaque payloads by chance.
//!
//! # The rule
//!
//! Four bytes that spell a known number occur in random bytes once in 2³² places. A hit on an encoding that
//! carries less than [`STRONG_BITS`] of surprise is *weak*: it is handed out with a [`WeakGroup`] and means
//! nothing until [`Tally::judge`] has confirmed it, after everything was scanned.
//!
//! - Surprise is counted low: of a number only its distinct bytes other than `00` and `ff` count (8 bits each),
//!   since zeros, fillers and repeats are common in real payloads. Of text in an opaque payload every byte
//!   counts, less one bit for a letter taken in either case; printable neighbours add 1.43 bits each.
//! - A number under 2³² in eight bytes counts as the four bytes that are not zero.
//! - Null hypothesis: opaque bytes are independent and uniform. Expected hits of one encoding are
//!   λ = bytes scanned × 2^-bits. One payload counts once however often it holds the value, and payloads of
//!   equal content (retransmissions) count as one.
//! - *Anywhere*: the hits of one encoding are confirmed when P(X ≥ k) under Poisson(λ), times the number of weak
//!   encodings looked for (Bonferroni), is below 10⁻⁶.
//! - *In one place*: hits at the same field path and offset are confirmed when P(X ≥ k) under
//!   Poisson(payloads of that path × 2^-bits), times encodings × offsets a payload has × paths, is below
//!   10⁻⁶, and k ≥ 2. A user id in a fixed header is found this way in large captures too.
//! - *Under a mask* of one byte a value counts where that byte is the commonest around it, and each mask is an encoding of its
//!   own. As all messages of a protocol may have the same bytes in one place, however many there are, the chance that
//!   such constants show a value must be below 10⁻⁴ besides.
//!
//! A confirmed finding is not thereby *meant* as that value: a constant of a protocol can equal it. It is only
//! no accident of random bytes. Payloads that are structured but not text are less random than assumed; that
//! is why bits are counted low. Numbers under 65 536, and those with fewer than two such bytes, are not
//! searched in binary, nor are 16-bit encodings of any number: nothing could ever tell them from chance.

use std::collections::BTreeMap;

/// From this many bits on one hit stands alone: in 2⁴⁰ random bytes (1 TiB) it is expected 1.5 × 10⁻⁵ times.
pub const STRONG_BITS: u32 = 56;
/// Findings that chance would make with this probability or more are dropped.
pub const ACCEPTED: f64 = 1e-6;

/// Bytes that can lie over others.
const MASKS: usize = 255;
/// No message that is looked at for masks is longer.
pub(super) const LONGEST_MESSAGE: u64 = 1 << 11;
/// Probability of a value under a mask in constant bytes of one protocol, above which nothing is said of it.
const UNLIKELY: f64 = 1e-4;

/// Names the hits that stand or fall together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WeakGroup {
    /// The value and encoding.
    pub(super) variant: u32,
    /// The byte laid over it; 0: none.
    pub(super) mask: u8,
    /// Digest of the field path and the decodings.
    pub(super) place: u64,
    /// Bytes before the hit, in that field.
    pub(super) offset: u64,
}

/// Why a weak finding is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chance {
    /// Distinct payloads that hold it.
    pub seen: u64,
    /// How many random bytes would give.
    pub expected: f64,
    /// Probability of as many by chance, corrected for everything that was looked for.
    pub p_value: f64,
}

/// The weak findings that are no accident.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Confirmed {
    anywhere: BTreeMap<(u32, u8), Chance>,
    places: BTreeMap<WeakGroup, Chance>,
}

impl Confirmed {
    /// Why findings of this group are kept; `None`: they are to be dropped.
    pub fn chance(&self, group: &WeakGroup) -> Option<&Chance> {
        self.anywhere.get(&(group.variant, group.mask)).or_else(|| self.places.get(group))
    }
}

/// Counts what chance needs to be judged.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    bytes: u64,
    /// By place: payloads, and the longest of them.
    places: BTreeMap<u64, (u64, u64)>,
    /// By encoding and digest of the payload: the place. Of several the least, so that the order of scanning is nothing.
    hits: BTreeMap<(u32, u8, u64), WeakGroup>,
}

impl Tally {
    /// An opaque payload was scanned. False: there are more places than `most`, this one is not told apart.
    pub fn scanned(&mut self, place: u64, length: usize, most: usize) -> bool {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(length);
        if self.places.len() >= most && !self.places.contains_key(&place) {
            return false;
        }
        let (payloads, longest) = self.places.entry(place).or_default();
        *payloads = payloads.saturating_add(1);
        *longest = (*longest).max(length);
        true
    }

    /// A weak hit in a payload whose content has this digest. False: there are more hits than `most`, it is not counted.
    pub fn hit(&mut self, group: WeakGroup, content: u64, most: usize) -> bool {
        if let Some(first) = self.hits.get_mut(&(group.variant, group.mask, content)) {
            *first = (*first).min(group);
            return true;
        }
        if self.hits.len() >= most {
            return false;
        }
        self.hits.insert((group.variant, group.mask, content), group);
        true
    }

    /// Takes over what was counted elsewhere. Payloads seen on both sides count once.
    pub fn absorb(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        for (place, (payloads, longest)) in other.places {
            let mine = self.places.entry(place).or_default();
            *mine = (mine.0.saturating_add(payloads), mine.1.max(longest));
        }
        for (payload, group) in other.hits {
            let first = self.hits.entry(payload).or_insert(group);
            *first = (*first).min(group);
        }
    }

    /// Which weak findings are no accident. `variants`: weak encodings looked for, and those looked for under masks; `bits` of
    /// each.
    pub fn judge(&self, (variants, masked): (usize, usize), bits: impl Fn(u32) -> u32) -> Confirmed {
        let mut sums = BTreeMap::<(u32, u8), u64>::new();
        let mut by_place = BTreeMap::<WeakGroup, u64>::new();
        for group in self.hits.values() {
            for count in [
                sums.entry((group.variant, group.mask)).or_default(),
                by_place.entry(*group).or_default(),
            ] {
                *count = count.saturating_add(1);
            }
        }
        // Each family has its own share of errors: what is looked for under masks makes nothing else harder to tell.
        let looked_for = |mask: u8| if mask == 0 { variants } else { masked.saturating_mul(MASKS) }.max(1) as f64;
        // Every message of a protocol may have the same bytes in a place: under a mask that is no accident in one place only.
        let longest = self
            .places
            .values()
            .map(|(_, longest)| *longest)
            .max()
            .unwrap_or(0)
            .min(LONGEST_MESSAGE);
        let by_constants = |variant: u32, mask: u8| mask != 0 && rate(bits(variant)) * (longest as f64) * masked as f64 > UNLIKELY;
        let mut confirmed = Confirmed::default();
        for ((variant, mask), seen) in sums {
            let expected = self.bytes as f64 * rate(bits(variant));
            let p_value = (poisson_tail(seen, expected) * looked_for(mask)).min(1.0);
            if p_value < ACCEPTED && !by_constants(variant, mask) {
                confirmed.anywhere.insert((variant, mask), Chance { seen, expected, p_value });
            }
        }
        let paths = self.places.len().max(1) as f64;
        for (group, seen) in by_place {
            let Some((payloads, longest)) = self.places.get(&group.place) else {
                continue;
            };
            let expected = *payloads as f64 * rate(bits(group.variant));
            let corrected = looked_for(group.mask) * paths * (*longest).max(1) as f64;
            let p_value = (poisson_tail(seen, expected) * corrected).min(1.0);
            if seen >= 2 && p_value < ACCEPTED && !by_constants(group.variant, group.mask) {
                confirmed.places.insert(group, Chance { seen, expected, p_value });
            }
        }
        confirmed
    }
}

fn rate(bits: u32) -> f64 {
    (-f64::from(bits)).exp2()
}

/// Upper bound of P(X ≥ k) for X ~ Poisson(λ): the first term, times the geometric series that exceeds the rest.
/// k! is bounded from below by Robbins' form of Stirling, so the bound never says too little.
fn poisson_tail(seen: u64, expected: f64) -> f64 {
    let k = seen as f64;
    if k <= expected || k < 1.0 {
        return 1.0;
    }
    if expected <= 0.0 {
        return 0.0;
    }
    let log_factorial = 0.5 * (std::f64::consts::TAU * k).ln() + k * (k.ln() - 1.0);
    let first = (k * expected.ln() - expected - log_factorial).exp();
    (first / (1.0 - expected / (k + 1.0))).min(1.0)
}

/// FNV-1a, 64 bits: a digest that is the same on every run, for counting only.
pub(super) fn digest(parts: &[&[u8]]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in part.iter().chain(&[0]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_bound_is_above_and_near_the_truth() {
        for expected in [1e-5_f64, 0.01, 0.5, 3.0, 40.0] {
            for seen in [1_u64, 2, 3, 5, 10, 60, 100] {
                if seen as f64 <= expected {
                    continue;
                }
                let mut term = (-expected).exp();
                let mut truth = 0.0;
                for i in 0..400_u64 {
                    if i >= seen {
                        truth += term;
                    }
                    term *= expected / (i + 1) as f64;
                }
                let bound = poisson_tail(seen, expected);
                assert!(bound >= truth * 0.999_999, "{seen} {expected}: {bound} < {truth}");
                assert!(bound <= truth * 3.0, "{seen} {expected}: {bound} > 3 × {truth}");
            }
        }
        assert_eq!(poisson_tail(3, 5.0), 1.0);
    }

    #[test]
    fn one_hit_is_an_accident_three_in_different_payloads_are_not() {
        let group = |offset| WeakGroup {
            variant: 0,
            mask: 0,
            place: 1,
            offset,
        };
        let mut tally = Tally::default();
        for _ in 0..10_000 {
            assert!(tally.scanned(1, 1000, 10));
        }
        tally.hit(group(5), 1, 10);
        tally.hit(group(5), 1, 10);
        assert_eq!(tally.judge((4, 0), |_| 32), Confirmed::default(), "one payload, sent twice");
        tally.hit(group(5), 2, 10);
        let confirmed = tally.judge((4, 0), |_| 32);
        assert!(confirmed.anywhere.is_empty());
        assert_eq!(confirmed.chance(&group(5)).map(|chance| chance.seen), Some(2));
        assert_eq!(confirmed.chance(&group(6)), None);
        tally.hit(group(6), 3, 10);
        assert!(tally.judge((4, 0), |_| 32).chance(&group(77)).is_some(), "three anywhere");
        assert!(!tally.scanned(2, 1, 1), "no room for another place");
    }
}
