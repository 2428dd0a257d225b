//! Owns what a host name hints at: regions of clouds (`eu-south-1`, `europe-west3`), airports with a number (`fra1`, `lhr48s01`),
//! cities. Refuses to take a hint for a place: whoever names a machine need not move the name when the machine moves.
//!
//! Looked at are the labels that the operator gave, not the name that somebody registered, nor one below a suffix that is open
//! to the public: `paris.github.io` is a person's choice.

use std::{collections::BTreeMap, sync::OnceLock};

use ahash::HashMap;
use farshore_model::{
    Country,
    party::{ClaimKind, CountryClaim},
};
use serde::Deserialize;

use super::regions;

/// Airports and cities.
pub(super) const TABLE: &str = include_str!("../../../../packs/parties/regions/names.csv");

/// Parts between hyphens that the longest name of a region has.
const LONGEST: usize = 6;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    kind: Kind,
    word: String,
    country: String,
    #[serde(rename = "place")]
    _place: String,
    #[serde(rename = "source")]
    _source: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Airport,
    City,
}

#[derive(Default)]
struct Words {
    regions: HashMap<String, Country>,
    airports: HashMap<String, Country>,
    cities: HashMap<String, Country>,
}

/// The hints of a name in lower case, sorted.
pub fn of(host: &str) -> Vec<CountryClaim> {
    let mut found: BTreeMap<&str, Country> = BTreeMap::new();
    for label in labels(host) {
        hinted(label, words(), &mut found);
    }
    let edition = regions::info().map(|info| info.edition.clone()).unwrap_or_default();
    let mut claims: Vec<CountryClaim> = found
        .into_iter()
        .map(|(word, country)| CountryClaim {
            country,
            kind: ClaimKind::Name,
            source: format!("host name ({word})"),
            edition: edition.clone(),
            refuted: false,
        })
        .collect();
    claims.sort();
    claims
}

/// The labels an operator gave: those in front of the registered name, and those of a suffix that a company opened to its
/// customers, up to its own name.
fn labels(host: &str) -> impl Iterator<Item = &str> {
    let domain = psl::domain(host.as_bytes());
    let split = domain.and_then(|domain| {
        let suffix = domain.suffix();
        let open = suffix.typ() == Some(psl::Type::Private);
        let front = host.len().checked_sub(domain.as_bytes().len())?;
        let back = host.len().checked_sub(suffix.as_bytes().len())?;
        Some((host.get(..front)?, host.get(back..).filter(|_| open)))
    });
    let (front, suffix) = split.unwrap_or_default();
    // Of `eu-south-1.compute.amazonaws.com` the last two are the company's own name.
    let suffix = suffix
        .and_then(|it| it.rsplit_once('.')?.0.rsplit_once('.'))
        .map_or("", |(labels, _)| labels);
    front.split('.').chain(suffix.split('.')).filter(|label| !label.is_empty())
}

/// Adds what one label hints at: regions first, the longest name of them, and what is left part by part.
fn hinted<'a>(label: &'a str, words: &Words, found: &mut BTreeMap<&'a str, Country>) {
    let mut rest = label;
    while !rest.is_empty() {
        let ends = rest.match_indices('-').map(|(at, _)| at).chain([rest.len()]).take(LONGEST);
        let regions = ends.filter_map(|end| region(rest.get(..end)?, words));
        let part = rest.split('-').next().unwrap_or(rest);
        let hint = regions.last().or_else(|| Some((part, place(part, words)?)));
        let taken = hint.map_or(part.len(), |(word, country)| {
            found.insert(word, country);
            word.len()
        });
        // Behind a region may stand the letter of its zone.
        rest = rest.get(taken..).and_then(|it| it.split_once('-')).map_or("", |(_, rest)| rest);
    }
}

/// `eu-south-1`, or with its zone `eu-south-1a`.
fn region<'a>(text: &'a str, words: &Words) -> Option<(&'a str, Country)> {
    let bare = text.strip_suffix(|it: char| matches!(it, 'a'..='f'));
    let bare = bare.filter(|it| it.ends_with(|it: char| it.is_ascii_digit()));
    [Some(text), bare]
        .into_iter()
        .flatten()
        .find_map(|name| Some((name, *words.regions.get(name)?)))
}

