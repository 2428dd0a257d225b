//! Who receives it, where that can be, who owns them, and whose law could order whom.

use std::collections::{BTreeMap, BTreeSet};

use farshore_model::party::{Destination, Exclusion, Location, LocationState, Organisation, Owner, Reach};
use farshore_model::{Answer, Audit, Outcome};

use super::phrase::{bytes, name, some, span};
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
    // One organisation is one finding, however many of its machines answered; what is nobody's known is told apart.
    let mut parties: BTreeMap<Party<'_>, Vec<usize>> = BTreeMap::new();
    for (index, it) in audit.destinations.iter().enumerate() {
        let party = it
            .organisation
            .as_ref()
            .map_or(Party::Unknown(index), |it| Party::Known(&it.id, it.basis));
        parties.entry(party).or_default().push(index);
    }
    let mut order: Vec<Vec<usize>> = parties.into_values().collect();
    let members = |group: &[usize]| -> Vec<&Destination> { group.iter().filter_map(|index| audit.destinations.get(*index)).collect() };
    order.sort_by_cached_key(|group| {
        let all = members(group);
        let sum = all.iter().fold(0_u64, |sum, it| {
            sum.saturating_add(it.traffic.bytes_up).saturating_add(it.traffic.bytes_down)
        });
        (
            !group.iter().any(|index| breached.contains(index)),
            all.iter().all(|it| it.location.state == LocationState::Local),
            std::cmp::Reverse(sum),
            group.first().copied(),
        )
    });
    Part {
        total: order.len(),
        items: order.iter().take(KEPT).map(|group| item(audit, &members(group))).collect(),
    }
}

/// What is told of one destination.
pub fn of(audit: &Audit, it: &Destination) -> Item {
    item(audit, &[it])
}

/// Whom destinations are told under.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Party<'a> {
    Known(&'a str, &'a str),
    Unknown(usize),
}

fn item(audit: &Audit, all: &[&Destination]) -> Item {
    let first = all
        .iter()
        .flat_map(|it| &it.flows)
        .filter_map(|id| audit.flows.get(usize::try_from(id.0).ok()?))
        .map(|flow| FrameRef {
            input: flow.input.0,
            frame: flow.first_frame,
        });
    let names: Vec<String> = all.iter().map(|it| name(&it.name)).collect();
    let organisation = all.first().and_then(|it| it.organisation.as_deref());
    let tried = all.iter().all(|it| it.traffic.is_only_tried());
    let title = match organisation {
        Some(it) if tried => format!(
            "{} was tried at {}: all of it was rejected",
            self::organisation(it),
            some(&names, 2)
        ),
        None if tried => format!("{} was tried, and all of it rejected: organisation not known", some(&names, 2)),
        Some(it) => format!("{} receives at {}", self::organisation(it), some(&names, 2)),
        None => format!("{}: organisation not known", some(&names, 2)),
    };
    let mut what = Item::new(Tone::Plain, title);
    let candidates: BTreeSet<String> = all.iter().flat_map(|it| &it.candidates).map(|it| name(it)).collect();
    if !candidates.is_empty() {
        let candidates: Vec<String> = candidates.into_iter().collect();
        what = what.detail(format!("perhaps {}", some(&candidates, 3)));
    }
    if let Some(owners) = all.first().map(|it| &it.owners).filter(|it| !it.is_empty()) {
        let owners: Vec<String> = owners.iter().map(owner).collect();
        what = what.detail(format!("owned by {}", owners.join(", above it ")));
    }
    let reach: Vec<&Reach> = all.iter().flat_map(|it| it.reach.iter()).collect();
    what.detail(format!("{}{}{}", whereabouts(all), hosts(all), traffic(all)))
        .detail(orders(&reach))
        .at(first.min())
}

/// `in NL|US disputed (10), in GB, sources agree (2)`.
fn whereabouts(all: &[&Destination]) -> String {
    let mut sets: BTreeMap<String, usize> = BTreeMap::new();
    for it in all {
        let times = sets.entry(places(&it.location)).or_default();
        *times = times.saturating_add(1);
    }
    let counted = |(set, times): (String, usize)| if all.len() > 1 { format!("{set} ({times})") } else { set };
    let mut sets: Vec<(String, usize)> = sets.into_iter().collect();
    sets.sort_by(|a, b| (std::cmp::Reverse(a.1), &a.0).cmp(&(std::cmp::Reverse(b.1), &b.0)));
    some(&sets.into_iter().map(counted).collect::<Vec<_>>(), 4)
}

