//! Packs: clauses as data, with a closed set of predicates. A pack cannot run code.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use farshore_model::flow::Protection;
use farshore_model::party::LocationState;
use farshore_model::party::{Place, Reach};
use farshore_model::{Answer, Country, Date, Exposure, ReaderRole};

use super::kleene::Truth;
use super::places::{self, Stand};
use crate::parties::countries;
use farshore_model::party::Destination;

/// A set of clauses.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// Stable id: the name of its folder.
    pub id: String,
    /// Its version.
    pub version: String,
    /// One line on what it asks for.
    pub title: String,
    /// What whoever uses it has to say: lists of codes of countries.
    #[serde(default)]
    pub params: Vec<String>,
    /// Its clauses.
    #[serde(rename = "clause")]
    pub clauses: Vec<Clause>,
}

/// One thing that is asked for, judged on each exposure or address: the worst counts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clause {
    /// Stable id within the pack.
    pub id: String,
    /// What it asks for.
    pub title: String,
    /// Where its words can be read.
    pub citation: String,
    /// Whether its wording was read at its source. If not, it yields notes only.
    pub verified: bool,
    /// What it judges.
    #[serde(default)]
    pub judges: Subject,
    /// How sure a place must be. What is built in never says `weak`.
    #[serde(default)]
    pub min_confidence: Option<Confidence>,
    /// To which of them it speaks: all of these.
    pub applies: Vec<Predicate>,
    /// When it is breached: all of these.
    pub when: Vec<Predicate>,
}

/// What a clause judges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// What reached whom.
    #[default]
    Exposures,
    /// Each address that anything was sent to, local ones aside.
    Addresses,
}

/// How sure a place must be before a clause decides by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// Agreeing location databases are enough, which are often wrong together.
    Weak,
}

/// Countries, as codes or as the name of a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Countries {
    /// These.
    Listed(Vec<String>),
    /// Those of a parameter that has not been given.
    Param(String),
}

/// What can be asked of an exposure or an address. The set is closed on purpose.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Predicate {
    /// It is of one of these kinds.
    KindIn(Vec<String>),
    /// It is of none of these kinds.
    KindNotIn(Vec<String>),
    /// It was protected in one of these ways.
    ProtectionIn(Vec<Channel>),
    /// This reader can read it.
    ReadableBy(Role),
    /// It left the local network.
    Leaves(bool),
    /// An access law of one of these states, in words that were read, addresses who it reached. Of exposures only.
    ReachedBy(Countries),
    /// The machine stood in none of these countries. Of addresses only.
    Outside(Countries),
}

/// Protection, as packs spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "they are the words of the public contract")]
pub enum Channel {
    Plaintext,
    Tls,
    Quic,
    Dtls,
    Srtp,
    Opaque,
}

/// Readers, as packs spell them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "they are the words of the public contract")]
pub enum Role {
    OnPath,
    DnsResolver,
    Hosting,
    Relay,
    Endpoint,
    Owner,
}

/// A pack could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PackError {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes.
    pub span: Option<std::ops::Range<usize>>,
}

impl Pack {
    /// Reads a pack.
    pub fn read(text: &str) -> Result<Self, PackError> {
        let pack: Self = toml::from_str(text).map_err(|error| PackError {
            message: error.message().to_owned(),
            span: error.span(),
        })?;
        pack.check()
    }

    /// With its parameters, each a list of country codes.
    pub fn with(mut self, params: &BTreeMap<String, Vec<String>>) -> Result<Self, PackError> {
        if let Some(name) = params.keys().find(|name| !self.params.contains(name)) {
            let known = if self.params.is_empty() {
                "none".to_owned()
            } else {
                self.params.join(", ")
            };
            return Err(PackError::of(format!("{} has no parameter `{name}`; there are: {known}", self.id)));
        }
        let predicates = self
            .clauses
            .iter_mut()
            .flat_map(|clause| clause.applies.iter_mut().chain(&mut clause.when));
        for predicate in predicates {
            if let Predicate::Outside(countries) | Predicate::ReachedBy(countries) = predicate
                && let Countries::Param(name) = countries
                && let Some(codes) = params.get(name)
            {
                *countries = Countries::Listed(codes.clone());
            }
        }
        self.params.retain(|name| !params.contains_key(name));
        self.check()
    }

    /// Refuses what could only be misunderstood.
    fn check(self) -> Result<Self, PackError> {
        if self.clauses.is_empty() {
            return Err(PackError::of("a pack without a `[[clause]]` asks for nothing".to_owned()));
        }
        for clause in &self.clauses {
            for predicate in clause.applies.iter().chain(&clause.when) {
                match predicate {
                    Predicate::Leaves(_) => {}
                    Predicate::Outside(_) if clause.judges != Subject::Addresses => {
                        let message = format!("{}: `outside` is asked of addresses: judges = \"addresses\"", clause.id);
                        return Err(PackError::of(message));
                    }
                    Predicate::ReachedBy(_) if clause.judges != Subject::Exposures => {
                        let message = format!("{}: `reached-by` is asked of exposures: judges = \"exposures\"", clause.id);
                        return Err(PackError::of(message));
                    }
                    Predicate::Outside(Countries::Param(name)) | Predicate::ReachedBy(Countries::Param(name))
                        if !self.params.contains(name) =>
                    {
                        return Err(PackError::of(format!("{}: `{name}` is not among the pack's `params`", clause.id)));
                    }
                    Predicate::Outside(Countries::Listed(codes)) | Predicate::ReachedBy(Countries::Listed(codes)) => {
                        codes_are_known(codes)?
                    }
                    Predicate::Outside(Countries::Param(_)) | Predicate::ReachedBy(Countries::Param(_)) => {}
                    _ if clause.judges == Subject::Addresses => {
                        let message = format!("{}: of addresses only `outside` and `leaves` can be asked", clause.id);
                        return Err(PackError::of(message));
                    }
                    _ => {}
                }
            }
        }
        Ok(self)
    }
}

