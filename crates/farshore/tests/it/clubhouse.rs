//! The world `clubhouse`, audited: each capture beside what is true of it.

use std::sync::OnceLock;

use farshore::model::observation::Observed;
use farshore::model::{Audit, Frame, InputId, Ledger, LinkType};
use farshore::policy::{self, Scope};
use farshore::{Auditor, Circumstances, Datasets, Detecting, Detectors, Known, Reading, judge};
use farshore_lab::truth::{Capture, Flow, Truth};
use farshore_lab::{Edition, Recording, WORLDS};

pub fn record(edition: Edition) -> Recording {
    (WORLDS.iter().find(|world| world.id == "clubhouse").unwrap().record)(edition)
}

/// Everything that was planted anywhere, as a user would list it. Tokens differ between rooms and people, so the leaky
/// edition's stand for both.
pub fn known(truth: &Truth) -> Vec<Known> {
    let mut all = Vec::new();
    let mut add = |kind: &str, value: &str| {
        let it = Known {
            name: format!("{kind} {value}"),
            kind: farshore::model::DatumKind::named(kind),
            value: value.to_owned(),
        };
        if !all.contains(&it) {
            all.push(it);
        }
    };
    for user in &truth.users {
        add("user-id", &user.user_id);
        add("device-id", &user.device_id);
        add("cookie", &user.cookie);
    }
    for room in &truth.rooms {
        add("room-id", &room.room_id);
        add("room-id", &room.number);
    }
    for it in truth.captures.iter().flat_map(|capture| &capture.occurrences) {
        add(it.kind, &it.value);
    }
    all
}

/// Reads one capture, looking for `known`.
pub fn ledger(file: &str, bytes: &[u8], known: &[Known]) -> Ledger {
    let options = Detecting {
        show_pii: true,
        ..Detecting::default()
    };
    let detectors = Detectors::new(known, options).unwrap();
    farshore::read(bytes, file, &Reading::default(), &detectors, &mut |_| {}).unwrap()
}

/// The frames of a capture that `keep` picks by number, read as if they were all of it.
pub fn ledger_of(frames: &[Vec<u8>], known: &[Known], keep: impl Fn(u64) -> bool) -> Ledger {
    let options = Detecting {
        show_pii: true,
        ..Detecting::default()
    };
    let mut auditor = Auditor::new(&Reading::default(), Detectors::new(known, options).unwrap());
    for (number, bytes) in (1..).zip(frames).filter(|(number, _)| keep(*number)) {
        auditor.push(&Frame {
            input: InputId(0),
            number,
            time: None,
            tick: 1,
            link: LinkType::ETHERNET,
            interface: 0,
            wire_length: bytes.len() as u32,
            bytes,
        });
    }
    auditor.finish(farshore_sources::Summary::default())
}

/// Judges it by the default pack.
pub fn audit(ledger: Ledger, scope: Option<&Scope>) -> Audit {
    let pack = policy::built_in(policy::DEFAULT).unwrap().unwrap();
    let with = Circumstances {
        data: Datasets::with_fictional(),
        packs: &[pack],
        scope,
        subject: None,
        basis: None,
        waivers: None,
        baseline: None,
        as_of: None,
        vantage: None,
        app: None,
        limits: farshore::JudgingLimits::default(),
        version: "test",
        show_pii: true,
        jobs: 1,
    };
    judge(ledger, &with)
}

/// Each capture of an edition with its truth and its audit, all that was ever planted being known.
pub fn audits(edition: Edition, scope: Option<&Scope>) -> (Recording, Vec<Audit>) {
    // Reading takes long in the build of tests, judging does not.
    static READ: [OnceLock<Vec<Ledger>>; 2] = [const { OnceLock::new() }; 2];
    let recording = record(edition);
    let ledgers = READ[usize::from(edition == Edition::Fixed)].get_or_init(|| {
        let known = known(&record(Edition::Leaky).truth);
        let captures = recording.captures.iter();
        captures.map(|it| ledger(&it.file, &it.bytes, &known)).collect()
    });
    let audits: Vec<Audit> = ledgers.iter().map(|it| audit(it.clone(), scope)).collect();
    assert_eq!(audits.len(), 4);
    (recording, audits)
}

