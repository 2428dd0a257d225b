//! Exposures, anomalies and verdicts in version 1, with their evidence.

use std::net::IpAddr;

use serde::{Serialize, Serializer};

use farshore_model::exposure::Because;
use farshore_model::sighting::Disguise;
use farshore_model::{Audit, FlowId, Locus, Subject, exposure, ledger, runs, verdict};

use super::{Id, Items};
use crate::words::{self, Word};

/// One of `exposures`.
#[derive(Serialize)]
pub struct Exposure<'a> {
    id: Id,
    kind: &'a str,
    value: &'a str,
    label: Label<'a>,
    digest: Option<&'a str>,
    field: &'a str,
    protection: &'static str,
    destination: Id,
    flows: Items<'a, FlowId, Id>,
    readers: Items<'a, exposure::Reader, Reader<'a>>,
    evidence: Items<'a, Locus, Evidence<'a>>,
    count: u64,
    known_as: Option<&'a str>,
    /// A digest stands there in the place of the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    disguise: Option<&'static str>,
    /// The inputs in which it was seen: evidence has the first places only.
    inputs: Vec<u32>,
}

#[derive(Serialize)]
struct Reader<'a> {
    role: &'static str,
    party: &'a str,
    answer: &'static str,
    because: Why<'a>,
}

/// `user-id#3`, as [`exposure::Exposure::label`], spelled as it is written.
struct Label<'a>(&'a exposure::Exposure);

impl Serialize for Label<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}#{}", self.0.kind.as_str(), self.0.number))
    }
}

/// A reason, put in words as it is written.
struct Why<'a>(&'a Because);

impl Serialize for Why<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Because::Plain(words) => serializer.serialize_str(words),
            Because::Told(words) => serializer.serialize_str(words),
            Because::Clear { .. } => serializer.collect_str(self.0),
        }
    }
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
    evidence: Items<'a, Locus, Evidence<'a>>,
    flow: Option<Id>,
}

/// One of `verdicts`.
#[derive(Serialize)]
pub struct Verdict<'a> {
    pack: &'a str,
    clause: &'a str,
    citation: &'a str,
    outcome: &'static str,
    because: &'a str,
    exposures: Items<'a, usize, Id>,
    destinations: Items<'a, usize, Id>,
    evidence: Items<'a, Locus, Evidence<'a>>,
    note: bool,
    title: &'a str,
    /// What it counts as; `null`: nothing, as it is a note or waived.
    counts_as: Option<&'static str>,
    /// All that stands against it or could not be told, one by one.
    findings: Items<'a, verdict::Finding, Finding<'a>>,
    /// What would settle it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    settled_by: Vec<&'a str>,
    /// Indices in `replies`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    replies: Vec<usize>,
}

/// One thing that stands against a clause, or may: an exposure, an address of a destination, or what the capture does not show.
#[derive(Serialize)]
struct Finding<'a> {
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exposure: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    coverage: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    because: &'a str,
    /// Index in `waivers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    waived: Option<usize>,
    /// It was there before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    before: bool,
}

impl<'a> Finding<'a> {
    fn new(it: &'a verdict::Finding) -> Self {
        let (exposure, destination, address) = match it.subject {
            Subject::Exposure(index) => (Some(Id::exposure(&index)), None, None),
            Subject::Address { destination, address } => (None, Some(Id::destination(&destination)), address),
            Subject::Coverage => (None, None, None),
        };
        Self {
            outcome: it.outcome.word(),
            exposure,
            destination,
            address,
            coverage: it.subject == Subject::Coverage,
            because: &it.because,
            waived: it.waived,
            before: it.before,
        }
    }
}

impl<'a> Exposure<'a> {
    /// As it stands in an audit.
    pub fn new(index: usize, it: &'a exposure::Exposure, audit: &Audit) -> Self {
        Self {
            id: Id::exposure(&index),
            kind: it.kind.as_str(),
            value: words::value(it, audit.show_pii),
            label: Label(it),
            digest: it.value.digest.as_deref(),
            field: &it.field,
            protection: it.protection.word(),
            destination: Id::destination(&it.destination),
            flows: Items(&it.flows, Id::flow),
            readers: Items(&it.readers, Reader::new),
            evidence: Items(&it.evidence, Evidence::new),
            count: it.count,
            known_as: it.known_as.as_deref(),
            disguise: match it.disguise {
                Disguise::None => None,
                Disguise::Digest => Some("digest"),
                Disguise::WeakDigest => Some("weak-digest"),
            },
            inputs: runs::inputs(it, &audit.flows).into_iter().map(|it| it.0).collect(),
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
            evidence: Items(&it.evidence, Evidence::new),
            flow: it.flow.as_ref().map(Id::flow),
        }
    }
}

impl<'a> Verdict<'a> {
    /// As it stands in an audit.
    pub fn new(index: usize, it: &'a verdict::Verdict, audit: &Audit) -> Self {
        let replies = audit.replies.iter().flatten().enumerate();
        Self {
            pack: &it.pack,
            clause: &it.clause,
            citation: &it.citation,
            outcome: it.outcome.word(),
            because: &it.because,
            exposures: Items(&it.exposures, Id::exposure),
            destinations: Items(&it.destinations, Id::destination),
            evidence: Items(&it.evidence, Evidence::new),
            note: it.note,
            title: &it.title,
            counts_as: it.counts().map(|it| it.word()),
            findings: Items(&it.findings, Finding::new),
            settled_by: it.settled_by.iter().map(|it| &**it).collect(),
            replies: replies.filter(|(_, it)| it.verdicts.contains(&index)).map(|(at, _)| at).collect(),
        }
    }
}

impl<'a> Reader<'a> {
    fn new(it: &'a exposure::Reader) -> Self {
        Self {
            role: it.role.word(),
            party: &it.party,
            answer: it.answer.word(),
            because: Why(&it.because),
        }
    }
}

impl<'a> Evidence<'a> {
    /// Of a locus.
    pub(super) fn new(it: &'a Locus) -> Self {
        Self {
            input: it.input.0,
            frame: it.span.frame,
            offset: it.span.offset,
            length: it.span.length,
            layers: &it.layers,
            decoded_by: &it.decoded_by,
            counts_in: if it.span.in_frame { "frame" } else { "layer" },
            first_frame: (it.span.first_frame != it.span.frame).then_some(it.span.first_frame),
        }
    }
}
