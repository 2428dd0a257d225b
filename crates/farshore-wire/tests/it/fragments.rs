//! IP fragments: in any order, twice, overlapping, never whole.

use farshore_model::{FlowId, Observation, Protection};
use farshore_wire::Limits;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::build::{CLIENT, PLAIN, SERVER, V4, dns_query, ethernet, tcp, udp, v6};
use crate::run::{Kept, Tape};

const NAME: &str = "a-rather-long-name-that-takes-several-fragments.example";

/// The datagram in parts of so many bytes, each with its offset.
fn parts(whole: &[u8], size: usize) -> Vec<(usize, bool, Vec<u8>)> {
    let count = whole.len().div_ceil(size);
    let part = |(at, bytes): (usize, &[u8])| (at * size, at + 1 < count, bytes.to_vec());
    whole.chunks(size).enumerate().map(part).collect()
}

fn four(offset: usize, more: bool, bytes: &[u8], id: u16) -> Vec<u8> {
    let it = V4 {
        fragment: (offset / 8) as u16 | if more { 0x2000 } else { 0 },
        ..PLAIN
    };
    let mut packet = it.packet(CLIENT.parse().unwrap(), SERVER.parse().unwrap(), 17, bytes);
    packet[4..6].copy_from_slice(&id.to_be_bytes());
    ethernet(0x0800, &packet)
}

fn six(offset: usize, more: bool, bytes: &[u8], id: u16) -> Vec<u8> {
    let field = (offset as u16 | u16::from(more)).to_be_bytes();
    let body = [&[17, 0][..], &field, &[0, 0], &id.to_be_bytes(), bytes].concat();
    ethernet(
        0x86dd,
        &v6("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap(), 44, &body),
    )
}

type Wrap = fn(usize, bool, &[u8], u16) -> Vec<u8>;
const BOTH: [Wrap; 2] = [four, six];

fn query() -> Vec<u8> {
    udp(50_000, 53, &dns_query(1, NAME))
}

fn run(frames: &[Vec<u8>], limits: Limits) -> Kept {
    let mut tape = Tape::default();
    for (at, bytes) in (0..).zip(frames) {
        tape.frame(at, bytes.clone());
    }
    tape.run_with(limits)
}

fn asked(kept: &Kept) -> Vec<(u64, u64)> {
    let asks = kept.facts.iter().filter(|it| matches!(it.what, Observation::NameAsked { .. }));
    asks.map(|it| (it.locus.span.first_frame, it.locus.span.frame)).collect()
}

/// All orders of up to five things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for shorter in orders(count - 1) {
        for at in 0..count {
            let mut order = shorter.clone();
            order.insert(at, count - 1);
            all.push(order);
        }
    }
    all
}

#[test]
fn any_order_gives_the_datagram() {
    for wrap in BOTH {
        for size in [24, 32, 48, 64] {
            let parts = parts(&query(), size);
            for order in orders(parts.len()) {
                let frames: Vec<Vec<u8>> = order.iter().map(|at| wrap(parts[*at].0, parts[*at].1, &parts[*at].2, 7)).collect();
                let kept = run(&frames, Limits::default());
                let first = order.iter().position(|at| *at == 0).unwrap() as u64 + 1;
                assert_eq!(asked(&kept), [(first, frames.len() as u64)], "{order:?} of {size}");
                let span = kept.facts[0].locus.span;
                assert!(!span.in_frame, "put together from several frames");
                assert_eq!((span.offset, span.length), (13, NAME.len() as u64), "counted in the message");
                let flow = &kept.flows[0];
                assert_eq!((kept.flows.len(), flow.up.frames), (1, frames.len() as u64), "{order:?}");
                assert_eq!(flow.up.bytes, frames.iter().map(Vec::len).sum::<usize>() as u64);
                assert_eq!(flow.up.payload, query().len() as u64 - 8);
                assert_eq!(kept.coverage.frames.decoded, frames.len() as u64);
                assert!(kept.anomalies.is_empty() && kept.coverage.stops.is_empty());
            }
        }
    }
}

