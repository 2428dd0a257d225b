//! What the user brings to place addresses with: databases, operators' lists, overrides, named or imported before. Files are opened
//! here and read there.

use anyhow::Context;
use farshore::parties::{Brought, whole::Form};

use crate::data::Entry;
use crate::shelf::Shelf;
use crate::{args, diagnose, message};

/// All that was brought, what was imported first: of two files of one day that are named later is heard.
pub(crate) fn brought(args: &args::Atlas, files: &Shelf) -> anyhow::Result<Brought> {
    let mut brought = Brought::default();
    for it in &args.imported {
        imported(&mut brought, it, files)?;
    }
    for path in &args.mmdb {
        let bytes = files.bytes("mmdb", path).with_context(|| message::shown(path))?;
        brought.database(bytes).with_context(|| message::shown(path))?;
    }
    for path in &args.ranges {
        let text = files.text("ranges", path)?;
        brought.ranges(&text).with_context(|| message::shown(path))?;
    }
    for path in &args.overrides {
        let text = files.text("overrides", path)?;
        brought
            .overrides(&text)
            .map_err(|it| diagnose::mistake(path, &text, &it.message, it.span))?;
    }
    Ok(brought)
}

/// What was imported is what it was then, or it is refused.
fn imported(brought: &mut Brought, it: &Entry, files: &Shelf) -> anyhow::Result<()> {
    let bytes = it.checked(files.bytes(it.flag(), &it.path))?;
    let shown = || message::shown(&it.path);
    match it.form {
        Form::Database => brought.database(bytes).with_context(shown),
        Form::Ranges | Form::Geofeed => {
            let text = String::from_utf8(bytes).with_context(shown)?;
            brought.ranges(&text).with_context(shown)
        }
    }
}
