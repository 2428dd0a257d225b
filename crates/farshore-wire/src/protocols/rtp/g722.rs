//! G.722 (ITU-T G.722, 64 kbit/s): the decoder, in the integers of the standard, so that its samples are the same everywhere.
//!
//! Each byte is two samples at 16 kHz: six bits of adaptive PCM for the half up to 4 kHz, two for the half above, put together by
//! a quadrature mirror filter. Every byte is valid.

use std::iter::zip;

/// Six-bit inverse quantiser of the lower band (table 8/G.722).
const LOW_64: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856, -7192, -6576,
    -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040, -728, 24808, 21904, 19008, 16704, 14984,
    13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040,
    728, 432, 136, -432, -136,
];

/// Four-bit inverse quantiser of the lower band, which alone drives what adapts, and what its code adds to the logarithm of the scale.
const LOW_16: [(i32, i32); 16] = [
    (0, -60),
    (-20456, 3042),
    (-12896, 1198),
    (-8968, 538),
    (-6288, 334),
    (-4240, 172),
    (-2584, 58),
    (-1200, -30),
    (20456, 3042),
    (12896, 1198),
    (8968, 538),
    (6288, 334),
    (4240, 172),
    (2584, 58),
    (1200, -30),
    (0, -60),
];

/// The same for the two bits of the higher band.
const HIGH_4: [(i32, i32); 4] = [(-7408, 798), (-1616, -214), (7408, 798), (1616, -214)];

/// Powers of two in steps of a thirty-second, by which a logarithmic scale becomes linear.
const POWERS: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025, 3091, 3158, 3228,
    3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];

/// Half of the symmetric mirror filter.
const MIRROR: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];

/// Held to 16 bits, as the standard's arithmetic is.
fn held(value: i32) -> i32 {
    value.clamp(i32::from(i16::MIN), i32::from(i16::MAX))
}

/// The product of two numbers of 15 fractional bits.
const fn product(a: i32, b: i32) -> i32 {
    a.wrapping_mul(b) >> 15
}

/// The predictor and the scale of one band (blocks 3 and 4).
#[derive(Clone, Debug, Default)]
struct Band {
    /// Logarithm of the scale, and the scale.
    log: i32,
    scale: i32,
    /// The signal as predicted, and the zeros' part of that.
    predicted: i32,
    by_zeros: i32,
    /// The latest two signals, and the latest two without the poles' part.
    signals: [i32; 2],
    partial: [i32; 2],
    poles: [i32; 2],
    zeros: [i32; 6],
    /// The latest six quantised differences.
    differences: [i32; 6],
}

impl Band {
    fn new(scale: i32) -> Self {
        Self { scale, ..Self::default() }
    }

    /// Moves the scale by what a code says.
    fn rescale(&mut self, by: i32, most: i32, shift: i32) {
        self.log = (self.log.wrapping_mul(127) >> 7).wrapping_add(by).clamp(0, most);
        let power = POWERS
            .get(usize::try_from(self.log >> 6 & 31).unwrap_or_default())
            .copied()
            .unwrap_or_default();
        let right = shift.wrapping_sub(self.log >> 11);
        let linear = if right < 0 {
            power.unbounded_shl(right.unsigned_abs())
        } else {
            power.unbounded_shr(right.unsigned_abs())
        };
        self.scale = linear << 2;
    }

