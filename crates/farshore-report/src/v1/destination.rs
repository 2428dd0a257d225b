//! Destinations in version 1: who and where, as claims.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use farshore_model::{Country, FlowId, Text, party, runs};

use super::talk::Beat;
use super::{Id, Items, Part, Parts, milliseconds};
use crate::words::Word;

/// One of `destinations`.
#[derive(Serialize)]
pub struct Destination<'a> {
    id: Id,
    name: &'a str,
    domain: Option<&'a str>,
    addresses: Items<'a, party::Place, IpAddr>,
    network: Option<Part<Network<'a>>>,
    organisation: Option<Organisation<'a>>,
    owners: Items<'a, party::Owner, Owner<'a>>,
    places: Vec<Place<'a>>,
    location: Part<Location<'a>>,
    reach: Part<Items<'a, party::Reach, Reach<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traffic: Option<Traffic>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flows: Option<Items<'a, FlowId, Id>>,
    candidates: &'a [String],
    /// In which input it was reached, and with how much payload; with the flows that tell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    contacts: Option<Vec<Contact>>,
}

/// What [`runs::Contact`] tells.
#[derive(Serialize)]
struct Contact {
    input: u32,
    app: Option<Name>,
    protection: &'static str,
    read: bool,
    flows: u64,
    payload_up: u64,
    payload_down: u64,
    gaps: u64,
}

#[derive(Serialize, PartialEq, Eq)]
struct Network<'a> {
    asn: u32,
    name: &'a str,
    registered: Option<&'a str>,
}

#[derive(Serialize)]
struct Organisation<'a> {
    id: &'a str,
    name: &'a str,
    country: Option<&'a str>,
    basis: &'a str,
    source: &'a str,
    kind: &'a str,
    seat: Option<&'a str>,
    incorporated_in: Option<&'a str>,
    establishments: Items<'a, Country, &'a str>,
    as_of: &'a str,
    read_at_source: bool,
    confidence: &'a str,
    fictional: bool,
}

#[derive(Serialize)]
struct Owner<'a> {
    id: &'a str,
    name: &'a str,
    country: Option<&'a str>,
    relation: &'static str,
    as_of: &'a str,
    source: &'a str,
}

#[derive(Serialize)]
struct Place<'a> {
    address: IpAddr,
    network: Option<Part<Network<'a>>>,
    location: Part<Location<'a>>,
    special: Option<&'static str>,
}

#[derive(Serialize)]
struct Location<'a> {
    countries: Items<'a, Country, &'a str>,
    state: &'static str,
    claims: Items<'a, party::CountryClaim, Claim<'a>>,
    excluded: Items<'a, party::Exclusion, Exclusion<'a>>,
    implausible: Items<'a, party::Exclusion, Exclusion<'a>>,
}

#[derive(Serialize)]
struct Claim<'a> {
    country: &'a str,
    kind: &'static str,
    source: &'a str,
    edition: &'a str,
    refuted: bool,
}

#[derive(Serialize)]
struct Exclusion<'a> {
    country: &'a str,
    because: &'static str,
    rtt_ms: f64,
    max_km: u32,
    nearest_km: u32,
}

#[derive(Serialize)]
struct Reach<'a> {
    state: &'a str,
    via: &'static str,
    basis: &'static str,
    law: Option<&'a str>,
    standing: &'static str,
    answer: &'static str,
    missing: Items<'a, Text, &'a str>,
}

/// One of `laws`: what the ids in `reach` stand for.
#[derive(Serialize)]
pub struct Law<'a> {
    id: &'a str,
    title: &'a str,
    citation: &'a str,
    source: &'a str,
    verified: bool,
}

#[derive(Serialize)]
struct Traffic {
    flows: u64,
    frames: u64,
    bytes_up: u64,
    bytes_down: u64,
    rhythm: Option<Beat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<Rejected>,
}

/// What was kept from arriving, as flow logs tell; it is in none of the other sums.
#[derive(Serialize)]
struct Rejected {
    frames: u64,
    bytes: u64,
    /// Nothing arrived besides.
    all: bool,
}

impl<'a> Destination<'a> {
    /// As it stands in an audit.
    pub fn new(index: usize, it: &'a party::Destination, parts: &mut Parts<'a>) -> Self {
        Self {
            id: Id::destination(&index),
            name: &it.name,
            domain: it.domain.as_deref(),
            addresses: Items(&it.places, |place| place.address),
            network: common_network(&it.places).map(|it| parts.networks.part(it, Network::new)),
            organisation: it.organisation.as_deref().map(Organisation::new),
            owners: Items(&it.owners, Owner::new),
            places: it.places.iter().map(|it| Place::new(it, parts)).collect(),
            location: parts.locations.part(&it.location, Location::new),
            reach: parts.reach.part(&it.reach, |rows| Items(rows, Reach::new)),
            traffic: Some(Traffic {
                flows: it.traffic.flows,
                frames: it.traffic.frames,
                bytes_up: it.traffic.bytes_up,
                bytes_down: it.traffic.bytes_down,
                rhythm: it.traffic.rhythm.map(Beat::new),
                rejected: (it.traffic.only_tried > 0 || !it.traffic.refused.is_empty()).then_some(Rejected {
                    frames: it.traffic.refused.packets,
                    bytes: it.traffic.refused.bytes,
                    all: it.traffic.is_only_tried(),
                }),
            }),
            flows: Some(Items(&it.flows, Id::flow)),
            candidates: &it.candidates,
            contacts: None,
        }
    }

