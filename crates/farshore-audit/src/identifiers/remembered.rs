//! What was found in fields that came before: devices say the same again and again, and what holds for a field holds for
//! the same field later.
//!
//! It answers for a field only when path and value are the same, byte for byte, or by SHA-256 where they are long; a quick digest
//! alone never answers. What comes once leaves four bytes. It refuses to grow: when its room is used up it begins anew, which nobody
//! can see from outside but by the clock.

use std::collections::BTreeMap;

use ahash::{HashMap, RandomState};
use sha2::{Digest, Sha256};

use super::{FieldView, Found};

/// Bytes that are kept of values and of what was found in them.
const ROOM: usize = 4 << 20;
/// Values up to here are kept as they are.
const SHORT: usize = 1_024;
/// Digests of fields that came once.
const ONCE: usize = 1 << 16;

/// What a field holds.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub found: Vec<Found>,
    /// Ceilings that were hit.
    pub limits: BTreeMap<&'static str, u64>,
}

/// Fields that came more than once, and what they hold.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    hashes: RandomState,
    /// What came once: half of the quick digest, where the other half says.
    once: Vec<u32>,
    again: HashMap<u64, (Field, Answer)>,
    left: usize,
}

/// What makes a field the same.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    payload: bool,
    length: usize,
    /// Path, and value or its digest.
    bytes: Box<[u8]>,
}

/// What there is to say of a field.
pub(super) enum Said<'a> {
    /// It came before, and this is what it holds.
    Before(&'a Answer),
    /// It came before, and what it holds [is asked for](Remembered::keep) under this number.
    Again(u64),
    /// Nothing.
    Nothing,
}

impl Default for Remembered {
    fn default() -> Self {
        Self {
            hashes: RandomState::new(),
            once: Vec::new(),
            again: HashMap::default(),
            left: ROOM,
        }
    }
}

impl Remembered {
    /// What is known of a field.
    pub fn ask(&mut self, field: &FieldView<'_>) -> Said<'_> {
        let digest = self.hashes.hash_one((field.path, field.value, field.payload));
        // Asked first and then again: what is given back cannot be given up in between.
        if self.again.get(&digest).is_some_and(|(known, _)| known.is(field)) {
            return self.again.get(&digest).map_or(Said::Nothing, |(_, answer)| Said::Before(answer));
        }
        if self.once.is_empty() {
            self.once = vec![0; ONCE];
        }
        let [half, place] = halves(digest);
        match self.once.get_mut(place as usize % ONCE) {
            Some(before) if *before == half => Said::Again(digest),
            Some(before) => {
                *before = half;
                Said::Nothing
            }
            None => Said::Nothing,
        }
    }

    /// Keeps what a field holds, under the number it was asked for.
    pub fn keep(&mut self, digest: u64, field: &FieldView<'_>, answer: Answer) {
        let it = Field::of(field);
        let strings = |it: &Found| it.member.len().saturating_add(it.value.masked.len());
        let found = answer.found.iter().map(|it| size_of::<Found>().saturating_add(strings(it)));
        let size = found.fold(it.bytes.len().saturating_add(size_of::<(Field, Answer)>()), usize::saturating_add);
        if size > ROOM {
            return;
        }
        if self.left < size {
            self.again = HashMap::default();
            self.left = ROOM;
        }
        self.left = self.left.saturating_sub(size);
        self.again.insert(digest, (it, answer));
    }
}

impl Field {
    fn of(field: &FieldView<'_>) -> Self {
        let bytes = if field.value.len() <= SHORT {
            [field.path.as_bytes(), field.value].concat()
        } else {
            [field.path.as_bytes(), &Sha256::digest(field.value)].concat()
        };
        Self {
            payload: field.payload,
            length: field.value.len(),
            bytes: bytes.into(),
        }
    }

    fn is(&self, field: &FieldView<'_>) -> bool {
        if (self.payload, self.length) != (field.payload, field.value.len()) {
            return false;
        }
        let Some(rest) = self.bytes.strip_prefix(field.path.as_bytes()) else {
            return false;
        };
        if self.length <= SHORT {
            rest == field.value
        } else {
            rest == Sha256::digest(field.value).as_slice()
        }
    }
}

fn halves(digest: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = digest.to_be_bytes();
    [[a, b, c, d], [e, f, g, h]].map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::super::{Detectors, Options};
    use super::*;

    const MAIL: &[u8] = b"{\"email\":\"ada@example.org\",\"imei\":\"490154203237518\"}";

    const fn field<'a>(path: &'a str, value: &'a [u8]) -> FieldView<'a> {
        FieldView {
            path,
            value,
            payload: false,
        }
    }

    fn holds(detectors: &mut Detectors, it: FieldView<'_>) -> Vec<Found> {
        let mut all = Vec::new();
        detectors.scan(it, &mut |found| all.push(found.clone()));
        all
    }

    fn answers(remembered: &mut Remembered, it: &FieldView<'_>) -> bool {
        matches!(remembered.ask(it), Said::Before(_))
    }

    fn nothing() -> Answer {
        Answer {
            found: Vec::new(),
            limits: BTreeMap::new(),
        }
    }

    #[test]
    fn a_field_that_comes_again_holds_the_same() {
        let long = [MAIL, &b"x".repeat(SHORT)].concat();
        let packed = format!("{}{}", "eJx".repeat(400), "A".repeat(3_000));
        for value in [MAIL, &long, b"nothing", b"", packed.as_bytes()] {
            let mut detectors = Detectors::new(&[], Options::default()).unwrap();
            let first = holds(&mut detectors, field("http.body", value));
            let limits = detectors.limits_hit().clone();
            for times in 2..5 {
                assert_eq!(holds(&mut detectors, field("http.body", value)), first);
                for (name, once) in &limits {
                    assert_eq!(detectors.limits_hit().get(name), Some(&(once * times)), "{name}");
                }
            }
        }
    }

    #[test]
    fn another_path_or_value_or_kind_is_another_field() {
        for value in [MAIL.to_vec(), MAIL.repeat(SHORT)] {
            let mut remembered = Remembered::default();
            let it = field("http.body", &value);
            assert!(matches!(remembered.ask(&it), Said::Nothing));
            let Said::Again(number) = remembered.ask(&it) else {
                panic!("it came before");
            };
            remembered.keep(number, &it, nothing());
            assert!(answers(&mut remembered, &it));
            let (other, moved) = ([value.as_slice(), b"x"].concat(), [b"y", value.as_slice()].concat());
            let payload = FieldView { payload: true, ..it };
            for unlike in [
                field("http.bod", &moved),
                field("http.body", &other),
                field("tcp.body", &value),
                payload,
            ] {
                assert!(!answers(&mut remembered, &unlike));
                // Not even where the quick digests are the same.
                remembered.keep(number, &unlike, nothing());
                assert!(!answers(&mut remembered, &it));
                remembered.keep(number, &it, nothing());
            }
        }
    }

    #[test]
    fn room_is_bounded() {
        let mut remembered = Remembered::default();
        for number in 0..ROOM / SHORT * 3 {
            let value = format!("{number:0>SHORT$}");
            let it = field("http.body", value.as_bytes());
            for _ in 0..2 {
                if let Said::Again(number) = remembered.ask(&it) {
                    remembered.keep(number, &it, nothing());
                }
            }
            assert!(remembered.again.len() <= ROOM / SHORT);
        }
        assert!(!remembered.again.is_empty());
    }
}
