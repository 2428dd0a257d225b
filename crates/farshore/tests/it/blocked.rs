//! Connections that end, or go unanswered, when the client has said whom it wants: told with the name and with what else happened at that address, and
//! never as tampering that the bytes do not prove.

use farshore::Datasets;
use farshore::model::Audit;

use crate::wired::{CLIENT, SECOND, Wire, client_hello, judged, server_hello};

const SERVER: [u8; 4] = [198, 51, 100, 53];

/// A connection from that port; what the client says, and whether it is answered or reset.
fn connection(wire: &mut Wire, port: u16, said: &[u8], answered: bool) {
    let (client, server) = ((CLIENT, port), (SERVER, 443));
    wire.knock(SECOND, client, server);
    wire.data(2 * SECOND, client, server, said);
    match answered {
        true => wire.data(3 * SECOND, server, client, &server_hello()),
        false => wire.reset(3 * SECOND, server, client),
    };
}

fn audited(build: impl FnOnce(&mut Wire)) -> Audit {
    let mut wire = Wire::default();
    build(&mut wire);
    wire.audit(Datasets::embedded())
}

#[test]
fn a_reset_behind_a_name_is_told_with_the_name() {
    let audit = audited(|wire| {
        connection(wire, 50_001, &client_hello("open.example", &[]), true);
        connection(wire, 50_002, &client_hello("closed.example", &[]), false);
    });
    let [told] = &audit.anomalies[..] else {
        panic!("{:?}", audit.anomalies)
    };
    assert_eq!(told.kind, "reset-after-name");
    assert!(
        told.because
            .contains("named closed.example, while other names were answered at the same address and port"),
        "{}",
        told.because
    );
    assert_eq!(told.evidence.iter().map(|it| it.span.frame).collect::<Vec<_>>(), [5, 6]);
}

#[test]
fn what_else_happened_there_is_told() {
    let alone = audited(|wire| connection(wire, 50_001, &client_hello("closed.example", &[]), false));
    assert!(
        alone.anomalies[0].because.ends_with("who reset it cannot be told"),
        "{:?}",
        alone.anomalies
    );
    let at_times = audited(|wire| {
        connection(wire, 50_001, &client_hello("a.example", &[]), true);
        connection(wire, 50_002, &client_hello("a.example", &[]), false);
    });
    assert!(
        at_times.anomalies[0].because.contains("was answered when it named the same"),
        "{:?}",
        at_times.anomalies
    );
    // Without a name it is an everyday refusal.
    let nameless = audited(|wire| connection(wire, 50_001, b"\x01\x02\x03\x04 something that no protocol says", false));
    assert!(nameless.anomalies.is_empty(), "{:?}", nameless.anomalies);
}

/// A connection that is accepted, and in which the same is then said five times over.
fn unheard(wire: &mut Wire, port: u16, said: &[u8]) {
    let (client, server) = ((CLIENT, port), (SERVER, 443));
    wire.knock(0, client, server).accept(SECOND / 50, server, client);
    for at in [SECOND / 10, SECOND / 2, SECOND, 2 * SECOND, 4 * SECOND] {
        wire.data(at, client, server, said);
    }
}

#[test]
fn a_silence_behind_a_name_is_told_with_its_doubt() {
    let audit = audited(|wire| {
        connection(wire, 50_001, &client_hello("open.example", &[]), true);
        unheard(wire, 50_002, &client_hello("closed.example", &[]));
    });
    let [told] = &audit.anomalies[..] else {
        panic!("{:?}", audit.anomalies)
    };
    assert_eq!(told.kind, "silence-after-name");
    assert!(
        told.because.ends_with(
            "the client had named closed.example, while other names were answered at the same address and port; a machine or a path that died looks the same"
        ),
        "{}",
        told.because
    );
    // Where the name stands, and the copy at which patience ended.
    assert_eq!(told.evidence.iter().map(|it| it.span.frame).collect::<Vec<_>>(), [6, 9]);
    // Without a name it is an everyday failure.
    let nameless = audited(|wire| unheard(wire, 50_001, b"\x01\x02\x03\x04 something that no protocol says"));
    assert!(nameless.anomalies.is_empty(), "{:?}", nameless.anomalies);
}

#[test]
fn a_capture_that_lost_frames_tells_no_silence() {
    let mut wire = Wire::default();
    unheard(&mut wire, 50_001, &client_hello("closed.example", &[]));
    let mut ledger = wire.ledger();
    assert!(ledger.anomalies.iter().any(|it| it.kind == "silence-after-request"));
    ledger.coverage.frames.dropped = Some(1);
    assert!(judged(ledger, Datasets::embedded()).anomalies.is_empty());
}
