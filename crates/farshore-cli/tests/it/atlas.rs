//! What the user brings to place addresses with, and the pack that judges by it.

use serde_json::Value;

use crate::command::{example, folder, run, write};

const ALLOWED: &str = "use = \"countries\"\n[params]\ncountries = [\"DE\", \"FR\"]\n";

fn place(root: &Value) -> (&Value, Vec<&str>) {
    let verdicts = root["verdicts"].as_array().unwrap();
    let verdict = verdicts.iter().find(|it| it["clause"] == "place").unwrap();
    let kinds = root["destinations"].as_array().unwrap().iter();
    let kinds = kinds.flat_map(|it| it["places"].as_array().unwrap());
    let kinds = kinds.flat_map(|it| it["location"]["claims"].as_array().unwrap());
    (verdict, kinds.map(|it| it["kind"].as_str().unwrap()).collect())
}

#[test]
fn an_override_breaches_where_databases_do_not() {
    let (folder, example) = (folder(), example().into_os_string().into_string().unwrap());
    let pack = write(&folder, "allowed.toml", ALLOWED).into_os_string().into_string().unwrap();
    let own = "[[override]]\naddress = \"192.0.2.0/24\"\ncountry = \"US\"\nreason = \"seen in its rack\"\n";
    let own = write(&folder, "own.toml", own).into_os_string().into_string().unwrap();

    let root = run(["audit", &example, "--policy", &pack, "--format=json"]).json();
    let (verdict, kinds) = place(&root);
    assert_eq!(verdict["outcome"], "undetermined", "{verdict}");
    assert!(!kinds.contains(&"override"));

    let root = run(["audit", &example, "--policy", &pack, "--overrides", &own, "--format=json"]).json();
    let (verdict, kinds) = place(&root);
    assert_eq!(verdict["outcome"], "breached", "{verdict}");
    assert!(
        verdict["because"].as_str().unwrap().contains("overridden to US: seen in its rack"),
        "{verdict}"
    );
    assert!(!verdict["destinations"].as_array().unwrap().is_empty() && !verdict["evidence"].as_array().unwrap().is_empty());
    assert!(kinds.contains(&"override"));
    let data = root["tool"]["data"].as_array().unwrap();
    assert!(
        data.iter()
            .any(|it| it["name"] == "overrides" && it["sha256"].as_str().unwrap().len() == 64)
    );
    let told = run(["audit", &example, "--policy", &pack, "--overrides", &own]);
    told.ends(0);
    assert!(told.text().contains("seen in its rack"), "{}", told.text());
}

#[test]
fn the_pack_says_what_it_needs() {
    let (folder, example) = (folder(), example().into_os_string().into_string().unwrap());
    run(["audit", &example, "--policy", "countries"]).ends(2).says("[params]");
    for (name, text, says) in [
        (
            "allowed.toml",
            "use = \"countries\"\n[params]\ncountries = [\"Germany\"]\n",
            "such as",
        ),
        ("allowed.toml", "use = \"cuontries\"\n", "allowed.toml:1"),
        (
            "own.toml",
            "[[override]]\naddress = \"192.0.2.1\"\ncountry = \"DE\"\nreason = \"\"\n",
            "needs a reason",
        ),
    ] {
        let flag = if name == "own.toml" { "--overrides" } else { "--policy" };
        let file = write(&folder, name, text);
        run(["audit", &example, flag, file.to_str().unwrap()]).ends(2).says(says);
    }
    let none = write(&folder, "none.mmdb", "no database");
    run(["audit", &example, "--mmdb", none.to_str().unwrap()]).ends(2).says("none.mmdb");
    run(["who", "8.8.8.8", "--ranges", none.to_str().unwrap()])
        .ends(2)
        .says("ip-ranges.json");
}

#[test]
fn an_operators_list_is_one_more_source() {
    let folder = folder();
    let list = r#"{"createDate":"2026-08-22-01-02-03","prefixes":[
        {"ip_prefix":"15.160.0.0/15","region":"eu-south-1","service":"EC2","network_border_group":"eu-south-1"}],"ipv6_prefixes":[]}"#;
    let list = write(&folder, "ip-ranges.json", list);
    let root = run(["who", "15.160.3.4", "--ranges", list.to_str().unwrap(), "--format=json"]).json();
    let claims = root["destinations"][0]["location"]["claims"].as_array().unwrap();
    let own = claims.iter().find(|it| it["kind"] == "cloud-region").unwrap();
    assert_eq!(
        (&own["country"], &own["source"], &own["edition"]),
        (&"IT".into(), &"aws-ranges".into(), &"2026-08-22".into())
    );
    assert!(claims.len() > 2, "{claims:?}");
}

#[test]
fn a_vantage_lets_round_trips_rule_places_out() {
    let (folder, example) = (folder(), example().into_os_string().into_string().unwrap());
    let out = |root: &Value| {
        let destinations = root["destinations"].as_array().unwrap().iter();
        let places = destinations.flat_map(|it| it["places"].as_array().unwrap().clone());
        let rows = places.flat_map(|it| it["location"]["excluded"].as_array().unwrap().clone());
        rows.collect::<Vec<Value>>()
    };
    assert!(
        out(&run(["audit", &example, "--format=json"]).json()).is_empty(),
        "without a vantage nothing is known"
    );
    let root = run(["audit", &example, "--vantage", "52.52,13.40", "--format=json"]).json();
    let rows = out(&root);
    // The relay answers after 26.98 ms: 149.9 km each, and two ticks of the clock. The United States are farther.
    let row = rows.iter().find(|it| it["country"] == "US").unwrap();
    assert_eq!(
        (&row["because"], &row["max_km"]),
        (&"end-to-end rtt".into(), &(4_053.into())),
        "{row}"
    );
    assert!(
        row["nearest_km"].as_u64() > Some(4_053) && row["rtt_ms"].as_f64() > Some(26.9),
        "{row}"
    );
    assert!(rows.iter().all(|it| it["country"] != "DE" && it["country"] != "PL"));
    let claims = root["destinations"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|it| it["location"]["claims"].as_array().unwrap());
    assert!(claims.clone().any(|it| it["refuted"] == true) && claims.clone().any(|it| it["refuted"] == false));
    // The label of an input goes before the flag, in either spelling.
    let label = run(["audit", &example, "--vantage=US", "--label", "vantage=52.52,13.40", "--format=json"]).json();
    assert_eq!(out(&label), rows);

    // Where round trips rule out all that is allowed, the pack is breached.
    let pack = write(&folder, "allowed.toml", ALLOWED.replace("[\"DE\", \"FR\"]", "[\"US\"]"));
    let root = run([
        "audit",
        &example,
        "--vantage=52.52,13.40",
        "--policy",
        pack.to_str().unwrap(),
        "--format=json",
    ])
    .json();
    let (verdict, _) = place(&root);
    assert_eq!(verdict["outcome"], "breached", "{verdict}");
    assert!(
        verdict["because"]
            .as_str()
            .unwrap()
            .contains("a round trip of 27.0 ms leaves it within 4053 km"),
        "{verdict}"
    );

    run(["audit", &example, "--vantage", "Berlin"]).ends(2).says("52.52,13.40");
    run(["audit", &example, "--label", "vantage=Berlin"]).ends(2).says("label vantage");
}
