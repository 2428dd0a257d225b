//! Owns the form all address-to-country sets share. Refuses to weigh one set against another.

use std::{net::IpAddr, sync::OnceLock};

use farshore_model::{
    Country,
    party::{ClaimKind, CountryClaim},
};

use super::{
    columns::{ColumnError, Columns},
    dataset::DatasetInfo,
    points::{self, Both},
};

/// An embedded set, decoded when it is first asked.
pub struct CountrySet {
    v4: &'static [u8],
    v6: &'static [u8],
    meta: &'static str,
    kind: ClaimKind,
    decoded: OnceLock<Decoded>,
}

#[derive(Debug, Default)]
struct Decoded {
    info: Option<DatasetInfo>,
    v4_codes: Vec<Country>,
    v6_codes: Vec<Country>,
    points: Both<u8>,
}

impl CountrySet {
    /// A set and what sort of opinion it gives.
    pub const fn new(v4: &'static [u8], v6: &'static [u8], meta: &'static str, kind: ClaimKind) -> Self {
        CountrySet {
            v4,
            v6,
            meta,
            kind,
            decoded: OnceLock::new(),
        }
    }

    /// What it says of an address, if anything.
    pub fn claim(&self, address: IpAddr) -> Option<CountryClaim> {
        let decoded = self.decoded();
        let rank = usize::from(decoded.points.at(address)?).checked_sub(1)?;
        let codes = match address {
            IpAddr::V4(_) => &decoded.v4_codes,
            IpAddr::V6(_) => &decoded.v6_codes,
        };
        let info = decoded.info.as_ref()?;
        Some(CountryClaim {
            country: *codes.get(rank)?,
            kind: self.kind,
            source: info.name.clone(),
            edition: info.edition.clone(),
        })
    }

    /// Source, date, licence.
    pub fn info(&self) -> Option<&DatasetInfo> {
        self.decoded().info.as_ref()
    }

    /// The embedded files, in order of name.
    #[cfg(test)]
    pub fn files(&self) -> [&'static [u8]; 2] {
        [self.v4, self.v6]
    }

    /// Breakpoints of either family, and the codes in use; `None` if they are not sorted.
    #[cfg(test)]
    pub fn checked(&self) -> Option<(usize, usize, Vec<Country>)> {
        let decoded = self.decoded();
        let points = &decoded.points;
        let codes = decoded.v4_codes.iter().chain(&decoded.v6_codes).copied().collect();
        (points.v4.is_sound() && points.v6.is_sound()).then(|| (points.v4.len(), points.v6.len(), codes))
    }

    /// An embedded file cannot be broken at run time: a test decodes every one.
    fn decoded(&self) -> &Decoded {
        self.decoded.get_or_init(|| self.decode().unwrap_or_default())
    }

    fn decode(&self) -> Result<Decoded, ColumnError> {
        let (v4, v6) = (Columns::read(self.v4)?, Columns::read(self.v6)?);
        Ok(Decoded {
            info: DatasetInfo::read(self.meta).ok(),
            v4_codes: codes(v4.column(2)?),
            v6_codes: codes(v6.column(2)?),
            points: Both {
                v4: points::v4(v4.column(0)?, v4.column(1)?.to_vec()),
                v6: points::v6(v6.column(0)?, v6.column(1)?.to_vec()),
            },
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
