//! Connections that come round by the clock: what a program sends whether or not anybody asks it to. Told of a destination when one
//! client begins connections to it at intervals that chance does not explain; the period is the median interval, the jitter the median
//! distance from it. Refuses to see a rhythm inside a connection, and to say what it is for.
//!
//! The null that is to be ruled out are beginnings without memory (a Poisson process): of their intervals one in fourteen lies within a
//! tenth of the median, whatever the rate (exp(-0.9 ln 2) - exp(-1.1 ln 2) = 0.069). Counted are one in ten, as the median is taken from
//! the same intervals.

use std::collections::BTreeMap;
use std::net::IpAddr;

use farshore_model::party::Rhythm;
use farshore_model::{Flow, FlowId, InputId, Rows};

/// Beginnings closer than this are one visit: programs open several connections at once.
const VISIT: u64 = 1_000_000_000;
/// Fewer intervals rule out nothing.
const LEAST: usize = 7;
/// The share of intervals within a tenth of the median that chance is granted.
const BY_CHANCE: f64 = 0.1;
/// No more likely than this is no accident; shared out among all that are asked about.
const RARE: f64 = 1e-6;

/// The rhythm of the flows to one destination, out of `asked` destinations.
pub fn rhythm(flows: &Rows<Flow>, ids: &[FlowId], asked: usize) -> Option<Rhythm> {
    if ids.len() <= LEAST {
        return None;
    }
    let mut begun: BTreeMap<(InputId, IpAddr), Vec<u64>> = BTreeMap::new();
    for flow in ids.iter().filter_map(|id| flows.get(id.0 as usize)) {
        if let Some(first) = flow.first.and_then(|it| u64::try_from(it.as_nanos()).ok()) {
            begun.entry((flow.input, flow.client.ip)).or_default().push(first);
        }
    }
    let rarest = RARE / asked.max(1) as f64 / begun.len().max(1) as f64;
    let all = begun.into_values().filter_map(|begun| regular(begun, rarest));
    all.max_by_key(|it| it.times)
}

fn regular(mut begun: Vec<u64>, rarest: f64) -> Option<Rhythm> {
    begun.sort_unstable();
    begun.dedup_by(|later, earlier| later.saturating_sub(*earlier) < VISIT);
    let mut intervals: Vec<u64> = begun
        .iter()
        .zip(begun.iter().skip(1))
        .map(|(one, next)| next.saturating_sub(*one))
        .collect();
    if intervals.len() < LEAST {
        return None;
    }
    let period = median(&mut intervals)?;
    let mut off: Vec<u64> = intervals.iter().map(|it| it.abs_diff(period)).collect();
    let near = off.iter().filter(|it| **it <= period / 10).count();
    if at_least(near, intervals.len()) > rarest {
        return None;
    }
    Some(Rhythm {
        period,
        jitter: median(&mut off)?,
        times: begun.len() as u64,
    })
}

fn median(all: &mut [u64]) -> Option<u64> {
    all.sort_unstable();
    all.get(all.len() / 2).copied()
}

/// How likely chance puts so many of all intervals near the median: the tail of a binomial distribution.
fn at_least(near: usize, of: usize) -> f64 {
    let odds = BY_CHANCE / (1.0 - BY_CHANCE);
    // The logarithm of the first term, none near: it does not vanish however many there are.
    let mut term = of as f64 * (1.0 - BY_CHANCE).ln();
    let mut tail = 0.0;
    for number in 0..=of {
        if number >= near {
            tail += term.exp();
        }
        term += (odds * (of.saturating_sub(number)) as f64 / (number.saturating_add(1)) as f64).ln();
    }
    tail
}

#[cfg(test)]
mod tests {
    use super::{at_least, regular};

    const SECOND: u64 = 1_000_000_000;

    /// Numbers that look like chance.
    fn noise(seed: u64) -> impl Iterator<Item = f64> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        std::iter::from_fn(move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            Some((state >> 11) as f64 / (1_u64 << 53) as f64)
        })
    }

    #[test]
    fn what_comes_every_minute_is_told() {
        let every = |seed| {
            let mut at = 1_700_000_000 * SECOND;
            let mut off = noise(seed);
            (0..20)
                .map(|_| {
                    at += 60 * SECOND;
                    at + (off.next().unwrap() * 2e9) as u64
                })
                .collect::<Vec<_>>()
        };
        for seed in 1..50 {
            let it = regular(every(seed), 1e-9).unwrap();
            assert!(it.period.abs_diff(60 * SECOND) < SECOND && it.jitter < 2 * SECOND, "{it:?}");
            assert_eq!(it.times, 20);
        }
        // Several connections a visit, and one visit that was missed.
        let mut visits: Vec<u64> = every(7).into_iter().flat_map(|it| [it, it + SECOND / 5]).collect();
        visits.drain(8..10);
        assert_eq!(regular(visits, 1e-6).map(|it| it.times), Some(19));
    }

    #[test]
    fn chance_has_no_rhythm() {
        let mut told = 0;
        for seed in 1..4_000 {
            let mut at = 0.0;
            let begun = noise(seed).take(8 + seed as usize % 60).map(|it| {
                at += -30.0 * (1.0 - it).ln();
                (at * 1e9) as u64
            });
            told += usize::from(regular(begun.collect(), 1e-6).is_some());
        }
        assert_eq!(told, 0);
        // Too few, however regular.
        assert_eq!(regular((0..6).map(|it| it * 60 * SECOND).collect(), 1.0), None);
    }

    #[test]
    fn the_tail_is_the_binomial_one() {
        assert!((at_least(0, 9) - 1.0).abs() < 1e-12);
        assert!((at_least(7, 7) - 1e-7).abs() < 1e-15);
        // 1 - 0.9^3
        assert!((at_least(1, 3) - 0.271).abs() < 1e-12);
    }
}
