//! One direction being opened: which keys are in turn, and which number the next record has. It owns the order of keys, also where
//! records are missing, and refuses to know what the records say.

use std::collections::VecDeque;
use std::ops::Range;

use super::keys::{LOSS, Lost};
use crate::crypto::{Classic, Header, Modern};

/// Numbers tried for a record behind a gap: records are seldom shorter than a kilobyte, and gaps seldom longer than a window.
const TRIED: u64 = 64;
/// Shortest record that is sent: a header, a byte, a tag.
const SHORTEST: u64 = 22;
/// Records that fit no key, one after another, before a direction is given up.
const PATIENCE: u32 = 32;

/// One direction.
pub(super) struct Opener {
    keys: Keys,
    /// Of the next record.
    number: u64,
    /// Records that may be missing before the next one.
    missing: u64,
    failed: u32,
    /// Whether any record opened.
    opened: bool,
    /// Whether anything was lost since the last record that opened.
    lossy: bool,
}

enum Keys {
    Classic(Box<Classic>),
    /// Under TLS 1.3 keys follow each other; those in use stand first.
    Modern(VecDeque<(Stage, Modern)>),
}

/// What keys of TLS 1.3 are for, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Early,
    Handshake,
    Traffic,
}

/// A record that was opened.
#[derive(Debug)]
pub(super) struct Record {
    /// What it holds, by its number in the registry of content types.
    pub(super) kind: u8,
    /// Where its content stands.
    pub(super) content: Range<usize>,
}

impl Opener {
    pub(super) fn classic(keys: Classic) -> Self {
        Self::new(Keys::Classic(Box::new(keys)))
    }

    pub(super) fn modern() -> Self {
        Self::new(Keys::Modern(VecDeque::new()))
    }

    const fn new(keys: Keys) -> Self {
        Self {
            keys,
            number: 0,
            missing: 0,
            failed: 0,
            opened: false,
            lossy: false,
        }
    }

    /// Whether records of that kind are sealed: up to TLS 1.2 all, under TLS 1.3 those that look like data.
    pub(super) const fn seals(&self, kind: u8) -> bool {
        matches!(self.keys, Keys::Classic(_)) || kind == 23
    }

    /// Adds keys of TLS 1.3, if there are none yet for that stage or a later one.
    pub(super) fn add(&mut self, stage: Stage, keys: Modern) {
        if let Keys::Modern(stages) = &mut self.keys
            && stages
                .back()
                .is_none_or(|(last, _)| *last < stage || (*last == Stage::Early && stage == Stage::Early))
        {
            stages.push_back((stage, keys));
        }
    }

    /// Whether there are keys of TLS 1.3 for that stage, now or earlier.
    pub(super) fn has(&self, stage: Stage) -> bool {
        match &self.keys {
            Keys::Modern(stages) => stages.back().is_some_and(|(last, _)| *last >= stage),
            Keys::Classic(_) => true,
        }
    }

    /// The keys in use have served: the client's finished, its early data ended, a change of keys was sent.
    pub(super) fn turn(&mut self, from: Stage) {
        let Keys::Modern(stages) = &mut self.keys else { return };
        let Some((stage, keys)) = stages.front() else { return };
        if *stage != from {
            return;
        }
        if from == Stage::Traffic {
            if let Some(next) = keys.update() {
                *stages = VecDeque::from([(Stage::Traffic, next)]);
            }
        } else {
            stages.retain(|(stage, _)| *stage != from);
        }
        self.number = 0;
    }

    /// Whether so many records did not open that more need not be tried.
    pub(super) const fn is_spent(&self) -> bool {
        self.failed >= PATIENCE
    }

