//! One input from its first byte to its ledger: reads it, shows readable fields to the detectors, keeps what is found.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use farshore_audit::identifiers::Detectors;
use farshore_model::ledger::{Anomaly, InputRecord, Severity};
use farshore_model::{FlowId, Frame, InputId, Ledger};
use farshore_sources::{AtOnce, Capture, OpenError, Opened, Summary, Templates};
use farshore_wire::router::Outlet;
use farshore_wire::shard::{Beginning, Parcel};
use farshore_wire::{Filter, Limits, MediaKeys, Recorder, Resumptions, Router, Secrets, Shard};

use crate::keys::Learnt;
use crate::media::Studio;
use crate::notebook::{self, Notebook};
use crate::{records, rows, shards};

/// How to read.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Ceilings of dissecting.
    pub limits: Limits,
    /// Ceilings of the file reader.
    pub source: farshore_sources::Limits,
    /// What the user says of the input.
    pub labels: BTreeMap<String, String>,
    /// The secrets of sessions, from key logs that were given; those in the input itself are used without asking.
    pub secrets: Arc<Secrets>,
    /// Master keys of media that are known beforehand, as an earlier reading [found](crate::media_keys) them. Those that the input tells are
    /// used without asking, but only once it was read to its end, on a sample of each stream.
    pub media_keys: Arc<MediaKeys>,
    /// Where the sound of media goes, if anywhere.
    pub studio: Option<Arc<dyn Studio>>,
    /// Which frames are read; of others nothing is known but how many there are.
    pub filter: Option<Arc<Filter>>,
    /// Templates of exports of flows that inputs before this one [brought](crate::templates).
    pub templates: Arc<Templates>,
    /// Keep every fact, rather than the first of those alike in a flow: for a listing of all of them.
    pub every_fact: bool,
    /// Keep the openings of conversations, for [`discover`](crate::discover) to compare.
    pub specimens: bool,
    /// How many shards may read flows side by side, beside the thread that reads frames; up to one: all in this thread.
    /// The answer is the same.
    pub jobs: usize,
}

/// Reads one input to its end.
///
/// `progress` is told now and then how many bytes were read.
pub fn read(
    reader: impl Read,
    name: &str,
    how: &Reading,
    detectors: &Detectors,
    progress: &mut dyn FnMut(u64),
) -> Result<Ledger, OpenError> {
    let (mut ledger, bytes) = if how.jobs > 1 {
        shards::read(reader, how, detectors, progress)?
    } else {
        match farshore_sources::open_any(InputId(0), reader, how.source, AtOnce::default())? {
            Opened::Capture(capture) => frames(capture, how, detectors, progress)?,
            other => unframed(other, how, detectors, progress)?,
        }
    };
    describe(&mut ledger, name, how);
    progress(bytes);
    Ok(ledger)
}

/// Adds what the user knows of the input.
pub(crate) fn describe(ledger: &mut Ledger, name: &str, how: &Reading) {
    for record in &mut ledger.inputs {
        record.name = name.to_owned();
        record.labels.clone_from(&how.labels);
    }
}

impl Reading {
    /// Whether a frame is read.
    pub(crate) fn takes(&self, frame: &Frame<'_>) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.matches(frame))
    }
}

/// Reads what has no frames: records and rows.
pub(crate) fn unframed(
    opened: Opened<'_>,
    how: &Reading,
    detectors: &Detectors,
    progress: &mut dyn FnMut(u64),
) -> Result<(Ledger, u64), OpenError> {
    if how.filter.is_some() {
        return Err(without_frames("a capture filter chooses frames, and this has none"));
    }
    match opened {
        Opened::Records(source) => Ok(records::read(source, how, detectors, progress)?),
        Opened::Rows(source) => Ok(rows::read(source, how, detectors, progress)?),
        Opened::Capture(capture) => frames(capture, how, detectors, progress),
    }
}

/// Of an input that is no capture, where one is needed.
pub(crate) fn without_frames(why: &str) -> OpenError {
    OpenError::Header {
        offset: 0,
        expected: format!("{why}; expected a pcap or pcapng"),
    }
}

