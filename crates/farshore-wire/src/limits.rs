//! Every ceiling of reading, in one place, each with its reason. Hitting one is visible in the coverage.

/// The most that `content_depth` can be set to.
pub const DEEPEST: usize = 32;

farshore_model::ceilings! {
    /// Ceilings. Sizes are in bytes unless named otherwise.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Limits {
        /// Nested tunnels and tags per frame; deeper nesting is an attack on the reader.
        "encapsulations" encapsulations: usize = 16;
        /// Out-of-order bytes kept per stream direction; a window scaled to the full is seldom in flight on client links.
        "reorder-bytes" reorder_bytes: usize = 1 << 20;
        /// Out-of-order segments kept per stream direction, so that one-byte segments cost no more than their share.
        "reorder-segments" reorder_segments: usize = 1 << 10;
        /// Bytes of a message a dissector may gather before it gives up: a TLS handshake message may be 16 MiB by its
        /// length field, real ones (long chains) stay under 128 KiB.
        "message-bytes" message_bytes: usize = 1 << 18;
        /// Bytes of one HTTP header block.
        "header-bytes" header_bytes: usize = 1 << 16;
        /// Bytes of one HTTP body handed to detectors; the rest is counted only.
        "body-bytes" body_bytes: usize = 1 << 18;
        /// First bytes of a stream kept while no protocol has recognised it.
        "opening-bytes" opening_bytes: usize = 1 << 11;
        /// Bytes of each side of an unrecognised stream that are searched for records of TLS: three of the longest and what is left of
        /// another take 72 KiB.
        "late-bytes" late_bytes: usize = 1 << 17;
        /// Latest datagrams kept while no protocol has recognised the flow.
        "opening-datagrams" opening_datagrams: usize = 16;
        /// Datagrams after which an unrecognised flow is left alone.
        "undecided-datagrams" undecided_datagrams: u64 = 256;
        /// QUIC CRYPTO bytes gathered per connection and direction.
        "crypto-bytes" crypto_bytes: usize = 1 << 16;
        /// Bytes one inflated value may grow to.
        "inflated-bytes" inflated_bytes: usize = 1 << 20;
        /// Bytes that one byte of a body may inflate to, past the first 64 KiB: text seldom exceeds 50.
        "content-ratio" content_ratio: usize = 200;
        /// Steps that are undone one inside the other to read a value of a body: a coding, a form of data, a string that holds
        /// another document. Each takes its share of the stack, so no more than [`DEEPEST`] are.
        "content-depth" content_depth: usize = 12, at most DEEPEST;
        /// Values of one body that are told apart.
        "content-values" content_values: usize = 1 << 12;
        /// Observations kept in one ledger; each takes some 400 bytes.
        "observations" observations: usize = 1 << 20;
        /// Master keys of media kept from signalling: each call tells a few, and each is tried on every sealed stream.
        "media-keys" media_keys: usize = 1 << 8;
        /// Sightings of identifiers kept in one ledger; each takes about as much.
        "sightings" sightings: usize = 1 << 20;
        /// Openings of conversations kept in one ledger, to be compared with those of others.
        "specimens" specimens: usize = 1 << 17;
        /// Payloads kept of one conversation each way, and values of one field in it: what tells who is who comes early and
        /// again and again.
        "flow-specimens" flow_specimens: usize = 24;
        /// Bytes kept of each.
        "specimen-bytes" specimen_bytes: usize = 512;
        /// Anomalies kept in one ledger: whoever reads them has the point long before.
        "anomalies" anomalies: usize = 1 << 16;
        /// Bytes of IP fragments kept until their datagrams are whole: a datagram has 64 KiB at most, and few are under way
        /// at once.
        "fragment-bytes" fragment_bytes: usize = 1 << 22;
        /// Fragments kept of one datagram; at the smallest packet size of IPv6 the largest datagram has 52.
        "fragments" fragments: usize = 1 << 8;
        /// Newer flows after which one of a single datagram that no protocol has claimed is no longer kept, nor the reader of one that
        /// reads each datagram for itself, which may be let go after a quarter of them: a flood makes millions. It begins anew with its next
        /// datagram.
        "waiting-flows" waiting_flows: usize = 1 << 19;
        /// Connections of TLS that keep what they cannot open until it is known which session they go on with.
        "resumed-sessions" resumed_sessions: usize = 1 << 8;
        /// Bytes that one of them keeps.
        "resumed-bytes" resumed_bytes: usize = 1 << 18;
        /// Interfaces or sides that tell of the same flow in a flow log, told apart: a packet crosses few.
        "flow-observers" flow_observers: usize = 16;
        /// Flows that are followed at once; further ones are counted as frames only.
        "flows" flows: usize = 1 << 22;
    }
    and {
        /// Ask no protocol at all: every payload is taken for that of an undocumented one.
        opaque: bool = false;
    }
}
