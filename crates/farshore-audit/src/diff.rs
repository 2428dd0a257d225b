//! What a fix changed: two audits, compared. A pure function of both; docs/diff.md argues its rules.
//!
//! It refuses to take absence for a fix: what is not seen any more is `fixed` only where the same app reached the same organisation
//! again, payload went both ways, and nothing new stood in the way of seeing it.

use std::collections::{BTreeMap, BTreeSet};

use farshore_model::diff::{Both, Change, Diff, Outcome, What};
use farshore_model::flow::Protection;
use farshore_model::ledger::InputRecord;
use farshore_model::party::Destination;
use farshore_model::runs::Contact;
use farshore_model::{Answer, Audit, DatumKind, Exposure, InputId, ReaderRole, Runs, verdict};

/// One side of a comparison.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// The audit.
    pub audit: &'a Audit,
    /// In which run what was seen; `None`: nobody tells.
    pub runs: Option<&'a Runs>,
}

/// How values of the two sides can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// Both were read by one program: equal values have equal prints.
    Prints {
        /// Values that were not looked for in every encoding: where they are not seen they may be there in another, so they are not fixed.
        untried: BTreeSet<[u8; 16]>,
    },
    /// Both have digests of one key.
    Digests,
    /// Not at all: then nothing is fixed.
    Incomparable,
}

impl Values {
    /// How values of saved audits can be compared: by digests, where these are known to be of one key.
    pub fn of_saved(before: &Audit, after: &Audit) -> Self {
        let keys = [before, after].map(|it| it.tool.digest_key.as_ref());
        let digests = |it: &Audit| -> BTreeSet<String> { it.exposures.iter().filter_map(|it| it.value.digest.clone()).collect() };
        let same = match keys {
            [Some(a), Some(b)] => a == b,
            // An older audit does not tell its key. One digest that both have does.
            _ => !digests(before).is_disjoint(&digests(after)),
        };
        if same { Self::Digests } else { Self::Incomparable }
    }
}

/// The most likely miss that still counts as gone.
const LIKELY: f64 = 0.05;

/// Compares.
pub fn diff(before: Side<'_>, after: Side<'_>, values: Values) -> Diff {
    let mut limits = Vec::new();
    if values == Values::Incomparable {
        limits.push(
            "values of the two sides cannot be compared, so re-encoding was not tested and nothing is fixed: compare captures, or audits saved \
             with the same --digest-key"
                .to_owned(),
        );
    }
    for (side, name) in [(before, "before"), (after, "after")] {
        if side.runs.is_none() {
            limits.push(format!(
                "the audit {name} was saved by a version that does not tell which runs carried payload: nothing is known to be exercised"
            ));
        }
    }
    let both = Comparison {
        before: Seen::of(before),
        after: Seen::of(after),
        values,
        losses: losses(before.audit, after.audit),
    };
    let mut changes = both.exposures();
    changes.extend(both.destinations());
    changes.extend(verdicts(before.audit, after.audit, &both.values));
    changes.sort_by(|a, b| (a.outcome, a.what, &a.subject).cmp(&(b.outcome, b.what, &b.subject)));
    Diff { changes, limits }
}

/// Who a destination is, whatever its address was in one run or another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Party(String);

impl Party {
    fn of(it: &Destination) -> Self {
        Self(match (&it.organisation, &it.domain) {
            (Some(organisation), _) => format!("organisation {}", organisation.id),
            (None, Some(domain)) => domain.clone(),
            (None, None) => it.name.to_string(),
        })
    }
}

/// The name of a destination; an address within an organisation is one of its machines, and goes by that.
fn named(it: &Destination) -> String {
    match &it.organisation {
        Some(organisation) if it.name.parse::<std::net::IpAddr>().is_ok() => format!("{} (by address)", organisation.name),
        _ => it.name.to_string(),
    }
}

