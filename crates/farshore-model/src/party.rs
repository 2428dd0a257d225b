//! Who and where: claims with their basis, never answers.

use std::net::IpAddr;
use std::sync::Arc;

use crate::row::Tally;
use crate::{Country, FlowId, Text};

/// One opinion on the country of an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountryClaim {
    /// The country.
    pub country: Country,
    /// What sort of opinion.
    pub kind: ClaimKind,
    /// Who says so.
    pub source: String,
    /// The edition of that source.
    pub edition: String,
    /// A round trip shows that the machine that answered was not there.
    pub refuted: bool,
}

/// What an opinion on a country rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClaimKind {
    /// A geolocation data set.
    Geolocation,
    /// Whom a registry assigned the address to. Never a place.
    Registration,
    /// The cloud operator's own list of regions.
    CloudRegion,
    /// The network operator's own statement (RFC 8805).
    Geofeed,
    /// A hint in a host name. Weak.
    Name,
    /// What the user knows better, with the reason as its source. It outweighs all others.
    Override,
}

/// The set of countries that survives, and how good it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Location {
    /// Sorted, without repeats. Registrations are not among them.
    pub countries: Vec<Country>,
    /// How good the set is.
    pub state: LocationState,
    /// All opinions.
    pub claims: Vec<CountryClaim>,
    /// Countries struck out, and why.
    pub excluded: Vec<Exclusion>,
    /// Claimed countries that light in fibre could not have reached in time. Shown, never struck out.
    pub implausible: Vec<Exclusion>,
}

/// How good a set of countries is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LocationState {
    /// At least two independent location sources name the same single country.
    Agreed,
    /// Location sources differ.
    Disputed,
    /// The operator announces the address from many places.
    Anycast,
    /// Private, link-local, multicast or loopback: outside every place clause.
    Local,
    /// Fewer than two opinions.
    Undetermined,
}

/// A country the machine cannot have been in.
#[derive(Clone, Debug, PartialEq)]
pub struct Exclusion {
    /// The country.
    pub country: Country,
    /// The argument, such as `end-to-end rtt`.
    pub because: &'static str,
    /// The round trip, in nanoseconds.
    pub rtt: u64,
    /// The farthest the machine can be, in kilometres.
    pub max_km: u32,
    /// The country's nearest point, in kilometres.
    pub nearest_km: u32,
}

/// Who announces an address. A network's holder is "hosted at", never the recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Autonomous system number.
    pub asn: u32,
    /// Its holder's name.
    pub name: Text,
    /// Country its number is registered in.
    pub registered: Option<Country>,
}

/// An organisation, as far as the tables know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// Stable id, such as `agora`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it does: `rtc`, `cloud`, …; empty if unknown.
    pub kind: String,
    /// Where its head office is.
    pub seat: Option<Country>,
    /// Where it is incorporated.
    pub incorporated_in: Option<Country>,
    /// Further countries where it has a controlling legal presence.
    pub establishments: Vec<Country>,
    /// What ties the name or address to it: `domain`, `network`, `certificate`.
    pub basis: &'static str,
    /// Where the fact can be read.
    pub source: String,
    /// The date of the fact.
    pub as_of: String,
    /// Whether the source was read by whoever wrote the row.
    pub read_at_source: bool,
    /// `high`, `medium`, `low`.
    pub confidence: String,
    /// It exists in a simulated world only.
    pub fictional: bool,
}

/// Whoever owns an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Stable id; empty when the tables have only a name.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it sits.
    pub country: Option<Country>,
    /// `parent` or `ultimate`.
    pub relation: OwnerRelation,
    /// The date of the fact.
    pub as_of: String,
    /// Where the fact can be read.
    pub source: String,
}

/// How an owner stands to the organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OwnerRelation {
    /// Next above.
    Parent,
    /// At the top.
    Ultimate,
}

