//! Whose data it is, as told by whoever captured it: where they live, on which market they got the app, whether they are a U.S. person.
//! No capture shows any of it. Refuses to take what is not told for a no.

use farshore_model::{Country, Date, Ledger};
use serde::Deserialize;
use toml::Spanned;

use super::kleene::Truth;
use crate::parties::{countries, laws};
use crate::written::Mistake;

/// Whose data. Of a key that is absent nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataSubject {
    residence: Option<Country>,
    market: Option<Country>,
    us_person: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    residence: Option<Spanned<String>>,
    market: Option<Spanned<String>>,
    us_person: Option<bool>,
}

impl DataSubject {
    /// Reads a file of `residence`, `market` and `us_person`.
    pub fn read(text: &str) -> Result<Self, Mistake> {
        let file: File = toml::from_str(text).map_err(Mistake::from_toml)?;
        let country = |it: Option<Spanned<String>>, union: bool| {
            let Some(it) = it else { return Ok(None) };
            match countries::parse(it.get_ref(), union) {
                Some(country) => Ok(Some(country)),
                None => Err(Mistake {
                    message: format!(
                        "`{}` is no country code; expected one such as \"DE\"{}",
                        it.get_ref(),
                        if union { ", or \"EU\"" } else { "" }
                    ),
                    span: Some(it.span()),
                }),
            }
        };
        let it = Self {
            residence: country(file.residence, false)?,
            market: country(file.market, true)?,
            us_person: file.us_person,
        };
        if it == Self::default() {
            return Err(Mistake::of(
                "it says nothing; expected any of `residence`, `market`, `us_person`".to_owned(),
            ));
        }
        Ok(it)
    }

    /// Whether the data are of the market of one of these countries, and in which words.
    pub(super) fn of_market(told: Option<&Self>, states: &[Country], day: Option<Date>) -> (Truth, String) {
        let Some(market) = told.and_then(|it| it.market) else {
            return (Truth::Unknown, "of which market the subject is was not told".to_owned());
        };
        let truth = match within(market, states, day) {
            // The market of a union is that of some member.
            Truth::False if states.iter().any(|it| laws::unions_of(*it, day).any(|union| union == market)) => Truth::Unknown,
            truth => truth,
        };
        (truth, format!("the subject is told to be of the market {market}"))
    }

    /// Whether the subject lives in one of these countries, by what is told here and in the labels of the inputs.
    pub(super) fn resides(told: Option<&Self>, ledger: &Ledger, states: &[Country], day: Option<Date>) -> (Truth, String) {
        let said = told.and_then(|it| it.residence);
        let labelled = ledger.inputs.iter().map(|it| {
            let label = it.labels.iter().find(|(key, _)| key.as_str() == "residence");
            label.map(|(_, code)| code.as_str()).filter(|it| !it.is_empty())
        });
        let all: Vec<Option<&str>> = labelled.map(|label| label.or(said.as_ref().map(Country::code))).collect();
        let mut known = all.iter().flatten();
        let Some(first) = known.next().copied().or(said.as_ref().map(Country::code)) else {
            return (Truth::Unknown, "where the subject lives was not told".to_owned());
        };
        let disagree = said.is_some_and(|it| it.code() != first) || known.any(|it| *it != first);
        if disagree || all.iter().any(Option::is_none) {
            let why = "where the subject lives is not told alike of all inputs (--subject, label residence)";
            return (Truth::Unknown, why.to_owned());
        }
        match Country::parse(first) {
            Some(home) => (within(home, states, day), format!("the subject is told to live in {home}")),
            None => (
                Truth::Unknown,
                "the label residence of an input is no country code such as DE".to_owned(),
            ),
        }
    }

    /// Whether the subject is, or is not, a U.S. person.
    pub(super) fn is_us_person(told: Option<&Self>, wanted: bool) -> (Truth, String) {
        match told.and_then(|it| it.us_person) {
            Some(it) => {
                let what = if it { "a" } else { "no" };
                ((it == wanted).into(), format!("the subject is told to be {what} U.S. person"))
            }
            None => (Truth::Unknown, "whether the subject is a U.S. person was not told".to_owned()),
        }
    }
}

