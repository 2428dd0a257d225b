//! `farshore discover`: what is found, shown and refused.

use std::collections::BTreeSet;
use std::ffi::OsString;

use farshore_lab::crowd::{self, Crowd, Design};
use serde_json::{Value, json};

use crate::command::{folder, run, write};

/// The captures of a crowd, written with their labels: the arguments that name them.
fn written(crowd: &Crowd, folder: &tempfile::TempDir, labelled: bool) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["discover".into(), "--quiet".into()];
    for run in &crowd.runs {
        arguments.push(write(folder, &run.file, &run.bytes).into());
    }
    if labelled {
        arguments.push("--labels".into());
        arguments.push(write(folder, "labels.csv", crowd.labels()).into());
    }
    arguments
}

fn found(arguments: &[OsString], more: &[&str]) -> Value {
    let done = run(arguments.iter().cloned().chain(more.iter().map(OsString::from)));
    done.ends(0);
    assert_eq!(done.err, "");
    done.json()
}

/// The role whose bytes all the evidence of a finding stands on.
fn stands_on(crowd: &Crowd, it: &Value) -> BTreeSet<&'static str> {
    let number = |it: &Value, key: &str| it[key].as_u64().unwrap();
    let mut roles = BTreeSet::new();
    for at in it["evidence"].as_array().unwrap() {
        let run = &crowd.runs[number(at, "input") as usize];
        let (frame, from) = (number(at, "frame"), number(at, "offset"));
        let meets = |it: &&crowd::Plant| it.frame == frame && it.offset < from + number(at, "length") && from < it.offset + it.length;
        let plants: Vec<_> = run.plants.iter().filter(meets).collect();
        assert!(!plants.is_empty(), "{at} stands on nothing");
        roles.extend(plants.iter().map(|it| it.role));
    }
    roles
}

#[test]
fn claims_stand_on_the_bytes_they_speak_of() {
    let folder = folder();
    let crowd = crowd::record(3, Design::Ample);
    let arguments = written(&crowd, &folder, true);
    let json = found(&arguments, &["--format=json"]);
    assert_eq!(json["inputs"].as_array().unwrap().len(), crowd.runs.len());
    assert!(json["inputs"][0]["labels"]["user"].as_str().unwrap().starts_with("user-"));
    assert_eq!(json["coverage"]["not_searched"], json!(["links"]));
    let identifiers = json["identifiers"].as_array().unwrap();
    let mut roles = BTreeSet::new();
    for it in identifiers.iter().filter(|it| it["firmness"] == "claim") {
        let on = stands_on(&crowd, it);
        assert_eq!(on.len(), 1, "{it}");
        let told: Vec<&str> = it["roles"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        assert!(told.contains(on.first().unwrap()), "{it}");
        assert!(
            it["p_value"].as_f64().unwrap() <= 0.01 && it["least_p"].as_f64() <= it["p_value"].as_f64(),
            "{it}"
        );
        let captures = it["support"]["captures"].as_u64().unwrap().min(20);
        assert_eq!(it["evidence"].as_array().unwrap().len() as u64, captures, "{it}");
        roles.extend(on);
    }
    assert!(roles.is_superset(&BTreeSet::from(["user", "room"])), "{roles:?}");
    // Any number of threads, the same bytes.
    let text = |jobs: &str| {
        let all = arguments
            .iter()
            .cloned()
            .chain(["--format=terminal".into(), "--jobs".into(), jobs.into()]);
        run(all).out
    };
    assert!(text("1") == text("4"));
    assert!(String::from_utf8(text("1")).unwrap().contains("identifier of room"));
}

#[test]
fn what_the_captures_cannot_tell_is_said_and_nothing_is_claimed() {
    for design in [Design::OneRoom, Design::OneEach] {
        let folder = folder();
        let crowd = crowd::record(17, design);
        let arguments = written(&crowd, &folder, true);
        let json = found(&arguments, &["--format=json"]);
        for it in json["identifiers"].as_array().unwrap() {
            assert_eq!(it["roles"], json!(["session"]));
        }
        let text = String::from_utf8(run(arguments).out).unwrap();
        assert!(text.contains("cannot tell: one "), "{text}");
    }
}

#[test]
fn one_capture_of_one_client_tells_no_user() {
    let folder = folder();
    let crowd = crowd::record(3, Design::Ample);
    let one = write(&folder, "one.pcapng", &crowd.runs[0].bytes);
    let done = run(["discover".into(), one.into_os_string()]);
    done.ends(0);
    let text = String::from_utf8(done.out).unwrap();
    assert!(
        text.contains("one conversation: nothing can be compared") && text.contains("No identifier was found"),
        "{text}"
    );
}

/// Protocols that are known are found by their bytes alone, and are not named.
#[test]
fn nothing_is_asked_of_protocols_when_payload_is_to_be_opaque() {
    let folder = folder();
    let crowd = (0..)
        .map(|seed| crowd::record(seed, Design::Ample))
        .find(|it| it.grammar.form == crowd::grammar::Form::Http);
    let arguments = written(&crowd.unwrap(), &folder, true);
    let json = found(&arguments, &["--format=json", "--opaque"]);
    let identifiers = json["identifiers"].as_array().unwrap();
    assert!(identifiers.iter().any(|it| it["firmness"] == "claim"), "{json}");
    for it in identifiers {
        let told = format!("{} {}", it["where"], it["evidence"]);
        assert!(told.contains("tcp") && !told.contains("http"), "{told}");
    }
}

/// Real captures, where they are at hand: of clients enough to tell users by, and no ids of theirs in what they send in clear;
/// one with the connection ids of a call; and one in which programs tell each other the ids of their devices.
#[test]
fn captures_that_carry_no_ids_claim_none() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/dev");
    for (name, claims) in [
        ("rtc/agora-sd-rtn.pcap", 0),
        ("plaintext-ids/snmp.pcap", 0),
        ("plaintext-ids/netbios.pcap", 0),
        ("rtc/stun.pcap", 0),
        ("dns/dns-edns-ecs.pcap", 0),
        ("apps/whatsapp_login_chat.pcap", 0),
        ("apps/dropbox.pcap", 2),
    ] {
        let path = corpus.join(name);
        if !path.exists() {
            continue;
        }
        let done = run([
            "discover".into(),
            "--quiet".into(),
            "--opaque".into(),
            "--format=json".into(),
            path.into_os_string(),
        ]);
        done.ends(0);
        let json = done.json();
        let is_claim = |it: &&Value| it["firmness"] == "claim" && it["roles"] != json!(["session"]);
        let found: Vec<&Value> = json["identifiers"].as_array().unwrap().iter().filter(is_claim).collect();
        assert_eq!(found.len(), claims, "{name}: {found:?}");
        assert!(
            found.iter().all(|it| it["where"].as_str().unwrap().starts_with("udp/")),
            "{name}: {found:?}"
        );
    }
}

