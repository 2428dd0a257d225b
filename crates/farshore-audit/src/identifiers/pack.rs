//! Identifiers recognised by pattern: one TOML file each under `packs/identifiers`, compiled in.
//!
//! A pack names what makes it look (anchors in free text, key names, field paths), the pattern a value must
//! have, and a check that no pattern can express. To add one: a file there, one line in [`PACKS`]. Refused at
//! the door: patterns without a longest match (they would make one field cost more than its length) that match
//! without an anchor of the pack or look around a match, unknown keys, unknown checks.

use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

use super::checks::{self, Check};
use super::shape::{self, Surroundings};

/// The longest match a pattern may have.
const LONGEST_MATCH: usize = 4096;

/// All packs. Where two claim the same bytes, the earlier one names them.
pub(super) const PACKS: &[&str] = &[
    include_str!("../../../../packs/identifiers/imsi-realm.toml"),
    include_str!("../../../../packs/identifiers/room-address.toml"),
    include_str!("../../../../packs/identifiers/user-address.toml"),
    include_str!("../../../../packs/identifiers/email.toml"),
    include_str!("../../../../packs/identifiers/ad-id.toml"),
    include_str!("../../../../packs/identifiers/imei.toml"),
    include_str!("../../../../packs/identifiers/imeisv.toml"),
    include_str!("../../../../packs/identifiers/imsi.toml"),
    include_str!("../../../../packs/identifiers/iccid.toml"),
    include_str!("../../../../packs/identifiers/mac.toml"),
    include_str!("../../../../packs/identifiers/mac-key.toml"),
    include_str!("../../../../packs/identifiers/ssid.toml"),
    include_str!("../../../../packs/identifiers/phone.toml"),
    include_str!("../../../../packs/identifiers/phone-key.toml"),
    include_str!("../../../../packs/identifiers/iban.toml"),
    include_str!("../../../../packs/identifiers/payment-card.toml"),
    include_str!("../../../../packs/identifiers/calling-station.toml"),
    include_str!("../../../../packs/identifiers/position.toml"),
    include_str!("../../../../packs/identifiers/latitude.toml"),
    include_str!("../../../../packs/identifiers/longitude.toml"),
    include_str!("../../../../packs/identifiers/bounding-box.toml"),
    include_str!("../../../../packs/identifiers/authorization.toml"),
    include_str!("../../../../packs/identifiers/url-credential.toml"),
    include_str!("../../../../packs/identifiers/jwt.toml"),
    include_str!("../../../../packs/identifiers/api-key.toml"),
    include_str!("../../../../packs/identifiers/push-token.toml"),
    include_str!("../../../../packs/identifiers/push-token-key.toml"),
    include_str!("../../../../packs/identifiers/sdes-key.toml"),
    include_str!("../../../../packs/identifiers/password.toml"),
    include_str!("../../../../packs/identifiers/credential-key.toml"),
    include_str!("../../../../packs/identifiers/community.toml"),
    include_str!("../../../../packs/identifiers/room-id.toml"),
    include_str!("../../../../packs/identifiers/channel.toml"),
    include_str!("../../../../packs/identifiers/irc-channel.toml"),
    include_str!("../../../../packs/identifiers/device-id.toml"),
    include_str!("../../../../packs/identifiers/mqtt-client.toml"),
    include_str!("../../../../packs/identifiers/client-id.toml"),
    include_str!("../../../../packs/identifiers/device-name.toml"),
    include_str!("../../../../packs/identifiers/user-id.toml"),
    include_str!("../../../../packs/identifiers/nick.toml"),
    include_str!("../../../../packs/identifiers/subject.toml"),
    include_str!("../../../../packs/identifiers/cookie.toml"),
    include_str!("../../../../packs/identifiers/session.toml"),
    include_str!("../../../../packs/identifiers/patient-id.toml"),
    include_str!("../../../../packs/identifiers/patient-name.toml"),
    include_str!("../../../../packs/identifiers/real-name.toml"),
    include_str!("../../../../packs/identifiers/realm.toml"),
];

/// A pack, as its file says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// Its name, which is the detector's name in outputs.
    pub id: String,
    /// The kind of datum it finds.
    pub kind: String,
    /// Its version.
    pub version: String,
    /// What it finds, and how sure that is.
    pub description: String,
    /// Where the shape of the identifier is laid down.
    pub source: String,
    /// Text of which one must occur for free text to be searched; each match has one in it.
    #[serde(default)]
    pub anchors: Vec<String>,
    /// Key names, as words apart: `device id` is also found as `device_id`, `deviceId`, `device-id`.
    #[serde(default)]
    pub keys: Vec<String>,
    /// Field paths whose whole value is looked at; a final `*` stands for any ending.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Beginnings of field paths where it does not look.
    #[serde(default)]
    pub not_under: Vec<String>,
    /// What a value looks like (regular expression over bytes, without Unicode classes).
    pub pattern: String,
    /// Values that look like it and are not.
    #[serde(default)]
    pub refuse: Option<String>,
    /// Characters besides letters, digits and `_` that may not stand beside a match in free text.
    #[serde(default)]
    pub not_beside: String,
    /// The value may hold spaces where it stands unquoted (to the end of the line).
    #[serde(default)]
    pub spaces: bool,
    /// A check by algorithm.
    #[serde(default)]
    pub check: Option<String>,
    /// Fields in which it finds something.
    pub examples: Vec<Example>,
    /// Fields in which it finds nothing.
    pub counter_examples: Vec<Example>,
}

