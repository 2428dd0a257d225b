//! Connections that ended when the client had named whom it wants: reset, or left without an answer. Many a filter on the path does
//! it, and so do a server that has no such host and a machine that died. That a reset or a silence follows what the client said is a
//! fact of the flow; that a name had been said is another. Refuses to say who did it: the bytes do not tell, and what they do tell (TTL,
//! other names that were answered there) is added.

use std::collections::{BTreeMap, BTreeSet};

use farshore_model::{Flow, FlowId, Ledger, Locus, Observation};

use crate::naming::plain;

/// What the flows say, and what it is called behind a name.
const KINDS: [(&str, &str); 2] = [("reset-after-request", "reset-after-name"), ("silence-after-request", SILENCE)];
const SILENCE: &str = "silence-after-name";

/// What a client had named by then, and where it first did.
#[derive(Default)]
struct Named {
    names: BTreeSet<String>,
    at: Option<Locus>,
}

/// Keeps what ended behind a name and adds the name; drops what ended behind other requests, which are everyday refusals.
pub fn settle(ledger: &mut Ledger) {
    let called = |kind| KINDS.iter().find(|(of_flow, _)| *of_flow == kind).map(|(_, called)| *called);
    if !ledger.anomalies.iter().any(|it| called(it.kind).is_some()) {
        return;
    }
    let mut named: BTreeMap<FlowId, Named> = BTreeMap::new();
    for seen in &ledger.observations {
        let name = match &seen.what {
            Observation::PeerNamed { name, .. } => plain(name.as_str()).into_owned(),
            Observation::Request { host: Some(host), .. } => plain(host.as_str()).into_owned(),
            _ => continue,
        };
        let of_flow = named.entry(seen.flow).or_default();
        of_flow.names.insert(name);
        of_flow.at.get_or_insert_with(|| seen.locus.clone());
    }
    // By server: the other names that were answered there.
    let mut answered: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for (flow, named) in &named {
        if let Some(flow) = ledger.flows.get(flow.0 as usize).filter(|it| it.down.payload > 0) {
            let names = named.names.iter().map(String::as_str);
            answered.entry((flow.server.ip, flow.server.port)).or_default().extend(names);
        }
    }
    let flows = &ledger.flows;
    // An answer that was not captured is no silence.
    let lossy = ledger.coverage.frames.dropped.is_some_and(|it| it > 0);
    ledger.anomalies.retain_mut(|it| {
        let Some(kind) = called(it.kind) else { return true };
        let Some((named, flow)) = it.flow.and_then(|id| named.get(&id).zip(flows.get(id.0 as usize))) else {
            return false;
        };
        let silent = kind == SILENCE;
        if silent && (lossy || flow.gaps() > 0) {
            return false;
        }
        it.kind = kind;
        let said: Vec<&str> = named.names.iter().map(String::as_str).collect();
        it.because.push_str(&format!("; the client had named {}", said.join(", ")));
        it.because.push_str(elsewhere(named, flow, &answered, silent));
        if silent {
            it.because.push_str("; a machine or a path that died looks the same");
            it.evidence.splice(0..0, named.at.clone());
        }
        true
    });
}

/// What else was answered at that address and port.
fn elsewhere(named: &Named, flow: &Flow, answered: &BTreeMap<(std::net::IpAddr, u16), BTreeSet<&str>>, silent: bool) -> &'static str {
    let there = answered.get(&(flow.server.ip, flow.server.port));
    let others = there.map_or(0, |there| there.iter().filter(|name| !named.names.contains(**name)).count());
    let same = there.is_some_and(|there| named.names.iter().any(|name| there.contains(name.as_str())));
    match (same, others) {
        (true, _) => ", and was answered when it named the same in another connection",
        (false, 0) if silent => "",
        (false, 0) => "; who reset it cannot be told",
        (false, _) => ", while other names were answered at the same address and port",
    }
}
