//! What somebody says data may go on: a consent, an approval, clauses of a contract. Owns the reading of the file and which recipient a
//! record covers. Refuses to say that a record is genuine, and to take what was not handed in for what is not there, unless whoever wrote
//! the file says that these are all.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Range;

use farshore_model::party::{Destination, Place};
use farshore_model::{Country, Date, DatumKind};
use serde::Deserialize;
use toml::Spanned;

use super::kleene::Truth;
use super::places::{self, Stand};
use crate::identifiers::known::is_kind;
use crate::parties::countries;
use crate::recipients::{self, Recipient};
use crate::written::{Mistake, date, each};

/// The records of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Basis {
    complete: bool,
    records: Vec<Record>,
}

/// One of them. What a record does not speak of it does not limit.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Record {
    kind: BasisKind,
    fields: Option<Vec<String>>,
    recipients: Option<Vec<Recipient>>,
    countries: Option<Vec<Country>>,
    from: Option<Date>,
    until: Option<Date>,
}

/// What a record is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BasisKind {
    /// Of the person.
    Consent,
    /// Of an authority.
    Approval,
    /// Standard contractual clauses.
    Scc,
    /// Binding corporate rules.
    Bcr,
    /// A decision that a country protects well enough.
    Adequacy,
    /// An assessment of what may come of it.
    Assessment,
    /// A contract.
    Contract,
}

impl BasisKind {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::Approval => "approval",
            Self::Scc => "scc",
            Self::Bcr => "bcr",
            Self::Adequacy => "adequacy",
            Self::Assessment => "assessment",
            Self::Contract => "contract",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    complete: bool,
    #[serde(default)]
    basis: Vec<Row>,
}

type Words = Option<Spanned<Vec<Spanned<String>>>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    kind: BasisKind,
    fields: Words,
    recipients: Words,
    countries: Words,
    from: Option<Spanned<toml::value::Datetime>>,
    until: Option<Spanned<toml::value::Datetime>>,
    /// For whoever reads the file.
    #[serde(rename = "issuer")]
    _issuer: Option<String>,
    document_sha256: Option<Spanned<String>>,
}

/// What is asked whether a record covers it: that such data went to one address of a destination on these days.
pub(super) struct Sent<'a> {
    pub(super) kind: &'a DatumKind,
    pub(super) destination: Option<&'a Destination>,
    pub(super) address: Option<IpAddr>,
    pub(super) place: Option<&'a Place>,
    pub(super) days: Option<(Date, Date)>,
}

impl Basis {
    /// Reads a file of `[[basis]]` entries.
    pub fn read(text: &str) -> Result<Self, Mistake> {
        let file: File = toml::from_str(text).map_err(Mistake::from_toml)?;
        if file.basis.is_empty() && !file.complete {
            return Err(Mistake::of(
                "it holds no [[basis]]; say `complete = true` if there is none at all".to_owned(),
            ));
        }
        let records = file.basis.into_iter().map(Record::read).collect::<Result<_, _>>()?;
        Ok(Self {
            complete: file.complete,
            records,
        })
    }

    /// The same records, of which it is not known whether these are all.
    #[must_use]
    pub fn incomplete(self) -> Self {
        Self { complete: false, ..self }
    }

    /// Whether a record of one of these kinds covers it, and in which words.
    pub(super) fn covers(told: Option<&Self>, kinds: &[BasisKind], it: &Sent<'_>) -> (Truth, String) {
        let wanted = kinds.iter().map(|it| it.word()).collect::<Vec<_>>().join(" or ");
        let Some(told) = told else {
            return (Truth::Unknown, format!("no records were given that could tell of {wanted}"));
        };
        let of_kind = || told.records.iter().filter(|record| kinds.contains(&record.kind));
        let mut open = BTreeSet::new();
        let mut sum = Truth::False;
        for record in of_kind() {
            let (truth, why) = record.covers(it);
            sum = sum.or(truth);
            open.extend(why.filter(|_| truth == Truth::Unknown));
        }
        match sum {
            Truth::True => (Truth::True, format!("a record of {wanted} covers it")),
            Truth::Unknown => {
                let open = open.into_iter().collect::<Vec<_>>().join(", ");
                (
                    Truth::Unknown,
                    format!("whether a record of {wanted} covers it cannot be told: {open}"),
                )
            }
            Truth::False if told.complete => {
                let all = match told.records.len() {
                    0 => "there is said to be none at all".to_owned(),
                    1 => "the one there is is said to be all".to_owned(),
                    some => format!("the {some} there are are said to be all"),
                };
                (Truth::False, format!("no record of {wanted} covers it, and {all}"))
            }
            Truth::False => (
                Truth::Unknown,
                format!("no record of {wanted} covers it, and the records are not said to be complete"),
            ),
        }
    }
}

