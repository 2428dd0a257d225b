//! Scenes without speech: names that are asked for, requests, brokers, proxies, tokens. Owns what is said in them and what may be behind it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::{Behind, Datum, Play, START, Stage, Told};
use crate::client::{Direction, MS, Peer, Transport};
use crate::dns::{self, Record};
use crate::http::{Http, message};
use crate::payload::{Encoding, Identifier, Payload};
use crate::random::Random;
use crate::relay::{Message, RoomIds};
use crate::tcp::Connection;
use crate::tls::{HTTP, Session, Suite};
use crate::token::{self, Grant};
use crate::truth::hex;

pub(super) static PLAYS: &[Play] = &[
    ("dns", |it| question(it, true)),
    ("dns-unanswered", |it| question(it, false)),
    ("http", |it| request(it, true)),
    ("http-unanswered", |it| request(it, false)),
    ("http-digest", digest_in_clear),
    ("http-proxy", proxied),
    ("http-connect", tunnelled),
    ("https-1.3", |it| {
        web(
            it,
            &Web {
                suite: Suite::Tls13Aes128Gcm,
                ..PLAIN_WEB
            },
        )
    }),
    ("https-1.3-keys", |it| {
        web(
            it,
            &Web {
                suite: Suite::Tls13ChaCha20Poly1305,
                keys: true,
                ..PLAIN_WEB
            },
        )
    }),
    ("https-1.2", |it| web(it, &PLAIN_WEB)),
    ("https-1.2-keys", |it| web(it, &Web { keys: true, ..PLAIN_WEB })),
    ("https-null", |it| {
        web(
            it,
            &Web {
                suite: Suite::Tls12Null,
                behind: &[ARRIVED],
                ..PLAIN_WEB
            },
        )
    }),
    ("https-null-keys", |it| {
        web(
            it,
            &Web {
                suite: Suite::Tls12Null,
                behind: &[ARRIVED],
                keys: true,
                ..PLAIN_WEB
            },
        )
    }),
    ("https-shared-certificate", |it| {
        web(
            it,
            &Web {
                shown: SHARED,
                ..PLAIN_WEB
            },
        )
    }),
    ("https-shared-certificate-keys", |it| {
        web(
            it,
            &Web {
                shown: SHARED,
                keys: true,
                ..PLAIN_WEB
            },
        )
    }),
    ("https-strange-certificate", |it| {
        web(
            it,
            &Web {
                shown: STRANGE,
                behind: INTERCEPTED,
                ..PLAIN_WEB
            },
        )
    }),
    ("https-strange-certificate-keys", |it| {
        web(
            it,
            &Web {
                shown: STRANGE,
                behind: INTERCEPTED,
                keys: true,
                ..PLAIN_WEB
            },
        )
    }),
    ("https-fronted-keys", |it| {
        web(
            it,
            &Web {
                asked: "rooms.bluefin.example",
                behind: FRONTED,
                keys: true,
                ..PLAIN_WEB
            },
        )
    }),
    ("https-digest-keys", |it| {
        web(
            it,
            &Web {
                digest: true,
                keys: true,
                ..PLAIN_WEB
            },
        )
    }),
    ("doh-keys", resolved_over_https),
    ("mqtt", |it| broker(it, false)),
    ("mqtt-tls-keys", |it| broker(it, true)),
    ("relay-clear", |it| relayed(it, true)),
    ("relay-sealed", |it| relayed(it, false)),
];

pub(super) const HOST: &str = "api.parlour.example";
pub(super) const ALL: &[&str] = &["on-path", "hosting", "endpoint"];

