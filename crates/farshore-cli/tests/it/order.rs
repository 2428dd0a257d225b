//! The same inputs in the same order give the same bytes, however many are read at once; another order, the same facts.

use std::collections::BTreeMap;
use std::ffi::OsString;

use farshore_lab::{Edition, WORLDS};
use serde_json::Value;

use crate::command::{folder, run, write};

fn captures(folder: &tempfile::TempDir) -> Vec<OsString> {
    let world = WORLDS.iter().find(|world| world.id == "clubhouse").unwrap();
    let mut paths = Vec::new();
    for edition in Edition::ALL {
        for capture in (world.record)(edition).captures {
            paths.push(write(folder, &capture.file, &capture.bytes).into_os_string());
        }
    }
    paths
}

fn audited(inputs: &[OsString], more: &[&str]) -> Vec<u8> {
    let mut arguments: Vec<OsString> = vec!["audit".into()];
    arguments.extend(inputs.iter().cloned());
    arguments.push("--known".into());
    arguments.push(crate::command::repository().join("examples/clubhouse.known.toml").into());
    arguments.extend(more.iter().map(OsString::from));
    let done = run(arguments);
    done.ends(0);
    assert_eq!(done.err, "");
    done.out
}

#[test]
fn the_number_of_jobs_changes_no_byte() {
    let folder = folder();
    let inputs = captures(&folder);
    assert_eq!(inputs.len(), 8);
    for format in ["json", "ndjson", "terminal", "html"] {
        let with = |jobs: &str| {
            let arguments = [&format!("--format={format}"), "--with=flows,observations", "--jobs", jobs];
            audited(&inputs, &arguments)
        };
        let (one, four) = (with("1"), with("4"));
        assert!(one == four, "{format}");
        assert!(four == with("4"), "{format}, twice");
    }
}

/// Exposures by what they are rather than by number.
fn exposures(audit: &Value) -> BTreeMap<String, u64> {
    let name = |id: &Value| {
        let of = audit["destinations"].as_array().unwrap().iter().find(|it| it["id"] == *id).unwrap();
        of["name"].as_str().unwrap().to_owned()
    };
    let mut all = BTreeMap::new();
    for it in audit["exposures"].as_array().unwrap() {
        let readers: Vec<_> = it["readers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| format!("{}{}", it["role"], it["answer"]))
            .collect();
        let what = [&it["kind"], &it["value"], &it["field"], &it["protection"]]
            .map(Value::to_string)
            .join(" ");
        *all.entry(format!("{what} {} {readers:?}", name(&it["destination"]))).or_default() += it["count"].as_u64().unwrap();
    }
    all
}

#[test]
fn another_order_of_inputs_changes_no_fact() {
    let folder = folder();
    let mut inputs = captures(&folder);
    let arguments = ["--format=json", "--show-pii"];
    let forth: Value = serde_json::from_slice(&audited(&inputs, &arguments)).unwrap();
    inputs.reverse();
    let back: Value = serde_json::from_slice(&audited(&inputs, &arguments)).unwrap();
    assert_eq!(exposures(&forth), exposures(&back));
    assert_eq!(forth["coverage"], back["coverage"]);
    let destinations = |audit: &Value| {
        let mut all: Vec<Value> = audit["destinations"].as_array().unwrap().clone();
        for it in &mut all {
            for numbering in ["id", "flows"] {
                it[numbering].take();
            }
            // Inputs go by their numbers: here by their names.
            let contacts = it["contacts"].as_array_mut().unwrap();
            for contact in contacts.iter_mut() {
                let number = usize::try_from(contact["input"].as_u64().unwrap()).unwrap();
                contact["input"] = audit["inputs"][number]["sha256"].clone();
            }
            contacts.sort_by_key(Value::to_string);
        }
        all.sort_by_key(|it| it["name"].as_str().unwrap().to_owned());
        all
    };
    assert_eq!(destinations(&forth), destinations(&back));
    let outcomes = |audit: &Value| {
        let all = audit["verdicts"].as_array().unwrap().iter();
        all.map(|it| (it["clause"].clone(), it["outcome"].clone(), it["because"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(outcomes(&forth), outcomes(&back));
}
