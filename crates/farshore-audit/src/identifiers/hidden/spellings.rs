//! The spellings of a value that people hash and send: in either case, with and without separators.
//!
//! Refuses to guess where a country's code ends unless the value shows it.

use super::super::forms;
use super::super::known::Known;

/// Bytes that may have been hashed in a value's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Preimage {
    pub bytes: Vec<u8>,
    /// What was done to the value, for the way back; empty for nothing.
    pub step: &'static str,
}

/// All that may be hashed for a value, itself first.
pub(super) fn preimages(known: &Known) -> Vec<Preimage> {
    let mut all: Vec<Preimage> = Vec::new();
    let mut add = |text: &str, step: &'static str| {
        if !text.is_empty() && !all.iter().any(|it| it.bytes == text.as_bytes()) {
            all.push(Preimage {
                bytes: text.as_bytes().to_vec(),
                step,
            });
        }
    };
    let value = known.value.as_str();
    add(value, "");
    add(&value.to_lowercase(), "lower-case");
    add(&value.to_uppercase(), "upper-case");
    for text in forms::texts(value) {
        add(&text, "respelt");
        add(&text.to_ascii_lowercase(), "respelt");
        add(&text.to_ascii_uppercase(), "respelt");
    }
    if is_phone(known) {
        for text in phone(value) {
            add(&text, "separators");
        }
    }
    if let Some(bytes) = forms::bytes(value) {
        all.push(Preimage { bytes, step: "bytes" });
    }
    all
}

/// Whether it is a telephone number: said to be, or written as one.
pub(super) fn is_phone(known: &Known) -> bool {
    let digits = known.value.bytes().filter(u8::is_ascii_digit).count();
    let shaped = known.value.chars().all(|c| c.is_ascii_digit() || "+-./() ".contains(c));
    shaped && (7..=15).contains(&digits) && (known.kind.as_str() == "phone" || known.value.starts_with('+'))
}

/// The ways to write it as one run: digits alone, with `+`, with `00`, and within its country (ITU-T E.123).
pub(super) fn phone(value: &str) -> Vec<String> {
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    let national = value.strip_prefix('+').and_then(|rest| {
        let (_, rest) = rest.split_once(|c: char| !c.is_ascii_digit())?;
        let rest: String = rest.chars().filter(char::is_ascii_digit).collect();
        // Said to be optional: +49 (0)30.
        Some(rest.strip_prefix('0').unwrap_or(&rest).to_owned())
    });
    let mut all = vec![digits.clone()];
    if value.starts_with('+') {
        all.push(format!("+{digits}"));
        all.push(format!("00{digits}"));
    }
    if let Some(national) = national.filter(|it| it.len() >= 6) {
        all.push(format!("0{national}"));
        all.push(national);
    }
    all
}

#[cfg(test)]
mod tests {
    use farshore_model::DatumKind;

    use super::*;

    fn texts(kind: &str, value: &str) -> Vec<String> {
        let known = Known {
            name: "it".to_owned(),
            kind: DatumKind::named(kind),
            value: value.to_owned(),
        };
        let all = preimages(&known).into_iter();
        all.map(|it| String::from_utf8_lossy(&it.bytes).into_owned()).collect()
    }

    #[test]
    fn a_value_has_the_spellings_people_use() {
        assert_eq!(
            texts("email", "Grace@Example.org"),
            ["Grace@Example.org", "grace@example.org", "GRACE@EXAMPLE.ORG"]
        );
        assert_eq!(
            texts("phone", "+49 30 901820"),
            [
                "+49 30 901820",
                "4930901820",
                "+4930901820",
                "004930901820",
                "030901820",
                "30901820"
            ]
        );
        assert_eq!(texts("user-id", "1009431"), ["1009431"]);
        let mac = texts("mac", "3C:5A:B4:01:02:03");
        for text in [
            "3c5ab4010203",
            "3C5AB4010203",
            "3c-5a-b4-01-02-03",
            "3c:5a:b4:01:02:03",
            "3c5a.b401.0203",
        ] {
            assert!(mac.iter().any(|it| it == text), "{text} in {mac:?}");
        }
    }
}
