//! Which law could order whom, by which road, and in which words. Never that anyone does; never that nobody could.
//!
//! Owns the step from facts about a party to [`Reach`] rows. Refuses to rank states, to merge what a text says with
//! what is argued, and to answer `yes` while any fact is open. The rules, the same for every state:
//!
//! - A state comes in by a *tie*: the seat, an establishment or the incorporation of who runs the service or the
//!   network, the registration of the network, an owner's seat, the place of the machine. Each of its laws is matched
//!   by its triggers, each union's it belongs to as well.
//! - `yes` needs: words that were read, in force on the day, not merely argued; a party that plainly is whom the law
//!   addresses; a record of it read at its source and of high confidence; and a tie that is itself the trigger. A law
//!   for any person needs a seat, an establishment or a place in the territory like any other.
//! - A place counts as known when a region list or a geofeed of the operator, of that time, names it and nobody disagrees.
//!   Agreement of location databases alone leaves it open, and so do one opinion, disagreement and anycast. What is
//!   *kept* at a place never shows in a capture.
//! - Roads by owner and by carriage stay open: whether an order reaches through them is not in the tables.
//! - A law that came into force after the day is left out. One that lapsed stays, and says so.

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use ahash::{HashMap, HashSet};
use farshore_model::{
    Answer, Country, Date, Text,
    party::{CountryClaim, Law, Location, LocationState, Network, Organisation, Owner, Place, Reach, ReachBasis, Standing, Via},
};

use super::{
    Datasets,
    laws::{self, Abroad, AccessLaw, Trigger},
    location,
};

/// An organisation and its owners, if a number has any.
type Operator = Option<Rc<(Organisation, Vec<Owner>)>>;

/// The laws as they stood on a day, with what is the same for every party written once.
pub struct Statutes {
    day: Option<Date>,
    /// Every law that had come into force, in order of id.
    laws: Vec<Statute>,
    /// Those of a state and of its unions, by index.
    of_state: HashMap<Country, Rc<[usize]>>,
    /// Who runs a network, and who owns them.
    operators: HashMap<u32, Operator>,
    /// The rows a tie brings in, by whose tie it is.
    rows: HashMap<String, HashMap<Known, Rc<[Row]>>>,
}

/// All that the rows of somebody's tie follow from.
#[derive(PartialEq, Eq, Hash)]
struct Known {
    state: Country,
    via: Via,
    how: How,
    kept_there: bool,
    network: Option<u32>,
    open: Option<Text>,
}

/// A law and how it is cited.
struct Statute {
    law: &'static AccessLaw,
    cited: Arc<Law>,
    addressees: String,
    triggers: Vec<(Trigger, Standing, Vec<Text>)>,
}

/// A row, and what makes two rows speak of the same thing: the law by index, which is in order of ids.
type Row = (Key, Reach);
type Key = (Country, Via, ReachBasis, Option<usize>, Standing);

impl Statutes {
    /// Of a day. Without one no law is known to have been in force.
    pub fn of(day: Option<Date>) -> Self {
        let laws = laws::access_laws().iter().filter(|law| !too_early(law, day));
        Self {
            day,
            laws: laws.map(|law| Statute::of(law, day)).collect(),
            of_state: HashMap::default(),
            operators: HashMap::default(),
            rows: HashMap::default(),
        }
    }

    /// Every law of every state that comes in by a service, its owners, and the addresses it answered from; sorted.
    pub fn reach(&mut self, data: &Datasets, service: Option<&Organisation>, owners: &[Owner], places: &[Place]) -> Vec<Reach> {
        // Hundreds of addresses of one service stand in few networks and places.
        let mut seen = HashSet::default();
        let grounds = |it: &&Place| (it.network.as_ref().map(|network| network.asn), Arc::as_ptr(&it.location));
        let places: Vec<&Place> = places.iter().filter(|it| seen.insert(grounds(it))).collect();
        let operators: Vec<_> = places.iter().map(|it| self.operator(data, it.network.as_ref()?.asn)).collect();
        let nowhere = Location {
            countries: Vec::new(),
            state: LocationState::Undetermined,
            claims: Vec::new(),
            excluded: Vec::new(),
            implausible: Vec::new(),
        };
        let mut facts = vec![PartyFacts {
            service,
            operator: None,
            network: None,
            owners,
            location: &nowhere,
        }];
        for (place, operator) in places.iter().zip(&operators) {
            facts.push(PartyFacts {
                service,
                operator: operator.as_ref().map(|it| &it.0),
                network: place.network.as_deref(),
                owners: operator.as_ref().map_or(&[], |it| &it.1),
                location: &place.location,
            });
        }
        self.reach_of(&facts)
    }

