//! What is readable on the wire, and by whom.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use farshore_model::party::Destination;
use farshore_model::{Answer, Audit, DatumKind, Exposure, Outcome, Protection, ReaderRole};

use super::phrase::{count, long, name, some, some_of};
use super::{FrameRef, Item, Tone};
use crate::words::{self, Word};

/// Exposures that are told in one sentence.
struct Group<'a> {
    rank: (u8, u8, u8),
    members: Vec<&'a Exposure>,
}

/// One group of exposures, told.
pub struct Told {
    /// As an item of the list.
    pub item: Item,
    /// As a sentence of its own.
    pub sentence: String,
}

/// Destinations beyond which the same kind is told once for all of them.
const APART: usize = 3;

pub fn told(audit: &Audit) -> Vec<Told> {
    let breached = breached(audit);
    let alike: Vec<_> = (0..)
        .zip(&audit.exposures)
        .map(|(index, it)| (rank(it, breached.contains(&index)), &it.kind, it.protection, Answers::of(it)))
        .collect();
    let mut receivers: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (key, it) in alike.iter().zip(&audit.exposures) {
        let some = receivers.entry(*key).or_default();
        if some.len() <= APART && !some.contains(&it.destination) {
            some.push(it.destination);
        }
    }
    let mut groups: BTreeMap<_, Group<'_>> = BTreeMap::new();
    for (key, it) in alike.iter().zip(&audit.exposures) {
        // What nobody but its receiver reads, and names, are told together whatever the destination.
        let together = is_told_together(it) || receivers.get(key).is_some_and(|some| some.len() > APART);
        let rank = key.0;
        let key = (*key, (!together).then_some(it.destination));
        groups
            .entry(key)
            .or_insert_with(|| Group { rank, members: vec![] })
            .members
            .push(it);
    }
    let mut groups: Vec<Group<'_>> = groups.into_values().collect();
    groups.sort_by_key(|group| (group.rank, group.members.first().and_then(|it| frame(it))));
    groups.iter().map(|group| tell(audit, &group.members)).collect()
}

/// Exposures in the order in which they are told.
pub fn worst_first(audit: &Audit) -> Vec<(usize, &Exposure)> {
    let breached = breached(audit);
    let mut order: Vec<(usize, &Exposure)> = audit.exposures.iter().enumerate().collect();
    order.sort_by_cached_key(|(index, it)| (rank(it, breached.contains(index)), *index));
    order
}

/// Signs that somebody on the path changed what was sent.
pub fn tampering(audit: &Audit) -> impl Iterator<Item = Item> + '_ {
    audit
        .anomalies
        .iter()
        .filter(|it| it.kind.starts_with("interference"))
        .map(|it| Item::new(Tone::Bad, format!("signs of {}: {}", it.kind, long(&it.because))).at(it.evidence.first().map(FrameRef::of)))
}

fn breached(audit: &Audit) -> HashSet<usize> {
    let breached = audit.verdicts.iter().filter(|it| it.outcome == Outcome::Breached);
    breached.flat_map(|it| it.exposures.iter().copied()).collect()
}

fn is_told_together(exposure: &Exposure) -> bool {
    exposure.kind == DatumKind::HOSTNAME || tone(exposure) != Tone::Bad
}

/// Worst first: breached, then readable by strangers, then by how much the kind tells of a person.
fn rank(exposure: &Exposure, breached: bool) -> (u8, u8, u8) {
    let readable = match tone(exposure) {
        Tone::Bad => 0,
        Tone::Plain if exposure.kind == DatumKind::HOSTNAME => 1,
        Tone::Doubt => 2,
        Tone::Plain | Tone::Good => 3,
    };
    let kind = match exposure.kind.as_str() {
        "credential" => 0,
        "audio" | "video" => 1,
        "phone" | "email" | "location" => 2,
        "imei" | "imsi" | "mac" | "ad-id" | "device-id" => 3,
        "user-id" => 4,
        "room-id" | "cookie" => 5,
        "url" => 7,
        "content" => 8,
        "hostname" => 9,
        _ => 6,
    };
    (u8::from(!breached), readable, kind)
}

