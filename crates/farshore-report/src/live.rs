//! What is new in an audit of a capture that still comes, beside those made of less of it: for whoever watches.
//!
//! It tells each party once, each value that strangers can read once for each place it goes to, each sign of tampering and each clause
//! when it is breached. Whatever else there is stands in the report at the end. It refuses to take anything back: an audit of more may
//! say otherwise, and the last one counts.

use std::collections::BTreeSet;
use std::io::{Result, Write};

use farshore_model::verdict::Counting;
use farshore_model::{Audit, Outcome, Protection};

use crate::Options;
use crate::findings::{self, Item, count};
use crate::terminal::{Ink, Screen};

/// What was told so far.
#[derive(Debug, Default)]
pub struct News {
    told: BTreeSet<Topic>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Topic {
    Destination(String),
    Exposure {
        kind: String,
        print: [u8; 16],
        field: String,
        protection: Protection,
        destination: String,
    },
    Tampering {
        title: String,
        input: u32,
        frame: u64,
    },
    Breach {
        pack: String,
        clause: String,
    },
}

impl News {
    /// Tells what this audit says and none before it did; with nothing new, nothing.
    pub fn tell(&mut self, audit: &Audit, options: &Options<'_>, out: &mut dyn Write) -> Result<()> {
        let items: Vec<Item> = self.items(audit);
        if items.is_empty() {
            return Ok(());
        }
        let mut screen = Screen::new(audit, options, out);
        let frames = audit.inputs.iter().fold(0_u64, |sum, it| sum.saturating_add(it.frames));
        let time = audit.inputs.iter().filter_map(|it| it.last).max().map(|it| it.to_string());
        // The second is enough for whoever looks on.
        let time = time.as_deref().and_then(|it| it.get(11..19)).map(|it| format!("{it} UTC, "));
        let head = format!("{}{} so far", time.unwrap_or_default(), count(frames, "frame"));
        screen.wrapped("", "", &head, None, Some(Ink::Dim))?;
        for it in &items {
            screen.item(it)?;
        }
        out.flush()
    }

    fn items(&mut self, audit: &Audit) -> Vec<Item> {
        let told = &mut self.told;
        let named = |index: usize| audit.destinations.get(index).map_or("", |it| &*it.name).to_owned();
        let parties = audit
            .destinations
            .iter()
            .filter(|it| told.insert(Topic::Destination(it.name.to_string())));
        let mut items: Vec<Item> = parties.map(|it| findings::destination(audit, it)).collect();
        let readable = audit.exposures.iter().filter(|it| findings::is_alarming(it)).filter(|it| {
            told.insert(Topic::Exposure {
                kind: it.kind.as_str().to_owned(),
                print: it.value.print,
                field: it.field.to_string(),
                protection: it.protection,
                destination: named(it.destination),
            })
        });
        items.extend(readable.map(|it| findings::exposures(audit, &[it])));
        items.extend(findings::tampering(audit).filter(|it| {
            let (input, frame) = it.frame.map_or((0, 0), |it| (it.input, it.frame));
            told.insert(Topic::Tampering {
                title: it.title.clone(),
                input,
                frame,
            })
        }));
        let breached = audit.verdicts.iter().filter(|it| {
            it.counting() == Counting::As(Outcome::Breached)
                && told.insert(Topic::Breach {
                    pack: it.pack.clone(),
                    clause: it.clause.clone(),
                })
        });
        items.extend(breached.filter_map(|it| findings::verdict(audit, it)));
        items
    }
}
