//! Where a machine stands by evidence that can carry a verdict: a round trip, the operator's dated list of its ranges, the
//! user's override. Refuses to let location databases decide, however many agree, and a list that is not of the capture's time.

use std::collections::BTreeSet;

use farshore_model::party::{ClaimKind, CountryClaim, LocationState, Place};
use farshore_model::{Country, Date};

use crate::parties::countries;
use crate::parties::location::{FRESH, is_list, is_of_the_time};

/// How an address stands to the countries that are allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stand {
    /// The machine was in one of them.
    Inside,
    /// It was in none, and why.
    Outside(String),
    /// It cannot be told, and why.
    CannotTell(String),
}

/// Of an address that is not local. `days` are the first and the last of the capture; `weak` takes agreeing databases for
/// enough.
pub fn stand(place: &Place, allowed: &[Country], days: Option<(Date, Date)>, weak: bool) -> Stand {
    let location = &place.location;
    let is_allowed = |country: &Country| allowed.contains(country);
    if let Some(claim) = location.claims.iter().find(|claim| claim.kind == ClaimKind::Override) {
        return match is_allowed(&claim.country) {
            true => Stand::Inside,
            false => Stand::Outside(format!("overridden to {}: {}", claim.country, claim.source)),
        };
    }
    let struck: BTreeSet<Country> = location.excluded.iter().map(|it| it.country).collect();
    let lists = || location.claims.iter().filter(|claim| is_list(claim.kind));
    let fresh = |claim: &&CountryClaim| days.is_some_and(|days| is_of_the_time(&claim.edition, days));
    // An address announced from many places is in all of them: what the list says of one does not hold.
    let stated: BTreeSet<Country> = match location.state {
        LocationState::Anycast => BTreeSet::new(),
        _ => lists().filter(fresh).map(|claim| claim.country).collect(),
    };
    if !stated.is_empty() {
        let left: Vec<Country> = stated.difference(&struck).copied().collect();
        let sources: BTreeSet<String> = lists()
            .filter(fresh)
            .map(|claim| format!("{} of {}", claim.source, claim.edition))
            .collect();
        let sources = sources.into_iter().collect::<Vec<_>>().join(", ");
        let said = stated.iter().map(Country::code).collect::<Vec<_>>().join(" or ");
        return match left.iter().filter(|it| is_allowed(it)).count() {
            _ if left.is_empty() => Stand::CannotTell(format!("{sources} says {said}, which the round trip rules out")),
            0 => Stand::Outside(format!("its operator's list says {said} ({sources})")),
            inside if inside == left.len() => Stand::Inside,
            _ => Stand::CannotTell(format!("{sources} says {said}, of which not all are allowed")),
        };
    }
    let possible = || countries::all().filter(|country| !struck.contains(country));
    if !struck.is_empty() {
        if possible().next().is_none() {
            return Stand::CannotTell("round trips leave no country at all".to_owned());
        }
        if !possible().any(|country| is_allowed(&country)) {
            return Stand::Outside(beyond_reach(place, allowed));
        }
        if possible().all(|country| is_allowed(&country)) {
            return Stand::Inside;
        }
    }
    let said = || location.countries.iter().map(Country::code).collect::<Vec<_>>().join(" or ");
    let stale = lists().next().map(|claim| match claim.edition.as_str() {
        "" => format!("{} has no date", claim.source),
        edition => format!("{} of {edition} is more than {FRESH} days from the capture", claim.source),
    });
    if weak && location.state == LocationState::Agreed {
        return match location.countries.iter().filter(|it| is_allowed(it)).count() {
            0 => Stand::Outside(format!("location databases agree on {}, which this pack takes for enough", said())),
            inside if inside == location.countries.len() => Stand::Inside,
            _ => Stand::CannotTell(format!("location databases say {}", said())),
        };
    }
    Stand::CannotTell(match (location.state, stale) {
        (LocationState::Anycast, _) => "the address is announced from many places".to_owned(),
        (_, Some(stale)) => stale,
        (LocationState::Disputed, _) => format!("location sources differ: {}", said()),
        (LocationState::Agreed, _) => format!("location databases alone say {}, which is no proof", said()),
        _ if location.countries.is_empty() => "no source is left that says where it is".to_owned(),
        _ => format!("one location source alone says {}", said()),
    })
}

/// `a round trip of 2.0 ms leaves it within 301 km; the nearest allowed country, FR, is 420 km away`.
fn beyond_reach(place: &Place, allowed: &[Country]) -> String {
    let rows = place.location.excluded.iter().filter(|it| allowed.contains(&it.country));
    match rows.min_by_key(|it| (it.nearest_km.saturating_sub(it.max_km), it.country)) {
        Some(it) => format!(
            "a round trip of {:.1} ms leaves it within {} km; the nearest allowed country, {}, is {} km away",
            it.rtt as f64 / 1e6,
            it.max_km,
            it.country,
            it.nearest_km
        ),
        None => "round trips rule out every allowed country".to_owned(),
    }
}
