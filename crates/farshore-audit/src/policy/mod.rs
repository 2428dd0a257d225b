//! Judging: clauses against exposures, with four outcomes and no way from "not seen" to "met".

mod asking;
pub mod baseline;
pub mod basis;
pub(crate) mod covers;
pub mod kleene;
pub mod pack;
pub mod places;
pub mod scope;
pub mod sets;
mod settling;
pub mod subject;
pub mod waivers;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use farshore_model::party::{Destination, LocationState, Place};
use farshore_model::verdict::Subject as Judged;
use farshore_model::{Finding, Flow, FlowId, Ledger, Locus, Outcome, Verdict};
use serde::Deserialize;

pub use asking::Matter;
use asking::{Asked, Sum, UNRECORDED, Want};
pub use baseline::Baseline;
pub use basis::Basis;
use kleene::Truth;
use pack::{Clause, Confidence, Pack, Predicate, Subject};
use scope::Gap;
pub use scope::Scope;
pub use subject::DataSubject;
pub use waivers::Waivers;

use crate::written::Mistake;

/// The packs that are built in: id and text. One line a pack.
static BUILT_IN: &[(&str, &str)] = &[
    ("access-powers", include_str!("../../../../packs/policies/access-powers/pack.toml")),
    ("allow-list", include_str!("../../../../packs/policies/allow-list/pack.toml")),
    ("countries", include_str!("../../../../packs/policies/countries/pack.toml")),
    ("doj-28cfr202", include_str!("../../../../packs/policies/doj-28cfr202/pack.toml")),
    (
        "gdpr-chapter-v",
        include_str!("../../../../packs/policies/gdpr-chapter-v/pack.toml"),
    ),
    (
        "no-plaintext-identifiers",
        include_str!("../../../../packs/policies/no-plaintext-identifiers/pack.toml"),
    ),
    ("pledge-2015", include_str!("../../../../packs/policies/pledge-2015/pack.toml")),
];

/// The pack that judges when none is named.
pub const DEFAULT: &str = "no-plaintext-identifiers";

/// The built-in pack of that id.
pub fn built_in(id: &str) -> Option<Result<Pack, Mistake>> {
    BUILT_IN.iter().find(|(name, _)| *name == id).map(|(_, text)| Pack::read(text))
}

/// The mistakes of such a file as [`read`] takes, in their order.
pub fn mistakes(text: &str) -> Vec<Mistake> {
    match read(text) {
        Ok(_) => Vec::new(),
        // Of a pack all can be told, of parameters the first.
        Err(first) => match Pack::read_whole(text) {
            Err(all) if all.contains(&first) => all,
            _ => vec![first],
        },
    }
}

/// Reads a file of a user's own: a pack, or the parameters of a built-in one (`use = "countries"`, `[params]`).
pub fn read(text: &str) -> Result<Pack, Mistake> {
    #[derive(Deserialize)]
    struct Which {
        #[serde(rename = "use")]
        pack: Option<toml::Spanned<String>>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Used {
        #[serde(rename = "use")]
        _pack: String,
        #[serde(default)]
        params: BTreeMap<String, Vec<String>>,
    }
    let Some(named) = toml::from_str::<Which>(text).map_err(Mistake::from_toml)?.pack else {
        return Pack::read(text);
    };
    let used: Used = toml::from_str(text).map_err(Mistake::from_toml)?;
    let span = Some(named.span());
    let there = || ids().collect::<Vec<_>>().join(", ");
    let pack = built_in(named.get_ref()).unwrap_or_else(|| {
        Err(Mistake {
            message: format!("no built-in pack is named `{}`; there are: {}", named.get_ref(), there()),
            span,
        })
    })?;
    complete(pack.with(&used.params)?)
}

/// A pack that can judge: one whose parameters were all given.
pub fn complete(pack: Pack) -> Result<Pack, Mistake> {
    match pack.params.first() {
        None => Ok(pack),
        Some(name) => Err(Mistake::of(format!(
            "{id} needs its parameter: a file with use = \"{id}\" and, under [params], {name} = {}",
            pack.example_of(name),
            id = pack.id
        ))),
    }
}

/// The ids of the built-in packs, sorted.
pub fn ids() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(id, _)| *id)
}

