//! What became of the keys offered: how many sessions they opened, and why the others stayed closed. That a closed session is a
//! proxy's other leg shows only where flows stand beside each other, so it is told here. Refuses to open anything, and to call two
//! connections legs because they lead to the same name.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use farshore_model::coverage::KeyCoverage;
use farshore_model::flow::KeyUse;
use farshore_model::{Flow, FlowId, Ledger, Observation};

use crate::naming::plain;

/// Why a session stays closed whose keys a proxy holds, or its client, while those at hand are of the other's session.
const OTHER_LEG: &str = "other leg of a proxy";

/// Tells of each session without keys whether it is a leg of a proxy whose other leg was opened.
pub fn settle(ledger: &mut Ledger) {
    let closed = |flow: &Flow| flow.keys().and_then(|it| it.missed.as_deref()) == Some(KeyUse::NO_SUCH_SESSION);
    let (mut opened, mut without) = (BTreeSet::new(), BTreeSet::new());
    for (id, flow) in (0..).map(FlowId).zip(&ledger.flows) {
        if closed(flow) {
            without.insert(id);
        } else if flow.is_opened() {
            opened.insert(id);
        }
    }
    if opened.is_empty() || without.is_empty() {
        return;
    }
    let mut asked: BTreeMap<String, BTreeSet<FlowId>> = BTreeMap::new();
    let mut wants: BTreeMap<FlowId, BTreeSet<String>> = BTreeMap::new();
    for seen in &ledger.observations {
        let Observation::PeerNamed { name, .. } = &seen.what else {
            continue;
        };
        let name = || plain(name.as_str()).into_owned();
        if opened.contains(&seen.flow) {
            asked.entry(name()).or_default().insert(seen.flow);
        } else if without.contains(&seen.flow) {
            wants.entry(seen.flow).or_default().insert(name());
        }
    }
    let flow = |id: FlowId| ledger.flows.get(id.0 as usize);
    let legs: Vec<FlowId> = wants
        .iter()
        .filter(|(id, names)| {
            let mut others = names.iter().filter_map(|name| asked.get(name)).flatten();
            others.any(|other| flow(**id).zip(flow(*other)).is_some_and(|(one, other)| are_legs(one, other)))
        })
        .map(|(id, _)| *id)
        .collect();
    for id in legs {
        let keys = ledger
            .flows
            .get_mut(id.0 as usize)
            .and_then(|flow| flow.rare.as_mut()?.keys.as_mut());
        if let Some(keys) = keys {
            keys.missed = Some(OTHER_LEG.into());
        }
    }
}

/// Whether somebody stands between: whoever is the server of one is the client of the other, at the same time. A server that was
/// reached under its name on the own machine is a proxy there.
fn are_legs(one: &Flow, other: &Flow) -> bool {
    let joined = |inner: &Flow, outer: &Flow| inner.server.ip == outer.client.ip || is_own(inner.server.ip) && !is_own(outer.server.ip);
    let at_once = one.first <= other.last && other.first <= one.last;
    at_once && (joined(one, other) || joined(other, one))
}

fn is_own(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// Counts what was opened, and why the rest was not.
pub fn tell(ledger: &Ledger, coverage: &mut KeyCoverage) {
    let used = || ledger.flows.iter().filter_map(|flow| flow.keys());
    let opened: BTreeSet<_> = used().flat_map(|it| &it.opened).collect();
    coverage.matched = opened.len() as u64;
    let mut unmatched: BTreeMap<String, u64> = BTreeMap::new();
    for reason in used().filter_map(|it| it.missed.as_ref()) {
        let flows = unmatched.entry(reason.clone().into_owned()).or_default();
        *flows = flows.saturating_add(1);
    }
    coverage.unmatched = unmatched;
}
