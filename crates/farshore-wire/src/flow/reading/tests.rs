//! When segments of a flow are of use, and that those said to be of none are. Tests only.

use farshore_model::ledger::Anomaly;
use farshore_model::observation::Observed;
use farshore_model::{Flow, FlowId, InputId};

use super::super::scene::{Known, Told};
use super::*;
use crate::engine::{Readable, Recorder};
use crate::limits::Limits;
use crate::protocols::Origin;
use Direction::{Down, Up};

/// Counts what is told.
#[derive(Default)]
struct Counter {
    wants_payload: bool,
    fields: usize,
    observed: usize,
}

impl Recorder for Counter {
    fn flow(&mut self, _: FlowId, _: Flow) {}

    fn observe(&mut self, _: Observed) {
        self.observed += 1;
    }

    fn field(&mut self, _: Readable<'_>) {
        self.fields += 1;
    }

    fn anomaly(&mut self, _: Anomaly) {}

    fn limit(&mut self, _: &'static str) {}

    fn wants_payload(&self) -> bool {
        self.wants_payload
    }
}

/// Hands `times` segments over; says at which of them they ceased to be wanted.
fn feed(reading: &mut Reading, transport: Transport, times: usize, bytes: &[u8], out: &mut Counter) -> [Option<usize>; 2] {
    let (known, mut told) = (Known::default(), Told::default());
    let mut scene = Scene {
        flow: FlowId(0),
        home: FlowId(0),
        input: InputId(0),
        time: None,
        mark: None,
        transport,
        within: None,
        client_port: 50_000,
        server_port: 50_001,
        reading: 0,
        known: &known,
        told: &mut told,
        recorder: out,
    };
    let mut ceased = [None; 2];
    for count in 0..times {
        for (direction, ceased) in [Up, Down].into_iter().zip(&mut ceased) {
            if !reading.wants(direction, &scene) {
                ceased.get_or_insert(count);
            }
            let piece = Piece {
                bytes,
                missing: 0,
                origin: Origin {
                    carrier: 1,
                    frame: 1,
                    offset: 42,
                    in_frame: true,
                },
            };
            reading.segment(direction, Segment::Bytes(piece), &mut scene);
        }
    }
    ceased
}

/// Bytes of no protocol.
fn noise() -> Vec<u8> {
    (0..1_000_u32).map(|it| (it.wrapping_mul(0x9e37_79b9) >> 24) as u8 | 0x40).collect()
}

#[test]
fn what_nobody_reads_is_wanted_until_it_is_sampled_and_searched() {
    let mut out = Counter::default();
    let mut reading = Reading::default();
    // The looks at how segments begin, and the sample, are over long before.
    let searched = Limits::default().late_bytes.div_ceil(noise().len());
    let ceased = feed(&mut reading, Transport::Tcp, 200, &noise(), &mut out);
    assert_eq!(ceased, [Some(searched); 2]);
    let told = out.fields;
    feed(&mut reading, Transport::Tcp, 40, &noise(), &mut out);
    assert_eq!(out.fields, told, "nothing more is told of it");
    let outcome = reading.outcome();
    let sampled = outcome.randomness.map(|both| both.map(|it| it.map_or(0, |it| it.sampled)));
    assert_eq!((sampled, outcome.protection), (Some([4096; 2]), None));
}

#[test]
fn all_of_it_is_wanted_by_who_looks_for_known_values() {
    let mut out = Counter {
        wants_payload: true,
        ..Counter::default()
    };
    let ceased = feed(&mut Reading::default(), Transport::Tcp, 40, &noise(), &mut out);
    // The last waits for what follows.
    assert_eq!((ceased, out.fields), ([None; 2], 79));
}

#[test]
fn datagrams_are_wanted_as_long_as_one_of_them_may_tell() {
    let limits = Limits::default();
    let mut out = Counter::default();
    let ceased = feed(&mut Reading::default(), Transport::Udp, 300, &noise(), &mut out);
    let spent = usize::try_from(limits.undecided_datagrams).unwrap() / 2;
    assert_eq!(ceased, [Some(spent); 2]);
}

#[test]
fn a_flow_without_payload_takes_little_room() {
    assert!(size_of::<Reading>() <= 32, "{}", size_of::<Reading>());
}
