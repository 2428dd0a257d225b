//! The pieces the cases are made of.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use farshore_model::audit::*;
use farshore_model::exposure::Because;
use farshore_model::flow::*;
use farshore_model::ledger::*;
use farshore_model::party::*;
use farshore_model::sighting::SightedValue;
use farshore_model::verdict::WaiverState;
use farshore_model::*;

pub fn country(code: &str) -> Country {
    Country::parse(code).unwrap()
}

pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp::from_parts(1_700_000_000 + seconds, 123_456_789))
}

pub fn locus(frame: u64) -> Locus {
    Locus {
        input: InputId(0),
        span: Span::in_frame(frame, 54, 15),
        layers: ["tcp", "http"].into(),
        decoded_by: vec!["url"].into(),
    }
}

pub fn claim(code: &str, kind: ClaimKind, source: &str) -> CountryClaim {
    CountryClaim {
        refuted: false,
        country: country(code),
        kind,
        source: source.into(),
        edition: "2026-11".into(),
    }
}

pub fn location(state: LocationState, codes: &[&str]) -> Location {
    let mut claims: Vec<_> = codes.iter().map(|code| claim(code, ClaimKind::Geolocation, "mock-geo")).collect();
    if let [first, ..] = codes {
        claims.push(claim(first, ClaimKind::CloudRegion, "mock-cloud regions"));
        claims.push(claim("US", ClaimKind::Registration, "mock-registry"));
    }
    Location {
        countries: codes.iter().map(|code| country(code)).collect(),
        state,
        claims,
        excluded: vec![],
        implausible: vec![],
    }
}

pub fn place(address: &str, location: Location) -> Place {
    Place {
        address: ip(address),
        network: Some(Arc::new(Network {
            asn: 64_500,
            name: "Mock Hosting".into(),
            registered: Some(country("US")),
        })),
        location: Arc::new(location),
        special: None,
    }
}

pub fn organisation(name: &str, seat: &str) -> Box<Organisation> {
    Box::new(Organisation {
        id: name.to_lowercase().replace(' ', "-"),
        name: name.into(),
        kind: "rtc".into(),
        seat: Some(country(seat)),
        incorporated_in: Some(country("KY")),
        establishments: vec![country("SG")],
        basis: "domain",
        source: "https://voice.example/imprint".into(),
        as_of: "2026-01-31".into(),
        read_at_source: true,
        confidence: "high".into(),
        fictional: true,
    })
}

pub fn law(id: &str) -> Arc<Law> {
    Arc::new(Law {
        id: id.into(),
        title: "Mock Access Act".into(),
        citation: "art. 28, text of 2020-01-01".into(),
        source: "https://law.example/28".into(),
        verified: true,
    })
}

pub fn destination(name: &str, places: Vec<Place>, location: Location) -> Destination {
    Destination {
        name: name.into(),
        domain: name.split_once('.').map(|(_, rest)| rest.into()),
        candidates: vec![],
        organisation: None,
        owners: vec![],
        places,
        location: Arc::new(location),
        reach: [].into(),
        traffic: Traffic {
            flows: 1,
            frames: 40,
            bytes_up: 12_345,
            bytes_down: 678_901,
            ..Traffic::default()
        },
        flows: vec![FlowId(0)],
    }
}

pub fn flow(server: &str, port: u16, protection: Protection) -> Flow {
    Flow {
        initiator: InitiatorBasis::Handshake,
        first: at(0),
        last: at(9),
        first_frame: 3,
        up: Counter {
            frames: 20,
            bytes: 12_345,
            payload: 11_000,
        },
        down: Counter {
            frames: 20,
            bytes: 678_901,
            payload: 670_000,
        },
        protocols: ["http"].into(),
        protection,
        rtt: RoundTrips::new(Some(12_345_678), None),
        ..Flow::between(
            Transport::Tcp,
            Endpoint {
                ip: ip("192.0.2.10"),
                port: 50_123,
            },
            Endpoint { ip: ip(server), port },
        )
    }
}

pub fn exposure(kind: &str, destination: usize, protection: Protection, frame: u64) -> Exposure {
    Exposure {
        kind: DatumKind::named(kind),
        value: SightedValue {
            print: [7; 16],
            masked: "49****18".into(),
            raw: Some("490154203237518".into()),
            digest: None,
        },
        number: 1,
        known_as: None,
        disguise: farshore_model::sighting::Disguise::None,
        field: format!("http.query.{kind}").into(),
        protection,
        destination,
        flows: vec![FlowId(0)],
        readers: readers(protection),
        evidence: vec![locus(frame), locus(frame + 9)],
        count: 2,
    }
}

