//! From denied parties to what a format can look at: their names where it knows names, else their addresses.
//!
//! Refuses to lose anything: what cannot be said is listed with the reason, and so is who else has an address that is denied.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use farshore_model::audit::{Audit, FlowName, NameVia};
use farshore_model::party::{ClaimKind, Destination, LocationState, Place};
use farshore_model::rules::{Abilities, Action, Choice, Ground, LeftOut, Rule, RuleSet, Selection, SharedAddress, Subject, Target};
use farshore_model::{Answer, Flow, Protection};

use crate::naming::plain;
use crate::rules::names_of;

/// Whether a text is a host name that any filter reads as one: labels of letters, digits, `-` and `_`, 63 at most each and 253
/// together, which do not begin or end in `-`; and no address, nor the machine itself.
pub fn is_host_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    let label = |it: &str| (1..=63).contains(&it.len()) && it.bytes().all(letter) && !it.starts_with('-') && !it.ends_with('-');
    let last = name.rsplit('.').next().unwrap_or_default();
    // Whatever ends in a number is read as an address (WHATWG URL, 3.5); so is a hexadecimal one.
    let number = last.bytes().all(|it| it.is_ascii_digit())
        || last
            .strip_prefix("0x")
            .is_some_and(|it| it.bytes().all(|it| it.is_ascii_hexdigit()));
    name.len() <= 253 && name.split('.').all(label) && !number && last != "localhost"
}

/// What is written for a selection in a format of these abilities.
pub fn plan(selection: &Selection, audit: &Audit, abilities: Abilities, action: Action) -> RuleSet {
    let denied: BTreeSet<usize> = selection.denied().map(|it| it.destination).collect();
    let free = audit.destinations.iter().enumerate().filter(|(index, _)| !denied.contains(index));
    let mut plan = Plan {
        selection,
        audit,
        abilities,
        free: free.map(|(index, it)| (plain(&it.name), index)).collect(),
        rules: Rules::default(),
        left_out: Vec::new(),
    };
    for choice in selection.denied() {
        if let Some(party) = audit.destinations.get(choice.destination) {
            plan.one(choice, party);
        }
    }
    RuleSet {
        action,
        abilities,
        shared: shared(&plan.rules.all, &denied, audit),
        rules: plan.rules.all,
        left_out: plan.left_out,
    }
}

/// Rules in the order in which they came up, each once.
#[derive(Default)]
struct Rules {
    all: Vec<Rule>,
    known: BTreeMap<Target, usize>,
}

impl Rules {
    fn add(&mut self, target: Target, destination: usize) {
        let known = self.known.get(&target).and_then(|at| self.all.get_mut(*at));
        match known {
            Some(rule) if rule.destinations.contains(&destination) => {}
            Some(rule) => rule.destinations.push(destination),
            None => {
                self.known.insert(target.clone(), self.all.len());
                let destinations = vec![destination];
                self.all.push(Rule { target, destinations });
            }
        }
    }
}

struct Plan<'a> {
    selection: &'a Selection,
    audit: &'a Audit,
    abilities: Abilities,
    /// Names of those that are not denied.
    free: BTreeMap<Cow<'a, str>, usize>,
    rules: Rules,
    left_out: Vec<LeftOut>,
}

impl<'a> Plan<'a> {
    fn one(&mut self, choice: &Choice, it: &'a Destination) {
        let sure = |ground: &&Ground| self.selection.deny_doubtful || ground.answer == Answer::Yes;
        let grounds: Vec<&Ground> = choice.grounds.iter().filter(sure).collect();
        let mut any = false;
        if self.abilities.names() {
            any |= self.by_name(choice.destination, it, &grounds);
        }
        any |= self.by_pattern(choice.destination, &grounds);
        // Of a party with names the addresses are left alone where names will do: others may be there.
        let by_address = self.abilities.addresses || self.abilities.answers;
        if by_address && (!any || self.is_never_named(it)) {
            any |= self.by_address(choice.destination, it, &grounds);
        }
        if !any {
            let candidates = it.candidates.iter().take(NEAR).map(String::as_str).collect::<Vec<_>>().join(", ");
            let because = match (by_address, it.places.is_empty()) {
                (true, true) => "no address of it is known".to_owned(),
                (true, false) => "none of its addresses is meant for certain".to_owned(),
                (false, false) if !candidates.is_empty() => {
                    format!("it has no certain name (it may go by {candidates}), and the format has no addresses")
                }
                (false, false) => "it has no name that could be written, and the format has no addresses".to_owned(),
                (false, true) => "neither a name that could be written nor an address of it is known".to_owned(),
            };
            self.leave(Some(choice.destination), it.name.to_string(), because, true);
        }
    }

    fn leave(&mut self, destination: Option<usize>, what: String, because: String, whole: bool) {
        let it = LeftOut {
            destination,
            what,
            because,
            whole,
        };
        if !self.left_out.contains(&it) {
            self.left_out.push(it);
        }
    }

    fn by_name(&mut self, index: usize, it: &'a Destination, grounds: &[&Ground]) -> bool {
        let mut names: Vec<Cow<'_, str>> = Vec::new();
        if grounds.iter().any(|ground| ground.part.names.is_none()) {
            names.extend(self.names(index, it));
        }
        let named = grounds.iter().filter_map(|ground| ground.part.names.as_ref());
        names.extend(named.flatten().map(|it| Cow::Owned(it.clone())));
        let (mut any, mut bad) = (false, BTreeSet::new());
        for name in names {
            if is_host_name(&name) {
                self.rules.add(Target::Name(name.into_owned()), index);
                any = true;
            } else {
                bad.insert(name.into_owned());
            }
        }
        for what in bad {
            let instead = match any {
                true => "; the rest of what is known of the destination is written",
                false => "",
            };
            self.leave(Some(index), what, format!("it is no valid host name{instead}"), false);
        }
        any
    }

