//! Exposures in the making: findings with the same key are one. Refuses to know what a finding means.

use ahash::HashMap;
use farshore_model::flow::Protection;
use farshore_model::sighting::{Disguise, KEPT, SightedValue};
use farshore_model::{DatumKind, Exposure, FlowId, Locus, Text};

use super::readers::{Channel, Sound};

/// What makes two findings one exposure. Kind and field are numbers of the table.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub destination: u32,
    pub print: [u8; 16],
    pub protection: Protection,
    pub kind: Kind,
    pub field: Field,
    pub disguise: Disguise,
}

/// The number of a kind.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Kind(u32);

/// The number of a field.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Field(u32);

/// All drafts, by their keys.
#[derive(Default)]
pub(super) struct Drafts {
    all: Vec<Draft>,
    by_key: HashMap<Key, u32>,
    kinds: Words,
    fields: Words,
    /// Fields by the two parts they are put together from.
    joined: HashMap<(&'static str, &'static str), Field>,
}

/// Texts and their numbers.
#[derive(Default)]
struct Words {
    all: Vec<Text>,
    numbers: HashMap<Text, u32>,
}

/// An exposure, but for its number and readers.
pub(super) struct Draft {
    pub exposure: Exposure,
    pub sound: Option<Box<Sound>>,
    pub channel: Option<Box<Channel>>,
    /// Of the flows those in which nothing came back behind the datum, in order.
    pub unheard: Vec<FlowId>,
    kind: Kind,
    field: Field,
}

impl Words {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(known) = self.numbers.get(text) {
            return *known;
        }
        let next = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        let text: Text = text.into();
        self.numbers.insert(text.clone(), next);
        self.all.push(text);
        next
    }

    /// The place of each number in the order of the texts.
    fn ranks(&self) -> Vec<u32> {
        let mut order: Vec<(&str, usize)> = self.all.iter().enumerate().map(|(number, text)| (text.as_str(), number)).collect();
        order.sort_unstable();
        let mut ranks = vec![0; order.len()];
        for (rank, (_, number)) in (0..).zip(order) {
            if let Some(place) = ranks.get_mut(number) {
                *place = rank;
            }
        }
        ranks
    }
}

impl Drafts {
    pub(super) fn kind(&mut self, kind: &DatumKind) -> Kind {
        Kind(self.kinds.number(kind.as_str()))
    }

    pub(super) fn field(&mut self, path: &str) -> Field {
        Field(self.fields.number(path))
    }

    /// The field `first.second`.
    pub(super) fn field_of(&mut self, first: &'static str, second: &'static str) -> Field {
        if let Some(known) = self.joined.get(&(first, second)) {
            return *known;
        }
        let field = self.field(&format!("{first}.{second}"));
        self.joined.insert((first, second), field);
        field
    }

    /// The draft of that key; a new one takes its kind and value from `first`.
    pub(super) fn draft(&mut self, key: Key, first: impl FnOnce() -> (DatumKind, SightedValue)) -> Option<&mut Draft> {
        let next = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        let at = *self.by_key.entry(key).or_insert(next);
        if at == next {
            let (kind, value) = first();
            self.all.push(Draft {
                exposure: Exposure {
                    kind,
                    value,
                    number: 0,
                    known_as: None,
                    disguise: key.disguise,
                    field: self.fields.all.get(key.field.0 as usize).cloned().unwrap_or_default(),
                    protection: key.protection,
                    destination: key.destination as usize,
                    flows: Vec::new(),
                    readers: Vec::new(),
                    evidence: Vec::new(),
                    count: 0,
                },
                sound: None,
                channel: None,
                unheard: Vec::new(),
                kind: key.kind,
                field: key.field,
            });
        }
        self.all.get_mut(at as usize)
    }

    /// All drafts in the order of their first places, numbered by kind and value.
    pub(super) fn finish(mut self) -> Vec<Draft> {
        drop(self.by_key);
        for draft in &mut self.all {
            draft.trim();
            draft.exposure.evidence.shrink_to_fit();
        }
        let (kinds, fields) = (self.kinds.ranks(), self.fields.ranks());
        self.all.sort_by_cached_key(|draft| {
            let it = &draft.exposure;
            let place = it.evidence.first().map(|it| (it.input, it.span.frame, it.span.offset));
            let (kind, field) = (kinds.get(draft.kind.0 as usize), fields.get(draft.field.0 as usize));
            (
                place,
                it.destination,
                it.value.print,
                it.protection,
                kind.copied(),
                field.copied(),
                it.disguise,
            )
        });
        let mut numbers: HashMap<(Kind, [u8; 16]), u32> = HashMap::default();
        let mut used = vec![0_u32; kinds.len()];
        for draft in &mut self.all {
            let Some(used) = used.get_mut(draft.kind.0 as usize) else {
                continue;
            };
            draft.exposure.number = *numbers.entry((draft.kind, draft.exposure.value.print)).or_insert_with(|| {
                *used = used.saturating_add(1);
                *used
            });
        }
        self.all
    }
}

impl Draft {
    /// Adds a finding in a flow at these places; `heard` tells whether something came back behind one of them.
    pub(super) fn add(&mut self, flow: FlowId, places: impl Iterator<Item = Locus>, heard: impl Fn(&Locus) -> bool, count: u64) {
        let it = &mut self.exposure;
        it.count = it.count.saturating_add(count);
        if it.evidence.is_empty() {
            it.evidence.reserve_exact(places.size_hint().0);
        }
        let before = it.evidence.len();
        it.evidence.extend(places);
        let heard = it.evidence.get(before..).unwrap_or_default().iter().any(heard);
        let unheard = self.unheard.binary_search(&flow);
        match (it.flows.binary_search(&flow), unheard) {
            (Err(at), _) => {
                it.flows.insert(at, flow);
                if let (Err(at), false) = (unheard, heard) {
                    self.unheard.insert(at, flow);
                }
            }
            (Ok(_), Ok(at)) if heard => {
                self.unheard.remove(at);
            }
            (Ok(_), _) => {}
        }
        // Flows come by their first frames, places within them by theirs: keep the first of all.
        if it.evidence.len() > KEPT.saturating_mul(2) {
            self.trim();
        }
    }

    fn trim(&mut self) {
        self.exposure.evidence.sort();
        self.exposure.evidence.truncate(KEPT);
    }
}
