//! From denied parties to what a format can look at: their names where it knows names, else their addresses.
//!
//! Refuses to lose anything: what cannot be said is listed with the reason, and so is who else has an address that is denied.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use farshore_model::audit::Audit;
use farshore_model::party::{ClaimKind, Destination, LocationState, Place};
use farshore_model::rules::{Abilities, Action, LeftOut, Rule, RuleSet, Selection, SharedAddress, Subject, Target};

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
    let mut rules = Rules::default();
    let mut left_out = Vec::new();
    for choice in selection.denied() {
        let Some(party) = audit.destinations.get(choice.destination) else {
            continue;
        };
        let patterns = choice
            .grounds
            .iter()
            .filter_map(|it| match &selection.denies.get(it.deny)?.subject {
                Subject::Below(above) if it.answer == farshore_model::Answer::Yes => Some(above.as_str()),
                _ => None,
            });
        let patterns: Vec<&str> = patterns.collect();
        one(choice.destination, party, &patterns, audit, abilities, &mut rules, &mut left_out);
    }
    let denied: BTreeSet<usize> = selection.denied().map(|it| it.destination).collect();
    RuleSet {
        action,
        abilities,
        shared: shared(&rules.all, &denied, audit),
        rules: rules.all,
        left_out,
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

fn one(
    index: usize,
    it: &Destination,
    patterns: &[&str],
    audit: &Audit,
    abilities: Abilities,
    rules: &mut Rules,
    left_out: &mut Vec<LeftOut>,
) {
    let mut any = false;
    let mut bad = Vec::new();
    if abilities.names() {
        for name in names(it, audit) {
            if is_host_name(&name) {
                rules.add(Target::Name(name.into_owned()), index);
                any = true;
            } else {
                bad.push(name.into_owned());
            }
        }
    }
    for pattern in patterns {
        if abilities.below {
            rules.add(Target::Below((*pattern).to_owned()), index);
            any = true;
            continue;
        }
        let because = match abilities.names() {
            true => "the format has no wildcards: the names that were seen are written one by one",
            false => "the format has no names: the addresses that were seen are written",
        };
        let it = LeftOut {
            destination: None,
            what: format!("*.{pattern}"),
            because: because.to_owned(),
            whole: false,
        };
        if !left_out.contains(&it) {
            left_out.push(it);
        }
    }
    // Of a party with names the addresses are left alone where names will do: others may be there.
    let by_address = abilities.addresses || abilities.answers;
    if !any && by_address {
        for place in &it.places {
            rules.add(Target::Address(place.address), index);
            any = true;
        }
    }
    for what in bad {
        let instead = match any {
            true => "; the rest of what is known of the destination is written",
            false => "",
        };
        left_out.push(LeftOut {
            destination: Some(index),
            what,
            because: format!("it is no valid host name{instead}"),
            whole: false,
        });
    }
    if !any {
        let because = match (by_address, it.places.is_empty()) {
            (true, _) => "no address of it is known",
            (false, false) => "it has no name that could be written, and the format has no addresses",
            (false, true) => "neither a name that could be written nor an address of it is known",
        };
        left_out.push(LeftOut {
            destination: Some(index),
            what: it.name.to_string(),
            because: because.to_owned(),
            whole: true,
        });
    }
}

/// All names a destination goes by, its own first; none of one that goes by its address.
fn names<'a>(it: &'a Destination, audit: &'a Audit) -> Vec<Cow<'a, str>> {
    let mut all: Vec<Cow<'a, str>> = Vec::new();
    let own = plain(&it.name);
    // What is no address goes by a name, however odd; but those put together have none.
    let stands_for_several = it.domain.is_none() && it.places.is_empty() && it.name.contains(' ');
    if own.parse::<IpAddr>().is_err() && !stands_for_several {
        all.push(own);
    }
    let others: BTreeSet<Cow<'a, str>> = names_of(it, audit).map(|it| plain(it.name.as_str())).collect();
    all.extend(others.into_iter().filter(|it| it.parse::<IpAddr>().is_err()));
    let mut seen = BTreeSet::new();
    all.retain(|it| seen.insert(it.clone()));
    all
}

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
