//! Fragments of one direction into whole messages (RFC 6347, section 4.2.3): out of order, overlapping, sent again.
//! Refuses to gather more than the ceiling; where fragments overlap and differ, each
//! byte is taken from the one that the reading is in.

use std::collections::{BTreeMap, BTreeSet};

use farshore_model::Direction;

use super::record::Fragment;
use crate::limits::Limits;
use crate::protocols::{Origin, Piece, Segment, Sink};

/// Messages one side may have in the making; a handshake has a dozen.
const MOST_MESSAGES: usize = 32;

/// Fragments one message may have: 256 KiB in pieces of 1 KiB.
const MOST_FRAGMENTS: usize = 256;

/// Where a hello's random stands, behind kind, length and version.
const RANDOM: std::ops::Range<usize> = 6..38;

/// Messages remembered as told.
const MOST_TOLD: usize = 256;

/// One direction.
#[derive(Debug)]
pub struct Side {
    pending: BTreeMap<(u16, u8), Pending>,
    /// Bytes in `pending`.
    gathered: usize,
    ceiling: usize,
    told: BTreeSet<(u16, u8)>,
    /// The random of the latest hello, by which a repeated one is known.
    random: Vec<u8>,
}

/// A message in the making.
#[derive(Debug)]
struct Pending {
    length: usize,
    header: (Vec<u8>, Origin),
    /// Offset in the message, bytes, and where they came from.
    parts: Vec<(usize, Vec<u8>, Origin)>,
}

impl Side {
    pub const fn new(limits: &Limits) -> Self {
        Self {
            pending: BTreeMap::new(),
            gathered: 0,
            ceiling: limits.message_bytes,
            told: BTreeSet::new(),
            random: Vec::new(),
        }
    }

    /// Another handshake begins.
    pub fn forget(&mut self) {
        self.pending.clear();
        self.gathered = 0;
        self.told.clear();
    }

    /// Whether the message was told before.
    pub fn has_told(&self, it: &Fragment) -> bool {
        self.told.contains(&(it.number, it.kind))
    }

    /// Whether this hello's random is another than the last one's. It stands behind the version (section 4.2.1).
    pub fn is_other_random(&self, it: &Fragment, bytes: &[u8]) -> bool {
        let random = bytes.get(it.body.clone()).and_then(|body| body.get(2..34));
        random.is_some_and(|it| !self.random.is_empty() && it != self.random)
    }

    /// Takes a fragment, and tells the message that it completes; gives it back if it is `kept`.
    pub fn fragment(&mut self, direction: Direction, it: &Fragment, piece: &Piece<'_>, kept: bool, out: &mut dyn Sink) -> Option<Vec<u8>> {
        let key = (it.number, it.kind);
        let part = |range: &std::ops::Range<usize>| {
            let part = piece.part(range.clone());
            (part.bytes.to_vec(), part.origin)
        };
        let new = !self.pending.contains_key(&key);
        let full = self.gathered.saturating_add(it.body.len()) > self.ceiling;
        if full || it.length > self.ceiling || (new && self.pending.len() >= MOST_MESSAGES) {
            out.limit("message-bytes");
            // What lies there will hardly be completed any more.
            self.pending.clear();
            self.gathered = 0;
            return None;
        }
        let message = self.pending.entry(key).or_insert_with(|| Pending {
            length: it.length,
            header: part(&it.header),
            parts: Vec::new(),
        });
        // A fragment of another length belongs to another message.
        if message.length != it.length || message.parts.len() >= MOST_FRAGMENTS {
            return None;
        }
        let (bytes, origin) = part(&it.body);
        self.gathered = self.gathered.saturating_add(bytes.len());
        message.parts.push((it.offset, bytes, origin));
        if !message.is_whole() {
            return None;
        }
        if let Some(message) = self.pending.remove(&key) {
            let held: usize = message.parts.iter().map(|(_, bytes, _)| bytes.len()).sum();
            self.gathered = self.gathered.saturating_sub(held);
            if self.told.len() < MOST_TOLD {
                self.told.insert(key);
            }
            let tell = |bytes: &[u8], origin: Origin, out: &mut dyn Sink| {
                let it = Piece { bytes, missing: 0, origin };
                out.inner(direction, "tls", Segment::Bytes(it));
            };
            let (header, origin) = &message.header;
            tell(header, *origin, out);
            let mut whole = header.clone();
            message.walk(|bytes, origin| {
                if kept || whole.len() < RANDOM.end {
                    whole.extend_from_slice(bytes);
                }
                tell(bytes, origin, out);
            });
            if it.kind == 1 {
                self.random = whole.get(RANDOM).unwrap_or_default().to_vec();
            }
            return kept.then_some(whole);
        }
        None
    }
}

impl Pending {
    fn is_whole(&self) -> bool {
        self.walk(|_, _| {}) >= self.length
    }

    /// Hands out the body in order, each byte once; says how far that goes.
    fn walk(&self, mut each: impl FnMut(&[u8], Origin)) -> usize {
        let mut position = 0_usize;
        loop {
            let end = |offset: &usize, bytes: &Vec<u8>| offset.saturating_add(bytes.len());
            let next = self
                .parts
                .iter()
                .find(|(offset, bytes, _)| *offset <= position && end(offset, bytes) > position);
            let Some((offset, bytes, origin)) = next else { return position };
            let skip = position.saturating_sub(*offset);
            each(bytes.get(skip..).unwrap_or_default(), origin.further(skip));
            position = end(offset, bytes);
        }
    }
}
