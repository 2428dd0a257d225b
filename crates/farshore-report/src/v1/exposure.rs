//! Exposures, anomalies and verdicts in version 1, with their evidence.

use serde::Serialize;

use farshore_model::{Locus, exposure, ledger, verdict};

use super::{flow_index, id, ids};
use crate::words::{self, Word};

/// One of `exposures`.
#[derive(Serialize)]
pub struct Exposure<'a> {
    id: String,
    kind: &'a str,
    value: &'a str,
    label: &'a str,
    digest: Option<&'a str>,
    field: &'a str,
    protection: &'static str,
    destination: String,
    flows: Vec<String>,
    readers: Vec<Reader<'a>>,
    evidence: Vec<Evidence<'a>>,
    count: u64,
    known_as: Option<&'a str>,
}

#[derive(Serialize)]
struct Reader<'a> {
    role: &'static str,
    party: &'a str,
    answer: &'static str,
    because: &'a str,
}

/// A place in the captured bytes.
#[derive(Serialize)]
pub struct Evidence<'a> {
    input: u32,
    frame: u64,
    offset: u64,
    length: u64,
    layers: &'a [&'static str],
    decoded_by: &'a [&'static str],
    /// Whether offset and length count in the captured frame, or in the layer named last.
    counts_in: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_frame: Option<u64>,
}

/// One of `anomalies`.
#[derive(Serialize)]
pub struct Anomaly<'a> {
    kind: &'static str,
    severity: &'static str,
    because: &'a str,
    evidence: Vec<Evidence<'a>>,
    flow: Option<String>,
}

/// One of `verdicts`.
#[derive(Serialize)]
pub struct Verdict<'a> {
    pack: &'a str,
    clause: &'a str,
    citation: &'a str,
    outcome: &'static str,
    because: &'a str,
    exposures: Vec<String>,
    destinations: Vec<String>,
    evidence: Vec<Evidence<'a>>,
    note: bool,
}

impl<'a> Exposure<'a> {
    /// As it stands in an audit.
    pub fn new(index: usize, it: &'a exposure::Exposure, show_pii: bool) -> Self {
        let readers = it.readers.iter().map(|reader| Reader {
            role: reader.role.word(),
            party: &reader.party,
            answer: reader.answer.word(),
            because: &reader.because,
        });
        Self {
            id: id('x', index),
            kind: it.kind.as_str(),
            value: words::value(it, show_pii),
            label: &it.label,
            digest: it.value.digest.as_deref(),
            field: &it.field,
            protection: it.protection.word(),
            destination: id('d', it.destination),
            flows: ids('f', it.flows.iter().map(|flow| flow_index(*flow))),
            readers: readers.collect(),
            evidence: evidence(&it.evidence),
            count: it.count,
            known_as: it.known_as.as_deref(),
        }
    }
}

impl<'a> Anomaly<'a> {
    /// As it stands in an audit.
    pub fn new(it: &'a ledger::Anomaly) -> Self {
        Self {
            kind: it.kind,
            severity: it.severity.word(),
            because: &it.because,
            evidence: evidence(&it.evidence),
            flow: it.flow.map(|flow| id('f', flow_index(flow))),
        }
    }
}

impl<'a> Verdict<'a> {
    /// As it stands in an audit.
    pub fn new(it: &'a verdict::Verdict) -> Self {
        Self {
            pack: &it.pack,
            clause: &it.clause,
            citation: &it.citation,
            outcome: it.outcome.word(),
            because: &it.because,
            exposures: ids('x', it.exposures.iter().copied()),
            destinations: ids('d', it.destinations.iter().copied()),
            evidence: evidence(&it.evidence),
            note: it.note,
        }
    }
}

fn evidence(loci: &[Locus]) -> Vec<Evidence<'_>> {
    loci.iter()
        .map(|it| Evidence {
            input: it.input.0,
            frame: it.span.frame,
            offset: it.span.offset,
            length: it.span.length,
            layers: &it.layers,
            decoded_by: &it.decoded_by,
            counts_in: if it.span.in_frame { "frame" } else { "layer" },
            first_frame: (it.span.first_frame != it.span.frame).then_some(it.span.first_frame),
        })
        .collect()
}
