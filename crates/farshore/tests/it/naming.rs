//! When an answer of DNS names a flow: this client asked, the answer lives, and no other living answer leads there.

use farshore::Datasets;
use farshore::model::audit::NameVia;

use crate::wired::{CLIENT, RESOLVER, SECOND, Wire, answer, query};

const SERVER: [u8; 4] = [198, 51, 100, 20];
const OTHER_CLIENT: [u8; 4] = [192, 0, 2, 77];
const TTL: u32 = 60;

/// Asks for a name and is answered, both from one port.
fn lookup(wire: &mut Wire, at: i64, port: u16, name: &str) {
    ask(wire, at, port, name);
    reply(wire, at + SECOND / 10, port, name, &[SERVER]);
}

fn ask(wire: &mut Wire, at: i64, port: u16, name: &str) {
    wire.udp(at, (CLIENT, port), (RESOLVER, 53), &query(port, name));
}

fn reply(wire: &mut Wire, at: i64, port: u16, name: &str, to: &[[u8; 4]]) {
    wire.udp(at, (RESOLVER, 53), (CLIENT, port), &answer(port, name, None, TTL, to));
}

/// The name and the candidates of the flow to `SERVER` that begins at a time, after what `before` did.
fn named(at: i64, before: impl FnOnce(&mut Wire)) -> (Option<String>, Vec<String>) {
    let mut wire = Wire::default();
    before(&mut wire);
    wire.knock(at, (CLIENT, 50_001), (SERVER, 443));
    outcome(&wire)
}

fn outcome(wire: &Wire) -> (Option<String>, Vec<String>) {
    let audit = wire.audit(Datasets::embedded());
    let flow = audit.flows.iter().position(|it| it.server.port == 443).unwrap();
    let destination = audit
        .destinations
        .iter()
        .find(|it| it.flows.iter().any(|it| it.0 as usize == flow))
        .unwrap();
    let names = &audit.flow_names[flow];
    assert!(names.iter().all(|it| it.via == NameVia::Dns));
    let name = names.first().map(|it| it.name.as_str().to_owned());
    assert_eq!(
        destination.name,
        name.clone().map_or("198.51.100.20".to_owned(), |it| it.to_ascii_lowercase())
    );
    (name, destination.candidates.clone())
}

fn some(name: &str) -> Option<String> {
    Some(name.to_owned())
}

#[test]
fn the_only_answer_to_ones_own_question_names_the_flow() {
    let told = named(2 * SECOND, |wire| lookup(wire, SECOND, 40_001, "a.example.net"));
    assert_eq!(told, (some("a.example.net"), vec![]));
}

#[test]
fn an_answer_to_no_question_of_ones_own_is_a_candidate() {
    let told = named(2 * SECOND, |wire| reply(wire, SECOND, 40_001, "a.example.net", &[SERVER]));
    assert_eq!(told, (None, vec!["a.example.net".to_owned()]));
}

#[test]
fn what_another_client_asked_names_nothing_here() {
    let told = named(2 * SECOND, |wire| {
        wire.udp(SECOND, (OTHER_CLIENT, 40_001), (RESOLVER, 53), &query(1, "a.example.net"));
        wire.udp(
            SECOND,
            (RESOLVER, 53),
            (OTHER_CLIENT, 40_001),
            &answer(1, "a.example.net", None, TTL, &[SERVER]),
        );
    });
    assert_eq!(told, (None, vec![]));
    // Not even when this client asked for the same name and was told another address.
    let told = named(2 * SECOND, |wire| {
        ask(wire, SECOND, 40_001, "a.example.net");
        reply(wire, SECOND, 40_001, "a.example.net", &[[203, 0, 113, 1]]);
        wire.udp(
            SECOND,
            (RESOLVER, 53),
            (OTHER_CLIENT, 40_001),
            &answer(1, "a.example.net", None, TTL, &[SERVER]),
        );
    });
    assert_eq!(told, (None, vec![]));
}

#[test]
fn an_answer_lives_as_long_as_it_says_and_no_longer() {
    let answered = SECOND + SECOND / 10;
    let ends = answered + i64::from(TTL) * SECOND;
    for (begins, alive) in [(answered, true), (ends, true), (ends + 1, false), (answered - 1, false)] {
        let mut wire = Wire::default();
        // The file may hold frames out of their order in time: only the times count.
        lookup(&mut wire, SECOND, 40_001, "a.example.net");
        wire.knock(begins, (CLIENT, 50_001), (SERVER, 443));
        let (name, candidates) = outcome(&wire);
        if alive {
            assert_eq!((name, candidates), (some("a.example.net"), vec![]), "at {begins}");
        } else {
            assert_eq!((name, candidates), (None, vec!["a.example.net".to_owned()]), "at {begins}");
        }
    }
}

