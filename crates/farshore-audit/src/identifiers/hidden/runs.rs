//! Runs of digits of an encoding: hexadecimal, base32, base64, over several lines too, and decimal numbers that may be
//! digests. It refuses runs that are words.

use std::ops::Range;

use super::super::base64::{self, Alphabet};
use super::super::scan::{Rules, Work};
use super::survey::{SHORTEST_RUN, Survey};
use super::{Hidden, LAYERS, Node, Peel, escapes};

/// A run in a node, and the classes its bytes have.
struct Run<'a> {
    range: Range<usize>,
    text: &'a [u8],
    any: u8,
    /// It is all of a value, but for signs that fill it up.
    value: bool,
}

impl<'a> Run<'a> {
    fn of(node: &Node<'a>, range: Range<usize>) -> Option<Self> {
        let text = node.text.get(range.clone())?;
        let filled = range.end.saturating_add(padding(node.text, range.end, BASE32.padding));
        Some(Self {
            any: text.iter().fold(0, |any, byte| any | class(*byte)),
            value: is_value(node.text, &(range.start..filled)),
            range,
            text,
        })
    }

    fn is_hex(&self) -> bool {
        self.any & !(HEX_LOWER | HEX_UPPER | DECIMAL) == 0
    }
}

/// An encoding of bytes in digits.
struct Coding {
    step: &'static str,
    /// Signs that may follow to fill it up.
    padding: usize,
    /// Whether a run is a word rather than this.
    is_word: fn(&Run<'_>) -> bool,
    /// Whether so many digits can be all of a coding: some numbers leave a digit that stands for nothing (RFC 4648).
    is_length: fn(usize) -> bool,
    decode: fn(&[u8], &mut Vec<u8>),
}

const HEX: Coding = Coding {
    step: "hex",
    padding: 0,
    is_word: |_| false,
    is_length: |_| true,
    decode: escapes::hex,
};

const BASE32: Coding = Coding {
    step: "base32",
    padding: 6,
    is_word: |it| {
        let lower = it.any & (LOWER | HEX_LOWER) != 0;
        let upper = it.any & (UPPER | HEX_UPPER) != 0;
        // A word in lower case is a word.
        lower == upper || lower && it.any & DECIMAL == 0 && it.text.len() < 24 && !it.value
    },
    is_length: |it| !matches!(it % 8, 1 | 3 | 6),
    decode: escapes::base32,
};

const BASE64: Coding = Coding {
    step: "base64",
    padding: 2,
    is_word: is_no_base64,
    is_length: |it| it % 4 != 1,
    decode: |run, bytes| {
        let url = run.iter().any(|it| matches!(it, b'-' | b'_'));
        base64::decode_into(run, if url { Alphabet::Url } else { Alphabet::Standard }, bytes);
    },
};

impl Rules {
    pub(super) fn runs(&self, hidden: &Hidden, node: &Node<'_>, survey: &Survey, work: &mut Work<'_>) {
        let (mut at, mut lines_until) = (0_usize, 0_usize);
        while let Some(range) = survey.run(at) {
            at = range.end.saturating_add(1);
            if range.start >= lines_until
                && let Some(end) = end_of_lines(node.text, &range)
            {
                lines_until = end;
                self.lines(hidden, node, range.start..end, work);
            }
            let Some(run) = Run::of(node, range) else { continue };
            if run.any & SPECIAL == 0 {
                self.plain_run(hidden, node, &run, survey.textual, work);
                continue;
            }
            self.coded(hidden, node, &run, (&BASE64, survey.textual), work);
            let mut start = run.range.start;
            for part in run.text.split(|byte| base64::is_special(*byte)) {
                let range = start..start.saturating_add(part.len());
                start = range.end.saturating_add(1);
                if part.len() >= SHORTEST_RUN
                    && let Some(part) = Run::of(node, range)
                {
                    self.plain_run(hidden, node, &part, survey.textual, work);
                }
            }
        }
    }

