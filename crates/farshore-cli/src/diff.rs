//! `farshore diff`: audits both sides, unless they are saved audits, compares them, writes what became of what was there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

use farshore::Known;
use farshore::diff::{self, Side, Values};
use farshore::model::diff::Outcome;
use farshore::model::sighting::Disguise;
use farshore::model::{Audit, DatumKind, Runs};
use farshore_report::Options;
use farshore_report::saved::Saved;

use crate::args::{self, DiffFormat};
use crate::audit::Asked;
use crate::{audit, message, output, saved};

/// One side, as it came.
struct Loaded {
    audit: Audit,
    runs: Option<Runs>,
    unreadable: usize,
}

/// Runs the verb.
pub(crate) fn run(args: &args::Diff) -> anyhow::Result<ExitCode> {
    output::check(args.out.file(), args.out.force)?;
    let saved = (saved::if_saved(&args.before)?, saved::if_saved(&args.after)?);
    let (before, after, values) = match saved {
        (None, None) => {
            // What one side shows is looked for in both, so that neither another encoding nor a field that says nothing hides it.
            let (found, untried) = found(args)?;
            let (before, after) = (fresh(args, &args.before, &found)?, fresh(args, &args.after, &found)?);
            (before, after, Values::Prints { untried })
        }
        (before, after) => {
            let before = before.map_or_else(|| fresh(args, &args.before, &[]), |it| Ok(kept(it)))?;
            let after = after.map_or_else(|| fresh(args, &args.after, &[]), |it| Ok(kept(it)))?;
            let values = Values::of_saved(&before.audit, &after.audit);
            (before, after, values)
        }
    };
    let diff = diff::diff(side(&before), side(&after), values);
    let options = Options {
        color: output::color(args.out.color, args.out.file().is_some()),
        width: output::width(),
        ..Options::default()
    };
    output::write(args.out.file(), args.out.force, &mut |out| match args.format {
        DiffFormat::Terminal => farshore_report::diff::terminal(&diff, &options, out),
        DiffFormat::Json => farshore_report::diff::json(&diff, &before.audit, &after.audit, out),
    })?;
    let any = |outcomes: &[Outcome]| diff.changes.iter().any(|it| outcomes.contains(&it.outcome));
    Ok(ExitCode::from(match () {
        () if before.unreadable > 0 || after.unreadable > 0 => 2,
        () if any(&[Outcome::New, Outcome::NotFixed]) => 1,
        () if any(&[Outcome::NotExercised]) => 3,
        () => 0,
    }))
}

fn side(it: &Loaded) -> Side<'_> {
    Side {
        audit: &it.audit,
        runs: it.runs.as_ref(),
    }
}

fn kept(it: Saved) -> Loaded {
    Loaded {
        audit: it.audit,
        runs: it.runs,
        unreadable: 0,
    }
}

fn fresh(args: &args::Diff, path: &Path, found: &[Known]) -> anyhow::Result<Loaded> {
    let audit::Judged { mut audit, unreadable } = audit::of_disk(&args.audited(path), &looking_for(found))?;
    for it in &mut audit.exposures {
        it.known_as = it.known_as.take().filter(|name| name != FOUND);
    }
    Ok(Loaded {
        runs: Some(Runs::of(&audit)),
        audit,
        unreadable,
    })
}

/// An audit that looks for these values too.
fn looking_for(more: &[Known]) -> Asked<'_> {
    Asked { more, ..Asked::default() }
}

/// What values go by that nobody named. It never leaves this file.
const FOUND: &str = "found on the other side";
/// Values that are looked for so, at most: all are tried at every place.
const MOST: usize = 2_000;
/// Fewer characters than this are met by chance in captures that are long enough.
const SHORTEST: usize = 6;
/// More bytes than this are no identifier.
const LONGEST: usize = 1_024;

/// The values that either side shows, which are kept for the second reading and nowhere else; and the prints of those beyond the ceiling.
fn found(args: &args::Diff) -> anyhow::Result<(Vec<Known>, BTreeSet<[u8; 16]>)> {
    let mut values: BTreeMap<String, (DatumKind, BTreeSet<[u8; 16]>)> = BTreeMap::new();
    for path in [&args.before, &args.after] {
        anyhow::ensure!(
            path != Path::new("-"),
            "standard input can be read once only, and captures are compared by reading them twice: name a file"
        );
        let mut first = args.audited(path);
        first.show_pii = true;
        first.voice.quiet = true;
        for it in audit::of_disk(&first, &Asked::default())?.audit.exposures {
            if let Some(raw) = it.value.raw.filter(|raw| it.disguise == Disguise::None && is_telling(raw)) {
                // What one field calls a user another may call a device.
                let (_, prints) = values.entry(raw).or_insert_with(|| (it.kind, BTreeSet::new()));
                prints.insert(it.value.print);
            }
        }
    }
    if values.len() > MOST {
        message::say(&format!(
            "warning: {} different values are on the two sides; {MOST} of them are looked for in every encoding, and no other is called fixed",
            values.len()
        ));
    }
    let mut values = values.into_iter();
    let known = values.by_ref().take(MOST).map(|(value, (kind, _))| Known {
        name: FOUND.to_owned(),
        kind,
        value,
    });
    Ok((known.collect(), values.flat_map(|(_, (_, prints))| prints).collect()))
}

/// Whether a value can be told from chance.
fn is_telling(value: &str) -> bool {
    let mut chars = value.chars();
    let first = chars.next();
    value.chars().count() >= SHORTEST && value.len() <= LONGEST && value.trim() == value && !chars.all(|it| Some(it) == first)
}
