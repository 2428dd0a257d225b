//! What is found while flows are read: repeats folded, each finding with the frame it was made at, so that the notebooks of
//! several shards [join](join) into one ledger that does not tell how many there were.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ahash::{HashMap, RandomState};
use farshore_audit::identifiers::{Detectors, FieldView, Found, WeakGroup, hardware_address};
use farshore_model::ledger::Anomaly;
use farshore_model::observation::Observed;
use farshore_model::sighting::{Disguise, KEPT};
use farshore_model::{DatumKind, Direction, Few, Flow, FlowId, Ledger, Locus, Observation, Protection, Rows, Sighting, Span, Specimen};
use farshore_wire::{Readable, Recorder, Shard, recording};
use hashbrown::HashTable;

use crate::{Reading, Tape};

/// What is found when a capture has ended stands behind its frames: first what flows tell as they end, then what they
/// tell by what others told.
pub(crate) const ENDED: u64 = u64::MAX - 1;
pub(crate) const CONCLUDED: u64 = u64::MAX;

/// Keeps what is found while an input is read. Repeats within a flow are folded, so that memory follows the number
/// of flows and of different findings, not the length of the capture.
pub(crate) struct Notebook {
    how: Keeping,
    /// The frame that is being read.
    frame: u64,
    observations: Rows<At<Observed>>,
    sightings: Rows<At<(Sighting, Option<WeakGroup>)>>,
    anomalies: Rows<At<Anomaly>>,
    specimens: Rows<At<Specimen>>,
    /// How many were kept, by flow and digest of path and direction.
    openings: HashMap<(FlowId, u64), usize>,
    limits: BTreeMap<&'static str, u64>,
    detectors: Detectors,
    tape: Option<Box<dyn Tape>>,
    hashes: RandomState,
    /// Sightings by digest of what makes them one, by index; those whose digests collide follow each other.
    seen: HashMap<u64, u32>,
    /// The latest of the facts that are alike in a flow, by digest and index. A digest of half the length leaves little to compare, and
    /// millions of facts a third of the room.
    facts: HashTable<(u32, u32)>,
}

/// What is kept, and how many of each.
#[derive(Clone)]
struct Keeping {
    /// Each fact, rather than the first of those alike in a flow.
    every_fact: bool,
    observations: usize,
    sightings: usize,
    anomalies: usize,
    specimens: Option<Openings>,
}

/// How much is kept of the openings of conversations.
#[derive(Clone)]
struct Openings {
    most: usize,
    of_flow: usize,
    bytes: usize,
}

/// Something found, and the frame that was being read.
#[derive(Clone)]
struct At<T> {
    frame: u64,
    it: T,
}

