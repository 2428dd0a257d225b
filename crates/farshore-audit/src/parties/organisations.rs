//! Owns the curated table of organisations: seats, owners, domains, networks, and where customers are hosted.
//! Refuses to turn hosting into operating: who rents a machine out is not who receives what it is sent.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use farshore_model::{
    Country,
    party::{Organisation, Owner, OwnerRelation},
};
use serde::Deserialize;

use super::{dataset::DatasetInfo, domains::upwards};

const TABLE: &str = include_str!("../../../../packs/parties/organisations/organisations.csv");
const HOSTING: &str = include_str!("../../../../packs/parties/organisations/hosting.csv");
const META: &str = include_str!("../../../../packs/parties/organisations/meta.toml");

/// A row, as it is kept. Lists are separated by blanks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrganisationRow {
    /// Stable id.
    pub org_id: String,
    /// Its name.
    pub name: String,
    /// What it does.
    pub kind: String,
    /// Registrable domains it operates.
    pub domains: String,
    /// AS numbers it holds.
    pub asns: String,
    /// Where its head office is.
    pub hq_country: String,
    /// Where it is incorporated.
    pub incorporated_in: String,
    /// Id of the organisation next above.
    pub parent: String,
    /// Its ownership in words.
    pub ultimate_owner: String,
    /// Further countries with a controlling legal presence.
    pub other_control: String,
    /// What is known of that.
    pub control_note: String,
    /// Where the seat can be read.
    pub hq_source: String,
    /// Where the ownership can be read.
    pub owner_source: String,
    /// The month the facts are of.
    pub as_of: String,
    /// How far the row was checked: `page`, `asn+page`, `asn`, `recall`.
    pub checked: String,
    /// `high`, `medium`, `low`.
    pub confidence: String,
}

impl OrganisationRow {
    /// The same as the model names it.
    pub fn organisation(&self, basis: &'static str) -> Organisation {
        Organisation {
            id: self.org_id.clone(),
            name: self.name.clone(),
            kind: self.kind.clone(),
            seat: Country::parse(&self.hq_country),
            incorporated_in: Country::parse(&self.incorporated_in),
            establishments: self.other_control.split_whitespace().filter_map(Country::parse).collect(),
            basis,
            source: self.hq_source.clone(),
            as_of: self.as_of.clone(),
            read_at_source: self.is_read(),
            confidence: self.confidence.clone(),
            fictional: false,
        }
    }

    /// Whether the cited page was read; AS numbers that match are no proof of a seat.
    fn is_read(&self) -> bool {
        self.checked.split('+').any(|what| what == "page")
    }
}

/// A suffix under which an operator's customers live.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct HostingRow {
    suffix: String,
    org_id: String,
    #[serde(rename = "what")]
    _what: String,
}

/// Which row a host name falls under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// The organisation operates the name.
    Operated(&'static OrganisationRow),
    /// A customer's name at the organisation.
    Hosted(&'static OrganisationRow),
}

/// The longest suffix of `host` (in lower case) either table knows. Of equal ones hosting wins.
pub fn claimed(host: &str) -> Option<(Claimed, &str)> {
    let index = index();
    upwards(host).find_map(|suffix| {
        let hosted = index.hosting.get(suffix).map(|row| Claimed::Hosted(row));
        let operated = || index.domains.get(suffix).map(|row| Claimed::Operated(row));
        Some((hosted.or_else(operated)?, suffix))
    })
}

/// A row by its id.
pub fn row(id: &str) -> Option<&'static OrganisationRow> {
    index().ids.get(id).copied()
}

/// The row that holds an AS number.
pub fn of_network(asn: u32) -> Option<&'static OrganisationRow> {
    index().networks.get(&asn).copied()
}

/// The chain above an organisation, next above first. The last is the ultimate owner when others stand between.
pub fn owners(id: &str) -> Vec<Owner> {
    let mut chain = Vec::new();
    let mut seen = BTreeSet::from([id]);
    let mut below = row(id);
    // A table that names its own child as parent must not be walked forever.
    while let Some((child, parent)) = below.and_then(|child| Some((child, row(&child.parent)?))) {
        if !seen.insert(&parent.org_id) {
            break;
        }
        let relation = match chain.is_empty() || row(&parent.parent).is_some() {
            true => OwnerRelation::Parent,
            false => OwnerRelation::Ultimate,
        };
        chain.push(Owner {
            id: parent.org_id.clone(),
            name: parent.name.clone(),
            country: Country::parse(&parent.hq_country),
            relation,
            as_of: child.as_of.clone(),
            source: child.owner_source.clone(),
        });
        below = Some(parent);
    }
    chain
}

