//! `farshore watch`: audits what comes while it comes. What is new is told at once, the report when it ends.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use farshore::{Ledger, Live, OpenError, Reading};
use farshore_report::Options;
use farshore_report::live::News;

use crate::args::{self, Format, Section};
use crate::audit::{Asked, Judged, Judging, check_app};
use crate::capturing::{Capturing, Stream};
use crate::inputs::{self, Source};
use crate::shelf::Shelf;
use crate::{message, output, reading};

/// Looks at what was read so far no more often than this, and rests ten times as long as judging took: nine tenths of the time are left.
const EVERY: Duration = Duration::from_secs(1);
const REST: u32 = 10;
/// How often somebody who waits looks whether to go on.
const LOOK: Duration = Duration::from_millis(50);
/// How long a program that captures may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs the verb.
pub(crate) fn run(args: &args::Watch) -> anyhow::Result<ExitCode> {
    let (audited, beside) = (&args.audit.audited, &args.audit.beside);
    output::check(beside.out.file(), beside.out.force)?;
    output::check(beside.links.as_deref(), beside.out.force)?;
    output::check(beside.write.as_deref(), beside.out.force)?;
    anyhow::ensure!(
        beside.extract.is_empty(),
        "--extract: what is extracted is read twice; keep the capture with -w and audit that"
    );
    anyhow::ensure!(
        beside.write.is_none() || audited.frames.words().is_none(),
        "-w keeps all that comes, and -f reads a part of it; keep the capture, then `farshore audit -f … -w …` writes those that fit"
    );
    for (flag, path) in [("--links", &beside.links), ("-w", &beside.write)] {
        anyhow::ensure!(
            !output::is_dash(path.as_deref()),
            "{flag} -: standard output is for the report; name a file"
        );
    }
    let source = source(args)?;
    let asked = Asked {
        every_fact: beside.with.contains(&Section::Observations),
        ..Asked::default()
    };
    let judging = Judging::new(audited, std::slice::from_ref(&source), &asked)?;
    let how = Reading {
        limits: judging.ceilings.reading.clone(),
        secrets: reading::secrets(&audited.input.keys, asked.files)?,
        labels: source.labels.clone(),
        every_fact: asked.every_fact,
        filter: audited.frames.filter()?,
        ..Reading::default()
    };
    let mut ledger = match &beside.write {
        None => watched(args, &source, &how, &judging, None)?,
        Some(path) => {
            let mut read = None;
            let written = output::write(Some(path), beside.out.force, &mut |out| {
                let it = watched(args, &source, &how, &judging, Some(out));
                // What could not be read is not kept either.
                let done = if it.is_ok() {
                    Ok(())
                } else {
                    Err(io::Error::other("nothing was read"))
                };
                read = Some(it);
                done
            });
            match read {
                Some(Err(error)) => return Err(error),
                read => written.and(read.unwrap_or_else(|| Ok(Ledger::default())))?,
            }
        }
    };
    let offered = &mut ledger.coverage.keys.offered;
    *offered = offered.saturating_add(how.secrets.sessions());
    if !audited.voice.quiet {
        reading::warn(&source, &ledger);
    }
    if let Some(app) = &audited.app {
        check_app(&ledger, app)?;
    }
    let audit = judging.audit(ledger);
    judging.warn(&audit);
    if let Some(path) = &beside.links {
        output::write(Some(path), beside.out.force, &mut |out| {
            farshore_report::graphml::render(&audit, out)
        })?;
    }
    let judged = Judged { audit, unreadable: 0 };
    if is_told_to_people(args) {
        writeln!(io::stdout())?;
    }
    judged.write(audited, beside, args.audit.format.id())?;
    judged.leave();
    Ok(ExitCode::SUCCESS)
}

/// The one input there is: an interface, or a capture that comes by a pipe.
fn source(args: &args::Watch) -> anyhow::Result<Source> {
    let input = &args.audit.audited.input;
    if let Some(interface) = &args.interface {
        return inputs::of_interface(interface, input, &Shelf::Disk);
    }
    let mut all = inputs::named(input, &Shelf::Disk)?;
    match (all.pop(), all.is_empty()) {
        (Some(one), true) => Ok(one),
        _ => anyhow::bail!("one capture is watched at a time; expected -i IFACE, or -r - for one that comes by a pipe"),
    }
}

