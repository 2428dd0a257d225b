//! Sound on its way to files: what is decoded while inputs are read is spooled, and what turned out to be sound becomes WAV
//! files, each whole or not at all. It decodes nothing, and decides nothing about what is sound.
//!
//! A spool is one nameless file for each thread that reads, so that neither memory nor open files grow with the number of streams.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::Context;
use farshore::model::{Direction, FlowId};
use farshore::recording::{Label, Next, Piece};
use farshore::{Studio, Tape};

use crate::{message, output};

/// Bytes gathered of a stream before they are spooled.
const GATHERED: usize = 1 << 14;

/// The longest body of a WAV file: its lengths have 32 bits, and count what stands around it.
const LONGEST: u64 = u32::MAX as u64 - 64;

/// What is to be written, and where.
#[derive(Debug)]
pub(crate) struct Extraction {
    folder: PathBuf,
    force: bool,
    takes: Mutex<Vec<(usize, Take)>>,
}

/// One recording that is sound.
#[derive(Debug)]
struct Take {
    flow: FlowId,
    label: Label,
    parts: Vec<Part>,
    spool: Arc<File>,
}

/// A stretch of a recording.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// Bytes of the spool: from there, so many.
    Spooled(u64, u64),
    /// Bytes of silence.
    Silence(u64),
}

impl Part {
    const fn bytes(self) -> u64 {
        match self {
            Self::Spooled(_, bytes) | Self::Silence(bytes) => bytes,
        }
    }
}

impl Extraction {
    /// Into a folder, which is made if there is none.
    pub(crate) fn new(folder: &Path, force: bool) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| message::shown(folder))?;
        Ok(Self {
            folder: folder.to_owned(),
            force,
            takes: Mutex::default(),
        })
    }

    /// Where the sound of one input goes while it is read.
    pub(crate) fn studio(&self) -> Spools {
        Spools(Arc::new(Shared {
            folder: self.folder.clone(),
            takes: Mutex::default(),
            problem: Mutex::default(),
        }))
    }

    /// A nameless file that holds what can be read once only.
    pub(crate) fn spool(&self, mut reader: impl Read) -> io::Result<File> {
        let mut file = tempfile::tempfile_in(&self.folder)?;
        io::copy(&mut reader, &mut file)?;
        file.rewind()?;
        Ok(file)
    }

    /// An input was read: so many flows stand before its own, and these are the numbers of those if they changed since.
    pub(crate) fn add(&self, spools: &Spools, before: usize, moved: &[FlowId]) -> anyhow::Result<()> {
        let Spools(spools) = spools;
        if let Some(problem) = spools.problem.lock().ok().and_then(|mut it| it.take()) {
            return Err(problem).with_context(|| message::shown(&self.folder));
        }
        if let (Ok(mut all), Ok(mut takes)) = (self.takes.lock(), spools.takes.lock()) {
            all.extend(takes.drain(..).map(|mut take| {
                take.flow = moved.get(take.flow.0 as usize).copied().unwrap_or(take.flow);
                (before, take)
            }));
        }
        Ok(())
    }

    /// Writes all files, in the order of flows; nothing if one of them is there already. Where `numbers` are given, of the flows that
    /// have a new one.
    pub(crate) fn write(&self, numbers: Option<&[Option<FlowId>]>, quiet: bool) -> anyhow::Result<()> {
        let mut takes = BTreeMap::new();
        for (before, take) in self.takes.lock().map(|mut it| std::mem::take(&mut *it)).unwrap_or_default() {
            let mut flow = before.saturating_add(take.flow.0 as usize);
            if let Some(numbers) = numbers {
                let Some(number) = numbers.get(flow).copied().flatten() else {
                    continue;
                };
                flow = number.0 as usize;
            }
            let flow = flow.saturating_add(1);
            takes.insert((flow, take.label.direction == Direction::Down, take.label.ssrc), take);
        }
        let named: Vec<_> = takes
            .iter()
            .map(|((flow, down, ssrc), take)| {
                let direction = if *down { "down" } else { "up" };
                let codec = take.label.codec.to_ascii_lowercase();
                (self.folder.join(format!("f{flow}-{direction}-{ssrc:08x}-{codec}.wav")), take)
            })
            .collect();
        for (path, _) in &named {
            output::check(Some(path), self.force)?;
        }
        for (path, take) in &named {
            take.write(path, self.force)?;
            if !quiet {
                let Label {
                    codec,
                    rate,
                    channels,
                    sound,
                    ..
                } = &take.label;
                let seconds = take.bytes() as f64 / f64::from(*rate) / f64::from(*channels) / 2.0;
                message::say(&format!(
                    "{}: {seconds:.2} s of {codec}, SHA-256 of the samples {sound}",
                    message::shown(path)
                ));
            }
        }
        if !quiet && named.is_empty() {
            message::say(&format!(
                "{}: no file was written: no stream of media was recovered",
                message::shown(&self.folder)
            ));
        }
        Ok(())
    }
}

impl Take {
    fn bytes(&self) -> u64 {
        self.parts.iter().map(|it| it.bytes()).sum()
    }

