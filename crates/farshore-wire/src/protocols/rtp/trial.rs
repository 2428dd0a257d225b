//! Whether what a codec makes of payloads is sound, for codecs whose decoders make something of any bytes.
//!
//! # The test
//! Sound repeats itself, a voice with its pitch, a tone with its period; and its level moves slowly, also where it pauses. In blocks of
//! 40 ms, or of a packet where that is longer, the payloads are decoded by a decoder that has read nothing, of Opus nothing but the
//! payload before, and that is measured: over frames of 40 ms the largest correlation with itself 2.4 to 12.6 ms later, on average;
//! less, of Opus, how far the level moves from one hundredth of a second to the next. The same is done three times with each payload
//! XOR random bytes, its framing and the payload before left as they are. What is measured decides how many blocks it takes, not how
//! sure the answer is.
//!
//! *Null*: the bytes behind the framing are independent and even, as cipher text is. The four versions of a block are then alike in
//! distribution, and independent of other blocks. Each is given a weight by what was measured of it, and a stake is multiplied by what
//! the real one's weight is to the mean of all four ([`gain`]). As each of them could as well be the real one, that is one on average:
//! what is expected of the stake is never more than before, and a stake of one reaches a million with a probability of 1e-6 at most,
//! however often it is looked at (J. Ville, *Étude critique de la notion de collectif*, 1939). That is exact, whatever the weights.
//! Half of the stake is put in little by little, so that sound which begins late is found too.
//!
//! For a codec without framing, tables would be told from cipher text as well; there the *order* of the bytes within their packets
//! must matter too, by the same comparison with shuffled payloads. That is no test of secrecy: 1e-3 is small enough, since pauses,
//! which have no order, are counted. What is shown is not tried again.
//!
//! A conference's server sends the same payloads to all who listen, and a relay's capture has each twice. What was measured of a block
//! depends on nothing but the payloads up to it ([`Tried`] finds it by their digest), so that it is measured once.

use std::collections::HashMap;
use std::iter::zip;
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

use super::{g722, opus};

/// Probability under the null that is small enough.
pub const SMALL: f64 = 1e-6;

/// The same of the order of bytes, and how often a weight doubles there.
const SMALL_ENOUGH_FOR_ORDER: f64 = 1e-3;
const ORDER_DOUBLINGS: f64 = 16.0;

/// Blocks after which the trial is over.
const MOST: u32 = 320;

/// Blocks of which is kept what was measured: those of thousands of streams.
const MOST_KEPT: usize = 1 << 15;

/// Blocks without which nothing can be shown.
const LEAST: u32 = 11;

/// Versions of a block that the real one is held against.
const CONTROLS: usize = 3;

/// What part of the stake each block leaves aside: one block cannot lose all.
const ASIDE: f64 = 1.0 / 16.0;

/// Blocks to a second, where packets are short enough.
const BLOCKS: u32 = 25;

/// What is staked from the beginning, and what part of the rest each block adds.
const FIRST: f64 = 0.5;
const LATER: f64 = 1.0 / 64.0;

/// Values a second after thinning, and of those: to a frame, shortest and longest period.
const THIN: u32 = 5_333;
const FRAME: usize = 213;
const PERIODS: std::ops::RangeInclusive<usize> = 13..=67;

/// Samples of Opus in a hundredth of a second; power of one that is as good as none; what a doubling of power weighs against perfect
/// repetition, which is 1.
const HUNDREDTH: usize = (opus::TRIAL_RATE / 100) as usize;
const FAINT: u64 = 1_000;
const DOUBLING: f64 = 0.3;

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

    /// How often the weight of a version doubles as it becomes more like sound by one.
    const fn doublings(self) -> f64 {
        match self {
            Self::G722 => 28.0,
            Self::Opus => 12.0,
        }
    }

    /// How much like sound it is what a decoder that has just read `before`, where it needs to settle, makes of these; infinitely little
    /// where it makes nothing.
    fn likeness(self, before: &[u8], payloads: &[Vec<u8>]) -> f64 {
        match self {
            Self::G722 => {
                let mut decoder = g722::Decoder::new();
                let samples: Vec<i16> = payloads.iter().flatten().flat_map(|code| decoder.decode(*code)).collect();
                repetition(&samples, self.thinning())
            }
            Self::Opus => {
                let decoded = || {
                    let mut decoder = opus::Decoder::for_trials()?;
                    // The level moves from what was before.
                    let mut all: Vec<i16> = decoder
                        .decode(before)
                        .and_then(|it| it.rchunks_exact(HUNDREDTH).next())
                        .unwrap_or_default()
                        .to_vec();
                    let settled = all.len();
                    for payload in payloads {
                        all.extend_from_slice(decoder.decode(payload)?);
                    }
                    let repetition = repetition(all.get(settled..)?, self.thinning());
                    Some(repetition - DOUBLING * movement(&all))
                };
                decoded().unwrap_or(f64::NEG_INFINITY)
            }
        }
    }
}

