//! What a capture covered, as declared by whoever took it, and what the capture itself says against that.
//!
//! Without a scope nothing is ever met. With one, everything that could hide a breach must be out of the way.

use farshore_model::flow::Protection;
use farshore_model::row::Sampling;
use farshore_model::{Ledger, Timestamp};
use serde::Deserialize;

use super::pack::Subject;
use crate::written::Mistake;

/// A declared scope.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Interfaces captured on.
    #[serde(default)]
    pub interfaces: Vec<String>,
    /// Applications under test.
    #[serde(default)]
    pub apps: Vec<String>,
    /// What was exercised.
    #[serde(default)]
    pub features: Vec<String>,
    /// From when.
    pub from: toml::value::Datetime,
    /// Until when.
    pub until: toml::value::Datetime,
}

impl Scope {
    /// Reads a scope file.
    pub fn read(text: &str) -> Result<Self, Mistake> {
        let scope: Self = toml::from_str(text).map_err(Mistake::from_toml)?;
        let refused = |message: &str| Err(Mistake::of(message.to_owned()));
        let (Some(from), Some(until)) = (instant(&scope.from), instant(&scope.until)) else {
            return refused("`from` and `until` must be full dates with time and offset, such as 2026-11-20T10:00:00Z");
        };
        if until < from {
            return refused("`until` lies before `from`");
        }
        if scope.interfaces.is_empty() || scope.features.is_empty() {
            return refused("a scope names at least one interface and one feature that was exercised");
        }
        Ok(scope)
    }
}

/// Something that keeps "not seen" from being "not there".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// What it is.
    pub what: String,
    /// What would close it; empty: what else is missing says that.
    pub closed_by: &'static str,
}

impl Gap {
    fn new(what: impl Into<String>, closed_by: &'static str) -> Self {
        Self {
            what: what.into(),
            closed_by,
        }
    }

    /// One of which is told elsewhere what would close it.
    pub(super) fn open(what: String) -> Self {
        Self { what, closed_by: "" }
    }
}

/// What stands between "not seen" and "not there" for what is judged. Empty only for a scope that the capture does not
/// contradict.
pub fn gaps(ledger: &Ledger, scope: Option<&Scope>, judged: Subject) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let Some(scope) = scope else {
        gaps.push(Gap::new(
            "no scope was declared (--scope)",
            "a declared scope: --scope FILE with interfaces, features exercised and hours",
        ));
        gaps.extend(unlogged(ledger, judged));
        return gaps;
    };
    gaps.extend(unlogged(ledger, judged));
    let coverage = &ledger.coverage;
    match coverage.frames.dropped {
        None => gaps.push(Gap::new(
            "the capture does not tell how many frames it lost",
            "a capture that counts the frames it lost: pcapng, as dumpcap and Wireshark write it",
        )),
        Some(0) => {}
        Some(lost) => gaps.push(Gap::new(format!("the capture lost {lost} frames"), "a capture that loses no frame")),
    }
    let mut count = |n: u64, what: &str, closed_by: &'static str| {
        if n > 0 {
            gaps.push(Gap::new(format!("{n} {what}"), closed_by));
        }
    };
    count(
        ledger.inputs.iter().filter(|it| it.cut_short).count() as u64,
        "inputs are cut short",
        "inputs that are whole",
    );
    count(
        coverage.frames.truncated,
        "frames were captured in part only",
        "a capture of whole frames, without a snap length",
    );
    count(
        ledger.inputs.iter().filter(|it| it.filter.is_some()).count() as u64,
        "inputs were captured through a filter, so that frames are missing",
        "a capture of all frames, without a capture filter",
    );
    count(
        coverage.frames.filtered,
        "frames were left out by a capture filter",
        "a reading of all frames, without -f",
    );
    count(
        coverage.gaps.count,
        "stretches of streams were not captured",
        "a capture that loses no frame",
    );
    count(
        coverage.limits.values().fold(0, |sum, n| sum.saturating_add(*n)),
        "times a ceiling of reading was hit",
        "a higher ceiling of reading: --limit NAME=VALUE, as the warnings name it",
    );
    let undecoded = coverage
        .stops
        .iter()
        .filter(|(reason, _)| !reason.starts_with("no IP inside"))
        .fold(0, |sum: u64, (_, n)| sum.saturating_add(*n));
    count(undecoded, "frames could not be decoded", "links and networks that are read");
    let opaque = ledger.flows.iter().filter(|it| it.protection == Protection::Opaque).count() as u64;
    count(opaque, "flows carry payload in no known format", "payload in a known format");
    let closed = |it: &&farshore_model::Flow| {
        let sealed = matches!(
            it.protection,
            Protection::Tls | Protection::Quic | Protection::Dtls | Protection::Srtp
        );
        // One that was opened in part hides the rest.
        sealed && !it.keys().is_some_and(|keys| !keys.opened.is_empty() && keys.missed.is_none())
    };
    // Encryption hides what was sent, and not to which address.
    if judged == Subject::Exposures {
        count(
            ledger.flows.iter().filter(closed).count() as u64,
            "flows were encrypted and not opened",
            "the keys of the sessions: --keys FILE, or a pcapng that holds them",
        );
    }
    if !scope.apps.is_empty() {
        // What a capture of the whole device does not tell apart may have been sent by any app.
        let foreign = |it: &&farshore_model::Flow| it.app().is_none_or(|app| !scope.apps.contains(&app.name));
        count(
            ledger.flows.iter().filter(foreign).count() as u64,
            "flows are not known to be of a declared app",
            "the declared apps alone: --app NAME, of a capture that tells apps apart",
        );
    }
    for input in &ledger.inputs {
        let inside = input.first.zip(input.last).zip(instant(&scope.from).zip(instant(&scope.until)));
        match inside {
            Some(((first, last), (from, until))) if from <= first && last <= until => {}
            _ => gaps.push(Gap::new(
                format!("{} is not within the declared hours", input.name),
                "a scope whose hours hold the whole capture",
            )),
        }
    }
    gaps
}

