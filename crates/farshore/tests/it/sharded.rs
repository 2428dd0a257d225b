//! Reading with several shards finds what reading in one thread finds, in the same order.

use farshore::{Detecting, Detectors, Ledger, Reading};
use farshore_lab::Edition;

use crate::clubhouse::{known, record};

fn ledger(bytes: &[u8], detectors: &Detectors, jobs: usize, most: usize) -> Ledger {
    let mut how = Reading {
        jobs,
        ..Reading::default()
    };
    how.limits.observations = most;
    farshore::read(bytes, "capture", &how, detectors, &mut |_| {}).unwrap()
}

#[test]
fn the_number_of_shards_changes_no_finding() {
    let recording = record(Edition::Leaky);
    let detectors = Detectors::new(&known(&recording.truth), Detecting::default()).unwrap();
    for capture in &recording.captures {
        // A pcapng may hold several sections: three times the same, so that findings repeat.
        let bytes = capture.bytes.repeat(3);
        let alone = ledger(&bytes, &detectors, 1, usize::MAX);
        assert!(!alone.flows.is_empty() && !alone.observations.is_empty() && !alone.sightings.is_empty());
        for jobs in [2, 3, 7] {
            let several = ledger(&bytes, &detectors, jobs, usize::MAX);
            assert_eq!(
                format!("{alone:#?}"),
                format!("{several:#?}"),
                "{} with {jobs} shards",
                capture.file
            );
        }
    }
}

#[test]
fn the_ceiling_of_facts_drops_the_same_ones() {
    let recording = record(Edition::Leaky);
    let detectors = Detectors::new(&[], Detecting::default()).unwrap();
    let bytes = &recording.captures[0].bytes;
    let all = ledger(bytes, &detectors, 1, usize::MAX);
    let most = all.observations.len() / 2;
    let mut told = Vec::new();
    for jobs in [1, 2, 3] {
        let some = ledger(bytes, &detectors, jobs, most);
        assert!(some.observations.iter().eq(all.observations.iter().take(most)));
        told.push(some.coverage.limits.get("observations").copied());
    }
    assert!(told.iter().all(|it| *it > Some(0) && *it == told[0]), "{told:?}");
}

/// A file that breaks off in the middle, read from a stream that gives a few bytes at a time.
#[test]
fn what_is_cut_short_is_cut_short_in_any_number_of_shards() {
    struct Drip<'a>(&'a [u8]);
    impl std::io::Read for Drip<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let n = out.len().min(self.0.len()).min(1_000);
            let (now, later) = self.0.split_at(n);
            out[..n].copy_from_slice(now);
            self.0 = later;
            Ok(n)
        }
    }
    let recording = record(Edition::Leaky);
    let detectors = Detectors::new(&[], Detecting::default()).unwrap();
    let bytes = &recording.captures[0].bytes;
    let cut = &bytes[..bytes.len() - 7];
    let alone = ledger(cut, &detectors, 1, usize::MAX);
    assert!(alone.inputs[0].cut_short);
    let how = Reading {
        jobs: 4,
        ..Reading::default()
    };
    let several = farshore::read(Drip(cut), "capture", &how, &detectors, &mut |_| {}).unwrap();
    assert_eq!(several.inputs[0].sha256, alone.inputs[0].sha256);
    assert_eq!(format!("{alone:#?}"), format!("{several:#?}"));
}

/// Oddities of payload are found by a shard, those of fragments before payload is dealt: they are told in the order of their frames.
#[test]
fn oddities_are_told_in_the_order_of_frames() {
    let ip = |id: u8, fragment: [u8; 2], payload: &[u8]| {
        let length = (payload.len() as u16 + 20).to_be_bytes();
        let head = [0x45, 0, length[0], length[1], 0, id, fragment[0], fragment[1], 64, 17, 0, 0];
        [&head[..], &[192, 0, 2, 1, 192, 0, 2, 53], payload].concat()
    };
    // A question, behind whose only record more are announced than there are bytes for.
    let asked = b"\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x03\x05rooms\x07example\x00\x00\x01\x00\x01";
    let length = (asked.len() as u8 + 8).to_be_bytes();
    let datagram = [&[0x9c, 0x40, 0, 53, 0, length[0], 0, 0], &asked[..]].concat();
    let frames = [
        ip(1, [0x40, 0], &datagram),
        ip(2, [0x20, 0], &[1; 16]),
        // It begins eight bytes into the one before, and says something else there.
        ip(2, [0x20, 1], &[2; 16]),
    ];
    let mut file = b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x65\x00\x00\x00".to_vec();
    for (second, frame) in (1_u32..).zip(&frames) {
        for word in [second, 0, frame.len() as u32, frame.len() as u32] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    let detectors = Detectors::new(&[], Detecting::default()).unwrap();
    for jobs in [1, 2, 3] {
        let told: Vec<_> = ledger(&file, &detectors, jobs, usize::MAX)
            .anomalies
            .iter()
            .map(|it| (it.kind, it.evidence[0].span.frame))
            .collect();
        assert_eq!(told, [("dns-cut", 1), ("ip-fragment-overlap", 3)], "{jobs} shards");
    }
}
