//! The words of the public contract for the values of the model. One spelling, used by every output.

use farshore_model::audit::NameVia;
use farshore_model::flow::InitiatorBasis;
use farshore_model::identifier::{Firmness, Role};
use farshore_model::ledger::Severity;
use farshore_model::observation::{BoundValue, ChannelSecrecy, Ech};
use farshore_model::party::{ClaimKind, LocationState, OwnerRelation, ReachBasis, Standing, Via};
use farshore_model::row::Sampling;
use farshore_model::talk::Omission;
use farshore_model::{Answer, Exposure, Outcome, Protection, ReaderRole, Transport};

/// A value that the contract has a word for.
pub trait Word {
    /// The word.
    fn word(&self) -> &'static str;
}

/// One of a closed list of such values, so that it can be told from its word.
pub trait Listed: Word + Copy + 'static {
    /// All of them. Of those that share a word the first is meant.
    const ALL: &'static [Self];

    /// The value of a word.
    fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.word() == word)
    }
}

impl Word for farshore_model::diff::Outcome {
    fn word(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::NotFixed => "not-fixed",
            Self::NotExercised => "not-exercised",
            Self::Fixed => "fixed",
        }
    }
}

impl Word for farshore_model::diff::What {
    fn word(&self) -> &'static str {
        match self {
            Self::Verdict => "verdict",
            Self::Exposure => "exposure",
            Self::Destination => "destination",
        }
    }
}

macro_rules! words {
    ($($kind:ident { $($variant:ident => $word:literal),+ $(,)? })+) => {$(
        impl Word for $kind {
            fn word(&self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl Listed for $kind {
            const ALL: &'static [Self] = &[$(Self::$variant),+];
        }
    )+};
}

words! {
    Answer { Yes => "yes", No => "no", CannotTell => "cannot-tell" }
    ReaderRole { OnPath => "on-path", DnsResolver => "dns-resolver", Hosting => "hosting", Relay => "relay", Endpoint => "endpoint", Owner => "owner" }
    Outcome { Met => "met", Breached => "breached", Undetermined => "undetermined", NotApplicable => "not-applicable" }
    Protection { Plaintext => "plaintext", Tls => "tls", Quic => "quic", Dtls => "dtls", Srtp => "srtp", Opaque => "opaque", Empty => "none", Unknown => "unknown" }
    Severity { Note => "note", Warning => "warning", Loss => "loss" }
    InitiatorBasis { Recorded => "record", Handshake => "handshake", Protocol => "protocol", Port => "port", FirstPacket => "first-packet", Logged => "log", FirstRow => "first-row" }
    NameVia { Sni => "sni", QuicSni => "quic-sni", GquicSni => "gquic-sni", DtlsSni => "sni", HttpHost => "http-host", Socks => "socks", SdRtn => "sd-rtn", Dns => "dns", Certificate => "certificate" }
    Taken { Whole => "none", Untold => "unknown", Sampled => "sampled" }
    ChannelSecrecy { Sealed => "sealed", Readable => "readable", Anonymous => "anonymous", Unknown => "unknown" }
    ClaimKind { Geolocation => "geolocation", Registration => "registration", CloudRegion => "cloud-region", Geofeed => "geofeed", Name => "name", Override => "override" }
    LocationState { Agreed => "agreed", Disputed => "disputed", Anycast => "anycast", Local => "local", Undetermined => "undetermined" }
    OwnerRelation { Parent => "parent", Ultimate => "ultimate" }
    Via { Place => "place", Operator => "operator", Service => "service", Owner => "owner", Carriage => "carriage" }
    ReachBasis { Located => "located", Operator => "operator", Owner => "owner", Carriage => "carriage", OffersService => "offers-service", PersonalJurisdiction => "personal-jurisdiction", AnyPerson => "any-person" }
    Standing { Text => "text", Argued => "argued" }
    Omission { Recipient => "recipient", Country => "country", Field => "field" }
    Firmness { Claim => "claim", Candidate => "candidate" }
}

/// What part of the traffic a flow log was made of, in a word; how large a part stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// All of it: there was no sampling.
    Whole,
    /// It does not tell.
    Untold,
    /// A part.
    Sampled,
}

impl From<Sampling> for Taken {
    fn from(it: Sampling) -> Self {
        match it {
            Sampling::Whole => Self::Whole,
            Sampling::Untold => Self::Untold,
            Sampling::Part | Sampling::OneIn(_) => Self::Sampled,
        }
    }
}

impl Word for Role {
    fn word(&self) -> &'static str {
        Self::word(*self)
    }
}

impl Listed for Role {
    const ALL: &'static [Self] = &[
        Self::User,
        Self::Room,
        Self::Device,
        Self::Session,
        Self::Relay,
        Self::Region,
        Self::Build,
        Self::ClientAddress,
    ];
}

impl Word for Ech {
    fn word(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Present(_) => "present",
            Self::Offered => "offered",
        }
    }
}

/// `tcp`, `udp`, …; a protocol without a word of its own by its number.
pub fn transport(transport: Transport) -> String {
    match transport {
        Transport::Tcp => "tcp".to_owned(),
        Transport::Udp => "udp".to_owned(),
        Transport::Icmp => "icmp".to_owned(),
        Transport::Icmp6 => "icmp6".to_owned(),
        Transport::Other(number) => format!("ip-{number}"),
    }
}

/// What a name was bound to, as text.
pub fn bound(value: &BoundValue) -> String {
    match value {
        BoundValue::Address(address) => address.to_string(),
        BoundValue::Text(text) => text.as_str().to_owned(),
        BoundValue::Service(it) => it.shown.as_str().to_owned(),
    }
}

/// An exposure's value, masked unless the audit was made to show values.
pub fn value(exposure: &Exposure, show_pii: bool) -> &str {
    match &exposure.value.raw {
        Some(raw) if show_pii => raw,
        _ => &exposure.value.masked,
    }
}
