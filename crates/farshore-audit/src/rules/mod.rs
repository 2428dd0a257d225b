//! Which parties a denial means: `country=CN`, `org=agora`, `owner-state=CN`, `host=*.example`, `destination=d3`.
//!
//! Owns reading the expression and the three answers to it. Refuses to take doubt for a yes or a no: where places are disputed,
//! or owners are not known, that is told, and whoever asks decides. What is then written is made in [`plan`], and what it does
//! to the flows of the audit is found out in [`simulate`].

mod plan;
mod simulate;

use std::collections::BTreeSet;
use std::net::IpAddr;

use farshore_model::audit::{Audit, FlowName, NameVia};
use farshore_model::party::{ClaimKind, Destination, LocationState, Organisation, Owner, OwnerRelation, Place};
use farshore_model::rules::{Choice, Deny, Ground, Part, Selection, Subject, Target};
use farshore_model::{Answer, Country, FlowId};

use crate::naming::plain;
use crate::parties::countries;

pub use plan::{is_host_name, plan};
pub use simulate::simulate;

/// Why an expression cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DenyError {
    /// It has no known key.
    #[error("expected country=CC, org=ID, owner-state=CC, host=NAME, host=*.NAME or destination=dN")]
    Key,
    /// Nothing is behind the key.
    #[error("nothing stands behind `=`")]
    Empty,
    /// It is no country.
    #[error("`{0}` is no country: expected a code of two letters (ISO 3166-1), such as DE")]
    Country(String),
    /// It is no host name.
    #[error("`{0}` is no host name: expected one such as api.example, or *.example for all names below it")]
    Host(String),
    /// It is no number of a destination.
    #[error("`{0}` is no destination: expected its id in the audit, such as d3")]
    Destination(String),
}

/// Reads an expression.
pub fn read(text: &str) -> Result<Deny, DenyError> {
    let (key, value) = text.split_once('=').ok_or(DenyError::Key)?;
    let (key, value) = (key.trim(), value.trim());
    let shown = || value.escape_debug().to_string();
    let country = || {
        let known = Country::parse(value).filter(|it| countries::all().any(|known| known == *it));
        known.ok_or_else(|| DenyError::Country(shown()))
    };
    let subject = match key {
        "country" | "org" | "owner-state" | "host" | "destination" if value.is_empty() => return Err(DenyError::Empty),
        "country" => Subject::Country(country()?),
        "owner-state" => Subject::OwnerState(country()?),
        "org" => Subject::Organisation(value.to_lowercase()),
        "host" => host(value).ok_or_else(|| DenyError::Host(shown()))?,
        "destination" => {
            let number = value.strip_prefix('d').filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()));
            let index = number.and_then(|it| it.parse::<usize>().ok()?.checked_sub(1));
            Subject::Destination(index.ok_or_else(|| DenyError::Destination(shown()))?)
        }
        _ => return Err(DenyError::Key),
    };
    Ok(Deny {
        text: text.to_owned(),
        subject,
    })
}

fn host(value: &str) -> Option<Subject> {
    if let Ok(address) = value.parse::<IpAddr>() {
        return Some(Subject::Host(address.to_string()));
    }
    let name = plain(value);
    match name.strip_prefix("*.") {
        Some(above) => is_host_name(above).then(|| Subject::Below(above.to_owned())),
        None => is_host_name(&name).then(|| Subject::Host(name.into_owned())),
    }
}

/// What denials mean in an audit. Several are one or the other.
pub fn select(denies: Vec<Deny>, audit: &Audit, deny_doubtful: bool) -> Selection {
    let mut all = Selection {
        deny_doubtful,
        ..Selection::default()
    };
    let mut fits = vec![false; denies.len()];
    for (destination, party) in audit.destinations.iter().enumerate() {
        let mut grounds = Vec::new();
        for (deny, fits) in (0..).zip(&mut fits) {
            let Some(asked) = denies.get(deny) else { continue };
            let (answer, because, part) = means(&asked.subject, destination, party, audit);
            if answer != Answer::No {
                *fits = true;
                grounds.push(Ground {
                    deny,
                    answer,
                    because,
                    part,
                });
            }
        }
        let sure = grounds.iter().any(|it| it.answer == Answer::Yes);
        if grounds.is_empty() {
            continue;
        }
        let list = if sure { &mut all.chosen } else { &mut all.doubtful };
        list.push(Choice { destination, grounds });
    }
    let missed = fits.iter().enumerate().filter(|(_, fits)| !**fits);
    all.misses = missed
        .filter_map(|(index, _)| Some((index, instead(&denies.get(index)?.subject, audit))))
        .collect();
    all.denies = denies;
    all
}

