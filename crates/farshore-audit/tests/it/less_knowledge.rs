//! Knowing less never settles a matter: it can only leave open what was settled.

use farshore_audit::policy::pack::Predicate;
use farshore_audit::policy::{Basis, ids};
use farshore_model::party::{Destination, LocationState, Reach};
use farshore_model::{Answer, Outcome, Verdict};

use crate::told::{Facts, SHARED, cases, pack};

/// Every verdict is as before or open.
fn no_firmer(before: &[Verdict], after: &[Verdict], what: &str) {
    for (before, after) in before.iter().zip(after) {
        let fine = after.outcome == before.outcome || after.outcome == Outcome::Undetermined;
        assert!(
            fine,
            "{what}: {} went from {:?} to {:?}",
            before.clause, before.outcome, after.outcome
        );
    }
    assert_eq!(before.len(), after.len());
}

/// All facts there are cases for, alone and put together two by two.
fn all(id: &str) -> Vec<(String, Facts)> {
    let singles: Vec<(String, Facts)> = cases(id).into_iter().map(|(file, case)| (file, case.facts())).collect();
    let mut all = singles.clone();
    for (one, first) in &singles {
        for (other, second) in &singles {
            let mut both = first.clone();
            // Those to addresses of their own are of the other's destinations.
            let shared = second.exposures.iter().filter(|it| it.destination < SHARED);
            both.exposures.extend(shared.cloned());
            all.push((format!("{one} and {other}"), both));
        }
    }
    all
}

#[test]
fn a_reader_of_whom_less_is_known() {
    let mut opened = 0;
    for id in ids() {
        let pack = pack(id);
        for (what, facts) in all(id) {
            let before = facts.judged(&pack);
            for exposure in 0..facts.exposures.len() {
                for reader in 0..facts.exposures[exposure].readers.len() {
                    let mut less = facts.clone();
                    less.exposures[exposure].readers[reader].answer = Answer::CannotTell;
                    let after = less.judged(&pack);
                    no_firmer(&before, &after, &what);
                    opened += before.iter().zip(&after).filter(|(a, b)| a.outcome != b.outcome).count();
                }
            }
            // Of all readers at once, and of none at all: where anything rests on them.
            if facts.exposures.is_empty() {
                continue;
            }
            for forget in [false, true] {
                let mut less = facts.clone();
                for exposure in &mut less.exposures {
                    exposure.readers.iter_mut().for_each(|it| it.answer = Answer::CannotTell);
                    if forget {
                        exposure.readers.clear();
                    }
                }
                let after = less.judged(&pack);
                no_firmer(&before, &after, &what);
                for (clause, verdict) in pack.clauses.iter().zip(&after) {
                    let by_reader = clause.when.iter().any(|it| matches!(it, Predicate::ReadableBy(_)));
                    assert!(!by_reader || verdict.outcome != Outcome::Breached, "{what}");
                }
            }
        }
    }
    assert!(opened > 0, "some were settled by one reader alone");
}

#[test]
fn a_law_of_which_less_is_known() {
    let pack = pack("access-powers");
    let mut opened = 0;
    for (what, facts) in all("access-powers") {
        let before = facts.judged(&pack);
        let forget: [fn(&mut Destination); 2] = [
            |it| it.reach = [].into(),
            |it| {
                let less = it.reach.iter().cloned().map(|it| Reach {
                    answer: Answer::CannotTell,
                    ..it
                });
                it.reach = less.collect();
            },
        ];
        for less in forget {
            let mut facts = facts.clone();
            facts.destinations.iter_mut().for_each(less);
            let after = facts.judged(&pack);
            no_firmer(&before, &after, &what);
            assert!(after.iter().all(|it| it.outcome != Outcome::Breached), "{what}");
            opened += before.iter().zip(&after).filter(|(a, b)| a.outcome != b.outcome).count();
        }
    }
    assert!(opened > 0, "some rested on a law alone");
}

