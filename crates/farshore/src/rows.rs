//! One input of rows of a flow log, folded into flows: both directions of a conversation are one, however many rows tell of
//! it. Memory follows the number of conversations, up to the ceiling `flows`, and not the number of rows.
//!
//! Several may tell of the same traffic: the interfaces or sides it crossed. What they counted is one reading each of the same
//! packets, so that the fullest counts; what one of them rejected did not arrive, whatever another let through.

use std::io::Read;
use std::sync::Arc;

use ahash::RandomState;
use farshore_audit::identifiers::Detectors;
use farshore_model::flow::{Counter, InitiatorBasis, RoundTrips};
use farshore_model::row::{Opening, Tally};
use farshore_model::{Coverage, Direction, Endpoint, Flow, InputId, Ledger, Protection, Row, Rows, Timestamp, Transport};
use farshore_sources::{FlowLog, OpenError, Opened, ReadError, Sheet, Templates, Unneeded};
use farshore_wire::Recorder;
use hashbrown::HashTable;

use crate::Reading;
use crate::auditor::conclude;
use crate::notebook::{self, Notebook};

/// Reads all rows; also tells how many bytes the input had.
pub(crate) fn read(
    mut source: Box<dyn FlowLog + '_>,
    how: &Reading,
    detectors: &Detectors,
    progress: &mut dyn FnMut(u64),
) -> Result<(Ledger, u64), ReadError> {
    let mut notebook = Notebook::new(how, detectors.fork());
    source.know(&how.templates);
    let mut folding = Folding::new(how, &mut notebook);
    while source.advance(&mut folding)? {
        progress(source.position());
    }
    let Folding {
        conversations,
        refused,
        bytes,
        mut coverage,
        ..
    } = folding;
    let mut summary = source.finish()?;
    for name in &summary.limits {
        notebook.limit(name);
    }
    let frames = &mut coverage.frames;
    frames.total = summary.record.frames;
    frames.decoded = frames.total.saturating_sub(frames.stopped);
    frames.bytes = bytes;
    let mut flows = Rows::default();
    let mut log = summary.record.log.unwrap_or_default();
    for it in conversations {
        let flow = it.flow();
        log.told_again = log.told_again.saturating_add(u64::from(it.is_told_again()));
        log.unopened = log.unopened.saturating_add(u64::from(flow.initiator == InitiatorBasis::FirstRow));
        flows.push(flow);
    }
    log.refused = refused;
    // Windows of which rows were left out are windows that were not seen.
    if log.skipped > 0 {
        coverage.frames.stopped = coverage.frames.stopped.saturating_add(log.skipped);
        coverage.frames.decoded = coverage.frames.decoded.saturating_sub(log.skipped);
        coverage
            .stops
            .insert("rows that say that others were left out (SKIPDATA)".to_owned(), log.skipped);
    }
    summary.record.log = Some(log);
    let mut ledger = notebook::join(vec![notebook]).with(flows);
    ledger.coverage.merge(coverage);
    let bytes = summary.record.file_bytes;
    conclude(&mut ledger, summary);
    Ok((ledger, bytes))
}

/// The templates that are known once an input was read, for inputs behind it: those it brought, and those that were known before. Of
/// anything but exports of flows little is read.
pub fn templates(reader: impl Read, how: &Reading) -> Result<Arc<Templates>, OpenError> {
    let Opened::Rows(mut source) = farshore_sources::open_any(InputId(0), reader, how.source, Unneeded)? else {
        return Ok(Arc::clone(&how.templates));
    };
    if source.templates().is_none() {
        return Ok(Arc::clone(&how.templates));
    }
    source.know(&how.templates);
    while source.advance(&mut Unasked)? {}
    Ok(source.templates().map_or_else(|| Arc::clone(&how.templates), Arc::new))
}

/// Takes rows that nobody asked for.
struct Unasked;

impl Sheet for Unasked {
    fn flow(&mut self, _: u64, _: &Row) {}

    fn unreadable(&mut self, _: &'static str) {}
}

/// The rows so far.
struct Folding<'n> {
    conversations: Rows<Conversation>,
    /// Conversations by what makes them one, by index.
    known: HashTable<u32>,
    hashes: RandomState,
    most: usize,
    most_observers: usize,
    refused: u64,
    bytes: u64,
    coverage: Coverage,
    /// The latest row that told nothing, as one may be told of in several ways.
    latest: u64,
    notebook: &'n mut Notebook,
}

