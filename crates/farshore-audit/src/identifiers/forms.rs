//! The shapes a known value takes on the wire, and the check that a run of bytes is one of them.
//!
//! One value gives some twenty to forty byte patterns, all searched in one pass; a hit is then verified against
//! what stands around it (digit and word boundaries, base64 neighbours). Refused: 16-bit integers and integers
//! below 65 536 (see [`chance`](super::chance)). Masks, digests and layers are another's ([`hidden`](super::hidden)).

use std::collections::BTreeSet;
use std::ops::Range;

use super::base64::{self, Alphabet};

/// How bytes of a pattern may differ from those found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Case {
    Exact,
    /// ASCII letters in either case.
    Any,
}

/// A way to write a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    /// As it is, or the same identifier with other separators.
    Text,
    /// Escaped, by percent signs (RFC 3986 §2.1) or as in JSON.
    Escaped,
    /// Hex digits of the text's bytes.
    HexOfText,
    /// The bytes the value's hex digits stand for, or an integer's.
    Bytes,
    /// Inside base64 (RFC 4648 §4, §5), with this many bytes before it in its group of three.
    Base64 { before: usize, alphabet: Alphabet },
}

/// One byte pattern of one known value.
#[derive(Clone, Debug)]
pub(super) struct Variant {
    /// Index of the known value.
    pub known: usize,
    /// What is searched.
    pub pattern: Vec<u8>,
    /// The decodings that lead back to the value.
    pub decoded_by: Vec<&'static str>,
    /// How surprising the pattern is among random bytes.
    pub bits: u32,
    /// Found only where bytes are not text: as text it would be noise.
    pub binary: bool,
    /// When chance is judged, it counts as this variant, found so many bytes further on: a number in eight bytes
    /// that begin or end with four zeros is as likely as its other four bytes.
    pub counts_as: Option<(usize, usize)>,
    form: Form,
    case: Case,
    /// The bytes that base64 must decode to.
    inner: Vec<u8>,
    /// What may not touch it.
    edge: Edge,
}

/// What a value must not touch on either side, or it is part of something longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    /// A number: digits.
    Digits,
    /// A short word: letters and digits.
    Word,
    /// Long enough to be itself anywhere.
    Free,
}

impl Edge {
    fn of(value: &str) -> Self {
        if value.bytes().all(|b| b.is_ascii_digit()) {
            Self::Digits
        } else if value.len() < 8 {
            Self::Word
        } else {
            Self::Free
        }
    }

    fn is_free(self, before: Option<u8>, after: Option<u8>) -> bool {
        let touches = |test: fn(&u8) -> bool| before.as_ref().is_some_and(test) || after.as_ref().is_some_and(test);
        match self {
            Self::Digits => !touches(u8::is_ascii_digit),
            Self::Word => !touches(u8::is_ascii_alphanumeric),
            Self::Free => true,
        }
    }
}

/// All patterns of one value.
pub(super) fn variants(known: usize, value: &str) -> Vec<Variant> {
    let mut made = Made {
        known,
        all: Vec::new(),
        patterns: BTreeSet::new(),
        edge: Edge::of(value),
    };
    let spellings = Spellings::of(value);
    for text in &spellings.texts {
        let case = if spellings.any_case { Case::Any } else { Case::Exact };
        made.add(Form::Text, case, text.as_bytes(), &[], false);
        made.add(Form::HexOfText, Case::Any, hex(text.as_bytes()).as_bytes(), &["hex"], false);
        for cased in spellings.cased(text) {
            made.percent(&cased);
            made.escaped(&cased);
            made.base64(cased.as_bytes(), &["base64"]);
        }
    }
    if let Some(raw) = &spellings.raw {
        made.bytes(raw, &[spellings.raw_name], informative_bits(raw));
        made.base64(raw, &["base64", spellings.raw_name]);
        if let Some(guid) = &spellings.guid {
            made.bytes(guid, &["guid"], informative_bits(guid));
            made.base64(guid, &["base64", "guid"]);
        }
    }
    made.integers(value);
    made.all
}

