//! Who can be linked to whom: clients that carried the same identifier where one observer can read it.
//!
//! An id of a room links all who were in it; an id of a device, which only its own device sends, links the addresses it was
//! sent from, and to a party that several apps send it to, such as the owner of code they have in common, those apps. Each
//! observer links what it can read itself: whoever is on the path, or one party as resolver, relay or endpoint. Refused: ids
//! of people, which others send and receive too; what no answer `yes` stands behind; and any guess from times or sizes. What nobody
//! named links as well, where a comparison of captures claims it for a room's ([`by_found`]).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ahash::{HashMap, HashSet};
use farshore_model::flow::Protection;
use farshore_model::link::Link;
use farshore_model::party::Destination;
use farshore_model::sighting::Disguise;
use farshore_model::{Answer, DatumKind, Exposure, InputId, Ledger, Locus, ReaderRole, Sighting, Text};

use crate::discover::Carried;
use crate::exposure;
use crate::identifiers::value::sighted;

/// Ids of places where people meet: all that carry one were there.
const MEETING: &[&str] = &["room-id"];
/// Ids that a device sends of itself.
const DEVICE: &[&str] = &["device-id", "imei", "imsi", "ad-id", "iccid"];
/// Where an address was made of a device's own: it goes with the device from network to network.
const ADDRESS: &str = "ipv6.source";
/// What only clients write: an id in an answer may be anybody's.
const WRITTEN_BY_CLIENTS: &[&str] = &["http.request.", "http.query.", "http.cookie.", "http.header.", "http.path"];

/// An identifier in a flow, kept until it is known who can read it.
#[derive(Debug)]
pub(crate) struct Mention {
    print: [u8; 16],
    field: Text,
    protection: Protection,
    disguise: Disguise,
    destination: u32,
    client: Client,
    app: App,
    at: Locus,
}

/// One end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Client {
    input: InputId,
    address: IpAddr,
}

/// The app that sent it, as far as the capture or a label says; empty otherwise. Nobody on the path sees that.
type App = Text;

/// Clients by name, and the first place with each of their apps.
type Clients = BTreeMap<Text, BTreeMap<App, Locus>>;

/// The identifiers that can link, of those sighted in a ledger.
pub(crate) fn mentions(sightings: &[Sighting], ledger: &Ledger, of_flow: &[u32]) -> Vec<Mention> {
    let mention = |it: &Sighting| {
        let flow = ledger.flows.get(it.flow.0 as usize)?;
        Some(Mention {
            print: it.value.print,
            field: it.field.as_str().into(),
            protection: it.protection,
            disguise: it.disguise,
            destination: of_flow.get(it.flow.0 as usize).copied().unwrap_or_default(),
            client: Client {
                input: flow.input,
                address: flow.client.ip,
            },
            app: match (flow.app(), ledger.inputs.get(flow.input.0 as usize)) {
                (Some(app), _) => app.name.as_str().into(),
                (None, Some(input)) => input.labels.get("app").map_or("", String::as_str).into(),
                (None, None) => "".into(),
            },
            at: it.evidence.first()?.clone(),
        })
    };
    sightings.iter().filter(|it| links(it)).filter_map(mention).collect()
}

/// Adds the links that ids of rooms make which nobody named and a comparison found: of two clients that no name links for an
/// observer, by the first such id. How many there are beyond so many comes back.
///
/// They are labelled with the place of the identifier among those found, and the number of the value in its table.
pub(crate) fn by_found(
    links: &mut Vec<Link>,
    carried: &[Carried],
    ledger: &Ledger,
    (destinations, of_flow): (&[Destination], &[u32]),
    most: usize,
) -> u64 {
    // The same bytes are one value, wherever they stand; the first identifier that has them names them.
    let mut first: BTreeMap<&[u8], &Carried> = BTreeMap::new();
    for it in carried {
        first.entry(&it.bytes).or_insert(it);
    }
    let mut named: BTreeMap<[u8; 16], (usize, u64)> = BTreeMap::new();
    let mut sighting = |it: &Carried| {
        let kind = DatumKind::fixed("room-id");
        let value = sighted(&kind, &hex(&it.bytes), false, None);
        if let Some(first) = first.get(&*it.bytes) {
            named.insert(value.print, (first.identifier, first.value));
        }
        Sighting {
            kind,
            value,
            field: format!("identifiers[{}]", it.identifier),
            detector: "discovery".to_owned(),
            known_as: None,
            disguise: Disguise::None,
            protection: it.protection,
            flow: it.flow,
            evidence: vec![it.at.clone()],
            count: 1,
        }
    };
    let sightings: Vec<Sighting> = carried.iter().map(&mut sighting).collect();
    let mentions = mentions(&sightings, ledger, of_flow);
    let exposures = exposure::of_sightings(sightings.into_iter(), ledger, destinations, of_flow);
    let by_number: BTreeMap<u32, (usize, u64)> = exposures
        .iter()
        .filter_map(|it| Some((it.number, *named.get(&it.value.print)?)))
        .collect();
    let key = |it: &Link| (it.observer, it.party.clone(), it.a.clone(), it.b.clone());
    let mut known: BTreeSet<_> = links.iter().map(key).collect();
    let (mut found, mut beyond) = of(mentions, &exposures, ledger, usize::MAX);
    found.retain(|it| known.insert(key(it)));
    for mut it in found {
        let Some((identifier, value)) = by_number.get(&it.number) else {
            continue;
        };
        if links.len() >= most {
            beyond = beyond.saturating_add(1);
            continue;
        }
        it.kind = DatumKind::named(&format!("identifiers[{identifier}]"));
        it.number = u32::try_from(*value).unwrap_or(u32::MAX);
        links.push(it);
    }
    beyond
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}

