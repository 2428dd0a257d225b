//! The findings anyone would expect of a good audit, each in its frame.

use anyhow::Context;
use serde::Deserialize;

use super::audits::Audits;
use crate::tidy::root;

/// Where they stand.
const FACTS: &str = "corpus/headlines.tsv";

/// What must be found: an exposure of that kind and field, whose value ends so, in that frame.
#[derive(Debug, Deserialize)]
struct Headline {
    file: String,
    frame: u64,
    kind: String,
    field: String,
    protection: String,
    /// The end of the value, where that is no datum of a person.
    ends: String,
}

/// What is wrong with them.
pub(super) fn check(audits: &mut Audits) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    let mut found = 0_usize;
    let mut all = 0_usize;
    let mut rows = csv::ReaderBuilder::new()
        .delimiter(b'\t')
        .quoting(false)
        .from_path(root().join(FACTS))
        .context(FACTS)?;
    for row in rows.deserialize() {
        let it: Headline = row.context(FACTS)?;
        all += 1;
        let audit = audits.of_file(&it.file)?;
        let is = audit.exposures.iter().any(|exposure| {
            exposure.kind == it.kind
                && exposure.field == it.field
                && exposure.protection == it.protection
                && exposure.value.ends_with(&it.ends)
                && exposure.is_in(it.frame)
        });
        if is {
            found += 1;
        } else {
            wrong.push(format!("{} frame {}: no {} in {}", it.file, it.frame, it.kind, it.field));
        }
    }
    println!("headlines: {found} of {all} found in their frames");
    Ok(wrong)
}
