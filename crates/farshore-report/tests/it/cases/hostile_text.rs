//! Hostile text wherever text can stand.

use std::collections::BTreeMap;
use std::sync::Arc;

use farshore_model::audit::*;
use farshore_model::exposure::Because;
use farshore_model::flow::*;
use farshore_model::observation::*;
use farshore_model::verdict::WaiverState;
use farshore_model::*;

use super::{every_fact, losses, waived};

/// Texts a hostile peer would send.
pub fn texts() -> Vec<String> {
    vec![
        "\x1b[2J\x1b]0;owned\x07\x1b[31mred".into(),
        "<script>alert(1)</script><SCRIPT src=//evil.example>".into(),
        "\" onload=\"alert(1)' autofocus onfocus='x".into(),
        "moc.elpmaxe\u{202e}\u{2066}\u{200b}\u{feff}\u{2028}\u{2029}\u{61c}".into(),
        "nul\0bell\x07del\x7fc1\u{9b}31m\u{85}\r\n\t".into(),
        "</style></title></textarea>--><!--]]>&lt;".into(),
        WireText::from_bytes(b"lone \xed\xa0\x80 surrogate \xff").as_str().into(),
        format!("zalgo{}", "\u{301}\u{489}".repeat(400)),
        format!("{}.example", "a".repeat(65_536)),
        "javascript:alert(1)".into(),
        "::set-output name=owned::1 ##[set-env name=owned;]1 ##vso[task.setvariable]".into(),
        "a | b](https://evil.example) `c` @everyone #1 www.evil.example {0}".into(),
        "]]>&amp;\u{fffe}\u{ffff}".into(),
        "\u{e0041}\u{fe0f}\u{ad}tag".into(),
    ]
}

/// Hostile text wherever text can stand.
pub fn hostile() -> Audit {
    let mut audit = every_fact();
    let texts = texts();
    let mut next = (0..).map(|n| texts[n % texts.len()].clone());
    let mut bad = || next.next().unwrap();
    for _ in 1..texts.len() {
        audit.inputs.push(audit.inputs[0].clone());
        audit.destinations.push(audit.destinations[0].clone());
        audit.exposures.push(audit.exposures[0].clone());
        audit.verdicts.push(audit.verdicts[0].clone());
    }
    audit.anomalies = losses().anomalies;
    for it in &mut audit.inputs {
        it.name = bad();
        it.labels = BTreeMap::from([(bad(), bad())]);
        it.notes = vec![bad().into(), bad().into()];
        it.world = Some(bad().into());
    }
    for it in &mut audit.destinations {
        it.name = bad().into();
        it.domain = Some(bad());
        it.candidates = vec![bad(), bad()];
        it.owners.iter_mut().for_each(|owner| (owner.name, owner.source) = (bad(), bad()));
        for place in &mut it.places {
            place
                .network
                .iter_mut()
                .for_each(|network| Arc::make_mut(network).name = bad().into());
            let claims = &mut Arc::make_mut(&mut place.location).claims;
            claims.iter_mut().for_each(|claim| claim.source = bad());
        }
        Arc::make_mut(&mut it.location)
            .claims
            .iter_mut()
            .for_each(|claim| (claim.source, claim.edition) = (bad(), bad()));
        let mut rows = it.reach.to_vec();
        for reach in &mut rows {
            reach.missing = [bad().into()].into();
            for law in reach.law.iter_mut().map(Arc::make_mut) {
                (law.title, law.citation, law.source) = (bad(), bad(), bad());
            }
        }
        it.reach = rows.into();
        if let Some(organisation) = &mut it.organisation {
            (organisation.name, organisation.id, organisation.source, organisation.as_of) = (bad(), bad(), bad(), bad());
        }
    }
    for it in &mut audit.exposures {
        it.kind = DatumKind::named(&bad());
        (it.value.raw, it.field, it.value.masked, it.known_as) = (Some(bad()), bad().into(), bad(), Some(bad()));
        it.readers
            .iter_mut()
            .for_each(|reader| (reader.party, reader.because) = (bad().into(), Because::Told(bad().into())));
    }
    for it in &mut audit.verdicts {
        (it.pack, it.clause, it.citation, it.because) = (bad(), bad(), bad(), bad());
        (it.title, it.settled_by) = (bad(), vec![bad().into()]);
        it.findings.iter_mut().for_each(|it| it.because = bad().into());
    }
    let mut waivers = waived().waivers.unwrap();
    for it in &mut waivers {
        (it.pack, it.clause, it.subject, it.reason) = (bad(), bad(), bad(), bad());
        if let WaiverState::Unused(why) = &mut it.state {
            *why = bad().into();
        }
    }
    audit.waivers = Some(waivers);
    let mut replies = waived().replies.unwrap();
    for it in &mut replies {
        (it.by, it.statement, it.source) = (bad(), bad(), Some(bad()));
        for it in [&mut it.pack, &mut it.clause, &mut it.subject].into_iter().flatten() {
            *it = bad();
        }
    }
    audit.replies = Some(replies);
    audit.verdicts[1].findings[0].waived = Some(0);
    audit.anomalies.iter_mut().for_each(|it| it.because = bad());
    audit.flow_names.iter_mut().flatten().for_each(|it| it.name = bad().into());
    audit
        .flows
        .iter_mut()
        .for_each(|it| it.rare_mut().app = Some(Box::new(App { name: bad(), via: "pktap" })));
    for it in &mut audit.observations {
        match &mut it.what {
            Observation::NameAsked { name, record, .. } => (*name, *record) = (bad().into(), bad()),
            Observation::NameBound { question, name, value, .. } => {
                (*question, *name, *value) = (bad().into(), bad().into(), BoundValue::Text(bad().into()));
            }
            Observation::PeerNamed { name, .. } => *name = bad().into(),
            Observation::Certificate { subject, names, .. } => (*subject, *names) = (bad().into(), vec![bad().into()]),
            Observation::Request { method, host, path, .. } => (*method, *host, *path) = (bad().into(), Some(bad().into()), bad().into()),
            Observation::Media { codec, .. } => *codec = bad(),
            Observation::Channel { version, .. } => *version = bad(),
            Observation::Call {
                method, from, to, call_id, ..
            } => (*method, *from, *to, *call_id) = (bad().into(), bad().into(), bad().into(), bad().into()),
            Observation::SessionNamed { id, .. } => *id = bad(),
        }
    }
    for (name, licence) in audit.tool.data.iter_mut().map(|it| (&mut it.attribution, &mut it.licence)) {
        (*name, *licence) = (bad(), bad());
    }
    audit.coverage.stops = texts.iter().map(|text| (text.clone(), 1)).collect();
    audit.coverage.keys.unmatched = texts.iter().map(|text| (text.clone(), 1)).collect();
    audit
}
