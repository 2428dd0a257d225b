//! What was written is read back: the same of everything that an audit tells, and a refusal of all else.

use farshore_model::{Audit, Runs};
use farshore_report::saved::{self, Saved};
use farshore_report::{Options, Sections, output};

use crate::cases;

fn written(audit: &Audit, flows: bool) -> Vec<u8> {
    let options = Options {
        sections: Sections {
            flows,
            observations: flows,
        },
        ..Options::default()
    };
    let mut bytes = Vec::new();
    output("json").unwrap().render(audit, &options, &mut bytes).unwrap();
    bytes
}

/// As JSON, without what is not read back.
fn told(bytes: &[u8]) -> serde_json::Value {
    let mut told: serde_json::Value = serde_json::from_slice(bytes).unwrap();
    told.as_object_mut().unwrap().remove("observations");
    told
}

/// The cases but for the one that speaks of what is not in it, which no program writes.
fn all() -> impl Iterator<Item = (&'static str, Audit)> {
    cases::all().into_iter().filter(|(name, _)| *name != "nowhere")
}

fn read(bytes: &[u8]) -> Saved {
    saved::read(bytes).unwrap_or_else(|it| panic!("{it}"))
}

#[test]
fn what_was_written_is_read_back() {
    for (name, audit) in all() {
        let bytes = written(&audit, true);
        let back = read(&bytes);
        assert!(back.has_flows, "{name}");
        assert_eq!(back.runs.as_ref(), Some(&Runs::of(&audit)), "{name}");
        let again = told(&written(&back.audit, true));
        for (key, value) in told(&bytes).as_object().unwrap() {
            assert_eq!(&again[key], value, "{name}: {key}");
        }
    }
}

#[test]
fn without_flows_the_runs_are_told_all_the_same() {
    for (name, audit) in all() {
        let back = read(&written(&audit, false));
        assert!(!back.has_flows && back.audit.flows.is_empty(), "{name}");
        assert_eq!(back.runs, Some(Runs::of(&audit)), "{name}");
    }
}

#[test]
fn values_are_as_hidden_as_they_were() {
    let call = cases::call();
    let hidden = read(&written(&call, false)).audit;
    assert!(!hidden.show_pii && hidden.exposures.iter().all(|it| it.value.raw.is_none()));
    let shown = read(&written(&Audit { show_pii: true, ..call }, false)).audit;
    let raw: Vec<_> = shown.exposures.iter().filter_map(|it| it.value.raw.as_deref()).collect();
    assert!(shown.show_pii && !raw.is_empty());
    // Whoever asks for masked values gets none of those that were saved as they are.
    let again = String::from_utf8(written(
        &Audit {
            show_pii: false,
            ..shown.clone()
        },
        false,
    ))
    .unwrap();
    assert!(raw.iter().all(|it| !again.contains(&format!("\"{it}\""))), "{raw:?}");
}

/// Keys that the first programs did not write are not asked for.
#[test]
fn keys_that_were_added_later_may_be_missing() {
    const ADDED: &[&str] = &[
        "attribution",
        "as_of",
        "stale",
        "file_bytes",
        "world",
        "empty",
        "limits",
        "filtered",
        "stops",
        "not_searched",
        "contacts",
        "candidates",
        "registered",
        "seat",
        "incorporated_in",
        "establishments",
        "read_at_source",
        "confidence",
        "fictional",
        "special",
        "refuted",
        "implausible",
        "rhythm",
        "laws",
        "known_as",
        "disguise",
        "inputs",
        "title",
        "counts_as",
        "findings",
        "settled_by",
        "waivers",
        "replies",
        "counts_in",
        "first_frame",
        "note",
        "payload",
        "initiator",
        "gaps",
        "randomness",
        "inside",
        "talk",
        "undeclared",
        "discovery",
        "firmness",
        "p_single",
        "table",
        "anonymity_set",
    ];
    fn prune(value: &mut serde_json::Value, depth: usize) {
        match value {
            serde_json::Value::Object(members) => {
                // Inputs of the audit, gaps of its coverage and dates of owners were there from the beginning.
                let flow = members.contains_key("transport");
                let owner = members.contains_key("relation");
                members.retain(|key, _| {
                    let first = (depth == 0 && key == "inputs")
                        || (depth == 1 && key == "gaps")
                        || (owner && key == "as_of")
                        || (flow && key == "first_frame");
                    first || !ADDED.contains(&key.as_str())
                });
                members.values_mut().for_each(|it| prune(it, depth + 1));
            }
            serde_json::Value::Array(all) => all.iter_mut().for_each(|it| prune(it, depth + 1)),
            _ => {}
        }
    }
    for (name, audit) in all() {
        let mut old = told(&written(&audit, true));
        prune(&mut old, 0);
        let back = read(old.to_string().as_bytes());
        assert_eq!(back.audit.destinations.len(), audit.destinations.len(), "{name}");
        // Which flows carried payload was not told: it is unknown, not none.
        let told = audit.flows.is_empty() && audit.destinations.is_empty() && audit.exposures.is_empty();
        assert_eq!(back.runs.is_some(), told, "{name}");
    }
}

