//! Owns what operators say of where their machines are: the lists of ranges that clouds publish, and geofeeds (RFC 8805), as
//! the user brings them. Refuses to give a region whose country nobody wrote down a country, and a list without a date one.
//!
//! Read: Amazon's `ip-ranges.json`, Google's `cloud.json`, Microsoft's `ServiceTags`, Oracle's `public_ip_ranges.json`, and the
//! geofeed's lines `prefix,country,region,city,postal`.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use farshore_model::{
    Country, Date,
    party::{ClaimKind, CountryClaim},
};
use serde::Deserialize;

use super::{
    countries,
    dataset::DatasetInfo,
    prefix::{Prefix, PrefixError},
    whole::WholeError,
};

const TABLE: &str = include_str!("../../../../packs/parties/regions/regions.csv");
const META: &str = include_str!("../../../../packs/parties/regions/meta.toml");

/// An operator's list.
#[derive(Debug, Clone)]
pub struct RegionList {
    name: &'static str,
    kind: ClaimKind,
    edition: String,
    number: Option<u64>,
    /// By length, then by prefix: few lengths are in use. A range without a country hides the wider ones around it.
    rows: Arc<BTreeMap<(u32, Prefix), Option<Country>>>,
    lengths: Vec<u32>,
}

/// A file could not be read as such a list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegionError {
    /// It is none of the forms.
    #[error(
        "neither ip-ranges.json, cloud.json, ServiceTags, public_ip_ranges.json nor a geofeed (lines of prefix,country,region,city,postal)"
    )]
    Form,
    /// No row of it has a country.
    #[error("no range in it has a country")]
    Empty,
}

impl RegionList {
    /// Reads a list in any of the forms.
    pub fn read(text: &str) -> Result<RegionList, RegionError> {
        let list = match text.trim_start().starts_with('{') {
            true => {
                let file: File = serde_json::from_str(text).map_err(|_| RegionError::Form)?;
                published(file)?
            }
            false => geofeed(text)?,
        };
        if list.rows.values().any(Option::is_some) {
            Ok(list)
        } else {
            Err(RegionError::Empty)
        }
    }

    /// The same, with no row read past that is none.
    pub fn whole(text: &str) -> Result<RegionList, WholeError> {
        match text.trim_start().starts_with(['{', '[']) {
            true => {
                let file: File = serde_json::from_str(text).map_err(|error| WholeError::Json {
                    line: error.line(),
                    column: error.column(),
                    problem: problem(&error),
                })?;
                for (list, entries) in [("prefixes", &file.prefixes), ("ipv6_prefixes", &file.ipv6_prefixes)] {
                    if let Some(index) = entries.iter().position(Range::is_without_prefix) {
                        let entry = index.saturating_add(1);
                        return Err(WholeError::Entry { entry, list });
                    }
                }
            }
            false => every_line(text)?,
        }
        Ok(Self::read(text)?)
    }

    /// What sort of opinion it gives.
    pub fn kind(&self) -> ClaimKind {
        self.kind
    }

    /// The number its maker counts it by, if it has one.
    pub fn number(&self) -> Option<u64> {
        self.number
    }

    /// Ranges with a country, and without.
    pub fn rows(&self) -> (u64, u64) {
        let told = self.rows.values().filter(|it| it.is_some()).count() as u64;
        (told, (self.rows.len() as u64).saturating_sub(told))
    }

    fn of(name: &'static str, kind: ClaimKind, edition: String, listed: impl Iterator<Item = (Prefix, Option<Country>)>) -> RegionList {
        let mut rows = BTreeMap::new();
        for (prefix, country) in listed {
            let kept = rows.entry((prefix.length(), prefix)).or_insert(country);
            // Of a range that stands there twice, under two countries, nothing is known.
            *kept = kept.filter(|it| country.is_none_or(|other| other == *it));
        }
        let mut lengths: Vec<u32> = rows.keys().map(|(length, _)| *length).collect();
        lengths.dedup();
        lengths.reverse();
        RegionList {
            name,
            kind,
            edition,
            number: None,
            rows: Arc::new(rows),
            lengths,
        }
    }

    /// What the longest range says of an address.
    pub fn claim(&self, address: IpAddr) -> Option<CountryClaim> {
        let country = self
            .lengths
            .iter()
            .find_map(|length| self.rows.get(&(*length, Prefix::around(address, *length)?)))?;
        Some(CountryClaim {
            country: (*country)?,
            kind: self.kind,
            source: self.name.to_owned(),
            edition: self.edition.clone(),
            refuted: false,
        })
    }

