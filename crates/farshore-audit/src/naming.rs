//! Which names a flow's server goes by, and what told them.
//!
//! A DNS answer names a flow only if this client asked for that name, the answer still lived when the flow began,
//! and no other living answer leads to the same address. Otherwise the names are candidates: a set, no answer.
//! What the client itself named (SNI, Host) comes first; a certificate is the server's own word and comes last.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use ahash::{HashMap, HashSet};
use farshore_model::audit::{FlowName, NameVia};
use farshore_model::observation::{BoundValue, Ech, Observed};
use farshore_model::{Flow, FlowId, InputId, Ledger, Observation, Timestamp, WireText};

/// The names of all flows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names<'l> {
    /// Certain, best first, by the index of the flow.
    certain: Vec<Vec<FlowName>>,
    /// Possible: several answers led to the address, or none that this client is seen to have asked for.
    possible: BTreeMap<FlowId, Vec<Cow<'l, str>>>,
}

impl<'l> Names<'l> {
    /// The name that names the destination.
    pub fn best(&self, flow: FlowId) -> Option<&FlowName> {
        self.certain.get(flow.0 as usize)?.first()
    }

    /// The same, without the ledger they were read from.
    pub fn into_owned(self) -> Names<'static> {
        let owned = |names: Vec<Cow<'_, str>>| names.into_iter().map(|it| Cow::Owned(it.into_owned())).collect();
        Names {
            certain: self.certain,
            possible: self.possible.into_iter().map(|(flow, names)| (flow, owned(names))).collect(),
        }
    }

    /// Those of the flows that have a new number, by that.
    pub fn renumbered(self, numbers: &[Option<FlowId>]) -> Self {
        let number = |old: usize| numbers.get(old).copied().flatten();
        Self {
            certain: (0..)
                .zip(self.certain)
                .filter_map(|(old, names)| number(old).map(|_| names))
                .collect(),
            possible: self
                .possible
                .into_iter()
                .filter_map(|(old, names)| Some((number(old.0 as usize)?, names)))
                .collect(),
        }
    }

    /// What is certain, without the ledger it was read from.
    pub fn into_certain(self) -> Vec<Vec<FlowName>> {
        self.certain
    }

    /// Names the flow may have besides, sorted.
    pub fn possible(&self, flow: FlowId) -> &[Cow<'l, str>] {
        self.possible.get(&flow).map_or(&[], Vec::as_slice)
    }
}

/// The names of all flows, by index.
pub fn names(ledger: &Ledger) -> Names<'_> {
    let answers = Answers::collect(ledger);
    let mut all = Names {
        certain: vec![Vec::new(); ledger.flows.len()],
        possible: BTreeMap::new(),
    };
    let mut hidden = HashSet::default();
    for seen in &ledger.observations {
        said(seen, &mut all, &mut hidden);
    }
    for ((index, flow), certain) in (0..).zip(&ledger.flows).zip(&mut all.certain) {
        let mut possible = all.possible.remove(&FlowId(index)).unwrap_or_default();
        answers.of(flow, certain, &mut possible);
        certain.sort_by(|a, b| (a.via, a.frame, &a.name).cmp(&(b.via, b.frame, &b.name)));
        certain.dedup_by(|a, b| (a.via, plain(a.name.as_str())) == (b.via, plain(b.name.as_str())));
        certain.shrink_to_fit();
        possible.retain(|name| !certain.iter().any(|it| plain(it.name.as_str()) == *name));
        possible.sort();
        possible.dedup();
        if !possible.is_empty() {
            all.possible.insert(FlowId(index), possible);
        }
    }
    all
}

/// A name in the form in which two of them are compared: lower case, without port or final dot.
pub fn plain(name: &str) -> Cow<'_, str> {
    let plain = !name.bytes().any(|byte| (byte == b':') | byte.is_ascii_uppercase());
    if plain {
        return Cow::Borrowed(name.strip_suffix('.').unwrap_or(name));
    }
    let name = match name.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => name,
    };
    Cow::Owned(name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase())
}