    /// The same from bare facts, one item an address.
    pub fn reach_of(&mut self, facts: &[PartyFacts<'_>]) -> Vec<Reach> {
        let mut rows: BTreeMap<Key, Reach> = BTreeMap::new();
        let ties: Vec<_> = facts
            .iter()
            .flat_map(|facts| ties(facts, self.day).into_iter().map(move |tie| (facts.location, tie)))
            .collect();
        let mut merged = HashSet::default();
        for (location, tie) in &ties {
            let brought = self.rows(location, tie);
            if merged.insert(Rc::as_ptr(&brought)) {
                brought.iter().for_each(|(key, row)| keep(&mut rows, *key, row));
            }
        }
        for (_, tie) in &ties {
            if !rows.keys().any(|(state, ..)| *state == tie.state) {
                let row = unread(tie, self.day);
                keep(&mut rows, (row.state, row.via, row.basis, None, row.standing), &row);
            }
        }
        rows.into_values().collect()
    }

    /// Who runs a network, and who owns them.
    fn operator(&mut self, data: &Datasets, asn: u32) -> Operator {
        let known = self.operators.entry(asn).or_insert_with(|| {
            let operator = data.organisation_of_network(asn)?;
            let owners = data.owners(&operator.id);
            Some(Rc::new((operator, owners)))
        });
        known.clone()
    }

    /// The rows that one tie brings in.
    fn rows(&mut self, location: &Location, tie: &Tie<'_>) -> Rc<[Row]> {
        let known = Known {
            state: tie.state,
            via: tie.via,
            how: tie.how,
            kept_there: is_known(location, tie.state, self.day),
            network: tie.network,
            // What a place leaves open follows from the location, of any other tie from whose it is.
            open: tie.open.first().filter(|_| tie.how == How::Place).cloned(),
        };
        if let Some(rows) = self.rows.get(tie.whose).and_then(|all| all.get(&known)) {
            return Rc::clone(rows);
        }
        let laws = self.of_state(tie.state);
        let statutes = laws.iter().filter_map(|index| Some((*index, self.laws.get(*index)?)));
        let rows: Rc<[Row]> = statutes
            .flat_map(|(index, statute)| statute.rows(index, tie, known.kept_there))
            .collect();
        let all = self.rows.entry(tie.whose.to_owned()).or_default();
        all.insert(known, Rc::clone(&rows));
        rows
    }

    /// The laws of a state and of the unions it was in.
    fn of_state(&mut self, state: Country) -> Rc<[usize]> {
        let (laws, day) = (&self.laws, self.day);
        let of_state = self.of_state.entry(state).or_insert_with(|| {
            let unions: Vec<Country> = laws::unions_of(state, day).collect();
            let binds = |it: &Statute| it.law.jurisdiction == state || unions.contains(&it.law.jurisdiction);
            (0..).zip(laws).filter(|(_, it)| binds(it)).map(|(index, _)| index).collect()
        });
        Rc::clone(of_state)
    }
}

/// The same without anything to share it with.
#[cfg(test)]
pub fn reach_of(facts: &[PartyFacts<'_>], day: Option<Date>) -> Vec<Reach> {
    Statutes::of(day).reach_of(facts)
}

/// What is known of a party at one address.
#[derive(Debug, Clone, Copy)]
pub struct PartyFacts<'a> {
    /// Who runs the service.
    pub service: Option<&'a Organisation>,
    /// Who runs the network or the machine.
    pub operator: Option<&'a Organisation>,
    /// The network, when its holder is in no table.
    pub network: Option<&'a Network>,
    /// Who owns either of the two.
    pub owners: &'a [Owner],
    /// Where the machine is said to be.
    pub location: &'a Location,
}

/// Of two ways to the same row the one that leaves less open.
fn keep(rows: &mut BTreeMap<Key, Reach>, key: Key, row: &Reach) {
    match rows.get(&key) {
        Some(before) if (before.missing.len(), &before.missing) <= (row.missing.len(), &row.missing) => {}
        _ => {
            rows.insert(key, row.clone());
        }
    }
}

/// How a party is tied to a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum How {
    Seat,
    Establishment,
    Incorporation,
    Registration,
    Ownership,
    Place,
}

