//! Escapes and encodings of text by text: percent signs, HTML and JSON escapes, UTF-16, hexadecimal and base32 digits.
//!
//! Each finds the stretches that are so written and gives them back plain. Refuses nothing that can be read: what is no
//! valid escape stays as it is.

use std::ops::Range;

/// A stretch of a text and what it says.
pub(super) struct Plain {
    pub range: Range<usize>,
    pub step: &'static str,
    pub bytes: Vec<u8>,
}

/// Shorter than this nothing that is known can be.
const SHORTEST: usize = 4;

/// The stretches of `text` that hold escapes of one of the three sorts; which of their signs there are was seen before.
pub(super) fn escaped(text: &[u8], [percent, ampersand, backslash]: [bool; 3], found: &mut dyn FnMut(Plain)) {
    let mut each = |there: bool, ends: fn(u8) -> bool, sign: u8, step: &'static str, undo: fn(&[u8]) -> Option<Vec<u8>>| {
        let mut from = 0_usize;
        while let Some(rest) = text.get(from..).filter(|_| there) {
            let Some(at) = memchr::memchr(sign, rest).map(|it| from.saturating_add(it)) else {
                break;
            };
            let before = text.get(from..at).and_then(|it| it.iter().rposition(|byte| ends(*byte)));
            let start = before.map_or(from, |it| from.saturating_add(it).saturating_add(1));
            let behind = text.get(at..).and_then(|it| it.iter().position(|byte| ends(*byte)));
            let end = behind.map_or(text.len(), |it| at.saturating_add(it));
            from = end.saturating_add(1);
            let part = text.get(start..end).unwrap_or(&[]);
            if part.len() >= SHORTEST
                && let Some(bytes) = undo(part).filter(|it| it.len() >= SHORTEST)
            {
                found(Plain {
                    range: start..end,
                    step,
                    bytes,
                });
            }
        }
    };
    each(
        percent,
        |b| ends_value(b) || matches!(b, b'&' | b'=' | b'?' | b';' | b','),
        b'%',
        "url",
        url,
    );
    each(ampersand, ends_value, b'&', "html", html);
    each(backslash, |b| b.is_ascii_control(), b'\\', "json", json);
}

fn ends_value(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'<' | b'>')
}

fn nibble(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|it| u8::try_from(it).ok())
}

/// Percent-encoding (RFC 3986 section 2.1), and `+` for a space as forms have it.
fn url(text: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut changed = false;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%'
            && let Some([high, low]) = after.first_chunk::<2>()
            && let (Some(high), Some(low)) = (nibble(*high), nibble(*low))
        {
            plain.push(high << 4 | low);
            rest = after.get(2..).unwrap_or(&[]);
            changed = true;
        } else {
            plain.push(*first);
        }
    }
    changed.then_some(plain)
}

/// Numeric character references and the five named ones of XML (HTML, section 13.5).
fn html(text: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut changed = false;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let end = after.iter().take(10).position(|it| *it == b';');
        let name = end.and_then(|end| after.get(..end)).filter(|_| *first == b'&');
        match name.and_then(reference) {
            Some(char) => {
                plain.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                rest = after.get(end.unwrap_or(0).saturating_add(1)..).unwrap_or(&[]);
                changed = true;
            }
            None => plain.push(*first),
        }
    }
    changed.then_some(plain)
}

fn reference(name: &[u8]) -> Option<char> {
    match name {
        b"amp" => Some('&'),
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        [b'#', b'x' | b'X', digits @ ..] => char::from_u32(u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?),
        [b'#', digits @ ..] => char::from_u32(str::from_utf8(digits).ok()?.parse().ok()?),
        _ => None,
    }
}

