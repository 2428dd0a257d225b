//! Bytes under a mask: each combined by exclusive or with the same unknown byte.
//!
//! Such a mask leaves the difference of neighbours as it is. Values and digests are therefore looked for among differences,
//! once for all 255 masks, and for digests without one. Refused: masks of several bytes, and a mask that turns text into
//! other text of which too little is left to tell it from chance.

use std::ops::Range;

use super::super::sieve::Sieve;

/// From this many bits on a value under a mask is no accident: expected 4 × 10⁻⁶ times in 10⁹ random bytes.
const ENOUGH: usize = 48;
/// The same of something whole, which was delimited by others.
const ENOUGH_WHOLE: usize = 40;
/// Longer texts under a mask are not guessed: looking at the first bytes tells as much.
const GUESSED: usize = 1 << 16;
/// Masks of one text that are tried.
const GUESSES: usize = 24;

/// What not knowing the mask of a text costs, in bits.
const MASK: usize = 7;
/// Digests of so many bytes and more are many: they are looked for only where there is room for one.
const DIGEST: usize = 16;

/// Bytes to look for under any mask.
#[derive(Debug, Default)]
pub(in super::super) struct Masks {
    /// Values, and what else is short.
    short: Sieve,
    digests: Sieve,
    plain: Vec<Masked>,
}

/// What is looked for.
#[derive(Debug)]
struct Masked {
    bytes: Box<[u8]>,
    /// Told also when no mask is on it.
    unmasked: bool,
}

impl Masks {
    /// Of these bytes, numbered from 0; `true`: also without a mask.
    pub fn new(all: Vec<(Vec<u8>, bool)>) -> Self {
        let is_digest = |(bytes, unmasked): &(Vec<u8>, bool)| *unmasked && bytes.len() >= DIGEST;
        let differences: Vec<(Vec<u8>, bool)> = all.iter().map(|it| (differences(&it.0), is_digest(it))).collect();
        let sieve = |digest: bool| {
            let some = differences.iter();
            Sieve::new(some.map(|(bytes, is)| if *is == digest { bytes.as_slice() } else { &[] }))
        };
        let (short, digests) = (sieve(false), sieve(true));
        let plain = all.into_iter().map(|(bytes, unmasked)| Masked {
            bytes: bytes.into(),
            unmasked,
        });
        Self {
            short,
            digests,
            plain: plain.collect(),
        }
    }

    /// Tells what is found: its number, where, and whether a mask was on it. `room` is used to work in. Bytes that are text as a whole
    /// hold no digest: sixteen bytes drawn at random are text once in ten million times.
    pub fn find(&self, (text, textual): (&[u8], bool), whole: bool, room: &mut Vec<u8>, mut found: impl FnMut(usize, Range<usize>, bool)) {
        room.clear();
        room.extend(text.iter().zip(text.iter().skip(1)).map(|(one, next)| one ^ next));
        let mut verify = |number: usize, at: Range<usize>| {
            let Some(it) = self.plain.get(number) else { return };
            let range = at.start..at.start.saturating_add(it.bytes.len());
            let Some((here, mask)) = text
                .get(range.clone())
                .and_then(|here| Some((here, here.first()? ^ it.bytes.first()?)))
            else {
                return;
            };
            let same = here.iter().zip(&it.bytes).all(|(here, plain)| here ^ mask == *plain);
            if !same {
                return;
            }
            if mask == 0 {
                if it.unmasked {
                    found(number, range, false);
                }
                return;
            }
            let whole = whole && here.len() == text.len();
            let enough = if whole { ENOUGH_WHOLE } else { ENOUGH };
            if it.unmasked || bits(here, &it.bytes, whole) >= enough && stands_alone(text, &range, mask, &it.bytes) {
                found(number, range, true);
            }
        };
        self.short.find(room, &mut verify);
        if text.len() >= DIGEST && !textual {
            self.digests.find(room, &mut verify);
        }
    }
}

fn differences(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().zip(bytes.iter().skip(1)).map(|(one, next)| one ^ next).collect()
}

