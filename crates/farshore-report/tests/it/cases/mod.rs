//! Audits made by hand that between them hold every variant an audit can. Organisations and laws are invented; the
//! addresses are set aside for documentation.

pub mod build;
mod every_fact;
pub mod hostile_text;

use build::*;
pub use every_fact::{every_fact, unasked};
use hostile_text::hostile;

use std::collections::BTreeMap;
use std::sync::Arc;

use farshore_model::audit::*;
use farshore_model::exposure::Because;
use farshore_model::flow::*;
use farshore_model::ledger::*;
use farshore_model::party::{Rhythm, *};
use farshore_model::row::*;
use farshore_model::verdict::WaiverState;
use farshore_model::*;

/// All cases by name.
pub fn all() -> Vec<(&'static str, Audit)> {
    vec![
        ("nothing", Audit::default()),
        ("call", call()),
        ("call-shown", Audit { show_pii: true, ..call() }),
        ("waived", waived()),
        ("sealed", sealed()),
        ("met", met()),
        ("opaque", opaque()),
        ("home", home()),
        ("losses", losses()),
        ("log", log()),
        ("crowd", crowd()),
        ("every-fact", every_fact()),
        ("unasked", unasked()),
        ("nowhere", nowhere()),
        ("hostile", hostile()),
    ]
}

