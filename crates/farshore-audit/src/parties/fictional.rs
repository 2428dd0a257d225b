//! Owns a simulated world's parties. Refuses every address that is not for documentation (RFC 5737, RFC 3849,
//! RFC 9637), every AS number that is not (RFC 5398) and every name that is not reserved (RFC 2606): a made-up fact can
//! never reach a real party.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use farshore_model::{
    Country,
    party::{ClaimKind, CountryClaim, Network, Organisation, Owner, OwnerRelation},
};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{countries, dataset::DatasetInfo, domains::upwards, prefix::Prefix, special::is_documentation};

/// The parties of a simulated world.
#[derive(Debug, Clone)]
pub struct Fictional {
    as_of: String,
    sha256: String,
    organisations: BTreeMap<String, OrganisationRow>,
    networks: Vec<NetworkRow>,
    places: BTreeMap<IpAddr, PlaceRow>,
}

/// Why a simulated world is refused.
#[derive(Debug, Error)]
pub enum FictionalError {
    /// It is not in the format.
    #[error("not a table of fictional parties: {0}")]
    Format(#[from] toml::de::Error),
    /// It does not say of itself that it is made up.
    #[error("the table does not say `fictional = true`")]
    Unmarked,
    /// It speaks of an address somebody may hold.
    #[error("{0} is not set aside for documentation")]
    Address(IpAddr),
    /// It speaks of a name somebody may hold.
    #[error("{0} is not a reserved name")]
    Name(String),
    /// It speaks of an AS number somebody may hold.
    #[error("AS{0} is not set aside for documentation")]
    Network(u32),
    /// It names a country that is none.
    #[error("{0} is no country")]
    Country(String),
    /// Two rows speak of one thing.
    #[error("{0} stands twice")]
    Twice(String),
}

const EMBEDDED: &str = include_str!("../../../../packs/parties/fictional/parties.toml");

impl Fictional {
    /// The embedded world.
    pub(super) fn embedded() -> Option<Fictional> {
        Fictional::read(EMBEDDED).ok()
    }

    /// Reads a table.
    pub fn read(text: &str) -> Result<Fictional, FictionalError> {
        let table: Table = toml::from_str(text)?;
        if !table.fictional {
            return Err(FictionalError::Unmarked);
        }
        let mut world = Fictional {
            as_of: table.as_of.to_string(),
            sha256: Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect(),
            organisations: BTreeMap::new(),
            networks: table.network,
            places: BTreeMap::new(),
        };
        let mut domains = BTreeSet::new();
        if let Some(code) = codes(&table.organisation, &world.networks, &table.place).find(|code| countries::country_name(code).is_none()) {
            return Err(FictionalError::Country(code.to_owned()));
        }
        for row in table.organisation {
            for domain in &row.domains {
                if !is_reserved(domain) {
                    return Err(FictionalError::Name(domain.clone()));
                }
                if !domains.insert(domain.clone()) {
                    return Err(FictionalError::Twice(domain.clone()));
                }
            }
            if let Some(before) = world.organisations.insert(row.id.clone(), row) {
                return Err(FictionalError::Twice(before.id));
            }
        }
        let addresses = world.networks.iter().map(|row| row.prefix.address());
        let addresses = addresses.chain(table.place.iter().map(|row| row.address));
        if let Some(address) = addresses.into_iter().find(|address| !is_documentation(*address)) {
            return Err(FictionalError::Address(address));
        }
        if let Some(row) = world.networks.iter().find(|row| !is_documentation_number(row.asn)) {
            return Err(FictionalError::Network(row.asn));
        }
        for row in table.place {
            if let Some(before) = world.places.insert(row.address, row) {
                return Err(FictionalError::Twice(before.address.to_string()));
            }
        }
        // The narrowest network first.
        world
            .networks
            .sort_by_key(|row| (std::cmp::Reverse(row.prefix.length()), row.prefix));
        Ok(world)
    }