    /// A run of letters and digits alone.
    fn plain_run(&self, hidden: &Hidden, node: &Node<'_>, run: &Run<'_>, textual: bool, work: &mut Work<'_>) {
        let Range { start, end } = run.range;
        let part = |start: usize, end: usize| Run::of(node, start..end).filter(|it| it.is_hex() && it.text.len() >= SHORTEST_RUN);
        if run.is_hex() {
            self.digest(hidden, node, run, work);
            self.coded(hidden, node, run, (&HEX, textual), work);
        } else if run.text.starts_with(b"0x")
            && let Some(digits) = part(start.saturating_add(2), end)
        {
            self.coded(hidden, node, &digits, (&HEX, textual), work);
        }
        if !textual {
            // A length before it, or a tag behind it, may look like one of its digits.
            for (skip, cut) in [(1, 0), (0, 1), (1, 1)] {
                if let Some(digits) = part(start.saturating_add(skip), end.saturating_sub(cut)) {
                    self.coded(hidden, node, &digits, (&HEX, textual), work);
                }
            }
        }
        self.coded(hidden, node, run, (&BASE32, textual), work);
        if !run.is_hex() || run.text.len() < 12 {
            self.coded(hidden, node, run, (&BASE64, textual), work);
        }
    }

    /// What a run stands for, in a coding; in bytes also without its first, which may be its length.
    fn coded(&self, hidden: &Hidden, node: &Node<'_>, run: &Run<'_>, (coding, textual): (&Coding, bool), work: &mut Work<'_>) {
        let shifted = || Run::of(node, run.range.start.saturating_add(1)..run.range.end);
        let second = if textual || coding.step == HEX.step { None } else { shifted() };
        for run in [Some(run), second.as_ref()].into_iter().flatten() {
            // In text a run begins and ends where a coding does; among bytes it may have taken some of them.
            if (coding.is_word)(run) || textual && !(coding.is_length)(run.text.len()) {
                continue;
            }
            let mut bytes = work.peeling.text();
            (coding.decode)(run.text, &mut bytes);
            let padding = padding(node.text, run.range.end, coding.padding);
            let peel = Peel {
                range: run.range.start..run.range.end.saturating_add(padding),
                step: coding.step,
                bytes: &bytes,
                whole: coding.step != HEX.step || run.text.len().is_multiple_of(2),
            };
            self.decoded(hidden, node, &peel, work);
            work.peeling.done(bytes);
        }
    }

    /// Base64 over several lines (RFC 2045 section 6.8).
    fn lines(&self, hidden: &Hidden, node: &Node<'_>, range: Range<usize>, work: &mut Work<'_>) {
        let text = node.text.get(range.clone()).unwrap_or(&[]);
        let joined: Vec<u8> = text.iter().copied().filter(|it| !matches!(it, b'\r' | b'\n')).collect();
        let bytes = base64::decode_prefix(&joined, Alphabet::Standard);
        let peel = Peel {
            range,
            step: BASE64.step,
            bytes: &bytes,
            whole: true,
        };
        self.decoded(hidden, node, &peel, work);
    }

    fn decoded(&self, hidden: &Hidden, node: &Node<'_>, peel: &Peel<'_>, work: &mut Work<'_>) {
        if node.layers < LAYERS {
            self.child(hidden, node, peel, work);
            return;
        }
        // Digests are written in digits: that is no layer of its own.
        let chain = node.chain(peel);
        self.masked(hidden, &node.beneath(peel, &chain, false), false, work);
    }

