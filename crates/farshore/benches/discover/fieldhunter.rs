//! What was published for traces alone, to compare with: FieldHunter's Host-ID and Session-ID (Bermudez, Tongaonkar, Iliofotou,
//! Mellia, Munafò: Towards Automatic Protocol Field Inference, Computer Communications 84, 2016, section 3.2), as the paper
//! describes them. A field whose values go with the sender's address is a Host-ID; one whose values go with the pair of client
//! and server, a Session-ID. It refuses labels, as the paper has none.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use farshore::Ledger;
use farshore::model::{Direction, Specimen};

/// Categorical correlation from which on a field goes with an address.
const CORRELATED: f64 = 0.9;
/// Bytes of the smallest identifier: one or two go with addresses by chance.
const SMALLEST: usize = 3;
/// Bytes that end a token of text.
const DELIMITERS: &[u8] = b" \t\r\n&=;,:?\"'{}[]<>()";

/// What a field is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Host,
    Session,
}

/// A field, with the bytes it has in each message: specimen, offset, length.
pub struct Field {
    pub kind: Kind,
    pub spots: Vec<(usize, usize, usize)>,
}

/// Infers the fields of all services of a trace.
pub fn fields(ledger: &Ledger) -> Vec<Field> {
    let mut services: BTreeMap<(&str, u16, bool), Vec<usize>> = BTreeMap::new();
    for (at, it) in ledger.specimens.iter().enumerate().filter(|(_, it)| it.payload) {
        let port = ledger.flows.get(it.flow.0 as usize).map_or(0, |it| it.server.port);
        let up = it.direction == Some(Direction::Up);
        services.entry((&it.path, port, up)).or_default().push(at);
    }
    services.into_values().flat_map(|messages| of_service(ledger, &messages)).collect()
}

fn of_service(ledger: &Ledger, messages: &[usize]) -> Vec<Field> {
    let bytes = |at: usize| -> &[u8] { &ledger.specimens[at].bytes };
    let textual = messages
        .iter()
        .all(|at| bytes(*at).iter().all(|it| it.is_ascii_graphic() || it.is_ascii_whitespace()));
    let mut found = Vec::new();
    if textual {
        let mut tokens: BTreeMap<Vec<u8>, Vec<(usize, usize, usize)>> = BTreeMap::new();
        for at in messages {
            for (key, start, length) in pairs(bytes(*at)) {
                tokens.entry(key).or_default().push((*at, start, length));
            }
        }
        for spots in tokens.into_values() {
            found.extend(kind(ledger, &spots).map(|kind| Field { kind, spots }));
        }
        return found;
    }
    // Bytes at the same place of all messages; those that go with an address are joined with their neighbours.
    let shortest = messages.iter().map(|at| bytes(*at).len()).min().unwrap_or(0);
    let kinds: Vec<Option<Kind>> = (0..shortest)
        .map(|offset| kind(ledger, &messages.iter().map(|at| (*at, offset, 1)).collect::<Vec<_>>()))
        .collect();
    let mut start = 0;
    while start < shortest {
        let length = kinds[start..].iter().take_while(|it| it.is_some() && **it == kinds[start]).count();
        if let Some(kind) = kinds[start].filter(|_| length >= SMALLEST) {
            let spots = messages.iter().map(|at| (*at, start, length)).collect();
            found.push(Field { kind, spots });
        }
        start += length.max(1);
    }
    found
}

/// Values of a text by the token before them.
fn pairs(text: &[u8]) -> Vec<(Vec<u8>, usize, usize)> {
    let (mut all, mut before) = (Vec::new(), Vec::new());
    let mut start = 0;
    for token in text.split(|it| DELIMITERS.contains(it)) {
        if !token.is_empty() {
            all.push((std::mem::replace(&mut before, token.to_vec()), start, token.len()));
        }
        start += token.len() + 1;
    }
    all
}

/// What values at these places go with, if they are not all the same.
fn kind(ledger: &Ledger, spots: &[(usize, usize, usize)]) -> Option<Kind> {
    let specimen = |at: usize| -> &Specimen { &ledger.specimens[at] };
    let values: Vec<&[u8]> = spots
        .iter()
        .map(|(at, start, length)| &specimen(*at).bytes[*start..start + length])
        .collect();
    if values.iter().collect::<BTreeSet<_>>().len() < 2 {
        return None;
    }
    let ends = |at: usize| -> (IpAddr, IpAddr) {
        let flow = ledger.flows.get(specimen(at).flow.0 as usize).expect("each specimen is of a flow");
        (flow.client.ip, flow.server.ip)
    };
    let sender = spots.iter().map(|(at, ..)| {
        let (client, server) = ends(*at);
        if specimen(*at).direction == Some(Direction::Up) {
            client
        } else {
            server
        }
    });
    if correlation(&values, &sender.collect::<Vec<_>>()) > CORRELATED {
        return Some(Kind::Host);
    }
    let both: Vec<_> = spots.iter().map(|(at, ..)| ends(*at)).collect();
    (correlation(&values, &both) > CORRELATED).then_some(Kind::Session)
}

/// Mutual information over joint entropy: 1 where either tells the other.
fn correlation<X: Ord + Copy, Y: Ord + Copy>(x: &[X], y: &[Y]) -> f64 {
    let joint: Vec<(X, Y)> = x.iter().copied().zip(y.iter().copied()).collect();
    let both = entropy(&joint);
    if both == 0.0 {
        0.0
    } else {
        (entropy(x) + entropy(y) - both) / both
    }
}

#[expect(clippy::cast_precision_loss, reason = "messages are counted")]
fn entropy<T: Ord + Copy>(all: &[T]) -> f64 {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    for it in all {
        *counts.entry(*it).or_default() += 1;
    }
    let share = |count: usize| count as f64 / all.len() as f64;
    counts.into_values().map(|it| -share(it) * share(it).log2()).sum()
}
