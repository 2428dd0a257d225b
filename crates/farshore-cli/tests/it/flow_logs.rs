//! Flow logs as inputs: what an audit of one says, and what it leaves open.

use serde_json::{Value, json};

use crate::command::{folder, run, write};

/// A client asks a server and is answered; another is kept out; two windows tell nothing.
const LOG: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n\
2 1 eni-a 10.0.0.5 8.8.8.8 50000 443 6 20 4249 1700000000 1700000060 ACCEPT OK\n\
2 1 eni-a 8.8.8.8 10.0.0.5 443 50000 6 30 9000 1700000000 1700000060 ACCEPT OK\n\
2 1 eni-a 10.0.0.5 8.8.8.8 50000 443 6 1 51 1700000060 1700000120 ACCEPT OK\n\
2 1 eni-a 10.0.0.5 1.1.1.1 50001 22 6 2 120 1700000000 1700000060 REJECT OK\n\
2 1 eni-a - - - - - - - 1700000000 1700000060 - NODATA\n\
2 1 eni-a - - - - - - - 1700000000 1700000060 - SKIPDATA\n";

fn audit(log: &str, arguments: &[&str]) -> Value {
    let folder = folder();
    let path = write(&folder, "vpc.log", log);
    let path = path.to_str().unwrap();
    run([&["audit", path, "--format=json", "--with=flows"], arguments].concat()).json()
}

#[test]
fn both_directions_and_all_rows_are_one_flow() {
    let told = audit(LOG, &[]);
    let input = &told["inputs"][0];
    assert_eq!(
        (&input["format"], &input["rows"], &input["frames"]),
        (&json!("aws-vpc"), &json!(6), &Value::Null)
    );
    assert_eq!(
        (&input["first"], &input["last"]),
        (&json!("2023-11-14T22:13:20.000000000Z"), &json!("2023-11-14T22:15:20.000000000Z"))
    );
    assert_eq!(
        (&input["log"]["nodata"], &input["log"]["skipdata"], &input["log"]["rejected"]),
        (&json!(1), &json!(1), &json!(1))
    );
    let flows = told["flows"].as_array().unwrap();
    assert_eq!(flows.len(), 2);
    let flow = &flows[0];
    assert_eq!(
        (&flow["client"]["ip"], &flow["server"]["port"], &flow["initiator"]),
        (&json!("10.0.0.5"), &json!(443), &json!("port"))
    );
    assert_eq!(flow["up"], json!({ "frames": 21, "bytes": 4300, "payload": null }));
    assert_eq!(flow["down"], json!({ "frames": 30, "bytes": 9000, "payload": null }));
    assert_eq!((&flow["protection"], &flow["first_frame"]), (&json!("unknown"), &json!(1)));
    // By the specification's own code: of 10.0.0.5:50000, 8.8.8.8:443 and TCP.
    assert_eq!(flow["community_id"], json!(COMMUNITY));
    let coverage = &told["coverage"];
    assert_eq!(
        (
            &coverage["flows"]["unknown"],
            &coverage["flows"]["plaintext"],
            &coverage["flows"]["opaque"]
        ),
        (&json!(2), &json!(0), &json!(0))
    );
    assert_eq!(
        coverage["frames"],
        json!({ "total": 6, "decoded": 5, "stopped": 1, "truncated": 0, "dropped": null })
    );
    assert_eq!(told["exposures"], json!([]), "nothing was seen to be exposed");
}

const COMMUNITY: &str = "1:LyhUJoAZgKGtNluul0JyTg9+g6Y=";

