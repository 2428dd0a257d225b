//! Ids of connections: the same in every message of a conversation, another in the next, and spoken by both ends. A stream
//! number or a token is spoken by one end only, and a start time grows from one conversation to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use farshore_model::identifier::{Firmness, Identifier, Role, Support};
use farshore_model::{Direction, FlowId};

use super::claims::evidence;
use super::design::Captures;
use super::encoding;
use super::groups::{Group, Message};
use super::partition::Partition;
use super::places::{Place, Spot};

/// Conversations below which nothing is said.
const LEAST_FLOWS: usize = 8;
/// Captures that have to show a second conversation.
const LEAST_AGAIN: usize = 2;
/// Bytes of an id of a connection.
const WIDTHS: Range<usize> = 2..65;
/// Bytes it has where nothing but its position tells its limits.
const USUAL: [usize; 6] = [4, 8, 12, 16, 20, 32];
/// Corrected p up to which it is a claim.
const LEVEL: f64 = 0.01;

/// Places whose values behave like ids of connections.
pub(super) struct Sessions<'a> {
    /// What each end says in each conversation.
    said: BTreeMap<(FlowId, bool), Vec<&'a [u8]>>,
    found: Vec<Place<'a>>,
    /// How many places were steady within conversations.
    pub(super) tried: usize,
}

