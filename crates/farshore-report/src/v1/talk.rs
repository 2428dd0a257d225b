//! What was sent while nobody asked for anything, and what was not declared, in version 1.

use serde::Serialize;

use farshore_model::party::Rhythm;
use farshore_model::{InputId, Locus, Text, talk};

use super::exposure::Evidence;
use super::{Id, Items, milliseconds};
use crate::words::Word;

/// One of `talk`.
#[derive(Serialize)]
pub struct Talk<'a> {
    state: &'a str,
    destination: Id,
    inputs: Items<'a, InputId, u32>,
    flows: u64,
    bytes_up: u64,
    rhythm: Option<Beat>,
    fields: Items<'a, Text, &'a str>,
    exposures: Items<'a, usize, Id>,
    /// What no input labelled `active` shows; null where none was.
    not_while_active: Option<Beyond<'a>>,
    evidence: Items<'a, Locus, Evidence<'a>>,
}

#[derive(Serialize)]
struct Beyond<'a> {
    destination: bool,
    fields: Items<'a, Text, &'a str>,
}

/// A period and how far it is kept.
#[derive(Serialize)]
pub(super) struct Beat {
    period_ms: f64,
    jitter_ms: f64,
    times: u64,
}

impl Beat {
    pub(super) fn new(it: Rhythm) -> Self {
        Self {
            period_ms: milliseconds(it.period),
            jitter_ms: milliseconds(it.jitter),
            times: it.times,
        }
    }
}

/// One of `undeclared`.
#[derive(Serialize)]
pub struct Undeclared<'a> {
    what: &'static str,
    subject: &'a str,
    destination: Id,
    exposures: Items<'a, usize, Id>,
    because: &'a str,
    evidence: Items<'a, Locus, Evidence<'a>>,
}

impl<'a> Talk<'a> {
    /// As it stands in an audit.
    pub fn new(it: &'a talk::Talk) -> Self {
        Self {
            state: &it.state,
            destination: Id::destination(&it.destination),
            inputs: Items(&it.inputs, |it| it.0),
            flows: it.flows,
            bytes_up: it.bytes_up,
            rhythm: it.rhythm.map(Beat::new),
            fields: Items(&it.fields, Text::as_str),
            exposures: Items(&it.exposures, Id::exposure),
            not_while_active: it.beyond.as_ref().map(|it| Beyond {
                destination: it.destination,
                fields: Items(&it.fields, Text::as_str),
            }),
            evidence: Items(&it.evidence, Evidence::new),
        }
    }
}

impl<'a> Undeclared<'a> {
    /// As it stands in an audit.
    pub fn new(it: &'a talk::Undeclared) -> Self {
        Self {
            what: it.what.word(),
            subject: &it.subject,
            destination: Id::destination(&it.destination),
            exposures: Items(&it.exposures, Id::exposure),
            because: &it.because,
            evidence: Items(&it.evidence, Evidence::new),
        }
    }
}
