//! What it costs to open sessions with their keys: one download of large records over TLS and one over QUIC, read with the key log
//! and without, beside what `openssl speed` makes of the same cipher on this machine. Prints rates and ratios, fails when a session
//! stays closed, and refuses to judge a rate. Times are the processor's, as `openssl speed` takes them: a machine with other work to do
//! makes them longer by what its caches lose, and not by the time that others get. `-- NAME` measures the rows whose name holds that.

#[path = "../hostile/sealed.rs"]
mod sealed;

use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::Arc;

use farshore::model::DatumKind;
use farshore::{Detecting, Detectors, Known, Reading, Secrets};
use farshore_lab::client::{Client, Direction, Peer, Transport};
use farshore_lab::payload::Payload;
use farshore_lab::pcapng;
use farshore_lab::random::Random;
use farshore_lab::tcp::Connection;
use farshore_lab::tls::certificate::Authority;
use farshore_lab::tls::{Session, Suite};

const NAME: &str = "download.example";
/// What stands behind the body: found only where all before it was opened.
const WORD: &str = "found-behind-it-all";
/// Bytes of the body.
const BODY: usize = 96 << 20;
/// Runs of each kind, in turns. Kernels count processor time in ticks of some milliseconds, which a single run is too short for; of
/// several rounds the quickest counts: what disturbs makes it slower only.
const RUNS: usize = 10;
const ROUNDS: usize = 3;

/// The session, openssl's name of its cipher, and what makes one.
type Case = (&'static str, &'static str, fn() -> Made);

fn main() {
    println!("| session | closed, MB/s | opened, MB/s | opening alone, MB/s | openssl, MB/s | share |\n|---|---|---|---|---|---|");
    let cases: [Case; 4] = [
        ("TLS 1.3, AES-128-GCM", "aes-128-gcm", || tls(Suite::Tls13Aes128Gcm)),
        ("TLS 1.2, AES-128-GCM", "aes-128-gcm", || tls(Suite::Tls12Aes128Gcm)),
        ("TLS 1.3, ChaCha20-Poly1305", "chacha20-poly1305", || {
            tls(Suite::Tls13ChaCha20Poly1305)
        }),
        ("QUIC 1, AES-128-GCM", "aes-128-gcm", quic),
    ];
    let wanted: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|it| name.contains(it.as_str()));
    for (name, cipher, make) in cases.into_iter().filter(|(name, ..)| is_wanted(name)) {
        let made = make();
        let (mut closed, mut opened, mut peer) = (f64::INFINITY, f64::INFINITY, None);
        let block = if name.starts_with("QUIC") { sealed::ROOM } else { 1 << 14 };
        for _ in 0..ROUNDS {
            closed = closed.min(read(&made, &Secrets::default(), false));
            opened = opened.min(read(&made, &made.secrets(), true));
            peer = openssl(cipher, block).into_iter().chain(peer).reduce(f64::max);
        }
        let rate = |seconds: f64| BODY as f64 / seconds / 1e6;
        let alone = rate(opened - closed);
        println!(
            "| {name} | {:.0} | {:.0} | {alone:.0} | {} | {} |",
            rate(closed),
            rate(opened),
            peer.map_or("not here".to_owned(), |it| format!("{it:.0}")),
            peer.map_or(String::new(), |it| format!("{:.0} %", alone / it * 100.0)),
        );
    }
}

/// A capture, and the lines of its key log.
struct Made {
    capture: Vec<u8>,
    keylog: Vec<String>,
}

impl Made {
    fn new(client: &Client, keylog: &[String]) -> Self {
        let section = pcapng::Section {
            application: "",
            comment: "",
            interface: "",
            description: "",
        };
        let mut frames: Vec<_> = client.frames.iter().map(|it| (it.at, it.bytes.as_slice())).collect();
        frames.sort_by_key(|(at, _)| *at);
        Self {
            capture: pcapng::file(&section, frames.into_iter()),
            keylog: keylog.to_vec(),
        }
    }

    fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        farshore::keys::read(self.keylog.join("\n").as_bytes(), &mut secrets).expect("a key log");
        secrets
    }
}

