//! Who could be linked to whom in the lab's world: all who shared a room, by the right observers, and nobody else.

use std::collections::BTreeSet;
use std::sync::Arc;

use farshore::model::{Audit, Ledger, ReaderRole};
use farshore::{Datasets, Detecting, Detectors, Reading, Secrets, keys};
use farshore_lab::Edition;
use farshore_lab::truth::Truth;

use crate::clubhouse::{audit, known, record};
use crate::wired::{CLIENT, SECOND, Wire, judged};

type Pairs = BTreeSet<(String, String)>;

/// All captures of an edition in one audit, each labelled with its user; with all that was planted known, if `asked`.
fn audited(edition: Edition, asked: bool, opened: bool) -> (Truth, Audit) {
    let recording = record(edition);
    let known = if asked { known(&record(Edition::Leaky).truth) } else { Vec::new() };
    let mut secrets = Secrets::new();
    if opened {
        keys::read(recording.keylog.as_bytes(), &mut secrets).unwrap();
    }
    let how = Reading {
        secrets: Arc::new(secrets),
        ..Reading::default()
    };
    let mut ledger = Ledger::default();
    for (capture, truth) in recording.captures.iter().zip(&recording.truth.captures) {
        let detectors = Detectors::new(&known, Detecting::default()).unwrap();
        let mut one = farshore::read(capture.bytes.as_slice(), &capture.file, &how, &detectors, &mut |_| {}).unwrap();
        for input in &mut one.inputs {
            input.labels.insert("user".to_owned(), truth.user.clone());
        }
        ledger.merge(one);
    }
    (recording.truth, audit(ledger, None))
}

/// All who were in one room.
fn together(truth: &Truth) -> Pairs {
    let mut all = Pairs::new();
    for room in &truth.rooms {
        for a in &room.members {
            all.extend(room.members.iter().filter(|b| a < *b).map(|b| (a.clone(), b.clone())));
        }
    }
    all
}

fn linked(audit: &Audit, observer: ReaderRole, party: &str) -> Pairs {
    let mut all = Pairs::new();
    for it in audit
        .links
        .iter()
        .flatten()
        .filter(|it| it.observer == observer && it.party.as_str().contains(party))
    {
        assert!(it.a < it.b && it.anonymity_set >= 2, "{it:?}");
        let inputs: Vec<u32> = it.evidence.iter().map(|at| at.input.0).collect();
        assert!(
            matches!(inputs.as_slice(), [one, other] if one != other),
            "a place with each: {it:?}"
        );
        all.insert((it.a.to_string(), it.b.to_string()));
    }
    all
}

#[test]
fn the_path_links_all_who_shared_a_room_and_nobody_else() {
    for asked in [true, false] {
        let (truth, audit) = audited(Edition::Leaky, asked, false);
        let (seen, true_pairs) = (linked(&audit, ReaderRole::OnPath, ""), together(&truth));
        assert!(seen.is_subset(&true_pairs), "precision: {seen:?} beside {true_pairs:?}");
        if asked {
            assert_eq!(seen, true_pairs, "recall");
        }
    }
}

#[test]
fn after_the_repair_the_path_links_nobody_and_the_relay_still_does() {
    let (truth, audit) = audited(Edition::Fixed, true, true);
    assert_eq!(linked(&audit, ReaderRole::OnPath, ""), Pairs::new());
    assert_eq!(linked(&audit, ReaderRole::Relay, "Relaywright"), together(&truth));
    let (_, closed) = audited(Edition::Fixed, true, false);
    assert_eq!(closed.links, Some(Vec::new()), "what was not read links nobody");
}

/// What one app of Alice's sends a collector, as a capture of that app has it.
fn collected(app: &str, advertising_id: &str) -> Ledger {
    let (client, server) = ((CLIENT, 40_000), ([198, 51, 100, 7], 80));
    let request = format!("GET /c?idfa={advertising_id} HTTP/1.1\r\nHost: collect.sdk.example\r\n\r\n");
    let mut wire = Wire::default();
    wire.knock(0, client, server).accept(SECOND, server, client);
    wire.data(2 * SECOND, client, server, request.as_bytes());
    wire.data(3 * SECOND, server, client, b"HTTP/1.1 204 No Content\r\n\r\n");
    let mut ledger = wire.ledger();
    for input in &mut ledger.inputs {
        input.labels = [("user".to_owned(), "alice".to_owned()), ("app".to_owned(), app.to_owned())].into();
    }
    ledger
}

