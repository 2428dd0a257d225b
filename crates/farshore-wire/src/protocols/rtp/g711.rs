//! G.711 (ITU-T G.711): its two laws, and whether codes are sound. Every byte is a valid code, so that decoding alone proves nothing.
//!
//! # The test
//! *Null*: payload bytes are independent and even, as cipher text is. The sign bits of the codes are then fair coins,
//! and whether the sign changes between two neighbours in a packet is one too, independent of all others. Over `m`
//! neighbours with `c` changes, `c` follows the binomial distribution with n = m, p = 1/2, and by Hoeffding (1963, *J. Am.
//! Stat. Assoc.* 58, theorem 1) `P(c <= m/2 - t) <= exp(-2 t^2 / m)`. That bound holds exactly, for every `m`; it must be below 1e-6.
//!
//! Speech passes by far: it crosses zero 0.05 to 0.3 times a sample. So would text, whose bytes all have one sign.
//! Therefore *order* must matter as well: given how many codes of each sign a packet has, the number of runs has,
//! under every order alike, mean `1 + 2ab/n` and variance `2ab(2ab - n) / (n^2 (n - 1))` (Wald & Wolfowitz 1940,
//! *Ann. Math. Stat.* 11, 147). Summed over packets there must be fewer runs than that by 6 standard deviations.

use audio_codec_algorithms::{decode_alaw, decode_ulaw};

use super::trial::{Outcome, SMALL};

/// Standard deviations fewer runs than by chance.
const DEVIATIONS: f64 = 6.0;

/// The two laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// Payload type 0.
    Mu,
    /// Payload type 8.
    A,
}

impl Law {
    /// A code's 16-bit sample.
    pub fn sample(self, code: u8) -> i16 {
        match self {
            Self::Mu => decode_ulaw(code),
            Self::A => decode_alaw(code),
        }
    }

    /// Codes that decode to the smallest samples: what digital silence is sent as.
    const fn is_silence(self, code: u8) -> bool {
        match self {
            Self::Mu => code & 0x7f == 0x7f,
            Self::A => code & 0x7f == 0x55,
        }
    }
}

/// The signs of the codes so far.
#[derive(Debug)]
pub struct Signs {
    /// `None` of samples that are sent as they are.
    law: Option<Law>,
    codes: u64,
    /// The byte all payloads consist of; `Err` once there are two.
    constant: Result<Option<u8>, ()>,
    neighbours: u64,
    changes: u64,
    /// Mean and variance of the number of runs under every order, and the number found.
    runs: (f64, f64, f64),
}

impl Signs {
    pub const fn new(law: Option<Law>) -> Self {
        Self {
            law,
            codes: 0,
            constant: Ok(None),
            neighbours: 0,
            changes: 0,
            runs: (0.0, 0.0, 0.0),
        }
    }

    /// Adds a packet's sign changes and runs to the test.
    pub fn take(&mut self, codes: &[u8]) {
        self.codes = self.codes.saturating_add(codes.len() as u64);
        if let Some(code) = codes.first() {
            let same = codes.iter().all(|it| it == code);
            self.constant = match self.constant {
                Ok(None) if same => Ok(Some(*code)),
                Ok(Some(before)) if same && before == *code => Ok(Some(before)),
                _ => Err(()),
            };
        }
        let changes = codes
            .iter()
            .zip(codes.iter().skip(1))
            .filter(|(a, b)| (*a ^ *b) & 0x80 != 0)
            .count();
        self.neighbours = self.neighbours.saturating_add(codes.len().saturating_sub(1) as u64);
        self.changes = self.changes.saturating_add(changes as u64);
        let n = codes.len() as f64;
        let a = codes.iter().filter(|code| *code & 0x80 != 0).count() as f64;
        let twice = 2.0 * a * (n - a);
        if n > 1.0 && twice > 0.0 {
            let (mean, variance, found) = &mut self.runs;
            *mean += 1.0 + twice / n;
            *variance += twice * (twice - n) / (n * n * (n - 1.0));
            *found += 1.0 + changes as f64;
        }
    }