/// What flow logs keep from what is judged.
fn unlogged(ledger: &Ledger, judged: Subject) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let logs = || ledger.inputs.iter().filter_map(|it| it.log.as_ref());
    if judged == Subject::Exposures && logs().next().is_some() {
        gaps.push(Gap::new(
            "a flow log holds no payload to be searched",
            "a capture with payload: a flow log has none",
        ));
    }
    if logs().any(|it| it.sampling != Sampling::Whole) {
        gaps.push(Gap::new(
            "a log was made of a sample of the traffic, or does not tell",
            "a log of all traffic, which says so",
        ));
    }
    gaps
}

/// A TOML date-time as a point in time; it must have date, time and offset.
fn instant(it: &toml::value::Datetime) -> Option<Timestamp> {
    let (date, time) = (it.date?, it.time?);
    let minutes = match it.offset? {
        toml::value::Offset::Z => 0,
        toml::value::Offset::Custom { minutes } => i64::from(minutes),
    };
    // Days since the epoch by the civil calendar, counted from 1 March of year 0.
    let (year, month, day) = (i64::from(date.year), i64::from(date.month), i64::from(date.day));
    let shifted = if month <= 2 { year.saturating_sub(1) } else { year };
    let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let moved = month.saturating_add(9).rem_euclid(12);
    let of_year = moved
        .saturating_mul(153)
        .saturating_add(2)
        .div_euclid(5)
        .saturating_add(day)
        .saturating_sub(1);
    let leap = of_era.div_euclid(4).saturating_sub(of_era.div_euclid(100));
    let of_cycle = of_era.saturating_mul(365).saturating_add(leap).saturating_add(of_year);
    let days = era.saturating_mul(146_097).saturating_add(of_cycle).saturating_sub(719_468);
    let clock = i64::from(time.hour)
        .saturating_mul(3600)
        .saturating_add(i64::from(time.minute).saturating_mul(60));
    let clock = clock
        .saturating_add(i64::from(time.second.unwrap_or_default()))
        .saturating_sub(minutes.saturating_mul(60));
    Some(Timestamp::from_parts(
        days.saturating_mul(86_400).saturating_add(clock),
        u64::from(time.nanosecond.unwrap_or_default()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_agree_with_the_calendar() {
        for text in ["1970-01-01T00:00:00Z", "2000-02-29T23:59:59Z", "2026-11-20T10:00:00Z"] {
            let at: toml::value::Datetime = text.parse().unwrap();
            assert_eq!(instant(&at).unwrap().to_string(), text.replace('Z', ".000000000Z"));
        }
        let east: toml::value::Datetime = "2026-11-20T10:00:00+02:00".parse().unwrap();
        assert_eq!(instant(&east).unwrap().to_string(), "2026-11-20T08:00:00.000000000Z");
    }

    #[test]
    fn nothing_is_closed_without_a_scope() {
        assert_eq!(gaps(&Ledger::default(), None, Subject::Exposures).len(), 1);
    }
}
