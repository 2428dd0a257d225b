//! What stands in `samples/`: every protocol has a conversation there, is recognised in it among all others, and tells the same
//! of it however TCP cut, copied and shuffled it.
//!
//! Refuses to say what is told: that is the business of each reader's own tests.

use std::path::Path;
use std::sync::LazyLock;

use farshore_model::Direction::{self, Down, Up};
use farshore_wire::protocols::{PROTOCOLS, Protocol};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::RngSeed;

use crate::build::{ACK, CLIENT, End, SERVER, SYN, SYN_ACK};
use crate::run::{Kept, Tape};
use crate::talk::{self, Talk};

fn talks() -> Vec<Talk> {
    talk::talks(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/protocols"))
}

fn read(talk: &Talk) -> Kept {
    let mut tape = Tape::default();
    for (at, frame) in (0..).zip(talk.frames(CLIENT)) {
        tape.frame(at, frame);
    }
    tape.run()
}

#[test]
fn every_protocol_is_recognised_in_its_samples() {
    let talks = talks();
    // What only another protocol can hand over has no beginning of its own.
    let begins = |it: &&&dyn Protocol| (0..=255).any(|byte| it.begins().stream.contains(byte) || it.begins().datagram.contains(byte));
    for protocol in PROTOCOLS.iter().filter(begins) {
        let its: Vec<&Talk> = talks.iter().filter(|it| it.protocol == protocol.id()).collect();
        assert!(
            !its.is_empty(),
            "{0}: write a conversation down in samples/{0}.talk; talk.rs says how",
            protocol.id()
        );
        for talk in its {
            let kept = read(talk);
            assert_eq!(kept.flows.len(), 1, "{}", talk.name);
            assert_eq!(kept.flows[0].protocols.first(), Some(&protocol.id()), "{}", talk.name);
            assert!(kept.limits.is_empty(), "{}: {:?}", talk.name, kept.limits);
        }
    }
    for talk in &talks {
        assert!(
            PROTOCOLS.iter().any(|it| it.id() == talk.protocol),
            "{}: no such protocol",
            talk.name
        );
    }
}

/// How the network and the capture treat a conversation.
#[derive(Clone, Debug)]
struct Treatment {
    talk: Index,
    /// Initial numbers of client and server.
    initial: (u32, u32),
    handshake: bool,
    /// Sizes of segments, over and over.
    cuts: Vec<usize>,
    faults: Vec<Fault>,
}

/// What befalls one of the segments.
#[derive(Clone, Debug)]
enum Fault {
    /// It comes this many places late, among those its sender sent before it heard an answer.
    Late(Index, usize),
    /// So many bytes from its first on come once more, cut as may be, this many segments later.
    Again(Index, usize, usize),
}

fn treatment() -> impl Strategy<Value = Treatment> {
    let number = || {
        prop_oneof![
            any::<u32>(),
            (0..600_u32).prop_map(|before| u32::MAX - before),
            (0..600_u32).prop_map(|it| i32::MAX as u32 - it)
        ]
    };
    let fault = prop_oneof![
        (any::<Index>(), 1..6_usize).prop_map(|(it, places)| Fault::Late(it, places)),
        (any::<Index>(), 1..200_usize, 0..20_usize).prop_map(|(it, length, later)| Fault::Again(it, length, later)),
    ];
    (
        any::<Index>(),
        (number(), number()),
        prop::bool::weighted(0.8),
        prop::collection::vec(1..120_usize, 1..5),
        prop::collection::vec(fault, 0..12),
    )
        .prop_map(|(talk, initial, handshake, cuts, faults)| Treatment {
            talk,
            initial,
            handshake,
            cuts,
            faults,
        })
}

/// A segment: whose, where in its stream, what, and how much its sender had heard.
#[derive(Clone)]
struct Sent {
    side: Direction,
    at: usize,
    bytes: Vec<u8>,
    heard: usize,
}

/// The segments of a conversation in the order they are captured in.
fn sent(talk: &Talk, how: &Treatment) -> Vec<Sent> {
    let mut cuts = how.cuts.iter().copied().cycle();
    let mut streams = [Vec::new(), Vec::new()];
    let mut turns: Vec<Vec<Sent>> = Vec::new();
    for (side, bytes) in &talk.said {
        if turns.last().is_none_or(|turn| turn[0].side != *side) {
            turns.push(Vec::new());
        }
        let (mine, theirs) = if *side == Up { (0, 1) } else { (1, 0) };
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (part, after) = rest.split_at(cuts.next().unwrap().min(rest.len()));
            turns.last_mut().unwrap().push(Sent {
                side: *side,
                at: streams[mine].len(),
                bytes: part.to_vec(),
                heard: streams[theirs].len(),
            });
            streams[mine].extend_from_slice(part);
            rest = after;
        }
        turns.retain(|turn| !turn.is_empty());
    }
    let mut order = Vec::new();
    let ends: Vec<usize> = turns
        .iter()
        .scan(0, |end, turn| {
            *end += turn.len();
            Some(*end)
        })
        .collect();
    order.extend(turns.into_iter().flatten());
    // Where no handshake tells where the numbers begin, the first segment of each side does.
    let fixed = |order: &[Sent], at: usize| !how.handshake && order[at].at == 0;
    for fault in &how.faults {
        if let Fault::Late(which, places) = fault {
            let at = which.index(order.len());
            let turn_end = *ends.iter().find(|end| **end > at).unwrap();
            let until = (at + places).min(turn_end - 1);
            if !fixed(&order, at) {
                order[at..=until].rotate_left(1);
            }
        }
    }
    for fault in &how.faults {
        if let Fault::Again(which, length, later) = fault {
            let at = which.index(order.len());
            let (side, from) = (order[at].side, order[at].at);
            let place = (at + 1 + later).min(order.len());
            // What it sent so far, and nothing of its future.
            let own = order[..place].iter().filter(|it| it.side == side);
            let until = (from + length).min(own.map(|it| it.at + it.bytes.len()).max().unwrap());
            let again = Sent {
                bytes: streams[usize::from(side == Down)][from..until].to_vec(),
                ..order[at].clone()
            };
            order.insert(place, again);
        }
    }
    order
}

