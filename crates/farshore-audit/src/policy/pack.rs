//! Packs: clauses as data, with a closed set of predicates. A pack cannot run code.

use std::collections::BTreeMap;
use std::ops::Range;

use farshore_model::flow::Protection;
use farshore_model::{Date, ReaderRole};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::basis::{self, BasisKind};
use super::sets::{Row, Set};
use crate::identifiers::known::is_kind;
use crate::parties::countries;
use crate::recipients::Recipient;
use crate::written::{self, Mistake};

/// A set of clauses.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// Stable id: the name of its folder.
    pub id: String,
    /// Its version.
    pub version: String,
    /// One line on what it asks for.
    pub title: String,
    /// What whoever uses it has to say: lists of codes of countries, or of kinds of data, by where they are used.
    #[serde(default)]
    pub params: Vec<String>,
    /// Countries under names of its own.
    #[serde(default, rename = "set")]
    pub sets: Vec<Set>,
    /// Its clauses.
    #[serde(rename = "clause")]
    pub clauses: Vec<Clause>,
}

/// One thing that is asked for, judged on each exposure or address: the worst counts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clause {
    /// Stable id within the pack.
    pub id: String,
    /// What it asks for.
    pub title: String,
    /// Where its words can be read.
    pub citation: String,
    /// Whether its wording was read at its source. If not, it yields notes only.
    pub verified: bool,
    /// What it judges.
    #[serde(default)]
    pub judges: Subject,
    /// How sure a place must be. What is built in never says `weak`.
    #[serde(default)]
    pub min_confidence: Option<Confidence>,
    /// The first day on which it speaks to anything.
    #[serde(default, deserialize_with = "date")]
    pub from: Option<Date>,
    /// The last one.
    #[serde(default, deserialize_with = "date")]
    pub until: Option<Date>,
    /// To which of them it speaks: all of these.
    pub applies: Vec<Predicate>,
    /// When it is breached: all of these.
    pub when: Vec<Predicate>,
    /// Unless any of these.
    #[serde(default)]
    pub unless: Vec<Predicate>,
}

/// A day, which TOML tells from a time.
pub(super) fn date<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Date>, D::Error> {
    let it = toml::value::Datetime::deserialize(from)?;
    let wanted = || serde::de::Error::custom("expected a date such as 2026-12-31");
    written::date(&it).map(Some).ok_or_else(wanted)
}

/// What a clause judges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// What reached whom.
    #[default]
    Exposures,
    /// Each address that anything was sent to, local ones aside.
    Addresses,
}

/// How sure a place must be before a clause decides by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// Agreeing location databases are enough, which are often wrong together.
    Weak,
}

/// Countries, as codes or as the name of a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Countries {
    /// These.
    Listed(Vec<String>),
    /// Those of a parameter that has not been given.
    Param(String),
    /// Some, and some of which it is open whether they count. Of `outside` only.
    Open(OpenCountries),
    /// Those of sets of the pack. Of `outside` and `owner-state-in` only.
    Named(NamedCountries),
}

/// Countries of one or several sets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedCountries {
    /// Their names.
    pub sets: Vec<String>,
    /// What stands in them.
    #[serde(skip)]
    pub rows: Vec<Row>,
}

/// Countries of which some may count or not, as whoever wrote the rule did not say: what rests on those stays undetermined.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenCountries {
    /// Those that count.
    pub sure: Vec<String>,
    /// Those that may.
    pub open: Vec<String>,
}

/// Kinds of data or recipients, or the name of a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Words {
    /// These.
    Listed(Vec<String>),
    /// Those of a parameter that has not been given.
    Param(String),
}

