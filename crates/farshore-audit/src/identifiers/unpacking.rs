//! What hides in long base64 runs: text, and zlib or gzip streams, as access tokens carry them.
//!
//! Refuses to unpack without end: every byte decoded or inflated is taken from one budget per field, and a
//! stream that grows too fast is cut off. What is cut is counted by the name of the ceiling.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::ops::Range;

use super::base64::{self, Alphabet};
use super::hints;
use super::limits::Limits;

/// Shorter runs are words, names and numbers.
const SHORTEST_RUN: usize = 16;
/// A stream is let grow this far before its ratio is looked at: short JSON compresses very well.
const RATIO_FREE: usize = 1 << 16;
/// The places of one run where a token may begin, after its first four: behind each `/`, `-`, `_` or `+`.
const STARTS: usize = 256;

/// What one field has used up.
pub(super) struct Budget {
    bytes: usize,
    attempts: usize,
    /// Ceilings hit.
    pub hit: BTreeMap<&'static str, u64>,
}

impl Budget {
    pub fn of(limits: &Limits) -> Self {
        Self {
            bytes: limits.unpacked_bytes,
            attempts: limits.unpack_attempts,
            hit: BTreeMap::new(),
        }
    }

    pub fn count(&mut self, limit: &'static str) {
        let times = self.hit.entry(limit).or_default();
        *times = times.saturating_add(1);
    }

    /// Whether nothing more can be unpacked.
    pub fn is_spent(&self) -> bool {
        self.bytes == 0
    }

    fn attempt(&mut self) -> bool {
        match self.attempts.checked_sub(1) {
            Some(left) => {
                self.attempts = left;
                true
            }
            None => {
                self.count("unpack-attempts");
                false
            }
        }
    }
}

/// Bytes found inside other bytes.
pub(super) struct Unpacked {
    /// The run they came from.
    pub range: Range<usize>,
    /// How.
    pub decoded_by: Vec<&'static str>,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Unpacks the base64 runs of `text` that hold text or a compressed stream; before `runs_from` there are none.
pub(super) fn unpack(text: &[u8], runs_from: usize, limits: &Limits, budget: &mut Budget) -> Vec<Unpacked> {
    let mut all = Vec::new();
    if let Some((name, bytes)) = inflate(text, limits, budget) {
        all.push(Unpacked {
            range: 0..text.len(),
            decoded_by: vec![name],
            bytes,
        });
        return all;
    }
    for Run { range, chars } in (Runs { text, at: runs_from }) {
        if let Some((mut decoded_by, bytes)) = unpack_run(&chars, limits, budget) {
            if let Cow::Owned(_) = chars {
                decoded_by.insert(0, "url");
            }
            all.push(Unpacked { range, decoded_by, bytes });
        }
        if budget.is_spent() {
            break;
        }
    }
    all
}

/// Base64 as it stands somewhere: percent-encoding of its three special characters is undone.
struct Run<'a> {
    /// With its padding.
    range: Range<usize>,
    chars: Cow<'a, [u8]>,
}

/// The runs that are long enough.
struct Runs<'a> {
    text: &'a [u8],
    /// Never inside a run that is long enough.
    at: usize,
}

impl Runs<'_> {
    /// Passes what holds no run: one of the last bytes of a window that can be in none settles all before it.
    fn pass(&mut self) -> Option<()> {
        loop {
            let window = self.text.get(self.at..self.at.saturating_add(SHORTEST_RUN))?;
            match window.iter().rposition(|b| !base64::is_char_or_percent(*b)) {
                Some(last) => self.at = self.at.saturating_add(last).saturating_add(1),
                None => return Some(()),
            }
        }
    }
}

impl<'a> Iterator for Runs<'a> {
    type Item = Run<'a>;

    fn next(&mut self) -> Option<Run<'a>> {
        let text = self.text;
        loop {
            self.pass()?;
            let rest = text.get(self.at..)?;
            let skipped = rest.iter().take_while(|b| !base64::is_char(**b)).count();
            let start = self.at.saturating_add(skipped);
            let (end, encoded) = end_of_run(text, start);
            self.at = end.max(start.saturating_add(1));
            let chars = text.get(start..end)?;
            if chars.len() < SHORTEST_RUN {
                continue;
            }
            let padding = text.get(end..).map_or(0, padding);
            let decoded = if encoded { hints::percent_decoded(chars) } else { None };
            return Some(Run {
                range: start..end.saturating_add(padding),
                chars: decoded.map_or(Cow::Borrowed(chars), Cow::Owned),
            });
        }
    }
}

