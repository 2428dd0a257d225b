//! Owns what must be known of a file of places before it is kept for later: what it is, of which day, and that all of it reads.
//! Refuses what [`Brought`](super::Brought) reads past: a row that is no row, a tree that is damaged where nobody asked yet.

use std::ops::Range;

use farshore_model::{Date, party::ClaimKind};

use super::{
    DatasetInfo, editions,
    mmdb::{Mmdb, MmdbError},
    regions::{RegionError, RegionList},
};

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What claims of it name as their source.
    pub source: String,
    /// In which form it is.
    pub form: Form,
    /// The day it was made, as it tells; empty if it does not.
    pub edition: String,
    /// The number its maker gives it, if that counts up.
    pub number: Option<u64>,
    /// Networks it gives a country.
    pub rows: u64,
    /// Networks it names and gives none that is known here.
    pub silent: u64,
    /// The set that is built in and of which this is another edition.
    pub built_in: Option<&'static DatasetInfo>,
}

/// The forms there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A location database, MMDB.
    Database,
    /// A cloud's list of ranges, JSON.
    Ranges,
    /// A geofeed, CSV.
    Geofeed,
}

/// A file did not read whole.
#[derive(Debug, thiserror::Error)]
pub enum WholeError {
    /// A location database is damaged, or none.
    #[error(transparent)]
    Database(#[from] MmdbError),
    /// It is compressed.
    #[error("it is compressed ({0}); expected what is inside: unpack it first")]
    Compressed(&'static str),
    /// It is neither text nor a database.
    #[error(
        "no MMDB metadata near its end, as every whole location database has, and no text from byte {offset} on; expected a location database in the MMDB form, a geofeed, or a cloud's list of ranges"
    )]
    Neither {
        /// Where it ceases to be text.
        offset: usize,
    },
    /// JSON that is cut short, or not as the clouds write it.
    #[error("line {line}, column {column}: {problem}")]
    Json {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong.
        problem: String,
    },
    /// A line of a geofeed.
    #[error("line {line}: {problem}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong.
        problem: String,
        /// Where, in bytes.
        span: Range<usize>,
    },
    /// An entry of a list.
    #[error("entry {entry} of `{list}` has no prefix")]
    Entry {
        /// From 1.
        entry: usize,
        /// The list's name.
        list: &'static str,
    },
    /// A whole file that is of no use.
    #[error(transparent)]
    Region(#[from] RegionError),
}

/// The marker that metadata of the MMDB form begin with; they take the last 128 KiB at most.
const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";
const METADATA: usize = 128 << 10;

impl Told {
    /// Reads all of a file.
    pub fn read(bytes: &[u8]) -> Result<Told, WholeError> {
        match bytes {
            [0x1f, 0x8b, ..] => return Err(WholeError::Compressed("gzip")),
            [b'P', b'K', 3, 4, ..] => return Err(WholeError::Compressed("zip")),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => return Err(WholeError::Compressed("zstd")),
            [0xfd, b'7', b'z', b'X', b'Z', ..] => return Err(WholeError::Compressed("xz")),
            _ => {}
        }
        let end = bytes.get(bytes.len().saturating_sub(METADATA)..).unwrap_or_default();
        if end.windows(MARKER.len()).any(|it| it == MARKER) {
            return Self::of_database(&Mmdb::read(bytes.to_vec())?);
        }
        let binary = bytes.iter().position(|it| *it == 0);
        match (std::str::from_utf8(bytes), binary) {
            (Ok(text), None) => Self::of_list(text),
            (read, binary) => {
                let invalid = read.err().map(|it| it.valid_up_to());
                let offset = [invalid, binary].into_iter().flatten().min().unwrap_or_default();
                Err(WholeError::Neither { offset })
            }
        }
    }

    fn of_database(database: &Mmdb) -> Result<Told, WholeError> {
        let (rows, silent) = database.whole()?;
        let info = database.info("");
        Ok(Self::of(Form::Database, ClaimKind::Geolocation, info, None, (rows, silent)))
    }

