//! Block rules: what is to be denied, which parties that means, what a format can look at, and what comes of it.
//!
//! A [`Selection`] is about parties; a [`RuleSet`] is about what a packet filter or a resolver sees, and is all that is written; a
//! [`Simulation`] is what the rules do to the flows of an audit. The three are kept apart, as they differ.

use std::net::IpAddr;

use crate::{Answer, Country};

/// What is to be denied, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deny {
    /// As it was typed.
    pub text: String,
    /// What it is about.
    pub subject: Subject,
}

/// What a denial is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Machines in a country.
    Country(Country),
    /// Services of an organisation, by id or name in lower case.
    Organisation(String),
    /// Services whose owners sit in a state.
    OwnerState(Country),
    /// A host name in lower case, or an address.
    Host(String),
    /// All names below this one, which is not among them.
    Below(String),
    /// One destination, by its index.
    Destination(usize),
}

/// What denials mean in an audit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// What was asked for.
    pub denies: Vec<Deny>,
    /// Destinations that at least one denial means.
    pub chosen: Vec<Choice>,
    /// Destinations that none means for certain, and at least one may mean.
    pub doubtful: Vec<Choice>,
    /// Denials that fit no destination, not even perhaps, and what there is instead; by index of the denial.
    pub misses: Vec<(usize, String)>,
    /// Whether the doubtful ones are denied too.
    pub deny_doubtful: bool,
}

impl Selection {
    /// The destinations that rules are written for, by index.
    pub fn denied(&self) -> impl Iterator<Item = &Choice> {
        let doubtful = self.doubtful.iter().filter(|_| self.deny_doubtful);
        self.chosen.iter().chain(doubtful)
    }
}

/// A destination that denials mean, or may mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The destination, by index.
    pub destination: usize,
    /// Why.
    pub grounds: Vec<Ground>,
}

/// Why a denial means a destination, or may mean it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    /// The denial, by index.
    pub deny: usize,
    /// `Yes`, or that it cannot be told; never `No`.
    pub answer: Answer,
    /// By what, from where, of when.
    pub because: String,
    /// Of what of it that holds.
    pub part: Part,
}

/// What of a destination a denial means; by default all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Only these names, in lower case; `None`: all it goes by.
    pub names: Option<Vec<String>>,
    /// Only these addresses; `None`: all it has.
    pub addresses: Option<Vec<IpAddr>>,
    /// Addresses that may be meant too.
    pub open: Vec<IpAddr>,
}

/// What rules of a format look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Destination addresses of packets.
    pub addresses: bool,
    /// Names that are asked for in DNS.
    pub lookups: bool,
    /// Addresses that are answered in DNS.
    pub answers: bool,
    /// Names in TLS, QUIC and plain HTTP.
    pub server_names: bool,
    /// Of names also all that stand below one.
    pub below: bool,
}

impl Abilities {
    /// Whether it knows names.
    pub const fn names(self) -> bool {
        self.lookups || self.server_names
    }
}

/// What happens to what a rule fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It is thrown away, or not answered.
    Drop,
    /// It is refused, and the sender is told.
    Reject,
    /// It goes on, and is told of.
    Alert,
}

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSet {
    /// What happens.
    pub action: Action,
    /// What is looked at.
    pub abilities: Abilities,
    /// The rules, by destination; none fits the same as another.
    pub rules: Vec<Rule>,
    /// What is denied and cannot be said in this format.
    pub left_out: Vec<LeftOut>,
    /// Addresses that are denied and are not those of the denied parties alone.
    pub shared: Vec<SharedAddress>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What it fits.
    pub target: Target,
    /// For which destinations, by index and in order.
    pub destinations: Vec<usize>,
}

/// What a rule fits. Names are host names in lower case and ASCII, checked when rules are made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// An address.
    Address(IpAddr),
    /// A name.
    Name(String),
    /// All names below one.
    Below(String),
}

impl Target {
    /// Whether it fits a name, in lower case and without a final dot.
    pub fn fits_name(&self, name: &str) -> bool {
        match self {
            Self::Address(_) => false,
            Self::Name(own) => own == name,
            Self::Below(above) => name
                .strip_suffix(above.as_str())
                .is_some_and(|it| it.ends_with('.') && it.len() > 1),
        }
    }
}

/// Something that is denied and not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// For which destination, by index; `None`: of a denial itself.
    pub destination: Option<usize>,
    /// What: a name, an address, a pattern; as untrusted as where it comes from.
    pub what: String,
    /// Why.
    pub because: String,
    /// Whether that leaves the destination without any rule.
    pub whole: bool,
}

/// An address that more than the denied parties have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedAddress {
    /// The address.
    pub address: IpAddr,
    /// Other destinations of the audit that have it, by index.
    pub others: Vec<usize>,
    /// What else says that it is shared; empty: nothing.
    pub because: String,
}

/// What rules do to the flows of an audit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Simulation {
    /// Whether there were flows to try them on.
    pub has_flows: bool,
    /// One per destination that is denied, or stops all the same, or may.
    pub fates: Vec<Fate>,
    /// Destinations that nothing happens to.
    pub untouched: usize,
    /// Who was asked for denied names in plain DNS, and for how many: what stops by lookup stops only if the rules are read there.
    pub resolvers: Vec<(IpAddr, usize)>,
}

/// What becomes of a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// Which, by index.
    pub destination: usize,
    /// Whether it was to be denied; `CannotTell`: it is in doubt and was let be.
    pub denied: Answer,
    /// What becomes of it.
    pub outcome: Stopped,
    /// Its flows and their bytes.
    pub all: Amount,
    /// Those that stop.
    pub stopped: Amount,
    /// Those of which it cannot be told.
    pub open: Amount,
    /// Why not all of it stops, or why it does though nobody asked.
    pub because: Vec<String>,
}

/// Flows and bytes on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Flows.
    pub flows: u64,
    /// Bytes, both ways.
    pub bytes: u64,
}

/// What becomes of a destination, or of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stopped {
    /// All of it stops.
    Whole,
    /// Some of it does.
    Partly,
    /// None of it.
    Not,
    /// It cannot be told.
    CannotTell,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_below_a_name_ends_at_a_label() {
        let below = Target::Below("voice.example".to_owned());
        assert!(below.fits_name("a.voice.example") && below.fits_name("a.b.voice.example"));
        for other in ["voice.example", ".voice.example", "myvoice.example", "a.voice.example.org", ""] {
            assert!(!below.fits_name(other), "{other}");
        }
    }
}
