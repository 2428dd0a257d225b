//! Captures made to exhaust whoever reads them, small: every ceiling they aim at is told, what is kept stays within the ceilings,
//! and threads change nothing. `benches/hostile` carries the same attacks out in full and looks at time and memory.

#[path = "../../benches/hostile/attacks.rs"]
#[allow(dead_code, reason = "what is counted is told by the bench alone")]
mod attacks;
#[path = "../../benches/hostile/bombs.rs"]
mod bombs;
#[path = "../../../farshore-wire/tests/it/build.rs"]
#[allow(dead_code, reason = "conversations need some of it")]
mod build;
#[path = "../../benches/hostile/headers.rs"]
mod headers;
#[path = "../../benches/hostile/made.rs"]
mod made;
#[path = "../../benches/hostile/multiplexed.rs"]
mod multiplexed;
#[path = "../../benches/hostile/sealed.rs"]
mod sealed;
#[path = "../../../farshore-wire/tests/it/talk.rs"]
#[allow(dead_code, reason = "what is said is enough")]
mod talk;

use std::sync::{Arc, LazyLock};

use attacks::{Attack, attacks};
use farshore::model::Ledger;
use farshore::{Detecting, Detectors, Limits, Reading, Secrets, keys, read};
use made::capture;

/// So low that a small attack reaches them.
fn low() -> Limits {
    Limits {
        reorder_bytes: 10_000,
        reorder_segments: 20,
        message_bytes: 400,
        header_bytes: 300,
        body_bytes: 200,
        crypto_bytes: 150,
        observations: 100,
        sightings: 60,
        anomalies: 30,
        fragment_bytes: 20_000,
        fragments: 100,
        flows: 50,
        ..Limits::default()
    }
}

/// What stands in the way of each attack, by the name of the ceiling it must hit.
const TOLD: &[(&str, &str)] = &[
    ("flows.udp", "flows"),
    ("flows.dns", "flows"),
    ("flows.tcp-syn", "flows"),
    ("flows.in-tunnels", "flows"),
    ("flows.waiting", "flows"),
    ("flows.quic", "flows"),
    ("crypto.in-order", "crypto-bytes"),
    ("crypto.reverse", "crypto-bytes"),
    ("crypto.every-other", "crypto-bytes"),
    ("crypto.packed", "crypto-bytes"),
    ("crypto.connections", "observations"),
    ("ip-fragments.overlapping", "fragments"),
    ("ip-fragments.overlapping", "anomalies"),
    ("ip-fragments.contradicting", "fragments"),
    ("ip-fragments.lonely", "fragment-bytes"),
    ("ip-fragments.reverse", "fragments"),
    ("tcp.bytes", "body-bytes"),
    ("tcp.bytes.reverse", "reorder-segments"),
    ("tcp.bytes.every-other", "reorder-segments"),
    ("tcp.bytes.blocks-reversed", "reorder-segments"),
    ("tcp.overlapping", "body-bytes"),
    ("tcp.holes", "reorder-bytes"),
    ("dns.loops", "observations"),
    ("dns.chains", "observations"),
    ("dns.labels", "observations"),
    ("dns.ladders", "observations"),
    ("dns.answers", "observations"),
    ("http.headers", "header-bytes"),
    ("http.headers.bytes", "header-bytes"),
    ("http.requests", "observations"),
    ("http.requests", "sightings"),
    ("http.chunks", "body-bytes"),
    ("http2.bomb", "header-bytes"),
    ("http2.continuations", "header-bytes"),
    ("bombs.http1.gzip", "inflated-bytes"),
    ("bombs.http1.deflate", "inflated-bytes"),
    ("bombs.http1.br", "inflated-bytes"),
    ("bombs.http1.zstd", "inflated-bytes"),
    ("bombs.http1.mixed", "inflated-bytes"),
    ("bombs.http2.gzip", "inflated-bytes"),
    ("bombs.http2.deflate", "inflated-bytes"),
    ("bombs.http2.br", "inflated-bytes"),
    ("bombs.http2.zstd", "inflated-bytes"),
    ("bombs.http2.mixed", "inflated-bytes"),
    ("bombs.websocket", "inflated-bytes"),
    ("tls.records", "message-bytes"),
    ("tls.records.empty", "message-bytes"),
    ("smtp.line", "message-bytes"),
    ("smtp.line.bytes", "message-bytes"),
    ("sip.line", "message-bytes"),
    ("sip.line.bytes", "message-bytes"),
];

/// A small number of them: messages of 64 kB are few.
fn number(attack: &Attack) -> u64 {
    (attack.full / 400).clamp(2, 1_000)
}

/// Made once: every reading forks them.
static DETECTORS: LazyLock<Detectors> = LazyLock::new(|| Detectors::new(&[], Detecting::default()).unwrap());

fn carried_out(attack: &Attack, number: u64, limits: Limits, jobs: usize) -> Ledger {
    let mut secrets = Secrets::default();
    keys::read((attack.keylog)(number), &mut secrets).unwrap();
    let how = Reading {
        secrets: Arc::new(secrets),
        limits,
        jobs,
        ..Reading::default()
    };
    read(capture((attack.frames)(number)), &attack.name, &how, &DETECTORS, &mut |_| {}).unwrap()
}

fn one(name: &str) -> Attack {
    attacks()
        .into_iter()
        .find(|it| it.name == name)
        .unwrap_or_else(|| panic!("no attack {name}"))
}

#[test]
fn every_ceiling_that_is_aimed_at_is_told() {
    for (name, limit) in TOLD {
        let attack = one(name);
        let ledger = carried_out(&attack, number(&attack), low(), 1);
        assert!(ledger.coverage.limits.contains_key(limit), "{name}: {:?}", ledger.coverage.limits);
    }
}

#[test]
fn what_is_kept_stays_within_the_ceilings() {
    for attack in attacks() {
        let (limits, number) = (low(), number(&attack));
        let ledger = carried_out(&attack, number, limits.clone(), 1);
        let frames = &ledger.coverage.frames;
        assert_eq!(frames.total, (attack.frames)(number).count() as u64, "{}", attack.name);
        assert_eq!(frames.total, frames.decoded + frames.stopped, "{}", attack.name);
        for (what, count, most) in [
            ("flows", ledger.flows.len(), limits.flows),
            ("facts", ledger.observations.len(), limits.observations),
            ("sightings", ledger.sightings.len(), limits.sightings),
            ("anomalies", ledger.anomalies.len(), limits.anomalies),
        ] {
            assert!(count <= most, "{}: {count} {what}", attack.name);
        }
    }
}

#[test]
fn nesting_is_followed_as_deep_as_allowed_and_no_deeper() {
    for name in ["nested.ip", "nested.gre", "nested.vxlan", "nested.mpls", "nested.vlan"] {
        let ledger = carried_out(&one(name), 3, Limits::default(), 1);
        let stops = &ledger.coverage.stops;
        assert_eq!(stops.get("nested deeper than the limit"), Some(&3), "{name}: {stops:?}");
        assert!(
            ledger.flows.len() <= Limits::default().encapsulations + 1,
            "{name}: {} flows",
            ledger.flows.len()
        );
    }
}

#[test]
fn threads_change_nothing_under_attack() {
    for attack in attacks() {
        let number = number(&attack) / 3 + 1;
        for limits in [Limits::default(), low()] {
            let [alone, threads] = [1, 3].map(|jobs| carried_out(&attack, number, limits.clone(), jobs));
            assert_eq!(format!("{alone:?}"), format!("{threads:?}"), "{}", attack.name);
        }
    }
}
