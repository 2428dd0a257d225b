//! How well unknown identifiers are found, over crowds of the lab: `cargo bench -p farshore --bench discover -- [FROM [TO]]`.
//!
//! Each seed is a world of its own: a protocol, users, rooms, devices, relays, captures. What is claimed is compared with the
//! truth byte by byte: a claim is right when all its evidence stands on bytes of one role, and its roles are those that the
//! captures cannot tell apart. It refuses to time anything.

use std::collections::{BTreeMap, BTreeSet};

use farshore::model::identifier::{Firmness, Identifier, Role};
use farshore::{Detecting, Detectors, Ledger, Reading, discover, read};
use farshore_lab::crowd::{self, Crowd, Design, Plant};

/// Roles that are asked for.
const SOUGHT: [&str; 4] = ["user", "room", "device", "session"];

fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|it| it.parse().ok()).collect();
    let (from, to) = (numbers.first().copied().unwrap_or(0), numbers.get(1).copied().unwrap_or(500));
    let verbose = std::env::args().any(|it| it == "-v");
    let detectors = Detectors::new(&[], Detecting::default()).expect("no values are given");
    let mut tables: BTreeMap<Design, Table> = BTreeMap::new();
    for seed in from..to {
        let crowd = crowd::record(seed, design(seed));
        let table = tables.entry(crowd.design).or_default();
        judge(seed, &crowd, &detectors, table, verbose);
    }
    println!("| design | worlds | claims | right | precision | exact bytes | encoding | roles sought | found | recall | ranked first 3 |");
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for (design, it) in &tables {
        println!(
            "| {design:?} | {} | {} | {} | {:.3} | {:.3} | {:.3} | {} | {} | {:.3} | {:.3} |",
            it.worlds,
            it.claims,
            it.right,
            share(it.right, it.claims),
            share(it.exact, it.right),
            share(it.encoding, it.right),
            it.sought,
            it.found,
            share(it.found, it.sought),
            share(it.ranked, it.sought),
        );
    }
}

/// Of ten worlds, six have captures enough.
fn design(seed: u64) -> Design {
    match seed % 10 {
        0..=4 => Design::Ample,
        5 | 6 => Design::Few,
        7 => Design::OneRoom,
        8 => Design::OneEach,
        _ => Design::Unlabelled,
    }
}

#[derive(Default)]
struct Table {
    worlds: u64,
    claims: u64,
    right: u64,
    exact: u64,
    encoding: u64,
    sought: u64,
    found: u64,
    ranked: u64,
}

#[expect(clippy::cast_precision_loss, reason = "counts of a table")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

fn judge(seed: u64, crowd: &Crowd, detectors: &Detectors, table: &mut Table, verbose: bool) {
    let mut ledger = Ledger::default();
    for run in &crowd.runs {
        let labels = crowd.labels_of(run).into_iter();
        let how = Reading {
            labels: labels.map(|(role, it)| (role.to_owned(), it.to_string())).collect(),
            specimens: true,
            ..Reading::default()
        };
        ledger.merge(read(&run.bytes[..], &run.file, &how, detectors, &mut |_| {}).expect("the lab writes captures"));
    }
    let found = discover(&ledger);
    table.worlds += 1;
    let few = crowd.design == Design::Few;
    // Where captures are few, the ranked candidates are what is asked for.
    let told: Vec<&Identifier> = found
        .identifiers
        .iter()
        .filter(|it| few || it.firmness == Firmness::Claim)
        .collect();
    let mut roles_found: BTreeMap<&str, usize> = BTreeMap::new();
    // Ids of connections need few captures, and are ranked apart.
    let mut rank = 0;
    for it in &told {
        rank += usize::from(it.roles != [Role::Session]);
        table.claims += 1;
        let hit = hit(crowd, it);
        let right = hit.as_ref().is_some_and(|it| it.right);
        if let Some(hit) = hit.filter(|it| it.right) {
            table.right += 1;
            table.exact += u64::from(hit.exact);
            table.encoding += u64::from(hit.encoding);
            roles_found.entry(hit.role).or_insert(rank);
        }
        if verbose && !right {
            println!(
                "seed {seed} {:?} wrong: {:?} {} {} p {} {:?}",
                crowd.design,
                it.roles,
                it.place,
                it.encoding,
                it.p_value,
                stands_on(crowd, it)
            );
        }
    }
    for role in SOUGHT
        .into_iter()
        .filter(|it| crowd.labelled.contains(it) && certain(crowd, &found, it))
    {
        table.sought += 1;
        // A place of one role is found with those it cannot be told from.
        let aliases = crowd.aliases(role, |_| true);
        match aliases.iter().filter_map(|it| roles_found.get(it)).min() {
            Some(rank) => {
                table.found += 1;
                table.ranked += u64::from(*rank <= 3);
            }
            None if verbose => println!(
                "seed {seed} {:?} missed: {role} {:?} tcp {} mask {:02x} loss {} magic {} {:?}",
                crowd.design,
                crowd.grammar.form,
                crowd.grammar.tcp,
                crowd.grammar.mask,
                crowd.grammar.loss,
                crowd.grammar.magic.len(),
                crowd
                    .grammar
                    .kinds
                    .iter()
                    .map(|it| it.fields.iter().map(|it| (it.what, it.code)).collect::<Vec<_>>())
                    .collect::<Vec<_>>(),
            ),
            None => {}
        }
    }
}

