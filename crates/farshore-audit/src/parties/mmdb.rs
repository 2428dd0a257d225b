//! Owns location databases that the user brings, in the MMDB form all makers share: MaxMind's, DB-IP's and IPinfo's layouts.
//! Refuses to take their registered country for a place, and to believe them more than the sets that are built in.
//!
//! Form: <https://maxmind.github.io/MaxMind-DB/>.

use std::{collections::BTreeSet, fmt, net::IpAddr, sync::Arc};

use farshore_model::{
    Country, Timestamp,
    party::{ClaimKind, CountryClaim},
};
use maxminddb::{LookupResult, PathElement, Reader, WithinOptions};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

use super::{DatasetInfo, countries};

/// One database.
#[derive(Clone)]
pub struct Mmdb {
    reader: Arc<Reader<Vec<u8>>>,
    name: String,
    edition: String,
}

/// A file could not be read as a database of places.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no location database in the MMDB form: {0}")]
pub struct MmdbError(String);

/// Where makers write the code of the country: MaxMind and DB-IP in a map, IPinfo beside its name or as it is.
const LAYOUTS: [&[PathElement<'static>]; 3] = [
    &[PathElement::Key("country"), PathElement::Key("iso_code")],
    &[PathElement::Key("country_code")],
    &[PathElement::Key("country")],
];

impl Mmdb {
    /// Takes the bytes of a file.
    pub fn read(bytes: Vec<u8>) -> Result<Mmdb, MmdbError> {
        let reader = Reader::from_source(bytes).map_err(|error| MmdbError(error.to_string()))?;
        let about = reader.metadata();
        let name = about.database_type.trim();
        if name.is_empty() {
            return Err(MmdbError("it does not say what it is".to_owned()));
        }
        let built = i64::try_from(about.build_epoch).map_err(|_| MmdbError("its date is no date".to_owned()))?;
        Ok(Mmdb {
            name: name.to_owned(),
            edition: Timestamp::from_parts(built, 0).date().to_string(),
            reader: Arc::new(reader),
        })
    }

    /// What it says of an address, if anything. A damaged record says nothing.
    pub fn claim(&self, address: IpAddr) -> Option<CountryClaim> {
        let found = self.reader.lookup(address).ok()?;
        Some(CountryClaim {
            country: country(&found)?,
            kind: ClaimKind::Geolocation,
            source: self.name.clone(),
            edition: self.edition.clone(),
            refuted: false,
        })
    }

    /// Reads all of it: networks with a country, and without.
    pub fn whole(&self) -> Result<(u64, u64), MmdbError> {
        let error = |it: maxminddb::MaxMindDbError| MmdbError(it.to_string());
        let described = !self.reader.metadata().description.is_empty();
        if described {
            self.reader.verify().map_err(error)?;
        }
        let mut read = BTreeSet::new();
        let (mut rows, mut silent) = (0_u64, 0_u64);
        for found in self.reader.networks(WithinOptions::default()).map_err(error)? {
            let found = found.map_err(error)?;
            // The library refuses to verify a database without a description, which many that are made of others have not.
            if !described && found.offset().is_some_and(|it| read.insert(it)) {
                found.decode::<Anything>().map_err(error)?;
            }
            match country(&found) {
                Some(_) => rows = rows.saturating_add(1),
                None => silent = silent.saturating_add(1),
            }
        }
        match rows {
            0 => Err(MmdbError(format!(
                "`{}` gives no network a country: expected `country.iso_code`, `country_code` or `country` in its records",
                self.name
            ))),
            _ => Ok((rows, silent)),
        }
    }

    /// What an audit says of it. The file says nothing of its licence.
    pub fn info(&self, sha256: &str) -> DatasetInfo {
        DatasetInfo {
            name: self.name.clone(),
            source: "brought by the user".to_owned(),
            url: String::new(),
            edition: self.edition.clone(),
            as_of: self.edition.clone(),
            licence: "the user's own".to_owned(),
            licence_url: String::new(),
            attribution: String::new(),
            changes: "none".to_owned(),
            sha256: sha256.to_owned(),
            input: Vec::new(),
            bytes: 0,
        }
    }
}

/// Any value, read to its end.
struct Anything;

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Anything {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Self, A::Error> {
        while all.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Self, A::Error> {
        while all.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

/// The country of a record, in any of the layouts.
fn country(found: &LookupResult<'_, Vec<u8>>) -> Option<Country> {
    LAYOUTS.iter().find_map(|path| {
        let code: &str = found.decode_path(path).ok()??;
        Country::parse(code).filter(|it| countries::name(*it).is_some())
    })
}

impl fmt::Debug for Mmdb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.edition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database of one network, 198.0.0.0/7, by hand: a tree of seven nodes, a record, the metadata.
    fn written(record: &[u8]) -> Vec<u8> {
        described(record, b"\xe1\x42en\x41x")
    }

    fn described(record: &[u8], description: &[u8]) -> Vec<u8> {
        let nodes = 7_u32;
        let mut file = Vec::new();
        for (depth, bit) in [1_u8, 1, 0, 0, 0, 1, 1].into_iter().enumerate() {
            let on = if depth == 6 { nodes + 16 } else { depth as u32 + 1 };
            let pair = if bit == 1 { [nodes, on] } else { [on, nodes] };
            for value in pair {
                file.extend_from_slice(&value.to_be_bytes()[1..]);
            }
        }
        file.extend_from_slice(&[0; 16]);
        file.extend_from_slice(record);
        file.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
        let text = |it: &str| [&[0x40 | it.len() as u8][..], it.as_bytes()].concat();
        let mut about = vec![0xe9];
        for (key, value) in [
            ("binary_format_major_version", vec![0xa1, 2]),
            ("binary_format_minor_version", vec![0xa0]),
            ("build_epoch", vec![0x04, 0x02, 0x6a, 0x90, 0x2a, 0x00]),
            ("database_type", text("Own-Country")),
            ("description", description.to_vec()),
            ("ip_version", vec![0xa1, 4]),
            ("languages", vec![0x00, 0x04]),
            ("node_count", vec![0xc1, 7]),
            ("record_size", vec![0xa1, 24]),
        ] {
            about.extend(text_long(key));
            about.extend(value);
        }
        file.extend(about);
        file
    }

    /// A string of up to 284 bytes, as the form writes its length.
    fn text_long(it: &str) -> Vec<u8> {
        match it.len() {
            short @ ..29 => [&[0x40 | short as u8][..], it.as_bytes()].concat(),
            long => [&[0x5d, (long - 29) as u8][..], it.as_bytes()].concat(),
        }
    }

    #[test]
    fn every_layout_tells_its_country() {
        let maxmind = b"\xe2\x47country\xe1\x48iso_code\x42DE\x52registered_country\xe1\x48iso_code\x42US";
        let ipinfo = b"\xe1\x47country\x42DE";
        let lite = b"\xe2\x47country\x47Germany\x4ccountry_code\x42DE";
        let registered = b"\xe1\x52registered_country\xe1\x48iso_code\x42US";
        let strange = b"\xe1\x47country\x42ZQ";
        for (record, wanted) in [
            (&maxmind[..], Some("DE")),
            (ipinfo, Some("DE")),
            (lite, Some("DE")),
            (registered, None),
            (strange, None),
        ] {
            let base = Mmdb::read(written(record)).unwrap();
            let claim = base.claim("198.51.100.7".parse().unwrap());
            assert_eq!(claim.as_ref().map(|it| it.country.code()), wanted);
            if let Some(claim) = claim {
                assert_eq!((claim.source.as_str(), claim.edition.as_str()), ("Own-Country", "2026-08-27"));
            }
            assert_eq!(base.whole().ok(), wanted.map(|_| (1, 0)), "a database that places nothing is none");
            assert_eq!(base.claim("8.8.8.8".parse().unwrap()), None);
            assert_eq!(base.claim("2001:db8::1".parse().unwrap()), None);
        }
    }

    #[test]
    fn one_without_a_description_is_read_whole_too() {
        let whole = described(b"\xe2\x47country\x42DE\x41x\x02\x04\x42aa\xa1\x07", b"\xe0");
        assert_eq!(Mmdb::read(whole).unwrap().whole(), Ok((1, 0)));
        // A value beside the country that is no text, and one that ends behind the file's last.
        for bad in [
            &b"\xe2\x47country\x42DE\x41x\x42\xff\xfe"[..],
            b"\xe2\x47country\x42DE\x41x\x5d\xff",
        ] {
            assert!(Mmdb::read(described(bad, b"\xe0")).unwrap().whole().is_err(), "{bad:?}");
            assert!(Mmdb::read(written(bad)).unwrap().whole().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn damage_is_refused_or_says_nothing() {
        let whole = written(b"\xe1\x47country\x42DE");
        for cut in 0..whole.len() {
            if let Ok(base) = Mmdb::read(whole[..cut].to_vec()) {
                assert!(base.whole().is_err(), "cut at {cut}");
                let _ = base.claim("198.51.100.7".parse().unwrap());
            }
        }
        for at in 0..whole.len() {
            for bit in [0x01, 0x80, 0xff] {
                let mut bent = whole.clone();
                bent[at] ^= bit;
                if let Ok(base) = Mmdb::read(bent) {
                    let _ = base.whole();
                    let _ = base.claim("198.51.100.7".parse().unwrap());
                    let _ = base.claim("0.0.0.0".parse().unwrap());
                }
            }
        }
        assert!(Mmdb::read(Vec::new()).is_err());
    }
}
