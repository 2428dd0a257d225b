//! `farshore bundle`: signed evidence, and its check by a stranger. What a bundle looks like is told in `farshore_report::bundle`;
//! here are files, keys and the audit that is done, or done again.

mod keys;
mod make;
mod verify;

use std::io::{self, Write};
use std::process::ExitCode;

use farshore::Audit;
use farshore_report::bundle::{PAGE, REPORT, hex};
use farshore_report::{Options, Sections};
use sha2::{Digest as _, Sha256};

use crate::{args, audit};

/// Runs the verb.
pub(crate) fn run(args: &args::Bundle) -> anyhow::Result<ExitCode> {
    match &args.what {
        args::BundleVerb::Make(it) => make::run(it),
        args::BundleVerb::Verify(it) => verify::run(it),
    }
}

/// The renderings in a bundle: its members, each with the output that writes it.
const RENDERINGS: [(&str, &str); 2] = [(REPORT, "json"), (PAGE, "html")];

/// Writes one, as it stands in every bundle: nothing of the terminal decides over it. Says how many bytes, and their SHA-256.
fn render(audit: &Audit, format: &str, jobs: usize, out: &mut dyn Write) -> io::Result<(u64, String)> {
    let renderer = farshore_report::output(format).ok_or_else(|| io::Error::other("no such format"))?;
    let borders = audit::borders();
    let options = Options {
        sections: Sections {
            flows: true,
            observations: true,
        },
        borders: &borders,
        jobs,
        ..Options::default()
    };
    let mut counted = Counted {
        out,
        bytes: 0,
        hash: Sha256::new(),
    };
    renderer.render(audit, &options, &mut counted)?;
    counted.flush()?;
    Ok((counted.bytes, hex(&counted.hash.finalize())))
}

/// Bytes on their way, counted and hashed.
struct Counted<'a> {
    out: &'a mut dyn Write,
    bytes: u64,
    hash: Sha256,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        self.hash.update(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