/// What makes exposures of two runs the same thing. Values differ from run to run, as users and sessions do: they are compared apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    party: Party,
    kind: String,
    field: String,
    protection: Protection,
    /// Of names the name.
    name: Option<String>,
}

/// One side, by parties.
struct Seen<'a> {
    audit: &'a Audit,
    runs: Option<&'a Runs>,
    groups: BTreeMap<Key, Vec<usize>>,
    parties: BTreeMap<Party, Vec<usize>>,
}

impl<'a> Seen<'a> {
    fn of(side: Side<'a>) -> Self {
        let mut parties: BTreeMap<Party, Vec<usize>> = BTreeMap::new();
        for (at, it) in side.audit.destinations.iter().enumerate() {
            parties.entry(Party::of(it)).or_default().push(at);
        }
        let mut groups: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
        for (at, it) in side.audit.exposures.iter().enumerate() {
            // What an encrypted channel carries as a whole is no datum that a fix takes away.
            let sealed = it.kind == DatumKind::CONTENT && on_path(it) != Some(Answer::Yes);
            if let (Some(to), false) = (side.audit.destinations.get(it.destination), sealed) {
                let key = Key {
                    party: Party::of(to),
                    kind: it.kind.as_str().to_owned(),
                    field: it.field.to_string(),
                    protection: it.protection,
                    name: (it.kind == DatumKind::HOSTNAME).then(|| it.value.masked.clone()),
                };
                groups.entry(key).or_default().push(at);
            }
        }
        Self {
            audit: side.audit,
            runs: side.runs,
            groups,
            parties,
        }
    }

    fn exposures<'s>(&'s self, group: &'s [usize]) -> impl Iterator<Item = &'s Exposure> {
        group.iter().filter_map(|at| self.audit.exposures.get(*at))
    }

    /// How the destinations were reached.
    fn contacts<'s>(&'s self, destinations: &'s [usize]) -> impl Iterator<Item = &'s Contact> {
        let all = self.runs.map_or(&[][..], |it| &it.contacts);
        destinations.iter().filter_map(|at| all.get(*at)).flatten()
    }

    /// Who sent it: the app the capture names, else the one the input was labelled with; nobody in particular where neither tells.
    fn actor(&self, it: &Contact) -> Option<String> {
        let label = || self.label(it.input);
        it.app.as_ref().map(ToString::to_string).or_else(label)
    }

    fn label(&self, input: InputId) -> Option<String> {
        let input = self.audit.inputs.get(usize::try_from(input.0).ok()?)?;
        input.labels.get("app").filter(|it| !it.is_empty()).cloned()
    }

    /// The runs in which exposures were seen.
    fn inputs(&self, group: &[usize]) -> BTreeSet<InputId> {
        let all = self.runs.map_or(&[][..], |it| &it.inputs);
        group.iter().filter_map(|at| all.get(*at)).flatten().copied().collect()
    }

    /// Runs in which one of these reached one of those, with payload both ways.
    fn exercised(&self, destinations: &[usize], actors: &BTreeSet<Option<String>>) -> BTreeSet<InputId> {
        let those = self.contacts(destinations);
        those
            .filter(|it| it.is_exchange() && actors.contains(&self.actor(it)))
            .map(|it| it.input)
            .collect()
    }
}

/// Whether whoever is on the path can read it.
fn on_path(it: &Exposure) -> Option<Answer> {
    it.readers.iter().find(|it| it.role == ReaderRole::OnPath).map(|it| it.answer)
}

/// What a value goes by when two sides are compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ValueId {
    Print([u8; 16]),
    Digest(String),
    Known(String),
    Name(String),
}

struct Comparison<'a> {
    before: Seen<'a>,
    after: Seen<'a>,
    values: Values,
    /// Why less could be seen after than before.
    losses: Vec<String>,
}

/// What stands between "not seen" and "gone".
enum Absence {
    Gone(String),
    Unknown(String),
}

