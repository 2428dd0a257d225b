//! What was seen: all flows, facts and sightings of an audit, before anything is concluded from them.
//!
//! A ledger can be merged, kept and judged again under another law without the packets.

use std::collections::BTreeMap;

use crate::observation::Observed;
use crate::row::LogRecord;
use crate::{Coverage, Date, Flow, FlowId, InputId, Locus, Rows, Sighting, Specimen, Timestamp, WireText};

/// One input, as read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputRecord {
    /// The base name of its path.
    pub name: String,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
    /// `pcap`, `pcapng`, …
    pub format: &'static str,
    /// Frames read; of a log, its rows.
    pub frames: u64,
    /// Bytes of its frames on the wire; of records, those they tell of. Known when they were counted.
    pub bytes: u64,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Earliest frame time.
    pub first: Option<Timestamp>,
    /// Latest frame time.
    pub last: Option<Timestamp>,
    /// The tick of its clock in nanoseconds: the smallest step between frames, of the interface where that is largest; 0 when
    /// the clock never moved.
    pub tick: u64,
    /// It ends inside a frame.
    pub cut_short: bool,
    /// What the user says of it, by key.
    pub labels: BTreeMap<String, String>,
    /// What the file says of itself (device, system, filter, application) and what was odd about it.
    pub notes: Vec<WireText>,
    /// The filter it was captured with, as the file tells: what did not fit was never written.
    pub filter: Option<WireText>,
    /// Of a flow log, what it holds beside flows and what it leaves out.
    pub log: Option<LogRecord>,
    /// The simulated world that wrote it, if it says so; its parties are fictional.
    pub world: Option<WireText>,
}

/// Something odd on the wire. Odd traffic is data, not an error.
#[derive(Clone, Debug, PartialEq)]
pub struct Anomaly {
    /// What, as `area-thing`. Kinds that begin with `interference` speak of tampering on the path.
    pub kind: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// Why it is said.
    pub because: String,
    /// The flow, if one.
    pub flow: Option<FlowId>,
    /// Where.
    pub evidence: Vec<Locus>,
}

/// How much an anomaly matters to what the audit says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Something may have been missed or is doubtful.
    Warning,
    /// Something was lost for certain.
    Loss,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// The inputs, in the order given.
    pub inputs: Vec<InputRecord>,
    /// What could be seen and what could not.
    pub coverage: Coverage,
    /// The flows, by input and first frame; [`FlowId`] is the index.
    pub flows: Rows<Flow>,
    /// The facts, in the order of their frames.
    pub observations: Rows<Observed>,
    /// The identifiers.
    pub sightings: Vec<Sighting>,
    /// The oddities.
    pub anomalies: Vec<Anomaly>,
    /// The openings of conversations, kept when there are others to compare them with.
    pub specimens: Vec<Specimen>,
    /// Of one input: the numbers that flows have, by those they went by while it was read; empty where these are the same.
    pub moved: Vec<FlowId>,
}

impl Ledger {
    /// The first and the last day of its inputs.
    pub fn days(&self) -> Option<(Date, Date)> {
        let first = self.inputs.iter().filter_map(|it| it.first).min()?;
        let last = self.inputs.iter().filter_map(|it| it.last).max()?;
        Some((first.date(), last.date()))
    }

    /// Adds the ledger of further inputs behind this one.
    pub fn merge(&mut self, mut other: Self) {
        if self.inputs.is_empty() {
            *self = other;
            return;
        }
        let flows = u32::try_from(self.flows.len()).unwrap_or(u32::MAX);
        let inputs = u32::try_from(self.inputs.len()).unwrap_or(u32::MAX);
        let flow = |id: &mut FlowId| id.0 = id.0.saturating_add(flows);
        let input = |id: &mut InputId| id.0 = id.0.saturating_add(inputs);
        for it in &mut other.flows {
            input(&mut it.input);
            it.inside.iter_mut().for_each(flow);
        }
        for it in &mut other.observations {
            flow(&mut it.flow);
            std::iter::once(&mut it.locus)
                .chain(&mut it.again)
                .for_each(|locus| input(&mut locus.input));
        }
        for it in &mut other.sightings {
            flow(&mut it.flow);
            it.evidence.iter_mut().for_each(|locus| input(&mut locus.input));
        }
        for it in &mut other.anomalies {
            it.flow.iter_mut().for_each(flow);
            it.evidence.iter_mut().for_each(|locus| input(&mut locus.input));
        }
        for it in &mut other.specimens {
            flow(&mut it.flow);
            input(&mut it.locus.input);
        }
        // Whoever needs to know how they were read asks before.
        self.moved = Vec::new();
        self.coverage.merge(other.coverage);
        self.inputs.append(&mut other.inputs);
        self.flows.extend(other.flows);
        self.observations.extend(other.observations);
        self.sightings.append(&mut other.sightings);
        self.anomalies.append(&mut other.anomalies);
        self.specimens.append(&mut other.specimens);
    }

    /// Numbers the flows by input and first frame. They are met in that order but where a datagram in fragments, which is only read once
    /// it is whole, stands among others.
    pub fn number_by_first_frame(&mut self) {
        let when = |flow: &Flow| (flow.input, flow.first_frame);
        if self.flows.iter().is_sorted_by_key(when) {
            return;
        }
        let mut order: Vec<(_, usize)> = self.flows.iter().map(when).zip(0..).collect();
        order.sort_unstable();
        self.moved = vec![FlowId(0); order.len()];
        for (new, (_, old)) in (0..).zip(order) {
            if let Some(number) = self.moved.get_mut(old) {
                *number = FlowId(new);
            }
        }
        let numbers: Vec<_> = self.moved.iter().copied().map(Some).collect();
        // Each flow goes to its place, and what stood there is looked at next.
        let mut left = numbers.clone();
        for at in 0..left.len() {
            while let Some(FlowId(place)) = left.get_mut(at).and_then(Option::take) {
                let place = place as usize;
                self.flows.swap(at, place);
                left.swap(at, place);
            }
        }
        self.renumber(&numbers);
    }

