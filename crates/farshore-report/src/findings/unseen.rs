//! What could not be seen, and why. Absence is told here so that nobody takes it for compliance.

use farshore_model::audit::Stale;
use farshore_model::ledger::Severity;
use farshore_model::row::{LogRecord, Sampling};
use farshore_model::{Audit, Flow, Outcome, Protection};

use super::phrase::{bytes, count, long, name};
use super::{FrameRef, Item, Tone};

pub fn items(audit: &Audit) -> Vec<Item> {
    let mut items = vec![];
    inputs(audit, &mut items);
    flows(audit, &mut items);
    frames(audit, &mut items);
    logs(audit, &mut items);
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
            "a flow log tells who and how much: no payload, no names, no programs were in it to be read",
        ));
    }
}

/// What flow logs leave out, and what they tell that is no flow.
fn logs(audit: &Audit, items: &mut Vec<Item>) {
    let logs: Vec<&LogRecord> = audit.inputs.iter().filter_map(|it| it.log.as_ref()).collect();
    let sum = |of: fn(&LogRecord) -> u64| logs.iter().fold(0_u64, |sum, it| sum.saturating_add(of(it)));
    let mut say = |tone, text: String| items.push(Item::new(tone, text));
    match logs.iter().map(|it| it.sampling).max() {
        None | Some(Sampling::Whole) => {}
        Some(Sampling::Untold) => say(
            Tone::Doubt,
            "whether the log was sampled: it does not tell, so that a flow that is not in it may have been".to_owned(),
        ),
        Some(Sampling::Part) => say(
            Tone::Doubt,
            "the log was made of a sample of the packets: a flow that is not in it may have been, and counts are estimates".to_owned(),
        ),
        Some(Sampling::OneIn(many)) => say(
            Tone::Doubt,
            format!("the log was made of 1 packet in {many}: a flow that is not in it may have been, and counts are those of the sample"),
        ),
    }
    match sum(|it| it.skipped) {
        0 => {}
        times => say(
            Tone::Doubt,
            format!("{} left out rows for want of capacity (SKIPDATA)", count(times, "time window")),
        ),
    }
    match sum(|it| it.quiet) {
        0 => {}
        times => say(Tone::Plain, format!("{} without any traffic (NODATA)", count(times, "time window"))),
    }
    match sum(|it| it.refused) {
        0 => {}
        times => say(
            Tone::Plain,
            format!(
                "{} of rejected traffic: tried, and not received; in no sum of what was",
                count(times, "report")
            ),
        ),
    }
    if logs.iter().any(|it| !it.tells_refusal) {
        say(
            Tone::Doubt,
            "what was rejected: the log does not tell it from what passed".to_owned(),
        );
    }
    match sum(|it| it.told_again) {
        0 => {}
        times => say(
            Tone::Plain,
            format!(
                "{} told of by several interfaces or sides: counted once, by the fullest count",
                count(times, "flow")
            ),
        ),
    }
    match sum(|it| it.unopened) {
        0 => {}
        times => say(
            Tone::Doubt,
            format!(
                "which side began {}: the log does not tell; the source of its first row is taken for the client",
                count(times, "flow")
            ),
        ),
    }
    match logs.iter().map(|it| it.longest / 1_000_000_000).max() {
        None | Some(0) => {}
        Some(seconds) => say(
            Tone::Plain,
            format!("what happened within one row, which sums up to {}", count(seconds, "second")),
        ),
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
    if it.unknown > 0 {
        items.push(
            Item::new(
                Tone::Doubt,
                format!(
                    "the content of {}, and whether it was encrypted: a flow log does not hold it",
                    count(it.unknown, "flow")
                ),
            )
            .at(first(Flow::is_logged)),
        );
    }
    let untold = |flow: &Flow| flow.app().is_none() && !flow.is_recorded() && !flow.is_logged();
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

/// The frames that a capture filter left out.
pub fn left_out(audit: &Audit) -> Option<Item> {
    let it = &audit.coverage.frames;
    let told = || {
        format!(
            "{} of {} that the capture filter left out (-f)",
            count(it.filtered, "frame"),
            it.total
        )
    };
    (it.filtered > 0).then(|| Item::new(Tone::Doubt, told()))
}

fn frames(audit: &Audit, items: &mut Vec<Item>) {
    let it = &audit.coverage;
    let units = crate::v1::units(audit);
    match it.frames.dropped {
        Some(0) => {}
        Some(lost) => items.push(Item::new(
            Tone::Doubt,
            format!("{} lost while capturing, as the file tells", count(lost, "frame")),
        )),
        None if it.frames.total == 0 => {}
        None if units == "row" => items.push(Item::new(
            Tone::Doubt,
            "whether rows were lost before they were written: the log does not tell",
        )),
        None => items.push(Item::new(
            Tone::Doubt,
            "whether frames were lost while capturing: the file does not tell",
        )),
    }
    for filter in audit.inputs.iter().filter_map(|it| it.filter.as_ref()) {
        items.push(Item::new(
            Tone::Doubt,
            format!("what did not fit the filter it was captured through: {}", long(filter.as_str())),
        ));
    }
    items.extend(left_out(audit));
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
            format!("{} not read to the end: {why}", count(it.frames.stopped, units)),
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
