//! Every ceiling of the detectors, in one place. Hitting one is counted under its name.

/// Ceilings for one field. Hitting one is visible in [`Detectors::limits_hit`](super::Detectors::limits_hit).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that decoding and inflating may make of one field, all nesting levels together.
    pub unpacked_bytes: usize,
    /// Inflated bytes for one deflated byte, past the first 64 KiB. Deflate itself ends at 1032.
    pub inflation_ratio: usize,
    /// Streams of one field that are tried.
    pub unpack_attempts: usize,
    /// Encodings inside encodings; base64 of zlib is two. Each level takes its share of the stack: never more than
    /// [`DEEPEST`].
    pub unpack_depth: usize,
    /// Findings in one field.
    pub findings: usize,
    /// Bytes of values behind key names that are looked at, as a multiple of the field's length.
    pub hinted_bytes: usize,
    /// Streams of one field that are unpacked in search of known values.
    pub peel_attempts: usize,
    /// Bytes that peeling off layers in search of known values may make of one field, as a multiple of its length; 64 KiB
    /// are always allowed.
    pub peeled_bytes: usize,
    /// Digests of known values salted or keyed with other known values: each pair of them gives some two hundred.
    pub salted_digests: usize,
    /// Field paths, and payloads with a weak hit, that are told apart when chance is judged.
    pub weak_places: usize,
}

/// The most that [`Limits::unpack_depth`] can be set to.
pub const DEEPEST: usize = 64;

impl Default for Limits {
    fn default() -> Self {
        Self {
            unpacked_bytes: 1 << 21,
            inflation_ratio: 200,
            unpack_attempts: 64,
            unpack_depth: 6,
            findings: 1 << 10,
            hinted_bytes: 8,
            peel_attempts: 1 << 10,
            peeled_bytes: 32,
            salted_digests: 1 << 18,
            weak_places: 1 << 16,
        }
    }
}

impl Limits {
    /// Sets one ceiling by name; says what names there are when there is none of that name.
    pub fn set(&mut self, name: &str, value: u64) -> Result<(), LimitError> {
        let size = usize::try_from(value).unwrap_or(usize::MAX);
        match name {
            "findings" => self.findings = size,
            "hinted-bytes" => self.hinted_bytes = size,
            "inflation-ratio" => self.inflation_ratio = size,
            "peel-attempts" => self.peel_attempts = size,
            "peeled-bytes" => self.peeled_bytes = size,
            "salted-digests" => self.salted_digests = size,
            "unpack-attempts" => self.unpack_attempts = size,
            "unpack-depth" if size > DEEPEST => return Err(LimitError::TooDeep(value)),
            "unpack-depth" => self.unpack_depth = size,
            "unpacked-bytes" => self.unpacked_bytes = size,
            "weak-places" => self.weak_places = size,
            _ => return Err(LimitError::Unknown(name.to_owned())),
        }
        Ok(())
    }

    /// The names [`Limits::set`] takes, and under which hits are counted.
    pub const NAMES: &'static [&'static str] = &[
        "findings",
        "hinted-bytes",
        "inflation-ratio",
        "peel-attempts",
        "peeled-bytes",
        "salted-digests",
        "unpack-attempts",
        "unpack-depth",
        "unpacked-bytes",
        "weak-places",
    ];
}

/// A ceiling that cannot be set so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// No ceiling has that name.
    #[error("no limit is named `{0}`; there are: {names}", names = Limits::NAMES.join(", "))]
    Unknown(String),
    /// Deeper than the stack of a thread is sure to bear.
    #[error("unpack-depth cannot be {0}: {DEEPEST} is the most")]
    TooDeep(u64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_sets_a_ceiling() {
        assert!(Limits::NAMES.is_sorted());
        for name in Limits::NAMES {
            let mut limits = Limits::default();
            limits.set(name, 7).unwrap();
            assert_ne!(limits, Limits::default(), "{name}");
        }
        let unknown = Limits::default().set("speed", 1).unwrap_err();
        assert!(unknown.to_string().contains("unpacked-bytes"));
        assert_eq!(Limits::default().set("unpack-depth", 65), Err(LimitError::TooDeep(65)));
    }
}
