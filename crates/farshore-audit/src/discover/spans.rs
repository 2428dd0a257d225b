//! Places at fixed positions of undocumented messages: which spans can be compared at all, and where the span ends that
//! carries a value. It refuses to guess a meaning.

use std::ops::Range;

use super::partition::Partition;
use super::places::Matrix;

/// Widths a value may have, as numbers and as the usual lengths of ids.
const WIDTHS: [usize; 8] = [2, 4, 6, 8, 12, 16, 20, 32];
/// A run of bytes longer than this is text or cipher, of which the first so many say enough.
const LONGEST: usize = 64;

/// Values of the high byte of numbers that are counted up lie no farther apart.
const CLUSTERED: u8 = 16;

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
///
/// `little` is the byte order of numbers beside them, if any tells.
pub(super) fn carrying(matrix: &Matrix<'_>, wanted: &Partition, others: &[&Partition], little: Option<bool>) -> Vec<Range<usize>> {
    let kinds: Vec<Kind> = (0..matrix.len())
        .map(|at| match matrix.constant(at) {
            Some(_) => Kind::Constant,
            None if !matrix.is_steady(at..at.saturating_add(1)) => Kind::Other,
            None if wanted.refines(&matrix.partition(&(at..at.saturating_add(1)))) => Kind::Follows,
            None => Kind::Other,
        })
        .collect();
    let is_text = |range: Range<usize>| range.len() > 2 && range.end <= matrix.len() && range.into_iter().all(|at| is_letter(matrix, at));
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
                (Some(Kind::Constant), Some(Kind::Constant)) if is_text(start..end.saturating_add(2)) => end = end.saturating_add(1),
                _ => break,
            }
        }
        at = end.max(start.saturating_add(1));
        let run = start..end.min(start.saturating_add(LONGEST));
        if matrix.partition(&run).agrees(wanted) {
            let run = cut(matrix, halved(matrix, run, wanted), wanted, others);
            let part_of_more = |at: Option<usize>| {
                let letter = |at: usize| matrix.is_steady(at..at.saturating_add(1)) && is_letter(matrix, at);
                at.is_some_and(|at| kinds.get(at) == Some(&Kind::Other) && letter(at))
            };
            // Letters that go on in letters of another partition are a part of something else.
            let letters = run.clone().all(|at| is_letter(matrix, at));
            if letters && run.len() > 2 && (part_of_more(run.start.checked_sub(1)) || part_of_more(Some(run.end))) {
                continue;
            }
            let wide = halved(matrix, widened(matrix, &run, little), wanted);
            // What varies beside a part of a number may be the rest of it, and is another's then.
            let varies = |at: Option<usize>| {
                let steady = |at: &usize| matrix.is_steady(*at..at.saturating_add(1));
                at.filter(steady).is_some_and(|at| kinds.get(at) == Some(&Kind::Other))
            };
            let natural = run.len() >= 4 && run == wide;
            let low_left = !natural && wide.start == run.start && varies(run.start.checked_sub(1));
            let low_right = !natural && wide.end == run.end && varies(Some(run.end));
            if !letters && (low_left && little != Some(false) || low_right && little != Some(true)) {
                continue;
            }
            found.extend(parted(matrix, wide));
        }
    }
    found
}

/// Two UUIDs side by side are two; other numbers do not tell where one ends.
fn parted(matrix: &Matrix<'_>, run: Range<usize>) -> Vec<Range<usize>> {
    // Version and variant (RFC 9562 sections 4.1 and 4.2).
    let is_uuid = |it: &Range<usize>| {
        let at = |place: usize| it.start.saturating_add(place)..it.start.saturating_add(place).saturating_add(1);
        matrix.all(&at(6), |byte| matches!(byte >> 4, 1..=8)) && matrix.all(&at(8), |byte| byte >> 6 == 0b10)
    };
    let middle = run.start.saturating_add(16);
    let halves = [run.start..middle, middle..run.end];
    if run.len() == 32 && halves.iter().all(is_uuid) {
        return halves.to_vec();
    }
    vec![run]
}