/// Everybody on the way gets it.
pub(super) const ARRIVED: Behind = &[
    ("on-path", &[]),
    ("hosting", &[]),
    ("endpoint", &[]),
    ("dns-resolver", &[]),
    ("relay", &[]),
];
/// Nobody but the path got it.
pub(super) const LOST: Behind = &[("on-path", &[])];
/// It ends at whoever it is for, on a machine of its own, or on one that decrypts for it.
pub(super) const ENDED: &[Behind] = &[
    &[
        ("on-path", &[]),
        ("hosting", &[]),
        ("endpoint", &["tls"]),
        ("dns-resolver", &["tls"]),
        ("relay", &["tls"]),
    ],
    &[
        ("on-path", &[]),
        ("hosting", &["tls"]),
        ("endpoint", &["tls"]),
        ("dns-resolver", &["tls"]),
        ("relay", &["tls"]),
    ],
];
/// A server with a careless certificate, or somebody in the middle.
const INTERCEPTED: &[Behind] = &[
    &[("on-path", &[]), ("hosting", &[]), ("endpoint", &["tls"])],
    &[("on-path", &["tls"]), ("hosting", &["tls"])],
];
/// A front for others: its owner gets what is meant for another, or does not.
const FRONTED: &[Behind] = &[
    &[("on-path", &[]), ("hosting", &["tls"])],
    &[("on-path", &[]), ("hosting", &[]), ("endpoint", &["tls"])],
];
/// A digest says who is meant to whoever guesses it.
const GUESSED: &[Behind] = &[
    &[("on-path", &[]), ("hosting", &[]), ("endpoint", &["tls"])],
    &[
        ("on-path", &["guess"]),
        ("hosting", &["guess", "tls"]),
        ("endpoint", &["tls", "guess"]),
    ],
];

/// A value of its own.
pub(super) fn datum(it: &Identifier, layers: &'static [&'static str], roles: &'static [&'static str], behind: &'static [Behind]) -> Datum {
    Datum {
        kind: it.kind,
        value: Some(it.value.clone()),
        field: None,
        layers,
        roles,
        behind,
    }
}

pub(super) fn name(
    host: &str,
    field: &'static str,
    layers: &'static [&'static str],
    roles: &'static [&'static str],
    behind: &'static [Behind],
) -> Datum {
    Datum {
        field: Some(field),
        ..datum(&Identifier::new("hostname", host), layers, roles, behind)
    }
}

/// What a channel carries as a whole.
pub(super) fn content(layers: &'static [&'static str], roles: &'static [&'static str], behind: &'static [Behind]) -> Datum {
    Datum {
        kind: "content",
        value: None,
        field: None,
        layers,
        roles,
        behind,
    }
}

pub(super) fn api(stage: &mut Stage) -> Peer {
    stage.peer(HOST, [198, 51, 100, 20], "parlour")
}

fn question(stage: &mut Stage, answered: bool) -> Told {
    const ROLES: &[&str] = &["on-path", "dns-resolver", "hosting"];
    let resolver = stage.resolver();
    let record = Record {
        name: HOST,
        alias: None,
        address: [198, 51, 100, 20].into(),
    };
    dns::resolve(&mut stage.client, &resolver, START, &record);
    if !answered {
        stage.client.frames.retain(|it| it.direction == Direction::Up);
    }
    Told {
        server: resolver.address,
        data: vec![name(
            HOST,
            "dns.question",
            &[],
            ROLES,
            if answered { &[ARRIVED] } else { &[ARRIVED, LOST] },
        )],
        keys: false,
    }
}

pub(super) fn get(stage: &Stage, target: &str, host: &str) -> Payload {
    let head = Payload::new()
        .put(format!("GET {target}?uid="))
        .plant(&stage.user, Encoding::AsciiDecimal)
        .put(format!(" HTTP/1.1\r\nHost: {host}\r\nUser-Agent: parlour/434\r\nAccept: */*\r\n"));
    message(head, &Payload::new())
}

pub(super) fn ok(body: &str) -> Payload {
    let head = Payload::new().put("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n");
    message(head, &Payload::new().put(body))
}

fn request(stage: &mut Stage, answered: bool) -> Told {
    let peer = api(stage);
    let flow = stage.client.open(Transport::Tcp, "api", &peer, 80);
    let asked = get(stage, "/rooms", HOST);
    if answered {
        let mut http = Http::plain(&mut stage.client, flow, START);
        http.exchange(&mut stage.client, START, &asked, 5 * MS, &ok("welcome"));
        http.close(&mut stage.client, START);
    } else {
        let mut connection = Connection::open(&mut stage.client, flow, START);
        connection.send(&mut stage.client, Direction::Up, MS, &asked);
        stage.client.frames.retain(|it| it.direction == Direction::Up);
    }
    Told {
        server: peer.address,
        data: vec![datum(&stage.user, &[], ALL, if answered { &[ARRIVED] } else { &[ARRIVED, LOST] })],
        keys: false,
    }
}

