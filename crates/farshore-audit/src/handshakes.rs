//! Connections that were reset once the client had named whom it wants: how many a filter on the path does it, and how a server that
//! has no such host does it too. A reset behind a request is a fact of the flow; that a name had been said is another. Refuses to say who
//! sent the reset: the bytes do not tell, and what they do tell (TTL, other names that were answered there) is added.

use std::collections::{BTreeMap, BTreeSet};

use farshore_model::{FlowId, Ledger, Observation};

use crate::naming::plain;

/// What the flows say of a reset behind a request.
const RESET: &str = "reset-after-request";

/// Keeps the resets behind a name and adds the name; drops those behind other requests, which are everyday refusals.
pub fn settle(ledger: &mut Ledger) {
    if !ledger.anomalies.iter().any(|it| it.kind == RESET) {
        return;
    }
    let mut named: BTreeMap<FlowId, BTreeSet<String>> = BTreeMap::new();
    for seen in &ledger.observations {
        let name = match &seen.what {
            Observation::PeerNamed { name, .. } => plain(name.as_str()).into_owned(),
            Observation::Request { host: Some(host), .. } => plain(host.as_str()).into_owned(),
            _ => continue,
        };
        named.entry(seen.flow).or_default().insert(name);
    }
    // By server: the other names that were answered there.
    let mut answered: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for (flow, names) in &named {
        if let Some(flow) = ledger.flows.get(flow.0 as usize).filter(|it| it.down.payload > 0) {
            let names = names.iter().map(String::as_str);
            answered.entry((flow.server.ip, flow.server.port)).or_default().extend(names);
        }
    }
    let flows = &ledger.flows;
    ledger.anomalies.retain_mut(|it| {
        if it.kind != RESET {
            return true;
        }
        let Some((names, flow)) = it.flow.and_then(|id| named.get(&id).zip(flows.get(id.0 as usize))) else {
            return false;
        };
        it.kind = "reset-after-name";
        let said: Vec<&str> = names.iter().map(String::as_str).collect();
        it.because.push_str(&format!("; the client had named {}", said.join(", ")));
        let there = answered.get(&(flow.server.ip, flow.server.port));
        let others = there.map_or(0, |there| there.iter().filter(|name| !names.contains(**name)).count());
        let same = there.is_some_and(|there| said.iter().any(|name| there.contains(name)));
        it.because.push_str(match (same, others) {
            (true, _) => ", and was answered when it named the same in another connection",
            (false, 0) => "; who reset it cannot be told",
            (false, _) => ", while other names were answered at the same address and port",
        });
        true
    });
}
