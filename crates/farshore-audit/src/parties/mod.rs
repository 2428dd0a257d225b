//! Who and where: what dated, licensed data sets say of a host name or an address.
//!
//! Owns look-up and nothing more. Refuses to answer with one country: opinions are listed, with their source and
//! edition, and [`location::summary`] tells how they stand. Refuses to merge the three facts a name can hide: who
//! operates the service, who hosts it, and where the machine is.
//!
//! A new data set is one file here and one line in [`Datasets::describe`]; a new edition touches `packs/parties` only.

pub mod anycast;
mod asn;
mod asn_country;
pub mod borders;
mod brought;
mod cloud_ranges;
mod columns;
pub mod countries;
mod country_set;
mod dataset;
mod dbip_country;
mod domains;
mod editions;
mod fictional;
pub mod globe;
mod hints;
mod ipfire_country;
pub mod laws;
pub mod location;
mod measured;
mod mmdb;
pub mod organisations;
mod overrides;
mod points;
mod prefix;
pub mod reach;
mod regions;
mod registration;
mod resident;
mod shared;
mod special;
mod stretches;
mod third_party_web;
pub mod whole;

#[cfg(test)]
mod reach_tests;
#[cfg(test)]
mod soundness;
#[cfg(test)]
mod tests;

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use farshore_model::party::{CountryClaim, Location, Network, Organisation, Owner, Place};

pub use self::{
    brought::Brought,
    countries::country_name,
    dataset::{DatasetInfo, DatasetInput},
    domains::registrable_domain,
    editions::Days,
    fictional::{Fictional, FictionalError},
    mmdb::MmdbError,
    prefix::{Prefix, PrefixError},
    regions::RegionError,
    shared::Shared,
    special::{Special, canonical, is_documentation, special},
    stretches::{Answer, Said, Stretches},
};
use self::{country_set::CountrySet, organisations::Claimed};

const SETS: usize = 4;
/// The sets that say something of the country of an address. One line a set.
static COUNTRY_SETS: [&CountrySet; SETS] = [&cloud_ranges::SET, &dbip_country::SET, &ipfire_country::SET, &registration::SET];

/// The data an audit is judged with.
#[derive(Debug, Clone, Default)]
pub struct Datasets {
    fictional: Option<Fictional>,
    brought: Brought,
    days: Option<Days>,
}

/// An organisation, and the part of a host name that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganisationMatch {
    /// The organisation; `basis` is `domain`.
    pub organisation: Organisation,
    /// The suffix both tables' longest entry shares with the name.
    pub matched: String,
}