/// What can be asked of an exposure or an address. The set is closed on purpose.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Predicate {
    /// It is of one of these kinds.
    KindIn(Words),
    /// It is of none of these kinds.
    KindNotIn(Words),
    /// It was protected in one of these ways.
    ProtectionIn(Vec<Channel>),
    /// This reader can read it.
    ReadableBy(Role),
    /// It left the local network.
    Leaves(bool),
    /// An access law of one of these states, in words that were read, addresses who it reached. Of exposures only.
    ReachedBy(Countries),
    /// The machine stood in none of these countries.
    Outside(Countries),
    /// Who received it sits in one of these countries, is incorporated there, or is owned from there.
    OwnerStateIn(Countries),
    /// None of these received it, in the words of [`Recipient`].
    RecipientNotIn(Words),
    /// A record of one of these kinds, as brought with `--basis`, covers it. Of exposures only.
    BasisCovers(Vec<BasisKind>),
    /// The data are of the market of one of these countries, as told with `--subject`.
    SubjectMarketIn(Countries),
    /// Whose data they are lives in one of these countries, as told with `--subject`.
    SubjectResidenceIn(Countries),
    /// Whose data they are is a U.S. person, or is not, as told with `--subject`.
    UsPerson(bool),
    /// What people alone can say and no capture shows, in words: never known.
    NotOnTheWire(String),
}

/// Protection, as packs spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "they are the words of the public contract")]
pub enum Channel {
    Plaintext,
    Tls,
    Quic,
    Dtls,
    Srtp,
    Opaque,
}

/// Readers, as packs spell them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "they are the words of the public contract")]
pub enum Role {
    OnPath,
    DnsResolver,
    Hosting,
    Relay,
    Endpoint,
    Owner,
}

impl Pack {
    /// Reads a pack, up to its first mistake.
    pub fn read(text: &str) -> Result<Self, Mistake> {
        Self::read_whole(text).map_err(|mistakes| {
            let first = mistakes.into_iter().next();
            first.unwrap_or_else(|| Mistake::of("it could not be read".to_owned()))
        })
    }

    /// Reads a pack; else all its mistakes, as far as its form lets them be told apart.
    pub fn read_whole(text: &str) -> Result<Self, Vec<Mistake>> {
        let mut pack: Self = toml::from_str(text).map_err(|error| vec![Mistake::from_toml(error)])?;
        let mistakes = pack.mistakes();
        if mistakes.is_empty() {
            pack.fill();
            return Ok(pack);
        }
        let spans: Spans = toml::from_str(text).unwrap_or_default();
        let located = mistakes.into_iter().map(|(at, message)| Mistake {
            message,
            span: at.and_then(|at| spans.of(at)),
        });
        Err(located.collect())
    }

    /// Puts the rows of sets where they are named.
    fn fill(&mut self) {
        let sets = &self.sets;
        for predicate in self.clauses.iter_mut().flat_map(Clause::predicates_mut) {
            if let Some(Countries::Named(it)) = predicate.countries_mut() {
                let named = it.sets.iter().filter_map(|name| sets.iter().find(|set| set.name == *name));
                it.rows = named.flat_map(|set| set.rows.iter().cloned()).collect();
            }
        }
    }

    /// With its parameters.
    pub fn with(mut self, params: &BTreeMap<String, Vec<String>>) -> Result<Self, Mistake> {
        if let Some(name) = params.keys().find(|name| !self.params.contains(name)) {
            let known = if self.params.is_empty() {
                "none".to_owned()
            } else {
                self.params.join(", ")
            };
            return Err(Mistake::of(format!("{} has no parameter `{name}`; there are: {known}", self.id)));
        }
        for predicate in self.clauses.iter_mut().flat_map(Clause::predicates_mut) {
            if let Some(it) = predicate.countries_mut()
                && let Countries::Param(name) = it
                && let Some(codes) = params.get(name)
            {
                *it = Countries::Listed(codes.clone());
            }
            match predicate {
                Predicate::KindIn(it) | Predicate::KindNotIn(it) | Predicate::RecipientNotIn(it) => {
                    if let Words::Param(name) = it
                        && let Some(words) = params.get(name)
                    {
                        *it = Words::Listed(words.clone());
                    }
                }
                _ => {}
            }
        }
        self.params.retain(|name| !params.contains_key(name));
        self.check()
    }

