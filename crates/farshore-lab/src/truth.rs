//! Owns the truth file: everything a world knows of its own captures, in a form any program can read.
//!
//! Frames count from 1 and offsets from the frame's first byte, as Wireshark counts them. Refuses judgement:
//! it says what was sent, not what that means.

use serde::Serialize;

use crate::client::{Client, Direction, FlowId, Frame, Transport};
use crate::clock;
use crate::payload::Mark;
use crate::tls::Session;

/// What is true of one edition of a world.
#[derive(Debug, Clone, Serialize)]
pub struct Truth {
    /// `farshore-lab.truth/1`: keys may be added, none changes meaning.
    pub schema: &'static str,
    /// Which world.
    pub world: &'static str,
    /// Which edition.
    pub edition: &'static str,
    /// Always so: people, companies and networks are made up.
    pub fictional: bool,
    /// Key log of all captures.
    pub keylog: String,
    /// Root of the made-up certification authority, DER in hex.
    pub root_certificate: String,
    /// Parties.
    pub parties: Vec<Party>,
    /// Networks.
    pub networks: Vec<Network>,
    /// Addresses and where they stand.
    pub places: Vec<Place>,
    /// Users, each with one device.
    pub users: Vec<User>,
    /// Rooms.
    pub rooms: Vec<Room>,
    /// Captures.
    pub captures: Vec<Capture>,
}

/// A made-up organisation.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Party {
    /// Short name used everywhere else.
    pub id: &'static str,
    /// Name.
    pub name: &'static str,
    /// What it does.
    pub kind: &'static str,
    /// Domains it holds.
    pub domains: &'static [&'static str],
    /// Country of its seat.
    pub seat: &'static str,
    /// Country it is incorporated in.
    pub incorporated_in: &'static str,
    /// Countries it has further units in.
    pub establishments: &'static [&'static str],
    /// Id of the party that owns it, or empty.
    pub parent: &'static str,
    /// Always so.
    pub fictional: bool,
}

/// A made-up network in documentation ranges (RFC 5737, RFC 5398).
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Network {
    /// Addresses.
    pub prefix: &'static str,
    /// Number.
    pub asn: u32,
    /// Holder as a registry would print it.
    pub name: &'static str,
    /// Country of registration.
    pub registered: &'static str,
}

/// Where an address stands, and what two location sources say of it.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Place {
    /// The address.
    pub address: &'static str,
    /// The true country.
    pub country: &'static str,
    /// Opinions of two sources, which may be wrong.
    pub sources: [&'static str; 2],
}

/// A user.
#[derive(Debug, Clone, Serialize)]
pub struct User {
    /// First name.
    pub name: String,
    /// Account number.
    pub user_id: String,
    /// Device, a UUID.
    pub device_id: String,
    /// Cookie of the avatar host.
    pub cookie: String,
    /// Address of the device.
    pub address: String,
    /// Country the capture was taken in.
    pub vantage: String,
    /// Rooms joined, in order.
    pub rooms: Vec<String>,
}

/// A room.
#[derive(Debug, Clone, Serialize)]
pub struct Room {
    /// Its id in letters.
    pub room_id: String,
    /// Its id as a number.
    pub number: String,
    /// Users who were in it.
    pub members: Vec<String>,
}

/// A capture file.
#[derive(Debug, Clone, Serialize)]
pub struct Capture {
    /// File name.
    pub file: String,
    /// Whose device.
    pub user: String,
    /// Number of frames.
    pub frames: usize,
    /// Time of the first.
    pub first: String,
    /// Time of the last.
    pub last: String,
    /// Flows, in the order of their first frames.
    pub flows: Vec<Flow>,
    /// Planted identifiers in cleartext frames.
    pub occurrences: Vec<Occurrence>,
    /// Speech.
    pub streams: Vec<Stream>,
    /// TLS sessions.
    pub tls: Vec<TlsSession>,
    /// Planted identifiers within TLS.
    pub protected: Vec<Protected>,
}

/// A flow.
#[derive(Debug, Clone, Serialize)]
pub struct Flow {
    /// Number used by the other tables of this capture.
    pub flow: usize,
    /// `udp`, `tcp` or `icmp`.
    pub transport: &'static str,
    /// Device.
    pub client: Endpoint,
    /// Other end.
    pub server: Endpoint,
    /// What it is for: `dns`, `api`, `relay-signal`, `relay-media`, `ping`, `analytics`, `cdn`.
    pub role: &'static str,
    /// Name the device reached it by, or empty.
    pub server_name: String,
    /// Party that runs the server.
    pub party: &'static str,
    /// Country the server stands in.
    pub country: &'static str,
    /// First frame.
    pub first_frame: usize,
    /// Frames from the device.
    pub frames_up: usize,
    /// Frames to the device.
    pub frames_down: usize,
}

/// Address and port; an echo identifier stands where ICMP has no port.
#[derive(Debug, Clone, Serialize)]
pub struct Endpoint {
    /// Address.
    pub ip: String,
    /// Port.
    pub port: u16,
}

/// A planted identifier in a frame.
#[derive(Debug, Clone, Serialize)]
pub struct Occurrence {
    /// Kind.
    pub kind: &'static str,
    /// Value.
    pub value: String,
    /// How it is written.
    pub encoding: &'static str,
    /// Frame.
    pub frame: usize,
    /// First byte in the frame.
    pub offset: usize,
    /// Bytes.
    pub length: usize,
    /// Flow.
    pub flow: usize,
}

