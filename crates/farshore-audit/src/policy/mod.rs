//! Judging: clauses against exposures, with four outcomes and no way from "not seen" to "met".

pub mod baseline;
pub mod kleene;
pub mod pack;
pub mod places;
pub mod scope;
mod settling;
pub mod waivers;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use farshore_model::party::{Destination, LocationState, Place};
use farshore_model::verdict::Subject as Judged;
use farshore_model::{Date, Exposure, Finding, Flow, FlowId, Ledger, Locus, Outcome, Verdict};
use serde::Deserialize;

pub use baseline::Baseline;
use kleene::Truth;
use pack::{Clause, Confidence, Pack, PackError, Subject};
pub use scope::Scope;
pub use waivers::Waivers;

/// The packs that are built in: id and text. One line a pack.
static BUILT_IN: &[(&str, &str)] = &[
    ("access-powers", include_str!("../../../../packs/policies/access-powers/pack.toml")),
    ("countries", include_str!("../../../../packs/policies/countries/pack.toml")),
    (
        "no-plaintext-identifiers",
        include_str!("../../../../packs/policies/no-plaintext-identifiers/pack.toml"),
    ),
];

/// The pack that judges when none is named.
pub const DEFAULT: &str = "no-plaintext-identifiers";

/// The built-in pack of that id.
pub fn built_in(id: &str) -> Option<Result<Pack, PackError>> {
    BUILT_IN.iter().find(|(name, _)| *name == id).map(|(_, text)| Pack::read(text))
}

/// Reads a file of a user's own: a pack, or the parameters of a built-in one (`use = "countries"`, `[params]`).
pub fn read(text: &str) -> Result<Pack, PackError> {
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
    let mistake = |error: toml::de::Error| PackError {
        message: error.message().to_owned(),
        span: error.span(),
    };
    let Some(named) = toml::from_str::<Which>(text).map_err(mistake)?.pack else {
        return Pack::read(text);
    };
    let used: Used = toml::from_str(text).map_err(mistake)?;
    let span = Some(named.span());
    let there = || ids().collect::<Vec<_>>().join(", ");
    let pack = built_in(named.get_ref()).unwrap_or_else(|| {
        Err(PackError {
            message: format!("no built-in pack is named `{}`; there are: {}", named.get_ref(), there()),
            span,
        })
    })?;
    complete(pack.with(&used.params)?)
}

/// A pack that can judge: one whose parameters were all given.
pub fn complete(pack: Pack) -> Result<Pack, PackError> {
    match pack.params.first() {
        None => Ok(pack),
        Some(name) => Err(PackError::of(format!(
            "{id} needs its parameter: a file with use = \"{id}\" and, under [params], {name} = [\"DE\", \"FR\"]",
            id = pack.id
        ))),
    }
}

/// The ids of the built-in packs, sorted.
pub fn ids() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(id, _)| *id)
}

/// The verdicts of all clauses of a pack.
pub fn verdicts(pack: &Pack, exposures: &[Exposure], destinations: &[Destination], ledger: &Ledger, scope: Option<&Scope>) -> Vec<Verdict> {
    pack.clauses
        .iter()
        .map(|clause| verdict(pack, clause, exposures, destinations, ledger, scope))
        .collect()
}

