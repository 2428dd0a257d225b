//! Numbers that carry their own check: cards of subscribers and of banks, accounts.
//!
//! Where a scheme has a table of beginnings and lengths, it is held to that as well. Refuses numbers that pass by being empty:
//! all zeros have a right check digit everywhere.

use std::sync::OnceLock;

use serde::Deserialize;

use super::checks::{Accepted, Candidate};

/// ISO/IEC 7812-1 annex B.
pub(super) fn luhn(digits: &str) -> bool {
    let sum = digits.bytes().rev().enumerate().fold(0_u32, |sum, (place, byte)| {
        let digit = u32::from(byte.saturating_sub(b'0'));
        let weighed = if place.is_multiple_of(2) { digit } else { digit.saturating_mul(2) };
        sum.saturating_add(if weighed > 9 { weighed.saturating_sub(9) } else { weighed })
    });
    sum.is_multiple_of(10)
}

/// ITU-T E.118 §3: 19 digits with a Luhn digit; some issuers have 20, and 3GPP TS 31.102 §4.2.2 pads with F.
pub(super) fn iccid(it: &Candidate<'_>) -> Option<Accepted> {
    let text = it.text()?.trim_end_matches(['F', 'f']);
    let varied = different(text.get(2..)?) > 3;
    let fits = match text.len() {
        18 => true,
        19 | 20 => luhn(text) || text.get(..19).is_some_and(luhn),
        _ => false,
    };
    (fits && varied).then(|| Accepted::plainly(text))
}

#[derive(Deserialize, Default)]
struct Lengths {
    lengths: Vec<(String, usize)>,
}

/// ISO 13616-1 §5, ISO/IEC 7064 (MOD 97-10): with the first four characters moved behind the others and letters counted from
/// 10, the remainder is 1.
pub(super) fn iban(it: &Candidate<'_>) -> Option<Accepted> {
    static TABLE: OnceLock<Lengths> = OnceLock::new();
    let table =
        TABLE.get_or_init(|| toml::from_str(include_str!("../../../../packs/identifiers/tables/iban-lengths.toml")).unwrap_or_default());
    let text: String = it.text()?.chars().filter(|c| *c != ' ').collect::<String>().to_ascii_uppercase();
    let (country, number) = text.split_at_checked(4)?;
    let listed = table
        .lengths
        .iter()
        .any(|(code, length)| country.starts_with(code.as_str()) && *length == text.len());
    let remainder = number.chars().chain(country.chars()).try_fold(0_u32, |rest, c| {
        let value = c.to_digit(36)?;
        let places = if value > 9 { 100 } else { 10 };
        rest.checked_mul(places)?.checked_add(value)?.checked_rem(97)
    });
    (listed && remainder == Some(1) && different(number) > 2).then(|| Accepted::plainly(text))
}

#[derive(Deserialize, Default)]
struct Schemes {
    schemes: Vec<(String, String, Vec<usize>)>,
}

/// ISO/IEC 7812-1: the beginning of an issuer's scheme, a length it uses, and a Luhn digit.
pub(super) fn payment_card(it: &Candidate<'_>) -> Option<Accepted> {
    static TABLE: OnceLock<Schemes> = OnceLock::new();
    let table =
        TABLE.get_or_init(|| toml::from_str(include_str!("../../../../packs/identifiers/tables/card-schemes.toml")).unwrap_or_default());
    let digits: String = it.text()?.chars().filter(char::is_ascii_digit).collect();
    let listed = table.schemes.iter().any(|(first, last, lengths)| {
        let begins = digits
            .get(..first.len())
            .is_some_and(|beginning| (first.as_str()..=last.as_str()).contains(&beginning));
        begins && lengths.contains(&digits.len())
    });
    (listed && luhn(&digits) && different(&digits) > 1).then(|| Accepted::plainly(digits))
}

/// Different characters.
fn different(text: &str) -> usize {
    let mut seen: Vec<char> = text.chars().collect();
    seen.sort_unstable();
    seen.dedup();
    seen.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_whole() {
        let lengths: Lengths = toml::from_str(include_str!("../../../../packs/identifiers/tables/iban-lengths.toml")).unwrap();
        assert!(
            lengths.lengths.len() > 80
                && lengths
                    .lengths
                    .iter()
                    .all(|(code, length)| code.len() == 2 && (15..=34).contains(length))
        );
        let schemes: Schemes = toml::from_str(include_str!("../../../../packs/identifiers/tables/card-schemes.toml")).unwrap();
        assert!(
            schemes
                .schemes
                .iter()
                .all(|(first, last, lengths)| first.len() == last.len() && first <= last && !lengths.is_empty())
        );
    }

    #[test]
    fn luhn_knows_the_example_of_the_standard() {
        // 3GPP TS 23.003 annex B works through IMEI 26 0531 79 3113 83 with check digit 7.
        assert!(luhn("260531793113837"));
        assert!(!luhn("260531793113838"));
    }

    #[test]
    fn every_fault_of_one_digit_is_seen() {
        let candidate = |text: &str, check: fn(&Candidate<'_>) -> Option<Accepted>| {
            let it = Candidate {
                value: text.as_bytes(),
                before: b"",
                path: "",
                around: b"",
                named: true,
                opaque: false,
            };
            check(&it).is_some()
        };
        for (right, check) in [
            ("DE89370400440532013000", iban as fn(&Candidate<'_>) -> Option<Accepted>),
            ("4111111111111111", payment_card),
            ("8949020000012345670", iccid),
        ] {
            assert!(candidate(right, check), "{right}");
            for (place, was) in right.char_indices().filter(|(_, c)| c.is_ascii_digit()) {
                for digit in ('0'..='9').filter(|digit| *digit != was) {
                    let mut wrong = right.to_owned();
                    wrong.replace_range(place..=place, &digit.to_string());
                    assert!(!candidate(&wrong, check), "{wrong}");
                }
            }
        }
    }
}