impl Comparison<'_> {
    fn ids(&self, it: &Exposure) -> Vec<ValueId> {
        if it.kind == DatumKind::HOSTNAME {
            return vec![ValueId::Name(it.value.masked.clone())];
        }
        // A digest of 32 bits says little of the value.
        if it.disguise == farshore_model::sighting::Disguise::WeakDigest {
            return Vec::new();
        }
        let own = match self.values {
            Values::Prints { .. } => Some(ValueId::Print(it.value.print)),
            Values::Digests => it.value.digest.clone().map(ValueId::Digest),
            Values::Incomparable => None,
        };
        own.into_iter().chain(it.known_as.clone().map(ValueId::Known)).collect()
    }

    /// Groups of one side that are the same thing as a group of the other: the same field, or the same value on its way to the same party.
    fn matching<'s>(&self, key: &Key, group: &[usize], of: &Seen<'_>, among: &'s Seen<'_>) -> Vec<(&'s Key, &'s Vec<usize>)> {
        let ids: BTreeSet<_> = of.exposures(group).flat_map(|it| self.ids(it)).collect();
        let same_value = |other: &[usize]| among.exposures(other).any(|it| self.ids(it).iter().any(|it| ids.contains(it)));
        among
            .groups
            .iter()
            // A name that is not asked for again, as it is remembered, stands in the next handshake all the same.
            .filter(|(other, _)| other.name == key.name && (key.name.is_some() || other.party == key.party))
            .filter(|(other, all)| {
                let field = other.kind == key.kind && other.field == key.field;
                // Streams go by numbers drawn for each call.
                let stream = other.kind == key.kind && matches!(key.kind.as_str(), "audio" | "video");
                field || stream || same_value(all)
            })
            .collect()
    }

    fn exposures(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (key, group) in &self.before.groups {
            changes.push(self.since(key, group));
        }
        for (key, group) in &self.after.groups {
            let known = self.matching(key, group, &self.after, &self.before);
            let readable = |seen: &Seen<'_>, all: &[usize]| seen.exposures(all).any(|it| on_path(it) == Some(Answer::Yes));
            let worse = readable(&self.after, group) && !known.iter().any(|(_, all)| readable(&self.before, all));
            if !known.is_empty() && !worse {
                continue;
            }
            let to = self.after.parties.get(&key.party).map_or(&[][..], Vec::as_slice);
            let was = self.before.parties.get(&key.party).map_or(&[][..], Vec::as_slice);
            let before: Vec<usize> = known.iter().flat_map(|(_, all)| all.iter().copied()).collect();
            let because = match (known.is_empty(), was.is_empty()) {
                (false, _) => "whoever is on the path can read it now, and could not before",
                (true, true) => "its recipient was not seen before",
                (true, false) => "its recipient was not seen to be sent it before",
            };
            let actors = self.actors(&self.after, to, &self.after.inputs(group));
            changes.push(Change {
                outcome: Outcome::New,
                what: What::Exposure,
                subject: self.subject(&self.after, key, group),
                because: because.to_owned(),
                runs: Both {
                    before: count(&self.before.exercised(was, &actors)),
                    after: count(&self.after.exercised(to, &actors)),
                },
                seen: Both {
                    before: count(&self.before.inputs(&before)),
                    after: count(&self.after.inputs(group)),
                },
                before,
                after: group.clone(),
                miss_probability: None,
            });
        }
        changes
    }

    /// What became of what was exposed before.
    fn since(&self, key: &Key, group: &[usize]) -> Change {
        let still = self.matching(key, group, &self.before, &self.after);
        let after: Vec<usize> = still.iter().flat_map(|(_, all)| all.iter().copied()).collect();
        let was = self.before.parties.get(&key.party).map_or(&[][..], Vec::as_slice);
        let to = self.after.parties.get(&key.party).map_or(&[][..], Vec::as_slice);
        let (was, to) = match &key.name {
            // A name is exercised where the machine of that name was reached.
            Some(name) => (self.by_name(&self.before, name), self.by_name(&self.after, name)),
            None => (was.to_vec(), to.to_vec()),
        };
        let actors = self.actors(&self.before, &was, &self.before.inputs(group));
        let (ran_before, ran_after) = (self.before.exercised(&was, &actors), self.after.exercised(&to, &actors));
        let (seen_before, seen_after) = (self.before.inputs(group), self.after.inputs(&after));
        let exercised = !ran_after.is_empty();
        let ran_before: BTreeSet<InputId> = ran_before.union(&seen_before).copied().collect();
        let ran_after: BTreeSet<InputId> = ran_after.union(&seen_after).copied().collect();
        let open_before = self.before.exposures(group).any(|it| on_path(it) == Some(Answer::Yes));
        let miss = miss_probability(count(&seen_before), count(&ran_before), count(&ran_after));
        let (outcome, because) = if let Some((other, _)) = still.iter().find(|(it, _)| *it == key).or(still.first()) {
            let answers: BTreeSet<Option<Answer>> = self.after.exposures(&after).map(on_path).collect();
            let sealed = answers.iter().all(|it| *it == Some(Answer::No));
            if open_before && sealed {
                let lost = format!(
                    "whoever is on the path cannot read it any more, it goes under {}; its recipient still receives it",
                    protection(other.protection)
                );
                match self.doubt(&was, &to, &actors, false) {
                    _ if self.values == Values::Incomparable => (Outcome::NotExercised, INCOMPARABLE.to_owned()),
                    _ if !exercised => (Outcome::NotExercised, self.not_reached(&to, &actors)),
                    Some(doubt) => (Outcome::NotExercised, doubt),
                    None => (Outcome::Fixed, lost),
                }
            } else if open_before && !answers.contains(&Some(Answer::Yes)) {
                (
                    Outcome::NotExercised,
                    "whether whoever is on the path can still read it cannot be told".to_owned(),
                )
            } else if key.name.is_some() {
                (Outcome::NotFixed, format!("the name can still be read, in {}", other.field))
            } else if other.field != key.field {
                (
                    Outcome::NotFixed,
                    format!("the same value still reaches the same recipient, in {}", other.field),
                )
            } else {
                (
                    Outcome::NotFixed,
                    format!("it still reaches the same recipient, in {}", other.field),
                )
            }
        } else {
            match self.absence(
                key,
                (&was, &to),
                &actors,
                miss,
                (count(&seen_before), count(&ran_before), count(&ran_after)),
                open_before,
            ) {
                Absence::Gone(because) => (Outcome::Fixed, because),
                Absence::Unknown(because) => (Outcome::NotExercised, because),
            }
        };
        let (outcome, because) = match outcome {
            Outcome::Fixed if self.is_untried(group) => (Outcome::NotExercised, UNTRIED.to_owned()),
            _ => (outcome, because),
        };
        Change {
            outcome,
            what: What::Exposure,
            subject: self.subject(&self.before, key, group),
            because,
            before: group.to_vec(),
            miss_probability: if after.is_empty() { miss } else { None },
            after,
            runs: Both {
                before: count(&ran_before),
                after: count(&ran_after),
            },
            seen: Both {
                before: count(&seen_before),
                after: count(&seen_after),
            },
        }
    }

    /// Whether a value of it may be there in an encoding that was not looked for.
    fn is_untried(&self, group: &[usize]) -> bool {
        let Values::Prints { untried } = &self.values else { return false };
        self.before.exposures(group).any(|it| untried.contains(&it.value.print))
    }

    /// Whether what is not seen is gone.
    fn absence(
        &self,
        key: &Key,
        (was, to): (&[usize], &[usize]),
        actors: &BTreeSet<Option<String>>,
        miss: Option<f64>,
        (seen, ran, ran_after): (u64, u64, u64),
        open_before: bool,
    ) -> Absence {
        let unknown = |it: &str| Absence::Unknown(it.to_owned());
        if self.values == Values::Incomparable {
            return unknown(INCOMPARABLE);
        }
        if self.before.runs.is_none() || self.after.runs.is_none() {
            return unknown("a side does not tell which runs carried payload");
        }
        if ran_after == 0 {
            return Absence::Unknown(self.not_reached(to, actors));
        }
        if let Some(doubt) = self.doubt(was, to, actors, !open_before) {
            return Absence::Unknown(doubt);
        }
        if let Some(miss) = miss.filter(|miss| seen < ran && *miss > LIKELY) {
            return Absence::Unknown(format!(
                "it was seen in {seen} of {ran} runs before: to miss it in {ran_after} after is not unlikely ({miss:.2})"
            ));
        }
        let closed = self
            .after
            .contacts(to)
            .any(|it| it.is_exchange() && !it.read && actors.contains(&self.after.actor(it)));
        let what = if key.name.is_some() { "the name" } else { "the value" };
        Absence::Gone(if closed {
            format!(
                "whoever is on the path cannot read it any more; what its recipient receives is encrypted and was not opened, so {what} may be in it"
            )
        } else {
            format!("the same recipient was reached with payload both ways, and neither {what} nor the field was seen")
        })
    }

    fn not_reached(&self, to: &[usize], actors: &BTreeSet<Option<String>>) -> String {
        let reached: Vec<_> = self.after.contacts(to).collect();
        let exchange = reached.iter().any(|it| it.is_exchange());
        let names: Vec<_> = actors.iter().flatten().cloned().collect();
        match (to.is_empty(), reached.is_empty(), exchange) {
            (true, ..) | (_, true, _) => "its recipient was not reached after: nothing was there to be seen".to_owned(),
            (_, _, true) if !names.is_empty() => format!("{} did not reach its recipient after, others did", names.join(", ")),
            (_, _, true) => "its recipient was reached after by an app that was not seen before".to_owned(),
            (_, _, false) => "its recipient was reached after, but payload did not go both ways".to_owned(),
        }
    }

    /// What else than a fix can be why something is not seen.
    fn doubt(&self, was: &[usize], to: &[usize], actors: &BTreeSet<Option<String>>, opened: bool) -> Option<String> {
        if let Some(loss) = self.losses.first() {
            return Some(loss.clone());
        }
        let ours = |it: &&Contact| actors.contains(&self.after.actor(it));
        if self.after.contacts(to).filter(ours).any(|it| it.gaps > 0) && self.before.contacts(was).all(|it| it.gaps == 0) {
            return Some("bytes of what was sent to its recipient after are missing in the capture".to_owned());
        }
        // Of the rows of a log nobody tells what was in them.
        let opaque = |it: &Contact| it.protection == Protection::Unknown || (it.protection == Protection::Opaque && it.payload_up > 0);
        if self.after.contacts(to).filter(ours).any(opaque) && !self.before.contacts(was).any(opaque) {
            return Some("its recipient was sent something in no known or recorded format after, and was not before".to_owned());
        }
        let closed = |it: &Contact| it.is_exchange() && !it.read;
        (opened && self.after.contacts(to).filter(ours).any(closed))
            .then(|| "it was read in what keys opened, and what its recipient was sent after was not opened".to_owned())
    }

    /// Who sent what was seen in those runs.
    fn actors(&self, side: &Seen<'_>, destinations: &[usize], inputs: &BTreeSet<InputId>) -> BTreeSet<Option<String>> {
        let those = side.contacts(destinations).filter(|it| inputs.contains(&it.input));
        let mut actors: BTreeSet<_> = those.map(|it| side.actor(it)).collect();
        if actors.is_empty() {
            actors.extend(inputs.iter().map(|it| side.label(*it)));
        }
        actors
    }

    fn by_name(&self, side: &Seen<'_>, name: &str) -> Vec<usize> {
        let all = side.audit.destinations.iter().enumerate();
        all.filter(|(_, it)| it.name == name).map(|(at, _)| at).collect()
    }

    fn subject(&self, side: &Seen<'_>, key: &Key, group: &[usize]) -> String {
        let names: BTreeSet<String> = side
            .exposures(group)
            .filter_map(|it| side.audit.destinations.get(it.destination))
            .map(named)
            .collect();
        let names: Vec<_> = names.into_iter().collect();
        let to = match &names[..] {
            [one] => one.clone(),
            [one, rest @ ..] => format!("{one} and {} more", rest.len()),
            [] => String::new(),
        };
        let known: BTreeSet<_> = side.exposures(group).filter_map(|it| it.known_as.clone()).collect();
        let known: Vec<_> = known.into_iter().collect();
        let value = match &key.name {
            Some(name) => format!(" {name}"),
            None if known.is_empty() => String::new(),
            None => format!(" ({})", known.join(", ")),
        };
        format!("{}{value} in {}, {}, to {to}", key.kind, key.field, protection(key.protection))
    }

    fn destinations(&self) -> Vec<Change> {
        let by_name = |side: &Seen<'_>| {
            let mut all: BTreeMap<(Party, String), Vec<usize>> = BTreeMap::new();
            for (at, it) in side.audit.destinations.iter().enumerate() {
                all.entry((Party::of(it), named(it))).or_default().push(at);
            }
            all
        };
        let (before, after) = (by_name(&self.before), by_name(&self.after));
        let runs = |side: &Seen<'_>, all: &[usize]| -> BTreeSet<InputId> { side.contacts(all).map(|it| it.input).collect() };
        let mut changes = Vec::new();
        for (key, was) in &before {
            let still = after.get(key).map_or(&[][..], Vec::as_slice);
            let inputs = runs(&self.before, was);
            let actors = self.actors(&self.before, was, &inputs);
            let of_party = |side: &Seen<'_>| side.parties.get(&key.0).cloned().unwrap_or_default();
            let ran_before: BTreeSet<_> = self
                .before
                .exercised(&of_party(&self.before), &actors)
                .union(&inputs)
                .copied()
                .collect();
            let to = of_party(&self.after);
            let seen_after = runs(&self.after, still);
            let ran_after: BTreeSet<_> = self.after.exercised(&to, &actors).union(&seen_after).copied().collect();
            let counts = (count(&inputs), count(&ran_before), count(&ran_after));
            let miss = miss_probability(counts.0, counts.1, counts.2);
            let (outcome, because) = if still.is_empty() {
                match self.absent((&of_party(&self.before), &to), &actors, miss, counts) {
                    Absence::Gone(because) => (Outcome::Fixed, because),
                    Absence::Unknown(because) => (Outcome::NotExercised, because),
                }
            } else {
                (Outcome::NotFixed, "it is still reached".to_owned())
            };
            changes.push(Change {
                outcome,
                what: What::Destination,
                subject: key.1.clone(),
                because,
                before: was.clone(),
                after: still.to_vec(),
                runs: Both {
                    before: counts.1,
                    after: counts.2,
                },
                seen: Both {
                    before: counts.0,
                    after: count(&seen_after),
                },
                miss_probability: if still.is_empty() { miss } else { None },
            });
        }
        for (key, now) in after.iter().filter(|(key, _)| !before.contains_key(*key)) {
            let inputs = count(&runs(&self.after, now));
            changes.push(Change {
                outcome: Outcome::New,
                what: What::Destination,
                subject: key.1.clone(),
                because: "it was not reached before".to_owned(),
                before: Vec::new(),
                after: now.clone(),
                runs: Both {
                    before: u64::try_from(self.before.audit.inputs.len()).unwrap_or(u64::MAX),
                    after: inputs,
                },
                seen: Both { before: 0, after: inputs },
                miss_probability: None,
            });
        }
        changes
    }

    /// Whether a party that is not reached any more is left alone.
    fn absent(
        &self,
        (was, to): (&[usize], &[usize]),
        actors: &BTreeSet<Option<String>>,
        miss: Option<f64>,
        (seen, ran, ran_after): (u64, u64, u64),
    ) -> Absence {
        if self.values == Values::Incomparable {
            return Absence::Unknown(INCOMPARABLE.to_owned());
        }
        if self.before.runs.is_none() || self.after.runs.is_none() {
            return Absence::Unknown("a side does not tell which runs carried payload".to_owned());
        }
        if ran_after == 0 {
            return Absence::Unknown(
                "nothing of its organisation was reached after by the same app: whether it would have been cannot be told".to_owned(),
            );
        }
        if let Some(doubt) = self.doubt(was, to, actors, false) {
            return Absence::Unknown(doubt);
        }
        match miss.filter(|miss| seen < ran && *miss > LIKELY) {
            Some(miss) => Absence::Unknown(format!(
                "it was reached in {seen} of {ran} runs before: to miss it in {ran_after} after is not unlikely ({miss:.2})"
            )),
            None => Absence::Gone("others of its organisation were reached with payload both ways, and it was not".to_owned()),
        }
    }
}

