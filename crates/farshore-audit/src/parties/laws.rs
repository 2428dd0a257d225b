//! Owns the table of states' access powers: what was read of each, and what was not. Refuses unknown fields, and to
//! know one state from another.

use std::{collections::BTreeMap, sync::OnceLock};

use farshore_model::{Country, Date, party};
use serde::{Deserialize, Deserializer, de::Error};

use super::dataset::DatasetInfo;

const ACCESS: &str = include_str!("../../../../packs/laws/access.toml");
const ADDRESSEES: &str = include_str!("../../../../packs/laws/addressees.toml");
const UNIONS: &str = include_str!("../../../../packs/laws/unions.toml");
const META: &str = include_str!("../../../../packs/laws/meta.toml");

/// One power, as it was read. Not legal advice.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessLaw {
    /// Stable id, such as `gb-ipa-43`.
    pub id: String,
    /// Whose law.
    #[serde(deserialize_with = "country")]
    pub jurisdiction: Country,
    /// What it does, in a line.
    pub title: String,
    /// Its name where it was made.
    pub official_title: String,
    /// Article and text version.
    pub citation: String,
    /// Since when.
    pub in_force: InForce,
    /// The day it lapsed.
    #[serde(default, deserialize_with = "optional_date")]
    pub until: Option<Date>,
    /// How it stood when it was read.
    pub status: String,
    /// Whom it addresses.
    pub addressees: Vec<String>,
    /// Which facts set it off, as the text says.
    pub triggers: Vec<Trigger>,
    /// Which ones commentators argue for.
    pub triggers_argued: Vec<Trigger>,
    /// `content`, `metadata`.
    pub reach: Vec<Coverage>,
    /// Whether the text reaches data stored outside the territory.
    pub abroad: Abroad,
    /// Who must agree first.
    pub authorisation: Authorisation,
    /// What it says of keys.
    pub keys: String,
    /// In our own words.
    pub summary: String,
    /// Where a reader can check.
    pub source_url: String,
    /// What was read.
    pub read: String,
    /// Whether the operative words were read.
    pub verified: bool,
    /// How.
    pub verified_by: VerifiedBy,
    /// Fields that were not read.
    #[serde(default)]
    pub unverified_fields: Vec<String>,
    /// Unread parts an answer depends on.
    #[serde(default, rename = "gap")]
    pub gaps: Vec<Gap>,
}

/// An unread part that keeps an answer open.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// What was not read.
    pub about: String,
    /// Only this trigger depends on it.
    pub trigger: Option<Trigger>,
    /// Only from this day on.
    #[serde(default, deserialize_with = "optional_date")]
    pub since: Option<Date>,
}

/// The day a law came into force, or what is known instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InForce {
    /// A day.
    On(Date),
    /// Not read; why.
    Unread(String),
}

/// The fact a power keys on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// Bytes at rest in the territory.
    DataInTerritory,
    /// The addressee operates or is established there.
    OperatorInTerritory,
    /// The addressee's parent is established there.
    ParentInTerritory,
    /// Traffic crosses the territory's networks.
    CarriageThroughTerritory,
    /// Courts there reach the addressee wherever it sits.
    PersonalJurisdiction,
    /// The addressee offers its service to people there.
    OffersService,
    /// Addressed to every organisation.
    AnyPersonOrOrg,
}

/// What a power obtains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Coverage {
    /// What was said.
    Content,
    /// Who, when, where.
    Metadata,
}

/// Whether a text reaches data stored outside the territory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Abroad {
    /// It says so.
    Yes,
    /// It says not.
    No,
    /// It does not say.
    Silent,
    /// It can be read either way.
    Unclear,
}

/// Who must agree before the power is used, as the text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authorisation {
    /// A court, case by case.
    Court,
    /// A court, over a programme.
    CourtProgrammatic,
    /// A commissioner or board outside the executive.
    IndependentCommissioner,
    /// A minister or agency.
    Executive,
    /// The agency itself.
    ExecutiveInternalApproval,
    /// An administrative body.
    Administrative,
    /// The text names nobody.
    NoneInText,
    /// It depends on what is asked for.
    Mixed,
}

