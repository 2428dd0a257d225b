//! Why a session stays closed, and how many of those whose keys are known were opened: every recording, cut and damaged as captures
//! are, with the reason that has to be told.
//!
//! That a session is a proxy's other leg shows only beside other flows: the library's own tests hold that.

use std::collections::BTreeSet;
use std::sync::Arc;

use farshore_model::{Flow, Protection};
use farshore_wire::Secrets;

use farshore_model::Direction;
use farshore_model::Direction::{Down, Up};

use crate::build::{ACK, ethernet, ip, tcp, udp};

use super::{CLOSED, ROWS, SESSIONS, Session, missed, read, requests};

pub(super) const NO_SUCH: &str = "no such client random";
const LATE: &str = "the capture begins after the handshake";
const LOSS: &str = "packet loss";

/// Everybody's secrets.
fn all_keys() -> Arc<Secrets> {
    let mut all = Secrets::new();
    for (label, of, secret) in SESSIONS.iter().flat_map(|it| &it.keys) {
        all.add(label, of, secret);
    }
    Arc::new(all)
}

/// Sessions that hide something.
fn sealed() -> impl Iterator<Item = &'static Session> {
    let all = SESSIONS.iter().zip(ROWS);
    all.filter(|(_, row)| row.3 != Protection::Plaintext).map(|(session, _)| session)
}

impl Session {
    /// The place among its frames of the first one that says something of that kind, by the first byte.
    fn first_of(&self, kind: u8) -> usize {
        let handshake = if self.datagrams() { 0 } else { 3 };
        let said = self.said.iter().position(|(_, _, bytes)| bytes.first() == Some(&kind));
        handshake + said.unwrap_or_else(|| panic!("{} says nothing of kind {kind}", self.name))
    }
}

/// n of m: all sessions that hide something, and the second ones of the two that are renegotiated, of 113 that the key logs speak of: those that hide nothing have keys too, and a premaster
/// secret goes by what it was sealed to, which nobody can tell to be a session that another line tells of.
#[test]
fn as_many_sessions_as_there_are_keys_are_opened() {
    let all = all_keys();
    let mut opened = BTreeSet::new();
    for session in SESSIONS.iter() {
        let kept = read(&session.frames(1_440), &all);
        opened.extend(kept.flows.iter().filter_map(|flow| flow.keys().cloned()).flat_map(|it| it.opened));
    }
    assert_eq!((opened.len(), all.sessions()), (sealed().count() + 2, 113));
}

#[test]
fn a_session_of_which_no_key_tells_is_told() {
    for session in sealed() {
        let mut others = Secrets::new();
        for other in SESSIONS.iter().filter(|it| it.name != session.name) {
            for (label, of, secret) in &other.keys {
                others.add(label, of, secret);
            }
        }
        let kept = read(&session.frames(1_440), &Arc::new(others));
        assert!(
            requests(&kept).is_empty() && !kept.flows.iter().any(Flow::is_opened),
            "{}",
            session.name
        );
        assert_eq!(missed(&kept), [NO_SUCH], "{}", session.name);
    }
}

#[test]
fn a_capture_that_begins_after_the_handshake_is_told() {
    for session in sealed() {
        let (frames, secrets) = (session.frames(1_440), session.secrets());
        // Packets of QUIC behind its handshake tell nothing of it but that they are none of anything else.
        let reason = if session.name.starts_with("quic") { None } else { Some(LATE) };
        let data = match session.datagrams() {
            _ if session.name.starts_with("quic") => 4,
            // Fewer than three protected datagrams are not called DTLS.
            true => session.first_of(23).min(frames.len() - 3),
            false => session.first_of(23),
        };
        let kept = read(&frames[data..], &secrets);
        assert!(
            requests(&kept).is_empty() && !kept.flows.iter().any(Flow::is_opened),
            "{}",
            session.name
        );
        assert_eq!(missed(&kept), Vec::from_iter(reason), "{}", session.name);
    }
}