const UNTRIED: &str =
    "there are more values on the two sides than are looked for in every encoding: whether it goes in another is not tested";
const INCOMPARABLE: &str = "values of the two sides cannot be compared: without digests of one --digest-key re-encoding is not tested";

/// What was lost after and not before: then what is not seen may have been in it.
fn losses(before: &Audit, after: &Audit) -> Vec<String> {
    let mut all = Vec::new();
    let (b, a) = (&before.coverage, &after.coverage);
    if after.inputs.iter().any(|it| it.cut_short) {
        all.push("a capture after is cut short: it may have been in what is missing".to_owned());
    }
    for (name, was, is) in [
        (
            "lost by the capturing machine",
            b.frames.dropped.unwrap_or(0),
            a.frames.dropped.unwrap_or(0),
        ),
        ("captured in part", b.frames.truncated, a.frames.truncated),
        ("not decoded", b.frames.stopped, a.frames.stopped),
    ] {
        if is > 0 && was == 0 {
            all.push(format!("{is} frames after were {name}, and none before: it may have been in them"));
        }
    }
    if a.frames.filtered > 0 {
        all.push(format!(
            "{} frames after were left out by a capture filter: it may have been in them",
            a.frames.filtered
        ));
    }
    // Where both sides were captured through one filter, neither had it.
    let was = |it: &&InputRecord| it.filter.is_some() && before.inputs.iter().all(|was| was.filter != it.filter);
    if let Some(filter) = after.inputs.iter().find(was).and_then(|it| it.filter.as_ref()) {
        all.push(format!(
            "a capture after was made through a filter ({filter}), and none before through this one: it may have been in what did not fit"
        ));
    }
    for (name, times) in &a.limits {
        if !b.limits.contains_key(name) {
            all.push(format!(
                "the ceiling {name} was hit {times} times after, and not before: it may have been beyond"
            ));
        }
    }
    all
}