/// Puts the notebooks of all shards together, in the order of frames, and within a frame of flows. What chance explains is
/// dropped. The first is the router's, if there is one. It stays without flows, which somebody else may [bring](Joined::with).
pub(crate) fn join(notebooks: Vec<Notebook>) -> Joined {
    let mut ledger = Ledger::default();
    let [most, most_sightings, most_anomalies] = notebooks
        .first()
        .map_or([usize::MAX; 3], |it| [it.how.observations, it.how.sightings, it.how.anomalies]);
    let most_specimens = notebooks
        .first()
        .and_then(|it| it.how.specimens.as_ref())
        .map_or(usize::MAX, |it| it.most);
    let (mut observations, mut sightings, mut anomalies, mut specimens) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut detectors: Option<Detectors> = None;
    for it in notebooks {
        observations.push(it.observations);
        sightings.push(it.sightings);
        anomalies.push(it.anomalies);
        specimens.push(it.specimens);
        for (name, times) in it.limits {
            add(&mut ledger.coverage.limits, name, times);
        }
        match &mut detectors {
            Some(all) => all.absorb(it.detectors),
            None => detectors = Some(it.detectors),
        }
    }
    let confirmed = detectors.as_ref().map(Detectors::finish);
    for (name, times) in detectors.iter().flat_map(Detectors::limits_hit) {
        add(&mut ledger.coverage.limits, name, *times);
    }
    // Each shard kept as many as are allowed: of all, the earliest stay, as if one had read everything.
    let limits = &mut ledger.coverage.limits;
    let (mut kept, mut kept_sightings, mut kept_anomalies, mut kept_specimens) = (0, 0, 0, 0);
    in_order(
        observations,
        |it| Some(it.flow),
        |it| {
            if room(&mut kept, most) {
                ledger.observations.push(it);
            } else {
                add(limits, "observations", it.count);
            }
        },
    );
    in_order(
        sightings,
        |(it, _)| Some(it.flow),
        |(it, weak)| {
            if !room(&mut kept_sightings, most_sightings) {
                add(limits, "sightings", it.count);
            } else if weak.is_none_or(|group| confirmed.as_ref().is_none_or(|it| it.chance(&group).is_some())) {
                ledger.sightings.push(it);
            }
        },
    );
    in_order(
        anomalies,
        |it| it.flow,
        |it| {
            if room(&mut kept_anomalies, most_anomalies) {
                ledger.anomalies.push(it);
            } else {
                add(limits, "anomalies", 1);
            }
        },
    );
    in_order(
        specimens,
        |it| Some(it.flow),
        |it| {
            if room(&mut kept_specimens, most_specimens) {
                ledger.specimens.push(it);
            } else {
                add(limits, "specimens", 1);
            }
        },
    );
    Joined {
        ledger,
        detectors,
        sightings: most_sightings.saturating_sub(kept_sightings),
    }
}

/// The notebooks of all shards, put together.
pub(crate) struct Joined {
    ledger: Ledger,
    detectors: Option<Detectors>,
    /// How many sightings more there may be.
    sightings: usize,
}

impl Joined {
    /// Brings the flows. What their own addresses tell comes last.
    pub(crate) fn with(self, flows: Rows<Flow>) -> Ledger {
        let (mut ledger, mut kept) = (self.ledger, 0);
        if let Some(detectors) = &self.detectors {
            for it in (0..).zip(&flows).filter_map(|(id, flow)| addressed(FlowId(id), flow, detectors)) {
                if room(&mut kept, self.sightings) {
                    ledger.sightings.push(it);
                } else {
                    add(&mut ledger.coverage.limits, "sightings", it.count);
                }
            }
        }
        ledger.flows = flows;
        ledger
    }
}

/// The hardware address that a client's address was made of, which stands in each of its packets.
fn addressed(id: FlowId, flow: &Flow, detectors: &Detectors) -> Option<Sighting> {
    let IpAddr::V6(address) = flow.client.ip else { return None };
    // What was rejected stood in packets that nobody received.
    if flow.is_only_tried() {
        return None;
    }
    let (kind, hardware) = (DatumKind::fixed("mac"), hardware_address(address)?);
    let (at, length) = flow.client_at.map_or((0, 0), |at| (u64::from(at.get()), 16));
    Some(Sighting {
        value: detectors.value(&kind, &hardware),
        kind,
        field: "ipv6.source".to_owned(),
        detector: "eui-64".to_owned(),
        known_as: None,
        disguise: Disguise::None,
        protection: Protection::Plaintext,
        flow: id,
        evidence: vec![Locus {
            input: flow.input,
            span: Span::in_frame(flow.first_frame, at, length),
            layers: ["ipv6"].as_slice().into(),
            decoded_by: Few::from(vec!["eui-64"]),
        }],
        count: flow.up.frames.max(1),
    })
}

fn room(kept: &mut usize, most: usize) -> bool {
    let room = *kept < most;
    *kept = kept.saturating_add(usize::from(room));
    room
}

