//! Countries that a pack names together, each for as long as a decision says so. Owns which of them count on given days; refuses to count
//! one for certain where the decision has limits that no address shows, or where the days are not known.

use farshore_model::{Country, Date};
use serde::Deserialize;

use super::basis::{during, is_backwards};
use super::kleene::Truth;
use super::pack::{are_countries, date};

/// Countries under a name, such as those whose law the Commission found adequate.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// What predicates call it.
    pub name: String,
    /// Where it was read.
    pub source: String,
    /// The day of which it was read.
    #[serde(deserialize_with = "date")]
    pub as_of: Option<Date>,
    /// Its rows.
    #[serde(rename = "row")]
    pub rows: Vec<Row>,
}

/// What one decision says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Of which countries.
    pub countries: Vec<String>,
    /// The decision.
    pub by: String,
    /// The first day on which it holds.
    #[serde(default, deserialize_with = "date")]
    pub from: Option<Date>,
    /// The last one.
    #[serde(default, deserialize_with = "date")]
    pub until: Option<Date>,
    /// What it is limited to, if it does not hold for all that is sent there.
    #[serde(default)]
    pub only: Option<String>,
}

/// A country that may count, and the row that leaves it open.
pub(super) type Open<'a> = (Country, Option<&'a Row>);

impl Set {
    /// What is wrong with it, if anything.
    pub(super) fn check(&self) -> Result<(), String> {
        let name = &self.name;
        if self.rows.iter().all(|it| it.countries.is_empty()) {
            return Err(format!("the set `{name}` names no country"));
        }
        for row in &self.rows {
            are_countries(row.countries.iter(), false).map_err(|why| format!("the set `{name}`: {why}"))?;
            if is_backwards(row.from, row.until) {
                return Err(format!("the set `{name}`: `until` lies before `from` ({})", row.by));
            }
        }
        Ok(())
    }
}

/// Which countries of these rows count throughout the days, and which may.
pub(super) fn on(rows: &[Row], days: Option<(Date, Date)>) -> (Vec<Country>, Vec<Open<'_>>) {
    let (mut sure, mut open) = (Vec::new(), Vec::new());
    for row in rows {
        let countries = row.countries.iter().filter_map(|code| Country::parse(code));
        match (during(row.from, row.until, days), &row.only) {
            (Truth::False, _) => {}
            (Truth::True, None) => sure.extend(countries),
            (Truth::True | Truth::Unknown, _) => open.extend(countries.map(|it| (it, Some(row)))),
        }
    }
    (sure, open)
}

impl Row {
    /// What leaves open whether a country of it counts: its limits, else its days.
    pub(super) fn limits(&self, country: Country) -> String {
        match &self.only {
            Some(only) => format!("{country} counts for {only} ({})", self.by),
            None => {
                let from = self.from.map(|it| format!(" from {it}")).unwrap_or_default();
                let until = self.until.map(|it| format!(" until {it}")).unwrap_or_default();
                format!("{country} counts by {} only{from}{until}", self.by)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(countries: &[&str], from: Option<&str>, until: Option<&str>, only: Option<&str>) -> Row {
        let day = |it: Option<&str>| it.map(|it| Date::parse(it).unwrap());
        Row {
            countries: countries.iter().map(|it| (*it).to_owned()).collect(),
            by: "a decision".to_owned(),
            from: day(from),
            until: day(until),
            only: only.map(str::to_owned),
        }
    }

    /// The countries that count on such days, and those that may.
    fn told(rows: &[Row], days: Option<(&str, &str)>) -> (String, String) {
        let days = days.map(|(first, last)| (Date::parse(first).unwrap(), Date::parse(last).unwrap()));
        let (sure, open) = on(rows, days);
        let listed = |all: Vec<Country>| all.iter().map(Country::code).collect::<Vec<_>>().join(" ");
        (listed(sure), listed(open.into_iter().map(|(it, _)| it).collect()))
    }

    #[test]
    fn a_decision_counts_on_its_days_alone() {
        let rows = [
            row(&["DE", "FR"], None, None, None),
            row(&["GB"], Some("2021-06-28"), Some("2031-12-27"), None),
        ];
        let said = |days| told(&rows, days);
        assert_eq!(said(Some(("2021-06-28", "2031-12-27"))), ("DE FR GB".into(), "".into()));
        assert_eq!(said(Some(("2021-06-27", "2021-06-27"))), ("DE FR".into(), "".into()));
        assert_eq!(
            said(Some(("2021-06-27", "2021-06-28"))),
            ("DE FR".into(), "GB".into()),
            "over the edge"
        );
        assert_eq!(said(Some(("2032-01-01", "2032-01-01"))), ("DE FR".into(), "".into()));
        assert_eq!(said(None), ("DE FR".into(), "GB".into()), "of no day");
    }

    #[test]
    fn what_is_limited_is_open_even_on_its_days() {
        let rows = [row(&["US"], Some("2023-07-10"), None, Some("those on a list"))];
        assert_eq!(told(&rows, Some(("2024-01-01", "2024-01-01"))), ("".into(), "US".into()));
        assert_eq!(told(&rows, Some(("2023-07-09", "2023-07-09"))), ("".into(), "".into()));
        let (_, open) = on(&rows, None);
        assert_eq!(open[0].1.unwrap().limits(open[0].0), "US counts for those on a list (a decision)");
        let rows = [row(&["GB"], Some("2021-06-28"), Some("2031-12-27"), None)];
        let (_, open) = on(&rows, None);
        assert_eq!(
            open[0].1.unwrap().limits(open[0].0),
            "GB counts by a decision only from 2021-06-28 until 2031-12-27"
        );
    }
}
