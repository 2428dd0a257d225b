//! The protocols that can be read, and the two interfaces they hang on.
//!
//! To add one: a folder here (`mod.rs` opens with what it is, what is extracted and why it matters, what is
//! not, and the RFCs), one line in [`PROTOCOLS`], samples beside it. A dissector translates into the neutral
//! [`Observation`]s, hands every readable value to [`Sink::field`], and never imports another dissector:
//! inner bytes go back through [`Sink::inner`].

mod amqp;
mod ber;
mod bittorrent;
mod coap;
mod dcerpc;
mod dhcp;
mod dhcpv6;
mod diameter;
mod digits;
mod dns;
mod dropbox;
mod dtls;
mod first_bytes;
mod ftp;
mod greetings;
mod gtp_c;
mod hexadecimal;
mod hl7;
pub(crate) mod http;
mod http2;
mod http3;
mod ident;
mod imap;
pub(crate) mod ipsec;
mod irc;
mod kerberos;
mod lane;
mod ldap;
mod lines;
mod mail;
mod mongodb;
mod mqtt;
mod mysql;
mod neighbours;
mod netbios;
mod nntp;
#[cfg(test)]
pub(crate) mod notebook;
mod ntlm;
mod ntp;
mod oicq;
mod openvpn;
mod pop3;
mod postgres;
mod quic;
mod radius;
mod redis;
mod rsh;
mod rsync;
mod rtcp;
mod rtp;
mod rtsp;
mod sasl;
mod sd_rtn;
mod sip;
mod smb;
mod smpp;
mod smtp;
mod snmp;
mod socks;
mod ssh;
mod stomp;
mod stun;
mod syslog;
mod tds;
mod telnet;
mod tftp;
pub(crate) mod tls;
mod tplink;
mod websocket;
mod wireguard;
mod xmpp;

use std::borrow::Cow;
use std::sync::Arc;

use farshore_model::flow::SessionPrint;
use farshore_model::ledger::Severity;
use farshore_model::{Direction, Observation, Protection, Span, Transport};

pub(crate) use self::first_bytes::candidates;
pub use self::first_bytes::{Begins, FirstBytes};
pub use self::rtp::Tried;
use crate::limits::Limits;
use crate::media_keys::MediaKeys;
use crate::packet::Mark;
use crate::recording;
use crate::resumption::Token;
use crate::secrets::{Secret, Secrets};
pub use crate::stream::{Gathered, Origin, Piece, Segment};

/// All protocols, sorted by id.
pub static PROTOCOLS: &[&dyn Protocol] = &[
    &amqp::AMQP,
    &bittorrent::BITTORRENT,
    &coap::COAP,
    &dcerpc::DCERPC,
    &dhcp::DHCP,
    &dhcpv6::DHCPV6,
    &diameter::DIAMETER,
    &dns::DNS,
    &dropbox::DROPBOX,
    &dtls::DTLS,
    &ipsec::ESP,
    &ftp::FTP,
    &gtp_c::GTP_C,
    &hl7::HL7,
    &http::HTTP,
    &http2::HTTP2,
    &http3::HTTP3,
    &ident::IDENT,
    &ipsec::IKE,
    &imap::IMAP,
    &irc::IRC,
    &kerberos::KERBEROS,
    &ldap::LDAP,
    &dns::LLMNR,
    &dns::MDNS,
    &mongodb::MONGODB,
    &mqtt::MQTT,
    &mysql::MYSQL,
    &netbios::NETBIOS,
    &nntp::NNTP,
    &ntp::NTP,
    &oicq::OICQ,
    &openvpn::OPENVPN,
    &pop3::POP3,
    &postgres::POSTGRES,
    &quic::QUIC,
    &radius::RADIUS,
    &redis::REDIS,
    &rsh::REXEC,
    &rsh::RLOGIN,
    &rsh::RSH,
    &rsync::RSYNC,
    &rtcp::RTCP,
    &rtp::RTP,
    &rtsp::RTSP,
    &sd_rtn::SD_RTN,
    &sip::SIP,
    &smb::SMB,
    &smpp::SMPP,
    &smtp::SMTP,
    &snmp::SNMP,
    &socks::SOCKS,
    &http::SSDP,
    &ssh::SSH,
    &stomp::STOMP,
    &stun::STUN,
    &syslog::SYSLOG,
    &tds::TDS,
    &telnet::TELNET,
    &tftp::TFTP,
    &tls::TLS,
    &tplink::TPLINK,
    &websocket::WEBSOCKET,
    &wireguard::WIREGUARD,
    &xmpp::XMPP,
];

