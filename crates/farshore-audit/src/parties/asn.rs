//! Owns who announces an address: AS number and holder. Refuses to call the holder a recipient: it hosts.

use std::{net::IpAddr, sync::OnceLock};

use farshore_model::party::Network;

use super::{
    asn_country,
    columns::{ColumnError, Columns, leb128, unzigzag},
    dataset::DatasetInfo,
    points::{self, Both},
};

const V4: &[u8] = include_bytes!("../../../../packs/parties/asn/v4.bin");
const V6: &[u8] = include_bytes!("../../../../packs/parties/asn/v6.bin");
const NAMES: &[u8] = include_bytes!("../../../../packs/parties/asn/names.bin");
const META: &str = include_str!("../../../../packs/parties/asn/meta.toml");

/// The network that announces an address. Of IPv6 a third of the ranges are not announced: likely, not certain.
pub fn network(address: IpAddr) -> Option<Network> {
    let asn = decoded().points.at(address)?;
    (asn != 0).then(|| Network {
        asn,
        name: name(asn).unwrap_or_default().to_owned(),
        registered: asn_country::registered(asn),
    })
}

/// The holder of an AS number.
pub fn name(asn: u32) -> Option<&'static str> {
    let decoded = decoded();
    let index = decoded.numbers.binary_search(&asn).ok()?;
    let (from, to) = decoded.spans.get(index)?;
    decoded.names.get(*from..*to)
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
    let Decoded {
        points, numbers, spans, ..
    } = decoded();
    let sound = points.v4.is_sound() && points.v6.is_sound() && numbers.is_sorted() && numbers.len() == spans.len();
    sound.then(|| (points.v4.len(), points.v6.len(), numbers.len()))
}

#[derive(Debug, Default)]
struct Decoded {
    points: Both<u32>,
    numbers: Vec<u32>,
    names: String,
    spans: Vec<(usize, usize)>,
}

/// An embedded file cannot be broken at run time: a test decodes every one.
fn decoded() -> &'static Decoded {
    static DECODED: OnceLock<Decoded> = OnceLock::new();
    DECODED.get_or_init(|| decode().unwrap_or_default())
}

fn decode() -> Result<Decoded, ColumnError> {
    let (v4, v6, holders) = (Columns::read(V4)?, Columns::read(V6)?, Columns::read(NAMES)?);
    let numbers = leb128(holders.column(0)?).scan(0_u64, |asn, delta| {
        *asn = asn.checked_add(delta)?;
        u32::try_from(*asn).ok()
    });
    let names = String::from_utf8_lossy(holders.column(1)?).into_owned();
    let spans = names.lines().scan(0_usize, |from, line| {
        let to = from.saturating_add(line.len());
        let span = (*from, to);
        *from = to.saturating_add(1);
        Some(span)
    });
    Ok(Decoded {
        points: Both {
            v4: points::v4(v4.column(0)?, numbers_of(&v4)?),
            v6: points::v6(v6.column(0)?, numbers_of(&v6)?),
        },
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
