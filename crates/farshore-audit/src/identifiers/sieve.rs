//! Many byte patterns looked for at once, at a cost per byte that does not grow with how many there are.
//!
//! A few bytes of each pattern stand in a bitmap; a text is passed over window by window, and only where the bitmap lets it
//! through are patterns compared. Of patterns long enough each window is noted in four places, so that of a text only every
//! fourth has to be asked for; of somewhat shorter ones in three or two. With forty thousand patterns an automaton no longer fits the caches and is left
//! behind by a factor of five. Refuses patterns shorter than four bytes, and knows nothing of what a pattern means.

use std::ops::Range;

use ahash::HashMap;

/// Bytes of a window of a short pattern.
const SHORT: usize = 4;
/// The same of a long one.
const LONG: usize = 5;
/// Of a text, every so many places are asked for windows of long patterns, and of short ones at most.
const STRIDE: usize = 4;
/// Bytes of a pattern in which a window begins at a fourth place, wherever it stands.
const STRETCH: usize = LONG + STRIDE - 1;
/// More long patterns than these would crowd the bitmap, noted four times each: they are asked for at every place.
const MOST_LONG: usize = 1 << 17;
/// Bits of a bitmap for each window, of which two are set.
const BITS_EACH: usize = 32;
/// No bitmap is larger than what a core's second cache has room for.
const MOST_BITS: usize = 1 << 22;
/// The same for short patterns.
const MOST_BITS_SHORT: usize = 1 << 23;
/// Beyond this many bytes of a pattern no better window is looked for.
const SEARCHED: usize = 12;

/// Patterns to look for, ASCII letters in either case.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    /// By number; `None`: too short.
    patterns: Vec<Option<Box<[u8]>>>,
    /// By the places between those that are asked for: a pattern has a window at one of them, wherever it stands.
    short: [Net; STRIDE],
    long: Net,
}

impl Sieve {
    /// Of these patterns, numbered from 0. Those that are too short are never found.
    pub fn new<'p>(patterns: impl Iterator<Item = &'p [u8]>) -> Self {
        let patterns: Vec<Option<Box<[u8]>>> = patterns.map(|it| (it.len() >= SHORT).then(|| it.into())).collect();
        let is_long = |it: &[u8]| it.len() >= STRETCH;
        let spread = patterns.iter().flatten().filter(|it| is_long(it)).count() <= MOST_LONG;
        let mut short: [Choice; STRIDE] = Default::default();
        let mut long = Choice::default();
        for (number, pattern) in (0_u32..).zip(&patterns) {
            let Some(it) = pattern.as_deref() else { continue };
            if spread && is_long(it) {
                long.note(number, it, LONG, STRIDE);
                continue;
            }
            let stride = if is_long(it) {
                1
            } else {
                it.len().saturating_sub(SHORT - 1).min(STRIDE)
            };
            if let Some(choice) = short.get_mut(stride.saturating_sub(1)) {
                choice.note(number, it, SHORT, stride);
            }
        }
        Self {
            patterns,
            short: short.map(|it| Net::new(it.noted, MOST_BITS_SHORT)),
            long: Net::new(long.noted, MOST_BITS),
        }
    }

    /// All places of all patterns, overlapping ones too, each with the number of its pattern.
    pub fn find(&self, text: &[u8], mut found: impl FnMut(usize, Range<usize>)) {
        let mut compare = |start: usize, entries: &[Entry]| {
            for entry in entries {
                let Some((start, pattern)) = start
                    .checked_sub(usize::from(entry.before))
                    .zip(self.patterns.get(entry.number as usize).and_then(Option::as_deref))
                else {
                    continue;
                };
                let range = start..start.saturating_add(pattern.len());
                if text.get(range.clone()).is_some_and(|it| it.eq_ignore_ascii_case(pattern)) {
                    found(entry.number as usize, range);
                }
            }
        };
        if !self.long.is_empty() {
            let (fours, tail) = text.as_chunks::<STRIDE>();
            let mut before: Option<u32> = None;
            let last = tail.first().map(|it| u32::from(*it));
            let all = fours.iter().map(|it| u32::from_le_bytes(*it)).chain(last);
            // Each window is four bytes and the first of the next four: those that are not all there are none.
            for (place, four) in all.enumerate() {
                if let Some(before) = before.replace(four) {
                    let window = fold(u64::from(before) | u64::from(four & 0xff) << 32) & 0xff_ffff_ffff;
                    if let Some(entries) = self.long.at(window) {
                        compare(place.saturating_sub(1).saturating_mul(STRIDE), entries);
                    }
                }
            }
        }
        for (net, stride) in self.short.iter().zip(1_usize..).filter(|(net, _)| !net.is_empty()) {
            let windows = text.windows(SHORT).step_by(stride).filter_map(|it| it.first_chunk::<SHORT>());
            for (place, window) in windows.enumerate() {
                if let Some(entries) = net.at(fold(u64::from(u32::from_le_bytes(*window))) & 0xffff_ffff) {
                    compare(place.saturating_mul(stride), entries);
                }
            }
        }
    }
}

