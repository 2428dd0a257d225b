//! Every cut and every flipped byte: no panic, and what stands before the damage stands.

use farshore_sources::Limits;

use crate::files::{Got, ORDERS, VARIANTS, body, medley, pcap, read, variant};

/// Files with where their frames end.
fn samples() -> Vec<(Vec<u8>, Vec<usize>)> {
    let mut all = Vec::new();
    for order in ORDERS {
        for nanoseconds in [false, true] {
            let records: Vec<_> = (0..6).map(|n| (n, n, body(n, 9 * n as usize), 60)).collect();
            all.push(pcap(order, nanoseconds, 1, &records));
        }
        for it in VARIANTS {
            let records: Vec<_> = (0..3).map(|n| (n, n, body(n, 9 * n as usize), 60)).collect();
            all.push(variant(order, it, 1, &records));
        }
    }
    let medley = medley();
    all.push((medley.bytes, medley.ends));
    all
}

fn frames(file: &[u8]) -> Option<(Vec<Got>, Option<String>)> {
    let limits = Limits {
        frame_bytes: 1 << 12,
        block_bytes: 1 << 12,
        ..Limits::default()
    };
    match read(file, limits) {
        Ok((frames, summary)) => {
            assert_eq!(summary.record.file_bytes, file.len() as u64);
            Some((frames, summary.damage))
        }
        Err(error) => {
            assert!(error.to_string().starts_with("offset "), "{error}");
            None
        }
    }
}

#[test]
fn every_cut_leaves_the_frames_before_it() {
    for (file, ends) in samples() {
        let (all, _) = frames(&file).unwrap();
        assert_eq!(all.len(), ends.len());
        for cut in 0..=file.len() {
            let Some((left, damage)) = frames(&file[..cut]) else {
                assert!(cut < 28, "{cut} of {}", file.len());
                continue;
            };
            let before = ends.iter().filter(|end| **end <= cut).count();
            assert_eq!(left, all[..before], "cut at {cut}");
            // What is said names a place at or before the cut.
            if let Some(said) = damage {
                let offset: usize = said
                    .strip_prefix("offset ")
                    .and_then(|it| it.split(':').next())
                    .unwrap()
                    .parse()
                    .unwrap();
                assert!(
                    offset <= cut && ends.iter().all(|end| *end <= offset || *end > cut),
                    "{said} at {cut}"
                );
            }
        }
    }
}

#[test]
fn every_flipped_byte_leaves_the_frames_before_it() {
    for (file, ends) in samples() {
        let (all, _) = frames(&file).unwrap();
        for at in 0..file.len() {
            for flip in [0x01, 0x04, 0x80, 0xff] {
                let mut bad = file.clone();
                bad[at] ^= flip;
                let Some((left, _)) = frames(&bad) else { continue };
                let before = ends.iter().filter(|end| **end <= at).count();
                assert!(left.len() >= before, "flip at {at}");
                assert_eq!(left[..before], all[..before], "flip at {at}");
                assert!(left.len() <= file.len() / 12);
            }
        }
    }
}

#[test]
fn noise_is_survived() {
    let mut seed = 11_u64;
    let mut random = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize
    };
    let samples = samples();
    for _ in 0..3_000 {
        let (file, _) = &samples[random() % samples.len()];
        let mut bad = file.clone();
        for _ in 0..=random() % 8 {
            let at = random() % bad.len();
            match random() % 3 {
                0 => bad[at] = random() as u8,
                1 => drop(bad.drain(at..(at + random() % 40).min(bad.len()))),
                _ => {
                    let repeated = bad[at..].to_vec();
                    bad.extend(repeated);
                }
            }
            if bad.is_empty() {
                bad.push(0);
            }
        }
        frames(&bad);
    }
}
