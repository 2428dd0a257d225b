//! The folder where imported editions are kept: one entry a set, and beside it the file as it was given. Whatever is found changed
//! there is refused by its name.
//!
//! `imported/NAME.json` tells what `imported/files/NAME-DIGEST.EXT` is. Either appears whole or not at all, the file before the
//! entry that tells of it, so whoever reads meanwhile finds the old edition or the new one.

use std::env;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context;
use farshore::parties::whole::{Form, Told};
use farshore_report::bundle::hex;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{message, output};

/// How entries are written.
const SCHEMA: &str = "farshore.imported/1";

/// Letters of a name at most.
const LONGEST: usize = 64;

/// The folder, which need not be there.
pub(crate) struct Store(PathBuf);

/// What is kept of one set.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// What it is called here.
    pub(crate) name: String,
    /// What claims of it name as their source.
    pub(crate) source: String,
    pub(crate) form: Form,
    pub(crate) edition: String,
    pub(crate) number: Option<u64>,
    pub(crate) rows: u64,
    /// As whoever imported it told.
    pub(crate) licence: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    /// Where the file is.
    pub(crate) path: PathBuf,
}

impl Store {
    /// The user's own: `$FARSHORE_DATA`, else a folder of ours among the user's data.
    pub(crate) fn of_user() -> Option<Self> {
        let set = |name: &str| env::var_os(name).filter(|it| !it.is_empty()).map(PathBuf::from);
        let own = || set("FARSHORE_DATA");
        // A relative one is to be passed over, as the XDG specification says.
        let xdg = || set("XDG_DATA_HOME").filter(|it| it.is_absolute());
        let windows = || set("LOCALAPPDATA").filter(|_| cfg!(windows));
        let home = || env::home_dir().filter(|it| it.is_absolute()).map(|it| it.join(".local/share"));
        let shared = || xdg().or_else(windows).or_else(home).map(|it| it.join("farshore"));
        own().or_else(shared).map(|it| Self(it.join("imported")))
    }

    /// The same, where there has to be one.
    pub(crate) fn needed() -> anyhow::Result<Self> {
        Self::of_user().context("there is no folder to keep data in: FARSHORE_DATA, XDG_DATA_HOME and HOME are unset; set FARSHORE_DATA")
    }

    /// All that is kept, by name.
    pub(crate) fn entries(&self) -> anyhow::Result<Vec<Entry>> {
        self.names()?.iter().map(|name| self.entry(name)).collect()
    }

    /// Their names.
    pub(crate) fn names(&self) -> anyhow::Result<Vec<String>> {
        let shown = || message::shown(&self.0);
        let found = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            found => found.with_context(shown)?,
        };
        let mut names = Vec::new();
        for it in found {
            let path = it.with_context(shown)?.path();
            if path.extension().is_some_and(|it| it == "json") {
                names.extend(path.file_stem().map(|it| it.to_string_lossy().into_owned()));
            }
        }
        names.sort();
        Ok(names)
    }

    /// What is kept under a name.
    pub(crate) fn entry(&self, name: &str) -> anyhow::Result<Entry> {
        let path = self.told_in(name);
        let text = fs::read_to_string(&path).with_context(|| message::shown(&path))?;
        let read = serde_json::from_str(&text).ok().and_then(|it: Value| self.parsed(name, &it));
        read.with_context(|| format!("{}: no entry as this version writes them; {}", message::shown(&path), advice(name)))
    }

    /// Keeps a file, instead of what was kept under that name.
    pub(super) fn put(&self, name: &str, told: &Told, licence: &str, bytes: &[u8]) -> anyhow::Result<Entry> {
        let sha256 = digest(bytes);
        let entry = Entry {
            name: name.to_owned(),
            source: told.source.clone(),
            form: told.form,
            edition: told.edition.clone(),
            number: told.number,
            rows: told.rows,
            licence: licence.to_owned(),
            bytes: bytes.len() as u64,
            path: self.file(name, told.form, &sha256),
            sha256,
        };
        let before = self.entry(name).ok();
        appear(&entry.path, bytes)?;
        let mut text = serde_json::to_vec_pretty(&entry.written())?;
        text.push(b'\n');
        appear(&self.told_in(name), &text)?;
        if let Some(before) = before.filter(|it| it.path != entry.path) {
            forget(&before.path)?;
        }
        Ok(entry)
    }

    /// Keeps no more what was kept under that name.
    pub(super) fn remove(&self, name: &str) -> anyhow::Result<()> {
        let entry = self.entry(name).ok();
        forget(&self.told_in(name))?;
        entry.map_or(Ok(()), |it| forget(&it.path))
    }

    /// Until it is dropped nobody else changes anything.
    pub(super) fn locked(&self) -> anyhow::Result<File> {
        let files = self.0.join("files");
        fs::create_dir_all(&files).with_context(|| message::shown(&files))?;
        let path = self.0.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.with_context(|| message::shown(&path))?;
        lock.lock().with_context(|| message::shown(&path))?;
        Ok(lock)
    }

    fn told_in(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.json"))
    }

    fn file(&self, name: &str, form: Form, sha256: &str) -> PathBuf {
        let extension = match form {
            Form::Database => "mmdb",
            Form::Ranges => "json",
            Form::Geofeed => "csv",
        };
        let short = sha256.get(..16).unwrap_or(sha256);
        self.0.join("files").join(format!("{name}-{short}.{extension}"))
    }

    fn parsed(&self, name: &str, value: &Value) -> Option<Entry> {
        let text = |key: &str| value.get(key)?.as_str().map(str::to_owned);
        let number = |key: &str| value.get(key)?.as_u64();
        let (form, sha256) = (form_of(&text("form")?)?, text("sha256")?);
        let is_digest = sha256.len() == 64 && sha256.bytes().all(|it| it.is_ascii_hexdigit());
        let known = text("schema")? == SCHEMA && text("name")? == name && is_name(name) && is_digest;
        known.then_some(())?;
        Some(Entry {
            name: name.to_owned(),
            source: text("source")?,
            form,
            edition: text("edition")?,
            number: number("number"),
            rows: number("rows")?,
            licence: text("licence")?,
            bytes: number("bytes")?,
            path: self.file(name, form, &sha256),
            sha256,
        })
    }
}

