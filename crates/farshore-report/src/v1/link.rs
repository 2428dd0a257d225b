//! Who can be linked to whom in version 1.

use serde::Serialize;

use farshore_model::{Locus, link};

use super::Items;
use super::exposure::Evidence;
use crate::words::Word;

/// One of `links`.
#[derive(Serialize)]
pub struct Link<'a> {
    observer: &'static str,
    a: &'a str,
    b: &'a str,
    by: String,
    evidence: Items<'a, Locus, Evidence<'a>>,
    party: &'a str,
    anonymity_set: usize,
}

impl<'a> Link<'a> {
    /// As it stands in an audit.
    pub fn new(it: &'a link::Link) -> Self {
        Self {
            observer: it.observer.word(),
            a: &it.a,
            b: &it.b,
            by: it.label(),
            evidence: Items(&it.evidence, Evidence::new),
            party: &it.party,
            anonymity_set: it.anonymity_set,
        }
    }
}
