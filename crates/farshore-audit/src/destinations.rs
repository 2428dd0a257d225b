//! The parties that data went to: flows grouped by the best name of their server, else by its address.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;

use ahash::HashMap;
use farshore_model::party::{CountryClaim, Destination, Location, LocationState, Place, Traffic};
use farshore_model::{Date, Flow, FlowId, Ledger, Text};

use crate::naming::{Names, plain};
use crate::parties::{Datasets, Shared, registrable_domain};
use crate::physics::Physics;
use crate::rhythm::rhythm;

/// What a party goes by of which a record tells neither name nor address.
const NOT_RECORDED: &str = "not recorded";

/// All destinations in the order of their first frames, and the destination of each flow.
pub fn destinations(
    ledger: &Ledger,
    names: &Names<'_>,
    data: &Datasets,
    as_of: Option<Date>,
    physics: Option<&Physics>,
) -> (Vec<Destination>, Vec<u32>) {
    let mut groups = Groups::default();
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
            group.add(id, flow, names.possible(id));
        }
    }
    let mut shared = Shared::new(data, as_of);
    let asked = groups.all.iter().filter(|it| it.flows.len() > 1).count();
    for group in &mut groups.all {
        group.traffic.rhythm = rhythm(&ledger.flows, &group.flows, asked);
    }
    let destinations = groups.all.into_iter().map(|group| group.destination(data, &mut shared, physics));
    (destinations.collect(), of_flow)
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
}

impl Groups<'_> {
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
        self.by_address.insert(address, at);
        at
    }

    fn called(&mut self, name: &str, named: bool) -> u32 {
        if let Some(known) = self.by_name.get(name) {
            return *known;
        }
        let at = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
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
            candidates: BTreeSet::new(),
            traffic: Traffic::default(),
            flows: Vec::new(),
        }
    }

    fn add(&mut self, id: FlowId, flow: &Flow, candidates: &[Cow<'n, str>]) {
        if flow.tells(flow.server) && self.addresses.last() != Some(&flow.server.ip) {
            self.addresses.push(flow.server.ip);
        }
        for name in candidates {
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
    }

    fn destination(mut self, data: &Datasets, shared: &mut Shared<'_>, physics: Option<&Physics>) -> Destination {
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
