//! The shapes of a saved audit, as they are read. Keys of the contract have to be there, those that were added later may be
//! missing, those that are not known are passed over. Each becomes what the model has for it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer};

use farshore_model::audit::{self, FlowCoverage, FlowName, NameVia, Stale};
use farshore_model::exposure::{Answer, Because, ReaderRole};
use farshore_model::flow::{self, Counter, InitiatorBasis, Protection, RoundTrips};
use farshore_model::identifier::{self, Firmness, Role, RoleDesign, Support};
use farshore_model::ledger::{self, InputRecord, Severity};
use farshore_model::party::{self, ClaimKind, LocationState, OwnerRelation, ReachBasis, Rhythm, Standing, Via};
use farshore_model::row::{LogRecord, Sampling, Tally};
use farshore_model::sighting::{Disguise, SightedValue};
use farshore_model::talk::{self, Omission};
use farshore_model::{
    Country, DatumKind, FlowId, InputId, Outcome, Span, Text, Timestamp, Transport, Undeclared, exposure, link, runs, verdict,
};

use super::time;
use super::words::{Id, Kept, One, quoted, read};
use crate::words::Taken;

/// The whole of it.
#[derive(serde::Deserialize)]
pub(super) struct Audit {
    pub tool: Tool,
    pub inputs: Vec<Input>,
    pub coverage: Coverage,
    pub destinations: Vec<Destination>,
    #[serde(default)]
    pub laws: Vec<Law>,
    pub exposures: Vec<Exposure>,
    #[serde(default)]
    pub identifiers: Vec<Identifier>,
    #[serde(default)]
    pub links: Vec<Link>,
    #[serde(default)]
    pub anomalies: Vec<Anomaly>,
    pub verdicts: Vec<Verdict>,
    pub waivers: Option<Vec<Waiver>>,
    pub replies: Option<Vec<Reply>>,
    pub baseline: Option<Baseline>,
    #[serde(default)]
    pub talk: Vec<Talk>,
    pub undeclared: Option<Vec<Omitted>>,
    pub flows: Option<Vec<Flow>>,
    pub discovery: Option<Design>,
}

#[derive(serde::Deserialize)]
pub(super) struct Tool {
    version: String,
    data: Vec<Data>,
    packs: Vec<Pack>,
    digest_key: Option<String>,
}

#[derive(serde::Deserialize)]
struct Data {
    name: String,
    edition: String,
    licence: String,
    sha256: String,
    #[serde(default)]
    attribution: String,
    #[serde(default)]
    as_of: String,
    stale: Option<String>,
}

#[derive(serde::Deserialize)]
struct Pack {
    id: String,
    version: String,
}

#[derive(serde::Deserialize)]
pub(super) struct Input {
    path: String,
    sha256: String,
    format: Kept,
    frames: Option<u64>,
    rows: Option<u64>,
    bytes: u64,
    #[serde(default)]
    file_bytes: u64,
    first: Option<Instant>,
    last: Option<Instant>,
    cut_short: bool,
    labels: BTreeMap<String, String>,
    #[serde(default)]
    notes: Vec<String>,
    log: Option<Log>,
    world: Option<String>,
    filter: Option<String>,
}

#[derive(serde::Deserialize)]
struct Log {
    nodata: u64,
    skipdata: u64,
    rejected: Option<u64>,
    told_again: u64,
    initiator_unknown: u64,
    longest_seconds: u64,
    sampling: One<Taken>,
    one_in: Option<u32>,
}

impl Log {
    fn model(self) -> LogRecord {
        LogRecord {
            quiet: self.nodata,
            skipped: self.skipdata,
            refused: self.rejected.unwrap_or_default(),
            told_again: self.told_again,
            unopened: self.initiator_unknown,
            longest: self.longest_seconds.saturating_mul(1_000_000_000),
            tells_refusal: self.rejected.is_some(),
            sampling: match (self.sampling.0, self.one_in) {
                (Taken::Whole, _) => Sampling::Whole,
                (Taken::Untold, _) => Sampling::Untold,
                (Taken::Sampled, None) => Sampling::Part,
                (Taken::Sampled, Some(many)) => Sampling::OneIn(many),
            },
        }
    }
}

/// A point in time, as it is written.
#[derive(Clone, Copy)]
struct Instant(Timestamp);

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, "a time", |text| {
            time::read(text)
                .map(Self)
                .ok_or_else(|| format!("{} is no time, expected one such as `2026-11-20T10:00:00.000000000Z`", quoted(text)).into())
        })
    }
}

#[derive(Clone, Copy)]
struct Code(Country);

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, "a country", |text| {
            Country::parse(text)
                .map(Self)
                .ok_or_else(|| format!("{} is no country, expected two letters such as `DE`", quoted(text)).into())
        })
    }
}

