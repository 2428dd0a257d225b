//! The audit as one JSON object, or as one object a line. The shapes are those of [`v1`].
//!
//! Rows are written as they are walked. It refuses to build the document in memory: facts come in millions. It refuses
//! to indent: that is a third of the bytes, and whoever wants it has `jq`.

use std::io::{Result, Write};
use std::ops::Range;

use serde::{Serialize, Serializer};

use farshore_model::party::Destination;

use crate::compact::Sheet;
use crate::presses::Copy;
use crate::v1::{self, List, Parts};
use crate::{Audit, Options, Output};

/// `json`: one object, `farshore.audit/1`.
pub struct Json;

impl Output for Json {
    fn id(&self) -> &'static str {
        "json"
    }

    fn render(&self, audit: &Audit, options: &Options<'_>, out: &mut dyn Write) -> Result<()> {
        let mut it = Object::new(audit);
        it.member("schema", &v1::SCHEMA)?;
        it.member("tool", &v1::Tool::new(audit))?;
        it.list::<v1::Inputs>();
        it.member("coverage", &v1::Coverage::new(audit))?;
        it.list::<v1::Destinations>();
        it.list::<v1::Laws>();
        it.list::<v1::Exposures>();
        it.list::<v1::Identifiers>();
        it.list::<v1::Links>();
        it.list::<v1::Anomalies>();
        it.list::<v1::Verdicts>();
        if audit.waivers.is_some() {
            it.list::<v1::Waivers>();
        }
        if audit.replies.is_some() {
            it.list::<v1::Replies>();
        }
        if let Some(baseline) = &audit.baseline {
            it.member("baseline", &v1::Baseline::new(baseline))?;
        }
        if !audit.talk.is_empty() {
            it.list::<v1::Talks>();
        }
        if audit.undeclared.is_some() {
            it.list::<v1::Omissions>();
        }
        if options.sections.flows {
            it.list::<v1::Flows>();
        }
        if options.sections.observations {
            it.list::<v1::Observations>();
        }
        if let Some(discovery) = &audit.discovery {
            it.member("discovery", &v1::Design::new(discovery))?;
        }
        it.copy.text(b"}\n");
        it.copy.write(audit, options.jobs, out)
    }
}

/// The one object, member by member: the order of keys is that of the contract, added keys stand last.
struct Object<'a> {
    audit: &'a Audit,
    copy: Copy,
    first: bool,
}

impl<'a> Object<'a> {
    fn new(audit: &'a Audit) -> Self {
        let mut copy = Copy::default();
        copy.text(b"{");
        Self { audit, copy, first: true }
    }

    fn key(&mut self, key: &str) {
        let before = if std::mem::take(&mut self.first) { "" } else { "," };
        self.copy.text(format!("{before}\"{key}\":").as_bytes());
    }

    fn member(&mut self, key: &str, value: &impl Serialize) -> Result<()> {
        self.key(key);
        let mut sheet = Sheet::over(Vec::new());
        sheet.element(true, value)?;
        self.copy.text(&sheet.into_written());
        Ok(())
    }

    fn list<L: List>(&mut self) {
        self.key(L::KEY);
        self.copy.text(b"[");
        self.copy.rows(elements::<L>, L::count(self.audit));
        self.copy.text(b"]");
    }
}

/// Rows of an array.
fn elements<'a, L: List>(audit: &'a Audit, range: Range<usize>, parts: &mut Parts<'a>, sheet: &mut Sheet<'_>) -> Result<()> {
    let mut first = range.start == 0;
    L::rows(audit, range, parts).try_for_each(|row| sheet.element(std::mem::take(&mut first), &row))
}

/// `ndjson`: the same rows, each on a line of its own: `{"type":"flow","flow":{…}}`.
pub struct Ndjson;

impl Output for Ndjson {
    fn id(&self) -> &'static str {
        "ndjson"
    }

    fn render(&self, audit: &Audit, options: &Options<'_>, out: &mut dyn Write) -> Result<()> {
        let mut it = Lines {
            audit,
            copy: Copy::default(),
        };
        it.line(
            "audit",
            Head {
                schema: v1::SCHEMA,
                tool: v1::Tool::new(audit),
            },
        )?;
        it.list::<v1::Inputs>();
        it.line("coverage", v1::Coverage::new(audit))?;
        it.list::<v1::Destinations>();
        it.list::<v1::Laws>();
        it.list::<v1::Exposures>();
        it.list::<v1::Identifiers>();
        it.list::<v1::Links>();
        if let Some(discovery) = &audit.discovery {
            it.line("discovery", v1::Design::new(discovery))?;
        }
        it.list::<v1::Anomalies>();
        it.list::<v1::Verdicts>();
        it.list::<v1::Waivers>();
        it.list::<v1::Replies>();
        if let Some(baseline) = &audit.baseline {
            it.line("baseline", v1::Baseline::new(baseline))?;
        }
        it.list::<v1::Talks>();
        it.list::<v1::Omissions>();
        if options.sections.flows {
            it.list::<v1::Flows>();
        }
        if options.sections.observations {
            it.list::<v1::Observations>();
        }
        it.copy.write(audit, options.jobs, out)
    }
}

