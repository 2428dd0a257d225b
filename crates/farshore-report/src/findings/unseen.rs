//! What could not be seen, and why. Absence is told here so that nobody takes it for compliance.

use farshore_model::audit::Stale;
use farshore_model::ledger::Severity;
use farshore_model::{Audit, Flow, Outcome, Protection};

use super::phrase::{bytes, count, long, name};
use super::{FrameRef, Item, Tone};

pub fn items(audit: &Audit) -> Vec<Item> {
    let mut items = vec![];
    inputs(audit, &mut items);
    flows(audit, &mut items);
    frames(audit, &mut items);
    editions(audit, &mut items);
    oddities(audit, &mut items);
    searches(audit, &mut items);
    items
}

fn inputs(audit: &Audit, items: &mut Vec<Item>) {
    for (index, input) in (0..).zip(&audit.inputs) {
        if input.cut_short {
            items.push(
                Item::new(
                    Tone::Doubt,
                    format!("{} is cut short: it was read as far as it goes", name(&input.name)),
                )
                .at(Some(FrameRef {
                    input: index,
                    frame: input.frames,
                })),
            );
        }
    }
    if audit.inputs.iter().any(|input| crate::v1::is_log(input.format)) {
        items.push(Item::new(
            Tone::Doubt,
            "a flow log tells who and how much: no payload, no names were in it to be read",
        ));
    }
}

/// Data of another time tell who and where it was then, not at the time of the capture.
fn editions(audit: &Audit, items: &mut Vec<Item>) {
    let of = |wanted: fn(&Stale) -> bool| -> Vec<String> {
        let stale = audit.tool.data.iter().filter(|it| it.stale.as_ref().is_some_and(wanted));
        stale.map(|it| format!("{} of {}", name(&it.name), name(&it.as_of))).collect()
    };
    for (editions, words) in [
        (of(|it| matches!(it, Stale::Older(_))), "older than the capture by more than a year"),
        (of(|it| matches!(it, Stale::Younger(_))), "younger than the capture"),
    ] {
        if !editions.is_empty() {
            let number = count(editions.len() as u64, "data edition");
            let verb = if editions.len() == 1 { "is" } else { "are" };
            items.push(Item::new(
                Tone::Doubt,
                format!(
                    "who and where it was at the time: {number} {verb} {words} ({})",
                    super::phrase::some(&editions, 4)
                ),
            ));
        }
    }
}

fn flows(audit: &Audit, items: &mut Vec<Item>) {
    let it = audit.flow_coverage;
    let first = |wanted: fn(&Flow) -> bool| {
        let flow = audit.flows.iter().find(|flow| wanted(flow))?;
        Some(FrameRef {
            input: flow.input.0,
            frame: flow.first_frame,
        })
    };
    if it.opaque > 0 {
        items.push(
            Item::new(
                Tone::Doubt,
                format!(
                    "{} in no known format: encrypted, compressed or undocumented, it cannot be told",
                    count(it.opaque, "flow")
                ),
            )
            .at(first(|flow| flow.protection == Protection::Opaque)),
        );
    }
    if it.encrypted > 0 {
        let sealed = |flow: &Flow| {
            let sealed = matches!(
                flow.protection,
                Protection::Tls | Protection::Quic | Protection::Dtls | Protection::Srtp
            );
            sealed && !flow.is_opened()
        };
        items.push(
            Item::new(
                Tone::Plain,
                format!("the content of {}: encrypted, not opened", count(it.encrypted, "flow")),
            )
            .at(first(sealed)),
        );
    }
    if it.empty > 0 {
        items.push(
            Item::new(Tone::Plain, format!("{} without payload", count(it.empty, "flow")))
                .at(first(|flow| flow.protection == Protection::Empty)),
        );
    }
    let untold = |flow: &Flow| flow.app().is_none() && !flow.is_recorded();
    let of_nobody = audit.flows.iter().filter(|flow| untold(flow)).count() as u64;
    if of_nobody == it.total && it.total > 0 {
        items.push(Item::new(
            Tone::Plain,
            "which app sent it: the capture does not tell, so all of this is said of the device",
        ));
    } else if of_nobody > 0 {
        items.push(
            Item::new(
                Tone::Plain,
                format!("which app sent {}: the capture does not tell", count(of_nobody, "flow")),
            )
            .at(first(untold)),
        );
    }
    let keys = &audit.coverage.keys;
    if keys.offered > 0 {
        items.push(Item::new(
            Tone::Plain,
            format!("keys for {} were offered, {} fitted", count(keys.offered, "session"), keys.matched),
        ));
    }
    for (reason, flows) in &keys.unmatched {
        items.push(Item::new(
            Tone::Doubt,
            format!("{} stayed closed: {}", count(*flows, "flow"), long(reason)),
        ));
    }
}

