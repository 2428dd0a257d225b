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
//! It refuses to claim from few captures (such places are candidates), to tell roles apart that the captures do not, and to
//! say what a value means.

mod claims;
mod design;
mod encoding;
mod groups;
mod partition;
mod places;
mod spans;

use farshore_model::identifier::{Design, Discovery, Role};
use farshore_model::{FlowId, Ledger};
use std::collections::BTreeSet;

use claims::{Claims, Survey};
use design::Captures;
use places::{Matrix, Place, Spot};

/// Searches a ledger for identifiers nobody named.
pub fn discover(ledger: &Ledger) -> Discovery {
    let captures = Captures::of(ledger);
    let groups = groups::groups(ledger, &captures);
    let mut survey = Survey::default();
    let mut claims = Claims::new(&captures);
    for (number, group) in groups.iter().enumerate() {
        if group.field {
            let spots = group.messages.iter().map(|message| Spot {
                message: *message,
                range: 0..message.bytes().len(),
            });
            let place = Place {
                group: number,
                name: group.name.clone(),
                limited: true,
                spots: spots.collect(),
            };
            survey.looked = survey.looked.saturating_add(1);
            if let Some(column) = place.column(captures.count) {
                let partition = partition::Partition::of(column);
                if partition.distinct() > 1 {
                    survey.steady(&captures, [&partition]);
                    claims.consider(&partition, |_, _| vec![place]);
                }
            }
            continue;
        }
        let varies = group
            .messages
            .windows(2)
            .any(|it| matches!(it, [a, b] if a.bytes().len() != b.bytes().len()));
        for from_end in [false, true] {
            // From the end, only whole messages can be compared; and where all are of one length, nothing is new.
            let cut = group.messages.iter().any(|it| it.specimen.length > it.bytes().len() as u64);
            if from_end && (!varies || cut) {
                continue;
            }
            let matrix = Matrix::of(group, captures.count, from_end);
            let (looked, partitions) = spans::steady(&matrix);
            survey.looked = survey.looked.saturating_add(looked);
            survey.steady(&captures, &partitions);
            for partition in &partitions {
                claims.consider(partition, |wanted, others| {
                    let ranges = spans::carrying(&matrix, wanted, others);
                    ranges.into_iter().map(|range| matrix.place(number, group, range)).collect()
                });
            }
        }
    }
    let identifiers = claims.settle(&survey, &groups);
    let sessions: BTreeSet<FlowId> = ledger.specimens.iter().map(|it| it.flow).collect();
    Discovery {
        identifiers,
        design: Design {
            captures: captures.count as u64,
            aside: captures.aside() as u64,
            sessions: sessions.len() as u64,
            roles: captures.roles(),
            places: survey.looked,
            steady: survey.steady,
            hypotheses: survey.hypotheses() as u64,
            cannot_tell: cannot_tell(&captures),
        },
    }
}

/// What these captures could not show, whatever stands in them.
fn cannot_tell(captures: &Captures) -> Vec<String> {
    if captures.count < 2 {
        return vec!["one capture: nothing can be compared".to_owned()];
    }
    if captures.one_room() {
        return vec![
            "one room: what is its own cannot be told from what the application always sends, nor a person from a seat in it".to_owned(),
        ];
    }
    let mut lines = Vec::new();
    if captures.labelled.is_empty() {
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
