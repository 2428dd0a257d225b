//! How each case looks as a whole.

use farshore_model::verdict::Counting;
use farshore_model::{Outcome, Verdict};
use farshore_report::{OUTPUTS, Options, Sections};

use crate::cases;
use crate::cases::build::verdict;

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
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text.lines().count(), 1);
    insta::assert_snapshot!("every-fact.json", indented(&text));
}

/// The same JSON over many lines, for people.
fn indented(json: &str) -> String {
    let (mut out, mut depth, mut quoted, mut escaped) = (String::new(), 0, false, false);
    let mut all = json.chars().peekable();
    while let Some(c) = all.next() {
        let line = |depth: usize| format!("\n{}", "  ".repeat(depth));
        match c {
            _ if quoted => out.push(c),
            '{' | '[' => {
                depth += 1;
                out.push(c);
                if !matches!(all.peek(), Some('}' | ']')) {
                    out.push_str(&line(depth));
                }
            }
            '}' | ']' => {
                depth -= 1;
                if !out.ends_with(['{', '[']) {
                    out.push_str(&line(depth));
                }
                out.push(c);
            }
            ',' => out.push_str(&format!(",{}", line(depth))),
            ':' => out.push_str(": "),
            _ => out.push(c),
        }
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
    }
    out
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
                // In a log what holds is counted, and no more.
                let silent = |it: &&Verdict| {
                    ["check", "github"].contains(&output.id()) && matches!(it.outcome, Outcome::Met | Outcome::NotApplicable)
                };
                for verdict in audit.verdicts.iter().filter(|it| !silent(it)) {
                    assert!(text.contains(&verdict.clause), "{case} as {} lacks {}", output.id(), verdict.clause);
                }
            }
        }
    }
    assert!(OUTPUTS.windows(2).all(|pair| pair[0].id() < pair[1].id()), "sorted, each id once");
}

#[test]
fn a_screen_of_each_case() {
    for (case, audit) in cases::all() {
        for width in [80, 100] {
            let text = screen(&audit, width, false);
            let widest = text.lines().map(farshore_report::escape::columns).max().unwrap();
            assert!(widest <= width, "{case} is {widest} wide");
            if !["hostile", "crowd", "waived"].contains(&case) {
                assert!(
                    text.lines().count() <= if width == 80 { 58 } else { 48 },
                    "{case}: {} lines\n{text}",
                    text.lines().count()
                );
            }
        }
        insta::assert_snapshot!(format!("{case}.terminal"), screen(&audit, 100, false));
    }
}

/// Whoever reads an output learns what somebody answered for, until when, and which waiver does not hold.
#[test]
fn every_output_lists_every_waiver() {
    let audit = cases::waived();
    for output in OUTPUTS {
        let mut bytes = Vec::new();
        output.render(&audit, &Options::default(), &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        for wanted in ["imei", "x2", "d2", "gone.example"] {
            let named = text.matches("TICKET-7").count() >= 4 && text.contains("2023-12-31") && text.contains(wanted);
            assert!(named, "{} lacks the waiver of {wanted}: {text}", output.id());
        }
    }
    let counts = |audit: &farshore_model::Audit| audit.verdicts.iter().map(Verdict::counting).collect::<Vec<_>>();
    let as_of = counts(&audit);
    assert_eq!(as_of[0], Counting::As(Outcome::Breached), "one of two breaches is waived");
    assert_eq!(as_of[1], Counting::Waived);
    assert_eq!(as_of[2], Counting::As(Outcome::Breached));
    let mut all = audit;
    all.verdicts[0].findings[2].waived = Some(0);
    assert_eq!(
        counts(&all)[0],
        Counting::As(Outcome::Undetermined),
        "what could not be told is not waived with what is breached"
    );
}

#[test]
fn the_log_of_each_case() {
    for (case, audit) in cases::all() {
        let mut bytes = Vec::new();
        let check = farshore_report::output("check").unwrap();
        check.render(&audit, &Options::default(), &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.lines().all(|it| farshore_report::escape::columns(it) <= 112), "{case}");
        insta::assert_snapshot!(format!("{case}.check"), text);
    }
}

#[test]
fn verdicts_come_breached_first_and_notes_after_what_is_met() {
    let mut audit = cases::call();
    let mut note = verdict("clause-n", Outcome::Undetermined, "");
    note.note = true;
    audit.verdicts = vec![
        verdict("clause-a", Outcome::NotApplicable, ""),
        note,
        verdict("clause-m", Outcome::Met, ""),
        verdict("clause-u", Outcome::Undetermined, ""),
        verdict("clause-b", Outcome::Breached, ""),
    ];
    let text = screen(&audit, 100, false);
    let order: Vec<usize> = ["b", "u", "m", "n", "a"]
        .iter()
        .map(|it| text.find(&format!(" clause-{it} ")).unwrap())
        .collect();
    assert!(order.is_sorted(), "{text}");
    assert!(text.contains("1 clause breached, 1 undetermined."), "{text}");
}

#[test]
fn colour_is_the_only_difference_it_makes() {
    let strip = |text: String| {
        let mut parts = text.split('\x1b');
        let mut out = parts.next().unwrap().to_owned();
        parts.for_each(|part| out.push_str(part.split_once('m').unwrap().1));
        out
    };
    for (_, audit) in cases::all() {
        assert_eq!(strip(screen(&audit, 90, true)), screen(&audit, 90, false));
    }
    assert!(screen(&cases::call(), 90, true).contains("\x1b[31m! "));
}

fn screen(audit: &farshore_model::Audit, width: usize, color: bool) -> String {
    let options = Options {
        width,
        color,
        ..Options::default()
    };
    let mut bytes = Vec::new();
    farshore_report::output("terminal")
        .unwrap()
        .render(audit, &options, &mut bytes)
        .unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_page_of_a_call() {
    for case in ["call", "losses", "log"] {
        let (_, audit) = cases::all().into_iter().find(|(name, _)| *name == case).unwrap();
        insta::assert_snapshot!(format!("{case}.html"), without_style(&page(&audit, &[])));
    }
}

fn page(audit: &farshore_model::Audit, borders: &[farshore_report::BorderShape]) -> String {
    let options = Options {
        borders,
        ..Options::default()
    };
    let mut bytes = Vec::new();
    farshore_report::output("html")
        .unwrap()
        .render(audit, &options, &mut bytes)
        .unwrap();
    String::from_utf8(bytes).unwrap()
}

/// The page a line per element, without its style: a new shade is no new page.
fn without_style(page: &str) -> String {
    let (before, rest) = page.split_once("<style>").unwrap();
    let (_, after) = rest.split_once("</style>").unwrap();
    format!("{before}{after}").replace("><", ">\n<")
}