#[test]
fn what_was_rejected_was_not_received() {
    let told = audit(LOG, &[]);
    let tried = &told["destinations"][1];
    assert_eq!(tried["name"], "1.1.1.1");
    let traffic = &tried["traffic"];
    assert_eq!(
        (&traffic["frames"], &traffic["bytes_up"], &traffic["rejected"]),
        (&json!(0), &json!(0), &json!({ "frames": 2, "bytes": 120, "all": true }))
    );
    let folder = folder();
    let path = write(&folder, "vpc.log", LOG);
    let screen = run(["audit".as_ref(), path.as_os_str()]);
    let screen = screen.ends(0).text();
    let squeezed = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in [
        "1.1.1.1 was tried, and all of it rejected",
        "a flow log tells who and how much: no payload",
        "1 time window left out rows",
        "1 time window without any traffic",
        "row 4",
    ] {
        assert!(squeezed.contains(told), "{told:?} is not in\n{screen}");
    }
    assert!(!squeezed.contains("frame"), "a log has no frames:\n{screen}");
}

#[test]
fn a_log_meets_nothing_and_leaves_identifiers_undetermined() {
    let scope = r#"interfaces = ["eni-a"]
features = ["all"]
from = 2023-11-14T00:00:00Z
until = 2023-11-15T00:00:00Z
"#;
    let folder = folder();
    let scope = write(&folder, "scope.toml", scope);
    for more in [&[][..], &["--scope", scope.to_str().unwrap()]] {
        for verdict in audit(LOG, more)["verdicts"].as_array().unwrap() {
            assert_eq!(verdict["outcome"], "undetermined");
            let because = verdict["because"].as_str().unwrap();
            assert!(because.contains("a flow log holds no payload to be searched"), "{because}");
        }
    }
}

/// Nothing arrived at an address that everything was kept from, wherever it is.
#[test]
fn a_place_clause_judges_what_was_let_through() {
    let folder = folder();
    let places = "[[override]]\naddress = \"1.1.1.1\"\ncountry = \"AU\"\nreason = \"ours\"\n[[override]]\naddress = \"8.8.8.8\"\ncountry = \"US\"\nreason = \"ours\"\n";
    let places = write(&folder, "places.toml", places);
    let policy = write(&folder, "policy.toml", "use = \"countries\"\n[params]\ncountries = [\"DE\"]\n");
    let flags = ["--overrides", places.to_str().unwrap(), "--policy", policy.to_str().unwrap()];
    let told = audit(LOG, &flags);
    let verdict = &told["verdicts"][0];
    assert_eq!(
        (&verdict["outcome"], &verdict["destinations"]),
        (&json!("breached"), &json!(["d1"])),
        "{verdict}"
    );
    assert_eq!(
        (&verdict["evidence"][0]["input"], &verdict["evidence"][0]["frame"]),
        (&json!(0), &json!(1))
    );
    let let_through = LOG.replace("REJECT", "ACCEPT");
    assert_eq!(audit(&let_through, &flags)["verdicts"][0]["destinations"], json!(["d1", "d2"]));
}

#[test]
fn two_interfaces_that_saw_the_same_count_once() {
    let row = |interface: &str, packets: u32, action: &str| {
        format!(
            "2 1 {interface} 10.0.0.5 10.0.1.9 50000 443 6 {packets} {} 1700000000 1700000060 {action} OK\n",
            packets * 100
        )
    };
    let told = audit(&[row("eni-a", 10, "ACCEPT"), row("eni-b", 9, "ACCEPT")].concat(), &[]);
    assert_eq!(
        (&told["flows"][0]["up"]["frames"], &told["inputs"][0]["log"]["told_again"]),
        (&json!(10), &json!(1))
    );
    assert_eq!(told["inputs"][0]["bytes"], 1900, "what the rows tell of");
    let told = audit(&[row("eni-a", 10, "ACCEPT"), row("eni-b", 10, "REJECT")].concat(), &[]);
    assert_eq!(told["flows"][0]["up"]["frames"], 0, "the second let nothing through");
}

