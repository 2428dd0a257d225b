//! Owns what must be told of every data set: source, date, licence, attribution, digest.
//! Refuses one that leaves any of them out.

use serde::Deserialize;

/// What a reader of a report must be told of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetInfo {
    /// Its folder under `packs/parties`.
    pub name: String,
    /// Who makes it.
    pub source: String,
    /// Where a reader finds its maker.
    pub url: String,
    /// Its edition, as its maker counts them.
    pub edition: String,
    /// The date its facts are of.
    pub as_of: String,
    /// SPDX licence id.
    pub licence: String,
    /// The licence's text.
    pub licence_url: String,
    /// What the licence wants said.
    pub attribution: String,
    /// How the embedded form differs from the published one.
    pub changes: String,
    /// SHA-256 of the embedded bytes, files in order of name.
    pub sha256: String,
    /// What it was made from.
    #[serde(default)]
    pub input: Vec<DatasetInput>,
    /// Bytes it takes in the program, or as it was brought; 0 where they are not counted.
    #[serde(skip)]
    pub bytes: u64,
}

/// One thing a data set was made from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetInput {
    /// Package and version.
    pub package: String,
    /// SHA-256 of the package.
    pub sha256: String,
}

impl DatasetInfo {
    /// Reads a `meta.toml`.
    pub fn read(text: &str) -> Result<DatasetInfo, toml::de::Error> {
        toml::from_str(text)
    }

    /// The same, with the bytes of its files counted.
    pub(super) fn sized(&self, files: &[&[u8]]) -> DatasetInfo {
        DatasetInfo {
            bytes: files.iter().map(|it| it.len() as u64).sum(),
            ..self.clone()
        }
    }
}
