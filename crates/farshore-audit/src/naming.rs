//! Which names a flow's server goes by, and what told them.
//!
//! A DNS answer names a flow only if this client asked for that name, the answer still lived when the flow began,
//! and no other living answer leads to the same address. Otherwise the names are candidates: a set, no answer.
//! What the client itself named (SNI, Host) comes first; a certificate is the server's own word and comes last.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use farshore_model::audit::{FlowName, NameVia};
use farshore_model::observation::{BoundValue, Ech, Observed};
use farshore_model::{FlowId, InputId, Ledger, Observation, Timestamp, WireText};

/// The names of one flow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Certain, best first.
    pub names: Vec<FlowName>,
    /// Possible: several answers led to the address, or none that this client is seen to have asked for.
    pub candidates: Vec<String>,
}

/// The names of all flows, by index.
pub fn names(ledger: &Ledger) -> Vec<Names> {
    let answers = Answers::collect(ledger);
    let mut all = vec![Names::default(); ledger.flows.len()];
    let mut hidden = BTreeSet::new();
    for seen in &ledger.observations {
        let Some(entry) = all.get_mut(seen.flow.0 as usize) else { continue };
        said(seen, entry, &mut hidden);
    }
    for (index, flow) in ledger.flows.iter().enumerate() {
        let Some(entry) = all.get_mut(index) else { continue };
        let (certain, possible) = answers.of(flow.input, flow.client.ip, flow.server.ip, flow.first);
        if let Some((name, frame)) = certain {
            entry.names.push(FlowName {
                name,
                via: NameVia::Dns,
                frame,
            });
        }
        entry.candidates.extend(possible);
        entry
            .names
            .sort_by(|a, b| (a.via, a.frame, &a.name).cmp(&(b.via, b.frame, &b.name)));
        entry
            .names
            .dedup_by(|a, b| (a.via, plain(a.name.as_str())) == (b.via, plain(b.name.as_str())));
        entry.candidates.sort();
        entry.candidates.dedup();
        let known: BTreeSet<String> = entry.names.iter().map(|it| plain(it.name.as_str())).collect();
        entry.candidates.retain(|name| !known.contains(name));
    }
    all
}

/// A name in the form in which two of them are compared: lower case, without port or final dot.
pub fn plain(name: &str) -> String {
    let name = match name.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => name,
    };
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// What the flow itself said of its server.
fn said(seen: &Observed, entry: &mut Names, hidden: &mut BTreeSet<FlowId>) {
    let frame = seen.locus.span.frame;
    let mut add = |name: &WireText, via| {
        let spelled = plain(name.as_str());
        if !spelled.is_empty() && spelled.trim_matches(['[', ']']).parse::<IpAddr>().is_err() {
            entry.names.push(FlowName {
                name: name.clone(),
                via,
                frame,
            });
        }
    };
    match &seen.what {
        Observation::Channel { ech: Ech::Offered, .. } => {
            // The outer name is a cover: it names no destination.
            hidden.insert(seen.flow);
            entry
                .names
                .retain(|it| !matches!(it.via, NameVia::Sni | NameVia::QuicSni | NameVia::DtlsSni));
        }
        Observation::PeerNamed { protocol, name } => match *protocol {
            "tls" | "quic" | "dtls" if hidden.contains(&seen.flow) => {}
            "tls" => add(name, NameVia::Sni),
            "quic" => add(name, NameVia::QuicSni),
            "gquic" => add(name, NameVia::GquicSni),
            "dtls" => add(name, NameVia::DtlsSni),
            "sd-rtn" => add(name, NameVia::SdRtn),
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
                several => entry.candidates.extend(several.iter().take(16).map(|it| plain(it.as_str()))),
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

/// Answers by who asked and what address they led to.
struct Answers {
    by_client: BTreeMap<(InputId, IpAddr, IpAddr), Vec<Answered>>,
}

struct Answered {
    name: WireText,
    frame: u64,
    from: Option<Timestamp>,
    ttl: u32,
    asked: bool,
}

impl Answers {
    fn collect(ledger: &Ledger) -> Self {
        let mut asked = BTreeSet::new();
        let mut by_client: BTreeMap<_, Vec<Answered>> = BTreeMap::new();
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
                    let asked = asked.contains(&(flow.input, flow.client.ip, plain(question.as_str())));
                    by_client.entry((flow.input, flow.client.ip, *address)).or_default().push(Answered {
                        name: question.clone(),
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

    /// The one certain name, if there is one, and all possible ones.
    fn of(&self, input: InputId, client: IpAddr, server: IpAddr, begun: Option<Timestamp>) -> (Option<(WireText, u64)>, Vec<String>) {
        let Some(answers) = self.by_client.get(&(input, client, server)) else {
            return (None, Vec::new());
        };
        let lives = |it: &&Answered| {
            it.asked
                && it
                    .from
                    .zip(begun)
                    .is_some_and(|(from, begun)| from <= begun && begun <= from.plus_seconds(it.ttl))
        };
        let possible: Vec<String> = answers.iter().map(|it| plain(it.name.as_str())).collect();
        let living: BTreeSet<String> = answers.iter().filter(lives).map(|it| plain(it.name.as_str())).collect();
        let certain = answers.iter().rfind(lives).filter(|_| living.len() == 1);
        (certain.map(|it| (it.name.clone(), it.frame)), possible)
    }
}