/// A state that comes in, and by whom.
#[derive(Debug, Clone)]
struct Tie<'a> {
    state: Country,
    via: Via,
    how: How,
    /// Whoever it is.
    party: &'a str,
    kind: &'a str,
    /// What tells parties apart: an id or a name, and of networks the number.
    whose: &'a str,
    network: Option<u32>,
    /// What the tie itself leaves open.
    open: Rc<[Text]>,
}

/// What stands for a party no table knows.
const SOMEBODY: &str = "whoever runs it";

fn ties<'a>(facts: &PartyFacts<'a>, day: Option<Date>) -> Vec<Tie<'a>> {
    let mut ties = Vec::new();
    for (via, organisation) in [(Via::Service, facts.service), (Via::Operator, facts.operator)] {
        ties.extend(organisation.into_iter().flat_map(|organisation| ties_of(via, organisation)));
    }
    let holder = facts.network.filter(|_| facts.operator.is_none());
    if let Some((network, state)) = holder.and_then(|network| Some((network, network.registered?))) {
        ties.push(Tie {
            state,
            via: Via::Operator,
            how: How::Registration,
            party: &network.name,
            kind: "",
            whose: &network.name,
            network: Some(network.asn),
            open: Rc::new([told(format!(
                "the seat of {}; AS{} being registered in {state} does not tell",
                network.name, network.asn
            ))]),
        });
    }
    for owner in facts.owners {
        ties.extend(owner.country.map(|state| Tie {
            state,
            via: Via::Owner,
            how: How::Ownership,
            party: &owner.name,
            kind: "",
            whose: &owner.name,
            network: None,
            open: Rc::new([told(format!("whether an order to {} reaches what is held below it", owner.name))]),
        }));
    }
    let runs_it = facts.operator.or(facts.service);
    if facts.location.state != LocationState::Local {
        ties.extend(facts.location.countries.iter().map(|&state| Tie {
            state,
            via: Via::Place,
            how: How::Place,
            party: runs_it.map_or(SOMEBODY, |organisation| &organisation.name),
            kind: runs_it.map_or("", |organisation| &organisation.kind),
            whose: runs_it.map_or("", |organisation| &organisation.id),
            network: None,
            open: open_of_place(facts.location, state, day).into_iter().collect(),
        }));
    }
    ties
}

fn ties_of(via: Via, organisation: &Organisation) -> Vec<Tie<'_>> {
    let mut open = Vec::new();
    if !organisation.read_at_source {
        open.push(told(format!("the seat of {} was not read at a source", organisation.name)));
    }
    if organisation.confidence != "high" {
        open.push(told(format!("the record of {} is not of high confidence", organisation.name)));
    }
    let open: Rc<[Text]> = open.into();
    let seat = organisation.seat.map(|state| (state, How::Seat));
    let incorporation = organisation.incorporated_in.map(|state| (state, How::Incorporation));
    let establishments = organisation.establishments.iter().map(|&state| (state, How::Establishment));
    let states = seat.into_iter().chain(establishments).chain(incorporation);
    states
        .map(|(state, how)| Tie {
            state,
            via,
            how,
            party: &organisation.name,
            kind: &organisation.kind,
            whose: &organisation.id,
            network: None,
            open: Rc::clone(&open),
        })
        .collect()
}

