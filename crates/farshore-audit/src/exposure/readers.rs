//! Who could read a datum: one answer and the shortest sound reason for each role.
//!
//! `yes` needs bytes that were read, `no` needs a negotiated suite that hides them, or the record of whoever encrypted them.
//! Randomness gives neither. That a datum left is not that it arrived: whoever is behind the path needs an answer to be a `yes`.
//! A state is never a reader.

use farshore_model::exposure::Because;
use farshore_model::flow::Protection;
use farshore_model::observation::ChannelSecrecy;
use farshore_model::party::{Destination, LocationState};
use farshore_model::sighting::Disguise;
use farshore_model::{Answer, DatumKind, Locus, Reader, ReaderRole, Text};

use super::passage::{Passage, Way};
use super::{RESOLVING, TUNNELS};

/// What decoding media came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sound {
    /// Sound came out, by what anybody on the path has.
    Heard {
        /// The test and its outcome.
        because: String,
        /// The key stands in clear in another conversation.
        keyed: bool,
    },
    /// A negotiated protection hides it, and keys that were given opened it.
    Opened {
        /// What it was opened with, and what came of it.
        because: String,
        /// Whether sound came out; otherwise there may be another layer.
        heard: bool,
        /// Where its key was agreed on: by DTLS on the same path, else in signalling.
        by: Protection,
    },
    /// A negotiated protection hides it.
    Sealed(String),
    /// Neither was shown.
    Unknown(String),
}

impl Sound {
    /// Of several streams that are one datum, the one that says most stands for all.
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Self::Heard { .. } => 3,
            Self::Unknown(_) => 2,
            Self::Opened { .. } => 1,
            Self::Sealed(_) => 0,
        }
    }
}

/// A negotiated channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Channel {
    /// The suite.
    pub cipher: String,
    /// What the suite hides.
    pub secrecy: ChannelSecrecy,
    /// The frame with which it was chosen.
    pub frame: u64,
}

/// A datum on its way to one destination.
pub(super) struct Datum<'a> {
    pub kind: &'a DatumKind,
    pub field: &'a str,
    pub protection: Protection,
    pub disguise: Disguise,
    pub evidence: &'a [Locus],
    pub sound: Option<&'a Sound>,
    pub channel: Option<&'a Channel>,
    /// Whether it is known from what somebody wrote down.
    pub recorded: bool,
    /// The frame in which the destination was told to answer DNS over HTTPS.
    pub designated: Option<u64>,
    pub passage: &'a Passage,
}

/// Destinations as readers name them, each put together once.
pub(super) struct Recipients<'a> {
    destinations: &'a [Destination],
    known: Vec<Option<Recipient<'a>>>,
    nobody: Text,
}

/// A destination and the names of whoever has to do with it.
pub(super) struct Recipient<'a> {
    destination: &'a Destination,
    /// The organisation, else the host.
    name: Text,
    /// The holders of its networks; `None` where it is local or nobody announces it.
    hosts: Option<Text>,
    /// Whoever owns the organisation, if it is known.
    owner: Text,
    nobody: Text,
}

impl<'a> Recipients<'a> {
    pub(super) fn of(destinations: &'a [Destination]) -> Self {
        Self {
            destinations,
            known: destinations.iter().map(|_| None).collect(),
            nobody: "".into(),
        }
    }

    pub(super) fn at(&mut self, index: usize) -> Option<&Recipient<'a>> {
        let (destination, known) = (self.destinations.get(index)?, self.known.get_mut(index)?);
        Some(known.get_or_insert_with(|| Recipient::of(destination, &self.nobody)))
    }
}

impl<'a> Recipient<'a> {
    fn of(destination: &'a Destination, nobody: &Text) -> Self {
        let organisation = destination.organisation.as_ref();
        let owner = organisation.and_then(|_| destination.owners.first());
        Self {
            destination,
            name: organisation.map_or_else(|| destination.name.clone(), |it| it.name.as_str().into()),
            hosts: hosts(destination),
            owner: owner.map_or_else(|| nobody.clone(), |it| it.name.as_str().into()),
            nobody: nobody.clone(),
        }
    }
}

fn hosts(destination: &Destination) -> Option<Text> {
    if destination.location.state == LocationState::Local {
        return None;
    }
    let networks = destination.places.iter().filter_map(|it| it.network.as_ref());
    let mut holders: Vec<&Text> = networks.map(|it| &it.name).collect();
    holders.sort();
    holders.dedup();
    match holders.as_slice() {
        [] => None,
        [only] => Some((*only).clone()),
        several => Some(several.iter().map(|it| it.as_str()).collect::<Vec<_>>().join(", ").into()),
    }
}

