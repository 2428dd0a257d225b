//! Handshake messages into facts. It owns what a hello and a certificate mean, and refuses to know how they were
//! carried: records, QUIC frames, anything that hands over whole messages.

use std::ops::Range;

use farshore_model::observation::{ChannelSecrecy, Ech};
use farshore_model::{Direction, Observation, Protection, Span, WireText};
use sha2::{Digest, Sha256};

use super::parse::{self, ClientHello, ServerHello};
use super::{certificate, ja};
use crate::crypto::suites;
use crate::protocols::hexadecimal::spelled;
use crate::protocols::{Field, Milestone, Sink};

/// One conversation's handshakes.
#[derive(Debug)]
pub(super) struct Handshake {
    /// `tls`, `quic`, `dtls`.
    protocol: &'static str,
    /// Who sent the last ClientHello.
    client: Option<Direction>,
    /// Whether the server asked for another ClientHello which has not come yet.
    retry: bool,
    /// Whether a ServerHello that counts was seen.
    chosen: bool,
    /// Whether it chose TLS 1.3.
    modern: bool,
    /// On this port names are asked for, unless the client asks for something else (RFC 7858, section 3.1).
    pub(super) resolver_port: bool,
}

/// A message, and where its bytes stand.
pub(super) struct Message<'a> {
    /// The bytes, header included.
    pub(super) bytes: &'a [u8],
    /// Where a range of them stands in the input.
    pub(super) at: &'a dyn Fn(Range<usize>) -> Span,
}

impl Message<'_> {
    fn span(&self) -> Span {
        (self.at)(0..self.bytes.len())
    }

    /// Where a range stands; it counts as complete when the message was.
    fn part(&self, range: Range<usize>) -> Span {
        let whole = self.span();
        if whole.in_frame {
            return (self.at)(range);
        }
        Span {
            offset: whole.offset.saturating_add(range.start as u64),
            length: range.len() as u64,
            ..whole
        }
    }
}

impl Handshake {
    pub(super) fn new(protocol: &'static str) -> Self {
        Self {
            protocol,
            client: None,
            retry: false,
            chosen: false,
            modern: false,
            resolver_port: false,
        }
    }

    /// Whether both hellos were seen.
    pub(super) fn agreed(&self) -> bool {
        self.client.is_some() && self.chosen && !self.retry
    }

    /// Whether both hellos were seen, and this is the client's side.
    pub(super) fn agreed_with(&self, direction: Direction) -> bool {
        self.agreed() && self.client == Some(direction)
    }

    /// Whether any hello was seen.
    pub(super) fn begun(&self) -> bool {
        self.client.is_some() || self.chosen
    }

    /// Takes one whole message.
    pub(super) fn message(&mut self, direction: Direction, message: &Message<'_>, out: &mut dyn Sink) {
        match message.bytes.first() {
            Some(1) => {
                if let Ok(hello) = ClientHello::read(message.bytes) {
                    self.client_hello(direction, &hello, message, out);
                }
            }
            Some(2) => {
                if let Ok(hello) = ServerHello::read(message.bytes) {
                    self.server_hello(direction, hello, message, out);
                }
            }
            // HelloVerifyRequest (RFC 6347 section 4.2.1): the hello will come again, with a cookie.
            Some(3) if self.protocol == "dtls" => self.answered(true, out),
            // HelloRetryRequest of the drafts before the 22nd.
            Some(6) => self.answered(true, out),
            Some(11) => self.certificates(direction, message, out),
            _ => {}
        }
    }

    /// Takes the beginning of a ClientHello whose end was never captured: its name may be there.
    pub(super) fn cut_message(&mut self, direction: Direction, message: &Message<'_>, out: &mut dyn Sink) {
        if message.bytes.first() == Some(&1)
            && let Ok(mut hello) = ClientHello::read(message.bytes)
        {
            hello.whole = false;
            self.client_hello(direction, &hello, message, out);
        }
    }

