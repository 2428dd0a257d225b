//! Text that came from the wire: always a `str`, never trusted. And text that many values have in common.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Text read from captured bytes. Valid UTF-8 is kept as it is; every other byte stands as `\xNN`.
///
/// It may hold control codes, markup and direction marks. Whoever shows it escapes it for where it is shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WireText(String);

impl WireText {
    /// Takes bytes as they were captured.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        // Nearly all of it is valid, which is quicker to see at once.
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Self(text.to_owned());
        }
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            for byte in chunk.invalid() {
                text.push_str(&format!("\\x{byte:02x}"));
            }
        }
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for WireText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for WireText {
    fn from(text: String) -> Self {
        Self(text)
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
