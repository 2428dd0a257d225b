//! What rules do to the flows of an audit, by what their format looks at: a packet filter sees addresses, a resolver sees names
//! that are asked of it, an inspector sees names in the clear.
//!
//! It tries the rules that are written, not the selection they were made of. Refuses to call a flow stopped that may have got
//! its address elsewhere, and to call one free that may not.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use farshore_model::audit::{Audit, FlowName, NameVia};
use farshore_model::party::Destination;
use farshore_model::rules::{Abilities, Amount, Fate, RuleSet, Selection, Simulation, Stopped, Target};
use farshore_model::{Answer, Flow, FlowId, Observation, Protection};

use crate::naming::plain;

/// Tries the rules.
pub fn simulate(rules: &RuleSet, selection: &Selection, audit: &Audit) -> Simulation {
    let trial = Trial::new(rules, audit);
    let has_flows = trial.has_flows;
    let denied: BTreeSet<usize> = selection.denied().map(|it| it.destination).collect();
    let doubtful: BTreeSet<usize> = selection.doubtful.iter().map(|it| it.destination).collect();
    let mut all = Simulation {
        has_flows,
        ..Simulation::default()
    };
    for (index, party) in audit.destinations.iter().enumerate() {
        let mut fate = trial.fate(index, party);
        fate.denied = match (denied.contains(&index), doubtful.contains(&index)) {
            (true, _) => Answer::Yes,
            (false, true) => Answer::CannotTell,
            (false, false) => Answer::No,
        };
        if fate.denied == Answer::No && fate.outcome == Stopped::Not {
            all.untouched = all.untouched.saturating_add(1);
        } else {
            all.fates.push(fate);
        }
    }
    all.resolvers = trial.resolvers();
    all
}

/// Rules by what they fit, and what the audit tells of lookups.
struct Trial<'a> {
    audit: &'a Audit,
    abilities: Abilities,
    addresses: BTreeSet<IpAddr>,
    names: BTreeSet<&'a str>,
    below: Vec<&'a Target>,
    has_flows: bool,
    /// Names that were asked for in plain DNS, and of whom; `None`: no lookup is kept.
    heard: Option<BTreeMap<Cow<'a, str>, BTreeSet<IpAddr>>>,
    /// Flows in which a denied name is asked for in plain DNS, where the filter sees that.
    asking: BTreeSet<FlowId>,
}