/// Blocks of which the real version won, against one kind of control.
#[derive(Clone, Copy, Debug)]
struct Wins {
    small: f64,
    /// As of [`Subject::doublings`].
    doublings: f64,
    blocks: u32,
    wins: u32,
    stake: f64,
    /// What is still to be staked.
    rest: f64,
}

impl Wins {
    const fn new(small: f64, doublings: f64) -> Self {
        Self {
            small,
            doublings,
            blocks: 0,
            wins: 0,
            stake: FIRST,
            rest: 1.0 - FIRST,
        }
    }

    fn count(&mut self, real: f64, controls: [f64; CONTROLS]) {
        self.blocks = self.blocks.saturating_add(1);
        let won = controls.iter().all(|it| *it < real);
        self.wins = self.wins.saturating_add(u32::from(won));
        let added = self.rest * LATER;
        self.rest -= added;
        self.stake = (self.stake + added) * gain(real, controls, self.doublings);
    }

    fn are_shown(&self) -> bool {
        self.stake * self.small >= 1.0
    }

    /// What was found against these controls.
    fn told(&self, against: &str) -> String {
        format!(
            "in {} of {} blocks it is more like sound than {CONTROLS} times the same decoder fed {against} (p <= 1e{:.0})",
            self.wins,
            self.blocks,
            self.stake.max(1.0).recip().log10().ceil()
        )
    }
}

/// What is known by, of all that was tried: the digest of the payloads of a stream up to some block.
type History = [u8; 32];

/// What was measured of a block.
#[derive(Clone, Copy, Debug)]
struct Measured {
    real: f64,
    /// Of the versions with random bytes, and of those in another order, as far as they were looked at.
    random: Option<[f64; CONTROLS]>,
    order: Option<[f64; CONTROLS]>,
    /// Where chance stood behind it.
    chance: Random,
}

/// What was measured of the blocks of all streams, by the payloads up to them. Whoever comes second is told the very same.
#[derive(Debug, Default)]
pub struct Tried(Mutex<HashMap<History, Measured>>);

impl Tried {
    fn of(&self, history: &History) -> Option<Measured> {
        self.0.lock().ok()?.get(history).copied()
    }

    fn keep(&self, history: History, it: Measured) {
        let Ok(mut all) = self.0.lock() else { return };
        if all.len() >= MOST_KEPT {
            // Copies come close behind each other.
            all.clear();
        }
        all.insert(history, it);
    }
}

/// A test under way.
#[derive(Debug)]
pub struct Trial {
    subject: Subject,
    tried: Arc<Tried>,
    history: History,
    /// The last payload before the block: it lets the decoder settle, whichever version follows.
    before: Vec<u8>,
    block: Vec<Vec<u8>>,
    ticks: u32,
    blocks: u32,
    random: Random,
    against_random: Wins,
    /// Codecs without framing only.
    against_order: Option<Wins>,
}

impl Trial {
    /// `tried` may have been told of the same payloads before.
    pub fn new(subject: Subject, tried: Arc<Tried>) -> Self {
        Self {
            subject,
            tried,
            history: [subject as u8; 32],
            before: Vec::new(),
            block: Vec::new(),
            ticks: 0,
            blocks: 0,
            random: Random(0),
            against_random: Wins::new(SMALL, subject.doublings()),
            against_order: (subject == Subject::G722).then_some(Wins::new(SMALL_ENOUGH_FOR_ORDER, ORDER_DOUBLINGS)),
        }
    }

