//! A readable field before the detectors, and the same bytes as hostile text in every place of a report.
//!
//! Layout: options (bit 0: raw payload, bit 1: a digest key is given, bits 2 to 4: the path by its place in [`PATHS`], bits 5
//! and 6: the output by its place in `OUTPUTS`, bit 7: a narrow one without colours), then the value.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use farshore::{Detecting, Detectors, DigestKey, Known};
use farshore_audit::identifiers::FieldView;
use farshore_model::audit::{FlowName, NameVia};
use farshore_model::exposure::{Answer, Because, Exposure, Reader, ReaderRole};
use farshore_model::flow::{App, Rare};
use farshore_model::ledger::{Anomaly, InputRecord, Severity};
use farshore_model::observation::{BoundValue, ChannelSecrecy, Ech, Observed, Recovery};
use farshore_model::party::{Destination, Location, LocationState, Network, Organisation, Owner, OwnerRelation, Place, Traffic};
use farshore_model::sighting::SightedValue;
use farshore_model::verdict::{Baseline, Finding, Outcome, Subject, Verdict, Waiver, WaiverState};
use farshore_model::{
    Audit, Date, DatumKind, Endpoint, Few, Flow, FlowId, InputId, Locus, Observation, Protection, Rows, Span, Transport, WireText,
};
use farshore_report::{OUTPUTS, Options, Output, Sections, escape};

use crate::Script;

/// Paths that detectors tell apart, and one they do not.
pub const PATHS: [&str; 8] = [
    "http.query.imei",
    "http.header.cookie",
    "http.header.authorization",
    "http.body",
    "http.query.lat",
    "http.form.email",
    "sd-rtn.token",
    "udp.payload",
];

/// What is looked for: text, digits that are also a number, letters beyond ASCII, a UUID.
pub const KNOWN: [(&str, &str, &str); 4] = [
    ("alice", "user-id", "4021337788"),
    ("mail", "email", "alice@rooms.example"),
    ("name", "name", "Jörg Müller"),
    ("device", "device-id", "6f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9"),
];

/// Puts a field into the layout; the output follows from the path.
pub fn seed(path: usize, payload: bool, value: &[u8]) -> Vec<u8> {
    let output = u8::try_from(path % OUTPUTS.len()).unwrap_or(0) << 5;
    let options = u8::from(payload) | u8::try_from(path % PATHS.len()).unwrap_or(0) << 2 | output;
    [&[options], value].concat()
}

/// Looks into the field, then reports it.
pub fn run(bytes: &[u8]) {
    let mut script = Script(bytes);
    let options = script.byte();
    let (payload, keyed) = (options & 1 == 1, options & 2 == 2);
    let path = PATHS[usize::from(options >> 2 & 7)];
    let value = script.0;
    let masks = detect(path, value, payload, keyed);
    let text = WireText::from_bytes(value.get(..400).unwrap_or(value));
    let output = OUTPUTS[usize::from(options >> 5 & 3) % OUTPUTS.len()];
    report(output, options >> 7 == 1, &audit(text.as_str(), masks));
}

fn detectors(keyed: bool) -> &'static Detectors {
    static PLAIN: OnceLock<Detectors> = OnceLock::new();
    static KEYED: OnceLock<Detectors> = OnceLock::new();
    if keyed { &KEYED } else { &PLAIN }.get_or_init(|| {
        let known = KNOWN.map(|(name, kind, value)| Known {
            name: name.to_owned(),
            kind: DatumKind::named(kind),
            value: value.to_owned(),
        });
        let options = Detecting {
            digest_key: keyed.then(|| DigestKey::new(*b"0123456789abcdef0123456789abcdef")),
            ..Detecting::default()
        };
        Detectors::new(&known, options).expect("these can be looked for")
    })
}

/// What leaves the detectors, masked.
fn detect(path: &str, value: &[u8], payload: bool, keyed: bool) -> Vec<SightedValue> {
    let mut detectors = detectors(keyed).fork();
    let mut all = Vec::new();
    // Twice, as a field that comes again: chance is judged by repetition.
    for _ in 0..2 {
        detectors.scan(FieldView { path, value, payload }, &mut |found| all.push(found.clone()));
    }
    let confirmed = detectors.finish();
    let mut masks = Vec::new();
    for found in all {
        assert!(
            found.range.start < found.range.end && found.range.end <= value.len(),
            "{:?} leaves the field of {} bytes: {found:?}",
            found.range,
            value.len()
        );
        assert!(!found.detector.is_empty(), "{found:?}");
        assert_eq!(found.value.raw, None, "raw values were not asked for");
        assert_eq!(found.value.digest.is_some(), keyed, "{found:?}");
        for (name, _, secret) in KNOWN {
            let its = found.known_as.as_deref() == Some(name);
            assert!(
                !its || !found.value.masked.contains(secret),
                "the mask shows all of {name}: {found:?}"
            );
        }
        if confirmed.keeps(&found) && masks.len() < 8 {
            masks.push(found.value);
        }
    }
    masks
}