/// Whether a denial means a destination, why or why that cannot be told, and of what of it.
fn means(subject: &Subject, index: usize, it: &Destination, audit: &Audit) -> (Answer, String, Part) {
    let whole = |(answer, because): (Answer, String)| (answer, because, Part::default());
    match subject {
        Subject::Country(country) => placed(*country, it),
        Subject::Organisation(wanted) => whole(run_by(wanted, it)),
        Subject::OwnerState(state) => whole(owned(*state, it)),
        Subject::Host(name) => named(&|other| other == name, it, audit),
        Subject::Below(above) => {
            let target = Target::Below(above.clone());
            named(&|other| target.fits_name(other), it, audit)
        }
        Subject::Destination(wanted) => whole(match *wanted == index {
            true => (Answer::Yes, "it is named by its number".to_owned()),
            false => (Answer::No, String::new()),
        }),
    }
}

/// Places are judged one by one: one address that is there is enough, and one of which it cannot be told keeps it open.
fn placed(country: Country, it: &Destination) -> (Answer, String, Part) {
    if it.places.is_empty() {
        return (Answer::CannotTell, "no address of it is known".to_owned(), Part::default());
    }
    let answers: Vec<_> = it.places.iter().map(|place| (place, stands(country, place))).collect();
    let of = |wanted: Answer| answers.iter().filter(move |(_, (answer, _))| *answer == wanted);
    let addresses = |wanted| of(wanted).map(|(place, _)| place.address).collect();
    let part = Part {
        names: None,
        addresses: Some(addresses(Answer::Yes)),
        open: addresses(Answer::CannotTell),
    };
    for wanted in [Answer::Yes, Answer::CannotTell] {
        if let Some((place, (_, because))) = of(wanted).next() {
            let count = match (of(wanted).count(), answers.len()) {
                (_, 1) => format!("{}: ", place.address),
                (some, all) => format!("{some} of {all} addresses, {} first: ", place.address),
            };
            return (wanted, format!("{count}{because}"), part);
        }
    }
    (Answer::No, String::new(), part)
}

fn stands(country: Country, place: &Place) -> (Answer, String) {
    let location = &place.location;
    let said = || location.countries.iter().map(Country::code).collect::<Vec<_>>().join(" or ");
    let is_said = location.countries.contains(&country);
    if location.excluded.iter().any(|it| it.country == country) {
        return (Answer::No, String::new());
    }
    let sources = || {
        let of = location.claims.iter().filter(|it| it.country == country && !it.refuted);
        let places = of.filter(|it| !matches!(it.kind, ClaimKind::Registration | ClaimKind::Name));
        let all: BTreeSet<String> = places
            .map(|it| format!("{} {}", it.source, it.edition).trim_end().to_owned())
            .collect();
        all.into_iter().collect::<Vec<_>>().join(", ")
    };
    match location.state {
        LocationState::Local => (Answer::No, String::new()),
        LocationState::Agreed if is_said && location.countries.len() == 1 => {
            (Answer::Yes, format!("agreed to be in {country} ({})", sources()))
        }
        LocationState::Agreed if !is_said => (Answer::No, String::new()),
        LocationState::Agreed => (Answer::CannotTell, format!("sources agree on {} only", said())),
        LocationState::Disputed if is_said => (Answer::CannotTell, format!("disputed: {}; {country} say {}", said(), sources())),
        LocationState::Disputed => (Answer::CannotTell, format!("disputed: {}, none says {country}", said())),
        LocationState::Anycast => (Answer::CannotTell, "anycast: announced from many places".to_owned()),
        LocationState::Undetermined if location.countries.is_empty() => {
            (Answer::CannotTell, "undetermined: no source says where it is".to_owned())
        }
        LocationState::Undetermined => (Answer::CannotTell, format!("undetermined: one source alone says {}", said())),
    }
}