    /// The same, with how it was reached.
    pub fn reached(self, contacts: Vec<runs::Contact>) -> Self {
        Self {
            contacts: Some(contacts.into_iter().map(Contact::new).collect()),
            ..self
        }
    }

    /// As it is known without any traffic.
    pub fn without_traffic(index: usize, it: &'a party::Destination, parts: &mut Parts<'a>) -> Self {
        Self {
            traffic: None,
            flows: None,
            ..Self::new(index, it, parts)
        }
    }
}

struct Name(Text);

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl Contact {
    fn new(it: runs::Contact) -> Self {
        Self {
            input: it.input.0,
            app: it.app.map(Name),
            protection: it.protection.word(),
            read: it.read,
            flows: it.flows,
            payload_up: it.payload_up,
            payload_down: it.payload_down,
            gaps: it.gaps,
        }
    }
}

/// The network that announces all addresses, if one does.
fn common_network(places: &[party::Place]) -> Option<&Arc<party::Network>> {
    let first = places.first()?.network.as_ref()?;
    places.iter().all(|place| place.network.as_ref() == Some(first)).then_some(first)
}

impl<'a> Network<'a> {
    fn new(it: &'a party::Network) -> Self {
        Self {
            asn: it.asn,
            name: &it.name,
            registered: it.registered.as_ref().map(|country| country.code()),
        }
    }
}

impl<'a> Organisation<'a> {
    fn new(it: &'a party::Organisation) -> Self {
        let seat = it.seat.as_ref().map(|country| country.code());
        Self {
            id: &it.id,
            name: &it.name,
            country: seat,
            basis: it.basis,
            source: &it.source,
            kind: &it.kind,
            seat,
            incorporated_in: it.incorporated_in.as_ref().map(|country| country.code()),
            establishments: Items(&it.establishments, Country::code),
            as_of: &it.as_of,
            read_at_source: it.read_at_source,
            confidence: &it.confidence,
            fictional: it.fictional,
        }
    }
}

impl<'a> Owner<'a> {
    fn new(it: &'a party::Owner) -> Self {
        Self {
            id: &it.id,
            name: &it.name,
            country: it.country.as_ref().map(|country| country.code()),
            relation: it.relation.word(),
            as_of: &it.as_of,
            source: &it.source,
        }
    }
}

impl<'a> Place<'a> {
    fn new(it: &'a party::Place, parts: &mut Parts<'a>) -> Self {
        Self {
            address: it.address,
            network: it.network.as_ref().map(|it| parts.networks.part(it, Network::new)),
            location: parts.locations.part(&it.location, Location::new),
            special: it.special,
        }
    }
}

impl<'a> Location<'a> {
    fn new(it: &'a party::Location) -> Self {
        Self {
            countries: Items(&it.countries, Country::code),
            state: it.state.word(),
            claims: Items(&it.claims, Claim::new),
            excluded: Items(&it.excluded, Exclusion::new),
            implausible: Items(&it.implausible, Exclusion::new),
        }
    }
}

impl<'a> Claim<'a> {
    fn new(it: &'a party::CountryClaim) -> Self {
        Self {
            country: it.country.code(),
            kind: it.kind.word(),
            source: &it.source,
            edition: &it.edition,
            refuted: it.refuted,
        }
    }
}

impl<'a> Exclusion<'a> {
    fn new(it: &'a party::Exclusion) -> Self {
        Self {
            country: it.country.code(),
            because: it.because,
            rtt_ms: milliseconds(it.rtt),
            max_km: it.max_km,
            nearest_km: it.nearest_km,
        }
    }
}

impl<'a> Reach<'a> {
    fn new(it: &'a party::Reach) -> Self {
        let law = it.law.as_ref();
        Self {
            state: it.state.code(),
            via: it.via.word(),
            basis: it.basis.word(),
            law: law.map(|law| law.id.as_str()),
            standing: it.standing.word(),
            answer: it.answer.word(),
            missing: Items(&it.missing, Text::as_str),
        }
    }
}

impl<'a> Law<'a> {
    /// All laws that some destination's reach names, by id.
    pub fn all(destinations: &'a [party::Destination]) -> impl Iterator<Item = Self> {
        // Thousands of destinations share a list; of one law all rows say the same.
        let mut seen = HashSet::new();
        let laws: BTreeMap<&str, &party::Law> = destinations
            .iter()
            .filter(|it| seen.insert(Arc::as_ptr(&it.reach)))
            .flat_map(|it| it.reach.iter())
            .filter_map(|it| it.law.as_deref())
            .map(|law| (law.id.as_str(), law))
            .collect();
        laws.into_values().map(|it| Self {
            id: &it.id,
            title: &it.title,
            citation: &it.citation,
            source: &it.source,
            verified: it.verified,
        })
    }
}
