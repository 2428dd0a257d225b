//! What the captures are, as labels and addresses tell: the partitions that places are compared with, and what they could
//! show at best.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use farshore_model::identifier::{Role, RoleDesign};
use farshore_model::{Flow, FlowId, Ledger, Transport};

use super::groups::{Group, Message};
use super::partition::Partition;

/// Captures below which none is kept aside: fewer prove little as it is.
const ASIDE_FROM: usize = 10;
/// One of so many is kept aside.
const ASIDE_EVERY: usize = 5;

/// Clients of one capture below which nothing is said of users: programs and their settings differ as well.
const FEW_CLIENTS: usize = 4;

/// Roles that a label of the same name tells.
const LABELLED: [(Role, &str); 4] = [
    (Role::User, "user"),
    (Role::Room, "room"),
    (Role::Device, "device"),
    (Role::Build, "build"),
];

/// Conversations of one client, and of all, that stand for captures where there is one capture only.
const OF_CLIENT: usize = 8;
const OF_ALL: usize = 512;

/// What is needed of a conversation.
struct Conversation {
    /// What it is compared with others as; `None`: it is not.
    capture: Option<usize>,
    /// The capture or, within one, the client: who may have several conversations.
    party: usize,
    client: IpAddr,
    port: u16,
    server: IpAddr,
    /// The second it began.
    began: Option<i64>,
}

impl Conversation {
    fn of(it: &Flow, capture: Option<usize>, party: usize) -> Self {
        Self {
            capture,
            party,
            client: it.client.ip,
            port: it.client.port,
            server: it.server.ip,
            began: it.first.map(|it| it.as_nanos() / 1_000_000_000),
        }
    }
}

/// The captures; where there is one only, its conversations stand for captures, and the addresses of its clients for users.
pub(super) struct Captures {
    /// How many.
    pub(super) count: usize,
    /// How many inputs there are.
    pub(super) inputs: usize,
    /// Whether each is kept aside for confirmation.
    aside: Vec<bool>,
    /// By role, those that labels tell of at least two captures.
    pub(super) labelled: BTreeMap<Role, Partition>,
    /// Users are told by the addresses of captures, as no label tells them.
    pub(super) by_address_only: bool,
    /// By service, captures by the one server that they spoke to.
    relays: Vec<Partition>,
    /// By flow.
    flows: Vec<Conversation>,
}

impl Captures {
    pub(super) fn of(ledger: &Ledger) -> Self {
        if ledger.inputs.len() == 1 {
            return Self::of_one(ledger);
        }
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
        let of_input = |it: &Flow| Conversation::of(it, Some(it.input.0 as usize), it.input.0 as usize);
        let mut captures = Self {
            count,
            inputs: count,
            aside,
            labelled,
            by_address_only: false,
            relays: relays(ledger),
            flows: ledger.flows.iter().map(of_input).collect(),
        };
        if !captures.labelled.contains_key(&Role::User) && !captures.labelled.contains_key(&Role::Device) {
            let users = captures.at_home(ledger);
            if users.known() >= 2 && users.distinct() >= 2 && users.chance() < 1.0 {
                captures.labelled.insert(Role::User, users);
                captures.by_address_only = true;
            }
        }
        captures
    }

    /// Of a single capture.
    fn of_one(ledger: &Ledger) -> Self {
        let spoken: BTreeSet<FlowId> = ledger.specimens.iter().map(|it| it.flow).collect();
        let mut clients: BTreeMap<IpAddr, (usize, usize)> = BTreeMap::new();
        let mut users: Vec<Option<usize>> = Vec::new();
        let mut conversation = |(number, it): (u32, &Flow)| {
            let next = clients.len();
            let (client, conversations) = clients.entry(it.client.ip).or_insert((next, 0));
            let compared = spoken.contains(&FlowId(number)) && *conversations < OF_CLIENT && users.len() < OF_ALL;
            let capture = compared.then_some(users.len());
            if compared {
                *conversations = conversations.saturating_add(1);
                users.push(Some(*client));
            }
            Conversation::of(it, capture, *client)
        };
        let flows = (0..).zip(ledger.flows.iter()).map(&mut conversation).collect();
        let count = users.len();
        let users = Partition::of(users);
        let mut labelled = BTreeMap::new();
        // Between a few, what every program sets differently is no less their own.
        let by_address_only = users.distinct() >= FEW_CLIENTS && users.chance() < 1.0;
        if by_address_only {
            labelled.insert(Role::User, users);
        }
        Self {
            count,
            inputs: 1,
            aside: (0..count)
                .map(|it| count >= ASIDE_FROM && it % ASIDE_EVERY == ASIDE_EVERY.saturating_sub(1))
                .collect(),
            labelled,
            by_address_only,
            relays: Vec::new(),
            flows,
        }
    }