/// Hands out what several found, by frame and within a frame by flow. Rows are let go as they are taken.
fn in_order<T>(found: Vec<Rows<At<T>>>, flow: impl Fn(&T) -> Option<FlowId>, mut to: impl FnMut(T)) {
    let mut found: Vec<_> = found.into_iter().map(|it| by_frame(it).peekable()).collect();
    let shards = found.len().saturating_sub(1);
    let mut of_frame = Vec::new();
    while let Some(frame) = found.iter_mut().filter_map(|it| it.peek().map(|it| it.frame)).min() {
        for (place, it) in found.iter_mut().enumerate() {
            let items = std::iter::from_fn(|| it.next_if(|it| it.frame == frame));
            // What a flow says by itself comes before what it says as the continuation of another, which another shard may read.
            of_frame.extend(items.map(|it| {
                let flow = flow(&it.it);
                let own = flow.is_none_or(|flow| place.checked_sub(1).is_none_or(|shard| shard == Shard::of(flow, shards)));
                ((flow, !own), it.it)
            }));
        }
        of_frame.sort_by_key(|(place, _)| *place);
        of_frame.drain(..).for_each(|(_, it)| to(it));
    }
}

/// Found in that order, as a rule; a datagram of which fragments are missing is read when nobody waits for them any more.
fn by_frame<T>(found: Rows<At<T>>) -> impl Iterator<Item = At<T>> {
    let (mut late, mut in_order) = (Vec::new(), found);
    if !in_order.iter().is_sorted_by_key(|it| it.frame) {
        late = std::mem::take(&mut in_order).into();
        late.sort_by_key(|it| it.frame);
    }
    in_order.into_iter().chain(late)
}

impl Notebook {
    pub(crate) fn new(how: &Reading, detectors: Detectors) -> Self {
        Self {
            how: Keeping {
                every_fact: how.every_fact,
                observations: how.limits.observations,
                sightings: how.limits.sightings,
                anomalies: how.limits.anomalies,
                specimens: how.specimens.then_some(Openings {
                    most: how.limits.specimens,
                    of_flow: how.limits.flow_specimens,
                    bytes: how.limits.specimen_bytes,
                }),
            },
            frame: 0,
            observations: Rows::default(),
            sightings: Rows::default(),
            anomalies: Rows::default(),
            specimens: Rows::default(),
            openings: HashMap::default(),
            limits: BTreeMap::new(),
            detectors,
            tape: how.studio.as_ref().map(|it| it.tape()),
            hashes: RandomState::new(),
            seen: HashMap::default(),
            facts: HashTable::new(),
        }
    }

    /// The same notebook as it stands, to be [joined](join): nothing more is written into it.
    pub(crate) fn so_far(&self) -> Self {
        Self {
            how: self.how.clone(),
            frame: self.frame,
            observations: self.observations.clone(),
            sightings: self.sightings.clone(),
            anomalies: self.anomalies.clone(),
            specimens: self.specimens.clone(),
            openings: HashMap::default(),
            limits: self.limits.clone(),
            detectors: self.detectors.clone(),
            tape: None,
            hashes: self.hashes.clone(),
            seen: HashMap::default(),
            facts: HashTable::new(),
        }
    }

    /// What comes next is found at this frame.
    pub(crate) const fn turn_to(&mut self, frame: u64) {
        self.frame = frame;
    }

    fn sighted(&mut self, it: Sighting, weak: Option<WeakGroup>) {
        let mut digest = self
            .hashes
            .hash_one((it.flow, &it.kind, it.value.print, &it.field, it.disguise, weak));
        while let Some(at) = self.seen.get(&digest) {
            let Some(At { it: (known, group), .. }) = self.sightings.get_mut(*at as usize) else {
                break;
            };
            let same = known.flow == it.flow && known.value.print == it.value.print && *group == weak;
            if same && known.kind == it.kind && known.field == it.field && known.disguise == it.disguise {
                known.count = known.count.saturating_add(it.count);
                let room = KEPT.saturating_sub(known.evidence.len());
                known.evidence.extend(it.evidence.into_iter().take(room));
                return;
            }
            digest = digest.wrapping_add(1);
        }
        if self.sightings.len() >= self.how.sightings {
            add(&mut self.limits, "sightings", it.count);
            return;
        }
        let (frame, next) = (self.frame, u32::try_from(self.sightings.len()).unwrap_or(u32::MAX));
        self.seen.insert(digest, next);
        self.sightings.push(At { frame, it: (it, weak) });
    }

