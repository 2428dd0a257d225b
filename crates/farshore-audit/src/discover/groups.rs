//! Messages that are alike: of one service and direction, of one kind, or the n-th of their conversation. What is compared
//! between captures is compared within such a group. It refuses to look at labels: how messages are grouped depends on their
//! bytes alone.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use farshore_model::{Direction, Ledger, Specimen};

use super::design::Captures;
use super::text;

/// Leading bytes that may tell the kind of a message.
const KIND_WITHIN: usize = 12;
/// Kinds that one byte tells apart at most; more are numbers, not kinds.
const KINDS: usize = 16;
/// First messages of a conversation that are compared by their number.
const FIRSTS: usize = 3;
/// Fields in which a protocol carries what an application puts there.
const CARRIERS: [&str; 5] = [
    "websocket.sent",
    "websocket.received",
    "mqtt.payload",
    "http.request.body",
    "http.response.body",
];

/// A message, as far as it was kept.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    /// Its capture.
    pub(super) capture: usize,
    /// Its number among the specimens.
    pub(super) index: usize,
    /// It.
    pub(super) specimen: &'a Specimen,
    /// Its bytes, without the mask over them.
    bytes: &'a [u8],
    /// The mask that was over them.
    pub(super) mask: u8,
}

impl<'a> Message<'a> {
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// Messages that are compared with each other.
#[derive(Clone)]
pub(super) struct Group<'a> {
    /// What they are, as it is shown: `udp/8130 up`.
    pub(super) name: String,
    /// The service and direction, or field, that they are of.
    pub(super) of: usize,
    /// They are a field that a protocol named, not payload.
    pub(super) field: bool,
    /// How much of a choice made the group: none, a kind, a number.
    pub(super) narrowed: u8,
    /// They.
    pub(super) messages: Vec<Message<'a>>,
}

impl Group<'_> {
    /// Captures that have some.
    pub(super) fn captures(&self) -> usize {
        captures(&self.messages)
    }
}

fn captures(messages: &[Message<'_>]) -> usize {
    messages.iter().map(|it| it.capture).collect::<BTreeSet<_>>().len()
}

/// All groups that at least two captures have a part in.
pub(super) fn groups<'a>(ledger: &'a Ledger, plain: &'a [(Cow<'a, [u8]>, u8)], captures_of: &Captures) -> Vec<Group<'a>> {
    let mut services: BTreeMap<(bool, &str, u16, bool), Vec<Message<'a>>> = BTreeMap::new();
    // A service that moves its port from capture to capture is one service all the same.
    let mut ports: BTreeMap<(&str, u16), BTreeSet<usize>> = BTreeMap::new();
    let port = |it: &Specimen| ledger.flows.get(it.flow.0 as usize).map_or(0, |flow| flow.server.port);
    let all = || {
        let each = ledger.specimens.iter().zip(plain).enumerate();
        each.filter_map(|(index, (specimen, (bytes, mask)))| {
            Some(Message {
                capture: captures_of.of_flow(specimen.flow)?,
                index,
                specimen,
                bytes,
                mask: *mask,
            })
        })
    };
    for it in all().filter(|it| it.specimen.payload) {
        ports.entry((&it.specimen.path, port(it.specimen))).or_default().insert(it.capture);
    }
    for it in all() {
        let specimen = it.specimen;
        let key = if specimen.payload {
            let port = port(specimen);
            let shared = ports.get(&(&specimen.path, port)).is_some_and(|it| it.len() > 1);
            let up = specimen.direction == Some(Direction::Up);
            (true, &*specimen.path, if shared { port } else { 0 }, up)
        } else {
            (false, &*specimen.path, 0, true)
        };
        services.entry(key).or_default().push(it);
    }
    let mut groups = Vec::new();
    for (of, ((payload, path, port, up), messages)) in services.into_iter().enumerate() {
        if captures(&messages) < 2 {
            continue;
        }
        let name = if payload {
            let carrier = path.strip_suffix(".payload").unwrap_or(path);
            let port = if port == 0 { String::new() } else { format!("/{port}") };
            format!("{carrier}{port} {}", if up { "up" } else { "down" })
        } else {
            path.to_owned()
        };
        let whole = Group {
            name,
            of,
            field: !payload,
            narrowed: 0,
            messages,
        };
        if !whole.field || carries_bytes(&whole) {
            kinds(&whole, &mut groups);
            firsts(&whole, &mut groups);
        }
        groups.push(whole);
    }
    groups.sort_by_key(|it| (it.of, it.narrowed));
    groups
}

/// Whether a field is a way for a protocol of somebody's own, of bytes rather than of words.
pub(super) fn carries_bytes(it: &Group<'_>) -> bool {
    let texts = it.messages.iter().filter(|it| text::framed(it.bytes()).is_some()).count();
    it.field && CARRIERS.iter().any(|path| it.name.starts_with(path)) && texts.saturating_mul(2) < it.messages.len()
}

/// By each leading byte that takes few values, which most captures know: what it takes them for may be the kind.
fn kinds<'a>(whole: &Group<'a>, out: &mut Vec<Group<'a>>) {
    let all = whole.captures();
    for at in 0..KIND_WITHIN {
        let mut by_value: BTreeMap<u8, Vec<Message<'a>>> = BTreeMap::new();
        for it in &whole.messages {
            if let Some(byte) = it.bytes().get(at) {
                by_value.entry(*byte).or_default().push(*it);
            }
        }
        if by_value.len() < 2 || by_value.len() > KINDS {
            continue;
        }
        for (value, messages) in by_value {
            if captures(&messages).saturating_mul(2) >= all.max(4) {
                out.push(Group {
                    name: format!("{}, byte {at} = {value:02x}", whole.name),
                    narrowed: 1,
                    messages,
                    ..*whole
                });
            }
        }
    }
}

/// The first, second and third message of each conversation.
fn firsts<'a>(whole: &Group<'a>, out: &mut Vec<Group<'a>>) {
    let mut so_far: BTreeMap<_, usize> = BTreeMap::new();
    let mut by_number: Vec<Vec<Message<'a>>> = vec![Vec::new(); FIRSTS];
    for it in &whole.messages {
        let number = so_far.entry(it.specimen.flow).or_default();
        if let Some(of_number) = by_number.get_mut(*number) {
            of_number.push(*it);
        }
        *number = number.saturating_add(1);
    }
    for (number, messages) in (1_usize..).zip(by_number) {
        if captures(&messages) >= 2 && messages.len() < whole.messages.len() {
            out.push(Group {
                name: format!("{}, message {number}", whole.name),
                narrowed: 2,
                messages,
                ..*whole
            });
        }
    }
}
