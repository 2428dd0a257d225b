//! Whether what a codec makes of payloads is sound, for codecs whose decoders make something of any bytes.
//!
//! # The test
//! Sound repeats itself: a voice with its pitch, a tone with its period. In blocks of a fifth of a second the payloads are decoded by
//! a fresh decoder, and how well the sound repeats itself is measured: over frames of 40 ms, the largest correlation with
//! itself 2.4 to 12.6 ms later, on average. The same is done three times with each payload XOR random bytes, its framing left as it is.
//!
//! *Null*: the bytes behind the framing are independent and even, as cipher text is. The four versions of a block are then alike in
//! distribution, and independent of other blocks: the real one is the strict best of four with a probability of 1/4 at most, and the
//! number of such blocks follows the binomial distribution at most. That is exact. It is looked at after 12, 16,
//! 32 and 64 blocks and at the end, so that its tail must be below a fifth of 1e-6.
//!
//! For a codec without framing, tables would be told from cipher text as well; there the *order* of the bytes within their packets
//! must matter too, by the same comparison with shuffled payloads. That is no test of secrecy: 1e-3 is small enough, since pauses,
//! which have no order, are counted.

use super::{g722, opus};

/// Probability under the null that is small enough.
pub const SMALL: f64 = 1e-6;

/// The same of the order of bytes.
const SMALL_ENOUGH_FOR_ORDER: f64 = 1e-3;

/// Numbers of blocks after which the outcome is looked at; after the last the trial is over.
const LOOKS: [u32; 4] = [12, 16, 32, 64];

/// Those and the end.
const LOOKS_IN_ALL: f64 = 5.0;

/// Versions of a block that the real one is held against.
const CONTROLS: usize = 3;

/// Probability under the null that the real one is the best.
const BY_CHANCE: f64 = 0.25;

/// Blocks to a second.
const BLOCKS: u32 = 5;

/// Values a second after thinning, and of those: to a frame, shortest and longest period.
const THIN: u32 = 5_333;
const FRAME: usize = 213;
const PERIODS: std::ops::RangeInclusive<usize> = 13..=67;

/// What a stream turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Sound, with the test's figures.
    Sound(String),
    /// Not shown to be; why.
    Nothing(String),
}

/// Whose payloads are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    G722,
    Opus,
}

impl Subject {
    /// The clock's ticks in a second.
    const fn clock(self) -> u32 {
        match self {
            Self::G722 => 8_000,
            Self::Opus => opus::RATE,
        }
    }

    /// Samples to be put together into one.
    const fn thinning(self) -> usize {
        match self {
            Self::G722 => (16_000 / THIN) as usize,
            Self::Opus => (opus::TRIAL_RATE / THIN) as usize,
        }
    }

    /// Bytes of a payload that stay as they are.
    fn framing(self, payload: &[u8]) -> usize {
        match self {
            Self::G722 => 0,
            Self::Opus => opus::Framing::read(payload).map_or(1, |it| it.header),
        }
    }

    /// One channel of what a fresh decoder makes of these.
    fn decode(self, payloads: &[Vec<u8>]) -> Option<Vec<i16>> {
        match self {
            Self::G722 => {
                let mut decoder = g722::Decoder::new();
                Some(payloads.iter().flatten().flat_map(|code| decoder.decode(*code)).collect())
            }
            Self::Opus => {
                let mut decoder = opus::Decoder::for_trials()?;
                let mut all = Vec::new();
                for payload in payloads {
                    all.extend_from_slice(decoder.decode(payload)?);
                }
                Some(all)
            }
        }
    }
}

/// Blocks of which the real version won, against one kind of control.
#[derive(Clone, Copy, Debug, Default)]
struct Wins {
    wins: u32,
    /// Set once a look found them too many for chance: the probability.
    shown: Option<f64>,
}

impl Wins {
    fn look(&mut self, blocks: u32, small: f64) {
        let p = (tail(blocks, self.wins, BY_CHANCE) * LOOKS_IN_ALL).min(1.0);
        if p < small && self.shown.is_none() {
            self.shown = Some(p);
        }
    }
}