#[test]
fn people_of_whom_and_records_of_which_less_is_known() {
    let mut opened = [0; 5];
    for id in ids() {
        let pack = pack(id);
        for (what, facts) in all(id) {
            let before = facts.judged(&pack);
            let forget: [fn(&mut Facts); 5] = [
                |it| it.subject = None,
                |it| it.basis = it.basis.take().map(Basis::incomplete),
                |it| it.destinations.iter_mut().for_each(|it| it.organisation = None),
                |it| {
                    for place in it.destinations.iter_mut().flat_map(|it| &mut it.places) {
                        let location = std::sync::Arc::make_mut(&mut place.location);
                        if location.state != LocationState::Local {
                            location.claims.clear();
                            location.excluded.clear();
                            location.countries.clear();
                            location.state = LocationState::Undetermined;
                        }
                    }
                },
                |it| it.ledger.inputs.iter_mut().for_each(|it| it.last = None),
            ];
            // Without a day an operator's list is of no time: what it contradicted stands alone then.
            let dated = id != "countries";
            for (less, opened) in forget.iter().zip(&mut opened).take(if dated { 5 } else { 4 }) {
                let mut facts = facts.clone();
                less(&mut facts);
                let after = facts.judged(&pack);
                no_firmer(&before, &after, &what);
                *opened += before.iter().zip(&after).filter(|(a, b)| a.outcome != b.outcome).count();
            }
        }
    }
    assert!(opened.iter().all(|it| *it > 0), "each settled something: {opened:?}");
}

#[test]
fn a_capture_that_shows_less() {
    for id in ids() {
        let pack = pack(id);
        for (what, facts) in all(id) {
            let before = facts.judged(&pack);
            let shows_less: [fn(&mut Facts); 7] = [
                |it| it.scope = None,
                |it| it.ledger.coverage.frames.dropped = None,
                |it| it.ledger.coverage.frames.dropped = Some(1),
                |it| it.ledger.coverage.gaps.count += 1,
                |it| it.ledger.inputs[0].cut_short = true,
                |it| it.ledger.inputs[0].filter = Some("port 53".into()),
                |it| _ = it.ledger.coverage.limits.insert("flows", 1),
            ];
            for less in shows_less {
                let mut facts = facts.clone();
                less(&mut facts);
                let after = facts.judged(&pack);
                no_firmer(&before, &after, &what);
                assert!(after.iter().all(|it| it.outcome != Outcome::Met), "{what}: met for want of seeing");
            }
        }
    }
}

#[test]
fn nothing_at_all_is_never_met() {
    for id in ids() {
        let nothing = Facts {
            ledger: farshore_model::Ledger::default(),
            destinations: Vec::new(),
            exposures: Vec::new(),
            scope: None,
            subject: None,
            basis: None,
            as_of: None,
        };
        for verdict in nothing.judged(&pack(id)) {
            assert_eq!(verdict.outcome, Outcome::Undetermined);
        }
    }
}

#[test]
fn wording_that_was_not_read_gives_notes_only() {
    for id in ids() {
        let mut pack = pack(id);
        pack.clauses.iter_mut().for_each(|it| it.verified = false);
        for (what, facts) in all(id) {
            for verdict in facts.judged(&pack) {
                let spoken_to = verdict.outcome != Outcome::NotApplicable;
                assert!(!spoken_to || verdict.outcome == Outcome::Undetermined, "{what}");
                assert_eq!(verdict.note, spoken_to, "{what}");
            }
        }
    }
}

#[test]
fn whether_it_left_the_house_decides_whom_a_clause_speaks_to() {
    let pack = pack("no-plaintext-identifiers");
    for (what, facts) in all("no-plaintext-identifiers") {
        let mut within = facts.clone();
        within
            .destinations
            .iter_mut()
            .for_each(|it| std::sync::Arc::make_mut(&mut it.location).state = LocationState::Local);
        assert!(within.judged(&pack).iter().all(|it| it.outcome != Outcome::Breached), "{what}");
        // A destination nobody knows is neither near nor far.
        let mut lost = facts.clone();
        lost.destinations.clear();
        no_firmer(&facts.judged(&pack), &lost.judged(&pack), &what);
    }
}