fn hosts(all: &[&Destination]) -> String {
    let hosts: BTreeSet<(u32, &str)> = all
        .iter()
        .flat_map(|it| &it.places)
        .filter_map(|place| place.network.as_ref())
        .map(|network| (network.asn, network.name.as_str()))
        .collect();
    let hosts: Vec<String> = hosts
        .into_iter()
        .map(|(asn, holder)| format!("{} (AS{asn})", name(holder)))
        .collect();
    if hosts.is_empty() {
        String::new()
    } else {
        format!(", hosted at {}", some(&hosts, 2))
    }
}

fn traffic(all: &[&Destination]) -> String {
    let sum = |of: fn(&Destination) -> u64| all.iter().fold(0_u64, |sum, it| sum.saturating_add(of(it)));
    let rhythm = all.iter().filter_map(|it| it.traffic.rhythm).max_by_key(|it| it.times);
    let rhythm = rhythm.map(|it| {
        format!(
            " · {} times by the clock, every {} ± {}",
            it.times,
            span(it.period),
            span(it.jitter)
        )
    });
    format!(
        " · {} up, {} down{}{}",
        bytes(sum(|it| it.traffic.bytes_up)),
        bytes(sum(|it| it.traffic.bytes_down)),
        match sum(|it| it.traffic.refused.bytes) {
            0 => String::new(),
            rejected => format!(", {} rejected", bytes(rejected)),
        },
        rhythm.unwrap_or_default()
    )
}

/// `could be ordered under CN law (cn-csl-28, cn-nil-7); under US, HK law: cannot tell`. The laws' words stand in the long forms.
fn orders(reach: &[&Reach]) -> String {
    let mut yes: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let (mut open, mut unread) = (BTreeSet::new(), BTreeSet::new());
    for it in reach {
        let state = it.state.code();
        match &it.law {
            Some(law) if it.answer == Answer::Yes => {
                yes.entry(state).or_default().insert(name(&law.id));
            }
            Some(_) => {
                open.insert(state);
            }
            None => {
                unread.insert(state);
            }
        }
    }
    let list = |states: BTreeSet<&str>| some(&states.into_iter().collect::<Vec<_>>(), 8);
    let mut parts = vec![];
    if !yes.is_empty() {
        let laws = yes
            .iter()
            .map(|(state, laws)| format!("{state} law ({})", some(&laws.iter().collect::<Vec<_>>(), 4)));
        parts.push(format!("could be ordered under {}", laws.collect::<Vec<_>>().join(", ")));
    }
    open.retain(|state| !yes.contains_key(state));
    if !open.is_empty() {
        parts.push(format!("under {} law: cannot tell", list(open)));
    }
    if !unread.is_empty() {
        parts.push(format!("no access law of {} was read", list(unread)));
    }
    parts.join("; ")
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
    // Most of the world is far away: only what somebody claimed is news.
    let mut out: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for excluded in claimed_and_out(it) {
        out.entry(excluded.because).or_default().insert(excluded.country.code());
    }
    for (because, countries) in out {
        text.push_str(&format!(
            ", not {} ({because})",
            countries.into_iter().collect::<Vec<_>>().join("|")
        ));
    }
    let implausible: BTreeSet<&str> = it.implausible.iter().map(|row| row.country.code()).collect();
    if !implausible.is_empty() {
        let implausible = implausible.into_iter().collect::<Vec<_>>().join("|");
        text.push_str(&format!(", implausibly {implausible} (light in fibre is slower)"));
    }
    text
}

/// Countries that are struck out although a source names them, each once; all of them where there are few.
pub fn claimed_and_out(it: &Location) -> impl Iterator<Item = &Exclusion> {
    const FEW: usize = 8;
    let mut seen = BTreeSet::new();
    let all = it.excluded.len() <= FEW;
    let named = move |row: &Exclusion| all || it.claims.iter().any(|claim| claim.country == row.country);
    it.excluded.iter().filter(move |row| named(row) && seen.insert(row.country))
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
