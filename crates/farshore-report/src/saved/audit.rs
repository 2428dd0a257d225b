//! What was read becomes an audit of the model, once it is known to speak of nothing that is not in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use farshore_model::flow::Flow;
use farshore_model::{Audit, DatumKind, Discovery, Exposure, InputId, Locus, Rows, Runs, Subject};

use super::{Saved, shapes};

/// The audit, or where it speaks of what is not there.
pub(super) fn of(it: shapes::Audit) -> Result<Saved, String> {
    numbered("destinations", "d", it.destinations.iter().map(|it| it.id.0))?;
    numbered("exposures", "x", it.exposures.iter().map(|it| it.id.0))?;
    numbered("flows", "f", it.flows.iter().flatten().map(|it| it.id.0))?;
    if let Some(at) = it.exposures.iter().position(|it| !it.is_labelled()) {
        return Err(format!(
            "exposures[{at}].label: expected its kind and a number, such as `user-id#3`"
        ));
    }
    let runs = runs(&it);
    let laws: BTreeMap<_, _> = it
        .laws
        .into_iter()
        .map(|it| it.model())
        .map(|it| (it.id.clone(), Arc::new(it)))
        .collect();
    // An audit of a version that does not tell what it searched for is taken at its findings.
    let searched = |what: &str, found: bool| it.coverage.not_searched().map_or(found, |not| not.iter().all(|it| it != what));
    let identified = searched("identifiers", !it.identifiers.is_empty());
    let linked = searched("links", !it.links.is_empty());
    let (coverage, flow_coverage) = it.coverage.model();
    let has_flows = it.flows.is_some();
    let payload = it.flows.iter().flatten().all(shapes::Flow::tells_payload);
    let (mut flows, mut flow_names) = (Rows::default(), Vec::new());
    for (flow, names) in it.flows.into_iter().flatten().map(shapes::Flow::model) {
        flows.push(flow);
        flow_names.push(names);
    }
    let identifiers = it.identifiers.into_iter().map(shapes::Identifier::model);
    let exposures: Vec<Exposure> = it.exposures.into_iter().map(|it| unmasked(it.model())).collect();
    let audit = Audit {
        tool: it.tool.model(),
        inputs: it.inputs.into_iter().map(shapes::Input::model).collect(),
        coverage,
        flow_coverage,
        destinations: it.destinations.into_iter().map(|it| it.model(&laws)).collect(),
        discovery: identified.then(|| Discovery {
            identifiers: identifiers.collect(),
            design: it.discovery.map(shapes::Design::model).unwrap_or_default(),
        }),
        links: linked.then(|| it.links.into_iter().map(shapes::Link::model).collect()),
        talk: it.talk.into_iter().map(shapes::Talk::model).collect(),
        undeclared: it.undeclared.map(|all| all.into_iter().map(shapes::Omitted::model).collect()),
        anomalies: it.anomalies.into_iter().map(shapes::Anomaly::model).collect(),
        verdicts: it.verdicts.into_iter().map(shapes::Verdict::model).collect(),
        waivers: it.waivers.map(|all| all.into_iter().map(shapes::Waiver::model).collect()),
        replies: it.replies.map(|all| all.into_iter().map(shapes::Reply::model).collect()),
        baseline: it.baseline.map(shapes::Baseline::model),
        show_pii: exposures.iter().any(|it| it.value.raw.is_some()),
        exposures,
        flows,
        flow_names,
        observations: Rows::default(),
    };
    within(&audit, has_flows)?;
    let runs = match runs {
        Some(runs) => Some(runs),
        None => (has_flows && payload).then(|| Runs::of(&audit)),
    };
    if let Some(runs) = &runs {
        let contacts = runs.contacts.iter().flatten().map(|it| it.input);
        for input in contacts.chain(runs.inputs.iter().flatten().copied()) {
            known(&audit, input, || "a destination's contacts or an exposure's inputs".to_owned())?;
        }
    }
    Ok(Saved { audit, runs, has_flows })
}

/// How it tells its runs, where it does.
fn runs(it: &shapes::Audit) -> Option<Runs> {
    let contacts = it
        .destinations
        .iter()
        .map(|it| Some(it.contacts.as_ref()?.iter().map(shapes::Contact::model).collect()));
    let inputs = it
        .exposures
        .iter()
        .map(|it| Some(it.inputs.as_ref()?.iter().copied().map(InputId).collect()));
    Some(Runs {
        contacts: contacts.collect::<Option<_>>()?,
        inputs: inputs.collect::<Option<_>>()?,
    })
}

/// Kinds whose values are shown as they are: they name no person and no device.
const SHOWN: [DatumKind; 4] = [DatumKind::HOSTNAME, DatumKind::CONTENT, DatumKind::AUDIO, DatumKind::fixed("video")];

/// A value that stands there without a mask was asked for: it is the value itself, and may not pass for a masked one.
fn unmasked(mut it: Exposure) -> Exposure {
    let masked = it.value.masked.contains('\u{2026}') || it.value.masked.contains(crate::mask::HIDDEN);
    if !masked && !SHOWN.contains(&it.kind) {
        it.value.raw = Some(std::mem::replace(&mut it.value.masked, "\u{2026}".to_owned()));
    }
    it
}

