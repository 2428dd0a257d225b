//! What was found in fields that came before: devices say the same again and again, and what holds for a field holds for
//! the same field later.
//!
//! It answers for a field only when path and value are the same, byte for byte, or by SHA-256 where they are long; a quick digest
//! alone never answers. What comes once leaves four bytes, for a while. It refuses to grow: when its room is used up it begins anew, which nobody
//! can see from outside but by the clock.

use std::collections::BTreeMap;

use ahash::RandomState;
use hashbrown::HashTable;
use sha2::{Digest, Sha256};

use super::{FieldView, Found};

/// Bytes that are kept of paths and values, and of what was found in them.
const ROOM: usize = 4 << 20;
/// Values up to here are kept as they are.
const SHORT: usize = 1_024;
/// Places for digests of fields that came once, and how many each has: fewer would push each other out for ever.
const ONCE: usize = 1 << 14;
const OF_PLACE: usize = 4;

/// What a field holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub found: Vec<Found>,
    /// Ceilings that were hit.
    pub limits: BTreeMap<&'static str, u64>,
}

impl Answer {
    /// Most fields hold nothing.
    const NOTHING: &'static Self = &Self {
        found: Vec::new(),
        limits: BTreeMap::new(),
    };

    fn is_nothing(&self) -> bool {
        self.found.is_empty() && self.limits.is_empty()
    }

    fn size(&self) -> usize {
        let strings = |it: &Found| {
            let raw = it.value.raw.as_ref().map_or(0, String::len);
            it.member.len().saturating_add(it.value.masked.len()).saturating_add(raw)
        };
        let found = self.found.iter().map(|it| size_of::<Found>().saturating_add(strings(it)));
        found.fold(size_of::<Self>(), usize::saturating_add)
    }
}

/// Fields that came more than once, and what they hold. Asking is a matter of memory that is far away, so what is asked for lies
/// close together, and in the order in which it came: as it is going to come again.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    hashes: RandomState,
    /// What came once, the latest first: half of the quick digest, where the other half says.
    once: Vec<[u32; OF_PLACE]>,
    /// The quick digest, and which of the fields.
    again: HashTable<(u64, u32)>,
    fields: Vec<Field>,
    /// Path, and value or its digest, of one field behind the other.
    text: Vec<u8>,
    answers: Vec<Answer>,
    left: usize,
}

/// What makes a field the same.
#[derive(Clone, Debug)]
struct Field {
    payload: bool,
    /// Bytes of the path.
    path: usize,
    /// Bytes of the value.
    length: usize,
    /// Where its text begins.
    text: usize,
    /// Which of the answers; none for most.
    answer: Option<u32>,
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
            again: HashTable::new(),
            fields: Vec::new(),
            text: Vec::new(),
            answers: Vec::new(),
            left: ROOM,
        }
    }
}

impl Remembered {
    /// What is known of a field.
    pub fn ask(&mut self, field: &FieldView<'_>) -> Said<'_> {
        let digest = self.hashes.hash_one((field.path, field.value, field.payload));
        let mut sha256 = None;
        let known = self.again.find(digest, |(of, at)| {
            let known = self.fields.get(*at as usize).filter(|_| *of == digest);
            known.is_some_and(|known| self.is(known, field, &mut sha256))
        });
        if let Some((_, at)) = known {
            let answer = self.fields.get(*at as usize).and_then(|it| it.answer);
            let answer = answer.and_then(|it| self.answers.get(it as usize));
            return Said::Before(answer.unwrap_or(Answer::NOTHING));
        }
        if self.once.is_empty() {
            self.once = vec![[0; OF_PLACE]; ONCE];
        }
        let [half, place] = halves(digest);
        let Some(latest) = self.once.get_mut(place as usize % ONCE) else {
            return Said::Nothing;
        };
        if latest.contains(&half) {
            return Said::Again(digest);
        }
        latest.rotate_right(1);
        if let Some(first) = latest.first_mut() {
            *first = half;
        }
        Said::Nothing
    }

    /// Keeps what a field holds, under the number it was asked for.
    pub fn keep(&mut self, digest: u64, field: &FieldView<'_>, answer: Answer) {
        let text = field.path.len().saturating_add(field.value.len().min(SHORT));
        let size = text.saturating_add(size_of::<Field>()).saturating_add(answer.size());
        if size > ROOM {
            return;
        }
        if self.left < size {
            let (hashes, once) = (self.hashes.clone(), std::mem::take(&mut self.once));
            *self = Self {
                hashes,
                once,
                ..Self::default()
            };
        }
        self.left = self.left.saturating_sub(size);
        let number = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
        let known = Field {
            payload: field.payload,
            path: field.path.len(),
            length: field.value.len(),
            text: self.text.len(),
            answer: (!answer.is_nothing()).then_some(number(self.answers.len())),
        };
        if known.answer.is_some() {
            self.answers.push(answer);
        }
        self.text.extend_from_slice(field.path.as_bytes());
        if field.value.len() <= SHORT {
            self.text.extend_from_slice(field.value);
        } else {
            self.text.extend_from_slice(&Sha256::digest(field.value));
        }
        let at = number(self.fields.len());
        self.fields.push(known);
        self.again.insert_unique(digest, (digest, at), |(digest, _)| *digest);
    }

    /// Whether a field is the one that is known; its digest is taken once.
    fn is(&self, known: &Field, field: &FieldView<'_>, sha256: &mut Option<[u8; 32]>) -> bool {
        if (known.payload, known.path, known.length) != (field.payload, field.path.len(), field.value.len()) {
            return false;
        }
        let text = self.text.get(known.text..).unwrap_or_default();
        let Some(rest) = text.strip_prefix(field.path.as_bytes()) else {
            return false;
        };
        if known.length <= SHORT {
            rest.starts_with(field.value)
        } else {
            rest.starts_with(sha256.get_or_insert_with(|| Sha256::digest(field.value).into()))
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
        Answer::default()
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
            // What stands behind it is another field's.
            remembered.keep(number ^ 1, &field("x", b"y"), nothing());
            assert!(answers(&mut remembered, &it));
            let (other, moved) = ([value.as_slice(), b"x"].concat(), [b"y", value.as_slice()].concat());
            let (behind, path) = ([&value[1..], b"x"].concat(), format!("http.body{}", char::from(value[0])));
            let unlike = [
                field("http.bod", &moved),
                field(&path, &behind),
                field("http.body", &other),
                field("tcp.body", &value),
                FieldView { payload: true, ..it },
            ];
            for unlike in &unlike {
                assert!(!answers(&mut remembered, unlike));
                // Not even where the quick digests are the same.
                let known = &remembered.fields[0];
                assert!(remembered.is(known, &it, &mut None) && !remembered.is(known, unlike, &mut None));
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
            assert!(remembered.again.len() <= ROOM / SHORT && remembered.text.len() <= ROOM);
        }
        assert!(!remembered.again.is_empty());
    }
}
