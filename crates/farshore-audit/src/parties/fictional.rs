//! Owns a simulated world's parties. Refuses every address that is not for documentation (RFC 5737, RFC 3849,
//! RFC 9637) and every name that is not reserved (RFC 2606): a made-up fact can never reach a real party.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use farshore_model::{
    Country,
    party::{ClaimKind, CountryClaim, Network, Organisation, Owner, OwnerRelation},
};
use serde::Deserialize;
use thiserror::Error;

use super::{dataset::DatasetInfo, domains::upwards, prefix::Prefix, special::is_documentation};

/// The parties of a simulated world.
#[derive(Debug, Clone)]
pub struct Fictional {
    as_of: String,
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
    /// Two rows speak of one thing.
    #[error("{0} stands twice")]
    Twice(String),
}

impl Fictional {
    /// Reads a table.
    pub fn read(text: &str) -> Result<Fictional, FictionalError> {
        let table: Table = toml::from_str(text)?;
        if !table.fictional {
            return Err(FictionalError::Unmarked);
        }
        let mut world = Fictional {
            as_of: table.as_of,
            organisations: BTreeMap::new(),
            networks: table.network,
            places: BTreeMap::new(),
        };
        let mut domains = BTreeSet::new();
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
            sha256: String::new(),
            input: Vec::new(),
        }
    }

    pub(super) fn places(&self, address: IpAddr) -> Vec<CountryClaim> {
        let Some(row) = self.places.get(&address) else {
            return Vec::new();
        };
        let mut claims: Vec<_> = row
            .sources
            .iter()
            .filter_map(|source| {
                Some(CountryClaim {
                    country: Country::parse(&row.country)?,
                    kind: ClaimKind::Geolocation,
                    source: source.clone(),
                    edition: format!("fictional {}", self.as_of),
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
            name: row.name.clone(),
            registered: row.registered.as_deref().and_then(Country::parse),
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
        let above = |row: &OrganisationRow| self.organisations.get(row.parent.as_deref()?);
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
                country: parent.seat.as_deref().and_then(Country::parse),
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
            seat: row.seat.as_deref().and_then(Country::parse),
            incorporated_in: row.incorporated_in.as_deref().and_then(Country::parse),
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
    as_of: String,
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
    seat: Option<String>,
    incorporated_in: Option<String>,
    #[serde(default)]
    establishments: Vec<String>,
    parent: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct NetworkRow {
    prefix: Prefix,
    asn: u32,
    name: String,
    registered: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceRow {
    address: IpAddr,
    country: String,
    sources: Vec<String>,
}
