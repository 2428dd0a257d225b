//! Work whose instructions are counted: `instructions` lists it, `instructions CASE` does one piece. `cargo xtask gate` runs each
//! under callgrind, which counts inside [`counted`] alone, and compares with `corpus/instructions.toml`.
//!
//! Refuses to measure time. Every piece is the same work each time: nothing depends on clock, host or chance, but for the seeds
//! of hash tables, which move a count by less than a hundredth.

#[path = "../tests/it/build.rs"]
#[allow(dead_code, reason = "all that is needed to build any frame")]
mod build;
#[path = "../tests/it/talk.rs"]
mod talk;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;

use farshore_model::ledger::Anomaly;
use farshore_model::observation::Observed;
use farshore_model::{Flow, FlowId, Frame, InputId, LinkType, Timestamp};
use farshore_wire::packet::Packet;
use farshore_wire::protocols::{PROTOCOLS, Protocol};
use farshore_wire::{Engine, Limits, Readable, Recorder};

use build::{ACK, SYN, SYN_ACK, ethernet, ip, tcp, udp};
use talk::Talk;

/// Flows of one protocol, so that what is paid once does not hide what is paid for each.
const FLOWS: u8 = 40;

fn main() {
    let talks = talk::talks(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/protocols"));
    let cases = cases(&talks);
    // `cargo bench` adds arguments of its own.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    match wanted.as_slice() {
        [] => cases.keys().for_each(|name| println!("{name}")),
        names => {
            for name in names {
                let case = cases.get(name.as_str()).unwrap_or_else(|| panic!("no case is named {name}"));
                println!("{name}: {}", case());
            }
        }
    }
}

type Case<'a> = Box<dyn Fn() -> String + 'a>;

/// All cases by name. Each tells what came of it, so that work that is no longer done is seen.
fn cases(talks: &[Talk]) -> BTreeMap<String, Case<'_>> {
    let mut cases: BTreeMap<String, Case<'_>> = BTreeMap::new();
    cases.insert("decode".to_owned(), Box::new(|| decode(talks)));
    cases.insert("reassembly.in-order".to_owned(), Box::new(|| read(&upload(&|_| {}), "http")));
    cases.insert(
        "reassembly.reordered".to_owned(),
        // Eight segments at a time, the last first, and every fifth twice.
        Box::new(|| {
            read(
                &upload(&|frames| {
                    frames.chunks_mut(8).for_each(<[_]>::reverse);
                    *frames = (0..)
                        .zip(frames.drain(..))
                        .flat_map(|(at, it)| vec![it; if at % 5 == 0 { 2 } else { 1 }])
                        .collect();
                }),
                "http",
            )
        }),
    );
    // What only another protocol can hand over has no beginning of its own: it is counted there.
    let begins = |it: &&&dyn Protocol| (0..=255).any(|byte| it.begins().stream.contains(byte) || it.begins().datagram.contains(byte));
    for protocol in PROTOCOLS.iter().filter(begins) {
        let its = talks.iter().filter(|it| it.protocol == protocol.id());
        let largest = its.max_by_key(|it| it.said.iter().map(|(_, bytes)| bytes.len()).sum::<usize>());
        let largest = largest.unwrap_or_else(|| panic!("{}: no conversation in samples/", protocol.id()));
        cases.insert(
            format!("protocol.{}", protocol.id()),
            Box::new(|| {
                let clients = (0..FLOWS).map(|it| format!("192.0.2.{}", 100 + it));
                read(&clients.flat_map(|it| largest.frames(&it)).collect::<Vec<_>>(), protocol.id())
            }),
        );
    }
    cases
}

/// All that is counted happens in here.
#[inline(never)]
fn counted<R>(work: impl FnOnce() -> R) -> R {
    black_box(work())
}

fn frame(number: u64, bytes: &[u8]) -> Frame<'_> {
    Frame {
        input: InputId(0),
        number,
        time: Some(Timestamp::from_nanos(number as i64 * 1_000_000)),
        tick: 1,
        link: LinkType::ETHERNET,
        interface: 0,
        wire_length: bytes.len() as u32,
        bytes,
    }
}