/// A field to try a pack on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The field's path.
    pub path: String,
    /// The field's value.
    pub value: String,
    /// The canonical value that is found.
    #[serde(default)]
    pub found: Option<String>,
}

/// A pack that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("identifier pack `{pack}`: {problem}")]
pub struct PackError {
    /// Its id, or where it stands in the list if not even that could be read.
    pub pack: String,
    /// What is wrong.
    pub problem: String,
}

/// The packs that are compiled in.
pub fn builtin() -> Result<Vec<Pack>, PackError> {
    PACKS.iter().enumerate().map(|(number, text)| read(number, text)).collect()
}

fn read(number: usize, text: &str) -> Result<Pack, PackError> {
    toml::from_str(text).map_err(|error| PackError {
        pack: format!("#{number}"),
        problem: error.to_string(),
    })
}

/// A regular expression over bytes, without Unicode classes. It is compiled when it is first asked: together that takes longer than
/// to read a small capture, in which hardly any is.
#[derive(Debug)]
pub(super) struct Expression {
    text: String,
    compiled: OnceLock<Option<Regex>>,
}

impl Expression {
    fn new(text: String) -> Self {
        Self {
            text,
            compiled: OnceLock::new(),
        }
    }

    /// One that all of a text must match.
    fn whole(text: &str) -> Self {
        Self::new(format!("^(?:{text})$"))
    }

    /// It, unless it is too large.
    pub fn compiled(&self) -> Option<&Regex> {
        let compile = || RegexBuilder::new(&self.text).unicode(false).size_limit(1 << 22).build().ok();
        self.compiled.get_or_init(compile).as_ref()
    }

    pub fn is_match(&self, text: &[u8]) -> bool {
        self.compiled().is_some_and(|it| it.is_match(text))
    }
}

/// A pack ready to run.
#[derive(Debug)]
pub(super) struct Ready {
    pub pack: Pack,
    /// Finds a value in free text.
    pub anywhere: Expression,
    /// Tells whether all of a text is a value.
    pub whole: Expression,
    pub refuse: Option<Expression>,
    pub check: Option<Check>,
    /// The anchors, with what must stand around each in a match.
    pub anchors: Vec<(Vec<u8>, Surroundings)>,
}

impl Ready {
    pub fn new(pack: Pack) -> Result<Self, PackError> {
        let fail = |problem: String| PackError {
            pack: pack.id.clone(),
            problem,
        };
        let parsed = |pattern: &str| {
            regex_syntax::ParserBuilder::new()
                .unicode(false)
                .utf8(false)
                .build()
                .parse(pattern)
                .map_err(|error| fail(error.to_string()))
        };
        let syntax = parsed(&pack.pattern)?;
        pack.refuse.as_deref().map(parsed).transpose()?;
        let longest = syntax.properties().maximum_len();
        if longest.is_none_or(|longest| longest > LONGEST_MATCH) {
            return Err(fail(format!("the pattern must match at most {LONGEST_MATCH} bytes")));
        }
        if !syntax.properties().look_set().is_empty() {
            return Err(fail("the pattern must not look at what stands around a match".to_owned()));
        }
        if pack.anchors.is_empty() && pack.keys.is_empty() && pack.paths.is_empty() {
            return Err(fail("no anchor, key or path: it would never look".to_owned()));
        }
        let anchors: Vec<&[u8]> = pack.anchors.iter().map(String::as_bytes).collect();
        if anchors.iter().any(|it| it.is_empty()) || !(anchors.is_empty() || shape::always_holds(&syntax, &anchors)) {
            return Err(fail("the pattern must not match text without an anchor".to_owned()));
        }
        let check = match &pack.check {
            None => None,
            Some(name) => Some(checks::named(name).ok_or_else(|| fail(format!("no check is named `{name}`")))?),
        };
        Ok(Self {
            anywhere: Expression::new(pack.pattern.clone()),
            whole: Expression::whole(&pack.pattern),
            refuse: pack.refuse.as_deref().map(Expression::whole),
            check,
            anchors: anchors
                .iter()
                .map(|it| (it.to_vec(), Surroundings::of(&syntax, it, &anchors)))
                .collect(),
            pack,
        })
    }

    /// Whether it looks into fields of this path at all.
    pub fn looks_under(&self, path: &str) -> bool {
        !self.pack.not_under.iter().any(|start| path.starts_with(start.as_str()))
    }

    /// The spellings of its keys.
    pub fn key_spellings(&self) -> Vec<String> {
        let mut all = Vec::new();
        for key in &self.pack.keys {
            for separator in ["", "_", "-", "."] {
                let spelled = key.replace(' ', separator);
                if !all.contains(&spelled) {
                    all.push(spelled);
                }
            }
        }
        all
    }
}
