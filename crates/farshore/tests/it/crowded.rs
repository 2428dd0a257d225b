//! Links over crowds of the lab: many users in many rooms, over protocols nobody documented, the ids of the rooms known. Whoever
//! is on the path links all who were in one room, and nobody else; where nothing can be read, nobody.

use std::collections::{BTreeMap, BTreeSet};

use farshore::model::identifier::Firmness;
use farshore::model::{Audit, DatumKind, Ledger, ReaderRole, Role};
use farshore::{Detecting, Detectors, Known, Reading};
use farshore_lab::crowd::grammar::{Code, Grammar, What};
use farshore_lab::crowd::{Crowd, Design, record};

use crate::clubhouse::audit;

type Pairs = BTreeSet<(String, String)>;

/// How rooms are written in a protocol, if in one way that a value can be looked for in: sixteen bits are told from chance by
/// nothing, and a varint has no value of its own.
fn written(grammar: &Grammar) -> Option<Code> {
    let fields = grammar.kinds.iter().flat_map(|it| &it.fields);
    let code = fields.into_iter().find(|it| it.what == What::Id("room"))?.code;
    (!matches!(code, Code::Int(2, _) | Code::Varint)).then_some(code)
}

/// The id of a room, as a user would list it.
fn known(crowd: &Crowd, room: u64, code: Code) -> Known {
    let number = crowd.grammar.number("room", room, code);
    let value = match code {
        Code::Int(width, _) => (number & (u64::MAX >> (64 - 8 * width))).to_string(),
        Code::RawUuid => String::from_utf8(Grammar::write(Code::Uuid, number)).unwrap(),
        _ => String::from_utf8(Grammar::write(code, number)).unwrap(),
    };
    Known {
        name: format!("room {room}"),
        kind: DatumKind::named("room-id"),
        value,
    }
}

fn user(index: u64) -> String {
    format!("user-{index:02}")
}

/// All runs in one audit, each labelled with its user; what `change` makes of the bytes is what is read.
fn audited(crowd: &Crowd, code: Code, change: impl Fn(&[u8]) -> Vec<u8>) -> Audit {
    let rooms: BTreeSet<u64> = crowd.runs.iter().map(|it| it.cast.room).collect();
    let known: Vec<Known> = rooms.into_iter().map(|room| known(crowd, room, code)).collect();
    let detectors = Detectors::new(&known, Detecting::default()).unwrap();
    let mut ledger = Ledger::default();
    for run in &crowd.runs {
        let bytes = change(&run.bytes);
        let mut one = farshore::read(bytes.as_slice(), &run.file, &Reading::default(), &detectors.fork(), &mut |_| {}).unwrap();
        for input in &mut one.inputs {
            input.labels.insert("user".to_owned(), user(run.cast.user));
        }
        ledger.merge(one);
    }
    audit(ledger, None)
}

/// All who were in one room, in runs that carried its id.
fn together(crowd: &Crowd) -> Pairs {
    let mut members: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for run in crowd.runs.iter().filter(|it| it.plants.iter().any(|plant| plant.role == "room")) {
        members.entry(run.cast.room).or_default().insert(run.cast.user);
    }
    let mut all = Pairs::new();
    for users in members.values() {
        for a in users {
            all.extend(users.iter().filter(|b| a < b).map(|b| (user(*a), user(*b))));
        }
    }
    all
}

fn linked(audit: &Audit) -> Pairs {
    let links = audit.links.iter().flatten().filter(|it| it.observer == ReaderRole::OnPath);
    links
        .map(|it| {
            assert!(it.anonymity_set >= 2 && it.evidence.len() == 2, "{it:?}");
            let mut ends = [it.a.to_string(), it.b.to_string()];
            ends.sort();
            let [a, b] = ends;
            (a, b)
        })
        .collect()
}

