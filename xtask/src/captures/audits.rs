//! Audits of captures by the built program, each made once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use anyhow::{Context, ensure};
use serde::Deserialize;

/// What an audit says, as far as facts speak of it.
#[derive(Debug, Deserialize)]
pub(super) struct Audit {
    pub exposures: Vec<Exposure>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Exposure {
    pub kind: String,
    pub value: String,
    pub field: String,
    pub protection: String,
    pub evidence: Vec<Evidence>,
    pub count: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Evidence {
    pub frame: u64,
    #[serde(default)]
    pub first_frame: Option<u64>,
    pub offset: u64,
}

impl Exposure {
    /// Whether it was seen in this frame: it began there or earlier, and was complete there or later. Of what was seen more
    /// often than places are kept, later frames hold it too for all that can be told.
    pub fn is_in(&self, frame: u64) -> bool {
        let kept = u64::try_from(self.evidence.len()).unwrap_or(u64::MAX);
        let last = self.evidence.iter().map(|it| it.frame).max().unwrap_or_default();
        self.evidence
            .iter()
            .any(|it| it.first_frame.unwrap_or(it.frame) <= frame && frame <= it.frame)
            || self.count > kept && frame > last
    }
}

/// Audits by file.
pub(super) struct Audits {
    pub corpus: PathBuf,
    program: PathBuf,
    made: BTreeMap<String, Rc<Audit>>,
}

impl Audits {
    pub fn of(corpus: PathBuf, program: PathBuf) -> anyhow::Result<Self> {
        ensure!(
            program.is_file(),
            "{} is not there: cargo build --release, or name a program",
            program.display()
        );
        Ok(Self {
            corpus,
            program,
            made: BTreeMap::new(),
        })
    }

    /// The audit of one capture, values shown.
    pub fn of_file(&mut self, file: &str) -> anyhow::Result<Rc<Audit>> {
        if let Some(made) = self.made.get(file) {
            return Ok(Rc::clone(made));
        }
        let audit = Rc::new(self.make(&self.corpus.join(file)).with_context(|| file.to_owned())?);
        self.made.insert(file.to_owned(), Rc::clone(&audit));
        Ok(audit)
    }

    fn make(&self, capture: &Path) -> anyhow::Result<Audit> {
        let output = Command::new(&self.program)
            .args(["audit", "--format", "json", "--show-pii"])
            .arg(capture)
            .output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}
