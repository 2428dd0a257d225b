//! Owns third-party-web's domains: which entity says it runs a web domain. Refuses its usage statistics and its
//! examples: they are not needed to name anybody.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::Result;
use serde::Deserialize;

use super::columns;

#[derive(Deserialize)]
struct Entity {
    name: String,
    company: Option<String>,
    category: String,
    domains: Vec<String>,
}

/// One column of lines: `name TAB company TAB category TAB domains`, sorted by name.
pub fn files(path: &Path) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let mut entities: Vec<Entity> = serde_json::from_slice(&fs::read(path)?)?;
    entities.sort_by(|one, other| one.name.cmp(&other.name));
    let mut text = String::new();
    for entity in entities {
        let domains: BTreeSet<String> = entity.domains.iter().map(|domain| domain.to_lowercase()).collect();
        let domains: Vec<_> = domains.iter().map(|domain| plain(domain)).collect();
        text.push_str(&plain(&entity.name));
        text.push('\t');
        text.push_str(&plain(&entity.company.unwrap_or_default()));
        text.push('\t');
        text.push_str(&plain(&entity.category));
        text.push('\t');
        text.push_str(&domains.join(" "));
        text.push('\n');
    }
    Ok(vec![("entities.bin", columns::pack(&[text.into_bytes()])?)])
}

/// The separators of the file cannot stand in a cell.
fn plain(text: &str) -> String {
    text.replace(['\t', '\n', '\r'], " ").trim().to_owned()
}