#[test]
fn an_answer_given_again_lives_on() {
    let again = i64::from(TTL - 10) * SECOND;
    let late = again + i64::from(TTL - 1) * SECOND;
    let told = named(late, |wire| {
        lookup(wire, SECOND, 40_001, "a.example.net");
        lookup(wire, again, 40_001, "a.example.net");
    });
    assert_eq!(told, (some("a.example.net"), vec![]));
    // Between two lives there is none.
    let told = named(100 * SECOND, |wire| {
        lookup(wire, SECOND, 40_001, "a.example.net");
        lookup(wire, 200 * SECOND, 40_001, "a.example.net");
    });
    assert_eq!(told, (None, vec!["a.example.net".to_owned()]));
}

#[test]
fn two_living_answers_are_two_candidates_and_no_name() {
    let told = named(3 * SECOND, |wire| {
        lookup(wire, SECOND, 40_001, "a.example.net");
        lookup(wire, 2 * SECOND, 40_002, "b.example.net");
    });
    assert_eq!(told, (None, vec!["a.example.net".to_owned(), "b.example.net".to_owned()]));
    // Of which one has died, and may still be known to the client: the living one is the name.
    let told = named(i64::from(TTL) * SECOND + 2 * SECOND, |wire| {
        lookup(wire, SECOND, 40_001, "a.example.net");
        lookup(wire, 20 * SECOND, 40_002, "b.example.net");
    });
    assert_eq!(told, (some("b.example.net"), vec!["a.example.net".to_owned()]));
    // The same name twice, in whatever case, is one name.
    let told = named(3 * SECOND, |wire| {
        lookup(wire, SECOND, 40_001, "a.example.net");
        lookup(wire, 2 * SECOND, 40_002, "A.Example.Net");
    });
    assert_eq!(told.0.map(|it| it.to_ascii_lowercase()), some("a.example.net"));
    assert_eq!(told.1, Vec::<String>::new());
}

#[test]
fn an_alias_leads_back_to_the_name_that_was_asked() {
    let told = named(2 * SECOND, |wire| {
        ask(wire, SECOND, 40_001, "a.example.net");
        let it = answer(40_001, "a.example.net", Some("cache.example.org"), TTL, &[[203, 0, 113, 9], SERVER]);
        wire.udp(SECOND, (RESOLVER, 53), (CLIENT, 40_001), &it);
    });
    assert_eq!(told, (some("a.example.net"), vec![]));
}

#[test]
fn what_the_client_says_itself_comes_before_any_answer() {
    let mut wire = Wire::default();
    lookup(&mut wire, SECOND, 40_001, "a.example.net");
    wire.knock(2 * SECOND, (CLIENT, 50_001), (SERVER, 80));
    wire.data(
        2 * SECOND,
        (CLIENT, 50_001),
        (SERVER, 80),
        b"GET / HTTP/1.1\r\nHost: c.example.net\r\n\r\n",
    );
    let audit = wire.audit(Datasets::embedded());
    let flow = audit.flows.iter().position(|it| it.server.port == 80).unwrap();
    let names: Vec<_> = audit.flow_names[flow].iter().map(|it| (it.name.as_str(), it.via)).collect();
    assert_eq!(names, [("c.example.net", NameVia::HttpHost), ("a.example.net", NameVia::Dns)]);
    assert!(audit.destinations.iter().any(|it| it.name == "c.example.net"));
}

#[test]
fn nobody_is_named_by_an_address_that_was_typed() {
    let mut wire = Wire::default();
    wire.knock(SECOND, (CLIENT, 50_001), (SERVER, 80));
    wire.data(
        SECOND,
        (CLIENT, 50_001),
        (SERVER, 80),
        b"GET / HTTP/1.1\r\nHost: 198.51.100.20:80\r\n\r\n",
    );
    let audit = wire.audit(Datasets::embedded());
    assert_eq!(audit.flow_names, [vec![]]);
    assert_eq!(audit.destinations[0].name, "198.51.100.20");
    assert_eq!(audit.destinations[0].domain, None);
}

#[test]
fn a_destination_behind_a_proxy_goes_by_the_name_the_proxy_was_told() {
    let mut wire = Wire::default();
    let (client, proxy) = ((CLIENT, 50_003), (SERVER, 1_080));
    let greeting = b"SSH-2.0-OpenSSH_9.2\r\n";
    let request = b"\x05\x01\0\x03\x10voice.rooms.test\0\x16";
    wire.knock(SECOND, client, proxy).accept(SECOND, proxy, client);
    wire.data(2 * SECOND, client, proxy, b"\x05\x01\0");
    wire.further(2 * SECOND, proxy, client, 0, b"\x05\0");
    wire.further(3 * SECOND, client, proxy, 3, request);
    wire.further(3 * SECOND, proxy, client, 2, b"\x05\0\0\x01\0\0\0\0\0\0");
    wire.further(4 * SECOND, proxy, client, 12, greeting);
    wire.further(4 * SECOND, client, proxy, 3 + request.len(), greeting);
    let audit = wire.audit(Datasets::embedded());
    assert_eq!(audit.destinations[0].name, "voice.rooms.test");
    let names: Vec<_> = audit.flow_names[0].iter().map(|it| (it.name.as_str(), it.via, it.frame)).collect();
    assert_eq!(names, [("voice.rooms.test", NameVia::Socks, 5)]);
    assert!(audit.exposures.iter().any(|it| it.field == "socks.destination"));
}
