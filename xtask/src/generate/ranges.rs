//! Owns the step from address ranges, as their makers publish them, to sorted breakpoints.
//! Refuses to judge a value: what does not map to a known one was dropped before.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use super::columns;

/// One published line: first and last address, and what is said of them.
#[derive(Debug, Clone)]
pub struct Range<V> {
    pub first: u128,
    pub last: u128,
    pub value: V,
}

/// From this address on, up to the next point, this value (`None`: nothing is said).
pub type Point<V> = (u64, Option<V>);

/// IPv4 as it is; of IPv6 the upper 64 bits, since no published set tells hosts of one /64 apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    /// The keys a range covers: for IPv6 every /64 whose first address lies in it.
    fn keys(self, first: u128, last: u128) -> Option<(u64, u64)> {
        let (low, high) = match self {
            Family::V4 => (first, last),
            Family::V6 => (first.div_ceil(1 << 64), last >> 64),
        };
        let (low, high) = (u64::try_from(low).ok()?, u64::try_from(high).ok()?);
        (low <= high).then_some((low, high))
    }

    /// Deltas are nearly always whole /24s or /48s: their low bits are worth one flag.
    fn delta(self, delta: u64) -> Result<u64> {
        let shift = match self {
            Family::V4 => 8,
            Family::V6 => 16,
        };
        if delta & ((1 << shift) - 1) == 0 {
            return Ok((delta >> shift) << 1);
        }
        ensure!(delta < 1 << 63, "two breakpoints lie too far apart");
        Ok(delta << 1 | 1)
    }
}

/// Sorts, lets the narrower of two overlapping ranges win, and merges neighbours that say the same.
pub fn points<V: Clone + PartialEq>(family: Family, ranges: &[Range<V>]) -> Vec<Point<V>> {
    let mut spans: Vec<(u64, u64, &V)> = ranges
        .iter()
        .filter_map(|range| {
            let (low, high) = family.keys(range.first, range.last)?;
            Some((low, high, &range.value))
        })
        .collect();
    spans.sort_by_key(|&(low, high, _)| (low, std::cmp::Reverse(high)));

    let mut points: Vec<Point<V>> = Vec::new();
    let mut put = |at: u64, value: Option<&V>| {
        if points.last().is_some_and(|(last, _)| *last == at) {
            points.pop();
        }
        if points.last().and_then(|(_, said)| said.as_ref()) != value {
            points.push((at, value.cloned()));
        }
    };
    // Ranges still open at the cursor, the outermost first.
    let mut open: Vec<(u64, &V)> = Vec::new();
    for (low, high, value) in spans {
        close_before(&mut open, Some(low), &mut put);
        put(low, Some(value));
        open.push((high, value));
    }
    close_before(&mut open, None, &mut put);
    points
}

/// Ends the open ranges that end before `limit`; the one around each takes over again.
fn close_before<'v, V>(open: &mut Vec<(u64, &'v V)>, limit: Option<u64>, put: &mut impl FnMut(u64, Option<&'v V>)) {
    while let Some(&(end, _)) = open.last() {
        if limit.is_some_and(|limit| end >= limit) {
            return;
        }
        open.pop();
        // An enclosing range that ended meanwhile says nothing of what follows.
        while open.last().is_some_and(|&(outer, _)| outer <= end) {
            open.pop();
        }
        if let Some(next) = end.checked_add(1)
            && limit != Some(next)
        {
            put(next, open.last().map(|&(_, value)| value));
        }
    }
}

/// Column of starts, of a block: LEB128 of what lies between two breakpoints, and before the first nothing.
pub fn starts<V>(family: Family, points: &[Point<V>]) -> Result<Vec<u8>> {
    let mut column = Vec::new();
    let mut before = points.first().map_or(0, |(at, _)| *at);
    for (at, _) in points {
        columns::leb128(&mut column, family.delta(at - before)?);
        before = *at;
    }
    Ok(column)
}

/// Values by how often they occur, then by themselves: frequent ones get short numbers.
pub fn ranked<V: Clone + Ord>(points: &[Point<V>]) -> Vec<V> {
    let mut counts: BTreeMap<&V, usize> = BTreeMap::new();
    for value in points.iter().filter_map(|(_, value)| value.as_ref()) {
        *counts.entry(value).or_default() += 1;
    }
    let mut ranked: Vec<_> = counts.into_iter().collect();
    ranked.sort_by_key(|&(value, count)| (std::cmp::Reverse(count), value));
    ranked.into_iter().map(|(value, _)| value.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u128, last: u128, value: &str) -> Range<&str> {
        Range { first, last, value }
    }

    #[test]
    fn the_narrower_range_wins_and_gaps_stay_gaps() {
        let made = points(Family::V4, &[range(0, 99, "DE"), range(10, 19, "FR"), range(200, 299, "DE")]);
        let wanted = vec![
            (0, Some("DE")),
            (10, Some("FR")),
            (20, Some("DE")),
            (100, None),
            (200, Some("DE")),
            (300, None),
        ];
        assert_eq!(made, wanted);
    }

    #[test]
    fn neighbours_that_agree_are_one() {
        let made = points(Family::V4, &[range(0, 9, "DE"), range(10, 19, "DE")]);
        assert_eq!(made, vec![(0, Some("DE")), (20, None)]);
    }

    #[test]
    fn two_ranges_that_cross_never_leave_a_stale_value() {
        let made = points(Family::V4, &[range(0, 9, "DE"), range(5, 14, "FR")]);
        assert_eq!(made, vec![(0, Some("DE")), (5, Some("FR")), (15, None)]);
    }

    #[test]
    fn a_range_inside_one_64_is_not_widened_to_it() {
        let made = points(Family::V6, &[range((7 << 64) + 1, (7 << 64) + 9, "DE")]);
        assert_eq!(made, vec![]);
    }
}