/// Renders the audit, and looks for what may not be there.
fn report(output: &dyn Output, narrow: bool, audit: &Audit) {
    let options = Options {
        sections: Sections {
            flows: true,
            observations: true,
        },
        width: if narrow { 40 } else { 100 },
        color: !narrow,
        ..Options::default()
    };
    let mut bytes = Vec::new();
    output.render(audit, &options, &mut bytes).expect("memory can always be written");
    let text = String::from_utf8(bytes).expect("a report is text");
    inert(output.id(), &text, !narrow);
}

fn inert(format: &str, text: &str, color: bool) {
    for c in text.chars() {
        let allowed = c == '\n' || color && matches!(format, "terminal" | "check") && c == '\u{1b}';
        assert!(allowed || !escape::is_invisible(c), "{format} lets {c:?} through");
    }
    match format {
        "json" | "sarif" => {
            serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        }
        // Nothing that stands in a log is a command to whoever runs it.
        "check" => {
            let obeyed = |line: &str| ["::", "##"].iter().any(|it| line.trim_start().starts_with(it));
            assert!(!text.lines().any(obeyed), "a line is a command");
        }
        "ndjson" => {
            for line in text.lines() {
                serde_json::from_str::<serde_json::Value>(line).expect("a line of JSON");
            }
        }
        "html" => {
            let lower = text.to_lowercase();
            for markup in ["<script", "<iframe", "<img", "<!--", "href=\"javascript", "onerror=\"", "<fuzz"] {
                assert!(!lower.contains(markup), "html lets {markup} through");
            }
            let (mut quoted, mut inside) = (false, false);
            for c in text.chars() {
                match c {
                    '<' => {
                        assert!(!inside || quoted, "html opens a tag within a tag");
                        inside = true;
                    }
                    '"' if inside => quoted = !quoted,
                    '>' if !quoted => inside = false,
                    _ => {}
                }
            }
        }
        _ => {}
    }
    if color && format == "terminal" {
        // Only colours: ESC [ digits m.
        for rest in text.split('\u{1b}').skip(1) {
            let end = rest.find('m').expect("an escape sequence ends");
            let body = rest.get(..end).unwrap_or_default();
            assert!(
                body.starts_with('[') && body.chars().skip(1).all(|c| c.is_ascii_digit() || c == ';'),
                "a sequence that is no colour: {body:?}"
            );
        }
    }
}