/// The verdicts of all clauses of a pack.
pub fn verdicts(pack: &Pack, matter: &Matter<'_>) -> Vec<Verdict> {
    pack.clauses.iter().map(|clause| verdict(pack, clause, matter)).collect()
}

fn verdict(pack: &Pack, clause: &Clause, matter: &Matter<'_>) -> Verdict {
    let speaks = speaks(clause, matter);
    if speaks.truth == Truth::False {
        let because = speaks.whys.join("; ");
        return told(pack, clause, (Outcome::NotApplicable, because), Group::default(), Vec::new());
    }
    // What is the same of everything, and not known, is told once.
    let of_all = Sum::all(clause.when.iter().filter(|it| it.is_of_the_subject()), &Asked::nothing(matter));
    let open_of_all = if of_all.truth == Truth::Unknown {
        of_all.whys.join("; ")
    } else {
        String::new()
    };
    let of_nothing_seen = !open_of_all.is_empty() && clause.when.iter().all(Predicate::is_of_the_subject);
    let given = Given {
        speaks: speaks.truth,
        of_all: of_all.truth,
        open: &open_of_all,
    };
    let mut found = match clause.judges {
        _ if of_nothing_seen => Found::default(),
        Subject::Exposures => of_exposures(clause, matter, given),
        Subject::Addresses => of_addresses(clause, matter, given),
    };
    let (one, many) = match clause.judges {
        Subject::Exposures => ("exposure", "exposures"),
        Subject::Addresses => ("address", "addresses"),
    };
    let judged = found.judged;
    let plural = if judged == 1 { one } else { many };
    let mut gaps = scope::gaps(matter.ledger, matter.scope, clause.judges);
    let open = (speaks.truth == Truth::Unknown).then(|| speaks.whys.join("; "));
    if let Some(why) = &open {
        found.wants.extend(speaks.wants);
        gaps.push(Gap::open(format!("whether it speaks of this at all cannot be told: {why}")));
    }
    if of_nothing_seen {
        gaps.push(Gap::open(open_of_all.clone()));
    }
    if of_nothing_seen || found.doubtful.items > 0 {
        found.wants.extend(of_all.wants);
    }
    let mut findings = std::mem::take(&mut found.findings);
    let settled_by = settling::of(&found.wants, found.doubtful.items > 0, &gaps);
    let (outcome, because, chosen) = if found.breached.items > 0 {
        let stand = if found.breached.items == 1 { "stands" } else { "stand" };
        let because = format!("{} of {judged} {plural} {stand} against it", found.breached.items);
        (Outcome::Breached, found.breached.explained(because), found.breached)
    } else if found.doubtful.items > 0 {
        let because = format!("{} of {judged} {plural} could not be told either way", found.doubtful.items);
        let because = found.doubtful.explained(because);
        let because = match open_of_all.is_empty() {
            true => because,
            false => format!("{because}; of all of them, {open_of_all}"),
        };
        let because = match &open {
            Some(why) => format!("{because}; nor whether it speaks of this at all: {why}"),
            None => because,
        };
        (Outcome::Undetermined, because, found.doubtful)
    } else if !gaps.is_empty() {
        let seen = match found.stayed {
            0 => "nothing against it was seen".to_owned(),
            1 => format!("nothing against it was seen to leave the local network, in which 1 {one} stays"),
            all => format!("nothing against it was seen to leave the local network, in which {all} {many} stay"),
        };
        let because = format!(
            "{seen}, which proves nothing: {}",
            gaps.iter().map(|it| it.what.as_str()).collect::<Vec<_>>().join("; ")
        );
        findings.push(Finding {
            outcome: Outcome::Undetermined,
            subject: Judged::Coverage,
            because: because.as_str().into(),
            waived: None,
            before: false,
        });
        (Outcome::Undetermined, because, Group::default())
    } else {
        let covered = match found.covered {
            0 => String::new(),
            some => format!(", {some} of them by what excuses it"),
        };
        (
            Outcome::Met,
            format!("it holds for all of the declared scope ({judged} {plural} judged{covered})"),
            Group::default(),
        )
    };
    Verdict {
        findings,
        ..told(pack, clause, (outcome, because), chosen, settled_by)
    }
}

