//! How each case looks as a whole.

use farshore_report::{OUTPUTS, Options, Sections};

use crate::cases;

#[test]
fn json_of_a_call() {
    let mut bytes = Vec::new();
    let sections = Sections {
        flows: true,
        observations: true,
    };
    let options = Options {
        sections,
        ..Options::default()
    };
    farshore_report::output("json")
        .unwrap()
        .render(&cases::every_fact(), &options, &mut bytes)
        .unwrap();
    insta::assert_snapshot!("every-fact.json", String::from_utf8(bytes).unwrap());
}

#[test]
fn every_output_renders_every_case_and_every_verdict() {
    for (case, audit) in cases::all() {
        for output in OUTPUTS {
            let mut bytes = Vec::new();
            output.render(&audit, &Options::default(), &mut bytes).unwrap();
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.ends_with('\n'), "{case} as {}", output.id());
            if case != "hostile" {
                for verdict in &audit.verdicts {
                    assert!(text.contains(&verdict.clause), "{case} as {} lacks {}", output.id(), verdict.clause);
                }
            }
        }
    }
    assert!(OUTPUTS.windows(2).all(|pair| pair[0].id() < pair[1].id()), "sorted, each id once");
}
