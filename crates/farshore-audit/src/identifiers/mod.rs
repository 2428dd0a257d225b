//! Identifiers in readable fields: values the user knows, in whatever shape, and values that betray themselves.
//!
//! [`Detectors`] is built once and shown one field at a time; it names what it recognises, where in the field,
//! and by which decodings. One [`sieve`] holds all known values in all their shapes ([`forms`]), one pass
//! [marks] the key names and anchors of all [packs](pack): what it costs to look does not grow with what is
//! looked for. What is [hidden] beneath layers, or stands there as a digest, is found too. Long base64 runs are [unpacked](unpacking) and looked at again. Short binary encodings mean nothing until
//! [`Detectors::finish`] has told them from [chance]. What leaves is [masked](value).
//!
//! Refused here: parsing of protocols (a field comes as path and bytes), and any conclusion (who could read it).

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic
    )
)]

mod base64;
pub mod chance;
mod check_digits;
mod checks;
mod eui64;
mod forms;
mod hidden;
mod hints;
pub mod known;
pub mod limits;
mod marks;
mod members;
pub mod pack;
mod program;
mod remembered;
mod scan;
mod shape;
mod sieve;
pub mod unpacking;
pub mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use farshore_model::DatumKind;
use farshore_model::sighting::{Disguise, SightedValue};

pub use chance::{Chance, Confirmed, WeakGroup};
pub use eui64::hardware_address;
pub use known::{Known, KnownError};
pub use limits::Limits;
pub use pack::{Pack, PackError};
pub use value::DigestKey;

use chance::Tally;
use hidden::Room;
use remembered::{Answer, Remembered, Said};
use scan::{Marked, Rules};

/// What the detectors may say and how much they may work.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Give the values themselves beside their masks.
    pub show_pii: bool,
    /// Give keyed digests of the values.
    pub digest_key: Option<DigestKey>,
    /// Ceilings.
    pub limits: Limits,
}

/// A readable field, as a dissector hands it out.
#[derive(Clone, Copy, Debug)]
pub struct FieldView<'a> {
    /// Its dotted path, such as `http.query.imei`.
    pub path: &'a str,
    /// Its bytes.
    pub value: &'a [u8],
    /// It is raw payload in no known format, where short matches happen by chance.
    pub payload: bool,
}

/// An identifier recognised in a field.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// What it is.
    pub kind: DatumKind,
    /// Its value.
    pub value: SightedValue,
    /// `known`, or the id of the pack.
    pub detector: String,
    /// The user's name for a known value.
    pub known_as: Option<String>,
    /// Where the field is JSON, the names that lead to the place, as they stand in a path: `device.imei`; else nothing.
    pub member: String,
    /// The bytes of the field that carry it; of something packed, the whole run.
    pub range: Range<usize>,
    /// Decodings from those bytes to the value, outermost first: `url`, `html`, `json`, `utf-16`, `hex`, `base32`, `base64`,
    /// `zlib`, `gzip`, `deflate`, `zstd`, `brotli`, `xor`, `uuid`, `guid`, `bytes`, `u32be`, `u32le`, `u64be`, `u64le`,
    /// `protobuf`, `websocket`; a digest by its name, then what was done to the value before: `salt`, `lower-case`,
    /// `upper-case`, `respelt`, `separators`.
    pub decoded_by: Vec<&'static str>,
    /// Few bytes among many: keep it only if [`Detectors::finish`] confirms the group.
    pub weak: Option<WeakGroup>,
    /// What stands there in the place of the value.
    pub disguise: Disguise,
}

/// Detectors that cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DetectorsError {
    /// A known value.
    #[error(transparent)]
    Known(#[from] KnownError),
    /// A pack.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// There is too much to look for.
    #[error("all that is looked for does not fit one automaton: {0}")]
    TooMuch(String),
}

/// Recognises identifiers in fields, and keeps count of what chance needs to be judged.
#[derive(Clone, Debug)]
pub struct Detectors {
    rules: Arc<Rules>,
    tally: Tally,
    room: Room,
    remembered: Remembered,
    limits_hit: BTreeMap<&'static str, u64>,
}

impl Detectors {
    /// Builds them from the packs that are compiled in and the values that are known.
    pub fn new(known: &[Known], options: Options) -> Result<Self, DetectorsError> {
        let rules = Rules::new(known, pack::builtin()?, options)?;
        let mut limits_hit = BTreeMap::new();
        if rules.left_out() > 0 {
            limits_hit.insert("salted-digests", rules.left_out());
        }
        Ok(Self {
            rules: Arc::new(rules),
            tally: Tally::default(),
            room: Room::default(),
            remembered: Remembered::default(),
            limits_hit,
        })
    }

    /// The same detectors with nothing counted yet, for another part of the same audit.
    pub fn fork(&self) -> Self {
        Self {
            rules: Arc::clone(&self.rules),
            tally: Tally::default(),
            room: Room::default(),
            remembered: Remembered::default(),
            limits_hit: BTreeMap::new(),
        }
    }

    /// Whether raw payload of unrecognised flows is worth showing: without known values little can be found there.
    pub fn wants_payload(&self) -> bool {
        self.rules.looks_for_known()
    }

    /// Looks at one field and names what is in it, by position.
    pub fn scan(&mut self, field: FieldView<'_>, found: &mut dyn FnMut(&Found)) {
        // Where values are known, chance is judged by how often each is looked for.
        if self.rules.looks_for_known() {
            let hit = self.look(field, &mut |it| found(&it));
            return add(&mut self.limits_hit, &hit);
        }
        match self.remembered.ask(&field) {
            Said::Before(answer) => {
                answer.found.iter().for_each(&mut *found);
                add(&mut self.limits_hit, &answer.limits);
            }
            Said::Again(number) => {
                let mut all = Vec::new();
                let limits = self.look(field, &mut |it| all.push(it));
                all.iter().for_each(&mut *found);
                add(&mut self.limits_hit, &limits);
                self.remembered.keep(number, &field, Answer { found: all, limits });
            }
            Said::Nothing => {
                let hit = self.look(field, &mut |it| found(&it));
                add(&mut self.limits_hit, &hit);
            }
        }
    }

    fn look(&mut self, field: FieldView<'_>, found: &mut dyn FnMut(Found)) -> BTreeMap<&'static str, u64> {
        self.rules.scan::<Marked>(field, &mut self.tally, &mut self.room, found)
    }

    /// A value that was recognised elsewhere, made ready to leave by the same rules.
    pub fn value(&self, kind: &DatumKind, canonical: &str) -> SightedValue {
        self.rules.value(kind, canonical)
    }

    /// Takes over the counts of a [fork](Self::fork).
    pub fn absorb(&mut self, other: Self) {
        self.tally.absorb(other.tally);
        add(&mut self.limits_hit, &other.limits_hit);
    }

    /// Tells the weak findings that are no accident from the others. To be asked after everything was scanned.
    pub fn finish(&self) -> Confirmed {
        self.rules.judge(&self.tally)
    }

    /// Ceilings that were hit, by name, and how often.
    pub fn limits_hit(&self) -> &BTreeMap<&'static str, u64> {
        &self.limits_hit
    }
}

fn add(all: &mut BTreeMap<&'static str, u64>, more: &BTreeMap<&'static str, u64>) {
    for (name, times) in more {
        let sum = all.entry(name).or_default();
        *sum = sum.saturating_add(*times);
    }
}

impl Confirmed {
    /// Whether a finding is to be kept: it was never weak, or its group is confirmed.
    pub fn keeps(&self, found: &Found) -> bool {
        found.weak.as_ref().is_none_or(|group| self.chance(group).is_some())
    }
}