/// How surprising it is that these bytes are those under a mask.
fn bits(here: &[u8], plain: &[u8], whole: bool) -> usize {
    let printable = here.iter().all(|it| (0x20..0x7f).contains(it));
    if printable {
        // Text that looks like other text: a digit is worth 3.3 bits, a letter 4.7; the mask costs 7.
        let tenths = plain
            .iter()
            .fold(0_usize, |sum, byte| sum.saturating_add(if byte.is_ascii_digit() { 33 } else { 47 }));
        return (tenths / 10).saturating_sub(MASK);
    }
    let mut last = None;
    let mut informative = 0_usize;
    for difference in differences(plain) {
        // Repeated bytes and equal steps say less.
        if whole || difference != 0 && Some(difference) != last {
            informative = informative.saturating_add(8);
        }
        last = Some(difference);
    }
    informative
}

/// How surprising these bytes are under the mask that the bytes around them show: text may be any other text, and of the rest
/// being shown by chance the commonest of 256 bytes is worth eight, less one as several may be as common.
pub(super) fn surprise(plain: &[u8]) -> usize {
    let others = if plain.iter().all(u8::is_ascii_graphic) { MASK } else { 7 };
    bits(plain, plain, false).saturating_add(others)
}

/// A number is no part of a longer one, a word of no longer word, under the same mask.
pub(super) fn stands_alone(text: &[u8], at: &Range<usize>, mask: u8, plain: &[u8]) -> bool {
    let digits = plain.iter().all(u8::is_ascii_digit);
    if !digits && plain.len() >= 8 {
        return true;
    }
    let touches = |place: Option<usize>| {
        let byte = place.and_then(|place| text.get(place)).map(|it| it ^ mask);
        byte.is_some_and(|it| it.is_ascii_digit() || !digits && it.is_ascii_alphabetic())
    };
    !touches(at.start.checked_sub(1)) && !touches(Some(at.end))
}

/// Masks under which these bytes are text, the likeliest first; none where no mask is sure to be one.
pub(super) fn guesses(bytes: &[u8]) -> Vec<u8> {
    if bytes.len() < 8 || bytes.len() > GUESSED {
        return Vec::new();
    }
    let (all, any) = bytes.iter().fold((0xff_u8, 0_u8), |(all, any), byte| (all & byte, any | byte));
    // All text is below 128: the highest bit is the mask's.
    if (all ^ any) & 0x80 != 0 {
        return Vec::new();
    }
    let mut counts = [0_u32; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count = count.saturating_add(1);
        }
    }
    let there: Vec<(u8, u32)> = (0_u8..=255).zip(counts).filter(|(_, count)| *count > 0).collect();
    let high = all & 0x80;
    let mut likely: Vec<(bool, u32, u8)> = (high..=high | 0x7f)
        .filter(|mask| *mask != 0)
        .filter_map(|mask| Some((worth(&there, mask)?, mask)))
        .map(|(worth, mask)| (!is_encoded(&there, mask), u32::MAX.saturating_sub(worth), mask))
        .collect();
    likely.sort_unstable();
    likely.truncate(GUESSES);
    likely.into_iter().map(|(.., mask)| mask).collect()
}

/// Whether all of it are digits of one encoding.
fn is_encoded(there: &[(u8, u32)], mask: u8) -> bool {
    let all = |is: fn(u8) -> bool| there.iter().all(|(byte, _)| is(byte ^ mask));
    all(|it| it.is_ascii_hexdigit() || matches!(it, b'%' | b'&' | b'#' | b';' | b'x' | b'\\' | b'u'))
        || all(|it| it.is_ascii_uppercase() || matches!(it, b'2'..=b'7' | b'='))
}

/// How much like text it is, if it is any.
fn worth(there: &[(u8, u32)], mask: u8) -> Option<u32> {
    let mut sum = 0_u32;
    for (byte, count) in there {
        let worth = match byte ^ mask {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b' ' => 3,
            b'"' | b'{' | b'}' | b':' | b',' | b'.' | b'/' | b'=' | b'+' | b'-' | b'_' | b'@' | b'&' | b'%' | b'#' | b';' | b'\\' => 2,
            b'\t' | b'\r' | b'\n' | 0x21..=0x7e => 1,
            _ => return None,
        };
        sum = sum.saturating_add(count.saturating_mul(worth));
    }
    Some(sum)
}

