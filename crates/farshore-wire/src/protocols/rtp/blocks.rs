//! Whether media was encrypted block by block, each for itself (ECB): what is the same stays the same, and shows where it is. It
//! owns that test on a sample of payloads, and refuses to call repetition encryption when the bytes do not look it.
//! The tests of sound take bytes for independent, which such blocks are not: what repeats like this is not called sound, whatever they say.
//!
//! # The test
//! Blocks of 16 bytes that stand at one same place of payloads, counted modulo 16. *Null*: bytes are independent and even; two blocks
//! are then the same at 2^-128, and of the few thousand of a sample any two at less than 2^-100. Repetition alone is no cipher: text,
//! silence, padding, packets sent again and fields that never change repeat as well. But what a cipher repeats begins where a block begins:
//! a block counts when it stands elsewhere in its payload than the first time, behind another byte. Such blocks must be of one place modulo
//! 16 and of no other, and all blocks together must look even: Pearson's chi-square over bytes below its mean by six deviations at most.

use std::collections::HashMap;

use ahash::{HashSet, RandomState};

/// Bytes of a block of AES, and of what took its place elsewhere.
const BLOCK: usize = 16;

/// Blocks that come again.
const LEAST: usize = 3;

/// Bytes under which evenness says nothing.
const LEAST_BYTES: usize = 2_048;

/// How many blocks of these payloads repeat as ECB makes them repeat; `None` when they do not.
pub fn repeated<'a>(payloads: impl Iterator<Item = &'a [u8]>) -> Option<usize> {
    let payloads: Vec<&[u8]> = payloads.collect();
    let mut own = None;
    let most = payloads.iter().map(|it| it.len() / BLOCK).sum();
    let (mut marks, mut first) = (Marks::of(most), HashMap::default());
    for place in 0..BLOCK {
        let again = at(&payloads, place, &mut marks, &mut first);
        if again > 0 && own.replace((place, again)).is_some() {
            return None;
        }
    }
    let (place, again) = own.filter(|(_, again)| *again >= LEAST)?;
    let mut seen = HashSet::default();
    let different = blocks(&payloads, place).map(|it| it.bytes).filter(|it| seen.insert(*it));
    looks_even(different).then_some(again)
}

/// A block, where in its payload it stands, and the byte before it.
struct Block<'a> {
    bytes: &'a [u8; BLOCK],
    offset: usize,
    before: Option<u8>,
}

fn blocks<'a>(payloads: &[&'a [u8]], place: usize) -> impl Iterator<Item = Block<'a>> {
    payloads.iter().flat_map(move |payload| {
        let blocks = payload.get(place..).unwrap_or_default().as_chunks::<BLOCK>().0.iter().enumerate();
        blocks.map(move |(at, bytes)| {
            let offset = at.saturating_mul(BLOCK).saturating_add(place);
            let before = offset.checked_sub(1).and_then(|it| payload.get(it)).copied();
            Block { bytes, offset, before }
        })
    })
}

/// Where blocks were first: their offset in the payload, and the byte before them.
type First = HashMap<u128, (usize, u8), RandomState>;

/// How many blocks of a place were there before, elsewhere and behind another byte. `marks` and `first` are room for it.
fn at(payloads: &[&[u8]], place: usize, marks: &mut Marks, first: &mut First) -> usize {
    marks.clear();
    first.clear();
    for payload in payloads {
        let chunks = payload.get(place..).unwrap_or_default().as_chunks::<BLOCK>().0;
        chunks.iter().for_each(|it| marks.mark(it));
    }
    let mut again = 0_usize;
    for it in blocks(payloads, place).filter(|it| marks.may_repeat(it.bytes)) {
        let Some(before) = it.before else { continue };
        let (offset, byte) = *first.entry(u128::from_ne_bytes(*it.bytes)).or_insert((it.offset, before));
        again = again.saturating_add(usize::from(offset != it.offset && byte != before));
    }
    again
}

/// Bits for each block that is marked: of those that do not repeat one in so many is taken for one that does.
const ROOM: usize = 32;

/// Marks of blocks, by which nearly all that do not repeat are told without a table of them. None that repeats is missed.
struct Marks {
    once: Vec<u64>,
    twice: Vec<u64>,
    /// What leaves of a word the number of a bit.
    shift: u32,
}

impl Marks {
    /// Room for so many blocks.
    fn of(blocks: usize) -> Self {
        let bits = blocks.saturating_mul(ROOM).clamp(64, 1 << 20).next_power_of_two();
        Self {
            once: vec![0; bits / 64],
            twice: vec![0; bits / 64],
            shift: 64_u32.saturating_sub(bits.trailing_zeros()),
        }
    }

    fn clear(&mut self) {
        self.once.fill(0);
        self.twice.fill(0);
    }

    fn mark(&mut self, block: &[u8; BLOCK]) {
        let (word, bit) = self.place(block);
        if let (Some(once), Some(twice)) = (self.once.get_mut(word), self.twice.get_mut(word)) {
            *twice |= *once & bit;
            *once |= bit;
        }
    }

    /// Whether such a block was marked more than once.
    fn may_repeat(&self, block: &[u8; BLOCK]) -> bool {
        let (word, bit) = self.place(block);
        self.twice.get(word).is_some_and(|it| it & bit != 0)
    }

