//! Flows in version 1, written with `--with flows`.

use std::net::IpAddr;

use serde::Serialize;

use farshore_model::audit::{FlowName, NameVia};
use farshore_model::flow;

use super::{Id, milliseconds};
use crate::community;
use crate::words::{self, Word};

/// One of `flows`.
#[derive(Serialize)]
pub struct Flow<'a> {
    id: Id,
    /// `null` where an address was not recorded.
    community_id: Option<String>,
    input: u32,
    transport: String,
    client: Endpoint,
    server: Endpoint,
    first: Option<String>,
    last: Option<String>,
    first_frame: u64,
    up: Counter,
    down: Counter,
    protocols: &'a [&'static str],
    names: Vec<Name<'a>>,
    protection: &'static str,
    rtt: RoundTrips,
    app: Option<App<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inside: Option<Id>,
    initiator: &'static str,
    gaps: u64,
    randomness: Spread,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<Rejected>,
}

/// What was kept from arriving, as a flow log tells.
#[derive(Serialize)]
struct Rejected {
    up: Refused,
    down: Refused,
}

#[derive(Serialize)]
struct Refused {
    frames: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Endpoint {
    ip: Option<IpAddr>,
    port: u16,
}

#[derive(Serialize)]
struct Counter {
    frames: u64,
    bytes: u64,
    /// `null`: a flow log does not tell it apart.
    payload: Option<u64>,
}

#[derive(Serialize)]
struct Name<'a> {
    name: &'a str,
    via: &'static str,
    frame: u64,
}

#[derive(Serialize)]
struct RoundTrips {
    transport_ms: Option<f64>,
    end_to_end_ms: Option<f64>,
}

#[derive(Serialize)]
struct App<'a> {
    name: &'a str,
    via: &'static str,
}

#[derive(Serialize)]
struct Spread {
    up: Option<Randomness>,
    down: Option<Randomness>,
}

#[derive(Serialize)]
struct Randomness {
    entropy: f64,
    chi_square: f64,
    bytes: u64,
}

impl<'a> Flow<'a> {
    /// As it stands in an audit, with the names its server was known by.
    pub fn new(index: usize, it: &'a flow::Flow, names: Option<&'a Vec<FlowName>>) -> Self {
        let [up, down] = it.randomness();
        // `farshore.audit/1` has no word for names that were told to a proxy: they stand among destinations and observations.
        let names = names.into_iter().flatten().filter(|it| it.via != NameVia::Socks);
        let names = names.map(|name| Name {
            name: name.name.as_str(),
            via: name.via.word(),
            frame: name.frame,
        });
        Self {
            id: Id(b'f', index),
            community_id: has_community(it).then(|| community::id(it.transport, it.client, it.server)),
            input: it.input.0,
            transport: words::transport(it.transport),
            client: endpoint(it, it.client),
            server: endpoint(it, it.server),
            first: it.first.map(|time| time.to_string()),
            last: it.last.map(|time| time.to_string()),
            first_frame: it.first_frame,
            up: counter(it, it.up),
            down: counter(it, it.down),
            protocols: &it.protocols,
            names: names.collect(),
            protection: it.protection.word(),
            rtt: RoundTrips {
                transport_ms: it.rtt.transport().map(milliseconds),
                end_to_end_ms: it.rtt.end_to_end().map(milliseconds),
            },
            app: it.app().map(|app| App {
                name: &app.name,
                via: app.via,
            }),
            inside: it.inside.as_ref().map(Id::flow),
            initiator: it.initiator.word(),
            gaps: it.gaps(),
            randomness: Spread {
                up: up.map(randomness),
                down: down.map(randomness),
            },
            rejected: it.rare.as_ref().and_then(|it| it.refused.as_deref()).map(|[up, down]| Rejected {
                up: refused(*up),
                down: refused(*down),
            }),
        }
    }
}

/// An address that was not recorded is `null`.
fn endpoint(flow: &flow::Flow, it: flow::Endpoint) -> Endpoint {
    Endpoint {
        ip: flow.tells(it).then_some(it.ip),
        port: it.port,
    }
}

fn refused(it: farshore_model::row::Tally) -> Refused {
    Refused {
        frames: it.packets,
        bytes: it.bytes,
    }
}

/// Both ends are part of it, and of ICMP the type, which flow logs tend to leave out.
fn has_community(it: &flow::Flow) -> bool {
    let typed = !matches!(it.transport, flow::Transport::Icmp | flow::Transport::Icmp6) || it.client.port > 0 || it.server.port > 0;
    it.tells(it.client) && it.tells(it.server) && (typed || !it.is_logged())
}

fn counter(flow: &flow::Flow, it: flow::Counter) -> Counter {
    Counter {
        frames: it.frames,
        bytes: it.bytes,
        payload: (!flow.is_logged()).then_some(it.payload),
    }
}

fn randomness(it: &flow::Randomness) -> Randomness {
    Randomness {
        entropy: thousandths(it.entropy),
        chi_square: thousandths(it.chi_square),
        bytes: it.sampled,
    }
}

fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
