//! Identifiers nobody named: places whose values behave like those of a user, a room, a device or a session.
//!
//! What was kept to compare is a [`Specimen`]; what comparing found is a [`Discovery`]. Neither says what a value means
//! beyond how it behaves.

use std::fmt;

use crate::{Direction, FlowId, Locus, Protection};

/// One of the first readable things of a flow, kept as it stood to be compared with those of other flows.
///
/// Specimens are kept only when there is something to compare, and never written to an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Specimen {
    /// The flow.
    pub flow: FlowId,
    /// Which way it went, where that is known: of raw payload always, of fields their path tells.
    pub direction: Option<Direction>,
    /// Dotted path, such as `http.query.uid` or `udp.payload`.
    pub path: Box<str>,
    /// Raw payload that no protocol reads, rather than a field of one.
    pub payload: bool,
    /// Its first bytes.
    pub bytes: Box<[u8]>,
    /// Bytes it had in all.
    pub length: u64,
    /// How it stood on the wire.
    pub protection: Protection,
    /// Where it stands.
    pub locus: Locus,
}

/// Whose identifier a value can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A person's account.
    User,
    /// What several people share: a room, a call, a channel.
    Room,
    /// A machine or an installation.
    Device,
    /// One connection, from its beginning to its end.
    Session,
    /// The server that was spoken to.
    Relay,
    /// Where servers stand, as servers of one region share it.
    Region,
    /// A version of the program.
    Build,
    /// The address the client had.
    ClientAddress,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Firmness {
    /// It stands, after correction for everything that was tried.
    Claim,
    /// It fits, and the captures are too few to say that chance does not explain it.
    Candidate,
}

/// A place whose values behave like an identifier.
#[derive(Clone, Debug, PartialEq)]
pub struct Identifier {
    /// Those that the captures cannot tell apart, sorted.
    pub roles: Vec<Role>,
    /// How sure it is.
    pub firmness: Firmness,
    /// Where the values stand: a dotted path, or a position in undocumented payload.
    pub place: String,
    /// How the values are written: `u32be`, `ascii-decimal`, …
    pub encoding: String,
    /// Different values seen.
    pub distinct: u64,
    /// What it rests on.
    pub support: Support,
    /// The argument.
    pub because: String,
    /// Chance of so good a fit if the place had nothing to do with the role, corrected for everything that was tried.
    pub p_value: f64,
    /// The same before correction.
    pub p_single: f64,
    /// The least that this design could reach, before correction.
    pub least_p: f64,
    /// Captures that were kept aside while it was found, and agree.
    pub confirmed_on: u64,
    /// The value each capture has, by number of the value; `None` where the place was not seen.
    pub table: Vec<Option<u64>>,
    /// Where the values stand, a frame per capture as far as they go.
    pub evidence: Vec<Locus>,
}

/// What a finding rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Support {
    /// Captures in which the place was seen.
    pub captures: u64,
    /// Conversations in which it was seen.
    pub sessions: u64,
    /// Times it was seen.
    pub messages: u64,
}

/// What the captures could tell about one role.
#[derive(Clone, Debug, PartialEq)]
pub struct RoleDesign {
    /// The role.
    pub role: Role,
    /// Different ones, as labels or addresses tell.
    pub distinct: u64,
    /// The least p that a perfect place could reach, before correction.
    pub least_p: f64,
}

/// What the search for identifiers came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Discovery {
    /// The findings: claims first, then by p.
    pub identifiers: Vec<Identifier>,
    /// What the captures could tell.
    pub design: Design,
}

/// What was compared, and how often something was tried.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Design {
    /// Captures compared.
    pub captures: u64,
    /// Of those, kept aside for confirmation.
    pub aside: u64,
    /// Conversations compared.
    pub sessions: u64,
    /// By role, of those that labels or addresses tell.
    pub roles: Vec<RoleDesign>,
    /// Places looked at: positions times widths times anchors.
    pub places: u64,
    /// Of those, steady within each capture and different between some.
    pub steady: u64,
    /// Hypotheses that could have been found true, for which p is corrected.
    pub hypotheses: u64,
    /// What could not be asked of these captures, and why.
    pub cannot_tell: Vec<String>,
}

impl Role {
    /// As the public contract spells it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Room => "room",
            Self::Device => "device",
            Self::Session => "session",
            Self::Relay => "relay",
            Self::Region => "region",
            Self::Build => "build",
            Self::ClientAddress => "client-address",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Firmness {
    /// As outputs spell it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Candidate => "candidate",
        }
    }
}