/// The mask of text in UTF-16: each second byte is nothing but it.
pub(super) fn of_utf16(bytes: &[u8]) -> Option<u8> {
    if bytes.len() < 8 || !bytes.len().is_multiple_of(2) {
        return None;
    }
    let [first, second] = *bytes.first_chunk::<2>()?;
    let pairs = || bytes.as_chunks::<2>().0.iter();
    if second != 0 && pairs().all(|[_, it]| *it == second) {
        return Some(second);
    }
    (first != 0 && pairs().all(|[it, _]| *it == first)).then_some(first)
}

/// The masks under which the first bytes are those of a compressed stream with a header.
pub(super) fn of_stream(bytes: &[u8]) -> Option<u8> {
    let [one, two, three, four] = *bytes.first_chunk::<4>()?;
    let steps = (one ^ two, two ^ three, three ^ four);
    match steps {
        (0x94, 0x83, _) if one != 0x1f => Some(one ^ 0x1f),
        (0x9d, 0x9a, 0xd2) if one != 0x28 => Some(one ^ 0x28),
        (0x79 | 0x26 | 0xe4 | 0xa2, ..) if one != 0x78 => Some(one ^ 0x78),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(masks: &Masks, text: &[u8], whole: bool) -> Vec<(usize, Range<usize>, bool)> {
        let mut all = Vec::new();
        masks.find((text, false), whole, &mut Vec::new(), |number, range, masked| {
            all.push((number, range, masked))
        });
        all
    }

    fn masked(bytes: &[u8], mask: u8) -> Vec<u8> {
        bytes.iter().map(|it| it ^ mask).collect()
    }

    #[test]
    fn values_are_found_under_every_mask_and_not_without() {
        let masks = Masks::new(vec![(b"grace@example.org".to_vec(), false), (b"1009431".to_vec(), false)]);
        for mask in 1..=255 {
            let text = [b"\x01\x02\xff".to_vec(), masked(b"to: grace@example.org", mask)].concat();
            assert_eq!(find(&masks, &text, false), [(0, 7..24, true)], "{mask}");
        }
        assert_eq!(find(&masks, b"grace@example.org", true), []);
        assert_eq!(find(&masks, &masked(b"1009431", 0x9c), true), [(1, 0..7, true)]);
        assert_eq!(find(&masks, &masked(b"21009431", 0x9c), true), [], "a longer number");
        assert_eq!(find(&masks, &masked(b"1009431", 1), true), [], "any other number");
    }

    #[test]
    fn digests_are_found_with_a_mask_and_without() {
        let digest: Vec<u8> = (0..16_u8).map(|it| it.wrapping_mul(53) ^ 0x5a).collect();
        let masks = Masks::new(vec![(digest.clone(), true)]);
        assert_eq!(find(&masks, &digest, false), [(0, 0..16, false)]);
        assert_eq!(find(&masks, &masked(&digest, 7), false), [(0, 0..16, true)]);
        let mut other = digest;
        other[15] ^= 0x20;
        assert_eq!(find(&masks, &other, false), []);
    }

    #[test]
    fn text_under_a_mask_is_guessed() {
        let text = br#"{"user":"1009431","room":"lighthouses at dusk"}"#;
        for mask in 1..=255_u8 {
            let guesses = guesses(&masked(text, mask));
            assert!(guesses.contains(&mask), "{mask}: {guesses:?}");
        }
        assert!(guesses(&[0, 200, 13, 7, 99, 129, 5, 6, 250]).is_empty());
        assert_eq!(of_utf16(&masked(b"1\x000\x000\x009\x00", 0x41)), Some(0x41));
        assert_eq!(of_utf16(b"1\x000\x000\x009\x00"), None);
        assert_eq!(of_stream(&masked(&[0x1f, 0x8b, 8, 0], 0x33)), Some(0x33));
    }
}
