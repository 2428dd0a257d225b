//! Ways to put captures into groups, and how many such ways there are. It refuses to know what a group means.

use std::collections::BTreeMap;

/// Captures by group: equal numbers, one group; `None`: of this capture it is not known. Groups are numbered in the order in
/// which they come up, so equal partitions are equal lists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Partition(Vec<Option<u32>>);

impl Partition {
    /// Captures with equal keys are one group.
    pub(super) fn of<K: Ord>(keys: impl IntoIterator<Item = Option<K>>) -> Self {
        let mut numbers: BTreeMap<K, u32> = BTreeMap::new();
        let number = |key: K| {
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            *numbers.entry(key).or_insert(next)
        };
        let mut number = number;
        Self(keys.into_iter().map(|key| key.map(&mut number)).collect())
    }

    /// The group of each capture.
    pub(super) fn groups(&self) -> &[Option<u32>] {
        &self.0
    }

    /// The same, known only where `other` and the chosen captures are.
    pub(super) fn within(&self, other: &Self, chosen: impl Fn(usize) -> bool) -> Self {
        let both = self.0.iter().zip(&other.0).enumerate();
        Self::of(both.map(|(at, (mine, theirs))| mine.filter(|_| theirs.is_some() && chosen(at))))
    }

    /// Captures of which it is known.
    pub(super) fn known(&self) -> usize {
        self.0.iter().flatten().count()
    }

    /// Different groups.
    pub(super) fn distinct(&self) -> usize {
        self.sizes().len()
    }

    /// Whether captures of one group here are of one group there, as far as both are known.
    pub(super) fn refines(&self, coarser: &Self) -> bool {
        let mut there: BTreeMap<u32, u32> = BTreeMap::new();
        let both = self.0.iter().zip(&coarser.0).filter_map(|(a, b)| (*a).zip(*b));
        both.into_iter()
            .all(|(fine, coarse)| *there.entry(fine).or_insert(coarse) == coarse)
    }

    /// Whether both put the captures they both know into the same groups.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        self.refines(other) && other.refines(self)
    }

    /// Sizes of the groups, sorted.
    pub(super) fn sizes(&self) -> Vec<usize> {
        let mut sizes: BTreeMap<u32, usize> = BTreeMap::new();
        for group in self.0.iter().flatten() {
            let size = sizes.entry(*group).or_default();
            *size = size.saturating_add(1);
        }
        let mut sizes: Vec<usize> = sizes.into_values().collect();
        sizes.sort_unstable();
        sizes
    }

    /// The chance that captures put at random into groups of these sizes come to just this partition: one over the number
    /// of different partitions with groups of these sizes.
    pub(super) fn chance(&self) -> f64 {
        let sizes = self.sizes();
        let mut alike: BTreeMap<usize, usize> = BTreeMap::new();
        let mut ways = ln_factorial(self.known());
        for size in sizes {
            ways -= ln_factorial(size);
            let count = alike.entry(size).or_default();
            *count = count.saturating_add(1);
        }
        // Groups of one size can be exchanged as wholes: that is no other partition.
        for count in alike.into_values() {
            ways -= ln_factorial(count);
        }
        (-ways).exp().min(1.0)
    }
}

/// The logarithm of n!.
#[expect(clippy::cast_precision_loss, reason = "captures are counted, not grains of sand")]
fn ln_factorial(n: usize) -> f64 {
    (2..=n).map(|it| (it as f64).ln()).sum()
}

/// Corrects probabilities for having tried so many hypotheses (Holm 1979): each comes back as it stands after correction, in
/// the order given. Hypotheses that are not listed count as the least probable ones.
#[expect(clippy::cast_precision_loss, reason = "hypotheses are counted")]
pub(super) fn holm(single: &[f64], tried: usize) -> Vec<f64> {
    let mut order: Vec<usize> = (0..single.len()).collect();
    let p = |at: &usize| single.get(*at).copied().unwrap_or(1.0);
    order.sort_by(|a, b| p(a).total_cmp(&p(b)));
    let mut corrected = vec![1.0; single.len()];
    let mut worst: f64 = 0.0;
    for (rank, at) in order.iter().enumerate() {
        worst = worst.max(p(at) * tried.saturating_sub(rank).max(1) as f64).min(1.0);
        if let Some(it) = corrected.get_mut(*at) {
            *it = worst;
        }
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(groups: &str) -> Partition {
        Partition::of(groups.chars().map(|it| (it != '-').then_some(it)))
    }

    #[test]
    fn partitions_are_equal_whatever_their_groups_are_called() {
        assert_eq!(of("aabb-c"), of("xxyy-z"));
        assert_ne!(of("aabb"), of("abab"));
        assert!(of("aabb").agrees(&of("xx-y")) && !of("aabb").agrees(&of("xxxx")));
        assert!(of("abcc").refines(&of("aabb")) && !of("aabb").refines(&of("abcc")));
        assert_eq!(of("aab-").within(&of("-abc"), |at| at != 3), of("-ab-"));
    }

    /// Counted by listing all arrangements of the labels.
    #[test]
    fn chance_is_one_over_the_arrangements() {
        fn arrangements(left: &mut Vec<char>, so_far: &mut String, all: &mut std::collections::BTreeSet<Partition>) {
            if left.is_empty() {
                all.insert(of(so_far));
            }
            for at in 0..left.len() {
                let it = left.remove(at);
                so_far.push(it);
                arrangements(left, so_far, all);
                so_far.pop();
                left.insert(at, it);
            }
        }
        for (labels, expected) in [
            ("aabb", 3),
            ("abcd", 1),
            ("aabc", 6),
            ("aaabbb", 10),
            ("aabbcc", 15),
            ("aabbbc", 60),
        ] {
            let mut all = std::collections::BTreeSet::new();
            arrangements(&mut labels.chars().collect(), &mut String::new(), &mut all);
            assert_eq!(all.len(), expected, "{labels}");
            assert!((of(labels).chance() - 1.0 / expected as f64).abs() < 1e-9, "{labels}");
        }
    }

    #[test]
    fn correction_is_holms() {
        let corrected = holm(&[0.01, 0.001, 0.04], 4);
        for (is, should) in corrected.iter().zip([0.03, 0.004, 0.08]) {
            assert!((is - should).abs() < 1e-12, "{corrected:?}");
        }
        assert_eq!(holm(&[0.9], 3), [1.0]);
    }
}
