//! What could be seen and what could not. "Not seen" is told, never concluded from.

/// Counts of what an audit rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Frames.
    pub frames: FrameCoverage,
    /// Session keys.
    pub keys: KeyCoverage,
    /// Stream ranges never captured.
    pub gaps: Gaps,
    /// Ceilings that were hit: name of the limit, times.
    pub limits: std::collections::BTreeMap<&'static str, u64>,
    /// Why frames were not decoded to the end: reason, frames.
    pub stops: std::collections::BTreeMap<String, u64>,
}

/// Frames by how far they were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameCoverage {
    /// In the input.
    pub total: u64,
    /// Their bytes on the wire; of records, those they tell of.
    pub bytes: u64,
    /// Decoded up to a transport or control message.
    pub decoded: u64,
    /// Given up at some layer.
    pub stopped: u64,
    /// Captured shorter than they were on the wire.
    pub truncated: u64,
    /// Left out by a capture filter, and not read any further.
    pub filtered: u64,
    /// Lost by the capturing machine, as the file tells; `None`: it does not tell.
    pub dropped: Option<u64>,
}

/// Keys offered and used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyCoverage {
    /// Sessions for which keys were offered.
    pub offered: u64,
    /// Sessions opened, each counted once; known when the ledger is judged.
    pub matched: u64,
    /// Why others stayed closed: reason, flows; known when the ledger is judged.
    pub unmatched: std::collections::BTreeMap<String, u64>,
}

/// Stream bytes that no frame held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Ranges.
    pub count: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Coverage {
    /// Adds what another part of the same audit covered.
    pub fn merge(&mut self, other: Self) {
        let (mine, theirs) = (&mut self.frames, other.frames);
        mine.total = mine.total.saturating_add(theirs.total);
        mine.bytes = mine.bytes.saturating_add(theirs.bytes);
        mine.decoded = mine.decoded.saturating_add(theirs.decoded);
        mine.stopped = mine.stopped.saturating_add(theirs.stopped);
        mine.truncated = mine.truncated.saturating_add(theirs.truncated);
        mine.filtered = mine.filtered.saturating_add(theirs.filtered);
        mine.dropped = match (mine.dropped, theirs.dropped) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            // One input that does not tell its losses leaves the sum unknown.
            _ => None,
        };
        self.keys.offered = self.keys.offered.saturating_add(other.keys.offered);
        self.keys.matched = self.keys.matched.saturating_add(other.keys.matched);
        add(&mut self.keys.unmatched, other.keys.unmatched);
        self.gaps.count = self.gaps.count.saturating_add(other.gaps.count);
        self.gaps.bytes = self.gaps.bytes.saturating_add(other.gaps.bytes);
        add(&mut self.limits, other.limits);
        add(&mut self.stops, other.stops);
    }
}

fn add<K: Ord>(into: &mut std::collections::BTreeMap<K, u64>, from: std::collections::BTreeMap<K, u64>) {
    for (key, count) in from {
        let total = into.entry(key).or_default();
        *total = total.saturating_add(count);
    }
}
