//! A case of a policy pack, as its file tells it, and the ledger it stands for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use farshore_audit::parties::{Special, countries, location};
use farshore_audit::policy::pack::Pack;
use farshore_audit::policy::{Basis, DataSubject, Matter, Scope, built_in, verdicts};
use farshore_model::exposure::Because;
use farshore_model::ledger::InputRecord;
use farshore_model::party::{
    ClaimKind, CountryClaim, Destination, Exclusion, Law, Location, LocationState, Organisation, Owner, OwnerRelation, Place, Reach,
    ReachBasis, Standing, Traffic, Via,
};
use farshore_model::sighting::SightedValue;
use farshore_model::{
    Answer, Country, Date, DatumKind, Endpoint, Exposure, Flow, FlowId, InputId, Ledger, Locus, Outcome, Protection, Reader, ReaderRole,
    Span, Timestamp, Transport, Verdict,
};
use serde::Deserialize;

/// A case file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub clause: String,
    pub title: String,
    pub outcome: String,
    pub because: Vec<String>,
    #[serde(default)]
    scope: bool,
    /// A file as `--subject` takes it.
    subject: Option<String>,
    /// A file as `--basis` takes it.
    basis: Option<String>,
    as_of: Option<String>,
    #[serde(default)]
    coverage: Coverage,
    #[serde(default, rename = "exposure")]
    exposures: Vec<Told>,
    #[serde(default, rename = "address")]
    addresses: Vec<Placed>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Coverage {
    dropped: Option<u64>,
    truncated: u64,
    gaps: u64,
    cut_short: bool,
    flows: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    kind: String,
    protection: String,
    destination: String,
    readers: BTreeMap<String, String>,
}

/// An address that something was sent to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Placed {
    address: std::net::IpAddr,
    /// What it goes by, if not by its address.
    name: Option<String>,
    /// The id of whoever runs it.
    organisation: Option<String>,
    /// Where that has its seat.
    seat: Option<String>,
    /// The ids of who owns those.
    #[serde(default)]
    owners: Vec<String>,
    #[serde(default)]
    anycast: bool,
    #[serde(default)]
    local: bool,
    #[serde(default)]
    claims: Vec<Claimed>,
    /// Countries that a round trip strikes out.
    #[serde(default)]
    excluded: Vec<String>,
    /// The same for all countries but these.
    #[serde(default)]
    only: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claimed {
    country: String,
    kind: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    edition: String,
}

impl Placed {
    fn place(&self) -> Place {
        let claim = |(number, it): (usize, &Claimed)| CountryClaim {
            country: Country::parse(&it.country).unwrap(),
            kind: match it.kind.as_str() {
                "geolocation" => ClaimKind::Geolocation,
                "registration" => ClaimKind::Registration,
                "cloud-region" => ClaimKind::CloudRegion,
                "geofeed" => ClaimKind::Geofeed,
                "override" => ClaimKind::Override,
                other => panic!("claim {other}"),
            },
            source: if it.source.is_empty() {
                format!("source {number}")
            } else {
                it.source.clone()
            },
            edition: it.edition.clone(),
            refuted: self.excluded.contains(&it.country),
        };
        let special = self.local.then_some(Special {
            note: "private use (RFC 1918)",
            local: true,
        });
        let claims = self.claims.iter().enumerate().map(claim).collect();
        let mut location = location::summary(claims, self.anycast, special);
        let far = |country: &Country| match self.only.is_empty() {
            true => self.excluded.iter().any(|code| code == country.code()),
            false => !self.only.iter().any(|code| code == country.code()),
        };
        location.excluded = countries::all()
            .filter(far)
            .map(|country| Exclusion {
                country,
                because: "end-to-end rtt",
                rtt: 2_000_000,
                max_km: 301,
                nearest_km: 420,
            })
            .collect();
        Place {
            address: self.address,
            network: None,
            location: location.into(),
            special: special.map(|it| it.note),
        }
    }
}

/// What a clause is judged on.
#[derive(Clone, Debug)]
pub struct Facts {
    pub ledger: Ledger,
    pub destinations: Vec<Destination>,
    pub exposures: Vec<Exposure>,
    pub scope: Option<Scope>,
    pub subject: Option<DataSubject>,
    pub basis: Option<Basis>,
    pub as_of: Option<Date>,
}

/// The folder of a built-in pack.
pub fn folder(pack: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/policies").join(pack)
}