fn verdict(
    pack: &Pack,
    clause: &Clause,
    exposures: &[Exposure],
    destinations: &[Destination],
    ledger: &Ledger,
    scope: Option<&Scope>,
) -> Verdict {
    let mut found = match clause.judges {
        Subject::Exposures => of_exposures(clause, exposures, destinations),
        Subject::Addresses => of_addresses(clause, destinations, ledger),
    };
    let (one, many) = match clause.judges {
        Subject::Exposures => ("exposure", "exposures"),
        Subject::Addresses => ("address", "addresses"),
    };
    let judged = found.judged;
    let plural = if judged == 1 { one } else { many };
    let gaps = scope::gaps(ledger, scope, clause.judges);
    let mut findings = std::mem::take(&mut found.findings);
    let settled_by = settling::of(clause.judges, &findings, &gaps);
    let (outcome, because, chosen) = if found.breached.items > 0 {
        let stand = if found.breached.items == 1 { "stands" } else { "stand" };
        let because = format!("{} of {judged} {plural} {stand} against it", found.breached.items);
        (Outcome::Breached, found.breached.explained(because), found.breached)
    } else if found.doubtful.items > 0 {
        let because = format!("{} of {judged} {plural} could not be told either way", found.doubtful.items);
        (Outcome::Undetermined, found.doubtful.explained(because), found.doubtful)
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
        (
            Outcome::Met,
            format!("it holds for all of the declared scope ({judged} {plural} judged)"),
            Group::default(),
        )
    };
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
        findings,
    }
}

/// What a clause came to.
#[derive(Default)]
struct Found {
    judged: usize,
    /// What would stand against the clause if it did not stay in the local network.
    stayed: usize,
    breached: Group,
    doubtful: Group,
    findings: Vec<Finding>,
}

impl Found {
    /// Keeps what is breached or could not be told; of what holds there is nothing to keep.
    fn keep(&mut self, truth: Truth, subject: Judged, because: &str) -> Option<&mut Group> {
        let (outcome, group) = match truth {
            Truth::True => (Outcome::Breached, &mut self.breached),
            Truth::Unknown => (Outcome::Undetermined, &mut self.doubtful),
            Truth::False => return None,
        };
        self.findings.push(Finding {
            outcome,
            subject,
            because: because.into(),
            waived: None,
            before: false,
        });
        Some(group)
    }
}

/// What stands alike to a clause.
#[derive(Default)]
struct Group {
    items: usize,
    exposures: Vec<usize>,
    destinations: BTreeSet<usize>,
    evidence: Vec<Locus>,
    /// Reasons, how often each was given, and first of what.
    reasons: BTreeMap<String, (usize, String)>,
}

/// Pieces of evidence a verdict shows.
const EVIDENCE: usize = 20;
/// Reasons a verdict tells in words.
const REASONS: usize = 4;

impl Group {
    /// Adds an item of a destination, and why it stands here.
    fn add(&mut self, destination: usize, item: &dyn std::fmt::Display, why: String) {
        self.items = self.items.saturating_add(1);
        self.destinations.insert(destination);
        let reason = self.reasons.entry(why).or_insert_with(|| (0, item.to_string()));
        reason.0 = reason.0.saturating_add(1);
    }

    /// Shows where it was seen, as long as there is room.
    fn show(&mut self, place: impl FnOnce() -> Option<Locus>) {
        if self.evidence.len() < EVIDENCE {
            self.evidence.extend(place());
        }
    }

