//! In which input who was reached, by which app, and whether something came back: what tells if a road was travelled at all.
//!
//! One input is one run. It can be told of the flows of an audit, and is little enough to be kept where these are not.

use crate::party::Destination;
use crate::{Audit, Exposure, Flow, FlowId, InputId, Protection, Rows, Text};

/// The flows of one run to one destination that are alike in all that is told here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The run.
    pub input: InputId,
    /// The app that sent them; `None`: the capture does not tell.
    pub app: Option<Text>,
    /// How their content was protected.
    pub protection: Protection,
    /// Whether their content could be read: it stood in the clear, or was opened whole.
    pub read: bool,
    /// How many.
    pub flows: u64,
    /// Bytes of payload to the destination.
    pub payload_up: u64,
    /// Bytes of payload from it.
    pub payload_down: u64,
    /// Bytes of their streams that were never captured.
    pub gaps: u64,
}

impl Contact {
    /// Whether payload went both ways.
    pub const fn is_exchange(&self) -> bool {
        self.payload_up > 0 && self.payload_down > 0
    }

    fn of(flow: &Flow) -> Self {
        let opened = flow.is_opened() && flow.keys().is_none_or(|it| it.missed.is_none());
        Self {
            input: flow.input,
            app: flow.app().map(|it| it.name.as_str().into()),
            protection: flow.protection,
            read: opened || matches!(flow.protection, Protection::Plaintext),
            flows: 1,
            payload_up: flow.up.payload,
            payload_down: flow.down.payload,
            gaps: flow.gaps(),
        }
    }

    fn kind(&self) -> (InputId, Option<&Text>, Protection, bool, bool, bool) {
        // One way and the other are no exchange: such flows are not added up.
        let (up, down) = (self.payload_up > 0, self.payload_down > 0);
        (self.input, self.app.as_ref(), self.protection, self.read, up, down)
    }
}

/// The runs of an audit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// By destination, as the audit lists them.
    pub contacts: Vec<Vec<Contact>>,
    /// By exposure, the runs in which it was seen.
    pub inputs: Vec<Vec<InputId>>,
}

impl Runs {
    /// Of an audit that has its flows.
    pub fn of(audit: &Audit) -> Self {
        Self {
            contacts: audit.destinations.iter().map(|it| contacts(it, &audit.flows)).collect(),
            inputs: audit.exposures.iter().map(|it| inputs(it, &audit.flows)).collect(),
        }
    }
}

/// How a destination was reached, by run, app and protection.
pub fn contacts(it: &Destination, flows: &Rows<Flow>) -> Vec<Contact> {
    // A resolver is asked a million times in few ways: only those are kept.
    let mut all: Vec<Contact> = Vec::new();
    for next in those(&it.flows, flows).map(Contact::of) {
        match all.binary_search_by(|it| it.kind().cmp(&next.kind())) {
            Err(at) => all.insert(at, next),
            Ok(at) => {
                if let Some(kept) = all.get_mut(at) {
                    kept.flows = kept.flows.saturating_add(next.flows);
                    kept.payload_up = kept.payload_up.saturating_add(next.payload_up);
                    kept.payload_down = kept.payload_down.saturating_add(next.payload_down);
                    kept.gaps = kept.gaps.saturating_add(next.gaps);
                }
            }
        }
    }
    all
}

/// The runs in which something was exposed.
pub fn inputs(it: &Exposure, flows: &Rows<Flow>) -> Vec<InputId> {
    let mut all: Vec<_> = those(&it.flows, flows).map(|it| it.input).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn those<'a>(ids: &'a [FlowId], flows: &'a Rows<Flow>) -> impl Iterator<Item = &'a Flow> {
    ids.iter().filter_map(|it| flows.get(it.0 as usize))
}