/// The cases of a pack by file name.
pub fn cases(pack: &str) -> BTreeMap<String, Case> {
    let files = std::fs::read_dir(folder(pack).join("cases")).unwrap();
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let case = toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, case)
    };
    files.map(|it| read(it.unwrap().path())).collect()
}

/// A built-in pack; the cases of one that wants countries are told for Germany and France, of one that wants kinds
/// or recipients for two of them.
pub fn pack(id: &str) -> Pack {
    let pack = built_in(id).unwrap().unwrap();
    let values = |name: &str| match name {
        "sensitive" => ["email", "phone"],
        "recipients" => ["shop", "*.shop.example"],
        _ => ["DE", "FR"],
    };
    let allowed = |name: &String| (name.clone(), values(name).map(str::to_owned).to_vec());
    let params = pack.params.iter().map(allowed).collect();
    pack.with(&params).unwrap()
}

pub fn outcome(text: &str) -> Outcome {
    match text {
        "met" => Outcome::Met,
        "breached" => Outcome::Breached,
        "undetermined" => Outcome::Undetermined,
        "not-applicable" => Outcome::NotApplicable,
        other => panic!("outcome {other}"),
    }
}

fn protection(text: &str) -> Protection {
    match text {
        "plaintext" => Protection::Plaintext,
        "tls" => Protection::Tls,
        "quic" => Protection::Quic,
        "dtls" => Protection::Dtls,
        "srtp" => Protection::Srtp,
        "opaque" => Protection::Opaque,
        "empty" => Protection::Empty,
        other => panic!("protection {other}"),
    }
}

fn role(text: &str) -> ReaderRole {
    match text {
        "on-path" => ReaderRole::OnPath,
        "dns-resolver" => ReaderRole::DnsResolver,
        "hosting" => ReaderRole::Hosting,
        "relay" => ReaderRole::Relay,
        "endpoint" => ReaderRole::Endpoint,
        "owner" => ReaderRole::Owner,
        other => panic!("reader {other}"),
    }
}

fn answer(text: &str) -> Answer {
    match text {
        "yes" => Answer::Yes,
        "no" => Answer::No,
        "cannot-tell" => Answer::CannotTell,
        other => panic!("answer {other}"),
    }
}

fn destination(name: &str, state: LocationState) -> Destination {
    Destination {
        name: name.into(),
        domain: None,
        candidates: Vec::new(),
        organisation: None,
        owners: Vec::new(),
        places: Vec::new(),
        location: std::sync::Arc::new(Location {
            countries: Vec::new(),
            state,
            claims: Vec::new(),
            excluded: Vec::new(),
            implausible: Vec::new(),
        }),
        reach: [].into(),
        traffic: Traffic::default(),
        flows: Vec::new(),
    }
}

/// How many destinations there are in each case.
pub const SHARED: usize = 4;

/// What an exposure of a case may have reached: somebody of whom no more is known, somebody near, somebody whom a law of Germany addresses,
/// and somebody of whom that cannot be told.
const DESTINATIONS: [&str; SHARED] = ["public", "local", "reached", "argued"];

fn organisation(id: &str) -> Organisation {
    Organisation {
        id: id.to_owned(),
        name: id.to_owned(),
        kind: String::new(),
        seat: None,
        incorporated_in: None,
        establishments: Vec::new(),
        basis: "domain",
        source: String::new(),
        as_of: String::new(),
        read_at_source: true,
        confidence: "high".to_owned(),
        fictional: false,
    }
}

fn owner(id: &str) -> Owner {
    Owner {
        id: id.to_owned(),
        name: id.to_owned(),
        country: None,
        relation: OwnerRelation::Parent,
        as_of: String::new(),
        source: String::new(),
    }
}

fn reached(answer: Answer) -> Destination {
    let law = Law {
        id: "de-test".to_owned(),
        title: String::new(),
        citation: String::new(),
        source: String::new(),
        verified: true,
    };
    let reach = Reach {
        state: Country::parse("DE").unwrap(),
        via: Via::Place,
        basis: ReachBasis::Located,
        law: Some(law.into()),
        standing: Standing::Text,
        answer,
        missing: [].into(),
    };
    Destination {
        reach: [reach].into(),
        ..destination("reached", LocationState::Agreed)
    }
}

fn flow(protection: Protection, ip: std::net::IpAddr) -> Flow {
    let end = Endpoint { ip, port: 1 };
    Flow {
        protection,
        ..Flow::between(Transport::Udp, end, end)
    }
}

