//! Judging in several threads says what judging in one says.

use std::net::Ipv4Addr;

use farshore::model::observation::Observed;
use farshore::model::sighting::{Disguise, SightedValue};
use farshore::model::{
    Audit, DatumKind, Endpoint, Few, Flow, FlowId, InputId, Ledger, Locus, Observation, Protection, Sighting, Span, Transport,
};
use farshore::{Circumstances, Datasets, judge, policy};

/// Flows to some thousand servers, half of them named, and what was seen in them: more than one thread is given at a time.
fn crowd() -> Ledger {
    let end = |ip: u32, port| Endpoint {
        ip: Ipv4Addr::from(ip).into(),
        port,
    };
    let at = |frame| Locus {
        input: InputId(0),
        span: Span::in_frame(frame, 54, 16),
        layers: ["tcp", "http"].as_slice().into(),
        decoded_by: Few::none(),
    };
    let mut ledger = Ledger::default();
    ledger.inputs.push(farshore::model::ledger::InputRecord::default());
    for n in 0..6_000_u32 {
        let (flow, frame) = (FlowId(n), u64::from(n) + 1);
        ledger.flows.push(Flow {
            first_frame: frame,
            protection: if n % 3 == 0 { Protection::Tls } else { Protection::Plaintext },
            ..Flow::between(
                Transport::Tcp,
                end(0xc0a8_0001 + n % 9, 40_000),
                end(0x0800_0000 + n % 4_000 * 65_537, 443),
            )
        });
        if n % 2 == 0 {
            ledger.observations.push(Observed {
                flow,
                time: None,
                locus: at(frame),
                protection: Protection::Plaintext,
                what: Observation::PeerNamed {
                    protocol: "tls",
                    name: format!("host{}.example", n % 1_500).into(),
                },
                again: Few::none(),
                count: 1,
            });
        }
        if n % 5 < 2 {
            let value = n % 700;
            let mut print = [0; 16];
            print[..4].copy_from_slice(&value.to_be_bytes());
            ledger.sightings.push(Sighting {
                kind: DatumKind::fixed("device-id"),
                value: SightedValue {
                    print,
                    masked: format!("{value:015}"),
                    raw: None,
                    digest: None,
                },
                field: "http.query.device".to_owned(),
                detector: "made-up".to_owned(),
                known_as: None,
                disguise: Disguise::None,
                protection: Protection::Plaintext,
                flow,
                evidence: vec![at(frame)],
                count: 1,
            });
        }
    }
    ledger
}

fn judged(ledger: Ledger, jobs: usize) -> Audit {
    let packs: Vec<_> = policy::ids().map(|id| policy::built_in(id).unwrap().unwrap()).collect();
    let with = Circumstances {
        data: Datasets::embedded(),
        packs: &packs,
        scope: None,
        subject: None,
        basis: None,
        waivers: None,
        baseline: None,
        as_of: None,
        vantage: None,
        app: None,
        limits: farshore::JudgingLimits::default(),
        version: "test",
        show_pii: false,
        jobs,
    };
    judge(ledger, &with)
}

#[test]
fn the_number_of_threads_changes_no_verdict() {
    let ledger = crowd();
    let alone = judged(ledger.clone(), 1);
    assert!(
        alone.destinations.len() > 2_000 && alone.exposures.len() > 4_000,
        "{}",
        alone.exposures.len()
    );
    assert!(alone.links.as_ref().is_some_and(|it| !it.is_empty()));
    let alone = format!("{alone:?}");
    for jobs in [2, 3, 7] {
        assert!(format!("{:?}", judged(ledger.clone(), jobs)) == alone, "{jobs} threads");
    }
}
