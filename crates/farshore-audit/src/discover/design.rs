//! What the captures are, as labels and addresses tell: the partitions that places are compared with, and what they could
//! show at best.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use farshore_model::identifier::{Role, RoleDesign};
use farshore_model::{FlowId, Ledger};

use super::partition::Partition;

/// Captures below which none is kept aside: fewer prove little as it is.
const ASIDE_FROM: usize = 10;
/// One of so many is kept aside.
const ASIDE_EVERY: usize = 5;

/// Roles that a label of the same name tells.
const LABELLED: [(Role, &str); 4] = [
    (Role::User, "user"),
    (Role::Room, "room"),
    (Role::Device, "device"),
    (Role::Build, "build"),
];

/// The captures.
pub(super) struct Captures {
    /// How many.
    pub(super) count: usize,
    /// Whether each is kept aside for confirmation.
    aside: Vec<bool>,
    /// By role, those that labels tell of at least two captures.
    pub(super) labelled: BTreeMap<Role, Partition>,
    /// By flow: the input, and the two addresses.
    flows: Vec<(usize, IpAddr, IpAddr)>,
}

impl Captures {
    pub(super) fn of(ledger: &Ledger) -> Self {
        let count = ledger.inputs.len();
        let labels = |key: &str| -> Vec<Option<&str>> {
            let label = |labels: &'_ BTreeMap<String, String>| labels.contains_key(key);
            let all = ledger.inputs.iter();
            all.map(|it| it.labels.get(key).filter(|_| label(&it.labels)).map(String::as_str))
                .collect()
        };
        let labelled = LABELLED
            .iter()
            .map(|(role, key)| (*role, Partition::of(labels(key))))
            .filter(|(_, it)| it.known() >= 2)
            .collect();
        // By digest, so that neither names nor order decide what is kept aside.
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by_key(|at| ledger.inputs.get(*at).map(|it| &it.sha256));
        let mut aside = vec![false; count];
        if count >= ASIDE_FROM {
            for at in order.iter().skip(ASIDE_EVERY.saturating_sub(1)).step_by(ASIDE_EVERY) {
                if let Some(it) = aside.get_mut(*at) {
                    *it = true;
                }
            }
        }
        let flow = |it: &farshore_model::Flow| (it.input.0 as usize, it.client.ip, it.server.ip);
        Self {
            count,
            aside,
            labelled,
            flows: ledger.flows.iter().map(flow).collect(),
        }
    }

    /// Whether a capture is kept aside.
    pub(super) fn is_aside(&self, capture: usize) -> bool {
        self.aside.get(capture).copied().unwrap_or(false)
    }

    /// Captures kept aside.
    pub(super) fn aside(&self) -> usize {
        self.aside.iter().filter(|it| **it).count()
    }

    /// The capture of a flow.
    pub(super) fn of_flow(&self, flow: FlowId) -> Option<usize> {
        self.flows.get(flow.0 as usize).map(|it| it.0)
    }

    /// Client and server of a flow.
    pub(super) fn ends(&self, flow: FlowId) -> Option<(IpAddr, IpAddr)> {
        self.flows.get(flow.0 as usize).map(|it| (it.1, it.2))
    }

    /// Captures by the one client address, and by the one server address, that they used in these flows; those with several
    /// are unlike any other.
    pub(super) fn by_address(&self, flows: &BTreeSet<FlowId>) -> [Option<Partition>; 2] {
        let mut seen: BTreeMap<usize, [BTreeSet<IpAddr>; 2]> = BTreeMap::new();
        for (capture, client, server) in flows.iter().filter_map(|it| self.flows.get(it.0 as usize)) {
            let [clients, servers] = seen.entry(*capture).or_default();
            clients.insert(*client);
            servers.insert(*server);
        }
        [0, 1].map(|side| {
            let of = |capture: usize| seen.get(&capture).and_then(|it| it.get(side));
            // A value that stayed while the address changed is no address.
            let moved = (0..self.count).filter_map(of).any(|it| it.len() > 1);
            (!moved).then(|| Partition::of((0..self.count).map(of)))
        })
    }

    /// Whether all that is known of rooms is that there is one.
    pub(super) fn one_room(&self) -> bool {
        self.labelled.get(&Role::Room).is_some_and(|it| it.distinct() < 2)
    }

    /// What a perfect place could reach for each role, on the captures not kept aside.
    pub(super) fn roles(&self) -> Vec<RoleDesign> {
        let all = self.labelled.iter();
        all.map(|(role, it)| RoleDesign {
            role: *role,
            distinct: it.distinct() as u64,
            least_p: it.within(it, |at| !self.is_aside(at)).chance(),
        })
        .collect()
    }
}