    /// A number of 32 bits that is a value by itself, in hexadecimal or, if it is as long, in decimal digits.
    fn digest(&self, hidden: &Hidden, node: &Node<'_>, run: &Run<'_>, work: &mut Work<'_>) {
        if !run.value || run.text.len() > 10 {
            return;
        }
        let Ok(digits) = str::from_utf8(run.text) else { return };
        if digits.len() == 8
            && let Ok(digest) = u32::from_str_radix(digits, 16)
        {
            self.weak(hidden, node, &run.range, (digest, &["hex"]), work);
            self.weak(hidden, node, &run.range, (digest.swap_bytes(), &["hex"]), work);
        }
        if !digits.starts_with('0')
            && let Ok(digest) = digits.parse()
        {
            self.weak(hidden, node, &run.range, (digest, &["decimal"]), work);
        }
    }
}

const HEX_LOWER: u8 = 1;
const LOWER: u8 = 2;
const HEX_UPPER: u8 = 4;
const UPPER: u8 = 8;
const DECIMAL: u8 = 16;
const SPECIAL: u8 = 32;

/// What a byte can be a digit of; nothing: of no encoding.
fn class(byte: u8) -> u8 {
    static CLASSES: [u8; 256] = classes();
    CLASSES.get(usize::from(byte)).copied().unwrap_or(0)
}

#[expect(clippy::indexing_slicing, reason = "computed by the compiler, which refuses a place outside")]
const fn classes() -> [u8; 256] {
    let mut all = [0; 256];
    let mut byte = 0_u8;
    loop {
        all[byte as usize] = match byte {
            b'a'..=b'f' => HEX_LOWER,
            b'g'..=b'z' => LOWER,
            b'A'..=b'F' => HEX_UPPER,
            b'G'..=b'Z' => UPPER,
            b'0'..=b'9' => DECIMAL,
            b'+' | b'/' | b'-' | b'_' => SPECIAL,
            _ => 0,
        };
        let Some(next) = byte.checked_add(1) else { return all };
        byte = next;
    }
}

/// Whether a run is words or a number rather than base64: nothing of the one case, or of it only how words begin. What is all
/// of a value may be anything.
fn is_no_base64(it: &Run<'_>) -> bool {
    let run = it.text;
    let digits = it.any & DECIMAL != 0;
    let lower = it.any & (LOWER | HEX_LOWER) != 0;
    let upper = it.any & (UPPER | HEX_UPPER) != 0;
    if !lower && !upper {
        return true;
    }
    if run.len() >= 256 || it.value {
        return false;
    }
    match (lower, upper) {
        (true, true) if digits => false,
        (true, true) => {
            let begins = |place: usize| place == 0 || run.get(place.wrapping_sub(1)).is_some_and(|it| base64::is_special(*it));
            let inside = run.iter().enumerate().any(|(place, it)| it.is_ascii_uppercase() && !begins(place));
            !inside && !run.contains(&b'+')
        }
        _ => true,
    }
}

fn padding(text: &[u8], at: usize, most: usize) -> usize {
    text.get(at..)
        .unwrap_or(&[])
        .iter()
        .take(most)
        .take_while(|it| **it == b'=')
        .count()
}

/// Where the lines end of which this run is the first.
fn end_of_lines(text: &[u8], run: &Range<usize>) -> Option<usize> {
    if run.len() < 60 || !run.len().is_multiple_of(4) {
        return None;
    }
    let mut end = run.end;
    loop {
        let rest = text.get(end..)?;
        let line = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n"));
        let Some(line) = line else { break };
        let length = line.iter().take_while(|it| class(**it) != 0).count();
        if length == 0 {
            break;
        }
        end = text.len().saturating_sub(line.len()).saturating_add(length);
        if length != run.len() {
            break;
        }
    }
    (end > run.end).then_some(end)
}

/// Whether a run is all of a value: of a parameter, a header, a string or a number of JSON, or of the whole text.
pub(super) fn is_value(text: &[u8], range: &Range<usize>) -> bool {
    let before = range.start.checked_sub(1).and_then(|at| text.get(at));
    let after = text.get(range.end);
    let spaced = || text.get(..range.start).is_some_and(|it| it.ends_with(b": "));
    let begins = matches!(before, None | Some(b'"' | b'\'' | b'=' | b':' | b'>')) || spaced();
    // What a colon follows is a name.
    let named = || after == Some(&b'"') && text.get(range.end.saturating_add(1)) == Some(&b':');
    begins && matches!(after, None | Some(b'"' | b'\'' | b'&' | b';' | b',' | b'}' | b'<' | b'\r' | b'\n')) && !named()
}
