//! Fields of rows as text: numbers, addresses, times. What is none is `None`, never 0.

use std::net::{IpAddr, Ipv4Addr};

use farshore_model::Timestamp;

/// A decimal number, digits only.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.checked_sub(b'0').filter(|it| *it < 10)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// A decimal number that fits.
pub(super) fn small<T: TryFrom<u64>>(text: &[u8]) -> Option<T> {
    T::try_from(number(text)?).ok()
}

/// An address of either version.
pub(super) fn address(text: &[u8]) -> Option<IpAddr> {
    if text.contains(&b':') {
        return std::str::from_utf8(text).ok()?.parse().ok();
    }
    let (mut octets, mut parts) = ([0_u8; 4], text.split(|it| *it == b'.'));
    for octet in &mut octets {
        let part = parts.next().filter(|it| it.len() <= 3)?;
        *octet = small(part)?;
    }
    parts.next().is_none().then_some(IpAddr::V4(Ipv4Addr::from(octets)))
}

/// Whole seconds since 1970. 0 is no time anything was logged at.
pub(super) fn seconds(text: &[u8]) -> Option<Timestamp> {
    // Beyond what nanoseconds of 64 bits can count there is nothing to tell.
    let whole: u32 = small(text).filter(|it| *it > 0)?;
    Some(Timestamp::from_parts(i64::from(whole), 0))
}

/// A digest of what tells observers apart; never 0. FNV-1a: whoever picks names that collide hides only their own doubles.
pub(super) fn observer(name: &[u8]) -> u64 {
    let digest = name.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    digest.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_none() {
        for (text, wanted) in [
            ("0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("", None),
            ("-", None),
            ("+1", None),
            ("1.0", None),
        ] {
            assert_eq!(number(text.as_bytes()), wanted, "{text}");
        }
    }

    #[test]
    fn addresses_are_those_of_the_standard_library() {
        for text in ["192.0.2.1", "0.0.0.0", "255.255.255.255", "2001:db8::1", "::ffff:192.0.2.1"] {
            assert_eq!(address(text.as_bytes()), text.parse().ok(), "{text}");
        }
        for text in [
            "",
            "-",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.256",
            "1..2.3",
            "a.b.c.d",
            "1.2.3.0004",
            ":",
            "::g",
        ] {
            assert_eq!(address(text.as_bytes()), None, "{text}");
        }
    }
}