fn digest_of(email: &Identifier) -> String {
    hex(&Sha256::digest(&email.value))
}

fn digest_in_clear(stage: &mut Stage) -> Told {
    let peer = api(stage);
    let flow = stage.client.open(Transport::Tcp, "api", &peer, 80);
    let head = format!("GET /hello?em={} HTTP/1.1\r\nHost: {HOST}\r\n", digest_of(&stage.email));
    let mut http = Http::plain(&mut stage.client, flow, START);
    http.exchange(
        &mut stage.client,
        START,
        &message(Payload::new().put(head), &Payload::new()),
        5 * MS,
        &ok("hi"),
    );
    http.close(&mut stage.client, START);
    Told {
        server: peer.address,
        data: vec![datum(&stage.email, &["guess"], ALL, GUESSED)],
        keys: false,
    }
}

const WITH_PROXY: &[&str] = &["on-path", "hosting", "relay", "endpoint"];

fn proxied(stage: &mut Stage) -> Told {
    const BEHIND: &[Behind] = &[ARRIVED, &[("on-path", &[]), ("hosting", &[]), ("relay", &[])]];
    let peer = stage.peer(HOST, [198, 51, 100, 171], "cumulus");
    let flow = stage.client.open(Transport::Tcp, "proxy", &peer, 3128);
    let mut http = Http::plain(&mut stage.client, flow, START);
    let asked = get(stage, &format!("http://{HOST}/rooms"), HOST);
    http.exchange(&mut stage.client, START, &asked, 9 * MS, &ok("welcome"));
    http.close(&mut stage.client, START);
    Told {
        server: peer.address,
        data: vec![datum(&stage.user, &[], WITH_PROXY, BEHIND)],
        keys: false,
    }
}

/// TLS through a proxy, which may end it with a certificate that the client was made to trust.
fn tunnelled(stage: &mut Stage) -> Told {
    const SEALED: &[Behind] = &[
        &[("on-path", &[]), ("hosting", &[]), ("relay", &[]), ("endpoint", &["tls"])],
        &[("on-path", &[]), ("hosting", &["tls"]), ("relay", &["tls"])],
    ];
    const OPEN: &[Behind] = &[ARRIVED, &[("on-path", &[]), ("hosting", &[]), ("relay", &[])]];
    let peer = stage.peer(HOST, [198, 51, 100, 171], "cumulus");
    let flow = stage.client.open(Transport::Tcp, "proxy", &peer, 3128);
    let mut http = Http::plain(&mut stage.client, flow, START);
    let head = Payload::new().put(format!("CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n"));
    let through = Payload::new().put("HTTP/1.1 200 Connection established\r\n\r\n");
    http.exchange(&mut stage.client, START, &message(head, &Payload::new()), 9 * MS, &through);
    let session = Session::open(HOST, Suite::Tls13Aes128Gcm, &stage.authority, &mut stage.random);
    http.secure(&mut stage.client, HOST, session);
    let asked = get(stage, "/rooms", HOST);
    http.exchange(&mut stage.client, START, &asked, 9 * MS, &ok("welcome"));
    http.close(&mut stage.client, START);
    Told {
        server: peer.address,
        data: vec![
            datum(&stage.user, &["tls"], WITH_PROXY, SEALED),
            name(HOST, "tls.sni", &[], WITH_PROXY, OPEN),
        ],
        keys: true,
    }
}

/// A request within TLS.
struct Web {
    suite: Suite,
    /// The names its certificate is for.
    shown: &'static [&'static str],
    /// The host the request asks for.
    asked: &'static str,
    behind: &'static [Behind],
    /// The digest of an address of mail instead of an id.
    digest: bool,
    keys: bool,
}

const PLAIN_WEB: Web = Web {
    suite: Suite::Tls12Aes128Gcm,
    shown: &[HOST],
    asked: HOST,
    behind: ENDED,
    digest: false,
    keys: false,
};
const SHARED: &[&str] = &["shared.quickcache.example", "www.tally.example", HOST, "*.bluefin.example"];
const STRANGE: &[&str] = &["gateway.harbour.example"];