    /// The word and the bit of a block.
    fn place(&self, block: &[u8; BLOCK]) -> (usize, u64) {
        let (low, high) = block.split_at(BLOCK / 2);
        let half = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_ne_bytes);
        // Spread over the upper bits by an odd number without pattern, the golden ratio's.
        let mixed = half(low) ^ half(high).rotate_left(29);
        let at = mixed
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .checked_shr(self.shift)
            .unwrap_or_default();
        (usize::try_from(at / 64).unwrap_or_default(), 1_u64 << (at % 64))
    }
}

fn looks_even<'a>(blocks: impl Iterator<Item = &'a [u8; BLOCK]>) -> bool {
    let (mut counts, mut all) = ([0_u32; 256], 0_usize);
    for byte in blocks.flatten() {
        all = all.saturating_add(1);
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count = count.saturating_add(1);
        }
    }
    let expected = all as f64 / 256.0;
    let distance: f64 = counts.iter().map(|it| (f64::from(*it) - expected).powi(2) / expected).sum();
    // 255 degrees of freedom: a mean of 255, a deviation of the root of 510.
    all >= LEAST_BYTES && distance < 255.0 + 6.0 * 510_f64.sqrt()
}

#[cfg(test)]
mod tests {
    use aes::Aes128;
    use aes::cipher::{BlockCipherEncrypt, KeyInit};

    use super::*;

    fn repeats(payloads: &[Vec<u8>]) -> Option<usize> {
        repeated(payloads.iter().map(Vec::as_slice))
    }

    /// Each block for itself, behind so many bytes in clear.
    fn sealed(payload: &[u8], clear: usize) -> Vec<u8> {
        let cipher = Aes128::new(&[7; 16].into());
        let mut out = payload.to_vec();
        for chunk in out[clear..].chunks_exact_mut(16) {
            let mut block = <[u8; 16]>::try_from(&*chunk).unwrap().into();
            cipher.encrypt_block(&mut block);
            chunk.copy_from_slice(&block);
        }
        out
    }

    /// Speech with pauses, as codes of G.711.
    fn speech() -> Vec<Vec<u8>> {
        let codes = super::super::tests::voice(16_000)
            .into_iter()
            .map(audio_codec_algorithms::encode_ulaw)
            .enumerate()
            .map(|(at, code)| if at / 1_000 % 2 == 0 { code } else { 0xff });
        codes.collect::<Vec<u8>>().chunks(160).map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn blocks_of_a_cipher_repeat_at_their_own_place() {
        for clear in [0, 1, 7] {
            let list: Vec<_> = speech().iter().map(|it| sealed(it, clear)).collect();
            assert!(repeats(&list).is_some_and(|it| it > 20), "{:?}", repeats(&list));
        }
    }

    #[test]
    fn what_is_not_encrypted_so_is_not_told() {
        assert_eq!(repeats(&speech()), None, "in clear");
        let text = "the quick brown fox jumps over the lazy dog. ".repeat(200).into_bytes();
        assert_eq!(repeats(&text.chunks(160).map(<[u8]>::to_vec).collect::<Vec<_>>()), None);
        // Under a key stream nothing repeats.
        let mut state = 1_u64;
        let list: Vec<Vec<u8>> = speech()
            .into_iter()
            .map(|it| {
                it.into_iter()
                    .map(|byte| {
                        state = state
                            .wrapping_mul(6_364_136_223_846_793_005)
                            .wrapping_add(1_442_695_040_888_963_407);
                        byte ^ state.to_be_bytes()[0]
                    })
                    .collect()
            })
            .collect();
        assert_eq!(repeats(&list), None);
        // Nor do packets sent again, or a field that never changes behind a counter, make it a cipher.
        assert_eq!(repeats(&[list.clone(), list.clone()].concat()), None);
        let id = list[0][..16].to_vec();
        let with_id: Vec<_> = (0_u8..).zip(&list).map(|(at, it)| [&[at][..], &id, it].concat()).collect();
        assert_eq!(repeats(&with_id), None);
        assert_eq!(repeats(&[]), None);
    }

    /// Against a table of all blocks, on payloads in which much repeats.
    #[test]
    fn nothing_that_repeats_is_passed_over() {
        let mut state = 7_u64;
        let mut random = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut repeats = 0;
        for _ in 0..200 {
            let words: Vec<Vec<u8>> = (0..40).map(|_| (0..16).map(|_| random(256) as u8).collect()).collect();
            let payload = |length| (0..length).flat_map(|_| words[random(40) as usize].clone()).collect::<Vec<u8>>();
            let payloads: Vec<Vec<u8>> = [3, 9, 1, 20].map(payload).into();
            for place in 0..BLOCK {
                let slices: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
                let (mut first, mut wanted) = (First::default(), 0);
                for it in blocks(&slices, place) {
                    let Some(before) = it.before else { continue };
                    let (offset, byte) = *first.entry(u128::from_ne_bytes(*it.bytes)).or_insert((it.offset, before));
                    wanted += usize::from(offset != it.offset && byte != before);
                }
                assert_eq!(at(&slices, place, &mut Marks::of(33), &mut First::default()), wanted);
                repeats += wanted;
            }
        }
        assert!(repeats > 1_000, "{repeats}");
    }
}