/// Where the run that begins here ends, and whether there are triplets in it.
fn end_of_run(text: &[u8], start: usize) -> (usize, bool) {
    let (mut end, mut encoded) = (start, false);
    loop {
        let rest = text.get(end..).unwrap_or(&[]);
        let plain = rest.iter().take_while(|b| base64::is_char(**b)).count();
        end = end.saturating_add(plain);
        match rest.get(plain..).and_then(|rest| rest.first_chunk::<3>()) {
            Some([b'%', b'2', b'B' | b'b' | b'F' | b'f']) => {
                end = end.saturating_add(3);
                encoded = true;
            }
            _ => return (end, encoded),
        }
    }
}

/// Up to two `=`, plain or percent-encoded: they belong to the run.
fn padding(rest: &[u8]) -> usize {
    let encoded = rest
        .chunks(3)
        .take(2)
        .take_while(|three| three.eq_ignore_ascii_case(b"%3d"))
        .count();
    match encoded {
        0 => rest.iter().take(2).take_while(|b| **b == b'=').count(),
        triplets => triplets.saturating_mul(3),
    }
}

/// A compressed stream from any of the first places (a token may have a version before it), else plain text.
fn unpack_run(chars: &[u8], limits: &Limits, budget: &mut Budget) -> Option<(Vec<&'static str>, Vec<u8>)> {
    let mut run = Streams { chars, specials: None };
    for start in 0..4 {
        if let Some(stream) = run.at(start, limits, budget) {
            return Some(stream);
        }
    }
    let mut left = STARTS;
    let mut url = false;
    for (place, byte) in chars.iter().enumerate() {
        if base64::is_special(*byte) {
            url |= matches!(byte, b'-' | b'_');
            left = match left.checked_sub(1) {
                Some(left) => left,
                None if url => break,
                None => continue,
            };
            if let Some(stream) = run.at(place.saturating_add(1), limits, budget) {
                return Some(stream);
            }
        }
    }
    let alphabet = if url { Alphabet::Url } else { Alphabet::Standard };
    let head = chars.get(..64).unwrap_or(chars);
    // The first few bytes of what is no text mostly tell.
    let threes = head.as_chunks::<4>().0.iter().map_while(|four| base64::three(four, alphabet));
    if threes.into_iter().any(|three| three.into_iter().any(never_in_text)) {
        return None;
    }
    let head = base64::decode_prefix(head, alphabet);
    // A head cut inside a character of UTF-8 is still text.
    let whole = match str::from_utf8(&head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => str::from_utf8(head.get(..error.valid_up_to())?).ok()?,
        Err(_) => return None,
    };
    if whole.len() < 8 || !whole.chars().all(|c| !c.is_control() || matches!(c, '\t' | '\r' | '\n')) {
        return None;
    }
    Some((vec!["base64"], decode(chars, alphabet, budget)?))
}

/// Compressed streams in a run.
struct Streams<'a> {
    chars: &'a [u8],
    /// Where the last characters of either alphabet alone stand, once that was asked.
    specials: Option<(Option<usize>, Option<usize>)>,
}

impl Streams<'_> {
    /// A stream that begins here.
    fn at(&mut self, start: usize, limits: &Limits, budget: &mut Budget) -> Option<(Vec<&'static str>, Vec<u8>)> {
        let chars = self.chars.get(start..);
        let chars = chars.filter(|chars| chars.len() >= SHORTEST_RUN && may_be_compressed(chars))?;
        // Both alphabets agree on the header's characters unless it holds 62 or 63: then each is tried.
        for alphabet in self.alphabets(start) {
            let head = base64::decode_prefix(chars.get(..8).unwrap_or(chars), alphabet);
            if !is_zlib(&head) && !is_gzip(&head) {
                continue;
            }
            let Some(bytes) = decode(chars, alphabet, budget) else { continue };
            if let Some((name, bytes)) = inflate(&bytes, limits, budget) {
                return Some((vec!["base64", name], bytes));
            }
        }
        None
    }

    /// The alphabets the rest of the run may be in: by its 62s and 63s; when it has none of them it does not matter.
    fn alphabets(&mut self, start: usize) -> impl Iterator<Item = Alphabet> + use<> {
        let chars = self.chars;
        let (standard, url) = self.specials.get_or_insert_with(|| {
            let last = |two: [u8; 2]| chars.iter().rposition(|byte| two.contains(byte));
            (last(*b"+/"), last(*b"-_"))
        });
        let (standard, url) = (*standard >= Some(start), *url >= Some(start));
        let first = if url { Alphabet::Url } else { Alphabet::Standard };
        std::iter::once(first).chain((standard && url).then_some(Alphabet::Standard))
    }
}