#[test]
fn whoever_is_sent_one_id_by_two_apps_links_them() {
    let links = |ids: [&str; 2]| {
        let mut ledger = collected("chess.example", ids[0]);
        ledger.merge(collected("weather.example", ids[1]));
        let audit = judged(ledger, Datasets::embedded());
        let ends = |it: &farshore::model::Link| (it.observer, it.party.to_string(), it.a.to_string(), it.b.to_string());
        audit.links.unwrap().iter().map(ends).collect::<Vec<_>>()
    };
    let (one, other) = ("6D92078A-8246-4BA4-AE5B-76104861E7DC", "EA7583CD-A667-48BC-B806-42ECB2B48606");
    assert_eq!(
        links([one, one]),
        [(
            ReaderRole::Endpoint,
            "collect.sdk.example".to_owned(),
            "alice with chess.example".to_owned(),
            "alice with weather.example".to_owned()
        )],
        "and nobody on the path, who sees no apps"
    );
    assert_eq!(links([one, other]), []);
}

/// A question to a resolver from an IPv6 address.
fn asked(address: &str) -> Ledger {
    use farshore::Auditor;
    use farshore::model::{Frame, InputId, LinkType};
    let (from, to): (std::net::Ipv6Addr, std::net::Ipv6Addr) = (address.parse().unwrap(), "2001:db8:53::53".parse().unwrap());
    let payload = [
        &[0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0],
        crate::wired::labels("parlour.example").as_slice(),
        &[0, 1, 0, 1],
    ]
    .concat();
    let length = (payload.len() as u16 + 8).to_be_bytes();
    let head = [
        &[0x60, 0, 0, 0],
        length.as_slice(),
        &[17, 64],
        &from.octets(),
        &to.octets(),
        &[0x9c, 0x40, 0, 53],
        &length,
        &[0, 0],
    ]
    .concat();
    let bytes = [[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd].as_slice(), &head, &payload].concat();
    let detectors = Detectors::new(&[], Detecting::default()).unwrap();
    let mut auditor = Auditor::new(&Reading::default(), detectors);
    auditor.push(&Frame {
        input: InputId(0),
        number: 1,
        time: None,
        tick: 1,
        link: LinkType::ETHERNET,
        interface: 0,
        wire_length: bytes.len() as u32,
        bytes: &bytes,
    });
    auditor.finish(farshore_sources::Summary::default())
}

#[test]
fn an_address_made_of_hardware_links_the_networks_it_was_used_in() {
    let links = |addresses: [&str; 2]| {
        let mut ledger = asked(addresses[0]);
        ledger.merge(asked(addresses[1]));
        let audit = judged(ledger, Datasets::embedded());
        let told: Vec<_> = audit.exposures.iter().filter(|it| it.kind.as_str() == "mac").collect();
        for it in &told {
            assert!(it.field.as_str() == "ipv6.source" && it.value.masked.starts_with("3…"), "{it:?}");
            let path = it.readers.iter().find(|it| it.role == ReaderRole::OnPath).unwrap();
            assert_eq!(path.answer, farshore::model::Answer::Yes);
            let at = &it.evidence[0].span;
            assert_eq!(
                (at.frame, at.offset, at.length),
                (1, 22, 16),
                "behind Ethernet and eight bytes of IPv6"
            );
        }
        let links = audit.links.unwrap();
        (told.len(), links.iter().map(|it| (it.observer, it.label())).collect::<Vec<_>>())
    };
    let (home, away) = ("2001:db8:1::3656:78ff:fe9a:bcde", "2001:db8:2::3656:78ff:fe9a:bcde");
    assert_eq!(links([home, away]), (1, vec![(ReaderRole::OnPath, "mac#1".to_owned())]));
    assert_eq!(links([home, "2001:db8:2::3656:78ff:fe9a:bcdf"]).1, []);
    assert_eq!(
        links(["2001:db8:1::8c3a:2", "2001:db8:2::8c3a:2"]),
        (0, Vec::new()),
        "nothing says what that was made of"
    );
}
