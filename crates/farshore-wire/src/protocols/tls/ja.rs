//! Fingerprints of a ClientHello. It owns the two recipes and refuses to say who they belong to.
//!
//! JA3 as its authors published it: MD5 over decimal lists. JA4 after FoxIO's description "JA4: TLS Client
//! Fingerprinting" (the BSD-licensed part of JA4+); no other fingerprint of that family is computed.

use md5::Md5;
use sha2::{Digest, Sha256};

use super::parse::{ClientHello, is_grease};
use crate::protocols::hexadecimal::{spell, spelled};

/// JA3: `version,suites,extensions,groups,formats`, lists joined by `-`, without GREASE, as MD5 in hex.
pub(super) fn ja3(hello: &ClientHello<'_>) -> String {
    spelled(&Md5::digest(ja3_text(hello)))
}

fn ja3_text(hello: &ClientHello<'_>) -> String {
    let mut text = String::with_capacity(256);
    decimal(hello.version, &mut text);
    for list in [&hello.suites, &hello.extensions, &hello.groups] {
        text.push(',');
        decimals(list.iter().copied(), &mut text);
    }
    text.push(',');
    decimals(hello.formats.iter().map(|format| u16::from(*format)), &mut text);
    text
}

/// JA4 of a hello carried by `transport`: `t` TCP, `q` QUIC, `d` DTLS.
pub(super) fn ja4(hello: &ClientHello<'_>, transport: char) -> String {
    let [a, b, c] = ja4_parts(hello, transport);
    format!("{a}_{}_{}", short_digest(&b), short_digest(&c))
}

/// The three parts before hashing, as JA4_r shows them.
fn ja4_parts(hello: &ClientHello<'_>, transport: char) -> [String; 3] {
    let version = match transport {
        // The numbers of DTLS count down.
        'd' => hello.highest_version(),
        _ => hello
            .versions
            .iter()
            .copied()
            .filter(|version| !is_grease(*version))
            .max()
            .unwrap_or(hello.version),
    };
    let version = match version {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        0xfeff => "d1",
        0xfefd => "d2",
        0xfefc => "d3",
        _ => "00",
    };
    let mut suites = without_grease(&hello.suites);
    let mut extensions = without_grease(&hello.extensions);
    let signatures = without_grease(&hello.signatures);
    let target = if extensions.contains(&0x0000) { 'd' } else { 'i' };
    let a = format!(
        "{transport}{version}{target}{:02}{:02}{}",
        suites.len().min(99),
        extensions.len().min(99),
        alpn(hello.alpn.unwrap_or_default())
    );
    suites.sort_unstable();
    // Server name and ALPN are told by the first part already.
    extensions.retain(|number| !matches!(number, 0x0000 | 0x0010));
    extensions.sort_unstable();
    let mut c = hexadecimal(&extensions);
    if !signatures.is_empty() && !c.is_empty() {
        c.push('_');
        c.push_str(&hexadecimal(&signatures));
    }
    [a, hexadecimal(&suites), c]
}

/// First and last character of the first protocol; of its hex form if either is no letter or digit.
fn alpn(first: &[u8]) -> String {
    let (Some(&head), Some(&tail)) = (first.first(), first.last()) else {
        return "00".to_owned();
    };
    if head.is_ascii_alphanumeric() && tail.is_ascii_alphanumeric() {
        return [char::from(head), char::from(tail)].iter().collect();
    }
    format!("{:x}{:x}", head >> 4, tail & 0x0f)
}

fn short_digest(text: &str) -> String {
    if text.is_empty() {
        return "000000000000".to_owned();
    }
    let digest = Sha256::digest(text);
    spelled(digest.get(..6).unwrap_or_default())
}

fn without_grease(values: &[u16]) -> Vec<u16> {
    values.iter().copied().filter(|value| !is_grease(*value)).collect()
}

