//! What reached whom, how protected, and who could read it: the pivot of the product.
//!
//! One exposure is one (kind, value, field, destination, protection). Evidence keeps the first twenty places,
//! the count tells all.

mod designated;
mod readers;

use std::collections::BTreeMap;

use farshore_model::flow::Protection;
use farshore_model::observation::{ChannelSecrecy, Observed, Recovery};
use farshore_model::party::Destination;
use farshore_model::sighting::{KEPT, SightedValue};
use farshore_model::{DatumKind, Exposure, FlowId, Ledger, Locus, Observation};

use designated::Designated;
pub use readers::Sound;
use readers::{Channel, Datum};

/// All exposures, in the order of their first frames.
pub fn exposures(ledger: &Ledger, destinations: &[Destination], of_flow: &[usize]) -> Vec<Exposure> {
    let mut drafts = Drafts {
        ledger,
        of_flow,
        negotiated: negotiated(ledger),
        by_key: BTreeMap::new(),
    };
    for sighting in &ledger.sightings {
        let draft = drafts.draft(&sighting.kind, &sighting.value, &sighting.field, sighting.protection, sighting.flow);
        draft.known_as = draft.known_as.take().or_else(|| sighting.known_as.clone());
        draft.add(sighting.flow, &sighting.evidence, sighting.count);
    }
    for seen in &ledger.observations {
        drafts.observed(seen);
    }
    drafts.channels();
    drafts.finish(destinations)
}

/// Protocols that seal what they carry, as a rule: which suite their ends agreed on is not read here.
const TUNNELS: &[&str] = &["esp", "ike", "openvpn", "ssh", "wireguard"];

/// Ways of asking for names: the first part of fields that go to a resolver.
const RESOLVING: &[&str] = &["dns", "doh", "doq", "dot"];

/// What makes two findings one exposure, what differs soonest first.
type Key = (usize, [u8; 16], Protection, DatumKind, String);

struct Drafts<'a> {
    ledger: &'a Ledger,
    of_flow: &'a [usize],
    negotiated: BTreeMap<FlowId, (Channel, Locus)>,
    by_key: BTreeMap<Key, Draft>,
}

struct Draft {
    value: SightedValue,
    known_as: Option<String>,
    flows: Vec<FlowId>,
    evidence: Vec<Locus>,
    count: u64,
    sound: Option<Sound>,
    channel: Option<Channel>,
}

impl Draft {
    fn add<'l>(&mut self, flow: FlowId, places: impl IntoIterator<Item = &'l Locus>, count: u64) {
        if let Err(at) = self.flows.binary_search(&flow) {
            self.flows.insert(at, flow);
        }
        self.evidence.extend(places.into_iter().cloned());
        // Flows come by their first frames, places within them by theirs: keep the first of all.
        if self.evidence.len() > KEPT.saturating_mul(2) {
            self.trim();
        }
        self.count = self.count.saturating_add(count);
    }

    fn trim(&mut self) {
        self.evidence.sort();
        self.evidence.truncate(KEPT);
    }
}