/// What keeps a place from being known.
fn open_of_place(location: &Location, state: Country, day: Option<Date>) -> Option<Text> {
    if is_known(location, state, day) {
        return None;
    }
    let countries = || location.countries.iter().map(Country::code).collect::<Vec<_>>().join(", ");
    Some(match location.state {
        LocationState::Disputed => told(format!("which of {} the machine is in", countries())),
        LocationState::Anycast => "which of the many places of this address answered".into(),
        LocationState::Undetermined | LocationState::Local => "a second opinion on where the machine is".into(),
        LocationState::Agreed if location.countries != [state] => told(format!("whether the machine is in {state}")),
        LocationState::Agreed => match location.claims.iter().find(|claim| location::is_list(claim.kind)) {
            Some(old) => told(format!("a list of ranges of that time: {} is of another", old.source)),
            None => "more than agreeing location databases on where the machine is".into(),
        },
    })
}

/// Whether the operator itself names the place, in a list of that time, and nobody disagrees.
fn is_known(location: &Location, state: Country, day: Option<Date>) -> bool {
    let stated = |claim: &CountryClaim| {
        let of_the_time = day.is_some_and(|day| location::is_of_the_time(&claim.edition, (day, day)));
        !claim.refuted && claim.country == state && location::is_list(claim.kind) && of_the_time
    };
    location.state == LocationState::Agreed && location.countries == [state] && location.claims.iter().any(stated)
}

fn told(words: String) -> Text {
    words.into()
}

/// Whether the law came only after the day.
fn too_early(law: &AccessLaw, day: Option<Date>) -> bool {
    day.is_some_and(|day| law.in_force_by(day) == Some(false))
}

impl Statute {
    fn of(law: &'static AccessLaw, day: Option<Date>) -> Self {
        let written = law.triggers.iter().map(|trigger| (*trigger, Standing::Text));
        let argued = law.triggers_argued.iter().map(|trigger| (*trigger, Standing::Argued));
        let open = |(trigger, standing)| (trigger, standing, open_of_law(law, trigger, standing, day));
        Self {
            law,
            cited: Arc::new(law.cited()),
            addressees: law.addressees.join("; "),
            triggers: written.chain(argued).map(open).collect(),
        }
    }

    fn rows(&self, index: usize, tie: &Tie<'_>, kept_there: bool) -> Vec<Row> {
        // What the tie leaves open of any trigger.
        let law = self.law;
        if !self.triggers.iter().any(|(trigger, ..)| road(tie, *trigger).is_some()) {
            return Vec::new();
        }
        let mut of_tie: Vec<Text> = Vec::new();
        if !law.addresses(tie.kind) {
            of_tie.push(told(format!("whether {} is among those addressed: {}", tie.party, self.addressees)));
        }
        if law.abroad == Abroad::No && !kept_there {
            of_tie.push(told(format!(
                "whether the data is in {}: the text does not reach further",
                law.jurisdiction
            )));
        }
        of_tie.extend(tie.open.iter().cloned());
        let triggers = self.triggers.iter();
        triggers
            .filter_map(|(trigger, standing, of_law)| {
                let (via, basis) = road(tie, *trigger)?;
                let mut missing = of_law.clone();
                missing.extend(open_of_trigger(tie, *trigger).map(told));
                missing.extend(of_tie.iter().cloned());
                let row = Reach {
                    state: law.jurisdiction,
                    via,
                    basis,
                    law: Some(Arc::clone(&self.cited)),
                    standing: *standing,
                    answer: if missing.is_empty() { Answer::Yes } else { Answer::CannotTell },
                    missing: missing.into(),
                };
                Some(((row.state, via, basis, Some(index), *standing), row))
            })
            .collect()
    }
}

