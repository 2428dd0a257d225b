//! Who can read what, against `corpus/readers.tsv`: real captures, labelled from their bytes with another program. Read where those
//! captures are at hand (`../shared`), and nothing is claimed where they are not.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use farshore::model::{Answer, Audit, ReaderRole};
use farshore::{Datasets, Detecting, Detectors, Reading};

use crate::wired::judged;

/// A label: file, frame, field, reader, answer.
struct Label<'a> {
    line: &'a str,
    frame: u64,
    field: &'a str,
    reader: &'a str,
    answer: &'a str,
}

fn labels(text: &str) -> BTreeMap<&str, Vec<Label<'_>>> {
    let mut files: BTreeMap<&str, Vec<Label<'_>>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [file, frame, _, field, reader, answer, _] = cells[..] else {
            panic!("{line}");
        };
        files.entry(file).or_default().push(Label {
            line,
            frame: frame.parse().unwrap(),
            field,
            reader,
            answer,
        });
    }
    files
}

#[expect(clippy::disallowed_methods, reason = "the captures are files, and this is a test")]
fn audit(path: &Path) -> Audit {
    let detectors = Detectors::new(&[], Detecting::default()).unwrap();
    let bytes = fs::read(path).unwrap();
    let ledger = farshore::read(&bytes[..], "capture", &Reading::default(), &detectors, &mut |_| {}).unwrap();
    judged(ledger, Datasets::embedded())
}

fn role(word: &str) -> ReaderRole {
    match word {
        "on-path" => ReaderRole::OnPath,
        "dns-resolver" => ReaderRole::DnsResolver,
        "hosting" => ReaderRole::Hosting,
        "relay" => ReaderRole::Relay,
        "endpoint" => ReaderRole::Endpoint,
        other => panic!("{other}"),
    }
}

/// What is said of the data of that field in that frame; nothing, if no such datum is told.
fn said(label: &Label<'_>, audit: &Audit) -> Option<Vec<(Answer, String)>> {
    let here = |it: &&farshore::model::Exposure| {
        let there = |at: &farshore::model::Locus| (at.span.first_frame..=at.span.frame).contains(&label.frame);
        it.field.starts_with(label.field) && it.evidence.iter().any(there)
    };
    let all: Vec<_> = audit.exposures.iter().filter(here).collect();
    let readers = all.iter().flat_map(|it| &it.readers).filter(|it| it.role == role(label.reader));
    (!all.is_empty()).then(|| readers.map(|it| (it.answer, it.because.to_string())).collect())
}

#[test]
fn labels_from_the_bytes_of_real_captures_are_never_contradicted() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let text = fs::read_to_string(root.join("corpus/readers.tsv")).unwrap();
    let files = labels(&text);
    assert!(files.values().map(Vec::len).sum::<usize>() >= 300);
    let corpus = root.join("../shared/corpus/dev");
    if !corpus.is_dir() {
        return;
    }
    let (mut wrong, mut unsaid, mut decided, mut decidable) = (Vec::new(), Vec::new(), 0, 0);
    for (file, labels) in files {
        let audit = audit(&corpus.join(file));
        for label in labels {
            let Some(answers) = said(&label, &audit) else {
                unsaid.push(label.line);
                continue;
            };
            let told = |answer| answers.iter().any(|it| it.0 == answer);
            decidable += usize::from(label.answer != "cannot-tell");
            match label.answer {
                "yes" if told(Answer::Yes) && !told(Answer::No) => decided += 1,
                "no" if told(Answer::No) && !told(Answer::Yes) => decided += 1,
                "yes" if told(Answer::No) => wrong.push(format!("{}: {answers:?}", label.line)),
                "no" if told(Answer::Yes) => wrong.push(format!("{}: {answers:?}", label.line)),
                "cannot-tell" if told(Answer::Yes) || told(Answer::No) => wrong.push(format!("{}: {answers:?}", label.line)),
                "cannot-tell" => {}
                _ => unsaid.push(label.line),
            }
        }
    }
    println!("{decided} of {decidable} decided; not told:\n{}", unsaid.join("\n"));
    assert!(wrong.is_empty(), "{} contradicted:\n{}", wrong.len(), wrong.join("\n"));
    assert!(
        decided * 100 >= decidable * 90,
        "{decided} of {decidable}; not told:\n{}",
        unsaid.join("\n")
    );
}
