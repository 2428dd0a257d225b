//! The audit as one JSON object, or as one object a line. The shapes are those of [`v1`].
//!
//! Rows are written as they are walked. It refuses to build the document in memory: facts come in millions. It refuses
//! to indent: that is a third of the bytes, and whoever wants it has `jq`.

use std::io::{BufWriter, Result, Write};

use serde::{Serialize, Serializer};

use farshore_model::party::Destination;

use crate::escape::Inert;
use crate::v1::{self, List};
use crate::{Audit, Options, Output};

/// `json`: one object, `farshore.audit/1`.
pub struct Json;

impl Output for Json {
    fn id(&self) -> &'static str {
        "json"
    }

    fn render(&self, audit: &Audit, options: &Options<'_>, out: &mut dyn Write) -> Result<()> {
        let mut out = buffered(out);
        write(&v1::Document::new(audit, options.sections), &mut out)?;
        out.flush()
    }
}

/// `ndjson`: the same rows, each on a line of its own: `{"type":"flow","flow":{…}}`.
pub struct Ndjson;

impl Output for Ndjson {
    fn id(&self) -> &'static str {
        "ndjson"
    }

    fn render(&self, audit: &Audit, options: &Options<'_>, out: &mut dyn Write) -> Result<()> {
        let out = &mut buffered(out);
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
        lines::<v1::Anomalies>(audit, out)?;
        lines::<v1::Verdicts>(audit, out)?;
        if options.sections.flows {
            lines::<v1::Flows>(audit, out)?;
        }
        if options.sections.observations {
            lines::<v1::Observations>(audit, out)?;
        }
        out.flush()
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
    let mut out = buffered(out);
    write(&who, &mut out)?;
    out.flush()
}

/// One party on one line, the `index`-th that was asked for.
pub fn who_line(index: usize, destination: &Destination, out: &mut dyn Write) -> Result<()> {
    let mut out = buffered(out);
    write(
        &v1::Destination::without_traffic(index, destination, &mut v1::Parts::default()),
        &mut out,
    )?;
    out.flush()
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

fn lines<L: List>(audit: &Audit, out: &mut impl Write) -> Result<()> {
    L::rows(audit).try_for_each(|row| line(L::TYPE, row, out))
}

fn line(kind: &'static str, row: impl Serialize, out: &mut impl Write) -> Result<()> {
    write(&Line { kind, row }, out)
}

/// Every brace and comma is a piece of its own: pieces are gathered here, where the writer's type is known.
fn buffered(out: &mut dyn Write) -> BufWriter<&mut dyn Write> {
    BufWriter::with_capacity(1 << 16, out)
}

fn write(value: &impl Serialize, out: &mut impl Write) -> Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, Inert))?;
    out.write_all(b"\n")
}
