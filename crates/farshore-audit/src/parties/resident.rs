//! Owns the form in which merged stretches stay in memory: the number that holds for an address, in two or three reads of it.
//! Refuses to know what a number means.
//!
//! Addresses at random find nothing in the caches of a processor: how many lines of memory a look-up touches is what it costs.

use ahash::HashMap;

/// Numbers are below this; the bit says that a /24 is told address by address.
pub const NUMBERS: u32 = 1 << 31;

/// IPv4: the first 18 bits of an address lead to a block of 64 /24s, and where one of them is split, on to blocks of
/// 64 addresses.
#[derive(Debug, Default)]
pub struct V4 {
    blocks: Vec<Block>,
    /// Four blocks for each /24 that is split.
    split: Vec<Block>,
    numbers: Vec<u32>,
}

/// 64 neighbours: in which of them a stretch begins, and where the number of the first stands.
#[derive(Debug, Clone, Copy, Default)]
struct Block {
    /// Bit *n*: a stretch begins at neighbour *n*. The first bit is set too if one goes on from before.
    begins: u64,
    /// The place of the first number; the others follow it.
    numbers: u32,
}

impl Block {
    /// Where the number that holds for a neighbour stands.
    fn place(self, neighbour: u32) -> Option<usize> {
        let upto = u64::MAX >> 63_u32.saturating_sub(neighbour).min(63);
        let begun = (self.begins & upto).count_ones();
        Some((self.numbers as usize).saturating_add(begun.checked_sub(1)? as usize))
    }
}

impl V4 {
    /// Of stretches in order, each by its first address and its number.
    pub fn of(stretches: &[(u32, u32)]) -> V4 {
        let mut table = V4::default();
        let (mut rest, mut last) = (stretches, None);
        let mut alone = HashMap::default();
        for high in 0..1_u32 << 18 {
            let first = high << 14;
            let inside = taken(&mut rest, first | 0x3fff);
            // (neighbour, what its cell holds): where a stretch begins, or a split /24 lies, or one has just ended.
            let mut cells: Vec<(u32, u32)> = last.map(|number| (0, number)).into_iter().collect();
            let mut rest = inside;
            while let Some((start, _)) = rest.first() {
                let neighbour = start >> 8 & 63;
                let own = taken(&mut rest, start | 0xff);
                let cell = match own {
                    [(start, number)] if start & 0xff == 0 => *number,
                    _ => NUMBERS | table.split(own, last),
                };
                if cells.last().is_some_and(|(before, _)| *before == neighbour) {
                    cells.pop();
                }
                cells.push((neighbour, cell));
                last = own.last().map(|(_, number)| *number);
                // Behind a split /24 its last number goes on.
                if let Some(number) = last.filter(|_| cell >= NUMBERS && neighbour < 63) {
                    cells.push((neighbour.saturating_add(1), number));
                }
            }
            let block = table.block(&cells, &mut alone);
            table.blocks.push(block);
        }
        table
    }

    /// Four blocks for a /24; where they stand, in fours.
    fn split(&mut self, stretches: &[(u32, u32)], mut last: Option<u32>) -> u32 {
        let at = self.split.len() / 4;
        let mut rest = stretches;
        let base = stretches.first().map_or(0, |(start, _)| start & !0xff);
        for quarter in 0..4_u32 {
            let mut cells: Vec<(u32, u32)> = last.map(|number| (0, number)).into_iter().collect();
            for (start, number) in taken(&mut rest, base | quarter << 6 | 63) {
                if cells.last().is_some_and(|(before, _)| *before == start & 63) {
                    cells.pop();
                }
                cells.push((start & 63, *number));
                last = Some(*number);
            }
            let block = self.block(&cells, &mut HashMap::default());
            self.split.push(block);
        }
        u32::try_from(at).unwrap_or(0)
    }

    /// Blocks of one number share its place: most of them are, and then it is found in a cache.
    fn block(&mut self, cells: &[(u32, u32)], alone: &mut HashMap<u32, u32>) -> Block {
        let end = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        let begins = cells
            .iter()
            .fold(0, |sum, (neighbour, _)| sum | 1_u64.checked_shl(*neighbour).unwrap_or(0));
        let numbers = match cells {
            [(_, only)] => *alone.entry(*only).or_insert(end),
            _ => end,
        };
        if numbers == end {
            self.numbers.extend(cells.iter().map(|(_, number)| *number));
        }
        Block { begins, numbers }
    }

    /// The number that holds for an address.
    pub fn at(&self, key: u32) -> Option<u32> {
        let block = self.blocks.get((key >> 14) as usize)?;
        let cell = *self.numbers.get(block.place(key >> 8 & 63)?)?;
        if cell < NUMBERS {
            return Some(cell);
        }
        let block = self.quarter(cell, key >> 6 & 3)?;
        self.numbers.get(block.place(key & 63)?).copied()
    }

    fn quarter(&self, cell: u32, quarter: u32) -> Option<Block> {
        let at = ((cell & !NUMBERS) as usize).saturating_mul(4).saturating_add(quarter as usize);
        self.split.get(at).copied()
    }

