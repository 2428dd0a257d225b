//! Media beyond what is told of it: where its sound goes when somebody wants it, and a first reading for its keys alone: signalling may tell them behind the media, and long calls are only kept in part until
//! then. It keeps nothing but the keys.

use std::io::Read;
use std::sync::Arc;

use farshore_model::ledger::Anomaly;
use farshore_model::observation::Observed;
use farshore_model::{Flow, FlowId, InputId};
use farshore_sources::{OpenError, Opened, Unneeded};
use farshore_wire::router::Outlet;
use farshore_wire::shard::{Beginning, Parcel};
use farshore_wire::{MediaKeys, Readable, Recorder, Router, Shard, recording};

use crate::Reading;
use crate::keys::Learnt;

/// Where the sound of media goes.
pub trait Studio: std::fmt::Debug + Send + Sync {
    /// A tape for one of the threads that read.
    fn tape(&self) -> Box<dyn Tape>;
}

/// Takes the sound of some of the flows, each whole.
pub trait Tape: Send {
    /// The next piece of a flow's sound.
    fn sound(&mut self, flow: FlowId, it: recording::Piece<'_>);
}

/// The master keys of media that an input tells. A second reading that [knows](Reading::media_keys) them opens streams from their beginning
/// to their end.
pub fn media_keys(reader: impl Read, how: &Reading) -> Result<Arc<MediaKeys>, OpenError> {
    let mut capture = match farshore_sources::open_any(InputId(0), reader, how.source, Unneeded)? {
        Opened::Capture(capture) => capture,
        Opened::Records(_) | Opened::Rows(_) => return Ok(Arc::clone(&how.media_keys)),
    };
    let mut router = Router::new(how.limits.clone());
    let mut shard = Shard::new(how.limits.clone(), 0, 1);
    let mut learnt = Learnt::new(&how.secrets);
    shard.learn(Arc::clone(&how.secrets));
    if !capture.may_hold_keys() {
        shard.learn(learnt.settle());
    }
    while capture.advance()? {
        let keys = capture.keys();
        if !keys.is_empty() {
            shard.learn(learnt.add(&keys));
        }
        let frame = capture.frame();
        if how.takes(&frame) {
            router.frame(&frame, &mut Straight(&mut shard));
        }
    }
    router.drain(&mut Straight(&mut shard));
    shard.settle(&mut Deaf);
    Ok(Arc::new(MediaKeys::pool(
        [shard.media_keys(), MediaKeys::clone(&how.media_keys)],
        how.limits.media_keys,
    )))
}

/// Keeps nothing.
struct Deaf;

impl Recorder for Deaf {
    fn flow(&mut self, _: FlowId, _: Flow) {}

    fn observe(&mut self, _: Observed) {}

    fn field(&mut self, _: Readable<'_>) {}

    fn anomaly(&mut self, _: Anomaly) {}

    fn limit(&mut self, _: &'static str) {}

    fn wants_payload(&self) -> bool {
        false
    }
}

struct Straight<'a>(&'a mut Shard);

impl Outlet for Straight<'_> {
    fn begin(&mut self, flow: FlowId, it: Beginning) {
        self.0.begin(flow, it, &mut Deaf);
    }

    fn rest(&mut self, flow: FlowId) {
        self.0.rest(flow);
    }

    fn set_aside(&mut self, flow: FlowId, _: u64) {
        self.0.set_aside(flow, &mut Deaf);
    }

    fn parcel(&mut self, it: Parcel, bytes: &[u8]) {
        self.0.take(&it, bytes, &mut Deaf);
    }

    fn stray(&mut self, it: Parcel, bytes: &[u8]) {
        self.0.stray(&it, bytes, &mut Deaf);
    }

    fn anomaly(&mut self, _: Anomaly) {}

    fn limit(&mut self, _: &'static str) {}
}