/// Why it is not shown that the datum was taken.
fn unanswered(datum: &Datum<'_>) -> Because {
    Because::Plain(match (datum.passage.forged, datum.channel) {
        (true, _) => "somebody on the path spoke in its name: that it arrived is not shown",
        (false, Some(_)) if datum.kind == &DatumKind::CONTENT => {
            "nothing of the client was captured under the keys: that both ends agreed on them is not shown"
        }
        (false, _) => "nothing came back: that it arrived is not shown",
    })
}

/// The readers of a datum, in the order of the way it takes.
pub(super) fn readers(datum: &Datum<'_>, to: Option<&Recipient<'_>>) -> Vec<Reader> {
    let Some(to) = to else { return Vec::new() };
    let open = in_the_open(datum);
    let asked = datum.field.split_once('.').filter(|(way, _)| RESOLVING.contains(way));
    let resolver = match asked {
        // What a channel carries, rather than a question that was read.
        Some((way, "content")) => Some(asked_within(endpoint(datum, &open, to), way)),
        Some(_) => Some(resolver(datum, to)),
        None => datum.designated.filter(|_| is_content(datum)).map(|frame| designated(frame, to)),
    };
    let relaying = relaying(datum, to);
    let relay = relaying.map(|it| relay(it, datum, &open, to));
    let behind = matches!(relaying, Some(Relaying::Turn | Relaying::Vendor)) || relaying == Some(Relaying::Broker) && is_published(datum);
    let receives = match asked {
        _ if behind => Some(Reader {
            role: ReaderRole::Endpoint,
            party: to.nobody.clone(),
            answer: Answer::CannotTell,
            because: Because::Plain("who receives it behind the relay is not on the wire"),
        }),
        Some(_) => None,
        None => Some(endpoint(datum, &open, to)),
    };
    let inside = match &datum.passage.way {
        Way::Fronted(it) if receives.is_some() && !behind => Some(Reader {
            role: ReaderRole::Endpoint,
            party: it.inside.as_str().into(),
            answer: Answer::CannotTell,
            because: fronted(datum),
        }),
        _ => None,
    };
    let owner = to.destination.organisation.is_some().then(|| Reader {
        role: ReaderRole::Owner,
        party: to.owner.clone(),
        answer: Answer::CannotTell,
        because: Because::Plain("whether an owner has access to what the operator receives is not on the wire"),
    });
    let all = [
        Some(on_path(datum, &open, to)),
        resolver,
        hosting(datum, &open, to),
        relay,
        receives,
        inside,
        owner,
    ];
    let mut readers = Vec::with_capacity(all.iter().flatten().count());
    readers.extend(all.into_iter().flatten().map(|it| disguised(it, datum)));
    readers
}

/// An answer and its reason.
type Open = (Answer, Because);

/// What the bytes themselves allow anyone who holds them: the common ground of all roles short of the keys' holders.
fn in_the_open(datum: &Datum<'_>) -> Open {
    use Because::{Clear, Plain};
    let frame = first_frame(datum);
    match (datum.sound, datum.protection, datum.channel) {
        (Some(Sound::Heard { because, .. }), ..) => (Answer::Yes, told(format!("it was decoded to sound: {because}"))),
        (Some(Sound::Opened { because, .. }), ..) => (Answer::No, told(format!("{because}; opened here with keys"))),
        (Some(Sound::Sealed(why)), ..) => (Answer::No, told(why.clone())),
        (Some(Sound::Unknown(why)), ..) => (Answer::CannotTell, told(why.clone())),
        // A browser writes down what it was asked to send, even where it was kept from that.
        (None, Protection::Plaintext, _) if datum.recorded && !datum.passage.answered => {
            (Answer::CannotTell, Plain("no answer was recorded: that it was sent is not shown"))
        }
        (None, Protection::Plaintext, _) => (Answer::Yes, Clear { frame }),
        (None, Protection::Opaque, _) if datum.field.strip_suffix(".content").is_some_and(|it| TUNNELS.contains(&it)) => (
            Answer::CannotTell,
            Plain("a tunnel whose ends seal what it carries, as a rule: which suite they agreed on was not read"),
        ),
        (None, Protection::Opaque, _) if datum.recorded => (Answer::CannotTell, Plain("whether it was encrypted was not recorded")),
        (None, Protection::Unknown, _) => (Answer::CannotTell, Plain("a flow log does not tell whether it was encrypted")),
        (None, Protection::Opaque | Protection::Empty, _) => (
            Answer::CannotTell,
            Plain("the format is not known: it may be encrypted, compressed or merely undocumented"),
        ),
        (None, _, Some(channel)) => negotiated(datum, channel),
        // Whoever wrote it down is an end of the channel, or was let in by one.
        (None, Protection::Tls | Protection::Quic | Protection::Dtls, None) if datum.recorded => (
            Answer::No,
            Plain("its sender recorded that it went over an encrypted channel; which suite was not recorded"),
        ),
        (None, _, None) => (Answer::CannotTell, Plain("no choice of a suite was captured")),
    }
}

