//! Exchanges that somebody wrote down: what went to whom, how protected, and who could read it.

use farshore::model::{Answer, Audit, DatumKind, Exposure, Outcome, Protection, ReaderRole};
use farshore::{Circumstances, Datasets, Detecting, Detectors, Known, Reading, judge, policy, read};

const HAR: &str = r#"{"log":{"version":"1.2","entries":[
{"startedDateTime":"2026-03-29T17:37:42Z","serverIPAddress":"198.51.100.7",
 "request":{"method":"GET","url":"https://api.example/v1?mail=alice%40rooms.example#here","httpVersion":"http/2.0","headers":[]},
 "response":{"status":200,"headers":[{"name":"Set-Cookie","value":"sid=1"}],"content":{"text":"bob@rooms.example"}}},
{"request":{"method":"POST","url":"http://plain.example:8080/log","httpVersion":"HTTP/1.1","headers":[{"name":"Host","value":"plain.example:8080"}],
  "postData":{"mimeType":"text/plain","text":"\"alice@rooms.example\""}},"response":{"status":204}},
{"request":{"method":"GET","url":"https://quiet.example/?mail=alice@rooms.example"},"response":{"status":0}},
{"request":{"method":"GET","url":"https://kept.example/?mail=alice@rooms.example"},"response":{"_fromCache":"disk","status":200}}]}}"#;

fn audit(text: &[u8], name: &str, jobs: usize) -> Audit {
    let known = |name: &str, value: &str| Known {
        name: name.to_owned(),
        kind: DatumKind::fixed("email"),
        value: value.to_owned(),
    };
    let values = [known("alice", "alice@rooms.example"), known("bob", "bob@rooms.example")];
    let detectors = Detectors::new(&values, Detecting::default()).unwrap();
    let how = Reading {
        jobs,
        ..Reading::default()
    };
    let ledger = read(text, name, &how, &detectors, &mut |_| {}).unwrap();
    let pack = policy::built_in(policy::DEFAULT).unwrap().unwrap();
    judge(
        ledger,
        &Circumstances {
            data: Datasets::embedded(),
            packs: &[pack],
            scope: None,
            subject: None,
            basis: None,
            waivers: None,
            baseline: None,
            as_of: None,
            vantage: None,
            app: None,
            limits: farshore::JudgingLimits::default(),
            version: "0",
            show_pii: false,
            jobs: 1,
        },
    )
}

fn mail<'a>(audit: &'a Audit, destination: &str) -> Vec<&'a Exposure> {
    let of = |it: &&Exposure| it.kind.as_str() == "email" && audit.destinations[it.destination].name.as_str() == destination;
    audit.exposures.iter().filter(of).collect()
}

fn answer(it: &Exposure, role: ReaderRole) -> Answer {
    it.readers.iter().find(|it| it.role == role).unwrap().answer
}

#[test]
fn what_went_over_https_is_for_its_end_alone() {
    let audit = audit(HAR.as_bytes(), "a.har", 1);
    let sealed = mail(&audit, "api.example");
    assert_eq!(
        sealed.iter().map(|it| it.field.as_str()).collect::<Vec<_>>(),
        ["http.query.mail", "http.response.body"]
    );
    for it in sealed {
        assert_eq!(it.protection, Protection::Tls);
        assert_eq!(
            [ReaderRole::OnPath, ReaderRole::Endpoint].map(|role| answer(it, role)),
            [Answer::No, Answer::Yes]
        );
    }
    // Nothing came back: that it arrived is not shown.
    let quiet = mail(&audit, "quiet.example");
    assert_eq!((quiet.len(), answer(quiet[0], ReaderRole::Endpoint)), (1, Answer::CannotTell));
    assert!(mail(&audit, "kept.example").is_empty(), "it was in the cache");
    assert_eq!(
        audit.coverage.stops.iter().next(),
        Some((&"answered out of a cache: nothing was sent".to_owned(), &1))
    );
    assert_eq!((audit.flow_coverage.decrypted, audit.flow_coverage.plaintext), (2, 1));
}

#[test]
fn what_went_over_http_is_for_everybody() {
    let audit = audit(HAR.as_bytes(), "a.har", 1);
    let [clear] = mail(&audit, "plain.example")[..] else { panic!() };
    assert_eq!(
        (clear.protection, clear.field.as_str()),
        (Protection::Plaintext, "http.request.body")
    );
    assert_eq!(answer(clear, ReaderRole::OnPath), Answer::Yes);
    let locus = &clear.evidence[0];
    assert_eq!(
        (locus.span.frame, &*locus.decoded_by, &*locus.layers),
        (2, &["json"][..], &["tcp", "http"][..])
    );
    assert!(audit.verdicts.iter().any(|it| it.outcome == Outcome::Breached));
}

