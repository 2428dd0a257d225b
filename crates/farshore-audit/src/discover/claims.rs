//! From places that fit to claims: roles that cannot be told apart, p as corrected, and what captures kept aside say to it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Range;

use farshore_model::Locus;
use farshore_model::identifier::{Firmness, Identifier, Role, Support};
use farshore_model::sighting::KEPT;

use super::design::Captures;
use super::encoding;
use super::groups::Group;
use super::partition::{Partition, holm};
use super::places::{Place, Spot, numbered};

/// Corrected p up to which a fit is a claim.
const LEVEL: f64 = 0.01;
/// Captures below which nothing is said at all.
const LEAST_CAPTURES: usize = 4;
/// Below so many different values, those that differ in one byte only may be the values of a setting.
const FEW_VALUES: usize = 4;
/// Bytes of a header, in which lengths and versions stand.
const HEADER: usize = 8;
/// Bytes in which most values of a single capture have to differ.
const LEAST_VARYING: usize = 3;
/// So many clients of one capture hardly run a version each.
const SURELY_SEVERAL: usize = 8;
/// Roles that make a place worth telling; the others are only told beside them.
const SOUGHT: [Role; 3] = [Role::User, Role::Room, Role::Device];

/// How much was tried.
#[derive(Default)]
pub(super) struct Survey {
    /// Places.
    pub(super) looked: u64,
    /// Of those, steady ones.
    pub(super) steady: u64,
    /// Places that were tried as ids of connections.
    pub(super) sessions: usize,
    /// Hypotheses that could come out true.
    tried: BTreeSet<(Role, Partition)>,
}

impl Survey {
    /// Counts steady places, and the hypotheses they make.
    pub(super) fn steady<'p>(&mut self, captures: &Captures, partitions: impl IntoIterator<Item = &'p Partition>) {
        for it in partitions {
            self.steady = self.steady.saturating_add(1);
            for role in SOUGHT {
                let Some(labels) = captures.labelled.get(&role) else { continue };
                let found_on = |at| !captures.is_aside(at);
                let (mine, theirs) = (it.within(labels, found_on), labels.within(it, found_on));
                if mine.sizes() == theirs.sizes() && mine.chance() < 1.0 {
                    self.tried.insert((role, mine));
                }
            }
        }
    }

    pub(super) fn hypotheses(&self) -> usize {
        self.tried.len().saturating_add(self.sessions)
    }
}

/// A place that fits a role.
struct Fit<'a> {
    place: Place<'a>,
    role: Role,
    p_single: f64,
}

/// Places that fit.
pub(super) struct Claims<'a, 'c> {
    captures: &'c Captures,
    fits: Vec<Fit<'a>>,
}

impl<'a, 'c> Claims<'a, 'c> {
    pub(super) fn new(captures: &'c Captures) -> Self {
        Self {
            captures,
            fits: Vec::new(),
        }
    }

    /// Whether any place could be that of a role at all.
    pub(super) fn can_tell(&self) -> bool {
        let roles = SOUGHT.iter().filter_map(|it| self.captures.labelled.get(it));
        let some = roles
            .into_iter()
            .any(|it| it.within(it, |at| !self.captures.is_aside(at)).chance() < 1.0);
        some && !self.captures.one_room() && !self.captures.one_each()
    }

    /// Takes the places of a group that carry a partition, if it is that of a role.
    pub(super) fn consider(&mut self, it: &Partition, places: impl FnOnce(&Partition, &[&Partition]) -> Vec<Place<'a>>) {
        if self.captures.one_room() || self.captures.one_each() {
            return;
        }
        let mut places = Some(places);
        for role in SOUGHT {
            let Some(labels) = self.captures.labelled.get(&role) else {
                continue;
            };
            let train = labels.within(it, |at| !self.captures.is_aside(at));
            let p_single = train.chance();
            let seen = it.within(labels, |_| true).known();
            let fits = p_single < 1.0 && seen >= LEAST_CAPTURES && seen.saturating_mul(5) >= labels.known().saturating_mul(3);
            if !fits || !it.agrees(labels) {
                continue;
            }
            let others: Vec<&Partition> = self
                .captures
                .labelled
                .iter()
                .filter(|(it, _)| **it != role)
                .map(|it| it.1)
                .collect();
            if let Some(places) = places.take() {
                let found = places(it, &others);
                self.fits.extend(found.into_iter().map(|place| Fit { place, role, p_single }));
            }
        }
    }