/// Whether a clause speaks of such days and of such people, whatever is judged.
fn speaks(clause: &Clause, matter: &Matter<'_>) -> Sum {
    let asked = Asked::nothing(matter);
    let mut sum = Sum::all(clause.applies.iter().filter(|it| it.is_of_the_subject()), &asked);
    let days = matter.days_of_rules();
    let then = basis::during(clause.from, clause.until, days);
    if then == Truth::True || sum.truth == Truth::False {
        return sum;
    }
    let time = match (clause.from, clause.until) {
        (Some(from), Some(until)) => format!("from {from} to {until}"),
        (Some(from), None) => format!("from {from} on"),
        (None, Some(until)) => format!("until {until}"),
        (None, None) => String::new(),
    };
    let of = match (matter.as_of, days) {
        (Some(day), _) => format!("what counts is {day}"),
        (None, Some((first, last))) if first == last => format!("the capture is of {first}"),
        (None, Some((first, last))) => format!("the capture is of {first} to {last}"),
        (None, None) => "no input says of which day it is".to_owned(),
    };
    if then == Truth::False {
        sum.whys.clear();
    }
    sum.truth = sum.truth.and(then);
    sum.whys.push(format!("it speaks of what happens {time}, and {of}"));
    sum.wants.insert(Want::Day);
    sum
}

/// A verdict without its findings.
fn told(
    pack: &Pack,
    clause: &Clause,
    (outcome, because): (Outcome, String),
    chosen: Group,
    settled_by: Vec<farshore_model::Text>,
) -> Verdict {
    // Words that nobody read at their source cannot carry a breach.
    let (outcome, note) = match outcome {
        Outcome::NotApplicable => (outcome, false),
        _ if !clause.verified => (Outcome::Undetermined, true),
        _ => (outcome, false),
    };
    Verdict {
        pack: pack.id.clone(),
        clause: clause.id.clone(),
        title: clause.title.clone(),
        citation: clause.citation.clone(),
        outcome,
        because,
        note,
        exposures: chosen.exposures,
        destinations: chosen.destinations.into_iter().collect(),
        evidence: chosen.evidence,
        settled_by: if outcome == Outcome::Undetermined { settled_by } else { Vec::new() },
        findings: Vec::new(),
    }
}

/// What is known beforehand, whatever is judged.
#[derive(Clone, Copy)]
struct Given<'a> {
    /// Whether the clause speaks of such days and such people.
    speaks: Truth,
    /// Whether those conditions hold that are the same of everything.
    of_all: Truth,
    /// Why that is open, if it is.
    open: &'a str,
}

/// What a clause came to.
#[derive(Default)]
struct Found {
    judged: usize,
    /// What would stand against the clause if it did not stay in the local network.
    stayed: usize,
    /// What would stand against the clause if nothing excused it.
    covered: usize,
    breached: Group,
    doubtful: Group,
    findings: Vec<Finding>,
    /// What is missing where it could not be told.
    wants: BTreeSet<Want>,
}

impl Found {
    /// Keeps what is breached or could not be told; of what holds there is nothing to keep.
    fn keep(&mut self, truth: Truth, subject: Judged, because: &str, given: Given<'_>) -> Option<&mut Group> {
        let (outcome, group) = match truth {
            Truth::True => (Outcome::Breached, &mut self.breached),
            Truth::Unknown => (Outcome::Undetermined, &mut self.doubtful),
            Truth::False => return None,
        };
        // A finding is read by itself.
        let whys = [because, given.open].into_iter().filter(|it| !it.is_empty());
        let because = whys.collect::<Vec<_>>().join("; ");
        self.findings.push(Finding {
            outcome,
            subject,
            because: because.as_str().into(),
            waived: None,
            before: false,
        });
        Some(group)
    }

    /// Notes what would have to be known.
    fn want(&mut self, truth: Truth, wants: BTreeSet<Want>) {
        if truth == Truth::Unknown {
            self.wants.extend(wants);
        }
    }
}

/// What stands alike to a clause.
#[derive(Default)]
struct Group {
    items: usize,
    exposures: Vec<usize>,
    destinations: BTreeSet<usize>,
    evidence: Vec<Locus>,
    /// Reasons, by what was seen of the thing.
    reasons: BTreeMap<String, Reason>,
}

/// Why things stand as they do.
struct Reason {
    /// Whether all that can be seen of them stands against the clause: it is open for what nobody told.
    seen: bool,
    /// How many there are.
    times: usize,
    /// The first of them.
    first: String,
}

