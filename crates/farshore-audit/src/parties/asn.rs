//! Owns who announces an address: AS number and holder. Refuses to call the holder a recipient: it hosts.

use std::{net::IpAddr, sync::OnceLock};

use farshore_model::party::Network;

use super::{
    asn_country,
    columns::{Asked, Blocks, leb128},
    dataset::DatasetInfo,
    points::{self, Key, Points, Table},
    stretches::Layer,
};

const V4: &[u8] = include_bytes!("../../../../packs/parties/asn/v4.bin");
const V6: &[u8] = include_bytes!("../../../../packs/parties/asn/v6.bin");
const NAMES: &[u8] = include_bytes!("../../../../packs/parties/asn/names.bin");
const META: &str = include_str!("../../../../packs/parties/asn/meta.toml");

/// The network that announces an address. Of IPv6 a third of the ranges are not announced: likely, not certain.
pub fn network(address: IpAddr) -> Option<Network> {
    number(address).map(holder)
}

/// Its number alone.
pub fn number(address: IpAddr) -> Option<u32> {
    let asn = match address {
        IpAddr::V4(ip) => v4()?.at(ip.to_bits()),
        IpAddr::V6(ip) => v6()?.at(points::upper(ip)),
    }?;
    (asn != 0).then_some(asn)
}

/// What is known of the network of that number.
pub fn holder(asn: u32) -> Network {
    Network {
        asn,
        name: name(asn).unwrap_or_default().into(),
        registered: asn_country::registered(asn),
    }
}

/// All breakpoints of IPv4, with the number at each.
pub fn layer4() -> Layer<'static, u32> {
    v4().map_or_else(Layer::empty, |table| layer(table.whole()))
}

/// The same for IPv6.
pub fn layer6() -> Layer<'static, u64> {
    v6().map_or_else(Layer::empty, |table| layer(table.whole()))
}

fn layer<K: Key>(points: &'static Points<K, u32>) -> Layer<'static, K> {
    Layer::new(points.starts(), |index| points.value(index).unwrap_or(0))
}

/// The holder of an AS number.
pub fn name(asn: u32) -> Option<String> {
    if HOLDERS.get().is_none() && ASKED.get_or_init(Asked::default).is_rare() {
        let (first, block) = holders_file()?.around(asn.into())?;
        let block = block.ok()?;
        let at = numbered(first, block.column(0).ok()?).position(|number| number == asn)?;
        return String::from_utf8_lossy(block.column(1).ok()?).lines().nth(at).map(str::to_owned);
    }
    let holders = holders();
    let index = holders.numbers.binary_search(&asn).ok()?;
    let (from, to) = holders.spans.get(index)?;
    holders.names.get(*from..*to).map(str::to_owned)
}

/// Source, date, licence.
pub fn info() -> Option<&'static DatasetInfo> {
    static INFO: OnceLock<Option<DatasetInfo>> = OnceLock::new();
    INFO.get_or_init(|| DatasetInfo::read(META).ok()).as_ref()
}

/// The embedded files, in order of name.
pub fn files() -> [&'static [u8]; 3] {
    [NAMES, V4, V6]
}

/// Breakpoints of either family and names; `None` if they are not sorted.
#[cfg(test)]
pub fn checked() -> Option<(usize, usize, usize)> {
    let Holders { numbers, spans, .. } = holders();
    let (v4, v6) = (v4()?.whole(), v6()?.whole());
    let sound = v4.is_sound() && v6.is_sound() && numbers.is_sorted() && numbers.len() == spans.len();
    sound.then(|| (v4.len(), v6.len(), numbers.len()))
}

/// AS numbers in order, and where the name of each stands.
#[derive(Debug, Default)]
struct Holders {
    numbers: Vec<u32>,
    names: String,
    spans: Vec<(usize, usize)>,
}

static HOLDERS: OnceLock<Holders> = OnceLock::new();
static ASKED: OnceLock<Asked> = OnceLock::new();

/// An embedded file cannot be broken at run time: a test decodes every one.
fn v4() -> Option<&'static Table<u32, u32>> {
    static TABLE: OnceLock<Option<Table<u32, u32>>> = OnceLock::new();
    TABLE.get_or_init(|| Table::read(V4, numbers).ok()).as_ref()
}

fn v6() -> Option<&'static Table<u64, u32>> {
    static TABLE: OnceLock<Option<Table<u64, u32>>> = OnceLock::new();
    TABLE.get_or_init(|| Table::read(V6, numbers).ok()).as_ref()
}

fn holders_file() -> Option<&'static Blocks> {
    static FILE: OnceLock<Option<Blocks>> = OnceLock::new();
    FILE.get_or_init(|| Blocks::read(NAMES).ok()).as_ref()
}

fn holders() -> &'static Holders {
    HOLDERS.get_or_init(|| {
        let mut holders = Holders::default();
        for (first, block) in holders_file().into_iter().flat_map(Blocks::all) {
            let Ok(block) = block else { continue };
            holders.numbers.extend(numbered(first, block.column(0).unwrap_or_default()));
            for line in String::from_utf8_lossy(block.column(1).unwrap_or_default()).lines() {
                let from = holders.names.len();
                holders.names.push_str(line);
                holders.spans.push((from, holders.names.len()));
            }
        }
        holders
    })
}

/// AS numbers of a block, from its first.
pub fn numbered(first: u64, column: &[u8]) -> impl Iterator<Item = u32> + '_ {
    let all = leb128(column).scan(first, |asn, delta| {
        *asn = asn.checked_add(delta)?;
        Some(*asn)
    });
    all.map_while(|asn| u32::try_from(asn).ok())
}

/// The AS number at each breakpoint of a block; 0 where nobody announces.
fn numbers(column: &[u8]) -> Vec<u32> {
    leb128(column).map(|asn| u32::try_from(asn).unwrap_or(0)).collect()
}
