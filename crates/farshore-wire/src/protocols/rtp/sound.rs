//! G.711 back to sound, and whether it is sound: every byte is a valid code, so that decoding alone proves nothing.
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

use std::collections::BTreeMap;

use audio_codec_algorithms::{decode_alaw, decode_ulaw};
use sha2::{Digest, Sha256};

use super::recognition::LONGEST_TAG;
use crate::protocols::hexadecimal::spelled;

/// Packets held back so that late ones find their place: 32 of 20 ms, more than players wait.
const HELD: usize = 32;

/// Probability under the null that is small enough.
const SMALL: f64 = 1e-6;

/// Standard deviations fewer runs than by chance.
const DEVIATIONS: f64 = 6.0;

/// Distinct differences between payload and clock that are counted.
const MOST_DIFFERENCES: usize = 16;

/// Longest G.711 payload taken: a second of it. Real packets hold 10 to 130 ms.
const LONGEST: usize = 8_000;

/// The two laws of ITU-T G.711.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// Payload type 0.
    Mu,
    /// Payload type 8.
    A,
}

impl Law {
    /// The law of a payload type.
    pub const fn of(payload_type: u8) -> Option<Self> {
        match payload_type {
            0 => Some(Self::Mu),
            8 => Some(Self::A),
            _ => None,
        }
    }

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

/// One packet, as it waits for its turn.
#[derive(Debug)]
struct Held {
    timestamp: u32,
    codes: Vec<u8>,
}

/// The packet decoded last.
#[derive(Clone, Copy, Debug)]
struct Played {
    number: u64,
    timestamp: u32,
    codes: usize,
}

/// The sound of one source.
#[derive(Debug)]
pub struct Sound {
    law: Law,
    /// Packets by extended sequence number (RFC 3550, section 6.4.1).
    waiting: BTreeMap<u64, Held>,
    last: Option<Played>,
    /// Sequence numbers that never came.
    lost: u64,
    hash: Sha256,
    samples: u64,
    /// Payloads that cannot be decoded whole: cut by the capture, or with impossible padding.
    broken: u64,
    /// Payload length minus clock step, and how often.
    differences: BTreeMap<i64, u64>,
    /// The byte all payloads consist of; `Err` once there are two.
    constant: Result<Option<u8>, ()>,
    neighbours: u64,
    changes: u64,
    /// Mean and variance of the number of runs under every order, and the number found.
    runs: (f64, f64, f64),
}

/// What a source's sound turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is sound; the test's figures, SHA-256 of the samples.
    Sound { because: String, sound: String },
    /// Not shown to be; why.
    Nothing(String),
}

impl Sound {
    pub fn new(law: Law) -> Self {
        Self {
            law,
            waiting: BTreeMap::new(),
            last: None,
            lost: 0,
            hash: Sha256::new(),
            samples: 0,
            broken: 0,
            differences: BTreeMap::new(),
            constant: Ok(None),
            neighbours: 0,
            changes: 0,
            runs: (0.0, 0.0, 0.0),
        }
    }

    /// Takes a packet by its extended sequence number; `None` when its payload is not whole.
    pub fn packet(&mut self, number: u64, timestamp: u32, codes: Option<&[u8]>) {
        let Some(codes) = codes.filter(|it| it.len() <= LONGEST) else {
            self.broken = self.broken.saturating_add(1);
            return;
        };
        // Captured twice, or later than any player would wait.
        if self.last.is_some_and(|last| number <= last.number) {
            return;
        }
        self.waiting.entry(number).or_insert_with(|| Held {
            timestamp,
            codes: codes.to_vec(),
        });
        if self.waiting.len() > HELD {
            self.play();
        }
    }

    /// Decodes the first of the waiting packets.
    fn play(&mut self) {
        let Some((number, held)) = self.waiting.pop_first() else { return };
        if let Some(last) = self.last {
            let between = number.saturating_sub(last.number).saturating_sub(1);
            self.lost = self.lost.saturating_add(between);
            if between == 0 {
                let ticks = i64::from(held.timestamp.wrapping_sub(last.timestamp));
                self.difference(i64::try_from(last.codes).unwrap_or(i64::MAX).saturating_sub(ticks));
            }
        }
        self.last = Some(Played {
            number,
            timestamp: held.timestamp,
            codes: held.codes.len(),
        });
        self.samples = self.samples.saturating_add(held.codes.len() as u64);
        // Hashed a packet at a time: a call for every sample would cost more than the hash.
        let samples = held.codes.iter().flat_map(|code| self.law.sample(*code).to_le_bytes());
        self.hash.update(samples.collect::<Vec<_>>());
        if let Some(code) = held.codes.first() {
            let same = held.codes.iter().all(|it| it == code);
            self.constant = match self.constant {
                Ok(None) if same => Ok(Some(*code)),
                Ok(Some(before)) if same && before == *code => Ok(Some(before)),
                _ => Err(()),
            };
        }
        self.signs(&held.codes);
    }

    fn difference(&mut self, bytes: i64) {
        if self.differences.len() < MOST_DIFFERENCES || self.differences.contains_key(&bytes) {
            let times = self.differences.entry(bytes).or_default();
            *times = times.saturating_add(1);
        }
    }

    /// Adds a packet's sign changes and runs to the test.
    fn signs(&mut self, codes: &[u8]) {
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

    /// Decodes what still waits and tells what was heard.
    pub fn heard(mut self) -> Heard {
        while !self.waiting.is_empty() {
            self.play();
        }
        let nothing = |why: &str| Heard::Nothing(why.to_owned());
        if self.broken > 0 {
            return Heard::Nothing(format!(
                "{} payloads are not whole in the capture, or padded beyond their length",
                self.broken
            ));
        }
        let usual = self.differences.iter().max_by_key(|(_, times)| **times);
        match usual {
            None => return nothing("no two packets follow each other, so that payload lengths cannot be held against the clock"),
            Some((0, _)) => {}
            Some((tag, _)) if (1..=i64::from(LONGEST_TAG)).contains(tag) => {
                return Heard::Nothing(format!("payloads are {tag} bytes longer than their samples: an SRTP tag fits"));
            }
            Some(_) => return nothing("payload lengths do not fit the clock"),
        }
        let sound = spelled(&std::mem::take(&mut self.hash).finalize());
        match self.constant {
            Ok(Some(code)) if self.law.is_silence(code) => {
                let because = format!(
                    "constant silence pattern: all {} codes are 0x{code:02x}, which no cipher gives",
                    self.samples
                );
                return Heard::Sound { because, sound };
            }
            Ok(_) => return nothing("all codes are the same, which is neither sound nor silence"),
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
             deviations fewer runs than shuffled samples have, {} packets lost",
            m / 2.0,
            (bound / std::f64::consts::LN_10).ceil(),
            self.lost,
        );
        if bound < SMALL.ln() && deviations > DEVIATIONS {
            return Heard::Sound {
                because: format!("decodes to sound: {figures}"),
                sound,
            };
        }
        if self.samples < 160 {
            return Heard::Nothing(format!("too few samples ({}) to tell sound from cipher text", self.samples));
        }
        Heard::Nothing(format!("not told from cipher text: {figures}"))
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