fn verdicts(before: &Audit, after: &Audit, values: &Values) -> Vec<Change> {
    let key = |it: &verdict::Verdict| (it.pack.clone(), it.clause.clone());
    let table = |audit: &'_ Audit| -> BTreeMap<(String, String), verdict::Verdict> {
        audit
            .verdicts
            .iter()
            .filter(|it| !it.note)
            .map(|it| (key(it), it.clone()))
            .collect()
    };
    let (was, is) = (table(before), table(after));
    let all: BTreeSet<_> = was.keys().chain(is.keys()).collect();
    let inputs = |audit: &Audit| u64::try_from(audit.inputs.len()).unwrap_or(u64::MAX);
    let change = |key: &(String, String), outcome, because: String| Change {
        outcome,
        what: What::Verdict,
        subject: format!("{}/{}", key.0, key.1),
        because,
        before: was.get(key).map(|it| it.exposures.clone()).unwrap_or_default(),
        after: is.get(key).map(|it| it.exposures.clone()).unwrap_or_default(),
        runs: Both {
            before: inputs(before),
            after: inputs(after),
        },
        seen: Both::default(),
        miss_probability: None,
    };
    use verdict::Outcome::{Breached, Met, NotApplicable, Undetermined};
    let became = |key| {
        let (b, a): (Option<&verdict::Verdict>, Option<&verdict::Verdict>) = (was.get(key), is.get(key));
        let why = |it: Option<&verdict::Verdict>| it.map_or_else(|| "it was not judged".to_owned(), |it| it.because.clone());
        Some(match (b.map(|it| it.outcome), a.map(|it| it.outcome)) {
            (Some(Breached), Some(Breached)) => change(key, Outcome::NotFixed, format!("breached before and after: {}", why(a))),
            (Some(Breached), Some(Met)) if *values == Values::Incomparable => change(key, Outcome::NotExercised, INCOMPARABLE.to_owned()),
            (Some(Breached), Some(Met)) => change(key, Outcome::Fixed, format!("breached before, met after: {}", why(a))),
            (Some(Breached), Some(Undetermined)) => change(
                key,
                Outcome::NotExercised,
                format!("breached before, undetermined after: {}", why(a)),
            ),
            (Some(Breached), Some(NotApplicable)) => change(
                key,
                Outcome::NotExercised,
                format!("breached before, not applicable after: {}", why(a)),
            ),
            (Some(Breached), None) => change(key, Outcome::NotExercised, "breached before, not judged after".to_owned()),
            (Some(Met), Some(Undetermined)) => change(key, Outcome::NotExercised, format!("met before, undetermined after: {}", why(a))),
            (None, Some(Breached)) => change(key, Outcome::New, format!("breached after, not judged before: {}", why(a))),
            (Some(_), Some(Breached)) => change(key, Outcome::New, format!("breached after, and not before: {}", why(a))),
            _ => return None,
        })
    };
    all.into_iter().filter_map(became).collect()
}