    /// What a place has one value in: captures, or the conversations of one.
    pub(super) fn word(&self) -> &'static str {
        if self.inputs == 1 { "conversations" } else { "captures" }
    }

    /// Captures by the one address that their clients kept; those that moved are not known.
    fn at_home(&self, ledger: &Ledger) -> Partition {
        let mut seen: BTreeMap<usize, BTreeSet<IpAddr>> = BTreeMap::new();
        let payload = ledger.specimens.iter().filter(|it| it.payload || it.direction.is_none());
        for it in payload.filter_map(|it| self.flows.get(it.flow.0 as usize)) {
            if let Some(capture) = it.capture {
                seen.entry(capture).or_default().insert(it.client);
            }
        }
        Partition::of((0..self.count).map(|it| {
            let addresses = seen.get(&it)?;
            addresses.first().filter(|_| addresses.len() == 1)
        }))
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
        self.flows.get(flow.0 as usize)?.capture
    }

    /// Who may have several conversations: a capture, or a client in the only one.
    pub(super) fn party(&self, flow: FlowId) -> Option<usize> {
        self.flows.get(flow.0 as usize).map(|it| it.party)
    }

    /// Client and server of a flow.
    pub(super) fn ends(&self, flow: FlowId) -> Option<(IpAddr, IpAddr)> {
        self.flows.get(flow.0 as usize).map(|it| (it.client, it.server))
    }

    /// The client's port of a flow.
    pub(super) fn client_port(&self, flow: FlowId) -> Option<u16> {
        self.flows.get(flow.0 as usize).map(|it| it.port)
    }

    /// The second in which a flow began.
    pub(super) fn began(&self, flow: FlowId) -> Option<i64> {
        self.flows.get(flow.0 as usize)?.began
    }

    /// Captures by the one client address, and by the one server address, that they used in these flows; those with several
    /// are unlike any other.
    pub(super) fn by_address(&self, flows: &BTreeSet<FlowId>) -> [Option<Partition>; 2] {
        let mut seen: BTreeMap<usize, [BTreeSet<IpAddr>; 2]> = BTreeMap::new();
        for it in flows.iter().filter_map(|it| self.flows.get(it.0 as usize)) {
            let Some(capture) = it.capture else { continue };
            let [clients, servers] = seen.entry(capture).or_default();
            clients.insert(it.client);
            servers.insert(it.server);
        }
        [0, 1].map(|side| {
            let of = |capture: usize| seen.get(&capture).and_then(|it| it.get(side));
            // A value that stayed while the address changed is no address.
            let moved = (0..self.count).filter_map(of).any(|it| it.len() > 1);
            (!moved).then(|| Partition::of((0..self.count).map(of)))
        })
    }

    /// Whether some service parts these captures by its servers just so: whatever else names them, in a question for their
    /// name or at another server, may be theirs.
    pub(super) fn goes_with_relays(&self, partition: &Partition) -> bool {
        // Of a conversation whose beginning was lost it is not told which end serves.
        let most = |it: &Partition| it.within(partition, |_| true).known().saturating_mul(5) >= partition.known().saturating_mul(4);
        self.relays.iter().any(|it| most(it) && it.agrees(partition))
    }

    /// Whether all that is known of rooms is that there is one.
    pub(super) fn one_room(&self) -> bool {
        self.labelled.get(&Role::Room).is_some_and(|it| it.distinct() < 2)
    }

    /// Whether nobody, of those that labels tell, has two captures.
    pub(super) fn one_each(&self) -> bool {
        let users = self.labelled.get(&Role::User);
        users.is_some_and(|it| it.distinct() == it.known())
    }

    /// Whether numbers in these messages are little-endian, as their counters and clocks tell.
    pub(super) fn byte_order(&self, group: &Group<'_>) -> Option<bool> {
        let shortest = group.messages.iter().map(|it| it.bytes().len()).min()?.min(128);
        let mut votes = [0_usize; 2];
        for at in 0..shortest {
            for (side, little) in [false, true].into_iter().enumerate() {
                if self.counts(group, at, little)
                    && let Some(votes) = votes.get_mut(side)
                {
                    *votes = votes.saturating_add(1);
                }
            }
        }
        let [big, little] = votes;
        (big != little).then_some(little > big)
    }

    /// Whether four bytes there are the time of the conversation, or two count its messages.
    fn counts(&self, group: &Group<'_>, at: usize, little: bool) -> bool {
        const AROUND: i64 = 86_400;
        let number = |bytes: &[u8]| {
            let join = |sum: i64, byte: &u8| sum << 8 | i64::from(*byte);
            if little {
                bytes.iter().rev().fold(0, join)
            } else {
                bytes.iter().fold(0, join)
            }
        };
        let time = |it: &Message<'_>| {
            let value = it.bytes().get(at..at.saturating_add(4)).map(number);
            let began = self.flows.get(it.specimen.flow.0 as usize).and_then(|it| it.began);
            value
                .zip(began)
                .is_some_and(|(value, began)| value.abs_diff(began) < AROUND.unsigned_abs())
        };
        if group.messages.iter().all(time) {
            return true;
        }
        let (mut pairs, mut steps, mut before) = (0_usize, 0_usize, None);
        let mut high: BTreeSet<i64> = BTreeSet::new();
        for it in &group.messages {
            let Some(value) = it.bytes().get(at..at.saturating_add(2)).map(number) else {
                return false;
            };
            if let Some((flow, before)) = before
                && flow == it.specimen.flow
            {
                pairs = pairs.saturating_add(1);
                let step = i64::saturating_sub(value, before);
                steps = steps.saturating_add(usize::from((1..=12).contains(&step)));
            }
            before = Some((it.specimen.flow, value));
            high.insert(value >> 8);
        }
        // The byte beside a counter is its high one only if it counts as well, slowly.
        let slow = high.len() >= 2 && high.last().is_some_and(|it| *it <= 32);
        // Those overtaken by others go a step back.
        slow && pairs >= 8 && steps.saturating_mul(5) >= pairs.saturating_mul(4)
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

