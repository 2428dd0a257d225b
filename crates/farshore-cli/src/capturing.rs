//! Frames as they come, from an interface or a pipe. Who captures needs rights that nobody who takes apart hostile bytes should have, so
//! that is another program's: dumpcap of Wireshark, else tcpdump, in a process that hands what it captures over a pipe. This crate opens
//! no socket for it.

use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use farshore_report::escape;

/// Bytes taken from a pipe at once.
const PIECE: usize = 1 << 16;
/// Pieces that wait while frames are read: 16 MiB, then whoever captures has to wait, and drops what does not fit.
const WAITING: usize = 256;
/// How often somebody who waits looks whether to go on.
const LOOK: Duration = Duration::from_millis(100);

/// A program that captures.
pub(crate) struct Capturing {
    name: &'static str,
    child: Child,
    /// What it says on standard error.
    said: JoinHandle<String>,
}

/// How each of them is told to write what it captures to a pipe, at once.
const PROGRAMS: [(&str, &[&str]); 2] = [
    ("dumpcap", &["-q", "-w", "-", "-i"]),
    ("tcpdump", &["-U", "--immediate-mode", "-w", "-", "-i"]),
];

impl Capturing {
    /// Starts the first program there is; gives what it captures.
    pub(crate) fn start(interface: &str) -> anyhow::Result<(Self, Box<dyn Read + Send>)> {
        is_an_interface(interface)?;
        let mut found = None;
        for (name, arguments) in PROGRAMS {
            let mut command = Command::new(name);
            command.args(arguments).arg(interface);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            match command.spawn() {
                Ok(mut child) => {
                    let (out, said) = (child.stdout.take(), child.stderr.take());
                    let out = out.context("its standard output is not there")?;
                    let said = std::thread::spawn(move || said.map(all_of).unwrap_or_default());
                    return Ok((Self { name, child, said }, Box::new(out)));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => found = Some(anyhow::Error::new(error).context(format!("{name} cannot be started"))),
            }
        }
        Err(found.unwrap_or_else(|| {
            anyhow::anyhow!(
                "-i {}: neither dumpcap (of Wireshark) nor tcpdump is there to capture with; install one, or have another machine send its \
                 capture: `ssh HOST tcpdump -U -w - | farshore watch -r -`",
                escape::visible(interface)
            )
        }))
    }

    /// Asks it to end: it hands over what it still has, and how much it lost.
    pub(crate) fn end(&mut self) {
        #[cfg(unix)]
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw)
            && rustix::process::kill_process(pid, rustix::process::Signal::INT).is_ok()
        {
            return;
        }
        self.kill();
    }

    /// Ends it, whatever it still has.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
    }

    /// What it came to, once nothing more comes: an error if it failed, in its words.
    pub(crate) fn done(mut self) -> anyhow::Result<()> {
        let status = self.child.wait().with_context(|| self.name)?;
        let said = self.said.join().unwrap_or_default();
        if status.success() || status.code().is_none() {
            return Ok(());
        }
        let said = said.trim();
        anyhow::bail!(
            "{} ended with {status}{}{said}",
            self.name,
            if said.is_empty() { "" } else { ":\n" }
        )
    }
}

/// A name of an interface, and nothing that a program could take for an option, a file, a command or a machine elsewhere.
fn is_an_interface(name: &str) -> anyhow::Result<()> {
    let odd = |c: char| matches!(c, '/' | '@' | '|') || c.is_whitespace() || escape::is_invisible(c);
    anyhow::ensure!(
        !name.is_empty() && !name.starts_with('-') && !name.contains(odd),
        "-i {}: expected the name of an interface, such as wlan0; `dumpcap -D` or `tcpdump -D` lists them",
        escape::visible(name)
    );
    Ok(())
}

/// Reads what a program says, of which little is kept.
fn all_of(mut said: impl Read) -> String {
    let (mut text, mut piece) = (Vec::new(), [0; 1024]);
    while let Ok(count @ 1..) = said.read(&mut piece) {
        if text.len() < 4096 {
            text.extend_from_slice(piece.get(..count).unwrap_or_default());
        }
    }
    let lines = String::from_utf8_lossy(&text).into_owned();
    lines.lines().map(escape::visible).collect::<Vec<_>>().join("\n")
}

/// Bytes as they come, taken from their pipe by a thread of their own, so that whoever captures is not kept waiting and whoever reads can
/// end. What was read is kept in a file, if one is wanted.
pub(crate) struct Stream<'a> {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: io::Cursor<Vec<u8>>,
    /// Nothing more is read.
    ended: Arc<AtomicBool>,
    keep: Option<&'a mut dyn Write>,
}

impl<'a> Stream<'a> {
    pub(crate) fn new(from: Box<dyn Read + Send>, ended: Arc<AtomicBool>, keep: Option<&'a mut dyn Write>) -> Self {
        let (to, pieces) = sync_channel(WAITING);
        // Left to itself: a pipe that nobody writes to would keep us waiting for ever.
        std::thread::spawn(move || pump(from, &to));
        Self {
            pieces,
            piece: io::Cursor::default(),
            ended,
            keep,
        }
    }
}

fn pump(mut from: Box<dyn Read + Send>, to: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut piece = vec![0; PIECE];
        let read = match from.read(&mut piece) {
            Ok(0) => return,
            Ok(count) => {
                piece.truncate(count);
                Ok(piece)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = read.is_err();
        if to.send(read).is_err() || failed {
            return;
        }
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.position() >= self.piece.get_ref().len() as u64 {
            if self.ended.load(Ordering::Relaxed) {
                return Ok(0);
            }
            match self.pieces.recv_timeout(LOOK) {
                Ok(piece) => self.piece = io::Cursor::new(piece?),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
        let count = self.piece.read(buffer)?;
        if let Some(keep) = &mut self.keep {
            keep.write_all(buffer.get(..count).unwrap_or_default())?;
        }
        Ok(count)
    }
}
