//! Owns what the user knows better: a file of prefixes with a country and a reason. It wins over every source, and its
//! reason is shown. Refuses a row without a reason, and one prefix twice.

use std::net::IpAddr;

use farshore_model::{
    Country,
    party::{ClaimKind, CountryClaim},
};
use serde::Deserialize;

use super::{countries, prefix::Prefix};
use crate::written::Mistake;

/// The rows of all files that were given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides(Vec<Override>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Override {
    prefix: Prefix,
    country: Country,
    reason: String,
    as_of: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default, rename = "override")]
    rows: Vec<toml::Spanned<Row>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    address: String,
    country: String,
    reason: String,
    #[serde(default)]
    as_of: Option<toml::value::Datetime>,
}

impl Overrides {
    /// No rows.
    pub(super) const NONE: Overrides = Overrides(Vec::new());

    /// Adds the rows of a file: `[[override]] address (or prefix), country, reason`, and `as_of` if that is known.
    pub fn add(&mut self, text: &str) -> Result<(), Mistake> {
        let table: Table = toml::from_str(text).map_err(Mistake::from_toml)?;
        for spanned in table.rows {
            let span = spanned.span();
            let row = read(spanned.into_inner()).and_then(|row| {
                let known = self.0.iter().any(|it| it.prefix == row.prefix);
                if known {
                    Err(format!("{} is overridden twice", row.prefix))
                } else {
                    Ok(row)
                }
            });
            self.0.push(row.map_err(|message| Mistake::at(message, span))?);
        }
        // The narrowest first.
        self.0.sort_by_key(|row| (std::cmp::Reverse(row.prefix.length()), row.prefix));
        Ok(())
    }

    /// What the narrowest row says of an address.
    pub fn claim(&self, address: IpAddr) -> Option<CountryClaim> {
        let row = self.0.iter().find(|row| row.prefix.contains(address))?;
        Some(CountryClaim {
            country: row.country,
            kind: ClaimKind::Override,
            source: row.reason.clone(),
            edition: row.as_of.clone(),
            refuted: false,
        })
    }
}

fn read(row: Row) -> Result<Override, String> {
    let prefix = row.address.parse().or_else(|error| {
        let whole = row.address.parse::<IpAddr>().map_err(|_| format!("{}: {error}", row.address))?;
        let width = if whole.is_ipv4() { 32 } else { 128 };
        format!("{whole}/{width}").parse::<Prefix>().map_err(|error| error.to_string())
    })?;
    let country = Country::parse(&row.country).filter(|it| countries::name(*it).is_some());
    if row.reason.trim().is_empty() {
        return Err("an override needs a reason: it is shown wherever it decides".to_owned());
    }
    Ok(Override {
        prefix,
        country: country.ok_or_else(|| format!("{}: no country code; expected one such as DE", row.country))?,
        reason: row.reason,
        as_of: row.as_of.map(|it| it.to_string()).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_row_wins_and_its_reason_is_told() {
        let mut rows = Overrides::default();
        rows.add("[[override]]\naddress = \"149.154.160.0/20\"\ncountry = \"AE\"\nreason = \"seat\"\n")
            .unwrap();
        rows.add("[[override]]\naddress = \"149.154.167.50\"\ncountry = \"NL\"\nreason = \"measured\"\nas_of = 2026-11-01\n")
            .unwrap();
        let said = |address: &str| {
            let claim = rows.claim(address.parse().unwrap())?;
            Some((claim.country.code().to_owned(), claim.source, claim.edition))
        };
        let own = |a: &str, b: &str, c: &str| Some((a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(said("149.154.167.50"), own("NL", "measured", "2026-11-01"));
        assert_eq!(said("149.154.167.51"), own("AE", "seat", ""));
        assert_eq!(said("149.154.176.1"), None);
    }

    #[test]
    fn a_row_that_cannot_stand_is_refused_with_its_place() {
        let row = |address: &str, country: &str, reason: &str| {
            format!("[[override]]\naddress = \"{address}\"\ncountry = \"{country}\"\nreason = \"{reason}\"\n")
        };
        for (text, wanted) in [
            (row("192.0.2.1/24", "DE", "x"), "192.0.2.1/24"),
            (row("host.example", "DE", "x"), "host.example"),
            (row("192.0.2.1", "Germany", "x"), "such as DE"),
            (row("192.0.2.1", "UK", "x"), "such as DE"),
            (row("192.0.2.1", "DE", " "), "reason"),
            (row("192.0.2.1", "DE", "x").repeat(2), "twice"),
            ("[[override]]\naddres = \"192.0.2.1\"\n".to_owned(), "addres"),
        ] {
            let error = Overrides::default().add(&text).unwrap_err();
            assert!(error.message.contains(wanted) && error.span.is_some(), "{error}");
        }
    }
}
