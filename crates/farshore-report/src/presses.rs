//! Rows of an audit written by several threads and handed on in their order by this one.
//!
//! A text is a row of pieces: what is written beforehand, and batches of rows of a list. Batches go to the threads in turn, and
//! each of them is only so many ahead of what was handed on, so that memory does not grow with the audit. It refuses to know
//! what a row looks like.

use std::io::{Error, Result, Write};
use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use crate::Audit;
use crate::compact::Sheet;
use crate::v1::Parts;

/// Rows of a batch: some hundred kilobytes of destinations, some ten of flows.
const ROWS: usize = 64;
/// Batches that wait to be handed on, of each thread.
const AHEAD: usize = 4;
/// With fewer batches for each thread, one alone is as quick.
const WORTH: usize = 2;
/// Room that is kept for the next batch: now and then a row has hundreds of thousands of flows.
const KEPT: usize = 1 << 20;

/// Writes those rows of a list.
pub(crate) type Put = for<'a> fn(&'a Audit, Range<usize>, &mut Parts<'a>, &mut Sheet<'_>) -> Result<()>;

/// A text that is to be written.
#[derive(Default)]
pub(crate) struct Copy {
    pieces: Vec<Piece>,
}

enum Piece {
    /// As it stands.
    Text(Vec<u8>),
    Rows(Rows),
}

/// Rows of one list.
#[derive(Clone)]
struct Rows {
    put: Put,
    range: Range<usize>,
}

impl Copy {
    /// Adds what is short, as it stands.
    pub(crate) fn text(&mut self, text: &[u8]) {
        match self.pieces.last_mut() {
            Some(Piece::Text(before)) => before.extend_from_slice(text),
            _ => self.pieces.push(Piece::Text(text.to_vec())),
        }
    }

    /// Adds so many rows.
    pub(crate) fn rows(&mut self, put: Put, count: usize) {
        let batch = |from: usize| {
            let range = from..from.saturating_add(ROWS).min(count);
            Piece::Rows(Rows { put, range })
        };
        self.pieces.extend((0..count).step_by(ROWS).map(batch));
    }

    fn batches(&self) -> impl Iterator<Item = &Rows> {
        self.pieces.iter().filter_map(|it| match it {
            Piece::Rows(rows) => Some(rows),
            Piece::Text(_) => None,
        })
    }

    /// Writes all of it, in so many threads at most. The bytes are the same.
    pub(crate) fn write(&self, audit: &Audit, jobs: usize, out: &mut dyn Write) -> Result<()> {
        let hands = jobs.min(self.batches().count() / WORTH);
        if hands < 2 {
            return self.alone(audit, out);
        }
        thread::scope(|scope| {
            let mut lines = Vec::new();
            for hand in 0..hands {
                let (written, ready) = sync_channel(AHEAD);
                let (done_with, spare) = channel();
                let batches = self.batches().skip(hand).step_by(hands);
                scope.spawn(move || set(audit, batches, &written, &spare));
                lines.push(Line { ready, done_with });
            }
            // When this returns early the lines are gone, and the threads stop.
            self.in_turn(&lines, out)
        })
    }

    fn alone(&self, audit: &Audit, out: &mut dyn Write) -> Result<()> {
        let (mut sheet, mut parts) = (Sheet::new(out), Parts::default());
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => sheet.text(text),
                Piece::Rows(Rows { put, range }) => put(audit, range.clone(), &mut parts, &mut sheet)?,
            }
        }
        sheet.finish()
    }

    fn in_turn(&self, lines: &[Line], out: &mut dyn Write) -> Result<()> {
        let mut turns = lines.iter().cycle();
        for piece in &self.pieces {
            match (piece, turns.by_ref()) {
                (Piece::Text(text), _) => out.write_all(text)?,
                (Piece::Rows(_), turns) => {
                    let next = turns.next().and_then(|line| Some((line, line.ready.recv().ok()?)));
                    // A thread that is gone has panicked, which goes on where it is joined.
                    let (line, written) = next.ok_or_else(|| Error::other("a batch was not written"))?;
                    let written = written?;
                    out.write_all(&written)?;
                    let _ = line.done_with.send(written);
                }
            }
        }
        Ok(())
    }
}

/// From one thread, and back to it what was handed on, to be written over.
struct Line {
    ready: Receiver<Result<Vec<u8>>>,
    done_with: Sender<Vec<u8>>,
}

/// Writes the batches of one thread, until nobody wants more.
fn set<'r>(audit: &Audit, batches: impl Iterator<Item = &'r Rows>, written: &SyncSender<Result<Vec<u8>>>, spare: &Receiver<Vec<u8>>) {
    let mut parts = Parts::default();
    for Rows { put, range } in batches {
        let mut room = spare.try_recv().unwrap_or_default();
        room.clear();
        room.shrink_to(KEPT);
        let mut sheet = Sheet::over(room);
        let done = put(audit, range.clone(), &mut parts, &mut sheet);
        if written.send(done.map(|()| sheet.into_written())).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn numbers(_: &Audit, range: Range<usize>, _: &mut Parts<'_>, sheet: &mut Sheet<'_>) -> Result<()> {
        range.into_iter().try_for_each(|it| sheet.line(&it))
    }

    fn refused(_: &Audit, range: Range<usize>, _: &mut Parts<'_>, sheet: &mut Sheet<'_>) -> Result<()> {
        match range.contains(&1_000) {
            true => Err(Error::other("refused")),
            false => sheet.line(&"row"),
        }
    }

    fn written(copy: &Copy, jobs: usize) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        copy.write(&Audit::default(), jobs, &mut out).map(|()| out)
    }

    #[test]
    fn the_order_is_that_of_the_rows_in_any_number_of_threads() {
        for count in [0, 1, ROWS - 1, ROWS, ROWS + 1, 7 * ROWS, 40 * ROWS + 3] {
            let mut copy = Copy::default();
            copy.text(b"first ");
            copy.text(b"piece\n");
            copy.rows(numbers, count);
            copy.text(b"between\n");
            copy.rows(numbers, count / 2);
            let lines = |count| (0..count).map(|it| format!("{it}\n")).collect::<String>();
            let wanted = format!("first piece\n{}between\n{}", lines(count), lines(count / 2));
            for jobs in [0, 1, 2, 3, 8] {
                assert!(written(&copy, jobs).unwrap() == wanted.as_bytes(), "{count} rows, {jobs} jobs");
            }
        }
    }

    #[test]
    fn what_goes_wrong_with_a_row_is_told() {
        let mut copy = Copy::default();
        copy.rows(refused, 4_000);
        for jobs in [1, 2, 3] {
            assert_eq!(written(&copy, jobs).unwrap_err().to_string(), "refused", "{jobs}");
        }
    }

    #[test]
    fn whoever_has_had_enough_ends_it() {
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> Result<usize> {
                self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::BrokenPipe)?;
                Ok(bytes.len())
            }

            fn flush(&mut self) -> Result<()> {
                Ok(())
            }
        }
        let mut copy = Copy::default();
        copy.rows(numbers, 1_000_000);
        for jobs in [1, 2, 3] {
            let done = copy.write(&Audit::default(), jobs, &mut Full(100_000));
            assert_eq!(done.unwrap_err().kind(), io::ErrorKind::BrokenPipe, "{jobs}");
        }
    }
}
