//! Protocols of which only the first words are read: each side's are gathered until they were told, or never will be. It owns that and
//! refuses whatever follows.

use farshore_model::{Direction, Protection};

use super::{Dissector, Gathered, Progress, Segment, Sink};

/// Both sides of a stream.
#[derive(Debug)]
pub struct Greetings {
    lanes: [Gathered; 2],
    done: [bool; 2],
    /// Tells a side's words; whether nothing more is awaited of it.
    tell: fn(&Gathered, &mut dyn Sink) -> bool,
    /// What stands behind them, if it is not what the protocol is.
    behind: Option<Protection>,
}

impl Greetings {
    pub fn new(tell: fn(&Gathered, &mut dyn Sink) -> bool, behind: Option<Protection>) -> Self {
        Self {
            lanes: Default::default(),
            done: [false; 2],
            tell,
            behind,
        }
    }
}

impl Dissector for Greetings {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let (lane, done) = (direction.of_mut(&mut self.lanes), direction.of_mut(&mut self.done));
        match it {
            Segment::Bytes(piece) if !*done => {
                lane.push(&piece);
                *done = (self.tell)(lane, out);
                if *done {
                    lane.clear();
                }
            }
            Segment::Bytes(_) => {}
            Segment::Gap(_) => *done = true,
        }
        if self.done != [true; 2] {
            return Progress::More;
        }
        if let Some(it) = self.behind {
            out.protection(it);
        }
        Progress::Done
    }
}
