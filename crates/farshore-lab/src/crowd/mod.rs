//! Owns crowds: many users in many rooms, over protocols that nobody documented, each drawn from a seed. A crowd is a handful
//! of small captures with labels and a truth that names every byte an identifier stands in.
//!
//! Made to ask one question: which bytes say who and where? So everything else that could be mistaken for an identifier is
//! there too: counters, clocks, nonces, tokens and keys, stream numbers, lengths, and constants per build, relay and region.
//! Refuses media and encryption: what cannot be read is another world's subject.

pub mod grammar;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use serde::Serialize;

use crate::random::Random;
use grammar::{Code, Grammar};

/// What a capture's design is meant to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Design {
    /// Captures enough to be certain.
    Ample,
    /// Four to eight captures: enough to rank, not to be certain.
    Few,
    /// Everybody in one room.
    OneRoom,
    /// One capture of each user.
    OneEach,
    /// As ample, and without labels.
    Unlabelled,
}

impl Design {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Ample, Self::Few, Self::OneRoom, Self::OneEach, Self::Unlabelled];
}

/// A role in a crowd, by the words of the audit's output.
pub type Role = &'static str;

/// One run: who, where, with what.
#[derive(Debug, Clone, Serialize)]
pub struct Cast {
    /// The user.
    pub user: u64,
    /// The room.
    pub room: u64,
    /// The device; a user may have several, and nobody shares one.
    pub device: u64,
    /// The version of the program.
    pub build: u64,
    /// The relay each conversation goes to.
    pub relays: Vec<u64>,
    /// The address each conversation comes from.
    pub addresses: Vec<Ipv4Addr>,
}

/// Bytes that carry an identifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plant {
    /// Whose.
    pub role: Role,
    /// How it is written.
    pub encoding: &'static str,
    /// The frame, from 1.
    pub frame: u64,
    /// Bytes of the frame before it.
    pub offset: u64,
    /// Its bytes.
    pub length: u64,
}

/// A capture of one run.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its file name.
    pub file: String,
    /// The capture.
    pub bytes: Vec<u8>,
    /// Who and where.
    pub cast: Cast,
    /// The identifiers in it, and what is none: decoys have a role of no identifier.
    pub plants: Vec<Plant>,
}

/// A crowd.
#[derive(Debug, Clone)]
pub struct Crowd {
    /// What it was made for.
    pub design: Design,
    /// Its protocol.
    pub grammar: Grammar,
    /// Its captures.
    pub runs: Vec<Run>,
    /// Which roles are labelled.
    pub labelled: BTreeSet<Role>,
}

/// Draws the crowd of that seed.
#[must_use]
pub fn record(seed: u64, design: Design) -> Crowd {
    let mut random = Random::named(&format!("crowd {seed}"));
    let pick = |random: &mut Random, from: u64, to: u64| from + random.below(to - from + 1);
    let (captures, users, rooms) = match design {
        // Some crowds are large: two or three captures of each of many.
        Design::Ample if random.below(8) == 0 => {
            let users = pick(&mut random, 10, 50);
            (users * pick(&mut random, 2, 3), users, pick(&mut random, 5, 20))
        }
        Design::Ample | Design::Unlabelled => {
            let users = [2, 3, 4, 5, 6, 8][random.below(6) as usize];
            (pick(&mut random, 19, 24), users, pick(&mut random, 2, 6))
        }
        Design::Few => (pick(&mut random, 4, 8), pick(&mut random, 2, 3), 2),
        Design::OneRoom => (pick(&mut random, 12, 20), pick(&mut random, 2, 6), 1),
        Design::OneEach => {
            let captures = pick(&mut random, 6, 50);
            (captures, captures, pick(&mut random, 2, 20))
        }
    };
    let grammar = Grammar::draw(&mut random, captures);
    let devices = 1 + random.below(2);
    let relays = pick(&mut random, 1, 4);
    let builds = pick(&mut random, 1, 3);
    let casts: Vec<Cast> = (0..captures)
        .map(|it| cast(&mut random, it, (users, rooms, devices, relays, builds), design))
        .collect();
    let mut labelled = BTreeSet::new();
    if design != Design::Unlabelled {
        labelled.extend(["user", "room"]);
        if random.below(2) == 0 {
            labelled.insert("device");
        }
        if random.below(3) == 0 {
            labelled.insert("build");
        }
    }
    let runs = (1..)
        .zip(casts)
        .map(|(number, cast)| {
            let mut of_run = Random::named(&format!("crowd {seed} run {number}"));
            wire::run(format!("run-{number:02}.pcapng"), cast, &grammar, number, &mut of_run)
        })
        .collect();
    Crowd {
        design,
        grammar,
        runs,
        labelled,
    }
}

