//! Frames of one link type through the engine, and a recorder that disbelieves it.
//!
//! Layout: the link type by its place in [`LINKS`], options (bit 0: low ceilings), then frames, each behind a big-endian
//! word whose low 15 bits are its length and whose high bit says that it was cut when captured.

use std::sync::Arc;

use farshore_model::ledger::Anomaly;
use farshore_model::observation::Observed;
use farshore_model::{Flow, FlowId, Frame, InputId, LinkType, Locus, Span, Timestamp};
use farshore_wire::{Engine, Limits, Readable, Recorder, Secrets};

use crate::Script;

/// The link types there are readers for, and one there is none for.
pub const LINKS: [u32; 18] = [1, 101, 228, 229, 113, 276, 0, 108, 9, 50, 51, 204, 104, 107, 105, 127, 192, 239];
/// Those that came later, counted on from [`LINKS`].
pub const MORE_LINKS: [u32; 2] = [258, 147];

const CUT: u16 = 0x8000;

/// Puts frames into the layout; `None` when a frame is too long for it or the link type is not there.
pub fn seed(link: u32, low: bool, frames: &[&[u8]]) -> Option<Vec<u8>> {
    let place = LINKS.iter().chain(&MORE_LINKS).position(|it| *it == link)?;
    let mut out = vec![u8::try_from(place).ok()?, u8::from(low)];
    for frame in frames {
        let length = u16::try_from(frame.len()).ok().filter(|it| it & CUT == 0)?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(frame);
    }
    Some(out)
}

/// Feeds the frames and checks all that is said of them.
pub fn run(bytes: &[u8]) {
    let mut script = Script(bytes);
    let links: Vec<u32> = LINKS.iter().chain(&MORE_LINKS).copied().collect();
    let link = links[usize::from(script.byte()) % links.len()];
    let limits = crate::limits(script.byte() & 1 == 1);
    let mut frames = Vec::new();
    while let Some(control) = script.control() {
        let frame = script.bytes(usize::from(control & !CUT));
        frames.push((frame, if control & CUT == 0 { 0 } else { 100 }));
    }
    read(limits, link, &Arc::default(), &frames);
}

/// Frames, each with the bytes behind it that were not captured, to an engine that knows these secrets.
pub(crate) fn read(limits: Limits, link: u32, secrets: &Arc<Secrets>, frames: &[(&[u8], u32)]) {
    let most_flows = limits.flows;
    let mut engine = Engine::new(limits);
    engine.learn(Arc::clone(secrets));
    let mut witness = Witness::default();
    for (frame, missing) in frames {
        witness.frames.push(frame);
        let number = witness.frames.len() as u64;
        engine.frame(
            &Frame {
                input: InputId(0),
                number,
                time: Some(Timestamp::from_nanos(number as i64 * 20_000_000)),
                tick: 1_000,
                link: LinkType(link),
                interface: 0,
                wire_length: frame.len() as u32 + missing,
                bytes: frame,
            },
            &mut witness,
        );
    }
    let coverage = engine.finish(&mut witness);
    witness.close(most_flows);
    let seen = coverage.frames;
    assert_eq!(seen.total, witness.frames.len() as u64, "frames are counted");
    assert_eq!(seen.decoded + seen.stopped, seen.total, "a frame is read or not: {seen:?}");
    assert_eq!(coverage.stops.values().sum::<u64>(), seen.stopped, "every stop has a reason");
}

/// A recorder that believes nothing.
#[derive(Default)]
struct Witness<'a> {
    frames: Vec<&'a [u8]>,
    flows: Vec<Flow>,
    /// The highest flow anything was said of.
    named: Option<FlowId>,
}

impl Witness<'_> {
    fn span(&self, at: &Span, of: &str) {
        assert!(
            1 <= at.first_frame && at.first_frame <= at.frame && at.frame <= self.frames.len() as u64,
            "{of}: {at:?} names a frame that was not there"
        );
        if at.in_frame {
            assert_eq!(at.first_frame, at.frame, "{of}: {at:?} lies in one frame");
            let frame = self.frames[at.frame as usize - 1];
            assert!(
                at.offset + at.length <= frame.len() as u64,
                "{of}: {at:?} leaves its frame of {} bytes",
                frame.len()
            );
        }
    }

    fn locus(&self, at: &Locus, of: &str) {
        self.span(&at.span, of);
        assert!(!at.layers.is_empty(), "{of}: no layer");
    }

    fn names(&mut self, flow: FlowId) {
        self.named = self.named.max(Some(flow));
    }

    fn close(&self, most_flows: usize) {
        assert!(self.flows.len() <= most_flows, "{} flows of at most {most_flows}", self.flows.len());
        if let Some(named) = self.named {
            assert!((named.0 as usize) < self.flows.len(), "{named:?} is no flow");
        }
        for (index, flow) in self.flows.iter().enumerate() {
            assert!(flow.up.frames + flow.down.frames > 0, "flow {index} counts no frame: {flow:?}");
            assert!(
                (1..=self.frames.len() as u64).contains(&flow.first_frame),
                "flow {index} begins in no frame"
            );
            assert!(flow.first <= flow.last, "flow {index} ends before it begins");
            assert!(
                flow.inside
                    .is_none_or(|outer| (outer.0 as usize) < self.flows.len() && outer.0 as usize != index),
                "flow {index} lies in itself or in none: {:?}",
                flow.inside
            );
            for spread in flow.randomness().into_iter().flatten() {
                assert!((0.0..=8.000_001).contains(&spread.entropy), "{spread:?}");
                assert!(spread.chi_square >= 0.0, "{spread:?}");
            }
        }
    }
}

impl Recorder for Witness<'_> {
    fn flow(&mut self, id: FlowId, it: Flow) {
        assert_eq!(id.0 as usize, self.flows.len(), "flows come in the order of their ids");
        self.flows.push(it);
    }

    fn observe(&mut self, it: Observed) {
        assert!(
            self.flows.is_empty() || it.flow.0 as usize >= self.flows.len(),
            "said after the flow ended: {it:?}"
        );
        self.names(it.flow);
        self.locus(&it.locus, "a fact");
        assert_eq!(it.count, 1);
    }

    fn field(&mut self, it: Readable<'_>) {
        self.names(it.flow);
        self.span(&it.at, it.path);
        path(it.path);
        assert!(!it.layers.is_empty(), "{}: no layer", it.path);
    }

    fn anomaly(&mut self, it: Anomaly) {
        assert_ne!(it.kind, "reader-fault", "a reader panicked: {}", it.because);
        assert!(it.kind.contains('-') && !it.because.is_empty(), "{it:?}");
        if let Some(flow) = it.flow {
            self.names(flow);
        }
        for at in &it.evidence {
            self.locus(at, it.kind);
        }
    }

    fn limit(&mut self, name: &'static str) {
        assert!(Limits::NAMES.contains(&name), "no ceiling is named {name}");
    }

    fn wants_payload(&self) -> bool {
        true
    }
}

/// A path is dotted words; what comes from the wire in it is cut.
pub(crate) fn path(it: &str) {
    assert!(!it.is_empty() && it.len() <= 512, "a path of {} bytes: {it:?}", it.len());
}
