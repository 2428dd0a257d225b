//! From frames to a ledger: drives the reader of the wire, shows readable fields to the detectors, keeps what is found.

use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};
use std::io::Read;

use farshore_audit::identifiers::{Detectors, FieldView, Found, WeakGroup};
use farshore_model::ledger::{Anomaly, Severity};
use farshore_model::observation::Observed;
use farshore_model::sighting::KEPT;
use farshore_model::{DatumKind, Flow, FlowId, Frame, InputId, Ledger, Locus, Observation, Protection, Sighting, Span};
use farshore_sources::{OpenError, Summary};
use farshore_wire::{Engine, Limits, Readable, Recorder};

/// How to read.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Ceilings of dissecting.
    pub limits: Limits,
    /// Ceilings of the file reader.
    pub source: farshore_sources::Limits,
    /// What the user says of the input.
    pub labels: BTreeMap<String, String>,
    /// Keep every fact, rather than the first of those alike in a flow: for a listing of all of them.
    pub every_fact: bool,
}

/// Reads one input to its end.
///
/// `progress` is told now and then how many bytes were read.
pub fn read(
    reader: impl Read,
    name: &str,
    how: &Reading,
    detectors: &Detectors,
    progress: &mut dyn FnMut(u64),
) -> Result<Ledger, OpenError> {
    let mut capture = farshore_sources::open(InputId(0), reader, how.source)?;
    let mut auditor = Auditor::new(how, detectors.fork());
    let mut until_told = 0_u32;
    while let Some(frame) = capture.next()? {
        auditor.push(&frame);
        until_told = until_told.wrapping_add(1);
        if until_told.trailing_zeros() >= 12 {
            progress(capture.position());
        }
    }
    let mut summary = capture.finish()?;
    summary.record.name = name.to_owned();
    summary.record.labels.clone_from(&how.labels);
    progress(summary.record.bytes);
    Ok(auditor.finish(summary))
}

/// Turns the frames of one input into a ledger.
pub struct Auditor {
    engine: Engine,
    notebook: Notebook,
}

impl Auditor {
    /// Ready for the first frame.
    pub fn new(how: &Reading, detectors: Detectors) -> Self {
        let notebook = Notebook {
            how: Keeping {
                every_fact: how.every_fact,
                most: how.limits.observations,
            },
            ledger: Ledger::default(),
            detectors,
            sightings: HashMap::new(),
            weak: BTreeMap::new(),
            facts: HashMap::new(),
        };
        Self {
            engine: Engine::new(how.limits.clone()),
            notebook,
        }
    }

    /// Takes the next frame.
    pub fn push(&mut self, frame: &Frame<'_>) {
        self.engine.frame(frame, &mut self.notebook);
    }

    /// The capture has ended.
    pub fn finish(self, summary: Summary) -> Ledger {
        let mut notebook = self.notebook;
        let coverage = self.engine.finish(&mut notebook);
        let mut ledger = notebook.close();
        let limits = std::mem::take(&mut ledger.coverage.limits);
        ledger.coverage = coverage;
        for (name, times) in limits {
            add(&mut ledger.coverage.limits, name, times);
        }
        ledger.coverage.frames.dropped = summary.dropped;
        if let Some(damage) = summary.damage {
            ledger.anomalies.push(Anomaly {
                kind: "input-cut-short",
                severity: Severity::Loss,
                because: damage,
                flow: None,
                evidence: Vec::new(),
            });
        }
        ledger.inputs.push(summary.record);
        ledger
    }
}

/// Keeps what is found while an input is read. Repeats within a flow are folded, so that memory follows the number
/// of flows and of different findings, not the length of the capture.
struct Notebook {
    how: Keeping,
    ledger: Ledger,
    detectors: Detectors,
    /// Sightings by what makes them one, by index.
    sightings: HashMap<SightingKey, usize>,
    /// The group each weak sighting stands or falls with, by index.
    weak: BTreeMap<usize, WeakGroup>,
    /// The latest of the facts that are alike, by flow and digest of the fact.
    facts: HashMap<(FlowId, u64), usize>,
}

/// What is kept of facts.
struct Keeping {
    /// Each of them, rather than the first of those alike in a flow.
    every_fact: bool,
    /// How many.
    most: usize,
}

type SightingKey = (FlowId, DatumKind, [u8; 16], String, Option<WeakGroup>);

impl Notebook {
    /// Drops what chance explains, and hands the ledger over.
    fn close(mut self) -> Ledger {
        let confirmed = self.detectors.finish();
        let mut index = 0_usize;
        self.ledger.sightings.retain(|_| {
            let keep = self.weak.get(&index).is_none_or(|group| confirmed.chance(group).is_some());
            index = index.saturating_add(1);
            keep
        });
        for (name, times) in self.detectors.limits_hit() {
            add(&mut self.ledger.coverage.limits, name, *times);
        }
        self.ledger
    }

