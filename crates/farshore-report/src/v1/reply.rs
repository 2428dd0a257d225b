//! What others say against what was found, in version 1.

use farshore_model::reply;
use serde::Serialize;

use super::waiver::Day;
use super::{Id, Items};

/// One of `replies`.
#[derive(Serialize)]
pub struct Reply<'a> {
    by: &'a str,
    date: Day,
    statement: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pack: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clause: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    /// Indices in `verdicts`.
    verdicts: &'a [usize],
    destinations: Items<'a, usize, Id>,
}

impl<'a> Reply<'a> {
    /// As it stands in an audit.
    pub fn new(it: &'a reply::Reply) -> Self {
        Self {
            by: &it.by,
            date: Day(it.date),
            statement: &it.statement,
            source: it.source.as_deref(),
            pack: it.pack.as_deref(),
            clause: it.clause.as_deref(),
            subject: it.subject.as_deref(),
            verdicts: &it.verdicts,
            destinations: Items(&it.destinations, Id::destination),
        }
    }
}
