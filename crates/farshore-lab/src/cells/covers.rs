//! Scenes in which the server's name is hidden, or could be: encrypted hellos over TLS and QUIC, with the record that explains them and
//! without. Owns what is said in them and what may be behind it.
//!
//! Nobody here has a key: what a channel carries is told as a whole. The name inside is in no cell, as no byte shows it.

use super::web::{ALL, ARRIVED, ENDED, HOST, LOST, api, content, get, name, ok};
use super::{Behind, Play, START, Stage, Told};
use crate::client::{MS, Nanos, Transport};
use crate::dns::{self, Record};
use crate::http::Http;
use crate::payload::Payload;
use crate::quic::{self, Reaches};
use crate::tls::{self, HTTP, Session, Suite};

pub(super) static PLAYS: &[Play] = &[
    ("ech-record", |it| over_tls(it, Hello::Covered { same: true })),
    ("ech-record-of-another-key", |it| over_tls(it, Hello::Covered { same: false })),
    ("ech-grease", |it| over_tls(it, Hello::Grease)),
    ("quic", |it| over_quic(it, Hello::Plain, Reaches::Open)),
    ("quic-unanswered", |it| over_quic(it, Hello::Plain, Reaches::Asked)),
    ("quic-given-up", |it| over_quic(it, Hello::Plain, Reaches::Chosen)),
    ("quic-ech-record", |it| over_quic(it, Hello::Covered { same: true }, Reaches::Open)),
    ("quic-ech-grease", |it| over_quic(it, Hello::Grease, Reaches::Open)),
];

/// The name outside of encrypted hellos.
const COVER: &str = "cover.quickcache.example";
/// The number of the configuration that the record tells.
const CONFIG: u8 = 41;

/// How the server is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hello {
    /// By its name.
    Plain,
    /// By its name, beside an extension that means nothing.
    Grease,
    /// By a cover; a record tells under which configuration, or under one that was there before.
    Covered { same: bool },
}

impl Hello {
    fn outside(self) -> &'static str {
        match self {
            Self::Covered { .. } => COVER,
            Self::Plain | Self::Grease => HOST,
        }
    }

    /// Asks for what leads up to the connection; gives the time at which it can begin.
    fn look_up(self, stage: &mut Stage) -> Nanos {
        let resolver = stage.resolver();
        let mut at = START;
        if let Self::Covered { .. } = self {
            let configs = tls::ech_configs(CONFIG, COVER, &mut stage.random);
            at = dns::service(&mut stage.client, &resolver, at, HOST, &configs);
        }
        let record = Record {
            name: HOST,
            alias: None,
            address: [198, 51, 100, 20].into(),
        };
        dns::resolve(&mut stage.client, &resolver, at, &record)
    }

    fn config(self) -> u8 {
        if self == (Self::Covered { same: true }) { CONFIG } else { 7 }
    }
}

fn over_tls(stage: &mut Stage, hello: Hello) -> Told {
    let at = hello.look_up(stage);
    let peer = api(stage);
    let flow = stage.client.open(Transport::Tcp, "api", &peer, 443);
    let session = match hello {
        Hello::Plain => Session::open_with(
            HOST,
            Suite::Tls13Aes128Gcm,
            &stage.authority.credential(HOST),
            Some(HTTP),
            &mut stage.random,
        ),
        Hello::Grease | Hello::Covered { .. } => {
            Session::open_covered(hello.outside(), hello.config(), &stage.authority, &mut stage.random)
        }
    };
    let mut http = Http::within(&mut stage.client, flow, at, session);
    let asked = get(stage, "/rooms", HOST);
    http.exchange(&mut stage.client, at, &asked, 5 * MS, &ok("welcome"));
    http.close(&mut stage.client, at);
    Told {
        server: peer.address,
        data: vec![
            content(&["tls"], ALL, ENDED),
            name(hello.outside(), "tls.sni", &[], ALL, &[ARRIVED]),
        ],
        keys: false,
    }
}

fn over_quic(stage: &mut Stage, hello: Hello, reaches: Reaches) -> Told {
    /// The client gave up, or what it sent was not captured.
    const GIVEN_UP: &[Behind] = &[ENDED[0], ENDED[1], LOST];
    let at = hello.look_up(stage);
    let peer = api(stage);
    let flow = stage.client.open(Transport::Udp, "api", &peer, 443);
    let more = match hello {
        Hello::Plain => Vec::new(),
        Hello::Grease | Hello::Covered { .. } => tls::inner_hello(hello.config(), &mut stage.random),
    };
    let all = quic::open(hello.outside(), &more, reaches, &mut stage.random);
    for (number, (direction, bytes)) in (0_u64..).zip(all) {
        stage.client.udp(flow, at + number * 9 * MS, direction, &Payload::from(bytes));
    }
    let outside = name(
        hello.outside(),
        "quic.sni",
        &[],
        ALL,
        if reaches == Reaches::Asked { &[ARRIVED, LOST] } else { &[ARRIVED] },
    );
    let inside = match reaches {
        Reaches::Asked => None,
        Reaches::Chosen => Some(content(&["tls"], ALL, GIVEN_UP)),
        Reaches::Open => Some(content(&["tls"], ALL, ENDED)),
    };
    Told {
        server: peer.address,
        data: inside.into_iter().chain([outside]).collect(),
        keys: false,
    }
}
