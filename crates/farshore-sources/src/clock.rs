//! Times of frames as they are counted: the span of an input, and how finely its clock ticks. It owns what frames show of a
//! clock and refuses to believe what the file says of it: a file that counts nanoseconds may step by milliseconds.

use farshore_model::Timestamp;
use farshore_model::ledger::InputRecord;

/// The clock of one interface, as its frames show it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    before: Option<Timestamp>,
    /// The smallest step it made, in nanoseconds.
    step: Option<u64>,
}

impl Clock {
    fn note(&mut self, time: Timestamp) {
        let step = self.before.map_or(0, |before| time.as_nanos().abs_diff(before.as_nanos()));
        if step > 0 {
            self.step = Some(self.step.map_or(step, |least| least.min(step)));
        }
        self.before = Some(time);
    }

    /// The tick of all clocks of an input: the coarsest counts.
    pub(crate) fn tick<'a>(clocks: impl Iterator<Item = &'a Clock>) -> u64 {
        clocks.filter_map(|it| it.step).max().unwrap_or_default()
    }
}

/// Counts a frame into the record of its input.
pub(crate) fn count(record: &mut InputRecord, clock: &mut Clock, time: Option<Timestamp>) {
    record.frames = record.frames.saturating_add(1);
    if let Some(time) = time {
        clock.note(time);
        record.first = Some(record.first.map_or(time, |first| first.min(time)));
        record.last = Some(record.last.map_or(time, |last| last.max(time)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tick_is_the_smallest_step_of_the_coarsest_clock() {
        let (mut fine, mut coarse, mut still) = (Clock::default(), Clock::default(), Clock::default());
        [5, 9, 9, 12, 11].iter().for_each(|it| fine.note(Timestamp::from_nanos(*it)));
        [0, 1_000, 1_000, 4_000]
            .iter()
            .for_each(|it| coarse.note(Timestamp::from_nanos(*it)));
        [7, 7].iter().for_each(|it| still.note(Timestamp::from_nanos(*it)));
        assert_eq!(Clock::tick([&fine].into_iter()), 1, "a step back is a step");
        assert_eq!(Clock::tick([&fine, &coarse, &still].into_iter()), 1_000);
        assert_eq!(Clock::tick([&still].into_iter()), 0);
    }
}