/// Pieces of evidence a verdict shows.
const EVIDENCE: usize = 20;
/// Reasons a verdict tells in words.
const REASONS: usize = 4;

impl Group {
    /// Adds an item of a destination, and why it stands here where there is more to say than what it is.
    fn add(&mut self, destination: usize, said: Option<(&dyn std::fmt::Display, String)>, seen: bool) {
        self.items = self.items.saturating_add(1);
        self.destinations.insert(destination);
        let Some((item, why)) = said else { return };
        let reason = self.reasons.entry(why).or_insert_with(|| Reason {
            seen,
            times: 0,
            first: item.to_string(),
        });
        reason.times = reason.times.saturating_add(1);
    }

    /// Shows where it was seen, as long as there is room.
    fn show(&mut self, place: impl FnOnce() -> Option<Locus>) {
        if self.evidence.len() < EVIDENCE {
            self.evidence.extend(place());
        }
    }

    /// With the reasons that were given most, those of what was seen to stand against it first.
    fn explained(&self, because: String) -> String {
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_by_key(|(why, it)| (std::cmp::Reverse((it.seen, it.times)), *why));
        let told = reasons.iter().take(REASONS).map(|(why, Reason { times, first, .. })| match times {
            1 => format!("{first}: {why}"),
            _ => format!("{first} and {} more: {why}", times.saturating_sub(1)),
        });
        let told: Vec<String> = told.collect();
        let rest = match reasons.len().saturating_sub(REASONS) {
            0 => String::new(),
            more => format!("; and {more} further reasons"),
        };
        if told.is_empty() {
            because
        } else {
            format!("{because} – {}{rest}", told.join("; "))
        }
    }
}

/// How one thing stands to a clause.
struct Stands {
    truth: Truth,
    /// Whether the clause speaks of it.
    judged: bool,
    /// Whether it is excused.
    covered: bool,
    /// Whether all that can be seen of it stands against the clause.
    seen: bool,
    why: String,
    wants: BTreeSet<Want>,
}

impl Stands {
    /// The clause does not speak of it.
    const fn aside() -> Self {
        Self {
            truth: Truth::False,
            judged: false,
            covered: false,
            seen: false,
            why: String::new(),
            wants: BTreeSet::new(),
        }
    }
}

/// How a thing stands to a clause; why, as far as it is not the same of everything.
fn stands(clause: &Clause, it: &Asked<'_>, given: Given<'_>) -> Stands {
    let mut stands = Stands::aside();
    let applies = Sum::all(clause.applies.iter().filter(|it| !it.is_of_the_subject()), it);
    if applies.truth == Truth::False {
        return stands;
    }
    stands.judged = true;
    let when = Sum::all(clause.when.iter().filter(|it| !it.is_of_the_subject()), it);
    let truth = when.truth.and(given.of_all);
    if truth == Truth::False {
        return stands;
    }
    stands.seen = when.truth == Truth::True;
    let unless = Sum::any(&clause.unless, it);
    if unless.truth == Truth::True {
        stands.covered = true;
        return stands;
    }
    stands.truth = given.speaks.and(applies.truth).and(truth).and(unless.truth.negated());
    let doubts = |sum: Sum| if sum.truth == Truth::Unknown { sum.whys } else { Vec::new() };
    stands.wants = [&applies.wants, &when.wants, &unless.wants]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let whys: Vec<String> = when.whys.into_iter().chain(unless.whys).chain(doubts(applies)).collect();
    stands.why = whys.join("; ");
    stands
}

/// Nothing in particular, with the confidence that the clause wants.
fn asked_of<'a>(clause: &Clause, matter: &'a Matter<'_>) -> Asked<'a> {
    Asked {
        weak: clause.min_confidence == Some(Confidence::Weak),
        ..Asked::nothing(matter)
    }
}

