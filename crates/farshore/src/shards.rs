//! One input read by several threads: this one reads and routes frames, another takes the digest, and each shard reads its
//! flows. Nothing is copied on the way: batches name ranges of the chunk that was read.
//!
//! The only queues are here. They are short, so that memory does not grow with the input, and what comes out does not
//! depend on who was quicker: each flow is read by one shard in the order of its frames, and the findings are joined by
//! frame and flow.

use std::io::Read;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use farshore_audit::identifiers::Detectors;
use farshore_model::ledger::Anomaly;
use farshore_model::{FlowId, InputId, Ledger};
use farshore_sources::{AtOnce, Digester, OpenError, Opened};
use farshore_wire::router::Outlet;
use farshore_wire::shard::{Beginning, Gaps, Parcel};
use farshore_wire::{Recorder, Resumptions, Router, Secrets, Shard};

use crate::Reading;
use crate::auditor::{conclude, leave_out, pool, unframed};
use crate::keys::Learnt;
use crate::notebook::{self, Notebook};

/// Batches that may wait for a shard, and chunks for the digest, each of what a chunk of a mebibyte holds. With a third of
/// them a shard that tries sound holds up the router, and then the other shard.
const WAITING: usize = 24;

type Chunk = Arc<Vec<u8>>;

/// What goes to one shard of what one chunk holds.
struct Batch {
    chunk: Chunk,
    items: Vec<Item>,
}

enum Item {
    /// From here on, these secrets are known.
    Learn(Arc<Secrets>),
    Begin(FlowId, Box<Beginning>),
    /// Its reader may be let go.
    Rest(FlowId),
    /// Nobody waits for more of it, as of that frame.
    SetAside(FlowId, u64),
    /// Payload.
    Payload(Parcel, Where),
    /// Payload of a flow in which a connection may go on that began in another.
    Stray(Parcel, Where),
}

/// Where payload is.
#[derive(Clone)]
enum Where {
    /// So many bytes of the chunk, from there on.
    Chunk(u32, u32),
    /// It was put together.
    Here(Box<[u8]>),
}

impl Where {
    fn bytes<'a>(&'a self, chunk: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Chunk(at, length) => {
                let at = *at as usize;
                chunk.get(at..at.saturating_add(*length as usize)).unwrap_or_default()
            }
            Self::Here(bytes) => bytes,
        }
    }
}