/// Reads it to its end, and tells what is new while it comes. What came is kept, if somebody wants it.
fn watched(
    args: &args::Watch,
    source: &Source,
    how: &Reading,
    judging: &Judging<'_>,
    keep: Option<&mut dyn Write>,
) -> anyhow::Result<Ledger> {
    let (ended, read) = (Arc::new(AtomicBool::new(false)), AtomicBool::new(false));
    let stop = stop()?;
    let (capturing, bytes) = match &args.interface {
        Some(interface) => Capturing::start(interface).map(|(it, bytes)| (Some(it), bytes))?,
        None => (None, source.open()?),
    };
    let name = source.name();
    let live = Live::new(&name, how);
    let stream = Stream::new(bytes, Arc::clone(&ended), keep);
    let (ledger, capturing) = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut watcher = Watcher {
                args,
                judging,
                live: &live,
                news: News::default(),
            };
            watcher.watch(capturing, &stop, &ended, &read)
        });
        let ledger = live.read(stream, &judging.detectors);
        read.store(true, Ordering::Relaxed);
        (ledger, watcher.join().ok().flatten())
    });
    // A program that could not capture says more than that nothing came of it.
    let done = capturing.map(Capturing::done).transpose();
    match ledger {
        Ok(ledger) => {
            if let Err(error) = done {
                message::say(&format!("warning: {error:#}"));
            }
            Ok(ledger)
        }
        Err(OpenError::Empty) => {
            done?;
            anyhow::bail!("{}: nothing was captured", source.shown())
        }
        Err(error) => Err(anyhow::Error::new(error).context(source.shown())),
    }
}

/// Whether what is new and the report stand one below the other.
fn is_told_to_people(args: &args::Watch) -> bool {
    args.audit.format == Format::Terminal && args.audit.beside.out.file().is_none()
}

/// A flag that Ctrl-C sets, and what else asks a program to end; the second time it does.
fn stop() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    #[cfg(unix)]
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// Whoever looks on while a capture is read.
struct Watcher<'a> {
    args: &'a args::Watch,
    judging: &'a Judging<'a>,
    live: &'a Live<'a>,
    news: News,
}

impl Watcher<'_> {
    /// Tells what is new until all was read; ends the capture when that is asked for.
    fn watch(&mut self, mut capturing: Option<Capturing>, stop: &AtomicBool, ended: &AtomicBool, read: &AtomicBool) -> Option<Capturing> {
        let began = Instant::now();
        let (mut next, mut asked) = (began + EVERY, None::<Instant>);
        while !read.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK);
            let over = self.args.duration.is_some_and(|it| began.elapsed() >= it);
            if (over || stop.load(Ordering::Relaxed)) && asked.is_none() {
                asked = Some(Instant::now());
                match &mut capturing {
                    Some(it) => it.end(),
                    None => ended.store(true, Ordering::Relaxed),
                }
            }
            if asked.is_some_and(|it| it.elapsed() >= PATIENCE) {
                capturing.iter_mut().for_each(Capturing::kill);
                ended.store(true, Ordering::Relaxed);
            }
            if Instant::now() >= next && asked.is_none() {
                let looked = Instant::now();
                // Whoever read our output has had enough: the report fails likewise.
                if self.look().is_err() {
                    stop.store(true, Ordering::Relaxed);
                }
                next = Instant::now() + EVERY.max(looked.elapsed() * REST);
            }
        }
        capturing
    }

    /// Judges what was read so far. It is told where the report goes if that is for people, else on standard error.
    fn look(&mut self) -> io::Result<()> {
        let Some(ledger) = self.live.so_far() else { return Ok(()) };
        let audit = self.judging.audit(ledger);
        let beside = &self.args.audit.beside;
        let options = |to_file| Options {
            color: output::color(beside.out.color, to_file),
            width: output::width(),
            ..Options::default()
        };
        if is_told_to_people(self.args) {
            self.news.tell(&audit, &options(false), &mut io::stdout().lock())
        } else if self.args.audit.audited.voice.quiet {
            Ok(())
        } else {
            self.news.tell(&audit, &options(true), &mut io::stderr().lock())
        }
    }
}
