//! Owns the rule that sums opinions on a place up. Refuses to choose among them.
//!
//! - `countries` is the union of what location sources say (geolocation, the cloud's own region list, a geofeed).
//!   A registration is a fact of law and a name is a hint: both are listed, neither enters `countries` or `state`.
//! - One opinion is no agreement: fewer than two sources give `undetermined`, with the country that was named.
//! - Two or more sources that name one country `agree`; the claims still tell who they are, since two location
//!   databases that share a feed prove less than two kinds of source. More than one country is `disputed`.
//! - What the user overrides is settled: that country, and its reason among the claims. What a round trip refutes stays
//!   listed and counts no more.
//! - An address its operator announces from many places is `anycast`, whatever the sources say: the country differs by
//!   vantage. One set aside for local use is `local`; one set aside for nobody (documentation) is `undetermined`.

use std::collections::BTreeSet;

use farshore_model::{
    Country, Date,
    party::{ClaimKind, CountryClaim, Location, LocationState},
};

use super::special::Special;

/// Sums up what is known of one address.
pub fn summary(mut claims: Vec<CountryClaim>, anycast: bool, special: Option<Special>) -> Location {
    claims.sort();
    claims.dedup();
    let settled = claims.iter().any(|claim| claim.kind == ClaimKind::Override);
    let counts = |claim: &&CountryClaim| match settled {
        true => claim.kind == ClaimKind::Override,
        false => is_place(claim.kind) && !claim.refuted,
    };
    let opinions = || claims.iter().filter(counts);
    let countries: BTreeSet<Country> = opinions().map(|claim| claim.country).collect();
    let sources: BTreeSet<&str> = opinions().map(|claim| claim.source.as_str()).collect();
    let state = match special {
        Some(special) if special.local => LocationState::Local,
        _ if settled => LocationState::Agreed,
        _ if anycast => LocationState::Anycast,
        _ if countries.len() > 1 => LocationState::Disputed,
        _ if sources.len() > 1 => LocationState::Agreed,
        _ => LocationState::Undetermined,
    };
    Location {
        countries: countries.into_iter().collect(),
        state,
        claims,
        excluded: Vec::new(),
        implausible: Vec::new(),
    }
}

/// Whether an opinion of this kind is one on where the machine is.
pub fn is_place(kind: ClaimKind) -> bool {
    match kind {
        ClaimKind::Geolocation | ClaimKind::CloudRegion | ClaimKind::Geofeed | ClaimKind::Override => true,
        ClaimKind::Registration | ClaimKind::Name => false,
    }
}

/// Whether such a claim is the operator's own list of its ranges.
pub fn is_list(kind: ClaimKind) -> bool {
    matches!(kind, ClaimKind::CloudRegion | ClaimKind::Geofeed)
}

/// A list of ranges speaks of what happened so many days around its edition.
pub const FRESH: u64 = 90;

/// Whether a list of that edition speaks of all the days from the first to the last. One without a date speaks of none.
pub fn is_of_the_time(edition: &str, (first, last): (Date, Date)) -> bool {
    Date::parse(edition).is_some_and(|day| day.distance(first) <= FRESH && day.distance(last) <= FRESH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(source: &str, country: &str, kind: ClaimKind) -> CountryClaim {
        CountryClaim {
            country: Country::parse(country).unwrap(),
            kind,
            source: source.to_owned(),
            edition: "1".to_owned(),
            refuted: false,
        }
    }

    #[test]
    fn the_rule_holds_case_by_case() {
        use ClaimKind::{Geolocation, Registration};
        type Case = (&'static [(&'static str, &'static str, ClaimKind)], &'static str, LocationState);
        let cases: [Case; 5] = [
            (&[], "", LocationState::Undetermined),
            (&[("a", "DE", Geolocation)], "DE", LocationState::Undetermined),
            (
                &[("a", "DE", Geolocation), ("r", "DE", Registration)],
                "DE",
                LocationState::Undetermined,
            ),
            (
                &[("a", "DE", Geolocation), ("b", "DE", Geolocation), ("r", "US", Registration)],
                "DE",
                LocationState::Agreed,
            ),
            (
                &[("b", "US", Geolocation), ("a", "HK", Geolocation)],
                "HK US",
                LocationState::Disputed,
            ),
        ];
        for (claims, countries, state) in cases {
            let given = claims.iter().map(|(source, country, kind)| claim(source, country, *kind)).collect();
            let location = summary(given, false, None);
            let named: Vec<_> = location.countries.iter().map(Country::code).collect();
            assert_eq!((named.join(" ").as_str(), location.state), (countries, state), "{claims:?}");
            assert_eq!(location.claims.len(), claims.len());
        }
    }

    #[test]
    fn anycast_and_local_outweigh_agreement() {
        let claims = || vec![claim("a", "DE", ClaimKind::Geolocation), claim("b", "DE", ClaimKind::Geolocation)];
        assert_eq!(summary(claims(), true, None).state, LocationState::Anycast);
        let private = Special {
            note: "private use (RFC 1918)",
            local: true,
        };
        assert_eq!(summary(vec![], false, Some(private)).state, LocationState::Local);
        let documentation = Special {
            note: "documentation (RFC 5737)",
            local: false,
        };
        assert_eq!(summary(vec![], false, Some(documentation)).state, LocationState::Undetermined);
    }
}
