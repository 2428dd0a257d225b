//! Owns the country an AS is registered in. Refuses to place anything: an AS spans the world.

use std::{collections::BTreeMap, sync::OnceLock};

use farshore_model::Country;

use super::{
    columns::{ColumnError, Columns, leb128},
    country_set::codes,
    dataset::DatasetInfo,
};

const FILE: &[u8] = include_bytes!("../../../../packs/parties/asn-country/countries.bin");
const META: &str = include_str!("../../../../packs/parties/asn-country/meta.toml");

/// The country most of an AS's address space is registered in.
pub fn registered(asn: u32) -> Option<Country> {
    static DECODED: OnceLock<BTreeMap<u32, Country>> = OnceLock::new();
    DECODED.get_or_init(|| decode().unwrap_or_default()).get(&asn).copied()
}

/// Source, date, licence.
pub fn info() -> Option<&'static DatasetInfo> {
    static INFO: OnceLock<Option<DatasetInfo>> = OnceLock::new();
    INFO.get_or_init(|| DatasetInfo::read(META).ok()).as_ref()
}

/// The embedded files, in order of name.
#[cfg(test)]
pub fn files() -> [&'static [u8]; 1] {
    [FILE]
}

fn decode() -> Result<BTreeMap<u32, Country>, ColumnError> {
    let file = Columns::read(FILE)?;
    let codes = codes(file.column(2)?);
    let numbers = leb128(file.column(0)?).scan(0_u64, |asn, delta| {
        *asn = asn.checked_add(delta)?;
        Some(*asn)
    });
    Ok(numbers
        .zip(file.column(1)?)
        .filter_map(|(asn, rank)| Some((u32::try_from(asn).ok()?, *codes.get(usize::from(*rank))?)))
        .collect())
}