fn web(stage: &mut Stage, it: &Web) -> Told {
    let peer = api(stage);
    let flow = stage.client.open(Transport::Tcp, "api", &peer, 443);
    let credential = stage.authority.shared(it.shown);
    let session = Session::open_with(HOST, it.suite, &credential, Some(HTTP), &mut stage.random);
    let mut http = Http::within(&mut stage.client, flow, START, session);
    let asked = if it.digest {
        let head = format!("GET /hello?em={} HTTP/1.1\r\nHost: {HOST}\r\n", digest_of(&stage.email));
        message(Payload::new().put(head), &Payload::new())
    } else {
        get(stage, "/rooms", it.asked)
    };
    http.exchange(&mut stage.client, START, &asked, 5 * MS, &ok("welcome"));
    http.close(&mut stage.client, START);
    // What is outside is nobody's secret; who gets it is another matter.
    let bare = it.suite == Suite::Tls12Null;
    let outside: &[Behind] = if it.behind == ENDED || bare {
        &[ARRIVED]
    } else {
        &[ARRIVED, &[("on-path", &[]), ("hosting", &[])]]
    };
    let inside = match (it.keys, it.digest) {
        // There is no key that anybody would need.
        _ if bare => datum(&stage.user, &[], ALL, it.behind),
        (false, _) => content(&["tls"], ALL, it.behind),
        (true, false) => datum(&stage.user, &["tls"], ALL, it.behind),
        (true, true) => datum(&stage.email, &["tls", "guess"], ALL, GUESSED),
    };
    Told {
        server: peer.address,
        data: vec![inside, name(HOST, "tls.sni", &[], ALL, outside)],
        keys: it.keys,
    }
}

