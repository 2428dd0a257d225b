//! Text that came from the wire: always a `str`, never trusted; the escapes of JSON, which stand in more than one door. And text that many
//! values have in common.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Text read from captured bytes. Valid UTF-8 is kept as it is; every other byte stands as `\xNN`.
///
/// It may hold control codes, markup and direction marks. Whoever shows it escapes it for where it is shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WireText(Box<str>);

impl WireText {
    /// Takes bytes as they were captured.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        // Nearly all of it is valid, which is quicker to see at once.
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Self(text.into());
        }
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            for byte in chunk.invalid() {
                text.push_str(&format!("\\x{byte:02x}"));
            }
        }
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for WireText {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for WireText {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for WireText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that stands once, however many values have it. It is as trustworthy as what it was made of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text(Arc<str>);

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

/// So that tables keyed by it can be asked with a `str`: order, equality and hash are those of the text.
impl std::borrow::Borrow<str> for Text {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

impl PartialEq<String> for Text {
    fn eq(&self, other: &String) -> bool {
        *self.0 == **other
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Undoes the escapes of a JSON string (RFC 8259, section 7). A surrogate without its other half stands as the three bytes that would
/// encode it, which are no UTF-8 and are shown as such.
pub fn json_unescaped(text: &[u8]) -> Vec<u8> {
    let mut told = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(mark) = rest.iter().position(|it| *it == b'\\') {
        let (before, escape) = rest.split_at(mark);
        told.extend_from_slice(before);
        let (taken, byte) = match escape.get(1) {
            Some(b'n') => (2, Some(b'\n')),
            Some(b't') => (2, Some(b'\t')),
            Some(b'r') => (2, Some(b'\r')),
            Some(b'b') => (2, Some(8)),
            Some(b'f') => (2, Some(12)),
            Some(b'u') => match unit(escape) {
                Some(high) => (unicode(escape, high, &mut told), None),
                None => (2, Some(b'u')),
            },
            Some(other) => (2, Some(*other)),
            None => (1, Some(b'\\')),
        };
        told.extend(byte);
        rest = escape.get(taken..).unwrap_or_default();
    }
    told.extend_from_slice(rest);
    told
}

/// The number of `\uXXXX`.
fn unit(escape: &[u8]) -> Option<u16> {
    let digits = escape.strip_prefix(b"\\u")?.get(..4)?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Writes a character; tells how many bytes of escapes it took.
fn unicode(escape: &[u8], first: u16, told: &mut Vec<u8>) -> usize {
    let second = escape.get(6..).and_then(unit).filter(|_| (0xd800..0xdc00).contains(&first));
    let mut buffer = [0; 4];
    if let Some(Ok(character)) = char::decode_utf16([first].into_iter().chain(second)).next() {
        told.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
        return if second.is_some() { 12 } else { 6 };
    }
    let [high, low] = first.to_be_bytes();
    told.extend_from_slice(&[0xe0 | high >> 4, 0x80 | (high & 0x0f) << 2 | low >> 6, 0x80 | low & 0x3f]);
    6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_utf8_is_spelled_out() {
        assert_eq!(
            WireText::from_bytes(b"a\xff\xc3\xa9\xed\xa0\x80z").as_str(),
            "a\\xff\u{e9}\\xed\\xa0\\x80z"
        );
    }
}
