//! Asking a predicate: what is before it, and its answer in three values with the words for it. Refuses to answer for what nobody told.

use std::collections::BTreeSet;

use farshore_model::party::{Destination, LocationState, Place, Reach};
use farshore_model::{Answer, Country, Date, Exposure, Ledger};

use super::basis::{Basis, Sent};
use super::kleene::Truth;
use super::pack::{Countries, Predicate, Words};
use super::places::{self, Stand};
use super::scope::Scope;
use super::sets::{self, Open};
use super::subject::DataSubject;
use crate::recipients::{self, Recipient};

/// What is judged, and what was told beside it.
#[derive(Clone, Copy, Debug)]
pub struct Matter<'a> {
    /// What reached whom.
    pub exposures: &'a [Exposure],
    /// Who there is.
    pub destinations: &'a [Destination],
    /// What was seen.
    pub ledger: &'a Ledger,
    /// What the capture covered, if that was declared.
    pub scope: Option<&'a Scope>,
    /// Whose data it is, if that was told.
    pub subject: Option<&'a DataSubject>,
    /// What it may go on, if that was told.
    pub basis: Option<&'a Basis>,
    /// The day whose rules count; `None`: the days of the capture.
    pub as_of: Option<Date>,
}

impl<'a> Matter<'a> {
    /// A ledger alone.
    pub const fn of(ledger: &'a Ledger) -> Self {
        Self {
            exposures: &[],
            destinations: &[],
            ledger,
            scope: None,
            subject: None,
            basis: None,
            as_of: None,
        }
    }

    /// The days whose rules count.
    pub(super) fn days_of_rules(&self) -> Option<(Date, Date)> {
        self.as_of.map(|day| (day, day)).or_else(|| self.ledger.days())
    }
}

/// One thing that predicates are asked of.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) matter: &'a Matter<'a>,
    pub(super) days: Option<(Date, Date)>,
    pub(super) exposure: Option<&'a Exposure>,
    pub(super) destination: Option<&'a Destination>,
    /// One address of it, where that matters and was recorded.
    pub(super) place: Option<&'a Place>,
    /// Whether agreeing databases are enough.
    pub(super) weak: bool,
}

/// What is missing where something cannot be told, in the order in which it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Want {
    Keys,
    Reach,
    Places,
    Addresses,
    Recipient,
    Owner,
    Subject,
    Basis,
    People(String),
    Day,
}

/// What a predicate says.
pub(super) struct Told {
    pub(super) truth: Truth,
    /// Why, where there is more to it than what is judged says itself.
    pub(super) why: String,
    /// What is missing, if it cannot be told.
    pub(super) want: Option<Want>,
}

impl Told {
    fn plain(truth: Truth) -> Self {
        Self {
            truth,
            why: String::new(),
            want: None,
        }
    }

    fn because((truth, why): (Truth, String), want: Want) -> Self {
        Self {
            truth,
            why,
            want: (truth == Truth::Unknown).then_some(want),
        }
    }
}

impl Predicate {
    /// Whether it holds, and why.
    pub(super) fn ask(&self, it: &Asked<'_>) -> Told {
        let subject = it.matter.subject;
        let day = it.days.map(|(first, _)| first);
        match self {
            Self::KindIn(kinds) => it.of_kind(kinds),
            Self::KindNotIn(kinds) => Told::plain(it.of_kind(kinds).truth.negated()),
            Self::ProtectionIn(channels) => Told::plain(it.exposure.map_or(Truth::Unknown, |exposure| {
                channels.iter().any(|channel| channel.is(exposure.protection)).into()
            })),
            Self::ReadableBy(role) => {
                let readers = it.exposure.map(|it| it.readers.iter()).into_iter().flatten();
                let answer = readers.filter(|it| it.role == role.reader()).map(|it| it.answer).next();
                let truth = match answer {
                    Some(Answer::Yes) => Truth::True,
                    Some(Answer::No) => Truth::False,
                    Some(Answer::CannotTell) | None => Truth::Unknown,
                };
                Told::because((truth, String::new()), Want::Keys)
            }
            Self::Leaves(wanted) => Told::plain(match (it.exposure, it.destination) {
                // Addresses that are local are not judged.
                (None, _) => (*wanted).into(),
                (Some(_), Some(destination)) => Truth::from((destination.location.state != LocationState::Local) == *wanted),
                (Some(_), None) => Truth::Unknown,
            }),
            Self::ReachedBy(states) => Told::because(it.reached(states), Want::Reach),
            Self::Outside(allowed) => it.outside(allowed),
            Self::OwnerStateIn(states) => Told::because(it.owned_from(states), Want::Owner),
            Self::RecipientNotIn(allowed) => Told::because(it.not_sent_to(allowed), Want::Recipient),
            Self::BasisCovers(kinds) => {
                let Some(exposure) = it.exposure else {
                    return Told::plain(Truth::Unknown);
                };
                let sent = Sent {
                    kind: &exposure.kind,
                    destination: it.destination,
                    address: it.place.map(|it| it.address),
                    place: it.place,
                    days: it.days,
                };
                Told::because(Basis::covers(it.matter.basis, kinds, &sent), Want::Basis)
            }
            Self::SubjectMarketIn(states) => Told::because(DataSubject::of_market(subject, &listed(states), day), Want::Subject),
            Self::SubjectResidenceIn(states) => {
                let told = DataSubject::resides(subject, it.matter.ledger, &listed(states), day);
                Told::because(told, Want::Subject)
            }
            Self::UsPerson(wanted) => Told::because(DataSubject::is_us_person(subject, *wanted), Want::Subject),
            Self::NotOnTheWire(words) => Told {
                truth: Truth::Unknown,
                why: format!("no capture shows {words}"),
                want: Some(Want::People(words.clone())),
            },
        }
    }
}

