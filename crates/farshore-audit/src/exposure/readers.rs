//! Who could read a datum: one answer and the shortest sound reason for each role.
//!
//! `yes` needs bytes that were read, `no` needs a negotiated suite that hides them, or the record of whoever encrypted them.
//! Randomness gives neither.
//! A state is never a reader.

use farshore_model::exposure::Because;
use farshore_model::flow::Protection;
use farshore_model::observation::ChannelSecrecy;
use farshore_model::party::{Destination, LocationState};
use farshore_model::sighting::Disguise;
use farshore_model::{Answer, DatumKind, FlowId, Ledger, Locus, Reader, ReaderRole, Text};

use super::{RESOLVING, TUNNELS};

/// What decoding media came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sound {
    /// Sound came out.
    Heard(String),
    /// A negotiated protection hides it.
    Sealed(String),
    /// Neither was shown.
    Unknown(String),
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
    pub flows: &'a [FlowId],
    pub evidence: &'a [Locus],
    pub sound: Option<&'a Sound>,
    pub channel: Option<&'a Channel>,
    /// Whether it is known from what somebody wrote down.
    pub recorded: bool,
    /// The frame in which the destination was told to answer DNS over HTTPS.
    pub designated: Option<u64>,
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

/// The readers of a datum, in the order of the way it takes.
pub(super) fn readers(datum: &Datum<'_>, to: Option<&Recipient<'_>>, ledger: &Ledger) -> Vec<Reader> {
    let Some(to) = to else { return Vec::new() };
    let open = in_the_open(datum);
    let asked = datum.field.split_once('.').filter(|(way, _)| RESOLVING.contains(way));
    let resolver = match asked {
        // What a channel carries, rather than a question that was read.
        Some((way, "content")) => Some(asked_within(endpoint(datum, &open, to, ledger), way)),
        Some(_) => Some(Reader {
            role: ReaderRole::DnsResolver,
            party: to.name.clone(),
            answer: Answer::Yes,
            because: Because::Plain("the query is addressed to it"),
        }),
        None => datum.designated.filter(|_| is_content(datum)).map(|frame| designated(frame, to)),
    };
    let relay = relay(datum, &open, to, ledger);
    let receives = match relay {
        Some(_) => Some(Reader {
            role: ReaderRole::Endpoint,
            party: to.nobody.clone(),
            answer: Answer::CannotTell,
            because: Because::Plain("who receives it behind the relay is not on the wire"),
        }),
        None => asked.is_none().then(|| endpoint(datum, &open, to, ledger)),
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
        owner,
    ];
    let mut readers = Vec::with_capacity(all.iter().flatten().count());
    readers.extend(all.into_iter().flatten());
    readers
}

/// An answer and its reason.
type Open = (Answer, Because);

/// What the bytes themselves allow anyone who holds them: the common ground of all roles short of the keys' holders.
fn in_the_open(datum: &Datum<'_>) -> Open {
    use Because::{Clear, Plain};
    let frame = datum.evidence.first().map_or(0, |it| it.span.frame);
    match (datum.disguise, datum.protection) {
        (Disguise::Digest, Protection::Plaintext) => {
            return (
                Answer::CannotTell,
                told(format!(
                    "a digest of it stands in clear in frame {frame}: whoever knows or guesses the value can tell that it is meant"
                )),
            );
        }
        (Disguise::WeakDigest, _) => {
            return (
                Answer::CannotTell,
                told(format!(
                    "only a digest of 32 bits stands in frame {frame}, which other values have too"
                )),
            );
        }
        _ => {}
    }
    match (datum.sound, datum.protection, datum.channel) {
        (Some(Sound::Heard(why)), ..) => (Answer::Yes, told(format!("it was decoded to sound: {why}"))),
        (Some(Sound::Sealed(why)), ..) => (Answer::No, told(why.clone())),
        (Some(Sound::Unknown(why)), ..) => (Answer::CannotTell, told(why.clone())),
        (None, Protection::Plaintext, _) => (Answer::Yes, Clear { frame }),
        (None, Protection::Opaque, _) if datum.field.strip_suffix(".content").is_some_and(|it| TUNNELS.contains(&it)) => (
            Answer::CannotTell,
            Plain("a tunnel whose ends seal what it carries, as a rule: which suite they agreed on was not read"),
        ),
        (None, Protection::Opaque, _) if datum.recorded => (Answer::CannotTell, Plain("whether it was encrypted was not recorded")),
        (None, Protection::Opaque | Protection::Empty, _) => (
            Answer::CannotTell,
            Plain("the format is not known: it may be encrypted, compressed or merely undocumented"),
        ),
        (None, _, Some(channel)) => match channel.secrecy {
            ChannelSecrecy::Sealed => (
                Answer::No,
                told(format!(
                    "encrypted with {}, chosen in frame {}{}",
                    channel.cipher,
                    channel.frame,
                    // A datum that could be told apart was opened here; the channel's content as a whole was not.
                    if datum.kind == &DatumKind::CONTENT || datum.recorded {
                        ""
                    } else {
                        "; opened here with keys"
                    }
                )),
            ),
            ChannelSecrecy::Readable => (
                Answer::Yes,
                told(format!("{} hides nothing, chosen in frame {}", channel.cipher, channel.frame)),
            ),
            ChannelSecrecy::Anonymous => (
                Answer::CannotTell,
                told(format!(
                    "{} authenticates nobody: whoever sat in the middle may have read it",
                    channel.cipher
                )),
            ),
            ChannelSecrecy::Unknown => (Answer::CannotTell, Plain("the suite that was chosen is not known")),
        },
        // Whoever wrote it down is an end of the channel, or was let in by one.
        (None, Protection::Tls | Protection::Quic | Protection::Dtls, None) if datum.recorded => (
            Answer::No,
            Plain("its sender recorded that it went over an encrypted channel; which suite was not recorded"),
        ),
        (None, _, None) => (Answer::CannotTell, Plain("no choice of a suite was captured")),
    }
}