    /// With the reasons that were given most.
    fn explained(&self, because: String) -> String {
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_by_key(|(why, (times, _))| (std::cmp::Reverse(*times), *why));
        let told = reasons.iter().take(REASONS).map(|(why, (times, first))| match times {
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

fn of_exposures(clause: &Clause, exposures: &[Exposure], destinations: &[Destination]) -> Found {
    let mut found = Found::default();
    for (index, exposure) in exposures.iter().enumerate() {
        let destination = destinations.get(exposure.destination);
        let all = |predicates: &[pack::Predicate]| {
            predicates
                .iter()
                .fold(Truth::True, |sum, predicate| sum.and(predicate.holds(exposure, destination)))
        };
        let applies = all(&clause.applies);
        if applies == Truth::False {
            let but_for_that = clause.applies.iter().filter(|it| !matches!(it, pack::Predicate::Leaves(_)));
            let mut rest = but_for_that.chain(&clause.when);
            let local = destination.is_some_and(|it| it.location.state == LocationState::Local);
            if local && rest.all(|it| it.holds(exposure, destination) == Truth::True) {
                found.stayed = found.stayed.saturating_add(1);
            }
            continue;
        }
        found.judged = found.judged.saturating_add(1);
        let truth = applies.and(all(&clause.when));
        let why: Vec<String> = clause.when.iter().filter_map(|it| it.because(destination)).collect();
        let why = why.join("; ");
        let Some(group) = found.keep(truth, Judged::Exposure(index), &why) else {
            continue;
        };
        group.exposures.push(index);
        match destination {
            Some(it) if !why.is_empty() => group.add(exposure.destination, &it.name, why),
            _ => {
                group.items = group.items.saturating_add(1);
                group.destinations.insert(exposure.destination);
            }
        }
        group.show(|| exposure.evidence.first().cloned());
    }
    found
}

/// Every address that anything was sent to, with or without an answer, and every party without one. Local ones are outside every place
/// clause, and so are those that everything was kept from.
fn of_addresses(clause: &Clause, destinations: &[Destination], ledger: &Ledger) -> Found {
    let first = ledger.inputs.iter().filter_map(|it| it.first).min();
    let last = ledger.inputs.iter().filter_map(|it| it.last).max();
    let days: Option<(Date, Date)> = first.zip(last).map(|(first, last)| (first.date(), last.date()));
    let weak = clause.min_confidence == Some(Confidence::Weak);
    let mut found = Found::default();
    for (index, destination) in destinations.iter().enumerate() {
        // Something went there, and nobody knows where that is: at least one address more, of no known place.
        if destination.places.is_empty() && !destination.flows.is_empty() {
            found.judged = found.judged.saturating_add(1);
            let why = "its address was not recorded";
            let subject = Judged::Address {
                destination: index,
                address: None,
            };
            if let Some(group) = found.keep(Truth::Unknown, subject, why) {
                group.add(index, &destination.name, why.to_owned());
                group.show(|| destination.flows.first().and_then(|id| of_flow(*id, ledger)));
            }
        }
        let kept_out = kept_out(destination, ledger);
        let sent_to = |place: &&Place| !kept_out.contains(&place.address) && place.location.state != LocationState::Local;
        for place in destination.places.iter().filter(sent_to) {
            let all = |predicates: &[pack::Predicate]| {
                let mut sum = (Truth::True, Vec::new());
                for (truth, why) in predicates.iter().map(|it| it.holds_at(place, days, weak)) {
                    sum.0 = sum.0.and(truth);
                    sum.1.extend((!why.is_empty()).then_some(why));
                }
                sum
            };
            let applies = all(&clause.applies);
            if applies.0 == Truth::False {
                continue;
            }
            found.judged = found.judged.saturating_add(1);
            let (when, why) = all(&clause.when);
            let why = why.join("; ");
            let subject = Judged::Address {
                destination: index,
                address: Some(place.address),
            };
            let Some(group) = found.keep(applies.0.and(when), subject, &why) else {
                continue;
            };
            group.add(index, &place.address, why);
            group.show(|| seen(destination, place, ledger));
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
        let doubtful = |flows| of_addresses(clause, &[asked_for(flows)], &Ledger::default()).doubtful;
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
            ("use = \"country\"\n", "there are: access-powers, countries"),
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
            ("when = [{ outside = [\"DE\"] }]\n", "judges"),
            ("judges = \"addresses\"\nwhen = [{ reached-by = [\"DE\"] }]\n", "judges"),
            ("when = [{ reached-by = \"home\" }]\n", "params"),
            ("when = [{ reached-by = [\"UK\"] }]\n", "such as"),
            ("judges = \"addresses\"\nwhen = [{ readable-by = \"on-path\" }]\n", "outside"),
            ("judges = \"addresses\"\nwhen = [{ outside = \"home\" }]\n", "params"),
            ("judges = \"addresses\"\nwhen = [{ outside = [\"UK\"] }]\n", "such as"),
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
}
