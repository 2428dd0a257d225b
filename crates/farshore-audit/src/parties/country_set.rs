//! Owns the form all address-to-country sets share. Refuses to weigh one set against another.

use std::{net::IpAddr, sync::OnceLock};

use farshore_model::{
    Country,
    party::{ClaimKind, CountryClaim},
};

use super::{
    columns::ColumnError,
    dataset::DatasetInfo,
    points::{self, Key, Table},
    stretches::{Layer, number_of},
};

/// An embedded set; each family is decoded when it is asked, block by block.
pub struct CountrySet {
    kind: ClaimKind,
    files: [&'static [u8]; 2],
    meta: &'static str,
    info: OnceLock<Option<DatasetInfo>>,
    v4: OnceLock<Option<Family<u32>>>,
    v6: OnceLock<Option<Family<u64>>>,
}

/// Breakpoints, and the country each value stands for (value 0 for none).
#[derive(Debug)]
struct Family<K> {
    table: Table<K, u8>,
    codes: Vec<Country>,
}

impl CountrySet {
    /// A set and what sort of opinion it gives.
    pub const fn new(v4: &'static [u8], v6: &'static [u8], meta: &'static str, kind: ClaimKind) -> Self {
        CountrySet {
            kind,
            files: [v4, v6],
            meta,
            info: OnceLock::new(),
            v4: OnceLock::new(),
            v6: OnceLock::new(),
        }
    }

    /// What it says of an address, if anything.
    pub fn claim(&self, address: IpAddr) -> Option<CountryClaim> {
        self.claiming(self.country(address)?)
    }

    /// The country alone.
    pub fn country(&self, address: IpAddr) -> Option<Country> {
        match address {
            IpAddr::V4(ip) => self.v4()?.at(ip.to_bits()),
            IpAddr::V6(ip) => self.v6()?.at(points::upper(ip)),
        }
    }

    /// This set saying this country.
    pub fn claiming(&self, country: Country) -> Option<CountryClaim> {
        let info = self.info()?;
        Some(CountryClaim {
            country,
            kind: self.kind,
            source: info.name.clone(),
            edition: info.edition.clone(),
            refuted: false,
        })
    }

    /// All breakpoints of IPv4, with the country at each.
    pub fn layer4(&self) -> Layer<'_, u32> {
        self.v4().map_or_else(Layer::empty, Family::layer)
    }

    /// The same for IPv6.
    pub fn layer6(&self) -> Layer<'_, u64> {
        self.v6().map_or_else(Layer::empty, Family::layer)
    }

    /// Source, date, licence.
    pub fn info(&self) -> Option<&DatasetInfo> {
        self.info.get_or_init(|| DatasetInfo::read(self.meta).ok()).as_ref()
    }

    /// The embedded files, in order of name.
    pub fn files(&self) -> [&'static [u8]; 2] {
        self.files
    }

    /// Breakpoints of either family, and the codes in use; `None` if they are not sorted.
    #[cfg(test)]
    pub fn checked(&self) -> Option<(usize, usize, Vec<Country>)> {
        let (v4, v6) = (self.v4()?, self.v6()?);
        let codes = v4.codes.iter().chain(&v6.codes).copied().collect();
        let (v4, v6) = (v4.table.whole(), v6.table.whole());
        (v4.is_sound() && v6.is_sound()).then(|| (v4.len(), v6.len(), codes))
    }

    fn v4(&self) -> Option<&Family<u32>> {
        let [file, _] = self.files;
        self.v4.get_or_init(|| Family::read(file).ok()).as_ref()
    }

    fn v6(&self) -> Option<&Family<u64>> {
        let [_, file] = self.files;
        self.v6.get_or_init(|| Family::read(file).ok()).as_ref()
    }
}

impl<K: Key> Family<K> {
    /// An embedded file cannot be broken at run time: a test decodes every one.
    fn read(file: &'static [u8]) -> Result<Self, ColumnError> {
        let table = Table::read(file, <[u8]>::to_vec)?;
        Ok(Family {
            codes: codes(table.shared(0)?),
            table,
        })
    }

    fn at(&self, key: K) -> Option<Country> {
        self.country(self.table.at(key)?)
    }

    fn country(&self, value: u8) -> Option<Country> {
        self.codes.get(usize::from(value).checked_sub(1)?).copied()
    }

    fn layer(&self) -> Layer<'_, K> {
        let points = self.table.whole();
        Layer::new(points.starts(), |index| {
            number_of(points.value(index).and_then(|value| self.country(value)))
        })
    }
}

/// A column of two-letter codes, by rank.
pub fn codes(column: &[u8]) -> Vec<Country> {
    let (pairs, _) = column.as_chunks::<2>();
    pairs
        .iter()
        .filter_map(|pair| Country::parse(std::str::from_utf8(pair).ok()?))
        .collect()
}