#[test]
fn repeated_parts_change_nothing_and_overlaps_are_told() {
    for wrap in BOTH {
        let parts = parts(&query(), 32);
        let wrapped = |at: usize| wrap(parts[at].0, parts[at].1, &parts[at].2, 7);
        let last = parts.len() - 1;
        // The same part again.
        let mut frames: Vec<Vec<u8>> = (0..last).map(wrapped).collect();
        frames.push(wrapped(0));
        frames.push(wrapped(last));
        let kept = run(&frames, Limits::default());
        assert_eq!((asked(&kept).len(), kept.anomalies.len()), (1, 0));
        assert_eq!(kept.flows[0].up.frames, frames.len() as u64);
        // Other bytes in the same place: what came first stands.
        let mut frames: Vec<Vec<u8>> = (0..last).map(wrapped).collect();
        frames.push(wrap(32, true, &[b'x'; 32], 7));
        frames.push(wrapped(last));
        let kept = run(&frames, Limits::default());
        let told = format!("{:?}", kept.facts);
        assert!(told.contains(NAME), "{told}");
        let kinds: Vec<&str> = kept.anomalies.iter().map(|it| it.kind).collect();
        assert_eq!(kinds, ["ip-fragment-overlap"]);
        assert_eq!(kept.anomalies[0].evidence[0].span.first_frame, last as u64 + 1);
        // A part that reaches over its neighbours fills what they leave.
        let frames = [wrapped(0), wrapped(last), wrap(8, true, &query()[8..parts[last].0 + 8], 7)];
        let kept = run(&frames, Limits::default());
        assert_eq!((asked(&kept).len(), kept.anomalies.len()), (1, 1));
    }
}

#[test]
fn another_datagram_is_another() {
    for wrap in BOTH {
        let parts = parts(&query(), 64);
        assert_eq!(parts.len(), 2);
        let wrapped = |at: usize, id| wrap(parts[at].0, parts[at].1, &parts[at].2, id);
        let kept = run(&[wrapped(0, 1), wrapped(0, 2), wrapped(1, 2), wrapped(1, 1)], Limits::default());
        assert_eq!(asked(&kept), [(2, 3), (1, 4)]);
        let kept = run(&[wrapped(0, 1), wrapped(1, 2)], Limits::default());
        assert!(asked(&kept).is_empty());
        // The same number a minute later is another datagram's.
        let mut tape = Tape::default();
        tape.frame(0, wrapped(0, 1)).frame(60_001, wrapped(1, 1));
        assert!(asked(&tape.run()).is_empty());
        let mut tape = Tape::default();
        tape.frame(0, wrapped(0, 1)).frame(59_999, wrapped(1, 1));
        assert_eq!(asked(&tape.run()).len(), 1);
    }
}

#[test]
fn what_is_never_whole_keeps_its_flow_and_says_so() {
    for wrap in BOTH {
        let parts = parts(&query(), 32);
        let wrapped = |at: usize| wrap(parts[at].0, parts[at].1, &parts[at].2, 7);
        let kept = run(&[wrapped(0), wrapped(1)], Limits::default());
        let flow = &kept.flows[0];
        assert_eq!((kept.flows.len(), flow.up.frames, flow.server.port), (1, 2, 53));
        assert_eq!(flow.up.payload, query().len() as u64 - 8, "as its header says");
        assert_ne!(flow.protection, Protection::Empty);
        let stops: Vec<(&String, &u64)> = kept.coverage.stops.iter().collect();
        assert_eq!(stops, [(&"fragment of an IP datagram that was never whole".to_owned(), &2)]);
        // Without the first there are no ports, and no flow.
        let kept = run(&[wrapped(1), wrapped(parts.len() - 1)], Limits::default());
        assert_eq!((kept.flows.len(), kept.coverage.frames.stopped), (0, 2));
    }
}

