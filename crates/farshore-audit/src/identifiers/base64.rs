//! Base64 (RFC 4648 §4, §5) by the character: which characters a value fixes at each alignment, and decoding of
//! runs whose end, padding and alignment nobody promised. The strict codec of a crate would refuse those.

/// Which two characters stand for 62 and 63.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alphabet {
    /// `+` and `/`.
    Standard,
    /// `-` and `_`.
    Url,
}

const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

impl Alphabet {
    fn char(self, sextet: u8) -> u8 {
        let last = match self {
            Self::Standard => [b'+', b'/'],
            Self::Url => [b'-', b'_'],
        };
        LETTERS.iter().chain(&last).nth(usize::from(sextet & 63)).copied().unwrap_or(b'=')
    }

    fn sextet(self, char: u8) -> Option<u8> {
        let sextets = match self {
            Self::Standard => &STANDARD,
            Self::Url => &URL,
        };
        sextets.get(usize::from(char)).copied().filter(|it| *it != NONE)
    }

    const fn computed(self, char: u8) -> u8 {
        match (self, char) {
            (_, b'A'..=b'Z') => char.wrapping_sub(b'A'),
            (_, b'a'..=b'z') => char.wrapping_sub(b'a').wrapping_add(26),
            (_, b'0'..=b'9') => char.wrapping_sub(b'0').wrapping_add(52),
            (Self::Standard, b'+') | (Self::Url, b'-') => 62,
            (Self::Standard, b'/') | (Self::Url, b'_') => 63,
            _ => NONE,
        }
    }
}

/// No sextet.
const NONE: u8 = 0xff;
static STANDARD: [u8; 256] = table(Alphabet::Standard);
static URL: [u8; 256] = table(Alphabet::Url);
/// 1 for what is of either alphabet, 2 for the percent sign.
static EITHER: [u8; 256] = either();

#[expect(clippy::indexing_slicing, reason = "computed by the compiler, which refuses a place outside")]
const fn table(alphabet: Alphabet) -> [u8; 256] {
    let mut all = [NONE; 256];
    let mut char = 0_u8;
    loop {
        all[char as usize] = alphabet.computed(char);
        let Some(next) = char.checked_add(1) else { return all };
        char = next;
    }
}

#[expect(clippy::indexing_slicing, reason = "computed by the compiler, which refuses a place outside")]
const fn either() -> [u8; 256] {
    let mut all = [0; 256];
    let mut char = 0_u8;
    loop {
        all[char as usize] = (char.is_ascii_alphanumeric() || is_special(char)) as u8 | ((char == b'%') as u8) << 1;
        let Some(next) = char.checked_add(1) else { return all };
        char = next;
    }
}

/// Whether a byte is of either alphabet.
pub(super) fn is_char(byte: u8) -> bool {
    EITHER.get(usize::from(byte)) == Some(&1)
}

/// Whether it is that, or may begin one that is percent-encoded.
pub(super) fn is_char_or_percent(byte: u8) -> bool {
    EITHER.get(usize::from(byte)).is_some_and(|it| *it != 0)
}

/// The sextet of a character in the one alphabet that has it.
pub(super) fn sextet_of_either(byte: u8) -> Option<u8> {
    Alphabet::Standard.sextet(byte).or_else(|| Alphabet::Url.sextet(byte))
}

/// Whether it is one of the characters the alphabets do not share.
pub(super) const fn is_special(byte: u8) -> bool {
    matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// Characters that stand for so many bytes, the last of them shared.
pub(super) fn chars(bytes: usize) -> usize {
    bytes.saturating_mul(8).div_ceil(6)
}

/// Characters of a group that also depend on the bytes before.
pub(super) fn contaminated(before: usize) -> usize {
    chars(before)
}

/// The characters that `inner` alone fixes when `before` bytes precede it in its group of three.
pub(super) fn certain(inner: &[u8], before: usize, alphabet: Alphabet) -> Vec<u8> {
    let padded: Vec<u8> = std::iter::repeat_n(0, before).chain(inner.iter().copied()).collect();
    let whole = padded.len().saturating_mul(8) / 6;
    encode(&padded, alphabet)
        .into_iter()
        .take(whole)
        .skip(contaminated(before))
        .collect()
}

fn encode(bytes: &[u8], alphabet: Alphabet) -> Vec<u8> {
    let mut text = Vec::with_capacity(chars(bytes.len()));
    let (mut held, mut bits) = (0_u32, 0_u32);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits = bits.wrapping_add(8);
        while bits >= 6 {
            bits = bits.wrapping_sub(6);
            text.push(alphabet.char(u8::try_from((held >> bits) & 63).unwrap_or(0)));
        }
        held &= 0xff;
    }
    if bits > 0 {
        text.push(alphabet.char(u8::try_from((held << 6_u32.wrapping_sub(bits)) & 63).unwrap_or(0)));
    }
    text
}