#[test]
fn keys_of_later_programs_are_passed_over() {
    let mut later = told(&written(&cases::call(), true));
    later["added"] = serde_json::json!({"a": [1]});
    later["exposures"][0]["added"] = serde_json::json!("x");
    assert_eq!(
        read(later.to_string().as_bytes()).audit.exposures.len(),
        cases::call().exposures.len()
    );
}

#[test]
fn what_contradicts_itself_is_refused_with_its_place() {
    let nowhere = cases::all().into_iter().find(|(name, _)| *name == "nowhere").unwrap().1;
    let said = saved::read(&written(&nowhere, true)).map(|_| ()).unwrap_err().to_string();
    assert!(said.contains("there is no `f4294967296`"), "{said}");
    let call = told(&written(&cases::call(), true));
    for (pointer, wrong, wanted) in [
        (
            "/exposures/0/destination",
            serde_json::json!("d99"),
            "exposures[0].destination: there is no `d99`",
        ),
        (
            "/exposures/0/evidence/0/input",
            serde_json::json!(7),
            "exposures[0].evidence: there is no input 7",
        ),
        (
            "/exposures/0/id",
            serde_json::json!("x2"),
            "exposures[0].id: it is `x2`, expected `x1`",
        ),
        (
            "/exposures/0/label",
            serde_json::json!("user"),
            "exposures[0].label: expected its kind and a number",
        ),
        (
            "/exposures/0/protection",
            serde_json::json!("rot13"),
            "unknown word `rot13`, expected one of `plaintext`, `tls`",
        ),
        (
            "/exposures/0/count",
            serde_json::json!(-1),
            "invalid value: integer `-1`, expected u64",
        ),
        (
            "/destinations/0/location/countries/0",
            serde_json::json!("Germany"),
            "`Germany` is no country",
        ),
        ("/flows/0/first", serde_json::json!("yesterday"), "`yesterday` is no time"),
        (
            "/verdicts/0/outcome",
            serde_json::json!("fine"),
            "unknown word `fine`, expected one of `met`, `breached`",
        ),
    ] {
        let mut bad = call.clone();
        *bad.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = wrong;
        let said = saved::read(bad.to_string().as_bytes()).map(|_| ()).unwrap_err().to_string();
        assert!(said.contains(wanted), "{pointer}: {said}");
    }
}

/// Cut anywhere, or with a byte changed, it is read or refused.
#[test]
fn damage_never_panics() {
    let whole = written(&cases::every_fact(), true);
    for end in (0..whole.len() - 2).step_by(211) {
        let said = saved::read(&whole[..end]).map(|_| ()).unwrap_err();
        assert!(said.to_string().contains("it was cut short"), "{end}: {said}");
    }
    let mut seed = 1_u32;
    for _ in 0..400 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let mut bad = whole.clone();
        let at = seed as usize % bad.len();
        bad[at] = b"0\"{}[],:-9e\\\xff\x00ax"[(seed >> 24) as usize % 16];
        drop(saved::read(&bad));
    }
}