/// Whether strangers can read it. A host name that a channel has to show is no alarm by itself.
fn tone(exposure: &Exposure) -> Tone {
    let strangers = exposure
        .readers
        .iter()
        .filter(|it| matches!(it.role, ReaderRole::OnPath | ReaderRole::Relay));
    match strangers.map(|it| it.answer).min() {
        _ if exposure.kind == DatumKind::HOSTNAME => Tone::Plain,
        Some(Answer::Yes) => Tone::Bad,
        Some(Answer::CannotTell) => Tone::Doubt,
        // Sealed on the path is no praise: its receiver reads it.
        Some(Answer::No) => Tone::Plain,
        None if exposure.protection == Protection::Plaintext => Tone::Bad,
        None => Tone::Plain,
    }
}

/// Whether strangers can read it, and it is more than a name that a channel has to show.
pub fn is_alarming(exposure: &Exposure) -> bool {
    tone(exposure) == Tone::Bad
}

fn frame(exposure: &Exposure) -> Option<FrameRef> {
    exposure.evidence.first().map(FrameRef::of)
}

/// Exposures told in one line.
pub fn of(audit: &Audit, members: &[&Exposure]) -> Item {
    tell(audit, members).item
}

fn tell(audit: &Audit, members: &[&Exposure]) -> Told {
    let Some(first) = members.first() else {
        return Told {
            item: Item::new(Tone::Plain, ""),
            sentence: String::new(),
        };
    };
    // There can be tens of thousands of members: only what is shown is put in words.
    let receivers: Vec<&Destination> = {
        let mut indices: Vec<usize> = members.iter().map(|it| it.destination).collect();
        indices.sort_unstable();
        indices.dedup();
        indices.iter().filter_map(|index| audit.destinations.get(*index)).collect()
    };
    let receiver = |it: &&Destination| name(&it.name);
    let mut prints = HashSet::new();
    let values: Vec<&Exposure> = members
        .iter()
        .copied()
        .filter(|it| prints.insert((it.value.print, &it.value.masked)))
        .collect();
    let value = |it: &&Exposure| value(it, audit.show_pii);
    let what = match values.as_slice() {
        all if is_media(first) => streams(first.kind.as_str(), &all.iter().map(value).collect::<Vec<_>>()),
        [one] if first.kind == DatumKind::CONTENT => format!("{} ({})", name(first.kind.as_str()), value(one)),
        [one] => format!("{} {}", name(first.kind.as_str()), value(one)),
        _ if first.kind == DatumKind::CONTENT => format!("content of {} channels", values.len()),
        _ => format!(
            "{} {} values ({})",
            values.len(),
            name(first.kind.as_str()),
            some_of(&values, 2, value)
        ),
    };
    let to = match receivers.as_slice() {
        [] => String::new(),
        _ if first.kind == DatumKind::HOSTNAME && receivers.len() > 1 => String::new(),
        [same] if values.first().map(value) == Some(receiver(same)) => String::new(),
        _ => format!(" → {}", some_of(&receivers, 3, receiver)),
    };
    let times: u64 = members.iter().fold(0, |sum, it| sum.saturating_add(it.count));
    let times = if times > 1 && !is_media(first) {
        format!(", {}", count(times, "time"))
    } else {
        String::new()
    };
    let fields: BTreeSet<&str> = members.iter().map(|it| it.field.as_str()).collect();
    let fields: Vec<String> = fields.into_iter().map(name).collect();
    let how = format!("{}, as {}{times}", protection(first.protection), some(&fields, 2),);
    let go = if values.len() == 1 || is_media(first) { "goes" } else { "go" };
    let whom = if receivers.is_empty() {
        String::new()
    } else {
        format!(" to {}", some_of(&receivers, 3, receiver))
    };
    let who = if strangers(first, ReaderRole::OnPath) {
        "whoever carries the frames can read it"
    } else {
        "it is passed on to others"
    };
    let the = if values.len() == 1 || first.kind == DatumKind::CONTENT {
        "The "
    } else {
        ""
    };
    Told {
        sentence: format!("{the}{what} {go} {}{whom}: {who}.", protection(first.protection)),
        item: Item::new(tone(first), format!("{what}{to}, {how}"))
            .detail(readers(first))
            .at(members.iter().filter_map(|it| frame(it)).min()),
    }
}

fn is_media(exposure: &Exposure) -> bool {
    matches!(exposure.kind.as_str(), "audio" | "video")
}