/// Windows in a bitmap, and what has them.
#[derive(Debug, Default)]
struct Net {
    bits: Vec<u64>,
    /// How far a hash is shifted down to a word of the bitmap.
    shift: u32,
    /// Entries by window, as stretches of `entries`.
    windows: HashMap<u64, Range<u32>>,
    entries: Vec<Entry>,
}

/// A pattern under one of its windows.
#[derive(Debug)]
struct Entry {
    number: u32,
    /// Bytes of the pattern before the window.
    before: u8,
}

impl Net {
    fn new(mut noted: Vec<(u64, Entry)>, most_bits: usize) -> Self {
        if noted.is_empty() {
            return Self::default();
        }
        noted.sort_by_key(|(window, entry)| (*window, entry.number, entry.before));
        let size = noted.len().saturating_mul(BITS_EACH).clamp(1 << 12, most_bits).next_power_of_two();
        let words = size / 64;
        let mut it = Self {
            bits: vec![0; words],
            shift: 64_u32.saturating_sub(words.trailing_zeros()),
            ..Self::default()
        };
        for (window, entry) in noted {
            let (word, both) = it.place(window);
            if let Some(word) = it.bits.get_mut(word) {
                *word |= both;
            }
            let at = u32::try_from(it.entries.len()).unwrap_or(u32::MAX);
            let stretch = it.windows.entry(window).or_insert(at..at);
            stretch.end = at.saturating_add(1);
            it.entries.push(entry);
        }
        it
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What has this window.
    fn at(&self, window: u64) -> Option<&[Entry]> {
        let (word, both) = self.place(window);
        if self.bits.get(word).is_none_or(|it| it & both != both) {
            return None;
        }
        self.listed(window)
    }

    #[cold]
    fn listed(&self, window: u64) -> Option<&[Entry]> {
        let stretch = self.windows.get(&window)?;
        self.entries.get(stretch.start as usize..stretch.end as usize)
    }

    /// Word and two bits of a window.
    fn place(&self, window: u64) -> (usize, u64) {
        // The golden ratio spreads neighbours (Knuth, volume 3, section 6.4).
        let hash = window.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let bit = |shift: u32| 1_u64.wrapping_shl(((hash >> shift) & 63) as u32);
        ((hash.wrapping_shr(self.shift)) as usize, bit(34) | bit(40))
    }
}

/// Windows that were chosen so far.
#[derive(Default)]
struct Choice {
    crowds: HashMap<u64, usize>,
    noted: Vec<(u64, Entry)>,
}

impl Choice {
    /// Notes the windows of a pattern at `count` places in a row: those that say most and are the least crowded.
    fn note(&mut self, number: u32, pattern: &[u8], width: usize, count: usize) {
        let window = |at: usize| {
            let bytes = pattern.get(at..at.saturating_add(width))?;
            let joined = bytes.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
            Some(fold(joined) & u64::MAX.wrapping_shr(64_u32.saturating_sub(8_u32.saturating_mul(u32::try_from(width).unwrap_or(8)))))
        };
        let all = |first: usize| (first..first.saturating_add(count)).map(window).collect::<Option<Vec<u64>>>();
        let worth = |windows: &[u64]| {
            let variety = windows.iter().map(|it| variety(*it, width)).min().unwrap_or(0);
            let crowd = windows.iter().map(|it| self.crowds.get(it).copied().unwrap_or(0)).max();
            (usize::MAX.saturating_sub(variety), crowd)
        };
        let best = (0..SEARCHED).filter_map(|first| all(first).map(|it| (worth(&it), first, it))).min();
        let Some((_, first, windows)) = best else { return };
        for (before, window) in (first..).zip(windows) {
            let crowd = self.crowds.entry(window).or_default();
            *crowd = crowd.saturating_add(1);
            let before = u8::try_from(before).unwrap_or(u8::MAX);
            self.noted.push((window, Entry { number, before }));
        }
    }
}

/// Letters of both cases become one; what else becomes one is told apart when patterns are compared.
const fn fold(window: u64) -> u64 {
    window | 0x2020_2020_2020_2020
}

/// Different bytes of a window that are not the filler of binary formats or of texts.
fn variety(window: u64, width: usize) -> usize {
    let bytes = window.to_le_bytes();
    let bytes = bytes.get(..width).unwrap_or(&bytes);
    let plain = |byte: &u8| !matches!(byte, b' ' | b'0' | 0xff);
    let new = |(place, byte): &(usize, &u8)| plain(byte) && !bytes.iter().take(*place).any(|it| it == *byte);
    bytes.iter().enumerate().filter(new).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aho_corasick::AhoCorasick;

    fn all(sieve: &Sieve, text: &[u8]) -> Vec<(usize, usize, usize)> {
        let mut all = Vec::new();
        sieve.find(text, |number, range| all.push((range.start, range.end, number)));
        all.sort_unstable();
        all
    }

    #[test]
    fn finds_what_an_automaton_finds() {
        let mut state = 5_u64;
        let mut next = move |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let alphabet = b"aAbB01 \0\xff@`";
        for round in 0..60 {
            let mut word = |longest: u64| -> Vec<u8> {
                let length = 4 + next(longest);
                (0..length).map(|_| alphabet[next(alphabet.len() as u64) as usize]).collect()
            };
            let patterns: Vec<Vec<u8>> = (0..1 + round * 20).map(|_| word(if round % 2 == 0 { 2 } else { 40 })).collect();
            let text: Vec<u8> = (0..200).flat_map(|_| word(30)).chain(patterns.iter().flatten().copied()).collect();
            let sieve = Sieve::new(patterns.iter().map(Vec::as_slice));
            let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(&patterns).unwrap();
            let mut expected: Vec<_> = automaton
                .find_overlapping_iter(&text)
                .map(|it| (it.start(), it.end(), it.pattern().as_usize()))
                .collect();
            expected.sort_unstable();
            assert_eq!(all(&sieve, &text), expected, "round {round}");
        }
    }

    #[test]
    fn patterns_of_every_length_are_found_at_every_place() {
        let word = b"k7Q-x2_pLm9";
        for length in SHORT..=word.len() {
            let sieve = Sieve::new([&word[..length], b"another"].into_iter());
            for before in 0..9 {
                for after in 0..5 {
                    let text = [vec![b'.'; before], word[..length].to_vec(), vec![b'.'; after]].concat();
                    assert_eq!(
                        all(&sieve, &text),
                        [(before, before + length, 0)],
                        "{length} bytes at {before}, {after} behind"
                    );
                }
            }
        }
    }

    #[test]
    fn short_patterns_and_texts_are_nothing() {
        let sieve = Sieve::new([b"abc".as_slice(), b"abcd", b""].into_iter());
        assert_eq!(all(&sieve, b"ABCD"), [(0, 4, 1)]);
        assert_eq!(all(&sieve, b"abc"), []);
        assert_eq!(all(&Sieve::new(std::iter::empty()), b"abcd"), []);
        // What would be a match if the text began with zeros.
        assert_eq!(all(&Sieve::new([b"\0\0ab".as_slice()].into_iter()), b"ab"), []);
    }
}