/// The first frames are the inside of a record: what follows it shows what it was, and why it stays closed; nothing else is told of it.
#[test]
fn a_capture_that_begins_inside_a_record_is_told() {
    let (client, server) = ("192.0.2.10".parse().unwrap(), "198.51.100.20".parse().unwrap());
    let mut told = 0;
    for session in sealed().filter(|it| !it.datagrams()) {
        let sealed = |it: &&(Direction, usize, Vec<u8>)| it.0 == Down && it.2.first() == Some(&23);
        let records: Vec<u8> = session.said.iter().filter(sealed).flat_map(|it| it.2.clone()).collect();
        // Inside the first one; the same again behind it, for want of longer recordings.
        let stream = [&records[6..], &records, &records].concat();
        for (direction, from, to, ports) in [(Down, server, client, (443, 50_000)), (Up, client, server, (50_000, 443))] {
            let mut sequence = 1_000;
            let segments = stream.chunks(1_440).map(|part| {
                sequence += part.len() as u32;
                let segment = tcp(ports.0, ports.1, sequence - part.len() as u32, 77, ACK, part);
                ethernet(0x0800, &ip(from, to, 6, &segment))
            });
            let frames: Vec<_> = segments.collect();
            let kept = read(&frames, &session.secrets());
            let flow = &kept.flows[0];
            assert_eq!(missed(&kept), [LATE], "{} {direction:?} {flow:?}", session.name);
            assert_eq!(
                (flow.protection, &flow.protocols[..]),
                (Protection::Tls, &["tls"][..]),
                "{}",
                session.name
            );
            assert!(
                kept.facts.is_empty() && kept.anomalies.is_empty(),
                "{}: {:?}",
                session.name,
                kept.facts
            );
            let without = read(&frames, &Arc::new(Secrets::new()));
            assert_eq!((missed(&without).len(), without.flows[0].protection), (0, Protection::Tls));
            told += 1;
        }
    }
    assert!(told > 100, "{told}");
}

/// Both directions come by different ways to whoever captures: the server's answer before the hello it answers, and all of its flight.
#[test]
fn an_answer_that_is_captured_before_its_hello_is_read_behind_it() {
    let mut read_so = 0;
    for session in SESSIONS.iter().filter(|it| !it.datagrams()) {
        let first = |side: Direction| session.said.iter().take_while(|it| it.0 == side).count();
        let hello = first(Up);
        let answer = session.said.iter().skip(hello).take_while(|it| it.0 == Down).count();
        for size in [1_440, 200] {
            let segments = |flights: &[(Direction, usize, Vec<u8>)]| flights.iter().map(|it| it.2.len().div_ceil(size)).sum::<usize>();
            let (hello, answer) = (segments(&session.said[..hello]), segments(&session.said[hello..hello + answer]));
            let in_order = session.frames(size);
            let mut frames = in_order.clone();
            frames[3..3 + hello + answer].rotate_left(hello);
            let (expected, kept) = (read(&in_order, &session.secrets()), read(&frames, &session.secrets()));
            assert_eq!(requests(&kept), requests(&expected), "{}", session.name);
            assert_eq!(missed(&kept), missed(&expected), "{}", session.name);
            assert_eq!(kept.learnt(), expected.learnt(), "{}", session.name);
            assert_eq!(kept.flows[0].rtt.end_to_end(), None, "{}", session.name);
            // Without its hello it is what it was.
            frames.drain(3 + answer..3 + answer + hello);
            let mut alone = in_order;
            alone.drain(3..3 + hello);
            assert_eq!(
                read(&frames, &session.secrets()).learnt(),
                read(&alone, &session.secrets()).learnt(),
                "{}",
                session.name
            );
            read_so += 1;
        }
    }
    assert!(read_so > 100, "{read_so}");
}

/// Packets of QUIC behind a handshake that was not captured, more of them than a recording has: what can be told is what they look like,
/// and without keys nobody asks.
#[test]
fn quic_that_was_begun_before_the_capture_is_told_as_far_as_it_looks_so() {
    let (client, server) = ("192.0.2.10".parse().unwrap(), "198.51.100.20".parse().unwrap());
    let short = SESSIONS.iter().filter(|it| it.name.starts_with("quic")).flat_map(|it| &it.said);
    let short: Vec<_> = short.filter(|(_, _, bytes)| bytes[0] & 0xc0 == 0x40).collect();
    let frames: Vec<Vec<u8>> = short
        .iter()
        .map(|(side, _, bytes)| match side {
            Up => ethernet(0x0800, &ip(client, server, 17, &udp(50_000, 443, bytes))),
            Down => ethernet(0x0800, &ip(server, client, 17, &udp(443, 50_000, bytes))),
        })
        .collect();
    assert!(frames.len() >= 24, "{}", frames.len());
    let told = "the capture begins after the handshake, or the connection moved here, if this is QUIC, as its packets look";
    let kept = read(&frames, &all_keys());
    assert_eq!(missed(&kept), [told]);
    assert_eq!((kept.flows[0].protection, kept.flows[0].protocols.len()), (Protection::Opaque, 0));
    assert_eq!(missed(&read(&frames[..20], &all_keys())), [""; 0]);
    assert_eq!(missed(&read(&frames, &Arc::new(Secrets::new()))), [""; 0]);
}

