//! Owns the sets put together for questions by the million: stretches of addresses of which all sets say the same.
//! Refuses to sum up: what a stretch means is answered for any of its addresses, by [`Datasets::place`](super::Datasets).

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::OnceLock,
};

use ahash::HashMap;
use farshore_model::Country;

use super::{
    COUNTRY_SETS, Prefix, SETS, anycast, asn, canonical, measured, points,
    resident::{V4, V6},
    special,
};

/// Everything the sets say of an address, by number: equal numbers, equal answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Answer(u32);

/// In the lowest bit stands the family, and in this one whether only the address itself tells.
const MIXED_BIT: u32 = 1 << 30;

impl Answer {
    /// Its number: even ones from 0 for IPv4, odd ones for IPv6, both without gaps.
    pub fn number(self) -> usize {
        (self.0 & !MIXED_BIT) as usize
    }

    fn is_telling(self) -> bool {
        self.0 & MIXED_BIT == 0
    }
}

/// What the sets say, bare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Said {
    /// The country each set names, in their own order.
    pub countries: [Option<Country>; SETS],
    /// Who announces it; 0 for nobody.
    pub asn: u32,
    mark: u32,
}

/// A stretch is ordinary, or its operator announces it from many places, or it is set aside, or it has to be told address
/// by address.
const ORDINARY: u32 = 0;
const ANYCAST: u32 = 1;
const MIXED: u32 = 2;
const SPECIAL: u32 = 3;

/// All sets, merged, each family when it is first asked.
#[derive(Debug, Default)]
pub struct Stretches {
    v4: OnceLock<Family<V4>>,
    v6: OnceLock<Family<V6>>,
}

/// Which answer holds where, and what each of them says.
#[derive(Debug, Default)]
struct Family<T> {
    table: T,
    said: Vec<Said>,
}

impl Stretches {
    /// The embedded editions.
    pub fn embedded() -> &'static Stretches {
        static MERGED: Stretches = Stretches {
            v4: OnceLock::new(),
            v6: OnceLock::new(),
        };
        &MERGED
    }

    /// Which answer holds for an address; `None` where only the address itself tells.
    #[inline]
    pub fn answer(&self, address: IpAddr) -> Option<Answer> {
        let number = match canonical(address) {
            IpAddr::V4(ip) => self.family4().table.at(ip.to_bits()),
            IpAddr::V6(ip) => self.family6().table.at(points::upper(ip)),
        };
        number.map(Answer).filter(|it| it.is_telling())
    }

    /// What the sets say in an answer.
    #[inline]
    pub fn said(&self, answer: Answer) -> Said {
        let said = match answer.0 & 1 {
            0 => &self.family4().said,
            _ => &self.family6().said,
        };
        said.get(answer.number() >> 1).copied().unwrap_or_default()
    }

    fn family4(&self) -> &Family<V4> {
        self.v4.get_or_init(|| {
            let mut numbers = Numbers::new(0);
            let marks = marks4();
            let sets = COUNTRY_SETS.iter().map(|set| set.layer4());
            let stretches = merged(sets.chain([asn::layer4(), Layer::of(&marks)]).collect(), &mut numbers);
            Family {
                table: V4::of(&stretches),
                said: numbers.said,
            }
        })
    }

    fn family6(&self) -> &Family<V6> {
        self.v6.get_or_init(|| {
            let mut numbers = Numbers::new(1);
            let marks = marks6();
            let sets = COUNTRY_SETS.iter().map(|set| set.layer6());
            let stretches = merged(sets.chain([asn::layer6(), Layer::of(&marks)]).collect(), &mut numbers);
            Family {
                table: V6::of(&stretches),
                said: numbers.said,
            }
        })
    }

    /// Every stretch of IPv4 by its first address; `None` as in [`Stretches::answer`]. Neighbours may answer alike.
    pub fn v4(&self) -> impl Iterator<Item = (u32, Option<Answer>)> + '_ {
        let all = self.family4().table.between(0, u32::MAX);
        all.map(|(start, number)| (start, Some(Answer(number)).filter(|it| it.is_telling())))
    }

    /// The same for IPv6, by the upper halves of the addresses.
    pub fn v6(&self) -> impl Iterator<Item = (u64, Option<Answer>)> + '_ {
        let all = self.family6().table.between(0, u64::MAX);
        all.map(|(start, number)| (start, Some(Answer(number)).filter(|it| it.is_telling())))
    }

    /// The first address of each different answer in a prefix, or `None` if there are more than `most`.
    pub fn within(&self, prefix: Prefix, most: usize) -> Option<Vec<IpAddr>> {
        let mut firsts = Firsts::new(self, most);
        firsts.add(prefix.address(), self.answer(prefix.address()))?;
        match prefix.address() {
            IpAddr::V4(ip) => {
                let last = ip.to_bits() | u32::MAX.checked_shr(prefix.length()).unwrap_or(0);
                for (start, number) in self.family4().table.between(ip.to_bits(), last) {
                    firsts.add4(start, Answer(number))?;
                }
            }
            IpAddr::V6(ip) => {
                let from = points::upper(ip);
                let last = from | u64::MAX.checked_shr(prefix.length()).unwrap_or(0);
                for (start, number) in self.family6().table.between(from, last) {
                    firsts.add6(start, Answer(number), |it| prefix.contains(it))?;
                }
            }
        }
        Some(firsts.found)
    }

    /// The first address of each different answer a network has, or `None` if there are more than `most`.
    pub fn announced_by(&self, asn: u32, most: usize) -> Option<Vec<IpAddr>> {
        let mut firsts = Firsts::new(self, most);
        let announced = |number: u32| self.said(Answer(number)).asn == asn && asn != 0;
        for (start, number) in self.family4().table.between(0, u32::MAX).filter(|(_, it)| announced(*it)) {
            firsts.add4(start, Answer(number))?;
        }
        for (start, number) in self.family6().table.between(0, u64::MAX).filter(|(_, it)| announced(*it)) {
            firsts.add6(start, Answer(number), |_| true)?;
        }
        Some(firsts.found)
    }
}