/// Reads all frames in this thread; also tells how many bytes the input had.
fn frames(
    mut capture: Box<dyn Capture + '_>,
    how: &Reading,
    detectors: &Detectors,
    progress: &mut dyn FnMut(u64),
) -> Result<(Ledger, u64), OpenError> {
    let mut feed = Feed::new(&*capture, how, detectors);
    let mut until_told = 0_u32;
    while capture.advance()? {
        feed.take(&mut *capture);
        until_told = until_told.wrapping_add(1);
        if until_told.trailing_zeros() >= 12 {
            progress(capture.position());
        }
    }
    let summary = capture.finish()?;
    let bytes = summary.record.file_bytes;
    Ok((feed.finish(summary), bytes))
}

/// From a capture to an auditor: the frames that are read, and the keys that stand between them.
pub(crate) struct Feed<'h> {
    auditor: Auditor,
    how: &'h Reading,
    /// Frames that are not read.
    filtered: u64,
}

impl<'h> Feed<'h> {
    pub(crate) fn new(capture: &dyn Capture, how: &'h Reading, detectors: &Detectors) -> Self {
        let mut auditor = Auditor::new(how, detectors.fork());
        if !capture.may_hold_keys() {
            auditor.settle();
        }
        Self { auditor, how, filtered: 0 }
    }

    /// Takes the frame that the capture went on to.
    pub(crate) fn take(&mut self, capture: &mut dyn Capture) {
        let keys = capture.keys();
        if !keys.is_empty() {
            self.auditor.learn(&keys);
        }
        let frame = capture.frame();
        if self.how.takes(&frame) {
            self.auditor.push(&frame);
        } else {
            self.filtered = self.filtered.saturating_add(1);
        }
    }

    /// What was read so far.
    pub(crate) fn so_far(&self, record: &InputRecord) -> Ledger {
        let mut ledger = self.auditor.so_far(record);
        leave_out(&mut ledger, self.filtered);
        ledger
    }

    /// The capture has ended.
    pub(crate) fn finish(self, summary: Summary) -> Ledger {
        let mut ledger = self.auditor.finish(summary);
        leave_out(&mut ledger, self.filtered);
        ledger
    }
}

/// Turns the frames of one input into a ledger, in one thread.
pub struct Auditor {
    router: Router,
    shard: Shard,
    notebook: Notebook,
    learnt: Learnt,
    media_keys: Arc<MediaKeys>,
    most_media_keys: usize,
    most_resumed: usize,
    /// The latest frame.
    frame: u64,
}

impl Auditor {
    /// Ready for the first frame.
    pub fn new(how: &Reading, detectors: Detectors) -> Self {
        let mut shard = Shard::new(how.limits.clone(), 0, 1);
        shard.learn(Arc::clone(&how.secrets));
        shard.know(Arc::clone(&how.media_keys));
        Self {
            router: Router::new(how.limits.clone()),
            shard,
            notebook: Notebook::new(how, detectors),
            learnt: Learnt::new(&how.secrets),
            media_keys: Arc::clone(&how.media_keys),
            most_media_keys: how.limits.media_keys,
            most_resumed: how.limits.resumed_sessions,
            frame: 0,
        }
    }

    /// Takes the text of a key log that stands in the input: it serves the frames that follow.
    pub fn learn(&mut self, text: &[u8]) {
        self.shard.learn(self.learnt.add(text));
    }

    /// No key log stands in the input: what only its secrets could open is not kept.
    pub fn settle(&mut self) {
        self.shard.learn(self.learnt.settle());
    }

    /// Takes the next frame.
    pub fn push(&mut self, frame: &Frame<'_>) {
        self.frame = frame.number;
        let mut outlet = Straight {
            shard: &mut self.shard,
            notebook: &mut self.notebook,
            frame: self.frame,
        };
        self.router.frame(frame, &mut outlet);
    }

