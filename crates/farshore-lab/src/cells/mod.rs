//! Owns scenes that ask one question: who can read a datum? A scene is one conversation and its capture; beside it stand cells, one for
//! each datum and reader, with the answer as the scene was built: a reader reads what comes its way when it holds the key of every layer
//! around it.
//!
//! The same bytes may be there for several reasons: a TURN server may forward a handshake or end it, a machine may decrypt for whoever is
//! behind it. So a scene lists all that may be behind its bytes; one of them is true, drawn by the seed. A cell is decidable when all of
//! them agree. What they take for granted: clients check certificates, unless one is shown for another name; whoever is on the path
//! passes on what it carries; whoever acts for a party lets it read. Refuses to know how an auditor comes to its answers.

mod calls;
mod covers;
mod late;
mod web;

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use serde::Serialize;

use crate::client::{Client, MS, Nanos, Peer};
use crate::payload::Identifier;
use crate::pcapng::{self, Section};
use crate::random::Random;
use crate::tls::certificate::Authority;

/// A datum, a reader, and whether it reads.
#[derive(Debug, Clone, Serialize)]
pub struct Cell {
    /// The sort of datum, in the words of the audit's output.
    pub kind: &'static str,
    /// Its value, if it is told by that.
    pub value: Option<String>,
    /// How its field begins, if it is told by that.
    pub field: Option<&'static str>,
    /// The reader's role, in the words of the audit's output.
    pub role: &'static str,
    /// Whether it reads.
    pub reads: bool,
    /// Whether the capture, with the keys beside it, shows that.
    pub decidable: bool,
}

/// One conversation.
#[derive(Debug, Clone)]
pub struct Scene {
    /// What it is about, and its number.
    pub name: String,
    /// The capture.
    pub bytes: Vec<u8>,
    /// The keys given beside it.
    pub keylog: String,
    /// The values to look for.
    pub known: Vec<Identifier>,
    /// The machine the cells are about.
    pub server: Ipv4Addr,
    /// The cells.
    pub cells: Vec<Cell>,
}

/// Who gets the bytes, and which keys they hold; whoever is not named gets nothing.
type Behind = &'static [(&'static str, &'static [&'static str])];

/// Something that is said in a scene, and the layers around it.
#[derive(Debug, Clone)]
struct Datum {
    kind: &'static str,
    value: Option<String>,
    field: Option<&'static str>,
    layers: &'static [&'static str],
    roles: &'static [&'static str],
    behind: &'static [Behind],
}

/// What a scene came to.
#[derive(Debug, Clone)]
struct Told {
    server: Ipv4Addr,
    data: Vec<Datum>,
    /// Whether the keys of its sessions are given.
    keys: bool,
}

/// Where a scene is played.
struct Stage {
    client: Client,
    random: Random,
    authority: Authority,
    user: Identifier,
    email: Identifier,
}

/// When scenes begin: 2021-02-11T18:00:00Z.
const START: Nanos = 1_613_066_400_000 * MS;

/// A scene's name, and what happens.
type Play = (&'static str, fn(&mut Stage) -> Told);

/// All scenes of a seed; those with speech are long.
#[must_use]
pub fn record(seed: u64, with_speech: bool) -> Vec<Scene> {
    let calls = with_speech.then_some(calls::PLAYS).into_iter().flatten();
    let plays = [web::PLAYS, covers::PLAYS, late::PLAYS].into_iter().flatten();
    plays.chain(calls).map(|play| scene(*play, seed)).collect()
}

fn scene((name, play): Play, seed: u64) -> Scene {
    let label = format!("cells/{name}/{seed}");
    let mut random = Random::named(&label);
    let address = Ipv4Addr::new(192, 0, 2, 2 + random.below(40) as u8);
    let mut stage = Stage {
        client: Client::new(&label, address),
        authority: Authority::new("cells", "Lighthouse Trust (fictional)"),
        user: Identifier::new("user-id", (100_000_000 + random.below(899_999_999)).to_string()),
        email: Identifier::new("email", format!("lea.{}@mail.example", random.below(100_000))),
        random,
    };
    let told = play(&mut stage);
    let client = &mut stage.client;
    client.frames.sort_by_key(|frame| frame.at);
    let application = format!("farshore-lab {} world=cells edition={name}-{seed}", env!("CARGO_PKG_VERSION"));
    let section = Section {
        application: &application,
        comment: "A fictional world: parties are made up, addresses are documentation ranges (RFC 5737), names end in .example (RFC 2606).",
        interface: "wlan0",
        description: "Wi-Fi interface of a simulated phone",
    };
    let mut keylog = String::new();
    for line in client.keylog.iter().filter(|_| told.keys) {
        let _ = writeln!(keylog, "{line}");
    }
    Scene {
        name: format!("{name}-{seed}"),
        bytes: pcapng::file(&section, client.frames.iter().map(|it| (it.at, it.bytes.as_slice()))),
        keylog,
        known: vec![stage.user, stage.email],
        server: told.server,
        cells: told.data.iter().flat_map(|it| cells(it, seed)).collect(),
    }
}

/// Who reads a datum: of all that may be behind the bytes, the one that the seed drew.
fn cells(datum: &Datum, seed: u64) -> impl Iterator<Item = Cell> + '_ {
    let reads = move |behind: Behind, role: &str| {
        let holder = behind.iter().find(|(it, _)| *it == role);
        holder.is_some_and(|(_, keys)| datum.layers.iter().all(|layer| keys.contains(layer)))
    };
    let drawn = datum.behind[(seed % datum.behind.len() as u64) as usize];
    datum.roles.iter().map(move |role| Cell {
        kind: datum.kind,
        value: datum.value.clone(),
        field: datum.field,
        role,
        reads: reads(drawn, role),
        decidable: datum.behind.iter().all(|it| reads(it, role) == reads(drawn, role)),
    })
}

impl Stage {
    fn peer(&mut self, name: &str, address: [u8; 4], party: &'static str) -> Peer {
        Peer {
            name: name.to_owned(),
            address: Ipv4Addr::from(address),
            party,
            country: "US",
            rtt: (8 + self.random.below(40)) * MS,
            hops: 9,
        }
    }

    fn resolver(&mut self) -> Peer {
        self.peer("", [192, 0, 2, 53], "harbour")
    }
}