/// Whose law could order a party, by which road, and in which words. Never that anyone does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reach {
    /// The state.
    pub state: Country,
    /// Through what the state comes in.
    pub via: Via,
    /// The trigger.
    pub basis: ReachBasis,
    /// The law; `None`: no access law of that state was read.
    pub law: Option<Arc<Law>>,
    /// What the text says, or what commentators argue. Never merged.
    pub standing: Standing,
    /// `Yes` only for text whose every fact is known. Never `No`.
    pub answer: crate::Answer,
    /// What would have to be known.
    pub missing: Arc<[Text]>,
}

/// A law, cited.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Law {
    /// Stable id, such as `cn-csl-28`.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Article and text version.
    pub citation: String,
    /// Where a reader can check.
    pub source: String,
    /// Whether the wording was read at its source.
    pub verified: bool,
}

/// Through what a state comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Via {
    /// Where the machine is.
    Place,
    /// Who runs the network or the machine.
    Operator,
    /// Who runs the service.
    Service,
    /// Who owns one of these.
    Owner,
    /// Whose territory is crossed.
    Carriage,
}

/// Which fact a law keys on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReachBasis {
    /// Data or machine in the territory.
    Located,
    /// Seat or establishment in the territory.
    Operator,
    /// The owner's seat.
    Owner,
    /// Traffic crosses the territory.
    Carriage,
    /// Service is offered to people there.
    OffersService,
    /// Courts there have jurisdiction over the party.
    PersonalJurisdiction,
    /// Addressed to everyone; a nexus is still asked for.
    AnyPerson,
}

/// Whether the words of the law say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// The text says so.
    Text,
    /// Commentators argue so.
    Argued,
}

/// One address of a destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The address.
    pub address: IpAddr,
    /// Who announces it. Shared, as thousands of addresses have the same.
    pub network: Option<Arc<Network>>,
    /// Where it can be. Shared likewise.
    pub location: Arc<Location>,
    /// What the address is set aside for, with its RFC, if it is.
    pub special: Option<&'static str>,
}

/// One party that data went to, as a user would name it.
#[derive(Clone, Debug, PartialEq)]
pub struct Destination {
    /// Host name, or the address when there is none.
    pub name: Text,
    /// Registrable domain, by the Public Suffix List.
    pub domain: Option<String>,
    /// Other names the same addresses answered to for this client, none of them certain.
    pub candidates: Vec<String>,
    /// The service operator. Boxed, as most destinations have none.
    pub organisation: Option<Box<Organisation>>,
    /// Its owners, next above first.
    pub owners: Vec<Owner>,
    /// One per address.
    pub places: Vec<Place>,
    /// The union of the places; of a single one its own.
    pub location: Arc<Location>,
    /// Whose law could order whom. Shared: destinations of the same parties in the same places have the same.
    pub reach: Arc<[Reach]>,
    /// What went there.
    pub traffic: Traffic,
    /// The flows.
    pub flows: Vec<FlowId>,
}

/// Sums over the flows of a destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Flows.
    pub flows: u64,
    /// Frames, both ways.
    pub frames: u64,
    /// Bytes on the wire, client to server.
    pub bytes_up: u64,
    /// Bytes on the wire, server to client.
    pub bytes_down: u64,
    /// What was rejected, both ways, as flow logs tell; it is in none of the other sums.
    pub refused: Tally,
    /// Flows of which nothing arrived, since all of it was rejected.
    pub only_tried: u64,
    /// Connections that come round by the clock, if they do.
    pub rhythm: Option<Rhythm>,
}

impl Traffic {
    /// Whether all that went there was rejected, so that nothing was received.
    pub const fn is_only_tried(&self) -> bool {
        self.flows > 0 && self.only_tried == self.flows
    }
}

/// Connections that one client begins at intervals that chance does not explain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// The median interval, in nanoseconds.
    pub period: u64,
    /// The median distance from it, in nanoseconds.
    pub jitter: u64,
    /// How many times.
    pub times: u64,
}