impl<'a> Asked<'a> {
    /// Nothing in particular.
    pub(super) fn nothing(matter: &'a Matter<'a>) -> Self {
        Self {
            matter,
            days: matter.ledger.days(),
            exposure: None,
            destination: None,
            place: None,
            weak: false,
        }
    }

    fn of_kind(&self, kinds: &Words) -> Told {
        Told::plain(match (kinds, self.exposure) {
            (Words::Listed(kinds), Some(exposure)) => kinds.iter().any(|kind| kind == exposure.kind.as_str()).into(),
            (Words::Param(_), _) | (_, None) => Truth::Unknown,
        })
    }

    fn reached(&self, states: &Countries) -> (Truth, String) {
        let Countries::Listed(states) = states else {
            return (Truth::Unknown, String::new());
        };
        let (mut laws, mut open) = (BTreeSet::new(), BTreeSet::new());
        let mut reached = false;
        let all = self.destination.map(|it| it.reach.iter()).into_iter().flatten();
        let among = |it: &&Reach| states.iter().any(|state| state == it.state.code());
        for it in all.filter(among) {
            reached |= it.answer == Answer::Yes;
            match (it.answer, &it.law) {
                (Answer::Yes, Some(law)) => _ = laws.insert(law.id.as_str()),
                _ => _ = open.insert(it.state.code()),
            }
        }
        let listed = |names: BTreeSet<&str>| names.into_iter().collect::<Vec<_>>().join(", ");
        let why = if !laws.is_empty() {
            format!("it could be ordered under {}", listed(laws))
        } else if !open.is_empty() {
            format!("whether it could be ordered under the law of {} cannot be told", listed(open))
        } else {
            format!(
                "nothing known ties it to {}, which does not say that nothing does",
                states.join(", ")
            )
        };
        // That no law was found to reach somebody does not say that none does.
        (if reached { Truth::True } else { Truth::Unknown }, why)
    }

    fn not_sent_to(&self, allowed: &Words) -> (Truth, String) {
        let (Words::Listed(allowed), Some(destination)) = (allowed, self.destination) else {
            return (Truth::Unknown, String::new());
        };
        let allowed: Vec<Recipient> = allowed.iter().filter_map(|it| Recipient::read(it).ok()).collect();
        let who = || match &destination.organisation {
            Some(it) => format!("it goes by {}, of {} by {}", destination.name, it.id, it.basis),
            None => format!("it goes by {}", destination.name),
        };
        match recipients::any(&allowed, destination, self.place.map(|it| it.address)) {
            Truth::True => (Truth::False, String::new()),
            Truth::False => (Truth::True, format!("{}, and is not on the list", who())),
            Truth::Unknown => (
                Truth::Unknown,
                format!("{}, and whether somebody on the list is meant cannot be told", who()),
            ),
        }
    }

