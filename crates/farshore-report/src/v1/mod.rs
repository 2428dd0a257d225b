//! Version 1 of the serialised audit: `farshore.audit/1`. Keys may be added; none changes meaning or goes away.
//!
//! These types borrow from the audit and are written as they are walked: nothing is collected first. They refuse to
//! decide anything; the order of keys is that of the contract, added keys stand last.

mod destination;
mod exposure;
mod flow;
mod identifier;
mod input;
mod link;
mod observation;
mod talk;

pub use destination::{Destination, Law};
pub use exposure::{Anomaly, Exposure, Verdict};
pub use flow::Flow;
pub use identifier::{Design, Identifier};
pub use input::{Coverage, Input, Tool};
pub(crate) use input::{is_log, unit};
pub use link::Link;
pub use observation::Row;
pub(crate) use talk::word as omission;
pub use talk::{Talk, Undeclared};

use std::collections::HashMap;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use farshore_model::FlowId;
use farshore_model::party::{Location, Network, Reach};

use crate::compact::{Digits, Written};
use crate::{Audit, Sections};

/// The name and version of this form.
pub const SCHEMA: &str = "farshore.audit/1";
/// The name and version of the answer to `who`.
pub const WHO_SCHEMA: &str = "farshore.who/1";

/// The whole object.
#[derive(Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    tool: Tool<'a>,
    inputs: Each<'a, Inputs>,
    coverage: Coverage<'a>,
    destinations: Each<'a, Destinations>,
    laws: Each<'a, Laws>,
    exposures: Each<'a, Exposures>,
    identifiers: Each<'a, Identifiers>,
    links: Each<'a, Links>,
    anomalies: Each<'a, Anomalies>,
    verdicts: Each<'a, Verdicts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    talk: Option<Each<'a, Talks>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undeclared: Option<Each<'a, Omissions>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flows: Option<Each<'a, Flows>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observations: Option<Each<'a, Observations>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    discovery: Option<Design<'a>>,
}

impl<'a> Document<'a> {
    /// The audit with the sections that were asked for.
    pub fn new(audit: &'a Audit, sections: Sections) -> Self {
        Self {
            schema: SCHEMA,
            tool: Tool::new(audit),
            inputs: Each(audit, Inputs),
            coverage: Coverage::new(audit),
            destinations: Each(audit, Destinations),
            laws: Each(audit, Laws),
            exposures: Each(audit, Exposures),
            identifiers: Each(audit, Identifiers),
            links: Each(audit, Links),
            anomalies: Each(audit, Anomalies),
            verdicts: Each(audit, Verdicts),
            talk: (!audit.talk.is_empty()).then_some(Each(audit, Talks)),
            undeclared: audit.undeclared.is_some().then_some(Each(audit, Omissions)),
            flows: sections.flows.then_some(Each(audit, Flows)),
            observations: sections.observations.then_some(Each(audit, Observations)),
            discovery: audit.discovery.as_ref().map(Design::new),
        }
    }
}

/// A list of the audit that is written row by row.
pub trait List {
    /// What `type` says of a row on a line of its own.
    const TYPE: &'static str;
    /// Its rows.
    fn rows<'a>(audit: &'a Audit) -> impl Iterator<Item = impl Serialize + 'a>;
}

/// A [`List`] as a JSON array.
pub struct Each<'a, L>(&'a Audit, L);

impl<L: List> Serialize for Each<'_, L> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(L::rows(self.0))
    }
}

macro_rules! lists {
    ($($(#[$doc:meta])* $list:ident $kind:literal |$audit:ident| $rows:expr;)+) => {$(
        $(#[$doc])*
        pub struct $list;

        impl List for $list {
            const TYPE: &'static str = $kind;
            fn rows<'a>($audit: &'a Audit) -> impl Iterator<Item = impl Serialize + 'a> {
                $rows
            }
        }
    )+};
}

