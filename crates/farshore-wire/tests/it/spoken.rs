//! When each side last said something new: what shows that the other end was there behind it.

use crate::build::{ACK, CLIENT, End, SERVER, SYN, SYN_ACK};
use crate::run::Tape;

const PSH_ACK: u8 = 0x18;
const RST_ACK: u8 = 0x14;
const FIN_ACK: u8 = 0x11;

/// Frames 1 to 6: a connection, a request, its answer.
fn conversation(tape: &mut Tape) -> (End, End) {
    let (client, server) = (End(CLIENT, 50_000), End(SERVER, 80));
    tape.tcp(0, client, server, (10, 0), SYN, b"");
    tape.tcp(1, server, client, (20, 11), SYN_ACK, b"");
    tape.tcp(2, client, server, (11, 21), ACK, b"");
    tape.tcp(3, client, server, (11, 21), PSH_ACK, b"ask");
    tape.tcp(4, server, client, (21, 14), PSH_ACK, b"tell");
    tape.tcp(5, client, server, (14, 25), ACK, b"");
    (client, server)
}

fn spoke(fill: impl FnOnce(&mut Tape, End, End)) -> [u32; 2] {
    let mut tape = Tape::default();
    let (client, server) = conversation(&mut tape);
    fill(&mut tape, client, server);
    let kept = tape.run();
    assert_eq!(kept.flows.len(), 1);
    kept.flows[0].spoke
}

#[test]
fn what_is_new_moves_it_on() {
    assert_eq!(spoke(|_, _, _| {}), [4, 5]);
    assert_eq!(
        spoke(|it, client, server| {
            it.tcp(6, client, server, (14, 25), PSH_ACK, b"more");
            it.tcp(7, server, client, (25, 18), PSH_ACK, b"yes");
        }),
        [7, 8]
    );
}

#[test]
fn what_was_said_before_is_no_answer() {
    for (what, sequence, flags, payload) in [
        ("a bare acknowledgement", 25, ACK, &b""[..]),
        ("a probe that makes up a byte", 24, ACK, b"\0"),
        ("the same once more", 21, PSH_ACK, b"tell"),
        ("a reset that says why", 25, RST_ACK, b"no"),
        ("the end", 25, FIN_ACK, b""),
    ] {
        let told = spoke(|it, client, server| {
            it.tcp(6, client, server, (14, 25), PSH_ACK, b"more");
            it.tcp(7, server, client, (sequence, 18), flags, payload);
        });
        assert_eq!(told, [7, 5], "{what}");
    }
}

#[test]
fn datagrams_have_no_numbers() {
    let mut tape = Tape::default();
    let (client, server) = (End(CLIENT, 50_000), End(SERVER, 9_000));
    tape.udp(0, client, server, b"ask");
    tape.udp(1, server, client, b"tell");
    tape.udp(2, client, server, b"more");
    let kept = tape.run();
    assert_eq!(kept.flows[0].spoke, [3, 2]);
    assert!(kept.flows[0].is_answered_after(1) && !kept.flows[0].is_answered_after(3));
}