/// A voice call: an identifier in the clear, a disputed place, an owner abroad, opaque media.
pub fn call() -> Audit {
    let mut api = destination(
        "api.voice.example",
        vec![
            place("203.0.113.7", location(LocationState::Disputed, &["NL", "US"])),
            place("203.0.113.8", location(LocationState::Agreed, &["NL"])),
        ],
        location(LocationState::Disputed, &["NL", "US"]),
    );
    Arc::make_mut(&mut api.location).excluded = vec![Exclusion {
        country: country("CN"),
        because: "end-to-end rtt",
        rtt: 31_250_000,
        max_km: 3_123,
        nearest_km: 5_400,
    }];
    api.organisation = Some(organisation("Mock Voice", "CN"));
    api.owners = vec![
        Owner {
            id: "mock-holding".into(),
            name: "Mock Holding".into(),
            country: Some(country("KY")),
            relation: OwnerRelation::Parent,
            as_of: "2026-01-31".into(),
            source: "https://voice.example/owners".into(),
        },
        Owner {
            id: String::new(),
            name: "Mock Family Trust".into(),
            country: None,
            relation: OwnerRelation::Ultimate,
            as_of: "2025-06-30".into(),
            source: "https://voice.example/owners".into(),
        },
    ];
    let reach = |state: &str, via, basis, law, standing, answer, missing: &[&str]| Reach {
        state: country(state),
        via,
        basis,
        law,
        standing,
        answer,
        missing: missing.iter().map(|it| (*it).into()).collect(),
    };
    api.reach = vec![
        reach(
            "CN",
            Via::Service,
            ReachBasis::Operator,
            Some(law("mock-28")),
            Standing::Text,
            Answer::Yes,
            &[],
        ),
        reach(
            "NL",
            Via::Place,
            ReachBasis::Located,
            None,
            Standing::Text,
            Answer::CannotTell,
            &["no access law of that state was read"],
        ),
        reach(
            "US",
            Via::Operator,
            ReachBasis::PersonalJurisdiction,
            Some(law("mock-2713")),
            Standing::Argued,
            Answer::CannotTell,
            &["whether courts there have jurisdiction"],
        ),
        reach("KY", Via::Owner, ReachBasis::Owner, None, Standing::Argued, Answer::CannotTell, &[]),
        reach(
            "DE",
            Via::Carriage,
            ReachBasis::Carriage,
            None,
            Standing::Argued,
            Answer::CannotTell,
            &[],
        ),
        reach(
            "FR",
            Via::Service,
            ReachBasis::OffersService,
            None,
            Standing::Argued,
            Answer::CannotTell,
            &[],
        ),
        reach(
            "SG",
            Via::Service,
            ReachBasis::AnyPerson,
            None,
            Standing::Argued,
            Answer::CannotTell,
            &[],
        ),
    ]
    .into();
    let mut media = destination(
        "198.51.100.20",
        vec![place("198.51.100.20", location(LocationState::Agreed, &["SG"]))],
        location(LocationState::Agreed, &["SG"]),
    );
    media.domain = None;
    media.candidates = vec!["edge1.voice.example".into(), "edge2.voice.example".into()];
    media.flows = vec![FlowId(1)];
    let mut dns = destination(
        "192.0.2.53",
        vec![place("192.0.2.53", location(LocationState::Anycast, &[]))],
        location(LocationState::Anycast, &[]),
    );
    dns.domain = None;
    dns.flows = vec![FlowId(2)];

    let mut imei = exposure("imei", 0, Protection::Plaintext, 19);
    imei.known_as = Some("test phone".into());
    let mut sound = exposure("content", 1, Protection::Opaque, 41);
    sound.field = "udp".into();
    sound.value.masked = "3.1 MB".into();
    sound.value.raw = None;
    let mut name = exposure("hostname", 2, Protection::Plaintext, 1);
    name.value.masked = "api.voice.example".into();
    name.value.raw = None;
    name.field = "dns.question".into();
    name.readers = vec![Reader {
        role: ReaderRole::DnsResolver,
        party: "192.0.2.53".into(),
        answer: Answer::Yes,
        because: Because::Plain("it was asked"),
    }];
    let mut relayed = exposure("user-id", 1, Protection::Plaintext, 57);
    relayed.readers.push(Reader {
        role: ReaderRole::Relay,
        party: "Mock Voice".into(),
        answer: Answer::Yes,
        because: Because::Plain("the packet names a room it is passed on to"),
    });

    let mut http = flow("203.0.113.7", 80, Protection::Plaintext);
    http.rare_mut().app = Some(Box::new(App {
        name: "com.example.voice".into(),
        via: "pktap",
    }));
    let mut udp = flow("198.51.100.20", 4_000, Protection::Opaque);
    udp.transport = Transport::Udp;
    udp.rare_mut().randomness = Some(Box::new([
        Some(Randomness {
            sampled: 3_100_000,
            entropy: 7.999_876_5,
            chi_square: 261.234_9,
        }),
        None,
    ]));
    udp.inside = Some(FlowId(0));
    udp.protocols = [].into();
    let mut ask = flow("192.0.2.53", 53, Protection::Plaintext);
    ask.transport = Transport::Udp;
    ask.protocols = ["dns"].into();
    ask.first_frame = 1;

    let mut breached = verdict("plaintext", Outcome::Breached, "imei#1 stands in the clear in frame 19");
    breached.exposures = vec![0, 3];
    breached.destinations = vec![0];
    breached.evidence = vec![locus(19)];
    breached.findings = vec![
        finding(Outcome::Breached, Subject::Exposure(0), ""),
        finding(Outcome::Undetermined, Subject::Exposure(1), ""),
        finding(Outcome::Breached, Subject::Exposure(3), ""),
    ];
    let mut opaque = verdict("opaque", Outcome::Undetermined, "1 flow is in no known format");
    opaque.exposures = vec![1];
    opaque.findings = vec![finding(Outcome::Undetermined, Subject::Exposure(1), "")];
    opaque.settled_by = vec!["payload in a known format".into()];
    let mut place = verdict("place", Outcome::Breached, "1 of 4 addresses stands against it");
    (place.pack, place.title) = ("countries".into(), "Each address stands in one of the countries allowed".into());
    place.destinations = vec![0];
    let at = |destination, address: &str| Subject::Address {
        destination,
        address: Some(ip(address)),
    };
    place.findings = vec![
        finding(
            Outcome::Breached,
            at(0, "203.0.113.7"),
            "its operator's list says CN (mock-cloud regions of 2026-11)",
        ),
        finding(
            Outcome::Undetermined,
            at(0, "203.0.113.8"),
            "location databases alone say NL, which is no proof",
        ),
        finding(
            Outcome::Undetermined,
            at(1, "198.51.100.20"),
            "location databases alone say SG, which is no proof",
        ),
        finding(
            Outcome::Undetermined,
            Subject::Address {
                destination: 2,
                address: None,
            },
            "its address was not recorded",
        ),
    ];

    Audit {
        flow_coverage: FlowCoverage {
            total: 3,
            plaintext: 2,
            opaque: 1,
            ..FlowCoverage::default()
        },
        destinations: vec![api, media, dns],
        exposures: vec![imei, sound, name, relayed],
        verdicts: vec![breached, opaque, place],
        flow_names: vec![
            vec![FlowName {
                name: "api.voice.example".into(),
                via: NameVia::HttpHost,
                frame: 19,
            }],
            vec![FlowName {
                name: "edge1.voice.example".into(),
                via: NameVia::SdRtn,
                frame: 41,
            }],
            vec![],
        ],
        ..base(vec![http, udp, ask])
    }
}

