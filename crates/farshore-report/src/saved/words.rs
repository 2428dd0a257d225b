//! Words of the program, as a saved audit spells them. Owns how a word is kept; what it means is the model's.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{LazyLock, Mutex};

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::words::Listed;

/// Different words that are kept in all: several times those there are.
const WORDS: usize = 4_096;
/// Bytes of the longest.
const LONGEST: usize = 128;

/// A word that stands in the source of the program that wrote it: a layer, a decoding, a kind of anomaly. The model has them as
/// such, and this program may not know those of another version. So each is kept for good, once, and there can be only so many.
#[derive(Clone, Copy)]
pub(super) struct Kept(pub &'static str);

impl Kept {
    fn of(word: &str) -> Result<Self, Cow<'static, str>> {
        static ALL: LazyLock<Mutex<BTreeSet<&'static str>>> = LazyLock::new(Mutex::default);
        if word.len() > LONGEST {
            return Err(format!("a word of {} bytes, expected one of at most {LONGEST}", word.len()).into());
        }
        let Ok(mut all) = ALL.lock() else {
            return Err("the list of words is lost".into());
        };
        if let Some(known) = all.get(word) {
            return Ok(Self(known));
        }
        if all.len() >= WORDS {
            return Err(format!("more than {WORDS} different words for layers, decodings and the like").into());
        }
        let kept: &'static str = String::from(word).leak();
        all.insert(kept);
        Ok(Self(kept))
    }
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, "a word", Self::of)
    }
}

/// A word of a closed list.
#[derive(Clone, Copy)]
pub(super) struct One<T>(pub T);

impl<'de, T: Listed> Deserialize<'de> for One<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, "a word", |word| {
            T::of(word).map(One).ok_or_else(|| {
                let all: Vec<_> = T::ALL.iter().map(|it| format!("`{}`", it.word())).collect();
                format!("unknown word {}, expected one of {}", quoted(word), all.join(", ")).into()
            })
        })
    }
}

/// The number of an id such as `d1`, from 0.
#[derive(Clone, Copy)]
pub(super) struct Id<const LETTER: char>(pub usize);

impl<'de, const LETTER: char> Deserialize<'de> for Id<LETTER> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, "an id", |text| {
            let digits = text.strip_prefix(LETTER).filter(|it| it.bytes().all(|it| it.is_ascii_digit()));
            let number = digits.and_then(|it| it.parse::<usize>().ok()?.checked_sub(1));
            number
                .map(Id)
                .ok_or_else(|| format!("{} is no id, expected one such as `{LETTER}1`", quoted(text)).into())
        })
    }
}

/// Text that is read by a rule of its own.
pub(super) fn read<'de, D, T>(
    deserializer: D,
    expected: &'static str,
    rule: impl Fn(&str) -> Result<T, Cow<'static, str>>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
{
    struct Reading<T, F>(&'static str, F, PhantomData<T>);

    impl<T, F: Fn(&str) -> Result<T, Cow<'static, str>>> Visitor<'_> for Reading<T, F> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            (self.1)(text).map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Reading(expected, rule, PhantomData))
}

/// A piece of somebody's file, short enough to be shown.
pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", crate::escape::visible_within(text, 40))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_kept_once_and_no_longer_than_words_are() {
        let read = |text: &str| serde_json::from_str::<Kept>(&format!("{text:?}")).map(|it| it.0);
        let (one, two) = (read("quic").unwrap(), read("quic").unwrap());
        assert!(std::ptr::eq(one, two));
        let long = read(&"a".repeat(LONGEST + 1)).unwrap_err().to_string();
        assert!(long.contains("129 bytes, expected one of at most 128"), "{long}");
    }

    #[test]
    fn ids_count_from_one() {
        let read = |text: &str| serde_json::from_str::<Id<'d'>>(&format!("{text:?}")).map(|it| it.0);
        assert_eq!(read("d1").unwrap(), 0);
        assert_eq!(read("d42").unwrap(), 41);
        for wrong in ["d0", "d", "1", "x1", "d-1", "d+1", "d99999999999999999999999"] {
            let said = read(wrong).unwrap_err().to_string();
            assert!(said.contains("expected one such as `d1`"), "{wrong}: {said}");
        }
    }
}