/// One download over a TLS connection, and a word behind it.
fn tls(suite: Suite) -> Made {
    let mut client = Client::new("decryption", Ipv4Addr::new(192, 0, 2, 2));
    let flow = client.open(Transport::Tcp, "download", &peer(), 443);
    let mut connection = Connection::open(&mut client, flow, 0);
    let (flights, mut session) = open(suite);
    for (direction, bytes) in flights {
        connection.send(&mut client, direction, 0, &Payload::new().put(bytes));
    }
    let request = format!("GET / HTTP/1.1\r\nHost: {NAME}\r\n\r\n");
    let head = |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n");
    for body in [body(), WORD.as_bytes().to_vec()] {
        let sealed = session.seal(Direction::Up, request.as_bytes());
        connection.send(&mut client, Direction::Up, 0, &Payload::new().put(sealed));
        let sealed = session.seal(Direction::Down, &[head(body.len()).as_bytes(), &body].concat());
        connection.send(&mut client, Direction::Down, 0, &Payload::new().put(sealed));
    }
    connection.close(&mut client);
    Made::new(&client, &session.keylog)
}

/// The same over QUIC.
fn quic() -> Made {
    let mut client = Client::new("decryption", Ipv4Addr::new(192, 0, 2, 2));
    let flow = client.open(Transport::Udp, "download", &peer(), 443);
    let session = sealed::Opened::new(NAME);
    let mut at = 0;
    let mut send = |direction, bytes: Vec<u8>| {
        at += 100_000;
        client.udp(flow, at, direction, &Payload::new().put(bytes));
    };
    let [asked, answered] = &session.hellos;
    send(Direction::Up, asked.clone());
    send(Direction::Down, answered.clone());
    let mut number = 0;
    for (stream, body) in [(0, body()), (4, WORD.as_bytes().to_vec())] {
        // HEADERS with entries of the static table alone (RFC 9204 appendix A): GET https / and 200.
        send(
            Direction::Up,
            session.client.short(
                &[],
                stream / 4,
                &sealed::stream(u64::from(stream), 0, &[1, 5, 0, 0, 0xd1, 0xd7, 0xc1]),
            ),
        );
        let length = (body.len() as u32 | 0x8000_0000).to_be_bytes();
        let said = [&[1, 3, 0, 0, 0xd9, 0][..], &length, &body].concat();
        for (piece, from) in said.chunks(sealed::ROOM).zip((0..).step_by(sealed::ROOM)) {
            send(
                Direction::Down,
                session.server.short(&[], number, &sealed::stream(u64::from(stream), from, piece)),
            );
            number += 1;
        }
    }
    Made::new(&client, &session.keylog)
}

/// Seconds that one reading takes, of several; whether the word behind the body has to be found.
fn read(made: &Made, secrets: &Secrets, is_open: bool) -> f64 {
    let word = Known {
        name: "word".to_owned(),
        kind: DatumKind::CONTENT,
        value: WORD.to_owned(),
    };
    let detectors = Detectors::new(&[word], Detecting::default()).expect("detectors");
    let how = Reading {
        secrets: Arc::new(secrets.clone()),
        ..Reading::default()
    };
    let began = processor_time();
    for _ in 0..RUNS {
        let ledger = farshore::read(made.capture.as_slice(), "download", &how, &detectors, &mut |_| {}).expect("a capture");
        let found = ledger.sightings.iter().any(|it| it.known_as.is_some());
        assert_eq!(found, is_open, "what was opened");
    }
    (processor_time() - began) / RUNS as f64
}

/// Seconds this thread had of a processor; one thread does all there is to do.
fn processor_time() -> f64 {
    let counts = fs::read_to_string("/proc/self/schedstat").expect("a kernel that keeps count");
    let nanoseconds: u64 = counts.split(' ').next().and_then(|it| it.parse().ok()).expect("a count");
    nanoseconds as f64 / 1e9
}

/// Bytes a second of a cipher in blocks of that size, as OpenSSL measures itself.
fn openssl(cipher: &str, block: usize) -> Option<f64> {
    let block = block.to_string();
    let told = Command::new("openssl")
        .args(["speed", "-mr", "-seconds", "1", "-bytes", &block, "-evp", cipher])
        .output()
        .ok()?;
    let told = String::from_utf8(told.stdout).ok()?;
    let line = told.lines().find(|line| line.starts_with("+F:"))?;
    line.rsplit(':').next()?.trim().parse::<f64>().ok().map(|it| it / 1e6)
}

fn open(suite: Suite) -> (Vec<(Direction, Vec<u8>)>, Session) {
    Session::open(
        NAME,
        suite,
        &Authority::new("decryption", "Bench"),
        &mut Random::named("decryption"),
    )
}

fn peer() -> Peer {
    Peer {
        name: NAME.to_owned(),
        address: Ipv4Addr::new(198, 51, 100, 7),
        party: "",
        country: "",
        rtt: 1_000_000,
        hops: 4,
    }
}

/// Bytes that no detector stops at.
fn body() -> Vec<u8> {
    vec![0; BODY]
}
