//! What the user brings to place addresses with: databases, operators' lists, overrides. Files are opened here and read there.

use anyhow::Context;
use farshore::Datasets;
use farshore::parties::Brought;

use crate::shelf::Shelf;
use crate::{args, diagnose, message};

/// The data sets with what was brought on top.
pub(crate) fn with(data: &'static Datasets, args: &args::Atlas, files: &Shelf) -> anyhow::Result<Box<Datasets>> {
    let mut brought = Brought::default();
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
    Ok(Box::new(data.bringing(brought)))
}