/// All rows, in order of the table.
pub fn rows() -> &'static [OrganisationRow] {
    static ROWS: OnceLock<Vec<OrganisationRow>> = OnceLock::new();
    ROWS.get_or_init(|| read(TABLE).unwrap_or_default())
}

/// Source, date, licence.
pub(super) fn info() -> Option<&'static DatasetInfo> {
    static INFO: OnceLock<Option<DatasetInfo>> = OnceLock::new();
    INFO.get_or_init(|| DatasetInfo::read(META).ok()).as_ref()
}

/// The embedded files, in order of name.
pub(super) fn files() -> [&'static [u8]; 2] {
    [HOSTING.as_bytes(), TABLE.as_bytes()]
}

#[derive(Debug, Default)]
struct Index {
    ids: BTreeMap<&'static str, &'static OrganisationRow>,
    domains: BTreeMap<&'static str, &'static OrganisationRow>,
    networks: BTreeMap<u32, &'static OrganisationRow>,
    hosting: BTreeMap<String, &'static OrganisationRow>,
}

fn index() -> &'static Index {
    static INDEX: OnceLock<Index> = OnceLock::new();
    INDEX.get_or_init(|| {
        let mut index = Index::default();
        for row in rows() {
            index.ids.insert(&row.org_id, row);
            index.domains.extend(row.domains.split_whitespace().map(|domain| (domain, row)));
            let numbers = row.asns.split_whitespace().filter_map(|asn| asn.parse().ok());
            index.networks.extend(numbers.map(|asn: u32| (asn, row)));
        }
        for hosting in read::<HostingRow>(HOSTING).unwrap_or_default() {
            if let Some(row) = index.ids.get(hosting.org_id.as_str()) {
                index.hosting.insert(hosting.suffix, row);
            }
        }
        index
    })
}

/// Reads a table with a heading line.
fn read<Row: for<'a> Deserialize<'a>>(text: &str) -> Result<Vec<Row>, csv::Error> {
    csv::Reader::from_reader(text.as_bytes()).deserialize().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parties::{asn, countries, domains::registrable_domain};

    #[test]
    fn every_row_reads_and_names_known_countries() {
        let rows: Vec<OrganisationRow> = read(TABLE).unwrap();
        assert!(rows.len() > 700);
        let known = |code: &str| countries::country_name(code).is_some();
        for row in &rows {
            let codes = [&row.hq_country, &row.incorporated_in].into_iter().filter(|code| !code.is_empty());
            assert!(
                codes.map(String::as_str).chain(row.other_control.split_whitespace()).all(known),
                "{row:?}"
            );
            assert!(["page", "asn+page", "asn", "recall"].contains(&row.checked.as_str()), "{row:?}");
            assert!(["high", "medium", "low"].contains(&row.confidence.as_str()), "{row:?}");
            assert!(row.hq_source.starts_with("https://") && !row.as_of.is_empty(), "{row:?}");
            assert!(row.parent.is_empty() || super::row(&row.parent).is_some(), "{row:?}");
        }
    }

    #[test]
    fn domains_are_registrable_and_belong_to_one_row() {
        let mut seen = BTreeMap::new();
        for row in rows() {
            for domain in row.domains.split_whitespace() {
                assert_eq!(seen.insert(domain, &row.org_id), None, "{domain}");
                // Some operators' domains are public suffixes of the list's private section themselves.
                let registrable = registrable_domain(domain).is_none_or(|found| found == domain);
                assert!(registrable, "{domain}");
            }
        }
        assert!(seen.len() > 2_300);
    }

    #[test]
    fn networks_belong_to_one_row_and_are_announced_under_a_name() {
        let mut seen = BTreeSet::new();
        for number in rows().iter().flat_map(|row| row.asns.split_whitespace()) {
            let number = number.parse().unwrap();
            assert!(seen.insert(number), "{number}");
            assert!(asn::name(number).is_some(), "{number}");
        }
    }

    #[test]
    fn every_hosting_suffix_has_a_host() {
        for hosting in read::<HostingRow>(HOSTING).unwrap() {
            assert!(row(&hosting.org_id).is_some(), "{hosting:?}");
            assert!(matches!(claimed(&hosting.suffix), Some((Claimed::Hosted(_), _))), "{hosting:?}");
        }
    }

    #[test]
    fn chains_of_owners_end() {
        for row in rows() {
            assert!(owners(&row.org_id).len() < 5, "{}", row.org_id);
        }
        let chain = owners("vonage");
        assert_eq!(
            chain.first().map(|owner| (owner.id.as_str(), owner.relation)),
            Some(("ericsson", OwnerRelation::Parent))
        );
    }
}