/// As [`call`], with waivers: one of two breaches, all of another clause, and two that do not hold. Others reply to a clause, to a destination and
/// to what is not there.
pub fn waived() -> Audit {
    let mut audit = call();
    let reply = |statement: &str, verdicts: &[usize], destinations: &[usize]| Reply {
        by: "Mock Relay Ltd".into(),
        date: at(0).unwrap().date(),
        statement: statement.into(),
        source: Some("https://relay.example/statement".into()),
        pack: verdicts.first().map(|_| "no-plaintext".into()),
        clause: verdicts.first().map(|_| "plaintext".into()),
        subject: verdicts.is_empty().then(|| "org=relay".into()),
        verdicts: verdicts.to_vec(),
        destinations: destinations.to_vec(),
    };
    audit.replies = Some(vec![
        reply("We keep none of it.", &[0], &[]),
        reply("Our machines stand in Germany.", &[], &[0]),
        reply("We were not asked.", &[], &[]),
    ]);
    audit.waivers = Some(vec![
        waiver("plaintext", "imei", WaiverState::Applied(1)),
        waiver("opaque", "x2", WaiverState::Applied(1)),
        waiver("plaintext", "d2", WaiverState::Expired(at(0).unwrap().date())),
        waiver(
            "plaintext",
            "gone.example",
            WaiverState::Unused("nothing that stands against the clause is what it names".into()),
        ),
    ]);
    audit.verdicts[0].findings[0].waived = Some(0);
    audit.verdicts[1].findings[0].waived = Some(1);
    audit
}

/// Everything behind TLS, nothing declared.
fn sealed() -> Audit {
    let mut host = destination(
        "www.shop.example",
        vec![place("203.0.113.80", location(LocationState::Agreed, &["DE"]))],
        location(LocationState::Agreed, &["DE"]),
    );
    host.organisation = Some(organisation("Mock Shop", "DE"));
    let mut sni = exposure("hostname", 0, Protection::Plaintext, 4);
    sni.value.masked = "www.shop.example".into();
    sni.field = "tls.server_name".into();
    let mut tls = flow("203.0.113.80", 443, Protection::Tls);
    tls.protocols = ["tls"].into();
    Audit {
        flow_coverage: FlowCoverage {
            total: 1,
            encrypted: 1,
            ..FlowCoverage::default()
        },
        destinations: vec![host],
        exposures: vec![sni, exposure("content", 0, Protection::Tls, 7)],
        verdicts: vec![unscoped()],
        ..base(vec![tls])
    }
}

fn unscoped() -> Verdict {
    let because = "no scope was declared: what was not exercised is not known";
    Verdict {
        findings: vec![finding(Outcome::Undetermined, Subject::Coverage, because)],
        settled_by: vec!["a declared scope: --scope FILE".into()],
        ..verdict("plaintext", Outcome::Undetermined, because)
    }
}

