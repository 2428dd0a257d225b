//! Who receives it, where that can be, who owns them, and whose law could order whom.

use std::collections::{BTreeMap, BTreeSet};

use farshore_model::party::{Destination, Location, LocationState, Organisation, Owner, Reach};
use farshore_model::{Answer, Audit, Outcome};

use super::phrase::{bytes, name, some};
use super::{FrameRef, Item, KEPT, Part, Tone};
use crate::words::Word;

pub fn part(audit: &Audit) -> Part {
    let breached: BTreeSet<usize> = audit
        .verdicts
        .iter()
        .filter(|it| it.outcome == Outcome::Breached)
        .flat_map(|it| {
            it.destinations
                .iter()
                .copied()
                .chain(it.exposures.iter().filter_map(|x| Some(audit.exposures.get(*x)?.destination)))
        })
        .collect();
    let mut order: Vec<(usize, &Destination)> = audit.destinations.iter().enumerate().collect();
    order.sort_by_key(|(index, it)| {
        let sum = it.traffic.bytes_up.saturating_add(it.traffic.bytes_down);
        (
            !breached.contains(index),
            it.location.state == LocationState::Local,
            std::cmp::Reverse(sum),
            *index,
        )
    });
    Part {
        total: order.len(),
        items: order.into_iter().take(KEPT).map(|(_, it)| item(audit, it)).collect(),
    }
}

fn item(audit: &Audit, it: &Destination) -> Item {
    let first = it
        .flows
        .iter()
        .filter_map(|id| audit.flows.get(usize::try_from(id.0).ok()?))
        .map(|flow| FrameRef {
            input: flow.input.0,
            frame: flow.first_frame,
        });
    let who = it
        .organisation
        .as_ref()
        .map_or_else(|| "organisation not known".to_owned(), organisation);
    let mut what = Item::new(Tone::Plain, format!("{}, run by {who}", name(&it.name)));
    if it.organisation.is_none() {
        what.title = format!("{}: {who}", name(&it.name));
    }
    if !it.candidates.is_empty() {
        let candidates: Vec<String> = it.candidates.iter().map(|it| name(it)).collect();
        what = what.detail(format!("perhaps {}", some(&candidates, 3)));
    }
    if !it.owners.is_empty() {
        let owners: Vec<String> = it.owners.iter().map(owner).collect();
        what = what.detail(format!("owned by {}", owners.join(", above it ")));
    }
    let hosts: BTreeSet<(u32, &str)> = it
        .places
        .iter()
        .filter_map(|place| place.network.as_ref())
        .map(|network| (network.asn, network.name.as_str()))
        .collect();
    let hosts: Vec<String> = hosts
        .into_iter()
        .map(|(asn, holder)| format!("{} (AS{asn})", name(holder)))
        .collect();
    let hosted = if hosts.is_empty() {
        String::new()
    } else {
        format!(", hosted at {}", some(&hosts, 2))
    };
    let traffic = format!("{} up, {} down", bytes(it.traffic.bytes_up), bytes(it.traffic.bytes_down));
    what.detail(format!("{}{} · {traffic}", places(&it.location), hosted))
        .detail(laws(&it.reach))
        .at(first.min())
}

/// `Mock Voice (seat CN, by domain)`, with whatever weakens it.
pub fn organisation(it: &Organisation) -> String {
    let mut notes = vec![
        it.seat.map_or_else(|| "seat not known".to_owned(), |seat| format!("seat {seat}")),
        format!("by {}", it.basis),
    ];
    if !it.confidence.is_empty() && it.confidence != "high" {
        notes.push(format!("{} confidence", name(&it.confidence)));
    }
    if !it.read_at_source {
        notes.push("source not read".to_owned());
    }
    if it.fictional {
        notes.push("fictional".to_owned());
    }
    format!("{} ({})", name(&it.name), notes.join(", "))
}

/// `Mock Holding (KY)`.
pub fn owner(it: &Owner) -> String {
    it.country
        .map_or_else(|| name(&it.name), |country| format!("{} ({country})", name(&it.name)))
}

/// The set of countries with its doubt: `NL|US disputed`.
pub fn places(it: &Location) -> String {
    let set = it.countries.iter().map(|country| country.code()).collect::<Vec<_>>().join("|");
    let mut text = match (it.state, set.is_empty()) {
        (LocationState::Agreed, false) => format!("in {set}, sources agree"),
        (LocationState::Disputed, false) => format!("in {set} disputed"),
        (LocationState::Undetermined, false) => format!("in {set} undetermined"),
        (LocationState::Anycast, true) => "in many places at once (anycast)".to_owned(),
        (LocationState::Anycast, false) => format!("in many places at once (anycast), {set} among them"),
        (LocationState::Local, _) => "in the local network".to_owned(),
        (_, true) => "place undetermined".to_owned(),
    };
    let mut out: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for excluded in &it.excluded {
        out.entry(excluded.because).or_default().insert(excluded.country.code());
    }
    for (because, countries) in out {
        text.push_str(&format!(
            ", not {} ({because})",
            countries.into_iter().collect::<Vec<_>>().join("|")
        ));
    }
    text
}

/// `could be ordered under Mock Access Act, art. 28 (CN, text)`, and what cannot be told.
pub fn laws(reach: &[Reach]) -> String {
    let mut yes: Vec<String> = vec![];
    let mut open: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    let mut unread: BTreeSet<&str> = BTreeSet::new();
    for it in reach {
        match &it.law {
            Some(law) => {
                let wording = if law.verified { "" } else { ", wording not read" };
                let cited = format!(
                    "{}, {} ({}, {}{wording})",
                    name(&law.title),
                    name(&law.citation),
                    it.state,
                    it.standing.word()
                );
                if it.answer == Answer::Yes {
                    yes.push(cited);
                } else {
                    open.entry(cited).or_default().insert(it.via.word());
                }
            }
            None => {
                unread.insert(it.state.code());
            }
        }
    }
    yes.sort();
    yes.dedup();
    let mut parts = vec![];
    if !yes.is_empty() {
        parts.push(format!("could be ordered under {}", some(&yes, 3)));
    }
    if !open.is_empty() {
        let open: Vec<String> = open.into_keys().collect();
        parts.push(format!("cannot tell whether under {}", some(&open, 3)));
    }
    if !unread.is_empty() {
        let unread: Vec<&str> = unread.into_iter().collect();
        parts.push(format!("no access law of {} was read", some(&unread, 8)));
    }
    parts.join("; ")
}
