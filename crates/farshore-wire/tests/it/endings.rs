//! A connection has ended when both sides' bytes are there up to their FINs, in whatever order they came.

use farshore_wire::Limits;

use crate::build::{ACK, CLIENT, End, SERVER, SYN, SYN_ACK};
use crate::run::{Kept, Tape};

const FIN: u8 = 1;
const FIN_ACK: u8 = FIN | ACK;

const ENDS: (End, End) = (End(CLIENT, 50_000), End(SERVER, 80));

/// A request, and an answer whose end is the end of the connection; then what `rest` says.
fn visit(rest: impl FnOnce(&mut Tape)) -> Kept {
    let (client, server) = ENDS;
    let mut tape = Tape::default();
    tape.tcp(0, client, server, (9, 0), SYN, b"")
        .tcp(1, server, client, (49, 10), SYN_ACK, b"")
        .tcp(2, client, server, (10, 50), ACK, b"GET /first HTTP/1.0\r\nHost: a.example\r\n\r\n");
    rest(&mut tape);
    tape.run()
}

fn asked(kept: &Kept) -> usize {
    kept.learnt().iter().filter(|it| it.contains("Request")).count()
}

#[test]
fn a_fin_that_overtakes_its_bytes_waits_for_them() {
    let (client, server) = ENDS;
    let second = b"GET /second HTTP/1.0\r\nHost: a.example\r\n\r\n";
    let kept = visit(|tape| {
        tape.tcp(3, server, client, (50, 50), FIN_ACK, b"")
            .tcp(4, client, server, (50 + second.len() as u32, 51), FIN_ACK, b"")
            .tcp(5, client, server, (50, 51), ACK, second);
    });
    assert_eq!(asked(&kept), 2, "{:?}", kept.learnt());
    assert_eq!(kept.flows[0].gaps(), 0);
}

#[test]
fn behind_the_end_of_both_sides_nothing_is_read() {
    let (client, server) = ENDS;
    let kept = visit(|tape| {
        tape.tcp(3, server, client, (50, 50), FIN_ACK, b"")
            .tcp(4, client, server, (50, 51), FIN_ACK, b"")
            .tcp(5, client, server, (500, 51), ACK, b"GET /ghost HTTP/1.0\r\nHost: a.example\r\n\r\n");
    });
    assert_eq!(asked(&kept), 1, "{:?}", kept.learnt());
    // It is counted all the same.
    assert_eq!((kept.flows[0].up.frames, kept.flows[0].gaps()), (4, 0));
}

#[test]
fn one_side_that_has_ended_is_not_both() {
    let (client, server) = ENDS;
    let kept = visit(|tape| {
        tape.tcp(3, server, client, (50, 50), FIN_ACK, b"").tcp(
            4,
            client,
            server,
            (50, 51),
            ACK,
            b"GET /second HTTP/1.0\r\nHost: a.example\r\n\r\n",
        );
    });
    assert_eq!(asked(&kept), 2, "{:?}", kept.learnt());
}

#[test]
fn a_flood_of_single_datagrams_is_not_waited_for() {
    let limits = Limits {
        waiting_flows: 4,
        ..Limits::default()
    };
    let mut tape = Tape::default();
    for port in 0..20 {
        tape.udp(
            i64::from(port),
            End(CLIENT, 50_000 + port as u16),
            End(SERVER, 4_000),
            b"\x80one of many",
        );
    }
    // One of them goes on.
    tape.udp(21, End(SERVER, 4_000), End(CLIENT, 50_003), b"\x80and back");
    let kept = tape.run_with(limits);
    assert_eq!(kept.flows.len(), 20);
    assert_eq!(kept.limits, ["waiting-flows"; 15]);
    assert_eq!((kept.flows[3].up.frames, kept.flows[3].down.frames), (1, 1));
    // What they brought was shown all the same, each once.
    let shown: Vec<_> = kept.fields.iter().filter(|(path, _)| path == "udp.payload").collect();
    assert_eq!(shown.len(), 21);
    // Without the flood nothing is given up.
    assert!(tape.run().limits.is_empty());
}

/// A message that asks for the address of a name, or tells it.
fn question(name: &[u8], answered: bool) -> Vec<u8> {
    let mut message = [
        b"\0\x07",
        if answered { b"\x81\x80" } else { b"\x01\0" },
        b"\0\x01\0\0\0\0\0\0".as_slice(),
    ]
    .concat();
    message.push(name.len() as u8);
    message.extend([name, b"\x07example\0\0\x01\0\x01"].concat());
    if answered {
        message[7] = 1;
        message.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc6\x33\x64\x07");
    }
    message
}

#[test]
fn the_readers_of_a_flood_of_queries_are_not_kept() {
    let resolver = End(SERVER, 53);
    let mut tape = Tape::default();
    for port in 0..20 {
        let name = format!("host-{port}");
        tape.udp(
            i64::from(port),
            End(CLIENT, 50_000 + port),
            resolver,
            &question(name.as_bytes(), false),
        );
    }
    // One of them is answered, and asks again.
    tape.udp(21, resolver, End(CLIENT, 50_003), &question(b"host-3", true)).udp(
        22,
        End(CLIENT, 50_003),
        resolver,
        &question(b"again", false),
    );
    let few = tape.run_with(Limits {
        waiting_flows: 4,
        ..Limits::default()
    });
    let all = tape.run();
    assert_eq!(few.learnt(), all.learnt());
    assert_eq!((few.facts.len(), &few.fields), (22, &all.fields));
    for (few, all) in few.flows.iter().zip(&all.flows) {
        assert_eq!(
            (&few.protocols, few.protection, few.initiator),
            (&all.protocols, all.protection, all.initiator)
        );
        assert_eq!(*few.protocols, ["dns"]);
    }
    // What is read without what came before is told; that nobody asks for the rest any more is no loss.
    assert_eq!((few.limits, all.limits), (vec!["waiting-flows"], vec![]));
}

#[test]
fn a_query_behind_one_that_was_answered_misses_nothing() {
    let resolver = End(SERVER, 53);
    let mut tape = Tape::default();
    for port in 0..20 {
        let (client, name) = (End(CLIENT, 50_000 + port), format!("host-{port}"));
        tape.udp(i64::from(port), client, resolver, &question(name.as_bytes(), false)).udp(
            i64::from(port),
            resolver,
            client,
            &question(name.as_bytes(), true),
        );
    }
    tape.udp(21, End(CLIENT, 50_003), resolver, &question(b"again", false));
    let few = tape.run_with(Limits {
        waiting_flows: 4,
        ..Limits::default()
    });
    let all = tape.run();
    assert_eq!((few.learnt(), few.facts.len()), (all.learnt(), 41));
    assert_eq!((few.limits, all.limits), (vec![], vec![]));
}
