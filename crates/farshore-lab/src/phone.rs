//! Owns the world `phone`: one device that talks while nobody asks it to. It is captured idle, active, and after consent was refused; its
//! beacons come round by the clock, its id goes out plain, packed or as a digest, to several countries, some of it through a proxy.
//!
//! What goes where follows from one table of habits, so the truth says of each state who was sent what, how often, and in which field. The
//! same exchanges are written down as a browser would (HAR 1.2). In `fixed` the device keeps to what was consented to. Refuses real parties.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::client::{Client, MS, Nanos, Peer, SECOND, Transport};
use crate::clock::rfc3339;
use crate::dns::{self, Record};
use crate::http::{Http, message};
use crate::payload::{Identifier, Payload};
use crate::pcapng::{self, Section};
use crate::random::Random;
use crate::tls::certificate::Authority;
use crate::tls::{HTTP, Session, Suite};
use crate::truth::hex;
use crate::worlds::Edition;

/// 2021-03-01T02:00:00Z.
const START: Nanos = 1_614_564_000_000 * MS;
/// How long each capture lasts.
const LASTS: Nanos = 1200 * SECOND;
/// The device.
const DEVICE: &str = "9d2f6c1a-40b7-4e58-8f13-b6a07c25e4d9";

/// What the device does meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nobody touches it.
    Idle,
    /// Somebody uses it.
    Active,
    /// Somebody refused consent, and left it alone.
    ConsentRefused,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Idle, Self::Active, Self::ConsentRefused];

    /// The word for the label `state`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Active => "active",
            Self::ConsentRefused => "consent-refused",
        }
    }
}

/// How the device's id is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spelling {
    /// As it is.
    Plain,
    /// In base64.
    Base64,
    /// SHA-256 in hex.
    Sha256,
}

impl Spelling {
    fn of(self, value: &str) -> String {
        match self {
            Self::Plain => value.to_owned(),
            Self::Base64 => STANDARD.encode(value),
            Self::Sha256 => hex(&Sha256::digest(value)),
        }
    }
}

/// How it gets there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Clear,
    Tls,
    /// TLS in a tunnel of a proxy.
    Tunnel,
}

