//! The judgement as SARIF 2.1.0, for code-scanning views: rules are clauses, results what stands against them.
//!
//! `fail` is a breach, `open` what could not be told (in SARIF's words: "insufficient information"), `pass` and `notApplicable` what they
//! say, `informational` a note. A place is a frame of an input: captures have no lines, and a region of bytes would have to count from the
//! start of the file, so frame, offset and length stand in the properties of the location. It refuses to invent a line.

use std::collections::BTreeMap;
use std::io::{Result, Write};

use serde_json::{Map, Value, json};
use sha1::{Digest, Sha1};

use farshore_model::verdict::WaiverState;
use farshore_model::{Audit, Locus, Outcome, Subject, Verdict, Waiver};

use crate::compact::Sheet;
use crate::escape::visible;
use crate::findings::{About, Matter, What, baseline, judged_order, locus, matters, other_replies, replies, waived};
use crate::words::Word;
use crate::{Options, Output};

/// Places a result shows.
const PLACES: usize = 20;
/// The name of the fingerprint; what it is made of must not change under it.
const FINGERPRINT: &str = "farshoreFinding/v1";

/// `sarif`.
pub struct Sarif;

impl Output for Sarif {
    fn id(&self) -> &'static str {
        "sarif"
    }

    fn render(&self, audit: &Audit, _: &Options<'_>, out: &mut dyn Write) -> Result<()> {
        let verdicts = judged_order(audit);
        let mut rules: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut listed = Vec::new();
        for it in &verdicts {
            rules.entry((&it.pack, &it.clause)).or_insert_with(|| {
                listed.push(rule(audit, it));
                listed.len().saturating_sub(1)
            });
        }
        let mut results = Vec::new();
        let mut seen = BTreeMap::new();
        for it in &verdicts {
            let rule = rules.get(&(it.pack.as_str(), it.clause.as_str())).copied().unwrap_or_default();
            let matters = matters(audit, it);
            if matters.is_empty() {
                results.push(result(audit, it, rule, None, &mut seen));
            }
            results.extend(matters.iter().map(|matter| result(audit, it, rule, Some(matter), &mut seen)));
        }
        let version = visible(&audit.tool.version);
        let mut driver = json!({ "name": "farshore", "version": version, "rules": listed });
        if audit.tool.version.split('.').count() == 3 && audit.tool.version.bytes().all(|it| it.is_ascii_digit() || it == b'.') {
            insert(&mut driver, "semanticVersion", json!(version));
        }
        let run = json!({
            "tool": { "driver": driver },
            "invocations": [{ "executionSuccessful": true, "toolExecutionNotifications": notifications(audit) }],
            "artifacts": artifacts(audit),
            "results": results,
        });
        let log = json!({ "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run] });
        let mut sheet = Sheet::new(out);
        sheet.line(&log)?;
        sheet.finish()
    }
}

/// Text as a message: what looks like an embedded link is none.
fn message(text: &str) -> Value {
    json!({ "text": visible(text).replace("](", "]\\u{28}") })
}

fn rule(audit: &Audit, it: &Verdict) -> Value {
    let title = if it.title.trim().is_empty() { &it.clause } else { &it.title };
    let version = audit
        .tool
        .packs
        .iter()
        .find(|pack| pack.id == it.pack)
        .map(|pack| visible(&pack.version));
    json!({
        "id": id(it),
        "shortDescription": message(title),
        "fullDescription": message(title),
        "help": message(&it.citation),
        "defaultConfiguration": { "level": "error" },
        "properties": { "pack": visible(&it.pack), "clause": visible(&it.clause), "packVersion": version, "tags": ["privacy"] },
    })
}

fn id(it: &Verdict) -> String {
    format!("{}/{}", visible(&it.pack), visible(&it.clause))
}

fn result(audit: &Audit, it: &Verdict, rule: usize, matter: Option<&Matter<'_>>, seen: &mut BTreeMap<String, u32>) -> Value {
    let outcome = matter.map_or(it.outcome, |matter| matter.about.outcome);
    let (kind, level) = match outcome {
        _ if it.note => ("informational", "none"),
        Outcome::Breached => ("fail", "error"),
        Outcome::Undetermined => ("open", "none"),
        Outcome::Met => ("pass", "none"),
        Outcome::NotApplicable => ("notApplicable", "none"),
    };
    let text = match matter {
        Some(matter) if !matter.is_coverage() => format!("{}. {}", matter.item(audit, it).title, it.because),
        _ => it.because.clone(),
    };
    let fingerprint = fingerprint(it, matter.map(|it| &it.about));
    let again = seen.entry(fingerprint.clone()).or_insert(0);
    *again = again.saturating_add(1);
    let mut properties = json!({ "outcome": outcome.word(), "note": it.note });
    let replies = replies(audit, it);
    if !replies.is_empty() {
        insert(&mut properties, "replies", json!(replies));
    }
    let mut all = json!({
        "ruleId": id(it),
        "ruleIndex": rule,
        "kind": kind,
        "level": level,
        "message": message(&text),
        "partialFingerprints": { FINGERPRINT: format!("{fingerprint}:{again}") },
    });
    let places: Vec<Locus> = match matter {
        None => it.evidence.iter().take(PLACES).cloned().collect(),
        Some(matter) => matter
            .findings
            .iter()
            .filter_map(|one| locus(audit, it, one))
            .take(PLACES)
            .collect(),
    };
    let places: Vec<Value> = places.iter().filter_map(|it| place(audit, it)).collect();
    if !places.is_empty() {
        insert(&mut all, "locations", json!(places));
    }
    if let Some(matter) = matter {
        insert(&mut all, "occurrenceCount", json!(matter.findings.len()));
        let ids = |of: fn(&Subject) -> Option<String>| matter.findings.iter().filter_map(|it| of(&it.subject)).take(PLACES).collect();
        let exposures: Vec<String> = ids(|it| match it {
            Subject::Exposure(index) => Some(format!("x{}", index.saturating_add(1))),
            _ => None,
        });
        let mut destinations: Vec<String> = ids(|it| match it {
            Subject::Address { destination, .. } => Some(format!("d{}", destination.saturating_add(1))),
            _ => None,
        });
        destinations.dedup();
        insert(&mut properties, "exposures", json!(exposures));
        insert(&mut properties, "destinations", json!(destinations));
        if audit.baseline.is_some() {
            insert(
                &mut all,
                "baselineState",
                json!(if matter.about.before { "unchanged" } else { "new" }),
            );
        }
        let waiver = matter.about.waived.and_then(|index| audit.waivers.as_ref()?.get(index));
        if let Some(waiver) = waiver {
            insert(&mut all, "suppressions", json!([suppression(waiver)]));
        } else if audit.waivers.is_some() {
            // Where some are waived, of the others it is said that they are not.
            insert(&mut all, "suppressions", json!([]));
        }
    }
    insert(&mut all, "properties", properties);
    all
}

fn suppression(it: &Waiver) -> Value {
    json!({
        "kind": "external",
        "status": "accepted",
        "justification": visible(&it.reason),
        "properties": { "subject": visible(&it.subject), "until": it.until.to_string() },
    })
}

/// What makes two results of different captures the same: the clause, what was judged and who received it. Ids and addresses shift, so
/// neither is in it where there is a name.
fn fingerprint(it: &Verdict, about: Option<&About<'_>>) -> String {
    let what = match about.map(|it| it.what) {
        Some(What::Exposure {
            kind, field, destination, ..
        }) => ["exposure", kind, field, destination],
        Some(What::Address { destination }) => ["address", "", "", destination],
        Some(What::Coverage) | None => ["clause", "", "", ""],
    };
    let mut digest = Sha1::new();
    for part in [it.pack.as_str(), it.clause.as_str()].into_iter().chain(what) {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn place(audit: &Audit, it: &Locus) -> Option<Value> {
    let index = usize::try_from(it.input.0).ok()?;
    let input = audit.inputs.get(index)?;
    let frame = format!("{} {}", crate::v1::unit(input.format), it.span.frame);
    let mut properties = json!({ "frame": it.span.frame, "layers": *it.layers, "decodedBy": *it.decoded_by });
    if it.span.length > 0 {
        insert(&mut properties, "offset", json!(it.span.offset));
        insert(&mut properties, "length", json!(it.span.length));
        insert(&mut properties, "countsIn", json!(if it.span.in_frame { "frame" } else { "layer" }));
    }
    Some(json!({
        "physicalLocation": { "artifactLocation": { "uri": uri(&input.name), "index": index } },
        "logicalLocations": [{ "name": frame, "fullyQualifiedName": format!("{}/{frame}", visible(&input.name)), "kind": "frame" }],
        "properties": properties,
    }))
}

fn artifacts(audit: &Audit) -> Vec<Value> {
    let of = |it: &farshore_model::ledger::InputRecord| {
        json!({
            "location": { "uri": uri(&it.name) },
            "length": it.file_bytes,
            "hashes": { "sha-256": visible(&it.sha256) },
            "roles": ["analysisTarget"],
        })
    };
    audit.inputs.iter().map(of).collect()
}

/// Waivers that cover nothing are told, and replies to no clause, and those that do beside the results they suppress.
fn notifications(audit: &Audit) -> Vec<Value> {
    let levels = audit.waivers.iter().flatten().map(|it| match it.state {
        WaiverState::Applied(_) => "note",
        _ => "warning",
    });
    let waivers = waived(audit).items.into_iter().map(|it| it.title).zip(levels);
    let before = baseline(audit)
        .into_iter()
        .zip(std::iter::once("note").chain(std::iter::repeat("warning")));
    let replies = other_replies(audit).items.into_iter().map(|it| (it.title, "note"));
    let all = waivers.chain(before).chain(replies);
    all.map(|(it, level)| json!({ "level": level, "message": message(&it) })).collect()
}

/// A file name as a relative reference.
fn uri(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes().take(1024) {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

fn insert(object: &mut Value, key: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        let _: Option<Value> = Map::insert(map, key.to_owned(), value);
    }
}
