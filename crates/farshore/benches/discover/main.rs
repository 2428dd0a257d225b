//! How well unknown identifiers are found, over crowds of the lab: `cargo bench -p farshore --bench discover -- [FROM [TO]]`.
//!
//! Each seed is a world of its own: a protocol, users, rooms, devices, relays, captures. What is claimed is compared with the
//! truth byte by byte: a claim is right when all its evidence stands on bytes of one role, and its roles are those that the
//! captures cannot tell apart. Beside it stands what [`fieldhunter`] finds in the same captures. It refuses to time anything.

mod fieldhunter;

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
    let all = tables.values().fold(Table::default(), |all, it| all.with(it));
    println!(
        "| design | worlds | claims | right | precision | exact bytes | encoding | candidates | right | precision | roles sought | found | recall | ranked first 3 |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    let named = tables.iter().map(|(design, it)| (format!("{design:?}"), it));
    for (design, it) in named.chain([("all".to_owned(), &all)]) {
        println!(
            "| {design} | {} | {} | {} | {:.3} | {:.3} | {:.3} | {} | {} | {:.3} | {} | {} | {:.3} | {:.3} |",
            it.worlds,
            it.claims.told,
            it.claims.right,
            share(it.claims.right, it.claims.told),
            share(it.exact, it.claims.right + it.candidates.right),
            share(it.encoding, it.claims.right + it.candidates.right),
            it.candidates.told,
            it.candidates.right,
            share(it.candidates.right, it.candidates.told),
            it.sought,
            it.found,
            share(it.found, it.sought),
            share(it.ranked, it.sought),
        );
    }
    println!("\n| FieldHunter | worlds | fields | right | precision | roles sought | found | recall |");
    println!("|---|---|---|---|---|---|---|---|");
    let named = tables.iter().map(|(design, it)| (format!("{design:?}"), it));
    for (design, it) in named.chain([("all".to_owned(), &all)]) {
        let theirs = &it.theirs;
        println!(
            "| {design} | {} | {} | {} | {:.3} | {} | {} | {:.3} |",
            it.worlds,
            theirs.told,
            theirs.right,
            share(theirs.right, theirs.told),
            it.sought,
            it.found_by_them,
            share(it.found_by_them, it.sought),
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
    claims: Told,
    /// Where captures are few.
    candidates: Told,
    exact: u64,
    encoding: u64,
    sought: u64,
    found: u64,
    ranked: u64,
    /// Of FieldHunter.
    theirs: Told,
    found_by_them: u64,
}

#[derive(Clone, Copy, Default)]
struct Told {
    told: u64,
    right: u64,
}

impl Told {
    fn with(self, more: Self) -> Self {
        Self {
            told: self.told + more.told,
            right: self.right + more.right,
        }
    }
}

impl Table {
    fn with(self, more: &Self) -> Self {
        Self {
            worlds: self.worlds + more.worlds,
            claims: self.claims.with(more.claims),
            candidates: self.candidates.with(more.candidates),
            exact: self.exact + more.exact,
            encoding: self.encoding + more.encoding,
            sought: self.sought + more.sought,
            found: self.found + more.found,
            ranked: self.ranked + more.ranked,
            theirs: self.theirs.with(more.theirs),
            found_by_them: self.found_by_them + more.found_by_them,
        }
    }
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
        let hit = hit(crowd, it);
        let right = hit.as_ref().is_some_and(|it| it.right);
        let counted = if it.firmness == Firmness::Claim {
            &mut table.claims
        } else {
            &mut table.candidates
        };
        *counted = counted.with(Told {
            told: 1,
            right: u64::from(right),
        });
        if let Some(hit) = hit.filter(|it| it.right) {
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
    let found_by_them = hunted(crowd, &ledger, table);
    for role in SOUGHT
        .into_iter()
        .filter(|it| crowd.labelled.contains(it) && certain(crowd, &found, it))
    {
        table.sought += 1;
        // A place of one role is found with those it cannot be told from.
        let aliases = crowd.aliases(role, |_| true);
        table.found_by_them += u64::from(aliases.iter().any(|it| found_by_them.contains(it)));
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

/// Judges what FieldHunter finds by the same measure, and gives the roles of what is right. A Host-ID may be of a user or of a
/// device: the paper tells no more.
fn hunted<'c>(crowd: &'c Crowd, ledger: &Ledger, table: &mut Table) -> BTreeSet<&'c str> {
    let mut roles = BTreeSet::new();
    for field in fieldhunter::fields(ledger) {
        let meant: &[&str] = match field.kind {
            fieldhunter::Kind::Host => &["user", "device"],
            fieldhunter::Kind::Session => &["session"],
        };
        let mut seen = BTreeSet::new();
        let first = field.spots.iter().filter(|(at, ..)| seen.insert(ledger.specimens[*at].locus.input));
        let on: Option<BTreeSet<&str>> = first
            .map(|(at, offset, length)| {
                let whole = &ledger.specimens[*at].locus;
                let (start, length) = (whole.span.offset + *offset as u64, *length as u64);
                let plants = crowd.runs[whole.input.0 as usize].plants.iter();
                let plant = plants.max_by_key(|it| overlap(it, whole.span.frame, start, length))?;
                let shared = overlap(plant, whole.span.frame, start, length);
                (shared * 3 >= length * 2).then_some(plant.role)
            })
            .collect();
        let right = on
            .as_ref()
            .is_some_and(|it| it.len() == 1 && it.iter().all(|role| meant.contains(role)));
        table.theirs = table.theirs.with(Told {
            told: 1,
            right: u64::from(right),
        });
        roles.extend(on.filter(|_| right).into_iter().flatten());
    }
    roles
}

/// Bytes that a plant and a range of a frame share.
fn overlap(plant: &Plant, frame: u64, offset: u64, length: u64) -> u64 {
    if plant.frame != frame {
        return 0;
    }
    let end = (plant.offset + plant.length).min(offset + length);
    end.saturating_sub(plant.offset.max(offset))
}
