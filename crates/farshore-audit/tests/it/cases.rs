//! Each clause of each built-in pack has a case that meets it, one that breaches it and one that leaves it open.

use farshore_audit::policy::ids;
use farshore_audit::policy::pack::Predicate;
use farshore_model::Outcome;

use crate::told::{cases, folder, outcome, pack};

#[test]
fn every_case_is_judged_as_it_says() {
    for id in ids() {
        let pack = pack(id);
        for (file, case) in cases(id) {
            let verdicts = case.facts().judged(&pack);
            let verdict = verdicts
                .iter()
                .find(|it| it.clause == case.clause)
                .unwrap_or_else(|| panic!("{file}: no clause {}", case.clause));
            assert_eq!(verdict.outcome, outcome(&case.outcome), "{id}/{file}: {}", verdict.because);
            let clause = pack.clauses.iter().find(|it| it.id == case.clause).unwrap();
            let noted = !clause.verified && verdict.outcome != Outcome::NotApplicable;
            assert_eq!((verdict.pack.as_str(), verdict.note), (id, noted), "{file}");
            assert!(!case.because.is_empty(), "{file} says no word of the reason");
            for words in &case.because {
                assert!(
                    verdict.because.contains(words),
                    "{id}/{file}: {words:?} is not in {:?}",
                    verdict.because
                );
            }
            if verdict.outcome == Outcome::Breached {
                assert!(
                    !verdict.evidence.is_empty() && !verdict.destinations.is_empty(),
                    "{file}: a breach shows its bytes"
                );
            }
        }
    }
}

#[test]
fn each_clause_has_a_case_of_each_outcome() {
    for id in ids() {
        let cases = cases(id);
        for clause in &pack(id).clauses {
            let says = |all: &[Predicate]| all.iter().any(|it| matches!(it, Predicate::NotOnTheWire(_)));
            let all = |all: &[Predicate]| all.iter().all(|it| matches!(it, Predicate::NotOnTheWire(_)));
            // What rests on the word of people alone is never settled by a capture.
            let can_breach = clause.verified && !says(&clause.when) && !says(&clause.applies);
            let can_be_met = clause.verified && !all(&clause.when) && !says(&clause.applies);
            let of_some = |it: &Predicate| {
                matches!(
                    it,
                    Predicate::SubjectMarketIn(_) | Predicate::SubjectResidenceIn(_) | Predicate::UsPerson(_)
                )
            };
            let limited = clause.from.is_some() || clause.until.is_some() || clause.applies.iter().any(of_some);
            for (wanted, possible) in [
                ("met", can_be_met),
                ("breached", can_breach),
                ("undetermined", true),
                ("not-applicable", limited),
            ] {
                if !possible {
                    let there = cases.iter().find(|(_, it)| it.clause == clause.id && it.outcome == wanted);
                    assert!(there.is_none(), "{id}/{}: {there:?} cannot be", clause.id);
                    continue;
                }
                let there = cases.values().any(|it| it.clause == clause.id && it.outcome == wanted);
                assert!(there, "{id}/{} has no case that is {wanted}", clause.id);
            }
        }
        for (file, case) in &cases {
            assert!(
                file.starts_with(&format!("{}.{}", case.clause, case.outcome)),
                "{file} is named for its clause and outcome"
            );
            assert!(!case.title.trim().is_empty(), "{file}");
        }
    }
}

#[test]
fn each_pack_says_what_it_asks_and_what_it_cannot_prove() {
    for id in ids() {
        let text = std::fs::read_to_string(folder(id).join("README.md")).unwrap();
        assert!(text.starts_with(&format!("# {id}\n")), "{id}");
        for heading in ["## What it can prove", "## What it cannot", "## Cases"] {
            assert!(text.contains(heading), "{id}: {heading}");
        }
        for clause in &pack(id).clauses {
            assert!(
                text.contains(&format!("`{}`", clause.id)),
                "{id}: its page says nothing of {}",
                clause.id
            );
        }
    }
}
