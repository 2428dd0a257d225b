//! What became of what an audit showed: for a terminal, and as `farshore.diff/1`.
//!
//! It refuses to weigh anything: outcomes and their order are those of the comparison.

use std::io::{Result, Write};

use serde::Serialize;

use farshore_model::Audit;
use farshore_model::diff::{Both, Change, Diff, Outcome, What};

use crate::compact::Sheet;
use crate::escape::visible;
use crate::words::Word;
use crate::{Options, v1};

/// The name and version of the JSON form.
pub const SCHEMA: &str = "farshore.diff/1";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    changes: Vec<Row<'a>>,
    coverage: Coverage<'a>,
    /// What could not be compared at all.
    limits: &'a [String],
}

#[derive(Serialize)]
struct Coverage<'a> {
    before: v1::Coverage<'a>,
    after: v1::Coverage<'a>,
}

#[derive(Serialize)]
struct Row<'a> {
    outcome: &'static str,
    what: &'static str,
    subject: &'a str,
    because: &'a str,
    before: Vec<String>,
    after: Vec<String>,
    /// In which it could have been seen.
    runs: Pair,
    miss_probability: Option<f64>,
    /// Of these, in which it was.
    seen: Pair,
}

#[derive(Serialize)]
struct Pair {
    before: u64,
    after: u64,
}

impl Pair {
    const fn of(it: Both) -> Self {
        Self {
            before: it.before,
            after: it.after,
        }
    }
}

/// One object.
pub fn json(diff: &Diff, before: &Audit, after: &Audit, out: &mut dyn Write) -> Result<()> {
    let row = |it: &'_ Change| {
        let letter = if it.what == What::Destination { 'd' } else { 'x' };
        let ids = |all: &[usize]| all.iter().map(|it| format!("{letter}{}", it.saturating_add(1))).collect();
        (ids(&it.before), ids(&it.after))
    };
    let rows = diff.changes.iter().map(|it| {
        let (before, after) = row(it);
        Row {
            outcome: it.outcome.word(),
            what: it.what.word(),
            subject: &it.subject,
            because: &it.because,
            before,
            after,
            runs: Pair::of(it.runs),
            miss_probability: it.miss_probability,
            seen: Pair::of(it.seen),
        }
    });
    let document = Document {
        schema: SCHEMA,
        changes: rows.collect(),
        coverage: Coverage {
            before: v1::Coverage::new(before),
            after: v1::Coverage::new(after),
        },
        limits: &diff.limits,
    };
    let mut sheet = Sheet::new(out);
    sheet.line(&document)?;
    sheet.finish()
}

/// Rows of one outcome that are shown; the rest is counted. A report fits a screen.
const ROWS: usize = 4;

/// A screen: what got worse first.
pub fn terminal(diff: &Diff, options: &Options<'_>, out: &mut dyn Write) -> Result<()> {
    let bold = |text: &str| {
        if options.color {
            format!("\u{1b}[1m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    };
    if diff.changes.is_empty() {
        writeln!(out, "{}", bold("Nothing to compare: neither side shows anything."))?;
    }
    let sections = [
        (Outcome::New, "NEW"),
        (Outcome::NotFixed, "NOT FIXED"),
        (Outcome::NotExercised, "NOT EXERCISED: whether it is gone cannot be told"),
        (Outcome::Fixed, "FIXED"),
    ];
    let counts: Vec<_> = sections
        .iter()
        .map(|(outcome, _)| {
            format!(
                "{} {}",
                diff.changes.iter().filter(|it| it.outcome == *outcome).count(),
                outcome.word()
            )
        })
        .collect();
    if !diff.changes.is_empty() {
        writeln!(out, "{}", bold(&counts.join(", ")))?;
    }
    for line in &diff.limits {
        writeln!(out, "! {}", visible(line))?;
    }
    for (outcome, title) in sections {
        let all: Vec<_> = diff.changes.iter().filter(|it| it.outcome == outcome).collect();
        if all.is_empty() {
            continue;
        }
        writeln!(out, "\n{}", bold(title))?;
        for it in all.iter().take(ROWS) {
            writeln!(
                out,
                "  {} {}",
                it.what.word(),
                within(&it.subject, options.width.saturating_sub(14))
            )?;
            let miss = it
                .miss_probability
                .map(|it| format!("; a chance of {it:.2} to miss it"))
                .unwrap_or_default();
            let runs = format!(
                "seen in {} of {} before, {} of {} after{miss}",
                it.seen.before, it.runs.before, it.seen.after, it.runs.after
            );
            writeln!(out, "    {}", within(&it.because, options.width.saturating_sub(4)))?;
            // Of one run on either side there is no more to say.
            if it.what != What::Verdict && (it.runs.before > 1 || it.runs.after > 1) {
                writeln!(out, "    {runs}")?;
            }
        }
        if let Some(more) = all.len().checked_sub(ROWS).filter(|it| *it > 0) {
            writeln!(out, "  and {more} more (--format json has all)")?;
        }
    }
    Ok(())
}

fn within(text: &str, columns: usize) -> String {
    crate::escape::visible_within(text, columns.max(40))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(outcome: Outcome, subject: &str) -> Change {
        Change {
            outcome,
            what: What::Exposure,
            subject: subject.to_owned(),
            because: subject.to_owned(),
            before: vec![0],
            after: Vec::new(),
            runs: Both { before: 3, after: 2 },
            seen: Both { before: 2, after: 0 },
            miss_probability: Some(0.25),
        }
    }

    #[test]
    fn a_screen_has_the_worst_first_and_nothing_that_steers_it() {
        let all = [Outcome::New, Outcome::NotFixed, Outcome::NotExercised, Outcome::Fixed];
        let changes = all
            .iter()
            .flat_map(|it| (0..9).map(|_| change(*it, "a\u{1b}[2J<b\u{202e}")))
            .collect();
        let diff = Diff {
            changes,
            limits: vec!["\u{1b}]0;x".to_owned()],
        };
        let (mut screen, mut page) = (Vec::new(), Vec::new());
        terminal(&diff, &Options::default(), &mut screen).unwrap();
        json(&diff, &Audit::default(), &Audit::default(), &mut page).unwrap();
        let screen = String::from_utf8(screen).unwrap();
        assert!(!screen.contains(['\u{1b}', '\u{202e}', '<']), "{screen}");
        assert!(!page.contains(&0x1b));
        assert!(screen.lines().count() <= 70, "{screen}");
        let places = ["\nNEW\n", "\nNOT FIXED\n", "\nNOT EXERCISED", "\nFIXED\n"].map(|it| screen.find(it).unwrap());
        assert!(places.is_sorted(), "{screen}");
        assert!(
            screen.contains("seen in 2 of 3 before, 0 of 2 after; a chance of 0.25 to miss it"),
            "{screen}"
        );
        assert!(screen.contains("and 5 more"), "{screen}");
        let told: serde_json::Value = serde_json::from_slice(&page).unwrap();
        assert_eq!(told["changes"].as_array().unwrap().len(), 36);
        assert_eq!(told["changes"][0]["before"], serde_json::json!(["x1"]));
    }
}
