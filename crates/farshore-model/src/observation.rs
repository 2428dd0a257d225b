//! Facts read from bytes, in words that belong to no protocol. Dissectors translate into these.
//!
//! The enum is exhaustive on purpose: a new kind of fact makes the compiler list every consumer.

use std::net::IpAddr;

use crate::{Few, FlowId, Locus, Protection, Timestamp, WireText};

/// A protocol-neutral fact.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Observation {
    /// A name was asked for.
    NameAsked {
        /// `dns`, `mdns`, `llmnr`, `netbios`, `dot`, `doh`, `doq`.
        protocol: &'static str,
        /// The name, without the final dot.
        name: WireText,
        /// The type of record, such as `A`, `HTTPS`, `TYPE65400`.
        record: String,
    },
    /// A name was bound to a value by an answer.
    NameBound {
        /// As for [`Observation::NameAsked`].
        protocol: &'static str,
        /// What had been asked.
        question: WireText,
        /// The owner of the record (differs from the question behind a CNAME).
        name: WireText,
        /// The type of record.
        record: String,
        /// The value.
        value: BoundValue,
        /// How long the answer lives, in seconds.
        ttl: u32,
    },
    /// The client named the server it wants.
    PeerNamed {
        /// `tls`, `quic`, `gquic`, `dtls`, `sd-rtn`; `socks`, where it named it to a proxy.
        protocol: &'static str,
        /// The name.
        name: WireText,
    },
    /// The server showed a certificate.
    Certificate {
        /// The subject's common name, else the whole subject.
        subject: WireText,
        /// Subject alternative names of type DNS and IP.
        names: Vec<WireText>,
        /// SHA-256 of the DER bytes, in hex.
        sha256: String,
        /// Whether this is the server's own certificate (the first of the chain).
        leaf: bool,
    },
    /// A protected channel was negotiated, or offered.
    Channel {
        /// `tls`, `quic`, `dtls`.
        protocol: &'static str,
        /// The version negotiated (`1.3`), else the highest offered.
        version: String,
        /// The suite chosen by the server, by IANA name; `None` when no ServerHello was seen.
        cipher: Option<String>,
        /// Whether content under that suite can be read by whoever sees the bytes (NULL suites).
        readable: ChannelSecrecy,
        /// JA3 digest of the ClientHello.
        ja3: Option<String>,
        /// JA4 of the ClientHello.
        ja4: Option<String>,
        /// Encrypted ClientHello.
        ech: Ech,
    },
    /// A resource was asked for.
    Request {
        /// `1.0`, `1.1`, `2`, `3`.
        version: &'static str,
        /// The method.
        method: WireText,
        /// The host asked, with its port if one was given; `None` when the request names none.
        host: Option<WireText>,
        /// Path and query as sent.
        path: WireText,
    },
    /// A stream of real-time media was recognised.
    Media {
        /// `rtp`, `srtp`.
        protocol: &'static str,
        /// Synchronisation source.
        ssrc: u32,
        /// Payload type.
        payload_type: u8,
        /// Codec by name, such as `PCMU`; empty when the payload type is dynamic and nothing named it.
        codec: String,
        /// Whether it is pictures, by its name or by its clock: several packets of one time, the last of which says so.
        pictures: bool,
        /// Packets.
        frames: u64,
        /// Whether sound or pictures come out.
        recoverable: Recovery,
    },
    /// A message by which a call is set up, changed or ended.
    Call {
        /// `sip`.
        protocol: &'static str,
        /// What was asked; of an answer, what it answers.
        method: WireText,
        /// The code of an answer.
        status: Option<u16>,
        /// Who asks, by address.
        from: WireText,
        /// Who is asked, by address.
        to: WireText,
        /// The call, by the name its caller gave it.
        call_id: WireText,
    },
    /// The peer named a session of its own making, such as a connection id. It is at most a session.
    SessionNamed {
        /// `quic`, `sd-rtn`.
        protocol: &'static str,
        /// The id in hex.
        id: String,
    },
}

/// What a name was bound to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BoundValue {
    /// An address.
    Address(IpAddr),
    /// Another name, or any other value as text.
    Text(WireText),
    /// A service binding (RFC 9460).
    Service(Box<Service>),
}

/// Where a service is to be had, as its name's record says (RFC 9460).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Service {
    /// The whole record in presentation form.
    pub shown: WireText,
    /// The host that offers it; empty: the record's own name.
    pub target: WireText,
    /// Protocols it speaks, by ALPN.
    pub alpn: Vec<WireText>,
    /// The path of DNS over HTTPS (RFC 9461).
    pub doh_path: Option<WireText>,
    /// Configurations of Encrypted ClientHello that it offers (RFC 9848).
    pub ech: Vec<EchConfig>,
}

/// A configuration under which a ClientHello may be sealed (RFC 9849, section 4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EchConfig {
    /// Its number.
    pub id: u8,
    /// Its symmetric suites: key derivation and cipher (RFC 9180).
    pub suites: Vec<(u16, u16)>,
    /// The name that goes on the outside.
    pub public_name: WireText,
}

/// What the outside of a sealed ClientHello names (RFC 9849, section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EchKey {
    /// The configuration's number.
    pub config: u8,
    /// The suite: key derivation and cipher.
    pub suite: (u16, u16),
}

/// Whether a negotiated suite hides what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChannelSecrecy {
    /// Encrypted and, short of anonymous suites, authenticated.
    Sealed,
    /// A NULL cipher: bytes are readable as they are.
    Readable,
    /// Encrypted with a suite that authenticates nobody: whoever sat in the middle may have read it.
    Anonymous,
    /// No suite was seen to be chosen.
    Unknown,
}

/// Encrypted ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Ech {
    /// No such extension.
    #[default]
    None,
    /// The extension is there; it may be GREASE. What its outside names, where that could be read.
    Present(Option<EchKey>),
    /// The capture itself shows that it is meant: some record offered what the outside names.
    Offered,
}

/// Whether media could be turned back into sound or pictures, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Recovery {
    /// It was.
    Yes {
        /// The test and its outcome.
        because: String,
        /// SHA-256 of the decoded samples (16-bit little-endian), in hex; empty where they were not all decoded, as nobody wants them.
        sound: String,
    },
    /// It cannot be, by what was negotiated.
    No {
        /// What was negotiated.
        because: String,
    },
    /// Not known.
    CannotTell {
        /// What is missing.
        because: String,
    },
}

/// An observation with where and when it was first made in a flow.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// The flow.
    pub flow: FlowId,
    /// The time of the frame with which it was complete.
    pub time: Option<Timestamp>,
    /// Where.
    pub locus: Locus,
    /// How it stood on the wire: [`Protection::Plaintext`], or what keys took off.
    pub protection: Protection,
    /// What.
    pub what: Observation,
    /// Where it was made again, when repeats are folded: the first places only.
    pub again: Few<Locus>,
    /// How often it was made in all.
    pub count: u64,
}