#[derive(serde::Deserialize)]
pub(super) struct Coverage {
    frames: Frames,
    flows: Flows,
    keys: Keys,
    gaps: Gaps,
    #[serde(default)]
    limits: Vec1<Kept, u64>,
    #[serde(default)]
    stops: Vec<Stop>,
    not_searched: Option<Vec<String>>,
}

/// An object as the list of its members.
struct Vec1<K, V>(Vec<(K, V)>);

impl<K, V> Default for Vec1<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de> Deserialize<'de> for Vec1<Kept, u64> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> serde::de::Visitor<'de> for Members {
            type Value = Vec1<Kept, u64>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of numbers")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(member) = map.next_entry()? {
                    all.push(member);
                }
                Ok(Vec1(all))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

#[derive(serde::Deserialize)]
struct Frames {
    total: u64,
    decoded: u64,
    stopped: u64,
    truncated: u64,
    dropped: Option<u64>,
    #[serde(default)]
    filtered: u64,
}

#[derive(serde::Deserialize)]
struct Flows {
    total: u64,
    plaintext: u64,
    encrypted: u64,
    decrypted: u64,
    opaque: u64,
    #[serde(default)]
    empty: u64,
    #[serde(default)]
    unknown: u64,
}

#[derive(serde::Deserialize)]
struct Keys {
    offered: u64,
    matched: u64,
    unmatched: Vec<Unmatched>,
}

#[derive(serde::Deserialize)]
struct Unmatched {
    reason: String,
    flows: u64,
}

#[derive(serde::Deserialize)]
struct Gaps {
    count: u64,
    bytes: u64,
}

#[derive(serde::Deserialize)]
struct Stop {
    reason: String,
    frames: u64,
}

#[derive(serde::Deserialize)]
pub(super) struct Destination {
    pub id: Id<'d'>,
    name: String,
    domain: Option<String>,
    organisation: Option<Organisation>,
    owners: Vec<Owner>,
    places: Vec<Place>,
    location: Location,
    reach: Vec<Reach>,
    traffic: Traffic,
    flows: Vec<Id<'f'>>,
    #[serde(default)]
    candidates: Vec<String>,
    pub contacts: Option<Vec<Contact>>,
}

#[derive(serde::Deserialize)]
pub(super) struct Contact {
    input: u32,
    app: Option<String>,
    protection: One<Protection>,
    read: bool,
    flows: u64,
    payload_up: u64,
    payload_down: u64,
    #[serde(default)]
    gaps: u64,
}

#[derive(serde::Deserialize)]
struct Network {
    asn: u32,
    name: String,
    registered: Option<Code>,
}

#[derive(serde::Deserialize)]
struct Organisation {
    id: String,
    name: String,
    country: Option<Code>,
    basis: Kept,
    source: String,
    #[serde(default)]
    kind: String,
    seat: Option<Code>,
    incorporated_in: Option<Code>,
    #[serde(default)]
    establishments: Vec<Code>,
    #[serde(default)]
    as_of: String,
    #[serde(default)]
    read_at_source: bool,
    #[serde(default)]
    confidence: String,
    #[serde(default)]
    fictional: bool,
}

#[derive(serde::Deserialize)]
struct Owner {
    id: String,
    name: String,
    country: Option<Code>,
    relation: One<OwnerRelation>,
    as_of: String,
    source: String,
}

#[derive(serde::Deserialize)]
struct Place {
    address: IpAddr,
    network: Option<Network>,
    location: Location,
    special: Option<Kept>,
}

#[derive(serde::Deserialize)]
struct Location {
    countries: Vec<Code>,
    state: One<LocationState>,
    claims: Vec<Claim>,
    excluded: Vec<Exclusion>,
    #[serde(default)]
    implausible: Vec<Exclusion>,
}

#[derive(serde::Deserialize)]
struct Claim {
    country: Code,
    kind: One<ClaimKind>,
    source: String,
    edition: String,
    #[serde(default)]
    refuted: bool,
}

#[derive(serde::Deserialize)]
struct Exclusion {
    country: Code,
    because: Kept,
    rtt_ms: Float,
    max_km: u32,
    nearest_km: u32,
}

#[derive(serde::Deserialize)]
struct Reach {
    state: Code,
    via: One<Via>,
    basis: One<ReachBasis>,
    law: Option<String>,
    standing: One<Standing>,
    answer: One<Answer>,
    missing: Vec<String>,
}

#[derive(serde::Deserialize)]
pub(super) struct Law {
    id: String,
    title: String,
    citation: String,
    source: String,
    verified: bool,
}

#[derive(serde::Deserialize)]
struct Traffic {
    flows: u64,
    frames: u64,
    bytes_up: u64,
    bytes_down: u64,
    rhythm: Option<Beat>,
    rejected: Option<Rejected>,
}