/// Whether the first characters can be those of a header, see [`is_zlib`] and [`is_gzip`], in one of the alphabets. The
/// first holds the method and the window, or is that of `1f`.
fn may_be_compressed(chars: &[u8]) -> bool {
    let Some([one @ (b'C' | b'G' | b'H' | b'K' | b'O' | b'S' | b'W' | b'a' | b'e'), two, three]) = chars.first_chunk::<3>() else {
        return false;
    };
    let sextets = [one, two, three].map(|char| base64::sextet_of_either(*char).map(u16::from));
    let [Some(one), Some(two), Some(three)] = sextets else {
        return false;
    };
    let head = (one << 10 | two << 4 | three >> 2).to_be_bytes();
    is_zlib(&head) || head == [0x1f, 0x8b]
}

/// Bytes that UTF-8 has nowhere (RFC 3629 §1), and control characters other than those of lines.
fn never_in_text(byte: u8) -> bool {
    matches!(byte, 0..=8 | 0x0b | 0x0c | 0x0e..=0x1f | 0x7f | 0xc0 | 0xc1 | 0xf5..=0xff)
}

pub(super) fn decode(chars: &[u8], alphabet: Alphabet, budget: &mut Budget) -> Option<Vec<u8>> {
    if !budget.attempt() {
        return None;
    }
    let most = budget.bytes.saturating_mul(4) / 3;
    if chars.len() > most {
        budget.count("unpacked-bytes");
    }
    let bytes = base64::decode_prefix(chars.get(..chars.len().min(most))?, alphabet);
    budget.bytes = budget.bytes.saturating_sub(bytes.len());
    (!bytes.is_empty()).then_some(bytes)
}

/// RFC 1950 §2.2: deflate, a window of at most 32 KiB, no preset dictionary, a header divisible by 31.
pub(super) fn is_zlib(head: &[u8]) -> bool {
    match head.first_chunk::<2>() {
        Some([method, flags]) => {
            method & 0x0f == 8 && method >> 4 <= 7 && flags & 0x20 == 0 && u16::from_be_bytes([*method, *flags]).is_multiple_of(31)
        }
        None => false,
    }
}

/// RFC 1952 §2.3.1.
pub(super) fn is_gzip(head: &[u8]) -> bool {
    head.starts_with(&[0x1f, 0x8b, 8])
}

/// Inflates as far as the stream and the ceilings go; a cut or broken stream gives what came before.
pub(super) fn inflate(bytes: &[u8], limits: &Limits, budget: &mut Budget) -> Option<(&'static str, Vec<u8>)> {
    let zlib = is_zlib(bytes);
    if !(zlib || is_gzip(bytes)) || !budget.attempt() {
        return None;
    }
    let by_ratio = bytes.len().saturating_mul(limits.inflation_ratio).max(RATIO_FREE);
    let most = by_ratio.min(budget.bytes);
    let mut inflated = Vec::new();
    let read = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    // An error ends a broken stream: what it gave before stays.
    let complete = if zlib {
        flate2::bufread::ZlibDecoder::new(bytes).take(read).read_to_end(&mut inflated)
    } else {
        flate2::bufread::GzDecoder::new(bytes).take(read).read_to_end(&mut inflated)
    };
    if inflated.len() > most {
        inflated.truncate(most);
        budget.count(if most < by_ratio || by_ratio == budget.bytes {
            "unpacked-bytes"
        } else {
            "inflation-ratio"
        });
    }
    budget.bytes = budget.bytes.saturating_sub(inflated.len());
    // A header by chance, followed by noise, breaks within a few bytes.
    let enough = if complete.is_ok() { 1 } else { 8 };
    (inflated.len() >= enough).then_some((if zlib { "zlib" } else { "gzip" }, inflated))
}
