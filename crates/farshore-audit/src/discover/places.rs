//! Places in messages, and the values that captures have there. A place is steady when each capture has one value there.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use farshore_model::FlowId;

use super::groups::{Group, Message};
use super::partition::Partition;

/// A place, with what stands there.
pub(super) struct Place<'a> {
    /// The group, by its number.
    pub(super) group: usize,
    /// What it is in, and where in that if a structure tells.
    pub(super) name: String,
    /// Its limits were found, rather than given by a structure of the messages: positions from an anchor.
    pub(super) fixed: Option<Fixed>,
    /// The values.
    pub(super) spots: Vec<Spot<'a>>,
}

/// A stretch of positions counted from an anchor.
#[derive(Clone)]
pub(super) struct Fixed {
    anchor: Anchor,
    range: Range<usize>,
    /// Positions there are behind the anchor.
    length: usize,
}

/// A value in a message.
#[derive(Clone)]
pub(super) struct Spot<'a> {
    pub(super) message: Message<'a>,
    pub(super) range: Range<usize>,
}

impl<'a> Spot<'a> {
    pub(super) fn value(&self) -> &'a [u8] {
        self.message.bytes().get(self.range.clone()).unwrap_or_default()
    }
}

impl<'a> Place<'a> {
    /// Makes it wider at both ends.
    pub(super) fn widen(&mut self, left: usize, right: usize) {
        let wide = |it: &Range<usize>| it.start.saturating_sub(left)..it.end.saturating_add(right);
        if let Some(fixed) = &mut self.fixed {
            fixed.range = wide(&fixed.range);
        }
        for spot in &mut self.spots {
            spot.range = wide(&spot.range);
        }
    }

    /// Where it is, as it is shown.
    pub(super) fn title(&self) -> String {
        let Some(Fixed { anchor, range, length }) = &self.fixed else {
            return self.name.clone();
        };
        let Range { start, end } = range;
        match anchor {
            Anchor::Start => format!("{}, offset {start}..{end}", self.name),
            Anchor::Behind(text) => format!("{}, offset {start}..{end} behind text {text}", self.name),
            Anchor::End => {
                let back = |at: &usize| length.saturating_sub(*at);
                format!("{}, {} to {} bytes before the end", self.name, back(start), back(end))
            }
        }
    }

    /// The value of each capture; `None` if some capture has two.
    pub(super) fn column(&self, captures: usize) -> Option<Vec<Option<&'a [u8]>>> {
        let mut column: Vec<Option<&[u8]>> = vec![None; captures];
        for spot in &self.spots {
            let value = spot.value();
            let known = column.get_mut(spot.message.capture)?;
            match known {
                None => *known = Some(value),
                Some(known) if *known == value => {}
                Some(_) => return None,
            }
        }
        Some(column)
    }

    /// Whether its position makes its values: a place counted from the end, or from behind a text, slides over what stands
    /// still in messages whose lengths an id makes, and has other bytes under it for each.
    pub(super) fn is_shifted(&self) -> bool {
        let Some(Fixed { anchor, .. }) = &self.fixed else { return false };
        let starts = !matches!(anchor, Anchor::Start) && self.goes_with_its_start();
        starts || self.stands_still()
    }

    /// Whether each value stands at one position from the start, another than all the rest.
    fn goes_with_its_start(&self) -> bool {
        let mut starts: BTreeMap<&[u8], usize> = BTreeMap::new();
        let one_each = self
            .spots
            .iter()
            .all(|it| *starts.entry(it.value()).or_insert(it.range.start) == it.range.start);
        let different: BTreeSet<usize> = starts.values().copied().collect();
        one_each && different.len() > 1 && different.len() == starts.len()
    }

    /// Whether most captures have there what all have at the same distance from the other end of the message.
    fn stands_still(&self) -> bool {
        let Some(first) = self.spots.first() else { return false };
        // A constant from an end: what the first message has there, until another has something else.
        let (mut heads, mut tails) = (first.message.bytes().to_vec(), first.message.bytes().to_vec());
        tails.reverse();
        for it in &self.spots {
            let bytes = it.message.bytes();
            heads.truncate(bytes.len());
            tails.truncate(bytes.len());
        }
        let (mut same_heads, mut same_tails) = (vec![true; heads.len()], vec![true; tails.len()]);
        for it in &self.spots {
            let bytes = it.message.bytes();
            for ((same, a), b) in same_heads.iter_mut().zip(&heads).zip(bytes) {
                *same &= a == b;
            }
            for ((same, a), b) in same_tails.iter_mut().zip(&tails).zip(bytes.iter().rev()) {
                *same &= a == b;
            }
        }
        let is_still = |it: &Spot<'_>| {
            let length = it.message.bytes().len();
            let head = |at: usize| same_heads.get(at) == Some(&true);
            let tail = |at: usize| same_tails.get(length.saturating_sub(1).saturating_sub(at)) == Some(&true);
            it.range.clone().all(head) || it.range.clone().all(tail)
        };
        self.spots.iter().filter(|it| is_still(it)).count().saturating_mul(2) > self.spots.len()
    }

    /// The conversations it was seen in.
    pub(super) fn flows(&self) -> BTreeSet<FlowId> {
        self.spots.iter().map(|it| it.message.specimen.flow).collect()
    }
}