/// First addresses, one an answer.
struct Firsts<'a> {
    stretches: &'a Stretches,
    most: usize,
    /// What was said, since the families number their answers apart.
    seen: BTreeSet<Said>,
    found: Vec<IpAddr>,
}

impl<'a> Firsts<'a> {
    fn new(stretches: &'a Stretches, most: usize) -> Self {
        Self {
            stretches,
            most,
            seen: BTreeSet::new(),
            found: Vec::new(),
        }
    }

    /// `None` once there are too many.
    fn add(&mut self, first: IpAddr, answer: Option<Answer>) -> Option<()> {
        if answer.is_none_or(|it| self.seen.insert(self.stretches.said(it))) && !self.found.contains(&first) {
            self.found.push(first);
        }
        (self.found.len() <= self.most).then_some(())
    }

    fn add4(&mut self, start: u32, answer: Answer) -> Option<()> {
        self.add(Ipv4Addr::from_bits(start).into(), Some(answer).filter(|it| it.is_telling()))
    }

    fn add6(&mut self, start: u64, answer: Answer, wanted: impl Fn(IpAddr) -> bool) -> Option<()> {
        let first = Ipv6Addr::from_bits(u128::from(start) << 64);
        if answer.is_telling() {
            return self.add(first.into(), Some(answer));
        }
        let rows = rows6().into_iter().map(|(address, _)| address);
        for inside in [first].into_iter().chain(rows.filter(|it| points::upper(*it) == start)) {
            if wanted(inside.into()) {
                self.add(inside.into(), None)?;
            }
        }
        Some(())
    }
}

/// Breakpoints of one set, with values as numbers.
pub struct Layer<'a, K> {
    starts: &'a [K],
    value: Box<dyn Fn(usize) -> u32 + 'a>,
}

impl<'a, K> Layer<'a, K> {
    /// Breakpoints, and the number of the value at each.
    pub fn new(starts: &'a [K], value: impl Fn(usize) -> u32 + 'a) -> Self {
        Self {
            starts,
            value: Box::new(value),
        }
    }

    /// None.
    pub fn empty() -> Self {
        Self::new(&[], |_| 0)
    }