fn resolved_over_https(stage: &mut Stage) -> Told {
    const ROLES: &[&str] = &["on-path", "dns-resolver", "hosting"];
    let asked = "rooms.parlour.example";
    let host = "dns.cumulus.example";
    let peer = stage.peer(host, [198, 51, 100, 42], "cumulus");
    let flow = stage.client.open(Transport::Tcp, "doh", &peer, 443);
    let mut http = Http::tls(
        &mut stage.client,
        flow,
        START,
        Suite::Tls13Aes128Gcm,
        &stage.authority,
        &mut stage.random,
    );
    let [query, answer] = dns::messages(
        0,
        &Record {
            name: asked,
            alias: None,
            address: [198, 51, 100, 20].into(),
        },
    );
    let kind = "application/dns-message";
    let head = format!("POST /dns-query HTTP/1.1\r\nHost: {host}\r\nAccept: {kind}\r\nContent-Type: {kind}\r\n");
    let request = message(Payload::new().put(head), &Payload::from(query));
    let head = Payload::new().put(format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n"));
    http.exchange(&mut stage.client, START, &request, 4 * MS, &message(head, &Payload::from(answer)));
    http.close(&mut stage.client, START);
    Told {
        server: peer.address,
        data: vec![name(asked, "do", &["tls"], ROLES, ENDED)],
        keys: true,
    }
}

/// MQTT 3.1.1: a login under the user's id, and a publication that names a room's mail address.
fn broker(stage: &mut Stage, sealed: bool) -> Told {
    let text = |it: &str| [&(it.len() as u16).to_be_bytes()[..], it.as_bytes()].concat();
    let packet = |kind: u8, body: Vec<u8>| [&[kind, body.len() as u8][..], &body].concat();
    let login = packet(0x10, [&b"\0\x04MQTT\x04\x02\0\x3c"[..], &text(&stage.user.value)].concat());
    let published = packet(
        0x30,
        [text("rooms/news"), format!("{{\"mail\":\"{}\"}}", stage.email.value).into_bytes()].concat(),
    );
    let host = "broker.cumulus.example";
    let peer = stage.peer(host, [198, 51, 100, 42], "cumulus");
    let flow = stage.client.open(Transport::Tcp, "broker", &peer, if sealed { 8883 } else { 1883 });
    let mut session = if sealed {
        let credential = stage.authority.credential(host);
        let opened = Session::open_with(host, Suite::Tls13Aes128Gcm, &credential, None, &mut stage.random);
        Http::within(&mut stage.client, flow, START, opened)
    } else {
        Http::plain(&mut stage.client, flow, START)
    };
    session.exchange(
        &mut stage.client,
        START,
        &Payload::from(login),
        3 * MS,
        &Payload::from(vec![0x20, 2, 0, 0]),
    );
    let publication = [published, vec![0xc0, 0]].concat();
    session.exchange(
        &mut stage.client,
        START,
        &Payload::from(publication),
        3 * MS,
        &Payload::from(vec![0xd0, 0]),
    );
    session.close(&mut stage.client, START);
    // Somebody subscribed, or nobody did.
    const PUBLISHED: &[Behind] = &[ARRIVED, &[("on-path", &[]), ("hosting", &[]), ("relay", &[])]];
    const PUBLISHED_TLS: &[Behind] = &[
        &[("on-path", &[]), ("hosting", &[]), ("relay", &["tls"]), ("endpoint", &["tls"])],
        &[("on-path", &[]), ("hosting", &["tls"]), ("relay", &["tls"])],
    ];
    let (layers, login, published): (&[&str], &[Behind], &[Behind]) = if sealed {
        (&["tls"], ENDED, PUBLISHED_TLS)
    } else {
        (&[], &[ARRIVED], PUBLISHED)
    };
    Told {
        server: peer.address,
        data: vec![
            datum(&stage.user, layers, WITH_PROXY, login),
            datum(&stage.email, layers, WITH_PROXY, published),
        ],
        keys: sealed,
    }
}

/// A relay vendor's own datagrams, with a join token that is only packed, or sealed with a key nobody shows.
fn relayed(stage: &mut Stage, clear: bool) -> Told {
    const OPEN: &[Behind] = &[ARRIVED, &[("on-path", &[]), ("hosting", &[]), ("relay", &[])]];
    const SEALED: &[Behind] = &[
        &[
            ("on-path", &[]),
            ("hosting", &[]),
            ("relay", &["vendor"]),
            ("endpoint", &["vendor"]),
        ],
        &[
            ("on-path", &["vendor"]),
            ("hosting", &["vendor"]),
            ("relay", &["vendor"]),
            ("endpoint", &["vendor"]),
        ],
        &[("on-path", &[]), ("hosting", &[]), ("relay", &[])],
    ];
    let resolver = stage.resolver();
    let host = "edge-3.relaywright.example";
    let peer = stage.peer(host, [198, 51, 100, 42], "relaywright");
    let record = Record {
        name: host,
        alias: None,
        address: peer.address,
    };
    let at = dns::resolve(&mut stage.client, &resolver, START, &record);
    let room = RoomIds {
        name: Identifier::new("room-id", STANDARD.encode(stage.random.bytes::<6>())),
        number: Identifier::new("room-id", stage.random.below(1 << 40).to_string()),
    };
    let grant = Grant {
        app_id: "5f1c0a7be94d4c2f8a63d1e7b2904c58",
        issued: (START / (1000 * MS)) as u32,
        user: &stage.user,
        room: &room.name,
    };
    let token = token::issue(&grant, &mut stage.random);
    let other = Identifier::new("user-id", "77");
    let join = Message::Join {
        user: &other,
        room: &room,
        token: &token,
    };
    let flow = stage.client.open(Transport::Udp, "relay-signal", &peer, 8001);
    let key = Random::named("cells/vendor").bytes::<32>();
    for (number, direction) in (0..12).zip([Direction::Up, Direction::Down].into_iter().cycle()) {
        let said = if number == 0 {
            join
        } else {
            Message::KeepAliveAnswer { room: &room }
        };
        let payload = if clear {
            said.plain(number)
        } else {
            said.sealed(number, &key, &mut stage.random)
        };
        stage.client.udp(flow, at + u64::from(number) * 40 * MS, direction, &payload);
    }
    const ROLES: &[&str] = &["on-path", "hosting", "relay", "endpoint"];
    Told {
        server: peer.address,
        data: vec![if clear {
            datum(&stage.user, &[], ROLES, OPEN)
        } else {
            content(&["vendor"], ROLES, SEALED)
        }],
        keys: false,
    }
}
