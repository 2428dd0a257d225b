//! The parties that data went to: flows grouped by the best name of their server, else by its address.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;

use ahash::HashMap;
use farshore_model::party::{CountryClaim, Destination, Location, LocationState, Place, Traffic};
use farshore_model::{Date, Flow, FlowId, Ledger, Rows, Text};

use crate::naming::{Names, plain};
use crate::parties::{Datasets, Shared, registrable_domain};
use crate::physics::Physics;
use crate::rhythm::rhythm;

/// What a party goes by of which a record tells neither name nor address.
const NOT_RECORDED: &str = "not recorded";

/// What those go by together that are more than the ceiling allows.
const FURTHER: &str = "further destinations";

/// The flows of a ledger by what their servers go by; who and where that is has not been asked yet.
pub struct Grouped<'n> {
    all: Vec<Group<'n>>,
    further: Option<u32>,
    /// Flows whose destinations are more than the ceiling allows.
    pub beyond: u64,
}

/// Whether that is no name of anybody, but what those go by of whom none is known or told apart.
pub(crate) fn is_no_name(name: &str) -> bool {
    [NOT_RECORDED, FURTHER].contains(&name)
}

/// Sorts all flows by their destinations, of which so many are told apart; also tells the destination of each flow.
pub fn group<'n>(ledger: &Ledger, names: &Names<'n>, most: usize) -> (Grouped<'n>, Vec<u32>) {
    let mut groups = Groups::with_room_for(most);
    let mut of_flow = Vec::with_capacity(ledger.flows.len());
    for (index, flow) in (0..).zip(&ledger.flows) {
        let id = FlowId(index);
        let at = match names.best(id) {
            Some(best) => groups.named(&plain(best.name.as_str())),
            None if flow.tells(flow.server) => groups.addressed(flow.server.ip),
            None => groups.called(NOT_RECORDED, false),
        };
        of_flow.push(at);
        if let Some(group) = groups.all.get_mut(at as usize) {
            group.add(id, flow, names.possible(id), Some(at) != groups.further);
        }
    }
    let grouped = Grouped {
        all: groups.all,
        further: groups.further,
        beyond: groups.beyond,
    };
    (grouped, of_flow)
}

impl Grouped<'_> {
    /// The destinations, in the order of their first frames.
    pub fn destinations(self, flows: &Rows<Flow>, data: &Datasets, mut shared: Shared<'_>, physics: Option<&Physics>) -> Vec<Destination> {
        let asked = self.all.iter().filter(|it| it.flows.len() > 1).count();
        let all = (0..).zip(self.all).map(|(at, mut group)| {
            // Those put together have no rhythm of their own.
            if Some(at) != self.further {
                group.traffic.rhythm = rhythm(flows, &group.flows, asked);
            }
            group.destination(data, &mut shared, physics)
        });
        all.collect()
    }
}

/// Parties that are asked about without traffic, by the same steps.
pub struct Parties<'a> {
    data: &'a Datasets,
    shared: Shared<'a>,
}

impl<'a> Parties<'a> {
    /// Nothing yet, of facts as they were on a day.
    pub fn new(data: &'a Datasets, as_of: Option<Date>) -> Self {
        Self {
            data,
            shared: Shared::new(data, as_of),
        }
    }

    /// What goes by these addresses alone.
    pub fn addressed(&mut self, name: &str, addresses: Vec<IpAddr>) -> Destination {
        let mut group = Group::new(name.into(), false);
        group.addresses = addresses;
        group.destination(self.data, &mut self.shared, None)
    }

    /// The places of an address alone: of whoever is behind it, and of laws, nothing is told.
    pub fn placed(&mut self, name: &str, address: IpAddr) -> Destination {
        let place = self.shared.place(address);
        Destination {
            name: name.into(),
            domain: None,
            candidates: Vec::new(),
            organisation: None,
            owners: Vec::new(),
            location: Arc::clone(&place.location),
            places: vec![place],
            reach: [].into(),
            traffic: Traffic::default(),
            flows: Vec::new(),
        }
    }

    /// What goes by a host name.
    pub fn named(&mut self, name: &str) -> Destination {
        Group::new(name.into(), true).destination(self.data, &mut self.shared, None)
    }
}

/// Groups in the order in which they came up, and where to find them again.
#[derive(Default)]
struct Groups<'n> {
    all: Vec<Group<'n>>,
    by_name: HashMap<Text, u32>,
    by_address: HashMap<IpAddr, u32>,
    spelled: String,
    /// How many are told apart; what takes in the others; how often it did.
    most: usize,
    further: Option<u32>,
    beyond: u64,
}

