//! What reached whom, how protected, and who could read it: the pivot of the product.
//!
//! One exposure is one (kind, value, field, destination, protection). Evidence keeps the first twenty places,
//! the count tells all.

mod designated;
mod draft;
mod passage;
mod readers;

use std::borrow::Cow;
use std::sync::Arc;

use ahash::HashMap;
use farshore_model::flow::Protection;
use farshore_model::observation::{ChannelSecrecy, Observed, Recovery};
use farshore_model::party::Destination;
use farshore_model::sighting::{Disguise, SightedValue, Sighting};
use farshore_model::{DatumKind, Exposure, Few, Flow, FlowId, Ledger, Locus, Observation, Reader};

use designated::Designated;
use draft::{Draft, Drafts, Field, Key, Kind};
use passage::Passages;
pub use readers::Sound;
use readers::{Channel, Datum, Recipients};

use crate::sides;

/// What the flows of a ledger show of their channels and of what stands in between, whoever they lead to.
pub struct Ground<'l> {
    ledger: &'l Ledger,
    negotiated: HashMap<FlowId, Negotiated<'l>>,
    designated: Designated,
    passages: Passages<'l>,
}

impl<'l> Ground<'l> {
    /// Of a ledger.
    pub fn of(ledger: &'l Ledger) -> Self {
        Self {
            ledger,
            negotiated: negotiated(ledger),
            designated: Designated::collect(ledger),
            passages: Passages::collect(ledger),
        }
    }

    /// All that is exposed, in the order of the first frames: what was sighted, and what the ledger shows by itself.
    pub fn find(self, sightings: Vec<Sighting>, of_flow: &[u32]) -> Found<'l> {
        let mut findings = Findings::new(&self, of_flow);
        for sighting in sightings {
            findings.sighted(sighting);
        }
        for seen in &self.ledger.observations {
            findings.observed(seen);
        }
        findings.channels();
        let drafts = findings.drafts.finish();
        Found { drafts, ground: self }
    }
}

/// Exposures of these sightings alone, which are not of the ledger: values that a comparison found.
pub(crate) fn of_sightings(
    sightings: impl Iterator<Item = Sighting>,
    ledger: &Ledger,
    destinations: &[Destination],
    of_flow: &[u32],
) -> Vec<Exposure> {
    let ground = Ground::of(ledger);
    let mut findings = Findings::new(&ground, of_flow);
    for sighting in sightings {
        findings.sighted(sighting);
    }
    let drafts = findings.drafts.finish();
    Found { drafts, ground }.read(destinations, 1)
}

/// What is exposed, but for who can read it.
pub struct Found<'l> {
    drafts: Vec<Draft>,
    ground: Ground<'l>,
}

impl Found<'_> {
    /// The exposures, each with its readers; in so many threads at most.
    pub fn read(mut self, destinations: &[Destination], jobs: usize) -> Vec<Exposure> {
        let ground = &self.ground;
        // Each thread names the recipients for itself: they would only wait for each other.
        sides::each(
            jobs,
            &mut self.drafts,
            || Recipients::of(destinations),
            |recipients, draft| {
                let readers = ground.readers(draft, destinations, recipients);
                draft.exposure.readers = readers;
            },
        );
        self.drafts.into_iter().map(|it| it.exposure).collect()
    }
}

impl Ground<'_> {
    /// Who reads what was found.
    fn readers(&self, draft: &Draft, destinations: &[Destination], recipients: &mut Recipients<'_>) -> Vec<Reader> {
        let it = &draft.exposure;
        let passage = self.passages.of(&it.flows, &draft.unheard, it.protection);
        let datum = Datum {
            kind: &it.kind,
            field: &it.field,
            protection: it.protection,
            disguise: it.disguise,
            evidence: &it.evidence,
            sound: draft.sound.as_deref(),
            channel: draft.channel.as_deref(),
            recorded: it
                .flows
                .iter()
                .all(|id| self.ledger.flows.get(id.0 as usize).is_some_and(Flow::is_recorded)),
            designated: destinations.get(it.destination).and_then(|it| self.designated.frame(&it.name)),
            passage: &passage,
        };
        readers::readers(&datum, recipients.at(it.destination))
    }
}

/// Protocols that seal what they carry, as a rule: which suite their ends agreed on is not read here.
const TUNNELS: &[&str] = &["esp", "ike", "openvpn", "ssh", "wireguard"];

/// Ways of asking for names: the first part of fields that go to a resolver.
const RESOLVING: &[&str] = &["dns", "doh", "doq", "dot"];