/// A protocol: one static per protocol.
pub trait Protocol: Sync {
    /// Its name, as it stands in `flows[].protocols` and in the layers of a locus.
    fn id(&self) -> &'static str;
    /// Whether these first bytes are its.
    fn matches(&self, opening: &Opening<'_>) -> Match;
    /// The first bytes that may be its; of others it is not asked. The default rules nothing out.
    fn begins(&self) -> Begins {
        Begins::ANYHOW
    }
    /// How content is protected in a flow of this protocol, unless the dissector learns better.
    fn protection(&self) -> Protection;
    /// Whether one dissector reads all the streams that run side by side, rather than each its own.
    fn is_multiplexed(&self) -> bool {
        false
    }
    /// Starts reading one flow.
    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector>;
}

/// Whether a protocol recognises a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// Not this one.
    No,
    /// More bytes are needed to tell.
    Maybe,
    /// This one. Say so only on evidence in the bytes: a port alone is never enough.
    Yes,
}

/// What is known of a flow when protocols are asked whether it is theirs.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// TCP, UDP, ….
    pub transport: Transport,
    /// The client's port.
    pub client_port: u16,
    /// The server's port.
    pub server_port: u16,
    /// Layers crossed so far, outermost first: `["tcp"]`, `["udp", "quic"]`.
    pub layers: &'a [&'static str],
    /// The first bytes.
    pub start: Start<'a>,
}

impl Opening<'_> {
    /// What the first bytes of either side of a TCP stream say to this: the surer of both. Of datagrams it is not asked.
    pub fn by_either_side(&self, told: impl Fn(&[u8]) -> Match) -> Match {
        match self.start {
            Start::Hinted => Match::Yes,
            Start::Stream { up, down } if self.transport == Transport::Tcp => match (told(up), told(down)) {
                (Match::Yes, _) | (_, Match::Yes) => Match::Yes,
                (Match::Maybe, _) | (_, Match::Maybe) => Match::Maybe,
                _ => Match::No,
            },
            Start::Stream { .. } | Start::Datagrams(_) => Match::No,
        }
    }
}

/// The first bytes of a flow.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a> {
    /// Of a stream, each way.
    Stream {
        /// Client to server.
        up: &'a [u8],
        /// Server to client.
        down: &'a [u8],
    },
    /// The latest datagrams, oldest first. It is asked at each: all but the last have been the last before.
    Datagrams(&'a [(Direction, &'a [u8])]),
    /// Another protocol said what these bytes are.
    Hinted,
}

/// Reads one flow of one protocol.
pub trait Dissector: Send {
    /// Takes the next segment of one direction.
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress;
    /// Takes the next segment of one direction of one of several streams; `end` when it is the last.
    fn substream(&mut self, number: u64, direction: Direction, it: Segment<'_>, end: bool, out: &mut dyn Sink) -> Progress {
        let _ = (number, end);
        self.segment(direction, it, out)
    }
    /// The flow has ended.
    fn finish(&mut self, out: &mut dyn Sink) {
        let _ = out;
    }
    /// Whether one that begins anew with the next datagram would read it as well, or nearly so: then a flow in which nothing was said for
    /// long need not keep it.
    fn may_rest(&self) -> bool {
        false
    }
    /// Of one that may rest: whether something is still to come that it would read better than one that begins anew.
    fn is_owed(&self) -> bool {
        true
    }
    /// Whether it tells more once all flows have ended, by what others of them said.
    fn waits(&self) -> bool {
        false
    }
    /// All flows have ended. Of those that do not wait it is not asked.
    fn conclude(&mut self, out: &mut dyn Sink) {
        let _ = out;
    }
}

