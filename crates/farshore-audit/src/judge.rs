//! From what was seen to what it means. A pure function: the same ledger, data and packs give the same audit.

use farshore_model::audit::{Audit, DataEdition, FlowCoverage, PackEdition, Stale, Tool};
use farshore_model::flow::Protection;
use farshore_model::{Date, Ledger};

use crate::discover;
use crate::exposure::Ground;
use crate::limits::Limits;
use crate::parties::globe::Vantage;
use crate::parties::{Datasets, Shared};
use crate::physics::{self, Physics};
use crate::policy::pack::Pack;
use crate::policy::{self, Baseline, Basis, DataSubject, Matter, Scope, Waivers};
use crate::{destinations, ech, handshakes, keys, links, naming, sides, talk};

/// What an audit is judged with, beside the ledger.
pub struct Circumstances<'a> {
    /// Who and where.
    pub data: &'a Datasets,
    /// Which clauses.
    pub packs: &'a [Pack],
    /// What the capture covered, if that was declared.
    pub scope: Option<&'a Scope>,
    /// Whose data it is, if that was told.
    pub subject: Option<&'a DataSubject>,
    /// What it may go on, if that was told.
    pub basis: Option<&'a Basis>,
    /// What somebody answers for.
    pub waivers: Option<&'a Waivers>,
    /// What was there before, where only what is new counts.
    pub baseline: Option<&'a Baseline>,
    /// The day whose facts count; `None`: the day of the first frame.
    pub as_of: Option<Date>,
    /// Where the inputs were taken that do not say so themselves (label `vantage`).
    pub vantage: Option<&'a Vantage>,
    /// The app whose flows alone count, if not all do.
    pub app: Option<&'a str>,
    /// What is told at most.
    pub limits: Limits,
    /// The version of the program.
    pub version: &'a str,
    /// Whether values are shown as they are.
    pub show_pii: bool,
    /// Threads that may judge at the same time. The audit is the same.
    pub jobs: usize,
}

/// Judges a ledger.
pub fn judge(mut ledger: Ledger, with: &Circumstances<'_>) -> Audit {
    let first = ledger.inputs.iter().filter_map(|it| it.first).min();
    let as_of = with.as_of.or(first.map(|it| it.date()));
    ech::settle(&mut ledger);
    handshakes::settle(&mut ledger);
    keys::settle(&mut ledger);
    let of_app = with.app.map(|app| {
        // What other apps asked the resolver names the flows of this one too.
        let all = naming::names(&ledger).into_owned();
        let numbers = ledger.of_app(app);
        ledger.keep(&numbers);
        all.renumbered(&numbers)
    });
    let physics = Physics::of(&ledger, with.vantage);
    if physics.is_some() {
        physics::split_paths(&mut ledger);
    }
    let sightings = std::mem::take(&mut ledger.sightings);
    let ((shared, ground), (grouped, of_flow, flow_names)) = sides::both(
        with.jobs,
        || {
            let mut shared = Shared::new(with.data, as_of);
            // Where both are done by one thread, there is nothing to be had from it.
            if with.jobs > 1 {
                let servers = ledger.flows.iter().map(|it| it.server.ip);
                shared.look_up(servers, with.limits.destinations);
            }
            (shared, Ground::of(&ledger))
        },
        || {
            let names = of_app.unwrap_or_else(|| naming::names(&ledger));
            let (grouped, of_flow) = destinations::group(&ledger, &names, with.limits.destinations);
            (grouped, of_flow, names.into_certain())
        },
    );
    let beyond_destinations = grouped.beyond;
    let (destinations, (mentions, found)) = sides::both(
        with.jobs,
        || grouped.destinations(&ledger.flows, with.data, shared, physics.as_ref()),
        || {
            let mentions = links::mentions(&sightings, &ledger, &of_flow);
            (mentions, ground.find(sightings, &of_flow))
        },
    );
    let exposures = found.read(&destinations, with.jobs);
    if beyond_destinations > 0 {
        ledger.coverage.limits.insert("destinations", beyond_destinations);
    }
    let mut coverage = ledger.coverage.clone();
    let ((links, beyond_links, discovery), mut verdicts) = sides::both(
        with.jobs,
        || {
            let (mut links, mut beyond) = links::of(mentions, &exposures, &ledger, with.limits.links);
            // Without anything to compare, nothing was searched.
            let (discovery, carried) = (!ledger.specimens.is_empty()).then(|| discover::search(&ledger)).unzip();
            if let Some(carried) = carried {
                let more = links::by_found(&mut links, &carried, &ledger, (&destinations, &of_flow), with.limits.links);
                beyond = beyond.saturating_add(more);
            }
            (links, beyond, discovery)
        },
        || {
            let matter = Matter {
                exposures: &exposures,
                destinations: &destinations,
                ledger: &ledger,
                scope: with.scope,
                subject: with.subject,
                basis: with.basis,
                as_of: with.as_of,
            };
            with.packs
                .iter()
                .flat_map(|pack| policy::verdicts(pack, &matter))
                .collect::<Vec<_>>()
        },
    );
    keys::tell(&ledger, &mut coverage.keys);
    if beyond_links > 0 {
        coverage.limits.insert("links", beyond_links);
    }
    let days = ledger.days();
    // A waiver has to hold for all that was captured, so the last day counts where none is named.
    let day = with.as_of.or(days.map(|(_, last)| last));
    let waivers = with.waivers.map(|it| it.apply(&mut verdicts, &exposures, &destinations, day));
    let tool = tool(with, days);
    let baseline = with
        .baseline
        .map(|it| it.apply(&mut verdicts, &exposures, &destinations, &tool.packs));
    let talk = talk::of(&ledger, &destinations, &exposures);
    Audit {
        tool,
        flow_coverage: flow_coverage(&ledger),
        flow_names,
        destinations,
        exposures,
        discovery,
        links: Some(links),
        talk,
        undeclared: None,
        replies: None,
        verdicts,
        waivers,
        baseline,
        show_pii: with.show_pii,
        inputs: ledger.inputs,
        coverage,
        anomalies: ledger.anomalies,
        flows: ledger.flows,
        observations: ledger.observations,
    }
}