fn run_by(wanted: &str, it: &Destination) -> (Answer, String) {
    match &it.organisation {
        Some(found) if found.id.to_lowercase() == wanted || found.name.to_lowercase() == wanted => (Answer::Yes, basis(found)),
        Some(_) => (Answer::No, String::new()),
        None if is_local(it) => (Answer::No, String::new()),
        None => (Answer::CannotTell, unknown(it)),
    }
}

/// `Agora, Inc. by domain (https://…, 2026-05)`.
fn basis(it: &Organisation) -> String {
    let read = if it.read_at_source || it.fictional {
        ""
    } else {
        ", not read at its source"
    };
    let source = [it.source.as_str(), it.as_of.as_str()].map(str::trim);
    let source = source.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(", ");
    let source = if source.is_empty() { "no source".to_owned() } else { source };
    format!("{} by {} ({source}{read})", it.name, it.basis)
}

/// Whoever holds the network hosts it, and need not be the one.
fn unknown(it: &Destination) -> String {
    let network = it.places.iter().find_map(|place| place.network.as_ref());
    match network {
        Some(network) => format!("whose it is, is not known; it is hosted at AS{} {}", network.asn, network.name),
        None => "whose it is, is not known".to_owned(),
    }
}

fn is_local(it: &Destination) -> bool {
    it.location.state == LocationState::Local
}

fn owned(state: Country, it: &Destination) -> (Answer, String) {
    let Some(organisation) = &it.organisation else {
        return match is_local(it) {
            true => (Answer::No, String::new()),
            false => (Answer::CannotTell, unknown(it)),
        };
    };
    let told = |owner: &Owner| {
        let relation = match owner.relation {
            OwnerRelation::Parent => "parent",
            OwnerRelation::Ultimate => "ultimate owner",
        };
        let source = if owner.source.trim().is_empty() {
            "no source"
        } else {
            owner.source.as_str()
        };
        format!(
            "{} is owned by {}, {relation}, in {state} ({source}, {})",
            organisation.name, owner.name, owner.as_of
        )
    };
    let there = || it.owners.iter().filter(|owner| owner.country == Some(state));
    if let Some(owner) = there().find(|it| !it.source.trim().is_empty()) {
        return (Answer::Yes, told(owner));
    }
    if let Some(owner) = there().next() {
        return (Answer::CannotTell, told(owner));
    }
    match it.owners.iter().find(|it| it.country.is_none()) {
        Some(owner) => (
            Answer::CannotTell,
            format!("its owner {} sits in a country that is not known", owner.name),
        ),
        None if it.owners.is_empty() => {
            let seat = organisation
                .seat
                .map(|it| format!(", which sits in {it} itself"))
                .unwrap_or_default();
            let because = format!("no owner of {}{seat} is known", organisation.name);
            // Whoever stands at the top, as far as is known, is nobody else's.
            match organisation.seat == Some(state) && (organisation.read_at_source || organisation.fictional) {
                true => (Answer::Yes, format!("{because} ({})", basis(organisation))),
                false => (Answer::CannotTell, because),
            }
        }
        None => (Answer::No, String::new()),
    }
}

/// A name counts if the client asked for it or named it; the server's own word is a certificate, which may name thousands.
fn named(fits: &dyn Fn(&str) -> bool, it: &Destination, audit: &Audit) -> (Answer, String, Part) {
    let own = plain(&it.name);
    let mut names: BTreeSet<String> = BTreeSet::new();
    let mut addresses: BTreeSet<IpAddr> = BTreeSet::new();
    let mut first = None;
    for (flow, other) in names_of(it, audit) {
        let spelled = plain(other.name.as_str());
        if fits(&spelled) {
            first.get_or_insert(other);
            names.insert(spelled.into_owned());
            // Of what a proxy passes on, the address is the proxy's.
            let server = audit.flows.get(flow.0 as usize).map(|it| it.server.ip);
            addresses.extend(server.filter(|ip| it.places.iter().any(|place| place.address == *ip)));
        }
    }
    if fits(&own) {
        names.insert(own.into_owned());
        let part = Part {
            names: Some(names.into_iter().collect()),
            ..Part::default()
        };
        return (Answer::Yes, "it goes by that name".to_owned(), part);
    }
    if let Some(other) = first {
        let because = format!("some flows to it go by {} (frame {})", other.name, other.frame);
        let part = Part {
            names: Some(names.into_iter().collect()),
            addresses: Some(addresses.into_iter().collect()),
            open: Vec::new(),
        };
        return (Answer::Yes, because, part);
    }
    let maybe: Vec<String> = it
        .candidates
        .iter()
        .map(|it| plain(it).into_owned())
        .filter(|it| fits(it))
        .collect();
    match maybe.first() {
        Some(other) => {
            let because = format!("{other} is one of the names its address may go by");
            let part = Part {
                names: Some(maybe),
                ..Part::default()
            };
            (Answer::CannotTell, because, part)
        }
        None => (Answer::No, String::new(), Part::default()),
    }
}