fn frames(audit: &Audit, items: &mut Vec<Item>) {
    let it = &audit.coverage;
    match it.frames.dropped {
        Some(0) => {}
        Some(lost) => items.push(Item::new(
            Tone::Doubt,
            format!("{} lost while capturing, as the file tells", count(lost, "frame")),
        )),
        None if it.frames.total == 0 => {}
        None => items.push(Item::new(
            Tone::Doubt,
            "whether frames were lost while capturing: the file does not tell",
        )),
    }
    if it.frames.truncated > 0 {
        items.push(Item::new(
            Tone::Doubt,
            format!("{} captured shorter than on the wire", count(it.frames.truncated, "frame")),
        ));
    }
    if it.gaps.count > 0 {
        items.push(Item::new(
            Tone::Doubt,
            format!(
                "{} in streams, {} never captured",
                count(it.gaps.count, "gap"),
                bytes(it.gaps.bytes)
            ),
        ));
    }
    if it.frames.stopped > 0 {
        let mut reasons: Vec<(&String, &u64)> = it.stops.iter().collect();
        reasons.sort_by_key(|(reason, frames)| (std::cmp::Reverse(**frames), *reason));
        let reasons: Vec<String> = reasons
            .into_iter()
            .map(|(reason, frames)| format!("{} ({frames})", long(reason)))
            .collect();
        let why = super::phrase::some(&reasons, 3);
        items.push(Item::new(
            Tone::Plain,
            format!("{} not read to the end: {why}", count(it.frames.stopped, "frame")),
        ));
    }
    for (limit, times) in &it.limits {
        items.push(Item::new(
            Tone::Doubt,
            format!("the ceiling `{limit}` was hit {}: --limit raises it", count(*times, "time")),
        ));
    }
}

fn oddities(audit: &Audit, items: &mut Vec<Item>) {
    let mut odd: Vec<_> = audit.anomalies.iter().filter(|it| !it.kind.starts_with("interference")).collect();
    odd.sort_by_key(|it| std::cmp::Reverse(it.severity));
    for it in odd {
        let tone = if it.severity == Severity::Note { Tone::Plain } else { Tone::Doubt };
        items.push(Item::new(tone, format!("{}: {}", it.kind, long(&it.because))).at(it.evidence.first().map(FrameRef::of)));
    }
}

fn searches(audit: &Audit, items: &mut Vec<Item>) {
    let unsearched = match (&audit.discovery, &audit.links) {
        (Some(_), Some(_)) => None,
        (Some(_), None) => Some("not searched for: links between people"),
        (None, Some(_)) => Some("not searched for: identifiers in unknown formats, in one capture alone"),
        (None, None) => Some("not searched for: links between people; identifiers in unknown formats, in one capture alone"),
    };
    if let Some(words) = unsearched {
        items.push(Item::new(Tone::Plain, words));
    }
    if !audit.verdicts.is_empty() && !audit.verdicts.iter().any(|it| it.outcome == Outcome::Met) {
        items.push(Item::new(
            Tone::Plain,
            "nothing is met: that takes a declared scope (--scope) which the capture does not contradict",
        ));
    }
}