/// Days after which what an edition says may well have changed.
const YEAR: u64 = 365;

/// How an edition of some day stands to the days of the capture.
fn stale(as_of: Date, (first, last): (Date, Date)) -> Option<Stale> {
    let older = first.distance(as_of);
    match () {
        () if as_of > last => Some(Stale::Younger(as_of.distance(last))),
        () if as_of < first && older > YEAR => Some(Stale::Older(older)),
        () => None,
    }
}

fn tool(with: &Circumstances<'_>, days: Option<(Date, Date)>) -> Tool {
    Tool {
        version: with.version.to_owned(),
        // Whoever made the detectors knows it.
        digest_key: None,
        data: with
            .data
            .describe()
            .into_iter()
            .map(|it| DataEdition {
                stale: Date::parse(&it.as_of).zip(days).and_then(|(as_of, days)| stale(as_of, days)),
                as_of: it.as_of,
                name: it.name,
                edition: it.edition,
                licence: it.licence,
                attribution: it.attribution,
                sha256: it.sha256,
            })
            .collect(),
        packs: with
            .packs
            .iter()
            .map(|it| PackEdition {
                id: it.id.clone(),
                version: it.version.clone(),
            })
            .collect(),
    }
}

fn flow_coverage(ledger: &Ledger) -> FlowCoverage {
    let mut sum = FlowCoverage::default();
    for flow in &ledger.flows {
        sum.total = sum.total.saturating_add(1);
        let part = match flow.protection {
            _ if flow.is_opened() => &mut sum.decrypted,
            Protection::Plaintext => &mut sum.plaintext,
            Protection::Tls | Protection::Quic | Protection::Dtls | Protection::Srtp => &mut sum.encrypted,
            Protection::Opaque => &mut sum.opaque,
            Protection::Empty => &mut sum.empty,
            Protection::Unknown => &mut sum.unknown,
        };
        *part = part.saturating_add(1);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edition_is_stale_by_more_than_a_year_or_if_it_is_younger() {
        let day = |text| Date::parse(text).unwrap();
        let days = (day("2026-06-10"), day("2026-06-12"));
        for (as_of, wanted) in [
            ("2026-06-10", None),
            ("2026-06-12", None),
            ("2026-06-13", Some(Stale::Younger(1))),
            ("2025-06-10", None),
            ("2025-06-09", Some(Stale::Older(366))),
            ("2018-06-10", Some(Stale::Older(2922))),
        ] {
            assert_eq!(stale(day(as_of), days), wanted, "{as_of}");
        }
    }
}
