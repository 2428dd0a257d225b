//! The shapes that scripts rely on.

use std::collections::BTreeSet;
use std::sync::Arc;

use farshore_report::{Options, Sections, output};
use serde_json::Value;

use crate::cases;

const EVERYTHING: Options<'static> = Options {
    sections: Sections {
        flows: true,
        observations: true,
    },
    color: false,
    width: 100,
    borders: &[],
    jobs: 1,
};

fn text(id: &str, audit: &farshore_model::Audit, options: &Options<'_>) -> String {
    let mut bytes = Vec::new();
    output(id).unwrap().render(audit, options, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn json(audit: &farshore_model::Audit) -> Value {
    serde_json::from_str(&text("json", audit, &EVERYTHING)).unwrap()
}

/// `path` names an object; `*` is every element of an array, of which there has to be one.
fn objects<'v>(root: &'v Value, path: &str) -> Vec<&'v Value> {
    path.split('.').filter(|step| !step.is_empty()).fold(vec![root], |at, step| {
        let next: Vec<&Value> = match step {
            "*" => at.into_iter().flat_map(|value| value.as_array().unwrap()).collect(),
            name => at.into_iter().map(|value| &value[name]).filter(|value| !value.is_null()).collect(),
        };
        assert!(!next.is_empty(), "nothing at {path}");
        next
    })
}

const PROMISED: &[(&str, &str)] = &[
    (
        "",
        "schema tool inputs coverage destinations exposures identifiers links anomalies verdicts flows observations",
    ),
    ("tool", "version data packs"),
    ("tool.data.*", "name edition licence sha256"),
    ("tool.packs.*", "id version"),
    ("inputs.*", "path sha256 format frames bytes first last cut_short labels notes"),
    ("coverage", "frames flows keys gaps not_searched"),
    ("coverage.frames", "total decoded stopped truncated dropped"),
    ("coverage.flows", "total plaintext encrypted decrypted opaque"),
    ("coverage.keys", "offered matched unmatched"),
    ("coverage.gaps", "count bytes"),
    (
        "destinations.*",
        "id name domain addresses network organisation owners places location reach traffic flows",
    ),
    ("destinations.*.network", "asn name"),
    ("destinations.*.organisation", "id name country basis source"),
    ("destinations.*.owners.*", "id name country relation as_of source"),
    ("destinations.*.places.*", "address network location"),
    ("destinations.*.location", "countries state claims excluded"),
    ("destinations.*.location.claims.*", "country kind source edition"),
    ("destinations.*.location.excluded.*", "country because rtt_ms max_km nearest_km"),
    ("destinations.*.reach.*", "state via basis law standing answer missing"),
    ("destinations.*.traffic", "flows frames bytes_up bytes_down"),
    (
        "exposures.*",
        "id kind value label digest field protection destination flows readers evidence count",
    ),
    ("exposures.*.readers.*", "role party answer because"),
    ("exposures.*.evidence.*", "input frame offset length layers decoded_by"),
    (
        "identifiers.*",
        "roles where encoding distinct support because p_value least_p confirmed_on evidence",
    ),
    ("identifiers.*.evidence.*", "input frame offset length layers decoded_by"),
    ("verdicts.*", "pack clause citation outcome because exposures destinations evidence"),
    (
        "flows.*",
        "id community_id input transport client server first last first_frame up down protocols names protection rtt app",
    ),
    ("flows.*.client", "ip port"),
    ("flows.*.up", "frames bytes"),
    ("flows.*.names.*", "name via frame"),
    ("flows.*.rtt", "transport_ms end_to_end_ms"),
    ("observations.*", "kind input flow frame time"),
];

const FACTS: &[(&str, &str)] = &[
    ("dns-query", "protocol name type"),
    ("dns-answer", "name type value"),
    ("server-name", "protocol name"),
    ("certificate", "subject names sha256"),
    ("tls", "version cipher ja3 ja4 ech"),
    ("http-request", "version method host path decrypted"),
    ("media", "protocol ssrc payload_type codec frames recoverable"),
    ("sip", "method from to call_id"),
    ("session", "protocol id"),
];

