//! Bytes spelled in lower-case hexadecimal digits, as fingerprints, digests and ids are written.

/// Two digits a byte.
pub fn spelled(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    spell(bytes, &mut text);
    text
}

/// The same, behind what `text` holds.
pub fn spell(bytes: &[u8], text: &mut String) {
    text.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)]));
}

const fn digit(value: u8) -> char {
    let base = if value < 10 { b'0' } else { b'a'.saturating_sub(10) };
    base.saturating_add(value) as char
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_spelled_as_the_formatter_does() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        assert_eq!(spelled(&all), all.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    }
}