impl Groups<'_> {
    fn with_room_for(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    fn named(&mut self, name: &str) -> u32 {
        self.called(name, true)
    }

    fn addressed(&mut self, address: IpAddr) -> u32 {
        if let Some(known) = self.by_address.get(&address) {
            return *known;
        }
        let mut spelled = std::mem::take(&mut self.spelled);
        spelled.clear();
        // Writing to a String cannot fail.
        let _ = write!(spelled, "{address}");
        let at = self.called(&spelled, false);
        self.spelled = spelled;
        if Some(at) != self.further {
            self.by_address.insert(address, at);
        }
        at
    }

    fn called(&mut self, name: &str, named: bool) -> u32 {
        if let Some(known) = self.by_name.get(name) {
            return *known;
        }
        let at = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        if self.all.len() >= self.most {
            self.beyond = self.beyond.saturating_add(1);
            if self.further.is_none() {
                self.further = Some(at);
                self.all.push(Group::new(FURTHER.into(), false));
            }
            return self.further.unwrap_or(at);
        }
        let name = Text::from(name);
        self.by_name.insert(name.clone(), at);
        self.all.push(Group::new(name, named));
        at
    }
}

struct Group<'n> {
    name: Text,
    named: bool,
    addresses: Vec<IpAddr>,
    /// Of proxies that were asked to pass it on.
    proxies: Vec<IpAddr>,
    candidates: BTreeSet<Cow<'n, str>>,
    traffic: Traffic,
    flows: Vec<FlowId>,
}

impl<'n> Group<'n> {
    fn new(name: Text, named: bool) -> Self {
        Self {
            name,
            named,
            addresses: Vec::new(),
            proxies: Vec::new(),
            candidates: BTreeSet::new(),
            traffic: Traffic::default(),
            flows: Vec::new(),
        }
    }