/// The three bytes of four characters, if all four are of the alphabet.
pub(super) fn three(four: &[u8; 4], alphabet: Alphabet) -> Option<[u8; 3]> {
    let mut held = 0_u32;
    for char in four {
        held = held << 6 | u32::from(alphabet.sextet(*char)?);
    }
    let [_, bytes @ ..] = held.to_be_bytes();
    Some(bytes)
}

/// Whole bytes of the characters up to the first that is none.
pub(super) fn decode_prefix(text: &[u8], alphabet: Alphabet) -> Vec<u8> {
    let mut bytes = Vec::new();
    decode_into(text, alphabet, &mut bytes);
    bytes
}

/// The same, into a vector.
pub(super) fn decode_into(text: &[u8], alphabet: Alphabet, bytes: &mut Vec<u8>) {
    bytes.reserve(text.len().saturating_mul(3) / 4);
    let table = match alphabet {
        Alphabet::Standard => &STANDARD,
        Alphabet::Url => &URL,
    };
    let sextet = |char: u8| u32::from(table.get(usize::from(char)).copied().unwrap_or(NONE));
    let mut rest = text;
    while let Some(([a, b, c, d], after)) = rest.split_first_chunk::<4>() {
        let (a, b, c, d) = (sextet(*a), sextet(*b), sextet(*c), sextet(*d));
        if (a | b | c | d) > 63 {
            break;
        }
        let [_, one, two, three] = (a << 18 | b << 12 | c << 6 | d).to_be_bytes();
        bytes.extend_from_slice(&[one, two, three]);
        rest = after;
    }
    bytes.extend(decoded(rest, alphabet));
}

/// The same, byte by byte.
pub(super) fn decoded(text: &[u8], alphabet: Alphabet) -> impl Iterator<Item = u8> {
    let (mut held, mut bits) = (0_u32, 0_u32);
    let sextets = text.iter().map_while(move |char| alphabet.sextet(*char));
    sextets.filter_map(move |sextet| {
        held = (held << 6 | u32::from(sextet)) & 0xfff;
        bits = bits.wrapping_add(6);
        if bits < 8 {
            return None;
        }
        bits = bits.wrapping_sub(8);
        u8::try_from((held >> bits) & 0xff).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::base64::Engine as _;
    use ::base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

    #[test]
    fn agrees_with_the_crate() {
        let bytes: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
        for length in [0, 1, 2, 3, 4, 5, 64, 511, 512] {
            let bytes = &bytes[..length];
            for (alphabet, text) in [
                (Alphabet::Standard, STANDARD_NO_PAD.encode(bytes)),
                (Alphabet::Url, URL_SAFE_NO_PAD.encode(bytes)),
            ] {
                assert_eq!(encode(bytes, alphabet), text.as_bytes());
                assert_eq!(decode_prefix(text.as_bytes(), alphabet), bytes);
            }
        }
    }

    #[test]
    fn certain_characters_occur_whatever_stands_around() {
        for before in 0..3 {
            for after in 0..4 {
                let bytes = [vec![0xf7; before], b"1009431".to_vec(), vec![0x5a; after]].concat();
                let text = STANDARD_NO_PAD.encode(&bytes);
                let core = String::from_utf8(certain(b"1009431", before, Alphabet::Standard)).unwrap();
                assert_eq!(text.find(&core), Some(contaminated(before)), "{text} {core}");
            }
        }
    }
}
