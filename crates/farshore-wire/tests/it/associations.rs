//! SCTP: chunks in any order, twice, missing; what they carry is read as from TCP.

use farshore_model::{Observation, Protection, Transport};
use farshore_wire::Limits;

use crate::build::{CLIENT, SERVER};
use crate::run::{Kept, Tape};

use crate::build::End;

const NEAR: End = End(CLIENT, 50_000);
const FAR: End = End(SERVER, 80);
const REQUEST: &[u8] = b"GET /where?imei=490154203237518 HTTP/1.1\r\nHost: chunks.example\r\n\r\n";

fn chunk(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind, 3];
    out.extend((body.len() as u16 + 4).to_be_bytes());
    out.extend(body);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

fn data(number: u32, bytes: &[u8]) -> Vec<u8> {
    chunk(0, &[&number.to_be_bytes()[..], &[0, 1, 0, 2, 0, 0, 0, 0], bytes].concat())
}

fn init(number: u32) -> Vec<u8> {
    chunk(1, &[&[7; 8][..], &[0, 10, 0, 10], &number.to_be_bytes()].concat())
}

fn packet(from: End, to: End, chunks: &[Vec<u8>]) -> Vec<u8> {
    let ports = [from.1, to.1].map(u16::to_be_bytes).concat();
    [ports, vec![9; 8], chunks.concat()].concat()
}

fn send(tape: &mut Tape, chunks: &[Vec<u8>]) {
    let at = tape.frames.len() as i64;
    tape.ip(at, NEAR, FAR, 132, &packet(NEAR, FAR, chunks));
}

fn host(kept: &Kept) -> Vec<(u64, u64, bool)> {
    let requests = kept.facts.iter().filter(|it| matches!(it.what, Observation::Request { .. }));
    requests
        .map(|it| (it.locus.span.first_frame, it.locus.span.frame, it.locus.span.in_frame))
        .collect()
}

#[test]
fn a_request_in_chunks_is_read_in_any_order() {
    let first = u32::MAX - 1;
    let pieces: Vec<Vec<u8>> = REQUEST
        .chunks(14)
        .zip(0_u32..)
        .map(|(bytes, at)| data(first.wrapping_add(at), bytes))
        .collect();
    assert_eq!(pieces.len(), 5);
    for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [1, 0, 3, 4, 2], [2, 4, 0, 3, 1]] {
        let mut tape = Tape::default();
        send(&mut tape, &[init(first)]);
        for at in order {
            send(&mut tape, &[chunk(10, b"cookie!"), pieces[at].clone()]);
            send(&mut tape, &[pieces[at].clone()]);
        }
        let kept = tape.run();
        assert_eq!(host(&kept).len(), 1, "{order:?}: numbers wrap, and repeats are dropped");
        let flow = &kept.flows[0];
        assert_eq!((flow.transport, &*flow.protocols), (Transport::Other(132), &["http"][..]));
        assert_eq!((flow.server.port, flow.up.frames, flow.gaps()), (80, 11, 0));
        assert_eq!(*kept.facts[0].locus.layers, ["sctp", "http"]);
        assert!(
            kept.fields.iter().any(|(_, value)| value == b"490154203237518"),
            "{:?}",
            kept.fields
        );
    }
    // All in one packet: the places are those of the frame.
    let mut tape = Tape::default();
    send(&mut tape, &[init(7)]);
    send(&mut tape, &[data(7, REQUEST)]);
    let kept = tape.run();
    let span = kept.facts[0].locus.span;
    assert_eq!((span.first_frame, span.frame, span.in_frame), (2, 2, true));
    let frame = &tape.frames[1].1;
    let begins = frame.windows(4).position(|it| it == b"GET ").unwrap() as u64;
    assert!((begins..begins + REQUEST.len() as u64).contains(&span.offset));
    assert_eq!(kept.flows[0].up.payload, REQUEST.len() as u64, "control chunks are no payload");
}

#[test]
fn a_hole_is_told_and_what_comes_after_it_is_read() {
    let mut tape = Tape::default();
    send(&mut tape, &[init(100)]);
    send(&mut tape, &[data(103, REQUEST)]);
    let kept = tape.run();
    assert_eq!((host(&kept).len(), kept.flows[0].gaps(), kept.coverage.gaps.count), (1, 3, 1));
    // A handshake alone carries nothing.
    let mut tape = Tape::default();
    send(&mut tape, &[init(100)]);
    assert_eq!(tape.run().flows[0].protection, Protection::Empty);
    // The other side has it all: waiting ends after some more.
    let mut tape = Tape::default();
    send(&mut tape, &[init(100)]);
    for at in 0..9 {
        send(&mut tape, &[data(101 + at, b"more of it")]);
    }
    tape.ip(
        20,
        FAR,
        NEAR,
        132,
        &packet(FAR, NEAR, &[chunk(3, &[0, 0, 0, 109, 0, 0, 1, 0, 0, 0, 0, 0])]),
    );
    send(&mut tape, &[data(110, b"more of it")]);
    let kept = tape.run();
    assert_eq!((kept.flows[0].gaps(), kept.fields.len()), (1, 10));
}

#[test]
fn ceilings_are_told() {
    let mut tape = Tape::default();
    send(&mut tape, &[init(100)]);
    for at in 0..20 {
        send(&mut tape, &[data(102 + at, b"too early")]);
    }
    for (limits, name) in [
        (
            Limits {
                reorder_segments: 4,
                ..Limits::default()
            },
            "reorder-segments",
        ),
        (
            Limits {
                reorder_bytes: 200,
                ..Limits::default()
            },
            "reorder-bytes",
        ),
    ] {
        let kept = tape.run_with(limits);
        assert!(kept.limits.contains(&name), "{:?}", kept.limits);
        assert_eq!(kept.fields.len(), 20);
    }
}

#[test]
fn damage_is_survived() {
    let whole = packet(
        NEAR,
        FAR,
        &[
            init(7),
            chunk(3, &[0, 0, 0, 9, 0, 0, 1, 0, 0, 0, 0, 0]),
            chunk(192, &[0, 0, 0, 7]),
            data(7, REQUEST),
        ],
    );
    for cut in 0..=whole.len() {
        let mut tape = Tape::default();
        tape.ip(0, NEAR, FAR, 132, &whole[..cut]);
        for at in 0..cut {
            for flip in [0x01, 0x40, 0x80, 0xff] {
                let mut bytes = whole[..cut].to_vec();
                bytes[at] ^= flip;
                tape.ip(1, NEAR, FAR, 132, &bytes);
            }
        }
        let kept = tape.run();
        assert!(kept.anomalies.iter().all(|it| it.kind != "reader-fault"));
        assert_eq!(
            kept.coverage.frames.decoded + kept.coverage.frames.stopped,
            tape.frames.len() as u64
        );
    }
}