pub fn readers(protection: Protection) -> Vec<Reader> {
    let open = match protection {
        Protection::Plaintext => Answer::Yes,
        Protection::Opaque => Answer::CannotTell,
        _ => Answer::No,
    };
    let reader = |role, party: &str, answer, because: &'static str| Reader {
        role,
        party: party.into(),
        answer,
        because: Because::Plain(because),
    };
    vec![
        reader(ReaderRole::OnPath, "", open, "as the protection of the channel has it"),
        reader(
            ReaderRole::Hosting,
            "Mock Hosting",
            Answer::CannotTell,
            "it runs the network; the machine is not known to be its own",
        ),
        reader(ReaderRole::Endpoint, "Mock Voice", Answer::Yes, "the datum was sent to it"),
        reader(
            ReaderRole::Owner,
            "Mock Holding",
            Answer::CannotTell,
            "no source says what is passed on",
        ),
    ]
}

pub fn verdict(clause: &str, outcome: Outcome, because: &str) -> Verdict {
    Verdict {
        pack: "no-plaintext-identifiers".into(),
        clause: clause.into(),
        title: "Nothing is readable by whoever carries the frames".into(),
        citation: "farshore, no-plaintext-identifiers 1".into(),
        outcome,
        because: because.into(),
        note: false,
        exposures: vec![],
        destinations: vec![],
        evidence: vec![],
        findings: vec![],
        settled_by: vec![],
    }
}

pub fn waiver(clause: &str, subject: &str, state: WaiverState) -> Waiver {
    Waiver {
        pack: "no-plaintext-identifiers".into(),
        clause: clause.into(),
        subject: subject.into(),
        reason: "test phones only, TICKET-7".into(),
        until: Date::new(2023, 12, 31).unwrap(),
        state,
    }
}

/// A finding about that.
pub fn finding(outcome: Outcome, subject: Subject, because: &str) -> Finding {
    Finding {
        outcome,
        subject,
        because: because.into(),
        waived: None,
        before: false,
    }
}

pub fn input(name: &str) -> InputRecord {
    InputRecord {
        name: name.into(),
        sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        format: "pcapng",
        frames: 812,
        bytes: 691_246,
        file_bytes: 734_003,
        first: at(0),
        last: at(65),
        tick: 1_000,
        cut_short: false,
        labels: BTreeMap::from([("room".into(), "alpha".into())]),
        notes: vec!["captured on wlan0".into()],
        log: None,
        filter: None,
        world: None,
    }
}

pub fn tool() -> Tool {
    let data = |name: &str, licence: &str, attribution: &str| DataEdition {
        name: name.into(),
        edition: "2026-11".into(),
        licence: licence.into(),
        attribution: attribution.into(),
        sha256: "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae".into(),
        as_of: "2026-11-01".into(),
        stale: None,
    };
    Tool {
        version: "0.1.0".into(),
        data: vec![
            data("dbip-country", "CC-BY-4.0", "IP Geolocation by DB-IP"),
            data("borders", "ISC", "Borders: Natural Earth (public domain) via world-atlas"),
        ],
        digest_key: Some("0123456789abcdef".into()),
        packs: vec![PackEdition {
            id: "no-plaintext-identifiers".into(),
            version: "1".into(),
        }],
    }
}

pub fn base(flows: Vec<Flow>) -> Audit {
    let count = flows.len() as u64;
    Audit {
        tool: tool(),
        inputs: vec![input("call.pcapng")],
        coverage: Coverage {
            frames: coverage::FrameCoverage {
                total: 812,
                bytes: 691_246,
                decoded: 810,
                stopped: 2,
                truncated: 0,
                filtered: 0,
                dropped: None,
            },
            stops: BTreeMap::from([("ethertype 0x88e1 is not read".into(), 2)]),
            ..Coverage::default()
        },
        flow_coverage: FlowCoverage {
            total: count,
            ..FlowCoverage::default()
        },
        flow_names: vec![vec![]; flows.len()],
        flows: flows.into(),
        ..Audit::default()
    }
}