    /// Where numbers change from `first` to `last`.
    pub fn between(&self, first: u32, last: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let mut before = None;
        let blocks = (0_u32..).zip(&self.blocks).skip((first >> 14) as usize);
        blocks
            .take_while(move |(high, _)| *high <= last >> 14)
            .flat_map(|(high, block)| self.cells(*block).map(move |(at, cell)| (high << 14 | at << 8, cell)))
            .flat_map(move |(start, cell)| {
                let whole = (cell < NUMBERS).then_some((start, cell));
                let parts = (0..4).filter(move |_| cell >= NUMBERS).flat_map(move |quarter| {
                    let cells = self.quarter(cell, quarter).into_iter().flat_map(|block| self.cells(block));
                    cells.map(move |(at, number)| (start | quarter << 6 | at, number))
                });
                whole.into_iter().chain(parts)
            })
            .filter(move |(start, number)| (first..=last).contains(start) && before.replace(*number) != Some(*number))
    }

    fn cells(&self, block: Block) -> impl Iterator<Item = (u32, u32)> + '_ {
        let begun = (0..64_u32).filter(move |at| block.begins.checked_shr(*at).is_some_and(|bits| bits & 1 == 1));
        begun.filter_map(move |at| Some((at, *self.numbers.get(block.place(at)?)?)))
    }
}

/// Cuts off what begins at or before `last`.
fn taken<'a>(rest: &mut &'a [(u32, u32)], last: u32) -> &'a [(u32, u32)] {
    let own = rest.iter().take_while(|(start, _)| *start <= last).count();
    let (own, others) = rest.split_at_checked(own).unwrap_or_default();
    *rest = others;
    own
}

/// IPv6 by its upper 64 bits: 16 of them lead to a page, and as many more as the page has use for to the breakpoints.
#[derive(Debug, Default)]
pub struct V6 {
    pages: Vec<Page>,
    slots: Vec<u32>,
    starts: Vec<u64>,
    numbers: Vec<u32>,
}

/// Where the slots of a page begin, and how far the rest of an address is shifted to count them.
#[derive(Debug, Clone, Copy)]
struct Page {
    slot: u32,
    shift: u32,
}

impl V6 {
    /// Of stretches in order, each by its first upper half and its number.
    pub fn of(stretches: &[(u64, u32)]) -> V6 {
        let mut table = V6 {
            starts: stretches.iter().map(|(start, _)| *start).collect(),
            numbers: stretches.iter().map(|(_, number)| *number).collect(),
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

    /// The number that holds for an address.
    pub fn at(&self, key: u64) -> Option<u32> {
        let page = self.pages.get((key >> 48) as usize)?;
        let slot = (page.slot as usize).saturating_add(((key << 16) >> page.shift) as usize);
        let [from, to] = *self.slots.get(slot..)?.first_chunk()?;
        let starts = self.starts.get(from as usize..to as usize)?;
        let after = (from as usize).saturating_add(starts.partition_point(|start| *start <= key));
        self.numbers.get(after.checked_sub(1)?).copied()
    }

    /// The breakpoints from `first` to `last`.
    pub fn between(&self, first: u64, last: u64) -> impl Iterator<Item = (u64, u32)> + '_ {
        let from = self.starts.partition_point(|start| *start < first);
        let all = self.starts.iter().zip(&self.numbers).skip(from);
        all.take_while(move |(start, _)| **start <= last)
            .map(|(start, number)| (*start, *number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_has_the_number_of_the_last_stretch_before_it() {
        // Whole blocks, ends of blocks, /24s split at either end, single addresses, and the last of all.
        let starts = [
            0,
            0x4000,
            0x4100,
            0x7f00,
            0x7fff,
            0x8000,
            0x8001,
            0x80ff,
            0x8200,
            0x8240,
            0xbfc0,
            0xc000,
            0x0100_0000,
            0x0100_3f80,
            0x0100_4000,
            0xffff_ff00,
            0xffff_fffe,
            0xffff_ffff,
        ];
        let stretches: Vec<(u32, u32)> = starts.into_iter().zip(100..).collect();
        let table = V4::of(&stretches);
        let around = |start: u32, by: u32| [start.wrapping_sub(by), start.wrapping_add(by)];
        let keys = starts
            .iter()
            .flat_map(|start| [0, 1, 63, 64, 255, 256, 0x3fff, 0x4000].map(|by| around(*start, by)));
        for key in keys.flatten() {
            let wanted = stretches.iter().rfind(|(start, _)| *start <= key).map(|(_, number)| *number);
            assert_eq!(table.at(key), wanted, "{key:08x}");
        }
        let mut told: Vec<(u32, u32)> = table.between(0, u32::MAX).collect();
        assert!(told.is_sorted());
        told.dedup_by_key(|(_, number)| *number);
        assert_eq!(told, stretches);
        let inside: Vec<u32> = table.between(0x8000, 0x81ff).map(|(start, _)| start).collect();
        assert!(
            inside.contains(&0x80ff) && inside.iter().all(|it| (0x8000..=0x81ff).contains(it)),
            "{inside:x?}"
        );
    }

    #[test]
    fn before_the_first_stretch_there_is_no_number() {
        let table = V4::of(&[(0x0100_0102, 7)]);
        for (key, wanted) in [
            (0, None),
            (0x0100_0101, None),
            (0x0100_0102, Some(7)),
            (0x0100_0200, Some(7)),
            (u32::MAX, Some(7)),
        ] {
            assert_eq!(table.at(key), wanted, "{key:08x}");
        }
        assert_eq!((V4::default().at(1), V6::default().at(1)), (None, None));
    }
}
