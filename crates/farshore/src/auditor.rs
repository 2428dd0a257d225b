//! From frames to a ledger: drives the reader of the wire, shows readable fields to the detectors, keeps what is found.

use std::collections::BTreeMap;
use std::io::Read;

use farshore_audit::identifiers::{Detectors, FieldView, Found, WeakGroup};
use farshore_model::ledger::{Anomaly, Severity};
use farshore_model::observation::Observed;
use farshore_model::{Flow, FlowId, Frame, InputId, Ledger, Locus, Observation, Protection, Sighting, Span};
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
    let mut auditor = Auditor::new(how.limits.clone(), detectors.fork());
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
    pub fn new(limits: Limits, detectors: Detectors) -> Self {
        let notebook = Notebook {
            observations: limits.observations,
            ledger: Ledger::default(),
            detectors,
            weak: Vec::new(),
        };
        Self {
            engine: Engine::new(limits),
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
            let sum = ledger.coverage.limits.entry(name).or_default();
            *sum = sum.saturating_add(times);
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

/// Keeps what is found while an input is read.
struct Notebook {
    /// Facts that may be kept.
    observations: usize,
    ledger: Ledger,
    detectors: Detectors,
    /// Sightings that mean something only if their group is confirmed, by index.
    weak: Vec<(usize, WeakGroup)>,
}

impl Notebook {
    /// Drops what chance explains, and hands the ledger over.
    fn close(mut self) -> Ledger {
        let confirmed = self.detectors.finish();
        let chance: std::collections::BTreeSet<usize> = self
            .weak
            .iter()
            .filter(|(_, group)| confirmed.chance(group).is_none())
            .map(|(index, _)| *index)
            .collect();
        let mut index = 0_usize;
        self.ledger.sightings.retain(|_| {
            let keep = !chance.contains(&index);
            index = index.saturating_add(1);
            keep
        });
        for (name, times) in self.detectors.limits_hit() {
            let sum = self.ledger.coverage.limits.entry(name).or_default();
            *sum = sum.saturating_add(*times);
        }
        self.ledger
    }
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
            let value = self.detectors.value(&farshore_model::DatumKind::URL, path.as_str());
            self.ledger.sightings.push(Sighting {
                kind: farshore_model::DatumKind::URL,
                value,
                field: "http.path".to_owned(),
                detector: "request".to_owned(),
                known_as: None,
                protection: Protection::Plaintext,
                flow: it.flow,
                locus: it.locus.clone(),
            });
        }
        if self.ledger.observations.len() >= self.observations {
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
        let (sightings, weak) = (&mut self.ledger.sightings, &mut self.weak);
        self.detectors.scan(view, &mut |found: Found| {
            if let Some(group) = found.weak {
                weak.push((sightings.len(), group));
            }
            let whole = found.range.len() == it.value.len();
            let at = if it.at.first_frame == it.at.frame || whole {
                Span {
                    offset: it.at.offset.saturating_add(found.range.start as u64),
                    length: found.range.len() as u64,
                    ..it.at
                }
            } else {
                it.at
            };
            sightings.push(Sighting {
                kind: found.kind,
                value: found.value,
                field: it.path.to_owned(),
                detector: found.detector,
                known_as: found.known_as,
                protection: Protection::Plaintext,
                flow: it.flow,
                locus: Locus {
                    input: it.input,
                    span: at,
                    layers: it.layers.to_vec(),
                    decoded_by: found.decoded_by,
                },
            });
        });
    }

    fn anomaly(&mut self, it: Anomaly) {
        self.ledger.anomalies.push(it);
    }

    fn limit(&mut self, name: &'static str) {
        let times = self.ledger.coverage.limits.entry(name).or_default();
        *times = times.saturating_add(1);
    }

    fn wants_payload(&self) -> bool {
        self.detectors.wants_payload()
    }
}