    /// What was read so far, while more may come: without what flows tell as they end, and without what needs all of them.
    pub fn so_far(&self, record: &InputRecord) -> Ledger {
        let (ended, gaps) = self.shard.so_far();
        let (flows, coverage) = self.router.so_far(ended, gaps);
        let mut ledger = notebook::join(vec![self.notebook.so_far()]).with(flows);
        ledger.coverage.merge(coverage);
        ledger.coverage.keys.offered = self.learnt.sessions();
        let summary = Summary {
            record: record.clone(),
            ..Summary::default()
        };
        conclude(&mut ledger, summary);
        ledger
    }

    /// The capture has ended.
    pub fn finish(mut self, summary: Summary) -> Ledger {
        self.router.drain(&mut Straight {
            shard: &mut self.shard,
            notebook: &mut self.notebook,
            frame: self.frame,
        });
        self.notebook.turn_to(notebook::ENDED);
        self.shard.settle(&mut self.notebook);
        let found = [self.shard.media_keys()];
        self.shard
            .know(pool(found, &self.media_keys, self.most_media_keys, &mut self.notebook));
        let told = Resumptions::pool([self.shard.resumptions()], self.most_resumed);
        self.shard.recall(Arc::new(told));
        self.notebook.turn_to(notebook::CONCLUDED);
        let (ended, gaps) = self.shard.finish(&mut self.notebook);
        let (flows, coverage) = self.router.close(ended, gaps);
        let mut ledger = notebook::join(vec![self.notebook]).with(flows);
        ledger.coverage.merge(coverage);
        ledger.coverage.keys.offered = self.learnt.sessions();
        conclude(&mut ledger, summary);
        ledger
    }
}

/// The master keys of media that were known beforehand, and those that the shards found.
pub(crate) fn pool(found: impl IntoIterator<Item = MediaKeys>, known: &MediaKeys, most: usize, out: &mut Notebook) -> Arc<MediaKeys> {
    let pool = MediaKeys::pool(found.into_iter().chain([known.clone()]), most);
    if pool.is_full() {
        out.limit("media-keys");
    }
    Arc::new(pool)
}

/// Counts the frames that a filter left out among those of the input.
pub(crate) fn leave_out(ledger: &mut Ledger, filtered: u64) {
    let frames = &mut ledger.coverage.frames;
    frames.filtered = filtered;
    frames.total = frames.total.saturating_add(filtered);
}

/// Adds what is known once an input was read to its end.
pub(crate) fn conclude(ledger: &mut Ledger, summary: Summary) {
    ledger.number_by_first_frame();
    ledger.coverage.frames.dropped = summary.dropped;
    if let Some(damage) = summary.damage {
        ledger.anomalies.push(Anomaly {
            kind: "input-cut-short",
            severity: Severity::Loss,
            because: damage,
            flow: None,
            evidence: Vec::new(),
        });
    }
    let mut record = summary.record;
    record.bytes = ledger.coverage.frames.bytes;
    ledger.inputs.push(record);
}

/// From the router straight to the shard.
struct Straight<'a> {
    shard: &'a mut Shard,
    notebook: &'a mut Notebook,
    /// The frame that is being routed. Payload may be that of an earlier one, where a datagram was put together.
    frame: u64,
}

impl Outlet for Straight<'_> {
    fn begin(&mut self, flow: FlowId, it: Beginning) {
        self.shard.begin(flow, it, self.notebook);
    }

    fn rest(&mut self, flow: FlowId) {
        self.shard.rest(flow);
    }

    fn set_aside(&mut self, flow: FlowId, frame: u64) {
        self.notebook.turn_to(frame);
        self.shard.set_aside(flow, self.notebook);
    }

    fn parcel(&mut self, it: Parcel, bytes: &[u8]) {
        self.notebook.turn_to(it.frame);
        self.shard.take(&it, bytes, self.notebook);
    }

    fn stray(&mut self, it: Parcel, bytes: &[u8]) {
        self.notebook.turn_to(it.frame);
        self.shard.stray(&it, bytes, self.notebook);
    }

    fn anomaly(&mut self, it: Anomaly) {
        self.notebook.turn_to(self.frame);
        self.notebook.anomaly(it);
    }

    fn limit(&mut self, name: &'static str) {
        self.notebook.limit(name);
    }
}
