//! Text that came from the wire: always a `str`, never trusted.

use std::fmt;

/// Text read from captured bytes. Valid UTF-8 is kept as it is; every other byte stands as `\xNN`.
///
/// It may hold control codes, markup and direction marks. Whoever shows it escapes it for where it is shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WireText(String);

impl WireText {
    /// Takes bytes as they were captured.
    pub fn from_bytes(bytes: &[u8]) -> Self {
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