impl Datasets {
    /// The embedded editions.
    pub fn embedded() -> &'static Datasets {
        static EMBEDDED: Datasets = Datasets {
            fictional: None,
            brought: Brought::NONE,
            days: None,
        };
        &EMBEDDED
    }

    /// The same, with documentation addresses and reserved names answered from a simulated world. Only those: what
    /// exists keeps its answer.
    pub fn with_overlay(fictional: Fictional) -> Datasets {
        Datasets {
            fictional: Some(fictional),
            brought: Brought::NONE,
            days: None,
        }
    }

    /// The embedded simulated world on top.
    pub fn with_fictional() -> &'static Datasets {
        static WITH: OnceLock<Datasets> = OnceLock::new();
        WITH.get_or_init(|| Datasets {
            fictional: Fictional::embedded(),
            brought: Brought::NONE,
            days: None,
        })
    }

    /// The same with what the user brings: further opinions, later editions of sets that are built in, and overrides that outweigh
    /// all. Of several editions of one set that nearest to the days speaks; without days, the latest.
    pub fn bringing(&self, brought: Brought, days: Option<Days>) -> Datasets {
        Datasets {
            fictional: self.fictional.clone(),
            brought,
            days,
        }
    }

    /// Whether nothing was brought to what is built in.
    pub fn is_built_in(&self) -> bool {
        self.brought.is_empty()
    }

    /// Every data set in use, by name.
    pub fn describe(&self) -> Vec<DatasetInfo> {
        let sets = COUNTRY_SETS.iter().filter_map(|set| Some(set.info()?.sized(&set.files())));
        let sized = |info: Option<&DatasetInfo>, files: &[&[u8]]| info.map(|info| info.sized(files));
        let others = [
            sized(anycast::info(), &anycast::files()),
            sized(asn::info(), &asn::files()),
            sized(asn_country::info(), &asn_country::files()),
            sized(borders::info(), &borders::files()),
            sized(laws::info(), &laws::files()),
            sized(measured::info(), &measured::files()),
            sized(organisations::info(), &organisations::files()),
            sized(regions::info(), &regions::files()),
            sized(third_party_web::info(), &third_party_web::files()),
        ];
        let mut described: Vec<DatasetInfo> = sets.chain(others.into_iter().flatten()).collect();
        described.extend(self.fictional.as_ref().map(Fictional::info));
        described.extend(self.brought.infos().cloned());
        described.sort_by(|one, other| one.name.cmp(&other.name));
        described
    }

    /// Every opinion on the country of an address, sorted. None of an address that was set aside.
    pub fn places(&self, address: IpAddr) -> Vec<CountryClaim> {
        let address = canonical(address);
        let built_in: Vec<CountryClaim> = match special(address) {
            Some(special) if special.local => return Vec::new(),
            Some(_) => {
                let fictional = self.fictional.as_ref();
                fictional.map(|world| world.places(address)).unwrap_or_default()
            }
            None => {
                let sets = COUNTRY_SETS.iter().filter_map(|set| set.claim(address));
                sets.chain(measured::claim(address)).collect()
            }
        };
        let mut claims = self.brought.heard(built_in, address, self.days);
        claims.sort();
        claims
    }

    /// The opinions on an address, summed up by the rule in [`location`].
    pub fn location(&self, address: IpAddr) -> Location {
        let address = canonical(address);
        let anycast = anycast::anycast(address).is_some();
        location::summary(self.places(address), anycast, special(address))
    }

    /// What a host name hints at, as claims of kind `name`: listed, and part of no set. Of reserved names nothing.
    pub fn hints(&self, host: &str) -> Vec<CountryClaim> {
        match domains::plain(host) {
            Some(host) if !fictional::is_reserved(&host) => hints::of(&host),
            _ => Vec::new(),
        }
    }

    /// Who announces an address.
    pub fn network(&self, address: IpAddr) -> Option<Network> {
        let address = canonical(address);
        match special(address) {
            Some(_) => self.fictional.as_ref()?.network(address),
            None => asn::network(address),
        }
    }

    /// Network, location and purpose of an address together.
    pub fn place(&self, address: IpAddr) -> Place {
        Place {
            address,
            network: self.network(address).map(Arc::new),
            location: Arc::new(self.location(address)),
            special: special(canonical(address)).map(|special| special.note),
        }
    }

    /// Who operates a host name, by its domain. A customer's name at a cloud is not the cloud's: it has no answer here
    /// but in [`Datasets::host_of`]. Where our own table is silent, third-party-web's entity has a name and no country.
    pub fn organisation_of_host(&self, host: &str) -> Option<OrganisationMatch> {
        let host = domains::plain(host)?;
        if let Some(world) = self.fictional.as_ref().filter(|_| fictional::is_reserved(&host)) {
            let (organisation, matched) = world.organisation_of_host(&host)?;
            return Some(OrganisationMatch { organisation, matched });
        }
        let hosted = match organisations::claimed(&host) {
            Some((Claimed::Operated(row), matched)) => {
                return Some(OrganisationMatch {
                    organisation: row.organisation("domain"),
                    matched: matched.to_owned(),
                });
            }
            Some((Claimed::Hosted(_), matched)) => matched.len(),
            None => 0,
        };
        let (entity, matched) = third_party_web::entity(&host)?;
        // An entity that covers all of a cloud's names says no more than "hosted at".
        (matched.len() > hosted).then(|| OrganisationMatch {
            organisation: entity.organisation(),
            matched: matched.to_owned(),
        })
    }

    /// At whom a host name is hosted, when it is a customer's name at a cloud or delivery network.
    pub fn host_of(&self, host: &str) -> Option<OrganisationMatch> {
        let host = domains::plain(host)?;
        match organisations::claimed(&host)? {
            (Claimed::Hosted(row), matched) => Some(OrganisationMatch {
                organisation: row.organisation("domain"),
                matched: matched.to_owned(),
            }),
            (Claimed::Operated(_), _) => None,
        }
    }

    /// Who holds an AS number: the hoster, never the recipient.
    pub fn organisation_of_network(&self, asn: u32) -> Option<Organisation> {
        let world = self.fictional.as_ref();
        world
            .and_then(|world| world.organisation_of_network(asn))
            .or_else(|| Some(organisations::of_network(asn)?.organisation("network")))
    }

    /// An organisation by its id.
    pub fn organisation(&self, id: &str) -> Option<Organisation> {
        let world = self.fictional.as_ref();
        world
            .and_then(|world| world.organisation(id, "id"))
            .or_else(|| Some(organisations::row(id)?.organisation("id")))
    }

    /// Who owns an organisation, next above first.
    pub fn owners(&self, id: &str) -> Vec<Owner> {
        match self.fictional.as_ref().filter(|world| world.organisation(id, "id").is_some()) {
            Some(world) => world.owners(id),
            None => organisations::owners(id),
        }
    }
}
