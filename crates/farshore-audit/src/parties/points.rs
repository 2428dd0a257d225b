//! Owns look-up in sorted breakpoints: from this address on, this value. Refuses to know what a value means.

use std::net::Ipv6Addr;

use super::columns::leb128;

/// Breakpoints of one family. Value 0 means that nothing is said.
#[derive(Debug)]
pub struct Points<K, V> {
    starts: Vec<K>,
    values: Vec<V>,
    /// How many breakpoints come before each value of the key's first sixteen bits: a look-up searches one such part.
    before: Vec<u32>,
    /// Bits of a key behind its first sixteen.
    shift: u32,
}

/// Values of sixteen bits.
const PARTS: u64 = 1 << 16;

impl<K: Copy + Ord + Into<u64>, V: Copy> Points<K, V> {
    fn new(starts: Vec<K>, values: Vec<V>, shift: u32) -> Self {
        let mut at = 0_u32;
        let mut all = starts.iter().peekable();
        let before = (0..=PARTS).map(|part| {
            while all.next_if(|start| ((**start).into() >> shift) < part).is_some() {
                at = at.saturating_add(1);
            }
            at
        });
        Points {
            before: before.collect(),
            starts,
            values,
            shift,
        }
    }

    /// The value of the last breakpoint at or before `key`.
    pub fn at(&self, key: K) -> Option<V> {
        let part = usize::try_from(key.into() >> self.shift).ok()?;
        let mut ends = self.before.get(part..)?.iter().map(|end| *end as usize);
        let (first, end) = (ends.next()?, ends.next()?);
        let after = self.starts.get(first..end)?.partition_point(|start| *start <= key);
        self.values.get(first.saturating_add(after).checked_sub(1)?).copied()
    }

    /// The breakpoints themselves.
    pub fn starts(&self) -> &[K] {
        &self.starts
    }

    /// The value from the breakpoint of that place on.
    pub fn value(&self, index: usize) -> Option<V> {
        self.values.get(index).copied()
    }

    /// How many breakpoints there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.starts.len().min(self.values.len())
    }

    /// Sorted, without repeats, one value each: what every file must be.
    #[cfg(test)]
    pub fn is_sound(&self) -> bool {
        self.starts.len() == self.values.len() && self.starts.is_sorted_by(|one, other| one < other)
    }
}

impl<K, V> Default for Points<K, V> {
    fn default() -> Self {
        Points {
            starts: Vec::new(),
            values: Vec::new(),
            before: Vec::new(),
            shift: 0,
        }
    }
}

/// The part of an IPv6 address the sets tell apart: its upper 64 bits.
pub fn upper(address: Ipv6Addr) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = address.octets();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// IPv4 breakpoints: deltas of whole /24s have a cleared low bit.
pub fn v4<V: Copy>(starts: &[u8], values: Vec<V>) -> Points<u32, V> {
    let starts = sums(starts, 8).map_while(|start| u32::try_from(start).ok());
    Points::new(starts.collect(), values, 16)
}

/// IPv6 breakpoints: deltas of whole /48s have a cleared low bit.
pub fn v6<V: Copy>(starts: &[u8], values: Vec<V>) -> Points<u64, V> {
    Points::new(sums(starts, 16).collect(), values, 48)
}

fn sums(column: &[u8], shift: u32) -> impl Iterator<Item = u64> + '_ {
    leb128(column).scan(0_u64, move |at, coded| {
        let delta = match coded & 1 {
            0 => (coded >> 1).checked_shl(shift)?,
            _ => coded >> 1,
        };
        *at = at.checked_add(delta)?;
        Some(*at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_up_finds_the_last_breakpoint_before() {
        let starts: Vec<u32> = vec![0x0000_0100, 0x0001_0000, 0x0001_0001, 0x0101_ffff, 0xffff_ff00];
        let values = [1, 2, 3, 4, 5];
        let points = Points::new(starts.clone(), values.to_vec(), 16);
        for key in starts
            .iter()
            .flat_map(|start| [start.wrapping_sub(1), *start, start.wrapping_add(1)])
            .chain([0, u32::MAX])
        {
            let wanted = starts.iter().zip(values).rfind(|(start, _)| **start <= key);
            assert_eq!(points.at(key), wanted.map(|(_, value)| value), "{key:08x}");
        }
        assert_eq!(Points::<u32, u8>::default().at(7), None);
    }
}