impl<'a> Sessions<'a> {
    pub(super) fn new(groups: &[Group<'a>]) -> Self {
        let mut said: BTreeMap<(FlowId, bool), Vec<&[u8]>> = BTreeMap::new();
        let whole = groups.iter().filter(|it| it.narrowed == 0 && !it.field);
        for message in whole.flat_map(|it| &it.messages) {
            let up = message.specimen.direction == Some(Direction::Up);
            said.entry((message.specimen.flow, up)).or_default().push(message.bytes());
        }
        Self {
            said,
            found: Vec::new(),
            tried: 0,
        }
    }

    /// Takes a place that its structure limits.
    pub(super) fn consider(&mut self, place: &Place<'a>, captures: &Captures) {
        if is_of_sessions(&place.spots, captures) {
            self.tried = self.tried.saturating_add(1);
            if self.both_say(&place.spots) && !grows(&place.spots, captures) {
                self.found.push(Place {
                    group: place.group,
                    name: place.name.clone(),
                    fixed: place.fixed.clone(),
                    spots: place.spots.clone(),
                });
            }
        }
    }

    /// Looks at the positions of a group: runs of bytes that are steady within each conversation and not within captures.
    pub(super) fn spans(&mut self, number: usize, group: &Group<'a>, captures: &Captures) {
        let changes = change_between_conversations(&group.messages, captures);
        let mut at = 0;
        while let Some(start) = changes.iter().skip(at).position(|it| *it).map(|it| it.saturating_add(at)) {
            let run = changes.iter().skip(start).take_while(|it| **it).count();
            let end = start.saturating_add(run);
            at = end;
            // Two or three bytes that stay while a conversation lasts are the high ones of a clock as well.
            if !USUAL.contains(&run) {
                continue;
            }
            let mut range = start..end;
            // Beside it may stand what several conversations share, such as what their relay has.
            let middle = start.saturating_add(run / 2);
            let differ = |range: &Range<usize>| values_differ(&group.messages, range);
            match (differ(&(start..middle)), differ(&(middle..end))) {
                (true, false) if run > 4 => range = start..middle,
                (false, true) if run > 4 => range = middle..end,
                _ => {}
            }
            let Range { start, end } = range;
            let spots = group.messages.iter().map(|message| Spot {
                message: *message,
                range: start..end,
            });
            let place = Place {
                group: number,
                name: format!("{}, offset {start}..{end}", group.name),
                fixed: None,
                spots: spots.collect(),
            };
            self.consider(&place, captures);
        }
    }

    /// Whether the other end says the value as well, in nearly every conversation in which it says anything.
    fn both_say(&self, spots: &[Spot<'a>]) -> bool {
        let (mut asked, mut said) = (0_usize, 0_usize);
        for (flow, spot) in first_of_each(spots) {
            let up = spot.message.specimen.direction == Some(Direction::Up);
            let Some(others) = self.said.get(&(flow, !up)) else { continue };
            asked = asked.saturating_add(1);
            let value = spot.value();
            let says = |it: &&[u8]| it.windows(value.len().max(1)).any(|it| it == value);
            said = said.saturating_add(usize::from(others.iter().any(says)));
        }
        asked >= LEAST_FLOWS / 2 && said.saturating_mul(10) >= asked.saturating_mul(9)
    }

    /// What it comes to.
    pub(super) fn settle(self, captures: &Captures, orders: &BTreeMap<usize, bool>, groups: &[Group<'_>]) -> Vec<Identifier> {
        let tried = self.tried.max(1);
        let mut places = self.found;
        places.sort_by_key(|it| std::cmp::Reverse(it.spots.len()));
        let mut told: BTreeSet<(usize, usize)> = BTreeSet::new();
        let mut found = Vec::new();
        for place in places {
            let inside = |it: &Spot<'_>| it.range.clone().any(|at| told.contains(&(it.message.index, at)));
            if place.spots.iter().filter(|it| inside(it)).count().saturating_mul(2) > place.spots.len() {
                continue;
            }
            for spot in &place.spots {
                told.extend(spot.range.clone().map(|at| (spot.message.index, at)));
            }
            let little = groups.get(place.group).and_then(|it| orders.get(&it.of)).copied();
            found.push(identifier(&place, captures, little, tried));
        }
        found
    }
}

#[expect(clippy::cast_precision_loss, reason = "hypotheses are counted")]
fn identifier(place: &Place<'_>, captures: &Captures, little: Option<bool>, tried: usize) -> Identifier {
    let p_single = Partition::of(place.spots.iter().map(|it| Some(it.message.specimen.flow))).chance();
    let p_value = (p_single * tried as f64).min(1.0);
    let first = first_of_each(&place.spots);
    let values: Vec<&[u8]> = first.values().map(|it| it.value()).collect();
    let seen: BTreeSet<usize> = place.spots.iter().map(|it| it.message.capture).collect();
    let mask = place.spots.first().map_or(0, |it| it.message.mask);
    let encoding = encoding::name(&values, little);
    Identifier {
        roles: vec![Role::Session],
        firmness: if p_value <= LEVEL { Firmness::Claim } else { Firmness::Candidate },
        place: place.title(),
        encoding: if mask == 0 { encoding } else { format!("{encoding}^{mask:02x}") },
        distinct: values.len() as u64,
        support: Support {
            captures: seen.len().min(captures.inputs) as u64,
            sessions: first.len() as u64,
            messages: place.spots.len() as u64,
        },
        because: format!(
            "each of {} conversations has one value here, another than all the rest, and both ends say it",
            first.len()
        ),
        p_value,
        p_single,
        least_p: p_single,
        confirmed_on: seen.iter().filter(|it| captures.is_aside(**it)).count() as u64,
        table: vec![None; captures.inputs],
        evidence: evidence(&place.spots),
    }
}

/// The first of each conversation.
fn first_of_each<'s, 'a>(spots: &'s [Spot<'a>]) -> BTreeMap<FlowId, &'s Spot<'a>> {
    let mut first = BTreeMap::new();
    for it in spots {
        first.entry(it.message.specimen.flow).or_insert(it);
    }
    first
}

/// Whether each conversation has one value, all have different ones, and enough of them are asked more than once.
fn is_of_sessions(spots: &[Spot<'_>], captures: &Captures) -> bool {
    let mut times: BTreeMap<FlowId, usize> = BTreeMap::new();
    let mut values: BTreeMap<FlowId, &[u8]> = BTreeMap::new();
    for it in spots {
        let flow = it.message.specimen.flow;
        let value = it.value();
        if !WIDTHS.contains(&value.len()) || *values.entry(flow).or_insert(value) != value {
            return false;
        }
        let count = times.entry(flow).or_default();
        *count = count.saturating_add(1);
    }
    let different: BTreeSet<&[u8]> = values.values().copied().collect();
    let again = times.values().filter(|it| **it > 1).count();
    let mut flows: BTreeMap<usize, usize> = BTreeMap::new();
    for flow in values.keys() {
        let count = flows.entry(captures.party(*flow).unwrap_or(usize::MAX)).or_default();
        *count = count.saturating_add(1);
    }
    let reconnects = flows.values().filter(|it| **it > 1).count();
    let whole = different.len() == values.len();
    whole
        && values.len() >= LEAST_FLOWS
        && again.saturating_mul(2) >= values.len()
        && reconnects >= if captures.inputs == 1 { 1 } else { LEAST_AGAIN }
        && !is_port(spots, captures)
}

/// Whether each conversation has a value of its own there.
fn values_differ(messages: &[Message<'_>], range: &Range<usize>) -> bool {
    let values: BTreeSet<(FlowId, &[u8])> = messages
        .iter()
        .filter_map(|it| Some((it.specimen.flow, it.bytes().get(range.clone())?)))
        .collect();
    let different: BTreeSet<&[u8]> = values.iter().map(|it| it.1).collect();
    different.len() == values.len()
}

/// Whether the value is a port of its conversation.
fn is_port(spots: &[Spot<'_>], captures: &Captures) -> bool {
    let is = |it: &Spot<'_>| {
        let port = captures.client_port(it.message.specimen.flow);
        port.is_some_and(|port| it.value() == port.to_be_bytes() || it.value() == port.to_le_bytes())
    };
    spots.iter().all(is)
}

/// Whether values grow, or fall, from each conversation to the next: then they are times, or counted.
fn grows(spots: &[Spot<'_>], captures: &Captures) -> bool {
    let first = first_of_each(spots);
    let mut by_time: Vec<(i64, &[u8])> = first
        .iter()
        .filter_map(|(flow, spot)| Some((captures.began(*flow)?, spot.value())))
        .collect();
    by_time.sort_unstable();
    let ordered = |less: &dyn Fn(&[u8], &[u8]) -> bool| by_time.windows(2).all(|it| matches!(it, [a, b] if less(a.1, b.1)));
    let reversed = |it: &[u8]| it.iter().rev().copied().collect::<Vec<_>>();
    let numbers = |a: &[u8], b: &[u8]| (a.len(), a) < (b.len(), b);
    let little = |a: &[u8], b: &[u8]| reversed(a) < reversed(b);
    by_time.len() > 2 && (ordered(&numbers) || ordered(&|a, b| numbers(b, a)) || ordered(&little) || ordered(&|a, b| little(b, a)))
}

/// By position: whether its byte is the same throughout each conversation, and changes between those of a party.
fn change_between_conversations(messages: &[Message<'_>], captures: &Captures) -> Vec<bool> {
    let length = messages.iter().map(|it| it.bytes().len()).min().unwrap_or(0);
    let mut of_flow: BTreeMap<FlowId, &[u8]> = BTreeMap::new();
    let mut of_party: BTreeMap<Option<usize>, &[u8]> = BTreeMap::new();
    let (mut steady, mut changes) = (vec![true; length], vec![false; length]);
    for it in messages {
        let bytes = it.bytes();
        let flow = it.specimen.flow;
        let party = captures.party(flow);
        let (flow, party) = (*of_flow.entry(flow).or_insert(bytes), *of_party.entry(party).or_insert(bytes));
        for ((((steady, changes), byte), of_flow), of_party) in steady.iter_mut().zip(&mut changes).zip(bytes).zip(flow).zip(party) {
            *steady &= byte == of_flow;
            *changes |= byte != of_party;
        }
    }
    steady.into_iter().zip(changes).map(|(steady, changes)| steady && changes).collect()
}