/// What the flow itself said of its server.
fn said<'l>(seen: &'l Observed, all: &mut Names<'l>, hidden: &mut HashSet<FlowId>) {
    let Some(certain) = all.certain.get_mut(seen.flow.0 as usize) else {
        return;
    };
    let frame = seen.locus.span.frame;
    let mut add = |name: &WireText, via| {
        let spelled = plain(name.as_str());
        if !spelled.is_empty() && spelled.trim_matches(['[', ']']).parse::<IpAddr>().is_err() {
            add_to(
                certain,
                FlowName {
                    name: name.clone(),
                    via,
                    frame,
                },
            );
        }
    };
    match &seen.what {
        Observation::Channel { ech: Ech::Offered, .. } => {
            // The outer name is a cover: it names no destination.
            hidden.insert(seen.flow);
            certain.retain(|it| !matches!(it.via, NameVia::Sni | NameVia::QuicSni | NameVia::DtlsSni));
        }
        Observation::PeerNamed { protocol, name } => match *protocol {
            "tls" | "quic" | "dtls" if hidden.contains(&seen.flow) => {}
            "tls" => add(name, NameVia::Sni),
            "quic" => add(name, NameVia::QuicSni),
            "gquic" => add(name, NameVia::GquicSni),
            "dtls" => add(name, NameVia::DtlsSni),
            "sd-rtn" => add(name, NameVia::SdRtn),
            "socks" => add(name, NameVia::Socks),
            _ => {}
        },
        Observation::Request { host: Some(host), .. } => add(host, NameVia::HttpHost),
        Observation::Certificate {
            subject,
            names,
            leaf: true,
            ..
        } => {
            let mut valid: Vec<&WireText> = names.iter().filter(|it| it.as_str().contains('.')).collect();
            if valid.is_empty() && subject.as_str().contains('.') {
                valid.push(subject);
            }
            match valid.as_slice() {
                [only] if !only.as_str().contains(['*', ' ']) => add(only, NameVia::Certificate),
                several => {
                    let some = several.iter().take(16).map(|it| plain(it.as_str()));
                    all.possible.entry(seen.flow).or_default().extend(some);
                }
            }
        }
        // Names asked and bound are matched to flows by address, in `Answers`.
        Observation::NameAsked { .. }
        | Observation::NameBound { .. }
        | Observation::Certificate { .. }
        | Observation::Channel { .. }
        | Observation::Request { .. }
        | Observation::Media { .. }
        | Observation::Call { .. }
        | Observation::SessionNamed { .. } => {}
    }
}

/// Most flows have one name, and room for one.
fn add_to(certain: &mut Vec<FlowName>, name: FlowName) {
    if certain.is_empty() {
        certain.reserve_exact(1);
    }
    certain.push(name);
}

/// Answers by who asked and what address they led to.
struct Answers<'l> {
    by_client: HashMap<(InputId, IpAddr, IpAddr), Vec<Answered<'l>>>,
}

struct Answered<'l> {
    name: &'l WireText,
    plain: Cow<'l, str>,
    frame: u64,
    from: Option<Timestamp>,
    ttl: u32,
    asked: bool,
}

impl<'l> Answers<'l> {
    fn collect(ledger: &'l Ledger) -> Self {
        let mut asked = HashSet::default();
        let mut by_client: HashMap<_, Vec<Answered<'l>>> = HashMap::default();
        for seen in &ledger.observations {
            let Some(flow) = ledger.flows.get(seen.flow.0 as usize) else {
                continue;
            };
            match &seen.what {
                Observation::NameAsked { name, .. } => {
                    asked.insert((flow.input, flow.client.ip, plain(name.as_str())));
                }
                Observation::NameBound {
                    question,
                    value: BoundValue::Address(address),
                    ttl,
                    ..
                } => {
                    let key = (flow.input, flow.client.ip, plain(question.as_str()));
                    let asked = asked.contains(&key);
                    by_client.entry((flow.input, flow.client.ip, *address)).or_default().push(Answered {
                        name: question,
                        plain: key.2,
                        frame: seen.locus.span.frame,
                        from: seen.time,
                        ttl: *ttl,
                        asked,
                    });
                }
                _ => {}
            }
        }
        Self { by_client }
    }

    /// Adds the one certain name, if there is one, and all possible ones.
    fn of(&self, flow: &Flow, certain: &mut Vec<FlowName>, possible: &mut Vec<Cow<'l, str>>) {
        let Some(answers) = self.by_client.get(&(flow.input, flow.client.ip, flow.server.ip)) else {
            return;
        };
        let lives = |it: &&Answered<'_>| {
            it.asked
                && it
                    .from
                    .zip(flow.first)
                    .is_some_and(|(from, begun)| from <= begun && begun <= from.plus_seconds(it.ttl))
        };
        let last = answers.iter().rfind(lives);
        let only = last.filter(|last| answers.iter().filter(lives).all(|it| it.plain == last.plain));
        if let Some(only) = only {
            add_to(
                certain,
                FlowName {
                    name: only.name.clone(),
                    via: NameVia::Dns,
                    frame: only.frame,
                },
            );
        }
        // Of a name that is certain nothing more has to be said.
        let others = answers.iter().filter(|it| only.is_none_or(|only| it.plain != only.plain));
        possible.extend(others.map(|it| it.plain.clone()));
    }
}
