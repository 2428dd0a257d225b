//! Packs: clauses as data, with a closed set of predicates. A pack cannot run code.

use serde::Deserialize;

use farshore_model::flow::Protection;
use farshore_model::party::LocationState;
use farshore_model::{Answer, Exposure, ReaderRole};

use super::kleene::Truth;
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
    /// Its clauses.
    #[serde(rename = "clause")]
    pub clauses: Vec<Clause>,
}

/// One thing that is asked for, judged on each exposure: the worst counts.
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
    /// To which exposures it speaks: all of these.
    pub applies: Vec<Predicate>,
    /// When it is breached: all of these.
    pub when: Vec<Predicate>,
}

/// What can be asked of an exposure. The set is closed on purpose.
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
        toml::from_str(text).map_err(|error| PackError {
            message: error.message().to_owned(),
            span: error.span(),
        })
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