    /// Takes the next payload.
    pub fn take(&mut self, payload: &[u8], ticks: u32) {
        if self.blocks >= MOST || self.is_shown() {
            return;
        }
        self.block.push(payload.to_vec());
        self.ticks = self.ticks.saturating_add(ticks);
        if self.ticks >= self.subject.clock() / BLOCKS {
            self.ticks = 0;
            let mut block = std::mem::take(&mut self.block);
            self.blocks = self.blocks.saturating_add(1);
            self.judge(&block);
            self.before = block.pop().unwrap_or_default();
        }
    }

    /// Whether all that counts was taken, and it is not shown to be sound: what comes behind changes nothing.
    pub fn is_lost(&self) -> bool {
        self.blocks >= MOST && !self.is_shown()
    }

    fn is_shown(&self) -> bool {
        self.against_random.are_shown() && self.against_order.is_none_or(|it| it.are_shown())
    }

    fn judge(&mut self, block: &[Vec<u8>]) {
        let mut history = Sha256::new_with_prefix(self.history);
        for payload in block {
            history.update((payload.len() as u64).to_be_bytes());
            history.update(payload);
        }
        self.history = history.finalize().into();
        let it = self.tried.of(&self.history).unwrap_or_else(|| {
            let it = self.measured(block);
            self.tried.keep(self.history, it);
            it
        });
        if let Some(random) = it.random {
            self.against_random.count(it.real, random);
        }
        if let (Some(wins), Some(order)) = (&mut self.against_order, it.order) {
            wins.count(it.real, order);
        }
        self.random = it.chance;
    }

    /// Decodes the block and its controls, of what is not shown yet. All that it depends on is what was taken before.
    fn measured(&self, block: &[Vec<u8>]) -> Measured {
        let subject = self.subject;
        let mut chance = self.random;
        let controls = |change: &mut dyn FnMut(&[u8]) -> Vec<u8>| {
            [(); CONTROLS].map(|()| {
                let control: Vec<Vec<u8>> = block.iter().map(|it| change(it)).collect();
                subject.likeness(&self.before, &control)
            })
        };
        let random = (!self.against_random.are_shown()).then(|| {
            controls(&mut |payload| {
                let framing = subject.framing(payload);
                let (head, rest) = payload.split_at_checked(framing).unwrap_or((payload, &[]));
                head.iter().copied().chain(rest.iter().map(|byte| byte ^ chance.byte())).collect()
            })
        });
        let order = self.against_order.filter(|it| !it.are_shown());
        Measured {
            real: subject.likeness(&self.before, block),
            random,
            order: order.map(|_| controls(&mut |payload| chance.shuffled(payload))),
            chance,
        }
    }

    /// What came of it.
    pub fn outcome(self) -> Outcome {
        let mut figures = self.against_random.told("that payload XOR random bytes");
        if let Some(it) = &self.against_order {
            figures = format!("{figures}, {}", it.told("its bytes in another order"));
        }
        if self.is_shown() {
            return Outcome::Sound(format!("decodes to sound: {figures}"));
        }
        if self.blocks < LEAST {
            return Outcome::Nothing(format!(
                "too little of it ({} blocks of 40 ms or more, {LEAST} are the least) to tell sound from cipher text",
                self.blocks
            ));
        }
        Outcome::Nothing(format!("not told from cipher text: {figures}"))
    }
}

/// What a block multiplies the stake by: the weight of the real version by the mean of all, as far as the stake is not left aside. A
/// version's weight doubles so often as it becomes more like sound by one.
fn gain(real: f64, controls: [f64; CONTROLS], doublings: f64) -> f64 {
    let best = controls.into_iter().fold(real, f64::max);
    if !best.is_finite() {
        // Nothing was made of any of them.
        return 1.0;
    }
    let weight = |likeness: f64| doubled((likeness - best) * doublings);
    let all = controls.into_iter().fold(weight(real), |sum, it| sum + weight(it));
    let versions = CONTROLS as f64 + 1.0;
    ASIDE + (1.0 - ASIDE) * versions * weight(real) / all
}