fn of_exposures(clause: &Clause, matter: &Matter<'_>, given: Given<'_>) -> Found {
    let mut found = Found::default();
    let by_address = clause.predicates().any(Predicate::is_of_an_address);
    let nothing = asked_of(clause, matter);
    for (index, exposure) in matter.exposures.iter().enumerate() {
        let destination = matter.destinations.get(exposure.destination);
        let whole = Asked {
            exposure: Some(exposure),
            destination,
            ..nothing
        };
        // One answer for all addresses, or one for each where the clause speaks of the exposure at all.
        let mut of_all = clause.applies.iter().filter(|it| !it.is_of_the_subject() && !it.is_of_an_address());
        let one_by_one = by_address && of_all.all(|it| it.ask(&whole).truth != Truth::False);
        let stands = if one_by_one {
            worst(by_addresses(&whole).iter().map(|it| (it.place, stands(clause, it, given))))
        } else {
            stands(clause, &whole, given)
        };
        if !stands.judged {
            found.stayed = found.stayed.saturating_add(usize::from(!one_by_one && stayed(clause, &whole)));
            continue;
        }
        found.judged = found.judged.saturating_add(1);
        found.covered = found
            .covered
            .saturating_add(usize::from(stands.covered && stands.truth == Truth::False));
        let Stands {
            truth, why, wants, seen, ..
        } = stands;
        let Some(group) = found.keep(truth, Judged::Exposure(index), &why, given) else {
            continue;
        };
        group.exposures.push(index);
        let said = destination
            .filter(|_| !why.is_empty())
            .map(|it| -> &dyn std::fmt::Display { &it.name });
        group.add(exposure.destination, said.map(|item| (item, why)), seen);
        group.show(|| exposure.evidence.first().cloned());
        found.want(truth, wants);
    }
    found
}

/// Whether it would stand against the clause if it had left the local network.
fn stayed(clause: &Clause, it: &Asked<'_>) -> bool {
    let but_for_that = clause.applies.iter().filter(|it| !matches!(it, Predicate::Leaves(_)));
    let mut rest = but_for_that.chain(&clause.when);
    let local = it.destination.is_some_and(|it| it.location.state == LocationState::Local);
    local && rest.all(|predicate| predicate.ask(it).truth == Truth::True)
}

/// An exposure to each of the addresses it went to, local ones aside.
fn by_addresses<'a>(whole: &Asked<'a>) -> Vec<Asked<'a>> {
    let ids = whole.exposure.map(|it| it.flows.iter()).into_iter().flatten();
    let flows = ids.filter_map(|id| whole.matter.ledger.flows.get(usize::try_from(id.0).ok()?));
    let addresses: BTreeSet<IpAddr> = flows.map(|it| it.server.ip).collect();
    let places = whole.destination.map(|it| &it.places[..]).unwrap_or_default();
    let place = |address: &IpAddr| places.iter().find(|it| it.address == *address);
    let mut all: Vec<Asked<'a>> = addresses
        .iter()
        .map(|address| Asked {
            place: place(address),
            ..*whole
        })
        .collect();
    if all.is_empty() {
        all.push(*whole);
    }
    all.retain(|it| it.place.is_none_or(|it| it.location.state != LocationState::Local));
    all
}

/// The worst counts; what is told is of the first that decides, and of all that are in doubt where none does.
fn worst<'a>(all: impl Iterator<Item = (Option<&'a Place>, Stands)>) -> Stands {
    let mut sum = Stands::aside();
    for (place, it) in all {
        sum.judged |= it.judged;
        sum.covered |= it.covered;
        let why = match place {
            Some(place) if !it.why.is_empty() => format!("at {}, {}", place.address, it.why),
            _ => it.why,
        };
        match it.truth {
            Truth::True => {
                return Stands {
                    truth: Truth::True,
                    why,
                    wants: BTreeSet::new(),
                    ..sum
                };
            }
            Truth::Unknown => {
                if sum.why.is_empty() || it.seen && !sum.seen {
                    sum.why = why;
                }
                sum.seen |= it.seen;
                sum.truth = Truth::Unknown;
                sum.wants.extend(it.wants);
            }
            Truth::False => {}
        }
    }
    sum
}