/// What a suite leaves to whoever sees the bytes.
fn negotiated(datum: &Datum<'_>, channel: &Channel) -> Open {
    let Channel { cipher, secrecy, frame } = channel;
    match secrecy {
        ChannelSecrecy::Sealed if is_weak(cipher) => (
            Answer::CannotTell,
            told(format!(
                "the keys of {cipher}, chosen in frame {frame}, are short enough to try them all"
            )),
        ),
        ChannelSecrecy::Sealed => (
            Answer::No,
            told(format!(
                "encrypted with {cipher}, chosen in frame {frame}{}",
                // A datum that could be told apart was opened here; the channel's content as a whole was not.
                if datum.kind == &DatumKind::CONTENT || datum.recorded {
                    ""
                } else {
                    "; opened here with keys"
                }
            )),
        ),
        ChannelSecrecy::Readable => (Answer::Yes, told(format!("{cipher} hides nothing, chosen in frame {frame}"))),
        ChannelSecrecy::Anonymous => (
            Answer::CannotTell,
            told(format!("{cipher} authenticates nobody: whoever sat in the middle may have read it")),
        ),
        ChannelSecrecy::Unknown => (Answer::CannotTell, Because::Plain("the suite that was chosen is not known")),
    }
}

/// Whether a suite has keys of 40 or 56 bits, as exported ones and DES have.
fn is_weak(cipher: &str) -> bool {
    ["EXPORT", "_DES_CBC_", "DES40", "_40_", "DES-CBC-"]
        .iter()
        .any(|it| cipher.contains(it))
        && !cipher.contains("3DES")
}

/// Of a digest nobody reads the value: who knows or guesses it can tell that it is meant.
fn disguised(mut it: Reader, datum: &Datum<'_>) -> Reader {
    let frame = first_frame(datum);
    if it.answer == Answer::Yes && datum.disguise != Disguise::None {
        it.answer = Answer::CannotTell;
        it.because = told(match datum.disguise {
            Disguise::WeakDigest => format!("only a digest of 32 bits stands in frame {frame}, which other values have too"),
            _ => {
                format!("only a digest of it stands there, in frame {frame}: whoever knows or guesses the value can tell that it is meant")
            }
        });
    }
    it
}

fn first_frame(datum: &Datum<'_>) -> u64 {
    datum.evidence.first().map_or(0, |it| it.span.frame)
}

fn told(words: String) -> Because {
    Because::Told(words.into())
}

fn resolver(datum: &Datum<'_>, to: &Recipient<'_>) -> Reader {
    let (answer, because) = if datum.passage.answered {
        (Answer::Yes, Because::Plain("the query is addressed to it, and it answered"))
    } else {
        (Answer::CannotTell, unanswered(datum))
    };
    Reader {
        role: ReaderRole::DnsResolver,
        party: to.name.clone(),
        answer,
        because,
    }
}

fn asked_within(endpoint: Reader, way: &str) -> Reader {
    Reader {
        role: ReaderRole::DnsResolver,
        because: told(format!("names are asked for over this channel ({way}): {}", endpoint.because)),
        ..endpoint
    }
}

/// Whether this is what a channel of the web carries.
fn is_content(datum: &Datum<'_>) -> bool {
    datum.kind == &DatumKind::CONTENT && matches!(datum.protection, Protection::Tls | Protection::Quic)
}

/// A host that the network's resolver gave out for DNS over HTTPS: a channel to it may carry questions, or web pages.
fn designated(frame: u64, to: &Recipient<'_>) -> Reader {
    Reader {
        role: ReaderRole::DnsResolver,
        party: to.name.clone(),
        answer: Answer::CannotTell,
        because: told(format!(
            "frame {frame} designates it for DNS over HTTPS; whether names are asked for over this channel is not on the wire"
        )),
    }
}