/// As [`sealed`], with a declared scope and a clause that does not apply.
fn met() -> Audit {
    let mut audit = sealed();
    let mut note = verdict("wording", Outcome::Undetermined, "the wording was not read at its source");
    note.note = true;
    audit.verdicts = vec![
        verdict("plaintext", Outcome::Met, "1 flow, all of it TLS, over the declared scope"),
        verdict("children", Outcome::NotApplicable, "nobody of the declared subjects is a child"),
        note,
    ];
    audit.coverage.frames.dropped = Some(0);
    audit
}

/// Payload in no known format, keys that fit nothing.
fn opaque() -> Audit {
    let mut audit = call();
    audit.destinations.remove(0);
    audit.destinations[0].location = Arc::new(location(LocationState::Undetermined, &[]));
    audit.destinations[0].places[0].network = None;
    let mut it = exposure("content", 0, Protection::Opaque, 41);
    it.flows = vec![FlowId(1)];
    audit.exposures = vec![it];
    audit.verdicts = vec![verdict("plaintext", Outcome::Undetermined, "1 flow is in no known format")];
    audit.coverage.keys = coverage::KeyCoverage {
        offered: 3,
        matched: 1,
        unmatched: BTreeMap::from([("the client random is in no key log".into(), 2)]),
    };
    audit
}

/// Only private addresses.
fn home() -> Audit {
    let mut printer = destination("192.168.1.5", vec![], location(LocationState::Local, &[]));
    printer.domain = None;
    printer.places = vec![Place {
        address: ip("192.168.1.5"),
        network: None,
        location: Arc::new(location(LocationState::Local, &[])),
        special: Some("private (RFC 1918)"),
    }];
    Audit {
        flow_coverage: FlowCoverage {
            total: 1,
            empty: 1,
            ..FlowCoverage::default()
        },
        destinations: vec![printer],
        ..base(vec![flow("192.168.1.5", 631, Protection::Empty)])
    }
}

/// Cut short, dropped, full of gaps and oddities, read to a ceiling.
fn losses() -> Audit {
    let mut audit = sealed();
    audit.inputs[0].cut_short = true;
    audit.inputs[0].world = Some("harbour".into());
    audit.inputs[0].first = None;
    audit.inputs[0].last = None;
    audit.inputs.push(input("second.pcap"));
    for (data, stale) in audit.tool.data.iter_mut().zip([Stale::Older(3095), Stale::Younger(12)]) {
        data.stale = Some(stale);
    }
    audit.coverage.frames.dropped = Some(41);
    audit.coverage.frames.truncated = 17;
    audit.coverage.frames.filtered = 40;
    audit.coverage.gaps = coverage::Gaps { count: 3, bytes: 4_096 };
    audit.coverage.limits = BTreeMap::from([("streams", 2)]);
    audit.anomalies = vec![
        Anomaly {
            kind: "capture-cut-short",
            severity: Severity::Loss,
            because: "the file ends inside frame 813".into(),
            flow: None,
            evidence: vec![],
        },
        Anomaly {
            kind: "interference-reset",
            severity: Severity::Warning,
            because: "a reset with another hop count follows the request".into(),
            flow: Some(FlowId(0)),
            evidence: vec![Locus {
                span: Span::in_layer(8, 12, 0, 20),
                ..locus(12)
            }],
        },
        Anomaly {
            kind: "tcp-clock-stepped",
            severity: Severity::Note,
            because: "frame 77 is older than frame 76".into(),
            flow: None,
            evidence: vec![locus(77)],
        },
    ];
    audit
}