/// A planted identifier in a TLS session's application data.
#[derive(Debug, Clone, Serialize)]
pub struct Protected {
    /// Kind.
    pub kind: &'static str,
    /// Value.
    pub value: String,
    /// How it is written.
    pub encoding: &'static str,
    /// Session.
    pub client_random: String,
    /// `up` or `down`.
    pub direction: &'static str,
    /// First byte in that direction's application data.
    pub stream_offset: usize,
    /// Bytes.
    pub length: usize,
    /// Flow.
    pub flow: usize,
}

/// A stream of speech.
#[derive(Debug, Clone, Serialize)]
pub struct Stream {
    /// Synchronisation source.
    pub ssrc: u32,
    /// Payload type.
    pub payload_type: u8,
    /// `none` or `srtp`.
    pub protection: &'static str,
    /// `up` or `down`.
    pub direction: &'static str,
    /// Who speaks.
    pub speaker: String,
    /// Recording spoken.
    pub source: &'static str,
    /// Packets.
    pub packets: usize,
    /// First frame.
    pub first_frame: usize,
    /// Flow.
    pub flow: usize,
}

/// A TLS session.
#[derive(Debug, Clone, Serialize)]
pub struct TlsSession {
    /// Client random, which names it in the key log.
    pub client_random: String,
    /// Server name it asked for.
    pub server_name: String,
    /// Version.
    pub version: &'static str,
    /// Suite.
    pub cipher: &'static str,
    /// Flow.
    pub flow: usize,
}

impl TlsSession {
    pub(crate) fn new(flow: FlowId, session: &Session, server_name: &str) -> Self {
        Self {
            client_random: hex(&session.client_random),
            server_name: server_name.to_owned(),
            version: session.suite.version(),
            cipher: session.suite.name(),
            flow: flow.0,
        }
    }
}

impl Protected {
    pub(crate) fn new(flow: FlowId, session: &Session, direction: Direction, mark: &Mark) -> Self {
        Self {
            kind: mark.identifier.kind,
            value: mark.identifier.value.clone(),
            encoding: mark.encoding.name(),
            client_random: hex(&session.client_random),
            direction: word(direction),
            stream_offset: mark.range.start,
            length: mark.range.len(),
            flow: flow.0,
        }
    }
}

/// Who speaks in an RTP source.
#[derive(Debug, Clone)]
pub struct Voice {
    /// Synchronisation source.
    pub ssrc: u32,
    /// User.
    pub speaker: String,
    /// Recording.
    pub source: &'static str,
}

impl Capture {
    /// The truth of `client`'s capture; its frames are in the order of the file.
    #[must_use]
    pub fn new(file: &str, user: &str, client: &Client, voices: &[Voice], protection: &'static str) -> Self {
        let frames = &client.frames;
        let numbered = || frames.iter().enumerate().map(|(index, frame)| (index + 1, frame));
        let count = |of: &dyn Fn(&Frame) -> bool| frames.iter().filter(|frame| of(frame)).count();
        let first = |of: &dyn Fn(&Frame) -> bool| numbered().find(|(_, frame)| of(frame)).map_or(0, |(number, _)| number);

        let mut flows: Vec<Flow> = client
            .flows
            .iter()
            .enumerate()
            .map(|(index, flow)| {
                let here = |frame: &Frame| frame.flow.0 == index;
                Flow {
                    flow: index,
                    transport: match flow.transport {
                        Transport::Udp => "udp",
                        Transport::Tcp => "tcp",
                        Transport::Icmp => "icmp",
                    },
                    client: Endpoint {
                        ip: client.address.to_string(),
                        port: flow.client_port,
                    },
                    server: Endpoint {
                        ip: flow.peer.address.to_string(),
                        port: flow.server_port,
                    },
                    role: flow.role,
                    server_name: flow.peer.name.clone(),
                    party: flow.peer.party,
                    country: flow.peer.country,
                    first_frame: first(&here),
                    frames_up: count(&|frame| here(frame) && frame.direction == Direction::Up),
                    frames_down: count(&|frame| here(frame) && frame.direction == Direction::Down),
                }
            })
            .collect();
        flows.sort_by_key(|flow| flow.first_frame);

        let occurrences = numbered()
            .flat_map(|(number, frame)| {
                frame.marks.iter().map(move |mark| Occurrence {
                    kind: mark.identifier.kind,
                    value: mark.identifier.value.clone(),
                    encoding: mark.encoding.name(),
                    frame: number,
                    offset: mark.range.start,
                    length: mark.range.len(),
                    flow: frame.flow.0,
                })
            })
            .collect();

        let mut streams: Vec<Stream> = Vec::new();
        for (number, frame) in numbered() {
            let Some(voice) = voices.iter().find(|voice| Some(voice.ssrc) == frame.ssrc) else {
                continue;
            };
            let known = streams.iter_mut().find(|it| it.ssrc == voice.ssrc && it.flow == frame.flow.0);
            match known {
                Some(stream) => stream.packets += 1,
                None => streams.push(Stream {
                    ssrc: voice.ssrc,
                    payload_type: 0,
                    protection,
                    direction: word(frame.direction),
                    speaker: voice.speaker.clone(),
                    source: voice.source,
                    packets: 1,
                    first_frame: number,
                    flow: frame.flow.0,
                }),
            }
        }

        let time = |frame: Option<&Frame>| frame.map(|frame| clock::rfc3339(frame.at)).unwrap_or_default();
        Self {
            file: file.to_owned(),
            user: user.to_owned(),
            frames: frames.len(),
            first: time(frames.first()),
            last: time(frames.last()),
            flows,
            occurrences,
            streams,
            tls: client.sessions.clone(),
            protected: client.protected.clone(),
        }
    }
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "up",
        Direction::Down => "down",
    }
}

/// Lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
