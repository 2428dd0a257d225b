//! A proxy's two sessions: with the keys of one, the other is told for what it is; two clients of one server are no proxy.

use std::net::Ipv4Addr;
use std::sync::Arc;

use farshore::model::Audit;
use farshore::{Detecting, Detectors, Reading, Secrets, keys};
use farshore_lab::client::{Client, Direction, Peer, Transport};
use farshore_lab::payload::Payload;
use farshore_lab::pcapng;
use farshore_lab::random::Random;
use farshore_lab::tcp::Connection;
use farshore_lab::tls::certificate::Authority;
use farshore_lab::tls::{Session, Suite};

use crate::clubhouse::audit;

const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const PROXY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const OWN: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const NAME: &str = "rooms.example";

/// A session between two machines: what was captured of it, and its lines of a key log.
fn session(from: Ipv4Addr, to: Ipv4Addr, name: &str, begins: u64) -> Client {
    let label = format!("{from} {to} {name} {begins}");
    let mut client = Client::new(&label, from);
    let peer = Peer {
        name: name.to_owned(),
        address: to,
        party: "",
        country: "",
        rtt: 1_000_000,
        hops: 4,
    };
    let flow = client.open(Transport::Tcp, "session", &peer, 443);
    let mut connection = Connection::open(&mut client, flow, begins);
    let authority = Authority::new(&label, "Legs");
    let (flights, mut session) = Session::open(name, Suite::Tls13Aes128Gcm, &authority, &mut Random::named(&label));
    for (direction, bytes) in flights {
        connection.send(&mut client, direction, 0, &Payload::new().put(bytes));
    }
    let request = session.seal(Direction::Up, format!("GET / HTTP/1.1\r\nHost: {name}\r\n\r\n").as_bytes());
    connection.send(&mut client, Direction::Up, 0, &Payload::new().put(request));
    connection.close(&mut client);
    client.keylog = session.keylog;
    client
}

/// An audit of all of them in one capture, with the keys of the first.
fn with_keys_of_the_first(sessions: &[Client]) -> Audit {
    let section = pcapng::Section {
        application: "",
        comment: "",
        interface: "",
        description: "",
    };
    let all = sessions.iter().flat_map(|it| &it.frames);
    let mut frames: Vec<_> = all.map(|it| (it.at, it.bytes.as_slice())).collect();
    frames.sort_by_key(|(at, _)| *at);
    let capture = pcapng::file(&section, frames.into_iter());
    let mut secrets = Secrets::default();
    keys::read(sessions[0].keylog.join("\n").as_bytes(), &mut secrets).unwrap();
    let how = Reading {
        secrets: Arc::new(secrets),
        ..Reading::default()
    };
    let detectors = Detectors::new(&[], Detecting::default()).unwrap();
    audit(
        farshore::read(capture.as_slice(), "legs", &how, &detectors, &mut |_| {}).unwrap(),
        None,
    )
}

/// How many sessions were opened, and why others were not.
fn told(sessions: &[Client]) -> (u64, Vec<(String, u64)>) {
    let keys = with_keys_of_the_first(sessions).coverage.keys;
    (keys.matched, keys.unmatched.into_iter().collect())
}

#[test]
fn the_other_leg_of_a_proxy_is_told_for_what_it_is() {
    let leg = |flows| (1, vec![("other leg of a proxy".to_owned(), flows)]);
    let inner = |begins| session(CLIENT, PROXY, NAME, begins);
    let outer = |begins| session(PROXY, SERVER, NAME, begins);
    // Either has the keys; a proxy may be a program beside the client.
    assert_eq!(told(&[inner(0), outer(500_000)]), leg(1));
    assert_eq!(told(&[outer(500_000), inner(0)]), leg(1));
    assert_eq!(told(&[session(OWN, OWN, NAME, 0), session(CLIENT, SERVER, NAME, 500_000)]), leg(1));
    assert_eq!(told(&[session(CLIENT, SERVER, NAME, 500_000), session(OWN, OWN, NAME, 0)]), leg(1));
    assert_eq!(told(&[inner(0), outer(500_000), outer(600_000)]), leg(2));
}

#[test]
fn two_clients_of_one_server_are_no_proxy() {
    let closed = (1, vec![("no such client random".to_owned(), 1)]);
    let inner = || session(CLIENT, PROXY, NAME, 0);
    for other in [
        session(CLIENT, SERVER, NAME, 500_000),
        // Another name, and a time at which the first session was over.
        session(PROXY, SERVER, "other.example", 500_000),
        session(PROXY, SERVER, NAME, 3_600_000_000_000),
    ] {
        assert_eq!(told(&[inner(), other]), closed);
    }
}
