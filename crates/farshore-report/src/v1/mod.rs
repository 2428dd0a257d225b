//! Version 1 of the serialised audit: `farshore.audit/1`. Keys may be added; none changes meaning or goes away.
//!
//! These types borrow from the audit and are written as they are walked: nothing is collected first. They refuse to
//! decide anything; the order of keys is that of the contract, added keys stand last.

mod destination;
mod exposure;
mod flow;
mod input;
mod observation;

pub use destination::{Destination, Law};
pub use exposure::{Anomaly, Exposure, Verdict};
pub use flow::Flow;
pub(crate) use input::is_log;
pub use input::{Coverage, Input, Tool};
pub use observation::Row;

use serde::{Serialize, Serializer};

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
    // Neither is searched for yet; `coverage.not_searched` says so.
    identifiers: [(); 0],
    links: [(); 0],
    anomalies: Each<'a, Anomalies>,
    verdicts: Each<'a, Verdicts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flows: Option<Each<'a, Flows>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observations: Option<Each<'a, Observations>>,
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
            identifiers: [],
            links: [],
            anomalies: Each(audit, Anomalies),
            verdicts: Each(audit, Verdicts),
            flows: sections.flows.then_some(Each(audit, Flows)),
            observations: sections.observations.then_some(Each(audit, Observations)),
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
    Destinations "destination" |audit| (0..).zip(&audit.destinations).map(|(index, it)| Destination::new(index, it));
    /// The laws that reach names.
    Laws "law" |audit| Law::all(&audit.destinations);
    /// The exposures.
    Exposures "exposure" |audit| (0..).zip(&audit.exposures).map(|(index, it)| Exposure::new(index, it, audit.show_pii));
    /// The anomalies.
    Anomalies "anomaly" |audit| audit.anomalies.iter().map(Anomaly::new);
    /// The verdicts.
    Verdicts "verdict" |audit| audit.verdicts.iter().map(Verdict::new);
    /// The flows.
    Flows "flow" |audit| (0..).zip(&audit.flows).map(|(index, it)| Flow::new(index, it, audit.flow_names.get(index)));
    /// The facts.
    Observations "observation" |audit| audit.observations.iter().map(|it| Row::new(it, audit.show_pii));
}

/// The id of the n-th of its kind: `d1`, `f1`, `x1`.
fn id(letter: char, index: usize) -> String {
    format!("{letter}{}", index.saturating_add(1))
}

fn ids(letter: char, indices: impl IntoIterator<Item = usize>) -> Vec<String> {
    indices.into_iter().map(|index| id(letter, index)).collect()
}

fn flow_index(flow: farshore_model::FlowId) -> usize {
    usize::try_from(flow.0).unwrap_or(usize::MAX)
}

/// Nanoseconds as milliseconds, to the nanosecond.
#[expect(clippy::cast_precision_loss, reason = "a round trip is far below 2^53 ns")]
fn milliseconds(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}
