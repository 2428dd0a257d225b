//! Templates of NetFlow 9 and IPFIX: which fields a record has, in which order, of what length.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{FIRST_DATA, IPFIX, V9};
use crate::bytes::Order;

/// Templates that are kept at once: an exporter has a few dozen.
const TEMPLATES: usize = 1 << 12;
/// Fields of one: the largest that are known have some hundred.
const FIELDS: usize = 1 << 10;

/// A length that stands before the value.
pub(super) const VARIABLE: u16 = u16::MAX;

/// One field of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Who numbered it; 0: IANA.
    pub(super) enterprise: u32,
    pub(super) element: u16,
    pub(super) length: u16,
}

/// What records of one number are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    /// Whether its records tell of the exporter rather than of flows.
    pub(super) options: bool,
    pub(super) fields: Vec<Field>,
    least: usize,
}

impl Template {
    /// The fewest bytes a record takes; never 0.
    pub(super) const fn least(&self) -> usize {
        self.least
    }
}

/// What one template goes by: version, domain of the exporter, number.
type Name = (u16, u32, u16);

/// The templates that were sent so far.
#[derive(Clone, Debug, Default)]
pub struct Templates {
    known: BTreeMap<Name, (Arc<Template>, bool)>,
    hits: usize,
}

impl Templates {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The same, as those of another input.
    pub(super) fn lent(&self) -> Self {
        let lent = self.known.iter().map(|(name, (it, _))| (*name, (Arc::clone(it), true)));
        Self {
            known: lent.collect(),
            hits: 0,
        }
    }

    /// The ceilings that were hit, once for each time.
    pub(super) fn hits(&self) -> Vec<&'static str> {
        vec!["templates"; self.hits]
    }

    /// A template, and whether another input brought it.
    pub(super) fn of(&self, version: u16, domain: u32, id: u16) -> Option<(Arc<Template>, bool)> {
        self.known.get(&(version, domain, id)).cloned()
    }

    /// Reads a set of templates; what is cut in one ends the set.
    pub(super) fn read(&mut self, version: u16, domain: u32, options: bool, set: &[u8]) {
        let mut rest = Words(set);
        while let Some(id) = rest.next() {
            let Some(count) = rest.next() else { return };
            // What is padding has no number a template may have.
            if id < FIRST_DATA {
                return;
            }
            let count = match (version, options) {
                (_, false) => count,
                // Lengths in bytes, of the scope and of the options.
                (V9, true) => {
                    let Some(options) = rest.next() else { return };
                    (count / 4).saturating_add(options / 4)
                }
                (_, true) => {
                    if count > 0 && rest.next().is_none() {
                        return;
                    }
                    count
                }
            };
            if count == 0 {
                self.known.remove(&(version, domain, id));
                continue;
            }
            let Some(fields) = fields(&mut rest, version, count) else { return };
            let Some(fields) = fields.filter(|_| self.known.len() < TEMPLATES || self.known.contains_key(&(version, domain, id))) else {
                self.hits = self.hits.saturating_add(1);
                self.known.remove(&(version, domain, id));
                continue;
            };
            let least = fields.iter().fold(0_usize, |sum, it| {
                sum.saturating_add(if it.length == VARIABLE { 1 } else { it.length.into() })
            });
            if least > 0 {
                let template = Template { options, fields, least };
                self.known.insert((version, domain, id), (Arc::new(template), false));
            }
        }
    }
}

/// So many fields; `None` inside where they are more than are kept, `None` where the set ends among them.
#[expect(clippy::option_option, reason = "the set is cut, or it goes on behind what was stepped over")]
fn fields(rest: &mut Words<'_>, version: u16, count: u16) -> Option<Option<Vec<Field>>> {
    let mut fields = Vec::new();
    for _ in 0..count {
        let (element, length) = (rest.next()?, rest.next()?);
        let own = version == IPFIX && element & 0x8000 != 0;
        let enterprise = if own {
            (u32::from(rest.next()?) << 16) | u32::from(rest.next()?)
        } else {
            0
        };
        if fields.len() < FIELDS {
            fields.push(Field {
                enterprise,
                element: if own { element & 0x7fff } else { element },
                length,
            });
        }
    }
    Some((usize::from(count) <= FIELDS).then_some(fields))
}

/// Words of two bytes.
struct Words<'a>(&'a [u8]);

impl Iterator for Words<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        let word = Order::Big.u16(self.0, 0)?;
        self.0 = self.0.get(2..)?;
        Some(word)
    }
}