    fn of((starts, values): &'a (Vec<K>, Vec<u32>)) -> Self {
        Self::new(starts, |index| values.get(index).copied().unwrap_or(ORDINARY))
    }
}

/// A country as a number: 0 for none.
pub fn number_of(country: Option<Country>) -> u32 {
    country.map_or(0, |it| match it.code().as_bytes() {
        [a, b] => u32::from(u16::from_be_bytes([*a, *b])),
        _ => 0,
    })
}

fn country_of(number: u32) -> Option<Country> {
    let [.., a, b] = number.to_be_bytes();
    Country::parse(std::str::from_utf8(&[a, b]).ok()?)
}

/// Answers in order of first appearance, as numbers of one family.
struct Numbers {
    family: u32,
    known: HashMap<[u32; SETS + 2], u32>,
    said: Vec<Said>,
}

impl Numbers {
    fn new(family: u32) -> Self {
        Self {
            family,
            known: HashMap::default(),
            said: Vec::new(),
        }
    }

    fn of(&mut self, values: [u32; SETS + 2]) -> u32 {
        let [mut countries @ .., mut asn, mark] = values;
        // Nothing the sets say of an address that was set aside is an answer.
        if mark >= SPECIAL {
            (countries, asn) = ([0; SETS], 0);
        }
        let [a, b, c, d] = countries;
        let said = &mut self.said;
        *self.known.entry([a, b, c, d, asn, mark]).or_insert_with(|| {
            let index = u32::try_from(said.len()).unwrap_or(u32::MAX);
            said.push(Said {
                countries: countries.map(country_of),
                asn,
                mark,
            });
            let mixed = if mark == MIXED { MIXED_BIT } else { 0 };
            index.saturating_mul(2).min(MIXED_BIT.saturating_sub(2)) | self.family | mixed
        })
    }
}

/// Walks all layers at once. Neighbours with the same answer become one.
fn merged<K: Copy + Ord>(layers: Vec<Layer<'_, K>>, numbers: &mut Numbers) -> Vec<(K, u32)> {
    let mut stretches: Vec<(K, u32)> = Vec::new();
    let mut next = [0_usize; SETS + 2];
    let mut values = [0_u32; SETS + 2];
    while let Some(start) = next.iter().zip(&layers).filter_map(|(next, layer)| layer.starts.get(*next)).min() {
        for ((next, value), layer) in next.iter_mut().zip(&mut values).zip(&layers) {
            if layer.starts.get(*next) == Some(start) {
                *value = (layer.value)(*next);
                *next = next.saturating_add(1);
            }
        }
        let number = numbers.of(values);
        if stretches.last().is_none_or(|(_, last)| *last != number) {
            stretches.push((*start, number));
        }
    }
    stretches
}

/// Where addresses are set aside or announced from many places, as breakpoints.
fn marks4() -> (Vec<u32>, Vec<u32>) {
    let special = special::v4_rows().map(|(address, length)| (address.to_bits(), length));
    let listed = listed().filter_map(|prefix| match prefix.address() {
        IpAddr::V4(ip) => Some((ip.to_bits(), prefix.length())),
        IpAddr::V6(_) => None,
    });
    let mut starts = BTreeSet::from([0_u32]);
    for (first, length) in special.chain(listed) {
        starts.insert(first);
        starts.extend((first | u32::MAX.checked_shr(length).unwrap_or(0)).checked_add(1));
    }
    let starts: Vec<u32> = starts.into_iter().collect();
    let marks = starts.iter().map(|start| mark(Ipv4Addr::from_bits(*start).into())).collect();
    (starts, marks)
}

/// The same for the upper halves of IPv6. A half in which a longer prefix lies is told address by address.
fn marks6() -> (Vec<u64>, Vec<u32>) {
    let mut starts = BTreeSet::from([0_u64]);
    let mut mixed = BTreeSet::new();
    for (first, length) in rows6() {
        let upper = points::upper(first);
        starts.insert(upper);
        starts.extend((upper | u64::MAX.checked_shr(length).unwrap_or(0)).checked_add(1));
        if length > 64 {
            mixed.insert(upper);
        }
    }
    let starts: Vec<u64> = starts.into_iter().collect();
    let mark = |start: &u64| match mixed.contains(start) {
        true => MIXED,
        false => mark(Ipv6Addr::from_bits(u128::from(*start) << 64).into()),
    };
    let marks = starts.iter().map(mark).collect();
    (starts, marks)
}

