//! Organisations whose sources nobody opened: what rests on them alone never answers `yes` and breaches nothing, by any way a user
//! has of asking.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::command::{fed, folder, run, write};

const TABLE: &str = include_str!("../../../../packs/parties/organisations/organisations.csv");

/// A line of the table; quoted fields may hold commas.
fn fields(line: &str) -> Vec<String> {
    let (mut all, mut quoted) = (vec![String::new()], false);
    for it in line.chars() {
        match it {
            '"' => quoted = !quoted,
            ',' if !quoted => all.push(String::new()),
            it => all.last_mut().unwrap().push(it),
        }
    }
    all
}

/// Id, a domain, and how far the row was checked.
fn rows() -> Vec<(String, String, String)> {
    let lines = TABLE.lines().skip(1).map(fields);
    let rows = lines.filter_map(|it| {
        let domain = it[3].split(' ').next().filter(|it| !it.is_empty())?;
        Some((it[0].clone(), domain.to_owned(), it[14].clone()))
    });
    rows.collect()
}

fn is_read(checked: &str) -> bool {
    matches!(checked, "page" | "asn+page")
}

/// Ways by which organisations that were read, or only recalled, are told to be in reach; whoever is unconfirmed is named as that.
fn held(destinations: &[Value], rows: &[(String, String, String)]) -> (BTreeSet<String>, BTreeSet<String>) {
    let checked: BTreeMap<&str, &str> = rows.iter().map(|(id, _, checked)| (id.as_str(), checked.as_str())).collect();
    let (mut yes, mut recalled) = (BTreeSet::new(), BTreeSet::new());
    for it in destinations {
        let Some(id) = it["organisation"]["id"].as_str() else { continue };
        let read = is_read(checked[id]);
        assert_eq!(it["organisation"]["read_at_source"], read, "{id}");
        for row in it["reach"].as_array().unwrap() {
            if row["answer"] == "yes" {
                assert!(read && row["missing"] == json!([]), "{id}: {row}");
                yes.insert(id.to_owned());
            } else if !read && row["via"] == "service" && row["law"].is_string() {
                let missing = row["missing"].to_string();
                assert!(missing.contains("source"), "{id}: {missing}");
            }
        }
        if checked[id] == "recall" {
            recalled.insert(id.to_owned());
        }
    }
    (yes, recalled)
}

#[test]
fn nobody_is_in_reach_for_being_remembered() {
    let rows = rows();
    let names: String = rows.iter().map(|(_, domain, _)| format!("{domain}\n")).collect();
    let done = fed(&["who", "-", "--as-of=2026-11-01"], names.as_bytes());
    done.ends(0);
    let told: Vec<Value> = done.text().lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(told.len(), rows.len());
    let (yes, recalled) = held(&told, &rows);
    // Those that were read do answer: the rule is not that nobody does.
    assert!(yes.len() >= 5 && recalled.len() > 450, "{yes:?}, {} recalled", recalled.len());
}

/// Every domain in one recording of a browser, each at an address of nobody's, judged by a rule that none of their seats keeps.
#[test]
fn nobody_is_breached_for_being_remembered() {
    let rows = rows();
    let entries: Vec<Value> = (0_u32..)
        .zip(&rows)
        .map(|(at, (_, domain, _))| {
            json!({
                "startedDateTime": "2026-11-01T10:00:00.000Z", "time": 5, "cache": {}, "timings": { "send": 1, "wait": 2, "receive": 2 },
                "serverIPAddress": format!("192.0.2.{}", 1 + at % 250),
                "request": { "method": "GET", "url": format!("http://{domain}/?id=1009431"), "httpVersion": "HTTP/1.1", "cookies": [],
                    "headers": [], "queryString": [], "headersSize": -1, "bodySize": 0 },
                "response": { "status": 200, "statusText": "OK", "httpVersion": "HTTP/1.1", "cookies": [], "headers": [], "redirectURL": "",
                    "content": { "size": 0, "mimeType": "text/plain" }, "headersSize": -1, "bodySize": 0 },
            })
        })
        .collect();
    let har = json!({ "log": { "version": "1.2", "creator": { "name": "a browser", "version": "1" }, "entries": entries } });
    let folder = folder();
    let input = write(&folder, "names.har", har.to_string());
    let pack = write(&folder, "allowed.toml", "use = \"countries\"\n[params]\ncountries = [\"AQ\"]\n");
    let own = "[[override]]\naddress = \"192.0.2.1\"\ncountry = \"US\"\nreason = \"seen in its rack\"\n";
    let own = write(&folder, "own.toml", own);
    let audited = |more: &[&std::ffi::OsStr]| {
        let first = [
            "audit".as_ref(),
            input.as_os_str(),
            "--policy".as_ref(),
            pack.as_os_str(),
            "--format=json".as_ref(),
        ];
        run(first.iter().chain(more)).json()
    };
    let breached = |root: &Value| -> BTreeSet<String> {
        let verdicts = root["verdicts"].as_array().unwrap().iter();
        let breached = verdicts.filter(|it| it["outcome"] == "breached");
        breached
            .flat_map(|it| it["destinations"].as_array().unwrap())
            .map(|it| it.as_str().unwrap().to_owned())
            .collect()
    };
    let root = audited(&[]);
    let (yes, recalled) = held(root["destinations"].as_array().unwrap(), &rows);
    assert!(yes.len() >= 5 && recalled.len() > 450, "{yes:?}, {} recalled", recalled.len());
    assert_eq!(breached(&root), BTreeSet::new());
    // The rule does bite where something else than memory tells the place, and there alone.
    let root = audited(&["--overrides".as_ref(), own.as_os_str()]);
    let there: BTreeSet<String> = root["destinations"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["addresses"].as_array().unwrap().contains(&json!("192.0.2.1")))
        .map(|it| it["id"].as_str().unwrap().to_owned())
        .collect();
    assert!(!there.is_empty());
    assert_eq!(breached(&root), there);
}
