//! Identifiers nobody named, in version 1, and the argument for them.

use serde::Serialize;

use farshore_model::identifier::{self, Role, RoleDesign};
use farshore_model::{Discovery, Locus};

use super::Items;
use super::exposure::Evidence;

/// One of `identifiers`.
#[derive(Serialize)]
pub struct Identifier<'a> {
    roles: Items<'a, Role, &'static str>,
    #[serde(rename = "where")]
    place: &'a str,
    encoding: &'a str,
    distinct: u64,
    support: Support,
    because: &'a str,
    p_value: f64,
    least_p: f64,
    confirmed_on: u64,
    evidence: Items<'a, Locus, Evidence<'a>>,
    firmness: &'static str,
    p_single: f64,
    /// By input, the number of the value it has.
    table: &'a [Option<u64>],
}

#[derive(Serialize)]
struct Support {
    captures: u64,
    sessions: u64,
    messages: u64,
}

impl<'a> Identifier<'a> {
    /// As it stands in an audit.
    pub fn new(it: &'a identifier::Identifier) -> Self {
        Self {
            roles: Items(&it.roles, |role| role.word()),
            place: &it.place,
            encoding: &it.encoding,
            distinct: it.distinct,
            support: Support {
                captures: it.support.captures,
                sessions: it.support.sessions,
                messages: it.support.messages,
            },
            because: &it.because,
            p_value: it.p_value,
            least_p: it.least_p,
            confirmed_on: it.confirmed_on,
            evidence: Items(&it.evidence, Evidence::new),
            firmness: it.firmness.word(),
            p_single: it.p_single,
            table: &it.table,
        }
    }
}

/// `discovery`: what was compared, and how often something was tried.
#[derive(Serialize)]
pub struct Design<'a> {
    captures: u64,
    aside: u64,
    sessions: u64,
    roles: Items<'a, RoleDesign, RoleRow>,
    places: u64,
    steady: u64,
    hypotheses: u64,
    correction: &'static str,
    cannot_tell: &'a [String],
}

#[derive(Serialize)]
struct RoleRow {
    role: &'static str,
    distinct: u64,
    least_p: f64,
}

impl<'a> Design<'a> {
    /// Of a search.
    pub fn new(it: &'a Discovery) -> Self {
        let it = &it.design;
        Self {
            captures: it.captures,
            aside: it.aside,
            sessions: it.sessions,
            roles: Items(&it.roles, |it| RoleRow {
                role: it.role.word(),
                distinct: it.distinct,
                least_p: it.least_p,
            }),
            places: it.places,
            steady: it.steady,
            hypotheses: it.hypotheses,
            correction: "holm",
            cannot_tell: &it.cannot_tell,
        }
    }
}
