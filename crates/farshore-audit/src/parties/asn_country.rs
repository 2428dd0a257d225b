//! Owns the country an AS is registered in. Refuses to place anything: an AS spans the world.

use std::{collections::BTreeMap, sync::OnceLock};

use farshore_model::Country;

use super::{
    asn::numbered,
    columns::{Asked, Blocks, Columns},
    country_set::codes,
    dataset::DatasetInfo,
};

const FILE: &[u8] = include_bytes!("../../../../packs/parties/asn-country/countries.bin");
const META: &str = include_str!("../../../../packs/parties/asn-country/meta.toml");

/// The country most of an AS's address space is registered in.
pub fn registered(asn: u32) -> Option<Country> {
    static WHOLE: OnceLock<BTreeMap<u32, Country>> = OnceLock::new();
    static ASKED: OnceLock<Asked> = OnceLock::new();
    let blocks = file()?;
    if WHOLE.get().is_none() && ASKED.get_or_init(Asked::default).is_rare() {
        let (first, block) = blocks.around(asn.into())?;
        return rows(first, &block.ok()?, &codes(blocks.shared(0).ok()?)).find_map(|(number, country)| (number == asn).then_some(country));
    }
    let whole = WHOLE.get_or_init(|| {
        let codes = codes(blocks.shared(0).unwrap_or_default());
        let all = blocks.all().filter_map(|(first, block)| Some((first, block.ok()?)));
        all.flat_map(|(first, block)| rows(first, &block, &codes).collect::<Vec<_>>())
            .collect()
    });
    whole.get(&asn).copied()
}

/// An embedded file cannot be broken at run time: a test decodes every one.
fn file() -> Option<&'static Blocks> {
    static BLOCKS: OnceLock<Option<Blocks>> = OnceLock::new();
    BLOCKS.get_or_init(|| Blocks::read(FILE).ok()).as_ref()
}

fn rows<'a>(first: u64, block: &'a Columns, codes: &'a [Country]) -> impl Iterator<Item = (u32, Country)> + 'a {
    let numbers = numbered(first, block.column(0).unwrap_or_default());
    let ranks = block.column(1).unwrap_or_default();
    numbers
        .zip(ranks)
        .filter_map(|(asn, rank)| Some((asn, *codes.get(usize::from(*rank))?)))
}

/// Source, date, licence.
pub fn info() -> Option<&'static DatasetInfo> {
    static INFO: OnceLock<Option<DatasetInfo>> = OnceLock::new();
    INFO.get_or_init(|| DatasetInfo::read(META).ok()).as_ref()
}

/// The embedded files, in order of name.
pub fn files() -> [&'static [u8]; 1] {
    [FILE]
}