/// A test under way.
#[derive(Debug)]
pub struct Trial {
    subject: Subject,
    block: Vec<Vec<u8>>,
    ticks: u32,
    blocks: u32,
    random: Random,
    against_random: Wins,
    /// Codecs without framing only.
    against_order: Option<Wins>,
}

impl Trial {
    pub fn new(subject: Subject) -> Self {
        Self {
            subject,
            block: Vec::new(),
            ticks: 0,
            blocks: 0,
            random: Random(0),
            against_random: Wins::default(),
            against_order: (subject == Subject::G722).then(Wins::default),
        }
    }

    /// Takes the next payload.
    pub fn take(&mut self, payload: &[u8], ticks: u32) {
        if self.blocks >= LOOKS.into_iter().max().unwrap_or_default() || self.is_shown() {
            return;
        }
        self.block.push(payload.to_vec());
        self.ticks = self.ticks.saturating_add(ticks);
        if self.ticks >= self.subject.clock() / BLOCKS {
            self.ticks = 0;
            let block = std::mem::take(&mut self.block);
            self.blocks = self.blocks.saturating_add(1);
            self.judge(&block);
            if LOOKS.contains(&self.blocks) {
                self.look();
            }
        }
    }

    /// Whether all that counts was taken, and it is not shown to be sound: what comes behind changes nothing.
    pub fn is_lost(&self) -> bool {
        self.blocks >= LOOKS.into_iter().max().unwrap_or_default() && !self.is_shown()
    }

    fn is_shown(&self) -> bool {
        self.against_random.shown.is_some() && self.against_order.is_none_or(|it| it.shown.is_some())
    }

    fn look(&mut self) {
        self.against_random.look(self.blocks, SMALL);
        if let Some(it) = &mut self.against_order {
            it.look(self.blocks, SMALL_ENOUGH_FOR_ORDER);
        }
    }

    fn judge(&mut self, block: &[Vec<u8>]) {
        let subject = self.subject;
        let measured = |block: &[Vec<u8>]| subject.decode(block).map_or(0.0, |it| repetition(&it, subject.thinning()));
        let real = measured(block);
        let wins = |it: &mut Wins, change: &mut dyn FnMut(&[u8]) -> Vec<u8>| {
            let beaten = (0..CONTROLS).all(|_| {
                let control: Vec<Vec<u8>> = block.iter().map(|it| change(it)).collect();
                measured(&control) < real
            });
            it.wins = it.wins.saturating_add(u32::from(beaten));
        };
        let random = &mut self.random;
        wins(&mut self.against_random, &mut |payload| {
            let framing = subject.framing(payload);
            let (head, rest) = payload.split_at_checked(framing).unwrap_or((payload, &[]));
            head.iter().copied().chain(rest.iter().map(|byte| byte ^ random.byte())).collect()
        });
        if let Some(it) = &mut self.against_order {
            wins(it, &mut |payload| random.shuffled(payload));
        }
    }

    /// What came of it.
    pub fn outcome(mut self) -> Outcome {
        if !LOOKS.contains(&self.blocks) {
            self.look();
        }
        let told = |it: &Wins, against: &str| {
            let p = it
                .shown
                .unwrap_or_else(|| (tail(self.blocks, it.wins, BY_CHANCE) * LOOKS_IN_ALL).min(1.0));
            format!(
                "in {} of {} blocks it repeats itself better than {CONTROLS} times the same decoder fed {against} (p <= 1e{:.0})",
                it.wins,
                self.blocks,
                p.log10().ceil()
            )
        };
        let mut figures = told(&self.against_random, "that payload XOR random bytes");
        if let Some(it) = &self.against_order {
            figures = format!("{figures}, {}", told(it, "its bytes in another order"));
        }
        if self.is_shown() {
            return Outcome::Sound(format!("decodes to sound: {figures}"));
        }
        if self.blocks < 10 {
            return Outcome::Nothing(format!(
                "too little of it ({} blocks of a fifth of a second, 10 are the least) to tell sound from cipher text",
                self.blocks
            ));
        }
        Outcome::Nothing(format!("not told from cipher text: {figures}"))
    }
}