/// How a row was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerifiedBy {
    /// The operative text was read.
    Primary,
    /// Its words were read as a quotation.
    Quoted,
    /// A summary was read.
    Secondary,
    /// Nothing was read.
    None,
}

impl AccessLaw {
    /// The same as the model cites it.
    pub fn cited(&self) -> party::Law {
        party::Law {
            id: self.id.clone(),
            title: self.title.clone(),
            citation: self.citation.clone(),
            source: self.source_url.clone(),
            verified: self.verified,
        }
    }

    /// Whether it had come into force by a day; `None` if that was not read.
    pub fn in_force_by(&self, day: Date) -> Option<bool> {
        match self.in_force {
            InForce::On(since) => Some(since <= day),
            InForce::Unread(_) => None,
        }
    }

    /// Whether an organisation of this kind plainly is whom it addresses.
    pub fn addresses(&self, kind: &str) -> bool {
        let classes = &tables().classes;
        let plain = |class: &Class| class.everyone || class.kinds.iter().any(|known| known == kind);
        self.addressees.iter().filter_map(|addressee| classes.get(addressee)).any(plain)
    }
}

/// Every power that was read, in order of id.
pub fn access_laws() -> &'static [AccessLaw] {
    &tables().access
}

/// The unions a state was a member of on a day, or is on none in particular.
pub fn unions_of(state: Country, day: Option<Date>) -> impl Iterator<Item = Country> {
    let unions = tables().unions.iter();
    let within =
        move |union: &&Union| day.is_none_or(|day| union.since <= day) && union.members.iter().any(|member| member == state.code());
    unions.filter(within).map(|union| union.code)
}

/// Whether the members of a union are known of that day: the table has those since its last change.
pub fn members_are_known(union: Country, day: Option<Date>) -> bool {
    let known = |it: &Union| it.code == union && day.is_some_and(|day| it.since <= day);
    tables().unions.iter().any(known)
}

/// Source, date, licence.
pub(super) fn info() -> Option<&'static DatasetInfo> {
    static INFO: OnceLock<Option<DatasetInfo>> = OnceLock::new();
    INFO.get_or_init(|| DatasetInfo::read(META).ok()).as_ref()
}

/// The embedded files, in order of name.
pub(super) fn files() -> [&'static [u8]; 3] {
    [ACCESS.as_bytes(), ADDRESSEES.as_bytes(), UNIONS.as_bytes()]
}

#[derive(Debug, Default)]
struct Tables {
    access: Vec<AccessLaw>,
    classes: BTreeMap<String, Class>,
    unions: Vec<Union>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccessFile {
    #[serde(rename = "schema")]
    _schema: u8,
    #[serde(rename = "as_of", deserialize_with = "date")]
    _as_of: Date,
    #[serde(rename = "disclaimer")]
    _disclaimer: String,
    access: Vec<AccessLaw>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClassFile {
    #[serde(rename = "schema")]
    _schema: u8,
    #[serde(rename = "as_of", deserialize_with = "date")]
    _as_of: Date,
    class: Vec<Class>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Class {
    addressee: String,
    #[serde(default)]
    everyone: bool,
    #[serde(default)]
    kinds: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UnionFile {
    #[serde(rename = "schema")]
    _schema: u8,
    union: Vec<Union>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Union {
    #[serde(deserialize_with = "country")]
    code: Country,
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "as_of", deserialize_with = "date")]
    _as_of: Date,
    #[serde(deserialize_with = "date")]
    since: Date,
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "read")]
    _read: bool,
    members: Vec<String>,
}

/// The embedded tables; a test reads each, so none can be broken at run time.
fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| read().unwrap_or_default())
}