impl<'n> Folding<'n> {
    fn new(how: &Reading, notebook: &'n mut Notebook) -> Self {
        Self {
            conversations: Rows::default(),
            known: HashTable::new(),
            // Nothing is read in the order of the table.
            hashes: RandomState::new(),
            most: how.limits.flows,
            most_observers: how.limits.flow_observers,
            refused: 0,
            bytes: 0,
            coverage: Coverage::default(),
            latest: 0,
            notebook,
        }
    }

    fn stop(&mut self, why: &str) {
        let frames = &mut self.coverage.frames;
        frames.stopped = frames.stopped.saturating_add(1);
        match self.coverage.stops.get_mut(why) {
            Some(times) => *times = times.saturating_add(1),
            None => {
                self.coverage.stops.insert(why.to_owned(), 1);
            }
        }
    }
}

impl Sheet for Folding<'_> {
    fn flow(&mut self, number: u64, it: &Row) {
        self.refused = self.refused.saturating_add(u64::from(it.refused));
        self.bytes = self.bytes.saturating_add(it.sent.bytes).saturating_add(it.returned.bytes);
        let ends = Ends::of(it);
        let hash = self.hashes.hash_one(ends);
        let conversations = &mut self.conversations;
        let is_it = |at: &u32| conversations.get(*at as usize).is_some_and(|known| known.ends == ends);
        let at = match self.known.find(hash, is_it) {
            Some(at) => *at as usize,
            None if conversations.len() >= self.most => {
                self.notebook.limit("flows");
                // One row may tell of several.
                if self.latest != number {
                    self.latest = number;
                    self.stop("rows of more flows than are followed");
                }
                return;
            }
            None => {
                let at = conversations.len();
                let again = |at: &u32| conversations.get(*at as usize).map_or(0, |known| self.hashes.hash_one(known.ends));
                self.known.insert_unique(hash, u32::try_from(at).unwrap_or(u32::MAX), again);
                conversations.push(Conversation::begun(ends, number, it));
                at
            }
        };
        if let Some(known) = self.conversations.get_mut(at)
            && !known.add(it, self.most_observers)
        {
            self.notebook.limit("flow-observers");
        }
    }

    fn unreadable(&mut self, why: &'static str) {
        self.stop(why);
    }
}

/// What makes rows one conversation: its two ends, whichever sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Ends {
    transport: Transport,
    low: Endpoint,
    high: Endpoint,
}

impl Ends {
    fn of(it: &Row) -> Self {
        let (low, high) = if it.source <= it.destination {
            (it.source, it.destination)
        } else {
            (it.destination, it.source)
        };
        Self {
            transport: it.transport,
            low,
            high,
        }
    }
}

/// A conversation as rows told of it so far.
struct Conversation {
    ends: Ends,
    row: u64,
    /// Whether the lower end is the source of the first row.
    low_first: bool,
    /// Whether the lower end began, and how that is known.
    low_began: Option<(bool, InitiatorBasis)>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    rtt: Option<u64>,
    /// What the lower end sent, and what the other did.
    ways: [Way; 2],
}

/// What went one way.
#[derive(Default)]
struct Way {
    first: Option<Timestamp>,
    told: Told,
    /// What others told who saw it, too.
    others: Vec<Told>,
}

/// What one of those told who saw it.
#[derive(Clone, Copy, Default)]
struct Told {
    observer: u64,
    rows: u64,
    passed: Tally,
    refused: Tally,
    turned_away: bool,
}

impl Told {
    fn add(&mut self, it: Tally, refused: bool) {
        self.rows = self.rows.saturating_add(1);
        self.turned_away |= refused;
        let sum = if refused { &mut self.refused } else { &mut self.passed };
        *sum = sum.plus(it);
    }
}

impl Way {
    /// Adds what a row tells; `false` where more told of it than are told apart.
    fn add(&mut self, observer: u64, it: Tally, refused: bool, most: usize) -> bool {
        if self.told.rows == 0 {
            self.told.observer = observer;
        }
        if self.told.observer == observer {
            self.told.add(it, refused);
            return true;
        }
        if let Some(known) = self.others.iter_mut().find(|it| it.observer == observer) {
            known.add(it, refused);
            return true;
        }
        if self.others.len().saturating_add(1) >= most {
            return false;
        }
        let mut new = Told {
            observer,
            ..Told::default()
        };
        new.add(it, refused);
        self.others.push(new);
        true
    }

    fn all(&self) -> impl Iterator<Item = &Told> {
        std::iter::once(&self.told).chain(&self.others)
    }

