//! The audit as one JSON object, or as one object a line. The shapes are those of [`v1`].
//!
//! Rows are written as they are walked. It refuses to build the document in memory: facts come in millions. It refuses
//! to indent: that is a third of the bytes, and whoever wants it has `jq`.

use std::io::{Result, Write};

use serde::{Serialize, Serializer};

use farshore_model::party::Destination;

use crate::compact::Sheet;
use crate::v1::{self, List};
use crate::{Audit, Options, Output};

/// `json`: one object, `farshore.audit/1`.
pub struct Json;

impl Output for Json {
    fn id(&self) -> &'static str {
        "json"
    }

    fn render(&self, audit: &Audit, options: &Options<'_>, out: &mut dyn Write) -> Result<()> {
        let mut sheet = Sheet::new(out);
        sheet.line(&v1::Document::new(audit, options.sections))?;
        sheet.finish()
    }
}

/// `ndjson`: the same rows, each on a line of its own: `{"type":"flow","flow":{…}}`.
pub struct Ndjson;

impl Output for Ndjson {
    fn id(&self) -> &'static str {
        "ndjson"
    }

    fn render(&self, audit: &Audit, options: &Options<'_>, out: &mut dyn Write) -> Result<()> {
        let mut sheet = Sheet::new(out);
        let out = &mut sheet;
        line(
            "audit",
            Head {
                schema: v1::SCHEMA,
                tool: v1::Tool::new(audit),
            },
            out,
        )?;
        lines::<v1::Inputs>(audit, out)?;
        line("coverage", v1::Coverage::new(audit), out)?;
        lines::<v1::Destinations>(audit, out)?;
        lines::<v1::Laws>(audit, out)?;
        lines::<v1::Exposures>(audit, out)?;
        lines::<v1::Identifiers>(audit, out)?;
        lines::<v1::Links>(audit, out)?;
        if let Some(it) = &audit.discovery {
            line("discovery", v1::Design::new(it), out)?;
        }
        lines::<v1::Anomalies>(audit, out)?;
        lines::<v1::Verdicts>(audit, out)?;
        lines::<v1::Talks>(audit, out)?;
        lines::<v1::Omissions>(audit, out)?;
        if options.sections.flows {
            lines::<v1::Flows>(audit, out)?;
        }
        if options.sections.observations {
            lines::<v1::Observations>(audit, out)?;
        }
        sheet.finish()
    }
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

fn lines<L: List>(audit: &Audit, out: &mut Sheet<'_>) -> Result<()> {
    L::rows(audit).try_for_each(|row| line(L::TYPE, row, out))
}

fn line(kind: &'static str, row: impl Serialize, out: &mut Sheet<'_>) -> Result<()> {
    out.line(&Line { kind, row })
}
