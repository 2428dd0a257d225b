//! Owns the form all address-to-country sets share. Refuses to weigh one set against another.

use std::{net::IpAddr, sync::OnceLock};

use farshore_model::{
    Country,
    party::{ClaimKind, CountryClaim},
};

use super::{
    columns::{ColumnError, Columns},
    dataset::DatasetInfo,
    points::{self, Points},
    stretches::{Layer, number_of},
};

/// An embedded set; each family is decoded when it is first asked.
pub struct CountrySet {
    kind: ClaimKind,
    files: [&'static [u8]; 2],
    meta: &'static str,
    info: OnceLock<Option<DatasetInfo>>,
    v4: OnceLock<Family<u32>>,
    v6: OnceLock<Family<u64>>,
}

/// Breakpoints, and the country each value stands for (value 0 for none).
#[derive(Debug)]
struct Family<K> {
    points: Points<K, u8>,
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
            IpAddr::V4(ip) => self.v4().at(ip.to_bits()),
            IpAddr::V6(ip) => self.v6().at(points::upper(ip)),
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
        self.v4().layer()
    }

    /// The same for IPv6.
    pub fn layer6(&self) -> Layer<'_, u64> {
        self.v6().layer()
    }

    /// Source, date, licence.
    pub fn info(&self) -> Option<&DatasetInfo> {
        self.info.get_or_init(|| DatasetInfo::read(self.meta).ok()).as_ref()
    }

    /// The embedded files, in order of name.
    #[cfg(test)]
    pub fn files(&self) -> [&'static [u8]; 2] {
        self.files
    }

    /// Breakpoints of either family, and the codes in use; `None` if they are not sorted.
    #[cfg(test)]
    pub fn checked(&self) -> Option<(usize, usize, Vec<Country>)> {
        let (v4, v6) = (self.v4(), self.v6());
        let codes = v4.codes.iter().chain(&v6.codes).copied().collect();
        (v4.points.is_sound() && v6.points.is_sound()).then(|| (v4.points.len(), v6.points.len(), codes))
    }

    /// An embedded file cannot be broken at run time: a test decodes every one.
    fn v4(&self) -> &Family<u32> {
        let [file, _] = self.files;
        self.v4.get_or_init(|| family(file, points::v4).unwrap_or_default())
    }

    fn v6(&self) -> &Family<u64> {
        let [_, file] = self.files;
        self.v6.get_or_init(|| family(file, points::v6).unwrap_or_default())
    }
}

impl<K: Copy + Ord + Into<u64>> Family<K> {
    fn at(&self, key: K) -> Option<Country> {
        self.country(self.points.at(key)?)
    }

    fn country(&self, value: u8) -> Option<Country> {
        self.codes.get(usize::from(value).checked_sub(1)?).copied()
    }

    fn layer(&self) -> Layer<'_, K> {
        Layer::new(self.points.starts(), |index| {
            number_of(self.points.value(index).and_then(|value| self.country(value)))
        })
    }
}

impl<K> Default for Family<K> {
    fn default() -> Self {
        Family {
            points: Points::default(),
            codes: Vec::new(),
        }
    }
}

fn family<K>(file: &[u8], points: fn(&[u8], Vec<u8>) -> Points<K, u8>) -> Result<Family<K>, ColumnError> {
    let file = Columns::read(file)?;
    Ok(Family {
        points: points(file.column(0)?, file.column(1)?.to_vec()),
        codes: codes(file.column(2)?),
    })
}

/// A column of two-letter codes, by rank.
pub fn codes(column: &[u8]) -> Vec<Country> {
    let (pairs, _) = column.as_chunks::<2>();
    pairs
        .iter()
        .filter_map(|pair| Country::parse(std::str::from_utf8(pair).ok()?))
        .collect()
}