/// The other spellings of an identifier that has several: a UUID, a MAC address, hexadecimal digits.
pub(super) fn texts(value: &str) -> Vec<String> {
    Spellings::of(value).texts.into_iter().skip(1).collect()
}

/// The bytes its hexadecimal digits stand for, if it is written in such.
pub(super) fn bytes(value: &str) -> Option<Vec<u8>> {
    Spellings::of(value).raw
}

/// The ways to write a number of several bytes that it says something in.
pub(super) fn integers(value: &str) -> Vec<(Vec<u8>, &'static str)> {
    let number = value.parse::<u64>().ok().filter(|number| *number >= 65_536);
    let Some(number) = number.filter(|_| Edge::of(value) == Edge::Digits && !value.starts_with('0')) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    if let Ok(short) = u32::try_from(number) {
        all.push((short.to_be_bytes().to_vec(), "u32be"));
        all.push((short.to_le_bytes().to_vec(), "u32le"));
    }
    all.push((number.to_be_bytes().to_vec(), "u64be"));
    all.push((number.to_le_bytes().to_vec(), "u64le"));
    all
}

/// Lets the 64-bit encodings of numbers under 2³² count as the 32-bit ones they contain. `first`: of this value.
pub(super) fn pair_integers(variants: &mut [Variant], first: usize) {
    let place = |variants: &[Variant], name: &str| {
        let found = variants.iter().skip(first).position(|it| it.decoded_by == [name])?;
        Some(found.saturating_add(first))
    };
    for (long, short, shift) in [("u64be", "u32be", 4), ("u64le", "u32le", 0)] {
        if let (Some(long), Some(short)) = (place(variants, long), place(variants, short))
            && let Some(it) = variants.get_mut(long)
        {
            it.counts_as = Some((short, shift));
        }
    }
}

struct Made {
    known: usize,
    all: Vec<Variant>,
    patterns: BTreeSet<(Vec<u8>, Case)>,
    edge: Edge,
}