#[derive(Clone, Copy, serde::Deserialize)]
struct Rejected {
    frames: u64,
    bytes: u64,
    all: bool,
}

impl Rejected {
    const fn tally(self) -> Tally {
        Tally {
            packets: self.frames,
            bytes: self.bytes,
        }
    }
}

#[derive(Clone, Copy, serde::Deserialize)]
struct Beat {
    period_ms: Float,
    jitter_ms: Float,
    times: u64,
}

#[derive(serde::Deserialize)]
pub(super) struct Exposure {
    pub id: Id<'x'>,
    kind: String,
    value: String,
    label: String,
    digest: Option<String>,
    field: String,
    protection: One<Protection>,
    destination: Id<'d'>,
    flows: Vec<Id<'f'>>,
    readers: Vec<Reader>,
    evidence: Vec<Evidence>,
    count: u64,
    known_as: Option<String>,
    disguise: Option<Guise>,
    pub inputs: Option<Vec<u32>>,
}

#[derive(Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Guise {
    Digest,
    WeakDigest,
}

#[derive(serde::Deserialize)]
struct Reader {
    role: One<ReaderRole>,
    party: String,
    answer: One<Answer>,
    because: String,
}

#[derive(serde::Deserialize)]
struct Evidence {
    input: u32,
    frame: u64,
    offset: u64,
    length: u64,
    layers: Vec<Kept>,
    decoded_by: Vec<Kept>,
    counts_in: Option<CountsIn>,
    first_frame: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum CountsIn {
    Frame,
    Layer,
}

#[derive(serde::Deserialize)]
pub(super) struct Identifier {
    roles: Vec<One<Role>>,
    #[serde(rename = "where")]
    place: String,
    encoding: String,
    distinct: u64,
    support: Supported,
    because: String,
    p_value: Float,
    least_p: Float,
    confirmed_on: u64,
    evidence: Vec<Evidence>,
    firmness: Option<One<Firmness>>,
    p_single: Option<Float>,
    #[serde(default)]
    table: Vec<Option<u64>>,
}

#[derive(serde::Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Supported {
    captures: u64,
    sessions: u64,
    messages: u64,
}

#[derive(serde::Deserialize)]
pub(super) struct Design {
    captures: u64,
    aside: u64,
    sessions: u64,
    roles: Vec<Designed>,
    places: u64,
    steady: u64,
    hypotheses: u64,
    cannot_tell: Vec<String>,
}

#[derive(serde::Deserialize)]
struct Designed {
    role: One<Role>,
    distinct: u64,
    least_p: Float,
}

#[derive(serde::Deserialize)]
pub(super) struct Link {
    observer: One<ReaderRole>,
    a: String,
    b: String,
    by: String,
    evidence: Vec<Evidence>,
    #[serde(default)]
    party: String,
    #[serde(default)]
    anonymity_set: usize,
}

#[derive(serde::Deserialize)]
pub(super) struct Anomaly {
    kind: Kept,
    severity: One<Severity>,
    because: String,
    evidence: Vec<Evidence>,
    flow: Option<Id<'f'>>,
}

#[derive(serde::Deserialize)]
pub(super) struct Verdict {
    pack: String,
    clause: String,
    citation: String,
    outcome: One<Outcome>,
    because: String,
    exposures: Vec<Id<'x'>>,
    destinations: Vec<Id<'d'>>,
    evidence: Vec<Evidence>,
    #[serde(default)]
    note: bool,
    #[serde(default)]
    title: String,
    /// Older programs did not tell them.
    findings: Option<Vec<Finding>>,
    #[serde(default)]
    settled_by: Vec<String>,
}

#[derive(serde::Deserialize)]
struct Finding {
    outcome: One<Outcome>,
    exposure: Option<Id<'x'>>,
    destination: Option<Id<'d'>>,
    address: Option<std::net::IpAddr>,
    #[serde(default)]
    because: String,
    waived: Option<usize>,
    #[serde(default)]
    before: bool,
}

#[derive(serde::Deserialize)]
pub(super) struct Waiver {
    pack: String,
    clause: String,
    subject: String,
    reason: String,
    until: Day,
    state: String,
    findings: usize,
    as_of: Option<Day>,
    because: Option<String>,
}

#[derive(serde::Deserialize)]
pub(super) struct Reply {
    by: String,
    date: Day,
    statement: String,
    source: Option<String>,
    pack: Option<String>,
    clause: Option<String>,
    subject: Option<String>,
    verdicts: Vec<usize>,
    destinations: Vec<Id<'d'>>,
}

#[derive(serde::Deserialize)]
pub(super) struct Baseline {
    before: usize,
    apart: Vec<String>,
}

#[derive(serde::Deserialize)]
#[serde(try_from = "String")]
struct Day(farshore_model::Date);

