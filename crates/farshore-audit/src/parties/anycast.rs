//! Owns the short list of addresses whose operators say that they are announced from many places.
//! Refuses census data: none may be passed on.

use std::{net::IpAddr, sync::OnceLock};

use serde::Deserialize;

use super::{dataset::DatasetInfo, prefix::Prefix};

const LIST: &str = include_str!("../../../../packs/parties/anycast/anycast.toml");
const META: &str = include_str!("../../../../packs/parties/anycast/meta.toml");

/// A prefix, and who says what of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anycast {
    /// The addresses.
    pub prefix: Prefix,
    /// Who announces them.
    pub operator: String,
    /// What they serve.
    pub what: String,
    /// The operator's statement.
    pub source: String,
    /// Whether the statement was read by whoever wrote the row.
    pub read: bool,
}

/// The list as it is kept.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AnycastList {
    #[serde(rename = "prefix")]
    rows: Vec<Anycast>,
}

/// The row an address falls under.
pub fn anycast(address: IpAddr) -> Option<&'static Anycast> {
    rows().iter().find(|row| row.prefix.contains(address))
}

/// The embedded list; a test reads it, so it cannot be broken at run time.
pub fn rows() -> &'static [Anycast] {
    static ROWS: OnceLock<AnycastList> = OnceLock::new();
    &ROWS.get_or_init(|| toml::from_str(LIST).unwrap_or_default()).rows
}

/// Source, date, licence.
pub(super) fn info() -> Option<&'static DatasetInfo> {
    static INFO: OnceLock<Option<DatasetInfo>> = OnceLock::new();
    INFO.get_or_init(|| DatasetInfo::read(META).ok()).as_ref()
}

/// The embedded files, in order of name.
pub(super) fn files() -> [&'static [u8]; 1] {
    [LIST.as_bytes()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_reads_and_every_row_is_sourced() {
        let list: AnycastList = toml::from_str(LIST).unwrap();
        assert!(list.rows.len() > 50);
        assert!(
            list.rows
                .iter()
                .all(|row| row.source.starts_with("https://") && !row.operator.is_empty())
        );
    }

    #[test]
    fn resolvers_and_root_servers_are_on_it_and_their_neighbours_are_not() {
        for (address, wanted) in [
            ("8.8.8.8", true),
            ("1.1.1.1", true),
            ("2620:fe::9", true),
            ("193.0.14.129", true),
            ("193.0.14.130", false),
            ("104.166.161.75", false),
        ] {
            assert_eq!(anycast(address.parse().unwrap()).is_some(), wanted, "{address}");
        }
    }
}