impl Made {
    fn add(&mut self, form: Form, case: Case, pattern: &[u8], decoded_by: &[&'static str], binary: bool) -> Option<&mut Variant> {
        let key = match case {
            Case::Exact => pattern.to_vec(),
            Case::Any => pattern.to_ascii_lowercase(),
        };
        if !self.patterns.insert((key, case)) {
            return None;
        }
        let letters = match case {
            Case::Any => pattern.iter().filter(|b| b.is_ascii_alphabetic()).count(),
            Case::Exact => 0,
        };
        let bits = pattern.len().saturating_mul(8).saturating_sub(letters);
        self.all.push(Variant {
            known: self.known,
            pattern: pattern.to_vec(),
            decoded_by: decoded_by.to_vec(),
            bits: u32::try_from(bits).unwrap_or(u32::MAX),
            binary,
            counts_as: None,
            form,
            case,
            inner: Vec::new(),
            edge: self.edge,
        });
        self.all.last_mut()
    }

    /// Raw bytes, with their own count of bits; too plain ones are left out.
    fn bytes(&mut self, bytes: &[u8], decoded_by: &[&'static str], bits: u32) {
        if bits < 16 || bytes.len() < 4 {
            return;
        }
        if let Some(variant) = self.add(Form::Bytes, Case::Exact, bytes, decoded_by, true) {
            variant.bits = bits;
        }
    }

    fn integers(&mut self, value: &str) {
        for (bytes, step) in integers(value) {
            self.bytes(&bytes, &[step], informative_bits(&bytes));
        }
    }

    /// As a form or URL writes it: all but unreserved characters, or all that forms encode, or twice over.
    fn percent(&mut self, text: &str) {
        let once = percent(text.as_bytes(), b"-._~");
        let component = percent(text.as_bytes(), b"-._~!'()*");
        let form = percent(text.as_bytes(), b"-._* ").replace(' ', "+");
        let all = percent_all(text.as_bytes());
        let twice = percent(once.as_bytes(), b"-._~");
        for (encoded, chain) in [
            (&once, &["url"] as &[&'static str]),
            (&component, &["url"]),
            (&form, &["url"]),
            (&all, &["url"]),
            (&twice, &["url", "url"]),
        ] {
            if encoded != text {
                self.add(Form::Escaped, Case::Exact, encoded.as_bytes(), chain, false);
                // Lower-case hex digits are equivalent (RFC 3986 §2.1).
                self.add(Form::Escaped, Case::Exact, lower_triplets(encoded).as_bytes(), chain, false);
            }
        }
    }

    /// As JSON may write what is not ASCII: UTF-16 code units in hex (RFC 8259 §7).
    fn escaped(&mut self, text: &str) {
        if text.is_ascii() {
            return;
        }
        let mut lower = String::new();
        for c in text.chars() {
            if c.is_ascii() {
                lower.push(c);
            } else {
                lower.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
            }
        }
        self.add(Form::Escaped, Case::Any, lower.as_bytes(), &["json"], false);
    }

    fn base64(&mut self, inner: &[u8], decoded_by: &[&'static str]) {
        for alphabet in [Alphabet::Standard, Alphabet::Url] {
            for before in 0..3 {
                let core = base64::certain(inner, before, alphabet);
                if core.len() < 4 {
                    continue;
                }
                if let Some(variant) = self.add(Form::Base64 { before, alphabet }, Case::Exact, &core, decoded_by, false) {
                    variant.inner = inner.to_vec();
                }
            }
        }
    }
}

impl Variant {
    /// Whether what was found at `at` is this value; if so, the bytes that carry it.
    pub fn verify(&self, text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
        let found = text.get(at.clone())?;
        if self.case == Case::Exact && found != self.pattern {
            return None;
        }
        let before = at.start.checked_sub(1).and_then(|i| text.get(i)).copied();
        let after = text.get(at.end).copied();
        match self.form {
            Form::Text => self.edge.is_free(before, after).then_some(at),
            Form::Escaped => {
                // `%2B`: the boundary before may be the end of a triplet, whose digits are no part of a word.
                let triplet = at.start.checked_sub(3).and_then(|i| text.get(i)) == Some(&b'%');
                let before = if triplet { None } else { before };
                self.edge.is_free(before, after).then_some(at)
            }
            Form::HexOfText => {
                let byte = |from: Option<usize>| {
                    let digits = from.and_then(|i| text.get(i..i.checked_add(2)?))?;
                    unhex(str::from_utf8(digits).ok()?)?.first().copied()
                };
                self.edge.is_free(byte(at.start.checked_sub(2)), byte(Some(at.end))).then_some(at)
            }
            Form::Bytes => Some(at),
            Form::Base64 { before, alphabet } => self.verify_base64(text, at, before, alphabet),
        }
    }

    /// Decodes what stands around the certain characters and looks at the bytes beside the value.
    fn verify_base64(&self, text: &[u8], at: Range<usize>, before: usize, alphabet: Alphabet) -> Option<Range<usize>> {
        let start = at.start.checked_sub(base64::contaminated(before))?;
        let total = before.checked_add(self.inner.len())?;
        let end = start.checked_add(base64::chars(total))?;
        let window = text.get(start..end.saturating_add(2).min(text.len()))?;
        let decoded = base64::decode_prefix(window, alphabet);
        if decoded.get(before..total)? != self.inner {
            return None;
        }
        let next = decoded.get(total).copied();
        let previous = match before.checked_sub(1) {
            Some(i) => decoded.get(i).copied(),
            None => {
                let group = start.checked_sub(4).and_then(|from| text.get(from..start));
                group.and_then(|group| base64::decode_prefix(group, alphabet).get(2).copied())
            }
        };
        let printable = |byte: Option<u8>| byte.is_none_or(|b| b == b' ' || b.is_ascii_graphic());
        // Bytes of an identifier are no text: digits beside them mean nothing.
        if self.decoded_by.len() == 1 && !self.edge.is_free(previous, next) {
            return None;
        }
        // A few characters turn up in base64 of keys and hashes: their neighbours must at least be text.
        if self.pattern.len() < 8 && !(printable(previous) && printable(next)) {
            return None;
        }
        let first = start.checked_add(before)?;
        Some(first..end)
    }
}

/// The spellings of one identifier.
struct Spellings {
    texts: Vec<String>,
    any_case: bool,
    raw: Option<Vec<u8>>,
    raw_name: &'static str,
    guid: Option<Vec<u8>>,
}

impl Spellings {
    fn of(value: &str) -> Self {
        let mut it = Self {
            texts: vec![value.to_owned()],
            any_case: value.is_ascii() && value.contains('@'),
            raw: None,
            raw_name: "bytes",
            guid: None,
        };
        let digits: String = value.chars().filter(|c| !matches!(c, '-' | ':')).collect();
        let decimal = value.bytes().all(|b| b.is_ascii_digit());
        let hex_like = digits.len() >= 8 && digits.len().is_multiple_of(2) && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let separated = digits.len() != value.len();
        if !hex_like || decimal || (separated && !is_uuid(value) && !is_mac(value)) {
            return it;
        }
        it.any_case = true;
        let groups: &[(usize, &str)] = match digits.len() {
            32 => &[(0, "-")],
            // Colons and hyphens (IEEE Std 802, clause 8.1), and dots as routers write it.
            12 => &[(2, ":"), (2, "-"), (4, ".")],
            _ => &[],
        };
        let mut more = vec![digits.clone()];
        for (size, separator) in groups {
            let lengths: &[usize] = match size {
                0 => &[8, 4, 4, 4, 12],
                4 => &[4; 3],
                _ => &[2; 6],
            };
            more.push(grouped(&digits, lengths, separator));
        }
        it.texts.extend(more.into_iter().filter(|text| !text.eq_ignore_ascii_case(value)));
        it.raw = unhex(&digits);
        if digits.len() == 32 {
            it.raw_name = "uuid";
            // Microsoft's GUID layout: the first three fields little-endian (RFC 9562 §4 names the practice).
            it.guid = it.raw.as_ref().map(|raw| {
                let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15_usize];
                order.iter().filter_map(|i| raw.get(*i)).copied().collect()
            });
        }
        it
    }

    /// The spellings for encodings that do not keep case apart: as given, all lower, all upper.
    fn cased(&self, text: &str) -> Vec<String> {
        let mut all = vec![text.to_owned()];
        if self.any_case {
            all.push(text.to_ascii_lowercase());
            all.push(text.to_ascii_uppercase());
        }
        all
    }
}

/// 8-4-4-4-12 hex digits (RFC 9562 §4).
pub(super) fn is_uuid(text: &str) -> bool {
    let mut groups = text.split('-');
    [8, 4, 4, 4, 12]
        .iter()
        .all(|n| groups.next().is_some_and(|group| group.len() == *n))
        && groups.next().is_none()
}

fn is_mac(text: &str) -> bool {
    [':', '-'].iter().any(|separator| {
        let groups: Vec<&str> = text.split(*separator).collect();
        groups.len() == 6 && groups.iter().all(|group| group.len() == 2)
    })
}

fn grouped(digits: &str, lengths: &[usize], separator: &str) -> String {
    let mut rest = digits;
    let mut groups = Vec::new();
    for length in lengths {
        if let Some((group, tail)) = rest.split_at_checked(*length) {
            groups.push(group);
            rest = tail;
        }
    }
    groups.join(separator)
}

/// 8 bits for each distinct byte that is neither filler nor padding.
fn informative_bits(bytes: &[u8]) -> u32 {
    let distinct: BTreeSet<u8> = bytes.iter().copied().filter(|b| *b != 0 && *b != 0xff).collect();
    u32::try_from(distinct.len().saturating_mul(8)).unwrap_or(u32::MAX)
}

fn percent(bytes: &[u8], keep: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || keep.contains(byte) {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
        text
    })
}

fn percent_all(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}

/// The same with the two digits of each triplet in lower case.
fn lower_triplets(text: &str) -> String {
    let mut left = 0_u8;
    text.chars()
        .map(|c| {
            if c == '%' {
                left = 2;
                c
            } else if left > 0 {
                left = left.saturating_sub(1);
                c.to_ascii_lowercase()
            } else {
                c
            }
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn unhex(digits: &str) -> Option<Vec<u8>> {
    let nibble = |b: u8| char::from(b).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| Some(nibble(*high)?.checked_shl(4)? | nibble(*low)?))
        .collect()
}
