//! Who can read what, against scenes of the lab that are true by construction: no `yes` and no `no` that is false, and most of what can be
//! told is told. `cargo bench -p farshore --bench readers` prints the same table over more scenes.

use std::sync::Arc;

use farshore::model::{Answer, Audit, Exposure};
use farshore::{Circumstances, Datasets, Detecting, Detectors, Known, Reading, Secrets, judge, keys};
use farshore_lab::cells::{self, Cell, Scene};

fn audit(scene: &Scene) -> Audit {
    let known: Vec<Known> = scene
        .known
        .iter()
        .map(|it| Known {
            name: it.kind.to_owned(),
            kind: farshore::model::DatumKind::named(it.kind),
            value: it.value.clone(),
        })
        .collect();
    let options = Detecting {
        show_pii: true,
        ..Detecting::default()
    };
    let mut secrets = Secrets::new();
    keys::read(scene.keylog.as_bytes(), &mut secrets).unwrap();
    let how = Reading {
        secrets: Arc::new(secrets),
        ..Reading::default()
    };
    let detectors = Detectors::new(&known, options).unwrap();
    let ledger = farshore::read(&scene.bytes[..], &scene.name, &how, &detectors, &mut |_| {}).unwrap();
    let with = Circumstances {
        data: Datasets::with_fictional(),
        packs: &[],
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
        show_pii: true,
        jobs: 1,
    };
    judge(ledger, &with)
}

fn is_of(it: &Exposure, cell: &Cell, scene: &Scene, audit: &Audit) -> bool {
    let value = it.value.raw.as_deref().unwrap_or(&it.value.masked);
    let there = |place: &farshore::model::party::Place| place.address == std::net::IpAddr::V4(scene.server);
    it.kind.as_str() == cell.kind
        && cell.value.as_deref().is_none_or(|wanted| wanted == value)
        && cell.field.is_none_or(|field| it.field.starts_with(field))
        && audit.destinations[it.destination].places.iter().any(there)
}

fn role(it: farshore::model::ReaderRole) -> &'static str {
    use farshore::model::ReaderRole::{DnsResolver, Endpoint, Hosting, OnPath, Owner, Relay};
    match it {
        OnPath => "on-path",
        DnsResolver => "dns-resolver",
        Hosting => "hosting",
        Relay => "relay",
        Endpoint => "endpoint",
        Owner => "owner",
    }
}

/// What all exposures say of one cell: they must agree, or it is not told.
fn said(cell: &Cell, scene: &Scene, audit: &Audit) -> (usize, Answer, String) {
    let exposures: Vec<&Exposure> = audit.exposures.iter().filter(|it| is_of(it, cell, scene, audit)).collect();
    let readers = exposures.iter().flat_map(|it| &it.readers).filter(|it| role(it.role) == cell.role);
    let mut told: Option<(Answer, String)> = None;
    for it in readers {
        let words = format!("{} ({})", it.because, it.party);
        told = Some(match told {
            None => (it.answer, words),
            Some((known, because)) if known == it.answer => (known, because),
            Some((Answer::CannotTell, _)) | Some(_) if it.answer != Answer::CannotTell => (it.answer, words),
            Some(known) => known,
        });
    }
    let (answer, because) = told.unwrap_or((Answer::CannotTell, "nothing is said".to_owned()));
    (exposures.len(), answer, because)
}

/// What came of all cells.
#[derive(Default, Debug)]
pub struct Table {
    pub cells: u64,
    pub decidable: u64,
    pub decided: u64,
    pub cannot_tell: u64,
    /// Answers that are false, or that nobody can know.
    pub wrong: Vec<String>,
    /// What could be told and is not.
    pub open: Vec<String>,
}

impl Table {
    /// Of the scenes of those seeds.
    pub fn of(seeds: std::ops::Range<u64>, with_speech: impl Fn(u64) -> bool) -> Self {
        let mut table = Self::default();
        for seed in seeds {
            for scene in cells::record(seed, with_speech(seed)) {
                table.count(&scene);
            }
        }
        table
    }

    fn count(&mut self, scene: &Scene) {
        let audit = audit(scene);
        for cell in &scene.cells {
            let (exposures, answer, because) = said(cell, scene, &audit);
            self.cells += 1;
            self.decidable += u64::from(cell.decidable);
            let line = format!(
                "{}: {} {:?} to {}: {answer:?}, {because}",
                scene.name, cell.kind, cell.field, cell.role
            );
            match (answer, cell.reads) {
                (Answer::CannotTell, _) => {
                    self.cannot_tell += 1;
                    if cell.decidable {
                        self.open.push(format!("{line} [{exposures} exposures]"));
                    }
                }
                (Answer::Yes, true) | (Answer::No, false) => {
                    self.decided += u64::from(cell.decidable);
                    // Right by luck is wrong in another world.
                    if !cell.decidable {
                        self.wrong.push(format!("{line}, which cannot be known"));
                    }
                }
                (Answer::Yes, false) | (Answer::No, true) => self.wrong.push(line),
            }
        }
    }

    /// Holds what is promised.
    pub fn holds(&self) {
        assert!(self.wrong.is_empty(), "{} wrong:\n{}", self.wrong.len(), self.wrong.join("\n"));
        let Self { decided, decidable, .. } = self;
        assert!(
            decided * 100 >= decidable * 95,
            "{decided} of {decidable}:\n{}",
            self.open.join("\n")
        );
    }
}

#[test]
fn no_reader_is_told_wrongly_and_most_of_what_can_be_told_is() {
    Table::of(0..2, |seed| seed == 0).holds();
}
