//! Owns the packets of one run: conversations over UDP or TCP, with losses and packets that change places, and the bytes
//! each identifier stands in.

use std::net::Ipv4Addr;

use super::grammar::{Code, Form, Grammar, Kind, What, varint};
use super::{Cast, Plant, Run, name};
use crate::net::{self, Path, Segment};
use crate::pcapng::{self, Section};
use crate::random::Random;

const MS: u64 = 1_000_000;
/// When the first run begins: 2024-03-01 12:00:00 UTC.
const START: u64 = 1_709_294_400_000 * MS;

/// A value in a message: role, encoding, first byte and length.
type Mark = (&'static str, &'static str, usize, usize);

/// A frame under way.
struct Sent {
    at: u64,
    bytes: Vec<u8>,
    marks: Vec<Mark>,
}

/// Records one run.
pub(super) fn run(file: String, cast: Cast, grammar: &Grammar, number: u64, random: &mut Random) -> Run {
    let mut sent: Vec<Sent> = Vec::new();
    let mut now = START + number * 3_600_000 * MS + random.below(1_000_000) * MS;
    for (address, relay) in cast.addresses.iter().zip(&cast.relays) {
        conversation(&cast, grammar, (*address, *relay), &mut now, random, &mut sent);
        now += (5 + random.below(60)) * 1000 * MS;
    }
    sent.sort_by_key(|it| it.at);
    let plants = (1..).zip(&sent).flat_map(|(frame, it)| {
        it.marks.iter().map(move |(role, encoding, offset, length)| Plant {
            role,
            encoding,
            frame,
            offset: *offset as u64,
            length: *length as u64,
        })
    });
    let plants = plants.collect();
    let section = Section {
        application: "farshore-lab",
        comment: "",
        interface: "wlan0",
        description: "a run of a crowd",
    };
    Run {
        file,
        bytes: pcapng::file(&section, sent.iter().map(|it| (it.at, &it.bytes[..]))),
        cast,
        plants,
    }
}

/// What is drawn once for a conversation.
struct Talk {
    session: u64,
    streams: [u64; 2],
    token: u64,
    relay: u64,
    counters: [u64; 2],
}

fn conversation(
    cast: &Cast,
    grammar: &Grammar,
    (client, relay): (Ipv4Addr, u64),
    now: &mut u64,
    random: &mut Random,
    sent: &mut Vec<Sent>,
) {
    let server = Ipv4Addr::new(203, 0, 113, (20 + relay) as u8);
    let port = 32_768 + random.below(28_000) as u16;
    let mut talk = Talk {
        session: random.word(),
        streams: [random.word(), random.word()],
        token: random.word(),
        relay,
        counters: [random.below(1000), random.below(1000)],
    };
    let mut tcp = grammar.tcp.then(|| [random.word() as u32, random.word() as u32]);
    let mut link = Link {
        client,
        server,
        ports: (port, grammar.port),
        random,
        sent,
    };
    if let Some(sequence) = &mut tcp {
        for (up, flags) in [(true, 2), (false, 18), (true, 16)] {
            link.tcp(*now, up, sequence, flags, &[], Vec::new());
            *now += 20 * MS;
        }
    }
    // The opening first, then the others as they come.
    let mut order: Vec<usize> = Vec::new();
    for (at, kind) in grammar.kinds.iter().enumerate().skip(1) {
        order.extend(std::iter::repeat_n(at, kind.times as usize));
    }
    for at in (1..order.len()).rev() {
        order.swap(at, link.random.below(at as u64 + 1) as usize);
    }
    for at in std::iter::once(0).chain(order) {
        let kind = &grammar.kinds[at];
        *now += (5 + link.random.below(40)) * MS;
        let (bytes, marks) = message(at, kind, cast, grammar, &mut talk, *now, link.random);
        match &mut tcp {
            Some(sequence) if grammar.form == Form::Http => {
                // What the server tells is asked for first, and what it is told it acknowledges.
                let (ask, told) = if kind.up {
                    (bytes, None)
                } else {
                    (b"GET /poll HTTP/1.1\r\nHost: api.crowd.example\r\n\r\n".to_vec(), Some(bytes))
                };
                let (up, down) = if kind.up { (marks, Vec::new()) } else { (Vec::new(), marks) };
                link.tcp(*now, true, sequence, 24, &ask, up);
                *now += 25 * MS;
                let told = told.unwrap_or_else(|| b"HTTP/1.1 204 No Content\r\n\r\n".to_vec());
                link.tcp(*now, false, sequence, 24, &told, down);
            }
            Some(sequence) => link.tcp(*now, kind.up, sequence, 24, &bytes, marks),
            None => link.udp(*now, kind.up, &bytes, marks, grammar.loss),
        }
    }
}