/// Every address that anything was sent to, with or without an answer, and every party without one. Local ones are outside every place
/// clause, and so are those that everything was kept from.
fn of_addresses(clause: &Clause, matter: &Matter<'_>, given: Given<'_>) -> Found {
    let ledger = matter.ledger;
    let nothing = asked_of(clause, matter);
    let mut found = Found::default();
    for (index, destination) in matter.destinations.iter().enumerate() {
        // Something went there, and nobody knows where that is: at least one address more, of no known place.
        if destination.places.is_empty() && !destination.flows.is_empty() {
            let asked = Asked {
                destination: Some(destination),
                ..nothing
            };
            let subject = Judged::Address {
                destination: index,
                address: None,
            };
            let stands = stands(clause, &asked, given);
            if stands.judged {
                found.judged = found.judged.saturating_add(1);
                found.covered = found.covered.saturating_add(usize::from(stands.covered));
                let why = if stands.why.is_empty() { UNRECORDED.to_owned() } else { stands.why };
                if let Some(group) = found.keep(stands.truth, subject, &why, given) {
                    group.add(index, Some((&destination.name, why)), stands.seen);
                    group.show(|| destination.flows.first().and_then(|id| of_flow(*id, ledger)));
                    found.want(stands.truth, stands.wants);
                }
            }
        }
        let kept_out = kept_out(destination, ledger);
        let sent_to = |place: &&Place| !kept_out.contains(&place.address) && place.location.state != LocationState::Local;
        for place in destination.places.iter().filter(sent_to) {
            let asked = Asked {
                destination: Some(destination),
                place: Some(place),
                ..nothing
            };
            let stands = stands(clause, &asked, given);
            if !stands.judged {
                continue;
            }
            found.judged = found.judged.saturating_add(1);
            found.covered = found.covered.saturating_add(usize::from(stands.covered));
            let subject = Judged::Address {
                destination: index,
                address: Some(place.address),
            };
            let Some(group) = found.keep(stands.truth, subject, &stands.why, given) else {
                continue;
            };
            group.add(index, Some((&place.address, stands.why)), stands.seen);
            group.show(|| seen(destination, place, ledger));
            found.want(stands.truth, stands.wants);
        }
    }
    found
}

/// The addresses of which flow logs tell only that what was sent there was rejected.
fn kept_out(destination: &Destination, ledger: &Ledger) -> BTreeSet<IpAddr> {
    if destination.traffic.only_tried == 0 {
        return BTreeSet::new();
    }
    let flows = || {
        let ids = destination.flows.iter();
        ids.filter_map(|id| ledger.flows.get(usize::try_from(id.0).ok()?))
    };
    let mut kept_out: BTreeSet<IpAddr> = flows().filter(|it| it.is_only_tried()).map(|it| it.server.ip).collect();
    for flow in flows().filter(|it| !it.is_only_tried()) {
        kept_out.remove(&flow.server.ip);
    }
    kept_out
}

/// The first frame that went to an address or came from it.
fn seen(destination: &Destination, place: &Place, ledger: &Ledger) -> Option<Locus> {
    let flows = destination
        .flows
        .iter()
        .filter_map(|id| ledger.flows.get(usize::try_from(id.0).ok()?));
    let flow = flows
        .filter(|flow| flow.server.ip == place.address)
        .min_by_key(|flow| (flow.input, flow.first_frame))?;
    Some(flow.beginning())
}

fn of_flow(id: FlowId, ledger: &Ledger) -> Option<Locus> {
    ledger.flows.get(usize::try_from(id.0).ok()?).map(Flow::beginning)
}

#[cfg(test)]
mod tests {
    use farshore_model::FlowId;
    use farshore_model::party::{Location, Traffic};

    use super::*;

    /// Or else a scope would call a place clause met of a party that is asked for by a proxy.
    #[test]
    fn a_party_without_an_address_is_somewhere() {
        let location = Location {
            countries: Vec::new(),
            state: LocationState::Undetermined,
            claims: Vec::new(),
            excluded: Vec::new(),
            implausible: Vec::new(),
        };
        let asked_for = |flows: Vec<FlowId>| Destination {
            name: "shop.example".into(),
            domain: None,
            candidates: Vec::new(),
            organisation: None,
            owners: Vec::new(),
            places: Vec::new(),
            location: std::sync::Arc::new(location.clone()),
            reach: [].into(),
            traffic: Traffic::default(),
            flows,
        };
        let pack = built_in("countries").unwrap().unwrap();
        let clause = pack.clauses.iter().find(|it| it.judges == Subject::Addresses).unwrap();
        let doubtful = |flows| {
            let (destinations, ledger) = ([asked_for(flows)], Ledger::default());
            let matter = Matter {
                destinations: &destinations,
                ..Matter::of(&ledger)
            };
            let given = Given {
                speaks: Truth::True,
                of_all: Truth::True,
                open: "",
            };
            of_addresses(clause, &matter, given).doubtful
        };
        assert_eq!(doubtful(Vec::new()).items, 0);
        let open = doubtful(vec![FlowId(0)]);
        assert_eq!((open.items, open.destinations), (1, [0].into()));
    }