/// Headers alone: the frames of all samples as they are, tagged, in IPv6, and in tunnels.
fn decode(talks: &[Talk]) -> String {
    let client = "192.0.2.10";
    let (near, far) = ("203.0.113.1".parse().unwrap(), "203.0.113.2".parse().unwrap());
    let (six, seven) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
    let mut frames = Vec::new();
    for plain in talks.iter().flat_map(|it| it.frames(client)) {
        let (addresses, rest) = plain.split_at(12);
        let (header, body) = plain[14..].split_at(20);
        frames.push([addresses, &[0x81, 0, 0, 7], rest].concat());
        frames.push(ethernet(0x86dd, &ip(six, seven, header[9], body)));
        frames.push(ethernet(0x0800, &ip(near, far, 47, &[&[0, 0, 8, 0], &plain[14..]].concat())));
        let tunnelled = udp(40_000, 4789, &[&[8, 0, 0, 0, 0, 0, 42, 0], &plain[..]].concat());
        frames.push(ethernet(0x0800, &ip(near, far, 17, &tunnelled)));
        frames.push(plain);
    }
    let limits = Limits::default();
    let payload: usize = counted(|| {
        let decoded = frames.iter().map(|bytes| {
            let mut packet = Packet::decode(&frame(1, bytes), &limits);
            while let Some(inner) = packet.carried {
                packet = Packet::inside(&inner);
            }
            black_box(packet.transport);
            packet.payload.len()
        });
        decoded.sum()
    });
    format!("{} frames, {payload} bytes of payload", frames.len())
}

/// A client that sends forms one behind the other, in segments that know nothing of them.
fn upload(treat: &dyn Fn(&mut Vec<Vec<u8>>)) -> Vec<Vec<u8>> {
    let (client, server) = ("192.0.2.10".parse().unwrap(), "198.51.100.20".parse().unwrap());
    let mut text = Vec::new();
    for number in 0..400 {
        let body = format!("device_id=0c9a52-{number:04}&room=M7pqZ4x{number}&").repeat(20);
        text.extend(
            format!(
                "POST /rooms/{number} HTTP/1.1\r\nHost: api.example.net\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes(),
        );
    }
    let up = |sequence, flags, bytes: &[u8]| ethernet(0x0800, &ip(client, server, 6, &tcp(50_000, 80, sequence, 9_001, flags, bytes)));
    let first = u32::MAX - 100_000;
    let mut data: Vec<Vec<u8>> = (0..)
        .zip(text.chunks(700))
        .map(|(at, bytes)| up(first.wrapping_add(1 + at * 700), ACK, bytes))
        .collect();
    treat(&mut data);
    let answer = ethernet(
        0x0800,
        &ip(server, client, 6, &tcp(80, 50_000, 9_000, first.wrapping_add(1), SYN_ACK, b"")),
    );
    [vec![up(first, SYN, b""), answer], data].concat()
}

/// Frames to facts; all flows must turn out to be of one protocol.
fn read(frames: &[Vec<u8>], protocol: &str) -> String {
    let mut heard = Heard::default();
    counted(|| {
        let mut engine = Engine::new(Limits::default());
        for (number, bytes) in (1..).zip(frames) {
            engine.frame(&frame(number, bytes), &mut heard);
        }
        engine.finish(&mut heard)
    });
    assert!(
        heard.flows > 0 && heard.recognised.get(protocol) == Some(&heard.flows),
        "{protocol}: {heard:?}"
    );
    format!("{} frames, {heard:?}", frames.len())
}

/// Keeps count and nothing else.
#[derive(Debug, Default)]
struct Heard {
    flows: usize,
    recognised: BTreeMap<&'static str, usize>,
    facts: usize,
    fields: usize,
    bytes: usize,
}

impl Recorder for Heard {
    fn flow(&mut self, _: FlowId, it: Flow) {
        self.flows += 1;
        if let Some(first) = it.protocols.first() {
            *self.recognised.entry(first).or_default() += 1;
        }
    }

    fn observe(&mut self, it: Observed) {
        self.facts += 1;
        drop(black_box(it));
    }

    fn field(&mut self, it: Readable<'_>) {
        self.fields += 1;
        self.bytes += black_box(it.value).len();
    }

    fn anomaly(&mut self, it: Anomaly) {
        drop(black_box(it));
    }

    fn limit(&mut self, name: &'static str) {
        panic!("a ceiling is hit: {name}");
    }

    fn wants_payload(&self) -> bool {
        false
    }
}
