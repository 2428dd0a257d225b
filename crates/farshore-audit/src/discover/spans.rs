//! Places at fixed positions of undocumented messages: which spans can be compared at all, and where the span ends that
//! carries a value. It refuses to guess a meaning.

use std::ops::Range;

use super::partition::Partition;
use super::places::Matrix;

/// Widths a value may have, as numbers and as the usual lengths of ids.
const WIDTHS: [usize; 8] = [2, 4, 6, 8, 12, 16, 20, 32];
/// A run of bytes longer than this is text or cipher, of which the first so many say enough.
const LONGEST: usize = 64;

/// All spans in which each capture has one value, and not all the same one. How many were looked at comes with them.
pub(super) fn steady(matrix: &Matrix<'_>) -> (u64, Vec<Partition>) {
    let (mut looked, mut found) = (0_u64, Vec::new());
    for start in 0..matrix.len() {
        for width in WIDTHS {
            let range = start..start.saturating_add(width);
            if range.end > matrix.len() {
                break;
            }
            looked = looked.saturating_add(1);
            if !matrix.is_steady(range.clone()) {
                break;
            }
            let partition = matrix.partition(&range);
            if partition.distinct() > 1 {
                found.push(partition);
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    (looked, found)
}

/// What one byte is, seen from a partition of the captures.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The same in all captures.
    Constant,
    /// It follows the partition.
    Follows,
    /// It does not.
    Other,
}

/// The spans that carry just this partition: as wide as the bytes that follow it, cut where another of the partitions
/// (`others`) begins, widened to the number or the text they are part of.
pub(super) fn carrying(matrix: &Matrix<'_>, wanted: &Partition, others: &[&Partition]) -> Vec<Range<usize>> {
    let kinds: Vec<Kind> = (0..matrix.len())
        .map(|at| match matrix.constant(at) {
            Some(_) => Kind::Constant,
            None if !matrix.is_steady(at..at.saturating_add(1)) => Kind::Other,
            None if wanted.refines(&matrix.partition(&(at..at.saturating_add(1)))) => Kind::Follows,
            None => Kind::Other,
        })
        .collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = kinds
        .iter()
        .skip(at)
        .position(|it| *it == Kind::Follows)
        .map(|it| it.saturating_add(at))
    {
        let mut end = start;
        // A constant byte inside a number is no border; two in a row are.
        loop {
            match (kinds.get(end), kinds.get(end.saturating_add(1))) {
                (Some(Kind::Follows), _) => end = end.saturating_add(1),
                (Some(Kind::Constant), Some(Kind::Follows)) => end = end.saturating_add(2),
                _ => break,
            }
        }
        at = end.max(start.saturating_add(1));
        let run = start..end.min(start.saturating_add(LONGEST));
        if matrix.partition(&run).agrees(wanted) {
            let run = cut(matrix, run, wanted, others);
            found.extend(widened(matrix, &run));
        }
    }
    found
}

/// Leaves out what carries another role beside it.
fn cut(matrix: &Matrix<'_>, run: Range<usize>, wanted: &Partition, others: &[&Partition]) -> Range<usize> {
    for width in WIDTHS.into_iter().filter(|it| *it < run.len()) {
        let first = run.start..run.start.saturating_add(width);
        let last = run.end.saturating_sub(width)..run.end;
        for (part, rest) in [(first.clone(), first.end..run.end), (last.clone(), run.start..last.start)] {
            let rest = matrix.partition(&rest);
            let foreign = !rest.agrees(wanted) && others.iter().any(|it| rest.agrees(it));
            if foreign && matrix.partition(&part).agrees(wanted) {
                return part;
            }
        }
    }
    run
}

/// The whole number or text a run of bytes is part of; none if it is a single byte on its own.
fn widened(matrix: &Matrix<'_>, run: &Range<usize>) -> Option<Range<usize>> {
    let (start, end) = (run.start, run.end);
    if matrix.all(run, |it| it.is_ascii_graphic()) && (run.len() > 2 || matrix.all(run, |it| it.is_ascii_digit())) {
        let digits = matrix.all(run, |it| it.is_ascii_digit());
        let goes_on = |at: usize| {
            let byte = matrix.constant(at);
            byte.is_some_and(|it| {
                if digits {
                    it.is_ascii_digit()
                } else {
                    it.is_ascii_alphanumeric() || b"-_".contains(&it)
                }
            })
        };
        let start = (0..start).rev().take_while(|at| goes_on(*at)).last().unwrap_or(start);
        let end = (end..matrix.len())
            .take_while(|at| goes_on(*at))
            .last()
            .map_or(end, |it| it.saturating_add(1));
        return (end.saturating_sub(start) >= 2).then_some(start..end);
    }
    let zeros =
        |range: Range<usize>| !range.is_empty() && range.end <= matrix.len() && range.into_iter().all(|at| matrix.constant(at) == Some(0));
    let constants = |range: Range<usize>| range.end <= matrix.len() && range.into_iter().all(|at| matrix.constant(at).is_some());
    for width in [2_usize, 4, 8, 16] {
        let Some(missing) = width.checked_sub(run.len()) else { continue };
        if missing == 0 {
            // A small number may fill half of a wider one.
            let wider = width.saturating_mul(2);
            let (left, right) = (start.checked_sub(width), end.saturating_add(width));
            if width == 2 && left.is_some_and(|left| left.is_multiple_of(wider) && zeros(left..start)) {
                return Some(start.saturating_sub(width)..end);
            }
            if width == 2 && start.is_multiple_of(wider) && zeros(end..right) {
                return Some(start..right);
            }
            return Some(run.clone());
        }
        let (left, right) = (start.checked_sub(missing), end.saturating_add(missing));
        let fits = |is: &dyn Fn(Range<usize>) -> bool| {
            let left = left.filter(|left| is(*left..start)).map(|left| left..end);
            let right = is(end..right).then_some(start..right);
            match (left, right) {
                // Where both would do, numbers begin at multiples of their width.
                (Some(left), Some(right)) => Some(if right.start.is_multiple_of(width) { right } else { left }),
                (left, right) => left.or(right),
            }
        };
        // One byte in four, or in two, that varies: the wider number, if it is one.
        if run.len() == 1 && width == 2 && fits_wider(matrix, run, &zeros).is_some() {
            continue;
        }
        if let Some(range) = fits(&zeros) {
            return Some(range);
        }
        if run.len() > 2
            && missing <= 1
            && let Some(range) = fits(&constants)
        {
            return Some(range);
        }
        if run.len() > 1 {
            return Some(run.clone());
        }
    }
    (run.len() > 1).then(|| run.clone())
}

/// Whether three zeros and one byte make a number of four, aligned as numbers are.
fn fits_wider(matrix: &Matrix<'_>, run: &Range<usize>, zeros: &dyn Fn(Range<usize>) -> bool) -> Option<Range<usize>> {
    let left = run.start.checked_sub(3)?;
    if left.is_multiple_of(4) && zeros(left..run.start) {
        return Some(left..run.end);
    }
    let right = run.end.saturating_add(3);
    (run.start.is_multiple_of(4) && right <= matrix.len() && zeros(run.end..right)).then_some(run.start..right)
}