fn treated(talk: &Talk, how: &Treatment) -> Kept {
    let (mut tape, (client, server)) = (Tape::default(), (End(CLIENT, talk.ports.0), End(SERVER, talk.ports.1)));
    let (mine, theirs) = how.initial;
    if how.handshake {
        tape.tcp(0, client, server, (mine, 0), SYN, b"");
        tape.tcp(0, server, client, (theirs, mine.wrapping_add(1)), SYN_ACK, b"");
    }
    let place = |initial: u32, at: usize| initial.wrapping_add(1).wrapping_add(at as u32);
    for (time, it) in (1..).zip(sent(talk, how)) {
        match it.side {
            Up => tape.tcp(time, client, server, (place(mine, it.at), place(theirs, it.heard)), ACK, &it.bytes),
            Down => tape.tcp(time, server, client, (place(theirs, it.at), place(mine, it.heard)), ACK, &it.bytes),
        };
    }
    tape.run()
}

/// Read once: there are many treatments.
static STREAMS: LazyLock<Vec<(Talk, Kept)>> = LazyLock::new(|| {
    let streams = talks().into_iter().filter(|it| !it.datagrams);
    streams
        .map(|it| {
            let kept = read(&it);
            (it, kept)
        })
        .collect()
});

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::with_cases(ProptestConfig::default().cases.max(1_500))
    })]

    #[test]
    fn any_cut_order_and_repetition_tells_the_same(how in treatment()) {
        let (talk, wanted) = how.talk.get(&STREAMS);
        let kept = treated(talk, &how);
        prop_assert_eq!(kept.learnt(), wanted.learnt(), "{}", talk.name);
        let (flow, plain) = (&kept.flows[0], &wanted.flows[0]);
        prop_assert_eq!((&flow.protocols, flow.protection), (&plain.protocols, plain.protection), "{}", talk.name);
        prop_assert_eq!((kept.flows.len(), flow.gaps(), kept.coverage.gaps.count), (1, 0, 0), "{}", talk.name);
        let odd = |it: &Kept| it.anomalies.iter().map(|it| (it.kind, it.because.clone())).collect::<Vec<_>>();
        prop_assert_eq!(odd(&kept), odd(wanted), "{}", talk.name);
        prop_assert_eq!(&kept.limits, &wanted.limits, "{}", talk.name);
    }
}
