//! Which files are read: paths as given, folders as their files by name.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use sha2::{Digest as _, Sha256};

use crate::shelf::Shelf;
use crate::{args, message};

/// One input, not yet opened.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    /// What it is called in outputs, if that is not the base name of its path.
    alias: Option<String>,
    /// What the user says of it.
    pub(crate) labels: BTreeMap<String, String>,
}

impl Source {
    /// The base name, as it stands in outputs.
    pub(crate) fn name(&self) -> String {
        if let Some(name) = &self.alias {
            return name.clone();
        }
        if self.is_stdin() {
            return "-".to_owned();
        }
        self.path
            .file_name()
            .unwrap_or(self.path.as_os_str())
            .to_string_lossy()
            .into_owned()
    }

    /// The same input as somebody else had it: under another name, with other labels.
    pub(crate) fn known_as(&self, name: &str, labels: &BTreeMap<String, String>) -> Self {
        Self {
            path: self.path.clone(),
            alias: Some(name.to_owned()),
            labels: labels.clone(),
        }
    }

    /// SHA-256 of its bytes. Standard input has them once only, and is refused.
    pub(crate) fn digest(&self) -> io::Result<String> {
        if self.is_stdin() {
            return Err(io::Error::other("it is read more than once here; expected a file"));
        }
        let mut hash = Sha256::new();
        let mut reader = self.open()?;
        let mut piece = vec![0; 1 << 16];
        loop {
            match reader.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => hash.update(&piece[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(farshore_report::bundle::hex(&hash.finalize()))
    }

    /// The path as the user knows it, for messages.
    pub(crate) fn shown(&self) -> String {
        if self.is_stdin() {
            "standard input".to_owned()
        } else {
            message::shown(&self.path)
        }
    }

    /// Its length, where there is one.
    pub(crate) fn bytes(&self) -> Option<u64> {
        fs::metadata(&self.path).ok().filter(fs::Metadata::is_file).map(|it| it.len())
    }

    /// Opens it.
    pub(crate) fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        if self.is_stdin() {
            return Ok(Box::new(io::stdin()));
        }
        if self.path.is_dir() {
            return Err(io::Error::other("is a folder"));
        }
        Ok(Box::new(File::open(&self.path)?))
    }

    fn is_stdin(&self) -> bool {
        self.path == Path::new("-")
    }
}

/// The inputs that a verb was given.
pub(crate) fn named(input: &args::Inputs, files: &Shelf) -> anyhow::Result<Vec<Source>> {
    sources(&input.paths(), input.labels.as_deref(), &input.label, files)
}

/// What comes from an interface, under its name.
pub(crate) fn of_interface(name: &str, input: &args::Inputs, files: &Shelf) -> anyhow::Result<Source> {
    let labels = Labels::read(input.labels.as_deref(), &input.label, files)?;
    Ok(labels.of(PathBuf::from(name)))
}

/// All inputs: folders opened into their files, labels attached.
pub(crate) fn sources(paths: &[PathBuf], labels: Option<&Path>, for_all: &[String], files: &Shelf) -> anyhow::Result<Vec<Source>> {
    let labels = Labels::read(labels, for_all, files)?;
    let mut found = Vec::new();
    for path in paths {
        if path != Path::new("-") && path.is_dir() {
            let entries = fs::read_dir(path).with_context(|| message::shown(path))?;
            let mut files = entries
                .map(|it| it.map(|it| it.path()))
                .collect::<io::Result<Vec<_>>>()
                .with_context(|| message::shown(path))?;
            files.retain(|it| it.is_file());
            files.sort();
            anyhow::ensure!(!files.is_empty(), "{}: the folder holds no files", message::shown(path));
            found.extend(files);
        } else {
            found.push(path.clone());
        }
    }
    anyhow::ensure!(
        found.iter().filter(|it| *it == Path::new("-")).count() <= 1,
        "standard input can be read once only"
    );
    Ok(found.into_iter().map(|it| labels.of(it)).collect())
}

/// What the user says of inputs.
struct Labels {
    of_all: BTreeMap<String, String>,
    by_name: BTreeMap<String, BTreeMap<String, String>>,
}

impl Labels {
    fn read(table: Option<&Path>, for_all: &[String], files: &Shelf) -> anyhow::Result<Self> {
        let by_name = table.map(|it| read_labels(it, files)).transpose()?.unwrap_or_default();
        let mut of_all = BTreeMap::new();
        for pair in for_all {
            let (key, value) = pair
                .split_once('=')
                .with_context(|| format!("--label {pair}: expected KEY=VALUE"))?;
            of_all.insert(key.to_owned(), value.to_owned());
        }
        Ok(Self { of_all, by_name })
    }

    /// The input at a path, or of that name, with what is said of it.
    fn of(&self, path: PathBuf) -> Source {
        let given = path.display().to_string();
        let base = path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
        let mut labels = self.of_all.clone();
        let named = self.by_name.get(&given).or_else(|| self.by_name.get(&base));
        labels.extend(named.cloned().unwrap_or_default());
        Source { path, alias: None, labels }
    }
}

/// What may be known of an input. Other columns are kept as they are.
const LABELS: [&str; 9] = [
    "user",
    "room",
    "device",
    "app",
    "build",
    "state",
    "residence",
    "vantage",
    "capture_point",
];
/// Where a capture may have been taken.
const CAPTURE_POINTS: [&str; 4] = ["device", "tunnel", "gateway", "server"];

/// Labels by input. Empty cells say nothing.
fn read_labels(path: &Path, files: &Shelf) -> anyhow::Result<BTreeMap<String, BTreeMap<String, String>>> {
    let shown = message::shown(path);
    let text = files.text("labels", path)?;
    // Spreadsheets put a byte order mark before what they save.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let headers = reader.headers().with_context(|| shown.clone())?.clone();
    let input = headers
        .iter()
        .position(|it| it == "input")
        .with_context(|| format!("{shown}: expected a column named `input`"))?;
    for other in headers.iter().filter(|it| *it != "input" && !LABELS.contains(it)) {
        let known = LABELS.join(", ");
        message::say(&format!(
            "warning: {shown}: column `{other}` is kept and means nothing here; there are: {known}"
        ));
    }
    let mut table = BTreeMap::new();
    for row in reader.records() {
        let row = row.with_context(|| shown.clone())?;
        let line = row.position().map_or(0, csv::Position::line);
        let cells = headers.iter().zip(row.iter()).enumerate();
        let labels = cells.filter(|(at, (_, value))| *at != input && !value.is_empty());
        let labels: BTreeMap<_, _> = labels.map(|(_, (key, value))| (key.to_owned(), value.to_owned())).collect();
        if let Some(point) = labels.get("capture_point") {
            anyhow::ensure!(
                CAPTURE_POINTS.contains(&point.as_str()),
                "{shown}: line {line}: capture_point is `{point}`; expected one of {}",
                CAPTURE_POINTS.join(", ")
            );
        }
        let name = row.get(input).unwrap_or_default().to_owned();
        anyhow::ensure!(!name.is_empty(), "{shown}: line {line}: the column `input` is empty");
        let before = table.insert(name.clone(), labels);
        anyhow::ensure!(before.is_none(), "{shown}: line {line}: {name} has labels already");
    }
    Ok(table)
}