#[test]
fn every_promised_key_is_there() {
    let root = json(&cases::every_fact());
    for (path, keys) in PROMISED {
        for object in objects(&root, path) {
            for key in keys.split(' ') {
                assert!(object.get(key).is_some(), "{path} lacks {key}: {object}");
            }
        }
    }
    let kinds: BTreeSet<&str> = objects(&root, "observations.*")
        .into_iter()
        .map(|row| row["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, FACTS.iter().map(|(kind, _)| *kind).collect());
    for (kind, keys) in FACTS {
        for row in objects(&root, "observations.*").into_iter().filter(|row| row["kind"] == *kind) {
            assert!(keys.split(' ').all(|key| row.get(key).is_some()), "{kind}: {row}");
        }
    }
}

#[test]
fn an_empty_audit_keeps_every_array() {
    let root = json(&farshore_model::Audit::default());
    for key in [
        "inputs",
        "destinations",
        "exposures",
        "identifiers",
        "links",
        "anomalies",
        "verdicts",
        "flows",
        "observations",
    ] {
        assert_eq!(root[key], serde_json::json!([]), "{key}");
    }
    assert_eq!(root["schema"], "farshore.audit/1");
    assert_eq!(root["coverage"]["frames"]["dropped"], Value::Null);
    assert_eq!(root["coverage"]["not_searched"], serde_json::json!(["identifiers", "links"]));
}

#[test]
fn sections_that_were_not_asked_for_are_absent() {
    let root: Value = serde_json::from_str(&text("json", &cases::every_fact(), &Options::default())).unwrap();
    assert!(root.get("flows").is_none() && root.get("observations").is_none());
}

#[test]
fn rows_point_back_to_frames() {
    let root = json(&cases::every_fact());
    let rows = root["observations"].as_array().unwrap();
    assert_eq!((&rows[0]["frame"], rows[0].get("first_frame")), (&1.into(), None));
    assert_eq!((&rows[1]["frame"], &rows[1]["first_frame"]), (&2.into(), &1.into()));
    assert_eq!((&rows[1]["count"], &rows[1]["again"]), (&2.into(), &serde_json::json!([9])));
    assert_eq!(rows[5]["flow"], "f2");
    assert_eq!(rows[0]["time"], "2023-11-14T22:13:20.123456789Z");
}

#[test]
fn flows_tell_times_and_spread() {
    let root = json(&cases::call());
    let flows = root["flows"].as_array().unwrap();
    assert_eq!(
        flows[0]["rtt"],
        serde_json::json!({"transport_ms": 12.345678, "end_to_end_ms": null})
    );
    assert_eq!(flows[0]["app"]["via"], "pktap");
    assert_eq!(flows[1]["app"], Value::Null);
    assert_eq!(flows[1]["inside"], "f1");
    assert_eq!(
        flows[1]["randomness"]["up"],
        serde_json::json!({"entropy": 8.0, "chi_square": 261.235, "bytes": 3_100_000})
    );
    assert_eq!(
        flows[1]["names"][0],
        serde_json::json!({"name": "edge1.voice.example", "via": "sd-rtn", "frame": 41})
    );
}

#[test]
fn a_network_is_named_only_when_all_addresses_share_it() {
    let mut audit = cases::call();
    assert_eq!(json(&audit)["destinations"][0]["network"]["asn"], 64_500);
    Arc::make_mut(audit.destinations[0].places[1].network.as_mut().unwrap()).asn = 64_501;
    assert_eq!(json(&audit)["destinations"][0]["network"], Value::Null);
    audit.destinations[0].places[1].network = None;
    assert_eq!(json(&audit)["destinations"][0]["network"], Value::Null);
}

#[test]
fn a_log_has_rows() {
    let (_, audit) = cases::all().into_iter().find(|(name, _)| *name == "log").unwrap();
    let root = json(&audit);
    assert_eq!(root["inputs"][0]["rows"], 812);
    assert!(root["inputs"][0].get("frames").is_none());
    assert_eq!(root["flows"][0]["protection"], "unknown");
    assert_eq!(root["flows"][0]["up"]["payload"], Value::Null);
    assert_eq!(root["flows"][0]["rejected"]["up"]["bytes"], 240);
    assert_eq!(
        (&root["inputs"][0]["log"]["sampling"], &root["inputs"][0]["log"]["one_in"]),
        (&"sampled".into(), &100.into())
    );
    assert_eq!(root["coverage"]["flows"]["unknown"], 1);
}

#[test]
fn values_are_masked_unless_asked_for() {
    let secrets = ["490154203237518", "1009431", "8394c8f03e515708", "bob@", "ann@", "8f3a5501"];
    let mut audit = cases::every_fact();
    for output in farshore_report::OUTPUTS {
        let shown = text(output.id(), &audit, &EVERYTHING);
        assert!(secrets.iter().all(|secret| !shown.contains(secret)), "{}", output.id());
    }
    audit.show_pii = true;
    for id in ["json", "ndjson"] {
        let shown = text(id, &audit, &EVERYTHING);
        assert!(secrets.iter().all(|secret| shown.contains(secret)), "{id}");
    }
    // A value that was never kept stays masked whatever is asked.
    audit.exposures[0].value.raw = None;
    assert_eq!(json(&audit)["exposures"][0]["value"], "49****18");
    assert_eq!(
        json(&audit)["observations"][9]["path"],
        "/v1/users/1009431/join?imei=490154203237518"
    );
    audit.show_pii = false;
    assert_eq!(json(&audit)["observations"][9]["path"], "/v1/users/****/join?imei=****");
    assert_eq!(json(&audit)["observations"][9]["host"], "api.voice.example:80");
}

#[test]
fn ndjson_tells_the_same_rows() {
    let audit = cases::every_fact();
    let root = json(&audit);
    let lines: Vec<Value> = text("ndjson", &audit, &EVERYTHING)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for (kind, list) in [
        ("input", "inputs"),
        ("destination", "destinations"),
        ("exposure", "exposures"),
        ("verdict", "verdicts"),
        ("flow", "flows"),
        ("observation", "observations"),
    ] {
        let rows: Vec<Value> = lines
            .iter()
            .filter(|line| line["type"] == kind)
            .map(|line| line[kind].clone())
            .collect();
        assert_eq!(Value::Array(rows), root[list], "{kind}");
    }
    assert_eq!(lines[0]["audit"]["schema"], "farshore.audit/1");
}

#[test]
fn no_key_stands_twice_in_an_object() {
    // A reader of JSON keeps one of two equal keys in silence, so this is read from the text.
    for line in text("ndjson", &cases::every_fact(), &EVERYTHING).lines() {
        let keys = keys_at(2, line);
        let unique: BTreeSet<&&str> = keys.iter().collect();
        assert_eq!(unique.len(), keys.len(), "{line}");
    }
}

/// Keys at that depth of a line without escaped quotes.
fn keys_at(level: usize, line: &str) -> Vec<&str> {
    let (mut depth, mut keys, mut rest) = (0_usize, vec![], line);
    while let Some(at) = rest.find(['"', '{', '}', '[', ']']) {
        let (found, after) = (rest.as_bytes()[at], &rest[at + 1..]);
        rest = after;
        match found {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {
                let end = after.find('"').unwrap();
                rest = &after[end + 1..];
                if depth == level && rest.starts_with(':') {
                    keys.push(&after[..end]);
                }
            }
        }
    }
    keys
}

#[test]
fn who_has_no_traffic() {
    let audit = cases::call();
    let mut bytes = Vec::new();
    farshore_report::json::who(&audit.destinations, &mut bytes).unwrap();
    let root: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(root["schema"], "farshore.who/1");
    assert_eq!(root["destinations"][0]["organisation"]["country"], "CN");
    assert!(root["destinations"][0].get("traffic").is_none());
    let mut line = Vec::new();
    farshore_report::json::who_line(4, &audit.destinations[0], &mut line).unwrap();
    assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
    assert_eq!(serde_json::from_slice::<Value>(&line).unwrap()["id"], "d5");
}

/// More rows than are written at a time, in lists with rows of all sizes.
fn crowded() -> farshore_model::Audit {
    let mut audit = cases::every_fact();
    let flows: Vec<_> = audit.flows.iter().cloned().collect();
    let facts: Vec<_> = audit.observations.iter().cloned().collect();
    audit.flows = flows.iter().cycle().take(1_000).cloned().collect();
    audit.observations = facts.iter().cycle().take(1_001).cloned().collect();
    audit.destinations = audit.destinations.iter().cycle().take(257).cloned().collect();
    audit.exposures = audit.exposures.iter().cycle().take(640).cloned().collect();
    audit
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let audit = crowded();
    assert!(audit.flows.len() == 1_000 && audit.observations.len() == 1_001);
    for id in ["json", "ndjson", "html", "terminal"] {
        let with = |jobs| text(id, &audit, &Options { jobs, ..EVERYTHING });
        let one = with(1);
        for jobs in [2, 3, 7] {
            assert!(with(jobs) == one, "{id} in {jobs} threads");
        }
    }
}