impl Drafts<'_> {
    fn draft(&mut self, kind: &DatumKind, value: &SightedValue, field: &str, protection: Protection, flow: FlowId) -> &mut Draft {
        let destination = self.of_flow.get(flow.0 as usize).copied().unwrap_or_default();
        let key = (destination, value.print, protection, kind.clone(), field.to_owned());
        let draft = self.by_key.entry(key).or_insert_with(|| Draft {
            value: value.clone(),
            known_as: None,
            flows: Vec::new(),
            evidence: Vec::new(),
            count: 0,
            sound: None,
            channel: None,
        });
        // The weakest channel decides what can be said of all.
        let strong = |it: &Option<Channel>| it.as_ref().is_none_or(|it| it.secrecy == ChannelSecrecy::Sealed);
        if is_channel(protection)
            && strong(&draft.channel)
            && let Some((channel, _)) = self.negotiated.get(&flow)
            && (draft.channel.is_none() || channel.secrecy != ChannelSecrecy::Sealed)
        {
            draft.channel = Some(channel.clone());
        }
        draft
    }

    /// Facts that are exposures by themselves: names, and media.
    fn observed(&mut self, seen: &Observed) {
        let flow = seen.flow;
        match &seen.what {
            Observation::NameAsked { protocol, name, .. } => self.name(name.as_str(), &format!("{protocol}.question"), seen),
            Observation::PeerNamed { protocol, name } => self.name(name.as_str(), &format!("{protocol}.sni"), seen),
            Observation::Request { host: Some(host), .. } => self.name(host.as_str(), "http.host", seen),
            Observation::Media {
                protocol,
                ssrc,
                recoverable,
                codec,
                payload_type,
                ..
            } => {
                let (protection, sound) = match recoverable {
                    Recovery::Yes { because, .. } => (Protection::Plaintext, Sound::Heard(because.clone())),
                    Recovery::No { because } => (Protection::Srtp, Sound::Sealed(because.clone())),
                    Recovery::CannotTell { because } => (Protection::Opaque, Sound::Unknown(because.clone())),
                };
                let kind = if matches!(*payload_type, 24..=34) {
                    DatumKind::fixed("video")
                } else {
                    DatumKind::AUDIO
                };
                let codec = if codec.is_empty() {
                    format!("payload type {payload_type}")
                } else {
                    codec.clone()
                };
                let value = public(&kind, &format!("{codec}, SSRC 0x{ssrc:08x}"));
                let draft = self.draft(&kind, &value, &format!("{protocol}.payload"), protection, flow);
                draft.sound = Some(sound);
                draft.add(flow, places(seen), seen.count);
            }
            // No data by themselves, or told by what a detector found in them.
            Observation::Request { .. }
            | Observation::NameBound { .. }
            | Observation::Certificate { .. }
            | Observation::Channel { .. }
            | Observation::Call { .. }
            | Observation::SessionNamed { .. } => {}
        }
    }

    fn name(&mut self, name: &str, field: &str, seen: &Observed) {
        let plain = crate::naming::plain(name);
        if !plain.is_empty() {
            let value = public(&DatumKind::HOSTNAME, &plain);
            self.draft(&DatumKind::HOSTNAME, &value, field, seen.protection, seen.flow)
                .add(seen.flow, places(seen), seen.count);
        }
    }

    /// What encrypted and undocumented channels carry: one datum per destination and protection.
    fn channels(&mut self) {
        let ledger = self.ledger;
        for (index, flow) in ledger.flows.iter().enumerate() {
            let id = FlowId(u32::try_from(index).unwrap_or(u32::MAX));
            let opaque_media = flow.protocols.contains(&"rtp");
            if !(is_channel(flow.protection) || flow.protection == Protection::Opaque) || opaque_media {
                continue;
            }
            // The weakest channel to a destination decides what can be said of all: group by what was negotiated.
            let channel = self.negotiated.get(&id);
            let secrecy = channel.map_or(ChannelSecrecy::Unknown, |(it, _)| it.secrecy);
            let words = match (flow.protection, channel) {
                (Protection::Opaque, _) if flow.protocols.first().is_some_and(|it| TUNNELS.contains(it)) => {
                    "what a tunnel carries".to_owned()
                }
                (Protection::Opaque, _) => "payload in no known format".to_owned(),
                (_, Some((it, _))) if secrecy == ChannelSecrecy::Sealed => format!("what {} carries", it.cipher),
                (_, Some((it, _))) => format!("what {} carries ({secrecy:?})", it.cipher),
                (_, None) => "what an unseen suite carries".to_owned(),
            };
            // A channel over which names are asked for is read by whoever answers: it is told apart.
            let resolving = flow.protocols.iter().find(|it| RESOLVING.contains(it));
            let spoken = resolving.or(flow.protocols.first()).copied().unwrap_or(transport(flow.transport));
            let field = format!("{spoken}.content");
            let value = public(&DatumKind::CONTENT, &words);
            let first = Locus {
                input: flow.input,
                span: farshore_model::Span::in_frame(flow.first_frame, 0, 0),
                layers: [transport(flow.transport)].into(),
                decoded_by: Vec::new(),
            };
            let locus = channel.map_or(first, |(_, locus)| locus.clone());
            let draft = self.draft(&DatumKind::CONTENT, &value, &field, flow.protection, id);
            draft.add(id, [&locus], 1);
        }
    }

    fn finish(self, destinations: &[Destination]) -> Vec<Exposure> {
        let mut exposures: Vec<(Key, Draft)> = self.by_key.into_iter().collect();
        for (_, draft) in &mut exposures {
            draft.trim();
        }
        let designated = Designated::collect(self.ledger);
        let place = |draft: &Draft| draft.evidence.first().map(|it| (it.input, it.span.frame, it.span.offset));
        exposures.sort_by(|(a_key, a), (b_key, b)| (place(a), a_key).cmp(&(place(b), b_key)));
        let mut numbers: BTreeMap<DatumKind, BTreeMap<[u8; 16], usize>> = BTreeMap::new();
        exposures
            .into_iter()
            .map(|((destination, print, protection, kind, field), draft)| {
                let known = numbers.entry(kind.clone()).or_default();
                let next = known.len().saturating_add(1);
                let number = *known.entry(print).or_insert(next);
                let datum = Datum {
                    kind: &kind,
                    field: &field,
                    protection,
                    flows: &draft.flows,
                    evidence: &draft.evidence,
                    sound: draft.sound.as_ref(),
                    channel: draft.channel.as_ref(),
                    designated: destinations.get(destination).and_then(|it| designated.frame(&it.name)),
                };
                let readers = readers::readers(&datum, destinations.get(destination), self.ledger);
                Exposure {
                    label: format!("{}#{number}", kind.as_str()),
                    readers,
                    kind,
                    value: draft.value,
                    known_as: draft.known_as,
                    field,
                    protection,
                    destination,
                    flows: draft.flows,
                    evidence: draft.evidence,
                    count: draft.count,
                }
            })
            .collect()
    }
}