/// What is found becomes drafts.
struct Findings<'a> {
    ledger: &'a Ledger,
    of_flow: &'a [u32],
    negotiated: &'a HashMap<FlowId, Negotiated<'a>>,
    drafts: Drafts,
    hostname: Kind,
    hostnames: HashMap<String, [u8; 16]>,
    contents: HashMap<Carried<'a>, [u8; 16]>,
    /// The layers of a frame of which no more is known than its transport.
    transports: HashMap<&'static str, Arc<[&'static str]>>,
}

/// What a channel carries, as far as it is known.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Carried<'l> {
    Tunnel,
    Unknown,
    Unseen,
    Recorded,
    Under(&'l str, ChannelSecrecy),
}

impl Carried<'_> {
    fn words(self) -> Cow<'static, str> {
        match self {
            Self::Tunnel => "what a tunnel carries".into(),
            Self::Unknown => "payload in no known format".into(),
            Self::Unseen => "what an unseen suite carries".into(),
            Self::Recorded => "what a recorded channel carries".into(),
            Self::Under(cipher, ChannelSecrecy::Sealed) => format!("what {cipher} carries").into(),
            Self::Under(cipher, secrecy) => format!("what {cipher} carries ({secrecy:?})").into(),
        }
    }
}

impl<'a> Findings<'a> {
    fn new(ground: &'a Ground<'_>, of_flow: &'a [u32]) -> Self {
        let mut drafts = Drafts::default();
        Self {
            ledger: ground.ledger,
            of_flow,
            negotiated: &ground.negotiated,
            hostname: drafts.kind(&DatumKind::HOSTNAME),
            hostnames: HashMap::default(),
            contents: HashMap::default(),
            drafts,
            transports: HashMap::default(),
        }
    }

    fn key(&self, kind: Kind, print: [u8; 16], field: Field, protection: Protection, flow: FlowId) -> Key {
        Key {
            destination: self.of_flow.get(flow.0 as usize).copied().unwrap_or_default(),
            print,
            protection,
            kind,
            field,
            disguise: Disguise::None,
        }
    }

    fn draft(&mut self, key: Key, flow: FlowId, first: impl FnOnce() -> (DatumKind, SightedValue)) -> Option<&mut Draft> {
        let draft = self.drafts.draft(key, first)?;
        // The weakest channel decides what can be said of all.
        let strong = draft.channel.as_ref().is_none_or(|it| it.secrecy == ChannelSecrecy::Sealed);
        if is_channel(key.protection)
            && strong
            && let Some(it) = self.negotiated.get(&flow)
            && (draft.channel.is_none() || it.secrecy != ChannelSecrecy::Sealed)
        {
            draft.channel = Some(Box::new(Channel {
                cipher: it.cipher.to_owned(),
                secrecy: it.secrecy,
                frame: it.at.span.frame,
            }));
        }
        Some(draft)
    }

    fn sighted(&mut self, it: Sighting) {
        let (kind, field) = (self.drafts.kind(&it.kind), self.drafts.field(&it.field));
        let key = Key {
            disguise: it.disguise,
            ..self.key(kind, it.value.print, field, it.protection, it.flow)
        };
        let flow = self.ledger.flows.get(it.flow.0 as usize);
        if let Some(draft) = self.draft(key, it.flow, || (it.kind, it.value)) {
            draft.exposure.known_as = draft.exposure.known_as.take().or(it.known_as);
            draft.add(it.flow, it.evidence.into_iter(), |at| came_back(flow, at.span.frame), it.count);
        }
    }