/// Two to the power of a number up to 0, in straight lines between whole ones: the same on every machine, which the library's is not.
fn doubled(times: f64) -> f64 {
    let times = times.max(-1_000.0);
    let whole = times.floor();
    (1.0 + times - whole) * 0.5_f64.powi(-whole as i32)
}

/// How far the level moves from each hundredth of a second to the next, in doublings of its power, on average.
fn movement(samples: &[i16]) -> f64 {
    let power = |of: &[i16]| {
        let squares = of
            .iter()
            .map(|it| u64::from(it.unsigned_abs()).saturating_mul(u64::from(it.unsigned_abs())));
        squares
            .fold(0, u64::saturating_add)
            .checked_div(of.len() as u64)
            .unwrap_or_default()
    };
    let levels: Vec<f64> = samples
        .chunks_exact(HUNDREDTH)
        .map(|it| doublings(power(it).saturating_add(FAINT)))
        .collect();
    let steps = levels.windows(2).map(|it| match it {
        [from, to] => (to - from).abs(),
        _ => 0.0,
    });
    let count = levels.len().saturating_sub(1);
    if count > 0 { steps.sum::<f64>() / count as f64 } else { 0.0 }
}

/// The logarithm to base two, in straight lines between the powers of two: the same on every machine, which the library's is not.
fn doublings(power: u64) -> f64 {
    let whole = power.checked_ilog2().unwrap_or_default();
    let beyond = power as f64 / (1_u64 << whole) as f64 - 1.0;
    f64::from(whole) + beyond
}

/// How well sound repeats itself, 0 to 1: over frames, the largest correlation with itself a period later, on average.
fn repetition(samples: &[i16], thinning: usize) -> f64 {
    let thin: Vec<f64> = samples
        .chunks_exact(thinning.max(1))
        .map(|group| group.iter().map(|it| f64::from(*it)).sum())
        .collect();
    let (mut sum, mut frames) = (0.0, 0.0);
    for frame in thin.as_chunks::<FRAME>().0 {
        sum += most_correlated(frame);
        frames += 1.0;
    }
    if frames > 0.0 { sum / frames } else { 0.0 }
}

/// The largest correlation of a frame with itself a period later; of one without any power 0.
fn most_correlated(frame: &[f64; FRAME]) -> f64 {
    let mean = frame.iter().sum::<f64>() / FRAME as f64;
    let frame = frame.map(|it| it - mean);
    // The power of the first so many values.
    let mut power = [0.0; FRAME];
    let mut sum = 0.0;
    for (so_far, value) in power.iter_mut().zip(&frame) {
        sum += value * value;
        *so_far = sum;
    }
    let up_to = |count: usize| count.checked_sub(1).and_then(|last| power.get(last)).copied().unwrap_or_default();
    let correlation = |period: usize| {
        let early = up_to(FRAME.saturating_sub(period));
        let late = sum - up_to(period);
        let product = product(&frame, frame.get(period..).unwrap_or_default());
        if early > 0.0 && late > 0.0 {
            (product / (early * late).sqrt()).min(1.0)
        } else {
            0.0
        }
    };
    PERIODS.map(correlation).fold(0.0, f64::max)
}

/// The inner product as far as both go, in eight sums at a time: the order of the additions is fixed, the same on every machine.
fn product(a: &[f64], b: &[f64]) -> f64 {
    let both = a.len().min(b.len());
    let (a, b) = (a.get(..both).unwrap_or_default(), b.get(..both).unwrap_or_default());
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (a, b) in zip(a, b) {
        for (sum, (a, b)) in zip(&mut sums, zip(a, b)) {
            *sum += a * b;
        }
    }
    zip(a_rest, b_rest).fold(sums.iter().sum(), |sum, (a, b)| sum + a * b)
}