#[test]
fn a_value_is_placed_at_its_bytes_in_the_entry() {
    let audit = audit(HAR.as_bytes(), "a.har", 1);
    let response = mail(&audit, "api.example")[1];
    let span = response.evidence[0].span;
    let entry = HAR.find(r#"{"startedDateTime""#).unwrap();
    let from = entry + span.offset as usize;
    assert_eq!(&HAR[from..][..span.length as usize], "bob@rooms.example");
}

#[test]
fn addresses_that_were_not_recorded_are_none() {
    let audit = audit(HAR.as_bytes(), "a.har", 1);
    let of = |name: &str| audit.destinations.iter().find(|it| it.name.as_str() == name).unwrap();
    assert_eq!(of("api.example").places.len(), 1);
    assert!(of("plain.example").places.is_empty());
    let flow = audit.flows.get(0).unwrap();
    assert!(flow.tells(flow.server) && !flow.tells(flow.client));
    let nothing = crate::recorded::audit(br#"{"log":{"entries":[{"request":{"method":"GET"}}]}}"#, "b.har", 1);
    assert_eq!(nothing.destinations[0].name.as_str(), "not recorded");
    assert_eq!(nothing.flows.get(0).unwrap().protection, Protection::Opaque);
}

#[test]
fn the_number_of_jobs_changes_nothing() {
    let [one, four] = [1, 4].map(|jobs| audit(HAR.as_bytes(), "a.har", jobs));
    assert_eq!(format!("{:?}", one.exposures), format!("{:?}", four.exposures));
    assert_eq!(one.inputs[0].sha256, four.inputs[0].sha256);
}

#[test]
fn what_may_have_been_kept_from_the_wire_is_read_by_nobody_for_certain() {
    // Chrome writes down such a request, and no answer, where an extension stopped it.
    let entry = |status: u16, url: &str| {
        format!(
            r#"{{"startedDateTime":"2023-11-14T22:13:20.000Z","time":1,"request":{{"method":"GET","url":"{url}","httpVersion":"HTTP/1.1","headers":[]}},
            "response":{{"status":{status},"statusText":"","httpVersion":"","headers":[],"content":{{"size":0}}}}}}"#
        )
    };
    let har = |status| {
        format!(
            r#"{{"log":{{"entries":[{}]}}}}"#,
            entry(status, "http://ads.example/t?mail=alice@rooms.example")
        )
    };
    for (status, answers) in [(0, [Answer::CannotTell; 2]), (200, [Answer::Yes; 2])] {
        let audit = audit(har(status).as_bytes(), "a.har", 1);
        let told = mail(&audit, "ads.example");
        assert_eq!(told.len(), 1);
        assert_eq!(
            [ReaderRole::OnPath, ReaderRole::Endpoint].map(|role| answer(told[0], role)),
            answers,
            "{status}"
        );
    }
}

/// A host is never masked: what proves who asks has no place in it.
#[test]
fn a_user_before_a_recorded_host_is_told_apart() {
    let entry = |url: &str, headers: &str| {
        format!(
            r#"{{"log":{{"version":"1.2","entries":[{{"request":{{"method":"GET","url":"{url}","httpVersion":"HTTP/1.1","headers":[{headers}]}},"response":{{"status":204}}}}]}}}}"#
        )
    };
    for (url, headers) in [
        ("http://ann:s3cretword@plain.example/x", ""),
        ("/x", r#"{"name":"Host","value":"ann:s3cretword@plain.example"}"#),
        ("/x", r#"{"name":":authority","value":"ann:s3cretword@plain.example"}"#),
    ] {
        let audit = audit(entry(url, headers).as_bytes(), "a.har", 1);
        let named: Vec<&str> = audit.destinations.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(named, ["plain.example"], "{url} {headers}");
        let password = audit.exposures.iter().find(|it| &*it.field == "http.userinfo.password");
        assert!(password.is_some(), "{url} {headers}");
        let hosts = audit.exposures.iter().filter(|it| it.kind.as_str() == "hostname");
        assert!(hosts.into_iter().all(|it| it.value.masked == "plain.example"), "{url} {headers}");
    }
    // Nothing tells where that password ends: it is no host either.
    let audit = audit(entry("http://ann:s3cretword/x@plain.example/y", "").as_bytes(), "a.har", 1);
    assert!(audit.destinations.iter().all(|it| !it.name.contains("s3cret")));
    assert!(audit.exposures.iter().all(|it| !it.value.masked.contains("s3cret")));
}