    /// Why the latest records did not open, if they did not; `lost` is what is missing of the conversation. Behind a loss they may be
    /// under keys that were agreed on in it, though others opened meanwhile.
    pub(super) fn reason(&self, lost: Lost) -> Option<&'static str> {
        match (self.failed, self.lossy || self.opened && lost != Lost::Nothing, self.opened) {
            (0, ..) => None,
            (_, true, _) => Some(LOSS),
            (_, false, false) => Some("the keys do not fit the records"),
            (_, false, true) => Some("some records fit no key"),
        }
    }

    /// Opens a record in place.
    pub(super) fn open(&mut self, header: [u8; 5], sealed: &mut [u8]) -> Option<Record> {
        let opened = self.open_next(header, sealed);
        match &opened {
            Some(_) => {
                self.failed = 0;
                self.missing = 0;
                self.opened = true;
                self.lossy = false;
            }
            None => {
                self.failed = self.failed.saturating_add(1);
                // It may have been a record of keys that are not known, or one that counts under these.
                self.missing = self.missing.saturating_add(1).min(TRIED);
            }
        }
        opened
    }

    fn open_next(&mut self, header: [u8; 5], sealed: &mut [u8]) -> Option<Record> {
        let [kind, major, minor, ..] = header;
        let numbers = self.number..=self.number.saturating_add(self.missing);
        match &mut self.keys {
            Keys::Classic(keys) => {
                let version = [major, minor];
                let (content, number) = keys.open(Header { kind, version }, numbers, sealed)?;
                self.number = number.saturating_add(1);
                Some(Record { kind, content })
            }
            Keys::Modern(stages) => {
                let open = |keys: &Modern, mut numbers: std::ops::RangeInclusive<u64>, sealed: &mut [u8]| {
                    numbers.find_map(|number| Some((number, keys.open(number, header, sealed)?)))
                };
                // Those in turn first; then those after them, which begin anew.
                let mut found = stages.iter().enumerate().find_map(|(at, (_, keys))| {
                    let numbers = if at == 0 { numbers.clone() } else { 0..=self.missing };
                    Some((at, open(keys, numbers, sealed)?))
                });
                if let (None, Some((Stage::Traffic, keys))) = (&found, stages.back())
                    && let Some(next) = keys.update()
                    && let Some(opened) = open(&next, 0..=self.missing, sealed)
                {
                    *stages = VecDeque::from([(Stage::Traffic, next)]);
                    found = Some((0, opened));
                }
                let (at, (number, length)) = found?;
                stages.drain(..at);
                if matches!(stages.front(), Some((Stage::Early, _))) {
                    // One of several suites it might have been: now it is known.
                    let mut first = true;
                    stages.retain(|(stage, _)| *stage != Stage::Early || std::mem::take(&mut first));
                }
                self.number = number.saturating_add(1);
                // The content ends with its kind, and zeros behind it (RFC 8446 section 5.4).
                let end = sealed.get(..length)?.iter().rposition(|byte| *byte != 0)?;
                Some(Record {
                    kind: *sealed.get(end)?,
                    content: 0..end,
                })
            }
        }
    }

    /// The keys in use.
    fn current(&self) -> Option<&Modern> {
        match &self.keys {
            Keys::Modern(stages) => stages.front().map(|(_, keys)| keys),
            Keys::Classic(_) => None,
        }
    }

    /// One record of that length will not come, or not whole. Says how many bytes of content it had, if that can be told, or `None`
    /// when reading cannot go on behind it.
    pub(super) fn lose(&mut self, length: usize) -> Option<Option<u64>> {
        self.lossy = true;
        self.number = self.number.saturating_add(1);
        let overhead = match &mut self.keys {
            Keys::Classic(keys) => {
                let overhead = keys.overhead();
                keys.lose(Some(length)).then_some(overhead)?
            }
            Keys::Modern(_) => self.current().map(Modern::overhead),
        };
        Some(overhead.and_then(|overhead| length.checked_sub(overhead)).map(|it| it as u64))
    }

    /// So many bytes will not come, wherever records began and ended. Says whether reading can go on behind them.
    pub(super) fn lose_bytes(&mut self, bytes: u64) -> bool {
        self.lossy = true;
        let records = bytes.checked_div(SHORTEST).unwrap_or_default().saturating_add(2);
        self.missing = self.missing.saturating_add(records).min(TRIED);
        match &mut self.keys {
            Keys::Classic(keys) => keys.lose(None),
            Keys::Modern(_) => true,
        }
    }

    /// Whether nobody without keys reads what it opens.
    pub(super) const fn hides(&self) -> bool {
        match &self.keys {
            Keys::Classic(keys) => keys.hides(),
            Keys::Modern(_) => true,
        }
    }
}