/// Reads one input to its end; also tells how many bytes it had.
pub(crate) fn read(
    reader: impl Read,
    how: &Reading,
    detectors: &Detectors,
    progress: &mut dyn FnMut(u64),
) -> Result<(Ledger, u64), OpenError> {
    std::thread::scope(|scope| {
        let mut capture = match farshore_sources::open_any(InputId(0), reader, how.source, Aside::new(scope))? {
            Opened::Capture(capture) => capture,
            // Records are few and small beside frames; folding rows takes less time than reading them.
            other => return unframed(other, how, detectors, progress),
        };
        let mut router = Router::new(how.limits.clone());
        let (mut lines, mut workers) = (Vec::new(), Vec::new());
        let tried = Arc::default();
        let (done, spare) = channel();
        for number in 0..how.jobs {
            let (line, batches) = sync_channel(WAITING);
            lines.push(line);
            let (mut shard, notebook) = (
                Shard::new(how.limits.clone(), number, how.jobs),
                Notebook::new(how, detectors.fork()),
            );
            shard.learn(Arc::clone(&how.secrets));
            shard.know(Arc::clone(&how.media_keys));
            shard.share(Arc::clone(&tried));
            let done = done.clone();
            workers.push(scope.spawn(move || work(shard, notebook, &batches, &done)));
        }
        let mut fan = Fan {
            batches: lines.iter().map(|_| Vec::new()).collect(),
            lines,
            spare,
            chunk: Chunk::default(),
            frame_at: 0,
            notebook: Notebook::new(how, detectors.fork()),
        };
        let mut learnt = Learnt::new(&how.secrets);
        let mut filtered = 0_u64;
        if !capture.may_hold_keys() {
            fan.learn(&learnt.settle());
        }
        while capture.advance()? {
            let keys = capture.keys();
            let (chunk, range) = capture.held();
            if !Arc::ptr_eq(chunk, &fan.chunk) {
                fan.send();
                fan.chunk = Arc::clone(chunk);
                progress(capture.position());
            }
            if !keys.is_empty() {
                fan.learn(&learnt.add(&keys));
            }
            fan.frame_at = range.start;
            let frame = capture.frame();
            if !how.takes(&frame) {
                filtered = filtered.saturating_add(1);
                continue;
            }
            fan.notebook.turn_to(frame.number);
            router.frame(&frame, &mut fan);
        }
        fan.send();
        fan.chunk = Chunk::default();
        router.drain(&mut fan);
        fan.send();
        let Fan { lines, notebook, .. } = fan;
        drop(lines);
        let summary = capture.finish()?;
        let bytes = summary.record.file_bytes;
        let (mut notebook, mut ended, mut gaps) = (notebook, Vec::new(), Gaps::default());
        // What the flows tell each other is put together between two halves of their end.
        let mut settled: Vec<_> = workers.into_iter().map(rejoin).collect();
        let found: Vec<_> = settled.iter_mut().map(|(shard, _)| shard.media_keys()).collect();
        let keys = pool(found, &how.media_keys, how.limits.media_keys, &mut notebook);
        let told: Vec<_> = settled.iter_mut().map(|(shard, _)| shard.resumptions()).collect();
        let told = Arc::new(Resumptions::pool(told, how.limits.resumed_sessions));
        let mut notebooks = vec![notebook];
        let mut workers = Vec::new();
        for (mut shard, mut notebook) in settled {
            shard.know(Arc::clone(&keys));
            shard.recall(Arc::clone(&told));
            workers.push(scope.spawn(move || {
                notebook.turn_to(notebook::CONCLUDED);
                let (ended, gaps) = shard.finish(&mut notebook);
                (notebook, ended, gaps)
            }));
        }
        for worker in workers {
            let (notebook, some, more) = rejoin(worker);
            notebooks.push(notebook);
            ended.push(some);
            gaps.count = gaps.count.saturating_add(more.count);
            gaps.bytes = gaps.bytes.saturating_add(more.bytes);
        }
        let closing = scope.spawn(move || router.close(ended.into_iter().flatten(), gaps));
        let joined = notebook::join(notebooks);
        let (flows, coverage) = rejoin(closing);
        let mut ledger = joined.with(flows);
        ledger.coverage.keys.offered = learnt.sessions();
        ledger.coverage.merge(coverage);
        conclude(&mut ledger, summary);
        leave_out(&mut ledger, filtered);
        Ok((ledger, bytes))
    })
}

/// Reads what comes for one shard, until nothing more does; gives back what it came in.
fn work(mut shard: Shard, mut notebook: Notebook, batches: &Receiver<Batch>, done: &Sender<Vec<Item>>) -> (Shard, Notebook) {
    for Batch { chunk, mut items } in batches {
        for item in items.drain(..) {
            match item {
                Item::Learn(secrets) => shard.learn(secrets),
                Item::Begin(flow, beginning) => shard.begin(flow, *beginning, &mut notebook),
                Item::Rest(flow) => shard.rest(flow),
                Item::SetAside(flow, frame) => {
                    notebook.turn_to(frame);
                    shard.set_aside(flow, &mut notebook);
                }
                Item::Payload(parcel, place) => {
                    notebook.turn_to(parcel.frame);
                    shard.take(&parcel, place.bytes(&chunk), &mut notebook);
                }
                Item::Stray(parcel, place) => {
                    notebook.turn_to(parcel.frame);
                    shard.stray(&parcel, place.bytes(&chunk), &mut notebook);
                }
            }
        }
        // Nobody needs it when all was sent.
        let _ = done.send(items);
    }
    notebook.turn_to(notebook::ENDED);
    shard.settle(&mut notebook);
    (shard, notebook)
}