fn count<T>(all: &BTreeSet<T>) -> u64 {
    u64::try_from(all.len()).unwrap_or(u64::MAX)
}

fn protection(it: Protection) -> &'static str {
    match it {
        Protection::Plaintext => "in the clear",
        Protection::Tls => "TLS",
        Protection::Quic => "QUIC",
        Protection::Dtls => "DTLS",
        Protection::Srtp => "SRTP",
        Protection::Opaque => "in no known format",
        Protection::Empty => "without payload",
        Protection::Unknown => "protected as nobody tells",
    }
}

/// The probability to see in none of `after` runs what was seen in `seen` of `ran`, if nothing changed: Laplace's rule of succession,
/// run by run.
fn miss_probability(seen: u64, ran: u64, after: u64) -> Option<f64> {
    if seen == 0 || seen > ran || after == 0 {
        return None;
    }
    // Beyond a thousand runs it is nothing to anybody.
    let [missed, total, runs] = [ran.saturating_sub(seen), ran, after.min(1_000)].map(|it| u32::try_from(it).unwrap_or(u32::MAX));
    let step = |run: u32| (f64::from(missed) + 1.0 + f64::from(run)) / (f64::from(total) + 2.0 + f64::from(run));
    Some((0..runs).map(step).product())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misses_are_told_by_the_rule_of_succession() {
        let near = |a: Option<f64>, b: f64| assert!((a.unwrap() - b).abs() < 1e-12, "{a:?} {b}");
        near(miss_probability(1, 1, 1), 1.0 / 3.0);
        near(miss_probability(5, 5, 4), 24.0 / 5040.0);
        near(miss_probability(1, 3, 1), 3.0 / 5.0);
        assert_eq!(miss_probability(0, 3, 2), None);
        assert_eq!(miss_probability(3, 3, 0), None);
    }
}