    fn of_list(text: &str) -> Result<Told, WholeError> {
        let list = RegionList::whole(text)?;
        let form = match list.kind() {
            ClaimKind::Geofeed => Form::Geofeed,
            _ => Form::Ranges,
        };
        Ok(Self::of(form, list.kind(), list.info(""), list.number(), list.rows()))
    }

    fn of(form: Form, kind: ClaimKind, info: DatasetInfo, number: Option<u64>, (rows, silent): (u64, u64)) -> Told {
        Told {
            built_in: editions::built_in(&info.name, kind),
            source: info.name,
            form,
            edition: info.as_of,
            number,
            rows,
            silent,
        }
    }

    /// Whether this is certainly older than an edition of that day and number. What tells neither is never known to be.
    pub fn is_older_than(&self, edition: &str, number: Option<u64>) -> bool {
        match (Date::parse(&self.edition), Date::parse(edition)) {
            (Some(own), Some(other)) if own != other => own < other,
            _ => self.number.zip(number).is_some_and(|(own, other)| own < other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> String {
        Told::read(bytes).unwrap_err().to_string()
    }

    #[test]
    fn what_does_not_read_whole_is_refused_with_its_place() {
        let list = "{\"createDate\":\"2026-08-22-01-02-03\",\n\"prefixes\":[{\"ip_prefix\":\"15.160.0.0/15\",\"region\":\"eu-south-1\"}]}";
        assert_eq!(Told::read(list.as_bytes()).unwrap().rows, 1);
        // Cut anywhere it is no whole list, whatever it still says.
        for cut in 0..list.len() {
            assert!(Told::read(&list.as_bytes()[..cut]).is_err(), "{cut}");
        }
        let said = refused(&list.as_bytes()[..60]);
        assert!(said.starts_with("line 2, column"), "{said}");
        let said = refused(list.replace("/15", "/99").as_bytes());
        assert!(said.starts_with("line 2") && said.contains("length"), "{said}");
        let said = refused(list.replace("ip_prefix", "prefix").as_bytes());
        assert_eq!(said, "entry 1 of `prefixes` has no prefix");

        let feed = "# 2026-08-01\n\n129.152.0.0/19,IT,IT-25,Milan,\n129.152.32.0/19,,,,\n";
        let told = Told::read(feed.as_bytes()).unwrap();
        assert_eq!((told.rows, told.silent, told.form), (1, 1, Form::Geofeed));
        for (bad, why) in [
            ("129.152.64,IT,,,", "no length"),
            ("nonsense", "expected `prefix,country`"),
            ("129.152.64.0/19", "expected `prefix,country`"),
            ("129.152.64.0/19,Italy,,,", "two letters"),
            ("129.152.64.0/19,ZQ,,,", "two letters"),
        ] {
            let said = refused(format!("{feed}{bad}\n").as_bytes());
            assert!(said.starts_with("line 5: ") && said.contains(why), "{bad}: {said}");
        }
        assert!(refused(&[0x1f, 0x8b, 8, 0]).contains("gzip"));
        assert!(refused(b"GeoIP\0\x01\xff").contains("byte 5"));
    }

    #[test]
    fn editions_are_ordered_by_day_then_by_number_or_not_at_all() {
        let told = |edition: &str, number| Told {
            source: "azure-ranges".to_owned(),
            form: Form::Ranges,
            edition: edition.to_owned(),
            number,
            rows: 1,
            silent: 0,
            built_in: None,
        };
        assert!(told("2026-01-01", None).is_older_than("2026-01-02", None));
        assert!(!told("2026-01-02", None).is_older_than("2026-01-02", None));
        assert!(told("", Some(362)).is_older_than("", Some(363)));
        assert!(!told("", None).is_older_than("2026-01-02", Some(3)));
    }
}