    fn sighted(&mut self, it: Sighting, weak: Option<WeakGroup>) {
        let key = (it.flow, it.kind.clone(), it.value.print, it.field.clone(), weak);
        if let Some(known) = self.sightings.get(&key).and_then(|at| self.ledger.sightings.get_mut(*at)) {
            known.count = known.count.saturating_add(it.count);
            let room = KEPT.saturating_sub(known.evidence.len());
            known.evidence.extend(it.evidence.into_iter().take(room));
            return;
        }
        let at = self.ledger.sightings.len();
        if let Some(group) = key.4 {
            self.weak.insert(at, group);
        }
        self.sightings.insert(key, at);
        self.ledger.sightings.push(it);
    }

    /// Whether a fact like this one was seen in the flow before; if so it is counted there.
    fn folded(&mut self, it: &Observed) -> bool {
        if self.how.every_fact {
            return false;
        }
        let mut hasher = std::hash::DefaultHasher::new();
        let lasting = without_ttl(&it.what);
        lasting.as_ref().unwrap_or(&it.what).hash(&mut hasher);
        let next = self.ledger.observations.len();
        let at = *self.facts.entry((it.flow, hasher.finish())).or_insert(next);
        let Some(known) = self.ledger.observations.get_mut(at) else {
            return false;
        };
        let same = match (&lasting, without_ttl(&known.what)) {
            (Some(a), Some(b)) => *a == b && outlives(known, it),
            (None, None) => known.what == it.what,
            _ => false,
        };
        if !same {
            self.facts.insert((it.flow, hasher.finish()), next);
            return false;
        }
        known.count = known.count.saturating_add(1);
        if known.again.len() < KEPT.saturating_sub(1) {
            known.again.push(it.locus.clone());
        }
        true
    }
}

/// An answer without its lifetime: caches count it down, the fact stays the same.
fn without_ttl(it: &Observation) -> Option<Observation> {
    match it {
        Observation::NameBound { .. } => {
            let mut it = it.clone();
            if let Observation::NameBound { ttl, .. } = &mut it {
                *ttl = 0;
            }
            Some(it)
        }
        _ => None,
    }
}

/// Whether an answer still lived when it was given again; then its life is prolonged to the end of the new one's.
fn outlives(known: &mut Observed, again: &Observed) -> bool {
    let (Observation::NameBound { ttl, .. }, Observation::NameBound { ttl: fresh, .. }) = (&mut known.what, &again.what) else {
        return false;
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
    fn flow(&mut self, _: FlowId, it: Flow) {
        self.ledger.flows.push(it);
    }

    fn observe(&mut self, it: Observed) {
        if let Observation::Request {
            path, decrypted: false, ..
        } = &it.what
        {
            let sighting = Sighting {
                kind: DatumKind::URL,
                value: self.detectors.value(&DatumKind::URL, path.as_str()),
                field: "http.path".to_owned(),
                detector: "request".to_owned(),
                known_as: None,
                protection: Protection::Plaintext,
                flow: it.flow,
                evidence: vec![it.locus.clone()],
                count: 1,
            };
            self.sighted(sighting, None);
        }
        if self.folded(&it) {
            return;
        }
        if self.ledger.observations.len() >= self.how.most {
            self.limit("observations");
            return;
        }
        self.ledger.observations.push(it);
    }

    fn field(&mut self, it: Readable<'_>) {
        let view = FieldView {
            path: it.path,
            value: it.value,
            payload: it.payload,
        };
        let mut all = Vec::new();
        self.detectors.scan(view, &mut |found| all.push(found));
        for found in all {
            self.sighted(sighting(&it, &found), found.weak);
        }
    }

    fn anomaly(&mut self, it: Anomaly) {
        self.ledger.anomalies.push(it);
    }

    fn limit(&mut self, name: &'static str) {
        add(&mut self.ledger.coverage.limits, name, 1);
    }

    fn wants_payload(&self) -> bool {
        self.detectors.wants_payload()
    }
}

/// What a detector found, with where it stands.
fn sighting(it: &Readable<'_>, found: &Found) -> Sighting {
    // A value that was decoded, or lies scattered, cannot be cut into ranges of its place: the whole field's place stands.
    let span = if it.at.length == it.value.len() as u64 {
        Span {
            offset: it.at.offset.saturating_add(found.range.start as u64),
            length: found.range.len() as u64,
            ..it.at
        }
    } else {
        it.at
    };
    Sighting {
        kind: found.kind.clone(),
        value: found.value.clone(),
        field: it.path.to_owned(),
        detector: found.detector.clone(),
        known_as: found.known_as.clone(),
        protection: Protection::Plaintext,
        flow: it.flow,
        evidence: vec![Locus {
            input: it.input,
            span,
            layers: it.layers.into(),
            decoded_by: found.decoded_by.clone(),
        }],
        count: 1,
    }
}