fn decimals(values: impl Iterator<Item = u16>, text: &mut String) {
    for (place, value) in values.filter(|value| !is_grease(*value)).enumerate() {
        if place > 0 {
            text.push('-');
        }
        decimal(value, text);
    }
}

/// A number without leading zeros.
fn decimal(value: u16, text: &mut String) {
    let digits = [10_000, 1_000, 100, 10, 1].map(|unit| value.checked_div(unit).unwrap_or_default() % 10);
    let zeros = digits.iter().take(4).take_while(|digit| **digit == 0).count();
    text.extend(digits.iter().skip(zeros).filter_map(|digit| char::from_digit((*digit).into(), 10)));
}

fn hexadecimal(values: &[u16]) -> String {
    let mut text = String::with_capacity(values.len().saturating_mul(5));
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        spell(&value.to_be_bytes(), &mut text);
    }
    text
}

#[cfg(test)]
mod tests {
    use farshore_model::observation::Ech;

    use super::*;

    /// The example of the JA4 description, with GREASE put in where browsers put it.
    fn example() -> ClientHello<'static> {
        ClientHello {
            version: 0x0303,
            suites: vec![
                0x3a3a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f,
                0x0035,
            ],
            extensions: vec![
                0x4a4a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b, 0xff01, 0x000b,
                0x000a, 0x0015, 0xfafa,
            ],
            groups: vec![0x1a1a, 29, 23, 24],
            formats: vec![0],
            signatures: vec![0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601],
            versions: vec![0x5a5a, 0x0304, 0x0303],
            alpn: Some(b"h2"),
            resolving: None,
            name: None,
            ech: Ech::None,
            whole: true,
        }
    }

    #[test]
    fn numbers_are_written_as_the_formatter_does() {
        for value in 0..=u16::MAX {
            let mut text = String::new();
            decimal(value, &mut text);
            assert_eq!(text, value.to_string());
        }
    }

    #[test]
    fn ja4_of_the_published_example() {
        assert_eq!(ja4(&example(), 't'), "t13d1516h2_8daaf6152771_e5627efa2ab1");
        let unsigned = ClientHello {
            signatures: Vec::new(),
            ..example()
        };
        assert_eq!(ja4(&unsigned, 'q'), "q13d1516h2_8daaf6152771_6d807ffa2a79");
    }

    #[test]
    fn ja4_of_a_hello_without_anything() {
        assert_eq!(ja4(&ClientHello::default(), 't'), "t00i000000_000000000000_000000000000");
    }

    #[test]
    fn ja4_spells_odd_protocols_in_hex() {
        for (first, told) in [
            (&b""[..], "00"),
            (b"h2", "h2"),
            (b"http/1.1", "h1"),
            (b"x", "xx"),
            (b"\xab", "ab"),
            (b"\xab\xcd", "ad"),
            (b"\x30\xab", "3b"),
            (b"\x30\x31\xab\xcd", "3d"),
            (b"\x30\xab\xcd\x31", "01"),
        ] {
            assert_eq!(alpn(first), told);
        }
    }

    #[test]
    fn ja3_of_the_published_examples() {
        // The two examples of the README of JA3.
        let hello = ClientHello {
            version: 769,
            suites: vec![47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4],
            extensions: vec![0, 10, 11],
            groups: vec![23, 24, 25],
            formats: vec![0],
            ..ClientHello::default()
        };
        assert_eq!(
            ja3_text(&hello),
            "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0"
        );
        assert_eq!(ja3(&hello), "ada70206e40642a3e4461f35503241d5");
        let bare = ClientHello {
            version: 769,
            suites: vec![4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99],
            ..ClientHello::default()
        };
        assert_eq!(ja3_text(&bare), "769,4-5-10-9-100-98-3-6-19-18-99,,,");
        assert_eq!(ja3(&bare), "de350869b8c85de67a350c8d186f11e6");
        assert!(ja3_text(&example()).starts_with("771,4865-"));
    }
}