fn links(it: &Sighting) -> bool {
    let written = || WRITTEN_BY_CLIENTS.iter().any(|field| it.field.starts_with(field));
    let kind = it.kind.as_str();
    // What other values give too links nobody.
    it.disguise != Disguise::WeakDigest && (MEETING.contains(&kind) || DEVICE.contains(&kind) && written() || it.field == ADDRESS)
}

/// The first so many links, by observer, value and clients; and how many more there are.
pub(crate) fn of(mentions: Vec<Mention>, exposures: &[Exposure], ledger: &Ledger, most: usize) -> (Vec<Link>, u64) {
    let key = |print: [u8; 16], field: &Text, protection: Protection, disguise: Disguise, destination: usize| {
        (print, field.clone(), protection, disguise, destination)
    };
    // Most of what is exposed links nobody, names of hosts above all: a table of it all would take more room than the flows.
    let wanted: HashSet<[u8; 16]> = mentions.iter().map(|it| it.print).collect();
    let mut by_key = HashMap::default();
    for it in exposures.iter().filter(|it| wanted.contains(&it.value.print)) {
        by_key
            .entry(key(it.value.print, &it.field, it.protection, it.disguise, it.destination))
            .or_insert(it);
    }
    // Ordered, so that it can be walked: observer, party, kind and number of the value, then its clients and their apps.
    let mut seen: BTreeMap<(ReaderRole, Text, &str, u32), Clients> = BTreeMap::new();
    for it in mentions {
        let key = key(it.print, &it.field, it.protection, it.disguise, it.destination as usize);
        let Some(exposure) = by_key.get(&key) else { continue };
        let client = name(it.client, ledger);
        for (observer, party) in observers(exposure) {
            let clients = seen.entry((observer, party, exposure.kind.as_str(), exposure.number)).or_default();
            let app = if observer == ReaderRole::OnPath {
                "".into()
            } else {
                it.app.clone()
            };
            let apps = clients.entry(client.clone()).or_default();
            let place = apps.entry(app).or_insert_with(|| it.at.clone());
            if it.at < *place {
                place.clone_from(&it.at);
            }
        }
    }
    let mut all = Vec::new();
    let mut beyond = 0_u64;
    for ((observer, party, kind, number), clients) in seen {
        let mut link = |a: Text, b: Text, anonymity_set: usize, evidence: [&Locus; 2]| {
            if all.len() >= most {
                beyond = beyond.saturating_add(1);
                return;
            }
            all.push(Link {
                observer,
                party: party.clone(),
                a,
                b,
                kind: DatumKind::named(kind),
                number,
                anonymity_set,
                evidence: evidence.map(Clone::clone).to_vec(),
            });
        };
        // One place stands for a client; which of its apps sent it is another question.
        let ends: Vec<(&Text, &Locus)> = clients
            .iter()
            .filter_map(|(client, apps)| Some((client, apps.values().min()?)))
            .collect();
        for (one, other) in pairs(&ends) {
            link(one.0.clone(), other.0.clone(), ends.len(), [one.1, other.1]);
        }
        if MEETING.contains(&kind) {
            continue;
        }
        for (client, apps) in &clients {
            let named: Vec<(&App, &Locus)> = apps.iter().filter(|(app, _)| !app.as_str().is_empty()).collect();
            for (one, other) in pairs(&named) {
                let end = |app: &App| format!("{client} with {app}").into();
                link(end(one.0), end(other.0), named.len(), [one.1, other.1]);
            }
        }
    }
    (all, beyond)
}

/// Each two of several.
fn pairs<T>(all: &[T]) -> impl Iterator<Item = (&T, &T)> {
    let after = |place: usize| all.get(place.saturating_add(1)..).unwrap_or(&[]);
    all.iter()
        .enumerate()
        .flat_map(move |(place, one)| after(place).iter().map(move |other| (one, other)))
}

/// Who can read a datum, and is the same for all clients that sent it there. A digest that stands in clear is read by nobody,
/// and links all the same.
fn observers(exposure: &Exposure) -> Vec<(ReaderRole, Text)> {
    let clear = exposure.disguise == Disguise::Digest && exposure.protection == Protection::Plaintext;
    let reads = exposure
        .readers
        .iter()
        .filter(|it| it.answer == Answer::Yes || clear && it.role == ReaderRole::OnPath);
    reads
        .filter_map(|it| match it.role {
            ReaderRole::OnPath => Some((it.role, "".into())),
            ReaderRole::DnsResolver | ReaderRole::Relay | ReaderRole::Endpoint => {
                (!it.party.as_str().is_empty()).then(|| (it.role, it.party.clone()))
            }
            // Whoever runs the network of one machine need not run that of another.
            ReaderRole::Hosting | ReaderRole::Owner => None,
        })
        .collect()
}

/// The user an input was labelled with, else the address, with its input where there are several.
fn name(client: Client, ledger: &Ledger) -> Text {
    let input = ledger.inputs.get(client.input.0 as usize);
    match input.and_then(|it| it.labels.get("user")).filter(|it| !it.is_empty()) {
        Some(user) => user.as_str().into(),
        None if ledger.inputs.len() < 2 => client.address.to_string().into(),
        None => format!("{} in {}", client.address, input.map_or("", |it| it.name.as_str())).into(),
    }
}
