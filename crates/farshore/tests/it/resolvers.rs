//! Resolvers as destinations: who reads the questions that travel sealed, and what cannot be told of a host that also serves
//! the web.

use farshore::Datasets;
use farshore::model::{Answer, Audit, ReaderRole};

use crate::wired::{CLIENT, RESOLVER, SECOND, Wire, client_hello, labels, server_hello, sized};

const SERVER: [u8; 4] = [198, 51, 100, 53];
const HOST: &str = "dns.example";

/// Both hellos on that port.
fn session(wire: &mut Wire, port: u16) {
    wire.knock(2 * SECOND, (CLIENT, 50_001), (SERVER, port));
    let hello = client_hello(HOST, &[]);
    wire.data(2 * SECOND, (CLIENT, 50_001), (SERVER, port), &hello);
    wire.data(3 * SECOND, (SERVER, port), (CLIENT, 50_001), &server_hello());
    // The client goes on under the keys: a change of ciphers, and a record of which no more is to be seen.
    let sealed = [&[20, 3, 3, 0, 1, 1, 23, 3, 3, 0, 40][..], &[0x5a; 40]].concat();
    wire.further(4 * SECOND, (CLIENT, 50_001), (SERVER, port), hello.len(), &sealed);
}

/// The network's resolver says who answers DNS over HTTPS for it (RFC 9462): over `alpn`, at a path or at none.
fn designate(wire: &mut Wire, target: &str, path: Option<&str>) {
    let mut data = [&[0, 1][..], &labels(target), &[0, 1], &sized(b"\x02h2")].concat();
    if let Some(path) = path {
        data.extend([&[0, 7][..], &sized(path.as_bytes())].concat());
    }
    let mut message: Vec<u8> = [7_u16, 0x8180, 1, 1, 0, 0].iter().flat_map(|word| word.to_be_bytes()).collect();
    message.extend(labels("_dns.resolver.arpa"));
    message.extend([0, 64, 0, 1, 0xc0, 12, 0, 64, 0, 1, 0, 0, 0, 60]);
    message.extend(sized(&data));
    wire.udp(SECOND, (RESOLVER, 53), (CLIENT, 40_000), &message);
}

/// The field of what the session carries, and what is said of a resolver that reads it.
fn content(audit: &Audit) -> (String, Option<(String, Answer, String)>) {
    let it = audit.exposures.iter().find(|it| it.field.ends_with(".content")).unwrap();
    let resolver = it.readers.iter().find(|it| it.role == ReaderRole::DnsResolver);
    let told = resolver.map(|it| (it.party.to_string(), it.answer, it.because.to_string()));
    (it.field.to_string(), told)
}

fn audited(build: impl FnOnce(&mut Wire)) -> Audit {
    let mut wire = Wire::default();
    build(&mut wire);
    wire.audit(Datasets::embedded())
}

#[test]
fn a_resolver_reads_what_it_is_asked_over_tls() {
    let audit = audited(|wire| session(wire, 853));
    assert_eq!(*audit.flows.get(0).unwrap().protocols, ["tls", "dot"]);
    let (field, resolver) = content(&audit);
    let (party, answer, because) = resolver.unwrap();
    assert_eq!((field.as_str(), party.as_str(), answer), ("dot.content", HOST, Answer::Yes));
    assert!(because.contains("(dot): it agreed on the keys"), "{because}");
    let named = audit.destinations.iter().any(|it| it.name == HOST);
    assert!(named, "a destination like any other");
    // Where nothing came back, nothing was read for certain.
    let audit = audited(|wire| {
        wire.knock(SECOND, (CLIENT, 50_001), (SERVER, 853));
        wire.data(SECOND, (CLIENT, 50_001), (SERVER, 853), &client_hello(HOST, &[]));
    });
    assert_eq!(content(&audit).1.unwrap().1, Answer::CannotTell);
}

#[test]
fn a_designated_host_may_be_asked_or_may_serve_pages() {
    let audit = audited(|wire| {
        designate(wire, HOST, Some("/dns-query{?dns}"));
        session(wire, 443);
    });
    assert_eq!(*audit.flows.get(1).unwrap().protocols, ["tls"]);
    let (field, resolver) = content(&audit);
    let (party, answer, because) = resolver.unwrap();
    assert_eq!((field.as_str(), party.as_str(), answer), ("tls.content", HOST, Answer::CannotTell));
    assert!(because.starts_with("frame 1 designates it"), "{because}");
    // Another host, or one that is asked by other ways only.
    for (target, path) in [("other.example", Some("/dns-query{?dns}")), (HOST, None)] {
        let audit = audited(|wire| {
            designate(wire, target, path);
            session(wire, 443);
        });
        assert_eq!(content(&audit).1, None, "{target}");
    }
    assert_eq!(content(&audited(|wire| session(wire, 443))).1, None);
}