    /// The same of one channel's samples that are sent as they are: their signs stand where those of codes do.
    pub fn take_linear(&mut self, samples: impl Iterator<Item = i16>) {
        // Silence is nothing but zeros, and a code of one byte would hide what stands below it.
        let codes: Vec<u8> = samples.map(|it| if it < 0 { 0x80 } else { u8::from(it > 0) }).collect();
        self.take(&codes);
    }

    /// What the codes come to.
    pub fn outcome(&self) -> Outcome {
        match self.constant {
            Ok(Some(code)) if self.law.map_or(code == 0, |law| law.is_silence(code)) => {
                return Outcome::Sound(format!(
                    "constant silence pattern: all {} codes are 0x{code:02x}, which no cipher gives",
                    self.codes
                ));
            }
            Ok(_) => return Outcome::Nothing("all codes are the same, which is neither sound nor silence".to_owned()),
            Err(()) => {}
        }
        let (m, c) = (self.neighbours as f64, self.changes as f64);
        let short = (m / 2.0 - c).max(0.0);
        // Natural logarithm of Hoeffding's bound.
        let bound = if m > 0.0 { -2.0 * short * short / m } else { 0.0 };
        let (mean, variance, found) = self.runs;
        let deviations = if variance > 0.0 { (mean - found) / variance.sqrt() } else { 0.0 };
        let figures = format!(
            "{c} sign changes between {m} neighbouring samples (random bytes give {}; p <= 1e{:.0}), {deviations:.1} standard \
             deviations fewer runs than shuffled samples have",
            m / 2.0,
            (bound / std::f64::consts::LN_10).ceil(),
        );
        if bound < SMALL.ln() && deviations > DEVIATIONS {
            return Outcome::Sound(format!("decodes to sound: {figures}"));
        }
        if self.codes < 160 {
            return Outcome::Nothing(format!("too few samples ({}) to tell sound from cipher text", self.codes));
        }
        Outcome::Nothing(format!("not told from cipher text: {figures}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ITU-T G.711, table 2a: 13-bit magnitudes of A-law, as the standard builds them from segment and step.
    fn a_law(code: u8) -> i32 {
        let code = code ^ 0x55;
        let (segment, step) = (u32::from(code >> 4 & 7), i32::from(code & 15));
        let magnitude = if segment == 0 {
            2 * step + 1
        } else {
            (2 * step + 33) << (segment - 1)
        };
        if code & 0x80 == 0 { -8 * magnitude } else { 8 * magnitude }
    }

    /// Table 2b: 14-bit magnitudes of mu-law.
    fn mu_law(code: u8) -> i32 {
        let code = !code;
        let magnitude = ((2 * i32::from(code & 15) + 33) << u32::from(code >> 4 & 7)) - 33;
        if code & 0x80 == 0 { 4 * magnitude } else { -4 * magnitude }
    }

    #[test]
    fn all_codes_decode_as_the_tables_of_the_standard_say() {
        for code in 0..=255 {
            assert_eq!(i32::from(Law::Mu.sample(code)), mu_law(code), "mu {code:#x}");
            assert_eq!(i32::from(Law::A.sample(code)), a_law(code), "A {code:#x}");
        }
    }

    #[test]
    fn smallest_codes_are_silence() {
        let smallest = |law: Law| -> Vec<u8> {
            let least = (0..=255).map(|code| law.sample(code).unsigned_abs()).min().unwrap();
            (0..=255).filter(|code| law.sample(*code).unsigned_abs() == least).collect()
        };
        assert_eq!((smallest(Law::Mu), smallest(Law::A)), (vec![0x7f, 0xff], vec![0x55, 0xd5]));
        assert!(smallest(Law::Mu).iter().all(|code| Law::Mu.is_silence(*code)));
        assert!(smallest(Law::A).iter().all(|code| Law::A.is_silence(*code)));
    }
}
