//! Digits packed two in a byte, the first in the low half (TBCD, 3GPP TS 29.002, section 17.7.8). Filler ends them;
//! anything else that is no digit makes them no number.

/// The digits as text.
pub fn digits(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let mut halves = bytes.iter().flat_map(|byte| [byte & 0x0f, byte >> 4]);
    for half in halves.by_ref() {
        match half {
            0..=9 => text.push(b'0' | half),
            0x0f => break,
            _ => return None,
        }
    }
    halves.all(|half| half == 0x0f).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::digits;

    #[test]
    fn the_low_half_comes_first_and_filler_ends() {
        assert_eq!(digits(&[0x21, 0x43, 0xf5]).as_deref(), Some(&b"12345"[..]));
        assert_eq!(digits(&[0x21, 0xff]).as_deref(), Some(&b"12"[..]));
        assert_eq!(digits(&[0x21, 0x4f]), None, "a digit behind the filler");
        assert_eq!(digits(&[0xa1]), None);
        assert_eq!(digits(&[]).as_deref(), Some(&b""[..]));
    }
}
