//! Identifiers nobody told us about: places whose values behave like those of a user, a room or a device.
//!
//! [`discover`] compares the openings of conversations that were kept ([`Specimen`](farshore_model::Specimen)) between
//! captures. A place is any that bytes have: a field a protocol names, or a position in payload that none reads. Of each place
//! it is asked whether every capture has one value there, and whether the values put the captures into the same groups as
//! the labels do. That kills counters, clocks, nonces and keys at once; what is left is a matter of how likely chance would
//! have made the same groups.
//!
//! The argument is a permutation test: under the null, labels are dealt to the captures anew, in the numbers there are, and
//! the values stay as they are, with all their structure. A place that fits exactly has p = 1 / (ways to deal them). It is
//! corrected by Holm's method for each hypothesis that could have come out true: pairs of a role and a grouping of captures
//! that some place makes, of the same sizes (Tarone 1990: others cannot reach any level, and need no share of it). Places that
//! group the captures alike are one hypothesis.
//!
//! Without labels of users, the addresses of clients that stayed in one place stand for them: what keeps to an address and
//! survives its change is a person's or a device's. Ids of connections need no labels ([`sessions`]).
//!
//! It refuses to claim from few captures (such places are candidates), to tell roles apart that the captures do not, and to
//! say what a value means.

mod claims;
mod design;
mod encoding;
mod groups;
mod masks;
mod partition;
mod places;
mod sessions;
mod spans;
mod structure;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use farshore_model::identifier::{Design, Discovery, Firmness, Identifier, Role};
use farshore_model::{FlowId, Ledger, Locus, Protection};

use claims::{Claims, Survey};
use design::Captures;
use groups::{Group, Message};
use partition::Partition;
use places::{Anchor, Matrix, Place, Spot, prefixed_text};
use sessions::Sessions;
use structure::Element;

/// Texts of varying length in one message, behind which positions are counted anew.
const TEXTS: usize = 6;
/// Fields in which servers are named.
const NAMES: [&str; 7] = ["dns.", "mdns.", "doh.", "tls.", "quic.", "dtls.", "http.host"];
/// Bytes of a header behind which a number of varying width is looked for.
const VARINTS_WITHIN: usize = 48;

/// A conversation that carried a value of an identifier of rooms: what links people by it.
pub(crate) struct Carried {
    /// The identifier, by its place among those that were found.
    pub(crate) identifier: usize,
    /// The value, by its number in the identifier's table.
    pub(crate) value: u64,
    /// It, as it stands in the payload.
    pub(crate) bytes: Box<[u8]>,
    /// The conversation.
    pub(crate) flow: FlowId,
    /// How it stood there.
    pub(crate) protection: Protection,
    /// Where it stands first.
    pub(crate) at: Locus,
}

/// Searches a ledger for identifiers nobody named.
pub fn discover(ledger: &Ledger) -> Discovery {
    search(ledger).0
}