#[test]
fn tunnels_in_fragments_and_fragments_in_tunnels() {
    let head = [8, 0, 0, 0, 0, 0, 42, 0];
    let packet = |bytes: &[u8]| PLAIN.packet("203.0.113.1".parse().unwrap(), "203.0.113.2".parse().unwrap(), 17, bytes);
    let inner = ethernet(
        0x0800,
        &PLAIN.packet(CLIENT.parse().unwrap(), SERVER.parse().unwrap(), 17, &query()),
    );
    // The tunnel's datagram is cut.
    for wrap in BOTH {
        let parts = parts(&udp(40_000, 4789, &[&head[..], &inner].concat()), 48);
        let mut frames: Vec<Vec<u8>> = parts.iter().map(|(at, more, bytes)| wrap(*at, *more, bytes, 7)).collect();
        frames.reverse();
        let kept = run(&frames, Limits::default());
        let count = frames.len() as u64;
        assert_eq!(asked(&kept), [(count, count)]);
        let seen: Vec<_> = kept.flows.iter().map(|it| (&*it.protocols, it.up.frames, it.first_frame)).collect();
        assert_eq!(seen, [(&["vxlan"][..], count, count), (&["dns"][..], count, count)]);
        assert_eq!((kept.flows[1].inside, kept.coverage.frames.decoded), (Some(FlowId(0)), count));
    }
    // What the tunnel carries is cut; and a part of the same number outside is no part of it.
    for wrap in BOTH {
        let carried: Vec<Vec<u8>> = parts(&query(), 48)
            .iter()
            .map(|(at, more, bytes)| {
                let frame = udp(40_000, 4789, &[&head[..], &wrap(*at, *more, bytes, 7)].concat());
                ethernet(0x0800, &packet(&frame))
            })
            .collect();
        let last = parts(&query(), 48).pop().unwrap();
        assert_eq!(carried.len(), 2);
        let frames = [carried[0].clone(), wrap(last.0, last.1, &last.2, 7), carried[1].clone()];
        let kept = run(&frames, Limits::default());
        assert_eq!(asked(&kept), [(1, 3)]);
        let seen: Vec<_> = kept.flows.iter().map(|it| (&*it.protocols, it.up.frames, it.first_frame)).collect();
        assert_eq!(seen, [(&["vxlan"][..], 2, 1), (&["dns"][..], 2, 1)]);
        assert_eq!((kept.coverage.frames.decoded, kept.coverage.frames.stopped), (2, 1));
    }
}

#[test]
fn ceilings_are_told() {
    for wrap in BOTH {
        let parts = parts(&query(), 24);
        let frames: Vec<Vec<u8>> = parts.iter().map(|(at, more, bytes)| wrap(*at, *more, bytes, 7)).collect();
        let kept = run(
            &frames,
            Limits {
                fragments: 2,
                ..Limits::default()
            },
        );
        assert!(kept.limits.contains(&"fragments") && asked(&kept).is_empty());
        let kept = run(
            &frames,
            Limits {
                fragment_bytes: 100,
                ..Limits::default()
            },
        );
        assert!(kept.limits.contains(&"fragment-bytes") && asked(&kept).is_empty());
        let seen = &kept.coverage.frames;
        assert_eq!(seen.decoded + seen.stopped, frames.len() as u64);
    }
}

/// Every byte of every fragment is flipped and every fragment cut: nothing panics, and all frames are accounted for.
#[test]
fn damage_is_survived() {
    for wrap in BOTH {
        let parts = parts(&query(), 40);
        let frames: Vec<Vec<u8>> = parts.iter().map(|(at, more, bytes)| wrap(*at, *more, bytes, 7)).collect();
        for broken in 0..frames.len() {
            for at in 0..frames[broken].len() {
                for flip in [0x01, 0x20, 0x80, 0xff, 0] {
                    let mut frames = frames.clone();
                    if flip == 0 {
                        frames[broken].truncate(at);
                    } else {
                        frames[broken][at] ^= flip;
                    }
                    let kept = run(&frames, Limits::default());
                    let seen = &kept.coverage.frames;
                    assert_eq!(seen.decoded + seen.stopped, seen.total);
                    assert!(kept.anomalies.iter().all(|it| it.kind != "reader-fault"));
                }
            }
        }
    }
}