    /// The numbers that flows have once those of an app and those inside them are [all that is kept](Self::keep); by the number they
    /// have now.
    pub fn of_app(&self, app: &str) -> Vec<Option<FlowId>> {
        let mut numbers: Vec<Option<FlowId>> = Vec::with_capacity(self.flows.len());
        let mut kept = 0;
        for flow in &self.flows {
            let outer = flow.inside.and_then(|it| numbers.get(it.0 as usize).copied().flatten());
            let number = (outer.is_some() || flow.is_of(app)).then_some(FlowId(kept));
            kept = kept.saturating_add(u32::from(number.is_some()));
            numbers.push(number);
        }
        numbers
    }

    /// Keeps the flows that have a new number, and what was seen in them.
    pub fn keep(&mut self, numbers: &[Option<FlowId>]) {
        let flows = std::mem::take(&mut self.flows).into_iter().zip(numbers);
        self.flows = flows.filter(|(_, number)| number.is_some()).map(|(flow, _)| flow).collect();
        self.renumber(numbers);
    }

    /// Calls flows by their new numbers wherever they are spoken of, and drops what is said of those without one.
    fn renumber(&mut self, numbers: &[Option<FlowId>]) {
        let number = |old: FlowId| numbers.get(old.0 as usize).copied().flatten();
        let renumber = |id: &mut FlowId| match number(*id) {
            Some(number) => {
                *id = number;
                true
            }
            None => false,
        };
        for flow in &mut self.flows {
            flow.inside = flow.inside.and_then(number);
        }
        let observations = std::mem::take(&mut self.observations).into_iter();
        self.observations = observations.filter_map(|mut it| renumber(&mut it.flow).then_some(it)).collect();
        self.sightings.retain_mut(|it| renumber(&mut it.flow));
        self.anomalies.retain_mut(|it| it.flow.as_mut().is_none_or(renumber));
        self.specimens.retain_mut(|it| renumber(&mut it.flow));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{App, Rare};
    use crate::{Endpoint, Protection, Transport};

    fn flow(name: Option<&str>, inside: Option<u32>) -> Flow {
        let end = Endpoint {
            ip: [192, 0, 2, 1].into(),
            port: 7,
        };
        let app = |name: &str| {
            Box::new(App {
                name: name.to_owned(),
                via: "pktap",
            })
        };
        Flow {
            rare: name.map(|name| {
                Box::new(Rare {
                    app: Some(app(name)),
                    ..Rare::default()
                })
            }),
            inside: inside.map(FlowId),
            protection: Protection::Opaque,
            ..Flow::between(Transport::Udp, end, end)
        }
    }

    fn odd(flow: Option<FlowId>) -> Anomaly {
        Anomaly {
            kind: "test",
            severity: Severity::Note,
            because: String::new(),
            flow,
            evidence: Vec::new(),
        }
    }

    #[test]
    fn other_apps_go_with_all_that_was_seen_in_their_flows() {
        let mut ledger = Ledger {
            flows: [
                flow(Some("other"), None),
                flow(Some("voice"), None),
                flow(None, Some(0)),
                flow(None, Some(1)),
                flow(Some("voice"), Some(0)),
            ]
            .into_iter()
            .collect(),
            anomalies: [None, Some(0), Some(1), Some(2), Some(3), Some(4)]
                .into_iter()
                .map(|it| odd(it.map(FlowId)))
                .collect(),
            ..Ledger::default()
        };
        let numbers = ledger.of_app("voice");
        ledger.keep(&numbers);
        assert_eq!(numbers, [None, Some(0), None, Some(1), Some(2)].map(|it| it.map(FlowId)));
        assert_eq!(
            ledger.flows.iter().map(|it| it.inside).collect::<Vec<_>>(),
            [None, Some(FlowId(0)), None]
        );
        let of: Vec<_> = ledger.anomalies.iter().map(|it| it.flow).collect();
        assert_eq!(of, [None, Some(FlowId(0)), Some(FlowId(1)), Some(FlowId(2))]);
    }

    #[test]
    fn flows_are_numbered_by_their_first_frames() {
        let at = |first_frame, inside| Flow {
            first_frame,
            ..flow(None, inside)
        };
        let mut ledger = Ledger {
            flows: [at(3, None), at(1, None), at(1, Some(1)), at(2, None)].into_iter().collect(),
            anomalies: (0..4).map(|it| odd(Some(FlowId(it)))).collect(),
            ..Ledger::default()
        };
        ledger.number_by_first_frame();
        assert_eq!(ledger.flows.iter().map(|it| it.first_frame).collect::<Vec<_>>(), [1, 1, 2, 3]);
        assert_eq!(ledger.flows.get(1).and_then(|it| it.inside), Some(FlowId(0)));
        let of: Vec<_> = ledger.anomalies.iter().map(|it| it.flow).collect();
        assert_eq!(of, [3, 0, 1, 2].map(|it| Some(FlowId(it))));
        assert_eq!(ledger.moved, [3, 0, 1, 2].map(FlowId));
    }
}
