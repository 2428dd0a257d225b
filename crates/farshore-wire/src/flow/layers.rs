//! Lists of names that millions of flows have in common, such as the layers crossed to a reader, each kept once. It owns no order and
//! tells nobody what it has: a list is looked up by its names alone.

use std::sync::Arc;

use ahash::RandomState;
use hashbrown::HashTable;

/// Lists that are kept to be shared: tunnels in tunnels make many. Others stand for themselves.
const MOST: usize = 1 << 12;

/// The lists so far.
#[derive(Default)]
pub(crate) struct Layers {
    known: HashTable<Arc<[&'static str]>>,
    hashes: RandomState,
    /// Room to put one together.
    names: Vec<&'static str>,
}

impl Layers {
    /// The list of these.
    pub(crate) fn of(&mut self, names: impl IntoIterator<Item = &'static str>) -> Arc<[&'static str]> {
        self.names.clear();
        self.names.extend(names);
        let (names, hashes) = (&*self.names, &self.hashes);
        let hash = hashes.hash_one(names);
        if let Some(known) = self.known.find(hash, |it| **it == *names) {
            return Arc::clone(known);
        }
        let list: Arc<[&'static str]> = names.into();
        if self.known.len() < MOST {
            self.known.insert_unique(hash, Arc::clone(&list), |it| hashes.hash_one(&**it));
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lists_are_one_until_there_are_too_many() {
        const NAMES: [&str; 4] = ["ip", "gre", "udp", "dns"];
        let mut layers = Layers::default();
        let mut list = |number: usize| layers.of((0..8).map(|digit| NAMES[(number >> (2 * digit)) % NAMES.len()]));
        let first = list(0);
        for number in 0..MOST + 1 {
            let names: Vec<_> = (0..8).map(|digit| NAMES[(number >> (2 * digit)) % NAMES.len()]).collect();
            let (once, again) = (list(number), list(number));
            assert_eq!((&*once, &*again), (&*names, &*names));
            assert_eq!(Arc::ptr_eq(&once, &again), number < MOST, "{number}");
        }
        assert!(Arc::ptr_eq(&first, &list(0)));
    }
}