/// Something the device does by itself or when it is asked.
struct Habit {
    host: &'static str,
    address: Ipv4Addr,
    country: &'static str,
    way: Way,
    /// How often in a capture, and how far apart.
    times: u64,
    period: Nanos,
    jitter: Nanos,
    /// The query field with the id, and how that is written.
    id: Option<(&'static str, Spelling)>,
}

const fn habit(host: &'static str, address: [u8; 4], country: &'static str) -> Habit {
    let [a, b, c, d] = address;
    Habit {
        host,
        address: Ipv4Addr::new(a, b, c, d),
        country,
        way: Way::Clear,
        times: 1,
        period: LASTS,
        jitter: 0,
        id: None,
    }
}

const BEACON: Habit = Habit {
    times: 19,
    period: 60 * SECOND,
    jitter: 2 * SECOND,
    ..habit("beacon.jiangnan.example", [203, 0, 113, 88], "CN")
};
const USAGE: Habit = Habit {
    way: Way::Tls,
    times: 3,
    period: 300 * SECOND,
    jitter: 90 * SECOND,
    ..habit("usage.tally.example", [203, 0, 113, 52], "US")
};
const DIAGNOSTICS: Habit = Habit {
    id: Some(("serial", Spelling::Base64)),
    ..habit("diag.cumulus.example", [198, 51, 100, 20], "US")
};
const ROOMS: Habit = Habit {
    way: Way::Tls,
    times: 4,
    period: 200 * SECOND,
    jitter: 100 * SECOND,
    ..habit("api.parlour.example", [198, 51, 100, 20], "US")
};
/// Goes through the proxy below.
const REPORTS: Habit = Habit {
    way: Way::Tunnel,
    times: 2,
    period: 400 * SECOND,
    ..habit("reports.bluefin.example", [198, 51, 100, 171], "DE")
};
const PROXY_PORT: u16 = 3128;

/// What the device does in a state.
fn habits(state: State, edition: Edition) -> Vec<Habit> {
    let beacon = |id| Habit { id, ..BEACON };
    match (state, edition) {
        (State::Active, _) => vec![ROOMS, beacon(None), USAGE],
        (_, Edition::Fixed) => vec![beacon(None)],
        (State::Idle, Edition::Leaky) => vec![beacon(Some(("did", Spelling::Sha256))), DIAGNOSTICS, USAGE, REPORTS],
        (State::ConsentRefused, Edition::Leaky) => vec![beacon(Some(("did", Spelling::Plain))), USAGE],
    }
}

/// What is true of one habit in one capture.
#[derive(Debug, Clone, Serialize)]
pub struct Told {
    /// The host.
    pub host: &'static str,
    /// Where its machine, or the proxy on the way, stands.
    pub country: &'static str,
    /// How often it was sent something.
    pub times: u64,
    /// How far apart, in seconds; 0 where no clock drives it.
    pub period: u64,
    /// The field that carries the device's id in clear, and how it is written.
    pub id: Option<(String, Spelling)>,
    /// Whether the path can read what is sent.
    pub clear: bool,
    /// Whether it goes through a proxy.
    pub proxied: bool,
}

/// A capture of one state.
#[derive(Debug, Clone)]
pub struct Run {
    /// What the device does meanwhile.
    pub state: State,
    /// Its file name.
    pub file: String,
    /// The capture.
    pub bytes: Vec<u8>,
    /// Who was sent what.
    pub told: Vec<Told>,
    /// The same exchanges as HAR 1.2.
    pub har: String,
}

/// One edition of the world.
#[derive(Debug, Clone)]
pub struct Phone {
    /// The captures.
    pub runs: Vec<Run>,
    /// Secrets of its TLS sessions.
    pub keylog: String,
    /// The device's id.
    pub device: Identifier,
}

impl Phone {
    /// The labels, as `--labels` takes them.
    #[must_use]
    pub fn labels(&self) -> String {
        let rows = self.runs.iter().map(|it| format!("{},{}\n", it.file, it.state.word()));
        std::iter::once("input,state\n".to_owned()).chain(rows).collect()
    }
}

/// Runs it.
#[must_use]
pub fn record(edition: Edition) -> Phone {
    let authority = Authority::new("phone", "Lighthouse Trust (fictional)");
    let mut keylog = String::new();
    let runs = State::ALL
        .map(|state| {
            let mut stage = Stage::new(state, edition, &authority);
            let told = habits(state, edition).iter().map(|it| stage.keep(it)).collect();
            stage.client.keylog.iter().for_each(|line| {
                keylog.push_str(line);
                keylog.push('\n');
            });
            stage.run(told)
        })
        .into();
    Phone {
        runs,
        keylog,
        device: Identifier::new("device-id", DEVICE),
    }
}

struct Stage<'a> {
    state: State,
    edition: Edition,
    authority: &'a Authority,
    client: Client,
    random: Random,
    resolver: Peer,
    /// What was said, by when.
    entries: BTreeMap<Nanos, serde_json::Value>,
}

impl<'a> Stage<'a> {
    fn new(state: State, edition: Edition, authority: &'a Authority) -> Self {
        let label = format!("phone/{}/{}", edition.name(), state.word());
        let mut it = Self {
            state,
            edition,
            authority,
            client: Client::new(&label, Ipv4Addr::new(192, 0, 2, 10)),
            random: Random::named(&format!("{label}/habits")),
            resolver: peer("", Ipv4Addr::new(192, 0, 2, 53), "US"),
            entries: BTreeMap::new(),
        };
        it.resolver.rtt = 4 * MS;
        it
    }

    fn keep(&mut self, it: &Habit) -> Told {
        let begun = START + self.random.below(it.period.min(40 * SECOND)) + SECOND;
        for number in 0..it.times {
            let off = if it.jitter == 0 { 0 } else { self.random.below(it.jitter) };
            self.say(it, begun + number * it.period + off, number);
        }
        Told {
            host: it.host,
            country: it.country,
            times: it.times,
            period: if it.times > 7 { it.period / SECOND } else { 0 },
            id: it.id.map(|(field, spelling)| (format!("http.query.{field}"), spelling)),
            clear: it.way == Way::Clear,
            proxied: it.way == Way::Tunnel,
        }
    }

