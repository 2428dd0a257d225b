//! How much of a value leaves the detectors: a print, a mask, and only on request a digest or the value.
//!
//! It refuses to know how a value was found; whoever found it names its kind and its canonical spelling.

use std::fmt;
use std::fmt::Write as _;

use farshore_model::DatumKind;
use farshore_model::sighting::SightedValue;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// What stands for everything that is hidden.
const HIDDEN: &str = "…";

/// Key of the digests. Its bytes show up in no output, not even a debug one.
#[derive(Clone, PartialEq, Eq)]
pub struct DigestKey(Vec<u8>);

impl DigestKey {
    /// Takes the key as its file holds it.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Tells keys apart: digests of two audits can be compared if they are of one key. Nothing of the key or of a value is told by it.
    pub fn fingerprint(&self) -> Option<String> {
        // No value has a control code in it.
        self.digest("\0farshore digest key").and_then(|it| Some(it.get(..16)?.to_owned()))
    }

    /// HMAC-SHA-256 (RFC 2104) of a canonical value, in hex.
    fn digest(&self, canonical: &str) -> Option<String> {
        // HMAC takes a key of any length (RFC 2104 §2): this never fails.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(canonical.as_bytes());
        Some(hex(&mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey(hidden)")
    }
}

/// A value ready to leave: `print` is the first half of SHA-256(kind ∥ 0 ∥ canonical), the digest covers the
/// canonical value alone, so that anyone with key and value can compute it.
pub fn sighted(kind: &DatumKind, canonical: &str, show: bool, key: Option<&DigestKey>) -> SightedValue {
    let mut hash = Sha256::new();
    hash.update(kind.as_str().as_bytes());
    hash.update([0]);
    hash.update(canonical.as_bytes());
    let hash: [u8; 32] = hash.finalize().into();
    let mut print = [0; 16];
    for (to, from) in print.iter_mut().zip(hash) {
        *to = from;
    }
    SightedValue {
        print,
        masked: masked(kind, canonical),
        raw: show.then(|| canonical.to_owned()),
        digest: key.and_then(|key| key.digest(canonical)),
    }
}

/// Hides most of a value.
///
/// Coordinates keep their whole degrees and say how precise they were, nothing is kept of a credential, an e-mail address keeps the ends of
/// its two parts, and names of hosts are never masked. Of anything else the first and the last character are kept if there are six or more.
/// Coordinates aside, at most 40 % of the characters stay, and never four in a row.
pub fn masked(kind: &DatumKind, canonical: &str) -> String {
    match kind.as_str() {
        "location" => whole_degrees(canonical),
        "credential" => HIDDEN.to_owned(),
        "hostname" => canonical.to_owned(),
        "email" => match canonical.rsplit_once('@') {
            Some((local, domain)) => mailbox(canonical, local, domain),
            None => ends(canonical, 6),
        },
        _ => ends(canonical, 6),
    }
}

fn mailbox(whole: &str, local: &str, domain: &str) -> String {
    let mask = [ends(local, 5).as_str(), "@", &ends(domain, 5)].concat();
    let kept = mask.chars().filter(|c| *c != '…').count();
    if kept.saturating_mul(5) > whole.chars().count().saturating_mul(2) {
        return if whole.chars().count() < 3 {
            HIDDEN.to_owned()
        } else {
            format!("{HIDDEN}@{HIDDEN}")
        };
    }
    mask
}

fn ends(text: &str, least: usize) -> String {
    let mut mask = String::with_capacity(HIDDEN.len().saturating_add(8));
    let mut chars = text.chars();
    match (chars.next(), chars.next_back()) {
        (Some(first), Some(last)) if text.chars().count() >= least => {
            mask.push(first);
            mask.push_str(HIDDEN);
            mask.push(last);
        }
        _ => mask.push_str(HIDDEN),
    }
    mask
}

fn whole_degrees(text: &str) -> String {
    let degrees = |part: &str| match part.trim().split_once('.') {
        Some((whole, _)) if whole.len() <= 4 && whole.parse::<i16>().is_ok() => format!("{whole}{HIDDEN}"),
        _ => HIDDEN.to_owned(),
    };
    let whole = text.split(',').map(degrees).collect::<Vec<_>>().join(",");
    match precision(text) {
        Some(it) => format!("{whole} {it}"),
        None => whole,
    }
}

/// How well coordinates tell a place, by the decimals of the finest: a degree of latitude is 111 km (ISO 6709 counts so).
fn precision(text: &str) -> Option<&'static str> {
    let decimals = |part: &str| {
        let part = part.trim();
        part.parse::<f64>().ok()?;
        part.split_once('.').map(|(_, decimals)| decimals.len())
    };
    let all = text.split(',').map(decimals).collect::<Option<Vec<usize>>>()?;
    Some(match all.into_iter().max()? {
        0..=2 => "(to a kilometre or worse)",
        3 => "(to 100 m)",
        4 => "(to 10 m)",
        5 => "(to 1 m)",
        _ => "(to less than 1 m)",
    })
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str) -> DatumKind {
        DatumKind::named(name)
    }

    #[test]
    fn masks_by_kind() {
        for (name, value, mask) in [
            ("email", "carlo@meadow.example.com", "c…o@m…m"),
            ("email", "al@b.de", "…@…"),
            ("email", "carlo@ab.de", "…@…"),
            ("user-id", "1009431", "1…1"),
            ("user-id", "10094", "…"),
            ("location", "48.85837", "48… (to 1 m)"),
            ("location", "48.858", "48… (to 100 m)"),
            ("location", "-122.4194155,37.77493", "-122…,37… (to less than 1 m)"),
            ("location", "nowhere", "…"),
            ("credential", "alice:opensesame", "…"),
        ] {
            assert_eq!(masked(&kind(name), value), mask, "{name} {value}");
        }
    }

    #[test]
    fn a_mask_gives_nothing_away() {
        let mut state = 7_u64;
        let mut next = move |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let alphabet: Vec<char> = "ab…é9.@-_0 Z\u{202e}\n".chars().collect();
        for round in 0..20_000 {
            let length = 1 + next(40);
            let value: String = (0..length)
                .map(|_| alphabet[next(alphabet.len() as u64) as usize])
                .filter(|c| *c != '…')
                .collect();
            let name = ["email", "user-id", "credential", "cookie"][round % 4];
            let mask = masked(&kind(name), &value);
            let plain: Vec<char> = value.chars().collect();
            let kept = mask.chars().filter(|c| *c != '…').count();
            assert!(kept * 5 <= plain.len() * 2, "{value:?} {mask:?}");
            assert!(!value.is_empty() && !mask.contains(&value) || value.is_empty());
            for window in plain.windows(4) {
                assert!(!mask.contains(&window.iter().collect::<String>()), "{value:?} {mask:?}");
            }
        }
    }

    #[test]
    fn digests_and_raw_values_only_on_request() {
        let user = kind("user-id");
        let plain = sighted(&user, "1009431", false, None);
        assert_eq!((plain.raw.as_deref(), plain.digest.as_deref()), (None, None));
        // RFC 4231 test case 2.
        let key = DigestKey::new(*b"Jefe");
        let full = sighted(&user, "what do ya want for nothing?", true, Some(&key));
        assert_eq!(full.raw.as_deref(), Some("what do ya want for nothing?"));
        assert_eq!(
            full.digest.as_deref(),
            Some("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        );
        assert!(!format!("{key:?}").contains("74"));
        assert_ne!(sighted(&kind("imei"), "1009431", false, None).print, plain.print);
    }
}