    #[test]
    fn every_built_in_pack_reads_under_its_own_name() {
        for id in ids() {
            let pack = built_in(id).unwrap().unwrap();
            assert_eq!(pack.id, id);
            assert!(!pack.clauses.is_empty());
            for clause in &pack.clauses {
                assert!(!clause.citation.trim().is_empty(), "{id}/{} cites nothing", clause.id);
                assert!(!clause.when.is_empty(), "{id}/{} has no condition", clause.id);
            }
        }
        assert!(ids().any(|id| id == DEFAULT) && ids().is_sorted());
    }

    #[test]
    fn what_is_built_in_never_judges_by_databases_alone() {
        let packs = ids().map(|id| built_in(id).unwrap().unwrap());
        assert!(packs.flat_map(|pack| pack.clauses).all(|clause| clause.min_confidence.is_none()));
    }

    #[test]
    fn parameters_are_given_by_a_file() {
        let pack = read("use = \"countries\"\n[params]\ncountries = [\"DE\", \"FR\"]\n").unwrap();
        assert_eq!((pack.id.as_str(), pack.params.len()), ("countries", 0));
        for (text, wanted) in [
            ("use = \"countries\"\n", "[params]"),
            ("use = \"country\"\n", "there are: access-powers, allow-list, countries"),
            ("use = \"countries\"\n[params]\ncountrys = [\"DE\"]\n", "countrys"),
            ("use = \"countries\"\n[params]\ncountries = [\"Germany\"]\n", "such as \"DE\""),
            ("use = \"countries\"\n[params]\ncountries = [\"EU\"]\n", "such as \"DE\""),
            ("use = \"countries\"\n[params]\ncountries = []\n", "name one"),
            ("use = \"countries\"\nparam = 3\n", "param"),
            (
                "use = \"no-plaintext-identifiers\"\n[params]\ncountries = [\"DE\"]\n",
                "there are: none",
            ),
        ] {
            let said = read(text).unwrap_err().to_string();
            assert!(said.contains(wanted), "{text}: {said}");
        }
        assert!(complete(built_in("countries").unwrap().unwrap()).is_err());
    }

    #[test]
    fn a_predicate_is_asked_of_what_it_speaks_of() {
        let head = "id = \"x\"\nversion = \"1\"\ntitle = \"t\"\n[[clause]]\nid = \"c\"\ntitle = \"t\"\ncitation = \"c\"\nverified = true\napplies = []\n";
        for (rest, wanted) in [
            ("judges = \"addresses\"\nwhen = [{ basis-covers = [\"consent\"] }]\n", "judges"),
            ("when = [{ basis-covers = [] }]\n", "such as"),
            ("when = [{ kind-in = [] }]\n", "name one"),
            ("when = [{ kind-in = \"sensitive\" }]\n", "params"),
            ("when = [{ kind-in = [\"E-Mail\"] }]\n", "such as"),
            ("when = [{ not-on-the-wire = \" \" }]\n", "in words"),
            ("when = [{ reached-by = { sure = [\"DE\"], open = [] } }]\n", "outside"),
            ("when = [{ outside = { sure = [\"DE\"], open = [\"UK\"] } }]\n", "such as"),
            ("when = []\nunless = [{ outside = \"home\" }]\n", "params"),
            ("from = 2026-02-01\nuntil = 2026-01-31\nwhen = []\n", "before `from`"),
            ("from = 2026-02-01T00:00:00Z\nwhen = []\n", "a date such as"),
            ("judges = \"addresses\"\nwhen = [{ reached-by = [\"DE\"] }]\n", "judges"),
            ("when = [{ reached-by = \"home\" }]\n", "params"),
            ("when = [{ reached-by = [\"UK\"] }]\n", "such as"),
            ("judges = \"addresses\"\nwhen = [{ readable-by = \"on-path\" }]\n", "judges"),
            ("judges = \"addresses\"\nwhen = [{ outside = \"home\" }]\n", "params"),
            ("judges = \"addresses\"\nwhen = [{ outside = [\"UK\"] }]\n", "such as"),
            ("when = [{ recipient-not-in = \"ours\" }]\n", "params"),
            ("when = [{ recipient-not-in = [] }]\n", "name one"),
            ("when = [{ recipient-not-in = [\"*shop\"] }]\n", "no recipient"),
        ] {
            let said = Pack::read(&format!("{head}{rest}")).unwrap_err().to_string();
            assert!(said.contains(wanted), "{rest}: {said}");
        }
        let own = "judges = \"addresses\"\nmin_confidence = \"weak\"\nwhen = [{ outside = [\"DE\"] }]\n";
        assert!(Pack::read(&format!("{head}{own}")).is_ok());
    }

