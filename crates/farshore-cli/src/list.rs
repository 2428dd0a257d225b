//! `farshore list`: what is built in, with versions, licences and dates.

use std::io::Write;
use std::process::ExitCode;

use farshore::{Datasets, FORMATS, PROTOCOLS, policy};
use serde_json::{Value, json};

use crate::args::{List, ListFormat, Listing};
use crate::output;

/// Runs the verb.
pub(crate) fn run(args: &List) -> anyhow::Result<ExitCode> {
    let (name, columns, rows) = rows(args.what)?;
    output::write(None, false, &mut |out| match args.format {
        ListFormat::Json => {
            let objects: Vec<Value> = rows
                .iter()
                .map(|row| {
                    columns
                        .iter()
                        .zip(row)
                        .map(|(key, cell)| ((*key).to_owned(), json!(cell)))
                        .collect()
                })
                .collect();
            serde_json::to_writer_pretty(&mut *out, &json!({ "schema": "farshore.list/1", name: objects }))?;
            writeln!(out)
        }
        ListFormat::Terminal => table(columns, &rows, out),
    })?;
    Ok(ExitCode::SUCCESS)
}

type Rows = (&'static str, &'static [&'static str], Vec<Vec<String>>);

fn rows(what: Listing) -> anyhow::Result<Rows> {
    Ok(match what {
        Listing::Packs => {
            let mut rows = Vec::new();
            for pack in policy::ids().filter_map(policy::built_in) {
                let pack = pack?;
                for clause in pack.clauses {
                    rows.push(vec![
                        pack.id.clone(),
                        pack.version.clone(),
                        clause.id,
                        clause.title,
                        clause.citation,
                    ]);
                }
            }
            ("packs", &["pack", "version", "clause", "title", "citation"], rows)
        }
        Listing::Data => {
            let rows = Datasets::embedded()
                .describe()
                .into_iter()
                .map(|it| vec![it.name, it.edition, it.as_of, it.licence, it.source, it.sha256]);
            ("data", &["name", "edition", "as_of", "licence", "source", "sha256"], rows.collect())
        }
        Listing::Protocols => (
            "protocols",
            &["protocol"],
            PROTOCOLS.iter().map(|it| vec![it.id().to_owned()]).collect(),
        ),
        Listing::Formats => ("formats", &["format"], FORMATS.iter().map(|it| vec![it.id().to_owned()]).collect()),
    })
}

/// Columns as wide as their widest cell; digests are cut, JSON has them whole.
fn table(columns: &[&str], rows: &[Vec<String>], out: &mut dyn Write) -> std::io::Result<()> {
    let short = |text: &str| {
        if text.len() == 64 {
            text.chars().take(12).collect()
        } else {
            text.to_owned()
        }
    };
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| short(cell).chars().count());
            cells.chain(columns.get(at).map(|it| it.chars().count())).max().unwrap_or_default()
        })
        .collect();
    let mut line = |cells: Vec<String>| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(out, "{}", padded.join("  ").trim_end())
    };
    line(columns.iter().map(|it| it.to_uppercase()).collect())?;
    rows.iter().try_for_each(|row| line(row.iter().map(|cell| short(cell)).collect()))
}