impl TryFrom<String> for Day {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let day = farshore_model::Date::parse(&text).map(Self);
        day.ok_or_else(|| format!("{} is no day, expected one such as `2026-12-31`", quoted(&text)))
    }
}

#[derive(serde::Deserialize)]
pub(super) struct Talk {
    state: String,
    destination: Id<'d'>,
    inputs: Vec<u32>,
    flows: u64,
    bytes_up: u64,
    rhythm: Option<Beat>,
    fields: Vec<String>,
    exposures: Vec<Id<'x'>>,
    not_while_active: Option<Beyond>,
    evidence: Vec<Evidence>,
}

#[derive(serde::Deserialize)]
struct Beyond {
    destination: bool,
    fields: Vec<String>,
}

#[derive(serde::Deserialize)]
pub(super) struct Omitted {
    what: One<Omission>,
    subject: String,
    destination: Id<'d'>,
    exposures: Vec<Id<'x'>>,
    because: String,
    evidence: Vec<Evidence>,
}

#[derive(serde::Deserialize)]
pub(super) struct Flow {
    pub id: Id<'f'>,
    input: u32,
    transport: Carrier,
    client: Endpoint,
    server: Endpoint,
    first: Option<Instant>,
    last: Option<Instant>,
    first_frame: u64,
    up: Counted,
    down: Counted,
    protocols: Vec<Kept>,
    names: Vec<Name>,
    protection: One<Protection>,
    rtt: Trips,
    app: Option<App>,
    inside: Option<Id<'f'>>,
    initiator: Option<One<InitiatorBasis>>,
    #[serde(default)]
    gaps: u64,
    randomness: Option<Spread>,
    rejected: Option<Both>,
}

#[derive(serde::Deserialize)]
struct Both {
    up: Refused,
    down: Refused,
}

#[derive(serde::Deserialize)]
struct Refused {
    frames: u64,
    bytes: u64,
}

#[derive(Clone, Copy)]
struct Carrier(Transport);

impl<'de> Deserialize<'de> for Carrier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, "a transport", |text| match text {
            "tcp" => Ok(Self(Transport::Tcp)),
            "udp" => Ok(Self(Transport::Udp)),
            "icmp" => Ok(Self(Transport::Icmp)),
            "icmp6" => Ok(Self(Transport::Icmp6)),
            other => {
                let number = other.strip_prefix("ip-").and_then(|it| it.parse().ok());
                let wrong = || {
                    Cow::from(format!(
                        "unknown transport {}, expected tcp, udp, icmp, icmp6 or ip-N",
                        quoted(other)
                    ))
                };
                number.map(|it| Self(Transport::Other(it))).ok_or_else(wrong)
            }
        })
    }
}

#[derive(serde::Deserialize)]
struct Endpoint {
    ip: Option<IpAddr>,
    port: u16,
}

#[derive(serde::Deserialize)]
struct Counted {
    frames: u64,
    bytes: u64,
    payload: Option<u64>,
}

#[derive(serde::Deserialize)]
struct Name {
    name: String,
    via: One<NameVia>,
    frame: u64,
}

#[derive(serde::Deserialize)]
struct Trips {
    transport_ms: Option<f64>,
    end_to_end_ms: Option<f64>,
}

#[derive(serde::Deserialize)]
struct App {
    name: String,
    via: Kept,
}

#[derive(serde::Deserialize)]
struct Spread {
    up: Option<Randomness>,
    down: Option<Randomness>,
}

#[derive(serde::Deserialize)]
struct Randomness {
    entropy: Float,
    chi_square: Float,
    bytes: u64,
}

/// A number that may be none, which JSON has no word for.
#[derive(Clone, Copy)]
struct Float(f64);

impl<'de> Deserialize<'de> for Float {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(|it| Self(it.unwrap_or(f64::NAN)))
    }
}

/// Milliseconds as they are written, in nanoseconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a conversion of floats saturates, and no round trip is negative"
)]
fn nanoseconds(milliseconds: f64) -> u64 {
    (milliseconds * 1e6).round() as u64
}

fn countries(all: Vec<Code>) -> Vec<Country> {
    all.into_iter().map(|it| it.0).collect()
}

fn texts(all: Vec<String>) -> Vec<Text> {
    all.into_iter().map(Text::from).collect()
}

fn ids<const LETTER: char>(all: Vec<Id<LETTER>>) -> Vec<usize> {
    all.into_iter().map(|it| it.0).collect()
}

fn flow_id(it: Id<'f'>) -> FlowId {
    FlowId(u32::try_from(it.0).unwrap_or(u32::MAX))
}

fn loci(all: Vec<Evidence>) -> Vec<farshore_model::Locus> {
    all.into_iter().map(Evidence::model).collect()
}