/// The n-th of a list has the n-th id.
fn numbered(list: &str, letter: &str, ids: impl Iterator<Item = usize>) -> Result<(), String> {
    match ids.enumerate().find(|(at, id)| at != id) {
        None => Ok(()),
        Some((at, id)) => Err(format!(
            "{list}[{at}].id: it is `{letter}{}`, expected `{letter}{}`: ids count from 1 in the order of the list",
            id.saturating_add(1),
            at.saturating_add(1)
        )),
    }
}

/// Whatever is spoken of by number is there.
fn within(audit: &Audit, has_flows: bool) -> Result<(), String> {
    let one = |what: &str, letter: char, at: usize, of: usize, path: &dyn Fn() -> String| match at < of {
        true => Ok(()),
        false => Err(format!(
            "{}: there is no `{letter}{}`, expected one of the {of} {what}",
            path(),
            at.saturating_add(1)
        )),
    };
    let destination = |at: usize, path: &dyn Fn() -> String| one("destinations", 'd', at, audit.destinations.len(), path);
    let exposure = |at: usize, path: &dyn Fn() -> String| one("exposures", 'x', at, audit.exposures.len(), path);
    let flow = |id: farshore_model::FlowId, path: &dyn Fn() -> String| match has_flows {
        true => one("flows", 'f', usize::try_from(id.0).unwrap_or(usize::MAX), audit.flows.len(), path),
        false => Ok(()),
    };
    let places = |all: &[Locus], path: &dyn Fn() -> String| {
        all.iter()
            .try_for_each(|it| known(audit, it.input, || format!("{}.evidence", path())))
    };
    for (at, it) in audit.destinations.iter().enumerate() {
        let path = || format!("destinations[{at}].flows");
        it.flows.iter().try_for_each(|it| flow(*it, &path))?;
    }
    for (at, it) in audit.exposures.iter().enumerate() {
        destination(it.destination, &|| format!("exposures[{at}].destination"))?;
        it.flows.iter().try_for_each(|it| flow(*it, &|| format!("exposures[{at}].flows")))?;
        places(&it.evidence, &|| format!("exposures[{at}]"))?;
    }
    for (at, it) in audit.discovery.iter().flat_map(|it| &it.identifiers).enumerate() {
        places(&it.evidence, &|| format!("identifiers[{at}]"))?;
    }
    for (at, it) in audit.links.iter().flatten().enumerate() {
        places(&it.evidence, &|| format!("links[{at}]"))?;
    }
    for (at, it) in audit.anomalies.iter().enumerate() {
        it.flow.map_or(Ok(()), |it| flow(it, &|| format!("anomalies[{at}].flow")))?;
        places(&it.evidence, &|| format!("anomalies[{at}]"))?;
    }
    for (at, it) in audit.verdicts.iter().enumerate() {
        it.exposures
            .iter()
            .try_for_each(|it| exposure(*it, &|| format!("verdicts[{at}].exposures")))?;
        it.destinations
            .iter()
            .try_for_each(|it| destination(*it, &|| format!("verdicts[{at}].destinations")))?;
        places(&it.evidence, &|| format!("verdicts[{at}]"))?;
        let place = || format!("verdicts[{at}].findings");
        it.findings.iter().try_for_each(|it| match it.subject {
            Subject::Exposure(index) => exposure(index, &place),
            Subject::Address { destination: index, .. } => destination(index, &place),
            Subject::Coverage => Ok(()),
        })?;
    }
    for (at, it) in audit.replies.iter().flatten().enumerate() {
        it.destinations
            .iter()
            .try_for_each(|it| destination(*it, &|| format!("replies[{at}].destinations")))?;
        let all = audit.verdicts.len();
        if let Some(index) = it.verdicts.iter().find(|it| **it >= all) {
            return Err(format!(
                "replies[{at}].verdicts: there is no verdict {index}, expected one of the {all}, from 0"
            ));
        }
    }
    for (at, it) in audit.talk.iter().enumerate() {
        destination(it.destination, &|| format!("talk[{at}].destination"))?;
        it.exposures
            .iter()
            .try_for_each(|it| exposure(*it, &|| format!("talk[{at}].exposures")))?;
        it.inputs
            .iter()
            .try_for_each(|it| known(audit, *it, || format!("talk[{at}].inputs")))?;
        places(&it.evidence, &|| format!("talk[{at}]"))?;
    }
    for (at, it) in audit.undeclared.iter().flatten().enumerate() {
        destination(it.destination, &|| format!("undeclared[{at}].destination"))?;
        it.exposures
            .iter()
            .try_for_each(|it| exposure(*it, &|| format!("undeclared[{at}].exposures")))?;
        places(&it.evidence, &|| format!("undeclared[{at}]"))?;
    }
    for (at, it) in audit.flows.iter().enumerate() {
        let it: &Flow = it;
        known(audit, it.input, || format!("flows[{at}].input"))?;
        it.inside.map_or(Ok(()), |it| flow(it, &|| format!("flows[{at}].inside")))?;
    }
    Ok(())
}

/// The input is one of the audit's.
fn known(audit: &Audit, input: InputId, path: impl Fn() -> String) -> Result<(), String> {
    let all = audit.inputs.len();
    match usize::try_from(input.0).is_ok_and(|it| it < all) {
        true => Ok(()),
        false => Err(format!(
            "{}: there is no input {}, expected one of the {all}, counted from 0",
            path(),
            input.0
        )),
    }
}
