//! What the speed of light says of where a machine can have been: round trips strike countries out.
//!
//! Only an end-to-end round trip counts, from a ClientHello to its ServerHello (of QUIC: Initial to Handshake): the SYN is
//! answered by capture apps, carriers and injectors on the way. A sample is void if its request was sent again or its clock
//! stepped back, which whoever reads the flow sees to, or if interference was seen. It bounds the distance of whatever
//! answered, at that time, from that vantage; of what lies behind it, nothing is said.
//!
//! Refuses to take fibre for a law of nature: what only light in vacuum could reach is told as `implausible`, and stays.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ahash::HashMap;
use farshore_model::ledger::{Anomaly, Severity};
use farshore_model::party::{ClaimKind, Exclusion, Place};
use farshore_model::{Flow, Ledger, Text};

use crate::parties::globe::{Distances, Vantage};
use crate::parties::{canonical, location, special};

/// Light goes 299.792 kilometres in a millisecond; a round trip goes there and back. A little more than half of that.
const VACUUM: f64 = 149.9;
/// In fibre it goes two thirds as far.
const FIBRE: f64 = 100.0;
/// What the contract calls the argument.
const BECAUSE: &str = "end-to-end rtt";

/// The round trips of an audit, by the address that answered.
pub struct Physics {
    distances: Vec<Distances>,
    /// For each address the best sample of each vantage.
    samples: HashMap<IpAddr, BTreeMap<usize, Sample>>,
}

/// One round trip, in nanoseconds.
#[derive(Clone, Copy)]
struct Sample {
    rtt: u64,
    /// With two ticks of the clock.
    most: u64,
}

impl Sample {
    fn reach(self, per_millisecond: f64) -> u32 {
        let km = self.most as f64 / 1e6 * per_millisecond;
        km.ceil() as u32
    }
}

impl Physics {
    /// Of a ledger whose inputs were taken at their label `vantage`, or else at this one. `None` where no vantage is known.
    pub fn of(ledger: &Ledger, vantage: Option<&Vantage>) -> Option<Physics> {
        let mut vantages: Vec<Vantage> = Vec::new();
        let mut of_input = Vec::new();
        for input in &ledger.inputs {
            let own = input.labels.get("vantage").filter(|it| !it.is_empty());
            let taken = match own {
                Some(label) => label.parse().ok(),
                None => vantage.cloned(),
            };
            of_input.push(taken.map(|taken| {
                vantages.iter().position(|it| *it == taken).unwrap_or_else(|| {
                    vantages.push(taken);
                    vantages.len().saturating_sub(1)
                })
            }));
        }
        if vantages.is_empty() {
            return None;
        }
        let meddled = ledger.anomalies.iter().filter(|it| it.kind.starts_with("interference"));
        let meddled: BTreeSet<_> = meddled.filter_map(|it| it.flow).collect();
        let mut samples: HashMap<IpAddr, BTreeMap<usize, Sample>> = HashMap::default();
        for (id, flow) in (0..).map(farshore_model::FlowId).zip(&ledger.flows) {
            let input = usize::try_from(flow.input.0).unwrap_or(usize::MAX);
            let known = flow.rtt.end_to_end().zip(of_input.get(input).copied().flatten());
            if let Some((rtt, vantage)) = known.filter(|_| !meddled.contains(&id)) {
                let tick = ledger.inputs.get(input).map_or(0, |it| it.tick);
                let most = rtt.saturating_add(tick.saturating_mul(2));
                let best = samples
                    .entry(flow.server.ip)
                    .or_default()
                    .entry(vantage)
                    .or_insert(Sample { rtt, most });
                if most < best.most {
                    *best = Sample { rtt, most };
                }
            }
        }
        Some(Physics {
            distances: vantages.iter().map(Distances::from).collect(),
            samples,
        })
    }