    pub(super) fn info(&self) -> DatasetInfo {
        DatasetInfo {
            name: "fictional".to_owned(),
            source: "a simulated world; nobody in it exists".to_owned(),
            url: "https://www.rfc-editor.org/rfc/rfc5737".to_owned(),
            edition: self.as_of.clone(),
            as_of: self.as_of.clone(),
            licence: "CC0-1.0".to_owned(),
            licence_url: "https://creativecommons.org/publicdomain/zero/1.0/".to_owned(),
            attribution: String::new(),
            changes: "none".to_owned(),
            sha256: self.sha256.clone(),
            input: Vec::new(),
            bytes: 0,
        }
    }

    pub(super) fn places(&self, address: IpAddr) -> Vec<CountryClaim> {
        let Some(row) = self.places.get(&address) else {
            return Vec::new();
        };
        let mut claims: Vec<_> = row
            .sources
            .iter()
            .zip(SOURCES)
            .filter_map(|(code, source)| {
                Some(CountryClaim {
                    country: Country::parse(code)?,
                    kind: ClaimKind::Geolocation,
                    source: source.to_owned(),
                    edition: format!("fictional {}", self.as_of),
                    refuted: false,
                })
            })
            .collect();
        claims.sort();
        claims
    }

    pub(super) fn network(&self, address: IpAddr) -> Option<Network> {
        let row = self.networks.iter().find(|row| row.prefix.contains(address))?;
        Some(Network {
            asn: row.asn,
            name: row.name.as_str().into(),
            registered: Country::parse(&row.registered),
        })
    }

    pub(super) fn organisation_of_host(&self, host: &str) -> Option<(Organisation, String)> {
        let holder = |suffix: &str| {
            let holds = |row: &&OrganisationRow| row.domains.iter().any(|domain| domain == suffix);
            Some((self.organisations.values().find(holds)?, suffix.to_owned()))
        };
        let (row, matched) = upwards(host).find_map(holder)?;
        Some((self.described(row, "domain"), matched))
    }

    pub(super) fn organisation_of_network(&self, asn: u32) -> Option<Organisation> {
        let network = self.networks.iter().find(|row| row.asn == asn)?;
        let row = self.organisations.values().find(|row| row.name == network.name)?;
        Some(self.described(row, "network"))
    }

    pub(super) fn organisation(&self, id: &str, basis: &'static str) -> Option<Organisation> {
        Some(self.described(self.organisations.get(id)?, basis))
    }

    pub(super) fn owners(&self, id: &str) -> Vec<Owner> {
        let mut chain = Vec::new();
        let mut seen = BTreeSet::from([id]);
        let above = |row: &OrganisationRow| self.organisations.get(&row.parent);
        let mut below = self.organisations.get(id);
        while let Some(parent) = below.and_then(above) {
            if !seen.insert(&parent.id) {
                break;
            }
            let relation = match chain.is_empty() || above(parent).is_some() {
                true => OwnerRelation::Parent,
                false => OwnerRelation::Ultimate,
            };
            chain.push(Owner {
                id: parent.id.clone(),
                name: parent.name.clone(),
                country: Country::parse(&parent.seat),
                relation,
                as_of: self.as_of.clone(),
                source: SOURCE.to_owned(),
            });
            below = Some(parent);
        }
        chain
    }

    fn described(&self, row: &OrganisationRow, basis: &'static str) -> Organisation {
        Organisation {
            id: row.id.clone(),
            name: row.name.clone(),
            kind: row.kind.clone(),
            seat: Country::parse(&row.seat),
            incorporated_in: Country::parse(&row.incorporated_in),
            establishments: row.establishments.iter().filter_map(|code| Country::parse(code)).collect(),
            basis,
            source: SOURCE.to_owned(),
            as_of: self.as_of.clone(),
            // Whoever makes a world up knows it.
            read_at_source: true,
            confidence: "high".to_owned(),
            fictional: true,
        }
    }
}

/// What every fact of a simulated world cites.
const SOURCE: &str = "fictional";

/// The two location sources of a simulated world.
const SOURCES: [&str; 2] = ["fictional-a", "fictional-b"];

/// AS numbers nobody can hold (RFC 5398).
fn is_documentation_number(asn: u32) -> bool {
    (64_496..=64_511).contains(&asn) || (65_536..=65_551).contains(&asn)
}

/// Every country code a table names.
fn codes<'a>(organisations: &'a [OrganisationRow], networks: &'a [NetworkRow], places: &'a [PlaceRow]) -> impl Iterator<Item = &'a str> {
    let organisations = organisations.iter().flat_map(|row| {
        let own = [&row.seat, &row.incorporated_in];
        own.into_iter().chain(&row.establishments)
    });
    let networks = networks.iter().map(|row| &row.registered);
    let places = places.iter().flat_map(|row| std::iter::once(&row.country).chain(&row.sources));
    organisations
        .chain(networks)
        .chain(places)
        .map(String::as_str)
        .filter(|code| !code.is_empty())
}