/// What a thread came to; a panic in it goes on here.
fn rejoin<T>(worker: ScopedJoinHandle<'_, T>) -> T {
    worker.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// From the router to the shards.
struct Fan {
    lines: Vec<SyncSender<Batch>>,
    /// By shard.
    batches: Vec<Vec<Item>>,
    /// Empty ones, to be filled again: memory that was written before is quicker than new.
    spare: Receiver<Vec<Item>>,
    chunk: Chunk,
    /// Where the frame begins in the chunk.
    frame_at: usize,
    notebook: Notebook,
}

impl Fan {
    /// Lets the batches go. A shard that is gone has panicked: that is told when it is joined.
    fn send(&mut self) {
        for (line, items) in self.lines.iter().zip(&mut self.batches) {
            if items.is_empty() {
                continue;
            }
            let spare = self.spare.try_recv().unwrap_or_else(|_| Vec::with_capacity(items.len()));
            let batch = Batch {
                chunk: Arc::clone(&self.chunk),
                items: std::mem::replace(items, spare),
            };
            let _ = line.send(batch);
        }
    }

    fn learn(&mut self, secrets: &Arc<Secrets>) {
        for batch in &mut self.batches {
            batch.push(Item::Learn(Arc::clone(secrets)));
        }
    }

    /// Where payload is: in the chunk, if its frame holds it as it is.
    fn place(&self, it: &Parcel, bytes: &[u8]) -> Where {
        let at = it.in_frame.then(|| self.frame_at.saturating_add(it.offset as usize));
        match (at.and_then(|at| u32::try_from(at).ok()), u32::try_from(bytes.len())) {
            (Some(at), Ok(length)) => Where::Chunk(at, length),
            _ => Where::Here(bytes.into()),
        }
    }

    fn to(&mut self, flow: FlowId, item: Item) {
        let shards = self.batches.len();
        if let Some(batch) = self.batches.get_mut(Shard::of(flow, shards)) {
            batch.push(item);
        }
    }
}

impl Outlet for Fan {
    fn begin(&mut self, flow: FlowId, it: Beginning) {
        self.to(flow, Item::Begin(flow, Box::new(it)));
    }

    fn rest(&mut self, flow: FlowId) {
        self.to(flow, Item::Rest(flow));
    }

    fn set_aside(&mut self, flow: FlowId, frame: u64) {
        self.to(flow, Item::SetAside(flow, frame));
    }

    fn parcel(&mut self, it: Parcel, bytes: &[u8]) {
        let place = self.place(&it, bytes);
        self.to(it.flow, Item::Payload(it, place));
    }

    fn stray(&mut self, it: Parcel, bytes: &[u8]) {
        let place = self.place(&it, bytes);
        for batch in &mut self.batches {
            batch.push(Item::Stray(it, place.clone()));
        }
    }

    fn anomaly(&mut self, it: Anomaly) {
        self.notebook.anomaly(it);
    }

    fn limit(&mut self, name: &'static str) {
        self.notebook.limit(name);
    }
}

/// A digest taken by a thread of its own.
struct Aside<'scope> {
    line: Option<SyncSender<Bytes>>,
    worker: Option<ScopedJoinHandle<'scope, [u8; 32]>>,
}

enum Bytes {
    Held(Chunk, Range<usize>),
    Own(Box<[u8]>),
}

impl<'scope> Aside<'scope> {
    fn new(scope: &'scope Scope<'scope, '_>) -> Self {
        let (line, bytes) = sync_channel(WAITING);
        let worker = scope.spawn(move || {
            let mut digest = AtOnce::default();
            for it in bytes {
                match it {
                    Bytes::Held(chunk, range) => digest.held(&chunk, range),
                    Bytes::Own(bytes) => digest.bytes(&bytes),
                }
            }
            digest.finish()
        });
        Self {
            line: Some(line),
            worker: Some(worker),
        }
    }

    fn send(&self, it: Bytes) {
        if let Some(line) = &self.line {
            let _ = line.send(it);
        }
    }
}

impl Digester for Aside<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        self.send(Bytes::Own(bytes.into()));
    }

    fn held(&mut self, chunk: &Chunk, range: Range<usize>) {
        self.send(Bytes::Held(Arc::clone(chunk), range));
    }

    fn finish(&mut self) -> [u8; 32] {
        self.line = None;
        self.worker.take().map(rejoin).unwrap_or_default()
    }
}
