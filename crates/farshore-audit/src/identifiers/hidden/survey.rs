//! One look over bytes, 64 at a time: where runs of digits of some encoding stand, where decimal digits do, and which signs
//! there are at all. Everything that is looked for beneath layers starts from it, so that a text is passed once.
//!
//! Refuses to judge what a run is.

use std::ops::Range;

use super::super::marks::bits;

/// Shorter runs of digits of an encoding are words.
pub(super) const SHORTEST_RUN: usize = 8;
/// Bytes that are looked at together, a bit each.
const WIDTH: usize = 64;

const PERCENT: u8 = 4;
const AMPERSAND: u8 = 8;
const BACKSLASH: u8 = 16;
const CONTROL: u8 = 32;
const HIGH: u8 = 64;
const ZERO: u8 = 128;

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Survey {
    seen: u8,
    /// Letters, digits and the special ones of base64.
    runs: Vec<u64>,
    digits: Vec<u64>,
    /// It is UTF-8 without control characters but those of lines.
    pub textual: bool,
}

impl Survey {
    /// Looks over other bytes.
    pub fn look(&mut self, text: &[u8]) {
        self.runs.clear();
        self.digits.clear();
        let mut seen = 0;
        let (wholes, rest) = text.as_chunks::<WIDTH>();
        let mut last = [b' '; WIDTH];
        if let Some(last) = last.get_mut(..rest.len()) {
            last.copy_from_slice(rest);
        }
        for block in wholes.iter().chain((!rest.is_empty()).then_some(&last)) {
            // Without a branch and without a table: so sixteen bytes and more are looked at in one step.
            let (mut runs, mut digits) = ([0_u8; WIDTH], [0_u8; WIDTH]);
            for ((byte, run), digit) in block.iter().zip(&mut runs).zip(&mut digits) {
                let is_digit = byte.wrapping_sub(b'0') < 10;
                *digit = u8::from(is_digit);
                *run = u8::from(is_digit | ((byte | 0x20).wrapping_sub(b'a') < 26) | is_special(*byte));
                seen |= signs(*byte);
            }
            self.runs.push(joined(&runs));
            self.digits.push(joined(&digits));
        }
        self.seen = seen;
        self.textual = seen & CONTROL == 0 && (seen & HIGH == 0 || str::from_utf8(text).is_ok());
    }

    /// Whether there is a percent sign, an ampersand, a backslash.
    pub fn signs(&self) -> [bool; 3] {
        [PERCENT, AMPERSAND, BACKSLASH].map(|sign| self.seen & sign != 0)
    }

    /// Whether there is a byte of zero.
    pub fn has_zero(&self) -> bool {
        self.seen & ZERO != 0
    }

    /// The next run of eight and more digits of an encoding, from a place that is not inside one.
    pub fn run(&self, from: usize) -> Option<Range<usize>> {
        let mut at = from;
        loop {
            let block = at / WIDTH;
            let word = u128::from(*self.runs.get(block)?);
            let next = u128::from(self.runs.get(block.saturating_add(1)).copied().unwrap_or(0));
            let both = (next << 64 | word) & u128::MAX.wrapping_shl(u32::try_from(at % WIDTH).unwrap_or(0));
            let two = both & both >> 1;
            let four = two & two >> 2;
            let begins = (four & four >> 4) as u64;
            if begins != 0 {
                let start = block.saturating_mul(WIDTH).saturating_add(begins.trailing_zeros() as usize);
                return Some(start..ones_from(&self.runs, start));
            }
            at = block.saturating_add(1).saturating_mul(WIDTH);
        }
    }

    /// The next decimal digits.
    pub fn number(&self, from: usize) -> Option<Range<usize>> {
        let mut at = from;
        loop {
            let block = at / WIDTH;
            let word = self.digits.get(block)? & u64::MAX.wrapping_shl(u32::try_from(at % WIDTH).unwrap_or(0));
            if word != 0 {
                let start = block.saturating_mul(WIDTH).saturating_add(word.trailing_zeros() as usize);
                return Some(start..ones_from(&self.digits, start));
            }
            at = block.saturating_add(1).saturating_mul(WIDTH);
        }
    }
}

/// Where the bits end that are set from here on.
fn ones_from(words: &[u64], start: usize) -> usize {
    let mut end = start;
    loop {
        let word = words.get(end / WIDTH).copied().unwrap_or(0);
        let here = word.wrapping_shr(u32::try_from(end % WIDTH).unwrap_or(0)).trailing_ones() as usize;
        end = end.saturating_add(here);
        if here == 0 || !end.is_multiple_of(WIDTH) {
            return end;
        }
    }
}

/// One of `+`, `-`, `/` and `_`.
const fn is_special(byte: u8) -> bool {
    (byte == b'+') | (byte == b'-') | (byte == b'/') | (byte == b'_')
}

/// What a byte adds to what was seen.
fn signs(byte: u8) -> u8 {
    let flag = |is: bool, flag: u8| u8::from(is).wrapping_neg() & flag;
    let of_lines = (byte == b'\t') | (byte == b'\r') | (byte == b'\n');
    flag(byte == b'%', PERCENT)
        | flag(byte == b'&', AMPERSAND)
        | flag(byte == b'\\', BACKSLASH)
        | flag((byte < 0x20) & !of_lines | (byte == 0x7f), CONTROL)
        | flag(byte >= 0x80, HIGH)
        | flag(byte == 0, ZERO)
}

/// The lowest bits of 64 bytes.
fn joined(bytes: &[u8; WIDTH]) -> u64 {
    let (eights, _) = bytes.as_chunks::<8>();
    eights
        .iter()
        .rev()
        .fold(0, |all, eight| all << 8 | bits(u64::from_le_bytes(*eight), 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counted byte by byte.
    fn runs(text: &[u8], is: fn(u8) -> bool, least: usize) -> Vec<Range<usize>> {
        let (mut all, mut at) = (Vec::new(), 0);
        while at < text.len() {
            let length = text[at..].iter().take_while(|it| is(**it)).count();
            if length >= least {
                all.push(at..at + length);
            }
            at += length + 1;
        }
        all
    }

    #[test]
    fn runs_are_those_a_plain_look_finds() {
        let mut state = 3_u64;
        for length in (0..400).chain([1000, 4096]) {
            let mut text = Vec::new();
            while text.len() < length {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let stretch = (state >> 60) as usize * (state >> 50 & 7) as usize;
                let byte = b"a7 %\0&\\\xffZ-"[(state >> 33) as usize % 10];
                text.extend(std::iter::repeat_n(byte, 1 + stretch));
            }
            text.truncate(length);
            let mut survey = Survey::default();
            survey.look(&text);
            let (mut found, mut digits) = (Vec::new(), Vec::new());
            let mut at = 0;
            while let Some(run) = survey.run(at) {
                at = run.end + 1;
                found.push(run);
            }
            at = 0;
            while let Some(run) = survey.number(at) {
                at = run.end + 1;
                digits.push(run);
            }
            let is_run = |it: u8| it.is_ascii_alphanumeric() || b"+/-_".contains(&it);
            assert_eq!(found, runs(&text, is_run, SHORTEST_RUN), "{length}");
            assert_eq!(digits, runs(&text, |it| it.is_ascii_digit(), 1), "{length}");
            assert_eq!(survey.signs(), [b'%', b'&', b'\\'].map(|it| text.contains(&it)));
            assert_eq!(survey.has_zero(), text.contains(&0));
        }
    }
}
