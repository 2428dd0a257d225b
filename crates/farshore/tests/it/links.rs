//! Who could be linked to whom in the lab's world: all who shared a room, by the right observers, and nobody else.

use std::collections::BTreeSet;
use std::sync::Arc;

use farshore::model::{Audit, Ledger, ReaderRole};
use farshore::{Detecting, Detectors, Reading, Secrets, keys};
use farshore_lab::Edition;
use farshore_lab::truth::Truth;

use crate::clubhouse::{audit, known, record};

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
