//! Waivers: what somebody answers for although a clause speaks against it, for a reason and until a day. Owns the reading of the file and
//! what a waiver covers: the subjects it names and nothing else. Refuses a waiver without a reason or an end, one that covers a clause
//! whole, and to call anything met because it is waived.

use std::fmt;
use std::net::IpAddr;
use std::ops::Range;

use farshore_model::party::Destination;
use farshore_model::verdict::{Waiver, WaiverState};
use farshore_model::{Date, Exposure, Finding, Subject, Verdict};
use serde::Deserialize;

use crate::naming::plain;

/// What stands for everything a clause leaves open because the capture does not show it.
const COVERAGE: &str = "coverage";
/// Keys of a subject.
const KEYS: &str = "host=, org=, kind=, field=";

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

/// What a subject names.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Covers {
    /// A destination by its number in the audit.
    Destination(usize),
    /// An exposure by its number in the audit.
    Exposure(usize),
    /// What the capture does not show.
    Coverage,
    /// Whatever all of these hold of.
    All(Vec<Term>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Term {
    /// The name or the address of a destination, a kind, or a field.
    Any(String),
    Host(String),
    Organisation(String),
    Kind(String),
    Field(String),
}

/// A file of waivers could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct WaiverError {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes.
    pub span: Option<Range<usize>>,
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
    pub fn read(text: &str) -> Result<Self, WaiverError> {
        let file: File = toml::from_str(text).map_err(|error| WaiverError {
            message: error.message().to_owned(),
            span: error.span(),
        })?;
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
    fn read(row: Row) -> Result<Self, WaiverError> {
        let fail = |message: String, span: Range<usize>| Err(WaiverError { message, span: Some(span) });
        for (what, it) in [("pack", &row.pack), ("clause", &row.clause), ("reason", &row.reason)] {
            if it.get_ref().trim().is_empty() {
                let why = match what {
                    "reason" => "`reason` is empty: whoever reads it must learn why this is accepted".to_owned(),
                    _ => format!("`{what}` is empty"),
                };
                return fail(why, it.span());
            }
        }
        let until = row.until.get_ref();
        let day = until.date.filter(|_| until.time.is_none() && until.offset.is_none());
        let Some(until) = day.and_then(|it| Date::new(i32::from(it.year), it.month, it.day)) else {
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

impl Covers {
    fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == COVERAGE {
            return Ok(Self::Coverage);
        }
        if let Some(index) = numbered(text, 'd') {
            return Ok(Self::Destination(index));
        }
        if let Some(index) = numbered(text, 'x') {
            return Ok(Self::Exposure(index));
        }
        let mut terms = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            // Fields can hold blanks, so one goes to the end.
            let end = if rest.starts_with("field=") {
                rest.len()
            } else {
                rest.find(char::is_whitespace).unwrap_or(rest.len())
            };
            let (word, after) = rest.split_at(end);
            terms.push(Term::read(word)?);
            rest = after.trim_start();
        }
        if terms.is_empty() {
            return Err("`subject` is empty: a waiver names what it covers, such as a destination".to_owned());
        }
        if terms.len() > 1 && terms.iter().any(|it| matches!(it, Term::Any(_))) {
            return Err(format!("of several words each needs its key: {KEYS}"));
        }
        Ok(Self::All(terms))
    }

    fn finding(&self, finding: &Finding, exposures: &[Exposure], destinations: &[Destination]) -> bool {
        let (exposure, destination, address) = match finding.subject {
            Subject::Exposure(index) => {
                let exposure = exposures.get(index);
                (exposure.map(|it| (index, it)), exposure.map(|it| it.destination), None)
            }
            Subject::Address { destination, address } => (None, Some(destination), address),
            Subject::Coverage => return *self == Self::Coverage,
        };
        match self {
            Self::Coverage => false,
            Self::Destination(wanted) => destination == Some(*wanted),
            Self::Exposure(wanted) => exposure.is_some_and(|(index, _)| index == *wanted),
            Self::All(terms) => {
                let exposure = exposure.map(|(_, it)| it);
                let destination = destination.and_then(|it| destinations.get(it));
                terms.iter().all(|it| it.holds(exposure, destination, address))
            }
        }
    }
}

/// The index behind `d3`.
fn numbered(text: &str, letter: char) -> Option<usize> {
    let digits = text.strip_prefix(letter)?;
    let number: usize = digits.bytes().all(|it| it.is_ascii_digit()).then(|| digits.parse().ok())??;
    number.checked_sub(1)
}

impl Term {
    fn read(word: &str) -> Result<Self, String> {
        let (key, value) = word.split_once('=').map_or((None, word), |(key, value)| (Some(key), value));
        if value.is_empty() {
            return Err(format!("`{word}` names nothing"));
        }
        let it = match key {
            None => Self::Any(value.to_owned()),
            Some("host") => Self::Host(plain(value).into_owned()),
            Some("org") => Self::Organisation(value.to_owned()),
            Some("kind") => Self::Kind(value.to_owned()),
            Some("field") => Self::Field(value.to_owned()),
            Some(key) => return Err(format!("`{key}=` is no key of a subject; there are: {KEYS}")),
        };
        // A star may stand before a domain, for all names beneath it; anywhere else it would be a blanket.
        let whole = match &it {
            Self::Host(host) => host.strip_prefix("*.").filter(|rest| rest.contains('.')).unwrap_or(host),
            _ => value,
        };
        if whole.contains('*') {
            return Err(format!(
                "`{word}`: a waiver names its subjects; a star stands for the names beneath a domain only, such as host=*.edge.example"
            ));
        }
        Ok(it)
    }

    fn holds(&self, exposure: Option<&Exposure>, destination: Option<&Destination>, address: Option<IpAddr>) -> bool {
        let kind = |kind: &str| exposure.is_some_and(|it| it.kind.as_str() == kind);
        let field = |field: &str| exposure.is_some_and(|it| &*it.field == field);
        let host = |host: &str| destination.is_some_and(|it| is_host(host, it, exposure.is_none().then_some(address)));
        match self {
            Self::Any(word) => kind(word) || field(word) || host(&plain(word)),
            Self::Host(wanted) => host(wanted),
            Self::Organisation(id) => destination.and_then(|it| it.organisation.as_ref()).is_some_and(|it| it.id == *id),
            Self::Kind(wanted) => kind(wanted),
            Self::Field(wanted) => field(wanted),
        }
    }
}

/// Whether a destination is meant by that name or address. `judged`: one of its addresses was judged, and which.
fn is_host(wanted: &str, it: &Destination, judged: Option<Option<IpAddr>>) -> bool {
    let name = plain(&it.name);
    if name == wanted {
        return true;
    }
    if let Some(domain) = wanted.strip_prefix("*.") {
        return name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    }
    let Ok(wanted) = wanted.parse::<IpAddr>() else {
        return false;
    };
    match judged {
        Some(address) => address == Some(wanted),
        // What reached a party with several addresses is not known to have gone to that one.
        None => !it.places.is_empty() && it.places.iter().all(|place| place.address == wanted),
    }
}

#[cfg(test)]
mod tests {
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
            ("\"d3\"", "\"\"", "names what it covers", "\"\""),
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