/// The same, and who carried the ids of rooms that it claims.
pub(crate) fn search(ledger: &Ledger) -> (Discovery, Vec<Carried>) {
    let captures = Captures::of(ledger);
    let plain = masks::unmasked(ledger);
    let groups = groups::groups(ledger, &plain, &captures);
    let mut orders: BTreeMap<usize, bool> = BTreeMap::new();
    for it in groups.iter().filter(|it| !it.field && it.narrowed < 2) {
        if !orders.contains_key(&it.of)
            && let Some(little) = captures.byte_order(it)
        {
            orders.insert(it.of, little);
        }
    }
    let mut search = Search {
        captures: &captures,
        orders: &orders,
        survey: Survey::default(),
        claims: Claims::new(&captures),
        sessions: Sessions::new(&groups),
    };
    for (number, group) in groups.iter().enumerate() {
        search.group(number, group);
    }
    let Search {
        mut survey,
        claims,
        sessions,
        ..
    } = search;
    survey.sessions = sessions.tried;
    let mut found = claims.settle(&survey, &groups, &orders);
    let of_sessions = sessions.settle(&captures, &orders, &groups).into_iter();
    found.extend(of_sessions.map(|it| (it, Vec::new())));
    found.sort_by_key(|it| it.0.firmness);
    let (identifiers, spots): (Vec<Identifier>, Vec<Vec<Spot<'_>>>) = found.into_iter().unzip();
    let rooms = identifiers.iter().zip(&spots).enumerate();
    // A name that is asked for is a server's: that two people speak to one server joins nobody.
    let of_server = |it: &Identifier| it.roles.contains(&Role::Relay) && NAMES.iter().any(|field| it.place.starts_with(field));
    let rooms = rooms.filter(|(_, (it, _))| it.firmness == Firmness::Claim && it.roles.contains(&Role::Room) && !of_server(it));
    let carried = rooms.flat_map(|(number, (it, spots))| carried(number, it, spots)).collect();
    let sessions: BTreeSet<FlowId> = ledger.specimens.iter().map(|it| it.flow).collect();
    let discovery = Discovery {
        identifiers,
        design: Design {
            captures: captures.inputs as u64,
            aside: captures.aside() as u64,
            sessions: sessions.len() as u64,
            roles: captures.roles(),
            places: survey.looked,
            steady: survey.steady,
            hypotheses: survey.hypotheses() as u64,
            cannot_tell: cannot_tell(&captures),
        },
    };
    (discovery, carried)
}

/// The conversations that carried an identifier, each once for each protection.
fn carried(identifier: usize, it: &Identifier, spots: &[Spot<'_>]) -> Vec<Carried> {
    let mut seen = BTreeSet::new();
    let of_spot = |spot: &Spot<'_>| {
        let specimen = spot.message.specimen;
        seen.insert((specimen.flow, specimen.protection)).then_some(())?;
        Some(Carried {
            identifier,
            value: it.table.get(spot.message.capture).copied().flatten()?,
            bytes: spot.value().into(),
            flow: specimen.flow,
            protection: specimen.protection,
            at: claims::locus(spot),
        })
    };
    spots.iter().filter_map(of_spot).collect()
}

/// A search under way.
struct Search<'a, 'c> {
    captures: &'c Captures,
    /// By service, whether its numbers are little-endian.
    orders: &'c BTreeMap<usize, bool>,
    survey: Survey,
    claims: Claims<'a, 'c>,
    sessions: Sessions<'a>,
}

impl<'a> Search<'a, '_> {
    /// Looks at every place of a group.
    fn group(&mut self, number: usize, group: &Group<'a>) {
        if group.field {
            self.whole(number, group);
        }
        let texts = group.messages.iter().filter_map(|it| Some((*it, text::framed(it.bytes())?)));
        let texts: Vec<(Message<'a>, usize)> = texts.collect();
        // A cut or a stray message among texts makes them no less texts.
        if texts.len().saturating_mul(20) >= group.messages.len().saturating_mul(19) {
            let words = texts.into_iter().map(|(it, begins)| (it, text::words(it.bytes(), begins)));
            self.elements(number, group, words.collect());
            return;
        }
        if group.field && !groups::carries_bytes(group) {
            return;
        }
        self.elements(number, group, structure::elements(group));
        self.varints(number, group);
        self.forwards(number, group);
        self.sessions.spans(number, group, self.captures);
        let varies = group
            .messages
            .windows(2)
            .any(|it| matches!(it, [a, b] if a.bytes().len() != b.bytes().len()));
        // From the end, only whole messages can be compared; and where all are of one length, nothing is new.
        let cut = group.messages.iter().any(|it| it.specimen.length > it.bytes().len() as u64);
        if varies && !cut {
            self.spans(number, group, &Matrix::backwards(group, self.captures.count));
        }
    }

    /// Positions from the start, and from behind each text whose length varies: there everything moves.
    fn forwards(&mut self, number: usize, group: &Group<'a>) {
        let mut messages: Vec<(Message<'a>, usize)> = group.messages.iter().map(|it| (*it, 0)).collect();
        for texts in 0..=TEXTS {
            let anchor = if texts == 0 { Anchor::Start } else { Anchor::Behind(texts) };
            let text = prefixed_text(&messages);
            let most = text.as_ref().map_or(usize::MAX, |it| it.0);
            self.spans(number, group, &Matrix::of(&messages, self.captures.count, anchor, most));
            let Some((_, spots)) = text else { break };
            messages = spots.iter().map(|it| (it.message, it.range.end)).collect();
            self.limited(number, format!("{}, text {}", group.name, texts.saturating_add(1)), spots);
        }
    }

    /// A field as a whole.
    fn whole(&mut self, number: usize, group: &Group<'a>) {
        let spots = group.messages.iter().map(|message| Spot {
            message: *message,
            range: 0..message.bytes().len(),
        });
        let spots = spots.collect();
        self.limited(number, group.name.clone(), spots);
    }

    /// Elements of one name are one place.
    fn elements(&mut self, number: usize, group: &Group<'a>, messages: Vec<(Message<'a>, Vec<Element>)>) {
        let mut places: BTreeMap<String, Vec<Spot<'a>>> = BTreeMap::new();
        for (message, elements) in messages {
            for (name, range) in elements {
                places.entry(name).or_default().push(Spot { message, range });
            }
        }
        for (name, spots) in places {
            self.limited(number, format!("{}, {name}", group.name), spots);
        }
    }

    /// Numbers of varying width behind a header of fixed length.
    fn varints(&mut self, number: usize, group: &Group<'a>) {
        let shortest = group.messages.iter().map(|it| it.bytes().len()).min().unwrap_or(0);
        for at in 0..shortest.min(VARINTS_WITHIN) {
            let read = |message: &Message<'a>| {
                let (_, end) = structure::varint(message.bytes(), at)?;
                Some(Spot {
                    message: *message,
                    range: at..end,
                })
            };
            let Some(spots) = group.messages.iter().map(read).collect::<Option<Vec<_>>>() else {
                continue;
            };
            let widths = spots.iter().map(|it| it.range.len());
            // Those of one width stand at fixed positions, and are found there; of others the message is as much longer.
            let rest = |it: &Spot<'_>| it.message.specimen.length.saturating_sub(it.range.len() as u64);
            let first = spots.first().map(rest);
            if widths.clone().min() != widths.max() && spots.iter().all(|it| Some(rest(it)) == first) {
                self.limited(number, format!("{}, varint at offset {at}", group.name), spots);
            }
        }
    }

    /// A place that its structure limits.
    fn limited(&mut self, number: usize, name: String, spots: Vec<Spot<'a>>) {
        let place = Place {
            group: number,
            name,
            fixed: None,
            spots,
        };
        self.survey.looked = self.survey.looked.saturating_add(1);
        self.sessions.consider(&place, self.captures);
        let Some(column) = place.column(self.captures.count) else { return };
        let partition = Partition::of(column);
        if partition.distinct() > 1 {
            self.survey.steady(self.captures, [&partition]);
            self.claims.consider(&partition, |_, _| vec![place]);
        }
    }

    /// Positions counted from one end.
    fn spans(&mut self, number: usize, group: &Group<'a>, matrix: &Matrix<'a>) {
        if !self.claims.can_tell() {
            return;
        }
        let (looked, partitions) = spans::steady(matrix);
        self.survey.looked = self.survey.looked.saturating_add(looked);
        self.survey.steady(self.captures, &partitions);
        let little = self.orders.get(&group.of).copied();
        for partition in &partitions {
            self.claims.consider(partition, |wanted, others| {
                let ranges = spans::carrying(matrix, wanted, others, little);
                ranges.into_iter().map(|range| matrix.place(number, group, range)).collect()
            });
        }
    }
}

