//! Owns what the user brings beside the sets that are built in: location databases, operators' lists of ranges, overrides.
//! Refuses to open files: it is handed their bytes.

use std::net::IpAddr;

use farshore_model::{Date, party::CountryClaim};
use sha2::{Digest, Sha256};

use super::{
    DatasetInfo,
    editions::{self, Days, Opinion},
    mmdb::{Mmdb, MmdbError},
    overrides::Overrides,
    regions::{RegionError, RegionList},
};
use crate::written::Mistake;

/// All of it.
#[derive(Debug, Clone, Default)]
pub struct Brought {
    overrides: Overrides,
    databases: Vec<(Mmdb, DatasetInfo)>,
    lists: Vec<(RegionList, DatasetInfo)>,
    others: Vec<DatasetInfo>,
}

impl Brought {
    /// Nothing.
    pub const NONE: Brought = Brought {
        overrides: Overrides::NONE,
        databases: Vec::new(),
        lists: Vec::new(),
        others: Vec::new(),
    };

    /// Adds a location database.
    pub fn database(&mut self, bytes: Vec<u8>) -> Result<(), MmdbError> {
        let (sha256, length) = (digest(&bytes), bytes.len() as u64);
        let database = Mmdb::read(bytes)?;
        let mut info = database.info(&sha256);
        info.bytes = length;
        self.databases.push((database, info));
        Ok(())
    }

    /// Adds an operator's list of ranges.
    pub fn ranges(&mut self, text: &str) -> Result<(), RegionError> {
        let list = RegionList::read(text)?;
        let mut info = list.info(&digest(text.as_bytes()));
        info.bytes = text.len() as u64;
        self.lists.push((list, info));
        Ok(())
    }

    /// Adds overrides.
    pub fn overrides(&mut self, text: &str) -> Result<(), Mistake> {
        self.overrides.add(text)?;
        self.others.push(DatasetInfo {
            name: "overrides".to_owned(),
            source: "the user".to_owned(),
            url: String::new(),
            edition: "as given".to_owned(),
            as_of: String::new(),
            licence: "the user's own".to_owned(),
            licence_url: String::new(),
            attribution: String::new(),
            changes: "none".to_owned(),
            sha256: digest(text.as_bytes()),
            input: Vec::new(),
            bytes: text.len() as u64,
        });
        Ok(())
    }

    /// Whether nothing was brought.
    pub fn is_empty(&self) -> bool {
        self.databases.is_empty() && self.lists.is_empty() && self.others.is_empty()
    }

    /// Every opinion of it on an address, heard or not.
    pub(super) fn opinions(&self, address: IpAddr) -> Vec<Opinion> {
        let opinion = |claim: Option<CountryClaim>, info: &DatasetInfo| {
            let day = Date::parse(&info.as_of);
            claim.map(|claim| Opinion { claim, day })
        };
        let databases = self.databases.iter().filter_map(|(it, info)| opinion(it.claim(address), info));
        let lists = self.lists.iter().filter_map(|(it, info)| opinion(it.claim(address), info));
        let overrides = self.overrides.claim(address).into_iter();
        databases
            .chain(lists)
            .chain(overrides.map(|claim| Opinion { claim, day: None }))
            .collect()
    }

    /// Its opinions on an address beside those of what is built in: of each set the edition that is of the days.
    pub(super) fn heard(&self, built_in: Vec<CountryClaim>, address: IpAddr, days: Option<Days>) -> Vec<CountryClaim> {
        match self.opinions(address) {
            none if none.is_empty() => built_in,
            opinions => editions::heard(built_in, opinions, days),
        }
    }

    /// What an audit says of each.
    pub(super) fn infos(&self) -> impl Iterator<Item = &DatasetInfo> {
        let databases = self.databases.iter().map(|(_, info)| info);
        databases.chain(self.lists.iter().map(|(_, info)| info)).chain(&self.others)
    }
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