lists! {
    /// The inputs.
    Inputs "input" |audit| audit.inputs.iter().map(Input::new);
    /// The destinations.
    Destinations "destination" |audit| {
        let mut parts = Parts::default();
        (0..).zip(&audit.destinations).map(move |(index, it)| Destination::new(index, it, &mut parts))
    };
    /// The laws that reach names.
    Laws "law" |audit| Law::all(&audit.destinations);
    /// The exposures.
    Exposures "exposure" |audit| (0..).zip(&audit.exposures).map(|(index, it)| Exposure::new(index, it, audit.show_pii));
    /// The identifiers nobody named.
    Identifiers "identifier" |audit| audit.discovery.iter().flat_map(|it| &it.identifiers).map(Identifier::new);
    /// Who can be linked to whom.
    Links "link" |audit| audit.links.iter().flatten().map(Link::new);
    /// The anomalies.
    Anomalies "anomaly" |audit| audit.anomalies.iter().map(Anomaly::new);
    /// The verdicts.
    Verdicts "verdict" |audit| audit.verdicts.iter().map(Verdict::new);
    /// What was sent while nobody asked for anything.
    Talks "talk" |audit| audit.talk.iter().map(Talk::new);
    /// What was not declared.
    Omissions "undeclared" |audit| audit.undeclared.iter().flatten().map(Undeclared::new);
    /// The flows.
    Flows "flow" |audit| (0..).zip(&audit.flows).map(|(index, it)| Flow::new(index, it, audit.flow_names.get(index)));
    /// The facts.
    Observations "observation" |audit| audit.observations.iter().map(|it| Row::new(it, audit.show_pii));
}

/// Parts of an audit that many of its rows share, each put in words once.
#[derive(Default)]
pub struct Parts<'a> {
    networks: Shared<'a, Network>,
    locations: Shared<'a, Location>,
    reach: Shared<'a, [Reach]>,
}

/// What was written of values of one sort, by where they stand. They are borrowed, so none can move away meanwhile.
struct Shared<'a, T: ?Sized> {
    written: HashMap<*const (), Rc<Written>>,
    values: PhantomData<&'a T>,
}

impl<T: ?Sized> Default for Shared<'_, T> {
    fn default() -> Self {
        Self {
            written: HashMap::new(),
            values: PhantomData,
        }
    }
}

impl<'a, T: ?Sized> Shared<'a, T> {
    fn part<S: Serialize>(&mut self, it: &'a Arc<T>, shape: impl Fn(&'a T) -> S) -> Part<S> {
        if Arc::strong_count(it) == 1 {
            return Part::Once(shape(it));
        }
        let at = Arc::as_ptr(it).cast();
        if let Some(written) = self.written.get(&at) {
            return Part::Again(Rc::clone(written));
        }
        match Written::of(&shape(it)).map(Rc::new) {
            Ok(written) => {
                self.written.insert(at, Rc::clone(&written));
                Part::Again(written)
            }
            Err(_) => Part::Once(shape(it)),
        }
    }
}

/// A part of a row: its own, or the same as in other rows.
enum Part<S> {
    Once(S),
    Again(Rc<Written>),
}

impl<S: Serialize> Serialize for Part<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        match self {
            Self::Once(shape) => shape.serialize(serializer),
            Self::Again(written) => written.serialize(serializer),
        }
    }
}

/// A slice, shaped and written item by item.
struct Items<'a, T, S>(&'a [T], fn(&'a T) -> S);

impl<T, S: Serialize> Serialize for Items<'_, T, S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.collect_seq(self.0.iter().map(self.1))
    }
}

/// The id of the n-th of its kind, from 0: `d1`, `f1`, `x1`.
#[derive(Clone, Copy)]
struct Id(u8, usize);

impl Id {
    fn flow(id: &FlowId) -> Self {
        Self(b'f', usize::try_from(id.0).unwrap_or(usize::MAX))
    }

    fn destination(index: &usize) -> Self {
        Self(b'd', *index)
    }

    fn exposure(index: &usize) -> Self {
        Self(b'x', *index)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Ids come by the million: they are spelled on the stack. A letter, and the digits of 2^64 at most.
        let mut digits = Digits::default();
        let digits = digits.of(u64::try_from(self.1).unwrap_or(u64::MAX).saturating_add(1));
        let mut text = [self.0; 21];
        text.iter_mut().skip(1).zip(digits).for_each(|(to, digit)| *to = *digit);
        let id = text.get(..digits.len().saturating_add(1)).unwrap_or_default();
        serializer.serialize_str(std::str::from_utf8(id).unwrap_or_default())
    }
}

/// Nanoseconds as milliseconds, to the nanosecond.
#[expect(clippy::cast_precision_loss, reason = "a round trip is far below 2^53 ns")]
fn milliseconds(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}