/// Kind and number of `user-id#3`.
fn label(text: &str) -> Option<(&str, u32)> {
    let (kind, number) = text.rsplit_once('#')?;
    Some((kind, number.parse().ok()?))
}

impl Evidence {
    fn model(self) -> farshore_model::Locus {
        farshore_model::Locus {
            input: InputId(self.input),
            span: Span {
                first_frame: self.first_frame.unwrap_or(self.frame),
                frame: self.frame,
                offset: self.offset,
                length: self.length,
                in_frame: self.counts_in == Some(CountsIn::Frame),
            },
            layers: self.layers.into_iter().map(|it| it.0).collect(),
            decoded_by: self.decoded_by.into_iter().map(|it| it.0).collect(),
        }
    }
}

impl Tool {
    pub(super) fn model(self) -> audit::Tool {
        let data = self.data.into_iter().map(|it| audit::DataEdition {
            name: it.name,
            edition: it.edition,
            licence: it.licence,
            attribution: it.attribution,
            sha256: it.sha256,
            as_of: it.as_of,
            stale: it.stale.as_deref().and_then(stale),
        });
        let packs = self.packs.into_iter().map(|it| audit::PackEdition {
            id: it.id,
            version: it.version,
        });
        audit::Tool {
            version: self.version,
            data: data.collect(),
            packs: packs.collect(),
            digest_key: self.digest_key,
        }
    }
}

/// `3 months older than the capture`: as well as that tells the days.
fn stale(words: &str) -> Option<Stale> {
    let mut words = words.split(' ');
    let number: u64 = words.next()?.parse().ok()?;
    let days = match words.next()?.trim_end_matches('s') {
        "day" => number,
        "month" => number.saturating_mul(30),
        "year" => number.saturating_mul(365),
        _ => return None,
    };
    match words.next()? {
        "older" => Some(Stale::Older(days)),
        "younger" => Some(Stale::Younger(days)),
        _ => None,
    }
}

impl Input {
    pub(super) fn model(self) -> InputRecord {
        InputRecord {
            name: self.path,
            sha256: self.sha256,
            format: self.format.0,
            frames: self.frames.or(self.rows).unwrap_or_default(),
            bytes: self.bytes,
            file_bytes: self.file_bytes,
            first: self.first.map(|it| it.0),
            last: self.last.map(|it| it.0),
            tick: 0,
            cut_short: self.cut_short,
            labels: self.labels,
            notes: self.notes.into_iter().map(Into::into).collect(),
            filter: self.filter.map(Into::into),
            log: self.log.map(Log::model),
            world: self.world.map(Into::into),
        }
    }
}

impl Coverage {
    /// What was not searched for; `None`: an audit that does not tell.
    pub(super) fn not_searched(&self) -> Option<&[String]> {
        self.not_searched.as_deref()
    }

    pub(super) fn model(self) -> (farshore_model::Coverage, FlowCoverage) {
        let coverage = farshore_model::Coverage {
            frames: farshore_model::coverage::FrameCoverage {
                total: self.frames.total,
                // Inputs tell theirs.
                bytes: 0,
                decoded: self.frames.decoded,
                stopped: self.frames.stopped,
                truncated: self.frames.truncated,
                dropped: self.frames.dropped,
                filtered: self.frames.filtered,
            },
            keys: farshore_model::coverage::KeyCoverage {
                offered: self.keys.offered,
                matched: self.keys.matched,
                unmatched: self.keys.unmatched.into_iter().map(|it| (it.reason, it.flows)).collect(),
            },
            gaps: farshore_model::coverage::Gaps {
                count: self.gaps.count,
                bytes: self.gaps.bytes,
            },
            limits: self.limits.0.into_iter().map(|(name, times)| (name.0, times)).collect(),
            stops: self.stops.into_iter().map(|it| (it.reason, it.frames)).collect(),
        };
        let flows = FlowCoverage {
            total: self.flows.total,
            plaintext: self.flows.plaintext,
            encrypted: self.flows.encrypted,
            decrypted: self.flows.decrypted,
            opaque: self.flows.opaque,
            empty: self.flows.empty,
            unknown: self.flows.unknown,
        };
        (coverage, flows)
    }
}

impl Law {
    pub(super) fn model(self) -> party::Law {
        party::Law {
            id: self.id,
            title: self.title,
            citation: self.citation,
            source: self.source,
            verified: self.verified,
        }
    }
}

