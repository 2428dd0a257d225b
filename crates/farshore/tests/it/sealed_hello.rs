//! Encrypted ClientHello: a cover only where the captures themselves show that it is one.

use farshore::Datasets;
use farshore::model::Observation;
use farshore::model::observation::Ech;

use crate::wired::{CLIENT, RESOLVER, SECOND, Wire, client_hello, judged, labels, sized};

const SERVER: [u8; 4] = [198, 51, 100, 20];
const COVER: &str = "cover.example";
const SUITES: [(u16, u16); 2] = [(1, 1), (1, 3)];

/// An answer that offers one configuration, with `number`, for a host (RFC 9460, RFC 9848).
fn offer(wire: &mut Wire, at: i64, number: u8) {
    let mut contents = vec![number, 0, 0x20, 0, 32];
    contents.extend([0x5a; 32]);
    contents.extend([0, 8]);
    contents.extend(SUITES.iter().flat_map(|(a, b)| [a.to_be_bytes(), b.to_be_bytes()].concat()));
    contents.push(64);
    contents.push(COVER.len() as u8);
    contents.extend(COVER.as_bytes());
    contents.extend([0, 0]);
    let list = sized(&[&[0xfe, 0x0d][..], &sized(&contents)].concat());
    let data = [&[0, 1, 0, 0, 5][..], &sized(&list)].concat();
    let mut message: Vec<u8> = [7_u16, 0x8180, 1, 1, 0, 0].iter().flat_map(|word| word.to_be_bytes()).collect();
    message.extend(labels("hidden.example"));
    message.extend([0, 65, 0, 1, 0xc0, 12, 0, 65, 0, 1, 0, 0, 0, 60]);
    message.extend(sized(&data));
    wire.udp(at, (RESOLVER, 53), (CLIENT, 40_000), &message);
}

/// A hello to that name outside, sealed for configuration `number` under `suite`.
fn hello(wire: &mut Wire, at: i64, name: &str, number: u8, suite: (u16, u16)) {
    let outside = [
        &[0][..],
        &suite.0.to_be_bytes(),
        &suite.1.to_be_bytes(),
        &[number],
        &sized(&[9; 32]),
        &sized(&[9; 144]),
    ];
    let sealed = [&[0xfe, 0x0d][..], &sized(&outside.concat())].concat();
    wire.knock(at, (CLIENT, 50_001), (SERVER, 443));
    wire.data(at, (CLIENT, 50_001), (SERVER, 443), &client_hello(name, &sealed));
}

/// The word for the hello, and what its server is called.
fn outcome(ledger: farshore::model::Ledger) -> (Ech, String) {
    let audit = judged(ledger, Datasets::embedded());
    let ech = audit.observations.iter().find_map(|it| match it.what {
        Observation::Channel { ech, .. } => Some(ech),
        _ => None,
    });
    let flow = audit.flows.iter().position(|it| it.server.port == 443).unwrap();
    let of_flow = audit.destinations.iter().find(|it| it.flows.iter().any(|it| it.0 as usize == flow));
    (ech.unwrap(), of_flow.unwrap().name.to_string())
}

fn read(build: impl FnOnce(&mut Wire)) -> (Ech, String) {
    let mut wire = Wire::default();
    build(&mut wire);
    outcome(wire.ledger())
}

#[test]
fn what_a_record_offered_is_a_cover_and_names_no_destination() {
    let address = "198.51.100.20".to_owned();
    for (name, number, suite) in [(COVER, 7, SUITES[1]), (COVER, 8, (2, 2)), ("other.example", 7, SUITES[0])] {
        let told = read(|wire| {
            offer(wire, SECOND, 7);
            hello(wire, 2 * SECOND, name, number, suite);
        });
        assert_eq!(told, (Ech::Offered, address.clone()), "{name}, configuration {number}");
    }
    // Whichever came first in the file.
    let told = read(|wire| {
        hello(wire, 2 * SECOND, COVER, 7, SUITES[0]);
        offer(wire, SECOND, 7);
    });
    assert_eq!(told, (Ech::Offered, address));
}

#[test]
fn what_chance_filled_hides_nobody() {
    let grease = |told: (Ech, String)| {
        assert!(matches!(told.0, Ech::Present(Some(_))), "{told:?}");
        assert_eq!(told.1, "www.example");
    };
    grease(read(|wire| hello(wire, SECOND, "www.example", 7, SUITES[0])));
    // A record of somebody else: another number, or a suite that it does not offer.
    for (number, suite) in [(8, SUITES[0]), (7, (1, 2))] {
        grease(read(|wire| {
            offer(wire, SECOND, 7);
            hello(wire, 2 * SECOND, "www.example", number, suite);
        }));
    }
}

#[test]
fn a_record_in_another_input_counts() {
    let (mut first, mut second) = (Wire::default(), Wire::default());
    hello(&mut first, SECOND, COVER, 7, SUITES[0]);
    offer(&mut second, SECOND, 7);
    for [one, other] in [[&first, &second], [&second, &first]] {
        let mut ledger = one.ledger();
        ledger.merge(other.ledger());
        assert_eq!(outcome(ledger), (Ech::Offered, "198.51.100.20".to_owned()));
    }
    assert_eq!(outcome(first.ledger()).1, COVER, "by itself nothing shows that it is a cover");
}
