//! `farshore data`: newer editions of the data that places addresses, kept in the user's data folder and asked by every later audit
//! as if they had been named. Nothing is fetched.

mod store;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use farshore::parties::whole::{Form, Told, WholeError};

pub(crate) use self::store::{Entry, Store};
use crate::args::{self, DataVerb, Verb};
use crate::{diagnose, list, message, output};

/// Runs the verb.
pub(crate) fn run(args: &args::Data) -> anyhow::Result<ExitCode> {
    match &args.what {
        DataVerb::Import(it) => import(it),
        DataVerb::List(it) => kept(it),
        DataVerb::Remove(it) => remove(it),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Adds what was imported to what the command line names, unless it is not wanted.
pub(crate) fn asked(verb: &mut Verb) -> anyhow::Result<()> {
    let Some(atlas) = verb.atlas().filter(|it| !it.no_imported) else {
        return Ok(());
    };
    atlas.imported = entries()?;
    Ok(())
}

/// All that is kept for this user.
pub(crate) fn entries() -> anyhow::Result<Vec<Entry>> {
    Store::of_user().map_or(Ok(Vec::new()), |it| it.entries())
}

fn import(args: &args::Import) -> anyhow::Result<()> {
    let path = &args.file;
    let shown = message::shown(path);
    let bytes = fs::read(path).with_context(|| shown.clone())?;
    let told = Told::read(&bytes).map_err(|it| refused(path, &bytes, it))?;
    let name = match &args.name {
        Some(name) => {
            anyhow::ensure!(
                store::is_name(name),
                "--name {name}: expected small letters, digits and `-` between them, such as `geolite2-2024`"
            );
            name.clone()
        }
        None => name(&told, path).with_context(|| format!("{shown}: it has no name to be kept under; give one with --name"))?,
    };
    let store = Store::needed()?;
    let _lock = store.locked()?;
    // An entry that cannot be read is repaired by importing anew.
    let before = store.names()?.contains(&name).then(|| store.entry(&name).ok()).flatten();
    if !args.force {
        may_follow(&told, before.as_ref()).with_context(|| shown.clone())?;
    }
    let licence = args.licence.clone();
    let licence = licence.or_else(|| before.as_ref().map(|it| it.licence.clone())).unwrap_or_default();
    let entry = store.put(&name, &told, &licence, &bytes)?;
    if !args.quiet {
        output::write(None, false, &mut |out| {
            out.write_all(said(&entry, &told, before.as_ref()).as_bytes())
        })?;
    }
    Ok(())
}

/// What a file is kept as where nobody says: as it calls itself. Geofeeds do not, and go by the names of their files.
fn name(told: &Told, path: &Path) -> Option<String> {
    let Form::Geofeed = told.form else {
        return store::name_of(&told.source);
    };
    let stem = store::name_of(&path.file_stem()?.to_string_lossy())?;
    match stem.contains("geofeed") {
        true => Some(stem),
        false => store::name_of(&format!("geofeed-{stem}")),
    }
}

/// Whether a file may be kept beside what is built in, and instead of what was kept.
fn may_follow(told: &Told, before: Option<&Entry>) -> anyhow::Result<()> {
    if let Some(before) = before {
        anyhow::ensure!(
            before.source == told.source,
            "under the name `{}` there is {}, this is {}; choose another with --name, or --force",
            before.name,
            before.source,
            told.source
        );
        anyhow::ensure!(
            !told.is_older_than(&before.edition, before.number),
            "it is {}, older than `{}` {}, which is imported; --force takes it instead",
            edition(&told.edition, told.number),
            before.name,
            edition(&before.edition, before.number)
        );
    }
    if let Some(set) = told.built_in {
        anyhow::ensure!(
            !told.is_older_than(&set.as_of, None),
            "it is of {}, older than {} of {}, which is built in; --force keeps it, for captures nearer to its day",
            told.edition,
            set.name,
            set.as_of
        );
    }
    Ok(())
}

fn edition(day: &str, number: Option<u64>) -> String {
    match (day, number) {
        ("", Some(number)) => format!("change {number}, undated"),
        ("", None) => "undated".to_owned(),
        (day, _) => format!("of {day}"),
    }
}

/// What is told of what was taken.
fn said(entry: &Entry, told: &Told, before: Option<&Entry>) -> String {
    let kind = match entry.form {
        Form::Database => "location database",
        Form::Ranges => "operator's list of ranges",
        Form::Geofeed => "geofeed",
    };
    let of = |it: &Entry| edition(&it.edition, it.number);
    let mut lines = vec![format!("{}  {kind} {}, {}", entry.name, told.source, of(entry))];
    let silent = match told.silent {
        0 => String::new(),
        silent => format!(", {silent} without one that is known here"),
    };
    lines.push(format!("  networks  {} with a country{silent}", told.rows));
    match before {
        Some(before) if before.sha256 == entry.sha256 => lines.push("  before    the same file".to_owned()),
        Some(before) => lines.push(format!("  instead   of the edition {}, SHA-256 {}", of(before), before.sha256)),
        None => {}
    }
    if let Some(set) = told.built_in {
        let nearer = "where both speak, the one nearer to the capture's days is heard";
        lines.push(format!("  built in  {} {}: {nearer}", set.name, set.edition));
    }
    if entry.edition.is_empty() {
        lines.push("  undated   it is listed, and decides nothing: no capture is known to be of its time".to_owned());
    }
    let licence = if entry.licence.is_empty() {
        "the file does not tell; --licence NAME keeps it with it"
    } else {
        &entry.licence
    };
    lines.push(format!("  licence   {licence}"));
    lines.push(format!("  sha256    {}", entry.sha256));
    lines.push(format!("  kept as   {}", entry.path.display()));
    lines
        .iter()
        .map(|it| format!("{}\n", farshore_report::escape::visible(it)))
        .collect()
}

/// Why a file was not taken, and where in it.
fn refused(path: &Path, bytes: &[u8], error: WholeError) -> anyhow::Error {
    match (error, std::str::from_utf8(bytes)) {
        (WholeError::Line { problem, span, .. }, Ok(text)) => diagnose::mistake(path, text, &problem, Some(span)),
        (error, _) => anyhow::Error::new(error).context(message::shown(path)),
    }
}

fn kept(args: &args::Kept) -> anyhow::Result<()> {
    let rows = entries()?.into_iter().map(|it| {
        vec![
            it.name,
            it.source,
            store::form_name(it.form).to_owned(),
            it.edition,
            it.rows.to_string(),
            it.licence,
            it.bytes.to_string(),
            it.sha256,
        ]
    });
    let columns = &["name", "source", "form", "edition", "rows", "licence", "bytes", "sha256"];
    list::show(("imported", columns, rows.collect()), args.format)
}

fn remove(args: &args::Remove) -> anyhow::Result<()> {
    let store = Store::needed()?;
    let names = store.names()?;
    let there = match names.is_empty() {
        true => "nothing is imported".to_owned(),
        false => format!("there is {}", names.join(", ")),
    };
    for name in &args.names {
        anyhow::ensure!(names.contains(name), "`{name}` is not imported: {there}");
    }
    let _lock = store.locked()?;
    args.names.iter().try_for_each(|name| store.remove(name))
}