impl Destination {
    pub(super) fn model(self, laws: &BTreeMap<String, Arc<party::Law>>) -> party::Destination {
        party::Destination {
            name: self.name.into(),
            domain: self.domain,
            candidates: self.candidates,
            organisation: self.organisation.map(|it| Box::new(it.model())),
            owners: self.owners.into_iter().map(Owner::model).collect(),
            places: self.places.into_iter().map(Place::model).collect(),
            location: Arc::new(self.location.model()),
            reach: self.reach.into_iter().map(|it| it.model(laws)).collect(),
            traffic: party::Traffic {
                flows: self.traffic.flows,
                frames: self.traffic.frames,
                bytes_up: self.traffic.bytes_up,
                bytes_down: self.traffic.bytes_down,
                rhythm: self.traffic.rhythm.map(Beat::model),
                refused: self.traffic.rejected.map_or_else(Tally::default, Rejected::tally),
                // How many it were is written down where it were all.
                only_tried: match self.traffic.rejected {
                    Some(Rejected { all: true, .. }) => self.traffic.flows,
                    Some(it) if it.tally().is_empty() => 1,
                    _ => 0,
                },
            },
            flows: self.flows.into_iter().map(flow_id).collect(),
        }
    }
}

impl Contact {
    pub(super) fn model(&self) -> runs::Contact {
        runs::Contact {
            input: InputId(self.input),
            app: self.app.as_deref().map(Into::into),
            protection: self.protection.0,
            read: self.read,
            flows: self.flows,
            payload_up: self.payload_up,
            payload_down: self.payload_down,
            gaps: self.gaps,
        }
    }
}

impl Organisation {
    fn model(self) -> party::Organisation {
        party::Organisation {
            id: self.id,
            name: self.name,
            kind: self.kind,
            seat: self.seat.or(self.country).map(|it| it.0),
            incorporated_in: self.incorporated_in.map(|it| it.0),
            establishments: countries(self.establishments),
            basis: self.basis.0,
            source: self.source,
            as_of: self.as_of,
            read_at_source: self.read_at_source,
            confidence: self.confidence,
            fictional: self.fictional,
        }
    }
}

impl Owner {
    fn model(self) -> party::Owner {
        party::Owner {
            id: self.id,
            name: self.name,
            country: self.country.map(|it| it.0),
            relation: self.relation.0,
            as_of: self.as_of,
            source: self.source,
        }
    }
}

impl Place {
    fn model(self) -> party::Place {
        let network = self.network.map(|it| {
            Arc::new(party::Network {
                asn: it.asn,
                name: it.name.into(),
                registered: it.registered.map(|it| it.0),
            })
        });
        party::Place {
            address: self.address,
            network,
            location: Arc::new(self.location.model()),
            special: self.special.map(|it| it.0),
        }
    }
}

impl Location {
    fn model(self) -> party::Location {
        let exclusions = |all: Vec<Exclusion>| {
            let each = all.into_iter().map(|it| party::Exclusion {
                country: it.country.0,
                because: it.because.0,
                rtt: nanoseconds(it.rtt_ms.0),
                max_km: it.max_km,
                nearest_km: it.nearest_km,
            });
            each.collect()
        };
        let claims = self.claims.into_iter().map(|it| party::CountryClaim {
            country: it.country.0,
            kind: it.kind.0,
            source: it.source,
            edition: it.edition,
            refuted: it.refuted,
        });
        party::Location {
            countries: countries(self.countries),
            state: self.state.0,
            claims: claims.collect(),
            excluded: exclusions(self.excluded),
            implausible: exclusions(self.implausible),
        }
    }
}

impl Reach {
    fn model(self, laws: &BTreeMap<String, Arc<party::Law>>) -> party::Reach {
        // An older audit names laws by their ids alone.
        let by_id = |id: String| match laws.get(&id) {
            Some(law) => Arc::clone(law),
            None => Arc::new(party::Law {
                id,
                title: String::new(),
                citation: String::new(),
                source: String::new(),
                verified: false,
            }),
        };
        party::Reach {
            state: self.state.0,
            via: self.via.0,
            basis: self.basis.0,
            law: self.law.map(by_id),
            standing: self.standing.0,
            answer: self.answer.0,
            missing: texts(self.missing).into(),
        }
    }
}

impl Beat {
    fn model(self) -> Rhythm {
        Rhythm {
            period: nanoseconds(self.period_ms.0),
            jitter: nanoseconds(self.jitter_ms.0),
            times: self.times,
        }
    }
}

impl Exposure {
    /// Whether its label is that of its kind, with a number.
    pub(super) fn is_labelled(&self) -> bool {
        label(&self.label).is_some_and(|(kind, _)| kind == self.kind)
    }

