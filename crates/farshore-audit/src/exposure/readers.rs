//! Who could read a datum: one answer and the shortest sound reason for each role.
//!
//! `yes` needs bytes that were read, `no` needs a negotiated suite that hides them. Randomness gives neither.
//! A state is never a reader.

use farshore_model::flow::Protection;
use farshore_model::observation::ChannelSecrecy;
use farshore_model::party::{Destination, LocationState};
use farshore_model::{Answer, DatumKind, FlowId, Ledger, Locus, Reader, ReaderRole};

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
    pub flows: &'a [FlowId],
    pub evidence: &'a [Locus],
    pub sound: Option<&'a Sound>,
    pub channel: Option<&'a Channel>,
    /// The frame in which the destination was told to answer DNS over HTTPS.
    pub designated: Option<u64>,
}

/// The readers of a datum, in the order of the way it takes.
pub(super) fn readers(datum: &Datum<'_>, destination: Option<&Destination>, ledger: &Ledger) -> Vec<Reader> {
    let Some(destination) = destination else { return Vec::new() };
    let mut readers = vec![on_path(datum)];
    let asked = datum.field.split_once('.').filter(|(way, _)| RESOLVING.contains(way));
    let resolver = asked.is_some();
    let recipient = destination
        .organisation
        .as_ref()
        .map_or_else(|| destination.name.clone(), |it| it.name.clone());
    match asked {
        // What a channel carries, rather than a question that was read.
        Some((way, "content")) => readers.push(asked_within(endpoint(datum, &recipient, ledger), way)),
        Some(_) => readers.push(Reader {
            role: ReaderRole::DnsResolver,
            party: recipient.clone(),
            answer: Answer::Yes,
            because: "the query is addressed to it".to_owned(),
        }),
        None => readers.extend(
            datum
                .designated
                .filter(|_| is_content(datum))
                .map(|frame| designated(frame, &recipient)),
        ),
    }
    if let Some(hosting) = hosting(datum, destination) {
        readers.push(hosting);
    }
    if let Some(relay) = relay(datum, destination) {
        readers.push(relay);
        readers.push(Reader {
            role: ReaderRole::Endpoint,
            party: String::new(),
            answer: Answer::CannotTell,
            because: "who receives it behind the relay is not on the wire".to_owned(),
        });
    } else if !resolver {
        readers.push(endpoint(datum, &recipient, ledger));
    }
    if destination.organisation.is_some() {
        let owner = destination.owners.first();
        readers.push(Reader {
            role: ReaderRole::Owner,
            party: owner.map(|it| it.name.clone()).unwrap_or_default(),
            answer: Answer::CannotTell,
            because: "whether an owner has access to what the operator receives is not on the wire".to_owned(),
        });
    }
    readers
}

/// What the bytes themselves allow anyone who holds them: the common ground of all roles short of the keys' holders.
fn in_the_open(datum: &Datum<'_>) -> (Answer, String) {
    let frame = datum.evidence.first().map_or(0, |it| it.span.frame);
    match (datum.sound, datum.protection, datum.channel) {
        (Some(Sound::Heard(why)), ..) => (Answer::Yes, format!("it was decoded to sound: {why}")),
        (Some(Sound::Sealed(why)), ..) => (Answer::No, why.clone()),
        (Some(Sound::Unknown(why)), ..) => (Answer::CannotTell, why.clone()),
        (None, Protection::Plaintext, _) => (Answer::Yes, format!("it stands in clear in frame {frame}")),
        (None, Protection::Opaque, _) if datum.field.strip_suffix(".content").is_some_and(|it| TUNNELS.contains(&it)) => (
            Answer::CannotTell,
            "a tunnel whose ends seal what it carries, as a rule: which suite they agreed on was not read".to_owned(),
        ),
        (None, Protection::Opaque | Protection::Empty, _) => (
            Answer::CannotTell,
            "the format is not known: it may be encrypted, compressed or merely undocumented".to_owned(),
        ),
        (None, _, Some(channel)) => match channel.secrecy {
            ChannelSecrecy::Sealed => (
                Answer::No,
                format!(
                    "encrypted with {}, chosen in frame {}{}",
                    channel.cipher,
                    channel.frame,
                    // A datum that could be told apart was opened here; the channel's content as a whole was not.
                    if datum.kind == &DatumKind::CONTENT {
                        ""
                    } else {
                        "; opened here with keys"
                    }
                ),
            ),
            ChannelSecrecy::Readable => (
                Answer::Yes,
                format!("{} hides nothing, chosen in frame {}", channel.cipher, channel.frame),
            ),
            ChannelSecrecy::Anonymous => (
                Answer::CannotTell,
                format!(
                    "{} authenticates nobody: whoever sat in the middle may have read it",
                    channel.cipher
                ),
            ),
            ChannelSecrecy::Unknown => (Answer::CannotTell, "the suite that was chosen is not known".to_owned()),
        },
        (None, _, None) => (Answer::CannotTell, "no choice of a suite was captured".to_owned()),
    }
}

