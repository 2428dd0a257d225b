//! Owns the sets put together for questions by the million: stretches of addresses of which all sets say the same.
//! Refuses to sum up: what a stretch means is answered for any of its addresses, by [`Datasets::place`](super::Datasets).

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::OnceLock,
};

use ahash::HashMap;
use farshore_model::Country;

use super::{COUNTRY_SETS, Prefix, SETS, anycast, asn, canonical, measured, points, special};

/// Everything the sets say of an address, by number: equal numbers, equal answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Answer(u32);

impl Answer {
    /// Its number, from 0 and without gaps.
    pub fn number(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// What the sets say, bare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
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

/// All sets, merged.
#[derive(Debug, Default)]
pub struct Stretches {
    v4: V4,
    v6: V6,
    said: Vec<Said>,
}

impl Stretches {
    /// The embedded editions, merged when this is first asked.
    pub fn embedded() -> &'static Stretches {
        static MERGED: OnceLock<Stretches> = OnceLock::new();
        MERGED.get_or_init(Stretches::merge)
    }

    /// Which answer holds for an address; `None` where only the address itself tells.
    pub fn answer(&self, address: IpAddr) -> Option<Answer> {
        let answer = match canonical(address) {
            IpAddr::V4(ip) => self.v4.at(ip.to_bits()),
            IpAddr::V6(ip) => self.v6.at(points::upper(ip)),
        }?;
        self.telling(answer)
    }

    fn telling(&self, answer: Answer) -> Option<Answer> {
        (self.said(answer).mark != MIXED).then_some(answer)
    }

    /// What the sets say in an answer.
    pub fn said(&self, answer: Answer) -> Said {
        self.said.get(answer.number()).copied().unwrap_or_default()
    }

    /// The first address of each different answer in a prefix, or `None` if there are more than `most`.
    pub fn within(&self, prefix: Prefix, most: usize) -> Option<Vec<IpAddr>> {
        let mut firsts = Firsts::new(self, most);
        firsts.add(prefix.address(), self.answer(prefix.address()))?;
        match prefix.address() {
            IpAddr::V4(ip) => {
                let last = ip.to_bits() | u32::MAX.checked_shr(prefix.length()).unwrap_or(0);
                for (start, answer) in self.v4.between(ip.to_bits(), last) {
                    firsts.add(Ipv4Addr::from_bits(start).into(), self.telling(answer))?;
                }
            }
            IpAddr::V6(ip) => {
                let from = points::upper(ip);
                let last = from | u64::MAX.checked_shr(prefix.length()).unwrap_or(0);
                for (start, answer) in self.v6.between(from, last) {
                    firsts.add6(start, answer, |it| prefix.contains(it))?;
                }
            }
        }
        Some(firsts.found)
    }

    /// The first address of each different answer a network has, or `None` if there are more than `most`.
    pub fn announced_by(&self, asn: u32, most: usize) -> Option<Vec<IpAddr>> {
        let mut firsts = Firsts::new(self, most);
        let announced = |answer: Answer| self.said(answer).asn == asn && asn != 0;
        for (start, answer) in self.v4.between(0, u32::MAX).filter(|(_, answer)| announced(*answer)) {
            firsts.add(Ipv4Addr::from_bits(start).into(), self.telling(answer))?;
        }
        for (start, answer) in self.v6.between(0, u64::MAX).filter(|(_, answer)| announced(*answer)) {
            firsts.add6(start, answer, |_| true)?;
        }
        Some(firsts.found)
    }

    fn merge() -> Stretches {
        let mut numbers = Numbers::default();
        let marks = marks4();
        let sets = COUNTRY_SETS
            .iter()
            .map(|set| set.layer4())
            .chain([asn::layer4(), Layer::of(&marks)]);
        let v4 = V4::of(merged(sets.collect(), &mut numbers));
        let marks = marks6();
        let sets = COUNTRY_SETS
            .iter()
            .map(|set| set.layer6())
            .chain([asn::layer6(), Layer::of(&marks)]);
        let v6 = V6::of(&merged(sets.collect(), &mut numbers));
        Stretches {
            v4,
            v6,
            said: numbers.said,
        }
    }
}

/// First addresses, one an answer.
struct Firsts<'a> {
    stretches: &'a Stretches,
    most: usize,
    seen: BTreeSet<Answer>,
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
        if answer.is_none_or(|it| self.seen.insert(it)) && !self.found.contains(&first) {
            self.found.push(first);
        }
        (self.found.len() <= self.most).then_some(())
    }

    fn add6(&mut self, start: u64, answer: Answer, wanted: impl Fn(IpAddr) -> bool) -> Option<()> {
        let first = Ipv6Addr::from_bits(u128::from(start) << 64);
        if self.stretches.said(answer).mark != MIXED {
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

/// Answers in order of first appearance.
#[derive(Default)]
struct Numbers {
    known: HashMap<[u32; SETS + 2], Answer>,
    said: Vec<Said>,
}

impl Numbers {
    fn of(&mut self, values: [u32; SETS + 2]) -> Answer {
        // Nothing the sets say of an address that was set aside is an answer.
        let [one, two, three, asn, mark] = match values {
            [.., mark] if mark >= SPECIAL => [0, 0, 0, 0, mark],
            values => values,
        };
        let said = &mut self.said;
        *self.known.entry([one, two, three, asn, mark]).or_insert_with(|| {
            said.push(Said {
                countries: [one, two, three].map(country_of),
                asn,
                mark,
            });
            Answer(u32::try_from(said.len().saturating_sub(1)).unwrap_or(u32::MAX))
        })
    }
}

/// Walks all layers at once. Neighbours with the same answer become one.
fn merged<K: Copy + Ord>(layers: Vec<Layer<'_, K>>, numbers: &mut Numbers) -> Vec<(K, Answer)> {
    let mut stretches: Vec<(K, Answer)> = Vec::new();
    let mut next = [0_usize; SETS + 2];
    let mut values = [0_u32; SETS + 2];
    while let Some(start) = next.iter().zip(&layers).filter_map(|(next, layer)| layer.starts.get(*next)).min() {
        for ((next, value), layer) in next.iter_mut().zip(&mut values).zip(&layers) {
            if layer.starts.get(*next) == Some(start) {
                *value = (layer.value)(*next);
                *next = next.saturating_add(1);
            }
        }
        let answer = numbers.of(values);
        if stretches.last().is_none_or(|(_, last)| *last != answer) {
            stretches.push((*start, answer));
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

/// IPv4: the upper half of an address leads to its breakpoints, of which the lower half is kept.
#[derive(Debug, Default)]
struct V4 {
    heads: Vec<u32>,
    lows: Vec<u16>,
    answers: Vec<Answer>,
}

impl V4 {
    fn of(stretches: Vec<(u32, Answer)>) -> V4 {
        let mut table = V4::default();
        let mut stretches = stretches.into_iter().peekable();
        let mut last = None;
        for high in 0..=u16::MAX {
            table.heads.push(u32::try_from(table.lows.len()).unwrap_or(u32::MAX));
            let first = stretches.peek().is_some_and(|(start, _)| *start == u32::from(high) << 16);
            // Each half begins with an entry, that of its neighbour below if it has none.
            if let Some(answer) = last.filter(|_| !first) {
                table.lows.push(0);
                table.answers.push(answer);
            }
            while let Some((start, answer)) = stretches.next_if(|(start, _)| start >> 16 == u32::from(high)) {
                table.lows.push((start & 0xffff) as u16);
                table.answers.push(answer);
                last = Some(answer);
            }
        }
        table.heads.push(u32::try_from(table.lows.len()).unwrap_or(u32::MAX));
        table
    }

    fn at(&self, key: u32) -> Option<Answer> {
        let high = (key >> 16) as usize;
        let [from, to] = *self.heads.get(high..)?.first_chunk()?;
        let lows = self.lows.get(from as usize..to as usize)?;
        let after = lows.partition_point(|low| *low <= (key & 0xffff) as u16);
        self.answers.get((from as usize).saturating_add(after.checked_sub(1)?)).copied()
    }

    /// The breakpoints from `first` to `last`.
    fn between(&self, first: u32, last: u32) -> impl Iterator<Item = (u32, Answer)> + '_ {
        let ends = self.heads.iter().skip(1);
        let halves = (0_u32..).zip(self.heads.iter().zip(ends));
        halves
            .skip((first >> 16) as usize)
            .take_while(move |(high, _)| *high <= last >> 16)
            .flat_map(|(high, (from, to))| {
                let range = *from as usize..*to as usize;
                let lows = self.lows.get(range.clone()).unwrap_or_default().iter();
                let answers = self.answers.get(range).unwrap_or_default().iter();
                lows.zip(answers).map(move |(low, answer)| (high << 16 | u32::from(*low), *answer))
            })
            .filter(move |(start, _)| (first..=last).contains(start))
    }
}

/// IPv6 by its upper 64 bits: 16 of them lead to a page, and as many more as the page has use for to the breakpoints.
#[derive(Debug, Default)]
struct V6 {
    pages: Vec<Page>,
    slots: Vec<u32>,
    starts: Vec<u64>,
    answers: Vec<Answer>,
}

/// Where the slots of a page begin, and how far the rest of an address is shifted to count them.
#[derive(Debug, Clone, Copy)]
struct Page {
    slot: u32,
    shift: u32,
}

impl V6 {
    fn of(stretches: &[(u64, Answer)]) -> V6 {
        let mut table = V6 {
            starts: stretches.iter().map(|(start, _)| *start).collect(),
            answers: stretches.iter().map(|(_, answer)| *answer).collect(),
            ..V6::default()
        };
        let mut rest = table.starts.as_slice();
        let mut at = 0_usize;
        for high in 0..=u64::from(u16::MAX) {
            let inside = rest.iter().take_while(|start| *start >> 48 == high).count();
            let bits = usize::BITS.saturating_sub(inside.leading_zeros()).clamp(1, 16);
            let shift = 64_u32.saturating_sub(bits);
            table.pages.push(Page {
                slot: u32::try_from(table.slots.len()).unwrap_or(u32::MAX),
                shift,
            });
            for slot in 0..1_u64 << bits {
                table.slots.push(u32::try_from(at).unwrap_or(u32::MAX));
                let own = rest
                    .iter()
                    .take_while(|start| *start >> 48 == high && (*start << 16) >> shift == slot)
                    .count();
                rest = rest.get(own..).unwrap_or_default();
                at = at.saturating_add(own);
            }
        }
        table.slots.push(u32::try_from(at).unwrap_or(u32::MAX));
        table
    }

    fn at(&self, key: u64) -> Option<Answer> {
        let page = self.pages.get((key >> 48) as usize)?;
        let slot = (page.slot as usize).saturating_add(((key << 16) >> page.shift) as usize);
        let [from, to] = *self.slots.get(slot..)?.first_chunk()?;
        let starts = self.starts.get(from as usize..to as usize)?;
        let after = (from as usize).saturating_add(starts.partition_point(|start| *start <= key));
        self.answers.get(after.checked_sub(1)?).copied()
    }

    /// The breakpoints from `first` to `last`.
    fn between(&self, first: u64, last: u64) -> impl Iterator<Item = (u64, Answer)> + '_ {
        let from = self.starts.partition_point(|start| *start < first);
        let all = self.starts.iter().zip(&self.answers).skip(from);
        all.take_while(move |(start, _)| **start <= last)
            .map(|(start, answer)| (*start, *answer))
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
        let edges = stretches.v4.between(0x0800_0000, 0x0a00_0000).map(|(start, _)| start);
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
        let edges6 = stretches.v6.between(0x2a00 << 48, 0x2a01 << 48).map(|(start, _)| start).step_by(50);
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