/// Of two numbers side by side, of which one tells less, the one that tells.
fn halved(matrix: &Matrix<'_>, run: Range<usize>, wanted: &Partition) -> Range<usize> {
    let half = run.len() / 2;
    if !run.len().is_multiple_of(2) || half < 4 || matrix.all(&run, |it| it.is_ascii_graphic()) {
        return run;
    }
    let middle = run.start.saturating_add(half);
    let halves = [run.start..middle, middle..run.end];
    let varies = |it: &Range<usize>| matrix.partition(it).distinct() > 1;
    // A half that never varies is the rest of a number.
    if !halves.iter().all(varies) {
        return run;
    }
    let whole = halves.clone().map(|it| matrix.partition(&it).agrees(wanted));
    match (whole, halves) {
        ([true, false], [one, _]) | ([false, true], [_, one]) => one,
        _ => run,
    }
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

/// Whether every capture has a letter, a digit or a dash there.
fn is_letter(matrix: &Matrix<'_>, at: usize) -> bool {
    matrix.all(&(at..at.saturating_add(1)), |it| it.is_ascii_alphanumeric() || b"-_".contains(&it))
}

/// The whole number or text a run of bytes is part of, as far as its neighbours tell.
fn widened(matrix: &Matrix<'_>, run: &Range<usize>, little: Option<bool>) -> Range<usize> {
    let (start, end) = (run.start, run.end);
    let is_constant = |at: usize| matrix.constant(at).is_some();
    if matrix.all(run, |it| it.is_ascii_graphic()) && (run.len() > 2 || matrix.all(run, |it| it.is_ascii_digit())) {
        let digits = matrix.all(run, |it| it.is_ascii_digit());
        let goes_on = |at: &usize| {
            let letter = |it: u8| it.is_ascii_digit() || !digits && (it.is_ascii_alphanumeric() || b"-_".contains(&it));
            matrix.constant(*at).is_some_and(letter)
        };
        let left = (0..start).rev().take_while(goes_on).count();
        let right = (end..matrix.len()).take_while(goes_on).count();
        return start.saturating_sub(left)..end.saturating_add(right);
    }
    let room = |is: &dyn Fn(&usize) -> bool| {
        let left = (0..start).rev().take_while(|at| is(at)).count();
        (left, (end..matrix.len()).take_while(|at| is(at)).count())
    };
    let (left, right) = room(&|at| is_constant(*at));
    let (zeros_left, zeros_right) = room(&|at| matrix.constant(*at) == Some(0));
    // What stands before it may be its length: then it ends where that says.
    let is_counted = |it: &Range<usize>| {
        let before = |back: usize| it.start.checked_sub(back).and_then(|at| matrix.constant(at)).map(usize::from);
        before(1) == Some(it.len()) || before(2) == Some(it.len()) && before(1) == Some(0)
    };
    let counted = [1_usize, 2, 4, 8]
        .into_iter()
        .filter(|width| *width >= run.len())
        .flat_map(|width| {
            let spare = width.saturating_sub(run.len());
            let to_left = (left >= spare).then(|| start.saturating_sub(spare)..end);
            [to_left, (right >= spare).then(|| start..end.saturating_add(spare))]
        });
    if let Some(range) = counted.flatten().find(|it| it.len() > 1 && is_counted(it)) {
        return range;
    }
    let to_left = |missing: usize| start.saturating_sub(missing)..end;
    let to_right = |missing: usize| start..end.saturating_add(missing);
    // Ids that are counted up differ little; those that are drawn fill the bytes they have.
    let clustered = matrix.spread(if little == Some(true) { end.saturating_sub(1) } else { start }) <= CLUSTERED
        || matrix.spread(if little == Some(false) { start } else { end.saturating_sub(1) }) <= CLUSTERED;
    // The high bytes of a number stand on one side of it, where the order is known.
    let may_left = little != Some(true);
    let may_right = little != Some(false);
    for width in [4_usize, 8, 16] {
        let small = run.len() <= 2 && width <= 8;
        let Some(missing) = width.checked_sub(run.len()).filter(|it| *it < width / 2 || small) else {
            continue;
        };
        if missing == 0 {
            return run.clone();
        }
        // Between two fields that vary, or at an end, all that is left belongs to a number that counts up.
        if width == 4
            && small
            && clustered
            && left.saturating_add(right) == missing
            && (left == 0 || may_left)
            && (right == 0 || may_right)
            && little.is_some()
        {
            return start.saturating_sub(left)..end.saturating_add(right);
        }
        let fits = |left: usize, right: usize| match (may_left && left >= missing, may_right && right >= missing) {
            // Where both would do, numbers begin at multiples of their width.
            (true, true) if start.is_multiple_of(width) => Some(to_right(missing)),
            (true, _) => Some(to_left(missing)),
            (_, true) => Some(to_right(missing)),
            _ => None,
        };
        // Zeros beside it may be the high bytes of another: where the order is not known, only those that are aligned count.
        if let Some(range) = fits(zeros_left, zeros_right).filter(|it| little.is_some() || it.start.is_multiple_of(width)) {
            return range;
        }
        if run.len() > 2
            && missing <= 1
            && let Some(range) = fits(left, right)
        {
            return range;
        }
        // Other constants belong to it only if they end just where it has to.
        if width == 4 && clustered && small && little.is_some() && (if may_left { left } else { right }) == missing {
            return if may_left { to_left(missing) } else { to_right(missing) };
        }
    }
    run.clone()
}