/// An airport in front of a number, since three letters alone are anything; a city with one or without.
fn place(part: &str, words: &Words) -> Option<Country> {
    let letters = part.bytes().take_while(u8::is_ascii_lowercase).count();
    let (word, rest) = part.split_at_checked(letters)?;
    let numbered = rest.starts_with(|it: char| it.is_ascii_digit());
    let only = rest.bytes().all(|it| it.is_ascii_digit());
    let airport = words.airports.get(word).filter(|_| numbered);
    airport.or_else(|| words.cities.get(word).filter(|_| only)).copied()
}

/// The embedded tables; a test reads them, so they cannot be broken at run time.
fn words() -> &'static Words {
    static WORDS: OnceLock<Words> = OnceLock::new();
    WORDS.get_or_init(|| {
        let mut words = Words {
            regions: regions::names().collect(),
            ..Words::default()
        };
        for row in rows() {
            let of_kind = match row.kind {
                Kind::Airport => &mut words.airports,
                Kind::City => &mut words.cities,
            };
            if let Some(country) = Country::parse(&row.country) {
                of_kind.insert(row.word, country);
            }
        }
        words
    })
}

fn rows() -> impl Iterator<Item = Row> {
    let rows = csv::Reader::from_reader(TABLE.as_bytes()).into_deserialize();
    rows.filter_map(|row: Result<Row, csv::Error>| row.ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parties::{Datasets, countries};

    fn hints(host: &str) -> String {
        let claims = Datasets::embedded().hints(host);
        assert!(claims.iter().all(|it| it.kind == ClaimKind::Name), "{claims:?}");
        let said = claims.iter().map(|it| format!("{} {}", it.country, it.source));
        said.collect::<Vec<_>>().join(", ").replace("host name ", "")
    }

    #[test]
    fn every_row_reads_and_names_a_country() {
        let lines = TABLE.lines().count();
        assert_eq!(rows().count(), lines - 1);
        for row in rows() {
            assert!(countries::country_name(&row.country).is_some(), "{row:?}");
            assert!(row._source.starts_with("https://") && !row._place.is_empty(), "{row:?}");
            assert!(row.word.bytes().all(|it| it.is_ascii_lowercase()), "{row:?}");
            assert!(row.kind == Kind::City || row.word.len() == 3, "{row:?}");
        }
    }

    #[test]
    fn regions_airports_and_cities_are_hints() {
        for (host, wanted) in [
            ("ec2-15-160-1-2.eu-south-1.compute.amazonaws.com", "IT (eu-south-1)"),
            ("Bucket.S3-EU-West-1.amazonaws.com", "IE (eu-west-1)"),
            ("europe-west3-docker.pkg.dev", "DE (europe-west3)"),
            ("db.us-east-1a.prod.agora.io", "US (us-east-1)"),
            ("node.us-east-1-bue-1.agora.io", "AR (us-east-1-bue-1)"),
            ("vm.westeurope.cloudapp.azure.com", "NL (westeurope)"),
            ("edge-star-shv-01-lhr3.facebook.com", "GB (lhr3)"),
            ("ams15s30-in-f14.1e100.net", "NL (ams15s30)"),
            ("space.sfo2.digitaloceanspaces.com", "US (sfo2)"),
            ("singapore2.relay.agora.io", "SG (singapore2)"),
            // Both are listed: neither is chosen.
            ("fra1-syd2.agora.io", "AU (syd2), DE (fra1)"),
        ] {
            assert_eq!(hints(host), wanted, "{host}");
        }
    }

    #[test]
    fn what_only_looks_like_a_place_is_no_hint() {
        for host in [
            // Three letters alone, words with a number, codes within words.
            "fra.agora.io",
            "sin.agora.io",
            "man1.agora.io",
            "del2.agora.io",
            "doh1.agora.io",
            "cdn1.agora.io",
            "lax.agora-frankfurt1.io",
            "xfra1.agora.io",
            "frankfurter.agora.io",
            "api-v2.agora.io",
            // Names that somebody registered, and that anybody may choose.
            "fra1.com",
            "eu-south-1.com",
            "frankfurt.de",
            "berlin.co.uk",
            "singapore.github.io",
            "eu-south-1.s3.amazonaws.com",
            // Regions there are not.
            "eu-south-11.agora.io",
            "us-east.agora.io",
            "europe-west3b2.agora.io",
            // Nobody's names, and none at all.
            "fra1.voice.example",
            "localhost",
            "",
            "..",
            "192.0.2.1",
        ] {
            assert_eq!(hints(host), "", "{host}");
        }
    }
}