/// By service, captures by the one server that each spoke to. Resolvers are left out: they are of the network.
fn relays(ledger: &Ledger) -> Vec<Partition> {
    const RESOLVERS: [u16; 2] = [53, 853];
    let mut services: BTreeMap<(Transport, u16), BTreeMap<usize, BTreeSet<IpAddr>>> = BTreeMap::new();
    let spoken: BTreeSet<FlowId> = ledger.specimens.iter().map(|it| it.flow).collect();
    for it in spoken.iter().filter_map(|it| ledger.flows.get(it.0 as usize)) {
        if !RESOLVERS.contains(&it.server.port) {
            let of_capture = services.entry((it.transport, it.server.port)).or_default();
            of_capture.entry(it.input.0 as usize).or_default().insert(it.server.ip);
        }
    }
    let one = |servers: &BTreeSet<IpAddr>| servers.first().filter(|_| servers.len() == 1).copied();
    let partition =
        |of_capture: BTreeMap<usize, BTreeSet<IpAddr>>| Partition::of((0..ledger.inputs.len()).map(|it| of_capture.get(&it).and_then(one)));
    let mut relays: Vec<Partition> = services.into_values().map(partition).filter(|it| it.distinct() > 1).collect();
    relays.sort_unstable();
    relays.dedup();
    relays
}