/// An audit of several inputs has the findings as a section.
#[test]
fn an_audit_tells_them_as_well() {
    let folder = folder();
    let crowd = crowd::record(3, Design::Ample);
    let mut arguments = written(&crowd, &folder, true);
    let discovered = found(&arguments, &["--format=json"]);
    arguments[0] = "audit".into();
    let audited = found(&arguments, &["--format=json"]);
    assert_eq!(audited["identifiers"], discovered["identifiers"]);
    assert_eq!(audited["discovery"], discovered["discovery"]);
    let text = String::from_utf8(run(arguments).out).unwrap();
    assert!(text.contains("Found – identifiers that nobody named"), "{text}");
}

#[test]
fn labels_that_contradict_themselves_are_refused_with_their_line() {
    let folder = folder();
    let crowd = crowd::record(3, Design::Few);
    let one = write(&folder, "one.pcapng", &crowd.runs[0].bytes).into_os_string();
    for (text, expected) in [
        ("input,user\none.pcapng,a\none.pcapng,b\n", "line 3: one.pcapng has labels already"),
        (
            "input,capture_point\none.pcapng,roof\n",
            "line 2: capture_point is `roof`; expected one of device",
        ),
        ("input,user\n,a\n", "line 2: the column `input` is empty"),
        ("input,user\none.pcapng,a,b\n", "line: 2"),
    ] {
        let labels = write(&folder, "labels.csv", text).into_os_string();
        let done = run(["discover".into(), one.clone(), "--labels".into(), labels]);
        done.ends(2).says("labels.csv").says(expected);
    }
    let labels = write(&folder, "labels.csv", "\u{feff}input, usr\none.pcapng, a\n").into_os_string();
    let done = run(["discover".into(), one, "--labels".into(), labels]);
    done.ends(0).says("column `usr`").says("user, room, device");
}