impl Record {
    fn read(row: Row) -> Result<Self, Mistake> {
        let (from, until) = (day(row.from.as_ref())?, day(row.until.as_ref())?);
        if let (Some((from, _)), Some((until, span))) = (&from, &until)
            && until < from
        {
            return fail("`until` lies before `from`".to_owned(), span.clone());
        }
        if let Some(it) = &row.document_sha256 {
            let text = it.get_ref();
            if !text.is_empty() && (text.len() != 64 || !text.bytes().all(|it| it.is_ascii_hexdigit())) {
                let message = "`document_sha256` is the SHA-256 of the document; expected 64 hexadecimal digits".to_owned();
                return fail(message, it.span());
            }
        }
        Ok(Self {
            kind: row.kind,
            fields: list(row.fields, |text| match is_kind(text) {
                true => Ok(text.to_owned()),
                false => Err(format!(
                    "`{text}` is no kind of data; expected one as reports name them, such as \"user-id\""
                )),
            })?,
            recipients: list(row.recipients, Recipient::read)?,
            countries: list(row.countries, |code| {
                countries::parse(code, false).ok_or_else(|| format!("`{code}` is no country code; expected one such as \"DE\""))
            })?,
            from: from.map(|(day, _)| day),
            until: until.map(|(day, _)| day),
        })
    }

    /// Whether it covers that; if it cannot be told, why not.
    fn covers(&self, it: &Sent<'_>) -> (Truth, Option<&'static str>) {
        let fields = self.fields.as_ref();
        let of_kind = fields.is_none_or(|all| all.iter().any(|field| field == it.kind.as_str())).into();
        let to_them = match (&self.recipients, it.destination) {
            (None, _) => Truth::True,
            (Some(all), Some(destination)) => recipients::any(all, destination, it.address),
            (Some(_), None) => Truth::Unknown,
        };
        let there = match (&self.countries, it.place) {
            (None, _) => Truth::True,
            (Some(allowed), Some(place)) => match places::stand(place, allowed, it.days, false) {
                Stand::Inside => Truth::True,
                Stand::Outside(_) => Truth::False,
                Stand::CannotTell(_) => Truth::Unknown,
            },
            (Some(_), None) => Truth::Unknown,
        };
        let then = during(self.from, self.until, it.days);
        let open = [
            (to_them, "who the recipient is"),
            (there, "in which country it stands"),
            (then, "of which day the capture is, or it holds on a part of its days only"),
        ];
        let all: Truth = open.iter().fold(of_kind, |sum, (truth, _)| sum.and(*truth));
        (
            all,
            open.into_iter().find(|(truth, _)| *truth == Truth::Unknown).map(|(_, why)| why),
        )
    }
}

/// Whether days lie within a time; both its ends are within.
pub(super) fn during(from: Option<Date>, until: Option<Date>, days: Option<(Date, Date)>) -> Truth {
    if from.is_none() && until.is_none() {
        return Truth::True;
    }
    let Some((first, last)) = days else { return Truth::Unknown };
    match () {
        () if from.is_some_and(|from| last < from) || until.is_some_and(|until| first > until) => Truth::False,
        () if from.is_none_or(|from| from <= first) && until.is_none_or(|until| last <= until) => Truth::True,
        () => Truth::Unknown,
    }
}

/// Whether a time ends before it begins.
pub(super) fn is_backwards(from: Option<Date>, until: Option<Date>) -> bool {
    from.zip(until).is_some_and(|(from, until)| until < from)
}

fn fail<T>(message: String, span: Range<usize>) -> Result<T, Mistake> {
    Err(Mistake::at(message, span))
}

/// A list that limits; an empty one could only be misunderstood.
fn list<T>(words: Words, read: impl Fn(&str) -> Result<T, String>) -> Result<Option<Vec<T>>, Mistake> {
    let Some(words) = words else { return Ok(None) };
    if words.get_ref().is_empty() {
        let message = "an empty list covers nothing; leave the key out where there is no limit".to_owned();
        return fail(message, words.span());
    }
    each(words.get_ref(), read).map(Some)
}

