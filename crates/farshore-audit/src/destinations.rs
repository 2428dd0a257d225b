//! The parties that data went to: flows grouped by the best name of their server, else by its address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use farshore_model::party::{CountryClaim, Destination, Location, LocationState, Organisation, Owner, Place, Reach, Traffic};
use farshore_model::{Country, Date, Flow, FlowId, Ledger};

use crate::naming::{Names, plain};
use crate::parties::reach::reach;
use crate::parties::{Datasets, registrable_domain};

/// All destinations in the order of their first frames, and the destination of each flow.
pub fn destinations(ledger: &Ledger, names: &[Names], data: &Datasets, as_of: Option<Date>) -> (Vec<Destination>, Vec<usize>) {
    let mut index: BTreeMap<String, usize> = BTreeMap::new();
    let mut groups: Vec<Group> = Vec::new();
    let mut of_flow = Vec::with_capacity(ledger.flows.len());
    for (flow_index, flow) in ledger.flows.iter().enumerate() {
        let empty = Names::default();
        let known = names.get(flow_index).unwrap_or(&empty);
        let name = known
            .names
            .first()
            .map_or_else(|| flow.server.ip.to_string(), |best| plain(best.name.as_str()));
        let at = *index.entry(name.clone()).or_insert_with(|| {
            groups.push(Group {
                name,
                named: !known.names.is_empty(),
                ..Group::default()
            });
            groups.len().saturating_sub(1)
        });
        of_flow.push(at);
        if let Some(group) = groups.get_mut(at) {
            group.add(FlowId(u32::try_from(flow_index).unwrap_or(u32::MAX)), flow, known);
        }
    }
    let mut reaches = Reaches::default();
    (
        groups
            .into_iter()
            .map(|group| group.destination(data, as_of, &mut reaches))
            .collect(),
        of_flow,
    )
}

/// Reach by everything it follows from: thousands of addresses share an operator and a place.
#[derive(Default)]
struct Reaches(BTreeMap<ReachKey, Arc<[Reach]>>);

type ReachKey = (Option<String>, Vec<(Option<u32>, Vec<Country>, LocationState, Vec<CountryClaim>)>);

impl Reaches {
    fn of(
        &mut self,
        data: &Datasets,
        organisation: Option<&Organisation>,
        owners: &[Owner],
        places: &[Place],
        as_of: Option<Date>,
    ) -> Arc<[Reach]> {
        let grounds = places.iter().map(|it| {
            let asn = it.network.as_ref().map(|network| network.asn);
            (asn, it.location.countries.clone(), it.location.state, it.location.claims.clone())
        });
        let key = (organisation.map(|it| it.id.clone()), grounds.collect());
        let known = self
            .0
            .entry(key)
            .or_insert_with(|| reach(data, organisation, owners, places, as_of).into());
        Arc::clone(known)
    }
}

#[derive(Default)]
struct Group {
    name: String,
    named: bool,
    addresses: BTreeSet<IpAddr>,
    candidates: BTreeSet<String>,
    traffic: Traffic,
    flows: Vec<FlowId>,
}

impl Group {
    fn add(&mut self, id: FlowId, flow: &Flow, names: &Names) {
        self.addresses.insert(flow.server.ip);
        self.candidates.extend(names.candidates.iter().cloned());
        self.flows.push(id);
        let sum = &mut self.traffic;
        sum.flows = sum.flows.saturating_add(1);
        sum.frames = sum.frames.saturating_add(flow.up.frames).saturating_add(flow.down.frames);
        sum.bytes_up = sum.bytes_up.saturating_add(flow.up.bytes);
        sum.bytes_down = sum.bytes_down.saturating_add(flow.down.bytes);
    }

    fn destination(self, data: &Datasets, as_of: Option<Date>, reaches: &mut Reaches) -> Destination {
        let places: Vec<Place> = self.addresses.iter().map(|address| data.place(*address)).collect();
        let organisation = if self.named {
            data.organisation_of_host(&self.name).map(|it| it.organisation)
        } else {
            None
        };
        let owners = organisation.as_ref().map(|it| data.owners(&it.id)).unwrap_or_default();
        let location = sum_up(&places);
        let reach = reaches.of(data, organisation.as_ref(), &owners, &places, as_of);
        Destination {
            domain: if self.named { registrable_domain(&self.name) } else { None },
            candidates: self.candidates.into_iter().filter(|name| *name != self.name).collect(),
            name: self.name,
            organisation,
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
    let mut claims: Vec<CountryClaim> = places.iter().flat_map(|it| it.location.claims.iter().cloned()).collect();
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
    Location {
        countries,
        state,
        claims,
        excluded,
    }
}