/// A flow log: rows, no payload.
fn log() -> Audit {
    let mut audit = sealed();
    audit.inputs[0] = InputRecord {
        name: "vpc.log".into(),
        format: "aws-vpc",
        labels: BTreeMap::new(),
        notes: vec![],
        ..input("vpc.log")
    };
    audit.inputs[0].log = Some(LogRecord {
        quiet: 3,
        skipped: 2,
        refused: 9,
        told_again: 1,
        unopened: 1,
        longest: 60_000_000_000,
        tells_refusal: true,
        sampling: Sampling::OneIn(100),
    });
    audit.exposures.clear();
    let flow = audit.flows.get_mut(0).unwrap();
    flow.protection = Protection::Unknown;
    flow.initiator = InitiatorBasis::FirstRow;
    (flow.up.payload, flow.down.payload) = (0, 0);
    flow.rare_mut().refused = Some(Box::new([Tally { packets: 4, bytes: 240 }, Tally::default()]));
    audit.destinations[0].traffic.refused = Tally { packets: 4, bytes: 240 };
    audit.flow_coverage = FlowCoverage {
        total: 1,
        unknown: 1,
        ..FlowCoverage::default()
    };
    audit
}

/// More of everything than fits a screen.
pub fn crowd() -> Audit {
    let mut audit = call();
    for n in 0..60u8 {
        let (code, state) = [
            ("DE", LocationState::Agreed),
            ("US", LocationState::Undetermined),
            ("JP", LocationState::Agreed),
            ("BR", LocationState::Disputed),
            ("ZA", LocationState::Agreed),
        ][usize::from(n) % 5];
        let mut it = destination(
            &format!("host{n}.service{}.example", n % 7),
            vec![place(&format!("203.0.113.{}", 100 + n), location(state, &[code]))],
            location(state, &[code]),
        );
        if n % 3 == 0 {
            it.organisation = Some(organisation(&format!("Mock {n}"), code));
        }
        audit.destinations.push(it);
        let kind = ["device-id", "cookie", "email", "location", "hostname"][usize::from(n) % 5];
        let protection = if n % 4 == 0 { Protection::Tls } else { Protection::Plaintext };
        audit
            .exposures
            .push(exposure(kind, 3 + usize::from(n), protection, 100 + u64::from(n)));
        audit
            .verdicts
            .push(verdict(&format!("clause-{n}"), Outcome::Undetermined, "a needed fact is missing"));
    }
    audit
}

/// Indices and ids that point at nothing, and numbers at their ends.
fn nowhere() -> Audit {
    let mut audit = every_fact();
    audit.inputs.clear();
    audit.flow_names.clear();
    audit.destinations.iter_mut().for_each(|it| {
        it.flows = vec![FlowId(u32::MAX)];
        it.traffic = Traffic {
            flows: u64::MAX,
            frames: u64::MAX,
            bytes_up: u64::MAX,
            bytes_down: u64::MAX,
            refused: Tally::default(),
            only_tried: 0,
            rhythm: Some(Rhythm {
                period: u64::MAX,
                jitter: u64::MAX,
                times: u64::MAX,
            }),
        };
    });
    audit.exposures.iter_mut().for_each(|it| {
        it.destination = usize::MAX;
        it.flows = vec![FlowId(u32::MAX)];
        it.count = u64::MAX;
        it.readers.clear();
    });
    audit
        .verdicts
        .iter_mut()
        .for_each(|it| (it.exposures, it.destinations) = (vec![usize::MAX], vec![usize::MAX]));
    audit.observations.iter_mut().for_each(|it| {
        it.locus.span = Span::in_layer(0, u64::MAX, u64::MAX, u64::MAX);
    });
    audit
        .exposures
        .iter_mut()
        .flat_map(|it| &mut it.evidence)
        .for_each(|it| it.span.length = u64::MAX);
    audit.flow_coverage = FlowCoverage {
        total: u64::MAX,
        plaintext: u64::MAX,
        encrypted: u64::MAX,
        decrypted: u64::MAX,
        opaque: u64::MAX,
        empty: u64::MAX,
        unknown: 0,
    };
    audit.flows.get_mut(0).unwrap().rare_mut().randomness = Some(Box::new([
        Some(Randomness {
            sampled: 0,
            entropy: f64::NAN,
            chi_square: f64::INFINITY,
        }),
        None,
    ]));
    audit
}