/// A first fragment of which the capture holds the IP header alone: the flow it opens counts its frame.
#[test]
fn a_flow_has_a_frame() {
    let it = V4 { fragment: 0x2000, ..PLAIN };
    let packet = it.packet(CLIENT.parse().unwrap(), SERVER.parse().unwrap(), 81, &[]);
    let kept = run(&[ethernet(0x0800, &packet)], Limits::default());
    assert_eq!(kept.flows.len(), 1);
    assert!(kept.flows.iter().all(|it| it.up.frames + it.down.frames > 0));
}

/// Two first parts of one datagram that name other ports: the bytes of the first stand, the flow of the other has its frame.
#[test]
fn first_fragments_that_contradict_each_other_have_a_frame_each() {
    for wrap in BOTH {
        let (whole, other) = (query(), udp(50_001, 53, &[0; 16]));
        let parts = parts(&whole, 48);
        let frames: Vec<Vec<u8>> = [(0, true, &parts[0].2), (0, true, &other), (48, false, &parts[1].2)]
            .map(|(at, more, bytes)| wrap(at, more, bytes, 7))
            .into();
        assert_eq!(parts.len(), 2);
        let kept = run(&frames, Limits::default());
        let seen: Vec<_> = kept.flows.iter().map(|it| (it.client.port, it.up.frames, it.first_frame)).collect();
        assert_eq!(seen, [(50_000, 3, 1), (50_001, 1, 2)]);
        assert_eq!(asked(&kept), [(1, 3)]);
    }
}

/// Parts of few datagrams between few hosts, damaged in any way: they contradict each other, are cut by the capture, come again.
fn scrap() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop_oneof![
        (0..3_u16, 0..40_usize).prop_map(|(port, length)| udp(50_000 + port, 53, &vec![b'x'; length])),
        (0..3_u16, any::<bool>()).prop_map(|(port, syn)| tcp(50_000 + port, 80, 7, 0, if syn { 2 } else { 16 }, b"GET / ")),
        // IPv6: an option header before the ports; IPv4: noise.
        (0..3_u16, 0..30_usize)
            .prop_map(|(port, length)| [&[17, 0, 0, 0, 0, 0, 0, 0][..], &udp(50_000 + port, 53, &vec![0; length])].concat()),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    let protocol = prop_oneof![4 => Just(17_u8), 2 => Just(6_u8), 2 => Just(60_u8), 1 => Just(4_u8), 1 => Just(47_u8)];
    let place = prop_oneof![3 => Just(0_usize), 2 => Just(8_usize), 1 => Just(16_usize), 1 => Just(24_usize)];
    let cut = prop_oneof![3 => Just(usize::MAX), 1 => 0..80_usize];
    (bytes, protocol, place, any::<bool>(), 0..2_u16, any::<bool>(), cut).prop_map(|(bytes, protocol, at, more, id, six, cut)| {
        let mut frame = if six {
            let part = [
                &[protocol, 0][..],
                &(at as u16 | u16::from(more)).to_be_bytes(),
                &u32::from(id).to_be_bytes(),
                &bytes,
            ]
            .concat();
            ethernet(
                0x86dd,
                &v6("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap(), 44, &part),
            )
        } else {
            let it = V4 {
                fragment: (at / 8) as u16 | if more { 0x2000 } else { 0 },
                ..PLAIN
            };
            let mut packet = it.packet(CLIENT.parse().unwrap(), SERVER.parse().unwrap(), protocol, &bytes);
            packet[5] = id as u8;
            ethernet(0x0800, &packet)
        };
        frame.truncate(cut.max(14));
        frame
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::with_cases(ProptestConfig::default().cases.max(3_000))
    })]

    #[test]
    fn every_flow_has_a_frame_whatever_the_parts_say(frames in prop::collection::vec(scrap(), 1..8)) {
        let kept = run(&frames, Limits::default());
        for flow in &kept.flows {
            prop_assert!(flow.up.frames + flow.down.frames > 0, "{flow:?}");
        }
        let seen = &kept.coverage.frames;
        prop_assert_eq!((seen.total, seen.decoded + seen.stopped), (frames.len() as u64, frames.len() as u64));
    }
}
