//! What a flow is read in: the circumstances of one call, what is known beside the flow, and what flows tell for others to use. It owns no
//! flow, and refuses to read one.

use std::sync::Arc;

use farshore_model::{FlowId, InputId, Timestamp, Transport};

use super::layers::Layers;
use crate::engine::Recorder;
use crate::limits::Limits;
use crate::media_keys::MediaKeys;
use crate::packet::Mark;
use crate::paths::Paths;
use crate::protocols::Tried;
use crate::resumption::Resumptions;
use crate::secrets::Secrets;

/// The circumstances of one call.
pub(crate) struct Scene<'a> {
    pub(crate) flow: FlowId,
    /// The flow in which the conversation began: the same, unless it went on elsewhere.
    pub(crate) home: FlowId,
    pub(crate) input: InputId,
    pub(crate) time: Option<Timestamp>,
    /// What the IP header of the packet tells of its sender.
    pub(crate) mark: Option<Mark>,
    pub(crate) transport: Transport,
    /// The layers of the tunnels it runs in, if any, outermost first.
    pub(crate) within: Option<Arc<[&'static str]>>,
    pub(crate) client_port: u16,
    pub(crate) server_port: u16,
    /// The frame that is being read; the last possible once the capture has ended.
    pub(crate) reading: u64,
    pub(crate) known: &'a Known,
    pub(crate) told: &'a mut Told,
    pub(crate) recorder: &'a mut dyn Recorder,
}

/// What is known beside the flow that is read.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) limits: Limits,
    pub(crate) secrets: Arc<Secrets>,
    /// Master keys of media.
    pub(crate) media_keys: Arc<MediaKeys>,
    /// Sessions that go on in other connections.
    pub(crate) resumptions: Arc<Resumptions>,
    /// Payloads of media that were tried before.
    pub(crate) tried: Arc<Tried>,
}

impl Known {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }
}

/// What flows tell that others may need.
#[derive(Default)]
pub(crate) struct Told {
    /// Master keys of media.
    pub(crate) media_keys: MediaKeys,
    /// Sessions that may go on in other connections.
    pub(crate) resumptions: Resumptions,
    /// Where connections went on that began here.
    pub(crate) paths: Paths,
    /// Lists that they have in common.
    pub(crate) layers: Layers,
}
