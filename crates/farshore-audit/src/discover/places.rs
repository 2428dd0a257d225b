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
    /// Where in the messages, as it is shown.
    pub(super) name: String,
    /// A structure of the messages gave it its limits: it needs none found.
    pub(super) limited: bool,
    /// The values.
    pub(super) spots: Vec<Spot<'a>>,
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

    /// The conversations it was seen in.
    pub(super) fn flows(&self) -> BTreeSet<FlowId> {
        self.spots.iter().map(|it| it.message.specimen.flow).collect()
    }
}

/// What each capture has at each byte of a group's messages, counted from one end.
pub(super) struct Matrix<'a> {
    /// By capture: a message of it.
    one: Vec<Option<&'a [u8]>>,
    /// By position: whether every capture has one byte there.
    steady: Vec<bool>,
    from_end: bool,
}

impl<'a> Matrix<'a> {
    pub(super) fn of(group: &Group<'a>, captures: usize, from_end: bool) -> Self {
        let length = group.messages.iter().map(|it| it.bytes().len()).min().unwrap_or(0);
        let mut one: Vec<Option<&[u8]>> = vec![None; captures];
        let mut steady = vec![true; length];
        for it in &group.messages {
            let bytes = it.bytes();
            // From the end, only what was kept to the end can be compared.
            let part = if from_end {
                bytes.len().checked_sub(length).and_then(|at| bytes.get(at..))
            } else {
                bytes.get(..length)
            };
            let part = part.unwrap_or_default();
            match one.get_mut(it.capture) {
                Some(Some(known)) => {
                    for ((steady, a), b) in steady.iter_mut().zip(*known).zip(part) {
                        *steady &= a == b;
                    }
                }
                Some(known) => *known = Some(part),
                None => {}
            }
        }
        Self { one, steady, from_end }
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

    /// Whether every capture has, in the range, only bytes that satisfy this.
    pub(super) fn all(&self, range: &Range<usize>, is: impl Fn(u8) -> bool) -> bool {
        let mut values = self.one.iter().flatten().filter_map(|it| it.get(range.clone()));
        values.all(|it| it.iter().all(|byte| is(*byte)))
    }

    /// The place of that range.
    pub(super) fn place(&self, number: usize, group: &Group<'a>, range: Range<usize>) -> Place<'a> {
        let (start, end, length) = (range.start, range.end, self.len());
        let spots = group.messages.iter().filter_map(|message| {
            let shift = if self.from_end {
                message.bytes().len().checked_sub(length)?
            } else {
                0
            };
            Some(Spot {
                message: *message,
                range: start.saturating_add(shift)..end.saturating_add(shift),
            })
        });
        let name = if self.from_end {
            let back = |at: usize| length.saturating_sub(at);
            format!("{}, {} to {} bytes before the end", group.name, back(start), back(end))
        } else {
            format!("{}, offset {start}..{end}", group.name)
        };
        Place {
            group: number,
            name,
            limited: false,
            spots: spots.collect(),
        }
    }
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