fn told(words: String) -> Because {
    Because::Told(words.into())
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
    let because = match (datum.channel, answer) {
        // Whoever gets the server's key later reads what was recorded: no forward secrecy (RFC 7525, section 6.3).
        (Some(channel), Answer::No) if channel.cipher.starts_with("TLS_RSA_") => {
            told(format!("{because}; a holder of the server's private key can read recordings"))
        }
        _ => because.clone(),
    };
    Reader {
        role: ReaderRole::OnPath,
        party: to.nobody.clone(),
        answer: *answer,
        because,
    }
}

fn hosting(datum: &Datum<'_>, open: &Open, to: &Recipient<'_>) -> Option<Reader> {
    let (answer, because) = match open {
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

/// Kinds of organisation (as the table of organisations spells them) whose business is passing things on.
const RELAY_KINDS: &[&str] = &["rtc", "cpaas"];

fn relay(datum: &Datum<'_>, open: &Open, to: &Recipient<'_>, ledger: &Ledger) -> Option<Reader> {
    let organisation = to.destination.organisation.as_ref()?;
    if !RELAY_KINDS.contains(&organisation.kind.as_str()) || datum.kind == &DatumKind::HOSTNAME {
        return None;
    }
    // What was told apart within a session of the web was said to the relay's own server: as with any other endpoint.
    let told_to_it = matches!(datum.protection, Protection::Tls | Protection::Quic) && datum.field.starts_with("http.");
    let (answer, because) = match open {
        (Answer::No, _) if told_to_it && datum.kind != &DatumKind::CONTENT => {
            let it = endpoint(datum, open, to, ledger);
            (it.answer, it.because)
        }
        (Answer::Yes, because) => (
            Answer::Yes,
            told(format!("it passes on the very bytes that were captured: {because}")),
        ),
        (Answer::No, _) => (
            Answer::CannotTell,
            Because::Plain("the encryption may end at the relay; who holds the keys is not on the wire"),
        ),
        (Answer::CannotTell, because) => (Answer::CannotTell, because.clone()),
    };
    Some(Reader {
        role: ReaderRole::Relay,
        party: to.name.clone(),
        answer,
        because,
    })
}

fn endpoint(datum: &Datum<'_>, (open, because): &Open, to: &Recipient<'_>, ledger: &Ledger) -> Reader {
    let answered = datum
        .flows
        .iter()
        .filter_map(|id| ledger.flows.get(id.0 as usize))
        .any(|flow| flow.down.frames > 0);
    let (answer, because) = match (answered, open) {
        (false, _) => (
            Answer::CannotTell,
            Because::Plain("nothing came back: that it arrived is not shown"),
        ),
        (true, Answer::Yes) => (Answer::Yes, Because::Plain("it was sent there, and the other end answered")),
        (true, Answer::No) => (Answer::Yes, Because::Plain("it agreed on the keys of this channel")),
        (true, Answer::CannotTell) => (Answer::CannotTell, because.clone()),
    };
    Reader {
        role: ReaderRole::Endpoint,
        party: to.name.clone(),
        answer,
        because,
    }
}