    /// Facts that are exposures by themselves: names, and media.
    fn observed(&mut self, seen: &Observed) {
        let flow = seen.flow;
        match &seen.what {
            Observation::NameAsked { protocol, name, .. } => self.name(name.as_str(), (*protocol, "question"), seen),
            Observation::PeerNamed { protocol: "socks", name } => self.name(name.as_str(), ("socks", "destination"), seen),
            Observation::PeerNamed { protocol, name } => self.name(name.as_str(), (*protocol, "sni"), seen),
            Observation::Request { host: Some(host), .. } => self.name(host.as_str(), ("http", "host"), seen),
            Observation::Media {
                protocol,
                ssrc,
                recoverable,
                codec,
                payload_type,
                pictures,
                ..
            } => {
                let (protection, sound) = self.sound(recoverable, seen);
                let kind = if *pictures { DatumKind::fixed("video") } else { DatumKind::AUDIO };
                let codec = if codec.is_empty() {
                    format!("payload type {payload_type}")
                } else {
                    codec.clone()
                };
                let value = public(&kind, &format!("{codec}, SSRC 0x{ssrc:08x}"));
                let (number, field) = (self.drafts.kind(&kind), self.drafts.field_of(protocol, "payload"));
                let key = self.key(number, value.print, field, protection, flow);
                let of = self.ledger.flows.get(flow.0 as usize);
                if let Some(draft) = self.draft(key, flow, || (kind, value)) {
                    if draft.sound.as_ref().is_none_or(|known| known.rank() < sound.rank()) {
                        draft.sound = Some(Box::new(sound));
                    }
                    // A stream is a datum of many frames, of which it is not asked which got there.
                    draft.add(flow, places(seen), |_| came_back(of, 1), seen.count);
                }
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

    /// What a stream of media comes to, and how it is protected.
    fn sound(&self, recoverable: &Recovery, seen: &Observed) -> (Protection, Sound) {
        match (recoverable, seen.protection) {
            (Recovery::Yes { because, .. }, kept @ (Protection::Plaintext | Protection::Srtp)) => {
                // Encrypted, with a key that stands in clear.
                let keyed = kept == Protection::Srtp;
                let because = because.clone();
                (kept, Sound::Heard { because, keyed })
            }
            (Recovery::No { because }, _) => (Protection::Srtp, Sound::Sealed(because.clone())),
            (Recovery::CannotTell { because }, Protection::Plaintext) => match self.agreed(seen) {
                Some(why) => (Protection::Srtp, Sound::Sealed(why)),
                None => (Protection::Opaque, Sound::Unknown(because.clone())),
            },
            (Recovery::CannotTell { because }, Protection::Srtp) => (
                Protection::Srtp,
                Sound::Unknown(format!("{because}; consistent with an inner layer")),
            ),
            (it @ (Recovery::Yes { because, .. } | Recovery::CannotTell { because }), by) => (
                Protection::Srtp,
                Sound::Opened {
                    because: because.clone(),
                    heard: matches!(it, Recovery::Yes { .. }),
                    by,
                },
            ),
        }
    }

    /// Why media is SRTP although nobody has its key: a handshake before it, on the same ports, agreed on that (RFC 5764, section 5.1.2).
    fn agreed(&self, seen: &Observed) -> Option<String> {
        let flow = self.ledger.flows.get(seen.flow.0 as usize)?;
        let channel = self.negotiated.get(&seen.flow)?;
        let agreed = flow.protocols.contains(&"dtls-srtp") && channel.secrecy == ChannelSecrecy::Sealed;
        (agreed && channel.at.span.frame < seen.locus.span.first_frame).then(|| {
            format!(
                "SRTP, as {cipher} agreed on in frame {frame}",
                cipher = channel.cipher,
                frame = channel.at.span.frame
            )
        })
    }

    fn name(&mut self, name: &str, (protocol, what): (&'static str, &'static str), seen: &Observed) {
        let plain = crate::naming::plain(name);
        if plain.is_empty() {
            return;
        }
        let field = self.drafts.field_of(protocol, what);
        let print = match self.hostnames.get(&*plain) {
            Some(known) => *known,
            None => {
                let print = public(&DatumKind::HOSTNAME, &plain).print;
                self.hostnames.insert(plain.clone().into_owned(), print);
                print
            }
        };
        let key = self.key(self.hostname, print, field, seen.protection, seen.flow);
        let value = || (DatumKind::HOSTNAME, shown(print, &plain));
        let flow = self.ledger.flows.get(seen.flow.0 as usize);
        if let Some(draft) = self.draft(key, seen.flow, value) {
            draft.add(seen.flow, places(seen), |at| came_back(flow, at.span.frame), seen.count);
        }
    }

    /// What encrypted and undocumented channels carry: one datum per destination and protection.
    fn channels(&mut self) {
        let ledger = self.ledger;
        let content = self.drafts.kind(&DatumKind::CONTENT);
        for (index, flow) in (0..).zip(&ledger.flows) {
            let id = FlowId(index);
            // The weakest channel to a destination decides what can be said of all: group by what was negotiated.
            let channel = self.negotiated.get(&id).copied();
            let protection = match (flow.protection, channel) {
                // What began in clear and went on under keys: behind STARTTLS, a proxy, a relay.
                (Protection::Plaintext, Some(it)) if it.secrecy != ChannelSecrecy::Readable => it.protection,
                (whole, _) => whole,
            };
            let carries = is_channel(protection) || protection == Protection::Opaque;
            // What is said of media stands with the stream.
            if !carries || flow.protocols.contains(&"rtp") {
                continue;
            }
            let carried = match (protection, channel) {
                (Protection::Opaque, _) if flow.protocols.first().is_some_and(|it| TUNNELS.contains(it)) => Carried::Tunnel,
                (Protection::Opaque, _) => Carried::Unknown,
                (_, Some(it)) => Carried::Under(it.cipher, it.secrecy),
                (_, None) if flow.is_recorded() => Carried::Recorded,
                (_, None) => Carried::Unseen,
            };
            // A channel over which names are asked for is read by whoever answers: it is told apart.
            let resolving = flow.protocols.iter().find(|it| RESOLVING.contains(it));
            let spoken = resolving.or(flow.protocols.first()).copied().unwrap_or(transport(flow.transport));
            let field = self.drafts.field_of(spoken, "content");
            let print = *self
                .contents
                .entry(carried)
                .or_insert_with(|| public(&DatumKind::CONTENT, &carried.words()).print);
            let locus = channel.map_or_else(|| self.first_frame(flow), |it| it.at.clone());
            let key = self.key(content, print, field, protection, id);
            if let Some(draft) = self.draft(key, id, || (DatumKind::CONTENT, shown(print, &carried.words()))) {
                let settled = channel.is_none_or(|it| is_settled(flow, it));
                let heard = |at: &Locus| settled && came_back(Some(flow), at.span.frame);
                draft.add(id, std::iter::once(locus), heard, 1);
            }
        }
    }

    /// The place of what is known of a flow as a whole.
    fn first_frame(&mut self, flow: &Flow) -> Locus {
        let transport = transport(flow.transport);
        let layers = self.transports.entry(transport).or_insert_with(|| [transport].into());
        Locus {
            input: flow.input,
            span: farshore_model::Span::in_frame(flow.first_frame, 0, 0),
            layers: Arc::clone(layers),
            decoded_by: Few::none(),
        }
    }
}

/// What a channel is protected with, and where that was chosen.
#[derive(Clone, Copy)]
struct Negotiated<'l> {
    cipher: &'l str,
    secrecy: ChannelSecrecy,
    /// What a channel of that protocol is called.
    protection: Protection,
    at: &'l Locus,
}

/// What each flow's channel is protected with: the outermost, where one runs inside another.
fn negotiated(ledger: &Ledger) -> HashMap<FlowId, Negotiated<'_>> {
    let mut negotiated = HashMap::default();
    for seen in &ledger.observations {
        if let Observation::Channel {
            protocol,
            cipher: Some(cipher),
            readable,
            ..
        } = &seen.what
        {
            negotiated
                .entry(seen.flow)
                // Of several handshakes in a flow it is not told which of them a datum went under.
                .and_modify(|it: &mut Negotiated<'_>| {
                    if it.secrecy != *readable && seen.protection == Protection::Plaintext {
                        it.secrecy = ChannelSecrecy::Unknown;
                    }
                })
                .or_insert(Negotiated {
                    cipher,
                    secrecy: *readable,
                    protection: match *protocol {
                        "quic" => Protection::Quic,
                        "dtls" => Protection::Dtls,
                        _ => Protection::Tls,
                    },
                    at: &seen.locus,
                });
        }
    }
    negotiated
}