/// Whether it is one of these, or in a union that is.
fn within(it: Country, states: &[Country], day: Option<Date>) -> Truth {
    let is_union = |it: &&Country| it.code() == "EU";
    match () {
        () if states.contains(&it) => Truth::True,
        () if states.iter().filter(is_union).any(|it| !laws::members_are_known(*it, day)) => Truth::Unknown,
        () => laws::unions_of(it, day).any(|union| states.contains(&union)).into(),
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::ledger::InputRecord;

    use super::*;

    fn codes(codes: &[&str]) -> Vec<Country> {
        codes.iter().filter_map(|it| Country::parse(it)).collect()
    }

    #[test]
    fn what_is_not_told_is_not_known() {
        let day = Date::parse("2026-11-20");
        let of = |text: &str| DataSubject::read(text).unwrap();
        let market = |text: &str, states: &[&str]| DataSubject::of_market(Some(&of(text)), &codes(states), day).0;
        assert_eq!(market("market = \"CN\"", &["CN"]), Truth::True);
        assert_eq!(market("market = \"US\"", &["CN"]), Truth::False);
        assert_eq!(market("market = \"DE\"", &["EU"]), Truth::True);
        assert_eq!(market("market = \"GB\"", &["EU"]), Truth::False);
        let before = DataSubject::of_market(Some(&of("market = \"GB\"")), &codes(&["EU"]), Date::parse("2019-11-20"));
        assert_eq!(before.0, Truth::Unknown, "who was a member then is not in the table");
        assert_eq!(market("market = \"EU\"", &["DE"]), Truth::Unknown, "some member's");
        assert_eq!(market("market = \"EU\"", &["CN"]), Truth::False);
        assert_eq!(market("us_person = true", &["CN"]), Truth::Unknown);
        assert_eq!(DataSubject::of_market(None, &codes(&["CN"]), day).0, Truth::Unknown);
        assert_eq!(DataSubject::is_us_person(Some(&of("us_person = false")), true).0, Truth::False);
        assert_eq!(DataSubject::is_us_person(Some(&of("market = \"US\"")), true).0, Truth::Unknown);
    }

    #[test]
    fn labels_that_say_otherwise_leave_it_open() {
        let labelled = |labels: &[&str]| Ledger {
            inputs: labels
                .iter()
                .map(|it| InputRecord {
                    labels: [("residence".to_owned(), (*it).to_owned())].into(),
                    ..InputRecord::default()
                })
                .collect(),
            ..Ledger::default()
        };
        let home = DataSubject::read("residence = \"DE\"").unwrap();
        let lives = |told: Option<&DataSubject>, labels: &[&str]| DataSubject::resides(told, &labelled(labels), &codes(&["DE"]), None).0;
        assert_eq!(lives(Some(&home), &[""]), Truth::True);
        assert_eq!(lives(Some(&home), &["DE"]), Truth::True);
        assert_eq!(lives(Some(&home), &["FR"]), Truth::Unknown);
        assert_eq!(lives(None, &["DE", "DE"]), Truth::True);
        assert_eq!(lives(None, &["FR"]), Truth::False);
        assert_eq!(lives(None, &["DE", "FR"]), Truth::Unknown);
        assert_eq!(lives(None, &["DE", ""]), Truth::Unknown);
        assert_eq!(lives(None, &["somewhere"]), Truth::Unknown);
        assert_eq!(lives(None, &[]), Truth::Unknown);
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, wanted) in [
            ("residence = \"Germany\"", "such as \"DE\""),
            ("residence = \"EU\"", "such as \"DE\""),
            ("market = \"UK\"", "or \"EU\""),
            ("us_person = \"yes\"", "boolean"),
            ("us-person = true", "us_person"),
            ("", "says nothing"),
        ] {
            let error = DataSubject::read(text).unwrap_err();
            assert!(error.message.contains(wanted), "{text}: {error}");
            assert!(error.span.is_some() || text.is_empty(), "{text}");
        }
    }
}