    /// An address with the countries struck out where it cannot have been. A country counts as out when the round trips from
    /// every vantage say so: from different ones different machines may have answered.
    pub fn place(&self, place: Place) -> Place {
        let set_aside = special(canonical(place.address));
        let Some(samples) = self.samples.get(&place.address) else {
            return place;
        };
        if set_aside.is_some_and(|it| it.local) {
            return place;
        }
        let seen: Vec<(Sample, &Distances)> = samples
            .iter()
            .filter_map(|(vantage, sample)| Some((*sample, self.distances.get(*vantage)?)))
            .collect();
        let Some((first, others)) = seen.split_first() else {
            return place;
        };
        let beyond = |(sample, from): &(Sample, &Distances), country, speed: f64| {
            let (nearest_km, max_km) = (from.to(country)?, sample.reach(speed));
            (nearest_km > max_km).then_some(Exclusion {
                country,
                because: BECAUSE,
                rtt: sample.rtt,
                max_km,
                nearest_km,
            })
        };
        // Told with the numbers of the vantage that says so most plainly.
        let from_all = |country, speed: f64| {
            let mut plainest = beyond(first, country, speed)?;
            for other in others {
                let row = beyond(other, country, speed)?;
                if row.nearest_km.saturating_sub(row.max_km) > plainest.nearest_km.saturating_sub(plainest.max_km) {
                    plainest = row;
                }
            }
            Some(plainest)
        };
        let excluded: Vec<Exclusion> = first.1.all().filter_map(|(country, _)| from_all(country, VACUUM)).collect();
        let mut claims = place.location.claims.clone();
        for claim in &mut claims {
            let of_place = !matches!(claim.kind, ClaimKind::Registration | ClaimKind::Override);
            claim.refuted = of_place && excluded.iter().any(|it| it.country == claim.country);
        }
        let anycast = place.location.state == farshore_model::party::LocationState::Anycast || many_places(&seen);
        let mut summed = location::summary(claims, anycast, set_aside);
        summed.implausible = summed.countries.iter().filter_map(|country| from_all(*country, FIBRE)).collect();
        summed.excluded = excluded;
        Place {
            location: Arc::new(summed),
            ..place
        }
    }

    /// Whether anything was measured.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }
}

/// Two machines answered, if none can have been near enough to both vantages.
fn many_places(seen: &[(Sample, &Distances)]) -> bool {
    seen.iter().enumerate().any(|(index, (one, from))| {
        let apart = |(other, to): &(Sample, &Distances)| from.between(to) > one.reach(VACUUM).saturating_add(other.reach(VACUUM));
        seen.iter().skip(index.saturating_add(1)).any(apart)
    })
}

/// Says aloud where something on the way answers for the servers: their SYN-ACKs take less than half as long as their
/// ServerHellos, or all of them are equally far, by their TTL. Nothing follows from such a SYN-ACK.
pub fn split_paths(ledger: &mut Ledger) {
    let mut paths: BTreeMap<u32, Paths> = BTreeMap::new();
    for flow in &ledger.flows {
        paths.entry(flow.input.0).or_default().add(flow);
    }
    for (input, paths) in paths {
        let name = ledger
            .inputs
            .get(usize::try_from(input).unwrap_or(usize::MAX))
            .map(|it| it.name.as_str());
        let name = Text::from(name.unwrap_or_default());
        for because in paths.told() {
            ledger.anomalies.push(Anomaly {
                kind: "split-path",
                severity: Severity::Note,
                because: format!("split-path: in {}, {because}", name.as_str()),
                flow: None,
                evidence: Vec::new(),
            });
        }
    }
}

/// Networks of different servers that say something together: fewer may well be as far by chance.
const NETWORKS: usize = 5;

/// How the servers of one input answered.
#[derive(Default)]
struct Paths {
    split: u64,
    timed: u64,
    servers: BTreeSet<IpAddr>,
    networks: BTreeSet<u64>,
    ttl: BTreeSet<u8>,
}

impl Paths {
    fn add(&mut self, flow: &Flow) {
        if let (Some(transport), Some(end_to_end)) = (flow.rtt.transport(), flow.rtt.end_to_end()) {
            self.timed = self.timed.saturating_add(1);
            self.split = self.split.saturating_add(u64::from(transport.saturating_mul(2) < end_to_end));
        }
        let server = canonical(flow.server.ip);
        // Two of them are as good as many: all servers have one, or they do not.
        if flow.ttl == 0 || special(server).is_some() || self.ttl.len() > 1 {
            return;
        }
        self.ttl.insert(flow.ttl);
        if self.networks.len() < NETWORKS || self.servers.len() < MOST_SERVERS {
            self.servers.insert(server);
            self.networks.insert(match server {
                IpAddr::V4(ip) => u64::from(ip.to_bits() >> 16),
                IpAddr::V6(ip) => u64::try_from(ip.to_bits() >> 96).unwrap_or(u64::MAX) | 1 << 32,
            });
        }
    }

    fn told(&self) -> Vec<String> {
        let mut told = Vec::new();
        if self.split > 0 {
            told.push(format!(
                "{} of {} servers answered SYN in less than half the time of their ServerHello; something on the way may answer for \
                 them, and no country is struck out by a SYN-ACK",
                self.split, self.timed
            ));
        }
        if let (Some(ttl), 1, true) = (self.ttl.first(), self.ttl.len(), self.networks.len() >= NETWORKS) {
            let least = if self.servers.len() < MOST_SERVERS { "" } else { "at least " };
            told.push(format!(
                "all {least}{} servers answered with TTL {ttl}, though they stand in different networks; something on the way may \
                 answer for them, and no country is struck out by a SYN-ACK",
                self.servers.len()
            ));
        }
        told
    }
}

/// Servers that are counted one by one.
const MOST_SERVERS: usize = 1 << 16;

#[cfg(test)]
#[path = "physics_tests.rs"]
mod tests;
