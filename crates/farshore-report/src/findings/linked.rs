//! Who can be linked to whom, in plain words: by observer and identifier, all who carried it; and what reaches several parties.
//!
//! Pairs are gathered into the groups they came from. It refuses to count anybody twice: a group is its clients, not its pairs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use farshore_model::party::Destination;
use farshore_model::{Audit, DatumKind, Exposure, ReaderRole};

use super::phrase::{count, name, some};
use super::{FrameRef, Item, Part, Tone};
use crate::words::Word;

/// All whom one observer can link by one identifier.
pub struct Group<'a> {
    /// Who can tell.
    pub observer: ReaderRole,
    /// Who that is; empty for whoever is on the path.
    pub party: &'a str,
    /// What they carried: `room-id#1`.
    pub by: String,
    /// The clients, each with a place where it carried it.
    pub clients: BTreeMap<&'a str, Option<FrameRef>>,
    /// How many this observer saw carry it.
    pub anonymity_set: usize,
}

/// The groups, by observer, party, kind and number.
pub fn groups(audit: &Audit) -> Vec<Group<'_>> {
    let mut all: BTreeMap<(ReaderRole, &str, &str, u32), Group<'_>> = BTreeMap::new();
    for it in audit.links.iter().flatten() {
        let party: &str = &it.party;
        let group = all
            .entry((it.observer, party, it.kind.as_str(), it.number))
            .or_insert_with(|| Group {
                observer: it.observer,
                party,
                by: it.label(),
                clients: BTreeMap::new(),
                anonymity_set: it.anonymity_set,
            });
        group.anonymity_set = group.anonymity_set.max(it.anonymity_set);
        for (client, at) in [(&it.a, 0), (&it.b, 1)] {
            let place = it.evidence.get(at).map(FrameRef::of);
            group.clients.entry(client).or_insert(place);
        }
    }
    all.into_values().collect()
}

/// `whoever is on the path`, `relay (Example Ltd)`.
pub fn observer(it: &Group<'_>) -> String {
    match it.party {
        "" => "whoever carries the frames".to_owned(),
        party => format!("{} ({})", it.observer.word(), name(party)),
    }
}

/// An identifier that several parties were sent.
pub struct Spread<'a> {
    /// What it is: `device-id#2`.
    pub label: String,
    /// Who was sent it: organisations, else destinations.
    pub parties: BTreeSet<&'a str>,
    /// A first place.
    pub at: Option<FrameRef>,
}

/// Kinds whose value is no identifier of anybody.
const OTHERS: [DatumKind; 4] = [DatumKind::HOSTNAME, DatumKind::URL, DatumKind::CONTENT, DatumKind::AUDIO];

/// Identifiers that reached two parties or more, by kind and number.
pub fn spread(audit: &Audit) -> Vec<Spread<'_>> {
    let party = |it: &Exposure| -> Option<&str> {
        let to = audit.destinations.get(it.destination).filter(|it| !is_crowd(it))?;
        Some(to.organisation.as_ref().map_or(to.name.as_ref(), |it| it.name.as_ref()))
    };
    let mut all: BTreeMap<(&str, u32), Spread<'_>> = BTreeMap::new();
    for it in audit.exposures.iter().filter(|it| !OTHERS.contains(&it.kind)) {
        let spread = all.entry((it.kind.as_str(), it.number)).or_insert_with(|| Spread {
            label: it.label(),
            parties: BTreeSet::new(),
            at: it.evidence.first().map(FrameRef::of),
        });
        spread.parties.extend(party(it));
    }
    all.into_values().filter(|it| it.parties.len() > 1).collect()
}

/// Whether it is everybody who listens, which is no party: that a device calls into its network over IPv4 and IPv6 alike joins nobody.
fn is_crowd(it: &Destination) -> bool {
    let of_all = |ip: IpAddr| ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    !it.places.is_empty() && it.places.iter().all(|place| of_all(place.address))
}

/// Both, the largest groups first.
pub fn part(audit: &Audit) -> Part {
    let mut groups = groups(audit);
    groups.sort_by_key(|it| (it.observer, std::cmp::Reverse(it.clients.len())));
    let linked = groups.iter().map(|it| {
        let clients: Vec<String> = it.clients.keys().map(|it| name(it)).collect();
        let title = format!(
            "{} can link {} by {}, one of {}",
            observer(it),
            some(&clients, 6),
            name(&it.by),
            it.anonymity_set
        );
        Item::new(if it.party.is_empty() { Tone::Bad } else { Tone::Plain }, title).at(it.clients.values().next().copied().flatten())
    });
    let spread = spread(audit);
    let reached = spread.iter().map(|it| {
        let parties: Vec<String> = it.parties.iter().map(|it| name(it)).collect();
        let title = format!(
            "{} reaches {}: {}",
            name(&it.label),
            count(parties.len(), "party"),
            some(&parties, 4)
        );
        Item::new(Tone::Plain, title).at(it.at)
    });
    Part::of(linked.chain(reached).collect::<Vec<_>>().into_iter())
}