    /// What arrived: the fullest reading, or the least where one of them let not all of it through.
    fn arrived(&self) -> Tally {
        let readings = self.all().map(|it| it.passed);
        let by_size = |it: &Tally| (it.bytes, it.packets);
        let turned_away = self.all().any(|it| it.turned_away);
        let chosen = if turned_away {
            readings.min_by_key(by_size)
        } else {
            readings.max_by_key(by_size)
        };
        chosen.unwrap_or_default()
    }

    fn refused(&self) -> Tally {
        self.all()
            .map(|it| it.refused)
            .max_by_key(|it| (it.bytes, it.packets))
            .unwrap_or_default()
    }
}

impl Conversation {
    fn begun(ends: Ends, row: u64, it: &Row) -> Self {
        Self {
            ends,
            row,
            low_first: it.source == ends.low,
            low_began: None,
            first: None,
            last: None,
            rtt: None,
            ways: Default::default(),
        }
    }

    fn add(&mut self, it: &Row, most: usize) -> bool {
        let from_low = it.source == self.ends.low;
        let told = match it.opening {
            Opening::Untold => None,
            Opening::Source => Some((from_low, InitiatorBasis::Handshake)),
            Opening::Destination => Some((!from_low, InitiatorBasis::Handshake)),
            Opening::Named => Some((from_low, InitiatorBasis::Logged)),
        };
        // Flags are those of packets; what a log calls a source may be another's reading of them.
        if let Some(told) = told
            && self.low_began.is_none_or(|known| told.1 < known.1)
        {
            self.low_began = Some(told);
        }
        let least = |known: Option<Timestamp>, new: Option<Timestamp>| known.into_iter().chain(new).min();
        self.first = least(self.first, it.first.or(it.last));
        self.last = self.last.max(it.last.or(it.first));
        self.rtt = self.rtt.into_iter().chain(it.rtt).min();
        let [low, high] = &mut self.ways;
        let (sent, returned) = if from_low { (low, high) } else { (high, low) };
        sent.first = least(sent.first, it.first);
        let mut all = sent.add(it.observer, it.sent, it.refused, most);
        if !it.returned.is_empty() {
            all &= returned.add(it.observer, it.returned, it.refused, most);
        }
        all
    }

    fn is_told_again(&self) -> bool {
        self.ways.iter().any(|it| !it.others.is_empty())
    }

    /// Whether the lower end is the client, and how that is known.
    fn opened_by_low(&self) -> (bool, InitiatorBasis) {
        if let Some(told) = self.low_began {
            return told;
        }
        let Ends { transport, low, high } = self.ends;
        // A port that was not told is no low one.
        let told = low.port > 0 && high.port > 0;
        if let Some(asks) = transport.client_by_port(low.port, high.port).filter(|_| told) {
            return (asks == Direction::Up, InitiatorBasis::Port);
        }
        let answers = |kind: u16| match transport {
            Transport::Icmp => matches!(kind, 0 | 14 | 16 | 18),
            Transport::Icmp6 => matches!(kind, 129 | 136),
            _ => false,
        };
        match (answers(low.port), answers(high.port)) {
            (true, false) => return (false, InitiatorBasis::Protocol),
            (false, true) => return (true, InitiatorBasis::Protocol),
            _ => {}
        }
        let [ours, theirs] = &self.ways;
        match ours.first.zip(theirs.first) {
            Some((ours, theirs)) if ours != theirs => (ours < theirs, InitiatorBasis::FirstPacket),
            _ => (self.low_first, InitiatorBasis::FirstRow),
        }
    }

    fn flow(&self) -> Flow {
        let (low_began, initiator) = self.opened_by_low();
        let Ends { transport, low, high } = self.ends;
        let [ours, theirs] = &self.ways;
        let (client, server, up, down) = if low_began {
            (low, high, ours, theirs)
        } else {
            (high, low, theirs, ours)
        };
        let counter = |it: Tally| Counter {
            frames: it.packets,
            bytes: it.bytes,
            payload: 0,
        };
        let mut flow = Flow {
            input: InputId(0),
            initiator,
            first: self.first,
            last: self.last,
            first_frame: self.row,
            up: counter(up.arrived()),
            down: counter(down.arrived()),
            protection: Protection::Unknown,
            rtt: RoundTrips::new(self.rtt, None),
            ..Flow::between(transport, client, server)
        };
        if [up, down].iter().any(|way| way.all().any(|it| it.turned_away)) {
            flow.rare_mut().refused = Some(Box::new([up.refused(), down.refused()]));
        }
        flow
    }
}