    /// Keeps one of the first readable things of a flow, if somebody compares them.
    fn keep(&mut self, it: &Readable<'_>) {
        let Some(how) = &self.how.specimens else { return };
        let key = (it.flow, self.hashes.hash_one((it.path, it.direction == Some(Direction::Up))));
        let kept = self.openings.entry(key).or_default();
        if *kept >= how.of_flow || it.value.is_empty() {
            return;
        }
        *kept = kept.saturating_add(1);
        if self.specimens.len() >= how.most {
            self.limit("specimens");
            return;
        }
        self.specimens.push(At {
            frame: self.frame,
            it: Specimen {
                flow: it.flow,
                direction: it.direction,
                path: it.path.into(),
                payload: it.payload,
                bytes: it.value.get(..how.bytes).unwrap_or(it.value).into(),
                length: it.value.len() as u64,
                protection: it.protection,
                locus: Locus {
                    input: it.input,
                    span: it.at,
                    layers: it.layers.into(),
                    decoded_by: Few::none(),
                },
            },
        });
    }

    /// Whether a fact like this one was seen in the flow before; if so it is counted there.
    fn folded(&mut self, it: &Observed) -> bool {
        if self.how.every_fact {
            return false;
        }
        let digest = self.digest(it);
        let alike = |at: u32| {
            self.observations.get(at as usize).is_some_and(|At { it: known, .. }| {
                (known.flow, known.protection) == (it.flow, it.protection) && same_but_for_ttl(&known.what, &it.what)
            })
        };
        let next = u32::try_from(self.observations.len()).unwrap_or(u32::MAX);
        // What is not going to be kept needs no entry.
        let room = self.observations.len() < self.how.observations;
        match self.facts.find_mut(spread(digest), |(of, at)| *of == digest && alike(*at)) {
            Some((_, at)) => {
                if let Some(At { it: known, .. }) = self.observations.get_mut(*at as usize)
                    && outlives(known, it)
                {
                    known.count = known.count.saturating_add(1);
                    if known.again.len() < KEPT.saturating_sub(1) {
                        known.again.push(it.locus.clone());
                    }
                    return true;
                }
                if room {
                    *at = next;
                }
            }
            None if room => {
                self.facts
                    .insert_unique(spread(digest), (digest, next), |(digest, _)| spread(*digest));
            }
            None => {}
        }
        false
    }

    fn digest(&self, it: &Observed) -> u32 {
        let [.., a, b, c, d] = self.hashes.hash_one((it.flow, self.of_fact(&it.what, it.protection))).to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }

    /// Of a fact without the lifetime of an answer: caches count it down, the fact stays the same.
    fn of_fact(&self, it: &Observation, protection: Protection) -> u64 {
        let Observation::NameBound {
            protocol,
            question,
            name,
            record,
            value,
            ttl: _,
        } = it
        else {
            return self.hashes.hash_one((it, protection));
        };
        self.hashes.hash_one((protocol, question, name, record, value, protection))
    }
}

/// The digest over both ends of a word, where tables look.
fn spread(digest: u32) -> u64 {
    u64::from(digest) << 32 | u64::from(digest)
}

fn same_but_for_ttl(a: &Observation, b: &Observation) -> bool {
    match (a, b) {
        (
            Observation::NameBound {
                protocol,
                question,
                name,
                record,
                value,
                ttl: _,
            },
            Observation::NameBound {
                protocol: other_protocol,
                question: other_question,
                name: other_name,
                record: other_record,
                value: other_value,
                ttl: _,
            },
        ) => (protocol, question, name, record, value) == (other_protocol, other_question, other_name, other_record, other_value),
        _ => a == b,
    }
}

