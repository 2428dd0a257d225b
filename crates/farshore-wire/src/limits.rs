//! Every ceiling of reading, in one place, each with its reason. Hitting one is visible in the coverage.

/// The most that `content_depth` can be set to.
pub const DEEPEST: usize = 32;

/// Ceilings. Sizes are in bytes unless named otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Nested tunnels and tags per frame; deeper nesting is an attack on the reader.
    pub encapsulations: usize,
    /// Out-of-order bytes kept per stream direction; a window scaled to the full is seldom in flight on client links.
    pub reorder_bytes: usize,
    /// Out-of-order segments kept per stream direction, so that one-byte segments cost no more than their share.
    pub reorder_segments: usize,
    /// Bytes of a message a dissector may gather before it gives up: a TLS handshake message may be 16 MiB by its
    /// length field, real ones (long chains) stay under 128 KiB.
    pub message_bytes: usize,
    /// Bytes of one HTTP header block.
    pub header_bytes: usize,
    /// Bytes of one HTTP body handed to detectors; the rest is counted only.
    pub body_bytes: usize,
    /// First bytes of a stream kept while no protocol has recognised it.
    pub opening_bytes: usize,
    /// Latest datagrams kept while no protocol has recognised the flow.
    pub opening_datagrams: usize,
    /// Datagrams after which an unrecognised flow is left alone.
    pub undecided_datagrams: u64,
    /// QUIC CRYPTO bytes gathered per connection and direction.
    pub crypto_bytes: usize,
    /// Bytes one inflated value may grow to.
    pub inflated_bytes: usize,
    /// Bytes that one byte of a body may inflate to, past the first 64 KiB: text seldom exceeds 50.
    pub content_ratio: usize,
    /// Steps that are undone one inside the other to read a value of a body: a coding, a form of data, a string that holds
    /// another document. Each takes its share of the stack, so no more than [`DEEPEST`] are.
    pub content_depth: usize,
    /// Values of one body that are told apart.
    pub content_values: usize,
    /// Observations kept in one ledger; each takes some 400 bytes.
    pub observations: usize,
    /// Master keys of media kept from signalling: each call tells a few, and each is tried on every sealed stream.
    pub media_keys: usize,
    /// Sightings of identifiers kept in one ledger; each takes about as much.
    pub sightings: usize,
    /// Openings of conversations kept in one ledger, to be compared with those of others.
    pub specimens: usize,
    /// Payloads kept of one conversation each way, and values of one field in it: what tells who is who comes early and
    /// again and again.
    pub flow_specimens: usize,
    /// Bytes kept of each.
    pub specimen_bytes: usize,
    /// Anomalies kept in one ledger: whoever reads them has the point long before.
    pub anomalies: usize,
    /// Bytes of IP fragments kept until their datagrams are whole: a datagram has 64 KiB at most, and few are under way
    /// at once.
    pub fragment_bytes: usize,
    /// Fragments kept of one datagram; at the smallest packet size of IPv6 the largest datagram has 52.
    pub fragments: usize,
    /// Newer flows after which one of a single datagram that no protocol has claimed is no longer kept: a flood makes
    /// millions of them. It begins anew with its next datagram.
    pub waiting_flows: usize,
    /// Flows that are followed at once; further ones are counted as frames only.
    pub flows: usize,
    /// Ask no protocol at all: every payload is taken for that of an undocumented one.
    pub opaque: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            encapsulations: 16,
            reorder_bytes: 1 << 20,
            reorder_segments: 1 << 10,
            message_bytes: 1 << 18,
            header_bytes: 1 << 16,
            body_bytes: 1 << 18,
            opening_bytes: 1 << 11,
            opening_datagrams: 16,
            undecided_datagrams: 256,
            crypto_bytes: 1 << 16,
            inflated_bytes: 1 << 20,
            content_ratio: 200,
            content_depth: 12,
            content_values: 1 << 12,
            observations: 1 << 20,
            media_keys: 1 << 8,
            sightings: 1 << 20,
            specimens: 1 << 17,
            flow_specimens: 24,
            specimen_bytes: 512,
            anomalies: 1 << 16,
            fragment_bytes: 1 << 22,
            fragments: 1 << 8,
            waiting_flows: 1 << 19,
            flows: 1 << 22,
            opaque: false,
        }
    }
}

impl Limits {
    /// Sets one ceiling by name; says what names there are when there is none of that name.
    pub fn set(&mut self, name: &str, value: u64) -> Result<(), UnknownLimit> {
        let size = usize::try_from(value).unwrap_or(usize::MAX);
        match name {
            "encapsulations" => self.encapsulations = size,
            "reorder-bytes" => self.reorder_bytes = size,
            "reorder-segments" => self.reorder_segments = size,
            "message-bytes" => self.message_bytes = size,
            "header-bytes" => self.header_bytes = size,
            "body-bytes" => self.body_bytes = size,
            "opening-bytes" => self.opening_bytes = size,
            "opening-datagrams" => self.opening_datagrams = size,
            "undecided-datagrams" => self.undecided_datagrams = value,
            "crypto-bytes" => self.crypto_bytes = size,
            "inflated-bytes" => self.inflated_bytes = size,
            "content-ratio" => self.content_ratio = size,
            "content-depth" => self.content_depth = size.min(DEEPEST),
            "content-values" => self.content_values = size,
            "observations" => self.observations = size,
            "media-keys" => self.media_keys = size,
            "sightings" => self.sightings = size,
            "specimens" => self.specimens = size,
            "flow-specimens" => self.flow_specimens = size,
            "specimen-bytes" => self.specimen_bytes = size,
            "anomalies" => self.anomalies = size,
            "fragment-bytes" => self.fragment_bytes = size,
            "fragments" => self.fragments = size,
            "waiting-flows" => self.waiting_flows = size,
            "flows" => self.flows = size,
            _ => return Err(UnknownLimit(name.to_owned())),
        }
        Ok(())
    }

    /// The names [`Limits::set`] takes.
    pub const NAMES: &'static [&'static str] = &[
        "anomalies",
        "body-bytes",
        "content-depth",
        "content-ratio",
        "content-values",
        "crypto-bytes",
        "encapsulations",
        "flow-specimens",
        "flows",
        "fragment-bytes",
        "fragments",
        "header-bytes",
        "inflated-bytes",
        "media-keys",
        "message-bytes",
        "observations",
        "opening-bytes",
        "opening-datagrams",
        "reorder-bytes",
        "reorder-segments",
        "sightings",
        "specimen-bytes",
        "specimens",
        "undecided-datagrams",
        "waiting-flows",
    ];
}

/// No ceiling has that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no limit is named `{0}`; there are: {names}", names = Limits::NAMES.join(", "))]
pub struct UnknownLimit(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_sets_a_ceiling() {
        for name in Limits::NAMES {
            let mut limits = Limits::default();
            limits.set(name, 7).unwrap();
            assert_ne!(limits, Limits::default(), "{name}");
        }
        assert!(Limits::default().set("speed", 1).unwrap_err().to_string().contains("body-bytes"));
    }
}
