//! Text from the wire does nothing but stand there.

use farshore_report::{OUTPUTS, Options, Sections, escape};

use crate::cases;

#[test]
fn no_output_lets_anything_through() {
    let sections = Sections {
        flows: true,
        observations: true,
    };
    for (case, mut audit) in cases::all() {
        // What destinations share is written once, and again.
        audit.destinations.extend(audit.destinations.clone());
        for (output, width) in OUTPUTS.iter().flat_map(|output| [(output, 40), (output, 100)]) {
            let options = Options {
                sections,
                width,
                ..Options::default()
            };
            let mut bytes = Vec::new();
            output.render(&audit, &options, &mut bytes).unwrap();
            let text = String::from_utf8(bytes).unwrap();
            let found: Vec<char> = text.chars().filter(|c| *c != '\n' && escape::is_invisible(*c)).collect();
            assert!(found.is_empty(), "{case} as {} holds {found:?}", output.id());
            // Of what a CI service's log obeys nothing is made by a name.
            if ["check", "github"].contains(&output.id()) {
                for line in text.lines() {
                    let ours = output.id() == "github" && ["::error ", "::warning ", "::notice "].iter().any(|it| line.starts_with(it));
                    assert!(ours || !line.trim_start().starts_with("::"), "{case}: {line}");
                    assert!(!line.contains("##"), "{case}: {line}");
                }
            }
            let lower = text.to_lowercase();
            for markup in ["<script", "<!--]", "</textarea", "<a href=\"javascript"] {
                assert!(!lower.contains(markup), "{case} as {} holds {markup}", output.id());
            }
        }
    }
}
