//! The fixed edition: nothing of what leaked is found, and nothing is called good for want of seeing.

use farshore::model::{Answer, DatumKind, Outcome, Protection, ReaderRole};
use farshore::policy::Scope;
use farshore_lab::Edition;

use crate::clubhouse::{audits, holds_to_truth};
use crate::spoken;

const SCOPE: &str = "interfaces = [\"wlan0\"]\napps = [\"com.example.parlour\"]\nfeatures = [\"join a room\", \"speak\"]\n\
                     from = 2021-02-11T17:00:00Z\nuntil = 2021-02-11T19:00:00Z\n";

#[test]
fn flows_names_and_parties_are_the_truth() {
    let (recording, audits) = audits(Edition::Fixed, None);
    for (truth, audit) in recording.truth.captures.iter().zip(&audits) {
        holds_to_truth(&recording.truth, truth, audit);
    }
}

#[test]
fn no_known_value_is_found_and_nobody_is_in_china() {
    let (_, audits) = audits(Edition::Fixed, None);
    for audit in &audits {
        let found: Vec<_> = audit
            .exposures
            .iter()
            .filter(|it| it.known_as.is_some())
            .map(|it| &it.value)
            .collect();
        assert!(found.is_empty(), "{found:?}");
        let other = |kind: &DatumKind| *kind != DatumKind::HOSTNAME && *kind != DatumKind::CONTENT && *kind != DatumKind::AUDIO;
        assert!(
            audit.exposures.iter().all(|it| !other(&it.kind)),
            "nor anything that looks like an identifier"
        );
        let in_china = audit
            .destinations
            .iter()
            .flat_map(|it| &it.places)
            .flat_map(|it| &it.location.claims);
        assert!(in_china.clone().next().is_some());
        assert!(in_china.clone().all(|it| it.country.code() != "CN"));
    }
}

#[test]
fn speech_is_there_and_cannot_be_heard() {
    let (recording, audits) = audits(Edition::Fixed, None);
    for (truth, audit) in recording.truth.captures.iter().zip(&audits) {
        for (because, sound) in spoken::streams(truth, audit) {
            assert_eq!(sound, None);
            assert!(because.contains("SRTP tag"), "{because}");
        }
        let audio: Vec<_> = audit.exposures.iter().filter(|it| it.kind == DatumKind::AUDIO).collect();
        assert!(!audio.is_empty());
        for reader in audio.iter().flat_map(|it| &it.readers) {
            // Statistics show no encryption: nobody is said to be shut out either.
            assert_eq!(reader.answer, Answer::CannotTell, "{:?}", reader.role);
            assert!(!reader.because.to_string().is_empty());
        }
        assert!(audio.iter().all(|it| it.readers.iter().any(|it| it.role == ReaderRole::OnPath)));
        let media = audit.flows.iter().filter(|it| it.protocols.contains(&"rtp"));
        assert!(media.clone().next().is_some() && media.clone().all(|it| it.protection == Protection::Opaque));
    }
}

#[test]
fn nothing_is_met_without_a_scope_nor_with_one_while_channels_are_closed() {
    let scope = Scope::read(SCOPE).unwrap();
    for (scope, says) in [
        (None, vec!["no scope was declared"]),
        (
            Some(&scope),
            vec!["flows were encrypted and not opened", "flows carry payload in no known format"],
        ),
    ] {
        let (_, audits) = audits(Edition::Fixed, scope);
        for audit in &audits {
            for verdict in &audit.verdicts {
                assert_eq!(verdict.outcome, Outcome::Undetermined, "{}: {}", verdict.clause, verdict.because);
                if verdict.clause == "speech-in-clear" {
                    assert!(verdict.because.contains("could not be told"), "{}", verdict.because);
                    assert!(!verdict.exposures.is_empty());
                } else {
                    for says in &says {
                        assert!(verdict.because.contains(says), "{}: {}", verdict.clause, verdict.because);
                    }
                    assert!(
                        !verdict.because.contains("declared hours"),
                        "the capture is within them: {}",
                        verdict.because
                    );
                }
            }
        }
    }
}