/// Where the packets of a conversation go.
struct Link<'a> {
    client: Ipv4Addr,
    server: Ipv4Addr,
    ports: (u16, u16),
    random: &'a mut Random,
    sent: &'a mut Vec<Sent>,
}

impl Link<'_> {
    fn path(&mut self, up: bool) -> Path {
        let id = self.random.word() as u16;
        let (client, server) = ([0x02, 0, 0, 0, 0, 1], [0x02, 0, 0, 0, 0, 2]);
        let (from_mac, to_mac, from, to) = if up {
            (client, server, self.client, self.server)
        } else {
            (server, client, self.server, self.client)
        };
        Path {
            from_mac,
            to_mac,
            from,
            to,
            ttl: if up { 64 } else { 52 },
            dscp: 0,
            id,
        }
    }

    fn udp(&mut self, at: u64, up: bool, payload: &[u8], marks: Vec<Mark>, loss: u64) {
        if self.random.below(100) < loss {
            return;
        }
        // Some are overtaken by those behind them.
        let late = if self.random.below(100) < loss { 60 * MS } else { 0 };
        let (from, to) = if up { self.ports } else { (self.ports.1, self.ports.0) };
        let (bytes, header) = net::udp(&self.path(up), from, to, payload);
        self.push(at + late, bytes, header, marks);
    }

    fn tcp(&mut self, at: u64, up: bool, sequence: &mut [u32; 2], flags: u8, payload: &[u8], marks: Vec<Mark>) {
        let (from, to) = if up { self.ports } else { (self.ports.1, self.ports.0) };
        let (mine, theirs) = if up { (0, 1) } else { (1, 0) };
        let segment = Segment {
            from,
            to,
            seq: sequence[mine],
            ack: if flags == 2 { 0 } else { sequence[theirs] },
            flags,
            window: 64_000,
            options: &[],
        };
        let (bytes, header) = net::tcp(&self.path(up), &segment, payload);
        sequence[mine] = sequence[mine].wrapping_add(payload.len() as u32 + u32::from(flags & 2 != 0));
        self.push(at, bytes, header, marks);
    }

    fn push(&mut self, at: u64, bytes: Vec<u8>, header: usize, mut marks: Vec<Mark>) {
        for mark in &mut marks {
            mark.2 += header;
        }
        self.sent.push(Sent { at, bytes, marks });
    }
}

