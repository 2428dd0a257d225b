//! Owns third-party-web's naming of web domains. Refuses to give its entities a country: the set knows none.

use std::{collections::BTreeMap, sync::OnceLock};

use farshore_model::party::Organisation;

use super::{
    columns::{ColumnError, Columns},
    dataset::DatasetInfo,
    domains::upwards,
};

const FILE: &[u8] = include_bytes!("../../../../packs/parties/third-party-web/entities.bin");
const META: &str = include_str!("../../../../packs/parties/third-party-web/meta.toml");

/// Who says to run a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// Product or organisation.
    pub name: String,
    /// The company behind it; empty if the set does not say.
    pub company: String,
    /// `ad`, `analytics`, `cdn`, …
    pub category: String,
}

impl Entity {
    /// The same as the model names it: grouped by company, without any country.
    pub fn organisation(&self) -> Organisation {
        let name = if self.company.is_empty() { &self.name } else { &self.company };
        let words: Vec<_> = name
            .split(|letter: char| !letter.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        Organisation {
            // Apart from our own ids: a name that reads alike is not yet the same party.
            id: format!("web:{}", words.join("-").to_lowercase()),
            name: name.clone(),
            kind: self.category.clone(),
            seat: None,
            incorporated_in: None,
            establishments: Vec::new(),
            basis: "domain",
            source: "third-party-web".to_owned(),
            as_of: info().map(|info| info.as_of.clone()).unwrap_or_default(),
            read_at_source: false,
            confidence: "low".to_owned(),
            fictional: false,
        }
    }
}

/// The entity of the longest pattern that covers `host` (in lower case), and the suffix that matched.
pub fn entity(host: &str) -> Option<(&'static Entity, &str)> {
    let decoded = decoded();
    upwards(host).find_map(|suffix| {
        let exact = || decoded.exact.get(suffix).filter(|_| suffix == host);
        let index = exact().or_else(|| decoded.below.get(suffix))?;
        Some((decoded.entities.get(*index)?, suffix))
    })
}

/// Source, date, licence.
pub fn info() -> Option<&'static DatasetInfo> {
    static INFO: OnceLock<Option<DatasetInfo>> = OnceLock::new();
    INFO.get_or_init(|| DatasetInfo::read(META).ok()).as_ref()
}

/// The embedded files, in order of name.
pub fn files() -> [&'static [u8]; 1] {
    [FILE]
}

/// Patterns by entity. `*.example.com` covers `example.com` and all below, as the set's own look-up does.
#[derive(Debug, Default)]
struct Decoded {
    entities: Vec<Entity>,
    exact: BTreeMap<String, usize>,
    below: BTreeMap<String, usize>,
}

/// An embedded file cannot be broken at run time: a test decodes every one.
fn decoded() -> &'static Decoded {
    static DECODED: OnceLock<Decoded> = OnceLock::new();
    DECODED.get_or_init(|| decode().unwrap_or_default())
}

fn decode() -> Result<Decoded, ColumnError> {
    let file = Columns::read(FILE)?;
    let text = String::from_utf8_lossy(file.column(0)?).into_owned();
    let mut decoded = Decoded::default();
    for (index, line) in text.lines().enumerate() {
        let mut cells = line.split('\t').map(str::to_owned);
        let mut cell = || cells.next().unwrap_or_default();
        let (name, company, category, patterns) = (cell(), cell(), cell(), cell());
        decoded.entities.push(Entity { name, company, category });
        for pattern in patterns.split_whitespace() {
            match pattern.strip_prefix("*.") {
                Some(domain) => decoded.below.entry(domain.to_owned()).or_insert(index),
                None => decoded.exact.entry(pattern.to_owned()).or_insert(index),
            };
        }
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_what_the_set_says() {
        assert_eq!(decoded().entities.len(), 2143);
        let name = |host| entity(host).map(|(entity, suffix)| (entity.name.as_str(), suffix));
        assert_eq!(
            name("googleads.g.doubleclick.net"),
            Some(("Google/Doubleclick Ads", "doubleclick.net"))
        );
        assert_eq!(
            name("adservice.google.com"),
            Some(("Google/Doubleclick Ads", "adservice.google.com"))
        );
        assert_eq!(name("below.adservice.google.com"), None);
        assert_eq!(name("nobody-knows-this.example"), None);
    }
}