    /// All names a destination goes by, its own first; none of one that goes by its address.
    fn names(&mut self, index: usize, it: &'a Destination) -> Vec<Cow<'a, str>> {
        let mut all: Vec<Cow<'a, str>> = Vec::new();
        let own = plain(&it.name);
        // What is no address goes by a name, however odd; but those put together have none.
        let stands_for_several = it.domain.is_none() && it.places.is_empty() && it.name.contains(' ');
        if own.parse::<IpAddr>().is_err() && !stands_for_several {
            all.push(own);
        }
        let others: BTreeSet<Cow<'a, str>> = names_of(it, self.audit).map(|(_, it)| plain(it.name.as_str())).collect();
        for name in others {
            if all.contains(&name) || name.parse::<IpAddr>().is_ok() {
                continue;
            }
            match self.free.get(&name) {
                Some(other) => {
                    let because = format!("it is the name of d{}, which is not denied", other.saturating_add(1));
                    self.leave(Some(index), name.into_owned(), because, false);
                }
                None => all.push(name),
            }
        }
        all
    }

    fn by_pattern(&mut self, index: usize, grounds: &[&Ground]) -> bool {
        let mut any = false;
        for ground in grounds {
            let Some(Subject::Below(above)) = self.selection.denies.get(ground.deny).map(|it| &it.subject) else {
                continue;
            };
            if ground.answer != Answer::Yes {
                continue;
            }
            if self.abilities.below {
                self.rules.add(Target::Below(above.clone()), index);
                any = true;
                continue;
            }
            let because = match self.abilities.names() {
                true => "the format has no wildcards: the names that were seen are written one by one",
                false => "the format has no names: the addresses that were seen are written",
            };
            self.leave(None, format!("*.{above}"), because.to_owned(), false);
        }
        any
    }

    /// Whether the format would never see a name of it, as far as the flows show.
    fn is_never_named(&self, it: &Destination) -> bool {
        let mut flows = it.flows.iter().filter_map(|id| {
            let at = id.0 as usize;
            Some((self.audit.flows.get(at)?, self.audit.flow_names.get(at)?))
        });
        let seen = |flow: &Flow, names: &[FlowName]| {
            names.iter().any(|it| match it.via {
                NameVia::Sni | NameVia::QuicSni => self.abilities.server_names,
                NameVia::HttpHost => self.abilities.server_names && flow.protection == Protection::Plaintext,
                NameVia::Dns => self.abilities.lookups,
                _ => false,
            })
        };
        self.abilities.addresses && !it.flows.is_empty() && flows.all(|(flow, names)| !seen(flow, names))
    }

    fn by_address(&mut self, index: usize, it: &Destination, grounds: &[&Ground]) -> bool {
        let mut meant: BTreeSet<IpAddr> = BTreeSet::new();
        let mut open: BTreeSet<IpAddr> = BTreeSet::new();
        for ground in grounds {
            match &ground.part.addresses {
                Some(some) => meant.extend(some),
                None => meant.extend(it.places.iter().map(|it| it.address)),
            }
            match self.selection.deny_doubtful {
                true => meant.extend(&ground.part.open),
                false => open.extend(&ground.part.open),
            }
        }
        for address in &meant {
            self.rules.add(Target::Address(*address), index);
        }
        let open: Vec<String> = open.difference(&meant).map(IpAddr::to_string).collect();
        if !open.is_empty() && !meant.is_empty() {
            let some = open.iter().take(NEAR).map(String::as_str).collect::<Vec<_>>().join(", ");
            let what = match open.len().saturating_sub(NEAR) {
                0 => some,
                more => format!("{some} and {more} more"),
            };
            let because = "it cannot be told whether they are meant (--in-doubt deny writes them)".to_owned();
            self.leave(Some(index), what, because, false);
        }
        !meant.is_empty()
    }
}

/// Names and addresses that are told of many.
const NEAR: usize = 5;

/// Who else is at the addresses that are denied.
fn shared(rules: &[Rule], denied: &BTreeSet<usize>, audit: &Audit) -> Vec<SharedAddress> {
    let mut at: BTreeMap<IpAddr, (Vec<usize>, Option<&Place>)> = BTreeMap::new();
    for rule in rules {
        if let Target::Address(address) = rule.target {
            at.insert(address, (Vec::new(), None));
        }
    }
    for (index, it) in audit.destinations.iter().enumerate() {
        for place in &it.places {
            if let Some((others, known)) = at.get_mut(&place.address) {
                known.get_or_insert(place);
                if !denied.contains(&index) {
                    others.push(index);
                }
            }
        }
    }
    let all = at.into_iter().map(|(address, (others, place))| SharedAddress {
        address,
        others,
        because: place.map(common).unwrap_or_default(),
    });
    all.filter(|it| !it.others.is_empty() || !it.because.is_empty()).collect()
}

/// What says that many parties may be at an address.
fn common(place: &Place) -> String {
    let cloud = place.location.claims.iter().find(|it| it.kind == ClaimKind::CloudRegion);
    match (place.location.state, cloud) {
        (LocationState::Anycast, _) => "it is announced from many places, as the addresses of CDNs are".to_owned(),
        (_, Some(claim)) => format!("it is in a cloud's range ({})", claim.source),
        _ => String::new(),
    }
}