fn asked_within(endpoint: Reader, way: &str) -> Reader {
    Reader {
        role: ReaderRole::DnsResolver,
        because: format!("names are asked for over this channel ({way}): {}", endpoint.because),
        ..endpoint
    }
}

/// Whether this is what a channel of the web carries.
fn is_content(datum: &Datum<'_>) -> bool {
    datum.kind == &DatumKind::CONTENT && matches!(datum.protection, Protection::Tls | Protection::Quic)
}

/// A host that the network's resolver gave out for DNS over HTTPS: a channel to it may carry questions, or web pages.
fn designated(frame: u64, recipient: &str) -> Reader {
    Reader {
        role: ReaderRole::DnsResolver,
        party: recipient.to_owned(),
        answer: Answer::CannotTell,
        because: format!(
            "frame {frame} designates it for DNS over HTTPS; whether names are asked for over this channel is not on the wire"
        ),
    }
}

fn on_path(datum: &Datum<'_>) -> Reader {
    let (answer, because) = in_the_open(datum);
    let because = match (datum.channel, answer) {
        // Whoever gets the server's key later reads what was recorded: no forward secrecy (RFC 7525, section 6.3).
        (Some(channel), Answer::No) if channel.cipher.starts_with("TLS_RSA_") => {
            format!("{because}; a holder of the server's private key can read recordings")
        }
        _ => because,
    };
    Reader {
        role: ReaderRole::OnPath,
        party: String::new(),
        answer,
        because,
    }
}

fn hosting(datum: &Datum<'_>, destination: &Destination) -> Option<Reader> {
    if destination.location.state == LocationState::Local {
        return None;
    }
    let networks: std::collections::BTreeSet<&str> = destination
        .places
        .iter()
        .filter_map(|it| it.network.as_ref())
        .map(|it| it.name.as_str())
        .collect();
    let party: Vec<&str> = networks.into_iter().collect();
    if party.is_empty() {
        return None;
    }
    let (answer, because) = match in_the_open(datum) {
        (Answer::Yes, _) => (Answer::Yes, "what is in clear reaches the machine through its network".to_owned()),
        (_, because) if datum.protection == Protection::Opaque => (Answer::CannotTell, because),
        _ => (
            Answer::CannotTell,
            "whether it ends the encryption on the recipient's behalf is not on the wire".to_owned(),
        ),
    };
    Some(Reader {
        role: ReaderRole::Hosting,
        party: party.join(", "),
        answer,
        because,
    })
}

/// Kinds of organisation (as the table of organisations spells them) whose business is passing things on.
const RELAY_KINDS: &[&str] = &["rtc", "cpaas"];

fn relay(datum: &Datum<'_>, destination: &Destination) -> Option<Reader> {
    let organisation = destination.organisation.as_ref()?;
    if !RELAY_KINDS.contains(&organisation.kind.as_str()) || datum.kind == &DatumKind::HOSTNAME {
        return None;
    }
    let (answer, because) = match in_the_open(datum) {
        (Answer::Yes, because) => (Answer::Yes, format!("it passes on the very bytes that were captured: {because}")),
        (Answer::No, _) => (
            Answer::CannotTell,
            "the encryption may end at the relay; who holds the keys is not on the wire".to_owned(),
        ),
        (Answer::CannotTell, because) => (Answer::CannotTell, because),
    };
    Some(Reader {
        role: ReaderRole::Relay,
        party: organisation.name.clone(),
        answer,
        because,
    })
}

fn endpoint(datum: &Datum<'_>, recipient: &str, ledger: &Ledger) -> Reader {
    let answered = datum
        .flows
        .iter()
        .filter_map(|id| ledger.flows.get(id.0 as usize))
        .any(|flow| flow.down.frames > 0);
    let (open, because) = in_the_open(datum);
    let (answer, because) = match (answered, open) {
        (false, _) => (Answer::CannotTell, "nothing came back: that it arrived is not shown".to_owned()),
        (true, Answer::Yes) => (Answer::Yes, "it was sent there, and the other end answered".to_owned()),
        (true, Answer::No) => (Answer::Yes, "it agreed on the keys of this channel".to_owned()),
        (true, Answer::CannotTell) => (Answer::CannotTell, because),
    };
    Reader {
        role: ReaderRole::Endpoint,
        party: recipient.to_owned(),
        answer,
        because,
    }
}