/// Escapes in strings of JSON (RFC 8259 section 7), and `\xNN` of other languages.
fn json(text: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut changed = false;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let Some((sign, behind)) = after.split_first().filter(|_| *first == b'\\') else {
            plain.push(*first);
            continue;
        };
        let byte = match sign {
            b'"' | b'\\' | b'/' | b'\'' => *sign,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 8,
            b'f' => 12,
            b'x' => match behind
                .first_chunk::<2>()
                .and_then(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?))
            {
                Some(byte) => {
                    plain.push(byte);
                    rest = behind.get(2..).unwrap_or(&[]);
                    changed = true;
                    continue;
                }
                None => {
                    plain.push(*first);
                    continue;
                }
            },
            b'u' => match unit(after) {
                Some(high) => {
                    let low = behind.get(4..).and_then(|it| it.strip_prefix(b"\\")).and_then(unit);
                    let pair = low
                        .and_then(|low| char::decode_utf16([high, low]).next()?.ok())
                        .filter(|it| *it > '\u{ffff}');
                    let char = pair
                        .or_else(|| char::from_u32(u32::from(high)))
                        .unwrap_or(char::REPLACEMENT_CHARACTER);
                    plain.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                    rest = behind.get(if pair.is_some() { 10 } else { 4 }..).unwrap_or(&[]);
                    changed = true;
                    continue;
                }
                None => {
                    plain.push(*first);
                    continue;
                }
            },
            _ => {
                plain.push(*first);
                continue;
            }
        };
        plain.push(byte);
        rest = behind;
        changed = true;
    }
    changed.then_some(plain)
}

/// The code unit of `uNNNN`.
fn unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"u")?.first_chunk::<4>()?;
    u16::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

/// Stretches of UTF-16 among bytes, of either order: four characters and more, most of them of Latin scripts.
pub(super) fn utf16(bytes: &[u8], found: &mut dyn FnMut(Plain)) {
    let mut at = 0_usize;
    // Most of the first characters are ASCII, so one of the first two has a byte of zero.
    while let Some(zero) = bytes.get(at..).and_then(|it| memchr::memchr(0, it)) {
        at = at.saturating_add(zero.saturating_sub(3));
        let Some(rest) = bytes.get(at..).filter(|it| it.len() >= 2 * SHORTEST) else {
            break;
        };
        let little = length(rest, u16::from_le_bytes);
        let big = length(rest, u16::from_be_bytes);
        let units = little.max(big);
        if units < SHORTEST {
            at = at.saturating_add(1);
            continue;
        }
        // A length before it can make the one order look like the other, a byte earlier: what it says is told in all ways.
        let next = at.saturating_add(1);
        let beyond = bytes.get(next..).unwrap_or(&[]);
        let (le, be): (Unit, Unit) = (u16::from_le_bytes, u16::from_be_bytes);
        let readings = [
            (at, little, le),
            (at, big, be),
            (next, length(beyond, le), le),
            (next, length(beyond, be), be),
        ];
        for (start, units, read) in readings {
            let range = start..start.saturating_add(units.saturating_mul(2));
            let pairs = bytes.get(range.clone()).map_or(&[] as &[[u8; 2]], |it| it.as_chunks::<2>().0);
            let text: String = char::decode_utf16(pairs.iter().map(|it| read(*it)))
                .map(|it| it.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect();
            if units >= SHORTEST {
                let bytes = text.into_bytes();
                found(Plain {
                    range,
                    step: "utf-16",
                    bytes,
                });
            }
        }
        at = at.saturating_add(units.saturating_mul(2));
    }
}

type Unit = fn([u8; 2]) -> u16;

/// How many code units from here on are text; nothing unless most of the first are ASCII.
fn length(bytes: &[u8], read: fn([u8; 2]) -> u16) -> usize {
    let units = || bytes.as_chunks::<2>().0.iter().map(|it| read(*it));
    let ascii = units().take(SHORTEST).filter(|it| (0x20..0x7f).contains(it)).count();
    if ascii.saturating_add(1) < SHORTEST {
        return 0;
    }
    units()
        .take_while(|it| matches!(it, 9 | 10 | 13 | 0x20..=0x7e | 0xa0..=0x24f | 0x370..=0x6ff | 0x4e00..=0x9fff | 0xd800..=0xdfff))
        .count()
}

/// Bytes written in hexadecimal digits; an odd one at the end is left.
pub(super) fn hex(digits: &[u8], bytes: &mut Vec<u8>) {
    bytes.clear();
    let pairs = digits.as_chunks::<2>().0.iter();
    bytes.extend(pairs.map_while(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)));
}

