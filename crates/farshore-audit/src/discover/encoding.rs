//! How the values of a place are written, as far as the values themselves tell. It refuses to decode them.

/// So many values of random bytes have one above 127 among them, all but surely.
const ENOUGH: usize = 8;

/// The name of the encoding: of text what its characters tell, of bytes their width and order.
///
/// `little` is the byte order of other numbers beside them, if any tells.
pub(super) fn name(values: &[&[u8]], little: Option<bool>) -> String {
    let all = |is: &dyn Fn(&[u8]) -> bool| values.iter().all(|it| is(it));
    if all(&|it| it.iter().all(u8::is_ascii_graphic) && it.len() > 2) || all(&|it| it.iter().all(u8::is_ascii_digit)) {
        return text(values).to_owned();
    }
    let widths = values.iter().map(|it| it.len());
    let (least, most) = (widths.clone().min().unwrap_or(0), widths.max().unwrap_or(0));
    // Bytes of one width that look so are so by chance once in 4 or 16 values each.
    let enough = match most {
        0 | 1 => 1,
        2 => 4,
        _ => 3,
    };
    if all(&is_varint) && (least != most || values.len() >= enough) {
        return "varint".to_owned();
    }
    if least != most {
        return "bytes".to_owned();
    }
    match most {
        2 | 4 | 8 => format!("u{}{}", most.saturating_mul(8), if is_little(values, little) { "le" } else { "be" }),
        16 if all(&is_random_uuid) => "uuid".to_owned(),
        width => format!("bytes{width}"),
    }
}

fn text(values: &[&[u8]]) -> &'static str {
    let all = |is: &dyn Fn(&[u8]) -> bool| values.iter().all(|it| is(it));
    let any = |is: &dyn Fn(u8) -> bool| values.iter().any(|it| it.iter().any(|byte| is(*byte)));
    if all(&|it| it.iter().all(u8::is_ascii_digit)) {
        return "ascii-decimal";
    }
    if all(&is_uuid_text) {
        return "uuid";
    }
    if all(&|it| it.len() >= 4 && it.len().is_multiple_of(2) && it.iter().all(u8::is_ascii_hexdigit)) {
        return "hex";
    }
    let in_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte);
    // Names have no capitals, digits and small letters all at once; base64 of more than a few bytes does.
    let mixed = any(&|it| it.is_ascii_uppercase()) && any(&|it| it.is_ascii_lowercase()) && any(&|it| it.is_ascii_digit() || it == b'=');
    if mixed && all(&|it| it.len() >= 6 && it.iter().all(|byte| in_base64(*byte))) {
        return "base64";
    }
    "ascii"
}

/// Numbers with dots between them, as versions of programs are written; an address has one more.
pub(super) fn is_version(it: &[u8]) -> bool {
    let mut parts = it.split(|byte| *byte == b'.');
    let number = |it: &[u8]| (1..=5).contains(&it.len()) && it.iter().all(u8::is_ascii_digit);
    (2..=3).contains(&parts.clone().count()) && parts.all(number)
}

/// 8-4-4-4-12 hexadecimal digits (RFC 9562 section 4).
fn is_uuid_text(it: &[u8]) -> bool {
    it.len() == 36
        && it.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Sixteen bytes of which version and variant say so (RFC 9562 sections 4.1 and 4.2).
fn is_random_uuid(it: &[u8]) -> bool {
    let version = it.get(6).is_some_and(|byte| matches!(byte >> 4, 1..=8));
    version && it.get(8).is_some_and(|byte| byte >> 6 == 0b10)
}

/// Whether one byte may be all of it: a digit, or a number of varying width.
pub(super) fn is_number(values: &[&[u8]]) -> bool {
    values.iter().all(|it| is_varint(it) || it.iter().all(u8::is_ascii_digit))
}

/// Seven bits a byte, all but the last with the top bit set.
pub(super) fn is_varint(it: &[u8]) -> bool {
    match it.split_last() {
        Some((last, rest)) => it.len() <= 10 && *last < 0x80 && rest.iter().all(|byte| *byte >= 0x80),
        None => false,
    }
}

/// Whether numbers stand there least significant byte first: the end that varies less is the high one.
fn is_little(values: &[&[u8]], hint: Option<bool>) -> bool {
    let width = values.first().map_or(0, |it| it.len());
    let variety = |at: usize| {
        let mut seen: Vec<u8> = values.iter().filter_map(|it| it.get(at)).copied().collect();
        seen.sort_unstable();
        seen.dedup();
        seen.len()
    };
    let largest = |at: usize| values.iter().filter_map(|it| it.get(at)).max().copied().unwrap_or(0);
    for step in 0..width / 2 {
        let (first, last) = (step, width.saturating_sub(1).saturating_sub(step));
        let (a, b) = (variety(first), variety(last));
        // Among few values two bytes are alike by chance: only a clear difference tells.
        if a.saturating_mul(2) <= b || b.saturating_mul(2) <= a {
            return a > b;
        }
        // Of numbers below a bound that is no power of 256, the high byte stays low.
        let (a, b) = (largest(first), largest(last));
        if values.len() >= ENOUGH && (a < 128) != (b < 128) {
            return b < a;
        }
        if let Some(hint) = hint {
            return hint;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_from_numbers_and_addresses() {
        assert!(is_version(b"2.14") && is_version(b"10.0.3"));
        assert!(
            ["214", "10.0.0.3", "2.x", "2.", ".5", "1.234567"]
                .iter()
                .all(|it| !is_version(it.as_bytes()))
        );
    }

    #[test]
    fn encodings_are_told_by_the_values() {
        let cases: &[(&str, &[&[u8]])] = &[
            ("ascii-decimal", &[b"1009431", b"77"]),
            ("hex", &[b"00ff12ab", b"deadbeef"]),
            ("uuid", &[b"123e4567-e89b-42d3-a456-426614174000"]),
            ("base64", &[b"aGVsbG8x", b"d29ybGQy"]),
            ("ascii", &[b"alice", b"bob"]),
            ("u32be", &[&[0, 0, 0x27, 0x10], &[0, 0, 0x28, 0x11]]),
            ("u32le", &[&[0x10, 0x27, 0, 0], &[0x11, 0x28, 0, 0]]),
            ("u64le", &[&[1, 2, 3, 4, 5, 6, 7, 0], &[9, 8, 3, 4, 5, 6, 7, 0]]),
            ("varint", &[&[0x80, 1], &[5]]),
            ("bytes6", &[&[0, 1, 2, 3, 4, 5], &[0xff, 1, 2, 3, 4, 6]]),
        ];
        for (expected, values) in cases {
            assert_eq!(name(values, None), *expected, "{values:?}");
        }
    }
}
