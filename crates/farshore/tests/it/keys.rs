//! What keys open: every value planted inside TLS is found at its place, and nobody on the path is said to read it.

use std::sync::Arc;

use farshore::model::{Answer, Audit, Protection, ReaderRole};
use farshore::{Auditor, Detecting, Detectors, Known, Reading, Secrets, keys};
use farshore_lab::{Edition, Recording};

use crate::clubhouse::{audit, known, record};

fn secrets(text: &str) -> Arc<Secrets> {
    let mut secrets = Secrets::new();
    keys::read(text.as_bytes(), &mut secrets).unwrap();
    Arc::new(secrets)
}

fn opened(file: &str, bytes: &[u8], known: &[Known], secrets: &Arc<Secrets>, jobs: usize) -> Audit {
    let options = Detecting {
        show_pii: true,
        ..Detecting::default()
    };
    let how = Reading {
        secrets: Arc::clone(secrets),
        jobs,
        ..Reading::default()
    };
    let detectors = Detectors::new(known, options).unwrap();
    audit(farshore::read(bytes, file, &how, &detectors, &mut |_| {}).unwrap(), None)
}

/// The recordings of both editions, with what may be known of either.
fn editions() -> impl Iterator<Item = (Recording, Vec<Known>)> {
    [Edition::Leaky, Edition::Fixed].into_iter().map(|edition| {
        let recording = record(edition);
        let all = known(&record(Edition::Leaky).truth);
        (recording, all)
    })
}

#[test]
fn every_value_inside_tls_is_found_at_its_place() {
    let mut found = 0;
    for (recording, mut all) in editions() {
        let secrets = secrets(&recording.keylog);
        for (it, truth) in recording.captures.iter().zip(&recording.truth.captures) {
            for value in &truth.protected {
                let known = Known {
                    name: format!("{} {}", value.kind, value.value),
                    kind: farshore::model::DatumKind::named(value.kind),
                    value: value.value.clone(),
                };
                if !all.contains(&known) {
                    all.push(known);
                }
            }
            let audit = opened(&it.file, &it.bytes, &all, &secrets, 1);
            for value in &truth.protected {
                let at = |locus: &farshore::model::Locus| {
                    let span = locus.span;
                    let inside = span.offset as usize <= value.stream_offset
                        && value.stream_offset + value.length <= (span.offset + span.length) as usize;
                    inside && locus.layers.contains(&"tls")
                };
                let exposures = audit
                    .exposures
                    .iter()
                    .filter(|it| it.value.raw.as_deref() == Some(value.value.as_str()));
                let of_flow = exposures.filter(|it| it.flows.iter().any(|flow| flow.0 as usize == value.flow));
                let there: Vec<_> = of_flow.filter(|it| it.evidence.iter().any(at)).collect();
                assert!(!there.is_empty(), "{}: {} {} is not found", truth.file, value.kind, value.value);
                for exposure in there {
                    assert_eq!(exposure.protection, Protection::Tls);
                    let answer = |role| exposure.readers.iter().find(|it| it.role == role).unwrap().answer;
                    assert_eq!(answer(ReaderRole::OnPath), Answer::No, "{:?}", exposure.readers);
                    found += 1;
                }
            }
            assert_eq!(audit.coverage.keys.matched, truth.tls.len() as u64);
            assert_eq!(audit.flow_coverage.decrypted, truth.tls.len() as u64);
            assert!(audit.coverage.keys.unmatched.is_empty(), "{:?}", audit.coverage.keys.unmatched);
        }
    }
    assert!(found > 20, "{found} values");
}

#[test]
fn without_keys_nothing_of_it_is_seen() {
    for (recording, all) in editions() {
        for (it, truth) in recording.captures.iter().zip(&recording.truth.captures) {
            let bare = opened(&it.file, &it.bytes, &all, &Arc::default(), 1);
            assert!(
                bare.exposures
                    .iter()
                    .all(|it| it.protection != Protection::Tls || it.kind.as_str() == "content")
            );
            assert_eq!((bare.coverage.keys.offered, bare.coverage.keys.matched), (0, 0));
            // Keys of other sessions open nothing, and that is said.
            let other = secrets(&format!("CLIENT_RANDOM {} {}", "00".repeat(32), "00".repeat(48)));
            let shut = opened(&it.file, &it.bytes, &all, &other, 1);
            assert_eq!(shut.exposures, bare.exposures);
            let reason = "no such client random".to_owned();
            assert_eq!(shut.coverage.keys.unmatched.get(&reason), Some(&(truth.tls.len() as u64)));
        }
    }
}

/// A pcapng block of type 10 with a key log (draft-ietf-opsawg-pcapng section 4.7).
fn block(text: &str) -> Vec<u8> {
    let mut body = [0x544c_534b_u32.to_le_bytes(), (text.len() as u32).to_le_bytes()].concat();
    body.extend_from_slice(text.as_bytes());
    body.resize(body.len().next_multiple_of(4), 0);
    let length = (body.len() as u32 + 12).to_le_bytes();
    [&10_u32.to_le_bytes()[..], &length, &body, &length].concat()
}

#[test]
fn a_key_log_in_the_file_serves_what_comes_after_it() {
    for (recording, all) in editions() {
        let it = &recording.captures[0];
        let given = opened(&it.file, &it.bytes, &all, &secrets(&recording.keylog), 1);
        let section = u32::from_le_bytes(it.bytes[4..8].try_into().unwrap()) as usize;
        // In one block, a line in each, and longer than a block may be.
        let lines: Vec<u8> = recording.keylog.lines().flat_map(block).collect();
        let padded = format!("{}{}", "# nothing\n".repeat(500_000), recording.keylog);
        for blocks in [block(&recording.keylog), lines, block(&padded)] {
            let mut file = it.bytes.clone();
            file.splice(section..section, blocks);
            for jobs in [1, 3] {
                let inside = opened(&it.file, &file, &all, &Arc::default(), jobs);
                assert_eq!(inside.exposures, given.exposures);
                assert_eq!(inside.observations, given.observations);
                assert_eq!(inside.coverage.keys.matched, given.coverage.keys.matched);
                assert_eq!(
                    inside.coverage.keys.offered,
                    given.coverage.keys.offered + secrets(&recording.keylog).sessions()
                );
            }
        }
        // At the end of the file it is of no use, and does no harm.
        let late = [it.bytes.as_slice(), &block(&recording.keylog)].concat();
        let late = opened(&it.file, &late, &all, &Arc::default(), 1);
        assert_eq!(late.coverage.keys.matched, 0);
    }
}

/// Whoever drives the auditor by hand hands key logs over by hand.
#[test]
fn an_auditor_learns_between_frames() {
    let recording = record(Edition::Leaky);
    let it = &recording.captures[0];
    let mut auditor = Auditor::new(&Reading::default(), Detectors::new(&[], Detecting::default()).unwrap());
    let mut capture = farshore_sources::open(farshore::model::InputId(0), it.bytes.as_slice(), farshore::SourceLimits::default()).unwrap();
    auditor.learn(recording.keylog.as_bytes());
    while let Some(frame) = capture.next().unwrap() {
        auditor.push(&frame);
    }
    let ledger = auditor.finish(farshore_sources::Summary::default());
    assert!(ledger.flows.iter().any(farshore::model::Flow::is_opened));
    assert!(ledger.observations.iter().any(|it| it.protection == Protection::Tls));
}