    /// Adapts the predictor to a difference, and predicts what comes next (block 4).
    fn adapt(&mut self, difference: i32) {
        let signal = held(self.predicted.wrapping_add(difference));
        let partial = held(self.by_zeros.wrapping_add(difference));
        let ([first_pole, second_pole], [before, earlier]) = (self.poles, self.partial);
        let toward = |same: bool, step: i32| if same { step } else { step.wrapping_neg() };
        let same = |a: i32, b: i32| (a < 0) == (b < 0);

        let inclined = held(first_pole << 2);
        let inclined = toward(!same(partial, before), inclined).min(i32::from(i16::MAX)) >> 7;
        let second = toward(same(partial, earlier), 128)
            .wrapping_add(inclined)
            .wrapping_add(product(second_pole, 32_512))
            .clamp(-12_288, 12_288);
        let most = held(15_360_i32.wrapping_sub(second));
        let first = held(toward(same(partial, before), 192).wrapping_add(product(first_pole, 32_640))).clamp(most.wrapping_neg(), most);

        let step = if difference == 0 { 0 } else { 128 };
        for (zero, past) in zip(&mut self.zeros, &self.differences) {
            *zero = held(toward(same(*past, difference), step).wrapping_add(product(*zero, 32_640)));
        }
        let [a, b, c, d, e, _] = self.differences;
        self.differences = [difference, a, b, c, d, e];
        let [last, _] = self.signals;
        self.signals = [signal, last];
        self.partial = [partial, before];
        self.poles = [first, second];

        let doubled = |it: i32| held(it << 1);
        let by_poles = held(product(first, doubled(signal)).wrapping_add(product(second, doubled(last))));
        let by_zeros =
            zip(&self.zeros, &self.differences).fold(0_i32, |sum, (zero, past)| sum.wrapping_add(product(*zero, doubled(*past))));
        self.by_zeros = held(by_zeros);
        self.predicted = held(by_poles.wrapping_add(self.by_zeros));
    }
}

/// A decoder.
#[derive(Clone, Debug)]
pub struct Decoder {
    low: Band,
    high: Band,
    /// The latest sums and differences of the two bands, the youngest first.
    sums: [i32; 12],
    differences: [i32; 12],
}

impl Decoder {
    pub fn new() -> Self {
        Self {
            low: Band::new(32),
            high: Band::new(8),
            sums: [0; 12],
            differences: [0; 12],
        }
    }

    /// The two samples of a byte.
    pub fn decode(&mut self, code: u8) -> [i16; 2] {
        let (low, high) = (usize::from(code & 63), usize::from(code >> 6));
        let fine = LOW_64.get(low).copied().unwrap_or_default();
        let below = held(self.low.predicted.wrapping_add(product(self.low.scale, fine))).clamp(-16_384, 16_383);
        let (coarse, by) = LOW_16.get(low >> 2).copied().unwrap_or_default();
        let difference = product(self.low.scale, coarse);
        self.low.rescale(by, 18_432, 8);
        self.low.adapt(difference);

        let (coarse, by) = HIGH_4.get(high).copied().unwrap_or_default();
        let difference = product(self.high.scale, coarse);
        let above = held(self.high.predicted.wrapping_add(difference)).clamp(-16_384, 16_383);
        self.high.rescale(by, 22_528, 10);
        self.high.adapt(difference);

        push(&mut self.sums, below.wrapping_add(above));
        push(&mut self.differences, below.wrapping_sub(above));
        let filtered = |values: &mut dyn Iterator<Item = &i32>| {
            let sum = zip(values, &MIRROR).fold(0_i32, |sum, (value, weight)| sum.wrapping_add(value.wrapping_mul(*weight)));
            i16::try_from(held(sum >> 11)).unwrap_or_default()
        };
        [filtered(&mut self.differences.iter()), filtered(&mut self.sums.iter().rev())]
    }
}

fn push(line: &mut [i32; 12], value: i32) {
    line.rotate_right(1);
    if let Some(first) = line.first_mut() {
        *first = value;
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    /// `voice.g722` and the digest of its samples are FFmpeg's, from a voice that `samples/voice.py` makes.
    #[test]
    fn samples_are_those_of_another_decoder() {
        let mut decoder = Decoder::new();
        let codes = include_bytes!("samples/voice.g722");
        let samples = codes.iter().flat_map(|code| decoder.decode(*code)).flat_map(i16::to_le_bytes);
        let digest = Sha256::digest(samples.collect::<Vec<u8>>());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, include_str!("samples/voice.g722.sha256").trim());
    }
}
