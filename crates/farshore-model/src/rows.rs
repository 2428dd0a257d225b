//! A long list that grows without moving: what millions of flows and facts are kept in.
//!
//! A `Vec` that grows takes room for all it has twice over, copies it, and leaves a hole of the old size behind. Rows are
//! added block by block. It is no map and no queue: rows are numbered from 0, and none is taken out of the middle.

/// Rows of a full block: a few hundred kilobytes of what is kept here.
const BLOCK: usize = 1 << 11;

/// A list in blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows<T> {
    /// All are full but the last.
    blocks: Vec<Vec<T>>,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self { blocks: Vec::new() }
    }
}

impl<T> Rows<T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        let full = self.blocks.len().saturating_sub(1).saturating_mul(BLOCK);
        self.blocks.last().map_or(0, |last| full.saturating_add(last.len()))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Adds a row behind the others.
    pub fn push(&mut self, it: T) {
        match self.blocks.last_mut() {
            Some(last) if last.len() < BLOCK => last.push(it),
            before => {
                // The first block grows as it is needed: most captures are small.
                let mut block = Vec::with_capacity(before.map_or(1, |_| BLOCK));
                block.push(it);
                self.blocks.push(block);
            }
        }
    }

    /// The row of that number.
    pub fn get(&self, at: usize) -> Option<&T> {
        self.blocks.get(at / BLOCK)?.get(at % BLOCK)
    }

    /// The row of that number, to change it.
    pub fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.blocks.get_mut(at / BLOCK)?.get_mut(at % BLOCK)
    }

    /// Has two rows change places.
    pub fn swap(&mut self, a: usize, b: usize) {
        let (block_a, block_b) = (a / BLOCK, b / BLOCK);
        let (a, b) = (a % BLOCK, b % BLOCK);
        if let Ok([block_a, block_b]) = self.blocks.get_disjoint_mut([block_a, block_b]) {
            if let (Some(a), Some(b)) = (block_a.get_mut(a), block_b.get_mut(b)) {
                std::mem::swap(a, b);
            }
        } else if let Some(Ok([a, b])) = self
            .blocks
            .get_mut(block_a)
            .filter(|_| block_a == block_b)
            .map(|it| it.get_disjoint_mut([a, b]))
        {
            std::mem::swap(a, b);
        }
    }

    /// The last row.
    pub fn last(&self) -> Option<&T> {
        self.blocks.last()?.last()
    }

    /// All of them, in order.
    pub fn iter(&self) -> <&Self as IntoIterator>::IntoIter {
        self.blocks.iter().flatten()
    }

    /// All of them, in order, to change them.
    pub fn iter_mut(&mut self) -> <&mut Self as IntoIterator>::IntoIter {
        self.blocks.iter_mut().flatten()
    }
}

impl<'a, T> IntoIterator for &'a Rows<T> {
    type Item = &'a T;
    type IntoIter = std::iter::Flatten<std::slice::Iter<'a, Vec<T>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, T> IntoIterator for &'a mut Rows<T> {
    type Item = &'a mut T;
    type IntoIter = std::iter::Flatten<std::slice::IterMut<'a, Vec<T>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl<T> Extend<T> for Rows<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, more: I) {
        more.into_iter().for_each(|it| self.push(it));
    }
}

impl<T> FromIterator<T> for Rows<T> {
    fn from_iter<I: IntoIterator<Item = T>>(all: I) -> Self {
        let mut rows = Self::default();
        rows.extend(all);
        rows
    }
}

/// Gives each block back when its last row is taken.
impl<T> IntoIterator for Rows<T> {
    type Item = T;
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Vec<T>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.blocks.into_iter().flatten()
    }
}

impl<T> From<Vec<T>> for Rows<T> {
    fn from(all: Vec<T>) -> Self {
        all.into_iter().collect()
    }
}

impl<T> From<Rows<T>> for Vec<T> {
    fn from(rows: Rows<T>) -> Self {
        let mut all = Self::with_capacity(rows.len());
        for block in rows.blocks {
            all.extend(block);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, Rows};

    #[test]
    fn rows_are_what_a_list_would_be() {
        for count in [0, 1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 7] {
            let mut rows = Rows::default();
            for number in 0..count {
                assert_eq!(rows.len(), number);
                rows.push(number);
            }
            assert_eq!(rows.is_empty(), count == 0);
            rows.iter_mut().for_each(|it| *it *= 2);
            if let Some(last) = count.checked_sub(1) {
                assert_eq!(rows.get(last), Some(&(last * 2)));
                rows.get_mut(last).into_iter().for_each(|it| *it += 1);
            }
            assert_eq!(rows.get(count), None);
            assert_eq!(rows.get_mut(count), None);
            assert_eq!(rows.last(), count.checked_sub(1).and_then(|last| rows.get(last)));
            let mut list = (0..count).map(|it| it * 2).collect::<Vec<_>>();
            list.iter_mut().last().into_iter().for_each(|it| *it += 1);
            assert!(rows.iter().eq(&list));
            for (a, b) in [(0, 1), (1, 1), (2, BLOCK), (BLOCK, 2 * BLOCK + 3), (3, 4 * BLOCK)] {
                rows.swap(a, b);
                if a.max(b) < count {
                    list.swap(a, b);
                }
            }
            assert_eq!(Vec::from(rows), list);
        }
    }
}
