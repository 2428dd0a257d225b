//! Owns what many addresses of one audit have in common, each built once: networks, places, the law that reaches them.
//! Refuses to answer anything but what [`Datasets`] answers.

use std::{
    hash::{Hash, Hasher},
    net::IpAddr,
    sync::Arc,
};

use ahash::HashMap;
use farshore_model::{
    Country, Date,
    party::{Location, Network, Organisation, Owner, Place, Reach},
};

use super::{COUNTRY_SETS, Datasets, SETS, Special, anycast, asn, canonical, editions::Opinion, measured, reach::Statutes, special};

/// The answers for the addresses of one audit.
pub struct Shared<'a> {
    data: &'a Datasets,
    statutes: Statutes,
    networks: HashMap<u32, Arc<Network>>,
    locations: HashMap<Grounds, Arc<Location>>,
    reaches: HashMap<Ties, Arc<[Reach]>>,
    /// Addresses that were looked up beforehand.
    known: HashMap<IpAddr, Place>,
}

/// All that a location follows from.
#[derive(PartialEq, Eq, Hash)]
struct Grounds {
    special: Option<Special>,
    anycast: bool,
    measured: Option<usize>,
    countries: [Option<Country>; SETS],
    brought: Vec<Opinion>,
}

/// All that reach follows from: the service, and of each address its network and location.
#[derive(PartialEq, Eq, Hash)]
struct Ties {
    service: Option<String>,
    places: Vec<(Option<u32>, Same)>,
}

/// A location that is the same if it is the same piece of memory, which is held here so that none can take its place.
struct Same(Arc<Location>);

impl PartialEq for Same {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Same {}

impl Hash for Same {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl<'a> Shared<'a> {
    /// Nothing yet, of facts as they were on a day.
    pub fn new(data: &'a Datasets, day: Option<Date>) -> Self {
        Self {
            data,
            statutes: Statutes::of(day),
            networks: HashMap::default(),
            locations: HashMap::default(),
            reaches: HashMap::default(),
            known: HashMap::default(),
        }
    }

    /// Looks addresses up that will be asked for, at most so many.
    pub fn look_up(&mut self, addresses: impl Iterator<Item = IpAddr>, most: usize) {
        let mut before = None;
        for address in addresses {
            if self.known.len() >= most {
                return;
            }
            if before.replace(address) != Some(address) && !self.known.contains_key(&address) {
                let place = self.place(address);
                self.known.insert(address, place);
            }
        }
    }

    /// As [`Datasets::place`].
    pub fn place(&mut self, address: IpAddr) -> Place {
        if let Some(known) = self.known.get(&address) {
            return known.clone();
        }
        let meant = canonical(address);
        let special = special(meant);
        if special.is_some() && self.data.fictional.is_some() {
            return self.data.place(address);
        }
        let asked = |asked: bool| asked.then_some(meant);
        let asn = asked(special.is_none()).and_then(asn::number);
        let grounds = Grounds {
            special,
            anycast: anycast::anycast(meant).is_some(),
            measured: measured::row(meant),
            countries: COUNTRY_SETS.each_ref().map(|set| set.country(asked(special.is_none())?)),
            brought: self.data.brought.opinions(meant),
        };
        Place {
            address,
            network: asn.map(|asn| {
                let known = self.networks.entry(asn).or_insert_with(|| Arc::new(asn::holder(asn)));
                Arc::clone(known)
            }),
            location: Arc::clone(
                self.locations
                    .entry(grounds)
                    .or_insert_with_key(|_| Arc::new(self.data.location(address))),
            ),
            special: special.map(|special| special.note),
        }
    }

    /// As [`Statutes::reach`].
    pub fn reach(&mut self, service: Option<&Organisation>, owners: &[Owner], places: &[Place]) -> Arc<[Reach]> {
        let ties = Ties {
            service: service.map(|it| it.id.clone()),
            places: places
                .iter()
                .map(|it| (it.network.as_ref().map(|network| network.asn), Same(Arc::clone(&it.location))))
                .collect(),
        };
        let (data, statutes) = (self.data, &mut self.statutes);
        let known = self
            .reaches
            .entry(ties)
            .or_insert_with(|| statutes.reach(data, service, owners, places).into());
        Arc::clone(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_is_what_is_answered() {
        let mut random = super::super::tests::Random(0x5eed);
        for data in [Datasets::embedded(), Datasets::with_fictional()] {
            let mut shared = Shared::new(data, None);
            let drawn = (0..2_000).map(|_| random.address());
            let chosen = [
                "8.8.8.8",
                "149.154.167.50",
                "::ffff:1.1.1.1",
                "10.0.0.1",
                "203.0.113.7",
                "2001:db8::1",
                "64:ff9b::808:808",
            ];
            for address in chosen.map(|it| it.parse().unwrap()).into_iter().chain(drawn) {
                assert_eq!(shared.place(address), data.place(address), "{address}");
                assert_eq!(shared.place(address), data.place(address), "{address} again");
            }
            assert!(shared.locations.len() < 1_000);
            let asked: Vec<IpAddr> = (0..50)
                .map(|_| random.address())
                .chain(chosen.map(|it| it.parse().unwrap()))
                .collect();
            shared.look_up(asked.iter().copied().chain(asked.iter().copied()), 40);
            assert_eq!(shared.known.len(), 40);
            for address in asked {
                assert_eq!(shared.place(address), data.place(address), "{address}, looked up beforehand");
            }
        }
    }
}
