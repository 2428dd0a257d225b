//! Owns look-up in sorted breakpoints: from this address on, this value. Refuses to know what a value means.

use std::{net::Ipv6Addr, sync::OnceLock};

use super::columns::{Asked, Blocks, ColumnError, leb128};

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

/// The part of an IPv6 address the sets tell apart: its upper 64 bits.
pub fn upper(address: Ipv6Addr) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = address.octets();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// What the keys of a family are like.
pub trait Key: Copy + Ord + Into<u64> + 'static {
    /// Bits of a key behind its first sixteen.
    const BEHIND: u32;
    /// Bits that are nearly always clear: steps of whole /24s of IPv4 and /48s of IPv6 are written without them.
    const WHOLE: u32;
    /// The key of that number.
    fn of(number: u64) -> Option<Self>;
}

impl Key for u32 {
    const BEHIND: u32 = 16;
    const WHOLE: u32 = 8;

    fn of(number: u64) -> Option<Self> {
        u32::try_from(number).ok()
    }
}

impl Key for u64 {
    const BEHIND: u32 = 48;
    const WHOLE: u32 = 16;

    fn of(number: u64) -> Option<Self> {
        Some(number)
    }
}

/// A table of breakpoints in blocks. Few questions are answered by a block each; then the whole is kept.
#[derive(Debug)]
pub struct Table<K, V> {
    blocks: Blocks,
    /// Reads the values of a block.
    values: fn(&[u8]) -> Vec<V>,
    asked: Asked,
    whole: OnceLock<Points<K, V>>,
}

impl<K: Key, V: Copy> Table<K, V> {
    /// Of a file, with what reads the values in it.
    pub fn read(file: &'static [u8], values: fn(&[u8]) -> Vec<V>) -> Result<Self, ColumnError> {
        Ok(Table {
            blocks: Blocks::read(file)?,
            values,
            asked: Asked::default(),
            whole: OnceLock::new(),
        })
    }

    /// A column that all blocks share.
    pub fn shared(&self, index: usize) -> Result<&[u8], ColumnError> {
        self.blocks.shared(index)
    }

    /// The value of the last breakpoint at or before `key`.
    pub fn at(&self, key: K) -> Option<V> {
        if self.whole.get().is_none() && self.asked.is_rare() {
            let (first, block) = self.blocks.around(key.into())?;
            let block = block.ok()?;
            let after = sums::<K>(first, block.column(0).ok()?).take_while(|start| *start <= key).count();
            return (self.values)(block.column(1).ok()?).get(after.checked_sub(1)?).copied();
        }
        self.whole().at(key)
    }

    /// All of it.
    pub fn whole(&self) -> &Points<K, V> {
        self.whole.get_or_init(|| {
            let (mut starts, mut values) = (Vec::new(), Vec::new());
            // An embedded file cannot be broken at run time: a test decodes every one.
            for (first, block) in self.blocks.all() {
                if let Ok(block) = block {
                    starts.extend(sums::<K>(first, block.column(0).unwrap_or_default()));
                    values.extend((self.values)(block.column(1).unwrap_or_default()));
                }
            }
            Points::new(starts, values, K::BEHIND)
        })
    }
}

/// The keys of a block, from its first: steps of whole prefixes have a cleared low bit.
fn sums<K: Key>(first: u64, column: &[u8]) -> impl Iterator<Item = K> + '_ {
    let shift = K::WHOLE;
    let all = leb128(column).scan(first, move |at, coded| {
        let delta = match coded & 1 {
            0 => (coded >> 1).checked_shl(shift)?,
            _ => coded >> 1,
        };
        *at = at.checked_add(delta)?;
        Some(*at)
    });
    all.map_while(K::of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_says_what_the_whole_says() {
        let file = include_bytes!("../../../../packs/parties/registration/v6.bin");
        let read = || Table::<u64, u8>::read(file, <[u8]>::to_vec).unwrap();
        let known = read();
        let whole = known.whole();
        assert!(whole.len() > 10_000 && whole.is_sound());
        let edges = whole.starts().iter().step_by(997).chain(whole.starts().last());
        let keys: Vec<u64> = edges
            .flat_map(|start| [start.wrapping_sub(1), *start, *start + 1])
            .chain([0, u64::MAX])
            .collect();
        let mut rare = 0;
        for key in keys {
            // Each time a table that was never asked: it answers by its block.
            let fresh = read();
            assert_eq!(fresh.at(key), whole.at(key), "{key:016x}");
            rare += usize::from(fresh.whole.get().is_none());
        }
        assert!(rare > 100, "{rare} were answered without the whole");
        let often = read();
        (0..100).for_each(|_| assert_eq!(often.at(0x2a00 << 48), whole.at(0x2a00 << 48)));
        assert!(often.whole.get().is_some(), "what is asked often is kept");
    }

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
        assert_eq!(Points::<u32, u8>::new(Vec::new(), Vec::new(), 16).at(7), None);
    }
}
