//! What a flow log tells: who sent how much to whom, and when. Never what.
//!
//! A row is numbered like a frame, from 1 in its input, and takes a frame's place wherever one is named. One row may tell of
//! several flows, and many rows of the same one.

use crate::{Endpoint, Timestamp, Transport};

/// One flow as one row tells of it. It takes a few words, and owns nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// What carried it.
    pub transport: Transport,
    /// Who sent. The port is 0 where the row tells none.
    pub source: Endpoint,
    /// To whom.
    pub destination: Endpoint,
    /// When the first of it went.
    pub first: Option<Timestamp>,
    /// When the last of it went, or the time that is summed up ended.
    pub last: Option<Timestamp>,
    /// From the source to the destination.
    pub sent: Tally,
    /// From the destination to the source, in logs whose rows tell both.
    pub returned: Tally,
    /// Whether it was rejected, so that nothing of it arrived.
    pub refused: bool,
    /// Which side began, as far as the row tells.
    pub opening: Opening,
    /// What tells those apart who report the same traffic: a digest of an interface, or a side. 0: not told.
    pub observer: u64,
    /// The time between a segment and its acknowledgement, in nanoseconds.
    pub rtt: Option<u64>,
}

/// Packets and bytes, as the log counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Packets.
    pub packets: u64,
    /// Their bytes, as a rule from the IP header on.
    pub bytes: u64,
}

impl Tally {
    /// Both together.
    pub const fn plus(self, other: Self) -> Self {
        Self {
            packets: self.packets.saturating_add(other.packets),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    /// Whether it counts nothing.
    pub const fn is_empty(self) -> bool {
        self.packets == 0 && self.bytes == 0
    }
}

/// Which side of a flow began it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Opening {
    /// The row does not tell.
    #[default]
    Untold,
    /// The source: it sent a SYN without ACK.
    Source,
    /// The destination: the source answered a SYN.
    Destination,
    /// The source, in the words of the log.
    Named,
}

/// What a flow log holds beside flows, and what it leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogRecord {
    /// Rows that say that there was nothing to tell of.
    pub quiet: u64,
    /// Rows that say that others were left out.
    pub skipped: u64,
    /// Flows of rows that were rejected.
    pub refused: u64,
    /// Flows that several told of; they are counted once.
    pub told_again: u64,
    /// Flows of which the log does not tell which side began.
    pub unopened: u64,
    /// The longest time that one row sums up, in nanoseconds.
    pub longest: u64,
    /// Whether rows were told apart by whether they were rejected.
    pub tells_refusal: bool,
    /// What part of the traffic it was made of.
    pub sampling: Sampling,
}

/// What part of the traffic a log was made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sampling {
    /// All of it, as its maker documents.
    #[default]
    Whole,
    /// It does not tell.
    Untold,
    /// A part, and how large a one is not told.
    Part,
    /// One packet in so many; the largest number where there are several.
    OneIn(u32),
}