/// Whether an answer still lived when it was given again; then its life is prolonged to the end of the new one's. Other
/// facts have no end.
fn outlives(known: &mut Observed, again: &Observed) -> bool {
    let (Observation::NameBound { ttl, .. }, Observation::NameBound { ttl: fresh, .. }) = (&mut known.what, &again.what) else {
        return true;
    };
    let Some(elapsed) = known.time.zip(again.time).and_then(|(first, then)| then.since(first)) else {
        return false;
    };
    let seconds = |it: u64| u32::try_from(it).unwrap_or(u32::MAX);
    // Rounded so that the life told is never longer than the true one.
    if seconds(elapsed.div_ceil(1_000_000_000)) > *ttl {
        return false;
    }
    *ttl = (*ttl).max(seconds(elapsed / 1_000_000_000).saturating_add(*fresh));
    true
}

fn add(into: &mut BTreeMap<&'static str, u64>, name: &'static str, times: u64) {
    let sum = into.entry(name).or_default();
    *sum = sum.saturating_add(times);
}

impl Recorder for Notebook {
    /// Flows are kept by the router.
    fn flow(&mut self, _: FlowId, _: Flow) {}

    fn observe(&mut self, it: Observed) {
        if let Observation::Request { path, .. } = &it.what
            && !path.as_str().is_empty()
        {
            let sighting = Sighting {
                kind: DatumKind::URL,
                value: self.detectors.value(&DatumKind::URL, path.as_str()),
                field: "http.path".to_owned(),
                detector: "request".to_owned(),
                known_as: None,
                disguise: Disguise::None,
                protection: it.protection,
                flow: it.flow,
                evidence: vec![it.locus.clone()],
                count: 1,
            };
            self.sighted(sighting, None);
        }
        if self.folded(&it) {
            return;
        }
        if self.observations.len() >= self.how.observations {
            self.limit("observations");
            return;
        }
        let frame = self.frame;
        self.observations.push(At { frame, it });
    }

    fn field(&mut self, it: Readable<'_>) {
        self.keep(&it);
        let view = FieldView {
            path: it.path,
            value: it.value,
            payload: it.payload,
        };
        let mut all = Vec::new();
        self.detectors.scan(view, &mut |found| all.push((sighting(&it, found), found.weak)));
        for (sighting, weak) in all {
            self.sighted(sighting, weak);
        }
    }

    fn anomaly(&mut self, it: Anomaly) {
        if self.anomalies.len() >= self.how.anomalies {
            self.limit("anomalies");
            return;
        }
        let frame = self.frame;
        self.anomalies.push(At { frame, it });
    }

    fn limit(&mut self, name: &'static str) {
        add(&mut self.limits, name, 1);
    }

    fn wants_payload(&self) -> bool {
        self.detectors.wants_payload()
    }

    /// Messages are compared by their places.
    fn wants_segments(&self) -> bool {
        self.how.specimens.is_some()
    }

    fn wants_sound(&self) -> bool {
        self.tape.is_some()
    }

    fn sound(&mut self, flow: FlowId, it: recording::Piece<'_>) {
        if let Some(tape) = &mut self.tape {
            tape.sound(flow, it);
        }
    }
}

/// What a detector found, with where it stands.
fn sighting(it: &Readable<'_>, found: &Found) -> Sighting {
    Sighting {
        kind: found.kind.clone(),
        value: found.value.clone(),
        field: match found.member.as_str() {
            "" => it.path.to_owned(),
            member => format!("{}.{member}", it.path),
        },
        detector: found.detector.clone(),
        known_as: found.known_as.clone(),
        disguise: found.disguise,
        protection: it.protection,
        flow: it.flow,
        evidence: vec![Locus {
            input: it.input,
            span: it.span(found.range.clone()),
            layers: it.layers.into(),
            decoded_by: it.decoded_by.iter().chain(&found.decoded_by).copied().collect(),
        }],
        count: 1,
    }
}
