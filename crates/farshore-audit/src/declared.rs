//! What an operator says it sends, where and to whom, and what is there beside that: functions nobody told of show as destinations or
//! fields that were not declared. Owns the reading of the file. Refuses to call a declaration kept: what was not seen may be there.

use farshore_model::audit::Audit;
use farshore_model::party::{Destination, LocationState};
use farshore_model::sighting::KEPT;
use farshore_model::talk::{Omission, Undeclared};
use farshore_model::{Country, DatumKind, Exposure, Locus};
use serde::Deserialize;
use toml::Spanned;

use crate::policy::kleene::Truth;
use crate::recipients::{self, Recipient};
use crate::talk::beginning;
use crate::written::{Mistake, each};

/// What was declared. Of a key that is absent nothing was, and nothing is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// Who receives.
    recipients: Option<Vec<Recipient>>,
    /// In which countries.
    countries: Option<Vec<Country>>,
    /// Which kinds of data.
    fields: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    recipients: Option<Vec<Spanned<String>>>,
    countries: Option<Vec<Spanned<String>>>,
    fields: Option<Vec<String>>,
}

impl Declared {
    /// Reads a declaration.
    pub fn read(text: &str) -> Result<Self, Mistake> {
        let file: File = toml::from_str(text).map_err(Mistake::from_toml)?;
        let country =
            |code: &str| Country::parse(code).ok_or_else(|| format!("`{code}` is no country: two letters are expected, such as DE"));
        Ok(Self {
            recipients: file.recipients.map(|it| each(&it, Recipient::read)).transpose()?,
            countries: file.countries.map(|it| each(&it, country)).transpose()?,
            fields: file.fields,
        })
    }

    /// What an audit shows and this leaves out, by destination.
    pub fn omissions(&self, audit: &Audit) -> Vec<Undeclared> {
        let mut found = Vec::new();
        for (index, destination) in audit.destinations.iter().enumerate() {
            // What stays on the spot is received by nobody else.
            if destination.location.state == LocationState::Local {
                continue;
            }
            found.extend(self.recipient(index, destination, audit));
            found.extend(self.country(index, destination, audit));
        }
        for (index, exposure) in audit.exposures.iter().enumerate() {
            let known = found.iter_mut().find(|it| {
                it.what == Omission::Field && it.destination == exposure.destination && it.subject.as_str() == exposure.kind.as_str()
            });
            match known {
                Some(it) => {
                    it.exposures.push(index);
                    it.evidence
                        .extend(exposure.evidence.iter().take(KEPT.saturating_sub(it.evidence.len())).cloned());
                }
                None => found.extend(self.field(index, exposure, audit)),
            }
        }
        found.sort_by_key(|it| (it.destination, it.what));
        found
    }

    fn recipient(&self, index: usize, it: &Destination, audit: &Audit) -> Option<Undeclared> {
        let declared = self.recipients.as_ref()?;
        let sent = it
            .flows
            .iter()
            .filter_map(|id| audit.flows.get(id.0 as usize))
            .any(|it| it.up.frames > 0);
        let addresses = it.places.iter().map(|place| Some(place.address));
        // Of several addresses that of one declared is enough.
        let truth = addresses.chain(it.places.is_empty().then_some(None));
        let truth = truth.fold(Truth::False, |sum, address| sum.or(recipients::any(declared, it, address)));
        let because = match truth {
            Truth::True => return None,
            Truth::False => "it was sent something, and is no recipient that was declared",
            Truth::Unknown => {
                "it was sent something, and whether it is a recipient that was declared cannot be told: whose it is, is not known"
            }
        };
        sent.then(|| Undeclared {
            what: Omission::Recipient,
            subject: it.name.clone(),
            destination: index,
            exposures: of(index, audit).map(|(index, _)| index).collect(),
            because: because.into(),
            evidence: places(it, audit),
        })
    }

    fn country(&self, index: usize, it: &Destination, audit: &Audit) -> Option<Undeclared> {
        let declared = self.countries.as_ref()?;
        let agreed = it.location.state == LocationState::Agreed && !it.location.countries.is_empty();
        let outside = it.location.countries.iter().all(|country| !declared.contains(country));
        (agreed && outside).then(|| {
            let codes: Vec<&str> = it.location.countries.iter().map(Country::code).collect();
            Undeclared {
                what: Omission::Country,
                subject: codes.join(", ").into(),
                destination: index,
                exposures: of(index, audit).map(|(index, _)| index).collect(),
                because: "all sources place it there, and no such country was declared".into(),
                evidence: places(it, audit),
            }
        })
    }

    fn field(&self, index: usize, it: &Exposure, audit: &Audit) -> Option<Undeclared> {
        let declared = self.fields.as_ref()?;
        let local = audit
            .destinations
            .get(it.destination)
            .is_none_or(|it| it.location.state == LocationState::Local);
        // Names are how one gets there, and what is not read is no field.
        let told = [DatumKind::HOSTNAME, DatumKind::CONTENT, DatumKind::URL].contains(&it.kind);
        let kind = it.kind.as_str();
        (!local && !told && !declared.iter().any(|it| it == kind)).then(|| Undeclared {
            what: Omission::Field,
            subject: kind.into(),
            destination: it.destination,
            exposures: vec![index],
            because: "such data went there, and no such field was declared".into(),
            evidence: it.evidence.iter().take(KEPT).cloned().collect(),
        })
    }
}

fn of(destination: usize, audit: &Audit) -> impl Iterator<Item = (usize, &Exposure)> {
    audit
        .exposures
        .iter()
        .enumerate()
        .filter(move |(_, it)| it.destination == destination)
}

fn places(it: &Destination, audit: &Audit) -> Vec<Locus> {
    let flows = it.flows.iter().filter_map(|id| audit.flows.get(id.0 as usize));
    flows.filter(|it| it.up.frames > 0).take(KEPT).map(beginning).collect()
}