    /// Adds a flow; one of many destinations put together tells of its own neither address nor names.
    fn add(&mut self, id: FlowId, flow: &Flow, candidates: &[Cow<'n, str>], told_apart: bool) {
        let passed_on = self.named && flow.protocols.iter().any(|it| matches!(*it, "http-proxy" | "socks"));
        let addresses = if passed_on { &mut self.proxies } else { &mut self.addresses };
        if told_apart && flow.tells(flow.server) && addresses.last() != Some(&flow.server.ip) {
            addresses.push(flow.server.ip);
        }
        for name in candidates.iter().filter(|_| told_apart) {
            if !self.candidates.contains(name) {
                self.candidates.insert(name.clone());
            }
        }
        self.flows.push(id);
        let sum = &mut self.traffic;
        sum.flows = sum.flows.saturating_add(1);
        sum.frames = sum.frames.saturating_add(flow.up.frames).saturating_add(flow.down.frames);
        sum.bytes_up = sum.bytes_up.saturating_add(flow.up.bytes);
        sum.bytes_down = sum.bytes_down.saturating_add(flow.down.bytes);
        if flow.is_logged() {
            sum.refused = sum.refused.plus(flow.refused());
            sum.only_tried = sum.only_tried.saturating_add(u64::from(flow.is_only_tried()));
        }
    }

    fn destination(mut self, data: &Datasets, shared: &mut Shared<'_>, physics: Option<&Physics>) -> Destination {
        // A proxy of the local network is where the party is asked for, not where it is: nothing stays there.
        let mut leads_on = |it: &IpAddr| shared.place(*it).location.state != LocationState::Local;
        self.addresses.extend(self.proxies.iter().filter(|it| leads_on(it)));
        self.addresses.sort_unstable();
        self.addresses.dedup();
        if self.flows.len() > 4 {
            self.flows.shrink_to_fit();
        }
        let places: Vec<Place> = self
            .addresses
            .iter()
            .map(|address| {
                let place = shared.place(*address);
                match physics {
                    Some(physics) => physics.place(place),
                    None => place,
                }
            })
            .collect();
        let organisation = if self.named {
            data.organisation_of_host(&self.name).map(|it| it.organisation)
        } else {
            None
        };
        let owners = organisation.as_ref().map(|it| data.owners(&it.id)).unwrap_or_default();
        let location = match places.as_slice() {
            [only] => Arc::clone(&only.location),
            several => Arc::new(sum_up(several)),
        };
        let hints = if self.named { data.hints(&self.name) } else { Vec::new() };
        let location = hinted(location, hints, &places);
        let reach = shared.reach(organisation.as_ref(), &owners, &places);
        Destination {
            domain: if self.named { registrable_domain(&self.name) } else { None },
            candidates: {
                let others = self.candidates.into_iter().filter(|name| *name != self.name.as_str());
                others.map(Cow::into_owned).collect()
            },
            name: self.name,
            organisation: organisation.map(Box::new),
            owners,
            places,
            location,
            reach,
            traffic: self.traffic,
            flows: self.flows,
        }
    }
}

/// With what the name of the party hints at among the claims. Nothing else changes: a hint is no place.
fn hinted(location: Arc<Location>, mut hints: Vec<CountryClaim>, places: &[Place]) -> Arc<Location> {
    if hints.is_empty() {
        return location;
    }
    for hint in &mut hints {
        let out = |place: &Place| place.location.excluded.iter().any(|it| it.country == hint.country);
        hint.refuted = !places.is_empty() && places.iter().all(out);
    }
    let mut location = Arc::unwrap_or_clone(location);
    location.claims.extend(hints);
    location.claims.sort();
    Arc::new(location)
}

/// The union of several places. It is no better than the worst of them.
pub fn sum_up(places: &[Place]) -> Location {
    let mut countries: Vec<_> = places.iter().flat_map(|it| it.location.countries.iter().copied()).collect();
    countries.sort();
    countries.dedup();
    let mut claims: Vec<&CountryClaim> = places.iter().flat_map(|it| &it.location.claims).collect();
    claims.sort();
    claims.dedup();
    let states = || places.iter().map(|it| it.location.state);
    let has = |state| states().any(|it| it == state);
    let state = if places.is_empty() || has(LocationState::Undetermined) {
        LocationState::Undetermined
    } else if states().all(|it| it == LocationState::Local) {
        LocationState::Local
    } else if has(LocationState::Anycast) {
        LocationState::Anycast
    } else if has(LocationState::Disputed) {
        LocationState::Disputed
    } else {
        LocationState::Agreed
    };
    let excluded = places.iter().flat_map(|it| it.location.excluded.iter().cloned()).collect();
    let implausible = places.iter().flat_map(|it| it.location.implausible.iter().cloned()).collect();
    Location {
        countries,
        state,
        claims: claims.into_iter().cloned().collect(),
        excluded,
        implausible,
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::party::{ClaimKind, Exclusion};
    use farshore_model::{Endpoint, Transport};

    use super::*;

    fn claims(location: &Location, kind: ClaimKind) -> Vec<(String, bool)> {
        let of_kind = location.claims.iter().filter(|it| it.kind == kind);
        of_kind.map(|it| (it.country.to_string(), it.refuted)).collect()
    }

    fn place_of(name: &str, named: bool, server: &str, protocols: &[&'static str]) -> (LocationState, usize) {
        let end = |ip: &str| Endpoint {
            ip: ip.parse().unwrap(),
            port: 3128,
        };
        let flow = Flow {
            protocols: protocols.into(),
            ..Flow::between(Transport::Tcp, end("192.168.0.2"), end(server))
        };
        let data = Datasets::embedded();
        let mut group = Group::new(name.into(), named);
        group.add(FlowId(0), &flow, &[], true);
        let it = group.destination(data, &mut Shared::new(data, None), None);
        (it.location.state, it.places.len())
    }

    /// Or else whatever leaves by a proxy next door would be said to stay.
    #[test]
    fn who_is_asked_for_at_a_local_proxy_is_not_local() {
        let proxied = ["http", "http-proxy"];
        assert_eq!(
            place_of("shop.example", true, "192.168.0.9", &proxied),
            (LocationState::Undetermined, 0)
        );
        assert_eq!(
            place_of("shop.example", true, "192.168.0.9", &["socks"]),
            (LocationState::Undetermined, 0)
        );
        assert_eq!(
            place_of("printer.example", true, "192.168.0.9", &["http"]),
            (LocationState::Local, 1)
        );
        assert_eq!(place_of("192.168.0.9", false, "192.168.0.9", &proxied), (LocationState::Local, 1));
        // Elsewhere the proxy is at least where the data goes first.
        assert_eq!(place_of("shop.example", true, "193.0.6.139", &proxied).1, 1);
    }

    #[test]
    fn a_hint_is_listed_and_changes_nothing_else() {
        let data = Datasets::embedded();
        // The databases place the address in Germany and the registration in the United States; the name says Sydney.
        let place = data.place("52.28.0.1".parse().unwrap());
        let hints = || data.hints("syd1.agora.io");
        let with = hinted(Arc::clone(&place.location), hints(), std::slice::from_ref(&place));
        assert_eq!(claims(&with, ClaimKind::Name), [("AU".to_owned(), false)]);
        assert_eq!((&with.countries, with.state), (&place.location.countries, place.location.state));
        let others = with.claims.iter().filter(|it| it.kind != ClaimKind::Name);
        assert!(others.eq(&place.location.claims), "and no other claim is lost");
        // What a round trip rules out for all addresses refutes the hint too, and only then.
        let mut far = place.clone();
        Arc::make_mut(&mut far.location).excluded.push(Exclusion {
            country: farshore_model::Country::parse("AU").unwrap(),
            because: "end-to-end rtt",
            rtt: 1_000_000,
            max_km: 150,
            nearest_km: 9_000,
        });
        let both = [far.clone(), place.clone()];
        let refuted = |places: &[Place]| claims(&hinted(Arc::clone(&place.location), hints(), places), ClaimKind::Name)[0].1;
        assert_eq!((refuted(&both[..1]), refuted(&both), refuted(&[])), (true, false, false));
        // Of a name without addresses there is a hint, and still no place.
        let named = Parties::new(data, None).named("syd1.agora.io");
        assert_eq!(claims(&named.location, ClaimKind::Name).len(), 1);
        assert!(named.location.countries.is_empty() && named.location.state == LocationState::Undetermined);
    }
}