/// From where positions are counted.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    /// The first byte.
    Start,
    /// The byte behind the n-th text of varying length.
    Behind(usize),
    /// The last byte.
    End,
}

/// What each capture has at each byte of a group's messages, counted from an anchor.
pub(super) struct Matrix<'a> {
    /// The messages, and the part of each that begins at the anchor: all of one length.
    windows: Vec<(Message<'a>, usize)>,
    /// By capture: the part of one of its messages.
    one: Vec<Option<&'a [u8]>>,
    /// By position: whether every capture has one byte there.
    steady: Vec<bool>,
    anchor: Anchor,
}

impl<'a> Matrix<'a> {
    /// Of messages with the position of the anchor in each, up to `most` bytes behind it.
    pub(super) fn of(messages: &[(Message<'a>, usize)], captures: usize, anchor: Anchor, most: usize) -> Self {
        let rest = |it: &(Message<'a>, usize)| it.0.bytes().len().saturating_sub(it.1);
        let length = messages.iter().map(rest).min().unwrap_or(0).min(most);
        let mut one: Vec<Option<&[u8]>> = vec![None; captures];
        let mut steady = vec![true; length];
        for (message, start) in messages {
            let part = message.bytes().get(*start..start.saturating_add(length)).unwrap_or_default();
            match one.get_mut(message.capture) {
                Some(Some(known)) => {
                    for ((steady, a), b) in steady.iter_mut().zip(*known).zip(part) {
                        *steady &= a == b;
                    }
                }
                Some(known) => *known = Some(part),
                None => {}
            }
        }
        Self {
            windows: messages.to_vec(),
            one,
            steady,
            anchor,
        }
    }

    /// Of messages as far as the shortest reaches, counted back from the end.
    pub(super) fn backwards(group: &Group<'a>, captures: usize) -> Self {
        let length = group.messages.iter().map(|it| it.bytes().len()).min().unwrap_or(0);
        let start = |it: &Message<'a>| (*it, it.bytes().len().saturating_sub(length));
        let messages: Vec<_> = group.messages.iter().map(start).collect();
        Self::of(&messages, captures, Anchor::End, length)
    }

    pub(super) fn len(&self) -> usize {
        self.steady.len()
    }

    /// Whether each capture has one value in the range.
    pub(super) fn is_steady(&self, range: Range<usize>) -> bool {
        self.steady.get(range).is_some_and(|it| it.iter().all(|it| *it))
    }

    /// The captures by what stands in the range.
    pub(super) fn partition(&self, range: &Range<usize>) -> Partition {
        Partition::of(self.one.iter().map(|it| it.and_then(|it| it.get(range.clone()))))
    }

    /// The byte that all captures have there, if it is the same.
    pub(super) fn constant(&self, at: usize) -> Option<u8> {
        if !self.is_steady(at..at.saturating_add(1)) {
            return None;
        }
        let mut all = self.one.iter().flatten().filter_map(|it| it.get(at));
        let first = all.next()?;
        all.all(|it| it == first).then_some(*first)
    }

    /// How far apart the bytes are that captures have there.
    pub(super) fn spread(&self, at: usize) -> u8 {
        let all = self.one.iter().flatten().filter_map(|it| it.get(at));
        let (least, most) = (all.clone().min(), all.max());
        most.zip(least).map_or(0, |(most, least)| most.saturating_sub(*least))
    }

    /// Whether every capture has, in the range, only bytes that satisfy this.
    pub(super) fn all(&self, range: &Range<usize>, is: impl Fn(u8) -> bool) -> bool {
        let mut values = self.one.iter().flatten().filter_map(|it| it.get(range.clone()));
        values.all(|it| it.iter().all(|byte| is(*byte)))
    }

    /// The place of that range.
    pub(super) fn place(&self, number: usize, group: &Group<'a>, range: Range<usize>) -> Place<'a> {
        let (start, end) = (range.start, range.end);
        let spots = self.windows.iter().map(|(message, shift)| Spot {
            message: *message,
            range: start.saturating_add(*shift)..end.saturating_add(*shift),
        });
        Place {
            group: number,
            name: group.name.clone(),
            spots: spots.collect(),
            fixed: Some(Fixed {
                anchor: self.anchor,
                range,
                length: self.len(),
            }),
        }
    }
}

/// The first position behind the anchor at which every message has text behind one or two bytes of its length: the text of
/// each, if there is such a position.
pub(super) fn prefixed_text<'a>(messages: &[(Message<'a>, usize)]) -> Option<(usize, Vec<Spot<'a>>)> {
    const SHORTEST: usize = 2;
    const LONG: usize = 5;
    const LONGEST: usize = 128;
    let text = |message: &Message<'a>, at: usize, width: usize, little: bool| {
        let bytes = message.bytes();
        let prefix = bytes.get(at..at.checked_add(width)?)?;
        let length = match (prefix, little) {
            ([one], _) => usize::from(*one),
            ([low, high], true) | ([high, low], false) => usize::from(*high).checked_mul(256)?.checked_add(usize::from(*low))?,
            _ => return None,
        };
        let start = at.checked_add(width)?;
        let range = start..start.checked_add(length)?;
        let value = bytes.get(range.clone())?;
        let is_text = value.iter().all(|it| it.is_ascii_alphanumeric() || b"-_+/=.:@".contains(it));
        ((SHORTEST..=LONGEST).contains(&length) && is_text).then_some(Spot { message: *message, range })
    };
    let shortest = messages.iter().map(|(it, at)| it.bytes().len().saturating_sub(*at)).min()?;
    for offset in 0..shortest {
        for (width, little) in [(1, false), (2, false), (2, true)] {
            let spots: Option<Vec<Spot<'a>>> = messages
                .iter()
                .map(|(message, at)| text(message, at.checked_add(offset)?, width, little))
                .collect();
            let Some(spots) = spots else { continue };
            let lengths = spots.iter().map(|it| it.range.len());
            // Of one length, it has to be long: a small number before a few letters is none.
            if lengths.clone().min() != lengths.clone().max() || lengths.min() >= Some(LONG) {
                return Some((offset, spots));
            }
        }
    }
    None
}

/// Values of a place, numbered in the order of the captures.
pub(super) fn numbered(column: &[Option<&[u8]>]) -> Vec<Option<u64>> {
    let mut numbers: BTreeMap<&[u8], u64> = BTreeMap::new();
    let mut number = |value| {
        let next = numbers.len() as u64;
        *numbers.entry(value).or_insert(next)
    };
    column.iter().map(|it| it.map(&mut number)).collect()
}
