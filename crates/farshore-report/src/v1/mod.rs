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
mod reply;
mod talk;
mod waiver;

pub use destination::{Destination, Law};
pub use exposure::{Anomaly, Exposure, Verdict};
pub use flow::Flow;
pub use identifier::{Design, Identifier};
pub use input::{Coverage, Input, Tool};
pub(crate) use input::{is_log, unit, units};
pub use link::Link;
pub use observation::Row;
pub use reply::Reply;
pub use talk::{Talk, Undeclared};
pub use waiver::{Baseline, Waiver};

use std::collections::HashMap;
use std::marker::PhantomData;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use farshore_model::FlowId;
use farshore_model::party::{Location, Network, Reach};
use farshore_model::runs::contacts;

use crate::Audit;
use crate::compact::{Digits, Written};

/// The name and version of this form.
pub const SCHEMA: &str = "farshore.audit/1";
/// The name and version of the answer to `who`.
pub const WHO_SCHEMA: &str = "farshore.who/1";

/// A list of the audit that is written row by row.
pub trait List {
    /// What the list is called.
    const KEY: &'static str;
    /// What `type` says of a row on a line of its own.
    const TYPE: &'static str;
    /// How many rows it has.
    fn count(audit: &Audit) -> usize;
    /// Some of its rows.
    fn rows<'a>(audit: &'a Audit, range: Range<usize>, parts: &mut Parts<'a>) -> impl Iterator<Item = impl Serialize>;
}

macro_rules! lists {
    ($($(#[$doc:meta])* $list:ident $key:literal $kind:literal |$audit:ident| $all:expr, |$index:pat_param, $it:ident, $parts:pat_param| $row:expr;)+) => {$(
        $(#[$doc])*
        pub struct $list;

        impl List for $list {
            const KEY: &'static str = $key;
            const TYPE: &'static str = $kind;

            fn count($audit: &Audit) -> usize {
                $all.len()
            }

            fn rows<'a>($audit: &'a Audit, range: Range<usize>, $parts: &mut Parts<'a>) -> impl Iterator<Item = impl Serialize> {
                let all = $all;
                range.filter_map(move |at| {
                    let $index = at;
                    all.get(at).map(|$it| $row)
                })
            }
        }
    )+};
}

lists! {
    /// The inputs.
    Inputs "inputs" "input" |audit| &audit.inputs, |_, it, _| Input::new(it);
    /// The destinations.
    Destinations "destinations" "destination" |audit| &audit.destinations, |index, it, parts| Destination::new(index, it, parts).reached(contacts(it, &audit.flows));
    /// The exposures.
    Exposures "exposures" "exposure" |audit| &audit.exposures, |index, it, _| Exposure::new(index, it, audit);
    /// The identifiers nobody named.
    Identifiers "identifiers" "identifier" |audit| audit.discovery.as_ref().map_or(&[][..], |it| &it.identifiers), |_, it, _| Identifier::new(it);
    /// Who can be linked to whom.
    Links "links" "link" |audit| audit.links.as_deref().unwrap_or_default(), |_, it, _| Link::new(it);
    /// The anomalies.
    Anomalies "anomalies" "anomaly" |audit| &audit.anomalies, |_, it, _| Anomaly::new(it);
    /// The verdicts.
    Verdicts "verdicts" "verdict" |audit| &audit.verdicts, |index, it, _| Verdict::new(index, it, audit);
    /// What was waived.
    Waivers "waivers" "waiver" |audit| audit.waivers.as_deref().unwrap_or_default(), |_, it, _| Waiver::new(it);
    /// What others say against it.
    Replies "replies" "reply" |audit| audit.replies.as_deref().unwrap_or_default(), |_, it, _| Reply::new(it);
    /// What was sent while nobody asked for anything.
    Talks "talk" "talk" |audit| &audit.talk, |_, it, _| Talk::new(it);
    /// What was not declared.
    Omissions "undeclared" "undeclared" |audit| audit.undeclared.as_deref().unwrap_or_default(), |_, it, _| Undeclared::new(it);
    /// The flows.
    Flows "flows" "flow" |audit| &audit.flows, |index, it, _| Flow::new(index, it, audit.flow_names.get(index));
    /// The facts.
    Observations "observations" "observation" |audit| &audit.observations, |_, it, _| Row::new(it, audit.show_pii);
}

/// The laws that reach names.
pub struct Laws;

impl List for Laws {
    const KEY: &'static str = "laws";
    const TYPE: &'static str = "law";

    fn count(audit: &Audit) -> usize {
        Law::all(&audit.destinations).count()
    }

    fn rows<'a>(audit: &'a Audit, range: Range<usize>, _: &mut Parts<'a>) -> impl Iterator<Item = impl Serialize> {
        Law::all(&audit.destinations).skip(range.start).take(range.len())
    }
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