/// By which road a tie meets a trigger; `None`: it does not.
fn road(tie: &Tie<'_>, trigger: Trigger) -> Option<(Via, ReachBasis)> {
    let met = match (trigger, tie.via) {
        (Trigger::ParentInTerritory, Via::Owner) => (Via::Owner, ReachBasis::Owner),
        (Trigger::ParentInTerritory, _) | (_, Via::Owner | Via::Carriage) => return None,
        (Trigger::DataInTerritory, Via::Place) => (Via::Place, ReachBasis::Located),
        (Trigger::DataInTerritory, _) => return None,
        (Trigger::CarriageThroughTerritory, Via::Place | Via::Operator) => (Via::Carriage, ReachBasis::Carriage),
        (Trigger::CarriageThroughTerritory, Via::Service) => return None,
        (Trigger::OperatorInTerritory, via) => (via, ReachBasis::Operator),
        (Trigger::PersonalJurisdiction, via) => (via, ReachBasis::PersonalJurisdiction),
        (Trigger::OffersService, via) => (via, ReachBasis::OffersService),
        (Trigger::AnyPersonOrOrg, via) => (via, ReachBasis::AnyPerson),
    };
    Some(met)
}

/// What was not read of a law, and whether it says what is said of it.
fn open_of_law(law: &AccessLaw, trigger: Trigger, standing: Standing, day: Option<Date>) -> Vec<Text> {
    let mut open: Vec<Text> = Vec::new();
    if !law.verified {
        open.push("the wording of this law was not read at its source".into());
    }
    match day {
        None => open.push("the day it happened, and so whether this law was in force".into()),
        Some(day) if law.in_force_by(day).is_none() => open.push("since when this law is in force was not read".into()),
        Some(_) => {}
    }
    let reached = |from: Date| day.is_none_or(|day| from <= day);
    if let Some(lapsed) = law.until.filter(|until| reached(*until)) {
        open.push(told(format!("whether orders still run: the power lapsed on {lapsed}")));
    }
    let gaps = law.gaps.iter().filter(|gap| gap.trigger.is_none_or(|only| only == trigger));
    let gaps = gaps.filter(|gap| gap.since.is_none_or(reached));
    open.extend(gaps.map(|gap| gap.about.as_str().into()));
    if standing == Standing::Argued {
        open.push("the text does not say so, it is argued".into());
    }
    open
}

/// What a trigger asks for beyond the tie.
fn open_of_trigger(tie: &Tie<'_>, trigger: Trigger) -> Option<String> {
    let (party, state) = (tie.party, tie.state);
    match (trigger, tie.how) {
        (Trigger::DataInTerritory, _) => Some("whether anything is kept at the place".to_owned()),
        (Trigger::CarriageThroughTerritory, _) => Some(format!("whose networks in {state} carried it")),
        (Trigger::OffersService, _) => Some(format!("whether {party} offers this service to people in {state}")),
        (Trigger::OperatorInTerritory | Trigger::AnyPersonOrOrg, How::Incorporation) => {
            Some(format!("whether {party} operates in {state}, where it is incorporated"))
        }
        (Trigger::OperatorInTerritory, How::Place) => Some(format!("whether {party} operates in {state} by a machine there")),
        (Trigger::PersonalJurisdiction, How::Seat) => None,
        (Trigger::PersonalJurisdiction, _) => Some(format!("whether courts in {state} have jurisdiction over {party}")),
        // The tie says itself what it leaves open.
        (Trigger::ParentInTerritory | Trigger::OperatorInTerritory | Trigger::AnyPersonOrOrg, _) => None,
    }
}

/// The row of a state none of whose laws meets the tie.
fn unread(tie: &Tie<'_>, day: Option<Date>) -> Reach {
    let state = tie.state;
    let own: Vec<_> = laws::access_laws().iter().filter(|law| law.jurisdiction == state).collect();
    let missing = match day {
        _ if own.is_empty() => format!("no access law of {state} was read"),
        Some(day) if own.iter().all(|law| too_early(law, Some(day))) => {
            format!("no access law of {state} that was in force on {day} was read")
        }
        _ => format!("no access law of {state} that was read keys on this tie"),
    };
    Reach {
        state,
        via: tie.via,
        basis: match tie.how {
            How::Place => ReachBasis::Located,
            How::Ownership => ReachBasis::Owner,
            How::Seat | How::Establishment | How::Incorporation | How::Registration => ReachBasis::Operator,
        },
        law: None,
        standing: Standing::Text,
        answer: Answer::CannotTell,
        missing: [told(missing)].into(),
    }
}