/// `audio in 3 streams (PCMU)`.
fn streams(kind: &str, values: &[String]) -> String {
    let codecs: BTreeSet<&str> = values.iter().map(|it| it.split(", SSRC").next().unwrap_or(it)).collect();
    let codecs: Vec<&str> = codecs.into_iter().collect();
    format!("{kind} in {} ({})", count(values.len(), "stream"), some(&codecs, 3))
}

fn strangers(exposure: &Exposure, role: ReaderRole) -> bool {
    let mut of_role = exposure.readers.iter().filter(|it| it.role == role).peekable();
    // Where nobody was asked, what stands in the clear is read by whoever carries it.
    (of_role.peek().is_none() && exposure.protection == Protection::Plaintext) || of_role.any(|it| it.answer == Answer::Yes)
}

fn value(exposure: &Exposure, show_pii: bool) -> String {
    let value = name(words::value(exposure, show_pii));
    match &exposure.known_as {
        Some(known) => format!("{value} “{}”", name(known)),
        None if value.is_empty() => name(&exposure.label()),
        None => value,
    }
}

/// `in the clear`, `under tls`, …
fn protection(protection: Protection) -> String {
    match protection {
        Protection::Plaintext => "in the clear".to_owned(),
        Protection::Opaque => "in no known format".to_owned(),
        Protection::Empty => "without payload".to_owned(),
        Protection::Unknown => "in a flow log".to_owned(),
        known => format!("under {}", known.word()),
    }
}

/// Roles with their answers, each pair once: bits in the order of the pairs. Sets compare as their sorted lists would.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Answers(u32);

const ROLES: [ReaderRole; 6] = [
    ReaderRole::OnPath,
    ReaderRole::DnsResolver,
    ReaderRole::Hosting,
    ReaderRole::Relay,
    ReaderRole::Endpoint,
    ReaderRole::Owner,
];
const ANSWERS: [Answer; 3] = [Answer::Yes, Answer::No, Answer::CannotTell];

impl Answers {
    fn of(exposure: &Exposure) -> Self {
        Self(exposure.readers.iter().fold(0, |set, it| set | Self::bit(it.role, it.answer)))
    }

    const fn bit(role: ReaderRole, answer: Answer) -> u32 {
        1 << (role as u32 * 3 + answer as u32)
    }

    fn iter(self) -> impl Iterator<Item = (ReaderRole, Answer)> {
        let all = ROLES.into_iter().flat_map(|role| ANSWERS.map(|answer| (role, answer)));
        all.filter(move |(role, answer)| self.0 & Self::bit(*role, *answer) != 0)
    }
}

impl Ord for Answers {
    fn cmp(&self, other: &Self) -> Ordering {
        let differ = self.0 ^ other.0;
        if differ == 0 {
            return Ordering::Equal;
        }
        // Up to the first difference they are alike; there one goes on with it, the other with more or not at all.
        let first = differ & differ.wrapping_neg();
        let (has, lacks) = if self.0 & first == 0 { (other, self) } else { (self, other) };
        let order = if lacks.0 > first { Ordering::Less } else { Ordering::Greater };
        if std::ptr::eq(has, self) { order } else { order.reverse() }
    }
}

impl PartialOrd for Answers {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// `on-path yes · relay yes · owner cannot tell`.
fn readers(exposure: &Exposure) -> String {
    let readers = Answers::of(exposure)
        .iter()
        .map(|(role, it)| format!("{} {}", role.word(), answer(it)));
    readers.collect::<Vec<_>>().join(" · ")
}

/// The answer as it is spoken.
pub fn answer(answer: Answer) -> &'static str {
    match answer {
        Answer::Yes => "yes",
        Answer::No => "no",
        Answer::CannotTell => "cannot tell",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_answers_compare_as_their_lists() {
        let sets: Vec<Answers> = (0..64).chain([1 << 17, 1 << 17 | 1, (1 << 18) - 1]).map(Answers).collect();
        for (a, b) in sets.iter().flat_map(|a| sets.iter().map(move |b| (*a, *b))) {
            let lists: [Vec<_>; 2] = [a, b].map(|it| it.iter().collect());
            assert_eq!(a.cmp(&b), lists[0].cmp(&lists[1]), "{lists:?}");
        }
    }
}