    #[test]
    fn a_misspelt_predicate_is_refused_with_its_place() {
        let text = "id = \"x\"\nversion = \"1\"\ntitle = \"t\"\n[[clause]]\nid = \"c\"\ntitle = \"t\"\ncitation = \"c\"\nverified = true\napplies = []\nwhen = [{ readible-by = \"on-path\" }]\n";
        let error = Pack::read(text).unwrap_err();
        assert!(error.message.contains("readible-by"), "{error}");
        assert!(error.span.is_some());
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let text = r#"id = "x"
version = "1"
title = "t"
[[clause]]
id = "a"
title = "t"
citation = "c"
verified = true
from = 2026-02-01
until = 2026-01-01
applies = [{ leaves = true }, { kind-in = "nobody" }]
when = [{ outside = ["UK"] }]
unless = [{ basis-covers = [] }]
"#;
        let told: Vec<String> = mistakes(text).into_iter().map(|it| text[it.span.unwrap()].to_owned()).collect();
        let wanted = [
            "2026-01-01",
            "{ kind-in = \"nobody\" }",
            "{ outside = [\"UK\"] }",
            "{ basis-covers = [] }",
        ];
        assert_eq!(told, wanted);
        assert_eq!(mistakes("use = \"countrys\"\n").len(), 1);
        assert_eq!(mistakes("use = \"countries\"\n[params]\ncountries = [\"DE\"]\n"), []);
    }

    #[test]
    fn mistakes_in_sets_are_told_with_their_place() {
        let clause = "[[clause]]\nid = \"c\"\ntitle = \"\"\ncitation = \"\"\nverified = true\napplies = []\n";
        let pack = |set: &str, when: &str| {
            format!(
                "id = \"x\"\nversion = \"1\"\ntitle = \"\"\n[[set]]\nname = \"s\"\nsource = \"\"\nas_of = 2026-01-01\n{set}\n{clause}when = [{when}]\n"
            )
        };
        let row = "[[set.row]]\nby = \"d\"\ncountries = [\"DE\"]";
        assert_eq!(mistakes(&pack(row, "{ outside = { sets = [\"s\"] } }")), []);
        assert_eq!(mistakes(&pack(row, "{ owner-state-in = { sets = [\"s\"] } }")), []);
        let first = |set: &str, when: &str| {
            let text = pack(set, when);
            let all = mistakes(&text);
            assert_eq!(all.len(), 1, "{all:?}");
            (all[0].message.clone(), text[all[0].span.clone().unwrap()].to_owned())
        };
        let inside = "{ outside = { sets = [\"s\"] } }";
        assert!(
            first("[[set.row]]\nby = \"d\"\ncountries = [\"UK\"]", inside)
                .0
                .contains("`UK` is no country code")
        );
        assert!(
            first("[[set.row]]\nby = \"d\"\ncountries = []", inside)
                .0
                .contains("names no country")
        );
        let backwards = format!("{row}\nfrom = 2026-01-02\nuntil = 2026-01-01");
        assert!(first(&backwards, inside).0.contains("`until` lies before `from` (d)"));
        for (when, message) in [
            ("{ outside = { sets = [\"t\"] } }", "`t` is no `[[set]]`"),
            ("{ outside = { sets = [] } }", "an empty list of sets"),
            ("{ subject-market-in = { sets = [\"s\"] } }", "takes a list of codes"),
            ("{ owner-state-in = { sure = [\"DE\"], open = [] } }", "takes a list of codes"),
        ] {
            let (said, place) = first(row, when);
            assert!(said.contains(message), "{said}");
            assert_eq!(place, when);
        }
    }
}