/// Names nobody can hold (RFC 2606, sections 2 and 3).
pub fn is_reserved(name: &str) -> bool {
    const TOP: [&str; 4] = ["test", "example", "invalid", "localhost"];
    const SECOND: [&str; 3] = ["example.com", "example.net", "example.org"];
    upwards(name).any(|suffix| SECOND.contains(&suffix) || (!suffix.contains('.') && TOP.contains(&suffix)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    fictional: bool,
    as_of: toml::value::Datetime,
    #[serde(default)]
    organisation: Vec<OrganisationRow>,
    #[serde(default)]
    network: Vec<NetworkRow>,
    #[serde(default)]
    place: Vec<PlaceRow>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrganisationRow {
    id: String,
    name: String,
    kind: String,
    #[serde(default)]
    domains: Vec<String>,
    #[serde(default)]
    seat: String,
    #[serde(default)]
    incorporated_in: String,
    #[serde(default)]
    establishments: Vec<String>,
    #[serde(default)]
    parent: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct NetworkRow {
    prefix: Prefix,
    asn: u32,
    name: String,
    #[serde(default)]
    registered: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceRow {
    address: IpAddr,
    /// Where it stands in that world; the audit is told only what the sources say, who may be wrong.
    country: String,
    sources: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_world_keeps_to_what_is_reserved() {
        let world = Fictional::read(EMBEDDED).unwrap();
        assert!(!world.organisations.is_empty() && !world.places.is_empty());
        for row in world.organisations.values() {
            assert!(row.domains.iter().all(|domain| is_reserved(domain)), "{}", row.id);
            assert!(row.parent.is_empty() || world.organisations.contains_key(&row.parent), "{}", row.id);
        }
        for address in world.places.keys() {
            assert!(is_documentation(*address), "{address}");
            assert!(world.network(*address).is_some(), "{address}");
        }
    }

    #[test]
    fn a_world_that_speaks_of_real_parties_is_refused() {
        let read = |rows: &str| Fictional::read(&format!("fictional = true\nas_of = 2021-02-12\n{rows}"));
        let organisation = |domain| format!("[[organisation]]\nid = \"a\"\nname = \"A\"\nkind = \"rtc\"\ndomains = [\"{domain}\"]\n");
        let place = |address| format!("[[place]]\naddress = \"{address}\"\ncountry = \"US\"\nsources = [\"US\", \"US\"]\n");
        let network = |prefix, asn| format!("[[network]]\nprefix = \"{prefix}\"\nasn = {asn}\nname = \"A\"\n");
        assert!(read(&organisation("a.example")).is_ok() && read(&place("192.0.2.1")).is_ok());
        assert!(read(&network("2001:db8::/48", 64_496)).is_ok());
        assert!(matches!(read(&organisation("agora.io")), Err(FictionalError::Name(_))));
        assert!(matches!(read(&organisation("example.agora.io")), Err(FictionalError::Name(_))));
        assert!(matches!(read(&place("8.8.8.8")), Err(FictionalError::Address(_))));
        assert!(matches!(read(&place("10.0.0.1")), Err(FictionalError::Address(_))));
        assert!(matches!(read(&network("192.0.2.0/24", 21_859)), Err(FictionalError::Network(_))));
        assert!(matches!(
            read(&(place("192.0.2.1") + &place("192.0.2.1"))),
            Err(FictionalError::Twice(_))
        ));
        assert!(matches!(
            Fictional::read("fictional = false\nas_of = 2021-02-12"),
            Err(FictionalError::Unmarked)
        ));
        assert!(matches!(
            read(&place("192.0.2.1").replace("US", "UK")),
            Err(FictionalError::Country(_))
        ));
    }
}