/// The captured frames, by the library's own reader of files.
pub fn frames(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut capture = farshore_sources::open(InputId(0), bytes, farshore::SourceLimits::default()).unwrap();
    let mut all = Vec::new();
    while let Some(frame) = capture.next().unwrap() {
        all.push(frame.bytes.to_vec());
    }
    all
}

/// The facts of one flow.
pub fn of_flow(audit: &Audit, flow: usize) -> impl Iterator<Item = &Observed> {
    audit.observations.iter().filter(move |it| it.flow.0 as usize == flow)
}

/// Flows, names, places and organisations, which both editions must get right.
pub fn holds_to_truth(world: &Truth, truth: &Capture, audit: &Audit) {
    assert_eq!(audit.coverage.frames.total, truth.frames as u64);
    assert_eq!(audit.coverage.frames.decoded, truth.frames as u64);
    assert_eq!(audit.coverage.frames.dropped, Some(0), "the interface statistics tell");
    assert_eq!(
        audit.inputs[0].world.as_ref().map(|it| it.as_str().to_owned()),
        Some("clubhouse".to_owned())
    );
    flows(truth, audit);
    handshakes(truth, audit);
    destinations(world, truth, audit);
}

/// The truth's flows as an auditor can tell them apart, each with the truth's numbers for it: echoes between the same two
/// addresses are one flow, whatever their identifier (Community ID, "ICMP": type and code alone make the ports).
pub fn merged(truth: &Capture) -> Vec<(Flow, Vec<usize>)> {
    let mut all: Vec<(Flow, Vec<usize>)> = Vec::new();
    for flow in &truth.flows {
        let ends = |it: &Flow| (it.client.ip.clone(), it.server.ip.clone());
        let known = all
            .iter_mut()
            .find(|(it, _)| flow.transport == "icmp" && it.transport == "icmp" && ends(it) == ends(flow));
        match known {
            Some((it, numbers)) => {
                it.frames_up += flow.frames_up;
                it.frames_down += flow.frames_down;
                numbers.push(flow.flow);
            }
            None => all.push((flow.clone(), vec![flow.flow])),
        }
    }
    all
}

/// Where the audit lists a flow of the truth.
pub fn index_of(truth: &Capture, flow: usize) -> usize {
    merged(truth).iter().position(|(_, numbers)| numbers.contains(&flow)).unwrap()
}

fn flows(truth: &Capture, audit: &Audit) {
    use farshore::model::Transport;
    let merged = merged(truth);
    assert_eq!(audit.flows.len(), merged.len(), "{}", truth.file);
    for (index, (seen, (truth, _))) in audit.flows.iter().zip(&merged).enumerate() {
        let transport = match seen.transport {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
            Transport::Icmp => "icmp",
            other => panic!("{other:?}"),
        };
        assert_eq!(transport, truth.transport);
        assert_eq!(
            (seen.client.ip.to_string(), seen.server.ip.to_string()),
            (truth.client.ip.clone(), truth.server.ip.clone())
        );
        if transport != "icmp" {
            assert_eq!((seen.client.port, seen.server.port), (truth.client.port, truth.server.port));
        }
        let counts = (seen.first_frame, seen.up.frames, seen.down.frames);
        assert_eq!(
            counts,
            (truth.first_frame as u64, truth.frames_up as u64, truth.frames_down as u64),
            "{truth:?}"
        );
        assert_eq!(seen.gaps(), 0);
        let best = audit.flow_names[index].first().map(|it| it.name.as_str());
        if truth.role == "dns" {
            assert_eq!(best, None, "nobody named the resolver");
        } else if !truth.server_name.is_empty() {
            assert_eq!(best, Some(truth.server_name.as_str()), "{truth:?}");
        } else {
            assert!(
                best.is_some_and(|it| it.ends_with(".relaywright.example")),
                "an earlier answer led to the same edge"
            );
        }
    }
}

