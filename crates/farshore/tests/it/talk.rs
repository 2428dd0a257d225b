//! What a device sends while nobody asks it to: the lab's phone, idle, active, and refused consent, beside what was declared.

use std::collections::BTreeMap;
use std::sync::Arc;

use farshore::model::talk::{Omission, Talk};
use farshore::model::{Audit, DatumKind, Ledger};
use farshore::{Declared, Detecting, Detectors, Known, Reading, Secrets, keys};
use farshore_lab::Edition;
use farshore_lab::phone::{self, Phone, Run};

use crate::clubhouse::audit;

fn audited(phone: &Phone, file: impl Fn(&Run) -> Vec<u8>) -> Audit {
    let known = Known {
        name: "device".to_owned(),
        kind: DatumKind::named("device-id"),
        value: phone.device.value.clone(),
    };
    let mut secrets = Secrets::new();
    keys::read(phone.keylog.as_bytes(), &mut secrets).unwrap();
    let secrets = Arc::new(secrets);
    let mut ledger = Ledger::default();
    for run in &phone.runs {
        let detectors = Detectors::new(std::slice::from_ref(&known), Detecting::default()).unwrap();
        let how = Reading {
            labels: BTreeMap::from([("state".to_owned(), run.state.word().to_owned())]),
            secrets: Arc::clone(&secrets),
            ..Reading::default()
        };
        let bytes = file(run);
        ledger.merge(farshore::read(&bytes[..], &run.file, &how, &detectors, &mut |_| {}).unwrap());
    }
    audit(ledger, None)
}

fn host<'a>(it: &Talk, audit: &'a Audit) -> &'a str {
    &audit.destinations[it.destination].name
}

#[test]
fn each_state_is_told_by_destination_with_its_rhythm_and_what_is_not_there_while_active() {
    for edition in Edition::ALL {
        let phone = phone::record(edition);
        let audit = audited(&phone, |run| run.bytes.clone());
        let active = phone.runs.iter().find(|it| it.state.word() == "active").unwrap();
        for run in phone.runs.iter().filter(|it| it.state.word() != "active") {
            let of_state: Vec<&Talk> = audit.talk.iter().filter(|it| it.state.as_str() == run.state.word()).collect();
            for told in &run.told {
                let it = of_state.iter().find(|it| host(it, &audit) == told.host).unwrap();
                assert_eq!(it.flows, told.times, "{}", told.host);
                let beyond = it.beyond.as_ref().unwrap();
                assert_eq!(
                    beyond.destination,
                    active.told.iter().all(|it| it.host != told.host),
                    "{}",
                    told.host
                );
                if let Some((field, _)) = &told.id {
                    assert!(it.fields.iter().any(|it| it.as_str() == field) && beyond.fields.iter().any(|it| it.as_str() == field));
                    let ids = it.exposures.iter().map(|index| &audit.exposures[*index]);
                    assert!(ids.filter(|it| it.kind.as_str() == "device-id").count() > 0, "{}", told.host);
                }
                match (told.period, it.rhythm) {
                    (0, rhythm) => assert_eq!(rhythm, None, "{}", told.host),
                    (period, rhythm) => {
                        let rhythm = rhythm.unwrap();
                        assert!(rhythm.period.abs_diff(period * 1_000_000_000) < 2_000_000_000, "{rhythm:?}");
                        assert_eq!(rhythm.times, told.times);
                    }
                }
            }
            // Beside those, the resolver of the network is asked, and nobody else.
            let others = of_state
                .iter()
                .filter(|it| run.told.iter().all(|told| told.host != host(it, &audit)));
            assert!(others.clone().all(|it| host(it, &audit) == "192.0.2.53") && others.count() == 1);
        }
    }
}

#[test]
fn what_is_not_declared_is_listed_and_what_is_not_asked_is_not() {
    let audit = audited(&phone::record(Edition::Leaky), |run| run.bytes.clone());
    let omissions = |text: &str| {
        let told = Declared::read(text).unwrap().omissions(&audit);
        let of = |what| {
            told.iter()
                .filter(|it| it.what == what)
                .map(|it| it.subject.to_string())
                .collect::<Vec<_>>()
        };
        (of(Omission::Recipient), of(Omission::Country), of(Omission::Field))
    };
    assert_eq!(omissions(""), (vec![], vec![], vec![]));
    let (recipients, countries, fields) = omissions(
        "recipients = [\"parlour\", \"*.tally.example\", \"192.0.2.53\", \"diag.cumulus.example\"]\ncountries = [\"US\", \"DE\"]\nfields = []",
    );
    let sorted = |mut it: Vec<String>| {
        it.sort();
        it
    };
    assert_eq!(sorted(recipients), ["beacon.jiangnan.example", "reports.bluefin.example"]);
    assert_eq!(countries, ["CN"]);
    assert!(!fields.is_empty() && fields.iter().all(|it| it == "device-id"), "{fields:?}");
    assert!(omissions("fields = [\"device-id\"]").2.is_empty());
    assert!(Declared::read("countries = [\"Germany\"]").is_err() && Declared::read("recipient = []").is_err());
}

/// Who got which field of the device's id in which state: a browser's record says the same as the packets.
#[test]
fn the_same_world_written_down_tells_the_same() {
    let told = |audit: &Audit| {
        let mut all = Vec::new();
        for it in &audit.talk {
            for exposure in it.exposures.iter().map(|index| &audit.exposures[*index]) {
                if exposure.kind.as_str() == "device-id" {
                    all.push((it.state.to_string(), host(it, audit).to_owned(), exposure.field.to_string()));
                }
            }
        }
        all.sort();
        all.dedup();
        all
    };
    for edition in Edition::ALL {
        let phone = phone::record(edition);
        let captured = told(&audited(&phone, |run| run.bytes.clone()));
        assert_eq!(captured, told(&audited(&phone, |run| run.har.clone().into_bytes())));
        assert_eq!(captured.is_empty(), edition == Edition::Fixed);
    }
}