#[test]
fn the_path_links_all_who_were_in_one_room_of_a_crowd_and_nobody_else() {
    let (mut edges, mut found, mut worlds, mut masked) = (0_usize, 0_usize, 0_usize, 0_usize);
    for seed in 7_000..7_100 {
        let design = [Design::Few, Design::OneEach][seed as usize % 2];
        let crowd = record(seed, design);
        let Some(code) = written(&crowd.grammar).filter(|_| crowd.runs.len() <= 25) else {
            continue;
        };
        let audit = audited(&crowd, code, <[u8]>::to_vec);
        let (seen, truth) = (linked(&audit), together(&crowd));
        let wrong: Vec<_> = seen.difference(&truth).collect();
        assert!(wrong.is_empty(), "seed {seed}: {wrong:?}");
        worlds += 1;
        masked += usize::from(crowd.grammar.mask != 0);
        edges += truth.len();
        found += seen.len();
    }
    assert!(
        worlds >= 60 && masked >= 8 && edges > 400,
        "{worlds} worlds, {masked} masked, {edges} edges"
    );
    assert!(found * 100 >= edges * 95, "{found} of {edges} edges over {worlds} worlds");
}

/// The runs are labelled with their rooms, and nobody says how an id of a room looks: numbers of two bytes and varints count as well.
#[test]
fn ids_of_rooms_that_a_comparison_finds_link_as_those_that_are_named() {
    let detectors = Detectors::new(&[], Detecting::default()).unwrap();
    let reading = Reading {
        specimens: true,
        ..Reading::default()
    };
    let (mut edges, mut found, mut claimed) = (0_usize, 0_usize, 0_usize);
    for seed in 7_100..7_108 {
        let crowd = record(seed, Design::Ample);
        let mut ledger = Ledger::default();
        for run in &crowd.runs {
            let mut one = farshore::read(run.bytes.as_slice(), &run.file, &reading, &detectors.fork(), &mut |_| {}).unwrap();
            for input in &mut one.inputs {
                input.labels.insert("user".to_owned(), user(run.cast.user));
                input.labels.insert("room".to_owned(), run.cast.room.to_string());
            }
            ledger.merge(one);
        }
        let audit = audit(ledger, None);
        let (seen, truth) = (linked(&audit), together(&crowd));
        let wrong: Vec<_> = seen.difference(&truth).collect();
        assert!(wrong.is_empty(), "seed {seed}: {wrong:?}");
        let rooms: Vec<String> = (audit.discovery.iter().flat_map(|it| &it.identifiers).enumerate())
            .filter(|(_, it)| it.firmness == Firmness::Claim && it.roles.contains(&Role::Room))
            .map(|(at, _)| format!("identifiers[{at}]#"))
            .collect();
        for link in audit.links.iter().flatten() {
            assert!(rooms.iter().any(|it| link.label().starts_with(it)), "seed {seed}: {}", link.label());
        }
        if !rooms.is_empty() {
            claimed += 1;
            edges += truth.len();
            found += seen.len();
        }
    }
    assert!(claimed >= 6 && edges > 50, "{claimed} crowds, {edges} edges");
    assert!(found * 100 >= edges * 95, "{found} of {edges} edges");
}

#[test]
fn where_nothing_can_be_read_the_path_links_nobody() {
    let crowd = record(7_002, Design::Few);
    let code = written(&crowd.grammar).unwrap_or(Code::Decimal);
    // What is sealed has no byte of the ids: they stand in no frame.
    let audit = audited(&crowd, code, |bytes| {
        let mut sealed = bytes.to_vec();
        for plant in crowd.runs.iter().filter(|it| it.bytes == bytes).flat_map(|it| &it.plants) {
            blot(&mut sealed, plant.frame, plant.offset, plant.length);
        }
        sealed
    });
    assert_eq!(linked(&audit), Pairs::new());
}

/// Writes over bytes of a frame of a pcapng file (blocks of a type and two lengths; packets are of type 6).
fn blot(file: &mut [u8], frame: u64, offset: u64, length: u64) {
    let word = |file: &[u8], at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let (mut at, mut number) = (0, 0);
    while at + 8 <= file.len() {
        let size = word(file, at + 4) as usize;
        number += u64::from(word(file, at) == 6);
        if number == frame {
            let from = at + 28 + offset as usize;
            for (place, byte) in file[from..from + length as usize].iter_mut().enumerate() {
                *byte = (place as u8).wrapping_mul(151) ^ 0xa5;
            }
            return;
        }
        at += size;
    }
}