/// SplitMix64 (Steele, Lea & Flood 2014). Always the same, which the test does not mind: the payloads do not know it.
#[derive(Clone, Copy, Debug)]
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
        for (subject, framing, random_bytes, ticks) in [(Subject::G722, None, 320, 320), (Subject::Opus, Some(0xf8), 60, 1_920)] {
            let mut random = Random(17);
            let mut trial = Trial::new(subject, Arc::default());
            for _ in 0..MOST {
                let payload: Vec<u8> = framing.into_iter().chain((0..random_bytes).map(|_| random.byte())).collect();
                trial.take(&payload, ticks);
            }
            assert!(!trial.is_shown() && trial.is_lost());
            assert_eq!(trial.against_random.blocks, MOST);
            // 80 of 320 are expected, with a deviation of 7.7.
            let won = trial.against_random.wins;
            assert!((49..112).contains(&won), "{subject:?}: {won}");
        }
    }

    #[test]
    fn what_was_tried_before_comes_to_the_same() {
        for (subject, ticks) in [(Subject::G722, 160), (Subject::Opus, 960)] {
            let tried = Arc::new(Tried::default());
            let told = |tried: &Arc<Tried>, other: Option<usize>| {
                let mut random = Random(23);
                let mut trial = Trial::new(subject, Arc::clone(tried));
                for number in 0..60 {
                    let mut payload: Vec<u8> = std::iter::once(0xf8).chain((0..79).map(|_| random.byte())).collect();
                    if other == Some(number) {
                        payload.reverse();
                    }
                    trial.take(&payload, ticks);
                }
                (trial.against_random.stake.to_bits(), trial.random.0, trial.outcome())
            };
            let first = told(&tried, None);
            let kept = |tried: &Tried| tried.0.lock().map(|it| it.len()).ok();
            assert_eq!(kept(&tried), Some(30));
            assert_eq!(told(&tried, None), first, "out of what is kept");
            assert_eq!(kept(&tried), Some(30), "nothing was measured anew");
            assert_eq!(told(&Arc::default(), None), first, "by itself");
            let another = told(&tried, Some(30));
            assert_eq!(kept(&tried), Some(45), "from the payload on that differs");
            assert_eq!(told(&Arc::default(), Some(30)), another);
        }
    }

    #[test]
    fn levels_are_told_by_the_doublings_of_their_power() {
        assert_eq!([1, 2, 3, 4, 1 << 40].map(doublings), [0.0, 1.0, 1.5, 2.0, 40.0]);
        let steady = [1_000_i16, -1_000].repeat(800);
        let jumps: Vec<i16> = (0..1_600)
            .map(|at| if (at / HUNDREDTH).is_multiple_of(2) { 8_000 } else { 1_000 })
            .collect();
        assert!(movement(&steady) < 1e-9 && (movement(&jumps) - 6.0).abs() < 0.1);
        assert_eq!((movement(&[]), movement(&[5; 200])), (0.0, 0.0));
    }

    /// What is staked never grows by itself: which of four versions is the real one is a matter of chance, and then nothing is gained
    /// on average.
    #[test]
    fn stakes_are_fair() {
        for four in [
            [0.1, 0.2, 0.3, 0.9],
            [0.5; 4],
            [-3.0, f64::NEG_INFINITY, 0.7, 0.7],
            [f64::NEG_INFINITY; 4],
        ] {
            let [a, b, c, d] = four;
            let turns = [(a, [b, c, d]), (b, [a, c, d]), (c, [a, b, d]), (d, [a, b, c])];
            let mean = turns.map(|(real, controls)| gain(real, controls, 12.0)).iter().sum::<f64>() / 4.0;
            assert!((mean - 1.0).abs() < 1e-12, "{four:?}: {mean}");
        }
        let mut late = Wins::new(SMALL, 12.0);
        (0..100).for_each(|_| late.count(0.1, [0.2, 0.3, 0.9]));
        assert!(late.stake > 1e-4, "what is still to come is not lost");
        (0..40).for_each(|_| late.count(0.9, [0.2, 0.3, 0.1]));
        assert!(late.are_shown());
    }

    #[test]
    fn fewer_blocks_than_the_least_show_nothing() {
        let mut best = Wins::new(SMALL, 1_000.0);
        let needed = (1..).find(|_| {
            best.count(1.0, [0.0; CONTROLS]);
            best.are_shown()
        });
        assert_eq!(needed, Some(LEAST));
    }

    #[test]
    fn weights_double() {
        assert_eq!([0.0, -1.0, -1.5, -2.0, -10.0].map(doubled), [1.0, 0.5, 0.375, 0.25, 1.0 / 1_024.0]);
        assert_eq!(doubled(f64::NEG_INFINITY), doubled(-1_000.0));
    }
}