    /// What it all comes to, each with where it stands.
    pub(super) fn settle(
        mut self,
        survey: &Survey,
        groups: &[Group<'_>],
        orders: &BTreeMap<usize, bool>,
    ) -> Vec<(Identifier, Vec<Spot<'a>>)> {
        // Those that a structure limits, then those that most messages have.
        self.fits.sort_by_key(|it| {
            let narrowed = groups.get(it.place.group).map_or(0, |it| it.narrowed);
            (it.place.fixed.is_some(), std::cmp::Reverse(it.place.spots.len()), narrowed)
        });
        let grown: Vec<Option<(usize, usize)>> = self.fits.iter().map(|it| self.grown(it)).collect();
        for (fit, grown) in self.fits.iter_mut().zip(grown) {
            if let Some((left, right)) = grown {
                fit.place.widen(left, right);
            }
        }
        let mut told: BTreeMap<(Role, usize), Vec<Range<usize>>> = BTreeMap::new();
        let mut values: BTreeSet<(usize, usize, usize)> = BTreeSet::new();
        let value = |it: &Spot<'_>| (it.message.index, it.range.start, it.range.end);
        let mut found = Vec::new();
        for fit in self.fits {
            // What all captures tell of a value, fewer of them tell no better: among them another role may fit as well.
            let known = fit.place.spots.iter().filter(|it| values.contains(&value(it))).count();
            if known.saturating_mul(2) > fit.place.spots.len() {
                continue;
            }
            let mut overlaps = 0_usize;
            for spot in &fit.place.spots {
                let at = told.entry((fit.role, spot.message.index)).or_default();
                let meets = |it: &Range<usize>| it.start < spot.range.end && spot.range.start < it.end;
                if at.iter().any(meets) {
                    overlaps = overlaps.saturating_add(1);
                }
            }
            if overlaps.saturating_mul(2) > fit.place.spots.len() {
                continue;
            }
            let service = groups.get(fit.place.group).map(|it| it.of);
            let little = service.and_then(|it| orders.get(&it)).copied();
            let Some(identifier) = identifier(&fit, self.captures, little) else {
                continue;
            };
            for spot in &fit.place.spots {
                told.entry((fit.role, spot.message.index)).or_default().push(spot.range.clone());
            }
            values.extend(fit.place.spots.iter().map(value));
            found.push((identifier, fit.place.spots));
        }
        // Places of one role and partition are one hypothesis: they share its share of the level.
        let mut single: Vec<f64> = found.iter().map(|it| it.0.p_single).collect();
        single.sort_by(f64::total_cmp);
        single.dedup();
        let corrected = holm(&single, survey.hypotheses());
        for (it, _) in &mut found {
            let at = single.iter().position(|p| *p >= it.p_single).unwrap_or(0);
            it.p_value = corrected.get(at).copied().unwrap_or(1.0).max(it.p_single);
            if it.p_value <= LEVEL {
                it.firmness = Firmness::Claim;
            }
        }
        found.sort_by(|(a, _), (b, _)| {
            let order = a.firmness.cmp(&b.firmness).then(a.p_single.total_cmp(&b.p_single));
            order
                .then(b.support.messages.cmp(&a.support.messages))
                .then_with(|| a.place.cmp(&b.place))
        });
        found
    }
}

impl Claims<'_, '_> {
    /// By how much a value is wider than what varies of it: as far as the same bytes surround it in another kind of message, if
    /// that makes a number of a usual width.
    fn grown(&self, fit: &Fit<'_>) -> Option<(usize, usize)> {
        let width = fit.place.spots.first()?.range.len();
        if fit.place.fixed.is_none() || width >= 4 || is_counted(&fit.place.spots) {
            return None;
        }
        // Letters that vary are a word, and what is common around them is the name of the field.
        if fit.place.spots.iter().all(|it| it.value().iter().all(u8::is_ascii_alphabetic)) {
            return None;
        }
        let others = self
            .fits
            .iter()
            .filter(|it| it.role == fit.role && it.place.group != fit.place.group);
        others.filter_map(|it| common(&fit.place, &it.place)).find_map(|(left, right)| {
            let whole = left.saturating_add(width).saturating_add(right);
            let usual = [8_usize, 4, 2].into_iter().find(|it| *it <= whole && *it >= width)?;
            let spare = whole.saturating_sub(usual);
            // What is common besides stands before a value, such as its length.
            let left = left.saturating_sub(spare.min(left));
            let right = usual.saturating_sub(width).checked_sub(left)?;
            (usual > width).then_some((left, right))
        })
    }
}

/// Whether its length stands before each value, in one byte or in two: then it ends where that says.
fn is_counted(spots: &[Spot<'_>]) -> bool {
    spots.iter().all(|it| {
        let before = it.message.bytes().get(..it.range.start).unwrap_or_default();
        match before {
            [.., length, 0] | [.., length] => usize::from(*length) == it.range.len(),
            [] => false,
        }
    })
}

/// How many bytes before and behind a value are the same in two places of different messages, in every capture.
fn common(a: &Place<'_>, b: &Place<'_>) -> Option<(usize, usize)> {
    const FARTHEST: usize = 12;
    let first = |place: &Place<'_>| -> BTreeMap<usize, (Vec<u8>, Range<usize>, usize)> {
        let mut first = BTreeMap::new();
        for it in &place.spots {
            let message = &it.message;
            let entry = (message.bytes().to_vec(), it.range.clone(), message.index);
            first.entry(message.capture).or_insert(entry);
        }
        first
    };
    let (a, b) = (first(a), first(b));
    let pairs: Vec<_> = a.iter().filter_map(|(capture, a)| Some((a, b.get(capture)?))).collect();
    // The same messages, or those of one kind, tell nothing: the same fields stand around the value.
    if pairs.len() < 2 || pairs.iter().any(|(a, b)| a.2 == b.2 || a.1.start == b.1.start) {
        return None;
    }
    let same = |at: isize, shift: isize| {
        pairs.iter().all(|(a, b)| {
            let x = a.1.start.checked_add_signed(at).and_then(|at| a.0.get(at));
            let y =
                b.1.start
                    .checked_add_signed(at)
                    .and_then(|it| it.checked_add_signed(shift))
                    .and_then(|at| b.0.get(at));
            x.is_some() && x == y
        })
    };
    let width = isize::try_from(pairs.first()?.0.1.len()).ok()?;
    let shift = [0_isize, -1, 1, -2, 2, -3, 3, -4, 4, -5, 5, -6, 6, -7, 7]
        .into_iter()
        .find(|shift| (0..width).all(|at| same(at, *shift)))?;
    let left = (1..=FARTHEST)
        .take_while(|at| isize::try_from(*at).is_ok_and(|at| same(at.saturating_neg(), shift)))
        .count();
    let right = (0..FARTHEST)
        .take_while(|at| isize::try_from(*at).is_ok_and(|at| same(width.saturating_add(at), shift)))
        .count();
    (left < FARTHEST && right < FARTHEST).then_some((left, right))
}

/// A fit as it is told; `None` if it is something else after all.
fn identifier(fit: &Fit<'_>, captures: &Captures, little: Option<bool>) -> Option<Identifier> {
    let place = &fit.place;
    let column = place.column(captures.count)?;
    let partition = Partition::of(column.iter().copied());
    let labels = captures.labelled.get(&fit.role)?;
    if !partition.agrees(labels) {
        return None;
    }
    let mut values: Vec<&[u8]> = column.iter().flatten().copied().collect();
    values.sort_unstable();
    values.dedup();
    let widest = values.iter().map(|it| it.len()).max().unwrap_or(0);
    if widest < 2 && !(place.fixed.is_none() && encoding::is_number(&values)) {
        return None;
    }
    if values.len() < FEW_VALUES && are_small(&values) || is_length(&place.spots) || is_address(place, captures) || place.is_shifted() {
        return None;
    }
    // Without labels, versions and lengths of a few programs go with their addresses as well.
    if captures.inputs == 1 && (!are_far_apart(&values) || goes_with_length(place, &partition, captures.count)) {
        return None;
    }
    let roles = roles(fit.role, place, &partition, captures);
    let aside = |at: &usize| captures.is_aside(*at);
    let known = |at: &usize| {
        let here = partition.groups().get(*at).copied().flatten();
        here.is_some() && labels.groups().get(*at).copied().flatten().is_some()
    };
    let confirmed = (0..captures.count).filter(|at| aside(at) && known(at)).count();
    let support = Support {
        captures: partition.known().min(captures.inputs) as u64,
        sessions: place.flows().len() as u64,
        messages: place.spots.len() as u64,
    };
    let word = fit.role.word();
    let (known_of, compared) = (partition.known(), captures.word());
    let mut because = format!(
        "each of {known_of} {compared} has one value here; their {} values part them as the {} {word}s do",
        values.len(),
        labels.distinct(),
    );
    if captures.by_address_only && fit.role == Role::User {
        because = format!(
            "each of {known_of} {compared} has one value here; their {} values part those that stayed in one place as the {} addresses of clients do",
            values.len(),
            labels.distinct(),
        );
    }
    if confirmed > 0 {
        because.push_str(&format!("; {confirmed} {compared} kept aside agree"));
    }
    if roles.len() > 1 {
        because.push_str(&format!("; the {compared} do not tell these roles apart"));
    }
    Some(Identifier {
        roles,
        firmness: Firmness::Candidate,
        place: place.title(),
        encoding: match place.spots.first().map_or(0, |it| it.message.mask) {
            0 => encoding::name(&values, little),
            mask => format!("{}^{mask:02x}", encoding::name(&values, little)),
        },
        distinct: values.len() as u64,
        support,
        because,
        p_value: 1.0,
        p_single: fit.p_single,
        least_p: labels.within(labels, |at| !captures.is_aside(at)).chance(),
        confirmed_on: confirmed as u64,
        // What its conversations have is not what an input has.
        table: if captures.inputs == 1 { vec![None] } else { numbered(&column) },
        evidence: evidence(&place.spots),
    })
}

/// The roles that part the captures as this place does.
fn roles(found: Role, place: &Place<'_>, partition: &Partition, captures: &Captures) -> Vec<Role> {
    let mut roles = BTreeSet::from([found]);
    for (role, labels) in &captures.labelled {
        if labels.known() >= partition.known() && labels.agrees(partition) {
            roles.insert(*role);
        }
    }
    // Who has which device was not told: each may have one.
    for (one, other) in [(Role::User, Role::Device), (Role::Device, Role::User)] {
        let told = captures.labelled.contains_key(&other) && !(captures.by_address_only && other == Role::User);
        if roles.contains(&one) && !told {
            roles.insert(other);
        }
    }
    // Of one capture nothing says that two clients run the same program.
    if captures.inputs == 1 && partition.distinct() < SURELY_SEVERAL {
        roles.insert(Role::Build);
    }
    if !captures.labelled.contains_key(&Role::Build) && place.spots.iter().all(|it| encoding::is_version(it.value())) {
        roles.insert(Role::Build);
    }
    let [by_client, by_server] = captures.by_address(&place.flows());
    if by_client.is_some_and(|it| it.agrees(partition)) {
        roles.insert(Role::ClientAddress);
    }
    if by_server.is_some_and(|it| it.agrees(partition)) || captures.goes_with_relays(partition) {
        roles.extend([Role::Relay, Role::Region]);
    }
    roles.into_iter().collect()
}

/// Whether most of these values differ from each other in many bytes, as ids do, rather than as versions and lengths.
fn are_far_apart(values: &[&[u8]]) -> bool {
    let differ = |a: &[u8], b: &[u8]| {
        let longest = a.len().max(b.len());
        (0..longest).filter(|at| a.get(*at) != b.get(*at)).count() >= LEAST_VARYING
    };
    let (mut pairs, mut apart) = (0_usize, 0_usize);
    for (at, a) in values.iter().enumerate() {
        for b in values.iter().skip(at.saturating_add(1)) {
            pairs = pairs.saturating_add(1);
            apart = apart.saturating_add(usize::from(differ(a, b)));
        }
    }
    apart.saturating_mul(2) > pairs
}

/// Whether it stands in a header, and the lengths of the messages say most of what it says.
fn goes_with_length(place: &Place<'_>, partition: &Partition, captures: usize) -> bool {
    let mut lengths: Vec<Option<u64>> = vec![None; captures];
    for spot in &place.spots {
        if let Some(length) = lengths.get_mut(spot.message.capture) {
            length.get_or_insert(spot.message.specimen.length);
        }
    }
    let lengths = Partition::of(lengths);
    let told = lengths.distinct() > 1 && lengths.distinct().saturating_mul(2) >= partition.distinct();
    place.spots.iter().all(|it| it.range.start < HEADER) && told && partition.refines(&lengths)
}

/// Whether some of these values differ in one byte only, and none is large: so do those of a setting.
fn are_small(values: &[&[u8]]) -> bool {
    let pairs = values
        .iter()
        .enumerate()
        .flat_map(|(at, a)| values.iter().skip(at.saturating_add(1)).map(move |b| (a, b)));
    let mut close = pairs.map(|(a, b)| a.len() == b.len() && a.iter().zip(*b).filter(|(a, b)| a != b).count() < 2);
    // Ids that are counted up are neighbours as well; their numbers are large by then.
    let large = |it: &&&[u8]| match it {
        [0, 0, .., 0, 0] => false,
        it => it.len() >= 4 && it.iter().filter(|it| **it != 0).count() > 2,
    };
    close.any(|it| it) && values.iter().filter(large).count() < values.len()
}

/// Whether the value is the length of its message, or of what follows it.
fn is_length(spots: &[Spot<'_>]) -> bool {
    let number = |value: &[u8], little: bool| {
        let join = |sum: i64, byte: &u8| sum.checked_mul(256)?.checked_add(i64::from(*byte));
        match value.len() {
            0 | 5.. => None,
            _ if little => value.iter().rev().try_fold(0, join),
            _ => value.iter().try_fold(0, join),
        }
    };
    [false, true].into_iter().any(|little| {
        let mut differences = spots.iter().map(|it| {
            let length = i64::try_from(it.message.specimen.length).ok()?;
            length.checked_sub(number(it.value(), little)?)
        });
        let Some(Some(first)) = differences.next() else { return false };
        differences.all(|it| it == Some(first))
    })
}

/// Whether the value is an address or a port of its conversation.
fn is_address(place: &Place<'_>, captures: &Captures) -> bool {
    let is = |spot: &Spot<'_>, client: bool| {
        let Some((from, to)) = captures.ends(spot.message.specimen.flow) else {
            return false;
        };
        let ip = if client { from } else { to };
        let mut octets = match ip {
            IpAddr::V4(it) => it.octets().to_vec(),
            IpAddr::V6(it) => it.octets().to_vec(),
        };
        let value = spot.value();
        let forwards = value == octets || value == ip.to_string().as_bytes();
        octets.reverse();
        forwards || value == octets
    };
    [true, false]
        .into_iter()
        .any(|client| place.spots.iter().all(|spot| is(spot, client)))
}

/// The first frame of each capture, as many as are kept.
pub(super) fn evidence(spots: &[Spot<'_>]) -> Vec<Locus> {
    let mut first: BTreeMap<usize, &Spot<'_>> = BTreeMap::new();
    for spot in spots {
        first.entry(spot.message.capture).or_insert(spot);
    }
    first.values().take(KEPT).map(|it| locus(it)).collect()
}

/// Where a value stands.
pub(super) fn locus(spot: &Spot<'_>) -> Locus {
    let whole = &spot.message.specimen.locus;
    Locus {
        span: whole.span.part(&spot.range, spot.message.specimen.length),
        decoded_by: (spot.message.mask != 0).then_some("xor").into_iter().collect(),
        ..whole.clone()
    }
}