impl Entry {
    fn written(&self) -> Value {
        json!({
            "schema": SCHEMA,
            "name": self.name,
            "source": self.source,
            "form": form_name(self.form),
            "edition": self.edition,
            "number": self.number,
            "rows": self.rows,
            "licence": self.licence,
            "bytes": self.bytes,
            "sha256": self.sha256,
        })
    }

    /// The flag that would name it.
    pub(crate) const fn flag(&self) -> &'static str {
        match self.form {
            Form::Database => "mmdb",
            Form::Ranges | Form::Geofeed => "ranges",
        }
    }

    /// Its bytes, if they are those that were imported.
    pub(crate) fn checked(&self, bytes: io::Result<Vec<u8>>) -> anyhow::Result<Vec<u8>> {
        let shown = format!("imported `{}`, {}", self.name, message::shown(&self.path));
        let bytes = bytes.with_context(|| format!("{shown}: cannot be read; {}", advice(&self.name)))?;
        let found = digest(&bytes);
        anyhow::ensure!(
            found == self.sha256,
            "{shown}: its SHA-256 is {found}, {} was imported; {}",
            self.sha256,
            advice(&self.name)
        );
        Ok(bytes)
    }
}

/// What to do about an entry that cannot be used.
fn advice(name: &str) -> String {
    format!("import it again, `farshore data remove {name}`, or do without: --no-imported")
}

/// The forms, as they are written.
pub(super) const fn form_name(form: Form) -> &'static str {
    match form {
        Form::Database => "mmdb",
        Form::Ranges => "ranges",
        Form::Geofeed => "geofeed",
    }
}

fn form_of(name: &str) -> Option<Form> {
    let all = [Form::Database, Form::Ranges, Form::Geofeed];
    all.into_iter().find(|it| form_name(*it) == name)
}

/// Whether something may be called so: it is typed on command lines and is part of file names.
pub(super) fn is_name(text: &str) -> bool {
    let is_plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
    let ends = text.bytes().next().is_some_and(is_plain) && text.bytes().last().is_some_and(is_plain);
    ends && text.len() <= LONGEST && text.bytes().all(|it| is_plain(it) || it == b'-')
}

/// A name made of what a file calls itself: `DBIP-Country-Lite` gives `dbip-country-lite`.
pub(super) fn name_of(text: &str) -> Option<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|it| !it.is_empty());
    let mut name = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    name.truncate(LONGEST);
    let name = name.trim_end_matches('-');
    is_name(name).then(|| name.to_owned())
}

/// A file that is there whole or not at all.
fn appear(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let shown = || message::shown(path);
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = output::builder().tempfile_in(folder).with_context(shown)?;
    file.write_all(bytes).with_context(shown)?;
    file.as_file().sync_all().with_context(shown)?;
    file.persist(path).map_err(|it| it.error).with_context(shown)?;
    Ok(())
}

/// Removes a file, if it is there.
fn forget(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).with_context(|| message::shown(path)),
        _ => Ok(()),
    }
}

fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_what_files_call_themselves() {
        for (text, wanted) in [
            ("DBIP-Country-Lite", Some("dbip-country-lite")),
            ("DBIP-Location (compat=City)", Some("dbip-location-compat-city")),
            ("../../etc/passwd", Some("etc-passwd")),
            ("ipinfo generic_country_free.mmdb", Some("ipinfo-generic-country-free-mmdb")),
            ("…", None),
            ("", None),
        ] {
            assert_eq!(name_of(text).as_deref(), wanted, "{text}");
        }
        for bad in ["", "-a", "a-", "A", "a b", "a/b", "..", &"a".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
