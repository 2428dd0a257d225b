//! A datum and who can read it: the pivot of the product.

use std::fmt;

use crate::sighting::{Disguise, SightedValue};
use crate::{DatumKind, FlowId, Locus, Protection, Text};

/// Three answers, everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// Shown.
    Yes,
    /// Shown not to be.
    No,
    /// Neither.
    CannotTell,
}

/// Whoever may be able to read a datum. A state is never a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReaderRole {
    /// Whoever carries the frames: access network, transit.
    OnPath,
    /// The DNS resolver that was asked.
    DnsResolver,
    /// Whoever runs the machine or the network it stands in.
    Hosting,
    /// A server that passes the datum on to other users.
    Relay,
    /// The party the datum was sent to.
    Endpoint,
    /// Whoever owns that party.
    Owner,
}

/// One reader, one answer, one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// The role.
    pub role: ReaderRole,
    /// Who, as far as known; empty for nobody in particular.
    pub party: Text,
    /// Whether it can read the datum.
    pub answer: Answer,
    /// The shortest sound reason.
    pub because: Because,
}

/// Why an answer is given. It is put in words when it is shown: there are more reasons than different words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// Words for all data of a sort.
    Plain(&'static str),
    /// The datum stands in clear.
    Clear {
        /// The frame it stands in.
        frame: u64,
    },
    /// Words for this datum.
    Told(Text),
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(words) => f.write_str(words),
            Self::Clear { frame } => write!(f, "it stands in clear in frame {frame}"),
            Self::Told(words) => f.write_str(words),
        }
    }
}

/// One (kind, value, field, destination, protection).
#[derive(Clone, Debug, PartialEq)]
pub struct Exposure {
    /// What sort of datum.
    pub kind: DatumKind,
    /// Its value.
    pub value: SightedValue,
    /// Numbers the values of a kind within one audit, from 1.
    pub number: u32,
    /// The user's name for a known value.
    pub known_as: Option<String>,
    /// The value itself does not stand there, but something that it gives.
    pub disguise: Disguise,
    /// Dotted path of the field.
    pub field: Text,
    /// How it was protected.
    pub protection: Protection,
    /// Index of the destination in the audit.
    pub destination: usize,
    /// The flows, sorted.
    pub flows: Vec<FlowId>,
    /// Who can read it.
    pub readers: Vec<Reader>,
    /// The first of the places where it stands.
    pub evidence: Vec<Locus>,
    /// How often it stands there in all.
    pub count: u64,
}

impl Exposure {
    /// Kind and number of its value: `user-id#3`.
    pub fn label(&self) -> String {
        format!("{}#{}", self.kind.as_str(), self.number)
    }
}