    /// What an audit says of it.
    pub fn info(&self, sha256: &str) -> DatasetInfo {
        let edition = if self.edition.is_empty() { "undated" } else { &self.edition };
        DatasetInfo {
            name: self.name.to_owned(),
            source: "the operator's own list, brought by the user".to_owned(),
            url: String::new(),
            edition: edition.to_owned(),
            as_of: self.edition.clone(),
            licence: "the operator's own".to_owned(),
            licence_url: String::new(),
            attribution: String::new(),
            changes: "regions are given their countries".to_owned(),
            sha256: sha256.to_owned(),
            input: Vec::new(),
            bytes: 0,
        }
    }
}

/// All that the forms have between them.
#[derive(Default, Deserialize)]
#[serde(default)]
struct File {
    /// Amazon: 2026-08-22-01-02-03.
    #[serde(rename = "createDate")]
    create_date: String,
    /// Google: 2026-08-22T01:02:03.
    #[serde(rename = "creationTime")]
    creation_time: String,
    /// Oracle.
    last_updated_timestamp: String,
    prefixes: Vec<Range>,
    ipv6_prefixes: Vec<Range>,
    /// Microsoft, whose file has no date, and a number instead.
    values: Vec<Tag>,
    #[serde(rename = "changeNumber")]
    change_number: Option<u64>,
    regions: Vec<OracleRegion>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Range {
    ip_prefix: Option<Prefix>,
    ipv6_prefix: Option<Prefix>,
    region: String,
    /// A zone abroad belongs to a region elsewhere: where the range is announced counts.
    network_border_group: String,
    #[serde(rename = "ipv4Prefix")]
    google4: Option<Prefix>,
    #[serde(rename = "ipv6Prefix")]
    google6: Option<Prefix>,
    scope: String,
}

impl Range {
    fn is_without_prefix(&self) -> bool {
        [self.ip_prefix, self.ipv6_prefix, self.google4, self.google6] == [None; 4]
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tag {
    name: String,
    properties: Properties,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Properties {
    region: String,
    #[serde(rename = "addressPrefixes")]
    prefixes: Vec<Prefix>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OracleRegion {
    region: String,
    cidrs: Vec<Cidr>,
}

#[derive(Deserialize)]
struct Cidr {
    cidr: Prefix,
}

fn published(file: File) -> Result<RegionList, RegionError> {
    let all = || file.prefixes.iter().chain(&file.ipv6_prefixes);
    let list = |name, edition: &str, rows: Vec<(Prefix, Option<Country>)>| {
        let edition = edition.get(..10).filter(|it| Date::parse(it).is_some()).unwrap_or_default();
        Ok(RegionList::of(name, ClaimKind::CloudRegion, edition.to_owned(), rows.into_iter()))
    };
    if !file.create_date.is_empty() {
        let rows = all().filter_map(|it| {
            let zone = if it.network_border_group.is_empty() {
                &it.region
            } else {
                &it.network_border_group
            };
            Some((it.ip_prefix.or(it.ipv6_prefix)?, country("aws", zone)))
        });
        return list("aws-ranges", &file.create_date, rows.collect());
    }
    if !file.creation_time.is_empty() {
        let rows = all().filter_map(|it| Some((it.google4.or(it.google6)?, country("google", &it.scope))));
        return list("google-ranges", &file.creation_time, rows.collect());
    }
    if !file.last_updated_timestamp.is_empty() {
        let rows = file.regions.iter().flat_map(|region| {
            let country = country("oracle", &region.region);
            region.cidrs.iter().map(move |it| (it.cidr, country))
        });
        return list("oracle-ranges", &file.last_updated_timestamp, rows.collect());
    }
    if !file.values.is_empty() {
        let tags = file.values.iter().filter(|it| it.name.starts_with("AzureCloud."));
        let rows = tags.flat_map(|it| {
            let country = country("azure", &it.properties.region);
            it.properties.prefixes.iter().map(move |prefix| (*prefix, country))
        });
        let list = list("azure-ranges", "", rows.collect())?;
        return Ok(RegionList {
            number: file.change_number,
            ..list
        });
    }
    Err(RegionError::Form)
}

/// What serde says, without the place, which is told beside it.
fn problem(error: &serde_json::Error) -> String {
    let said = error.to_string();
    said.rsplit_once(" at line ").map_or(said.as_str(), |(what, _)| what).to_owned()
}

/// Whether every line of a geofeed is a comment, empty, or a row.
fn every_line(text: &str) -> Result<(), WholeError> {
    let mut begin = 0_usize;
    for (index, line) in text.split('\n').enumerate() {
        let span = begin..begin.saturating_add(line.trim_end().len());
        begin = begin.saturating_add(line.len()).saturating_add(1);
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Err(problem) = row_of(line) {
            let line = index.saturating_add(1);
            return Err(WholeError::Line { line, problem, span });
        }
    }
    Ok(())
}

/// A prefix, or an address alone (RFC 8805, section 2.1.1.1).
fn block(text: &str) -> Result<Prefix, PrefixError> {
    let own = |address: IpAddr| Prefix::around(address, if address.is_ipv4() { 32 } else { 128 });
    match text.parse().ok().and_then(own) {
        Some(prefix) => Ok(prefix),
        None => text.parse(),
    }
}

/// Whether a line of a geofeed is a row; else what was expected.
fn row_of(line: &str) -> Result<(), String> {
    let mut cells = line.split(',').map(str::trim);
    let (Some(prefix), Some(code)) = (cells.next(), cells.next()) else {
        return Err("expected `prefix,country` and perhaps region, city and postal code, as RFC 8805 has it".to_owned());
    };
    if let Err(error) = block(prefix) {
        return Err(format!("expected a prefix such as 192.0.2.0/24, or an address: {error}"));
    }
    let known = Country::parse(code).is_some_and(|it| countries::name(it).is_some());
    match known || code.is_empty() {
        true => Ok(()),
        false => Err("expected the two letters of a country in ISO 3166-1, such as DE, or nothing".to_owned()),
    }
}

/// RFC 8805, section 2.1: comments begin with `#`; of the fields only prefix and country are of use here. One that is neither
/// is skipped, as section 3.2 asks, but a file without any is none.
fn geofeed(text: &str) -> Result<RegionList, RegionError> {
    let (comments, lines): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.trim_start().starts_with('#'));
    let edition = comments
        .iter()
        .flat_map(|line| line.split(|c: char| !c.is_ascii_digit() && c != '-'));
    let edition = edition.filter(|word| Date::parse(word).is_some()).max().unwrap_or_default();
    let row = |line: &str| {
        let mut cells = line.split(',').map(str::trim);
        let (prefix, code) = (block(cells.next()?).ok()?, cells.next()?);
        Some((prefix, Country::parse(code).filter(|it| countries::name(*it).is_some())))
    };
    let rows: Vec<(Prefix, Option<Country>)> = lines.into_iter().filter_map(row).collect();
    if rows.is_empty() {
        return Err(RegionError::Form);
    }
    Ok(RegionList::of("geofeed", ClaimKind::Geofeed, edition.to_owned(), rows.into_iter()))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    provider: String,
    region: String,
    country: String,
    #[serde(rename = "place")]
    _place: String,
    #[serde(rename = "source")]
    _source: String,
}

/// Every region and its country, as far as all clouds that have one of that name agree.
pub(super) fn names() -> impl Iterator<Item = (String, Country)> {
    let rows = csv::Reader::from_reader(TABLE.as_bytes()).into_deserialize();
    let rows = rows.filter_map(|row: Result<Row, csv::Error>| row.ok());
    let mut names: BTreeMap<String, Option<Country>> = BTreeMap::new();
    for (region, country) in rows.filter_map(|it| Some((it.region, Country::parse(&it.country)?))) {
        let kept = names.entry(region).or_insert(Some(country));
        *kept = kept.filter(|it| *it == country);
    }
    names.into_iter().filter_map(|(region, country)| Some((region, country?)))
}

fn country(provider: &str, region: &str) -> Option<Country> {
    static ROWS: OnceLock<BTreeMap<(String, String), Country>> = OnceLock::new();
    let rows = ROWS.get_or_init(|| {
        let rows = csv::Reader::from_reader(TABLE.as_bytes()).into_deserialize();
        let rows = rows.filter_map(|row: Result<Row, csv::Error>| row.ok());
        let known = rows.filter_map(|it| Some(((it.provider, it.region), Country::parse(&it.country)?)));
        known.collect()
    });
    rows.get(&(provider.to_owned(), region.to_owned())).copied()
}

/// Source, date, licence.
pub(super) fn info() -> Option<&'static DatasetInfo> {
    static INFO: OnceLock<Option<DatasetInfo>> = OnceLock::new();
    INFO.get_or_init(|| DatasetInfo::read(META).ok()).as_ref()
}

/// The embedded files, in order of name.
pub(super) fn files() -> [&'static [u8]; 2] {
    [super::hints::TABLE.as_bytes(), TABLE.as_bytes()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_has_a_country_that_is_one() {
        let rows: Vec<Row> = csv::Reader::from_reader(TABLE.as_bytes())
            .into_deserialize()
            .map(Result::unwrap)
            .collect();
        assert!(rows.len() > 200);
        for row in &rows {
            assert!(countries::country_name(&row.country).is_some(), "{row:?}");
            assert!(row._source.starts_with("https://") && !row._place.is_empty(), "{row:?}");
            assert_eq!(country(&row.provider, &row.region), Country::parse(&row.country), "{row:?}");
        }
    }

    #[test]
    fn the_forms_of_the_clouds_are_read() {
        let aws = r#"{"syncToken":"1","createDate":"2026-08-22-01-02-03","prefixes":[
            {"ip_prefix":"15.160.0.0/15","region":"eu-south-1","service":"AMAZON","network_border_group":"eu-south-1"},
            {"ip_prefix":"15.161.0.0/24","region":"nowhere-9","service":"EC2","network_border_group":"nowhere-9"}],
            "ipv6_prefixes":[{"ipv6_prefix":"2a05:d01a::/36","region":"eu-south-1","service":"EC2","network_border_group":"eu-south-1"}]}"#;
        let google = r#"{"syncToken":"1","creationTime":"2026-08-20T04:22:04.3","prefixes":[
            {"ipv4Prefix":"34.154.0.0/18","service":"Google Cloud","scope":"europe-west8"},
            {"ipv6Prefix":"2600:1900:8000::/44","service":"Google Cloud","scope":"global"}]}"#;
        let azure = r#"{"changeNumber":363,"cloud":"Public","values":[
            {"name":"AzureCloud.italynorth","id":"x","properties":{"region":"italynorth","addressPrefixes":["4.232.0.0/17"]}},
            {"name":"Storage","properties":{"region":"","addressPrefixes":["4.233.0.0/17"]}}]}"#;
        let oracle = r#"{"last_updated_timestamp":"2026-07-21T18:02:00.1","regions":[
            {"region":"eu-milan-1","cidrs":[{"cidr":"129.152.0.0/19","tags":["OCI"]}]}]}"#;
        let feed = "# as of 2026-08-01\n129.152.0.0/19,IT,IT-25,Milan,\nnonsense\n2001:db8::/32,ZQ,,,\n";
        for (text, address, source, edition) in [
            (aws, "15.160.3.4", "aws-ranges", "2026-08-22"),
            (aws, "2a05:d01a::7", "aws-ranges", "2026-08-22"),
            (google, "34.154.9.9", "google-ranges", "2026-08-20"),
            (azure, "4.232.1.1", "azure-ranges", ""),
            (oracle, "129.152.1.1", "oracle-ranges", "2026-07-21"),
            (feed, "129.152.1.1", "geofeed", "2026-08-01"),
        ] {
            let claim = RegionList::read(text).unwrap().claim(address.parse().unwrap()).unwrap();
            assert_eq!(
                (claim.country.code(), claim.source.as_str(), claim.edition.as_str()),
                ("IT", source, edition)
            );
        }
        let aws = RegionList::read(aws).unwrap();
        assert_eq!(aws.claim("8.8.8.8".parse().unwrap()), None);
    }

    #[test]
    fn a_geofeed_may_name_single_addresses() {
        let feed = RegionList::whole("192.0.2.7,IT,,,\n2001:db8::7,FR\n").unwrap();
        let said = |address: &str| feed.claim(address.parse().unwrap()).map(|it| it.country);
        assert_eq!(said("192.0.2.7"), Country::parse("IT"));
        assert_eq!(said("2001:db8::7"), Country::parse("FR"));
        assert_eq!(said("192.0.2.8"), None);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in ["", "{}", "{\"values\":3}", "[1]", "some text\nand more", "\u{feff}"] {
            assert_eq!(RegionList::read(text).unwrap_err(), RegionError::Form, "{text}");
        }
        assert_eq!(RegionList::read("192.0.2.0/24,,,,\n").unwrap_err(), RegionError::Empty);
    }
}
