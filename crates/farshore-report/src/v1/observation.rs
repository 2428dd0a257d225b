//! Observations in version 1, written with `--with observations`: one row per fact.

use serde::Serialize;

use farshore_model::observation::{Observed, Recovery};
use farshore_model::{Observation, Protection};

use super::Id;
use crate::mask;
use crate::words::{self, Word};

/// One of `observations`.
#[derive(Serialize)]
pub struct Row<'a> {
    #[serde(flatten)]
    what: Fact<'a>,
    /// Read with keys.
    decrypted: bool,
    input: u32,
    flow: Id,
    frame: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_frame: Option<u64>,
    time: Option<String>,
    count: u64,
    /// Frames in which the same was said again in the same flow, the first few.
    again: Vec<u64>,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Fact<'a> {
    DnsQuery {
        protocol: &'static str,
        name: &'a str,
        r#type: &'a str,
    },
    DnsAnswer {
        name: &'a str,
        r#type: &'a str,
        value: String,
        protocol: &'static str,
        question: &'a str,
        ttl: u32,
    },
    ServerName {
        protocol: &'static str,
        name: &'a str,
    },
    Certificate {
        subject: &'a str,
        names: Vec<&'a str>,
        sha256: &'a str,
        leaf: bool,
    },
    Tls {
        version: &'a str,
        cipher: Option<&'a str>,
        ja3: Option<&'a str>,
        ja4: Option<&'a str>,
        ech: &'static str,
        protocol: &'static str,
        secrecy: &'static str,
    },
    HttpRequest {
        version: &'static str,
        method: &'a str,
        host: Option<&'a str>,
        path: String,
    },
    Media {
        protocol: &'static str,
        ssrc: u32,
        payload_type: u8,
        codec: &'a str,
        frames: u64,
        recoverable: &'static str,
        because: &'a str,
        sound: Option<&'a str>,
    },
    Sip {
        method: &'a str,
        status: Option<u16>,
        from: String,
        to: String,
        call_id: String,
        protocol: &'static str,
    },
    Session {
        protocol: &'static str,
        id: String,
    },
}

impl<'a> Row<'a> {
    /// As it stands in an audit.
    pub fn new(it: &'a Observed, show_pii: bool) -> Self {
        let span = it.locus.span;
        Self {
            what: fact(&it.what, show_pii),
            decrypted: it.protection != Protection::Plaintext,
            input: it.locus.input.0,
            flow: Id::flow(&it.flow),
            frame: span.frame,
            first_frame: (span.first_frame != span.frame).then_some(span.first_frame),
            time: it.time.map(|time| time.to_string()),
            count: it.count,
            again: it.again.iter().map(|locus| locus.span.frame).collect(),
        }
    }
}

fn fact(it: &Observation, show_pii: bool) -> Fact<'_> {
    let shown = |text: &str, mask: fn(&str) -> String| if show_pii { text.to_owned() } else { mask(text) };
    match it {
        Observation::NameAsked { protocol, name, record } => Fact::DnsQuery {
            protocol,
            name: name.as_str(),
            r#type: record,
        },
        Observation::NameBound {
            protocol,
            question,
            name,
            record,
            value,
            ttl,
        } => Fact::DnsAnswer {
            name: name.as_str(),
            r#type: record,
            value: words::bound(value),
            protocol,
            question: question.as_str(),
            ttl: *ttl,
        },
        Observation::PeerNamed { protocol, name } => Fact::ServerName {
            protocol,
            name: name.as_str(),
        },
        Observation::Certificate {
            subject,
            names,
            sha256,
            leaf,
        } => Fact::Certificate {
            subject: subject.as_str(),
            names: names.iter().map(|name| name.as_str()).collect(),
            sha256,
            leaf: *leaf,
        },
        Observation::Channel {
            protocol,
            version,
            cipher,
            readable,
            ja3,
            ja4,
            ech,
        } => Fact::Tls {
            version,
            cipher: cipher.as_deref(),
            ja3: ja3.as_deref(),
            ja4: ja4.as_deref(),
            ech: ech.word(),
            protocol,
            secrecy: readable.word(),
        },
        Observation::Request {
            version,
            method,
            host,
            path,
        } => Fact::HttpRequest {
            version,
            method: method.as_str(),
            host: host.as_ref().map(|host| host.as_str()),
            path: shown(path.as_str(), mask::path),
        },
        Observation::Media {
            protocol,
            ssrc,
            payload_type,
            codec,
            pictures: _,
            frames,
            recoverable,
        } => {
            let (answer, because, sound) = match recoverable {
                Recovery::Yes { because, sound } => ("yes", because, Some(sound.as_str()).filter(|it| !it.is_empty())),
                Recovery::No { because } => ("no", because, None),
                Recovery::CannotTell { because } => ("cannot-tell", because, None),
            };
            Fact::Media {
                protocol,
                ssrc: *ssrc,
                payload_type: *payload_type,
                codec,
                frames: *frames,
                recoverable: answer,
                because,
                sound,
            }
        }
        Observation::Call {
            protocol,
            method,
            status,
            from,
            to,
            call_id,
        } => Fact::Sip {
            method: method.as_str(),
            status: *status,
            from: shown(from.as_str(), mask::address),
            to: shown(to.as_str(), mask::address),
            call_id: shown(call_id.as_str(), mask::id),
            protocol,
        },
        Observation::SessionNamed { protocol, id } => Fact::Session {
            protocol,
            id: shown(id, mask::id),
        },
    }
}
