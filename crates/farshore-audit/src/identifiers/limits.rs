//! Every ceiling of the detectors, in one place. Hitting one is counted under its name.

/// The most that [`Limits::unpack_depth`] can be set to.
pub const DEEPEST: usize = 64;

farshore_model::ceilings! {
    /// Ceilings for one field. Hitting one is visible in [`Detectors::limits_hit`](super::Detectors::limits_hit).
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Limits {
        /// Bytes that decoding and inflating may make of one field, all nesting levels together.
        "unpacked-bytes" unpacked_bytes: usize = 1 << 21;
        /// Inflated bytes for one deflated byte, past the first 64 KiB. Deflate itself ends at 1032.
        "inflation-ratio" inflation_ratio: usize = 200;
        /// Streams of one field that are tried.
        "unpack-attempts" unpack_attempts: usize = 64;
        /// Encodings inside encodings; base64 of zlib is two. Each level takes its share of the stack: never more than
        /// [`DEEPEST`].
        "unpack-depth" unpack_depth: usize = 6, at most DEEPEST;
        /// Findings in one field.
        "findings" findings: usize = 1 << 10;
        /// Bytes of values behind key names that are looked at, as a multiple of the field's length.
        "hinted-bytes" hinted_bytes: usize = 8;
        /// Streams of one field that are unpacked in search of known values.
        "peel-attempts" peel_attempts: usize = 1 << 10;
        /// Bytes that peeling off layers in search of known values may make of one field, as a multiple of its length; 64 KiB
        /// are always allowed.
        "peeled-bytes" peeled_bytes: usize = 32;
        /// Digests of known values salted or keyed with other known values: each pair of them gives some two hundred.
        "salted-digests" salted_digests: usize = 1 << 18;
        /// Field paths, and payloads with a weak hit, that are told apart when chance is judged.
        "weak-places" weak_places: usize = 1 << 16;
    }
}