/// Whether a dissector wants more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It does.
    More,
    /// It has what it came for: the rest of the flow is counted only.
    Done,
    /// The bytes make no sense any more.
    Lost,
}

/// A value readable in the flow. The only thing detectors see; it lives for one call.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// Dotted path, such as `http.query.imei`. Parts that come from the wire are lower-cased and cut at 64 bytes.
    pub path: &'a str,
    /// The value's bytes.
    pub value: &'a [u8],
    /// Where it stands.
    pub at: Span,
}

/// A point in a request's life, for the end-to-end round trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Milestone {
    /// The last byte of a ClientHello was seen.
    HelloSent,
    /// The ClientHello, or part of it, was sent again: the reading is void.
    HelloRepeated,
    /// The ServerHello was seen.
    HelloAnswered,
    /// After that the client sent something under the keys that were agreed on.
    ClientSealed,
}

/// Where a dissector puts what it finds.
pub trait Sink {
    /// A fact.
    fn observe(&mut self, it: Observation, at: Span);
    /// A readable value.
    fn field(&mut self, it: Field<'_>);
    /// Something odd, as `area-thing`, with the reason.
    fn anomaly(&mut self, kind: &'static str, severity: Severity, because: String, at: Span);
    /// Two places that contradict each other, so that somebody on the path spoke in another's name; `kind` begins with
    /// `interference`.
    fn interference(&mut self, kind: &'static str, because: String, places: [Span; 2]) {
        let [first, _] = places;
        self.anomaly(kind, Severity::Warning, because, first);
    }
    /// What the IP header of the packet that is being read tells of its sender.
    fn mark(&self) -> Option<Mark> {
        None
    }
    /// Bytes of the protocol named by `hint` (an id in [`PROTOCOLS`]), found inside.
    fn inner(&mut self, direction: Direction, hint: &'static str, it: Segment<'_>);
    /// What the flow carries by its own words, though nobody reads it here: it is named and no more.
    fn carries(&mut self, it: &'static str);
    /// How this flow's content turned out to be protected.
    fn protection(&mut self, it: Protection);
    /// How far a handshake got.
    fn milestone(&mut self, it: Milestone);
    /// By the protocol's own words, bytes in this direction come from the client.
    fn client_speaks(&mut self, direction: Direction);
    /// A ceiling was hit, by its name in [`Limits::NAMES`].
    fn limit(&mut self, name: &'static str);
    /// The secrets of sessions that are known so far.
    fn secrets(&self) -> &Secrets {
        Secrets::none()
    }
    /// The master keys of media that are known: before the end, those that were when reading began.
    fn media_keys(&self) -> &MediaKeys {
        MediaKeys::none()
    }
    /// A master key of media, with its salt behind it, that a handshake in this frame agreed on; the suite by the name that signalling has for it.
    fn media_key(&mut self, suite: &'static str, master: Vec<u8>, frame: u64) {
        let _ = (suite, master, frame);
    }
    /// What was tried of other streams of media.
    fn tried(&self) -> Arc<Tried> {
        Arc::default()
    }
    /// Whether the sound of media is of use.
    fn wants_sound(&self) -> bool {
        false
    }
    /// The next piece of sound.
    fn sound(&mut self, it: recording::Piece<'_>) {
        let _ = it;
    }
    /// These stand for a session, and its master secret: another connection may go on with it.
    fn resumable(&mut self, tokens: &[Token], master: Secret, session: SessionPrint) {
        let _ = (tokens, master, session);
    }
    /// This stands for the same session as one of those.
    fn renewed(&mut self, token: Token, others: &[Token]) {
        let _ = (token, others);
    }
    /// Whether to keep what may be opened once it is known what the other flows tell of their sessions.
    fn may_keep(&mut self) -> bool {
        false
    }
    /// Whether what was kept counts; and the session that one of these stands for with its master secret, now that all flows have told
    /// theirs.
    fn resumed(&self, tokens: &[Token]) -> (bool, Option<(Secret, SessionPrint)>) {
        let _ = tokens;
        (false, None)
    }
    /// What is learnt of the ways that a connection may take.
    fn path(&mut self, it: Path<'_>) {
        let _ = it;
    }
    /// What became of a session for which there might have been keys.
    fn session(&mut self, it: Session) {
        let _ = it;
    }
    /// How what is told from here on, for as long as this call lasts, stood on the wire before keys took it off.
    fn under(&mut self, it: Protection) {
        let _ = it;
    }
    /// What was undone to read what is told from here on, for as long as this call lasts; nothing, if empty.
    fn decoded(&mut self, by: &[&'static str]) {
        let _ = by;
    }
    /// The next of a stream inside: of the protocol named by `hint`, else of one that its first bytes tell.
    fn stream(&mut self, direction: Direction, hint: Option<&'static str>, it: Segment<'_>) -> Progress {
        if let Some(hint) = hint {
            self.inner(direction, hint, it);
        }
        Progress::More
    }
    /// Which of the connections that share this flow, counted from 0, what is handed on belongs to, for as long as this call lasts.
    fn connection(&mut self, number: u64) {
        let _ = number;
    }
    /// The next of one of the streams that run side by side inside, by its number; `end` when it is the last of its direction.
    fn substream(&mut self, number: u64, direction: Direction, hint: Option<&'static str>, it: Segment<'_>, end: bool) {
        let _ = (number, end);
        self.stream(direction, hint, it);
    }
}

/// The ids by which packets of a connection are known, wherever they go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path<'a> {
    /// Packets that go this way may name this id from here on.
    Issued(&'a [u8], Direction),
    /// None does any more.
    Retired(&'a [u8]),
    /// A packet of the session was opened; which way its client speaks.
    Opened(SessionPrint, Direction),
}

/// What became of a session for which there might have been keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Session {
    /// Some of it was opened.
    Opened(SessionPrint),
    /// It, or one of its directions, stayed closed, for this reason.
    Missed(Cow<'static, str>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_each_protocol_once() {
        let ids: Vec<&str> = PROTOCOLS.iter().map(|it| it.id()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
        assert!(
            ids.iter()
                .all(|id| id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')),
            "{ids:?}"
        );
    }

    /// Nothing was sent, or one byte of nothing known: no protocol may say that it is its own.
    #[test]
    fn no_protocol_claims_a_flow_without_evidence() {
        for protocol in PROTOCOLS {
            for (client_port, server_port) in [
                (50_000, 53),
                (50_000, 80),
                (50_000, 443),
                (50_000, 8130),
                (5353, 5353),
                (50_000, 1900),
            ] {
                for byte in [0_u8, 0x16, 0x80, 0xff, b'G'] {
                    let bytes = [byte];
                    let datagrams = [(Direction::Up, &bytes[..])];
                    let starts = [
                        (Transport::Tcp, Start::Stream { up: &bytes, down: &[] }),
                        (Transport::Udp, Start::Datagrams(&datagrams)),
                    ];
                    for (transport, start) in starts {
                        let opening = Opening {
                            transport,
                            client_port,
                            server_port,
                            layers: &["test"],
                            start,
                        };
                        assert_ne!(protocol.matches(&opening), Match::Yes, "{} on port {server_port}", protocol.id());
                    }
                }
            }
        }
    }
}