fn read() -> Result<Tables, toml::de::Error> {
    let mut access = toml::from_str::<AccessFile>(ACCESS)?.access;
    access.sort_by(|one, other| one.id.cmp(&other.id));
    let classes = toml::from_str::<ClassFile>(ADDRESSEES)?.class.into_iter();
    let unions = toml::from_str::<UnionFile>(UNIONS)?.union;
    Ok(Tables {
        access,
        classes: classes.map(|class| (class.addressee.clone(), class)).collect(),
        unions,
    })
}

fn country<'de, D: Deserializer<'de>>(from: D) -> Result<Country, D::Error> {
    let code = String::deserialize(from)?;
    // A subdivision (ISO 3166-2) counts as its country.
    let code = code.split('-').next().unwrap_or_default();
    Country::parse(code).ok_or_else(|| D::Error::custom("not a country code"))
}

fn date<'de, D: Deserializer<'de>>(from: D) -> Result<Date, D::Error> {
    let day = toml::value::Datetime::deserialize(from)?;
    Date::parse(&day.to_string()).ok_or_else(|| D::Error::custom("not a day"))
}

fn optional_date<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Date>, D::Error> {
    date(from).map(Some)
}

impl<'de> Deserialize<'de> for InForce {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<InForce, D::Error> {
        match toml::Value::deserialize(from)? {
            toml::Value::String(why) => Ok(InForce::Unread(why)),
            toml::Value::Datetime(day) => Date::parse(&day.to_string())
                .map(InForce::On)
                .ok_or_else(|| D::Error::custom("not a day")),
            _ => Err(D::Error::custom("neither a day nor words")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::parties::{countries, organisations};

    #[test]
    fn every_row_reads_and_says_how_it_was_checked() {
        let tables = read().unwrap();
        assert_eq!(tables.access.len(), 41);
        let mut ids = BTreeSet::new();
        for law in &tables.access {
            assert!(ids.insert(&law.id), "{}", law.id);
            assert!(countries::name(law.jurisdiction).is_some(), "{}", law.id);
            assert!(law.source_url.starts_with("http") && !law.citation.is_empty(), "{}", law.id);
            let words_read = matches!(law.verified_by, VerifiedBy::Primary | VerifiedBy::Quoted);
            assert_eq!(law.verified, words_read, "{}", law.id);
            assert!(!law.verified || !law.read.is_empty(), "{}", law.id);
            for gap in &law.gaps {
                let named = gap.trigger.is_none_or(|trigger| law.triggers.contains(&trigger));
                assert!(named && !gap.about.is_empty(), "{}", law.id);
            }
        }
    }

    #[test]
    fn classes_use_words_of_the_laws_and_kinds_of_the_organisations() {
        let tables = read().unwrap();
        let addressed: BTreeSet<_> = tables.access.iter().flat_map(|law| &law.addressees).collect();
        let kinds: BTreeSet<_> = organisations::rows().iter().map(|row| row.kind.as_str()).collect();
        for class in tables.classes.values() {
            assert!(addressed.contains(&class.addressee), "{}", class.addressee);
            assert!(class.everyone == class.kinds.is_empty(), "{}", class.addressee);
            assert!(class.kinds.iter().all(|kind| kinds.contains(kind.as_str())), "{}", class.addressee);
        }
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let text = ADDRESSEES.replacen("everyone", "everybody", 1);
        assert!(toml::from_str::<ClassFile>(&text).is_err());
        let text = ACCESS.replacen("\nverified_by", "\nverified_how", 1);
        assert!(toml::from_str::<AccessFile>(&text).is_err());
    }

    #[test]
    fn members_of_a_union_are_known_by_day() {
        let code = |text| Country::parse(text).unwrap();
        let day = |text| Some(Date::parse(text).unwrap());
        assert_eq!(unions_of(code("DE"), day("2026-11-01")).collect::<Vec<_>>(), [code("EU")]);
        assert_eq!(unions_of(code("GB"), day("2026-11-01")).count(), 0);
        assert_eq!(unions_of(code("DE"), day("2019-01-01")).count(), 0);
    }
}