/// An audit that holds the text wherever text from outside can stand.
fn audit(hostile: &str, masks: Vec<SightedValue>) -> Audit {
    let name = || hostile.to_owned();
    let wire = || WireText::from(hostile);
    let locus = || Locus {
        input: InputId(0),
        span: Span::in_frame(1, 0, 4),
        layers: ["udp", "dns"].into(),
        decoded_by: Few::from(vec!["url"]),
    };
    let address = [192, 0, 2, 1].into();
    let location = || Location {
        countries: Vec::new(),
        state: LocationState::Undetermined,
        claims: Vec::new(),
        excluded: Vec::new(),
        implausible: Vec::new(),
    };
    let facts = [
        Observation::NameAsked {
            protocol: "dns",
            name: wire(),
            record: name(),
        },
        Observation::NameBound {
            protocol: "dns",
            question: wire(),
            name: wire(),
            record: "TXT".to_owned(),
            value: BoundValue::Text(wire()),
            ttl: 60,
        },
        Observation::PeerNamed {
            protocol: "tls",
            name: wire(),
        },
        Observation::Certificate {
            subject: wire(),
            names: vec![wire(), wire()],
            sha256: "00".repeat(32),
            leaf: true,
        },
        Observation::Channel {
            protocol: "tls",
            version: name(),
            cipher: Some(name()),
            readable: ChannelSecrecy::Unknown,
            ja3: None,
            ja4: Some(name()),
            ech: Ech::None,
        },
        Observation::Request {
            version: "1.1",
            method: wire(),
            host: Some(wire()),
            path: wire(),
        },
        Observation::Media {
            protocol: "rtp",
            ssrc: 1,
            payload_type: 0,
            codec: name(),
            pictures: false,
            frames: 1,
            recoverable: Recovery::CannotTell { because: name() },
        },
        Observation::SessionNamed {
            protocol: "quic",
            id: name(),
        },
    ];
    let mut values = masks;
    values.push(SightedValue {
        print: [0; 16],
        masked: name(),
        raw: None,
        digest: None,
    });
    Audit {
        inputs: vec![InputRecord {
            name: name(),
            format: "pcapng",
            labels: BTreeMap::from([(name(), name())]),
            notes: vec![wire()],
            world: Some(wire()),
            ..InputRecord::default()
        }],
        destinations: vec![Destination {
            name: name().into(),
            domain: Some(name()),
            candidates: vec![name()],
            organisation: Some(Box::new(Organisation {
                id: name(),
                name: name(),
                kind: name(),
                seat: None,
                incorporated_in: None,
                establishments: Vec::new(),
                basis: "domain",
                source: name(),
                as_of: name(),
                read_at_source: false,
                confidence: name(),
                fictional: true,
            })),
            owners: vec![Owner {
                id: name(),
                name: name(),
                country: None,
                relation: OwnerRelation::Parent,
                as_of: name(),
                source: name(),
            }],
            places: vec![Place {
                address,
                network: Some(Arc::new(Network {
                    asn: 64_500,
                    name: name().into(),
                    registered: None,
                })),
                location: Arc::new(location()),
                special: None,
            }],
            location: Arc::new(location()),
            reach: Arc::from([]),
            traffic: Traffic::default(),
            flows: vec![FlowId(0)],
        }],
        exposures: values
            .into_iter()
            .map(|value| Exposure {
                kind: DatumKind::named("user-id"),
                value,
                number: 1,
                known_as: Some(name()),
                disguise: farshore_model::sighting::Disguise::Digest,
                field: name().into(),
                protection: Protection::Plaintext,
                destination: 0,
                flows: vec![FlowId(0)],
                readers: vec![Reader {
                    role: ReaderRole::Endpoint,
                    party: name().into(),
                    answer: Answer::Yes,
                    because: Because::Told(name().into()),
                }],
                evidence: vec![locus()],
                count: 1,
            })
            .collect(),
        anomalies: vec![Anomaly {
            kind: "fuzz-text",
            severity: Severity::Loss,
            because: name(),
            flow: Some(FlowId(0)),
            evidence: vec![locus()],
        }],
        verdicts: vec![Verdict {
            pack: name(),
            clause: name(),
            title: name(),
            citation: name(),
            outcome: Outcome::Breached,
            because: name(),
            note: false,
            exposures: vec![0],
            destinations: vec![0],
            evidence: vec![locus()],
            findings: [Some(0), None]
                .map(|waived| Finding {
                    outcome: Outcome::Breached,
                    subject: Subject::Exposure(0),
                    because: name().as_str().into(),
                    waived,
                    before: false,
                })
                .into(),
            settled_by: vec![name().as_str().into()],
        }],
        waivers: Some(vec![Waiver {
            pack: name(),
            clause: name(),
            subject: name(),
            reason: name(),
            until: Date::new(2026, 12, 31).expect("a day of the calendar"),
            state: WaiverState::Unused(name().as_str().into()),
        }]),
        baseline: Some(Baseline {
            before: 1,
            apart: vec![name().as_str().into()],
        }),
        flows: Rows::from(vec![Flow {
            protocols: ["dns"].into(),
            protection: Protection::Plaintext,
            rare: Some(Box::new(Rare {
                app: Some(Box::new(App {
                    name: name(),
                    via: "pktap",
                })),
                ..Rare::default()
            })),
            ..Flow::between(Transport::Udp, Endpoint { ip: address, port: 1 }, Endpoint { ip: address, port: 2 })
        }]),
        flow_names: vec![vec![FlowName {
            name: wire(),
            via: NameVia::Dns,
            frame: 1,
        }]],
        observations: facts
            .into_iter()
            .map(|what| Observed {
                flow: FlowId(0),
                time: None,
                locus: locus(),
                protection: Protection::Plaintext,
                what,
                again: Few::none(),
                count: 1,
            })
            .collect(),
        ..Audit::default()
    }
}