/// Whether the client went on under the keys: a suite that was chosen is not yet one that both ends agreed on.
fn is_settled(flow: &Flow, channel: Negotiated<'_>) -> bool {
    let [up, _] = flow.spoke;
    match channel.protection {
        _ if flow.is_recorded() => true,
        Protection::Tls => flow.sealed,
        _ => u64::from(up) > channel.at.span.frame,
    }
}

/// Whether something came back by which it is shown that what stands in that frame was taken: over TCP a payload, as a bare
/// acknowledgement, let alone a reset, need not be that of a program that read it.
fn came_back(flow: Option<&Flow>, frame: u64) -> bool {
    flow.is_some_and(|flow| match flow.is_recorded() {
        true => flow.down.frames > 0,
        false => flow.is_answered_after(frame),
    })
}

const fn is_channel(protection: Protection) -> bool {
    matches!(protection, Protection::Tls | Protection::Quic | Protection::Dtls)
}

fn places(seen: &Observed) -> impl Iterator<Item = Locus> {
    std::iter::once(&seen.locus).chain(&seen.again).cloned()
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
    shown(crate::identifiers::value::sighted(kind, text, false, None).print, text)
}

/// A value whose mask hides nothing.
fn shown(print: [u8; 16], text: &str) -> SightedValue {
    SightedValue {
        print,
        masked: text.to_owned(),
        raw: None,
        digest: None,
    }
}
