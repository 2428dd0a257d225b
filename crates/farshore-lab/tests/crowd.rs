//! Crowds: the same each time, and true to the byte.

use farshore_lab::crowd::{self, Design};

/// The frames of a capture of the lab: enhanced packet blocks (type 6) behind each other.
fn frames(file: &[u8]) -> Vec<&[u8]> {
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    let (mut at, mut frames) = (0, Vec::new());
    while at < file.len() {
        if word(at) == 6 {
            frames.push(&file[at + 28..at + 28 + word(at + 20)]);
        }
        at += word(at + 4);
    }
    frames
}

#[test]
fn a_seed_is_a_crowd() {
    for design in Design::ALL {
        let [a, b] = [0, 0].map(|_| crowd::record(7, design));
        assert_eq!(a.labels(), b.labels());
        assert!(a.runs.iter().zip(&b.runs).all(|(a, b)| a.bytes == b.bytes && a.plants == b.plants));
    }
}

/// Of one role, the same cast has the same bytes and another has others, wherever they stand.
#[test]
fn what_is_planted_stands_there_and_tells_its_role() {
    for seed in 0..40 {
        let crowd = crowd::record(seed, Design::Ample);
        let mut of_role = std::collections::BTreeMap::new();
        for run in &crowd.runs {
            let frames = frames(&run.bytes);
            for plant in run.plants.iter().filter(|it| ["user", "room", "device"].contains(&it.role)) {
                let at = plant.offset as usize;
                let bytes = frames[plant.frame as usize - 1][at..at + plant.length as usize].to_vec();
                let known = of_role
                    .entry((plant.role, run.cast.index(plant.role)))
                    .or_insert_with(|| bytes.clone());
                assert_eq!(*known, bytes, "seed {seed}: {plant:?}");
            }
        }
        let values: std::collections::BTreeSet<_> = of_role.iter().map(|((role, _), bytes)| (role, bytes)).collect();
        assert_eq!(values.len(), of_role.len(), "seed {seed}: two have one id");
    }
}

#[test]
fn labels_name_every_run() {
    let crowd = crowd::record(3, Design::Ample);
    let labels = crowd.labels();
    assert!(labels.starts_with("input,") && labels.lines().next().unwrap().contains("user"));
    assert_eq!(labels.lines().count(), crowd.runs.len() + 1);
    assert_eq!(crowd::record(3, Design::Unlabelled).labels().lines().next(), Some("input"));
}