    pub(super) fn model(self) -> exposure::Exposure {
        let number = label(&self.label).map_or(0, |(_, number)| number);
        let readers = self.readers.into_iter().map(|it| exposure::Reader {
            role: it.role.0,
            party: it.party.into(),
            answer: it.answer.0,
            because: Because::Told(it.because.into()),
        });
        exposure::Exposure {
            value: SightedValue {
                print: print(&self.kind, number),
                masked: self.value,
                raw: None,
                digest: self.digest,
            },
            kind: DatumKind::named(&self.kind),
            number,
            known_as: self.known_as,
            disguise: match self.disguise {
                None => Disguise::None,
                Some(Guise::Digest) => Disguise::Digest,
                Some(Guise::WeakDigest) => Disguise::WeakDigest,
            },
            field: self.field.into(),
            protection: self.protection.0,
            destination: self.destination.0,
            flows: self.flows.into_iter().map(flow_id).collect(),
            readers: readers.collect(),
            evidence: loci(self.evidence),
            count: self.count,
        }
    }
}

/// What makes values of one audit equal and different, as its labels tell. Values of two audits are not compared by it.
fn print(kind: &str, number: u32) -> [u8; 16] {
    use sha1::{Digest, Sha1};

    let mut hash = Sha1::new();
    hash.update(kind.as_bytes());
    hash.update([0]);
    hash.update(number.to_be_bytes());
    let mut print = [0; 16];
    print.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
    print
}

impl Identifier {
    pub(super) fn model(self) -> identifier::Identifier {
        identifier::Identifier {
            roles: self.roles.into_iter().map(|it| it.0).collect(),
            firmness: self.firmness.map_or(Firmness::Candidate, |it| it.0),
            place: self.place,
            encoding: self.encoding,
            distinct: self.distinct,
            support: Support {
                captures: self.support.captures,
                sessions: self.support.sessions,
                messages: self.support.messages,
            },
            because: self.because,
            p_value: self.p_value.0,
            p_single: self.p_single.unwrap_or(self.p_value).0,
            least_p: self.least_p.0,
            confirmed_on: self.confirmed_on,
            table: self.table,
            evidence: loci(self.evidence),
        }
    }
}

impl Design {
    pub(super) fn model(self) -> identifier::Design {
        let roles = self.roles.into_iter().map(|it| RoleDesign {
            role: it.role.0,
            distinct: it.distinct,
            least_p: it.least_p.0,
        });
        identifier::Design {
            captures: self.captures,
            aside: self.aside,
            sessions: self.sessions,
            roles: roles.collect(),
            places: self.places,
            steady: self.steady,
            hypotheses: self.hypotheses,
            cannot_tell: self.cannot_tell,
        }
    }
}

impl Link {
    pub(super) fn model(self) -> link::Link {
        let (kind, number) = label(&self.by).unwrap_or((&self.by, 0));
        link::Link {
            observer: self.observer.0,
            party: self.party.into(),
            kind: DatumKind::named(kind),
            number,
            a: self.a.into(),
            b: self.b.into(),
            anonymity_set: self.anonymity_set,
            evidence: loci(self.evidence),
        }
    }
}

impl Anomaly {
    pub(super) fn model(self) -> ledger::Anomaly {
        ledger::Anomaly {
            kind: self.kind.0,
            severity: self.severity.0,
            because: self.because,
            flow: self.flow.map(flow_id),
            evidence: loci(self.evidence),
        }
    }
}

impl Finding {
    fn model(self) -> verdict::Finding {
        verdict::Finding {
            outcome: self.outcome.0,
            subject: match (self.exposure, self.destination) {
                (Some(exposure), _) => verdict::Subject::Exposure(exposure.0),
                (None, Some(destination)) => verdict::Subject::Address {
                    destination: destination.0,
                    address: self.address,
                },
                (None, None) => verdict::Subject::Coverage,
            },
            because: self.because.as_str().into(),
            waived: self.waived,
            before: self.before,
        }
    }
}

impl Waiver {
    pub(super) fn model(self) -> verdict::Waiver {
        verdict::Waiver {
            pack: self.pack,
            clause: self.clause,
            subject: self.subject,
            reason: self.reason,
            until: self.until.0,
            state: match (self.state.as_str(), self.as_of) {
                ("applied", _) => verdict::WaiverState::Applied(self.findings),
                ("expired", Some(day)) => verdict::WaiverState::Expired(day.0),
                _ => verdict::WaiverState::Unused(self.because.unwrap_or_default().as_str().into()),
            },
        }
    }
}

impl Reply {
    pub(super) fn model(self) -> farshore_model::Reply {
        farshore_model::Reply {
            by: self.by,
            date: self.date.0,
            statement: self.statement,
            source: self.source,
            pack: self.pack,
            clause: self.clause,
            subject: self.subject,
            verdicts: self.verdicts,
            destinations: self.destinations.into_iter().map(|it| it.0).collect(),
        }
    }
}

impl Baseline {
    pub(super) fn model(self) -> verdict::Baseline {
        verdict::Baseline {
            before: self.before,
            apart: self.apart.iter().map(|it| it.as_str().into()).collect(),
        }
    }
}