/// Names that clients said in flows to a destination. What was merely looked up counts where nothing was said: another name that
/// led to the same address may be that of another party.
fn names_of<'a>(it: &'a Destination, audit: &'a Audit) -> impl Iterator<Item = (FlowId, &'a FlowName)> {
    let names = it.flows.iter().filter_map(|id| Some((*id, audit.flow_names.get(id.0 as usize)?)));
    names.flat_map(|(id, names)| {
        let said = names.iter().any(|it| !matches!(it.via, NameVia::Dns | NameVia::Certificate));
        let counts = move |it: &&FlowName| match it.via {
            NameVia::Certificate => false,
            NameVia::Dns => !said,
            _ => true,
        };
        names.iter().filter(counts).map(move |it| (id, it))
    })
}

/// What there is instead of what was asked for.
fn instead(subject: &Subject, audit: &Audit) -> String {
    let all = &audit.destinations;
    let list = |mut names: Vec<String>, wanted: &str, none: &str| {
        names.sort_by_cached_key(|name| (distance(&name.to_lowercase(), wanted), name.clone()));
        names.dedup();
        let more = names.len().saturating_sub(NEAR);
        names.truncate(NEAR);
        match (names.is_empty(), more) {
            (true, _) => none.to_owned(),
            (_, 0) => format!("the audit has {}", names.join(", ")),
            (..) => format!("the audit has {} and {more} more", names.join(", ")),
        }
    };
    let said = |countries: BTreeSet<Country>| countries.into_iter().map(|it| it.to_string()).collect::<Vec<_>>();
    match subject {
        Subject::Country(country) => {
            let there = all.iter().flat_map(|it| it.location.countries.iter().copied()).collect();
            format!(
                "no destination is or may be in {country}; {}",
                list(said(there), "", "no country is known of any")
            )
        }
        Subject::OwnerState(state) => {
            let there = all.iter().flat_map(|it| &it.owners).filter_map(|it| it.country).collect();
            format!(
                "no destination has or may have an owner in {state}; {}",
                list(said(there), "", "no owner is known of any")
            )
        }
        Subject::Organisation(wanted) => {
            let there = all
                .iter()
                .filter_map(|it| it.organisation.as_ref())
                .map(|it| it.id.clone())
                .collect();
            format!(
                "no organisation `{wanted}`; {}",
                list(there, wanted, "no organisation is known of any destination")
            )
        }
        Subject::Host(wanted) | Subject::Below(wanted) => {
            let at = wanted.parse::<IpAddr>().ok().and_then(|address| {
                let there = |it: &Destination| it.places.iter().any(|place| place.address == address);
                Some((address, all.iter().position(there)?))
            });
            if let Some((address, index)) = at {
                let name = all.get(index).map(|it| it.name.to_string()).unwrap_or_default();
                return format!(
                    "nothing goes by the address {address} alone; d{} {name} has it",
                    index.saturating_add(1)
                );
            }
            let there = all.iter().map(|it| it.name.to_string()).collect();
            let star = if matches!(subject, Subject::Below(_)) { "*." } else { "" };
            format!("no host `{star}{wanted}`; {}", list(there, wanted, "there is no destination"))
        }
        Subject::Destination(wanted) => match all.len() {
            0 => "there is no destination".to_owned(),
            count => format!("no destination d{}; the audit has d1 to d{count}", wanted.saturating_add(1)),
        },
    }
}

/// Near misses that are told.
const NEAR: usize = 5;

/// In how many letters two words differ; of long ones their beginnings.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, one) in a.iter().enumerate() {
        let mut next = vec![at.saturating_add(1)];
        for ((other, above), before) in b.iter().zip(row.iter().skip(1)).zip(&row) {
            let left = next.last().copied().unwrap_or_default();
            let changed = before.saturating_add(usize::from(one != other));
            next.push(changed.min(left.saturating_add(1)).min(above.saturating_add(1)));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
