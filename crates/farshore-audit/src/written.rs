//! What the files that users write have in common: mistakes with their place, days, lists of words.

use std::ops::Range;

use farshore_model::Date;
use toml::Spanned;
use toml::value::Datetime;

/// A file could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Mistake {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes.
    pub span: Option<Range<usize>>,
}

impl Mistake {
    /// One of the whole file.
    pub(crate) fn of(message: String) -> Self {
        Self { message, span: None }
    }

    /// One that stands somewhere.
    pub(crate) fn at(message: String, span: Range<usize>) -> Self {
        Self { message, span: Some(span) }
    }

    /// What is wrong with the form.
    pub(crate) fn from_toml(error: toml::de::Error) -> Self {
        Self {
            message: error.message().to_owned(),
            span: error.span(),
        }
    }
}

/// A day without a time.
pub(crate) fn date(it: &Datetime) -> Option<Date> {
    let date = it.date.filter(|_| it.time.is_none() && it.offset.is_none())?;
    Date::new(i32::from(date.year), date.month, date.day)
}

/// Each word of a list, read.
pub(crate) fn each<T>(words: &[Spanned<String>], read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, Mistake> {
    let read = |word: &Spanned<String>| read(word.get_ref()).map_err(|message| Mistake::at(message, word.span()));
    words.iter().map(read).collect()
}
