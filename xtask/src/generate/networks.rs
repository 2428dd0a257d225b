//! Owns the network sets: address range to AS number, AS number to holder and to country of registration.
//! Refuses to place anybody: where an AS is registered says nothing of where its machines stand.

use std::{collections::BTreeMap, fs::File, net::IpAddr, path::Path};

use anyhow::{Context, Result, bail};

use super::{
    columns::{self, leb128},
    places::{self, Code},
    ranges::{self, Family, Point, Range},
};

/// Names of a block.
const NAMES: usize = 1024;

/// What the AS set says: ranges of both families, and the holders' names.
#[derive(Debug, Default)]
pub struct Networks {
    v4: Vec<Range<u32>>,
    v6: Vec<Range<u32>>,
    names: BTreeMap<u32, String>,
}

impl Networks {
    /// Reads `first,last,asn,"name"` lines.
    pub fn read(v4: &Path, v6: &Path) -> Result<Networks> {
        let mut networks = Networks::default();
        for (family, path) in [(Family::V4, v4), (Family::V6, v6)] {
            let file = File::open(path).with_context(|| path.display().to_string())?;
            let mut lines = csv::ReaderBuilder::new().has_headers(false).from_reader(file);
            for line in lines.records() {
                let line = line?;
                let cell = |at: usize| line.get(at).context("a cell is missing");
                let range = Range {
                    first: places::address(cell(0)?)?,
                    last: places::address(cell(1)?)?,
                    value: cell(2)?.parse()?,
                };
                let name = cell(3)?.replace(['\n', '\r'], " ");
                networks.names.entry(range.value).or_insert(name);
                match family {
                    Family::V4 => networks.v4.push(range),
                    Family::V6 => networks.v6.push(range),
                }
            }
        }
        Ok(networks)
    }

    /// Ranges, and the names: AS numbers as LEB128 deltas, names newline-joined in the same order, by blocks.
    pub fn files(&self) -> Result<Vec<(&'static str, Vec<u8>)>> {
        let all: Vec<(u32, &str)> = self.names.iter().map(|(asn, name)| (*asn, name.trim())).collect();
        let blocks = all.chunks(NAMES).map(|block| {
            let numbers: Vec<u32> = block.iter().map(|(asn, _)| *asn).collect();
            let names = block.iter().flat_map(|(_, name)| [*name, "\n"]).collect::<String>();
            (u64::from(numbers[0]), vec![ascending(&numbers), names.into_bytes()])
        });
        let names = columns::blocks(&[], &blocks.collect::<Vec<_>>())?;
        Ok(vec![
            ("names.bin", names),
            ("v4.bin", pack(Family::V4, &ranges::points(Family::V4, &self.v4))?),
            ("v6.bin", pack(Family::V6, &ranges::points(Family::V6, &self.v6))?),
        ])
    }

    /// AS number to the country most of its addresses are registered in, by `registered` (an MMDB).
    ///
    /// Columns of a block: AS numbers as LEB128 deltas; one byte a country (rank). Shared: the codes by rank.
    pub fn countries(&self, registered: &Path) -> Result<Vec<(&'static str, Vec<u8>)>> {
        let mut shares: BTreeMap<u32, BTreeMap<Code, u128>> = BTreeMap::new();
        let placed = registrations(registered)?;
        for (family, ranges) in [(Family::V4, &self.v4), (Family::V6, &self.v6)] {
            let placed: Vec<_> = placed.iter().filter(|(of, _)| *of == family).map(|(_, range)| range).collect();
            for range in ranges {
                let from = placed.partition_point(|other| other.last < range.first);
                for other in placed.iter().skip(from).take_while(|other| other.first <= range.last) {
                    let shared = other.last.min(range.last) - other.first.max(range.first) + 1;
                    // A /64 weighs as much as one IPv4 address: neither family drowns the other.
                    let weight = match family {
                        Family::V4 => shared,
                        Family::V6 => shared >> 96,
                    };
                    *shares.entry(range.value).or_default().entry(other.value).or_default() += weight;
                }
            }
        }
        let most: BTreeMap<u32, Code> = shares
            .iter()
            .filter_map(|(asn, shares)| {
                // Of equal shares the code that sorts first, so that two runs agree.
                let (code, _) = shares.iter().max_by_key(|&(code, weight)| (*weight, std::cmp::Reverse(*code)))?;
                Some((*asn, *code))
            })
            .collect();
        let ranked = ranges::ranked(&most.values().map(|code| (0, Some(*code))).collect::<Vec<Point<Code>>>());
        let mut ranks = Vec::new();
        for code in most.values() {
            let rank = ranked.iter().position(|known| known == code).context("a code without a rank")?;
            ranks.push(u8::try_from(rank)?);
        }
        let numbers: Vec<u32> = most.keys().copied().collect();
        let blocks = numbers.chunks(columns::BLOCK).zip(ranks.chunks(columns::BLOCK));
        let blocks = blocks.map(|(numbers, ranks)| (u64::from(numbers[0]), vec![ascending(numbers), ranks.to_vec()]));
        let file = columns::blocks(&[ranked.concat()], &blocks.collect::<Vec<_>>())?;
        Ok(vec![("countries.bin", file)])
    }
}

/// Address ranges of the MMDB, sorted as its tree is.
fn registrations(path: &Path) -> Result<Vec<(Family, Range<Code>)>> {
    #[derive(serde::Deserialize)]
    struct Record<'a> {
        country_code: Option<&'a str>,
    }
    let reader = maxminddb::Reader::open_readfile(path)?;
    let mut found = Vec::new();
    for entry in reader.networks(Default::default())? {
        let entry = entry?;
        let Some(record) = entry.decode::<Record<'_>>()? else {
            continue;
        };
        let Some(value) = record.country_code.and_then(places::country) else {
            continue;
        };
        let network = entry.network()?;
        let (family, first, bits) = match network.ip() {
            IpAddr::V4(ip) => (Family::V4, u128::from(ip.to_bits()), 32 - network.prefix()),
            IpAddr::V6(ip) => (Family::V6, ip.to_bits(), 128 - network.prefix()),
        };
        let last = match 1_u128.checked_shl(u32::from(bits)) {
            Some(size) => first + (size - 1),
            None => bail!("a network without bounds"),
        };
        found.push((family, Range { first, last, value }));
    }
    found.sort_by_key(|(family, range)| (*family == Family::V6, range.first));
    Ok(found)
}

/// Columns of a block: starts; AS numbers as LEB128 (0: none).
fn pack(family: Family, points: &[Point<u32>]) -> Result<Vec<u8>> {
    let mut blocks = Vec::new();
    for block in points.chunks(columns::BLOCK) {
        let mut values = Vec::new();
        for (_, value) in block {
            leb128(&mut values, value.map_or(0, u64::from));
        }
        blocks.push((block[0].0, vec![ranges::starts(family, block)?, values]));
    }
    columns::blocks(&[], &blocks)
}

/// What lies between one number of a block and the next, and before the first nothing.
fn ascending(numbers: &[u32]) -> Vec<u8> {
    let mut column = Vec::new();
    let mut before = numbers.first().copied().unwrap_or_default();
    for number in numbers {
        leb128(&mut column, u64::from(number - before));
        before = *number;
    }
    column
}