/// Who is where in the `number`-th run. Every user and every room comes up as evenly as the numbers allow.
fn cast(random: &mut Random, number: u64, (users, rooms, devices, relays, builds): (u64, u64, u64, u64, u64), design: Design) -> Cast {
    let user = number % users;
    let round = number / users;
    // In a few captures, each user meets each room as far as it goes: what is the user's is not the room's.
    let room = if design == Design::Few {
        (round + user * random.below(2)) % rooms
    } else {
        random.below(rooms)
    };
    let conversations = 1 + random.below(3);
    let home = Ipv4Addr::new(198, 51, 100, (10 + user % 200) as u8);
    let mut addresses = Vec::new();
    for _ in 0..conversations {
        // People move: another network, another address.
        let moved = random.below(4) == 0;
        addresses.push(if moved {
            Ipv4Addr::new(192, 0, 2, (1 + random.below(250)) as u8)
        } else {
            home
        });
    }
    Cast {
        user,
        room,
        device: user * devices + random.below(devices),
        build: random.below(builds),
        relays: (0..conversations).map(|_| random.below(relays)).collect(),
        addresses,
    }
}

impl Crowd {
    /// The labels, as `--labels` takes them.
    #[must_use]
    pub fn labels(&self) -> String {
        let mut out = "input".to_owned();
        for role in &self.labelled {
            out.push(',');
            out.push_str(role);
        }
        out.push('\n');
        for run in &self.runs {
            out.push_str(&run.file);
            for (role, value) in self.labels_of(run) {
                let _ = write!(out, ",{role}-{value}");
            }
            out.push('\n');
        }
        out
    }

    /// The labels of one run.
    #[must_use]
    pub fn labels_of(&self, run: &Run) -> BTreeMap<Role, u64> {
        self.labelled.iter().map(|role| (*role, run.cast.index(role))).collect()
    }

    /// The roles that part the runs as this one does, as far as labels and addresses tell, of the runs that satisfy `seen`.
    #[must_use]
    pub fn aliases(&self, role: Role, seen: impl Fn(&Run) -> bool) -> BTreeSet<Role> {
        let runs: Vec<&Run> = self.runs.iter().filter(|it| seen(it)).collect();
        let mine: Vec<u64> = runs.iter().map(|it| it.cast.index(role)).collect();
        let mut found = BTreeSet::from([role]);
        for other in ["user", "room", "device", "build"] {
            let theirs: Vec<u64> = runs.iter().map(|it| it.cast.index(other)).collect();
            if self.labelled.contains(other) && alike(&mine, &theirs) {
                found.insert(other);
            }
        }
        if found.contains("user") && !self.labelled.contains("device") {
            found.insert("device");
        }
        if found.contains("device") && !self.labelled.contains("user") {
            found.insert("user");
        }
        found
    }
}

impl Cast {
    /// Which one it is, of a role.
    #[must_use]
    pub fn index(&self, role: Role) -> u64 {
        match role {
            "user" => self.user,
            "room" => self.room,
            "device" => self.device,
            _ => self.build,
        }
    }
}

/// Whether two lists are equal in the same places.
fn alike(a: &[u64], b: &[u64]) -> bool {
    (0..a.len()).all(|i| (0..i).all(|j| (a[i] == a[j]) == (b[i] == b[j])))
}

/// The name a code has in the audit's output.
#[must_use]
pub fn name(code: Code) -> &'static str {
    match code {
        Code::Int(2, false) => "u16be",
        Code::Int(2, true) => "u16le",
        Code::Int(4, false) => "u32be",
        Code::Int(4, true) => "u32le",
        Code::Int(_, false) => "u64be",
        Code::Int(_, true) => "u64le",
        Code::Varint => "varint",
        Code::Decimal => "ascii-decimal",
        Code::Hex => "hex",
        Code::Uuid | Code::RawUuid => "uuid",
        Code::Base64 => "base64",
    }
}