impl Verdict {
    /// What stood against it, as far as a program tells that wrote the worst of it only.
    fn worst(&self) -> Vec<verdict::Finding> {
        let found = |subject| verdict::Finding {
            outcome: self.outcome.0,
            subject,
            because: Text::default(),
            waived: None,
            before: false,
        };
        match self.outcome.0 {
            Outcome::Met | Outcome::NotApplicable => Vec::new(),
            _ if !self.exposures.is_empty() => self.exposures.iter().map(|it| found(verdict::Subject::Exposure(it.0))).collect(),
            _ if !self.destinations.is_empty() => {
                let of = |it: &Id<'d'>| verdict::Subject::Address {
                    destination: it.0,
                    address: None,
                };
                self.destinations.iter().map(|it| found(of(it))).collect()
            }
            _ => vec![found(verdict::Subject::Coverage)],
        }
    }

    pub(super) fn model(mut self) -> verdict::Verdict {
        let findings = match self.findings.take() {
            Some(all) => all.into_iter().map(Finding::model).collect(),
            None => self.worst(),
        };
        verdict::Verdict {
            title: self.title,
            findings,
            settled_by: self.settled_by.iter().map(|it| it.as_str().into()).collect(),
            pack: self.pack,
            clause: self.clause,
            citation: self.citation,
            outcome: self.outcome.0,
            because: self.because,
            note: self.note,
            exposures: ids(self.exposures),
            destinations: ids(self.destinations),
            evidence: loci(self.evidence),
        }
    }
}

impl Talk {
    pub(super) fn model(self) -> talk::Talk {
        talk::Talk {
            state: self.state.into(),
            destination: self.destination.0,
            inputs: self.inputs.into_iter().map(InputId).collect(),
            flows: self.flows,
            bytes_up: self.bytes_up,
            rhythm: self.rhythm.map(Beat::model),
            fields: texts(self.fields),
            exposures: ids(self.exposures),
            beyond: self.not_while_active.map(|it| talk::Beyond {
                destination: it.destination,
                fields: texts(it.fields),
            }),
            evidence: loci(self.evidence),
        }
    }
}

impl Omitted {
    pub(super) fn model(self) -> Undeclared {
        Undeclared {
            what: self.what.0,
            subject: self.subject.into(),
            destination: self.destination.0,
            exposures: ids(self.exposures),
            because: self.because.into(),
            evidence: loci(self.evidence),
        }
    }
}

impl Flow {
    /// Whether it tells how much of its bytes was payload, which those of older versions do not.
    pub(super) fn tells_payload(&self) -> bool {
        self.up.payload.is_some() && self.down.payload.is_some()
    }

    pub(super) fn model(self) -> (flow::Flow, Vec<FlowName>) {
        // An address that was not recorded is none.
        let end = |it: &Endpoint| flow::Endpoint {
            ip: it.ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            port: it.port,
        };
        let counter = |it: &Counted| Counter {
            frames: it.frames,
            bytes: it.bytes,
            payload: it.payload.unwrap_or_default(),
        };
        let mut told = flow::Flow {
            input: InputId(self.input),
            initiator: self.initiator.map_or(InitiatorBasis::FirstPacket, |it| it.0),
            first: self.first.map(|it| it.0),
            last: self.last.map(|it| it.0),
            first_frame: self.first_frame,
            up: counter(&self.up),
            down: counter(&self.down),
            protocols: self.protocols.into_iter().map(|it| it.0).collect(),
            protection: self.protection.0,
            rtt: RoundTrips::new(self.rtt.transport_ms.map(nanoseconds), self.rtt.end_to_end_ms.map(nanoseconds)),
            inside: self.inside.map(flow_id),
            ..flow::Flow::between(self.transport.0, end(&self.client), end(&self.server))
        };
        let spread = self
            .randomness
            .map(|it| [it.up, it.down])
            .filter(|it| it.iter().any(Option::is_some));
        if self.gaps > 0 || self.app.is_some() || spread.is_some() {
            let rare = told.rare_mut();
            rare.gaps = self.gaps;
            rare.app = self.app.map(|it| {
                Box::new(flow::App {
                    name: it.name,
                    via: it.via.0,
                })
            });
            rare.randomness = spread.map(|both| {
                let each = both.map(|it| {
                    it.map(|it| flow::Randomness {
                        sampled: it.bytes,
                        entropy: it.entropy.0,
                        chi_square: it.chi_square.0,
                    })
                });
                Box::new(each)
            });
        }
        if let Some(it) = self.rejected {
            let tally = |it: &Refused| Tally {
                packets: it.frames,
                bytes: it.bytes,
            };
            told.rare_mut().refused = Some(Box::new([tally(&it.up), tally(&it.down)]));
        }
        let names = self.names.into_iter().map(|it| FlowName {
            name: it.name.into(),
            via: it.via.0,
            frame: it.frame,
        });
        (told, names.collect())
    }
}
