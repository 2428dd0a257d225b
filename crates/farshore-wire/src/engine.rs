//! Frames in, facts out: one router and one shard, in one thread. Whoever has more threads puts them together anew.

use std::ops::Range;
use std::sync::Arc;

use farshore_model::ledger::Anomaly;
use farshore_model::observation::Observed;
use farshore_model::{Coverage, Direction, Flow, FlowId, Frame, InputId, Protection, Span};

use crate::limits::Limits;
use crate::recording;
use crate::resumption::Resumptions;
use crate::router::{Outlet, Router};
use crate::secrets::Secrets;
use crate::shard::{Beginning, Parcel, Shard};
use crate::stream::Gathered;

/// A readable value with where it stands. It lives for one call.
#[derive(Clone, Copy, Debug)]
pub struct Readable<'a> {
    /// The flow.
    pub flow: FlowId,
    /// The input.
    pub input: InputId,
    /// Layers crossed, outermost first.
    pub layers: &'a [&'static str],
    /// Dotted path.
    pub path: &'a str,
    /// The bytes.
    pub value: &'a [u8],
    /// Where they stand.
    pub at: Span,
    /// The pieces they came in, if there were several.
    pub(crate) gathered: Option<&'a Gathered>,
    /// How they stood on the wire: [`Protection::Plaintext`], or what keys took off.
    pub protection: Protection,
    /// Raw payload that no protocol reads, rather than a field of one.
    pub payload: bool,
    /// Which way it went; of fields their path tells.
    pub direction: Option<Direction>,
    /// What was undone to read it, in order: it does not stand there as it is.
    pub decoded_by: &'a [&'static str],
}

impl Readable<'_> {
    /// Where a range of the bytes stands; that of all of them if they lie scattered, or were decoded.
    pub fn span(&self, range: Range<usize>) -> Span {
        match self.gathered {
            Some(gathered) => gathered.span(range),
            None if self.decoded_by.is_empty() => self.at.part(&range, self.value.len() as u64),
            None => self.at,
        }
    }
}

/// Whoever keeps what is found.
pub trait Recorder {
    /// A flow has ended. Flows come in the order of their ids, after everything else.
    fn flow(&mut self, id: FlowId, it: Flow);
    /// A fact.
    fn observe(&mut self, it: Observed);
    /// A readable value.
    fn field(&mut self, it: Readable<'_>);
    /// An oddity.
    fn anomaly(&mut self, it: Anomaly);
    /// A ceiling was hit.
    fn limit(&mut self, name: &'static str);
    /// Whether all raw payload of unrecognised flows is of use, beyond the first bytes each way.
    fn wants_payload(&self) -> bool;
    /// Whether such payload is of use as it was cut into segments.
    fn wants_segments(&self) -> bool {
        false
    }
    /// Whether the sound of media is of use.
    fn wants_sound(&self) -> bool {
        false
    }
    /// The next piece of a flow's sound.
    fn sound(&mut self, flow: FlowId, it: recording::Piece<'_>) {
        let _ = (flow, it);
    }
}

/// Reads the frames of one input.
pub struct Engine {
    router: Router,
    shard: Shard,
}

impl Engine {
    /// Ready for the first frame.
    pub fn new(limits: Limits) -> Self {
        Self {
            router: Router::new(limits.clone()),
            shard: Shard::new(limits, 0, 1),
        }
    }

    /// From the next frame on, these secrets are known: those so far and more.
    pub fn learn(&mut self, secrets: Arc<Secrets>) {
        self.shard.learn(secrets);
    }

    /// Takes the next frame.
    pub fn frame(&mut self, frame: &Frame<'_>, out: &mut dyn Recorder) {
        let shard = &mut self.shard;
        self.router.frame(frame, &mut Straight { shard, out });
    }

    /// The capture has ended: closes all flows, in their order.
    pub fn finish(mut self, out: &mut dyn Recorder) -> Coverage {
        let shard = &mut self.shard;
        self.router.drain(&mut Straight { shard, out });
        self.shard.settle(out);
        let keys = self.shard.media_keys();
        self.shard.know(Arc::new(keys));
        let resumptions = Resumptions::pool([self.shard.resumptions()], usize::MAX);
        self.shard.recall(Arc::new(resumptions));
        let (ended, gaps) = self.shard.finish(out);
        let (flows, coverage) = self.router.close(ended, gaps);
        for (index, flow) in flows.into_iter().enumerate() {
            out.flow(FlowId(u32::try_from(index).unwrap_or(u32::MAX)), flow);
        }
        coverage
    }
}

/// From the router straight to the shard.
struct Straight<'a> {
    shard: &'a mut Shard,
    out: &'a mut dyn Recorder,
}

impl Outlet for Straight<'_> {
    fn begin(&mut self, flow: FlowId, it: Beginning) {
        self.shard.begin(flow, it, self.out);
    }

    fn rest(&mut self, flow: FlowId) {
        self.shard.rest(flow);
    }

    fn set_aside(&mut self, flow: FlowId, _: u64) {
        self.shard.set_aside(flow, self.out);
    }

    fn parcel(&mut self, it: Parcel, bytes: &[u8]) {
        self.shard.take(&it, bytes, self.out);
    }

    fn stray(&mut self, it: Parcel, bytes: &[u8]) {
        self.shard.stray(&it, bytes, self.out);
    }

    fn anomaly(&mut self, it: Anomaly) {
        self.out.anomaly(it);
    }

    fn limit(&mut self, name: &'static str) {
        self.out.limit(name);
    }
}
