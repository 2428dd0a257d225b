//! What somebody names of an audit, as waivers and replies do: a destination or an exposure by its number, a host, an organisation, a kind, a
//! field. Refuses a star anywhere but before a domain: a blanket covers what nobody looked at.

use std::collections::BTreeSet;
use std::net::IpAddr;

use farshore_model::party::Destination;
use farshore_model::{Exposure, Finding, Subject};

use crate::naming::plain;

/// What stands for everything a clause leaves open because the capture does not show it.
const COVERAGE: &str = "coverage";
/// Keys of a subject.
const KEYS: &str = "host=, org=, kind=, field=";

/// What a subject names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Covers {
    /// A destination by its number in the audit.
    Destination(usize),
    /// An exposure by its number in the audit.
    Exposure(usize),
    /// What the capture does not show.
    Coverage,
    /// Whatever all of these hold of.
    All(Vec<Term>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Term {
    /// The name or the address of a destination, a kind, or a field.
    Any(String),
    Host(String),
    Organisation(String),
    Kind(String),
    Field(String),
}

impl Covers {
    /// Reads a subject; the error says what was expected.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == COVERAGE {
            return Ok(Self::Coverage);
        }
        if let Some(index) = numbered(text, 'd') {
            return Ok(Self::Destination(index));
        }
        if let Some(index) = numbered(text, 'x') {
            return Ok(Self::Exposure(index));
        }
        let mut terms = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            // Fields can hold blanks, so one goes to the end.
            let end = if rest.starts_with("field=") {
                rest.len()
            } else {
                rest.find(char::is_whitespace).unwrap_or(rest.len())
            };
            let (word, after) = rest.split_at(end);
            terms.push(Term::read(word)?);
            rest = after.trim_start();
        }
        if terms.is_empty() {
            return Err("`subject` is empty: it names what is meant, such as a destination".to_owned());
        }
        if terms.len() > 1 && terms.iter().any(|it| matches!(it, Term::Any(_))) {
            return Err(format!("of several words each needs its key: {KEYS}"));
        }
        Ok(Self::All(terms))
    }

    /// Whether it is what a finding judged.
    pub(crate) fn finding(&self, finding: &Finding, exposures: &[Exposure], destinations: &[Destination]) -> bool {
        let (exposure, destination, address) = match finding.subject {
            Subject::Exposure(index) => {
                let exposure = exposures.get(index);
                (exposure.map(|it| (index, it)), exposure.map(|it| it.destination), None)
            }
            Subject::Address { destination, address } => (None, Some(destination), address),
            Subject::Coverage => return *self == Self::Coverage,
        };
        match self {
            Self::Coverage => false,
            Self::Destination(wanted) => destination == Some(*wanted),
            Self::Exposure(wanted) => exposure.is_some_and(|(index, _)| index == *wanted),
            Self::All(terms) => {
                let exposure = exposure.map(|(_, it)| it);
                let destination = destination.and_then(|it| destinations.get(it));
                terms.iter().all(|it| it.holds(exposure, destination, address))
            }
        }
    }
}

impl Covers {
    /// The destinations that are meant, each once: those it names, and those that received what it names.
    pub(crate) fn destinations(&self, exposures: &[Exposure], destinations: &[Destination]) -> Vec<usize> {
        let received = |index: &usize| exposures.get(*index).map(|it| it.destination);
        match self {
            Self::Coverage => Vec::new(),
            Self::Destination(index) => Some(*index).filter(|it| *it < destinations.len()).into_iter().collect(),
            Self::Exposure(index) => received(index).into_iter().collect(),
            Self::All(terms) => {
                let at = |it: &Destination, address| terms.iter().all(|term| term.holds(None, Some(it), address));
                let is_named = |it: &Destination| at(it, None) || it.places.iter().any(|place| at(it, Some(place.address)));
                let named = destinations.iter().enumerate().filter(|(_, it)| is_named(it));
                let holds = |it: &&Exposure| {
                    terms
                        .iter()
                        .all(|term| term.holds(Some(it), destinations.get(it.destination), None))
                };
                let received = exposures.iter().filter(holds).map(|it| it.destination);
                let all: BTreeSet<usize> = named.map(|(index, _)| index).chain(received).collect();
                all.into_iter().collect()
            }
        }
    }
}

/// The index behind `d3`.
fn numbered(text: &str, letter: char) -> Option<usize> {
    let digits = text.strip_prefix(letter)?;
    let number: usize = digits.bytes().all(|it| it.is_ascii_digit()).then(|| digits.parse().ok())??;
    number.checked_sub(1)
}

impl Term {
    fn read(word: &str) -> Result<Self, String> {
        let (key, value) = word.split_once('=').map_or((None, word), |(key, value)| (Some(key), value));
        if value.is_empty() {
            return Err(format!("`{word}` names nothing"));
        }
        let it = match key {
            None => Self::Any(value.to_owned()),
            Some("host") => Self::Host(plain(value).into_owned()),
            Some("org") => Self::Organisation(value.to_owned()),
            Some("kind") => Self::Kind(value.to_owned()),
            Some("field") => Self::Field(value.to_owned()),
            Some(key) => return Err(format!("`{key}=` is no key of a subject; there are: {KEYS}")),
        };
        // A star may stand before a domain, for all names beneath it; anywhere else it would be a blanket.
        let whole = match &it {
            Self::Host(host) => host.strip_prefix("*.").filter(|rest| rest.contains('.')).unwrap_or(host),
            _ => value,
        };
        if whole.contains('*') {
            return Err(format!(
                "`{word}`: a subject is named; a star stands for the names beneath a domain only, such as host=*.edge.example"
            ));
        }
        Ok(it)
    }

    fn holds(&self, exposure: Option<&Exposure>, destination: Option<&Destination>, address: Option<IpAddr>) -> bool {
        let kind = |kind: &str| exposure.is_some_and(|it| it.kind.as_str() == kind);
        let field = |field: &str| exposure.is_some_and(|it| &*it.field == field);
        let host = |host: &str| destination.is_some_and(|it| is_host(host, it, exposure.is_none().then_some(address)));
        match self {
            Self::Any(word) => kind(word) || field(word) || host(&plain(word)),
            Self::Host(wanted) => host(wanted),
            Self::Organisation(id) => destination.and_then(|it| it.organisation.as_ref()).is_some_and(|it| it.id == *id),
            Self::Kind(wanted) => kind(wanted),
            Self::Field(wanted) => field(wanted),
        }
    }
}

/// Whether a destination is meant by that name or address. `judged`: one of its addresses was judged, and which.
fn is_host(wanted: &str, it: &Destination, judged: Option<Option<IpAddr>>) -> bool {
    let name = plain(&it.name);
    if name == wanted {
        return true;
    }
    if let Some(domain) = wanted.strip_prefix("*.") {
        return name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    }
    let Ok(wanted) = wanted.parse::<IpAddr>() else {
        return false;
    };
    match judged {
        Some(address) => address == Some(wanted),
        // What reached a party with several addresses is not known to have gone to that one.
        None => !it.places.is_empty() && it.places.iter().all(|place| place.address == wanted),
    }
}