#[test]
fn who_began_is_told_with_its_basis() {
    let text = |rows: &[&str]| {
        let mut text = "srcaddr dstaddr srcport dstport protocol packets bytes start end action tcp-flags\n".to_owned();
        for row in rows {
            text.push_str(row);
            text.push('\n');
        }
        text
    };
    for (rows, client, basis) in [
        (&["10.0.0.1 10.0.0.2 443 50000 6 1 40 9 9 ACCEPT 2"][..], "10.0.0.1", "handshake"),
        (&["10.0.0.1 10.0.0.2 7000 8000 6 1 40 9 9 ACCEPT 18"], "10.0.0.2", "handshake"),
        (&["10.0.0.1 10.0.0.2 443 50000 6 1 40 9 9 ACCEPT 0"], "10.0.0.2", "port"),
        (
            &[
                "10.0.0.1 10.0.0.2 7000 8000 6 1 40 9 9 ACCEPT -",
                "10.0.0.2 10.0.0.1 8000 7000 6 1 40 8 9 ACCEPT -",
            ],
            "10.0.0.2",
            "first-packet",
        ),
        (&["10.0.0.2 10.0.0.1 8000 7000 6 1 40 8 9 ACCEPT -"], "10.0.0.2", "first-row"),
    ] {
        let told = audit(&text(rows), &[]);
        let flow = &told["flows"][0];
        assert_eq!(
            (&flow["client"]["ip"], &flow["initiator"]),
            (&json!(client), &json!(basis)),
            "{rows:?}"
        );
        let open = u64::from(basis == "first-row");
        assert_eq!(told["inputs"][0]["log"]["initiator_unknown"], open);
    }
}

#[test]
fn memory_follows_conversations_up_to_a_ceiling_that_is_told() {
    let rows: String = (0..50)
        .map(|port| {
            format!(
                "2 1 eni-a 10.0.0.5 8.8.8.8 {} 443 6 1 40 1700000000 1700000060 ACCEPT OK\n",
                50_000 + port
            )
        })
        .collect();
    let told = audit(&rows, &["--limit", "flows=7"]);
    assert_eq!(told["flows"].as_array().unwrap().len(), 7);
    assert_eq!(
        (&told["coverage"]["limits"]["flows"], &told["coverage"]["frames"]["stopped"]),
        (&json!(43), &json!(43))
    );
    assert_eq!(audit(&rows.repeat(20), &[])["flows"].as_array().unwrap().len(), 50);
}

#[test]
fn templates_of_an_input_serve_those_behind_it() {
    let words = |words: &[u16]| words.iter().flat_map(|it| it.to_be_bytes()).collect::<Vec<u8>>();
    let export = |set: Vec<u8>| [words(&[9, 1, 0, 0, 0x5f00, 0, 0, 0, 0, 3]), set].concat();
    let template = export(words(&[0, 20, 260, 3, 8, 4, 12, 4, 4, 1]));
    let data = export([words(&[260, 16]), vec![10, 0, 0, 5, 8, 8, 8, 8, 6, 0, 0, 0]].concat());
    let folder = folder();
    let (template, data) = (write(&folder, "template.dat", template), write(&folder, "data.dat", data));
    let flows = |inputs: [&std::path::Path; 2]| {
        let told = run([
            "audit".as_ref(),
            inputs[0].as_os_str(),
            inputs[1].as_os_str(),
            "--format=json".as_ref(),
            "--with=flows".as_ref(),
        ])
        .json();
        (
            told["flows"].as_array().unwrap().len(),
            told["coverage"]["frames"]["stopped"].as_u64().unwrap(),
        )
    };
    assert_eq!(flows([&template, &data]), (1, 0));
    assert_eq!(flows([&data, &template]), (0, 1), "what comes later is not known before");
}

#[test]
fn a_row_without_a_name_for_its_columns_cannot_be_read() {
    let folder = folder();
    let path = write(&folder, "custom.log", "3 1 - 192.0.2.1 192.0.2.2 22 17 46 REJECT OK\n");
    let done = run(["audit".as_ref(), path.as_os_str()]);
    done.ends(2).says("custom.log").says("offset 0").says("no header line names them");
}
