//! Judging: clauses against exposures, with four outcomes and no way from "not seen" to "met".

pub mod kleene;
pub mod pack;
pub mod scope;

use farshore_model::party::Destination;
use farshore_model::{Exposure, Ledger, Outcome, Verdict};

use kleene::Truth;
use pack::{Clause, Pack, PackError};
pub use scope::Scope;

/// The packs that are built in: id and text. One line a pack.
static BUILT_IN: &[(&str, &str)] = &[(
    "no-plaintext-identifiers",
    include_str!("../../../../packs/policies/no-plaintext-identifiers/pack.toml"),
)];

/// The pack that judges when none is named.
pub const DEFAULT: &str = "no-plaintext-identifiers";

/// The built-in pack of that id.
pub fn built_in(id: &str) -> Option<Result<Pack, PackError>> {
    BUILT_IN.iter().find(|(name, _)| *name == id).map(|(_, text)| Pack::read(text))
}

/// The ids of the built-in packs, sorted.
pub fn ids() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(id, _)| *id)
}

/// The verdicts of all clauses of a pack.
pub fn verdicts(pack: &Pack, exposures: &[Exposure], destinations: &[Destination], ledger: &Ledger, scope: Option<&Scope>) -> Vec<Verdict> {
    pack.clauses
        .iter()
        .map(|clause| verdict(pack, clause, exposures, destinations, ledger, scope))
        .collect()
}

fn verdict(
    pack: &Pack,
    clause: &Clause,
    exposures: &[Exposure],
    destinations: &[Destination],
    ledger: &Ledger,
    scope: Option<&Scope>,
) -> Verdict {
    let (mut breached, mut doubtful, mut judged) = (Vec::new(), Vec::new(), 0_usize);
    for (index, exposure) in exposures.iter().enumerate() {
        let destination = destinations.get(exposure.destination);
        let all = |predicates: &[pack::Predicate]| {
            predicates
                .iter()
                .fold(Truth::True, |sum, predicate| sum.and(predicate.holds(exposure, destination)))
        };
        let applies = all(&clause.applies);
        if applies == Truth::False {
            continue;
        }
        judged = judged.saturating_add(1);
        match applies.and(all(&clause.when)) {
            Truth::True => breached.push(index),
            Truth::Unknown => doubtful.push(index),
            Truth::False => {}
        }
    }
    let gaps = scope::gaps(ledger, scope);
    let (outcome, because, chosen) = if !breached.is_empty() {
        let because = format!(
            "{} of {judged} {} {} against it",
            breached.len(),
            plural(judged),
            stand(breached.len())
        );
        (Outcome::Breached, because, breached)
    } else if !doubtful.is_empty() {
        let because = format!("{} of {judged} {} could not be told either way", doubtful.len(), plural(judged));
        (Outcome::Undetermined, because, doubtful)
    } else if !gaps.is_empty() {
        (
            Outcome::Undetermined,
            format!("nothing against it was seen, which proves nothing: {}", gaps.join("; ")),
            Vec::new(),
        )
    } else {
        (
            Outcome::Met,
            format!("it holds for all of the declared scope ({judged} {} judged)", plural(judged)),
            Vec::new(),
        )
    };
    // Words that nobody read at their source cannot carry a breach.
    let (outcome, note) = match outcome {
        Outcome::NotApplicable => (outcome, false),
        _ if !clause.verified => (Outcome::Undetermined, true),
        _ => (outcome, false),
    };
    let mut reached: Vec<usize> = chosen.iter().filter_map(|it| exposures.get(*it)).map(|it| it.destination).collect();
    reached.sort_unstable();
    reached.dedup();
    let evidence = chosen
        .iter()
        .filter_map(|it| exposures.get(*it)?.evidence.first().cloned())
        .take(20)
        .collect();
    Verdict {
        pack: pack.id.clone(),
        clause: clause.id.clone(),
        citation: clause.citation.clone(),
        outcome,
        because,
        note,
        exposures: chosen,
        destinations: reached,
        evidence,
    }
}

const fn plural(n: usize) -> &'static str {
    if n == 1 { "exposure" } else { "exposures" }
}

const fn stand(n: usize) -> &'static str {
    if n == 1 { "stands" } else { "stand" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_pack_reads_under_its_own_name() {
        for id in ids() {
            let pack = built_in(id).unwrap().unwrap();
            assert_eq!(pack.id, id);
            assert!(!pack.clauses.is_empty());
            for clause in &pack.clauses {
                assert!(!clause.citation.trim().is_empty(), "{id}/{} cites nothing", clause.id);
                assert!(!clause.when.is_empty(), "{id}/{} has no condition", clause.id);
            }
        }
        assert!(ids().any(|id| id == DEFAULT));
    }

    #[test]
    fn a_misspelt_predicate_is_refused_with_its_place() {
        let text = "id = \"x\"\nversion = \"1\"\ntitle = \"t\"\n[[clause]]\nid = \"c\"\ntitle = \"t\"\ncitation = \"c\"\nverified = true\napplies = []\nwhen = [{ readible-by = \"on-path\" }]\n";
        let error = Pack::read(text).unwrap_err();
        assert!(error.message.contains("readible-by"), "{error}");
        assert!(error.span.is_some());
    }
}
