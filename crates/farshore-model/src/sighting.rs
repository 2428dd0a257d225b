//! Identifiers recognised in fields. The raw value stays out unless it was asked for.

use crate::{FlowId, Locus, Protection};

/// What sort of datum a value is, as the public contract spells it (`user-id`, `imei`, …).
///
/// Built-in kinds are the constants; users name further ones in their own files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatumKind(std::borrow::Cow<'static, str>);

impl DatumKind {
    /// Host name that was asked for or named.
    pub const HOSTNAME: Self = Self::fixed("hostname");
    /// Address of a resource: path and query.
    pub const URL: Self = Self::fixed("url");
    /// Cookie.
    pub const COOKIE: Self = Self::fixed("cookie");
    /// Password, token or key.
    pub const CREDENTIAL: Self = Self::fixed("credential");
    /// Sound.
    pub const AUDIO: Self = Self::fixed("audio");
    /// What an encrypted or undocumented channel carries, as a whole.
    pub const CONTENT: Self = Self::fixed("content");

    /// A kind known at compile time.
    pub const fn fixed(name: &'static str) -> Self {
        Self(std::borrow::Cow::Borrowed(name))
    }

    /// A kind named by a user's file.
    pub fn named(name: &str) -> Self {
        Self(std::borrow::Cow::Owned(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A value, as much of it as may leave the detector.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SightedValue {
    /// Identity of the value within this process: equal values, equal prints. Never shown.
    pub print: [u8; 16],
    /// The value with most of it hidden.
    pub masked: String,
    /// The value itself, only when it was asked for.
    pub raw: Option<String>,
    /// Keyed digest in hex, only when a key was given.
    pub digest: Option<String>,
}

/// What stands where a value was recognised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Disguise {
    /// The value, as it is or in an encoding that anyone can undo.
    #[default]
    None,
    /// A digest of it: whoever knows or guesses the value can tell that it is meant.
    Digest,
    /// A digest of 32 bits, which other values have too.
    WeakDigest,
}

/// A detector recognised an identifier in a field of a flow, once or more often.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting {
    /// What it is.
    pub kind: DatumKind,
    /// Its value.
    pub value: SightedValue,
    /// Dotted path of the field, such as `http.query.imei`.
    pub field: String,
    /// The detector: `known`, or a pattern's id.
    pub detector: String,
    /// The user's name for a known value.
    pub known_as: Option<String>,
    /// The value itself does not stand there, but something that it gives.
    pub disguise: Disguise,
    /// How the field was protected.
    pub protection: Protection,
    /// The flow.
    pub flow: FlowId,
    /// The first of the places where it stands, at most [`KEPT`].
    pub evidence: Vec<Locus>,
    /// How often it stands there in all.
    pub count: u64,
}

/// Places kept of one finding; the rest is counted. A ledger grows with what is found, not with how often.
pub const KEPT: usize = 20;