impl Case {
    /// What it stands for.
    pub fn facts(&self) -> Facts {
        // 2026-11-20, between 10:00 and 11:00.
        let (first, last) = (1_795_168_800, 1_795_172_400);
        let mut ledger = Ledger {
            flows: self
                .coverage
                .flows
                .iter()
                .map(|it| flow(protection(it), [192, 0, 2, 1].into()))
                .collect(),
            inputs: vec![InputRecord {
                first: Some(Timestamp::from_parts(first, 0)),
                last: Some(Timestamp::from_parts(last, 0)),
                cut_short: self.coverage.cut_short,
                ..InputRecord::default()
            }],
            ..Ledger::default()
        };
        ledger.coverage.frames.dropped = self.coverage.dropped;
        ledger.coverage.frames.truncated = self.coverage.truncated;
        ledger.coverage.gaps.count = self.coverage.gaps;
        let exposure = |(number, it): (u64, &Told)| Exposure {
            kind: DatumKind::named(&it.kind),
            value: SightedValue {
                print: [0; 16],
                masked: String::new(),
                raw: None,
                digest: None,
            },
            number: 1,
            known_as: None,
            disguise: farshore_model::sighting::Disguise::None,
            field: "test".into(),
            protection: protection(&it.protection),
            destination: DESTINATIONS
                .iter()
                .map(|it| (*it).to_owned())
                .chain(self.addresses.iter().map(|it| it.address.to_string()))
                .position(|name| name == it.destination)
                .unwrap_or_else(|| panic!("destination {}", it.destination)),
            flows: vec![FlowId(
                self.addresses
                    .iter()
                    .zip(0..)
                    .find(|(placed, _)| placed.address.to_string() == it.destination)
                    .map_or(0, |(_, flow)| flow),
            )],
            readers: it
                .readers
                .iter()
                .map(|(who, what)| Reader {
                    role: role(who),
                    party: "".into(),
                    answer: answer(what),
                    because: Because::Plain("told so"),
                })
                .collect(),
            evidence: vec![Locus {
                input: InputId(0),
                span: Span::in_frame(number, 42, 4),
                layers: ["udp"].into(),
                decoded_by: farshore_model::Few::none(),
            }],
            count: 1,
        };
        let addressed = self.addresses.iter().zip(1_u32..).map(|(it, flow)| Destination {
            location: it.place().location,
            places: vec![it.place()],
            flows: vec![FlowId(flow.saturating_sub(1))],
            organisation: it.organisation.as_deref().map(|id| {
                Box::new(Organisation {
                    seat: it.seat.as_deref().and_then(Country::parse),
                    ..organisation(id)
                })
            }),
            owners: it.owners.iter().map(|id| owner(id)).collect(),
            ..destination(&it.name.clone().unwrap_or_else(|| it.address.to_string()), LocationState::Agreed)
        });
        if !self.addresses.is_empty() {
            ledger.flows = self.addresses.iter().map(|it| flow(Protection::Plaintext, it.address)).collect();
        }
        let mut destinations = vec![
            destination("public", LocationState::Agreed),
            destination("local", LocationState::Local),
            reached(Answer::Yes),
            reached(Answer::CannotTell),
        ];
        destinations.extend(addressed);
        let scope = "interfaces = [\"wlan0\"]\nfeatures = [\"speak\"]\nfrom = 2026-11-20T10:00:00Z\nuntil = 2026-11-20T11:00:00Z\n";
        Facts {
            ledger,
            destinations,
            exposures: (1..).zip(&self.exposures).map(exposure).collect(),
            scope: self.scope.then(|| Scope::read(scope).unwrap()),
            subject: self.subject.as_deref().map(|it| DataSubject::read(it).unwrap()),
            basis: self.basis.as_deref().map(|it| Basis::read(it).unwrap()),
            as_of: self.as_of.as_deref().map(|it| Date::parse(it).unwrap()),
        }
    }
}

impl Facts {
    /// The verdicts of a pack on them.
    pub fn judged(&self, pack: &Pack) -> Vec<Verdict> {
        let matter = Matter {
            exposures: &self.exposures,
            destinations: &self.destinations,
            scope: self.scope.as_ref(),
            subject: self.subject.as_ref(),
            basis: self.basis.as_ref(),
            as_of: self.as_of,
            ..Matter::of(&self.ledger)
        };
        verdicts(pack, &matter)
    }
}