/// What each flow's channel is protected with: the outermost, where one runs inside another.
fn negotiated(ledger: &Ledger) -> BTreeMap<FlowId, (Channel, Locus)> {
    let mut negotiated = BTreeMap::new();
    for seen in &ledger.observations {
        if let Observation::Channel {
            cipher: Some(cipher),
            readable,
            ..
        } = &seen.what
        {
            negotiated.entry(seen.flow).or_insert_with(|| {
                let channel = Channel {
                    cipher: cipher.clone(),
                    secrecy: *readable,
                    frame: seen.locus.span.frame,
                };
                (channel, seen.locus.clone())
            });
        }
    }
    negotiated
}

const fn is_channel(protection: Protection) -> bool {
    matches!(protection, Protection::Tls | Protection::Quic | Protection::Dtls)
}

fn places(seen: &Observed) -> impl Iterator<Item = &Locus> {
    std::iter::once(&seen.locus).chain(&seen.again)
}

pub(crate) const fn transport(transport: farshore_model::Transport) -> &'static str {
    match transport {
        farshore_model::Transport::Tcp => "tcp",
        farshore_model::Transport::Udp => "udp",
        farshore_model::Transport::Icmp => "icmp",
        farshore_model::Transport::Icmp6 => "icmpv6",
        farshore_model::Transport::Other(_) => "ip",
    }
}

/// A value that is never masked: a host name, or a description of a channel.
fn public(kind: &DatumKind, text: &str) -> SightedValue {
    SightedValue {
        masked: text.to_owned(),
        ..crate::identifiers::value::sighted(kind, text, true, None)
    }
}
