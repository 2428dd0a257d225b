//! Packets of a source that are kept, one behind the other: hundreds of a source, of thousands of sources. It owns where they stand, and
//! refuses to decide which are kept.

/// Bytes of the extended sequence number and of the length that each stands behind.
const NUMBER: usize = size_of::<u64>();
const LENGTH: usize = size_of::<u32>();

/// Packets of the length of its first that a block has room for: as many as there were before, within these bounds.
const FEWEST: usize = 4;
const MOST: usize = 16;

/// A packet, by its number.
pub type Numbered<'a> = (u64, &'a [u8]);

/// Packets in the order in which they were kept. A source sends packets of much the same length, so that blocks are filled without a rest.
#[derive(Debug, Default)]
pub struct Packets {
    blocks: Vec<Vec<u8>>,
    count: usize,
}

impl Packets {
    /// Adds one behind the others.
    pub fn push(&mut self, number: u64, bytes: &[u8]) {
        let Ok(length) = u32::try_from(bytes.len()) else { return };
        let room = bytes.len().saturating_add(NUMBER).saturating_add(LENGTH);
        let has_room = |block: &Vec<u8>| block.capacity().saturating_sub(block.len()) >= room;
        if !self.blocks.last().is_some_and(has_room) {
            self.blocks
                .push(Vec::with_capacity(room.saturating_mul(self.count.clamp(FEWEST, MOST))));
        }
        if let Some(block) = self.blocks.last_mut() {
            block.extend_from_slice(&number.to_le_bytes());
            block.extend_from_slice(&length.to_le_bytes());
            block.extend_from_slice(bytes);
            self.count = self.count.saturating_add(1);
        }
    }

    /// No more are added.
    pub fn close(&mut self) {
        self.blocks.shrink_to_fit();
        if let Some(block) = self.blocks.last_mut() {
            block.shrink_to_fit();
        }
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// All of them.
    pub fn iter(&self) -> Iter<'_> {
        Iter {
            blocks: self.blocks.iter(),
            rest: &[],
        }
    }
}

/// The packets of a [list](Packets).
#[derive(Clone)]
pub struct Iter<'a> {
    blocks: std::slice::Iter<'a, Vec<u8>>,
    rest: &'a [u8],
}

impl<'a> Iterator for Iter<'a> {
    type Item = Numbered<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            self.rest = self.blocks.next()?;
        }
        let (number, rest) = self.rest.split_first_chunk::<NUMBER>()?;
        let (length, rest) = rest.split_first_chunk::<LENGTH>()?;
        let (packet, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        self.rest = rest;
        Some((u64::from_le_bytes(*number), packet))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_back_as_they_went_in() {
        let mut packets = Packets::default();
        let all: Vec<(u64, Vec<u8>)> = (0..300_u64)
            .map(|it| (it << 30 | it, vec![it as u8; (it % 7 * 200) as usize]))
            .collect();
        for (number, (it, bytes)) in all.iter().enumerate() {
            assert_eq!(packets.len(), number);
            packets.push(*it, bytes);
        }
        packets.close();
        assert!(packets.iter().eq(all.iter().map(|(number, bytes)| (*number, &bytes[..]))));
        packets.push(7, b"behind");
        assert_eq!(packets.iter().last(), Some((7, &b"behind"[..])));
    }

    #[test]
    fn packets_of_one_length_leave_no_room() {
        let mut packets = Packets::default();
        (0..(4 + 4 + 8 + 16 * 3)).for_each(|it| packets.push(it, &[0; 160]));
        assert_eq!(packets.blocks.iter().map(Vec::capacity).sum::<usize>(), packets.len() * 172);
    }
}
