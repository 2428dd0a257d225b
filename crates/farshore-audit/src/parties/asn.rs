//! Owns who announces an address: AS number and holder. Refuses to call the holder a recipient: it hosts.

use std::{net::IpAddr, sync::OnceLock};

use farshore_model::party::Network;

use super::{
    asn_country,
    columns::{ColumnError, Columns, leb128, unzigzag},
    dataset::DatasetInfo,
    points::{self, Points},
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
        IpAddr::V4(ip) => v4().at(ip.to_bits()),
        IpAddr::V6(ip) => v6().at(points::upper(ip)),
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
    Layer::new(v4().starts(), |index| v4().value(index).unwrap_or(0))
}

/// The same for IPv6.
pub fn layer6() -> Layer<'static, u64> {
    Layer::new(v6().starts(), |index| v6().value(index).unwrap_or(0))
}

/// The holder of an AS number.
pub fn name(asn: u32) -> Option<&'static str> {
    let holders = holders();
    let index = holders.numbers.binary_search(&asn).ok()?;
    let (from, to) = holders.spans.get(index)?;
    holders.names.get(*from..*to)
}

/// Source, date, licence.
pub fn info() -> Option<&'static DatasetInfo> {
    static INFO: OnceLock<Option<DatasetInfo>> = OnceLock::new();
    INFO.get_or_init(|| DatasetInfo::read(META).ok()).as_ref()
}

/// The embedded files, in order of name.
#[cfg(test)]
pub fn files() -> [&'static [u8]; 3] {
    [NAMES, V4, V6]
}

/// Breakpoints of either family and names; `None` if they are not sorted.
#[cfg(test)]
pub fn checked() -> Option<(usize, usize, usize)> {
    let Holders { numbers, spans, .. } = holders();
    let sound = v4().is_sound() && v6().is_sound() && numbers.is_sorted() && numbers.len() == spans.len();
    sound.then(|| (v4().len(), v6().len(), numbers.len()))
}

/// AS numbers in order, and where the name of each stands.
#[derive(Debug, Default)]
struct Holders {
    numbers: Vec<u32>,
    names: String,
    spans: Vec<(usize, usize)>,
}

/// An embedded file cannot be broken at run time: a test decodes every one.
fn v4() -> &'static Points<u32, u32> {
    static POINTS: OnceLock<Points<u32, u32>> = OnceLock::new();
    POINTS.get_or_init(|| family(V4, points::v4).unwrap_or_default())
}

fn v6() -> &'static Points<u64, u32> {
    static POINTS: OnceLock<Points<u64, u32>> = OnceLock::new();
    POINTS.get_or_init(|| family(V6, points::v6).unwrap_or_default())
}

fn holders() -> &'static Holders {
    static HOLDERS: OnceLock<Holders> = OnceLock::new();
    HOLDERS.get_or_init(|| read_holders().unwrap_or_default())
}

fn family<K>(file: &[u8], points: fn(&[u8], Vec<u32>) -> Points<K, u32>) -> Result<Points<K, u32>, ColumnError> {
    let file = Columns::read(file)?;
    Ok(points(file.column(0)?, numbers_of(&file)?))
}

fn read_holders() -> Result<Holders, ColumnError> {
    let file = Columns::read(NAMES)?;
    let numbers = leb128(file.column(0)?).scan(0_u64, |asn, delta| {
        *asn = asn.checked_add(delta)?;
        u32::try_from(*asn).ok()
    });
    let names = String::from_utf8_lossy(file.column(1)?).into_owned();
    let spans = names.lines().scan(0_usize, |from, line| {
        let to = from.saturating_add(line.len());
        let span = (*from, to);
        *from = to.saturating_add(1);
        Some(span)
    });
    Ok(Holders {
        numbers: numbers.collect(),
        spans: spans.collect(),
        names,
    })
}

/// The AS number at each breakpoint; 0 where nobody announces.
fn numbers_of(file: &Columns) -> Result<Vec<u32>, ColumnError> {
    let ranked: Vec<u32> = leb128(file.column(2)?)
        .scan(0_i64, |asn, delta| {
            *asn = asn.checked_add(unzigzag(delta))?;
            u32::try_from(*asn).ok()
        })
        .collect();
    let numbers = leb128(file.column(1)?).map(|value| {
        let rank = usize::try_from(value).ok().and_then(|value| value.checked_sub(1));
        rank.and_then(|rank| ranked.get(rank)).copied().unwrap_or(0)
    });
    Ok(numbers.collect())
}