impl PackError {
    pub(super) fn of(message: String) -> Self {
        Self { message, span: None }
    }
}

fn codes_are_known(codes: &[String]) -> Result<(), PackError> {
    if codes.is_empty() {
        return Err(PackError::of(
            "an empty list of countries allows nothing: name one at least".to_owned(),
        ));
    }
    let known = |code: &&String| countries::country_name(code).is_some_and(|_| code.as_str() != "EU");
    match codes.iter().find(|code| !known(code)) {
        Some(code) => Err(PackError::of(format!("`{code}` is no country code; expected codes such as \"DE\""))),
        None => Ok(()),
    }
}

impl Predicate {
    /// Whether it holds of an exposure.
    pub fn holds(&self, exposure: &Exposure, destination: Option<&Destination>) -> Truth {
        match self {
            Self::KindIn(kinds) => kinds.iter().any(|kind| kind == exposure.kind.as_str()).into(),
            Self::KindNotIn(kinds) => Truth::from(kinds.iter().any(|kind| kind == exposure.kind.as_str())).negated(),
            Self::ProtectionIn(channels) => channels.iter().any(|channel| channel.is(exposure.protection)).into(),
            Self::ReadableBy(role) => match exposure.readers.iter().find(|it| it.role == role.reader()).map(|it| it.answer) {
                Some(Answer::Yes) => Truth::True,
                Some(Answer::No) => Truth::False,
                Some(Answer::CannotTell) | None => Truth::Unknown,
            },
            Self::Leaves(wanted) => match destination {
                Some(it) => Truth::from((it.location.state != LocationState::Local) == *wanted),
                None => Truth::Unknown,
            },
            Self::ReachedBy(Countries::Listed(states)) => {
                let among = |it: &&Reach| states.iter().any(|state| state == it.state.code());
                let reaches = |it: &Destination| it.reach.iter().filter(among).any(|it| it.answer == Answer::Yes);
                // That no law was found to reach somebody does not say that none does.
                if destination.is_some_and(reaches) {
                    Truth::True
                } else {
                    Truth::Unknown
                }
            }
            Self::ReachedBy(Countries::Param(_)) | Self::Outside(_) => Truth::Unknown,
        }
    }

    /// In which words it is so, or cannot be told, where the exposure does not say that itself.
    pub fn because(&self, destination: Option<&Destination>) -> Option<String> {
        let Self::ReachedBy(Countries::Listed(states)) = self else {
            return None;
        };
        let all = destination.map(|it| it.reach.iter()).into_iter().flatten();
        let (mut laws, mut open) = (BTreeSet::new(), BTreeSet::new());
        for it in all.filter(|it| states.iter().any(|state| state == it.state.code())) {
            match (it.answer, &it.law) {
                (Answer::Yes, Some(law)) => _ = laws.insert(law.id.as_str()),
                _ => _ = open.insert(it.state.code()),
            }
        }
        let listed = |names: BTreeSet<&str>| names.into_iter().collect::<Vec<_>>().join(", ");
        Some(if !laws.is_empty() {
            format!("it could be ordered under {}", listed(laws))
        } else if !open.is_empty() {
            format!("whether it could be ordered under the law of {} cannot be told", listed(open))
        } else {
            format!(
                "nothing known ties it to {}, which does not say that nothing does",
                states.join(", ")
            )
        })
    }

    /// Whether it holds of an address that is not local, with the reason where there is one to give.
    pub fn holds_at(&self, place: &Place, days: Option<(Date, Date)>, weak: bool) -> (Truth, String) {
        match self {
            Self::Leaves(wanted) => ((*wanted).into(), String::new()),
            Self::Outside(Countries::Listed(codes)) => {
                let allowed: Vec<Country> = codes.iter().filter_map(|code| Country::parse(code)).collect();
                match places::stand(place, &allowed, days, weak) {
                    Stand::Inside => (Truth::False, String::new()),
                    Stand::Outside(why) => (Truth::True, why),
                    Stand::CannotTell(why) => (Truth::Unknown, why),
                }
            }
            Self::Outside(Countries::Param(name)) => (Truth::Unknown, format!("the parameter `{name}` was not given")),
            _ => (Truth::Unknown, String::new()),
        }
    }
}

impl Channel {
    fn is(self, protection: Protection) -> bool {
        match self {
            Self::Plaintext => protection == Protection::Plaintext,
            Self::Tls => protection == Protection::Tls,
            Self::Quic => protection == Protection::Quic,
            Self::Dtls => protection == Protection::Dtls,
            Self::Srtp => protection == Protection::Srtp,
            Self::Opaque => protection == Protection::Opaque,
        }
    }
}

impl Role {
    const fn reader(self) -> ReaderRole {
        match self {
            Self::OnPath => ReaderRole::OnPath,
            Self::DnsResolver => ReaderRole::DnsResolver,
            Self::Hosting => ReaderRole::Hosting,
            Self::Relay => ReaderRole::Relay,
            Self::Endpoint => ReaderRole::Endpoint,
            Self::Owner => ReaderRole::Owner,
        }
    }
}
