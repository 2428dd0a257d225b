//! Two round trips, kept apart: to whoever answered the SYN, and to whoever answered the ClientHello. Void when in doubt.

use crate::build::{ACK, CLIENT, End, SERVER, SYN, SYN_ACK, client_hello, server_hello};
use crate::run::Tape;

const FROM: End = End(CLIENT, 50_000);
const TO: End = End(SERVER, 443);

/// Steps of a connection, each with its time in milliseconds.
#[derive(Clone, Copy)]
enum Step {
    Syn,
    SynAck,
    Hello,
    HelloFirstHalf,
    HelloSecondHalf,
    Answer,
    Ack,
}
use Step::{Ack, Answer, Hello, HelloFirstHalf, HelloSecondHalf, Syn, SynAck};

/// Transport and end-to-end round trips in milliseconds.
fn trips(steps: &[(i64, Step)]) -> (Option<u64>, Option<u64>) {
    let hello = client_hello("a.example.net");
    let middle = hello.len() / 2;
    let mut tape = Tape::default();
    for (at, step) in steps {
        match step {
            Syn => tape.tcp(*at, FROM, TO, (99, 0), SYN, b""),
            SynAck => tape.tcp(*at, TO, FROM, (499, 100), SYN_ACK, b""),
            Hello => tape.tcp(*at, FROM, TO, (100, 500), ACK, &hello),
            HelloFirstHalf => tape.tcp(*at, FROM, TO, (100, 500), ACK, &hello[..middle]),
            HelloSecondHalf => tape.tcp(*at, FROM, TO, (100 + middle as u32, 500), ACK, &hello[middle..]),
            Answer => tape.tcp(*at, TO, FROM, (500, 100 + hello.len() as u32), ACK, &server_hello()),
            Ack => tape.tcp(*at, TO, FROM, (500, 100 + hello.len() as u32), ACK, b""),
        };
    }
    let kept = tape.run();
    assert_eq!(kept.flows.len(), 1);
    let milliseconds = |it: Option<u64>| {
        it.map(|it| {
            assert_eq!(it % 1_000_000, 0);
            it / 1_000_000
        })
    };
    let rtt = kept.flows[0].rtt;
    (milliseconds(rtt.transport()), milliseconds(rtt.end_to_end()))
}

#[test]
fn a_near_front_and_a_far_end_are_two_readings() {
    let told = trips(&[(0, Syn), (20, SynAck), (21, Hello), (41, Ack), (221, Answer)]);
    assert_eq!(told, (Some(20), Some(200)));
}

#[test]
fn each_stands_without_the_other() {
    assert_eq!(trips(&[(0, Syn), (20, SynAck)]), (Some(20), None));
    assert_eq!(trips(&[(0, Hello), (200, Answer)]), (None, Some(200)), "the capture began later");
    assert_eq!(trips(&[(0, Syn), (21, Hello), (200, Answer)]), (None, Some(179)));
    assert_eq!(trips(&[(20, SynAck), (21, Hello), (200, Answer)]), (None, Some(179)));
    assert_eq!(trips(&[(0, Syn), (20, SynAck), (300, Answer)]), (Some(20), None));
}

#[test]
fn a_syn_sent_again_voids_the_one_reading_only() {
    let told = trips(&[(0, Syn), (1_000, Syn), (1_020, SynAck), (1_021, Hello), (1_221, Answer)]);
    assert_eq!(told, (None, Some(200)));
    // Also when the copy is captured after the answer to it: which of the two was answered cannot be told.
    let told = trips(&[
        (0, Syn),
        (1_010, SynAck),
        (1_011, Syn),
        (1_012, SynAck),
        (1_021, Hello),
        (1_221, Answer),
    ]);
    assert_eq!(told, (None, Some(200)));
}

#[test]
fn an_answer_sent_again_is_not_a_longer_trip() {
    assert_eq!(trips(&[(0, Syn), (20, SynAck), (500, SynAck)]), (Some(20), None));
    assert_eq!(trips(&[(0, Hello), (200, Answer), (700, Answer)]), (None, Some(200)));
}

#[test]
fn a_hello_sent_again_voids_the_other_reading_only() {
    let told = trips(&[(0, Syn), (20, SynAck), (21, Hello), (321, Hello), (421, Answer)]);
    assert_eq!(told, (Some(20), None));
    for half in [HelloFirstHalf, HelloSecondHalf] {
        let told = trips(&[
            (0, Syn),
            (20, SynAck),
            (21, HelloFirstHalf),
            (22, HelloSecondHalf),
            (321, half),
            (421, Answer),
        ]);
        assert_eq!(told, (Some(20), None), "part of it is enough");
    }
    // Once it is answered, a late copy changes nothing.
    assert_eq!(trips(&[(0, Hello), (200, Answer), (201, Hello)]), (None, Some(200)));
}

#[test]
fn the_last_byte_of_a_hello_starts_the_clock() {
    assert_eq!(
        trips(&[(0, HelloFirstHalf), (50, HelloSecondHalf), (200, Answer)]),
        (None, Some(150))
    );
}

#[test]
fn a_clock_that_steps_back_voids_both() {
    let told = trips(&[(100, Syn), (120, SynAck), (90, Hello), (300, Answer)]);
    assert_eq!(told, (None, None));
    assert_eq!(trips(&[(100, Syn), (90, SynAck)]), (None, None));
    assert_eq!(
        trips(&[(100, Syn), (120, SynAck), (121, Hello), (300, Answer), (50, Ack)]),
        (None, None),
        "later ones too"
    );
}
