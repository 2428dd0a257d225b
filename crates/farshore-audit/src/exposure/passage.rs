//! What stands between a client and whoever a datum is for, as far as the flows that carry it show: relays, proxies, names that do not fit
//! each other, answers that were forged. It owns what makes an end of a flow another than the party it is named after, and refuses to say
//! who can read what.

use std::borrow::Cow;
use std::net::IpAddr;

use ahash::{HashMap, HashSet};
use farshore_model::flow::{Flow, Protection};
use farshore_model::observation::{Ech, Observed};
use farshore_model::{FlowId, Ledger, Observation};

use crate::naming::plain;
use crate::parties::registrable_domain;

/// What is known of all flows.
pub(super) struct Passages<'l> {
    ledger: &'l Ledger,
    /// Somebody on the path spoke in the server's name.
    forged: HashSet<FlowId>,
    /// The hello's outside names a cover.
    covered: HashSet<FlowId>,
    fronted: HashMap<FlowId, Fronting>,
    /// The frame of a certificate that is for other names than the one asked for.
    strange: HashMap<FlowId, u64>,
    /// Where DTLS was asked for a server by its name.
    named: HashSet<FlowId>,
}

/// A connection for one name over which another is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fronting {
    /// The name in the hello.
    pub outside: String,
    /// The name in the request.
    pub inside: String,
    /// The frame of the request.
    pub frame: u64,
}

/// How a datum got to the destination: by the plainest of its flows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Passage {
    /// Something came back by which it is shown that the other end took it.
    pub answered: bool,
    /// In one of its flows somebody on the path spoke in the server's name.
    pub forged: bool,
    pub way: Way,
    /// One of its flows goes to a TURN server, for somebody else.
    pub relayed: bool,
    /// The proxy that one of its flows goes to.
    pub proxy: Option<IpAddr>,
    /// The hello's outside names a cover.
    pub covered: bool,
}

/// What a flow shows of its other end, the plainest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Way {
    /// Nothing stands between, as far as it shows.
    #[default]
    Straight,
    /// An address that was told in signalling or found by ICE: it may be a peer's or a relay's.
    Found,
    /// A proxy was asked to pass it on.
    Proxied,
    /// One name outside, another inside.
    Fronted(Fronting),
    /// The certificate in that frame is for other names.
    Strange(u64),
    /// A TURN server.
    Relayed,
}

impl Way {
    const fn rank(&self) -> u8 {
        match self {
            Self::Straight => 0,
            Self::Found => 1,
            Self::Proxied => 2,
            Self::Fronted(_) => 3,
            Self::Strange(_) => 4,
            Self::Relayed => 5,
        }
    }
}

/// Hosts of requests that are compared with the name outside, of each connection.
const MOST_ASKED: usize = 8;

impl<'l> Passages<'l> {
    pub(super) fn collect(ledger: &'l Ledger) -> Self {
        let forged = ledger.anomalies.iter().filter(|it| it.kind.starts_with("interference"));
        let mut it = Self {
            ledger,
            forged: forged.filter_map(|it| it.flow).collect(),
            covered: HashSet::default(),
            fronted: HashMap::default(),
            strange: HashMap::default(),
            named: HashSet::default(),
        };
        it.compare();
        it
    }