/// Every prefix of IPv6 of which something is known beyond the sets, those that carry IPv4 among them.
fn rows6() -> Vec<(Ipv6Addr, u32)> {
    let listed = listed().filter_map(|prefix| match prefix.address() {
        IpAddr::V6(ip) => Some((ip, prefix.length())),
        IpAddr::V4(_) => None,
    });
    special::v6_rows().chain(listed).collect()
}

/// The prefixes that our own lists speak of.
fn listed() -> impl Iterator<Item = Prefix> {
    let anycast = anycast::rows().iter().map(|row| row.prefix);
    anycast.chain(measured::rows().iter().map(|row| row.prefix))
}

fn mark(address: IpAddr) -> u32 {
    match special::index(address) {
        Some(index) => SPECIAL.saturating_add(u32::try_from(index).unwrap_or(u32::MAX)),
        None if measured::row(address).is_some() => MIXED,
        None if anycast::anycast(address).is_some() => ANYCAST,
        None => ORDINARY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parties::{Datasets, tests::Random};

    #[test]
    fn equal_numbers_are_equal_answers_and_those_of_the_sets() {
        let (data, stretches) = (Datasets::embedded(), Stretches::embedded());
        let mut random = Random(0x5eed);
        let edges = stretches
            .v4()
            .map(|(start, _)| start)
            .filter(|it| (0x0800_0000..0x0a00_0000).contains(it));
        let edges: Vec<IpAddr> = edges
            .flat_map(|start| [start, start.wrapping_sub(1)])
            .map(|it| Ipv4Addr::from_bits(it).into())
            .collect();
        let chosen = [
            "8.8.8.8",
            "::ffff:1.1.1.1",
            "10.0.0.1",
            "203.0.113.7",
            "2001:db8::1",
            "::1",
            "64:ff9b::808:808",
            "255.255.255.255",
        ];
        let chosen = chosen.map(|it| it.parse().unwrap());
        let edges6 = stretches.v6().map(|(start, _)| start).filter(|it| it >> 48 == 0x2a00).step_by(50);
        let edges6: Vec<IpAddr> = edges6
            .flat_map(|start| [start, start.wrapping_sub(1)])
            .map(|it| Ipv6Addr::from_bits(u128::from(it) << 64 | 7).into())
            .collect();
        assert!(edges.len() > 1_000 && edges6.len() > 200, "{} {}", edges.len(), edges6.len());
        let mut told = 0;
        for address in (0..20_000).map(|_| random.address()).chain(chosen).chain(edges).chain(edges6) {
            let Some(answer) = stretches.answer(address) else {
                continue;
            };
            told += 1;
            let (said, place) = (stretches.said(answer), data.place(address));
            assert_eq!(place.network.as_ref().map_or(0, |it| it.asn), said.asn, "{address}");
            for (set, country) in COUNTRY_SETS.iter().zip(said.countries) {
                let wanted = set.claim(canonical(address)).map(|it| it.country);
                let wanted = wanted.filter(|_| place.special.is_none());
                assert_eq!(country, wanted, "{address}");
            }
            assert_eq!(said.mark >= SPECIAL, place.special.is_some(), "{address}");
            let anycast = place.location.state == farshore_model::party::LocationState::Anycast;
            assert_eq!(said.mark == ANYCAST, anycast, "{address}");
        }
        assert!(told > 20_000, "nearly every address is told by its stretch");
    }

    #[test]
    fn a_half_with_a_longer_prefix_inside_is_told_address_by_address() {
        let stretches = Stretches::embedded();
        for address in ["::1", "2001:7fd::1", "2001:7fd::2", "149.154.167.50"] {
            assert_eq!(stretches.answer(address.parse().unwrap()), None, "{address}");
        }
        let found = stretches.within("2001:7fd::/48".parse().unwrap(), 1000).unwrap();
        assert!(found.contains(&"2001:7fd::1".parse().unwrap()));
    }
}