/// What these captures could not show, whatever stands in them.
fn cannot_tell(captures: &Captures) -> Vec<String> {
    if captures.count < 2 {
        return vec!["one conversation: nothing can be compared".to_owned()];
    }
    if captures.inputs == 1 {
        let mut lines =
            vec!["one capture: its conversations are compared, and what is of a room, a relay or a day cannot be told".to_owned()];
        if captures.labelled.is_empty() {
            lines.push("too few clients with several conversations each: nothing tells what is a user's (further captures)".to_owned());
        }
        return lines;
    }
    if captures.one_room() {
        return vec![
            "one room: what is its own cannot be told from what the application always sends, nor a person from a seat in it".to_owned(),
        ];
    }
    if captures.one_each() {
        return vec!["one capture of each user: nobody was seen in two rooms, so what a room shares cannot be told from a group its people belong to".to_owned()];
    }
    let mut lines = Vec::new();
    if captures.by_address_only {
        lines.push("no labels of users: addresses of clients stand for them, where clients stayed in one place (--labels)".to_owned());
    } else if captures.labelled.is_empty() {
        lines.push("no labels: nothing says which captures are of one user, room or device (--labels)".to_owned());
    }
    for it in captures.roles() {
        if it.role != Role::Build && it.least_p >= 1.0 {
            let why = if it.distinct < 2 {
                "there is one only"
            } else {
                "no two captures share one, or all sizes are forced"
            };
            lines.push(format!("{}: {why}", it.role));
        }
    }
    lines
}

#[cfg(test)]
mod tests;
