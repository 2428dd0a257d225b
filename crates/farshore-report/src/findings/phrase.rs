//! Numbers and names as they stand in a sentence.

use farshore_model::audit::Stale;

use crate::escape::visible_within;

/// Columns a name may take in a sentence.
const NAME: usize = 56;
/// Columns a reason may take.
const REASON: usize = 240;

/// A name, visible and not too long.
pub fn name(text: &str) -> String {
    visible_within(text, NAME)
}

/// A reason or a title, visible and not too long.
pub fn long(text: &str) -> String {
    visible_within(text, REASON)
}

/// `1 flow`, `2 flows`.
pub fn count(number: impl TryInto<u64>, noun: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    let plural = match noun.strip_suffix('y') {
        _ if number == 1 => noun.to_owned(),
        Some(stem) if !stem.ends_with('a') => format!("{stem}ies"),
        _ => format!("{noun}s"),
    };
    format!("{} {plural}", grouped(number))
}

/// `12 345 678`, with no-break spaces.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push('\u{a0}');
        }
        out.push(digit);
    }
    out
}

/// `734 kB`: decimal units, three digits.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub fn bytes(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let (mut value, mut unit) = (bytes as f64, "B");
    for next in ["kB", "MB", "GB", "TB", "PB", "EB"] {
        if value < 999.5 {
            break;
        }
        (value, unit) = (value / 1000.0, next);
    }
    if value < 9.95 {
        format!("{value:.1} {unit}")
    } else {
        format!("{value:.0} {unit}")
    }
}

/// `12 days younger`, `16 months older`, `8 years older`.
pub fn age(it: Stale) -> String {
    let (days, word) = match it {
        Stale::Older(days) => (days, "older"),
        Stale::Younger(days) => (days, "younger"),
    };
    let (number, unit) = match days {
        0..60 => (days, "day"),
        60..730 => (days / 30, "month"),
        _ => (days / 365, "year"),
    };
    format!("{} {word}", count(number, unit))
}

/// A time that passed, in the unit people would use: `0.4 s`, `60 s`, `15 min`, `6 h`.
#[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
pub fn span(nanos: u64) -> String {
    let seconds = nanos as f64 / 1e9;
    let (value, unit) = match seconds {
        it if it < 120.0 => (it, "s"),
        it if it < 7_200.0 => (it / 60.0, "min"),
        it => (it / 3_600.0, "h"),
    };
    if value < 10.0 {
        format!("{value:.1} {unit}")
    } else {
        format!("{value:.0} {unit}")
    }
}

/// The first few, and how many more.
pub fn some<T: AsRef<str>>(all: &[T], few: usize) -> String {
    some_of(all, few, |it| it.as_ref().to_owned())
}

/// The same of things that have to be put in words first.
pub fn some_of<T>(all: &[T], few: usize, words: impl Fn(&T) -> String) -> String {
    let mut text = all.iter().take(few).map(words).collect::<Vec<_>>().join(", ");
    if let Some(rest) = all.len().checked_sub(few).filter(|rest| *rest > 0) {
        text.push_str(&format!(" and {rest} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(1_u64, "flow"), "1 flow");
        assert_eq!(count(1_234_567_u64, "entry"), "1\u{a0}234\u{a0}567 entries");
        assert_eq!(
            [0, 999, 1000, 9_949, 12_345, 999_499, 999_500, 678_901_234].map(bytes),
            ["0 B", "999 B", "1.0 kB", "9.9 kB", "12 kB", "999 kB", "1.0 MB", "679 MB"]
        );
        assert_eq!(bytes(u64::MAX), "18 EB");
    }

    #[test]
    fn a_long_list_is_cut() {
        assert_eq!(some(&["a", "b", "c"], 3), "a, b, c");
        assert_eq!(some(&["a", "b", "c"], 1), "a and 2 more");
    }
}