/// TLS sessions, and the names that were asked for and answered.
fn handshakes(truth: &Capture, audit: &Audit) {
    use farshore::model::Observation;
    use farshore::model::observation::BoundValue;
    let at = |flow: usize| index_of(truth, flow);
    for session in &truth.tls {
        let named = of_flow(audit, at(session.flow))
            .any(|it| matches!(&it.what, Observation::PeerNamed { protocol: "tls", name } if name.as_str() == session.server_name));
        assert!(named, "{session:?}");
        let agreed = of_flow(audit, at(session.flow)).any(|it| {
            matches!(&it.what, Observation::Channel { cipher: Some(cipher), version, .. }
                if cipher == session.cipher && session.version.ends_with(version.as_str()))
        });
        assert!(agreed, "{session:?}");
    }
    let sessions = audit
        .observations
        .iter()
        .filter(|it| matches!(it.what, Observation::PeerNamed { .. }))
        .count();
    assert_eq!(sessions, truth.tls.len(), "and no others");

    let mut asked: Vec<&str> = Vec::new();
    let mut bound: Vec<(&str, String)> = Vec::new();
    for it in &audit.observations {
        match &it.what {
            Observation::NameAsked { name, .. } => asked.push(name.as_str()),
            Observation::NameBound {
                question,
                value: BoundValue::Address(address),
                ..
            } => bound.push((question.as_str(), address.to_string())),
            _ => {}
        }
    }
    let mut wanted: Vec<(&str, String)> = truth
        .flows
        .iter()
        .filter(|it| !it.server_name.is_empty() && it.role != "dns")
        .map(|it| (it.server_name.as_str(), it.server.ip.clone()))
        .collect();
    wanted.sort();
    wanted.dedup();
    bound.sort();
    assert_eq!(bound, wanted);
    asked.sort_unstable();
    assert_eq!(asked, wanted.iter().map(|(name, _)| *name).collect::<Vec<_>>());
}

/// Each address once, with the party of its name, the network and the places that the tables give it.
fn destinations(world: &Truth, truth: &Capture, audit: &Audit) {
    let number = |text: &str| u32::from(text.parse::<std::net::Ipv4Addr>().unwrap());
    let mut addresses: Vec<&str> = truth.flows.iter().map(|it| it.server.ip.as_str()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let mut seen: Vec<String> = Vec::new();
    for destination in &audit.destinations {
        let holder = world.parties.iter().find(|it| {
            let under = |domain: &&str| destination.name.ends_with(&format!(".{domain}"));
            it.domains.iter().any(under)
        });
        let organisation = destination.organisation.as_ref().map(|it| it.id.as_str());
        assert_eq!(organisation, holder.map(|it| it.id), "{}", destination.name);
        if let (Some(told), Some(holder)) = (&destination.organisation, holder) {
            assert_eq!(
                (told.name.as_str(), told.kind.as_str(), told.fictional),
                (holder.name, holder.kind, true)
            );
            assert_eq!(told.seat.map(|it| it.to_string()), Some(holder.seat.to_owned()));
            assert_eq!(destination.owners.first().map_or("", |it| it.id.as_str()), holder.parent);
        }
        for place in &destination.places {
            seen.push(place.address.to_string());
            let text = place.address.to_string();
            let network = world.networks.iter().find(|it| {
                let (base, length) = it.prefix.split_once('/').unwrap();
                let shift = 32 - length.parse::<u32>().unwrap();
                number(base) >> shift == number(&text) >> shift
            });
            let told = place.network.as_ref().unwrap();
            assert_eq!(Some((told.asn, told.name.as_str())), network.map(|it| (it.asn, it.name)), "{text}");
            let sources = world.places.iter().find(|it| it.address == text).unwrap().sources;
            let mut countries: Vec<String> = sources.iter().map(|it| (*it).to_owned()).collect();
            countries.sort();
            countries.dedup();
            assert_eq!(
                place.location.countries.iter().map(ToString::to_string).collect::<Vec<_>>(),
                countries,
                "{text}"
            );
        }
    }
    seen.sort();
    seen.dedup();
    addresses.sort_unstable();
    let mut expected: Vec<String> = addresses.iter().map(|it| (*it).to_owned()).collect();
    expected.sort();
    assert_eq!(seen, expected);
}
