//! What was sent in inputs labelled with a `state` other than `active` (`idle`, `consent-refused`): to whom, which fields, how often, and
//! what of it no active input shows. Refuses to say that something is never sent while active: it was not seen there.

use std::collections::{BTreeMap, BTreeSet};

use farshore_model::party::Destination;
use farshore_model::sighting::KEPT;
use farshore_model::talk::{Beyond, Talk};
use farshore_model::{Exposure, Few, Flow, FlowId, Ledger, Locus, Span, Text};

use crate::exposure::transport;
use crate::rhythm::rhythm;

/// The state in which somebody asks for something.
const ACTIVE: &str = "active";

/// What a destination was sent, as exposures tell it.
#[derive(Clone, Default)]
struct Shown {
    fields: BTreeSet<Text>,
    exposures: Vec<usize>,
}

/// What was sent in each state but the active one, by state and destination.
pub(crate) fn of(ledger: &Ledger, destinations: &[Destination], exposures: &[Exposure]) -> Vec<Talk> {
    let states: Vec<Option<&str>> = ledger
        .inputs
        .iter()
        .map(|it| it.labels.get("state").map(String::as_str).filter(|it| !it.is_empty()))
        .collect();
    if states.iter().flatten().all(|it| *it == ACTIVE) {
        return Vec::new();
    }
    let compared = states.contains(&Some(ACTIVE));
    let state_of = |flow: &Flow| states.get(flow.input.0 as usize).copied().flatten();
    let flow = |id: &FlowId| ledger.flows.get(id.0 as usize);
    // By state and destination: the flows in which something was sent.
    let mut sent: BTreeMap<(&str, usize), Vec<FlowId>> = BTreeMap::new();
    for (index, destination) in destinations.iter().enumerate() {
        for id in &destination.flows {
            let Some(flow) = flow(id).filter(|it| says_something(it)) else {
                continue;
            };
            if let Some(state) = state_of(flow) {
                sent.entry((state, index)).or_default().push(*id);
            }
        }
    }
    let mut shown: BTreeMap<(&str, usize), Shown> = BTreeMap::new();
    for (index, exposure) in exposures.iter().enumerate() {
        let here: BTreeSet<&str> = exposure.flows.iter().filter_map(flow).filter_map(state_of).collect();
        for state in here {
            let shown = shown.entry((state, exposure.destination)).or_default();
            shown.fields.insert(exposure.field.clone());
            shown.exposures.push(index);
        }
    }
    let asked = sent.values().filter(|it| it.len() > 1).count();
    let told = sent.iter().filter(|((state, _), _)| *state != ACTIVE);
    told.map(|((state, destination), ids)| {
        let Shown { fields, exposures } = shown.get(&(*state, *destination)).cloned().unwrap_or_default();
        let active = shown.get(&(ACTIVE, *destination)).map(|it| &it.fields);
        let new = |it: &&Text| active.is_none_or(|known| !known.contains(*it));
        let flows: Vec<&Flow> = ids.iter().filter_map(flow).collect();
        let mut inputs: Vec<_> = flows.iter().map(|it| it.input).collect();
        inputs.sort();
        inputs.dedup();
        Talk {
            state: (*state).into(),
            destination: *destination,
            inputs,
            flows: ids.len() as u64,
            bytes_up: flows.iter().fold(0, |sum, it| sum.saturating_add(it.up.bytes)),
            rhythm: rhythm(&ledger.flows, ids, asked),
            beyond: compared.then(|| Beyond {
                destination: !sent.contains_key(&(ACTIVE, *destination)),
                fields: fields.iter().filter(new).cloned().collect(),
            }),
            fields: fields.into_iter().collect(),
            exposures,
            evidence: flows.iter().take(KEPT).map(|it| beginning(it)).collect(),
        }
    })
    .collect()
}

fn says_something(flow: &Flow) -> bool {
    if flow.is_recorded() {
        flow.up.frames > 0
    } else {
        flow.up.payload > 0
    }
}

/// Where a conversation begins.
pub(crate) fn beginning(flow: &Flow) -> Locus {
    Locus {
        input: flow.input,
        span: Span::in_frame(flow.first_frame, 0, 0),
        layers: [transport(flow.transport)].into(),
        decoded_by: Few::none(),
    }
}