/// Bytes written in base32 (RFC 4648 section 6), in either case.
pub(super) fn base32(digits: &[u8], bytes: &mut Vec<u8>) {
    bytes.clear();
    let (mut held, mut bits) = (0_u32, 0_u32);
    for digit in digits {
        let value = match digit {
            b'A'..=b'Z' => digit.wrapping_sub(b'A'),
            b'a'..=b'z' => digit.wrapping_sub(b'a'),
            b'2'..=b'7' => digit.wrapping_sub(b'2').wrapping_add(26),
            _ => return,
        };
        held = (held << 5 | u32::from(value)) & 0xfff;
        bits = bits.wrapping_add(5);
        if bits >= 8 {
            bits = bits.wrapping_sub(8);
            bytes.push(u8::try_from(held >> bits & 0xff).unwrap_or(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<(&'static str, String)> {
        let mut all = Vec::new();
        escaped(text.as_bytes(), [true; 3], &mut |it| {
            assert!(it.range.end <= text.len());
            all.push((it.step, String::from_utf8_lossy(&it.bytes).into_owned()));
        });
        all
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(all("a=1&q=grace%40example%zz"), [("url", "grace@example%zz".to_owned())]);
        assert_eq!(all("<b>&#103;&#x72;ace&amp;&nope; x"), [("html", "grace&&nope;".to_owned())]);
        assert_eq!(
            all(r#"{"a":"\u0067\u0072ace\/\ud83d\ude00\q"}"#),
            [("json", r#"{"a":"grace/😀\q"}"#.to_owned())]
        );
        assert_eq!(all("nothing at all"), []);
        assert_eq!(all("100% of it & a \\ more"), []);
        // No valid escape of it is one.
        assert_eq!(all(r"\u12 \ud800 \u"), [("json", "\\u12 \u{fffd} \\u".to_owned())]);
    }

    #[test]
    fn utf_16_is_found_in_either_order() {
        let text = "uid=1009431";
        for (little, order) in [(true, "little"), (false, "big")] {
            let coded: Vec<u8> = text
                .encode_utf16()
                .flat_map(|it| if little { it.to_le_bytes() } else { it.to_be_bytes() })
                .collect();
            for before in 0..3 {
                let bytes = [vec![5; before], coded.clone(), vec![0xff; 3]].concat();
                let mut found = Vec::new();
                utf16(&bytes, &mut |it| found.push((it.range, it.bytes)));
                // What stands before it may be a letter of the same order.
                let is_there =
                    |it: &(Range<usize>, Vec<u8>)| it.0.end >= before + coded.len() && String::from_utf8_lossy(&it.1).contains(text);
                assert!(found.iter().any(is_there), "{order} {before}: {found:?}");
            }
        }
        let mut found = 0;
        utf16(&[0; 64], &mut |_| found += 1);
        utf16(b"\0a\0\0b\0\0\0c", &mut |_| found += 1);
        assert_eq!(found, 0);
    }

    #[test]
    fn digits_give_their_bytes() {
        let mut bytes = Vec::new();
        hex(b"6772614365f", &mut bytes);
        assert_eq!(bytes, b"graCe");
        // RFC 4648 section 10.
        for (text, plain) in [("MZXW6YTBOI", "foobar"), ("mzxw6yq", "foob"), ("MY", "f")] {
            base32(text.as_bytes(), &mut bytes);
            assert_eq!(bytes, plain.as_bytes());
        }
    }
}