/// Whatever frame is missing: no other reason is told than that it is, and where nothing could be opened for it, that is told.
#[test]
fn a_lost_frame_is_told_as_loss() {
    for session in sealed() {
        let (frames, secrets) = (session.frames(1_440), session.secrets());
        // A premaster secret that goes by what it was sealed to.
        let exchanged = session.keys.iter().any(|(label, ..)| label == "RSA");
        for lost in 0..frames.len() {
            let mut rest = frames.clone();
            rest.remove(lost);
            let kept = read(&rest, &secrets);
            let (why, opened) = (missed(&kept), kept.flows.iter().any(Flow::is_opened));
            let what = format!("{} without frame {lost}", session.name);
            if why.is_empty() {
                assert!(opened, "{what}: nothing was opened, and nothing is told");
            } else if session.datagrams() {
                let beginning = ["the client's hello was not captured", "no answer of the server was captured", LOSS];
                let another = ["quic1-retry", "quic1-refused"].contains(&session.name) && why == [NO_SUCH];
                assert!(another || beginning.contains(&why[0].as_str()), "{what}: {why:?}");
            } else {
                assert!(why == [LOSS] || exchanged && why == [NO_SUCH], "{what}: {why:?}");
            }
        }
        if !session.datagrams() {
            // Both hellos are needed for any of it, wherever keys are told by the session.
            let mut beheaded = frames.clone();
            beheaded.remove(3);
            let retried = session.name == "tls13-retry" || session.name.starts_with("tls12-renegotiation");
            assert!(
                retried || missed(&read(&beheaded, &secrets)) == [LOSS],
                "{} without its first hello",
                session.name
            );
        }
    }
}

#[test]
fn a_suite_that_nothing_opens_is_told_by_name() {
    let session = Session::read(CLOSED.0);
    let kept = read(&session.frames(1_440), &session.secrets());
    assert_eq!(missed(&kept), [format!("unsupported suite {}", CLOSED.1)]);
    assert!(requests(&kept).is_empty() && !kept.flows[0].is_opened());
    // Keys of others: whether the suite could be opened does not matter then.
    assert_eq!(missed(&read(&session.frames(1_440), &all_keys())), [NO_SUCH]);
}

#[test]
fn keys_that_are_not_enough_are_told_for_what_they_are() {
    let session = |name: &str| SESSIONS.iter().find(|it| it.name == name).unwrap();
    let with = |session: &Session, keep: &dyn Fn(&str) -> bool| {
        let mut secrets = Secrets::new();
        for (label, of, secret) in session.keys.iter().filter(|(label, ..)| keep(label)) {
            secrets.add(label, of, secret);
        }
        Arc::new(secrets)
    };

    // One direction alone.
    for name in ["tls13-aes128-gcm", "quic1-aes128-gcm"] {
        let it = session(name);
        let kept = read(&it.frames(1_440), &with(it, &|label| label.starts_with("CLIENT")));
        assert_eq!(requests(&kept).len(), 1, "{name}");
        assert!(kept.flows[0].is_opened() && !kept.fields.iter().any(|(path, _)| path == "http.response.body"));
        assert_eq!(
            missed(&kept),
            ["the key log has no SERVER_TRAFFIC_SECRET_0 for the session"],
            "{name}"
        );
    }

    // Secrets that are not those of the session.
    for name in ["tls12-rsa-aes128-gcm", "tls12-aes128-cbc-sha", "dtls12-aes128-gcm"] {
        let it = session(name);
        let mut secrets = Secrets::new();
        for (label, of, secret) in &it.keys {
            secrets.add(label, of, &secret.iter().map(|byte| byte ^ 1).collect::<Vec<_>>());
        }
        let kept = read(&it.frames(1_440), &Arc::new(secrets));
        assert!(requests(&kept).is_empty() && !kept.flows[0].is_opened(), "{name}");
        assert_eq!(missed(&kept), ["the keys do not fit the records"], "{name}");
    }
}