    /// Those that count on the days whose rules do, and those that may.
    fn counted<'c>(&self, countries: &'c Countries) -> (Vec<Country>, Vec<Open<'c>>) {
        match countries {
            Countries::Listed(all) => (codes(all), Vec::new()),
            Countries::Open(it) => (codes(&it.sure), codes(&it.open).into_iter().map(|it| (it, None)).collect()),
            Countries::Named(it) => sets::on(&it.rows, self.matter.days_of_rules()),
            Countries::Param(_) => (Vec::new(), Vec::new()),
        }
    }

    /// Whether who received it is of one of these states. That a table knows no owner there does not say that there is none.
    fn owned_from(&self, states: &Countries) -> (Truth, String) {
        let Some(destination) = self.destination else {
            return (Truth::Unknown, "who received it is not recorded".to_owned());
        };
        let (sure, open) = self.counted(states);
        let is_sure = |it: &Country| sure.contains(it);
        let among = |it: &Country| is_sure(it) || open.iter().any(|(open, _)| open == it);
        let Some(organisation) = &destination.organisation else {
            return (Truth::Unknown, format!("nobody knows whose {} is", destination.name));
        };
        let id = &organisation.id;
        let seats = [(organisation.seat, "sits in"), (organisation.incorporated_in, "is incorporated in")];
        let seats = seats.into_iter().filter_map(|(state, how)| Some((state.filter(among)?, how)));
        if let Some((state, how)) = seats.min_by_key(|(state, _)| !is_sure(state)) {
            let said = format!("{id} {how} {state} ({})", organisation.source);
            // A network's owner may host what others run; and of a fact that nobody read, or a set that is open, nothing follows.
            return match () {
                () if !is_sure(&state) => (Truth::Unknown, format!("{said}, of which it is open whether it counts")),
                () if organisation.basis == "network" => (
                    Truth::Unknown,
                    format!("{said}, and whether it runs what is on its network is open"),
                ),
                () if !organisation.read_at_source => (Truth::Unknown, format!("{said}, which was not read at its source")),
                () => (Truth::True, said),
            };
        }
        let mut owners = destination.owners.iter();
        let why = match owners.find_map(|it| Some((it, it.country.filter(among)?))) {
            Some((owner, state)) => format!(
                "{id} belongs to {} of {state} ({}), whose share is not known",
                owner.name, owner.source
            ),
            None => format!("nothing known ties {id} to such a state, which does not say that nothing does"),
        };
        (Truth::Unknown, why)
    }

    fn outside(&self, allowed: &Countries) -> Told {
        if let Countries::Param(name) = allowed {
            return Told {
                truth: Truth::Unknown,
                why: format!("the parameter `{name}` was not given"),
                want: None,
            };
        }
        let Some(place) = self.place else {
            return Told::because((Truth::Unknown, UNRECORDED.to_owned()), Want::Addresses);
        };
        let (inside, open) = self.counted(allowed);
        let with = |open: &[Open<'_>]| inside.iter().copied().chain(open.iter().map(|it| it.0)).collect::<Vec<_>>();
        let stand = |allowed: &[Country]| places::stand(place, allowed, self.days, self.weak);
        let told = match stand(&inside) {
            Stand::Inside => (Truth::False, String::new()),
            Stand::CannotTell(why) => (Truth::Unknown, why),
            Stand::Outside(why) if open.is_empty() => (Truth::True, why),
            Stand::Outside(first) => match stand(&with(&open)) {
                Stand::Outside(why) => (Truth::True, why),
                Stand::Inside | Stand::CannotTell(_) => {
                    let meant = |it: &&Open<'_>| !matches!(stand(&with(std::slice::from_ref(*it))), Stand::Outside(_));
                    let limits = |(country, row): &Open<'_>| row.map(|it| it.limits(*country));
                    let whys: Vec<String> = open.iter().filter(meant).filter_map(limits).collect();
                    match whys.is_empty() {
                        true => (Truth::Unknown, format!("{first}, of which it is open whether it counts")),
                        false => (Truth::Unknown, format!("{first}; {}", whys.join("; "))),
                    }
                }
            },
        };
        Told::because(told, Want::Places)
    }
}

/// Of what went to no address that anybody wrote down.
pub(super) const UNRECORDED: &str = "its address was not recorded";

fn codes(all: &[String]) -> Vec<Country> {
    all.iter().filter_map(|code| Country::parse(code)).collect()
}

/// Those of a list, as which alone some predicates take countries.
fn listed(countries: &Countries) -> Vec<Country> {
    match countries {
        Countries::Listed(all) => codes(all),
        Countries::Param(_) | Countries::Open(_) | Countries::Named(_) => Vec::new(),
    }
}

/// How a thing stands to all predicates of a list, or to any.
pub(super) struct Sum {
    pub(super) truth: Truth,
    pub(super) whys: Vec<String>,
    pub(super) wants: BTreeSet<Want>,
}

impl Sum {
    /// All of them. What is false is told by nothing further.
    pub(super) fn all<'p>(predicates: impl IntoIterator<Item = &'p Predicate>, it: &Asked<'_>) -> Self {
        Self::of(predicates, it, Truth::True, Truth::False, Truth::and)
    }

    /// Any of them.
    pub(super) fn any<'p>(predicates: impl IntoIterator<Item = &'p Predicate>, it: &Asked<'_>) -> Self {
        Self::of(predicates, it, Truth::False, Truth::True, Truth::or)
    }

    fn of<'p>(
        predicates: impl IntoIterator<Item = &'p Predicate>,
        it: &Asked<'_>,
        start: Truth,
        settled: Truth,
        join: fn(Truth, Truth) -> Truth,
    ) -> Self {
        let mut sum = Self {
            truth: start,
            whys: Vec::new(),
            wants: BTreeSet::new(),
        };
        for predicate in predicates {
            let told = predicate.ask(it);
            sum.truth = join(sum.truth, told.truth);
            if sum.truth == settled {
                sum.whys.clear();
                sum.wants.clear();
            } else {
                sum.wants.extend(told.want);
            }
            if !told.why.is_empty() {
                sum.whys.push(told.why);
            }
            if sum.truth == settled {
                break;
            }
        }
        sum
    }
}
