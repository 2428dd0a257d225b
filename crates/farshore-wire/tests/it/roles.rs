//! Who is the client: by the handshake, else by what the ports or the protocol say, else whoever was seen first.

use farshore_model::flow::InitiatorBasis;

use crate::build::{ACK, CLIENT, End, SERVER, SYN, SYN_ACK, dns_answer};
use crate::run::Tape;

/// Client's address and basis after one packet.
fn after(fill: impl FnOnce(&mut Tape)) -> (String, InitiatorBasis) {
    let mut tape = Tape::default();
    fill(&mut tape);
    let kept = tape.run();
    assert_eq!(kept.flows.len(), 1);
    (kept.flows[0].client.ip.to_string(), kept.flows[0].initiator)
}

#[test]
fn the_handshake_settles_it() {
    // Against all ports.
    let (client, server) = (End(CLIENT, 443), End(SERVER, 60_000));
    let told = after(|it| _ = it.tcp(0, client, server, (1, 0), SYN, b""));
    assert_eq!(told, (CLIENT.to_owned(), InitiatorBasis::Handshake));
    let told = after(|it| _ = it.tcp(0, server, client, (1, 2), SYN_ACK, b""));
    assert_eq!(told, (CLIENT.to_owned(), InitiatorBasis::Handshake));
}

#[test]
fn a_server_seen_first_is_known_by_its_port() {
    // Port of the server, of the client, and whether these tell the one from the other in TCP and in UDP.
    for (server, client, tcp, udp) in [
        (443, 50_000, true, true),
        (443, 30_000, true, true),
        (8_001, 50_000, true, true),
        (4_006, 65_535, true, true),
        // Linux gives out ports from 32768: one of those may well be a client of a media server up there.
        (40_000, 50_000, true, false),
        (8_001, 40_000, false, false),
        (50_000, 60_000, false, false),
        (500, 500, false, false),
    ] {
        for (stream, told) in [(true, tcp), (false, udp)] {
            let (from, to) = (End(SERVER, server), End(CLIENT, client));
            let (seen, basis) = after(|it| {
                if stream {
                    it.tcp(0, from, to, (9, 9), ACK, b"\xf1\xf2");
                } else {
                    it.udp(0, from, to, b"\xf1\xf2");
                }
            });
            let wanted = if told {
                (CLIENT, InitiatorBasis::Port)
            } else {
                (SERVER, InitiatorBasis::FirstPacket)
            };
            assert_eq!((seen.as_str(), basis), wanted, "{server} to {client}, {stream}");
        }
    }
}

#[test]
fn an_answer_tells_who_asked() {
    // An answer of DNS between two ports that say nothing.
    let told = after(|it| _ = it.udp(0, End(SERVER, 53), End(CLIENT, 53), &dns_answer(1, "a.example.net", [192, 0, 2, 1])));
    assert_eq!(told.0, CLIENT);
    // An echo reply.
    let told = after(|it| _ = it.ip(0, End(SERVER, 0), End(CLIENT, 0), 1, &[0, 0, 0, 0, 0, 1, 0, 1]));
    assert_eq!(told, (CLIENT.to_owned(), InitiatorBasis::Protocol));
}

#[test]
fn a_port_used_again_is_another_flow() {
    let (client, server) = (End(CLIENT, 50_000), End(SERVER, 80));
    let mut tape = Tape::default();
    tape.tcp(0, client, server, (100, 0), SYN, b"")
        .tcp(1, client, server, (100, 0), SYN, b"");
    assert_eq!(tape.run().flows.len(), 1, "the same number again is the same SYN again");
    tape.tcp(2, client, server, (7_000, 0), SYN, b"");
    let kept = tape.run();
    assert_eq!(kept.flows.len(), 2);
    assert_eq!(kept.flows.iter().map(|it| it.up.frames).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(kept.flows[0].client, kept.flows[1].client);
}

#[test]
fn beyond_the_ceiling_frames_are_counted_and_it_is_said() {
    let mut tape = Tape::default();
    for port in 0..5 {
        tape.udp(0, End(CLIENT, 50_000 + port), End(SERVER, 4_000), b"x");
    }
    let limits = farshore_wire::Limits {
        flows: 3,
        ..farshore_wire::Limits::default()
    };
    let kept = tape.run_with(limits);
    assert_eq!((kept.flows.len(), kept.coverage.frames.total), (3, 5));
    assert_eq!(kept.coverage.limits.get("flows"), Some(&2));
}