/// How well sound repeats itself, 0 to 1: over frames, the largest correlation with itself a period later, on average.
fn repetition(samples: &[i16], thinning: usize) -> f64 {
    let thin: Vec<f64> = samples
        .chunks_exact(thinning.max(1))
        .map(|group| group.iter().map(|it| f64::from(*it)).sum())
        .collect();
    let (mut sum, mut frames) = (0.0, 0.0);
    for frame in thin.chunks_exact(FRAME) {
        let mean = frame.iter().sum::<f64>() / FRAME as f64;
        let frame: Vec<f64> = frame.iter().map(|it| it - mean).collect();
        sum += PERIODS.map(|period| correlation(&frame, period)).fold(0.0, f64::max);
        frames += 1.0;
    }
    if frames > 0.0 { sum / frames } else { 0.0 }
}

fn correlation(frame: &[f64], later: usize) -> f64 {
    let (mut product, mut here, mut there) = (0.0, 0.0, 0.0);
    for (a, b) in frame.iter().zip(frame.iter().skip(later)) {
        product += a * b;
        here += a * a;
        there += b * b;
    }
    if here > 0.0 && there > 0.0 {
        product / (here * there).sqrt()
    } else {
        0.0
    }
}

/// The probability of at least so many successes among so many tries, each with probability `one`.
pub fn tail(tries: u32, successes: u32, one: f64) -> f64 {
    // Of none, then each from the one before.
    let (mut exactly, mut sum) = ((1.0 - one).powi(tries.cast_signed()), 0.0);
    for count in 0..=tries {
        if count >= successes {
            sum += exactly;
        }
        exactly *= f64::from(tries.saturating_sub(count)) / f64::from(count.saturating_add(1)) * one / (1.0 - one);
    }
    sum
}

/// SplitMix64 (Steele, Lea & Flood 2014). Always the same, which the test does not mind: the payloads do not know it.
#[derive(Debug)]
struct Random(u64);

impl Random {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    const fn byte(&mut self) -> u8 {
        let [byte, ..] = self.next().to_be_bytes();
        byte
    }

    /// Fisher and Yates; numbers of 64 bits leave no bias that counts.
    fn shuffled(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut it = bytes.to_vec();
        for end in (1..it.len()).rev() {
            let at = self.next().checked_rem((end as u64).saturating_add(1)).unwrap_or_default();
            it.swap(end, usize::try_from(at).unwrap_or_default());
        }
        it
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_those_of_the_binomial_distribution() {
        assert!((tail(10, 10, 0.25) - 0.25_f64.powi(10)).abs() < 1e-12);
        assert!((tail(2, 1, 0.25) - 0.4375).abs() < 1e-12);
        assert!((tail(64, 0, 0.25) - 1.0).abs() < 1e-9);
        assert_eq!(tail(3, 4, 0.25), 0.0);
    }

    #[test]
    fn tones_repeat_themselves_and_noise_does_not() {
        let mut random = Random(5);
        let noise: Vec<i16> = (0..9_600).map(|_| i16::from(random.byte()) * 100 - 12_800).collect();
        // A square wave of 200 Hz.
        let tone: Vec<i16> = (0..9_600).map(|at| if at / 120 % 2 == 0 { 9_000 } else { -9_000 }).collect();
        assert!(repetition(&noise, 9) < 0.4 && repetition(&tone, 9) > 0.95);
        assert_eq!((repetition(&[0; 9_600], 9), repetition(&[1; 50], 9)), (0.0, 0.0));
    }

    /// What the test must not do: of cipher text, the share of blocks in which the real one wins is a quarter.
    #[test]
    fn cipher_text_wins_a_quarter() {
        let mut random = Random(17);
        let mut won = 0;
        for seed in 0..2 {
            let mut trial = Trial::new(Subject::G722);
            trial.random = Random(seed << 32);
            for _ in 0..64 * 2 {
                let payload: Vec<u8> = (0..800).map(|_| random.byte()).collect();
                trial.take(&payload, 800);
            }
            assert!(!trial.is_shown());
            assert_eq!(trial.blocks, 64);
            won += trial.against_random.wins;
        }
        // 128 blocks: 32 are expected, with a deviation of 4.9.
        assert!((13..51).contains(&won), "{won}");
    }
}
