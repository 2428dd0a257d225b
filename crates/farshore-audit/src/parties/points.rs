//! Owns look-up in sorted breakpoints: from this address on, this value. Refuses to know what a value means.

use std::net::Ipv6Addr;

use super::columns::leb128;

/// Breakpoints of one family. Value 0 means that nothing is said.
#[derive(Debug)]
pub struct Points<K, V> {
    starts: Vec<K>,
    values: Vec<V>,
}

impl<K: Copy + Ord, V: Copy> Points<K, V> {
    /// The value of the last breakpoint at or before `key`.
    pub fn at(&self, key: K) -> Option<V> {
        let after = self.starts.partition_point(|start| *start <= key);
        self.values.get(after.checked_sub(1)?).copied()
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
        }
    }
}

/// The part of an IPv6 address the sets tell apart: its upper 64 bits.
pub fn upper(address: Ipv6Addr) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = address.octets();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// IPv4 breakpoints: deltas of whole /24s have a cleared low bit.
pub fn v4<V>(starts: &[u8], values: Vec<V>) -> Points<u32, V> {
    let starts = sums(starts, 8).map_while(|start| u32::try_from(start).ok());
    Points {
        starts: starts.collect(),
        values,
    }
}

/// IPv6 breakpoints: deltas of whole /48s have a cleared low bit.
pub fn v6<V>(starts: &[u8], values: Vec<V>) -> Points<u64, V> {
    Points {
        starts: sums(starts, 16).collect(),
        values,
    }
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