fn day(it: Option<&Spanned<toml::value::Datetime>>) -> Result<Option<(Date, Range<usize>)>, Mistake> {
    let Some(it) = it else { return Ok(None) };
    match date(it.get_ref()) {
        Some(date) => Ok(Some((date, it.span()))),
        None => fail("expected a date such as 2026-12-31".to_owned(), it.span()),
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::party::{ClaimKind, CountryClaim, Location, LocationState};

    use super::*;
    use crate::recipients::tests::{destination, of_organisation};

    const RECORD: &str = "[[basis]]\nkind = \"consent\"\nfields = [\"email\"]\nrecipients = [\"shop\"]\ncountries = [\"CN\"]\nfrom = 2026-01-01\nuntil = 2026-12-31\nissuer = \"\"\ndocument_sha256 = \"\"\n";

    fn place(country: Option<&str>) -> Place {
        let claim = |code| CountryClaim {
            country: Country::parse(code).unwrap(),
            kind: ClaimKind::Override,
            source: "told".to_owned(),
            edition: String::new(),
            refuted: false,
        };
        Place {
            address: [192, 0, 2, 7].into(),
            network: None,
            location: std::sync::Arc::new(Location {
                countries: Vec::new(),
                state: LocationState::Undetermined,
                claims: country.map(claim).into_iter().collect(),
                excluded: Vec::new(),
                implausible: Vec::new(),
            }),
            special: None,
        }
    }

    /// What a file says of an e-mail address that went to the shop in China on a day.
    struct Asked {
        kind: DatumKind,
        known: bool,
        country: Option<&'static str>,
        days: Option<(Date, Date)>,
    }

    impl Asked {
        fn plain() -> Self {
            let day = Date::parse("2026-11-20").unwrap();
            Self {
                kind: DatumKind::named("email"),
                known: true,
                country: Some("CN"),
                days: Some((day, day)),
            }
        }

        fn of(&self, text: &str) -> Truth {
            let basis = (!text.is_empty()).then(|| Basis::read(text).unwrap());
            let to = of_organisation(destination("api.shop.example"), "shop", self.known);
            let place = place(self.country);
            let sent = Sent {
                kind: &self.kind,
                destination: Some(&to),
                address: Some(place.address),
                place: Some(&place),
                days: self.days,
            };
            Basis::covers(basis.as_ref(), &[BasisKind::Consent, BasisKind::Approval], &sent).0
        }
    }

    #[test]
    fn a_record_covers_field_recipient_country_and_day() {
        let all = format!("complete = true\n{RECORD}");
        assert_eq!(Asked::plain().of(&all), Truth::True);
        let phone = Asked {
            kind: DatumKind::named("phone"),
            ..Asked::plain()
        };
        assert_eq!(phone.of(&all), Truth::False);
        for (from, to) in [
            ("shop", "other"),
            ("\"CN\"", "\"DE\""),
            ("2026-12-31", "2026-11-19"),
            ("consent", "scc"),
        ] {
            assert_eq!(Asked::plain().of(&all.replace(from, to)), Truth::False, "{from}");
        }
        // What is not said is no limit.
        let wide = "complete = true\n[[basis]]\nkind = \"approval\"\n";
        assert_eq!(phone.of(wide), Truth::True);
        assert_eq!(phone.of("complete = true\n"), Truth::False);
    }

    #[test]
    fn what_is_not_known_is_neither_covered_nor_uncovered() {
        let all = format!("complete = true\n{RECORD}");
        let less: [fn(&mut Asked); 3] = [|it| it.known = false, |it| it.country = None, |it| it.days = None];
        for forget in less {
            let mut asked = Asked::plain();
            forget(&mut asked);
            assert_eq!(asked.of(&all), Truth::Unknown);
            // Nor is it uncovered by a record that is of others.
            assert_ne!(asked.of(&all.replace("shop", "other").replace("\"CN\"", "\"DE\"")), Truth::True);
        }
        let over = Asked {
            days: Date::parse("2026-12-31").zip(Date::parse("2027-01-01")),
            ..Asked::plain()
        };
        assert_eq!(over.of(&all), Truth::Unknown, "it ended while it was captured");
        let phone = Asked {
            kind: DatumKind::named("phone"),
            ..Asked::plain()
        };
        assert_eq!(phone.of(RECORD), Truth::Unknown, "there may be more records");
        assert_eq!(phone.of(""), Truth::Unknown, "none were given");
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (from, to, wanted) in [
            ("consent", "consnt", "expected one of"),
            ("email", "E-Mail", "such as \"user-id\""),
            ("shop", "*shop", "no recipient"),
            ("CN", "EU", "such as \"DE\""),
            ("[\"CN\"]", "[]", "leave the key out"),
            ("2026-12-31", "2025-12-31", "before `from`"),
            ("2026-12-31", "2026-12-31T00:00:00Z", "a date such as"),
            ("issuer", "isuer", "unknown field"),
            ("document_sha256 = \"\"", "document_sha256 = \"beef\"", "64"),
        ] {
            let error = Basis::read(&RECORD.replace(from, to)).unwrap_err();
            assert!(error.message.contains(wanted), "{to}: {error}");
            assert!(error.span.is_some(), "{to}");
        }
        assert!(Basis::read("").is_err());
    }
}