fn on_path(datum: &Datum<'_>, (answer, because): &Open, to: &Recipient<'_>) -> Reader {
    let (answer, because) = match (answer, &datum.passage.way, datum.channel) {
        (Answer::No, Way::Strange(frame), _) => (
            Answer::CannotTell,
            told(format!(
                "{because}; but the certificate in frame {frame} is for other names: whoever sat in the middle may have shown it"
            )),
        ),
        // Whoever gets the server's key later reads what was recorded: no forward secrecy (RFC 7525, section 6.3).
        (Answer::No, _, Some(channel)) if channel.cipher.starts_with("TLS_RSA_") => (
            Answer::No,
            told(format!("{because}; a holder of the server's private key can read recordings")),
        ),
        _ => (*answer, because.clone()),
    };
    Reader {
        role: ReaderRole::OnPath,
        party: to.nobody.clone(),
        answer,
        because,
    }
}

fn hosting(datum: &Datum<'_>, open: &Open, to: &Recipient<'_>) -> Option<Reader> {
    let (answer, because) = match open {
        (Answer::Yes, _) if keyed_elsewhere(datum) => (Answer::CannotTell, KEYED_ELSEWHERE),
        (Answer::Yes, _) if !datum.passage.answered => (Answer::CannotTell, unanswered(datum)),
        (Answer::Yes, _) => (
            Answer::Yes,
            Because::Plain("what is in clear reaches the machine through its network"),
        ),
        (_, because) if datum.protection == Protection::Opaque => (Answer::CannotTell, because.clone()),
        _ => (
            Answer::CannotTell,
            Because::Plain("whether it ends the encryption on the recipient's behalf is not on the wire"),
        ),
    };
    Some(Reader {
        role: ReaderRole::Hosting,
        party: to.hosts.clone()?,
        answer,
        because,
    })
}

/// Media that is sealed on this path, with a key that another path shows.
fn keyed_elsewhere(datum: &Datum<'_>) -> bool {
    matches!(datum.sound, Some(Sound::Heard { keyed: true, .. }))
}

const KEYED_ELSEWHERE: Because = Because::Plain("its key stands in clear in another conversation: whether it sees that is not on the wire");

/// Kinds of organisation (as the table of organisations spells them) whose business is passing things on.
const RELAY_KINDS: &[&str] = &["rtc", "cpaas"];

/// What passes a datum on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relaying {
    /// A TURN server (RFC 8656).
    Turn,
    /// A broker, which hands what is published to whoever subscribed.
    Broker,
    /// A proxy.
    Proxy,
    /// A vendor whose business it is.
    Vendor,
}

fn relaying(datum: &Datum<'_>, to: &Recipient<'_>) -> Option<Relaying> {
    let of_a_vendor = || {
        let kind = to.destination.organisation.as_ref().map(|it| it.kind.as_str());
        kind.is_some_and(|it| RELAY_KINDS.contains(&it)) && datum.kind != &DatumKind::HOSTNAME
    };
    if datum.passage.relayed {
        // What is said to the relay itself; the names of a session go on to the other end.
        let said_to_it = datum.field.starts_with("stun.") && !datum.field.starts_with("stun.ice.");
        (!said_to_it).then_some(Relaying::Turn)
    } else if datum.field.starts_with("mqtt.") && datum.kind != &DatumKind::CONTENT {
        Some(Relaying::Broker)
    } else if datum.passage.proxy.is_some() {
        Some(Relaying::Proxy)
    } else {
        of_a_vendor().then_some(Relaying::Vendor)
    }
}

/// Whether a broker gets it for others, rather than to know who comes.
fn is_published(datum: &Datum<'_>) -> bool {
    !["mqtt.client-id", "mqtt.username", "mqtt.password"].contains(&datum.field)
}

fn relay(it: Relaying, datum: &Datum<'_>, open: &Open, to: &Recipient<'_>) -> Reader {
    // What was told apart within a session of the web was said to the relay's own server: as with any other endpoint.
    let told_to_it = matches!(datum.protection, Protection::Tls | Protection::Quic) && datum.field.starts_with("http.");
    let own = it == Relaying::Broker || it == Relaying::Vendor && told_to_it && datum.kind != &DatumKind::CONTENT;
    let (answer, because) = match open {
        (Answer::No, _) if own => said_to(datum, open),
        (Answer::Yes, _) if keyed_elsewhere(datum) => (Answer::CannotTell, KEYED_ELSEWHERE),
        (Answer::Yes, _) if !datum.passage.answered => (Answer::CannotTell, unanswered(datum)),
        (Answer::Yes, because) => (
            Answer::Yes,
            told(format!("it passes on the very bytes that were captured: {because}")),
        ),
        (Answer::No, _) => behind_a_relay(it, datum),
        (Answer::CannotTell, because) => (Answer::CannotTell, because.clone()),
    };
    let party = match (it, datum.passage.proxy) {
        (Relaying::Proxy, Some(address)) => address.to_string().into(),
        _ => to.name.clone(),
    };
    Reader {
        role: ReaderRole::Relay,
        party,
        answer,
        because,
    }
}

