//! Compressed streams: gzip, zlib, zstd and, where nothing but the place tells, deflate and Brotli without a header.
//!
//! Refuses to unpack without end: what may come out is told beforehand, and what has no header must be used up to its last
//! byte, or it was none.

use std::io::Read as _;

use brotli_decompressor::Decompressor as Brotli;
use flate2::{Decompress, FlushDecompress, Status};
use ruzstd::decoding::StreamingDecoder as Zstd;

use super::super::unpacking::is_zlib;

/// The state of an inflater, kept from one stream to the next: it is larger than most streams.
#[derive(Debug, Default)]
pub(in super::super) struct Inflater(Option<Decompress>);

impl Clone for Inflater {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// A larger window than this is not made room for (RFC 8878 section 3.1.1.1.2 asks decoders for 8 MiB).
const ZSTD_WINDOW: u64 = 1 << 23;

/// A stream that begins with its header, and its name; the last bytes may be those of something else.
pub(super) fn with_header(bytes: &[u8], most: usize, inflater: &mut Inflater) -> Option<(&'static str, Vec<u8>)> {
    match bytes.first_chunk::<4>()? {
        [0x1f, 0x8b, 8, _] => {
            let body = gzip_body(bytes)?;
            Some(("gzip", inflater.inflate(body, false, most)?.bytes))
        }
        [0x28, 0xb5, 0x2f, 0xfd] => Some(("zstd", zstd(bytes, most)?)),
        _ if is_zlib(bytes) => Some(("zlib", inflater.inflate(bytes, true, most)?.bytes)),
        _ => None,
    }
}

/// Where streams with headers may begin.
pub(super) fn headers(bytes: &[u8]) -> impl Iterator<Item = usize> {
    bytes.windows(4).enumerate().filter_map(|(at, it)| {
        // The usual window and the four levels of zlib; elsewhere than at the start rarer ones mean too little.
        let zlib = matches!(it, [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..]) || at == 0 && is_zlib(it);
        (zlib || matches!(it, [0x1f, 0x8b, 8, _] | [0x28, 0xb5, 0x2f, 0xfd])).then_some(at)
    })
}

/// A format of streams that have no header.
pub(super) type Headless = fn(&[u8], usize, &mut Inflater) -> Option<(&'static str, Vec<u8>)>;

/// Streams without a header that are these bytes, whole: some are by chance both, and only one of them says something.
pub(super) const HEADLESS: [Headless; 2] = [deflate, |bytes, most, _| brotli(bytes, most).map(|it| ("brotli", it))];

/// The same for many tries: text should come out, and the first bits must be likely.
pub(super) const LIKELY: [Headless; 2] = [
    |bytes, most, inflater| {
        let likely = match bytes.first()? >> 1 & 3 {
            1 => may_be_text(bytes),
            2 => are_codes(bytes),
            _ => true,
        };
        if likely { deflate(bytes, most, inflater) } else { None }
    },
    |bytes, most, _| {
        if !may_be_brotli(bytes) {
            return None;
        }
        brotli(bytes, most).map(|it| ("brotli", it))
    },
];

fn deflate(bytes: &[u8], most: usize, inflater: &mut Inflater) -> Option<(&'static str, Vec<u8>)> {
    if may_be_deflate(bytes)
        && let Some(it) = inflater.inflate(bytes, false, most)
        && it.used == bytes.len()
        && !it.bytes.is_empty()
    {
        return Some(("deflate", it.bytes));
    }
    None
}

/// Whether the lengths of the codes for lengths fill the space of codes (RFC 1951 section 3.2.7).
fn are_codes(bytes: &[u8]) -> bool {
    let mut head = [0; 16];
    for (to, from) in head.iter_mut().zip(bytes) {
        *to = *from;
    }
    let bits = u128::from_le_bytes(head);
    let count = (bits >> 13 & 15) as u32;
    let taken = (0..count.saturating_add(4)).fold(0_u32, |sum, number| {
        match bits.wrapping_shr(number.saturating_mul(3).saturating_add(17)) & 7 {
            0 => sum,
            length => sum.saturating_add(128_u32.wrapping_shr(length as u32)),
        }
    });
    taken == 128
}

/// Whether a block of fixed codes begins with a printable character, and goes on with one or with a repetition.
fn may_be_text(bytes: &[u8]) -> bool {
    let mut head = [0; 4];
    for (to, from) in head.iter_mut().zip(bytes) {
        *to = *from;
    }
    // Codes are packed from their highest bit on (RFC 1951 section 3.1.1).
    let codes = (u32::from_le_bytes(head) >> 3).reverse_bits();
    let (first, second) = (codes >> 24, codes >> 16 & 0xff);
    let printable = |code: u32| (0x30 + 0x20..0x30 + 0x7f).contains(&code) || (0x39..=0x3d).contains(&code);
    printable(first) && (printable(second) || (1..24).contains(&(second >> 1)))
}

/// A block of fixed or dynamic codes (RFC 1951 section 3.2.3), the latter with possible counts.
pub(super) fn may_be_deflate(bytes: &[u8]) -> bool {
    match bytes.first_chunk::<2>() {
        Some([first, second]) => match first >> 1 & 3 {
            // Stored, with its length twice (section 3.2.4).
            0 => bytes
                .get(1..5)
                .is_some_and(|it| matches!(it, [a, b, c, d] if a ^ c == 0xff && b ^ d == 0xff)),
            1 => true,
            // More than 286 or 30 codes there are not.
            2 => first >> 3 <= 29 && second & 0x1f <= 29 && bytes.len() >= 24,
            _ => false,
        },
        None => false,
    }
}

/// A first block whose length is in proportion (RFC 7932 sections 9.1 and 9.2).
pub(super) fn may_be_brotli(bytes: &[u8]) -> bool {
    let mut head = [0; 8];
    for (to, from) in head.iter_mut().zip(bytes) {
        *to = *from;
    }
    let mut bits = u64::from_le_bytes(head);
    let mut take = |count: u32| {
        let taken = bits & 1_u64.wrapping_shl(count).wrapping_sub(1);
        bits = bits.wrapping_shr(count);
        taken
    };
    if take(1) == 1 && take(3) == 0 && take(3) == 1 {
        return false;
    }
    let last = take(1) == 1;
    if last && take(1) == 1 {
        return false;
    }
    let nibbles = take(2);
    if nibbles == 3 {
        return false;
    }
    let length = take(16);
    let high = (0..nibbles).fold(None, |_, _| Some(take(4)));
    if high == Some(0) {
        return false;
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(1);
    let plain = !last && take(1) == 1;
    // Longer blocks than this many bytes need more of them to begin with.
    let proportion = if high.is_some() { 4096 } else { bytes.len().saturating_mul(48) };
    bytes.len() >= 4
        && length >= 4
        && if plain {
            length <= bytes.len()
        } else {
            length <= proportion || bytes.len() >= 4096
        }
}

struct Inflated {
    bytes: Vec<u8>,
    used: usize,
}

impl Inflater {
    /// What a stream gives before it ends, breaks, or gives too much; nothing if it breaks at once.
    fn inflate(&mut self, bytes: &[u8], zlib: bool, most: usize) -> Option<Inflated> {
        let state = self.0.get_or_insert_with(|| Decompress::new(zlib));
        state.reset(zlib);
        let mut out = Vec::with_capacity(bytes.len().saturating_mul(4).clamp(64, 1 << 12).min(most.max(1)));
        loop {
            let used = usize::try_from(state.total_in()).unwrap_or(usize::MAX);
            let before = out.len();
            let status = state.decompress_vec(bytes.get(used..).unwrap_or(&[]), &mut out, FlushDecompress::None);
            let used = usize::try_from(state.total_in()).unwrap_or(usize::MAX);
            match status {
                // A header by chance, followed by noise, breaks within a few bytes.
                Err(_) if out.len() < 8 => return None,
                Err(_) => return Some(Inflated { bytes: out, used: 0 }),
                Ok(Status::StreamEnd) => return Some(Inflated { bytes: out, used }),
                Ok(_) if out.len() >= most => {
                    out.truncate(most);
                    return Some(Inflated { bytes: out, used });
                }
                // Nothing more to read and nothing more to say.
                Ok(_) if used >= bytes.len() && out.len() == before || out.len() < out.capacity() => {
                    return Some(Inflated { bytes: out, used });
                }
                Ok(_) => out.reserve(out.len().clamp(64, most.saturating_sub(out.len()).max(64))),
            }
        }
    }
}

/// The deflated part of a gzip member (RFC 1952 section 2.3).
fn gzip_body(bytes: &[u8]) -> Option<&[u8]> {
    let (head, mut rest) = bytes.split_first_chunk::<10>()?;
    let [_, _, _, flags, ..] = *head;
    if flags & 4 != 0 {
        let (length, after) = rest.split_first_chunk::<2>()?;
        rest = after.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    for text in [8, 16] {
        if flags & text != 0 {
            rest = rest.get(rest.iter().position(|it| *it == 0)?.checked_add(1)?..)?;
        }
    }
    if flags & 2 != 0 {
        rest = rest.get(2..)?;
    }
    Some(rest)
}

fn zstd(bytes: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut decoder = ruzstd::decoding::FrameDecoder::new();
    let decoder = Zstd::new_with_decoder(bytes, &mut decoder).ok()?;
    let mut out = Vec::new();
    // What came before a break stays.
    let _ = decoder.take(u64::try_from(most).unwrap_or(ZSTD_WINDOW)).read_to_end(&mut out);
    (!out.is_empty()).then_some(out)
}

fn brotli(bytes: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = bytes;
    let mut decoder = Brotli::new(&mut rest, bytes.len().clamp(16, 1 << 12));
    (&mut decoder)
        .take(u64::try_from(most).unwrap_or(u64::MAX))
        .read_to_end(&mut out)
        .ok()?;
    drop(decoder);
    (rest.is_empty() && !out.is_empty()).then_some(out)
}
