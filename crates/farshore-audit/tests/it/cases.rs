//! Each clause of each built-in pack has a case that meets it, one that breaches it and one that leaves it open.

use farshore_audit::policy::ids;
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
            assert_eq!((verdict.pack.as_str(), verdict.note), (id, false), "{file}");
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
            for wanted in ["met", "breached", "undetermined"] {
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
