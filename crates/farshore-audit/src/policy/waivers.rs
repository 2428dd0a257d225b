//! Waivers: what somebody answers for although a clause speaks against it, for a reason and until a day. Owns the reading of the file and
//! what a waiver covers: the subjects it names and nothing else. Refuses a waiver without a reason or an end, one that covers a clause
//! whole, and to call anything met because it is waived.

use std::fmt;
use std::ops::Range;

use farshore_model::party::Destination;
use farshore_model::verdict::{Waiver, WaiverState};
use farshore_model::{Date, Exposure, Verdict};
use serde::Deserialize;

use super::covers::Covers;
use crate::written::{Mistake, date};

/// The waivers of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waivers(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    pack: String,
    clause: String,
    subject: String,
    covers: Covers,
    reason: String,
    until: Date,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    waive: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    pack: toml::Spanned<String>,
    clause: toml::Spanned<String>,
    subject: toml::Spanned<String>,
    reason: toml::Spanned<String>,
    until: toml::Spanned<toml::value::Datetime>,
}

impl Waivers {
    /// Reads a file of `[[waive]]` entries.
    pub fn read(text: &str) -> Result<Self, Mistake> {
        let file: File = toml::from_str(text).map_err(Mistake::from_toml)?;
        file.waive.into_iter().map(Entry::read).collect::<Result<_, _>>().map(Self)
    }

    /// Marks what is waived on that day, and tells of each waiver what became of it. Without a day no waiver is known to hold.
    pub(crate) fn apply(
        &self,
        verdicts: &mut [Verdict],
        exposures: &[Exposure],
        destinations: &[Destination],
        day: Option<Date>,
    ) -> Vec<Waiver> {
        let told = |(index, entry): (usize, &Entry)| Waiver {
            pack: entry.pack.clone(),
            clause: entry.clause.clone(),
            subject: entry.subject.clone(),
            reason: entry.reason.clone(),
            until: entry.until,
            state: match day {
                None => WaiverState::Unused("no input says of which day it is, so no waiver is known to hold; --as-of names one".into()),
                Some(day) if day > entry.until => WaiverState::Expired(day),
                Some(_) => entry.mark(index, verdicts, exposures, destinations),
            },
        };
        self.0.iter().enumerate().map(told).collect()
    }
}

impl Entry {
    fn read(row: Row) -> Result<Self, Mistake> {
        let fail = |message: String, span: Range<usize>| Err(Mistake::at(message, span));
        for (what, it) in [("pack", &row.pack), ("clause", &row.clause), ("reason", &row.reason)] {
            if it.get_ref().trim().is_empty() {
                let why = match what {
                    "reason" => "`reason` is empty: whoever reads it must learn why this is accepted".to_owned(),
                    _ => format!("`{what}` is empty"),
                };
                return fail(why, it.span());
            }
        }
        let Some(until) = date(row.until.get_ref()) else {
            return fail(
                "`until` is the last day on which it holds; expected a date such as 2026-12-31".to_owned(),
                row.until.span(),
            );
        };
        let covers = match Covers::read(row.subject.get_ref()) {
            Ok(covers) => covers,
            Err(message) => return fail(message, row.subject.span()),
        };
        Ok(Self {
            pack: row.pack.into_inner(),
            clause: row.clause.into_inner(),
            subject: row.subject.into_inner(),
            covers,
            reason: row.reason.into_inner(),
            until,
        })
    }

    /// Marks what it covers and nobody else does.
    fn mark(&self, index: usize, verdicts: &mut [Verdict], exposures: &[Exposure], destinations: &[Destination]) -> WaiverState {
        let unused = |why: fmt::Arguments<'_>| WaiverState::Unused(why.to_string().as_str().into());
        if !verdicts.iter().any(|it| it.pack == self.pack) {
            return unused(format_args!("no pack {} was judged", self.pack));
        }
        let (mut marked, mut taken, mut open, mut there) = (0_usize, false, false, false);
        for verdict in verdicts.iter_mut().filter(|it| it.pack == self.pack && it.clause == self.clause) {
            there = true;
            for finding in &mut verdict.findings {
                open = true;
                if !self.covers.finding(finding, exposures, destinations) {
                    continue;
                }
                match finding.waived {
                    Some(_) => taken = true,
                    None => {
                        finding.waived = Some(index);
                        marked = marked.saturating_add(1);
                    }
                }
            }
        }
        match () {
            () if marked > 0 => WaiverState::Applied(marked),
            () if !there => unused(format_args!("{} has no clause {}", self.pack, self.clause)),
            () if taken => unused(format_args!("another waiver covers all it names")),
            () if open => unused(format_args!("nothing that stands against the clause is what it names")),
            () => unused(format_args!("nothing stands against the clause")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::covers::Term;
    use super::*;

    fn file(subject: &str) -> String {
        format!("[[waive]]\npack = \"p\"\nclause = \"c\"\nsubject = \"{subject}\"\nreason = \"r\"\nuntil = 2026-12-31\n")
    }

    #[test]
    fn a_mistake_is_refused_with_its_place() {
        let good = file("d3");
        assert!(Waivers::read(&good).is_ok() && Waivers::read("").is_ok());
        for (from, to, wanted, at) in [
            ("reason = \"r\"\n", "", "reason", "[[waive]]"),
            ("reason = \"r\"", "reason = \" \"", "`reason` is empty", "\" \""),
            ("until = 2026-12-31\n", "", "until", "[[waive]]"),
            ("2026-12-31", "\"2026-12-31\"", "", "\"2026-12-31\""),
            ("2026-12-31", "2026-12-31T10:00:00Z", "such as 2026-12-31", "2026-12-31T"),
            ("until", "untill", "untill", "untill"),
            ("\"d3\"", "\"*\"", "a star stands for the names beneath a domain only", "\"*\""),
            ("\"d3\"", "\"host=*.com\"", "a star stands", "\"host"),
            ("\"d3\"", "\"field=http.*\"", "a star stands", "\"field"),
            ("\"d3\"", "\"\"", "names what is meant", "\"\""),
            ("\"d3\"", "\"host=\"", "names nothing", "\"host"),
            ("\"d3\"", "\"country=CN\"", "host=, org=, kind=, field=", "\"country"),
            ("\"d3\"", "\"imei shop.example\"", "each needs its key", "\"imei"),
            ("[[waive]]", "[[waiver]]", "waiver", "waiver"),
        ] {
            let text = good.replace(from, to);
            let error = Waivers::read(&text).unwrap_err();
            assert!(error.message.contains(wanted), "{text}: {error}");
            let span = error.span.clone().unwrap_or_else(|| panic!("{text} has no place: {error}"));
            assert!(text[span.start..].starts_with(at), "{text}: {:?}", &text[span]);
        }
    }

    #[test]
    fn a_subject_is_what_it_says() {
        let read = |text: &str| Covers::read(text).unwrap();
        assert_eq!(read("d3"), Covers::Destination(2));
        assert_eq!(read("x12"), Covers::Exposure(11));
        assert_eq!(read("coverage"), Covers::Coverage);
        assert_eq!(read("d0"), Covers::All(vec![Term::Any("d0".into())]), "ids count from 1");
        assert_eq!(read("D3"), Covers::All(vec![Term::Any("D3".into())]));
        assert_eq!(
            read("kind=imei host=*.Shop.example  field=http.header.a b"),
            Covers::All(vec![
                Term::Kind("imei".into()),
                Term::Host("*.shop.example".into()),
                Term::Field("http.header.a b".into())
            ])
        );
    }
}
