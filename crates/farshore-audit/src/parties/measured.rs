//! Owns the short list of places that somebody measured, or an operator states, where location databases say otherwise.
//! Refuses to overrule them: a row is one more opinion, and what differs stays disputed.

use std::{net::IpAddr, sync::OnceLock};

use farshore_model::{
    Country,
    party::{ClaimKind, CountryClaim},
};
use serde::Deserialize;

use super::{dataset::DatasetInfo, prefix::Prefix};

const LIST: &str = include_str!("../../../../packs/parties/measured/measured.toml");
const META: &str = include_str!("../../../../packs/parties/measured/meta.toml");

/// A prefix, and who says where it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// The addresses.
    pub prefix: Prefix,
    /// Where they are.
    pub country: String,
    /// What stands there, and how that was found.
    pub what: String,
    /// Where it can be read.
    pub source: String,
    /// When it was so.
    pub as_of: String,
    /// Whether the source was read by whoever wrote the row.
    pub read: bool,
}

/// The list as it is kept.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct MeasuredList {
    #[serde(rename = "prefix")]
    rows: Vec<Measured>,
}

/// What the list says of an address.
pub fn claim(address: IpAddr) -> Option<CountryClaim> {
    let info = info()?;
    Some(CountryClaim {
        country: Country::parse(&rows().get(row(address)?)?.country)?,
        kind: ClaimKind::Geolocation,
        source: info.name.clone(),
        edition: info.edition.clone(),
        refuted: false,
    })
}

/// Which row an address falls under.
pub fn row(address: IpAddr) -> Option<usize> {
    rows().iter().position(|row| row.prefix.contains(address))
}

/// The embedded list; a test reads it, so it cannot be broken at run time.
pub fn rows() -> &'static [Measured] {
    static ROWS: OnceLock<MeasuredList> = OnceLock::new();
    &ROWS.get_or_init(|| toml::from_str(LIST).unwrap_or_default()).rows
}

/// Source, date, licence.
pub fn info() -> Option<&'static DatasetInfo> {
    static INFO: OnceLock<Option<DatasetInfo>> = OnceLock::new();
    INFO.get_or_init(|| DatasetInfo::read(META).ok()).as_ref()
}

/// The embedded files, in order of name.
pub fn files() -> [&'static [u8]; 1] {
    [LIST.as_bytes()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_reads_names_a_country_and_is_sourced() {
        let list: MeasuredList = toml::from_str(LIST).unwrap();
        assert!(!list.rows.is_empty());
        for row in &list.rows {
            assert!(super::super::countries::country_name(&row.country).is_some(), "{row:?}");
            assert!(row.source.starts_with("https://") && row.as_of.starts_with("20"), "{row:?}");
        }
    }
}