    /// Takes a ClientHello in the format of SSL version 2.
    pub(super) fn version_2_hello(&mut self, direction: Direction, message: &Message<'_>, out: &mut dyn Sink) {
        if let Ok(hello) = ClientHello::read_version_2(message.bytes) {
            self.client_hello(direction, &hello, message, out);
        }
    }

    fn client_hello(&mut self, direction: Direction, hello: &ClientHello<'_>, message: &Message<'_>, out: &mut dyn Sink) {
        out.client_speaks(direction);
        if let Some((name, range)) = &hello.name {
            let at = message.part(range.clone());
            out.field(Field {
                path: "tls.sni",
                value: name,
                at,
            });
            out.observe(
                Observation::PeerNamed {
                    protocol: self.protocol,
                    name: WireText::from_bytes(name),
                },
                at,
            );
        }
        let transport = match self.protocol {
            "quic" => 'q',
            "dtls" => 'd',
            _ => 't',
        };
        out.observe(
            Observation::Channel {
                protocol: self.protocol,
                version: parse::version_name(hello.highest_version()),
                cipher: None,
                readable: ChannelSecrecy::Unknown,
                // JA3 is a fingerprint of TLS over TCP; its text says nothing of DTLS, JA4's does.
                ja3: (hello.whole && self.protocol != "dtls").then(|| ja::ja3(hello)),
                ja4: hello.whole.then(|| ja::ja4(hello, transport)),
                ech: hello.ech,
            },
            message.span(),
        );
        let by_port = self.resolver_port && hello.whole && hello.alpn.is_none();
        if let Some(resolving) = hello.resolving.or(by_port.then_some("dot")) {
            out.carries(resolving);
        }
        // The second hello after a retry starts no new reading of the round trip.
        if !self.retry {
            out.milestone(Milestone::HelloSent);
        }
        self.client = Some(direction);
        self.retry = false;
        self.chosen = false;
    }

    fn server_hello(&mut self, direction: Direction, hello: ServerHello, message: &Message<'_>, out: &mut dyn Sink) {
        if self.client.is_none() {
            out.client_speaks(direction.reverse());
        }
        self.modern = matches!(hello.version, 0x0304 | 0x7f00..=0x7fff | 0xfefc);
        let readable = suites::secrecy(hello.suite);
        out.observe(
            Observation::Channel {
                protocol: self.protocol,
                version: parse::version_name(hello.version),
                cipher: Some(suites::name(hello.suite)),
                readable,
                ja3: None,
                ja4: None,
                ech: Ech::None,
            },
            message.span(),
        );
        if readable == ChannelSecrecy::Readable {
            out.protection(Protection::Plaintext);
        }
        if self.protocol == "dtls" && hello.seals_media {
            out.carries("dtls-srtp");
        }
        self.answered(hello.retry, out);
    }

    fn answered(&mut self, retry: bool, out: &mut dyn Sink) {
        out.milestone(Milestone::HelloAnswered);
        self.retry = retry;
        self.chosen = !retry;
    }

    fn certificates(&self, direction: Direction, message: &Message<'_>, out: &mut dyn Sink) {
        let of_client = self.client == Some(direction);
        for (index, range) in parse::certificates(message.bytes, self.modern).into_iter().enumerate() {
            let der = message.bytes.get(range.clone()).unwrap_or_default();
            let names = certificate::names(der);
            for (path, place) in names.holders {
                let value = der.get(place.clone()).unwrap_or_default();
                let at = message.part(range.start.saturating_add(place.start)..range.start.saturating_add(place.end));
                out.field(Field { path, value, at });
            }
            out.observe(
                Observation::Certificate {
                    subject: names.subject,
                    names: names.alternatives,
                    sha256: spelled(&Sha256::digest(der)),
                    leaf: index == 0 && !of_client,
                },
                message.part(range),
            );
        }
    }
}