    /// One connection with one request.
    fn say(&mut self, it: &Habit, at: Nanos, number: u64) {
        let record = Record {
            name: it.host,
            alias: None,
            address: it.address,
        };
        let peer = peer(it.host, it.address, it.country);
        let at = match it.way {
            // Whoever has a proxy leaves names to it.
            Way::Tunnel => at,
            Way::Clear | Way::Tls => dns::resolve(&mut self.client, &self.resolver, at, &record),
        };
        let id = it
            .id
            .map(|(field, spelling)| format!("&{field}={}", spelling.of(DEVICE).replace('=', "%3D")));
        let target = format!("/v1/alive?n={number}{}", id.unwrap_or_default());
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: {}\r\nUser-Agent: pebble/7.2\r\nAccept: */*\r\n",
            it.host
        );
        let request = message(Payload::new().put(head), &Payload::new());
        let answer = Payload::new().put("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n");
        let answer = message(answer, &Payload::new().put("ok"));
        let port = match it.way {
            Way::Clear => 80,
            Way::Tls => 443,
            Way::Tunnel => PROXY_PORT,
        };
        let flow = self.client.open(Transport::Tcp, "alive", &peer, port);
        let credential = self.authority.credential(it.host);
        let (client, random) = (&mut self.client, &mut self.random);
        let mut open = || Session::open_with(it.host, Suite::Tls13Aes128Gcm, &credential, Some(HTTP), random);
        let mut http = match it.way {
            Way::Clear => Http::plain(client, flow, at),
            Way::Tls => Http::within(client, flow, at, open()),
            Way::Tunnel => {
                let mut http = Http::plain(client, flow, at);
                let head = format!("CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n", host = it.host);
                let through = Payload::new().put("HTTP/1.1 200 Connection established\r\n\r\n");
                http.exchange(client, at, &message(Payload::new().put(head), &Payload::new()), 9 * MS, &through);
                http.secure(client, it.host, open());
                http
            }
        };
        http.exchange(client, at, &request, 12 * MS, &answer);
        let over = http.close(client, at);
        let scheme = if it.way == Way::Clear { "http" } else { "https" };
        let url = format!("{scheme}://{}{target}", it.host);
        self.entries.insert(at, entry(at, over - at, &url, it));
    }

    fn run(self, told: Vec<Told>) -> Run {
        let Self {
            mut client,
            state,
            edition,
            ..
        } = self;
        client.frames.sort_by_key(|frame| frame.at);
        let application = format!("farshore-lab {} world=phone edition={}", env!("CARGO_PKG_VERSION"), edition.name());
        let section = Section {
            application: &application,
            comment: "A fictional world: parties are made up, addresses are documentation ranges (RFC 5737), names end in .example (RFC 2606).",
            interface: "wlan0",
            description: "Wi-Fi interface of a simulated phone",
        };
        let entries: Vec<_> = self.entries.into_values().collect();
        let har = serde_json::json!({ "log": {
            "version": "1.2",
            "creator": { "name": application, "version": env!("CARGO_PKG_VERSION") },
            "entries": entries,
        }});
        Run {
            state,
            file: format!("phone-{}.{}.pcapng", state.word(), edition.name()),
            bytes: pcapng::file(&section, client.frames.iter().map(|it| (it.at, it.bytes.as_slice()))),
            told,
            har: har.to_string(),
        }
    }
}

/// An exchange as a browser writes it down (HAR 1.2).
fn entry(at: Nanos, took: Nanos, url: &str, it: &Habit) -> serde_json::Value {
    let headers = |all: &[(&str, &str)]| -> Vec<serde_json::Value> {
        all.iter()
            .map(|(name, value)| serde_json::json!({ "name": name, "value": value }))
            .collect()
    };
    let query: Vec<serde_json::Value> = url
        .split_once('?')
        .map_or("", |(_, query)| query)
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| serde_json::json!({ "name": name, "value": value.replace("%3D", "=") }))
        .collect();
    serde_json::json!({
        "startedDateTime": rfc3339(at),
        "time": took / MS,
        "serverIPAddress": it.address.to_string(),
        "request": {
            "method": "GET", "url": url, "httpVersion": "HTTP/1.1", "cookies": [], "queryString": query, "headersSize": -1, "bodySize": 0,
            "headers": headers(&[("Host", it.host), ("User-Agent", "pebble/7.2"), ("Accept", "*/*")]),
        },
        "response": {
            "status": 200, "statusText": "OK", "httpVersion": "HTTP/1.1", "cookies": [], "redirectURL": "", "headersSize": -1, "bodySize": 2,
            "headers": headers(&[("Content-Type", "text/plain"), ("Content-Length", "2")]),
            "content": { "size": 2, "mimeType": "text/plain", "text": "ok" },
        },
        "cache": {}, "timings": { "send": 0, "wait": took / MS, "receive": 0 },
    })
}

fn peer(name: &str, address: Ipv4Addr, country: &'static str) -> Peer {
    Peer {
        name: name.to_owned(),
        address,
        party: "",
        country,
        rtt: 60 * MS,
        hops: 12,
    }
}