    /// What a parameter may be given as, in the words of TOML.
    pub(super) fn example_of(&self, param: &str) -> &'static str {
        let of = |it: &Predicate| match it {
            Predicate::KindIn(Words::Param(name)) | Predicate::KindNotIn(Words::Param(name)) if name == param => {
                Some(r#"["email", "phone"]"#)
            }
            Predicate::RecipientNotIn(Words::Param(name)) if name == param => Some(r#"["agora", "*.example.com"]"#),
            _ => None,
        };
        let mut all = self.clauses.iter().flat_map(Clause::predicates);
        all.find_map(of).unwrap_or(r#"["DE", "FR"]"#)
    }

    fn check(self) -> Result<Self, Mistake> {
        match self.mistakes().into_iter().next() {
            Some((_, message)) => Err(Mistake::of(message)),
            None => Ok(self),
        }
    }

    /// Whether there is such a parameter to be given.
    fn given(&self, name: &String) -> Result<(), String> {
        match self.params.contains(name) {
            true => Ok(()),
            false => Err(format!("`{name}` is not among the pack's `params`")),
        }
    }

    /// What could only be misunderstood, and in which predicate of which clause it stands.
    fn mistakes(&self) -> Vec<(Option<At>, String)> {
        let mut all = Vec::new();
        if self.clauses.is_empty() {
            all.push((None, "a pack without a `[[clause]]` asks for nothing".to_owned()));
        }
        for (number, set) in self.sets.iter().enumerate() {
            if let Err(why) = set.check() {
                all.push((Some(At::Set(number)), why));
            }
        }
        for (number, clause) in self.clauses.iter().enumerate() {
            if basis::is_backwards(clause.from, clause.until) {
                all.push((Some(At::Until(number)), format!("{}: `until` lies before `from`", clause.id)));
            }
            for (at, predicate) in clause.predicates().enumerate() {
                if let Err(why) = predicate.check(clause.judges, self) {
                    all.push((Some(At::Predicate(number, at)), format!("{}: {why}", clause.id)));
                }
            }
        }
        all
    }
}

/// What a mistake is in.
#[derive(Clone, Copy)]
enum At {
    /// A set, by number.
    Set(usize),
    /// The end of the time for which a clause speaks.
    Until(usize),
    /// The number of a clause, and that of a predicate among all it has.
    Predicate(usize, usize),
}

/// Where in the text each of them stands.
#[derive(Default, Deserialize)]
struct Spans {
    #[serde(default, rename = "set")]
    sets: Vec<Spanned<IgnoredAny>>,
    #[serde(default, rename = "clause")]
    clauses: Vec<ClauseSpans>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ClauseSpans {
    until: Option<Spanned<IgnoredAny>>,
    applies: Vec<Spanned<IgnoredAny>>,
    when: Vec<Spanned<IgnoredAny>>,
    unless: Vec<Spanned<IgnoredAny>>,
}

impl Spans {
    fn of(&self, at: At) -> Option<Range<usize>> {
        match at {
            At::Set(number) => self.sets.get(number).map(Spanned::span),
            At::Until(number) => self.clauses.get(number)?.until.as_ref().map(Spanned::span),
            At::Predicate(number, at) => {
                let clause = self.clauses.get(number)?;
                let mut all = clause.applies.iter().chain(&clause.when).chain(&clause.unless);
                all.nth(at).map(Spanned::span)
            }
        }
    }
}

impl Clause {
    /// All it asks.
    pub fn predicates(&self) -> impl Iterator<Item = &Predicate> {
        self.applies.iter().chain(&self.when).chain(&self.unless)
    }

    fn predicates_mut(&mut self) -> impl Iterator<Item = &mut Predicate> {
        self.applies.iter_mut().chain(&mut self.when).chain(&mut self.unless)
    }
}

impl Predicate {
    /// Its name in packs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::KindIn(_) => "kind-in",
            Self::KindNotIn(_) => "kind-not-in",
            Self::ProtectionIn(_) => "protection-in",
            Self::ReadableBy(_) => "readable-by",
            Self::Leaves(_) => "leaves",
            Self::ReachedBy(_) => "reached-by",
            Self::Outside(_) => "outside",
            Self::OwnerStateIn(_) => "owner-state-in",
            Self::RecipientNotIn(_) => "recipient-not-in",
            Self::BasisCovers(_) => "basis-covers",
            Self::SubjectMarketIn(_) => "subject-market-in",
            Self::SubjectResidenceIn(_) => "subject-residence-in",
            Self::UsPerson(_) => "us-person",
            Self::NotOnTheWire(_) => "not-on-the-wire",
        }
    }

    /// Whether the answer is the same whatever is judged.
    pub(super) const fn is_of_the_subject(&self) -> bool {
        match self {
            Self::SubjectMarketIn(_) | Self::SubjectResidenceIn(_) | Self::UsPerson(_) | Self::NotOnTheWire(_) => true,
            Self::KindIn(_)
            | Self::KindNotIn(_)
            | Self::ProtectionIn(_)
            | Self::ReadableBy(_)
            | Self::Leaves(_)
            | Self::ReachedBy(_)
            | Self::Outside(_)
            | Self::OwnerStateIn(_)
            | Self::RecipientNotIn(_)
            | Self::BasisCovers(_) => false,
        }
    }

    /// The countries it names.
    fn countries_mut(&mut self) -> Option<&mut Countries> {
        match self {
            Self::ReachedBy(it) | Self::Outside(it) | Self::OwnerStateIn(it) | Self::SubjectMarketIn(it) | Self::SubjectResidenceIn(it) => {
                Some(it)
            }
            _ => None,
        }
    }

    /// Whether the answer may be another for each address of a destination.
    pub(super) const fn is_of_an_address(&self) -> bool {
        matches!(self, Self::Outside(_) | Self::RecipientNotIn(_) | Self::BasisCovers(_))
    }

    fn is_of_exposures(&self) -> bool {
        match self {
            Self::KindIn(_)
            | Self::KindNotIn(_)
            | Self::ProtectionIn(_)
            | Self::ReadableBy(_)
            | Self::ReachedBy(_)
            | Self::BasisCovers(_) => true,
            Self::Leaves(_)
            | Self::Outside(_)
            | Self::OwnerStateIn(_)
            | Self::RecipientNotIn(_)
            | Self::SubjectMarketIn(_)
            | Self::SubjectResidenceIn(_)
            | Self::UsPerson(_)
            | Self::NotOnTheWire(_) => false,
        }
    }

    /// What is wrong with it, if anything.
    fn check(&self, judges: Subject, pack: &Pack) -> Result<(), String> {
        if judges == Subject::Addresses && self.is_of_exposures() {
            let name = self.name();
            return Err(format!("`{name}` is asked of exposures: judges = \"exposures\""));
        }
        match self {
            Self::ReachedBy(Countries::Open(_))
            | Self::OwnerStateIn(Countries::Open(_))
            | Self::SubjectMarketIn(Countries::Open(_))
            | Self::SubjectResidenceIn(Countries::Open(_)) => {
                Err(format!("`{}` takes a list of codes; `open` is of `outside`", self.name()))
            }
            Self::ReachedBy(Countries::Named(_))
            | Self::SubjectMarketIn(Countries::Named(_))
            | Self::SubjectResidenceIn(Countries::Named(_)) => Err(format!(
                "`{}` takes a list of codes; `sets` are of `outside` and `owner-state-in`",
                self.name()
            )),
            Self::Outside(it) | Self::OwnerStateIn(it) | Self::ReachedBy(it) => it.check(pack, false),
            Self::SubjectMarketIn(it) | Self::SubjectResidenceIn(it) => it.check(pack, true),
            Self::KindIn(Words::Param(name)) | Self::KindNotIn(Words::Param(name)) | Self::RecipientNotIn(Words::Param(name)) => {
                pack.given(name)
            }
            Self::KindIn(Words::Listed(kinds)) | Self::KindNotIn(Words::Listed(kinds)) => match kinds.iter().find(|it| !is_kind(it)) {
                Some(kind) => Err(format!("`{kind}` is no kind of data; expected kinds such as \"user-id\"")),
                None if kinds.is_empty() => Err("an empty list of kinds speaks of nothing: name one at least".to_owned()),
                None => Ok(()),
            },
            Self::RecipientNotIn(Words::Listed(all)) if all.is_empty() => {
                Err("an empty list of recipients allows nobody: name one at least".to_owned())
            }
            Self::RecipientNotIn(Words::Listed(all)) => all.iter().try_for_each(|it| Recipient::read(it).map(|_| ())),
            Self::BasisCovers(kinds) if kinds.is_empty() => {
                Err("an empty list of records covers nothing: name one at least, such as \"consent\"".to_owned())
            }
            Self::NotOnTheWire(words) if words.trim().is_empty() => Err("`not-on-the-wire` says in words what is not known".to_owned()),
            Self::ProtectionIn(_) | Self::ReadableBy(_) | Self::Leaves(_) => Ok(()),
            Self::BasisCovers(_) | Self::UsPerson(_) | Self::NotOnTheWire(_) => Ok(()),
        }
    }
}

impl NamedCountries {
    fn check(&self, sets: &[Set]) -> Result<(), String> {
        if self.sets.is_empty() {
            return Err("an empty list of sets allows nothing: name one at least".to_owned());
        }
        match self.sets.iter().find(|name| sets.iter().all(|it| it.name != **name)) {
            Some(name) => Err(format!("`{name}` is no `[[set]]` of the pack")),
            None => Ok(()),
        }
    }
}

impl Countries {
    fn check(&self, pack: &Pack, union: bool) -> Result<(), String> {
        let (codes, open) = match self {
            Self::Listed(codes) => (codes, &[][..]),
            Self::Open(it) => (&it.sure, &it.open[..]),
            Self::Param(name) => return pack.given(name),
            Self::Named(it) => return it.check(&pack.sets),
        };
        if codes.is_empty() {
            return Err("an empty list of countries allows nothing: name one at least".to_owned());
        }
        are_countries(codes.iter().chain(open), union)
    }
}

/// Whether all of them are codes of countries; with `union`, also of the European Union.
pub(super) fn are_countries<'a>(mut codes: impl Iterator<Item = &'a String>, union: bool) -> Result<(), String> {
    match codes.find(|code| countries::parse(code, union).is_none()) {
        Some(code) => Err(format!("`{code}` is no country code; expected codes such as \"DE\"")),
        None => Ok(()),
    }
}

impl Channel {
    pub(super) fn is(self, protection: Protection) -> bool {
        match self {
            Self::Plaintext => protection == Protection::Plaintext,
            Self::Tls => protection == Protection::Tls,
            Self::Quic => protection == Protection::Quic,
            Self::Dtls => protection == Protection::Dtls,
            Self::Srtp => protection == Protection::Srtp,
            Self::Opaque => protection == Protection::Opaque,
        }
    }
}

impl Role {
    pub(super) const fn reader(self) -> ReaderRole {
        match self {
            Self::OnPath => ReaderRole::OnPath,
            Self::DnsResolver => ReaderRole::DnsResolver,
            Self::Hosting => ReaderRole::Hosting,
            Self::Relay => ReaderRole::Relay,
            Self::Endpoint => ReaderRole::Endpoint,
            Self::Owner => ReaderRole::Owner,
        }
    }
}
