//! What need not wait for each other, done side by side where there may be several threads. What comes out is the same in one.
//! It refuses to share anything that is written to: each side has its own.

use std::panic::resume_unwind;
use std::thread;

/// Items of a range, under which a thread of its own is not worth it.
const WORTH: usize = 1 << 10;

/// Both of them.
pub(crate) fn both<A, B: Send>(jobs: usize, one: impl FnOnce() -> A, other: impl FnOnce() -> B + Send) -> (A, B) {
    if jobs < 2 {
        return (one(), other());
    }
    thread::scope(|scope| {
        let other = scope.spawn(other);
        let one = one();
        (one, other.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// Each of them, in ranges. `with` makes what each range is worked on with.
pub(crate) fn each<T: Send, W>(jobs: usize, all: &mut [T], with: impl Fn() -> W + Sync, work: impl Fn(&mut W, &mut T) + Sync) {
    let range = |items: &mut [T]| {
        let mut own = with();
        items.iter_mut().for_each(|it| work(&mut own, it));
    };
    let size = all.len().div_ceil(jobs.max(1)).max(WORTH);
    let mut ranges = all.chunks_mut(size);
    let Some(first) = ranges.next() else { return };
    // A panic goes on where the scope ends.
    thread::scope(|scope| {
        for it in ranges {
            scope.spawn(|| range(it));
        }
        range(first);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_out_is_the_same_in_any_number_of_threads() {
        for jobs in [0, 1, 2, 5] {
            assert_eq!(both(jobs, || 7, || "eight"), (7, "eight"));
            for count in [0, 1, WORTH, WORTH + 1, 9 * WORTH + 3] {
                let mut all: Vec<usize> = (0..count).collect();
                each(jobs, &mut all, || 3, |by, it| *it *= *by);
                assert!(all.iter().copied().eq((0..count).map(|it| it * 3)), "{count} in {jobs}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "here")]
    fn a_panic_goes_on() {
        both(2, || (), || panic!("here"));
    }
}