/// What a relay can read of what is sealed on its way to it.
fn behind_a_relay(it: Relaying, datum: &Datum<'_>) -> Open {
    let why = match (it, datum.sound) {
        (Relaying::Turn, _) => "it carries the handshake too, and need not take part in it: who holds the keys is not on the wire",
        (Relaying::Proxy, _) => "whether the proxy ends the encryption and begins another is not on the wire",
        (_, Some(Sound::Opened { heard: false, .. })) => INNER_LAYER,
        // DTLS was asked for this very server, and inside is sound.
        (
            _,
            Some(Sound::Opened {
                because,
                by: Protection::Dtls,
                ..
            }),
        ) if datum.passage.way == Way::Straight && datum.passage.answered => {
            return (
                Answer::Yes,
                told(format!(
                    "it agreed on the keys of DTLS, and beneath them there is no other layer: {because}"
                )),
            );
        }
        _ => "the encryption may end at the relay; who holds the keys is not on the wire",
    };
    (Answer::CannotTell, Because::Plain(why))
}

const INNER_LAYER: &str = "what is beneath is consistent with an inner layer, whose keys are not on the wire";

fn endpoint(datum: &Datum<'_>, open: &Open, to: &Recipient<'_>) -> Reader {
    let (answer, because) = said_to(datum, open);
    // Behind a hello whose outside names a cover, the name of the other end is sealed.
    let unnamed = datum.passage.covered && to.destination.domain.is_none() && to.destination.organisation.is_none();
    Reader {
        role: ReaderRole::Endpoint,
        party: if unnamed { to.nobody.clone() } else { to.name.clone() },
        answer,
        because,
    }
}

/// Whether the other end of the flows can read it.
fn said_to(datum: &Datum<'_>, (open, because): &Open) -> Open {
    use Because::Plain;
    // A channel that others may open is one on which both ends agreed all the same.
    let agreed = *open == Answer::No || datum.channel.is_some_and(|it| it.secrecy == ChannelSecrecy::Sealed);
    match (&datum.passage.way, open) {
        _ if !datum.passage.answered => (Answer::CannotTell, unanswered(datum)),
        (_, Answer::CannotTell) if !agreed => (Answer::CannotTell, because.clone()),
        (Way::Strange(frame), _) => (
            Answer::CannotTell,
            told(format!(
                "the certificate in frame {frame} is for other names: whose machine it is is not shown"
            )),
        ),
        (Way::Fronted(_), _) => (Answer::CannotTell, fronted(datum)),
        (Way::Proxied, _) => (
            Answer::CannotTell,
            Plain("a proxy was asked for it, and answered: that it passed it on is not shown"),
        ),
        (_, Answer::Yes) if keyed_elsewhere(datum) => (Answer::CannotTell, KEYED_ELSEWHERE),
        (_, Answer::Yes) => (Answer::Yes, Plain("it was sent there, and the other end answered")),
        (Way::Relayed | Way::Found, _) if !matches!(datum.protection, Protection::Tls | Protection::Quic) => (
            Answer::CannotTell,
            Plain("the address was told in signalling and may be a relay's: where the encryption ends is not on the wire"),
        ),
        _ => match datum.sound {
            Some(Sound::Opened { heard: false, .. }) => (Answer::CannotTell, Plain(INNER_LAYER)),
            Some(Sound::Opened { by: Protection::Dtls, .. }) | None => (Answer::Yes, Plain("it agreed on the keys of this channel")),
            Some(_) => (
                Answer::CannotTell,
                Plain("where the encryption ends, and whether there is another beneath, is not on the wire"),
            ),
        },
    }
}

fn fronted(datum: &Datum<'_>) -> Because {
    match &datum.passage.way {
        Way::Fronted(it) => told(format!(
            "the connection is for {}, the request of frame {} asks for {}: which of them receives it is not on the wire",
            it.outside, it.frame, it.inside
        )),
        _ => Because::Plain(""),
    }
}