/// One object a line.
struct Lines<'a> {
    audit: &'a Audit,
    copy: Copy,
}

impl Lines<'_> {
    fn line(&mut self, kind: &'static str, row: impl Serialize) -> Result<()> {
        let mut sheet = Sheet::over(Vec::new());
        sheet.line(&Line { kind, row })?;
        self.copy.text(&sheet.into_written());
        Ok(())
    }

    fn list<L: List>(&mut self) {
        self.copy.rows(lines::<L>, L::count(self.audit));
    }
}

/// Rows, each on its line.
fn lines<'a, L: List>(audit: &'a Audit, range: Range<usize>, parts: &mut Parts<'a>, sheet: &mut Sheet<'_>) -> Result<()> {
    L::rows(audit, range, parts).try_for_each(|row| sheet.line(&Line { kind: L::TYPE, row }))
}

/// What is known of parties without traffic: one object, `farshore.who/1`.
pub fn who(destinations: &[Destination], out: &mut dyn Write) -> Result<()> {
    #[derive(Serialize)]
    struct Who<'a> {
        schema: &'static str,
        destinations: Vec<v1::Destination<'a>>,
    }
    let mut parts = v1::Parts::default();
    let destinations = (0..)
        .zip(destinations)
        .map(|(index, it)| v1::Destination::without_traffic(index, it, &mut parts));
    let who = Who {
        schema: v1::WHO_SCHEMA,
        destinations: destinations.collect(),
    };
    let mut sheet = Sheet::new(out);
    sheet.line(&who)?;
    sheet.finish()
}

/// One party on one line, the `index`-th that was asked for.
pub fn who_line(index: usize, destination: &Destination, out: &mut dyn Write) -> Result<()> {
    let mut sheet = Sheet::new(out);
    sheet.line(&v1::Destination::without_traffic(index, destination, &mut v1::Parts::default()))?;
    sheet.finish()
}

/// The line of an address, cut where the address and the number of the question stand: of thousands of addresses the
/// same is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhoPattern {
    middle: Vec<u8>,
    end: Vec<u8>,
}

impl WhoPattern {
    /// The pattern of a party that goes by one address alone; `None` of any other.
    pub fn of(party: &Destination) -> Result<Option<Self>> {
        let mut line = Vec::new();
        who_line(0, party, &mut line)?;
        let (name, mut start) = (party.name.as_str(), Vec::new());
        opening(0, name, &mut start)?;
        // Quotes inside of strings are escaped, so this is the key and nothing else.
        let place = format!("\"places\":[{{\"address\":\"{name}\"");
        let rest = line.strip_prefix(start.as_slice());
        let at = rest.and_then(|rest| rest.windows(place.len()).position(|it| it == place.as_bytes()));
        Ok(rest.zip(at).and_then(|(rest, at)| {
            // Up to the address with its quote, and from the quote behind it on.
            let quoted = place.len().saturating_sub(name.len()).saturating_sub(1);
            Some(Self {
                middle: rest.get(..at.saturating_add(quoted))?.to_vec(),
                end: rest.get(at.saturating_add(place.len()).saturating_sub(1)..)?.to_vec(),
            })
        }))
    }

    /// The line of another address of which the same is known.
    pub fn write(&self, index: usize, address: &str, out: &mut dyn Write) -> Result<()> {
        opening(index, address, out)?;
        out.write_all(&self.middle)?;
        out.write_all(address.as_bytes())?;
        out.write_all(&self.end)
    }

    /// How much memory it takes.
    pub fn bytes(&self) -> usize {
        self.middle.len().saturating_add(self.end.len())
    }
}

/// How the line of an address begins.
fn opening(index: usize, address: &str, out: &mut dyn Write) -> Result<()> {
    let number = index.saturating_add(1);
    write!(
        out,
        "{{\"id\":\"d{number}\",\"name\":\"{address}\",\"domain\":null,\"addresses\":[\"{address}\"],"
    )
}

#[derive(Serialize)]
struct Head<'a> {
    schema: &'static str,
    tool: v1::Tool<'a>,
}

/// The row stands under its own type's name: a DNS row has a `type` of its own.
struct Line<T> {
    kind: &'static str,
    row: T,
}

impl<T: Serialize> Serialize for Line<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map([("type", Part::Kind(self.kind)), (self.kind, Part::Row(&self.row))])
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Part<'a, T> {
    Kind(&'static str),
    Row(&'a T),
}