    /// Compares the names outside with requests and certificates.
    fn compare(&mut self) {
        let mut asked: HashMap<FlowId, Vec<(Cow<'l, str>, u64)>> = HashMap::default();
        let mut shown: HashMap<FlowId, Vec<&'l Observed>> = HashMap::default();
        for seen in &self.ledger.observations {
            match &seen.what {
                Observation::Request { host: Some(host), .. } if seen.protection != Protection::Plaintext => {
                    let (host, all) = (plain(host.as_str()), asked.entry(seen.flow).or_default());
                    if all.len() < MOST_ASKED && all.iter().all(|(it, _)| *it != host) {
                        all.push((host, seen.locus.span.frame));
                    }
                }
                Observation::Certificate { leaf: true, .. } => shown.entry(seen.flow).or_default().push(seen),
                Observation::Channel { ech: Ech::Offered, .. } => {
                    self.covered.insert(seen.flow);
                }
                Observation::PeerNamed { protocol: "dtls", .. } => {
                    self.named.insert(seen.flow);
                }
                _ => {}
            }
        }
        if asked.is_empty() && shown.is_empty() {
            return;
        }
        for seen in &self.ledger.observations {
            let Observation::PeerNamed { protocol, name } = &seen.what else {
                continue;
            };
            if !matches!(*protocol, "tls" | "quic" | "dtls") || self.covered.contains(&seen.flow) {
                continue;
            }
            let outside = plain(name.as_str());
            let other = asked
                .get(&seen.flow)
                .and_then(|all| all.iter().find(|(it, _)| !are_of_one(&outside, it)));
            if let Some((inside, frame)) = other {
                self.fronted.entry(seen.flow).or_insert_with(|| Fronting {
                    outside: outside.clone().into_owned(),
                    inside: inside.clone().into_owned(),
                    frame: *frame,
                });
            }
            if let Some(all) = shown.get(&seen.flow)
                && let Some(first) = all.first()
                && !all.iter().any(|it| is_for(it, &outside))
            {
                self.strange.entry(seen.flow).or_insert(first.locus.span.frame);
            }
        }
    }

    /// How a datum got to the destination over these flows, in some of which nothing came back.
    pub(super) fn of(&self, flows: &[FlowId], unheard: &[FlowId], protection: Protection) -> Passage {
        let mut all = Passage::default();
        let mut best: Option<(bool, u8, Way)> = None;
        for id in flows {
            let Some(flow) = self.ledger.flows.get(id.0 as usize) else {
                continue;
            };
            let forged = self.forged.contains(id);
            all.forged |= forged;
            let answered = !forged && unheard.binary_search(id).is_err();
            let way = self.way(*id, flow, protection);
            match way {
                Way::Relayed => all.relayed = true,
                Way::Proxied => all.proxy = all.proxy.or(Some(flow.server.ip)),
                _ => {}
            }
            all.covered |= self.covered.contains(id);
            let rank = way.rank();
            if best.as_ref().is_none_or(|(known, worse, _)| (!answered, rank) < (!known, *worse)) {
                best = Some((answered, rank, way));
            }
        }
        if let Some((answered, _, way)) = best {
            (all.answered, all.way) = (answered, way);
        }
        all
    }

    fn way(&self, id: FlowId, flow: &Flow, protection: Protection) -> Way {
        let sealed = !matches!(
            protection,
            Protection::Plaintext | Protection::Opaque | Protection::Empty | Protection::Unknown
        );
        let speaks = |protocol: &str| flow.protocols.contains(&protocol);
        if speaks("turn") {
            Way::Relayed
        } else if let Some(frame) = self.strange.get(&id) {
            Way::Strange(*frame)
        } else if let Some(it) = self.fronted.get(&id) {
            Way::Fronted(it.clone())
        } else if speaks("http-proxy") || speaks("socks") {
            Way::Proxied
        } else if sealed && (speaks("stun") || is_media(flow) && !self.named.contains(&id)) {
            Way::Found
        } else {
            Way::Straight
        }
    }
}

/// Whether it carries a call, whose addresses signalling tells.
fn is_media(flow: &Flow) -> bool {
    flow.protocols.iter().any(|it| matches!(*it, "rtp" | "dtls-srtp"))
}

/// Whether two names are of one registered domain: hosts of one party may share a connection (RFC 9113, section 9.1.1).
fn are_of_one(one: &str, other: &str) -> bool {
    one == other || registrable_domain(one).is_some_and(|domain| registrable_domain(other) == Some(domain))
}

/// Whether a certificate is for that name (RFC 9525, section 6.3).
fn is_for(seen: &Observed, name: &str) -> bool {
    let Observation::Certificate { subject, names, .. } = &seen.what else {
        return false;
    };
    let covers = |pattern: &str| {
        let pattern = plain(pattern);
        match pattern.strip_prefix("*.") {
            Some(rest) => name.split_once('.').is_some_and(|(_, parent)| parent == rest),
            None => pattern == name,
        }
    };
    covers(subject.as_str()) || names.iter().any(|it| covers(it.as_str()))
}