    fn write(&self, path: &Path, force: bool) -> anyhow::Result<()> {
        let bytes = self.bytes();
        anyhow::ensure!(
            bytes <= LONGEST,
            "{}: the sound is longer than a WAV file can hold",
            message::shown(path)
        );
        output::write(Some(path), force, &mut |out| {
            out.write_all(&header(&self.label, bytes))?;
            for part in &self.parts {
                match part {
                    Part::Silence(bytes) => io::copy(&mut io::repeat(0).take(*bytes), out)?,
                    Part::Spooled(at, bytes) => {
                        let mut spool = &*self.spool;
                        spool.seek(SeekFrom::Start(*at))?;
                        io::copy(&mut BufReader::new(spool).take(*bytes), out)?
                    }
                };
            }
            Ok(())
        })
    }
}

/// The head of a WAV file of 16-bit samples (RIFF, WAVE_FORMAT_PCM); the samples follow at byte 44.
fn header(label: &Label, bytes: u64) -> Vec<u8> {
    let length = u32::try_from(bytes).unwrap_or(u32::MAX);
    let frame = label.channels.saturating_mul(2);
    let mut out = Vec::with_capacity(44);
    out.extend(b"RIFF");
    out.extend(length.saturating_add(36).to_le_bytes());
    out.extend(b"WAVEfmt ");
    out.extend(16_u32.to_le_bytes());
    out.extend(1_u16.to_le_bytes());
    out.extend(label.channels.to_le_bytes());
    out.extend(label.rate.to_le_bytes());
    out.extend(label.rate.saturating_mul(u32::from(frame)).to_le_bytes());
    out.extend(frame.to_le_bytes());
    out.extend(16_u16.to_le_bytes());
    out.extend(b"data");
    out.extend(length.to_le_bytes());
    out
}

/// The spools of one input.
#[derive(Clone, Debug)]
pub(crate) struct Spools(Arc<Shared>);

/// What its threads share.
#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    takes: Mutex<Vec<Take>>,
    /// The first that went wrong.
    problem: Mutex<Option<io::Error>>,
}

impl Studio for Spools {
    fn tape(&self) -> Box<dyn Tape> {
        Box::new(Spool {
            all: Arc::clone(&self.0),
            file: None,
            streams: BTreeMap::new(),
        })
    }
}

/// What one thread hears.
struct Spool {
    all: Arc<Shared>,
    /// The spool and where it ends; from the first sound on.
    file: Option<(BufWriter<File>, Arc<File>, u64)>,
    streams: BTreeMap<(FlowId, u32), Stream>,
}

/// A recording under way.
#[derive(Default)]
struct Stream {
    gathered: Vec<u8>,
    parts: Vec<Part>,
}

impl Stream {
    /// Notes a stretch that follows; what continues the one before is joined to it.
    fn push(&mut self, part: Part) {
        match (self.parts.last_mut(), part) {
            (Some(Part::Silence(before)), Part::Silence(more)) => *before = before.saturating_add(more),
            (Some(Part::Spooled(at, before)), Part::Spooled(from, more)) if at.saturating_add(*before) == from => {
                *before = before.saturating_add(more);
            }
            _ => self.parts.push(part),
        }
    }
}

impl Spool {
    fn take(&mut self, flow: FlowId, it: &Piece<'_>) -> io::Result<()> {
        let key = (flow, it.recording);
        match it.next {
            Next::Samples(samples) => {
                let stream = self.streams.entry(key).or_default();
                stream.gathered.extend(samples.iter().flat_map(|it| it.to_le_bytes()));
                if stream.gathered.len() >= GATHERED {
                    self.put(key)?;
                }
            }
            Next::Silence(samples) => {
                self.put(key)?;
                self.streams.entry(key).or_default().push(Part::Silence(samples.saturating_mul(2)));
            }
            Next::Recovered(label) => {
                self.put(key)?;
                if let (Some(stream), Some((writer, file, _))) = (self.streams.remove(&key), &mut self.file) {
                    writer.flush()?;
                    if let Ok(mut takes) = self.all.takes.lock() {
                        takes.push(Take {
                            flow,
                            label: label.clone(),
                            parts: stream.parts,
                            spool: Arc::clone(file),
                        });
                    }
                }
            }
        }
        Ok(())
    }

    /// Spools what was gathered of a stream.
    fn put(&mut self, key: (FlowId, u32)) -> io::Result<()> {
        let Some(stream) = self.streams.get_mut(&key).filter(|it| !it.gathered.is_empty()) else {
            return Ok(());
        };
        if self.file.is_none() {
            let file = tempfile::tempfile_in(&self.all.folder)?;
            let again = Arc::new(file.try_clone()?);
            self.file = Some((BufWriter::new(file), again, 0));
        }
        if let Some((writer, _, end)) = &mut self.file {
            writer.write_all(&stream.gathered)?;
            let bytes = stream.gathered.len() as u64;
            let at = *end;
            *end = end.saturating_add(bytes);
            stream.gathered.clear();
            stream.push(Part::Spooled(at, bytes));
        }
        Ok(())
    }
}

impl Tape for Spool {
    fn sound(&mut self, flow: FlowId, it: Piece<'_>) {
        if let Err(problem) = self.take(flow, &it)
            && let Ok(mut first) = self.all.problem.lock()
        {
            first.get_or_insert(problem);
        }
    }
}