/// A message, and where the identifiers stand in it.
fn message(
    kind_number: usize,
    kind: &Kind,
    cast: &Cast,
    grammar: &Grammar,
    talk: &mut Talk,
    now: u64,
    random: &mut Random,
) -> (Vec<u8>, Vec<Mark>) {
    let side = usize::from(!kind.up);
    talk.counters[side] += 1;
    let mut body = grammar.magic.clone();
    let mut marks: Vec<Mark> = Vec::new();
    match grammar.form {
        Form::Query => body.extend(["JOIN", "DATA", "NOTE", "PING"][kind_number % 4].bytes()),
        Form::Http if kind.up => body.extend(format!("GET /v1/{}", ["join", "data", "note", "ping"][kind_number % 4]).bytes()),
        Form::Http => body.extend(b"{\"ok\":true"),
        Form::Json => body.extend(format!("{{\"op\":\"{}\"", ["join", "data", "note", "ping"][kind_number % 4]).bytes()),
        _ => body.push(kind_number as u8 + 1),
    }
    for (at, field) in kind.fields.iter().enumerate() {
        let id = |role: &'static str, index: u64| grammar.number(role, index, field.code);
        let (number, mark) = match field.what {
            What::Id("session") => (talk.session, Some("session")),
            What::Id(role) => (id(role, cast.index(role)), Some(role)),
            What::Of("build") => (id("build", cast.build), Some("build")),
            What::Of("relay") => (id("relay", talk.relay), Some("relay")),
            What::Of(_) => (id("region", talk.relay / 2), Some("region")),
            What::Kind => (kind_number as u64, None),
            What::Counter => (talk.counters[side], Some("counter")),
            What::Clock => (now / 1000 / MS, Some("clock")),
            What::Nonce => (random.word(), Some("nonce")),
            What::Stream => (talk.streams[side], Some("stream")),
            What::Token => (talk.token, Some("token")),
            What::Constant => (id("constant", 0), None),
            What::Noise => (0, None),
        };
        let number = if field.code == Code::Varint { number & 0xffff_ffff } else { number };
        let value = match field.what {
            What::Noise => {
                let length = 5 + random.below(40);
                (0..length).map(|_| random.word() as u8).collect()
            }
            _ => Grammar::write(field.code, number),
        };
        let text = matches!(field.code, Code::Decimal | Code::Hex | Code::Uuid | Code::Base64);
        match grammar.form {
            Form::Fixed if text => body.push(value.len() as u8),
            Form::Fixed => {}
            Form::Tagged(tag, length, little) => {
                put(&mut body, u64::from(field.tag), tag, little);
                put(&mut body, value.len() as u64, length, little);
            }
            Form::Lengths(length, little) => put(&mut body, value.len() as u64, length, little),
            Form::Protobuf => {
                let (wire, prefixed) = match (field.what, field.code) {
                    (What::Noise, _) => (2, true),
                    (_, Code::Varint) => (0, false),
                    (_, Code::Int(4, _)) => (5, false),
                    (_, Code::Int(8, _)) => (1, false),
                    _ => (2, true),
                };
                body.extend(varint(u64::from(field.tag) << 3 | wire));
                if prefixed {
                    body.extend(varint(value.len() as u64));
                }
            }
            Form::Http if kind.up => {
                let lead = if at == 0 { '?' } else { '&' };
                body.extend(format!("{lead}{}=", key(field.tag)).bytes());
            }
            Form::Query => {
                let lead = if at == 0 { ' ' } else { '&' };
                body.extend(format!("{lead}{}=", key(field.tag)).bytes());
            }
            Form::Json | Form::Http => body.extend(format!(",\"{}\":\"", key(field.tag)).bytes()),
        }
        if let Some(role) = mark {
            marks.push((role, name(field.code), body.len(), value.len()));
        }
        body.extend(value);
        if grammar.form == Form::Json || grammar.form == Form::Http && !kind.up {
            body.push(b'"');
        }
    }
    match grammar.form {
        Form::Query => body.push(b'\n'),
        Form::Json => body.push(b'}'),
        Form::Http if kind.up => body.extend(b" HTTP/1.1\r\nHost: api.crowd.example\r\nUser-Agent: crowd/1\r\n\r\n"),
        Form::Http => {
            body.push(b'}');
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            marks.iter_mut().for_each(|it| it.2 += head.len());
            body.splice(0..0, head.bytes());
        }
        _ => {}
    }
    body.iter_mut().for_each(|it| *it ^= grammar.mask);
    (body, marks)
}

/// A key that says nothing.
fn key(tag: u8) -> String {
    format!("k{tag}")
}

fn put(body: &mut Vec<u8>, number: u64, width: usize, little: bool) {
    if little {
        body.extend(&number.to_le_bytes()[..width]);
    } else {
        body.extend(&number.to_be_bytes()[8 - width..]);
    }
}