/// Whether the design lets a role be told: two of them, some in several captures, in more than one room.
fn certain(crowd: &Crowd, found: &farshore::model::Discovery, role: &str) -> bool {
    let least = found
        .design
        .roles
        .iter()
        .find(|it| it.role.word() == role)
        .map_or(1.0, |it| it.least_p);
    match crowd.design {
        Design::Ample => least <= 1e-4,
        Design::Few => least < 1.0,
        _ => false,
    }
}

struct Hit {
    role: &'static str,
    right: bool,
    exact: bool,
    encoding: bool,
}

/// What the evidence of a claim stands on.
fn stands_on<'c>(crowd: &'c Crowd, it: &Identifier) -> BTreeSet<&'c str> {
    let all = it.evidence.iter().flat_map(|at| {
        let plants = crowd.runs[at.input.0 as usize].plants.iter();
        plants.filter(move |plant| overlap(plant, at.span.frame, at.span.offset, at.span.length) > 0)
    });
    all.map(|it| it.role).collect()
}

fn hit(crowd: &Crowd, it: &Identifier) -> Option<Hit> {
    let (mut roles, mut exact, mut encoding) = (BTreeSet::new(), true, true);
    for at in &it.evidence {
        let span = at.span;
        let run = &crowd.runs[at.input.0 as usize];
        let plant = run
            .plants
            .iter()
            .max_by_key(|plant| overlap(plant, span.frame, span.offset, span.length))?;
        let shared = overlap(plant, span.frame, span.offset, span.length);
        // It may be a part of the value where the rest of it never varies; it may not be much more.
        if shared * 3 < span.length * 2 {
            return None;
        }
        exact &= shared == plant.length && shared == span.length;
        encoding &= it.encoding.split('^').next() == Some(plant.encoding);
        roles.insert(plant.role);
    }
    let mut roles = roles.into_iter();
    let (role, None) = (roles.next()?, roles.next()) else { return None };
    // A build that parts the captures as its users do is one of those that cannot be told apart.
    if !SOUGHT.contains(&role) && role != "build" {
        return None;
    }
    let seen: BTreeSet<u32> = (0..).zip(&it.table).filter_map(|(at, value)| value.map(|_| at)).collect();
    let seen = |run: &crowd::Run| {
        crowd
            .runs
            .iter()
            .position(|it| it.file == run.file)
            .is_some_and(|at| seen.contains(&(at as u32)))
    };
    let expected = if role == "session" {
        BTreeSet::from([role])
    } else {
        crowd.aliases(role, seen)
    };
    // Addresses are told by the captures themselves, not by labels.
    let told: BTreeSet<&str> = it
        .roles
        .iter()
        .map(|it| it.word())
        .filter(|it| !["client-address", "relay", "region"].contains(it))
        .collect();
    Some(Hit {
        role,
        right: told == expected,
        exact,
        encoding,
    })
}

/// Bytes that a plant and a range of a frame share.
fn overlap(plant: &Plant, frame: u64, offset: u64, length: u64) -> u64 {
    if plant.frame != frame {
        return 0;
    }
    let end = (plant.offset + plant.length).min(offset + length);
    end.saturating_sub(plant.offset.max(offset))
}
