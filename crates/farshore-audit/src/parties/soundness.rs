//! What the embedded editions are worth together, counted over all of IPv4 and over addresses nobody disputes. No network.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use farshore_model::{Country, Date, party::LocationState};

use super::{Datasets, Stretches, countries, tests::KNOWN};
use crate::policy::places::{Stand, stand};

/// The countries location databases name for an answer: those that its first address has in an audit.
fn set_size(first: u32) -> usize {
    Datasets::embedded().location(Ipv4Addr::from_bits(first).into()).countries.len()
}

#[test]
fn honest_is_not_vague() {
    let stretches = Stretches::embedded();
    let starts: Vec<_> = stretches.v4().collect();
    let ends = starts.iter().skip(1).map(|(start, _)| u64::from(*start)).chain([1 << 32]);
    // Addresses by the size of their set, of those that somebody announces.
    let mut routed = [0_u64; 4];
    let mut sizes = std::collections::BTreeMap::new();
    for ((start, answer), end) in starts.iter().zip(ends) {
        let Some(answer) = answer.filter(|it| stretches.said(*it).asn != 0) else {
            continue;
        };
        let size = *sizes.entry(answer).or_insert_with(|| set_size(*start));
        if let Some(sum) = routed.get_mut(size.min(3)) {
            *sum += end - u64::from(*start);
        }
    }
    let all: u64 = routed.iter().sum();
    let share = routed.map(|it| it as f64 / all as f64);
    assert!(all > 2_500_000_000, "{all}");
    assert!(
        routed[0] * 2 < all && (routed[0] + routed[1]) * 2 > all,
        "the median is one; with 0, 1, 2, more countries: {share:.4?}"
    );
    let unicast: Vec<usize> = KNOWN
        .iter()
        .filter(|(_, truth)| *truth != "anycast")
        .map(|(address, _)| Datasets::embedded().location(address.parse().unwrap()).countries.len())
        .collect();
    let few = unicast.iter().filter(|it| **it <= 2).count();
    assert!(few * 100 >= unicast.len() * 85, "{few} of {} have at most two", unicast.len());
}

/// Addresses that data sets have been seen to misplace, beside all that are known: a cloud's region in Milan, delivery networks,
/// front ends, relays.
const MISJUDGED: [&str; 12] = [
    "15.160.0.1",
    "15.161.255.1",
    "104.16.132.229",
    "172.67.1.1",
    "142.250.184.78",
    "142.251.36.46",
    "216.58.212.142",
    "104.166.161.75",
    "103.104.168.244",
    "157.240.1.35",
    "2606:4700::6810:84e5",
    "2a00:1450:4001:82b::200e",
];

#[test]
fn no_address_is_outside_by_what_is_built_in() {
    let days = Date::parse("2026-07-01").zip(Date::parse("2026-07-02"));
    let data = Datasets::embedded();
    let mut reasons = BTreeSet::new();
    for address in MISJUDGED.into_iter().chain(KNOWN.iter().map(|(address, _)| *address)) {
        let place = data.place(address.parse::<IpAddr>().unwrap());
        for allowed in countries::all() {
            match stand(&place, &[allowed], days, false) {
                Stand::CannotTell(why) => {
                    reasons.insert(why);
                }
                other => panic!("{address}, allowed {allowed}: {other:?}"),
            }
        }
        // Nor is it inside, were all the sources name allowed.
        let all: Vec<Country> = place.location.countries.clone();
        assert!(matches!(stand(&place, &all, days, false), Stand::CannotTell(_)), "{address}");
        assert_ne!(place.location.state, LocationState::Local);
    }
    assert!(reasons.len() > 10 && reasons.iter().all(|it| !it.is_empty()), "{reasons:?}");
}
