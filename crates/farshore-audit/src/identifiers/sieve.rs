//! Many byte patterns looked for at once, at a cost per byte that does not grow with how many there are.
//!
//! Four bytes of each pattern stand in a bitmap; a text is passed over four bytes at a time, and only where the bitmap lets
//! it through are patterns compared. With forty thousand patterns an automaton no longer fits the caches and is left
//! behind by a factor of five. Refuses patterns shorter than four bytes, and knows nothing of what a pattern means.

use std::ops::Range;

use ahash::HashMap;

/// Bytes of a pattern that stand in the bitmap.
const WINDOW: usize = 4;
/// Bits of the bitmap for each pattern: one window in so many of unrelated bytes is looked up for nothing.
const BITS_EACH: usize = 32;
/// The bitmap is never larger than a core's second cache.
const MOST_BITS: usize = 1 << 23;
/// Beyond this many bytes of a pattern no better window is looked for.
const SEARCHED: usize = 12;

/// Patterns to look for, ASCII letters in either case.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    bits: Vec<u64>,
    /// How far a hash is shifted down to a place in the bitmap.
    shift: u32,
    /// Entries by window, as stretches of `entries`.
    windows: HashMap<u32, Range<usize>>,
    entries: Vec<Entry>,
}

/// A pattern under its window.
#[derive(Debug)]
struct Entry {
    number: usize,
    /// Bytes of the pattern before the window.
    before: usize,
    pattern: Box<[u8]>,
}

impl Sieve {
    /// Of these patterns, numbered from 0. Those that are too short are never found.
    pub fn new<'p>(patterns: impl Iterator<Item = &'p [u8]>) -> Self {
        let mut crowds: HashMap<u32, usize> = HashMap::default();
        let mut all: Vec<(u32, Entry)> = Vec::new();
        for (number, pattern) in patterns.enumerate() {
            let least_crowded = pattern.windows(WINDOW).take(SEARCHED).enumerate().filter_map(|(before, window)| {
                let window = fold(u32::from_le_bytes(*window.first_chunk()?));
                let crowd = crowds.get(&window).copied().unwrap_or(0);
                Some((usize::MAX.saturating_sub(variety(window)), crowd, before, window))
            });
            let Some((_, crowd, before, window)) = least_crowded.min() else {
                continue;
            };
            crowds.insert(window, crowd.saturating_add(1));
            let pattern = pattern.into();
            all.push((window, Entry { number, before, pattern }));
        }
        let count = all.len();
        all.sort_by_key(|(window, entry)| (*window, entry.number));
        let size = count.saturating_mul(BITS_EACH).clamp(1 << 12, MOST_BITS).next_power_of_two();
        let mut it = Self {
            bits: vec![0; size / 64],
            shift: 32_u32.saturating_sub(size.trailing_zeros()),
            ..Self::default()
        };
        for (window, entry) in all {
            let (word, bit) = it.place(window);
            if let Some(word) = it.bits.get_mut(word) {
                *word |= bit;
            }
            let at = it.entries.len();
            let stretch = it.windows.entry(window).or_insert(at..at);
            stretch.end = at.saturating_add(1);
            it.entries.push(entry);
        }
        it
    }

    /// Whether nothing is looked for.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All places of all patterns, overlapping ones too, each with the number of its pattern.
    pub fn find(&self, text: &[u8], mut found: impl FnMut(usize, Range<usize>)) {
        if self.is_empty() {
            return;
        }
        // The first three windows reach before the text: bytes that are not there are none of it.
        let mut window = 0_u32;
        for (last, byte) in text.iter().enumerate() {
            window = window >> 8 | u32::from(*byte) << 24;
            let folded = fold(window);
            let (word, bit) = self.place(folded);
            if self.bits.get(word).is_some_and(|it| it & bit != 0)
                && let Some(entries) = self.windows.get(&folded).and_then(|it| self.entries.get(it.clone()))
                && let Some(start) = last.checked_sub(WINDOW.saturating_sub(1))
            {
                for entry in entries {
                    let range = start
                        .checked_sub(entry.before)
                        .map(|start| start..start.saturating_add(entry.pattern.len()));
                    if let Some(range) = range.filter(|it| text.get(it.clone()).is_some_and(|it| it.eq_ignore_ascii_case(&entry.pattern))) {
                        found(entry.number, range);
                    }
                }
            }
        }
    }

    /// Word and bit of a window.
    fn place(&self, window: u32) -> (usize, u64) {
        // The golden ratio spreads neighbours (Knuth, volume 3, section 6.4).
        let hash = window.wrapping_mul(0x9e37_79b9).wrapping_shr(self.shift);
        ((hash >> 6) as usize, 1_u64.wrapping_shl(hash & 63))
    }
}

/// Letters of both cases become one; what else becomes one is told apart when patterns are compared.
const fn fold(window: u32) -> u32 {
    window | 0x2020_2020
}

/// Different bytes of a window that are not the filler of binary formats or of texts.
fn variety(window: u32) -> usize {
    let bytes = window.to_le_bytes();
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
    fn short_patterns_and_texts_are_nothing() {
        let sieve = Sieve::new([b"abc".as_slice(), b"abcd", b""].into_iter());
        assert_eq!(all(&sieve, b"ABCD"), [(0, 4, 1)]);
        assert_eq!(all(&sieve, b"abc"), []);
        assert_eq!(all(&Sieve::new(std::iter::empty()), b"abcd"), []);
        // What would be a match if the text began with zeros.
        assert_eq!(all(&Sieve::new([b"\0\0ab".as_slice()].into_iter()), b"ab"), []);
    }
}
