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