/// What becomes of one flow.
type Verdict = (Stopped, &'static str);

const STOPS: Verdict = (Stopped::Whole, "");

impl<'a> Trial<'a> {
    fn new(rules: &'a RuleSet, audit: &'a Audit) -> Self {
        let targets = || rules.rules.iter().map(|it| &it.target);
        let listed = audit.destinations.iter().flat_map(|it| it.flows.first());
        let mut trial = Self {
            audit,
            abilities: rules.abilities,
            addresses: targets()
                .filter_map(|it| match it {
                    Target::Address(address) => Some(*address),
                    _ => None,
                })
                .collect(),
            names: targets()
                .filter_map(|it| match it {
                    Target::Name(name) => Some(name.as_str()),
                    _ => None,
                })
                .collect(),
            below: targets().filter(|it| matches!(it, Target::Below(_))).collect(),
            has_flows: listed.clone().all(|id| audit.flows.get(id.0 as usize).is_some()),
            heard: heard(audit),
            asking: BTreeSet::new(),
        };
        if trial.abilities.server_names && trial.abilities.lookups {
            let asked = audit.observations.iter().filter_map(|seen| match &seen.what {
                Observation::NameAsked { protocol: "dns", name, .. } => Some((seen.flow, name)),
                _ => None,
            });
            trial.asking = asked.filter(|(_, name)| trial.fits(name.as_str())).map(|(flow, _)| flow).collect();
        }
        trial
    }

    fn fits(&self, name: &str) -> bool {
        let name = plain(name);
        self.names.contains(&*name) || self.below.iter().any(|it| it.fits_name(&name))
    }

    fn fate(&self, index: usize, it: &Destination) -> Fate {
        let mut fate = Fate {
            destination: index,
            denied: Answer::No,
            outcome: Stopped::Not,
            all: Amount {
                flows: it.traffic.flows,
                bytes: it.traffic.bytes_up.saturating_add(it.traffic.bytes_down),
            },
            stopped: Amount::default(),
            open: Amount::default(),
            because: Vec::new(),
        };
        if self.has_flows && !it.flows.is_empty() {
            self.by_flows(it, &mut fate);
        } else {
            let (outcome, because) = self.by_itself(it);
            fate.outcome = outcome;
            fate.because.push(because.to_owned());
        }
        fate
    }

    fn by_flows(&self, it: &Destination, fate: &mut Fate) {
        let (mut reasons, mut partly): (BTreeMap<&'static str, u64>, bool) = (BTreeMap::new(), false);
        for id in &it.flows {
            let Some(flow) = self.audit.flows.get(id.0 as usize) else {
                continue;
            };
            let (stopped, because) = self.flow(*id, flow, it);
            let sum = match stopped {
                Stopped::Whole => &mut fate.stopped,
                Stopped::CannotTell => &mut fate.open,
                Stopped::Partly | Stopped::Not => &mut Amount::default(),
            };
            partly |= stopped == Stopped::Partly;
            sum.flows = sum.flows.saturating_add(1);
            sum.bytes = sum.bytes.saturating_add(flow.up.bytes).saturating_add(flow.down.bytes);
            if !because.is_empty() {
                let count = reasons.entry(because).or_default();
                *count = count.saturating_add(1);
            }
        }
        fate.outcome = match (fate.stopped.flows, fate.open.flows) {
            (all, _) if all == fate.all.flows => Stopped::Whole,
            (0, 0) if !partly => Stopped::Not,
            (0, _) if !partly => Stopped::CannotTell,
            _ => Stopped::Partly,
        };
        fate.because = reasons.into_iter().map(|(because, flows)| format!("{flows} × {because}")).collect();
    }

    /// Without flows no more is known than names and addresses.
    fn by_itself(&self, it: &Destination) -> Verdict {
        let there = it.places.iter().filter(|place| self.addresses.contains(&place.address)).count();
        if self.abilities.addresses && there > 0 {
            return match there == it.places.len() {
                true => (Stopped::Whole, "by its addresses; the audit was saved without flows"),
                false => (
                    Stopped::Partly,
                    "some of its addresses are denied; the audit was saved without flows",
                ),
            };
        }
        if self.fits(&it.name) || it.candidates.iter().any(|name| self.fits(name)) || there > 0 {
            return (
                Stopped::CannotTell,
                "the audit was saved without flows: how it was reached is not told",
            );
        }
        (Stopped::Not, "no rule fits its name or addresses")
    }

    fn flow(&self, id: FlowId, flow: &Flow, of: &Destination) -> Verdict {
        let mine = self.bare(id, flow, of);
        // Whatever stops a tunnel stops what is in it. Tunnels may stand in each other, but never in circles.
        let mut outer = flow.inside.filter(|outer| outer.0 < id.0);
        while let Some(at) = outer {
            let Some(tunnel) = self.audit.flows.get(at.0 as usize) else { break };
            if self.abilities.addresses && self.addresses.contains(&tunnel.server.ip) {
                return (Stopped::Whole, "the tunnel it ran in stops");
            }
            outer = tunnel.inside.filter(|it| it.0 < at.0);
        }
        if flow.inside.is_some() && mine.0 == Stopped::Whole {
            return (
                Stopped::CannotTell,
                "it ran inside a tunnel, where only a filter that looks inside sees it",
            );
        }
        mine
    }

    fn bare(&self, id: FlowId, flow: &Flow, of: &Destination) -> Verdict {
        let names = self.audit.flow_names.get(id.0 as usize).map_or(&[][..], Vec::as_slice);
        if self.abilities.addresses && self.addresses.contains(&flow.server.ip) {
            return STOPS;
        }
        if self.abilities.addresses && self.addresses.contains(&flow.client.ip) {
            return (Stopped::Partly, "it came from a denied address: only what is sent back stops");
        }
        if self.asking.contains(&id) {
            return (
                Stopped::Partly,
                "a denied name is asked for in it: that stops, and what is asked after it in the same flow",
            );
        }
        let mut best = (Stopped::Not, self.missed(names));
        if self.abilities.server_names {
            best = better(best, self.by_server_name(flow, names));
        }
        if self.abilities.lookups {
            best = better(best, self.by_lookup(flow, names));
        }
        if best.0 == Stopped::Not && self.abilities.names() && names.is_empty() && of.candidates.iter().any(|it| self.fits(it)) {
            best = (Stopped::CannotTell, "its address may go by a denied name, among others");
        }
        best
    }

    /// Why nothing fits.
    fn missed(&self, names: &[FlowName]) -> &'static str {
        match () {
            () if !self.abilities.names() => "no rule has its address",
            () if names.is_empty() => "it goes to an address, and no name of it is seen",
            () => "no rule has its name",
        }
    }

    fn by_server_name(&self, flow: &Flow, names: &[FlowName]) -> Verdict {
        let mut best = (Stopped::Not, self.missed(names));
        for it in names.iter().filter(|it| self.fits(it.name.as_str())) {
            best = better(
                best,
                match it.via {
                    NameVia::Sni => STOPS,
                    NameVia::QuicSni if matches!(flow.server.port, 80 | 443) => STOPS,
                    NameVia::QuicSni => (Stopped::CannotTell, "QUIC is looked for on ports 80 and 443, unless set otherwise"),
                    NameVia::HttpHost if flow.protection == Protection::Plaintext => STOPS,
                    NameVia::HttpHost if flow.protocols.contains(&"http-proxy") => (
                        Stopped::CannotTell,
                        "whether its name stands in the clear is not told of what a proxy passes on",
                    ),
                    NameVia::HttpHost => (Stopped::Not, "its name stands inside of what is encrypted"),
                    NameVia::GquicSni => (Stopped::CannotTell, "whether Google's own QUIC is read depends on its version"),
                    NameVia::DtlsSni | NameVia::SdRtn | NameVia::Socks => (Stopped::Not, "its name stands where the format does not look"),
                    NameVia::Certificate => (Stopped::Not, "only the server's certificate tells its name"),
                    NameVia::Dns => best,
                },
            );
        }
        best
    }

    fn by_lookup(&self, flow: &Flow, names: &[FlowName]) -> Verdict {
        let answered = self.abilities.answers && self.addresses.contains(&flow.server.ip);
        let said = || names.iter().filter(|it| !matches!(it.via, NameVia::Dns | NameVia::Certificate));
        let Some(asked) = names.iter().find(|it| it.via == NameVia::Dns) else {
            return match () {
                () if answered => (Stopped::CannotTell, "no lookup that led to its address is in the capture"),
                () if names.iter().any(|it| self.fits(it.name.as_str())) => (
                    Stopped::CannotTell,
                    "no lookup of its name is in the capture: it was looked up before, over HTTPS, or not at all",
                ),
                () => (Stopped::Not, self.missed(names)),
            };
        };
        let is_own = said().next().is_none() || said().any(|it| plain(it.name.as_str()) == plain(asked.name.as_str()));
        if !answered && !self.fits(asked.name.as_str()) {
            return match said().any(|it| self.fits(it.name.as_str())) {
                true => (
                    Stopped::CannotTell,
                    "the only lookup in the capture that led to its address is of another name, which no rule has",
                ),
                false => (Stopped::Not, self.missed(names)),
            };
        }
        if !is_own && !answered {
            return (
                Stopped::CannotTell,
                "its address was looked up under a denied name, but it goes by another, which may have been looked up elsewhere",
            );
        }
        let Some(heard) = &self.heard else {
            return (
                Stopped::CannotTell,
                "the audit was saved without the lookups (--with flows,observations): by which road its name was asked for is not told",
            );
        };
        match heard.contains_key(&plain(asked.name.as_str())) {
            true => STOPS,
            false => (Stopped::CannotTell, "its name was looked up by another road than plain DNS"),
        }
    }

    /// Who was asked for names that rules have.
    fn resolvers(&self) -> Vec<(IpAddr, usize)> {
        let mut all: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for (_, asked) in self.heard.iter().flatten().filter(|(name, _)| self.fits(name)) {
            for resolver in asked {
                let count = all.entry(*resolver).or_default();
                *count = count.saturating_add(1);
            }
        }
        all.into_iter().collect()
    }
}

/// What stops goes before what is open, and that before what does not stop.
fn better(a: Verdict, b: Verdict) -> Verdict {
    let rank = |it: &Verdict| match it.0 {
        Stopped::Whole => 0,
        Stopped::Partly => 1,
        Stopped::CannotTell => 2,
        Stopped::Not => 3,
    };
    // Of equal ones the later knows more.
    if rank(&a) < rank(&b) { a } else { b }
}

/// Names that were asked for in plain DNS, and of whom; what was asked for over HTTPS, TLS, QUIC or on the local link is not among
/// them. `None`: no lookup is kept.
fn heard(audit: &Audit) -> Option<BTreeMap<Cow<'_, str>, BTreeSet<IpAddr>>> {
    let mut heard: BTreeMap<Cow<'_, str>, BTreeSet<IpAddr>> = BTreeMap::new();
    let mut any = false;
    for seen in &audit.observations {
        let Observation::NameAsked { protocol, name, .. } = &seen.what else {
            continue;
        };
        any = true;
        if *protocol == "dns"
            && let Some(flow) = audit.flows.get(seen.flow.0 as usize)
        {
            heard.entry(plain(name.as_str())).or_default().insert(flow.server.ip);
        }
    }
    any.then_some(heard)
}
